//! How the health of targets is checked (User Guide for Network Load Balancers, "Health checks for Network Load
//! Balancer target groups").

use elbv2_api::{CreateTargetGroupRequest, Matcher, ModifyTargetGroupRequest};
use model::HealthCheck;

use super::super::error::{configuration, unsupported, validation};
use super::port;
use crate::{Error, parameter};

/// What is not given.
pub(super) const DEFAULT: HealthCheck = HealthCheck {
    port: None,
    interval_s: 30,
    timeout_s: 10,
    healthy_threshold: 5,
    unhealthy_threshold: 2,
};

/// What a request says about health checks.
pub(super) struct Given<'a> {
    protocol: Option<&'a str>,
    port: Option<&'a str>,
    enabled: Option<bool>,
    path: Option<&'a str>,
    matcher: Option<&'a Matcher>,
    interval: Option<i32>,
    timeout: Option<i32>,
    healthy: Option<i32>,
    unhealthy: Option<i32>,
}

impl<'a> Given<'a> {
    pub(super) fn of_create(request: &'a CreateTargetGroupRequest) -> Self {
        Self {
            protocol: request.health_check_protocol.as_deref(),
            port: request.health_check_port.as_deref(),
            enabled: request.health_check_enabled,
            path: request.health_check_path.as_deref(),
            matcher: request.matcher.as_ref(),
            interval: request.health_check_interval_seconds,
            timeout: request.health_check_timeout_seconds,
            healthy: request.healthy_threshold_count,
            unhealthy: request.unhealthy_threshold_count,
        }
    }

    pub(super) fn of_modify(request: &'a ModifyTargetGroupRequest) -> Self {
        Self {
            protocol: request.health_check_protocol.as_deref(),
            port: request.health_check_port.as_deref(),
            enabled: request.health_check_enabled,
            path: request.health_check_path.as_deref(),
            matcher: request.matcher.as_ref(),
            interval: request.health_check_interval_seconds,
            timeout: request.health_check_timeout_seconds,
            healthy: request.healthy_threshold_count,
            unhealthy: request.unhealthy_threshold_count,
        }
    }

    /// The check as it is then.
    pub(super) fn apply(&self, now: HealthCheck) -> Result<HealthCheck, Error> {
        self.refuse()?;
        let check = HealthCheck {
            port: self.port.map_or(Ok(now.port), check_port)?,
            interval_s: between(self.interval, "healthCheckIntervalSeconds", 5..=300)?
                .unwrap_or(now.interval_s),
            timeout_s: between(self.timeout, "healthCheckTimeoutSeconds", 2..=120)?
                .unwrap_or(now.timeout_s),
            healthy_threshold: between(self.healthy, "healthyThresholdCount", 2..=10)?
                .unwrap_or(now.healthy_threshold),
            unhealthy_threshold: between(self.unhealthy, "unhealthyThresholdCount", 2..=10)?
                .unwrap_or(now.unhealthy_threshold),
        };
        // A time-out that nobody chose follows a short interval.
        let timeout_s = match self.timeout {
            None => check.timeout_s.min(check.interval_s),
            Some(_) => check.timeout_s,
        };
        if timeout_s > check.interval_s {
            return Err(validation(
                "Health check interval must be greater than the timeout.",
            ));
        }
        Ok(HealthCheck { timeout_s, ..check })
    }

    fn refuse(&self) -> Result<(), Error> {
        match self.protocol {
            None | Some("TCP") => {}
            Some(other @ ("HTTP" | "HTTPS")) => {
                return Err(unsupported(format_args!(
                    "The health check protocol '{other}'"
                )));
            }
            Some(other) => {
                return Err(configuration(format!(
                    "Health check protocol '{other}' must be one of 'HTTP, HTTPS, TCP'"
                )));
            }
        }
        if self.enabled == Some(false) {
            return Err(configuration(
                "Health check enabled must be true for target groups with target type 'instance' or 'ip'",
            ));
        }
        parameter::refuse_unsupported(&[
            (self.path.is_some(), "HealthCheckPath"),
            (self.matcher.is_some(), "Matcher"),
        ])
    }
}

fn check_port(text: &str) -> Result<Option<u16>, Error> {
    if text == "traffic-port" {
        return Ok(None);
    }
    let number = text.parse().map_err(|_| {
        validation(format!(
            "Health check port '{text}' must be 'traffic-port' or in the range '1-65535'"
        ))
    })?;
    port(number).map(Some)
}

fn between(
    value: Option<i32>,
    name: &str,
    range: std::ops::RangeInclusive<u16>,
) -> Result<Option<u16>, Error> {
    let Some(number) = value else {
        return Ok(None);
    };
    let fits = u16::try_from(number).ok().filter(|n| range.contains(n));
    fits.map(Some).ok_or_else(|| {
        validation(format!(
            "1 validation error detected: Value '{number}' at '{name}' failed to satisfy constraint: Member must have value between {} and {}",
            range.start(),
            range.end()
        ))
    })
}
