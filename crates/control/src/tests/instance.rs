//! Instances.

mod describe;
mod launch;
mod life;
mod metadata_options;

use std::time::Duration;

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, named, show, text};
use crate::Event;

const IMAGE: &str = "ami-0abcdef1234567890";

/// A launch of so many instances into the default VPC.
pub(super) fn run(count: i32) -> RunInstancesRequest {
    RunInstancesRequest {
        image_id: text(IMAGE),
        instance_type: text("t3.micro"),
        min_count: Some(count),
        max_count: Some(count),
        ..Default::default()
    }
}

/// The first instance of a launch, still pending.
pub(super) fn launch(fixture: &mut Fixture, request: RunInstancesRequest) -> Instance {
    let launched = answer!(fixture, RunInstances, request);
    launched.instances.into_iter().next().unwrap()
}

/// A running instance.
pub(super) fn running(fixture: &mut Fixture) -> Option<String> {
    let id = launch(fixture, run(1)).instance_id;
    start(fixture, &id);
    id
}

fn start(fixture: &mut Fixture, id: &Option<String>) {
    let id = id.as_ref().unwrap().parse().unwrap();
    fixture.observe(&Event::InstanceStarted(id)).unwrap();
}

pub(super) fn end(fixture: &mut Fixture, id: &Option<String>, reason: Option<&str>) {
    let event = Event::InstanceEnded {
        instance_id: id.as_ref().unwrap().parse().unwrap(),
        reason: reason.map(str::to_owned),
    };
    fixture.observe(&event).unwrap();
}

pub(super) fn described(fixture: &mut Fixture, id: &Option<String>) -> Instance {
    let request = DescribeInstancesRequest {
        instance_ids: id.iter().cloned().collect(),
        ..Default::default()
    };
    let answer = answer!(fixture, DescribeInstances, request);
    let mut reservations = answer.reservations.into_iter().flat_map(|r| r.instances);
    reservations.next().unwrap()
}

fn ids(id: &Option<String>) -> Vec<String> {
    id.iter().cloned().collect()
}

pub(super) fn stop_request(id: &Option<String>) -> StopInstancesRequest {
    StopInstancesRequest {
        instance_ids: ids(id),
        ..Default::default()
    }
}

pub(super) fn start_request(id: &Option<String>) -> StartInstancesRequest {
    StartInstancesRequest {
        instance_ids: ids(id),
        ..Default::default()
    }
}

fn terminate_request(id: &Option<String>) -> TerminateInstancesRequest {
    TerminateInstancesRequest {
        instance_ids: ids(id),
        ..Default::default()
    }
}

fn state(fixture: &mut Fixture, id: &Option<String>) -> String {
    described(fixture, id).state.unwrap().name.unwrap()
}
