//! How the service account signs in: with each request, or once for a connection (NTLM, Kerberos).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::base::secret::Secret;
use crate::port::clock::Clock;
use crate::transport::{Auth, Http, HttpOptions, Leg, Proof, ProofFault, Prover, TransportError};
use crate::wire::ntlm::{Account, Challenge, FileTime, Response, negotiate};
use crate::wire::sign_in::Scheme;

/// How the service account signs in.
#[derive(Clone, PartialEq, Eq)]
pub enum SignIn {
    /// With each request, over TLS. Untouched by Extended Protection.
    Basic {
        /// UPN or `DOMAIN\user`.
        user: String,
        /// Password.
        pass: Secret,
    },
    /// NTLMv2, once for each connection, bound to its TLS channel.
    Ntlm {
        /// UPN or `DOMAIN\user`.
        user: String,
        /// Password.
        pass: Secret,
    },
    /// The same messages under the name Negotiate, for servers that offer only that.
    Negotiate {
        /// UPN or `DOMAIN\user`.
        user: String,
        /// Password.
        pass: Secret,
    },
    /// Kerberos under the name Negotiate.
    Kerberos(KerberosFrom),
    /// A token with each request.
    Bearer(Secret),
}

/// Whose ticket. Where it comes from is the environment's business (`KRB5CCNAME`, `KRB5_CLIENT_KTNAME`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KerberosFrom {
    /// `svc-migrate@CLINIC.EXAMPLE`; the cache's own where it is `None`.
    pub principal: Option<String>,
}

/// True in a build that has Kerberos.
pub const fn has_kerberos() -> bool {
    cfg!(feature = "kerberos")
}

impl SignIn {
    /// Its method.
    pub fn scheme(&self) -> Scheme {
        match self {
            Self::Basic { .. } => Scheme::Basic,
            Self::Ntlm { .. } => Scheme::Ntlm,
            Self::Negotiate { .. } | Self::Kerberos(_) => Scheme::Negotiate,
            Self::Bearer(_) => Scheme::Bearer,
        }
    }

    /// A client of this identity, and of no other.
    pub fn way(
        &self,
        options: HttpOptions,
        clock: &Arc<dyn Clock>,
    ) -> Result<Http, TransportError> {
        match self.prover(clock) {
            Some(prover) => Http::proving(options, prover),
            None => Http::new(options),
        }
    }

    /// What a request carries.
    pub(super) fn auth(&self) -> Auth {
        match self {
            Self::Basic { user, pass } => Auth::Basic {
                user: user.clone(),
                pass: pass.clone(),
            },
            Self::Bearer(token) => Auth::Bearer(token.clone()),
            Self::Ntlm { .. } | Self::Negotiate { .. } | Self::Kerberos(_) => Auth::ByConnection,
        }
    }

    /// What proves a connection, where the method belongs to it.
    pub(super) fn prover(&self, clock: &Arc<dyn Clock>) -> Option<Arc<dyn Prover>> {
        match self {
            Self::Basic { .. } | Self::Bearer(_) => None,
            Self::Ntlm { user, pass } => Some(Ntlm::shared("NTLM", user, pass, clock)),
            Self::Negotiate { user, pass } => Some(Ntlm::shared("Negotiate", user, pass, clock)),
            #[cfg(feature = "kerberos")]
            Self::Kerberos(from) => Some(Arc::new(super::kerberos::Kerberos::new(from.clone()))),
            #[cfg(not(feature = "kerberos"))]
            Self::Kerberos(_) => None,
        }
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme().word())
    }
}

/// One identity that proves connections by NTLMv2.
struct Ntlm {
    word: &'static str,
    account: Account,
    pass: Secret,
    clock: Arc<dyn Clock>,
}

impl Ntlm {
    fn shared(
        word: &'static str,
        user: &str,
        pass: &Secret,
        clock: &Arc<dyn Clock>,
    ) -> Arc<dyn Prover> {
        Arc::new(Self {
            word,
            account: Account::parse(user),
            pass: pass.clone(),
            clock: Arc::clone(clock),
        })
    }
}

impl fmt::Debug for Ntlm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)
    }
}

impl Prover for Ntlm {
    fn begin(&self, host: &str, binding: Option<&[u8]>) -> Box<dyn Proof> {
        Box::new(NtlmProof {
            word: self.word,
            account: self.account.clone(),
            pass: self.pass.clone(),
            now: FileTime::from_unix_ms(self.clock.moment().unix_ms()),
            service: format!("HTTP/{host}"),
            binding: binding.map(<[u8]>::to_vec),
            first: negotiate(),
            step: Step::First,
        })
    }

    fn lasts(&self) -> bool {
        true
    }
}

enum Step {
    First,
    Second,
    Over,
}

struct NtlmProof {
    word: &'static str,
    account: Account,
    pass: Secret,
    now: FileTime,
    service: String,
    binding: Option<Vec<u8>>,
    first: Vec<u8>,
    step: Step,
}

impl NtlmProof {
    fn leg(&self, message: &[u8], last: bool) -> Leg {
        let text = STANDARD.encode(message);
        Leg {
            header: Secret::new(format!("{} {text}", self.word)),
            last,
        }
    }
}

#[async_trait]
impl Proof for NtlmProof {
    async fn next(&mut self, challenges: &[String]) -> Result<Leg, ProofFault> {
        match self.step {
            Step::First => {
                self.step = Step::Second;
                Ok(self.leg(&self.first, false))
            }
            Step::Second => {
                self.step = Step::Over;
                let token = token_of(self.word, challenges)?;
                let message = STANDARD.decode(token).map_err(|_| ProofFault::Unreadable)?;
                let challenge = Challenge::read(&message).map_err(|_| ProofFault::Unreadable)?;
                let mut nonce = [0; 8];
                let dice = SystemRandom::new();
                dice.fill(&mut nonce).map_err(|_| ProofFault::NoMeans)?;
                let answer = challenge.answer(
                    &self.first,
                    &Response {
                        account: &self.account,
                        password: &self.pass,
                        service: &self.service,
                        end_point: self.binding.as_deref(),
                        now: self.now,
                        nonce,
                    },
                );
                Ok(self.leg(&answer, true))
            }
            Step::Over => Err(ProofFault::Refused),
        }
    }
}

/// The server's token for a method.
pub(super) fn token_of<'a>(word: &str, challenges: &'a [String]) -> Result<&'a str, ProofFault> {
    let mut offered = false;
    for challenge in challenges {
        let (scheme, token) = challenge.split_once(' ').unwrap_or((challenge, ""));
        if scheme.eq_ignore_ascii_case(word) {
            offered = true;
            let token = token.trim();
            if !token.is_empty() {
                return Ok(token);
            }
        }
    }
    Err(if offered {
        ProofFault::Refused
    } else {
        ProofFault::NotOffered
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_sign_in_shows_nobody() {
        let (user, pass) = ("CLINIC\\svc".to_owned(), Secret::new("hunter2"));
        for sign_in in [
            SignIn::Basic {
                user: user.clone(),
                pass: pass.clone(),
            },
            SignIn::Ntlm {
                user,
                pass: pass.clone(),
            },
            SignIn::Bearer(pass),
        ] {
            let shown = format!("{sign_in:?}");
            assert!(
                ["Basic", "NTLM", "Bearer"].contains(&shown.as_str()),
                "{shown}"
            );
        }
    }

    #[test]
    fn tokens_are_found_among_what_is_offered() {
        let all = ["Basic realm=x", "negotiate", "NTLM TlRM"].map(str::to_owned);
        assert_eq!(token_of("NTLM", &all), Ok("TlRM"));
        assert_eq!(token_of("Negotiate", &all), Err(ProofFault::Refused));
        assert_eq!(token_of("Bearer", &all), Err(ProofFault::NotOffered));
    }
}
