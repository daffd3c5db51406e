//! Network ACLs (Amazon VPC User Guide, "Control subnet traffic with network access control
//! lists").

mod entry;

use ec2_api::{
    CreateNetworkAclRequest, CreateNetworkAclResponse, DeleteNetworkAclRequest,
    DeleteNetworkAclResponse, DescribeNetworkAclsRequest, DescribeNetworkAclsResponse,
    ReplaceNetworkAclAssociationRequest, ReplaceNetworkAclAssociationResponse,
};
use model::{
    NetworkAcl, NetworkAclAssociation, NetworkAclAssociationId, NetworkAclId, Subnet, SubnetId,
    Tags, Vpc, VpcId,
};

pub(crate) use entry::{
    create_network_acl_entry, delete_network_acl_entry, replace_network_acl_entry,
};

use crate::filter::{Filters, boolean};
use crate::page::Page;
use crate::tag::{from_specifications, tag_set};
use crate::{Error, Transaction, parameter, token};

const TYPE: &str = "network-acl";
const ACTION: &str = "CreateNetworkAcl";

/// Creates the default network ACL of a new VPC, which lets everything pass.
pub(crate) fn create_default(tx: &mut Transaction<'_>, vpc: &Vpc) {
    let mut acl = new_acl(tx, vpc, Tags::new());
    acl.is_default = true;
    for egress in [false, true] {
        acl.put_entry(entry::allow_all_ipv4(egress));
        if !vpc.ipv6_cidr_blocks.is_empty() {
            acl.put_entry(entry::allow_all_ipv6(egress));
        }
    }
    tx.put(acl.id, acl);
}

/// An ACL with the final denies only.
fn new_acl(tx: &mut Transaction<'_>, vpc: &Vpc, tags: Tags) -> NetworkAcl {
    let mut acl = NetworkAcl {
        id: tx.id(),
        vpc_id: vpc.id,
        is_default: false,
        entries: Vec::new(),
        associations: Vec::new(),
        tags,
    };
    for egress in [false, true] {
        acl.put_entry(entry::final_ipv4(egress));
        if !vpc.ipv6_cidr_blocks.is_empty() {
            acl.put_entry(entry::final_ipv6(egress));
        }
    }
    acl
}

/// Gives the ACLs of a VPC their rules for IPv6, of which it gets a block.
pub(crate) fn add_ipv6_rules(tx: &mut Transaction<'_>, vpc_id: VpcId) {
    let acls = tx.rows::<NetworkAcl>().filter(|acl| acl.vpc_id == vpc_id);
    let acls: Vec<NetworkAcl> = acls.cloned().collect();
    for mut acl in acls {
        for egress in [false, true] {
            let users: Vec<_> = acl.entries(egress).filter(|e| !e.is_final()).collect();
            let unmodified = users == [&entry::allow_all_ipv4(egress)];
            if acl.is_default && unmodified {
                acl.put_entry(entry::allow_all_ipv6(egress));
            }
            acl.put_entry(entry::final_ipv6(egress));
        }
        tx.put(acl.id, acl);
    }
}

/// Makes the default network ACL of a VPC guard a new subnet.
pub(crate) fn guard(tx: &mut Transaction<'_>, vpc_id: VpcId, subnet_id: SubnetId) {
    if let Some(mut acl) = tx.state().default_network_acl(vpc_id).cloned() {
        let id = tx.id();
        acl.associations
            .push(NetworkAclAssociation { id, subnet_id });
        tx.put(acl.id, acl);
    }
}

/// Ends the association of a subnet that goes away.
pub(crate) fn forget_subnet(tx: &mut Transaction<'_>, subnet_id: SubnetId) {
    if let Some(mut acl) = tx.state().network_acl_of(subnet_id).cloned() {
        acl.associations.retain(|a| a.subnet_id != subnet_id);
        tx.put(acl.id, acl);
    }
}

/// Creates a network ACL.
pub(crate) fn create_network_acl(
    tx: &mut Transaction<'_>,
    request: &CreateNetworkAclRequest,
) -> Result<CreateNetworkAclResponse, Error> {
    let plain = CreateNetworkAclRequest {
        client_token: None,
        dry_run: None,
        ..request.clone()
    };
    let id = token::once(tx, ACTION, &request.client_token, &plain, |tx| {
        create(tx, request)
    })?;
    let owner = tx.scope().account.to_string();
    Ok(CreateNetworkAclResponse {
        network_acl: Some(shape(&owner, tx.find(id)?)),
        client_token: request.client_token.clone(),
    })
}

fn create(
    tx: &mut Transaction<'_>,
    request: &CreateNetworkAclRequest,
) -> Result<NetworkAclId, Error> {
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    let vpc = tx.take::<Vpc>(vpc_id)?;
    let siblings = tx.rows::<NetworkAcl>().filter(|acl| acl.vpc_id == vpc_id);
    tx.quotas().network_acls(siblings.count())?;
    let acl = new_acl(tx, &vpc, tags);
    let id = acl.id;
    tx.put(id, acl);
    Ok(id)
}

/// Deletes a network ACL that guards no subnet.
pub(crate) fn delete_network_acl(
    tx: &mut Transaction<'_>,
    request: &DeleteNetworkAclRequest,
) -> Result<DeleteNetworkAclResponse, Error> {
    let id: NetworkAclId = parameter::id(&request.network_acl_id, "networkAclId")?;
    let acl = tx.find::<NetworkAcl>(id)?;
    if acl.is_default {
        return Err(Error::InvalidParameterValue(format!(
            "cannot delete default network ACL {id}"
        )));
    }
    if !acl.associations.is_empty() {
        return Err(Error::DependencyViolation(id.into()));
    }
    tx.delete::<NetworkAcl>(id);
    Ok(DeleteNetworkAclResponse {})
}

/// Makes another network ACL guard a subnet.
pub(crate) fn replace_network_acl_association(
    tx: &mut Transaction<'_>,
    request: &ReplaceNetworkAclAssociationRequest,
) -> Result<ReplaceNetworkAclAssociationResponse, Error> {
    let association_id: NetworkAclAssociationId =
        parameter::id(&request.association_id, "associationId")?;
    let acl_id: NetworkAclId = parameter::id(&request.network_acl_id, "networkAclId")?;
    let found = tx.rows::<NetworkAcl>().find_map(|acl| {
        let association = acl.associations.iter().find(|a| a.id == association_id)?;
        Some(association.subnet_id)
    });
    let subnet_id = found.ok_or(Error::NotFound(association_id.into()))?;
    let vpc_id = tx.find::<NetworkAcl>(acl_id)?.vpc_id;
    if tx.find::<Subnet>(subnet_id)?.vpc_id != vpc_id {
        return Err(Error::InvalidParameterValue(format!(
            "Network ACL {acl_id} and subnet {subnet_id} belong to different networks"
        )));
    }
    forget_subnet(tx, subnet_id);
    let mut acl = tx.take::<NetworkAcl>(acl_id)?;
    let id = tx.id();
    acl.associations
        .push(NetworkAclAssociation { id, subnet_id });
    tx.put(acl_id, acl);
    Ok(ReplaceNetworkAclAssociationResponse {
        new_association_id: Some(id.to_string()),
    })
}

const FILTERS: &[&str] = &[
    "association.association-id",
    "association.network-acl-id",
    "association.subnet-id",
    "default",
    "entry.cidr",
    "entry.egress",
    "entry.icmp.code",
    "entry.icmp.type",
    "entry.ipv6-cidr",
    "entry.port-range.from",
    "entry.port-range.to",
    "entry.protocol",
    "entry.rule-action",
    "entry.rule-number",
    "network-acl-id",
    "owner-id",
    "vpc-id",
];

/// Lists network ACLs.
pub(crate) fn describe_network_acls(
    tx: &mut Transaction<'_>,
    request: &DescribeNetworkAclsRequest,
) -> Result<DescribeNetworkAclsResponse, Error> {
    let ids = &request.network_acl_ids;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        Page::USUAL,
    )?;
    let owner = tx.scope().account.to_string();
    let mut rows = tx.select::<NetworkAcl>(ids)?;
    rows.retain(|acl| filters.matches(&acl.tags, |name| filter_values(&owner, acl, name)));
    let (rows, next_token) = page.take(rows, |acl| acl.id.to_string());
    Ok(DescribeNetworkAclsResponse {
        network_acls: rows.into_iter().map(|acl| shape(&owner, acl)).collect(),
        next_token,
    })
}

fn filter_values(owner: &str, acl: &NetworkAcl, name: &str) -> Vec<String> {
    if let Some(name) = name.strip_prefix("entry.") {
        let entries = acl.entries.iter();
        return entries
            .filter_map(|e| entry::filter_value(e, name))
            .collect();
    }
    let associations = acl.associations.iter();
    match name {
        "association.association-id" => associations.map(|a| a.id.to_string()).collect(),
        "association.network-acl-id" => associations.map(|_| acl.id.to_string()).collect(),
        "association.subnet-id" => associations.map(|a| a.subnet_id.to_string()).collect(),
        "default" => boolean(acl.is_default),
        "network-acl-id" => vec![acl.id.to_string()],
        "owner-id" => vec![owner.to_owned()],
        "vpc-id" => vec![acl.vpc_id.to_string()],
        _ => Vec::new(),
    }
}

fn shape(owner: &str, acl: &NetworkAcl) -> ec2_api::NetworkAcl {
    let association = |a: &NetworkAclAssociation| ec2_api::NetworkAclAssociation {
        network_acl_association_id: Some(a.id.to_string()),
        network_acl_id: Some(acl.id.to_string()),
        subnet_id: Some(a.subnet_id.to_string()),
    };
    ec2_api::NetworkAcl {
        associations: acl.associations.iter().map(association).collect(),
        entries: acl.entries.iter().map(entry::shape).collect(),
        is_default: Some(acl.is_default),
        network_acl_id: Some(acl.id.to_string()),
        tags: tag_set(&acl.tags),
        vpc_id: Some(acl.vpc_id.to_string()),
        owner_id: Some(owner.to_owned()),
    }
}
