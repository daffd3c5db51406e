//! How instances reach their own metadata.

use super::*;

fn modify(id: &Option<String>) -> ModifyInstanceMetadataOptionsRequest {
    ModifyInstanceMetadataOptionsRequest {
        instance_id: id.clone(),
        ..Default::default()
    }
}

#[test]
fn options_are_kept_and_changed_one_by_one() {
    let mut fixture = Fixture::new();
    let id = launch(
        &mut fixture,
        RunInstancesRequest {
            metadata_options: Some(InstanceMetadataOptionsRequest {
                http_tokens: text("required"),
                http_put_response_hop_limit: Some(2),
                ..Default::default()
            }),
            ..run(1)
        },
    )
    .instance_id;
    start(&mut fixture, &id);
    let shown = |fixture: &mut Fixture| show(&described(fixture, &id).metadata_options);
    expect![[r#"
        InstanceMetadataOptionsResponse {
          state: "applied",
          http_tokens: "required",
          http_put_response_hop_limit: 2,
          http_endpoint: "enabled",
          http_protocol_ipv6: "disabled",
          instance_metadata_tags: "disabled",
        },
    "#]]
    .assert_eq(&shown(&mut fixture));
    let request = ModifyInstanceMetadataOptionsRequest {
        http_tokens: text("optional"),
        http_protocol_ipv6: text("enabled"),
        ..modify(&id)
    };
    let answer = answer!(fixture, ModifyInstanceMetadataOptions, request);
    let options = answer.instance_metadata_options.unwrap();
    assert_eq!(options.state.as_deref(), Some("pending"));
    expect![[r#"
        InstanceMetadataOptionsResponse {
          state: "applied",
          http_tokens: "optional",
          http_put_response_hop_limit: 2,
          http_endpoint: "enabled",
          http_protocol_ipv6: "enabled",
          instance_metadata_tags: "disabled",
        },
    "#]]
    .assert_eq(&shown(&mut fixture));
}

#[test]
fn bad_options_are_refused() {
    let mut fixture = Fixture::new();
    let id = running(&mut fixture);
    let with = |change: fn(&mut ModifyInstanceMetadataOptionsRequest)| {
        let mut request = modify(&id);
        change(&mut request);
        request
    };
    let requests = [
        modify(&id),
        modify(&None),
        with(|r| r.http_tokens = text("yes")),
        with(|r| r.http_endpoint = text("on")),
        with(|r| r.http_put_response_hop_limit = Some(0)),
        with(|r| r.http_put_response_hop_limit = Some(65)),
        with(|r| r.http_protocol_ipv6 = text("")),
        with(|r| r.instance_metadata_tags = text("Enabled")),
        ModifyInstanceMetadataOptionsRequest {
            http_tokens: text("required"),
            ..modify(&text("i-0000000000000dead"))
        },
    ];
    let refused: Vec<String> = requests
        .into_iter()
        .map(|request| {
            let error = fixture.run(request).unwrap_err();
            format!("{} {}: {error}\n", error.status(), error.code())
        })
        .collect();
    expect![[r#"
        400 MissingParameter: The request must contain at least one of the metadata options.
        400 MissingParameter: The request must contain the parameter InstanceId
        400 InvalidParameterValue: Value (yes) for parameter HttpTokens is invalid. Valid values: optional, required.
        400 InvalidParameterValue: Value (on) for parameter HttpEndpoint is invalid. Valid values: disabled, enabled.
        400 InvalidParameterValue: Value (0) for parameter HttpPutResponseHopLimit is invalid. The value must be an integer from 1 to 64.
        400 InvalidParameterValue: Value (65) for parameter HttpPutResponseHopLimit is invalid. The value must be an integer from 1 to 64.
        400 InvalidParameterValue: Value () for parameter HttpProtocolIpv6 is invalid. Valid values: disabled, enabled.
        400 InvalidParameterValue: Value (Enabled) for parameter InstanceMetadataTags is invalid. Valid values: disabled, enabled.
        400 InvalidInstanceID.NotFound: The instance ID 'i-0000000000000dead' does not exist
    "#]].assert_eq(&refused.concat());
}
