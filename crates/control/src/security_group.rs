//! Security groups (Amazon VPC User Guide, "Control traffic to your AWS resources using security
//! groups").

mod association;
mod authorize;
mod modify;
mod permission;
mod reference;
mod revoke;
mod rule;
mod stale;

use ec2_api::{
    CreateSecurityGroupRequest, CreateSecurityGroupResponse, DeleteSecurityGroupRequest,
    DeleteSecurityGroupResponse, DescribeSecurityGroupsRequest, DescribeSecurityGroupsResponse,
};
use model::{Owner, RulePeer, SecurityGroup, SecurityGroupId, SecurityGroupRule, Tags, Vpc, VpcId};

pub(crate) use association::{
    associate_security_group_vpc, describe_security_group_vpc_associations,
    disassociate_security_group_vpc, forget_vpc, get_security_groups_for_vpc,
};
pub(crate) use authorize::{
    authorize_security_group_egress, authorize_security_group_ingress, check_quota,
};
pub(crate) use modify::{
    modify_security_group_rules, update_security_group_rule_descriptions_egress,
    update_security_group_rule_descriptions_ingress,
};
pub(crate) use revoke::{revoke_security_group_egress, revoke_security_group_ingress};
pub(crate) use rule::describe_security_group_rules;
pub(crate) use stale::{describe_security_group_references, describe_stale_security_groups};

use crate::filter::Filters;
use crate::page::Page;
use crate::tag::{from_specifications, tag_set};
use crate::{Error, Transaction, parameter};

const TYPE: &str = "security-group";
const TEXT_MAX: usize = 255;

/// Creates the default group of a new VPC: everything from itself in, everything out.
pub(crate) fn create_default(tx: &mut Transaction<'_>, vpc: &Vpc) {
    let id: SecurityGroupId = tx.id();
    let itself = RulePeer::Group {
        group_id: id,
        user_id: tx.scope().account,
    };
    let mut rules = vec![rule::all_traffic(tx, false, itself)];
    rules.extend(egress_rules(tx, vpc));
    tx.put(
        id,
        SecurityGroup {
            id,
            vpc_id: vpc.id,
            name: SecurityGroup::DEFAULT_NAME.to_owned(),
            description: "default VPC security group".to_owned(),
            rules,
            associated_vpc_ids: Vec::new(),
            tags: Tags::new(),
        },
    );
}

/// The outbound rules that a group starts with.
fn egress_rules(tx: &mut Transaction<'_>, vpc: &Vpc) -> Vec<SecurityGroupRule> {
    let mut rules = vec![rule::all_traffic(tx, true, rule::EVERYWHERE_IPV4)];
    if !vpc.ipv6_cidr_blocks.is_empty() {
        rules.push(rule::all_traffic(tx, true, rule::EVERYWHERE_IPV6));
    }
    rules
}

/// Lets the groups of a VPC that gets IPv6 out to everywhere, if their outbound rules are still
/// those that they started with.
pub(crate) fn add_ipv6_rules(tx: &mut Transaction<'_>, vpc_id: VpcId) {
    let groups = tx.rows::<SecurityGroup>().filter(|g| g.vpc_id == vpc_id);
    let groups: Vec<SecurityGroup> = groups.cloned().collect();
    for mut group in groups {
        let original = rule::all_traffic(tx, true, rule::EVERYWHERE_IPV4);
        let mut egress = group.rules(true);
        let unmodified =
            egress.next().is_some_and(|r| r.same_permission(&original)) && egress.next().is_none();
        drop(egress);
        if unmodified {
            let added = rule::all_traffic(tx, true, rule::EVERYWHERE_IPV6);
            group.rules.push(added);
            tx.put(group.id, group);
        }
    }
}

/// Creates a group that lets nothing in and everything out.
pub(crate) fn create_security_group(
    tx: &mut Transaction<'_>,
    request: &CreateSecurityGroupRequest,
) -> Result<CreateSecurityGroupResponse, Error> {
    let name = parameter::required(&request.group_name, "groupName")?;
    let description = parameter::required(&request.description, "groupDescription")?;
    let name = name.trim_end();
    check_text(name, "groupName")?;
    check_text(description, "groupDescription")?;
    check_name(name)?;
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    let vpc_id = match parameter::optional_id(&request.vpc_id)? {
        Some(vpc_id) => vpc_id,
        None => default_vpc(tx)?,
    };
    let vpc = tx.take::<Vpc>(vpc_id)?;
    let same_name =
        |g: &SecurityGroup| g.vpc_id == vpc_id && g.name.to_lowercase() == name.to_lowercase();
    if tx.rows::<SecurityGroup>().any(same_name) {
        return Err(Error::new(
            "InvalidGroup.Duplicate",
            format!("The security group '{name}' already exists for VPC '{vpc_id}'"),
        ));
    }
    tx.quotas()
        .security_groups(tx.rows::<SecurityGroup>().count())?;
    let id: SecurityGroupId = tx.id();
    let response = CreateSecurityGroupResponse {
        group_id: Some(id.to_string()),
        tags: tag_set(&tags),
        security_group_arn: Some(arn(tx, id)),
    };
    let group = SecurityGroup {
        id,
        vpc_id,
        name: name.to_owned(),
        description: description.clone(),
        rules: egress_rules(tx, &vpc),
        associated_vpc_ids: Vec::new(),
        tags,
    };
    tx.put(id, group);
    Ok(response)
}

/// At most 255 characters of AWS's set.
fn check_text(text: &str, name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if text.is_empty() || text.chars().count() > TEXT_MAX || !text.chars().all(allowed) {
        return Err(Error::invalid_value(
            name,
            text,
            "Between 1 and 255 characters from this set may be used: a-z, A-Z, 0-9, spaces and \
             ._-:/()#,@[]+=&;{}!$*",
        ));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.eq_ignore_ascii_case(SecurityGroup::DEFAULT_NAME) {
        return Err(Error::new(
            "InvalidGroup.Reserved",
            format!("Cannot use reserved security group name: {name}"),
        ));
    }
    if name.to_ascii_lowercase().starts_with("sg-") {
        return Err(Error::InvalidParameterValue(format!(
            "Invalid value '{name}' for groupName. It may not start with 'sg-'"
        )));
    }
    Ok(())
}

/// The VPC that requests without one mean.
fn default_vpc(tx: &Transaction<'_>) -> Result<VpcId, Error> {
    tx.state().default_vpc().map(|vpc| vpc.id).ok_or_else(|| {
        Error::new(
            "VPCIdNotSpecified",
            "No default VPC for this user. GroupName is only supported for EC2-Classic and \
             default VPC.",
        )
    })
}

/// The group that a request names by id, or by name in the default VPC.
fn find(
    tx: &Transaction<'_>,
    group_id: &Option<String>,
    group_name: &Option<String>,
) -> Result<SecurityGroup, Error> {
    match (group_id, group_name) {
        (None, None) => Err(Error::MissingParameter("groupId")),
        (None, Some(name)) => by_name(tx, default_vpc(tx)?, name).cloned(),
        (Some(_), None) => tx.take(parameter::id(group_id, "groupId")?),
        (Some(_), Some(_)) => Err(Error::InvalidParameterCombination(
            "The parameter groupName cannot be used with the parameter groupId".to_owned(),
        )),
    }
}

fn by_name<'a>(
    tx: &'a Transaction<'_>,
    vpc_id: VpcId,
    name: &str,
) -> Result<&'a SecurityGroup, Error> {
    tx.rows::<SecurityGroup>()
        .find(|g| g.vpc_id == vpc_id && g.name == name)
        .ok_or_else(|| {
            Error::new(
                "InvalidGroup.NotFound",
                format!("The security group '{name}' does not exist in VPC '{vpc_id}'"),
            )
        })
}

/// Deletes a group that nothing uses.
pub(crate) fn delete_security_group(
    tx: &mut Transaction<'_>,
    request: &DeleteSecurityGroupRequest,
) -> Result<DeleteSecurityGroupResponse, Error> {
    let group = find(tx, &request.group_id, &request.group_name)?;
    let id = group.id;
    if group.is_default() {
        return Err(Error::new(
            "CannotDelete",
            format!(
                "the specified group: \"{id}\" name: \"{}\" cannot be deleted by a user",
                group.name
            ),
        ));
    }
    let interfaces = &tx.state().network_interfaces;
    let carried = interfaces.has_any(Owner::SecurityGroup(id));
    // Rules of peered VPCs do not keep the group; they become stale.
    let refers = |r: &SecurityGroupRule| {
        r.peered.is_none() && matches!(r.peer, RulePeer::Group { group_id, .. } if group_id == id)
    };
    let referenced = tx
        .rows::<SecurityGroup>()
        .any(|other| other.id != id && other.rules.iter().any(refers));
    if carried || referenced {
        return Err(Error::DependencyViolation(id.into()));
    }
    tx.delete::<SecurityGroup>(id);
    Ok(DeleteSecurityGroupResponse {
        r#return: Some(true),
        group_id: Some(id.to_string()),
    })
}

const FILTERS: &[&str] = &[
    "description",
    "egress.ip-permission.cidr",
    "egress.ip-permission.from-port",
    "egress.ip-permission.group-id",
    "egress.ip-permission.group-name",
    "egress.ip-permission.ipv6-cidr",
    "egress.ip-permission.prefix-list-id",
    "egress.ip-permission.protocol",
    "egress.ip-permission.to-port",
    "egress.ip-permission.user-id",
    "group-id",
    "group-name",
    "ip-permission.cidr",
    "ip-permission.from-port",
    "ip-permission.group-id",
    "ip-permission.group-name",
    "ip-permission.ipv6-cidr",
    "ip-permission.prefix-list-id",
    "ip-permission.protocol",
    "ip-permission.to-port",
    "ip-permission.user-id",
    "owner-id",
    "vpc-id",
];

/// Lists groups.
pub(crate) fn describe_security_groups(
    tx: &mut Transaction<'_>,
    request: &DescribeSecurityGroupsRequest,
) -> Result<DescribeSecurityGroupsResponse, Error> {
    let (ids, names) = (&request.group_ids, &request.group_names);
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let listed = !ids.is_empty() || !names.is_empty();
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        listed,
        Page::USUAL,
    )?;
    let mut named = Vec::new();
    if !names.is_empty() {
        let vpc_id = default_vpc(tx)?;
        for name in names {
            named.push(by_name(tx, vpc_id, name)?.id);
        }
    }
    let mut rows = tx.select::<SecurityGroup>(ids)?;
    rows.retain(|group| named.is_empty() || named.contains(&group.id));
    rows.retain(|group| filters.matches(&group.tags, |name| filter_values(tx, group, name)));
    let (rows, next_token) = page.take(rows, |group| group.id.to_string());
    Ok(DescribeSecurityGroupsResponse {
        next_token,
        security_groups: rows.into_iter().map(|group| shape(tx, group)).collect(),
    })
}

fn filter_values(tx: &Transaction<'_>, group: &SecurityGroup, name: &str) -> Vec<String> {
    let (is_egress, permission) = match name.strip_prefix("egress.") {
        Some(rest) => (true, rest),
        None => (false, name),
    };
    if let Some(name) = permission.strip_prefix("ip-permission.") {
        let rules = group.rules(is_egress);
        return rules
            .flat_map(|r| permission::filter_values(tx, r, name))
            .collect();
    }
    let value = match name {
        "description" => group.description.clone(),
        "group-id" => group.id.to_string(),
        "group-name" => group.name.clone(),
        "owner-id" => tx.scope().account.to_string(),
        "vpc-id" => group.vpc_id.to_string(),
        _ => return Vec::new(),
    };
    vec![value]
}

fn arn(tx: &Transaction<'_>, id: SecurityGroupId) -> String {
    tx.scope().arn(format!("security-group/{id}"))
}

fn shape(tx: &Transaction<'_>, group: &SecurityGroup) -> ec2_api::SecurityGroup {
    ec2_api::SecurityGroup {
        group_id: Some(group.id.to_string()),
        ip_permissions_egress: permission::grouped(tx, group, group.rules(true)),
        tags: tag_set(&group.tags),
        vpc_id: Some(group.vpc_id.to_string()),
        security_group_arn: Some(arn(tx, group.id)),
        owner_id: Some(tx.scope().account.to_string()),
        group_name: Some(group.name.clone()),
        description: Some(group.description.clone()),
        ip_permissions: permission::grouped(tx, group, group.rules(false)),
    }
}
