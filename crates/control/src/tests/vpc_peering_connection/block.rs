//! Blocks that come and go, and VPCs that go.

use expect_test::expect;

use super::*;

fn add(vpc_id: &str, cidr: &str) -> AssociateVpcCidrBlockRequest {
    AssociateVpcCidrBlockRequest {
        vpc_id: text(vpc_id),
        cidr_block: text(cidr),
        ..Default::default()
    }
}

fn add_ipv6(vpc_id: &str) -> AssociateVpcCidrBlockRequest {
    AssociateVpcCidrBlockRequest {
        vpc_id: text(vpc_id),
        amazon_provided_ipv6_cidr_block: Some(true),
        ..Default::default()
    }
}

fn delete_vpc(vpc_id: &str) -> DeleteVpcRequest {
    DeleteVpcRequest {
        vpc_id: text(vpc_id),
        dry_run: None,
    }
}

fn blocks(info: Option<VpcPeeringConnectionVpcInfo>) -> Vec<String> {
    let set = info.unwrap().cidr_block_set;
    set.into_iter().filter_map(|b| b.cidr_block).collect()
}

#[test]
fn blocks_of_an_active_connection_are_shown_to_both_and_never_overlap() {
    let Peered {
        mut fixture,
        own,
        other,
        id,
    } = peered();
    let out = fixture.refused(add(&own, "10.2.128.0/20"));
    expect!["InvalidVpc.Range: The CIDR '10.2.128.0/20' is restricted. It overlaps a CIDR block of vpc-0000000000000002d, with which vpc-00000000000000035 is peered"].assert_eq(&out);
    let added = answer!(fixture, AssociateVpcCidrBlock, add(&own, "10.3.0.0/16"));
    fixture.run(add_ipv6(&own)).unwrap();
    act_as(&mut fixture, OTHER, EAST);
    let row = described(&mut fixture, &id);
    let requester = row.requester_vpc_info.clone();
    assert_eq!(blocks(requester), ["10.1.0.0/16", "10.3.0.0/16"]);
    assert_eq!(blocks(row.accepter_vpc_info), ["10.2.0.0/16"]);
    let ipv6 = row.requester_vpc_info.unwrap().ipv6_cidr_block_set;
    assert_eq!(ipv6.len(), 1);
    fixture.refused(add(&other, "10.3.4.0/24"));
    act_as(&mut fixture, OWN, EAST);
    let remove = DisassociateVpcCidrBlockRequest {
        association_id: added.cidr_block_association.unwrap().association_id,
    };
    fixture.run(remove).unwrap();
    let row = described(&mut fixture, &id);
    assert_eq!(blocks(row.requester_vpc_info), ["10.1.0.0/16"]);
    act_as(&mut fixture, OTHER, EAST);
    fixture.run(add(&other, "10.3.0.0/16")).unwrap();
}

#[test]
fn blocks_while_a_request_waits() {
    let mut fixture = Fixture::new();
    act_as(&mut fixture, OTHER, EAST);
    let other = vpc(&mut fixture, "10.2.0.0/16");
    act_as(&mut fixture, OWN, EAST);
    let own = vpc(&mut fixture, "10.1.0.0/16");
    let id = ask(&mut fixture, request(&own, &other, OTHER, EAST));
    let mut out = String::new();
    for refused in [
        fixture.refused(add(&own, "10.3.0.0/16")),
        fixture.refused(add_ipv6(&own)),
    ] {
        out += &(refused + "\n");
    }
    act_as(&mut fixture, OTHER, EAST);
    fixture.run(add(&other, "10.4.0.0/16")).unwrap();
    fixture.run(add_ipv6(&other)).unwrap();
    out += &(status(&mut fixture, &id) + "\n");
    // The accepter takes a block of the requester's: the request cannot succeed any more.
    fixture.run(add(&other, "10.1.128.0/20")).unwrap();
    out += &(fixture.refused(accept(&id)) + "\n");
    act_as(&mut fixture, OWN, EAST);
    out += &(status(&mut fixture, &id) + "\n");
    fixture.run(add(&own, "10.3.0.0/16")).unwrap();
    expect![[r#"
        OperationNotPermitted: A CIDR block cannot be added to vpc-00000000000000035 while its peering request pcx-0000000000000003d is pending
        OperationNotPermitted: A CIDR block cannot be added to vpc-00000000000000035 while its peering request pcx-0000000000000003d is pending
        pending-acceptance (Pending Acceptance by 444455556666)
        InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0000000000000003d' does not exist
        failed (Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range)
    "#]].assert_eq(&out);
}

#[test]
fn secondary_and_ipv6_blocks_overlap_too() {
    let mut fixture = Fixture::new();
    let own = vpc(&mut fixture, "10.1.0.0/16");
    let other = vpc(&mut fixture, "10.2.0.0/16");
    fixture.run(add(&other, "10.1.0.0/20")).unwrap();
    let id = ask(&mut fixture, request(&own, &other, OWN, EAST));
    assert!(status(&mut fixture, &id).starts_with("failed"));
    // No two VPCs get the same IPv6 block from Amazon, so this one is put in place.
    let twin = vpc(&mut fixture, "10.3.0.0/16");
    fixture.run(add_ipv6(&own)).unwrap();
    let ipv6 =
        |fixture: &Fixture, id: &str| fixture.state().vpcs.get(&id.parse().unwrap()).cloned();
    let mut row = ipv6(&fixture, &twin).unwrap();
    row.ipv6_cidr_blocks = ipv6(&fixture, &own).unwrap().ipv6_cidr_blocks;
    let change = model::state::Row::put(row.id, row);
    fixture.world.apply(fixture.scope, &change);
    let id = ask(&mut fixture, request(&own, &twin, OWN, EAST));
    assert!(status(&mut fixture, &id).starts_with("failed"));
}

#[test]
fn an_active_connection_keeps_its_vpcs() {
    let Peered {
        mut fixture,
        own,
        other,
        id,
    } = peered();
    let mut out = fixture.refused(delete_vpc(&own)) + "\n";
    act_as(&mut fixture, OTHER, EAST);
    out += &(fixture.refused(delete_vpc(&other)) + "\n");
    fixture.run(delete(&id)).unwrap();
    fixture.run(delete_vpc(&other)).unwrap();
    out += &status(&mut fixture, &id);
    expect![[r#"
        DependencyViolation: The vpc 'vpc-00000000000000035' has dependencies and cannot be deleted.
        DependencyViolation: The vpc 'vpc-0000000000000002d' has dependencies and cannot be deleted.
        deleted (Deleted by 444455556666)"#]]
    .assert_eq(&out);
    let accepter = described(&mut fixture, &id).accepter_vpc_info.unwrap();
    assert_eq!(accepter.vpc_id, Some(other));
}

#[test]
fn requests_go_with_the_vpc_but_not_those_of_others() {
    let mut fixture = Fixture::new();
    act_as(&mut fixture, OTHER, EAST);
    let other = vpc(&mut fixture, "10.2.0.0/16");
    act_as(&mut fixture, OWN, EAST);
    let own = vpc(&mut fixture, "10.1.0.0/16");
    let sibling = vpc(&mut fixture, "10.3.0.0/16");
    let outgoing = ask(&mut fixture, request(&own, &other, OTHER, EAST));
    let within = ask(&mut fixture, request(&sibling, &own, OWN, EAST));
    act_as(&mut fixture, OTHER, EAST);
    let mut out = fixture.refused(delete_vpc(&other)) + "\n";
    act_as(&mut fixture, OWN, EAST);
    fixture.run(delete_vpc(&own)).unwrap();
    out += &(status(&mut fixture, &outgoing) + "\n");
    out += &(status(&mut fixture, &within) + "\n");
    act_as(&mut fixture, OTHER, EAST);
    fixture.run(delete_vpc(&other)).unwrap();
    expect![[r#"
        DependencyViolation: The vpc 'vpc-0000000000000002d' has dependencies and cannot be deleted.
        deleted (Deleted by 111122223333)
        deleted (Deleted by 111122223333)
    "#]]
    .assert_eq(&out);
}
