//! Interface endpoints (AWS PrivateLink Guide, "Access an AWS service using an interface VPC endpoint"): a network
//! interface in each of some subnets.

use ::policy::Kind;
use ec2_api::{CreateVpcEndpointRequest, ModifyVpcEndpointRequest};
use model::{
    InterfaceEndpoint, NetworkInterface, SecurityGroup, SecurityGroupId, SubnetId, Vpc,
    VpcEndpoint, VpcEndpointId, VpcEndpointKind, VpcEndpointState, VpcId,
};

use super::create::once_each;
use super::private_dns::{self, PrivateDns};
use super::service::{self, INTERFACE};
use super::subnet::{self, Addresses};
use super::{TYPE, describe, policy};
use crate::tag::from_specifications;
use crate::{Error, Transaction, parameter};

/// Creates an interface endpoint with its network interfaces.
pub(super) fn create(
    tx: &mut Transaction<'_>,
    request: &CreateVpcEndpointRequest,
) -> Result<VpcEndpointId, Error> {
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "VpcId")?;
    let service_name = parameter::required(&request.service_name, "ServiceName")?;
    let subnets = once_each(parameter::optional_ids::<SubnetId>(&request.subnet_ids)?);
    let addresses = Addresses::parse(&request.subnet_configurations)?;
    let groups = parameter::optional_ids::<SecurityGroupId>(&request.security_group_ids)?;
    check_route_tables(&request.route_table_ids)?;
    check_region(tx, request)?;
    check_address_type(&request.ip_address_type)?;
    let found = service::find(tx, service_name, INTERFACE)?;
    let policy_document = policy::parse(&request.policy_document, Kind::InterfaceEndpoint)?;
    if found.provider.is_some() && policy_document.is_some() {
        return Err(no_policy(service_name));
    }
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    let vpc = tx.take::<Vpc>(vpc_id)?;
    let groups = groups_of(tx, vpc_id, &groups)?;
    let in_vpc = |e: &&VpcEndpoint| e.vpc_id == vpc_id && e.interface().is_some();
    let used = tx.rows::<VpcEndpoint>().filter(in_vpc).count();
    tx.quotas().interface_endpoints(used)?;
    let id = tx.id();
    let state = match found.acceptance_required {
        true => VpcEndpointState::PendingAcceptance,
        false => VpcEndpointState::Pending,
    };
    let mut own = InterfaceEndpoint {
        label: label(tx.random()),
        subnets: Vec::new(),
        groups,
        private_dns_enabled: false,
        private_dns_only_for_inbound_resolver_endpoint: false,
        private_names: found.private_names.clone(),
        provider: found.provider,
        changed_at: tx.now(),
    };
    let mut endpoint = VpcEndpoint {
        id,
        vpc_id,
        service_name: service_name.clone(),
        kind: VpcEndpointKind::Interface(own.clone()),
        state,
        policy_document,
        created_at: tx.now(),
        tags,
    };
    let dns = PrivateDns::of_new(tx, &vpc, &endpoint, request)?;
    private_dns::set(tx, &vpc, &endpoint, &mut own, dns)?;
    addresses.check_named(&subnets)?;
    subnet::add(tx, &endpoint, &mut own, &subnets, &addresses, &found.zones)?;
    endpoint.kind = VpcEndpointKind::Interface(own);
    tx.put(id, endpoint);
    Ok(id)
}

/// Changes what an interface endpoint has.
pub(super) fn modify(
    tx: &mut Transaction<'_>,
    before: &VpcEndpoint,
    own: &mut InterfaceEndpoint,
    request: &ModifyVpcEndpointRequest,
) -> Result<(), Error> {
    let added = once_each(parameter::optional_ids::<SubnetId>(
        &request.add_subnet_ids,
    )?);
    let removed = parameter::optional_ids::<SubnetId>(&request.remove_subnet_ids)?;
    let addresses = Addresses::parse(&request.subnet_configurations)?;
    check_route_tables(&request.add_route_table_ids)?;
    check_route_tables(&request.remove_route_table_ids)?;
    check_address_type(&request.ip_address_type)?;
    if own.provider.is_some() && request.policy_document.is_some() {
        return Err(no_policy(&before.service_name));
    }
    let vpc = tx.take::<Vpc>(before.vpc_id)?;
    change_groups(tx, before, own, request)?;
    subnet::remove(tx, before, own, &once_each(removed))?;
    let zones = service::zones(tx, &before.service_name);
    let kept: Vec<SubnetId> = own.subnets.iter().map(|s| s.subnet_id).collect();
    addresses.check_named(&[kept.clone(), added.clone()].concat())?;
    subnet::move_to(tx, before, own, &kept, &addresses)?;
    subnet::add(tx, before, own, &added, &addresses, &zones)?;
    let dns = PrivateDns::of_changed(before, own, request)?;
    private_dns::set(tx, &vpc, before, own, dns)
}

fn change_groups(
    tx: &mut Transaction<'_>,
    before: &VpcEndpoint,
    own: &mut InterfaceEndpoint,
    request: &ModifyVpcEndpointRequest,
) -> Result<(), Error> {
    let added = parameter::optional_ids::<SecurityGroupId>(&request.add_security_group_ids)?;
    let removed = parameter::optional_ids::<SecurityGroupId>(&request.remove_security_group_ids)?;
    if added.is_empty() && removed.is_empty() {
        return Ok(());
    }
    if let Some(stranger) = removed.iter().find(|id| !own.groups.contains(id)) {
        tx.find::<SecurityGroup>(*stranger)?;
        return Err(invalid(format!(
            "Security group {stranger} is not associated with VPC endpoint {}",
            before.id
        )));
    }
    let kept = own.groups.iter().filter(|id| !removed.contains(id));
    let groups: Vec<SecurityGroupId> = kept.copied().chain(added).collect();
    if groups.is_empty() {
        return Err(invalid(
            "A VPC endpoint of type Interface must have at least one security group.",
        ));
    }
    own.groups = groups_of(tx, before.vpc_id, &groups)?;
    for place in &own.subnets {
        let mut eni = tx.take::<NetworkInterface>(place.network_interface_id)?;
        eni.groups.clone_from(&own.groups);
        tx.put(eni.id, eni);
    }
    Ok(())
}

/// The groups of an endpoint: those given, else the VPC's default one.
fn groups_of(
    tx: &Transaction<'_>,
    vpc_id: VpcId,
    given: &[SecurityGroupId],
) -> Result<Vec<SecurityGroupId>, Error> {
    if given.is_empty() {
        let default = tx.state().default_security_group(vpc_id);
        return Ok(default.map(|g| g.id).into_iter().collect());
    }
    let groups = once_each(given.to_vec());
    for (number, id) in groups.iter().enumerate() {
        if tx.find::<SecurityGroup>(*id)?.vpc_id != vpc_id {
            return Err(invalid(format!(
                "Security group {id} does not belong to VPC {vpc_id}"
            )));
        }
        tx.quotas().security_groups_per_interface(number)?;
    }
    Ok(groups)
}

fn check_route_tables(given: &[String]) -> Result<(), Error> {
    match given.is_empty() {
        true => Ok(()),
        false => Err(invalid(
            "Route table IDs are only supported for Gateway type VPC Endpoint.",
        )),
    }
}

fn check_region(tx: &Transaction<'_>, request: &CreateVpcEndpointRequest) -> Result<(), Error> {
    let own = tx.scope().region.name();
    match request.service_region.as_deref() {
        Some(other) if other != own => Err(Error::new(
            "UnsupportedOperation",
            format!("Endpoints for services of another Region ({other}) are not supported."),
        )),
        _ => Ok(()),
    }
}

fn check_address_type(given: &Option<String>) -> Result<(), Error> {
    let Some(text) = given else {
        return Ok(());
    };
    match parameter::one_of(text, "IpAddressType", &["ipv4", "dualstack", "ipv6"])? {
        describe::IPV4 => Ok(()),
        other => Err(Error::new(
            "UnsupportedOperation",
            format!("Interface endpoints with the IP address type {other} are not supported."),
        )),
    }
}

fn no_policy(service_name: &str) -> Error {
    invalid(format!(
        "The Vpc Endpoint Service '{service_name}' does not support endpoint policies."
    ))
}

pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new("InvalidParameter", message)
}

/// Eight letters and digits of an endpoint's names.
fn label(mut random: u128) -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut next = || {
        let letter = LETTERS[(random % LETTERS.len() as u128) as usize];
        random /= LETTERS.len() as u128;
        char::from(letter)
    };
    (0..8).map(|_| next()).collect()
}
