//! What network interfaces saw: the raw material of flow logs.
//!
//! A [`FlowSample`] is what one interface saw of one flow, in one direction, since the last
//! harvest. It carries the metadata of the moment in which the flow was seen, so that an interface
//! that has been deleted since still gets its last records.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use model::{
    AvailabilityZone, InstanceId, InterfaceType, NatGatewayId, RecorderId, Scope, SubnetId, Tags,
    Timestamp, VpcId,
};
use serde::{Deserialize, Serialize};

use crate::Disposition;

/// Which way a packet goes, seen from the interface that records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Towards the interface.
    Ingress,
    /// Away from the interface.
    Egress,
}

/// `action` of a flow log record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Security groups and network ACLs let it pass.
    Accept,
    /// A security group or a network ACL refused it.
    Reject,
}

impl Direction {
    /// As records print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

impl Action {
    /// As records print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Reject => "REJECT",
        }
    }
}

/// Who recorded a flow, as it was when the flow was seen: a network interface, or a regional NAT
/// gateway, which records without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceMetadata {
    /// Owner and Region.
    pub scope: Scope,
    /// The interface or gateway.
    pub recorder: RecorderId,
    /// What the interface is; a regional NAT gateway is a NAT gateway.
    pub interface_type: InterfaceType,
    /// Its subnet; a regional NAT gateway is in none.
    pub subnet_id: Option<SubnetId>,
    /// Its VPC.
    pub vpc_id: VpcId,
    /// Its zone; a regional NAT gateway may be in several.
    pub zone: Option<AvailabilityZone>,
    /// The instance that it was attached to.
    pub instance_id: Option<InstanceId>,
    /// Its primary private IPv4 address, which records show in place of addresses of its own side.
    /// Without one they show the addresses of the packet.
    pub primary_ipv4: Option<Ipv4Addr>,
    /// Its tags.
    pub tags: Tags,
    /// The instance's tags.
    pub instance_tags: Tags,
}

impl InterfaceMetadata {
    /// The flow log field `resource-id`: the gateway, if that and no interface has recorded.
    pub const fn regional_nat_gateway_id(&self) -> Option<NatGatewayId> {
        match self.recorder {
            RecorderId::NetworkInterface(_) => None,
            RecorderId::RegionalNatGateway(id) => Some(id),
        }
    }

    /// The flow log field `interface-type`; nothing for an ordinary interface.
    pub const fn type_name(&self) -> Option<&'static str> {
        match self.recorder {
            RecorderId::NetworkInterface(_) => self.interface_type.field_name(),
            RecorderId::RegionalNatGateway(_) => Some("regional_nat_gateway"),
        }
    }
}

/// What tells one flow of an interface from another (`spec`: grouping of flow log records).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FlowKey {
    /// Seen from the recording interface.
    pub direction: Direction,
    /// Source as the record shows it: the interface's primary address on egress.
    pub srcaddr: IpAddr,
    /// Destination as the record shows it: the interface's primary address on ingress.
    pub dstaddr: IpAddr,
    /// Source in the packet header.
    pub pkt_srcaddr: IpAddr,
    /// Destination in the packet header.
    pub pkt_dstaddr: IpAddr,
    /// 0 where the protocol has no ports.
    pub srcport: u16,
    /// 0 where the protocol has no ports.
    pub dstport: u16,
    /// IANA number.
    pub protocol: u8,
    /// Whether it passed.
    pub action: Action,
}

/// What one interface saw of one flow since the last harvest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowSample {
    /// Who saw it.
    pub interface: Arc<InterfaceMetadata>,
    /// Which flow.
    pub key: FlowKey,
    /// Packets, segments of super-frames counted one by one.
    pub packets: u64,
    /// Bytes of IP packets, every segment's headers included.
    pub bytes: u64,
    /// Flags of the packets as flow logs count them (FIN 1, SYN 2, RST 4, SYN-ACK 18), OR-ed.
    pub tcp_flags: u8,
    /// Time of the first packet.
    pub first: Timestamp,
    /// Time of the last packet.
    pub last: Timestamp,
    /// `traffic-path`: how egress traffic left; `None` on ingress and when refused.
    pub traffic_path: Option<u8>,
    /// Egress: who receives the packets from here. Ingress: who sent them here. Nothing if that is
    /// no interface (an internet gateway), or the packets were refused.
    pub next_hop: Option<Arc<InterfaceMetadata>>,
    /// What happened to the flow and which rule, route or resource decided it at this interface.
    pub disposition: Disposition,
}
