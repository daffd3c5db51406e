//! What reading a file gives.

use std::fmt;
use std::ops::ControlFlow;

use crate::Columns;

/// A record: a value for each column, as text.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its fields.
    pub columns: &'a Columns,
    /// Their values; `-` where there is none.
    pub values: &'a [&'a str],
}

impl<'a> Record<'a> {
    /// The value of a field; `None` for `-` and for fields that the file does not have.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let value = *self.values.get(self.columns.position(name)?)?;
        Some(value).filter(|v| *v != "-")
    }
}

/// Where in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A line of text, from 1.
    Line(u64),
    /// A row of Parquet, from 1.
    Row(u64),
}

/// As it follows a file's name: nothing, `:17` or `:row 17`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Line(line) => write!(f, ":{line}"),
            Self::Row(row) => write!(f, ":row {row}"),
        }
    }
}

/// Something of a file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong, in words.
    pub what: String,
}

/// Is told what a file holds.
pub trait Visitor {
    /// Records that follow have these fields. Called once before the first record, and again where
    /// a header stands between records.
    fn columns(&mut self, columns: &Columns);

    /// A record. Reading ends with `Break`.
    fn record(&mut self, record: &Record<'_>) -> ControlFlow<()>;

    /// Something that could not be read. Reading goes on wherever it can.
    fn problem(&mut self, problem: Problem);
}
