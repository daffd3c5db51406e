//! Which rules lead nowhere any more, and which peers refer to a group (Amazon VPC Peering Guide,
//! "Identify your referenced security groups" and "View and delete stale security group rules").

use ec2_api::{
    DescribeSecurityGroupReferencesRequest, DescribeSecurityGroupReferencesResponse,
    DescribeStaleSecurityGroupsRequest, DescribeStaleSecurityGroupsResponse,
    SecurityGroupReference, StaleIpPermission, StaleSecurityGroup,
};
use model::{
    PeeringSide, PeeringStatus, RulePeer, SecurityGroup, SecurityGroupId, SecurityGroupRule, Vpc,
    VpcId,
};

use super::{permission, reference};
use crate::page::Page;
use crate::{Error, Transaction, parameter, vpc_peering_connection};

/// Lists the groups of a VPC that have stale rules, with these rules only.
pub(crate) fn describe_stale_security_groups(
    tx: &mut Transaction<'_>,
    request: &DescribeStaleSecurityGroupsRequest,
) -> Result<DescribeStaleSecurityGroupsResponse, Error> {
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    let page = Page::parse(request.max_results, &request.next_token, false, 5..=255)?;
    tx.find::<Vpc>(vpc_id)?;
    vpc_peering_connection::settle_of(tx, vpc_id);
    let is_stale = |rule: &SecurityGroupRule| reference::is_stale(tx, vpc_id, rule);
    let rows: Vec<&SecurityGroup> = tx
        .rows::<SecurityGroup>()
        .filter(|group| group.vpc_id == vpc_id && group.rules.iter().any(is_stale))
        .collect();
    let (rows, next_token) = page.take(rows, |group| group.id.to_string());
    Ok(DescribeStaleSecurityGroupsResponse {
        next_token,
        stale_security_group_set: rows.into_iter().map(|group| shape(tx, group)).collect(),
    })
}

fn shape(tx: &Transaction<'_>, group: &SecurityGroup) -> StaleSecurityGroup {
    StaleSecurityGroup {
        description: Some(group.description.clone()),
        group_id: Some(group.id.to_string()),
        group_name: Some(group.name.clone()),
        stale_ip_permissions: stale(tx, group, false),
        stale_ip_permissions_egress: stale(tx, group, true),
        vpc_id: Some(group.vpc_id.to_string()),
    }
}

fn stale(tx: &Transaction<'_>, group: &SecurityGroup, is_egress: bool) -> Vec<StaleIpPermission> {
    let rules = group
        .rules(is_egress)
        .filter(|rule| reference::is_stale(tx, group.vpc_id, rule));
    permission::grouped(tx, group, rules)
        .into_iter()
        .map(|permission| StaleIpPermission {
            from_port: permission.from_port,
            ip_protocol: permission.ip_protocol,
            ip_ranges: Vec::new(),
            prefix_list_ids: Vec::new(),
            to_port: permission.to_port,
            user_id_group_pairs: permission.user_id_group_pairs,
        })
        .collect()
}

/// Lists the peered VPCs whose groups refer to the caller's groups.
pub(crate) fn describe_security_group_references(
    tx: &mut Transaction<'_>,
    request: &DescribeSecurityGroupReferencesRequest,
) -> Result<DescribeSecurityGroupReferencesResponse, Error> {
    let ids: Vec<SecurityGroupId> = parameter::ids(&request.group_id, "groupId")?;
    let mut references = Vec::new();
    for id in ids {
        let vpc_id = tx.find::<SecurityGroup>(id)?.vpc_id;
        for peering in vpc_peering_connection::settle_of(tx, vpc_id) {
            let active = peering.status == PeeringStatus::Active;
            let Some(other) = peering.other(vpc_id).filter(|_| active) else {
                continue;
            };
            if refers(tx, other, id) {
                references.push(SecurityGroupReference {
                    group_id: Some(id.to_string()),
                    referencing_vpc_id: Some(other.vpc_id.to_string()),
                    vpc_peering_connection_id: Some(peering.id.to_string()),
                    transit_gateway_id: None,
                });
            }
        }
    }
    Ok(DescribeSecurityGroupReferencesResponse {
        security_group_reference_set: references,
    })
}

/// Whether a group of a peered VPC refers to a group.
fn refers(tx: &Transaction<'_>, peer: &PeeringSide, id: SecurityGroupId) -> bool {
    let names = |rule: &SecurityGroupRule| matches!(rule.peer, RulePeer::Group { group_id, .. } if group_id == id);
    let groups = tx.state_of(peer.scope).map(|state| &state.security_groups);
    groups
        .into_iter()
        .flat_map(model::Table::values)
        .any(|group| group.vpc_id == peer.vpc_id && group.rules.iter().any(names))
}
