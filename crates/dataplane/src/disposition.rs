//! What became of a packet, and which rule, route or resource decided it: the closed list.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use model::{
    Destination, EgressOnlyInternetGatewayId, InternetGatewayId, NatGatewayId, NetworkAclId,
    NetworkInterfaceId, ResourceId, RouteTableId, RouteTarget, SecurityGroupId,
};

use crate::Action;

/// What became of a packet in the end. A record of an interface that let the packet pass carries
/// the same disposition as one of the interface that refused it.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// It broke a rule of the link and never became a flow.
    RefusedOnLink(DropReason),
}

/// Why a frame was dropped, for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// Not a frame that can be understood.
    Malformed,
    /// From a port that no device has any more.
    UnknownPort,
    /// The source MAC address is not the interface's.
    SourceMac,
    /// The destination MAC address is nobody's in the subnet.
    DestinationMac,
    /// For the sender itself, which would never have sent it.
    OwnAddress,
    /// Broadcast or multicast.
    Multicast,
    /// Neither ARP, IPv4 nor IPv6.
    NotIp,
    /// ARP or neighbour discovery that calls for no answer.
    Neighbour,
    /// For a link-local service that does not exist here.
    ServiceUnavailable,
    /// More than 1024 packets in a second for link-local services.
    ServiceRateExceeded,
    /// See [`Disposition::DeniedBySecurityGroup`].
    SecurityGroup,
    /// See [`Disposition::DeniedByNetworkAcl`].
    NetworkAcl,
    /// See [`Disposition::NoRoute`].
    NoRoute,
    /// See [`Disposition::Blackhole`].
    Blackhole,
    /// See [`Disposition::NoSuchAddress`].
    NoSuchAddress,
    /// See [`Disposition::NoSuchDevice`].
    NoSuchDevice,
    /// See [`Disposition::NoPublicAddress`].
    NoPublicAddress,
    /// See [`Disposition::SourceDestinationCheck`].
    SourceDestinationCheck,
    /// See [`Disposition::InternetUnreachable`].
    InternetUnreachable,
    /// See [`Disposition::MtuExceeded`].
    MtuExceeded,
    /// See [`Disposition::ConntrackAllowanceExceeded`].
    ConntrackAllowanceExceeded,
    /// See [`Disposition::NoNatSession`].
    NatSession,
    /// See [`Disposition::NatPortAllocation`].
    NatPortAllocation,
    /// See [`Disposition::NatProtocol`].
    NatProtocol,
    /// See [`Disposition::HopLimitExceeded`].
    HopLimitExceeded,
    /// See [`Disposition::EgressOnly`].
    EgressOnly,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 26] = [
        Self::Malformed,
        Self::UnknownPort,
        Self::SourceMac,
        Self::DestinationMac,
        Self::OwnAddress,
        Self::Multicast,
        Self::NotIp,
        Self::Neighbour,
        Self::ServiceUnavailable,
        Self::ServiceRateExceeded,
        Self::SecurityGroup,
        Self::NetworkAcl,
        Self::NoRoute,
        Self::Blackhole,
        Self::NoSuchAddress,
        Self::NoSuchDevice,
        Self::NoPublicAddress,
        Self::SourceDestinationCheck,
        Self::InternetUnreachable,
        Self::MtuExceeded,
        Self::ConntrackAllowanceExceeded,
        Self::NatSession,
        Self::NatPortAllocation,
        Self::NatProtocol,
        Self::HopLimitExceeded,
        Self::EgressOnly,
    ];

    /// As metrics spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownPort => "unknown_port",
            Self::SourceMac => "source_mac",
            Self::DestinationMac => "destination_mac",
            Self::OwnAddress => "own_address",
            Self::Multicast => "multicast",
            Self::NotIp => "not_ip",
            Self::Neighbour => "neighbour",
            Self::ServiceUnavailable => "service_unavailable",
            Self::ServiceRateExceeded => "linklocal_allowance_exceeded",
            Self::SecurityGroup => "security_group",
            Self::NetworkAcl => "network_acl",
            Self::NoRoute => "no_route",
            Self::Blackhole => "blackhole",
            Self::NoSuchAddress => "no_such_address",
            Self::NoSuchDevice => "no_such_device",
            Self::NoPublicAddress => "no_public_address",
            Self::SourceDestinationCheck => "source_destination_check",
            Self::InternetUnreachable => "internet_unreachable",
            Self::MtuExceeded => "mtu_exceeded",
            Self::ConntrackAllowanceExceeded => "conntrack_allowance_exceeded",
            Self::NatSession => "nat_session",
            Self::NatPortAllocation => "nat_port_allocation",
            Self::NatProtocol => "nat_protocol",
            Self::HopLimitExceeded => "hop_limit_exceeded",
            Self::EgressOnly => "egress_only",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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
            | Self::TakenByService { .. } => return None,
            Self::DeniedBySecurityGroup { .. } => DropReason::SecurityGroup,
            Self::DeniedByNetworkAcl { .. } => DropReason::NetworkAcl,
            Self::NoRoute { .. } => DropReason::NoRoute,
            Self::Blackhole { .. } => DropReason::Blackhole,
            Self::NoSuchAddress { .. } => DropReason::NoSuchAddress,
            Self::NoSuchDevice { .. } => DropReason::NoSuchDevice,
            Self::NoPublicAddress { .. } => DropReason::NoPublicAddress,
            Self::SourceDestinationCheck { .. } => DropReason::SourceDestinationCheck,
            Self::InternetUnreachable { .. } => DropReason::InternetUnreachable,
            Self::MtuExceeded { .. } => DropReason::MtuExceeded,
            Self::ConntrackAllowanceExceeded { .. } => DropReason::ConntrackAllowanceExceeded,
            Self::NoNatSession { .. } => DropReason::NatSession,
            Self::NatPortAllocation { .. } => DropReason::NatPortAllocation,
            Self::NatProtocol { .. } => DropReason::NatProtocol,
            Self::HopLimitExceeded { .. } => DropReason::HopLimitExceeded,
            Self::EgressOnly { .. } => DropReason::EgressOnly,
            Self::RefusedOnLink(reason) => *reason,
        })
    }
}

/// One line in AWS's words: `network ACL acl-… egress rule 100 deny`.
impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered { to } => write!(f, "delivered to {to}"),
            Self::ExitsToInternet { via, address } => {
                write!(f, "left through {via} for {address}")
            }
            Self::StaysOnInternet { address } => write!(f, "delivered to internet host {address}"),
            Self::TakenByService { address } => write!(f, "taken by the service at {address}"),
            Self::DeniedBySecurityGroup { egress, groups, .. } => {
                let direction = if *egress { "outbound" } else { "inbound" };
                write!(f, "no {direction} rule of ")?;
                for (i, group) in groups.iter().enumerate() {
                    write!(f, "{}{group}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(if groups.is_empty() {
                    "any security group allows it"
                } else {
                    " allows it"
                })
            }
            Self::DeniedByNetworkAcl {
                acl,
                egress,
                rule_number,
            } => {
                let direction = if *egress { "egress" } else { "ingress" };
                write!(f, "network ACL {acl} {direction} rule ")?;
                if *rule_number >= model::NetworkAcl::FINAL_IPV4 {
                    f.write_str("* deny")
                } else {
                    write!(f, "{rule_number} deny")
                }
            }
            Self::NoRoute { table: Some(table) } => {
                write!(f, "route table {table} has no route to it")
            }
            Self::NoRoute { table: None } => f.write_str("no route table rules the subnet"),
            Self::Blackhole {
                table,
                destination,
                target,
            } => write!(
                f,
                "route {destination} to {target} of route table {table} is a blackhole"
            ),
            Self::NoSuchAddress { address } => {
                write!(f, "no network interface of the VPC has address {address}")
            }
            Self::NoSuchDevice { interface } => {
                write!(f, "no running instance behind {interface}")
            }
            Self::NoPublicAddress { gateway, address } => {
                write!(
                    f,
                    "internet gateway {gateway} has no public address for {address}"
                )
            }
            Self::SourceDestinationCheck {
                interface,
                egress,
                address,
            } => {
                let which = if *egress { "source" } else { "destination" };
                write!(
                    f,
                    "source/destination check of {interface} refuses {which} {address}"
                )
            }
            Self::InternetUnreachable { address } => {
                write!(f, "nobody on the internet has address {address}")
            }
            Self::MtuExceeded { mtu } => write!(f, "longer than the MTU of {mtu} bytes"),
            Self::ConntrackAllowanceExceeded { interface } => {
                write!(f, "{interface} tracks as many connections as it can")
            }
            Self::NoNatSession { gateway } => {
                write!(f, "NAT gateway {gateway} has no such connection")
            }
            Self::NatPortAllocation { gateway, address } => {
                write!(f, "NAT gateway {gateway} has no port left for {address}")
            }
            Self::NatProtocol { gateway, protocol } => {
                write!(
                    f,
                    "NAT gateway {gateway} does not translate protocol {protocol}"
                )
            }
            Self::HopLimitExceeded { gateway } => {
                write!(f, "no hop was left at NAT gateway {gateway}")
            }
            Self::EgressOnly { gateway } => {
                write!(
                    f,
                    "egress-only internet gateway {gateway} lets in only answers"
                )
            }
            Self::RefusedOnLink(reason) => write!(f, "refused on the link: {reason}"),
        }
    }
}
