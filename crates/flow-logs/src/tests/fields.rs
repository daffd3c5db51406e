//! What fields show that AWS's worked records have not: next hops, types, tags, ECS.

use expect_test::{Expect, expect};
use model::{TagField, TagFieldResource};

use super::lab::{Lab, source_port};
use crate::{Aggregation, Field, LogFormat};

const NEXT_HOP: &str = "interface-id interface-type flow-direction dstaddr traffic-path next-hop-interface-id \
     next-hop-subnet-id next-hop-az-id next-hop-vpc-id next-hop-interface-type action";

/// A lab whose lines have the fixture's names in the place of ids.
fn lab(net: &str, vpc: &str, format: &str) -> Lab {
    let vpc = fixture::vpc(vpc).to_string();
    Lab::new(net, &vpc, format, Aggregation::Nitro)
}

fn check(lab: &Lab, expected: &Expect) {
    let text = lab.lines().join("\n") + "\n";
    expected.assert_eq(&lab.fixture.readable(&text));
}

#[test]
fn next_hops_inside_a_vpc_and_to_the_internet() {
    let mut lab = lab(
        "vpc v 10.0.0.0/16 2001:db8:0:100::/56
         subnet pub 10.0.0.0/24 local, 0.0.0.0/0 > igw
         zone pub b
         nat n 10.0.0.220 in pub public 52.64.0.9
         subnet priv 10.0.1.0/24 2001:db8:0:101::/64 local, 0.0.0.0/0 > nat:n, ::/0 > eigw, 10.0.9.0/24 > eni:fw
         subnet hidden 10.0.2.0/24
         endpoint s3 priv
         sg open in all from 0.0.0.0/0
         eni x 10.0.1.5 2001:db8:0:101::5 in priv sg:open
         eni y 10.0.1.6 in priv sg:open
         eni fw 10.0.1.7 in priv sg:open nocheck
         eni z 10.0.2.5 in hidden sg:open
         sg shut
         eni shut 10.0.2.6 in hidden sg:shut
         host 203.0.113.5
         host 2001:db8:9::9",
        "v",
        NEXT_HOP,
    );
    let out = lab
        .send("x sends udp 10.0.1.5:1 > 203.0.113.5:53", 1000)
        .unwrap();
    let port = source_port(&out);
    lab.send(
        &format!("203.0.113.5 sends udp 203.0.113.5:53 > 52.64.0.9:{port}"),
        1000,
    );
    for line in [
        "x sends udp 10.0.1.5:1 > 10.0.1.6:2",
        "x sends udp 10.0.1.5:1 > 10.0.2.5:2",
        "x sends udp 10.0.1.5:1 > 10.0.2.6:2",
        "x sends udp 10.0.1.5:1 > 10.0.9.9:2",
        "x sends udp 10.0.1.5:1 > 10.0.2.77:2",
        "x sends tcp 10.0.1.5:1 > 52.216.0.1:443 syn",
        "x sends udp [2001:db8:0:101::5]:1 > [2001:db8:9::9]:2",
        "z sends udp 10.0.2.5:1 > 203.0.113.5:2",
    ] {
        lab.send(line, 1000);
    }
    lab.flush(1050);
    check(
        &lab,
        &expect![[r#"
        shut - ingress 10.0.2.6 - x priv use1-az1 v - REJECT
        eni-of-n nat_gateway egress 10.0.1.5 1 x priv use1-az1 v - ACCEPT
        eni-of-n nat_gateway egress 203.0.113.5 8 - - - - - ACCEPT
        eni-of-n nat_gateway ingress 10.0.0.220 - - - - - - ACCEPT
        eni-of-n nat_gateway ingress 10.0.0.220 - x priv use1-az1 v - ACCEPT
        x - egress 10.0.1.6 1 y priv use1-az1 v - ACCEPT
        x - egress 10.0.2.5 1 z hidden use1-az1 v - ACCEPT
        x - egress 10.0.2.6 1 shut hidden use1-az1 v - ACCEPT
        x - egress 10.0.2.77 1 - - - - - ACCEPT
        x - egress 10.0.9.9 1 fw priv use1-az1 v - ACCEPT
        x - egress 2001:db8:9::9 8 - - - - - ACCEPT
        x - egress 203.0.113.5 1 eni-of-n pub use1-az2 v nat_gateway ACCEPT
        x - egress 52.216.0.1 7 - - - - - ACCEPT
        x - ingress 10.0.1.5 - eni-of-n pub use1-az2 v nat_gateway ACCEPT
        z - egress 203.0.113.5 - - - - - - ACCEPT
        z - ingress 10.0.2.5 - x priv use1-az1 v - ACCEPT
        y - ingress 10.0.1.6 - x priv use1-az1 v - ACCEPT
        fw - ingress 10.0.1.7 - x priv use1-az1 v - ACCEPT
    "#]],
    );
}

#[test]
fn next_hops_of_peers() {
    let net = "scope 111122223333 us-east-1
         vpc here 10.0.0.0/16
         subnet a 10.0.0.0/24 local, 10.1.0.0/16 > pcx:own, 10.2.0.0/16 > pcx:theirs, 10.3.0.0/16 > pcx:far
         sg open in all from 0.0.0.0/0
         eni x 10.0.0.5 in a sg:open
         vpc second 10.1.0.0/16
         subnet b 10.1.0.0/24 local, 10.0.0.0/16 > pcx:own
         zone b c
         sg open2 in all from 0.0.0.0/0
         eni y 10.1.0.5 in b sg:open2
         scope 444455556666 us-east-1
         vpc third 10.2.0.0/16
         subnet c 10.2.0.0/24 local, 10.0.0.0/16 > pcx:theirs
         zone c d
         sg open3 in all from 0.0.0.0/0
         eni z 10.2.0.5 in c sg:open3
         scope 111122223333 us-west-2
         vpc fourth 10.3.0.0/16
         subnet d 10.3.0.0/24 local, 10.0.0.0/16 > pcx:far
         sg open4 in all from 0.0.0.0/0
         eni w 10.3.0.5 in d sg:open4
         pcx own here second
         pcx theirs here third
         pcx far here fourth";
    let mut lab = lab(net, "here", NEXT_HOP);
    for peer in ["y 10.1.0.5", "z 10.2.0.5", "w 10.3.0.5"] {
        let (name, address) = peer.split_once(' ').unwrap();
        let ping = format!("x sends icmp 10.0.0.5 > {address}");
        assert!(lab.send(&ping, 1000).is_some(), "{ping}");
        let pong = format!("{name} sends icmp {address} > 10.0.0.5 echo-reply");
        assert!(lab.send(&pong, 1000).is_some(), "{pong}");
    }
    lab.flush(1050);
    check(
        &lab,
        &expect![[r#"
        x - egress 10.1.0.5 4 y b use1-az3 second - ACCEPT
        x - egress 10.2.0.5 4 - - use1-az4 - - ACCEPT
        x - egress 10.3.0.5 5 - - - - - ACCEPT
        x - ingress 10.0.0.5 - - - - - - ACCEPT
        x - ingress 10.0.0.5 - - - use1-az4 - - ACCEPT
        x - ingress 10.0.0.5 - y b use1-az3 second - ACCEPT
    "#]],
    );
}

/// What comes from a load balancer's node does not tell it; between an endpoint's interface and the
/// node behind it nothing is recorded.
#[test]
fn interfaces_of_load_balancers_and_endpoints() {
    let net = "vpc v 10.0.0.0/16
         subnet a 10.0.0.0/24
         sg open in all from 0.0.0.0/0
         eni c 10.0.0.5 in a sg:open
         eni t 10.0.0.6 in a sg:open
         eni n 10.0.0.7 in a sg:open unattached
         eni e 10.0.0.8 in a sg:open unattached
         nlb front n sg:open
         targets app tcp 8080 nopreserve t
         listener front tcp 80 > app
         service shared front
         vpce end service:shared e";
    let mut lab = lab(net, "v", NEXT_HOP);
    let request = lab
        .send("c sends tcp 10.0.0.5:1 > 10.0.0.7:80 syn", 1000)
        .unwrap();
    let port = source_port(&request);
    lab.send(
        &format!("t sends tcp 10.0.0.6:8080 > 10.0.0.7:{port} syn ack"),
        1000,
    );
    let request = lab
        .send("c sends tcp 10.0.0.5:2 > 10.0.0.8:80 syn", 1000)
        .unwrap();
    let port = source_port(&request);
    lab.send(
        &format!("t sends tcp 10.0.0.6:8080 > 10.0.0.7:{port} syn ack"),
        1000,
    );
    lab.flush(1050);
    check(
        &lab,
        &expect![[r#"
        t - egress 10.0.0.7 1 n a use1-az1 v network_load_balancer ACCEPT
        t - egress 10.0.0.7 1 n a use1-az1 v network_load_balancer ACCEPT
        t - ingress 10.0.0.6 - - - - - - ACCEPT
        t - ingress 10.0.0.6 - - - - - - ACCEPT
        n network_load_balancer egress 10.0.0.5 1 c a use1-az1 v - ACCEPT
        n network_load_balancer egress 10.0.0.6 1 t a use1-az1 v - ACCEPT
        n network_load_balancer egress 10.0.0.6 1 t a use1-az1 v - ACCEPT
        n network_load_balancer ingress 10.0.0.7 - t a use1-az1 v - ACCEPT
        n network_load_balancer ingress 10.0.0.7 - t a use1-az1 v - ACCEPT
        n network_load_balancer ingress 10.0.0.7 - c a use1-az1 v - ACCEPT
        e vpc_endpoint egress 10.0.0.5 1 c a use1-az1 v - ACCEPT
        e vpc_endpoint ingress 10.0.0.8 - c a use1-az1 v - ACCEPT
        c - egress 10.0.0.7 1 n a use1-az1 v network_load_balancer ACCEPT
        c - egress 10.0.0.8 1 e a use1-az1 v vpc_endpoint ACCEPT
        c - ingress 10.0.0.5 - - - - - - ACCEPT
        c - ingress 10.0.0.5 - e a use1-az1 v vpc_endpoint ACCEPT
    "#]],
    );
}

fn tag_fields(lab_format: &mut model::FlowLog) {
    let field = |resource, keys: &[&str]| TagField {
        resource,
        keys: keys.iter().map(|k| (*k).to_owned()).collect(),
    };
    lab_format.tag_fields = vec![
        field(TagFieldResource::Instance, &["Team", "Stage"]),
        field(TagFieldResource::NetworkInterface, &["Name"]),
        field(TagFieldResource::AutoScalingGroup, &["Team", "Stage"]),
    ];
}

const TAGS: &str = "interface-id instance-tag instance-tag-2 interface-tag asg-tag asg-tag-2";

const TAGGED: &str = "vpc v 10.0.0.0/16
     subnet a 10.0.0.0/24
     sg open in all from 0.0.0.0/0
     eni x 10.0.0.5 in a sg:open
     eni y 10.0.0.6 in a sg:open
     tag i:x Team=platform-engineering
     tag eni:x Name=main interface
     tag eni:y Name=
     tag i:y Team=ops
     tag i:y autoscaling:groupName=web
     tag i:y Stage=prod/1";

#[test]
fn tags_are_as_they_were_when_the_flow_was_seen() {
    let vpc = fixture::vpc("v").to_string();
    let nitro = Aggregation::Nitro;
    let mut lab = Lab::with(TAGGED, &vpc, "interface-id", nitro, |log| {
        log.log_format = LogFormat::from_header(TAGS).unwrap().to_string();
        tag_fields(log);
    });
    let ping = "x sends icmp 10.0.0.5 > 10.0.0.6";
    lab.send(ping, 1000);
    lab.flush(1010);
    let scope = lab.fixture.scope;
    let state = lab.fixture.world.regions.get_mut(&scope).unwrap();
    let mut instance = state
        .instances
        .get(&fixture::instance("x"))
        .unwrap()
        .clone();
    instance.tags.insert("Team".to_owned(), "späti".to_owned());
    state.instances.insert(instance.id, instance);
    lab.install();
    lab.send(ping, 1020);
    lab.close_due(1060);
    lab.close_due(1120);
    check(
        &lab,
        &expect![[r#"
        x platform%2Dengineering - main%20interface - -
        x sp%C3%A4ti - main%20interface - -
        x sp%C3%A4ti - main%20interface - -
        y ops prod%2F1 - ops prod%2F1
        y ops prod%2F1 - ops prod%2F1
        y ops prod%2F1 - ops prod%2F1
    "#]],
    );
}

#[test]
fn ecs_fields_are_tags_of_the_interface() {
    let mut lab = lab(
        "vpc v 10.0.0.0/16
         subnet a 10.0.0.0/24
         sg open in all from 0.0.0.0/0
         eni x 10.0.0.5 in a sg:open
         eni y 10.0.0.6 in a sg:open
         tag eni:x ecs-cluster-arn=arn:aws:ecs:us-east-1:123456789012:cluster/shop
         tag eni:x ecs-container-instance-arn=arn:aws:ecs:us-east-1:123456789012:container-instance/shop/0b69d5c0
         tag eni:x ecs-container-id=f00d-1
         tag eni:x ecs-second-container-id=two words
         tag eni:x ecs-service-name=checkout
         tag eni:x ecs-task-definition-arn=arn:aws:ecs:us-east-1:123456789012:task-definition/checkout:7
         tag eni:x ecs-task-arn=arn:aws:ecs:us-east-1:123456789012:task/shop/74de0355",
        "v",
        "interface-id ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id \
         ecs-container-id ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id",
    );
    lab.send("x sends icmp 10.0.0.5 > 10.0.0.6", 1000);
    lab.flush(1050);
    check(
        &lab,
        &expect![[r#"
        x arn:aws:ecs:us-east-1:123456789012:cluster/shop shop arn:aws:ecs:us-east-1:123456789012:container-instance/shop/0b69d5c0 0b69d5c0 f00d-1 - checkout arn:aws:ecs:us-east-1:123456789012:task-definition/checkout:7 arn:aws:ecs:us-east-1:123456789012:task/shop/74de0355 74de0355
        y - - - - - - - - - -
    "#]],
    );
}

/// A line that says that there was nothing tells of the interface what it can.
#[test]
fn status_lines_show_what_is_the_interfaces() {
    let vpc = fixture::vpc("v").to_string();
    let everything: Vec<_> = Field::ALL.iter().map(|field| field.name()).collect();
    let everything = everything.join(" ");
    let nitro = Aggregation::Nitro;
    let mut lab = Lab::with(TAGGED, &vpc, "interface-id", nitro, |log| {
        log.log_format = LogFormat::from_header(&everything).unwrap().to_string();
        tag_fields(log);
    });
    lab.send("x sends udp 10.0.0.5:7 > 10.0.0.6:9 len 100", 1000);
    lab.close_due(1060);
    lab.close_due(1120);
    check(
        &lab,
        &expect![[r#"
        11 123456789012 x - - - - - - - 1060 1120 - NODATA v a i:x - - - - us-east-1 use1-az1 - - - - - - - - - - - - - - - - - - - platform%2Dengineering - main%20interface - - - - - - - - -
        11 123456789012 x 10.0.0.5 10.0.0.6 7 9 17 1 128 1000 1000 ACCEPT OK v a i:x 0 IPv4 10.0.0.5 10.0.0.6 us-east-1 use1-az1 - - - - egress 1 - - - - - - - - - - - - - platform%2Dengineering - main%20interface - - - - y a use1-az1 v -
        11 123456789012 y - - - - - - - 1060 1120 - NODATA v a i:y - - - - us-east-1 use1-az1 - - - - - - - - - - - - - - - - - - - ops prod%2F1 - - ops prod%2F1 - - - - - -
        11 123456789012 y 10.0.0.5 10.0.0.6 7 9 17 1 128 1000 1000 ACCEPT OK v a i:y 0 IPv4 10.0.0.5 10.0.0.6 us-east-1 use1-az1 - - - - ingress - - - - - - - - - - - - - - ops prod%2F1 - - ops prod%2F1 - x a use1-az1 v -
    "#]],
    );
}

/// A line of a window tells of the interface what it is at the window's end; a record, what it was with the packets.
#[test]
fn status_lines_are_of_the_windows_end() {
    let vpc = fixture::vpc("v").to_string();
    let format = "interface-id start log-status instance-tag interface-tag";
    let nitro = Aggregation::Nitro;
    let mut lab = Lab::with(TAGGED, &vpc, "interface-id", nitro, |log| {
        log.log_format = LogFormat::from_header(format).unwrap().to_string();
        tag_fields(log);
    });
    lab.send("x sends udp 10.0.0.5:7 > 10.0.0.6:9 len 100", 1000);
    lab.close_due(1060);
    let scope = lab.fixture.scope;
    let state = lab.fixture.world.regions.get_mut(&scope).unwrap();
    let known = state.instances.get(&fixture::instance("y")).unwrap();
    let mut instance = known.clone();
    instance.tags.insert("Team".to_owned(), "moved".to_owned());
    state.instances.insert(instance.id, instance);
    lab.close_due(1120);
    check(
        &lab,
        &expect![[r#"
        x 1000 OK platform%2Dengineering main%20interface
        x 1060 NODATA platform%2Dengineering main%20interface
        y 1000 OK ops -
        y 1060 NODATA moved -
    "#]],
    );
}

#[test]
fn formats_of_older_states_are_read() {
    let mut row = super::support::flow_log("fl-00000001", "vpc-00000001 ALL s3:b 60");
    row.log_format = "${version} ${end}".to_owned();
    assert_eq!(LogFormat::of(&row).header(), "version end");
    assert_eq!(LogFormat::of(&row).version(), 2);
    row.log_format = "${version} ${asg-tag-2}".to_owned();
    assert_eq!(LogFormat::of(&row).version(), 11);
    row.log_format = "${gone} ${end}".to_owned();
    assert_eq!(LogFormat::of(&row), LogFormat::default());
}
