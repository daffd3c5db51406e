//! Connections to destinations elsewhere: over TLS or not, and used again.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio_rustls::rustls::RootCertStore;

use crate::tls::{self, TlsError};

/// A host that does not answer within this is not there; the next attempt comes anyway.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections are kept for the next batch of a queue that is caught up with, and then closed: servers
/// drop idle ones, and find out about it only with the next request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// An HTTP client.
pub(crate) type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client for `http` and `https`. Certificates of servers are checked against the machine's
/// authorities, or against those in `ca_bundle`, a file of PEM certificates.
pub(crate) fn client(over_tls: bool, ca_bundle: Option<&Path>) -> Result<HttpsClient, TlsError> {
    let config = if over_tls {
        tls::client_config(ca_bundle)?
    } else {
        tls::client_config_of(RootCertStore::empty())?
    };
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build(connector))
}

/// What went wrong, with every cause.
pub(crate) fn causes(error: &hyper_util::client::legacy::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
