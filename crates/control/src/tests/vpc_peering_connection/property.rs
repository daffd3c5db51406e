//! What holds after any sequence of requests of three accounts and any waiting.

use ec2_api::*;
use model::{PeeringStatus, VpcPeeringConnection, World};
use proptest::prelude::*;

use super::*;

/// What to do, who does it, and with which of what there is.
type Step = (u8, u8, u8, u8);

const WHO: [(&str, &str); 4] = [(OWN, EAST), (OTHER, EAST), (OTHER, WEST), (THIRD, WEST)];

/// A VPC of any account, now and then one that does not exist.
fn any_vpc(world: &World, n: u8) -> Option<(Scope, model::VpcId)> {
    let all: Vec<_> = world
        .regions
        .iter()
        .flat_map(|(scope, state)| state.vpcs.values().map(|vpc| (*scope, vpc.id)))
        .collect();
    all.get(usize::from(n) % (all.len() + 1)).copied()
}

fn any_peering(world: &World, n: u8) -> String {
    let all: Vec<_> = world.vpc_peering_connections().map(|p| p.id).collect();
    let found = all.get(usize::from(n) % (all.len() + 1));
    found.map_or_else(|| "pcx-0123456789abcdef0".to_owned(), ToString::to_string)
}

fn own_vpc(fixture: &Fixture, n: u8) -> String {
    let state = fixture.world.region(&fixture.scope);
    let all: Vec<_> = state.map_or_else(Vec::new, |s| s.vpcs.values().map(|v| v.id).collect());
    let found = all.get(usize::from(n) % (all.len() + 1));
    found.map_or_else(|| "vpc-0123456789abcdef0".to_owned(), ToString::to_string)
}

fn request_of(fixture: &Fixture, (action, _, m, n): Step) -> Request {
    let world = &fixture.world;
    match action % 10 {
        0 => CreateVpcRequest {
            cidr_block: text(format!("10.{}.0.0/17", m % 6)),
            amazon_provided_ipv6_cidr_block: Some(n > 200),
            ..Default::default()
        }
        .into(),
        1 => DeleteVpcRequest {
            vpc_id: text(own_vpc(fixture, m)),
            dry_run: None,
        }
        .into(),
        2 => AssociateVpcCidrBlockRequest {
            vpc_id: text(own_vpc(fixture, m)),
            cidr_block: text(format!("10.{}.128.0/18", n % 6)),
            ..Default::default()
        }
        .into(),
        3 | 4 => {
            let (scope, peer) = match any_vpc(world, n) {
                Some((scope, peer)) => (scope, peer.to_string()),
                None => (fixture.scope, "vpc-0123456789abcdef0".to_owned()),
            };
            let (owner, region) = (scope.account.to_string(), scope.region.to_string());
            request(&own_vpc(fixture, m), &peer, &owner, &region).into()
        }
        5..=7 => accept(&any_peering(world, m)).into(),
        8 => reject(&any_peering(world, m)).into(),
        _ => delete(&any_peering(world, m)).into(),
    }
}

fn blocks(world: &World, side: &model::PeeringSide) -> Option<Vec<ipnet::IpNet>> {
    let vpc = world.region(&side.scope)?.vpcs.get(&side.vpc_id)?;
    let v4 = vpc.cidr_blocks.iter().map(|b| b.cidr.into());
    let v6 = vpc.ipv6_cidr_blocks.iter().map(|b| b.cidr.into());
    Some(v4.chain(v6).collect())
}

/// Established connections join two VPCs that exist, know their blocks and do not overlap, and are
/// the only ones of their pair.
fn check(world: &World) {
    let all: Vec<&VpcPeeringConnection> = world.vpc_peering_connections().collect();
    for (scope, state) in &world.regions {
        let mut rows = state.vpc_peering_connections.values();
        assert!(rows.all(|p| p.requester.scope == *scope));
    }
    let established = all.iter().filter(|p| p.status.is_established());
    for peering in established.clone() {
        let own = blocks(world, &peering.requester).expect("the requester's VPC");
        let theirs = blocks(world, &peering.accepter).expect("the accepter's VPC");
        for (side, blocks) in [(&peering.requester, &own), (&peering.accepter, &theirs)] {
            let v4 = side.cidr_blocks.iter().map(|b| (*b).into());
            let known = v4.chain(side.ipv6_cidr_blocks.iter().map(|b| (*b).into()));
            assert_eq!(&known.collect::<Vec<ipnet::IpNet>>(), blocks);
        }
        for a in &own {
            assert!(!theirs.iter().any(|b| a.contains(b) || b.contains(a)));
        }
        let (a, b) = (peering.requester.vpc_id, peering.accepter.vpc_id);
        assert_eq!(established.clone().filter(|p| p.joins(a, b)).count(), 1);
    }
    for peering in all
        .iter()
        .filter(|p| p.status == PeeringStatus::PendingAcceptance)
    {
        assert!(!peering.requester.overlaps(&peering.accepter));
    }
}

proptest! {
    #[test]
    fn any_requests_leave_sound_connections(
        steps in prop::collection::vec((any::<Step>(), 0_u32..40), 1..80),
    ) {
        let mut fixture = Fixture::new();
        for (account, region) in WHO {
            act_as(&mut fixture, account, region);
            vpc(&mut fixture, "10.9.0.0/16");
        }
        for (step, hours) in steps {
            if hours < 10 {
                pass(&mut fixture, HOUR * hours);
            }
            let (account, region) = WHO[usize::from(step.1) % WHO.len()];
            act_as(&mut fixture, account, region);
            let request = request_of(&fixture, step);
            let _ = fixture.run(request);
            check(&fixture.world);
            let all = DescribeVpcPeeringConnectionsRequest::default();
            let seen = answer!(fixture, DescribeVpcPeeringConnections, all);
            for row in seen.vpc_peering_connections {
                let sides = [row.requester_vpc_info, row.accepter_vpc_info];
                let own = sides.into_iter().flatten().any(|side| {
                    (side.owner_id.as_deref(), side.region.as_deref())
                        == (Some(account), Some(region))
                });
                prop_assert!(own, "seen by somebody else");
            }
        }
        pass(&mut fixture, HOUR * 168);
        pass(&mut fixture, HOUR * 48);
        check(&fixture.world);
        let mut left = fixture.world.vpc_peering_connections();
        prop_assert!(left.all(|p| p.status == PeeringStatus::Active));
    }
}
