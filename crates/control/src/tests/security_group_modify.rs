//! Rules of security groups that are changed in place.

use ec2_api::*;

use super::{Fixture, answer, text};

fn authorize(group_id: &Option<String>, cidr: &str) -> AuthorizeSecurityGroupIngressRequest {
    AuthorizeSecurityGroupIngressRequest {
        group_id: group_id.clone(),
        ip_protocol: text("tcp"),
        from_port: Some(80),
        to_port: Some(80),
        cidr_ip: text(cidr),
        ..Default::default()
    }
}

/// A group with two rules, and their ids.
fn group(fixture: &mut Fixture) -> (Option<String>, [Option<String>; 2]) {
    let request = CreateSecurityGroupRequest {
        group_name: text("web"),
        description: text("for tests"),
        ..Default::default()
    };
    let id = answer!(fixture, CreateSecurityGroup, request).group_id;
    let rules = ["10.0.0.0/8", "192.168.0.0/16"].map(|cidr| {
        let request = authorize(&id, cidr);
        let made = answer!(fixture, AuthorizeSecurityGroupIngress, request);
        made.security_group_rules[0].security_group_rule_id.clone()
    });
    (id, rules)
}

fn modify(
    group_id: &Option<String>,
    rule_id: &Option<String>,
    cidr: &str,
) -> ModifySecurityGroupRulesRequest {
    ModifySecurityGroupRulesRequest {
        group_id: group_id.clone(),
        security_group_rules: vec![SecurityGroupRuleUpdate {
            security_group_rule_id: rule_id.clone(),
            security_group_rule: Some(SecurityGroupRuleRequest {
                ip_protocol: text("tcp"),
                from_port: Some(8080),
                to_port: Some(8081),
                cidr_ipv4: text(cidr),
                description: text("moved"),
                ..Default::default()
            }),
        }],
        ..Default::default()
    }
}

fn rule(fixture: &mut Fixture, id: &Option<String>) -> SecurityGroupRule {
    let request = DescribeSecurityGroupRulesRequest {
        security_group_rule_ids: id.iter().cloned().collect(),
        ..Default::default()
    };
    let mut found = answer!(fixture, DescribeSecurityGroupRules, request).security_group_rules;
    found.remove(0)
}

#[test]
fn a_rule_allows_something_else_under_its_id() {
    let mut fixture = Fixture::new();
    let (group_id, [first, second]) = group(&mut fixture);
    let request = modify(&group_id, &first, "172.16.0.0/12");
    answer!(fixture, ModifySecurityGroupRules, request);
    let now = rule(&mut fixture, &first);
    assert_eq!(now.cidr_ipv4.as_deref(), Some("172.16.0.0/12"));
    assert_eq!((now.from_port, now.to_port), (Some(8080), Some(8081)));
    assert_eq!(now.description.as_deref(), Some("moved"));
    let twin = modify(&group_id, &second, "172.16.0.0/12");
    let error = fixture.run(twin).unwrap_err();
    assert_eq!(error.code(), "InvalidPermission.Duplicate");
    let other = text("sgr-0123456789abcdef0");
    let error = fixture
        .run(modify(&group_id, &other, "1.2.3.4/32"))
        .unwrap_err();
    assert_eq!(error.code(), "InvalidSecurityGroupRuleId.NotFound");
    let mut two = modify(&group_id, &first, "1.2.3.4/32");
    if let Some(rule) = &mut two.security_group_rules[0].security_group_rule {
        rule.cidr_ipv6 = text("::/0");
    }
    let error = fixture.run(two).unwrap_err();
    assert_eq!(error.code(), "InvalidParameterCombination");
}

#[test]
fn descriptions_change_by_content_and_by_id() {
    let mut fixture = Fixture::new();
    let (group_id, [first, second]) = group(&mut fixture);
    let by_content = UpdateSecurityGroupRuleDescriptionsIngressRequest {
        group_id: group_id.clone(),
        ip_permissions: vec![IpPermission {
            ip_protocol: text("tcp"),
            from_port: Some(80),
            to_port: Some(80),
            ip_ranges: vec![IpRange {
                cidr_ip: text("10.0.0.0/8"),
                description: text("ours"),
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    answer!(
        fixture,
        UpdateSecurityGroupRuleDescriptionsIngress,
        by_content
    );
    let by_id = vec![SecurityGroupRuleDescription {
        security_group_rule_id: second.clone(),
        description: text("theirs"),
    }];
    let wrong_way = UpdateSecurityGroupRuleDescriptionsEgressRequest {
        group_id: group_id.clone(),
        security_group_rule_descriptions: by_id.clone(),
        ..Default::default()
    };
    let error = fixture.run(wrong_way).unwrap_err();
    assert_eq!(error.code(), "InvalidSecurityGroupRuleId.NotFound");
    let by_id = UpdateSecurityGroupRuleDescriptionsIngressRequest {
        group_id,
        security_group_rule_descriptions: by_id,
        ..Default::default()
    };
    answer!(fixture, UpdateSecurityGroupRuleDescriptionsIngress, by_id);
    let said = [first, second].map(|id| rule(&mut fixture, &id).description.unwrap());
    assert_eq!(said, ["ours", "theirs"]);
}
