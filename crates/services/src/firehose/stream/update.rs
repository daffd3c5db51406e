//! UpdateDestination.

use rusqlite::{Connection, params};
use serde::Deserialize;
use serde_json::Value;

use super::super::Call;
use super::super::buffer::collect;
use super::super::destination::{DESTINATION_ID, Given};
use super::super::input::{required, stream_name, text};
use super::super::store::{Firehose, FirehoseError, find};
use super::{Stream, stored};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct UpdateDestinationInput {
    delivery_stream_name: Option<String>,
    current_delivery_stream_version_id: Option<String>,
    destination_id: Option<String>,
    #[serde(flatten)]
    destination: Given,
}

impl Firehose {
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
}

fn last_put(connection: &Connection) -> Result<i64, FirehoseError> {
    let sql = "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'put'";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}
