//! Endpoints to endpoint services, of one's own account and of another.

use model::Scope;

use super::super::elbv2::load_balancer;
use super::*;

fn provider() -> Scope {
    Scope {
        account: "444455556666".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    }
}

/// Does something as somebody else.
fn as_provider<T>(fixture: &mut Fixture, act: impl FnOnce(&mut Fixture) -> T) -> T {
    let consumer = std::mem::replace(&mut fixture.scope, provider());
    let done = act(fixture);
    fixture.scope = consumer;
    done
}

/// An endpoint service of the provider's for some principals.
fn service(fixture: &mut Fixture, acceptance: bool, principals: &[&str]) -> ServiceConfiguration {
    as_provider(fixture, |fixture| {
        fixture.run(DescribeVpcsRequest::default()).unwrap();
        let request = CreateVpcEndpointServiceConfigurationRequest {
            network_load_balancer_arns: load_balancer(fixture, "web").into_iter().collect(),
            acceptance_required: Some(acceptance),
            ..Default::default()
        };
        let made = answer!(fixture, CreateVpcEndpointServiceConfiguration, request);
        let service = made.service_configuration.unwrap();
        let request = ModifyVpcEndpointServicePermissionsRequest {
            service_id: service.service_id.clone(),
            add_allowed_principals: principals.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        fixture.run(request).unwrap();
        service
    })
}

fn state(fixture: &mut Fixture, id: &Option<String>) -> String {
    described(fixture, id).state.unwrap()
}

const CONSUMER: &str = "arn:aws:iam::111122223333:root";

#[test]
fn an_endpoint_waits_to_be_accepted_and_may_be_rejected_later() {
    let mut fixture = Fixture::new();
    let service = service(&mut fixture, true, &[CONSUMER]);
    let subnets = subnets(&fixture);
    let name = service.service_name.clone().unwrap();
    let request = create(&fixture, &name, &subnets[..2]);
    let id = endpoint(&mut fixture, request);
    let shown = described(&mut fixture, &id);
    let names: Vec<_> = shown
        .dns_entries
        .into_iter()
        .filter_map(|e| e.dns_name)
        .collect();
    expect![[r#"
        vpce-00000000000000034-rbaaaaaa.vpce-svc-00000000000000032.us-east-1.vpce.amazonaws.com
        vpce-00000000000000034-rbaaaaaa-us-east-1a.vpce-svc-00000000000000032.us-east-1.vpce.amazonaws.com
        vpce-00000000000000034-rbaaaaaa-us-east-1b.vpce-svc-00000000000000032.us-east-1.vpce.amazonaws.com
        policy None, private DNS Some(false)
    "#]].assert_eq(&format!(
        "{}\npolicy {:?}, private DNS {:?}\n",
        names.join("\n"),
        shown.policy_document,
        shown.private_dns_enabled
    ));
    let mut states = Vec::new();
    let mut note = |fixture: &mut Fixture| {
        states.push(state(fixture, &id));
        fixture.observe(&Event::Tick).unwrap();
        states.push(state(fixture, &id));
    };
    note(&mut fixture);
    let accept = AcceptVpcEndpointConnectionsRequest {
        service_id: service.service_id.clone(),
        vpc_endpoint_ids: id.iter().cloned().collect(),
        dry_run: None,
    };
    let reject = RejectVpcEndpointConnectionsRequest {
        service_id: service.service_id.clone(),
        vpc_endpoint_ids: id.iter().cloned().collect(),
        dry_run: None,
    };
    as_provider(&mut fixture, |fixture| fixture.run(accept)).unwrap();
    note(&mut fixture);
    as_provider(&mut fixture, |fixture| fixture.run(reject)).unwrap();
    note(&mut fixture);
    assert_eq!(
        states,
        [
            "pendingAcceptance",
            "pendingAcceptance",
            "pending",
            "available",
            "rejected",
            "rejected"
        ]
    );
    fixture.run(delete(&id)).unwrap();
    fixture.observe(&Event::Tick).unwrap();
    assert!(interfaces(&fixture).is_empty());
}

#[test]
fn an_endpoint_that_is_not_accepted_in_time_expires() {
    let mut fixture = Fixture::new();
    let service = service(&mut fixture, true, &["*"]);
    let request = create(&fixture, &service.service_name.unwrap(), &[]);
    let id = endpoint(&mut fixture, request);
    fixture.now = fixture.now + std::time::Duration::from_secs(7 * 24 * 3600 - 1);
    fixture.observe(&Event::Tick).unwrap();
    assert_eq!(state(&mut fixture, &id), "pendingAcceptance");
    fixture.now = fixture.now + std::time::Duration::from_secs(1);
    fixture.observe(&Event::Tick).unwrap();
    assert_eq!(state(&mut fixture, &id), "expired");
}

#[test]
fn a_service_without_acceptance_takes_endpoints_at_once() {
    let mut fixture = Fixture::new();
    let service = service(&mut fixture, false, &["*"]);
    let request = create(&fixture, &service.service_name.unwrap(), &[]);
    let id = endpoint(&mut fixture, request);
    assert_eq!(state(&mut fixture, &id), "pending");
}

#[test]
fn what_does_not_fit_the_service_is_refused() {
    let mut fixture = Fixture::new();
    let closed = service(&mut fixture, false, &[]);
    let name = closed.service_name.clone().unwrap();
    let subnets = subnets(&fixture);
    let plain = create(&fixture, &name, &subnets[..1]);
    let mut out = fixture.refused(plain.clone()) + "\n";
    let listed = DescribeVpcEndpointServicesRequest {
        service_names: vec![name.clone()],
        ..Default::default()
    };
    out += &(fixture.refused(listed.clone()) + "\n");
    let open = ModifyVpcEndpointServicePermissionsRequest {
        service_id: closed.service_id.clone(),
        add_allowed_principals: vec![CONSUMER.to_owned()],
        ..Default::default()
    };
    as_provider(&mut fixture, |fixture| fixture.run(open)).unwrap();
    let found = answer!(fixture, DescribeVpcEndpointServices, listed).service_details;
    expect![[r#"
        [
          ServiceDetail {
            service_name: "com.amazonaws.vpce.us-east-1.vpce-svc-00000000000000032",
            service_id: "vpce-svc-00000000000000032",
            service_type: [
              ServiceTypeDetail {
                service_type: "Interface",
              },
            ],
            service_region: "us-east-1",
            availability_zone_ids: [
              "use1-az1",
              "use1-az2",
            ],
            availability_zones: [
              "us-east-1a",
              "us-east-1b",
            ],
            owner: "444455556666",
            base_endpoint_dns_names: [
              "vpce-svc-00000000000000032.us-east-1.vpce.amazonaws.com",
            ],
            vpc_endpoint_policy_supported: false,
            acceptance_required: false,
            manages_vpc_endpoints: false,
            supported_ip_address_types: [
              "ipv4",
            ],
          },
        ]
    "#]]
    .assert_eq(&show(&found));
    for request in [
        CreateVpcEndpointRequest {
            vpc_endpoint_type: text("Gateway"),
            subnet_ids: Vec::new(),
            ..plain.clone()
        },
        CreateVpcEndpointRequest {
            private_dns_enabled: Some(true),
            ..plain.clone()
        },
        CreateVpcEndpointRequest {
            policy_document: text(r#"{"Statement":[]}"#),
            ..plain.clone()
        },
        // The load balancer is in two zones.
        CreateVpcEndpointRequest {
            subnet_ids: vec![subnets[2].clone()],
            ..plain.clone()
        },
    ] {
        out += &format!("{}\n", fixture.refused(request));
    }
    let id = endpoint(&mut fixture, plain);
    // Who is no longer allowed keeps what there is.
    let close = ModifyVpcEndpointServicePermissionsRequest {
        service_id: closed.service_id,
        remove_allowed_principals: vec![CONSUMER.to_owned()],
        ..Default::default()
    };
    as_provider(&mut fixture, |fixture| fixture.run(close)).unwrap();
    let more = ModifyVpcEndpointRequest {
        add_subnet_ids: vec![subnets[1].clone()],
        ..modify(&id)
    };
    fixture.run(more).unwrap();
    let policy = ModifyVpcEndpointRequest {
        policy_document: text(
            r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#,
        ),
        ..modify(&id)
    };
    out += &(fixture.refused(policy) + "\n");
    expect![[r#"
        InvalidServiceName: The Vpc Endpoint Service 'com.amazonaws.vpce.us-east-1.vpce-svc-00000000000000032' does not exist
        InvalidServiceName: The Vpc Endpoint Service 'com.amazonaws.vpce.us-east-1.vpce-svc-00000000000000032' does not exist
        InvalidParameter: Endpoint type (Gateway) does not match available service types ([Interface]).
        InvalidParameter: Private DNS can't be enabled because the service com.amazonaws.vpce.us-east-1.vpce-svc-00000000000000032 does not provide a private DNS name.
        InvalidPolicyDocument: Could not parse the policy: Statement is empty!
        InvalidParameter: The VPC endpoint service com.amazonaws.vpce.us-east-1.vpce-svc-00000000000000032 does not support the availability zone of the subnet: subnet-0000000000000000f.
        InvalidParameter: The Vpc Endpoint Service 'com.amazonaws.vpce.us-east-1.vpce-svc-00000000000000032' does not support endpoint policies.
    "#]].assert_eq(&out);
}
