//! Instances.

use std::time::Duration;

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, named, show, text};
use crate::Event;

const IMAGE: &str = "ami-0abcdef1234567890";

/// A launch of so many instances into the default VPC.
pub(super) fn run(count: i32) -> RunInstancesRequest {
    RunInstancesRequest {
        image_id: text(IMAGE),
        instance_type: text("t3.micro"),
        min_count: Some(count),
        max_count: Some(count),
        ..Default::default()
    }
}

/// The first instance of a launch, still pending.
pub(super) fn launch(fixture: &mut Fixture, request: RunInstancesRequest) -> Instance {
    let launched = answer!(fixture, RunInstances, request);
    launched.instances.into_iter().next().unwrap()
}

/// A running instance.
pub(super) fn running(fixture: &mut Fixture) -> Option<String> {
    let id = launch(fixture, run(1)).instance_id;
    start(fixture, &id);
    id
}

fn start(fixture: &mut Fixture, id: &Option<String>) {
    let id = id.as_ref().unwrap().parse().unwrap();
    fixture.observe(&Event::InstanceStarted(id)).unwrap();
}

pub(super) fn end(fixture: &mut Fixture, id: &Option<String>, reason: Option<&str>) {
    let event = Event::InstanceEnded {
        instance_id: id.as_ref().unwrap().parse().unwrap(),
        reason: reason.map(str::to_owned),
    };
    fixture.observe(&event).unwrap();
}

pub(super) fn described(fixture: &mut Fixture, id: &Option<String>) -> Instance {
    let request = DescribeInstancesRequest {
        instance_ids: id.iter().cloned().collect(),
        ..Default::default()
    };
    let answer = answer!(fixture, DescribeInstances, request);
    let mut reservations = answer.reservations.into_iter().flat_map(|r| r.instances);
    reservations.next().unwrap()
}

fn ids(id: &Option<String>) -> Vec<String> {
    id.iter().cloned().collect()
}

pub(super) fn stop_request(id: &Option<String>) -> StopInstancesRequest {
    StopInstancesRequest {
        instance_ids: ids(id),
        ..Default::default()
    }
}

pub(super) fn start_request(id: &Option<String>) -> StartInstancesRequest {
    StartInstancesRequest {
        instance_ids: ids(id),
        ..Default::default()
    }
}

fn terminate_request(id: &Option<String>) -> TerminateInstancesRequest {
    TerminateInstancesRequest {
        instance_ids: ids(id),
        ..Default::default()
    }
}

fn state(fixture: &mut Fixture, id: &Option<String>) -> String {
    described(fixture, id).state.unwrap().name.unwrap()
}

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
    let eni = super::network_interface::created(&mut fixture);
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

#[test]
fn the_life_of_an_instance() {
    let mut fixture = Fixture::new();
    let id = launch(&mut fixture, run(1)).instance_id;
    let first_public = described(&mut fixture, &id).public_ip_address;
    assert!(first_public.is_some());
    let mut out = vec![state(&mut fixture, &id), fixture.refused(stop_request(&id))];
    start(&mut fixture, &id);
    out.push(state(&mut fixture, &id));
    out.push(show(&answer!(fixture, StopInstances, stop_request(&id))));
    out.push(fixture.refused(start_request(&id)));
    end(&mut fixture, &id, None);
    let stopped = described(&mut fixture, &id);
    out.push(show(&(
        stopped.state,
        stopped.state_reason,
        stopped.state_transition_reason,
    )));
    assert_eq!(stopped.public_ip_address, None);
    assert!(stopped.private_ip_address.is_some());
    out.push(show(&answer!(fixture, StartInstances, start_request(&id))));
    start(&mut fixture, &id);
    let again = described(&mut fixture, &id);
    assert!(again.public_ip_address.is_some());
    assert_ne!(again.public_ip_address, first_public);
    assert_eq!(again.private_ip_address, stopped.private_ip_address);
    out.push(show(&answer!(
        fixture,
        TerminateInstances,
        terminate_request(&id)
    )));
    end(&mut fixture, &id, None);
    out.push(show(&answer!(
        fixture,
        TerminateInstances,
        terminate_request(&id)
    )));
    let gone = described(&mut fixture, &id);
    assert_eq!(
        (gone.vpc_id, gone.subnet_id, gone.network_interfaces.len()),
        (None, None, 0)
    );
    out.push(fixture.refused(start_request(&id)));
    out.push(fixture.refused(stop_request(&id)));
    expect![[r#"
        pending
        IncorrectInstanceState: The instance 'i-00000000000000018' is not in a state from which it can be stopped.
        running
        StopInstancesResponse {
          stopping_instances: [
            InstanceStateChange {
              instance_id: "i-00000000000000018",
              current_state: InstanceState {
                code: 64,
                name: "stopping",
              },
              previous_state: InstanceState {
                code: 16,
                name: "running",
              },
            },
          ],
        }

        IncorrectInstanceState: The instance 'i-00000000000000018' is not in a state from which it can be started.
        (
            InstanceState {
            code: 80,
            name: "stopped",
          },
            StateReason {
            code: "Client.UserInitiatedShutdown",
            message: "Client.UserInitiatedShutdown: User initiated shutdown",
          },
            "User initiated (2024-05-01 10:00:00 GMT)",
        )

        StartInstancesResponse {
          starting_instances: [
            InstanceStateChange {
              instance_id: "i-00000000000000018",
              current_state: InstanceState {
                code: 0,
                name: "pending",
              },
              previous_state: InstanceState {
                code: 80,
                name: "stopped",
              },
            },
          ],
        }

        TerminateInstancesResponse {
          terminating_instances: [
            InstanceStateChange {
              instance_id: "i-00000000000000018",
              current_state: InstanceState {
                code: 32,
                name: "shutting-down",
              },
              previous_state: InstanceState {
                code: 16,
                name: "running",
              },
            },
          ],
        }

        TerminateInstancesResponse {
          terminating_instances: [
            InstanceStateChange {
              instance_id: "i-00000000000000018",
              current_state: InstanceState {
                code: 48,
                name: "terminated",
              },
              previous_state: InstanceState {
                code: 48,
                name: "terminated",
              },
            },
          ],
        }

        IncorrectInstanceState: The instance 'i-00000000000000018' is not in a state from which it can be started.
        IncorrectInstanceState: The instance 'i-00000000000000018' is not in a state from which it can be stopped."#]].assert_eq(&out.join("\n"));
    assert!(fixture.state().network_interfaces.is_empty());

    fixture.now = fixture.now + Duration::from_secs(3600);
    fixture.observe(&Event::Tick).unwrap();
    assert_eq!(fixture.state().instances.len(), 1);
    fixture.now = fixture.now + Duration::from_secs(1);
    fixture.observe(&Event::Tick).unwrap();
    assert!(fixture.state().instances.is_empty());
}

#[test]
fn an_instance_that_ends_by_itself_stops_or_terminates() {
    let mut fixture = Fixture::new();
    let id = running(&mut fixture);
    end(&mut fixture, &id, None);
    assert_eq!(state(&mut fixture, &id), "stopped");
    let reason = described(&mut fixture, &id).state_reason;
    assert_eq!(
        reason.unwrap().code.as_deref(),
        Some("Client.InstanceInitiatedShutdown")
    );
    let request = RunInstancesRequest {
        instance_initiated_shutdown_behavior: text("terminate"),
        ..run(1)
    };
    let other = launch(&mut fixture, request).instance_id;
    end(
        &mut fixture,
        &other,
        Some("Server.InternalError: Internal error on launch"),
    );
    assert_eq!(state(&mut fixture, &other), "terminated");
    let reason = described(&mut fixture, &other).state_reason;
    assert_eq!(
        reason.unwrap().code.as_deref(),
        Some("Server.InternalError")
    );
    // A first launch that fails leaves nothing behind.
    let failed = launch(&mut fixture, run(1)).instance_id;
    end(&mut fixture, &failed, None);
    assert_eq!(state(&mut fixture, &failed), "terminated");
    // A stopped instance has no sandbox to wait for.
    let answer = answer!(fixture, TerminateInstances, terminate_request(&id));
    let now = answer.terminating_instances[0]
        .current_state
        .clone()
        .unwrap();
    assert_eq!(now.name.as_deref(), Some("terminated"));
}

#[test]
fn protection_and_other_attributes() {
    let mut fixture = Fixture::new();
    let id = running(&mut fixture);
    let modify = ModifyInstanceAttributeRequest {
        instance_id: id.clone(),
        ..Default::default()
    };
    let flag = |value| Some(AttributeBooleanValue { value: Some(value) });
    let protect = ModifyInstanceAttributeRequest {
        disable_api_termination: flag(true),
        ..modify.clone()
    };
    answer!(fixture, ModifyInstanceAttribute, protect);
    let check = ModifyInstanceAttributeRequest {
        attribute: text("sourceDestCheck"),
        value: text("false"),
        ..modify.clone()
    };
    answer!(fixture, ModifyInstanceAttribute, check.clone());
    assert_eq!(described(&mut fixture, &id).source_dest_check, Some(false));
    let larger = ModifyInstanceAttributeRequest {
        instance_type: Some(AttributeValue {
            value: text("t3.large"),
        }),
        ..modify.clone()
    };
    let several = ModifyInstanceAttributeRequest {
        source_dest_check: flag(true),
        disable_api_termination: flag(false),
        ..modify.clone()
    };
    let unsupported = ModifyInstanceAttributeRequest {
        attribute: text("kernel"),
        value: text("aki-1"),
        ..modify.clone()
    };
    let mut out = vec![
        fixture.refused(terminate_request(&id)),
        fixture.refused(larger.clone()),
        fixture.refused(several),
        fixture.refused(unsupported),
        fixture.refused(modify),
    ];
    let eni = super::network_interface::created(&mut fixture);
    let attach = AttachNetworkInterfaceRequest {
        network_interface_id: eni,
        instance_id: id.clone(),
        device_index: Some(1),
        ..Default::default()
    };
    answer!(fixture, AttachNetworkInterface, attach);
    out.push(fixture.refused(check));
    answer!(fixture, StopInstances, stop_request(&id));
    end(&mut fixture, &id, None);
    answer!(fixture, ModifyInstanceAttribute, larger);
    for attribute in [
        "instanceType",
        "disableApiTermination",
        "disableApiStop",
        "groupSet",
        "instanceInitiatedShutdownBehavior",
        "sourceDestCheck",
        "userData",
        "rootDeviceName",
    ] {
        let request = DescribeInstanceAttributeRequest {
            instance_id: id.clone(),
            attribute: text(attribute),
            ..Default::default()
        };
        out.push(show(&answer!(fixture, DescribeInstanceAttribute, request)));
    }
    expect![[r#"
        OperationNotPermitted: The instance 'i-00000000000000018' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.
        IncorrectInstanceState: The instance 'i-00000000000000018' is not in the 'stopped' state.
        InvalidParameterCombination: Fields for multiple attribute types specified.
        UnsupportedOperation: The parameter kernel is not supported.
        InvalidParameterCombination: No attributes specified.
        InvalidInstanceID: There are multiple interfaces attached to instance 'i-00000000000000018'. Please specify an interface ID for the operation instead.
        DescribeInstanceAttributeResponse {
          instance_id: "i-00000000000000018",
          instance_type: AttributeValue {
            value: "t3.large",
          },
        }

        DescribeInstanceAttributeResponse {
          disable_api_termination: AttributeBooleanValue {
            value: true,
          },
          instance_id: "i-00000000000000018",
        }

        DescribeInstanceAttributeResponse {
          instance_id: "i-00000000000000018",
          disable_api_stop: AttributeBooleanValue {
            value: false,
          },
        }

        DescribeInstanceAttributeResponse {
          instance_id: "i-00000000000000018",
          groups: [
            GroupIdentifier {
              group_id: "sg-00000000000000007",
              group_name: "default",
            },
          ],
        }

        DescribeInstanceAttributeResponse {
          instance_id: "i-00000000000000018",
          instance_initiated_shutdown_behavior: AttributeValue {
            value: "stop",
          },
        }

        DescribeInstanceAttributeResponse {
          instance_id: "i-00000000000000018",
          source_dest_check: AttributeBooleanValue {
            value: false,
          },
        }

        DescribeInstanceAttributeResponse {
          instance_id: "i-00000000000000018",
          user_data: AttributeValue {
          },
        }

        DescribeInstanceAttributeResponse {
          instance_id: "i-00000000000000018",
          root_device_name: AttributeValue {
            value: "/dev/xvda",
          },
        }
    "#]].assert_eq(&out.join("\n"));
}

#[test]
fn filters_and_pages() {
    let mut fixture = Fixture::new();
    let id = running(&mut fixture).unwrap();
    for _ in 0..6 {
        launch(&mut fixture, run(1));
    }
    for (name, value, expected) in [
        ("instance-id", id.as_str(), 1),
        ("instance-state-name", "running", 1),
        ("instance-state-code", "0", 6),
        ("private-ip-address", "172.31.0.4", 1),
        ("ip-address", "52.64.*", 7),
        ("instance.group-name", "default", 7),
        ("network-interface.status", "in-use", 7),
        (
            "network-interface.addresses.private-ip-address",
            "172.31.0.5",
            1,
        ),
        ("image-id", IMAGE, 7),
        ("image-id", "ami-*1", 0),
        ("tag:Name", "a", 0),
    ] {
        let request = DescribeInstancesRequest {
            filters: filter(name, &[value]),
            ..Default::default()
        };
        let found = answer!(fixture, DescribeInstances, request);
        assert_eq!(found.reservations.len(), expected, "{name}");
    }
    let page = |next_token| DescribeInstancesRequest {
        max_results: Some(5),
        next_token,
        ..Default::default()
    };
    let first = answer!(fixture, DescribeInstances, page(None));
    let second = answer!(fixture, DescribeInstances, page(first.next_token.clone()));
    let sizes = (
        first.reservations.len(),
        second.reservations.len(),
        second.next_token,
    );
    assert_eq!(sizes, (5, 2, None));
    let missing = |list: &[&str]| DescribeInstancesRequest {
        instance_ids: list.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    let both = ["i-0123456789abcdef0", "i-0123456789abcdef1"];
    let colour = DescribeInstancesRequest {
        filters: filter("network-interface.colour", &["red"]),
        ..Default::default()
    };
    let out = [
        fixture.refused(missing(&both[..1])),
        fixture.refused(missing(&both)),
        fixture.refused(missing(&["vpc-0123456789abcdef0"])),
        fixture.refused(colour),
    ];
    expect![[r#"
        InvalidInstanceID.NotFound: The instance ID 'i-0123456789abcdef0' does not exist
        InvalidInstanceID.NotFound: The instance IDs 'i-0123456789abcdef0, i-0123456789abcdef1' do not exist
        InvalidInstanceID.Malformed: Invalid id: "vpc-0123456789abcdef0" (expecting "i-...")
        InvalidFilter: The filter 'network-interface.colour' is invalid"#]].assert_eq(&out.join("\n"));
}

#[test]
fn status_and_console() {
    let mut fixture = Fixture::new();
    let id = running(&mut fixture);
    launch(&mut fixture, run(1));
    let status = answer!(
        fixture,
        DescribeInstanceStatus,
        DescribeInstanceStatusRequest::default()
    );
    let all = DescribeInstanceStatusRequest {
        include_all_instances: Some(true),
        ..Default::default()
    };
    let all = answer!(fixture, DescribeInstanceStatus, all);
    assert_eq!(
        (status.instance_statuses.len(), all.instance_statuses.len()),
        (1, 2)
    );
    let console = GetConsoleOutputRequest {
        instance_id: id,
        ..Default::default()
    };
    let console = answer!(fixture, GetConsoleOutput, console);
    expect![[r#"
        DescribeInstanceStatusResponse {
          instance_statuses: [
            InstanceStatus {
              availability_zone: "us-east-1a",
              availability_zone_id: "use1-az1",
              operator: OperatorResponse {
                managed: false,
              },
              instance_id: "i-00000000000000018",
              instance_state: InstanceState {
                code: 16,
                name: "running",
              },
              instance_status: InstanceStatusSummary {
                details: [
                  InstanceStatusDetails {
                    name: "reachability",
                    status: "passed",
                  },
                ],
                status: "ok",
              },
              system_status: InstanceStatusSummary {
                details: [
                  InstanceStatusDetails {
                    name: "reachability",
                    status: "passed",
                  },
                ],
                status: "ok",
              },
              attached_ebs_status: EbsStatusSummary {
                details: [
                  EbsStatusDetails {
                    name: "reachability",
                    status: "passed",
                  },
                ],
                status: "ok",
              },
            },
          ],
        }
        GetConsoleOutputResponse {
          instance_id: "i-00000000000000018",
          timestamp: "2024-05-01T10:00:00.000Z",
        }
    "#]]
    .assert_eq(&(show(&status) + &show(&console)));
}

#[test]
fn images_and_types() {
    let mut fixture = Fixture::new();
    let newest = DescribeImagesRequest {
        owners: vec!["amazon".into()],
        filters: filter("name", &["al2023-ami-2023.*-x86_64"]),
        ..Default::default()
    };
    let images = answer!(fixture, DescribeImages, newest);
    let types = DescribeInstanceTypesRequest {
        instance_types: vec!["t3.micro".into()],
        ..Default::default()
    };
    let types = answer!(fixture, DescribeInstanceTypes, types);
    let unknown = DescribeInstanceTypesRequest {
        instance_types: vec!["t3.huge".into()],
        ..Default::default()
    };
    let out = [show(&images), show(&types), fixture.refused(unknown)];
    expect![[r#"
        DescribeImagesResponse {
          images: [
            Image {
              platform_details: "Linux/UNIX",
              usage_operation: "RunInstances",
              description: "Amazon Linux 2023 AMI 2023.9.20250929.0 x86_64 HVM kernel-6.1",
              ena_support: true,
              hypervisor: "xen",
              image_owner_alias: "amazon",
              name: "al2023-ami-2023.9.20250929.0-kernel-6.1-x86_64",
              root_device_name: "/dev/xvda",
              root_device_type: "ebs",
              virtualization_type: "hvm",
              boot_mode: "uefi-preferred",
              image_id: "ami-0abcdef1234567890",
              image_location: "amazon/al2023-ami-2023.9.20250929.0-kernel-6.1-x86_64",
              state: "available",
              owner_id: "137112412989",
              creation_date: "2025-09-29T00:00:00.000Z",
              public: true,
              architecture: "x86_64",
              image_type: "machine",
            },
          ],
        }

        DescribeInstanceTypesResponse {
          instance_types: [
            InstanceTypeInfo {
              instance_type: "t3.micro",
              current_generation: true,
              free_tier_eligible: true,
              supported_usage_classes: [
                "on-demand",
              ],
              supported_root_device_types: [
                "ebs",
              ],
              supported_virtualization_types: [
                "hvm",
              ],
              bare_metal: false,
              hypervisor: "nitro",
              processor_info: ProcessorInfo {
                supported_architectures: [
                  "x86_64",
                ],
              },
              v_cpu_info: VCpuInfo {
                default_v_cpus: 2,
                default_cores: 1,
                default_threads_per_core: 2,
              },
              memory_info: MemoryInfo {
                size_in_mi_b: 1024,
              },
              instance_storage_supported: false,
              network_info: NetworkInfo {
                maximum_network_interfaces: 2,
                maximum_network_cards: 1,
                default_network_card_index: 0,
                network_cards: [
                  NetworkCardInfo {
                    network_card_index: 0,
                    maximum_network_interfaces: 2,
                  },
                ],
                ipv4_addresses_per_interface: 2,
                ipv6_addresses_per_interface: 2,
                ipv6_supported: true,
                ena_support: "required",
                efa_supported: false,
              },
              hibernation_supported: false,
              burstable_performance_supported: true,
              dedicated_hosts_supported: false,
              auto_recovery_supported: false,
            },
          ],
        }

        InvalidInstanceType: The following supplied instance types do not exist: [t3.huge]"#]]
    .assert_eq(&out.join("\n"));
}
