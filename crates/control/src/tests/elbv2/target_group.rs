//! Target groups.

use super::*;

#[test]
fn a_target_group() {
    let mut fixture = Fixture::new();
    let request = tcp_group(&fixture, "web");
    let made = done!(fixture, CreateTargetGroup, request.clone()).target_groups;
    expect![[r#"
        [
          TargetGroup {
            target_group_arn: "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/web/0000000000000017",
            target_group_name: "web",
            protocol: "TCP",
            port: 8080,
            vpc_id: "vpc-00000000000000002",
            health_check_protocol: "TCP",
            health_check_port: "traffic-port",
            health_check_enabled: true,
            health_check_interval_seconds: 30,
            health_check_timeout_seconds: 10,
            healthy_threshold_count: 5,
            unhealthy_threshold_count: 2,
            target_type: "instance",
            ip_address_type: "ipv4",
          },
        ]
    "#]].assert_eq(&show(&made));
    assert_eq!(
        done!(fixture, CreateTargetGroup, request).target_groups,
        made
    );
    let modify = ModifyTargetGroupRequest {
        target_group_arn: made[0].target_group_arn.clone(),
        health_check_interval_seconds: Some(5),
        health_check_port: text("80"),
        ..Default::default()
    };
    let changed = &done!(fixture, ModifyTargetGroup, modify).target_groups[0];
    assert_eq!(changed.health_check_interval_seconds, Some(5));
    assert_eq!(changed.health_check_timeout_seconds, Some(5));
    assert_eq!(changed.health_check_port.as_deref(), Some("80"));
}

#[test]
fn a_health_check_by_http() {
    let mut fixture = Fixture::new();
    let by_http = CreateTargetGroupRequest {
        health_check_protocol: text("HTTP"),
        ..tcp_group(&fixture, "web")
    };
    let arn = target_group(&mut fixture, by_http.clone());
    let check = |group: &TargetGroup| {
        let path = group.health_check_path.clone().unwrap_or_default();
        let codes = group.matcher.clone().and_then(|m| m.http_code);
        let timeout = group.health_check_timeout_seconds.unwrap();
        let protocol = group.health_check_protocol.clone().unwrap();
        format!("{protocol} {path} {} {timeout}", codes.unwrap_or_default())
    };
    let change = |edit: &dyn Fn(&mut ModifyTargetGroupRequest)| {
        let mut request = ModifyTargetGroupRequest {
            target_group_arn: arn.clone(),
            ..Default::default()
        };
        edit(&mut request);
        request
    };
    let again = done!(fixture, CreateTargetGroup, by_http).target_groups;
    let mut seen = vec![check(&again[0])];
    for request in [
        change(&|r| r.health_check_path = text("/ready?full")),
        change(&|r| r.matcher = codes("200,301-302")),
        change(&|r| r.health_check_timeout_seconds = Some(3)),
        change(&|r| r.health_check_protocol = text("TCP")),
        change(&|r| {
            r.health_check_protocol = text("HTTP");
            r.matcher = codes("599");
        }),
        change(&|r| r.health_check_protocol = text("HTTPS")),
        change(&|r| r.health_check_path = text("/")),
    ] {
        let changed = done!(fixture, ModifyTargetGroup, request).target_groups;
        seen.push(check(&changed[0]));
    }
    expect![[r#"
        HTTP / 200-399 6
        HTTP /ready?full 200-399 6
        HTTP /ready?full 200,301-302 6
        HTTP /ready?full 200,301-302 3
        TCP   3
        HTTP / 599 3
        HTTPS / 599 3
        HTTPS / 599 3"#]]
    .assert_eq(&seen.join("\n"));
    let by_https = CreateTargetGroupRequest {
        health_check_protocol: text("HTTPS"),
        ..tcp_group(&fixture, "secure")
    };
    let secure = done!(fixture, CreateTargetGroup, by_https).target_groups;
    assert_eq!(check(&secure[0]), "HTTPS / 200-399 10");
    for (request, error) in [
        (
            change(&|r| r.health_check_path = text("ready")),
            "ValidationError: Health check path 'ready' must begin with a '/' character, and can only contain printable ASCII characters, without spaces",
        ),
        (
            change(&|r| r.health_check_path = text("/a\r\nHost: b")),
            "ValidationError: Health check path '/a\r\nHost: b' must begin with a '/' character, and can only contain printable ASCII characters, without spaces",
        ),
        (
            change(&|r| r.matcher = codes("200-600")),
            "ValidationError: Health check matcher HTTP code '600' must be within '200-599' inclusive",
        ),
        (
            change(&|r| r.matcher = codes("2xx")),
            "ValidationError: Health check matcher HTTP code '2xx' is not valid",
        ),
        (
            change(&|r| {
                r.health_check_protocol = text("TCP");
                r.health_check_path = text("/");
            }),
            "InvalidConfigurationRequest: Health check paths are not supported for TCP health checks",
        ),
        (
            change(&|r| {
                r.health_check_protocol = text("TCP");
                r.matcher = codes("200");
            }),
            "InvalidConfigurationRequest: Health check matchers are not supported for TCP health checks",
        ),
    ] {
        assert_eq!(refused(&mut fixture, request), error);
    }
    let long = change(&|r| r.health_check_path = text("/".repeat(1025)));
    let long = refused(&mut fixture, long);
    assert!(
        long.ends_with("Member must have length less than or equal to 1024"),
        "{long}"
    );
}

fn codes(text: &str) -> Option<Matcher> {
    Some(Matcher {
        http_code: Some(text.to_owned()),
        grpc_code: None,
    })
}

#[test]
fn refusals() {
    let mut fixture = Fixture::new();
    let good = tcp_group(&fixture, "web");
    target_group(&mut fixture, good.clone());
    let with = |change: &dyn Fn(&mut CreateTargetGroupRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    let cases: Vec<CreateTargetGroupRequest> = vec![
        with(&|r| r.name = text("internal-")),
        with(&|r| r.protocol = None),
        with(&|r| r.protocol = text("HTTP")),
        with(&|r| r.protocol = text("SCTP")),
        with(&|r| r.port = None),
        with(&|r| r.port = Some(0)),
        with(&|r| r.port = Some(65536)),
        with(&|r| r.port = Some(81)),
        with(&|r| r.vpc_id = None),
        with(&|r| r.vpc_id = text("vpc-0123456789abcdef0")),
        with(&|r| r.target_type = text("lambda")),
        with(&|r| r.target_type = text("host")),
        with(&|r| r.health_check_protocol = text("UDP")),
        with(&|r| r.health_check_port = text("http")),
        with(&|r| r.health_check_enabled = Some(false)),
        with(&|r| r.health_check_interval_seconds = Some(4)),
        with(&|r| {
            r.health_check_interval_seconds = Some(10);
            r.health_check_timeout_seconds = Some(11);
        }),
        with(&|r| r.healthy_threshold_count = Some(1)),
        with(&|r| r.health_check_path = text("/")),
    ];
    let answers: Vec<String> = cases
        .into_iter()
        .map(|request| refused(&mut fixture, request))
        .collect();
    expect![[r#"
        ValidationError: Target group name 'internal-' cannot begin or end with '-'
        ValidationError: A protocol must be specified
        UnsupportedOperation: The protocol 'HTTP' is not supported.
        ValidationError: 1 validation error detected: Value 'SCTP' at 'protocol' failed to satisfy constraint: Member must satisfy enum value set: [TLS, HTTP, HTTPS, TCP, UDP, TCP_UDP, GENEVE]
        ValidationError: A port must be specified
        ValidationError: 1 validation error detected: Value '0' at 'port' failed to satisfy constraint: Member must have value between 1 and 65535
        ValidationError: 1 validation error detected: Value '65536' at 'port' failed to satisfy constraint: Member must have value between 1 and 65535
        DuplicateTargetGroupName: A target group with the same name 'web' exists, but with different settings
        ValidationError: A VPC ID must be specified
        ValidationError: The vpc ID 'vpc-0123456789abcdef0' does not exist
        UnsupportedOperation: The target type 'lambda' is not supported.
        ValidationError: 1 validation error detected: Value 'host' at 'targetType' failed to satisfy constraint: Member must satisfy enum value set: [instance, ip, lambda, alb]
        InvalidConfigurationRequest: Health check protocol 'UDP' must be one of 'HTTP, HTTPS, TCP'
        ValidationError: Health check port 'http' must be 'traffic-port' or in the range '1-65535'
        InvalidConfigurationRequest: Health check enabled must be true for target groups with target type 'instance' or 'ip'
        ValidationError: 1 validation error detected: Value '4' at 'healthCheckIntervalSeconds' failed to satisfy constraint: Member must have value between 5 and 300
        ValidationError: Health check interval must be greater than the timeout.
        ValidationError: 1 validation error detected: Value '1' at 'healthyThresholdCount' failed to satisfy constraint: Member must have value between 2 and 10
        InvalidConfigurationRequest: Health check paths are not supported for TCP health checks"#]].assert_eq(&answers.join("\n"));
}

#[test]
fn attributes() {
    let mut fixture = Fixture::new();
    let tcp = tcp_group(&fixture, "tcp");
    let tcp = target_group(&mut fixture, tcp);
    let udp = CreateTargetGroupRequest {
        protocol: text("UDP"),
        target_type: text("ip"),
        ..tcp_group(&fixture, "udp")
    };
    let udp = target_group(&mut fixture, udp);
    let set = |arn: &Option<String>, key: &str, value: &str| ModifyTargetGroupAttributesRequest {
        target_group_arn: arn.clone(),
        attributes: vec![TargetGroupAttribute {
            key: text(key),
            value: text(value),
        }],
    };
    for (key, value) in [
        ("preserve_client_ip.enabled", "false"),
        ("deregistration_delay.timeout_seconds", "30"),
        ("stickiness.enabled", "true"),
        ("load_balancing.cross_zone.enabled", "true"),
        ("proxy_protocol_v2.enabled", "false"),
    ] {
        done!(fixture, ModifyTargetGroupAttributes, set(&tcp, key, value));
    }
    let describe = DescribeTargetGroupAttributesRequest {
        target_group_arn: tcp.clone(),
    };
    let attributes = done!(fixture, DescribeTargetGroupAttributes, describe).attributes;
    let listed: Vec<_> = attributes
        .into_iter()
        .map(|a| format!("{}={}", a.key.unwrap(), a.value.unwrap()))
        .collect();
    expect![[r#"
        preserve_client_ip.enabled=false
        deregistration_delay.timeout_seconds=30
        deregistration_delay.connection_termination.enabled=false
        target_health_state.unhealthy.connection_termination.enabled=true
        stickiness.enabled=true
        load_balancing.cross_zone.enabled=true
        proxy_protocol_v2.enabled=false
        stickiness.type=source_ip
        target_health_state.unhealthy.draining_interval_seconds=0
        target_group_health.dns_failover.minimum_healthy_targets.count=1
        target_group_health.dns_failover.minimum_healthy_targets.percentage=off
        target_group_health.unhealthy_state_routing.minimum_healthy_targets.count=1
        target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage=off"#]]
    .assert_eq(&listed.join("\n"));
    let answers = [
        refused(
            &mut fixture,
            set(&udp, "preserve_client_ip.enabled", "false"),
        ),
        refused(&mut fixture, set(&tcp, "proxy_protocol_v2.enabled", "true")),
        refused(
            &mut fixture,
            set(&tcp, "deregistration_delay.timeout_seconds", "3601"),
        ),
        refused(&mut fixture, set(&tcp, "slow_start.duration_seconds", "30")),
    ];
    expect![[r#"
        InvalidConfigurationRequest: Client IP preservation cannot be disabled for target groups with the protocol 'UDP'
        UnsupportedOperation: The value 'true' of the attribute 'proxy_protocol_v2.enabled' is not supported.
        ValidationError: 'deregistration_delay.timeout_seconds' attribute value must be between '0' and '3600' inclusive
        InvalidConfigurationRequest: Key slow_start.duration_seconds not valid"#]].assert_eq(&answers.join("\n"));
}

#[test]
fn one_in_use_stays() {
    let mut fixture = Fixture::new();
    let of = load_balancer(&mut fixture, "web");
    let group = tcp_group(&fixture, "web");
    let group = target_group(&mut fixture, group);
    let listener = listener(&mut fixture, tcp_listener(&of, &group, 80));
    let delete = DeleteTargetGroupRequest {
        target_group_arn: group.clone(),
    };
    expect!["ResourceInUse: Target group 'arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/web/000000000000001c' is currently in use by a listener or a rule"]
        .assert_eq(&refused(&mut fixture, delete.clone()));
    let request = DescribeTargetGroupsRequest {
        load_balancer_arn: of.clone(),
        ..Default::default()
    };
    let used = done!(fixture, DescribeTargetGroups, request).target_groups;
    assert_eq!(used[0].load_balancer_arns, [of.unwrap()]);
    let request = DeleteListenerRequest {
        listener_arn: listener,
    };
    done!(fixture, DeleteListener, request);
    done!(fixture, DeleteTargetGroup, delete.clone());
    done!(fixture, DeleteTargetGroup, delete);
    assert!(fixture.state().target_groups.is_empty());
}
