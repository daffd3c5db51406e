//! CreateDeliveryStream.

use rusqlite::{Transaction, params};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::buffer::Buffer;
use super::super::destination::{Destination, Given};
use super::super::encryption::{Encryption, EncryptionInput};
use super::super::input::{number, one_of, required, stream_name, structure};
use super::super::store::{Firehose, FirehoseError, Waiting, find};
use super::super::tag::{Tag, check_tags, put_tags};
use super::super::{Call, Entrance};
use super::{STREAMS_MAX, TYPES, arn, stored};
use crate::logs::Scope;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct CreateDeliveryStreamInput {
    delivery_stream_name: Option<String>,
    delivery_stream_type: Option<String>,
    #[serde(deserialize_with = "structure")]
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
}

impl Call<'_> {
    /// Whether the caller may have the daemon send requests to where it wants them: that is for this machine's users,
    /// for it would be a way out of an instance.
    pub(super) fn may_set(&self, destination: &Given) -> Result<(), FirehoseError> {
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
