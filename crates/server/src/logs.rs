//! Calls of the embedded CloudWatch Logs.

use bytes::Bytes;
use model::Scope;

use crate::clock;
use crate::daemon::Daemon;
use crate::destinations::logs_scope;
use crate::respond::{self, Answer};

impl Daemon {
    /// Answers a call of CloudWatch Logs.
    pub(crate) async fn logs(
        &self,
        scope: Scope,
        operation: &str,
        body: Bytes,
        request_id: &str,
    ) -> Answer {
        let (logs, operation) = (self.logs.clone(), operation.to_owned());
        respond::embedded("CloudWatch Logs", request_id, move || {
            logs.call(&logs_scope(scope), &operation, &body, clock::milliseconds())
        })
        .await
    }
}
