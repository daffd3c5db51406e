//! Delivery streams: made, described, listed, changed, deleted.

use rusqlite::types::Type;
use rusqlite::{Connection, Row, Transaction, params};
use serde::Deserialize;
use serde_json::{Value, json};

use super::batch::{Buffer, collect, taken};
use super::destination::{DESTINATION_ID, Destination, Given};
use super::encryption::{Encryption, EncryptionInput};
use super::input::{number, one_of, required, stream_name, text};
use super::store::{Firehose, FirehoseError, State, Waiting, find};
use super::tag::{Tag, check_tags, put_tags};
use super::{Call, Entrance};
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
pub(crate) struct CreateDeliveryStreamInput {
    delivery_stream_name: Option<String>,
    delivery_stream_type: Option<String>,
    direct_put_source_configuration: Option<DirectPutSource>,
    delivery_stream_encryption_configuration_input: Option<EncryptionInput>,
    tags: Option<Vec<Tag>>,
    #[serde(flatten)]
    destination: Given,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct DirectPutSource {
    #[serde(rename = "ThroughputHintInMBs")]
    throughput_hint_in_mbs: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct StreamInput {
    pub(crate) delivery_stream_name: Option<String>,
    limit: Option<i64>,
    exclusive_start_destination_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct ListDeliveryStreamsInput {
    limit: Option<i64>,
    delivery_stream_type: Option<String>,
    exclusive_start_delivery_stream_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct UpdateDestinationInput {
    delivery_stream_name: Option<String>,
    current_delivery_stream_version_id: Option<String>,
    destination_id: Option<String>,
    #[serde(flatten)]
    destination: Given,
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
    pub(crate) fn create_delivery_stream(
        &self,
        call: &Call<'_>,
        input: CreateDeliveryStreamInput,
    ) -> Result<Option<Value>, FirehoseError> {
        let name = stream_name(input.delivery_stream_name.as_deref())?.to_owned();
        let kind = one_of(
            input.delivery_stream_type,
            "deliveryStreamType",
            &TYPES,
            TYPES[0],
        )?;
        if kind != TYPES[0] {
            return Err(FirehoseError::invalid(format!(
                "DeliveryStreamType {kind} is not supported."
            )));
        }
        let source = match input.direct_put_source_configuration {
            None => None,
            Some(source) => {
                let member = "directPutSourceConfiguration.throughputHintInMBs";
                let hint = required(source.throughput_hint_in_mbs, member)?;
                Some(number(Some(hint), member, (1, 100), 1)?.to_string())
            }
        };
        let tags = input.tags.unwrap_or_default();
        check_tags(&tags)?;
        let encryption = input.delivery_stream_encryption_configuration_input;
        let encryption = encryption.map(Encryption::checked).transpose()?;
        call.may_set(&input.destination)?;
        let destination = Destination::create(input.destination)?;
        let scope = call.scope;
        let mut state = self.lock();
        self.forget_gone(&mut state, call.now)?;
        let id = state.write(|transaction| {
            refuse_another(transaction, scope, &name, call.now)?;
            transaction.execute(
                "INSERT INTO stream (account, region, name, created, destination, encryption, source, backed_up)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    scope.account,
                    scope.region,
                    name,
                    call.now,
                    stored(&destination)?,
                    encryption.as_ref().map(stored).transpose()?,
                    source,
                    destination.backup().map(|_| 0),
                ],
            )?;
            let id = transaction.last_insert_rowid();
            put_tags(transaction, id, &tags)?;
            Ok(id)
        })?;
        let backup = destination.backup().map(|_| Buffer::default());
        let waiting = Waiting {
            destination,
            delivery: Buffer::default(),
            backup,
            bytes: 0,
            gone: None,
        };
        state.streams.insert(id, waiting);
        Ok(Some(json!({ "DeliveryStreamARN": arn(scope, &name) })))
    }

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

    pub(crate) fn update_destination(
        &self,
        call: &Call<'_>,
        input: UpdateDestinationInput,
    ) -> Result<Option<Value>, FirehoseError> {
        let name = stream_name(input.delivery_stream_name.as_deref())?;
        let member = "currentDeliveryStreamVersionId";
        let version = required(input.current_delivery_stream_version_id.as_deref(), member)?;
        text(version, member, (1, 50), "[0-9]+", |version| {
            version.bytes().all(|b| b.is_ascii_digit())
        })?;
        let id = required(input.destination_id.as_deref(), "destinationId")?;
        text(id, "destinationId", (1, 100), "[a-zA-Z0-9-]+", |id| {
            id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })?;
        call.may_set(&input.destination)?;
        let mut state = self.lock();
        let stream = find(&state.connection, call.scope, name, call.now)?;
        stream.active(call.now)?;
        if version != stream.version.to_string() {
            return Err(FirehoseError::ConcurrentModification(format!(
                "Cannot update firehose: {name} since the current version id: {} and specified version id: {version} do not match",
                stream.version
            )));
        }
        if id != DESTINATION_ID {
            return Err(FirehoseError::invalid(format!(
                "Destination Id {id} not found"
            )));
        }
        let destination = stream.destination.update(input.destination)?;
        // Copies begin with what comes from now on.
        let backed_up = match (destination.backup(), stream.backed_up) {
            (None, _) => None,
            (Some(_), Some(known)) => Some(known),
            (Some(_), None) => Some(last_put(&state.connection)?),
        };
        let waiting = state.write(|transaction| {
            transaction.execute(
                "UPDATE stream SET destination = ?2, backed_up = ?3, updated = ?4, version = version + 1
                 WHERE id = ?1",
                params![stream.id, stored(&destination)?, backed_up, call.now],
            )?;
            collect(transaction, stream.id, None)?;
            let updated = Stream {
                destination,
                backed_up,
                ..stream.clone()
            };
            updated.waiting(transaction)
        })?;
        state.streams.insert(stream.id, waiting);
        drop(state);
        self.changed.notify_one();
        Ok(None)
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

impl Call<'_> {
    /// Whether the caller may have the daemon send requests to where it wants them: that is for this machine's users,
    /// for it would be a way out of an instance.
    fn may_set(&self, destination: &Given) -> Result<(), FirehoseError> {
        if self.entrance == Entrance::Instance && destination.has_http_endpoint() {
            return Err(FirehoseError::AccessDenied(
                "An HTTP endpoint can be set on Weir's own port only, not from inside an instance."
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

fn refuse_another(
    transaction: &Transaction<'_>,
    scope: &Scope,
    name: &str,
    now: i64,
) -> Result<(), FirehoseError> {
    let account = &scope.account;
    match find(transaction, scope, name, now) {
        Ok(_) => {
            return Err(FirehoseError::ResourceInUse(format!(
                "Firehose {name} under accountId {account} already exists"
            )));
        }
        Err(FirehoseError::ResourceNotFound(_)) => {}
        Err(error) => return Err(error),
    }
    let count: i64 = transaction.query_row(
        "SELECT COUNT(*) FROM stream WHERE account = ?1 AND region = ?2",
        params![scope.account, scope.region],
        |row| row.get(0),
    )?;
    if count >= STREAMS_MAX {
        return Err(FirehoseError::LimitExceeded(format!(
            "You have already consumed your firehose quota of {STREAMS_MAX} hoses."
        )));
    }
    Ok(())
}

fn last_put(connection: &Connection) -> Result<i64, FirehoseError> {
    let sql = "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'put'";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// As it is kept in the database.
pub(crate) fn stored(value: &impl serde::Serialize) -> Result<String, FirehoseError> {
    serde_json::to_string(value).map_err(|_| FirehoseError::InternalFailure)
}
