//! The disk: torn files, bounds, restarts.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::{Folder, id, s3_batch};
use crate::{Spool, SpoolError};

const PLENTY: u64 = 1 << 30;

fn segments(folder: &Path) -> Vec<PathBuf> {
    let folder = folder.join(id(1).to_string());
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut paths: Vec<_> = entries
        .filter(|p| p.extension().is_some_and(|e| e == "spool"))
        .collect();
    paths.sort();
    paths
}

/// Everything that waits for `fl-00000001`, acknowledged as it is read.
fn drain(spool: &mut Spool) -> Vec<(u64, String)> {
    let mut texts = Vec::new();
    while let Some(entry) = spool.oldest(id(1)).unwrap() {
        let lines: Vec<_> = entry
            .batch
            .lines
            .iter()
            .map(|(_, text)| text.to_owned())
            .collect();
        texts.push((entry.sequence, lines.join(",")));
        spool.acknowledge(id(1), entry.sequence).unwrap();
    }
    texts
}

#[test]
fn a_file_torn_at_any_byte_keeps_what_was_whole() {
    let folder = Folder::new();
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    let mut ends = vec![0];
    for n in 1..=3 {
        spool
            .append(&s3_batch(1, &[&format!("line {n}")]), 1)
            .unwrap();
        ends.push(spool.bytes());
    }
    drop(spool);
    let [segment] = &segments(folder.path())[..] else {
        panic!("more than one segment");
    };
    let whole = fs::read(segment).unwrap();
    let name = segment.file_name().unwrap().to_owned();
    for length in 0..=whole.len() {
        let garbage = [&b""[..], &[0; 40], &[0xff; 40]];
        for garbage in &garbage[..if length % 7 == 0 { 3 } else { 1 }] {
            let torn = Folder::new();
            let queue = torn.path().join(id(1).to_string());
            fs::create_dir(&queue).unwrap();
            let bytes = [&whole[..length], *garbage].concat();
            fs::write(queue.join(&name), bytes).unwrap();
            let mut spool = Spool::open(torn.path(), PLENTY).unwrap();
            let kept = ends
                .iter()
                .filter(|end| **end > 0 && **end <= length as u64)
                .count();
            let next = spool.append(&s3_batch(1, &["after"]), 1).unwrap();
            assert_eq!(next, kept as u64 + 1);
            drop(spool);
            let mut spool = Spool::open(torn.path(), PLENTY).unwrap();
            let mut expected: Vec<_> = (1..=kept)
                .map(|n| (n as u64, format!("line {n}")))
                .collect();
            expected.push((next, "after".to_owned()));
            assert_eq!(drain(&mut spool), expected, "torn at {length}");
        }
    }
}

#[test]
fn any_flipped_byte_is_noticed() {
    let folder = Folder::new();
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    spool.append(&s3_batch(1, &["first"]), 1).unwrap();
    let first = usize::try_from(spool.bytes()).unwrap();
    spool.append(&s3_batch(1, &["second"]), 1).unwrap();
    let path = &segments(folder.path())[0];
    let whole = fs::read(path).unwrap();
    for at in first..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(path, &bytes).unwrap();
        // While it is open, the damage is said; after a restart, it is cut off.
        let again = Spool::open(folder.path(), PLENTY).unwrap();
        assert_eq!(again.bytes() as usize, first, "byte {at}");
    }
    fs::write(path, &whole[..first]).unwrap();
    spool.acknowledge(id(1), 1).unwrap();
    assert!(matches!(
        spool.oldest(id(1)),
        Err(SpoolError::Damaged { sequence: 2, .. })
    ));
}

#[test]
fn what_is_delivered_goes_and_numbers_go_on() {
    let folder = Folder::new();
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    for n in 1..=3 {
        assert_eq!(spool.append(&s3_batch(1, &["x"]), 1).unwrap(), n);
    }
    spool.acknowledge(id(1), 7).unwrap();
    spool.acknowledge(id(1), 1).unwrap();
    drop(spool);
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    let sequences: Vec<_> = drain(&mut spool).into_iter().map(|(s, _)| s).collect();
    assert_eq!(sequences, [2, 3]);
    assert_eq!(spool.bytes(), 0);
    assert!(segments(folder.path()).is_empty());
    drop(spool);
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    assert_eq!(spool.append(&s3_batch(1, &["x"]), 1).unwrap(), 4);
    assert_eq!(drain(&mut spool).len(), 1);
    spool.remove(id(1)).unwrap();
    assert!(!folder.path().join(id(1).to_string()).exists());
    assert_eq!(spool.append(&s3_batch(1, &["x"]), 1).unwrap(), 5);
}

#[test]
fn the_spool_never_grows_past_its_bound() {
    let folder = Folder::new();
    let bound = 2_000;
    let mut spool = Spool::open(folder.path(), bound).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for flow_log in [1, 2, 1, 2, 1, 2, 1, 2, 1, 2] {
        match spool.append(&s3_batch(flow_log, &["some line of a record"]), 1) {
            Ok(_) => accepted += 1,
            Err(SpoolError::Full { max, .. }) => {
                assert_eq!(max, bound);
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
        assert!(spool.bytes() <= bound);
    }
    assert!(accepted > 2 && refused > 2, "{accepted} {refused}");
    // The oldest are kept, and what has been delivered makes room.
    assert_eq!(drain(&mut spool)[0].0, 1);
    spool.append(&s3_batch(2, &["x"]), 1).unwrap();
}

#[test]
fn long_queues_span_files() {
    let folder = Folder::new();
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    let long = "x".repeat(3 << 20);
    for _ in 0..5 {
        spool.append(&s3_batch(1, &[&long]), 1).unwrap();
    }
    assert_eq!(segments(folder.path()).len(), 3);
    let before = spool.bytes();
    spool.acknowledge(id(1), 1).unwrap();
    assert_eq!(spool.bytes(), before);
    spool.acknowledge(id(1), 2).unwrap();
    assert_eq!(segments(folder.path()).len(), 2);
    drop(spool);
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    let sequences: Vec<_> = drain(&mut spool).into_iter().map(|(s, _)| s).collect();
    assert_eq!(sequences, [3, 4, 5]);
    assert_eq!(spool.bytes(), 0);
}

#[test]
fn a_full_disk_does_not_stop_what_makes_space() {
    let folder = Folder::new();
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    for text in ["a", "b", "c"] {
        spool.append(&s3_batch(1, &[text]), 1).unwrap();
    }
    let new = folder
        .path()
        .join(id(1).to_string())
        .join("acknowledged.new");
    std::os::unix::fs::symlink("/dev/full", new).unwrap();
    spool.acknowledge(id(1), 1).unwrap();
    spool.acknowledge(id(1), 2).unwrap();
    drop(spool);
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    assert_eq!(drain(&mut spool), [(3, "c".to_owned())]);
    assert!(
        segments(folder.path()).is_empty(),
        "its space is free again"
    );
}

#[test]
fn damage_costs_what_it_hits_and_is_told() {
    let folder = Folder::new();
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    let mut ends = vec![0];
    for n in 1..=4 {
        spool
            .append(&s3_batch(1, &[&format!("line {n}")]), n)
            .unwrap();
        ends.push(usize::try_from(spool.bytes()).unwrap());
    }
    drop(spool);
    let path = &segments(folder.path())[0];
    let whole = fs::read(path).unwrap();
    for at in ends[1]..ends[3] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        fs::write(path, &bytes).unwrap();
        let copy = Folder::new();
        let queue = copy.path().join(id(1).to_string());
        fs::create_dir(&queue).unwrap();
        fs::copy(path, queue.join(path.file_name().unwrap())).unwrap();
        let mut spool = Spool::open(copy.path(), PLENTY).unwrap();
        assert_eq!(spool.take_lost().into_iter().collect::<Vec<_>>(), [id(1)]);
        assert!(spool.take_lost().is_empty(), "told once");
        assert_eq!(spool.generation(id(1)), 4);
        let lost = if at < ends[2] { 2 } else { 3 };
        let left: Vec<_> = drain(&mut spool).into_iter().map(|(n, _)| n).collect();
        let expected: Vec<_> = (1..=4).filter(|n| *n != lost).collect();
        assert_eq!(left, expected, "byte {at}");
        assert_eq!(spool.append(&s3_batch(1, &["x"]), 5).unwrap(), 5);
    }
}

#[test]
fn the_generation_outlives_what_was_delivered() {
    let folder = Folder::new();
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    assert_eq!(spool.generation(id(1)), 0);
    spool.append(&s3_batch(1, &["x"]), 7).unwrap();
    spool.append(&s3_batch(2, &["x"]), 9).unwrap();
    drain(&mut spool);
    drop(spool);
    let spool = Spool::open(folder.path(), PLENTY).unwrap();
    assert_eq!((spool.generation(id(1)), spool.last_generation()), (7, 9));
}

#[test]
fn numbers_are_not_used_again_when_they_are_forgotten() {
    let folder = Folder::new();
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    spool.append(&s3_batch(1, &["x"]), 1).unwrap();
    drain(&mut spool);
    drop(spool);
    let queue = folder.path().join(id(1).to_string());
    fs::write(queue.join("acknowledged"), b"what?").unwrap();
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    assert!(spool.append(&s3_batch(1, &["y"]), 1).unwrap() > 1000);
    // A number of the first format, without a generation.
    drain(&mut spool);
    drop(spool);
    let mut old = 41_u64.to_le_bytes().to_vec();
    old.extend_from_slice(&crc32fast::hash(&old).to_le_bytes());
    fs::write(queue.join("acknowledged"), old).unwrap();
    let mut spool = Spool::open(folder.path(), PLENTY).unwrap();
    assert_eq!(spool.append(&s3_batch(1, &["z"]), 1).unwrap(), 42);
}
