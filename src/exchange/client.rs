//! One EWS call: envelope out, reply in. Impersonation and `X-AnchorMailbox` name the same mailbox on every call: it decides routing, budget
//! and object limits (reference/ews.md section 2).

use std::fmt;

use crate::base::id::MailboxId;
use crate::base::limits;
use crate::base::outcome::Setback;
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

/// The way to one server.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: Http,
    url: SafeUrl,
    sign_in: SignIn,
}

impl Client {
    pub(super) fn new(http: Http, url: SafeUrl, sign_in: SignIn) -> Self {
        Self { http, url, sign_in }
    }

    /// Sends a call and returns the head of its answer.
    pub(super) async fn send(
        &self,
        mailbox: &MailboxId,
        call: &Call,
        kind: CallKind,
    ) -> Result<Answer, Setback> {
        let auth = match &self.sign_in {
            SignIn::Basic { user, pass } => Auth::Basic {
                user: user.clone(),
                pass: pass.clone(),
            },
        };
        let envelope = call.write(&RequestHeader::acting_for(mailbox));
        let request = HttpCall::new(Method::Post, self.url.clone())
            .header("Content-Type", "text/xml; charset=utf-8")
            .header("Accept", "text/xml")
            .header("X-AnchorMailbox", mailbox.reveal())
            .auth(auth)
            .body(CallBody::bytes(envelope))
            .kind(kind);
        self.http.send(request).await
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
        if !may_hold_envelope(status) {
            return Err(classify::http(status, hints));
        }
        let body = answer.read_all(limits::REPLY_MAX).await?;
        match reply::read::<O>(&body) {
            Ok(reply) if status == 200 => Ok(reply),
            Ok(_) => Err(classify::http(status, hints)),
            Err(why) => Err(classify::no_reply(status, hints, &why, place)),
        }
    }
}

/// Only these answers are worth reading: results, and faults.
pub(super) const fn may_hold_envelope(status: u16) -> bool {
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
