//! Files as they are put: key, type and contents by the flow log's file format.

use std::sync::{Arc, Mutex};

use expect_test::expect;
use model::{FileFormat, LogDestination, Scope};

use super::support::{line, lines_of, s3_batch};
use crate::s3::{ObjectStore, PutObject};
use crate::{BoxFuture, Entry, S3Sink, Sink, SinkError};

#[derive(Default)]
struct Put(Mutex<Vec<PutObject>>);

impl ObjectStore for Put {
    fn put_object(&self, _: Scope, object: PutObject) -> BoxFuture<'_, Result<(), SinkError>> {
        self.0.lock().unwrap().push(object);
        Box::pin(async { Ok(()) })
    }
}

fn entry(format: FileFormat, header: &str, lines: &[&str]) -> Entry {
    let mut batch = s3_batch(1, &[]);
    let lines: Vec<_> = lines.iter().map(|text| line(5, text)).collect();
    batch.lines = lines_of(header, &lines);
    if let LogDestination::S3 { file_format, .. } = &mut batch.destination {
        *file_format = format;
    }
    let sequence = 1;
    Entry { sequence, batch }
}

#[tokio::test]
async fn text_and_parquet() {
    let store = Arc::new(Put::default());
    let sink = S3Sink::new(store.clone());
    for format in [
        FileFormat::PlainText,
        FileFormat::Parquet,
        FileFormat::Parquet,
    ] {
        let entry = entry(format, "start srcaddr", &["2 -", "1 10.0.0.1"]);
        sink.deliver(&entry).await.unwrap();
    }
    let put = store.0.lock().unwrap();
    let mut text = String::new();
    for object in put.iter() {
        let (_, extension) = object.key.split_once(".log").unwrap();
        let begin = object.body.escape_ascii().to_string();
        text += &format!("{extension} {} {}\n", object.content_type, &begin[..8]);
    }
    expect![[r#"
        .gz application/octet-stream \x1f\x8b
        .parquet application/octet-stream PAR1\x15
        .parquet application/octet-stream PAR1\x15
    "#]]
    .assert_eq(&text);
    assert_eq!(put[1], put[2]);
}

#[tokio::test]
async fn a_batch_that_cannot_be_a_file_is_an_error() {
    let sink = S3Sink::new(Arc::new(Put::default()));
    let entry = entry(FileFormat::Parquet, "start end", &["1"]);
    let error = sink.deliver(&entry).await.unwrap_err();
    expect!["the file is not made: line 2: 1 values for 2 fields"].assert_eq(&error.message);
}
