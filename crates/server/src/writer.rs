//! The single writer: every change of state passes through this one thread.
//!
//! A change is journaled, then published, then in force for the next packet, and only then
//! acknowledged. Jobs that wait together share one commit of the journal.

use std::sync::Arc;
use std::sync::mpsc;

use control::{Call, Event, Quotas};
use model::{Change, Scope, Timestamp, World};
use store::{Journal, Record};
use tokio::sync::{oneshot, watch};

use crate::clock::{self, SystemEntropy};

/// Why a request was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// AWS would refuse it too.
    #[error(transparent)]
    Refused(#[from] control::Error),
    /// The daemon could not do it; the log says why.
    #[error("An internal error has occurred")]
    Internal,
}

/// Makes what the world says true for packets, before it is acknowledged.
pub(crate) trait Enforce: Send {
    /// Returns when the next packet is decided by this world.
    ///
    /// # Errors
    ///
    /// When packets can no longer be governed; the daemon ends then.
    fn enforce(&mut self, world: &World) -> anyhow::Result<()>;
}

/// A way to the writer, for everybody.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    jobs: mpsc::SyncSender<Job>,
    world: watch::Receiver<Arc<World>>,
    quotas: Arc<Quotas>,
}

/// Works something out on the draft of the next world.
type Job = Box<dyn FnOnce(&World, Timestamp, &Quotas) -> Drafted + Send>;

/// What a job does to the world, and how its caller is told.
struct Drafted {
    changes: Vec<(Scope, Change)>,
    acknowledge: Acknowledge,
}

/// Tells the caller how its job ended, once that is certain: whether it was journaled.
type Acknowledge = Box<dyn FnOnce(bool)>;

/// Jobs that may wait before callers are held up.
const QUEUE: usize = 1024;
/// Jobs that share one commit.
const BATCH: usize = 64;
/// Records after which the journal is replaced by a checkpoint.
const RECORDS_PER_CHECKPOINT: usize = 4096;

impl Writer {
    /// Starts the thread. `failed` is called once if it has to give up.
    pub(crate) fn start(
        journal: Journal,
        world: World,
        enforce: impl Enforce + 'static,
        quotas: Quotas,
        failed: impl FnOnce(anyhow::Error) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::sync_channel(QUEUE);
        let (publish, published) = watch::channel(Arc::new(world.clone()));
        let quotas = Arc::new(quotas);
        let state = Thread {
            journal,
            world,
            enforce,
            publish,
            quotas: quotas.clone(),
        };
        std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || {
                if let Err(error) = state.run(&queue) {
                    failed(error);
                }
            })?;
        Ok(Self {
            jobs,
            world: published,
            quotas,
        })
    }

    /// The world as last published.
    #[must_use]
    pub(crate) fn world(&self) -> Arc<World> {
        self.world.borrow().clone()
    }

    /// Tells when a new world is published.
    #[must_use]
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<World>> {
        self.world.clone()
    }

    /// Carries out a request. One that only asks does not wait for the writer, unless it is the
    /// first in an account's Region, which gets its default VPC then.
    ///
    /// # Errors
    ///
    /// What AWS would answer, or `Internal`.
    pub(crate) async fn execute<C>(&self, scope: Scope, request: C) -> Result<C::Response, Failure>
    where
        C: Call + Send + 'static,
        C::Response: Send,
    {
        if only_asks(request.action()) {
            let (now, entropy) = (clock::now(), &mut SystemEntropy);
            let asked =
                control::execute(&self.world(), scope, &request, now, entropy, &self.quotas)?;
            if asked.changes.is_empty() {
                return Ok(asked.response);
            }
        }
        self.ask(move |world, now, quotas| {
            let done = control::execute(world, scope, &request, now, &mut SystemEntropy, quotas)?;
            Ok((done.response, done.changes))
        })
        .await
    }

    /// Takes note of something that happened.
    ///
    /// # Errors
    ///
    /// When it makes no sense, or `Internal`.
    pub(crate) async fn observe(&self, scope: Scope, event: Event) -> Result<(), Failure> {
        self.ask(move |world, now, quotas| {
            let changes = control::observe(world, scope, &event, now, &mut SystemEntropy, quotas)?;
            Ok(((), changes))
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(
            &World,
            Timestamp,
            &Quotas,
        ) -> Result<(T, Vec<(Scope, Change)>), control::Error>
        + Send
        + 'static,
    ) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |world, now, quotas| draft(work(world, now, quotas), reply));
        let jobs = self.jobs.clone();
        // A full queue holds up this caller on a thread of its own, not the connections of others.
        let sent = match jobs.try_send(job) {
            Ok(()) => true,
            Err(mpsc::TrySendError::Full(job)) => {
                tokio::task::spawn_blocking(move || jobs.send(job).is_ok())
                    .await
                    .unwrap_or(false)
            }
            Err(mpsc::TrySendError::Disconnected(_)) => false,
        };
        if !sent {
            return Err(Failure::Internal);
        }
        answer.await.unwrap_or(Err(Failure::Internal))
    }
}

struct Thread<E> {
    journal: Journal,
    world: World,
    enforce: E,
    publish: watch::Sender<Arc<World>>,
    quotas: Arc<Quotas>,
}

impl<E: Enforce> Thread<E> {
    fn run(mut self, queue: &mpsc::Receiver<Job>) -> anyhow::Result<()> {
        self.enforce.enforce(&self.world)?;
        while let Ok(first) = queue.recv() {
            let batch: Vec<Job> = std::iter::once(first)
                .chain(queue.try_iter().take(BATCH - 1))
                .collect();
            self.carry_out(batch)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, batch: Vec<Job>) -> anyhow::Result<()> {
        let before = self.world.clone();
        let (mut records, mut waiting) = (Vec::new(), Vec::new());
        for job in batch {
            let now = clock::now();
            let drafted = job(&self.world, now, &self.quotas);
            for (scope, change) in &drafted.changes {
                self.world.apply(*scope, change);
            }
            records.extend(Record::of(now, drafted.changes));
            waiting.push(drafted.acknowledge);
        }
        let journaled = match self.write(&records) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(
                    error = format!("{:#}", anyhow::Error::from(error)),
                    "changes were refused: the journal cannot be written"
                );
                self.world = before;
                false
            }
        };
        if journaled && !records.is_empty() {
            if records.iter().flat_map(|r| &r.changes).any(governs_packets) {
                self.enforce.enforce(&self.world)?;
            }
            self.publish.send_replace(Arc::new(self.world.clone()));
        }
        for acknowledge in waiting {
            acknowledge(journaled);
        }
        if self.journal.since_checkpoint() > RECORDS_PER_CHECKPOINT
            && let Err(error) = self.journal.checkpoint(&self.world)
        {
            tracing::warn!(
                error = format!("{:#}", anyhow::Error::from(error)),
                "no checkpoint; the journal grows on"
            );
        }
        Ok(())
    }

    fn write(&mut self, records: &[Record]) -> Result<(), store::Error> {
        if records.is_empty() {
            Ok(())
        } else {
            self.journal.append(records)
        }
    }
}

/// A caller whose job changes something is not told before that is on disk.
fn draft<T: Send + 'static>(
    done: Result<(T, Vec<(Scope, Change)>), control::Error>,
    reply: oneshot::Sender<Result<T, Failure>>,
) -> Drafted {
    let (answer, changes) = match done {
        Ok((answer, changes)) => (Ok(answer), changes),
        Err(error) => (Err(Failure::from(error)), Vec::new()),
    };
    let changed = !changes.is_empty();
    let acknowledge = move |journaled: bool| {
        let answer = if journaled || !changed {
            answer
        } else {
            Err(Failure::Internal)
        };
        // A caller that has hung up needs no answer.
        let _ = reply.send(answer);
    };
    Drafted {
        changes,
        acknowledge: Box::new(acknowledge),
    }
}

/// Whether an action never changes anything, by AWS's way of naming.
fn only_asks(action: &str) -> bool {
    action.starts_with("Describe") || action.starts_with("Get")
}

/// Whether packets can tell the difference.
fn governs_packets(change: &Change) -> bool {
    !matches!(
        change,
        Change::FlowLog(..) | Change::ClientToken(..) | Change::DhcpOptions(..)
    )
}
