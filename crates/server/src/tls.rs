//! The certificate authority of a state folder: instances trust it, so AWS's names can be served to them over TLS.
//!
//! Nobody else trusts it, and its key never leaves the state folder, which is its owner's alone.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use model::{AwsService, Region};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::{CertifiedKey, SigningKey};

/// The authority, and the certificates that it has made for this daemon.
pub(crate) struct Authority {
    signer: Arc<Signer>,
    provider: Arc<CryptoProvider>,
    /// For each endpoint that was ever asked for: as many as there are Regions and services.
    endpoints: Mutex<HashMap<(AwsService, Region), Arc<ServerConfig>>>,
}

/// What makes certificates.
struct Signer {
    issuer: Issuer<'static, KeyPair>,
    /// As instances get it.
    pem: String,
    der: CertificateDer<'static>,
    /// The key of all certificates for servers.
    key: KeyPair,
    signing_key: Arc<dyn SigningKey>,
}

/// The authority's files in the state folder.
const KEY_FILE: &str = "authority-key.pem";
const CERTIFICATE_FILE: &str = "authority.pem";
/// Names of interface endpoints for which certificates are kept, for each service and Region.
const NAMES_MAX: usize = 256;

impl Authority {
    /// Opens the authority of a state folder, or founds one.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or written.
    pub(crate) fn open(state: &Path) -> anyhow::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let (key_path, path) = (state.join(KEY_FILE), state.join(CERTIFICATE_FILE));
        let key = match fs::read_to_string(&key_path) {
            Ok(pem) => KeyPair::from_pem(&pem)
                .with_context(|| format!("{} holds no key", key_path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = KeyPair::generate()?;
                write_secret(&key_path, &key.serialize_pem())?;
                key
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", key_path.display()));
            }
        };
        let params = authority_params();
        // Made again at each start, by the same key: clients look at nothing else.
        let certificate = params.self_signed(&key)?;
        let pem = certificate.pem();
        fs::write(&path, &pem).with_context(|| format!("cannot write {}", path.display()))?;
        let server_key = KeyPair::generate()?;
        let der = PrivateKeyDer::Pkcs8(server_key.serialize_der().into());
        let signer = Signer {
            signing_key: provider.key_provider.load_private_key(der)?,
            issuer: Issuer::new(params, key),
            pem,
            der: certificate.der().clone(),
            key: server_key,
        };
        Ok(Self {
            signer: Arc::new(signer),
            provider,
            endpoints: Mutex::default(),
        })
    }

    /// The authority's own certificate, for those who are to trust it.
    pub(crate) fn pem(&self) -> &str {
        &self.signer.pem
    }

    /// What the endpoint of a service in a Region shows to its clients: a certificate for the endpoint's names, whatever
    /// name is asked for, as AWS's endpoints do.
    ///
    /// # Errors
    ///
    /// If no certificate can be made.
    pub(crate) fn endpoint(
        &self,
        service: AwsService,
        region: Region,
    ) -> anyhow::Result<Arc<ServerConfig>> {
        let mut endpoints = self
            .endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = endpoints.get(&(service, region)) {
            return Ok(known.clone());
        }
        let resolver = Certificates {
            own: self.signer.certify(&names(service, region))?,
            signer: self.signer.clone(),
            suffix: format!(
                ".{}.{region}.vpce.amazonaws.com",
                service.endpoint_service()
            ),
            others: Mutex::default(),
        };
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        endpoints.insert((service, region), config.clone());
        Ok(config)
    }
}

/// The names of an endpoint, and for S3 those of its buckets.
fn names(service: AwsService, region: Region) -> Vec<String> {
    let own = service.endpoint_names(region);
    let below = own
        .iter()
        .filter(|_| service == AwsService::S3)
        .map(|name| format!("*.{name}"));
    let below: Vec<String> = below.collect();
    own.into_iter().chain(below).collect()
}

impl Signer {
    fn certify(&self, names: &[String]) -> anyhow::Result<Arc<CertifiedKey>> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        if let Some(first) = names.first() {
            // Longer ones do not fit; clients look at the alternative names.
            let common: String = first.chars().take(64).collect();
            params.distinguished_name.push(DnType::CommonName, common);
        }
        term(&mut params);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&self.key, &self.issuer)?;
        Ok(Arc::new(CertifiedKey::new(
            vec![certificate.der().clone(), self.der.clone()],
            self.signing_key.clone(),
        )))
    }
}

/// The certificates of one endpoint.
struct Certificates {
    own: Arc<CertifiedKey>,
    signer: Arc<Signer>,
    /// How names of the service's interface endpoints end.
    suffix: String,
    others: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().filter(|n| n.ends_with(&self.suffix));
        let Some(name) = name else {
            return Some(self.own.clone());
        };
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = others.get(name) {
            return Some(known.clone());
        }
        let made = match self.signer.certify(&[name.to_owned()]) {
            Ok(made) => made,
            Err(error) => {
                tracing::debug!(name, %error, "no certificate for this name");
                return Some(self.own.clone());
            }
        };
        if others.len() >= NAMES_MAX {
            others.clear();
        }
        others.insert(name.to_owned(), made.clone());
        Some(made)
    }
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates")
            .field("suffix", &self.suffix)
            .finish_non_exhaustive()
    }
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "Weir's authority on this machine");
    term(&mut params);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A file that only its owner can read, from its first byte on.
fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let open = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    open.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Whoever is trusted by one machine's own instances needs no shorter term.
fn term(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2050, 1, 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    fn scratch(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("weir-tls-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Whether a client that trusts only `authority` takes an endpoint for `name`.
    async fn accepts(
        trusted: &Authority,
        serving: &Authority,
        endpoint: (AwsService, &str),
        name: &str,
    ) -> bool {
        let config = serving
            .endpoint(endpoint.0, endpoint.1.parse().unwrap())
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(trusted.signer.der.clone()).unwrap();
        let client = ClientConfig::builder_with_provider(trusted.provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (near, far) = tokio::io::duplex(1 << 14);
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let (client, _) = tokio::join!(
            TlsConnector::from(Arc::new(client)).connect(name, near),
            TlsAcceptor::from(config).accept(far),
        );
        client.is_ok()
    }

    #[tokio::test]
    async fn names_of_an_endpoint_are_certified_and_no_others() {
        let folder = scratch("names");
        let authority = Authority::open(&folder).unwrap();
        let s3 = (AwsService::S3, "us-east-1");
        for (endpoint, name, expected) in [
            (s3, "s3.us-east-1.amazonaws.com", true),
            (s3, "bucket.s3.us-east-1.amazonaws.com", true),
            (s3, "bucket.s3.amazonaws.com", true),
            (s3, "bucket.vpce-1-2.s3.us-east-1.vpce.amazonaws.com", true),
            (s3, "a.bucket.s3.us-east-1.amazonaws.com", false),
            (s3, "s3.eu-west-1.amazonaws.com", false),
            (s3, "logs.us-east-1.amazonaws.com", false),
            (s3, "vpce-1-2.logs.us-east-1.vpce.amazonaws.com", false),
            (s3, "example.com", false),
            (
                (AwsService::Logs, "eu-west-1"),
                "logs.eu-west-1.amazonaws.com",
                true,
            ),
        ] {
            let found = accepts(&authority, &authority, endpoint, name).await;
            assert_eq!(found, expected, "{name} at {endpoint:?}");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn an_authority_stays_and_is_its_folders_alone() {
        let (one, two) = (scratch("one"), scratch("two"));
        let first = Authority::open(&one).unwrap();
        let mode = fs::metadata(one.join(KEY_FILE)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let again = Authority::open(&one).unwrap();
        let other = Authority::open(&two).unwrap();
        let endpoint = (AwsService::Sts, "us-east-1");
        let name = "sts.us-east-1.amazonaws.com";
        assert!(accepts(&first, &again, endpoint, name).await);
        assert!(!accepts(&first, &other, endpoint, name).await);
        fs::remove_dir_all(one).unwrap();
        fs::remove_dir_all(two).unwrap();
    }
}
