//! How a destination is reached: whom we trust, what we show of ourselves, by which proxy, under which address. Data only.

use std::fmt;
use std::net::IpAddr;

use crate::base::secret::Secret;
use crate::transport::identity::Identity;

/// Everything about the way to a destination that a site may have of its own. The default is what most sites need: the system's roots, no proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Whom we trust and what we show.
    pub trust: Trust,
    /// The proxy for https, where there is one.
    pub proxy: Option<Proxy>,
    /// Addresses for host names, in place of what the system would say. Names in small letters.
    pub resolve: Vec<(String, IpAddr)>,
}

/// The terms of TLS.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Authorities beside the system's, in DER.
    pub roots: Vec<Vec<u8>>,
    /// SHA-256 of the only certificate that is accepted, whoever issued it.
    pub pin: Option<[u8; 32]>,
    /// Our own certificate, for servers that ask for one.
    pub identity: Option<Identity>,
    /// Which implementation of TLS speaks.
    pub backend: Backend,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("roots", &self.roots.len())
            .field("pin", &self.pin.is_some())
            .field("identity", &self.identity.is_some())
            .field("backend", &self.backend)
            .finish()
    }
}

/// Implementations of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The modern one; where a server shares no cipher suite with it and the legacy one is built in, that one.
    #[default]
    Auto,
    /// TLS 1.2 with forward secrecy and AEAD suites, and TLS 1.3, nothing else (rustls).
    Modern,
    /// The system's library, which also speaks the CBC suites of Windows Server 2012 R2 (feature `legacy-tls`).
    Legacy,
}

/// True in a build that has the legacy backend.
pub const fn has_legacy_tls() -> bool {
    cfg!(feature = "legacy-tls")
}

/// An HTTP proxy that opens tunnels (`CONNECT`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User name and password, for a proxy that asks for them (Basic).
    pub login: Option<(String, Secret)>,
}
