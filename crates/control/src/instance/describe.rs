//! DescribeInstances.

use std::collections::BTreeMap;

use ec2_api::{DescribeInstancesRequest, DescribeInstancesResponse, Reservation};
use model::{Instance, InstanceId, ReservationId};

use super::{check_known, shape};
use crate::filter::{Filters, optional};
use crate::page::Page;
use crate::{Error, Transaction, network_interface, parameter};

pub(crate) fn describe_instances(
    tx: &mut Transaction<'_>,
    request: &DescribeInstancesRequest,
) -> Result<DescribeInstancesResponse, Error> {
    let ids: Vec<InstanceId> = parameter::optional_ids(&request.instance_ids)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        Page::USUAL,
    )?;
    let of_interfaces: Vec<String> = network_interface::FILTERS
        .iter()
        .map(|name| format!("{INTERFACE}{name}"))
        .collect();
    let known: Vec<&str> = FILTERS
        .iter()
        .copied()
        .chain(of_interfaces.iter().map(String::as_str))
        .collect();
    let filters = Filters::parse(&request.filters, &known)?;
    check_known(tx, &ids)?;
    let mut reservations: BTreeMap<ReservationId, Vec<&Instance>> = BTreeMap::new();
    for instance in tx.rows::<Instance>() {
        let wanted = ids.is_empty() || ids.contains(&instance.id);
        if wanted && filters.matches(&instance.tags, |name| filter_values(tx, instance, name)) {
            let of_launch = reservations.entry(instance.reservation_id).or_default();
            of_launch.push(instance);
        }
    }
    let rows = reservations.into_iter().collect();
    let (rows, next_token) = page.take(rows, |(id, _)| id.to_string());
    let reservation = |(id, mut instances): (ReservationId, Vec<&Instance>)| {
        instances.sort_by_key(|i| i.launch_index);
        Reservation {
            reservation_id: Some(id.to_string()),
            owner_id: Some(tx.scope().account.to_string()),
            instances: instances.iter().map(|i| shape::instance(tx, i)).collect(),
            ..Default::default()
        }
    };
    Ok(DescribeInstancesResponse {
        reservations: rows.into_iter().map(reservation).collect(),
        next_token,
    })
}

fn filter_values(tx: &Transaction<'_>, instance: &Instance, name: &str) -> Vec<String> {
    if let Some(name) = name.strip_prefix(INTERFACE) {
        let own = tx.state().interfaces_of(instance.id);
        let values = |eni| network_interface::filter_values(tx, eni, name);
        return own.into_iter().flat_map(values).collect();
    }
    // The names of most filters are those of the answer's members.
    let shape = shape::instance(tx, instance);
    let reason = shape.state_reason.unwrap_or_default();
    let groups = shape.security_groups.into_iter();
    let value = match name {
        "architecture" => shape.architecture,
        "availability-zone" => Some(instance.zone.to_string()),
        "availability-zone-id" => Some(instance.zone.zone_id()),
        "client-token" => instance.client_token.clone(),
        "dns-name" => shape.public_dns_name,
        "hypervisor" => shape.hypervisor,
        "image-id" => shape.image_id,
        "instance-id" => shape.instance_id,
        "instance-state-code" => Some(instance.state.code().to_string()),
        "instance-state-name" => Some(instance.state.name().to_owned()),
        "instance-type" => shape.instance_type,
        "instance.group-id" => return groups.filter_map(|g| g.group_id).collect(),
        "instance.group-name" => return groups.filter_map(|g| g.group_name).collect(),
        "ip-address" => shape.public_ip_address,
        "ipv6-address" => {
            let own = tx.state().interfaces_of(instance.id);
            let addresses = own.into_iter().flat_map(|eni| &eni.ipv6_addresses);
            return addresses.map(ToString::to_string).collect();
        }
        "key-name" => shape.key_name,
        "launch-index" => Some(instance.launch_index.to_string()),
        "launch-time" => shape.launch_time,
        "monitoring-state" => Some("disabled".to_owned()),
        "owner-id" => Some(tx.scope().account.to_string()),
        "platform-details" => shape.platform_details,
        "private-dns-name" => shape.private_dns_name,
        "private-ip-address" => shape.private_ip_address,
        "reason" => shape.state_transition_reason,
        "reservation-id" => Some(instance.reservation_id.to_string()),
        "root-device-name" => shape.root_device_name,
        "root-device-type" => shape.root_device_type,
        "source-dest-check" => return optional(shape.source_dest_check),
        "state-reason-code" => reason.code,
        "state-reason-message" => reason.message,
        "subnet-id" => shape.subnet_id,
        "tenancy" => Some("default".to_owned()),
        "virtualization-type" => shape.virtualization_type,
        "vpc-id" => shape.vpc_id,
        _ => None,
    };
    optional(value)
}

/// Filters of interfaces are those of DescribeNetworkInterfaces behind this.
const INTERFACE: &str = "network-interface.";

const FILTERS: &[&str] = &[
    "architecture",
    "availability-zone",
    "availability-zone-id",
    "client-token",
    "dns-name",
    "hypervisor",
    "image-id",
    "instance-id",
    "instance-lifecycle",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "instance.group-id",
    "instance.group-name",
    "ip-address",
    "ipv6-address",
    "key-name",
    "launch-index",
    "launch-time",
    "monitoring-state",
    "owner-id",
    "platform",
    "platform-details",
    "private-dns-name",
    "private-ip-address",
    "reason",
    "reservation-id",
    "root-device-name",
    "root-device-type",
    "source-dest-check",
    "state-reason-code",
    "state-reason-message",
    "subnet-id",
    "tenancy",
    "virtualization-type",
    "vpc-id",
];
