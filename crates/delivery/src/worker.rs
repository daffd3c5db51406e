//! The workers: each delivers one flow log's batches, in their order and at its own pace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{DeliveryStatus, FlowLogId, Scope, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::attempts::Attempts;
use crate::backoff::Jitter;
use crate::parcel::{Found, Parcel};
use crate::{
    Clock, DeliveryConfig, DeliveryReport, Entry, FlushOutcome, OnReport, Sink, SinkError, Spool,
    SpoolError, frame,
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
    /// Entries up to this one do not wait until their five minutes are over.
    pub(crate) due: u64,
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
            due: 0,
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
            let next = match self.find(id, attempts.tried).await {
                Ok(Found::Nothing) if self.end_worker(id).await => Next::End,
                Ok(Found::Nothing) => Next::Continue,
                Ok(Found::Later(wait)) => Next::Wait(wait),
                Ok(Found::Parcel(parcel)) => self.attempt(&parcel, &mut attempts).await,
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

    async fn find(
        self: &Arc<Self>,
        id: FlowLogId,
        tried: Option<u64>,
    ) -> Result<Found, SpoolError> {
        self.blocking(move |shared| {
            let Some(entry) = shared.spool().entry(id, 0)? else {
                return Ok(Found::Nothing);
            };
            if let Some(wait) = shared.wait(&entry) {
                return Ok(Found::Later(wait));
            }
            let next = |place| shared.spool().entry(id, place);
            Ok(Found::Parcel(Box::new(Parcel::gather(entry, next, tried))))
        })
        .await
    }

    /// How long a file has to wait until its five minutes are over.
    fn wait(&self, entry: &Entry) -> Option<Duration> {
        let id = entry.batch.flow_log_id;
        let is_due = {
            let state = self.state();
            let queue = state.queues.get(&id);
            state.is_deleted(id) || queue.is_none_or(|queue| entry.sequence <= queue.due)
        };
        if is_due || entry.batch.s3_object(entry.sequence).is_none() {
            return None;
        }
        let s3_files = self.config.s3_files;
        s3_files.wait(frame::oldest(&entry.batch), (self.clock)())
    }

    async fn attempt(self: &Arc<Self>, parcel: &Parcel, attempts: &mut Attempts) -> Next {
        let id = parcel.entry.batch.flow_log_id;
        self.progress(id, |p| p.in_flight = true);
        let sent = match attempts.arrived && attempts.tried == Some(parcel.last) {
            true => Ok(()),
            false => self.send(&parcel.entry).await,
        };
        attempts.tried = Some(parcel.last);
        attempts.arrived = sent.is_ok();
        let done = match sent {
            Ok(()) => self.acknowledge(id, parcel.last).await,
            refused => refused,
        };
        let Err(error) = done else {
            *attempts = Attempts::default();
            self.delivered(parcel);
            return Next::Continue;
        };
        let now = (self.clock)();
        attempts.failed(parcel, &error, now);
        if self.is_deleted(id) && attempts.failures >= self.config.attempts_after_deletion {
            return self.give_up(id).await;
        }
        if !attempts.are_over(parcel, &error, now, &self.config) {
            return self.failed(id, &error, attempts.failures);
        }
        *attempts = Attempts {
            refused_since: attempts.refused_since,
            ..Attempts::default()
        };
        self.drop_refused(parcel, &error).await
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

    async fn acknowledge(self: &Arc<Self>, id: FlowLogId, last: u64) -> Result<(), SinkError> {
        self.blocking(move |s| s.spool().acknowledge(id, last))
            .await
            .map_err(|error| SinkError::unavailable(error.to_string()))
    }

    fn delivered(&self, parcel: &Parcel) {
        let (batch, last) = (&parcel.entry.batch, parcel.last);
        let id = batch.flow_log_id;
        let now = (self.clock)();
        let rejected = self.sink.rejected(id);
        let mut lost = false;
        if let Some(queue) = self.state().queues.get_mut(&id) {
            lost = rejected > queue.rejected_records;
            queue.rejected_records = rejected;
            queue.delivered_batches += parcel.entries;
            queue.delivered_records += batch.lines.len() as u64;
            queue.last_delivery = Some(now);
            queue.last_error = None;
        }
        if lost {
            self.spool().mark_lost(id);
        }
        self.report(id, DeliveryStatus::Success);
        self.progress(id, |p| {
            p.in_flight = false;
            p.acknowledged = last;
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

    /// Lets the batches behind a parcel have their turn that the destination does not take.
    async fn drop_refused(self: &Arc<Self>, parcel: &Parcel, error: &SinkError) -> Next {
        let (id, last) = (parcel.entry.batch.flow_log_id, parcel.last);
        let records = parcel.entry.batch.lines.len();
        tracing::error!(flow_log_id = %id, records, %error, "the destination refuses them for good: records are lost");
        let dropped = self.blocking(move |s| s.spool().give_up(id, last)).await;
        if let Err(error) = dropped {
            return self.failed(id, &SinkError::unavailable(error.to_string()), 1);
        }
        if let Some(queue) = self.state().queues.get_mut(&id) {
            queue.dropped_batches += parcel.entries;
            queue.last_error = Some(error.to_string());
        }
        self.report(id, error.status());
        self.progress(id, |p| {
            p.in_flight = false;
            p.failures += 1;
            p.acknowledged = last;
        });
        Next::Continue
    }

    async fn drop_damaged(self: &Arc<Self>, id: FlowLogId, sequence: u64) -> Next {
        tracing::error!(flow_log_id = %id, sequence, "a batch is damaged on disk and is dropped");
        let dropped = self
            .blocking(move |s| s.spool().give_up(id, sequence))
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
