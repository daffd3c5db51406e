//! A flow log's files as a table of the Glue catalogue (Amazon Athena User Guide, "Query Amazon VPC flow logs").

use model::{FileFormat, FlowLog, FlowLogField, FlowLogId, LogDestination, Scope, flow_log_format};
use serde_json::{Map, Value, json};

use super::integration::{Date, Integration};
use crate::Error;

/// What all tables of a flow log have in common.
pub(super) struct Table {
    pub(super) flow_log_id: FlowLogId,
    pub(super) fields: Vec<FlowLogField>,
    /// The bucket.
    pub(super) bucket: String,
    /// What all keys begin with, up to the day.
    pub(super) folder: String,
    pub(super) hive: bool,
    pub(super) per_hour: bool,
    file_format: FileFormat,
}

impl Table {
    /// # Errors
    ///
    /// If the flow log does not deliver to S3, or an older version kept a format that cannot be read.
    pub(super) fn of(scope: Scope, flow_log: &FlowLog) -> Result<Self, Error> {
        let (
            LogDestination::S3 {
                per_hour_partition,
                file_format,
                ..
            },
            Some((bucket, folder)),
        ) = (&flow_log.destination, flow_log.destination.folder(scope))
        else {
            return Err(Error::NotFound(flow_log.id.into()));
        };
        Ok(Self {
            flow_log_id: flow_log.id,
            fields: flow_log_format::parse(&flow_log.log_format)
                .map_err(|error| Error::new(error.code(), error.to_string()))?,
            bucket: bucket.to_owned(),
            folder: folder.of_flow_logs(),
            hive: folder.hive_compatible_partitions,
            per_hour: *per_hour_partition,
            file_format: *file_format,
        })
    }

    /// Names of Athena have no hyphens.
    fn id(&self) -> String {
        self.flow_log_id.to_string().replace('-', "")
    }

    pub(super) fn database(&self) -> String {
        format!("vpcflowlogsathenadatabase{}", self.id())
    }

    pub(super) fn name(&self, integration: &Integration) -> String {
        let dates = integration
            .dates
            .map(|(first, last)| format!("{first}{last}"));
        format!(
            "{}{}{}",
            self.id(),
            integration.frequency.name(),
            dates.unwrap_or_default()
        )
    }

    /// Whether the records have all of some fields.
    pub(super) fn has(&self, fields: &[FlowLogField]) -> bool {
        fields.iter().all(|field| self.fields.contains(field))
    }

    pub(super) fn resource(&self, integration: &Integration, name: &str) -> Value {
        json!({
            "Type": "AWS::Glue::Table",
            "DependsOn": "Database",
            "Properties": {
                "CatalogId": { "Ref": "AWS::AccountId" },
                "DatabaseName": self.database(),
                "TableInput": {
                    "Name": name,
                    "TableType": "EXTERNAL_TABLE",
                    "PartitionKeys": self.partition_keys().map(|key| json!({ "Name": key, "Type": "int" })).collect::<Vec<_>>(),
                    "Parameters": self.parameters(integration),
                    "StorageDescriptor": self.storage(),
                },
            },
        })
    }

    pub(super) fn partition_keys(&self) -> impl Iterator<Item = &'static str> {
        let hour = self.per_hour.then_some("hour");
        ["year", "month", "day"].into_iter().chain(hour)
    }

    fn storage(&self) -> Value {
        let (input, output, library, options) = match self.file_format {
            FileFormat::PlainText => (
                "org.apache.hadoop.mapred.TextInputFormat",
                "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                json!({ "field.delim": " ", "serialization.format": " " }),
            ),
            FileFormat::Parquet => (
                "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                json!({ "serialization.format": "1" }),
            ),
        };
        json!({
            "Columns": self.columns(),
            "Location": format!("s3://{}/{}", self.bucket, self.folder),
            "InputFormat": input,
            "OutputFormat": output,
            "SerdeInfo": { "SerializationLibrary": library, "Parameters": options },
        })
    }

    /// In the order of the format, which is that of text. A field that text has twice gets a number the second time.
    fn columns(&self) -> Vec<Value> {
        let mut names: Vec<String> = Vec::new();
        for field in &self.fields {
            let name = column(*field);
            let numbered = (2..).map(|number| format!("{name}_{number}"));
            let is_taken = |name: &String| {
                names.contains(name)
                    || self
                        .fields
                        .iter()
                        .any(|f| f != field && column(*f) == *name)
            };
            let free = std::iter::once(name.clone())
                .chain(numbered)
                .find(|name| !is_taken(name));
            names.extend(free);
        }
        let types = self.fields.iter().map(|field| column_type(*field));
        let column = |(name, of): (String, &str)| json!({ "Name": name, "Type": of });
        names.into_iter().zip(types).map(column).collect()
    }

    /// Dates that are known become partitions that need no loading ("Partition projection with Amazon Athena").
    fn parameters(&self, integration: &Integration) -> Value {
        let mut parameters = Map::new();
        let mut put = |name: &str, value: &str| parameters.insert(name.to_owned(), json!(value));
        put("EXTERNAL", "TRUE");
        if self.file_format == FileFormat::PlainText {
            put("skip.header.line.count", "1");
        }
        let Some((first, last)) = integration.dates else {
            return parameters.into();
        };
        put("projection.enabled", "true");
        let ranges = ranges(first, last);
        for (key, (low, high)) in self.partition_keys().zip(ranges) {
            put(&format!("projection.{key}.type"), "integer");
            put(&format!("projection.{key}.range"), &format!("{low},{high}"));
            if key != "year" {
                put(&format!("projection.{key}.digits"), "2");
            }
        }
        let named = |key: &str| match self.hive {
            true => format!("{key}=${{{key}}}"),
            false => format!("${{{key}}}"),
        };
        let folders: Vec<_> = self.partition_keys().map(named).collect();
        let location = format!("s3://{}/{}{}/", self.bucket, self.folder, folders.join("/"));
        put("storage.location.template", &location);
        parameters.into()
    }
}

/// The least ranges of year, month, day and hour that hold all days from the first to the last.
fn ranges(first: Date, last: Date) -> [(u16, u16); 4] {
    let same_year = first.year == last.year;
    let same_month = same_year && first.month == last.month;
    let of = |is_exact: bool, low: u8, high: u8, whole: (u16, u16)| match is_exact {
        true => (u16::from(low), u16::from(high)),
        false => whole,
    };
    [
        (first.year, last.year),
        of(same_year, first.month, last.month, (1, 12)),
        of(same_month, first.day, last.day, (1, 31)),
        (0, 23),
    ]
}

/// A field as a column is called.
pub(super) fn column(field: FlowLogField) -> String {
    field.name().replace('-', "_")
}

fn column_type(field: FlowLogField) -> &'static str {
    match field {
        FlowLogField::Version
        | FlowLogField::Srcport
        | FlowLogField::Dstport
        | FlowLogField::Protocol
        | FlowLogField::TcpFlags
        | FlowLogField::TrafficPath
        | FlowLogField::EncryptionStatus => "int",
        FlowLogField::Packets | FlowLogField::Bytes | FlowLogField::Start | FlowLogField::End => {
            "bigint"
        }
        _ => "string",
    }
}
