//! Text to records: a header or none, a record per line.

use std::io::{self, BufRead};
use std::ops::ControlFlow;

use crate::{Columns, Place, Problem, Record, Visitor};

/// No record is longer; the rest of a longer line is passed over.
const LINE_BYTES_MAX: usize = 256 << 10;
/// How much of a malformed line is shown.
const SHOWN_CHARS: usize = 120;

/// What ended a text.
pub(crate) enum End {
    /// Its end.
    Whole,
    /// The visitor wanted no more.
    Stopped,
    /// The bytes stopped coming.
    Broken {
        /// The line that they stopped in.
        line: u64,
        /// Why.
        error: io::Error,
    },
}

/// Reads records to the end of `input`. A line that broke off is told apart from a malformed one:
/// it is not given to the visitor when the input fails.
pub(crate) fn read(input: &mut dyn BufRead, visitor: &mut dyn Visitor) -> End {
    let mut lines = Lines {
        visitor,
        columns: None,
        number: 0,
    };
    // A line, or a part of one, that began in a buffer that has gone.
    let mut begun: Vec<u8> = Vec::new();
    let mut overlong = false;
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let line = lines.number + 1;
                return End::Broken { line, error };
            }
        };
        if buffer.is_empty() {
            let flow = lines.end(&begun, overlong);
            return if flow.is_break() {
                End::Stopped
            } else {
                End::Whole
            };
        }
        let mut rest = buffer;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            let flow = if begun.is_empty() && !overlong {
                lines.whole(line, line.len() > LINE_BYTES_MAX)
            } else {
                append(&mut begun, line, &mut overlong);
                let flow = lines.whole(&begun, overlong);
                begun.clear();
                overlong = false;
                flow
            };
            if flow.is_break() {
                return End::Stopped;
            }
        }
        append(&mut begun, rest, &mut overlong);
        let length = buffer.len();
        input.consume(length);
    }
}

fn append(line: &mut Vec<u8>, part: &[u8], overlong: &mut bool) {
    let room = LINE_BYTES_MAX.saturating_sub(line.len());
    *overlong |= part.len() > room;
    line.extend_from_slice(&part[..part.len().min(room)]);
}

struct Lines<'a> {
    visitor: &'a mut dyn Visitor,
    columns: Option<Columns>,
    /// Of the line before.
    number: u64,
}

impl Lines<'_> {
    /// What is left when the input ends: a last line without a newline, or nothing.
    fn end(&mut self, line: &[u8], overlong: bool) -> ControlFlow<()> {
        if line.is_empty() {
            return ControlFlow::Continue(());
        }
        self.whole(line, overlong)
    }

    fn whole(&mut self, line: &[u8], overlong: bool) -> ControlFlow<()> {
        if overlong {
            self.number += 1;
            self.malformed(line, "a line of more than 256 KiB");
            return ControlFlow::Continue(());
        }
        self.line(line)
    }

    fn line(&mut self, line: &[u8]) -> ControlFlow<()> {
        self.number += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Editors and spreadsheets put a byte order mark in front.
        let line = match self.number {
            1 => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            _ => line,
        };
        let Ok(text) = std::str::from_utf8(line) else {
            self.malformed(line, "not UTF-8");
            return ControlFlow::Continue(());
        };
        let header = match self.columns {
            None => Columns::from_header(text),
            Some(_) => Columns::from_later_header(text),
        };
        if let Some(columns) = header {
            if self.columns.as_ref() != Some(&columns) {
                self.visitor.columns(&columns);
                self.columns = Some(columns);
            }
            return ControlFlow::Continue(());
        }
        let columns = match self.columns.take() {
            Some(columns) => columns,
            None => {
                let columns = Columns::default();
                self.visitor.columns(&columns);
                columns
            }
        };
        let flow = self.record(&columns, text);
        self.columns = Some(columns);
        flow
    }

    fn record(&mut self, columns: &Columns, line: &str) -> ControlFlow<()> {
        // A format has at most some dozens of fields; a vector on the heap for each record would
        // cost more than all else.
        let mut few = [""; 64];
        let mut many = Vec::new();
        let values = if columns.len() <= few.len() {
            &mut few[..columns.len()]
        } else {
            many.resize(columns.len(), "");
            &mut many[..]
        };
        let mut found = 0;
        let mut begin = 0;
        let ends = memchr::memchr_iter(b' ', line.as_bytes());
        for end in ends.chain([line.len()]) {
            if let Some(value) = values.get_mut(found) {
                *value = &line[begin..end];
            }
            begin = end + 1;
            found += 1;
        }
        if found != columns.len() {
            let expected = columns.len();
            self.malformed(
                line.as_bytes(),
                &format!("{found} values where the format has {expected} fields"),
            );
            return ControlFlow::Continue(());
        }
        for (value, column) in values.iter().zip(columns.iter()) {
            if value.is_empty() || !column.admits(value) {
                let what = if value.is_empty() {
                    format!("no value for {}", column.name())
                } else {
                    format!("{value:?} is no value of {}", column.name())
                };
                self.malformed(line.as_bytes(), &what);
                return ControlFlow::Continue(());
            }
        }
        self.visitor.record(&Record { columns, values })
    }

    fn malformed(&mut self, line: &[u8], what: &str) {
        let text = String::from_utf8_lossy(line);
        let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        self.visitor.problem(Problem {
            place: Place::Line(self.number),
            what: format!("{what}: {shown:?}"),
        });
    }
}
