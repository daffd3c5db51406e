//! Prefixes of objects, with their expressions (Amazon Data Firehose Developer Guide, "Understand custom prefixes for
//! Amazon S3 objects").

mod java_time;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use self::java_time::TimePattern;

/// The most that an evaluated prefix may have, in bytes.
const EVALUATED_MAX: usize = 512;
/// What stands for the time where a prefix says nothing of it.
const DEFAULT_TIME: &str = "yyyy/MM/dd/HH/";

/// A prefix that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Time(TimePattern),
    RandomString,
    ErrorOutputType,
}

/// What objects of a destination begin with: what is delivered, and what cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prefixes {
    delivered: Template,
    failed: Template,
    zone: TimeZone,
}

/// What an object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Records.
    Records,
    /// What an HTTP endpoint did not take.
    HttpEndpointFailed,
}

impl Content {
    /// As `!{firehose:error-output-type}` has it.
    fn error_output_type(self) -> &'static str {
        match self {
            Self::Records => "",
            Self::HttpEndpointFailed => "http-endpoint-failed",
        }
    }
}

impl Prefixes {
    /// Reads what a destination is configured with; a prefix that is empty is as good as none.
    ///
    /// # Errors
    ///
    /// What is wrong with which of the two.
    pub(crate) fn parse(
        prefix: Option<&str>,
        error_output_prefix: Option<&str>,
        time_zone: Option<&str>,
    ) -> Result<Self, String> {
        let (prefix, error) = (prefix.unwrap_or(""), error_output_prefix.unwrap_or(""));
        let named =
            |name: &'static str| move |message: String| format!("{name} is not valid: {message}.");
        let mut delivered = Template::parse(prefix).map_err(named("Prefix"))?;
        if delivered.0.contains(&Part::ErrorOutputType) {
            return Err(
                "Prefix is not valid: !{firehose:error-output-type} is for ErrorOutputPrefix only."
                    .to_owned(),
            );
        }
        let given = Template::parse(error).map_err(named("ErrorOutputPrefix"))?;
        let failed = match (delivered.is_plain(), error.is_empty(), given.is_plain()) {
            (false, true, _) => {
                return Err(
                    "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions."
                        .to_owned(),
                );
            }
            (true, true, _) => delivered.clone().then(Part::ErrorOutputType).then_default(),
            (_, false, true) => given.then(Part::ErrorOutputType).then_default(),
            (_, false, false) if !given.0.contains(&Part::ErrorOutputType) => {
                return Err("ErrorOutputPrefix with expressions must have !{firehose:error-output-type} among them.".to_owned());
            }
            (_, false, false) => given,
        };
        if !delivered.0.iter().any(|part| matches!(part, Part::Time(_))) {
            delivered = delivered.then(Part::Time(default_time()));
        }
        let zone = match time_zone.filter(|zone| !zone.is_empty()) {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name)
                .map_err(|_| format!("CustomTimeZone {name} is not a time zone."))?,
        };
        let prefixes = Self {
            delivered,
            failed,
            zone,
        };
        let (records, failed) = (Content::Records, Content::HttpEndpointFailed);
        for (name, content) in [("Prefix", records), ("ErrorOutputPrefix", failed)] {
            if prefixes.evaluate(content, 0, &mut || 0).len() > EVALUATED_MAX {
                return Err(format!(
                    "{name} is longer than {EVALUATED_MAX} once it is evaluated."
                ));
            }
        }
        Ok(prefixes)
    }

    /// The prefix of an object whose oldest record arrived at `arrived`, in milliseconds since 1970.
    pub(crate) fn evaluate(
        &self,
        content: Content,
        arrived: i64,
        random: &mut dyn FnMut() -> u128,
    ) -> String {
        let template = match content {
            Content::Records => &self.delivered,
            Content::HttpEndpointFailed => &self.failed,
        };
        let time = zoned(arrived, &self.zone);
        let mut text = String::new();
        for part in &template.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Time(pattern) => text.push_str(&pattern.format(&time)),
                Part::RandomString => text.push_str(&format!("{:032x}", random())[..11]),
                Part::ErrorOutputType => text.push_str(content.error_output_type()),
            }
        }
        text
    }
}

/// The time in an object's name, whose zone is always UTC: `2018-08-27-15-04-05`.
pub(crate) fn name_time(arrived: i64) -> String {
    zoned(arrived, &TimeZone::UTC)
        .strftime("%Y-%m-%d-%H-%M-%S")
        .to_string()
}

fn zoned(milliseconds: i64, zone: &TimeZone) -> Zoned {
    let time = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX);
    time.to_zoned(zone.clone())
}

fn default_time() -> TimePattern {
    TimePattern::parse(DEFAULT_TIME).unwrap_or_else(|_| unreachable!("it is tested"))
}

impl Template {
    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("!{") {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let Some((expression, after)) = after.split_once('}') else {
                return Err(format!("the expression !{{{after} is not closed"));
            };
            parts.push(Part::parse(expression)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    fn is_plain(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Text(_)))
    }

    fn then(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }

    fn then_default(self) -> Self {
        self.then(Part::Text("/".to_owned()))
            .then(Part::Time(default_time()))
    }
}

impl Part {
    fn parse(expression: &str) -> Result<Self, String> {
        match expression.split_once(':') {
            Some(("timestamp", pattern)) => TimePattern::parse(pattern)
                .map(Self::Time)
                .map_err(|error| format!("the time pattern {pattern}: {error}")),
            Some(("firehose", "random-string")) => Ok(Self::RandomString),
            Some(("firehose", "error-output-type")) => Ok(Self::ErrorOutputType),
            Some(("partitionKeyFromQuery" | "partitionKeyFromLambda", _)) => Err(format!(
                "!{{{expression}}} needs dynamic partitioning, which is not supported"
            )),
            _ => Err(format!("there is no expression !{{{expression}}}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    /// 2018-08-27T10:30:00Z, the time of AWS's examples.
    const TIME: i64 = 1_535_365_800_000;

    fn both(prefix: &str, error: &str, zone: &str) -> String {
        let mut random = 0x05ab_f82d_aaa5_u128 << 84;
        let mut next = || {
            random += 1 << 84;
            random
        };
        match Prefixes::parse(Some(prefix), Some(error), Some(zone)) {
            Ok(prefixes) => {
                let delivered = prefixes.evaluate(Content::Records, TIME, &mut next);
                let failed = prefixes.evaluate(Content::HttpEndpointFailed, TIME, &mut next);
                format!("{delivered} | {failed}\n")
            }
            Err(error) => format!("error: {error}\n"),
        }
    }

    #[test]
    fn prefixes_are_evaluated() {
        let kind = "!{firehose:error-output-type}";
        let lines = [
            both("", "", ""),
            both("folder/", "", ""),
            both("", &format!("failures/{kind}/"), ""),
            both("folder", "failures/", "UTC"),
            both(
                "a=!{timestamp:yyyy}/rand=!{firehose:random-string}",
                &format!("f/{kind}/!{{timestamp:yyyy}}/any/!{{timestamp:dd}}"),
                "",
            ),
            both(
                "!{firehose:random-string}/!{firehose:random-string}/",
                &format!("f/{kind}"),
                "",
            ),
            both("", "", "Asia/Kolkata"),
            both("x!/{y}", "", ""),
            both("!{timestamp:yyyy}", "", ""),
            both("!{timestamp:yyyy}", "f/!{timestamp:yyyy}/", ""),
            both(kind, "f/", ""),
            both("!{timestamp:yyyy", "f/", ""),
            both("!{timestamp:VV}", "f/", ""),
            both("!{timestamp}", "f/", ""),
            both("!{firehose:other}", "f/", ""),
            both("!{partitionKeyFromQuery:x}/", &format!("{kind}/"), ""),
            both("", "", "Mars/Olympus"),
            both(&"x".repeat(503), "", ""),
            both("", &"x".repeat(500), ""),
        ];
        expect![[r#"
            2018/08/27/10/ | http-endpoint-failed/2018/08/27/10/
            folder/2018/08/27/10/ | folder/http-endpoint-failed/2018/08/27/10/
            2018/08/27/10/ | failures/http-endpoint-failed/
            folder2018/08/27/10/ | failures/http-endpoint-failed/2018/08/27/10/
            a=2018/rand=5abf82daaa6 | f/http-endpoint-failed/2018/any/27
            5abf82daaa6/5abf82daaa7/2018/08/27/10/ | f/http-endpoint-failed
            2018/08/27/16/ | http-endpoint-failed/2018/08/27/16/
            x!/{y}2018/08/27/10/ | x!/{y}http-endpoint-failed/2018/08/27/10/
            error: ErrorOutputPrefix cannot be null or empty when Prefix contains expressions.
            error: ErrorOutputPrefix with expressions must have !{firehose:error-output-type} among them.
            error: Prefix is not valid: !{firehose:error-output-type} is for ErrorOutputPrefix only.
            error: Prefix is not valid: the expression !{timestamp:yyyy is not closed.
            error: Prefix is not valid: the time pattern VV: the pattern letter V is not supported.
            error: Prefix is not valid: there is no expression !{timestamp}.
            error: Prefix is not valid: there is no expression !{firehose:other}.
            error: Prefix is not valid: !{partitionKeyFromQuery:x} needs dynamic partitioning, which is not supported.
            error: CustomTimeZone Mars/Olympus is not a time zone.
            error: Prefix is longer than 512 once it is evaluated.
            error: ErrorOutputPrefix is longer than 512 once it is evaluated.
        "#]].assert_eq(&lines.concat());
        assert_eq!(name_time(TIME), "2018-08-27-10-30-00");
    }
}
