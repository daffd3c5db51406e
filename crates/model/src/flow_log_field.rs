//! The fields of VPC flow log records (Amazon VPC User Guide, "Flow log records").

/// A field that a flow log's format may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowLogField {
    /// As it is written between the braces of a format: `log-status`.
    pub name: &'static str,
    /// The record version that brought it.
    pub version: u8,
}

impl FlowLogField {
    /// The field with a name.
    pub fn named(name: &str) -> Option<Self> {
        FIELDS.iter().copied().find(|field| field.name == name)
    }

    /// Whether it shows a tag, which needs the parameter `TagFieldSpecification`.
    pub fn is_tag(self) -> bool {
        matches!(
            self.name,
            "instance-tag"
                | "instance-tag-2"
                | "interface-tag"
                | "interface-tag-2"
                | "asg-tag"
                | "asg-tag-2"
        )
    }
}

const fn field(name: &'static str, version: u8) -> FlowLogField {
    FlowLogField { name, version }
}

/// Every field, in the order of AWS's table.
pub const FIELDS: &[FlowLogField] = &[
    field("version", 2),
    field("account-id", 2),
    field("interface-id", 2),
    field("srcaddr", 2),
    field("dstaddr", 2),
    field("srcport", 2),
    field("dstport", 2),
    field("protocol", 2),
    field("packets", 2),
    field("bytes", 2),
    field("start", 2),
    field("end", 2),
    field("action", 2),
    field("log-status", 2),
    field("vpc-id", 3),
    field("subnet-id", 3),
    field("instance-id", 3),
    field("tcp-flags", 3),
    field("type", 3),
    field("pkt-srcaddr", 3),
    field("pkt-dstaddr", 3),
    field("region", 4),
    field("az-id", 4),
    field("sublocation-type", 4),
    field("sublocation-id", 4),
    field("pkt-src-aws-service", 5),
    field("pkt-dst-aws-service", 5),
    field("flow-direction", 5),
    field("traffic-path", 5),
    field("ecs-cluster-arn", 7),
    field("ecs-cluster-name", 7),
    field("ecs-container-instance-arn", 7),
    field("ecs-container-instance-id", 7),
    field("ecs-container-id", 7),
    field("ecs-second-container-id", 7),
    field("ecs-service-name", 7),
    field("ecs-task-definition-arn", 7),
    field("ecs-task-arn", 7),
    field("ecs-task-id", 7),
    field("reject-reason", 8),
    field("resource-id", 9),
    field("encryption-status", 10),
    field("instance-tag", 11),
    field("instance-tag-2", 11),
    field("interface-tag", 11),
    field("interface-tag-2", 11),
    field("asg-tag", 11),
    field("asg-tag-2", 11),
    field("interface-type", 11),
    field("next-hop-interface-id", 11),
    field("next-hop-subnet-id", 11),
    field("next-hop-az-id", 11),
    field("next-hop-vpc-id", 11),
    field("next-hop-interface-type", 11),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FlowLog;

    #[test]
    fn the_default_format_is_version_2() {
        let version_2: Vec<_> = FIELDS
            .iter()
            .filter(|f| f.version == 2)
            .map(|f| format!("${{{}}}", f.name))
            .collect();
        assert_eq!(version_2.join(" "), FlowLog::DEFAULT_FORMAT);
        assert_eq!(FIELDS.len(), 54);
    }
}
