//! The console file of a sandbox: the last of what its user data printed.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// A file, outside, that keeps its end.
#[derive(Debug)]
pub(super) struct Console {
    file: File,
    length: u64,
}

impl Console {
    /// Takes over a file opened for reading and appending.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }

    /// Appends; forgets the beginning once twice [`KEPT`] have come together.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        if self.length > 2 * KEPT {
            let mut end = vec![0; KEPT as usize];
            self.file.read_exact_at(&mut end, self.length - KEPT)?;
            self.file.set_len(0)?;
            self.file.write_all(&end)?;
            self.length = KEPT;
        }
        Ok(())
    }
}

/// What `GetConsoleOutput` returns at most ("Amazon EC2 API Reference, GetConsoleOutput": the most recent 64 KB).
const KEPT: u64 = 64 * 1024;
