//! Regions and zones, and what an account's Region starts with.

use ec2_api::{
    AccountAttribute, AccountAttributeValue, DescribeAccountAttributesRequest,
    DescribeAccountAttributesResponse, DescribeAvailabilityZonesRequest,
    DescribeAvailabilityZonesResponse, DescribeRegionsRequest, DescribeRegionsResponse,
};
use ipnet::Ipv4Net;
use model::{AvailabilityZone, InternetGateway, Region, RouteTarget, Tags};

use crate::filter::Filters;
use crate::{Error, Transaction, dhcp_options, internet_gateway, route_table, subnet, vpc};

const NO_OPT_IN: &str = "opt-in-not-required";

const REGION_FILTERS: &[&str] = &["endpoint", "opt-in-status", "region-name"];

const ZONE_FILTERS: &[&str] = &[
    "group-name",
    "message",
    "opt-in-status",
    "parent-zone-id",
    "parent-zone-name",
    "region-name",
    "state",
    "zone-id",
    "zone-name",
    "zone-type",
];

/// Creates the default VPC and all that belongs to it (Amazon VPC User Guide, "Default VPCs").
pub(crate) fn create_default_resources(tx: &mut Transaction<'_>) -> Result<(), Error> {
    dhcp_options::create_default(tx);
    create_default_vpc(tx)
}

/// A VPC with an internet gateway, a way to it, and a subnet in each zone.
pub(crate) fn create_default_vpc(tx: &mut Transaction<'_>) -> Result<(), Error> {
    let cidr = Ipv4Net::new_assert([172, 31, 0, 0].into(), 16);
    let vpc_id = vpc::create(
        tx,
        vpc::NewVpc {
            cidr,
            ipv6_cidr: None,
            instance_tenancy: "default".to_owned(),
            is_default: true,
            tags: Tags::new(),
        },
    )?;
    let gateway_id = internet_gateway::create(tx, Tags::new())?;
    let mut gateway = tx.take::<InternetGateway>(gateway_id)?;
    gateway.vpc_id = Some(vpc_id);
    tx.put(gateway_id, gateway);
    route_table::add_default_route(tx, vpc_id, RouteTarget::InternetGateway(gateway_id));
    let zones = tx.scope().region.zones();
    // A /16 holds sixteen /20 blocks, and no Region has as many zones.
    for (zone, cidr) in zones.zip(cidr.subnets(20).into_iter().flatten()) {
        subnet::create(
            tx,
            subnet::NewSubnet {
                default_for_az: true,
                ..subnet::NewSubnet::new(vpc_id, zone, Some(cidr))
            },
        )?;
    }
    Ok(())
}

/// Lists Regions.
pub(crate) fn describe_regions(
    _: &mut Transaction<'_>,
    request: &DescribeRegionsRequest,
) -> Result<DescribeRegionsResponse, Error> {
    let filters = Filters::parse(&request.filters, REGION_FILTERS)?;
    known(
        &request.region_names,
        |name| Region::all().any(|r| r.name() == name),
        "region names",
    )?;
    let listed = |region: &Region| asked(&request.region_names, region.name());
    let passes = |region: &Region| {
        filters.matches(&Tags::new(), |name| match name {
            "endpoint" => vec![region.endpoint()],
            "opt-in-status" => vec![NO_OPT_IN.to_owned()],
            "region-name" => vec![region.to_string()],
            _ => Vec::new(),
        })
    };
    let shape = |region: Region| ec2_api::Region {
        opt_in_status: Some(NO_OPT_IN.to_owned()),
        region_name: Some(region.to_string()),
        endpoint: Some(region.endpoint()),
        geography: Vec::new(),
    };
    let regions = Region::all().filter(listed).filter(passes);
    Ok(DescribeRegionsResponse {
        regions: regions.map(shape).collect(),
    })
}

/// Lists the zones of the Region.
pub(crate) fn describe_availability_zones(
    tx: &mut Transaction<'_>,
    request: &DescribeAvailabilityZonesRequest,
) -> Result<DescribeAvailabilityZonesResponse, Error> {
    let region = tx.scope().region;
    let filters = Filters::parse(&request.filters, ZONE_FILTERS)?;
    let (names, ids) = (&request.zone_names, &request.zone_ids);
    let has_name = |name: &str| region.zones().any(|z| z.to_string() == name);
    let has_id = |id: &str| region.zones().any(|z| z.zone_id() == id);
    known(names, has_name, "availability zone")?;
    known(ids, has_id, "availability zone-id")?;
    let listed =
        |zone: &AvailabilityZone| asked(names, &zone.to_string()) && asked(ids, &zone.zone_id());
    let passes = |zone: &AvailabilityZone| {
        filters.matches(&Tags::new(), |name| zone_filter_values(*zone, name))
    };
    let zones = region.zones().filter(listed).filter(passes);
    Ok(DescribeAvailabilityZonesResponse {
        availability_zones: zones.map(zone_shape).collect(),
    })
}

fn zone_filter_values(zone: AvailabilityZone, name: &str) -> Vec<String> {
    let value = match name {
        "group-name" => zone.group_name(),
        "opt-in-status" => NO_OPT_IN.to_owned(),
        "region-name" => zone.region.to_string(),
        "state" => "available".to_owned(),
        "zone-id" => zone.zone_id(),
        "zone-name" => zone.to_string(),
        "zone-type" => "availability-zone".to_owned(),
        _ => return Vec::new(),
    };
    vec![value]
}

fn zone_shape(zone: AvailabilityZone) -> ec2_api::AvailabilityZone {
    ec2_api::AvailabilityZone {
        opt_in_status: Some(NO_OPT_IN.to_owned()),
        region_name: Some(zone.region.to_string()),
        zone_name: Some(zone.to_string()),
        zone_id: Some(zone.zone_id()),
        group_name: Some(zone.group_name()),
        network_border_group: Some(zone.region.to_string()),
        zone_type: Some("availability-zone".to_owned()),
        state: Some("available".to_owned()),
        ..Default::default()
    }
}

/// Lists what the account may do in the Region.
pub(crate) fn describe_account_attributes(
    tx: &mut Transaction<'_>,
    request: &DescribeAccountAttributesRequest,
) -> Result<DescribeAccountAttributesResponse, Error> {
    let default_vpc = tx.state().default_vpc();
    let default_vpc = default_vpc.map_or_else(|| "none".to_owned(), |vpc| vpc.id.to_string());
    let quotas = tx.quotas();
    let attributes = [
        ("supported-platforms", "VPC".to_owned()),
        (
            "vpc-max-security-groups-per-interface",
            quotas.security_groups_per_interface.to_string(),
        ),
        ("max-elastic-ips", quotas.addresses.to_string()),
        ("max-instances", quotas.instances.to_string()),
        ("vpc-max-elastic-ips", quotas.addresses.to_string()),
        ("default-vpc", default_vpc),
    ];
    let names = &request.attribute_names;
    let has_name = |name: &str| attributes.iter().any(|(own, _)| *own == name);
    if let Some(name) = names.iter().find(|name| !has_name(name)) {
        return Err(Error::invalid_value(
            "attributeName",
            name,
            "Unknown attribute.",
        ));
    }
    let listed = attributes
        .into_iter()
        .filter(|(name, _)| asked(names, name));
    let shape = |(name, value): (&str, String)| AccountAttribute {
        attribute_name: Some(name.to_owned()),
        attribute_values: vec![AccountAttributeValue {
            attribute_value: Some(value),
        }],
    };
    Ok(DescribeAccountAttributesResponse {
        account_attributes: listed.map(shape).collect(),
    })
}

/// Whether a list names something; an empty list names everything.
fn asked(names: &[String], name: &str) -> bool {
    names.is_empty() || names.iter().any(|n| n == name)
}

/// Refuses names that stand for nothing.
fn known(names: &[String], exists: impl Fn(&str) -> bool, what: &str) -> Result<(), Error> {
    let unknown: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|n| !exists(n))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::InvalidParameterValue(format!(
        "Invalid {what}: [{}]",
        unknown.join(", ")
    )))
}
