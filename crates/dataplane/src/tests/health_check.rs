//! Health checks by HTTP, in packets: what a node sends to a target, and what becomes of the target's answer.

use expect_test::expect;
use model::Health;
use packet::build::Frame;
use packet::{Mac, Packet, tcp};

use super::{Net, shown};
use crate::{CheckId, Offload, Snapshot, TlsAnswer, TlsStep, Verdict};

const NET: &str = "vpc main 10.0.0.0/16\n\
     subnet lb 10.0.0.0/24 local\n\
     subnet app 10.0.1.0/24 local\n\
     sg open in all from 0.0.0.0/0\n\
     eni node 10.0.0.4 in lb\n\
     eni w1 10.0.1.11 in app sg:open\n\
     nlb front node\n\
     targets app tcp 8080 http:/ready w1/initial\n\
     listener front tcp 80 > app\n";

fn net() -> Net {
    let mut net = Net::new(NET);
    net.dataplane.install(net.dataplane.snapshot().clone());
    net
}

/// What the data plane has sent by itself: addresses, flags, numbers, and the first line of what it carries.
fn emitted(net: &Net) -> Vec<String> {
    let line = |(_, frame): &(_, Vec<u8>)| {
        let packet = Packet::parse(frame).unwrap();
        let ip = packet.ip().unwrap();
        assert!(packet::build::checksum_is_valid(frame));
        let header = tcp::Tcp::parse(ip.transport(frame)).unwrap();
        let payload = &ip.transport(frame)[header.header_len()..];
        let text = String::from_utf8_lossy(payload);
        let (flags, line) = (ip.tcp_flags, text.lines().next().unwrap_or_default());
        let numbers = (header.sequence(), header.acknowledgement());
        format!("{} flags {flags:#x} {numbers:?} {line}", shown(frame))
    };
    net.dataplane.emitted().iter().map(line).collect()
}

/// The source port of the check that is sent now.
fn begin(net: &mut Net) -> u16 {
    net.dataplane.check_health(net.now);
    let sent = net.dataplane.emitted();
    let packet = Packet::parse(&sent.last().expect("a check").1).unwrap();
    let ip = packet.ip().unwrap();
    assert_eq!((ip.dst_port, ip.tcp_flags), (8080, tcp::SYN));
    ip.src_port
}

/// The target sends a segment to a port of the node.
fn answer(net: &mut Net, port: u16, flags: u8, sequence: u32, payload: &[u8]) -> Vec<String> {
    let router = Mac(Snapshot::router_mac(fixture::vpc("main")).0);
    let (from, to) = ([10, 0, 1, 11].into(), [10, 0, 0, 4].into());
    let frame = Frame::v4(Mac(fixture::mac("w1").0), router, from, to);
    let mut frame = frame.tcp_sequence(8080, port, flags, (sequence, 1), payload);
    let (w1, now) = (net.port("w1"), net.now);
    let verdict = net
        .dataplane
        .forward(w1, &mut frame, Offload::default(), now);
    match verdict {
        Verdict::Emit => emitted(net),
        other => vec![format!("{other:?}")],
    }
}

fn findings(net: &mut Net) -> Vec<Health> {
    let found = net.dataplane.take_health_findings();
    found.into_iter().map(|f| f.health).collect()
}

const ACCEPTS: u8 = tcp::SYN | tcp::ACK;

#[test]
fn a_target_is_asked_and_its_status_counts() {
    let mut net = net();
    let port = begin(&mut net);
    let mut told = answer(&mut net, port, ACCEPTS, 999, b"");
    assert_eq!(findings(&mut net), [], "to accept is not enough");
    let text = b"HTTP/1.0 200 OK\r\nServer: w1\r\n\r\n";
    told.extend(answer(&mut net, port, tcp::PSH | tcp::ACK, 1000, text));
    assert_eq!(findings(&mut net), [Health::Healthy]);
    let end = 1000 + text.len() as u32;
    told.extend(answer(&mut net, port, tcp::FIN | tcp::ACK, end, b""));
    told.extend(answer(&mut net, port, tcp::ACK, end + 1, b""));
    let told = told.join("\n").replace(&port.to_string(), "CHECK");
    expect![[r#"
        10.0.0.4:CHECK > 10.0.1.11:8080 proto 6 len 171 flags 0x18 (1, 1000) GET /ready HTTP/1.1
        10.0.0.4:CHECK > 10.0.1.11:8080 proto 6 len 40 flags 0x10 (132, 1031) 
        10.0.0.4:CHECK > 10.0.1.11:8080 proto 6 len 40 flags 0x11 (132, 1032) "#]]
    .assert_eq(&told);
    assert_eq!(
        answer(&mut net, port, tcp::ACK, end + 1, b""),
        ["Drop(NoListener)"],
        "the check is over"
    );
    net.wait(10);
    assert_ne!(begin(&mut net), port);
}

/// A check whose answer begins so; and what it finds.
fn check(net: &mut Net, flags: u8, text: &[u8]) -> Vec<Health> {
    let port = begin(net);
    answer(net, port, ACCEPTS, 0, b"");
    answer(net, port, flags, 1, text);
    net.wait(10);
    findings(net)
}

#[test]
fn other_codes_and_other_answers_are_failures() {
    let mut net = net();
    let ok = b"HTTP/1.1 200 OK\r\n\r\n";
    assert_eq!(check(&mut net, tcp::ACK, ok), [Health::Healthy]);
    let broken = b"HTTP/1.1 500 Internal Server Error\r\n\r\n";
    assert_eq!(check(&mut net, tcp::ACK, broken), []);
    let code = Health::ResponseCodeMismatch(500);
    assert_eq!(check(&mut net, tcp::ACK, broken), [code]);
    let other = b"HTTP/1.1 404 Not Found\r\n\r\n";
    let code = Health::ResponseCodeMismatch(404);
    assert_eq!(check(&mut net, tcp::ACK, other), [code]);
    assert_eq!(
        check(&mut net, tcp::ACK, b"220 mail ESMTP\r\n"),
        [Health::Failed]
    );
    for (flags, text) in [
        (tcp::FIN | tcp::ACK, &b"HTTP/1."[..]),
        (tcp::RST, b""),
        (
            tcp::ACK,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00",
        ),
    ] {
        assert_eq!(check(&mut net, flags, text), [], "it stays failed");
    }
    // Three good answers in a row, as the threshold says.
    let seen: Vec<_> = (0..3).map(|_| check(&mut net, tcp::ACK, ok)).collect();
    assert_eq!(seen, [vec![], vec![], vec![Health::Healthy]]);
}

#[test]
fn who_accepts_and_says_nothing_has_timed_out() {
    let mut net = net();
    for expected in [vec![], vec![Health::TimedOut]] {
        let port = begin(&mut net);
        answer(&mut net, port, ACCEPTS, 0, b"");
        net.wait(5);
        net.dataplane.check_health(net.now);
        let taken_back = emitted(&net).join("\n");
        assert!(taken_back.contains("flags 0x4 "), "{taken_back}");
        assert_eq!(findings(&mut net), expected);
        net.wait(5);
    }
}

#[test]
fn nobody_but_the_target_answers_a_check() {
    let mut net = net();
    let port = begin(&mut net);
    let other = format!("w1 sends tcp 10.0.1.11:8081 > 10.0.0.4:{port} syn ack");
    assert_eq!(net.send(&other), "dropped: no_listener");
    let datagram = format!("w1 sends udp 10.0.1.11:8080 > 10.0.0.4:{port}");
    assert_eq!(net.send(&datagram), "dropped: no_listener");
    assert_eq!(findings(&mut net), []);
    assert_eq!(answer(&mut net, port, ACCEPTS, 0, b"").len(), 1);
}

/// The steps of TLS since the last call; ids are as many as there are checks.
fn steps(net: &mut Net) -> Vec<(CheckId, TlsStep)> {
    net.dataplane.take_tls_steps()
}

fn opened(net: &mut Net, id: CheckId, to_target: &[u8], text: &[u8]) -> Vec<String> {
    let answer = TlsAnswer {
        to_target: to_target.to_vec(),
        text: text.to_vec(),
        is_over: false,
    };
    let now = net.now;
    net.dataplane.take_tls_answer(id, answer, now);
    emitted(net)
}

#[test]
fn by_https_bytes_go_through_who_speaks_tls() {
    let mut net = Net::new(&NET.replace("http:/ready", "https:/ready"));
    net.dataplane.install(net.dataplane.snapshot().clone());
    let port = begin(&mut net);
    assert_eq!(steps(&mut net), []);
    let mut told = answer(&mut net, port, ACCEPTS, 999, b"");
    let begun = steps(&mut net);
    let [(id, TlsStep::Accepted { request })] = &begun[..] else {
        panic!("{begun:?}");
    };
    assert_eq!(id.port, port);
    let request = String::from_utf8_lossy(request);
    assert!(request.starts_with("GET /ready HTTP/1.1\r\n"), "{request}");
    told.extend(opened(&mut net, *id, b"client hello", b""));
    let sealed = tcp::PSH | tcp::ACK;
    told.extend(answer(&mut net, port, sealed, 1000, b"server hello"));
    let received = |bytes: &[u8], is_last| TlsStep::Received {
        bytes: bytes.to_vec(),
        is_last,
    };
    assert_eq!(steps(&mut net), [(*id, received(b"server hello", false))]);
    told.extend(opened(&mut net, *id, b"finished, request", b""));
    told.extend(answer(&mut net, port, sealed | tcp::FIN, 1012, b"sealed"));
    assert_eq!(steps(&mut net), [(*id, received(b"sealed", true))]);
    assert_eq!(findings(&mut net), [], "nobody has opened it yet");
    let text = b"HTTP/1.1 200 OK\r\n";
    told.extend(opened(&mut net, *id, b"", text));
    assert_eq!(findings(&mut net), [Health::Healthy]);
    assert_eq!(steps(&mut net), [(*id, TlsStep::Over)]);
    expect![[r#"
        10.0.0.4:CHECK > 10.0.1.11:8080 proto 6 len 40 flags 0x10 (1, 1000) 
        10.0.0.4:CHECK > 10.0.1.11:8080 proto 6 len 52 flags 0x18 (1, 1000) client hello
        10.0.0.4:CHECK > 10.0.1.11:8080 proto 6 len 40 flags 0x10 (13, 1012) 
        10.0.0.4:CHECK > 10.0.1.11:8080 proto 6 len 57 flags 0x18 (13, 1012) finished, request
        10.0.0.4:CHECK > 10.0.1.11:8080 proto 6 len 40 flags 0x11 (30, 1019) "#]]
    .assert_eq(&told.join("\n").replace(&port.to_string(), "CHECK"));
    // What comes too late is another check's.
    net.wait(10);
    begin(&mut net);
    assert_eq!(opened(&mut net, *id, b"late", text), [] as [String; 0]);
    assert_eq!(findings(&mut net), []);
}

#[test]
fn by_https_a_check_that_ends_otherwise_is_over_for_who_speaks_tls() {
    let mut net = Net::new(&NET.replace("http:/ready", "https:/ready"));
    net.dataplane.install(net.dataplane.snapshot().clone());
    let port = begin(&mut net);
    answer(&mut net, port, ACCEPTS, 999, b"");
    let id = steps(&mut net)[0].0;
    net.wait(10);
    net.dataplane.check_health(net.now);
    assert_eq!(steps(&mut net), [(id, TlsStep::Over)], "its time is over");
    let rest = Net::new("vpc main 10.0.0.0/16\n");
    net.dataplane.install(rest.dataplane.snapshot().clone());
    let ended = steps(&mut net);
    assert!(
        matches!(ended[..], [(other, TlsStep::Over)] if other != id),
        "nobody wants to know any more: {ended:?}"
    );
}
