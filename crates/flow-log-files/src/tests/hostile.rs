//! Files made to do harm: what they claim is not believed, memory stays bounded, and what is wrong is said.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, EncodingMask};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite};
use parquet::schema::parser::parse_message_type;

use super::support::{DEFAULT, read};
use crate::{gzip, parquet as encode};

/// More than all that is read here may take.
const PEAK_MIB_MAX: u64 = 900;

/// The most memory that this process has had; the runner gives each test one of its own.
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next());
    kib.unwrap().parse::<u64>().unwrap() / 1024
}

/// The only problem of a file without a record.
fn problem(bytes: &[u8]) -> String {
    let noted = read(bytes);
    assert_eq!(noted.records.len(), 0);
    assert_eq!(noted.problems.len(), 1, "{:?}", noted.problems);
    assert!(peak_mib() < PEAK_MIB_MAX, "{} MiB", peak_mib());
    noted.problems[0].clone()
}

fn with_footer(footer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [b"PAR1", footer, &length, b"PAR1"].concat()
}

#[test]
fn footers_that_claim_too_much() {
    const MANY: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 7];
    let group_count = [&[0x49, 0xfc][..], &MANY, &[0]].concat();
    let key_length = [&[0x58][..], &MANY, &[0]].concat();
    let children = [&[0x29, 0x1c, 0x55, 0xfe][..], &MANY[..4], &[0, 0]].concat();
    for footer in [group_count, key_length, children] {
        assert_eq!(
            problem(&with_footer(&footer)),
            ": not readable as Parquet: its footer claims more than there is"
        );
    }
    // Each group in the one before.
    let mut deep = vec![0x29, 0xfc, 0xa0, 0x8d, 6];
    deep.extend([0x55, 2, 0].repeat(99_999));
    deep.extend([0x48, 1, b'x', 0, 0]);
    assert_eq!(
        problem(&with_footer(&deep)),
        ": not readable as Parquet: its footer is damaged"
    );
    let good = encode(DEFAULT).unwrap();
    let mut long = good.clone();
    let place = long.len() - 8;
    long[place..place + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(problem(&long).ends_with("its footer of 4294967295 bytes would begin before it"));
    let mut secret = good.clone();
    let place = secret.len() - 4;
    secret[place..].copy_from_slice(b"PARE");
    assert!(problem(&secret).ends_with("it is encrypted"));
    assert!(problem(&good[..good.len() - 1]).ends_with("it is cut short"));
}

/// A file of one column, `srcaddr` or `bytes`, whose pages say that they have so many bytes.
fn forged(kind: &str, pages: Vec<(Page, usize)>, compression: Compression) -> Vec<u8> {
    let schema = parse_message_type(&format!("message m {{ REQUIRED {kind}; }}")).unwrap();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties).unwrap();
    let column = writer.schema_descr().column(0);
    let mut sink = TrackedWrite::new(Vec::new());
    let first = (pages.len() > 1).then_some(0);
    let mut data_at = 0;
    for (page, size) in pages {
        data_at = sink.bytes_written();
        let page = CompressedPage::new(page, size);
        SerializedPageWriter::new(&mut sink)
            .write_page(page)
            .unwrap();
    }
    let bytes = Bytes::from(sink.into_inner().unwrap());
    let encodings = [Encoding::PLAIN];
    let metadata = ColumnChunkMetaData::builder(column)
        .set_compression(compression)
        .set_encodings_mask(EncodingMask::new_from_encodings(encodings.iter()))
        .set_total_compressed_size(bytes.len() as i64)
        .set_num_values(9)
        .set_data_page_offset(data_at as i64)
        .set_dictionary_page_offset(first)
        .build()
        .unwrap();
    let close = ColumnCloseResult {
        bytes_written: bytes.len() as u64,
        rows_written: 9,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    };
    let mut group = writer.next_row_group().unwrap();
    group.append_column(&bytes, close).unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

fn data(bytes: &[u8], encoding: Encoding) -> (Page, usize) {
    let page = Page::DataPage {
        buf: Bytes::copy_from_slice(bytes),
        num_values: 9,
        encoding,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    };
    (page, bytes.len())
}

const LOST: &str = ":row 1: the rest of row group 1 is lost: ";

#[test]
fn pages_that_claim_too_much() {
    let zstd = Compression::ZSTD(parquet::basic::ZstdLevel::default());
    // A gigabyte of nothing, in some kilobytes.
    let bomb = zstd::bulk::compress(&vec![0; 600 << 20], 1).unwrap();
    let (page, _) = data(&bomb, Encoding::PLAIN);
    let after = peak_mib();
    let said = read(&forged("INT64 bytes", vec![(page, 600 << 20)], zstd)).problems;
    assert!(
        said[0].contains("no more than 512 MiB are held at a time"),
        "{said:?}"
    );
    assert!(peak_mib() < after + 50, "it was not expanded");

    let dictionary = Page::DictionaryPage {
        buf: Bytes::from_static(b"\x01\0\0\0a"),
        num_values: i32::MAX as u32,
        encoding: Encoding::PLAIN,
        is_sorted: false,
    };
    let pages = vec![(dictionary, 5), data(&[1, 18, 0], Encoding::RLE_DICTIONARY)];
    let file = forged("BYTE_ARRAY srcaddr", pages, Compression::UNCOMPRESSED);
    let said = read(&file).problems;
    assert!(
        said[0].starts_with(LOST) && said[0].contains("512 MiB"),
        "{said:?}"
    );

    // 128 values a block, four parts, 2^35 values, all of no bits.
    let many = [
        0x80, 1, 4, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0, 0, 0, 0, 0, 0,
    ];
    let one = [0x80, 1, 4, 1, 0];
    let behind = [&one[..], &many].concat();
    for (bytes, encoding) in [
        (&many[..], Encoding::DELTA_LENGTH_BYTE_ARRAY),
        (&many, Encoding::DELTA_BYTE_ARRAY),
        (&behind, Encoding::DELTA_BYTE_ARRAY),
    ] {
        let pages = vec![data(bytes, encoding)];
        let file = forged("BYTE_ARRAY srcaddr", pages, Compression::UNCOMPRESSED);
        assert_eq!(
            read(&file).problems,
            [format!(
                "{LOST}Parquet error: a page holds more values than it says"
            )],
            "{encoding}"
        );
    }
    assert!(peak_mib() < after + 50, "{} MiB", peak_mib());
}

#[test]
fn a_line_that_expands_without_end_is_told_and_passed_over() {
    let mut text = String::from("srcaddr bytes\n10.0.0.1 1\n");
    text.push_str(&"x".repeat(64 << 20));
    text.push_str("\n10.0.0.2 2\n");
    let bytes = gzip(text.as_bytes());
    drop(text);
    let noted = read(&bytes);
    assert_eq!(noted.records, ["10.0.0.1 1", "10.0.0.2 2"]);
    assert_eq!(noted.problems.len(), 1);
    assert!(noted.problems[0].starts_with(":3: a line of more than 256 KiB"));
}

/// Good files with bytes changed, cut out, doubled and moved, always the same ones.
#[test]
fn changed_files_take_no_memory_and_no_panic() {
    let mut text = DEFAULT.to_owned();
    for n in 0..60 {
        text += &format!(
            "2 123456789010 eni-{:08x} 10.0.0.{n} 10.1.{n}.1 {n} 443 6 {n} 99 1418530010 1418530070 ACCEPT OK\n",
            n % 3
        );
    }
    let files = [
        text.clone().into_bytes(),
        gzip(text.as_bytes()),
        encode(&text).unwrap(),
    ];
    let mut state: u64 = 20_261_127;
    let mut below = |bound: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let mut read_of_changed = 0;
    for round in 0..3000 {
        let mut bytes = files[[2, 2, 1, 0][round % 4]].clone();
        for _ in 0..=below(4) {
            let at = below(bytes.len());
            let length = (1 + below(16)).min(bytes.len() - at);
            match below(5) {
                0 => bytes[at] = below(256) as u8,
                1 => bytes[at] ^= 1 << below(8),
                2 => bytes[at..at + length].fill([0, 0xff, 0x7f, 0x80][below(4)]),
                3 if bytes.len() > 64 => drop(bytes.drain(at..at + length)),
                _ => bytes.extend_from_within(at..at + length),
            }
        }
        let noted = read(&bytes);
        read_of_changed += noted.records.len();
        assert!(
            noted.records.len() + noted.problems.len() > 0,
            "round {round}: silence"
        );
    }
    assert!(read_of_changed > 10_000, "{read_of_changed}");
    assert!(peak_mib() < PEAK_MIB_MAX, "{} MiB", peak_mib());
}
