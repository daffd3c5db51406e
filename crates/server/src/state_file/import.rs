//! Putting a state in the place of another, wholly or not at all.
//!
//! The new one is made beside the old one. Once it is whole, renaming its folder decides; from there on, whoever opens the
//! folder next carries on where a killed process has stopped.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, ensure};
use services::cloudtrail::Trails;
use services::firehose::{Firehose, Limits};
use services::logs::Logs;
use services::s3::S3;
use store::{Journal, Lock};

use super::{DATABASES, JOURNAL, Manifest, read};
use crate::firehose;
use crate::state_folder::make_private;

/// A state that is not whole yet.
const INCOMING: &str = "import-incoming";
/// A whole one; the old one has to go.
const READY: &str = "import-ready";
/// The old one has gone.
const CLEARED: &str = "import-cleared";

/// Puts the state of a file into a folder that no daemon uses.
///
/// # Errors
///
/// If the file is damaged or a newer Weir's, a daemon has the folder open, or there is a state in it already and it is not
/// to be replaced. The folder is as it was then.
pub fn import(file: &Path, folder: &Path, replace: bool) -> anyhow::Result<Manifest> {
    make_private(folder)?;
    let lock = Lock::take(folder)?;
    settle(folder, &lock)?;
    ensure!(
        replace || !folder.join(JOURNAL).exists(),
        "there is a state in {} already",
        folder.display()
    );
    let incoming = folder.join(INCOMING);
    sweep(folder)?;
    make_private(&incoming)?;
    let imported = read::read(file, Some(&incoming)).and_then(|manifest| {
        look_into(&incoming).with_context(|| format!("{} cannot be used", file.display()))?;
        Ok(manifest)
    });
    let manifest = match imported {
        Ok(manifest) => manifest,
        Err(error) => {
            sweep(folder)?;
            return Err(error);
        }
    };
    replace_by(&incoming, folder, &lock)?;
    Ok(manifest)
}

/// Forgets the state of a folder that no daemon uses.
///
/// # Errors
///
/// If a daemon has it open, or the disk refuses.
pub fn reset(folder: &Path) -> anyhow::Result<()> {
    ensure!(
        folder.is_dir(),
        "there is no state folder {}",
        folder.display()
    );
    let lock = Lock::take(folder)?;
    settle(folder, &lock)?;
    let nothing = folder.join(INCOMING);
    sweep(folder)?;
    make_private(&nothing)?;
    replace_by(&nothing, folder, &lock)
}

/// Whether everything that will be opened can be: of these formats, and undamaged.
fn look_into(folder: &Path) -> anyhow::Result<()> {
    for name in DATABASES {
        let path = folder.join(name);
        if path.exists() {
            store::check(&path).with_context(|| name.to_owned())?;
        }
    }
    Journal::open(folder)?.load().context(JOURNAL)?;
    S3::open(folder.join("s3")).context("the objects of S3")?;
    Logs::open(folder.join("logs.sqlite")).context("CloudWatch Logs")?;
    Trails::open(&folder.join("cloudtrail.sqlite")).context("the trails of CloudTrail")?;
    let firehose = folder.join("firehose.sqlite");
    Firehose::open(firehose, Limits::default(), firehose::random).context("Firehose")?;
    fs::remove_file(folder.join(Lock::FILE))?;
    Ok(())
}

fn replace_by(incoming: &Path, folder: &Path, lock: &Lock) -> anyhow::Result<()> {
    fs::rename(incoming, folder.join(READY))?;
    sync(folder)?;
    settle(folder, lock)
}

/// Carries on where a killed process has stopped, if one has.
///
/// # Errors
///
/// If the disk refuses.
pub(crate) fn settle(folder: &Path, _: &Lock) -> anyhow::Result<()> {
    let (ready, cleared) = (folder.join(READY), folder.join(CLEARED));
    if ready.is_dir() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name() == READY || entry.file_name() == Lock::FILE {
                continue;
            }
            remove(&entry.path())?;
        }
        fs::rename(&ready, &cleared)?;
        sync(folder)?;
    }
    if cleared.is_dir() {
        for entry in fs::read_dir(&cleared)? {
            let entry = entry?;
            fs::rename(entry.path(), folder.join(entry.file_name()))?;
        }
        fs::remove_dir(&cleared)?;
        sync(folder)?;
    }
    Ok(())
}

/// Removes a state that never became whole.
///
/// # Errors
///
/// If the disk refuses.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    match remove(&folder.join(INCOMING)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}
