//! The first process of a sandbox: it arranges the files, runs the user data, reaps, and ends when its maker does.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::process::{WaitOptions, WaitStatus, setsid, wait};
use rustix::thread::CapabilitySet;

use super::console::Console;
use super::filesystem::USER_DATA;
use super::identity::{become_user, keep_capabilities};
use super::{SandboxConfig, certificates, filesystem};
use crate::error::{During, Error, Result};
use crate::sys;

/// What the first process answers when it is ready.
pub(super) const READY: &[u8] = b"ready";
/// Request: run the user data.
pub(super) const BOOT: u8 = b'B';
/// Request: end everything; the milliseconds to wait for it follow.
pub(super) const STOP: u8 = b'S';

/// More than a pipe holds, so that what a program printed before it ended is read.
const READS_PER_WAKEUP: usize = 16;

/// The whole life of the first process.
pub(crate) fn init_main() -> ! {
    sys::close_from(3);
    let Ok(control) = sys::inherited(0) else {
        std::process::exit(125)
    };
    let mut control = UnixStream::from(control);
    let status = match Init::set_up(&control) {
        Ok(init) => {
            let mut line = READY.to_vec();
            line.push(b'\n');
            if control.write_all(&line).is_ok() {
                init.run(control)
            } else {
                1
            }
        }
        Err(error) => {
            // Nobody else is left to tell if this fails.
            drop(control.write_all(format!("{error}\n").as_bytes()));
            1
        }
    };
    std::process::exit(status)
}

struct Init {
    config: SandboxConfig,
    console: Console,
    signals: OwnedFd,
    output: Option<File>,
    user_data_pid: Option<i32>,
    deadline: Option<Instant>,
}

impl Init {
    fn set_up(mut control: &UnixStream) -> Result<Self> {
        let console: File = sys::inherited(1)
            .during(|| "take over the console".into())?
            .into();
        let null = File::options()
            .read(true)
            .write(true)
            .open("/dev/null")
            .during(|| "open /dev/null".into())?;
        for target in 0..3 {
            sys::replace_standard(target, null.as_fd()).during(|| "leave the console".into())?;
        }
        _ = setsid();
        sys::set_tracing(false);
        _ = rustix::thread::set_name(c"weir-init");
        let mut length = [0; 4];
        control
            .read_exact(&mut length)
            .during(|| "read the configuration".into())?;
        let mut text = vec![0; u32::from_ne_bytes(length) as usize];
        control
            .read_exact(&mut text)
            .during(|| "read the configuration".into())?;
        let config: SandboxConfig = serde_json::from_slice(&text)
            .map_err(|error| Error::Invalid(format!("the configuration: {error}")))?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        filesystem::set_up(&config)?;
        rustix::system::sethostname(config.hostname.as_bytes())
            .during(|| "set the host name".into())?;
        std::env::set_current_dir("/").during(|| "go to /".into())?;
        let signals = sys::signal_descriptor(&[libc::SIGCHLD, libc::SIGTERM])
            .during(|| "listen to signals".into())?;
        let console = Console::new(console).during(|| "look at the console".into())?;
        Ok(Self {
            config,
            console,
            signals,
            output: None,
            user_data_pid: None,
            deadline: None,
        })
    }

    fn run(mut self, mut control: UnixStream) -> i32 {
        loop {
            let timeout = self
                .deadline
                .map(|at| at.saturating_duration_since(Instant::now()));
            if timeout == Some(Duration::ZERO) {
                return 0;
            }
            let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = vec![
                PollFd::new(&control, PollFlags::IN),
                PollFd::new(&self.signals, PollFlags::IN),
            ];
            if let Some(output) = &self.output {
                fds.push(PollFd::new(output, PollFlags::IN));
            }
            match poll(&mut fds, timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return 1,
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            drop(fds);
            if ready.get(2) == Some(&true) {
                self.copy_output();
            }
            if ready[1] && self.take_signals() {
                self.stop(Duration::from_secs(2));
            }
            if ready[0] && !self.obey(&mut control) {
                return 0;
            }
            if self.reap() && self.deadline.is_some() {
                self.copy_output();
                return 0;
            }
        }
    }

    /// Carries out one request; `false` when whoever made us is gone.
    fn obey(&mut self, control: &mut UnixStream) -> bool {
        let mut request = [0];
        match control.read(&mut request) {
            Ok(1) if request[0] == BOOT => {
                self.boot();
                true
            }
            Ok(1) if request[0] == STOP => {
                let mut milliseconds = [0; 4];
                if control.read_exact(&mut milliseconds).is_err() {
                    return false;
                }
                self.stop(Duration::from_millis(
                    u32::from_ne_bytes(milliseconds).into(),
                ));
                true
            }
            Ok(1) => true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            _ => false,
        }
    }

    fn boot(&mut self) {
        if Path::new(USER_DATA).exists()
            && let Err(error) = self.run_user_data()
        {
            self.say(&format!("user data did not start: {error}"));
        }
        // From here on we only signal and reap.
        drop(keep_capabilities(CapabilitySet::KILL));
    }

    fn run_user_data(&mut self) -> Result<()> {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .during(|| "create a pipe".into())?;
        rustix::fs::fcntl_setfl(&reader, OFlags::NONBLOCK).during(|| "prepare a pipe".into())?;
        let second = writer.try_clone().during(|| "prepare a pipe".into())?;
        let (identity, limits) = (self.config.identity, self.config.limits);
        let mut command = Command::new(USER_DATA);
        command
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(second)
            .env_clear()
            .envs(environment(
                &self.config.user,
                &self.config.home().to_string_lossy(),
            ))
            .envs(certificates::environment(
                !self.config.authorities.is_empty(),
            ))
            .current_dir(self.config.home())
            .process_group(0);
        // SAFETY: this process has one thread, so the child may do anything before it becomes the script.
        unsafe { command.pre_exec(move || become_user(identity, &limits)) };
        let child = command.spawn().during(|| "run it".into())?;
        self.user_data_pid = i32::try_from(child.id()).ok();
        self.output = Some(File::from(reader));
        Ok(())
    }

    fn copy_output(&mut self) {
        let mut bytes = [0; 16 * 1024];
        // Whoever prints faster than we write must not keep us from our other duties.
        for _ in 0..READS_PER_WAKEUP {
            let Some(output) = &mut self.output else {
                return;
            };
            match output.read(&mut bytes) {
                Ok(0) => self.output = None,
                // A full disk must not stop the script.
                Ok(length) => drop(self.console.write(&bytes[..length])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Reads the pending signals; were we told to end?
    fn take_signals(&self) -> bool {
        let mut end = false;
        let mut bytes = [0; size_of::<libc::signalfd_siginfo>()];
        while let Ok(length) = rustix::io::read(&self.signals, bytes.as_mut_slice()) {
            let signal = bytes[..length]
                .first_chunk()
                .map(|number| u32::from_ne_bytes(*number));
            end |= signal == Some(libc::SIGTERM as u32);
        }
        end
    }

    fn stop(&mut self, grace: Duration) {
        self.deadline = Some(Instant::now() + grace);
        sys::signal_everyone(libc::SIGTERM);
    }

    /// Forgets the children that have ended; are there none left?
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if Some(pid.as_raw_nonzero().get()) == self.user_data_pid {
                        self.user_data_pid = None;
                        self.copy_output();
                        if !status.exited() || status.exit_status() != Some(0) {
                            self.say(&format!("user data ended with {}", words(status)));
                        }
                    }
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => return false,
                Err(_) => return true,
            }
        }
    }

    fn say(&mut self, words: &str) {
        // A full disk must not stop the sandbox.
        drop(self.console.write(format!("[weir] {words}\n").as_bytes()));
    }
}

/// The environment of every program in a sandbox.
pub(super) fn environment(user: &str, home: &str) -> [(String, String); 7] {
    [
        ("PATH", PATH),
        ("HOME", home),
        ("USER", user),
        ("LOGNAME", user),
        ("SHELL", "/bin/sh"),
        ("LANG", "C.UTF-8"),
        ("TMPDIR", "/tmp"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

fn words(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".to_owned(),
    }
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
