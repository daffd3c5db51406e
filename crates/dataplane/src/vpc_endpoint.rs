//! Gateway endpoints (AWS PrivateLink Guide, "Gateway endpoints"): a route to a service's public
//! addresses that keeps the private source address. Interface endpoints are below.

mod interface;

use std::fmt;
use std::net::IpAddr;

use model::{VpcEndpointId, VpcEndpointState};
use serde::{Deserialize, Serialize};

use interface::MTU_ENDPOINT;

use crate::Direction;
use crate::compile::network_interface::Interface;
use crate::disposition::Disposition;
use crate::step::{Outcome, Stage};
use crate::subject::Subject;
use crate::tuple::{L4, Tuple};
use crate::walk::{End, Walk};

/// Why an endpoint does not take a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointRefusal {
    /// It does not come from an interface of the endpoint's VPC.
    Source(IpAddr),
    /// It is neither TCP nor an ICMP echo request (Reachability Analyzer explanation code
    /// `VPCE_GATEWAY_PROTOCOL_RESTRICTION`).
    Protocol(u8),
    /// An interface endpoint carries TCP, and UDP to services that take it, to the service's ports only.
    Port {
        /// IANA number.
        protocol: u8,
        /// The port; absent if the protocol has none.
        port: Option<u16>,
    },
    /// It is longer than an interface endpoint carries.
    TooLong,
    /// The endpoint is not `available`.
    State(VpcEndpointState),
}

impl fmt::Display for EndpointRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(address) => write!(f, "source {address} is not in its VPC"),
            Self::Protocol(packet::protocol::ICMP) => {
                f.write_str("of ICMP it carries echo requests only")
            }
            Self::Protocol(number) => {
                write!(f, "it carries TCP and ICMP echo, not protocol {number}")
            }
            Self::Port { protocol, port } => match port {
                Some(port) => write!(f, "its service has no port {port} of protocol {protocol}"),
                None => write!(f, "its service does not take protocol {protocol}"),
            },
            Self::TooLong => write!(f, "it carries packets of up to {MTU_ENDPOINT} bytes"),
            Self::State(state) => write!(f, "it is {state}"),
        }
    }
}

impl Walk<'_> {
    /// Takes a packet to the service of a gateway endpoint.
    pub(crate) fn vpc_endpoint(
        &mut self,
        from: &Interface,
        endpoint: VpcEndpointId,
        subject: &Subject,
    ) -> End {
        let (side, stage) = (Direction::Egress, Stage::VpcEndpoint);
        let src = subject.tuple.src;
        // A middlebox may forward what others in the VPC have sent, but nobody else's.
        let owner = self.snapshot.vpc_of(from).addresses.get(&src);
        let owner = owner.and_then(|&port| self.snapshot.interface(port));
        let refusal = if owner.is_some() {
            (!is_carried(&subject.tuple))
                .then_some(EndpointRefusal::Protocol(subject.tuple.protocol))
        } else {
            Some(EndpointRefusal::Source(src))
        };
        if let Some(reason) = refusal {
            let refused = Disposition::RefusedByEndpoint { endpoint, reason };
            self.step(endpoint, side, stage, None, Outcome::Drop, || {
                reason.to_string()
            });
            return Err(refused);
        }
        self.service_of(endpoint, owner, subject)
    }

    /// Hands a packet over to the service behind an endpoint.
    fn service_of(
        &mut self,
        endpoint: VpcEndpointId,
        owner: Option<&Interface>,
        subject: &Subject,
    ) -> End {
        if let Some(owner) = owner
            && let Some(end) = self.send_to_endpoint_service(endpoint, owner, subject)
        {
            return end;
        }
        let nobody = Disposition::NoServiceBehindEndpoint { endpoint };
        let (side, stage) = (Direction::Egress, Stage::VpcEndpoint);
        self.step(endpoint, side, stage, None, Outcome::Drop, || {
            nobody.to_string()
        });
        Err(nobody)
    }
}

fn is_carried(packet: &Tuple) -> bool {
    match packet.protocol {
        packet::protocol::TCP => true,
        packet::protocol::ICMP => {
            matches!(packet.l4, L4::Icmp { icmp_type, .. } if icmp_type == packet::icmp::ECHO_REQUEST)
        }
        _ => false,
    }
}
