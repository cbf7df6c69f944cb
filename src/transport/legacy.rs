//! TLS by the system's library, for servers whose suites the modern backend does not speak: Windows Server 2012 and 2012 R2 with an RSA certificate
//! offer CBC suites only (reference/ews.md section 2). TLS 1.2 at least; what is trusted is the same.

use native_tls::{Certificate, Identity as NativeIdentity, Protocol, TlsConnector};
use tokio::net::TcpStream;
use tokio_native_tls::TlsStream;

use crate::transport::binding::fingerprint;
use crate::transport::identity::pkcs8_of;
use crate::transport::reach::Trust;
use crate::transport::tls::TlsFacts;
use crate::transport::trouble::ConnectTrouble;

/// The legacy backend, ready to connect.
pub(super) struct Legacy {
    connector: tokio_native_tls::TlsConnector,
    pin: Option<[u8; 32]>,
}

impl Legacy {
    pub(super) fn new(trust: &Trust) -> Result<Self, native_tls::Error> {
        let mut builder = TlsConnector::builder();
        builder.min_protocol_version(Some(Protocol::Tlsv12));
        for root in &trust.roots {
            builder.add_root_certificate(Certificate::from_der(root)?);
        }
        if let Some(own) = &trust.identity {
            let chain: String = own
                .chain()
                .iter()
                .map(|one| pem("CERTIFICATE", one))
                .collect();
            // A key of a kind that has no such form stays out: a server that wants the certificate says so, and that is told by name.
            if let Some(key) = pkcs8_of(&own.key()) {
                let key = zeroize::Zeroizing::new(pem("PRIVATE KEY", &key));
                builder.identity(NativeIdentity::from_pkcs8(
                    chain.as_bytes(),
                    key.as_bytes(),
                )?);
            }
        }
        if trust.pin.is_some() {
            // The pin takes the place of issuer, date and name; it is compared before anything is sent.
            builder.danger_accept_invalid_certs(true);
            builder.danger_accept_invalid_hostnames(true);
        }
        Ok(Self {
            connector: builder.build()?.into(),
            pin: trust.pin,
        })
    }

    pub(super) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, TlsFacts), ConnectTrouble> {
        let stream = self.connector.connect(host, stream).await;
        let stream = stream.map_err(|error| of_native(&error.to_string()))?;
        let certificate = stream.get_ref().peer_certificate().ok().flatten();
        let certificate = certificate.and_then(|one| one.to_der().ok());
        let certificate = certificate.ok_or(ConnectTrouble::BadCertificate)?;
        let shown = fingerprint(&certificate);
        if self.pin.is_some_and(|pin| pin != shown) {
            return Err(ConnectTrouble::NotPinned { shown });
        }
        let facts = TlsFacts {
            version: None,
            suite: None,
            certificate,
            legacy: true,
        };
        Ok((stream, facts))
    }
}

/// The system's libraries say why in words only.
fn of_native(words: &str) -> ConnectTrouble {
    let says = |part: &str| words.contains(part);
    if says("hostname mismatch") || says("IP address mismatch") {
        ConnectTrouble::OtherName { names: Vec::new() }
    } else if says("has expired") {
        ConnectTrouble::Expired
    } else if says("not yet valid") {
        ConnectTrouble::NotYetValid
    } else if says("certificate verify failed") || says("self-signed") || says("self signed") {
        ConnectTrouble::UnknownIssuer
    } else if says("handshake failure") || says("protocol version") || says("no ciphers") {
        ConnectTrouble::NoSharedSuite
    } else if says("wrong version number") || says("http request") || says("packet length") {
        ConnectTrouble::NotTls
    } else if says("bad certificate") || says("certificate required") || says("unknown ca") {
        ConnectTrouble::WantsOurCertificate
    } else if says("unexpected EOF") || says("reset") {
        ConnectTrouble::ClosedInHandshake
    } else {
        ConnectTrouble::Tls
    }
}

/// True where the words of the system's library tell of an alert against our certificate, or the lack of one.
pub(super) fn alert_about_us(words: &str) -> bool {
    words.contains("alert") && of_native(words) == ConnectTrouble::WantsOurCertificate
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}
