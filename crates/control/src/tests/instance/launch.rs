//! Launches.

use super::*;

#[test]
fn an_instance_is_launched_into_the_default_vpc() {
    let mut fixture = Fixture::new();
    let request = RunInstancesRequest {
        tag_specifications: named("instance", "a"),
        user_data: text("IyEvYmluL3NoCg=="),
        ..run(1)
    };
    let id = launch(&mut fixture, request).instance_id;
    start(&mut fixture, &id);
    expect![[r#"
        Instance {
          architecture: "x86_64",
          client_token: "",
          ebs_optimized: false,
          ena_support: true,
          hypervisor: "xen",
          network_interfaces: [
            InstanceNetworkInterface {
              association: InstanceNetworkInterfaceAssociation {
                ip_owner_id: "amazon",
                public_dns_name: "ec2-52-64-0-28.compute-1.amazonaws.com",
                public_ip: "52.64.0.28",
              },
              attachment: InstanceNetworkInterfaceAttachment {
                attach_time: "2024-05-01T10:00:00.000Z",
                attachment_id: "eni-attach-0000000000000001b",
                delete_on_termination: true,
                device_index: 0,
                status: "attached",
                network_card_index: 0,
              },
              description: "",
              groups: [
                GroupIdentifier {
                  group_id: "sg-00000000000000007",
                  group_name: "default",
                },
              ],
              mac_address: "0a:00:00:00:00:1a",
              network_interface_id: "eni-00000000000000019",
              owner_id: "111122223333",
              private_dns_name: "ip-172-31-0-4.ec2.internal",
              private_ip_address: "172.31.0.4",
              private_ip_addresses: [
                InstancePrivateIpAddress {
                  association: InstanceNetworkInterfaceAssociation {
                    ip_owner_id: "amazon",
                    public_dns_name: "ec2-52-64-0-28.compute-1.amazonaws.com",
                    public_ip: "52.64.0.28",
                  },
                  primary: true,
                  private_dns_name: "ip-172-31-0-4.ec2.internal",
                  private_ip_address: "172.31.0.4",
                },
              ],
              source_dest_check: true,
              status: "in-use",
              subnet_id: "subnet-0000000000000000b",
              vpc_id: "vpc-00000000000000002",
              interface_type: "interface",
              operator: OperatorResponse {
                managed: false,
              },
            },
          ],
          root_device_name: "/dev/xvda",
          root_device_type: "ebs",
          security_groups: [
            GroupIdentifier {
              group_id: "sg-00000000000000007",
              group_name: "default",
            },
          ],
          source_dest_check: true,
          tags: [
            Tag {
              key: "Name",
              value: "a",
            },
          ],
          virtualization_type: "hvm",
          cpu_options: CpuOptions {
            core_count: 1,
            threads_per_core: 2,
          },
          capacity_reservation_specification: CapacityReservationSpecificationResponse {
            capacity_reservation_preference: "open",
          },
          hibernation_options: HibernationOptions {
            configured: false,
          },
          metadata_options: InstanceMetadataOptionsResponse {
            state: "applied",
            http_tokens: "optional",
            http_put_response_hop_limit: 1,
            http_endpoint: "enabled",
            http_protocol_ipv6: "disabled",
            instance_metadata_tags: "disabled",
          },
          enclave_options: EnclaveOptions {
            enabled: false,
          },
          platform_details: "Linux/UNIX",
          usage_operation: "RunInstances",
          usage_operation_update_time: "2024-05-01T10:00:00.000Z",
          private_dns_name_options: PrivateDnsNameOptionsResponse {
            hostname_type: "ip-name",
            enable_resource_name_dns_a_record: false,
            enable_resource_name_dns_aaaa_record: false,
          },
          maintenance_options: InstanceMaintenanceOptions {
            auto_recovery: "default",
          },
          operator: OperatorResponse {
            managed: false,
          },
          instance_id: "i-00000000000000018",
          image_id: "ami-0abcdef1234567890",
          state: InstanceState {
            code: 16,
            name: "running",
          },
          private_dns_name: "ip-172-31-0-4.ec2.internal",
          public_dns_name: "ec2-52-64-0-28.compute-1.amazonaws.com",
          state_transition_reason: "",
          ami_launch_index: 0,
          instance_type: "t3.micro",
          launch_time: "2024-05-01T10:00:00.000Z",
          placement: Placement {
            availability_zone_id: "use1-az1",
            group_name: "",
            tenancy: "default",
            availability_zone: "us-east-1a",
          },
          monitoring: Monitoring {
            state: "disabled",
          },
          subnet_id: "subnet-0000000000000000b",
          vpc_id: "vpc-00000000000000002",
          private_ip_address: "172.31.0.4",
          public_ip_address: "52.64.0.28",
        }
    "#]]
    .assert_eq(&show(&described(&mut fixture, &id)));
}

#[test]
fn refusals_of_a_launch() {
    let mut fixture = Fixture::new();
    let with = |change: &dyn Fn(&mut RunInstancesRequest)| {
        let mut request = run(1);
        change(&mut request);
        request
    };
    let interface = |index: i32| InstanceNetworkInterfaceSpecification {
        device_index: Some(index),
        ..Default::default()
    };
    let public = |index: i32| InstanceNetworkInterfaceSpecification {
        associate_public_ip_address: Some(true),
        ..interface(index)
    };
    let too_long = "A".repeat(4 * (16_384 / 3 + 1));
    let requests = [
        with(&|r| r.image_id = None),
        with(&|r| r.image_id = text("ami-0123456789abcdef0")),
        with(&|r| r.image_id = text("resolve:ssm:/a")),
        with(&|r| r.instance_type = text("t3.huge")),
        with(&|r| r.instance_type = text("t4g.micro")),
        with(&|r| r.min_count = None),
        with(&|r| r.min_count = Some(0)),
        with(&|r| r.min_count = Some(2)),
        with(&|r| (r.min_count, r.max_count) = (Some(201), Some(201))),
        with(&|r| r.user_data = text("%")),
        with(&|r| r.user_data = Some(too_long.clone())),
        with(&|r| r.subnet_id = text("subnet-0123456789abcdef0")),
        with(&|r| r.security_groups = vec!["nobody".into()]),
        with(&|r| r.security_group_ids = vec!["sg-0123456789abcdef0".into()]),
        with(&|r| {
            r.private_ip_address = text("172.31.0.9");
            r.max_count = Some(2);
        }),
        with(&|r| {
            r.network_interfaces = vec![interface(0)];
            r.subnet_id = text("subnet-0123456789abcdef0");
        }),
        with(&|r| {
            r.network_interfaces = vec![interface(0)];
            r.security_group_ids = vec!["sg-0123456789abcdef0".into()];
        }),
        with(&|r| r.network_interfaces = vec![InstanceNetworkInterfaceSpecification::default()]),
        with(&|r| r.network_interfaces = vec![interface(1)]),
        with(&|r| r.network_interfaces = vec![interface(0), interface(0)]),
        with(&|r| r.network_interfaces = vec![interface(0), interface(1), interface(2)]),
        with(&|r| r.network_interfaces = vec![public(0), interface(1)]),
        with(&|r| r.network_interfaces = vec![public(1)]),
        with(&|r| {
            r.network_interfaces = vec![InstanceNetworkInterfaceSpecification {
                secondary_private_ip_address_count: Some(2),
                ..interface(0)
            }];
        }),
        with(&|r| {
            r.placement = Some(Placement {
                availability_zone: text("us-east-1z"),
                ..Default::default()
            });
        }),
        with(&|r| r.launch_template = Some(LaunchTemplateSpecification::default())),
        with(&|r| r.instance_initiated_shutdown_behavior = text("hibernate")),
        with(&|r| r.dry_run = Some(true)),
    ];
    let out: Vec<_> = requests.into_iter().map(|r| fixture.refused(r)).collect();
    expect![[r#"
        MissingParameter: The request must contain the parameter ImageId
        InvalidAMIID.NotFound: The image id '[ami-0123456789abcdef0]' does not exist
        InvalidAMIID.Malformed: Invalid id: "resolve:ssm:/a" (expecting "ami-...")
        InvalidParameterValue: Invalid value 't3.huge' for InstanceType.
        InvalidParameterValue: The architecture 'arm64' of the specified instance type does not match the architecture 'x86_64' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.
        MissingParameter: The request must contain the parameter MinCount
        InvalidParameterValue: Value (0) for parameter MinCount is invalid. It must be greater than 0.
        InvalidParameterCombination: MinCount may not be greater than MaxCount
        InstanceLimitExceeded: You have requested more instances than your current instance limit of 200 allows.
        InvalidUserData.Malformed: Invalid BASE64 encoding of user data.
        InvalidParameterValue: User data is limited to 16384 bytes
        InvalidSubnetID.NotFound: The subnet ID 'subnet-0123456789abcdef0' does not exist
        InvalidGroup.NotFound: The security group 'nobody' does not exist in default VPC 'vpc-00000000000000002'
        InvalidGroup.NotFound: The security group 'sg-0123456789abcdef0' does not exist
        InvalidParameterCombination: A network interface or a private IP address may not be specified when launching multiple instances
        InvalidParameterCombination: Network interfaces and an instance-level subnet ID may not be specified on the same request
        InvalidParameterCombination: Network interfaces and instance-level security groups may not be specified on the same request
        InvalidParameterValue: Each network interface requires a device index.
        InvalidParameterValue: When specifying network interfaces, you must include a device at index 0.
        InvalidParameterValue: Each network interface requires a unique device index.
        AttachmentLimitExceeded: Interface count 3 exceeds the limit for t3.micro
        InvalidParameterCombination: The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces.
        InvalidParameterCombination: The associatePublicIPAddress parameter can only be specified for the network interface with DeviceIndex 0
        PrivateIpAddressLimitExceeded: Number of private addresses will exceed limit.
        InvalidParameterValue: Invalid availability zone: [us-east-1z]
        UnsupportedOperation: The parameter LaunchTemplate is not supported.
        InvalidParameterValue: Value (hibernate) for parameter instanceInitiatedShutdownBehavior is invalid. Valid values: stop, terminate.
        DryRunOperation: Request would have succeeded, but DryRun flag is set."#]].assert_eq(&out.join("\n"));
    assert!(fixture.state().instances.is_empty());
    assert!(fixture.state().network_interfaces.is_empty());
}

#[test]
fn interfaces_are_made_and_taken_by_a_launch() {
    let mut fixture = Fixture::new();
    let eni = super::super::network_interface::created(&mut fixture);
    let request = RunInstancesRequest {
        network_interfaces: vec![
            InstanceNetworkInterfaceSpecification {
                device_index: Some(1),
                network_interface_id: eni.clone(),
                ..Default::default()
            },
            InstanceNetworkInterfaceSpecification {
                device_index: Some(0),
                description: text("front"),
                secondary_private_ip_address_count: Some(1),
                ..Default::default()
            },
        ],
        tag_specifications: named("network-interface", "front"),
        ..run(1)
    };
    let again = request.clone();
    let instance = launch(&mut fixture, request);
    let interfaces: Vec<_> = instance
        .network_interfaces
        .iter()
        .map(|i| {
            let attachment = i.attachment.as_ref().unwrap();
            (
                attachment.device_index,
                attachment.delete_on_termination,
                i.description.clone(),
                i.private_ip_addresses.len(),
                i.association.is_some(),
            )
        })
        .collect();
    expect![[r#"
        [
          (
                0,
                true,
                "front",
            2,
            false,
          ),
          (
                1,
                false,
                "",
            1,
            false,
          ),
        ]
    "#]]
    .assert_eq(&show(&interfaces));
    expect!["InvalidNetworkInterface.InUse: Interface: [eni-00000000000000017] in use."]
        .assert_eq(&fixture.refused(again));

    answer!(
        fixture,
        TerminateInstances,
        terminate_request(&instance.instance_id)
    );
    end(&mut fixture, &instance.instance_id, None);
    let left: Vec<_> = fixture.state().network_interfaces.values().collect();
    assert_eq!(left.len(), 1);
    assert_eq!(text(left[0].id), eni);
    assert_eq!(left[0].attachment, None);
}

#[test]
fn as_many_as_fit_are_launched() {
    let mut fixture = Fixture::new();
    let vpc = fixture.state().default_vpc().unwrap().id;
    let subnet = CreateSubnetRequest {
        vpc_id: text(vpc),
        cidr_block: text("172.31.255.0/28"),
        ..Default::default()
    };
    let subnet_id = answer!(fixture, CreateSubnet, subnet)
        .subnet
        .unwrap()
        .subnet_id;
    let request = RunInstancesRequest {
        subnet_id,
        max_count: Some(20),
        ..run(1)
    };
    let launched = answer!(fixture, RunInstances, request.clone());
    let indexes: Vec<_> = launched
        .instances
        .iter()
        .filter_map(|i| i.ami_launch_index)
        .collect();
    assert_eq!(indexes, Vec::from_iter(0..11));
    expect!["InsufficientFreeAddressesInSubnet: There are not enough free addresses in subnet 'subnet-00000000000000017' to satisfy the requested number of instances."].assert_eq(&fixture.refused(request));
    fixture.quotas.instances = 12;
    let rest = RunInstancesRequest {
        max_count: Some(3),
        ..run(1)
    };
    assert_eq!(answer!(fixture, RunInstances, rest).instances.len(), 1);
    expect!["InstanceLimitExceeded: You have requested more instances than your current instance limit of 12 allows."].assert_eq(&fixture.refused(run(1)));
}

#[test]
fn a_client_token_launches_once() {
    let mut fixture = Fixture::new();
    let request = RunInstancesRequest {
        client_token: text("once"),
        ..run(2)
    };
    let dry = RunInstancesRequest {
        dry_run: Some(true),
        ..request.clone()
    };
    assert!(fixture.refused(dry).starts_with("DryRunOperation"));
    let first = answer!(fixture, RunInstances, request.clone());
    let again = answer!(fixture, RunInstances, request.clone());
    assert_eq!(first, again);
    assert_eq!(fixture.state().instances.len(), 2);
    let other = RunInstancesRequest {
        instance_type: text("t3.small"),
        ..request
    };
    assert!(
        fixture
            .refused(other)
            .starts_with("IdempotentParameterMismatch")
    );
}
