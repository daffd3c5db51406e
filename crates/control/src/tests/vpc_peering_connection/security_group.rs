//! Rules that refer to groups of the peer.

use expect_test::expect;

use super::*;
use crate::tests::show;

fn group(fixture: &mut Fixture, vpc_id: &str, name: &str) -> String {
    let request = CreateSecurityGroupRequest {
        group_name: text(name),
        description: text(name),
        vpc_id: text(vpc_id),
        ..Default::default()
    };
    answer!(fixture, CreateSecurityGroup, request)
        .group_id
        .unwrap()
}

fn allow(group_id: &str, pair: UserIdGroupPair) -> AuthorizeSecurityGroupIngressRequest {
    AuthorizeSecurityGroupIngressRequest {
        group_id: text(group_id),
        ip_permissions: vec![IpPermission {
            ip_protocol: text("tcp"),
            from_port: Some(22),
            to_port: Some(22),
            user_id_group_pairs: vec![pair],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn pair(group_id: &str, user_id: Option<&str>) -> UserIdGroupPair {
    UserIdGroupPair {
        group_id: text(group_id),
        user_id: user_id.map(str::to_owned),
        ..Default::default()
    }
}

fn permissions(fixture: &mut Fixture, group_id: &str) -> Vec<IpPermission> {
    let request = DescribeSecurityGroupsRequest {
        group_ids: vec![group_id.to_owned()],
        ..Default::default()
    };
    answer!(fixture, DescribeSecurityGroups, request)
        .security_groups
        .remove(0)
        .ip_permissions
}

fn stale(fixture: &mut Fixture, vpc_id: &str) -> Vec<StaleSecurityGroup> {
    let request = DescribeStaleSecurityGroupsRequest {
        vpc_id: text(vpc_id),
        ..Default::default()
    };
    answer!(fixture, DescribeStaleSecurityGroups, request).stale_security_group_set
}

fn references(fixture: &mut Fixture, group_id: &str) -> Vec<SecurityGroupReference> {
    let request = DescribeSecurityGroupReferencesRequest {
        group_id: vec![group_id.to_owned()],
        dry_run: None,
    };
    answer!(fixture, DescribeSecurityGroupReferences, request).security_group_reference_set
}

/// A peered pair with a group on each side, the requester's referring to the accepter's.
fn referring() -> (Peered, String, String) {
    let mut peered = peered();
    let fixture = &mut peered.fixture;
    act_as(fixture, OTHER, EAST);
    let theirs = group(fixture, &peered.other, "theirs");
    act_as(fixture, OWN, EAST);
    let ours = group(fixture, &peered.own, "ours");
    fixture
        .run(allow(&ours, pair(&theirs, Some(OTHER))))
        .unwrap();
    (peered, ours, theirs)
}

#[test]
fn a_rule_refers_to_a_group_of_the_peer() {
    let (mut peered, ours, theirs) = referring();
    let fixture = &mut peered.fixture;
    let mut out = show(&permissions(fixture, &ours));
    let request = DescribeSecurityGroupRulesRequest {
        filters: crate::tests::filter("group-id", &[&ours]),
        ..Default::default()
    };
    let rules = answer!(fixture, DescribeSecurityGroupRules, request).security_group_rules;
    let referenced = rules.into_iter().find_map(|r| r.referenced_group_info);
    out += &show(&referenced.unwrap());
    act_as(fixture, OTHER, EAST);
    out += &show(&references(fixture, &theirs));
    expect![[r#"
        [
          IpPermission {
            ip_protocol: "tcp",
            from_port: 22,
            to_port: 22,
            user_id_group_pairs: [
              UserIdGroupPair {
                user_id: "444455556666",
                group_id: "sg-0000000000000003e",
                vpc_id: "vpc-0000000000000002d",
                vpc_peering_connection_id: "pcx-0000000000000003d",
                peering_status: "active",
              },
            ],
          },
        ]
        ReferencedSecurityGroup {
          group_id: "sg-0000000000000003e",
          peering_status: "active",
          user_id: "444455556666",
          vpc_id: "vpc-0000000000000002d",
          vpc_peering_connection_id: "pcx-0000000000000003d",
        }
        [
          SecurityGroupReference {
            group_id: "sg-0000000000000003e",
            referencing_vpc_id: "vpc-00000000000000035",
            vpc_peering_connection_id: "pcx-0000000000000003d",
          },
        ]
    "#]]
    .assert_eq(&out);
    assert!(stale(fixture, &peered.other).is_empty());
}

#[test]
fn references_without_an_active_connection_in_the_region_are_refused() {
    let mut fixture = Fixture::new();
    act_as(&mut fixture, OTHER, WEST);
    let west = vpc(&mut fixture, "10.3.0.0/16");
    let far = group(&mut fixture, &west, "far");
    act_as(&mut fixture, OTHER, EAST);
    let other = vpc(&mut fixture, "10.2.0.0/16");
    let theirs = group(&mut fixture, &other, "theirs");
    act_as(&mut fixture, OWN, EAST);
    let own = vpc(&mut fixture, "10.1.0.0/16");
    let ours = group(&mut fixture, &own, "ours");
    let near = vpc(&mut fixture, "10.4.0.0/16");
    let unrelated = group(&mut fixture, &near, "unrelated");
    let id = ask(&mut fixture, request(&own, &other, OTHER, EAST));
    let across = ask(&mut fixture, request(&own, &west, OTHER, WEST));
    act_as(&mut fixture, OTHER, WEST);
    fixture.run(accept(&across)).unwrap();
    act_as(&mut fixture, OWN, EAST);
    let through = |id: &str| UserIdGroupPair {
        vpc_peering_connection_id: text(id),
        ..pair(&theirs, Some(OTHER))
    };
    let wrong_vpc = UserIdGroupPair {
        vpc_id: text(&own),
        ..pair(&theirs, Some(OTHER))
    };
    let mut out = String::new();
    let mut refused = |fixture: &mut Fixture, what: &str, pair: UserIdGroupPair| {
        let why = fixture.refused(allow(&ours, pair));
        out += &format!("{what}: {why}\n");
    };
    refused(&mut fixture, "pending", pair(&theirs, Some(OTHER)));
    refused(&mut fixture, "not peered", pair(&unrelated, None));
    refused(&mut fixture, "other Region", pair(&far, Some(OTHER)));
    act_as(&mut fixture, OTHER, EAST);
    fixture.run(accept(&id)).unwrap();
    act_as(&mut fixture, OWN, EAST);
    refused(&mut fixture, "no owner", pair(&theirs, None));
    refused(&mut fixture, "wrong owner", pair(&theirs, Some(THIRD)));
    refused(&mut fixture, "no account", pair(&theirs, Some("me")));
    refused(&mut fixture, "wrong VPC", wrong_vpc);
    refused(&mut fixture, "through another", through(&across));
    refused(
        &mut fixture,
        "through none",
        through("pcx-0123456789abcdef0"),
    );
    refused(&mut fixture, "through nonsense", through("pcx"));
    expect![[r#"
        pending: InvalidGroup.NotFound: You have specified two resources that belong to different networks.
        not peered: InvalidGroup.NotFound: You have specified two resources that belong to different networks.
        other Region: InvalidGroup.NotFound: You have specified two resources that belong to different networks.
        no owner: InvalidGroup.NotFound: The security group 'sg-0000000000000004d' does not exist
        wrong owner: InvalidGroup.NotFound: The security group 'sg-0000000000000004d' does not exist
        no account: InvalidParameterValue: Value (me) for parameter userId is invalid. This is not a valid AWS account ID.
        wrong VPC: InvalidGroup.NotFound: You have specified two resources that belong to different networks.
        through another: InvalidGroup.NotFound: You have specified two resources that belong to different networks.
        through none: InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0123456789abcdef0' does not exist
        through nonsense: InvalidVpcPeeringConnectionId.Malformed: Invalid id: "pcx" (expecting "pcx-...")
    "#]].assert_eq(&out);
    fixture.run(allow(&ours, through(&id))).unwrap();
    let console = pair(&format!("{OTHER}/{theirs}"), None);
    let out = fixture.refused(allow(&ours, console));
    expect![[r#"InvalidPermission.Duplicate: the specified rule "peer: sg-0000000000000004d, TCP, from port: 22, to port: 22, ALLOW" already exists"#]].assert_eq(&out);
}

#[test]
fn rules_become_stale_with_the_connection_and_heal_with_a_new_one() {
    let (mut peered, ours, theirs) = referring();
    let fixture = &mut peered.fixture;
    fixture.run(delete(&peered.id)).unwrap();
    let mut out = show(&stale(fixture, &peered.own));
    pass(fixture, HOUR * 50);
    let pairs = permissions(fixture, &ours).remove(0).user_id_group_pairs;
    assert_eq!(pairs[0].peering_status.as_deref(), Some("deleted"));
    assert_eq!(
        pairs[0].vpc_peering_connection_id.as_ref(),
        Some(&peered.id)
    );
    let new = ask(fixture, request(&peered.own, &peered.other, OTHER, EAST));
    act_as(fixture, OTHER, EAST);
    fixture.run(accept(&new)).unwrap();
    assert_eq!(references(fixture, &theirs).len(), 1);
    act_as(fixture, OWN, EAST);
    assert!(stale(fixture, &peered.own).is_empty());
    let pairs = permissions(fixture, &ours).remove(0).user_id_group_pairs;
    assert_eq!(pairs[0].peering_status.as_deref(), Some("active"));
    assert_eq!(pairs[0].vpc_peering_connection_id, Some(new));
    out += &fixture.refused(allow(&ours, pair(&theirs, Some(OTHER))));
    expect![[r#"
        [
          StaleSecurityGroup {
            description: "ours",
            group_id: "sg-00000000000000040",
            group_name: "ours",
            stale_ip_permissions: [
              StaleIpPermission {
                from_port: 22,
                ip_protocol: "tcp",
                to_port: 22,
                user_id_group_pairs: [
                  UserIdGroupPair {
                    user_id: "444455556666",
                    group_id: "sg-0000000000000003e",
                    vpc_id: "vpc-0000000000000002d",
                    vpc_peering_connection_id: "pcx-0000000000000003d",
                    peering_status: "deleted",
                  },
                ],
              },
            ],
            vpc_id: "vpc-00000000000000035",
          },
        ]
        InvalidPermission.Duplicate: the specified rule "peer: sg-0000000000000003e, TCP, from port: 22, to port: 22, ALLOW" already exists"#]].assert_eq(&out);
}

#[test]
fn a_group_that_a_peer_refers_to_can_be_deleted() {
    let (mut peered, ours, theirs) = referring();
    let fixture = &mut peered.fixture;
    act_as(fixture, OTHER, EAST);
    let delete = |id: &str| DeleteSecurityGroupRequest {
        group_id: text(id),
        ..Default::default()
    };
    fixture.run(delete(&theirs)).unwrap();
    act_as(fixture, OWN, EAST);
    assert_eq!(stale(fixture, &peered.own).len(), 1);
    let permissions = permissions(fixture, &ours);
    let revoke = RevokeSecurityGroupIngressRequest {
        group_id: text(&ours),
        ip_permissions: permissions,
        ..Default::default()
    };
    fixture.run(revoke).unwrap();
    assert!(stale(fixture, &peered.own).is_empty());
}

#[test]
fn within_an_account_too() {
    let Peered {
        mut fixture,
        own,
        other,
        ..
    } = peered_between((OWN, EAST), (OWN, EAST));
    let (ours, theirs) = (
        group(&mut fixture, &own, "ours"),
        group(&mut fixture, &other, "theirs"),
    );
    fixture.run(allow(&ours, pair(&theirs, None))).unwrap();
    assert_eq!(references(&mut fixture, &theirs).len(), 1);
    let delete = DeleteSecurityGroupRequest {
        group_id: text(&theirs),
        ..Default::default()
    };
    fixture.run(delete).unwrap();
}

#[test]
fn bad_questions_are_refused() {
    let mut fixture = Fixture::new();
    let mut out = String::new();
    for vpc_id in [None, text("vpc-1"), text("vpc-0123456789abcdef0")] {
        let request = DescribeStaleSecurityGroupsRequest {
            vpc_id,
            ..Default::default()
        };
        out += &(fixture.refused(request) + "\n");
    }
    for group_id in [vec![], vec!["sg-0123456789abcdef0".to_owned()]] {
        let request = DescribeSecurityGroupReferencesRequest {
            group_id,
            dry_run: None,
        };
        out += &(fixture.refused(request) + "\n");
    }
    expect![[r#"
        MissingParameter: The request must contain the parameter vpcId
        InvalidVpcID.Malformed: Invalid id: "vpc-1" (expecting "vpc-...")
        InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist
        MissingParameter: The request must contain the parameter groupId
        InvalidGroup.NotFound: The security group 'sg-0123456789abcdef0' does not exist
    "#]]
    .assert_eq(&out);
}
