//! A visitor that notes everything, and the readers.

use std::ops::ControlFlow;

use bytes::Bytes;

use crate::{Columns, Contents, Problem, Record, Visitor, read_parquet, read_text};

/// What a file held, in order.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Headers as lines.
    pub(super) headers: Vec<String>,
    /// Records as lines.
    pub(super) records: Vec<String>,
    /// `:place: what`.
    pub(super) problems: Vec<String>,
    /// Stop after so many records.
    pub(super) limit: Option<usize>,
}

impl Visitor for Noted {
    fn columns(&mut self, columns: &Columns) {
        let names: Vec<_> = columns.iter().map(crate::Column::name).collect();
        self.headers.push(names.join(" "));
    }

    fn record(&mut self, record: &Record<'_>) -> ControlFlow<()> {
        self.records.push(record.values.join(" "));
        if self.limit == Some(self.records.len()) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn problem(&mut self, problem: Problem) {
        self.problems
            .push(format!("{}: {}", problem.place, problem.what));
    }
}

impl Noted {
    /// A summary that fits an expected text.
    pub(super) fn text(&self) -> String {
        let all = [
            ("header", &self.headers),
            ("record", &self.records),
            ("problem", &self.problems),
        ];
        let lines = all
            .iter()
            .flat_map(|(what, lines)| lines.iter().map(move |line| format!("{what} {line}\n")));
        lines.collect()
    }
}

/// Reads a file of any contents.
pub(super) fn read(bytes: &[u8]) -> Noted {
    let mut noted = Noted::default();
    match Contents::of(bytes) {
        Contents::Parquet => {
            read_parquet(Bytes::copy_from_slice(bytes), &mut noted);
        }
        Contents::Gzip | Contents::Text => {
            read_text(bytes, &mut noted).unwrap();
        }
    }
    noted
}

/// Lines of the default format.
pub(super) const DEFAULT: &str = "\
version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK
2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK
2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA
2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA
";
