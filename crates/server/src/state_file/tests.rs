//! A state comes back as it was, or not at all.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use model::{Change, IdBody, InternetGateway, Scope, Timestamp, World};
use services::s3::{PutOptions, S3};
use store::{Journal, Lock, Record};

use super::*;

fn scope() -> Scope {
    Scope {
        account: "123456789012".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    }
}

/// A state folder with so many gateways, an object and a key.
fn state(folder: &Path, gateways: u128) -> World {
    let changes = (1..=gateways).map(|n| {
        let id = model::Id::from_body(IdBody::new(n));
        let row = InternetGateway {
            id,
            vpc_id: None,
            tags: model::Tags::default(),
        };
        Change::InternetGateway(id, Some(Box::new(row)))
    });
    let record = Record {
        at: Timestamp::from_secs(1),
        scope: scope(),
        changes: changes.collect(),
    };
    std::fs::create_dir_all(folder).unwrap();
    let mut journal = Journal::open(folder).unwrap();
    journal.append(std::slice::from_ref(&record), &[]).unwrap();
    let s3 = S3::open(folder.join("s3")).unwrap();
    s3.create_bucket("kept", "123456789012", "us-east-1")
        .unwrap();
    s3.put_object("kept", "a/b", b"here", PutOptions::default())
        .unwrap();
    std::fs::write(folder.join("session-key"), [7; 32]).unwrap();
    std::fs::create_dir_all(folder.join("console")).unwrap();
    std::fs::write(folder.join("console/i-1"), "printed").unwrap();
    journal.load().unwrap()
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The file of a state with so many gateways.
    fn exported(&self, gateways: u128) -> (PathBuf, World) {
        let (folder, file) = (self.path(&format!("from-{gateways}")), self.path("state"));
        let world = state(&folder, gateways);
        export(&folder, std::fs::File::create(&file).unwrap()).unwrap();
        (file, world)
    }
}

fn world(folder: &Path) -> World {
    Journal::open(folder).unwrap().load().unwrap()
}

#[test]
fn a_state_comes_back_as_it_was() {
    let place = Place::new();
    let (file, before) = place.exported(3);
    let to = place.path("to");
    let manifest = import(&file, &to, false).unwrap();
    assert_eq!(
        (manifest.format, &check(&file).unwrap()),
        (FORMAT, &manifest)
    );
    assert_eq!(world(&to), before);
    let object = S3::open(to.join("s3")).unwrap().get_object("kept", "a/b");
    assert_eq!(object.unwrap().bytes, b"here");
    assert_eq!(std::fs::read(to.join("session-key")).unwrap(), [7; 32]);
    assert!(
        !to.join("console").exists(),
        "what an instance printed is no state"
    );
    let left: Vec<_> = std::fs::read_dir(place.path("from-3"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("export"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_state_is_replaced_only_when_that_is_said() {
    let place = Place::new();
    let (file, _) = place.exported(3);
    let to = place.path("to");
    state(&to, 1);
    let error = import(&file, &to, false).unwrap_err().to_string();
    assert!(error.contains("already"), "{error}");
    assert_eq!(
        world(&to).region(&scope()).unwrap().internet_gateways.len(),
        1
    );
    import(&file, &to, true).unwrap();
    assert_eq!(
        world(&to).region(&scope()).unwrap().internet_gateways.len(),
        3
    );
    assert!(
        !to.join("console").exists(),
        "nothing of the old state stays"
    );
    reset(&to).unwrap();
    assert_eq!(world(&to), World::default());
    assert!(!to.join("s3").exists());
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let place = Place::new();
    let (file, _) = place.exported(1);
    let to = place.path("to");
    state(&to, 2);
    let _daemon = Lock::take(&to).unwrap();
    for failed in [
        import(&file, &to, true).map(drop),
        reset(&to),
        export(&to, std::io::sink()),
    ] {
        let error = failed.unwrap_err().to_string();
        assert!(error.contains("in use by another weir daemon"), "{error}");
    }
}

#[test]
fn damage_anywhere_is_found_and_nothing_is_changed() {
    let place = Place::new();
    let (file, _) = place.exported(40);
    let bytes = std::fs::read(&file).unwrap();
    let to = place.path("to");
    state(&to, 2);
    let (damaged, before) = (place.path("damaged"), world(&to));
    let refused = |bytes: &[u8], what: &str| {
        std::fs::write(&damaged, bytes).unwrap();
        let error = format!("{:#}", import(&damaged, &to, true).unwrap_err());
        assert!(error.contains("damaged"), "{what}: {error}");
        assert_eq!(world(&to), before, "{what}");
        error
    };
    for cut in [
        0,
        1,
        10,
        600,
        bytes.len() / 2,
        bytes.len() - 9,
        bytes.len() - 1,
    ] {
        let error = refused(&bytes[..cut], &format!("cut at {cut}"));
        assert!(error.contains(&format!("byte {cut}")), "{error}");
    }
    // Every part of the file. Few bits mean nothing to gzip: a file without them is the same.
    let plain = |bytes: &[u8]| {
        let mut plain = Vec::new();
        GzDecoder::new(bytes).read_to_end(&mut plain).ok()?;
        Some(plain)
    };
    let whole = plain(&bytes);
    let mut found = 0;
    for at in (10..bytes.len()).step_by(bytes.len() / 23) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        if plain(&bytes) != whole {
            refused(&bytes, &format!("bit of {at}"));
            found += 1;
        }
    }
    assert!(found >= 20, "{found}");
    refused(&[&bytes[..], b"more"].concat(), "something after it");
    refused(b"no archive at all", "text");
}

/// The file with one of its texts changed, its gzip right again.
fn rewritten(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    let at = plain.windows(from.len()).position(|w| w == from.as_bytes());
    let at = at.unwrap();
    plain[at..at + from.len()].copy_from_slice(to.as_bytes());
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn a_changed_file_is_named_and_a_newer_format_refused() {
    let place = Place::new();
    let (file, _) = place.exported(1);
    let bytes = std::fs::read(&file).unwrap();
    let error = |bytes: Vec<u8>| {
        std::fs::write(&file, bytes).unwrap();
        format!("{:#}", check(&file).unwrap_err())
    };
    let changed = error(rewritten(&bytes, "here", "HERE"));
    assert!(
        changed.contains("s3/data/") && changed.contains("not what was exported"),
        "{changed}"
    );
    let newer = error(rewritten(&bytes, "\"format\": 1", "\"format\": 9"));
    assert!(
        newer.contains("format 9") && newer.contains("newer weir"),
        "{newer}"
    );
}

#[test]
fn nothing_is_written_outside_the_folder() {
    for name in [
        "../x",
        "/etc/passwd",
        "s3/data/../x",
        "s3/data/ab/..",
        "s3/data/incoming/x",
        "flows/../x",
        "lock",
        "console/x",
        "s3",
        "import-ready/x",
        "flows/a/b",
        "flows/",
    ] {
        assert!(!belongs(name), "{name}");
    }
    for name in [
        "journal.sqlite",
        "s3/index.sqlite",
        "s3/data/ab/abcd",
        "flows/17.jsonl",
    ] {
        assert!(belongs(name), "{name}");
    }
    let place = Place::new();
    let (file, _) = place.exported(1);
    let bytes = std::fs::read(&file).unwrap();
    let mut plain = Vec::new();
    GzDecoder::new(bytes.as_slice())
        .read_to_end(&mut plain)
        .unwrap();
    // A link instead of a file, and a name that leads elsewhere, in archives that are whole.
    for (name, kind) in [
        ("session-key", tar::EntryType::Symlink),
        ("../session-key", tar::EntryType::Regular),
    ] {
        let mut archive =
            tar::Builder::new(GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let manifest = br#"{"format":1,"version":"0","exported_s":0}"#;
        let mut header = tar::Header::new_ustar();
        header.set_size(manifest.len() as u64);
        archive
            .append_data(&mut header, MANIFEST, &manifest[..])
            .unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(0);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        if kind.is_symlink() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        archive.append(&header, std::io::empty()).unwrap();
        std::fs::write(&file, archive.into_inner().unwrap().finish().unwrap()).unwrap();
        let error = format!("{:#}", import(&file, &place.path("to"), false).unwrap_err());
        assert!(error.contains("belongs to a state"), "{error}");
    }
}

#[test]
fn a_killed_import_is_carried_on() {
    let place = Place::new();
    let (file, before) = place.exported(3);
    for stage in ["import-ready", "import-cleared"] {
        let to = place.path(stage);
        // As it was when the process was killed: the new state whole, the old one partly there.
        import(&file, &to.join(stage), false).unwrap();
        std::fs::remove_file(to.join(stage).join(Lock::FILE)).unwrap();
        if stage == "import-ready" {
            std::fs::write(to.join("session-key"), "old").unwrap();
            std::fs::create_dir(to.join("spool")).unwrap();
        } else {
            std::fs::rename(to.join(stage).join("session-key"), to.join("session-key")).unwrap();
        }
        let lock = Lock::take(&to).unwrap();
        settle(&to, &lock).unwrap();
        drop(lock);
        assert_eq!(world(&to), before);
        assert_eq!(std::fs::read(to.join("session-key")).unwrap(), [7; 32]);
        assert!(!to.join("spool").exists() && !to.join(stage).exists());
    }
}

/// Files that builds of every format have written: a new format gets a new file, the old ones never change.
const FORMATS: [(u32, &[u8]); 1] = [(1, include_bytes!("tests/format-1.weir"))];

#[test]
fn every_format_is_read() {
    assert_eq!(FORMATS.map(|(format, _)| format).last(), Some(&FORMAT));
    let place = Place::new();
    for (format, bytes) in FORMATS {
        let (file, to) = (place.path("file"), place.path(&format.to_string()));
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(import(&file, &to, false).unwrap().format, format);
        let world = world(&to);
        let scope = Scope {
            account: "000000000007".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        };
        let state = world.region(&scope).unwrap();
        let rows = (
            state.vpcs.len(),
            state.instances.len(),
            state.flow_logs.len(),
        );
        assert_eq!(rows, (2, 1, 1), "the default VPC and another");
        let s3 = S3::open(to.join("s3")).unwrap();
        assert_eq!(s3.get_object("logs-of-7", "a").unwrap().bytes, b"here");
        services::logs::Logs::open(to.join("logs.sqlite")).unwrap();
    }
}
