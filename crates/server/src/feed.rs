//! The latest records, for whoever follows them. Bounded: slow readers miss the oldest.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::ops::{FlowLine, Flows};

/// A bounded memory of lines, numbered from 1.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    lines: Mutex<Lines>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    /// Number of the newest line.
    newest: u64,
    kept: VecDeque<FlowLine>,
}

/// Lines that are remembered.
const KEPT: usize = 8192;
/// The longest that a reader is kept waiting.
const WAIT_MAX: Duration = Duration::from_secs(30);

impl Feed {
    /// Adds lines, and wakes those who wait for them.
    pub(crate) fn push(&self, lines: impl IntoIterator<Item = FlowLine>) {
        let mut memory = self.lock();
        let before = memory.newest;
        for line in lines {
            memory.newest += 1;
            if memory.kept.len() == KEPT {
                memory.kept.pop_front();
            }
            memory.kept.push_back(line);
        }
        if memory.newest > before {
            drop(memory);
            self.arrived.notify_waiters();
        }
    }

    /// The lines after number `after`; waits up to `wait` for the first.
    pub(crate) async fn read(&self, after: u64, wait: Duration) -> Flows {
        let deadline = tokio::time::Instant::now() + wait.min(WAIT_MAX);
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // Before looking, so that a line that comes between the look and the wait is not missed.
            arrived.as_mut().enable();
            let flows = self.since(after);
            if !flows.records.is_empty()
                || tokio::time::timeout_at(deadline, arrived).await.is_err()
            {
                return flows;
            }
        }
    }

    fn since(&self, after: u64) -> Flows {
        let memory = self.lock();
        let new = usize::try_from(memory.newest.saturating_sub(after)).unwrap_or(usize::MAX);
        let skip = memory.kept.len().saturating_sub(new);
        Flows {
            next: memory.newest,
            records: memory.kept.iter().skip(skip).cloned().collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(srcport: u16) -> FlowLine {
        FlowLine {
            srcport,
            ..FlowLine::default()
        }
    }

    #[tokio::test]
    async fn readers_go_on_where_they_stopped() {
        let feed = Feed::default();
        feed.push([line(1), line(2)]);
        let first = feed.read(0, Duration::ZERO).await;
        assert_eq!(first.records.len(), 2);
        feed.push([line(3)]);
        let second = feed.read(first.next, Duration::ZERO).await;
        assert_eq!(second.records, [line(3)]);
        assert!(
            feed.read(second.next, Duration::ZERO)
                .await
                .records
                .is_empty()
        );
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let feed = std::sync::Arc::new(Feed::default());
        let reader = tokio::spawn({
            let feed = feed.clone();
            async move { feed.read(0, Duration::from_secs(20)).await }
        });
        tokio::task::yield_now().await;
        feed.push([line(7)]);
        assert_eq!(reader.await.unwrap().records, [line(7)]);
    }

    #[tokio::test]
    async fn the_memory_is_bounded() {
        let feed = Feed::default();
        feed.push((0..KEPT + 10).map(|_| line(0)));
        assert_eq!(feed.read(0, Duration::ZERO).await.records.len(), KEPT);
    }
}
