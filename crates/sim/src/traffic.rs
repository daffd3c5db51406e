//! Random packets: new ones, more of what has been sent, and answers to what has arrived.

use std::net::IpAddr;

use model::{AwsService, InterfaceType, NetworkInterface, Timestamp, Vpc, World};
use packet::{icmp, icmpv6, protocol, tcp};

use crate::{Device, Fragment, Hop, Random, Segment};

/// Those of the services that are asked.
const SERVICE_PORTS: [u16; 5] = [443, 443, 80, 80, 53];

/// A packet that somebody sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Timestamp,
    pub(crate) sender: Device,
    pub(crate) hop: Hop,
    pub(crate) segment: Segment,
}

/// What became of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Past {
    pub(crate) sent: Sent,
    pub(crate) arrival: Option<(Device, Segment)>,
}

/// Everybody that there is, and every address that is worth trying.
#[derive(Debug)]
pub(crate) struct Traffic<'w> {
    interfaces: Vec<&'w NetworkInterface>,
    /// Those that have a guest.
    guests: Vec<&'w NetworkInterface>,
    hosts: Vec<IpAddr>,
    addresses: Vec<IpAddr>,
    /// Where services of AWS may be asked.
    services: Vec<IpAddr>,
}

impl<'w> Traffic<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        let states = || world.regions.values();
        let interfaces: Vec<&NetworkInterface> = states()
            .flat_map(|s| s.network_interfaces.values())
            .collect();
        let hosts: Vec<IpAddr> = states()
            .flat_map(|s| s.internet_hosts.values())
            .map(|host| host.address)
            .collect();
        let guests = interfaces
            .iter()
            .copied()
            .filter(|i| i.attachment.is_some())
            .collect();
        let mut addresses: Vec<IpAddr> = interfaces.iter().flat_map(|i| i.addresses()).collect();
        addresses.extend(world.public_addresses().map(IpAddr::V4));
        // Often, for everybody can reach them; and some that nobody has.
        for _ in 0..6 {
            addresses.extend(&hosts);
        }
        addresses.extend([
            IpAddr::from([10, 2, 1, 99]),
            IpAddr::from([198, 51, 100, 99]),
        ]);
        let services = services(world);
        // Nobody sees what has an address of the link, and so nobody what becomes of it.
        addresses.extend(
            services
                .iter()
                .filter(|a| AwsService::of_address(**a).is_some()),
        );
        Self {
            interfaces,
            guests,
            hosts,
            addresses,
            services,
        }
    }

    /// The next packet, given what has been sent so far.
    pub(crate) fn next(&self, random: &mut Random, past: &[Past], at: Timestamp) -> Sent {
        let mut sent = self.unscheduled(random, past);
        if sent.segment.quoted.is_none() && random.chance(8) {
            sent = fragment(random, past, sent);
        }
        Sent { at, ..sent }
    }

    fn unscheduled(&self, random: &mut Random, past: &[Past]) -> Sent {
        for _ in 0..4 {
            let found = match random.below(10) {
                0..=3 if !past.is_empty() => self.answer(random, past),
                4 if !past.is_empty() => Some(again(random, past)),
                5 if !past.is_empty() => self.forwarded(random, past),
                6 if !past.is_empty() => match random.chance(50) {
                    true => self.intruding(random, past),
                    false => self.error(random, past),
                },
                _ => self.fresh(random),
            };
            if let Some(sent) = found {
                return sent;
            }
        }
        self.anything(random)
    }

    fn fresh(&self, random: &mut Random) -> Option<Sent> {
        let sent = self.anything(random);
        (sent.segment.src.is_ipv4() == sent.segment.dst.is_ipv4()).then_some(sent)
    }

    /// A first packet of somebody's. An interface with a guest comes from one of its addresses, or one that forwards
    /// from another's of IPv4.
    fn anything(&self, random: &mut Random) -> Sent {
        if random.chance(20) {
            let host = *random.pick(&self.hosts);
            let dst = self.like(random, host);
            return self.sent(random, Device::Host(host), host, dst);
        }
        let guest = *random.pick(&self.guests);
        let own: Vec<IpAddr> = guest.addresses().collect();
        let mut src = *random.pick(&own);
        if random.chance(if guest.source_dest_check { 2 } else { 10 }) && src.is_ipv4() {
            src = self.like(random, src);
        }
        let dst = match random.below(10) {
            // In the same VPC; often a node or an endpoint.
            near @ 0..5 => {
                let of_vpc = self.interfaces.iter().filter(|i| {
                    let shared = [
                        InterfaceType::NetworkLoadBalancer,
                        InterfaceType::VpcEndpoint,
                    ];
                    let is_shared = shared.contains(&i.interface_type) && src.is_ipv4();
                    i.vpc_id == guest.vpc_id && (near > 1 || is_shared || src.is_ipv6())
                });
                let near: Vec<IpAddr> = of_vpc
                    .flat_map(|i| i.addresses())
                    .filter(|a| a.is_ipv4() == src.is_ipv4())
                    .collect();
                *random.pick(&near)
            }
            5 => {
                let fits = |service: &&IpAddr| service.is_ipv4() == src.is_ipv4();
                let of_family: Vec<_> = self.services.iter().filter(fits).collect();
                **random.pick(&of_family)
            }
            _ => self.like(random, src),
        };
        self.sent(random, Device::Interface(guest.id), src, dst)
    }

    /// Whether something of AWS's may answer at an address.
    fn is_service(&self, address: IpAddr) -> bool {
        let mut interfaces = self.interfaces.iter();
        self.services.contains(&address)
            || interfaces.any(|i| {
                i.interface_type == InterfaceType::VpcEndpoint
                    && i.addresses().any(|own| own == address)
            })
    }

    /// Any address of the same family.
    fn like(&self, random: &mut Random, other: IpAddr) -> IpAddr {
        loop {
            let address = *random.pick(&self.addresses);
            if address.is_ipv4() == other.is_ipv4() {
                return address;
            }
        }
    }

    fn sent(&self, random: &mut Random, sender: Device, src: IpAddr, dst: IpAddr) -> Sent {
        let (icmp_number, request) = match src {
            IpAddr::V4(_) => (protocol::ICMP, icmp::ECHO_REQUEST),
            IpAddr::V6(_) => (protocol::ICMPV6, icmpv6::ECHO_REQUEST),
        };
        let protocol =
            *random.pick(&[protocol::TCP, protocol::TCP, protocol::UDP, icmp_number, 47]);
        let is_icmp = protocol == icmp_number;
        let has_ports = [protocol::TCP, protocol::UDP].contains(&protocol);
        let mut port = || {
            if has_ports {
                1 + random.below(3) as u16
            } else {
                0
            }
        };
        let (src_port, mut dst_port) = (port(), port());
        if has_ports && self.is_service(dst) && random.chance(85) {
            dst_port = *random.pick(&SERVICE_PORTS);
        }
        let identifier = 1 + random.below(3) as u16;
        let flags = *random.pick(&[tcp::SYN, tcp::SYN, tcp::SYN, tcp::ACK, tcp::RST]);
        let segment = Segment {
            src,
            dst,
            protocol,
            src_port: if is_icmp { identifier } else { src_port },
            dst_port: if is_icmp { identifier } else { dst_port },
            icmp_type: if is_icmp { request } else { 0 },
            tcp_flags: if protocol == protocol::TCP { flags } else { 0 },
            quoted: None,
            fragment: None,
        };
        let hop = self.hop(random, sender, dst);
        Sent {
            at: Timestamp::default(),
            sender,
            hop,
            segment,
        }
    }

    /// Neighbours talk without the router, and at times send it what is a neighbour's, or a neighbour what is not.
    fn hop(&self, random: &mut Random, sender: Device, dst: IpAddr) -> Hop {
        let Device::Interface(id) = sender else {
            return Hop::Router;
        };
        let own = self.interfaces.iter().find(|i| i.id == id);
        let subnet_id = own.map(|own| own.subnet_id);
        let all = self.interfaces.iter();
        let near: Vec<_> = all
            .filter(|i| Some(i.subnet_id) == subnet_id && i.id != id)
            .collect();
        let neighbour = match random.below(20) {
            0 | 1 => None,
            2 => Some(*random.pick(&near)),
            _ => near
                .iter()
                .find(|i| i.addresses().any(|a| a == dst))
                .copied(),
        };
        neighbour.map_or(Hop::Router, |neighbour| Hop::Neighbour(neighbour.id))
    }

    /// What a receiver sends back to where a packet came from.
    fn answer(&self, random: &mut Random, past: &[Past]) -> Option<Sent> {
        let (sender, got) = arrived(random, past)?;
        if got.quoted.is_some() || got.lacks_ports() {
            return None;
        }
        let icmp_type = match got.icmp_type {
            icmp::ECHO_REQUEST => icmp::ECHO_REPLY,
            icmpv6::ECHO_REQUEST => icmpv6::ECHO_REPLY,
            _ if got.icmp_type != 0 || got.protocol == protocol::ICMP => icmp::ECHO_REQUEST,
            other => other,
        };
        let icmp_type = match (got.protocol, icmp_type) {
            (protocol::ICMPV6, icmp::ECHO_REQUEST) => icmpv6::ECHO_REQUEST,
            (_, icmp_type) => icmp_type,
        };
        let segment = Segment {
            src: got.dst,
            dst: got.src,
            src_port: got.dst_port,
            dst_port: got.src_port,
            icmp_type,
            tcp_flags: flags(random, &got, true),
            fragment: None,
            ..got
        };
        let hop = self.hop(random, sender, segment.dst);
        Some(Sent {
            at: Timestamp::default(),
            sender,
            hop,
            segment,
        })
    }

    /// What a receiver has against what it has got, or makes up.
    fn error(&self, random: &mut Random, past: &[Past]) -> Option<Sent> {
        let (sender, mut got) = arrived(random, past)?;
        let is_own = match sender {
            Device::Interface(id) => {
                let mut own = self.interfaces.iter().filter(|i| i.id == id);
                own.any(|own| own.addresses().any(|address| address == got.dst))
            }
            Device::Host(address) => address == got.dst,
            Device::Service(_) => false,
        };
        if !is_own || got.quoted.is_some() || got.fragment.is_some() {
            return None;
        }
        if [protocol::TCP, protocol::UDP].contains(&got.protocol) && random.chance(10) {
            got = got.from(got.src, 1 + random.below(3) as u16);
        }
        let (protocol, icmp_type) = match got.src {
            IpAddr::V4(_) => (protocol::ICMP, icmp::DESTINATION_UNREACHABLE),
            IpAddr::V6(_) => (protocol::ICMPV6, icmpv6::DESTINATION_UNREACHABLE),
        };
        let segment = Segment {
            src: got.dst,
            dst: got.src,
            protocol,
            src_port: 0,
            dst_port: 0,
            icmp_type,
            tcp_flags: 0,
            quoted: Some(got.as_quoted()),
            fragment: None,
        };
        let hop = self.hop(random, sender, segment.dst);
        Some(Sent {
            at: Timestamp::default(),
            sender,
            hop,
            segment,
        })
    }

    /// What a middlebox sends on.
    fn forwarded(&self, random: &mut Random, past: &[Past]) -> Option<Sent> {
        let all = past.iter().filter_map(|past| past.arrival);
        let strays: Vec<_> = all
            .filter(|(device, got)| match device {
                Device::Interface(id) => {
                    let mut own = self.interfaces.iter().filter(|i| i.id == *id);
                    own.any(|own| own.addresses().all(|address| address != got.dst))
                }
                Device::Host(_) | Device::Service(_) => false,
            })
            .filter(|(_, got)| got.src.is_ipv4())
            .collect();
        if strays.is_empty() {
            return None;
        }
        let (sender, segment) = *random.pick(&strays);
        let hop = self.hop(random, sender, segment.dst);
        Some(Sent {
            at: Timestamp::default(),
            sender,
            hop,
            segment,
        })
    }

    /// What a stranger, or the same one from another port, sends to where an answer would go.
    fn intruding(&self, random: &mut Random, past: &[Past]) -> Option<Sent> {
        let (device, got) = arrived(random, past)?;
        let (sender, src) = match random.below(3) {
            0 => (device, got.dst),
            1 => {
                let host = *random.pick(&self.hosts);
                (Device::Host(host), host)
            }
            _ => {
                let guest = *random.pick(&self.guests);
                (Device::Interface(guest.id), guest.addresses().next()?)
            }
        };
        if src.is_ipv4() != got.src.is_ipv4() || got.quoted.is_some() {
            return None;
        }
        let mut sent = self.sent(random, sender, src, got.src);
        if sent.segment.protocol == got.protocol && got.dst_port != 0 {
            sent.segment = sent.segment.from(src, got.dst_port);
        }
        if got.src_port != 0 && sent.segment.protocol != 47 {
            sent.segment = sent.segment.to(got.src, got.src_port);
        }
        Some(sent)
    }
}

/// The addresses of the link, and public ones of services.
fn services(world: &World) -> Vec<IpAddr> {
    let vpcs = world.regions.values().flat_map(|state| state.vpcs.values());
    let servers = vpcs.filter_map(Vpc::dns_server).map(IpAddr::V4);
    let scopes = world.regions.keys();
    let public = scopes.flat_map(|scope| AwsService::ALL.map(|s| s.address(scope.region)));
    let mut all: Vec<IpAddr> = servers.chain(public.flatten()).collect();
    all.extend([
        IpAddr::from([169, 254, 169, 254]),
        IpAddr::from([169, 254, 169, 253]),
        IpAddr::from([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253]),
        IpAddr::from([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]),
        IpAddr::from([52, 216, 0, 9]),
    ]);
    all
}

/// Something that has arrived, rather what a gateway has changed.
fn arrived(random: &mut Random, past: &[Past]) -> Option<(Device, Segment)> {
    let mut found = None;
    for _ in 0..8 {
        let Past { sent, arrival } = random.pick(past);
        found = arrival.or(found);
        if arrival.is_some_and(|(_, got)| got != sent.segment) {
            break;
        }
    }
    found
}

/// A part of a packet: the first, or a later one of the same or of a packet whose first part has been sent.
fn fragment(random: &mut Random, past: &[Past], mut sent: Sent) -> Sent {
    let firsts = past.iter().filter(|past| {
        let fragment = past.sent.segment.fragment;
        fragment.is_some_and(|fragment| !fragment.later)
    });
    let firsts: Vec<&Past> = firsts.collect();
    let later = random.chance(60);
    let mut identification = random.below(3) as u16;
    if later && random.chance(80) && !firsts.is_empty() {
        sent = random.pick(&firsts).sent;
        identification = sent
            .segment
            .fragment
            .map_or(0, |first| first.identification);
    }
    if !later && sent.segment.lacks_ports() {
        // Identifier 0 is that of nobody knows what, and type 0 of ICMPv6 would be an error.
        let echo_reply = match sent.segment.protocol {
            protocol::ICMP => Some(icmp::ECHO_REPLY),
            protocol::ICMPV6 => Some(icmpv6::ECHO_REPLY),
            _ => None,
        };
        if let Some(icmp_type) = echo_reply {
            sent.segment.icmp_type = icmp_type;
            (sent.segment.src_port, sent.segment.dst_port) = (1, 1);
        }
    }
    sent.segment.fragment = Some(Fragment {
        identification,
        later,
        known: !later,
    });
    sent.segment = sent.segment.on_the_wire();
    sent
}

/// More of the same flow.
fn again(random: &mut Random, past: &[Past]) -> Sent {
    let mut sent = random.pick(past).sent;
    if !sent.segment.lacks_ports() {
        sent.segment.tcp_flags = flags(random, &sent.segment, false);
    }
    sent
}

fn flags(random: &mut Random, like: &Segment, answers: bool) -> u8 {
    if like.protocol != protocol::TCP {
        return 0;
    }
    match random.below(16) {
        0 => tcp::RST,
        1 | 2 => tcp::FIN | tcp::ACK,
        3 => tcp::SYN,
        _ if answers && like.opens() => tcp::SYN | tcp::ACK,
        _ => tcp::ACK,
    }
}
