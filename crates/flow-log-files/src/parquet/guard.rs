//! Pages of files that nobody vouches for: what a page claims to hold is looked at before anything
//! is allocated for it.

use std::io::{Chain, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::thrift::{Fault, I32, STRUCT, Walk};

/// What the pages that are open at a time may take in memory, of all columns together.
const MEMORY_MAX: u64 = 512 << 20;
/// What a text of a dictionary takes beside its bytes.
const TEXT_BYTES: u64 = 40;
/// Headers of pages have some dozens of bytes, and bounds that can be long.
const HEADER_BYTES: u64 = 256;
const HEADER_BYTES_MAX: u64 = 1 << 20;

/// What the open pages of a row group take.
#[derive(Default)]
pub(super) struct Memory(AtomicU64);

/// A column chunk's part of the file.
pub(super) struct Column<R> {
    file: Arc<R>,
    memory: Arc<Memory>,
    /// What its dictionary takes, and its last page.
    dictionary: AtomicU64,
    page: AtomicU64,
}

impl<R> Column<R> {
    pub(super) fn new(file: &Arc<R>, memory: &Arc<Memory>) -> Self {
        Self {
            file: Arc::clone(file),
            memory: Arc::clone(memory),
            dictionary: AtomicU64::new(0),
            page: AtomicU64::new(0),
        }
    }

    /// Takes note of a page that is going to be read, unless it is too large.
    fn admit(&self, page: &PageSize) -> Result<(), ParquetError> {
        let (place, bytes) = match page.texts {
            Some(texts) => (&self.dictionary, page.bytes + texts * TEXT_BYTES),
            None => (&self.page, page.bytes),
        };
        let before = place.swap(bytes, Ordering::Relaxed);
        let memory = &self.memory.0;
        let all = memory.load(Ordering::Relaxed) - before + bytes;
        memory.store(all, Ordering::Relaxed);
        if all > MEMORY_MAX {
            return Err(refused(format!(
                "a page would take {bytes} bytes; no more than {} MiB are held at a time",
                MEMORY_MAX >> 20
            )));
        }
        Ok(())
    }
}

fn refused(what: String) -> ParquetError {
    ParquetError::General(what)
}

/// What a page's header says of its size.
#[derive(Debug, Default, PartialEq, Eq)]
struct PageSize {
    /// Compressed and not.
    bytes: u64,
    /// How many, in a dictionary.
    texts: Option<u64>,
}

impl PageSize {
    fn read(header: &[u8]) -> Result<Self, Fault> {
        let mut size = Self::default();
        let whole = |walk: &mut Walk<'_>| {
            let number = u32::try_from(walk.number()?);
            number.map(u64::from).map_err(|_| Fault::Wrong)
        };
        Walk(header).fields(|walk, id, kind| match (id, kind) {
            (2 | 3, I32) => {
                size.bytes += whole(walk)?;
                Ok(true)
            }
            (7, STRUCT) => {
                let texts = size.texts.insert(0);
                walk.fields(|walk, id, kind| {
                    if (id, kind) == (1, I32) {
                        *texts = whole(walk)?;
                    }
                    Ok((id, kind) == (1, I32))
                })?;
                Ok(true)
            }
            _ => Ok(false),
        })?;
        Ok(size)
    }
}

impl<R: ChunkReader> Length for Column<R> {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl<R: ChunkReader> ChunkReader for Column<R> {
    type T = Chain<Cursor<Vec<u8>>, R::T>;

    /// Only headers of pages are read so.
    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let mut file = self.file.get_read(start)?;
        let mut header = Vec::new();
        let size = loop {
            let more = HEADER_BYTES.max(header.len() as u64);
            let got = (&mut file).take(more).read_to_end(&mut header)?;
            match PageSize::read(&header) {
                Ok(size) => break size,
                Err(Fault::Short) if got > 0 && (header.len() as u64) < HEADER_BYTES_MAX => {}
                Err(_) => return Err(refused("the header of a page is damaged".to_owned())),
            }
        };
        self.admit(&size)?;
        Ok(Cursor::new(header).chain(file))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.file.len()) {
            return Err(refused("a page would end behind the file".to_owned()));
        }
        self.file.get_bytes(start, length)
    }
}

/// Looks into pages as they come.
pub(super) struct Pages<P> {
    pages: P,
    /// Whether there are levels in front of the values.
    optional: bool,
}

impl<P: PageReader> Pages<P> {
    pub(super) fn new(pages: P, optional: bool) -> Self {
        Self { pages, optional }
    }

    /// Encodings of differences tell once more how many values there are.
    fn check(&self, page: &Page) -> Result<(), ParquetError> {
        let encoding = page.encoding();
        let delta = matches!(
            encoding,
            Encoding::DELTA_BINARY_PACKED
                | Encoding::DELTA_LENGTH_BYTE_ARRAY
                | Encoding::DELTA_BYTE_ARRAY
        );
        if !delta || !page.is_data_page() {
            return Ok(());
        }
        let values = self.values(page).unwrap_or_default();
        let claimed = delta_count(values).map(|(count, rest)| match encoding {
            Encoding::DELTA_BYTE_ARRAY => {
                let ends = delta_end(values, rest, count).and_then(delta_count);
                count.max(ends.map_or(0, |(count, _)| count))
            }
            _ => count,
        });
        if claimed.is_some_and(|claimed| claimed > u64::from(page.num_values())) {
            return Err(refused("a page holds more values than it says".to_owned()));
        }
        Ok(())
    }

    /// The bytes behind the levels.
    fn values<'a>(&self, page: &'a Page) -> Option<&'a [u8]> {
        match page {
            Page::DataPage { buf, .. } if self.optional => {
                let (length, rest) = buf.split_first_chunk::<4>()?;
                rest.get(u32::from_le_bytes(*length) as usize..)
            }
            Page::DataPageV2 {
                buf,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                buf.get(usize::try_from(levels).ok()?..)
            }
            page => Some(page.buffer()),
        }
    }
}

/// How many values are there as differences, and what follows that number.
fn delta_count(values: &[u8]) -> Option<(u64, &[u8])> {
    let mut walk = Walk(values);
    walk.varint().ok()?;
    walk.varint().ok()?;
    let count = walk.varint().ok()?;
    Some((count, walk.0))
}

/// What follows `count` values, whose first is at `first`.
fn delta_end<'a>(values: &[u8], first: &'a [u8], count: u64) -> Option<&'a [u8]> {
    let mut header = Walk(values);
    let block = header.varint().ok()?;
    let parts = usize::try_from(header.varint().ok()?).ok()?;
    let part = block.checked_div(parts as u64).filter(|part| *part > 0)?;
    let mut walk = Walk(first);
    walk.varint().ok()?;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        walk.varint().ok()?;
        let (widths, rest) = walk.0.split_at_checked(parts)?;
        walk.0 = rest;
        for &width in widths {
            if left == 0 {
                break;
            }
            let bytes = part.checked_mul(u64::from(width))? / 8;
            walk.0 = walk.0.get(usize::try_from(bytes).ok()?..)?;
            left = left.saturating_sub(part);
        }
    }
    Some(walk.0)
}

impl<P: PageReader> Iterator for Pages<P> {
    type Item = Result<Page, ParquetError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<P: PageReader> PageReader for Pages<P> {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        let page = self.pages.get_next_page()?;
        if let Some(page) = &page {
            self.check(page)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.pages.skip_next_page()
    }
}
