//! Tag fields and what feeds them.

use ec2_api::*;
use expect_test::expect;

use super::{describe, refusals, to_s3, with};
use crate::tests::{Fixture, answer, show, text};

fn specification(resource: &str, keys: &[&str]) -> TagFieldSpecificationRequest {
    TagFieldSpecificationRequest {
        resource_type: text(resource),
        tag_keys: keys.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn tag_fields_are_described() {
    let mut fixture = Fixture::new();
    let longest = "k".repeat(128);
    let request = with(&to_s3(&fixture), |r| {
        r.log_format = text("${instance-tag-2} ${instance-tag} ${asg-tag}");
        r.tag_field_specifications = vec![
            specification("instance", &["Name", "team"]),
            specification("auto-scaling-group", &["aws:autoscaling:groupName"]),
            // Feeds no field of the format, which AWS does not mind.
            specification("network-interface", &[&longest]),
        ];
    });
    answer!(fixture, CreateFlowLogs, request.clone());
    let described = describe(&mut fixture);
    assert_eq!(described[0].tag_field_specifications[2].tag_keys, [longest]);
    expect![[r#"
        [
          TagFieldSpecificationResponse {
            resource_type: "instance",
            tag_keys: [
              "Name",
              "team",
            ],
          },
          TagFieldSpecificationResponse {
            resource_type: "auto-scaling-group",
            tag_keys: [
              "aws:autoscaling:groupName",
            ],
          },
        ]
    "#]]
    .assert_eq(&show(&described[0].tag_field_specifications[..2].to_vec()));
    // Other keys make other records.
    let other = with(&request, |r| {
        r.tag_field_specifications[0].tag_keys.reverse();
    });
    answer!(fixture, CreateFlowLogs, other.clone());
    assert!(fixture.refused(other).starts_with("FlowLogAlreadyExists"));
}

#[test]
fn bad_specifications() {
    let mut fixture = Fixture::new();
    let s3 = to_s3(&fixture);
    let of = |format: &str, specifications: &[TagFieldSpecificationRequest]| {
        with(&s3, |r| {
            r.log_format = text(format);
            r.tag_field_specifications = specifications.to_vec();
        })
    };
    let requests = [
        of("${version} ${interface-tag}", &[]),
        of("${interface-tag}", &[specification("instance", &["a"])]),
        of(
            "${asg-tag} ${asg-tag-2}",
            &[specification("auto-scaling-group", &["a"])],
        ),
        of("${version}", &[specification("instance", &[])]),
        of("${version}", &[specification("instance", &["a", "b", "c"])]),
        of("${version}", &[specification("instance", &["a", ""])]),
        of(
            "${version}",
            &[specification("instance", &[&"k".repeat(129)])],
        ),
        of("${version}", &[specification("vpc", &["a"])]),
        of(
            "${version}",
            &[TagFieldSpecificationRequest {
                resource_type: None,
                tag_keys: vec!["a".into()],
            }],
        ),
        of(
            "${version}",
            &[
                specification("instance", &["a"]),
                specification("instance", &["b"]),
            ],
        ),
        of(
            "${version}",
            &[
                specification("instance", &["a"]),
                specification("network-interface", &["a"]),
                specification("auto-scaling-group", &["a"]),
                specification("instance", &["b"]),
            ],
        ),
    ];
    expect![[r#"
        InvalidParameter: The TagFieldSpecifications parameter must be set when including tag fields in the log format
        InvalidParameter: The field interface-tag in the log format needs a tag key in the TagFieldSpecification of resource type network-interface
        InvalidParameter: The field asg-tag-2 in the log format needs a second tag key in the TagFieldSpecification of resource type auto-scaling-group
        InvalidParameter: The TagFieldSpecification of resource type instance must have between 1 and 2 tag keys
        InvalidParameter: The TagFieldSpecification of resource type instance must have between 1 and 2 tag keys
        InvalidTagKey.Malformed: Tag keys must be between 1 and 128 characters in length
        InvalidTagKey.Malformed: Tag keys must be between 1 and 128 characters in length
        InvalidParameterValue: Value (vpc) for parameter tagFieldSpecification.resourceType is invalid. Valid values: network-interface, instance, auto-scaling-group.
        MissingParameter: The request must contain the parameter TagFieldSpecification.ResourceType
        InvalidParameter: TagFieldSpecifications may have one entry for resource type instance
        InvalidParameter: TagFieldSpecifications may have up to 3 entries"#]].assert_eq(&refusals(&mut fixture, requests));
}
