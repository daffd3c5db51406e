//! A small AWS client: signed requests over one kept connection.

use anyhow::{Context, Result, bail};
use sigv4::{Credentials, Payload, Scope};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

/// The credentials that `weir env` prints.
const CREDENTIALS: Credentials<'_> = Credentials {
    access_key_id: "AKIAWEIR123456789012",
    secret_access_key: "weir-local-secret-of-123456789012",
    session_token: None,
};
pub(super) const REGION: &str = "us-east-1";

/// A connection to a daemon.
pub(super) struct Client {
    host: String,
    stream: BufReader<TcpStream>,
}

impl Client {
    /// `endpoint` is `http://ADDRESS:PORT`.
    pub(super) fn connect(endpoint: &str) -> Result<Self> {
        let host = endpoint.strip_prefix("http://").context("not http")?;
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            host: host.to_owned(),
            stream: BufReader::new(stream),
        })
    }

    /// An EC2 action; the answer is XML.
    pub(super) fn ec2(&mut self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        let request = self.ec2_request(action, parameters)?;
        self.send(&request)
    }

    /// The bytes of an EC2 request; the signature holds for some minutes.
    pub(super) fn ec2_request(&self, action: &str, parameters: &[(&str, &str)]) -> Result<Vec<u8>> {
        let mut body = format!("Action={action}&Version=2016-11-15");
        for (name, value) in parameters {
            body.push_str(&format!("&{name}={}", encode(value)));
        }
        let form = [("content-type", "application/x-www-form-urlencoded")];
        self.request("ec2", &form, &body)
    }

    /// One of Weir's own operations; the answer is JSON.
    pub(super) fn weir(&mut self, operation: &str, body: &str) -> Result<serde_json::Value> {
        let target = format!("Weir.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
        ];
        let request = self.request("weir", &headers, body)?;
        Ok(serde_json::from_str(&self.send(&request)?)?)
    }

    fn request(&self, service: &str, headers: &[(&str, &str)], body: &str) -> Result<Vec<u8>> {
        let mut headers = headers.to_vec();
        headers.push(("host", &self.host));
        let unsigned = sigv4::Request {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            payload: Payload::Body(body.as_bytes()),
        };
        let scope = Scope {
            region: REGION,
            service,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let added = sigv4::sign(&unsigned, &CREDENTIALS, &scope, now)?;
        let mut text = String::from("POST / HTTP/1.1\r\n");
        let added = added.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in headers.iter().copied().chain(added) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        Ok(text.into_bytes())
    }

    /// Sends a request and reads the body of its answer.
    pub(super) fn send(&mut self, request: &[u8]) -> Result<String> {
        self.stream.get_mut().write_all(request)?;
        let mut status = String::new();
        self.stream.read_line(&mut status)?;
        let mut length = None;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').context("not a header")?;
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse()?);
            }
        }
        let mut body = vec![0; length.context("the answer has no length")?];
        self.stream.read_exact(&mut body)?;
        let body = String::from_utf8(body)?;
        if !status.starts_with("HTTP/1.1 200") {
            bail!("{}: {body}", status.trim());
        }
        Ok(body)
    }
}

/// The text of the first element with this name.
pub(super) fn element<'a>(xml: &'a str, name: &str) -> Result<&'a str> {
    let inside = xml.split_once(&format!("<{name}>")).map(|(_, rest)| rest);
    let end = inside.and_then(|rest| rest.find('<').map(|end| &rest[..end]));
    end.with_context(|| format!("no {name} in {xml}"))
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
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
    fn values_are_encoded_and_elements_found() {
        assert_eq!(encode("10.0.0.0/16 a"), "10.0.0.0%2F16%20a");
        let xml = "<a><vpcId>vpc-1</vpcId><vpcId>vpc-2</vpcId></a>";
        assert_eq!(element(xml, "vpcId").unwrap(), "vpc-1");
    }
}
