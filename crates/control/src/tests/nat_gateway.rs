//! NAT gateways.

mod address;
mod life;
mod property;
mod refusal;
mod regional;
mod route;

use std::time::Duration;

use ec2_api::*;
use expect_test::expect;

use super::network_interface::described as interface;
use super::{Fixture, answer, filter, named, show, text};
use crate::{Event, due};

/// The default VPC's subnets have an internet gateway; this is one of them.
fn subnet_id(fixture: &Fixture) -> Option<String> {
    let mut subnets: Vec<_> = fixture.state().subnets.values().collect();
    subnets.sort_by_key(|s| s.zone);
    text(subnets[0].id)
}

fn allocate(fixture: &mut Fixture) -> Option<String> {
    let request = AllocateAddressRequest::default();
    answer!(fixture, AllocateAddress, request).allocation_id
}

/// A public gateway.
fn public(fixture: &mut Fixture) -> CreateNatGatewayRequest {
    CreateNatGatewayRequest {
        subnet_id: subnet_id(fixture),
        allocation_id: allocate(fixture),
        ..Default::default()
    }
}

/// A private gateway.
fn private(fixture: &Fixture) -> CreateNatGatewayRequest {
    CreateNatGatewayRequest {
        subnet_id: subnet_id(fixture),
        connectivity_type: text("private"),
        ..Default::default()
    }
}

fn create(fixture: &mut Fixture, request: CreateNatGatewayRequest) -> NatGateway {
    answer!(fixture, CreateNatGateway, request)
        .nat_gateway
        .unwrap()
}

fn available(fixture: &mut Fixture, request: CreateNatGatewayRequest) -> NatGateway {
    let id = create(fixture, request).nat_gateway_id;
    fixture.observe(&Event::Tick).unwrap();
    described(fixture, &id)
}

fn described(fixture: &mut Fixture, id: &Option<String>) -> NatGateway {
    let request = DescribeNatGatewaysRequest {
        nat_gateway_ids: id.iter().cloned().collect(),
        ..Default::default()
    };
    let answer = answer!(fixture, DescribeNatGateways, request);
    answer.nat_gateways.into_iter().next().unwrap()
}

fn delete(id: &Option<String>) -> DeleteNatGatewayRequest {
    DeleteNatGatewayRequest {
        nat_gateway_id: id.clone(),
        dry_run: None,
    }
}

/// The interface of a gateway.
fn eni(gateway: &NatGateway) -> Option<String> {
    gateway.nat_gateway_addresses[0]
        .network_interface_id
        .clone()
}

/// A VPC with one subnet, without an internet gateway.
fn closed(fixture: &mut Fixture, block: &str) -> (Option<String>, Option<String>) {
    let request = CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        ..Default::default()
    };
    let vpc_id = answer!(fixture, CreateVpc, request).vpc.unwrap().vpc_id;
    let request = CreateSubnetRequest {
        vpc_id: vpc_id.clone(),
        cidr_block: text(block),
        ..Default::default()
    };
    let subnet = answer!(fixture, CreateSubnet, request).subnet.unwrap();
    (vpc_id, subnet.subnet_id)
}

/// Lets time pass until something is due, and takes note; tells what passed.
fn next(fixture: &mut Fixture) -> Option<Duration> {
    let at = due(fixture.state())?;
    let passed = at.since(fixture.now);
    fixture.now = at.max(fixture.now);
    fixture.observe(&Event::Tick).unwrap();
    assert!(due(fixture.state()).is_none_or(|next| next > fixture.now));
    Some(passed)
}
