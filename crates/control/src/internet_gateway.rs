//! Internet gateways (Amazon VPC User Guide, "Enable internet access using internet gateways").

use ec2_api::{
    AttachInternetGatewayRequest, AttachInternetGatewayResponse, CreateInternetGatewayRequest,
    CreateInternetGatewayResponse, DeleteInternetGatewayRequest, DeleteInternetGatewayResponse,
    DescribeInternetGatewaysRequest, DescribeInternetGatewaysResponse,
    DetachInternetGatewayRequest, DetachInternetGatewayResponse, InternetGatewayAttachment,
};
use model::{InternetGateway, InternetGatewayId, Owner, Tags, Vpc, VpcId};

use crate::filter::{Filters, optional};
use crate::page::Page;
use crate::tag::{from_specifications, tag_set};
use crate::{Error, Transaction, nat_gateway, parameter, route_table};

const TYPE: &str = "internet-gateway";

/// What the attachment of a gateway reads in AWS's answers; its documentation says `attached`.
const ATTACHED: &str = "available";

const FILTERS: &[&str] = &[
    "attachment.state",
    "attachment.vpc-id",
    "internet-gateway-id",
    "owner-id",
];

/// Creates a gateway that is not attached.
pub(crate) fn create(tx: &mut Transaction<'_>, tags: Tags) -> Result<InternetGatewayId, Error> {
    tx.quotas()
        .internet_gateways(tx.rows::<InternetGateway>().count())?;
    let id = tx.id();
    let vpc_id = None;
    tx.put(id, InternetGateway { id, vpc_id, tags });
    Ok(id)
}

/// Creates a gateway.
pub(crate) fn create_internet_gateway(
    tx: &mut Transaction<'_>,
    request: &CreateInternetGatewayRequest,
) -> Result<CreateInternetGatewayResponse, Error> {
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    let id = create(tx, tags)?;
    let owner = tx.scope().account.to_string();
    Ok(CreateInternetGatewayResponse {
        internet_gateway: Some(shape(&owner, tx.find(id)?)),
    })
}

/// Attaches a gateway to a VPC.
pub(crate) fn attach_internet_gateway(
    tx: &mut Transaction<'_>,
    request: &AttachInternetGatewayRequest,
) -> Result<AttachInternetGatewayResponse, Error> {
    let id = parameter::id(&request.internet_gateway_id, "internetGatewayId")?;
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    let mut gateway = tx.take::<InternetGateway>(id)?;
    tx.find::<Vpc>(vpc_id)?;
    if let Some(other) = gateway.vpc_id {
        return Err(Error::new(
            "Resource.AlreadyAssociated",
            format!("resource {id} is already attached to network {other}"),
        ));
    }
    if tx.state().internet_gateway_of(vpc_id).is_some() {
        return Err(Error::InvalidParameterValue(format!(
            "Network {vpc_id} already has an internet gateway attached"
        )));
    }
    gateway.vpc_id = Some(vpc_id);
    tx.put(id, gateway);
    Ok(AttachInternetGatewayResponse {})
}

/// Detaches a gateway; routes to it become blackholes.
pub(crate) fn detach_internet_gateway(
    tx: &mut Transaction<'_>,
    request: &DetachInternetGatewayRequest,
) -> Result<DetachInternetGatewayResponse, Error> {
    let id = parameter::id(&request.internet_gateway_id, "internetGatewayId")?;
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    let mut gateway = tx.take::<InternetGateway>(id)?;
    tx.find::<Vpc>(vpc_id)?;
    if gateway.vpc_id != Some(vpc_id) {
        return Err(Error::new(
            "Gateway.NotAttached",
            format!("resource {id} is not attached to network {vpc_id}"),
        ));
    }
    if has_public_address(tx, vpc_id) {
        return Err(Error::new(
            "DependencyViolation",
            format!(
                "Network {vpc_id} has some mapped public address(es). Please unmap those public \
                 address(es) before detaching the gateway."
            ),
        ));
    }
    gateway.vpc_id = None;
    tx.put(id, gateway);
    route_table::forget_gateway(tx, id);
    Ok(DetachInternetGatewayResponse {})
}

fn has_public_address(tx: &Transaction<'_>, vpc_id: VpcId) -> bool {
    let mut private = tx
        .state()
        .network_interfaces
        .of(Owner::Vpc(vpc_id))
        .flat_map(|eni| &eni.private_ip_addresses);
    private.any(|address| address.association.is_some())
        || nat_gateway::has_public_address(tx, vpc_id)
}

/// Deletes a gateway that is not attached.
pub(crate) fn delete_internet_gateway(
    tx: &mut Transaction<'_>,
    request: &DeleteInternetGatewayRequest,
) -> Result<DeleteInternetGatewayResponse, Error> {
    let id = parameter::id(&request.internet_gateway_id, "internetGatewayId")?;
    if tx.find::<InternetGateway>(id)?.vpc_id.is_some() {
        return Err(Error::DependencyViolation(id.into()));
    }
    tx.delete::<InternetGateway>(id);
    Ok(DeleteInternetGatewayResponse {})
}

/// Lists gateways.
pub(crate) fn describe_internet_gateways(
    tx: &mut Transaction<'_>,
    request: &DescribeInternetGatewaysRequest,
) -> Result<DescribeInternetGatewaysResponse, Error> {
    let ids = &request.internet_gateway_ids;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        Page::USUAL,
    )?;
    let owner = tx.scope().account.to_string();
    let mut rows = tx.select::<InternetGateway>(ids)?;
    rows.retain(|gateway| {
        filters.matches(&gateway.tags, |name| match name {
            "attachment.state" => optional(gateway.vpc_id.map(|_| ATTACHED)),
            "attachment.vpc-id" => optional(gateway.vpc_id),
            "internet-gateway-id" => vec![gateway.id.to_string()],
            "owner-id" => vec![owner.clone()],
            _ => Vec::new(),
        })
    });
    let (rows, next_token) = page.take(rows, |gateway| gateway.id.to_string());
    Ok(DescribeInternetGatewaysResponse {
        internet_gateways: rows.into_iter().map(|g| shape(&owner, g)).collect(),
        next_token,
    })
}

fn shape(owner: &str, gateway: &InternetGateway) -> ec2_api::InternetGateway {
    let attachment = |vpc_id: VpcId| InternetGatewayAttachment {
        state: Some(ATTACHED.to_owned()),
        vpc_id: Some(vpc_id.to_string()),
    };
    ec2_api::InternetGateway {
        attachments: gateway.vpc_id.map(attachment).into_iter().collect(),
        internet_gateway_id: Some(gateway.id.to_string()),
        owner_id: Some(owner.to_owned()),
        tags: tag_set(&gateway.tags),
    }
}
