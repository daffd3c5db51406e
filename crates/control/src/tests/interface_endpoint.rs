//! Interface endpoints to services of AWS.

mod private_dns;
mod refusal;
mod shared;

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, named, show, text};
use crate::Event;

const LOGS: &str = "com.amazonaws.us-east-1.logs";
const S3: &str = "com.amazonaws.us-east-1.s3";

fn vpc_id(fixture: &Fixture) -> String {
    fixture.state().default_vpc().unwrap().id.to_string()
}

/// The default VPC's subnets by zone, from `us-east-1a` on.
fn subnets(fixture: &Fixture) -> Vec<String> {
    let mut subnets: Vec<_> = fixture.state().subnets.values().collect();
    subnets.sort_by_key(|s| s.zone.to_string());
    subnets.iter().map(|s| s.id.to_string()).collect()
}

fn default_group(fixture: &Fixture) -> String {
    let vpc_id = fixture.state().default_vpc().unwrap().id;
    let group = fixture.state().default_security_group(vpc_id).unwrap();
    group.id.to_string()
}

fn group(fixture: &mut Fixture, name: &str, vpc_id: &str) -> String {
    let request = CreateSecurityGroupRequest {
        group_name: text(name),
        description: text(name),
        vpc_id: text(vpc_id),
        ..Default::default()
    };
    answer!(fixture, CreateSecurityGroup, request)
        .group_id
        .unwrap()
}

fn create(fixture: &Fixture, service: &str, subnets: &[String]) -> CreateVpcEndpointRequest {
    CreateVpcEndpointRequest {
        vpc_endpoint_type: text("Interface"),
        vpc_id: text(vpc_id(fixture)),
        service_name: text(service),
        subnet_ids: subnets.to_vec(),
        ..Default::default()
    }
}

fn endpoint(fixture: &mut Fixture, request: CreateVpcEndpointRequest) -> Option<String> {
    let created = answer!(fixture, CreateVpcEndpoint, request);
    created.vpc_endpoint.unwrap().vpc_endpoint_id
}

fn modify(id: &Option<String>) -> ModifyVpcEndpointRequest {
    ModifyVpcEndpointRequest {
        vpc_endpoint_id: id.clone(),
        ..Default::default()
    }
}

fn delete(id: &Option<String>) -> DeleteVpcEndpointsRequest {
    DeleteVpcEndpointsRequest {
        vpc_endpoint_ids: id.iter().cloned().collect(),
        dry_run: None,
    }
}

fn described(fixture: &mut Fixture, id: &Option<String>) -> VpcEndpoint {
    let request = DescribeVpcEndpointsRequest {
        vpc_endpoint_ids: id.iter().cloned().collect(),
        ..Default::default()
    };
    let mut found = answer!(fixture, DescribeVpcEndpoints, request).vpc_endpoints;
    found.remove(0)
}

/// Descriptions, subnets, addresses and groups of the interfaces that services keep.
fn interfaces(fixture: &Fixture) -> Vec<String> {
    let rows = fixture.state().network_interfaces.values();
    let managed = rows.filter(|eni| eni.interface_type.is_requester_managed());
    let line = |eni: &model::NetworkInterface| {
        let address = eni.primary_ipv4().unwrap();
        let groups: Vec<_> = eni.groups.iter().map(ToString::to_string).collect();
        let (subnet, groups) = (eni.subnet_id, groups.join(" "));
        format!("{} {subnet} {address} {groups}", eni.description)
    };
    managed.map(line).collect()
}

#[test]
fn an_interface_endpoint_has_an_interface_in_each_subnet() {
    let mut fixture = Fixture::new();
    let subnets = subnets(&fixture);
    let request = CreateVpcEndpointRequest {
        client_token: text("once"),
        private_dns_enabled: Some(true),
        tag_specifications: named("vpc-endpoint", "a"),
        // Repeated, and not in the order of zones.
        ..create(
            &fixture,
            LOGS,
            &[subnets[1].clone(), subnets[0].clone(), subnets[1].clone()],
        )
    };
    let created = answer!(fixture, CreateVpcEndpoint, request.clone());
    assert_eq!(answer!(fixture, CreateVpcEndpoint, request), created);
    expect![[r#"
        CreateVpcEndpointResponse {
          vpc_endpoint: VpcEndpoint {
            vpc_endpoint_id: "vpce-00000000000000017",
            vpc_endpoint_type: "Interface",
            vpc_id: "vpc-00000000000000002",
            service_name: "com.amazonaws.us-east-1.logs",
            state: "pending",
            policy_document: "{\"Statement\":[{\"Action\":\"*\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Resource\":\"*\"}]}",
            subnet_ids: [
              "subnet-0000000000000000d",
              "subnet-0000000000000000b",
            ],
            groups: [
              SecurityGroupIdentifier {
                group_id: "sg-00000000000000007",
                group_name: "default",
              },
            ],
            ip_address_type: "ipv4",
            dns_options: DnsOptions {
              dns_record_ip_type: "ipv4",
              private_dns_only_for_inbound_resolver_endpoint: false,
            },
            private_dns_enabled: true,
            requester_managed: false,
            network_interface_ids: [
              "eni-00000000000000019",
              "eni-0000000000000001b",
            ],
            dns_entries: [
              DnsEntry {
                dns_name: "vpce-00000000000000017-yaaaaaaa.logs.us-east-1.vpce.amazonaws.com",
                hosted_zone_id: "Z7HUB22UULQXV",
              },
              DnsEntry {
                dns_name: "vpce-00000000000000017-yaaaaaaa-us-east-1a.logs.us-east-1.vpce.amazonaws.com",
                hosted_zone_id: "Z7HUB22UULQXV",
              },
              DnsEntry {
                dns_name: "vpce-00000000000000017-yaaaaaaa-us-east-1b.logs.us-east-1.vpce.amazonaws.com",
                hosted_zone_id: "Z7HUB22UULQXV",
              },
              DnsEntry {
                dns_name: "logs.us-east-1.amazonaws.com",
                hosted_zone_id: "ZEBGAY81GFPVV6PWONS3",
              },
            ],
            creation_timestamp: "2024-05-01T10:00:00.000Z",
            tags: [
              Tag {
                key: "Name",
                value: "a",
              },
            ],
            owner_id: "111122223333",
          },
          client_token: "once",
        }
    "#]].assert_eq(&show(&created));
    let id = created.vpc_endpoint.unwrap().vpc_endpoint_id;
    expect![[r#"
        VPC Endpoint Interface vpce-00000000000000017 subnet-0000000000000000d 172.31.16.4 sg-00000000000000007
        VPC Endpoint Interface vpce-00000000000000017 subnet-0000000000000000b 172.31.0.4 sg-00000000000000007
    "#]].assert_eq(&(interfaces(&fixture).join("\n") + "\n"));
    let request = DescribeNetworkInterfacesRequest {
        filters: filter("interface-type", &["vpc_endpoint"]),
        ..Default::default()
    };
    let shown = answer!(fixture, DescribeNetworkInterfaces, request).network_interfaces;
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[0].requester_managed, Some(true));
    assert_eq!(shown[0].source_dest_check, Some(true));
    fixture.observe(&Event::Tick).unwrap();
    assert_eq!(described(&mut fixture, &id).state.unwrap(), "available");
    // It goes in two steps, its interfaces with it.
    let gone = answer!(fixture, DeleteVpcEndpoints, delete(&id));
    assert!(gone.unsuccessful.is_empty());
    assert_eq!(described(&mut fixture, &id).state.unwrap(), "deleting");
    assert!(
        answer!(fixture, DeleteVpcEndpoints, delete(&id))
            .unsuccessful
            .is_empty()
    );
    let refused = fixture.refused(modify(&id));
    assert_eq!(
        refused,
        format!(
            "IncorrectState: The VPC endpoint {} is being deleted.",
            id.as_deref().unwrap()
        )
    );
    fixture.observe(&Event::Tick).unwrap();
    assert!(fixture.state().vpc_endpoints.is_empty());
    assert!(interfaces(&fixture).is_empty());
}

#[test]
fn subnets_addresses_and_groups_are_changed() {
    let mut fixture = Fixture::new();
    let subnets = subnets(&fixture);
    let vpc = vpc_id(&fixture);
    let (first, second) = (
        group(&mut fixture, "a", &vpc),
        group(&mut fixture, "b", &vpc),
    );
    let configuration = |subnet: &String, address: &str| SubnetConfiguration {
        subnet_id: text(subnet),
        ipv4: text(address),
        ipv6: None,
    };
    let request = CreateVpcEndpointRequest {
        security_group_ids: vec![first.clone()],
        subnet_configurations: vec![configuration(&subnets[0], "172.31.0.100")],
        ..create(&fixture, LOGS, &subnets[..1])
    };
    let id = endpoint(&mut fixture, request);
    let mut out = interfaces(&fixture).join("\n") + "\n\n";
    let mut change = |fixture: &mut Fixture, request: ModifyVpcEndpointRequest| {
        fixture.run(request).unwrap();
        out += &(interfaces(fixture).join("\n") + "\n\n");
    };
    for request in [
        ModifyVpcEndpointRequest {
            add_subnet_ids: vec![subnets[1].clone()],
            add_security_group_ids: vec![second],
            remove_security_group_ids: vec![first],
            ..modify(&id)
        },
        // Another address, the one that it has, and one for a subnet that is added.
        ModifyVpcEndpointRequest {
            add_subnet_ids: vec![subnets[2].clone()],
            subnet_configurations: vec![
                configuration(&subnets[0], "172.31.0.101"),
                configuration(&subnets[2], "172.31.32.102"),
            ],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            remove_subnet_ids: subnets[..2].to_vec(),
            subnet_configurations: vec![configuration(&subnets[2], "172.31.32.102")],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            remove_subnet_ids: vec![subnets[2].clone()],
            ..modify(&id)
        },
    ] {
        change(&mut fixture, request);
    }
    expect![[r#"
        VPC Endpoint Interface vpce-0000000000000001b subnet-0000000000000000b 172.31.0.100 sg-00000000000000017

        VPC Endpoint Interface vpce-0000000000000001b subnet-0000000000000000b 172.31.0.100 sg-00000000000000019
        VPC Endpoint Interface vpce-0000000000000001b subnet-0000000000000000d 172.31.16.4 sg-00000000000000019

        VPC Endpoint Interface vpce-0000000000000001b subnet-0000000000000000d 172.31.16.4 sg-00000000000000019
        VPC Endpoint Interface vpce-0000000000000001b subnet-0000000000000000b 172.31.0.101 sg-00000000000000019
        VPC Endpoint Interface vpce-0000000000000001b subnet-0000000000000000f 172.31.32.102 sg-00000000000000019

        VPC Endpoint Interface vpce-0000000000000001b subnet-0000000000000000f 172.31.32.102 sg-00000000000000019



    "#]].assert_eq(&out);
    // Without subnets there is the one name that leads nowhere, and the service's own.
    assert_eq!(described(&mut fixture, &id).dns_entries.len(), 2);
}

#[test]
fn the_default_policy_is_that_of_interface_endpoints() {
    let mut fixture = Fixture::new();
    let own =
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"logs:*","Resource":"*"}]}"#;
    let request = CreateVpcEndpointRequest {
        policy_document: text(own),
        ..create(&fixture, LOGS, &[])
    };
    let id = endpoint(&mut fixture, request);
    let policy = |fixture: &mut Fixture| described(fixture, &id).policy_document.unwrap();
    assert_eq!(policy(&mut fixture), own);
    let reset = ModifyVpcEndpointRequest {
        reset_policy: Some(true),
        ..modify(&id)
    };
    fixture.run(reset).unwrap();
    assert_eq!(
        policy(&mut fixture),
        r#"{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}"#
    );
}

#[test]
fn interface_endpoints_are_filtered() {
    let mut fixture = Fixture::new();
    let request = create(&fixture, LOGS, &[]);
    endpoint(&mut fixture, request);
    for (name, value, count) in [
        ("vpc-endpoint-type", "Interface", 1),
        ("vpc-endpoint-type", "Gateway", 0),
        ("vpc-endpoint-state", "pending", 1),
        ("ip-address-type", "ipv4", 1),
    ] {
        let request = DescribeVpcEndpointsRequest {
            filters: filter(name, &[value]),
            ..Default::default()
        };
        let found = answer!(fixture, DescribeVpcEndpoints, request).vpc_endpoints;
        assert_eq!(found.len(), count, "{name}");
    }
}
