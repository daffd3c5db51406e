//! New flow logs to a bucket: what its policy says of their files, and what is added to it for them.

use policy::{Document, Kind, Reason};
use s3s::S3Error;
use serde_json::{Value, json};

use super::S3;
use super::bucket::{BucketInfo, Setting, require};
use super::delivery::{Asked, PRINCIPAL, of_logs};

/// Where a flow log's files go, as it is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFolder {
    /// The bucket.
    pub bucket: String,
    /// What the keys of the account's logs begin with: `prefix/AWSLogs/123456789012/`.
    pub folder: String,
    /// What its keys begin with, below that.
    pub key: String,
    /// The account of the flow log.
    pub account: String,
    /// Its Region.
    pub region: String,
}

/// Why a bucket cannot take a flow log's files.
#[derive(Debug)]
pub enum Undeliverable {
    /// There is no such bucket.
    NoSuchBucket,
    /// Its policy denies it; or, with another account's bucket, does not allow it.
    AccessDenied,
    /// There is no space in its policy for what would have to be added ("Amazon S3 bucket permissions for flow logs").
    PolicyFull,
    /// The policy could not be read or written.
    Failed(S3Error),
}

impl From<S3Error> for Undeliverable {
    fn from(error: S3Error) -> Self {
        match error.code().as_str() {
            "NoSuchBucket" => Self::NoSuchBucket,
            "AccessDenied" => Self::AccessDenied,
            _ => Self::Failed(error),
        }
    }
}

impl S3 {
    /// Whether a flow log may be created that delivers here. Changes nothing.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check_new_delivery(&self, to: &LogFolder) -> Result<(), Undeliverable> {
        let info = self.store.bucket(&to.bucket)?;
        wanted_policy(&info, to).map(|_| ())
    }

    /// Adds to the policy of the account's own bucket what delivery needs and the policy does not allow yet, as AWS does
    /// when a flow log is created ("Amazon S3 bucket permissions for flow logs").
    ///
    /// # Errors
    ///
    /// As [`Self::check_new_delivery`].
    pub fn allow_delivery(&self, to: &LogFolder) -> Result<(), Undeliverable> {
        // The policy is read and written in one transaction: nobody's change in between is lost.
        let mut fault = None;
        self.store.write(|transaction| {
            let info = require(transaction, &to.bucket)?;
            match wanted_policy(&info, to) {
                Ok(None) => Ok(()),
                Ok(Some(policy)) => Setting::Policy.set(transaction, &to.bucket, Some(&policy)),
                Err(error) => {
                    fault = Some(error);
                    Ok(())
                }
            }
        })?;
        fault.map_or(Ok(()), Err)
    }
}

/// The policy that the bucket should get; `None` if it may stay as it is.
fn wanted_policy(info: &BucketInfo, to: &LogFolder) -> Result<Option<String>, Undeliverable> {
    let LogFolder {
        bucket,
        folder,
        key,
        account,
        region,
    } = to;
    let is_own = info.owner == *account;
    let document = info.document(bucket)?.unwrap_or_else(Document::closed);
    if document.has_exceptions() {
        return Err(Undeliverable::AccessDenied);
    }
    let bucket_arn = format!("arn:aws:s3:::{bucket}");
    let files = format!("{bucket_arn}/{key}");
    let mut wanted = Vec::new();
    for (sid, action, asked, resource) in [
        (
            "AWSLogDeliveryWrite",
            "s3:PutObject",
            &files,
            format!("{bucket_arn}/{folder}*"),
        ),
        (
            "AWSLogDeliveryAclCheck",
            "s3:GetBucketAcl",
            &bucket_arn,
            bucket_arn.clone(),
        ),
    ] {
        let asked = Asked {
            principal: PRINCIPAL,
            action,
            resource: asked.clone(),
            account,
            source_arn: &of_logs(account, region),
        };
        match asked.decide(&document, &info.owner) {
            Ok(()) => {}
            Err(Reason::Implicit) if is_own => wanted.push(statement(sid, action, &resource, to)),
            // That others' buckets show their grants is not insisted on.
            Err(Reason::Implicit) if action == "s3:GetBucketAcl" => {}
            Err(_) => return Err(Undeliverable::AccessDenied),
        }
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    let policy = with_statements(info.policy.as_deref(), wanted).to_string();
    match Document::parse(&policy, Kind::Bucket(bucket)) {
        Ok(_) => Ok(Some(policy)),
        Err(policy::Error::TooLarge) => Err(Undeliverable::PolicyFull),
        Err(error) => {
            tracing::error!(bucket, %error, "no policy can be made that allows delivery");
            Err(Undeliverable::AccessDenied)
        }
    }
}

fn statement(sid: &str, action: &str, resource: &str, to: &LogFolder) -> Value {
    let LogFolder {
        account, region, ..
    } = to;
    let mut equal = json!({ "aws:SourceAccount": account });
    if action == "s3:PutObject" {
        equal["s3:x-amz-acl"] = json!("bucket-owner-full-control");
    }
    json!({
        "Sid": sid,
        "Effect": "Allow",
        "Principal": { "Service": PRINCIPAL },
        "Action": action,
        "Resource": resource,
        "Condition": {
            "StringEquals": equal,
            "ArnLike": { "aws:SourceArn": of_logs(account, region) },
        },
    })
}

/// A policy with statements at its end; a Sid that is taken gets a number.
fn with_statements(policy: Option<&str>, statements: Vec<Value>) -> Value {
    let mut policy = policy
        .and_then(|text| serde_json::from_str::<Value>(text).ok())
        .unwrap_or_else(|| json!({ "Version": "2012-10-17", "Statement": [] }));
    let mut all = match policy["Statement"].take() {
        Value::Array(statements) => statements,
        single => vec![single],
    };
    for mut statement in statements {
        let sid = statement["Sid"].as_str().unwrap_or_default().to_owned();
        let is_taken = |sid: &str| all.iter().any(|other| other["Sid"] == sid);
        let numbered = (2..).map(|number| format!("{sid}{number}"));
        let free = std::iter::once(sid.clone())
            .chain(numbered)
            .find(|sid| !is_taken(sid));
        statement["Sid"] = json!(free);
        all.push(statement);
    }
    policy["Statement"] = Value::Array(all);
    policy
}
