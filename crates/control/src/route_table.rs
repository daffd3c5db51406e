//! Route tables (Amazon VPC User Guide, "Configure route tables").

mod association;
mod destination;
mod gateway;
mod route;
mod target;

use ec2_api::{
    CreateRouteTableRequest, CreateRouteTableResponse, DeleteRouteTableRequest,
    DeleteRouteTableResponse, DescribeRouteTablesRequest, DescribeRouteTablesResponse,
};
use ipnet::Ipv4Net;
use model::{
    Destination, InternetGatewayId, Route, RouteOrigin, RouteTable, RouteTableAssociation,
    RouteTableId, RouteTarget, SubnetId, Tags, Vpc, VpcId,
};

pub(crate) use association::{
    associate_route_table, disassociate_route_table, replace_route_table_association,
};
pub(crate) use destination::check_quota;
pub(crate) use route::{
    add as add_route, check as check_route, create_route, delete_route, replace_route,
};

use crate::filter::{Filters, boolean, optional};
use crate::page::Page;
use crate::tag::{from_specifications, tag_set};
use crate::{Error, Transaction, nat_gateway, parameter, token, vpc_endpoint};

const TYPE: &str = "route-table";
const ACTION: &str = "CreateRouteTable";

/// Creates the main route table of a new VPC.
pub(crate) fn create_main(tx: &mut Transaction<'_>, vpc: &Vpc) {
    let mut table = new_table(tx, vpc, Tags::new());
    table.associations.push(RouteTableAssociation {
        id: tx.id(),
        main: true,
        subnet_id: None,
        gateway_id: None,
    });
    tx.put(table.id, table);
}

/// Creates the route table of a new regional NAT gateway, with a route to everywhere. The quota does not count for it.
pub(crate) fn create_for_nat_gateway(
    tx: &mut Transaction<'_>,
    vpc: &Vpc,
    target: RouteTarget,
) -> RouteTableId {
    let mut table = new_table(tx, vpc, Tags::new());
    let id = table.id;
    table.routes.push(default_route(target));
    tx.put(id, table);
    id
}

/// A table with the local routes that every table has.
fn new_table(tx: &mut Transaction<'_>, vpc: &Vpc, tags: Tags) -> RouteTable {
    let v4 = vpc.cidr_blocks.iter().map(|b| Destination::Ipv4(b.cidr));
    let v6 = vpc
        .ipv6_cidr_blocks
        .iter()
        .map(|b| Destination::Ipv6(b.cidr));
    RouteTable {
        id: tx.id(),
        vpc_id: vpc.id,
        routes: v4.chain(v6).map(local_route).collect(),
        associations: Vec::new(),
        tags,
    }
}

fn local_route(destination: Destination) -> Route {
    Route {
        destination,
        target: RouteTarget::Local,
        origin: RouteOrigin::CreateRouteTable,
    }
}

/// Changes every route table of a VPC.
fn change_all(tx: &mut Transaction<'_>, vpc_id: VpcId, change: impl Fn(&mut RouteTable)) {
    let tables = tx.rows::<RouteTable>().filter(|t| t.vpc_id == vpc_id);
    let tables: Vec<RouteTable> = tables.cloned().collect();
    for before in tables {
        let mut table = before.clone();
        change(&mut table);
        if table != before {
            tx.put(table.id, table);
        }
    }
}

/// Adds the local route of a new block to every route table of a VPC.
pub(crate) fn add_local_routes(tx: &mut Transaction<'_>, vpc_id: VpcId, destination: Destination) {
    change_all(tx, vpc_id, |table| {
        table.routes.retain(|r| r.destination != destination);
        table.routes.push(local_route(destination));
    });
}

/// Removes the routes for a block that a VPC gives up.
pub(crate) fn remove_routes(tx: &mut Transaction<'_>, vpc_id: VpcId, destination: Destination) {
    change_all(tx, vpc_id, |table| {
        table.routes.retain(|r| r.destination != destination);
    });
}

/// Adds the route to everywhere that the default VPC has.
pub(crate) fn add_default_route(tx: &mut Transaction<'_>, vpc_id: VpcId, target: RouteTarget) {
    change_all(tx, vpc_id, |table| {
        table.routes.push(default_route(target));
    });
}

fn default_route(target: RouteTarget) -> Route {
    Route {
        destination: Destination::Ipv4(Ipv4Net::default()),
        target,
        origin: RouteOrigin::CreateRoute,
    }
}

/// Ends the association of a subnet that goes away.
pub(crate) fn forget_subnet(tx: &mut Transaction<'_>, subnet_id: SubnetId) {
    forget(tx, |a| a.subnet_id == Some(subnet_id));
}

/// Ends the association of a gateway that leaves its VPC.
pub(crate) fn forget_gateway(tx: &mut Transaction<'_>, gateway_id: InternetGatewayId) {
    forget(tx, |a| a.gateway_id == Some(gateway_id));
}

fn forget(tx: &mut Transaction<'_>, over: impl Fn(&RouteTableAssociation) -> bool) {
    let rules = |t: &&RouteTable| t.associations.iter().any(&over);
    let table = tx.rows::<RouteTable>().find(rules).cloned();
    if let Some(mut table) = table {
        table.associations.retain(|a| !over(a));
        tx.put(table.id, table);
    }
}

/// Creates a route table.
pub(crate) fn create_route_table(
    tx: &mut Transaction<'_>,
    request: &CreateRouteTableRequest,
) -> Result<CreateRouteTableResponse, Error> {
    let plain = CreateRouteTableRequest {
        client_token: None,
        dry_run: None,
        ..request.clone()
    };
    let id = token::once(tx, ACTION, &request.client_token, &plain, |tx| {
        create(tx, request)
    })?;
    Ok(CreateRouteTableResponse {
        route_table: Some(shape(tx, tx.find(id)?)),
        client_token: request.client_token.clone(),
    })
}

fn create(
    tx: &mut Transaction<'_>,
    request: &CreateRouteTableRequest,
) -> Result<RouteTableId, Error> {
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    let vpc = tx.take::<Vpc>(vpc_id)?;
    let siblings = tx.rows::<RouteTable>().filter(|t| t.vpc_id == vpc_id);
    tx.quotas().route_tables(siblings.count())?;
    let table = new_table(tx, &vpc, tags);
    let id = table.id;
    tx.put(id, table);
    Ok(id)
}

/// Deletes a route table that rules nothing.
pub(crate) fn delete_route_table(
    tx: &mut Transaction<'_>,
    request: &DeleteRouteTableRequest,
) -> Result<DeleteRouteTableResponse, Error> {
    let id: RouteTableId = parameter::id(&request.route_table_id, "routeTableId")?;
    let rules_something = !tx.find::<RouteTable>(id)?.associations.is_empty();
    if rules_something || nat_gateway::owner_of(tx, id).is_some() {
        return Err(Error::DependencyViolation(id.into()));
    }
    delete(tx, id);
    Ok(DeleteRouteTableResponse {})
}

/// Deletes a route table, whatever it rules.
pub(crate) fn delete(tx: &mut Transaction<'_>, id: RouteTableId) {
    vpc_endpoint::forget_route_table(tx, id);
    tx.delete::<RouteTable>(id);
}

const FILTERS: &[&str] = &[
    "association.gateway-id",
    "association.main",
    "association.route-table-association-id",
    "association.route-table-id",
    "association.subnet-id",
    "owner-id",
    "route-table-id",
    "route.destination-cidr-block",
    "route.destination-ipv6-cidr-block",
    "route.destination-prefix-list-id",
    "route.egress-only-internet-gateway-id",
    "route.gateway-id",
    "route.instance-id",
    "route.nat-gateway-id",
    "route.network-interface-id",
    "route.origin",
    "route.state",
    "route.transit-gateway-id",
    "route.vpc-peering-connection-id",
    "vpc-id",
];

/// Lists route tables.
pub(crate) fn describe_route_tables(
    tx: &mut Transaction<'_>,
    request: &DescribeRouteTablesRequest,
) -> Result<DescribeRouteTablesResponse, Error> {
    let ids = &request.route_table_ids;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        5..=100,
    )?;
    let mut rows = tx.select::<RouteTable>(ids)?;
    rows.retain(|table| filters.matches(&table.tags, |name| filter_values(tx, table, name)));
    let (rows, next_token) = page.take(rows, |table| table.id.to_string());
    Ok(DescribeRouteTablesResponse {
        route_tables: rows.into_iter().map(|table| shape(tx, table)).collect(),
        next_token,
    })
}

fn filter_values(tx: &Transaction<'_>, table: &RouteTable, name: &str) -> Vec<String> {
    if let Some(name) = name.strip_prefix("route.") {
        let routes = table.routes.iter();
        return routes
            .filter_map(|r| route::filter_value(tx, table.vpc_id, r, name))
            .collect();
    }
    let associations = table.associations.iter();
    match name {
        "association.gateway-id" => associations.flat_map(|a| optional(a.gateway_id)).collect(),
        "association.main" => associations.flat_map(|a| boolean(a.main)).collect(),
        "association.route-table-association-id" => {
            associations.map(|a| a.id.to_string()).collect()
        }
        "association.route-table-id" => associations.map(|_| table.id.to_string()).collect(),
        "association.subnet-id" => associations.flat_map(|a| optional(a.subnet_id)).collect(),
        "owner-id" => vec![tx.scope().account.to_string()],
        "route-table-id" => vec![table.id.to_string()],
        "vpc-id" => vec![table.vpc_id.to_string()],
        _ => Vec::new(),
    }
}

fn shape(tx: &Transaction<'_>, table: &RouteTable) -> ec2_api::RouteTable {
    let association = |a| association::shape(table.id, a);
    let route = |r| route::shape(tx, table.vpc_id, r);
    ec2_api::RouteTable {
        associations: table.associations.iter().map(association).collect(),
        propagating_vgws: Vec::new(),
        route_table_id: Some(table.id.to_string()),
        routes: table.routes.iter().map(route).collect(),
        tags: tag_set(&table.tags),
        vpc_id: Some(table.vpc_id.to_string()),
        owner_id: Some(tx.scope().account.to_string()),
    }
}
