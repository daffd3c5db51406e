//! The devices of a loop: bursts of frames read from them, frames written to them, and their counters.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;
use rustix::io::Errno;

use super::{Clock, Switch};
use crate::device::Tap;
use crate::error::{During, Result};
use crate::fabric::{Link, Punt, take_source};
use crate::vnet_header::VnetHeader;

/// A port of the forwarding loop, numbered by the caller: a small index in the lower 20 bits, and above it a generation,
/// so that what was meant for a port never reaches the next one with its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u32);

impl PortId {
    pub(crate) const fn index(self) -> u32 {
        self.0 & 0xf_ffff
    }

    /// Whether two ports, of any generation, have one index: then there can be only one of them.
    #[must_use]
    pub const fn has_index_of(self, other: Self) -> bool {
        self.index() == other.index()
    }
}

/// How a port is reached.
#[derive(Debug)]
pub enum Wire {
    /// By a device of its own.
    Tap(Tap),
    /// By the fabric.
    Link(Link),
}

/// A frame as it was read.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Where it came from.
    pub from: PortId,
    /// What its sender left for others to do.
    pub header: VnetHeader,
    /// The frame itself, from its Ethernet header on.
    pub bytes: &'a mut [u8],
}

/// Where a switch sends frames.
pub struct Output<'a> {
    pub(super) ports: &'a mut Ports,
    pub(super) clock: Clock,
}

impl Output<'_> {
    /// The time at this wakeup.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Writes a frame to a port: one that came in, changed or not, with the header that came with it, or one of
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

    /// All ports and what passed through them here; of links, that is what came up and what was sent from here.
    pub fn counters(&self) -> impl Iterator<Item = (PortId, PortCounters)> + '_ {
        let ports = self.ports.by_index.iter().flatten();
        ports.map(|port| (port.id, port.counters))
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

pub(super) struct Ports {
    by_index: Vec<Option<Port>>,
    punt: Option<Punt>,
}

impl Ports {
    pub(super) fn new(punt: Option<Punt>) -> Self {
        Self {
            by_index: Vec::new(),
            punt,
        }
    }

    fn get(&self, id: PortId) -> Option<&Port> {
        let port = self.by_index.get(id.index() as usize)?.as_ref();
        port.filter(|port| port.id == id)
    }

    fn get_mut(&mut self, id: PortId) -> Option<&mut Port> {
        let port = self.by_index.get_mut(id.index() as usize)?.as_mut();
        port.filter(|port| port.id == id)
    }

    pub(super) fn add(&mut self, id: PortId, mut wire: Wire, epoll: &OwnedFd) -> Result<()> {
        self.remove(id);
        if let Wire::Link(link) = &mut wire {
            link.open(id)?;
        }
        if let Wire::Tap(tap) = &wire {
            rustix::io::ioctl_fionbio(tap, true).during(|| "prepare a TAP device".into())?;
            let data = epoll::EventData::new_u64(id.0.into());
            epoll::add(epoll, tap.as_fd(), data, epoll::EventFlags::IN)
                .during(|| "listen to a TAP device".into())?;
        }
        let index = id.index() as usize;
        if self.by_index.len() <= index {
            self.by_index.resize_with(index + 1, || None);
        }
        self.by_index[index] = Some(Port {
            id,
            wire,
            counters: PortCounters::default(),
        });
        Ok(())
    }

    /// Closing a TAP device's only descriptor takes it out of the epoll as well.
    pub(super) fn remove(&mut self, id: PortId) -> Option<Wire> {
        let port = self.by_index.get_mut(id.index() as usize)?.take();
        port.map(|port| port.wire)
    }

    fn send(&mut self, to: PortId, header: &VnetHeader, frame: &[u8]) -> bool {
        let socket = self.punt.as_ref().map(|punt| &punt.socket);
        let port = self.by_index.get_mut(to.index() as usize);
        let Some(port) = port.and_then(Option::as_mut).filter(|port| port.id == to) else {
            return false;
        };
        let sent = match (&port.wire, socket) {
            (Wire::Tap(tap), _) => write(tap, header, frame),
            (Wire::Link(link), Some(socket)) => socket.send(link.ifindex(), header, frame).is_ok(),
            (Wire::Link(_), None) => false,
        };
        if sent {
            port.counters.sent_frames += 1;
            port.counters.sent_bytes += frame.len() as u64;
        } else {
            port.counters.dropped_frames += 1;
        }
        sent
    }

    /// Takes a limited number of frames from one port, or of what comes up from links, so that a busy one does not keep
    /// the others waiting.
    pub(super) fn receive(
        &mut self,
        from: Option<PortId>,
        buffer: &mut [u8],
        switch: &mut impl Switch,
        clock: Clock,
    ) {
        let mut left = FRAMES_PER_WAKEUP;
        // The first frame goes on alone: with most wakeups it is the only one, and should not wait
        // for a look at whether there are more.
        let mut longest_burst = 1;
        while left > 0 {
            let mut frames: [Frame<'_>; FRAMES_PER_WAKEUP] = Default::default();
            let most = &mut frames[..longest_burst.min(left)];
            let (count, rest) = match from {
                Some(port) => self.read_tap(port, most, buffer),
                None => self.read_punt(most, buffer),
            };
            longest_burst = FRAMES_PER_WAKEUP;
            if count > 0 {
                let mut out = Output { ports: self, clock };
                switch.burst(&mut frames[..count], &mut out);
            }
            match rest {
                Rest::Unknown => left -= count.max(1),
                Rest::Nothing => return,
                Rest::Gone(error) => {
                    // The interface went away with its namespace; level-triggered, it would wake us for ever.
                    tracing::debug!(?from, error = %io::Error::from(error), "a port is gone");
                    drop(from.and_then(|port| self.remove(port)));
                    return;
                }
            }
        }
    }

    fn read_tap<'b>(
        &mut self,
        from: PortId,
        frames: &mut [Frame<'b>],
        buffer: &'b mut [u8],
    ) -> (usize, Rest) {
        let Some(port) = self.get_mut(from) else {
            return (0, Rest::Nothing);
        };
        let Wire::Tap(tap) = &port.wire else {
            return (0, Rest::Nothing);
        };
        let (count, rest) = read_burst(tap, frames, buffer);
        for frame in &mut frames[..count] {
            frame.from = from;
            port.counters.received(frame);
        }
        (count, rest)
    }

    /// Frames that come up have the name of their port in place of their source, which the program has looked at.
    fn read_punt<'b>(&mut self, frames: &mut [Frame<'b>], buffer: &'b mut [u8]) -> (usize, Rest) {
        let Some(punt) = &self.punt else {
            return (0, Rest::Nothing);
        };
        let (read, rest) = read_burst(&punt.tap, frames, buffer);
        let mut known = 0;
        for at in 0..read {
            let frame = &mut frames[at];
            let Some((name, is_own)) = take_source(frame.bytes) else {
                continue;
            };
            frame.from = name;
            let port = self.by_index.get_mut(name.index() as usize);
            let port = port.and_then(Option::as_mut).filter(|port| port.id == name);
            // Its port may be gone by now, or may not be here yet.
            let Some(port) = port else { continue };
            let Wire::Link(link) = &port.wire else {
                continue;
            };
            if is_own && let Some(source) = frame.bytes.get_mut(6..12) {
                source.copy_from_slice(&link.mac());
            }
            port.counters.received(frame);
            frames.swap(known, at);
            known += 1;
        }
        (known, rest)
    }
}

struct Port {
    id: PortId,
    wire: Wire,
    counters: PortCounters,
}

impl PortCounters {
    fn received(&mut self, frame: &Frame<'_>) {
        self.received_frames += 1;
        self.received_bytes += frame.bytes.len() as u64;
    }
}

impl Default for Frame<'_> {
    fn default() -> Self {
        Self {
            from: PortId(0),
            header: VnetHeader::NONE,
            bytes: &mut [],
        }
    }
}

/// What else there is to read after a burst.
enum Rest {
    Unknown,
    Nothing,
    Gone(Errno),
}

/// Reads as many frames as there are, and as there is room for; all that are read have their headers.
fn read_burst<'b>(
    device: impl AsFd,
    frames: &mut [Frame<'b>],
    mut room: &'b mut [u8],
) -> (usize, Rest) {
    for (count, slot) in frames.iter_mut().enumerate() {
        if room.len() < FRAME_LEN_MAX {
            return (count, Rest::Unknown);
        }
        let length = match rustix::io::read(&device, &mut *room) {
            Ok(length) => length,
            Err(Errno::AGAIN | Errno::INTR) => return (count, Rest::Nothing),
            Err(error) => return (count, Rest::Gone(error)),
        };
        let (read, behind) = room.split_at_mut(length);
        room = behind;
        let Some((header, bytes)) = read.split_first_chunk_mut() else {
            return (count, Rest::Nothing);
        };
        slot.header = VnetHeader::from_bytes(header);
        slot.bytes = bytes;
    }
    (frames.len(), Rest::Unknown)
}

fn write(device: impl AsFd, header: &VnetHeader, frame: &[u8]) -> bool {
    let header = header.to_bytes();
    let parts = [io::IoSlice::new(&header), io::IoSlice::new(frame)];
    rustix::io::writev(device, &parts).is_ok()
}

/// The largest super-frame, with its Ethernet and virtio-net headers, and room to spare.
const FRAME_LEN_MAX: usize = 70 * 1024;
/// A burst ends behind the frame that takes it over so many bytes: long frames cost more to keep than to look at, and
/// a super-frame waits for no other.
const BURST_LEN: usize = 8 * 1024;
/// What the frames of a burst are read into.
pub(super) const BUFFER_LEN: usize = BURST_LEN + FRAME_LEN_MAX;
const FRAMES_PER_WAKEUP: usize = 32;
