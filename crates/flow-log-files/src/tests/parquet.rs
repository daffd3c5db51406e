//! What Parquet files declare, and files of other writers.

use std::sync::Arc;

use bytes::Bytes;
use expect_test::{Expect, expect};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::serialized_reader::ReadOptionsBuilder;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::printer::print_schema;

use super::support::{DEFAULT, Noted, read};
use crate::{EncodeError, gzip, parquet as encode, read_parquet};

#[test]
fn schema_and_order() {
    let bytes = Bytes::from(encode(DEFAULT).unwrap());
    let options = ReadOptionsBuilder::new().with_page_index().build();
    let file = SerializedFileReader::new_with_options(bytes.clone(), options).unwrap();
    let metadata = file.metadata();
    let mut schema = Vec::new();
    print_schema(&mut schema, metadata.file_metadata().schema());
    expect![[r#"
        message flow_log {
          OPTIONAL INT32 version;
          REQUIRED BYTE_ARRAY account_id (STRING);
          REQUIRED BYTE_ARRAY interface_id (STRING);
          REQUIRED BYTE_ARRAY srcaddr (STRING);
          REQUIRED BYTE_ARRAY dstaddr (STRING);
          OPTIONAL INT32 srcport;
          OPTIONAL INT32 dstport;
          OPTIONAL INT32 protocol;
          OPTIONAL INT64 packets;
          OPTIONAL INT64 bytes;
          OPTIONAL INT64 start;
          OPTIONAL INT64 end;
          REQUIRED BYTE_ARRAY action (STRING);
          REQUIRED BYTE_ARRAY log_status (STRING);
        }
    "#]]
    .assert_eq(&String::from_utf8(schema).unwrap());
    assert_eq!(metadata.file_metadata().created_by(), Some("weir"));
    let group = metadata.row_group(0);
    let sorting = group.sorting_columns().unwrap();
    let sorting: Vec<_> = sorting
        .iter()
        .map(|c| (c.column_idx, c.descending))
        .collect();
    assert_eq!(sorting, [(2, false), (10, false)]);
    assert!(metadata.column_index().is_some() && metadata.offset_index().is_some());
    let compression = |n: usize| group.column(n).compression().to_string();
    assert_eq!(compression(3), "ZSTD(ZstdLevel(1))");
    expect![[r#"
        header version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
        record 2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA
        record 2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK
        record 2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK
        record 2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA
    "#]].assert_eq(&read(&bytes).text());
}

#[test]
fn row_groups_are_bounded() {
    let rows = 131_072 * 2 + 5;
    let mut text = String::from("interface-id start\n");
    for row in 0..rows {
        text += &format!("eni-{:x} {}\n", row % 7, row);
    }
    let bytes = encode(&text).unwrap();
    let file = SerializedFileReader::new(Bytes::from(bytes.clone())).unwrap();
    let sizes: Vec<_> = (0..file.num_row_groups())
        .map(|n| file.metadata().row_group(n).num_rows())
        .collect();
    assert_eq!(sizes, [131_072, 131_072, 5]);
    let noted = read(&bytes);
    assert_eq!(noted.records.len(), rows);
    let key = |line: &String| {
        let (interface, start) = line.split_once(' ').unwrap();
        (interface.to_owned(), start.parse::<u64>().unwrap())
    };
    assert!(noted.records.is_sorted_by_key(key));
    assert_eq!(noted.problems.len(), 0);
}

#[test]
fn text_that_is_no_file_is_refused() {
    let error = |text: &str| encode(text).unwrap_err().to_string();
    assert_eq!(error(""), "the first line is not a header: \"\"");
    assert_eq!(
        error("2 3 4\n"),
        "the first line is not a header: \"2 3 4\""
    );
    assert_eq!(error("start start\n"), "the field start is there twice");
    assert_eq!(
        error("start end\n1 2\n3\n"),
        "line 3: 1 values for 2 fields"
    );
    assert_eq!(error("start end\n1 2 3"), "line 2: 3 values for 2 fields");
    assert_eq!(error("start\nx\n"), "line 2: \"x\" is no value of start");
    assert!(matches!(
        encode("srcport\n4294967296\n"),
        Err(EncodeError::Value { .. })
    ));
    assert_eq!(
        read(&encode("start end").unwrap()).text(),
        "header start end\n"
    );
}

fn check(bytes: &[u8], expected: &Expect) {
    expected.assert_eq(&read(bytes).text());
}

/// A file with columns in AWS's and in other types.
fn foreign() -> Vec<u8> {
    let schema = parse_message_type(
        "message m {
            OPTIONAL BYTE_ARRAY srcaddr (STRING);
            REQUIRED INT64 protocol;
            OPTIONAL DOUBLE bytes;
            REQUIRED BYTE_ARRAY srcport (STRING);
            REQUIRED INT32 account_id;
            REQUIRED BYTE_ARRAY anything;
            OPTIONAL group nested { REQUIRED INT32 x; }
        }",
    );
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer =
        SerializedFileWriter::new(Vec::new(), Arc::new(schema.unwrap()), properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let text = |texts: &[&[u8]]| -> Vec<ByteArray> {
        texts.iter().map(|t| ByteArray::from(t.to_vec())).collect()
    };
    let mut column = 0;
    while let Some(mut chunk) = group.next_column().unwrap() {
        match column {
            0 => chunk.typed::<ByteArrayType>().write_batch(
                &text(&[b"10.0.0.1", b"web"]),
                Some(&[1, 0, 1]),
                None,
            ),
            1 => chunk
                .typed::<Int64Type>()
                .write_batch(&[6, 17, 1], None, None),
            2 => chunk
                .typed::<DoubleType>()
                .write_batch(&[], Some(&[0, 0, 0]), None),
            3 => chunk
                .typed::<ByteArrayType>()
                .write_batch(&text(&[b"1", b"2", b"3"]), None, None),
            4 => chunk
                .typed::<Int32Type>()
                .write_batch(&[1, 2, 3], None, None),
            5 => chunk.typed::<ByteArrayType>().write_batch(
                &text(&[b"a b", b"\xff", b""]),
                None,
                None,
            ),
            _ => chunk
                .typed::<Int32Type>()
                .write_batch(&[], Some(&[0, 0, 0]), None),
        }
        .unwrap();
        chunk.close().unwrap();
        column += 1;
    }
    group.close().unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn times_in_other_units_are_left_out() {
    let schema = "message m { REQUIRED INT64 start (TIMESTAMP(MICROS,true)); REQUIRED INT32 end (DATE); \
                  REQUIRED INT64 bytes (TIMESTAMP_MILLIS); REQUIRED INT32 packets (DECIMAL(9,2)); REQUIRED INT32 protocol (UINT_8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for column in 0..5 {
        let mut chunk = group.next_column().unwrap().unwrap();
        match column {
            0 | 2 => chunk.typed::<Int64Type>().write_batch(&[6], None, None),
            _ => chunk.typed::<Int32Type>().write_batch(&[6], None, None),
        }
        .unwrap();
        chunk.close().unwrap();
    }
    group.close().unwrap();
    check(
        &writer.into_inner().unwrap(),
        &expect![[r#"
        header protocol
        record 6
        problem : the column "start" is a timestamp, which no field of a flow log is: left out
        problem : the column "end" is a date, which no field of a flow log is: left out
        problem : the column "bytes" is a timestamp, which no field of a flow log is: left out
        problem : the column "packets" is a decimal number, which no field of a flow log is: left out
    "#]],
    );
}

#[test]
fn other_schemas() {
    check(
        &foreign(),
        &expect![[r#"
        header srcaddr protocol account-id anything
        record 10.0.0.1 6 1 a b
        problem : the column "bytes" is DOUBLE, which no field of a flow log is: left out
        problem : the column "srcport" is BYTE_ARRAY, not a whole number: left out
        problem : the column "nested.x" is nested: left out
        problem :row 2: the value of anything is not text
        problem :row 3: "web" is no value of srcaddr
    "#]],
    );
}

#[test]
fn cut_and_changed_files() {
    let bytes = encode(DEFAULT).unwrap();
    for cut in [4, 8, bytes.len() / 2, bytes.len() - 1] {
        let noted = read(&bytes[..cut]);
        assert_eq!(noted.records.len(), 0);
        assert!(
            noted.problems[0].starts_with(": not readable as Parquet: "),
            "{noted:?}"
        );
    }
    // A page of the first column: what it was part of is lost, and that is said.
    let mut changed = bytes.clone();
    changed[4..20].fill(0xff);
    let noted = read(&changed);
    assert_eq!(
        (noted.records.len(), noted.problems.len()),
        (0, 1),
        "{noted:?}"
    );
    assert!(noted.problems[0].starts_with(":row 1: the rest of row group 1 is lost"));
    // Gzipped as a whole, which nobody writes: lines that are no records.
    assert!(!read(&gzip(&bytes)).problems.is_empty());
}

#[test]
fn the_visitor_can_stop() {
    let bytes = Bytes::from(encode(DEFAULT).unwrap());
    let mut noted = Noted {
        limit: Some(1),
        ..Noted::default()
    };
    assert!(!read_parquet(bytes, &mut noted));
    assert_eq!(noted.records.len(), 1);
}
