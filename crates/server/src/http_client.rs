//! Requests to HTTP endpoints out of this machine: one connection each, over TLS or not, never redirected.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST};
use http::{Request, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::rt::TokioIo;
use services::firehose::{ANSWER_MAX, HttpAnswer, HttpRequest, NoAnswer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// A host that does not answer within this is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// So long an endpoint has for its answer (Amazon Data Firehose Developer Guide, "Understand HTTP endpoint delivery
/// request and response specifications").
const ANSWER_TIMEOUT: Duration = Duration::from_secs(180);

/// Sends requests. Whom it trusts is what this machine trusts: `SSL_CERT_FILE` and `SSL_CERT_DIR` say otherwise.
#[derive(Default)]
pub(crate) struct HttpClient {
    /// Made with the first request over TLS.
    tls: OnceLock<Result<Arc<ClientConfig>, String>>,
}

/// Where a request goes.
struct Target {
    secure: bool,
    host: String,
    port: u16,
}

impl HttpClient {
    /// Sends a POST and reads its answer.
    ///
    /// # Errors
    ///
    /// If there is no answer, or one that is too long.
    pub(crate) async fn post(&self, request: HttpRequest) -> Result<HttpAnswer, NoAnswer> {
        let failed = |error: &dyn std::fmt::Display| NoAnswer::ConnectionFailed(error.to_string());
        let uri: Uri = request.url.parse().map_err(|error| failed(&error))?;
        let target = Target::of(&uri).ok_or_else(|| failed(&"it is not a URL"))?;
        let request = build(&uri, request).map_err(|error| failed(&error))?;
        let stream = self.connect(&target);
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, stream)
            .await
            .map_err(|_| failed(&"nobody answers"))??;
        tokio::time::timeout(ANSWER_TIMEOUT, exchange(stream, request))
            .await
            .unwrap_or(Err(NoAnswer::RequestTimeout))
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Stream>, NoAnswer> {
        let failed = |error: &dyn std::fmt::Display| NoAnswer::ConnectionFailed(error.to_string());
        let host = target.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, target.port))
            .await
            .map_err(|error| failed(&error))?;
        let _ = stream.set_nodelay(true);
        if !target.secure {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
        let config = self.tls.get_or_init(tls).clone();
        let connector = TlsConnector::from(config.map_err(|error| failed(&error))?);
        let stream = connector.connect(name, stream).await;
        Ok(Box::new(stream.map_err(|error| failed(&error))?))
    }
}

/// A connection, secure or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Target {
    fn of(uri: &Uri) -> Option<Self> {
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self {
            secure,
            host: uri.host()?.to_owned(),
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
        })
    }
}

fn build(uri: &Uri, request: HttpRequest) -> Result<Request<Full<Bytes>>, http::Error> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let mut builder = Request::post(path).header(HOST, authority);
    for (name, value) in request.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(request.body.into()))
}

async fn exchange(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
) -> Result<HttpAnswer, NoAnswer> {
    let reset = |error: hyper::Error| NoAnswer::ConnectionReset(error.to_string());
    // As AWS writes them; nobody should care.
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(reset)?;
    // Dropped with this call: an attempt that is given up leaves no connection behind.
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    let answer = sender.send_request(request).await.map_err(reset)?;
    let header = |name| {
        let value = answer.headers().get(name);
        value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let status = answer.status().as_u16();
    let (content_type, content_encoding) = (header(CONTENT_TYPE), header(CONTENT_ENCODING));
    let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => NoAnswer::ResponseTooLarge,
        false => NoAnswer::ConnectionReset(error.to_string()),
    })?;
    Ok(HttpAnswer {
        status,
        content_type,
        content_encoding,
        body: body.to_bytes().to_vec(),
    })
}

fn tls() -> Result<Arc<ClientConfig>, String> {
    let config = delivery::tls::client_config(None);
    config.map(Arc::new).map_err(|error| error.to_string())
}
