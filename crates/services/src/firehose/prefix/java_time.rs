//! Patterns of Java's `DateTimeFormatter`, in which prefixes say how they print the time (Amazon Data Firehose
//! Developer Guide, "Understand custom prefixes for Amazon S3 objects").

use jiff::Zoned;
use jiff::civil::{Date, Weekday};

/// A pattern that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimePattern(Vec<Item>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Text(String),
    /// A letter, and how often it stands there.
    Field(char, usize),
}

/// Each letter that is understood, with the most that may stand together.
const LETTERS: [(char, usize); 24] = [
    ('G', 5),
    ('u', 9),
    ('y', 9),
    ('Y', 9),
    ('D', 3),
    ('M', 5),
    ('L', 5),
    ('d', 2),
    ('Q', 4),
    ('q', 4),
    ('w', 2),
    ('E', 5),
    ('a', 1),
    ('h', 2),
    ('K', 2),
    ('k', 2),
    ('H', 2),
    ('m', 2),
    ('s', 2),
    ('S', 9),
    ('A', 19),
    ('z', 3),
    ('X', 3),
    ('x', 3),
];

impl TimePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// What in it is not understood.
    pub(crate) fn parse(pattern: &str) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut rest = pattern.chars().peekable();
        while let Some(first) = rest.next() {
            match first {
                '\'' => {
                    let mut text = String::new();
                    loop {
                        match rest.next() {
                            None => return Err("a quote in it is not closed".to_owned()),
                            Some('\'') if rest.peek() == Some(&'\'') => {
                                rest.next();
                                text.push('\'');
                            }
                            Some('\'') => break,
                            Some(other) => text.push(other),
                        }
                    }
                    // Two quotes are one, also outside of quotes.
                    let text = if text.is_empty() {
                        "'".to_owned()
                    } else {
                        text
                    };
                    items.push(Item::Text(text));
                }
                letter if letter.is_ascii_alphabetic() => {
                    let mut count = 1;
                    while rest.next_if_eq(&letter).is_some() {
                        count += 1;
                    }
                    let known = LETTERS.iter().find(|(known, _)| *known == letter);
                    let Some((_, maximum)) = known else {
                        return Err(format!("the pattern letter {letter} is not supported"));
                    };
                    if count > *maximum {
                        return Err(format!("too many pattern letters: {letter}"));
                    }
                    items.push(Item::Field(letter, count));
                }
                '{' | '}' | '#' | '[' | ']' => {
                    return Err(format!("the character {first} is reserved"));
                }
                other => items.push(Item::Text(other.to_string())),
            }
        }
        if items.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Self(items))
    }

    /// Prints a time, in English.
    pub(crate) fn format(&self, time: &Zoned) -> String {
        let mut text = String::new();
        for item in &self.0 {
            match item {
                Item::Text(literal) => text.push_str(literal),
                Item::Field(letter, count) => text.push_str(&field(*letter, *count, time)),
            }
        }
        text
    }
}

fn field(letter: char, count: usize, time: &Zoned) -> String {
    let number = |value: i64| format!("{value:0count$}");
    let year = |value: i16| match count {
        2 => format!("{:02}", value.rem_euclid(100)),
        _ => number(value.into()),
    };
    let hour = i64::from(time.hour());
    match letter {
        'G' => ["AD", "AD", "AD", "Anno Domini", "A"][count - 1].to_owned(),
        'u' | 'y' => year(time.year()),
        'Y' => year(week(time.date()).0),
        'w' => number(week(time.date()).1),
        'D' => number(time.day_of_year().into()),
        'M' | 'L' => name(i64::from(time.month()), count, &MONTHS),
        'd' => number(time.day().into()),
        'Q' | 'q' => {
            let quarter = (i64::from(time.month()) + 2) / 3;
            let ordinal = ["1st", "2nd", "3rd", "4th"];
            match count {
                3 => format!("Q{quarter}"),
                4 => format!("{} quarter", ordinal[quarter as usize - 1]),
                _ => number(quarter),
            }
        }
        'E' => {
            let day = time.weekday().to_monday_one_offset();
            name(i64::from(day), count.max(3), &WEEKDAYS)
        }
        'a' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        'h' => number((hour + 11) % 12 + 1),
        'K' => number(hour % 12),
        'k' => number((hour + 23) % 24 + 1),
        'H' => number(hour),
        'm' => number(time.minute().into()),
        's' => number(time.second().into()),
        'S' => format!("{:09}", time.subsec_nanosecond())[..count].to_owned(),
        'A' => {
            let seconds = (hour * 60 + i64::from(time.minute())) * 60 + i64::from(time.second());
            number(seconds * 1000 + i64::from(time.subsec_nanosecond()) / 1_000_000)
        }
        'z' => time.strftime("%Z").to_string(),
        _ => offset(letter, count, time.offset().seconds()),
    }
}

/// `X` and `x`: hours, with minutes, with a colon.
fn offset(letter: char, count: usize, seconds: i32) -> String {
    if letter == 'X' && seconds == 0 {
        return "Z".to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    match count {
        1 if minutes == 0 => format!("{sign}{hours:02}"),
        1 | 2 => format!("{sign}{hours:02}{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}"),
    }
}

/// A number, or from three letters on a name: short, full, its first letter.
fn name(value: i64, count: usize, names: &[&str]) -> String {
    let name = names.get(value as usize - 1).copied().unwrap_or_default();
    match count {
        1 | 2 => format!("{value:0count$}"),
        3 => name.chars().take(3).collect(),
        4 => name.to_owned(),
        _ => name.chars().take(1).collect(),
    }
}

/// The year and the number of a week that begins on Sunday; the first has the first of January in it.
fn week(date: Date) -> (i16, i64) {
    let ahead = Weekday::Saturday.since(date.weekday());
    let last = date.saturating_add(jiff::Span::new().days(i64::from(ahead)));
    (last.year(), (i64::from(last.day_of_year()) + 6) / 7)
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn print(pattern: &str, time: &str) -> String {
        let time: Zoned = time.parse().unwrap();
        match TimePattern::parse(pattern) {
            Ok(pattern) => pattern.format(&time),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn patterns_print_what_java_prints() {
        let afternoon = "2018-08-27T15:04:05.678[UTC]";
        for (pattern, expected) in [
            ("yyyy/MM/dd/HH/", "2018/08/27/15/"),
            ("'year='yyyy'/month='M'/day='d", "year=2018/month=8/day=27"),
            ("yy uuuu y", "18 2018 2018"),
            ("MMM MMMM MMMMM L", "Aug August A 8"),
            ("E EEEE EEEEE", "Mon Monday M"),
            ("D DDD", "239 239"),
            ("h hh K k a", "3 03 3 15 PM"),
            ("mm ss SSS SSSSSS A", "04 05 678 678000 54245678"),
            ("Q QQQ QQQQ G", "3 Q3 3rd quarter AD"),
            ("z X xxx", "UTC Z +00:00"),
            ("'it''s' ''yyyy", "it's '2018"),
            ("YYYY-ww", "2018-35"),
            ("", "error: it is empty"),
            ("yyyy'", "error: a quote in it is not closed"),
            ("yyyy-VV", "error: the pattern letter V is not supported"),
            ("ddd", "error: too many pattern letters: d"),
            ("yyyy[MM]", "error: the character [ is reserved"),
        ] {
            assert_eq!(print(pattern, afternoon), expected, "{pattern}");
        }
        for (time, expected) in [
            ("2019-12-28T00:30:00[UTC]", "2019 52 12 24 0 AM"),
            ("2019-12-29T12:00:00[UTC]", "2020 1 12 12 0 PM"),
            ("2021-01-01T23:59:59[UTC]", "2021 1 11 23 11 PM"),
        ] {
            assert_eq!(print("YYYY w h k K a", time), expected, "{time}");
        }
        let there = "2024-07-01T23:30:00[Asia/Kolkata]";
        assert_eq!(
            print("dd HH X xx xxx z", there),
            "01 23 +0530 +0530 +05:30 IST"
        );
        let west = "2024-01-15T23:30:00[America/New_York]";
        assert_eq!(print("X x z", west), "-05 -05 EST");
    }
}
