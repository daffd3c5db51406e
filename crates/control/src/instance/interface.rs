//! The network interfaces that a launch makes or takes.

use std::collections::{BTreeMap, BTreeSet};

use ec2_api::{InstanceNetworkInterfaceSpecification, RunInstancesRequest};
use model::{
    AvailabilityZone, InterfaceType, NetworkInterface, NetworkInterfaceId, SecurityGroupId, Subnet,
    SubnetId, Tags,
};

use super::instance_type::InstanceType;
use crate::network_interface::{self, AddressRequest, Wanted};
use crate::{Error, Transaction, parameter, subnet};

/// One interface of every instance of a launch.
pub(super) struct Planned {
    pub(super) device_index: u8,
    pub(super) delete_on_termination: bool,
    pub(super) associate_public_ip_address: bool,
    source: Source,
    subnet_id: SubnetId,
    zone: AvailabilityZone,
}

enum Source {
    Existing(NetworkInterfaceId),
    New {
        description: String,
        groups: Vec<SecurityGroupId>,
        addresses: AddressRequest,
    },
}

impl Planned {
    /// Whether it can be had only once: an interface or an address by name.
    pub(super) fn is_unique(&self) -> bool {
        match &self.source {
            Source::Existing(_) => true,
            Source::New { addresses, .. } => addresses.names_addresses(),
        }
    }

    /// Makes the interface, if it is not there already.
    pub(super) fn create(
        &self,
        tx: &mut Transaction<'_>,
        tags: &Tags,
    ) -> Result<(NetworkInterfaceId, AvailabilityZone), Error> {
        let id = match &self.source {
            Source::Existing(id) => *id,
            Source::New {
                description,
                groups,
                addresses,
            } => {
                let wanted = Wanted {
                    interface_type: InterfaceType::Interface,
                    subnet_id: self.subnet_id,
                    description: description.clone(),
                    groups: groups.clone(),
                    addresses: addresses.clone(),
                    tags: tags.clone(),
                };
                network_interface::create(tx, wanted)?.id
            }
        };
        Ok((id, self.zone))
    }
}

/// The interfaces that a request asks for, in the order of their device indexes.
pub(super) fn plan(
    tx: &Transaction<'_>,
    request: &RunInstancesRequest,
    instance_type: &InstanceType,
) -> Result<Vec<Planned>, Error> {
    let specifications = if request.network_interfaces.is_empty() {
        vec![top_level(tx, request)?]
    } else {
        refuse_top_level(request)?;
        request.network_interfaces.clone()
    };
    instance_type.check_interfaces(specifications.len())?;
    let only = specifications.len() == 1;
    let mut planned = Vec::new();
    for specification in &specifications {
        planned.push(one(tx, request, specification, only, instance_type)?);
    }
    planned.sort_by_key(|i| i.device_index);
    check_indexes(&planned)?;
    if planned.iter().any(|i| i.zone != planned[0].zone) {
        return Err(Error::InvalidParameterCombination(
            "You may not attach a network interface to an instance if they are not in the same availability zone".to_owned(),
        ));
    }
    Ok(planned)
}

/// How many instances the subnets of their interfaces have addresses for.
pub(super) fn room(tx: &Transaction<'_>, interfaces: &[Planned]) -> Result<u32, Error> {
    let mut needed: BTreeMap<SubnetId, usize> = BTreeMap::new();
    for planned in interfaces {
        if let Source::New { addresses, .. } = &planned.source {
            *needed.entry(planned.subnet_id).or_default() += addresses.ipv4_len();
        }
    }
    let mut room = u32::MAX;
    for (subnet_id, each) in needed {
        let subnet = tx.find::<Subnet>(subnet_id)?;
        if !subnet.ipv6_native {
            let fits = subnet::available_ip_address_count(tx.state(), subnet) / each;
            room = room.min(u32::try_from(fits).unwrap_or(u32::MAX));
        }
    }
    Ok(room)
}

/// `InsufficientFreeAddressesInSubnet`.
pub(super) fn no_room(interfaces: &[Planned]) -> Error {
    let subnet_id = interfaces.first().map(|i| i.subnet_id.to_string());
    Error::new(
        "InsufficientFreeAddressesInSubnet",
        format!(
            "There are not enough free addresses in subnet '{}' to satisfy the requested number of instances.",
            subnet_id.unwrap_or_default()
        ),
    )
}

fn one(
    tx: &Transaction<'_>,
    request: &RunInstancesRequest,
    given: &InstanceNetworkInterfaceSpecification,
    only: bool,
    instance_type: &InstanceType,
) -> Result<Planned, Error> {
    refuse_unsupported(given)?;
    let index = given.device_index.ok_or_else(|| {
        Error::InvalidParameterValue("Each network interface requires a device index.".to_owned())
    })?;
    let device_index =
        u8::try_from(index).map_err(|_| Error::invalid_value("deviceIndex", index, ""))?;
    check_public(given, only)?;
    if given.network_interface_id.is_some() {
        return existing(tx, given, device_index, instance_type);
    }
    let subnet_id = match parameter::optional_id(&given.subnet_id)? {
        Some(id) => id,
        None => default_subnet(tx, request)?,
    };
    let subnet = tx.find::<Subnet>(subnet_id)?;
    check_zone(request, subnet)?;
    let addresses = AddressRequest::of_launch(given)?;
    let most = addresses.ipv4_len().max(addresses.ipv6_len(subnet));
    instance_type.check_addresses(most)?;
    let groups: Vec<SecurityGroupId> = parameter::optional_ids(&given.groups)?;
    let by_subnet = subnet.map_public_ip_on_launch && subnet.cidr.is_some();
    Ok(Planned {
        device_index,
        delete_on_termination: given.delete_on_termination.unwrap_or(device_index == 0),
        associate_public_ip_address: only && given.associate_public_ip_address.unwrap_or(by_subnet),
        source: Source::New {
            description: network_interface::description(&given.description)?,
            groups: network_interface::groups(tx, &groups, subnet)?,
            addresses,
        },
        subnet_id,
        zone: subnet.zone,
    })
}

fn existing(
    tx: &Transaction<'_>,
    given: &InstanceNetworkInterfaceSpecification,
    device_index: u8,
    instance_type: &InstanceType,
) -> Result<Planned, Error> {
    let id = parameter::id(&given.network_interface_id, "NetworkInterfaceId")?;
    let clashing = [
        (given.subnet_id.is_some(), "a subnet"),
        (!given.groups.is_empty(), "security groups"),
        (given.description.is_some(), "a description"),
        (
            AddressRequest::of_launch(given)? != AddressRequest::default(),
            "private addresses",
        ),
        (
            given.delete_on_termination == Some(true),
            "delete on termination as true",
        ),
        (
            given.associate_public_ip_address.is_some(),
            "a public address",
        ),
    ];
    if let Some((_, what)) = clashing.iter().find(|(clashes, _)| *clashes) {
        return Err(Error::InvalidParameterCombination(format!(
            "A network interface may not specify a network interface ID and {what}"
        )));
    }
    let eni = tx.find::<NetworkInterface>(id)?;
    if eni.is_in_use() {
        return Err(network_interface::in_use(id));
    }
    instance_type.check_addresses(network_interface::largest_family(eni))?;
    Ok(Planned {
        device_index,
        delete_on_termination: false,
        associate_public_ip_address: false,
        source: Source::Existing(id),
        subnet_id: eni.subnet_id,
        zone: tx.find::<Subnet>(eni.subnet_id)?.zone,
    })
}

/// The primary interface of a request that describes it at the level of the instance.
fn top_level(
    tx: &Transaction<'_>,
    request: &RunInstancesRequest,
) -> Result<InstanceNetworkInterfaceSpecification, Error> {
    if request.subnet_id.is_some() && !request.security_groups.is_empty() {
        return Err(Error::InvalidParameterCombination(
            "The parameter groupName cannot be used with the parameter subnet".to_owned(),
        ));
    }
    let mut groups = request.security_group_ids.clone();
    for name in &request.security_groups {
        groups.push(group_by_name(tx, name)?.to_string());
    }
    Ok(InstanceNetworkInterfaceSpecification {
        device_index: Some(0),
        subnet_id: request.subnet_id.clone(),
        groups,
        private_ip_address: request.private_ip_address.clone(),
        ipv6_addresses: request.ipv6_addresses.clone(),
        ipv6_address_count: request.ipv6_address_count,
        ..Default::default()
    })
}

fn refuse_top_level(request: &RunInstancesRequest) -> Result<(), Error> {
    let groups = !request.security_group_ids.is_empty() || !request.security_groups.is_empty();
    let ipv6 = !request.ipv6_addresses.is_empty() || request.ipv6_address_count.is_some();
    let clashing = [
        (request.subnet_id.is_some(), "an instance-level subnet ID"),
        (groups, "instance-level security groups"),
        (
            request.private_ip_address.is_some(),
            "an instance-level private IP address",
        ),
        (ipv6, "instance-level IPv6 addresses"),
    ];
    match clashing.iter().find(|(clashes, _)| *clashes) {
        None => Ok(()),
        Some((_, what)) => Err(Error::InvalidParameterCombination(format!(
            "Network interfaces and {what} may not be specified on the same request"
        ))),
    }
}

/// A default subnet: in the zone that the request names, else in the first that has one.
fn default_subnet(tx: &Transaction<'_>, request: &RunInstancesRequest) -> Result<SubnetId, Error> {
    let Some(vpc) = tx.state().default_vpc() else {
        return Err(no_default_vpc());
    };
    let zone = wanted_zone(request);
    if let Some(zone) = zone
        && !tx.scope().region.zones().any(|z| is_zone(z, zone))
    {
        return Err(Error::InvalidParameterValue(format!(
            "Invalid availability zone: [{zone}]"
        )));
    }
    let mut subnets: Vec<_> = tx
        .rows::<Subnet>()
        .filter(|s| s.vpc_id == vpc.id && s.default_for_az)
        .filter(|s| zone.is_none_or(|zone| is_zone(s.zone, zone)))
        .collect();
    subnets.sort_by_key(|s| s.zone);
    subnets.first().map(|s| s.id).ok_or_else(|| {
        Error::new(
            "MissingInput",
            format!(
                "No subnets found for the default VPC '{}'. Please specify a subnet.",
                vpc.id
            ),
        )
    })
}

fn check_zone(request: &RunInstancesRequest, subnet: &Subnet) -> Result<(), Error> {
    match wanted_zone(request) {
        Some(zone) if !is_zone(subnet.zone, zone) => Err(Error::invalid_value(
            "availabilityZone",
            zone,
            &format!(
                "Subnet {} is in the availability zone {}.",
                subnet.id, subnet.zone
            ),
        )),
        _ => Ok(()),
    }
}

fn wanted_zone(request: &RunInstancesRequest) -> Option<&str> {
    let placement = request.placement.as_ref()?;
    // Terraform sends an empty zone with every subnet.
    let zones = [
        &placement.availability_zone,
        &placement.availability_zone_id,
    ];
    let mut given = zones.into_iter().filter_map(|zone| zone.as_deref());
    given.find(|zone| !zone.is_empty())
}

fn is_zone(zone: AvailabilityZone, text: &str) -> bool {
    zone.to_string() == text || zone.zone_id() == text
}

fn group_by_name(tx: &Transaction<'_>, name: &str) -> Result<SecurityGroupId, Error> {
    let vpc = tx.state().default_vpc().ok_or_else(no_default_vpc)?;
    let mut groups = tx.state().security_groups.values();
    let found = groups.find(|g| g.vpc_id == vpc.id && g.name == name);
    found.map(|g| g.id).ok_or_else(|| {
        Error::new(
            "InvalidGroup.NotFound",
            format!(
                "The security group '{name}' does not exist in default VPC '{}'",
                vpc.id
            ),
        )
    })
}

fn no_default_vpc() -> Error {
    Error::new(
        "VPCIdNotSpecified",
        "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.",
    )
}

fn check_public(given: &InstanceNetworkInterfaceSpecification, only: bool) -> Result<(), Error> {
    let message = match given.associate_public_ip_address {
        Some(_) if !only => {
            "The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces."
        }
        Some(_) if given.device_index != Some(0) => {
            "The associatePublicIPAddress parameter can only be specified for the network interface with DeviceIndex 0"
        }
        _ => return Ok(()),
    };
    Err(Error::InvalidParameterCombination(message.to_owned()))
}

fn check_indexes(planned: &[Planned]) -> Result<(), Error> {
    let distinct: BTreeSet<u8> = planned.iter().map(|i| i.device_index).collect();
    let message = if distinct.len() != planned.len() {
        "Each network interface requires a unique device index."
    } else if !distinct.contains(&0) {
        "When specifying network interfaces, you must include a device at index 0."
    } else {
        return Ok(());
    };
    Err(Error::InvalidParameterValue(message.to_owned()))
}

fn refuse_unsupported(given: &InstanceNetworkInterfaceSpecification) -> Result<(), Error> {
    let kind = given.interface_type.as_deref().unwrap_or("interface");
    parameter::refuse_unsupported(&[
        (kind != "interface", "InterfaceType"),
        (
            given.network_card_index.unwrap_or(0) != 0,
            "NetworkCardIndex",
        ),
        (!given.ipv4_prefixes.is_empty(), "Ipv4Prefix"),
        (given.ipv4_prefix_count.is_some(), "Ipv4PrefixCount"),
        (!given.ipv6_prefixes.is_empty(), "Ipv6Prefix"),
        (given.ipv6_prefix_count.is_some(), "Ipv6PrefixCount"),
        (given.primary_ipv6 == Some(true), "PrimaryIpv6"),
        (
            given.associate_carrier_ip_address == Some(true),
            "AssociateCarrierIpAddress",
        ),
        (given.ena_srd_specification.is_some(), "EnaSrdSpecification"),
        (given.ena_queue_count.is_some(), "EnaQueueCount"),
        (
            given.connection_tracking_specification.is_some(),
            "ConnectionTrackingSpecification",
        ),
    ])
}
