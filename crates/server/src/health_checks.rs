//! What health checks of load balancers' targets find out, from the data plane to the writer.

pub(crate) mod tls;

use std::sync::Arc;
use std::time::Duration;

use control::Event;
use dataplane::HealthFinding;

use crate::daemon::Daemon;

/// So often is looked for findings.
const INTERVAL: Duration = Duration::from_millis(500);

/// Notes findings until the daemon ends.
pub(crate) async fn note(daemon: Arc<Daemon>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let datapath = daemon.datapath.clone();
        let found = tokio::task::spawn_blocking(move || datapath.health_findings()).await;
        let findings = match found {
            Ok(Ok(findings)) => findings,
            Ok(Err(error)) => {
                tracing::warn!(%error, "health checks could not be read");
                return;
            }
            Err(_) => return,
        };
        for finding in findings {
            note_one(&daemon, finding).await;
        }
    }
}

async fn note_one(daemon: &Daemon, finding: HealthFinding) {
    let HealthFinding {
        scope,
        target_group_id,
        target,
        health,
    } = finding;
    let event = Event::TargetHealth {
        target_group_id,
        target,
        health,
    };
    if let Err(error) = daemon.writer.observe(scope, event).await {
        tracing::warn!(%error, "the health of a target could not be noted");
    }
}
