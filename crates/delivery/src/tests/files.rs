//! Which entries become one file, and when.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;

use super::support::{Bucket, Folder, clock, config, id, line, lines_of, logs_batch, s3_batch};
use crate::parcel::Parcel;
use crate::{Clock, Delivery, DeliveryConfig, Entry, S3Files, S3Sink, Spool};

const SLOT: u64 = 1_700_000_100;

fn entry(sequence: u64, lines: &[(u64, &str)]) -> Entry {
    let mut batch = s3_batch(1, &[]);
    let lines: Vec<_> = lines
        .iter()
        .map(|(start, text)| line(*start, text))
        .collect();
    batch.lines = lines_of("version", &lines);
    Entry { sequence, batch }
}

/// Sequence numbers of the first and last entry, the lines, and how many entries were looked at.
fn gathered(entries: &[Entry], tried: Option<u64>) -> (u64, u64, Vec<String>, usize) {
    let looked_at = Cell::new(1);
    let next = |place: usize| {
        looked_at.set(looked_at.get() + 1);
        Ok(entries.get(place).cloned())
    };
    let parcel = Parcel::gather(entries[0].clone(), next, tried);
    let lines = parcel
        .entry
        .batch
        .lines
        .iter()
        .map(|(_, text)| text.to_owned());
    assert_eq!(parcel.entries, parcel.last - parcel.entry.sequence + 1);
    (
        parcel.entry.sequence,
        parcel.last,
        lines.collect(),
        looked_at.get(),
    )
}

#[test]
fn entries_of_five_minutes_are_one_file_in_the_order_of_one() {
    let entries = [
        entry(4, &[(SLOT + 60, "c"), (SLOT + 70, "d")]),
        entry(5, &[(SLOT, "a"), (SLOT + 30, "b")]),
        entry(6, &[(SLOT + 90, "e")]),
    ];
    let all = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    assert_eq!(gathered(&entries, None), (4, 6, all, 4));
    // As it was tried before the last one came.
    let tried = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    assert_eq!(gathered(&entries, Some(5)), (4, 5, tried, 2));

    let mut later = entry(7, &[(SLOT + 300, "f")]);
    later.batch.slot = Timestamp::from_secs(SLOT + 300);
    let entries = [entries[2].clone(), later];
    assert_eq!(gathered(&entries, None), (6, 6, vec!["e".to_owned()], 2));
}

#[test]
fn a_file_ends_at_75_megabytes_and_events_are_not_gathered() {
    let text = "x".repeat(16 << 20);
    let entries: Vec<_> = (1..8).map(|n| entry(n, &[(SLOT, &text)])).collect();
    let (first, last, lines, _) = gathered(&entries, None);
    assert_eq!((first, last, lines.len()), (1, 4, 4));

    let mut entries = [entry(1, &[]), entry(2, &[])];
    for entry in &mut entries {
        entry.batch = logs_batch(1, &[line(SLOT, "x")]);
    }
    assert_eq!(gathered(&entries, None), (1, 1, vec!["x".to_owned()], 1));
}

#[test]
fn files_wait_for_windows_that_are_open_when_their_time_ends() {
    let at = |oldest: u64, now: u64| {
        let (oldest, now) = (Timestamp::from_secs(oldest), Timestamp::from_secs(now));
        assert_eq!(S3Files::Window.wait(oldest, now), None);
        S3Files::Slot.wait(oldest, now).map(|wait| wait.as_secs())
    };
    assert_eq!(at(SLOT, SLOT), Some(360));
    assert_eq!(at(SLOT + 299, SLOT + 359), Some(1));
    assert_eq!(at(SLOT + 299, SLOT + 360), None);
    assert_eq!(at(SLOT + 299, SLOT + 100_000), None);
    assert_eq!(at(SLOT + 300, SLOT + 360), Some(300));
}

fn start(folder: &Folder, bucket: &Arc<Bucket>, clock: Clock) -> Delivery {
    let config = DeliveryConfig {
        attempt_timeout: Duration::from_secs(60),
        ..config()
    };
    let sink = Arc::new(S3Sink::new(bucket.clone()));
    let spool = Spool::open(folder.path(), 1 << 30).unwrap();
    Delivery::start(config, spool, sink, clock, Arc::new(|_| ()))
}

#[tokio::test]
async fn five_minutes_are_one_object_unless_somebody_asks_earlier() {
    let (folder, bucket) = (Folder::new(), Arc::new(Bucket::default()));
    let delivery = start(&folder, &bucket, clock());
    for text in ["a", "b"] {
        delivery.submit(vec![s3_batch(1, &[text])], 1).await;
    }
    delivery
        .submit(vec![logs_batch(2, &[line(SLOT, "no file")])], 1)
        .await;
    while delivery.snapshot()[1].last_error.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        delivery.snapshot()[0].waiting_batches,
        2,
        "only what is no file was tried"
    );
    delivery.flush().await;
    assert_eq!(bucket.files(), [vec!["a", "b"]]);

    for text in ["c", "d"] {
        delivery.submit(vec![s3_batch(1, &[text])], 1).await;
    }
    delivery.shutdown().await;
    assert_eq!(bucket.files().len(), 1);
    // The next daemon comes when the time is over.
    let later = || Timestamp::from_secs(SLOT + 360);
    let delivery = start(&folder, &bucket, Arc::new(later));
    while delivery
        .snapshot()
        .iter()
        .any(|d| d.flow_log_id == id(1) && d.waiting_batches > 0)
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(bucket.files(), [vec!["a", "b"], vec!["c", "d"]]);
}

#[tokio::test]
async fn a_killed_daemons_file_is_replaced_by_one_that_holds_it() {
    let (folder, bucket) = (Folder::new(), Arc::new(Bucket::default()));
    let delivery = start(&folder, &bucket, clock());
    delivery.submit(vec![s3_batch(1, &["a"])], 1).await;
    // It arrived, and the daemon was killed before it knew.
    bucket.lose_answers(u32::MAX);
    delivery.flush().await;
    delivery.shutdown().await;
    bucket.lose_answers(0);
    assert_eq!(bucket.files(), [vec!["a"]]);
    bucket.may_grow();
    let delivery = start(&folder, &bucket, clock());
    delivery.submit(vec![s3_batch(1, &["b"])], 1).await;
    delivery.flush().await;
    assert_eq!(bucket.files(), [vec!["a", "b"]]);
}
