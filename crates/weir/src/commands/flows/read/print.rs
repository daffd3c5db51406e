//! Records as a table, JSON lines or CSV.

use std::fmt::Write as _;
use std::io::{self, Write};

use flow_log_files::{Columns, Kind, Record};

use crate::cli::Format;
use crate::output::{Style, Tone, printable};

/// Rows that a table's widths are made for; later ones may be wider.
const ROWS_FOR_WIDTHS: usize = 500;
/// Output is written in parts of this size.
const BUFFER_BYTES: usize = 64 << 10;

/// Prints records, whatever their fields.
pub(super) struct Printer {
    format: Format,
    style: Style,
    /// What was asked for; empty for the fields of the file.
    asked: Vec<String>,
    /// Which of these no file has had so far.
    never_seen: Vec<String>,
    /// What is printed.
    fields: Vec<Field>,
    /// Whether the fields have been decided, and whether their heading has been printed.
    decided: bool,
    headed: bool,
    /// Rows of a table that wait for its widths.
    rows: Vec<Vec<String>>,
    widths: Vec<usize>,
    text: String,
}

struct Field {
    name: String,
    number: bool,
    /// Its place in records of the file.
    position: Option<usize>,
}

impl Field {
    fn value<'a>(&self, record: &Record<'a>) -> &'a str {
        let value = self.position.and_then(|at| record.values.get(at));
        value.copied().unwrap_or("-")
    }
}

impl Printer {
    /// Prints these fields, or those of the files if none are given.
    pub(super) fn new(format: Format, style: Style, asked: Vec<String>) -> Self {
        Self {
            format,
            style,
            never_seen: asked.clone(),
            asked,
            fields: Vec::new(),
            decided: false,
            headed: false,
            rows: Vec::new(),
            widths: Vec::new(),
            text: String::new(),
        }
    }

    /// Records to come have these fields. Returns those that will not be printed although nobody
    /// asked for a choice: a file of CSV has one heading.
    pub(super) fn columns(&mut self, columns: &Columns) -> Vec<String> {
        self.never_seen
            .retain(|name| columns.position(name).is_none());
        let own = || columns.iter().map(|c| c.name().to_owned());
        let later_csv = self.format == Format::Csv && self.decided;
        let names: Vec<String> = if !self.asked.is_empty() {
            self.asked.clone()
        } else if later_csv {
            self.fields.iter().map(|f| f.name.clone()).collect()
        } else {
            own().collect()
        };
        if self.format == Format::Table && !self.fields.iter().map(|f| &f.name).eq(&names) {
            self.end_table();
        }
        let field = |name: String| {
            let position = columns.position(&name);
            let column = position.and_then(|at| columns.iter().nth(at));
            let kind = column.map(flow_log_files::Column::kind);
            Field {
                number: matches!(kind, Some(Kind::Int32 | Kind::Int64)),
                name,
                position,
            }
        };
        self.fields = names.into_iter().map(field).collect();
        self.decided = true;
        let lacks = |name: &String| !self.fields.iter().any(|f| f.name == *name);
        let silent = later_csv && self.asked.is_empty();
        own().filter(|name| silent && lacks(name)).collect()
    }

    /// Adds a record to what is printed.
    pub(super) fn record(&mut self, record: &Record<'_>) {
        let fields = &self.fields;
        match self.format {
            Format::Table => {
                let row = fields.iter().map(|f| printable(f.value(record))).collect();
                self.rows.push(row);
                if self.headed || self.rows.len() >= ROWS_FOR_WIDTHS {
                    self.print_rows();
                }
            }
            Format::Json => json(&mut self.text, fields, record),
            Format::Csv => {
                if !self.headed {
                    self.headed = true;
                    csv(&mut self.text, fields.iter().map(|f| f.name.as_str()));
                }
                csv(&mut self.text, fields.iter().map(|f| f.value(record)));
            }
        }
    }

    /// Adds what has waited for more records.
    pub(super) fn end(&mut self) {
        match self.format {
            Format::Table if self.decided && (!self.headed || !self.rows.is_empty()) => {
                self.print_rows();
            }
            Format::Csv if self.decided && !self.headed => {
                self.headed = true;
                csv(&mut self.text, self.fields.iter().map(|f| f.name.as_str()));
            }
            Format::Table | Format::Csv | Format::Json => {}
        }
    }

    /// Whether so much has been added that it should be written.
    pub(super) const fn is_full(&self) -> bool {
        self.text.len() >= BUFFER_BYTES
    }

    /// Writes what has been added.
    pub(super) fn write(&mut self, output: &mut impl Write) -> io::Result<()> {
        let written = output.write_all(self.text.as_bytes());
        self.text.clear();
        written.and_then(|()| output.flush())
    }

    /// Fields that were asked for and that no file has had, if there was a file at all.
    pub(super) fn never_seen(&self) -> &[String] {
        if self.decided { &self.never_seen } else { &[] }
    }

    fn end_table(&mut self) {
        if !self.rows.is_empty() {
            self.print_rows();
        }
        if self.headed {
            self.text.push('\n');
        }
        self.headed = false;
    }

    fn print_rows(&mut self) {
        let fields = self.fields.iter();
        let headings: Vec<_> = fields.map(|f| printable(&f.name)).collect();
        if !self.headed {
            self.widths = headings.iter().map(|h| h.chars().count()).collect();
        }
        for row in &self.rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        if !self.headed {
            let line = self.line(headings.iter().map(String::as_str));
            self.text += &self.style.paint(Tone::Quiet, line.trim_end());
            self.text.push('\n');
            self.headed = true;
        }
        for row in std::mem::take(&mut self.rows) {
            let line = self.line(row.iter().map(String::as_str));
            self.text += &self.style.paint(tone(&row), line.trim_end());
            self.text.push('\n');
        }
    }

    fn line<'a>(&self, cells: impl Iterator<Item = &'a str>) -> String {
        let mut line = String::new();
        for ((field, &width), cell) in self.fields.iter().zip(&self.widths).zip(cells) {
            let space = std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()));
            if field.number {
                line.extend(space);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.extend(space);
            }
            line.push_str("  ");
        }
        line
    }
}

/// What became of the packets, or that there were none.
fn tone(row: &[String]) -> Tone {
    let said = |word: &str| row.iter().any(|cell| cell == word);
    if said("REJECT") {
        Tone::Refused
    } else if said("NODATA") || said("SKIPDATA") {
        Tone::Quiet
    } else {
        Tone::Plain
    }
}

fn json(text: &mut String, fields: &[Field], record: &Record<'_>) {
    text.push('{');
    for (index, field) in fields.iter().enumerate() {
        // A field that a format has twice has one value.
        if fields[..index].iter().any(|f| f.name == field.name) {
            continue;
        }
        if index > 0 {
            text.push(',');
        }
        // Names of fields need no escapes; those of columns in Parquet may. Writing to a String
        // cannot fail.
        let _ = write!(text, "{}:", serde_json::Value::from(field.name.as_str()));
        let value = field.value(record);
        match value.parse::<i64>() {
            _ if value == "-" => text.push_str("null"),
            Ok(number) if field.number => {
                let _ = write!(text, "{number}");
            }
            _ => {
                let _ = write!(text, "{}", serde_json::Value::from(value));
            }
        }
    }
    text.push_str("}\n");
}

fn csv<'a>(text: &mut String, values: impl Iterator<Item = &'a str>) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            text.push(',');
        }
        if value.contains([',', '"', '\n', '\r']) {
            text.push('"');
            text.push_str(&value.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(value);
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use flow_log_files::Column;

    use super::*;

    const LINES: [(&str, &[&str]); 2] = [
        (
            "interface-id srcaddr bytes action log-status",
            &[
                "eni-1 10.0.0.1 4249 REJECT OK",
                "eni-1 - - - NODATA",
                "eni-2 2001:db8::1 7 ACCEPT OK",
            ],
        ),
        ("instance-tag bytes", &["a\u{1b}[2J,\"b\" 007"]),
    ];

    fn printed(format: Format, asked: &[&str]) -> String {
        let asked = asked.iter().map(|&name| name.to_owned()).collect();
        let mut printer = Printer::new(format, Style { colour: false }, asked);
        let mut left_out = Vec::new();
        for (header, lines) in LINES {
            let columns = Columns::new(header.split(' ').map(Column::new).collect());
            left_out.extend(printer.columns(&columns));
            for line in lines {
                let values: Vec<_> = line.split(' ').collect();
                printer.record(&Record {
                    columns: &columns,
                    values: &values,
                });
            }
        }
        printer.end();
        let mut output = Vec::new();
        printer.write(&mut output).unwrap();
        let mut text = String::from_utf8(output).unwrap();
        text += &format!(
            "left out {left_out:?}, never seen {:?}\n",
            printer.never_seen()
        );
        text
    }

    #[test]
    fn tables() {
        expect![[r#"
            interface-id  srcaddr      bytes  action  log-status
            eni-1         10.0.0.1      4249  REJECT  OK
            eni-1         -                -  -       NODATA
            eni-2         2001:db8::1      7  ACCEPT  OK

            instance-tag      bytes
            a\u{1b}[2J,\"b\"    007
            left out [], never seen []
        "#]]
        .assert_eq(&printed(Format::Table, &[]));
        expect![[r#"
            bytes  srcaddr      colour
             4249  10.0.0.1     -
                -  -            -
                7  2001:db8::1  -
              007  -            -
            left out [], never seen ["colour"]
        "#]]
        .assert_eq(&printed(Format::Table, &["bytes", "srcaddr", "colour"]));
    }

    #[test]
    fn json_lines() {
        expect![[r#"
            {"interface-id":"eni-1","srcaddr":"10.0.0.1","bytes":4249,"action":"REJECT","log-status":"OK"}
            {"interface-id":"eni-1","srcaddr":null,"bytes":null,"action":null,"log-status":"NODATA"}
            {"interface-id":"eni-2","srcaddr":"2001:db8::1","bytes":7,"action":"ACCEPT","log-status":"OK"}
            {"instance-tag":"a\u001b[2J,\"b\"","bytes":7}
            left out [], never seen []
        "#]].assert_eq(&printed(Format::Json, &[]));
    }

    #[test]
    fn comma_separated_values() {
        expect![[r#"
            interface-id,srcaddr,bytes,action,log-status
            eni-1,10.0.0.1,4249,REJECT,OK
            eni-1,-,-,-,NODATA
            eni-2,2001:db8::1,7,ACCEPT,OK
            -,-,007,-,-
            left out ["instance-tag"], never seen []
        "#]]
        .assert_eq(&printed(Format::Csv, &[]));
        expect![[r#"
            instance-tag
            -
            -
            -
            "a[2J,""b"""
            left out [], never seen []
        "#]]
        .assert_eq(&printed(Format::Csv, &["instance-tag"]));
    }
}
