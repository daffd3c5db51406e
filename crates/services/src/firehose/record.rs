//! Records coming in: acknowledged when they are on disk.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::params;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;
use super::input::{constraint, required, stream_name};
use super::store::{Firehose, FirehoseError, find};
use super::stream::Status;

/// Limits of PutRecord and PutRecordBatch (Amazon Data Firehose API Reference).
const RECORD_MAX: usize = 1_024_000;
const RECORDS_MAX: usize = 500;
const BATCH_MAX: usize = 4 << 20;

/// What a record takes besides its data, roughly: records without data must not be free.
pub(crate) const RECORD_OVERHEAD: u64 = 64;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct PutRecordInput {
    delivery_stream_name: Option<String>,
    record: Option<Record>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct PutRecordBatchInput {
    delivery_stream_name: Option<String>,
    records: Option<Vec<Record>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Record {
    data: Option<String>,
}

impl Record {
    fn bytes(&self, member: &str) -> Result<Vec<u8>, FirehoseError> {
        let text = required(self.data.as_deref(), member)?;
        let bytes = STANDARD
            .decode(text)
            .map_err(|error| FirehoseError::Serialization(format!("{member}: {error}")))?;
        if bytes.len() > RECORD_MAX {
            let value = format!("[{} bytes]", bytes.len());
            let rule = format!("Member must have length less than or equal to {RECORD_MAX}");
            return Err(constraint(&value, member, &rule));
        }
        Ok(bytes)
    }
}

impl Firehose {
    pub(crate) fn put_record(
        &self,
        call: &Call<'_>,
        input: &PutRecordInput,
    ) -> Result<Option<Value>, FirehoseError> {
        let name = stream_name(input.delivery_stream_name.as_deref())?;
        let record = required(input.record.as_ref(), "record")?;
        let bytes = record.bytes("record.data")?;
        let (ids, encrypted) = self.put(call, name, &[bytes])?;
        Ok(Some(json!({ "RecordId": ids[0], "Encrypted": encrypted })))
    }

    pub(crate) fn put_record_batch(
        &self,
        call: &Call<'_>,
        input: &PutRecordBatchInput,
    ) -> Result<Option<Value>, FirehoseError> {
        let name = stream_name(input.delivery_stream_name.as_deref())?;
        let given = required(input.records.as_deref(), "records")?;
        if given.is_empty() || given.len() > RECORDS_MAX {
            return Err(constraint(
                &format!("[{} records]", given.len()),
                "records",
                "Member must have length between 1 and 500",
            ));
        }
        let mut records = Vec::with_capacity(given.len());
        for (index, record) in given.iter().enumerate() {
            records.push(record.bytes(&format!("records.{}.member.data", index + 1))?);
        }
        if records.iter().map(Vec::len).sum::<usize>() > BATCH_MAX {
            return Err(FirehoseError::invalid("Records size exceeds 4 MB limit"));
        }
        let (ids, encrypted) = self.put(call, name, &records)?;
        let responses: Vec<Value> = ids
            .into_iter()
            .map(|id| json!({ "RecordId": id }))
            .collect();
        Ok(Some(json!({
            "FailedPutCount": 0,
            "Encrypted": encrypted,
            "RequestResponses": responses,
        })))
    }

    /// Keeps records, all or none of them; answers their ids, and whether the stream says that it encrypts.
    fn put(
        &self,
        call: &Call<'_>,
        name: &str,
        records: &[Vec<u8>],
    ) -> Result<(Vec<String>, bool), FirehoseError> {
        let size: u64 = records.iter().map(|record| record.len() as u64).sum();
        let mut state = self.lock();
        let stream = find(&state.connection, call.scope, name, call.now)?;
        if stream.status(call.now) != Status::Active {
            return Err(FirehoseError::missing(call.scope, name));
        }
        let count = records.len() as u64;
        let taken = size + count * RECORD_OVERHEAD;
        let waits = state.streams.get(&stream.id).map_or(0, |own| own.bytes);
        if waits + taken > self.limits.stream_bytes
            || state.bytes() + taken > self.limits.total_bytes
        {
            return Err(FirehoseError::ServiceUnavailable);
        }
        state.write(|transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO put (stream, arrived, records, size, data) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    stream.id,
                    call.now,
                    i64::try_from(count).unwrap_or(i64::MAX),
                    i64::try_from(size).unwrap_or(i64::MAX),
                    pack(records)
                ])?;
            Ok(())
        })?;
        if let Some(waiting) = state.streams.get_mut(&stream.id) {
            waiting.bytes += taken;
            waiting.delivery.add(count, size, call.now);
            if let Some(backup) = &mut waiting.backup {
                backup.add(count, size, call.now);
            }
        }
        drop(state);
        self.changed.notify_one();
        let id = (self.random)();
        let ids = (0..records.len()).map(|index| format!("{id:032x}{index:04}"));
        Ok((ids.collect(), stream.encryption.is_some()))
    }
}

/// Records as one row holds them: each after its length.
fn pack(records: &[Vec<u8>]) -> Vec<u8> {
    let size: usize = records.iter().map(|record| record.len() + 4).sum();
    let mut data = Vec::with_capacity(size);
    for record in records {
        data.extend_from_slice(
            &u32::try_from(record.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        data.extend_from_slice(record);
    }
    data
}

/// The records of a row.
pub(crate) fn unpack(mut data: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((record, rest)) = rest.split_at_checked(length) else {
            break;
        };
        records.push(record);
        data = rest;
    }
    records
}
