//! The far side of internet gateways.

use std::net::IpAddr;

use model::ResourceId;
use packet::Mac;

use crate::compile::Port;
use crate::compile::internet::{INTERNET_ROUTER_MAC, Outside, is_global};
use crate::disposition::Disposition;
use crate::flow_cache::Translation;
use crate::ports::PortId;
use crate::step::{Outcome, Stage};
use crate::subject::Subject;
use crate::walk::{End, MTU_INTERNET, Out, Walk};
use crate::{Direction, DropReason};

impl Walk<'_> {
    /// A packet from the internet's side of the gateways.
    pub(crate) fn out_of_internet(
        &mut self,
        from: &Outside,
        dst_mac: Mac,
        subject: &Subject,
    ) -> End {
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
        self.way.limit_mtu(MTU_INTERNET);
        if let Some(too_long) = self.too_long(MTU_INTERNET, subject) {
            return Err(too_long);
        }
        self.internet(None, from.address.is_none(), subject)
    }

    /// Carries a packet over the internet: into a VPC, to a host, or away by the uplink.
    pub(crate) fn internet(
        &mut self,
        via: Option<ResourceId>,
        from_uplink: bool,
        subject: &Subject,
    ) -> End {
        let snapshot = self.snapshot;
        let dst = subject.tuple.dst;
        if let Some(via) = via
            && let Some(end) = self.leaves_for(
                PortId::WIRE,
                Disposition::ExitsToInternet { via, address: dst },
            )
        {
            return end;
        }
        let unreachable = Disposition::InternetUnreachable { address: dst };
        let target = match dst {
            IpAddr::V4(v4) => {
                let found = snapshot.internet.public_v4.get(&v4);
                found.map(|&(port, private)| (port, IpAddr::V4(private)))
            }
            // Nobody translates IPv6 addresses.
            IpAddr::V6(v6) => snapshot
                .internet
                .public_v6
                .get(&v6)
                .map(|&port| (port, dst)),
        };
        if let Some((port, private)) = target {
            let into = self.enter_vpc(port, private, subject);
            return into.unwrap_or(Err(unreachable));
        }
        let host = snapshot.internet.hosts.get(&dst);
        if host.is_none()
            && !from_uplink
            && let Some(end) = self.send_to_public_service(via, subject)
        {
            return end;
        }
        let out = match host {
            Some(&host) => Some(host),
            None => snapshot
                .internet
                .uplink
                .filter(|_| is_global(dst) && !from_uplink && via.is_some()),
        };
        let Some(Port::Outside(host)) = out.and_then(|port| snapshot.port(port)) else {
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

    /// Into a VPC by its gateway. `None` if the VPC has none.
    fn enter_vpc(&mut self, port: PortId, private: IpAddr, subject: &Subject) -> Option<End> {
        if let Some(gateway) = self.snapshot.regional_nat_gateway(port) {
            return self.enter_by_regional_nat_gateway(gateway, subject);
        }
        let interface = self.snapshot.interface(port)?;
        if private.is_ipv6()
            && let Some(end) = self.enter_by_egress_only_internet_gateway(interface, subject)
        {
            return Some(end);
        }
        let gateway = self.snapshot.vpc_of(interface).internet_gateway?;
        let dst = subject.tuple.dst;
        let translation = Translation {
            dst: (private != dst).then_some(private),
            ..Translation::default()
        };
        let inner = self.translate(translation, subject);
        self.step(
            gateway,
            Direction::Ingress,
            Stage::InternetGateway,
            None,
            Outcome::Pass,
            || format!("destination {dst} is {private}"),
        );
        Some(match self.receiver(gateway, interface, private) {
            Ok(to) => self.ingress(to, true, None, &inner),
            Err(disposition) => Err(disposition),
        })
    }
}
