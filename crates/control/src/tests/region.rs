//! Regions, zones, account attributes, and what a Region starts with.

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, show};

#[test]
fn a_region_starts_with_a_default_vpc() {
    let fixture = Fixture::new();
    let state = fixture.state();
    let vpc = state.default_vpc().unwrap();
    assert!(vpc.enable_dns_support && vpc.enable_dns_hostnames);
    let table = state.main_route_table(vpc.id).unwrap();
    let routes: Vec<_> = table
        .routes
        .iter()
        .map(|r| {
            format!(
                "{} {:?}",
                r.destination,
                state.route_state(vpc.id, &r.target, |_| None)
            )
        })
        .collect();
    assert_eq!(routes, ["172.31.0.0/16 Active", "0.0.0.0/0 Active"]);
    let subnets: Vec<_> = state
        .subnets
        .values()
        .map(|s| format!("{} {}", s.zone, s.cidr.unwrap()))
        .collect();
    expect![[r#"
        us-east-1a 172.31.0.0/20
        us-east-1b 172.31.16.0/20
        us-east-1c 172.31.32.0/20
        us-east-1d 172.31.48.0/20
        us-east-1e 172.31.64.0/20
        us-east-1f 172.31.80.0/20"#]]
    .assert_eq(&subnets.join("\n"));
    assert!(
        state
            .subnets
            .values()
            .all(|s| s.default_for_az && s.map_public_ip_on_launch)
    );
}

#[test]
fn dhcp_options_are_described() {
    let mut fixture = Fixture::new();
    let request = DescribeDhcpOptionsRequest {
        filters: filter("key", &["domain-name"]),
        ..Default::default()
    };
    expect![[r#"
        DescribeDhcpOptionsResponse {
          dhcp_options: [
            DhcpOptions {
              owner_id: "111122223333",
              dhcp_options_id: "dopt-00000000000000001",
              dhcp_configurations: [
                DhcpConfiguration {
                  key: "domain-name",
                  values: [
                    AttributeValue {
                      value: "ec2.internal",
                    },
                  ],
                },
                DhcpConfiguration {
                  key: "domain-name-servers",
                  values: [
                    AttributeValue {
                      value: "AmazonProvidedDNS",
                    },
                  ],
                },
              ],
            },
          ],
        }
    "#]]
    .assert_eq(&show(&answer!(fixture, DescribeDhcpOptions, request)));
    let unknown = DescribeDhcpOptionsRequest {
        dhcp_options_ids: vec!["dopt-0123456789abcdef0".into()],
        ..Default::default()
    };
    expect![
        "InvalidDhcpOptionID.NotFound: The dhcpOption ID 'dopt-0123456789abcdef0' does not exist"
    ]
    .assert_eq(&fixture.refused(unknown));
}

#[test]
fn regions_and_zones_are_described() {
    let mut fixture = Fixture::new();
    let request = DescribeRegionsRequest {
        filters: filter("region-name", &["us-*-2"]),
        ..Default::default()
    };
    let mut out = show(&answer!(fixture, DescribeRegions, request));
    let request = DescribeAvailabilityZonesRequest {
        zone_ids: vec!["use1-az3".into()],
        ..Default::default()
    };
    out += &show(&answer!(fixture, DescribeAvailabilityZones, request));
    let unknown = DescribeRegionsRequest {
        region_names: vec!["mars-1".into()],
        ..Default::default()
    };
    out += &fixture.refused(unknown);
    let unknown = DescribeAvailabilityZonesRequest {
        zone_names: vec!["us-east-1z".into()],
        ..Default::default()
    };
    out += "\n";
    out += &fixture.refused(unknown);
    expect![[r#"
        DescribeRegionsResponse {
          regions: [
            Region {
              opt_in_status: "opt-in-not-required",
              region_name: "us-east-2",
              endpoint: "ec2.us-east-2.amazonaws.com",
            },
            Region {
              opt_in_status: "opt-in-not-required",
              region_name: "us-west-2",
              endpoint: "ec2.us-west-2.amazonaws.com",
            },
          ],
        }
        DescribeAvailabilityZonesResponse {
          availability_zones: [
            AvailabilityZone {
              opt_in_status: "opt-in-not-required",
              region_name: "us-east-1",
              zone_name: "us-east-1c",
              zone_id: "use1-az3",
              group_name: "us-east-1-zg-1",
              network_border_group: "us-east-1",
              zone_type: "availability-zone",
              state: "available",
            },
          ],
        }
        InvalidParameterValue: Invalid region names: [mars-1]
        InvalidParameterValue: Invalid availability zone: [us-east-1z]"#]]
    .assert_eq(&out);
}

#[test]
fn account_attributes_name_the_default_vpc() {
    let mut fixture = Fixture::new();
    let request = DescribeAccountAttributesRequest::default();
    let response = answer!(fixture, DescribeAccountAttributes, request);
    let attributes: Vec<_> = response
        .account_attributes
        .iter()
        .map(|a| {
            let value = a.attribute_values[0].attribute_value.as_deref();
            format!(
                "{} {}",
                a.attribute_name.as_deref().unwrap(),
                value.unwrap()
            )
        })
        .collect();
    expect![[r#"
        supported-platforms VPC
        vpc-max-security-groups-per-interface 5
        max-elastic-ips 5
        max-instances 200
        vpc-max-elastic-ips 5
        default-vpc vpc-00000000000000002"#]]
    .assert_eq(&attributes.join("\n"));
    let unknown = DescribeAccountAttributesRequest {
        attribute_names: vec!["colour".into()],
        ..Default::default()
    };
    assert_eq!(
        fixture.run(unknown).unwrap_err().code(),
        "InvalidParameterValue"
    );
}
