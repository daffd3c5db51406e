//! What networks may say, and what they may not.

use super::support::{NETWORK, options};
use crate::network::parse;
use crate::{Error, Options, Replay};

fn refused(from: &str, to: &str) -> String {
    assert!(NETWORK.contains(from));
    parse(&NETWORK.replace(from, to)).unwrap_err().to_string()
}

#[test]
fn a_wrong_value_is_named_with_its_place() {
    let text = refused(
        "\"SubnetId\": \"subnet-00000002\", \"PrivateIpAddress\"",
        "\"SubnetId\": \"subnet-00000009\", \"PrivateIpAddress\"",
    );
    assert_eq!(
        text,
        "NetworkInterfaces: eni-00000002: subnet-00000009 is not among the Subnets"
    );
    let text = refused(
        "\"CidrBlock\": \"203.0.113.0/24\"",
        "\"CidrBlock\": \"203.0.113.0/33\"",
    );
    assert!(
        text.starts_with("NetworkAcls: acl-00000001: entry 90: "),
        "{text}"
    );
    let text = refused("\"RuleAction\": \"deny\"", "\"RuleAction\": \"log\"");
    assert!(text.ends_with("RuleAction \"log\" is none"), "{text}");
    let text = refused("\"FromPort\": 443", "\"FromPort\": \"https\"");
    assert!(text.contains("line 18"), "{text}");
    let text = refused(
        "\"UserIdGroupPairs\": [{\"GroupId\": \"sg-00000002\"}]",
        "\"PrefixListIds\": [{}]",
    );
    assert!(text.contains("prefix lists"), "{text}");
    assert!(parse("[]").is_err());
}

#[test]
fn what_a_network_leaves_open_is_told() {
    let network = NETWORK
        .replace(
            "\"GatewayId\": \"igw-00000001\"",
            "\"NatGatewayId\": \"nat-00000001\"",
        )
        .replace(
            "\"Groups\": [{\"GroupId\": \"sg-00000002\"}]}]",
            "\"Groups\": [{\"GroupId\": \"sg-00000003\"}]}]",
        );
    let notices = parse(&network).unwrap().notices;
    assert_eq!(
        notices,
        [
            "RouteTables: (without an id): 0.0.0.0/0 leads to nat-00000001, which is not described: a blackhole",
            "sg-00000003 is not among the SecurityGroups: it allows nothing",
        ]
    );
}

#[test]
fn only_an_interface_of_an_instance_can_be_replayed_at() {
    let nat = NETWORK.replace(
        "\"NetworkInterfaceId\": \"eni-00000002\"",
        "\"NetworkInterfaceId\": \"eni-00000002\", \"InterfaceType\": \"nat_gateway\"",
    ).replace("\"RouteTables\"", "\"NatGateways\": [{\"NatGatewayId\": \"nat-00000001\", \"SubnetId\": \"subnet-00000002\",
        \"NatGatewayAddresses\": [{\"NetworkInterfaceId\": \"eni-00000002\"}]}], \"RouteTables\"");
    let world = parse(&nat).unwrap().world;
    let at = |id: &str| Options {
        interface: id.parse().unwrap(),
        ..options()
    };
    let error = |options: &Options| Replay::new(&world, options).err();
    let (service, none) = (at("eni-00000002"), at("eni-00000009"));
    assert_eq!(
        error(&service),
        Some(Error::ServicesInterface(service.interface))
    );
    assert_eq!(error(&none), Some(Error::NoInterface(none.interface)));
    let format = Options {
        log_format: "${nonsense}".to_owned(),
        ..options()
    };
    assert!(matches!(error(&format), Some(Error::Format(_))));
}
