//! The fields of VPC flow log records (Amazon VPC User Guide, "Flow log records").

use std::fmt;
use std::str::FromStr;

use crate::TagFieldResource;

macro_rules! fields {
    ($($variant:ident $name:literal $version:literal;)*) => {
        /// A field of a flow log record, in the order of AWS's table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FlowLogField {
            $(
                #[doc = concat!("`", $name, "`, since version ", $version, ".")]
                $variant,
            )*
        }

        impl FlowLogField {
            /// Every field, in the order of AWS's table.
            pub const ALL: &[FlowLogField] = &[$(Self::$variant,)*];

            /// As it is written between the braces of a format: `log-status`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The record version that brought it.
            pub const fn version(self) -> u8 {
                match self {
                    $(Self::$variant => $version,)*
                }
            }
        }
    };
}

fields! {
    Version "version" 2;
    AccountId "account-id" 2;
    InterfaceId "interface-id" 2;
    Srcaddr "srcaddr" 2;
    Dstaddr "dstaddr" 2;
    Srcport "srcport" 2;
    Dstport "dstport" 2;
    Protocol "protocol" 2;
    Packets "packets" 2;
    Bytes "bytes" 2;
    Start "start" 2;
    End "end" 2;
    Action "action" 2;
    LogStatus "log-status" 2;
    VpcId "vpc-id" 3;
    SubnetId "subnet-id" 3;
    InstanceId "instance-id" 3;
    TcpFlags "tcp-flags" 3;
    Type "type" 3;
    PktSrcaddr "pkt-srcaddr" 3;
    PktDstaddr "pkt-dstaddr" 3;
    Region "region" 4;
    AzId "az-id" 4;
    SublocationType "sublocation-type" 4;
    SublocationId "sublocation-id" 4;
    PktSrcAwsService "pkt-src-aws-service" 5;
    PktDstAwsService "pkt-dst-aws-service" 5;
    FlowDirection "flow-direction" 5;
    TrafficPath "traffic-path" 5;
    EcsClusterArn "ecs-cluster-arn" 7;
    EcsClusterName "ecs-cluster-name" 7;
    EcsContainerInstanceArn "ecs-container-instance-arn" 7;
    EcsContainerInstanceId "ecs-container-instance-id" 7;
    EcsContainerId "ecs-container-id" 7;
    EcsSecondContainerId "ecs-second-container-id" 7;
    EcsServiceName "ecs-service-name" 7;
    EcsTaskDefinitionArn "ecs-task-definition-arn" 7;
    EcsTaskArn "ecs-task-arn" 7;
    EcsTaskId "ecs-task-id" 7;
    RejectReason "reject-reason" 8;
    ResourceId "resource-id" 9;
    EncryptionStatus "encryption-status" 10;
    InstanceTag "instance-tag" 11;
    InstanceTag2 "instance-tag-2" 11;
    InterfaceTag "interface-tag" 11;
    InterfaceTag2 "interface-tag-2" 11;
    AsgTag "asg-tag" 11;
    AsgTag2 "asg-tag-2" 11;
    InterfaceType "interface-type" 11;
    NextHopInterfaceId "next-hop-interface-id" 11;
    NextHopSubnetId "next-hop-subnet-id" 11;
    NextHopAzId "next-hop-az-id" 11;
    NextHopVpcId "next-hop-vpc-id" 11;
    NextHopInterfaceType "next-hop-interface-type" 11;
}

impl FlowLogField {
    /// Whether the field shows a tag, which needs the parameter `TagFieldSpecification`.
    pub const fn is_tag(self) -> bool {
        self.tag().is_some()
    }

    /// Whose tag the field shows, and which of the keys given for it, from 0.
    pub const fn tag(self) -> Option<(TagFieldResource, usize)> {
        Some(match self {
            Self::InstanceTag => (TagFieldResource::Instance, 0),
            Self::InstanceTag2 => (TagFieldResource::Instance, 1),
            Self::InterfaceTag => (TagFieldResource::NetworkInterface, 0),
            Self::InterfaceTag2 => (TagFieldResource::NetworkInterface, 1),
            Self::AsgTag => (TagFieldResource::AutoScalingGroup, 0),
            Self::AsgTag2 => (TagFieldResource::AutoScalingGroup, 1),
            _ => return None,
        })
    }
}

impl fmt::Display for FlowLogField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FlowLogField {
    type Err = UnknownField;
    fn from_str(text: &str) -> Result<Self, UnknownField> {
        Self::ALL
            .iter()
            .copied()
            .find(|f| f.name() == text)
            .ok_or_else(|| UnknownField(text.to_owned()))
    }
}

/// No field of a VPC flow log has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unknown fields provided in LogFormat: [{0}]")]
pub struct UnknownField(pub String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FlowLog;

    #[test]
    fn the_default_format_is_version_2() {
        let version_2: Vec<_> = FlowLogField::ALL
            .iter()
            .filter(|f| f.version() == 2)
            .map(|f| format!("${{{}}}", f.name()))
            .collect();
        assert_eq!(version_2.join(" "), FlowLog::DEFAULT_FORMAT);
        assert_eq!(FlowLogField::ALL.len(), 54);
    }
}
