//! The folder that a daemon keeps its state in.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

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
            None => Self {
                path: std::env::temp_dir().join(format!("weir-{}", crate::clock::request_id())),
                temporary: true,
            },
        };
        for path in [folder.path.clone(), folder.path.join("console")] {
            // Its owner's alone: it holds what instances print and clients store.
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .with_context(|| format!("cannot make the state folder {}", path.display()))?;
        }
        Ok(folder)
    }

    /// Where it is.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StateFolder {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the temporary state was not removed");
        }
    }
}
