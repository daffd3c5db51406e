//! Packets of a capture, one after the other.

use std::io::{Chain, Cursor, Read};

use flate2::read::MultiGzDecoder;

use crate::blocks::{self, Endian, Found};
use crate::buffer::Buffer;
use crate::time::Units;
use crate::{LinkType, Place, Problem, ProblemKind};

/// The longest packet or block that is taken into memory; longer ones are skipped.
pub(crate) const LENGTH_MAX: u32 = 16 << 20;
/// A length beyond this in a pcap file is no length.
const PCAP_LENGTH_MAX: u32 = 1 << 28;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const PCAPNG: u32 = 0x0a0d_0d0a;
const PCAP_MICROSECONDS: u32 = 0xa1b2_c3d4;
const PCAP_NANOSECONDS: u32 = 0xa1b2_3c4d;

/// Where packets were captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// What the packets begin with.
    pub link: LinkType,
    /// Its name, if the capture says.
    pub name: Option<String>,
    /// The most of a packet that was kept; 0 for all.
    pub snaplen: u32,
    pub(crate) units: Units,
}

/// A packet as it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured<'a> {
    /// Where in the capture.
    pub place: Place,
    /// Where it was captured.
    pub interface: &'a Interface,
    /// Which of [`Reader::interfaces`] that is.
    pub interface_index: usize,
    /// Nanoseconds since 1970; simple packets have no time.
    pub time_ns: Option<u64>,
    /// How long it was before it was cut.
    pub original_len: u32,
    /// Whether it was sent (`true`) or received there, if the capture says.
    pub sent: Option<bool>,
    /// What is left of it.
    pub bytes: &'a [u8],
    /// pcapng's options, unread.
    pub(crate) options: &'a [u8],
    pub(crate) endian: Endian,
}

impl<'a> Captured<'a> {
    /// Its comments.
    pub fn comments(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        blocks::options(self.endian, self.options)
            .filter(|(code, _)| *code == blocks::OPT_COMMENT)
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
    }
}

/// How a capture on an interface went, as far as it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics<'a> {
    /// Which of [`Reader::interfaces`] that is.
    pub interface_index: usize,
    /// Packets that were seen.
    pub received: Option<u64>,
    /// Those of them that are not in the capture, because there was no room for them.
    pub dropped: Option<u64>,
    /// What else there is to say.
    pub comment: Option<&'a str>,
}

/// What a capture has next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A packet.
    Packet(Captured<'a>),
    /// How it went until here.
    Statistics(Statistics<'a>),
    /// Something that cannot be read.
    Problem(Problem),
}

/// The bytes are not a capture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACapture {
    /// They begin like nothing that is known.
    #[error("not a capture: it begins with {0}, not as pcap, pcapng or gzip of those does")]
    Magic(String),
    /// There are too few.
    #[error("not a capture: it ends after {0} bytes")]
    Short(usize),
    /// They could not be got.
    #[error("the capture cannot be read: {0}")]
    Unreadable(String),
}

/// Reads a capture: pcap with times in microseconds or nanoseconds, or pcapng, of either byte order,
/// or gzip of those.
pub struct Reader<R: Read> {
    buffer: Buffer<Source<R>>,
    format: Format,
    interfaces: Vec<Interface>,
    packets: u64,
    over: bool,
}

enum Source<R: Read> {
    Plain(Chain<Cursor<Vec<u8>>, R>),
    Gzip(Box<MultiGzDecoder<Chain<Cursor<Vec<u8>>, R>>>),
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Pcap {
        endian: Endian,
    },
    /// With the first interface of the section.
    Pcapng {
        endian: Endian,
        section: usize,
    },
}

impl<R: Read> Reader<R> {
    /// Reads the beginning of a capture.
    ///
    /// # Errors
    ///
    /// If it does not begin as a capture does.
    pub fn new(mut source: R) -> Result<Self, NotACapture> {
        let mut begin = Vec::new();
        let two = source.by_ref().take(2).read_to_end(&mut begin);
        two.map_err(|error| NotACapture::Unreadable(error.to_string()))?;
        let gzip = begin == GZIP;
        let whole = Cursor::new(begin).chain(source);
        let mut buffer = Buffer::new(match gzip {
            true => Source::Gzip(Box::new(MultiGzDecoder::new(whole))),
            false => Source::Plain(whole),
        });
        let mut reader_interfaces = Vec::new();
        let format = Self::begin(&mut buffer, &mut reader_interfaces)?;
        Ok(Self {
            buffer,
            format,
            interfaces: reader_interfaces,
            packets: 0,
            over: false,
        })
    }

    fn begin(
        buffer: &mut Buffer<Source<R>>,
        interfaces: &mut Vec<Interface>,
    ) -> Result<Format, NotACapture> {
        let head = buffer.peek(24);
        let Some(magic) = head.first_chunk::<4>().copied() else {
            let found = head.len();
            return Err(match buffer.failure() {
                Some(why) => NotACapture::Unreadable(why.to_owned()),
                None => NotACapture::Short(found),
            });
        };
        if u32::from_le_bytes(magic) == PCAPNG {
            let endian = Endian::Little;
            return Ok(Format::Pcapng { endian, section: 0 });
        }
        let read = [
            (Endian::Little, u32::from_le_bytes(magic)),
            (Endian::Big, u32::from_be_bytes(magic)),
        ];
        let found = read.into_iter().find_map(|(endian, magic)| match magic {
            PCAP_MICROSECONDS => Some((endian, Units::MICROSECONDS)),
            PCAP_NANOSECONDS => Some((endian, Units::NANOSECONDS)),
            _ => None,
        });
        let Some((endian, units)) = found else {
            let bytes: Vec<_> = magic.iter().map(|b| format!("{b:02x}")).collect();
            return Err(NotACapture::Magic(bytes.join(" ")));
        };
        let (Some(snaplen), Some(network)) = (endian.u32_at(head, 16), endian.u32_at(head, 20))
        else {
            return Err(NotACapture::Short(head.len()));
        };
        interfaces.push(Interface {
            // What is above tells of frame check sequences.
            link: LinkType::of(network as u16),
            name: None,
            snaplen,
            units,
        });
        buffer.take(24);
        Ok(Format::Pcap { endian })
    }

    /// The interfaces that have been described so far.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// What comes next; `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "it lends")]
    pub fn next(&mut self) -> Option<Item<'_>> {
        if self.over {
            return None;
        }
        match self.format {
            Format::Pcap { endian } => self.next_of_pcap(endian),
            Format::Pcapng { .. } => self.next_of_pcapng(),
        }
    }

    fn next_of_pcap(&mut self, endian: Endian) -> Option<Item<'_>> {
        let place = self.place();
        let head = self.buffer.peek(16);
        let (Some(seconds), Some(fraction), Some(len), Some(original_len)) = (
            endian.u32_at(head, 0),
            endian.u32_at(head, 4),
            endian.u32_at(head, 8),
            endian.u32_at(head, 12),
        ) else {
            let found = head.len() as u64;
            return self.end(place, 16, found).map(Item::Problem);
        };
        if len > PCAP_LENGTH_MAX {
            self.over = true;
            return problem(place, ProblemKind::ImpossibleLength(len.into()));
        }
        self.packets += 1;
        self.buffer.take(16);
        let len = match self.whole(place, len) {
            Ok(len) => len,
            Err(problem) => return problem.map(Item::Problem),
        };
        let interface = self.interfaces.first()?;
        let one_unit = match interface.units {
            Units::NANOSECONDS => 1,
            _ => 1000,
        };
        let time_ns = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * one_unit;
        Some(Item::Packet(Captured {
            place,
            interface,
            interface_index: 0,
            time_ns: Some(time_ns),
            original_len,
            sent: None,
            bytes: self.buffer.last(len),
            options: &[],
            endian,
        }))
    }

    fn next_of_pcapng(&mut self) -> Option<Item<'_>> {
        loop {
            let Format::Pcapng { endian, section } = self.format else {
                return None;
            };
            let place = self.place();
            let head = self.buffer.peek(12);
            if head.len() < 12 {
                let found = head.len() as u64;
                return self.end(place, 12, found).map(Item::Problem);
            }
            let endian = match blocks::section_endian(head) {
                None => endian,
                Some(Some(endian)) => {
                    let section = self.interfaces.len();
                    self.format = Format::Pcapng { endian, section };
                    endian
                }
                Some(None) => {
                    self.over = true;
                    let what = "a section header without a byte order, nothing behind it is known";
                    return problem(place, ProblemKind::MalformedBlock(what));
                }
            };
            let len = endian.u32_at(head, 4)?;
            if len < 12 || !len.is_multiple_of(4) {
                self.over = true;
                return problem(place, ProblemKind::ImpossibleLength(len.into()));
            }
            let len = match self.whole(place, len) {
                Ok(len) => len,
                Err(problem) => return problem.map(Item::Problem),
            };
            let block = self.buffer.last(len);
            if blocks::statistics(endian, block).is_some() {
                let (index, statistics) = blocks::statistics(endian, self.buffer.last(len))?;
                return Some(Item::Statistics(Statistics {
                    interface_index: section + index,
                    ..statistics
                }));
            }
            if !blocks::is_packet(endian, block) {
                if let Some(interface) = blocks::interface(endian, block)
                    && let Err(kind) = self.describe(interface)
                {
                    return problem(place, kind);
                }
                continue;
            }
            self.packets += 1;
            let own = self.interfaces.get(section..).unwrap_or_default();
            return Some(match blocks::packet(endian, self.buffer.last(len), own) {
                Ok(found) => Item::Packet(found.captured(place, section, endian)),
                Err(kind) => Item::Problem(Problem { place, kind }),
            });
        }
    }

    fn describe(&mut self, interface: Result<Interface, &'static str>) -> Result<(), ProblemKind> {
        let malformed = interface.as_ref().err().copied();
        // Packets of one that cannot be understood must not be taken for another's.
        self.interfaces
            .push(interface.unwrap_or_else(|_| blocks::unknown_interface()));
        malformed.map_or(Ok(()), |what| Err(ProblemKind::MalformedBlock(what)))
    }

    fn place(&self) -> Place {
        Place {
            packet: self.packets + 1,
            offset: self.buffer.offset(),
        }
    }

    /// Uses up a packet or block, which is in memory then: [`Buffer::last`]. Otherwise there is something to be said of it.
    fn whole(&mut self, place: Place, len: u32) -> Result<usize, Option<Problem>> {
        if len > LENGTH_MAX {
            let skipped = self.buffer.skip(len.into());
            if skipped < u64::from(len) {
                return Err(self.end(place, len.into(), skipped));
            }
            let kind = ProblemKind::TooLong(len.into());
            return Err(Some(Problem { place, kind }));
        }
        let len = len as usize;
        let found = self.buffer.peek(len).len();
        if found < len {
            return Err(self.end(place, len as u64, found as u64));
        }
        self.buffer.take(len);
        Ok(len)
    }

    /// The capture is at its end: as it should, or within something.
    fn end(&mut self, place: Place, wanted: u64, found: u64) -> Option<Problem> {
        self.over = true;
        let kind = match self.buffer.failure() {
            Some(why) => ProblemKind::Unreadable(why.to_owned()),
            None if found == 0 && wanted <= 16 && self.buffer.offset() == place.offset => {
                return None;
            }
            None => ProblemKind::Truncated { wanted, found },
        };
        Some(Problem { place, kind })
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what comes next")]
fn problem<'a>(place: Place, kind: ProblemKind) -> Option<Item<'a>> {
    Some(Item::Problem(Problem { place, kind }))
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(into),
            Self::Gzip(source) => source.read(into),
        }
    }
}

impl<'a> Found<'a> {
    /// The packet as readers get it; `section` is where the interfaces of its section begin.
    fn captured(self, place: Place, section: usize, endian: Endian) -> Captured<'a> {
        Captured {
            place,
            interface: self.interface,
            interface_index: section + self.index,
            time_ns: self.time_ns,
            original_len: self.original_len,
            sent: self.sent,
            bytes: self.bytes,
            options: self.options,
            endian,
        }
    }
}
