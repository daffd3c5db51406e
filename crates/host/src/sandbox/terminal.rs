//! A terminal of the sandbox's own for a program that is run from a terminal, and the relay between the two. What runs
//! inside never holds the caller's.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Command;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Gid, Mode, OFlags, Uid, fchown};
use rustix::io::Errno;
use rustix::process::{getpgrp, ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{
    OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use super::identity::Identity;
use crate::error::{During, Result};

/// The sandbox's terminal: our side and the programs'.
pub(super) struct Terminal {
    master: OwnedFd,
    /// Kept open, so that a program that closes its own does not end the relay.
    slave: OwnedFd,
    before: Termios,
}

impl Terminal {
    /// A new one if the caller sits at a terminal: reads from it, sees the output and is not in the background, where
    /// it must not change how the terminal works. In a pipeline, the terminal is for another program to arrange.
    ///
    /// To be called inside the sandbox's mount namespace, as its root.
    pub(super) fn for_caller(identity: Identity) -> Result<Option<Self>> {
        let (keyboard, screen) = (io::stdin(), io::stdout());
        if !isatty(&keyboard) || !isatty(&screen) || !in_foreground() {
            return Ok(None);
        }
        let during = || "open a terminal of the instance".into();
        let before = tcgetattr(&keyboard).during(during)?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let master = rustix::fs::open("/dev/pts/ptmx", flags, Mode::empty()).during(during)?;
        unlockpt(&master).during(during)?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = ioctl_tiocgptpeer(&master, flags).during(during)?;
        let (uid, gid) = identity.file_owner();
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        fchown(&slave, Some(uid), Some(gid)).during(during)?;
        tcsetattr(&slave, OptionalActions::Now, &before).during(during)?;
        let terminal = Self {
            master,
            slave,
            before,
        };
        terminal.copy_size();
        Ok(Some(terminal))
    }

    /// Gives it to a program; an error output that goes elsewhere stays there. The program then has to [`adopt`] it.
    pub(super) fn give_to(&self, command: &mut Command) -> Result<()> {
        let copy = || {
            let slave = self.slave.try_clone();
            slave.during(|| "share a terminal of the instance".into())
        };
        command.stdin(copy()?).stdout(copy()?);
        if isatty(io::stderr()) {
            command.stderr(copy()?);
        }
        Ok(())
    }

    fn copy_size(&self) {
        // A caller's terminal without a size leaves ours without one.
        if let Ok(size) = tcgetwinsize(io::stdin()) {
            _ = tcsetwinsize(&self.slave, size);
        }
    }
}

/// Makes standard input the terminal that controls this process, which has just been forked.
pub(super) fn adopt() -> io::Result<()> {
    setsid()?;
    Ok(ioctl_tiocsctty(io::stdin())?)
}

/// Carries bytes between the caller's terminal and the sandbox's. Dropping it makes the caller's what it was before.
pub(super) struct Relay {
    /// None once the caller's terminal is gone: closing it hung up the sandbox's.
    terminal: Option<Terminal>,
    before: Termios,
    input: Pending,
    output: Pending,
}

impl Relay {
    /// From now on the caller's terminal hands on every key and shows every byte as they are.
    pub(super) fn start(terminal: Terminal) -> Result<Self> {
        let relay = Self {
            before: terminal.before.clone(),
            terminal: Some(terminal),
            input: Pending::default(),
            output: Pending::default(),
        };
        relay
            .make_raw()
            .during(|| "set the terminal to raw mode".into())?;
        Ok(relay)
    }

    /// The caller's terminal has another size, or may have been used by others while this process was stopped.
    pub(super) fn refresh(&self) {
        if in_foreground() {
            _ = self.make_raw();
        }
        if let Some(terminal) = &self.terminal {
            terminal.copy_size();
        }
    }

    /// Waits until a signal arrived or there are bytes to carry, and carries some.
    pub(super) fn turn(&mut self, signals: &OwnedFd) {
        let Some(terminal) = &self.terminal else {
            _ = poll(&mut [PollFd::new(signals, PollFlags::IN)], None);
            return;
        };
        let (keyboard, screen) = (io::stdin(), io::stdout());
        let mut fds = [
            PollFd::new(signals, PollFlags::IN),
            PollFd::new(&keyboard, self.input.if_empty(PollFlags::IN)),
            PollFd::new(&screen, self.output.unless_empty(PollFlags::OUT)),
            PollFd::new(
                &terminal.master,
                self.output.if_empty(PollFlags::IN) | self.input.unless_empty(PollFlags::OUT),
            ),
        ];
        if poll(&mut fds, None).is_err() {
            return;
        }
        let [_, from_keyboard, to_screen, master] = fds.map(|fd| fd.revents());
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        let mut there = !(from_keyboard | to_screen).intersects(gone);
        if there && from_keyboard.contains(PollFlags::IN) {
            there = self.input.read(keyboard.as_fd());
        }
        if there && to_screen.contains(PollFlags::OUT) {
            there = self.output.write(screen.as_fd());
        }
        // Ours does not end while we hold both sides.
        if master.contains(PollFlags::OUT) {
            self.input.write(terminal.master.as_fd());
        }
        if master.contains(PollFlags::IN) {
            self.output.read(terminal.master.as_fd());
        }
        if !there {
            self.terminal = None;
        }
    }

    /// Shows what the program, which has ended, left behind. What it started may write on without end.
    pub(super) fn finish(&mut self) {
        let Some(terminal) = self.terminal.take() else {
            return;
        };
        let screen = io::stdout();
        for _ in 0..MOST_LEFT_BEHIND / CHUNK {
            while !self.output.is_empty() {
                _ = poll(&mut [PollFd::new(&screen, PollFlags::OUT)], None);
                if !self.output.write(screen.as_fd()) {
                    return;
                }
            }
            if !self.output.read(terminal.master.as_fd()) || self.output.is_empty() {
                return;
            }
        }
    }

    fn make_raw(&self) -> io::Result<()> {
        let mut raw = self.before.clone();
        raw.make_raw();
        Ok(tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // In the background, the terminal is the shell's again, and so is how it works.
        if in_foreground() {
            _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
        }
    }
}

/// May this process arrange its terminal? Nobody else does if the terminal controls no session, or another one.
fn in_foreground() -> bool {
    match tcgetpgrp(io::stdin()) {
        Ok(group) => group == getpgrp(),
        Err(error) => error == Errno::NOTTY,
    }
}

/// Bytes that were read and not yet written.
#[derive(Default)]
struct Pending(Vec<u8>);

impl Pending {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn if_empty(&self, flags: PollFlags) -> PollFlags {
        if self.is_empty() {
            flags
        } else {
            PollFlags::empty()
        }
    }

    fn unless_empty(&self, flags: PollFlags) -> PollFlags {
        flags.difference(self.if_empty(flags))
    }

    /// `false` at the end.
    fn read(&mut self, from: BorrowedFd<'_>) -> bool {
        let mut bytes = [0; CHUNK];
        match rustix::io::read(from, &mut bytes) {
            Ok(length) => {
                self.0.extend_from_slice(&bytes[..length]);
                length > 0
            }
            Err(error) => later(error),
        }
    }

    /// `false` at the end.
    fn write(&mut self, to: BorrowedFd<'_>) -> bool {
        match rustix::io::write(to, &self.0) {
            Ok(length) => {
                self.0.drain(..length);
                true
            }
            Err(error) => later(error),
        }
    }
}

fn later(error: Errno) -> bool {
    matches!(error, Errno::AGAIN | Errno::INTR)
}

const CHUNK: usize = 4096;
/// A terminal holds less than this.
const MOST_LEFT_BEHIND: usize = 1024 * 1024;
