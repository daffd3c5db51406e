//! Objects of S3, read in parts: what is not needed is never sent, and no object is ever held whole.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use bytes::Bytes;
use flow_log_files::{ChunkReader, Length, ParquetError};

use crate::cli::Target;
use crate::client::{Client, Endpoint, Keys, ObjectSummary, Profile};

/// How much of a text is asked for at once.
const PART_BYTES: u64 = 4 << 20;
/// The same for headers of pages in Parquet, which are small.
const PAGE_BYTES: u64 = 16 << 10;

/// An object, and how to get it.
#[derive(Clone)]
pub(super) struct Object {
    client: Arc<Mutex<Client>>,
    bucket: Arc<str>,
    summary: Arc<ObjectSummary>,
}

/// The object with this key, or all with this prefix: `bucket/key-or-prefix`.
pub(super) fn find(
    address: &str,
    target: &Target,
    s3_endpoint: Option<&str>,
) -> anyhow::Result<Vec<Object>> {
    let (bucket, prefix) = address.split_once('/').unwrap_or((address, ""));
    if bucket.is_empty() {
        bail!("expected s3://BUCKET/KEY-OR-PREFIX");
    }
    let mut client = client(target, s3_endpoint)?;
    let mut summaries = client.find_objects(bucket, prefix)?;
    if summaries.iter().any(|summary| summary.key == prefix) {
        summaries.retain(|summary| summary.key == prefix);
    }
    // What stands for a folder in consoles.
    summaries.retain(|summary| !(summary.size == 0 && summary.key.ends_with('/')));
    if summaries.is_empty() {
        bail!("no object has this key or prefix");
    }
    let (client, bucket) = (Arc::new(Mutex::new(client)), Arc::from(bucket));
    let object = |summary| Object {
        client: Arc::clone(&client),
        bucket: Arc::clone(&bucket),
        summary: Arc::new(summary),
    };
    Ok(summaries.into_iter().map(object).collect())
}

fn client(target: &Target, s3_endpoint: Option<&str>) -> anyhow::Result<Client> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut keys = Keys::of_environment(variable);
    let elsewhere = match s3_endpoint {
        Some(url) => Some(Endpoint::parse(url).context("--s3-endpoint")?),
        None => variable("AWS_ENDPOINT_URL_S3")
            .map(|url| Endpoint::parse(&url).context("$AWS_ENDPOINT_URL_S3"))
            .transpose()?,
    };
    let mut region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    // The daemon knows no profiles; its keys are made of accounts.
    if elsewhere.is_some() {
        let profile = Profile::of_environment(variable);
        keys = keys.or(profile.keys);
        region = region.or(profile.region);
    }
    let region = region.as_deref().unwrap_or(server::DEFAULT_REGION);
    match (elsewhere, keys) {
        (Some(endpoint), Some(keys)) => Ok(Client::elsewhere(&endpoint, keys, region)),
        (Some(_), None) => {
            bail!(
                "an S3 elsewhere needs keys: $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, or a profile's"
            )
        }
        (None, Some(keys)) => {
            let endpoint = Endpoint::find(target.endpoint.as_deref())?;
            Ok(Client::with_keys(&endpoint, keys, region))
        }
        (None, None) => {
            let endpoint = Endpoint::find(target.endpoint.as_deref())?;
            Client::of(&endpoint, server::DEFAULT_ACCOUNT, region)
        }
    }
}

impl Object {
    /// As problems name it.
    pub(super) fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.summary.key)
    }

    /// Reads it from its begin.
    pub(super) fn reader(&self) -> Reader {
        self.reader_at(0, PART_BYTES)
    }

    fn reader_at(&self, at: u64, part_bytes: u64) -> Reader {
        Reader {
            object: self.clone(),
            at,
            part_bytes,
            part: Bytes::new(),
        }
    }

    fn range(&self, first: u64, length: u64) -> io::Result<Bytes> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let part = client
            .get_object_range(&self.bucket, &self.summary, first, length)
            .map_err(|error| io::Error::other(format!("{error:#}")))?;
        let sent = part.len() as u64;
        if sent == length {
            Ok(part.into())
        } else {
            Err(io::Error::other(format!(
                "S3 sent {sent} bytes when asked for {length}"
            )))
        }
    }
}

impl Length for Object {
    fn len(&self) -> u64 {
        self.summary.size
    }
}

impl ChunkReader for Object {
    type T = Reader;

    fn get_read(&self, start: u64) -> Result<Reader, ParquetError> {
        Ok(self.reader_at(start, PAGE_BYTES))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let length = length as u64;
        if start.checked_add(length).is_none_or(|end| end > self.len()) {
            return Err(ParquetError::EOF("behind the end of the object".to_owned()));
        }
        if length == 0 {
            return Ok(Bytes::new());
        }
        Ok(self.range(start, length)?)
    }
}

/// Reads an object in parts, in order.
pub(super) struct Reader {
    object: Object,
    at: u64,
    part_bytes: u64,
    part: Bytes,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.part.is_empty() {
            let left = self.object.len().saturating_sub(self.at);
            if left == 0 {
                return Ok(0);
            }
            let length = left.min(self.part_bytes);
            self.part = self.object.range(self.at, length)?;
            self.at += length;
        }
        let length = buffer.len().min(self.part.len());
        buffer[..length].copy_from_slice(&self.part.split_to(length));
        Ok(length)
    }
}
