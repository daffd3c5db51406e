//! Formats, as requests give them.

use ec2_api::*;
use expect_test::expect;

use super::{describe, refusals, to_s3, with};
use crate::tests::{Fixture, answer, text};

fn parquet() -> Option<DestinationOptionsRequest> {
    Some(DestinationOptionsRequest {
        file_format: text("parquet"),
        hive_compatible_partitions: Some(true),
        per_hour_partition: Some(true),
    })
}

#[test]
fn bad_formats() {
    let mut fixture = Fixture::new();
    let s3 = to_s3(&fixture);
    let of = |format: &str| with(&s3, |r| r.log_format = text(format));
    let requests = [
        of(""),
        of("${version} "),
        of("${version}  ${end}"),
        of("version end"),
        of("${pkt_srcaddr}"),
        of("'${version}"),
        of("''${version}''"),
        of("${version} ${colour} ${end} ${tgw-id}"),
        // A field of transit gateways alone.
        of("${packets-lost-no-route}"),
        of("${instance-tag} ${colour}"),
        of("${instance-tag}"),
        with(&of("${version} ${end} ${version}"), |r| {
            r.destination_options = parquet();
        }),
    ];
    expect![[r#"
        InvalidParameterValue: 1 validation error detected: Value '' at 'logFormat' has an invalid format
        InvalidParameterValue: 1 validation error detected: Value '${version} ' at 'logFormat' has an invalid format
        InvalidParameterValue: 1 validation error detected: Value '${version}  ${end}' at 'logFormat' has an invalid format
        InvalidParameterValue: 1 validation error detected: Value 'version end' at 'logFormat' has an invalid format
        InvalidParameterValue: 1 validation error detected: Value '${pkt_srcaddr}' at 'logFormat' has an invalid format
        InvalidParameterValue: 1 validation error detected: Value ''${version}' at 'logFormat' has an invalid format
        InvalidParameterValue: 1 validation error detected: Value '''${version}''' at 'logFormat' has an invalid format
        InvalidParameter: Unknown fields provided in LogFormat: [colour, tgw-id]
        InvalidParameter: Unknown fields provided in LogFormat: [packets-lost-no-route]
        InvalidParameter: Unknown fields provided in LogFormat: [colour]
        InvalidParameter: The TagFieldSpecifications parameter must be set when including tag fields in the log format
        InvalidParameter: Duplicate fields provided in LogFormat: [version]. FileFormat parquet allows a field once."#]].assert_eq(&refusals(&mut fixture, requests));
}

#[test]
fn any_field_in_any_order() {
    let mut fixture = Fixture::new();
    let mut fields: Vec<_> = model::FlowLogField::ALL
        .iter()
        .map(|f| format!("${{{f}}}"))
        .collect();
    fields.reverse();
    let all = fields.join(" ");
    let specification = |resource: &str| TagFieldSpecificationRequest {
        resource_type: text(resource),
        tag_keys: vec!["Name".into(), "team".into()],
    };
    let s3 = with(&to_s3(&fixture), |r| {
        r.tag_field_specifications = vec![
            specification("instance"),
            specification("network-interface"),
            specification("auto-scaling-group"),
        ];
    });
    let formats = [
        (all.clone(), all.clone()),
        (format!("'{all}'"), all.clone()),
        // Text can hold a field twice.
        (
            "${end} ${start} ${end}".into(),
            "${end} ${start} ${end}".into(),
        ),
    ];
    for (given, kept) in formats {
        let request = with(&s3, |r| r.log_format = text(&given));
        let id = answer!(fixture, CreateFlowLogs, request).flow_log_ids;
        assert_eq!(describe(&mut fixture)[0].log_format, Some(kept));
        let delete = DeleteFlowLogsRequest {
            flow_log_ids: id,
            ..Default::default()
        };
        answer!(fixture, DeleteFlowLogs, delete);
    }
    let request = with(&s3, |r| {
        r.log_format = text(&all);
        r.destination_options = parquet();
    });
    answer!(fixture, CreateFlowLogs, request);
    let options = describe(&mut fixture)[0]
        .destination_options
        .clone()
        .unwrap();
    assert_eq!(options.file_format.as_deref(), Some("parquet"));
    assert_eq!(options.hive_compatible_partitions, Some(true));
    assert_eq!(options.per_hour_partition, Some(true));
}
