//! Lines: the text of a file, and what is known of each of its records.

use model::{RecorderId, Timestamp};

/// A header line and records in a flow log's format, in one text: it is the file as it goes to S3,
/// and no record has to be allocated or copied on the way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    text: String,
    header: usize,
    lines: Vec<Line>,
}

/// What is known of a record, beside its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// First packet.
    pub start: Timestamp,
    /// Last packet.
    pub end: Timestamp,
    /// Who recorded it.
    pub recorder: RecorderId,
}

impl Lines {
    /// No record yet, only the names of the fields.
    pub fn new(header: &str) -> Self {
        Self {
            text: format!("{header}\n"),
            header: header.len(),
            lines: Vec::new(),
        }
    }

    /// Adds a record; its text has no newline.
    pub fn push(&mut self, line: Line, text: &str) {
        self.push_with(line, |to| to.push_str(text));
    }

    /// Adds a record that is printed in place, without a newline.
    pub fn push_with(&mut self, line: Line, print: impl FnOnce(&mut String)) {
        print(&mut self.text);
        self.text.push('\n');
        self.lines.push(line);
    }

    /// If the records have more than `bytes_max` bytes, the last of them stands alone in what is
    /// returned; unless there is no other.
    pub(crate) fn split_last(&mut self, bytes_max: usize) -> Option<Self> {
        if self.bytes() <= bytes_max || self.lines.len() < 2 {
            return None;
        }
        let line = self.lines.pop()?;
        let begin = 1 + self.text[..self.text.len() - 1].rfind('\n')?;
        let mut last = Self::new(self.header());
        last.text.push_str(&self.text[begin..]);
        last.lines.push(line);
        self.text.truncate(begin);
        Some(last)
    }

    /// Takes in the records of later lines of the same format; when there are no more,
    /// [`sort`](Self::sort) has to follow.
    pub fn append(&mut self, later: &Self) {
        self.text.push_str(&later.text[later.header + 1..]);
        self.lines.extend_from_slice(&later.lines);
    }

    /// Brings the records into the order of a batch: by start, then by interface.
    pub fn sort(&mut self) {
        let key = |line: &Line| (line.start, line.recorder);
        if self.lines.is_sorted_by_key(key) {
            return;
        }
        let mut records: Vec<_> = self.iter().collect();
        records.sort_by_key(|(line, _)| key(line));
        let mut sorted = Self {
            text: String::with_capacity(self.text.len()),
            header: self.header,
            lines: Vec::with_capacity(self.lines.len()),
        };
        sorted.text.push_str(&self.text[..=self.header]);
        for (line, text) in records {
            sorted.push(*line, text);
        }
        *self = sorted;
    }

    /// Bytes of the records, each with its newline.
    pub const fn bytes(&self) -> usize {
        self.text.len() - self.header - 1
    }

    /// Names of the fields.
    pub fn header(&self) -> &str {
        &self.text[..self.header]
    }

    /// The file: a header line, then the records, every line with a newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many records there are.
    pub const fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are no records.
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Every record and its text, without a newline.
    pub fn iter(&self) -> impl Iterator<Item = (&Line, &str)> {
        let texts = self.text.split_terminator('\n').skip(1);
        self.lines.iter().zip(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_full_keeps_every_line_in_order() {
        let line = |n: u64| Line {
            start: Timestamp::from_secs(n),
            end: Timestamp::from_secs(n),
            recorder: "eni-00000001".parse().unwrap(),
        };
        for (bytes_max, sizes) in [(30, &[3, 3, 1][..]), (1, &[1; 7]), (70, &[7])] {
            let mut parts = vec![Lines::new("version")];
            for n in 0..7 {
                let text = format!("{n}{}", "x".repeat(8));
                let last = parts.last_mut().unwrap();
                last.push(line(n), &text);
                let next = last.split_last(bytes_max);
                parts.extend(next);
            }
            assert_eq!(parts.iter().map(Lines::len).collect::<Vec<_>>(), sizes);
            let all: Vec<_> = parts.iter().flat_map(Lines::iter).collect();
            assert_eq!(all.len(), 7);
            for (n, (of, text)) in (0..).zip(all) {
                assert_eq!((*of, &text[..1]), (line(n), n.to_string().as_str()));
            }
            let mut whole = parts.pop().unwrap();
            for part in &parts {
                whole.append(part);
            }
            whole.sort();
            let order: Vec<_> = whole
                .iter()
                .map(|(of, text)| (of.start.as_secs(), text))
                .collect();
            assert!(
                order
                    .iter()
                    .all(|(n, text)| text.starts_with(&n.to_string()))
            );
            assert!(order.is_sorted() && order.len() == 7);
            assert_eq!(whole.bytes(), 70);
            for part in &parts {
                let text: String = part.iter().map(|(_, text)| format!("{text}\n")).collect();
                assert_eq!(part.text(), format!("version\n{text}"));
            }
        }
    }
}
