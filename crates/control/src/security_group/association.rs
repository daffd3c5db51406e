//! Groups that network interfaces of other VPCs may carry (Amazon VPC User Guide, "Associate security groups with multiple
//! VPCs").

use ec2_api::{
    AssociateSecurityGroupVpcRequest, AssociateSecurityGroupVpcResponse,
    DescribeSecurityGroupVpcAssociationsRequest, DescribeSecurityGroupVpcAssociationsResponse,
    DisassociateSecurityGroupVpcRequest, DisassociateSecurityGroupVpcResponse,
    GetSecurityGroupsForVpcRequest, GetSecurityGroupsForVpcResponse, SecurityGroupForVpc,
    SecurityGroupVpcAssociation,
};
use model::{NetworkInterface, Owner, SecurityGroup, Vpc, VpcId};

use crate::filter::Filters;
use crate::page::Page;
use crate::tag::tag_set;
use crate::{Error, Transaction, parameter};

/// Lets network interfaces of another VPC carry a group. It is done at once; AWS says that it has begun.
pub(crate) fn associate_security_group_vpc(
    tx: &mut Transaction<'_>,
    request: &AssociateSecurityGroupVpcRequest,
) -> Result<AssociateSecurityGroupVpcResponse, Error> {
    let mut group: SecurityGroup = tx.take(parameter::id(&request.group_id, "groupId")?)?;
    let vpc = tx.find::<Vpc>(parameter::id(&request.vpc_id, "vpcId")?)?;
    let home = tx.find::<Vpc>(group.vpc_id)?;
    let why = if group.is_default() {
        "A default security group cannot be associated with another VPC"
    } else if home.is_default || vpc.is_default {
        "A security group cannot be associated with or out of a default VPC"
    } else if group.vpc_id == vpc.id {
        "A security group cannot be associated with its own VPC"
    } else {
        let vpc_id = vpc.id;
        if !group.is_for(vpc_id) {
            group.associated_vpc_ids.push(vpc_id);
            group.associated_vpc_ids.sort_unstable();
            tx.put(group.id, group);
        }
        return Ok(AssociateSecurityGroupVpcResponse {
            state: Some("associating".to_owned()),
        });
    };
    Err(Error::InvalidParameterValue(why.to_owned()))
}

/// Takes a group from a VPC, none of whose network interfaces carries it.
pub(crate) fn disassociate_security_group_vpc(
    tx: &mut Transaction<'_>,
    request: &DisassociateSecurityGroupVpcRequest,
) -> Result<DisassociateSecurityGroupVpcResponse, Error> {
    let mut group: SecurityGroup = tx.take(parameter::id(&request.group_id, "groupId")?)?;
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    tx.find::<Vpc>(vpc_id)?;
    if !group.associated_vpc_ids.contains(&vpc_id) {
        return Err(Error::new(
            "InvalidGroup.NotFound",
            format!(
                "The security group '{}' is not associated with VPC '{vpc_id}'",
                group.id
            ),
        ));
    }
    let interfaces = &tx.state().network_interfaces;
    let carries = |eni: &NetworkInterface| eni.groups.contains(&group.id);
    if interfaces.of(Owner::Vpc(vpc_id)).any(carries) {
        return Err(Error::DependencyViolation(group.id.into()));
    }
    group.associated_vpc_ids.retain(|id| *id != vpc_id);
    tx.put(group.id, group);
    Ok(DisassociateSecurityGroupVpcResponse {
        state: Some("disassociating".to_owned()),
    })
}

/// Takes every group from a VPC that is deleted.
pub(crate) fn forget_vpc(tx: &mut Transaction<'_>, vpc_id: VpcId) {
    let groups = tx.rows::<SecurityGroup>();
    let groups = groups.filter(|group| group.associated_vpc_ids.contains(&vpc_id));
    for mut group in groups.cloned().collect::<Vec<_>>() {
        group.associated_vpc_ids.retain(|id| *id != vpc_id);
        tx.put(group.id, group);
    }
}

/// Lists which groups are associated with which VPCs.
pub(crate) fn describe_security_group_vpc_associations(
    tx: &mut Transaction<'_>,
    request: &DescribeSecurityGroupVpcAssociationsRequest,
) -> Result<DescribeSecurityGroupVpcAssociationsResponse, Error> {
    let filters = Filters::parse(&request.filters, ASSOCIATION_FILTERS)?;
    let page = Page::parse(request.max_results, &request.next_token, false, Page::USUAL)?;
    let owner = tx.scope().account.to_string();
    let pairs = tx.rows::<SecurityGroup>().flat_map(|group| {
        let vpcs = group.associated_vpc_ids.iter();
        vpcs.map(move |vpc| (group, *vpc))
    });
    let passing = pairs.filter(|(group, vpc_id)| {
        filters.matches(&group.tags, |name| match name {
            "group-id" => vec![group.id.to_string()],
            "vpc-id" => vec![vpc_id.to_string()],
            "group-owner-id" | "vpc-owner-id" => vec![owner.clone()],
            "state" => vec![ASSOCIATED.to_owned()],
            _ => Vec::new(),
        })
    });
    let (rows, next_token) = page.take(passing.collect(), |(g, vpc)| format!("{} {vpc}", g.id));
    let shape = |(group, vpc_id): (&SecurityGroup, VpcId)| SecurityGroupVpcAssociation {
        group_id: Some(group.id.to_string()),
        vpc_id: Some(vpc_id.to_string()),
        vpc_owner_id: Some(owner.clone()),
        group_owner_id: Some(owner.clone()),
        state: Some(ASSOCIATED.to_owned()),
        state_reason: None,
    };
    Ok(DescribeSecurityGroupVpcAssociationsResponse {
        security_group_vpc_associations: rows.into_iter().map(shape).collect(),
        next_token,
    })
}

/// Lists the groups that network interfaces of a VPC may carry.
pub(crate) fn get_security_groups_for_vpc(
    tx: &mut Transaction<'_>,
    request: &GetSecurityGroupsForVpcRequest,
) -> Result<GetSecurityGroupsForVpcResponse, Error> {
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(request.max_results, &request.next_token, false, Page::USUAL)?;
    tx.find::<Vpc>(vpc_id)?;
    let owner = tx.scope().account.to_string();
    let usable = tx.rows::<SecurityGroup>().filter(|g| g.is_for(vpc_id));
    let passing = usable.filter(|group| {
        filters.matches(&group.tags, |name| match name {
            "group-id" => vec![group.id.to_string()],
            "group-name" => vec![group.name.clone()],
            "description" => vec![group.description.clone()],
            "owner-id" => vec![owner.clone()],
            "primary-vpc-id" => vec![group.vpc_id.to_string()],
            _ => Vec::new(),
        })
    });
    let (rows, next_token) = page.take(passing.collect(), |group| group.id.to_string());
    let shape = |group: &SecurityGroup| SecurityGroupForVpc {
        description: Some(group.description.clone()),
        group_name: Some(group.name.clone()),
        owner_id: Some(owner.clone()),
        group_id: Some(group.id.to_string()),
        tags: tag_set(&group.tags),
        primary_vpc_id: Some(group.vpc_id.to_string()),
    };
    Ok(GetSecurityGroupsForVpcResponse {
        next_token,
        security_group_for_vpcs: rows.into_iter().map(shape).collect(),
    })
}

const ASSOCIATED: &str = "associated";
const ASSOCIATION_FILTERS: &[&str] = &[
    "group-id",
    "group-owner-id",
    "state",
    "vpc-id",
    "vpc-owner-id",
];
const FILTERS: &[&str] = &[
    "description",
    "group-id",
    "group-name",
    "owner-id",
    "primary-vpc-id",
];
