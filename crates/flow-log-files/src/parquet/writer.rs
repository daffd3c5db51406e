//! The text of a file to Parquet.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};

use crate::{Column, Columns, Kind};

/// Records of a row group: few enough that a filtered read skips most of a file.
const ROW_GROUP_ROWS: usize = 131_072;
/// The order of records inside a file.
const SORTED_BY: [&str; 2] = ["interface-id", "start"];

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
    /// The writer of Parquet failed.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

/// A whole file in Parquet, from its text: a header line, then a record per line. Column names are
/// AWS's with underscores, types those of "Flow log records" (Amazon VPC User Guide); `-` is NULL in
/// columns of numbers and stays text in others. The same text gives the same bytes.
///
/// # Errors
///
/// If the text is not that of a flow-log file.
pub fn parquet(text: String) -> Result<Vec<u8>, EncodeError> {
    let text = Bytes::from(text);
    let rows = Rows::split(&text)?;
    let order = sorted(&rows);
    let properties = Arc::new(properties(&rows.columns));
    let mut writer = SerializedFileWriter::new(Vec::new(), schema(&rows.columns)?, properties)?;
    for order in order.chunks(ROW_GROUP_ROWS) {
        let mut group = writer.next_row_group()?;
        for (index, column) in rows.columns.iter().enumerate() {
            let Some(mut chunk) = group.next_column()? else {
                break;
            };
            write(chunk.untyped(), &rows, order, index, column)?;
            chunk.close()?;
        }
        group.close()?;
    }
    Ok(writer.into_inner()?)
}

/// The lines of a text, and where in it each value is.
struct Rows<'a> {
    text: &'a Bytes,
    columns: Columns,
    /// Row by row: begin and end.
    values: Vec<(u32, u32)>,
}

impl<'a> Rows<'a> {
    fn split(text: &'a Bytes) -> Result<Self, EncodeError> {
        let header_end = memchr::memchr(b'\n', text).unwrap_or(text.len());
        let header = String::from_utf8_lossy(&text[..header_end]).into_owned();
        let columns = Columns::from_header(&header).ok_or(EncodeError::Header(header))?;
        for (index, column) in columns.iter().enumerate() {
            if columns.position(column.name()) != Some(index) {
                return Err(EncodeError::Twice(column.name().to_owned()));
            }
        }
        let expected = columns.len();
        let mut values = Vec::with_capacity(text.len() / 8);
        let (mut begin, mut found, mut line) = (header_end + 1, 0, 2);
        let body = text.get(begin..).unwrap_or_default();
        // A last line without a newline counts as well.
        let last = (!body.is_empty() && !body.ends_with(b"\n")).then_some(body.len());
        for end in memchr::memchr2_iter(b' ', b'\n', body).chain(last) {
            let end = header_end + 1 + end;
            values.push((begin as u32, end as u32));
            begin = end + 1;
            found += 1;
            if text.get(end) != Some(&b' ') {
                if found != expected {
                    return Err(EncodeError::Values {
                        line,
                        expected,
                        found,
                    });
                }
                (found, line) = (0, line + 1);
            }
        }
        Ok(Self {
            text,
            columns,
            values,
        })
    }

    fn len(&self) -> usize {
        self.values.len() / self.columns.len()
    }

    fn range(&self, row: usize, column: usize) -> (usize, usize) {
        let (begin, end) = self.values[row * self.columns.len() + column];
        (begin as usize, end as usize)
    }

    fn value(&self, row: usize, column: usize) -> &'a [u8] {
        let (begin, end) = self.range(row, column);
        &self.text[begin..end]
    }
}

/// The rows by interface and start, as far as the file has these; otherwise as they came.
fn sorted(rows: &Rows<'_>) -> Vec<u32> {
    let interface = rows.columns.position(SORTED_BY[0]);
    let start = rows.columns.position(SORTED_BY[1]);
    let mut ranks: HashMap<&[u8], u32> = HashMap::new();
    if let Some(interface) = interface {
        let mut last: &[u8] = b"";
        for row in 0..rows.len() {
            let value = rows.value(row, interface);
            if value != last {
                ranks.insert(value, 0);
                last = value;
            }
        }
        let mut names: Vec<_> = ranks.keys().copied().collect();
        names.sort_unstable();
        for (rank, name) in names.into_iter().enumerate() {
            ranks.insert(name, rank as u32);
        }
    }
    let mut keys = Vec::with_capacity(rows.len());
    let mut last: (&[u8], u32) = (b"", 0);
    for row in 0..rows.len() {
        if let Some(interface) = interface {
            let value = rows.value(row, interface);
            if value != last.0 {
                last = (value, ranks.get(value).copied().unwrap_or(0));
            }
        }
        let start = start.and_then(|start| number(rows.value(row, start)));
        keys.push((last.1, start.map_or(0, i64::cast_unsigned), row as u32));
    }
    if !keys.is_sorted() {
        keys.sort_unstable();
    }
    keys.into_iter().map(|(_, _, row)| row).collect()
}

fn write(
    chunk: &mut ColumnWriter<'_>,
    rows: &Rows<'_>,
    order: &[u32],
    index: usize,
    column: &Column,
) -> Result<(), EncodeError> {
    match chunk {
        ColumnWriter::Int32ColumnWriter(writer) => {
            let (values, levels) = numbers(rows, order, index, column, |v| i32::try_from(v).ok())?;
            writer.write_batch(&values, Some(&levels), None)?;
        }
        ColumnWriter::Int64ColumnWriter(writer) => {
            let (values, levels) = numbers(rows, order, index, column, Some)?;
            writer.write_batch(&values, Some(&levels), None)?;
        }
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            let mut values = Vec::with_capacity(order.len());
            for &row in order {
                let (begin, end) = rows.range(row as usize, index);
                values.push(ByteArray::from(rows.text.slice(begin..end)));
            }
            writer.write_batch(&values, None, None)?;
        }
        // The schema has no others.
        _ => {}
    }
    Ok(())
}

/// The values that there are, and for each row whether there is one.
fn numbers<T>(
    rows: &Rows<'_>,
    order: &[u32],
    index: usize,
    column: &Column,
    convert: impl Fn(i64) -> Option<T>,
) -> Result<(Vec<T>, Vec<i16>), EncodeError> {
    let mut values = Vec::with_capacity(order.len());
    let mut levels = Vec::with_capacity(order.len());
    for &row in order {
        let value = rows.value(row as usize, index);
        if value == b"-" {
            levels.push(0);
            continue;
        }
        let Some(number) = number(value).and_then(&convert) else {
            return Err(EncodeError::Value {
                line: row as usize + 2,
                field: column.name().to_owned(),
                value: String::from_utf8_lossy(value).into_owned(),
            });
        };
        levels.push(1);
        values.push(number);
    }
    Ok((values, levels))
}

/// A number without a sign.
fn number(digits: &[u8]) -> Option<i64> {
    let mut number: i64 = 0;
    for &digit in digits {
        let digit = i64::from(digit.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    (!digits.is_empty()).then_some(number)
}

fn schema(columns: &Columns) -> Result<Arc<Type>, ParquetError> {
    let field = |column: &Column| {
        let (physical, logical, repetition) = match column.kind() {
            Kind::Int32 => (Physical::INT32, None, Repetition::OPTIONAL),
            Kind::Int64 => (Physical::INT64, None, Repetition::OPTIONAL),
            Kind::Address | Kind::Text => (
                Physical::BYTE_ARRAY,
                Some(LogicalType::String),
                Repetition::REQUIRED,
            ),
        };
        let field = Type::primitive_type_builder(&column.parquet_name(), physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()?;
        Ok(Arc::new(field))
    };
    let fields: Result<_, ParquetError> = columns.iter().map(field).collect();
    let schema = Type::group_type_builder("flow_log")
        .with_fields(fields?)
        .build()?;
    Ok(Arc::new(schema))
}

fn properties(columns: &Columns) -> WriterProperties {
    let sorting = SORTED_BY.iter().map_while(|name| {
        let column_idx = i32::try_from(columns.position(name)?).ok()?;
        Some(SortingColumn {
            column_idx,
            descending: false,
            nulls_first: true,
        })
    });
    let mut builder = WriterProperties::builder()
        // A version would make files of two releases differ.
        .set_created_by("weir".to_owned())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorting.collect()));
    for column in columns.iter() {
        builder = column_properties(builder, column);
    }
    builder.build()
}

fn column_properties(builder: WriterPropertiesBuilder, column: &Column) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(column.parquet_name());
    match column.kind() {
        Kind::Int32 | Kind::Int64 => builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
        Kind::Address | Kind::Text => builder.set_column_dictionary_enabled(path, true),
    }
}
