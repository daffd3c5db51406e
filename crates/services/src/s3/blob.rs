//! Object data on disk: one file per object or part, named by us, never by a key.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The folder of data files. A file appears under its name only when it is whole.
#[derive(Debug)]
pub(crate) struct BlobFolder {
    root: PathBuf,
}

/// A data file that is being written. Dropping it before [`BlobFolder::publish`] removes it.
#[derive(Debug)]
pub(crate) struct PendingBlob {
    pub(crate) id: String,
    pub(crate) file: File,
    path: Option<PathBuf>,
}

impl Drop for PendingBlob {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = fs::remove_file(path);
        }
    }
}

impl BlobFolder {
    /// Opens the folder and removes what an interrupted run left half written.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let folder = Self {
            root: root.to_path_buf(),
        };
        fs::create_dir_all(folder.temporary())?;
        for entry in fs::read_dir(folder.temporary())? {
            let _ = fs::remove_file(entry?.path());
        }
        Ok(folder)
    }

    fn temporary(&self) -> PathBuf {
        self.root.join("incoming")
    }

    fn path(&self, id: &str) -> PathBuf {
        self.root.join(id.get(..2).unwrap_or("xx")).join(id)
    }

    /// Starts a new data file.
    pub(crate) fn create(&self) -> io::Result<PendingBlob> {
        let id = unique_id();
        let path = self.temporary().join(&id);
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        Ok(PendingBlob {
            id,
            file,
            path: Some(path),
        })
    }

    /// Makes a finished file durable under its id, and returns the id.
    pub(crate) fn publish(&self, mut pending: PendingBlob) -> io::Result<String> {
        pending.file.sync_all()?;
        let target = self.path(&pending.id);
        let folder = target.parent().unwrap_or(&self.root);
        if !folder.is_dir() {
            fs::create_dir_all(folder)?;
            File::open(&self.root)?.sync_all()?;
        }
        if let Some(path) = &pending.path {
            fs::rename(path, &target)?;
        }
        pending.path = None;
        File::open(folder)?.sync_all()?;
        Ok(pending.id.clone())
    }

    /// Opens a published file for reading.
    pub(crate) fn read(&self, id: &str) -> io::Result<File> {
        File::open(self.path(id))
    }

    /// Removes a published file; one that is gone already is fine.
    pub(crate) fn remove(&self, id: &str) {
        if let Err(error) = fs::remove_file(self.path(id))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, id, "cannot remove object data");
        }
    }

    /// Calls `each` with the id and age of every published file.
    pub(crate) fn for_each(
        &self,
        mut each: impl FnMut(&str, std::time::Duration),
    ) -> io::Result<()> {
        for folder in fs::read_dir(&self.root)? {
            let folder = folder?;
            if folder.file_name() == "incoming" || !folder.file_type()?.is_dir() {
                continue;
            }
            for entry in fs::read_dir(folder.path())? {
                let entry = entry?;
                let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
                if let Some(id) = entry.file_name().to_str() {
                    each(id, age);
                }
            }
        }
        Ok(())
    }
}

/// 32 hexadecimal digits that no other call of this or an earlier run returned.
pub(crate) fn unique_id() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let half = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u64(COUNTER.fetch_add(1, Ordering::Relaxed));
        hasher.write_u32(std::process::id());
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(), half())
}
