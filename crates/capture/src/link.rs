//! The IP packet in what a link carries (tcpdump.org, "Link-layer header types").

/// What packets of an interface begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// Ethernet, with VLAN tags or without.
    Ethernet,
    /// IP, without anything before it.
    RawIp,
    /// Linux "cooked" capture, as of all interfaces at once.
    LinuxCooked,
    /// Its second version.
    LinuxCooked2,
    /// The loopback of BSDs, with the address family in the byte order of whoever captured.
    Loopback,
    /// Another; its packets are not understood.
    Other(u16),
}

impl LinkType {
    /// The one of a number in captures.
    pub const fn of(number: u16) -> Self {
        match number {
            0 | 108 => Self::Loopback,
            1 => Self::Ethernet,
            // What BSDs write for the same.
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            113 => Self::LinuxCooked,
            276 => Self::LinuxCooked2,
            other => Self::Other(other),
        }
    }
}

/// An IP packet, and what its link says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip<'a> {
    /// From the IP header on, as far as it was captured.
    pub bytes: &'a [u8],
    /// Bytes before it.
    pub offset: usize,
    /// Destination and source MAC address, on Ethernet.
    pub macs: Option<([u8; 6], [u8; 6])>,
    /// Whether the capturing host sent it (`true`) or got it, if the link says.
    pub sent: Option<bool>,
}

/// Why there is no IP packet in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotIp {
    /// Cut within the headers before it.
    Cut,
    /// ARP.
    Arp,
    /// Another ethertype, or a length of IEEE 802.3.
    Ethertype(u16),
    /// An address family that is not IP's.
    Family(u32),
    /// The version in it is neither 4 nor 6.
    Version(u8),
    /// A link that is not understood.
    Link(u16),
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
/// Tags of IEEE 802.1Q and 802.1ad, and what was used before that.
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// Finds the IP packet.
///
/// # Errors
///
/// If there is none, or it was cut off.
#[inline]
pub fn ip_in(link: LinkType, bytes: &[u8]) -> Result<Ip<'_>, NotIp> {
    let (mut macs, mut sent) = (None, None);
    let offset = match link {
        LinkType::RawIp => 0,
        LinkType::Ethernet => {
            let head: &[u8; 14] = bytes.first_chunk().ok_or(NotIp::Cut)?;
            let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, ..] = *head;
            macs = Some(([d0, d1, d2, d3, d4, d5], [s0, s1, s2, s3, s4, s5]));
            behind_ethertype(bytes, 12)?
        }
        LinkType::LinuxCooked => {
            sent = Some(be16(bytes, 0)? == 4);
            behind_ethertype(bytes, 14)?
        }
        LinkType::LinuxCooked2 => {
            sent = Some(*bytes.get(10).ok_or(NotIp::Cut)? == 4);
            is_ip(be16(bytes, 0)?)?;
            20
        }
        LinkType::Loopback => {
            let family: [u8; 4] = *bytes.first_chunk().ok_or(NotIp::Cut)?;
            // The numbers of IPv6 on Linux, NetBSD and OpenBSD, FreeBSD and macOS.
            let is_ip = |family| matches!(family, 2 | 10 | 24 | 28 | 30);
            let read = [u32::from_le_bytes(family), u32::from_be_bytes(family)];
            if !read.into_iter().any(is_ip) {
                return Err(NotIp::Family(read[0].min(read[1])));
            }
            4
        }
        LinkType::Other(number) => return Err(NotIp::Link(number)),
    };
    let bytes = bytes.get(offset..).ok_or(NotIp::Cut)?;
    match bytes.first().ok_or(NotIp::Cut)? >> 4 {
        4 | 6 => Ok(Ip {
            bytes,
            offset,
            macs,
            sent,
        }),
        version => Err(NotIp::Version(version)),
    }
}

/// Where what follows an ethertype and its VLAN tags begins, if that is IP.
#[inline]
fn behind_ethertype(bytes: &[u8], mut at: usize) -> Result<usize, NotIp> {
    loop {
        let ethertype = be16(bytes, at)?;
        at += 2;
        if !VLAN.contains(&ethertype) {
            is_ip(ethertype)?;
            return Ok(at);
        }
        at += 2;
    }
}

#[inline]
fn is_ip(ethertype: u16) -> Result<(), NotIp> {
    match ethertype {
        IPV4 | IPV6 => Ok(()),
        ARP => Err(NotIp::Arp),
        other => Err(NotIp::Ethertype(other)),
    }
}

#[inline]
fn be16(bytes: &[u8], at: usize) -> Result<u16, NotIp> {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    word.map(|word| u16::from_be_bytes(*word)).ok_or(NotIp::Cut)
}

impl std::fmt::Display for NotIp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cut => write!(f, "cut within its headers"),
            Self::Arp => write!(f, "ARP"),
            Self::Ethertype(ethertype) => write!(f, "not IP (ethertype {ethertype:#06x})"),
            Self::Family(family) => write!(f, "not IP (address family {family})"),
            Self::Version(version) => write!(f, "not IP (version {version})"),
            Self::Link(number) => write!(f, "on a link that is not understood (type {number})"),
        }
    }
}
