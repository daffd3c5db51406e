//! CloudWatch Logs and Firehose: AWS's JSON protocol.

use http::Method;
use model::Scope;

use super::{Call, Remote};
use crate::cloudwatch_logs::{LogAnswer, LogStore};
use crate::firehose::StreamStore;
use crate::{BoxFuture, SinkError};

impl Remote {
    async fn json(
        &self,
        scope: Scope,
        service: &'static str,
        target: String,
        body: Vec<u8>,
    ) -> Result<LogAnswer, SinkError> {
        let call = Call {
            service,
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers: vec![
                ("content-type", "application/x-amz-json-1.1"),
                ("x-amz-target", &target),
            ],
            body: body.into(),
        };
        let answer = self.send(self.region(scope), call).await?;
        Ok(LogAnswer {
            status: answer.status,
            body: answer.body.to_vec(),
        })
    }
}

impl LogStore for Remote {
    fn call(
        &self,
        scope: Scope,
        operation: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'_, Result<LogAnswer, SinkError>> {
        Box::pin(self.json(scope, "logs", format!("Logs_20140328.{operation}"), body))
    }
}

impl StreamStore for Remote {
    fn call(
        &self,
        scope: Scope,
        operation: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'_, Result<LogAnswer, SinkError>> {
        let target = format!("Firehose_20150804.{operation}");
        Box::pin(self.json(scope, "firehose", target, body))
    }
}
