//! The Amazon DNS server.

use std::net::IpAddr;
use std::sync::Arc;

use domain::base::iana::{Class, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::{A, Aaaa, AllRecordData, Cname};
use expect_test::expect;
use packet::Mac;
use packet::build::Frame;

use super::Net;
use crate::{Offload, Resolved, Snapshot, Verdict};

const NET: &str = "vpc main 10.0.0.0/16 2001:db8:0:100::/56\n\
     subnet a 10.0.0.0/24 2001:db8:0:101::/64 local, 0.0.0.0/0 > igw\n\
     eni x 10.0.0.10 10.0.0.20 2001:db8:0:101::10 in a public 203.0.113.10\n\
     eni y 10.0.0.11 in a\n\
     vpc other 10.0.0.0/16\n\
     subnet o 10.0.0.0/24 local, 0.0.0.0/0 > igw\n\
     eni z 10.0.0.30 in o public 203.0.113.30\n";

/// A query as `dig` makes it, without EDNS.
fn query(name: &str, rtype: Rtype) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(0x1234);
    builder.header_mut().set_rd(true);
    let mut section = builder.question();
    let name = Name::vec_from_str(name).unwrap();
    section.push((name, rtype, Class::IN)).unwrap();
    section.finish()
}

fn query_with_edns(name: &str, rtype: Rtype, len_max: u16) -> Vec<u8> {
    let builder = MessageBuilder::from_target(query(name, rtype)).unwrap();
    let mut section = builder.question();
    section.header_mut().set_id(0x1234);
    section.header_mut().set_rd(true);
    let name = Name::vec_from_str(name).unwrap();
    section.push((name, rtype, Class::IN)).unwrap();
    let mut additional = section.additional();
    additional
        .opt(|opt| {
            opt.set_udp_payload_size(len_max);
            opt.set_dnssec_ok(true);
            Ok(())
        })
        .unwrap();
    additional.finish()
}

/// A frame of an interface for a DNS server.
fn frame(net: &Net, from: &str, to: IpAddr, message: &[u8]) -> Vec<u8> {
    let snapshot = net.dataplane.snapshot();
    let interface = snapshot.interface(net.port(from)).unwrap();
    let router = Mac(Snapshot::router_mac(interface.metadata.vpc_id).0);
    let own = interface.addresses.iter().copied();
    let src = own.clone().find(|a| a.is_ipv4() == to.is_ipv4()).unwrap();
    let headers = Frame::new(interface.mac, router, src, to).unwrap();
    headers.udp(4000, 53, message)
}

fn send(net: &mut Net, from: &str, to: &str, message: &[u8]) -> Verdict {
    let mut frame = frame(net, from, to.parse().unwrap(), message);
    let port = net.port(from);
    net.dataplane
        .forward(port, &mut frame, Offload::default(), net.now)
}

/// The message of the last answer, which has to be one from port 53 to the port that asked.
fn emitted(net: &Net) -> Vec<u8> {
    let [(_, frame)] = net.dataplane.emitted() else {
        panic!("{:?}", net.dataplane.emitted());
    };
    assert!(packet::build::checksum_is_valid(frame));
    let packet = packet::Packet::parse(frame).unwrap();
    let ip = *packet.ip().unwrap();
    assert_eq!((ip.src_port, ip.dst_port), (53, 4000));
    ip.transport(frame)[8..].to_vec()
}

/// Code, flags, answers, then `/` and the authority.
fn shown(message: &[u8]) -> String {
    let message = Message::from_octets(message).unwrap();
    let header = message.header();
    assert_eq!((header.id(), header.qr()), (0x1234, true));
    let mut text = header.rcode().to_string();
    for (flag, name) in [
        (header.aa(), " aa"),
        (header.tc(), " tc"),
        (header.rd(), " rd"),
        (header.ra(), " ra"),
    ] {
        text += if flag { name } else { "" };
    }
    let records = |section: domain::base::message::RecordSection<'_, &[u8]>| {
        let records = section.limit_to::<AllRecordData<_, _>>();
        let texts = records.map(|r| r.unwrap()).map(|r| {
            format!(
                " | {} {} {} {}",
                r.owner(),
                r.ttl().as_secs(),
                r.rtype(),
                r.data()
            )
        });
        texts.collect::<String>()
    };
    text += &records(message.answer().unwrap());
    let authority = records(message.authority().unwrap());
    if !authority.is_empty() {
        text += &format!(" /{authority}");
    }
    if let Some(opt) = message.opt() {
        text += &format!(" edns {} {}", opt.udp_payload_size(), opt.rcode(header));
    }
    text
}

fn ask(net: &mut Net, from: &str, to: &str, message: &[u8]) -> String {
    match send(net, from, to, message) {
        Verdict::Emit => shown(&emitted(net)),
        verdict => format!("{verdict:?}"),
    }
}

/// A line for each question: `x A example.com`.
fn told(net: &mut Net, questions: &str) -> String {
    let mut told = String::new();
    for line in questions.lines().map(str::trim) {
        let [from, rtype, name] = *line.split(' ').collect::<Vec<_>>() else {
            panic!("{line}");
        };
        let answer = ask(
            net,
            from,
            "169.254.169.253",
            &query(name, rtype.parse().unwrap()),
        );
        told += &format!("{line}\n  {answer}\n");
    }
    told
}

#[test]
fn names_of_the_vpc_resolve_forwards_and_backwards() {
    let mut net = Net::new(NET);
    let instance = fixture::instance("x").to_string();
    let answers = told(
        &mut net,
        &format!(
            "x A ip-10-0-9-9.ec2.internal
             x A IP-10-0-9-9.EC2.internal
             x AAAA ip-10-0-9-9.ec2.internal
             x TYPE65280 ip-10-0-9-9.ec2.internal
             x A ip-10-9-9-9.ec2.internal
             x A ip-10-9-9-09.ec2.internal
             x A nobody.ec2.internal
             x A a.b.ec2.internal
             x A ec2.internal
             x SOA ec2.internal
             y A {instance}.ec2.internal
             y AAAA {instance}.ec2.internal
             y ANY {instance}.ec2.internal
             z A {instance}.ec2.internal
             x PTR 10.0.0.10.in-addr.arpa
             x PTR 10.0.1.10.in-addr.arpa
             x A 10.0.0.10.in-addr.arpa
             x PTR 1.1.168.192.in-addr.arpa
             x A localhost
             x A eu-west-1.compute.internal"
        ),
    );
    expect![[r#"
        x A ip-10-0-9-9.ec2.internal
          NOERROR rd ra | ip-10-0-9-9.ec2.internal 60 A 10.0.9.9
        x A IP-10-0-9-9.EC2.internal
          NOERROR rd ra | IP-10-0-9-9.EC2.internal 60 A 10.0.9.9
        x AAAA ip-10-0-9-9.ec2.internal
          NOERROR rd ra / | ec2.internal 60 SOA ns0.ec2.internal. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        x TYPE65280 ip-10-0-9-9.ec2.internal
          NOERROR rd ra / | ec2.internal 60 SOA ns0.ec2.internal. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        x A ip-10-9-9-9.ec2.internal
          NXDOMAIN rd ra / | ec2.internal 60 SOA ns0.ec2.internal. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        x A ip-10-9-9-09.ec2.internal
          NXDOMAIN rd ra / | ec2.internal 60 SOA ns0.ec2.internal. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        x A nobody.ec2.internal
          NXDOMAIN rd ra / | ec2.internal 60 SOA ns0.ec2.internal. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        x A a.b.ec2.internal
          NXDOMAIN rd ra / | ec2.internal 60 SOA ns0.ec2.internal. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        x A ec2.internal
          NOERROR rd ra / | ec2.internal 60 SOA ns0.ec2.internal. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        x SOA ec2.internal
          NOERROR rd ra | ec2.internal 60 SOA ns0.ec2.internal. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        y A i:x.ec2.internal
          NOERROR rd ra | i:x.ec2.internal 60 A 10.0.0.10
        y AAAA i:x.ec2.internal
          NOERROR rd ra | i:x.ec2.internal 60 AAAA 2001:db8:0:101::10
        y ANY i:x.ec2.internal
          NOERROR rd ra | i:x.ec2.internal 60 A 10.0.0.10 | i:x.ec2.internal 60 AAAA 2001:db8:0:101::10
        z A i:x.ec2.internal
          NXDOMAIN rd ra / | ec2.internal 60 SOA ns0.ec2.internal. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        x PTR 10.0.0.10.in-addr.arpa
          NOERROR rd ra | 10.0.0.10.in-addr.arpa 60 PTR ip-10-0-0-10.ec2.internal.
        x PTR 10.0.1.10.in-addr.arpa
          NXDOMAIN rd ra / | 10.in-addr.arpa 60 SOA ns0.10.in-addr.arpa. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        x A 10.0.0.10.in-addr.arpa
          NOERROR rd ra / | 10.in-addr.arpa 60 SOA ns0.10.in-addr.arpa. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        x PTR 1.1.168.192.in-addr.arpa
          NXDOMAIN rd ra / | 168.192.in-addr.arpa 60 SOA ns0.168.192.in-addr.arpa. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        x A localhost
          NOERROR rd ra | localhost 60 A 127.0.0.1
        x A eu-west-1.compute.internal
          NOERROR rd ra / | eu-west-1.compute.internal 60 SOA ns0.eu-west-1.compute.internal. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
    "#]]
    .assert_eq(&net.fixture.readable(&answers));
}

#[test]
fn a_public_name_is_the_private_address_inside() {
    let mut net = Net::new(NET);
    let answers = told(
        &mut net,
        "y A ec2-203-0-113-10.compute-1.amazonaws.com
         z A ec2-203-0-113-10.compute-1.amazonaws.com
         y AAAA ec2-203-0-113-10.compute-1.amazonaws.com
         y A ec2-203-0-113-10.eu-west-1.compute.amazonaws.com
         y A ec2-203-0-113-99.compute-1.amazonaws.com",
    );
    expect![[r#"
        y A ec2-203-0-113-10.compute-1.amazonaws.com
          NOERROR rd ra | ec2-203-0-113-10.compute-1.amazonaws.com 60 A 10.0.0.10
        z A ec2-203-0-113-10.compute-1.amazonaws.com
          NOERROR rd ra | ec2-203-0-113-10.compute-1.amazonaws.com 60 A 203.0.113.10
        y AAAA ec2-203-0-113-10.compute-1.amazonaws.com
          NOERROR rd ra / | compute-1.amazonaws.com 60 SOA ns0.compute-1.amazonaws.com. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        y A ec2-203-0-113-10.eu-west-1.compute.amazonaws.com
          NXDOMAIN rd ra / | eu-west-1.compute.amazonaws.com 60 SOA ns0.eu-west-1.compute.amazonaws.com. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        y A ec2-203-0-113-99.compute-1.amazonaws.com
          SERVFAIL rd ra
    "#]]
    .assert_eq(&answers);
    net.change(&NET.replace("vpc other", "dns hostnames off\nvpc other"));
    let answers = told(&mut net, "z A ec2-203-0-113-10.compute-1.amazonaws.com");
    expect![[r#"
        z A ec2-203-0-113-10.compute-1.amazonaws.com
          NXDOMAIN rd ra / | compute-1.amazonaws.com 60 SOA ns0.compute-1.amazonaws.com. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
    "#]]
    .assert_eq(&answers);
}

#[test]
fn the_attributes_decide_what_is_answered() {
    let questions = "x A ip-10-0-0-11.ec2.internal
                     x PTR 11.0.0.10.in-addr.arpa
                     x A ec2-203-0-113-30.compute-1.amazonaws.com";
    let mut net = Net::new(&NET.replace("subnet a", "dns hostnames off\nsubnet a"));
    let mut answers = told(&mut net, questions);
    net.change(&NET.replace("subnet a", "dns support off\nsubnet a"));
    answers += &told(&mut net, questions);
    expect![[r#"
        x A ip-10-0-0-11.ec2.internal
          NXDOMAIN rd ra / | ec2.internal 60 SOA ns0.ec2.internal. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        x PTR 11.0.0.10.in-addr.arpa
          NXDOMAIN rd ra / | 10.in-addr.arpa 60 SOA ns0.10.in-addr.arpa. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        x A ec2-203-0-113-30.compute-1.amazonaws.com
          NOERROR rd ra | ec2-203-0-113-30.compute-1.amazonaws.com 60 A 203.0.113.30
        x A ip-10-0-0-11.ec2.internal
          Drop(ServiceUnavailable)
        x PTR 11.0.0.10.in-addr.arpa
          Drop(ServiceUnavailable)
        x A ec2-203-0-113-30.compute-1.amazonaws.com
          Drop(ServiceUnavailable)
    "#]]
    .assert_eq(&answers);
}

#[test]
fn the_server_answers_at_each_of_its_addresses() {
    let mut net = Net::new(NET);
    let question = query("ip-10-0-0-11.ec2.internal", Rtype::A);
    let found = "NOERROR rd ra | ip-10-0-0-11.ec2.internal 60 A 10.0.0.11";
    for address in ["10.0.0.2", "169.254.169.253", "fd00:ec2::253"] {
        assert_eq!(ask(&mut net, "x", address, &question), found);
    }
    // The first four addresses of other subnets are nobody's.
    let elsewhere = NET.replace("subnet a 10.0.0.0/24", "subnet a 10.0.1.0/24");
    net.change(&elsewhere.replace("eni x 10.0.0.", "eni x 10.0.1."));
    assert_ne!(ask(&mut net, "x", "10.0.1.2", &question), found);
    assert_eq!(ask(&mut net, "x", "10.0.0.2", &question), found);
}

#[test]
fn messages_that_are_no_questions_are_refused() {
    let mut net = Net::new(NET);
    let good = query("ip-10-0-0-11.ec2.internal", Rtype::A);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut query = good.clone();
        change(&mut query);
        query
    };
    let edns = |version| {
        let mut query = query_with_edns("ip-10-0-0-11.ec2.internal", Rtype::A, 1232);
        let at = query.len() - 5;
        query[at] = version;
        query
    };
    let cases = [
        ("an answer", with(&|q| q[2] |= 0x80)),
        ("too short", good[..11].to_vec()),
        ("a notification", with(&|q| q[2] |= 0x20)),
        ("no question", with(&|q| q[5] = 0)),
        ("two questions", with(&|q| q[5] = 2)),
        ("an answer in it", with(&|q| q[7] = 1)),
        ("cut", good[..20].to_vec()),
        (
            "a pointer to itself",
            with(&|q| q[12..14].copy_from_slice(&[0xc0, 12])),
        ),
        ("chaos", with(&|q| *q.last_mut().unwrap() = 3)),
        ("a transfer", query("ec2.internal", Rtype::AXFR)),
        ("EDNS", edns(0)),
        ("EDNS of tomorrow", edns(1)),
    ];
    let told = cases
        .map(|(what, message)| format!("{what}: {}\n", ask(&mut net, "x", "10.0.0.2", &message)));
    expect![[r#"
        an answer: Drop(ServiceUnavailable)
        too short: Drop(ServiceUnavailable)
        a notification: NOTIMP rd ra
        no question: FORMERR rd ra
        two questions: FORMERR rd ra
        an answer in it: FORMERR rd ra
        cut: FORMERR rd ra
        a pointer to itself: FORMERR rd ra
        chaos: REFUSED rd ra
        a transfer: REFUSED rd ra
        EDNS: NOERROR rd ra | ip-10-0-0-11.ec2.internal 60 A 10.0.0.11 edns 4096 NOERROR
        EDNS of tomorrow: NOERROR rd ra edns 4096 BADVERS
    "#]]
    .assert_eq(&told.concat());
}

#[test]
fn what_does_not_fit_is_truncated() {
    let enis: String = (0..60)
        .map(|i| format!("2001:db8:0:101::{:x} ", 0x100 + i))
        .collect();
    let text = NET.replace("2001:db8:0:101::10", &enis);
    let mut net = Net::new(&text);
    let name = format!("{}.ec2.internal", fixture::instance("x"));
    let plain = ask(&mut net, "y", "10.0.0.2", &query(&name, Rtype::AAAA));
    assert_eq!(plain, "NOERROR tc rd ra");
    let small = query_with_edns(&name, Rtype::AAAA, 100);
    let small = ask(&mut net, "y", "10.0.0.2", &small);
    assert_eq!(small, "NOERROR tc rd ra edns 4096 NOERROR");
    let large = query_with_edns(&name, Rtype::AAAA, 4096);
    let large = ask(&mut net, "y", "10.0.0.2", &large);
    assert_eq!(large.matches(" AAAA ").count(), 60);
}

#[test]
fn dns64_makes_addresses_for_hosts_without_ipv4() {
    let mut net = Net::new(NET);
    let question = query("ip-10-0-0-11.ec2.internal", Rtype::AAAA);
    net.edit(|state| {
        let mut subnet = state.subnets.get(&fixture::subnet("a")).unwrap().clone();
        subnet.enable_dns64 = true;
        state.subnets.insert(subnet.id, subnet);
    });
    assert_eq!(
        ask(&mut net, "x", "fd00:ec2::253", &question),
        "NOERROR rd ra | ip-10-0-0-11.ec2.internal 60 AAAA 64:ff9b::a00:b"
    );
}

/// What name servers outside would say to an inquiry.
fn respond(query: &[u8], answers: &[(&str, &str)]) -> Vec<u8> {
    let query = Message::from_octets(query).unwrap();
    let mut answer = MessageBuilder::new_vec()
        .start_answer(&query, domain::base::iana::Rcode::NOERROR)
        .unwrap();
    answer.header_mut().set_ra(true);
    let ttl = domain::base::Ttl::from_secs(7);
    for (owner, data) in answers {
        let owner = Name::vec_from_str(owner).unwrap();
        let pushed = match data.parse() {
            Ok(IpAddr::V4(v4)) => answer.push((owner, Class::IN, ttl, A::new(v4))),
            Ok(IpAddr::V6(v6)) => answer.push((owner, Class::IN, ttl, Aaaa::new(v6))),
            Err(_) => {
                let alias = Cname::new(Name::vec_from_str(data).unwrap());
                answer.push((owner, Class::IN, ttl, alias))
            }
        };
        pushed.unwrap();
    }
    answer.finish()
}

#[test]
fn over_tcp_an_answer_may_be_as_long_as_it_is() {
    let net = Net::new(NET);
    let snapshot = net.dataplane.snapshot();
    let resolved = |query: &[u8]| crate::resolve(snapshot, fixture::eni("x"), query);
    let Some(Resolved::Message(own)) = resolved(&query("ip-10-0-0-11.ec2.internal", Rtype::A))
    else {
        panic!("a name of the VPC");
    };
    let own = Message::from_octets(own).unwrap();
    assert_eq!(
        (own.header().tc(), own.header_counts().ancount()),
        (false, 1)
    );
    let Some(Resolved::Ask(pending)) = resolved(&query("example.com", Rtype::A)) else {
        panic!("a name of others");
    };
    let failure = Message::from_octets(pending.fail().unwrap()).unwrap();
    assert_eq!(
        failure.header().rcode(),
        domain::base::iana::Rcode::SERVFAIL
    );
    let addresses: Vec<String> = (0..500)
        .map(|n| format!("192.0.{}.{}", n / 250, n % 250))
        .collect();
    let answers: Vec<(&str, &str)> = addresses
        .iter()
        .map(|a| ("example.com", a.as_str()))
        .collect();
    let response = respond(pending.asked(), &answers);
    assert!(response.len() > 4096);
    let Some(Resolved::Message(whole)) = pending.receive(&response) else {
        panic!("the answer");
    };
    let whole = Message::from_octets(whole).unwrap();
    let header = (whole.header().id(), whole.header().tc());
    assert_eq!(
        (header, whole.header_counts().ancount()),
        ((0x1234, false), 500)
    );
    // Who forges an answer makes it fail.
    let forged = respond(
        &query("example.org", Rtype::A),
        &[("example.org", "192.0.2.1")],
    );
    assert!(matches!(pending.receive(&forged), Some(Resolved::Message(m)) if m[3] & 0xf == 2));
    assert!(resolved(b"no message").is_none());
    assert!(resolved(&response).is_none(), "an answer is no query");
    assert!(crate::resolve(snapshot, fixture::eni("nobody"), &query("a", Rtype::A)).is_none());
}

#[test]
fn without_an_uplink_names_outside_fail() {
    let mut net = Net::new(NET);
    let question = query_with_edns("example.com", Rtype::A, 1232);
    assert_eq!(
        ask(&mut net, "x", "10.0.0.2", &question),
        "SERVFAIL rd ra edns 4096 SERVFAIL"
    );
    assert!(net.dataplane.take_inquiries().is_empty());
}

#[test]
fn with_an_uplink_names_outside_are_asked_for_there() {
    let mut net = Net::with_uplink(NET);
    let question = query("Example.com", Rtype::A);
    assert_eq!(send(&mut net, "x", "10.0.0.2", &question), Verdict::Emit);
    assert!(net.dataplane.emitted().is_empty());
    let inquiries = net.dataplane.take_inquiries();
    let [inquiry] = inquiries.as_slice() else {
        panic!()
    };
    let asked = Message::from_octets(&inquiry.query).unwrap();
    assert_eq!(
        asked.first_question().unwrap().to_string(),
        "Example.com.\tA\tIN"
    );
    assert!(asked.header().rd());
    let response = respond(&inquiry.query, &[("example.com", "192.0.2.1")]);
    net.dataplane.answer_inquiry(inquiry.id, Some(&response));
    let answer = "NOERROR rd ra | example.com 7 A 192.0.2.1";
    assert_eq!(shown(&emitted(&net)), answer);
    // Nobody is waiting any more.
    net.dataplane.answer_inquiry(inquiry.id, Some(&response));
    assert!(net.dataplane.emitted().is_empty());
    assert!(net.harvest().is_empty());
}

#[test]
fn only_an_answer_to_the_question_is_passed_on() {
    let mut net = Net::with_uplink(NET);
    let question = query("example.com", Rtype::A);
    let other = respond(&query("example.org", Rtype::A), &[]);
    let long = [
        respond(&question, &[("example.com", "192.0.2.1")]),
        vec![0; 600],
    ]
    .concat();
    let cases = [
        (None, "SERVFAIL rd ra"),
        (Some(other), "SERVFAIL rd ra"),
        (Some(vec![1, 2, 3]), "SERVFAIL rd ra"),
        (Some(question.clone()), "SERVFAIL rd ra"),
        (Some(long), "NOERROR tc rd ra"),
    ];
    for (response, expected) in cases {
        send(&mut net, "x", "10.0.0.2", &question);
        let inquiry = net.dataplane.take_inquiries().remove(0);
        net.dataplane
            .answer_inquiry(inquiry.id, response.as_deref());
        assert_eq!(shown(&emitted(&net)), expected);
    }
}

#[test]
fn an_interface_that_is_gone_gets_no_answer() {
    let mut net = Net::with_uplink(NET);
    send(&mut net, "y", "10.0.0.2", &query("example.com", Rtype::A));
    let inquiry = net.dataplane.take_inquiries().remove(0);
    net.change(&NET.replace("eni y 10.0.0.11", "eni w 10.0.0.11"));
    net.dataplane.answer_inquiry(inquiry.id, None);
    assert!(net.dataplane.emitted().is_empty());
}

#[test]
fn few_questions_of_an_interface_wait_at_once() {
    let mut net = Net::with_uplink(NET);
    let question = query("example.com", Rtype::A);
    for _ in 0..128 {
        send(&mut net, "x", "10.0.0.2", &question);
        assert!(net.dataplane.emitted().is_empty());
    }
    assert_eq!(ask(&mut net, "x", "10.0.0.2", &question), "SERVFAIL rd ra");
    send(&mut net, "y", "10.0.0.2", &question);
    let inquiries = net.dataplane.take_inquiries();
    assert_eq!(inquiries.len(), 129);
    net.dataplane.answer_inquiry(inquiries[0].id, None);
    send(&mut net, "x", "10.0.0.2", &question);
    assert!(net.dataplane.emitted().is_empty());
}

#[test]
fn dns64_asks_outside_for_both_families() {
    let mut net = Net::with_uplink(NET);
    net.edit(|state| {
        let mut subnet = state.subnets.get(&fixture::subnet("a")).unwrap().clone();
        subnet.enable_dns64 = true;
        state.subnets.insert(subnet.id, subnet);
    });
    let aaaa = query("www.example.com", Rtype::AAAA);
    let asked = |net: &mut Net, first: &[(&str, &str)], second: &[(&str, &str)]| {
        send(net, "x", "10.0.0.2", &aaaa);
        let inquiry = net.dataplane.take_inquiries().remove(0);
        let response = respond(&inquiry.query, first);
        net.dataplane.answer_inquiry(inquiry.id, Some(&response));
        if let Some(inquiry) = net.dataplane.take_inquiries().pop() {
            assert!(net.dataplane.emitted().is_empty());
            let response = respond(&inquiry.query, second);
            net.dataplane.answer_inquiry(inquiry.id, Some(&response));
        }
        shown(&emitted(net))
    };
    let own = asked(&mut net, &[("www.example.com", "2001:db8::1")], &[]);
    assert_eq!(own, "NOERROR rd ra | www.example.com 7 AAAA 2001:db8::1");
    let alias = ("www.example.com", "a.example.com");
    let made = asked(&mut net, &[alias], &[alias, ("a.example.com", "192.0.2.1")]);
    assert_eq!(
        made,
        "NOERROR rd ra | www.example.com 7 CNAME a.example.com. | a.example.com 7 AAAA 64:ff9b::c000:201"
    );
    assert_eq!(asked(&mut net, &[], &[]), "NOERROR rd ra");
}

#[test]
fn names_of_services_and_endpoints_come_from_their_tables() {
    let mut net = Net::new(NET);
    let mut snapshot = net.compiled();
    let (public, private): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [10, 0, 0, 99].into());
    let public_names = Arc::make_mut(&mut snapshot.public_names);
    public_names.insert("logs.us-east-1.amazonaws.com", &[public]);
    public_names.insert("*.s3.us-east-1.amazonaws.com", &[public]);
    snapshot.edit_vpc_of(net.port("x"), |vpc| {
        let names = &mut vpc.private_names;
        names.insert("logs.us-east-1.amazonaws.com", &[private]);
    });
    net.dataplane.install(snapshot.into());
    let answers = told(
        &mut net,
        "x A logs.us-east-1.amazonaws.com
         x A more.logs.us-east-1.amazonaws.com
         z A logs.us-east-1.amazonaws.com
         z A bucket.s3.us-east-1.amazonaws.com
         z AAAA bucket.s3.us-east-1.amazonaws.com",
    );
    expect![[r#"
        x A logs.us-east-1.amazonaws.com
          NOERROR rd ra | logs.us-east-1.amazonaws.com 60 A 10.0.0.99
        x A more.logs.us-east-1.amazonaws.com
          NXDOMAIN rd ra / | logs.us-east-1.amazonaws.com 60 SOA ns0.logs.us-east-1.amazonaws.com. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
        z A logs.us-east-1.amazonaws.com
          NOERROR rd ra | logs.us-east-1.amazonaws.com 60 A 192.0.2.1
        z A bucket.s3.us-east-1.amazonaws.com
          NOERROR rd ra | bucket.s3.us-east-1.amazonaws.com 60 A 192.0.2.1
        z AAAA bucket.s3.us-east-1.amazonaws.com
          NOERROR rd ra / | s3.us-east-1.amazonaws.com 60 SOA ns0.s3.us-east-1.amazonaws.com. hostmaster.amazon.com. 2012103100 3600 3600 3600 60
    "#]]
    .assert_eq(&answers);
}

/// An endpoint to S3 in two zones with private DNS, one without, and a VPC beside theirs.
const ENDPOINTS: &str = "subnet a 10.0.0.0/24\n\
     subnet b 10.0.1.0/24\n\
     zone b b\n\
     eni x 10.0.0.10 in a\n\
     eni ea 10.0.0.20 in a\n\
     eni eb 10.0.1.20 in b\n\
     eni f 10.0.0.21 in a\n\
     eni g 10.0.0.22 in a\n\
     vpce e s3 ea eb private\n\
     vpce f logs f\n\
     vpce g sts g private pending\n\
     vpc other 10.8.0.0/16\n\
     subnet o 10.8.0.0/24\n\
     eni z 10.8.0.10 in o\n";

#[test]
fn names_of_interface_endpoints() {
    let mut net = Net::with_services(ENDPOINTS);
    let state = net.fixture.world.region(&net.fixture.scope).unwrap();
    let endpoints = state.vpc_endpoints.values();
    let mut names: Vec<String> = endpoints
        .flat_map(|e| e.names(net.fixture.scope.region))
        .flat_map(|name| {
            let below = name
                .name
                .strip_prefix("*.")
                .map(|rest| format!("bucket.{rest}"));
            [name.name, below.unwrap_or_default()]
        })
        .filter(|name| !name.is_empty() && !name.starts_with('*'))
        .collect();
    names.sort();
    let questions: Vec<String> = names
        .iter()
        .flat_map(|name| ["x", "z"].map(|from| format!("{from} A {name}")))
        .collect();
    let told = told(&mut net, &questions.join("\n"));
    expect![[r#"
        x A bucket.s3.us-east-1.amazonaws.com
          NOERROR rd ra | bucket.s3.us-east-1.amazonaws.com 60 A 10.0.0.20 | bucket.s3.us-east-1.amazonaws.com 60 A 10.0.1.20
        z A bucket.s3.us-east-1.amazonaws.com
          NOERROR rd ra | bucket.s3.us-east-1.amazonaws.com 60 A 3.5.0.1
        x A bucket.e-abcd1234-us-east-1a.s3.us-east-1.vpce.amazonaws.com
          NOERROR rd ra | bucket.e-abcd1234-us-east-1a.s3.us-east-1.vpce.amazonaws.com 60 A 10.0.0.20
        z A bucket.e-abcd1234-us-east-1a.s3.us-east-1.vpce.amazonaws.com
          NOERROR rd ra | bucket.e-abcd1234-us-east-1a.s3.us-east-1.vpce.amazonaws.com 60 A 10.0.0.20
        x A bucket.e-abcd1234-us-east-1b.s3.us-east-1.vpce.amazonaws.com
          NOERROR rd ra | bucket.e-abcd1234-us-east-1b.s3.us-east-1.vpce.amazonaws.com 60 A 10.0.1.20
        z A bucket.e-abcd1234-us-east-1b.s3.us-east-1.vpce.amazonaws.com
          NOERROR rd ra | bucket.e-abcd1234-us-east-1b.s3.us-east-1.vpce.amazonaws.com 60 A 10.0.1.20
        x A bucket.e-abcd1234.s3.us-east-1.vpce.amazonaws.com
          NOERROR rd ra | bucket.e-abcd1234.s3.us-east-1.vpce.amazonaws.com 60 A 10.0.0.20 | bucket.e-abcd1234.s3.us-east-1.vpce.amazonaws.com 60 A 10.0.1.20
        z A bucket.e-abcd1234.s3.us-east-1.vpce.amazonaws.com
          NOERROR rd ra | bucket.e-abcd1234.s3.us-east-1.vpce.amazonaws.com 60 A 10.0.0.20 | bucket.e-abcd1234.s3.us-east-1.vpce.amazonaws.com 60 A 10.0.1.20
        x A s3.us-east-1.amazonaws.com
          NOERROR rd ra | s3.us-east-1.amazonaws.com 60 A 10.0.0.20 | s3.us-east-1.amazonaws.com 60 A 10.0.1.20
        z A s3.us-east-1.amazonaws.com
          NOERROR rd ra | s3.us-east-1.amazonaws.com 60 A 3.5.0.1
        x A sts.us-east-1.amazonaws.com
          NOERROR rd ra | sts.us-east-1.amazonaws.com 60 A 198.18.141.65
        z A sts.us-east-1.amazonaws.com
          NOERROR rd ra | sts.us-east-1.amazonaws.com 60 A 198.18.141.65
        x A g-abcd1234-us-east-1a.sts.us-east-1.vpce.amazonaws.com
          SERVFAIL rd ra
        z A g-abcd1234-us-east-1a.sts.us-east-1.vpce.amazonaws.com
          SERVFAIL rd ra
        x A g-abcd1234.sts.us-east-1.vpce.amazonaws.com
          SERVFAIL rd ra
        z A g-abcd1234.sts.us-east-1.vpce.amazonaws.com
          SERVFAIL rd ra
        x A f-abcd1234-us-east-1a.logs.us-east-1.vpce.amazonaws.com
          NOERROR rd ra | f-abcd1234-us-east-1a.logs.us-east-1.vpce.amazonaws.com 60 A 10.0.0.21
        z A f-abcd1234-us-east-1a.logs.us-east-1.vpce.amazonaws.com
          NOERROR rd ra | f-abcd1234-us-east-1a.logs.us-east-1.vpce.amazonaws.com 60 A 10.0.0.21
        x A f-abcd1234.logs.us-east-1.vpce.amazonaws.com
          NOERROR rd ra | f-abcd1234.logs.us-east-1.vpce.amazonaws.com 60 A 10.0.0.21
        z A f-abcd1234.logs.us-east-1.vpce.amazonaws.com
          NOERROR rd ra | f-abcd1234.logs.us-east-1.vpce.amazonaws.com 60 A 10.0.0.21
    "#]].assert_eq(&net.fixture.readable(&told));
}

#[test]
fn addresses_of_a_name_take_turns() {
    let mut net = Net::with_services(ENDPOINTS);
    let mut firsts = std::collections::BTreeSet::new();
    for id in [0x1234_u16, 0x1235] {
        let mut message = query("s3.us-east-1.amazonaws.com", Rtype::A);
        message[..2].copy_from_slice(&id.to_be_bytes());
        send(&mut net, "x", "169.254.169.253", &message);
        let mut answer = emitted(&net);
        answer[..2].copy_from_slice(&0x1234_u16.to_be_bytes());
        let text = shown(&answer);
        let first = text.split(" A ").nth(1).unwrap();
        firsts.insert(first.split(' ').next().unwrap().to_owned());
    }
    let both = ["10.0.0.20", "10.0.1.20"].map(str::to_owned);
    assert_eq!(firsts, both.into());
}
