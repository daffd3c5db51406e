//! What holds after any sequence of requests.

use std::collections::BTreeSet;

use ec2_api::*;
use model::{Change, RulePeer, State, World};
use proptest::prelude::*;

use super::{Fixture, text};
use crate::execute;

/// Numbers that a request is made from: which action, and which of what there is.
type Step = (u8, u8, u8, u8);

/// One of the ids that there are, now and then one that there is not.
fn pick<T: ToString>(ids: impl Iterator<Item = T>, n: u8) -> Option<String> {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    match n {
        0 => text("vpc-0123456789abcdef0"),
        1 => None,
        n if ids.is_empty() => text(format!("foo-{n}")),
        n => Some(ids[usize::from(n) % ids.len()].clone()),
    }
}

fn vpc(state: &State, n: u8) -> Option<String> {
    pick(state.vpcs.values().map(|v| v.id), n)
}

fn subnet(state: &State, n: u8) -> Option<String> {
    pick(state.subnets.values().map(|s| s.id), n)
}

fn table(state: &State, n: u8) -> Option<String> {
    pick(state.route_tables.values().map(|t| t.id), n)
}

fn gateway(state: &State, n: u8) -> Option<String> {
    pick(state.internet_gateways.values().map(|g| g.id), n)
}

fn acl(state: &State, n: u8) -> Option<String> {
    pick(state.network_acls.values().map(|a| a.id), n)
}

fn group(state: &State, n: u8) -> Option<String> {
    pick(state.security_groups.values().map(|g| g.id), n)
}

/// Blocks that partly overlap, lie outside of what there is, or are malformed.
fn cidr(n: u8) -> Option<String> {
    let [a, b] = [n % 4, n / 4 % 4];
    Some(match n / 16 % 8 {
        0 => "0.0.0.0/0".to_owned(),
        1 => format!("10.{a}.0.0/16"),
        2 => format!("100.64.{a}.0/24"),
        3 => format!("172.31.{}.0/20", n % 16 * 16),
        4 => format!("10.{a}.{b}.0/33"),
        5 => format!("203.0.113.{a}/28"),
        _ => format!("10.{a}.{b}.0/24"),
    })
}

/// A block inside of one of the VPC that `vpc` picks.
fn inside(state: &State, l: u8, m: u8) -> Option<String> {
    let vpc = state.vpcs.get(&vpc(state, l)?.parse().ok()?)?;
    let block = vpc.cidr_blocks.get(usize::from(m / 16))?;
    let mut parts = block.cidr.subnets(26).ok()?;
    parts.nth(usize::from(m % 16)).map(|part| part.to_string())
}

fn permissions(state: &State, m: u8, n: u8) -> Vec<IpPermission> {
    let mut permission = IpPermission {
        ip_protocol: text(["tcp", "-1", "1"][usize::from(m % 3)]),
        from_port: Some(i32::from(m % 5) * 20 - 20),
        to_port: Some(60),
        ..Default::default()
    };
    if n.is_multiple_of(2) {
        permission.ip_ranges.push(IpRange {
            cidr_ip: cidr(n),
            description: None,
        });
    }
    if n.is_multiple_of(3) {
        permission.user_id_group_pairs.push(UserIdGroupPair {
            group_id: group(state, n),
            ..Default::default()
        });
    }
    vec![permission]
}

fn network_request(state: &State, (action, l, m, n): Step) -> Request {
    match action % 16 {
        0 => CreateVpcRequest {
            cidr_block: cidr(l),
            amazon_provided_ipv6_cidr_block: Some(m > 127),
            dry_run: Some(n > 250),
            ..Default::default()
        }
        .into(),
        1 => DeleteVpcRequest {
            vpc_id: vpc(state, l),
            dry_run: None,
        }
        .into(),
        2 => AssociateVpcCidrBlockRequest {
            vpc_id: vpc(state, l),
            cidr_block: cidr(m).filter(|_| n > 80),
            amazon_provided_ipv6_cidr_block: Some(n < 90),
            ..Default::default()
        }
        .into(),
        3 => {
            let blocks = state.vpcs.values().flat_map(|v| {
                let v4 = v.cidr_blocks.iter().map(|b| b.association_id);
                v4.chain(v.ipv6_cidr_blocks.iter().map(|b| b.association_id))
            });
            DisassociateVpcCidrBlockRequest {
                association_id: pick(blocks, l),
            }
            .into()
        }
        4 | 5 => CreateSubnetRequest {
            vpc_id: vpc(state, l),
            cidr_block: inside(state, l, m).or(cidr(m)),
            ipv6_cidr_block: state
                .vpcs
                .values()
                .flat_map(|v| &v.ipv6_cidr_blocks)
                .nth(usize::from(n) % 8)
                .map(|b| b.cidr.to_string().replace("/56", "/64")),
            ..Default::default()
        }
        .into(),
        6 => DeleteSubnetRequest {
            subnet_id: subnet(state, l),
            dry_run: Some(n > 250),
        }
        .into(),
        7 => CreateInternetGatewayRequest::default().into(),
        8 => AttachInternetGatewayRequest {
            internet_gateway_id: gateway(state, l),
            vpc_id: vpc(state, m),
            dry_run: None,
        }
        .into(),
        9 => DetachInternetGatewayRequest {
            internet_gateway_id: gateway(state, l),
            vpc_id: vpc(state, m),
            dry_run: None,
        }
        .into(),
        10 => DeleteInternetGatewayRequest {
            internet_gateway_id: gateway(state, l),
            dry_run: None,
        }
        .into(),
        11 => CreateRouteTableRequest {
            vpc_id: vpc(state, l),
            client_token: (m < 20).then(|| format!("token-{n}")),
            ..Default::default()
        }
        .into(),
        12 => DeleteRouteTableRequest {
            route_table_id: table(state, l),
            dry_run: None,
        }
        .into(),
        13 => AssociateRouteTableRequest {
            route_table_id: table(state, l),
            subnet_id: subnet(state, m),
            ..Default::default()
        }
        .into(),
        14 => CreateRouteRequest {
            route_table_id: table(state, l),
            destination_cidr_block: cidr(m),
            gateway_id: gateway(state, n),
            ..Default::default()
        }
        .into(),
        _ => DeleteRouteRequest {
            route_table_id: table(state, l),
            destination_cidr_block: cidr(m),
            ..Default::default()
        }
        .into(),
    }
}

fn guard_request(state: &State, (action, l, m, n): Step) -> Request {
    let associations = || {
        let tables = state.route_tables.values();
        tables.flat_map(|t| t.associations.iter().map(|a| a.id))
    };
    match action % 12 {
        0 => ReplaceRouteTableAssociationRequest {
            association_id: pick(associations(), l),
            route_table_id: table(state, m),
            dry_run: None,
        }
        .into(),
        1 => DisassociateRouteTableRequest {
            association_id: pick(associations(), l),
            dry_run: None,
        }
        .into(),
        2 => CreateNetworkAclRequest {
            vpc_id: vpc(state, l),
            ..Default::default()
        }
        .into(),
        3 => DeleteNetworkAclRequest {
            network_acl_id: acl(state, l),
            dry_run: None,
        }
        .into(),
        4 => CreateNetworkAclEntryRequest {
            network_acl_id: acl(state, l),
            rule_number: Some(i32::from(m % 8)),
            protocol: text("-1"),
            rule_action: text("deny"),
            egress: Some(n > 127),
            cidr_block: cidr(n),
            ..Default::default()
        }
        .into(),
        5 => DeleteNetworkAclEntryRequest {
            network_acl_id: acl(state, l),
            rule_number: Some(i32::from(m % 8)),
            egress: Some(n > 127),
            dry_run: None,
        }
        .into(),
        6 => {
            let acls = state.network_acls.values();
            let associations = acls.flat_map(|a| a.associations.iter().map(|a| a.id));
            ReplaceNetworkAclAssociationRequest {
                association_id: pick(associations, l),
                network_acl_id: acl(state, m),
                dry_run: None,
            }
            .into()
        }
        7 => CreateSecurityGroupRequest {
            group_name: text(format!("group {}", l % 8)),
            description: text("random"),
            vpc_id: vpc(state, m),
            ..Default::default()
        }
        .into(),
        8 => DeleteSecurityGroupRequest {
            group_id: group(state, l),
            ..Default::default()
        }
        .into(),
        9 => AuthorizeSecurityGroupIngressRequest {
            group_id: group(state, l),
            ip_permissions: permissions(state, m, n),
            ..Default::default()
        }
        .into(),
        10 => AuthorizeSecurityGroupEgressRequest {
            group_id: group(state, l),
            ip_permissions: permissions(state, m, n),
            ..Default::default()
        }
        .into(),
        _ => RevokeSecurityGroupIngressRequest {
            group_id: group(state, l),
            ip_permissions: permissions(state, m, n),
            ..Default::default()
        }
        .into(),
    }
}

fn check_networks(state: &State) {
    let mut attached = BTreeSet::new();
    for gateway in state.internet_gateways.values() {
        if let Some(vpc_id) = gateway.vpc_id {
            assert!(state.vpcs.contains(&vpc_id) && attached.insert(vpc_id));
        }
    }
    for vpc in state.vpcs.values() {
        let tables = || state.route_tables.values().filter(|t| t.vpc_id == vpc.id);
        assert_eq!(tables().filter(|t| t.is_main()).count(), 1);
        for table in tables() {
            let destinations: BTreeSet<_> = table.routes.iter().map(|r| r.destination).collect();
            assert_eq!(destinations.len(), table.routes.len());
            for block in &vpc.cidr_blocks {
                assert!(destinations.contains(&model::Destination::Ipv4(block.cidr)));
            }
            for block in &vpc.ipv6_cidr_blocks {
                assert!(destinations.contains(&model::Destination::Ipv6(block.cidr)));
            }
        }
        let subnets: Vec<_> = state
            .subnets
            .values()
            .filter(|s| s.vpc_id == vpc.id)
            .collect();
        for (at, subnet) in subnets.iter().enumerate() {
            let cidr = subnet.cidr.unwrap();
            assert!(vpc.cidr_blocks.iter().any(|b| b.cidr.contains(&cidr)));
            let later = subnets[at + 1..].iter().filter_map(|s| s.cidr);
            for other in later {
                assert!(!cidr.contains(&other) && !other.contains(&cidr));
            }
        }
    }
    for subnet in state.subnets.values() {
        assert!(state.vpcs.contains(&subnet.vpc_id));
        let own = |t: &&model::RouteTable| {
            t.associations
                .iter()
                .any(|a| a.subnet_id == Some(subnet.id))
        };
        let tables: Vec<_> = state.route_tables.values().filter(own).collect();
        assert!(tables.len() <= 1 && tables.iter().all(|t| t.vpc_id == subnet.vpc_id));
    }
}

fn check_guards(state: &State) {
    for vpc in state.vpcs.values() {
        let acls = state.network_acls.values().filter(|a| a.vpc_id == vpc.id);
        assert_eq!(acls.filter(|a| a.is_default).count(), 1);
        let groups = || {
            state
                .security_groups
                .values()
                .filter(|g| g.vpc_id == vpc.id)
        };
        assert_eq!(groups().filter(|g| g.is_default()).count(), 1);
        let names: BTreeSet<_> = groups().map(|g| g.name.to_lowercase()).collect();
        assert_eq!(names.len(), groups().count());
    }
    let associations: Vec<_> = state
        .network_acls
        .values()
        .flat_map(|acl| acl.associations.iter().map(|a| (a.subnet_id, acl.vpc_id)))
        .collect();
    assert_eq!(associations.len(), state.subnets.len());
    for subnet in state.subnets.values() {
        assert!(associations.contains(&(subnet.id, subnet.vpc_id)));
    }
    for acl in state.network_acls.values() {
        assert!(acl.entries.is_sorted_by_key(|e| (e.egress, e.rule_number)));
        assert!(acl.entries.iter().filter(|e| e.is_final()).count() >= 2);
    }
    for group in state.security_groups.values() {
        for (at, rule) in group.rules.iter().enumerate() {
            assert!(
                !group.rules[at + 1..]
                    .iter()
                    .any(|r| r.same_permission(rule))
            );
            if let RulePeer::Group { group_id, .. } = rule.peer {
                let peer = state.security_groups.get(&group_id).unwrap();
                assert_eq!(peer.vpc_id, group.vpc_id);
            }
        }
    }
}

/// Describes everything, which must not fail.
fn describe(fixture: &mut Fixture) {
    let requests: [Request; 7] = [
        DescribeVpcsRequest::default().into(),
        DescribeSubnetsRequest::default().into(),
        DescribeRouteTablesRequest::default().into(),
        DescribeInternetGatewaysRequest::default().into(),
        DescribeNetworkAclsRequest::default().into(),
        DescribeSecurityGroupsRequest::default().into(),
        DescribeSecurityGroupRulesRequest::default().into(),
    ];
    for request in requests {
        fixture.run(request).unwrap();
    }
}

proptest! {
    #[test]
    fn any_requests_leave_a_sound_state(steps in prop::collection::vec(any::<Step>(), 1..80)) {
        let mut fixture = Fixture::new();
        let mut changes: Vec<Change> = fixture.state().changes();
        for step in steps {
            let request = if step.0 > 127 {
                network_request(fixture.state(), step)
            } else {
                guard_request(fixture.state(), step)
            };
            let world = fixture.world.clone();
            let applied = execute(
                &world,
                fixture.scope,
                &request,
                fixture.now,
                &mut fixture.entropy,
                &fixture.quotas,
            );
            prop_assert_eq!(&world, &fixture.world);
            let Ok(applied) = applied else { continue };
            prop_assert!(!request.dry_run());
            for (scope, change) in applied.changes {
                prop_assert_eq!(scope, fixture.scope);
                fixture.world.apply(scope, &change);
                changes.push(change);
            }
            check_networks(fixture.state());
            check_guards(fixture.state());
        }
        describe(&mut fixture);
        let mut replayed = World::default();
        for change in &changes {
            replayed.apply(fixture.scope, change);
        }
        prop_assert_eq!(replayed.region(&fixture.scope), fixture.world.region(&fixture.scope));
    }
}
