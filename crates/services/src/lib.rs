//! The embedded defaults that unmodified clients reach on Weir's one port: S3, CloudWatch Logs and
//! the one STS call that every client makes.
//!
//! It stores what it is given and answers as AWS does. It never accepts connections, never verifies
//! signatures of the non-S3 services and never routes between services: that is the `server` crate.

pub mod cloudtrail;
pub mod firehose;
pub mod json;
pub mod logs;
pub mod s3;
pub mod sts;

mod sqlite;
