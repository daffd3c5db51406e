//! Security groups.

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, named, show, text};

fn create(name: &str) -> CreateSecurityGroupRequest {
    CreateSecurityGroupRequest {
        group_name: text(name),
        description: text("for tests"),
        ..Default::default()
    }
}

/// A group in a VPC of its own, which is not the default one.
fn group(fixture: &mut Fixture) -> (Option<String>, Option<String>) {
    let request = CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        ..Default::default()
    };
    let vpc_id = answer!(fixture, CreateVpc, request).vpc.unwrap().vpc_id;
    let request = CreateSecurityGroupRequest {
        vpc_id: vpc_id.clone(),
        ..create("web")
    };
    (
        answer!(fixture, CreateSecurityGroup, request).group_id,
        vpc_id,
    )
}

fn permission(protocol: &str, from: i32, to: i32, cidrs: &[&str]) -> IpPermission {
    let range = |cidr: &&str| IpRange {
        cidr_ip: text(cidr),
        description: None,
    };
    IpPermission {
        ip_protocol: text(protocol),
        from_port: Some(from),
        to_port: Some(to),
        ip_ranges: cidrs.iter().map(range).collect(),
        ..Default::default()
    }
}

fn from_group(group_id: &Option<String>) -> IpPermission {
    IpPermission {
        ip_protocol: text("-1"),
        user_id_group_pairs: vec![UserIdGroupPair {
            group_id: group_id.clone(),
            description: text("friends"),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn ingress(
    group_id: &Option<String>,
    permissions: &[IpPermission],
) -> AuthorizeSecurityGroupIngressRequest {
    AuthorizeSecurityGroupIngressRequest {
        group_id: group_id.clone(),
        ip_permissions: permissions.to_vec(),
        ..Default::default()
    }
}

fn revoke(
    group_id: &Option<String>,
    permissions: &[IpPermission],
) -> RevokeSecurityGroupIngressRequest {
    RevokeSecurityGroupIngressRequest {
        group_id: group_id.clone(),
        ip_permissions: permissions.to_vec(),
        ..Default::default()
    }
}

#[test]
fn a_group_is_made_and_described() {
    let mut fixture = Fixture::new();
    let request = CreateSecurityGroupRequest {
        tag_specifications: named("security-group", "a"),
        ..create("web ")
    };
    let created = answer!(fixture, CreateSecurityGroup, request);
    let mut out = show(&created);
    let ipv6 = IpPermission {
        ipv6_ranges: vec![Ipv6Range {
            cidr_ipv6: text("2001:db8::1/32"),
            description: text("docs"),
        }],
        ..permission("icmpv6", -1, -1, &[])
    };
    let permissions = [
        permission("tcp", 22, 22, &["10.0.0.1/8", "192.0.2.0/24"]),
        ipv6,
        from_group(&created.group_id),
    ];
    fixture
        .run(ingress(&created.group_id, &permissions))
        .unwrap();
    let request = DescribeSecurityGroupsRequest {
        group_names: vec!["web".into()],
        ..Default::default()
    };
    out += &show(&answer!(fixture, DescribeSecurityGroups, request));
    expect![[r#"
        CreateSecurityGroupResponse {
          group_id: "sg-00000000000000017",
          tags: [
            Tag {
              key: "Name",
              value: "a",
            },
          ],
          security_group_arn: "arn:aws:ec2:us-east-1:111122223333:security-group/sg-00000000000000017",
        }
        DescribeSecurityGroupsResponse {
          security_groups: [
            SecurityGroup {
              group_id: "sg-00000000000000017",
              ip_permissions_egress: [
                IpPermission {
                  ip_protocol: "-1",
                  ip_ranges: [
                    IpRange {
                      cidr_ip: "0.0.0.0/0",
                    },
                  ],
                },
              ],
              tags: [
                Tag {
                  key: "Name",
                  value: "a",
                },
              ],
              vpc_id: "vpc-00000000000000002",
              security_group_arn: "arn:aws:ec2:us-east-1:111122223333:security-group/sg-00000000000000017",
              owner_id: "111122223333",
              group_name: "web",
              description: "for tests",
              ip_permissions: [
                IpPermission {
                  ip_protocol: "tcp",
                  from_port: 22,
                  to_port: 22,
                  ip_ranges: [
                    IpRange {
                      cidr_ip: "10.0.0.0/8",
                    },
                    IpRange {
                      cidr_ip: "192.0.2.0/24",
                    },
                  ],
                },
                IpPermission {
                  ip_protocol: "icmpv6",
                  from_port: -1,
                  to_port: -1,
                  ipv6_ranges: [
                    Ipv6Range {
                      description: "docs",
                      cidr_ipv6: "2001:db8::/32",
                    },
                  ],
                },
                IpPermission {
                  ip_protocol: "-1",
                  user_id_group_pairs: [
                    UserIdGroupPair {
                      description: "friends",
                      user_id: "111122223333",
                      group_name: "web",
                      group_id: "sg-00000000000000017",
                    },
                  ],
                },
              ],
            },
          ],
        }
    "#]].assert_eq(&out);
    let mut count = |name: &str, value: &str| {
        let request = DescribeSecurityGroupsRequest {
            filters: filter(name, &[value]),
            ..Default::default()
        };
        let response = answer!(fixture, DescribeSecurityGroups, request);
        response.security_groups.len()
    };
    assert_eq!(count("group-name", "default"), 1);
    assert_eq!(count("ip-permission.cidr", "10.0.0.0/8"), 1);
    assert_eq!(count("ip-permission.from-port", "22"), 1);
    assert_eq!(count("ip-permission.protocol", "6"), 1);
    assert_eq!(count("ip-permission.protocol", "tcp"), 1);
    assert_eq!(count("ip-permission.group-name", "default"), 1);
    assert_eq!(count("ip-permission.ipv6-cidr", "2001:db8::/32"), 1);
    assert_eq!(count("ip-permission.user-id", "111122223333"), 2);
    assert_eq!(count("egress.ip-permission.cidr", "0.0.0.0/0"), 2);
    assert_eq!(count("egress.ip-permission.from-port", "22"), 0);
}

#[test]
fn names_are_checked() {
    let mut fixture = Fixture::new();
    fixture.run(create("web")).unwrap();
    let requests = [
        create("WEB"),
        create("default"),
        create("sg-web"),
        create("web\u{e9}"),
        create(&"w".repeat(256)),
        CreateSecurityGroupRequest::default(),
        CreateSecurityGroupRequest {
            description: None,
            ..create("b")
        },
        CreateSecurityGroupRequest {
            tag_specifications: named("vpc", "b"),
            ..create("b")
        },
        CreateSecurityGroupRequest {
            vpc_id: text("vpc-0123456789abcdef0"),
            ..create("b")
        },
    ];
    let out = requests.map(|request| {
        let refused = fixture.refused(request);
        refused.replace(&"w".repeat(256), "w...")
    });
    expect![[r#"
        InvalidGroup.Duplicate: The security group 'WEB' already exists for VPC 'vpc-00000000000000002'
        InvalidGroup.Reserved: Cannot use reserved security group name: default
        InvalidParameterValue: Invalid value 'sg-web' for groupName. It may not start with 'sg-'
        InvalidParameterValue: Value (webé) for parameter groupName is invalid. Between 1 and 255 characters from this set may be used: a-z, A-Z, 0-9, spaces and ._-:/()#,@[]+=&;{}!$*
        InvalidParameterValue: Value (w...) for parameter groupName is invalid. Between 1 and 255 characters from this set may be used: a-z, A-Z, 0-9, spaces and ._-:/()#,@[]+=&;{}!$*
        MissingParameter: The request must contain the parameter groupName
        MissingParameter: The request must contain the parameter groupDescription
        InvalidParameterValue: 'vpc' is not a valid taggable resource type for this operation.
        InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist"#]].assert_eq(&out.join("\n"));
}

#[test]
fn rules_are_authorized_all_or_none() {
    let mut fixture = Fixture::new();
    let (group_id, vpc_id) = group(&mut fixture);
    let other = answer!(fixture, CreateSecurityGroup, create("other"));
    let request = AuthorizeSecurityGroupIngressRequest {
        tag_specifications: named("security-group-rule", "a"),
        ..ingress(
            &group_id,
            &[
                permission("6", 22, 22, &["0.0.0.0/0"]),
                permission("-1", 0, 0, &["192.0.2.7/24"]),
            ],
        )
    };
    let mut out = show(&answer!(fixture, AuthorizeSecurityGroupIngress, request));
    let everywhere = &["0.0.0.0/0"];
    let https = || permission("tcp", 443, 443, everywhere);
    let named_pair = |name: &str| IpPermission {
        ip_protocol: text("-1"),
        user_id_group_pairs: vec![UserIdGroupPair {
            group_name: text(name),
            ..Default::default()
        }],
        ..Default::default()
    };
    let bad = [
        vec![https(), permission("tcp", 22, 22, everywhere)],
        vec![permission("-1", -1, -1, &["192.0.2.0/24"])],
        vec![https(), https()],
        vec![permission("tcp", 443, 80, everywhere)],
        vec![permission("udp", 0, 65_536, everywhere)],
        vec![permission("icmp", -1, 0, everywhere)],
        vec![permission("icmp", 256, 0, everywhere)],
        vec![permission("tcp", 1, 2, &["10.0.0.0"])],
        vec![permission("tcp", 1, 2, &[])],
        vec![permission("sctp", 1, 2, everywhere)],
        vec![IpPermission {
            from_port: None,
            ..https()
        }],
        vec![IpPermission {
            ip_protocol: None,
            ..https()
        }],
        vec![from_group(&text("sg-0123456789abcdef0"))],
        vec![from_group(&text("web"))],
        vec![from_group(&other.group_id)],
        vec![named_pair("nobody")],
        vec![IpPermission {
            prefix_list_ids: vec![PrefixListId {
                prefix_list_id: text("pl-0123456789abcdef0"),
                description: None,
            }],
            ..permission("-1", 0, 0, &[])
        }],
        vec![],
    ];
    for permissions in &bad {
        out += &fixture.refused(ingress(&group_id, permissions));
        out += "\n";
    }
    out += &fixture.refused(ingress(&None, &[https()]));
    out += "\n";
    out += &fixture.refused(ingress(&text("sg-0123456789abcdef0"), &[https()]));
    expect![[r#"
        AuthorizeSecurityGroupIngressResponse {
          return: true,
          security_group_rules: [
            SecurityGroupRule {
              security_group_rule_id: "sgr-00000000000000023",
              group_id: "sg-0000000000000001f",
              group_owner_id: "111122223333",
              is_egress: false,
              ip_protocol: "tcp",
              from_port: 22,
              to_port: 22,
              cidr_ipv4: "0.0.0.0/0",
              tags: [
                Tag {
                  key: "Name",
                  value: "a",
                },
              ],
              security_group_rule_arn: "arn:aws:ec2:us-east-1:111122223333:security-group-rule/sgr-00000000000000023",
            },
            SecurityGroupRule {
              security_group_rule_id: "sgr-00000000000000024",
              group_id: "sg-0000000000000001f",
              group_owner_id: "111122223333",
              is_egress: false,
              ip_protocol: "-1",
              from_port: -1,
              to_port: -1,
              cidr_ipv4: "192.0.2.0/24",
              tags: [
                Tag {
                  key: "Name",
                  value: "a",
                },
              ],
              security_group_rule_arn: "arn:aws:ec2:us-east-1:111122223333:security-group-rule/sgr-00000000000000024",
            },
          ],
        }
        InvalidPermission.Duplicate: the specified rule "peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW" already exists
        InvalidPermission.Duplicate: the specified rule "peer: 192.0.2.0/24, ALL, ALLOW" already exists
        InvalidParameterValue: The same permission must not appear multiple times
        InvalidParameterValue: Invalid TCP port range (443:80)
        InvalidParameterValue: TCP/UDP port (65536) out of range
        InvalidParameterValue: ICMP code (0) must be -1 when the ICMP type is -1
        InvalidParameterValue: ICMP code or type (256) out of range
        InvalidParameterValue: CIDR block 10.0.0.0 is malformed
        MissingParameter: The request must contain the parameter ipRanges
        InvalidParameterValue: Invalid value 'sctp' for IP protocol. Unknown protocol.
        InvalidParameterValue: Invalid value for portRange. Must specify both from and to ports with TCP/UDP.
        InvalidParameterValue: Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly.
        InvalidGroup.NotFound: The security group 'sg-0123456789abcdef0' does not exist
        InvalidGroupId.Malformed: Invalid id: "web" (expecting "sg-...")
        InvalidGroup.NotFound: You have specified two resources that belong to different networks.
        InvalidGroup.NotFound: The security group 'nobody' does not exist in VPC 'vpc-00000000000000017'
        InvalidPrefixListID.NotFound: The prefix list ID 'pl-0123456789abcdef0' does not exist
        MissingParameter: The request must contain the parameter ipPermissions
        MissingParameter: The request must contain the parameter groupId
        InvalidGroup.NotFound: The security group 'sg-0123456789abcdef0' does not exist"#]].assert_eq(&out);
    fixture
        .run(ingress(&group_id, &[named_pair("default")]))
        .unwrap();
    let egress = AuthorizeSecurityGroupEgressRequest {
        group_id: group_id.clone(),
        ip_protocol: text("tcp"),
        from_port: Some(25),
        to_port: Some(25),
        cidr_ip: text("192.0.2.0/24"),
        ..Default::default()
    };
    fixture.run(egress).unwrap();
    let id = group_id.unwrap().parse().unwrap();
    let group = fixture.state().security_groups.get(&id).unwrap();
    assert_eq!(text(group.vpc_id), vpc_id);
    assert_eq!(
        (group.rules(false).count(), group.rules(true).count()),
        (3, 2)
    );
}

#[test]
fn rules_are_limited_per_direction_and_family() {
    let mut fixture = Fixture::new();
    fixture.quotas.rules_per_security_group = 2;
    let (group_id, _) = group(&mut fixture);
    let https = |cidr: &str| permission("tcp", 443, 443, &[cidr]);
    fixture
        .run(ingress(&group_id, &[https("192.0.2.0/25")]))
        .unwrap();
    let two = [https("10.0.0.0/8"), https("10.0.0.0/9")];
    let out = fixture.refused(ingress(&group_id, &two));
    expect!["RulesPerSecurityGroupLimitExceeded: The maximum number of rules per security group has been reached."].assert_eq(&out);
    fixture
        .run(ingress(&group_id, &[from_group(&group_id)]))
        .unwrap();
    fixture.refused(ingress(&group_id, &[https("10.0.0.0/8")]));
    let ipv6 = IpPermission {
        ipv6_ranges: vec![Ipv6Range {
            cidr_ipv6: text("::/0"),
            description: None,
        }],
        ..permission("tcp", 443, 443, &[])
    };
    fixture.run(ingress(&group_id, &[ipv6])).unwrap();
}

#[test]
fn rules_are_revoked_by_what_they_say() {
    let mut fixture = Fixture::new();
    let (group_id, _) = group(&mut fixture);
    let ssh = permission("tcp", 22, 22, &["10.0.0.0/8"]);
    let absent = permission("tcp", 23, 23, &["10.0.0.0/8"]);
    let both = [ssh.clone(), absent];
    fixture
        .run(ingress(&group_id, std::slice::from_ref(&ssh)))
        .unwrap();
    let mut out = fixture.refused(revoke(&group_id, &both)) + "\n";
    out += &show(&answer!(
        fixture,
        RevokeSecurityGroupIngress,
        revoke(&group_id, std::slice::from_ref(&ssh))
    ));
    let egress = RevokeSecurityGroupEgressRequest {
        group_id: group_id.clone(),
        ip_permissions: vec![permission("-1", 0, 0, &["0.0.0.0/0"])],
        ..Default::default()
    };
    fixture.run(egress.clone()).unwrap();
    out += &fixture.refused(egress);
    out += "\n";
    let default_id = answer!(fixture, CreateSecurityGroup, create("b")).group_id;
    fixture.run(ingress(&default_id, &[ssh])).unwrap();
    out += &show(&answer!(
        fixture,
        RevokeSecurityGroupIngress,
        revoke(&default_id, &both)
    ));
    expect![[r#"
        InvalidPermission.NotFound: The specified rule does not exist in this security group.
        RevokeSecurityGroupIngressResponse {
          return: true,
          revoked_security_group_rules: [
            RevokedSecurityGroupRule {
              security_group_rule_id: "sgr-00000000000000021",
              group_id: "sg-0000000000000001f",
              is_egress: false,
              ip_protocol: "tcp",
              from_port: 22,
              to_port: 22,
              cidr_ipv4: "10.0.0.0/8",
            },
          ],
        }
        InvalidPermission.NotFound: The specified rule does not exist in this security group.
        RevokeSecurityGroupIngressResponse {
          return: true,
          unknown_ip_permissions: [
            IpPermission {
              ip_protocol: "tcp",
              from_port: 23,
              to_port: 23,
              ip_ranges: [
                IpRange {
                  cidr_ip: "10.0.0.0/8",
                },
              ],
            },
          ],
          revoked_security_group_rules: [
            RevokedSecurityGroupRule {
              security_group_rule_id: "sgr-00000000000000024",
              group_id: "sg-00000000000000022",
              is_egress: false,
              ip_protocol: "tcp",
              from_port: 22,
              to_port: 22,
              cidr_ipv4: "10.0.0.0/8",
            },
          ],
        }
    "#]]
    .assert_eq(&out);
}

#[test]
fn rules_are_revoked_and_described_by_id() {
    let mut fixture = Fixture::new();
    let (group_id, _) = group(&mut fixture);
    let permissions = [permission("tcp", 22, 22, &["10.0.0.0/8", "192.0.2.0/24"])];
    let added = answer!(
        fixture,
        AuthorizeSecurityGroupIngress,
        ingress(&group_id, &permissions)
    );
    let ids: Vec<String> = added
        .security_group_rules
        .iter()
        .map(|r| r.security_group_rule_id.clone().unwrap())
        .collect();
    let describe = DescribeSecurityGroupRulesRequest {
        security_group_rule_ids: ids.clone(),
        ..Default::default()
    };
    let described = answer!(fixture, DescribeSecurityGroupRules, describe.clone());
    assert_eq!(described.security_group_rules, added.security_group_rules);
    let by_group = DescribeSecurityGroupRulesRequest {
        filters: filter("group-id", &[group_id.as_deref().unwrap()]),
        ..Default::default()
    };
    let response = answer!(fixture, DescribeSecurityGroupRules, by_group);
    assert_eq!(response.security_group_rules.len(), 3);
    let by_id = |ids: &[String]| RevokeSecurityGroupIngressRequest {
        security_group_rule_ids: ids.to_vec(),
        ..revoke(&group_id, &[])
    };
    let mixed = RevokeSecurityGroupIngressRequest {
        security_group_rule_ids: ids.clone(),
        ..revoke(&group_id, &permissions)
    };
    let outward = RevokeSecurityGroupEgressRequest {
        group_id: group_id.clone(),
        security_group_rule_ids: ids.clone(),
        ..Default::default()
    };
    let mut out = fixture.refused(mixed) + "\n";
    out += &fixture.refused(outward);
    out += "\n";
    fixture.run(by_id(&ids)).unwrap();
    out += &fixture.refused(by_id(&ids));
    out += "\n";
    out += &fixture.refused(describe);
    out += "\n";
    out += &fixture.refused(by_id(&["sgr-1".to_owned()]));
    expect![[r#"
        InvalidParameterCombination: The parameters ipPermissions and securityGroupRuleIds cannot be used together
        InvalidSecurityGroupRuleId.NotFound: The security group rule ID 'sgr-00000000000000021' does not exist
        InvalidSecurityGroupRuleId.NotFound: The security group rule ID 'sgr-00000000000000021' does not exist
        InvalidSecurityGroupRuleId.NotFound: The security group rule ID 'sgr-00000000000000021' does not exist
        InvalidSecurityGroupRuleId.Malformed: Invalid id: "sgr-1" (expecting "sgr-...")"#]].assert_eq(&out);
}

#[test]
fn a_used_group_stays() {
    let mut fixture = Fixture::new();
    let (group_id, vpc_id) = group(&mut fixture);
    let request = CreateSecurityGroupRequest {
        vpc_id: vpc_id.clone(),
        ..create("other")
    };
    let other = answer!(fixture, CreateSecurityGroup, request).group_id;
    let delete = |group_id: &Option<String>| DeleteSecurityGroupRequest {
        group_id: group_id.clone(),
        ..Default::default()
    };
    fixture
        .run(ingress(&other, &[from_group(&group_id)]))
        .unwrap();
    let mut out = fixture.refused(delete(&group_id)) + "\n";
    fixture
        .run(revoke(&other, &[from_group(&group_id)]))
        .unwrap();
    fixture
        .run(ingress(&group_id, &[from_group(&group_id)]))
        .unwrap();
    out += &show(&answer!(fixture, DeleteSecurityGroup, delete(&group_id)));
    out += &fixture.refused(delete(&group_id));
    out += "\n";
    let id = vpc_id.as_deref().unwrap().parse().unwrap();
    let default_id = text(fixture.state().default_security_group(id).unwrap().id);
    out += &fixture.refused(delete(&default_id));
    out += "\n";
    let by_name = DeleteSecurityGroupRequest {
        group_name: text("web"),
        ..Default::default()
    };
    out += &fixture.refused(by_name.clone());
    fixture.run(create("web")).unwrap();
    fixture.run(by_name).unwrap();
    expect![[r#"
        DependencyViolation: resource sg-0000000000000001f has a dependent object
        DeleteSecurityGroupResponse {
          return: true,
          group_id: "sg-0000000000000001f",
        }
        InvalidGroup.NotFound: The security group 'sg-0000000000000001f' does not exist
        CannotDelete: the specified group: "sg-0000000000000001c" name: "default" cannot be deleted by a user
        InvalidGroup.NotFound: The security group 'web' does not exist in VPC 'vpc-00000000000000002'"#]].assert_eq(&out);
}
