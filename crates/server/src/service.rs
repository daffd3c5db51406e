//! Which service a request is for: all of them answer on one port.
//!
//! Clients say it in the signature's scope; what is left is told by the protocol.

use http::{HeaderMap, Method, header};

/// A service that answers on Weir's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// Amazon EC2: Query protocol.
    Ec2,
    /// Elastic Load Balancing: Query protocol.
    ElasticLoadBalancing,
    /// IAM: Query protocol.
    Iam,
    /// AWS STS: Query protocol.
    Sts,
    /// CloudWatch Logs: AWS JSON 1.1.
    Logs,
    /// Amazon Data Firehose: AWS JSON 1.1.
    Firehose,
    /// AWS CloudTrail: AWS JSON 1.1.
    CloudTrail,
    /// Amazon S3: REST.
    S3,
    /// Amazon DynamoDB, for which something else stands: AWS JSON 1.0.
    DynamoDb,
    /// Weir's own operations: AWS JSON 1.1.
    Weir,
}

/// Targets of CloudTrail, which are longer than other services'.
const CLOUDTRAIL: &str = "com.amazonaws.cloudtrail.v20131101.";

impl Service {
    const ALL: [Self; 9] = [
        Self::Ec2,
        Self::ElasticLoadBalancing,
        Self::Iam,
        Self::Sts,
        Self::Logs,
        Self::Firehose,
        Self::CloudTrail,
        Self::S3,
        Self::Weir,
    ];

    /// The name in the scope of signatures.
    #[must_use]
    pub(crate) fn signing_name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::ElasticLoadBalancing => "elasticloadbalancing",
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::Logs => "logs",
            Self::Firehose => "firehose",
            Self::CloudTrail => "cloudtrail",
            Self::S3 => "s3",
            Self::DynamoDb => "dynamodb",
            Self::Weir => "weir",
        }
    }

    /// The service that a signature was made for, if it answers on Weir's port.
    #[must_use]
    pub(crate) fn signed_for(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|service| service.signing_name() == name)
    }

    /// The service that an unsigned request seems to be for.
    #[must_use]
    pub(crate) fn guess(method: &Method, headers: &HeaderMap, query: &str) -> Self {
        let text = |name: &str| {
            headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
        };
        let target = text("x-amz-target");
        if target.starts_with("Logs_") {
            return Self::Logs;
        }
        if target.starts_with("Firehose_") {
            return Self::Firehose;
        }
        if target.starts_with(CLOUDTRAIL) {
            return Self::CloudTrail;
        }
        if target.starts_with("Weir.") {
            return Self::Weir;
        }
        let form =
            text(header::CONTENT_TYPE.as_str()).starts_with("application/x-www-form-urlencoded");
        if query.contains("Version=2011-06-15") {
            return Self::Sts;
        }
        if query.contains("Version=2010-05-08") {
            return Self::Iam;
        }
        if query.contains("Version=2015-12-01") {
            return Self::ElasticLoadBalancing;
        }
        if (method == Method::POST && form) || query.contains("Action=") {
            Self::Ec2
        } else {
            Self::S3
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsigned_requests_are_told_apart() {
        let with = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
        };
        let none = HeaderMap::new();
        for (method, headers, query, expected) in [
            (
                Method::POST,
                with("x-amz-target", "Logs_20140328.PutLogEvents"),
                "",
                Service::Logs,
            ),
            (
                Method::POST,
                with("x-amz-target", "Firehose_20150804.PutRecord"),
                "",
                Service::Firehose,
            ),
            (
                Method::POST,
                with("x-amz-target", "Weir.Status"),
                "",
                Service::Weir,
            ),
            (
                Method::POST,
                with(
                    "content-type",
                    "application/x-www-form-urlencoded; charset=utf-8",
                ),
                "",
                Service::Ec2,
            ),
            (
                Method::GET,
                none.clone(),
                "Action=DescribeVpcs&Version=2016-11-15",
                Service::Ec2,
            ),
            (
                Method::GET,
                none.clone(),
                "Action=GetCallerIdentity&Version=2011-06-15",
                Service::Sts,
            ),
            (
                Method::GET,
                none.clone(),
                "Action=DescribeLoadBalancers&Version=2015-12-01",
                Service::ElasticLoadBalancing,
            ),
            (Method::PUT, none.clone(), "", Service::S3),
            (Method::GET, none, "list-type=2", Service::S3),
        ] {
            assert_eq!(
                Service::guess(&method, &headers, query),
                expected,
                "{method} {query}"
            );
        }
    }
}
