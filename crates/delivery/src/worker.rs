//! The workers: a queue per flow log, each in its own order and at its own pace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flow_logs::Batch;
use model::{DeliveryStatus, FlowLogId, Scope, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::backoff::Jitter;
use crate::{
    Backoff, DeliveryReport, Entry, FlowLogDelivery, FlushOutcome, Sink, SinkError, Spool,
    SpoolError,
};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Is told of every change of a flow log's delivery status.
pub type OnReport = Arc<dyn Fn(DeliveryReport) + Send + Sync>;

/// How deliveries are tried.
#[derive(Clone, Debug)]
pub struct DeliveryConfig {
    /// The wait after a failure.
    pub backoff: Backoff,
    /// After this time an attempt counts as failed.
    pub attempt_timeout: Duration,
    /// A deleted flow log's last batches are given up after so many failures in a row.
    pub attempts_after_deletion: u32,
    /// Seed of the chance in waits.
    pub seed: u64,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            backoff: Backoff {
                first: Duration::from_secs(1),
                longest: Duration::from_secs(60),
            },
            attempt_timeout: Duration::from_secs(60),
            attempts_after_deletion: 8,
            seed: 0,
        }
    }
}

/// A batch that the spool could not take: its records are lost, and the caller tells the
/// aggregator (`Aggregator::mark_lost`), so that a SKIPDATA record says so.
#[derive(Debug)]
pub struct Refused {
    /// The batch.
    pub batch: Batch,
    /// Why.
    pub error: SpoolError,
}

/// Delivers batches. Cloning gives another handle. Workers go on until
/// [`shutdown`](Delivery::shutdown) or the end of the runtime; what they have not delivered by then
/// is delivered after the next start.
#[derive(Clone)]
pub struct Delivery {
    shared: Arc<Shared>,
}

struct Shared {
    config: DeliveryConfig,
    sink: Arc<dyn Sink>,
    clock: Clock,
    on_report: OnReport,
    spool: Mutex<Spool>,
    /// Locked before the spool where both are needed.
    state: Mutex<State>,
}

struct State {
    queues: BTreeMap<FlowLogId, Queue>,
    /// The flow logs that exist; unknown until the caller says.
    existing: Option<BTreeSet<FlowLogId>>,
    jitter: Jitter,
    workers: JoinSet<()>,
    shut_down: bool,
}

struct Queue {
    scope: Option<Scope>,
    running: bool,
    wake: Arc<Notify>,
    progress: watch::Sender<Progress>,
    status: Option<DeliveryStatus>,
    delivered_batches: u64,
    delivered_records: u64,
    dropped_batches: u64,
    last_delivery: Option<Timestamp>,
    last_error: Option<String>,
}

/// What a flush waits for.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    acknowledged: u64,
    failures: u64,
    in_flight: bool,
}

impl Delivery {
    /// Starts to deliver, first what the spool still holds. Must be called inside a tokio runtime.
    pub fn start(
        config: DeliveryConfig,
        spool: Spool,
        sink: Arc<dyn Sink>,
        clock: Clock,
        on_report: OnReport,
    ) -> Self {
        let flow_logs: Vec<_> = spool.flow_logs().collect();
        let jitter = Jitter(config.seed);
        let delivery = Self {
            shared: Arc::new(Shared {
                config,
                sink,
                clock,
                on_report,
                spool: Mutex::new(spool),
                state: Mutex::new(State {
                    queues: BTreeMap::new(),
                    existing: None,
                    jitter,
                    workers: JoinSet::new(),
                    shut_down: false,
                }),
            }),
        };
        for (id, scope) in flow_logs {
            delivery.shared.start_worker(id, scope);
        }
        delivery
    }

    /// Takes batches. Each is on disk when this returns, or is among those given back.
    pub async fn submit(&self, batches: Vec<Batch>) -> Vec<Refused> {
        let ids: BTreeMap<_, _> = batches.iter().map(|b| (b.flow_log_id, b.scope)).collect();
        let refused = self
            .shared
            .blocking(move |shared| {
                let mut refused = Vec::new();
                for batch in batches {
                    if let Err(error) = shared.spool().append(&batch) {
                        let flow_log_id = batch.flow_log_id;
                        tracing::error!(%flow_log_id, lines = batch.lines.len(), %error, "records are lost");
                        refused.push(Refused { batch, error });
                    }
                }
                refused
            })
            .await;
        for (id, scope) in ids {
            self.shared.start_worker(id, Some(scope));
        }
        refused
    }

    /// Says which flow logs exist. What a deleted one still has waiting is delivered, or given up
    /// after [`attempts_after_deletion`](DeliveryConfig::attempts_after_deletion) failures; then
    /// its folder goes.
    pub fn set_flow_logs(&self, existing: BTreeSet<FlowLogId>) {
        let mut state = self.shared.state();
        let gone: Vec<_> = state
            .queues
            .iter()
            .filter(|(id, _)| !existing.contains(id))
            .map(|(id, queue)| (*id, queue.scope))
            .collect();
        state.existing = Some(existing);
        drop(state);
        for (id, scope) in gone {
            self.shared.start_worker(id, scope);
        }
    }

    /// Tries everything that waits at once, and returns when each flow log's batches have been
    /// delivered or an attempt has failed.
    pub async fn flush(&self) -> BTreeMap<FlowLogId, FlushOutcome> {
        let mut waits = Vec::new();
        {
            let state = self.shared.state();
            let spool = self.shared.spool();
            for (&id, queue) in &state.queues {
                let waiting = spool.waiting(id);
                if waiting.batches > 0 && queue.running {
                    let progress = queue.progress.subscribe();
                    let now = *queue.progress.borrow();
                    // An attempt that is under way may have begun before the flush was asked for.
                    let failures = now.failures + if now.in_flight { 2 } else { 1 };
                    waits.push((id, progress, waiting.last_sequence, failures));
                    queue.wake.notify_one();
                }
            }
        }
        let mut outcomes = BTreeMap::new();
        for (id, mut progress, sequence, failures) in waits {
            let over = |p: &Progress| p.acknowledged >= sequence || p.failures >= failures;
            // An error means that the queue is gone, and the flow log with it. A worker that took
            // the first call while it was busy is called again.
            let patience = self.shared.config.backoff.first;
            while tokio::time::timeout(patience, progress.wait_for(over))
                .await
                .is_err()
            {
                self.shared.wake(id);
            }
            outcomes.insert(id, self.shared.outcome(id));
        }
        outcomes
    }

    /// Stops to deliver, in the middle of an attempt if need be. Batches are still taken into the
    /// spool; the next start delivers them.
    pub async fn shutdown(&self) {
        let mut workers = {
            let mut state = self.shared.state();
            state.shut_down = true;
            for queue in state.queues.values_mut() {
                queue.running = false;
            }
            std::mem::take(&mut state.workers)
        };
        workers.shutdown().await;
    }

    /// How the deliveries go, by flow log.
    pub fn snapshot(&self) -> Vec<FlowLogDelivery> {
        let now = (self.shared.clock)();
        let state = self.shared.state();
        let spool = self.shared.spool();
        let queues = state.queues.iter();
        queues
            .map(|(&flow_log_id, queue)| {
                let waiting = spool.waiting(flow_log_id);
                FlowLogDelivery {
                    scope: queue.scope,
                    flow_log_id,
                    waiting_batches: waiting.batches,
                    waiting_bytes: waiting.bytes,
                    lag: waiting.oldest.map_or(Duration::ZERO, |at| now.since(at)),
                    delivered_batches: queue.delivered_batches,
                    delivered_records: queue.delivered_records,
                    dropped_batches: queue.dropped_batches,
                    last_delivery: queue.last_delivery,
                    last_error: queue.last_error.clone(),
                }
            })
            .collect()
    }

    /// Bytes of the spool on disk.
    pub fn spooled_bytes(&self) -> u64 {
        self.shared.spool().bytes()
    }
}

/// What a worker does after an attempt.
enum Next {
    Continue,
    Wait(Duration),
    End,
}

impl Shared {
    fn start_worker(self: &Arc<Self>, id: FlowLogId, scope: Option<Scope>) {
        let mut state = self.state();
        let state = &mut *state;
        let queue = state.queues.entry(id).or_insert_with(|| Queue {
            scope: None,
            running: false,
            wake: Arc::new(Notify::new()),
            progress: watch::Sender::new(Progress::default()),
            status: None,
            delivered_batches: 0,
            delivered_records: 0,
            dropped_batches: 0,
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
        let mut failures = 0;
        loop {
            let next = match self.blocking(move |s| s.spool().oldest(id)).await {
                Ok(None) if self.end_worker(id).await => Next::End,
                Ok(None) => Next::Continue,
                Ok(Some(entry)) => self.attempt(entry, &mut failures).await,
                Err(SpoolError::Damaged { sequence, .. }) => self.drop_damaged(id, sequence).await,
                Err(error) => {
                    failures += 1;
                    self.failed(id, &SinkError::unavailable(error.to_string()), failures)
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

    async fn attempt(self: &Arc<Self>, entry: Entry, failures: &mut u32) -> Next {
        let id = entry.batch.flow_log_id;
        self.progress(id, |p| p.in_flight = true);
        let limit = self.config.attempt_timeout;
        let delivered = match tokio::time::timeout(limit, self.sink.deliver(&entry)).await {
            Ok(delivered) => delivered,
            Err(_) => Err(SinkError::unavailable(format!(
                "no answer within {limit:?}"
            ))),
        };
        match delivered {
            Ok(()) => {
                *failures = 0;
                self.delivered(&entry).await
            }
            Err(error) => {
                *failures += 1;
                if self.is_deleted(id) && *failures >= self.config.attempts_after_deletion {
                    return self.give_up(id).await;
                }
                self.failed(id, &error, *failures)
            }
        }
    }

    async fn delivered(self: &Arc<Self>, entry: &Entry) -> Next {
        let (id, sequence) = (entry.batch.flow_log_id, entry.sequence);
        let acknowledged = self
            .blocking(move |s| s.spool().acknowledge(id, sequence))
            .await;
        if let Err(error) = acknowledged {
            // It will be delivered again, which changes nothing in S3.
            let error = SinkError::unavailable(error.to_string());
            return self.failed(id, &error, 1);
        }
        let now = (self.clock)();
        if let Some(queue) = self.state().queues.get_mut(&id) {
            queue.delivered_batches += 1;
            queue.delivered_records += entry.batch.lines.len() as u64;
            queue.last_delivery = Some(now);
            queue.last_error = None;
        }
        self.set_status(id, DeliveryStatus::Success);
        self.progress(id, |p| {
            p.in_flight = false;
            p.acknowledged = sequence;
        });
        Next::Continue
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
        self.set_status(id, error.status());
        self.progress(id, |p| {
            p.in_flight = false;
            p.failures += 1;
        });
        Next::Wait(self.config.backoff.delay(failures, random))
    }

    async fn drop_damaged(self: &Arc<Self>, id: FlowLogId, sequence: u64) -> Next {
        tracing::error!(flow_log_id = %id, sequence, "a batch is damaged on disk and is dropped");
        let dropped = self
            .blocking(move |s| s.spool().acknowledge(id, sequence))
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

    fn set_status(&self, id: FlowLogId, status: DeliveryStatus) {
        let scope = {
            let mut state = self.state();
            let deleted = state.is_deleted(id);
            let Some(queue) = state.queues.get_mut(&id) else {
                return;
            };
            if deleted || queue.status.as_ref() == Some(&status) {
                return;
            }
            queue.status = Some(status.clone());
            queue.scope
        };
        if let Some(scope) = scope {
            (self.on_report)(DeliveryReport {
                scope,
                flow_log_id: id,
                status,
            });
        }
    }

    fn outcome(&self, id: FlowLogId) -> FlushOutcome {
        let state = self.state();
        let waiting = self.spool().waiting(id).batches;
        let error = state.queues.get(&id).and_then(|q| q.last_error.clone());
        FlushOutcome {
            waiting,
            error: error.filter(|_| waiting > 0),
        }
    }

    fn wake(&self, id: FlowLogId) {
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
    async fn blocking<T: Send + 'static>(
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

    fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_deleted(&self, id: FlowLogId) -> bool {
        self.existing.as_ref().is_some_and(|e| !e.contains(&id))
    }
}
