//! Server-side encryption: said, kept and shown, but nothing is encrypted.

use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Call;
use super::input::{one_of, required, stream_name};
use super::store::{Firehose, FirehoseError, find};
use super::stream::stored;

/// `DeliveryStreamEncryptionConfigurationInput`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct EncryptionInput {
    key_type: Option<String>,
    #[serde(rename = "KeyARN")]
    key_arn: Option<String>,
}

/// Whose key it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Encryption {
    key_type: String,
    #[serde(rename = "KeyARN", skip_serializing_if = "Option::is_none")]
    key_arn: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct StartEncryptionInput {
    delivery_stream_name: Option<String>,
    delivery_stream_encryption_configuration_input: Option<EncryptionInput>,
}

const OWNED: &str = "AWS_OWNED_CMK";
const CUSTOMER: &str = "CUSTOMER_MANAGED_CMK";

impl Encryption {
    pub(crate) fn checked(input: EncryptionInput) -> Result<Self, FirehoseError> {
        let member = "deliveryStreamEncryptionConfigurationInput.keyType";
        let key_type = required(input.key_type, member)?;
        let key_type = one_of(Some(key_type), member, &[OWNED, CUSTOMER], OWNED)?;
        match (key_type.as_str(), &input.key_arn) {
            (OWNED, Some(_)) => Err(FirehoseError::invalid(format!(
                "KeyARN must not be given with the key type {OWNED}."
            ))),
            (CUSTOMER, None) => Err(FirehoseError::invalid(format!(
                "KeyARN must be given with the key type {CUSTOMER}."
            ))),
            _ => Ok(Self {
                key_type,
                key_arn: input.key_arn,
            }),
        }
    }

    /// `DeliveryStreamEncryptionConfiguration`.
    pub(crate) fn describe(encryption: Option<&Self>) -> Value {
        let Some(encryption) = encryption else {
            return json!({ "Status": "DISABLED" });
        };
        let mut description = json!(encryption);
        description["Status"] = "ENABLED".into();
        description
    }
}

impl Firehose {
    pub(crate) fn start_encryption(
        &self,
        call: &Call<'_>,
        input: StartEncryptionInput,
    ) -> Result<Option<Value>, FirehoseError> {
        let owned = || EncryptionInput {
            key_type: Some(OWNED.to_owned()),
            key_arn: None,
        };
        let given = input.delivery_stream_encryption_configuration_input;
        let encryption = Encryption::checked(given.unwrap_or_else(owned))?;
        self.set_encryption(
            call,
            input.delivery_stream_name.as_deref(),
            Some(&encryption),
        )
    }

    pub(crate) fn stop_encryption(
        &self,
        call: &Call<'_>,
        input: &StartEncryptionInput,
    ) -> Result<Option<Value>, FirehoseError> {
        self.set_encryption(call, input.delivery_stream_name.as_deref(), None)
    }

    fn set_encryption(
        &self,
        call: &Call<'_>,
        name: Option<&str>,
        encryption: Option<&Encryption>,
    ) -> Result<Option<Value>, FirehoseError> {
        let name = stream_name(name)?;
        self.lock().write(|transaction| {
            let stream = find(transaction, call.scope, name, call.now)?;
            stream.active(call.now)?;
            transaction.execute(
                "UPDATE stream SET encryption = ?2 WHERE id = ?1",
                params![stream.id, encryption.map(stored).transpose()?],
            )?;
            Ok(Some(json!({})))
        })
    }
}
