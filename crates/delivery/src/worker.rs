//! The workers: each delivers one flow log's batches, in their order and at its own pace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{DeliveryStatus, FlowLogId, Scope, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::backoff::Jitter;
use crate::{
    Clock, DeliveryConfig, DeliveryReport, Entry, FlushOutcome, OnReport, Sink, SinkError, Spool,
    SpoolError,
};

/// What workers and handles share.
pub(crate) struct Shared {
    pub(crate) config: DeliveryConfig,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) clock: Clock,
    pub(crate) on_report: OnReport,
    pub(crate) spool: Mutex<Spool>,
    /// Locked before the spool where both are needed.
    pub(crate) state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) queues: BTreeMap<FlowLogId, Queue>,
    /// The flow logs that exist; unknown until the caller says.
    pub(crate) existing: Option<BTreeSet<FlowLogId>>,
    pub(crate) jitter: Jitter,
    pub(crate) workers: JoinSet<()>,
    pub(crate) shut_down: bool,
}

pub(crate) struct Queue {
    pub(crate) scope: Option<Scope>,
    pub(crate) running: bool,
    pub(crate) wake: Arc<Notify>,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) delivered_batches: u64,
    pub(crate) delivered_records: u64,
    pub(crate) dropped_batches: u64,
    pub(crate) rejected_records: u64,
    pub(crate) last_delivery: Option<Timestamp>,
    pub(crate) last_error: Option<String>,
}

/// What a flush waits for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) acknowledged: u64,
    pub(crate) failures: u64,
    pub(crate) in_flight: bool,
}

/// What a worker remembers between attempts.
#[derive(Default)]
struct Attempts {
    /// Failures in a row.
    failures: u32,
    /// The entry that has arrived, though the spool could not note it; it must not be sent again.
    arrived: Option<u64>,
}

/// What a worker does after an attempt.
enum Next {
    Continue,
    Wait(Duration),
    End,
}

impl Shared {
    pub(crate) fn start_worker(self: &Arc<Self>, id: FlowLogId, scope: Option<Scope>) {
        let mut state = self.state();
        let state = &mut *state;
        let queue = state.queues.entry(id).or_insert_with(|| Queue {
            scope: None,
            running: false,
            wake: Arc::new(Notify::new()),
            progress: watch::Sender::new(Progress::default()),
            delivered_batches: 0,
            delivered_records: 0,
            dropped_batches: 0,
            rejected_records: 0,
            last_delivery: None,
            last_error: None,
        });
        queue.scope = scope.or(queue.scope);
        if queue.running || state.shut_down {
            return;
        }
        queue.running = true;
        let worker = Arc::clone(self).run(id, Arc::clone(&queue.wake));
        state.workers.spawn(worker);
        while state.workers.try_join_next().is_some() {}
    }

    async fn run(self: Arc<Self>, id: FlowLogId, wake: Arc<Notify>) {
        let mut attempts = Attempts::default();
        loop {
            let next = match self.blocking(move |s| s.spool().oldest(id)).await {
                Ok(None) if self.end_worker(id).await => Next::End,
                Ok(None) => Next::Continue,
                Ok(Some(entry)) => self.attempt(&entry, &mut attempts).await,
                Err(SpoolError::Damaged { sequence, .. }) => self.drop_damaged(id, sequence).await,
                Err(error) => {
                    attempts.failures += 1;
                    let error = SinkError::unavailable(error.to_string());
                    self.failed(id, &error, attempts.failures)
                }
            };
            match next {
                Next::End => return,
                Next::Continue => {}
                Next::Wait(delay) => {
                    tokio::select! {
                        () = tokio::time::sleep(delay) => {}
                        () = wake.notified() => {}
                    }
                }
            }
        }
    }

    async fn attempt(self: &Arc<Self>, entry: &Entry, attempts: &mut Attempts) -> Next {
        let id = entry.batch.flow_log_id;
        self.progress(id, |p| p.in_flight = true);
        let sent = match attempts.arrived == Some(entry.sequence) {
            true => Ok(()),
            false => self.send(entry).await,
        };
        let done = match sent {
            Ok(()) => {
                attempts.arrived = Some(entry.sequence);
                self.acknowledge(entry).await
            }
            refused => refused,
        };
        match done {
            Ok(()) => {
                attempts.failures = 0;
                self.delivered(entry);
                Next::Continue
            }
            Err(error) => {
                attempts.failures += 1;
                let given_up = attempts.failures >= self.config.attempts_after_deletion;
                if self.is_deleted(id) && given_up {
                    return self.give_up(id).await;
                }
                self.failed(id, &error, attempts.failures)
            }
        }
    }

    async fn send(&self, entry: &Entry) -> Result<(), SinkError> {
        let limit = self.config.attempt_timeout;
        match tokio::time::timeout(limit, self.sink.deliver(entry)).await {
            Ok(delivered) => delivered,
            Err(_) => Err(SinkError::unavailable(format!(
                "no answer within {limit:?}"
            ))),
        }
    }

    async fn acknowledge(self: &Arc<Self>, entry: &Entry) -> Result<(), SinkError> {
        let (id, sequence) = (entry.batch.flow_log_id, entry.sequence);
        self.blocking(move |s| s.spool().acknowledge(id, sequence))
            .await
            .map_err(|error| SinkError::unavailable(error.to_string()))
    }

    fn delivered(&self, entry: &Entry) {
        let (id, sequence) = (entry.batch.flow_log_id, entry.sequence);
        let now = (self.clock)();
        let rejected = self.sink.rejected(id);
        let mut lost = false;
        if let Some(queue) = self.state().queues.get_mut(&id) {
            lost = rejected > queue.rejected_records;
            queue.rejected_records = rejected;
            queue.delivered_batches += 1;
            queue.delivered_records += entry.batch.lines.len() as u64;
            queue.last_delivery = Some(now);
            queue.last_error = None;
        }
        if lost {
            self.spool().mark_lost(id);
        }
        self.report(id, DeliveryStatus::Success);
        self.progress(id, |p| {
            p.in_flight = false;
            p.acknowledged = sequence;
        });
    }

    fn failed(&self, id: FlowLogId, error: &SinkError, failures: u32) -> Next {
        tracing::warn!(flow_log_id = %id, %error, failures, "delivery failed");
        let random = {
            let mut state = self.state();
            if let Some(queue) = state.queues.get_mut(&id) {
                queue.last_error = Some(error.to_string());
            }
            state.jitter.next()
        };
        self.report(id, error.status());
        self.progress(id, |p| {
            p.in_flight = false;
            p.failures += 1;
        });
        Next::Wait(self.config.backoff.delay(failures, random))
    }

    async fn drop_damaged(self: &Arc<Self>, id: FlowLogId, sequence: u64) -> Next {
        tracing::error!(flow_log_id = %id, sequence, "a batch is damaged on disk and is dropped");
        let dropped = self
            .blocking(move |s| s.spool().drop_damaged(id, sequence))
            .await;
        if let Err(error) = dropped {
            return self.failed(id, &SinkError::unavailable(error.to_string()), 1);
        }
        if let Some(queue) = self.state().queues.get_mut(&id) {
            queue.dropped_batches += 1;
        }
        self.progress(id, |p| p.acknowledged = sequence);
        Next::Continue
    }

    async fn give_up(self: &Arc<Self>, id: FlowLogId) -> Next {
        let batches = self.spool().waiting(id).batches;
        tracing::warn!(flow_log_id = %id, batches, "gave up the last batches of a deleted flow log");
        self.forget(id, true).await;
        Next::End
    }

    /// Ends the worker unless something has come in the meantime; drained queues of deleted flow
    /// logs go.
    async fn end_worker(self: &Arc<Self>, id: FlowLogId) -> bool {
        {
            let mut state = self.state();
            if self.spool().waiting(id).batches > 0 {
                return false;
            }
            if !state.is_deleted(id) {
                if let Some(queue) = state.queues.get_mut(&id) {
                    queue.running = false;
                }
                return true;
            }
        }
        self.forget(id, false).await
    }

    /// Takes a flow log's queue and folder away, unless it holds something that should not be lost.
    async fn forget(self: &Arc<Self>, id: FlowLogId, whatever_waits: bool) -> bool {
        self.blocking(move |shared| {
            let mut state = shared.state();
            let mut spool = shared.spool();
            if !whatever_waits && spool.waiting(id).batches > 0 {
                return false;
            }
            state.queues.remove(&id);
            if let Err(error) = spool.remove(id) {
                tracing::warn!(flow_log_id = %id, %error, "cannot remove the folder of a deleted flow log");
            }
            true
        })
        .await
    }

    fn report(&self, id: FlowLogId, status: DeliveryStatus) {
        let scope = {
            let state = self.state();
            let queue = state.queues.get(&id).filter(|_| !state.is_deleted(id));
            queue.and_then(|queue| queue.scope)
        };
        if let Some(scope) = scope {
            (self.on_report)(DeliveryReport {
                scope,
                flow_log_id: id,
                status,
            });
        }
    }

    pub(crate) fn outcome(&self, id: FlowLogId) -> FlushOutcome {
        let state = self.state();
        let waiting = self.spool().waiting(id).batches;
        let error = state.queues.get(&id).and_then(|q| q.last_error.clone());
        FlushOutcome {
            waiting,
            error: error.filter(|_| waiting > 0),
        }
    }

    pub(crate) fn wake(&self, id: FlowLogId) {
        if let Some(queue) = self.state().queues.get(&id) {
            queue.wake.notify_one();
        }
    }

    fn progress(&self, id: FlowLogId, change: impl FnOnce(&mut Progress)) {
        if let Some(queue) = self.state().queues.get(&id) {
            queue.progress.send_modify(change);
        }
    }

    fn is_deleted(&self, id: FlowLogId) -> bool {
        self.state().is_deleted(id)
    }

    /// Does what blocks on the disk away from the runtime's own threads.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> T + Send + 'static,
    ) -> T {
        let shared = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(&shared)).await {
            Ok(value) => value,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going down, and this task with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    pub(crate) fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_deleted(&self, id: FlowLogId) -> bool {
        self.existing.as_ref().is_some_and(|e| !e.contains(&id))
    }
}
