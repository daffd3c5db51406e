//! What a request asks of Athena.

use std::fmt;

use ec2_api::AthenaIntegration;
use model::Timestamp;

use super::super::destination::{bucket_and_prefix, invalid};
use crate::{Error, parameter};

/// One table, with the queries over it.
pub(super) struct Integration {
    /// Where results of queries go: `s3://bucket/prefix/`.
    pub(super) results: String,
    pub(super) frequency: Frequency,
    /// First and last day of what the table holds; without them partitions are loaded as time goes on.
    pub(super) dates: Option<(Date, Date)>,
}

/// How often partitions are loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Frequency {
    None,
    Daily,
    Weekly,
    Monthly,
}

impl Frequency {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// The schedule of EventBridge that loads partitions, and how many days lie between two loads at most.
    pub(super) const fn schedule(self) -> (&'static str, u8) {
        match self {
            Self::None | Self::Daily => ("rate(1 day)", 1),
            Self::Weekly => ("rate(7 days)", 7),
            Self::Monthly => ("cron(0 0 1 * ? *)", 31),
        }
    }
}

impl Integration {
    pub(super) fn parse(given: &AthenaIntegration, now: Timestamp) -> Result<Self, Error> {
        let arn = parameter::required(
            &given.integration_result_s3_destination_arn,
            "IntegrationResultS3DestinationArn",
        )?;
        let (bucket, prefix) = bucket_and_prefix(arn)
            .ok_or_else(|| invalid(format!("Invalid IntegrationResultS3DestinationArn: {arn}")))?;
        let slash = if prefix.is_empty() { "" } else { "/" };
        let frequency = frequency(given)?;
        let dates = dates(given, now)?;
        if frequency == Frequency::None && dates.is_none() {
            return Err(Error::MissingParameter("PartitionStartDate"));
        }
        Ok(Self {
            results: format!("s3://{bucket}/{prefix}{slash}"),
            frequency,
            dates,
        })
    }

    /// Whether the names of two tables would be the same.
    pub(super) fn is_same_table(&self, other: &Self) -> bool {
        self.frequency == other.frequency && self.dates == other.dates
    }
}

fn frequency(given: &AthenaIntegration) -> Result<Frequency, Error> {
    let text = parameter::required(&given.partition_load_frequency, "PartitionLoadFrequency")?;
    let all = [
        Frequency::None,
        Frequency::Daily,
        Frequency::Weekly,
        Frequency::Monthly,
    ];
    let names = all.map(Frequency::name);
    let name = parameter::one_of(text, "partitionLoadFrequency", &names)?;
    let found = all.into_iter().find(|f| f.name() == name);
    Ok(found.unwrap_or(Frequency::None))
}

fn dates(given: &AthenaIntegration, now: Timestamp) -> Result<Option<(Date, Date)>, Error> {
    let (first, last) = match (&given.partition_start_date, &given.partition_end_date) {
        (None, None) => return Ok(None),
        (Some(first), Some(last)) => (first, last),
        (None, Some(_)) => return Err(Error::MissingParameter("PartitionStartDate")),
        (Some(_), None) => return Err(Error::MissingParameter("PartitionEndDate")),
    };
    let (first, last) = (
        past("partitionStartDate", first, now)?,
        past("partitionEndDate", last, now)?,
    );
    if last < first {
        return Err(invalid(
            "PartitionEndDate must not be before PartitionStartDate",
        ));
    }
    Ok(Some((first, last)))
}

fn past(name: &str, text: &str, now: Timestamp) -> Result<Date, Error> {
    let date = Date::parse(text)
        .ok_or_else(|| Error::invalid_value(name, text, "This is not a valid date."))?;
    let today = now.calendar();
    let today = Date {
        year: u16::try_from(today.year).unwrap_or_default(),
        month: today.month,
        day: today.day,
    };
    if date > today {
        return Err(Error::invalid_value(name, text, "It must be in the past."));
    }
    Ok(date)
}

/// A day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Date {
    pub(super) year: u16,
    pub(super) month: u8,
    pub(super) day: u8,
}

impl Date {
    /// The day of a time as AWS's clients write it: `2024-05-01`, `2024-05-01T00:00:00Z`.
    fn parse(text: &str) -> Option<Self> {
        let (day, time) = match text.split_once('T') {
            None => (text, None),
            Some((day, time)) => (day, Some(time.strip_suffix('Z')?)),
        };
        let date = Self {
            year: number(day.get(..4)?, 1970, 9999)?,
            month: u8::try_from(number(day.get(5..7)?, 1, 12)?).ok()?,
            day: u8::try_from(number(day.get(8..)?, 1, 31)?).ok()?,
        };
        let is_time = time.is_none_or(is_time);
        let is_date = day.len() == 10 && day.as_bytes()[4] == b'-' && day.as_bytes()[7] == b'-';
        (is_time && is_date && date.day <= date.days_of_month()).then_some(date)
    }

    fn days_of_month(self) -> u8 {
        let year = self.year;
        let leaps =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        match self.month {
            2 if leaps => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// As partitions are compared: 20240501.
    pub(super) fn number(self) -> u32 {
        u32::from(self.year) * 10_000 + u32::from(self.month) * 100 + u32::from(self.day)
    }
}

/// As names have it: `20240501`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.number())
    }
}

fn number(text: &str, least: u16, most: u16) -> Option<u16> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number)?;
    (least..=most).contains(&number).then_some(number)
}

/// Hours, minutes and seconds, perhaps with a fraction.
fn is_time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let parts: Vec<_> = whole.split(':').collect();
    let is_part = |text: &str, most| text.len() == 2 && number(text, 0, most).is_some();
    matches!(parts[..], [hour, minute, second]
        if is_part(hour, 23) && is_part(minute, 59) && is_part(second, 59))
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_of_the_calendar() {
        let read = |text| Date::parse(text).map(|date| date.to_string());
        for (text, day) in [
            ("2024-05-01", "20240501"),
            ("2024-05-01T23:59:59Z", "20240501"),
            ("2024-05-01T00:00:00.000Z", "20240501"),
            ("2024-02-29", "20240229"),
            ("2000-02-29", "20000229"),
        ] {
            assert_eq!(read(text).as_deref(), Some(day), "{text}");
        }
        for text in [
            "",
            "2024",
            "2024-05",
            "2024-13-01",
            "2024-00-01",
            "2024-05-00",
            "2024-04-31",
            "2023-02-29",
            "1900-02-29",
            "2024-05-1",
            "2024-05-011",
            "2024/05/01",
            "+024-05-01",
            "2024-05-01T",
            "2024-05-01T24:00:00Z",
            "2024-05-01T00:00:00",
            "2024-05-01T00:00Z",
            "2024-05-01T00:00:00.Z",
            "yesterday",
            "20é4-05-01",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
