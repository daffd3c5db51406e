//! The text of a file to Parquet.
//!
//! Files, row groups and pages are the library's. What is between a text and the bytes of a page is
//! made here: the library's column writer hashes each value and copies each address, which took six
//! times as long as compression.

use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;

use super::chunk::ChunkWriter;
use super::schema::{ROW_GROUP_ROWS, properties, schema};
use super::table::Table;

/// Text that is not that of a flow-log file.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The first line names no fields.
    #[error("the first line is not a header: {0:?}")]
    Header(String),
    /// A field twice; columns of Parquet have names of their own.
    #[error("the field {0} is there twice")]
    Twice(String),
    /// A line with another number of values than the header has names.
    #[error("line {line}: {found} values for {expected} fields")]
    Values {
        /// From 1.
        line: usize,
        /// Fields of the header.
        expected: usize,
        /// Values of the line.
        found: usize,
    },
    /// A value that its column cannot hold.
    #[error("line {line}: {value:?} is no value of {field}")]
    Value {
        /// From 1.
        line: usize,
        /// AWS's name of the field.
        field: String,
        /// The value.
        value: String,
    },
    /// More lines than a file can have.
    #[error("more than 2^32 lines")]
    Lines,
    /// The writer of Parquet failed.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

/// A whole file in Parquet, from its text: a header line, then a record per line. Column names are
/// AWS's with underscores, types those of "Flow log records" (Amazon VPC User Guide); `-` is NULL in
/// columns of numbers and stays text in others. Records are by interface and start. The same text
/// gives the same bytes.
///
/// # Errors
///
/// If the text is not that of a flow-log file.
pub fn parquet(text: &str) -> Result<Vec<u8>, EncodeError> {
    let table = Table::read(text)?;
    let order = table.sorted();
    let properties = Arc::new(properties(&table.columns));
    let mut writer = SerializedFileWriter::new(Vec::new(), schema(&table.columns)?, properties)?;
    let descriptors = writer.schema_descr().columns().to_vec();
    let mut chunks = ChunkWriter::new()?;
    for order in order.chunks(ROW_GROUP_ROWS) {
        let mut group = writer.next_row_group()?;
        for (values, descriptor) in table.values.iter().zip(&descriptors) {
            let (bytes, close) = chunks.write(values, order, descriptor)?;
            group.append_column(&bytes, close)?;
        }
        group.close()?;
    }
    Ok(writer.into_inner()?)
}
