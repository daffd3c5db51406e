//! The single writer: every change of state passes through this one thread.
//!
//! A change is journaled, then published, then in force for the next packet, and only then
//! acknowledged. Jobs that wait together share one commit of the journal. The event of a call is journaled with what
//! the call changed; that of a call which changed nothing goes with the next commit, or within [`NOTES_WAIT`].

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use cloudtrail::Event as TrailEvent;
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
    events: Vec<TrailEvent>,
    /// Whether events must not wait.
    at_once: bool,
    acknowledge: Acknowledge,
}

/// Makes the events of a call, once it is known when it was carried out and what came of it.
pub(crate) type Note<R> =
    Box<dyn FnOnce(Timestamp, Result<&R, &control::Error>) -> Vec<TrailEvent> + Send>;

/// Tells the caller how its job ended, once that is certain: whether it was journaled.
type Acknowledge = Box<dyn FnOnce(bool)>;

/// Jobs that may wait before callers are held up.
const QUEUE: usize = 1024;
/// Jobs that share one commit.
const BATCH: usize = 64;
/// Records after which there is a checkpoint; more if the world has more rows than that, so that a change costs the same
/// however large the world is.
const RECORDS_PER_CHECKPOINT: usize = 4096;
/// How long events of calls that changed nothing may wait.
const NOTES_WAIT: Duration = Duration::from_millis(250);
/// Events that may wait; more are written at once.
const NOTES_MAX: usize = 1024;
/// Events that are kept, and how long ("Working with CloudTrail event history").
const EVENTS_MAX: u64 = 1_000_000;
const WRITES_PER_FORGETTING: u64 = 4096;
const EVENTS_AGE: Duration = Duration::from_secs(90 * 24 * 3600);

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
            notes: Vec::new(),
            noted_since_forgetting: 0,
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
    pub(crate) async fn execute<C>(
        &self,
        scope: Scope,
        request: C,
        note: Note<C::Response>,
    ) -> Result<C::Response, Failure>
    where
        C: Call + Send + 'static,
        C::Response: Send,
    {
        if only_asks(request.action()) {
            let (now, entropy) = (clock::now(), &mut SystemEntropy);
            let asked =
                control::execute(&self.world(), scope, &request, now, entropy, &self.quotas);
            if asked.as_ref().is_ok_and(|asked| !asked.changes.is_empty()) {
                // The first call in a Region, which gets its default VPC now.
            } else {
                let answer = asked.map(|asked| asked.response);
                self.note(note(now, answer.as_ref())).await;
                return answer.map_err(Failure::from);
            }
        }
        self.ask(move |world, now, quotas| {
            let done = control::execute(world, scope, &request, now, &mut SystemEntropy, quotas);
            let (answer, changes) = match done {
                Ok(done) => (Ok(done.response), done.changes),
                Err(error) => (Err(error), Vec::new()),
            };
            let events = note(now, answer.as_ref());
            (answer, changes, events)
        })
        .await
    }

    /// Takes note of calls that changed nothing here. They are on disk soon.
    pub(crate) async fn note(&self, events: Vec<TrailEvent>) {
        if !events.is_empty() {
            self.send(note(events, false, || {})).await;
        }
    }

    /// Returns when every call that was noted before is on disk.
    pub(crate) async fn write_notes(&self) {
        let (reply, written) = oneshot::channel();
        let job = note(Vec::new(), true, move || {
            // A caller that has hung up needs no answer.
            let _ = reply.send(());
        });
        if self.send(job).await {
            let _ = written.await;
        }
    }

    /// What a request would change now. Nothing is changed.
    ///
    /// # Errors
    ///
    /// What AWS would answer.
    pub(crate) fn draft<C: Call>(
        &self,
        scope: Scope,
        request: &C,
    ) -> Result<Vec<(Scope, Change)>, control::Error> {
        let (now, entropy) = (clock::now(), &mut SystemEntropy);
        let drafted = control::execute(&self.world(), scope, request, now, entropy, &self.quotas)?;
        Ok(drafted.changes)
    }

    /// Takes note of something that happened.
    ///
    /// # Errors
    ///
    /// When it makes no sense, or `Internal`.
    pub(crate) async fn observe(&self, scope: Scope, event: Event) -> Result<(), Failure> {
        self.ask(move |world, now, quotas| {
            match control::observe(world, scope, &event, now, &mut SystemEntropy, quotas) {
                Ok(changes) => (Ok(()), changes, Vec::new()),
                Err(error) => (Err(error), Vec::new(), Vec::new()),
            }
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&World, Timestamp, &Quotas) -> Worked<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |world, now, quotas| draft(work(world, now, quotas), reply));
        if !self.send(job).await {
            return Err(Failure::Internal);
        }
        answer.await.unwrap_or(Err(Failure::Internal))
    }

    /// Whether the writer takes the job.
    async fn send(&self, job: Job) -> bool {
        let jobs = self.jobs.clone();
        // A full queue holds up this caller on a thread of its own, not the connections of others.
        match jobs.try_send(job) {
            Ok(()) => true,
            Err(mpsc::TrySendError::Full(job)) => {
                tokio::task::spawn_blocking(move || jobs.send(job).is_ok())
                    .await
                    .unwrap_or(false)
            }
            Err(mpsc::TrySendError::Disconnected(_)) => false,
        }
    }
}

/// What a job came to: its answer, what it changes, and the events of the call.
type Worked<T> = (
    Result<T, control::Error>,
    Vec<(Scope, Change)>,
    Vec<TrailEvent>,
);

struct Thread<E> {
    journal: Journal,
    world: World,
    enforce: E,
    publish: watch::Sender<Arc<World>>,
    quotas: Arc<Quotas>,
    /// Events of calls that changed nothing, which wait for the next commit.
    notes: Vec<TrailEvent>,
    /// How often they have been written.
    noted_since_forgetting: u64,
}

impl<E: Enforce> Thread<E> {
    fn run(mut self, queue: &mpsc::Receiver<Job>) -> anyhow::Result<()> {
        self.enforce.enforce(&self.world)?;
        while let Some(first) = self.next(queue) {
            let batch: Vec<Job> = std::iter::once(first)
                .chain(queue.try_iter().take(BATCH - 1))
                .collect();
            self.carry_out(batch)?;
        }
        Ok(())
    }

    /// The next job; meanwhile, what was noted is written.
    fn next(&mut self, queue: &mpsc::Receiver<Job>) -> Option<Job> {
        if !self.notes.is_empty() {
            match queue.recv_timeout(NOTES_WAIT) {
                Ok(job) => return Some(job),
                Err(_) => self.write_notes(),
            }
        }
        queue.recv().ok()
    }

    fn carry_out(&mut self, batch: Vec<Job>) -> anyhow::Result<()> {
        let before = self.world.clone();
        let (mut records, mut events, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        let mut at_once = false;
        for job in batch {
            let now = clock::now();
            let drafted = job(&self.world, now, &self.quotas);
            at_once |= drafted.at_once;
            match drafted.changes.is_empty() {
                true => self.notes.extend(drafted.events),
                false => events.extend(drafted.events),
            }
            for (scope, change) in &drafted.changes {
                self.world.apply(*scope, change);
            }
            records.extend(Record::of(now, drafted.changes));
            waiting.push(drafted.acknowledge);
        }
        let journaled = match self.write(&records, events) {
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
        if at_once || self.notes.len() > NOTES_MAX {
            self.write_notes();
        }
        for acknowledge in waiting {
            acknowledge(journaled);
        }
        let rows = || self.world.regions.values().map(model::State::rows).sum();
        if self.journal.since_checkpoint() > RECORDS_PER_CHECKPOINT
            && self.journal.since_checkpoint() > rows()
            && let Err(error) = self.journal.checkpoint(&self.world)
        {
            tracing::warn!(
                error = format!("{:#}", anyhow::Error::from(error)),
                "no checkpoint; the journal grows on"
            );
        }
        Ok(())
    }

    /// Writes what was noted. Nobody waits for that: what the disk does not take is lost, and said to be.
    fn write_notes(&mut self) {
        if self.notes.is_empty() {
            return;
        }
        if let Err(error) = self.journal.append(&[], &self.notes) {
            tracing::error!(
                events = self.notes.len(),
                error = format!("{:#}", anyhow::Error::from(error)),
                "calls that changed nothing are missing in the event history"
            );
        }
        self.notes.clear();
        self.forget_events();
    }

    fn forget_events(&mut self) {
        self.noted_since_forgetting += 1;
        if !self
            .noted_since_forgetting
            .is_multiple_of(WRITES_PER_FORGETTING)
        {
            return;
        }
        let now = clock::now().as_secs();
        let oldest = Timestamp::from_secs(now.saturating_sub(EVENTS_AGE.as_secs()));
        if let Err(error) = self.journal.forget_events(oldest, EVENTS_MAX) {
            let error = format!("{:#}", anyhow::Error::from(error));
            tracing::warn!(error, "old events were not forgotten");
        }
    }

    /// Writes changes with the events of the calls that made them, and what was noted before.
    fn write(&mut self, records: &[Record], events: Vec<TrailEvent>) -> Result<(), store::Error> {
        if records.is_empty() {
            return Ok(());
        }
        let noted = self.notes.len();
        self.notes.extend(events);
        let written = self.journal.append(records, &self.notes);
        match written {
            Ok(()) => self.notes.clear(),
            // The calls will be told that they failed; they leave no event that says otherwise.
            Err(_) => self.notes.truncate(noted),
        }
        written
    }
}

/// A job that only takes note of calls.
fn note(events: Vec<TrailEvent>, at_once: bool, written: impl FnOnce() + Send + 'static) -> Job {
    Box::new(move |_, _, _| Drafted {
        changes: Vec::new(),
        events,
        at_once,
        acknowledge: Box::new(move |_| written()),
    })
}

/// A caller whose job changes something is not told before that is on disk.
fn draft<T: Send + 'static>(
    (answer, changes, events): Worked<T>,
    reply: oneshot::Sender<Result<T, Failure>>,
) -> Drafted {
    let answer = answer.map_err(Failure::from);
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
        events,
        at_once: false,
        acknowledge: Box::new(acknowledge),
    }
}

/// Whether an action never changes anything, by AWS's way of naming.
fn only_asks(action: &str) -> bool {
    let asking = ["Describe", "Get", "List"];
    asking.iter().any(|verb| action.starts_with(verb))
}

/// Whether packets can tell the difference.
fn governs_packets(change: &Change) -> bool {
    !matches!(
        change,
        Change::FlowLog(..)
            | Change::ClientToken(..)
            | Change::DhcpOptions(..)
            | Change::SubnetCidrReservation(..)
            | Change::Role(..)
            | Change::User(..)
            | Change::AccessKey(..)
            | Change::Group(..)
            | Change::ManagedPolicy(..)
            | Change::InstanceProfile(..)
    )
}
