//! Digest files: what log files a trail has delivered in an hour, signed and chained to the hour before, so that nobody
//! changes or removes one unseen (AWS CloudTrail User Guide, "CloudTrail digest file structure").

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Region, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::delivery;
use super::store::{Trail, Trails};
use crate::s3::{S3, hex};

/// The time that a digest file tells of.
const HOUR: Duration = Duration::from_secs(3600);

const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";

/// The digest files of a trail in one Region, as far as they have come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DigestChain {
    /// When the digest that is not written yet begins.
    start: Timestamp,
    /// What it will tell of.
    files: Vec<LogFile>,
    /// The end of a digest that was begun to be written: it is written again with the same.
    begun: Option<Timestamp>,
    previous: Option<Previous>,
}

/// A log file in a digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogFile {
    pub(super) s3_bucket: String,
    pub(super) s3_object: String,
    /// SHA-256 of the file before compression, in hexadecimal digits.
    pub(super) hash_value: String,
    pub(super) hash_algorithm: String,
    pub(super) newest_event_time: String,
    pub(super) oldest_event_time: String,
}

/// The digest before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Previous {
    bucket: String,
    object: String,
    hash: String,
    signature: String,
}

/// A digest file's content.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DigestFile<'a> {
    aws_account_id: String,
    digest_start_time: String,
    digest_end_time: String,
    digest_s3_bucket: &'a str,
    digest_s3_object: &'a str,
    digest_public_key_fingerprint: String,
    digest_signature_algorithm: &'a str,
    newest_event_time: Option<&'a str>,
    oldest_event_time: Option<&'a str>,
    previous_digest_s3_bucket: Option<&'a str>,
    previous_digest_s3_object: Option<&'a str>,
    previous_digest_hash_value: Option<&'a str>,
    previous_digest_hash_algorithm: Option<&'a str>,
    previous_digest_signature: Option<&'a str>,
    log_files: &'a [LogFile],
}

impl DigestChain {
    /// A chain that begins, whose first digest has no previous one.
    pub(super) fn from(start: Timestamp) -> Self {
        Self {
            start: whole(start),
            files: Vec::new(),
            begun: None,
            previous: None,
        }
    }

    /// When the next digest ends, if it is to be written now. A digest that was missed for hours, because nothing ran,
    /// tells of all of them. Before the hour is over, one is written only if it is wanted and has something to tell.
    fn due(&self, now: Timestamp, wanted: bool) -> Option<Timestamp> {
        if let Some(end) = self.begun {
            return Some(end);
        }
        let elapsed = now.since(self.start);
        if elapsed >= HOUR {
            return Some(if elapsed < 2 * HOUR {
                self.start + HOUR
            } else {
                whole(now)
            });
        }
        // None is shorter than a second, which their names do not tell apart.
        let end = whole(now).max(self.start + Duration::from_secs(1));
        (wanted && !self.files.is_empty()).then_some(end)
    }
}

impl Trail {
    /// Begins the chains of digests anew, with the home Region's.
    pub(super) fn begin_digests(&mut self, now: Timestamp) {
        let home = (self.scope.region, DigestChain::from(now));
        self.digests = match self.is_validated {
            true => BTreeMap::from([home]),
            false => BTreeMap::new(),
        };
    }

    /// Has the Region's next digest tell of a log file.
    pub(super) fn digest(&mut self, region: Region, file: LogFile, now: Timestamp) {
        if self.is_validated {
            let begin = || DigestChain::from(now);
            self.digests
                .entry(region)
                .or_insert_with(begin)
                .files
                .push(file);
        }
    }
}

impl Trails {
    /// Writes the trail's digests that are due, and with `wanted` those as well that have something to tell.
    pub(super) fn deliver_digests(
        &self,
        trail: &mut Trail,
        now: Timestamp,
        wanted: bool,
        s3: &S3,
    ) -> Result<usize, String> {
        let due =
            |(region, chain): (&Region, &DigestChain)| Some((*region, chain.due(now, wanted)?));
        let due: Vec<_> = trail.digests.iter().filter_map(due).collect();
        for (region, end) in &due {
            if let Err(error) = self.deliver_digest(trail, *region, *end, s3) {
                trail.latest_digest_error = Some(error.clone());
                return Err(error);
            }
            trail.latest_digest = Some(now);
            trail.latest_digest_error = None;
        }
        if !due.is_empty() {
            self.put(trail).map_err(|error| error.to_string())?;
        }
        Ok(due.len())
    }

    fn deliver_digest(
        &self,
        trail: &mut Trail,
        region: Region,
        end: Timestamp,
        s3: &S3,
    ) -> Result<(), String> {
        let key = self.signing_key(region, end)?;
        if let Some(chain) = trail.digests.get_mut(&region) {
            chain.begun = Some(end);
        }
        self.put(trail).map_err(|error| error.to_string())?;
        let Some(chain) = trail.digests.get(&region) else {
            return Ok(());
        };
        let (object, end_time) = (key_of(trail, region, end), end.iso8601());
        let previous = chain.previous.as_ref();
        let text = serde_json::to_string(&DigestFile {
            aws_account_id: trail.scope.account.to_string(),
            digest_start_time: chain.start.iso8601(),
            digest_end_time: end_time.clone(),
            digest_s3_bucket: &trail.bucket,
            digest_s3_object: &object,
            digest_public_key_fingerprint: key.fingerprint(),
            digest_signature_algorithm: SIGNATURE_ALGORITHM,
            newest_event_time: chain
                .files
                .iter()
                .map(|file| &*file.newest_event_time)
                .max(),
            oldest_event_time: chain
                .files
                .iter()
                .map(|file| &*file.oldest_event_time)
                .min(),
            previous_digest_s3_bucket: previous.map(|p| &*p.bucket),
            previous_digest_s3_object: previous.map(|p| &*p.object),
            previous_digest_hash_value: previous.map(|p| &*p.hash),
            previous_digest_hash_algorithm: previous.map(|_| "SHA-256"),
            previous_digest_signature: previous.map(|p| &*p.signature),
            log_files: &chain.files,
        })
        .map_err(|error| error.to_string())?;
        let hash = hash_of(&text);
        let before = previous.map_or("null", |previous| &previous.signature);
        let signed = format!("{end_time}\n{}/{object}\n{hash}\n{before}", trail.bucket);
        let signature = key.sign(&signed).map_err(|error| error.to_string())?;
        let metadata = BTreeMap::from([
            ("signature".to_owned(), signature.clone()),
            (
                "signature-algorithm".to_owned(),
                SIGNATURE_ALGORITHM.to_owned(),
            ),
        ]);
        delivery::put(trail, &object, &text, metadata, s3)?;
        let previous = Previous {
            bucket: trail.bucket.clone(),
            object,
            hash,
            signature,
        };
        let next = DigestChain {
            previous: Some(previous),
            ..DigestChain::from(end)
        };
        trail.digests.insert(region, next);
        Ok(())
    }
}

/// What a digest says of a file: its SHA-256 before compression, in hexadecimal digits.
pub(super) fn hash_of(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// A time without its fraction of a second, which file names and digests do not have.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_secs(at.as_secs())
}

fn key_of(trail: &Trail, region: Region, end: Timestamp) -> String {
    let time = end.calendar();
    format!(
        "{}{}_{}_{:04}{:02}{:02}T{:02}{:02}{:02}Z.json.gz",
        trail.file_of("CloudTrail-Digest", region, end),
        trail.name,
        trail.scope.region,
        time.year,
        time.month,
        time.day,
        time.hour,
        time.minute,
        time.second,
    )
}
