//! Regional NAT gateways: in no subnet and without a network interface, with Elastic IP addresses for each zone ("Regional
//! NAT gateways for automatic multi-AZ expansion").
//!
//! An automatic gateway follows the VPC's network interfaces: into a zone that has some, with an address of its own, and
//! out of one that has none any more.

use std::collections::BTreeSet;

use ec2_api::CreateNatGatewayRequest;
use model::{
    AllocationId, Availability, AvailabilityZone, Connectivity, NatGateway, NatGatewayAddress,
    NatGatewayElasticIp, NatGatewayId, NatGatewayState, Owner, RouteTableId, RouteTarget, State,
    Tags, Vpc, VpcId,
};

use super::address::DRAIN_SECS;
use super::create::{free_allocations, no_internet_gateway};
use crate::{Error, Transaction, address, parameter, route_table, tag};

const TYPE: &str = "natgateway";

/// What CreateNatGateway asks for with the availability mode `regional`.
pub(super) struct NewRegional {
    vpc_id: VpcId,
    /// The addresses of each zone; none if the gateway is to find them by itself.
    manual: Vec<(AvailabilityZone, Vec<AllocationId>)>,
    tags: Tags,
}

impl NewRegional {
    pub(super) fn parse(
        tx: &Transaction<'_>,
        request: &CreateNatGatewayRequest,
    ) -> Result<Self, Error> {
        refuse_zonal(request)?;
        let vpc_id = parameter::id(&request.vpc_id, "VpcId")?;
        let mut manual: Vec<(AvailabilityZone, Vec<AllocationId>)> = Vec::new();
        for given in &request.availability_zone_addresses {
            let zone = zone(tx, &given.availability_zone, &given.availability_zone_id)?;
            if manual.iter().any(|(named, _)| *named == zone) {
                return Err(Error::InvalidParameterValue(format!(
                    "The Availability Zone {zone} may be given only once."
                )));
            }
            let allocations = parameter::ids(&given.allocation_ids, "AllocationId")?;
            manual.push((zone, allocations));
        }
        Ok(Self {
            vpc_id,
            manual,
            tags: tag::from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?,
        })
    }
}

/// A regional gateway is public, and what says where a zonal one is or which addresses it has is not for it.
fn refuse_zonal(request: &CreateNatGatewayRequest) -> Result<(), Error> {
    if request.connectivity_type.as_deref() == Some("private") {
        return Err(Error::InvalidParameterCombination(
            "A regional NAT gateway cannot have the connectivity type private.".to_owned(),
        ));
    }
    let given = [
        (request.subnet_id.is_some(), "SubnetId"),
        (request.allocation_id.is_some(), "AllocationId"),
        (request.private_ip_address.is_some(), "PrivateIpAddress"),
        (
            !request.secondary_allocation_ids.is_empty(),
            "SecondaryAllocationId",
        ),
        (
            !request.secondary_private_ip_addresses.is_empty(),
            "SecondaryPrivateIpAddress",
        ),
        (
            request.secondary_private_ip_address_count.is_some(),
            "SecondaryPrivateIpAddressCount",
        ),
    ];
    match given.iter().find(|(given, _)| *given) {
        None => Ok(()),
        Some((_, name)) => Err(Error::InvalidParameterCombination(format!(
            "The parameter {name} cannot be used with a regional NAT gateway."
        ))),
    }
}

/// The zone that a request names, in one of two ways.
pub(super) fn zone(
    tx: &Transaction<'_>,
    name: &Option<String>,
    zone_id: &Option<String>,
) -> Result<AvailabilityZone, Error> {
    let mut zones = tx.scope().region.zones();
    let (found, parameter, value) = match (name, zone_id) {
        (Some(_), Some(_)) => {
            return Err(Error::InvalidParameterCombination(
                "The parameters AvailabilityZone and AvailabilityZoneId cannot be used together"
                    .to_owned(),
            ));
        }
        (None, None) => return Err(Error::MissingParameter("AvailabilityZone")),
        (Some(name), None) => {
            let found = zones.find(|zone| zone.to_string() == *name);
            (found, "availabilityZone", name)
        }
        (None, Some(id)) => {
            let found = zones.find(|zone| zone.zone_id() == *id);
            (found, "availabilityZoneId", id)
        }
    };
    found.ok_or_else(|| {
        let region = tx.scope().region;
        Error::invalid_value(parameter, value, &format!("It is not a zone of {region}."))
    })
}

/// Creates a gateway with a route table of its own; without an internet gateway it fails later.
pub(super) fn create(tx: &mut Transaction<'_>, new: NewRegional) -> Result<NatGatewayId, Error> {
    let vpc = tx.take::<Vpc>(new.vpc_id)?;
    let all: Vec<AllocationId> = new
        .manual
        .iter()
        .flat_map(|(_, ids)| ids)
        .copied()
        .collect();
    let elastic = free_allocations(tx, &all)?;
    let alive = |g: &&NatGateway| g.vpc_id == vpc.id && g.is_regional() && g.state.is_alive();
    let siblings = tx.rows::<NatGateway>().filter(alive).count();
    tx.quotas().regional_nat_gateways(siblings)?;
    for (_, ids) in &new.manual {
        check_addresses(tx, ids.len())?;
    }
    let automatic = new.manual.is_empty();
    let mut gateway = NatGateway {
        id: tx.id(),
        vpc_id: vpc.id,
        availability: Availability::Regional {
            automatic,
            route_table_id: None,
        },
        connectivity: Connectivity::Public,
        state: NatGatewayState::Pending,
        addresses: Vec::new(),
        created_at: tx.now(),
        deleted_at: None,
        failure: None,
        tags: new.tags,
    };
    let id = gateway.id;
    let zones = new
        .manual
        .iter()
        .flat_map(|(zone, ids)| ids.iter().map(|_| *zone));
    let placed = zones.zip(elastic);
    match tx.state().internet_gateway_of(vpc.id).map(|g| g.id) {
        None => {
            let error = no_internet_gateway(vpc.id);
            gateway.failure = Some((error.code().to_owned(), error.to_string()));
            let unmapped = placed.map(|(zone, elastic)| NatGatewayAddress {
                elastic: Some(NatGatewayElasticIp {
                    allocation_id: elastic.allocation_id,
                    public_ip: elastic.public_ip,
                    association_id: None,
                }),
                ..unmapped(zone)
            });
            gateway.addresses = unmapped.collect();
        }
        Some(internet_gateway) => {
            gateway.availability = Availability::Regional {
                automatic,
                route_table_id: Some(route_table::create_for_nat_gateway(
                    tx,
                    &vpc,
                    RouteTarget::InternetGateway(internet_gateway),
                )),
            };
            for (zone, elastic) in placed {
                let address = map(tx, id, zone, elastic.allocation_id)?;
                gateway.addresses.push(address);
            }
            if automatic {
                follow(tx, &mut gateway)?;
            }
        }
    }
    tx.put(id, gateway);
    Ok(id)
}

/// Maps an Elastic IP address to a gateway, for the hosts of a zone.
pub(super) fn map(
    tx: &mut Transaction<'_>,
    id: NatGatewayId,
    zone: AvailabilityZone,
    allocation_id: AllocationId,
) -> Result<NatGatewayAddress, Error> {
    let (public_ip, association_id) = address::map_to_nat_gateway(tx, allocation_id, id)?;
    Ok(NatGatewayAddress {
        elastic: Some(NatGatewayElasticIp {
            allocation_id,
            public_ip,
            association_id: Some(association_id),
        }),
        ..unmapped(zone)
    })
}

/// A place for an address, of a zone.
fn unmapped(zone: AvailabilityZone) -> NatGatewayAddress {
    NatGatewayAddress {
        network_interface_id: None,
        private_ip: None,
        zone: Some(zone),
        elastic: None,
        draining: None,
    }
}

/// Whether a zone may have so many addresses of a gateway.
pub(super) fn check_addresses(tx: &Transaction<'_>, count: usize) -> Result<(), Error> {
    match count.checked_sub(1) {
        Some(before) => tx.quotas().regional_nat_gateway_addresses(before),
        None => Ok(()),
    }
}

/// The zones that have network interfaces of a VPC; none while the VPC has no internet gateway.
fn zones(state: &State, vpc_id: VpcId) -> BTreeSet<AvailabilityZone> {
    if state.internet_gateway_of(vpc_id).is_none() {
        return BTreeSet::new();
    }
    let has_some = |id| state.network_interfaces.has_any(Owner::Subnet(id));
    let own = state.subnets.values();
    own.filter(|subnet| subnet.vpc_id == vpc_id && has_some(subnet.id))
        .map(|subnet| subnet.zone)
        .collect()
}

/// Whether an automatic gateway is not where the VPC's network interfaces are.
pub(super) fn is_behind(state: &State, gateway: &NatGateway) -> bool {
    if !gateway.is_automatic() {
        return false;
    }
    let lasting = gateway.addresses.iter().filter(|a| a.draining.is_none());
    let has: BTreeSet<AvailabilityZone> = lasting.filter_map(|a| a.zone).collect();
    has != zones(state, gateway.vpc_id)
}

/// Takes an automatic gateway to where the VPC's network interfaces are.
pub(super) fn follow(tx: &mut Transaction<'_>, gateway: &mut NatGateway) -> Result<(), Error> {
    let now = tx.now();
    let zones = zones(tx.state(), gateway.vpc_id);
    for address in &mut gateway.addresses {
        if address.zone.is_some_and(|zone| zones.contains(&zone)) {
            address.draining = None;
        } else {
            address.draining.get_or_insert((now, DRAIN_SECS));
        }
    }
    for zone in zones {
        if gateway.addresses.iter().any(|a| a.zone == Some(zone)) {
            continue;
        }
        // Where there is no address to be had, the place stays empty, and the zone's hosts use another zone's.
        let address = match address::allocate_managed(tx) {
            Ok(allocation_id) => map(tx, gateway.id, zone, allocation_id)?,
            Err(_) => unmapped(zone),
        };
        gateway.addresses.push(address);
    }
    Ok(())
}

/// Gives up what a gateway has: its addresses, and its route table.
pub(super) fn let_go(tx: &mut Transaction<'_>, gateway: &mut NatGateway) -> Result<(), Error> {
    for address in &gateway.addresses {
        unmap(tx, address)?;
    }
    if let Availability::Regional { route_table_id, .. } = &mut gateway.availability
        && let Some(id) = route_table_id.take()
    {
        route_table::delete(tx, id);
    }
    Ok(())
}

/// Takes an address off its gateway.
pub(super) fn unmap(tx: &mut Transaction<'_>, own: &NatGatewayAddress) -> Result<(), Error> {
    let mapped = own.elastic.as_ref().filter(|e| e.association_id.is_some());
    mapped.map_or(Ok(()), |e| {
        address::unmap_from_nat_gateway(tx, e.allocation_id)
    })
}

/// The regional gateway that a route table was made for.
pub(crate) fn owner_of(tx: &Transaction<'_>, table: RouteTableId) -> Option<NatGatewayId> {
    let mut gateways = tx.rows::<NatGateway>();
    gateways
        .find(|gateway| gateway.route_table_id() == Some(table))
        .map(|gateway| gateway.id)
}

/// Whether a VPC has a regional gateway with public addresses.
pub(crate) fn has_public_address(tx: &Transaction<'_>, vpc_id: VpcId) -> bool {
    let mut gateways = tx.rows::<NatGateway>().filter(|g| g.vpc_id == vpc_id);
    gateways.any(|gateway| {
        let mut elastic = gateway.addresses.iter().filter_map(|a| a.elastic.as_ref());
        gateway.is_regional() && elastic.any(|e| e.association_id.is_some())
    })
}
