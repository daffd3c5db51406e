//! What has to be done to deliver a batch: an object for a bucket, or a request for an HTTP endpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::batch::{Batch, Due, Purpose};
use super::destination::{Destination, S3Destination};
use super::http_endpoint::{self, HttpRequest, gzip};
use super::prefix::{Content, name_time};
use super::record::unpack;
use super::store::{Firehose, FirehoseError, find_by_id};
use super::stream::Stream;

/// What has to be done to deliver a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// To put an object.
    Object(Object),
    /// To send a request.
    Request(HttpRequest),
    /// Nothing: its stream was deleted.
    Nothing,
}

/// An object to put. The same batch always has the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The data.
    pub body: Vec<u8>,
    /// Whether the data is gzipped.
    pub is_gzip: bool,
    /// In whose name it is put.
    pub role_arn: String,
}

/// What a batch is made of.
struct Records {
    /// When each row arrived, and what it holds.
    rows: Vec<(i64, Vec<u8>)>,
}

impl Records {
    fn all(&self) -> impl Iterator<Item = (i64, &[u8])> {
        let rows = self.rows.iter();
        rows.flat_map(|(arrived, data)| {
            unpack(data)
                .into_iter()
                .map(move |record| (*arrived, record))
        })
    }

    fn joined(&self, delimiter: &[u8]) -> Vec<u8> {
        let mut joined = Vec::new();
        for (_, record) in self.all() {
            joined.extend_from_slice(record);
            joined.extend_from_slice(delimiter);
        }
        joined
    }
}

impl Firehose {
    /// What has to be done to deliver a batch.
    ///
    /// # Errors
    ///
    /// If the database cannot work.
    pub fn delivery(&self, due: &Due) -> Result<Delivery, FirehoseError> {
        let state = self.lock();
        let connection = &state.connection;
        let Some(batch) = Batch::find(connection, due.batch)? else {
            return Ok(Delivery::Nothing);
        };
        let Some(stream) = find_by_id(connection, batch.stream)? else {
            return Ok(Delivery::Nothing);
        };
        let rows = connection
            .prepare_cached(
                "SELECT arrived, data FROM put WHERE stream = ?1 AND id BETWEEN ?2 AND ?3 ORDER BY id",
            )?
            .query_map([batch.stream, batch.first, batch.last], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<Result<_, _>>()?;
        // Compression takes its time; calls need not wait for it.
        drop(state);
        make(&stream, &batch, &Records { rows }).map_err(|error| {
            tracing::error!(%error, stream = stream.arn(), "a batch cannot be made");
            FirehoseError::InternalFailure
        })
    }
}

fn make(stream: &Stream, batch: &Batch, records: &Records) -> std::io::Result<Delivery> {
    let delimiter = stream.destination.delimiter().unwrap_or_default();
    let delimiter = delimiter.as_bytes();
    match (&stream.destination, batch.purpose) {
        (Destination::HttpEndpoint(endpoint), Purpose::Delivery) => {
            let records = records.all().map(|(_, record)| record);
            http_endpoint::request(endpoint, stream.arn(), batch, records, delimiter)
                .map(Delivery::Request)
        }
        (Destination::HttpEndpoint(endpoint), Purpose::Failed) => {
            let body = failed_records(batch, records);
            object(
                stream,
                batch,
                endpoint.bucket(),
                Content::HttpEndpointFailed,
                body,
            )
        }
        (Destination::S3(own), Purpose::Delivery) => object(
            stream,
            batch,
            own,
            Content::Records,
            records.joined(delimiter),
        ),
        _ => match stream.destination.backup() {
            // A backup has records as they came.
            Some(backup) => object(stream, batch, backup, Content::Records, records.joined(b"")),
            // It is no longer wanted.
            None => Ok(Delivery::Nothing),
        },
    }
}

fn object(
    stream: &Stream,
    batch: &Batch,
    bucket: &S3Destination,
    content: Content,
    body: Vec<u8>,
) -> std::io::Result<Delivery> {
    let prefixes = bucket.prefixes().map_err(std::io::Error::other)?;
    // The uuid gives all random strings, so that the key stays the same.
    let seed = u128::from_str_radix(&batch.uuid.replace('-', ""), 16).unwrap_or_default();
    let mut state = seed;
    let mut random = || {
        // Of PCG; what is wanted is only that they differ.
        state = state
            .wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
            .wrapping_add(0x5851_f42d_4c95_7f2d_1405_7b7e_f767_814f);
        state
    };
    let prefix = prefixes.evaluate(content, batch.arrived, &mut random);
    let (name, version, uuid) = (&stream.name, stream.version, &batch.uuid);
    let time = name_time(batch.arrived);
    let is_gzip = bucket.gzips();
    let extension = bucket.extension();
    Ok(Delivery::Object(Object {
        bucket: bucket.bucket().to_owned(),
        key: format!("{prefix}{name}-{version}-{time}-{uuid}{extension}"),
        body: if is_gzip { gzip(&body)? } else { body },
        is_gzip,
        role_arn: bucket.role_arn().to_owned(),
    }))
}

/// Records that an HTTP endpoint did not take, an object of JSON on a line for each (Amazon Data Firehose Developer
/// Guide, "Handle data delivery failures").
fn failed_records(batch: &Batch, records: &Records) -> Vec<u8> {
    let failure = batch.failure.as_ref();
    let mut lines = Vec::new();
    for (arrived, record) in records.all() {
        let line = json!({
            "attemptsMade": failure.map_or(0, |f| f.attempts),
            "arrivalTimestamp": arrived,
            "errorCode": failure.map_or("", |f| f.code.as_str()),
            "errorMessage": failure.map_or("", |f| f.message.as_str()),
            "attemptEndingTimestamp": failure.map_or(0, |f| f.ended),
            "rawData": STANDARD.encode(record),
        });
        lines.extend_from_slice(line.to_string().as_bytes());
        lines.push(b'\n');
    }
    lines
}
