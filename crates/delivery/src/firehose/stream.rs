//! Delivery streams of new flow logs (Amazon VPC User Guide, "Publish flow logs to Amazon Data Firehose").

use model::Scope;
use serde_json::json;

use super::{StreamStore, call_stream};
use crate::{SinkError, SinkErrorKind};

/// Why a stream cannot take a flow log's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undeliverable {
    /// There is no such stream.
    NoSuchStream,
    /// It must not be looked at.
    AccessDenied,
    /// It is not active, or takes its records from elsewhere: its `DeliveryStreamStatus` and `DeliveryStreamType`.
    NotReady(String, String),
    /// Firehose cannot be asked now.
    Unknown(SinkError),
}

/// Whether a flow log may be created that delivers to a stream: one for direct puts that is active. Changes nothing.
///
/// # Errors
///
/// Why not.
pub async fn check_new_delivery(
    store: &dyn StreamStore,
    scope: Scope,
    name: &str,
) -> Result<(), Undeliverable> {
    let body = json!({ "DeliveryStreamName": name }).to_string();
    let described = call_stream(store, scope, "DescribeDeliveryStream", body).await;
    let answer = described.map_err(|error| match error.kind {
        SinkErrorKind::NotFound => Undeliverable::NoSuchStream,
        SinkErrorKind::Access => Undeliverable::AccessDenied,
        _ => Undeliverable::Unknown(error),
    })?;
    let text = |field: &str| {
        let value = &answer["DeliveryStreamDescription"][field];
        value.as_str().unwrap_or_default().to_owned()
    };
    match (text("DeliveryStreamStatus"), text("DeliveryStreamType")) {
        (status, kind) if status == "ACTIVE" && kind == "DirectPut" => Ok(()),
        (status, kind) => Err(Undeliverable::NotReady(status, kind)),
    }
}

/// Tags a stream as AWS does, for its service-linked role delivers to streams with this tag.
///
/// # Errors
///
/// If it could not be tagged.
pub async fn enable_log_delivery(
    store: &dyn StreamStore,
    scope: Scope,
    name: &str,
) -> Result<(), SinkError> {
    let tag = json!({ "Key": "LogDeliveryEnabled", "Value": "true" });
    let body = json!({ "DeliveryStreamName": name, "Tags": [tag] }).to_string();
    let tagged = call_stream(store, scope, "TagDeliveryStream", body).await;
    tagged.map(drop)
}
