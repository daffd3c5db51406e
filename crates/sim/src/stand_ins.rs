//! The service network: sources that stand for those who ask.

use std::net::IpAddr;

use dataplane::{Backend, Dataplane, ServiceWay};
use model::Timestamp;

use crate::{Asked, Naive, Segment, Service, Way};

/// Who asks what, from where and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asker {
    asked: Asked,
    source: IpAddr,
    destination: IpAddr,
}

/// What the services of one data plane have seen: which source stands for whom.
#[derive(Debug, Default)]
pub(crate) struct StandIns(Vec<(IpAddr, IpAddr, Asker)>);

impl StandIns {
    /// A packet that has come to the services, as whoever has sent it sees it.
    ///
    /// # Errors
    /// It says to nobody who sent it, or to two.
    pub(crate) fn arrived(
        &mut self,
        dataplane: &Dataplane,
        naive: &mut Naive<'_>,
        packet: Segment,
        now: Timestamp,
    ) -> Result<(Asked, Segment), String> {
        let stand_in = packet.src;
        let origin = dataplane.origin(stand_in);
        let origin = origin.ok_or_else(|| format!("{stand_in} stands for nobody"))?;
        let (v4, v6) = origin.backend.addresses();
        if ![IpAddr::V4(v4), IpAddr::V6(v6)].contains(&packet.dst) {
            return Err(format!("{} is not {:?}", packet.dst, origin.backend));
        }
        let asked = Asked {
            service: match (origin.backend, origin.region) {
                (Backend::Metadata, None) => Service::Metadata,
                (Backend::Dns, None) => Service::Names,
                (Backend::Aws(service), Some(region)) => Service::Aws(service, region),
                _ => return Err(format!("{origin:?} is of the wrong Region")),
            },
            way: match origin.way {
                ServiceWay::Link(id) => Way::Link(id),
                ServiceWay::Internet => Way::Internet,
                ServiceWay::GatewayEndpoint {
                    endpoint,
                    interface,
                } => Way::GatewayEndpoint(endpoint, interface),
                ServiceWay::InterfaceEndpoint {
                    endpoint,
                    interface,
                } => Way::InterfaceEndpoint(endpoint, interface),
            },
        };
        let asker = Asker {
            asked,
            source: origin.source,
            destination: origin.destination,
        };
        for (known, _, other) in &self.0 {
            if (*known == stand_in) != (*other == asker)
                && naive.serves(other.asked, (other.source, other.destination), now)
            {
                return Err(format!("{stand_in} for {asker:?}, {known} for {other:?}"));
            }
        }
        if !self
            .0
            .iter()
            .any(|known| (known.0, known.2) == (stand_in, asker))
        {
            naive.readdressed(asked, (origin.source, origin.destination));
        }
        self.0
            .retain(|(known, _, other)| *known != stand_in && *other != asker);
        self.0.push((stand_in, packet.dst, asker));
        let segment = Segment {
            src: origin.source,
            dst: origin.destination,
            ..packet
        };
        Ok((asked, segment))
    }

    /// A packet of a service as it leaves it. `None` if whom it is for has been forgotten.
    pub(crate) fn leaving(&self, asked: Asked, packet: Segment) -> Option<Segment> {
        let asker = Asker {
            asked,
            source: packet.dst,
            destination: packet.src,
        };
        let (stand_in, own, _) = self.0.iter().find(|(.., known)| *known == asker)?;
        Some(Segment {
            src: *own,
            dst: *stand_in,
            ..packet
        })
    }
}
