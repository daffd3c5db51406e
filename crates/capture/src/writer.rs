//! pcapng, into memory of the caller's.

/// Which way a packet goes, seen from the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Received.
    In,
    /// Sent.
    Out,
}

/// A packet to write.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Which interface, in the order in which they were described.
    pub interface: u32,
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// Which way it went.
    pub direction: Direction,
    /// What is kept of it.
    pub bytes: &'a [u8],
    /// How long it was.
    pub original_len: u32,
    /// What else there is to say; at most 65,535 bytes of it are written.
    pub comment: &'a str,
}

/// How a capture on an interface went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceStatistics {
    /// Packets that were seen.
    pub received: u64,
    /// Those that were lost, because there was no room for them.
    pub dropped: u64,
}

const ETHERNET: u16 = 1;

/// Writes the blocks of a pcapng section, little endian, with times in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Writer;

impl Writer {
    /// Begins a section that `application` writes.
    pub fn section(out: &mut Vec<u8>, application: &str) {
        block(out, 0x0a0d_0d0a, |out| {
            put32(out, 0x1a2b_3c4d);
            put16(out, 1);
            put16(out, 0);
            // The section's length is not known.
            out.extend([0xff; 8]);
            option(out, 4, application.as_bytes());
            end_of_options(out);
        });
    }

    /// Describes the next interface, an Ethernet.
    pub fn interface(out: &mut Vec<u8>, name: &str, description: &str, snaplen: u32) {
        block(out, 1, |out| {
            put16(out, ETHERNET);
            put16(out, 0);
            put32(out, snaplen);
            option(out, 2, name.as_bytes());
            option(out, 3, description.as_bytes());
            option(out, 9, &[9]);
            end_of_options(out);
        });
    }

    /// Writes a packet.
    pub fn packet(out: &mut Vec<u8>, record: &Record<'_>) {
        block(out, 6, |out| {
            put32(out, record.interface);
            put32(out, (record.time_ns >> 32) as u32);
            put32(out, record.time_ns as u32);
            put32(out, u32::try_from(record.bytes.len()).unwrap_or(u32::MAX));
            put32(out, record.original_len);
            out.extend_from_slice(record.bytes);
            pad(out);
            if !record.comment.is_empty() {
                option(out, 1, record.comment.as_bytes());
            }
            let flags: u32 = match record.direction {
                Direction::In => 1,
                Direction::Out => 2,
            };
            option(out, 2, &flags.to_le_bytes());
            end_of_options(out);
        });
    }

    /// Says how the capture on an interface went until now, with a comment unless that is empty.
    pub fn statistics(
        out: &mut Vec<u8>,
        interface: u32,
        time_ns: u64,
        statistics: &InterfaceStatistics,
        comment: &str,
    ) {
        block(out, 5, |out| {
            put32(out, interface);
            put32(out, (time_ns >> 32) as u32);
            put32(out, time_ns as u32);
            if !comment.is_empty() {
                option(out, 1, comment.as_bytes());
            }
            option(out, 4, &statistics.received.to_le_bytes());
            option(out, 5, &statistics.dropped.to_le_bytes());
            end_of_options(out);
        });
    }
}

fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    put32(out, kind);
    put32(out, 0);
    body(out);
    let len = u32::try_from(out.len() + 4 - begin).unwrap_or(u32::MAX);
    put32(out, len);
    if let Some(place) = out.get_mut(begin + 4..begin + 8) {
        place.copy_from_slice(&len.to_le_bytes());
    }
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
    put16(out, code);
    put16(out, u16::try_from(value.len()).unwrap_or(u16::MAX));
    out.extend_from_slice(value);
    pad(out);
}

fn end_of_options(out: &mut Vec<u8>) {
    put32(out, 0);
}

/// Blocks begin at multiples of four, as long as what is before them does.
fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend(value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_le_bytes());
}
