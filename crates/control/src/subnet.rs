//! Subnets (Amazon VPC User Guide, "Subnet CIDR blocks" and "Subnets for your VPC").

mod attribute;
mod cidr_block;
mod cidr_reservation;

use ec2_api::{
    BlockPublicAccessStates, CreateDefaultSubnetRequest, CreateDefaultSubnetResponse,
    CreateSubnetRequest, CreateSubnetResponse, DeleteSubnetRequest, DeleteSubnetResponse,
    DescribeSubnetsRequest, DescribeSubnetsResponse, PrivateDnsNameOptionsOnLaunch,
};
use ipnet::{Ipv4Net, Ipv6Net};
use model::subnet::SubnetIpv6CidrBlock;
use model::{AvailabilityZone, FlowLogResource, Owner, State, Subnet, SubnetId, Tags, Vpc, VpcId};

pub(crate) use attribute::modify_subnet_attribute;
pub(crate) use cidr_block::{associate_subnet_cidr_block, disassociate_subnet_cidr_block};
pub(crate) use cidr_reservation::{
    create_subnet_cidr_reservation, delete_subnet_cidr_reservation, get_subnet_cidr_reservations,
    of_subnet as cidr_reservations,
};

use crate::filter::{Filters, boolean, optional};
use crate::page::Page;
use crate::tag::{from_specifications, tag_set};
use crate::{Error, Transaction, flow_log, network_acl, parameter, route_table};

const TYPE: &str = "subnet";

/// The first four addresses and the last.
const RESERVED: usize = 5;

/// What a subnet is made from.
pub(crate) struct NewSubnet {
    pub(crate) vpc_id: VpcId,
    pub(crate) zone: AvailabilityZone,
    pub(crate) cidr: Option<Ipv4Net>,
    pub(crate) ipv6_cidr: Option<Ipv6Net>,
    pub(crate) default_for_az: bool,
    pub(crate) tags: Tags,
}

impl NewSubnet {
    /// A subnet with IPv4 only.
    pub(crate) fn new(vpc_id: VpcId, zone: AvailabilityZone, cidr: Option<Ipv4Net>) -> Self {
        Self {
            vpc_id,
            zone,
            cidr,
            ipv6_cidr: None,
            default_for_az: false,
            tags: Tags::new(),
        }
    }
}

/// Creates a subnet, guarded by the VPC's default network ACL.
pub(crate) fn create(tx: &mut Transaction<'_>, new: NewSubnet) -> Result<SubnetId, Error> {
    let siblings = tx.rows::<Subnet>().filter(|s| s.vpc_id == new.vpc_id);
    tx.quotas().subnets(siblings.count())?;
    let id = tx.id();
    let ipv6_cidr_blocks = new.ipv6_cidr.map(|cidr| SubnetIpv6CidrBlock {
        association_id: tx.id(),
        cidr,
    });
    let ipv6_native = new.cidr.is_none();
    let subnet = Subnet {
        id,
        vpc_id: new.vpc_id,
        cidr: new.cidr,
        ipv6_cidr_blocks: ipv6_cidr_blocks.into_iter().collect(),
        zone: new.zone,
        default_for_az: new.default_for_az,
        map_public_ip_on_launch: new.default_for_az,
        assign_ipv6_address_on_creation: ipv6_native,
        enable_dns64: false,
        ipv6_native,
        hostname_type: if ipv6_native {
            "resource-name".to_owned()
        } else {
            "ip-name".to_owned()
        },
        enable_resource_name_dns_a_record: false,
        enable_resource_name_dns_aaaa_record: false,
        tags: new.tags,
    };
    tx.put(id, subnet);
    network_acl::guard(tx, new.vpc_id, id);
    Ok(id)
}

/// Creates a subnet.
pub(crate) fn create_subnet(
    tx: &mut Transaction<'_>,
    request: &CreateSubnetRequest,
) -> Result<CreateSubnetResponse, Error> {
    parameter::refuse_unsupported(&[
        (request.ipv4_ipam_pool_id.is_some(), "ipv4IpamPoolId"),
        (request.ipv4_netmask_length.is_some(), "ipv4NetmaskLength"),
        (request.ipv6_ipam_pool_id.is_some(), "ipv6IpamPoolId"),
        (request.ipv6_netmask_length.is_some(), "ipv6NetmaskLength"),
        (request.outpost_arn.is_some(), "outpostArn"),
    ])?;
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    let (cidr, ipv6_cidr) = blocks(request)?;
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    let vpc = tx.find::<Vpc>(vpc_id)?;
    let zone = zone(tx, vpc_id, request)?;
    if let Some(cidr) = cidr {
        cidr_block::check_ipv4(tx, vpc, cidr)?;
    }
    if let Some(cidr) = ipv6_cidr {
        cidr_block::check_ipv6(tx, vpc, cidr)?;
    }
    let new = NewSubnet {
        ipv6_cidr,
        tags,
        ..NewSubnet::new(vpc_id, zone, cidr)
    };
    let id = create(tx, new)?;
    let mut subnet = shape(tx, tx.find(id)?);
    for block in &mut subnet.ipv6_cidr_block_association_set {
        block.ipv6_cidr_block_state = Some(cidr_block::state("associating"));
    }
    Ok(CreateSubnetResponse {
        subnet: Some(subnet),
    })
}

/// Creates the default subnet of a zone that has none any more: a /20 of the default VPC ("Create a default subnet").
pub(crate) fn create_default_subnet(
    tx: &mut Transaction<'_>,
    request: &CreateDefaultSubnetRequest,
) -> Result<CreateDefaultSubnetResponse, Error> {
    let native = request.ipv6_native == Some(true);
    parameter::refuse_unsupported(&[(native, "ipv6Native")])?;
    let zones = || tx.scope().region.zones();
    let zone = match (&request.availability_zone, &request.availability_zone_id) {
        (Some(name), None) => zones().find(|zone| zone.to_string() == *name),
        (None, Some(id)) => zones().find(|zone| zone.zone_id() == *id),
        (None, None) => return Err(Error::MissingParameter("AvailabilityZone")),
        (Some(_), Some(_)) => {
            return Err(Error::InvalidParameterCombination(
                "The parameters availabilityZone and availabilityZoneId cannot be used together"
                    .to_owned(),
            ));
        }
    };
    let zone = zone.ok_or_else(|| {
        let given = request.availability_zone.as_deref();
        let given = given.or(request.availability_zone_id.as_deref());
        Error::invalid_value("availabilityZone", given.unwrap_or_default(), "")
    })?;
    let vpc = tx.state().default_vpc().ok_or_else(|| {
        Error::new(
            "DefaultVpcDoesNotExist",
            "No default VPC exists for this account in this region.",
        )
    })?;
    let has_one = |subnet: &Subnet| subnet.default_for_az && subnet.zone == zone;
    if tx.rows::<Subnet>().any(has_one) {
        return Err(Error::new(
            "DefaultSubnetAlreadyExistsInAvailabilityZone",
            format!("'{zone}' already has a default subnet."),
        ));
    }
    let blocks = vpc
        .cidr_blocks
        .iter()
        .filter_map(|b| b.cidr.subnets(20).ok());
    let free = blocks
        .flatten()
        .find(|cidr| cidr_block::check_ipv4(tx, vpc, *cidr).is_ok());
    let cidr = free.ok_or_else(|| {
        Error::new(
            "InsufficientCidrBlocks",
            "There are no more IPv4 CIDR blocks for a default subnet in the default VPC.",
        )
    })?;
    let new = NewSubnet {
        default_for_az: true,
        ..NewSubnet::new(vpc.id, zone, Some(cidr))
    };
    let id = create(tx, new)?;
    Ok(CreateDefaultSubnetResponse {
        subnet: Some(shape(tx, tx.find(id)?)),
    })
}

/// The blocks that a request asks for: IPv4, both, or IPv6 only.
fn blocks(request: &CreateSubnetRequest) -> Result<(Option<Ipv4Net>, Option<Ipv6Net>), Error> {
    let native = request.ipv6_native == Some(true);
    let cidr = match &request.cidr_block {
        Some(_) if native => {
            return Err(Error::InvalidParameterCombination(
                "The parameter cidrBlock cannot be used with the parameter ipv6Native".to_owned(),
            ));
        }
        Some(text) => Some(parameter::ipv4_net(text, "cidrBlock")?),
        None if native => None,
        None => return Err(Error::MissingParameter("cidrBlock")),
    };
    let ipv6_cidr = request
        .ipv6_cidr_block
        .as_ref()
        .map(|text| parameter::ipv6_net(text, "ipv6CidrBlock"))
        .transpose()?;
    if native && ipv6_cidr.is_none() {
        return Err(Error::MissingParameter("ipv6CidrBlock"));
    }
    Ok((cidr, ipv6_cidr))
}

/// The zone that a request names, else the one where the VPC has the fewest subnets.
fn zone(
    tx: &Transaction<'_>,
    vpc_id: VpcId,
    request: &CreateSubnetRequest,
) -> Result<AvailabilityZone, Error> {
    let zones = || tx.scope().region.zones();
    let name = request.availability_zone.as_deref();
    let zone_id = request.availability_zone_id.as_deref();
    let named = match (name, zone_id) {
        (Some(_), Some(_)) => {
            return Err(Error::InvalidParameterCombination(
                "The parameters availabilityZone and availabilityZoneId cannot be used together"
                    .to_owned(),
            ));
        }
        (Some(name), None) => zones().find(|z| z.to_string() == name),
        (None, Some(id)) => zones().find(|z| z.zone_id() == id),
        (None, None) => zones().min_by_key(|zone| {
            let there = |s: &&Subnet| s.vpc_id == vpc_id && s.zone == *zone;
            tx.rows::<Subnet>().filter(there).count()
        }),
    };
    named.ok_or_else(|| {
        let (parameter, value, all) = match name {
            Some(name) => {
                let all: Vec<_> = zones().map(|z| z.to_string()).collect();
                ("availabilityZone", name, all)
            }
            None => {
                let all: Vec<_> = zones().map(AvailabilityZone::zone_id).collect();
                ("availabilityZoneId", zone_id.unwrap_or_default(), all)
            }
        };
        let why = format!(
            "Subnets can currently only be created in the following availability zones: {}.",
            all.join(", ")
        );
        Error::invalid_value(parameter, value, &why)
    })
}

/// Deletes a subnet without network interfaces.
pub(crate) fn delete_subnet(
    tx: &mut Transaction<'_>,
    request: &DeleteSubnetRequest,
) -> Result<DeleteSubnetResponse, Error> {
    let id: SubnetId = parameter::id(&request.subnet_id, "subnetId")?;
    tx.find::<Subnet>(id)?;
    if tx.state().network_interfaces.has_any(Owner::Subnet(id)) {
        return Err(Error::DependencyViolation(id.into()));
    }
    cidr_reservation::forget_subnet(tx, id);
    route_table::forget_subnet(tx, id);
    network_acl::forget_subnet(tx, id);
    tx.delete::<Subnet>(id);
    flow_log::delete_for(tx, FlowLogResource::Subnet(id));
    Ok(DeleteSubnetResponse {})
}

/// How many IPv4 addresses of a subnet are free.
pub(crate) fn available_ip_address_count(state: &State, subnet: &Subnet) -> usize {
    let size = subnet.cidr.map_or(0, |c| 1_usize << (32 - c.prefix_len()));
    let used = state.network_interfaces.ipv4_taken(subnet.id);
    size.saturating_sub(RESERVED + used)
}

/// AWS's present names, and after them the older ones that it still takes.
const FILTERS: &[&str] = &[
    "availability-zone",
    "availability-zone-id",
    "available-ip-address-count",
    "cidr-block",
    "default-for-az",
    "enable-dns64",
    "ipv6-cidr-block-association.association-id",
    "ipv6-cidr-block-association.ipv6-cidr-block",
    "ipv6-cidr-block-association.state",
    "ipv6-native",
    "map-public-ip-on-launch",
    "owner-id",
    "private-dns-name-options-on-launch.enable-resource-name-dns-a-record",
    "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record",
    "private-dns-name-options-on-launch.hostname-type",
    "state",
    "subnet-arn",
    "subnet-id",
    "vpc-id",
    "availabilityZone",
    "availabilityZoneId",
    "cidr",
    "cidrBlock",
    "defaultForAz",
];

/// Lists subnets.
pub(crate) fn describe_subnets(
    tx: &mut Transaction<'_>,
    request: &DescribeSubnetsRequest,
) -> Result<DescribeSubnetsResponse, Error> {
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !request.subnet_ids.is_empty(),
        Page::USUAL,
    )?;
    let mut rows = tx.select::<Subnet>(&request.subnet_ids)?;
    rows.retain(|subnet| filters.matches(&subnet.tags, |name| filter_values(tx, subnet, name)));
    let (rows, next_token) = page.take(rows, |subnet| subnet.id.to_string());
    Ok(DescribeSubnetsResponse {
        next_token,
        subnets: rows.into_iter().map(|subnet| shape(tx, subnet)).collect(),
    })
}

fn filter_values(tx: &Transaction<'_>, subnet: &Subnet, name: &str) -> Vec<String> {
    let v6 = subnet.ipv6_cidr_blocks.iter();
    match name {
        "availability-zone" | "availabilityZone" => vec![subnet.zone.to_string()],
        "availability-zone-id" | "availabilityZoneId" => vec![subnet.zone.zone_id()],
        "available-ip-address-count" => {
            vec![available_ip_address_count(tx.state(), subnet).to_string()]
        }
        "cidr-block" | "cidr" | "cidrBlock" => optional(subnet.cidr),
        "default-for-az" | "defaultForAz" => boolean(subnet.default_for_az),
        "enable-dns64" => boolean(subnet.enable_dns64),
        "ipv6-cidr-block-association.association-id" => {
            v6.map(|b| b.association_id.to_string()).collect()
        }
        "ipv6-cidr-block-association.ipv6-cidr-block" => v6.map(|b| b.cidr.to_string()).collect(),
        "ipv6-cidr-block-association.state" => v6.map(|_| "associated".to_owned()).collect(),
        "ipv6-native" => boolean(subnet.ipv6_native),
        "map-public-ip-on-launch" => boolean(subnet.map_public_ip_on_launch),
        "owner-id" => vec![tx.scope().account.to_string()],
        "private-dns-name-options-on-launch.enable-resource-name-dns-a-record" => {
            boolean(subnet.enable_resource_name_dns_a_record)
        }
        "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record" => {
            boolean(subnet.enable_resource_name_dns_aaaa_record)
        }
        "private-dns-name-options-on-launch.hostname-type" => vec![subnet.hostname_type.clone()],
        "state" => vec!["available".to_owned()],
        "subnet-arn" => vec![arn(tx, subnet)],
        "subnet-id" => vec![subnet.id.to_string()],
        "vpc-id" => vec![subnet.vpc_id.to_string()],
        _ => Vec::new(),
    }
}

fn arn(tx: &Transaction<'_>, subnet: &Subnet) -> String {
    tx.scope().arn(format!("subnet/{}", subnet.id))
}

fn shape(tx: &Transaction<'_>, subnet: &Subnet) -> ec2_api::Subnet {
    let free = available_ip_address_count(tx.state(), subnet);
    let block = |block| cidr_block::shape(block, "associated");
    ec2_api::Subnet {
        availability_zone_id: Some(subnet.zone.zone_id()),
        map_customer_owned_ip_on_launch: Some(false),
        owner_id: Some(tx.scope().account.to_string()),
        assign_ipv6_address_on_creation: Some(subnet.assign_ipv6_address_on_creation),
        ipv6_cidr_block_association_set: subnet.ipv6_cidr_blocks.iter().map(block).collect(),
        tags: tag_set(&subnet.tags),
        subnet_arn: Some(arn(tx, subnet)),
        enable_dns64: Some(subnet.enable_dns64),
        ipv6_native: Some(subnet.ipv6_native),
        private_dns_name_options_on_launch: Some(PrivateDnsNameOptionsOnLaunch {
            hostname_type: Some(subnet.hostname_type.clone()),
            enable_resource_name_dns_a_record: Some(subnet.enable_resource_name_dns_a_record),
            enable_resource_name_dns_aaaa_record: Some(subnet.enable_resource_name_dns_aaaa_record),
        }),
        block_public_access_states: Some(BlockPublicAccessStates {
            internet_gateway_block_mode: Some("off".to_owned()),
        }),
        subnet_id: Some(subnet.id.to_string()),
        state: Some("available".to_owned()),
        vpc_id: Some(subnet.vpc_id.to_string()),
        cidr_block: subnet.cidr.map(|cidr| cidr.to_string()),
        available_ip_address_count: Some(i32::try_from(free).unwrap_or(i32::MAX)),
        availability_zone: Some(subnet.zone.to_string()),
        default_for_az: Some(subnet.default_for_az),
        map_public_ip_on_launch: Some(subnet.map_public_ip_on_launch),
        ..Default::default()
    }
}
