//! Blocks of pcapng.

use crate::reader::{Interface, Statistics};
use crate::time::Units;
use crate::{LinkType, ProblemKind};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
/// Obsolete, and still written by old programs.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];

pub(crate) const OPT_COMMENT: u16 = 1;
const OPT_PACKET_FLAGS: u16 = 2;
const OPT_IF_NAME: u16 = 2;
const OPT_IF_TSRESOL: u16 = 9;
const OPT_IF_TSOFFSET: u16 = 14;
const OPT_ISB_IFRECV: u16 = 4;
const OPT_ISB_IFDROP: u16 = 5;

/// The order of the bytes of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endian {
    Little,
    Big,
}

impl Endian {
    #[inline]
    pub(crate) fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16> {
        let word: [u8; 2] = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(word),
            Self::Big => u16::from_be_bytes(word),
        })
    }

    #[inline]
    pub(crate) fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        let word: [u8; 4] = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(word),
            Self::Big => u32::from_be_bytes(word),
        })
    }

    fn u64_at(self, bytes: &[u8], at: usize) -> Option<u64> {
        let word: [u8; 8] = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u64::from_le_bytes(word),
            Self::Big => u64::from_be_bytes(word),
        })
    }
}

/// The byte order of a section, if its header is what begins here.
pub(crate) fn section_endian(head: &[u8]) -> Option<Option<Endian>> {
    if Endian::Little.u32_at(head, 0) != Some(SECTION_HEADER) {
        return None;
    }
    let order = head.get(8..12)?;
    let reversed = BYTE_ORDER.iter().rev();
    Some(if order == BYTE_ORDER {
        Some(Endian::Big)
    } else if order.iter().eq(reversed) {
        Some(Endian::Little)
    } else {
        None
    })
}

pub(crate) fn is_packet(endian: Endian, block: &[u8]) -> bool {
    matches!(
        endian.u32_at(block, 0),
        Some(PACKET | SIMPLE_PACKET | ENHANCED_PACKET)
    )
}

/// The interface, if the block describes one.
pub(crate) fn interface(endian: Endian, block: &[u8]) -> Option<Result<Interface, &'static str>> {
    if endian.u32_at(block, 0) != Some(INTERFACE_DESCRIPTION) {
        return None;
    }
    let (Some(link), Some(snaplen)) = (endian.u16_at(block, 8), endian.u32_at(block, 12)) else {
        return Some(Err("an interface description that is too short"));
    };
    let (mut name, mut resolution, mut offset_s) = (None, 6, 0);
    let rest = block.get(16..block.len() - 4).unwrap_or_default();
    for (code, value) in options(endian, rest) {
        match code {
            OPT_IF_NAME => name = Some(String::from_utf8_lossy(value).into_owned()),
            OPT_IF_TSRESOL => resolution = value.first().copied().unwrap_or(resolution),
            OPT_IF_TSOFFSET => {
                offset_s = endian.u64_at(value, 0).map_or(offset_s, u64::cast_signed);
            }
            _ => {}
        }
    }
    let Some(units) = Units::of(resolution, offset_s) else {
        return Some(Err("an interface with times in units that no clock has"));
    };
    Some(Ok(Interface {
        link: LinkType::of(link),
        name,
        snaplen,
        units,
    }))
}

/// How a capture on an interface of the section went, if the block says so.
pub(crate) fn statistics(endian: Endian, block: &[u8]) -> Option<(usize, Statistics<'_>)> {
    if endian.u32_at(block, 0) != Some(INTERFACE_STATISTICS) {
        return None;
    }
    let index = endian.u32_at(block, 8)? as usize;
    let mut statistics = Statistics::default();
    let rest = block.get(20..block.len() - 4).unwrap_or_default();
    for (code, value) in options(endian, rest) {
        match code {
            OPT_COMMENT => statistics.comment = std::str::from_utf8(value).ok(),
            OPT_ISB_IFRECV => statistics.received = endian.u64_at(value, 0),
            OPT_ISB_IFDROP => statistics.dropped = endian.u64_at(value, 0),
            _ => {}
        }
    }
    Some((index, statistics))
}

/// What stands for an interface whose description cannot be understood.
pub(crate) fn unknown_interface() -> Interface {
    Interface {
        link: LinkType::Other(u16::MAX),
        name: None,
        snaplen: 0,
        units: Units::MICROSECONDS,
    }
}

/// The packet of a block.
pub(crate) struct Found<'a> {
    pub(crate) interface: &'a Interface,
    /// In the section.
    pub(crate) index: usize,
    pub(crate) time_ns: Option<u64>,
    pub(crate) original_len: u32,
    pub(crate) sent: Option<bool>,
    pub(crate) bytes: &'a [u8],
    pub(crate) options: &'a [u8],
}

/// Reads a block of one of the three kinds that carry packets.
pub(crate) fn packet<'a>(
    endian: Endian,
    block: &'a [u8],
    interfaces: &'a [Interface],
) -> Result<Found<'a>, ProblemKind> {
    let short = ProblemKind::MalformedBlock("a packet's block that is too short for it");
    let body = block.get(8..block.len() - 4).unwrap_or_default();
    let word = |at| endian.u32_at(body, at);
    let kind = endian.u32_at(block, 0);
    if kind == Some(SIMPLE_PACKET) {
        let Some(first) = interfaces.first() else {
            return Err(ProblemKind::UnknownInterface(0));
        };
        let original_len = word(0).ok_or_else(|| short.clone())?;
        let snaplen = if first.snaplen == 0 {
            u32::MAX
        } else {
            first.snaplen
        };
        let len = original_len.min(snaplen) as usize;
        let bytes = body.get(4..4 + len).ok_or(short)?;
        return Ok(Found {
            interface: first,
            index: 0,
            time_ns: None,
            original_len,
            sent: None,
            bytes,
            options: &[],
        });
    }
    let id = match kind {
        Some(PACKET) => endian.u16_at(body, 0).map(u32::from),
        _ => word(0),
    };
    let (Some(id), Some(high), Some(low), Some(len), Some(original_len)) =
        (id, word(4), word(8), word(12), word(16))
    else {
        return Err(short);
    };
    let Some(interface) = interfaces.get(id as usize) else {
        return Err(ProblemKind::UnknownInterface(id));
    };
    let end = 20_usize.saturating_add(len as usize);
    let bytes = body.get(20..end).ok_or(short)?;
    let options = body.get(end.next_multiple_of(4)..).unwrap_or_default();
    let flags = self::options(endian, options)
        .find(|(code, _)| *code == OPT_PACKET_FLAGS)
        .and_then(|(_, value)| endian.u32_at(value, 0));
    Ok(Found {
        interface,
        index: id as usize,
        time_ns: Some(
            interface
                .units
                .nanoseconds(u64::from(high) << 32 | u64::from(low)),
        ),
        original_len,
        sent: match flags.unwrap_or(0) & 3 {
            1 => Some(false),
            2 => Some(true),
            _ => None,
        },
        bytes,
        options,
    })
}

/// Codes and values of options, up to the first that is cut.
pub(crate) fn options(endian: Endian, bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let code = endian.u16_at(rest, 0)?;
        let len = usize::from(endian.u16_at(rest, 2)?);
        let value = rest.get(4..4 + len)?;
        rest = rest.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
        (code != 0).then_some((code, value))
    })
}
