//! Why frames are dropped, as counters and metrics tell it.

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use crate::Disposition;

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)*) => {
        /// Why a frame was dropped, for counters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum DropReason {
            $($(#[$doc])* $variant,)*
        }

        impl DropReason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As metrics spell it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

drop_reasons! {
    /// Not a frame that can be understood.
    Malformed "malformed";
    /// From a port that no device has any more.
    UnknownPort "unknown_port";
    /// The source MAC address is not the interface's.
    SourceMac "source_mac";
    /// The destination MAC address is nobody's in the subnet.
    DestinationMac "destination_mac";
    /// For the sender itself, which would never have sent it.
    OwnAddress "own_address";
    /// Broadcast or multicast.
    Multicast "multicast";
    /// Neither ARP, IPv4 nor IPv6.
    NotIp "not_ip";
    /// ARP or neighbour discovery that calls for no answer.
    Neighbour "neighbour";
    /// For a link-local service that does not exist here.
    ServiceUnavailable "service_unavailable";
    /// More than 1024 packets in a second for link-local services.
    ServiceRateExceeded "linklocal_allowance_exceeded";
    /// See [`Disposition::DeniedBySecurityGroup`].
    SecurityGroup "security_group";
    /// See [`Disposition::DeniedByNetworkAcl`].
    NetworkAcl "network_acl";
    /// See [`Disposition::NoRoute`].
    NoRoute "no_route";
    /// See [`Disposition::Blackhole`].
    Blackhole "blackhole";
    /// See [`Disposition::NoSuchAddress`].
    NoSuchAddress "no_such_address";
    /// See [`Disposition::NoSuchDevice`].
    NoSuchDevice "no_such_device";
    /// See [`Disposition::NoPublicAddress`].
    NoPublicAddress "no_public_address";
    /// See [`Disposition::SourceDestinationCheck`].
    SourceDestinationCheck "source_destination_check";
    /// See [`Disposition::RefusedByEndpoint`].
    RefusedByEndpoint "refused_by_endpoint";
    /// See [`Disposition::NoEndpointSession`].
    EndpointSession "endpoint_session";
    /// See [`Disposition::NoServiceBehindEndpoint`].
    NoServiceBehindEndpoint "no_service_behind_endpoint";
    /// See [`Disposition::OutsidePeering`].
    OutsidePeering "outside_peering";
    /// See [`Disposition::InternetUnreachable`].
    InternetUnreachable "internet_unreachable";
    /// See [`Disposition::MtuExceeded`].
    MtuExceeded "mtu_exceeded";
    /// See [`Disposition::ConntrackAllowanceExceeded`].
    ConntrackAllowanceExceeded "conntrack_allowance_exceeded";
    /// See [`Disposition::NoNatSession`].
    NatSession "nat_session";
    /// See [`Disposition::NatPortAllocation`].
    NatPortAllocation "nat_port_allocation";
    /// See [`Disposition::NatProtocol`].
    NatProtocol "nat_protocol";
    /// See [`Disposition::HopLimitExceeded`].
    HopLimitExceeded "hop_limit_exceeded";
    /// See [`Disposition::EgressOnly`].
    EgressOnly "egress_only";
    /// See [`Disposition::NoListener`].
    NoListener "no_listener";
    /// See [`Disposition::NoTarget`].
    NoTarget "no_target";
    /// See [`Disposition::NoLoadBalancerSession`].
    LoadBalancerSession "load_balancer_session";
    /// See [`Disposition::NotServed`].
    NotServed "not_served";
    /// See [`Disposition::ServiceLimitExceeded`].
    ServiceLimitExceeded "service_limit_exceeded";
    /// From the service network, but no answer to anybody.
    Unsolicited "unsolicited";
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
