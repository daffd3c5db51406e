//! What was acknowledged is there, whatever happened.

mod formats;

use model::*;
use proptest::prelude::*;

use crate::{Error, Events, Journal, Past, Record};
use cloudtrail::{EventAttribute, EventQuery};

fn scope(account: u64) -> Scope {
    Scope {
        account: format!("{account:012}").parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    }
}

fn gateway(n: u128, vpc: Option<u128>) -> InternetGateway {
    InternetGateway {
        id: Id::from_body(IdBody::new(n)),
        vpc_id: vpc.map(|n| Id::from_body(IdBody::new(n))),
        tags: Tags::from([("Name".to_owned(), format!("gateway {n} \" \\ \u{0} é"))]),
    }
}

fn record(account: u64, changes: Vec<Change>) -> Record {
    Record {
        at: Timestamp::from_secs(account),
        scope: scope(account),
        changes,
    }
}

fn put(n: u128, vpc: Option<u128>) -> Change {
    let row = gateway(n, vpc);
    Change::InternetGateway(row.id, Some(Box::new(row)))
}

fn delete(n: u128) -> Change {
    Change::InternetGateway(Id::from_body(IdBody::new(n)), None)
}

#[test]
fn a_second_daemon_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let first = Journal::open(dir.path()).unwrap();
    let error = Journal::open(dir.path()).unwrap_err();
    assert!(matches!(error, Error::InUse { pid, .. } if pid == Some(std::process::id())));
    drop(first);
    Journal::open(dir.path()).unwrap();
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Journal::open(dir.path()).unwrap());
    let raw = rusqlite::Connection::open(dir.path().join("journal.sqlite")).unwrap();
    raw.execute_batch("PRAGMA user_version = 9").unwrap();
    drop(raw);
    assert!(matches!(
        Journal::open(dir.path()),
        Err(Error::TooNew { found: 9, .. })
    ));
}

#[test]
fn a_damaged_record_is_not_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    journal
        .append(
            &[record(1, vec![put(1, None)]), record(1, vec![put(2, None)])],
            &[],
        )
        .unwrap();
    drop(journal);
    let raw = rusqlite::Connection::open(dir.path().join("journal.sqlite")).unwrap();
    raw.execute("UPDATE journal SET changes = '[{' WHERE seq = 1", [])
        .unwrap();
    drop(raw);
    assert!(matches!(
        Journal::open(dir.path()).unwrap().load(),
        Err(Error::Damaged { seq: 1, .. })
    ));
}

fn at(secs: u64, changes: Vec<Change>) -> Record {
    Record {
        at: Timestamp::from_secs(secs),
        ..record(1, changes)
    }
}

fn gateways(world: &World) -> usize {
    let state = world.region(&scope(1));
    state.map_or(0, |state| state.internet_gateways.len())
}

#[test]
fn the_world_of_a_past_moment_outlives_checkpoints_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let mut world = World::default();
    for n in 1..=6 {
        let record = at(10 * n, vec![put(n.into(), None)]);
        record.apply_to(&mut world);
        journal.append(std::slice::from_ref(&record), &[]).unwrap();
        if n % 2 == 0 {
            journal.checkpoint(&world).unwrap();
        }
        if n == 4 {
            drop(journal);
            journal = Journal::open(dir.path()).unwrap();
            assert_eq!(gateways(&journal.load().unwrap()), 4);
        }
    }
    let mut past = Past::open(dir.path()).unwrap();
    for (secs, then) in [(0, 0), (9, 0), (10, 1), (35, 3), (60, 6), (99, 6)] {
        let (world, since) = past.at(Timestamp::from_secs(secs)).unwrap().unwrap();
        assert_eq!((gateways(&world), since.len()), (then, 6 - then), "{secs}");
    }
}

#[test]
fn the_oldest_records_are_given_up_when_there_is_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = serde_json::to_string(&vec![put(11, None)]).unwrap().len() as u64;
    let mut journal = Journal::open(dir.path())
        .unwrap()
        .with_past_bytes_max(4 * bytes);
    let mut world = World::default();
    for n in 11_u32..=16 {
        let record = at(u64::from(n), vec![put(n.into(), None)]);
        record.apply_to(&mut world);
        journal.append(std::slice::from_ref(&record), &[]).unwrap();
    }
    journal.checkpoint(&world).unwrap();
    let mut past = Past::open(dir.path()).unwrap();
    assert!(past.at(Timestamp::from_secs(13)).unwrap().is_none());
    let (then, since) = past.at(Timestamp::from_secs(15)).unwrap().unwrap();
    assert_eq!((gateways(&then), since.len()), (5, 1));
    assert_eq!(gateways(&journal.load().unwrap()), 6);
    // And so on, as long as it is written to.
    for n in 17_u32..=40 {
        let record = at(u64::from(n), vec![put(n.into(), None)]);
        record.apply_to(&mut world);
        journal.append(std::slice::from_ref(&record), &[]).unwrap();
        journal.checkpoint(&world).unwrap();
        let mut before = |s: u32| past.at(Timestamp::from_secs(u64::from(n - s))).unwrap();
        assert!(before(1).is_some() && before(6).is_none(), "{n}");
    }
    assert_eq!(gateways(&journal.load().unwrap()), 30);
}

#[test]
fn the_first_format_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let raw = rusqlite::Connection::open(dir.path().join("journal.sqlite")).unwrap();
    raw.execute_batch(
        "CREATE TABLE journal (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,
            scope TEXT NOT NULL, changes TEXT NOT NULL
        );
        CREATE TABLE checkpoint (seq INTEGER PRIMARY KEY, scope TEXT NOT NULL, changes TEXT NOT NULL);
        PRAGMA user_version = 1;",
    )
    .unwrap();
    let row = |n| {
        (
            serde_json::to_string(&scope(1)).unwrap(),
            serde_json::to_string(&vec![put(n, None)]).unwrap(),
        )
    };
    raw.execute(
        "INSERT INTO checkpoint (scope, changes) VALUES (?1, ?2)",
        row(1),
    )
    .unwrap();
    raw.execute(
        "INSERT INTO journal (at, scope, changes) VALUES (20000000, ?1, ?2)",
        row(2),
    )
    .unwrap();
    drop(raw);
    let mut journal = Journal::open(dir.path()).unwrap();
    assert_eq!(gateways(&journal.load().unwrap()), 2);
    assert_eq!(journal.since_checkpoint(), 1);
    let mut past = Past::open(dir.path()).unwrap();
    assert!(past.at(Timestamp::from_secs(1)).unwrap().is_none());
    let (then, since) = past.at(Timestamp::from_secs(20)).unwrap().unwrap();
    assert_eq!((gateways(&then), since.len()), (2, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_replayed_journal_equals_the_live_state(
        steps in prop::collection::vec((1u64..3, 0u128..6, prop::option::of(0u128..3), 0u8..5), 0..40)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut live = World::default();
        let mut journal = Journal::open(dir.path()).unwrap();
        for (account, n, vpc, what) in steps {
            if what == 0 {
                journal.checkpoint(&live).unwrap();
                continue;
            }
            let change = if what == 1 { delete(n) } else { put(n, vpc) };
            live.apply(scope(account), &change);
            journal.append(&[record(account, vec![change])], &[]).unwrap();
            if what == 2 {
                drop(journal);
                journal = Journal::open(dir.path()).unwrap();
                let loaded = journal.load().unwrap();
                // A scope whose every row is gone leaves nothing in a checkpoint.
                for scope in live.regions.keys().chain(loaded.regions.keys()) {
                    let none = State::default();
                    prop_assert_eq!(
                        live.region(scope).unwrap_or(&none),
                        loaded.region(scope).unwrap_or(&none)
                    );
                }
            }
        }
    }
}

fn event(n: u64, name: &str) -> cloudtrail::Event {
    cloudtrail::Event {
        at: Timestamp::from_secs(n),
        scope: scope(1),
        event_id: format!("event-{n}"),
        event_name: name.to_owned(),
        event_source: "ec2.amazonaws.com".to_owned(),
        read_only: cloudtrail::Call::is_read_only(name),
        user_name: "root".to_owned(),
        access_key_id: format!("key-{}", n % 2),
        resources: vec![cloudtrail::Resource {
            resource_type: "AWS::EC2::VPC".to_owned(),
            resource_name: format!("vpc-{n}"),
        }],
        network_activity: false,
        record: format!("{{\"n\":{n}}}"),
    }
}

#[test]
fn an_event_is_kept_with_the_change_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let events = Events::open(dir.path()).unwrap();
    let network = cloudtrail::Event {
        network_activity: true,
        ..event(3, "DescribeVpcs")
    };
    let elsewhere = cloudtrail::Event {
        scope: scope(2),
        ..event(4, "CreateVpc")
    };
    let written = [
        event(1, "CreateVpc"),
        event(2, "DescribeVpcs"),
        network,
        elsewhere,
    ];
    journal
        .append(&[record(1, vec![put(1, None)])], &written)
        .unwrap();

    let read = events.after(0, 10).unwrap();
    assert_eq!(
        read.iter().map(|e| e.event.clone()).collect::<Vec<_>>(),
        written
    );
    assert_eq!(events.last().unwrap(), 4);
    let everything = EventQuery {
        scope: scope(1),
        from: Timestamp::from_secs(0),
        to: Timestamp::from_secs(9),
        attribute: None,
        before: None,
        limit: 10,
    };
    let names = |query: &EventQuery| -> Vec<String> {
        let found = events.find(query).unwrap();
        found.into_iter().map(|e| e.event.event_id).collect()
    };
    assert_eq!(names(&everything), ["event-2", "event-1"]);
    for (attribute, expected) in [
        (EventAttribute::ReadOnly(true), "event-2"),
        (EventAttribute::EventName("CreateVpc".into()), "event-1"),
        (EventAttribute::EventId("event-1".into()), "event-1"),
        (EventAttribute::AccessKeyId("key-0".into()), "event-2"),
        (EventAttribute::ResourceName("vpc-1".into()), "event-1"),
    ] {
        let query = EventQuery {
            attribute: Some(attribute),
            ..everything.clone()
        };
        assert_eq!(names(&query), [expected]);
    }
    let rest = EventQuery {
        before: Some((Timestamp::from_secs(2), 2)),
        ..everything.clone()
    };
    assert_eq!(names(&rest), ["event-1"]);

    journal.forget_events(Timestamp::from_secs(2), 3).unwrap();
    assert_eq!(names(&everything), ["event-2"]);
    assert_eq!(events.last().unwrap(), 4);
}

#[test]
fn a_state_of_the_second_format_gets_its_events() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    journal
        .append(&[record(1, vec![put(1, None)])], &[])
        .unwrap();
    drop(journal);
    let raw = rusqlite::Connection::open(dir.path().join("journal.sqlite")).unwrap();
    raw.execute_batch("DROP TABLE event; PRAGMA user_version = 2;")
        .unwrap();
    drop(raw);
    let mut journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.load().unwrap().regions.len(), 1);
    journal.append(&[], &[event(1, "CreateVpc")]).unwrap();
    assert_eq!(Events::open(dir.path()).unwrap().last().unwrap(), 1);
}

#[test]
fn a_moment_of_several_files_is_one_while_they_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let paths = ["a", "b"].map(|name| dir.path().join(name));
    for path in &paths {
        let file = rusqlite::Connection::open(path).unwrap();
        file.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE n (n INTEGER)")
            .unwrap();
    }
    let last = |path: &std::path::Path| -> i64 {
        let file = rusqlite::Connection::open(path).unwrap();
        file.query_row("SELECT ifnull(MAX(n), 0) FROM n", [], |row| row.get(0))
            .unwrap()
    };
    // Both files, one after the other, always.
    let (writing, stop) = (paths.clone(), std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let files = writing.map(|path| rusqlite::Connection::open(path).unwrap());
            for n in 1.. {
                for file in &files {
                    file.execute("INSERT INTO n VALUES (?1)", [n]).unwrap();
                }
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
            }
        });
        let mut before = 0;
        for round in 0..8 {
            let (moment, ()) = crate::Moment::of(&paths, || Ok(())).unwrap();
            let copies = ["a", "b"].map(|name| dir.path().join(format!("{round}{name}")));
            for (path, copy) in paths.iter().zip(&copies) {
                moment.copy(path, copy).unwrap();
                crate::check(copy).unwrap();
            }
            let [a, b] = copies.map(|copy| last(&copy));
            assert!(a == b || a == b + 1, "{a} and {b} are of one moment");
            assert!(b >= before);
            before = b;
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn what_sqlite_did_not_write_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    drop(Journal::open(dir.path()).unwrap());
    let path = dir.path().join("journal.sqlite");
    crate::check(&path).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    // The head of the second page, whatever it is of.
    bytes[4096..4200].fill(0xA5);
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(crate::check(&path), Err(Error::Corrupt { .. })));
}
