//! One EWS call: envelope out, reply in. Impersonation and `X-AnchorMailbox` name the same mailbox on every call: it decides routing, budget
//! and object limits (reference/ews.md section 2).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::base::id::MailboxId;
use crate::base::limits;
use crate::base::outcome::{Said, Setback};
use crate::base::quantity::Span;
use crate::base::secret::{SafeUrl, Secret};
use crate::transport::{Auth, Call as HttpCall, CallBody, CallKind, Http, Method, Reply as Answer};
use crate::wire::ews::classify::{self, Hints, Place};
use crate::wire::ews::reply::{self, Operation, Reply};
use crate::wire::ews::request::Call;
use crate::wire::soap::RequestHeader;

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
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { .. } => f.write_str("Basic"),
        }
    }
}

/// Sign-ins refused in a row. Once the account was accepted, a 401 may be the passing trouble of a loaded server or of one connection:
/// two are asked again, the third stops the run before the account is locked (reference/ews.md section 3, HTTP level).
#[derive(Debug)]
struct Refusals(AtomicU32);

impl Refusals {
    /// More than any run of refusals: the account was never accepted.
    const NEVER_ACCEPTED: u32 = u32::MAX / 2;
    const PASSING: u32 = 2;

    fn accepted(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Counts one, and says whether it may pass.
    fn refused(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) < Self::PASSING
    }
}

/// The way to one server.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: Http,
    url: SafeUrl,
    sign_in: SignIn,
    refusals: Arc<Refusals>,
}

impl Client {
    pub(super) fn new(http: Http, url: SafeUrl, sign_in: SignIn) -> Self {
        Self {
            http,
            url,
            sign_in,
            refusals: Arc::new(Refusals(AtomicU32::new(Refusals::NEVER_ACCEPTED))),
        }
    }

    /// The way there, for whoever asks without signing in.
    pub(super) const fn door(&self) -> (&Http, &SafeUrl) {
        (&self.http, &self.url)
    }

    /// Sends a call and returns the head of its answer: one that may hold an envelope.
    pub(super) async fn send(
        &self,
        mailbox: &MailboxId,
        call: &Call,
        kind: CallKind,
    ) -> Result<Answer, Setback> {
        let auth = auth_of(&self.sign_in);
        let envelope = call.write(&RequestHeader::acting_for(mailbox));
        let request = HttpCall::new(Method::Post, self.url.clone())
            .header("Content-Type", "text/xml; charset=utf-8")
            .header("Accept", "text/xml")
            .header("X-AnchorMailbox", mailbox.reveal())
            .auth(auth)
            .body(CallBody::bytes(envelope))
            .kind(kind);
        let answer = self.http.send(request).await?;
        match answer.status() {
            401 if self.refusals.refused() => Err(Setback::Expired(Said::status(401))),
            status if may_hold_envelope(status) => {
                self.refusals.accepted();
                Ok(answer)
            }
            status => Err(classify::http(status, hints(&answer))),
        }
    }

    /// Sends a call whose reply fits in memory, and reads it whole.
    pub(super) async fn ask<O: Operation>(
        &self,
        mailbox: &MailboxId,
        call: &Call,
        place: Place,
    ) -> Result<Reply<O::Payload>, Setback> {
        let answer = self.send(mailbox, call, CallKind::Ask).await?;
        let (status, hints) = (answer.status(), hints(&answer));
        let body = answer.read_all(limits::REPLY_MAX).await?;
        match reply::read::<O>(&body) {
            Ok(reply) if status == 200 => Ok(reply),
            Ok(_) => Err(classify::http(status, hints)),
            Err(why) => Err(classify::no_reply(status, hints, &why, place)),
        }
    }
}

/// What goes with each request.
pub(super) fn auth_of(sign_in: &SignIn) -> Auth {
    match sign_in {
        SignIn::Basic { user, pass } => Auth::Basic {
            user: user.clone(),
            pass: pass.clone(),
        },
    }
}

/// Only these answers are worth reading: results, and faults.
const fn may_hold_envelope(status: u16) -> bool {
    matches!(status, 200 | 500)
}

/// What the headers of an answer say.
pub(super) fn hints(answer: &Answer) -> Hints {
    let seconds = answer
        .header("Retry-After")
        .and_then(|v| v.trim().parse().ok());
    let location = answer.header("Location").unwrap_or_default();
    Hints {
        retry_after: seconds.map(Span::from_secs),
        to_error_page: location.to_ascii_lowercase().contains("genericerrorpage"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_refusal_stops_and_later_ones_pass_twice() {
        let refusals = Refusals(AtomicU32::new(Refusals::NEVER_ACCEPTED));
        assert!(!refusals.refused());
        for _ in 0..2 {
            refusals.accepted();
            let passed: Vec<bool> = (0..4).map(|_| refusals.refused()).collect();
            assert_eq!(passed, [true, true, false, false]);
        }
    }

    #[test]
    fn a_printed_sign_in_shows_nobody() {
        let sign_in = SignIn::Basic {
            user: "CLINIC\\svc".to_owned(),
            pass: Secret::new("hunter2"),
        };
        assert_eq!(format!("{sign_in:?}"), "Basic");
    }
}
