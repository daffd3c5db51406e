//! Removing rules, by what they say or by their ids.

use ec2_api::{
    IpPermission, RevokeSecurityGroupEgressRequest, RevokeSecurityGroupEgressResponse,
    RevokeSecurityGroupIngressRequest, RevokeSecurityGroupIngressResponse,
    RevokedSecurityGroupRule,
};
use model::{
    RulePeer, SecurityGroup, SecurityGroupId, SecurityGroupRule, SecurityGroupRuleId, Vpc,
};

use super::permission::{self, Given, Permission, given};
use crate::{Error, Transaction, parameter};

/// Lets traffic in no longer.
pub(crate) fn revoke_security_group_ingress(
    tx: &mut Transaction<'_>,
    request: &RevokeSecurityGroupIngressRequest,
) -> Result<RevokeSecurityGroupIngressResponse, Error> {
    let group = super::find(tx, &request.group_id, &request.group_name)?;
    let ids = &request.security_group_rule_ids;
    let (revoked, unknown) = revoke(tx, group, false, &given!(request), ids)?;
    Ok(RevokeSecurityGroupIngressResponse {
        r#return: Some(true),
        unknown_ip_permissions: unknown,
        revoked_security_group_rules: revoked,
    })
}

/// Lets traffic out no longer.
pub(crate) fn revoke_security_group_egress(
    tx: &mut Transaction<'_>,
    request: &RevokeSecurityGroupEgressRequest,
) -> Result<RevokeSecurityGroupEgressResponse, Error> {
    let group = super::find(tx, &request.group_id, &None)?;
    let ids = &request.security_group_rule_ids;
    let (revoked, unknown) = revoke(tx, group, true, &given!(request), ids)?;
    Ok(RevokeSecurityGroupEgressResponse {
        r#return: Some(true),
        unknown_ip_permissions: unknown,
        revoked_security_group_rules: revoked,
    })
}

/// Removes rules; tells which, and which permissions no rule had.
fn revoke(
    tx: &mut Transaction<'_>,
    mut group: SecurityGroup,
    is_egress: bool,
    given: &Given<'_>,
    ids: &[String],
) -> Result<(Vec<RevokedSecurityGroupRule>, Vec<IpPermission>), Error> {
    let (targets, unknown) = if ids.is_empty() {
        by_content(tx, &group, is_egress, given)?
    } else if given.is_empty() {
        (by_id(&group, is_egress, ids)?, Vec::new())
    } else {
        return Err(Error::InvalidParameterCombination(
            "The parameters ipPermissions and securityGroupRuleIds cannot be used together"
                .to_owned(),
        ));
    };
    let id = group.id;
    let (gone, kept): (Vec<_>, Vec<_>) = group
        .rules
        .into_iter()
        .partition(|rule| targets.contains(&rule.id));
    if !gone.is_empty() {
        group.rules = kept;
        tx.put(id, group);
    }
    let revoked = gone.iter().map(|rule| shape(id, rule)).collect();
    Ok((revoked, unknown))
}

fn by_id(
    group: &SecurityGroup,
    is_egress: bool,
    ids: &[String],
) -> Result<Vec<SecurityGroupRuleId>, Error> {
    let ids = parameter::optional_ids::<SecurityGroupRuleId>(ids)?;
    for id in &ids {
        if !group.rules(is_egress).any(|rule| rule.id == *id) {
            return Err(Error::NotFound((*id).into()));
        }
    }
    Ok(ids)
}

/// The rules that say what the request says. One that is missing fails the request, but only in
/// VPCs other than the default one.
fn by_content(
    tx: &Transaction<'_>,
    group: &SecurityGroup,
    is_egress: bool,
    given: &Given<'_>,
) -> Result<(Vec<SecurityGroupRuleId>, Vec<IpPermission>), Error> {
    let lenient = tx.find::<Vpc>(group.vpc_id)?.is_default;
    let (mut targets, mut unknown) = (Vec::new(), Vec::new());
    for permission in given.list()? {
        for (wanted, part) in permission::parse(tx, group.vpc_id, &permission, false)? {
            match group.rules(is_egress).find(|rule| says(rule, &wanted)) {
                Some(rule) => targets.push(rule.id),
                None if lenient => unknown.push(part),
                None => {
                    return Err(Error::new(
                        "InvalidPermission.NotFound",
                        "The specified rule does not exist in this security group.",
                    ));
                }
            }
        }
    }
    Ok((targets, unknown))
}

pub(super) fn says(rule: &SecurityGroupRule, wanted: &Permission) -> bool {
    rule.protocol == wanted.protocol && rule.ports == wanted.ports && rule.peer == wanted.peer
}

fn shape(group_id: SecurityGroupId, rule: &SecurityGroupRule) -> RevokedSecurityGroupRule {
    let mut shape = RevokedSecurityGroupRule {
        security_group_rule_id: Some(rule.id.to_string()),
        group_id: Some(group_id.to_string()),
        is_egress: Some(rule.is_egress),
        ip_protocol: Some(rule.protocol.to_string()),
        from_port: Some(rule.ports.map_or(-1, |p| p.from)),
        to_port: Some(rule.ports.map_or(-1, |p| p.to)),
        description: rule.description.clone(),
        ..Default::default()
    };
    match rule.peer {
        RulePeer::Ipv4(net) => shape.cidr_ipv4 = Some(net.to_string()),
        RulePeer::Ipv6(net) => shape.cidr_ipv6 = Some(net.to_string()),
        RulePeer::PrefixList(id) => shape.prefix_list_id = Some(id.to_string()),
        RulePeer::Group { group_id, .. } => shape.referenced_group_id = Some(group_id.to_string()),
    }
    shape
}
