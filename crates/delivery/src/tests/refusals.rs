//! Destinations that refuse for good, and others that must not wait for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use flow_logs::Line;
use model::{DeliveryStatus, Timestamp};

use super::support::{Bucket, Folder, config, id, lines_of, s3_batch};
use crate::{Delivery, S3Sink, SinkErrorKind, Spool, SpoolError};

const DAY: u64 = 24 * 3600;

struct Fixture {
    folder: Folder,
    bucket: Arc<Bucket>,
    /// In seconds since 1970.
    now: Arc<AtomicU64>,
    statuses: Arc<Mutex<Vec<DeliveryStatus>>>,
}

impl Fixture {
    fn new() -> Self {
        Self {
            folder: Folder::new(),
            bucket: Arc::default(),
            now: Arc::new(AtomicU64::new(1_700_000_300)),
            statuses: Arc::default(),
        }
    }

    fn start(&self) -> Delivery {
        let (now, statuses) = (self.now.clone(), self.statuses.clone());
        Delivery::start(
            config(),
            Spool::open(self.folder.path(), 1 << 30).unwrap(),
            Arc::new(S3Sink::new(self.bucket.clone())),
            Arc::new(move || Timestamp::from_secs(now.load(Ordering::SeqCst))),
            Arc::new(move |report| statuses.lock().unwrap().push(report.status)),
        )
    }
}

async fn submit(delivery: &Delivery, text: &str) {
    assert!(
        delivery
            .submit(vec![s3_batch(1, &[text])], 1)
            .await
            .is_empty()
    );
}

async fn drained(delivery: &Delivery) {
    while delivery.snapshot()[0].waiting_batches > 0 {
        delivery.flush().await;
    }
}

#[tokio::test]
async fn a_batch_that_is_never_taken_lets_the_others_pass_and_is_lost_aloud() {
    let fixture = Fixture::new();
    fixture.bucket.reject("poison");
    let delivery = fixture.start();
    for text in ["before", "poison", "after", "later"] {
        submit(&delivery, text).await;
    }
    drained(&delivery).await;
    assert_eq!(fixture.bucket.lines(), ["before", "after", "later"]);
    let told: Vec<_> = delivery.take_lost().into_iter().collect();
    assert_eq!(told, [id(1)], "SKIPDATA says so");
    let line = &delivery.snapshot()[0];
    assert_eq!((line.dropped_batches, line.delivered_batches), (1, 3));
    assert_eq!(line.last_error, None);
    let statuses = fixture.statuses.lock().unwrap();
    let failed = DeliveryStatus::Failed("Unknown error".to_owned());
    assert!(statuses.contains(&failed) && statuses.last() == Some(&DeliveryStatus::Success));
}

#[tokio::test]
async fn a_destination_that_refuses_for_a_day_costs_what_is_as_old() {
    let fixture = Fixture::new();
    fixture.bucket.fail(Some(SinkErrorKind::Access));
    let delivery = fixture.start();
    submit(&delivery, "old").await;
    delivery.flush().await;
    let begun = fixture.now.load(Ordering::SeqCst);
    fixture.now.store(begun + DAY - 1, Ordering::SeqCst);
    delivery.flush().await;
    assert_eq!(delivery.snapshot()[0].waiting_batches, 1);
    let mut young = s3_batch(1, &["young"]);
    let end = Timestamp::from_secs(begun + DAY - 60);
    let (line, text) = young.lines.iter().next().unwrap();
    young.lines = lines_of("version", &[(Line { end, ..*line }, text.to_owned())]);
    young.slot = flow_logs::s3_key::slot_of(end);
    assert!(delivery.submit(vec![young], 1).await.is_empty());

    fixture.now.store(begun + DAY, Ordering::SeqCst);
    while delivery.snapshot()[0].dropped_batches == 0 {
        delivery.flush().await;
    }
    let line = &delivery.snapshot()[0];
    assert_eq!((line.dropped_batches, line.waiting_batches), (1, 1));
    assert!(line.last_error.as_ref().unwrap().contains("as told"));
    assert_eq!(
        delivery.take_lost().into_iter().collect::<Vec<_>>(),
        [id(1)]
    );
    let denied = DeliveryStatus::Failed("Access error".to_owned());
    assert_eq!(fixture.statuses.lock().unwrap().last(), Some(&denied));

    fixture.bucket.fail(None);
    drained(&delivery).await;
    assert_eq!(
        fixture.bucket.lines(),
        ["young"],
        "it was repaired in time for this one"
    );
}

#[tokio::test]
async fn an_outage_of_days_costs_nothing() {
    let fixture = Fixture::new();
    fixture.bucket.fail(Some(SinkErrorKind::NotFound));
    let delivery = fixture.start();
    submit(&delivery, "first").await;
    delivery.flush().await;
    // It was away, and nobody knows what it would have said.
    fixture.now.fetch_add(DAY - 1, Ordering::SeqCst);
    fixture.bucket.fail(Some(SinkErrorKind::Unavailable));
    delivery.flush().await;
    fixture.now.fetch_add(30 * DAY, Ordering::SeqCst);
    fixture.bucket.fail(Some(SinkErrorKind::NotFound));
    delivery.flush().await;
    delivery.flush().await;
    fixture.bucket.fail(None);
    drained(&delivery).await;
    assert_eq!(fixture.bucket.lines(), ["first"]);
    assert!(delivery.take_lost().is_empty());
}

#[test]
fn a_flow_log_that_waits_leaves_space_for_the_others() {
    let folder = Folder::new();
    let mut spool = Spool::open(folder.path(), 60_000).unwrap();
    let mut fill = |flow_log: u32| {
        let mut taken = 0;
        loop {
            match spool.append(&s3_batch(flow_log, &["x"]), 1) {
                Ok(_) => taken += 1,
                Err(SpoolError::Full {
                    own,
                    used,
                    max,
                    needed,
                }) => {
                    assert!(own + used + needed > max && used < max);
                    return taken;
                }
                Err(error) => panic!("{error}"),
            }
        }
    };
    let (first, second, third) = (fill(1), fill(2), fill(3));
    assert!(
        first > 50 && second >= first / 2 - 1 && third >= first / 4 - 1,
        "{first} {second} {third}"
    );
    assert_eq!(fill(1), 0);
}
