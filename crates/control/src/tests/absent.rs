//! Nouns of which there are none, for clients that look.

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter};

#[test]
fn who_looks_finds_none_and_who_names_one_is_told() {
    let mut fixture = Fixture::new();
    let volumes = |ids: &[&str], name: &str| DescribeVolumesRequest {
        volume_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        filters: filter(name, &["x"]),
        ..Default::default()
    };
    let gateways = |ids: &[&str]| DescribeTransitGatewaysRequest {
        transit_gateway_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        ..Default::default()
    };
    let found = answer!(fixture, DescribeVolumes, volumes(&[], "status"));
    assert_eq!(found.volumes, []);
    let found = answer!(fixture, DescribeTransitGateways, gateways(&[]));
    assert_eq!(found.transit_gateways, []);
    let told = [
        fixture.refused(volumes(&["vol-0123456789abcdef0"], "status")),
        fixture.refused(volumes(&["vol-x"], "status")),
        fixture.refused(volumes(&[], "colour")),
        fixture.refused(gateways(&["tgw-0123456789abcdef0"])),
        fixture.refused(gateways(&["vpc-0123456789abcdef0"])),
    ];
    expect![[r#"
        InvalidVolume.NotFound: The volume 'vol-0123456789abcdef0' does not exist.
        InvalidVolumeID.Malformed: Invalid id: "vol-x" (expecting "vol-...")
        InvalidParameterValue: The filter 'colour' is invalid
        InvalidTransitGatewayID.NotFound: Transit Gateway tgw-0123456789abcdef0 was deleted or does not exist.
        InvalidTransitGatewayID.Malformed: Invalid id: "vpc-0123456789abcdef0" (expecting "tgw-...")"#]].assert_eq(&told.join("\n"));
}
