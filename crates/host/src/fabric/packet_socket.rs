//! Sends frames to the devices of a namespace.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::error::{During, Result};
use crate::sys;
use crate::vnet_header::VnetHeader;

/// A socket that sends frames, with a [`VnetHeader`] each, and receives none.
#[derive(Debug)]
pub(crate) struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens a socket in the network namespace of the calling thread.
    pub(crate) fn open() -> Result<Self> {
        let socket = sys::packet_socket(SEND_BUFFER).during(|| "open a packet socket".into())?;
        Ok(Self(socket))
    }

    /// Sends a frame out by a device, as if its other end had sent it to us.
    pub(crate) fn send(&self, ifindex: u32, header: &VnetHeader, frame: &[u8]) -> io::Result<()> {
        let header = header.to_bytes();
        // This kind of socket has the header without its last field.
        let short = header.first_chunk::<10>().map_or(&[][..], |short| short);
        sys::send_frame(self.0.as_fd(), ifindex, short, frame)
    }
}

/// Bytes of frames that receivers have not looked at yet.
const SEND_BUFFER: i32 = 64 << 20;
