//! Boot, console, stop, and what happens when the maker dies.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{config, interface, run, scratch, shell, until};
use host::{Error, Sandbox, SandboxConfig, Wiring};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("lifetime::user_data_runs_at_boot", user_data_runs_at_boot),
    ("lifetime::console_keeps_the_end", console_keeps_the_end),
    (
        "lifetime::stop_asks_before_it_kills",
        stop_asks_before_it_kills,
    ),
    (
        "lifetime::nothing_survives_a_killed_maker",
        nothing_survives_a_killed_maker,
    ),
    (
        "lifetime::control_groups_of_running_makers_stay",
        control_groups_of_running_makers_stay,
    ),
    (
        "lifetime::failure_to_start_says_why",
        failure_to_start_says_why,
    ),
    (
        "lifetime::joining_an_ended_sandbox_fails",
        joining_an_ended_sandbox_fails,
    ),
    (
        "lifetime::interfaces_come_and_go_while_running",
        interfaces_come_and_go_while_running,
    ),
];

fn console_of(config: &SandboxConfig) -> impl Fn() -> String + use<> {
    let path = config.console.clone();
    move || std::fs::read_to_string(&path).unwrap_or_default()
}

fn user_data_runs_at_boot() {
    let mut config = config(1);
    config.user_data = Some(b"#!/bin/sh\nid -u; pwd; echo oops >&2; exit 3\n".to_vec());
    let (uid, _) = config.identity.ids();
    let console = console_of(&config);
    let (mut sandbox, _taps) = Sandbox::start(config, &Wiring::Taps).unwrap();
    assert_eq!(console(), "", "nothing runs before the boot");
    sandbox.boot().unwrap();
    let expected = format!("{uid}\n/home/ec2-user\noops\n[weir] user data ended with status 3\n");
    until("the end of the user data", || {
        console().len() >= expected.len()
    });
    assert_eq!(console(), expected);
    assert_eq!(shell(&sandbox, "echo still here"), "still here");
}

fn console_keeps_the_end() {
    let mut config = config(1);
    config.user_data = Some(
        b"#!/bin/sh\nfor i in 1 2 3 4; do head -c 60000 /dev/zero | tr '\\0' $i; done\necho end\n"
            .to_vec(),
    );
    let console = console_of(&config);
    let (mut sandbox, _taps) = Sandbox::start(config, &Wiring::Taps).unwrap();
    sandbox.boot().unwrap();
    until("the last line", || console().ends_with("end\n"));
    let text = console();
    assert!(
        (64 * 1024..=128 * 1024).contains(&text.len()),
        "{} bytes",
        text.len()
    );
    assert!(!text.contains('1') && text.contains('3'));
}

fn stop_asks_before_it_kills() {
    let mut config = config(1);
    config.user_data = Some(
        b"#!/bin/sh\ntrap 'echo asked; exit 0' TERM\necho up\nwhile :; do sleep 0.1; done\n"
            .to_vec(),
    );
    let console = console_of(&config);
    let (mut sandbox, _taps) = Sandbox::start(config, &Wiring::Taps).unwrap();
    sandbox.boot().unwrap();
    until("the user data", || console().contains("up"));
    let pid = sandbox.init_pid();
    sandbox.stop(Duration::from_secs(10)).unwrap();
    assert!(console().contains("asked"), "{}", console());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

fn nothing_survives_a_killed_maker() {
    let directory = scratch();
    let mut maker = Command::new("/proc/self/exe")
        .arg("maker")
        .arg(&directory)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let report = directory.join("maker.pids");
    let mut pids = Vec::new();
    until("the maker's sandbox", || {
        let text = std::fs::read_to_string(&report).unwrap_or_default();
        pids = text.split_ascii_whitespace().map(str::to_owned).collect();
        pids.len() == 2
    });
    assert!(
        pids.iter()
            .all(|pid| Path::new(&format!("/proc/{pid}")).exists())
    );
    maker.kill().unwrap();
    maker.wait().unwrap();
    until("the end of the sandbox", || {
        pids.iter().all(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/stat"))
                .map_or(true, |stat| stat.contains(") Z "))
        })
    });
    // The kernel takes a moment to forget the last process of a group.
    until("the end of the control groups", || {
        host::remove_stale_cgroups();
        control_groups(maker.id()).is_empty()
    });
}

fn control_groups_of_running_makers_stay() {
    let (sandbox, _taps) = Sandbox::start(config(10), &Wiring::Taps).unwrap();
    // As it is between its making and the sandbox's moving in: a group without processes.
    let empty: Vec<PathBuf> = control_groups(std::process::id())
        .into_iter()
        .map(|group| group.with_file_name(format!("{}-empty", std::process::id())))
        .collect();
    for group in &empty {
        std::fs::create_dir_all(group).unwrap();
    }
    host::remove_stale_cgroups();
    for group in &empty {
        std::fs::remove_dir(group).unwrap();
    }
    drop(sandbox);
}

/// The control groups that a process made for its sandboxes, in whichever hierarchy this machine has.
fn control_groups(maker: u32) -> Vec<PathBuf> {
    ["", "pids", "memory"]
        .into_iter()
        .map(|hierarchy| Path::new("/sys/fs/cgroup").join(hierarchy).join("weir"))
        .flat_map(|parent| std::fs::read_dir(parent).into_iter().flatten().flatten())
        .filter(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().starts_with(&format!("{maker}-"))
        })
        .map(|entry| entry.path())
        .collect()
}

/// The process that is killed: it reports the first process of a sandbox and a program in it.
pub(crate) fn maker(directory: &Path) -> ! {
    host::enter_user_namespace().unwrap();
    let mut config = config(9);
    config.user_data = Some(b"#!/bin/sh\nexec sleep 1000\n".to_vec());
    let (mut sandbox, _taps) = Sandbox::start(config, &Wiring::Taps).unwrap();
    sandbox.boot().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", sandbox.init_pid());
    let mut child = String::new();
    until("the user data", || {
        child = std::fs::read_to_string(&children).unwrap_or_default();
        !child.trim().is_empty()
    });
    std::fs::write(
        directory.join("maker.pids"),
        format!("{} {child}", sandbox.init_pid()),
    )
    .unwrap();
    loop {
        std::thread::park();
    }
}

fn failure_to_start_says_why() {
    let mut wrong = config(1);
    wrong.executable = "/no/such/program".into();
    let error = Sandbox::start(wrong, &Wiring::Taps).unwrap_err();
    assert!(
        matches!(error, Error::Sandbox { .. } | Error::System { .. }),
        "{error}"
    );
    let mut wrong = config(1);
    wrong.hostname = "a/b".into();
    assert!(matches!(
        Sandbox::start(wrong, &Wiring::Taps).unwrap_err(),
        Error::Invalid(_)
    ));
    let mut wrong = config(1);
    wrong.interfaces[0].name = "far-too-long-a-name".into();
    assert!(matches!(
        Sandbox::start(wrong, &Wiring::Taps).unwrap_err(),
        Error::Invalid(_)
    ));
}

fn joining_an_ended_sandbox_fails() {
    let (sandbox, _taps) = Sandbox::start(config(1), &Wiring::Taps).unwrap();
    let target = sandbox.exec_target().unwrap();
    drop(sandbox);
    let output = Command::new("/proc/self/exe")
        .arg("exec")
        .arg(serde_json::to_string(&target).unwrap())
        .arg("true")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(126));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "weir: the instance is not running\n"
    );
}

fn interfaces_come_and_go_while_running() {
    let (mut sandbox, _taps) = Sandbox::start(config(1), &Wiring::Taps).unwrap();
    let addresses = "python3 -c \"import socket
for address in ('10.0.1.1', '10.0.1.7'):
    try:
        socket.socket().bind((address, 0)); print('yes')
    except OSError: print('no')\"";
    assert_eq!(shell(&sandbox, addresses), "no\nno");
    let second = sandbox.attach(&interface(1, 1), &Wiring::Taps).unwrap();
    assert_eq!(shell(&sandbox, addresses), "yes\nno");
    assert_eq!(
        shell(
            &sandbox,
            "cat /sys/class/net/eth1/mtu 2>/dev/null || echo 9001"
        ),
        "9001"
    );
    let more = host::InterfaceAddress {
        address: [10, 0, 1, 7].into(),
        prefix: 24,
    };
    sandbox.namespace().add_address("eth1", more).unwrap();
    assert_eq!(shell(&sandbox, addresses), "yes\nyes");
    sandbox.namespace().remove_address("eth1", more).unwrap();
    sandbox.namespace().remove_address("eth1", more).unwrap();
    assert_eq!(shell(&sandbox, addresses), "yes\nno");
    drop(second);
    until("the end of eth1", || {
        run(&sandbox, &["grep", "-q", "eth1", "/proc/net/dev"]).0 != 0
    });
}
