//! Connections to destinations elsewhere: over TLS or not, and used again.

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::RemoteError;

/// A host that does not answer within this is not there; the next attempt comes anyway.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections are kept for the next batch of a queue that is caught up with, and then closed: servers
/// drop idle ones, and find out about it only with the next request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// An HTTP client.
pub(crate) type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client for `http` and `https`. Certificates of servers are checked against the machine's
/// authorities, or against those in `ca_bundle`, a file of PEM certificates.
pub(crate) fn client(tls: bool, ca_bundle: Option<&Path>) -> Result<HttpsClient, RemoteError> {
    let mut roots = RootCertStore::empty();
    match (tls, ca_bundle) {
        (false, _) => {}
        (true, Some(path)) => {
            let unusable = |e: &dyn std::fmt::Display| RemoteError::CaBundle {
                path: path.to_owned(),
                problem: e.to_string(),
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|e| unusable(&e))? {
                let certificate = certificate.map_err(|e| unusable(&e))?;
                roots.add(certificate).map_err(|e| unusable(&e))?;
            }
            if roots.is_empty() {
                return Err(unusable(&"there is no certificate in it"));
            }
        }
        (true, None) => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(RemoteError::NoAuthorities);
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| RemoteError::Tls(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
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
