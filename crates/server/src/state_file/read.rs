//! Reading a state file: every byte of it is looked at before anything is believed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, bail, ensure};
use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};

use super::write::{Hashing, hex};
use super::{FORMAT, JOURNAL, MANIFEST, Manifest, SUMS, belongs};

/// Reads a state file to its end, and says what it is.
///
/// # Errors
///
/// If it is none, is damaged, or was written by a newer Weir.
pub fn check(path: &Path) -> anyhow::Result<Manifest> {
    read(path, None)
}

/// The same, and puts its files into a folder.
///
/// # Errors
///
/// As with [`check`], and if the disk refuses. What is in the folder is worth nothing then.
pub(super) fn read(path: &Path, into: Option<&Path>) -> anyhow::Result<Manifest> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (at, place) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(String::new())));
    let counted = Counted {
        from: file,
        count: at.clone(),
    };
    read_files(BufReader::new(counted), into, &place).with_context(|| {
        let (at, place) = (at.get(), place.take());
        let place = match place.as_str() {
            "" => String::new(),
            name => format!(", in {name}"),
        };
        format!("{} cannot be imported (byte {at}{place})", path.display())
    })
}

fn read_files(
    from: BufReader<impl Read>,
    into: Option<&Path>,
    place: &Cell<String>,
) -> anyhow::Result<Manifest> {
    let mut archive = tar::Archive::new(GzDecoder::new(from));
    let (mut manifest, mut sums, mut listed) = (None, BTreeMap::new(), None);
    for entry in archive.entries()? {
        let entry = entry.context("damaged: it is no state file, or a part of it is missing")?;
        let name = entry.path()?.to_str().unwrap_or_default().to_owned();
        place.set(name.clone());
        ensure!(
            entry.header().entry_type().is_file() && listed.is_none(),
            "nothing of this kind belongs to a state"
        );
        match name.as_str() {
            MANIFEST if manifest.is_none() => manifest = Some(read_manifest(entry)?),
            _ if manifest.is_none() => bail!("damaged: it is no state file"),
            SUMS => listed = Some(text_of(entry)?),
            name => {
                ensure!(
                    belongs(name) && !sums.contains_key(name),
                    "nothing of this name belongs to a state"
                );
                sums.insert(
                    name.to_owned(),
                    take(entry, into.map(|dir| dir.join(name)))?,
                );
            }
        }
    }
    place.set(String::new());
    // What is left is the end of the archive and the sum of all, which gzip checks.
    let mut gzip = archive.into_inner();
    io::copy(&mut gzip, &mut io::sink()).context("damaged")?;
    let mut rest = gzip.into_inner();
    ensure!(
        io::copy(&mut rest, &mut io::sink())? == 0,
        "damaged: something follows its end"
    );
    let manifest = manifest.context("it is no state file")?;
    check_sums(&listed.context("damaged: its end is missing")?, &sums)?;
    ensure!(sums.contains_key(JOURNAL), "damaged: it has no {JOURNAL}");
    Ok(manifest)
}

fn read_manifest(entry: impl Read) -> anyhow::Result<Manifest> {
    let text = text_of(entry)?;
    // Before anything else is understood, as anything else may change.
    let format = serde_json::from_str::<serde_json::Value>(&text)
        .ok()
        .and_then(|value| value.get("format")?.as_u64())
        .context("it is no state file")?;
    ensure!(
        format <= u64::from(FORMAT),
        "it has format {format}, and this weir reads formats up to {FORMAT}: a newer weir wrote it"
    );
    Ok(serde_json::from_str(&text)?)
}

/// Takes a file out, and answers its sum.
fn take(entry: impl Read, to: Option<std::path::PathBuf>) -> anyhow::Result<String> {
    let mut entry = Hashing {
        from: entry,
        sum: Sha256::new(),
    };
    match to {
        None => copy(&mut entry, &mut io::sink())?,
        Some(to) => {
            let folder = to.parent().unwrap_or(&to);
            std::fs::create_dir_all(folder)?;
            let mut options = File::options();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&to)?;
            copy(&mut entry, &mut file)?;
            file.sync_all()?;
        }
    }
    Ok(hex(&entry.sum.finalize()))
}

/// Copies all, and tells what is wrong with the file from what is wrong with the disk.
fn copy(from: &mut impl Read, to: &mut impl Write) -> anyhow::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = from.read(&mut buffer).context("damaged")?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count])
            .context("it cannot be written down")?;
    }
}

/// Sums and manifests are short, so far as they are real.
fn text_of(entry: impl Read) -> anyhow::Result<String> {
    const MAX: u64 = 1 << 30;
    let mut text = String::new();
    entry
        .take(MAX)
        .read_to_string(&mut text)
        .context("damaged")?;
    Ok(text)
}

fn check_sums(listed: &str, found: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let mut lines = BTreeMap::new();
    for line in listed.lines() {
        let (sum, name) = line.split_once("  ").context("damaged: its sums")?;
        lines.insert(name.to_owned(), sum.to_owned());
    }
    for (name, sum) in &lines {
        let found = found.get(name);
        let found = found.with_context(|| format!("damaged: {name} is missing"))?;
        ensure!(found == sum, "damaged: {name} is not what was exported");
    }
    match found.keys().find(|name| !lines.contains_key(*name)) {
        Some(name) => bail!("damaged: {name} has no sum"),
        None => Ok(()),
    }
}

/// Counts what was read, to say where.
struct Counted<R> {
    from: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(into)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}
