//! The Amazon DNS server, as far as it knows the VPC's own names (Amazon VPC User Guide, "DNS
//! attributes for your VPC"). It knows no other names and asks nobody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::{InstanceId, Region};

use crate::compile::vpc::Vpc;
use crate::compile::{Port, Snapshot};

const HEADER_LEN: usize = 12;
const NAME_MAX: usize = 255;
const TTL_SECS: u32 = 60;

const TYPE_A: u16 = 1;
const TYPE_PTR: u16 = 12;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Code {
    NoError = 0,
    FormatError = 1,
    NoSuchName = 3,
    NotImplemented = 4,
    Refused = 5,
}

/// What there is to say about a name.
struct Found {
    addresses: Vec<IpAddr>,
    pointer: Option<String>,
}

/// The answer to a query; `None` if it is none.
pub(crate) fn answer(snapshot: &Snapshot, vpc: &Vpc, query: &[u8]) -> Option<Vec<u8>> {
    let header: &[u8; HEADER_LEN] = query.first_chunk()?;
    let (flags, questions) = (header[2], u16::from_be_bytes([header[4], header[5]]));
    if flags & 0x80 != 0 {
        return None;
    }
    let refuse = |code| Some(respond(header, &[], code, &[]));
    if flags & 0x78 != 0 {
        return refuse(Code::NotImplemented);
    }
    if questions != 1 {
        return refuse(Code::FormatError);
    }
    let Some((name, end)) = read_name(query) else {
        return refuse(Code::FormatError);
    };
    let Some(&[t0, t1, c0, c1]) = query.get(end..).and_then(<[u8]>::first_chunk) else {
        return refuse(Code::FormatError);
    };
    let question = query.get(HEADER_LEN..end + 4)?;
    let (kind, class) = (u16::from_be_bytes([t0, t1]), u16::from_be_bytes([c0, c1]));
    if class != CLASS_IN {
        return Some(respond(header, question, Code::Refused, &[]));
    }
    Some(match look_up(snapshot, vpc, &name.to_ascii_lowercase()) {
        Ok(found) => respond(header, question, Code::NoError, &records(&found, kind)),
        Err(code) => respond(header, question, code, &[]),
    })
}

/// Reads the name of the first question. Compression makes no sense there, so it is refused.
fn read_name(query: &[u8]) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut at = HEADER_LEN;
    loop {
        let len = usize::from(*query.get(at)?);
        at += 1;
        if len == 0 {
            return Some((name, at));
        }
        let label = query.get(at..at + len).filter(|_| len < 64)?;
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(std::str::from_utf8(label).ok().filter(|l| l.is_ascii())?);
        at += len;
        if name.len() > NAME_MAX {
            return None;
        }
    }
}

fn look_up(snapshot: &Snapshot, vpc: &Vpc, name: &str) -> Result<Found, Code> {
    let host_of = |domain: &str| {
        let host = name.strip_suffix(domain)?.strip_suffix('.')?;
        (!host.contains('.')).then(|| host.to_owned())
    };
    let in_region = |domain: fn(Region) -> String| {
        Region::all().find_map(|region| Some((region, host_of(&domain(region))?)))
    };
    let known = Region::all().flat_map(|r| [r.private_domain(), r.public_domain()]);
    let found = if let Some(address) = reverse_v4(name) {
        pointer(vpc, address.into())
    } else if let Some((region, host)) = in_region(Region::private_domain) {
        private_host(snapshot, vpc, region, &host)
    } else if let Some((region, host)) = in_region(Region::public_domain) {
        public_host(snapshot, vpc, region, &host)
    } else if known
        .into_iter()
        .any(|d| name == d || name.ends_with(&format!(".{d}")))
    {
        None
    } else {
        return Err(Code::Refused);
    };
    found.filter(|_| vpc.dns_hostnames).ok_or(Code::NoSuchName)
}

fn pointer(vpc: &Vpc, address: IpAddr) -> Option<Found> {
    let IpAddr::V4(v4) = address else { return None };
    let name = format!("{}.{}", ip_name(v4), vpc.region.private_domain());
    vpc.contains(address).then_some(Found {
        addresses: Vec::new(),
        pointer: Some(name),
    })
}

/// `ip-10-0-0-5` for every address of the VPC and of peers, `i-0123…` for the VPC's instances.
fn private_host(snapshot: &Snapshot, vpc: &Vpc, region: Region, host: &str) -> Option<Found> {
    if let Some(address) = host.strip_prefix("ip-").and_then(dashed) {
        let known = snapshot.knows_private_name(vpc, region, address);
        return known.then(|| Found {
            addresses: vec![address.into()],
            pointer: None,
        });
    }
    if region != vpc.region {
        return None;
    }
    let instance: InstanceId = host.parse().ok()?;
    let interface = vpc
        .macs
        .values()
        .filter_map(|&port| snapshot.interface(port))
        .find(|i| i.metadata.instance_id == Some(instance) && i.resource_name.primary)?;
    let wanted = |address: &IpAddr| match address {
        IpAddr::V4(v4) => interface.resource_name.a && interface.metadata.primary_ipv4 == Some(*v4),
        IpAddr::V6(_) => interface.resource_name.aaaa,
    };
    Some(Found {
        addresses: interface.addresses.iter().copied().filter(wanted).collect(),
        pointer: None,
    })
}

/// A public name is the private address inside its own VPC and in peers that its VPC allows it, and
/// the public one elsewhere.
fn public_host(snapshot: &Snapshot, vpc: &Vpc, region: Region, host: &str) -> Option<Found> {
    let public = host.strip_prefix("ec2-").and_then(dashed)?;
    let &(port, private) = snapshot.internet.public_v4.get(&public)?;
    let Some(Port::Interface(interface)) = snapshot.port(port) else {
        return None;
    };
    let home = snapshot.vpc_of(interface);
    if home.region != region {
        return None;
    }
    let address = if snapshot.reveals_private(vpc, home) {
        private
    } else {
        public
    };
    Some(Found {
        addresses: vec![address.into()],
        pointer: None,
    })
}

fn ip_name(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("ip-{a}-{b}-{c}-{d}")
}

fn dashed(text: &str) -> Option<Ipv4Addr> {
    text.replace('-', ".").parse().ok()
}

fn reverse_v4(name: &str) -> Option<Ipv4Addr> {
    let reversed: Ipv4Addr = name.strip_suffix(".in-addr.arpa")?.parse().ok()?;
    let [d, c, b, a] = reversed.octets();
    Some(Ipv4Addr::new(a, b, c, d))
}

fn records(found: &Found, kind: u16) -> Vec<Vec<u8>> {
    let address = |address: &IpAddr| match address {
        IpAddr::V4(v4) => (kind == TYPE_A).then(|| Ipv4Addr::octets(v4).to_vec()),
        IpAddr::V6(v6) => (kind == TYPE_AAAA).then(|| Ipv6Addr::octets(v6).to_vec()),
    };
    let mut data: Vec<Vec<u8>> = found.addresses.iter().filter_map(address).collect();
    if let Some(name) = found.pointer.as_ref().filter(|_| kind == TYPE_PTR) {
        let mut wire = Vec::new();
        for label in name.split('.') {
            wire.push(label.len() as u8);
            wire.extend_from_slice(label.as_bytes());
        }
        wire.push(0);
        data.push(wire);
    }
    data.iter()
        .map(|data| {
            // The name is the question's: a pointer to right behind the header.
            let mut record = vec![0xc0, HEADER_LEN as u8];
            record.extend(kind.to_be_bytes());
            record.extend(CLASS_IN.to_be_bytes());
            record.extend(TTL_SECS.to_be_bytes());
            record.extend((data.len() as u16).to_be_bytes());
            record.extend(data);
            record
        })
        .collect()
}

fn respond(query: &[u8; HEADER_LEN], question: &[u8], code: Code, records: &[Vec<u8>]) -> Vec<u8> {
    let recursion_desired = query[2] & 1;
    let mut response = vec![
        query[0],
        query[1],
        0x80 | recursion_desired,
        0x80 | code as u8,
    ];
    response.extend(u16::from(!question.is_empty()).to_be_bytes());
    response.extend((records.len() as u16).to_be_bytes());
    response.extend([0; 4]);
    response.extend_from_slice(question);
    for record in records {
        response.extend_from_slice(record);
    }
    response
}
