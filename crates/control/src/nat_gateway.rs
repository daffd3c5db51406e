//! NAT gateways, of one zone and regional (Amazon VPC User Guide, "NAT gateways").
//!
//! An action only moves a gateway to `pending` or `deleting`; the next tick moves it on.

mod address;
mod create;
mod describe;
mod life;
mod regional;

use ec2_api::{DeleteNatGatewayRequest, DeleteNatGatewayResponse};
use model::{NatGateway, NatGatewayId, NatGatewayState, VpcId};

use crate::{Error, Transaction, parameter};

pub(crate) use address::{
    assign_private_nat_gateway_address, associate_nat_gateway_address,
    disassociate_nat_gateway_address, unassign_private_nat_gateway_address,
};
pub(crate) use create::create_nat_gateway;
pub(crate) use describe::describe_nat_gateways;
pub(crate) use life::{due, tick};
pub(crate) use regional::{has_public_address, owner_of};

/// Begins to delete a gateway. It takes no packets from here on, and routes to it are blackholes.
pub(crate) fn delete_nat_gateway(
    tx: &mut Transaction<'_>,
    request: &DeleteNatGatewayRequest,
) -> Result<DeleteNatGatewayResponse, Error> {
    let id: NatGatewayId = parameter::id(&request.nat_gateway_id, "NatGatewayId")?;
    let mut gateway = tx.take::<NatGateway>(id)?;
    let next = match gateway.state {
        NatGatewayState::Pending | NatGatewayState::Available => NatGatewayState::Deleting,
        // It has nothing that would have to be taken down.
        NatGatewayState::Failed => NatGatewayState::Deleted,
        same @ (NatGatewayState::Deleting | NatGatewayState::Deleted) => same,
    };
    if next != gateway.state {
        gateway.state = next;
        gateway.deleted_at = Some(tx.now());
        tx.put(id, gateway);
    }
    Ok(DeleteNatGatewayResponse {
        nat_gateway_id: Some(id.to_string()),
    })
}

/// Whether a VPC has gateways that are not gone.
pub(crate) fn any_in(tx: &Transaction<'_>, vpc_id: VpcId) -> bool {
    tx.rows::<NatGateway>()
        .any(|g| g.vpc_id == vpc_id && g.state.is_alive())
}
