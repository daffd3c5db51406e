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
    const ONES: u64 = u64::MAX / 0xff;
    if let [b'-', after @ ..] = rest {
        *rest = after;
        return Some(NULL);
    }
    let Some((chunk, behind)) = rest.split_first_chunk::<8>() else {
        return more_digits(rest, 0, 0);
    };
    let values = u64::from_le_bytes(*chunk) ^ (ONES * 0x30);
    // The lowest bit that is set is in the first byte that is no digit.
    let others = (values.wrapping_add(ONES * 0x76) | values) & (ONES << 7);
    let digits = others.trailing_zeros() as usize / 8;
    if digits == 8 {
        *rest = behind;
        return more_digits(rest, eight_digits(values), 8);
    }
    if digits == 0 {
        return None;
    }
    *rest = &rest[digits..];
    Some(eight_digits(values << (64 - 8 * digits)))
}

/// A number of eight digits, the first in the lowest byte: neighbours become two, four and eight digits.
#[inline]
const fn eight_digits(values: u64) -> i64 {
    const HALVES: u64 = 0x0000_00ff_0000_00ff;
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8);
    let first = (pairs & HALVES).wrapping_mul(100 + (1_000_000 << 32));
    let second = (pairs >> 16 & HALVES).wrapping_mul(1 + (10_000 << 32));
    (first.wrapping_add(second) >> 32).cast_signed()
}

/// Takes the digits of a number that has had so many, which gave so much.
fn more_digits(rest: &mut &[u8], mut number: i64, before: usize) -> Option<i64> {
    let mut digits = before;
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
    *rest = &rest[digits - before..];
    (digits > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_to_their_ends(number in "[0-9]{0,20}", behind in "[ \n/:a\u{80}-]{0,9}") {
            let text = format!("{number}{behind}");
            let mut rest = text.as_bytes();
            let taken = super::number(&mut rest);
            if number.is_empty() && behind.starts_with('-') {
                prop_assert_eq!((taken, rest), (Some(NULL), &behind.as_bytes()[1..]));
            } else {
                prop_assert_eq!(taken, number.parse::<i64>().ok());
                prop_assert!(taken.is_none() || rest == behind.as_bytes());
            }
        }
    }
}
