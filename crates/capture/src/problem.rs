//! What is wrong with a capture, and where.

use std::fmt;

/// Where in a capture something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The number of the packet, from 1; of the one that would be next, for what belongs to none.
    pub packet: u64,
    /// Bytes before it, after decompression.
    pub offset: u64,
}

/// Something that could not be read. Everything else still is, as far as the file's structure
/// allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What.
    pub kind: ProblemKind,
}

/// What is wrong with a part of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The file ends within a packet or block.
    Truncated {
        /// Bytes that it should have had.
        wanted: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// A length that cannot be: nothing behind it can be found.
    ImpossibleLength(u64),
    /// More than is taken into memory at once; skipped.
    TooLong(u64),
    /// A block that contradicts itself; skipped.
    MalformedBlock(&'static str),
    /// A packet names an interface that has not been described; skipped.
    UnknownInterface(u32),
    /// The bytes could not be got: the words of what failed, for example gzip.
    Unreadable(String),
}

impl ProblemKind {
    /// Whether the capture cannot be read on from there.
    pub const fn ends_the_capture(&self) -> bool {
        matches!(
            self,
            Self::Truncated { .. } | Self::ImpossibleLength(_) | Self::Unreadable(_)
        )
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "packet {} at byte {}", self.packet, self.offset)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.kind)
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { wanted, found } => {
                write!(
                    f,
                    "the capture ends here, {found} of {wanted} bytes are left"
                )
            }
            Self::ImpossibleLength(length) => write!(
                f,
                "the length {length} is impossible, nothing behind it can be found"
            ),
            Self::TooLong(length) => write!(f, "{length} bytes are too long, skipped"),
            Self::MalformedBlock(what) => write!(f, "{what}, skipped"),
            Self::UnknownInterface(id) => {
                write!(f, "interface {id} has not been described, skipped")
            }
            Self::Unreadable(why) => write!(f, "cannot be read on: {why}"),
        }
    }
}
