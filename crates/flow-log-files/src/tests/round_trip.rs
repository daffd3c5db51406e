//! Any records in any format, written and read back.

use model::FlowLogField;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

use super::support::read;
use crate::{Column, Kind, gzip, parquet};

/// The text of a file: any fields in any order, any records.
fn file() -> impl Strategy<Value = String> {
    let names: Vec<_> = FlowLogField::ALL.iter().map(|f| f.name()).collect();
    let some = subsequence(names, 1..54).prop_shuffle();
    some.prop_flat_map(|names| {
        let row: Vec<_> = names.iter().map(|name| value(name)).collect();
        let rows = proptest::collection::vec(row, 0..40);
        rows.prop_map(move |rows| {
            let header = std::iter::once(names.join(" "));
            let rows = rows.iter().map(|row| row.join(" "));
            header.chain(rows).map(|line| line + "\n").collect()
        })
    })
}

fn value(name: &str) -> BoxedStrategy<String> {
    let known = match Column::new(name).kind() {
        Kind::Int32 => (0..=i32::MAX).prop_map(|n| n.to_string()).boxed(),
        Kind::Int64 => (0..=i64::MAX).prop_map(|n| n.to_string()).boxed(),
        Kind::Address => prop_oneof![
            any::<std::net::Ipv4Addr>().prop_map(|a| a.to_string()),
            any::<std::net::Ipv6Addr>().prop_map(|a| a.to_string()),
        ]
        .boxed(),
        Kind::Text => "[!-~äß]{1,20}".boxed(),
    };
    prop_oneof![1 => Just("-".to_owned()), 4 => known].boxed()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(text in file()) {
        let (header, lines) = text.split_once('\n').unwrap();
        let lines: Vec<_> = lines.lines().map(str::to_owned).collect();
        // A record of fields with the names of others would be a header; none here is.
        let as_parquet = parquet(&text).unwrap();
        prop_assert_eq!(&as_parquet, &parquet(&text).unwrap());
        for bytes in [text.clone().into_bytes(), gzip(text.as_bytes())] {
            let noted = read(&bytes);
            prop_assert_eq!(&noted.headers, &[header.to_owned()]);
            prop_assert_eq!(&noted.records, &lines);
            prop_assert_eq!(&noted.problems, &Vec::<String>::new());
        }
        let noted = read(&as_parquet);
        prop_assert_eq!(&noted.headers, &[header.to_owned()]);
        prop_assert_eq!(sorted(noted.records), sorted(lines));
        prop_assert_eq!(&noted.problems, &Vec::<String>::new());
    }

    #[test]
    fn cut_gzip_gives_what_came_before(text in file(), cut in any::<Index>()) {
        let bytes = gzip(text.as_bytes());
        let cut = cut.index(bytes.len());
        let noted = read(&bytes[..cut]);
        let lines: Vec<_> = text.lines().skip(1).map(str::to_owned).collect();
        prop_assert!(lines.starts_with(&noted.records) || cut < 2);
        // One byte is no gzip yet, and none is an empty file.
        prop_assert_eq!(noted.problems.len(), usize::from(cut > 0));
    }

    #[test]
    fn random_bytes_are_told_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), magic in 0..3) {
        let begin: &[u8] = match magic {
            0 => b"",
            1 => &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3],
            _ => crate::PARQUET_MAGIC,
        };
        let noted = read(&[begin, &bytes].concat());
        let empty = begin.is_empty() && bytes.is_empty();
        prop_assert!(empty || !noted.problems.is_empty());
    }

    #[test]
    fn changed_files_never_panic(text in file(), changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..8)) {
        for mut bytes in [text.clone().into_bytes(), gzip(text.as_bytes()), parquet(&text).unwrap()] {
            for (index, byte) in &changes {
                let index = index.index(bytes.len());
                bytes[index] = *byte;
            }
            read(&bytes);
        }
    }
}
