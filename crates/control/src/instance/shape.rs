//! Instances as answers show them.

use ec2_api::{
    CapacityReservationSpecificationResponse, CpuOptions, EnclaveOptions, HibernationOptions,
    InstanceIpv6Address, InstanceMaintenanceOptions, InstanceNetworkInterface,
    InstanceNetworkInterfaceAssociation, InstanceNetworkInterfaceAttachment,
    InstancePrivateIpAddress, Monitoring, NetworkInterfaceAssociation, OperatorResponse, Placement,
    PrivateDnsNameOptionsResponse, StateReason,
};
use model::{Instance, InstanceState, NetworkInterface, Subnet};

use super::image::image;
use super::instance_type::instance_type;
use super::metadata_options;
use crate::{Transaction, network_interface, tag};

/// The whole instance; a terminated one has nothing of its network left.
pub(super) fn instance(tx: &Transaction<'_>, of: &Instance) -> ec2_api::Instance {
    let text = |value: &str| Some(value.to_owned());
    let interfaces = tx.state().interfaces_of(of.id);
    let primary = interfaces.first().copied();
    let subnet = primary.and_then(|eni| tx.state().subnets.get(&eni.subnet_id));
    let own_type = instance_type(&of.instance_type).ok();
    let mut shape = ec2_api::Instance {
        instance_id: Some(of.id.to_string()),
        image_id: Some(of.image_id.to_string()),
        state: Some(state(of.state)),
        state_transition_reason: Some(of.state_transition_reason.clone()),
        state_reason: state_reason(of),
        architecture: own_type.map(|t| t.architecture.to_owned()),
        client_token: Some(of.client_token.clone().unwrap_or_default()),
        ebs_optimized: Some(false),
        ena_support: Some(true),
        hypervisor: text("xen"),
        root_device_name: image(of.image_id)
            .ok()
            .map(|i| i.root_device_name.to_owned()),
        root_device_type: text("ebs"),
        virtualization_type: text("hvm"),
        cpu_options: own_type.map(|t| CpuOptions {
            core_count: Some((t.virtual_cpus / 2).max(1)),
            threads_per_core: Some(t.virtual_cpus.min(2)),
            ..Default::default()
        }),
        capacity_reservation_specification: Some(CapacityReservationSpecificationResponse {
            capacity_reservation_preference: text("open"),
            ..Default::default()
        }),
        hibernation_options: Some(HibernationOptions {
            configured: Some(false),
        }),
        enclave_options: Some(EnclaveOptions {
            enabled: Some(false),
        }),
        maintenance_options: Some(InstanceMaintenanceOptions {
            auto_recovery: text("default"),
            ..Default::default()
        }),
        metadata_options: Some(metadata_options::shape(
            &of.metadata_options,
            of.state != InstanceState::Pending,
        )),
        platform_details: text("Linux/UNIX"),
        usage_operation: text("RunInstances"),
        usage_operation_update_time: Some(of.launch_time.to_string()),
        operator: Some(OperatorResponse {
            managed: Some(false),
            ..Default::default()
        }),
        key_name: of.key_name.clone(),
        ami_launch_index: i32::try_from(of.launch_index).ok(),
        instance_type: Some(of.instance_type.clone()),
        launch_time: Some(of.launch_time.to_string()),
        placement: Some(Placement {
            availability_zone: Some(of.zone.to_string()),
            availability_zone_id: Some(of.zone.zone_id()),
            group_name: text(""),
            tenancy: text("default"),
            ..Default::default()
        }),
        monitoring: Some(Monitoring {
            state: text("disabled"),
        }),
        private_dns_name: text(""),
        public_dns_name: text(""),
        tags: tag::tag_set(&of.tags),
        network_interfaces: interfaces.iter().map(|eni| interface(tx, eni)).collect(),
        ..Default::default()
    };
    if let (Some(eni), Some(subnet)) = (primary, subnet) {
        fill_network(tx, &mut shape, of, eni, subnet);
    }
    shape
}

/// Code and name.
pub(super) fn state(state: InstanceState) -> ec2_api::InstanceState {
    ec2_api::InstanceState {
        code: Some(state.code().into()),
        name: Some(state.name().to_owned()),
    }
}

/// Why an instance is not running: `Client.UserInitiatedShutdown` and the like.
pub(super) fn state_reason(of: &Instance) -> Option<StateReason> {
    let reason = of.state_transition_reason.as_str();
    let (code, message) = match of.state {
        InstanceState::Running => return None,
        InstanceState::Pending => ("pending", "pending"),
        _ if reason.starts_with("User initiated") => (
            "Client.UserInitiatedShutdown",
            "Client.UserInitiatedShutdown: User initiated shutdown",
        ),
        _ => (reason.split(':').next().unwrap_or_default(), reason),
    };
    Some(StateReason {
        code: Some(code.to_owned()),
        message: Some(message.to_owned()),
    })
}

/// What the primary interface gives to the instance itself.
fn fill_network(
    tx: &Transaction<'_>,
    shape: &mut ec2_api::Instance,
    of: &Instance,
    eni: &NetworkInterface,
    subnet: &Subnet,
) {
    let by_ip = eni
        .primary_ipv4()
        .filter(|_| subnet.hostname_type == "ip-name");
    shape.private_dns_name = Some(match by_ip {
        Some(address) => network_interface::ip_name(tx, address),
        None => network_interface::resource_name(tx, of.id),
    });
    shape.private_ip_address = eni.primary_ipv4().map(|a| a.to_string());
    if let Some(public) = eni.primary_ipv4().and_then(|a| eni.public_ip(a)) {
        shape.public_ip_address = Some(public.to_string());
        let name = network_interface::public_name(tx, eni.vpc_id, public);
        shape.public_dns_name = Some(name.unwrap_or_default());
    }
    shape.ipv6_address = eni.ipv6_addresses.first().map(ToString::to_string);
    shape.subnet_id = Some(eni.subnet_id.to_string());
    shape.vpc_id = Some(eni.vpc_id.to_string());
    shape.security_groups = network_interface::group_identifiers(tx, &eni.groups);
    shape.source_dest_check = Some(eni.source_dest_check);
    shape.private_dns_name_options = Some(PrivateDnsNameOptionsResponse {
        hostname_type: Some(subnet.hostname_type.clone()),
        enable_resource_name_dns_a_record: Some(subnet.enable_resource_name_dns_a_record),
        enable_resource_name_dns_aaaa_record: Some(subnet.enable_resource_name_dns_aaaa_record),
    });
}

fn interface(tx: &Transaction<'_>, eni: &NetworkInterface) -> InstanceNetworkInterface {
    let whole = network_interface::shape(tx, eni);
    let private_address = |p: ec2_api::NetworkInterfacePrivateIpAddress| InstancePrivateIpAddress {
        association: p.association.map(association),
        primary: p.primary,
        private_dns_name: p.private_dns_name,
        private_ip_address: p.private_ip_address,
    };
    let ipv6_address = |a: ec2_api::NetworkInterfaceIpv6Address| InstanceIpv6Address {
        ipv6_address: a.ipv6_address,
        is_primary_ipv6: a.is_primary_ipv6,
    };
    InstanceNetworkInterface {
        association: whole.association.map(association),
        attachment: whole
            .attachment
            .map(|a| InstanceNetworkInterfaceAttachment {
                attach_time: a.attach_time,
                attachment_id: a.attachment_id,
                delete_on_termination: a.delete_on_termination,
                device_index: a.device_index,
                status: a.status,
                network_card_index: a.network_card_index,
                ..Default::default()
            }),
        description: whole.description,
        groups: whole.groups,
        ipv6_addresses: whole.ipv6_addresses.into_iter().map(ipv6_address).collect(),
        mac_address: whole.mac_address,
        network_interface_id: whole.network_interface_id,
        owner_id: whole.owner_id,
        private_dns_name: whole.private_dns_name,
        private_ip_address: whole.private_ip_address,
        private_ip_addresses: whole
            .private_ip_addresses
            .into_iter()
            .map(private_address)
            .collect(),
        source_dest_check: whole.source_dest_check,
        status: whole.status,
        subnet_id: whole.subnet_id,
        vpc_id: whole.vpc_id,
        interface_type: whole.interface_type,
        operator: whole.operator,
        ..Default::default()
    }
}

fn association(of: NetworkInterfaceAssociation) -> InstanceNetworkInterfaceAssociation {
    InstanceNetworkInterfaceAssociation {
        ip_owner_id: of.ip_owner_id,
        public_dns_name: of.public_dns_name,
        public_ip: of.public_ip,
        ..Default::default()
    }
}
