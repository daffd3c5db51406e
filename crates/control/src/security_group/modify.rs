//! Changing rules in place: what they allow, or only what is said about them (ModifySecurityGroupRules,
//! UpdateSecurityGroupRuleDescriptionsIngress, UpdateSecurityGroupRuleDescriptionsEgress).

use ec2_api::{
    IpPermission, IpRange, Ipv6Range, ModifySecurityGroupRulesRequest,
    ModifySecurityGroupRulesResponse, PrefixListId, SecurityGroupRuleDescription,
    SecurityGroupRuleRequest, UpdateSecurityGroupRuleDescriptionsEgressRequest,
    UpdateSecurityGroupRuleDescriptionsEgressResponse,
    UpdateSecurityGroupRuleDescriptionsIngressRequest,
    UpdateSecurityGroupRuleDescriptionsIngressResponse, UserIdGroupPair,
};
use model::{AddressFamily, SecurityGroup, SecurityGroupRule, SecurityGroupRuleId};

use super::authorize::{check_quota, in_words};
use super::permission::{self, Permission};
use super::revoke::says;
use crate::{Error, Transaction, parameter, prefix_list, vpc_peering_connection};

/// All of a request's rules, or none. A rule keeps its id, its direction and its tags, and nothing that the request
/// leaves out.
pub(crate) fn modify_security_group_rules(
    tx: &mut Transaction<'_>,
    request: &ModifySecurityGroupRulesRequest,
) -> Result<ModifySecurityGroupRulesResponse, Error> {
    let mut group = super::find(tx, &request.group_id, &None)?;
    vpc_peering_connection::settle_of(tx, group.vpc_id);
    if request.security_group_rules.is_empty() {
        return Err(Error::MissingParameter("SecurityGroupRule"));
    }
    for update in &request.security_group_rules {
        let id = parameter::id(&update.security_group_rule_id, "SecurityGroupRuleId")?;
        let wanted = update.security_group_rule.as_ref();
        let wanted = wanted.ok_or(Error::MissingParameter("SecurityGroupRule"))?;
        let parsed = permission::parse(tx, group.vpc_id, &as_permission(wanted)?, true)?;
        // One peer was given, which means one rule.
        for (new, _) in parsed {
            replace(rule(&mut group, id)?, new);
        }
    }
    check_distinct(&group)?;
    for family in [AddressFamily::Ipv4, AddressFamily::Ipv6] {
        for is_egress in [false, true] {
            let weigh = |id| prefix_list::weight(tx, id);
            check_quota(tx, &group, is_egress, family, weigh)?;
        }
    }
    tx.put(group.id, group);
    Ok(ModifySecurityGroupRulesResponse {
        r#return: Some(true),
    })
}

/// Says something else about rules that let in.
pub(crate) fn update_security_group_rule_descriptions_ingress(
    tx: &mut Transaction<'_>,
    request: &UpdateSecurityGroupRuleDescriptionsIngressRequest,
) -> Result<UpdateSecurityGroupRuleDescriptionsIngressResponse, Error> {
    let group = super::find(tx, &request.group_id, &request.group_name)?;
    let (by_content, by_id) = (
        &request.ip_permissions,
        &request.security_group_rule_descriptions,
    );
    describe(tx, group, false, by_content, by_id)?;
    Ok(UpdateSecurityGroupRuleDescriptionsIngressResponse {
        r#return: Some(true),
    })
}

/// Says something else about rules that let out.
pub(crate) fn update_security_group_rule_descriptions_egress(
    tx: &mut Transaction<'_>,
    request: &UpdateSecurityGroupRuleDescriptionsEgressRequest,
) -> Result<UpdateSecurityGroupRuleDescriptionsEgressResponse, Error> {
    let group = super::find(tx, &request.group_id, &request.group_name)?;
    let (by_content, by_id) = (
        &request.ip_permissions,
        &request.security_group_rule_descriptions,
    );
    describe(tx, group, true, by_content, by_id)?;
    Ok(UpdateSecurityGroupRuleDescriptionsEgressResponse {
        r#return: Some(true),
    })
}

fn describe(
    tx: &mut Transaction<'_>,
    mut group: SecurityGroup,
    is_egress: bool,
    by_content: &[IpPermission],
    by_id: &[SecurityGroupRuleDescription],
) -> Result<(), Error> {
    if by_content.is_empty() == by_id.is_empty() {
        return Err(Error::InvalidParameterCombination(
            "You must specify either IpPermissions or SecurityGroupRuleDescriptions".to_owned(),
        ));
    }
    for permission in by_content {
        for (wanted, _) in permission::parse(tx, group.vpc_id, permission, false)? {
            let mut rules = group.rules.iter_mut();
            let rule = rules.find(|rule| rule.is_egress == is_egress && says(rule, &wanted));
            let rule = rule.ok_or_else(|| {
                Error::new(
                    "InvalidPermission.NotFound",
                    "The specified rule does not exist in this security group.",
                )
            })?;
            rule.description = wanted.description;
        }
    }
    for given in by_id {
        let id = parameter::id(&given.security_group_rule_id, "SecurityGroupRuleId")?;
        let rule = rule(&mut group, id)?;
        if rule.is_egress != is_egress {
            return Err(Error::NotFound(id.into()));
        }
        rule.description = permission::check_description(&given.description)?;
    }
    tx.put(group.id, group);
    Ok(())
}

fn rule(
    group: &mut SecurityGroup,
    id: SecurityGroupRuleId,
) -> Result<&mut SecurityGroupRule, Error> {
    let mut rules = group.rules.iter_mut();
    rules
        .find(|rule| rule.id == id)
        .ok_or(Error::NotFound(id.into()))
}

fn replace(rule: &mut SecurityGroupRule, new: Permission) {
    rule.protocol = new.protocol;
    rule.ports = new.ports;
    rule.peer = new.peer;
    rule.peered = new.peered;
    rule.description = new.description;
}

fn check_distinct(group: &SecurityGroup) -> Result<(), Error> {
    for (at, rule) in group.rules.iter().enumerate() {
        if group.rules[..at]
            .iter()
            .any(|own| own.same_permission(rule))
        {
            return Err(Error::new(
                "InvalidPermission.Duplicate",
                format!("the specified rule \"{}\" already exists", in_words(rule)),
            ));
        }
    }
    Ok(())
}

/// A rule as the permission that means it alone.
fn as_permission(rule: &SecurityGroupRuleRequest) -> Result<IpPermission, Error> {
    let peers = [
        &rule.cidr_ipv4,
        &rule.cidr_ipv6,
        &rule.prefix_list_id,
        &rule.referenced_group_id,
    ];
    if peers.iter().filter(|peer| peer.is_some()).count() != 1 {
        return Err(Error::InvalidParameterCombination(
            "You must specify exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId"
                .to_owned(),
        ));
    }
    let description = || rule.description.clone();
    let ipv4 = |cidr: &String| IpRange {
        description: description(),
        cidr_ip: Some(cidr.clone()),
    };
    let ipv6 = |cidr: &String| Ipv6Range {
        description: description(),
        cidr_ipv6: Some(cidr.clone()),
    };
    let list = |id: &String| PrefixListId {
        description: description(),
        prefix_list_id: Some(id.clone()),
    };
    let group = |id: &String| UserIdGroupPair {
        description: description(),
        group_id: Some(id.clone()),
        ..Default::default()
    };
    Ok(IpPermission {
        ip_protocol: rule.ip_protocol.clone(),
        from_port: rule.from_port,
        to_port: rule.to_port,
        ip_ranges: rule.cidr_ipv4.iter().map(ipv4).collect(),
        ipv6_ranges: rule.cidr_ipv6.iter().map(ipv6).collect(),
        prefix_list_ids: rule.prefix_list_id.iter().map(list).collect(),
        user_id_group_pairs: rule.referenced_group_id.iter().map(group).collect(),
    })
}
