//! Deliveries of trails to S3 (AWS CloudTrail User Guide, "Finding your CloudTrail log files").
//!
//! A file is there once: a delivery that was interrupted is made again with the same events under the same names.

use std::collections::BTreeMap;
use std::io::Write as _;

use cloudtrail::{Event, Numbered};
use flate2::{Compression, GzBuilder};
use model::{Region, Scope, Timestamp};

use super::History;
use super::digest::{self, LogFile};
use super::store::{Trail, Trails};
use crate::s3::{PutOptions, S3};

/// Events of one file; AWS closes a file at 50 MB.
const EVENTS_MAX: usize = 5_000;

/// What a round of deliveries came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Files written.
    pub files: usize,
    /// Events in them.
    pub events: usize,
    /// Digest files written.
    pub digests: usize,
    /// Trails that could not deliver.
    pub failed: usize,
}

impl Trails {
    /// Whether a trail of an account asks for the network activity of a service in a Region.
    pub fn wants_network_activity(&self, owner: Scope, event_source: &str) -> bool {
        self.any(|trail| {
            trail.is_logging
                && trail.covers(owner)
                && trail.selectors.wants_network_activity(event_source)
        })
    }

    /// Delivers what has happened since the last time to the buckets of all trails that are logging, and the digests of
    /// hours that are over; with `digests` those of the hours that are not, too. Blocks.
    pub fn deliver(
        &self,
        now: Timestamp,
        digests: bool,
        history: &dyn History,
        s3: &S3,
    ) -> Delivered {
        let _alone = self.change_alone();
        let mut total = Delivered::default();
        for mut trail in self.all(|trail| trail.is_logging) {
            let delivered = self.deliver_trail(&mut trail, now, digests, history, s3);
            total.files += delivered.files;
            total.events += delivered.events;
            total.digests += delivered.digests;
            total.failed += delivered.failed;
        }
        total
    }

    pub(super) fn deliver_trail(
        &self,
        trail: &mut Trail,
        now: Timestamp,
        digests: bool,
        history: &dyn History,
        s3: &S3,
    ) -> Delivered {
        let mut total = Delivered::default();
        if let Err(error) = self.deliver_all(trail, now, digests, history, s3, &mut total) {
            tracing::warn!(trail = trail.arn(), error, "a trail's delivery failed");
            trail.latest_attempt = Some(now);
            trail.latest_error = Some(error);
            if let Err(error) = self.put(trail) {
                tracing::error!(%error, "a trail's state cannot be written");
            }
            total.failed += 1;
        }
        total
    }

    /// The digests of the hours before go first: what is delivered now is in the next.
    fn deliver_all(
        &self,
        trail: &mut Trail,
        now: Timestamp,
        digests: bool,
        history: &dyn History,
        s3: &S3,
        total: &mut Delivered,
    ) -> Result<(), String> {
        total.digests += self.deliver_digests(trail, now, false, s3)?;
        while let Some(delivered) = self.deliver_some(trail, now, history, s3)? {
            total.files += delivered.files;
            total.events += delivered.events;
        }
        if digests {
            total.digests += self.deliver_digests(trail, now, true, s3)?;
        }
        Ok(())
    }

    /// Delivers up to a file's worth of events; `None` if there were none.
    fn deliver_some(
        &self,
        trail: &mut Trail,
        now: Timestamp,
        history: &dyn History,
        s3: &S3,
    ) -> Result<Option<Delivered>, String> {
        let mut events = history.after(trail.delivered, EVENTS_MAX)?;
        let Some(last) = events.last().map(|event| event.seq) else {
            return Ok(None);
        };
        let (last, at) = match trail.begun {
            Some((seq, at)) if seq > trail.delivered => (seq, at),
            _ => (last, now),
        };
        events.retain(|event| event.seq <= last);
        let mut files: BTreeMap<(Region, bool), Vec<Event>> = BTreeMap::new();
        for Numbered { event, .. } in events {
            if trail.covers(event.scope) && trail.selectors.select(&event) {
                let file = (event.scope.region, event.network_activity);
                files.entry(file).or_default().push(event);
            }
        }
        let mut delivered = Delivered::default();
        if !files.is_empty() {
            trail.begun = Some((last, at));
            self.put(trail).map_err(|error| error.to_string())?;
        }
        for ((region, network_activity), events) in &files {
            let key = key(trail, *region, *network_activity, at, last);
            let file = put_events(trail, &key, events, s3)?;
            trail.digest(*region, file, now);
            delivered.files += 1;
            delivered.events += events.len();
        }
        trail.delivered = last;
        trail.begun = None;
        if delivered.files > 0 {
            (trail.latest_attempt, trail.latest_delivery) = (Some(now), Some(now));
            trail.latest_error = None;
        }
        self.put(trail).map_err(|error| error.to_string())?;
        Ok(Some(delivered))
    }
}

impl Trail {
    fn covers(&self, scope: Scope) -> bool {
        self.scope.account == scope.account
            && (self.is_multi_region || self.scope.region == scope.region)
    }
}

fn key(trail: &Trail, region: Region, network_activity: bool, at: Timestamp, last: u64) -> String {
    let kind = match network_activity {
        true => "CloudTrail-NetworkActivity",
        false => "CloudTrail",
    };
    let time = at.calendar();
    format!(
        "{}{:04}{:02}{:02}T{:02}{:02}Z_{}.json.gz",
        trail.file_of(kind, region, at),
        time.year,
        time.month,
        time.day,
        time.hour,
        time.minute,
        unique(&trail.arn(), last)
    )
}

/// Sixteen letters and digits that tell files of one minute apart: not chance, so that the same delivery has the same.
fn unique(arn: &str, last: u64) -> String {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let seed = arn.bytes().chain(last.to_le_bytes());
    let mut state = seed.fold(0xcbf2_9ce4_8422_2325, fnv);
    (0..16)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(ALPHABET[(state >> 33) as usize % ALPHABET.len()])
        })
        .collect()
}

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Puts a log file, and says what a digest has to tell of it.
fn put_events(trail: &Trail, key: &str, events: &[Event], s3: &S3) -> Result<LogFile, String> {
    let records: Vec<&str> = events.iter().map(|event| event.record.as_str()).collect();
    let text = format!("{{\"Records\":[{}]}}", records.join(","));
    put(trail, key, &text, BTreeMap::new(), s3)?;
    let times = || events.iter().map(|event| event.at);
    let time = |at: Option<Timestamp>| at.unwrap_or_default().iso8601();
    Ok(LogFile {
        s3_bucket: trail.bucket.clone(),
        s3_object: key.to_owned(),
        hash_value: digest::hash_of(&text),
        hash_algorithm: "SHA-256".to_owned(),
        newest_event_time: time(times().max()),
        oldest_event_time: time(times().min()),
    })
}

/// Puts a file of the trail, compressed, if the bucket lets it.
pub(super) fn put(
    trail: &Trail,
    key: &str,
    text: &str,
    metadata: BTreeMap<String, String>,
    s3: &S3,
) -> Result<(), String> {
    let account = trail.scope.account.to_string();
    s3.check_trail(&trail.bucket, key, &account, &trail.arn())
        .map_err(|error| error.code().as_str().to_owned())?;
    let mut gzip = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::default());
    let body = gzip
        .write_all(text.as_bytes())
        .and_then(|()| gzip.finish())
        .map_err(|error| error.to_string())?;
    let options = PutOptions {
        content_type: Some("application/json".to_owned()),
        metadata,
        ..PutOptions::default()
    };
    s3.put_object(&trail.bucket, key, &body, options)
        .map_err(|error| error.code().as_str().to_owned())
}
