//! CreateNatGateway. References are checked at once; a gateway that lacks an internet gateway or a free address is
//! made and fails, as AWS documents it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ec2_api::{CreateNatGatewayRequest, CreateNatGatewayResponse};
use model::{
    Address, AllocationId, Availability, Connectivity, InterfaceType, NatGateway,
    NatGatewayAddress, NatGatewayElasticIp, NatGatewayId, NatGatewayState, NetworkInterface,
    Subnet, SubnetId, Tags, VpcId,
};

use super::regional::NewRegional;
use super::{describe, regional};
use crate::network_interface::{self, AddressRequest, Wanted};
use crate::{Error, Transaction, address, parameter, tag, token};

const TYPE: &str = "natgateway";
const ACTION: &str = "CreateNatGateway";

/// Creates a gateway, `pending` at first.
pub(crate) fn create_nat_gateway(
    tx: &mut Transaction<'_>,
    request: &CreateNatGatewayRequest,
) -> Result<CreateNatGatewayResponse, Error> {
    let plain = CreateNatGatewayRequest {
        client_token: None,
        dry_run: None,
        ..request.clone()
    };
    let id = token::once(tx, ACTION, &request.client_token, &plain, |tx| {
        if is_regional(request)? {
            let new = NewRegional::parse(tx, request)?;
            return regional::create(tx, new);
        }
        let new = NewGateway::parse(tx, request)?;
        create(tx, new)
    })?;
    Ok(CreateNatGatewayResponse {
        client_token: request.client_token.clone(),
        nat_gateway: Some(describe::shape(tx, tx.find(id)?)),
    })
}

struct NewGateway {
    subnet_id: SubnetId,
    connectivity: Connectivity,
    /// Of a public gateway, the primary one first.
    allocations: Vec<AllocationId>,
    addresses: AddressRequest,
    tags: Tags,
}

impl NewGateway {
    fn parse(tx: &Transaction<'_>, request: &CreateNatGatewayRequest) -> Result<Self, Error> {
        refuse_regional(request)?;
        let connectivity = connectivity(request)?;
        let subnet_id = parameter::id(&request.subnet_id, "SubnetId")?;
        check_combination(request, connectivity)?;
        let mut allocations = Vec::new();
        if connectivity == Connectivity::Public {
            allocations.push(parameter::id(&request.allocation_id, "AllocationId")?);
            allocations.extend(parameter::optional_ids::<AllocationId>(
                &request.secondary_allocation_ids,
            )?);
        }
        let named = |text: &String| parameter::ipv4(text, "privateIpAddress");
        let secondary: Vec<Ipv4Addr> = request
            .secondary_private_ip_addresses
            .iter()
            .map(named)
            .collect::<Result<_, _>>()?;
        let count = request.secondary_private_ip_address_count;
        let secondary_count = match connectivity {
            Connectivity::Public => allocations.len().saturating_sub(1 + secondary.len()),
            Connectivity::Private => parameter::positive(count, "secondaryPrivateIpAddressCount")?,
        };
        Ok(Self {
            subnet_id,
            connectivity,
            allocations,
            addresses: AddressRequest {
                primary: request.private_ip_address.as_ref().map(named).transpose()?,
                secondary,
                secondary_count,
                ipv6_count: Some(0),
                ..AddressRequest::default()
            },
            tags: tag::from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?,
        })
    }
}

fn is_regional(request: &CreateNatGatewayRequest) -> Result<bool, Error> {
    let mode = request.availability_mode.as_deref().unwrap_or("zonal");
    let mode = parameter::one_of(mode, "availabilityMode", &["zonal", "regional"])?;
    Ok(mode == "regional")
}

/// What says where a regional gateway is and which addresses it has is not for one of a zone.
fn refuse_regional(request: &CreateNatGatewayRequest) -> Result<(), Error> {
    let by_zone = !request.availability_zone_addresses.is_empty();
    let given = [
        (request.vpc_id.is_some(), "VpcId"),
        (by_zone, "AvailabilityZoneAddress"),
    ];
    match given.iter().find(|(given, _)| *given) {
        None => Ok(()),
        Some((_, name)) => Err(Error::InvalidParameterCombination(format!(
            "The parameter {name} can only be used with a regional NAT gateway."
        ))),
    }
}

fn connectivity(request: &CreateNatGatewayRequest) -> Result<Connectivity, Error> {
    let given = request.connectivity_type.as_deref().unwrap_or("public");
    match parameter::one_of(given, "connectivityType", &["public", "private"])? {
        "private" => Ok(Connectivity::Private),
        _ => Ok(Connectivity::Public),
    }
}

fn check_combination(
    request: &CreateNatGatewayRequest,
    connectivity: Connectivity,
) -> Result<(), Error> {
    let elastic = &request.secondary_allocation_ids;
    let named = &request.secondary_private_ip_addresses;
    let counted = request.secondary_private_ip_address_count.is_some();
    let refused = match connectivity {
        Connectivity::Private => [
            (
                request.allocation_id.is_some() || !elastic.is_empty(),
                "Elastic IP addresses cannot be associated with a private NAT gateway.",
            ),
            (
                counted && !named.is_empty(),
                "The parameter secondaryPrivateIpAddressCount cannot be used with the parameter \
                 secondaryPrivateIpAddresses",
            ),
        ],
        Connectivity::Public => [
            (
                counted,
                "The parameter secondaryPrivateIpAddressCount can only be used with a private NAT \
                 gateway.",
            ),
            (
                named.len() > elastic.len(),
                "There are more secondary private IP addresses than secondary allocation IDs.",
            ),
        ],
    };
    match refused.iter().find(|(is_given, _)| *is_given) {
        None => Ok(()),
        Some((_, why)) => Err(Error::InvalidParameterCombination((*why).to_owned())),
    }
}

fn create(tx: &mut Transaction<'_>, new: NewGateway) -> Result<NatGatewayId, Error> {
    let subnet = tx.take::<Subnet>(new.subnet_id)?;
    if subnet.cidr.is_none() {
        return Err(Error::InvalidParameterValue(format!(
            "The subnet '{}' does not have an IPv4 CIDR block.",
            subnet.id
        )));
    }
    let mut elastic = free_allocations(tx, &new.allocations)?;
    check_quotas(tx, &subnet, &new)?;
    let id: NatGatewayId = tx.id();
    let mut gateway = NatGateway {
        id,
        vpc_id: subnet.vpc_id,
        availability: Availability::Zonal {
            subnet_id: subnet.id,
        },
        connectivity: new.connectivity,
        state: NatGatewayState::Pending,
        addresses: Vec::new(),
        created_at: tx.now(),
        deleted_at: None,
        failure: None,
        tags: new.tags,
    };
    match interface(tx, &gateway, subnet.id, new.addresses) {
        Ok(eni) => {
            elastic.reverse();
            for private in eni.private_ip_addresses {
                let own = elastic.pop();
                let address = add(tx, &eni.id, private.address, own)?;
                gateway.addresses.push(address);
            }
        }
        Err(error) if fails_later(&error) => {
            gateway.failure = Some((error.code().to_owned(), error.to_string()));
            gateway.addresses = unmade(elastic);
        }
        Err(error) => return Err(error),
    }
    tx.put(id, gateway);
    Ok(id)
}

/// Maps a private address of a gateway's interface, if the gateway is public.
pub(super) fn add(
    tx: &mut Transaction<'_>,
    eni: &model::NetworkInterfaceId,
    private: Ipv4Addr,
    elastic: Option<Address>,
) -> Result<NatGatewayAddress, Error> {
    let map = |elastic: Address| {
        let association_id = address::map(tx, elastic.allocation_id, *eni, private)?;
        Ok::<_, Error>(NatGatewayElasticIp {
            allocation_id: elastic.allocation_id,
            public_ip: elastic.public_ip,
            association_id: Some(association_id),
        })
    };
    Ok(NatGatewayAddress {
        network_interface_id: Some(*eni),
        private_ip: Some(private),
        zone: None,
        elastic: elastic.map(map).transpose()?,
        draining: None,
    })
}

/// Elastic IP addresses that are mapped to nothing, each named once.
pub(super) fn free_allocations(
    tx: &Transaction<'_>,
    ids: &[AllocationId],
) -> Result<Vec<Address>, Error> {
    let distinct: BTreeSet<_> = ids.iter().collect();
    if distinct.len() != ids.len() {
        return Err(Error::InvalidParameterValue(
            "An allocation ID may be given only once.".to_owned(),
        ));
    }
    let free = |&id: &AllocationId| {
        let address = tx.take::<Address>(id)?;
        match &address.association {
            None => Ok(address),
            Some(association) => Err(address::already_associated(id, association.id)),
        }
    };
    ids.iter().map(free).collect()
}

fn check_quotas(tx: &Transaction<'_>, subnet: &Subnet, new: &NewGateway) -> Result<(), Error> {
    let in_zone = |g: &&NatGateway| {
        let home = g.subnet_id().and_then(|id| tx.state().subnets.get(&id));
        g.state.is_alive() && home.is_some_and(|home| home.zone == subnet.zone)
    };
    let quotas = tx.quotas();
    quotas.nat_gateways(tx.rows::<NatGateway>().filter(in_zone).count())?;
    check_addresses(tx, new.allocations.len(), new.addresses.ipv4_len())
}

/// Whether a gateway may have so many Elastic and private addresses.
pub(super) fn check_addresses(
    tx: &Transaction<'_>,
    elastic: usize,
    private: usize,
) -> Result<(), Error> {
    let quotas = tx.quotas();
    if let Some(before) = elastic.checked_sub(1) {
        quotas.nat_gateway_allocations(before)?;
    }
    quotas.nat_gateway_addresses(private.saturating_sub(1))
}

fn interface(
    tx: &mut Transaction<'_>,
    gateway: &NatGateway,
    subnet_id: SubnetId,
    addresses: AddressRequest,
) -> Result<NetworkInterface, Error> {
    let is_public = gateway.connectivity == Connectivity::Public;
    if is_public && tx.state().internet_gateway_of(gateway.vpc_id).is_none() {
        return Err(no_internet_gateway(gateway.vpc_id));
    }
    let wanted = Wanted {
        interface_type: InterfaceType::NatGateway,
        subnet_id,
        description: format!("Interface for NAT Gateway {}", gateway.id),
        groups: Vec::new(),
        addresses,
        tags: Tags::new(),
    };
    network_interface::create(tx, wanted)
}

pub(super) fn no_internet_gateway(vpc_id: VpcId) -> Error {
    Error::new(
        NO_INTERNET_GATEWAY,
        format!("Network {vpc_id} has no Internet gateway attached"),
    )
}

fn fails_later(error: &Error) -> bool {
    matches!(
        error.code(),
        NO_INTERNET_GATEWAY | network_interface::NO_FREE_ADDRESS
    )
}

/// What a gateway that cannot be made is described with.
fn unmade(elastic: Vec<Address>) -> Vec<NatGatewayAddress> {
    let described = |address: Address| NatGatewayAddress {
        network_interface_id: None,
        private_ip: None,
        zone: None,
        elastic: Some(NatGatewayElasticIp {
            allocation_id: address.allocation_id,
            public_ip: address.public_ip,
            association_id: None,
        }),
        draining: None,
    };
    elastic.into_iter().map(described).collect()
}

const NO_INTERNET_GATEWAY: &str = "Gateway.NotAttached";
