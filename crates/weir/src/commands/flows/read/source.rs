//! Where flow-log files come from: standard input, files, folders, S3.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context;
use flow_log_files::{Contents, PARQUET_MAGIC, Visitor, read_parquet, read_text};

use super::s3::{self, Object};
use crate::cli::{ReadFlowLogs, Target};
use crate::output::printable;

/// Bytes of a file read at once.
const BUFFER_BYTES: usize = 128 << 10;

/// One file.
pub(super) enum Source {
    Standard,
    File(PathBuf),
    Object(Object),
}

/// The files that an argument stands for, by name.
pub(super) fn expand(
    argument: &str,
    target: &Target,
    arguments: &ReadFlowLogs,
) -> anyhow::Result<Vec<Source>> {
    if argument == "-" {
        return Ok(vec![Source::Standard]);
    }
    if let Some(address) = argument.strip_prefix("s3://") {
        let objects = s3::find(address, target, arguments.s3_endpoint.as_deref())?;
        return Ok(objects.into_iter().map(Source::Object).collect());
    }
    let path = Path::new(argument);
    if !path.metadata()?.is_dir() {
        return Ok(vec![Source::File(path.to_owned())]);
    }
    let mut files = Vec::new();
    gather(path, &mut files)?;
    files.sort();
    anyhow::ensure!(!files.is_empty(), "the folder has no files");
    Ok(files.into_iter().map(Source::File).collect())
}

/// Every file of a folder and of those in it, but hidden ones. Links to folders are not followed.
fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = folder
        .read_dir()
        .with_context(|| printable(&folder.display().to_string()))?;
    for entry in entries {
        let entry = entry?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if hidden {
            continue;
        }
        if entry.file_type()?.is_dir() {
            gather(&entry.path(), files)?;
        } else if entry.path().is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

impl Source {
    /// As problems name it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Standard => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Object(object) => object.name(),
        }
    }

    /// Reads it; `false` when the visitor wants no more.
    pub(super) fn read(self, visitor: &mut dyn Visitor) -> anyhow::Result<bool> {
        match self {
            Self::Standard => from_pipe(io::stdin().lock(), visitor),
            Self::File(path) => {
                let mut file = File::open(path)?;
                // A pipe or a device has no end to read Parquet from.
                if !file.metadata()?.is_file() {
                    return from_pipe(file, visitor);
                }
                let begin = begin(&mut file)?;
                file.seek(SeekFrom::Start(0))?;
                match Contents::of(&begin) {
                    Contents::Parquet => Ok(read_parquet(file, visitor)),
                    Contents::Gzip | Contents::Text => text(file, visitor),
                }
            }
            Self::Object(object) => {
                let mut reader = object.reader();
                let begin = begin(&mut reader)?;
                match Contents::of(&begin) {
                    Contents::Parquet => Ok(read_parquet(object, visitor)),
                    Contents::Gzip | Contents::Text => {
                        text(Cursor::new(begin).chain(reader), visitor)
                    }
                }
            }
        }
    }
}

fn from_pipe(mut input: impl Read, visitor: &mut dyn Visitor) -> anyhow::Result<bool> {
    let begin = begin(&mut input)?;
    let contents = Contents::of(&begin);
    let mut whole = Cursor::new(begin).chain(input);
    match contents {
        // It is read from its end, so all of it has to be somewhere first.
        Contents::Parquet => {
            let mut file = tempfile::tempfile().context("no temporary file")?;
            io::copy(&mut whole, &mut file)?;
            Ok(read_parquet(file, visitor))
        }
        Contents::Gzip | Contents::Text => text(whole, visitor),
    }
}

fn text(input: impl Read, visitor: &mut dyn Visitor) -> anyhow::Result<bool> {
    let input = BufReader::with_capacity(BUFFER_BYTES, input);
    Ok(read_text(input, visitor)?)
}

/// As many bytes as it takes to know what a file is.
fn begin(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    input
        .take(PARQUET_MAGIC.len() as u64)
        .read_to_end(&mut begin)?;
    Ok(begin)
}
