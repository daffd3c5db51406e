//! What names of the peer mean.

use expect_test::expect;
use packet::Mac;
use packet::build::Frame;

use super::Net;
use crate::{Offload, Snapshot, Verdict};

const NET: &str = "\
    vpc a 10.1.0.0/16\n\
    subnet a1 10.1.1.0/24\n\
    eni a0 10.1.1.10 in a1 public 203.0.113.1\n\
    scope 444455556666 us-east-1\n\
    vpc b 10.2.0.0/16 100.64.0.0/16\n\
    subnet b1 10.2.1.0/24\n\
    eni b0 10.2.1.10 in b1 public 203.0.113.2\n\
    scope 444455556666 us-west-1\n\
    vpc c 10.3.0.0/16\n\
    subnet c1 10.3.1.0/24\n\
    eni c0 10.3.1.10 in c1 public 203.0.113.3\n\
    pcx ab a b\n\
    pcx ac a c\n";

/// What `a0` is told that a name means.
fn resolve(net: &mut Net, name: &str) -> String {
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend(label.bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    let router = Mac(Snapshot::router_mac(fixture::vpc("a")).0);
    let mac = Mac(fixture::mac("a0").0);
    let (src, dst) = ("10.1.1.10".parse().unwrap(), "10.1.0.2".parse().unwrap());
    let mut frame = Frame::v4(mac, router, src, dst).udp(999, 53, &query);
    let (port, now) = (net.port("a0"), net.now);
    let verdict = net
        .dataplane
        .forward(port, &mut frame, Offload::default(), now);
    assert_eq!(verdict, Verdict::Emit);
    let answer = &net.dataplane.emitted()[0].1[42..];
    match (answer[3] & 15, answer[7]) {
        (0, 1) => {
            let address = &answer[answer.len() - 4..];
            let [a, b, c, d] = *address else { panic!() };
            format!("{a}.{b}.{c}.{d}")
        }
        (code, records) => format!("code {code}, {records} records"),
    }
}

fn told(text: &str) -> String {
    let mut net = Net::new(text);
    [
        "ec2-203-0-113-1.compute-1.amazonaws.com",
        "ec2-203-0-113-2.compute-1.amazonaws.com",
        "ec2-203-0-113-3.us-west-1.compute.amazonaws.com",
        "ec2-203-0-113-3.compute-1.amazonaws.com",
        "ip-10-2-1-10.ec2.internal",
        "ip-100-64-0-9.ec2.internal",
        "ip-10-3-1-10.us-west-1.compute.internal",
        "ip-10-3-1-10.ec2.internal",
    ]
    .map(|name| format!("{name} {}\n", resolve(&mut net, name)))
    .concat()
}

#[test]
fn public_names_are_public_addresses_unless_the_peer_allows_more() {
    expect![[r#"
        ec2-203-0-113-1.compute-1.amazonaws.com 10.1.1.10
        ec2-203-0-113-2.compute-1.amazonaws.com 203.0.113.2
        ec2-203-0-113-3.us-west-1.compute.amazonaws.com 203.0.113.3
        ec2-203-0-113-3.compute-1.amazonaws.com code 3, 0 records
        ip-10-2-1-10.ec2.internal 10.2.1.10
        ip-100-64-0-9.ec2.internal code 3, 0 records
        ip-10-3-1-10.us-west-1.compute.internal code 3, 0 records
        ip-10-3-1-10.ec2.internal code 3, 0 records
    "#]]
    .assert_eq(&told(NET));
}

#[test]
fn a_peer_that_allows_it_is_resolved_to_private_addresses() {
    let allowed = NET
        .replace("pcx ab a b", "pcx ab a b dns:b")
        .replace("pcx ac a c", "pcx ac a c dns:c");
    expect![[r#"
        ec2-203-0-113-1.compute-1.amazonaws.com 10.1.1.10
        ec2-203-0-113-2.compute-1.amazonaws.com 10.2.1.10
        ec2-203-0-113-3.us-west-1.compute.amazonaws.com 10.3.1.10
        ec2-203-0-113-3.compute-1.amazonaws.com code 3, 0 records
        ip-10-2-1-10.ec2.internal 10.2.1.10
        ip-100-64-0-9.ec2.internal 100.64.0.9
        ip-10-3-1-10.us-west-1.compute.internal 10.3.1.10
        ip-10-3-1-10.ec2.internal code 3, 0 records
    "#]]
    .assert_eq(&told(&allowed));
}

#[test]
fn what_one_side_allows_is_for_the_other_and_only_while_the_peering_lives() {
    let own = NET
        .replace("pcx ab a b", "pcx ab a b dns:a")
        .replace("pcx ac a c", "pcx ac a c dns:a");
    assert_eq!(told(&own), told(NET));
    let ended = NET
        .replace("pcx ab a b", "pcx ab a b dns:b deleted")
        .replace("pcx ac a c", "pcx ac a c dns:c deleted");
    expect![[r#"
        ec2-203-0-113-1.compute-1.amazonaws.com 10.1.1.10
        ec2-203-0-113-2.compute-1.amazonaws.com 203.0.113.2
        ec2-203-0-113-3.us-west-1.compute.amazonaws.com 203.0.113.3
        ec2-203-0-113-3.compute-1.amazonaws.com code 3, 0 records
        ip-10-2-1-10.ec2.internal code 3, 0 records
        ip-100-64-0-9.ec2.internal code 3, 0 records
        ip-10-3-1-10.us-west-1.compute.internal code 3, 0 records
        ip-10-3-1-10.ec2.internal code 3, 0 records
    "#]]
    .assert_eq(&told(&ended));
}

/// It is looked at when the option is set, and again when somebody asks.
#[test]
fn what_is_allowed_holds_while_both_vpcs_have_names() {
    let allowed = NET.replace("pcx ab a b", "pcx ab a b dns:b");
    let b = "ec2-203-0-113-2.compute-1.amazonaws.com";
    let without = |vpc: &str, attribute: &str| {
        let line = allowed.lines().find(|line| line.starts_with(vpc)).unwrap();
        allowed.replace(line, &format!("{line}\ndns {attribute} off"))
    };
    assert_eq!(resolve(&mut Net::new(&allowed), b), "10.2.1.10");
    for (vpc, attribute, expected) in [
        ("vpc a", "hostnames", "203.0.113.2"),
        ("vpc b", "hostnames", "code 3, 0 records"),
        ("vpc b", "support", "code 3, 0 records"),
    ] {
        let found = resolve(&mut Net::new(&without(vpc, attribute)), b);
        assert_eq!(found, expected, "{vpc} without {attribute}");
    }
    // Nor do its private names mean anything that only the option would reveal.
    let hidden = "ip-100-64-0-9.ec2.internal";
    assert_eq!(resolve(&mut Net::new(&allowed), hidden), "100.64.0.9");
    let found = resolve(&mut Net::new(&without("vpc b", "hostnames")), hidden);
    assert_eq!(found, "code 3, 0 records");
}
