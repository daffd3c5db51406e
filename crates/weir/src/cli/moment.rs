//! Moments, as every `--since` and `--until` takes them.

use std::time::UNIX_EPOCH;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment in Unix seconds: so long ago, Unix seconds, or ISO 8601.
pub(super) fn moment(text: &str) -> Result<u64, String> {
    let now = UNIX_EPOCH.elapsed().map_or(0, |now| now.as_secs());
    moment_at(text.trim(), now).ok_or_else(|| {
        format!("{text:?} is no time: say 10m, '10m ago', Unix seconds or 2026-05-01T10:00:00Z")
    })
}

fn moment_at(text: &str, now: u64) -> Option<u64> {
    let number = |digits: &str| {
        let only_digits = digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|_: &u64| only_digits)
    };
    number(text)
        .or_else(|| {
            let length = text.strip_suffix("ago").unwrap_or(text).trim_end();
            let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
            let (length, secs) = units
                .iter()
                .find_map(|(unit, secs)| Some((length.strip_suffix(*unit)?, secs)))?;
            Some(now.saturating_sub(number(length.trim_end())?.saturating_mul(*secs)))
        })
        .or_else(|| iso(text))
}

/// `2026-05-01T10:00:00Z`; the zone, which is UTC then, seconds, and all of the time of day may be left out.
fn iso(text: &str) -> Option<u64> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00"));
    let zone = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = time.split_at(zone);
    let seconds = if time.len() == 5 { ":00" } else { "" };
    let zone = if zone.is_empty() { "Z" } else { zone };
    let whole = format!("{date}T{time}{seconds}{zone}");
    let time = OffsetDateTime::parse(&whole, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_said_in_several_ways() {
        let now = 1_700_000_000;
        for (text, secs) in [
            ("90s", now - 90),
            ("10m", now - 600),
            ("10m ago", now - 600),
            ("2 h ago", now - 7200),
            ("3d", now - 259_200),
            ("99999d ago", 0),
            ("1600000000", 1_600_000_000),
            ("2023-11-14T22:13:20Z", now),
            ("2023-11-14T23:13:20.9+01:00", now),
            ("2023-11-14T22:13:20", now),
            ("2023-11-14T22:13", now - 20),
            ("2024-02-29", 1_709_164_800),
            ("1970-01-01", 0),
        ] {
            assert_eq!(moment_at(text, now), Some(secs), "{text}");
        }
        for text in [
            "",
            "m",
            "ago",
            "m ago",
            "10x",
            "10é ago",
            "-5m",
            "+5m",
            "-1",
            "2023-13-01",
            "2026-02-31",
            "2023-02-29T10:00:00Z",
            "2023-01-01T25:00",
            "1969-12-31",
            "yesterday",
            "1-2",
        ] {
            assert_eq!(moment_at(text, now), None, "{text}");
        }
    }
}
