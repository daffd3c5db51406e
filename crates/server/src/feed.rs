//! The latest flows, for whoever follows them. Bounded: slow readers miss the oldest, and are told how many.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// A bounded memory of flows, numbered from 1.
#[derive(Debug)]
pub(crate) struct Feed<T> {
    flows: Mutex<Memory<T>>,
    arrived: Notify,
    readers: AtomicUsize,
}

#[derive(Debug)]
struct Memory<T> {
    /// Number of the newest.
    newest: u64,
    kept: VecDeque<T>,
}

/// What a reader gets.
#[derive(Debug)]
pub(crate) struct News<T> {
    /// Where to go on.
    pub(crate) next: u64,
    /// Oldest first.
    pub(crate) flows: Vec<T>,
    /// How many came since the reader's last and are forgotten.
    pub(crate) missed: u64,
}

/// Flows that are remembered.
pub(crate) const KEPT: usize = 8192;
/// The longest that a reader is kept waiting.
const WAIT_MAX: Duration = Duration::from_secs(30);

impl<T> Default for Feed<T> {
    fn default() -> Self {
        Self {
            flows: Mutex::new(Memory {
                newest: 0,
                kept: VecDeque::new(),
            }),
            arrived: Notify::new(),
            readers: AtomicUsize::new(0),
        }
    }
}

impl<T: Clone> Feed<T> {
    /// Adds flows, and wakes those who wait for them.
    pub(crate) fn push<'a>(
        &self,
        flows: impl IntoIterator<IntoIter: ExactSizeIterator<Item = &'a T>>,
    ) where
        T: 'a,
    {
        let flows = flows.into_iter();
        let count = flows.len();
        if count == 0 {
            return;
        }
        let mut memory = self.lock();
        memory.newest += count as u64;
        let over = (memory.kept.len() + count.min(KEPT)).saturating_sub(KEPT);
        memory.kept.drain(..over);
        let new = flows.skip(count.saturating_sub(KEPT));
        memory.kept.extend(new.cloned());
        drop(memory);
        self.arrived.notify_waiters();
    }

    /// The number of the newest.
    pub(crate) fn newest(&self) -> u64 {
        self.lock().newest
    }

    /// Whether somebody waits.
    pub(crate) fn is_read(&self) -> bool {
        self.readers.load(Ordering::Relaxed) > 0
    }

    /// What came after number `after` and is wanted; waits up to `wait` for the first.
    pub(crate) async fn read(
        &self,
        mut after: u64,
        wait: Duration,
        wanted: impl Fn(&T) -> bool,
    ) -> News<T> {
        let _reading = Reading::new(&self.readers);
        let deadline = tokio::time::Instant::now() + wait.min(WAIT_MAX);
        let mut missed = 0;
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // Before looking, so that a flow that comes between the look and the wait is not missed.
            arrived.as_mut().enable();
            let mut news = self.since(after, &wanted);
            missed += news.missed;
            after = news.next;
            if !news.flows.is_empty() || tokio::time::timeout_at(deadline, arrived).await.is_err() {
                news.missed = missed;
                return news;
            }
        }
    }

    fn since(&self, after: u64, wanted: impl Fn(&T) -> bool) -> News<T> {
        let memory = self.lock();
        let new = usize::try_from(memory.newest.saturating_sub(after)).unwrap_or(usize::MAX);
        let skip = memory.kept.len().saturating_sub(new);
        let missed = match after {
            // Who only begins has missed nothing.
            0 => 0,
            _ => new.saturating_sub(memory.kept.len()) as u64,
        };
        let flows = memory.kept.iter().skip(skip).filter(|flow| wanted(flow));
        News {
            next: memory.newest,
            flows: flows.cloned().collect(),
            missed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory<T>> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a reader as long as it reads, however its call ends.
struct Reading<'a>(&'a AtomicUsize);

impl<'a> Reading<'a> {
    fn new(readers: &'a AtomicUsize) -> Self {
        readers.fetch_add(1, Ordering::Relaxed);
        Self(readers)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(feed: &Feed<u16>, after: u64) -> News<u16> {
        feed.read(after, Duration::ZERO, |_| true).await
    }

    #[tokio::test]
    async fn readers_go_on_where_they_stopped() {
        let feed = Feed::default();
        feed.push([1, 2].iter());
        let first = read(&feed, 0).await;
        assert_eq!(first.flows, [1, 2]);
        feed.push([3].iter());
        let second = read(&feed, first.next).await;
        assert_eq!((second.flows.as_slice(), second.missed), (&[3][..], 0));
        assert!(read(&feed, second.next).await.flows.is_empty());
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken_by_what_it_wants() {
        let feed = std::sync::Arc::new(Feed::default());
        let reader = tokio::spawn({
            let feed = feed.clone();
            async move { feed.read(0, Duration::from_secs(20), |n| *n > 5).await }
        });
        tokio::task::yield_now().await;
        assert!(feed.is_read());
        feed.push([3].iter());
        tokio::task::yield_now().await;
        feed.push([4, 7].iter());
        let news = reader.await.unwrap();
        assert_eq!((news.flows, news.next), (vec![7], 3));
        assert!(!feed.is_read());
    }

    #[tokio::test]
    async fn the_memory_is_bounded_and_slow_readers_are_told_what_they_missed() {
        let feed = Feed::default();
        feed.push([0; 10].iter());
        let news = read(&feed, 0).await;
        for _ in 0..3 {
            feed.push([0; KEPT / 2].iter());
        }
        feed.push(vec![0; KEPT + 7].iter());
        let news = read(&feed, news.next).await;
        assert_eq!(news.flows.len(), KEPT);
        assert_eq!(news.missed, 3 * (KEPT as u64) / 2 + 7);
        assert_eq!(read(&feed, 0).await.missed, 0);
    }
}
