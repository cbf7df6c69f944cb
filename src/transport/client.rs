//! The client of one destination: timeouts by kind of call, a bound on connections, and never a request sent twice.
//!
//! Nothing here repeats a request: redirects are not followed, errors are handed back. A request goes out anew only when the idle connection it was
//! given had closed before the first byte of it was written, which the server cannot have seen, and after a 401 on a connection that is to be
//! proven, which the server has refused before acting. Streamed bodies are never sent a second time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use hyper::{Request, Response, body::Incoming};
use thiserror::Error;
use tokio::sync::Semaphore;
use url::Url;

use crate::base::limits;
use crate::base::outcome::{DoubtCause, Said, Setback, UnreachedCause};
use crate::base::quantity::Span;
use crate::transport::body::{ExactBody, FailureSlot, OutBody, take_failure};
use crate::transport::call::{Auth, Call, CallBody, CallKind, Method};
use crate::transport::deadline::{Deadline, Passed};
use crate::transport::dial::Dialer;
use crate::transport::pool::{Connection, Pool};
use crate::transport::proof::Prover;
use crate::transport::reach::Reach;
use crate::transport::reply::{Held, Proven, Reply};
use crate::transport::tls::TlsFacts;
use crate::transport::trouble::ConnectTrouble;
use crate::transport::{fault, secure};

/// How a destination is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOptions {
    /// Calls in flight, each on a connection of its own. A caller above it waits.
    pub max_connections: u32,
    /// To make a connection.
    pub connect_timeout: Span,
    /// For [`CallKind::Ask`], from start to the last byte of the reply.
    pub call_timeout: Span,
    /// For [`CallKind::Transfer`] and [`CallKind::Create`].
    pub transfer_timeout: Span,
    /// What is special about the way.
    pub reach: Reach,
}

impl HttpOptions {
    /// The ordinary timeouts and way, and at most this many connections.
    pub fn with_connections(max_connections: u32) -> Self {
        Self {
            max_connections,
            connect_timeout: limits::CONNECT_TIMEOUT,
            call_timeout: limits::CALL_TIMEOUT,
            transfer_timeout: limits::TRANSFER_TIMEOUT,
            reach: Reach::default(),
        }
    }

    /// The same, by this way.
    #[must_use]
    pub fn by(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }
}

/// The client could not be set up.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TransportError {
    /// TLS, the system's certificate store or one of our certificates is not usable.
    #[error("the HTTP client could not be set up (TLS or certificates)")]
    Setup,
    /// A client without connections can do nothing.
    #[error("at least one connection is needed")]
    NoConnections,
}

/// The HTTP client of one destination. Clones share connections and bound.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    dialer: Dialer,
    pool: Arc<Pool>,
    places: Arc<Semaphore>,
    options: HttpOptions,
    pub(super) prover: Option<Arc<dyn Prover>>,
    trouble: Mutex<Option<ConnectTrouble>>,
    facts: Mutex<Option<Arc<TlsFacts>>>,
}

/// A request that did not come back with a reply.
pub(super) enum Undone {
    /// Nothing of it left; it may go on another connection.
    NotSent(Box<Request<OutBody>>),
    /// What became of it.
    Failed(Setback),
}

/// A call made ready.
pub(super) struct Ready {
    pub(super) url: Url,
    pub(super) method: hyper::Method,
    pub(super) headers: HeaderMap,
}

impl Http {
    /// Sets up the client. Reaches nobody.
    pub fn new(options: HttpOptions) -> Result<Self, TransportError> {
        Self::made(options, None)
    }

    /// A client whose connections are proven before they carry calls with [`Auth::ByConnection`]. It serves one identity and no other.
    pub fn proving(options: HttpOptions, prover: Arc<dyn Prover>) -> Result<Self, TransportError> {
        Self::made(options, Some(prover))
    }

    fn made(options: HttpOptions, prover: Option<Arc<dyn Prover>>) -> Result<Self, TransportError> {
        if options.max_connections == 0 {
            return Err(TransportError::NoConnections);
        }
        Ok(Self(Arc::new(Inner {
            dialer: Dialer::new(options.reach.clone(), options.connect_timeout)?,
            pool: Arc::default(),
            places: Arc::new(Semaphore::new(options.max_connections as usize)),
            options,
            prover,
            trouble: Mutex::default(),
            facts: Mutex::default(),
        })))
    }

    /// Why the last connection that failed was not made.
    pub fn trouble(&self) -> Option<ConnectTrouble> {
        let trouble = self.0.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The TLS channel made last.
    pub fn tls(&self) -> Option<Arc<TlsFacts>> {
        let facts = self.0.facts.lock();
        facts.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn dialer(&self) -> &Dialer {
        &self.0.dialer
    }

    pub(super) fn prover(&self) -> Option<&Arc<dyn Prover>> {
        self.0.prover.as_ref()
    }

    /// Sends one request once and returns the head of its reply, whatever its status.
    ///
    /// [`Setback::Unreached`] and [`Setback::OurRequest`] mean that nothing left; [`Setback::Local`] that the body broke off on this
    /// machine, so that the server never saw it whole; [`Setback::Lost`] that nobody can know.
    pub async fn send(&self, call: Call) -> Result<Reply, Setback> {
        let url = secure::admit(&call)?;
        let ready = Ready {
            headers: headers_of(&call, &url)?,
            method: method_of(call.method),
            url,
        };
        let place = Arc::clone(&self.0.places)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let timeout = match call.kind {
            CallKind::Ask => self.0.options.call_timeout,
            CallKind::Transfer | CallKind::Create => self.0.options.transfer_timeout,
        };
        let held = Held {
            pool: Arc::clone(&self.0.pool),
            deadline: Deadline::after(timeout),
            place,
        };
        let by_connection = matches!(call.auth, Some(Auth::ByConnection));
        match call.body {
            CallBody::Stream { .. } if by_connection => {
                Err(Setback::OurRequest(Said::code("body-not-in-memory")))
            }
            CallBody::Bytes(bytes) if by_connection => self.prove(ready, bytes, held).await,
            CallBody::None if by_connection => self.prove(ready, bytes::Bytes::new(), held).await,
            CallBody::None => {
                let body = OutBody::Whole(None);
                self.plain(ready, body, FailureSlot::default(), held).await
            }
            CallBody::Bytes(bytes) => {
                let body = OutBody::whole(bytes);
                self.plain(ready, body, FailureSlot::default(), held).await
            }
            CallBody::Stream { len, stream } => {
                let slot = FailureSlot::default();
                let body = OutBody::Exact(ExactBody::new(len, stream, Arc::clone(&slot)));
                self.plain(ready, body, slot, held).await
            }
        }
    }

    async fn plain(
        &self,
        ready: Ready,
        body: OutBody,
        slot: FailureSlot,
        mut held: Held,
    ) -> Result<Reply, Setback> {
        let mut request = ready.request(body);
        loop {
            let mut connection = self.connection(&ready.url, &mut held.deadline).await?;
            match self
                .once(&mut connection, request, &mut held.deadline)
                .await
            {
                Ok(response) => {
                    return Ok(Reply::new(response, connection, Proven::default(), held));
                }
                Err(Undone::NotSent(back)) if connection.used => request = *back,
                Err(Undone::NotSent(_)) => {
                    return Err(Setback::Unreached(UnreachedCause::Connect));
                }
                Err(Undone::Failed(setback)) => {
                    return Err(take_failure(&slot).unwrap_or(setback));
                }
            }
        }
    }

    /// An idle connection, or a new one.
    pub(super) async fn connection(
        &self,
        url: &Url,
        deadline: &mut Deadline,
    ) -> Result<Connection, Setback> {
        if let Some(idle) = self.0.pool.take(url) {
            return Ok(idle);
        }
        let dialled = deadline.guard(self.0.dialer.dial(url)).await;
        let open = dialled.unwrap_or(Err(ConnectTrouble::NoAnswer {
            proxy: false,
            silent: true,
        }));
        let open = open.map_err(|trouble| self.note(trouble))?;
        if let Some(facts) = &open.facts {
            let mut last = self.0.facts.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(Arc::clone(facts));
        }
        let begun = Connection::begin(url, open).await;
        begun.map_err(|_| Setback::Unreached(UnreachedCause::Connect))
    }

    fn note(&self, trouble: ConnectTrouble) -> Setback {
        let setback = Setback::Unreached(trouble.cause());
        let mut last = self
            .0
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some(trouble);
        setback
    }

    /// One request on one connection.
    pub(super) async fn once(
        &self,
        connection: &mut Connection,
        request: Request<OutBody>,
        deadline: &mut Deadline,
    ) -> Result<Response<Incoming>, Undone> {
        match deadline.guard(connection.sender.ready()).await {
            Err(Passed) => return Err(Undone::Failed(Setback::Unreached(UnreachedCause::Connect))),
            Ok(Err(_)) => return Err(Undone::NotSent(Box::new(request))),
            Ok(Ok(())) => {}
        }
        let sent = connection.sender.try_send_request(request);
        match deadline.guard(sent).await {
            Err(Passed) => Err(Undone::Failed(Setback::Lost(DoubtCause::TimedOut))),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(mut error)) => Err(match error.take_message() {
                Some(back) => Undone::NotSent(Box::new(back)),
                None if fault::wants_our_certificate(error.error()) => {
                    Undone::Failed(self.note(ConnectTrouble::WantsOurCertificate))
                }
                None => Undone::Failed(fault::before_reply(error.error())),
            }),
        }
    }
}

impl Ready {
    pub(super) fn request(&self, body: OutBody) -> Request<OutBody> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// Path and query, as they go out. A URL that was parsed has no character that a request line cannot carry.
    fn target(&self) -> hyper::Uri {
        let text = &self.url[url::Position::BeforePath..url::Position::AfterQuery];
        text.parse().unwrap_or_default()
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Http(at most {})", self.0.options.max_connections)
    }
}

fn method_of(method: Method) -> hyper::Method {
    match method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
        Method::Patch => hyper::Method::PATCH,
        Method::Put => hyper::Method::PUT,
        Method::Delete => hyper::Method::DELETE,
    }
}

fn headers_of(call: &Call, url: &Url) -> Result<HeaderMap, Setback> {
    let wrong = || Setback::OurRequest(Said::code("bad-header"));
    let mut headers = HeaderMap::new();
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    headers.insert(HOST, HeaderValue::from_str(host).map_err(|_| wrong())?);
    let agent = concat!("mailferry/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    for (name, value) in &call.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        headers.append(name, HeaderValue::from_str(value).map_err(|_| wrong())?);
    }
    let credentials = match &call.auth {
        None | Some(Auth::InUrl | Auth::ByConnection) => None,
        Some(Auth::Bearer(token)) => Some(format!("Bearer {}", token.expose())),
        Some(Auth::Basic { user, pass }) => {
            use base64::Engine as _;
            let pair = zeroize::Zeroizing::new(format!("{user}:{}", pass.expose()));
            let text = base64::engine::general_purpose::STANDARD.encode(pair.as_bytes());
            Some(format!("Basic {text}"))
        }
    };
    if let Some(text) = credentials.map(zeroize::Zeroizing::new) {
        let mut value = HeaderValue::from_str(&text).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    if matches!(call.method, Method::Post | Method::Put | Method::Patch) && call.body.is_empty() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(headers)
}
