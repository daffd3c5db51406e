//! A sandbox to try things in, a switch that learns, and the programs that run inside.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use host::{
    ExecTarget, Frame, Interface, InterfaceAddress, Output, PortId, Sandbox, SandboxConfig, Switch,
};

/// Forwards by hardware address and remembers the largest frame and whether it was a super-frame.
#[derive(Default)]
pub(crate) struct LearningSwitch {
    ports: BTreeMap<[u8; 6], PortId>,
    members: Vec<PortId>,
    pub(crate) largest_frame: usize,
    pub(crate) super_frames: u64,
    pub(crate) ticks: u64,
}

impl LearningSwitch {
    pub(crate) fn with_ports(count: u32) -> Self {
        Self {
            members: (0..count).map(PortId).collect(),
            ..Self::default()
        }
    }

    fn frame(&mut self, frame: &Frame<'_>, out: &mut Output<'_>) {
        let Frame {
            from: ingress,
            header,
            bytes,
        } = frame;
        let Some((macs, _)) = bytes.split_first_chunk::<12>() else {
            return;
        };
        let destination: [u8; 6] = macs[..6].try_into().unwrap();
        self.ports.insert(macs[6..].try_into().unwrap(), *ingress);
        self.largest_frame = self.largest_frame.max(bytes.len());
        self.super_frames += u64::from(header.is_gso());
        match self.ports.get(&destination) {
            Some(port) => {
                out.send(*port, header, bytes);
            }
            None => {
                for port in self.members.iter().filter(|port| port != &ingress) {
                    out.send(*port, header, bytes);
                }
            }
        }
    }
}

impl Switch for LearningSwitch {
    fn burst(&mut self, frames: &mut [Frame<'_>], out: &mut Output<'_>) {
        for frame in frames {
            self.frame(frame, out);
        }
    }

    fn tick(&mut self, _out: &mut Output<'_>) {
        self.ticks += 1;
    }
}

/// The number distinguishes sandboxes of one test.
pub(crate) fn config(number: u8) -> SandboxConfig {
    let name = format!("test-{number}");
    let console = scratch().join(format!("{name}.console"));
    _ = std::fs::remove_file(&console);
    SandboxConfig {
        hostname: format!("ip-10-0-0-{number}"),
        resolv_conf: "nameserver 10.0.0.2\n".into(),
        interfaces: vec![interface(0, number)],
        ..SandboxConfig::new(&name, u32::from(number), console)
    }
}

/// `10.0.device.number/24` and the same in IPv6.
pub(crate) fn interface(device: u8, number: u8) -> Interface {
    let v6 = format!("2001:db8:{device}::{number}").parse().unwrap();
    Interface {
        name: format!("eth{device}"),
        mac: [2, 0, 0, 0, device, number],
        mtu: 9001,
        addresses: vec![
            InterfaceAddress {
                address: IpAddr::from([10, 0, device, number]),
                prefix: 24,
            },
            InterfaceAddress {
                address: v6,
                prefix: 64,
            },
        ],
        routes: Vec::new(),
        neighbours: Vec::new(),
    }
}

pub(crate) fn scratch() -> PathBuf {
    let path = std::env::temp_dir().join(format!("host-test-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// Runs a program inside and returns its status, standard output and error output.
pub(crate) fn run(sandbox: &Sandbox, program: &[&str]) -> (i32, String, String) {
    let output = command(&sandbox.exec_target().unwrap(), program)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Standard output of a shell script that must succeed.
pub(crate) fn shell(sandbox: &Sandbox, script: &str) -> String {
    let (status, output, errors) = run(sandbox, &["sh", "-c", script]);
    assert_eq!(status, 0, "{script}: {output} {errors}");
    output
}

/// Starts a program that says something when it is ready.
pub(crate) fn start(sandbox: &Sandbox, program: &[&str]) -> Child {
    let mut child = command(&sandbox.exec_target().unwrap(), program)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    child
}

pub(crate) fn command(target: &ExecTarget, program: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .arg("exec")
        .arg(serde_json::to_string(target).unwrap())
        .args(program)
        .stdin(Stdio::null());
    command
}

/// Waits for something that happens elsewhere.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "waited in vain for: {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What this executable does when a test runs it with a first word of ours.
pub(crate) fn dispatch() {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.first().and_then(|word| word.to_str()) {
        Some("exec") => {
            let target = serde_json::from_str(arguments[1].to_str().unwrap()).unwrap();
            let Err(error) = host::exec_in(&target, &arguments[2..]);
            panic!("{error}");
        }
        Some("maker") => crate::lifetime::maker(Path::new(&arguments[1])),
        _ => {}
    }
}
