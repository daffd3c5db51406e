//! The forwarding loop: one thread that moves frames between TAP devices as a [`Switch`] tells it.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use crate::error::{During, Error, Result};
use crate::sys;
use crate::vnet_header::VnetHeader;

/// A port of the forwarding loop, numbered by the caller. Small numbers, please: they index a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u32);

/// What decides where frames go. All methods run on the loop's thread.
pub trait Switch: Send + 'static {
    /// A frame came in by `ingress`. Whatever is not sent on through `out` is dropped.
    fn frame(
        &mut self,
        ingress: PortId,
        header: &mut VnetHeader,
        frame: &mut [u8],
        out: &mut Output<'_>,
    );

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

/// Where a switch sends frames.
pub struct Output<'a> {
    ports: &'a mut Ports,
    clock: Clock,
}

impl Output<'_> {
    /// The time at this wakeup.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Writes a frame to a port: the frame that came in, changed or not, with the header that came with it, or one of
    /// the switch's own with [`VnetHeader::NONE`]. `false` if it was dropped, because there is no such port
    /// or its queue is full; drops are counted.
    pub fn send(&mut self, port: PortId, header: &VnetHeader, frame: &[u8]) -> bool {
        self.ports.send(port, header, frame)
    }

    /// Is there a port with this number?
    #[must_use]
    pub fn has_port(&self, port: PortId) -> bool {
        self.ports.get(port).is_some()
    }

    /// All ports and what passed through them.
    pub fn counters(&self) -> impl Iterator<Item = (PortId, PortCounters)> + '_ {
        (0..)
            .zip(&self.ports.0)
            .filter_map(|(id, port)| Some((PortId(id), port.as_ref()?.counters)))
    }
}

/// What passed through a port. Frames, not packets: a super-frame counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Read from the device.
    pub received_frames: u64,
    /// Bytes of these, without the virtio-net header.
    pub received_bytes: u64,
    /// Written to the device.
    pub sent_frames: u64,
    /// Bytes of these, without the virtio-net header.
    pub sent_bytes: u64,
    /// Dropped because the device took no more.
    pub dropped_frames: u64,
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
    /// Starts the thread.
    pub fn spawn(switch: S, options: EventLoopOptions) -> Result<Self> {
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
        let (commands, receiver) = channel();
        let mut runner = Runner {
            switch,
            epoll,
            wakeup: Arc::clone(&wakeup),
            commands: receiver,
            ports: Ports::default(),
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

    /// Adds a TAP device as a port, in the place of one with the same number.
    pub fn add_port(&self, port: PortId, device: OwnedFd) -> Result<()> {
        if port.0 >= PORTS_MAX {
            return Err(Error::Invalid(format!(
                "port {} is beyond the table",
                port.0
            )));
        }
        self.command(|reply| Command::AddPort {
            port,
            device,
            reply,
        })?
    }

    /// Removes a port; its device is closed, and so it is gone, when this returns.
    pub fn remove_port(&self, port: PortId) -> Result<()> {
        self.command(|reply| Command::RemovePort { port, reply })
    }

    /// Runs `work` between two frames and waits for what it returns: the next frame finds its effect.
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

    /// Runs `work` between two frames without waiting for it.
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
        device: OwnedFd,
        reply: std::sync::mpsc::SyncSender<Result<()>>,
    },
    RemovePort {
        port: PortId,
        reply: std::sync::mpsc::SyncSender<()>,
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
                if let Ok(port) = u32::try_from(data) {
                    self.ports
                        .receive(PortId(port), &mut self.buffer, &mut self.switch, now);
                }
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
                Command::AddPort {
                    port,
                    device,
                    reply,
                } => {
                    _ = reply.send(self.ports.add(port, device, &self.epoll));
                }
                Command::RemovePort { port, reply } => {
                    self.ports.remove(port);
                    _ = reply.send(());
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

struct Port {
    device: OwnedFd,
    counters: PortCounters,
}

#[derive(Default)]
struct Ports(Vec<Option<Port>>);

impl Ports {
    fn get(&self, id: PortId) -> Option<&Port> {
        self.0.get(id.0 as usize)?.as_ref()
    }

    fn get_mut(&mut self, id: PortId) -> Option<&mut Port> {
        self.0.get_mut(id.0 as usize)?.as_mut()
    }

    fn add(&mut self, id: PortId, device: OwnedFd, epoll: &OwnedFd) -> Result<()> {
        rustix::io::ioctl_fionbio(&device, true).during(|| "prepare a TAP device".into())?;
        self.remove(id);
        epoll::add(
            epoll,
            device.as_fd(),
            epoll::EventData::new_u64(id.0.into()),
            epoll::EventFlags::IN,
        )
        .during(|| "listen to a TAP device".into())?;
        let index = id.0 as usize;
        if self.0.len() <= index {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index] = Some(Port {
            device,
            counters: PortCounters::default(),
        });
        Ok(())
    }

    /// Closing a device's only descriptor takes it out of the epoll as well.
    fn remove(&mut self, id: PortId) {
        if let Some(port) = self.0.get_mut(id.0 as usize) {
            *port = None;
        }
    }

    /// Takes a limited number of frames from one port, so that a busy one does not keep the others waiting.
    fn receive(&mut self, id: PortId, buffer: &mut [u8], switch: &mut impl Switch, clock: Clock) {
        for _ in 0..FRAMES_PER_WAKEUP {
            let Some(port) = self.get_mut(id) else { return };
            let length = match rustix::io::read(&port.device, &mut *buffer) {
                Ok(length) => length,
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(error) => {
                    // The interface went away with its namespace; level-triggered, it would wake us for ever.
                    tracing::debug!(port = id.0, error = %io::Error::from(error), "a port is gone");
                    return self.remove(id);
                }
            };
            let Some((header, frame)) = buffer[..length].split_first_chunk_mut() else {
                continue;
            };
            port.counters.received_frames += 1;
            port.counters.received_bytes += frame.len() as u64;
            let mut header = VnetHeader::from_bytes(header);
            switch.frame(id, &mut header, frame, &mut Output { ports: self, clock });
        }
    }

    fn send(&mut self, id: PortId, header: &VnetHeader, frame: &[u8]) -> bool {
        let Some(port) = self.get_mut(id) else {
            return false;
        };
        let header = header.to_bytes();
        let parts = [io::IoSlice::new(&header), io::IoSlice::new(frame)];
        let sent = rustix::io::writev(&port.device, &parts).is_ok();
        if sent {
            port.counters.sent_frames += 1;
            port.counters.sent_bytes += frame.len() as u64;
        } else {
            port.counters.dropped_frames += 1;
        }
        sent
    }
}

/// The largest super-frame, with its Ethernet and virtio-net headers, and room to spare.
const BUFFER_LEN: usize = 70 * 1024;
const FRAMES_PER_WAKEUP: usize = 32;
const EVENTS_MAX: usize = 64;
const PORTS_MAX: u32 = 1 << 20;
const WAKEUP: u64 = u64::MAX;
