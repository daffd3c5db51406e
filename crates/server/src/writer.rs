//! The single writer: every change of state passes through this one thread.
//!
//! A change is journaled, then published, then in force for the next packet, and only then
//! acknowledged. Jobs that wait together share one commit of the journal.

use std::sync::Arc;
use std::sync::mpsc;

use control::{Event, Quotas};
use ec2_api::{Request, Response};
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

type Reply<T> = oneshot::Sender<Result<T, Failure>>;

enum Job {
    Request {
        scope: Scope,
        request: Box<Request>,
        reply: Reply<Response>,
    },
    Event {
        scope: Scope,
        event: Event,
        reply: Reply<()>,
    },
}

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
    pub(crate) async fn execute(
        &self,
        scope: Scope,
        request: Request,
    ) -> Result<Response, Failure> {
        if only_asks(request.action()) {
            let (now, entropy) = (clock::now(), &mut SystemEntropy);
            let asked =
                control::execute(&self.world(), scope, &request, now, entropy, &self.quotas)?;
            if asked.changes.is_empty() {
                return Ok(asked.response);
            }
        }
        self.ask(|reply| Job::Request {
            scope,
            request: Box::new(request),
            reply,
        })
        .await
    }

    /// Takes note of something that happened.
    ///
    /// # Errors
    ///
    /// When it makes no sense, or `Internal`.
    pub(crate) async fn observe(&self, scope: Scope, event: Event) -> Result<(), Failure> {
        self.ask(|reply| Job::Event {
            scope,
            event,
            reply,
        })
        .await
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        let job = job(reply);
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

/// Tells the caller how its job ended, once that is certain.
type Acknowledge = Box<dyn FnOnce(bool)>;

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
            waiting.push(self.draft(job, &mut records));
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

    /// Carries a job out on the draft of the next world.
    fn draft(&mut self, job: Job, records: &mut Vec<Record>) -> Acknowledge {
        let now = clock::now();
        let (world, quotas) = (&self.world, &self.quotas);
        match job {
            Job::Request {
                scope,
                request,
                reply,
            } => {
                let done =
                    control::execute(world, scope, &request, now, &mut SystemEntropy, quotas);
                let done = done.map(|applied| (applied.response, applied.changes));
                self.note(now, done, reply, records)
            }
            Job::Event {
                scope,
                event,
                reply,
            } => {
                let done = control::observe(world, scope, &event, now, &mut SystemEntropy, quotas);
                let done = done.map(|changes| ((), changes));
                self.note(now, done, reply, records)
            }
        }
    }

    fn note<T: 'static>(
        &mut self,
        at: Timestamp,
        done: Result<(T, Vec<(Scope, Change)>), control::Error>,
        reply: Reply<T>,
        records: &mut Vec<Record>,
    ) -> Acknowledge {
        match done {
            Ok((answer, changes)) => {
                for (scope, change) in &changes {
                    self.world.apply(*scope, change);
                }
                let changed = !changes.is_empty();
                records.extend(Record::of(at, changes));
                Box::new(move |journaled| {
                    let answer = if journaled || !changed {
                        Ok(answer)
                    } else {
                        Err(Failure::Internal)
                    };
                    // A caller that has hung up needs no answer.
                    let _ = reply.send(answer);
                })
            }
            Err(error) => Box::new(move |_| {
                let _ = reply.send(Err(error.into()));
            }),
        }
    }

    fn write(&mut self, records: &[Record]) -> Result<(), store::Error> {
        if records.is_empty() {
            Ok(())
        } else {
            self.journal.append(records)
        }
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
