//! Sockets of this process that a sandbox reaches through the forwarding loop.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};

use host::{
    EventLoop, EventLoopOptions, PortId, Sandbox, SandboxConfig, ServiceNetwork, Wire, Wiring,
};

use crate::support::{LearningSwitch, config, interface, run, shell};

pub(crate) const TESTS: &[(&str, fn())] = &[
    (
        "service_network::a_sandbox_reaches_a_socket_and_nothing_else",
        a_sandbox_reaches_a_socket_and_nothing_else,
    ),
    (
        "service_network::authorities_are_added_to_the_hosts",
        authorities_are_added_to_the_hosts,
    ),
];

const CLIENT: &str = "import socket, sys
c = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)
c.sendall(b'hello')
print(c.recv(100).decode())";

fn a_sandbox_reaches_a_socket_and_nothing_else() {
    let switch = EventLoop::spawn(
        LearningSwitch::with_ports(2),
        EventLoopOptions::default(),
        None,
    )
    .unwrap();
    let (mut sandbox, taps) = Sandbox::start(config(1), &Wiring::Taps).unwrap();
    let (services, tap) = ServiceNetwork::create(&interface(0, 9)).unwrap();
    for (port, tap) in (0..).zip(taps.into_iter().chain([Wire::Tap(tap)])) {
        switch.add_port(PortId(port), tap).unwrap();
    }
    sandbox.boot().unwrap();
    let listener = services
        .listen(SocketAddr::from(([10, 0, 0, 9], 80)))
        .unwrap();
    listener.set_nonblocking(false).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, from) = listener.accept().unwrap();
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).unwrap();
        stream.write_all(b"and you").unwrap();
        (bytes, from.ip())
    });
    let client = |port: &str| run(&sandbox, &["python3", "-c", CLIENT, "10.0.0.9", port]);
    assert_eq!(client("80"), (0, "and you".into(), String::new()));
    assert_eq!(
        server.join().unwrap(),
        (*b"hello", IpAddr::from([10, 0, 0, 1]))
    );
    let (status, _, errors) = client("81");
    assert!(status != 0 && errors.contains("refused"), "{errors}");
}

fn authorities_are_added_to_the_hosts() {
    let config = SandboxConfig {
        authorities: "an authority".into(),
        ..config(1)
    };
    let (mut sandbox, _taps) = Sandbox::start(config, &Wiring::Taps).unwrap();
    sandbox.boot().unwrap();
    for script in [
        "head -1 $AWS_CA_BUNDLE",
        "[ ! -e /etc/ssl/certs/ca-certificates.crt ] || head -1 /etc/ssl/certs/ca-certificates.crt | grep 'an authority'; head -1 $SSL_CERT_FILE",
    ] {
        let first = shell(&sandbox, script);
        assert_eq!(first.lines().last(), Some("an authority"), "{script}");
    }
    let hosts = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap_or_default();
    let inside = shell(&sandbox, "cat $SSL_CERT_FILE");
    assert!(inside.contains(hosts.trim_end()));
}
