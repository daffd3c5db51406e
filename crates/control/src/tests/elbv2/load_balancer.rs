//! Load balancers.

use super::*;
use crate::tests::answer;

fn described(fixture: &mut Fixture, name: &str) -> LoadBalancer {
    let request = DescribeLoadBalancersRequest {
        names: vec![name.to_owned()],
        ..Default::default()
    };
    let answer = done!(fixture, DescribeLoadBalancers, request);
    answer.load_balancers.into_iter().next().unwrap()
}

#[test]
fn a_load_balancer_is_provisioned_with_an_interface_in_each_subnet() {
    let mut fixture = Fixture::new();
    load_balancer(&mut fixture, "web");
    let before = described(&mut fixture, "web").state;
    wait(&mut fixture, 2);
    let after = described(&mut fixture, "web");
    let request = ec2_api::DescribeNetworkInterfacesRequest {
        filters: crate::tests::filter("interface-type", &["network_load_balancer"]),
        ..Default::default()
    };
    let interfaces = answer!(fixture, DescribeNetworkInterfaces, request).network_interfaces;
    let interface = interfaces.into_iter().next().unwrap();
    expect![[r#"
        (
            LoadBalancerState {
            code: "provisioning",
          },
          LoadBalancer {
            load_balancer_arn: "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/web/0000000000000017",
            dns_name: "web-0000000000000017.elb.us-east-1.amazonaws.com",
            canonical_hosted_zone_id: "Z26RNL4JYFTOTI",
            created_time: "2024-05-01T10:00:00.000Z",
            load_balancer_name: "web",
            scheme: "internal",
            vpc_id: "vpc-00000000000000002",
            state: LoadBalancerState {
              code: "active",
            },
            type: "network",
            availability_zones: [
              AvailabilityZone {
                zone_name: "us-east-1a",
                subnet_id: "subnet-0000000000000000b",
                load_balancer_addresses: [
                  LoadBalancerAddress {
                    private_ipv4_address: "172.31.0.4",
                  },
                ],
              },
              AvailabilityZone {
                zone_name: "us-east-1b",
                subnet_id: "subnet-0000000000000000d",
                load_balancer_addresses: [
                  LoadBalancerAddress {
                    private_ipv4_address: "172.31.16.4",
                  },
                ],
              },
            ],
            ip_address_type: "ipv4",
            enable_prefix_for_ipv6_source_nat: "off",
          },
            "ELB net/web/0000000000000017",
            "in-use",
            true,
            NetworkInterfaceAttachment {
            attach_time: "2024-05-01T10:00:00.000Z",
            attachment_id: "ela-attach-00000000000000018",
            delete_on_termination: false,
            device_index: 1,
            network_card_index: 0,
            instance_owner_id: "amazon-aws",
            status: "attached",
          },
        )
    "#]]
    .assert_eq(&show(&(
        before,
        after,
        interface.description,
        interface.status,
        interface.requester_managed,
        interface.attachment,
    )));
}

#[test]
fn its_interfaces_are_not_the_owners_to_change() {
    let mut fixture = Fixture::new();
    load_balancer(&mut fixture, "web");
    let id = fixture
        .state()
        .network_interfaces
        .values()
        .next()
        .unwrap()
        .id;
    let id = text(id);
    let delete = ec2_api::DeleteNetworkInterfaceRequest {
        network_interface_id: id.clone(),
        dry_run: None,
    };
    let modify = ec2_api::ModifyNetworkInterfaceAttributeRequest {
        network_interface_id: id.clone(),
        source_dest_check: Some(ec2_api::AttributeBooleanValue { value: Some(false) }),
        ..Default::default()
    };
    let detach = ec2_api::DetachNetworkInterfaceRequest {
        attachment_id: text("ela-attach-00000000000000018"),
        ..Default::default()
    };
    let assign = ec2_api::AssignPrivateIpAddressesRequest {
        network_interface_id: id,
        secondary_private_ip_address_count: Some(1),
        ..Default::default()
    };
    let answers = [
        fixture.refused(delete),
        fixture.refused(modify),
        fixture.refused(detach),
        fixture.refused(assign),
    ];
    expect![[r#"
        InvalidParameterValue: Network interface 'eni-00000000000000018' is currently in use.
        AuthFailure: You do not have permission to access the specified resource.
        OperationNotPermitted: You are not allowed to manage 'ela-attach' attachments.
        AuthFailure: You do not have permission to access the specified resource."#]]
    .assert_eq(&answers.join("\n"));
}

#[test]
fn one_that_faces_the_internet_has_public_addresses() {
    let mut fixture = Fixture::new();
    let request = ec2_api::AllocateAddressRequest::default();
    let elastic = answer!(fixture, AllocateAddress, request);
    let [first, second]: [String; 2] = subnets(&fixture, 2).try_into().unwrap();
    let request = CreateLoadBalancerRequest {
        scheme: None,
        subnets: vec![],
        subnet_mappings: vec![
            SubnetMapping {
                subnet_id: Some(first),
                allocation_id: elastic.allocation_id,
                ..Default::default()
            },
            SubnetMapping {
                subnet_id: Some(second),
                ..Default::default()
            },
        ],
        ..internal(&fixture, "web")
    };
    let made = done!(fixture, CreateLoadBalancer, request.clone()).load_balancers;
    let arn = made[0].load_balancer_arn.clone();
    let row = fixture.state().load_balancers.values().next().unwrap();
    let addresses = row.addresses(fixture.state());
    assert_eq!(addresses.len(), 2);
    assert_eq!(
        made[0].availability_zones[0].load_balancer_addresses[0].ip_address,
        elastic.public_ip
    );
    assert!(
        made[0].availability_zones[1]
            .load_balancer_addresses
            .is_empty()
    );
    let delete = DeleteLoadBalancerRequest {
        load_balancer_arn: arn,
    };
    done!(fixture, DeleteLoadBalancer, delete);
    assert!(fixture.state().network_interfaces.is_empty());
    let address = fixture.state().addresses.values().next().unwrap();
    assert_eq!(address.association, None);
}

#[test]
fn the_same_call_twice_makes_one() {
    let mut fixture = Fixture::new();
    let first = load_balancer(&mut fixture, "web");
    assert_eq!(load_balancer(&mut fixture, "web"), first);
    let other = CreateLoadBalancerRequest {
        subnets: subnets(&fixture, 1),
        ..internal(&fixture, "web")
    };
    expect!["DuplicateLoadBalancerName: A load balancer with the same name 'web' exists, but with different settings"]
        .assert_eq(&refused(&mut fixture, other));
}

#[test]
fn refusals() {
    let mut fixture = Fixture::new();
    let good = internal(&fixture, "web");
    let with = |change: &dyn Fn(&mut CreateLoadBalancerRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    let twice = [subnets(&fixture, 1), subnets(&fixture, 1)].concat();
    let cases: Vec<CreateLoadBalancerRequest> = vec![
        with(&|r| r.name = None),
        with(&|r| r.name = text("a_b")),
        with(&|r| r.name = text("-ab")),
        with(&|r| r.name = text("internal-a")),
        with(&|r| r.name = text("a".repeat(33))),
        with(&|r| r.r#type = None),
        with(&|r| r.r#type = text("gateway")),
        with(&|r| r.r#type = text("classic")),
        with(&|r| r.scheme = text("public")),
        with(&|r| r.ip_address_type = text("dualstack")),
        with(&|r| r.subnets.clear()),
        with(&|r| r.subnets.clone_from(&twice)),
        with(&|r| r.subnets = vec!["subnet-0123456789abcdef0".into()]),
        with(&|r| r.subnets = vec!["web".into()]),
        with(&|r| r.security_groups = vec!["sg-0123456789abcdef0".into()]),
    ];
    let mut answers: Vec<String> = cases
        .into_iter()
        .map(|request| refused(&mut fixture, request))
        .collect();
    let arn =
        "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/web/0000000000000001";
    let find = |arn: &str, name: &[&str]| DescribeLoadBalancersRequest {
        load_balancer_arns: vec![arn.to_owned()]
            .into_iter()
            .filter(|a| !a.is_empty())
            .collect(),
        names: name.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    answers.push(refused(&mut fixture, find(arn, &[])));
    answers.push(refused(&mut fixture, find("web", &[])));
    answers.push(refused(&mut fixture, find("", &["web"])));
    answers.push(refused(&mut fixture, find(arn, &["web"])));
    answers.push(refused(
        &mut fixture,
        DescribeLoadBalancersRequest {
            page_size: Some(0),
            ..Default::default()
        },
    ));
    expect![[r#"
        ValidationError: A load balancer name must be specified
        ValidationError: Load balancer name 'a_b' can only contain characters that are alphanumeric characters and hyphens(-)
        ValidationError: Load balancer name '-ab' cannot begin or end with '-'
        ValidationError: The load balancer name 'internal-a' cannot begin with 'internal-'
        ValidationError: Load balancer name 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' cannot be longer than '32' characters
        UnsupportedOperation: The load balancer type 'application' is not supported.
        UnsupportedOperation: The load balancer type 'gateway' is not supported.
        ValidationError: 1 validation error detected: Value 'classic' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [network, application, gateway]
        InvalidScheme: Scheme 'public' must be one of 'internet-facing, internal'
        UnsupportedOperation: The parameter IpAddressType is not supported.
        ValidationError: At least one subnet must be specified
        InvalidConfigurationRequest: A load balancer cannot be attached to multiple subnets in the same Availability Zone
        SubnetNotFound: The subnet ID 'subnet-0123456789abcdef0' does not exist
        ValidationError: Invalid id: "web" (expecting "subnet-...")
        InvalidSecurityGroup: The security group 'sg-0123456789abcdef0' does not exist
        LoadBalancerNotFound: Load balancer 'arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/web/0000000000000001' not found
        ValidationError: 'web' is not a valid load balancer ARN
        LoadBalancerNotFound: Load balancers '[web]' not found
        ValidationError: Load balancer names and load balancer ARNs cannot be specified at the same time
        ValidationError: Value ( 0 ) for parameter maxResults is invalid. Expecting a value between 1 and 400."#]].assert_eq(&answers.join("\n"));
    // Deleting what is not there is no error.
    let delete = DeleteLoadBalancerRequest {
        load_balancer_arn: text(arn),
    };
    done!(fixture, DeleteLoadBalancer, delete);
}

#[test]
fn attributes_and_deletion_protection() {
    let mut fixture = Fixture::new();
    let arn = load_balancer(&mut fixture, "web");
    let set = |key: &str, value: &str| ModifyLoadBalancerAttributesRequest {
        load_balancer_arn: arn.clone(),
        attributes: vec![LoadBalancerAttribute {
            key: text(key),
            value: text(value),
        }],
    };
    let delete = DeleteLoadBalancerRequest {
        load_balancer_arn: arn.clone(),
    };
    done!(
        fixture,
        ModifyLoadBalancerAttributes,
        set("deletion_protection.enabled", "true")
    );
    done!(
        fixture,
        ModifyLoadBalancerAttributes,
        set("access_logs.s3.enabled", "false")
    );
    let answers = [
        refused(&mut fixture, delete.clone()),
        refused(&mut fixture, set("deletion_protection.enabled", "perhaps")),
        refused(&mut fixture, set("access_logs.s3.enabled", "true")),
        refused(&mut fixture, set("idle_timeout.timeout_seconds", "60")),
    ];
    expect![[r#"
        OperationNotPermitted: Load balancer 'arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/web/0000000000000017' cannot be deleted because deletion protection is enabled
        ValidationError: 'deletion_protection.enabled' attribute value must be one of 'true, false'
        UnsupportedOperation: The value 'true' of the attribute 'access_logs.s3.enabled' is not supported.
        InvalidConfigurationRequest: Key idle_timeout.timeout_seconds not valid"#]].assert_eq(&answers.join("\n"));
    done!(
        fixture,
        ModifyLoadBalancerAttributes,
        set("deletion_protection.enabled", "false")
    );
    let reserved = elbv2_api::DescribeCapacityReservationRequest {
        load_balancer_arn: arn.clone(),
    };
    let reserved = done!(fixture, DescribeCapacityReservation, reserved);
    assert!(
        reserved.minimum_load_balancer_capacity.is_none(),
        "{reserved:?}"
    );
    let describe = DescribeLoadBalancerAttributesRequest {
        load_balancer_arn: arn.clone(),
    };
    let attributes = done!(fixture, DescribeLoadBalancerAttributes, describe).attributes;
    let listed: Vec<_> = attributes
        .into_iter()
        .map(|a| format!("{}={}", a.key.unwrap(), a.value.unwrap()))
        .collect();
    expect![[r#"
        deletion_protection.enabled=false
        load_balancing.cross_zone.enabled=false
        access_logs.s3.enabled=false
        access_logs.s3.bucket=
        access_logs.s3.prefix=
        dns_record.client_routing_policy=any_availability_zone
        ipv6.deny_all_igw_traffic=false
        secondary_ips.auto_assigned.per_subnet=0
        zonal_shift.config.enabled=false"#]]
    .assert_eq(&listed.join("\n"));
    done!(fixture, DeleteLoadBalancer, delete);
}

#[test]
fn security_groups_can_be_replaced_but_not_added_later() {
    let mut fixture = Fixture::new();
    let vpc_id = fixture.state().default_vpc().unwrap().id;
    let default = fixture.state().default_security_group(vpc_id).unwrap().id;
    let request = CreateLoadBalancerRequest {
        security_groups: vec![default.to_string()],
        ..internal(&fixture, "with")
    };
    let with = done!(fixture, CreateLoadBalancer, request).load_balancers;
    let without = load_balancer(&mut fixture, "without");
    let group = ec2_api::CreateSecurityGroupRequest {
        group_name: text("web"),
        description: text("web"),
        vpc_id: text(vpc_id),
        ..Default::default()
    };
    let group = answer!(fixture, CreateSecurityGroup, group).group_id;
    let set = |arn: &Option<String>| SetSecurityGroupsRequest {
        load_balancer_arn: arn.clone(),
        security_groups: group.clone().into_iter().collect(),
        ..Default::default()
    };
    let answer = done!(fixture, SetSecurityGroups, set(&with[0].load_balancer_arn));
    assert_eq!(answer.security_group_ids, [group.clone().unwrap()]);
    let group_id = group.as_ref().unwrap().parse().unwrap();
    let carried = fixture.state().network_interfaces.values();
    assert_eq!(carried.filter(|eni| eni.groups == [group_id]).count(), 2);
    expect!["InvalidConfigurationRequest: You cannot set security groups of a network load balancer that was created without security groups"]
        .assert_eq(&refused(&mut fixture, set(&without)));
}

#[test]
fn tags_of_everything() {
    let mut fixture = Fixture::new();
    let arn = load_balancer(&mut fixture, "web");
    let group = tcp_group(&fixture, "web");
    let group = target_group(&mut fixture, group);
    let listener = listener(&mut fixture, tcp_listener(&arn, &group, 80));
    let arns: Vec<String> = [arn, group, listener].into_iter().flatten().collect();
    let tag = |key: &str| Tag {
        key: text(key),
        value: text("1"),
    };
    let add = |keys: &[&str]| AddTagsRequest {
        resource_arns: arns.clone(),
        tags: keys.iter().map(|key| tag(key)).collect(),
    };
    done!(fixture, AddTags, add(&["a", "b"]));
    let remove = RemoveTagsRequest {
        resource_arns: arns.clone(),
        tag_keys: vec!["a".into(), "c".into()],
    };
    done!(fixture, RemoveTags, remove);
    let describe = |arns: &[String]| DescribeTagsRequest {
        resource_arns: arns.to_vec(),
    };
    let described = done!(fixture, DescribeTags, describe(&arns)).tag_descriptions;
    assert_eq!(described.len(), 3);
    assert!(described.iter().all(|d| d.tags == [tag("b")]));
    let answers = [
        refused(&mut fixture, add(&["a", "a"])),
        refused(&mut fixture, add(&["aws:a"])),
        refused(&mut fixture, describe(&["arn".into()])),
    ];
    expect![[r#"
        DuplicateTagKeys: Tag key was specified more than once: a
        ValidationError: Tag keys starting with 'aws:' are reserved for internal use
        ValidationError: 'arn' is not a valid listener ARN"#]]
    .assert_eq(&answers.join("\n"));
}
