//! Destinations in S3: `ExtendedS3DestinationConfiguration`, and the older `S3DestinationConfiguration`, which backups
//! have too.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Buffering, BufferingHints, CloudWatchLoggingOptions, ProcessingConfiguration, required_arn,
};
use crate::firehose::input::{bucket_arn, one_of, role_arn, text};
use crate::firehose::prefix::Prefixes;
use crate::firehose::store::FirehoseError;

/// Objects in a bucket.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct S3Destination {
    #[serde(rename = "RoleARN")]
    role_arn: Option<String>,
    #[serde(rename = "BucketARN")]
    bucket_arn: Option<String>,
    prefix: Option<String>,
    error_output_prefix: Option<String>,
    buffering_hints: BufferingHints,
    compression_format: Option<String>,
    encryption_configuration: Option<EncryptionConfiguration>,
    cloud_watch_logging_options: CloudWatchLoggingOptions,
    // From here on: of the extended ones only.
    pub(super) processing_configuration: ProcessingConfiguration,
    s3_backup_mode: Option<String>,
    s3_backup_configuration: Option<Box<S3Destination>>,
    data_format_conversion_configuration: Option<Value>,
    dynamic_partitioning_configuration: Option<Value>,
    file_extension: Option<String>,
    custom_time_zone: Option<String>,
}

/// `EncryptionConfiguration`: kept and shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct EncryptionConfiguration {
    #[serde(rename = "NoEncryptionConfig", skip_serializing_if = "Option::is_none")]
    none: Option<String>,
    #[serde(
        rename = "KMSEncryptionConfig",
        skip_serializing_if = "Option::is_none"
    )]
    kms: Option<KmsEncryptionConfig>,
}

/// `KMSEncryptionConfig`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct KmsEncryptionConfig {
    #[serde(rename = "AWSKMSKeyARN")]
    key_arn: Option<String>,
}

const COMPRESSIONS: [&str; 5] = ["UNCOMPRESSED", "GZIP", "ZIP", "Snappy", "HADOOP_SNAPPY"];

impl S3Destination {
    /// Without what the older kind has no members for.
    pub(super) fn plain(self) -> Self {
        Self {
            processing_configuration: ProcessingConfiguration::default(),
            s3_backup_mode: None,
            s3_backup_configuration: None,
            data_format_conversion_configuration: None,
            dynamic_partitioning_configuration: None,
            file_extension: None,
            custom_time_zone: None,
            ..self
        }
    }

    /// Checked, and with all defaults in place.
    pub(super) fn checked(mut self, path: &str) -> Result<Self, FirehoseError> {
        let member = |name: &str| format!("{path}.{name}");
        role_arn(
            &required_arn(&self.role_arn, &member("roleARN"))?,
            &member("roleARN"),
        )?;
        bucket_arn(
            &required_arn(&self.bucket_arn, &member("bucketARN"))?,
            &member("bucketARN"),
        )?;
        for (value, name) in [
            (&self.prefix, "prefix"),
            (&self.error_output_prefix, "errorOutputPrefix"),
        ] {
            let value = value.as_deref().unwrap_or_default();
            text(value, &member(name), (0, 1024), ".*", |text| {
                !text.contains(['\n', '\r'])
            })?;
        }
        let extension = self.file_extension.as_deref().unwrap_or_default();
        let pattern = "^$|\\.[0-9a-z!\\-_.*'()]+";
        text(
            extension,
            &member("fileExtension"),
            (0, 128),
            pattern,
            |text| {
                let allowed = |b: u8| {
                    b.is_ascii_lowercase() || b.is_ascii_digit() || b"!-_.*'()".contains(&b)
                };
                text.is_empty()
                    || (text.len() > 1 && text.starts_with('.') && text.bytes().all(allowed))
            },
        )?;
        let zone = self.custom_time_zone.as_deref().unwrap_or_default();
        text(
            zone,
            &member("customTimeZone"),
            (0, 50),
            "^$|[a-zA-Z/_]+",
            |text| {
                text.bytes()
                    .all(|b| b.is_ascii_alphabetic() || b"/_".contains(&b))
            },
        )?;
        self.buffering_hints.check(path, 128)?;
        self.processing_configuration.check(path)?;
        let compression = one_of(
            self.compression_format.take(),
            &member("compressionFormat"),
            &COMPRESSIONS,
            "UNCOMPRESSED",
        )?;
        if !COMPRESSIONS[..2].contains(&compression.as_str()) {
            return Err(FirehoseError::invalid(format!(
                "CompressionFormat {compression} is not supported."
            )));
        }
        self.compression_format = Some(compression);
        self.refuse_unsupported()?;
        self.prefixes_of_configuration()
            .map_err(FirehoseError::InvalidArgument)?;
        let mode = self.s3_backup_mode.take();
        let mode = one_of(
            mode,
            &member("s3BackupMode"),
            &["Disabled", "Enabled"],
            "Disabled",
        )?;
        if let Some(backup) = self.s3_backup_configuration.take() {
            let backup = backup.plain().checked(&member("s3BackupConfiguration"))?;
            self.s3_backup_configuration = Some(Box::new(backup));
        } else if mode == "Enabled" {
            return Err(FirehoseError::invalid(
                "S3BackupConfiguration must be given when S3BackupMode is Enabled.",
            ));
        }
        self.s3_backup_mode = Some(mode);
        Ok(self)
    }

    /// What would change what objects hold, and is not done here.
    fn refuse_unsupported(&self) -> Result<(), FirehoseError> {
        for (value, name, default) in [
            // Without `Enabled`, a conversion is on and a partitioning off.
            (
                &self.data_format_conversion_configuration,
                "DataFormatConversionConfiguration",
                true,
            ),
            (
                &self.dynamic_partitioning_configuration,
                "DynamicPartitioningConfiguration",
                false,
            ),
        ] {
            let Some(value) = value.as_ref().filter(|value| !value.is_null()) else {
                continue;
            };
            if !value.is_object() {
                return Err(super::not_a_structure());
            }
            let enabled = value.get("Enabled").and_then(Value::as_bool);
            if enabled.unwrap_or(default) {
                return Err(FirehoseError::invalid(format!("{name} is not supported.")));
            }
        }
        Ok(())
    }

    fn prefixes_of_configuration(&self) -> Result<Prefixes, String> {
        Prefixes::parse(
            self.prefix.as_deref(),
            self.error_output_prefix.as_deref(),
            self.custom_time_zone.as_deref(),
        )
    }

    /// `S3DestinationDescription`.
    pub(super) fn describe_plain(&self) -> Value {
        let encryption = match &self.encryption_configuration {
            Some(kept) => json!(kept),
            None => json!({ "NoEncryptionConfig": "NoEncryption" }),
        };
        let mut description = json!({
            "RoleARN": self.role_arn,
            "BucketARN": self.bucket_arn,
            "BufferingHints": self.buffering_hints,
            "CompressionFormat": self.compression_format,
            "EncryptionConfiguration": encryption,
            "CloudWatchLoggingOptions": self.cloud_watch_logging_options,
        });
        for (name, value) in [
            ("Prefix", &self.prefix),
            ("ErrorOutputPrefix", &self.error_output_prefix),
        ] {
            if let Some(value) = value {
                description[name] = value.as_str().into();
            }
        }
        description
    }

    /// `ExtendedS3DestinationDescription`.
    pub(super) fn describe(&self) -> Value {
        let off = || json!({ "Enabled": false });
        let mut description = self.describe_plain();
        description["ProcessingConfiguration"] = json!(self.processing_configuration);
        description["S3BackupMode"] = json!(self.s3_backup_mode);
        description["DataFormatConversionConfiguration"] =
            (self.data_format_conversion_configuration.clone()).unwrap_or_else(off);
        // Unlike the others it is not there unless it was given: Terraform would replace the stream.
        if let Some(partitioning) = &self.dynamic_partitioning_configuration {
            description["DynamicPartitioningConfiguration"] = partitioning.clone();
        }
        if let Some(backup) = &self.s3_backup_configuration {
            description["S3BackupDescription"] = backup.describe_plain();
        }
        let zone = self.custom_time_zone.as_deref().filter(|z| !z.is_empty());
        description["CustomTimeZone"] = zone.unwrap_or("UTC").into();
        if let Some(extension) = &self.file_extension {
            description["FileExtension"] = extension.as_str().into();
        }
        description
    }

    pub(crate) fn buffering(&self) -> Buffering {
        self.buffering_hints.buffering(None)
    }

    pub(super) fn backup(&self) -> Option<&S3Destination> {
        let enabled = self.s3_backup_mode.as_deref() == Some("Enabled");
        self.s3_backup_configuration.as_deref().filter(|_| enabled)
    }

    /// The bucket's name.
    pub(crate) fn bucket(&self) -> &str {
        let arn = self.bucket_arn.as_deref().unwrap_or_default();
        arn.rsplit(':').next().unwrap_or_default()
    }

    /// Who puts the objects.
    pub(crate) fn role_arn(&self) -> &str {
        self.role_arn.as_deref().unwrap_or_default()
    }

    /// Whether objects are gzipped.
    pub(crate) fn gzips(&self) -> bool {
        self.compression_format.as_deref() == Some("GZIP")
    }

    /// How names of objects begin.
    pub(crate) fn prefixes(&self) -> Result<Prefixes, String> {
        self.prefixes_of_configuration()
    }

    /// How names of objects end: as configured, else as the compression asks for.
    pub(crate) fn extension(&self) -> &str {
        match self.file_extension.as_deref() {
            Some(own) if !own.is_empty() => own,
            _ if self.gzips() => ".gz",
            _ => "",
        }
    }
}
