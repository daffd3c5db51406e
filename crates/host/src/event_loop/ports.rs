//! The TAP devices of a loop: bursts of frames read from them, frames written to them, and their counters.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;
use rustix::io::Errno;

use super::{Clock, Switch};
use crate::error::{During, Result};
use crate::vnet_header::VnetHeader;

/// A port of the forwarding loop, numbered by the caller. Small numbers, please: they index a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u32);

/// A frame as it was read.
#[derive(Debug, Default)]
pub struct Frame<'a> {
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
        self.ports
            .get_mut(port)
            .is_some_and(|port| port.write(header, frame))
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

#[derive(Default)]
pub(super) struct Ports(Vec<Option<Port>>);

impl Ports {
    fn get(&self, id: PortId) -> Option<&Port> {
        self.0.get(id.0 as usize)?.as_ref()
    }

    fn get_mut(&mut self, id: PortId) -> Option<&mut Port> {
        self.0.get_mut(id.0 as usize)?.as_mut()
    }

    pub(super) fn add(&mut self, id: PortId, device: OwnedFd, epoll: &OwnedFd) -> Result<()> {
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
    pub(super) fn remove(&mut self, id: PortId) {
        if let Some(port) = self.0.get_mut(id.0 as usize) {
            *port = None;
        }
    }

    /// Takes a limited number of frames from one port, so that a busy one does not keep the others waiting.
    pub(super) fn receive(
        &mut self,
        id: PortId,
        buffer: &mut [u8],
        switch: &mut impl Switch,
        clock: Clock,
    ) {
        let mut left = FRAMES_PER_WAKEUP;
        // The first frame goes on alone: with most wakeups it is the only one, and should not wait
        // for a look at whether there are more.
        let mut longest_burst = 1;
        while left > 0 {
            let Some(port) = self.get_mut(id) else { return };
            let mut frames: [Frame<'_>; FRAMES_PER_WAKEUP] = Default::default();
            let (count, rest) = port.read_burst(&mut frames[..longest_burst.min(left)], buffer);
            longest_burst = FRAMES_PER_WAKEUP;
            if count > 0 {
                let mut out = Output { ports: self, clock };
                switch.burst(id, &mut frames[..count], &mut out);
            }
            match rest {
                Rest::Unknown => left -= count,
                Rest::Nothing => return,
                Rest::Gone(error) => {
                    // The interface went away with its namespace; level-triggered, it would wake us for ever.
                    tracing::debug!(port = id.0, error = %io::Error::from(error), "a port is gone");
                    return self.remove(id);
                }
            }
        }
    }
}

struct Port {
    device: OwnedFd,
    counters: PortCounters,
}

/// What else there is to read after a burst.
enum Rest {
    Unknown,
    Nothing,
    Gone(Errno),
}

impl Port {
    /// Reads frames one behind the other; tells how many.
    fn read_burst<'b>(
        &mut self,
        frames: &mut [Frame<'b>],
        mut room: &'b mut [u8],
    ) -> (usize, Rest) {
        for (count, slot) in frames.iter_mut().enumerate() {
            if room.len() < FRAME_LEN_MAX {
                return (count, Rest::Unknown);
            }
            let length = match rustix::io::read(&self.device, &mut *room) {
                Ok(length) => length,
                Err(Errno::AGAIN | Errno::INTR) => return (count, Rest::Nothing),
                Err(error) => return (count, Rest::Gone(error)),
            };
            let (read, behind) = room.split_at_mut(length);
            room = behind;
            let Some((header, bytes)) = read.split_first_chunk_mut() else {
                return (count, Rest::Nothing);
            };
            self.counters.received_frames += 1;
            self.counters.received_bytes += bytes.len() as u64;
            *slot = Frame {
                header: VnetHeader::from_bytes(header),
                bytes,
            };
        }
        (frames.len(), Rest::Unknown)
    }

    fn write(&mut self, header: &VnetHeader, frame: &[u8]) -> bool {
        let header = header.to_bytes();
        let parts = [io::IoSlice::new(&header), io::IoSlice::new(frame)];
        let sent = rustix::io::writev(&self.device, &parts).is_ok();
        if sent {
            self.counters.sent_frames += 1;
            self.counters.sent_bytes += frame.len() as u64;
        } else {
            self.counters.dropped_frames += 1;
        }
        sent
    }
}

/// The largest super-frame, with its Ethernet and virtio-net headers, and room to spare.
const FRAME_LEN_MAX: usize = 70 * 1024;
/// A burst ends behind the frame that takes it over so many bytes: long frames cost more to keep than to look at, and
/// a super-frame waits for no other.
const BURST_LEN: usize = 8 * 1024;
/// What the frames of a burst are read into.
pub(super) const BUFFER_LEN: usize = BURST_LEN + FRAME_LEN_MAX;
const FRAMES_PER_WAKEUP: usize = 32;
