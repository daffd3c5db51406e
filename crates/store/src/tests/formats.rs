//! States that builds of every format have written are read by this one, and as the same world.
//!
//! `formats/N.sql` makes one of format N. A new format gets a new file; the old ones never change.

use expect_test::expect;
use model::World;

use crate::journal::FORMAT;
use crate::{Error, Events, Journal, Past};

const FORMATS: [(i64, &str); 3] = [
    (1, include_str!("formats/1.sql")),
    (2, include_str!("formats/2.sql")),
    (3, include_str!("formats/3.sql")),
];

fn folder(sql: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let raw = rusqlite::Connection::open(dir.path().join("journal.sqlite")).unwrap();
    raw.execute_batch(sql).unwrap();
    dir
}

fn version(dir: &tempfile::TempDir) -> i64 {
    let raw = rusqlite::Connection::open(dir.path().join("journal.sqlite")).unwrap();
    raw.query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap()
}

/// How many rows of which tables there are.
fn summary(world: &World) -> String {
    let mut text = String::new();
    for (scope, state) in &world.regions {
        let mut names: Vec<String> = state
            .changes()
            .iter()
            .map(|change| {
                let text = format!("{change:?}");
                text.split('(').next().unwrap_or_default().to_owned()
            })
            .collect();
        names.sort();
        text += &format!("{} {}:", scope.account, scope.region);
        for same in names.chunk_by(|a, b| a == b) {
            text += &format!(" {} {},", same.len(), same[0]);
        }
        text += "\n";
    }
    text
}

#[test]
fn the_newest_format_is_among_them() {
    assert_eq!(FORMATS.map(|(format, _)| format).last(), Some(&FORMAT));
}

#[test]
fn every_format_is_read_as_the_same_world() {
    let mut worlds = Vec::new();
    for (format, sql) in FORMATS {
        let dir = folder(sql);
        assert_eq!(version(&dir), format);
        let mut journal = Journal::open(dir.path()).unwrap();
        let world = journal.load().unwrap();
        assert_eq!(version(&dir), FORMAT, "{format} is taken over");
        // It is a state like any other now.
        journal.checkpoint(&world).unwrap();
        drop(journal);
        let mut journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.load().unwrap().regions, world.regions, "{format}");
        Past::open(dir.path()).unwrap();
        let events = Events::open(dir.path()).unwrap().last().unwrap();
        assert_eq!(events, if format < 3 { 0 } else { 3 });
        worlds.push(world);
    }
    for world in &worlds {
        assert_eq!(world.regions, worlds[0].regions);
    }
    expect![[r#"
        000000000007 us-east-1: 1 Address, 2 ClientToken, 1 DhcpOptions, 1 FlowLog, 1 Instance, 2 InternetGateway, 2 NetworkAcl, 1 NetworkInterface, 1 Role, 3 RouteTable, 3 SecurityGroup, 7 Subnet, 2 Vpc, 1 VpcEndpoint,
    "#]].assert_eq(&summary(&worlds[0]));
}

#[test]
fn a_format_of_the_future_is_refused_in_words() {
    let dir = folder(&format!("PRAGMA user_version = {};", FORMAT + 1));
    let error = Journal::open(dir.path()).unwrap_err();
    assert!(matches!(error, Error::TooNew { .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "the state has format {}, this weir reads formats up to {FORMAT}",
            FORMAT + 1
        )
    );
}
