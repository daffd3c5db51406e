//! What is told of instances, images and types.

use super::*;

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
        InvalidParameterValue: The filter 'network-interface.colour' is invalid"#]].assert_eq(&out.join("\n"));
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
