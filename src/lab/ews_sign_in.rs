//! How the lab's Exchange lets people in: Basic with each request, NTLM once for a connection, with Extended Protection as its directory is set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::ews_http::EwsOptions;
use super::face::{Guest, Scissors};
use crate::base::dice::Dice;
use crate::base::quantity::Moment;
use crate::wire::base64;
use crate::wire::ntlm::{Acceptor, FileTime, Names, Protection};

/// The virtual directory's settings.
#[derive(Clone, Debug)]
pub struct SignInRules {
    /// BasicAuthentication.
    pub basic: bool,
    /// WindowsAuthentication, of which the lab has NTLM.
    pub ntlm: bool,
    /// ExtendedProtectionTokenChecking.
    pub protection: Protection,
    /// The `tls-server-end-point` value of the lab's own certificate, where it speaks TLS.
    pub(super) end_point: Option<Vec<u8>>,
    /// Makes each challenge another one.
    turns: Arc<AtomicU64>,
}

impl Default for SignInRules {
    fn default() -> Self {
        Self {
            basic: true,
            ntlm: true,
            protection: Protection::Allow,
            end_point: None,
            turns: Arc::default(),
        }
    }
}

impl SignInRules {
    /// A directory set so.
    pub fn of(basic: bool, ntlm: bool, protection: Protection) -> Self {
        Self {
            basic,
            ntlm,
            protection,
            ..Self::default()
        }
    }

    /// Lets a request in, or answers it.
    pub(super) fn admit(
        &self,
        headers: &HeaderMap,
        account: &EwsOptions,
        line: &Scissors,
        now: Moment,
    ) -> Result<(), Box<Response>> {
        let given = headers.get(header::AUTHORIZATION);
        let Some(given) = given.and_then(|value| value.to_str().ok()) else {
            let known = line.with_guest(|guest| guest.signed_in);
            return if known {
                Ok(())
            } else {
                Err(Box::new(self.refuse(None)))
            };
        };
        let (word, token) = given.split_once(' ').unwrap_or((given, ""));
        let token = base64::decode(token.trim()).unwrap_or_default();
        match word.to_ascii_lowercase().as_str() {
            "basic" if self.basic => {
                let wanted = format!("{}:{}", account.user, account.pass.expose());
                if token == wanted.as_bytes() {
                    Ok(())
                } else {
                    Err(Box::new(self.refuse(None)))
                }
            }
            // Negotiate takes bare NTLM messages too, as IIS does.
            "ntlm" | "negotiate" if self.ntlm => {
                line.with_guest(|guest| self.windows(guest, word, &token, account, now))
            }
            _ => Err(Box::new(self.refuse(None))),
        }
    }

    fn windows(
        &self,
        guest: &mut Guest,
        word: &str,
        token: &[u8],
        account: &EwsOptions,
        now: Moment,
    ) -> Result<(), Box<Response>> {
        guest.signed_in = false;
        if token.get(8) == Some(&1) {
            let names = Names {
                domain: "LAB".to_owned(),
                computer: "EX01".to_owned(),
            };
            let turn = self.turns.fetch_add(1, Ordering::Relaxed);
            let server = Dice::new(turn ^ now.unix_ms().unsigned_abs())
                .next()
                .to_le_bytes();
            let time = FileTime::from_unix_ms(now.unix_ms());
            let Ok(begun) = Acceptor::begin(token, &names, server, time) else {
                return Err(Box::new(self.refuse(None)));
            };
            let challenge = format!("{word} {}", base64::encode(begun.challenge()));
            guest.begun = Some(begun);
            return Err(Box::new(self.refuse(Some(&challenge))));
        }
        let Some(begun) = guest.begun.take() else {
            return Err(Box::new(self.refuse(None)));
        };
        let own = self.end_point.as_deref();
        let judged = begun.judge(token, &account.user, &account.pass, own, self.protection);
        match judged {
            Ok(()) => {
                guest.signed_in = true;
                Ok(())
            }
            Err(_) => Err(Box::new(self.refuse(None))),
        }
    }

    /// The 401, with what is offered, or with the next message of a sign-in under way.
    pub(super) fn refuse(&self, challenge: Option<&str>) -> Response {
        let mut response = StatusCode::UNAUTHORIZED.into_response();
        let mut offer = |text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                response
                    .headers_mut()
                    .append(header::WWW_AUTHENTICATE, value);
            }
        };
        match challenge {
            Some(challenge) => offer(challenge),
            None => {
                for (on, word) in [
                    (self.ntlm, "Negotiate"),
                    (self.ntlm, "NTLM"),
                    (self.basic, "Basic realm=\"lab\""),
                ] {
                    if on {
                        offer(word);
                    }
                }
            }
        }
        response
    }
}
