//! What a look at the two sides shows before anything is moved: words for answers, no judgement. Judged by `preflight`.

use crate::base::build::Build;
use crate::base::outcome::{Setback, UnreachedCause};
use crate::base::quantity::{Bytes, Count, Moment};
use crate::base::route::Route;
use crate::base::secret::Private;

/// Which server of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// The on-premises Exchange (`ews_url`).
    Source,
    /// Where tokens come from (`login_url`).
    Login,
    /// Microsoft Graph (`graph_url`).
    Graph,
}

impl Server {
    /// True for the on-premises side.
    pub const fn is_source(self) -> bool {
        matches!(self, Self::Source)
    }
}

/// What a server shows to somebody who has not signed in. Steps that were not reached are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSight {
    /// Host and port, as connected to.
    pub place: String,
    /// True where the URL is https.
    pub secure: bool,
    /// True where the URL names this machine.
    pub loopback: bool,
    /// Addresses its name resolves to; `None` where it did not resolve.
    pub addresses: Option<u32>,
    /// Whether a connection was made to one of them.
    pub connected: Option<bool>,
    /// What its TLS shows; `None` for clear text and where no connection was made.
    pub tls: Option<TlsSight>,
    /// What it answers to a request without credentials.
    pub answer: Option<Result<AnswerSight, Setback>>,
}

impl ServerSight {
    /// Nothing was tried yet.
    pub fn of(place: String, secure: bool, loopback: bool) -> Self {
        Self {
            place,
            secure,
            loopback,
            addresses: None,
            connected: None,
            tls: None,
            answer: None,
        }
    }

    /// True where a request may be sent: connected, and its TLS trusted where it speaks TLS.
    pub fn is_open(&self) -> bool {
        let trusted = match &self.tls {
            Some(tls) => tls.trust == Trust::Trusted && tls.version.is_some(),
            None => !self.secure,
        };
        self.connected == Some(true) && trusted
    }
}

/// Whether a certificate is one to trust, as the verification in use says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It is.
    Trusted,
    /// Nobody this machine trusts has issued it.
    UnknownIssuer,
    /// It has ended.
    Expired,
    /// It has not begun.
    NotYet,
    /// It is for other names.
    WrongName,
    /// It was withdrawn.
    Revoked,
    /// It is not usable for another reason.
    Unusable,
    /// The handshake ended before a certificate was shown.
    NotShown,
}

/// What a TLS handshake shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSight {
    /// `TLS 1.3` or `TLS 1.2`; `None` where the handshake failed for another reason than the certificate.
    pub version: Option<&'static str>,
    /// What the verification says.
    pub trust: Trust,
    /// When the server's own certificate ends.
    pub ends: Option<Moment>,
    /// The names it is for, at most ten.
    pub names: Vec<String>,
    /// Certificates shown.
    pub chain: u32,
}

/// An answer to a request without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerSight {
    /// Its HTTP status.
    pub status: u16,
    /// Sign-in methods it offers, in its order (`Negotiate`, `NTLM`, `Basic`, `Bearer`).
    pub methods: Vec<String>,
    /// What its clock says.
    pub date: Option<Moment>,
    /// What ours said when the answer came.
    pub at: Moment,
    /// The word of an error in the body, where it has one (`AADSTS90002`).
    pub code: Option<String>,
}

/// What the source says of one mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The server's build, where it says so.
    pub build: Option<Build>,
}

/// The largest item of a mailbox, and where to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargestItem {
    /// Its id.
    pub id: crate::base::id::ItemId,
    /// Its class.
    pub class: crate::base::item::ItemClass,
    /// Its size as listed.
    pub size: Bytes,
}

/// What an access token says of itself. Nobody checks its signature: it is for information, and rights are proved by calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSight {
    /// Application permissions; `None` where the token cannot be read.
    pub roles: Option<Vec<String>>,
    /// The tenant's id.
    pub tenant: Option<String>,
}

/// What the directory says of a user of the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserSight {
    /// Exchange plans that are enabled for it, by service plan id.
    pub exchange_plans: Vec<String>,
    /// `None` where the directory does not say.
    pub licences_known: bool,
    /// True where it comes from a directory on premises.
    pub on_premises: bool,
    /// SMTP addresses it has, in lower case.
    pub addresses: Vec<Private>,
}

/// What is known of a user that a look did not find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// The directory has no such user, not among the deleted ones either.
    Never,
    /// It was deleted and can be restored.
    Deleted,
    /// The deleted ones could not be looked at.
    NotChecked,
}

/// The state directory as the file system shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateSight {
    /// Why it cannot be used; empty where it can.
    pub trouble: Option<StateTrouble>,
    /// Bytes free on its disk, where the system says so.
    pub free: Option<Bytes>,
}

/// Why a state directory cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateTrouble {
    /// Another run holds it.
    Held(String),
    /// It belongs to another plan.
    OtherPlan(String),
    /// It cannot be made or written.
    NotWritable(String),
}

/// How an attempt to move one real item of a class there and back ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanaryEnd {
    /// Imported, read back, and the same.
    Same,
    /// Made by its class and read back, and the same but for so many fields that the route is known to write in another way.
    ByRoute(u32),
    /// Imported and read back, and the content differs.
    Differs,
    /// Made by its class and read back, and these fields differ, for which the table has no word. Names of fields, never their values.
    DiffersIn(Vec<String>),
    /// Imported and read back, but the content cannot be compared: the reader does not know all of it.
    NotComparable,
    /// The source did not hand it out.
    NotExported(Setback),
    /// The target did not take it.
    Refused(Setback),
    /// It may have been taken; nobody can tell.
    Doubtful(Setback),
    /// Taken, and could not be read back.
    NotReadBack(Setback),
}

/// One item's journey there and back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryTrial {
    /// Its class.
    pub class: String,
    /// Its size as listed.
    pub size: Bytes,
    /// True for the largest item that was found, which is carried to prove its size.
    pub largest: bool,
    /// By which route it travelled.
    pub route: Route,
    /// How it ended.
    pub end: CanaryEnd,
}

/// What became of our folder and our copies in one mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Nothing of ours is left.
    Clean,
    /// Something is left, and why.
    Left {
        /// Items of ours that are still there.
        items: Count,
        /// Why.
        why: String,
    },
}

/// True for a setback before anything left this machine.
pub const fn is_unreached(setback: &Setback) -> Option<UnreachedCause> {
    match setback {
        Setback::Unreached(cause) => Some(*cause),
        _ => None,
    }
}

/// How the search for the source's EWS URL ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HuntSight {
    /// Here it is.
    Found {
        /// The URL.
        ews_url: String,
        /// The place that said so.
        said_by: String,
    },
    /// It leads to a host nobody allowed; nothing was sent there.
    Elsewhere {
        /// Which host.
        host: String,
        /// The place that leads there.
        said_by: String,
    },
    /// Nobody knows. Each place with what it said.
    Nowhere(Vec<(String, String)>),
}
