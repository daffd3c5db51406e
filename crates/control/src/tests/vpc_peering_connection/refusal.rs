//! Everything that is refused.

use expect_test::expect;

use super::*;
use crate::tests::filter;

#[test]
fn bad_parameters() {
    let mut fixture = Fixture::new();
    let own = vpc(&mut fixture, "10.1.0.0/16");
    let good = request(&own, "vpc-0123456789abcdef0", OTHER, EAST);
    let mut out = String::new();
    let mut refused = |request: Request| {
        out += &fixture.refused(request);
        out += "\n";
    };
    for bad in [
        CreateVpcPeeringConnectionRequest {
            vpc_id: None,
            ..good.clone()
        },
        CreateVpcPeeringConnectionRequest {
            vpc_id: text("x"),
            ..good.clone()
        },
        CreateVpcPeeringConnectionRequest {
            vpc_id: text("vpc-0123456789abcdef1"),
            ..good.clone()
        },
        CreateVpcPeeringConnectionRequest {
            peer_vpc_id: None,
            ..good.clone()
        },
        CreateVpcPeeringConnectionRequest {
            peer_vpc_id: text("subnet-0123456789abcdef0"),
            ..good.clone()
        },
        CreateVpcPeeringConnectionRequest {
            peer_owner_id: text("12345"),
            ..good.clone()
        },
        CreateVpcPeeringConnectionRequest {
            peer_region: text("mars-1"),
            ..good.clone()
        },
        CreateVpcPeeringConnectionRequest {
            tag_specifications: crate::tests::named("vpc", "a"),
            ..good.clone()
        },
        CreateVpcPeeringConnectionRequest {
            dry_run: Some(true),
            ..good
        },
    ] {
        refused(bad.into());
    }
    for id in ["pcx-0123456789abcdef0", "pcx-x", "vpc-0123456789abcdef0"] {
        refused(accept(id).into());
        refused(reject(id).into());
        refused(delete(id).into());
        refused(describe(id).into());
        refused(dns(id, Some(true), None).into());
    }
    let none = DeleteVpcPeeringConnectionRequest::default();
    refused(none.into());
    let request = DescribeVpcPeeringConnectionsRequest {
        filters: filter("region", &["x"]),
        ..Default::default()
    };
    refused(request.into());
    let request = DescribeVpcPeeringConnectionsRequest {
        max_results: Some(4),
        ..Default::default()
    };
    refused(request.into());
    expect![[r#"
        MissingParameter: The request must contain the parameter vpcId
        InvalidVpcID.Malformed: Invalid id: "x" (expecting "vpc-...")
        InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef1' does not exist
        MissingParameter: The request must contain the parameter peerVpcId
        InvalidVpcID.Malformed: Invalid id: "subnet-0123456789abcdef0" (expecting "vpc-...")
        InvalidParameterValue: Value (12345) for parameter peerOwnerId is invalid. This is not a valid AWS account ID.
        InvalidParameterValue: Value (mars-1) for parameter peerRegion is invalid. This is not a valid Region.
        InvalidParameterValue: 'vpc' is not a valid taggable resource type for this operation.
        DryRunOperation: Request would have succeeded, but DryRun flag is set.
        InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0123456789abcdef0' does not exist
        InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0123456789abcdef0' does not exist
        InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0123456789abcdef0' does not exist
        InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0123456789abcdef0' does not exist
        InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0123456789abcdef0' does not exist
        InvalidVpcPeeringConnectionId.Malformed: Invalid id: "pcx-x" (expecting "pcx-...")
        InvalidVpcPeeringConnectionId.Malformed: Invalid id: "pcx-x" (expecting "pcx-...")
        InvalidVpcPeeringConnectionId.Malformed: Invalid id: "pcx-x" (expecting "pcx-...")
        InvalidVpcPeeringConnectionId.Malformed: Invalid id: "pcx-x" (expecting "pcx-...")
        InvalidVpcPeeringConnectionId.Malformed: Invalid id: "pcx-x" (expecting "pcx-...")
        InvalidVpcPeeringConnectionId.Malformed: Invalid id: "vpc-0123456789abcdef0" (expecting "pcx-...")
        InvalidVpcPeeringConnectionId.Malformed: Invalid id: "vpc-0123456789abcdef0" (expecting "pcx-...")
        InvalidVpcPeeringConnectionId.Malformed: Invalid id: "vpc-0123456789abcdef0" (expecting "pcx-...")
        InvalidVpcPeeringConnectionId.Malformed: Invalid id: "vpc-0123456789abcdef0" (expecting "pcx-...")
        InvalidVpcPeeringConnectionId.Malformed: Invalid id: "vpc-0123456789abcdef0" (expecting "pcx-...")
        MissingParameter: The request must contain the parameter vpcPeeringConnectionId
        InvalidParameterValue: The filter 'region' is invalid
        InvalidParameterValue: Value ( 4 ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.
    "#]].assert_eq(&out);
    assert!(fixture.world.vpc_peering_connections().next().is_none());
}

/// Sets the DNS options of the sides given.
fn dns(
    id: &str,
    requester: Option<bool>,
    accepter: Option<bool>,
) -> ModifyVpcPeeringConnectionOptionsRequest {
    let side = |allow: bool| PeeringConnectionOptionsRequest {
        allow_dns_resolution_from_remote_vpc: Some(allow),
        ..Default::default()
    };
    ModifyVpcPeeringConnectionOptionsRequest {
        vpc_peering_connection_id: text(id),
        requester_peering_connection_options: requester.map(side),
        accepter_peering_connection_options: accepter.map(side),
        dry_run: None,
    }
}

#[test]
fn only_the_accepter_answers_and_only_in_its_region() {
    let mut fixture = Fixture::new();
    act_as(&mut fixture, OTHER, EAST);
    let other = vpc(&mut fixture, "10.2.0.0/16");
    act_as(&mut fixture, OWN, EAST);
    let own = vpc(&mut fixture, "10.1.0.0/16");
    let id = ask(&mut fixture, request(&own, &other, OTHER, EAST));
    let mut out = String::new();
    for (account, region) in [(OWN, EAST), (OTHER, WEST), (THIRD, EAST)] {
        act_as(&mut fixture, account, region);
        for refused in [fixture.refused(accept(&id)), fixture.refused(reject(&id))] {
            out += &format!("{account} {region}: {refused}\n");
        }
    }
    act_as(&mut fixture, OTHER, EAST);
    out += &(fixture.refused(delete(&id)) + "\n");
    fixture.run(accept(&id)).unwrap();
    out += &(fixture.refused(accept(&id)) + "\n");
    out += &(fixture.refused(reject(&id)) + "\n");
    act_as(&mut fixture, THIRD, EAST);
    out += &(fixture.refused(delete(&id)) + "\n");
    act_as(&mut fixture, OWN, EAST);
    fixture.run(delete(&id)).unwrap();
    act_as(&mut fixture, OTHER, EAST);
    for refused in [
        fixture.refused(accept(&id)),
        fixture.refused(reject(&id)),
        fixture.refused(delete(&id)),
    ] {
        out += &(refused + "\n");
    }
    expect![[r#"
        111122223333 us-east-1: OperationNotPermitted: User (111122223333) cannot accept peering pcx-0000000000000003d
        111122223333 us-east-1: OperationNotPermitted: User (111122223333) cannot reject peering pcx-0000000000000003d
        444455556666 us-west-1: OperationNotPermitted: Incorrect region (us-west-1) specified for this request. VPC peering connection pcx-0000000000000003d must be accepted in region us-east-1
        444455556666 us-west-1: OperationNotPermitted: Incorrect region (us-west-1) specified for this request. VPC peering connection pcx-0000000000000003d must be accepted or rejected in region us-east-1
        777788889999 us-east-1: InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0000000000000003d' does not exist
        777788889999 us-east-1: InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0000000000000003d' does not exist
        OperationNotPermitted: User (444455556666) cannot delete peering pcx-0000000000000003d
        InvalidStateTransition: Invalid state transition for pcx-0000000000000003d, attempted to transition from active to active
        InvalidStateTransition: Invalid state transition for pcx-0000000000000003d, attempted to transition from active to rejected
        InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0000000000000003d' does not exist
        InvalidStateTransition: Invalid state transition for pcx-0000000000000003d, attempted to transition from deleted to active
        InvalidStateTransition: Invalid state transition for pcx-0000000000000003d, attempted to transition from deleted to rejected
        InvalidStateTransition: Invalid state transition for pcx-0000000000000003d, attempted to transition from deleted to deleting
    "#]].assert_eq(&out);
}

#[test]
fn options_are_for_ones_own_side_of_active_connections() {
    let Peered {
        mut fixture,
        own,
        other,
        id,
    } = peered_between((OWN, EAST), (OTHER, WEST));
    let mut out = String::new();
    let mut refused = |fixture: &mut Fixture, request: Request| {
        out += &(fixture.refused(request) + "\n");
    };
    refused(&mut fixture, dns(&id, None, None).into());
    refused(&mut fixture, dns(&id, Some(true), None).into());
    let names = |vpc_id: &str| ModifyVpcAttributeRequest {
        vpc_id: text(vpc_id),
        enable_dns_hostnames: Some(AttributeBooleanValue { value: Some(true) }),
        ..Default::default()
    };
    fixture.run(names(&own)).unwrap();
    refused(&mut fixture, dns(&id, Some(true), None).into());
    refused(&mut fixture, dns(&id, None, Some(true)).into());
    let classic = ModifyVpcPeeringConnectionOptionsRequest {
        requester_peering_connection_options: Some(PeeringConnectionOptionsRequest {
            allow_egress_from_local_vpc_to_remote_classic_link: Some(true),
            ..Default::default()
        }),
        ..dns(&id, None, None)
    };
    refused(&mut fixture, classic.into());
    act_as(&mut fixture, OTHER, WEST);
    fixture.run(names(&other)).unwrap();
    refused(&mut fixture, dns(&id, Some(true), None).into());
    let answer = answer!(
        fixture,
        ModifyVpcPeeringConnectionOptions,
        dns(&id, None, Some(true))
    );
    assert!(answer.requester_peering_connection_options.is_none());
    act_as(&mut fixture, OWN, EAST);
    let shown = |info: Option<VpcPeeringConnectionVpcInfo>| {
        let options = info.unwrap().peering_options.unwrap();
        options.allow_dns_resolution_from_remote_vpc
    };
    let row = described(&mut fixture, &id);
    assert_eq!(shown(row.accepter_vpc_info), Some(true));
    assert_eq!(shown(row.requester_vpc_info), Some(false));
    fixture.run(delete(&id)).unwrap();
    refused(&mut fixture, dns(&id, Some(true), None).into());
    expect![[r#"
        InvalidParameterCombination: At least one of requesterPeeringConnectionOptions and accepterPeeringConnectionOptions must be given
        InvalidVpcPeeringConnectionState.DnsHostnamesDisabled: DNS resolution over pcx-00000000000000035 requires DNS support and DNS hostnames to be enabled for both VPCs.
        InvalidVpcPeeringConnectionState.DnsHostnamesDisabled: DNS resolution over pcx-00000000000000035 requires DNS support and DNS hostnames to be enabled for both VPCs.
        OperationNotPermitted: User 111122223333 does not have permission to modify the accepter side peering options
        InvalidParameterValue: Value (true) for parameter allowEgressFromLocalVpcToRemoteClassicLink is invalid. EC2-Classic has been retired.
        OperationNotPermitted: User 444455556666 does not have permission to modify the requester side peering options
        OperationNotPermitted: Peering pcx-00000000000000035 is not active. Peering options can be added only to active peerings.
    "#]].assert_eq(&out);
}

#[test]
fn options_of_the_other_region_are_refused_within_an_account_too() {
    let Peered {
        mut fixture, id, ..
    } = peered_between((OWN, EAST), (OWN, WEST));
    let mut out = fixture.refused(dns(&id, None, Some(false))) + "\n";
    act_as(&mut fixture, OWN, WEST);
    out += &fixture.refused(dns(&id, Some(false), None));
    expect![[r#"
        OperationNotPermitted: Accepter's VPC Peering connection options cannot be modified for a different region
        OperationNotPermitted: Requester's VPC Peering connection options cannot be modified for a different region"#]].assert_eq(&out);
    let Peered {
        mut fixture, id, ..
    } = peered_between((OWN, EAST), (OWN, EAST));
    fixture.run(dns(&id, Some(false), Some(false))).unwrap();
}

#[test]
fn connections_and_requests_are_limited() {
    let mut fixture = Fixture::new();
    fixture.quotas.vpcs = 10;
    fixture.quotas.active_vpc_peering_connections = 1;
    fixture.quotas.outstanding_vpc_peering_connections = 2;
    let hub = vpc(&mut fixture, "10.0.0.0/16");
    let spokes: Vec<String> = (1..4)
        .map(|n| vpc(&mut fixture, &format!("10.{n}.0.0/16")))
        .collect();
    let first = ask(&mut fixture, request(&hub, &spokes[0], OWN, EAST));
    let second = ask(&mut fixture, request(&hub, &spokes[1], OWN, EAST));
    let third = request(&hub, &spokes[2], OWN, EAST);
    let mut out = fixture.refused(third.clone()) + "\n";
    fixture.run(accept(&first)).unwrap();
    ask(&mut fixture, third);
    out += &fixture.refused(accept(&second));
    expect![[r#"
        OutstandingVpcPeeringConnectionLimitExceeded: The maximum number of outstanding VPC peering connection requests has been reached.
        ActiveVpcPeeringConnectionPerVpcLimitExceeded: The maximum number of active VPC peering connections per VPC has been reached."#]].assert_eq(&out);
}

#[test]
fn routes_follow_the_connection() {
    let Peered {
        mut fixture,
        own,
        other,
        id,
    } = peered();
    let table = |fixture: &Fixture, vpc_id: &str| {
        let main = fixture.state().main_route_table(vpc_id.parse().unwrap());
        text(main.unwrap().id)
    };
    let default = fixture.state().default_vpc().unwrap().id.to_string();
    let (main, unrelated) = (table(&fixture, &own), table(&fixture, &default));
    let route = |table: &Option<String>, target: &str| CreateRouteRequest {
        route_table_id: table.clone(),
        destination_cidr_block: text("10.2.0.0/16"),
        vpc_peering_connection_id: text(target),
        ..Default::default()
    };
    let states = |fixture: &mut Fixture| {
        let request = DescribeRouteTablesRequest {
            filters: filter("route.vpc-peering-connection-id", &["pcx-*"]),
            ..Default::default()
        };
        let tables = answer!(fixture, DescribeRouteTables, request).route_tables;
        let routes = tables.into_iter().flat_map(|t| t.routes);
        let states = routes.filter(|r| r.vpc_peering_connection_id.is_some());
        states.map(|r| r.state.unwrap()).collect::<Vec<_>>()
    };
    let mut out = fixture.refused(route(&unrelated, &id)) + "\n";
    out += &(fixture.refused(route(&main, "pcx-0123456789abcdef0")) + "\n");
    out += &(fixture.refused(route(&main, "pcx-1")) + "\n");
    fixture.run(route(&main, &id)).unwrap();
    assert_eq!(states(&mut fixture), ["active"]);
    act_as(&mut fixture, OTHER, EAST);
    fixture.run(delete(&id)).unwrap();
    act_as(&mut fixture, OWN, EAST);
    assert_eq!(states(&mut fixture), ["blackhole"]);
    // A new connection has a new id; the old route does not heal.
    let new = ask(&mut fixture, request(&own, &other, OTHER, EAST));
    act_as(&mut fixture, OTHER, EAST);
    let own_main = table(&fixture, &other);
    let back = CreateRouteRequest {
        destination_cidr_block: text("10.1.0.0/16"),
        ..route(&own_main, &new)
    };
    fixture.run(back).unwrap();
    assert_eq!(states(&mut fixture), ["blackhole"]);
    fixture.run(accept(&new)).unwrap();
    described(&mut fixture, &new);
    assert_eq!(states(&mut fixture), ["active"]);
    act_as(&mut fixture, OWN, EAST);
    assert_eq!(states(&mut fixture), ["blackhole"]);
    pass(&mut fixture, HOUR * 50);
    assert_eq!(states(&mut fixture), ["blackhole"]);
    expect![[r#"
        InvalidParameterValue: route table rtb-00000000000000004 and peering connection pcx-0000000000000003d belong to different networks
        InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0123456789abcdef0' does not exist
        InvalidVpcPeeringConnectionId.Malformed: Invalid id: "pcx-1" (expecting "pcx-...")
    "#]].assert_eq(&out);
}
