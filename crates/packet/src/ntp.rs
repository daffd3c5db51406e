//! The Network Time Protocol, version 4 and earlier, as a server speaks it (RFC 5905).

use core::net::Ipv4Addr;

/// Where servers listen.
pub const PORT: u16 = 123;
/// Length of a packet without extensions.
pub const PACKET_LEN: usize = 48;

const MODE_CLIENT: u8 = 3;
const MODE_SERVER: u8 = 4;
/// Seconds from 1900 to 1970.
const UNIX_EPOCH_SECS: u64 = 2_208_988_800;

/// A client's question for the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    version: u8,
    poll: u8,
    /// When the client sent it, by its own clock: the answer tells which question it answers by it.
    transmitted: [u8; 8],
}

/// The clock that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// How many servers it is away from a reference clock.
    pub stratum: u8,
    /// The server that it follows.
    pub reference: Ipv4Addr,
    /// What its clock can tell apart, as a power of two in seconds.
    pub precision: i8,
    /// The way to the reference clock and back, in units of 2⁻¹⁶ seconds.
    pub root_delay: u32,
    /// How wrong it may be, in units of 2⁻¹⁶ seconds.
    pub root_dispersion: u32,
}

impl Query {
    /// Reads a UDP payload; `None` for what is no client's question: control messages, other servers, answers.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let packet: &[u8; PACKET_LEN] = bytes.first_chunk()?;
        let version = packet[0] >> 3 & 7;
        let asks = packet[0] & 7 == MODE_CLIENT && (1..=4).contains(&version);
        let &transmitted = packet.last_chunk()?;
        asks.then_some(Self {
            version,
            poll: packet[2],
            transmitted,
        })
    }

    /// The answer of a server whose clock says so many microseconds since 1970.
    pub fn answer(&self, server: &Server, unix_micros: u64) -> [u8; PACKET_LEN] {
        let now = timestamp(unix_micros);
        let mut packet = [0; PACKET_LEN];
        packet[0] = self.version << 3 | MODE_SERVER;
        packet[1] = server.stratum;
        packet[2] = self.poll;
        packet[3] = server.precision.to_be_bytes()[0];
        packet[4..8].copy_from_slice(&server.root_delay.to_be_bytes());
        packet[8..12].copy_from_slice(&server.root_dispersion.to_be_bytes());
        packet[12..16].copy_from_slice(&server.reference.octets());
        // When the clock was last set, when the question came, when the answer leaves: all at once.
        packet[16..24].copy_from_slice(&now);
        packet[24..32].copy_from_slice(&self.transmitted);
        packet[32..40].copy_from_slice(&now);
        packet[40..48].copy_from_slice(&now);
        packet
    }
}

/// Seconds since 1900 modulo 2³², and fractions of 2⁻³² seconds.
pub fn timestamp(unix_micros: u64) -> [u8; 8] {
    let secs = unix_micros / 1_000_000 + UNIX_EPOCH_SECS;
    let fraction = ((unix_micros % 1_000_000) << 32) / 1_000_000;
    ((secs & 0xffff_ffff) << 32 | fraction).to_be_bytes()
}
