//! Layer 4: one HTTP client per destination and identity, TLS, proxies, redaction. No retries here.

mod binding;
mod body;
mod call;
mod client;
mod deadline;
mod dial;
mod fault;
mod identity;
#[cfg(feature = "legacy-tls")]
mod legacy;
mod look;
mod pool;
mod proof;
mod prove;
mod reach;
mod reply;
mod secure;
mod tls;
mod trouble;

pub use binding::{colons, end_point, fingerprint};
pub use call::{Auth, Call, CallBody, CallKind, Method};
pub use client::{Http, HttpOptions, TransportError};
pub use identity::{Identity, IdentityFault, certificates};
pub use look::look;
pub use proof::{Leg, Proof, ProofFault, Prover};
pub use reach::{Backend, Proxy, Reach, Trust, has_legacy_tls};
pub use reply::{Proven, Reply};
pub use secure::is_loopback;
pub use tls::TlsFacts;
pub use trouble::ConnectTrouble;
