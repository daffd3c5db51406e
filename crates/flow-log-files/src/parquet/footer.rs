//! The end of a file, which says what is in it.

use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::ChunkReader;

use super::MAGIC;
use super::thrift::{Fault, I32, LIST, STRUCT, Walk};

/// Files of thousands of row groups have less.
const FOOTER_BYTES_MAX: u32 = 16 << 20;
/// Groups in groups; a flow log has none.
const SCHEMA_DEPTH_MAX: usize = 32;
/// The length of the footer and the magic number.
const TAIL_BYTES: u32 = 8;

/// Reads what the file says of itself. What it claims is compared with what is there first: the
/// library allocates as claimed.
pub(super) fn read(file: &impl ChunkReader) -> Result<ParquetMetaData, String> {
    let said = |error: parquet::errors::ParquetError| error.to_string();
    let length = file.len();
    let tail_at = length.checked_sub(u64::from(TAIL_BYTES));
    let tail_at = tail_at.ok_or("it has less than 8 bytes")?;
    let tail = file.get_bytes(tail_at, TAIL_BYTES as usize).map_err(said)?;
    let (size, magic) = tail.split_first_chunk::<4>().ok_or("it is cut short")?;
    match magic {
        b"PARE" => return Err("it is encrypted".to_owned()),
        magic if magic != MAGIC => {
            return Err("it does not end as such a file does; it is cut short".to_owned());
        }
        _ => {}
    }
    let size = u32::from_le_bytes(*size);
    let at = tail_at.checked_sub(u64::from(size));
    let at = at.ok_or_else(|| format!("its footer of {size} bytes would begin before it"))?;
    if size > FOOTER_BYTES_MAX {
        return Err(format!(
            "its footer has {size} bytes; more than {FOOTER_BYTES_MAX} are not read"
        ));
    }
    let footer = file.get_bytes(at, size as usize).map_err(said)?;
    check(&footer).map_err(|fault| match fault {
        Fault::Short => "its footer claims more than there is".to_owned(),
        Fault::Wrong => "its footer is damaged".to_owned(),
    })?;
    ParquetMetaDataReader::decode_metadata(&footer).map_err(said)
}

fn check(footer: &[u8]) -> Result<(), Fault> {
    Walk(footer).fields(|walk, id, kind| {
        if (id, kind) != (2, LIST) {
            return Ok(false);
        }
        check_schema(walk)?;
        Ok(true)
    })
}

/// The elements of a schema, each followed by as many as it says that it has in it.
fn check_schema(walk: &mut Walk<'_>) -> Result<(), Fault> {
    let (kind, count) = walk.list()?;
    if kind != STRUCT {
        return Err(Fault::Wrong);
    }
    // For each open group how many of its elements are to come.
    let mut open: Vec<u64> = Vec::new();
    for left in (0..count as u64).rev() {
        let mut children = 0;
        walk.fields(|walk, id, kind| {
            let wanted = (id, kind) == (5, I32);
            if wanted {
                children = u64::try_from(walk.number()?).map_err(|_| Fault::Wrong)?;
            }
            Ok(wanted)
        })?;
        if let Some(siblings) = open.last_mut() {
            *siblings = siblings.saturating_sub(1);
        }
        if children > left {
            return Err(Fault::Short);
        }
        if children > 0 {
            open.push(children);
        } else {
            while open.last() == Some(&0) {
                open.pop();
            }
        }
        if open.len() > SCHEMA_DEPTH_MAX {
            return Err(Fault::Wrong);
        }
    }
    Ok(())
}
