//! Egress-only internet gateways (Amazon VPC User Guide, "Enable outbound IPv6 traffic using an egress-only internet
//! gateway").

use ec2_api::{
    CreateEgressOnlyInternetGatewayRequest, CreateEgressOnlyInternetGatewayResponse,
    DeleteEgressOnlyInternetGatewayRequest, DeleteEgressOnlyInternetGatewayResponse,
    DescribeEgressOnlyInternetGatewaysRequest, DescribeEgressOnlyInternetGatewaysResponse,
    InternetGatewayAttachment,
};
use model::{EgressOnlyInternetGateway, EgressOnlyInternetGatewayId, Vpc, VpcId};

use crate::filter::Filters;
use crate::page::Page;
use crate::{Error, Transaction, parameter, tag, token};

const TYPE: &str = "egress-only-internet-gateway";
const ACTION: &str = "CreateEgressOnlyInternetGateway";

/// Creates a gateway, attached to its VPC for life.
pub(crate) fn create_egress_only_internet_gateway(
    tx: &mut Transaction<'_>,
    request: &CreateEgressOnlyInternetGatewayRequest,
) -> Result<CreateEgressOnlyInternetGatewayResponse, Error> {
    let plain = CreateEgressOnlyInternetGatewayRequest {
        client_token: None,
        dry_run: None,
        ..request.clone()
    };
    let id = token::once(tx, ACTION, &request.client_token, &plain, |tx| {
        create(tx, request)
    })?;
    Ok(CreateEgressOnlyInternetGatewayResponse {
        client_token: request.client_token.clone(),
        egress_only_internet_gateway: Some(shape(tx.find(id)?)),
    })
}

fn create(
    tx: &mut Transaction<'_>,
    request: &CreateEgressOnlyInternetGatewayRequest,
) -> Result<EgressOnlyInternetGatewayId, Error> {
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    let tags = tag::from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    tx.find::<Vpc>(vpc_id)?;
    if any_in(tx, vpc_id) {
        return Err(Error::InvalidParameterValue(format!(
            "Network {vpc_id} already has an egress-only internet gateway attached"
        )));
    }
    tx.quotas()
        .egress_only_internet_gateways(tx.rows::<EgressOnlyInternetGateway>().count())?;
    let id = tx.id();
    tx.put(id, EgressOnlyInternetGateway { id, vpc_id, tags });
    Ok(id)
}

/// Deletes a gateway; routes to it become blackholes.
pub(crate) fn delete_egress_only_internet_gateway(
    tx: &mut Transaction<'_>,
    request: &DeleteEgressOnlyInternetGatewayRequest,
) -> Result<DeleteEgressOnlyInternetGatewayResponse, Error> {
    let name = "egressOnlyInternetGatewayId";
    let id: EgressOnlyInternetGatewayId =
        parameter::id(&request.egress_only_internet_gateway_id, name)?;
    tx.find::<EgressOnlyInternetGateway>(id)?;
    tx.delete::<EgressOnlyInternetGateway>(id);
    Ok(DeleteEgressOnlyInternetGatewayResponse {
        return_code: Some(true),
    })
}

/// Lists gateways. An unknown id gives an empty answer, which clients rely on.
pub(crate) fn describe_egress_only_internet_gateways(
    tx: &mut Transaction<'_>,
    request: &DescribeEgressOnlyInternetGatewaysRequest,
) -> Result<DescribeEgressOnlyInternetGatewaysResponse, Error> {
    let ids: Vec<EgressOnlyInternetGatewayId> =
        parameter::optional_ids(&request.egress_only_internet_gateway_ids)?;
    let filters = Filters::parse(&request.filters, &[])?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        5..=255,
    )?;
    let rows = tx
        .rows::<EgressOnlyInternetGateway>()
        .filter(|gateway| ids.is_empty() || ids.contains(&gateway.id))
        .filter(|gateway| filters.matches(&gateway.tags, |_| Vec::new()))
        .collect();
    let key = |gateway: &&EgressOnlyInternetGateway| gateway.id.to_string();
    let (rows, next_token) = page.take(rows, key);
    Ok(DescribeEgressOnlyInternetGatewaysResponse {
        egress_only_internet_gateways: rows.into_iter().map(shape).collect(),
        next_token,
    })
}

/// Whether a VPC has a gateway.
pub(crate) fn any_in(tx: &Transaction<'_>, vpc_id: VpcId) -> bool {
    tx.rows::<EgressOnlyInternetGateway>()
        .any(|gateway| gateway.vpc_id == vpc_id)
}

fn shape(gateway: &EgressOnlyInternetGateway) -> ec2_api::EgressOnlyInternetGateway {
    ec2_api::EgressOnlyInternetGateway {
        attachments: vec![InternetGatewayAttachment {
            state: Some("attached".to_owned()),
            vpc_id: Some(gateway.vpc_id.to_string()),
        }],
        egress_only_internet_gateway_id: Some(gateway.id.to_string()),
        tags: tag::tag_set(&gateway.tags),
    }
}
