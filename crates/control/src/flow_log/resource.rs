//! What CreateFlowLogs is asked to record.

use ec2_api::CreateFlowLogsRequest;
use model::{FlowLogResource, NatGateway, NatGatewayId, NetworkInterfaceId, SubnetId, VpcId};

use super::destination::invalid;
use crate::{Error, Transaction, parameter};

/// The resources of a request, all of the kind that it names. They need not exist.
pub(super) fn parse(
    tx: &Transaction<'_>,
    request: &CreateFlowLogsRequest,
) -> Result<Vec<FlowLogResource>, Error> {
    if request.resource_ids.is_empty() {
        return Err(Error::MissingParameter("ResourceId"));
    }
    let kind = parameter::required(&request.resource_type, "ResourceType")?;
    let kind = parameter::one_of(kind, "resourceType", TYPES)?;
    if request.resource_ids.len() > RESOURCES_MAX {
        return Err(Error::InvalidParameterValue(format!(
            "A request may name up to {RESOURCES_MAX} resources."
        )));
    }
    let resources = request.resource_ids.iter();
    resources.map(|id| resource(tx, kind, id)).collect()
}

fn resource(tx: &Transaction<'_>, kind: &str, text: &str) -> Result<FlowLogResource, Error> {
    let parsed = match kind {
        "VPC" => text.parse().map(|id: VpcId| FlowLogResource::Vpc(id)),
        "Subnet" => text.parse().map(|id: SubnetId| FlowLogResource::Subnet(id)),
        "NetworkInterface" => text
            .parse()
            .map(|id: NetworkInterfaceId| FlowLogResource::NetworkInterface(id)),
        "RegionalNatGateway" => text
            .parse()
            .map(|id: NatGatewayId| FlowLogResource::RegionalNatGateway(id)),
        _ => {
            return Err(Error::new(
                "UnsupportedOperation",
                format!("Flow logs of resource-type {kind} are not supported."),
            ));
        }
    };
    let wrong = || {
        invalid(format!(
            "Invalid Resource id {text} for resource-type {kind}"
        ))
    };
    let resource = parsed.map_err(|_| wrong())?;
    // A zonal NAT gateway is recorded at its network interface.
    if let FlowLogResource::RegionalNatGateway(id) = resource
        && tx.state().nat_gateways.get(&id).is_some_and(is_zonal)
    {
        return Err(wrong());
    }
    Ok(resource)
}

/// Whether a resource is there to be recorded.
pub(super) fn exists(tx: &Transaction<'_>, resource: FlowLogResource) -> bool {
    match resource {
        FlowLogResource::Vpc(id) => tx.state().vpcs.contains(&id),
        FlowLogResource::Subnet(id) => tx.state().subnets.contains(&id),
        FlowLogResource::NetworkInterface(id) => tx.state().network_interfaces.contains(&id),
        FlowLogResource::RegionalNatGateway(id) => {
            let gateway = tx.state().nat_gateways.get(&id);
            gateway.is_some_and(|gateway| gateway.state.is_alive())
        }
    }
}

fn is_zonal(gateway: &NatGateway) -> bool {
    !gateway.is_regional()
}

/// The codes are spelt as CreateFlowLogs does, which is not how other actions do.
pub(super) fn unknown(resource: FlowLogResource) -> Error {
    let (code, id) = match resource {
        FlowLogResource::Vpc(id) => ("InvalidVpcId.NotFound", id.to_string()),
        FlowLogResource::Subnet(id) => ("InvalidSubnetId.NotFound", id.to_string()),
        FlowLogResource::NetworkInterface(id) => {
            ("InvalidNetworkInterfaceId.NotFound", id.to_string())
        }
        FlowLogResource::RegionalNatGateway(id) => ("InvalidNatGatewayId.NotFound", id.to_string()),
    };
    Error::new(code, format!("Unknown resource {id}"))
}

const TYPES: &[&str] = &[
    "VPC",
    "Subnet",
    "NetworkInterface",
    "TransitGateway",
    "TransitGatewayAttachment",
    "RegionalNatGateway",
];
const RESOURCES_MAX: usize = 300;
