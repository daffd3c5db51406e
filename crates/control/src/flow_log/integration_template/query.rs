//! The queries that come with a table (Amazon VPC User Guide, "Run a predefined query").
//!
//! The names are AWS's, the queries are not.

use model::FlowLogField::{
    self, Action, Bytes, Dstaddr, Dstport, InstanceId, Packets, PktDstaddr, PktSrcaddr, Protocol,
    Srcaddr, SubnetId, Type,
};

use super::integration::Integration;
use super::table::{Table, column};

/// A query with its table in it.
pub(super) struct Query {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) sql: String,
}

/// A query over any table that has its fields.
struct Plan {
    name: &'static str,
    description: &'static str,
    /// What it groups by.
    by: &'static [FlowLogField],
    /// What it adds up, and sorts by.
    sums: &'static [FlowLogField],
    /// The fields of `condition`.
    tested: &'static [FlowLogField],
    condition: &'static str,
    limit: Option<u32>,
}

/// The queries that the table's fields allow.
pub(super) fn all(table: &Table, integration: &Integration, name: &str) -> Vec<Query> {
    let possible = PLANS.iter().filter(|plan| {
        let parts = [plan.by, plan.sums, plan.tested];
        parts.into_iter().all(|fields| table.has(fields))
    });
    possible
        .map(|plan| Query {
            name: plan.name,
            description: plan.description,
            sql: plan.sql(table, integration, name),
        })
        .collect()
}

impl Plan {
    fn sql(&self, table: &Table, integration: &Integration, name: &str) -> String {
        let quoted = |field: &FlowLogField| format!("\"{}\"", column(*field));
        let by: Vec<_> = self.by.iter().map(quoted).collect();
        let sums = self.sums.iter().map(|field| {
            let name = column(*field);
            format!("SUM(\"{name}\") AS \"total_{name}\"")
        });
        let selected: Vec<_> = by.iter().cloned().chain(sums).collect();
        let mut sql = format!(
            "SELECT {}\nFROM \"{}\".\"{name}\"",
            selected.join(", "),
            table.database()
        );
        let mut conditions = Vec::new();
        if !self.condition.is_empty() {
            conditions.push(self.condition.to_owned());
        }
        if let Some((first, last)) = integration.dates {
            conditions.push(format!(
                "\"year\" * 10000 + \"month\" * 100 + \"day\" BETWEEN {} AND {}",
                first.number(),
                last.number()
            ));
        }
        if !conditions.is_empty() {
            sql += &format!("\nWHERE {}", conditions.join("\n  AND "));
        }
        sql += &format!("\nGROUP BY {}", by.join(", "));
        if let Some(first) = self.sums.first() {
            sql += &format!("\nORDER BY \"total_{}\" DESC", column(*first));
        }
        if let Some(limit) = self.limit {
            sql += &format!("\nLIMIT {limit}");
        }
        sql
    }
}

const PLANS: &[Plan] = &[
    Plan {
        name: "VpcFlowLogsAcceptedTraffic",
        description: "Connections that security groups and network ACLs let through",
        by: &[Srcaddr, Dstaddr, Dstport, Protocol],
        sums: &[Packets, Bytes],
        tested: &[Action],
        condition: "\"action\" = 'ACCEPT'",
        limit: None,
    },
    Plan {
        name: "VpcFlowLogsAdminPortTraffic",
        description: "The 10 pairs with most bytes on ports that machines are administered by",
        by: &[Srcaddr, Dstaddr, Dstport],
        sums: &[Bytes],
        tested: &[],
        condition: "\"dstport\" IN (22, 23, 3389, 5900, 5985, 5986, 8080, 8443)",
        limit: Some(10),
    },
    Plan {
        name: "VpcFlowLogsIPv4Traffic",
        description: "Bytes between IPv4 addresses",
        by: &[Srcaddr, Dstaddr],
        sums: &[Bytes],
        tested: &[Type],
        condition: "\"type\" = 'IPv4'",
        limit: None,
    },
    Plan {
        name: "VpcFlowLogsIPv6Traffic",
        description: "Bytes between IPv6 addresses",
        by: &[Srcaddr, Dstaddr],
        sums: &[Bytes],
        tested: &[Type],
        condition: "\"type\" = 'IPv6'",
        limit: None,
    },
    Plan {
        name: "VpcFlowLogsRejectedTCPTraffic",
        description: "TCP that was refused, by sender, receiver and port",
        by: &[Srcaddr, Dstaddr, Dstport],
        sums: &[Packets],
        tested: &[Action, Protocol],
        condition: "\"action\" = 'REJECT' AND \"protocol\" = 6",
        limit: None,
    },
    Plan {
        name: "VpcFlowLogsRejectedTraffic",
        description: "What was refused, by sender, receiver, port and protocol",
        by: &[Srcaddr, Dstaddr, Dstport, Protocol],
        sums: &[Packets],
        tested: &[Action],
        condition: "\"action\" = 'REJECT'",
        limit: None,
    },
    Plan {
        name: "VpcFlowLogsSshRdpTraffic",
        description: "SSH and RDP, let through and refused",
        by: &[Srcaddr, Dstaddr, Dstport, Action],
        sums: &[Packets],
        tested: &[Protocol],
        condition: "\"protocol\" = 6 AND \"dstport\" IN (22, 3389)",
        limit: None,
    },
    Plan {
        name: "VpcFlowLogsTopTalkers",
        description: "The 50 addresses that sent most bytes",
        by: &[Srcaddr],
        sums: &[Bytes],
        tested: &[],
        condition: "",
        limit: Some(50),
    },
    Plan {
        name: "VpcFlowLogsTopTalkersPacketLevel",
        description: "The 50 addresses in packets' headers that sent most bytes",
        by: &[PktSrcaddr],
        sums: &[Bytes],
        tested: &[],
        condition: "",
        limit: Some(50),
    },
    Plan {
        name: "VpcFlowLogsTopTalkingInstances",
        description: "The 50 instances with most bytes",
        by: &[InstanceId],
        sums: &[Bytes],
        tested: &[],
        condition: "\"instance_id\" <> '-'",
        limit: Some(50),
    },
    Plan {
        name: "VpcFlowLogsTopTalkingSubnets",
        description: "The 50 subnets with most bytes",
        by: &[SubnetId],
        sums: &[Bytes],
        tested: &[],
        condition: "\"subnet_id\" <> '-'",
        limit: Some(50),
    },
    Plan {
        name: "VpcFlowLogsTopTCPTraffic",
        description: "The 50 TCP ports of pairs with most bytes",
        by: &[Srcaddr, Dstaddr, Dstport],
        sums: &[Bytes, Packets],
        tested: &[Protocol],
        condition: "\"protocol\" = 6",
        limit: Some(50),
    },
    Plan {
        name: "VpcFlowLogsTotalBytesTransferred",
        description: "The 50 pairs of sender and receiver with most bytes",
        by: &[Srcaddr, Dstaddr],
        sums: &[Bytes],
        tested: &[],
        condition: "",
        limit: Some(50),
    },
    Plan {
        name: "VpcFlowLogsTotalBytesTransferredPacketLevel",
        description: "The 50 pairs of sender and receiver in packets' headers with most bytes",
        by: &[PktSrcaddr, PktDstaddr],
        sums: &[Bytes],
        tested: &[],
        condition: "",
        limit: Some(50),
    },
    Plan {
        name: "VpcFlowLogsTrafficFrmSrcAddr",
        description: "Who got how much from one address, which is the query's parameter",
        by: &[Srcaddr, Dstaddr, Dstport, Protocol],
        sums: &[Bytes],
        tested: &[],
        condition: "\"srcaddr\" = ?",
        limit: None,
    },
    Plan {
        name: "VpcFlowLogsTrafficToDstAddr",
        description: "Who sent how much to one address, which is the query's parameter",
        by: &[Srcaddr, Dstaddr, Dstport, Protocol],
        sums: &[Bytes],
        tested: &[],
        condition: "\"dstaddr\" = ?",
        limit: None,
    },
];
