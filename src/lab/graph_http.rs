//! The Graph face of the world: sign-in, mailbox import and export, and the lab's own pages, on one loopback address.
//!
//! It counts and refuses by the world's means. Every request that breaks a published rule is noted with the rule it breaks.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes as Chunk;

use super::face::{Face, Scissors};
use super::fault::{CallKind, Fault};
use super::graph_answer::Answer;
use super::world::{Now, World};
use super::wrong::{self, Wrong};
use super::{
    graph_batch, graph_import, graph_mailbox, graph_pages, graph_shelves, graph_token, graph_typed,
    graph_typed_files, graph_users,
};
use crate::base::event::Side;
use crate::base::limits;
use crate::base::quantity::{Bytes, Span};
use crate::wire::graph::path::Resource;
use crate::wire::graph::path_user::OfUser;

/// Who may sign in to the lab's tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabApp {
    /// Tenant id.
    pub tenant_id: String,
    /// Application id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Its certificate, in DER, where one is registered.
    pub certificate: Option<Vec<u8>>,
}

/// The face.
#[derive(Debug)]
pub(super) struct GraphFace {
    pub(super) face: Face,
    pub(super) app: LabApp,
    /// `http://127.0.0.1:<port>`, for the links in replies.
    pub(super) base: String,
    /// The ids of assertions that were used.
    pub(super) spent: Mutex<BTreeSet<String>>,
    requests: AtomicU64,
}

/// What a call found in its request.
pub(super) struct Asked<'a> {
    pub(super) parts: &'a Parts,
    pub(super) body: Chunk,
    /// True when an export must end in the truncation marker.
    pub(super) truncate: bool,
    /// True when a listing gives fewer than asked.
    pub(super) short: bool,
}

impl Asked<'_> {
    pub(super) fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or("")
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        header(self.parts, name)
    }

    /// True when the body is announced as JSON.
    pub(super) fn is_json(&self) -> bool {
        self.header("content-type")
            .is_some_and(|kind| kind.split(';').next() == Some("application/json"))
    }
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}

/// The router of the face. `base` is the address under which it is reached.
pub fn router(face: Face, app: LabApp, base: String) -> Router {
    let state = Arc::new(GraphFace {
        face,
        app,
        base,
        spent: Mutex::default(),
        requests: AtomicU64::new(0),
    });
    Router::new().fallback(handle).with_state(state)
}

async fn handle(State(lab): State<Arc<GraphFace>>, request: Request) -> Response {
    let scissors = Scissors::of(request.extensions());
    let (parts, body) = request.into_parts();
    let number = lab.requests.fetch_add(1, Ordering::Relaxed);
    let id = format!("00000000-0000-4000-8000-{number:012x}");
    let answer = lab.answer(&parts, body, &scissors).await;
    let now = lab.face.now().moment;
    answer.into_response(&id, header(&parts, "client-request-id"), now)
}

/// What a call is, for counting and weather.
struct Frame<'a> {
    mailbox: &'a str,
    kind: CallKind,
}

impl GraphFace {
    pub(super) async fn answer(&self, parts: &Parts, body: Body, scissors: &Scissors) -> Answer {
        let path = parts.uri.path();
        if path == graph_batch::PATH {
            return graph_batch::answer(self, parts, body, scissors).await;
        }
        if path.starts_with("/lab/") {
            return self.page(parts, body).await;
        }
        if let Some(answer) = graph_users::open_page(self, &parts.method, path) {
            return answer;
        }
        if let Some(tenant) = path
            .strip_prefix('/')
            .and_then(|p| p.strip_suffix("/oauth2/v2.0/token"))
        {
            let frame = Frame {
                mailbox: "",
                kind: CallKind::Token,
            };
            let act = |asked: &Asked<'_>| graph_token::token(self, tenant, asked);
            return self.framed(parts, body, scissors, frame, act).await;
        }
        if let Some(mailbox) = graph_import::mailbox_of(path) {
            let frame = Frame {
                mailbox: &mailbox,
                kind: CallKind::Import,
            };
            let act = |asked: &Asked<'_>| graph_import::import(self, &mailbox, asked);
            return self.framed(parts, body, scissors, frame, act).await;
        }
        if let Some(user) = graph_typed_files::user_of(path) {
            let frame = Frame {
                mailbox: &user,
                kind: CallKind::Attach,
            };
            let act = |asked: &Asked<'_>| graph_typed_files::session(self, asked);
            return self.framed(parts, body, scissors, frame, act).await;
        }
        let Some(resource) = Resource::parse(path) else {
            return self.unknown(parts, body).await;
        };
        let frame = Frame {
            mailbox: match &resource {
                Resource::Settings { user }
                | Resource::User { user }
                | Resource::Of { user, .. } => user,
                other => other.mailbox().unwrap_or(""),
            },
            kind: kind_of(&parts.method, &resource),
        };
        let act = |asked: &Asked<'_>| self.resource(&resource, asked);
        self.framed(parts, body, scissors, frame, act).await
    }

    /// Carries one call: admission, its body, half its latency, its effect, the other half, its weather.
    async fn framed(
        &self,
        parts: &Parts,
        body: Body,
        scissors: &Scissors,
        frame: Frame<'_>,
        act: impl FnOnce(&Asked<'_>) -> Answer,
    ) -> Answer {
        let upload = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
        let announced = header(parts, "content-length").and_then(|n| n.parse().ok());
        let announced = Bytes::new(announced.unwrap_or(0));
        let begun = self
            .face
            .begin(Side::Target, frame.mailbox, announced, upload, frame.kind);
        let most = usize::try_from(limits::LAB_BODY_MAX.get()).unwrap_or(usize::MAX);
        // Read to its end even where it is refused: a client that is still writing would not hear the answer.
        let read = to_bytes(body, most).await;
        let (flight, fault) = match begun {
            Ok(begun) => begun,
            Err(busy) => return Answer::busy(busy),
        };
        if announced > limits::LAB_BODY_MAX {
            self.invalid("a body over the limit");
            return Answer::empty(413);
        }
        let Ok(body) = read else {
            // The client went away, or sent less than it promised.
            scissors.cut();
            return Answer::empty(400);
        };
        self.face.half_latency().await;
        if let Some(fault) = fault.filter(|fault| !fault.acts()) {
            self.face.half_latency().await;
            return self.failing(fault, scissors, Answer::default()).await;
        }
        if let Some(Fault::Slow(span)) = fault {
            self.face.pass(span).await;
        }
        let answer = act(&Asked {
            parts,
            body,
            truncate: fault == Some(Fault::Truncated),
            short: fault == Some(Fault::ShortPage),
        });
        self.face.half_latency().await;
        let answer = match fault {
            Some(fault) => self.failing(fault, scissors, answer).await,
            None => answer,
        };
        flight.end(answer.len());
        answer
    }

    /// What a fault makes of an answer.
    async fn failing(&self, fault: Fault, scissors: &Scissors, answer: Answer) -> Answer {
        match fault {
            Fault::Busy(wait) => Answer::too_fast(wait, OVER_CONCURRENCY),
            Fault::Connections => Answer::too_fast(None, OVER_CONCURRENCY),
            Fault::IncomingBytes(wait) => {
                Answer::too_fast(wait, "Application is over its IncomingBytes limit.")
            }
            Fault::BusyFault(wait) => Answer::come_again(wait),
            Fault::Unavailable => Answer::html(503),
            Fault::ServerError => Answer::empty(500),
            Fault::Claims => self.challenge(401),
            Fault::ClaimsForbidden => self.challenge(403),
            Fault::Unauthorized => Answer::unauthorized(),
            Fault::GatewayBefore | Fault::GatewayAfter => Answer::error(504, "UnknownError", ""),
            Fault::ResetBefore | Fault::ResetAfter => {
                scissors.cut();
                answer
            }
            Fault::SilenceAfter => {
                // Nobody rehearses twenty minutes of silence: after a while something on the way gives up.
                self.face.pass(SILENCE).await;
                scissors.cut();
                answer
            }
            Fault::CutBody => {
                if answer.len() == Bytes::ZERO {
                    scissors.cut();
                }
                answer.cut_in_half()
            }
            // These spoil the answer where it is made, or not at all on this side.
            Fault::Truncated
            | Fault::ShortPage
            | Fault::Slow(_)
            | Fault::StateRefused
            | Fault::BusyEntry(_)
            | Fault::BusyEntries(_)
            | Fault::BatchStopped
            | Fault::Holes
            | Fault::EmptyState
            | Fault::HollowPage
            | Fault::Moving => answer,
        }
    }

    /// The challenge of whatever claims are demanded.
    fn challenge(&self, status: u16) -> Answer {
        let claims = self.world(|world, _| world.claims().map(str::to_owned));
        Answer::challenge(status, &claims.unwrap_or_default())
    }

    fn resource(&self, resource: &Resource, asked: &Asked<'_>) -> Answer {
        if let Err(refused) = self.signed_in(asked) {
            return refused;
        }
        if self.world(|world, _| world.is_wrong(Wrong::TargetThrottled)) {
            return Answer::too_fast(Some(wrong::BUSY), OVER_CONCURRENCY);
        }
        let none = self.world(|world, _| world.is_wrong(Wrong::NoImportApi));
        if none && graph_users::is_of_import(resource) {
            self.world(|world, _| world.note_no_import());
            return graph_shelves::no_such_segment();
        }
        if let Some(refused) = graph_users::forbidden(self, resource) {
            return refused;
        }
        match resource {
            Resource::ImportSession { mailbox } => match graph_users::no_import(self) {
                Some(refused) => refused,
                None => graph_import::session(self, mailbox, asked),
            },
            Resource::User { user } if asked.parts.method == Method::GET => {
                graph_users::user(self, user, asked)
            }
            Resource::DeletedUsers if asked.parts.method == Method::GET => {
                graph_users::deleted(self, asked)
            }
            Resource::Of { user, part } => graph_typed::act(self, user, part, asked),
            other => graph_mailbox::act(self, other, asked),
        }
    }

    /// Checks the bearer token. A token that ended is no broken rule; one that was never given out is.
    fn signed_in(&self, asked: &Asked<'_>) -> Result<(), Answer> {
        let token = asked
            .header("authorization")
            .and_then(|text| text.strip_prefix("Bearer "));
        let Some(token) = token else {
            self.invalid("no bearer token");
            return Err(Answer::unauthorized());
        };
        let (good, known) =
            self.world(|world, now| (world.token_ok(now, token), world.tokens.contains_key(token)));
        if !known {
            self.invalid("a token that was never given out");
        }
        let challenged = self.world(|world, _| world.claims().is_some());
        match (good, known && challenged) {
            (true, _) => Ok(()),
            (false, true) => Err(self.challenge(401)),
            (false, false) => Err(Answer::unauthorized()),
        }
    }

    /// A resource the lab does not know. Whoever would invite people is counted.
    async fn unknown(&self, parts: &Parts, body: Body) -> Answer {
        let body = to_bytes(body, PAGE_MAX).await.unwrap_or_default();
        if parts.method == Method::POST && parts.uri.path().ends_with("/events") {
            let event: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            let attendees = event.get("attendees").and_then(|a| a.as_array());
            if attendees.is_some_and(|all| !all.is_empty()) {
                self.world(|world, _| world.note_invitation());
                self.invalid("an event with attendees sends invitations");
                return Answer::error(403, "ErrorAccessDenied", "Access is denied.");
            }
        }
        self.invalid("a resource that is not part of mailbox import");
        Answer::error(400, "BadRequest", "Resource not found for the segment.")
    }

    async fn page(&self, parts: &Parts, body: Body) -> Answer {
        let body = to_bytes(body, PAGE_MAX).await.unwrap_or_default();
        graph_pages::page(self, parts, &body)
    }

    pub(super) fn world<T>(&self, act: impl FnOnce(&mut World, Now) -> T) -> T {
        self.face.with(act)
    }

    pub(super) fn invalid(&self, why: &str) {
        self.face.invalid(Side::Target, why);
    }

    /// Refuses a request that breaks a rule, and notes which.
    pub(super) fn broken(&self, why: &str) -> Answer {
        self.invalid(why);
        Answer::error(400, "BadRequest", why)
    }
}

/// What a call on a user's items is: what makes or changes one is an import by fields.
fn kind_of_user(method: &Method, part: &OfUser) -> CallKind {
    let get = *method == Method::GET;
    match part {
        OfUser::AttachmentValue { .. } if get => CallKind::Export,
        _ if get => CallKind::Read,
        _ if *method == Method::DELETE => CallKind::Delete,
        OfUser::MailFolders
        | OfUser::ChildMailFolders { .. }
        | OfUser::Calendars
        | OfUser::ContactFolders
        | OfUser::ChildContactFolders { .. } => CallKind::MakeFolder,
        OfUser::MailFolder { .. } | OfUser::Calendar { .. } | OfUser::ContactFolder { .. } => {
            CallKind::Read
        }
        OfUser::PermanentDelete { .. } => CallKind::Delete,
        OfUser::Attachments { .. } | OfUser::UploadSession { .. } | OfUser::Photo { .. } => {
            CallKind::Attach
        }
        _ => CallKind::Import,
    }
}

const OVER_CONCURRENCY: &str = "Application is over its MailboxConcurrency limit.";

/// How long a client waits in vain.
const SILENCE: Span = Span::from_secs(1);

/// Bodies of pages and of requests nobody knows.
const PAGE_MAX: usize = 4_000_000;

fn kind_of(method: &Method, resource: &Resource) -> CallKind {
    match resource {
        Resource::ImportSession { .. } => CallKind::OpenSession,
        Resource::Export { .. } => CallKind::Export,
        Resource::Item { .. } if *method == Method::DELETE => CallKind::Delete,
        Resource::Of { part, .. } => kind_of_user(method, part),
        Resource::Folders { .. } | Resource::ChildFolders { .. } if *method == Method::POST => {
            CallKind::MakeFolder
        }
        _ => CallKind::Read,
    }
}
