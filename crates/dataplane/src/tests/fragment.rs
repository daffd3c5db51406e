//! Fragments: later ones are treated as their first one was.

use expect_test::expect;

use super::Net;
use crate::{Offload, Verdict};

const NET: &str = "subnet a 10.0.1.0/24\n\
     subnet b 10.0.2.0/24\n\
     nacl n on b\n\
     nacl n in 100 allow udp 53 from 10.0.1.0/24\n\
     nacl n out 100 allow all to 0.0.0.0/0\n\
     sg open in udp 53 from 10.0.0.0/16\n\
     sg open in udp 99 from 10.0.0.0/16\n\
     eni x 10.0.1.10 in a sg:open\n\
     eni y 10.0.2.10 in b sg:open\n";

fn fragments(net: &Net, line: &str) -> Vec<Vec<u8>> {
    let (_, frame) = net.frame(line);
    let mut fragments = Vec::new();
    packet::fragment::fragment_ipv4(&frame, 576, false, &mut fragments).unwrap();
    assert!(fragments.len() > 2);
    fragments
}

fn send(net: &mut Net, mut frame: Vec<u8>) -> Verdict {
    let port = net.port("x");
    net.dataplane
        .forward(port, &mut frame, Offload::default(), net.now)
}

#[test]
fn later_fragments_join_the_first() {
    let mut net = Net::new(NET);
    for (port, passes) in [(53, true), (99, false)] {
        let line = format!("x sends udp 10.0.1.10:5 > 10.0.2.10:{port} len 1400");
        for fragment in fragments(&net, &line) {
            let verdict = send(&mut net, fragment);
            assert_eq!(matches!(verdict, Verdict::Forward(_)), passes);
        }
        // The next packet has another identification in practice; here it must not be joined.
        net.wait(60);
    }
    expect![[r#"
        x Egress Accept 10.0.1.10:5 > 10.0.2.10:53 proto 17 packets 3 bytes 1468 flags 0 path 1 | delivered to y
        x Egress Accept 10.0.1.10:5 > 10.0.2.10:99 proto 17 packets 3 bytes 1468 flags 0 path 1 | network ACL n ingress rule * deny
        y Ingress Accept 10.0.1.10:5 > 10.0.2.10:53 proto 17 packets 3 bytes 1468 flags 0 | delivered to y
        y Ingress Reject 10.0.1.10:5 > 10.0.2.10:99 proto 17 packets 3 bytes 1468 flags 0 | network ACL n ingress rule * deny
    "#]]
    .assert_eq(&net.records());
}

#[test]
fn a_fragment_without_its_first_matches_no_rule_for_ports() {
    let mut net = Net::new(NET);
    let line = "x sends udp 10.0.1.10:5 > 10.0.2.10:53 len 1400";
    let later = fragments(&net, line).pop().unwrap();
    assert!(matches!(send(&mut net, later), Verdict::Drop(_)));
    expect![[r#"
        x Egress Accept 10.0.1.10:0 > 10.0.2.10:0 proto 17 packets 1 bytes 324 flags 0 path 1 | network ACL n ingress rule * deny
        y Ingress Reject 10.0.1.10:0 > 10.0.2.10:0 proto 17 packets 1 bytes 324 flags 0 | network ACL n ingress rule * deny
    "#]]
    .assert_eq(&net.records());
}

#[test]
fn services_on_the_link_get_whole_packets() {
    let mut net = Net::with_services(NET);
    let line = "x sends tcp 10.0.1.10:5 > 169.254.169.254:80 syn len 1400";
    let services = net.port("services");
    for fragment in fragments(&net, line) {
        assert_eq!(send(&mut net, fragment), Verdict::Forward(services));
    }
    // Without the first one nobody knows what they are for.
    net.wait(60);
    let later = fragments(&net, line).pop().unwrap();
    let refused = Verdict::Drop(crate::DropReason::ServiceUnavailable);
    assert_eq!(send(&mut net, later), refused);
}
