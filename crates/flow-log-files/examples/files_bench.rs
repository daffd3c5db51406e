//! Measures how flow-log files are made and read, in memory on one core. Prints a line `name: value`
//! for each figure. With a number and a path it writes the records so many times into a file instead, with a number alone
//! it makes a Parquet file so many times, for a profiler.
//!
//! Time is this thread's CPU time, so that other work on the machine does not count; what is
//! compared takes turns.

#![expect(clippy::print_stdout, reason = "the figures are its output")]
#![expect(
    clippy::disallowed_methods,
    reason = "a program that is measured, and writes what another reads"
)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use bytes::Bytes;
use dataplane::{Action, Direction, Disposition, FlowKey, InterfaceMetadata};
use flow_log_files::{Columns, Problem, Record, Visitor, gzip, parquet, read_text};
use flow_logs::{Flow, FlowRecord, Line, Lines, LogFormat, Observed};
use model::{InterfaceType, Scope, Tags, Timestamp};

/// About what a batch holds.
const RECORDS: usize = 131_072;
const ROUNDS: usize = 25;

fn main() {
    let records = records();
    let format = LogFormat::default();
    let lines = text(&records, &format);
    let text = lines.text();
    if asked_for_else(text) {
        return;
    }

    let [printed] = fastest([&mut || drop(black_box(self::text(&records, &format)))]);
    println!(
        "records to the text of a file: {:.1} million a CPU-second",
        rate(printed)
    );

    let mut deflate =
        libdeflater::Compressor::new(libdeflater::CompressionLvl::new(1).unwrap_or_default());
    let mut buffer = vec![0; deflate.gzip_compress_bound(text.len())];
    let [alone, file] = fastest([
        &mut || {
            black_box(
                deflate
                    .gzip_compress(text.as_bytes(), &mut buffer)
                    .unwrap_or(0),
            );
        },
        &mut || drop(black_box(gzip(text.as_bytes()))),
    ]);
    println!("gzip file, times libdeflate alone: {:.2}", file / alone);
    let gzipped = gzip(text.as_bytes());

    let [zstd, file] = fastest([
        &mut || drop(black_box(zstd::bulk::compress(text.as_bytes(), 1))),
        &mut || drop(black_box(parquet(text))),
    ]);
    let ratio = file / zstd;
    println!("Parquet file, times zstd alone on the text: {ratio:.2}");
    let micros = |seconds: f64| seconds * 1e6 / RECORDS as f64;
    println!(
        "CPU µs a record, zstd alone on the text, Parquet file: {:.3}, {:.3}",
        micros(zstd),
        micros(file)
    );
    println!(
        "Parquet file, times libdeflate alone on the text: {:.2}",
        file / alone
    );
    let pages = pages(parquet(text).unwrap_or_default());
    let mut compressor = zstd::bulk::Compressor::new(1).expect("a compressor");
    let [of_pages] = fastest([&mut || {
        for page in &pages {
            drop(black_box(compressor.compress(page)));
        }
    }]);
    println!(
        "Parquet file, times zstd alone on its encoded pages: {:.2}",
        file / of_pages
    );
    let as_parquet = parquet(text).map_or(0, |file| file.len());
    let per = |bytes: usize| bytes as f64 / RECORDS as f64;
    println!(
        "bytes a record, text, gzip, Parquet: {:.1}, {:.1}, {:.1}",
        per(text.len()),
        per(gzipped.len()),
        per(as_parquet)
    );

    let [plain, zipped] = fastest([&mut || count(text.as_bytes()), &mut || count(&gzipped)]);
    println!(
        "records read from text: {:.1} million a CPU-second",
        rate(plain)
    );
    println!(
        "records read from gzip: {:.1} million a CPU-second",
        rate(zipped)
    );
}

/// Does what arguments ask for instead of the figures; tells whether there are any.
fn asked_for_else(text: &str) -> bool {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [times, path] => write(text, times.parse().expect("a number"), path),
        [times] => {
            for _ in 0..times.parse().expect("a number") {
                drop(black_box(parquet(text)));
            }
        }
        _ => return false,
    }
    true
}

/// Writes a file that holds the records so many times, in as many members of gzip; prints how many these are.
fn write(text: &str, times: usize, path: &str) {
    let (_, records) = text.split_once('\n').expect("a header");
    let (first, next) = (gzip(text.as_bytes()), gzip(records.as_bytes()));
    let file = [first, next.repeat(times.saturating_sub(1))].concat();
    std::fs::write(path, file).expect("a file");
    println!("{}", RECORDS * times);
}

/// The pages of a file before they were compressed.
fn pages(file: Vec<u8>) -> Vec<Bytes> {
    let file = SerializedFileReader::new(Bytes::from(file)).expect("our own file");
    let mut pages = Vec::new();
    for group in 0..file.num_row_groups() {
        let group = file.get_row_group(group).expect("a row group");
        for column in 0..group.num_columns() {
            let column = group.get_column_page_reader(column).expect("a column");
            pages.extend(column.map(|page| page.expect("a page").buffer().clone()));
        }
    }
    pages
}

fn rate(seconds: f64) -> f64 {
    RECORDS as f64 / seconds / 1e6
}

/// The shortest CPU time of each, in seconds; they take turns.
fn fastest<const N: usize>(mut works: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut shortest = [f64::INFINITY; N];
    for _ in 0..ROUNDS {
        for (work, shortest) in works.iter_mut().zip(&mut shortest) {
            let begin = cpu_time();
            work();
            *shortest = shortest.min((cpu_time() - begin).as_secs_f64());
        }
    }
    shortest
}

/// The text of a file, as batches are made.
fn text(records: &[FlowRecord], format: &LogFormat) -> Lines {
    let mut lines = Lines::new(&format.header());
    for record in records {
        let line = Line {
            start: record.start,
            end: record.end,
            recorder: record.interface.recorder,
        };
        lines.push_with(line, |text| record.render_into(format, text));
    }
    lines
}

/// Flows of 64 interfaces with many peers, sorted as a batch is; always the same.
fn records() -> Vec<FlowRecord> {
    let scope = Scope {
        account: "123456789012".parse().unwrap_or_else(|_| unreachable!()),
        region: "us-east-1".parse().unwrap_or_else(|_| unreachable!()),
    };
    let interfaces: Vec<_> = (0..64).map(|n| interface(scope, n)).collect();
    let mut random = Random(20_261_121);
    let mut records: Vec<_> = (0..RECORDS)
        .map(|_| {
            let interface = &interfaces[random.below(64)];
            let own = interface.primary_ipv4.unwrap_or(Ipv4Addr::LOCALHOST);
            let skewed = random.below(20_000) * random.below(20_000) / 20_000;
            let peer = Ipv4Addr::from_bits(0xcb00_0000 + skewed as u32 * 7919);
            let inwards = random.below(2) == 0;
            let (source, destination) = if inwards { (peer, own) } else { (own, peer) };
            let packets = 1 + random.below(1000) as u64;
            let first = 1_793_000_000 + random.below(240) as u64;
            let known = [443, 80, 22, 53, 3389][random.below(5)];
            let ports = [1024 + random.below(60_000) as u16, known];
            let key = FlowKey {
                direction: if inwards {
                    Direction::Ingress
                } else {
                    Direction::Egress
                },
                srcaddr: IpAddr::V4(source),
                dstaddr: IpAddr::V4(destination),
                pkt_srcaddr: IpAddr::V4(source),
                pkt_dstaddr: IpAddr::V4(destination),
                srcport: ports[usize::from(!inwards)],
                dstport: ports[usize::from(inwards)],
                protocol: [6, 6, 6, 17][random.below(4)],
                action: if random.below(6) == 0 {
                    Action::Reject
                } else {
                    Action::Accept
                },
            };
            FlowRecord {
                interface: Arc::clone(interface),
                start: Timestamp::from_secs(first),
                end: Timestamp::from_secs(first + random.below(60) as u64),
                observed: Observed::Flow(Flow {
                    key,
                    packets,
                    bytes: packets * (40 + random.below(1460) as u64),
                    tcp_flags: 0,
                    traffic_path: None,
                    next_hop: None,
                    disposition: Disposition::Delivered {
                        to: "eni-1235b8ca123456789"
                            .parse()
                            .unwrap_or_else(|_| unreachable!()),
                    },
                }),
            }
        })
        .collect();
    records.sort_by_key(|record| record.start);
    records
}

fn interface(scope: Scope, n: u8) -> Arc<InterfaceMetadata> {
    let id = format!("eni-{n:02x}b8ca1234567{n:02x}{n:02x}");
    Arc::new(InterfaceMetadata {
        scope,
        recorder: id.parse().unwrap_or_else(|_| unreachable!()),
        interface_type: InterfaceType::Interface,
        subnet_id: None,
        vpc_id: "vpc-abcdefab012345678"
            .parse()
            .unwrap_or_else(|_| unreachable!()),
        zone: None,
        instance_id: None,
        primary_ipv4: Some(Ipv4Addr::new(10, 0, n, 10)),
        tags: Tags::default(),
        instance_tags: Tags::default(),
    })
}

/// Reads a file to its end.
fn count(bytes: &[u8]) {
    struct Count(u64);
    impl Visitor for Count {
        fn columns(&mut self, _: &Columns) {}
        fn record(&mut self, record: &Record<'_>) -> ControlFlow<()> {
            self.0 += record.values.len() as u64;
            ControlFlow::Continue(())
        }
        fn problem(&mut self, problem: Problem) {
            panic!("{problem:?}");
        }
    }
    let mut count = Count(0);
    assert!(matches!(read_text(bytes, &mut count), Ok(true)));
    assert_eq!(count.0, 14 * RECORDS as u64);
}

/// Knuth's MMIX generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }
}

/// CPU time of this thread.
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}
