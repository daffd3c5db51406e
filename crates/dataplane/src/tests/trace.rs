//! Traces: every step, in words.

use expect_test::expect;

use super::Net;
use crate::{Source, TraceRequest, trace};

pub(super) fn told(
    net: &Net,
    source: Source,
    protocol: u8,
    destination: &str,
    port: u16,
) -> String {
    let request = TraceRequest {
        source,
        protocol,
        destination: destination.parse().unwrap(),
        source_port: 40_000,
        destination_port: port,
    };
    match trace(net.dataplane.snapshot(), &request) {
        Ok(trace) => net
            .fixture
            .readable(&format!("{trace}{:?}\n", trace.outcome)),
        Err(error) => format!("{error}\n"),
    }
}

const NET: &str = "vpc main 10.0.0.0/16\n\
     subnet web 10.0.1.0/24 local, 0.0.0.0/0 > igw\n\
     subnet db 10.0.2.0/24\n\
     sg db in tcp 5432 from sg:web\n\
     sg web in tcp 443 from 0.0.0.0/0\n\
     eni w1 10.0.1.10 in web sg:web public 203.0.113.10\n\
     eni d1 10.0.2.10 in db sg:db\n\
     eni idle 10.0.2.11 in db sg:db unattached\n\
     host 198.51.100.7\n";

pub(super) fn eni(name: &str) -> Source {
    Source::Interface(fixture::eni(name))
}

#[test]
fn an_interface_can_be_asked_about_before_it_is_attached() {
    let net = Net::new(NET);
    let told = told(&net, eni("idle"), 6, "10.0.2.10", 443);
    assert!(told.ends_with("Refused\n"), "{told}");
    let told = self::told(&net, eni("idle"), 1, "10.0.1.10", 0);
    assert!(told.ends_with("Refused\n"), "{told}");
    let told = self::told(&net, eni("idle"), 6, "10.0.1.10", 443);
    assert!(told.ends_with("Answered\n"), "{told}");
}

#[test]
fn delivered_and_answered() {
    let net = Net::new(NET);
    expect![[r#"
        w1  egress  security group web  pass  all to 0.0.0.0/0 (sgr-1d3d434b5d56de8b0)
        web  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        web  egress  route table web  pass  10.0.0.0/16 to local
        db  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        d1  ingress  security group db  pass  tcp 5432 from web (sgr-1cd5985bccdd401d6)
        d1  ingress  delivery  pass  delivered
        delivered to d1; flow log: w1 egress ACCEPT, d1 ingress ACCEPT
        --- answer
        d1  egress  security group  pass  tracked connection
        db  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        db  egress  route table main  pass  10.0.0.0/16 to local
        web  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        w1  ingress  security group  pass  tracked connection
        w1  ingress  delivery  pass  delivered
        delivered to w1; flow log: d1 egress ACCEPT, w1 ingress ACCEPT
        Answered
    "#]]
    .assert_eq(&told(&net, eni("w1"), 6, "10.0.2.10", 5432));
}

#[test]
fn refused_on_the_way() {
    let net = Net::new(NET);
    expect![[r#"
        w1  egress  security group web  pass  all to 0.0.0.0/0 (sgr-1d3d434b5d56de8b0)
        web  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        web  egress  route table web  pass  10.0.0.0/16 to local
        db  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        d1  ingress  security group  drop  no inbound rule of db allows it
        no inbound rule of db allows it; flow log: w1 egress ACCEPT, d1 ingress REJECT
        Refused
    "#]]
    .assert_eq(&told(&net, eni("w1"), 6, "10.0.2.10", 22));
    expect![[r#"
        idle  egress  security group db  pass  all to 0.0.0.0/0 (sgr-aaaa883fe547be4f4)
        db  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        db  egress  route table main  drop  no route
        route table main has no route to it; flow log: idle egress ACCEPT
        Refused
    "#]]
    .assert_eq(&told(&net, eni("idle"), 6, "10.9.9.9", 22));
}

#[test]
fn delivered_but_the_answer_is_refused() {
    let net = Net::new(&format!(
        "{NET}nacl strict on db\nnacl strict in 100 allow tcp all from 0.0.0.0/0\n"
    ));
    expect![[r#"
        w1  egress  security group web  pass  all to 0.0.0.0/0 (sgr-1d3d434b5d56de8b0)
        web  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        web  egress  route table web  pass  10.0.0.0/16 to local
        db  ingress  network ACL strict  pass  rule 100 allow tcp all 0.0.0.0/0
        d1  ingress  security group db  pass  tcp 5432 from web (sgr-1cd5985bccdd401d6)
        d1  ingress  delivery  pass  delivered
        delivered to d1; flow log: w1 egress ACCEPT, d1 ingress ACCEPT
        --- answer
        d1  egress  security group  pass  tracked connection
        db  egress  network ACL strict  drop  rule * deny all 0.0.0.0/0
        network ACL strict egress rule * deny; flow log: d1 egress REJECT
        AnswerRefused
    "#]]
    .assert_eq(&told(&net, eni("w1"), 6, "10.0.2.10", 5432));
}

#[test]
fn from_and_to_the_internet() {
    let net = Net::new(NET);
    let host = Source::Internet("198.51.100.7".parse().unwrap());
    expect![[r#"
        igw  ingress  internet gateway  pass  destination 203.0.113.10 is 10.0.1.10
        web  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        w1  ingress  security group web  pass  tcp 443 from 0.0.0.0/0 (sgr-688136fec7694a143)
        w1  ingress  delivery  pass  delivered
        delivered to w1; flow log: w1 ingress ACCEPT
        --- answer
        w1  egress  security group web  pass  all to 0.0.0.0/0 (sgr-1d3d434b5d56de8b0)
        web  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        web  egress  route table web  pass  0.0.0.0/0 to igw
        igw  egress  internet gateway  pass  source 10.0.1.10 is 203.0.113.10
        left through igw for 198.51.100.7; flow log: w1 egress ACCEPT
        Answered
    "#]]
    .assert_eq(&told(&net, host, 6, "203.0.113.10", 443));
    expect![[r#"
        w1  egress  security group web  pass  all to 0.0.0.0/0 (sgr-1d3d434b5d56de8b0)
        web  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        web  egress  route table web  pass  0.0.0.0/0 to igw
        igw  egress  internet gateway  pass  source 10.0.1.10 is 203.0.113.10
        left through igw for 198.51.100.7; flow log: w1 egress ACCEPT
        --- answer
        igw  ingress  internet gateway  pass  destination 203.0.113.10 is 10.0.1.10
        web  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        w1  ingress  security group  pass  tracked connection
        w1  ingress  delivery  pass  delivered
        delivered to w1; flow log: w1 ingress ACCEPT
        Answered
    "#]]
    .assert_eq(&told(&net, eni("w1"), 1, "198.51.100.7", 0));
    let nobody = Source::Internet("198.51.100.9".parse().unwrap());
    expect![[r#"
        The source internet:198.51.100.9 does not exist
    "#]]
    .assert_eq(&told(&net, nobody, 6, "203.0.113.10", 443));
}

#[test]
fn through_a_middlebox() {
    let net = Net::new(
        "subnet web 10.0.1.0/24 local, 10.0.2.0/24 > eni:fw\n\
         subnet db 10.0.2.0/24\n\
         subnet mid 10.0.3.0/24\n\
         sg open in all from 0.0.0.0/0\n\
         eni w1 10.0.1.10 in web sg:open\n\
         eni fw 10.0.3.10 in mid sg:open nocheck\n\
         eni d1 10.0.2.10 in db sg:open\n",
    );
    expect![[r#"
        w1  egress  security group open  pass  all to 0.0.0.0/0 (sgr-e5d568e7d0002a95b)
        web  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        web  egress  route table web  pass  10.0.2.0/24 to fw
        mid  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        fw  ingress  security group open  pass  all from 0.0.0.0/0 (sgr-722158947c1587135)
        fw  ingress  delivery  pass  forwards it, if it does what its source/destination check is off for
        fw  egress  security group open  pass  all to 0.0.0.0/0 (sgr-e5d568e7d0002a95b)
        mid  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        mid  egress  route table main  pass  10.0.0.0/16 to local
        db  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        d1  ingress  security group open  pass  all from 0.0.0.0/0 (sgr-722158947c1587135)
        d1  ingress  delivery  pass  delivered
        delivered to d1; flow log: w1 egress ACCEPT, fw ingress ACCEPT, fw egress ACCEPT, d1 ingress ACCEPT
        --- answer
        d1  egress  security group open  pass  all to 0.0.0.0/0 (sgr-e5d568e7d0002a95b)
        db  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        db  egress  route table main  pass  10.0.0.0/16 to local
        web  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        w1  ingress  security group open  pass  all from 0.0.0.0/0 (sgr-722158947c1587135)
        w1  ingress  delivery  pass  delivered
        delivered to w1; flow log: d1 egress ACCEPT, w1 ingress ACCEPT
        Answered
    "#]].assert_eq(&told(&net, eni("w1"), 17, "10.0.2.10", 53));
}

#[test]
fn tracing_leaves_no_trace() {
    let net = Net::new(NET);
    told(&net, eni("w1"), 6, "10.0.2.10", 5432);
    assert_eq!(net.dataplane.connections(), 0);
    assert_eq!(net.dataplane.flows(), 0);
}

#[test]
fn through_a_nat_gateway_and_back() {
    let net = Net::new(
        "vpc main 10.0.0.0/16\n\
         subnet pub 10.0.0.0/24 local, 0.0.0.0/0 > igw\n\
         subnet app 10.0.1.0/24 local, 0.0.0.0/0 > nat:nat\n\
         sg none\n\
         nat nat 10.0.0.220 in pub public 203.0.113.220\n\
         eni x 10.0.1.5 in app sg:none\n\
         host 198.51.100.7\n",
    );
    expect![[r#"
        x  egress  security group none  pass  all to 0.0.0.0/0 (sgr-a6b25148af4ffdbc7)
        app  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        app  egress  route table app  pass  0.0.0.0/0 to nat
        pub  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        nat  egress  NAT gateway  pass  source 10.0.1.5 id 1 is 10.0.0.220 id 58117
        pub  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        pub  egress  route table pub  pass  0.0.0.0/0 to igw
        igw  egress  internet gateway  pass  source 10.0.0.220 is 203.0.113.220
        left through igw for 198.51.100.7; flow log: x egress ACCEPT, eni-of-nat ingress ACCEPT, eni-of-nat egress ACCEPT
        --- answer
        igw  ingress  internet gateway  pass  destination 203.0.113.220 is 10.0.0.220
        pub  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        nat  ingress  NAT gateway  pass  destination 10.0.0.220 id 58117 is 10.0.1.5 id 1
        pub  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        pub  egress  route table pub  pass  10.0.0.0/16 to local
        app  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        x  ingress  security group  pass  tracked connection
        x  ingress  delivery  pass  delivered
        delivered to x; flow log: eni-of-nat ingress ACCEPT, eni-of-nat egress ACCEPT, x ingress ACCEPT
        Answered
    "#]].assert_eq(&told(&net, eni("x"), 1, "198.51.100.7", 0));
    for protocol in [6, 17] {
        let told = told(&net, eni("x"), protocol, "198.51.100.7", 443);
        assert!(told.ends_with("Answered\n"), "{told}");
    }
    let outside = Source::Internet("198.51.100.7".parse().unwrap());
    for protocol in [1, 6, 17] {
        let told = told(&net, outside, protocol, "203.0.113.220", 443);
        assert!(told.ends_with("Refused\n"), "{told}");
    }
}
