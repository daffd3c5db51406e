//! Listeners.

use super::*;

#[test]
fn a_listener() {
    let mut fixture = Fixture::new();
    let of = load_balancer(&mut fixture, "web");
    let group = tcp_group(&fixture, "web");
    let group = target_group(&mut fixture, group);
    let made = done!(fixture, CreateListener, tcp_listener(&of, &group, 80)).listeners;
    expect![[r#"
        [
          Listener {
            listener_arn: "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/net/web/0000000000000017/000000000000001d",
            load_balancer_arn: "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/web/0000000000000017",
            port: 80,
            protocol: "TCP",
            default_actions: [
              Action {
                type: "forward",
                target_group_arn: "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/web/000000000000001c",
                order: 1,
                forward_config: ForwardActionConfig {
                  target_groups: [
                    TargetGroupTuple {
                      target_group_arn: "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/web/000000000000001c",
                    },
                  ],
                },
              },
            ],
          },
        ]
    "#]].assert_eq(&show(&made));
    let modify = ModifyListenerRequest {
        listener_arn: made[0].listener_arn.clone(),
        port: Some(81),
        ..Default::default()
    };
    done!(fixture, ModifyListener, modify);
    let request = DescribeListenersRequest {
        load_balancer_arn: of.clone(),
        ..Default::default()
    };
    let listed = done!(fixture, DescribeListeners, request).listeners;
    assert_eq!((listed.len(), listed[0].port), (1, Some(81)));
    let attribute = ListenerAttribute {
        key: text("tcp.idle_timeout.seconds"),
        value: text("60"),
    };
    let modify = ModifyListenerAttributesRequest {
        listener_arn: made[0].listener_arn.clone(),
        attributes: vec![attribute.clone()],
    };
    let changed = done!(fixture, ModifyListenerAttributes, modify).attributes;
    assert_eq!(changed, [attribute]);
    let delete = DeleteLoadBalancerRequest {
        load_balancer_arn: of,
    };
    done!(fixture, DeleteLoadBalancer, delete);
    assert!(fixture.state().listeners.is_empty());
}

#[test]
fn refusals() {
    let mut fixture = Fixture::new();
    let (of, other) = (
        load_balancer(&mut fixture, "a"),
        load_balancer(&mut fixture, "b"),
    );
    let group = |fixture: &mut Fixture, name: &str, protocol: &str| {
        let request = CreateTargetGroupRequest {
            protocol: text(protocol),
            ..tcp_group(fixture, name)
        };
        target_group(fixture, request)
    };
    let tcp = group(&mut fixture, "tcp", "TCP");
    let udp = group(&mut fixture, "udp", "UDP");
    let vpc = ec2_api::CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        ..Default::default()
    };
    let vpc = crate::tests::answer!(fixture, CreateVpc, vpc).vpc.unwrap();
    let elsewhere = CreateTargetGroupRequest {
        vpc_id: vpc.vpc_id,
        ..tcp_group(&fixture, "elsewhere")
    };
    let elsewhere = target_group(&mut fixture, elsewhere);
    listener(&mut fixture, tcp_listener(&of, &tcp, 80));
    let good = tcp_listener(&of, &tcp, 81);
    let with = |change: &dyn Fn(&mut CreateListenerRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    let redirect = Action {
        r#type: text("redirect"),
        ..Default::default()
    };
    let cases: Vec<CreateListenerRequest> = vec![
        with(&|r| r.load_balancer_arn = text("web")),
        with(&|r| r.protocol = None),
        with(&|r| r.protocol = text("TLS")),
        with(&|r| r.port = None),
        with(&|r| r.port = Some(80)),
        with(&|r| r.port = Some(70000)),
        with(&|r| r.load_balancer_arn.clone_from(&other)),
        with(&|r| r.default_actions = forward(&udp)),
        with(&|r| r.default_actions = forward(&elsewhere)),
        with(&|r| r.default_actions = forward(&text("tcp"))),
        with(&|r| r.default_actions = vec![redirect.clone()]),
        with(&|r| r.default_actions = [forward(&tcp), forward(&udp)].concat()),
        with(&|r| r.ssl_policy = text("ELBSecurityPolicy-2016-08")),
    ];
    let mut answers: Vec<String> = cases
        .into_iter()
        .map(|request| refused(&mut fixture, request))
        .collect();
    answers.push(refused(&mut fixture, DescribeListenersRequest::default()));
    expect![[r#"
        ValidationError: 'web' is not a valid load balancer ARN
        ValidationError: A listener protocol must be specified
        UnsupportedOperation: The protocol 'TLS' is not supported.
        ValidationError: A listener port must be specified
        DuplicateListener: A listener already exists on this port for this load balancer 'arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/a/0000000000000017'
        ValidationError: 1 validation error detected: Value '70000' at 'port' failed to satisfy constraint: Member must have value between 1 and 65535
        TargetGroupAssociationLimit: The following target groups cannot be associated with more than one load balancer: arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/tcp/0000000000000021
        IncompatibleProtocols: A listener with the protocol 'TCP' cannot forward to a target group with the protocol 'UDP'
        InvalidConfigurationRequest: Target group 'arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/elsewhere/000000000000002b' is not in the VPC 'vpc-00000000000000002' of the load balancer
        ValidationError: 'tcp' is not a valid target group ARN
        InvalidLoadBalancerAction: Action type 'redirect' is not valid for network load balancers; it must be 'forward'
        TooManyActions: A listener of a network load balancer has exactly one default action
        UnsupportedOperation: The parameter SslPolicy is not supported.
        ValidationError: You must specify either listener ARNs or a load balancer ARN"#]].assert_eq(&answers.join("\n"));
}
