//! What became of a packet, and which rule, route or resource decided it: the closed list.

mod address;
mod display;

use std::net::IpAddr;
use std::sync::Arc;

use model::{
    AwsService, Destination, EgressOnlyInternetGatewayId, InternetGatewayId, NatGatewayId,
    NetworkAclId, NetworkInterfaceId, Region, ResourceId, RouteTableId, RouteTarget,
    SecurityGroupId, VpcEndpointId, VpcPeeringConnectionId,
};
use serde::{Deserialize, Serialize};

use crate::vpc_endpoint::EndpointRefusal;
use crate::{Action, DropReason};

/// What became of a packet in the end. A record of an interface that let the packet pass carries
/// the same disposition as one of the interface that refused it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disposition {
    /// A network interface got it.
    Delivered {
        /// Which one.
        to: NetworkInterfaceId,
    },
    /// It left through an internet gateway, or an egress-only one, for a host outside every VPC.
    ExitsToInternet {
        /// The gateway.
        via: ResourceId,
        /// The host.
        address: IpAddr,
    },
    /// It came from the internet and stayed there.
    StaysOnInternet {
        /// The host that got it.
        address: IpAddr,
    },
    /// A service inside the VPC's own network took it, such as the Amazon DNS server.
    TakenByService {
        /// The service's address.
        address: IpAddr,
    },
    /// A service of AWS got it, for which the daemon answers.
    ReachesService {
        /// The service.
        service: AwsService,
        /// Its Region.
        region: Region,
        /// The gateway or endpoint by which it left its VPC; `None` from the internet.
        via: Option<ResourceId>,
        /// Whether anything listens there; what does not is told so.
        answered: bool,
    },
    /// The service at its destination takes TCP, and public ones echo requests, but nothing else.
    NotServed {
        /// The destination.
        address: IpAddr,
    },
    /// Its sender has as many connections to services as it can.
    ServiceLimitExceeded {
        /// The destination.
        address: IpAddr,
    },
    /// No rule of the interface's security groups allows it.
    DeniedBySecurityGroup {
        /// The interface that carries the groups.
        interface: NetworkInterfaceId,
        /// Outbound rules if true.
        egress: bool,
        /// The groups.
        groups: Arc<[SecurityGroupId]>,
    },
    /// An entry of a network ACL denies it.
    DeniedByNetworkAcl {
        /// The ACL.
        acl: NetworkAclId,
        /// Outbound entries if true.
        egress: bool,
        /// The entry; the final deny where no entry matched.
        rule_number: u16,
    },
    /// No route leads to its destination.
    NoRoute {
        /// The table that has none.
        table: Option<RouteTableId>,
    },
    /// The route to its destination has a target that is gone or cannot take packets.
    Blackhole {
        /// The table.
        table: RouteTableId,
        /// The route.
        destination: Destination,
        /// Its target.
        target: RouteTarget,
    },
    /// No network interface of the VPC has the address.
    NoSuchAddress {
        /// The address.
        address: IpAddr,
    },
    /// Nothing runs behind the network interface.
    NoSuchDevice {
        /// The interface.
        interface: NetworkInterfaceId,
    },
    /// The internet gateway has no public address for the source.
    NoPublicAddress {
        /// The gateway.
        gateway: InternetGatewayId,
        /// The source.
        address: IpAddr,
    },
    /// A NAT gateway knows no connection that it belongs to, and it cannot begin one.
    NoNatSession {
        /// The gateway.
        gateway: NatGatewayId,
    },
    /// A NAT gateway has no port left for another connection to its destination: AWS's metric `ErrorPortAllocation`
    /// counts these.
    NatPortAllocation {
        /// The gateway.
        gateway: NatGatewayId,
        /// The destination.
        address: IpAddr,
    },
    /// A NAT gateway translates TCP, UDP and ICMP echo, whole packets of TCP and ICMP.
    NatProtocol {
        /// The gateway.
        gateway: NatGatewayId,
        /// IANA number.
        protocol: u8,
    },
    /// It ran out of hops at a NAT gateway.
    HopLimitExceeded {
        /// The gateway.
        gateway: NatGatewayId,
    },
    /// An egress-only internet gateway lets in only answers.
    EgressOnly {
        /// The gateway.
        gateway: EgressOnlyInternetGatewayId,
    },
    /// The interface takes and sends only packets of its own addresses.
    SourceDestinationCheck {
        /// The interface.
        interface: NetworkInterfaceId,
        /// Its source was wrong if true, its destination if false.
        egress: bool,
        /// The wrong address.
        address: IpAddr,
    },
    /// An endpoint does not carry such packets.
    RefusedByEndpoint {
        /// The endpoint.
        endpoint: VpcEndpointId,
        /// Why not.
        reason: EndpointRefusal,
    },
    /// An interface endpoint knows no connection that it belongs to, and it cannot begin one.
    NoEndpointSession {
        /// The endpoint.
        endpoint: VpcEndpointId,
    },
    /// Nothing answers for the service of an endpoint.
    NoServiceBehindEndpoint {
        /// The endpoint.
        endpoint: VpcEndpointId,
    },
    /// A peering connection carries only packets between addresses of its two VPCs: nothing passes
    /// through a VPC to another one, or to one of its gateways.
    OutsidePeering {
        /// The connection.
        peering: VpcPeeringConnectionId,
        /// The address that is neither VPC's.
        address: IpAddr,
    },
    /// Nobody on the internet has the address.
    InternetUnreachable {
        /// The address.
        address: IpAddr,
    },
    /// It is longer than the way allows, and its sender forbids fragmentation.
    MtuExceeded {
        /// The longest packet of that way.
        mtu: u16,
    },
    /// The interface tracks as many connections as it can.
    ConntrackAllowanceExceeded {
        /// The interface.
        interface: NetworkInterfaceId,
    },
    /// A load balancer's node took the answer of a target to a health check.
    HealthCheckAnswered {
        /// The node's interface.
        interface: NetworkInterfaceId,
    },
    /// No listener of the load balancer takes it.
    NoListener {
        /// The node's interface.
        interface: NetworkInterfaceId,
    },
    /// The listener's target group has no target for it.
    NoTarget {
        /// The node's interface.
        interface: NetworkInterfaceId,
    },
    /// The load balancer knows of no such connection.
    NoLoadBalancerSession {
        /// The node's interface.
        interface: NetworkInterfaceId,
    },
    /// It broke a rule of the link and never became a flow.
    RefusedOnLink(DropReason),
}

impl Disposition {
    /// What a record of an interface says of the packet: one that let the packet pass says so before it says who
    /// refused it further on.
    pub fn seen_by(&self, action: Action) -> String {
        match action {
            Action::Accept if !self.is_delivered() => format!("accepted here, then: {self}"),
            Action::Accept | Action::Reject => self.to_string(),
        }
    }

    /// Whether the packet got to somebody.
    pub fn is_delivered(&self) -> bool {
        self.drop_reason().is_none()
    }

    /// Why it was dropped; `None` if it was not.
    pub fn drop_reason(&self) -> Option<DropReason> {
        Some(match self {
            Self::Delivered { .. }
            | Self::ExitsToInternet { .. }
            | Self::StaysOnInternet { .. }
            | Self::TakenByService { .. }
            | Self::HealthCheckAnswered { .. }
            | Self::ReachesService { .. } => return None,
            Self::DeniedBySecurityGroup { .. } => DropReason::SecurityGroup,
            Self::DeniedByNetworkAcl { .. } => DropReason::NetworkAcl,
            Self::NoRoute { .. } => DropReason::NoRoute,
            Self::Blackhole { .. } => DropReason::Blackhole,
            Self::NoSuchAddress { .. } => DropReason::NoSuchAddress,
            Self::NoSuchDevice { .. } => DropReason::NoSuchDevice,
            Self::NoPublicAddress { .. } => DropReason::NoPublicAddress,
            Self::SourceDestinationCheck { .. } => DropReason::SourceDestinationCheck,
            Self::RefusedByEndpoint { .. } => DropReason::RefusedByEndpoint,
            Self::NoEndpointSession { .. } => DropReason::EndpointSession,
            Self::NoServiceBehindEndpoint { .. } => DropReason::NoServiceBehindEndpoint,
            Self::OutsidePeering { .. } => DropReason::OutsidePeering,
            Self::InternetUnreachable { .. } => DropReason::InternetUnreachable,
            Self::MtuExceeded { .. } => DropReason::MtuExceeded,
            Self::ConntrackAllowanceExceeded { .. } => DropReason::ConntrackAllowanceExceeded,
            Self::NoNatSession { .. } => DropReason::NatSession,
            Self::NatPortAllocation { .. } => DropReason::NatPortAllocation,
            Self::NatProtocol { .. } => DropReason::NatProtocol,
            Self::HopLimitExceeded { .. } => DropReason::HopLimitExceeded,
            Self::EgressOnly { .. } => DropReason::EgressOnly,
            Self::NoListener { .. } => DropReason::NoListener,
            Self::NoTarget { .. } => DropReason::NoTarget,
            Self::NoLoadBalancerSession { .. } => DropReason::LoadBalancerSession,
            Self::NotServed { .. } => DropReason::NotServed,
            Self::ServiceLimitExceeded { .. } => DropReason::ServiceLimitExceeded,
            Self::RefusedOnLink(reason) => *reason,
        })
    }
}
