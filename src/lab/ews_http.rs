//! The SOAP face of the lab's Exchange: HTTP, sign-in, impersonation, the schema's strictness, weather, and exports streamed item by item.
//! What is answered comes from `ews_answers`. Loopback only; whoever binds the socket sees to that.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use bytes::Bytes as Chunk;
use futures_util::{StreamExt as _, stream};

use super::direct::lock;
use super::ews_answers::{Answer, Desk};
use super::ews_sign_in::SignInRules;
use super::ews_stream::ExportStream;
use super::ews_typed;
use super::ews_weather;
use super::face::{Face, Flight, Scissors};
use super::fault::{CallKind, Fault};
use super::world::{Limit, World};
use super::wrong::{self, Wrong};
use crate::base::event::Side;
use crate::base::limits;
use crate::base::quantity::Bytes;
use crate::base::secret::Secret;
use crate::wire::autodiscover::reply::Reply;
use crate::wire::autodiscover::{pox, soap};
use crate::wire::ews::request::{self, Call, Incoming, Rejected};
use crate::wire::soap::{Fault as SoapFault, Impersonation};

/// Who may sign in, and for whom.
#[derive(Clone)]
pub struct EwsOptions {
    /// Name of the service account.
    pub user: String,
    /// Its password.
    pub pass: Secret,
    /// Mailboxes, lower-case, outside the account's impersonation scope.
    pub denied: BTreeSet<String>,
}

/// The face with its accounts.
#[derive(Clone)]
struct Desktop {
    face: Face,
    options: Arc<EwsOptions>,
    rules: Arc<SignInRules>,
}

/// The routes of the face. Time is the lab's; connections are cut where the face is served with connection info.
pub fn router(face: Face, options: EwsOptions) -> Router {
    router_with(face, options, SignInRules::default())
}

/// The same, with the sign-in as the virtual directory is set.
pub fn router_with(face: Face, options: EwsOptions, rules: SignInRules) -> Router {
    let desktop = Desktop {
        face,
        options: Arc::new(options),
        rules: Arc::new(rules),
    };
    Router::new()
        .route("/EWS/Exchange.asmx", any(serve))
        .route("/ews/exchange.asmx", any(serve))
        .route(SOAP_PATH, any(discover))
        .route("/autodiscover/autodiscover.xml", any(discover))
        .with_state(desktop)
}

/// Serves a call, and says when by the lab's own clock.
async fn serve(State(desktop): State<Desktop>, request: Request) -> Response {
    let face = desktop.face.clone();
    let mut response = answer(desktop, request).await;
    if let Some(date) = super::graph_answer::date_of(face.now().moment) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// Autodiscover by SOAP; the other path takes plain XML.
const SOAP_PATH: &str = "/autodiscover/autodiscover.svc";

/// Autodiscover, in the form its path says.
async fn discover(State(desktop): State<Desktop>, request: Request) -> Response {
    let soap = request.uri().path() == SOAP_PATH;
    let (parts, body) = request.into_parts();
    if let Some(elsewhere) = desktop.elsewhere() {
        return elsewhere;
    }
    if let Err(refused) = desktop.signed_in(&parts) {
        // A connection whose request is not read to its end cannot carry the next leg.
        let _ = to_bytes(body, limits::EWS_REQUEST_MAX).await;
        return *refused;
    }
    if parts.method != Method::POST || !is_xml(&parts.headers) {
        desktop.note("Autodiscover is asked by POST of text/xml");
        return status(StatusCode::METHOD_NOT_ALLOWED);
    }
    let bytes = to_bytes(body, limits::EWS_REQUEST_MAX)
        .await
        .unwrap_or_default();
    let asked = if soap {
        soap::asked(&bytes)
    } else {
        pox::asked(&bytes)
    };
    let Some(mailbox) = asked else {
        desktop.note("an Autodiscover request that names no mailbox");
        return status(StatusCode::BAD_REQUEST);
    };
    let reply = {
        let world = lock(&desktop.face.world);
        match world.source_root(&mailbox) {
            Ok(_) => Reply::Ews(world.ews_url.clone()),
            Err(_) => Reply::Refused(None),
        }
    };
    let text = if soap {
        soap::write(&reply)
    } else {
        pox::write(&reply)
    };
    ews_weather::xml(StatusCode::OK, Body::from(text))
}

async fn answer(desktop: Desktop, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if desktop.is_wrong(Wrong::WrongEwsUrl) {
        return status(StatusCode::NOT_FOUND);
    }
    let refused = [
        Wrong::WrongPassword,
        Wrong::AccountLocked,
        Wrong::EwsOtherAuth,
    ];
    if refused.iter().any(|wrong| desktop.is_wrong(*wrong)) {
        return unauthorized(!desktop.is_wrong(Wrong::EwsOtherAuth));
    }
    let scissors = Scissors::of(&parts.extensions);
    if let Err(refused) = desktop.signed_in(&parts) {
        // A connection whose request is not read to its end cannot carry the next leg.
        let _ = to_bytes(body, limits::EWS_REQUEST_MAX).await;
        return *refused;
    }
    if parts.method != Method::POST {
        return status(StatusCode::METHOD_NOT_ALLOWED);
    }
    let Ok(bytes) = to_bytes(body, limits::EWS_REQUEST_MAX).await else {
        desktop.note("a request above 64 MB, or one that breaks off");
        return status(StatusCode::PAYLOAD_TOO_LARGE);
    };
    if !is_xml(&parts.headers) {
        desktop.note("a request that is not text/xml");
        return status(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    desktop.take(&parts.headers, bytes, scissors).await
}

fn is_xml(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.to_ascii_lowercase().starts_with("text/xml"))
}

fn status(code: StatusCode) -> Response {
    code.into_response()
}

fn unauthorized(basic: bool) -> Response {
    let mut response = status(StatusCode::UNAUTHORIZED);
    let methods = ["Negotiate", "NTLM", "Basic realm=\"lab\""];
    for method in &methods[..if basic { 3 } else { 2 }] {
        let value = HeaderValue::from_static(method);
        response
            .headers_mut()
            .append(header::WWW_AUTHENTICATE, value);
    }
    response
}

const fn kind_of(call: &Call) -> CallKind {
    match call {
        Call::ExportItems(_) | Call::GetAttachment(_) => CallKind::Export,
        Call::GetItem(call) if call.shape.mime => CallKind::Export,
        Call::SyncFolderItems(_) | Call::SyncFolderHierarchy(_) => CallKind::Sync,
        Call::GetFolder(_)
        | Call::FindFolder(_)
        | Call::FindItem(_)
        | Call::GetItem(_)
        | Call::GetInboxRules(_)
        | Call::GetDelegate(_)
        | Call::GetUserOofSettings(_) => CallKind::Read,
    }
}

impl Desktop {
    /// Lets a request in, or answers it.
    fn signed_in(&self, parts: &Parts) -> Result<(), Box<Response>> {
        let line = Scissors::of(&parts.extensions);
        let now = self.face.now().moment;
        self.rules.admit(&parts.headers, &self.options, &line, now)
    }

    fn is_wrong(&self, wrong: Wrong) -> bool {
        lock(&self.face.world).is_wrong(wrong)
    }

    /// A redirect to a host that is none of the site's, where that was set up.
    fn elsewhere(&self) -> Option<Response> {
        if !self.is_wrong(Wrong::AutodiscoverElsewhere) {
            return None;
        }
        let mut response = status(StatusCode::FOUND);
        let to = "https://autodiscover.elsewhere.example/autodiscover/autodiscover.xml";
        let to = HeaderValue::from_static(to);
        response.headers_mut().insert(header::LOCATION, to);
        Some(response)
    }

    /// What is set up wrongly for this mailbox or for all.
    fn misconfigured(&self, mailbox: &str) -> Option<Response> {
        let world = lock(&self.face.world);
        let fault = |code| Some(ews_weather::of_code(code));
        if world.is_wrong(Wrong::PasswordExpired) {
            return fault("ErrorPasswordExpired");
        }
        if world.is_wrong_for(Wrong::SourceMissing, mailbox) {
            return fault("ErrorNonExistentMailbox");
        }
        // Without any role the server speaks as it does outside a scope.
        let denied = world.is_wrong(Wrong::NoImpersonation)
            || world.is_wrong_for(Wrong::ImpersonationScope, mailbox);
        if denied {
            return fault("ErrorImpersonateUserDenied");
        }
        if world.is_wrong(Wrong::EwsBlocked) {
            return fault("ErrorAccessDenied");
        }
        if world.is_wrong_for(Wrong::EwsDisabled, mailbox) {
            return Some(status(StatusCode::FORBIDDEN));
        }
        if world.is_wrong(Wrong::SourceThrottled) {
            return Some(ews_weather::busy(Some(wrong::BUSY)));
        }
        None
    }

    fn note(&self, why: &str) {
        self.face.invalid(Side::Source, why);
    }

    /// Takes a request whose sender is known.
    async fn take(&self, headers: &HeaderMap, asked: Chunk, scissors: Scissors) -> Response {
        let incoming = match request::read(&asked) {
            Ok(incoming) => incoming,
            Err(why) => return self.reject(why),
        };
        let mailbox = match self.admit(headers, &incoming) {
            Ok(mailbox) => mailbox,
            Err(code) => return ews_weather::of_code(code),
        };
        if let Some(response) = self.misconfigured(&mailbox) {
            return response;
        }
        let asked = Bytes::new(asked.len() as u64);
        let kind = kind_of(&incoming.call);
        let begun = (self.face).begin(Side::Source, &mailbox, asked, false, kind);
        let (flight, fault) = match begun {
            Ok(begun) => begun,
            Err(busy) if busy.limit == Limit::Concurrency => {
                return ews_weather::connections();
            }
            Err(busy) => return ews_weather::busy(Some(busy.wait)),
        };
        self.face.half_latency().await;
        if let Some(response) = self.storm(fault, &scissors).await {
            return response;
        }
        let answer = self.ask_world(&mailbox, &incoming.call, fault);
        self.face.half_latency().await;
        match answer {
            Answer::Fault(code) => ews_weather::of_code(code),
            Answer::Crash => ews_weather::crash(),
            Answer::Export(items) => {
                let stream =
                    ExportStream::new(self.face.clone(), &mailbox, items, fault, flight, scissors);
                ews_weather::xml(StatusCode::OK, stream.into_body())
            }
            Answer::Parts(parts) => {
                let body = ews_typed::body(parts, fault, flight, scissors);
                ews_weather::xml(StatusCode::OK, body)
            }
            Answer::Whole(text) => whole(text, fault, flight, scissors),
        }
    }

    /// Asks the world, and notes broken rules.
    fn ask_world(&self, mailbox: &str, call: &Call, fault: Option<Fault>) -> Answer {
        let short = fault == Some(Fault::ShortPage);
        let ask = |world: &mut World| {
            let mut desk = Desk {
                world,
                mailbox,
                fault,
                broken: Vec::new(),
            };
            (desk.answer(call), desk.broken)
        };
        let (answer, broken) = lock(&self.face.world).with_short_pages(short, ask);
        for why in &broken {
            self.note(why);
        }
        answer
    }

    fn reject(&self, why: Rejected) -> Response {
        match why {
            Rejected::Envelope(error) => {
                self.note(&format!("a request that is no SOAP envelope: {error}"));
                status(StatusCode::BAD_REQUEST)
            }
            Rejected::Schema(violation) => {
                self.note(&format!("the schema is broken: {violation}"));
                let fault = SoapFault {
                    code: "ErrorSchemaValidation".to_owned(),
                    violation: Some((violation.line, violation.column)),
                    ..SoapFault::default()
                };
                ews_weather::as_fault(&fault, &violation.what)
            }
            Rejected::Writes(operation) => {
                self.face.with(|world, _| world.note_source_write());
                self.note(&format!("{operation} writes"));
                ews_weather::of_code("ErrorAccessDenied")
            }
            Rejected::NotAnswered(operation) => {
                self.note(&format!("{operation} is not answered by this lab"));
                ews_weather::of_code("ErrorInvalidRequest")
            }
        }
    }

    /// Checks the headers of a request that passed the schema. Returns the mailbox, or the code of the fault.
    fn admit(&self, headers: &HeaderMap, incoming: &Incoming) -> Result<String, &'static str> {
        if incoming.header.version.is_none() {
            self.note("RequestServerVersion is missing");
            return Err("ErrorInvalidServerVersion");
        }
        let mailbox = match &incoming.header.impersonate {
            Some(Impersonation::PrimarySmtpAddress(mailbox)) => mailbox.reveal().to_owned(),
            Some(Impersonation::Other(_)) => {
                self.note("impersonation by something else than the primary address");
                return Err("ErrorInvalidExchangeImpersonationHeaderData");
            }
            None => {
                // The service account has no mailbox of its own.
                self.note("impersonation is missing");
                return Err("ErrorMissingEmailAddress");
            }
        };
        if lock(&self.face.world).source_root(&mailbox).is_err() {
            return Err("ErrorNonExistentMailbox");
        }
        if self.options.denied.contains(&mailbox.to_ascii_lowercase()) {
            return Err("ErrorImpersonateUserDenied");
        }
        let anchor = headers.get("X-AnchorMailbox").and_then(|v| v.to_str().ok());
        if !anchor.is_some_and(|anchor| anchor.eq_ignore_ascii_case(&mailbox)) {
            self.note("X-AnchorMailbox is missing or names another mailbox");
        }
        Ok(mailbox)
    }

    /// Weather that spoils a call as a whole. What spoils single messages is left to whoever writes them.
    async fn storm(&self, fault: Option<Fault>, scissors: &Scissors) -> Option<Response> {
        let fault = fault?;
        match fault {
            Fault::ResetBefore | Fault::ResetAfter => {
                scissors.cut();
                Some(status(StatusCode::OK))
            }
            Fault::SilenceAfter => {
                self.face.pass(limits::LAB_SILENCE).await;
                scissors.cut();
                Some(status(StatusCode::OK))
            }
            Fault::Unauthorized => Some(self.rules.refuse(None)),
            Fault::Slow(span) => {
                self.face.pass(span).await;
                None
            }
            other => ews_weather::answer(other),
        }
    }
}

/// A reply that is complete, unless the weather cuts it.
fn whole(text: String, fault: Option<Fault>, flight: Flight, scissors: Scissors) -> Response {
    let text = Chunk::from(text);
    flight.end(Bytes::new(text.len() as u64));
    if fault == Some(Fault::CutBody) {
        return ews_weather::xml(
            StatusCode::OK,
            cut_after(text.slice(..text.len() / 2), scissors),
        );
    }
    ews_weather::xml(StatusCode::OK, Body::from(text))
}

/// A body that breaks off after these bytes, and takes the connection with it.
fn cut_after(bytes: Chunk, scissors: Scissors) -> Body {
    let lost = stream::once(async move {
        scissors.cut();
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    Body::from_stream(stream::iter([Ok(bytes)]).chain(lost))
}
