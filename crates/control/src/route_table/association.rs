//! Which route table rules which subnet or gateway (Amazon VPC User Guide, "Subnet route tables" and
//! "Gateway route tables").

use ec2_api::{
    AssociateRouteTableRequest, AssociateRouteTableResponse, DisassociateRouteTableRequest,
    DisassociateRouteTableResponse, ReplaceRouteTableAssociationRequest,
    ReplaceRouteTableAssociationResponse, RouteTableAssociationState,
};
use model::{
    RouteTable, RouteTableAssociation, RouteTableAssociationId, RouteTableId, Subnet, SubnetId,
};

use super::gateway;
use crate::{Error, Transaction, nat_gateway, parameter};

/// Makes a route table rule a subnet or what comes in through an internet gateway. Neither may have
/// an association of its own yet.
pub(crate) fn associate_route_table(
    tx: &mut Transaction<'_>,
    request: &AssociateRouteTableRequest,
) -> Result<AssociateRouteTableResponse, Error> {
    let id: RouteTableId = parameter::id(&request.route_table_id, "routeTableId")?;
    if request.gateway_id.is_some() && request.subnet_id.is_some() {
        return Err(Error::InvalidParameterCombination(
            "The parameters gatewayId and subnetId cannot be used together".to_owned(),
        ));
    }
    parameter::refuse_unsupported(&[(request.public_ipv4_pool.is_some(), "publicIpv4Pool")])?;
    refuse_nat_gateways(tx, id)?;
    let (mut table, subnet_id, gateway_id) = match &request.gateway_id {
        Some(gateway) => {
            let table = tx.take::<RouteTable>(id)?;
            let gateway_id = gateway::find(tx, &table, gateway)?;
            gateway::check_table(tx, &table)?;
            (table, None, Some(gateway_id))
        }
        None => {
            let subnet_id: SubnetId = parameter::id(&request.subnet_id, "subnetId")?;
            let table = tx.take::<RouteTable>(id)?;
            if tx.find::<Subnet>(subnet_id)?.vpc_id != table.vpc_id {
                return Err(Error::InvalidParameterValue(format!(
                    "Route table {id} and subnet {subnet_id} belong to different networks"
                )));
            }
            (table, Some(subnet_id), None)
        }
    };
    let same = |a: &RouteTableAssociation| {
        (a.subnet_id, a.gateway_id) == (subnet_id, gateway_id) && !a.main
    };
    if tx
        .rows::<RouteTable>()
        .any(|t| t.associations.iter().any(same))
    {
        return Err(Error::new(
            "Resource.AlreadyAssociated",
            format!(
                "the specified association for route table {id} conflicts with an existing \
                 association"
            ),
        ));
    }
    let association_id: RouteTableAssociationId = tx.id();
    table.associations.push(RouteTableAssociation {
        id: association_id,
        main: false,
        subnet_id,
        gateway_id,
    });
    tx.put(id, table);
    Ok(AssociateRouteTableResponse {
        association_id: Some(association_id.to_string()),
        association_state: Some(associated()),
    })
}

/// Leaves a subnet to the main route table, or a gateway without one.
pub(crate) fn disassociate_route_table(
    tx: &mut Transaction<'_>,
    request: &DisassociateRouteTableRequest,
) -> Result<DisassociateRouteTableResponse, Error> {
    let id = parameter::id(&request.association_id, "associationId")?;
    let (table, association) = take_out(tx, id)?;
    if association.main {
        return Err(Error::InvalidParameterValue(format!(
            "cannot disassociate the main route table association {id}"
        )));
    }
    tx.put(table.id, table);
    Ok(DisassociateRouteTableResponse {})
}

/// Gives a subnet or gateway another route table, or a VPC another main one.
pub(crate) fn replace_route_table_association(
    tx: &mut Transaction<'_>,
    request: &ReplaceRouteTableAssociationRequest,
) -> Result<ReplaceRouteTableAssociationResponse, Error> {
    let id: RouteTableAssociationId = parameter::id(&request.association_id, "associationId")?;
    let table_id: RouteTableId = parameter::id(&request.route_table_id, "routeTableId")?;
    let (old, mut association) = take_out(tx, id)?;
    refuse_nat_gateways(tx, table_id)?;
    let vpc_id = tx.find::<RouteTable>(table_id)?.vpc_id;
    if vpc_id != old.vpc_id {
        return Err(Error::InvalidParameterValue(format!(
            "Route table {table_id} and network {} belong to different networks",
            old.vpc_id
        )));
    }
    tx.put(old.id, old);
    let mut new = tx.take::<RouteTable>(table_id)?;
    association.id = tx.id();
    let response = ReplaceRouteTableAssociationResponse {
        new_association_id: Some(association.id.to_string()),
        association_state: Some(associated()),
    };
    new.associations.push(association);
    if gateway::rules_gateway(&new) {
        gateway::check_table(tx, &new)?;
    }
    tx.put(table_id, new);
    Ok(response)
}

/// The route table of a regional NAT gateway rules nothing else.
fn refuse_nat_gateways(tx: &Transaction<'_>, id: RouteTableId) -> Result<(), Error> {
    match nat_gateway::owner_of(tx, id) {
        None => Ok(()),
        Some(owner) => Err(Error::InvalidParameterValue(format!(
            "The route table {id} is the one of {owner} and cannot be associated with anything \
             else."
        ))),
    }
}

/// The table that has an association, without it, and the association.
fn take_out(
    tx: &Transaction<'_>,
    id: RouteTableAssociationId,
) -> Result<(RouteTable, RouteTableAssociation), Error> {
    tx.rows::<RouteTable>()
        .find_map(|table| {
            let at = table.associations.iter().position(|a| a.id == id)?;
            let mut table = table.clone();
            let association = table.associations.remove(at);
            Some((table, association))
        })
        .ok_or(Error::NotFound(id.into()))
}

fn associated() -> RouteTableAssociationState {
    RouteTableAssociationState {
        state: Some("associated".to_owned()),
        status_message: None,
    }
}

pub(super) fn shape(
    table_id: RouteTableId,
    association: &RouteTableAssociation,
) -> ec2_api::RouteTableAssociation {
    ec2_api::RouteTableAssociation {
        main: Some(association.main),
        route_table_association_id: Some(association.id.to_string()),
        route_table_id: Some(table_id.to_string()),
        subnet_id: association.subnet_id.map(|id| id.to_string()),
        gateway_id: association.gateway_id.map(|id| id.to_string()),
        association_state: Some(associated()),
        ..Default::default()
    }
}
