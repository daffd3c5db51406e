//! Frames through TAP devices and the forwarding loop.

use crate::support::{LearningSwitch, config, run, shell, start, until};
use host::{EventLoop, EventLoopOptions, Identity, InterfaceRoute, PortId, Sandbox, Wiring};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("network::two_sandboxes_talk", two_sandboxes_talk),
    ("network::super_frames_pass_whole", super_frames_pass_whole),
    ("network::ping_needs_no_privilege", ping_needs_no_privilege),
    ("network::routes_are_as_given", routes_are_as_given),
    (
        "network::a_removed_port_is_silent",
        a_removed_port_is_silent,
    ),
    (
        "network::a_deleted_device_leaves_the_loop_idle",
        a_deleted_device_leaves_the_loop_idle,
    ),
    (
        "network::commands_reach_the_switch",
        commands_reach_the_switch,
    ),
];

struct Pair {
    left: Sandbox,
    right: Sandbox,
    switch: EventLoop<LearningSwitch>,
}

fn pair() -> Pair {
    let switch = EventLoop::spawn(
        LearningSwitch::with_ports(2),
        EventLoopOptions::default(),
        None,
    )
    .unwrap();
    let mut sandboxes = (1..=2).map(|number| {
        let (mut sandbox, taps) = Sandbox::start(config(number), &Wiring::Taps).unwrap();
        for tap in taps {
            switch.add_port(PortId(u32::from(number) - 1), tap).unwrap();
        }
        sandbox.boot().unwrap();
        sandbox
    });
    let (left, right) = (sandboxes.next().unwrap(), sandboxes.next().unwrap());
    drop(sandboxes);
    Pair {
        left,
        right,
        switch,
    }
}

const SERVER: &str = "import socket, sys
s = socket.create_server((sys.argv[1], 80), family=socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
print('ready', flush=True)
while True:
    c, _ = s.accept()
    n = 0
    while True:
        b = c.recv(1 << 20)
        if not b: break
        n += len(b)
    c.sendall(str(n).encode()); c.close()";

const CLIENT: &str = "import socket, sys
c = socket.create_connection((sys.argv[1], 80), timeout=10)
c.sendall(b'x' * int(sys.argv[2])); c.shutdown(1)
print(c.recv(100).decode())";

fn two_sandboxes_talk() {
    let pair = pair();
    for address in ["10.0.0.2", "2001:db8:0::2"] {
        if address.contains(':') && !std::path::Path::new("/proc/sys/net/ipv6").exists() {
            continue;
        }
        let mut server = start(&pair.right, &["python3", "-c", SERVER, address]);
        let (status, output, errors) = run(&pair.left, &["python3", "-c", CLIENT, address, "5000"]);
        assert_eq!(
            (status, output.as_str()),
            (0, "5000"),
            "{address}: {errors}"
        );
        server.kill().unwrap();
        server.wait().unwrap();
    }
    let counters = pair
        .switch
        .call(|_, out| out.counters().collect::<Vec<_>>())
        .unwrap();
    assert_eq!(counters.len(), 2);
    assert!(
        counters
            .iter()
            .all(|(_, port)| port.received_frames > 3 && port.sent_bytes > 200)
    );
}

fn super_frames_pass_whole() {
    let pair = pair();
    let mut server = start(&pair.right, &["python3", "-c", SERVER, "10.0.0.2"]);
    let size = "20000000";
    let (status, output, errors) = run(&pair.left, &["python3", "-c", CLIENT, "10.0.0.2", size]);
    assert_eq!((status, output.as_str()), (0, size), "{errors}");
    server.kill().unwrap();
    server.wait().unwrap();
    let (largest, count) = pair
        .switch
        .call(|switch, _| (switch.largest_frame, switch.super_frames))
        .unwrap();
    assert!(
        largest > 60_000 && count > 0,
        "largest frame {largest}, {count} super-frames"
    );
}

fn ping_needs_no_privilege() {
    let pair = pair();
    let script = "import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.settimeout(10)
s.sendto(struct.pack('!BBHHH', 8, 0, 0, 0, 1) + b'hello', ('10.0.0.2', 0))
print(s.recv(100)[8:].decode())";
    let (status, output, errors) = run(&pair.left, &["python3", "-c", script]);
    assert_eq!((status, output.as_str()), (0, "hello"), "{errors}");
}

fn routes_are_as_given() {
    let mut config = config(1);
    let route = |destination: &str, prefix, via: Option<&str>, onlink| InterfaceRoute {
        destination: destination.parse().unwrap(),
        prefix,
        via: via.map(|via| via.parse().unwrap()),
        onlink,
        metric: None,
        source: None,
    };
    config.interfaces[0].routes = vec![
        route("0.0.0.0", 0, Some("10.0.0.254"), false),
        route("198.51.100.0", 24, Some("192.0.2.1"), true),
        route("203.0.113.0", 24, None, false),
        route("::", 0, Some("fe80::1"), false),
    ];
    let (sandbox, _taps) = Sandbox::start(config, &Wiring::Taps).unwrap();
    let table = shell(
        &sandbox,
        "awk 'NR>1 {print $2, $3, $8}' /proc/net/route | sort",
    );
    let hex = |address: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(address));
    for (destination, via, mask) in [
        ([0, 0, 0, 0], [10, 0, 0, 254], [0, 0, 0, 0]),
        ([198, 51, 100, 0], [192, 0, 2, 1], [255, 255, 255, 0]),
        ([203, 0, 113, 0], [0, 0, 0, 0], [255, 255, 255, 0]),
    ] {
        let line = format!("{} {} {}", hex(destination), hex(via), hex(mask));
        assert!(
            table.lines().any(|found| found == line),
            "{line} is not in\n{table}"
        );
    }
}

fn a_removed_port_is_silent() {
    let pair = pair();
    pair.switch.remove_port(PortId(1)).unwrap();
    assert!(!pair.switch.call(|_, out| out.has_port(PortId(1))).unwrap());
    let (status, _, _) = run(
        &pair.left,
        &[
            "python3",
            "-c",
            "import socket; socket.create_connection(('10.0.0.2', 80), timeout=0.2)",
        ],
    );
    assert_ne!(status, 0);
}

fn a_deleted_device_leaves_the_loop_idle() {
    let pair = pair();
    let namespace = pair.right.namespace();
    let ip = || {
        Ok(std::process::Command::new("ip")
            .args(["link", "delete", "eth0"])
            .status())
    };
    if !namespace
        .run(ip)
        .unwrap()
        .is_ok_and(|status| status.success())
    {
        return println!("skipped: needs the program ip");
    }
    until("the port to be gone", || {
        !pair.switch.call(|_, out| out.has_port(PortId(1))).unwrap()
    });
    assert_eq!(shell(&pair.left, "echo alive"), "alive");
}

fn commands_reach_the_switch() {
    let pair = pair();
    let clock = pair.switch.call(|_, out| out.clock()).unwrap();
    assert!(clock.monotonic_ns > 0 && clock.unix_ns > clock.monotonic_ns);
    until("a tick", || {
        pair.switch.call(|switch, _| switch.ticks).unwrap() > 0
    });
    let different = matches!(config(1).identity, Identity::NestedUser { .. })
        || config(1).identity != config(2).identity;
    assert!(different, "two sandboxes of root have the same user");
}
