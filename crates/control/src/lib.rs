//! Request + state + now + ids → response + changes, or an AWS error. One file per noun.
//!
//! Every rule of the EC2 API that Weir keeps stands here, and of Elastic Load Balancing (`elbv2`).
//! This crate does not know XML, HTTP, disk, packets or what time it is: `execute` is a function of
//! its arguments, and a failed request leaves no trace.

mod address;
mod dhcp_options;
mod dispatch;
mod egress_only_internet_gateway;
mod elbv2;
mod error;
mod event;
mod filter;
mod flow_log;
mod iam;
mod instance;
mod internet_gateway;
mod internet_host;
mod nat_gateway;
mod network_acl;
mod network_interface;
mod page;
mod parameter;
mod prefix_list;
mod quota;
mod region;
mod route_table;
mod security_group;
mod subnet;
mod tag;
#[cfg(test)]
mod tests;
mod token;
mod transaction;
mod transit_gateway;
mod volume;
mod vpc;
mod vpc_endpoint;
mod vpc_endpoint_service;
mod vpc_peering_connection;

pub use dispatch::Call;
pub use error::Error;
pub use event::{Event, due, observe};
pub use instance::architecture;
pub use quota::Quotas;
pub use transaction::{Applied, Transaction};

use model::{Entropy, Scope, Timestamp, World};

/// Carries out one API request of an account in a Region.
///
/// An account's Region that has never been used gets its default VPC first, as in AWS.
///
/// # Errors
///
/// Whatever AWS would answer; also when the request succeeds but is only a dry run. Nothing has
/// changed then.
pub fn execute<C: Call>(
    world: &World,
    scope: Scope,
    request: &C,
    now: Timestamp,
    entropy: &mut dyn Entropy,
    quotas: &Quotas,
) -> Result<Applied<C::Response>, Error> {
    let mut tx = Transaction::begin(world, scope, now, entropy, quotas);
    if world.region(&scope).is_none() {
        region::create_default_resources(&mut tx)?;
    }
    let response = request.dispatch(&mut tx)?;
    if request.dry_run() {
        return Err(Error::DryRun);
    }
    Ok(tx.finish(response))
}
