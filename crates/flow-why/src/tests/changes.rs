//! What has changed since.

use dataplane::Direction::{Egress, Ingress};
use expect_test::expect;

use super::{Net, later};

const SYN: &str = "x sends tcp 10.0.1.10:40000 > 10.0.2.10:8080 syn";

fn with(groups: &str) -> String {
    format!(
        "subnet a 10.0.1.0/24\nsubnet b 10.0.2.0/24\nsg sa\n{groups}\
         eni x 10.0.1.10 in a sg:sa\neni y 10.0.2.10 in b sg:sb\n"
    )
}

#[test]
fn a_rule_that_is_gone_is_told_as_it_stood() {
    let net = Net::new(&with("sg sb in tcp 8080 from 10.0.1.0/24\n"), SYN);
    let (removed, _) = later(
        5,
        &net.fixture,
        &with("sg sb in tcp 443 from 10.0.1.0/24\n"),
    );
    expect![[r#"
        ACCEPT, delivered to y: rule sgr-02f48176df0953097 of security group sb (sb) allows it (tcp 8080 from 10.0.1.0/24).
          by: y ingress rule sgr-02f48176df0953097 of security group sb (sb) | tcp 8080 from 10.0.1.0/24
            changed: 2023-11-14T22:18:20.000Z security group sb (sb): inbound rule sgr-e67c7f8451ce12555 (tcp 443 from 10.0.1.0/24) added, inbound rule sgr-02f48176df0953097 (tcp 8080 from 10.0.1.0/24) removed
          way: b ingress ingress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          now: no inbound rule of sb allows it
            since: 2023-11-14T22:18:20.000Z security group sb (sb): inbound rule sgr-e67c7f8451ce12555 (tcp 443 from 10.0.1.0/24) added, inbound rule sgr-02f48176df0953097 (tcp 8080 from 10.0.1.0/24) removed
    "#]].assert_eq(&net.why_after("y", Ingress, &[removed]));
}

#[test]
fn a_rule_that_came_later_would_let_it_in_now() {
    let net = Net::new(&with("sg sb in tcp 443 from 10.0.1.0/24\n"), SYN);
    let (other, fixture) = later(
        3,
        &net.fixture,
        &(with("sg sb in tcp 443 from 10.0.1.0/24\n") + "subnet c 10.0.3.0/24\n"),
    );
    let (added, _) = later(
        5,
        &fixture,
        &(with("sg sb in tcp 443 from 10.0.1.0/24\nsg sb in tcp 8080 from 10.0.1.0/24\n")
            + "subnet c 10.0.3.0/24\n"),
    );
    expect![[r#"
        REJECT: no inbound rule of sb (sb) lets in tcp 8080 from 10.0.1.10 to 10.0.2.10.
          by: y ingress security group | no inbound rule of sb allows it
            changed: 2023-11-14T22:18:20.000Z security group sb (sb): inbound rule sgr-02f48176df0953097 (tcp 8080 from 10.0.1.0/24) added
          way: b ingress ingress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          now: delivered to y
            since: 2023-11-14T22:18:20.000Z security group sb (sb): inbound rule sgr-02f48176df0953097 (tcp 8080 from 10.0.1.0/24) added
    "#]].assert_eq(&net.why_after("y", Ingress, &[other, added]));
}

#[test]
fn an_interface_that_is_gone() {
    let net = Net::new(&with("sg sb in tcp 8080 from 10.0.1.0/24\n"), SYN);
    let gone = crate::Later {
        at: super::START + std::time::Duration::from_secs(99),
        scope: net.fixture.scope,
        changes: vec![model::Change::NetworkInterface(fixture::eni("x"), None)],
    };
    expect![[r#"
        ACCEPT, delivered to y: rule sgr-96d3606b95ec9765c of security group sa (sa) allows it (all to 0.0.0.0/0).
          by: x egress rule sgr-96d3606b95ec9765c of security group sa (sa) | all to 0.0.0.0/0
          way: a egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: a egress route 10.0.0.0/16 of route table main | 10.0.0.0/16 to local
          way: b ingress ingress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: y ingress rule sgr-02f48176df0953097 of security group sb (sb) | tcp 8080 from 10.0.1.0/24
          now: the interface is gone
            since: 2023-11-14T22:14:59.000Z network interface x deleted
    "#]].assert_eq(&net.why_after("x", Egress, &[gone]));
}

#[test]
fn a_change_just_before_the_packet_counts_only_if_it_decided() {
    // The packet was let in by a rule whose removal had been written down, but was not in force yet.
    let before = with("sg sb in tcp 8080 from 10.0.1.0/24\n");
    let net = Net::new(&before, SYN);
    let (mut removed, _) = later(
        0,
        &net.fixture,
        &with("sg sb in tcp 443 from 10.0.1.0/24\n"),
    );
    removed.at = super::START;
    let told = net.why_after("y", Ingress, &[removed]);
    assert!(told.starts_with("ACCEPT, delivered to y: rule "), "{told}");
    assert!(told.contains("removed"), "{told}");
}
