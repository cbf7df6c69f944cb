//! Kerberos by the system's GSSAPI, under the name Negotiate, bound to the TLS channel. Tickets come from where the environment says: a cache
//! (`KRB5CCNAME`) or a key table (`KRB5_CLIENT_KTNAME`). Built in with the feature `kerberos`.

use std::fmt;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libgssapi::context::{ClientCtx, CtxFlags};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::name::Name;
use libgssapi::oid::{
    GSS_MECH_KRB5, GSS_MECH_SPNEGO, GSS_NT_HOSTBASED_SERVICE, GSS_NT_KRB5_PRINCIPAL, OidSet,
};

use crate::base::secret::Secret;
use crate::exchange::sign_in::{KerberosFrom, token_of};
use crate::transport::{Leg, Proof, ProofFault, Prover};

const WORD: &str = "Negotiate";

/// One identity that proves connections by Kerberos.
pub(super) struct Kerberos(KerberosFrom);

impl Kerberos {
    pub(super) fn new(from: KerberosFrom) -> Self {
        Self(from)
    }
}

impl fmt::Debug for Kerberos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kerberos")
    }
}

impl Prover for Kerberos {
    fn begin(&self, host: &str, binding: Option<&[u8]>) -> Box<dyn Proof> {
        Box::new(KerberosProof {
            principal: self.0.principal.clone(),
            service: format!("HTTP@{host}"),
            binding: binding.map(|hash| [b"tls-server-end-point:", hash].concat()),
            begun: false,
        })
    }

    /// Kerberos proves a request; the connection stays proven only where the server says so.
    fn lasts(&self) -> bool {
        false
    }
}

struct KerberosProof {
    principal: Option<String>,
    service: String,
    binding: Option<Vec<u8>>,
    begun: bool,
}

#[async_trait]
impl Proof for KerberosProof {
    async fn next(&mut self, challenges: &[String]) -> Result<Leg, ProofFault> {
        if self.begun {
            // One message is all there is; whatever comes back with a 401 is a refusal.
            token_of(WORD, challenges)?;
            return Err(ProofFault::Refused);
        }
        self.begun = true;
        let (principal, service) = (self.principal.clone(), self.service.clone());
        let binding = self.binding.clone();
        // The library talks to the KDC, and waits for it.
        let work = move || token(principal.as_deref(), &service, binding.as_deref());
        let made = tokio::task::spawn_blocking(work).await;
        let token = made.ok().flatten().ok_or(ProofFault::NoMeans)?;
        Ok(Leg {
            header: Secret::new(format!("{WORD} {}", STANDARD.encode(token))),
            last: true,
        })
    }
}

/// The first message of a context; `None` without a ticket.
fn token(principal: Option<&str>, service: &str, binding: Option<&[u8]>) -> Option<Vec<u8>> {
    let name = principal.map(|name| Name::new(name.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL)));
    let name = name.transpose().ok()?;
    let mechanisms = OidSet::singleton(GSS_MECH_KRB5).ok()?;
    let cred = Cred::acquire(name.as_ref(), None, CredUsage::Initiate, Some(&mechanisms)).ok()?;
    let target = Name::new(service.as_bytes(), Some(GSS_NT_HOSTBASED_SERVICE)).ok()?;
    let flags = CtxFlags::GSS_C_MUTUAL_FLAG;
    let mut context = ClientCtx::new(Some(cred), target, flags, Some(GSS_MECH_SPNEGO));
    let first = context.step(None, binding).ok()??;
    Some(first.to_vec())
}
