//! AWS's layout of flow log files in S3 (Amazon VPC User Guide, "Flow log files").

use std::time::Duration;

use model::{FileFormat, FlowLogId, LogFolder, Scope, Timestamp};

/// A file holds records of five minutes, by their `end`.
pub const SLOT: Duration = Duration::from_secs(300);

/// What decides a file's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Key<'a> {
    /// The account and Region of the flow log.
    pub scope: Scope,
    /// The flow log.
    pub flow_log_id: FlowLogId,
    /// The prefix that the flow log's owner chose, without a slash at its end; may be empty.
    pub prefix: &'a str,
    /// Folders of the form `name=value`.
    pub hive_compatible_partitions: bool,
    /// A folder per hour.
    pub per_hour_partition: bool,
    /// The begin of the five minutes.
    pub slot: Timestamp,
    /// Tells files of one slot apart.
    pub hash: u32,
    /// What the file holds.
    pub file_format: FileFormat,
}

impl std::fmt::Display for S3Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Scope { account, region } = self.scope;
        let at = self.slot.calendar();
        let (year, month, day, hour) = (at.year, at.month, at.day, at.hour);
        let folder = LogFolder {
            prefix: self.prefix,
            hive_compatible_partitions: self.hive_compatible_partitions,
            scope: self.scope,
        };
        f.write_str(&folder.of_flow_logs())?;
        if self.hive_compatible_partitions {
            write!(f, "year={year:04}/month={month:02}/day={day:02}/")?;
        } else {
            write!(f, "{year:04}/{month:02}/{day:02}/")?;
        }
        match (self.per_hour_partition, self.hive_compatible_partitions) {
            (true, true) => write!(f, "hour={hour:02}/")?,
            (true, false) => write!(f, "{hour:02}/")?,
            (false, _) => {}
        }
        let (minute, hash, id) = (at.minute, self.hash, self.flow_log_id);
        let extension = match self.file_format {
            FileFormat::PlainText => "gz",
            FileFormat::Parquet => "parquet",
        };
        write!(
            f,
            "{account}_vpcflowlogs_{region}_{id}_\
             {year:04}{month:02}{day:02}T{hour:02}{minute:02}Z_{hash:08x}.log.{extension}"
        )
    }
}

/// The begin of the slot that a record with this `end` belongs to.
pub fn slot_of(end: Timestamp) -> Timestamp {
    Timestamp::from_secs(end.as_secs() / SLOT.as_secs() * SLOT.as_secs())
}

/// The hash in the name of a flow log's `sequence`-th file.
///
/// It looks like chance but is not: a file that is written again after a failure gets the same
/// name, and no two of 2³² files of one flow log share one.
pub fn object_hash(flow_log_id: FlowLogId, sequence: u64) -> u32 {
    let fnv = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let id = flow_log_id.to_string().bytes().fold(0x811c_9dc5, fnv);
    // Every step can be undone, so different sequences stay different.
    let mut x = id ^ (sequence as u32);
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use expect_test::expect;

    use super::*;

    fn key() -> S3Key<'static> {
        S3Key {
            scope: Scope {
                account: "123456789012".parse().unwrap(),
                region: "us-east-1".parse().unwrap(),
            },
            flow_log_id: "fl-1234abcd".parse().unwrap(),
            prefix: "",
            hive_compatible_partitions: false,
            per_hour_partition: false,
            slot: slot_of(Timestamp::from_secs(1_529_511_899)),
            hash: 0xfe12_3456,
            file_format: FileFormat::PlainText,
        }
    }

    #[test]
    fn layouts() {
        let mut text = String::new();
        for (hive, hourly, prefix) in [
            (false, false, ""),
            (false, true, "team/a"),
            (true, false, ""),
            (true, true, "x"),
        ] {
            let key = S3Key {
                hive_compatible_partitions: hive,
                per_hour_partition: hourly,
                prefix,
                ..key()
            };
            text += &format!("{key}\n");
        }
        let parquet = S3Key {
            file_format: FileFormat::Parquet,
            ..key()
        };
        text += &format!("{parquet}\n");
        expect![[r#"
            AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.gz
            team/a/AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/16/123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.gz
            AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2018/month=06/day=20/123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.gz
            x/AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2018/month=06/day=20/hour=16/123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.gz
            AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.parquet
        "#]].assert_eq(&text);
    }

    #[test]
    fn slots_begin_every_five_minutes() {
        let slot = |secs| slot_of(Timestamp::from_secs(secs)).as_secs();
        assert_eq!((slot(299), slot(300), slot(599)), (0, 300, 300));
    }

    #[test]
    fn files_of_one_flow_log_never_share_a_hash() {
        let id = key().flow_log_id;
        let hashes: BTreeSet<_> = (0..10_000).map(|s| object_hash(id, s)).collect();
        assert_eq!(hashes.len(), 10_000);
    }
}
