//! Delivery streams: made, described, listed, changed, deleted.

mod create;
mod update;

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;
use super::buffer::{Buffer, taken};
use super::destination::Destination;
use super::encryption::Encryption;
use super::input::{number, one_of, stream_name};
use super::store::{Firehose, FirehoseError, State, Waiting, find};
use crate::logs::Scope;

/// A stream is made, and deleted, within so many milliseconds.
const MOMENT_MS: i64 = 100;
/// Streams of an account in a Region (Amazon Data Firehose Developer Guide, "Quotas").
const STREAMS_MAX: i64 = 50;

/// A stream's row.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) id: i64,
    pub(crate) scope: Scope,
    pub(crate) name: String,
    created: i64,
    updated: Option<i64>,
    deleted: Option<i64>,
    pub(crate) version: i64,
    pub(crate) destination: Destination,
    pub(crate) encryption: Option<Encryption>,
    source: Option<String>,
    pub(crate) batched: i64,
    pub(crate) backed_up: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct StreamInput {
    pub(crate) delivery_stream_name: Option<String>,
    limit: Option<i64>,
    exclusive_start_destination_id: Option<String>,
    /// There is no key of KMS that could be in the way of a deletion.
    #[serde(rename = "AllowForceDelete")]
    _allow_force_delete: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct ListDeliveryStreamsInput {
    limit: Option<i64>,
    delivery_stream_type: Option<String>,
    exclusive_start_delivery_stream_name: Option<String>,
}

const TYPES: [&str; 4] = [
    "DirectPut",
    "KinesisStreamAsSource",
    "MSKAsSource",
    "DatabaseAsSource",
];

/// Where a stream is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Creating,
    Active,
    Deleting,
}

impl Stream {
    pub(super) const COLUMNS: &str = "id, account, region, name, created, updated, deleted, \
        version, destination, encryption, source, batched, backed_up";

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let broken = |column: usize, error: serde_json::Error| {
            rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
        };
        let destination: String = row.get(8)?;
        let encryption: Option<String> = row.get(9)?;
        let encryption = encryption.map(|text| serde_json::from_str(&text));
        Ok(Self {
            id: row.get(0)?,
            scope: Scope {
                account: row.get(1)?,
                region: row.get(2)?,
            },
            name: row.get(3)?,
            created: row.get(4)?,
            updated: row.get(5)?,
            deleted: row.get(6)?,
            version: row.get(7)?,
            destination: serde_json::from_str(&destination).map_err(|e| broken(8, e))?,
            encryption: encryption.transpose().map_err(|e| broken(9, e))?,
            source: row.get(10)?,
            batched: row.get(11)?,
            backed_up: row.get(12)?,
        })
    }

    /// `arn:aws:firehose:<region>:<account>:deliverystream/<name>`.
    pub(crate) fn arn(&self) -> String {
        arn(&self.scope, &self.name)
    }

    pub(crate) fn status(&self, now: i64) -> Status {
        match self.deleted {
            Some(_) => Status::Deleting,
            None if now < self.created + MOMENT_MS => Status::Creating,
            None => Status::Active,
        }
    }

    /// When it is gone for good.
    fn gone(&self) -> Option<i64> {
        self.deleted.map(|deleted| deleted + MOMENT_MS)
    }

    pub(super) fn is_gone(&self, now: i64) -> bool {
        self.gone().is_some_and(|gone| gone <= now)
    }

    /// Refuses what only an active stream can do.
    pub(crate) fn active(&self, now: i64) -> Result<(), FirehoseError> {
        match self.status(now) {
            Status::Active => Ok(()),
            Status::Creating | Status::Deleting => Err(FirehoseError::ResourceInUse(format!(
                "Firehose {} under account {} is not in ACTIVE state.",
                self.name, self.scope.account
            ))),
        }
    }

    /// What waits in it, as it is on disk.
    pub(super) fn waiting(&self, connection: &Connection) -> Result<Waiting, FirehoseError> {
        let backup = self
            .backed_up
            .map(|after| Buffer::read(connection, self.id, after));
        Ok(Waiting {
            destination: self.destination.clone(),
            delivery: Buffer::read(connection, self.id, self.batched)?,
            backup: backup.transpose()?,
            bytes: taken(connection, self.id)?,
            gone: self.gone(),
        })
    }

    fn describe(&self, now: i64) -> Value {
        let status = match self.status(now) {
            Status::Creating => "CREATING",
            Status::Active => "ACTIVE",
            Status::Deleting => "DELETING",
        };
        let mut description = json!({
            "DeliveryStreamName": self.name,
            "DeliveryStreamARN": self.arn(),
            "DeliveryStreamStatus": status,
            "DeliveryStreamEncryptionConfiguration": Encryption::describe(self.encryption.as_ref()),
            "DeliveryStreamType": TYPES[0],
            "VersionId": self.version.to_string(),
            "CreateTimestamp": seconds(self.created),
            "Destinations": [self.destination.describe()],
            "HasMoreDestinations": false,
        });
        if let Some(updated) = self.updated {
            description["LastUpdateTimestamp"] = seconds(updated);
        }
        if let Some(hint) = self.source.as_ref().and_then(|s| s.parse::<i64>().ok()) {
            let description_of_source = json!({ "ThroughputHintInMBs": hint });
            description["Source"] = json!({ "DirectPutSourceDescription": description_of_source });
        }
        description
    }
}

/// Seconds since 1970, with their fraction.
fn seconds(milliseconds: i64) -> Value {
    json!(milliseconds as f64 / 1000.0)
}

fn arn(scope: &Scope, name: &str) -> String {
    format!(
        "arn:aws:firehose:{}:{}:deliverystream/{name}",
        scope.region, scope.account
    )
}

impl Firehose {
    pub(crate) fn describe_delivery_stream(
        &self,
        call: &Call<'_>,
        input: &StreamInput,
    ) -> Result<Option<Value>, FirehoseError> {
        let name = stream_name(input.delivery_stream_name.as_deref())?;
        number(input.limit, "limit", (1, 10_000), 10)?;
        let stream = find(&self.lock().connection, call.scope, name, call.now)?;
        let mut description = stream.describe(call.now);
        if input.exclusive_start_destination_id.is_some() {
            // There is only one.
            description["Destinations"] = json!([]);
        }
        Ok(Some(json!({ "DeliveryStreamDescription": description })))
    }

    pub(crate) fn list_delivery_streams(
        &self,
        call: &Call<'_>,
        input: ListDeliveryStreamsInput,
    ) -> Result<Option<Value>, FirehoseError> {
        let limit = number(input.limit, "limit", (1, 10_000), 10)?;
        let kind = one_of(
            input.delivery_stream_type,
            "deliveryStreamType",
            &TYPES,
            TYPES[0],
        )?;
        let start = input.exclusive_start_delivery_stream_name;
        if let Some(start) = &start {
            stream_name(Some(start))?;
        }
        let rows = if kind == TYPES[0] { limit + 1 } else { 0 };
        let mut names: Vec<String> = self
            .lock()
            .connection
            .prepare_cached(
                "SELECT name FROM stream WHERE account = ?1 AND region = ?2 AND name > ?3
                 AND (deleted IS NULL OR deleted + ?4 > ?5) ORDER BY name LIMIT ?6",
            )?
            .query_map(
                params![
                    call.scope.account,
                    call.scope.region,
                    start.unwrap_or_default(),
                    MOMENT_MS,
                    call.now,
                    rows
                ],
                |row| row.get(0),
            )?
            .collect::<Result<_, _>>()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = names.len() > limit;
        names.truncate(limit);
        Ok(Some(json!({
            "DeliveryStreamNames": names,
            "HasMoreDeliveryStreams": more,
        })))
    }

    pub(crate) fn delete_delivery_stream(
        &self,
        call: &Call<'_>,
        input: &StreamInput,
    ) -> Result<Option<Value>, FirehoseError> {
        let name = stream_name(input.delivery_stream_name.as_deref())?;
        let mut state = self.lock();
        let stream = find(&state.connection, call.scope, name, call.now)?;
        match stream.status(call.now) {
            Status::Creating => stream.active(call.now)?,
            Status::Deleting => return Ok(None),
            Status::Active => {}
        }
        state.write(|transaction| {
            transaction.execute(
                "UPDATE stream SET deleted = ?2 WHERE id = ?1",
                params![stream.id, call.now],
            )?;
            Ok(())
        })?;
        if let Some(waiting) = state.streams.get_mut(&stream.id) {
            waiting.gone = Some(call.now + MOMENT_MS);
            if waiting.bytes > 0 {
                let (stream, bytes) = (stream.arn(), waiting.bytes);
                tracing::warn!(
                    stream,
                    bytes,
                    "deleted with records that were not delivered"
                );
            }
        }
        drop(state);
        self.changed.notify_one();
        Ok(None)
    }

    /// Removes streams whose time to be deleted is over.
    pub(crate) fn forget_gone(&self, state: &mut State, now: i64) -> Result<(), FirehoseError> {
        let is_gone = |waiting: &Waiting| waiting.gone.is_some_and(|gone| gone <= now);
        let streams = state.streams.iter();
        let gone: Vec<i64> = streams
            .filter_map(|(id, waiting)| is_gone(waiting).then_some(*id))
            .collect();
        for id in gone {
            state.write(|transaction| {
                transaction.execute("DELETE FROM stream WHERE id = ?1", [id])?;
                Ok(())
            })?;
            state.streams.remove(&id);
        }
        Ok(())
    }
}

/// As it is kept in the database.
pub(crate) fn stored(value: &impl serde::Serialize) -> Result<String, FirehoseError> {
    serde_json::to_string(value).map_err(|_| FirehoseError::InternalFailure)
}
