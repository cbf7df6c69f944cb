//! What came back instead of a result, and what can be said about it. One enum per question: [`Setback`] is what happened,
//! [`Verdict`] is what we do next. Nobody asks an error whether it is retryable; `flow::judge` answers that in one table.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::quantity::Span;

/// A code word out of a reply (`ErrorServerBusy`, `ApplicationThrottled`). Only letters, digits and `_ . : -`, at most 80 of them,
/// so that no content, address or token of a reply can ride along into a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(String);

impl Code {
    /// Keeps `text` if it is a code word.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty()
            && text.len() <= 80
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b));
        fits.then(|| Self(text.to_owned()))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the far side said, as far as it may be repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The code word of the reply, where there was one.
    pub code: Option<Code>,
}

impl Said {
    /// A status and a code word; an unprintable code is dropped.
    pub fn new(status: u16, code: &str) -> Self {
        Self {
            status: Some(status),
            code: Code::new(code),
        }
    }

    /// A status alone.
    pub fn status(status: u16) -> Self {
        Self {
            status: Some(status),
            code: None,
        }
    }

    /// A code word alone.
    pub fn code(code: &str) -> Self {
        Self {
            status: None,
            code: Code::new(code),
        }
    }
}

/// The code under which a throttle for too many calls at once on one mailbox is reported: the service's own word, out of its message.
pub const CROWDED: &str = "MailboxConcurrency";

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.status, &self.code) {
            (Some(status), Some(code)) => write!(f, "HTTP {status}, {code}"),
            (Some(status), None) => write!(f, "HTTP {status}"),
            (None, Some(code)) => write!(f, "{code}"),
            (None, None) => f.write_str("no reason given"),
        }
    }
}

/// Whom a throttle concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Everything we ask of the source server.
    SourceServer,
    /// One mailbox on the source.
    SourceMailbox,
    /// One mailbox on the target, for our application.
    TargetMailbox,
    /// Everything our application asks of the target.
    TargetApp,
}

/// Why the far side was not reached. Nothing of the request left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnreachedCause {
    /// The name did not resolve.
    Name,
    /// No connection was made.
    Connect,
    /// TLS was not agreed, or the certificate not trusted.
    Tls,
    /// We would have sent credentials in clear to a host that is not loopback.
    NotSecure,
}

/// Why we cannot know whether a request took effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DoubtCause {
    /// The process ended between intent and answer.
    Crash,
    /// No answer within the time allowed.
    TimedOut,
    /// The connection broke after the first byte left.
    Reset,
    /// A gateway or the service answered with an error after it may have done the work.
    Answered(Said),
    /// An answer came that could not be read.
    Unreadable(MisreadCause),
    /// A person asked to look again.
    Asked,
}

/// Why a reply was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MisreadCause {
    /// It ended before its closing element.
    CutOff,
    /// It is a web page.
    Html,
    /// It is not XML or JSON, or not well-formed.
    Malformed,
    /// It is well-formed, but what must be there is missing.
    Incomplete,
    /// It is larger than any honest reply.
    TooLarge,
}

/// Why one item will not be carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Who said no, and to what.
    pub why: RefusalWhy,
    /// What was said.
    pub said: Said,
}

/// The kinds of refusal, each one a line in the balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RefusalWhy {
    /// The source cannot read the item (corrupt).
    SourceCorrupt,
    /// The source may not or will not hand it out (rights, its own virus scanner, size).
    SourceDenied,
    /// The target says it is too large.
    TooLarge,
    /// The target does not take this stream.
    TargetRefused,
    /// It travels by the typed route, which has no form for its class.
    NoTypedForm,
}

/// Why work on one mailbox stops until somebody acts. Other mailboxes go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HaltCause {
    /// The source has no such mailbox.
    NoSourceMailbox,
    /// The service account may not impersonate this mailbox.
    ImpersonationDenied,
    /// The source denies access.
    SourceDenied,
    /// The mailbox is being moved.
    Moving,
    /// The target has no such user, or the user no mailbox (unlicensed, still on-premises).
    NoTargetMailbox,
    /// Our application may not work on this mailbox.
    TargetDenied,
    /// The target mailbox is full.
    QuotaFull,
    /// Too many setbacks in a row.
    Exhausted,
    /// Our request was wrong. A bug; never looped on.
    OurRequest,
}

/// Why the whole run stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StopCause {
    /// The source does not accept the credentials.
    SourceCredentials,
    /// The target does not accept the credentials.
    TargetCredentials,
    /// The tenant is unknown.
    UnknownTenant,
    /// The service account holds no impersonation right at all.
    NoImpersonation,
    /// The application holds no right for the import API at all.
    NoRights,
    /// The source's URL is not that of EWS (404, a web page, a redirect to a login page).
    WrongSourceAddress,
    /// A URL of the target is not that of the service.
    WrongTargetAddress,
    /// The source could not be reached for as long as we try.
    SourceUnreachable,
    /// The target could not be reached for as long as we try.
    TargetUnreachable,
    /// The source refuses the EWS version or our kind of client.
    ClientRefused,
}

/// What came back instead of a result. Classified once, by the adapter that read the reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setback {
    /// Refused before acting, for being too fast. `wait` is what the far side asked for.
    Throttled {
        /// Whom it concerns.
        scope: Scope,
        /// Retry-After or BackOffMilliseconds, rounded up to a millisecond.
        wait: Option<Span>,
        /// What was said.
        said: Said,
    },
    /// Nothing left this machine.
    Unreached(UnreachedCause),
    /// The request left, no usable answer came.
    Lost(DoubtCause),
    /// A 5xx that may hide a success.
    GatewayGaveUp(Said),
    /// The far side is unwell and says so; a read may simply be asked again.
    Unwell(Said),
    /// Token or import session is no longer valid; refused before acting. A new one helps.
    Expired(Said),
    /// An export ended in the truncation marker; nothing of it may be used.
    Truncated,
    /// The batch was given up before this item's turn. Says nothing about the item.
    NotTried(Said),
    /// The item is no longer there.
    Gone,
    /// The folder is no longer there.
    FolderGone,
    /// The sync state or delta token is refused; enumerate again.
    StateInvalid,
    /// This item cannot be carried.
    ItemRefused(Refusal),
    /// This mailbox cannot be worked on.
    MailboxClosed(HaltCause, Said),
    /// This side cannot be worked with at all.
    SideClosed(StopCause, Said),
    /// The reply was not understood.
    Misread(MisreadCause, Said),
    /// The far side says our request is wrong.
    OurRequest(Said),
    /// This machine failed us (disk full, file not readable), before anything was sent.
    Local(LocalCause),
}

impl Setback {
    /// True for a throttle that is about calls at once, not about their number or bytes.
    pub fn is_crowded(&self) -> bool {
        matches!(self, Self::Throttled { said, .. }
            if said.code.as_ref().is_some_and(|code| code.as_str() == CROWDED))
    }
}

/// What failed on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LocalCause {
    /// No room on the disk of the spool.
    DiskFull,
    /// The spool could not be written or read.
    Spool,
    /// The item does not fit the configured spool.
    TooLargeForSpool,
    /// The engine that looks into items does not answer.
    NoScreening,
    /// A withheld item could not be recorded.
    Quarantine,
}

impl fmt::Display for Setback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Throttled {
                wait: Some(wait),
                said,
                ..
            } => {
                write!(f, "throttled ({said}), asked to wait {wait}")
            }
            Self::Throttled {
                wait: None, said, ..
            } => write!(f, "throttled ({said})"),
            Self::Unreached(UnreachedCause::Name) => f.write_str("host name not found"),
            Self::Unreached(UnreachedCause::Connect) => f.write_str("no connection"),
            Self::Unreached(UnreachedCause::Tls) => f.write_str("no TLS connection"),
            Self::Unreached(UnreachedCause::NotSecure) => {
                f.write_str("credentials would travel in clear; use https")
            }
            Self::Lost(cause) => write!(f, "no usable answer ({cause:?})"),
            Self::GatewayGaveUp(said) => write!(f, "server error ({said})"),
            Self::Unwell(said) => write!(f, "server unwell ({said})"),
            Self::Expired(said) => write!(f, "sign-in or session expired ({said})"),
            Self::Truncated => f.write_str("export cut short by the server"),
            Self::NotTried(said) => write!(f, "batch stopped before this item ({said})"),
            Self::Gone => f.write_str("item no longer there"),
            Self::FolderGone => f.write_str("folder no longer there"),
            Self::StateInvalid => f.write_str("sync state refused"),
            Self::ItemRefused(refusal) => {
                write!(f, "item refused ({:?}, {})", refusal.why, refusal.said)
            }
            Self::MailboxClosed(why, said) => write!(f, "mailbox closed to us ({why:?}, {said})"),
            Self::SideClosed(why, said) => write!(f, "refused ({why:?}, {said})"),
            Self::Misread(why, said) => write!(f, "reply not understood ({why:?}, {said})"),
            Self::OurRequest(said) => write!(f, "our request was refused as wrong ({said})"),
            Self::Local(why) => write!(f, "this machine failed ({why:?})"),
        }
    }
}

/// What we do about a setback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Do the same again after a back-off, a bounded number of times.
    Again,
    /// Nobody of this scope asks before the wait is over; then again. Does not count as an attempt.
    Hold {
        /// Who waits.
        scope: Scope,
        /// At least this long; `None` leaves it to the back-off.
        at_least: Option<Span>,
    },
    /// Leave the mailbox alone for a while, then again; after so many times without success stop it for this reason.
    Pause(HaltCause),
    /// Fetch a new token or session, then again.
    Renew,
    /// The create may have happened: look at the target before anything else.
    Doubt(DoubtCause),
    /// The item goes to the refused bucket.
    Refuse(Refusal),
    /// The item has left the source; its row says so.
    Forget,
    /// List the folders again.
    Resurvey,
    /// Enumerate this folder again from the start.
    Resync,
    /// Stop this mailbox.
    Halt(HaltCause),
    /// Stop the run.
    Stop(StopCause),
    /// Stop the run in order: this machine is not fit to go on.
    Drain(LocalCause),
}
