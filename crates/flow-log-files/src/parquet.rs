//! Parquet: what AWS's flow logs with the file format `parquet` are.

mod bits;
mod chunk;
mod dictionary;
mod footer;
mod guard;
mod reader;
mod schema;
mod table;
mod thrift;
mod writer;

pub use reader::read_parquet;
pub use writer::{EncodeError, parquet};

/// How a file begins and ends.
pub const MAGIC: &[u8] = b"PAR1";
