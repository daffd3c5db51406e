//! Bytes of unknown contents: gzip or not, text or Parquet, told by how they begin.

use std::io::{self, BufRead, BufReader};

use crate::members::Members;
use crate::text::{self, End};
use crate::{Place, Problem, Visitor};

/// How gzip begins.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Text is decompressed in parts of this size.
const BUFFER_BYTES: usize = 128 << 10;

/// What bytes are, by their first four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Parquet, which must be read from its end: [`read_parquet`](crate::read_parquet).
    Parquet,
    /// Text in gzip: [`read_text`].
    Gzip,
    /// Text: [`read_text`].
    Text,
}

impl Contents {
    /// Tells from the first bytes.
    pub fn of(begin: &[u8]) -> Self {
        if begin.starts_with(crate::PARQUET_MAGIC) {
            Self::Parquet
        } else if begin.starts_with(&GZIP_MAGIC) {
            Self::Gzip
        } else {
            Self::Text
        }
    }
}

/// Reads text, in gzip or not, of any format by its header; without one it is taken for the default
/// format. Members of gzip that follow each other are one text. Text that ends too early is told as
/// a problem after everything that came before.
///
/// Returns whether the visitor wants more.
///
/// # Errors
///
/// If the bytes cannot be had, other than because they are no gzip.
pub fn read_text(mut input: impl BufRead, visitor: &mut dyn Visitor) -> io::Result<bool> {
    let begin = input.fill_buf()?;
    let end = match Contents::of(begin) {
        Contents::Gzip => {
            let mut decoder = BufReader::with_capacity(BUFFER_BYTES, Members::new(input));
            text::read(&mut decoder, visitor)
        }
        Contents::Text | Contents::Parquet => text::read(&mut input, visitor),
    };
    match end {
        End::Whole => Ok(true),
        End::Stopped => Ok(false),
        End::Broken { line, error } => {
            let what = match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    "the gzip file ends in the middle of this line; it is cut short".to_owned()
                }
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                    format!("the gzip file is damaged here, the rest is lost: {error}")
                }
                _ => return Err(error),
            };
            visitor.problem(Problem {
                place: Place::Line(line),
                what,
            });
            Ok(true)
        }
    }
}
