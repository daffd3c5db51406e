//! One daemon per state folder.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::Error;

/// Held for as long as the daemon lives; the kernel lets go of it whatever way the daemon ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// The name of its file in the folder.
    pub const FILE: &str = "lock";

    /// Takes the folder, or says who has it.
    ///
    /// # Errors
    ///
    /// If a daemon has it, or the folder cannot be written.
    pub fn take(dir: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Folder {
            dir: dir.to_owned(),
            source,
        };
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(dir.join(Self::FILE))
            .map_err(failed)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut text = String::new();
            // The number is a courtesy to the reader of the message; the lock itself has refused.
            let pid = file
                .read_to_string(&mut text)
                .ok()
                .and_then(|_| text.trim().parse().ok());
            return Err(Error::InUse {
                dir: dir.to_owned(),
                pid,
            });
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}
