//! Rules of security groups (Amazon VPC User Guide, "Security group rules").

use ec2_api::{
    DescribeSecurityGroupRulesRequest, DescribeSecurityGroupRulesResponse, ReferencedSecurityGroup,
};
use ipnet::{Ipv4Net, Ipv6Net};
use model::{
    IpProtocol, RulePeer, SecurityGroup, SecurityGroupId, SecurityGroupRule, SecurityGroupRuleId,
    Tags, VpcId,
};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::reference;
use crate::filter::Filters;
use crate::page::Page;
use crate::tag::tag_set;
use crate::{Error, Transaction, parameter};

/// `0.0.0.0/0`.
pub(super) const EVERYWHERE_IPV4: RulePeer =
    RulePeer::Ipv4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0));

/// `::/0`.
pub(super) const EVERYWHERE_IPV6: RulePeer =
    RulePeer::Ipv6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0));

/// A rule for every protocol and port.
pub(super) fn all_traffic(
    tx: &mut Transaction<'_>,
    is_egress: bool,
    peer: RulePeer,
) -> SecurityGroupRule {
    SecurityGroupRule {
        id: tx.id(),
        is_egress,
        protocol: IpProtocol::All,
        ports: None,
        peer,
        peered: None,
        description: None,
        tags: Tags::new(),
    }
}

const FILTERS: &[&str] = &["group-id", "security-group-rule-id"];

/// Lists rules, one by one.
pub(crate) fn describe_security_group_rules(
    tx: &mut Transaction<'_>,
    request: &DescribeSecurityGroupRulesRequest,
) -> Result<DescribeSecurityGroupRulesResponse, Error> {
    let ids = parameter::optional_ids::<SecurityGroupRuleId>(&request.security_group_rule_ids)?;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        Page::USUAL,
    )?;
    let groups = tx.rows::<SecurityGroup>();
    let mut rows: Vec<((VpcId, SecurityGroupId), &SecurityGroupRule)> = groups
        .flat_map(|group| {
            group
                .rules
                .iter()
                .map(|rule| ((group.vpc_id, group.id), rule))
        })
        .collect();
    rows.sort_by_key(|(_, rule)| rule.id);
    for id in &ids {
        rows.binary_search_by_key(id, |(_, rule)| rule.id)
            .map_err(|_| Error::NotFound((*id).into()))?;
    }
    rows.retain(|((_, group_id), rule)| {
        let listed = ids.is_empty() || ids.contains(&rule.id);
        listed
            && filters.matches(&rule.tags, |name| match name {
                "group-id" => vec![group_id.to_string()],
                "security-group-rule-id" => vec![rule.id.to_string()],
                _ => Vec::new(),
            })
    });
    let (rows, next_token) = page.take(rows, |(_, rule)| rule.id.to_string());
    let shape = |(group, rule)| shape(tx, group, rule);
    Ok(DescribeSecurityGroupRulesResponse {
        security_group_rules: rows.into_iter().map(shape).collect(),
        next_token,
    })
}

pub(super) fn shape(
    tx: &Transaction<'_>,
    (vpc_id, group_id): (VpcId, SecurityGroupId),
    rule: &SecurityGroupRule,
) -> ec2_api::SecurityGroupRule {
    let owner = tx.scope().account.to_string();
    let mut shape = ec2_api::SecurityGroupRule {
        security_group_rule_id: Some(rule.id.to_string()),
        group_id: Some(group_id.to_string()),
        group_owner_id: Some(owner),
        is_egress: Some(rule.is_egress),
        ip_protocol: Some(rule.protocol.to_string()),
        from_port: Some(rule.ports.map_or(-1, |p| p.from)),
        to_port: Some(rule.ports.map_or(-1, |p| p.to)),
        description: rule.description.clone(),
        tags: tag_set(&rule.tags),
        security_group_rule_arn: Some(tx.scope().arn(format!("security-group-rule/{}", rule.id))),
        ..Default::default()
    };
    match rule.peer {
        RulePeer::Ipv4(net) => shape.cidr_ipv4 = Some(net.to_string()),
        RulePeer::Ipv6(net) => shape.cidr_ipv6 = Some(net.to_string()),
        RulePeer::PrefixList(id) => shape.prefix_list_id = Some(id.to_string()),
        RulePeer::Group { group_id, user_id } => {
            let peered = reference::peered_shape(tx, vpc_id, rule);
            shape.referenced_group_info = Some(ReferencedSecurityGroup {
                group_id: Some(group_id.to_string()),
                user_id: Some(user_id.to_string()),
                peering_status: peered.peering_status,
                vpc_id: peered.vpc_id,
                vpc_peering_connection_id: peered.vpc_peering_connection_id,
            });
        }
    }
    shape
}
