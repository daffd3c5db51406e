//! Elastic Load Balancing.

mod listener;
mod load_balancer;
mod target;
mod target_group;

use std::time::Duration;

use elbv2_api::*;
use expect_test::expect;

use super::{Fixture, show, text};
use crate::Event;

/// Carries out a request that must succeed: `done!(fixture, CreateListener, request)`.
macro_rules! done {
    ($fixture:expr, $action:ident, $request:expr) => {
        match $fixture.call(&Request::from($request)) {
            Ok(Response::$action(response)) => *response,
            other => panic!("{other:?}"),
        }
    };
}
use done;

/// `Code: message` of a request that is refused.
pub(super) fn refused(fixture: &mut Fixture, request: impl Into<Request>) -> String {
    let request = request.into();
    match fixture.call(&request) {
        Ok(response) => panic!("{request:?} succeeded with {response:?}"),
        Err(error) => format!("{}: {error}", error.code()),
    }
}

/// The default subnets of so many zones.
fn subnets(fixture: &Fixture, zones: usize) -> Vec<String> {
    let mut rows: Vec<_> = fixture.state().subnets.values().collect();
    rows.sort_by_key(|subnet| subnet.zone);
    rows.iter().take(zones).map(|s| s.id.to_string()).collect()
}

fn vpc_id(fixture: &Fixture) -> Option<String> {
    fixture.state().default_vpc().map(|vpc| vpc.id.to_string())
}

fn internal(fixture: &Fixture, name: &str) -> CreateLoadBalancerRequest {
    CreateLoadBalancerRequest {
        name: text(name),
        r#type: text("network"),
        scheme: text("internal"),
        subnets: subnets(fixture, 2),
        ..Default::default()
    }
}

/// The ARN of a new internal load balancer.
pub(super) fn load_balancer(fixture: &mut Fixture, name: &str) -> Option<String> {
    let request = internal(fixture, name);
    let made = done!(fixture, CreateLoadBalancer, request).load_balancers;
    made.into_iter().next().unwrap().load_balancer_arn
}

fn tcp_group(fixture: &Fixture, name: &str) -> CreateTargetGroupRequest {
    CreateTargetGroupRequest {
        name: text(name),
        protocol: text("TCP"),
        port: Some(8080),
        vpc_id: vpc_id(fixture),
        ..Default::default()
    }
}

/// The ARN of a new target group.
fn target_group(fixture: &mut Fixture, request: CreateTargetGroupRequest) -> Option<String> {
    let made = done!(fixture, CreateTargetGroup, request).target_groups;
    made.into_iter().next().unwrap().target_group_arn
}

fn forward(target_group_arn: &Option<String>) -> Vec<Action> {
    vec![Action {
        r#type: text("forward"),
        target_group_arn: target_group_arn.clone(),
        ..Default::default()
    }]
}

fn tcp_listener(of: &Option<String>, group: &Option<String>, port: i32) -> CreateListenerRequest {
    CreateListenerRequest {
        load_balancer_arn: of.clone(),
        protocol: text("TCP"),
        port: Some(port),
        default_actions: forward(group),
        ..Default::default()
    }
}

/// The ARN of a new listener.
fn listener(fixture: &mut Fixture, request: CreateListenerRequest) -> Option<String> {
    let made = done!(fixture, CreateListener, request).listeners;
    made.into_iter().next().unwrap().listener_arn
}

/// Time passes.
fn wait(fixture: &mut Fixture, seconds: u64) {
    fixture.now = fixture.now + Duration::from_secs(seconds);
    fixture.observe(&Event::Tick).unwrap();
}
