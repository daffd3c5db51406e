//! A small network, captures at an interface of it, and their records.

use capture::{Direction, Reader, Record, Writer};
use packet::{Mac, build::Frame};

use crate::{AggregationInterval, FlowLog, Options, Replay, TrafficType, network};

/// `web` takes 443 from everywhere and ping; its subnet's network ACL denies 203.0.113.0/24.
pub(crate) const NETWORK: &str = r#"{
  "Vpcs": [{"VpcId": "vpc-00000001", "CidrBlock": "10.0.0.0/16",
    "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8:1:100::/56"}]}],
  "Subnets": [
    {"SubnetId": "subnet-00000001", "VpcId": "vpc-00000001", "CidrBlock": "10.0.1.0/24",
      "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8:1:100::/64"}]},
    {"SubnetId": "subnet-00000002", "VpcId": "vpc-00000001", "CidrBlock": "10.0.2.0/24"}],
  "NetworkAcls": [{"NetworkAclId": "acl-00000001", "VpcId": "vpc-00000001", "IsDefault": true, "Entries": [
    {"RuleNumber": 90, "Protocol": "-1", "RuleAction": "deny", "Egress": false, "CidrBlock": "203.0.113.0/24"},
    {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "Egress": false, "CidrBlock": "0.0.0.0/0"},
    {"RuleNumber": 101, "Protocol": "-1", "RuleAction": "allow", "Egress": false, "Ipv6CidrBlock": "::/0"},
    {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "Egress": true, "CidrBlock": "0.0.0.0/0"},
    {"RuleNumber": 101, "Protocol": "-1", "RuleAction": "allow", "Egress": true, "Ipv6CidrBlock": "::/0"}]}],
  "RouteTables": [{"VpcId": "vpc-00000001", "Associations": [{"Main": true}], "Routes": [
    {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-00000001"}]}],
  "SecurityGroups": [
    {"GroupId": "sg-00000001", "VpcId": "vpc-00000001", "IpPermissions": [
      {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
        "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
      {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432,
        "UserIdGroupPairs": [{"GroupId": "sg-00000002"}]},
      {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]},
    {"GroupId": "sg-00000002", "VpcId": "vpc-00000001"}],
  "NetworkInterfaces": [
    {"NetworkInterfaceId": "eni-00000001", "SubnetId": "subnet-00000001", "MacAddress": "06:00:00:00:00:10",
      "PrivateIpAddress": "10.0.1.10", "Ipv6Addresses": [{"Ipv6Address": "2001:db8:1:100::10"}],
      "Groups": [{"GroupId": "sg-00000001"}], "Attachment": {"InstanceId": "i-00000001"}},
    {"NetworkInterfaceId": "eni-00000002", "SubnetId": "subnet-00000002", "PrivateIpAddress": "10.0.2.20",
      "Groups": [{"GroupId": "sg-00000002"}]}]
}"#;

pub(crate) const OWN: Mac = Mac([6, 0, 0, 0, 0, 0x10]);
pub(crate) const ROUTER: Mac = Mac([6, 0, 0, 0, 0, 1]);
pub(crate) const START: u64 = 1_763_000_040;

/// `10.0.2.20:40000 > 10.0.1.10:443 syn`, `… udp 100`, `… ping`: a frame as it is at `eni-00000001`.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let words: Vec<_> = text.split(' ').collect();
    let [from, ">", to, kind, rest @ ..] = words.as_slice() else {
        panic!("no frame: {text}");
    };
    let end = |text: &str| -> (std::net::IpAddr, u16) {
        match text.parse::<std::net::SocketAddr>() {
            Ok(end) => (end.ip(), end.port()),
            Err(_) => (text.parse().unwrap(), 0),
        }
    };
    let ((src, src_port), (dst, dst_port)) = (end(from), end(to));
    let own =
        |a: std::net::IpAddr| matches!(a.to_string().as_str(), "10.0.1.10" | "2001:db8:1:100::10");
    let (src_mac, dst_mac) = if own(src) {
        (OWN, ROUTER)
    } else {
        (ROUTER, OWN)
    };
    let headers = Frame::new(src_mac, dst_mac, src, dst).unwrap();
    let payload = vec![7; rest.first().map_or(0, |len| len.parse().unwrap())];
    match *kind {
        "syn" => headers.tcp(src_port, dst_port, 2, &payload),
        "synack" => headers.tcp(src_port, dst_port, 18, &payload),
        "ack" => headers.tcp(src_port, dst_port, 16, &payload),
        "fin" => headers.tcp(src_port, dst_port, 17, &payload),
        "udp" => headers.udp(src_port, dst_port, &payload),
        "ping" => headers.echo_request(7, 1, &payload),
        other => panic!("no kind of frame: {other}"),
    }
}

/// A pcapng capture of frames, each at so many milliseconds, on an interface of that name.
pub(crate) fn pcapng(name: &str, frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    Writer::section(&mut file, "test");
    Writer::interface(&mut file, name, "", 0);
    for (ms, bytes) in frames {
        let record = Record {
            interface: 0,
            time_ns: START * 1_000_000_000 + ms * 1_000_000,
            direction: Direction::In,
            bytes,
            original_len: bytes.len() as u32,
            comment: "",
        };
        Writer::packet(&mut file, &record);
    }
    file
}

pub(crate) fn options() -> Options {
    Options {
        interface: "eni-00000001".parse().unwrap(),
        log_format: FlowLog::DEFAULT_FORMAT.to_owned(),
        traffic_type: TrafficType::All,
        interval: AggregationInterval::OneMinute,
        flows_max: 1000,
        connections_max: 1000,
    }
}

/// The records of a capture, a line each, then what was said on the way and the summary.
pub(crate) fn replayed(file: &[u8], options: &Options) -> String {
    let network = network::parse(NETWORK).unwrap();
    assert_eq!(network.notices, [""; 0]);
    let mut replay = Replay::new(&network.world, options).unwrap();
    let mut reader = Reader::new(file).unwrap();
    let (mut lines, mut problems) = (String::new(), String::new());
    let mut write = |replay: &mut Replay| {
        for window in replay.take_closed() {
            let mut records = window.records_of(replay.subscription());
            while replay.text(&mut records, usize::MAX, &mut lines) {}
        }
    };
    while let Some(item) = reader.next() {
        if let Some(problem) = replay.take(item) {
            problems += &format!("{problem}\n");
        }
        write(&mut replay);
    }
    replay.finish();
    write(&mut replay);
    format!("{lines}---\n{problems}{}", replay.summary())
}
