//! TLS towards a server: whom we trust, what we show, and the facts of the channel that came about.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, OtherError,
    SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::transport::binding::{colons, end_point, fingerprint};
use crate::transport::reach::Trust;
use crate::transport::trouble::{ConnectTrouble, NotPinned};

/// What is known of a TLS channel.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLSv1_2`; `None` where the library does not say.
    pub version: Option<String>,
    /// The cipher suite; `None` where the library does not say.
    pub suite: Option<String>,
    /// The server's certificate, in DER.
    pub certificate: Vec<u8>,
    /// True when the legacy backend speaks.
    pub legacy: bool,
}

impl TlsFacts {
    /// SHA-256 of the certificate, as people write it and as `pin` in a plan takes it.
    pub fn fingerprint(&self) -> String {
        colons(&fingerprint(&self.certificate))
    }

    /// The value a sign-in is bound to (`tls-server-end-point`).
    pub fn end_point(&self) -> Vec<u8> {
        end_point(&self.certificate)
    }
}

impl fmt::Debug for TlsFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.as_deref().unwrap_or("TLS");
        write!(f, "{version}, {}", self.suite.as_deref().unwrap_or("?"))
    }
}

/// Who says whether a certificate is trusted: the pin alone, or the system's store with the site's own authorities.
pub(super) fn verifier(
    trust: &Trust,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    if let Some(pin) = trust.pin {
        return Ok(Arc::new(Pinned {
            pin,
            provider: Arc::clone(provider),
        }));
    }
    let roots = trust.roots.iter().cloned().map(CertificateDer::from);
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(provider))?;
    Ok(Arc::new(verifier))
}

/// The modern backend, ready to connect.
#[derive(Clone)]
pub(super) struct Modern(TlsConnector);

impl Modern {
    pub(super) fn new(trust: &Trust) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = verifier(trust, &provider)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &trust.identity {
            Some(own) => config.with_client_auth_cert(own.chain(), own.key())?,
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(super) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, TlsFacts), ConnectTrouble> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectTrouble::Tls)?;
        let stream = self.0.connect(name, stream).await;
        let stream = stream.map_err(|error| ConnectTrouble::of_handshake(&error))?;
        let (_, session) = stream.get_ref();
        let facts = TlsFacts {
            version: session.protocol_version().map(|v| format!("{v:?}")),
            suite: session
                .negotiated_cipher_suite()
                .map(|s| format!("{:?}", s.suite())),
            certificate: session
                .peer_certificates()
                .and_then(|chain| chain.first())
                .map_or_else(Vec::new, |own| own.as_ref().to_vec()),
            legacy: false,
        };
        Ok((stream, facts))
    }
}

/// Accepts one certificate and no other. Who issued it, until when and for which name does not matter; that the server holds its key does.
#[derive(Debug)]
struct Pinned {
    pin: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let shown = fingerprint(own);
        if shown == self.pin {
            return Ok(ServerCertVerified::assertion());
        }
        let why = OtherError(Arc::new(NotPinned(shown)));
        Err(TlsError::InvalidCertificate(CertificateError::Other(why)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, own, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, own, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}
