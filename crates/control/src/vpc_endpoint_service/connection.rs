//! The endpoints that lead to a service: its owner sees them, and accepts or rejects them (AWS PrivateLink Guide,
//! "Accept or reject connection requests"). They are rows of the accounts that made them.

use ec2_api::{
    AcceptVpcEndpointConnectionsRequest, AcceptVpcEndpointConnectionsResponse,
    DescribeVpcEndpointConnectionsRequest, DescribeVpcEndpointConnectionsResponse,
    RejectVpcEndpointConnectionsRequest, RejectVpcEndpointConnectionsResponse, UnsuccessfulItem,
    VpcEndpointConnection,
};
use model::{Id, Scope, Tags, VpcEndpoint, VpcEndpointId, VpcEndpointService, VpcEndpointState};

use super::{shape, unsuccessful};
use crate::filter::Filters;
use crate::page::Page;
use crate::{Error, Transaction, parameter};

pub(crate) fn describe_vpc_endpoint_connections(
    tx: &mut Transaction<'_>,
    request: &DescribeVpcEndpointConnectionsRequest,
) -> Result<DescribeVpcEndpointConnectionsResponse, Error> {
    let page = Page::parse(request.max_results, &request.next_token, false, 1..=1000)?;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let mut rows = Vec::new();
    for service in tx.rows::<VpcEndpointService>() {
        for (scope, endpoint) in of(tx, service) {
            let value = |name: &str| {
                vec![match name {
                    "service-id" => service.id.to_string(),
                    "vpc-endpoint-id" => endpoint.id.to_string(),
                    "vpc-endpoint-owner" => scope.account.to_string(),
                    "vpc-endpoint-state" => endpoint.state.to_string(),
                    "vpc-endpoint-region" => scope.region.to_string(),
                    _ => "ipv4".to_owned(),
                }]
            };
            if filters.matches(&Tags::new(), value) {
                rows.push(connection(tx, service, scope, endpoint));
            }
        }
    }
    let place = |row: &VpcEndpointConnection| row.vpc_endpoint_id.clone().unwrap_or_default();
    rows.sort_by_cached_key(place);
    let (rows, next_token) = page.take(rows, place);
    Ok(DescribeVpcEndpointConnectionsResponse {
        vpc_endpoint_connections: rows,
        next_token,
    })
}

/// Endpoints that wait for it are built from now on.
pub(crate) fn accept_vpc_endpoint_connections(
    tx: &mut Transaction<'_>,
    request: &AcceptVpcEndpointConnectionsRequest,
) -> Result<AcceptVpcEndpointConnectionsResponse, Error> {
    let ids = parameter::ids(&request.vpc_endpoint_ids, "VpcEndpointId")?;
    let service = parameter::id(&request.service_id, "ServiceId")?;
    let service = tx.take::<VpcEndpointService>(service)?;
    let unsuccessful = change(tx, &service, ids, VpcEndpointState::Pending, |state| {
        matches!(
            state,
            VpcEndpointState::PendingAcceptance | VpcEndpointState::Rejected
        )
    });
    Ok(AcceptVpcEndpointConnectionsResponse { unsuccessful })
}

/// Endpoints that wait, and those that were accepted before, carry nothing from now on.
pub(crate) fn reject_vpc_endpoint_connections(
    tx: &mut Transaction<'_>,
    request: &RejectVpcEndpointConnectionsRequest,
) -> Result<RejectVpcEndpointConnectionsResponse, Error> {
    let ids = parameter::ids(&request.vpc_endpoint_ids, "VpcEndpointId")?;
    let service = parameter::id(&request.service_id, "ServiceId")?;
    let service = tx.take::<VpcEndpointService>(service)?;
    let unsuccessful = change(tx, &service, ids, VpcEndpointState::Rejected, is_live);
    Ok(RejectVpcEndpointConnectionsResponse { unsuccessful })
}

/// Whether an endpoint still leads to a service, or may once its owner has accepted it.
pub(super) fn has_live_one(tx: &Transaction<'_>, service: &VpcEndpointService) -> bool {
    of(tx, service).any(|(_, endpoint)| is_live(endpoint.state))
}

fn is_live(state: VpcEndpointState) -> bool {
    matches!(
        state,
        VpcEndpointState::PendingAcceptance
            | VpcEndpointState::Pending
            | VpcEndpointState::Available
    )
}

/// The endpoints of anybody that lead to a service of the caller's.
fn of<'t>(
    tx: &'t Transaction<'_>,
    service: &VpcEndpointService,
) -> impl Iterator<Item = (Scope, &'t VpcEndpoint)> {
    let name = service.name(tx.scope().region);
    tx.states().flat_map(move |(scope, state)| {
        let name = name.clone();
        let endpoints = state.vpc_endpoints.values();
        endpoints
            .filter(move |endpoint| endpoint.service_name == name)
            .map(move |endpoint| (scope, endpoint))
    })
}

/// Gives endpoints another state, if that follows on the one they have; tells of which it does not.
fn change(
    tx: &mut Transaction<'_>,
    service: &VpcEndpointService,
    ids: Vec<VpcEndpointId>,
    to: VpcEndpointState,
    from: impl Fn(VpcEndpointState) -> bool,
) -> Vec<UnsuccessfulItem> {
    let mut refused = Vec::new();
    for id in ids {
        let found = of(tx, service).find(|(_, endpoint)| endpoint.id == id);
        let Some((scope, endpoint)) = found.map(|(scope, row)| (scope, row.clone())) else {
            let message = Error::NotFound(id.into()).to_string();
            refused.push(unsuccessful(id, "InvalidVpcEndpoint.NotFound", message));
            continue;
        };
        if !from(endpoint.state) {
            let message = format!(
                "Operation is not allowed on VPC endpoint {id} in the state {}",
                endpoint.state
            );
            refused.push(unsuccessful(id, "InvalidState", message));
            continue;
        }
        let changed = VpcEndpoint {
            state: to,
            ..endpoint
        };
        tx.put_in(scope, id, changed);
    }
    refused
}

fn connection(
    tx: &Transaction<'_>,
    service: &VpcEndpointService,
    scope: Scope,
    endpoint: &VpcEndpoint,
) -> VpcEndpointConnection {
    let id = endpoint.id.to_string();
    let digits = id.trim_start_matches(VpcEndpointId::PREFIX);
    VpcEndpointConnection {
        service_id: Some(service.id.to_string()),
        vpc_endpoint_id: Some(id.clone()),
        vpc_endpoint_owner: Some(scope.account.to_string()),
        vpc_endpoint_state: Some(endpoint.state.to_string()),
        creation_timestamp: Some(endpoint.created_at.to_string()),
        network_load_balancer_arns: shape::load_balancer_arns(tx, &service.load_balancers),
        ip_address_type: Some("ipv4".to_owned()),
        vpc_endpoint_connection_id: Some(format!("vpce-con-{digits}")),
        vpc_endpoint_region: Some(scope.region.to_string()),
        ..Default::default()
    }
}

const FILTERS: &[&str] = &[
    "ip-address-type",
    "service-id",
    "vpc-endpoint-id",
    "vpc-endpoint-owner",
    "vpc-endpoint-region",
    "vpc-endpoint-state",
];
