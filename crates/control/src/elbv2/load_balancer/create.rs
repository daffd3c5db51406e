//! CreateLoadBalancer: a node with an interface in each subnet.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use elbv2_api::{CreateLoadBalancerRequest, CreateLoadBalancerResponse};
use model::{
    Address, AllocationId, InterfaceType, LoadBalancer, LoadBalancerId, LoadBalancerNode,
    LoadBalancerScheme, LoadBalancerState, SecurityGroupId, Subnet, Tags,
};

use super::super::error::{configuration, unsupported, validation};
use super::super::{name, tag};
use super::{by_name, shape};
use crate::network_interface::{self, AddressRequest};
use crate::{Error, Transaction, address, parameter};

/// The same call a second time answers with what the first made ("CreateLoadBalancer").
pub(crate) fn create_load_balancer(
    tx: &mut Transaction<'_>,
    request: &CreateLoadBalancerRequest,
) -> Result<CreateLoadBalancerResponse, Error> {
    let name = name::check(&request.name, "load balancer")?;
    refuse_unsupported(request)?;
    let scheme = scheme(request)?;
    let places = places(tx, request, scheme)?;
    let first = places.first().map(|place| &place.subnet);
    let groups = match first {
        Some(subnet) if !request.security_groups.is_empty() => {
            let given = parameter::optional_ids(&request.security_groups)?;
            network_interface::groups(tx, &given, subnet)?
        }
        _ => Vec::new(),
    };
    let tags = tag::given(tx, &request.tags)?;
    let id = match by_name(tx, name) {
        Some(other) if is_same(other, scheme, &places, &groups) => other.id,
        Some(_) => return Err(duplicate(name)),
        None => create(tx, name, scheme, places, groups, tags)?,
    };
    let row = tx.state().load_balancers.get(&id);
    Ok(CreateLoadBalancerResponse {
        load_balancers: row
            .map(|row| shape::load_balancer(tx, row))
            .into_iter()
            .collect(),
    })
}

/// Where a node will be.
struct Place {
    subnet: Subnet,
    private_ip: Option<Ipv4Addr>,
    allocation_id: Option<AllocationId>,
}

fn refuse_unsupported(request: &CreateLoadBalancerRequest) -> Result<(), Error> {
    match request.r#type.as_deref().unwrap_or("application") {
        "network" => {}
        kind @ ("application" | "gateway") => {
            return Err(unsupported(format_args!("The load balancer type '{kind}'")));
        }
        other => {
            return Err(validation(format!(
                "1 validation error detected: Value '{other}' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [network, application, gateway]"
            )));
        }
    }
    let ipv6 = request
        .subnet_mappings
        .iter()
        .any(|m| m.ipv6_address.is_some() || m.source_nat_ipv6_prefix.is_some());
    let prefix = request.enable_prefix_for_ipv6_source_nat.as_deref();
    parameter::refuse_unsupported(&[
        (
            request
                .ip_address_type
                .as_deref()
                .is_some_and(|t| t != "ipv4"),
            "IpAddressType",
        ),
        (
            request.customer_owned_ipv4_pool.is_some(),
            "CustomerOwnedIpv4Pool",
        ),
        (
            prefix.is_some_and(|p| p != "off"),
            "EnablePrefixForIpv6SourceNat",
        ),
        (request.ipam_pools.is_some(), "IpamPools"),
        (ipv6, "SubnetMappings.IPv6Address"),
    ])
}

fn scheme(request: &CreateLoadBalancerRequest) -> Result<LoadBalancerScheme, Error> {
    match request.scheme.as_deref() {
        None | Some("internet-facing") => Ok(LoadBalancerScheme::InternetFacing),
        Some("internal") => Ok(LoadBalancerScheme::Internal),
        Some(other) => Err(Error::new(
            "InvalidScheme",
            format!("Scheme '{other}' must be one of 'internet-facing, internal'"),
        )),
    }
}

fn places(
    tx: &Transaction<'_>,
    request: &CreateLoadBalancerRequest,
    scheme: LoadBalancerScheme,
) -> Result<Vec<Place>, Error> {
    if !request.subnets.is_empty() && !request.subnet_mappings.is_empty() {
        return Err(validation(
            "You can specify either subnets or subnet mappings, not both",
        ));
    }
    let mut places = Vec::new();
    for id in parameter::optional_ids(&request.subnets)? {
        places.push(Place {
            subnet: tx.take::<Subnet>(id)?,
            private_ip: None,
            allocation_id: None,
        });
    }
    for mapping in &request.subnet_mappings {
        let text = mapping.private_ipv4_address.as_deref();
        let private_ip = text.map(|text| parameter::ipv4(text, "PrivateIPv4Address"));
        places.push(Place {
            subnet: tx.take::<Subnet>(parameter::id(&mapping.subnet_id, "SubnetId")?)?,
            private_ip: private_ip.transpose()?,
            allocation_id: parameter::optional_id(&mapping.allocation_id)?,
        });
    }
    places.sort_by_key(|place| place.subnet.zone);
    check_subnets(tx, &places, scheme)?;
    check_addresses(tx, &places, scheme)?;
    Ok(places)
}

fn check_subnets(
    tx: &Transaction<'_>,
    places: &[Place],
    scheme: LoadBalancerScheme,
) -> Result<(), Error> {
    let Some(first) = places.first().map(|place| &place.subnet) else {
        return Err(validation("At least one subnet must be specified"));
    };
    if places
        .iter()
        .any(|place| place.subnet.vpc_id != first.vpc_id)
    {
        return Err(configuration(
            "The specified subnets must belong to the same VPC",
        ));
    }
    let zones: BTreeSet<_> = places.iter().map(|place| place.subnet.zone).collect();
    if zones.len() < places.len() {
        return Err(configuration(
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        ));
    }
    let faces_internet = scheme == LoadBalancerScheme::InternetFacing;
    if faces_internet && tx.state().internet_gateway_of(first.vpc_id).is_none() {
        return Err(Error::new(
            "InvalidSubnet",
            format!("VPC {} has no internet gateway", first.vpc_id),
        ));
    }
    if let Some(place) = places.iter().find(|place| place.subnet.ipv6_native) {
        let id = place.subnet.id;
        return Err(Error::new(
            "InvalidSubnet",
            format!("The subnet '{id}' does not have an IPv4 CIDR block"),
        ));
    }
    Ok(())
}

fn check_addresses(
    tx: &Transaction<'_>,
    places: &[Place],
    scheme: LoadBalancerScheme,
) -> Result<(), Error> {
    let internal = scheme == LoadBalancerScheme::Internal;
    for place in places {
        if !internal && place.private_ip.is_some() {
            return Err(configuration(
                "Private IPv4 addresses can only be specified for internal load balancers",
            ));
        }
        let Some(id) = place.allocation_id else {
            continue;
        };
        if internal {
            return Err(configuration(
                "Allocation IDs can only be specified for internet-facing load balancers",
            ));
        }
        if tx.find::<Address>(id)?.association.is_some() {
            return Err(Error::new(
                "ResourceInUse",
                format!("The allocation ID '{id}' is already associated"),
            ));
        }
    }
    let elastic: BTreeSet<_> = places.iter().filter_map(|p| p.allocation_id).collect();
    if elastic.len() < places.iter().filter(|p| p.allocation_id.is_some()).count() {
        return Err(configuration("An allocation ID can only be specified once"));
    }
    Ok(())
}

fn is_same(
    row: &LoadBalancer,
    scheme: LoadBalancerScheme,
    places: &[Place],
    groups: &[SecurityGroupId],
) -> bool {
    let subnets = row.nodes.iter().map(|node| node.subnet_id);
    row.scheme == scheme
        && subnets.eq(places.iter().map(|place| place.subnet.id))
        && row.groups == groups
}

fn duplicate(name: &str) -> Error {
    Error::new(
        "DuplicateLoadBalancerName",
        format!("A load balancer with the same name '{name}' exists, but with different settings"),
    )
}

fn create(
    tx: &mut Transaction<'_>,
    name: &str,
    scheme: LoadBalancerScheme,
    places: Vec<Place>,
    groups: Vec<SecurityGroupId>,
    tags: Tags,
) -> Result<LoadBalancerId, Error> {
    tx.quotas()
        .load_balancers(tx.state().load_balancers.len())?;
    let Some(vpc_id) = places.first().map(|place| place.subnet.vpc_id) else {
        return Err(validation("At least one subnet must be specified"));
    };
    let mut row = LoadBalancer {
        id: LoadBalancerId::new(tx.random() as u64),
        name: name.to_owned(),
        scheme,
        vpc_id,
        nodes: Vec::new(),
        groups,
        enforces_groups_on_private_link: true,
        state: LoadBalancerState::Provisioning,
        cross_zone: false,
        deletion_protection: false,
        created_at: tx.now(),
        tags,
    };
    for place in places {
        let node = node(tx, &row, &place)?;
        row.nodes.push(node);
    }
    let id = row.id;
    tx.put(id, row);
    Ok(id)
}

/// A node's interface is the service's, and says whose it is.
fn node(
    tx: &mut Transaction<'_>,
    of: &LoadBalancer,
    place: &Place,
) -> Result<LoadBalancerNode, Error> {
    let wanted = network_interface::Wanted {
        interface_type: InterfaceType::NetworkLoadBalancer,
        subnet_id: place.subnet.id,
        description: format!("ELB {}", of.path()),
        groups: of.groups.clone(),
        addresses: AddressRequest {
            primary: place.private_ip,
            ipv6_count: Some(0),
            ..AddressRequest::default()
        },
        tags: Tags::new(),
    };
    let eni = network_interface::create(tx, wanted)?;
    if of.scheme == LoadBalancerScheme::InternetFacing {
        address::expose(tx, &eni, place.allocation_id)?;
    }
    Ok(LoadBalancerNode {
        zone: place.subnet.zone,
        subnet_id: place.subnet.id,
        network_interface_id: eni.id,
    })
}
