//! VPC peering connections, over two accounts and two Regions.

mod block;
mod life;
mod property;
mod refusal;
mod security_group;

use std::time::Duration;

use ec2_api::*;
use model::Scope;

use super::{Fixture, answer, text};
use crate::Event;

const OWN: &str = "111122223333";
const OTHER: &str = "444455556666";
const THIRD: &str = "777788889999";
const EAST: &str = "us-east-1";
const WEST: &str = "us-west-1";
const HOUR: Duration = Duration::from_secs(3600);

/// Lets an account act in a Region from now on.
fn act_as(fixture: &mut Fixture, account: &str, region: &str) {
    fixture.scope = Scope {
        account: account.parse().unwrap(),
        region: region.parse().unwrap(),
    };
}

fn vpc(fixture: &mut Fixture, cidr: &str) -> String {
    let request = CreateVpcRequest {
        cidr_block: text(cidr),
        ..Default::default()
    };
    let created = answer!(fixture, CreateVpc, request);
    created.vpc.unwrap().vpc_id.unwrap()
}

fn request(
    vpc_id: &str,
    peer_vpc_id: &str,
    owner: &str,
    region: &str,
) -> CreateVpcPeeringConnectionRequest {
    CreateVpcPeeringConnectionRequest {
        vpc_id: text(vpc_id),
        peer_vpc_id: text(peer_vpc_id),
        peer_owner_id: text(owner),
        peer_region: text(region),
        ..Default::default()
    }
}

/// Asks, and gives the id.
fn ask(fixture: &mut Fixture, request: CreateVpcPeeringConnectionRequest) -> String {
    answer!(fixture, CreateVpcPeeringConnection, request)
        .vpc_peering_connection
        .unwrap()
        .vpc_peering_connection_id
        .unwrap()
}

fn accept(id: &str) -> AcceptVpcPeeringConnectionRequest {
    AcceptVpcPeeringConnectionRequest {
        vpc_peering_connection_id: text(id),
        dry_run: None,
    }
}

fn reject(id: &str) -> RejectVpcPeeringConnectionRequest {
    RejectVpcPeeringConnectionRequest {
        vpc_peering_connection_id: text(id),
        dry_run: None,
    }
}

fn delete(id: &str) -> DeleteVpcPeeringConnectionRequest {
    DeleteVpcPeeringConnectionRequest {
        vpc_peering_connection_id: text(id),
        dry_run: None,
    }
}

fn describe(id: &str) -> DescribeVpcPeeringConnectionsRequest {
    DescribeVpcPeeringConnectionsRequest {
        vpc_peering_connection_ids: vec![id.to_owned()],
        ..Default::default()
    }
}

fn described(fixture: &mut Fixture, id: &str) -> VpcPeeringConnection {
    answer!(fixture, DescribeVpcPeeringConnections, describe(id))
        .vpc_peering_connections
        .remove(0)
}

/// `code (message)`, or why it cannot be seen.
fn status(fixture: &mut Fixture, id: &str) -> String {
    match fixture.run(describe(id)) {
        Ok(Response::DescribeVpcPeeringConnections(mut answer)) => {
            let status = answer.vpc_peering_connections.remove(0).status.unwrap();
            format!("{} ({})", status.code.unwrap(), status.message.unwrap())
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => error.code().to_owned(),
    }
}

/// Time passes, and everybody's ticks come.
fn pass(fixture: &mut Fixture, time: Duration) {
    fixture.now = fixture.now + time;
    let scopes: Vec<Scope> = fixture.world.regions.keys().copied().collect();
    let own = fixture.scope;
    for scope in scopes {
        fixture.scope = scope;
        fixture.observe(&Event::Tick).unwrap();
    }
    fixture.scope = own;
}

/// Two VPCs of two accounts in one Region, with an active connection between them; the requester
/// acts.
struct Peered {
    fixture: Fixture,
    own: String,
    other: String,
    id: String,
}

fn peered() -> Peered {
    peered_between((OWN, EAST), (OTHER, EAST))
}

fn peered_between(own: (&str, &str), other: (&str, &str)) -> Peered {
    let mut fixture = Fixture::new();
    act_as(&mut fixture, other.0, other.1);
    let other_vpc = vpc(&mut fixture, "10.2.0.0/16");
    act_as(&mut fixture, own.0, own.1);
    let own_vpc = vpc(&mut fixture, "10.1.0.0/16");
    let id = ask(
        &mut fixture,
        request(&own_vpc, &other_vpc, other.0, other.1),
    );
    act_as(&mut fixture, other.0, other.1);
    fixture.run(accept(&id)).unwrap();
    act_as(&mut fixture, own.0, own.1);
    assert_eq!(status(&mut fixture, &id), "active (Active)");
    Peered {
        fixture,
        own: own_vpc,
        other: other_vpc,
        id,
    }
}
