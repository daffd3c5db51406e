//! How the health of targets is checked (User Guide for Network Load Balancers, "Health checks for Network Load
//! Balancer target groups").

use elbv2_api::{CreateTargetGroupRequest, Matcher, ModifyTargetGroupRequest};
use model::{HealthCheck, HttpCodes, HttpHealthCheck};

use super::super::error::{configuration, validation};
use super::port;
use crate::{Error, parameter};

const PATH_LEN_MAX: usize = 1024;

/// What is not given ("CreateTargetGroup").
fn default(by_http: bool) -> HealthCheck {
    HealthCheck {
        http: None,
        port: None,
        interval_s: 30,
        timeout_s: if by_http { 6 } else { 10 },
        healthy_threshold: 5,
        unhealthy_threshold: 2,
    }
}

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

    /// The check of a new group.
    pub(super) fn create(&self) -> Result<HealthCheck, Error> {
        self.apply(&default(self.protocol == Some("HTTP")))
    }

    /// The check as it is then.
    pub(super) fn apply(&self, now: &HealthCheck) -> Result<HealthCheck, Error> {
        self.refuse()?;
        let check = HealthCheck {
            http: self.http(now.http.as_ref())?,
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
            None | Some("TCP" | "HTTP" | "HTTPS") => {}
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
        let grpc = self.matcher.is_some_and(|m| m.grpc_code.is_some());
        parameter::refuse_unsupported(&[(grpc, "Matcher.GrpcCode")])
    }

    /// What is asked by HTTP then.
    fn http(&self, now: Option<&HttpHealthCheck>) -> Result<Option<HttpHealthCheck>, Error> {
        let codes = self.matcher.and_then(|matcher| matcher.http_code.clone());
        let by_http = match self.protocol {
            Some(protocol) => protocol != "TCP",
            None => now.is_some(),
        };
        let secure = match self.protocol {
            Some(protocol) => protocol == "HTTPS",
            None => now.is_some_and(|now| now.secure),
        };
        if !by_http {
            return match (self.path, codes) {
                (None, None) => Ok(None),
                (Some(_), _) => Err(configuration(
                    "Health check paths are not supported for TCP health checks",
                )),
                (None, Some(_)) => Err(configuration(
                    "Health check matchers are not supported for TCP health checks",
                )),
            };
        }
        let kept = |of: fn(&HttpHealthCheck) -> &str, other: &str| now.map_or(other, of).to_owned();
        let path = match self.path {
            Some(path) => check_path(path)?.to_owned(),
            None => kept(|now| &now.path, "/"),
        };
        let codes = codes.unwrap_or_else(|| kept(|now| now.codes.as_str(), "200-399"));
        let codes = HttpCodes::try_from(codes).map_err(|error| validation(error.to_string()))?;
        Ok(Some(HttpHealthCheck {
            secure,
            path,
            codes,
        }))
    }
}

fn check_path(path: &str) -> Result<&str, Error> {
    if path.len() > PATH_LEN_MAX {
        return Err(validation(format!(
            "1 validation error detected: Value '{path}' at 'healthCheckPath' failed to satisfy constraint: Member must have length less than or equal to {PATH_LEN_MAX}"
        )));
    }
    if !path.starts_with('/') || !path.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(validation(format!(
            "Health check path '{path}' must begin with a '/' character, and can only contain printable ASCII characters, without spaces"
        )));
    }
    Ok(path)
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
