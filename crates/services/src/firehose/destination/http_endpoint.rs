//! HTTP endpoints as destinations: `HttpEndpointDestinationConfiguration`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Buffering, BufferingHints, CloudWatchLoggingOptions, ProcessingConfiguration, S3Destination,
};
use crate::firehose::input::{constraint, number, one_of, required, role_arn, text};
use crate::firehose::store::FirehoseError;

/// Requests to an HTTP endpoint, and a bucket for what it does not take.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct HttpEndpointDestination {
    endpoint_configuration: Option<EndpointConfiguration>,
    buffering_hints: BufferingHints,
    cloud_watch_logging_options: CloudWatchLoggingOptions,
    request_configuration: RequestConfiguration,
    pub(super) processing_configuration: ProcessingConfiguration,
    #[serde(rename = "RoleARN")]
    role_arn: Option<String>,
    retry_options: RetryOptions,
    s3_backup_mode: Option<String>,
    s3_configuration: Option<S3Destination>,
    secrets_manager_configuration: Option<Value>,
}

/// Where the endpoint is, and what it lets in.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct EndpointConfiguration {
    url: Option<String>,
    name: Option<String>,
    access_key: Option<String>,
}

impl fmt::Debug for EndpointConfiguration {
    /// Without the access key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointConfiguration")
            .field("url", &self.url)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RequestConfiguration {
    content_encoding: Option<String>,
    common_attributes: Vec<CommonAttribute>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct CommonAttribute {
    attribute_name: String,
    attribute_value: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RetryOptions {
    duration_in_seconds: Option<i64>,
}

/// The most that one request carries: records, and bytes of its body before compression.
const RECORDS_MAX: u64 = 10_000;
const BODY_MAX: u64 = 64 << 20;

impl HttpEndpointDestination {
    /// Checked, and with all defaults in place.
    pub(super) fn checked(mut self, path: &str) -> Result<Self, FirehoseError> {
        let member = |name: &str| format!("{path}.{name}");
        let endpoint = self.endpoint_configuration.as_ref();
        required(endpoint, &member("endpointConfiguration"))?.check(path)?;
        if let Some(arn) = &self.role_arn {
            role_arn(arn, &member("roleARN"))?;
        }
        self.buffering_hints.check(path, 64)?;
        self.processing_configuration.check(path)?;
        self.request_configuration.check(path)?;
        let duration = number(
            self.retry_options.duration_in_seconds,
            &member("retryOptions.durationInSeconds"),
            (0, 7200),
            300,
        )?;
        self.retry_options.duration_in_seconds = Some(duration);
        let modes = ["FailedDataOnly", "AllData"];
        let mode = self.s3_backup_mode.take();
        self.s3_backup_mode = Some(one_of(mode, &member("s3BackupMode"), &modes, modes[0])?);
        let secrets = self.secrets_manager_configuration.as_ref();
        if secrets
            .and_then(|s| s.get("Enabled"))
            .and_then(Value::as_bool)
            == Some(true)
        {
            return Err(FirehoseError::invalid(
                "SecretsManagerConfiguration is not supported.",
            ));
        }
        let bucket = required(self.s3_configuration.take(), &member("s3Configuration"))?;
        self.s3_configuration = Some(bucket.plain().checked(&member("s3Configuration"))?);
        Ok(self)
    }

    /// `HttpEndpointDestinationDescription`: the access key is never shown.
    pub(super) fn describe(&self) -> Value {
        let endpoint = self.endpoint_configuration.clone().unwrap_or_default();
        let mut shown = json!({ "Url": endpoint.url });
        if let Some(name) = endpoint.name {
            shown["Name"] = name.into();
        }
        let mut description = json!({
            "EndpointConfiguration": shown,
            "BufferingHints": self.buffering_hints,
            "CloudWatchLoggingOptions": self.cloud_watch_logging_options,
            "RequestConfiguration": self.request_configuration,
            "ProcessingConfiguration": self.processing_configuration,
            "RetryOptions": self.retry_options,
            "S3BackupMode": self.s3_backup_mode,
            "S3DestinationDescription": self.bucket().describe_plain(),
            "SecretsManagerConfiguration":
                self.secrets_manager_configuration.clone().unwrap_or_else(|| json!({ "Enabled": false })),
        });
        if let Some(role) = &self.role_arn {
            description["RoleARN"] = role.as_str().into();
        }
        description
    }

    pub(super) fn buffering(&self) -> Buffering {
        self.buffering_hints
            .buffering(Some((RECORDS_MAX, BODY_MAX)))
    }

    pub(super) fn backup(&self) -> Option<&S3Destination> {
        let all = self.s3_backup_mode.as_deref() == Some("AllData");
        all.then(|| self.bucket())
    }

    /// Where records go that the endpoint does not take.
    pub(crate) fn bucket(&self) -> &S3Destination {
        static NONE: std::sync::LazyLock<S3Destination> =
            std::sync::LazyLock::new(S3Destination::default);
        self.s3_configuration.as_ref().unwrap_or(&NONE)
    }

    /// Where requests go.
    pub(crate) fn url(&self) -> &str {
        let endpoint = self.endpoint_configuration.as_ref();
        endpoint.and_then(|e| e.url.as_deref()).unwrap_or_default()
    }

    /// What the endpoint wants to see.
    pub(crate) fn access_key(&self) -> Option<&str> {
        let endpoint = self.endpoint_configuration.as_ref()?;
        endpoint.access_key.as_deref().filter(|key| !key.is_empty())
    }

    /// The value of the header for common attributes, if there are any.
    pub(crate) fn common_attributes(&self) -> Option<String> {
        let attributes = &self.request_configuration.common_attributes;
        let pairs = attributes
            .iter()
            .map(|a| (a.attribute_name.clone(), a.attribute_value.clone().into()));
        let pairs: serde_json::Map<String, Value> = pairs.collect();
        (!pairs.is_empty()).then(|| json!({ "commonAttributes": pairs }).to_string())
    }

    /// Whether bodies are gzipped.
    pub(crate) fn gzips(&self) -> bool {
        self.request_configuration.content_encoding.as_deref() == Some("GZIP")
    }

    /// How long a request is tried again, in milliseconds.
    pub(crate) fn retry_ms(&self) -> i64 {
        self.retry_options.duration_in_seconds.unwrap_or(300) * 1000
    }
}

/// What a header can carry.
fn is_header_text(text: &str) -> bool {
    text.chars().all(|c| c == ' ' || c.is_ascii_graphic())
}

impl EndpointConfiguration {
    fn check(&self, path: &str) -> Result<(), FirehoseError> {
        let member = |name: &str| format!("{path}.endpointConfiguration.{name}");
        let url = required(self.url.as_deref(), &member("url"))?;
        text(url, &member("url"), (1, 1000), "https?://.*", |url| {
            url.starts_with("https://") || url.starts_with("http://")
        })?;
        let parsed: Option<http::Uri> = url.parse().ok();
        let authority = parsed.as_ref().and_then(http::Uri::authority);
        if authority.is_none_or(|a| a.host().is_empty() || a.as_str().contains('@')) {
            return Err(FirehoseError::invalid(format!("Url {url} is not valid.")));
        }
        if let Some(name) = &self.name {
            text(name, &member("name"), (1, 256), "^(?!\\s*$).+", |name| {
                !name.trim().is_empty()
            })?;
        }
        let key = self.access_key.as_deref().unwrap_or_default();
        if key.chars().count() > 4096 || !is_header_text(key) {
            // It is not to be seen in messages.
            let rule = "Member must have length less than or equal to 4096 and be printable ASCII";
            return Err(constraint("****", &member("accessKey"), rule));
        }
        Ok(())
    }
}

impl RequestConfiguration {
    fn check(&mut self, path: &str) -> Result<(), FirehoseError> {
        let member = |name: &str| format!("{path}.requestConfiguration.{name}");
        let encoding = self.content_encoding.take();
        let encodings = ["NONE", "GZIP"];
        self.content_encoding = Some(one_of(
            encoding,
            &member("contentEncoding"),
            &encodings,
            "NONE",
        )?);
        let list = member("commonAttributes");
        if self.common_attributes.len() > 50 {
            let count = format!("[{} attributes]", self.common_attributes.len());
            let rule = "Member must have length less than or equal to 50";
            return Err(constraint(&count, &list, rule));
        }
        for (index, attribute) in self.common_attributes.iter().enumerate() {
            let member = |name: &str| format!("{list}.{}.member.{name}", index + 1);
            let name = &attribute.attribute_name;
            text(
                name,
                &member("attributeName"),
                (1, 256),
                "^(?!\\s*$).+",
                |name| !name.trim().is_empty() && is_header_text(name),
            )?;
            let value = &attribute.attribute_value;
            text(
                value,
                &member("attributeValue"),
                (0, 1024),
                ".*",
                is_header_text,
            )?;
            let earlier = &self.common_attributes[..index];
            if earlier.iter().any(|other| other.attribute_name == *name) {
                return Err(FirehoseError::invalid(format!(
                    "The common attribute {name} is given twice."
                )));
            }
        }
        Ok(())
    }
}
