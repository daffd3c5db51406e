//! Targets and their health.

use super::*;
use crate::tests::instance;

fn of(id: impl ToString) -> TargetDescription {
    TargetDescription {
        id: text(id),
        ..Default::default()
    }
}

fn register(group: &Option<String>, target: TargetDescription) -> RegisterTargetsRequest {
    RegisterTargetsRequest {
        target_group_arn: group.clone(),
        targets: vec![target],
    }
}

fn deregister(group: &Option<String>, target: TargetDescription) -> DeregisterTargetsRequest {
    DeregisterTargetsRequest {
        target_group_arn: group.clone(),
        targets: vec![target],
    }
}

/// State and reason of each target.
fn health(fixture: &mut Fixture, group: &Option<String>) -> Vec<String> {
    let request = DescribeTargetHealthRequest {
        target_group_arn: group.clone(),
        ..Default::default()
    };
    let answer = done!(fixture, DescribeTargetHealth, request);
    let line = |d: TargetHealthDescription| {
        let health = d.target_health.unwrap();
        let mut reason = health.reason.unwrap_or_default();
        if reason == "Target.ResponseCodeMismatch" {
            reason = format!("{reason} {}", health.description.unwrap());
        }
        format!("{} {reason}", health.state.unwrap())
    };
    answer
        .target_health_descriptions
        .into_iter()
        .map(line)
        .collect()
}

#[test]
fn the_life_of_a_target() {
    let mut fixture = Fixture::new();
    let instance = instance::running(&mut fixture);
    let id = instance.clone().unwrap();
    let zone = fixture.state().instances.values().next().unwrap().zone;
    let subnets = fixture.state().subnets.clone();
    let own = subnets.values().find(|subnet| subnet.zone == zone);
    let request = CreateLoadBalancerRequest {
        subnets: own
            .map(|subnet| subnet.id.to_string())
            .into_iter()
            .collect(),
        ..internal(&fixture, "web")
    };
    let balancer = done!(fixture, CreateLoadBalancer, request).load_balancers;
    let balancer = balancer[0].load_balancer_arn.clone();
    let group = tcp_group(&fixture, "web");
    let group = target_group(&mut fixture, group);
    done!(fixture, RegisterTargets, register(&group, of(&id)));
    let mut seen = health(&mut fixture, &group);
    listener(&mut fixture, tcp_listener(&balancer, &group, 80));
    seen.extend(health(&mut fixture, &group));
    for found in [
        model::Health::Healthy,
        model::Health::TimedOut,
        model::Health::Failed,
        model::Health::ResponseCodeMismatch(503),
    ] {
        let event = Event::TargetHealth {
            target_group_id: fixture.state().target_groups.values().next().unwrap().id,
            target: model::TargetKey {
                id: model::TargetId::Instance(id.parse().unwrap()),
                port: 8080,
            },
            health: found,
        };
        fixture.observe(&event).unwrap();
        seen.extend(health(&mut fixture, &group));
    }
    done!(fixture, DeregisterTargets, deregister(&group, of(&id)));
    wait(&mut fixture, 299);
    seen.extend(health(&mut fixture, &group));
    done!(fixture, RegisterTargets, register(&group, of(&id)));
    seen.extend(health(&mut fixture, &group));
    crate::tests::answer!(fixture, StopInstances, instance::stop_request(&instance));
    seen.extend(health(&mut fixture, &group));
    done!(fixture, DeregisterTargets, deregister(&group, of(&id)));
    wait(&mut fixture, 300);
    assert_eq!(health(&mut fixture, &group), [""; 0]);
    expect![[r#"
        unused Target.NotInUse
        initial Elb.InitialHealthChecking
        healthy 
        unhealthy Target.Timeout
        unhealthy Target.FailedHealthChecks
        unhealthy Target.ResponseCodeMismatch Health checks failed with these codes: [503]
        draining Target.DeregistrationInProgress
        initial Elb.InitialHealthChecking
        unused Target.InvalidState"#]]
    .assert_eq(&seen.join("\n"));
}

#[test]
fn one_target_on_two_ports_is_two_targets() {
    let mut fixture = Fixture::new();
    let instance = instance::running(&mut fixture).unwrap();
    let group = tcp_group(&fixture, "web");
    let group = target_group(&mut fixture, group);
    let at = |port| TargetDescription {
        port: Some(port),
        ..of(&instance)
    };
    for target in [at(80), at(81), at(81)] {
        done!(fixture, RegisterTargets, register(&group, target));
    }
    assert_eq!(health(&mut fixture, &group).len(), 2);
    done!(fixture, DeregisterTargets, deregister(&group, at(80)));
    assert_eq!(health(&mut fixture, &group).len(), 1);
    done!(fixture, RegisterTargets, register(&group, at(82)));
    done!(
        fixture,
        DeregisterTargets,
        deregister(&group, of(&instance))
    );
    assert_eq!(health(&mut fixture, &group).len(), 0);
}

#[test]
fn refusals() {
    let mut fixture = Fixture::new();
    let launched = instance::launch(&mut fixture, instance::run(1)).instance_id;
    let group = tcp_group(&fixture, "web");
    let group = target_group(&mut fixture, group);
    let by_address = CreateTargetGroupRequest {
        target_type: text("ip"),
        ..tcp_group(&fixture, "ip")
    };
    let by_address = target_group(&mut fixture, by_address);
    let everywhere = |id: &str| TargetDescription {
        availability_zone: text("all"),
        ..of(id)
    };
    let mut answers = Vec::new();
    for (group, target) in [
        (&group, of("172.31.0.10")),
        (&group, of("i-0123456789abcdef0")),
        (&group, of(launched.unwrap())),
        (&by_address, of("i-0123456789abcdef0")),
        (&by_address, of("172.31.255.10")),
        (&by_address, of("10.0.0.10")),
        (&by_address, everywhere("198.51.100.7")),
        (
            &by_address,
            TargetDescription {
                port: Some(0),
                ..of("172.31.0.10")
            },
        ),
        (
            &by_address,
            TargetDescription {
                availability_zone: text("us-east-1f"),
                ..of("172.31.0.10")
            },
        ),
        (&text("web"), of("172.31.0.10")),
    ] {
        answers.push(refused(&mut fixture, register(group, target)));
    }
    answers.push(refused(
        &mut fixture,
        deregister(&by_address, of("172.31.0.10")),
    ));
    for good in [of("172.31.0.10"), everywhere("10.0.0.10")] {
        done!(fixture, RegisterTargets, register(&by_address, good));
    }
    expect![[r#"
        ValidationError: Instance ID '172.31.0.10' is not valid
        InvalidTarget: The following targets do not exist: 'i-0123456789abcdef0'
        InvalidTarget: The following targets are not in a running state and cannot be registered: 'i-00000000000000018'
        ValidationError: The IP address 'i-0123456789abcdef0' is not a valid IPv4 address
        ValidationError: The IP address '172.31.255.10' is not within a subnet of the VPC 'vpc-00000000000000002'
        ValidationError: The Availability Zone 'all' must be specified for the target '10.0.0.10', which is outside the VPC 'vpc-00000000000000002'
        ValidationError: The IP address '198.51.100.7' must be a private address
        ValidationError: 1 validation error detected: Value '0' at 'port' failed to satisfy constraint: Member must have value between 1 and 65535
        ValidationError: The target '172.31.0.10' is not in the Availability Zone 'us-east-1f'
        ValidationError: 'web' is not a valid target group ARN
        InvalidTarget: The following targets are not registered with the target group: '172.31.0.10'"#]].assert_eq(&answers.join("\n"));
}
