//! What time does to gateways: they come up, lose addresses that have drained, go down and are forgotten.

use std::time::Duration;

use model::{
    FlowLogResource, NatGateway, NatGatewayAddress, NatGatewayState, NetworkInterface,
    NetworkInterfaceId, State, Timestamp,
};

use super::regional;
use crate::{Error, Transaction, address, flow_log, network_interface};

/// For how long failed and deleted gateways stay described ("Troubleshoot NAT gateways").
const VISIBLE: Duration = Duration::from_secs(3600);

/// When the next step of any gateway is due.
pub(crate) fn due(state: &State) -> Option<Timestamp> {
    let gateways = state.nat_gateways.values();
    gateways.filter_map(|g| next_step(state, g)).min()
}

/// Takes every step that is due; of a gateway several, if no tick has come for long. One gateway's step may be the reason
/// for another's: with its network interface, a zone may lose its last.
pub(crate) fn tick(tx: &mut Transaction<'_>) -> Result<(), Error> {
    let now = tx.now();
    loop {
        let state = tx.state();
        let is_due = |g: &&NatGateway| next_step(state, g).is_some_and(|at| at <= now);
        let Some(gateway) = state.nat_gateways.values().find(is_due).cloned() else {
            return Ok(());
        };
        step(tx, gateway)?;
    }
}

fn next_step(state: &State, gateway: &NatGateway) -> Option<Timestamp> {
    match gateway.state {
        NatGatewayState::Pending => Some(gateway.created_at),
        NatGatewayState::Available if regional::is_behind(state, gateway) => {
            Some(gateway.created_at)
        }
        NatGatewayState::Available => gateway.addresses.iter().filter_map(drained_at).min(),
        NatGatewayState::Deleting => gateway.deleted_at,
        NatGatewayState::Failed | NatGatewayState::Deleted => Some(gateway.deleted_at? + VISIBLE),
    }
}

fn step(tx: &mut Transaction<'_>, mut gateway: NatGateway) -> Result<(), Error> {
    match gateway.state {
        NatGatewayState::Pending if gateway.failure.is_some() => {
            gateway.state = NatGatewayState::Failed;
            gateway.deleted_at = Some(tx.now());
        }
        NatGatewayState::Pending => gateway.state = NatGatewayState::Available,
        NatGatewayState::Available => {
            if regional::is_behind(tx.state(), &gateway) {
                regional::follow(tx, &mut gateway)?;
            }
            drop_drained(tx, &mut gateway)?;
        }
        NatGatewayState::Deleting => {
            if let Some(id) = gateway.network_interface_id() {
                network_interface::delete(tx, id)?;
            }
            if gateway.is_regional() {
                regional::let_go(tx, &mut gateway)?;
                flow_log::delete_for(tx, FlowLogResource::RegionalNatGateway(gateway.id));
            }
            gateway.state = NatGatewayState::Deleted;
            gateway.addresses.iter_mut().for_each(let_go);
        }
        NatGatewayState::Failed | NatGatewayState::Deleted => {
            tx.delete::<NatGateway>(gateway.id);
            return Ok(());
        }
    }
    tx.put(gateway.id, gateway);
    Ok(())
}

/// Describes an address without what it no longer has.
fn let_go(address: &mut NatGatewayAddress) {
    address.network_interface_id = None;
    address.draining = None;
    if let Some(elastic) = &mut address.elastic {
        elastic.association_id = None;
    }
}

fn drained_at(address: &NatGatewayAddress) -> Option<Timestamp> {
    let (since, secs) = address.draining?;
    Some(since + Duration::from_secs(secs.into()))
}

fn drop_drained(tx: &mut Transaction<'_>, gateway: &mut NatGateway) -> Result<(), Error> {
    let now = tx.now();
    let is_over = |a: &NatGatewayAddress| drained_at(a).is_some_and(|at| at <= now);
    for over in gateway.addresses.iter().filter(|a| is_over(a)) {
        remove(tx, gateway.network_interface_id(), over)?;
    }
    gateway.addresses.retain(|a| !is_over(a));
    Ok(())
}

fn remove(
    tx: &mut Transaction<'_>,
    id: Option<NetworkInterfaceId>,
    over: &NatGatewayAddress,
) -> Result<(), Error> {
    if over.zone.is_some() {
        return regional::unmap(tx, over);
    }
    if let (Some(id), Some(private)) = (id, over.private_ip) {
        address::unmap(tx, id, private)?;
        let mut eni = tx.take::<NetworkInterface>(id)?;
        eni.private_ip_addresses.retain(|p| p.address != private);
        tx.put(id, eni);
    }
    Ok(())
}
