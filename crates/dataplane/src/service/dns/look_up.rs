//! Who knows a name: the one table of sources, and what each of them knows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::{InstanceId, Region};

use crate::compile::Port;
use crate::compile::dns_names::{DnsNames, Listed};
use crate::compile::network_interface::Interface;
use crate::service::Client;

/// What there is to say about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It exists, though it may not have what was asked for.
    Name {
        /// The zone that it lies in.
        zone: String,
        addresses: Vec<IpAddr>,
        pointer: Option<String>,
    },
    /// It lies in a zone that does not have it.
    NoSuchName {
        /// That zone.
        zone: String,
    },
    /// Nobody here knows.
    Outside,
}

/// Somebody who knows names: asked for one in lower case, `None` says that somebody else may know.
type Source = fn(&Client<'_>, &str) -> Option<Known>;

/// In the order in which they are asked.
const SOURCES: [Source; 7] = [
    private_names,
    private_hosts,
    public_hosts,
    public_names,
    reverse_v4,
    reverse_v6,
    reserved,
];

/// What there is to say to a client about a name in lower case.
pub(super) fn look_up(client: &Client<'_>, name: &str) -> Known {
    let mut answers = SOURCES.iter().filter_map(|source| source(client, name));
    answers.next().unwrap_or(Known::Outside)
}

/// Private names of the VPC's interface endpoints, which hide public ones.
fn private_names(client: &Client<'_>, name: &str) -> Option<Known> {
    let vpc = client.vpc();
    vpc.has_names().then(|| listed(&vpc.private_names, name))?
}

/// Public names of services.
fn public_names(client: &Client<'_>, name: &str) -> Option<Known> {
    listed(&client.snapshot.public_names, name)
}

fn listed(names: &DnsNames, name: &str) -> Option<Known> {
    Some(match names.look_up(name)? {
        Listed::Name { zone, addresses } => Known::Name {
            zone: zone.to_owned(),
            addresses: addresses.to_vec(),
            pointer: None,
        },
        Listed::Missing { zone } => Known::NoSuchName {
            zone: zone.to_owned(),
        },
    })
}

/// `ip-10-0-0-5.ec2.internal` for every address of the VPC and of peers, `i-0123….ec2.internal` for the VPC's instances.
fn private_hosts(client: &Client<'_>, name: &str) -> Option<Known> {
    below(name, "internal")?;
    let vpc = client.vpc();
    let (region, zone, host) = Region::all().find_map(|region| {
        let zone = region.private_domain();
        let host = below(name, &zone)?;
        Some((region, zone, host))
    })?;
    let addresses = if !vpc.has_names() {
        None
    } else if host.is_empty() {
        Some(Vec::new())
    } else if let Some(address) = host.strip_prefix("ip-").and_then(dashed) {
        let known = client.snapshot.knows_private_name(vpc, region, address);
        known.then(|| vec![address.into()])
    } else if region == vpc.region {
        instance(client, host)
    } else {
        None
    };
    Some(match addresses {
        Some(addresses) => Known::Name {
            zone,
            addresses,
            pointer: None,
        },
        None => Known::NoSuchName { zone },
    })
}

/// The addresses of a resource name, of the families that its subnet wants.
fn instance(client: &Client<'_>, host: &str) -> Option<Vec<IpAddr>> {
    let instance: InstanceId = host.parse().ok()?;
    let port = *client.vpc().instances.get(&instance)?;
    let interface: &Interface = client.snapshot.interface(port)?;
    let wanted = |address: &IpAddr| match address {
        IpAddr::V4(v4) => interface.resource_name.a && interface.metadata.primary_ipv4 == Some(*v4),
        IpAddr::V6(_) => interface.resource_name.aaaa,
    };
    let own = interface.addresses.iter().copied();
    Some(own.filter(wanted).collect())
}

/// `ec2-203-0-113-25.compute-1.amazonaws.com`: the private address inside its own VPC and in peers that its
/// VPC allows it, the public one elsewhere.
fn public_hosts(client: &Client<'_>, name: &str) -> Option<Known> {
    let (host, zone) = name.split_once('.')?;
    let public = host.strip_prefix("ec2-").and_then(dashed)?;
    let &(port, private) = client.snapshot.internet.public_v4.get(&public)?;
    let Port::Interface(interface) = client.snapshot.port(port)? else {
        return None;
    };
    let owner = client.snapshot.vpc_of(interface);
    let region = Region::all().find(|region| region.public_domain() == zone)?;
    let zone = zone.to_owned();
    if region != owner.region || !owner.has_names() {
        return Some(Known::NoSuchName { zone });
    }
    let address = if client.snapshot.reveals_private(client.vpc(), owner) {
        private
    } else {
        public
    };
    Some(Known::Name {
        zone,
        addresses: vec![address.into()],
        pointer: None,
    })
}

/// The names of the VPC's addresses; nobody knows those of other private ones.
fn reverse_v4(client: &Client<'_>, name: &str) -> Option<Known> {
    let vpc = client.vpc();
    let reversed: Ipv4Addr = name.strip_suffix(".in-addr.arpa")?.parse().ok()?;
    let [d, c, b, a] = reversed.octets();
    let address = Ipv4Addr::new(a, b, c, d);
    let zone = if a == 10 {
        "10.in-addr.arpa".to_owned()
    } else {
        format!("{b}.{a}.in-addr.arpa")
    };
    if vpc.has_names() && vpc.contains(address.into()) {
        return Some(Known::Name {
            zone,
            addresses: Vec::new(),
            pointer: Some(format!(
                "{}.{}",
                ip_name(address),
                vpc.region.private_domain()
            )),
        });
    }
    let is_private = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || vpc.contains(address.into());
    is_private.then_some(Known::NoSuchName { zone })
}

/// IPv6 addresses have no names of their own.
fn reverse_v6(client: &Client<'_>, name: &str) -> Option<Known> {
    let digits = name.strip_suffix(".ip6.arpa")?;
    let mut address = 0_u128;
    let mut count = 0;
    for (at, digit) in digits.split('.').enumerate() {
        let digit = Some(digit).filter(|digit| digit.len() == 1);
        let value = u128::from_str_radix(digit?, 16).ok()?;
        address |= value.checked_shl(u32::try_from(at).ok()? * 4)?;
        count += 1;
    }
    let address = Some(Ipv6Addr::from(address)).filter(|_| count == 32)?;
    let is_private = address.is_unique_local()
        || address.is_unicast_link_local()
        || client.vpc().contains(address.into());
    let zone = "ip6.arpa".to_owned();
    is_private.then_some(Known::NoSuchName { zone })
}

/// Names that mean nothing outside of a network, so nobody outside is asked for them (RFC 6761).
fn reserved(_: &Client<'_>, name: &str) -> Option<Known> {
    let is_in = |zone: &str| below(name, zone).is_some();
    if is_in("localhost") {
        return Some(Known::Name {
            zone: "localhost".to_owned(),
            addresses: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            pointer: None,
        });
    }
    let zone = ["internal", "local", "invalid"]
        .into_iter()
        .find(|z| is_in(z))?;
    Some(Known::NoSuchName {
        zone: zone.to_owned(),
    })
}

/// What stands in front of a zone in a name that lies in it: nothing, or labels.
fn below<'a>(name: &'a str, zone: &str) -> Option<&'a str> {
    let host = name.strip_suffix(zone)?;
    if host.is_empty() {
        return Some(host);
    }
    host.strip_suffix('.')
}

/// `ip-10-0-0-5`.
pub(in crate::service) fn ip_name(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("ip-{a}-{b}-{c}-{d}")
}

fn dashed(text: &str) -> Option<Ipv4Addr> {
    text.replace('-', ".").parse().ok()
}
