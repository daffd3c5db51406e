//! One packet on its way through the pipeline, at the pace at which a decision is made once and
//! then remembered. `egress` and `ingress` hold the two halves.

use std::net::IpAddr;

use model::{InternetGatewayId, ResourceId, Timestamp};
use packet::{Ip, Mac, icmp, icmpv6, protocol};

use crate::compile::Snapshot;
use crate::compile::internet::{INTERNET_ROUTER_MAC, Outside, is_global};
use crate::compile::network_interface::Interface;
use crate::connection::{Connections, Trackable};
use crate::disposition::Disposition;
use crate::flow_cache::{FlowCache, Translation};
use crate::meter::Record;
use crate::ports::PortId;
use crate::slab::NONE;
use crate::step::{Outcome, Stage, Step};
use crate::tuple::Tuple;
use crate::{Action, Direction, DropReason};

/// The longest packet inside a VPC (Amazon EC2 User Guide, "Network maximum transmission unit").
pub(crate) const MTU_VPC: u16 = 9001;
/// The longest packet through an internet gateway.
pub(crate) const MTU_INTERNET: u16 = 1500;

/// How long a verdict without a connection behind it is kept while nobody uses it, in seconds.
const IDLE_SECS: u32 = 300;

/// What the pipeline looks at in a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) tuple: Tuple,
    pub(crate) tcp_flags: u8,
    /// The packet that an ICMP error is about.
    pub(crate) quoted: Option<Tuple>,
    /// Length of the packet, or of the longest segment of a super-frame.
    pub(crate) len: usize,
    pub(crate) dont_fragment: bool,
}

impl Subject {
    pub(crate) fn new(ip: &Ip, tuple: Tuple, quoted: Option<Tuple>, len: usize) -> Self {
        Self {
            tuple,
            tcp_flags: ip.tcp_flags,
            quoted,
            len,
            dont_fragment: ip.dont_fragment,
        }
    }

    /// The packet that an ICMP error in `frame` quotes.
    pub(crate) fn quoted_in(ip: &Ip, frame: &[u8]) -> Option<Tuple> {
        if !ip.is_icmp_error() {
            return None;
        }
        quoted(frame.get(ip.payload_offset..)?)
    }

    /// The packet as the far side of an internet gateway sees it.
    pub(crate) fn translated(mut self, translation: Translation) -> Self {
        if let Some(src) = translation.src {
            if let Some(quoted) = &mut self.quoted
                && quoted.dst == self.tuple.src
            {
                quoted.dst = src;
            }
            self.tuple.src = src;
        }
        if let Some(dst) = translation.dst {
            if let Some(quoted) = &mut self.quoted
                && quoted.src == self.tuple.dst
            {
                quoted.src = dst;
            }
            self.tuple.dst = dst;
        }
        self
    }
}

/// Reads the beginning of a packet, which is all that an ICMP error has to quote.
fn quoted(bytes: &[u8]) -> Option<Tuple> {
    let (src, dst, protocol, l4): (IpAddr, IpAddr, u8, &[u8]) = match bytes.first()? >> 4 {
        4 => {
            let header = packet::ipv4::Ipv4::parse(bytes).ok()?;
            let l4 = match header.fragment_offset() {
                0 => bytes.get(header.header_len()..)?,
                _ => &[],
            };
            (
                header.src().into(),
                header.dst().into(),
                header.protocol(),
                l4,
            )
        }
        6 => {
            let header = packet::ipv6::Ipv6::parse(bytes).ok()?;
            let chain = packet::ipv6::walk(bytes).ok()?;
            let l4 = bytes.get(chain.offset..)?;
            (header.src().into(), header.dst().into(), chain.protocol, l4)
        }
        _ => return None,
    };
    let word = |at: usize| Some(u16::from_be_bytes([*l4.get(at)?, *l4.get(at + 1)?]));
    let l4 = match protocol {
        protocol::TCP | protocol::UDP => crate::tuple::L4::Ports {
            src: word(0)?,
            dst: word(2)?,
        },
        protocol::ICMP | protocol::ICMPV6 => {
            let (icmp_type, code) = (*l4.first()?, *l4.get(1)?);
            let has_identifier = match protocol {
                protocol::ICMP => icmp::has_identifier(icmp_type),
                _ => icmpv6::has_identifier(icmp_type),
            };
            let id = if has_identifier { word(4)? } else { 0 };
            crate::tuple::L4::Icmp {
                icmp_type,
                code,
                id,
            }
        }
        _ => crate::tuple::L4::None,
    };
    Some(Tuple {
        src,
        dst,
        protocol,
        l4,
    })
}

/// Where a packet goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Out {
    pub(crate) port: PortId,
    pub(crate) src_mac: Mac,
    pub(crate) dst_mac: Mac,
}

/// What was decided about a packet.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) disposition: Disposition,
    pub(crate) out: Option<Out>,
    pub(crate) translation: Translation,
    /// The longest packet of the way, or of the part of it that the packet went.
    pub(crate) mtu: u16,
    pub(crate) records: [Option<Record>; 2],
    pub(crate) connections: [u32; 2],
    pub(crate) idle_secs: u32,
    pub(crate) cacheable: bool,
    /// The interface whose groups refused.
    pub(crate) refused_by: Option<PortId>,
}

/// The way of one packet.
pub(crate) struct Walk<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) connections: &'a mut Connections,
    pub(crate) cache: &'a mut FlowCache,
    pub(crate) now: Timestamp,
    pub(crate) steps: Option<&'a mut Vec<Step>>,
    pub(crate) way: Way,
}

/// What a packet has met so far.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) from: Option<PortId>,
    pub(crate) translation: Translation,
    pub(crate) mtu: u16,
    pub(crate) connections: [u32; 2],
    pub(crate) idle_secs: u32,
    pub(crate) cacheable: bool,
    pub(crate) refused_by: Option<PortId>,
    /// Who records the packet, and as what: sender, then receiver.
    pub(crate) seen: [Option<Sighting>; 2],
}

/// An interface saw the packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    pub(crate) interface: PortId,
    pub(crate) direction: Direction,
    pub(crate) tuple: Tuple,
    pub(crate) action: Action,
    pub(crate) traffic_path: Option<u8>,
}

impl Default for Way {
    fn default() -> Self {
        Self {
            from: None,
            translation: Translation::default(),
            mtu: MTU_VPC,
            connections: [NONE; 2],
            idle_secs: IDLE_SECS,
            cacheable: true,
            refused_by: None,
            seen: [None, None],
        }
    }
}

/// Where a packet ended: delivered, or dropped with the reason.
pub(crate) type End = Result<(Out, Disposition), Disposition>;

impl<'a> Walk<'a> {
    /// Decides on a packet from a port.
    pub(crate) fn decide(mut self, from: PortId, dst_mac: Mac, subject: &Subject) -> Decision {
        let snapshot = self.snapshot;
        self.way.from = Some(from);
        let end = match snapshot.port(from) {
            Some(crate::compile::Port::Interface(interface)) => {
                self.egress(interface, dst_mac, subject)
            }
            Some(crate::compile::Port::Outside(outside)) => {
                self.out_of_internet(outside, dst_mac, subject)
            }
            None => Err(Disposition::RefusedOnLink(DropReason::UnknownPort)),
        };
        let (out, disposition) = match end {
            Ok((out, disposition)) => (Some(out), disposition),
            Err(disposition) => (None, disposition),
        };
        let records = self.way.seen.map(|seen| {
            let seen = seen?;
            let interface = snapshot.interface(seen.interface)?;
            Some(Record::new(
                interface,
                seen.direction,
                &seen.tuple,
                seen.action,
                seen.traffic_path,
                disposition.clone(),
            ))
        });
        Decision {
            disposition,
            out,
            translation: self.way.translation,
            mtu: self.way.mtu,
            records,
            connections: self.way.connections,
            idle_secs: self.way.idle_secs,
            cacheable: self.way.cacheable,
            refused_by: self.way.refused_by,
        }
    }

    /// Notes a step, if somebody wants to know.
    pub(crate) fn step(
        &mut self,
        place: impl Into<ResourceId>,
        direction: Direction,
        stage: Stage,
        resource: Option<ResourceId>,
        outcome: Outcome,
        rule: impl FnOnce() -> String,
    ) {
        if let Some(steps) = &mut self.steps {
            steps.push(Step {
                place: Some(place.into()),
                direction,
                stage,
                resource,
                rule: rule(),
                outcome,
            });
        }
    }

    /// Security groups of an interface, with connection tracking.
    pub(crate) fn security_groups(
        &mut self,
        interface: &Interface,
        egress: bool,
        subject: &Subject,
    ) -> Result<(), Disposition> {
        let direction = direction(egress);
        let stage = Stage::SecurityGroup;
        if self.is_related(interface, egress, subject) {
            self.way.cacheable = false;
            self.step(interface.id, direction, stage, None, Outcome::Pass, || {
                "error about an allowed flow".to_owned()
            });
            return Ok(());
        }
        let trackable = Trackable::of(interface.port, egress, &subject.tuple);
        if let Some(index) = self.alive(&trackable, subject) {
            self.see(index, egress, subject);
            self.step(interface.id, direction, stage, None, Outcome::Pass, || {
                "tracked connection".to_owned()
            });
            return Ok(());
        }
        let Some(allowed) = interface.groups.allow(egress, &subject.tuple) else {
            self.way.refused_by = Some(interface.port);
            let denied = Disposition::DeniedBySecurityGroup {
                interface: interface.id,
                egress,
                groups: interface.groups.ids.clone(),
            };
            self.step(interface.id, direction, stage, None, Outcome::Drop, || {
                denied.to_string()
            });
            return Err(denied);
        };
        let begins_nothing = subject.quoted.is_some() || subject.tcp_flags & packet::tcp::RST != 0;
        let untracked = allowed.untracked
            || trackable.only_answers
            || interface.groups.answers_untracked(egress, &subject.tuple);
        if begins_nothing {
            // The flow's next packet may begin something.
            self.way.cacheable = false;
        } else if !untracked {
            self.begin(interface, &trackable, egress, subject)?;
        }
        let group = Some(allowed.group.into());
        self.step(interface.id, direction, stage, group, Outcome::Pass, || {
            format!("{} ({})", allowed.rule.text(egress), allowed.rule.id)
        });
        Ok(())
    }

    fn begin(
        &mut self,
        interface: &Interface,
        trackable: &Trackable,
        egress: bool,
        subject: &Subject,
    ) -> Result<(), Disposition> {
        let flags = subject.tcp_flags;
        match self
            .connections
            .begin(trackable.key, egress, flags, self.now)
        {
            Ok((index, seen)) => {
                self.way.connections[usize::from(!egress)] = index;
                self.way.idle_secs = self.way.idle_secs.min(seen.idle_secs);
                Ok(())
            }
            Err(crate::connection::TableFull) => {
                self.way.cacheable = false;
                let interface = interface.id;
                let full = Disposition::ConntrackAllowanceExceeded { interface };
                let stage = Stage::SecurityGroup;
                self.step(
                    interface,
                    direction(egress),
                    stage,
                    None,
                    Outcome::Drop,
                    || full.to_string(),
                );
                Err(full)
            }
        }
    }

    /// Whether an ICMP error is about a flow that the interface's groups let pass.
    fn is_related(&mut self, interface: &Interface, egress: bool, subject: &Subject) -> bool {
        let Some(quoted) = subject.quoted else {
            return false;
        };
        let about = Trackable::of(interface.port, !egress, &quoted);
        if let Some(index) = self.connections.find(&about.key)
            && !self.is_expired(index)
        {
            return true;
        }
        interface.groups.is_untracked(!egress, &quoted)
    }

    /// The connection that a packet belongs to, unless that is over or too long ago.
    fn alive(&mut self, trackable: &Trackable, subject: &Subject) -> Option<u32> {
        let index = self.connections.find(&trackable.key)?;
        let opens = subject.tcp_flags & (packet::tcp::SYN | packet::tcp::ACK) == packet::tcp::SYN;
        let reopened = opens && self.connections.is_over(index);
        if reopened || self.is_expired(index) {
            self.forget(index);
            self.connections.remove(index);
            return None;
        }
        Some(index)
    }

    fn is_expired(&self, index: u32) -> bool {
        let last = last_seen(self.connections, self.cache, index);
        self.connections.is_expired(index, last, self.now)
    }

    fn see(&mut self, index: u32, egress: bool, subject: &Subject) {
        let flags = subject.tcp_flags;
        if let Some(seen) = self.connections.see(index, egress, flags, self.now) {
            if seen.forget {
                self.forget(index);
            }
            self.way.connections[usize::from(!egress)] = index;
            self.way.idle_secs = self.way.idle_secs.min(seen.idle_secs);
            self.way.cacheable &= seen.cacheable;
        }
    }

    fn forget(&mut self, index: u32) {
        let paths = self.connections.get(index).map(|c| c.paths);
        for path in paths.into_iter().flatten() {
            self.cache.forget(path);
        }
    }

    /// A packet from the internet's side of the gateways.
    fn out_of_internet(&mut self, from: &Outside, dst_mac: Mac, subject: &Subject) -> End {
        if dst_mac != INTERNET_ROUTER_MAC {
            return Err(Disposition::RefusedOnLink(DropReason::DestinationMac));
        }
        let src = subject.tuple.src;
        let own = match from.address {
            Some(address) => address == src,
            None => is_global(src) && !self.snapshot.internet.has(src),
        };
        if !own {
            return Err(Disposition::RefusedOnLink(
                DropReason::SourceDestinationCheck,
            ));
        }
        self.way.mtu = MTU_INTERNET;
        if let Some(too_long) = self.too_long(MTU_INTERNET, subject) {
            return Err(too_long);
        }
        self.internet(None, from.address.is_none(), subject)
    }

    /// Carries a packet over the internet: into a VPC, to a host, or away by the uplink.
    pub(crate) fn internet(
        &mut self,
        via: Option<InternetGatewayId>,
        from_uplink: bool,
        subject: &Subject,
    ) -> End {
        let snapshot = self.snapshot;
        let dst = subject.tuple.dst;
        let target = match dst {
            IpAddr::V4(v4) => snapshot.internet.public_v4.get(&v4).copied(),
            IpAddr::V6(v6) => None.or_else(|| {
                let port = *snapshot.internet.public_v6.get(&v6)?;
                Some((port, std::net::Ipv4Addr::UNSPECIFIED))
            }),
        };
        let unreachable = Disposition::InternetUnreachable { address: dst };
        if let Some((port, private)) = target {
            let interface = snapshot.interface(port);
            let gateway = interface.and_then(|i| snapshot.vpc_of(i).internet_gateway);
            let (Some(interface), Some(gateway)) = (interface, gateway) else {
                return Err(unreachable);
            };
            let mut inner = *subject;
            if dst.is_ipv4() {
                let dst = Some(IpAddr::V4(private));
                self.way.translation.dst = dst;
                inner = inner.translated(Translation { src: None, dst });
            }
            self.step(
                gateway,
                Direction::Ingress,
                Stage::InternetGateway,
                None,
                Outcome::Pass,
                || format!("destination {dst} is {}", inner.tuple.dst),
            );
            return self.ingress(interface, true, None, &inner);
        }
        let out = match snapshot.internet.hosts.get(&dst) {
            Some(&host) => Some(host),
            None => snapshot
                .internet
                .uplink
                .filter(|_| is_global(dst) && !from_uplink && via.is_some()),
        };
        let Some(crate::compile::Port::Outside(host)) = out.and_then(|port| snapshot.port(port))
        else {
            if let Some(via) = via {
                self.step(
                    via,
                    Direction::Egress,
                    Stage::Delivery,
                    None,
                    Outcome::Drop,
                    || unreachable.to_string(),
                );
            }
            return Err(unreachable);
        };
        let disposition = match via {
            Some(via) => Disposition::ExitsToInternet { via, address: dst },
            None => Disposition::StaysOnInternet { address: dst },
        };
        let out = Out {
            port: host.port,
            src_mac: INTERNET_ROUTER_MAC,
            dst_mac: host.mac,
        };
        Ok((out, disposition))
    }

    /// Whether a packet is too long for a way and cannot be fragmented.
    pub(crate) fn too_long(&self, mtu: u16, subject: &Subject) -> Option<Disposition> {
        let whole = subject.dont_fragment || subject.tuple.dst.is_ipv6();
        (subject.len > usize::from(mtu) && whole).then_some(Disposition::MtuExceeded { mtu })
    }
}

/// When a connection was last seen, by the slow path or by the flow cache.
pub(crate) fn last_seen(connections: &Connections, cache: &FlowCache, index: u32) -> Timestamp {
    let Some(connection) = connections.get(index) else {
        return Timestamp::default();
    };
    connection
        .paths
        .iter()
        .filter_map(|&path| cache.last_seen(path, index))
        .fold(connection.last, Timestamp::max)
}

pub(crate) fn direction(egress: bool) -> Direction {
    if egress {
        Direction::Egress
    } else {
        Direction::Ingress
    }
}
