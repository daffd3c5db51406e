//! The handle: batches go in, reports come out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flow_logs::Batch;
use model::{FlowLogId, Timestamp};
use tokio::task::JoinSet;

use crate::backoff::Jitter;
use crate::worker::{Progress, Shared, State};
use crate::{
    Backoff, DeliveryReport, FlowLogDelivery, FlushOutcome, S3Files, Sink, Spool, SpoolError,
};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Is told of every outcome, also when it is the same again: what could not be noted once is noted
/// the next time.
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
    /// A batch is given up after so many failures in a row, when its destination says that it will never take it.
    pub attempts_when_rejected: u32,
    /// A batch is given up when its destination has refused everything for so long: it is not there, or denies access.
    pub patience_when_refused: Duration,
    /// When files come to S3.
    pub s3_files: S3Files,
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
            attempts_when_rejected: 8,
            // What Firehose gives a bucket (Amazon Data Firehose Developer Guide, "Handle data delivery failures").
            patience_when_refused: Duration::from_secs(24 * 3600),
            s3_files: S3Files::default(),
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

    /// Takes batches. Each is on disk when this returns, or is among those given back. The
    /// generation is kept with them, see [`Spool::generation`].
    pub async fn submit(&self, batches: Vec<Batch>, generation: u64) -> Vec<Refused> {
        let ids: BTreeMap<_, _> = batches.iter().map(|b| (b.flow_log_id, b.scope)).collect();
        let refused = self
            .shared
            .blocking(move |shared| {
                let mut refused = Vec::new();
                for batch in batches {
                    if let Err(error) = shared.spool().append(&batch, generation) {
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

    /// Says which flow logs exist. What a deleted one still has waiting is delivered at once, or given up
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
            self.shared.wake(id);
        }
    }

    /// Tries everything that waits at once, and returns when each flow log's batches have been
    /// delivered or an attempt has failed.
    pub async fn flush(&self) -> BTreeMap<FlowLogId, FlushOutcome> {
        let mut waits = Vec::new();
        {
            let mut state = self.shared.state();
            let spool = self.shared.spool();
            for (&id, queue) in &mut state.queues {
                let waiting = spool.waiting(id);
                if waiting.batches > 0 && queue.running {
                    let progress = queue.progress.subscribe();
                    let now = *queue.progress.borrow();
                    // An attempt that is under way may have begun before the flush was asked for.
                    let failures = now.failures + if now.in_flight { 2 } else { 1 };
                    waits.push((id, progress, waiting.last_sequence, failures));
                    queue.due = waiting.last_sequence;
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
                    rejected_records: queue.rejected_records,
                    failures: queue.progress.borrow().failures,
                    last_delivery: queue.last_delivery,
                    last_error: queue.last_error.clone(),
                }
            })
            .collect()
    }

    /// The flow logs that have lost records, to damage of the disk or because their destination threw
    /// them away; each is told once. The caller says so with SKIPDATA records.
    pub fn take_lost(&self) -> BTreeSet<FlowLogId> {
        self.shared.spool().take_lost()
    }

    /// See [`Spool::generation`].
    pub fn generation(&self, flow_log_id: FlowLogId) -> u64 {
        self.shared.spool().generation(flow_log_id)
    }

    /// See [`Spool::last_generation`].
    pub fn last_generation(&self) -> u64 {
        self.shared.spool().last_generation()
    }

    /// Bytes of the spool on disk.
    pub fn spooled_bytes(&self) -> u64 {
        self.shared.spool().bytes()
    }
}
