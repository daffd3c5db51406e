//! Parquet of any writer to records: columns by name, whatever their order and number.

use std::fmt::Display;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, SerializedPageReader};
use parquet::schema::types::ColumnDescriptor;

use super::footer;
use super::guard::{self, Memory, Pages};
use crate::{Column, Columns, Kind, Place, Problem, Record, Visitor};

/// Rows decoded at once.
const BATCH_ROWS: usize = 4096;

/// Reads a file in Parquet. NULL is `-`. Columns of types that no field has are told as problems
/// and left out; a row group that cannot be decoded ends where it breaks, and the next is read.
/// Pages that would take more than 512 MiB of memory together are such a break.
///
/// Returns whether the visitor wants more.
pub fn read_parquet<R: ChunkReader + 'static>(file: R, visitor: &mut dyn Visitor) -> bool {
    let file = Arc::new(file);
    match guarded(|| footer::read(&*file)) {
        Ok(metadata) => read_groups(&file, &metadata, visitor),
        Err(what) => {
            visitor.problem(Problem {
                place: Place::File,
                what: format!("not readable as Parquet: {what}"),
            });
            true
        }
    }
}

fn read_groups<R: ChunkReader + 'static>(
    file: &Arc<R>,
    metadata: &ParquetMetaData,
    visitor: &mut dyn Visitor,
) -> bool {
    let (columns, leaves) = choose(metadata, visitor);
    if columns.is_empty() {
        return true;
    }
    visitor.columns(&columns);
    let mut first_row = 1;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let mut rows = Rows {
            columns: &columns,
            at: first_row,
            visitor,
        };
        match read_group(file, group, &leaves, &mut rows) {
            Ok(true) => {}
            Ok(false) => return false,
            Err(what) => {
                let place = Place::Row(rows.at);
                let what = format!("the rest of row group {} is lost: {what}", index + 1);
                visitor.problem(Problem { place, what });
            }
        }
        let row_count = u64::try_from(group.num_rows()).unwrap_or(0);
        first_row = row_count.saturating_add(first_row);
    }
    true
}

/// The columns that can be shown, and which leaves of the schema they are.
fn choose(metadata: &ParquetMetaData, visitor: &mut dyn Visitor) -> (Columns, Vec<usize>) {
    let schema = metadata.file_metadata().schema_descr();
    let (mut columns, mut leaves) = (Vec::new(), Vec::new());
    for (index, leaf) in schema.columns().iter().enumerate() {
        let column = Column::new(leaf.name());
        let physical = leaf.physical_type();
        let flat = leaf.path().parts().len() == 1 && leaf.max_rep_level() == 0;
        let whole = matches!(physical, Physical::INT32 | Physical::INT64);
        let fault = if !flat {
            Some("is nested".to_owned())
        } else if let Some(unit) = unit(leaf) {
            Some(format!("is {unit}, which no field of a flow log is"))
        } else if whole || physical == Physical::BYTE_ARRAY {
            let expected = match column.kind() {
                Kind::Int32 | Kind::Int64 if !whole => Some("a whole number"),
                Kind::Address if whole => Some("text"),
                _ => None,
            };
            expected.map(|expected| format!("is {physical}, not {expected}"))
        } else {
            Some(format!("is {physical}, which no field of a flow log is"))
        };
        match fault {
            None => {
                columns.push(column);
                leaves.push(index);
            }
            Some(fault) => visitor.problem(Problem {
                place: Place::File,
                what: format!("the column {} {fault}: left out", leaf.path()),
            }),
        }
    }
    if columns.is_empty() {
        visitor.problem(Problem {
            place: Place::File,
            what: "no column can be shown".to_owned(),
        });
    }
    (Columns::new(columns), leaves)
}

/// What the numbers of a column are, if not just numbers: times are not seconds then, as a field's are.
fn unit(leaf: &ColumnDescriptor) -> Option<&'static str> {
    use ConvertedType as Old;
    match (leaf.logical_type_ref(), leaf.converted_type()) {
        (Some(LogicalType::Date), _) | (_, Old::DATE) => Some("a date"),
        (Some(LogicalType::Time { .. }), _) | (_, Old::TIME_MILLIS | Old::TIME_MICROS) => {
            Some("a time of day")
        }
        (Some(LogicalType::Timestamp { .. }), _)
        | (_, Old::TIMESTAMP_MILLIS | Old::TIMESTAMP_MICROS) => Some("a timestamp"),
        (Some(LogicalType::Decimal { .. }), _) | (_, Old::DECIMAL) => Some("a decimal number"),
        _ => None,
    }
}

/// Where records go.
struct Rows<'a> {
    columns: &'a Columns,
    /// The row to come.
    at: u64,
    visitor: &'a mut dyn Visitor,
}

fn read_group<R: ChunkReader + 'static>(
    file: &Arc<R>,
    group: &RowGroupMetaData,
    leaves: &[usize],
    rows: &mut Rows<'_>,
) -> Result<bool, String> {
    let memory = Arc::new(Memory::default());
    let mut chunks = guarded(|| {
        let chunk = |&leaf| Chunk::open(file, group, leaf, &memory);
        leaves.iter().map(chunk).collect::<Result<Vec<_>, _>>()
    })?;
    loop {
        let mut count = None;
        for chunk in &mut chunks {
            let read = guarded(|| chunk.read())?;
            if count.is_some_and(|count| count != read) {
                return Err("its columns have different numbers of rows".to_owned());
            }
            count = Some(read);
        }
        let count = count.unwrap_or(0);
        if count == 0 {
            return Ok(true);
        }
        for row in 0..count {
            if !rows.give(&mut chunks, row) {
                return Ok(false);
            }
        }
    }
}

impl Rows<'_> {
    /// Gives one row to the visitor; `false` when it wants no more.
    fn give(&mut self, chunks: &mut [Chunk], row: usize) -> bool {
        let place = Place::Row(self.at);
        self.at += 1;
        for chunk in &mut *chunks {
            chunk.show(row);
        }
        let mut values: Vec<&str> = Vec::with_capacity(chunks.len());
        for (chunk, column) in chunks.iter().zip(self.columns.iter()) {
            match chunk.text() {
                Some(value) if column.admits(value) => values.push(value),
                value => {
                    let what = match value {
                        Some(value) => format!("{value:?} is no value of {}", column.name()),
                        None => format!("the value of {} is not text", column.name()),
                    };
                    self.visitor.problem(Problem { place, what });
                    return true;
                }
            }
        }
        let record = Record {
            columns: self.columns,
            values: &values,
        };
        self.visitor.record(&record).is_continue()
    }
}

/// A column of a row group, some rows at a time.
struct Chunk {
    values: Values,
    /// 1 where there is a value; empty when there always is.
    levels: Vec<i16>,
    optional: bool,
    /// How many of the values have been passed.
    passed: usize,
    /// The number being shown.
    number: String,
    shown: Shown,
}

enum Values {
    Int32(ColumnReaderImpl<parquet::data_type::Int32Type>, Vec<i32>),
    Int64(ColumnReaderImpl<parquet::data_type::Int64Type>, Vec<i64>),
    Text(
        ColumnReaderImpl<parquet::data_type::ByteArrayType>,
        Vec<ByteArray>,
    ),
}

enum Shown {
    Nothing,
    Number,
    Text(usize),
}

impl Chunk {
    fn open<R: ChunkReader + 'static>(
        file: &Arc<R>,
        group: &RowGroupMetaData,
        leaf: usize,
        memory: &Arc<Memory>,
    ) -> Result<Self, ParquetError> {
        let column = group.column(leaf);
        let optional = column.column_descr().max_def_level() > 0;
        let rows = usize::try_from(group.num_rows())?;
        let guarded = Arc::new(guard::Column::new(file, memory));
        let pages = SerializedPageReader::new(guarded, column, rows, None)?;
        let pages = Box::new(Pages::new(pages, optional));
        let values = match get_column_reader(column.column_descr_ptr(), pages) {
            ColumnReader::Int32ColumnReader(reader) => Values::Int32(reader, Vec::new()),
            ColumnReader::Int64ColumnReader(reader) => Values::Int64(reader, Vec::new()),
            ColumnReader::ByteArrayColumnReader(reader) => Values::Text(reader, Vec::new()),
            _ => return Err(ParquetError::General("a column of another type".to_owned())),
        };
        Ok(Self {
            values,
            levels: Vec::new(),
            optional,
            passed: 0,
            number: String::new(),
            shown: Shown::Nothing,
        })
    }

    /// Decodes the next rows and says how many there are.
    fn read(&mut self) -> Result<usize, ParquetError> {
        self.passed = 0;
        self.levels.clear();
        let levels = self.optional.then_some(&mut self.levels);
        match &mut self.values {
            Values::Int32(reader, values) => next(reader, levels, values),
            Values::Int64(reader, values) => next(reader, levels, values),
            Values::Text(reader, values) => next(reader, levels, values),
        }
    }

    /// Makes the value of a row ready. Rows must come in order.
    fn show(&mut self, row: usize) {
        self.shown = Shown::Nothing;
        if self.optional && self.levels.get(row).copied().unwrap_or(0) == 0 {
            return;
        }
        let index = self.passed;
        self.passed += 1;
        self.number.clear();
        // Writing to a String cannot fail.
        self.shown = match &self.values {
            Values::Int32(_, values) => printed(&mut self.number, values.get(index)),
            Values::Int64(_, values) => printed(&mut self.number, values.get(index)),
            Values::Text(..) => Shown::Text(index),
        };
    }

    /// The value made ready; `None` when it is not UTF-8 or cannot stand in a record.
    fn text(&self) -> Option<&str> {
        match (&self.shown, &self.values) {
            (Shown::Text(index), Values::Text(_, values)) => {
                std::str::from_utf8(values.get(*index)?.data()).ok()
            }
            (Shown::Number, _) => Some(&self.number),
            _ => Some("-"),
        }
    }
}

fn printed(text: &mut String, number: Option<&impl Display>) -> Shown {
    let Some(number) = number else {
        return Shown::Nothing;
    };
    // Writing to a String cannot fail.
    let _ = write!(text, "{number}");
    Shown::Number
}

fn next<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    levels: Option<&mut Vec<i16>>,
    values: &mut Vec<T::T>,
) -> Result<usize, ParquetError> {
    values.clear();
    let (rows, ..) = reader.read_records(BATCH_ROWS, levels, None, values)?;
    Ok(rows)
}

/// Calls into the decoder. It means to give errors for every input; should it panic on some, that
/// is a file that cannot be read and nothing more.
fn guarded<T, E: Display>(call: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the decoder gave up".to_owned()),
    }
}
