//! TLS for the lab's faces: an authority made anew for each lab, one certificate of it for loopback, and connections that are clear or encrypted.
//!
//! The authority's own key is dropped as soon as it has signed: nobody can make another certificate that a user of `ca.pem` would trust.

use std::fmt;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// What a lab proves itself with.
#[derive(Clone)]
pub struct Identity {
    /// The certificate of the lab's own authority, in PEM. Public.
    pub authority: String,
    /// Its own certificate, in DER. Public.
    pub certificate: Vec<u8>,
    acceptor: TlsAcceptor,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(127.0.0.1, localhost)")
    }
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It ended years ago.
    Expired,
    /// It is for another host.
    WrongName,
}

/// The authority of a lab, as long as it signs.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

fn failed(error: &rcgen::Error) -> io::Error {
    io::Error::other(error.to_string())
}

impl Authority {
    /// A new one. Different each time.
    pub(super) fn make() -> io::Result<Self> {
        let issuer = {
            let mut params = CertificateParams::default();
            params.distinguished_name = named("mailferry lab authority");
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            let key = KeyPair::generate().map_err(|e| failed(&e))?;
            CertifiedIssuer::self_signed(params, key).map_err(|e| failed(&e))?
        };
        Ok(Self(issuer))
    }

    /// A certificate for 127.0.0.1 and `localhost`, or one with a flaw.
    ///
    /// Without a flaw it does not end: a lab lives for hours, and its clock may be one of a test.
    pub(super) fn identity(&self, flaw: Option<Flaw>) -> io::Result<Identity> {
        let authority = &self.0;
        let names = match flaw {
            Some(Flaw::WrongName) => vec!["mail.elsewhere.example".to_owned()],
            _ => ["127.0.0.1", "localhost"].map(str::to_owned).to_vec(),
        };
        let mut params = CertificateParams::new(names).map_err(|e| failed(&e))?;
        if flaw == Some(Flaw::Expired) {
            params.not_after = rcgen::date_time_ymd(2024, 6, 30);
        }
        params.distinguished_name = named("mailferry lab");
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(|e| failed(&e))?;
        let own = params.signed_by(&key, authority).map_err(|e| failed(&e))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config
                    .with_no_client_auth()
                    .with_single_cert(vec![own.der().clone()], key)
            })
            .map_err(io::Error::other)?;
        Ok(Identity {
            authority: authority.pem(),
            certificate: own.der().to_vec(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }
}

impl Identity {
    /// Makes an authority and a certificate of it for 127.0.0.1 and `localhost`.
    pub fn make() -> io::Result<Self> {
        Authority::make()?.identity(None)
    }

    /// Begins TLS on a connection that was accepted. The handshake happens when somebody reads from it or writes to it, so that a client that
    /// stalls keeps nobody waiting but itself.
    pub(super) fn accept(&self, stream: TcpStream) -> Wire {
        Wire::Shaking(Box::new(self.acceptor.accept(stream)))
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut out = DistinguishedName::new();
    out.push(DnType::CommonName, name);
    out
}

/// The bytes of one connection.
pub(super) enum Wire {
    /// As they are.
    Clear(TcpStream),
    /// In the middle of the handshake.
    Shaking(Box<Accept<TcpStream>>),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
    /// The handshake failed.
    Failed,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear(_) => "Clear",
            Self::Shaking(_) => "Shaking",
            Self::Tls(_) => "Tls",
            Self::Failed => "Failed",
        })
    }
}

/// What both kinds of connection can do.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

impl Wire {
    /// The stream, once any handshake is over.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut dyn Stream>>> {
        if let Self::Shaking(shaking) = self {
            *self = match ready!(Pin::new(shaking).poll(cx)) {
                Ok(stream) => Self::Tls(Box::new(stream)),
                Err(error) => {
                    *self = Self::Failed;
                    return Poll::Ready(Err(error));
                }
            };
        }
        Poll::Ready(match self {
            Self::Clear(stream) => Ok(Pin::new(stream)),
            Self::Tls(stream) => Ok(Pin::new(stream.as_mut())),
            Self::Shaking(_) | Self::Failed => Err(io::ErrorKind::ConnectionAborted.into()),
        })
    }

    /// Reads.
    pub(super) fn read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?.poll_read(cx, buf)
    }

    /// Writes.
    pub(super) fn write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?.poll_write(cx, buf)
    }

    /// Writes many pieces.
    pub(super) fn write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?.poll_write_vectored(cx, bufs)
    }

    /// Both kinds take pieces.
    pub(super) fn is_vectored(&self) -> bool {
        match self {
            Self::Clear(stream) => stream.is_write_vectored(),
            Self::Shaking(_) | Self::Tls(_) | Self::Failed => true,
        }
    }

    /// Flushes.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?.poll_flush(cx)
    }

    /// Ends the connection in order. One without a finished handshake has nothing to end.
    pub(super) fn shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Self::Shaking(_) | Self::Failed => Poll::Ready(Ok(())),
        }
    }
}
