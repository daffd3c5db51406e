//! Dates as AWS and HTTP write them, as seconds since the epoch. Only times from 1970 to 9999 exist here.

/// The last second of the year 9999.
const LAST_S: u64 = 253_402_300_799;
const DAY_S: u64 = 86_400;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Writes a time as `20260131T235959Z`. A time after the year 9999 is written as its last second.
pub fn format_amz(unix_s: u64) -> String {
    let unix_s = unix_s.min(LAST_S);
    let (year, month, day) = civil(unix_s / DAY_S);
    let second = unix_s % DAY_S;
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{:02}Z",
        second % 60
    )
}

/// Reads a time like `20260131T235959Z`; `None` when it is none.
pub fn parse_amz(text: &str) -> Option<u64> {
    let text: &[u8; 16] = text.as_bytes().try_into().ok()?;
    if (text[8], text[15]) != (b'T', b'Z') {
        return None;
    }
    let date = (
        number(&text[0..4])?,
        number(&text[4..6])?,
        number(&text[6..8])?,
    );
    seconds(
        date,
        (
            number(&text[9..11])?,
            number(&text[11..13])?,
            number(&text[13..15])?,
        ),
    )
}

/// Reads a time like `Sat, 31 Jan 2026 23:59:59 GMT` (RFC 9110 section 5.6.7); `None` when it is none.
pub fn parse_http(text: &str) -> Option<u64> {
    let (_, text) = text.trim().split_once(", ")?;
    let mut parts = text.split(' ');
    let day = number(parts.next()?.as_bytes())?;
    let month = parts.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year = number(parts.next()?.as_bytes())?;
    let mut clock = parts.next()?.split(':').map(|part| number(part.as_bytes()));
    let time = (clock.next()??, clock.next()??, clock.next()??);
    if parts.next() != Some("GMT") || parts.next().is_some() || clock.next().is_some() {
        return None;
    }
    seconds((year, month, day), time)
}

fn seconds((year, month, day): (u64, u64, u64), time: (u64, u64, u64)) -> Option<u64> {
    let (hour, minute, second) = time;
    let is_date = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_before_year(year)
        + (1..month)
            .map(|month| days_in_month(year, month))
            .sum::<u64>()
        + day
        - 1;
    Some(days * DAY_S + hour * 3600 + minute * 60 + second)
}

/// Year, month and day of a day counted from the epoch.
fn civil(days: u64) -> (u64, u64, u64) {
    // Never too late, and at most a few years early.
    let mut year = 1970 + days / 366;
    while days_before_year(year + 1) <= days {
        year += 1;
    }
    let (mut month, mut day) = (1, days - days_before_year(year));
    while day >= days_in_month(year, month) {
        day -= days_in_month(year, month);
        month += 1;
    }
    (year, month, day + 1)
}

/// Days from the epoch to the first of January of a year from 1970 on.
fn days_before_year(year: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

fn days_in_month(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}
