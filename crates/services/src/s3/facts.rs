//! What policies may know of an S3 request ("Actions, resources, and condition keys for Amazon S3").

use std::collections::BTreeMap;

use http::{HeaderMap, Uri};
use policy::Context;

use super::action::query_value;
use super::store::now;

/// Headers that are condition keys, under their own names.
const HEADERS: [&str; 15] = [
    "x-amz-acl",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-ownership",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// Puts what the head of a request says into a context.
pub(super) fn describe(context: &mut Context, uri: &Uri, headers: &HeaderMap) {
    let now_ms = now();
    describe_time(context, now_ms);
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut put = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            context.put(key, value);
        }
    };
    put("aws:UserAgent", text("user-agent"));
    put("aws:Referer", text("referer"));
    put("s3:if-match", text("if-match"));
    put("s3:if-none-match", text("if-none-match"));
    for name in HEADERS {
        put(&format!("s3:{name}"), text(name));
    }
    for name in ["prefix", "delimiter", "max-keys", "versionId"] {
        put(&format!("s3:{name}"), query_value(uri, name).as_deref());
    }
    let (kind, date) = if headers.contains_key(http::header::AUTHORIZATION) {
        let date = text("x-amz-date").map(str::to_owned);
        ("REST-HEADER", date)
    } else {
        ("REST-QUERY-STRING", query_value(uri, "X-Amz-Date"))
    };
    if let Some(signed_s) = date.and_then(|date| basic_date(&date)) {
        put("s3:authType", Some(kind));
        put("s3:signatureversion", Some("AWS4-HMAC-SHA256"));
        let age_ms = now_ms.saturating_sub(signed_s.saturating_mul(1000));
        put("s3:signatureAge", Some(&age_ms.max(0).to_string()));
    }
}

/// Puts the time, in milliseconds since 1970, into a context.
pub(super) fn describe_time(context: &mut Context, now_ms: i64) {
    context.put("aws:EpochTime", (now_ms / 1000).to_string());
    context.put("aws:CurrentTime", iso8601(now_ms / 1000));
}

/// Puts the tags that an object is to get into a context.
pub(super) fn describe_new_tags(context: &mut Context, tags: &BTreeMap<String, String>) {
    for (key, value) in tags {
        context.put(&format!("s3:RequestObjectTag/{key}"), value);
    }
    context.put_all("s3:RequestObjectTagKeys", tags.keys().cloned());
}

/// Puts the tags that an object has into a context.
pub(super) fn describe_tags(context: &mut Context, tags: &BTreeMap<String, String>) {
    for (key, value) in tags {
        context.put(&format!("s3:ExistingObjectTag/{key}"), value);
    }
}

/// A time in seconds since 1970, as policies write it.
pub(super) fn iso8601(seconds: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(seconds)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = at.to_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", at.date())
}

/// Seconds since 1970 of a date as signatures have it, `20261126T150249Z`.
fn basic_date(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u8>().ok();
    let month = time::Month::try_from(number(4..6)?).ok()?;
    let date = time::Date::from_calendar_date(text.get(..4)?.parse().ok()?, month, number(6..8)?);
    let at = date
        .ok()?
        .with_hms(number(9..11)?, number(11..13)?, number(13..15)?);
    Some(at.ok()?.assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_signatures_and_of_policies() {
        assert_eq!(basic_date("20261126T150249Z"), Some(1_795_705_369));
        assert_eq!(iso8601(1_795_705_369), "2026-11-26T15:02:49Z");
        for broken in [
            "",
            "2026",
            "20261326T150249Z",
            "20261126T990249Z",
            "2026112ÄT150249Z",
        ] {
            assert_eq!(basic_date(broken), None, "{broken}");
        }
    }
}
