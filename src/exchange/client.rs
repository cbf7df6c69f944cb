//! One EWS call: envelope out, reply in. Impersonation and `X-AnchorMailbox` name the same mailbox on every call: it decides routing, budget
//! and object limits (reference/ews.md section 2).

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::id::MailboxId;
use crate::base::limits;
use crate::base::outcome::{Said, Setback};
use crate::base::quantity::{Bytes, Span};
use crate::base::secret::SafeUrl;
use crate::exchange::sign_in::SignIn;
use crate::exchange::trouble::SourceTrouble;
use crate::port::clock::Clock;
use crate::transport::{
    Call as HttpCall, CallBody, CallKind, Http, Method, ProofFault, Reply as Answer,
};
use crate::wire::ews::classify::{self, Hints, Place};
use crate::wire::ews::elsewhere::{self, Elsewhere};
use crate::wire::ews::reply::{self, Operation, Reply};
use crate::wire::ews::request::Call;
use crate::wire::graph::retry_after::http_date;
use crate::wire::sign_in::{Attempt, Flaw, Offered, SignInTrouble, diagnose};
use crate::wire::soap::RequestHeader;

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

    /// True once the account was accepted.
    fn accepted_before(&self) -> bool {
        self.0.load(Ordering::Relaxed) < Self::NEVER_ACCEPTED
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
    clock: Option<Arc<dyn Clock>>,
    trouble: Arc<Mutex<Option<SourceTrouble>>>,
}

impl Client {
    pub(super) fn new(http: Http, url: SafeUrl, sign_in: SignIn) -> Self {
        Self {
            http,
            url,
            sign_in,
            refusals: Arc::new(Refusals(AtomicU32::new(Refusals::NEVER_ACCEPTED))),
            clock: None,
            trouble: Arc::default(),
        }
    }

    /// With a clock, tells how far the server's is from ours.
    pub(super) fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// What stood in the way last.
    pub(super) fn trouble(&self) -> Option<SourceTrouble> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    fn note(&self, trouble: SourceTrouble) {
        let mut last = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(trouble);
    }

    /// What an answer without an envelope says about where we are, by its head.
    fn note_answer(&self, answer: &Answer) {
        match answer.status() {
            401 => self.note(SourceTrouble::SignIn(self.explain(answer))),
            300..=399 => {
                let to = answer.header("Location").unwrap_or_default();
                let elsewhere = elsewhere::redirect(self.url.expose(), to);
                self.note(SourceTrouble::Elsewhere(elsewhere));
            }
            404 | 405 => self.note(SourceTrouble::Elsewhere(Elsewhere::NotFound)),
            _ => {}
        }
    }

    /// Why a sign-in was refused.
    fn explain(&self, answer: &Answer) -> SignInTrouble {
        let proof = answer.proof();
        let date = answer.header("Date").and_then(http_date);
        let skew = date
            .zip(self.clock.as_ref())
            .map(|(theirs, clock)| Span::new(theirs.unix_ms().abs_diff(clock.moment().unix_ms())));
        let attempt = Attempt {
            tried: self.sign_in.scheme(),
            legs: proof.legs,
            tls: answer.tls().is_some(),
            flaw: match proof.fault {
                Some(ProofFault::NotKept) => Some(Flaw::BrokenOff),
                Some(ProofFault::Unreadable) => Some(Flaw::Unreadable),
                _ => None,
            },
            skew,
            accepted_before: self.refusals.accepted_before(),
        };
        diagnose(Offered::read(answer.headers("WWW-Authenticate")), &attempt)
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
        let envelope = call.write(&RequestHeader::acting_for(mailbox));
        let request = HttpCall::new(Method::Post, self.url.clone())
            .header("Content-Type", "text/xml; charset=utf-8")
            .header("Accept", "text/xml")
            .header("X-AnchorMailbox", mailbox.reveal())
            .auth(self.sign_in.auth())
            .body(CallBody::bytes(envelope))
            .kind(kind);
        let sent = self.http.send(request).await;
        if let (Err(Setback::Unreached(_)), Some(why)) = (&sent, self.http.trouble()) {
            self.note(SourceTrouble::Connect(why));
        }
        if let Err(Setback::SideClosed(..)) = &sent {
            // The transport knows only one reason to give up by itself.
            self.note(SourceTrouble::NoTicket);
        }
        let answer = sent?;
        self.note_answer(&answer);
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
        let max = limits::REPLY_MAX;
        self.ask_within::<O>(mailbox, call, place, max).await
    }

    /// The same, with a reply of at most `max`.
    pub(super) async fn ask_within<O: Operation>(
        &self,
        mailbox: &MailboxId,
        call: &Call,
        place: Place,
        max: Bytes,
    ) -> Result<Reply<O::Payload>, Setback> {
        let answer = self.send(mailbox, call, CallKind::Ask).await?;
        let (status, hints) = (answer.status(), hints(&answer));
        let kind = answer.header("Content-Type").map(str::to_owned);
        let body = answer.read_all(max).await?;
        match reply::read::<O>(&body) {
            Ok(reply) if status == 200 => Ok(reply),
            Ok(_) => Err(classify::http(status, hints)),
            Err(why) => {
                if matches!(why, reply::NoReply::Misread(_)) {
                    let page = elsewhere::page(kind.as_deref(), &body);
                    self.note(SourceTrouble::Elsewhere(page));
                }
                Err(classify::no_reply(status, hints, &why, place))
            }
        }
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
}
