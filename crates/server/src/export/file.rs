//! A file of lines that others may move away.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A file that is appended to, and opened anew when another stands, or none, at its path.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    /// Opens the file, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// If it cannot be.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let path = std::path::absolute(path)?;
        let file = append_to(&path)
            .with_context(|| format!("--export: cannot open {}", path.display()))?;
        Ok(Self { path, file })
    }

    /// Appends whole lines, all or none.
    ///
    /// # Errors
    ///
    /// If the disk refuses, for example because it is full.
    pub(super) fn append(&mut self, lines: &[u8], anew: bool) -> io::Result<()> {
        if anew || self.is_moved()? {
            self.file = append_to(&self.path)?;
        }
        let before = self.file.metadata()?.len();
        let written = self.file.write_all(lines);
        if written.is_err() {
            // Half a line would spoil the next one. A pipe cannot be cut.
            let _ = self.file.set_len(before);
        }
        written
    }

    fn is_moved(&self) -> io::Result<bool> {
        let own = self.file.metadata()?;
        match std::fs::metadata(&self.path) {
            Ok(there) => Ok((there.dev(), there.ino()) != (own.dev(), own.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_moved_away_is_followed_by_a_new_one() {
        let dir = std::env::temp_dir().join(format!("weir-export-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (path, old) = (dir.join("flows"), dir.join("flows.1"));
        let mut file = LogFile::open(&path).unwrap();
        file.append(b"1\n", false).unwrap();
        std::fs::rename(&path, &old).unwrap();
        file.append(b"2\n", false).unwrap();
        file.append(b"3\n", true).unwrap();
        assert_eq!(std::fs::read(&old).unwrap(), b"1\n");
        assert_eq!(std::fs::read(&path).unwrap(), b"2\n3\n");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let mut full = LogFile::open(Path::new("/dev/full")).unwrap();
        let error = full.append(b"1\n", false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
