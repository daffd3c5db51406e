//! VPCs (Amazon VPC User Guide, "VPC CIDR blocks" and "View and update DNS attributes").

mod cidr_block;

use ec2_api::{
    AttributeBooleanValue, BlockPublicAccessStates, CreateDefaultVpcRequest,
    CreateDefaultVpcResponse, CreateVpcRequest, CreateVpcResponse, DeleteVpcRequest,
    DeleteVpcResponse, DescribeVpcAttributeRequest, DescribeVpcAttributeResponse,
    DescribeVpcsRequest, DescribeVpcsResponse, ModifyVpcAttributeRequest,
    ModifyVpcAttributeResponse,
};
use ipnet::{Ipv4Net, Ipv6Net};
use model::vpc::VpcCidrBlock;
use model::{
    FlowLogResource, NetworkAcl, Owner, RouteTable, Scope, SecurityGroup, Subnet, Tags, Vpc,
    VpcEndpoint, VpcId,
};

pub(crate) use cidr_block::{associate_vpc_cidr_block, disassociate_vpc_cidr_block};

use crate::filter::{Filters, boolean, optional};
use crate::page::Page;
use crate::tag::{from_specifications, tag_set};
use crate::{
    Error, Transaction, dhcp_options, egress_only_internet_gateway, flow_log, nat_gateway,
    network_acl, parameter, region, route_table, security_group, vpc_peering_connection,
};

const TYPE: &str = "vpc";

/// What a VPC is made from.
pub(crate) struct NewVpc {
    pub(crate) cidr: Ipv4Net,
    pub(crate) ipv6_cidr: Option<Ipv6Net>,
    pub(crate) instance_tenancy: String,
    pub(crate) is_default: bool,
    pub(crate) tags: Tags,
}

/// Creates a VPC with its main route table, default network ACL and default security group.
pub(crate) fn create(tx: &mut Transaction<'_>, new: NewVpc) -> Result<VpcId, Error> {
    tx.quotas().vpcs(tx.rows::<Vpc>().count())?;
    let id = tx.id();
    let cidr_blocks = vec![VpcCidrBlock {
        association_id: tx.id(),
        cidr: new.cidr,
    }];
    let ipv6_cidr_blocks = new.ipv6_cidr.map(|cidr| VpcCidrBlock {
        association_id: tx.id(),
        cidr,
    });
    let vpc = Vpc {
        id,
        cidr_blocks,
        ipv6_cidr_blocks: ipv6_cidr_blocks.into_iter().collect(),
        dhcp_options_id: dhcp_options::default_set(tx),
        instance_tenancy: new.instance_tenancy,
        is_default: new.is_default,
        enable_dns_support: true,
        enable_dns_hostnames: new.is_default,
        enable_network_address_usage_metrics: false,
        tags: new.tags,
    };
    tx.put(id, vpc.clone());
    route_table::create_main(tx, &vpc);
    network_acl::create_default(tx, &vpc);
    security_group::create_default(tx, &vpc);
    Ok(id)
}

/// Creates a VPC.
pub(crate) fn create_vpc(
    tx: &mut Transaction<'_>,
    request: &CreateVpcRequest,
) -> Result<CreateVpcResponse, Error> {
    parameter::refuse_unsupported(&[
        (request.ipv4_ipam_pool_id.is_some(), "ipv4IpamPoolId"),
        (request.ipv4_netmask_length.is_some(), "ipv4NetmaskLength"),
        (request.ipv6_ipam_pool_id.is_some(), "ipv6IpamPoolId"),
        (request.ipv6_netmask_length.is_some(), "ipv6NetmaskLength"),
        (request.ipv6_pool.is_some(), "ipv6Pool"),
        (request.ipv6_cidr_block.is_some(), "ipv6CidrBlock"),
        (
            request.vpc_encryption_control.is_some(),
            "vpcEncryptionControl",
        ),
    ])?;
    let cidr = parameter::required(&request.cidr_block, "cidrBlock")?;
    let cidr = parameter::ipv4_net(cidr, "cidrBlock")?;
    cidr_block::check_range(cidr)?;
    let instance_tenancy = tenancy(&request.instance_tenancy)?;
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    let wants_ipv6 = request.amazon_provided_ipv6_cidr_block == Some(true);
    cidr_block::check_border_group(
        tx,
        &request.ipv6_cidr_block_network_border_group,
        wants_ipv6,
    )?;
    let ipv6_cidr = wants_ipv6.then(|| cidr_block::choose_ipv6(tx));
    let id = create(
        tx,
        NewVpc {
            cidr,
            ipv6_cidr,
            instance_tenancy,
            is_default: false,
            tags,
        },
    )?;
    let mut vpc = shape(tx.scope(), tx.find(id)?);
    vpc.state = Some("pending".to_owned());
    for block in &mut vpc.ipv6_cidr_block_association_set {
        block.ipv6_cidr_block_state = Some(cidr_block::state("associating"));
    }
    Ok(CreateVpcResponse { vpc: Some(vpc) })
}

/// Creates the Region's default VPC again, with all that belongs to it ("Create a default VPC").
pub(crate) fn create_default_vpc(
    tx: &mut Transaction<'_>,
    _: &CreateDefaultVpcRequest,
) -> Result<CreateDefaultVpcResponse, Error> {
    if tx.state().default_vpc().is_some() {
        return Err(Error::new(
            "DefaultVpcAlreadyExists",
            "A Default VPC already exists for this account in this region.",
        ));
    }
    region::create_default_vpc(tx)?;
    let vpc = tx.state().default_vpc();
    Ok(CreateDefaultVpcResponse {
        vpc: vpc.map(|vpc| shape(tx.scope(), vpc)),
    })
}

fn tenancy(given: &Option<String>) -> Result<String, Error> {
    match given.as_deref().unwrap_or("default") {
        known @ ("default" | "dedicated") => Ok(known.to_owned()),
        other => Err(Error::new(
            "UnsupportedTenancy",
            format!("The tenancy value {other} is not supported."),
        )),
    }
}

/// Deletes a VPC that nothing is left in, with what was created along with it.
pub(crate) fn delete_vpc(
    tx: &mut Transaction<'_>,
    request: &DeleteVpcRequest,
) -> Result<DeleteVpcResponse, Error> {
    let id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    tx.find::<Vpc>(id)?;
    let state = tx.state();
    let blocked = tx.rows::<Subnet>().any(|s| s.vpc_id == id)
        || state.network_interfaces.has_any(Owner::Vpc(id))
        || state.internet_gateway_of(id).is_some()
        || egress_only_internet_gateway::any_in(tx, id)
        || nat_gateway::any_in(tx, id)
        || tx
            .rows::<SecurityGroup>()
            .any(|g| g.vpc_id == id && !g.is_default())
        || tx
            .rows::<RouteTable>()
            .any(|t| t.vpc_id == id && !t.is_main())
        || tx.rows::<VpcEndpoint>().any(|e| e.vpc_id == id)
        || tx
            .rows::<NetworkAcl>()
            .any(|acl| acl.vpc_id == id && !acl.is_default);
    if blocked {
        return Err(Error::DependencyViolation(id.into()));
    }
    vpc_peering_connection::delete_with_vpc(tx, id)?;
    let state = tx.state();
    let table = state.main_route_table(id).map(|t| t.id);
    let acl = state.default_network_acl(id).map(|acl| acl.id);
    let group = state.default_security_group(id).map(|g| g.id);
    if let Some(table) = table {
        tx.delete::<RouteTable>(table);
    }
    if let Some(acl) = acl {
        tx.delete::<NetworkAcl>(acl);
    }
    if let Some(group) = group {
        tx.delete::<SecurityGroup>(group);
    }
    security_group::forget_vpc(tx, id);
    tx.delete::<Vpc>(id);
    flow_log::delete_for(tx, FlowLogResource::Vpc(id));
    Ok(DeleteVpcResponse {})
}

/// Changes exactly one attribute.
pub(crate) fn modify_vpc_attribute(
    tx: &mut Transaction<'_>,
    request: &ModifyVpcAttributeRequest,
) -> Result<ModifyVpcAttributeResponse, Error> {
    let mut vpc = tx.take::<Vpc>(parameter::id(&request.vpc_id, "vpcId")?)?;
    let given = [
        ("enableDnsHostnames", &request.enable_dns_hostnames),
        ("enableDnsSupport", &request.enable_dns_support),
        (
            "enableNetworkAddressUsageMetrics",
            &request.enable_network_address_usage_metrics,
        ),
    ];
    let given: Vec<_> = given
        .into_iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| (name, value)))
        .collect();
    let (name, value) = match given.as_slice() {
        [one] => *one,
        several => return Err(not_one_attribute(several.iter().map(|(name, _)| *name))),
    };
    let value = *parameter::required(&value.value, "Value")?;
    match name {
        "enableDnsHostnames" if value && !vpc.enable_dns_support => {
            return Err(Error::invalid_value(
                "enableDnsHostnames",
                value,
                "To enable DNS hostnames, you must first enable DNS support for the VPC.",
            ));
        }
        "enableDnsHostnames" => vpc.enable_dns_hostnames = value,
        "enableDnsSupport" => vpc.enable_dns_support = value,
        _ => vpc.enable_network_address_usage_metrics = value,
    }
    tx.put(vpc.id, vpc);
    Ok(ModifyVpcAttributeResponse {})
}

/// The refusal of a Modify action that names no attribute, or several.
pub(crate) fn not_one_attribute<'a>(names: impl Iterator<Item = &'a str>) -> Error {
    let names: Vec<&str> = names.collect();
    Error::InvalidParameterCombination(if names.is_empty() {
        "No attributes specified.".to_owned()
    } else {
        format!(
            "Fields for multiple attribute types specified: {}",
            names.join(", ")
        )
    })
}

/// Tells one attribute.
pub(crate) fn describe_vpc_attribute(
    tx: &mut Transaction<'_>,
    request: &DescribeVpcAttributeRequest,
) -> Result<DescribeVpcAttributeResponse, Error> {
    let id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    let attribute = parameter::required(&request.attribute, "attribute")?;
    let known = [
        "enableDnsSupport",
        "enableDnsHostnames",
        "enableNetworkAddressUsageMetrics",
    ];
    parameter::one_of(attribute, "attribute", &known)?;
    let vpc = tx.find::<Vpc>(id)?;
    let show = |name: &str, value: bool| {
        (attribute == name).then_some(AttributeBooleanValue { value: Some(value) })
    };
    Ok(DescribeVpcAttributeResponse {
        enable_dns_hostnames: show("enableDnsHostnames", vpc.enable_dns_hostnames),
        enable_dns_support: show("enableDnsSupport", vpc.enable_dns_support),
        enable_network_address_usage_metrics: show(
            "enableNetworkAddressUsageMetrics",
            vpc.enable_network_address_usage_metrics,
        ),
        vpc_id: Some(id.to_string()),
    })
}

/// AWS's present names, and after them the older ones that it still takes.
const FILTERS: &[&str] = &[
    "cidr",
    "cidr-block-association.association-id",
    "cidr-block-association.cidr-block",
    "cidr-block-association.state",
    "dhcp-options-id",
    "ipv6-cidr-block-association.association-id",
    "ipv6-cidr-block-association.ipv6-cidr-block",
    "ipv6-cidr-block-association.ipv6-pool",
    "ipv6-cidr-block-association.state",
    "is-default",
    "owner-id",
    "state",
    "vpc-id",
    "cidr-block",
    "cidrBlock",
    "dhcpOptionsId",
    "isDefault",
];

/// Lists VPCs.
pub(crate) fn describe_vpcs(
    tx: &mut Transaction<'_>,
    request: &DescribeVpcsRequest,
) -> Result<DescribeVpcsResponse, Error> {
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !request.vpc_ids.is_empty(),
        Page::USUAL,
    )?;
    let scope = tx.scope();
    let mut rows = tx.select::<Vpc>(&request.vpc_ids)?;
    rows.retain(|vpc| filters.matches(&vpc.tags, |name| filter_values(scope, vpc, name)));
    let (rows, next_token) = page.take(rows, |vpc| vpc.id.to_string());
    Ok(DescribeVpcsResponse {
        next_token,
        vpcs: rows.into_iter().map(|vpc| shape(scope, vpc)).collect(),
    })
}

fn filter_values(scope: Scope, vpc: &Vpc, name: &str) -> Vec<String> {
    let (v4, v6) = (vpc.cidr_blocks.iter(), vpc.ipv6_cidr_blocks.iter());
    match name {
        "cidr" | "cidr-block" | "cidrBlock" => optional(vpc.primary_cidr()),
        "cidr-block-association.association-id" => {
            v4.map(|b| b.association_id.to_string()).collect()
        }
        "cidr-block-association.cidr-block" => v4.map(|b| b.cidr.to_string()).collect(),
        "cidr-block-association.state" => v4.map(|_| "associated".to_owned()).collect(),
        "dhcp-options-id" | "dhcpOptionsId" => vec![dhcp_options_id(vpc)],
        "ipv6-cidr-block-association.association-id" => {
            v6.map(|b| b.association_id.to_string()).collect()
        }
        "ipv6-cidr-block-association.ipv6-cidr-block" => v6.map(|b| b.cidr.to_string()).collect(),
        "ipv6-cidr-block-association.ipv6-pool" => v6.map(|_| "Amazon".to_owned()).collect(),
        "ipv6-cidr-block-association.state" => v6.map(|_| "associated".to_owned()).collect(),
        "is-default" | "isDefault" => boolean(vpc.is_default),
        "owner-id" => vec![scope.account.to_string()],
        "state" => vec!["available".to_owned()],
        "vpc-id" => vec![vpc.id.to_string()],
        _ => Vec::new(),
    }
}

/// `default` stands for no set.
fn dhcp_options_id(vpc: &Vpc) -> String {
    vpc.dhcp_options_id
        .map_or_else(|| "default".to_owned(), |id| id.to_string())
}

fn shape(scope: Scope, vpc: &Vpc) -> ec2_api::Vpc {
    let v4 = |block| cidr_block::ipv4_shape(block, "associated");
    let v6 = |block| cidr_block::ipv6_shape(scope.region, block, "associated");
    ec2_api::Vpc {
        owner_id: Some(scope.account.to_string()),
        instance_tenancy: Some(vpc.instance_tenancy.clone()),
        ipv6_cidr_block_association_set: vpc.ipv6_cidr_blocks.iter().map(v6).collect(),
        cidr_block_association_set: vpc.cidr_blocks.iter().map(v4).collect(),
        is_default: Some(vpc.is_default),
        encryption_control: None,
        tags: tag_set(&vpc.tags),
        block_public_access_states: Some(BlockPublicAccessStates {
            internet_gateway_block_mode: Some("off".to_owned()),
        }),
        vpc_id: Some(vpc.id.to_string()),
        state: Some("available".to_owned()),
        cidr_block: vpc.primary_cidr().map(|cidr| cidr.to_string()),
        dhcp_options_id: Some(dhcp_options_id(vpc)),
    }
}
