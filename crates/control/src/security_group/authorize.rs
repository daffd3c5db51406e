//! Adding rules: all of a request, or none.

use ec2_api::{
    AuthorizeSecurityGroupEgressRequest, AuthorizeSecurityGroupEgressResponse,
    AuthorizeSecurityGroupIngressRequest, AuthorizeSecurityGroupIngressResponse,
};
use model::{
    AddressFamily, IpProtocol, PrefixListId, RulePeer, SecurityGroup, SecurityGroupRule, Tags,
};

use super::permission::{self, Given, given};
use super::rule;
use crate::prefix_list::{self, Weight};
use crate::tag::from_specifications;
use crate::{Error, Transaction, vpc_peering_connection};

const TYPE: &str = "security-group-rule";

/// Lets traffic in.
pub(crate) fn authorize_security_group_ingress(
    tx: &mut Transaction<'_>,
    request: &AuthorizeSecurityGroupIngressRequest,
) -> Result<AuthorizeSecurityGroupIngressResponse, Error> {
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    let group = super::find(tx, &request.group_id, &request.group_name)?;
    Ok(AuthorizeSecurityGroupIngressResponse {
        r#return: Some(true),
        security_group_rules: authorize(tx, group, false, &given!(request), &tags)?,
    })
}

/// Lets traffic out.
pub(crate) fn authorize_security_group_egress(
    tx: &mut Transaction<'_>,
    request: &AuthorizeSecurityGroupEgressRequest,
) -> Result<AuthorizeSecurityGroupEgressResponse, Error> {
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    let group = super::find(tx, &request.group_id, &None)?;
    Ok(AuthorizeSecurityGroupEgressResponse {
        r#return: Some(true),
        security_group_rules: authorize(tx, group, true, &given!(request), &tags)?,
    })
}

fn authorize(
    tx: &mut Transaction<'_>,
    mut group: SecurityGroup,
    is_egress: bool,
    given: &Given<'_>,
    tags: &Tags,
) -> Result<Vec<ec2_api::SecurityGroupRule>, Error> {
    let mut added: Vec<SecurityGroupRule> = Vec::new();
    let permissions = given.list()?;
    if permissions
        .iter()
        .any(|p| !p.user_id_group_pairs.is_empty())
    {
        vpc_peering_connection::settle_of(tx, group.vpc_id);
    }
    for permission in permissions {
        for (new, _) in permission::parse(tx, group.vpc_id, &permission, true)? {
            let new = SecurityGroupRule {
                id: tx.id(),
                is_egress,
                protocol: new.protocol,
                ports: new.ports,
                peer: new.peer,
                peered: new.peered,
                description: new.description,
                tags: tags.clone(),
            };
            if added.iter().any(|own| own.same_permission(&new)) {
                return Err(Error::InvalidParameterValue(
                    "The same permission must not appear multiple times".to_owned(),
                ));
            }
            if group.rules.iter().any(|own| own.same_permission(&new)) {
                return Err(Error::new(
                    "InvalidPermission.Duplicate",
                    format!("the specified rule \"{}\" already exists", in_words(&new)),
                ));
            }
            added.push(new);
        }
    }
    group.rules.extend(added.iter().cloned());
    for family in [AddressFamily::Ipv4, AddressFamily::Ipv6] {
        let weigh = |id| prefix_list::weight(tx, id);
        check_quota(tx, &group, is_egress, family, weigh)?;
    }
    let shapes = added
        .iter()
        .map(|own| rule::shape(tx, (group.vpc_id, group.id), own));
    let shapes = shapes.collect();
    tx.put(group.id, group);
    Ok(shapes)
}

/// Whether a group has not too many rules of a direction and family, its newest ones included. A
/// reference to a group counts for both families.
pub(crate) fn check_quota(
    tx: &Transaction<'_>,
    group: &SecurityGroup,
    is_egress: bool,
    family: AddressFamily,
    weigh: impl Fn(PrefixListId) -> Weight,
) -> Result<(), Error> {
    let count = |rule: &SecurityGroupRule| match rule.peer {
        RulePeer::Ipv4(_) => usize::from(family == AddressFamily::Ipv4),
        RulePeer::Ipv6(_) => usize::from(family == AddressFamily::Ipv6),
        RulePeer::Group { .. } => 1,
        RulePeer::PrefixList(id) => {
            let weight = weigh(id);
            if weight.family == family {
                weight.entries
            } else {
                0
            }
        }
    };
    let used: usize = group.rules(is_egress).map(count).sum();
    tx.quotas().rules_per_security_group(used.saturating_sub(1))
}

/// A rule in the words of AWS's error messages.
pub(super) fn in_words(rule: &SecurityGroupRule) -> String {
    let protocol = match rule.protocol {
        IpProtocol::All => "ALL".to_owned(),
        other => other.to_string().to_uppercase(),
    };
    let ports = match rule.ports {
        None => String::new(),
        Some(range) if rule.protocol.is_icmp() => {
            format!(", type: {}, code: {}", range.from, range.to)
        }
        Some(range) => format!(", from port: {}, to port: {}", range.from, range.to),
    };
    format!("peer: {}, {protocol}{ports}, ALLOW", rule.peer)
}
