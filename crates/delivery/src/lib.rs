//! Spool, batch and retry; the sinks for S3 and CloudWatch Logs.
