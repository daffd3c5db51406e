//! Open windows on disk, so that a daemon that is killed does not forget them: what they have counted, and a SKIPDATA
//! record for each (`docs/adr` has the decision).

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataplane::{InterfaceMetadata, interface_metadata};
use delivery::{Delivery, Interrupted, Interruption};
use flow_logs::{Aggregator, Batch, ClosedWindow, batches};
use model::{FlowLogId, Timestamp, World};

/// Counters are written down this often at most; which windows are open, at once.
const PERIOD: Duration = Duration::from_secs(5);
/// One part in so many of the time may go into writing them down.
const SHARE: u32 = 20;
/// With more flows than this, counters stay in memory and only SKIPDATA records are written down: a copy of all of
/// them would take too much memory.
const FLOWS_MAX: usize = 1 << 17;

/// What is on disk of open windows.
#[derive(Debug)]
pub(crate) struct OpenWindows {
    file: Interruption,
    /// Goes up whenever records of closed windows have gone to the spool.
    pub(crate) generation: u64,
    written: Option<Written>,
    /// Whether something has been counted since.
    counted: bool,
    failing: bool,
    ended: bool,
}

#[derive(Debug)]
struct Written {
    at: Instant,
    cost: Duration,
    changes: u64,
    generation: u64,
}

impl OpenWindows {
    /// Opens the file, and finds what an earlier daemon has left in it.
    ///
    /// # Errors
    ///
    /// If the disk fails.
    pub(crate) fn open(state: &Path, spooled: u64) -> io::Result<(Self, Option<Interrupted>)> {
        let (file, interrupted) = Interruption::open(state)?;
        let left = interrupted.as_ref().map_or(0, |left| left.generation);
        let windows = Self {
            file,
            generation: left.max(spooled) + 1,
            written: None,
            counted: false,
            failing: false,
            ended: false,
        };
        Ok((windows, interrupted))
    }

    /// Notes that windows have counted something.
    pub(crate) const fn counted(&mut self) {
        self.counted = true;
    }

    /// Notes that records of closed windows are in the spool.
    pub(crate) const fn closed(&mut self) {
        self.generation += 1;
    }

    /// Whether [`write`](Self::write) has something to do.
    pub(crate) fn is_due(&self, aggregator: &Aggregator) -> bool {
        if self.ended {
            return false;
        }
        let Some(written) = &self.written else {
            return true;
        };
        if (written.changes, written.generation) != (aggregator.changes(), self.generation) {
            return true;
        }
        self.counted && written.at.elapsed() >= PERIOD.max(written.cost * SHARE)
    }

    /// Writes down what flow logs get if the daemon dies now. Blocks on the disk.
    pub(crate) fn write(&mut self, aggregator: &Aggregator) {
        let began = Instant::now();
        let done = if aggregator.coverage().is_empty() && aggregator.windows() == 0 {
            self.file.clear()
        } else {
            self.file.write(&Interrupted {
                generation: self.generation,
                last_seen: Timestamp::default(),
                in_good_order: false,
                records: counted_so_far(aggregator),
                skipped: batches(&aggregator.lost().collect::<Vec<_>>()),
            })
        };
        self.say(done);
        self.counted = false;
        self.written = Some(Written {
            at: began,
            cost: began.elapsed(),
            changes: aggregator.changes(),
            generation: self.generation,
        });
    }

    /// Notes that the daemon lives.
    pub(crate) fn touch(&mut self, now: Timestamp) {
        if !self.ended
            && let Err(error) = self.file.touch(now)
        {
            self.say(Err(error));
        }
    }

    /// Ends in good order: all windows are closed and in the spool, but for those that `unsaid` tells to be lost.
    pub(crate) fn end(&mut self, unsaid: &[ClosedWindow]) {
        self.ended = true;
        let skipped = batches(unsaid);
        let done = if skipped.is_empty() {
            self.file.clear()
        } else {
            self.file.write(&Interrupted {
                generation: self.generation,
                last_seen: Timestamp::default(),
                in_good_order: true,
                records: Vec::new(),
                skipped,
            })
        };
        self.say(done);
    }

    fn say(&mut self, done: io::Result<()>) {
        match done {
            Ok(()) => self.failing = false,
            Err(error) if self.failing => tracing::debug!(%error, "open windows are not on disk"),
            Err(error) => {
                tracing::error!(%error, "open windows are not on disk; what they count is lost if the daemon is killed");
                self.failing = true;
            }
        }
    }
}

fn counted_so_far(aggregator: &Aggregator) -> Vec<Batch> {
    if aggregator.flows() > FLOWS_MAX {
        return Vec::new();
    }
    batches(&aggregator.so_far().collect::<Vec<_>>())
}

/// What an interrupted daemon has left for flow logs that still exist: its counters, unless they have come to the
/// spool after all, and a SKIPDATA record for everybody of whom something may be missing. `unseen` is how long before its death the
/// daemon has looked for the last time, at most.
pub(crate) fn left_behind(
    interrupted: Interrupted,
    unseen: Duration,
    aggregator: &Aggregator,
    world: &World,
    delivery: &Delivery,
) -> Vec<Batch> {
    let Interrupted {
        generation,
        last_seen,
        in_good_order,
        records,
        skipped,
    } = interrupted;
    let existing = aggregator.coverage().flow_log_ids();
    let died = last_seen + unseen;
    let mut left = Vec::new();
    for batch in records {
        let spooled = delivery.generation(batch.flow_log_id) >= generation;
        if existing.contains(&batch.flow_log_id) && !spooled {
            left.push(batch);
        }
    }
    // Interfaces without a window may have had their first packets in the last moment.
    let mut others = Vec::new();
    if !in_good_order {
        for interface in attached(world, aggregator) {
            let told = |id: FlowLogId| {
                let of = skipped.iter().filter(move |b| b.flow_log_id == id);
                of.flat_map(|b| b.lines.iter())
                    .any(|(l, _)| l.recorder == interface.recorder)
            };
            let mut subscriptions = aggregator.coverage().of(&interface);
            subscriptions.retain(|s| !told(s.flow_log_id));
            if !subscriptions.is_empty() {
                others.push(ClosedWindow::lost(
                    interface,
                    subscriptions,
                    last_seen,
                    died,
                ));
            }
        }
    }
    for mut batch in skipped {
        if existing.contains(&batch.flow_log_id) {
            batch.end_at(died);
            left.push(batch);
        }
    }
    left.extend(batches(&others));
    left
}

/// Every interface that is attached and that some flow log covers.
pub(crate) fn attached(world: &World, aggregator: &Aggregator) -> Vec<Arc<InterfaceMetadata>> {
    let coverage = aggregator.coverage();
    let regions = world.regions.iter();
    let all = regions.flat_map(|(&scope, state)| {
        let interfaces = state.network_interfaces.values();
        interfaces.filter_map(move |interface| interface_metadata(state, scope, interface))
    });
    all.filter(|i| coverage.is_attached(i) == Some(true) && !coverage.of(i).is_empty())
        .map(Arc::new)
        .collect()
}
