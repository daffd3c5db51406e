//! The file that says which entry of a flow log was delivered last.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::sync_folder;

const NAME: &str = "acknowledged";

/// The sequence number, the generation, and their CRC-32; until Weir 0.1 without a generation.
/// Nothing if it is damaged, zeros if there is none.
pub(super) fn read(folder: &Path) -> io::Result<Option<(u64, u64)>> {
    let bytes = match fs::read(folder.join(NAME)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some((0, 0))),
        Err(error) => return Err(error),
    };
    let checked = bytes.split_last_chunk::<4>().and_then(|(numbers, sum)| {
        let (sequence, rest) = numbers.split_first_chunk()?;
        let generation = rest.first_chunk().copied().unwrap_or_default();
        let numbers_are_right = crc32fast::hash(numbers) == u32::from_le_bytes(*sum);
        numbers_are_right.then(|| {
            (
                u64::from_le_bytes(*sequence),
                u64::from_le_bytes(generation),
            )
        })
    });
    if checked.is_none() {
        // Delivering again is harmless where losing is not.
        tracing::warn!(folder = %folder.display(), "the number of the last delivery is damaged");
    }
    Ok(checked)
}

pub(super) fn write(folder: &Path, sequence: u64, generation: u64) -> io::Result<()> {
    let mut bytes = sequence.to_le_bytes().to_vec();
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    match replace(folder, &bytes) {
        // Acknowledging is what makes space, so a full disk must not stop it. Few bytes in one
        // block of the disk are not torn in practice, and the checksum would tell.
        Err(error) if is_full(&error) => overwrite(folder, &bytes).map_err(|_| error),
        replaced => replaced,
    }
}

fn replace(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = folder.join("acknowledged.new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&new, folder.join(NAME))?;
    sync_folder(folder)
}

fn overwrite(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = folder.join(NAME);
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
