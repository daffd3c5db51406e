//! A process that appends and acknowledges is killed at random moments; what it has announced is there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::support::{Folder, id, s3_batch};
use crate::Spool;
use crate::backoff::Jitter;

const ROUNDS: u64 = 40;
const FOLDER: &str = "WEIR_TEST_CRASH_FOLDER";
const SEED: &str = "WEIR_TEST_CRASH_SEED";

/// Not a test of its own: what the other one starts as a process, and kills.
#[test]
fn appends_and_acknowledges_until_killed() {
    let (Ok(folder), Ok(seed)) = (std::env::var(FOLDER), std::env::var(SEED)) else {
        return;
    };
    let mut chance = Jitter(seed.parse().unwrap());
    let mut spool = Spool::open(folder, 1 << 30).unwrap();
    let say = |text: String| {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(text.as_bytes()).unwrap();
        stdout.flush().unwrap();
    };
    loop {
        if chance.next() % 3 < 2 {
            // Some entries are long, so that segments come and go.
            let length = if chance.next().is_multiple_of(8) {
                1 << 20
            } else {
                20
            };
            let text = format!(
                "{}{}",
                chance.next(),
                "x".repeat((chance.next() % length) as usize)
            );
            let short = text.trim_end_matches('x');
            say(format!("append {short}\n"));
            let sequence = spool.append(&s3_batch(1, &[&text]), 1).unwrap();
            say(format!("appended {sequence} {short}\n"));
        } else if let Some(entry) = spool.oldest(id(1)).unwrap() {
            say(format!("acknowledge {}\n", entry.sequence));
            spool.acknowledge(id(1), entry.sequence).unwrap();
            say(format!("acknowledged {}\n", entry.sequence));
        }
    }
}

#[test]
fn what_was_announced_survives_kill_9_at_any_moment() {
    let folder = Folder::new();
    // What must be there, what may be, and up to where it may be gone.
    let mut kept: BTreeMap<u64, String> = BTreeMap::new();
    let mut highest = 0;
    let mut chance = Jitter(4);
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "tests::crash::appends_and_acknowledges_until_killed",
                "--exact",
                "--nocapture",
            ])
            .env(FOLDER, folder.path())
            .env(SEED, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let lines = BufReader::new(stdout).split(b'\n').map_while(Result::ok);
            lines.collect::<Vec<_>>()
        });
        std::thread::sleep(Duration::from_micros(20_000 + chance.next() % 40_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let (mut appending, mut acknowledging) = (None, None);
        for line in reader.join().unwrap() {
            let line = String::from_utf8(line).unwrap();
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["append", text] => appending = Some(text.to_owned()),
                ["appended", sequence, text] => {
                    appending = None;
                    highest = sequence.parse().unwrap();
                    assert_eq!(kept.insert(highest, text.to_owned()), None, "used twice");
                }
                ["acknowledge", sequence] => acknowledging = sequence.parse().ok(),
                ["acknowledged", sequence] => {
                    acknowledging = None;
                    kept.remove(&sequence.parse().unwrap());
                }
                // What the test harness prints.
                _ => {}
            }
        }
        let mut spool = Spool::open(folder.path(), 1 << 30).unwrap();
        assert!(spool.take_lost().is_empty(), "nothing is damaged");
        let mut found = Vec::new();
        let mut copy = Vec::new();
        // Reads without acknowledging, through a copy of the folder.
        let read = Folder::new();
        copy_folder(folder.path(), read.path());
        let mut reading = Spool::open(read.path(), 1 << 30).unwrap();
        while let Some(entry) = reading.oldest(id(1)).unwrap() {
            let (_, text) = entry.batch.lines.iter().next().unwrap();
            let text = text.trim_end_matches('x').to_owned();
            found.push((entry.sequence, text));
            reading.acknowledge(id(1), entry.sequence).unwrap();
        }
        if let Some((sequence, text)) = found.last()
            && *sequence > highest
        {
            // Written, though it could not say so any more.
            assert_eq!(Some(text), appending.as_ref());
            kept.insert(*sequence, text.clone());
            highest = *sequence;
        }
        if let Some(sequence) = acknowledging
            && found.first().is_none_or(|(first, _)| *first > sequence)
        {
            kept.remove(&sequence);
        }
        copy.extend(kept.iter().map(|(s, t)| (*s, t.clone())));
        assert_eq!(found, copy, "round {round}");
        let next = spool.append(&s3_batch(1, &["between"]), 1).unwrap();
        assert!(next > highest, "numbers are not used again");
        kept.insert(next, "between".to_owned());
        highest = next;
    }
    assert!(
        highest > ROUNDS * 2,
        "{highest}: the processes did something"
    );
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
