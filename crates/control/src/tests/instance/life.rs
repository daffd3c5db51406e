//! From running to terminated, and attributes on the way.

use super::*;

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
    let eni = super::super::network_interface::created(&mut fixture);
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
