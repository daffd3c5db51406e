//! Network ACLs.

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, named, show, text};

fn create(fixture: &mut Fixture, vpc_id: &Option<String>) -> NetworkAcl {
    let request = CreateNetworkAclRequest {
        vpc_id: vpc_id.clone(),
        tag_specifications: named("network-acl", "a"),
        ..Default::default()
    };
    answer!(fixture, CreateNetworkAcl, request)
        .network_acl
        .unwrap()
}

fn entry(acl: &NetworkAcl, number: i32, protocol: &str) -> CreateNetworkAclEntryRequest {
    CreateNetworkAclEntryRequest {
        network_acl_id: acl.network_acl_id.clone(),
        rule_number: Some(number),
        protocol: text(protocol),
        rule_action: text("allow"),
        egress: Some(false),
        cidr_block: text("10.1.2.3/16"),
        ..Default::default()
    }
}

fn ports(from: i32, to: i32) -> Option<PortRange> {
    Some(PortRange {
        from: Some(from),
        to: Some(to),
    })
}

fn default_vpc(fixture: &Fixture) -> Option<String> {
    text(fixture.state().default_vpc().unwrap().id)
}

#[test]
fn an_acl_is_made_and_described() {
    let mut fixture = Fixture::new();
    let vpc_id = default_vpc(&fixture);
    let acl = create(&mut fixture, &vpc_id);
    let tcp = CreateNetworkAclEntryRequest {
        port_range: ports(80, 443),
        ..entry(&acl, 200, "tcp")
    };
    let icmp = CreateNetworkAclEntryRequest {
        icmp_type_code: Some(IcmpTypeCode {
            r#type: Some(8),
            code: Some(-1),
        }),
        ..entry(&acl, 100, "1")
    };
    let all = CreateNetworkAclEntryRequest {
        egress: Some(true),
        cidr_block: None,
        ipv6_cidr_block: text("::/0"),
        port_range: ports(80, 443),
        ..entry(&acl, 100, "-1")
    };
    for request in [tcp, icmp, all] {
        fixture.run(request).unwrap();
    }
    let request = DescribeNetworkAclsRequest {
        filters: filter("entry.port-range.from", &["80"]),
        ..Default::default()
    };
    let described = answer!(fixture, DescribeNetworkAcls, request);
    expect![[r#"
        DescribeNetworkAclsResponse {
          network_acls: [
            NetworkAcl {
              entries: [
                NetworkAclEntry {
                  cidr_block: "10.1.0.0/16",
                  egress: false,
                  icmp_type_code: IcmpTypeCode {
                    code: -1,
                    type: 8,
                  },
                  protocol: "1",
                  rule_action: "allow",
                  rule_number: 100,
                },
                NetworkAclEntry {
                  cidr_block: "10.1.0.0/16",
                  egress: false,
                  port_range: PortRange {
                    from: 80,
                    to: 443,
                  },
                  protocol: "6",
                  rule_action: "allow",
                  rule_number: 200,
                },
                NetworkAclEntry {
                  cidr_block: "0.0.0.0/0",
                  egress: false,
                  protocol: "-1",
                  rule_action: "deny",
                  rule_number: 32767,
                },
                NetworkAclEntry {
                  egress: true,
                  ipv6_cidr_block: "::/0",
                  protocol: "-1",
                  rule_action: "allow",
                  rule_number: 100,
                },
                NetworkAclEntry {
                  cidr_block: "0.0.0.0/0",
                  egress: true,
                  protocol: "-1",
                  rule_action: "deny",
                  rule_number: 32767,
                },
              ],
              is_default: false,
              network_acl_id: "acl-00000000000000017",
              tags: [
                Tag {
                  key: "Name",
                  value: "a",
                },
              ],
              vpc_id: "vpc-00000000000000002",
              owner_id: "111122223333",
            },
          ],
        }
    "#]]
    .assert_eq(&show(&described));
    let mut count = |name: &str, value: &str| {
        let request = DescribeNetworkAclsRequest {
            filters: filter(name, &[value]),
            ..Default::default()
        };
        answer!(fixture, DescribeNetworkAcls, request)
            .network_acls
            .len()
    };
    assert_eq!(count("default", "true"), 1);
    assert_eq!(count("association.subnet-id", "subnet-*"), 1);
    assert_eq!(count("entry.icmp.type", "8"), 1);
    assert_eq!(count("entry.rule-number", "32767"), 2);
    assert_eq!(count("entry.ipv6-cidr", "::/0"), 1);
    assert_eq!(count("entry.rule-action", "allow"), 2);
}

#[test]
fn entries_are_checked() {
    let mut fixture = Fixture::new();
    let vpc_id = default_vpc(&fixture);
    let acl = create(&mut fixture, &vpc_id);
    fixture.run(entry(&acl, 100, "-1")).unwrap();
    let base = || entry(&acl, 50, "-1");
    let requests = [
        entry(&acl, 100, "-1"),
        entry(&acl, 0, "-1"),
        entry(&acl, 32767, "-1"),
        entry(&acl, 50, "tcp"),
        entry(&acl, 50, "icmp"),
        entry(&acl, 50, "256"),
        CreateNetworkAclEntryRequest {
            port_range: ports(443, 80),
            ..entry(&acl, 50, "6")
        },
        CreateNetworkAclEntryRequest {
            rule_action: text("ALLOW"),
            ..base()
        },
        CreateNetworkAclEntryRequest {
            cidr_block: None,
            ..base()
        },
        CreateNetworkAclEntryRequest {
            ipv6_cidr_block: text("::/0"),
            ..base()
        },
        CreateNetworkAclEntryRequest {
            cidr_block: text("ten"),
            ..base()
        },
        CreateNetworkAclEntryRequest {
            egress: None,
            ..base()
        },
        CreateNetworkAclEntryRequest {
            network_acl_id: text("acl-0123456789abcdef0"),
            ..base()
        },
    ];
    let mut out = requests.map(|request| fixture.refused(request)).join("\n");
    for number in 1..20 {
        fixture.run(entry(&acl, number, "-1")).unwrap();
    }
    out += "\n";
    out += &fixture.refused(base());
    let other_family = CreateNetworkAclEntryRequest {
        cidr_block: None,
        ipv6_cidr_block: text("::/0"),
        ..base()
    };
    fixture.run(other_family).unwrap();
    expect![[r#"
        NetworkAclEntryAlreadyExists: The network acl entry identified by 100 already exists.
        InvalidParameterValue: Value (0) for parameter ruleNumber is invalid. The rule number must be between 1 and 32766.
        InvalidParameterValue: Value (32767) for parameter ruleNumber is invalid. The rule number must be between 1 and 32766.
        MissingParameter: The request must contain the parameter portRange
        MissingParameter: The request must contain the parameter icmpTypeCode
        InvalidParameterValue: Value (256) for parameter protocol is invalid. Unknown protocol.
        InvalidParameterValue: Value (443-80) for parameter portRange is invalid. Ports must be between 0 and 65535, the first not above the last.
        InvalidParameterValue: Value (ALLOW) for parameter ruleAction is invalid. Valid values: allow, deny.
        MissingParameter: The request must contain the parameter cidrBlock
        InvalidParameterCombination: The parameters cidrBlock and ipv6CidrBlock cannot be used together
        InvalidParameterValue: Value (ten) for parameter cidrBlock is invalid. This is not a valid CIDR block.
        MissingParameter: The request must contain the parameter egress
        InvalidNetworkAclID.NotFound: The networkAcl ID 'acl-0123456789abcdef0' does not exist
        NetworkAclEntryLimitExceeded: The maximum number of network ACL entries has been reached."#]].assert_eq(&out);
}

#[test]
fn entries_are_replaced_and_deleted() {
    let mut fixture = Fixture::new();
    let vpc_id = default_vpc(&fixture);
    let acl = create(&mut fixture, &vpc_id);
    let replace = |number| ReplaceNetworkAclEntryRequest {
        network_acl_id: acl.network_acl_id.clone(),
        rule_number: Some(number),
        protocol: text("-1"),
        rule_action: text("deny"),
        egress: Some(false),
        cidr_block: text("0.0.0.0/0"),
        ..Default::default()
    };
    let delete = |number| DeleteNetworkAclEntryRequest {
        network_acl_id: acl.network_acl_id.clone(),
        rule_number: Some(number),
        egress: Some(false),
        dry_run: None,
    };
    let mut out = fixture.refused(replace(100)) + "\n";
    fixture.run(entry(&acl, 100, "-1")).unwrap();
    fixture.run(replace(100)).unwrap();
    fixture.run(delete(100)).unwrap();
    out += &fixture.refused(delete(100));
    out += "\n";
    out += &fixture.refused(delete(32767));
    expect![[r#"
        InvalidNetworkAclEntry.NotFound: The network acl entry identified by 100 does not exist.
        InvalidNetworkAclEntry.NotFound: The network acl entry identified by 100 does not exist.
        InvalidParameterValue: Value (32767) for parameter ruleNumber is invalid. The rule number must be between 1 and 32766."#]].assert_eq(&out);
}

#[test]
fn associations_are_replaced() {
    let mut fixture = Fixture::new();
    let vpc_id = default_vpc(&fixture);
    let acl = create(&mut fixture, &vpc_id);
    let request = CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        ..Default::default()
    };
    let other_vpc = answer!(fixture, CreateVpc, request).vpc.unwrap().vpc_id;
    let other = create(&mut fixture, &other_vpc);
    let state = fixture.state();
    let id = vpc_id.as_deref().unwrap().parse().unwrap();
    let default_acl = state.default_network_acl(id).unwrap();
    let association = default_acl.associations[0].clone();
    let default_id = text(default_acl.id);
    let replace =
        |association: &Option<String>, acl: &Option<String>| ReplaceNetworkAclAssociationRequest {
            association_id: association.clone(),
            network_acl_id: acl.clone(),
            dry_run: None,
        };
    let old = text(association.id);
    let mut out = fixture.refused(replace(&old, &other.network_acl_id)) + "\n";
    let request = replace(&old, &acl.network_acl_id);
    let new = answer!(fixture, ReplaceNetworkAclAssociation, request).new_association_id;
    let guard = fixture
        .state()
        .network_acl_of(association.subnet_id)
        .unwrap();
    assert_eq!(text(guard.id), acl.network_acl_id);
    out += &fixture.refused(replace(&old, &acl.network_acl_id));
    out += "\n";
    let delete = |acl: &Option<String>| DeleteNetworkAclRequest {
        network_acl_id: acl.clone(),
        dry_run: None,
    };
    out += &fixture.refused(delete(&acl.network_acl_id));
    out += "\n";
    out += &fixture.refused(delete(&default_id));
    fixture.run(replace(&new, &default_id)).unwrap();
    fixture.run(delete(&acl.network_acl_id)).unwrap();
    expect![[r#"
        InvalidParameterValue: Network ACL acl-00000000000000020 and subnet subnet-0000000000000000b belong to different networks
        InvalidAssociationID.NotFound: The association ID 'aclassoc-0000000000000000c' does not exist
        DependencyViolation: The networkAcl 'acl-00000000000000017' has dependencies and cannot be deleted.
        InvalidParameterValue: cannot delete default network ACL acl-00000000000000006"#]].assert_eq(&out);
}

#[test]
fn tokens_make_creation_idempotent() {
    let mut fixture = Fixture::new();
    let request = CreateNetworkAclRequest {
        vpc_id: default_vpc(&fixture),
        client_token: text("once"),
        ..Default::default()
    };
    let first = answer!(fixture, CreateNetworkAcl, request.clone());
    assert_eq!(first, answer!(fixture, CreateNetworkAcl, request));
    assert_eq!(fixture.state().network_acls.len(), 2);
}
