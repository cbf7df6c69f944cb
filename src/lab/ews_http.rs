//! The SOAP face of the lab's Exchange: HTTP, sign-in, impersonation, the schema's strictness, weather, and exports streamed item by item.
//! What is answered comes from `ews_answers`. Loopback only; whoever binds the socket sees to that.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use bytes::Bytes as Chunk;
use futures_util::stream;

use super::direct::{SharedWorld, lock};
use super::ews_answers::{Answer, Desk};
use super::ews_stream::{ExportStream, Flight};
use super::fault::{CallKind, Fault};
use super::world::{Limit, Now};
use crate::base::event::Side;
use crate::base::limits;
use crate::base::quantity::{Bytes, Span};
use crate::base::secret::Secret;
use crate::port::clock::Clock;
use crate::wire::base64;
use crate::wire::ews::request::{self, Call, Incoming, Rejected};
use crate::wire::soap::{self, Fault as SoapFault, Impersonation};

/// Takes every request and its whole reply, for recordings.
pub type Record = Arc<dyn Fn(&[u8], &[u8]) + Send + Sync>;

/// Who may sign in, for whom, and how the face behaves.
#[derive(Clone)]
pub struct EwsOptions {
    /// Name of the service account.
    pub user: String,
    /// Its password.
    pub pass: Secret,
    /// Mailboxes, lower-case, outside the account's impersonation scope.
    pub denied: BTreeSet<String>,
    /// How long a call takes, half before it takes effect and half after.
    pub latency: Span,
    /// Where traffic is recorded.
    pub record: Option<Record>,
}

impl fmt::Debug for EwsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recorded = if self.record.is_some() {
            ", recorded"
        } else {
            ""
        };
        write!(f, "EwsOptions(latency {}{recorded})", self.latency)
    }
}

/// The face.
#[derive(Clone, Debug)]
pub(super) struct Face {
    pub(super) world: SharedWorld,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: Arc<EwsOptions>,
}

/// The routes of the face. Time is the given clock's.
pub fn router(world: SharedWorld, clock: Arc<dyn Clock>, options: EwsOptions) -> Router {
    let face = Face {
        world,
        clock,
        options: Arc::new(options),
    };
    Router::new()
        .route("/EWS/Exchange.asmx", any(serve))
        .route("/ews/exchange.asmx", any(serve))
        .with_state(face)
}

async fn serve(State(face): State<Face>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !signed_in(&parts.headers, &face.options) {
        return unauthorized();
    }
    if parts.method != Method::POST {
        return status(StatusCode::METHOD_NOT_ALLOWED);
    }
    let Ok(bytes) = to_bytes(body, limits::EWS_REQUEST_MAX).await else {
        face.note("a request above 64 MB, or one that breaks off");
        return status(StatusCode::PAYLOAD_TOO_LARGE);
    };
    if !is_xml(&parts.headers) {
        face.note("a request that is not text/xml");
        return status(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    face.take(&parts.headers, bytes).await
}

fn signed_in(headers: &HeaderMap, options: &EwsOptions) -> bool {
    let given = headers.get(header::AUTHORIZATION);
    let Some(given) = given.and_then(|v| v.to_str().ok()) else {
        return false;
    };
    let pair = given.strip_prefix("Basic ").map(base64::decode);
    let wanted = format!("{}:{}", options.user, options.pass.expose());
    matches!(pair, Some(Ok(pair)) if pair == wanted.as_bytes())
}

fn is_xml(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.to_ascii_lowercase().starts_with("text/xml"))
}

fn status(code: StatusCode) -> Response {
    code.into_response()
}

fn unauthorized() -> Response {
    let mut response = status(StatusCode::UNAUTHORIZED);
    for method in ["Negotiate", "NTLM", "Basic realm=\"lab\""] {
        let value = HeaderValue::from_static(method);
        response
            .headers_mut()
            .append(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// A reply in XML, sent in chunks as Exchange does.
pub(super) fn xml(code: StatusCode, body: Body) -> Response {
    let kind = HeaderValue::from_static("text/xml; charset=utf-8");
    let mut response = (code, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A connection that breaks after these bytes.
fn broken_off(bytes: Chunk) -> Body {
    let lost = io::Error::from(io::ErrorKind::ConnectionReset);
    Body::from_stream(stream::iter([Ok(bytes), Err(lost)]))
}

const fn kind_of(call: &Call) -> CallKind {
    match call {
        Call::ExportItems(_) => CallKind::Export,
        Call::SyncFolderItems(_) | Call::SyncFolderHierarchy(_) => CallKind::Sync,
        Call::GetFolder(_) | Call::FindFolder(_) | Call::FindItem(_) | Call::GetItem(_) => {
            CallKind::Read
        }
    }
}

impl Face {
    pub(super) fn now(&self) -> Now {
        Now {
            tick: self.clock.tick(),
            moment: self.clock.moment(),
        }
    }

    fn note(&self, why: &str) {
        lock(&self.world).note_invalid(self.now(), Side::Source, why);
    }

    async fn pass(&self, span: Span) {
        if span > Span::ZERO {
            self.clock.sleep_until(self.clock.tick() + span).await;
        }
    }

    /// A fault, recorded.
    fn fault(&self, asked: &[u8], fault: &SoapFault, text: &str) -> Response {
        let reply = soap::write_fault(fault, text);
        if let Some(record) = &self.options.record {
            record(asked, reply.as_bytes());
        }
        xml(StatusCode::INTERNAL_SERVER_ERROR, Body::from(reply))
    }

    fn fault_of(&self, asked: &[u8], code: &str) -> Response {
        let fault = SoapFault {
            code: code.to_owned(),
            ..SoapFault::default()
        };
        self.fault(asked, &fault, "The request was refused.")
    }

    /// Takes a request whose sender is known.
    async fn take(&self, headers: &HeaderMap, asked: Chunk) -> Response {
        let incoming = match request::read(&asked) {
            Ok(incoming) => incoming,
            Err(why) => return self.reject(&asked, why),
        };
        let mailbox = match self.admit(headers, &incoming) {
            Ok(mailbox) => mailbox,
            Err(code) => return self.fault_of(&asked, code),
        };
        let begun = lock(&self.world).begin(
            self.now(),
            Side::Source,
            &mailbox,
            Bytes::new(asked.len() as u64),
            false,
        );
        let flight = match begun {
            Ok(ticket) => Flight::new(self.world.clone(), ticket),
            Err(busy) if busy.limit == Limit::Concurrency => {
                return self.fault_of(&asked, "ErrorExceededConnectionCount");
            }
            Err(busy) => {
                let fault = SoapFault {
                    code: "ErrorServerBusy".to_owned(),
                    back_off: Some(busy.wait),
                    ..SoapFault::default()
                };
                return self.fault(&asked, &fault, "The server is busy.");
            }
        };
        self.answer(&mailbox, &incoming.call, asked, flight).await
    }

    fn reject(&self, asked: &[u8], why: Rejected) -> Response {
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
                self.fault(asked, &fault, &violation.what)
            }
            Rejected::Writes(operation) => {
                let mut world = lock(&self.world);
                world.note_source_write();
                world.note_invalid(self.now(), Side::Source, &format!("{operation} writes"));
                drop(world);
                self.fault_of(asked, "ErrorAccessDenied")
            }
            Rejected::NotAnswered(operation) => {
                self.note(&format!("{operation} is not answered by this lab"));
                self.fault_of(asked, "ErrorInvalidRequest")
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
        if lock(&self.world).source_root(&mailbox).is_err() {
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

    /// Answers a call that is in flight, as far as the weather lets it.
    async fn answer(
        &self,
        mailbox: &str,
        call: &Call,
        asked: Chunk,
        mut flight: Flight,
    ) -> Response {
        let fault = lock(&self.world).fault(kind_of(call));
        let half = Span::new(self.options.latency.get() / 2);
        self.pass(half).await;
        if let Some(response) = self.storm(&asked, fault).await {
            return response;
        }
        let answer = {
            let world = lock(&self.world);
            let mut desk = Desk {
                world: &world,
                mailbox,
                fault,
                broken: Vec::new(),
            };
            let answer = desk.answer(call);
            let broken = desk.broken;
            drop(world);
            broken.iter().for_each(|why| self.note(why));
            answer
        };
        self.pass(half).await;
        match answer {
            Answer::Fault(code) => self.fault_of(&asked, code),
            Answer::Export(items) => {
                let stream = ExportStream::new(self.clone(), mailbox, items, fault, asked, flight);
                xml(StatusCode::OK, stream.into_body())
            }
            Answer::Whole(text) => {
                let text = Chunk::from(text);
                if fault == Some(Fault::CutBody) {
                    return xml(StatusCode::OK, broken_off(text.slice(..text.len() / 2)));
                }
                if let Some(record) = &self.options.record {
                    record(&asked, &text);
                }
                flight.sent(text.len());
                drop(flight);
                let whole = stream::iter([Ok::<_, io::Error>(text)]);
                xml(StatusCode::OK, Body::from_stream(whole))
            }
        }
    }

    /// Weather that spoils a call as a whole. What spoils single messages is left to whoever writes them.
    async fn storm(&self, asked: &[u8], fault: Option<Fault>) -> Option<Response> {
        match fault? {
            // With a wait it comes inside the reply, without one as a fault: clients must know both.
            Fault::Busy(None) => Some(self.fault_of(asked, "ErrorServerBusy")),
            Fault::Unavailable => Some(status(StatusCode::SERVICE_UNAVAILABLE)),
            Fault::Unauthorized => Some(unauthorized()),
            Fault::GatewayBefore | Fault::GatewayAfter => {
                let page = "<html><body>Gateway Timeout</body></html>";
                Some((StatusCode::GATEWAY_TIMEOUT, page).into_response())
            }
            Fault::ResetBefore | Fault::ResetAfter => {
                Some(xml(StatusCode::OK, broken_off(Chunk::new())))
            }
            Fault::SilenceAfter => {
                self.pass(limits::LAB_SILENCE).await;
                Some(xml(StatusCode::OK, broken_off(Chunk::new())))
            }
            Fault::Busy(Some(_)) | Fault::CutBody | Fault::Truncated | Fault::StateRefused => None,
        }
    }
}
