//! Parameters of a launch that only a real machine could give meaning to: checked, and otherwise *kept*.
//!
//! Their words and bounds are those of "RunInstances" and of the data types that it names.

use ec2_api::{BlockDeviceMapping, Placement, RunInstancesRequest};

use crate::{Error, parameter};

/// The longest text; ARNs are the longest that AWS has here.
const TEXT_MAX: usize = 2048;

const VOLUME_TYPES: &[&str] = &["standard", "io1", "io2", "gp2", "sc1", "st1", "gp3"];
const SWITCH: &[&str] = &["enabled", "disabled"];

/// Refuses values that AWS would refuse.
pub(super) fn check(request: &RunInstancesRequest) -> Result<(), Error> {
    for mapping in &request.block_device_mappings {
        volume(mapping)?;
    }
    if let Some(placed) = &request.placement {
        placement(placed)?;
    }
    if let Some(cpu) = &request.cpu_options {
        at_least(cpu.core_count, "cpuOptions.coreCount", 1)?;
        at_least(cpu.threads_per_core, "cpuOptions.threadsPerCore", 1)?;
        word(&cpu.amd_sev_snp, "cpuOptions.amdSevSnp", SWITCH)?;
        let nested = &cpu.nested_virtualization;
        word(nested, "cpuOptions.nestedVirtualization", SWITCH)?;
    }
    if let Some(reserved) = &request.capacity_reservation_specification {
        let preference = &reserved.capacity_reservation_preference;
        let words = &["capacity-reservations-only", "open", "none"];
        word(preference, "capacityReservationPreference", words)?;
        if let Some(target) = &reserved.capacity_reservation_target {
            let (id, group) = (
                &target.capacity_reservation_id,
                &target.capacity_reservation_resource_group_arn,
            );
            text(id, "capacityReservationId")?;
            text(group, "capacityReservationResourceGroupArn")?;
        }
    }
    if let Some(options) = &request.maintenance_options {
        word(
            &options.auto_recovery,
            "autoRecovery",
            &["disabled", "default"],
        )?;
    }
    if let Some(options) = &request.network_performance_options {
        let words = &["default", "vpc-1", "ebs-1"];
        word(&options.bandwidth_weighting, "bandwidthWeighting", words)?;
    }
    if let Some(options) = &request.private_dns_name_options {
        let words = &["ip-name", "resource-name"];
        word(&options.hostname_type, "hostnameType", words)?;
    }
    if let Some(credit) = &request.credit_specification {
        word(
            &credit.cpu_credits,
            "cpuCredits",
            &["standard", "unlimited"],
        )?;
    }
    if let Some(profile) = &request.iam_instance_profile {
        text(&profile.arn, "iamInstanceProfile.arn")?;
        text(&profile.name, "iamInstanceProfile.name")?;
    }
    for license in &request.license_specifications {
        text(
            &license.license_configuration_arn,
            "licenseConfigurationArn",
        )?;
    }
    text(&request.additional_info, "additionalInfo")?;
    text(&request.kernel_id, "kernelId")?;
    text(&request.ramdisk_id, "ramdiskId")?;
    parameter::text(&request.key_name, "keyName", 255)
}

fn volume(mapping: &BlockDeviceMapping) -> Result<(), Error> {
    text(&mapping.device_name, "deviceName")?;
    text(&mapping.virtual_name, "virtualName")?;
    text(&mapping.no_device, "noDevice")?;
    let Some(ebs) = &mapping.ebs else {
        return Ok(());
    };
    word(&ebs.volume_type, "volumeType", VOLUME_TYPES)?;
    at_least(ebs.volume_size, "volumeSize", 1)?;
    at_least(ebs.iops, "iops", 1)?;
    at_least(ebs.throughput, "throughput", 1)?;
    at_least(
        ebs.volume_initialization_rate,
        "volumeInitializationRate",
        1,
    )?;
    at_least(ebs.ebs_card_index, "ebsCardIndex", 0)?;
    text(&ebs.snapshot_id, "snapshotId")?;
    text(&ebs.kms_key_id, "kmsKeyId")?;
    text(&ebs.outpost_arn, "outpostArn")?;
    text(&ebs.availability_zone, "availabilityZone")?;
    text(&ebs.availability_zone_id, "availabilityZoneId")
}

fn placement(placed: &Placement) -> Result<(), Error> {
    at_least(placed.partition_number, "placement.partitionNumber", 1)?;
    text(&placed.affinity, "placement.affinity")?;
    text(&placed.group_id, "placement.groupId")?;
    text(&placed.group_name, "placement.groupName")?;
    text(&placed.host_id, "placement.hostId")?;
    text(
        &placed.host_resource_group_arn,
        "placement.hostResourceGroupArn",
    )?;
    text(&placed.spread_domain, "placement.spreadDomain")
}

fn text(value: &Option<String>, name: &str) -> Result<(), Error> {
    parameter::text(value, name, TEXT_MAX)
}

fn word(value: &Option<String>, name: &str, words: &[&str]) -> Result<(), Error> {
    match value {
        None => Ok(()),
        Some(value) => parameter::one_of(value, name, words).map(|_| ()),
    }
}

fn at_least(value: Option<i32>, name: &str, least: i32) -> Result<(), Error> {
    match value.filter(|value| *value < least) {
        None => Ok(()),
        Some(value) => {
            let why = format!("It must be {least} or more.");
            Err(Error::invalid_value(name, value, &why))
        }
    }
}
