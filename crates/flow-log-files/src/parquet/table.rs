//! The text of a file as columns.

use super::dictionary::Dictionary;
use super::schema::SORTED_BY;
use super::writer::EncodeError;
use crate::{Column, Columns, Kind};

/// `-` in a column of numbers: no number of a flow log is negative.
pub(super) const NULL: i64 = -1;

/// Every record, column by column, as the lines came.
pub(super) struct Table<'a> {
    pub(super) columns: Columns,
    pub(super) values: Vec<Values<'a>>,
    rows: u32,
}

/// The values of a column.
pub(super) enum Values<'a> {
    /// Whole numbers up to a greatest.
    Numbers(Vec<i64>, i64),
    /// Addresses and other texts.
    Texts(Dictionary<'a>),
}

impl<'a> Table<'a> {
    /// Takes a text apart: a header line, then a record per line.
    pub(super) fn read(text: &'a str) -> Result<Self, EncodeError> {
        let (header, body) = text.split_once('\n').unwrap_or((text, ""));
        let columns =
            Columns::from_header(header).ok_or_else(|| EncodeError::Header(header.to_owned()))?;
        for (index, column) in columns.iter().enumerate() {
            if columns.position(column.name()) != Some(index) {
                return Err(EncodeError::Twice(column.name().to_owned()));
            }
        }
        // Of values and their separators most take more than 4 bytes.
        let rows = body.len() / columns.len() / 4;
        let values = columns.iter().map(|column| Values::new(column, rows));
        let mut table = Self {
            values: values.collect(),
            columns,
            rows: 0,
        };
        let mut rest = body.as_bytes();
        while !rest.is_empty() {
            rest = table.line(rest)?;
            table.rows = table.rows.checked_add(1).ok_or(EncodeError::Lines)?;
        }
        Ok(table)
    }

    /// Takes a line from the front.
    fn line(&mut self, text: &'a [u8]) -> Result<&'a [u8], EncodeError> {
        let mut rest = text;
        let last = self.values.len() - 1;
        for (index, values) in self.values.iter_mut().enumerate() {
            let begin = rest;
            let taken = values.take(&mut rest);
            let separated = match rest.split_first() {
                Some((b' ', _)) => index < last,
                // A last line without a newline counts as well.
                Some((b'\n', _)) | None => index == last,
                Some(_) => false,
            };
            if !taken || !separated {
                return Err(self.fault(text, begin, index));
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        Ok(rest)
    }

    /// What is wrong with the line that `text` begins with, in the column that begins at `value`.
    fn fault(&self, text: &[u8], value: &[u8], index: usize) -> EncodeError {
        let line = self.rows as usize + 2;
        let values = text.split(|&b| b == b'\n').next().unwrap_or_default();
        let found = 1 + values.iter().filter(|&&b| b == b' ').count();
        let expected = self.columns.len();
        if found != expected {
            return EncodeError::Values {
                line,
                expected,
                found,
            };
        }
        let value = value.split(|b| matches!(b, b' ' | b'\n')).next();
        let column = self.columns.iter().nth(index);
        EncodeError::Value {
            line,
            field: column.map_or_else(String::new, |c| c.name().to_owned()),
            value: String::from_utf8_lossy(value.unwrap_or_default()).into_owned(),
        }
    }

    /// The rows by interface and start, as far as the file has these; otherwise as they came.
    pub(super) fn sorted(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.rows).collect();
        let column = |name| self.values.get(self.columns.position(name)?);
        if let Some(Values::Numbers(starts, _)) = column(SORTED_BY[1]) {
            // Batches are in this order already, which costs one look at each.
            order.sort_by_key(|&row| starts[row as usize]);
        }
        if let Some(Values::Texts(interfaces)) = column(SORTED_BY[0]) {
            order = interfaces.grouped(&order);
        }
        order
    }
}

impl<'a> Values<'a> {
    fn new(column: &Column, rows: usize) -> Self {
        match column.kind() {
            Kind::Int32 => Self::Numbers(Vec::with_capacity(rows), i64::from(i32::MAX)),
            Kind::Int64 => Self::Numbers(Vec::with_capacity(rows), i64::MAX),
            Kind::Address | Kind::Text => Self::Texts(Dictionary::with_capacity(rows)),
        }
    }

    /// Takes a value from the front, to its separator; `false` if it is none of the column's.
    #[inline]
    fn take(&mut self, rest: &mut &'a [u8]) -> bool {
        match self {
            Self::Texts(dictionary) => {
                dictionary.take(rest);
                true
            }
            Self::Numbers(numbers, greatest) => match number(rest) {
                Some(number) if number <= *greatest => {
                    numbers.push(number);
                    true
                }
                _ => false,
            },
        }
    }
}

/// Takes a number without a sign, or `-`, from the front.
#[inline]
fn number(rest: &mut &[u8]) -> Option<i64> {
    if let [b'-', after @ ..] = rest {
        *rest = after;
        return Some(NULL);
    }
    let mut number: i64 = 0;
    let mut digits = 0;
    for &byte in *rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        // Eighteen digits always fit.
        number = if digits < 18 {
            number * 10 + i64::from(digit)
        } else {
            number.checked_mul(10)?.checked_add(i64::from(digit))?
        };
        digits += 1;
    }
    *rest = &rest[digits..];
    (digits > 0).then_some(number)
}
