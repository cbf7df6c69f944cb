//! Looking at a server step by step before anybody signs in: its name, a connection, its TLS. Each step is kept apart, so that a person hears
//! which one failed and why. Nothing but a TLS handshake is sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, ProtocolVersion, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::base::limits;
use crate::base::probe::{ServerSight, TlsSight, Trust};
use crate::base::quantity::Moment;
use crate::base::secret::SafeUrl;
use crate::transport::tls::verifier;
use crate::transport::{Http, secure};

/// Names of a certificate that are shown.
const NAMES_SHOWN: usize = 10;

/// Looks at the server behind a URL, by the way of this client: its addresses, its authorities, its pin. Behind a proxy the steps cannot be seen
/// one by one; there the whole way is tried. The answer to a request is left to whoever knows what to ask.
pub async fn look(http: &Http, url: &SafeUrl) -> ServerSight {
    let loopback = secure::is_loopback(url);
    let parsed = Url::parse(url.expose()).ok();
    let place = parsed.as_ref().and_then(|url| {
        let host = url.host_str()?;
        Some((
            host.to_owned(),
            url.port_or_known_default()?,
            url.scheme() == "https",
        ))
    });
    let Some((host, port, secure)) = place else {
        return ServerSight::of(url.to_string(), false, loopback);
    };
    let mut sight = ServerSight::of(format!("{host}:{port}"), secure, loopback);
    let bare = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let dialer = http.dialer();
    if let (Some(_), Some(url)) = (&dialer.reach().proxy, &parsed) {
        return by_proxy(http, url, secure, sight).await;
    }
    let addresses: Vec<SocketAddr> = dialer.addresses(&bare, port).await.into();
    if addresses.is_empty() {
        return sight;
    }
    sight.addresses = Some(u32::try_from(addresses.len()).unwrap_or(u32::MAX));
    let stream = connect(&addresses).await;
    sight.connected = Some(stream.is_some());
    if let Some(stream) = stream.filter(|_| secure) {
        sight.tls = Some(shake(&dialer.reach().trust, stream, &bare).await);
    }
    sight
}

/// The whole way through a proxy: the name is the proxy's to look up, and a certificate that is not trusted ends the way.
async fn by_proxy(http: &Http, url: &Url, secure: bool, sight: ServerSight) -> ServerSight {
    let mut sight = sight;
    sight.addresses = Some(1);
    match http.dialer().dial(url).await {
        Ok(open) => {
            sight.connected = Some(true);
            sight.tls = secure.then(|| {
                let facts = open.facts.as_deref();
                let mut tls = TlsSight {
                    version: match facts.and_then(|f| f.version.as_deref()) {
                        Some("TLSv1_3") => Some("TLS 1.3"),
                        Some("TLSv1_2") => Some("TLS 1.2"),
                        _ => None,
                    },
                    trust: Trust::Trusted,
                    ends: None,
                    names: Vec::new(),
                    chain: 0,
                };
                if let Some(facts) = facts {
                    read(&facts.certificate, &mut tls);
                }
                tls
            });
        }
        Err(_) => sight.connected = Some(false),
    }
    sight
}

/// The first address that takes a connection, each with the usual time.
async fn connect(addresses: &[SocketAddr]) -> Option<TcpStream> {
    for address in addresses {
        let wait = limits::LOOK_TIMEOUT.to_std();
        if let Ok(Ok(stream)) = tokio::time::timeout(wait, TcpStream::connect(address)).await {
            return Some(stream);
        }
    }
    None
}

/// Shakes hands, and keeps what the verification says of the certificate instead of ending there. Nothing is sent on this connection.
async fn shake(trust: &crate::transport::Trust, stream: TcpStream, host: &str) -> TlsSight {
    let mut sight = TlsSight {
        version: None,
        trust: Trust::NotShown,
        ends: None,
        names: Vec::new(),
        chain: 0,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let inner = verifier(trust, &provider);
    let name = ServerName::try_from(host.to_owned());
    let (Ok(inner), Ok(name)) = (inner, name) else {
        return sight;
    };
    let witness = Arc::new(Witness {
        inner,
        seen: Mutex::new(None),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|config| {
            config
                .dangerous()
                .with_custom_certificate_verifier(
                    Arc::clone(&witness) as Arc<dyn ServerCertVerifier>
                )
                .with_no_client_auth()
        });
    let Ok(config) = config else { return sight };
    let shaking = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let done = tokio::time::timeout(limits::LOOK_TIMEOUT.to_std(), shaking).await;
    if let Ok(Ok(stream)) = &done {
        sight.version = match stream.get_ref().1.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => Some("TLS 1.3"),
            Some(ProtocolVersion::TLSv1_2) => Some("TLS 1.2"),
            _ => None,
        };
    }
    if let Some(seen) = witness.take() {
        sight.trust = seen.trust;
        sight.chain = seen.chain;
        read(&seen.leaf, &mut sight);
    }
    sight
}

/// Takes end and names out of a certificate. One that cannot be read keeps its secrets.
fn read(leaf: &[u8], sight: &mut TlsSight) {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(leaf) else {
        return;
    };
    let ends = certificate.validity().not_after.timestamp();
    sight.ends = Some(Moment::from_unix_ms(ends.saturating_mul(1_000)));
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return;
    };
    let shown = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            x509_parser::extensions::GeneralName::DNSName(name) => Some((*name).to_owned()),
            x509_parser::extensions::GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        });
    // A name of a certificate goes to a terminal: printable letters only.
    let plain = |name: &String| name.bytes().all(|b| b.is_ascii_graphic());
    sight.names = shown.filter(plain).take(NAMES_SHOWN).collect();
}

fn address(bytes: &[u8]) -> Option<String> {
    let ip: std::net::IpAddr = match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok()?.into(),
        16 => <[u8; 16]>::try_from(bytes).ok()?.into(),
        _ => return None,
    };
    Some(ip.to_string())
}

/// What was shown, and what the verification said.
#[derive(Debug)]
struct Seen {
    trust: Trust,
    leaf: Vec<u8>,
    chain: u32,
}

/// A verification that is asked and overruled, so that the handshake goes on and its end can be seen. Used for looking only.
#[derive(Debug)]
struct Witness {
    inner: Arc<dyn ServerCertVerifier>,
    seen: Mutex<Option<Seen>>,
}

impl Witness {
    fn take(&self) -> Option<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let seen = Seen {
            trust: verified.map_or_else(|error| trust_of(&error), |_| Trust::Trusted),
            leaf: end_entity.as_ref().to_vec(),
            chain: u32::try_from(intermediates.len() + 1).unwrap_or(u32::MAX),
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn trust_of(error: &rustls::Error) -> Trust {
    let rustls::Error::InvalidCertificate(why) = error else {
        return Trust::Unusable;
    };
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Trust::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Trust::NotYet
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Trust::WrongName
        }
        // A trusted issuer of that name did not sign it: another one of the same name did, as after an authority was made anew.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Trust::UnknownIssuer,
        CertificateError::Revoked => Trust::Revoked,
        _ => Trust::Unusable,
    }
}
