//! A client of the daemon's public API, signed as any other client's calls.

mod endpoint;
mod http;
mod profile;
mod stream;
mod xml;

use std::fmt;
use std::io::{self, Read};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde_json::Value;
use server::ops::{Capture, Export, Operation};

pub(crate) use endpoint::Endpoint;
use http::{Chunks, Connection, Reply};
pub(crate) use profile::Profile;
pub(crate) use xml::Element;

/// Speaks to one daemon, or to an S3 elsewhere.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Connection,
    is_elsewhere: bool,
    region: String,
    keys: Keys,
}

/// AWS keys.
#[derive(Clone)]
pub(crate) struct Keys {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl Keys {
    /// Those that the environment has for AWS's clients.
    pub(crate) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            access_key_id: variable("AWS_ACCESS_KEY_ID")?,
            secret_access_key: variable("AWS_SECRET_ACCESS_KEY")?,
            session_token: variable("AWS_SESSION_TOKEN"),
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

/// An object of a bucket, as lists have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectSummary {
    /// Its key.
    pub(crate) key: String,
    /// In bytes.
    pub(crate) size: u64,
    /// What tells its data from what may come under the same key.
    pub(crate) etag: String,
}

/// A call that the daemon has refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Which of AWS's calls it was; empty for Weir's own, whose names nobody knows.
    pub(crate) call: String,
    /// AWS's code.
    pub(crate) code: String,
    /// AWS's words.
    pub(crate) message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.call.is_empty() {
            write!(f, "{}: ", self.call)?;
        }
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Refused {}

impl Client {
    /// Calls in the name of the default account and Region.
    pub(crate) fn new(endpoint: &Endpoint) -> anyhow::Result<Self> {
        Self::of(endpoint, server::DEFAULT_ACCOUNT, server::DEFAULT_REGION)
    }

    /// Calls in the name of an account in a Region.
    pub(crate) fn of(endpoint: &Endpoint, account: &str, region: &str) -> anyhow::Result<Self> {
        let (access_key_id, secret_access_key) = server::credentials(account.parse()?);
        let keys = Keys {
            access_key_id,
            secret_access_key,
            session_token: None,
        };
        Ok(Self::with_keys(endpoint, keys, region))
    }

    /// Calls with these keys.
    pub(crate) fn with_keys(endpoint: &Endpoint, keys: Keys, region: &str) -> Self {
        Self {
            connection: Connection::new(endpoint),
            is_elsewhere: endpoint.tls,
            region: region.to_owned(),
            keys,
        }
    }

    /// Calls with these keys to what is no daemon.
    pub(crate) fn elsewhere(endpoint: &Endpoint, keys: Keys, region: &str) -> Self {
        Self {
            is_elsewhere: true,
            ..Self::with_keys(endpoint, keys, region)
        }
    }

    /// Does a daemon answer?
    pub(crate) fn is_answered(&mut self) -> bool {
        self.connection.connect().is_ok()
    }

    /// One of Weir's own operations.
    pub(crate) fn weir<O: Operation>(&mut self, request: &O) -> anyhow::Result<O::Answer> {
        let body = serde_json::to_vec(request)?;
        let reply = self.json("weir", &format!("Weir.{}", O::NAME), "", &body)?;
        serde_json::from_slice(&reply).with_context(|| {
            format!(
                "the answer to {} is not understood; is the daemon of another version?",
                O::NAME
            )
        })
    }

    /// An operation of CloudWatch Logs.
    pub(crate) fn logs(&mut self, operation: &str, request: &Value) -> anyhow::Result<Value> {
        let body = serde_json::to_vec(request)?;
        let target = format!("Logs_20140328.{operation}");
        let reply = self.json("logs", &target, operation, &body)?;
        if reply.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&reply)
            .with_context(|| format!("the answer to {operation} is not JSON"))
    }

    fn json(
        &mut self,
        service: &str,
        target: &str,
        call: &str,
        body: &[u8],
    ) -> anyhow::Result<Vec<u8>> {
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
        ];
        let reply = self.send(service, "POST", "/", "", &headers, body)?;
        if reply.status < 300 {
            return Ok(reply.body);
        }
        Err(refusal_of_json(call, &reply.body).into())
    }

    /// Begins a capture: what [`server::ops::EndCapture`] calls it, and pcapng as it comes.
    pub(crate) fn capture(
        &mut self,
        request: &Capture,
    ) -> anyhow::Result<(u64, impl Read + use<>)> {
        let target = format!("Weir.{}", Capture::NAME);
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
        ];
        let body = serde_json::to_vec(request)?;
        let open = Connection::open;
        let (head, mut stream) = self.signed("weir", "POST", "/", "", &headers, &body, open)?;
        if head.status >= 300 {
            let (body, _) = head.read_body(&mut stream)?;
            return Err(refusal_of_json("", &body).into());
        }
        let capture = head.header(Capture::HEADER).map(str::parse);
        let capture = capture.context("the daemon is of another version")??;
        Ok((capture, Chunks::new(stream)))
    }

    /// The whole state, as a state file.
    pub(crate) fn export(&mut self) -> anyhow::Result<impl Read + use<>> {
        let target = format!("Weir.{}", Export::NAME);
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
        ];
        let open = Connection::open;
        let (head, mut stream) = self.signed("weir", "POST", "/", "", &headers, b"{}", open)?;
        if head.status >= 300 {
            let (body, _) = head.read_body(&mut stream)?;
            return Err(refusal_of_json("", &body).into());
        }
        Ok(Chunks::new(stream))
    }

    /// What is at a path for everybody, without a signature.
    pub(crate) fn get(&mut self, path: &str) -> anyhow::Result<Vec<u8>> {
        let authority = self.connection.endpoint().authority.clone();
        let headers = [("host", authority.as_str())];
        let reply = self.connection.send("GET", path, &headers, b"")?;
        anyhow::ensure!(
            reply.status == 200,
            "the answer has status {}",
            reply.status
        );
        Ok(reply.body)
    }

    /// An action of EC2.
    pub(crate) fn ec2(
        &mut self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> anyhow::Result<Element> {
        let mut body = format!("Action={action}&Version=2016-11-15");
        for (name, value) in parameters {
            body.push_str(&format!(
                "&{}={}",
                percent_encode(name),
                percent_encode(value)
            ));
        }
        let headers = [(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )];
        let reply = self.send("ec2", "POST", "/", "", &headers, body.as_bytes())?;
        xml_or_refusal(action, &reply)
    }

    /// Makes an S3 bucket in the client's Region.
    pub(crate) fn create_bucket(&mut self, bucket: &str) -> anyhow::Result<()> {
        // S3's first Region is the one that is never named.
        let body = match self.region.as_str() {
            "us-east-1" => String::new(),
            region => format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            ),
        };
        let path = format!("/{bucket}");
        let reply = self.send("s3", "PUT", &path, "", &[], body.as_bytes())?;
        refusal_of_s3("CreateBucket", &reply)
    }

    /// The keys of a bucket.
    pub(crate) fn list_objects(&mut self, bucket: &str) -> anyhow::Result<Vec<String>> {
        let objects = self.find_objects(bucket, "")?;
        Ok(objects.into_iter().map(|object| object.key).collect())
    }

    /// The objects of a bucket whose keys begin so, by key.
    pub(crate) fn find_objects(
        &mut self,
        bucket: &str,
        prefix: &str,
    ) -> anyhow::Result<Vec<ObjectSummary>> {
        let mut objects = Vec::new();
        let mut token = String::new();
        loop {
            let prefix = percent_encode(prefix);
            let query = format!("{token}list-type=2&prefix={prefix}");
            let reply = self.send("s3", "GET", &format!("/{bucket}"), &query, &[], b"")?;
            let list = xml_or_refusal("ListObjectsV2", &reply)?;
            for object in list.all("", "Contents") {
                objects.push(ObjectSummary {
                    key: object.text("Key")?.to_owned(),
                    size: object.text("Size")?.parse().context("Size")?,
                    etag: object.text("ETag")?.to_owned(),
                });
            }
            let Some(next) = list.at("NextContinuationToken") else {
                return Ok(objects);
            };
            token = format!("continuation-token={}&", percent_encode(&next.text));
        }
    }

    /// A part of an object, as long as the object is still the same.
    pub(crate) fn get_object_range(
        &mut self,
        bucket: &str,
        object: &ObjectSummary,
        first: u64,
        length: u64,
    ) -> anyhow::Result<Vec<u8>> {
        let key: Vec<String> = object.key.split('/').map(percent_encode).collect();
        let path = format!("/{bucket}/{}", key.join("/"));
        let range = format!("bytes={first}-{}", first + length.saturating_sub(1));
        let headers = [("range", range.as_str()), ("if-match", &object.etag)];
        let reply = self.send("s3", "GET", &path, "", &headers, b"")?;
        refusal_of_s3("GetObject", &reply)?;
        Ok(reply.body)
    }

    /// The content of an object.
    pub(crate) fn get_object(&mut self, bucket: &str, key: &str) -> anyhow::Result<Vec<u8>> {
        let path: Vec<String> = key.split('/').map(percent_encode).collect();
        let reply = self.send(
            "s3",
            "GET",
            &format!("/{bucket}/{}", path.join("/")),
            "",
            &[],
            b"",
        )?;
        refusal_of_s3("GetObject", &reply)?;
        Ok(reply.body)
    }

    /// Puts an object into a bucket.
    pub(crate) fn put_object(
        &mut self,
        bucket: &str,
        key: &str,
        content: &[u8],
    ) -> anyhow::Result<()> {
        let path = format!("/{bucket}/{}", percent_encode(key));
        let reply = self.send("s3", "PUT", &path, "", &[], content)?;
        refusal_of_s3("PutObject", &reply)
    }

    /// Sets the policy of a bucket.
    pub(crate) fn put_bucket_policy(&mut self, bucket: &str, policy: &str) -> anyhow::Result<()> {
        let path = format!("/{bucket}");
        let reply = self.send("s3", "PUT", &path, "policy=", &[], policy.as_bytes())?;
        refusal_of_s3("PutBucketPolicy", &reply)
    }

    fn send(
        &mut self,
        service: &str,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Reply> {
        self.signed(
            service,
            method,
            path,
            query,
            headers,
            body,
            Connection::send,
        )
    }

    /// Signs a request, and has it sent.
    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn signed<T>(
        &mut self,
        service: &str,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        send: impl FnOnce(&mut Connection, &str, &str, &[(&str, &str)], &[u8]) -> io::Result<T>,
    ) -> anyhow::Result<T> {
        let authority = self.connection.endpoint().authority.clone();
        let mut headers = headers.to_vec();
        headers.push(("host", &authority));
        let request = sigv4::Request {
            method,
            path,
            query,
            headers: &headers,
            payload: sigv4::Payload::Body(body),
        };
        let credentials = sigv4::Credentials {
            access_key_id: &self.keys.access_key_id,
            secret_access_key: &self.keys.secret_access_key,
            session_token: self.keys.session_token.as_deref(),
        };
        let scope = sigv4::Scope {
            region: &self.region,
            service,
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .context("the clock is before 1970")?;
        let added = sigv4::sign(&request, &credentials, &scope, now.as_secs())?;
        headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
        let target = if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        };
        send(&mut self.connection, method, &target, &headers, body).map_err(|error| {
            let why = if error.kind() == std::io::ErrorKind::ConnectionRefused {
                "nobody listens there".to_owned()
            } else {
                error.to_string()
            };
            let url = self.connection.endpoint().url();
            if self.is_elsewhere {
                return anyhow::anyhow!("no answer from {url}: {why}");
            }
            anyhow::anyhow!(
                "no daemon answers at {url}: {why}\n\
                 start one with `weir up`, or name another with --endpoint URL or $WEIR_ENDPOINT"
            )
        })
    }
}

fn refusal_of_json(call: &str, body: &[u8]) -> Refused {
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |names: [&str; 2]| names.iter().find_map(|name| error.get(name)?.as_str());
    let code = text(["__type", "code"]).unwrap_or_default();
    Refused {
        call: call.to_owned(),
        code: code.rsplit('#').next().unwrap_or_default().to_owned(),
        message: text(["message", "Message"])
            .unwrap_or("no reason given")
            .to_owned(),
    }
}

fn xml_or_refusal(call: &str, reply: &Reply) -> anyhow::Result<Element> {
    let text = String::from_utf8_lossy(&reply.body);
    let root = Element::parse(&text)
        .with_context(|| format!("{call} was answered with status {}", reply.status))?;
    if reply.status < 300 {
        return Ok(root);
    }
    let error = root
        .at("Errors/Error")
        .or_else(|| root.at("Error"))
        .unwrap_or(&root);
    let part = |name| {
        error
            .at(name)
            .map(|part| part.text.clone())
            .unwrap_or_default()
    };
    Err(Refused {
        call: call.to_owned(),
        code: part("Code"),
        message: part("Message"),
    }
    .into())
}

fn refusal_of_s3(call: &str, reply: &Reply) -> anyhow::Result<()> {
    if reply.status < 300 {
        Ok(())
    } else {
        xml_or_refusal(call, reply).map(drop)
    }
}

fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> String {
        let reply = Reply {
            status,
            body: body.as_bytes().to_vec(),
        };
        xml_or_refusal("DescribeVpcs", &reply)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn refusals_say_what_aws_says() {
        let ec2 = "<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code>\
                   <Message>The vpc ID 'vpc-1' does not exist</Message></Error></Errors></Response>";
        let words = "DescribeVpcs: The vpc ID 'vpc-1' does not exist (InvalidVpcID.NotFound)";
        assert_eq!(refusal(400, ec2), words);
        let s3 = "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>";
        let words = "DescribeVpcs: The specified bucket does not exist (NoSuchBucket)";
        assert_eq!(refusal(404, s3), words);
    }

    #[test]
    fn only_a_daemon_can_be_started() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let endpoint = Endpoint::parse(&url).unwrap();
        let keys = |name: &str| Some(name.to_owned());
        let keys = Keys::of_environment(keys).unwrap();
        let refused = |mut client: Client| client.list_objects("b").unwrap_err().to_string();
        let elsewhere = refused(Client::elsewhere(&endpoint, keys.clone(), "us-east-1"));
        assert!(
            elsewhere.starts_with(&format!("no answer from {url}: ")),
            "{elsewhere}"
        );
        let daemon = refused(Client::with_keys(&endpoint, keys, "us-east-1"));
        assert!(daemon.contains("`weir up`"), "{daemon}");
    }

    #[test]
    fn everything_but_the_unreserved_is_encoded() {
        assert_eq!(percent_encode("a-b_c.d~0/ +é"), "a-b_c.d~0%2F%20%2B%C3%A9");
    }
}
