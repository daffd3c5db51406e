//! What was acknowledged is there, whatever happened.

use model::*;
use proptest::prelude::*;

use crate::{Error, Journal, Record};

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
        .append(&[record(1, vec![put(1, None)]), record(1, vec![put(2, None)])])
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
            journal.append(&[record(account, vec![change])]).unwrap();
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
