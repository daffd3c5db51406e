//! The forwarding loop: one thread that moves frames between devices as a [`Switch`] tells it.

mod ports;

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use crate::error::{During, Error, Result};
use crate::sys;

use ports::{BUFFER_LEN, Ports};
pub use ports::{Frame, Output, PortCounters, PortId, Wire};

use crate::fabric::Punt;

/// What decides where frames go. All methods run on the loop's thread.
pub trait Switch: Send + 'static {
    /// Frames came in, in this order. Whatever is not sent on through `out` is dropped.
    fn burst(&mut self, frames: &mut [Frame<'_>], out: &mut Output<'_>);

    /// Time has passed: called about every [`EventLoopOptions::tick`].
    fn tick(&mut self, out: &mut Output<'_>);
}

/// The time at the current wakeup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Nanoseconds that only grow, from an unspecified start.
    pub monotonic_ns: u64,
    /// Nanoseconds since 1970, as the wall clock has it.
    pub unix_ns: u64,
}

/// Reads the clocks: the one place in this crate that does.
#[must_use]
pub fn clock() -> Clock {
    let read = |id| {
        let time = clock_gettime(id);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
    };
    Clock {
        monotonic_ns: read(ClockId::Monotonic),
        unix_ns: read(ClockId::Realtime),
    }
}

/// How the loop runs.
#[derive(Clone, Copy, Debug)]
pub struct EventLoopOptions {
    /// The name of the thread.
    pub name: &'static str,
    /// How often [`Switch::tick`] is called.
    pub tick: Duration,
    /// The niceness of the thread, if the kernel allows it.
    pub nice: i32,
    /// Make it a real-time thread with this priority, if the kernel allows it. On a machine of few cores this
    /// shortens the setup of connections and can starve everything else.
    pub real_time_priority: Option<i32>,
}

impl Default for EventLoopOptions {
    fn default() -> Self {
        Self {
            name: "forwarding",
            tick: Duration::from_millis(250),
            nice: -10,
            real_time_priority: None,
        }
    }
}

/// A running forwarding loop. It ends when this is dropped.
#[derive(Debug)]
pub struct EventLoop<S: Switch> {
    commands: Sender<Command<S>>,
    wakeup: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl<S: Switch> EventLoop<S> {
    /// Starts the thread. What links send reaches it by `punt`; without one, all ports are TAP devices.
    pub fn spawn(switch: S, options: EventLoopOptions, punt: Option<Punt>) -> Result<Self> {
        let wakeup = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .during(|| "create an event descriptor".into())?;
        let wakeup = Arc::new(wakeup);
        let epoll =
            epoll::create(epoll::CreateFlags::CLOEXEC).during(|| "create an epoll".into())?;
        epoll::add(
            &epoll,
            &wakeup,
            epoll::EventData::new_u64(WAKEUP),
            epoll::EventFlags::IN,
        )
        .during(|| "listen to commands".into())?;
        if let Some(punt) = &punt {
            let data = epoll::EventData::new_u64(PUNT);
            epoll::add(&epoll, &punt.tap, data, epoll::EventFlags::IN)
                .during(|| "listen to what comes up from links".into())?;
        }
        let (commands, receiver) = channel();
        let mut runner = Runner {
            switch,
            epoll,
            wakeup: Arc::clone(&wakeup),
            commands: receiver,
            ports: Ports::new(punt),
            buffer: vec![0; BUFFER_LEN].into_boxed_slice(),
        };
        let thread = std::thread::Builder::new()
            .name(options.name.into())
            .spawn(move || runner.run(options))
            .during(|| "start the forwarding thread".into())?;
        Ok(Self {
            commands,
            wakeup,
            thread: Some(thread),
        })
    }

    /// Adds a port, in the place of one with the same index.
    pub fn add_port(&self, port: PortId, wire: Wire) -> Result<()> {
        self.command(|reply| Command::AddPort { port, wire, reply })?
    }

    /// Removes the port with this index, whatever its generation; its device is gone when this returns.
    pub fn remove_port(&self, port: PortId) -> Result<()> {
        // To remove a device may take the kernel long: not on the loop's thread.
        self.command(|reply| Command::RemovePort { port, reply })
            .map(drop)
    }

    /// Runs `work` between two bursts and waits for what it returns: the next frame that is read finds its effect.
    pub fn call<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S, &mut Output<'_>) -> R + Send + 'static,
    ) -> Result<R> {
        self.command(|reply| {
            Command::Run(Box::new(move |switch, out| {
                // The caller waits, unless it died.
                _ = reply.send(work(switch, out));
            }))
        })
    }

    /// Runs `work` between two bursts without waiting for it.
    pub fn post(&self, work: impl FnOnce(&mut S, &mut Output<'_>) + Send + 'static) -> Result<()> {
        self.push(Command::Run(Box::new(work)))
    }

    fn command<R>(
        &self,
        make: impl FnOnce(std::sync::mpsc::SyncSender<R>) -> Command<S>,
    ) -> Result<R> {
        let (reply, answer) = sync_channel(1);
        self.push(make(reply))?;
        answer.recv().map_err(|_| Error::LoopStopped)
    }

    fn push(&self, command: Command<S>) -> Result<()> {
        self.commands
            .send(command)
            .map_err(|_| Error::LoopStopped)?;
        match rustix::io::write(&*self.wakeup, &1_u64.to_ne_bytes()) {
            // The counter is full: the thread has been woken already.
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(error) => Err(error).during(|| "wake the forwarding thread".into()),
        }
    }
}

impl<S: Switch> Drop for EventLoop<S> {
    fn drop(&mut self) {
        drop(self.push(Command::Stop));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

type Work<S> = Box<dyn FnOnce(&mut S, &mut Output<'_>) + Send>;

enum Command<S> {
    AddPort {
        port: PortId,
        wire: Wire,
        reply: std::sync::mpsc::SyncSender<Result<()>>,
    },
    RemovePort {
        port: PortId,
        reply: std::sync::mpsc::SyncSender<Option<Wire>>,
    },
    Run(Work<S>),
    Stop,
}

struct Runner<S> {
    switch: S,
    epoll: OwnedFd,
    wakeup: Arc<OwnedFd>,
    commands: Receiver<Command<S>>,
    ports: Ports,
    buffer: Box<[u8]>,
}

impl<S: Switch> Runner<S> {
    fn run(&mut self, options: EventLoopOptions) {
        if !options.real_time_priority.is_some_and(sys::round_robin) {
            sys::raise_priority(options.nice);
        }
        let tick_ns = u64::try_from(options.tick.as_nanos())
            .unwrap_or(u64::MAX)
            .max(1_000_000);
        let mut next_tick_ns = clock().monotonic_ns.saturating_add(tick_ns);
        let mut events = [const { MaybeUninit::<epoll::Event>::uninit() }; EVENTS_MAX];
        let mut now = clock();
        loop {
            let left = Duration::from_nanos(next_tick_ns.saturating_sub(now.monotonic_ns));
            let timeout = Timespec::try_from(left).ok();
            let ready = match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
                Ok((ready, _)) => &*ready,
                Err(_) => &[],
            };
            now = clock();
            let ready = ready.iter().map(|event| event.data.u64());
            // Commands first: what was acknowledged is in force for every frame read afterwards.
            if ready.clone().any(|data| data == WAKEUP) && !self.obey(now) {
                return;
            }
            for data in ready {
                let from = match u32::try_from(data) {
                    Ok(port) => Some(PortId(port)),
                    Err(_) if data == PUNT => None,
                    Err(_) => continue,
                };
                self.ports
                    .receive(from, &mut self.buffer, &mut self.switch, now);
            }
            if now.monotonic_ns >= next_tick_ns {
                next_tick_ns = now.monotonic_ns.saturating_add(tick_ns);
                self.switch.tick(&mut Output {
                    ports: &mut self.ports,
                    clock: now,
                });
            }
        }
    }

    /// Carries out the waiting commands; `false` to end.
    fn obey(&mut self, now: Clock) -> bool {
        let mut count = [0; 8];
        _ = rustix::io::read(&*self.wakeup, count.as_mut_slice());
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::AddPort { port, wire, reply } => {
                    _ = reply.send(self.ports.add(port, wire, &self.epoll));
                }
                Command::RemovePort { port, reply } => {
                    _ = reply.send(self.ports.remove(port));
                }
                Command::Run(work) => work(
                    &mut self.switch,
                    &mut Output {
                        ports: &mut self.ports,
                        clock: now,
                    },
                ),
                Command::Stop => return false,
            }
        }
        true
    }
}

const EVENTS_MAX: usize = 64;
const WAKEUP: u64 = u64::MAX;
const PUNT: u64 = u64::MAX - 1;
