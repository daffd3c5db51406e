//! RunInstances.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ec2_api::{RunInstancesRequest, RunInstancesResponse};
use model::{
    AvailabilityZone, ImageId, Instance, InstanceId, InstanceState, MetadataOptions,
    NetworkInterface, ReservationId, Tags,
};

use super::instance_type::{InstanceType, instance_type};
use super::interface::{self, Planned};
use super::{image, kept, metadata_options, shape};
use crate::{Error, Transaction, address, network_interface, parameter, tag, token};

const ACTION: &str = "RunInstances";

pub(crate) fn run_instances(
    tx: &mut Transaction<'_>,
    request: &RunInstancesRequest,
) -> Result<RunInstancesResponse, Error> {
    let without_token = RunInstancesRequest {
        client_token: None,
        dry_run: None,
        ..request.clone()
    };
    let id = token::once(tx, ACTION, &request.client_token, &without_token, |tx| {
        refuse_unsupported(request)?;
        kept::check(request)?;
        let launch = Launch::parse(tx, request)?;
        let interfaces = interface::plan(tx, request, &launch.instance_type)?;
        let count = how_many(tx, request, &interfaces)?;
        let reservation_id = tx.id();
        for index in 0..count {
            launch.one(tx, reservation_id, index, &interfaces)?;
        }
        Ok(reservation_id)
    })?;
    Ok(answer(tx, id))
}

/// What all instances of a launch have in common.
struct Launch<'a> {
    request: &'a RunInstancesRequest,
    image_id: ImageId,
    instance_type: InstanceType,
    shutdown_behavior: &'a str,
    metadata_options: MetadataOptions,
    tags: Tags,
    interface_tags: Tags,
}

impl<'a> Launch<'a> {
    fn parse(tx: &Transaction<'_>, request: &'a RunInstancesRequest) -> Result<Self, Error> {
        let image_id = parameter::id(&request.image_id, "ImageId")?;
        let image = image::image(image_id)?;
        let name = request.instance_type.as_deref().unwrap_or(DEFAULT_TYPE);
        let instance_type = instance_type(name)?;
        if instance_type.architecture != image.architecture {
            return Err(Error::InvalidParameterValue(format!(
                "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.",
                instance_type.architecture, image.architecture
            )));
        }
        let behavior = request.instance_initiated_shutdown_behavior.as_deref();
        check_user_data(&request.user_data)?;
        let tags = |of| tag::from_specifications(tx, &request.tag_specifications, of, CREATES);
        Ok(Self {
            request,
            image_id,
            instance_type,
            shutdown_behavior: parameter::one_of(
                behavior.unwrap_or("stop"),
                "instanceInitiatedShutdownBehavior",
                SHUTDOWN_BEHAVIORS,
            )?,
            metadata_options: metadata_options::options(
                MetadataOptions::default(),
                request.metadata_options.as_ref(),
            )?,
            tags: tags("instance")?,
            interface_tags: tags("network-interface")?,
        })
    }

    fn one(
        &self,
        tx: &mut Transaction<'_>,
        reservation_id: ReservationId,
        launch_index: u32,
        interfaces: &[Planned],
    ) -> Result<(), Error> {
        let id: InstanceId = tx.id();
        let mut primary_zone = None;
        for planned in interfaces {
            let (eni, zone) = planned.create(tx, &self.interface_tags)?;
            network_interface::attach(
                tx,
                eni,
                id,
                planned.device_index,
                planned.delete_on_termination,
            )?;
            primary_zone = primary_zone.or(Some(zone));
        }
        let zone = primary_zone.ok_or(Error::MissingParameter("NetworkInterface"))?;
        tx.put(
            id,
            self.instance(tx, id, reservation_id, launch_index, zone),
        );
        if let Some(primary) = tx.state().interfaces_of(id).first().map(|eni| eni.id) {
            let automatic = interfaces.iter().any(|i| i.associate_public_ip_address);
            let mut eni = tx.take::<NetworkInterface>(primary)?;
            eni.associate_public_ip_address = automatic;
            tx.put(primary, eni);
            address::assign_automatic(tx, primary)?;
        }
        Ok(())
    }

    fn instance(
        &self,
        tx: &Transaction<'_>,
        id: InstanceId,
        reservation_id: ReservationId,
        launch_index: u32,
        zone: AvailabilityZone,
    ) -> Instance {
        Instance {
            id,
            reservation_id,
            launch_index,
            image_id: self.image_id,
            instance_type: self.instance_type.name.to_owned(),
            state: InstanceState::Pending,
            state_transition_reason: String::new(),
            launch_time: tx.now(),
            terminated_at: None,
            zone,
            key_name: self.request.key_name.clone(),
            user_data: self.request.user_data.clone().filter(|d| !d.is_empty()),
            booted: false,
            disable_api_termination: self.request.disable_api_termination == Some(true),
            instance_initiated_shutdown_behavior: self.shutdown_behavior.to_owned(),
            metadata_options: self.metadata_options,
            client_token: self.request.client_token.clone(),
            tags: self.tags.clone(),
        }
    }
}

/// Refuses user data that is not base64, or too long.
pub(super) fn check_user_data(user_data: &Option<String>) -> Result<(), Error> {
    let text = user_data.as_deref().unwrap_or_default();
    let compact: String = text.split_whitespace().collect();
    let data = STANDARD.decode(compact).map_err(|_| {
        Error::new(
            "InvalidUserData.Malformed",
            "Invalid BASE64 encoding of user data.",
        )
    })?;
    if data.len() > USER_DATA_MAX {
        return Err(Error::InvalidParameterValue(format!(
            "User data is limited to {USER_DATA_MAX} bytes"
        )));
    }
    Ok(())
}

/// As many instances as there is room for, `MinCount` at least and `MaxCount` at most.
fn how_many(
    tx: &Transaction<'_>,
    request: &RunInstancesRequest,
    interfaces: &[Planned],
) -> Result<u32, Error> {
    let bound = |value: &Option<i32>, name: &'static str| {
        let value = *parameter::required(value, name)?;
        let positive = u32::try_from(value).ok().filter(|n| *n > 0);
        positive.ok_or_else(|| Error::invalid_value(name, value, "It must be greater than 0."))
    };
    let min = bound(&request.min_count, "MinCount")?;
    let max = bound(&request.max_count, "MaxCount")?;
    if min > max {
        return Err(Error::InvalidParameterCombination(
            "MinCount may not be greater than MaxCount".to_owned(),
        ));
    }
    if max > 1 && interfaces.iter().any(Planned::is_unique) {
        return Err(Error::InvalidParameterCombination(
            "A network interface or a private IP address may not be specified when launching multiple instances".to_owned(),
        ));
    }
    let live = |i: &&Instance| i.state != InstanceState::Terminated;
    let used = tx.rows::<Instance>().filter(live).count();
    let most = tx.quotas().instances.saturating_sub(used);
    let most = u32::try_from(most).unwrap_or(u32::MAX);
    if most < min {
        tx.quotas().instances(usize::MAX)?;
    }
    let room = interface::room(tx, interfaces)?;
    if room < min {
        return Err(interface::no_room(interfaces));
    }
    Ok(max.min(most).min(room))
}

fn refuse_unsupported(request: &RunInstancesRequest) -> Result<(), Error> {
    let hibernation = request.hibernation_options.as_ref();
    let enclave = request.enclave_options.as_ref();
    let tenancy = request
        .placement
        .as_ref()
        .and_then(|p| p.tenancy.as_deref());
    parameter::refuse_unsupported(&[
        (request.launch_template.is_some(), "LaunchTemplate"),
        (
            request.instance_market_options.is_some(),
            "InstanceMarketOptions",
        ),
        (
            !request.elastic_gpu_specification.is_empty(),
            "ElasticGpuSpecification",
        ),
        (
            !request.elastic_inference_accelerators.is_empty(),
            "ElasticInferenceAccelerator",
        ),
        (
            !request.secondary_interfaces.is_empty(),
            "SecondaryInterface",
        ),
        (
            hibernation.is_some_and(|h| h.configured == Some(true)),
            "HibernationOptions",
        ),
        (
            enclave.is_some_and(|e| e.enabled == Some(true)),
            "EnclaveOptions",
        ),
        (request.disable_api_stop == Some(true), "DisableApiStop"),
        (
            request.enable_primary_ipv6 == Some(true),
            "EnablePrimaryIpv6",
        ),
        (request.operator.is_some(), "Operator"),
        (tenancy.is_some_and(|t| t != "default"), "Placement.Tenancy"),
    ])
}

/// The reservation with the instances that are left of it.
fn answer(tx: &Transaction<'_>, id: ReservationId) -> RunInstancesResponse {
    let of_launch = |i: &&Instance| i.reservation_id == id;
    let mut instances: Vec<_> = tx.rows::<Instance>().filter(of_launch).collect();
    instances.sort_by_key(|i| i.launch_index);
    RunInstancesResponse {
        reservation_id: Some(id.to_string()),
        owner_id: Some(tx.scope().account.to_string()),
        instances: instances.iter().map(|i| shape::instance(tx, i)).collect(),
        ..Default::default()
    }
}

const DEFAULT_TYPE: &str = "m1.small";
pub(super) const SHUTDOWN_BEHAVIORS: &[&str] = &["stop", "terminate"];
const CREATES: &[&str] = &["instance", "network-interface", "volume"];
const USER_DATA_MAX: usize = 16_384;
