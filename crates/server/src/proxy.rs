//! Services that something else stands for: requests go on as they came.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header};
use hyper::body::Body;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A host that does not answer within this is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where requests go on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    host: String,
    port: u16,
}

impl Upstream {
    /// `http://host[:port]`.
    ///
    /// # Errors
    ///
    /// If it is anything else.
    pub(crate) fn parse(url: &str) -> anyhow::Result<Self> {
        let uri: Option<Uri> = url.parse().ok();
        let plain = |uri: &Uri| {
            uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none()
        };
        let authority = uri.filter(plain).and_then(|uri| uri.authority().cloned());
        let authority = authority.filter(|a| !a.as_str().contains('@') && !a.host().is_empty());
        let authority = authority
            .with_context(|| format!("not an endpoint of the form http://host[:port]: {url:?}"))?;
        Ok(Self {
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(80),
        })
    }

    /// Sends a request on, its `Host` and signature as they are, and gives the answer back.
    pub(crate) async fn send<B>(&self, request: Request<B>) -> Response<s3s::Body>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self.try_send(request).await {
            Ok(response) => response,
            Err(error) => {
                let (host, port) = (&self.host, self.port);
                tracing::warn!(
                    error = format!("{error:#}"),
                    "http://{host}:{port} does not answer"
                );
                let mut response = Response::new(s3s::Body::empty());
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }
        }
    }

    async fn try_send<B>(&self, mut request: Request<B>) -> anyhow::Result<Response<s3s::Body>>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let connect = TcpStream::connect((host, self.port));
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connect)
            .await
            .context("nobody answers")??;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        without_hop_headers(request.headers_mut());
        let mut response = sender.send_request(request).await?;
        without_hop_headers(response.headers_mut());
        Ok(response.map(s3s::Body::http_body_unsync))
    }
}

/// What is about one connection and not about the message (RFC 9110, section 7.6.1).
fn without_hop_headers(headers: &mut http::HeaderMap) {
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in &named {
        headers.remove(name);
    }
    for name in ["connection", "keep-alive", "te", "trailer", "upgrade"] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_are_plain_endpoints() {
        let upstream = |host: &str, port| Upstream {
            host: host.to_owned(),
            port,
        };
        assert_eq!(
            Upstream::parse("http://127.0.0.1:8000").unwrap(),
            upstream("127.0.0.1", 8000)
        );
        assert_eq!(
            Upstream::parse("http://moto/").unwrap(),
            upstream("moto", 80)
        );
        assert_eq!(
            Upstream::parse("http://[::1]:5").unwrap(),
            upstream("[::1]", 5)
        );
        for wrong in [
            "",
            "127.0.0.1:8000",
            "https://a",
            "http://a/b",
            "http://a?b",
            "http://u@a",
            "http://",
        ] {
            assert!(Upstream::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_about_a_connection_stays_behind() {
        let mut headers = http::HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Own"),
            ("x-own", "1"),
            ("te", "a"),
            ("host", "h"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        without_hop_headers(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["host"]);
    }
}
