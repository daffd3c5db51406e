//! Where a delivery stream delivers, as it is configured, stored and described.

mod http_endpoint;
mod s3;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub(crate) use self::http_endpoint::HttpEndpointDestination;
pub(crate) use self::s3::S3Destination;
use super::input::{constraint, number, required, text};
use super::store::FirehoseError;

/// The only id of a destination.
pub(crate) const DESTINATION_ID: &str = "destinationId-000000000001";

/// The destination of a stream, checked, with all that was left out filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Destination {
    /// Objects in a bucket.
    S3(Box<S3Destination>),
    /// Requests to an HTTP endpoint.
    HttpEndpoint(Box<HttpEndpointDestination>),
}

/// Destinations that AWS has and Weir has not, by how their members begin.
const UNSUPPORTED: [&str; 8] = [
    "Redshift",
    "Elasticsearch",
    "Amazonopensearchservice",
    "AmazonOpenSearchServerless",
    "Splunk",
    "Snowflake",
    "Iceberg",
    "Database",
];

/// Sources that AWS has and Weir has not: records are put into its streams.
const SOURCES: [&str; 3] = [
    "DatabaseSourceConfiguration",
    "KinesisStreamSourceConfiguration",
    "MSKSourceConfiguration",
];

/// The members of CreateDeliveryStream or UpdateDestination that name a destination.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Given(Map<String, Value>);

impl Given {
    /// Whether an HTTP endpoint is among them.
    pub(crate) fn has_http_endpoint(&self) -> bool {
        self.0.keys().any(|name| name.starts_with("HttpEndpoint"))
    }

    /// The one destination, as its kind and what is said of it; `ending` is `Configuration` or `Update`.
    fn one(&mut self, ending: &str) -> Result<(Kind, Value), FirehoseError> {
        for (name, value) in &self.0 {
            let known = UNSUPPORTED.iter().any(|kind| {
                name.strip_prefix(kind)
                    .is_some_and(|rest| rest == format!("Destination{ending}"))
            }) || SOURCES.contains(&name.as_str());
            if known && !value.is_null() {
                return Err(FirehoseError::invalid(format!("{name} is not supported.")));
            }
        }
        let kinds = [
            (Kind::S3, "S3Destination"),
            (Kind::ExtendedS3, "ExtendedS3Destination"),
            (Kind::HttpEndpoint, "HttpEndpointDestination"),
        ];
        let given = kinds.into_iter().filter_map(|(kind, name)| {
            let value = self.0.remove(&format!("{name}{ending}"))?;
            (!value.is_null()).then_some((kind, value))
        });
        let mut given: Vec<_> = given.collect();
        match (given.pop(), given.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(FirehoseError::invalid(
                "Exactly one destination configuration is supported for a Firehose",
            )),
        }
    }
}

/// What a client calls a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    S3,
    ExtendedS3,
    HttpEndpoint,
}

impl Destination {
    /// The destination of a new stream.
    pub(crate) fn create(mut given: Given) -> Result<Self, FirehoseError> {
        let (kind, value) = given.one("Configuration")?;
        Self::read(kind, value)
    }

    /// What becomes of a destination when some of its members are replaced ("UpdateDestination").
    pub(crate) fn update(&self, mut given: Given) -> Result<Self, FirehoseError> {
        let (kind, update) = given.one("Update")?;
        if !update.is_object() {
            return Err(not_a_structure());
        }
        let stored = match (self, kind) {
            (Self::S3(own), Kind::S3 | Kind::ExtendedS3) => serde_json::to_value(own),
            (Self::HttpEndpoint(own), Kind::HttpEndpoint) => serde_json::to_value(own),
            _ => {
                return Err(FirehoseError::invalid(
                    "The type of a destination cannot be changed between Amazon S3 and an HTTP endpoint.",
                ));
            }
        };
        let mut merged = stored.map_err(|_| FirehoseError::InternalFailure)?;
        merge(&mut merged, update);
        let kind = match kind {
            Kind::S3 => Kind::ExtendedS3,
            other => other,
        };
        Self::read(kind, merged)
    }

    fn read(kind: Kind, value: Value) -> Result<Self, FirehoseError> {
        if !value.is_object() {
            return Err(not_a_structure());
        }
        Ok(match kind {
            Kind::S3 => {
                let read: S3Destination = parse(value)?;
                Self::S3(Box::new(
                    read.plain().checked("s3DestinationConfiguration")?,
                ))
            }
            Kind::ExtendedS3 => {
                let read: S3Destination = parse(value)?;
                Self::S3(Box::new(
                    read.checked("extendedS3DestinationConfiguration")?,
                ))
            }
            Kind::HttpEndpoint => {
                let read: HttpEndpointDestination = parse(value)?;
                let path = "httpEndpointDestinationConfiguration";
                Self::HttpEndpoint(Box::new(read.checked(path)?))
            }
        })
    }

    /// `DestinationDescription`: whole, but for secrets.
    pub(crate) fn describe(&self) -> Value {
        match self {
            Self::S3(own) => json!({
                "DestinationId": DESTINATION_ID,
                "S3DestinationDescription": own.describe_plain(),
                "ExtendedS3DestinationDescription": own.describe(),
            }),
            Self::HttpEndpoint(own) => json!({
                "DestinationId": DESTINATION_ID,
                "HttpEndpointDestinationDescription": own.describe(),
            }),
        }
    }

    /// How records are gathered for delivery.
    pub(crate) fn buffering(&self) -> Buffering {
        match self {
            Self::S3(own) => own.buffering(),
            Self::HttpEndpoint(own) => own.buffering(),
        }
    }

    /// Where a copy of every record goes as it came, if that is wanted.
    pub(crate) fn backup(&self) -> Option<&S3Destination> {
        match self {
            Self::S3(own) => own.backup(),
            Self::HttpEndpoint(own) => own.backup(),
        }
    }

    /// What is put between records.
    pub(crate) fn delimiter(&self) -> Option<String> {
        match self {
            Self::S3(own) => own.processing_configuration.delimiter(),
            Self::HttpEndpoint(own) => own.processing_configuration.delimiter(),
        }
    }
}

/// Replaces members; what is about the bucket for backups is merged into it.
fn not_a_structure() -> FirehoseError {
    FirehoseError::Serialization("Start of structure or map found where not expected.".to_owned())
}

fn merge(stored: &mut Value, update: Value) {
    let (Value::Object(stored), Value::Object(update)) = (stored, update) else {
        return;
    };
    for (name, value) in update {
        let backup = match name.as_str() {
            "S3BackupUpdate" => "S3BackupConfiguration",
            "S3Update" => "S3Configuration",
            _ => {
                stored.insert(name, value);
                continue;
            }
        };
        let existing = stored.entry(backup).or_insert_with(|| json!({}));
        if existing.is_null() {
            *existing = json!({});
        }
        merge(existing, value);
    }
}

fn parse<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, FirehoseError> {
    serde_json::from_value(value).map_err(|error| FirehoseError::Serialization(error.to_string()))
}

/// How records are gathered before they are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Buffering {
    /// A buffer of so many bytes is delivered.
    pub(crate) bytes: u64,
    /// A buffer is delivered so long after its first record, in milliseconds.
    pub(crate) interval_ms: i64,
    /// The most records, and the most bytes of a request, that the destination takes at a time.
    pub(crate) limit: Option<(u64, u64)>,
}

/// `BufferingHints`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct BufferingHints {
    #[serde(rename = "SizeInMBs")]
    size_in_mbs: Option<i64>,
    interval_in_seconds: Option<i64>,
}

/// An interval of zero means at once; so long records are gathered all the same.
const SHORTEST_MS: i64 = 1000;

impl BufferingHints {
    fn check(&mut self, path: &str, size_max: i64) -> Result<(), FirehoseError> {
        if self.size_in_mbs.is_some() != self.interval_in_seconds.is_some() {
            return Err(FirehoseError::invalid(
                "BufferingHints must have both SizeInMBs and IntervalInSeconds, or neither.",
            ));
        }
        let path = |member: &str| format!("{path}.bufferingHints.{member}");
        let size = number(self.size_in_mbs, &path("sizeInMBs"), (1, size_max), 5)?;
        let interval = path("intervalInSeconds");
        let interval = number(self.interval_in_seconds, &interval, (0, 900), 300)?;
        self.size_in_mbs = Some(size);
        self.interval_in_seconds = Some(interval);
        Ok(())
    }

    fn buffering(&self, limit: Option<(u64, u64)>) -> Buffering {
        let size = self.size_in_mbs.unwrap_or(5).unsigned_abs();
        Buffering {
            bytes: size << 20,
            interval_ms: (self.interval_in_seconds.unwrap_or(300) * 1000).max(SHORTEST_MS),
            limit,
        }
    }
}

/// `CloudWatchLoggingOptions`: kept and shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct CloudWatchLoggingOptions {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_group_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_stream_name: Option<String>,
}

/// `ProcessingConfiguration`: what is done to records on their way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct ProcessingConfiguration {
    enabled: bool,
    processors: Vec<Processor>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Processor {
    #[serde(rename = "Type")]
    kind: String,
    parameters: Vec<ProcessorParameter>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ProcessorParameter {
    parameter_name: String,
    parameter_value: String,
}

/// AWS's processors.
const PROCESSORS: [&str; 6] = [
    "RecordDeAggregation",
    "Decompression",
    "CloudWatchLogProcessing",
    "Lambda",
    "MetadataExtraction",
    APPEND_DELIMITER,
];
/// The one that Weir has.
const APPEND_DELIMITER: &str = "AppendDelimiterToRecord";

impl ProcessingConfiguration {
    fn check(&self, path: &str) -> Result<(), FirehoseError> {
        for (index, processor) in self.processors.iter().enumerate() {
            let member = |name: &str| {
                let number = index + 1;
                format!("{path}.processingConfiguration.processors.{number}.member.{name}")
            };
            if !PROCESSORS.contains(&processor.kind.as_str()) {
                let rule = format!(
                    "Member must satisfy enum value set: [{}]",
                    PROCESSORS.join(", ")
                );
                return Err(constraint(&processor.kind, &member("type"), &rule));
            }
            // What is not enabled does nothing, so it can do nothing wrong.
            if !self.enabled {
                continue;
            }
            if processor.kind != APPEND_DELIMITER {
                let kind = &processor.kind;
                return Err(FirehoseError::invalid(format!(
                    "The processor {kind} is not supported."
                )));
            }
            for parameter in &processor.parameters {
                if parameter.parameter_name != "Delimiter" {
                    let name = &parameter.parameter_name;
                    return Err(FirehoseError::invalid(format!(
                        "The processor {APPEND_DELIMITER} has no parameter {name}."
                    )));
                }
                let value = &parameter.parameter_value;
                text(
                    value,
                    &member("parameters.parameterValue"),
                    (1, 5120),
                    ".+",
                    |_| true,
                )?;
            }
        }
        Ok(())
    }

    /// What is put after each record.
    fn delimiter(&self) -> Option<String> {
        let processor = self.processors.iter().find(|p| p.kind == APPEND_DELIMITER);
        let parameters = &processor.filter(|_| self.enabled)?.parameters;
        let given = parameters.first().map(|p| p.parameter_value.as_str());
        // As consoles and templates write it.
        let text = given.unwrap_or("\\n").replace("\\n", "\n");
        Some(text.replace("\\r", "\r").replace("\\t", "\t"))
    }
}

/// A destination of flow logs and backups must name its role.
fn required_arn(value: &Option<String>, member: &str) -> Result<String, FirehoseError> {
    required(value.clone(), member)
}
