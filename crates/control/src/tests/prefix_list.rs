//! Prefix lists.

use std::time::Duration;

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, named, show, text};
use crate::Event;

fn entry(cidr: &str) -> AddPrefixListEntry {
    AddPrefixListEntry {
        cidr: text(cidr),
        description: None,
    }
}

fn entries(cidrs: &[&str]) -> Vec<AddPrefixListEntry> {
    cidrs.iter().map(|cidr| entry(cidr)).collect()
}

fn removals(cidrs: &[&str]) -> Vec<RemovePrefixListEntry> {
    let removal = |cidr: &&str| RemovePrefixListEntry { cidr: text(cidr) };
    cidrs.iter().map(removal).collect()
}

fn create(name: &str, max_entries: i32, cidrs: &[&str]) -> CreateManagedPrefixListRequest {
    CreateManagedPrefixListRequest {
        prefix_list_name: text(name),
        max_entries: Some(max_entries),
        address_family: text("IPv4"),
        entries: entries(cidrs),
        ..Default::default()
    }
}

/// A list whose creation is over.
fn list(fixture: &mut Fixture, max_entries: i32, cidrs: &[&str]) -> Option<String> {
    let request = create("corp", max_entries, cidrs);
    let created = answer!(fixture, CreateManagedPrefixList, request);
    settle(fixture);
    created.prefix_list.unwrap().prefix_list_id
}

fn settle(fixture: &mut Fixture) {
    fixture.now = fixture.now + Duration::from_secs(1);
}

fn modify(id: &Option<String>) -> ModifyManagedPrefixListRequest {
    ModifyManagedPrefixListRequest {
        prefix_list_id: id.clone(),
        ..Default::default()
    }
}

fn delete(id: &Option<String>) -> DeleteManagedPrefixListRequest {
    DeleteManagedPrefixListRequest {
        prefix_list_id: id.clone(),
        dry_run: None,
    }
}

fn describe(fixture: &mut Fixture, id: &Option<String>) -> ManagedPrefixList {
    let request = DescribeManagedPrefixListsRequest {
        prefix_list_ids: id.iter().cloned().collect(),
        ..Default::default()
    };
    answer!(fixture, DescribeManagedPrefixLists, request)
        .prefix_lists
        .remove(0)
}

/// The blocks of a version, in its order.
fn cidrs(fixture: &mut Fixture, id: &Option<String>, version: Option<i64>) -> Vec<String> {
    let request = GetManagedPrefixListEntriesRequest {
        prefix_list_id: id.clone(),
        target_version: version,
        ..Default::default()
    };
    let entries = answer!(fixture, GetManagedPrefixListEntries, request).entries;
    entries.into_iter().filter_map(|e| e.cidr).collect()
}

fn state(fixture: &mut Fixture, id: &Option<String>) -> String {
    let list = describe(fixture, id);
    format!("{} v{}", list.state.unwrap(), list.version.unwrap())
}

#[test]
fn a_list_is_made_and_described() {
    let mut fixture = Fixture::new();
    let request = CreateManagedPrefixListRequest {
        tag_specifications: named("prefix-list", "a"),
        client_token: text("once"),
        entries: vec![AddPrefixListEntry {
            description: text("office"),
            ..entry("198.51.100.7/24")
        }],
        ..create("corp", 3, &[])
    };
    let created = answer!(fixture, CreateManagedPrefixList, request.clone());
    assert_eq!(answer!(fixture, CreateManagedPrefixList, request), created);
    expect![[r#"
        CreateManagedPrefixListResponse {
          prefix_list: ManagedPrefixList {
            prefix_list_id: "pl-00000000000000017",
            address_family: "IPv4",
            state: "create-in-progress",
            prefix_list_arn: "arn:aws:ec2:us-east-1:111122223333:prefix-list/pl-00000000000000017",
            prefix_list_name: "corp",
            max_entries: 3,
            version: 1,
            tags: [
              Tag {
                key: "Name",
                value: "a",
              },
            ],
            owner_id: "111122223333",
          },
        }
    "#]]
    .assert_eq(&show(&created));
    settle(&mut fixture);
    let id = created.prefix_list.unwrap().prefix_list_id;
    assert_eq!(state(&mut fixture, &id), "create-complete v1");
    let request = GetManagedPrefixListEntriesRequest {
        prefix_list_id: id,
        ..Default::default()
    };
    expect![[r#"
        GetManagedPrefixListEntriesResponse {
          entries: [
            PrefixListEntry {
              cidr: "198.51.100.0/24",
              description: "office",
            },
          ],
        }
    "#]]
    .assert_eq(&show(&answer!(
        fixture,
        GetManagedPrefixListEntries,
        request
    )));
}

#[test]
fn lists_of_aws_are_there_too() {
    let mut fixture = Fixture::new();
    list(&mut fixture, 1, &[]);
    let mut names = |filters: Vec<Filter>| -> Vec<String> {
        let request = DescribeManagedPrefixListsRequest {
            filters,
            ..Default::default()
        };
        let lists = answer!(fixture, DescribeManagedPrefixLists, request).prefix_lists;
        lists
            .into_iter()
            .filter_map(|l| l.prefix_list_name)
            .collect()
    };
    let (s3, dynamodb) = (
        "com.amazonaws.us-east-1.s3",
        "com.amazonaws.us-east-1.dynamodb",
    );
    assert_eq!(names(vec![]), ["corp", dynamodb, s3]);
    assert_eq!(names(filter("owner-id", &["AWS"])), [dynamodb, s3]);
    assert_eq!(names(filter("prefix-list-name", &["*.s3"])), [s3]);
    assert_eq!(
        names(filter("prefix-list-id", &["pl-02cd2c6b"])),
        [dynamodb]
    );
    expect![[r#"
        ManagedPrefixList {
          prefix_list_id: "pl-63a5400a",
          address_family: "IPv4",
          state: "create-complete",
          prefix_list_arn: "arn:aws:ec2:us-east-1:aws:prefix-list/pl-63a5400a",
          prefix_list_name: "com.amazonaws.us-east-1.s3",
          owner_id: "AWS",
        }
    "#]]
    .assert_eq(&show(&describe(&mut fixture, &text("pl-63a5400a"))));
    let request = DescribePrefixListsRequest {
        filters: filter("prefix-list-name", &[s3]),
        ..Default::default()
    };
    expect![[r#"
        DescribePrefixListsResponse {
          prefix_lists: [
            PrefixList {
              cidrs: [
                "3.5.0.0/19",
                "52.216.0.0/15",
                "54.231.0.0/16",
              ],
              prefix_list_id: "pl-63a5400a",
              prefix_list_name: "com.amazonaws.us-east-1.s3",
            },
          ],
        }
    "#]]
    .assert_eq(&show(&answer!(fixture, DescribePrefixLists, request)));
    assert_eq!(cidrs(&mut fixture, &text("pl-02cd2c6b"), None).len(), 4);
}

#[test]
fn versions_count_up_and_can_be_restored() {
    let mut fixture = Fixture::new();
    let id = list(&mut fixture, 4, &["10.1.0.0/16", "10.2.0.0/16"]);
    let changes = ModifyManagedPrefixListRequest {
        current_version: Some(1),
        add_entries: entries(&["10.3.0.0/16", "10.2.0.0/17"]),
        remove_entries: removals(&["10.1.0.0/16"]),
        ..modify(&id)
    };
    let changed = answer!(fixture, ModifyManagedPrefixList, changes.clone());
    assert_eq!(
        changed.prefix_list.unwrap().state.as_deref(),
        Some("modify-in-progress")
    );
    settle(&mut fixture);
    assert_eq!(state(&mut fixture, &id), "modify-complete v2");
    let rename = ModifyManagedPrefixListRequest {
        prefix_list_name: text("head office"),
        max_entries: Some(5),
        ..modify(&id)
    };
    fixture.run(rename).unwrap();
    settle(&mut fixture);
    let renamed = describe(&mut fixture, &id);
    assert_eq!(renamed.version, Some(2));
    assert_eq!(renamed.max_entries, Some(5));
    assert_eq!(renamed.prefix_list_name.as_deref(), Some("head office"));
    assert_eq!(
        cidrs(&mut fixture, &id, None),
        ["10.2.0.0/16", "10.3.0.0/16", "10.2.0.0/17"]
    );
    assert_eq!(
        cidrs(&mut fixture, &id, Some(1)),
        ["10.1.0.0/16", "10.2.0.0/16"]
    );
    let restore = RestoreManagedPrefixListVersionRequest {
        prefix_list_id: id.clone(),
        previous_version: Some(1),
        current_version: Some(2),
        dry_run: None,
    };
    let restored = answer!(fixture, RestoreManagedPrefixListVersion, restore.clone());
    assert_eq!(
        restored.prefix_list.unwrap().state.as_deref(),
        Some("restore-in-progress")
    );
    settle(&mut fixture);
    assert_eq!(state(&mut fixture, &id), "restore-complete v3");
    assert_eq!(
        cidrs(&mut fixture, &id, None),
        ["10.1.0.0/16", "10.2.0.0/16"]
    );
    let mut out = String::new();
    for restore in [
        restore.clone(),
        RestoreManagedPrefixListVersionRequest {
            previous_version: Some(9),
            current_version: Some(3),
            ..restore.clone()
        },
        RestoreManagedPrefixListVersionRequest {
            previous_version: None,
            ..restore
        },
    ] {
        out += &format!("{}\n", fixture.refused(restore));
    }
    out += &fixture.refused(changes);
    expect![[r#"
        PrefixListVersionMismatch: The prefix list has the incorrect version number.
        InvalidParameterValue: The specified value for version (9) is not valid. Prefix list pl-00000000000000017 has the versions 1 to 3.
        MissingParameter: The request must contain the parameter PreviousVersion
        PrefixListVersionMismatch: The prefix list has the incorrect version number."#]].assert_eq(&out);
}

#[test]
fn creation_is_refused() {
    let mut fixture = Fixture::new();
    let many: Vec<String> = (0..101).map(|i| format!("10.{i}.0.0/16")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut out = String::new();
    for request in [
        CreateManagedPrefixListRequest {
            prefix_list_name: None,
            ..create("a", 1, &[])
        },
        CreateManagedPrefixListRequest {
            max_entries: None,
            ..create("a", 1, &[])
        },
        CreateManagedPrefixListRequest {
            address_family: None,
            ..create("a", 1, &[])
        },
        CreateManagedPrefixListRequest {
            address_family: text("ipv4"),
            ..create("a", 1, &[])
        },
        create("com.amazonaws.mine", 1, &[]),
        create("", 1, &[]),
        create(&"n".repeat(256), 1, &[]),
        create("a", 0, &[]),
        create("a", 1001, &[]),
        create("a", 1, &["10.1.0.0/16", "10.2.0.0/16"]),
        create("a", 2, &["10.1.0.0/16", "10.1.9.9/16"]),
        create("a", 2, &["2001:db8::/32"]),
        create("a", 2, &["10.1.0.0"]),
        create("a", 1000, &many),
        CreateManagedPrefixListRequest {
            entries: vec![AddPrefixListEntry {
                cidr: text("10.1.0.0/16"),
                description: text("d".repeat(256)),
            }],
            ..create("a", 1, &[])
        },
        CreateManagedPrefixListRequest {
            tag_specifications: named("vpc", "a"),
            ..create("a", 1, &[])
        },
        CreateManagedPrefixListRequest {
            dry_run: Some(true),
            ..create("a", 1, &["10.1.0.0/16"])
        },
    ] {
        out += &format!(
            "{}\n",
            fixture
                .refused(request)
                .replace(&"n".repeat(256), "n…")
                .replace(&"d".repeat(256), "d…")
        );
    }
    fixture.quotas.prefix_lists = 1;
    fixture.run(create("a", 1, &[])).unwrap();
    out += &fixture.refused(create("b", 1, &[]));
    expect![[r#"
        MissingParameter: The request must contain the parameter PrefixListName
        MissingParameter: The request must contain the parameter MaxEntries
        MissingParameter: The request must contain the parameter AddressFamily
        InvalidParameterValue: Value (ipv4) for parameter AddressFamily is invalid. Valid values: IPv4, IPv6.
        InvalidParameterValue: Value (com.amazonaws.mine) for parameter PrefixListName is invalid. The name cannot start with com.amazonaws.
        InvalidParameterValue: Value () for parameter PrefixListName is invalid. The name may have between 1 and 255 characters.
        InvalidParameterValue: Value (n…) for parameter PrefixListName is invalid. The name may have between 1 and 255 characters.
        InvalidParameterValue: Must specify a max size between 1 and 1000
        InvalidParameterValue: Must specify a max size between 1 and 1000
        PrefixListMaxEntriesExceeded: The prefix list would have 2 entries, more than its maximum of 1.
        InvalidParameterValue: Request cannot contain duplicate Cidr 10.1.0.0/16
        InvalidParameterValue: Value (2001:db8::/32) for parameter Cidr is invalid. This is not a valid CIDR block.
        InvalidParameterValue: Value (10.1.0.0) for parameter Cidr is invalid. This is not a valid CIDR block.
        InvalidParameterValue: The number of entries per request cannot exceeds limit (100).
        InvalidParameterValue: Value (d…) for parameter Description is invalid. A description may have up to 255 characters.
        InvalidParameterValue: 'vpc' is not a valid taggable resource type for this operation.
        DryRunOperation: Request would have succeeded, but DryRun flag is set.
        PrefixListLimitExceeded: The maximum number of prefix lists has been reached."#]].assert_eq(&out);
}

#[test]
fn modification_is_refused() {
    let mut fixture = Fixture::new();
    let id = list(&mut fixture, 2, &["10.1.0.0/16"]);
    let many: Vec<String> = (0..101).map(|i| format!("10.{i}.0.0/16")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut out = String::new();
    let mut refused = |fixture: &mut Fixture, request: Request| {
        out += &fixture.refused(request);
        out += "\n";
    };
    for request in [
        modify(&None),
        modify(&text("pl-1")),
        modify(&text("pl-0123456789abcdef0")),
        modify(&id),
        ModifyManagedPrefixListRequest {
            add_entries: entries(&["10.2.0.0/16"]),
            max_entries: Some(5),
            ..modify(&id)
        },
        ModifyManagedPrefixListRequest {
            add_entries: entries(&["10.2.0.0/16"]),
            current_version: Some(7),
            ..modify(&id)
        },
        ModifyManagedPrefixListRequest {
            add_entries: entries(&["10.2.0.0/16"]),
            remove_entries: removals(&["10.2.0.0/16"]),
            ..modify(&id)
        },
        ModifyManagedPrefixListRequest {
            remove_entries: removals(&["10.2.0.0/16"]),
            ..modify(&id)
        },
        ModifyManagedPrefixListRequest {
            add_entries: entries(&["10.1.0.0/16"]),
            ..modify(&id)
        },
        ModifyManagedPrefixListRequest {
            add_entries: entries(&["10.2.0.0/16", "10.3.0.0/16"]),
            ..modify(&id)
        },
        ModifyManagedPrefixListRequest {
            add_entries: entries(&many),
            ..modify(&id)
        },
        ModifyManagedPrefixListRequest {
            remove_entries: removals(&many),
            ..modify(&id)
        },
        ModifyManagedPrefixListRequest {
            prefix_list_name: text("com.amazonaws.s3"),
            ..modify(&id)
        },
        ModifyManagedPrefixListRequest {
            max_entries: Some(1001),
            ..modify(&id)
        },
        ModifyManagedPrefixListRequest {
            ipam_prefix_list_resolver_sync_enabled: Some(true),
            ..modify(&id)
        },
        ModifyManagedPrefixListRequest {
            prefix_list_name: text("mine"),
            ..modify(&text("pl-63a5400a"))
        },
        // AWS's list of another Region.
        ModifyManagedPrefixListRequest {
            prefix_list_name: text("mine"),
            ..modify(&text("pl-68a54001"))
        },
    ] {
        refused(&mut fixture, request.into());
    }
    refused(&mut fixture, delete(&text("pl-02cd2c6b")).into());
    let grow = ModifyManagedPrefixListRequest {
        add_entries: entries(&["10.2.0.0/16"]),
        ..modify(&id)
    };
    fixture.run(grow.clone()).unwrap();
    // Nothing else until that is over.
    refused(&mut fixture, grow.into());
    refused(&mut fixture, delete(&id).into());
    settle(&mut fixture);
    let shrink = ModifyManagedPrefixListRequest {
        max_entries: Some(1),
        ..modify(&id)
    };
    refused(&mut fixture, shrink.into());
    let entries = |version| GetManagedPrefixListEntriesRequest {
        prefix_list_id: id.clone(),
        target_version: Some(version),
        ..Default::default()
    };
    refused(&mut fixture, entries(0).into());
    refused(&mut fixture, entries(3).into());
    let of_aws = GetManagedPrefixListEntriesRequest {
        prefix_list_id: text("pl-63a5400a"),
        ..entries(1)
    };
    refused(&mut fixture, of_aws.into());
    let unknown = DescribePrefixListsRequest {
        prefix_list_ids: id.iter().cloned().collect(),
        ..Default::default()
    };
    refused(&mut fixture, unknown.into());
    let unknown = DescribeManagedPrefixListsRequest {
        prefix_list_ids: vec!["pl-0123456789abcdef0".to_owned()],
        ..Default::default()
    };
    refused(&mut fixture, unknown.into());
    let unknown = GetManagedPrefixListAssociationsRequest {
        prefix_list_id: text("pl-0123456789abcdef0"),
        ..Default::default()
    };
    refused(&mut fixture, unknown.into());
    expect![[r#"
        MissingParameter: The request must contain the parameter PrefixListId
        InvalidPrefixListId.Malformed: Invalid id: "pl-1" (expecting "pl-...")
        InvalidPrefixListID.NotFound: The prefix list ID 'pl-0123456789abcdef0' does not exist
        InvalidRequest: The request received was invalid.
        InvalidParameterCombination: You cannot modify the entries of a prefix list and update the size of a prefix list at the same time.
        PrefixListVersionMismatch: The prefix list has the incorrect version number.
        InvalidParameterValue: Request cannot contain Cidr 10.2.0.0/16 in both AddPrefixListEntries and RemovePrefixListEntries
        InvalidPrefixListModification: The prefix list entry 10.2.0.0/16 does not exist.
        InvalidPrefixListModification: The prefix list entry 10.1.0.0/16 already exists.
        PrefixListMaxEntriesExceeded: The prefix list would have 3 entries, more than its maximum of 2.
        InvalidParameterValue: Request cannot contain more than 100 entry additions or removals
        InvalidParameterValue: Request cannot contain more than 100 entry additions or removals
        InvalidParameterValue: Value (com.amazonaws.s3) for parameter PrefixListName is invalid. The name cannot start with com.amazonaws.
        InvalidParameterValue: Must specify a max size between 1 and 1000
        UnsupportedOperation: The parameter ipamPrefixListResolverSyncEnabled is not supported.
        OperationNotPermitted: The prefix list pl-63a5400a (com.amazonaws.us-east-1.s3) is managed by AWS and cannot be changed.
        InvalidPrefixListID.NotFound: The prefix list ID 'pl-68a54001' does not exist
        OperationNotPermitted: The prefix list pl-02cd2c6b (com.amazonaws.us-east-1.dynamodb) is managed by AWS and cannot be changed.
        IncorrectState: The request cannot be completed because prefix list pl-00000000000000017 is in the current state (modify-in-progress).
        IncorrectState: The request cannot be completed because prefix list pl-00000000000000017 is in the current state (modify-in-progress).
        PrefixListMaxEntriesExceeded: The prefix list would have 2 entries, more than its maximum of 1.
        InvalidParameterValue: The specified value for version (0) is not valid. Prefix list pl-00000000000000017 has the versions 1 to 2.
        InvalidParameterValue: The specified value for version (3) is not valid. Prefix list pl-00000000000000017 has the versions 1 to 2.
        InvalidParameterValue: The prefix list com.amazonaws.us-east-1.s3 has no versions.
        InvalidPrefixListId.NotFound: The prefix list ID 'pl-00000000000000017' does not exist
        InvalidPrefixListID.NotFound: The prefix list ID 'pl-0123456789abcdef0' does not exist
        InvalidPrefixListID.NotFound: The prefix list ID 'pl-0123456789abcdef0' does not exist
    "#]].assert_eq(&out);
}

#[test]
fn entries_and_lists_come_in_pages() {
    let mut fixture = Fixture::new();
    let blocks: Vec<String> = (0..7).rev().map(|i| format!("10.{i}.0.0/16")).collect();
    let texts: Vec<&str> = blocks.iter().map(String::as_str).collect();
    let id = list(&mut fixture, 10, &texts);
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let request = GetManagedPrefixListEntriesRequest {
            prefix_list_id: id.clone(),
            max_results: Some(3),
            next_token: token,
            ..Default::default()
        };
        let page = answer!(fixture, GetManagedPrefixListEntries, request);
        seen.extend(page.entries.into_iter().filter_map(|e| e.cidr));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, blocks);
    let request = DescribeManagedPrefixListsRequest {
        max_results: Some(101),
        ..Default::default()
    };
    assert!(
        fixture
            .refused(request)
            .starts_with("InvalidParameterValue")
    );
}

/// A group in the default VPC, and that VPC's main route table.
fn users(fixture: &mut Fixture) -> (Option<String>, Option<String>) {
    let request = CreateSecurityGroupRequest {
        group_name: text("web"),
        description: text("web"),
        ..Default::default()
    };
    let group = answer!(fixture, CreateSecurityGroup, request).group_id;
    let vpc_id = fixture.state().default_vpc().unwrap().id;
    let table = fixture.state().main_route_table(vpc_id).unwrap().id;
    (group, text(table))
}

fn rule(group_id: &Option<String>, list: &Option<String>) -> AuthorizeSecurityGroupIngressRequest {
    AuthorizeSecurityGroupIngressRequest {
        group_id: group_id.clone(),
        ip_permissions: vec![IpPermission {
            ip_protocol: text("tcp"),
            from_port: Some(443),
            to_port: Some(443),
            prefix_list_ids: vec![PrefixListId {
                prefix_list_id: list.clone(),
                description: text("list"),
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn route(fixture: &Fixture, table: &Option<String>, list: &Option<String>) -> CreateRouteRequest {
    let gateway = fixture.state().internet_gateways.values().next().unwrap();
    CreateRouteRequest {
        route_table_id: table.clone(),
        destination_prefix_list_id: list.clone(),
        gateway_id: text(gateway.id),
        ..Default::default()
    }
}

#[test]
fn rules_and_routes_name_lists() {
    let mut fixture = Fixture::new();
    let id = list(&mut fixture, 20, &["198.51.100.0/24"]);
    let (group, table) = users(&mut fixture);
    let authorized = answer!(fixture, AuthorizeSecurityGroupIngress, rule(&group, &id));
    let mut out = show(&authorized.security_group_rules);
    let create = route(&fixture, &table, &id);
    fixture.run(create.clone()).unwrap();
    let request = DescribeRouteTablesRequest {
        filters: filter("route.destination-prefix-list-id", &["pl-*"]),
        ..Default::default()
    };
    let tables = answer!(fixture, DescribeRouteTables, request).route_tables;
    out += &show(tables[0].routes.last().unwrap());
    let request = DescribeSecurityGroupsRequest {
        filters: filter("ip-permission.prefix-list-id", &["pl-*"]),
        ..Default::default()
    };
    let groups = answer!(fixture, DescribeSecurityGroups, request).security_groups;
    out += &show(&groups[0].ip_permissions);
    let request = GetManagedPrefixListAssociationsRequest {
        prefix_list_id: id.clone(),
        ..Default::default()
    };
    out += &show(&answer!(fixture, GetManagedPrefixListAssociations, request));
    let mut refused = |fixture: &mut Fixture, request: Request| {
        out += &fixture.refused(request);
        out += "\n";
    };
    refused(&mut fixture, rule(&group, &id).into());
    refused(
        &mut fixture,
        rule(&group, &text("pl-0123456789abcdef0")).into(),
    );
    // AWS's list of another Region.
    refused(&mut fixture, rule(&group, &text("pl-68a54001")).into());
    refused(&mut fixture, delete(&id).into());
    let revoke = RevokeSecurityGroupIngressRequest {
        group_id: group.clone(),
        ip_permissions: rule(&group, &id).ip_permissions,
        ..Default::default()
    };
    let revoked = answer!(fixture, RevokeSecurityGroupIngress, revoke);
    assert_eq!(revoked.revoked_security_group_rules[0].prefix_list_id, id);
    refused(&mut fixture, delete(&id).into());
    let remove = DeleteRouteRequest {
        route_table_id: table.clone(),
        destination_prefix_list_id: id.clone(),
        ..Default::default()
    };
    fixture.run(remove.clone()).unwrap();
    refused(&mut fixture, remove.into());
    let deleted = answer!(fixture, DeleteManagedPrefixList, delete(&id));
    assert_eq!(
        deleted.prefix_list.unwrap().state.as_deref(),
        Some("delete-in-progress")
    );
    refused(&mut fixture, rule(&group, &id).into());
    refused(&mut fixture, create.into());
    settle(&mut fixture);
    refused(&mut fixture, modify(&id).into());
    fixture.observe(&Event::Tick).unwrap();
    assert!(fixture.state().prefix_lists.is_empty());
    assert!(fixture.state().prefix_list_versions.is_empty());
    expect![[r#"
        [
          SecurityGroupRule {
            security_group_rule_id: "sgr-0000000000000001a",
            group_id: "sg-00000000000000018",
            group_owner_id: "111122223333",
            is_egress: false,
            ip_protocol: "tcp",
            from_port: 443,
            to_port: 443,
            prefix_list_id: "pl-00000000000000017",
            description: "list",
            security_group_rule_arn: "arn:aws:ec2:us-east-1:111122223333:security-group-rule/sgr-0000000000000001a",
          },
        ]
        Route {
          destination_prefix_list_id: "pl-00000000000000017",
          gateway_id: "igw-0000000000000000a",
          origin: "CreateRoute",
          state: "active",
        }
        [
          IpPermission {
            ip_protocol: "tcp",
            from_port: 443,
            to_port: 443,
            prefix_list_ids: [
              PrefixListId {
                description: "list",
                prefix_list_id: "pl-00000000000000017",
              },
            ],
          },
        ]
        GetManagedPrefixListAssociationsResponse {
          prefix_list_associations: [
            PrefixListAssociation {
              resource_id: "rtb-00000000000000004",
              resource_owner: "111122223333",
            },
            PrefixListAssociation {
              resource_id: "sg-00000000000000018",
              resource_owner: "111122223333",
            },
          ],
        }
        InvalidPermission.Duplicate: the specified rule "peer: pl-00000000000000017, TCP, from port: 443, to port: 443, ALLOW" already exists
        InvalidPrefixListID.NotFound: The prefix list ID 'pl-0123456789abcdef0' does not exist
        InvalidPrefixListID.NotFound: The prefix list ID 'pl-68a54001' does not exist
        DependencyViolation: The prefix list 'pl-00000000000000017' has dependencies and cannot be deleted.
        DependencyViolation: The prefix list 'pl-00000000000000017' has dependencies and cannot be deleted.
        InvalidRoute.NotFound: no route with destination-prefix-list-id pl-00000000000000017 in route table rtb-00000000000000004
        InvalidPrefixListID.NotFound: The prefix list ID 'pl-00000000000000017' does not exist
        InvalidPrefixListID.NotFound: The prefix list ID 'pl-00000000000000017' does not exist
        InvalidPrefixListID.NotFound: The prefix list ID 'pl-00000000000000017' does not exist
    "#]].assert_eq(&out);
}

#[test]
fn a_reference_counts_as_many_entries_as_the_list_may_have() {
    let mut fixture = Fixture::new();
    let (group, table) = users(&mut fixture);
    let id = list(&mut fixture, 59, &[]);
    let more = list(&mut fixture, 2, &[]);
    fixture.run(rule(&group, &id)).unwrap();
    let mut out = String::new();
    // 59 and 2 are more than 60, but 59 and the one of AWS's list are not.
    out += &format!("{}\n", fixture.refused(rule(&group, &more)));
    fixture.run(rule(&group, &text("pl-63a5400a"))).unwrap();
    fixture.quotas.routes = 60;
    // The default route is one.
    let first = route(&fixture, &table, &id);
    fixture.run(first).unwrap();
    let second = route(&fixture, &table, &text("pl-63a5400a"));
    out += &format!("{}\n", fixture.refused(second));
    // A list of the other family does not count.
    let v6 = CreateManagedPrefixListRequest {
        address_family: text("IPv6"),
        entries: entries(&["2001:db8::1/32"]),
        ..create("six", 60, &[])
    };
    let created = answer!(fixture, CreateManagedPrefixList, v6)
        .prefix_list
        .unwrap();
    fixture.run(rule(&group, &created.prefix_list_id)).unwrap();
    // A size that its users have no room for is not taken.
    settle(&mut fixture);
    let grow = ModifyManagedPrefixListRequest {
        max_entries: Some(61),
        ..modify(&id)
    };
    answer!(fixture, ModifyManagedPrefixList, grow);
    settle(&mut fixture);
    out += &show(&describe(&mut fixture, &id));
    expect![[r#"
        RulesPerSecurityGroupLimitExceeded: The maximum number of rules per security group has been reached.
        RouteLimitExceeded: The maximum number of routes has been reached.
        ManagedPrefixList {
          prefix_list_id: "pl-00000000000000019",
          address_family: "IPv4",
          state: "modify-failed",
          state_message: "rtb-00000000000000004: The maximum number of routes has been reached.",
          prefix_list_arn: "arn:aws:ec2:us-east-1:111122223333:prefix-list/pl-00000000000000019",
          prefix_list_name: "corp",
          max_entries: 59,
          version: 1,
          owner_id: "111122223333",
        }
    "#]].assert_eq(&out);
    let shrink = ModifyManagedPrefixListRequest {
        max_entries: Some(1),
        ..modify(&id)
    };
    fixture.run(shrink).unwrap();
    settle(&mut fixture);
    assert_eq!(describe(&mut fixture, &id).max_entries, Some(1));
    assert_eq!(state(&mut fixture, &id), "modify-complete v1");
}
