//! What time does to endpoints, and the owners of the services that they lead to.

use std::time::Duration;

use model::{State, Timestamp, VpcEndpoint, VpcEndpointState};

use crate::{Error, Transaction, network_interface};

/// For how long an endpoint waits to be accepted. AWS has such a limit and does not say which.
const ACCEPTANCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// When the next step of any endpoint is due.
pub(crate) fn due(state: &State) -> Option<Timestamp> {
    state.vpc_endpoints.values().filter_map(next_step).min()
}

/// Takes every step that is due.
pub(crate) fn tick(tx: &mut Transaction<'_>) -> Result<(), Error> {
    let now = tx.now();
    let is_due = |e: &&VpcEndpoint| next_step(e).is_some_and(|at| at <= now);
    let endpoints: Vec<VpcEndpoint> = tx.rows().filter(is_due).cloned().collect();
    for endpoint in endpoints {
        match endpoint.state {
            VpcEndpointState::PendingAcceptance => enter(tx, endpoint, VpcEndpointState::Expired),
            VpcEndpointState::Pending => enter(tx, endpoint, VpcEndpointState::Available),
            VpcEndpointState::Deleting => remove(tx, &endpoint)?,
            VpcEndpointState::Available
            | VpcEndpointState::Rejected
            | VpcEndpointState::Failed
            | VpcEndpointState::Expired => {}
        }
    }
    Ok(())
}

/// Puts an endpoint into a state.
pub(super) fn enter(tx: &mut Transaction<'_>, mut endpoint: VpcEndpoint, state: VpcEndpointState) {
    let now = tx.now();
    endpoint.state = state;
    if let Some(own) = endpoint.interface_mut() {
        own.changed_at = now;
    }
    tx.put(endpoint.id, endpoint);
}

fn next_step(endpoint: &VpcEndpoint) -> Option<Timestamp> {
    let changed_at = endpoint.interface()?.changed_at;
    match endpoint.state {
        VpcEndpointState::PendingAcceptance => Some(changed_at + ACCEPTANCE),
        VpcEndpointState::Pending | VpcEndpointState::Deleting => Some(changed_at),
        VpcEndpointState::Available
        | VpcEndpointState::Rejected
        | VpcEndpointState::Failed
        | VpcEndpointState::Expired => None,
    }
}

fn remove(tx: &mut Transaction<'_>, endpoint: &VpcEndpoint) -> Result<(), Error> {
    let places = endpoint.interface().map(|own| own.subnets.clone());
    for place in places.unwrap_or_default() {
        network_interface::delete(tx, place.network_interface_id)?;
    }
    tx.delete::<VpcEndpoint>(endpoint.id);
    Ok(())
}
