//! DHCP option sets.

use ec2_api::*;
use expect_test::expect;
use model::NameServer;

use super::{Fixture, answer, filter, named, show, text};

fn configurations(given: &[(&str, &[&str])]) -> Vec<NewDhcpConfiguration> {
    let configuration = |(key, values): &(&str, &[&str])| NewDhcpConfiguration {
        key: text(key),
        values: values.iter().map(ToString::to_string).collect(),
    };
    given.iter().map(configuration).collect()
}

fn create(given: &[(&str, &[&str])]) -> CreateDhcpOptionsRequest {
    CreateDhcpOptionsRequest {
        dhcp_configurations: configurations(given),
        ..Default::default()
    }
}

fn created(fixture: &mut Fixture, given: &[(&str, &[&str])]) -> String {
    let answer = answer!(fixture, CreateDhcpOptions, create(given));
    answer.dhcp_options.unwrap().dhcp_options_id.unwrap()
}

fn associate(id: &str, vpc_id: impl ToString) -> AssociateDhcpOptionsRequest {
    AssociateDhcpOptionsRequest {
        dhcp_options_id: text(id),
        vpc_id: text(vpc_id),
        dry_run: None,
    }
}

fn delete(id: &str) -> DeleteDhcpOptionsRequest {
    DeleteDhcpOptionsRequest {
        dhcp_options_id: text(id),
        dry_run: None,
    }
}

#[test]
fn a_set_lives() {
    let mut fixture = Fixture::new();
    let vpc_id = fixture.state().default_vpc().unwrap().id;
    let original = fixture.state().default_vpc().unwrap().dhcp_options_id;
    let request = CreateDhcpOptionsRequest {
        tag_specifications: named("dhcp-options", "a"),
        ..create(&[
            ("domain-name", &["example.com"]),
            ("domain-name-servers", &["10.2.5.1", "fd00::1"]),
        ])
    };
    let answer = answer!(fixture, CreateDhcpOptions, request);
    let id = answer.dhcp_options.clone().unwrap().dhcp_options_id;
    let id = id.unwrap();
    let mut out = show(&answer);
    fixture.run(associate(&id, vpc_id)).unwrap();
    out += &fixture.refused(delete(&id));
    let by_set = DescribeVpcsRequest {
        filters: filter("dhcp-options-id", &[&id]),
        ..Default::default()
    };
    assert_eq!(answer!(fixture, DescribeVpcs, by_set.clone()).vpcs.len(), 1);
    fixture.run(associate("default", vpc_id)).unwrap();
    assert_eq!(answer!(fixture, DescribeVpcs, by_set).vpcs.len(), 0);
    assert_eq!(fixture.state().default_vpc().unwrap().dhcp_options_id, None);
    fixture.run(delete(&id)).unwrap();
    out += "\n";
    out += &fixture.refused(delete(&id));
    out += "\n";
    out += &fixture.refused(associate(&id, vpc_id));
    fixture
        .run(associate(&original.unwrap().to_string(), vpc_id))
        .unwrap();
    assert_eq!(
        fixture.state().default_vpc().unwrap().dhcp_options_id,
        original
    );
    expect![[r#"
        CreateDhcpOptionsResponse {
          dhcp_options: DhcpOptions {
            owner_id: "111122223333",
            tags: [
              Tag {
                key: "Name",
                value: "a",
              },
            ],
            dhcp_options_id: "dopt-00000000000000017",
            dhcp_configurations: [
              DhcpConfiguration {
                key: "domain-name",
                values: [
                  AttributeValue {
                    value: "example.com",
                  },
                ],
              },
              DhcpConfiguration {
                key: "domain-name-servers",
                values: [
                  AttributeValue {
                    value: "10.2.5.1",
                  },
                  AttributeValue {
                    value: "fd00::1",
                  },
                ],
              },
            ],
          },
        }
        DependencyViolation: The dhcpOptions 'dopt-00000000000000017' has dependencies and cannot be deleted.
        InvalidDhcpOptionID.NotFound: The dhcpOption ID 'dopt-00000000000000017' does not exist
        InvalidDhcpOptionID.NotFound: The dhcpOption ID 'dopt-00000000000000017' does not exist"#]]
    .assert_eq(&out);
}

#[test]
fn a_new_vpc_starts_with_the_regions_own_set() {
    let mut fixture = Fixture::new();
    let original = fixture.state().default_vpc().unwrap().dhcp_options_id;
    let alike: &[(&str, &[&str])] = &[
        ("domain-name", &["ec2.internal"]),
        ("domain-name-servers", &["AmazonProvidedDNS"]),
    ];
    created(&mut fixture, alike);
    let request = CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        ..Default::default()
    };
    let vpc = answer!(fixture, CreateVpc, request).vpc.unwrap();
    assert_eq!(vpc.dhcp_options_id, original.map(|id| id.to_string()));
}

#[test]
fn options_are_read_as_values() {
    let mut fixture = Fixture::new();
    let id = created(
        &mut fixture,
        &[
            ("domain-name", &["a.example b.example"]),
            ("domain-name-servers", &["AmazonProvidedDNS"]),
            ("ntp-servers", &["10.0.0.3", "fd00::3"]),
            ("netbios-name-servers", &["10.0.0.4"]),
            ("netbios-node-type", &["2"]),
            ("ipv6-address-preferred-lease-time", &["300"]),
        ],
    );
    let set = fixture.state().dhcp_options.get(&id.parse().unwrap());
    let set = set.unwrap();
    assert_eq!(set.domain_name(), Some("a.example b.example"));
    assert_eq!(set.domain_name_servers(), [NameServer::Amazon]);
    assert_eq!(set.ntp_servers().len(), 2);
    assert_eq!(set.netbios_name_servers().len(), 1);
    assert_eq!(set.netbios_node_type(), Some(2));
    assert_eq!(set.ipv6_preferred_lease_s(), 300);
}

#[test]
fn wrong_options_are_refused() {
    let mut fixture = Fixture::new();
    let five: &[&str] = &["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"];
    let long = "a".repeat(64);
    let cases: &[&[(&str, &[&str])]] = &[
        &[],
        &[("", &["a"])],
        &[("boot-file-name", &["a"])],
        &[("domain-name", &[])],
        &[("domain-name", &[""])],
        &[("domain-name", &["a", "b"])],
        &[("domain-name", &["a..b"])],
        &[("domain-name", &[&long])],
        &[("domain-name", &["a\nnameserver 1.1.1.1"])],
        &[("domain-name", &["a"]), ("domain-name", &["b"])],
        &[("domain-name-servers", &["ns.example.com"])],
        &[("domain-name-servers", &["AmazonProvidedDNS", "10.0.0.1"])],
        &[("domain-name-servers", five)],
        &[("ntp-servers", &["AmazonProvidedDNS"])],
        &[("netbios-name-servers", &["fd00::1"])],
        &[("netbios-name-servers", five)],
        &[("netbios-node-type", &["3"])],
        &[("ipv6-address-preferred-lease-time", &["139"])],
        &[("ipv6-address-preferred-lease-time", &["2147483648"])],
    ];
    let mut out = String::new();
    for given in cases {
        out += &fixture.refused(create(given));
        out += "\n";
    }
    let vpc_id = fixture.state().default_vpc().unwrap().id;
    let requests: [Request; 6] = [
        associate("dopt-x", vpc_id).into(),
        associate("vpc-0123456789abcdef0", vpc_id).into(),
        associate("default", "vpc-0123456789abcdef0").into(),
        AssociateDhcpOptionsRequest::default().into(),
        delete("default").into(),
        DeleteDhcpOptionsRequest::default().into(),
    ];
    for request in requests {
        out += &fixture.refused(request);
        out += "\n";
    }
    expect![[r#"
        MissingParameter: The request must contain the parameter dhcpConfiguration
        InvalidParameterValue: Value () for parameter key is invalid. Unknown DHCP option.
        InvalidParameterValue: Value (boot-file-name) for parameter key is invalid. Unknown DHCP option.
        InvalidParameterValue: Value () for parameter domain-name is invalid. The option needs a value.
        InvalidParameterValue: Value () for parameter domain-name is invalid. The option needs a value.
        InvalidParameterValue: Value (a, b) for parameter domain-name is invalid. The option takes one value.
        InvalidParameterValue: Value (a..b) for parameter domain-name is invalid. This is not a valid domain name.
        InvalidParameterValue: Value (aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) for parameter domain-name is invalid. This is not a valid domain name.
        InvalidParameterValue: Value (a
        nameserver 1.1.1.1) for parameter domain-name is invalid. This is not a valid domain name.
        InvalidParameterValue: Value (domain-name) for parameter key is invalid. The option is given more than once.
        InvalidParameterValue: Value (ns.example.com) for parameter domain-name-servers is invalid. This is not a valid IP address.
        InvalidParameterValue: Value (AmazonProvidedDNS, 10.0.0.1) for parameter domain-name-servers is invalid. AmazonProvidedDNS stands alone.
        InvalidParameterValue: Value (10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5) for parameter domain-name-servers is invalid. There may be 4 servers of each address family.
        InvalidParameterValue: Value (AmazonProvidedDNS) for parameter ntp-servers is invalid. This is not a valid IP address.
        InvalidParameterValue: Value (fd00::1) for parameter netbios-name-servers is invalid. This is not a valid IPv4 address.
        InvalidParameterValue: Value (10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5) for parameter netbios-name-servers is invalid. There may be 4 servers of each address family.
        InvalidParameterValue: Value (3) for parameter netbios-node-type is invalid. Valid values: 1, 2, 4, 8.
        InvalidParameterValue: Value (139) for parameter ipv6-address-preferred-lease-time is invalid. It must be between 140 and 2147483647 seconds.
        InvalidParameterValue: Value (2147483648) for parameter ipv6-address-preferred-lease-time is invalid. It must be between 140 and 2147483647 seconds.
        InvalidDhcpOptionsId.Malformed: Invalid id: "dopt-x" (expecting "dopt-...")
        InvalidDhcpOptionsId.Malformed: Invalid id: "vpc-0123456789abcdef0" (expecting "dopt-...")
        InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist
        MissingParameter: The request must contain the parameter dhcpOptionsId
        InvalidDhcpOptionsId.Malformed: Invalid id: "default" (expecting "dopt-...")
        MissingParameter: The request must contain the parameter dhcpOptionsId
    "#]]
    .assert_eq(&out);
}

#[test]
fn four_servers_of_each_family_are_taken() {
    let mut fixture = Fixture::new();
    let eight: &[&str] = &[
        "10.0.0.1", "fd00::1", "10.0.0.2", "fd00::2", "10.0.0.3", "fd00::3", "10.0.0.4", "fd00::4",
    ];
    for key in ["domain-name-servers", "ntp-servers"] {
        created(&mut fixture, &[(key, eight)]);
    }
}
