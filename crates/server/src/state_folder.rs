//! The folder that a daemon keeps its state in.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::{FlockOperation, flock};
use store::{Journal, Lock};

use crate::state_file;

/// A state folder: one that stays, or one that goes with the daemon.
#[derive(Debug)]
pub(crate) struct StateFolder {
    path: PathBuf,
    temporary: bool,
}

impl StateFolder {
    /// Opens a folder, or makes a temporary one.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let folder = match path {
            Some(path) => Self {
                path: std::path::absolute(path)?,
                temporary: false,
            },
            None => {
                let parent = std::env::temp_dir();
                sweep(&parent);
                Self {
                    path: parent.join(format!("{TEMPORARY}{}", crate::clock::request_id())),
                    temporary: true,
                }
            }
        };
        make_private(&folder.path)?;
        Ok(folder)
    }

    /// Where it is.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the folder, and those above it, if they are not there. It is its owner's alone: it holds what instances print and
/// clients store.
///
/// # Errors
///
/// If it cannot be made.
pub(crate) fn make_private(path: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make the state folder {}", path.display()))
}

/// Opens the journal of a folder, which is this process's from then on.
///
/// # Errors
///
/// If another daemon has it, or it cannot be used.
pub(crate) fn open_journal(folder: &Path) -> anyhow::Result<Journal> {
    let lock = Lock::take(folder)?;
    state_file::settle(folder, &lock)?;
    state_file::sweep(folder)?;
    state_file::sweep_snapshots(folder);
    Ok(Journal::with_lock(folder, lock)?)
}

/// Removes what killed daemons have left. A folder whose lock is held belongs to a living one, and one without a journal
/// may belong to one that is just starting: it makes the journal when it has the lock, and nobody may take that from it.
fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with(TEMPORARY) {
            continue;
        }
        if !entry.path().join(JOURNAL).exists() {
            continue;
        }
        let Ok(lock) = std::fs::File::open(entry.path().join("lock")) else {
            continue;
        };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::debug!(path = %entry.path().display(), %error, "an old temporary state stays");
        }
    }
}

/// How the names of temporary state folders begin.
const TEMPORARY: &str = "weir-ephemeral-";
const JOURNAL: &str = "journal.sqlite";

impl Drop for StateFolder {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the temporary state was not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_holds_is_swept() {
        let parent = StateFolder::open(None).unwrap();
        let make = |name: &str| {
            let folder = parent.path().join(format!("{TEMPORARY}{name}"));
            std::fs::create_dir_all(&folder).unwrap();
            let lock = std::fs::File::create(folder.join("lock")).unwrap();
            (folder, lock)
        };
        let begun = |folder: &Path| std::fs::write(folder.join(JOURNAL), "").unwrap();
        let (dead, lock) = make("dead");
        begun(&dead);
        drop(lock);
        let (starting, lock) = make("starting");
        drop(lock);
        let (living, lock) = make("living");
        begun(&living);
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        sweep(parent.path());
        assert!(!dead.exists());
        assert!(starting.exists());
        assert!(living.exists());
    }
}
