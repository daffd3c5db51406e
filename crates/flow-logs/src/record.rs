//! A record: what one interface saw of one flow in one window, or that it saw none.

mod tag;

use std::fmt::{self, Display, Write as _};
use std::net::IpAddr;
use std::sync::Arc;

use dataplane::{Action, Direction, Disposition, FlowKey, InterfaceMetadata};
use model::{AvailabilityZone, Timestamp, TrafficType};
use serde::{Deserialize, Serialize};

use crate::{Field, LogFormat, ServiceRanges};

/// A record, before a flow log's format chooses fields of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowRecord {
    /// Who recorded.
    pub interface: Arc<InterfaceMetadata>,
    /// First packet, or the begin of the window.
    pub start: Timestamp,
    /// Last packet, or the end of the window.
    pub end: Timestamp,
    /// What was seen.
    pub observed: Observed,
}

/// What the record is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observed {
    /// A flow.
    Flow(Flow),
    /// The interface was idle.
    NoData,
    /// Records of the window have been lost.
    SkipData,
}

/// The counts of a flow in a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Which flow.
    pub key: FlowKey,
    /// Packets.
    pub packets: u64,
    /// Bytes of IP packets.
    pub bytes: u64,
    /// Flags seen, OR-ed.
    pub tcp_flags: u8,
    /// `traffic-path`.
    pub traffic_path: Option<u8>,
    /// Whom egress traffic went to, or who sent ingress traffic.
    pub next_hop: Option<Arc<InterfaceMetadata>>,
    /// What became of it and which rule, route or resource decided; no field of AWS's shows it.
    pub disposition: Disposition,
}

/// `log-status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogStatus {
    /// A flow.
    Ok,
    /// No traffic in the window.
    NoData,
    /// Records lost.
    SkipData,
}

impl LogStatus {
    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::NoData => "NODATA",
            Self::SkipData => "SKIPDATA",
        }
    }
}

impl FlowRecord {
    /// `log-status`.
    pub const fn log_status(&self) -> LogStatus {
        match self.observed {
            Observed::Flow(_) => LogStatus::Ok,
            Observed::NoData => LogStatus::NoData,
            Observed::SkipData => LogStatus::SkipData,
        }
    }

    /// The flow, unless the record says that there is none.
    pub const fn flow(&self) -> Option<&Flow> {
        match &self.observed {
            Observed::Flow(flow) => Some(flow),
            Observed::NoData | Observed::SkipData => None,
        }
    }

    /// Whether a flow log of this traffic type keeps the record.
    pub fn is_kept_by(&self, traffic_type: TrafficType) -> bool {
        let Some(flow) = self.flow() else { return true };
        match traffic_type {
            TrafficType::All => true,
            TrafficType::Accept => flow.key.action == Action::Accept,
            TrafficType::Reject => flow.key.action == Action::Reject,
        }
    }

    /// The line that a flow log of this format gets, without a newline.
    pub fn render(&self, format: &LogFormat) -> String {
        let mut line = String::with_capacity(128);
        self.render_into(format, &mut line);
        line
    }

    /// Writes the line that a flow log of this format gets, without a newline.
    pub fn render_into(&self, format: &LogFormat, line: &mut String) {
        for (i, &field) in format.fields().iter().enumerate() {
            if i > 0 {
                line.push(' ');
            }
            // Writing to a String cannot fail.
            let _ = self.write_field(line, field, format);
        }
    }

    /// What a line prints for a field, whether the format has it or not.
    pub fn value(&self, field: Field, format: &LogFormat) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_field(&mut text, field, format);
        text
    }

    fn write_field(&self, line: &mut String, field: Field, format: &LogFormat) -> fmt::Result {
        let interface = &*self.interface;
        match field {
            Field::Version => write_number(line, format.version()),
            Field::AccountId => write!(line, "{}", interface.scope.account),
            Field::InterfaceId => write_or_dash(line, interface.recorder.network_interface_id()),
            Field::Start => write_number(line, self.start.as_secs()),
            Field::End => write_number(line, self.end.as_secs()),
            Field::LogStatus => line.write_str(self.log_status().name()),
            Field::VpcId => write!(line, "{}", interface.vpc_id),
            Field::SubnetId => write_or_dash(line, interface.subnet_id),
            Field::InstanceId => write_or_dash(line, interface.instance_id),
            Field::Region => write!(line, "{}", interface.scope.region),
            Field::ResourceId => write_or_dash(line, interface.regional_nat_gateway_id()),
            Field::InterfaceType => write_or_dash(line, interface.type_name()),
            Field::AzId => write_or_dash(line, interface.zone.map(AvailabilityZone::zone_id)),
            Field::InstanceTag
            | Field::InstanceTag2
            | Field::InterfaceTag
            | Field::InterfaceTag2
            | Field::AsgTag
            | Field::AsgTag2 => {
                let own = field.tag();
                match own.and_then(|own| tag::value(interface, format.tag_fields(), own)) {
                    Some(value) => tag::write_encoded(line, value),
                    None => line.write_char('-'),
                }
            }
            Field::EcsClusterArn
            | Field::EcsClusterName
            | Field::EcsContainerInstanceArn
            | Field::EcsContainerInstanceId
            | Field::EcsContainerId
            | Field::EcsSecondContainerId
            | Field::EcsServiceName
            | Field::EcsTaskDefinitionArn
            | Field::EcsTaskArn
            | Field::EcsTaskId => write_or_dash(line, tag::of_task(&interface.tags, field)),
            // There are no sublocations, no VPC Block Public Access and no encryption controls.
            Field::SublocationType
            | Field::SublocationId
            | Field::RejectReason
            | Field::EncryptionStatus => line.write_char('-'),
            Field::NextHopInterfaceId
            | Field::NextHopSubnetId
            | Field::NextHopAzId
            | Field::NextHopVpcId
            | Field::NextHopInterfaceType => self.write_next_hop(line, field),
            Field::Srcaddr
            | Field::Dstaddr
            | Field::Srcport
            | Field::Dstport
            | Field::Protocol
            | Field::Packets
            | Field::Bytes
            | Field::Action
            | Field::TcpFlags
            | Field::Type
            | Field::PktSrcaddr
            | Field::PktDstaddr
            | Field::PktSrcAwsService
            | Field::PktDstAwsService
            | Field::FlowDirection
            | Field::TrafficPath => match self.flow() {
                Some(flow) => flow.write_field(line, field, format.services()),
                None => line.write_char('-'),
            },
        }
    }

    /// Of another account's interface only the zone is told, and nothing of one in another Region
    /// (Amazon VPC User Guide, "Flow log limitations").
    fn write_next_hop(&self, line: &mut String, field: Field) -> fmt::Result {
        let own = self.interface.scope;
        let next = self.flow().and_then(|flow| flow.next_hop.as_deref());
        let next = next.filter(|next| next.scope.region == own.region);
        let same_account = next.filter(|next| next.scope.account == own.account);
        match (field, same_account) {
            (Field::NextHopAzId, _) => {
                let zone = next.and_then(|next| next.zone);
                write_or_dash(line, zone.map(AvailabilityZone::zone_id))
            }
            (_, None) => line.write_char('-'),
            (Field::NextHopInterfaceId, Some(next)) => {
                write_or_dash(line, next.recorder.network_interface_id())
            }
            (Field::NextHopSubnetId, Some(next)) => write_or_dash(line, next.subnet_id),
            (Field::NextHopVpcId, Some(next)) => write!(line, "{}", next.vpc_id),
            (_, Some(next)) => write_or_dash(line, next.type_name()),
        }
    }
}

impl Flow {
    /// What became of it and which rule, route or resource decided, in one line.
    pub fn why(&self) -> String {
        self.disposition.seen_by(self.key.action)
    }

    fn write_field(
        &self,
        line: &mut String,
        field: Field,
        services: &ServiceRanges,
    ) -> fmt::Result {
        let key = &self.key;
        match field {
            Field::Srcaddr => write_address(line, key.srcaddr),
            Field::Dstaddr => write_address(line, key.dstaddr),
            Field::Srcport => write_number(line, key.srcport),
            Field::Dstport => write_number(line, key.dstport),
            Field::Protocol => write_number(line, key.protocol),
            Field::Packets => write_number(line, self.packets),
            Field::Bytes => write_number(line, self.bytes),
            Field::Action => line.write_str(match key.action {
                Action::Accept => "ACCEPT",
                Action::Reject => "REJECT",
            }),
            Field::TcpFlags => write_number(line, self.tcp_flags),
            Field::Type => line.write_str(match key.pkt_srcaddr {
                IpAddr::V4(_) => "IPv4",
                IpAddr::V6(_) => "IPv6",
            }),
            Field::PktSrcaddr => write_address(line, key.pkt_srcaddr),
            Field::PktDstaddr => write_address(line, key.pkt_dstaddr),
            Field::PktSrcAwsService => write_or_dash(line, services.code_of(key.pkt_srcaddr)),
            Field::PktDstAwsService => write_or_dash(line, services.code_of(key.pkt_dstaddr)),
            Field::FlowDirection => line.write_str(match key.direction {
                Direction::Ingress => "ingress",
                Direction::Egress => "egress",
            }),
            Field::TrafficPath => write_or_dash(line, self.traffic_path),
            // The rest does not depend on the flow.
            _ => line.write_char('-'),
        }
    }
}

/// A number, without the machinery of `fmt`, which costs more than all else of a line.
fn write_number(line: &mut String, number: impl itoa::Integer) -> fmt::Result {
    line.write_str(itoa::Buffer::new().format(number))
}

/// An address; IPv4 as above.
fn write_address(line: &mut String, address: IpAddr) -> fmt::Result {
    let IpAddr::V4(address) = address else {
        return write!(line, "{address}");
    };
    let [first, rest @ ..] = address.octets();
    write_number(line, first)?;
    for octet in rest {
        line.write_char('.')?;
        write_number(line, octet)?;
    }
    Ok(())
}

fn write_or_dash(line: &mut String, value: Option<impl Display>) -> fmt::Result {
    match value {
        Some(value) => write!(line, "{value}"),
        None => line.write_char('-'),
    }
}
