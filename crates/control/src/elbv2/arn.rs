//! From ARNs to what they name.

use model::state::Row;
use model::{Listener, LoadBalancer, LoadBalancerId, TargetGroup};

use super::error::validation;
use crate::{Error, Transaction};

/// The load balancer of an ARN.
pub(super) fn load_balancer<'t>(
    tx: &'t Transaction<'_>,
    arn: &Option<String>,
) -> Result<&'t LoadBalancer, Error> {
    let arn = required(arn, ":loadbalancer/", "load balancer")?;
    row(tx, arn)
        .filter(|found: &&LoadBalancer| found.arn(tx.scope()) == arn)
        .ok_or_else(|| {
            Error::new(
                "LoadBalancerNotFound",
                format!("Load balancer '{arn}' not found"),
            )
        })
}

/// The load balancer of an ARN, if there is one.
pub(crate) fn load_balancer_of_arn(tx: &Transaction<'_>, arn: &str) -> Option<LoadBalancerId> {
    let found = load_balancer(tx, &Some(arn.to_owned()));
    found.ok().map(|row| row.id)
}

/// The listener of an ARN.
pub(super) fn listener<'t>(
    tx: &'t Transaction<'_>,
    arn: &Option<String>,
) -> Result<&'t Listener, Error> {
    let arn = required(arn, ":listener/", "listener")?;
    row(tx, arn)
        .filter(|found: &&Listener| listener_arn(tx, found) == arn)
        .ok_or_else(|| Error::new("ListenerNotFound", format!("Listener '{arn}' not found")))
}

/// The target group of an ARN.
pub(super) fn target_group<'t>(
    tx: &'t Transaction<'_>,
    arn: &Option<String>,
) -> Result<&'t TargetGroup, Error> {
    let arn = required(arn, ":targetgroup/", "target group")?;
    row(tx, arn)
        .filter(|found: &&TargetGroup| found.arn(tx.scope()) == arn)
        .ok_or_else(|| {
            Error::new(
                "TargetGroupNotFound",
                format!("Target group '{arn}' not found"),
            )
        })
}

/// The ARN of a listener, which has its load balancer's name in it.
pub(super) fn listener_arn(tx: &Transaction<'_>, listener: &Listener) -> String {
    let of = tx.state().load_balancers.get(&listener.load_balancer_id);
    of.map(|of| listener.arn(tx.scope(), of))
        .unwrap_or_default()
}

fn required<'a>(arn: &'a Option<String>, kind: &str, noun: &str) -> Result<&'a str, Error> {
    let arn = arn.as_deref().unwrap_or_default();
    if arn.starts_with("arn:aws:elasticloadbalancing:") && arn.contains(kind) {
        return Ok(arn);
    }
    Err(validation(format!("'{arn}' is not a valid {noun} ARN")))
}

fn row<'t, R: Row + 'static>(tx: &'t Transaction<'_>, arn: &str) -> Option<&'t R>
where
    R::Key: std::str::FromStr,
{
    let (_, id) = arn.rsplit_once('/')?;
    R::table(tx.state()).get(&id.parse().ok()?)
}
