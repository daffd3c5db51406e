//! States, who sees them, and for how long.

use expect_test::expect;

use super::*;
use crate::tests::{filter, named, show};

#[test]
fn a_connection_lives() {
    let mut fixture = Fixture::new();
    act_as(&mut fixture, OTHER, WEST);
    let other = vpc(&mut fixture, "10.2.0.0/16");
    act_as(&mut fixture, OWN, EAST);
    let own = vpc(&mut fixture, "10.1.0.0/16");
    let asked = CreateVpcPeeringConnectionRequest {
        tag_specifications: named("vpc-peering-connection", "a"),
        ..request(&own, &other, OTHER, WEST)
    };
    let created = answer!(fixture, CreateVpcPeeringConnection, asked);
    let mut out = show(&created);
    let id = created.vpc_peering_connection.unwrap();
    let id = id.vpc_peering_connection_id.unwrap();
    act_as(&mut fixture, OTHER, WEST);
    out += &show(&answer!(fixture, AcceptVpcPeeringConnection, accept(&id)));
    out += &show(&described(&mut fixture, &id));
    expect![[r#"
        CreateVpcPeeringConnectionResponse {
          vpc_peering_connection: VpcPeeringConnection {
            accepter_vpc_info: VpcPeeringConnectionVpcInfo {
              owner_id: "444455556666",
              vpc_id: "vpc-00000000000000025",
              region: "us-west-1",
            },
            expiration_time: "2024-05-08T10:00:00.000Z",
            requester_vpc_info: VpcPeeringConnectionVpcInfo {
              cidr_block: "10.1.0.0/16",
              cidr_block_set: [
                CidrBlock {
                  cidr_block: "10.1.0.0/16",
                },
              ],
              owner_id: "111122223333",
              vpc_id: "vpc-0000000000000002d",
              region: "us-east-1",
            },
            status: VpcPeeringConnectionStateReason {
              code: "initiating-request",
              message: "Initiating Request to 444455556666",
            },
            tags: [
              Tag {
                key: "Name",
                value: "a",
              },
            ],
            vpc_peering_connection_id: "pcx-00000000000000035",
          },
        }
        AcceptVpcPeeringConnectionResponse {
          vpc_peering_connection: VpcPeeringConnection {
            accepter_vpc_info: VpcPeeringConnectionVpcInfo {
              owner_id: "444455556666",
              vpc_id: "vpc-00000000000000025",
              region: "us-west-1",
            },
            requester_vpc_info: VpcPeeringConnectionVpcInfo {
              cidr_block: "10.1.0.0/16",
              cidr_block_set: [
                CidrBlock {
                  cidr_block: "10.1.0.0/16",
                },
              ],
              owner_id: "111122223333",
              vpc_id: "vpc-0000000000000002d",
              region: "us-east-1",
            },
            status: VpcPeeringConnectionStateReason {
              code: "provisioning",
              message: "Provisioning",
            },
            vpc_peering_connection_id: "pcx-00000000000000035",
          },
        }
        VpcPeeringConnection {
          accepter_vpc_info: VpcPeeringConnectionVpcInfo {
            cidr_block: "10.2.0.0/16",
            cidr_block_set: [
              CidrBlock {
                cidr_block: "10.2.0.0/16",
              },
            ],
            owner_id: "444455556666",
            peering_options: VpcPeeringConnectionOptionsDescription {
              allow_dns_resolution_from_remote_vpc: false,
              allow_egress_from_local_classic_link_to_remote_vpc: false,
              allow_egress_from_local_vpc_to_remote_classic_link: false,
            },
            vpc_id: "vpc-00000000000000025",
            region: "us-west-1",
          },
          requester_vpc_info: VpcPeeringConnectionVpcInfo {
            cidr_block: "10.1.0.0/16",
            cidr_block_set: [
              CidrBlock {
                cidr_block: "10.1.0.0/16",
              },
            ],
            owner_id: "111122223333",
            peering_options: VpcPeeringConnectionOptionsDescription {
              allow_dns_resolution_from_remote_vpc: false,
              allow_egress_from_local_classic_link_to_remote_vpc: false,
              allow_egress_from_local_vpc_to_remote_classic_link: false,
            },
            vpc_id: "vpc-0000000000000002d",
            region: "us-east-1",
          },
          status: VpcPeeringConnectionStateReason {
            code: "active",
            message: "Active",
          },
          vpc_peering_connection_id: "pcx-00000000000000035",
        }
    "#]]
    .assert_eq(&out);
}

#[test]
fn steps_are_taken_by_ticks() {
    let mut fixture = Fixture::new();
    let own = vpc(&mut fixture, "10.1.0.0/16");
    act_as(&mut fixture, OTHER, EAST);
    let other = vpc(&mut fixture, "10.2.0.0/16");
    act_as(&mut fixture, OWN, EAST);
    let id = ask(&mut fixture, request(&own, &other, OTHER, EAST));
    let stored = |fixture: &Fixture| {
        let row = fixture.world.vpc_peering_connection(id.parse().unwrap());
        row.unwrap().status.code()
    };
    let mut seen = vec![stored(&fixture)];
    pass(&mut fixture, HOUR);
    seen.push(stored(&fixture));
    act_as(&mut fixture, OTHER, EAST);
    fixture.run(accept(&id)).unwrap();
    seen.push(stored(&fixture));
    pass(&mut fixture, HOUR);
    seen.push(stored(&fixture));
    assert_eq!(
        seen,
        [
            "initiating-request",
            "pending-acceptance",
            "provisioning",
            "active"
        ]
    );
}

/// What both sides see at hours after an end; the requester first.
fn seen(fixture: &mut Fixture, id: &str, sides: [(&str, &str); 2], hours: &[u32]) -> String {
    let (began, mut out) = (fixture.now, String::new());
    for hour in hours {
        fixture.now = began;
        pass(fixture, HOUR * *hour);
        let mut line = format!("{hour} h:");
        for (account, region) in sides {
            act_as(fixture, account, region);
            line += &format!(" {} |", status(fixture, id));
        }
        out += line.trim_end_matches(" |");
        out += "\n";
    }
    out
}

/// A request of `OWN` in `EAST`, not yet answered; `OWN` acts.
fn asked(other: (&str, &str)) -> (Fixture, String, [String; 2]) {
    let mut fixture = Fixture::new();
    let own = vpc(&mut fixture, "10.1.0.0/16");
    act_as(&mut fixture, other.0, other.1);
    let peer = vpc(&mut fixture, "10.2.0.0/16");
    act_as(&mut fixture, OWN, EAST);
    let id = ask(&mut fixture, request(&own, &peer, other.0, other.1));
    (fixture, id, [own, peer])
}

const BOTH: [(&str, &str); 2] = [(OWN, EAST), (OTHER, EAST)];

#[test]
fn a_request_lapses_after_seven_days() {
    let (mut fixture, id, _) = asked((OTHER, EAST));
    let out = seen(&mut fixture, &id, BOTH, &[0, 167, 168, 215, 216]);
    expect![[r#"
        0 h: pending-acceptance (Pending Acceptance by 444455556666) | pending-acceptance (Pending Acceptance by 444455556666)
        167 h: pending-acceptance (Pending Acceptance by 444455556666) | pending-acceptance (Pending Acceptance by 444455556666)
        168 h: expired (Expired) | expired (Expired)
        215 h: expired (Expired) | expired (Expired)
        216 h: InvalidVpcPeeringConnectionID.NotFound | InvalidVpcPeeringConnectionID.NotFound
    "#]].assert_eq(&out);
    assert!(fixture.world.vpc_peering_connections().next().is_none());
}

#[test]
fn a_lapsed_request_cannot_be_accepted_even_before_a_tick() {
    let (mut fixture, id, [own, peer]) = asked((OTHER, EAST));
    status(&mut fixture, &id);
    fixture.now = fixture.now + HOUR * 168;
    act_as(&mut fixture, OTHER, EAST);
    let mut out = fixture.refused(accept(&id)) + "\n";
    act_as(&mut fixture, OWN, EAST);
    let again = ask(&mut fixture, request(&own, &peer, OTHER, EAST));
    assert_ne!(again, id);
    out += &status(&mut fixture, &again);
    expect![[r#"
        InvalidStateTransition: Invalid state transition for pcx-0000000000000003d, attempted to transition from expired to active
        pending-acceptance (Pending Acceptance by 444455556666)"#]].assert_eq(&out);
}

#[test]
fn a_rejected_request_is_shown_longer_to_who_asked() {
    let (mut fixture, id, _) = asked((OTHER, EAST));
    act_as(&mut fixture, OTHER, EAST);
    let rejected = answer!(fixture, RejectVpcPeeringConnection, reject(&id));
    assert_eq!(rejected.r#return, Some(true));
    let out = seen(&mut fixture, &id, BOTH, &[0, 1, 2, 47, 48]);
    expect![[r#"
        0 h: rejected (Inactive) | rejected (Inactive)
        1 h: rejected (Inactive) | rejected (Inactive)
        2 h: rejected (Inactive) | InvalidVpcPeeringConnectionID.NotFound
        47 h: rejected (Inactive) | InvalidVpcPeeringConnectionID.NotFound
        48 h: InvalidVpcPeeringConnectionID.NotFound | InvalidVpcPeeringConnectionID.NotFound
    "#]]
    .assert_eq(&out);
}

#[test]
fn a_deleted_connection_is_shown_longer_to_who_did_not_delete() {
    let Peered {
        mut fixture, id, ..
    } = peered();
    act_as(&mut fixture, OTHER, EAST);
    fixture.run(delete(&id)).unwrap();
    let out = seen(&mut fixture, &id, BOTH, &[0, 1, 2, 47, 48]);
    expect![[r#"
        0 h: deleted (Deleted by 444455556666) | deleted (Deleted by 444455556666)
        1 h: deleted (Deleted by 444455556666) | deleted (Deleted by 444455556666)
        2 h: deleted (Deleted by 444455556666) | InvalidVpcPeeringConnectionID.NotFound
        47 h: deleted (Deleted by 444455556666) | InvalidVpcPeeringConnectionID.NotFound
        48 h: InvalidVpcPeeringConnectionID.NotFound | InvalidVpcPeeringConnectionID.NotFound
    "#]]
    .assert_eq(&out);
}

#[test]
fn within_an_account_ends_are_shown_for_two_hours() {
    let Peered {
        mut fixture, id, ..
    } = peered_between((OWN, EAST), (OWN, EAST));
    fixture.run(delete(&id)).unwrap();
    let sides = [(OWN, EAST), (OTHER, EAST)];
    let out = seen(&mut fixture, &id, sides, &[0, 1, 2]);
    expect![[r#"
        0 h: deleted (Deleted by 111122223333) | InvalidVpcPeeringConnectionID.NotFound
        1 h: deleted (Deleted by 111122223333) | InvalidVpcPeeringConnectionID.NotFound
        2 h: InvalidVpcPeeringConnectionID.NotFound | InvalidVpcPeeringConnectionID.NotFound
    "#]]
    .assert_eq(&out);
}

#[test]
fn a_request_is_taken_back() {
    let (mut fixture, id, _) = asked((OTHER, EAST));
    fixture.run(delete(&id)).unwrap();
    let out = seen(&mut fixture, &id, BOTH, &[0, 2]);
    expect![[r#"
        0 h: deleted (Deleted by 111122223333) | deleted (Deleted by 111122223333)
        2 h: InvalidVpcPeeringConnectionID.NotFound | deleted (Deleted by 111122223333)
    "#]]
    .assert_eq(&out);
}

#[test]
fn deleting_between_regions_takes_a_moment() {
    let Peered {
        mut fixture, id, ..
    } = peered_between((OWN, EAST), (OTHER, WEST));
    fixture.run(delete(&id)).unwrap();
    let mut out = status(&mut fixture, &id) + "\n";
    act_as(&mut fixture, OTHER, WEST);
    fixture.run(delete(&id)).unwrap();
    pass(&mut fixture, Duration::from_secs(1));
    out += &(status(&mut fixture, &id) + "\n");
    out += &fixture.refused(delete(&id));
    expect![[r#"
        deleting (Deleting)
        deleted (Deleted by 111122223333)
        InvalidStateTransition: Invalid state transition for pcx-00000000000000035, attempted to transition from deleted to deleting"#]].assert_eq(&out);
}

#[test]
fn requests_that_cannot_succeed_are_made_and_fail() {
    let mut fixture = Fixture::new();
    let own = vpc(&mut fixture, "10.1.0.0/16");
    let same_blocks = vpc(&mut fixture, "10.1.128.0/17");
    act_as(&mut fixture, OTHER, EAST);
    let other = vpc(&mut fixture, "10.2.0.0/16");
    act_as(&mut fixture, OWN, EAST);
    let mut out = String::new();
    for (what, asked) in [
        (
            "unknown VPC",
            request(&own, "vpc-0123456789abcdef0", OWN, EAST),
        ),
        ("other account's VPC", request(&own, &other, OWN, EAST)),
        ("other Region", request(&own, &other, OTHER, WEST)),
        ("overlap", request(&own, &same_blocks, OWN, EAST)),
        ("itself", request(&own, &own, OWN, EAST)),
    ] {
        let id = ask(&mut fixture, asked);
        out += &format!("{what}: {}\n", status(&mut fixture, &id));
        for refused in [
            fixture.refused(accept(&id)),
            fixture.refused(reject(&id)),
            fixture.refused(delete(&id)),
        ] {
            out += &format!("  {refused}\n");
        }
        act_as(&mut fixture, OTHER, EAST);
        assert_eq!(
            status(&mut fixture, &id),
            "InvalidVpcPeeringConnectionID.NotFound"
        );
        act_as(&mut fixture, OWN, EAST);
    }
    expect![[r#"
        unknown VPC: failed (Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range)
          InvalidStateTransition: Invalid state transition for pcx-00000000000000045, attempted to transition from failed to active
          InvalidStateTransition: Invalid state transition for pcx-00000000000000045, attempted to transition from failed to rejected
          InvalidStateTransition: Invalid state transition for pcx-00000000000000045, attempted to transition from failed to deleting
        other account's VPC: failed (Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range)
          InvalidStateTransition: Invalid state transition for pcx-00000000000000046, attempted to transition from failed to active
          InvalidStateTransition: Invalid state transition for pcx-00000000000000046, attempted to transition from failed to rejected
          InvalidStateTransition: Invalid state transition for pcx-00000000000000046, attempted to transition from failed to deleting
        other Region: failed (Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range)
          OperationNotPermitted: User (111122223333) cannot accept peering pcx-00000000000000047
          OperationNotPermitted: User (111122223333) cannot reject peering pcx-00000000000000047
          InvalidStateTransition: Invalid state transition for pcx-00000000000000047, attempted to transition from failed to deleting
        overlap: failed (Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range)
          InvalidStateTransition: Invalid state transition for pcx-00000000000000048, attempted to transition from failed to active
          InvalidStateTransition: Invalid state transition for pcx-00000000000000048, attempted to transition from failed to rejected
          InvalidStateTransition: Invalid state transition for pcx-00000000000000048, attempted to transition from failed to deleting
        itself: failed (Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range)
          InvalidStateTransition: Invalid state transition for pcx-00000000000000049, attempted to transition from failed to active
          InvalidStateTransition: Invalid state transition for pcx-00000000000000049, attempted to transition from failed to rejected
          InvalidStateTransition: Invalid state transition for pcx-00000000000000049, attempted to transition from failed to deleting
    "#]].assert_eq(&out);
    pass(&mut fixture, HOUR * 2);
    assert!(fixture.world.vpc_peering_connections().next().is_none());
}

#[test]
fn peers_of_one_vpc_may_overlap_one_another() {
    let mut fixture = Fixture::new();
    let hub = vpc(&mut fixture, "10.1.0.0/16");
    for _ in 0..2 {
        let spoke = vpc(&mut fixture, "10.2.0.0/16");
        let id = ask(&mut fixture, request(&hub, &spoke, OWN, EAST));
        fixture.run(accept(&id)).unwrap();
        assert_eq!(status(&mut fixture, &id), "active (Active)");
    }
}

#[test]
fn the_same_request_again_gives_the_same_connection() {
    let (mut fixture, id, [own, other]) = asked((OTHER, EAST));
    let again = |fixture: &mut Fixture| ask(fixture, request(&own, &other, OTHER, EAST));
    assert_eq!(again(&mut fixture), id);
    act_as(&mut fixture, OTHER, EAST);
    fixture.run(accept(&id)).unwrap();
    // Roles reversed: a request of its own, which cannot be accepted.
    let reversed = ask(&mut fixture, request(&other, &own, OWN, EAST));
    act_as(&mut fixture, OWN, EAST);
    assert_eq!(again(&mut fixture), id);
    let mut out = status(&mut fixture, &reversed) + "\n";
    out += &(fixture.refused(accept(&reversed)) + "\n");
    fixture.run(delete(&id)).unwrap();
    assert_ne!(again(&mut fixture), id);
    fixture.run(accept(&reversed)).unwrap();
    out += &status(&mut fixture, &reversed);
    expect![[r#"
        pending-acceptance (Pending Acceptance by 111122223333)
        VpcPeeringConnectionAlreadyExists: The vpc peering connection identified by pcx-0000000000000003d already exists.
        active (Active)"#]].assert_eq(&out);
}

#[test]
fn each_side_has_its_own_tags() {
    let Peered {
        mut fixture, id, ..
    } = peered();
    let tag = |value: &str| CreateTagsRequest {
        resources: vec![id.clone()],
        tags: vec![Tag {
            key: text("side"),
            value: text(value),
        }],
        dry_run: None,
    };
    fixture.run(tag("requester")).unwrap();
    act_as(&mut fixture, OTHER, EAST);
    fixture.run(tag("accepter")).unwrap();
    let find = |fixture: &mut Fixture, value: &str| {
        let request = DescribeVpcPeeringConnectionsRequest {
            filters: filter("tag:side", &[value]),
            ..Default::default()
        };
        answer!(fixture, DescribeVpcPeeringConnections, request)
            .vpc_peering_connections
            .len()
    };
    assert_eq!(find(&mut fixture, "accepter"), 1);
    assert_eq!(find(&mut fixture, "requester"), 0);
    let request = DescribeTagsRequest {
        filters: filter("resource-type", &["vpc-peering-connection"]),
        ..Default::default()
    };
    let tags = answer!(fixture, DescribeTags, request).tags;
    assert_eq!(tags.len(), 1);
    assert_eq!(tags[0].value.as_deref(), Some("accepter"));
    act_as(&mut fixture, THIRD, EAST);
    let out = fixture.refused(tag("third"));
    expect!["InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0000000000000003d' does not exist"].assert_eq(&out);
}
