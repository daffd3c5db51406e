//! Column chunks: values of a column in a row group, as pages.

use bytes::Bytes;
use parquet::basic::EncodingMask;
use parquet::basic::{BoundaryOrder, Encoding, PageType};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::PageEncodingStats;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::bits::{width, write_deltas, write_run, write_runs};
use super::dictionary::Dictionary;
use super::schema::{ZSTD_LEVEL, compression};
use super::table::{NULL, Values};

/// Rows of a page: what a reader with a page index has to decode at least.
const PAGE_ROWS: usize = 16_384;

/// Makes column chunks, one after the other; it keeps its memory.
pub(super) struct ChunkWriter {
    compressor: zstd::bulk::Compressor<'static>,
    /// The page being made, and it compressed.
    page: Vec<u8>,
    compressed: Vec<u8>,
    /// The rows' values.
    numbers: Vec<i64>,
    texts: Vec<u32>,
    places: Vec<u32>,
}

/// A chunk that is being written.
struct Chunk {
    sink: TrackedWrite<Vec<u8>>,
    uncompressed: usize,
    rows: usize,
    nulls: u64,
    dictionary: bool,
    data_at: u64,
    column_index: ColumnIndexBuilder,
    offset_index: OffsetIndexBuilder,
    encodings: Vec<PageEncodingStats>,
}

impl ChunkWriter {
    pub(super) fn new() -> Result<Self, ParquetError> {
        Ok(Self {
            compressor: zstd::bulk::Compressor::new(ZSTD_LEVEL)?,
            page: Vec::new(),
            compressed: Vec::new(),
            numbers: Vec::new(),
            texts: Vec::new(),
            places: Vec::new(),
        })
    }

    /// The chunk of the rows in `order`, and what is to be said of it.
    pub(super) fn write(
        &mut self,
        values: &Values<'_>,
        order: &[u32],
        descriptor: &ColumnDescPtr,
    ) -> Result<(Bytes, ColumnCloseResult), ParquetError> {
        let mut chunk = Chunk::new(descriptor);
        let statistics = match values {
            Values::Numbers(numbers, greatest) => {
                let small = *greatest <= i64::from(i32::MAX);
                self.write_numbers(&mut chunk, numbers, order, small)?
            }
            Values::Texts(dictionary) => self.write_texts(&mut chunk, dictionary, order)?,
        };
        chunk.close(descriptor, statistics)
    }

    /// Pages of levels and differences.
    fn write_numbers(
        &mut self,
        chunk: &mut Chunk,
        numbers: &[i64],
        order: &[u32],
        small: bool,
    ) -> Result<Statistics, ParquetError> {
        let plain = |number: i64| match i32::try_from(number) {
            Ok(number) if small => number.to_le_bytes().to_vec(),
            _ => number.to_le_bytes().to_vec(),
        };
        // Also brings them near, in the order of memory; what follows reads them in another one.
        let are_all = numbers
            .iter()
            .fold(true, |all, number| all & (*number != NULL));
        let (mut least, mut greatest) = (i64::MAX, NULL);
        for rows in order.chunks(PAGE_ROWS) {
            self.numbers.clear();
            let values = rows.iter().map(|&row| numbers[row as usize]);
            self.numbers.extend(values);
            self.page.clear();
            self.take_levels(are_all);
            write_deltas(&mut self.page, &self.numbers);
            let bounds = (self.numbers.iter().min(), self.numbers.iter().max());
            let nulls = rows.len() - self.numbers.len();
            match bounds {
                (Some(&min), Some(&max)) => {
                    (least, greatest) = (least.min(min), greatest.max(max));
                    chunk.index(plain(min), plain(max), nulls);
                }
                _ => chunk.index_nulls(nulls),
            }
            self.data_page(chunk, rows.len(), Encoding::DELTA_BINARY_PACKED)?;
        }
        let some = |number: i64| (greatest != NULL).then_some(number);
        let nulls = Some(chunk.nulls);
        Ok(if small {
            let narrow = |number: i64| some(number).and_then(|n| i32::try_from(n).ok());
            ValueStatistics::new(narrow(least), narrow(greatest), None, nulls, false)
                .with_backwards_compatible_min_max(true)
                .into()
        } else {
            ValueStatistics::new(some(least), some(greatest), None, nulls, false)
                .with_backwards_compatible_min_max(true)
                .into()
        })
    }

    /// For each row whether it has a number, behind the length of that; then only the numbers are left.
    fn take_levels(&mut self, are_all: bool) {
        self.page.extend_from_slice(&[0; 4]);
        if are_all {
            write_run(&mut self.page, self.numbers.len(), 1, 1);
        } else {
            self.places.clear();
            let levels = self.numbers.iter().map(|&number| u32::from(number != NULL));
            self.places.extend(levels);
            write_runs(&mut self.page, &self.places, 1);
            self.numbers.retain(|&number| number != NULL);
        }
        let length = (self.page.len() - 4) as u32;
        self.page[..4].copy_from_slice(&length.to_le_bytes());
    }

    /// A page of every text that the rows have, then pages of places in it.
    fn write_texts(
        &mut self,
        chunk: &mut Chunk,
        dictionary: &Dictionary<'_>,
        order: &[u32],
    ) -> Result<Statistics, ParquetError> {
        let mut places = vec![u32::MAX; dictionary.texts.len()];
        let mut count = 0;
        self.page.clear();
        self.texts.clear();
        self.places.clear();
        for &row in order {
            let number = dictionary.numbers[row as usize];
            self.texts.push(number);
            let place = &mut places[number as usize];
            if *place == u32::MAX {
                *place = count;
                count += 1;
                dictionary.write(number, &mut self.page);
            }
            self.places.push(*place);
        }
        self.dictionary_page(chunk, count)?;
        // One text would need none, which not every reader is used to.
        let width = width(u64::from(count.saturating_sub(1))).max(1);
        let mut bounds: Option<(&[u8], &[u8])> = None;
        for begin in (0..order.len()).step_by(PAGE_ROWS) {
            let rows = begin..order.len().min(begin + PAGE_ROWS);
            if let Some((min, max)) = dictionary.bounds(&self.texts[rows.clone()]) {
                let all = bounds.get_or_insert((min, max));
                *all = (all.0.min(min), all.1.max(max));
                chunk.index(min.to_vec(), max.to_vec(), 0);
            }
            self.page.clear();
            self.page.push(width);
            write_runs(&mut self.page, &self.places[rows.clone()], width);
            self.data_page(chunk, rows.len(), Encoding::RLE_DICTIONARY)?;
        }
        let text = |text: &[u8]| ByteArray::from(text.to_vec());
        let (min, max) = bounds.unzip();
        Ok(ValueStatistics::new(min.map(text), max.map(text), None, Some(0), false).into())
    }

    fn dictionary_page(&mut self, chunk: &mut Chunk, count: u32) -> Result<(), ParquetError> {
        let page = Page::DictionaryPage {
            buf: self.compress()?,
            num_values: count,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        chunk.dictionary = true;
        chunk.write(page, self.page.len())?;
        chunk.data_at = chunk.sink.bytes_written() as u64;
        Ok(())
    }

    fn data_page(
        &mut self,
        chunk: &mut Chunk,
        rows: usize,
        encoding: Encoding,
    ) -> Result<(), ParquetError> {
        let page = Page::DataPage {
            buf: self.compress()?,
            num_values: rows as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        chunk.rows += rows;
        let (at, size) = chunk.write(page, self.page.len())?;
        chunk.offset_index.append_row_count(rows as i64);
        chunk.offset_index.append_offset_and_size(at, size);
        Ok(())
    }

    fn compress(&mut self) -> Result<Bytes, ParquetError> {
        self.compressed.clear();
        self.compressed
            .reserve(zstd::zstd_safe::compress_bound(self.page.len()));
        self.compressor
            .compress_to_buffer(&self.page, &mut self.compressed)?;
        Ok(Bytes::copy_from_slice(&self.compressed))
    }
}

impl Chunk {
    fn new(descriptor: &ColumnDescPtr) -> Self {
        Self {
            sink: TrackedWrite::new(Vec::new()),
            uncompressed: 0,
            rows: 0,
            nulls: 0,
            dictionary: false,
            data_at: 0,
            column_index: ColumnIndexBuilder::new(descriptor.physical_type()),
            offset_index: OffsetIndexBuilder::new(),
            encodings: Vec::new(),
        }
    }

    /// Notes the bounds of a page.
    fn index(&mut self, min: Vec<u8>, max: Vec<u8>, nulls: usize) {
        self.column_index.append(false, min, max, nulls as i64);
        self.nulls += nulls as u64;
    }

    /// Notes a page without any value.
    fn index_nulls(&mut self, nulls: usize) {
        self.column_index
            .append(true, Vec::new(), Vec::new(), nulls as i64);
        self.nulls += nulls as u64;
    }

    /// Writes a page; says where it is, and its size.
    fn write(&mut self, page: Page, uncompressed: usize) -> Result<(i64, i32), ParquetError> {
        self.count(page.page_type(), page.encoding());
        let page = CompressedPage::new(page, uncompressed);
        let written = SerializedPageWriter::new(&mut self.sink).write_page(page)?;
        self.uncompressed += written.uncompressed_size;
        Ok((written.offset as i64, written.compressed_size as i32))
    }

    fn count(&mut self, page_type: PageType, encoding: Encoding) {
        match self.encodings.last_mut() {
            Some(last) if last.page_type == page_type => last.count += 1,
            _ => self.encodings.push(PageEncodingStats {
                page_type,
                encoding,
                count: 1,
            }),
        }
    }

    fn close(
        mut self,
        descriptor: &ColumnDescPtr,
        statistics: Statistics,
    ) -> Result<(Bytes, ColumnCloseResult), ParquetError> {
        let levels = (descriptor.max_def_level() > 0).then_some(Encoding::RLE);
        let encodings: Vec<_> = self
            .encodings
            .iter()
            .map(|e| e.encoding)
            .chain(levels)
            .collect();
        self.column_index
            .set_boundary_order(BoundaryOrder::UNORDERED);
        let bytes = Bytes::from(self.sink.into_inner()?);
        let metadata = ColumnChunkMetaData::builder(descriptor.clone())
            .set_compression(compression())
            .set_encodings_mask(EncodingMask::new_from_encodings(encodings.iter()))
            .set_page_encoding_stats(self.encodings)
            .set_total_compressed_size(bytes.len() as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_num_values(self.rows as i64)
            .set_data_page_offset(self.data_at as i64)
            .set_dictionary_page_offset(self.dictionary.then_some(0))
            .set_statistics(statistics)
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: self.rows as u64,
            metadata,
            bloom_filter: None,
            column_index: Some(self.column_index.build()?),
            offset_index: Some(self.offset_index.build()),
        };
        Ok((bytes, close))
    }
}
