//! Failing destinations, restarts, deletions.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use model::DeliveryStatus;

use super::support::{Bucket, Folder, clock, config, id, s3_batch};
use crate::{
    BoxFuture, Delivery, DeliveryReport, Entry, S3Sink, Sink, SinkError, SinkErrorKind, Spool,
};

type Reports = Arc<Mutex<Vec<DeliveryReport>>>;

fn start(folder: &Path, bucket: &Arc<Bucket>) -> (Delivery, Reports) {
    start_bounded(folder, bucket, 1 << 30)
}

fn start_bounded(folder: &Path, bucket: &Arc<Bucket>, bytes_max: u64) -> (Delivery, Reports) {
    let spool = Spool::open(folder, bytes_max).unwrap();
    let sink = S3Sink::new(Arc::clone(bucket) as _);
    let reports = Reports::default();
    let seen = Arc::clone(&reports);
    let on_report = Arc::new(move |report| seen.lock().unwrap().push(report));
    let delivery = Delivery::start(config(), spool, Arc::new(sink), clock(), on_report);
    (delivery, reports)
}

fn statuses(reports: &Reports) -> Vec<DeliveryStatus> {
    let reports = reports.lock().unwrap();
    reports.iter().map(|r| r.status.clone()).collect()
}

fn failed(text: &str) -> DeliveryStatus {
    DeliveryStatus::Failed(text.to_owned())
}

#[tokio::test]
async fn a_destination_that_comes_back_gets_everything_once_and_in_order() {
    let folder = Folder::new();
    let bucket = Arc::new(Bucket::default());
    let (delivery, reports) = start(folder.path(), &bucket);
    let mut expected = Vec::new();
    for n in 0..30 {
        match n {
            5 => bucket.fail(Some(SinkErrorKind::NotFound)),
            10 => bucket.fail(Some(SinkErrorKind::RateLimited)),
            15 => bucket.fail(Some(SinkErrorKind::Unavailable)),
            20 => bucket.fail(None),
            25 => bucket.lose_answers(3),
            _ => {}
        }
        let text = format!("line {n}");
        assert!(
            delivery
                .submit(vec![s3_batch(1, &[&text])], 1)
                .await
                .is_empty()
        );
        expected.push(text);
        let outcome = delivery.flush().await.remove(&id(1));
        let outcome = outcome.filter(|o| o.waiting > 0);
        if n < 25 {
            assert_eq!(outcome.is_some(), (5..20).contains(&n), "{n} {outcome:?}");
        }
        if let Some(outcome) = outcome {
            assert!(outcome.error.is_some());
        }
    }
    while delivery.snapshot()[0].delivered_batches < 30 {
        delivery.flush().await;
        tokio::task::yield_now().await;
    }
    assert_eq!(bucket.lines(), expected);
    let mut statuses = statuses(&reports);
    statuses.dedup();
    assert_eq!(
        statuses,
        [
            DeliveryStatus::Success,
            failed("Access error"),
            failed("Rate limited"),
            failed("Unknown error"),
            DeliveryStatus::Success,
            failed("Unknown error"),
            DeliveryStatus::Success,
        ]
    );
    let snapshot = &delivery.snapshot()[0];
    assert_eq!(
        (snapshot.delivered_batches, snapshot.delivered_records),
        (30, 30)
    );
    assert_eq!(
        (snapshot.waiting_bytes, snapshot.last_error.as_ref()),
        (0, None)
    );
}

#[tokio::test]
async fn an_outage_of_hours_is_caught_up_with_in_order() {
    let folder = Folder::new();
    let bucket = Arc::new(Bucket::default());
    bucket.fail(Some(SinkErrorKind::Unavailable));
    let (delivery, reports) = start(folder.path(), &bucket);
    let texts: Vec<_> = (0..2000).map(|n| format!("line {n}")).collect();
    for text in &texts {
        assert!(
            delivery
                .submit(vec![s3_batch(1, &[text])], 1)
                .await
                .is_empty()
        );
    }
    assert_eq!(delivery.snapshot()[0].waiting_batches, 2000);
    assert_eq!(delivery.snapshot()[0].lag.as_secs(), 95);
    bucket.fail(None);
    while delivery.snapshot()[0].waiting_batches > 0 {
        delivery.flush().await;
    }
    assert_eq!(bucket.lines(), texts);
    assert_eq!(statuses(&reports).last(), Some(&DeliveryStatus::Success));
    assert_eq!(delivery.spooled_bytes(), 0);
}

#[tokio::test]
async fn what_waits_survives_a_restart() {
    let folder = Folder::new();
    let bucket = Arc::new(Bucket::default());
    bucket.fail(Some(SinkErrorKind::Unavailable));
    let (delivery, _) = start(folder.path(), &bucket);
    delivery
        .submit(vec![s3_batch(1, &["a"]), s3_batch(2, &["b"])], 1)
        .await;
    delivery.submit(vec![s3_batch(1, &["c"])], 1).await;
    delivery.flush().await;
    delivery.shutdown().await;
    // Taken, not tried.
    bucket.fail(None);
    delivery.submit(vec![s3_batch(2, &["d"])], 1).await;
    delivery.flush().await;
    assert!(bucket.lines().is_empty());

    // The new daemon delivers; that it never acknowledged to itself does not show in the bucket.
    bucket.lose_answers(1);
    let (delivery, reports) = start(folder.path(), &bucket);
    let delivered = || {
        delivery
            .snapshot()
            .iter()
            .map(|s| s.delivered_batches)
            .sum::<u64>()
    };
    while delivered() < 4 {
        delivery.flush().await;
        tokio::task::yield_now().await;
    }
    let mut lines = bucket.lines();
    lines.sort();
    assert_eq!(lines, ["a", "b", "c", "d"]);
    assert!(statuses(&reports).contains(&DeliveryStatus::Success));
}

#[tokio::test]
async fn one_failing_flow_log_holds_up_nobody_else() {
    let folder = Folder::new();
    let bucket = Arc::new(Bucket::default());
    let (delivery, _) = start_bounded(folder.path(), &bucket, 1500);
    bucket.fail(Some(SinkErrorKind::Access));
    let refused = delivery
        .submit((0..20).map(|_| s3_batch(1, &["x"])).collect(), 1)
        .await;
    assert!(!refused.is_empty());
    assert!(
        refused[0]
            .error
            .to_string()
            .starts_with("the spool is full")
    );
    assert_eq!(refused[0].batch, s3_batch(1, &["x"]));
    bucket.fail(None);
    while delivery.snapshot()[0].waiting_batches > 0 {
        delivery.flush().await;
        tokio::task::yield_now().await;
    }
    assert_eq!(bucket.lines().len(), 20 - refused.len());
    assert!(
        delivery
            .submit(vec![s3_batch(2, &["y"])], 1)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_deleted_flow_log_is_drained_or_given_up() {
    let folder = Folder::new();
    let bucket = Arc::new(Bucket::default());
    let (delivery, reports) = start(folder.path(), &bucket);
    let path = |n| folder.path().join(id(n).to_string());

    // Its last records come after the deletion, and still arrive.
    delivery.submit(vec![s3_batch(1, &["early"])], 1).await;
    delivery.set_flow_logs(BTreeSet::new());
    delivery.submit(vec![s3_batch(1, &["late"])], 1).await;
    delivery.flush().await;
    while path(1).exists() {
        tokio::task::yield_now().await;
    }
    delivery.submit(vec![s3_batch(1, &["latest"])], 1).await;
    while path(1).exists() {
        tokio::task::yield_now().await;
    }
    let mut lines = bucket.lines();
    lines.sort();
    assert_eq!(lines, ["early", "late", "latest"]);
    assert!(delivery.snapshot().is_empty());

    // A destination that is gone with it does not keep it for ever.
    reports.lock().unwrap().clear();
    bucket.fail(Some(SinkErrorKind::NotFound));
    delivery.submit(vec![s3_batch(2, &["never"])], 1).await;
    while path(2).exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(delivery.spooled_bytes(), 0);
    assert!(statuses(&reports).is_empty());
}

/// Counts what it is given.
#[derive(Default)]
struct Counter(std::sync::atomic::AtomicUsize);

impl Sink for Counter {
    fn deliver<'a>(&'a self, _: &'a Entry) -> BoxFuture<'a, Result<(), SinkError>> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn what_has_arrived_is_not_sent_again_when_the_disk_cannot_note_it() {
    let folder = Folder::new();
    let spool = Spool::open(folder.path(), 1 << 30).unwrap();
    let counter = Arc::new(Counter::default());
    let delivery = Delivery::start(
        config(),
        spool,
        Arc::clone(&counter) as _,
        clock(),
        Arc::new(|_| ()),
    );
    let queue = folder.path().join(id(1).to_string());
    // A folder where the file should be fails as a disk does.
    std::fs::create_dir_all(queue.join("acknowledged.new")).unwrap();
    std::fs::create_dir_all(queue.join("acknowledged")).unwrap();
    let refused = delivery.submit(vec![s3_batch(1, &["a"])], 1).await;
    assert_eq!(refused.len(), 1, "without the number nothing is taken");

    std::fs::remove_dir(queue.join("acknowledged.new")).unwrap();
    std::fs::remove_dir(queue.join("acknowledged")).unwrap();
    assert!(
        delivery
            .submit(vec![s3_batch(1, &["b"])], 1)
            .await
            .is_empty()
    );
    delivery.flush().await;
    std::fs::create_dir(queue.join("acknowledged.new")).unwrap();
    assert!(
        delivery
            .submit(vec![s3_batch(1, &["c"])], 1)
            .await
            .is_empty()
    );
    for _ in 0..3 {
        let outcome = delivery.flush().await.remove(&id(1)).unwrap();
        assert_eq!(outcome.waiting, 1);
        assert!(outcome.error.is_some());
    }
    std::fs::remove_dir(queue.join("acknowledged.new")).unwrap();
    delivery.flush().await;
    assert_eq!(delivery.snapshot()[0].waiting_batches, 0);
    assert_eq!(counter.0.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_flush_does_not_wait_for_what_the_disk_refused() {
    let folder = Folder::new();
    let bucket = Arc::new(Bucket::default());
    bucket.fail(Some(SinkErrorKind::Unavailable));
    let queue = folder.path().join(id(1).to_string());
    std::fs::create_dir_all(&queue).unwrap();
    let (delivery, _) = start(folder.path(), &bucket);
    assert!(
        delivery
            .submit(vec![s3_batch(1, &["a"])], 1)
            .await
            .is_empty()
    );
    drop(delivery);
    // After a restart the next entry begins a file, here one that cannot be written.
    let (delivery, _) = start(folder.path(), &bucket);
    let next = queue.join(format!("{:020}.spool", 2));
    std::os::unix::fs::symlink("/dev/full", next).unwrap();
    let refused = delivery.submit(vec![s3_batch(1, &["b"])], 1).await;
    assert_eq!(refused.len(), 1);
    bucket.fail(None);
    let flushed = delivery.flush();
    let flushed = tokio::time::timeout(std::time::Duration::from_secs(20), flushed).await;
    assert_eq!(flushed.unwrap().remove(&id(1)).unwrap().waiting, 0);
    assert_eq!(bucket.lines(), ["a"]);
}
