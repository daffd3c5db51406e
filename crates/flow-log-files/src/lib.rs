//! Flow-log files: records to gzip text or Parquet, and any such file back to records.
//!
//! Writing takes the text of a file (a header line, then a record per line) and gives the bytes of
//! the object; the same text always gives the same bytes. Reading takes bytes of any origin (AWS's
//! or ours, old fields or new, cut short or not flow logs at all), tells a [`Visitor`] each record
//! and each thing that could not be read with its place, and holds a bounded part of the file in
//! memory. It opens no files and no sockets and knows no clock.

mod column;
mod filter;
mod gzip;
mod members;
mod parquet;
mod read;
mod record;
mod text;

pub use column::{Column, Columns, Kind};
pub use filter::{Filter, Window};
pub use gzip::gzip;
pub use parquet::{EncodeError, MAGIC as PARQUET_MAGIC, parquet, read_parquet};
pub use read::{Contents, read_text};
pub use record::{Place, Problem, Record, Visitor};

/// Why such bytes could not be had.
pub use ::parquet::errors::ParquetError;
/// What Parquet needs of a file: its length, and bytes from any place.
pub use ::parquet::file::reader::{ChunkReader, Length};

#[cfg(test)]
mod tests;
