//! Writing a state file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::{FORMAT, MANIFEST, Manifest, SUMS, belongs};
use crate::clock;

/// Writes all of a folder that belongs to a state.
///
/// # Errors
///
/// If a file cannot be read, or `to` takes no more.
pub(super) fn write<W: Write>(folder: &Path, to: W) -> anyhow::Result<W> {
    let manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        exported_s: clock::now().as_secs(),
    };
    let mut archive = tar::Builder::new(GzEncoder::new(to, Compression::fast()));
    let text = serde_json::to_vec_pretty(&manifest)?;
    archive.append_data(&mut header(text.len() as u64), MANIFEST, text.as_slice())?;
    let mut names = Vec::new();
    find(folder, Path::new(""), &mut names)?;
    names.sort();
    let mut sums = String::new();
    for name in names {
        let failed = || format!("cannot export {}", name.display());
        let file = File::open(folder.join(&name)).with_context(failed)?;
        let length = file.metadata().with_context(failed)?.len();
        let mut hashing = Hashing {
            from: file.take(length),
            sum: Sha256::new(),
        };
        archive
            .append_data(&mut header(length), &name, &mut hashing)
            .with_context(failed)?;
        let sum = hashing.sum.finalize();
        sums += &format!("{}  {}\n", hex(&sum), name.display());
    }
    archive.append_data(&mut header(sums.len() as u64), SUMS, sums.as_bytes())?;
    Ok(archive.into_inner()?.finish()?)
}

fn find(folder: &Path, below: &Path, names: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let name = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            find(folder, &name, names)?;
        } else if name.to_str().is_some_and(belongs) {
            names.push(name);
        }
    }
    Ok(())
}

/// The same for the same content, whoever writes it and when: it is for its owner's eyes alone.
fn header(length: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(length);
    header.set_mode(0o600);
    header.set_mtime(0);
    header
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sums what is read.
pub(super) struct Hashing<R> {
    pub(super) from: R,
    pub(super) sum: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(into)?;
        self.sum.update(&into[..count]);
        Ok(count)
    }
}
