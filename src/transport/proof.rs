//! How a connection is proven, where a sign-in belongs to the connection and not to the request (NTLM, Negotiate; reference/ews.md section 2).
//! The transport carries the legs; what stands in them is decided by whoever implements this.

use std::fmt;

use async_trait::async_trait;

use crate::base::secret::Secret;

/// One identity. A client that has one shares its connections with no other identity.
pub trait Prover: fmt::Debug + Send + Sync {
    /// Begins a proof for one connection to `host`. `binding` is the `tls-server-end-point` value of its certificate; `None` without TLS.
    fn begin(&self, host: &str, binding: Option<&[u8]>) -> Box<dyn Proof>;

    /// True when a proven connection stays proven unless the server says otherwise (`Persistent-Auth: false`).
    fn lasts(&self) -> bool;
}

/// A proof under way.
#[async_trait]
pub trait Proof: Send {
    /// The next `Authorization`, after a 401 with these `WWW-Authenticate` headers (none before the first leg).
    async fn next(&mut self, challenges: &[String]) -> Result<Leg, ProofFault>;
}

/// What goes out next.
#[derive(Debug)]
pub struct Leg {
    /// The value of `Authorization`.
    pub header: Secret,
    /// True when nothing can follow: it goes with the request itself. Others go with an empty one, so that no body travels in vain.
    pub last: bool,
}

/// Why a proof does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProofFault {
    /// The server does not offer this scheme.
    NotOffered,
    /// The server refused what it was shown.
    Refused,
    /// The server's part cannot be read.
    Unreadable,
    /// This machine has no ticket, key or library for it.
    NoMeans,
    /// The connection did not live from one leg to the next.
    NotKept,
}
