//! Programs that are run from a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::support::{command, config, run, shell, until};
use host::{Sandbox, Wiring};

pub(crate) const TESTS: &[(&str, fn())] = &[
    (
        "terminal::a_shell_has_a_terminal_of_the_sandbox",
        a_shell_has_a_terminal_of_the_sandbox,
    ),
    ("terminal::the_size_follows", the_size_follows),
    (
        "terminal::the_whole_output_arrives_before_the_status",
        the_whole_output_arrives_before_the_status,
    ),
    (
        "terminal::what_is_redirected_stays_so",
        what_is_redirected_stays_so,
    ),
    ("terminal::it_is_restored", it_is_restored),
    ("terminal::a_hang_up_goes_inside", a_hang_up_goes_inside),
];

/// A terminal with a program at it.
struct Seat {
    master: Option<File>,
    slave: OwnedFd,
    child: Child,
    before: Termios,
    seen: String,
}

impl Seat {
    fn new(sandbox: &Sandbox, program: &[&str], output: Option<Stdio>) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        unlockpt(&master).unwrap();
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        tcsetwinsize(&master, size(33, 77)).unwrap();
        let before = tcgetattr(&slave).unwrap();
        let copy = || slave.try_clone().unwrap();
        let mut command = command(&sandbox.exec_target().unwrap(), program);
        command.stdin(copy()).stderr(copy());
        command.stdout(output.unwrap_or_else(|| copy().into()));
        // SAFETY: two system calls, which allocate nothing.
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                Ok(ioctl_tiocsctty(std::io::stdin())?)
            })
        };
        let child = command.spawn().unwrap();
        Self {
            master: Some(master.into()),
            slave,
            child,
            before,
            seen: String::new(),
        }
    }

    fn send(&mut self, text: &str) {
        let mut master = self.master.as_ref().unwrap();
        master.write_all(text.as_bytes()).unwrap();
    }

    /// Reads on until this was shown, and forgets what stood before it.
    fn expect(&mut self, text: &str) {
        let start = Instant::now();
        while !self.seen.contains(text) {
            let late = start.elapsed() > Duration::from_secs(20);
            assert!(!late, "waited in vain for {text:?}: {:?}", self.seen);
            self.read();
        }
        let at = self.seen.find(text).unwrap() + text.len();
        self.seen.drain(..at);
    }

    fn read(&mut self) -> bool {
        let mut master = self.master.as_ref().unwrap();
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        let mut fds = [PollFd::new(master, PollFlags::IN)];
        if poll(&mut fds, Some(&timeout)).unwrap() == 0 {
            return false;
        }
        let mut bytes = [0; 4096];
        let length = master.read(&mut bytes).unwrap();
        self.seen
            .push_str(&String::from_utf8_lossy(&bytes[..length]));
        true
    }

    fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.slave).unwrap().local_modes;
        !modes.contains(LocalModes::ICANON)
    }

    /// The status at the end, after which the terminal must be as it was.
    fn end(&mut self) -> Option<i32> {
        let mut status = None;
        let start = Instant::now();
        while status.is_none() {
            assert!(start.elapsed() < Duration::from_secs(20), "{:?}", self.seen);
            self.read();
            status = self.child.try_wait().unwrap();
        }
        while self.read() {}
        let after = tcgetattr(&self.slave).unwrap();
        assert_eq!(format!("{after:?}"), format!("{:?}", self.before));
        status.unwrap().code()
    }
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn sandbox() -> Sandbox {
    Sandbox::start(config(1), &Wiring::Taps).unwrap().0
}

fn sleeps(sandbox: &Sandbox) -> bool {
    let script = "grep -qsx sleep /proc/[0-9]*/comm";
    run(sandbox, &["sh", "-c", script]).0 == 0
}

fn a_shell_has_a_terminal_of_the_sandbox() {
    let sandbox = sandbox();
    let mut seat = Seat::new(&sandbox, &["sh", "-i"], None);
    seat.expect("$ ");
    assert!(!seat.seen.contains("job control"), "{}", seat.seen);
    seat.send("tty; stat -c 'owner %u' $(tty); id -u; echo again > /dev/tty\n");
    seat.expect("/dev/pts/0\r\n");
    seat.expect("owner ");
    let uid = shell(&sandbox, "id -u");
    seat.expect(&format!("{uid}\r\n{uid}\r\nagain\r\n"));
    // Job control: the shell, not the sleep, has the terminal back.
    seat.send("sleep 1000\n");
    until("the sleep", || sleeps(&sandbox));
    seat.send("\u{3}");
    seat.expect("$ ");
    seat.send("echo status $?\n");
    seat.expect("status 130");
    seat.send("sleep 1000\n");
    until("the sleep", || sleeps(&sandbox));
    seat.send("\u{1a}");
    seat.expect("topped");
    // The first is refused because of the stopped job.
    seat.send("exit 7\nexit 7\n");
    assert_eq!(seat.end(), Some(7));
}

fn the_size_follows() {
    let sandbox = sandbox();
    let script = "trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done";
    let mut seat = Seat::new(&sandbox, &["sh", "-c", script], None);
    seat.expect("33 77\r\n");
    tcsetwinsize(seat.master.as_ref().unwrap(), size(50, 132)).unwrap();
    seat.expect("50 132\r\n");
    seat.send("\u{3}");
    assert_eq!(seat.end(), Some(130));
}

fn the_whole_output_arrives_before_the_status() {
    let sandbox = sandbox();
    let script = "stty -opost; sleep 1000 & seq 200000; echo the end; exit 3";
    let mut seat = Seat::new(&sandbox, &["bash", "-c", script], None);
    assert_eq!(seat.end(), Some(3));
    let expected: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(seat.seen.len(), expected.len() + "the end\n".len());
    assert!(seat.seen.ends_with("200000\nthe end\n"));
    until("the end of what was left behind", || !sleeps(&sandbox));
}

fn what_is_redirected_stays_so() {
    let sandbox = sandbox();
    let script = "test -t 1 || echo none; tty; stty size";
    let mut seat = Seat::new(&sandbox, &["sh", "-c", script], Some(Stdio::piped()));
    let mut output = String::new();
    let mut pipe = seat.child.stdout.take().unwrap();
    pipe.read_to_string(&mut output).unwrap();
    assert!(output.starts_with("none\n"), "{output}");
    assert!(output.ends_with("33 77\n"), "{output}");
    assert_eq!(seat.end(), Some(0));
}

fn it_is_restored() {
    let sandbox = sandbox();
    let mut seat = Seat::new(&sandbox, &["no-such-program"], None);
    assert_eq!(seat.end(), Some(127));
    assert!(seat.seen.contains("not found"), "{}", seat.seen);

    let mut seat = Seat::new(&sandbox, &["sleep", "1000"], None);
    until("raw mode", || seat.is_raw());
    let pid = rustix::process::Pid::from_child(&seat.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(seat.end(), Some(128 + 15));

    let mut seat = Seat::new(&sandbox, &["sleep", "1000"], None);
    until("raw mode", || seat.is_raw());
    sandbox.stop(Duration::from_millis(100)).unwrap();
    assert!(seat.end().is_some_and(|status| status > 128));
}

fn a_hang_up_goes_inside() {
    let sandbox = sandbox();
    let mut seat = Seat::new(&sandbox, &["sleep", "1000"], None);
    until("raw mode", || seat.is_raw());
    seat.master = None;
    assert_eq!(seat.child.wait().unwrap().code(), Some(128 + 1));
}
