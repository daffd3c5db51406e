//! Where the files of flow logs are in a bucket (Amazon VPC User Guide, "Flow log files").

use crate::{LogDestination, Scope};

/// The folders of one account's flow logs of one Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogFolder<'a> {
    /// The prefix that the flow log's owner chose, without a slash at its end; may be empty.
    pub prefix: &'a str,
    /// Folders of the form `name=value`.
    pub hive_compatible_partitions: bool,
    /// The account and Region of the flow logs.
    pub scope: Scope,
}

impl LogFolder<'_> {
    /// The folder of all the account's logs, with a slash at its end: `prefix/AWSLogs/123456789012/`.
    pub fn of_account(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        let name = self.name("aws-account-id");
        format!(
            "{}{slash}AWSLogs/{name}{}/",
            self.prefix, self.scope.account
        )
    }

    /// The folder of the flow logs in it, up to the year: `…/vpcflowlogs/us-east-1/`.
    pub fn of_flow_logs(&self) -> String {
        let (service, region) = (self.name("aws-service"), self.name("aws-region"));
        let Scope { region: of, .. } = self.scope;
        format!("{}{service}vpcflowlogs/{region}{of}/", self.of_account())
    }

    fn name(&self, name: &str) -> String {
        match self.hive_compatible_partitions {
            true => format!("{name}="),
            false => String::new(),
        }
    }
}

impl LogDestination {
    /// The bucket and the folder there; nothing, if this is not S3.
    pub fn folder(&self, scope: Scope) -> Option<(&str, LogFolder<'_>)> {
        match self {
            Self::S3 {
                bucket,
                prefix,
                hive_compatible_partitions,
                ..
            } => {
                let folder = LogFolder {
                    prefix,
                    hive_compatible_partitions: *hive_compatible_partitions,
                    scope,
                };
                Some((bucket, folder))
            }
            Self::CloudWatchLogs { .. } | Self::Firehose { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders() {
        let folder = |prefix, hive_compatible_partitions| {
            let folder = LogFolder {
                prefix,
                hive_compatible_partitions,
                scope: Scope {
                    account: "123456789012".parse().unwrap(),
                    region: "us-east-1".parse().unwrap(),
                },
            };
            [folder.of_account(), folder.of_flow_logs()]
        };
        assert_eq!(
            folder("", false),
            [
                "AWSLogs/123456789012/",
                "AWSLogs/123456789012/vpcflowlogs/us-east-1/"
            ]
        );
        assert_eq!(
            folder("a/b", true),
            [
                "a/b/AWSLogs/aws-account-id=123456789012/",
                "a/b/AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/"
            ]
        );
    }
}
