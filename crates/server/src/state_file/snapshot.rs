//! A state folder as it is at one moment, beside the one that is in use.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use store::{Lock, Moment};

use super::{DATABASES, FLOWS, KEYS, OBJECT_DATA, write};
use crate::clock;
use crate::state_folder::make_private;

/// Writes the state of a folder that no daemon uses.
///
/// # Errors
///
/// If there is none, a daemon has it open, or `to` takes no more.
pub fn export(folder: &Path, to: impl Write) -> anyhow::Result<()> {
    anyhow::ensure!(
        folder.join(super::JOURNAL).is_file(),
        "there is no state in {}",
        folder.display()
    );
    let lock = Lock::take(folder)?;
    super::settle(folder, &lock)?;
    sweep(folder);
    Snapshot::take(folder)?.write(to)?;
    Ok(())
}

/// What a state folder held at one moment. It is gone with this value.
pub(crate) struct Snapshot(PathBuf);

impl Snapshot {
    /// Takes one while the folder is in use. Whoever writes to it is held up for a moment.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub(crate) fn take(folder: &Path) -> anyhow::Result<Self> {
        let snapshot = Self(folder.join(format!("{PREFIX}{}", clock::request_id())));
        let to = &snapshot.0;
        for below in [FLOWS, OBJECT_DATA] {
            make_private(&to.join(below))?;
        }
        let paths: Vec<PathBuf> = DATABASES
            .iter()
            .map(|name| folder.join(name))
            .filter(|path| path.is_file())
            .collect();
        // An object's data are there before its row, and go after it.
        let (moment, flows) = Moment::of(&paths, || {
            link_all(&folder.join(OBJECT_DATA), &to.join(OBJECT_DATA))?;
            lengths(&folder.join(FLOWS))
        })?;
        for path in &paths {
            let name = path.strip_prefix(folder)?;
            moment
                .copy(path, &to.join(name))
                .with_context(|| format!("cannot copy {}", name.display()))?;
        }
        for (name, length) in flows {
            let from = match fs::File::open(folder.join(FLOWS).join(&name)) {
                Ok(file) => file,
                // The oldest go when there are too many.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            let mut copy = fs::File::create_new(to.join(FLOWS).join(&name))?;
            io::copy(&mut io::Read::take(from, length), &mut copy)?;
        }
        for name in KEYS {
            let from = folder.join(name);
            if from.is_file() {
                fs::copy(from, to.join(name))?;
            }
        }
        Ok(snapshot)
    }

    /// Writes it as a state file.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or `to` takes no more.
    pub(crate) fn write<W: Write>(&self, to: W) -> anyhow::Result<W> {
        write::write(&self.0, to)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "what was exported was not removed");
        }
    }
}

/// Removes what killed processes have left in a folder whose lock is held.
pub(crate) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX)
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::warn!(path = %entry.path().display(), %error, "an old export stays");
        }
    }
}

/// How the names of the folders begin.
const PREFIX: &str = "export-";

/// Files that never change have one more name, which costs nothing.
fn link_all(from: &Path, to: &Path) -> io::Result<()> {
    let folders = match fs::read_dir(from) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for folder in folders {
        let folder = folder?;
        if folder.file_name() == "incoming" || !folder.file_type()?.is_dir() {
            continue;
        }
        let below = to.join(folder.file_name());
        fs::create_dir(&below)?;
        for entry in fs::read_dir(folder.path())? {
            let entry = entry?;
            match fs::hard_link(entry.path(), below.join(entry.file_name())) {
                Ok(()) => {}
                // Its row went a moment ago.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// How long the files of a folder are.
fn lengths(folder: &Path) -> io::Result<Vec<(std::ffi::OsString, u64)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name(), entry.metadata()?.len()))
        })
        .collect()
}
