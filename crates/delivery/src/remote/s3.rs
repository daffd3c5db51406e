//! Objects, put whole or in parts.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use bytes::Bytes;
use http::Method;
use model::Scope;

use super::multipart::PART_BYTES;
use super::{Answer, Call, Remote, from_status};
use crate::s3::{ObjectStore, PutObject};
use crate::{BoxFuture, SinkError};

impl ObjectStore for Remote {
    fn put_object(&self, scope: Scope, object: PutObject) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            if object.body.len() > PART_BYTES {
                return self.put_parts(scope, &object).await;
            }
            let call = Call {
                headers: object_headers(&object),
                body: object.body.clone(),
                ..object_call(Method::PUT, &object)
            };
            self.s3(scope, &object.bucket, call).await.map(drop)
        })
    }
}

impl Remote {
    /// Sends a request about a bucket to where the bucket is.
    pub(super) async fn s3(
        &self,
        scope: Scope,
        bucket: &str,
        call: Call<'_>,
    ) -> Result<Answer, SinkError> {
        let known = self.bucket_regions().get(bucket).cloned();
        let region = known.unwrap_or_else(|| self.region(scope).to_owned());
        let mut answer = self.send(&region, call.clone()).await?;
        // A bucket can be in another Region than its flow logs (Amazon S3 User Guide, "Making
        // requests using the REST API": redirection).
        let elsewhere = answer.bucket_region.take().filter(|r| *r != region);
        if let (301 | 307 | 400, Some(region)) = (answer.status, elsewhere) {
            answer = self.send(&region, call).await?;
            self.bucket_regions().insert(bucket.to_owned(), region);
        }
        let body = String::from_utf8_lossy(&answer.body);
        // What takes long begins its answer before it knows the end of it ("CompleteMultipartUpload").
        if (200..300).contains(&answer.status) && !body.contains("<Error>") {
            return Ok(answer);
        }
        Err(match element(&body, "Code") {
            Some(code) => SinkError::from_code(code, element(&body, "Message").unwrap_or("")),
            None => from_status(answer.status),
        })
    }

    fn bucket_regions(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        let regions = self.bucket_regions.lock();
        regions.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request about an object that is to be put.
pub(super) fn object_call(method: Method, object: &PutObject) -> Call<'static> {
    Call {
        service: "s3",
        method,
        path: format!("/{}/{}", object.bucket, encode(&object.key, true)),
        query: String::new(),
        headers: Vec::new(),
        body: Bytes::new(),
    }
}

/// What an object is put with.
pub(super) fn object_headers(object: &PutObject) -> Vec<(&'static str, &'static str)> {
    vec![
        ("content-type", object.content_type),
        ("x-amz-acl", "bucket-owner-full-control"),
    ]
}

/// The text of the first element of this name: enough for S3's flat documents.
pub(super) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once("</").map(|(text, _)| text)
}

/// A key in a path, or text in a query: everything but unreserved characters is encoded, and slashes in a query.
pub(super) fn encode(text: &str, is_path: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if is_plain || (is_path && byte == b'/') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_paths() {
        let text = "p/year=2026/a b.gz";
        assert_eq!(encode(text, true), "p/year%3D2026/a%20b.gz");
        assert_eq!(encode(text, false), "p%2Fyear%3D2026%2Fa%20b.gz");
    }

    #[test]
    fn error_documents() {
        let xml = "<?xml?><Error><Code>NoSuchBucket</Code><Message>No.</Message></Error>";
        assert_eq!(element(xml, "Code"), Some("NoSuchBucket"));
        assert_eq!(element(xml, "Message"), Some("No."));
        assert_eq!(element("<Code>", "Code"), None);
    }
}
