//! Tags.

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, show, text};

fn tag(key: &str, value: Option<&str>) -> Tag {
    Tag {
        key: text(key),
        value: value.map(str::to_owned),
    }
}

fn create(resources: &[String], tags: &[Tag]) -> CreateTagsRequest {
    CreateTagsRequest {
        resources: resources.to_vec(),
        tags: tags.to_vec(),
        ..Default::default()
    }
}

fn delete(resources: &[String], tags: &[Tag]) -> DeleteTagsRequest {
    DeleteTagsRequest {
        resources: resources.to_vec(),
        tags: tags.to_vec(),
        ..Default::default()
    }
}

fn listed(fixture: &mut Fixture) -> String {
    let answer = answer!(fixture, DescribeTags, DescribeTagsRequest::default());
    let line = |t: &TagDescription| {
        let values = [&t.resource_id, &t.resource_type, &t.key, &t.value];
        values.map(|v| v.clone().unwrap()).join(" ")
    };
    answer.tags.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// One id of everything that can carry tags.
fn everything(fixture: &mut Fixture) -> Vec<String> {
    let id = super::instance::running(fixture).unwrap();
    answer!(fixture, AllocateAddress, AllocateAddressRequest::default());
    let state = fixture.state();
    let vpc_id = state.default_vpc().unwrap().id.to_string();
    let group = state.security_groups.values().next().unwrap();
    let ids = vec![
        vpc_id.clone(),
        state.subnets.values().next().unwrap().id.to_string(),
        state.route_tables.values().next().unwrap().id.to_string(),
        state
            .internet_gateways
            .values()
            .next()
            .unwrap()
            .id
            .to_string(),
        group.id.to_string(),
        group.rules[0].id.to_string(),
        state.network_acls.values().next().unwrap().id.to_string(),
        state
            .network_interfaces
            .values()
            .next()
            .unwrap()
            .id
            .to_string(),
        state
            .addresses
            .values()
            .next()
            .unwrap()
            .allocation_id
            .to_string(),
        state.dhcp_options.values().next().unwrap().id.to_string(),
        id,
    ];
    let flow_log = CreateFlowLogsRequest {
        resource_ids: vec![vpc_id],
        resource_type: text("VPC"),
        traffic_type: text("ALL"),
        log_destination_type: text("s3"),
        log_destination: text("arn:aws:s3:::records"),
        ..Default::default()
    };
    let flow_log = answer!(fixture, CreateFlowLogs, flow_log).flow_log_ids;
    ids.into_iter().chain(flow_log).collect()
}

#[test]
fn everything_can_be_tagged() {
    let mut fixture = Fixture::new();
    let ids = everything(&mut fixture);
    answer!(fixture, CreateTags, create(&ids, &[tag("Name", Some("a"))]));
    expect![[r#"
        acl-00000000000000006 network-acl Name a
        dopt-00000000000000001 dhcp-options Name a
        eipalloc-0000000000000001e elastic-ip Name a
        eni-00000000000000019 network-interface Name a
        fl-0000000000000001f vpc-flow-log Name a
        i-00000000000000018 instance Name a
        igw-0000000000000000a internet-gateway Name a
        rtb-00000000000000004 route-table Name a
        sg-00000000000000007 security-group Name a
        sgr-00000000000000008 security-group-rule Name a
        subnet-0000000000000000b subnet Name a
        vpc-00000000000000002 vpc Name a"#]]
    .assert_eq(&listed(&mut fixture));
    answer!(fixture, DeleteTags, delete(&ids, &[]));
    assert_eq!(listed(&mut fixture), "");
}

#[test]
fn tags_are_replaced_and_deleted() {
    let mut fixture = Fixture::new();
    let id = [fixture.state().default_vpc().unwrap().id.to_string()];
    let tags = [
        tag("a", Some("1")),
        tag("b", Some("2")),
        tag("c", None),
        tag("d", Some("4")),
    ];
    answer!(fixture, CreateTags, create(&id, &tags));
    answer!(fixture, CreateTags, create(&id, &[tag("a", Some("one"))]));
    let goes_or_stays = [
        tag("a", Some("1")),
        tag("b", None),
        tag("c", Some("")),
        tag("d", Some("")),
        tag("e", None),
    ];
    answer!(fixture, DeleteTags, delete(&id, &goes_or_stays));
    expect![[r#"
        vpc-00000000000000002 vpc a one
        vpc-00000000000000002 vpc d 4"#]]
    .assert_eq(&listed(&mut fixture));
    for (name, value, expected) in [
        ("key", "a", 1),
        ("value", "4", 1),
        ("resource-id", "vpc-*", 2),
        ("resource-type", "subnet", 0),
        ("tag:a", "one", 1),
    ] {
        let request = DescribeTagsRequest {
            filters: filter(name, &[value]),
            ..Default::default()
        };
        assert_eq!(
            answer!(fixture, DescribeTags, request).tags.len(),
            expected,
            "{name}"
        );
    }
}

#[test]
fn refusals() {
    let mut fixture = Fixture::new();
    let id = [fixture.state().default_vpc().unwrap().id.to_string()];
    let named = |name: &str| [name.to_owned()];
    let a = [tag("a", Some("1"))];
    let many: Vec<_> = (0..51).map(|n| tag(&n.to_string(), None)).collect();
    let out = [
        fixture.refused(create(&[], &a)),
        fixture.refused(create(&id, &[])),
        fixture.refused(create(&named("nonsense"), &a)),
        fixture.refused(create(&named("rtbassoc-0123456789abcdef0"), &a)),
        fixture.refused(create(&named("vpc-0123456789abcdef0"), &a)),
        fixture.refused(create(&named("sgr-0123456789abcdef0"), &a)),
        fixture.refused(create(&id, &[tag("AWS:a", None)])),
        fixture.refused(create(&id, &[tag("", None)])),
        fixture.refused(create(&id, &[tag(&"k".repeat(129), None)])),
        fixture.refused(create(&id, &[tag("a", Some(&"v".repeat(257)))])),
        fixture.refused(create(&id, &many)),
        fixture.refused(delete(&[], &a)),
    ];
    expect![[r#"
        MissingParameter: The request must contain the parameter ResourceId
        MissingParameter: The request must contain the parameter Tag
        InvalidID: The ID 'nonsense' is not valid
        InvalidID: The ID 'rtbassoc-0123456789abcdef0' is not valid
        InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist
        InvalidSecurityGroupRuleId.NotFound: The security group rule ID 'sgr-0123456789abcdef0' does not exist
        InvalidParameterValue: Tag keys starting with 'aws:' are reserved for internal use
        InvalidTagKey.Malformed: Tag keys must be between 1 and 128 characters in length
        InvalidTagKey.Malformed: Tag keys must be between 1 and 128 characters in length
        InvalidParameterValue: Tag value exceeds the maximum length of 256 characters
        TagLimitExceeded: The maximum number of Tags for a resource has been reached.
        MissingParameter: The request must contain the parameter ResourceId"#]].assert_eq(&out.join("\n"));
    assert_eq!(listed(&mut fixture), "");
}

#[test]
fn pages_of_tags() {
    let mut fixture = Fixture::new();
    let id = [fixture.state().default_vpc().unwrap().id.to_string()];
    let tags: Vec<_> = (0..7).map(|n| tag(&n.to_string(), None)).collect();
    answer!(fixture, CreateTags, create(&id, &tags));
    let page = |next_token| DescribeTagsRequest {
        max_results: Some(5),
        next_token,
        ..Default::default()
    };
    let first = answer!(fixture, DescribeTags, page(None));
    let second = answer!(fixture, DescribeTags, page(first.next_token));
    assert_eq!((first.tags.len(), second.tags.len()), (5, 2));
    assert_eq!(show(&second.next_token), "None\n");
}
