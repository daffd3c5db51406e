//! Aligned columns of text.

use super::{Style, Tone, printable};

/// A piece of text in a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A text in a tone.
    pub(crate) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self {
            text: printable(&text.into()),
            tone,
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// Rows of cells. A column is as wide as its widest cell; columns are two spaces apart.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Clone, Debug)]
struct Column {
    heading: &'static str,
    numbers: bool,
    width: usize,
}

impl Table {
    /// A table with these headings. One that begins with `>` is of a column of numbers.
    pub(crate) fn new<const N: usize>(headings: [&'static str; N]) -> Self {
        let column = |heading: &'static str| {
            let (heading, numbers) = match heading.strip_prefix('>') {
                Some(heading) => (heading, true),
                None => (heading, false),
            };
            Column {
                heading,
                numbers,
                width: heading.chars().count(),
            }
        };
        Self {
            columns: headings.into_iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Makes columns at least so wide, for rows that are not known yet.
    pub(crate) fn at_least<const N: usize>(mut self, widths: [usize; N]) -> Self {
        for (column, width) in self.columns.iter_mut().zip(widths) {
            column.width = column.width.max(width);
        }
        self
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        for (column, cell) in self.columns.iter_mut().zip(&cells) {
            column.width = column.width.max(cell.width());
        }
        self.rows.push(cells.into());
    }

    /// Takes the rows out, keeping the widths.
    pub(crate) fn take_rows(&mut self, style: Style) -> String {
        let rows = std::mem::take(&mut self.rows);
        rows.iter().map(|row| self.render_row(row, style)).collect()
    }

    /// The line of the headings.
    pub(crate) fn heading(&self, style: Style) -> String {
        let cells: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| Cell::new(Tone::Quiet, column.heading))
            .collect();
        self.render_row(&cells, style)
    }

    /// The whole table.
    pub(crate) fn render(&mut self, style: Style) -> String {
        let heading = self.heading(style);
        heading + &self.take_rows(style)
    }

    fn render_row(&self, cells: &[Cell], style: Style) -> String {
        let mut line = String::new();
        let mut owed = 0;
        for (index, (column, cell)) in self.columns.iter().zip(cells).enumerate() {
            let space = column.width.saturating_sub(cell.width());
            let (before, after) = if column.numbers {
                (space, 0)
            } else {
                (0, space)
            };
            owed += before + if index == 0 { 0 } else { 2 };
            if !cell.text.is_empty() {
                line.extend(std::iter::repeat_n(' ', owed));
                line.push_str(&style.paint(cell.tone, &cell.text));
                owed = 0;
            } else {
                owed += cell.width();
            }
            owed += after;
        }
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    const PLAIN: Style = Style { colour: false };

    #[test]
    fn columns_are_aligned_and_lines_end_where_text_does() {
        let mut table = Table::new(["name", ">bytes", "why"]);
        table.row(["web".into(), "84".into(), "".into()]);
        table.row(["a longer name".into(), "1234567".into(), "délivré".into()]);
        table.row(["".into(), "1".into(), "x".into()]);
        expect![[r#"
            name             bytes  why
            web                 84
            a longer name  1234567  délivré
                                 1  x
        "#]]
        .assert_eq(&table.render(PLAIN));
    }

    #[test]
    fn colour_does_not_shift_columns() {
        let mut table = Table::new(["action", "why"]);
        table.row([Cell::new(Tone::Good, "ok"), "y".into()]);
        assert_eq!(
            table.take_rows(Style { colour: true }),
            "\x1b[32mok\x1b[0m      y\n"
        );
    }

    #[test]
    fn terminals_are_not_commanded() {
        let mut table = Table::new(["destination"]);
        table.row(["s3://\u{1b}[2J\n".into()]);
        assert_eq!(table.take_rows(PLAIN), "s3://\\u{1b}[2J\\n\n");
    }

    #[test]
    fn widths_stay_for_later_rows() {
        let mut table = Table::new(["a", "b"]).at_least([4, 0]);
        table.row(["1".into(), "2".into()]);
        assert_eq!(table.render(PLAIN), "a     b\n1     2\n");
        table.row(["3".into(), "4".into()]);
        assert_eq!(table.take_rows(PLAIN), "3     4\n");
    }
}
