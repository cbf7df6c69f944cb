//! Why a connection was not made, by name. The setback says how far it came; this says what to tell a person.

use std::error::Error;
use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError};

use crate::base::outcome::UnreachedCause;
use crate::transport::binding::colons;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectTrouble {
    /// The name is not known; of the proxy, where `proxy`.
    Name {
        /// Whose name.
        proxy: bool,
    },
    /// Nobody accepts connections there.
    NoAnswer {
        /// Of whom.
        proxy: bool,
        /// True when it was silent, false when it refused.
        silent: bool,
    },
    /// The proxy does not open a tunnel.
    ProxyRefused {
        /// Its status; 407 asks for a login.
        status: u16,
        /// The schemes it offers, for 407.
        offered: Vec<String>,
    },
    /// What answers at the proxy's address is no proxy.
    NoProxy,
    /// The two ends share no TLS version or cipher suite.
    NoSharedSuite,
    /// The connection was closed in the middle of the handshake. Windows does this where no cipher suite is shared.
    ClosedInHandshake,
    /// The server was silent in the handshake.
    SilentInHandshake,
    /// What answers does not speak TLS.
    NotTls,
    /// The certificate's issuer is not trusted.
    UnknownIssuer,
    /// The certificate has ended.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate is of other names.
    OtherName {
        /// The names it is of; some at most.
        names: Vec<String>,
    },
    /// The certificate is not the pinned one.
    NotPinned {
        /// SHA-256 of the one that was shown.
        shown: [u8; 32],
    },
    /// The server wants a certificate of ours, or another one.
    WantsOurCertificate,
    /// The certificate is no good for another reason.
    BadCertificate,
    /// The plan asks for the legacy backend, and this build has none.
    NoLegacyTls,
    /// TLS failed for another reason.
    Tls,
}

/// A certificate that is not the pinned one, as it travels through the library.
#[derive(Debug)]
pub(super) struct NotPinned(pub(super) [u8; 32]);

impl fmt::Display for NotPinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the pinned certificate")
    }
}

impl Error for NotPinned {}

/// Names shown of a certificate.
const NAMES_SHOWN: usize = 5;

/// True for an alert about our certificate, or about there being none. All of them end a handshake, before a request is read.
pub(super) const fn is_about_us(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            // Our certificate's signature, or ours over the handshake, does not verify.
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied
    )
}

impl ConnectTrouble {
    /// How far it came.
    pub fn cause(&self) -> UnreachedCause {
        match self {
            Self::Name { .. } => UnreachedCause::Name,
            Self::NoAnswer { .. } | Self::ProxyRefused { .. } | Self::NoProxy => {
                UnreachedCause::Connect
            }
            _ => UnreachedCause::Tls,
        }
    }

    /// Out of the handshake's error.
    pub(super) fn of_handshake(error: &io::Error) -> Self {
        let mut next: Option<&(dyn Error + 'static)> = error.get_ref().map(|e| e as _);
        while let Some(cause) = next {
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return Self::of_tls(tls);
            }
            next = cause.source();
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::ClosedInHandshake,
            _ => Self::Tls,
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use rustls::Error as E;
        match error {
            E::InvalidCertificate(why) => Self::of_certificate(why),
            E::AlertReceived(
                AlertDescription::HandshakeFailure
                | AlertDescription::ProtocolVersion
                | AlertDescription::InsufficientSecurity,
            )
            | E::PeerIncompatible(_) => Self::NoSharedSuite,
            E::AlertReceived(alert) if is_about_us(*alert) => Self::WantsOurCertificate,
            E::InvalidMessage(_) => Self::NotTls,
            _ => Self::Tls,
        }
    }

    fn of_certificate(why: &CertificateError) -> Self {
        use CertificateError as C;
        match why {
            // An authority of the same name with another key.
            C::UnknownIssuer | C::BadSignature => Self::UnknownIssuer,
            C::Expired | C::ExpiredContext { .. } => Self::Expired,
            C::NotValidYet | C::NotValidYetContext { .. } => Self::NotYetValid,
            C::NotValidForName => Self::OtherName { names: Vec::new() },
            C::NotValidForNameContext { presented, .. } => Self::OtherName {
                names: presented.iter().take(NAMES_SHOWN).cloned().collect(),
            },
            C::Other(other) => match other.0.downcast_ref::<NotPinned>() {
                Some(NotPinned(shown)) => Self::NotPinned { shown: *shown },
                None => Self::BadCertificate,
            },
            _ => Self::BadCertificate,
        }
    }
}

impl fmt::Display for ConnectTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |proxy: &bool| if *proxy { "the proxy" } else { "the server" };
        match self {
            Self::Name { proxy } => write!(f, "the name of {} is not known", of(proxy)),
            Self::NoAnswer { proxy, silent: true } => {
                write!(f, "{} does not answer (a firewall drops it, or it is down)", of(proxy))
            }
            Self::NoAnswer { proxy, silent: false } => {
                write!(f, "{} refuses connections on that port", of(proxy))
            }
            Self::ProxyRefused { status: 407, offered } => write!(
                f,
                "the proxy asks for a login (it offers {})",
                if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") }
            ),
            Self::ProxyRefused { status, .. } => {
                write!(f, "the proxy refuses to open a tunnel there (HTTP {status})")
            }
            Self::NoProxy => f.write_str("what answers at the proxy's address is no HTTP proxy"),
            Self::NoSharedSuite => f.write_str(
                "the server and this program share no TLS version or cipher suite (Windows Server 2012 and 2012 R2 with an RSA \
                 certificate offer CBC suites only)",
            ),
            Self::ClosedInHandshake => f.write_str(
                "the server closed the connection during the TLS handshake (Windows does so where no cipher suite is shared: 2012 and 2012 \
                 R2 with an RSA certificate offer CBC suites only)",
            ),
            Self::SilentInHandshake => f.write_str("the server was silent during the TLS handshake"),
            Self::NotTls => f.write_str("what answers on that port does not speak TLS"),
            Self::UnknownIssuer => {
                f.write_str("the server's certificate is of an issuer that this machine does not trust")
            }
            Self::Expired => f.write_str("the server's certificate has expired"),
            Self::NotYetValid => f.write_str(
                "the server's certificate is not valid yet, or this machine's clock is behind",
            ),
            Self::OtherName { names } if names.is_empty() => {
                f.write_str("the server's certificate is of another name")
            }
            Self::OtherName { names } => {
                write!(f, "the server's certificate is of other names ({})", names.join(", "))
            }
            Self::NotPinned { shown } => write!(
                f,
                "the server's certificate is not the pinned one; its SHA-256 is {}",
                colons(shown)
            ),
            Self::WantsOurCertificate => {
                f.write_str("the server wants a client certificate that it trusts")
            }
            Self::BadCertificate => f.write_str("the server's certificate cannot be used"),
            Self::NoLegacyTls => f.write_str("this build has no legacy TLS"),
            Self::Tls => f.write_str("TLS was not agreed"),
        }
    }
}
