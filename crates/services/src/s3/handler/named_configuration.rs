//! Configurations of which a bucket has several, each with an id: of analytics, inventories, metrics and tiers. They
//! are kept as they were put; Weir does not act on them.

use std::collections::BTreeMap;

use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, s3_error};

use super::configuration::{STATUSES, no_such_configuration, one_of};
use super::{Answer, answer};
use crate::s3::S3;
use crate::s3::bucket::Setting;

/// Most configurations of a kind ("Amazon S3 Inventory" and its like have the same limit).
const CONFIGURATIONS_MAX: usize = 1000;

macro_rules! named_configurations {
    ($($setting:ident $configuration:ident: $kept:ident in $list:ident;
        $get:ident($get_input:ident) -> $get_output:ident,
        $put:ident($put_input:ident) -> $put_output:ident,
        $delete:ident($delete_input:ident) -> $delete_output:ident,
        $all:ident($all_input:ident) -> $all_output:ident;)*) => {
        $(
            pub(super) async fn $get(s3: &S3, req: S3Request<$get_input>) -> Answer<$get_output> {
                let $get_input { bucket, id, .. } = req.input;
                let kept: Option<BTreeMap<String, $configuration>> =
                    s3.kept(bucket, Setting::$setting).await?;
                let found = kept.unwrap_or_default().remove(&id);
                answer($get_output {
                    $kept: Some(found.ok_or_else(no_such_configuration)?),
                })
            }

            pub(super) async fn $put(s3: &S3, req: S3Request<$put_input>) -> Answer<$put_output> {
                let $put_input { bucket, id, $kept, .. } = req.input;
                if id != $kept.id {
                    return Err(s3_error!(InvalidArgument, "Document ID does not match the specified configuration ID."));
                }
                $kept.check()?;
                s3.edit(bucket, Setting::$setting, move |all: &mut BTreeMap<String, $configuration>| {
                    if all.len() >= CONFIGURATIONS_MAX && !all.contains_key(&id) {
                        return Err(too_many());
                    }
                    all.insert(id, $kept);
                    Ok(())
                })
                .await?;
                answer($put_output::default())
            }

            pub(super) async fn $delete(s3: &S3, req: S3Request<$delete_input>) -> Answer<$delete_output> {
                let $delete_input { bucket, id, .. } = req.input;
                s3.edit(bucket, Setting::$setting, move |all: &mut BTreeMap<String, $configuration>| {
                    all.remove(&id).map(drop).ok_or_else(no_such_configuration)
                })
                .await?;
                answer($delete_output::default())
            }

            /// All of them in one page.
            pub(super) async fn $all(s3: &S3, req: S3Request<$all_input>) -> Answer<$all_output> {
                let kept: Option<BTreeMap<String, $configuration>> =
                    s3.kept(req.input.bucket, Setting::$setting).await?;
                let kept = kept.unwrap_or_default();
                answer($all_output {
                    $list: (!kept.is_empty()).then(|| kept.into_values().collect()),
                    is_truncated: Some(false),
                    ..Default::default()
                })
            }
        )*
    };
}

named_configurations! {
    IntelligentTiering IntelligentTieringConfiguration: intelligent_tiering_configuration in intelligent_tiering_configuration_list;
        get_bucket_intelligent_tiering_configuration(GetBucketIntelligentTieringConfigurationInput) -> GetBucketIntelligentTieringConfigurationOutput,
        put_bucket_intelligent_tiering_configuration(PutBucketIntelligentTieringConfigurationInput) -> PutBucketIntelligentTieringConfigurationOutput,
        delete_bucket_intelligent_tiering_configuration(DeleteBucketIntelligentTieringConfigurationInput) -> DeleteBucketIntelligentTieringConfigurationOutput,
        list_bucket_intelligent_tiering_configurations(ListBucketIntelligentTieringConfigurationsInput) -> ListBucketIntelligentTieringConfigurationsOutput;
    Analytics AnalyticsConfiguration: analytics_configuration in analytics_configuration_list;
        get_bucket_analytics_configuration(GetBucketAnalyticsConfigurationInput) -> GetBucketAnalyticsConfigurationOutput,
        put_bucket_analytics_configuration(PutBucketAnalyticsConfigurationInput) -> PutBucketAnalyticsConfigurationOutput,
        delete_bucket_analytics_configuration(DeleteBucketAnalyticsConfigurationInput) -> DeleteBucketAnalyticsConfigurationOutput,
        list_bucket_analytics_configurations(ListBucketAnalyticsConfigurationsInput) -> ListBucketAnalyticsConfigurationsOutput;
    Inventory InventoryConfiguration: inventory_configuration in inventory_configuration_list;
        get_bucket_inventory_configuration(GetBucketInventoryConfigurationInput) -> GetBucketInventoryConfigurationOutput,
        put_bucket_inventory_configuration(PutBucketInventoryConfigurationInput) -> PutBucketInventoryConfigurationOutput,
        delete_bucket_inventory_configuration(DeleteBucketInventoryConfigurationInput) -> DeleteBucketInventoryConfigurationOutput,
        list_bucket_inventory_configurations(ListBucketInventoryConfigurationsInput) -> ListBucketInventoryConfigurationsOutput;
    Metrics MetricsConfiguration: metrics_configuration in metrics_configuration_list;
        get_bucket_metrics_configuration(GetBucketMetricsConfigurationInput) -> GetBucketMetricsConfigurationOutput,
        put_bucket_metrics_configuration(PutBucketMetricsConfigurationInput) -> PutBucketMetricsConfigurationOutput,
        delete_bucket_metrics_configuration(DeleteBucketMetricsConfigurationInput) -> DeleteBucketMetricsConfigurationOutput,
        list_bucket_metrics_configurations(ListBucketMetricsConfigurationsInput) -> ListBucketMetricsConfigurationsOutput;
}

/// A configuration that may have words of AWS's schema in it.
trait Words {
    /// Refuses words that the schema does not know.
    fn check(&self) -> S3Result<()> {
        Ok(())
    }
}

impl Words for AnalyticsConfiguration {}
impl Words for MetricsConfiguration {}

impl Words for IntelligentTieringConfiguration {
    fn check(&self) -> S3Result<()> {
        one_of(self.status.as_str(), STATUSES)?;
        let tiers = ["ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"];
        let mut own = self.tierings.iter();
        own.try_for_each(|tiering| one_of(tiering.access_tier.as_str(), &tiers))
    }
}

impl Words for InventoryConfiguration {
    fn check(&self) -> S3Result<()> {
        one_of(self.included_object_versions.as_str(), &["All", "Current"])?;
        one_of(self.schedule.frequency.as_str(), &["Daily", "Weekly"])?;
        let format = &self.destination.s3_bucket_destination.format;
        one_of(format.as_str(), &["CSV", "ORC", "Parquet"])
    }
}

fn too_many() -> S3Error {
    let code = S3ErrorCode::Custom("TooManyConfigurations".into());
    let mut error = S3Error::with_message(
        code,
        "You are attempting to create a new configuration but have already reached the 1,000-configuration limit.",
    );
    error.set_status_code(http::StatusCode::BAD_REQUEST);
    error
}
