//! Private DNS.

use super::*;

fn names(fixture: &mut Fixture, id: &Option<String>) -> Vec<String> {
    let entries = described(fixture, id).dns_entries;
    entries.into_iter().filter_map(|e| e.dns_name).collect()
}

fn with_dns(fixture: &Fixture, service: &str, enabled: bool) -> CreateVpcEndpointRequest {
    CreateVpcEndpointRequest {
        private_dns_enabled: Some(enabled),
        ..create(fixture, service, &[])
    }
}

fn only_inbound(only: bool) -> Option<DnsOptionsSpecification> {
    Some(DnsOptionsSpecification {
        private_dns_only_for_inbound_resolver_endpoint: Some(only),
        ..Default::default()
    })
}

fn attribute(fixture: &mut Fixture, hostnames: bool) {
    let request = ModifyVpcAttributeRequest {
        vpc_id: text(vpc_id(fixture)),
        enable_dns_hostnames: Some(AttributeBooleanValue {
            value: Some(hostnames),
        }),
        ..Default::default()
    };
    fixture.run(request).unwrap();
}

#[test]
fn it_is_on_where_it_can_be_unless_something_is_said() {
    let mut fixture = Fixture::new();
    let request = create(&fixture, LOGS, &[]);
    let first = endpoint(&mut fixture, request);
    let request = create(&fixture, LOGS, &[]);
    // The name is taken: not an error when nobody asked for it.
    let second = endpoint(&mut fixture, request);
    let enabled = |fixture: &mut Fixture, id| described(fixture, id).private_dns_enabled.unwrap();
    assert!(enabled(&mut fixture, &first) && !enabled(&mut fixture, &second));
    attribute(&mut fixture, false);
    let request = create(&fixture, "com.amazonaws.us-east-1.sts", &[]);
    let third = endpoint(&mut fixture, request);
    assert!(!enabled(&mut fixture, &third));
    let request = with_dns(&fixture, "com.amazonaws.us-east-1.ec2", false);
    let fourth = endpoint(&mut fixture, request);
    assert!(!enabled(&mut fixture, &fourth));
    attribute(&mut fixture, true);
    // S3 asks for more; see below.
    let request = create(&fixture, S3, &[]);
    let fifth = endpoint(&mut fixture, request);
    assert!(!enabled(&mut fixture, &fifth));
}

#[test]
fn it_goes_on_and_off() {
    let mut fixture = Fixture::new();
    let request = with_dns(&fixture, LOGS, true);
    let first = endpoint(&mut fixture, request);
    let request = with_dns(&fixture, LOGS, false);
    let second = endpoint(&mut fixture, request);
    let set = |id, enabled| ModifyVpcEndpointRequest {
        private_dns_enabled: Some(enabled),
        ..modify(id)
    };
    assert_eq!(
        names(&mut fixture, &first)[1..],
        ["logs.us-east-1.amazonaws.com"]
    );
    let mut out = fixture.refused(set(&second, true)) + "\n";
    fixture.run(set(&first, false)).unwrap();
    assert_eq!(names(&mut fixture, &first).len(), 1);
    fixture.run(set(&second, true)).unwrap();
    out += &(fixture.refused(set(&first, true)) + "\n");
    // An endpoint that goes away no longer has the name.
    fixture.run(delete(&second)).unwrap();
    attribute(&mut fixture, false);
    out += &(fixture.refused(set(&first, true)) + "\n");
    let request = with_dns(&fixture, "com.amazonaws.us-east-1.sts", true);
    out += &(fixture.refused(request) + "\n");
    attribute(&mut fixture, true);
    fixture.run(set(&first, true)).unwrap();
    // What is on already is not looked at again.
    attribute(&mut fixture, false);
    fixture.run(set(&first, true)).unwrap();
    expect![[r#"
        InvalidParameter: private-dns-enabled cannot be set because there is already a conflicting DNS domain for logs.us-east-1.amazonaws.com in the VPC vpc-00000000000000002
        InvalidParameter: private-dns-enabled cannot be set because there is already a conflicting DNS domain for logs.us-east-1.amazonaws.com in the VPC vpc-00000000000000002
        InvalidParameter: Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for vpc-00000000000000002
        InvalidParameter: Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for vpc-00000000000000002
    "#]].assert_eq(&out);
}

#[test]
fn that_of_s3_is_for_others_only_unless_something_else_is_said() {
    let mut fixture = Fixture::new();
    let mut out = String::new();
    let plain = with_dns(&fixture, S3, true);
    out += &(fixture.refused(plain.clone()) + "\n");
    let off = CreateVpcEndpointRequest {
        dns_options: only_inbound(true),
        ..with_dns(&fixture, S3, false)
    };
    out += &(fixture.refused(off) + "\n");
    let request = CreateVpcEndpointRequest {
        dns_options: only_inbound(false),
        ..plain.clone()
    };
    let id = endpoint(&mut fixture, request);
    expect![[r#"
        *.vpce-0000000000000001b-2aaaaaaa.s3.us-east-1.vpce.amazonaws.com
        s3.us-east-1.amazonaws.com
        *.s3.us-east-1.amazonaws.com
    "#]]
    .assert_eq(&(names(&mut fixture, &id).join("\n") + "\n"));
    let only = ModifyVpcEndpointRequest {
        dns_options: only_inbound(true),
        ..modify(&id)
    };
    out += &(fixture.refused(only.clone()) + "\n");
    let gateway = CreateVpcEndpointRequest {
        vpc_endpoint_type: None,
        private_dns_enabled: None,
        ..plain.clone()
    };
    let gateway = endpoint(&mut fixture, gateway);
    fixture.run(only).unwrap();
    let shown = described(&mut fixture, &id).dns_options.unwrap();
    assert_eq!(
        shown.private_dns_only_for_inbound_resolver_endpoint,
        Some(true)
    );
    // The gateway endpoint must stay as long as that is so.
    let kept = answer!(fixture, DeleteVpcEndpoints, delete(&gateway)).unsuccessful;
    let error = kept[0].error.clone().unwrap();
    out += &format!("{}: {}\n", error.code.unwrap(), error.message.unwrap());
    let off = ModifyVpcEndpointRequest {
        private_dns_enabled: Some(false),
        ..modify(&id)
    };
    fixture.run(off.clone()).unwrap();
    let on = ModifyVpcEndpointRequest {
        private_dns_enabled: Some(true),
        ..modify(&id)
    };
    fixture.run(on).unwrap();
    let shown = described(&mut fixture, &id).dns_options.unwrap();
    assert_eq!(
        shown.private_dns_only_for_inbound_resolver_endpoint,
        Some(true)
    );
    fixture.run(off).unwrap();
    assert!(
        answer!(fixture, DeleteVpcEndpoints, delete(&gateway))
            .unsuccessful
            .is_empty()
    );
    expect![[r#"
        InvalidParameter: To set PrivateDnsOnlyForInboundResolverEndpoint to true, the VPC vpc-00000000000000002 must have a Gateway endpoint for the service.
        InvalidParameter: PrivateDnsOnlyForInboundResolverEndpoint requires private DNS to be enabled.
        InvalidParameter: To set PrivateDnsOnlyForInboundResolverEndpoint to true, the VPC vpc-00000000000000002 must have a Gateway endpoint for the service.
        InvalidParameter: The VPC endpoint vpce-0000000000000001d cannot be deleted: an Interface endpoint for the service has PrivateDnsOnlyForInboundResolverEndpoint set to true.
    "#]].assert_eq(&out);
}
