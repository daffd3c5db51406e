//! Tests: what is lost, what comes twice, and in which order. (The answer is nothing, nothing in
//! S3, and the order of submission.)

mod cloudwatch_logs;
mod crash;
mod files;
mod firehose;
mod multipart;
mod refusals;
mod remote;
mod s3;
mod spool;
pub(crate) mod support;
mod worker;
