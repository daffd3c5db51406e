//! TLS of health checks by HTTPS: the data plane has the connections, and here are the sessions in them.
//!
//! Load balancers do not validate the certificates of targets (User Guide for Network Load Balancers, "Health checks for
//! Network Load Balancer target groups"): whoever has an address in a target group is trusted to be the target.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;

use dataplane::{CheckId, PortId, TlsAnswer, TlsStep};
use tokio::sync::mpsc;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{ClientConnection, Resumption};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::daemon::Daemon;

/// Speaks TLS with targets until the daemon ends.
pub(crate) async fn speak(daemon: Arc<Daemon>, mut steps: mpsc::Receiver<(CheckId, TlsStep)>) {
    let mut sessions = match Sessions::new() {
        Ok(sessions) => sessions,
        Err(error) => {
            tracing::error!(%error, "TLS of health checks cannot be set up");
            return;
        }
    };
    while let Some((check, step)) = steps.recv().await {
        let Some(answer) = sessions.take(check, step) else {
            continue;
        };
        if daemon.datapath.answer_tls(check, answer).is_err() {
            return;
        }
    }
}

/// The sessions of the checks that are under way, by where they are: a node has one from each of its ports.
struct Sessions {
    config: Arc<ClientConfig>,
    open: HashMap<(PortId, u16), (CheckId, ClientConnection)>,
}

impl Sessions {
    fn new() -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let anybody = Arc::new(Anybody(provider.clone()));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(anybody)
            .with_no_client_auth();
        // Each check is to find out anew.
        config.resumption = Resumption::disabled();
        Ok(Self {
            config: Arc::new(config),
            open: HashMap::new(),
        })
    }

    /// Takes a step, and says what becomes of it.
    fn take(&mut self, check: CheckId, step: TlsStep) -> Option<TlsAnswer> {
        let place = (check.node, check.port);
        match step {
            TlsStep::Accepted { request } => {
                // An address is no name that would be sent.
                let name = ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into());
                let mut session = ClientConnection::new(self.config.clone(), name).ok()?;
                session.writer().write_all(&request).ok()?;
                let answer = answer(&mut session, &[], false);
                self.open.insert(place, (check, session));
                Some(answer)
            }
            TlsStep::Received { bytes, is_last } => {
                let (own, session) = self.open.get_mut(&place)?;
                (*own == check).then(|| answer(session, &bytes, is_last))
            }
            TlsStep::Over => {
                let own = self.open.get(&place).is_some_and(|(own, _)| *own == check);
                own.then(|| self.open.remove(&place));
                None
            }
        }
    }
}

/// What a session makes of bytes of the target's.
fn answer(session: &mut ClientConnection, mut bytes: &[u8], is_last: bool) -> TlsAnswer {
    let mut answer = TlsAnswer {
        is_over: is_last,
        ..TlsAnswer::default()
    };
    let mut goes_on = true;
    while goes_on && !bytes.is_empty() {
        let read = session.read_tls(&mut bytes);
        let state = session.process_new_packets();
        goes_on =
            read.is_ok_and(|len| len > 0) && state.is_ok_and(|state| !state.peer_has_closed());
        // An error says that no more is there now; what was there has been read.
        let _ = session.reader().read_to_end(&mut answer.text);
    }
    answer.is_over |= !goes_on;
    while session.wants_write() && session.write_tls(&mut answer.to_target).is_ok() {}
    answer
}

/// Takes every certificate.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion, version};

    const REQUEST: &[u8] = b"GET /ready HTTP/1.1\r\n\r\n";

    fn check(number: u64) -> CheckId {
        CheckId {
            node: PortId::WIRE,
            port: 64_600,
            number,
        }
    }

    /// A target whose certificate is for another name, and nobody's but its own.
    fn target(version: &'static SupportedProtocolVersion) -> ServerConnection {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["elsewhere.example".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        ServerConnection::new(Arc::new(config)).unwrap()
    }

    fn received(bytes: &[u8], is_last: bool) -> TlsStep {
        TlsStep::Received {
            bytes: bytes.to_vec(),
            is_last,
        }
    }

    fn accepted() -> TlsStep {
        TlsStep::Accepted {
            request: REQUEST.to_vec(),
        }
    }

    #[test]
    fn any_target_is_asked_whatever_its_certificate() {
        for version in [&version::TLS12, &version::TLS13] {
            let mut sessions = Sessions::new().unwrap();
            let mut target = target(version);
            let mut heard = Vec::new();
            let mut to_target = sessions.take(check(1), accepted()).unwrap().to_target;
            let mut text = Vec::new();
            while text.is_empty() {
                target.read_tls(&mut &to_target[..]).unwrap();
                target.process_new_packets().unwrap();
                let _ = target.reader().read_to_end(&mut heard);
                if heard == REQUEST {
                    target.writer().write_all(b"HTTP/1.1 200 OK").unwrap();
                    target.send_close_notify();
                }
                let mut bytes = Vec::new();
                while target.wants_write() {
                    target.write_tls(&mut bytes).unwrap();
                }
                let answer = sessions.take(check(1), received(&bytes, false)).unwrap();
                assert_eq!(answer.is_over, !answer.text.is_empty());
                (to_target, text) = (answer.to_target, answer.text);
            }
            assert_eq!(text, b"HTTP/1.1 200 OK");
            assert_eq!(sessions.take(check(1), TlsStep::Over), None);
            assert!(sessions.open.is_empty());
        }
    }

    #[test]
    fn what_is_no_tls_is_over_and_another_check_has_another_session() {
        let mut sessions = Sessions::new().unwrap();
        sessions.take(check(1), accepted()).unwrap();
        let plain = received(b"HTTP/1.1 400 Bad Request\r\n\r\n", false);
        let answer = sessions.take(check(1), plain).unwrap();
        assert!(answer.is_over && answer.text.is_empty());
        sessions.take(check(2), accepted()).unwrap();
        assert_eq!(sessions.take(check(1), received(b"late", false)), None);
        assert_eq!(sessions.take(check(1), TlsStep::Over), None);
        let answer = sessions.take(check(2), received(b"", true)).unwrap();
        assert!(answer.is_over && answer.text.is_empty());
        sessions.take(check(2), TlsStep::Over);
        assert!(sessions.open.is_empty());
        assert_eq!(sessions.take(check(2), received(b"", true)), None);
    }
}
