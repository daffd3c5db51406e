//! Whom clients trust over TLS.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Why nobody can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file of certificates that cannot be used.
    #[error("the certificates in {} cannot be used: {problem}", path.display())]
    CaBundle {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// This machine trusts nobody.
    #[error(
        "this machine has no certificate authorities (Debian: ca-certificates), and $AWS_CA_BUNDLE names none"
    )]
    NoAuthorities,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Config(String),
}

/// A client that checks certificates of servers against the machine's authorities (`SSL_CERT_FILE`
/// and `SSL_CERT_DIR` say otherwise), or against those in `ca_bundle`, a file of PEM certificates.
///
/// # Errors
///
/// If there is no authority, or the file cannot be used.
pub fn client_config(ca_bundle: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_bundle {
        let unusable = |problem: &dyn Display| TlsError::CaBundle {
            path: path.to_owned(),
            problem: problem.to_string(),
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|e| unusable(&e))? {
            let certificate = certificate.map_err(|e| unusable(&e))?;
            roots.add(certificate).map_err(|e| unusable(&e))?;
        }
        if roots.is_empty() {
            return Err(unusable(&"there is no certificate in it"));
        }
    } else {
        let loaded = rustls_native_certs::load_native_certs();
        for error in &loaded.errors {
            tracing::warn!(%error, "some of this machine's root certificates cannot be read");
        }
        roots.add_parsable_certificates(loaded.certs);
        if roots.is_empty() {
            return Err(TlsError::NoAuthorities);
        }
    }
    client_config_of(roots)
}

/// A client that trusts these.
pub(crate) fn client_config_of(roots: RootCertStore) -> Result<ClientConfig, TlsError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| TlsError::Config(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
