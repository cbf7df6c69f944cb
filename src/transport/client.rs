//! The client of one destination: timeouts by kind of call, a bound on connections, and never a request sent twice.
//!
//! Three layers could repeat a request on their own. The client library's retry policy is switched off; redirects are not followed;
//! and the connection pool below sends a request again only when its connection closed before the first byte of it was written,
//! which the server cannot have seen. Streamed bodies cannot be repeated by anybody.

use std::fmt;
use std::sync::Arc;

use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use thiserror::Error;
use tokio::sync::Semaphore;

use crate::base::limits;
use crate::base::outcome::{Said, Setback};
use crate::base::quantity::Span;
use crate::transport::body::{ExactBody, FailureSlot, take_failure};
use crate::transport::call::{Auth, Call, CallBody, CallKind, Method};
use crate::transport::reply::Reply;
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
}

impl HttpOptions {
    /// The ordinary timeouts, and at most this many connections.
    pub fn with_connections(max_connections: u32) -> Self {
        Self {
            max_connections,
            connect_timeout: limits::CONNECT_TIMEOUT,
            call_timeout: limits::CALL_TIMEOUT,
            transfer_timeout: limits::TRANSFER_TIMEOUT,
        }
    }
}

/// The client could not be set up.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TransportError {
    /// TLS or the system's certificate store is not usable.
    #[error("the HTTP client could not be set up (TLS or the system's certificates)")]
    Setup,
    /// A client without connections can do nothing.
    #[error("at least one connection is needed")]
    NoConnections,
}

/// The HTTP client of one destination. Clones share connections and bound.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    places: Arc<Semaphore>,
    options: HttpOptions,
}

impl Http {
    /// Sets up the client. Reaches nobody.
    pub fn new(options: HttpOptions) -> Result<Self, TransportError> {
        if options.max_connections == 0 {
            return Err(TransportError::NoConnections);
        }
        // A second installation in the same process is refused and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("mailferry/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .tcp_keepalive(limits::TCP_KEEPALIVE.to_std())
            .connect_timeout(options.connect_timeout.to_std())
            .pool_idle_timeout(limits::POOL_IDLE.to_std())
            .pool_max_idle_per_host(options.max_connections as usize)
            .dns_resolver(secure::SystemNames)
            .build()
            .map_err(|_| TransportError::Setup)?;
        Ok(Self {
            client,
            places: Arc::new(Semaphore::new(options.max_connections as usize)),
            options,
        })
    }

    /// Sends one request once and returns the head of its reply, whatever its status.
    ///
    /// [`Setback::Unreached`] and [`Setback::OurRequest`] mean that nothing left; [`Setback::Local`] that the body broke off on this
    /// machine, so that the server never saw it whole; [`Setback::Lost`] that nobody can know.
    pub async fn send(&self, call: Call) -> Result<Reply, Setback> {
        let url = secure::admit(&call)?;
        let headers = headers_of(&call)?;
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let slot = FailureSlot::default();
        let timeout = match call.kind {
            CallKind::Ask => self.options.call_timeout,
            CallKind::Transfer | CallKind::Create => self.options.transfer_timeout,
        };
        let request = self
            .client
            .request(method_of(call.method), url)
            .timeout(timeout.to_std())
            .headers(headers);
        let request =
            match call.body {
                CallBody::None => request,
                CallBody::Bytes(bytes) => request.body(bytes),
                CallBody::Stream { len, stream } => request.body(reqwest::Body::wrap(
                    ExactBody::new(len, stream, Arc::clone(&slot)),
                )),
            };
        match request.send().await {
            Ok(reply) => Ok(Reply::new(reply, place)),
            Err(error) => Err(take_failure(&slot).unwrap_or_else(|| fault::before_reply(&error))),
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Http(at most {})", self.options.max_connections)
    }
}

fn method_of(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Patch => reqwest::Method::PATCH,
        Method::Put => reqwest::Method::PUT,
        Method::Delete => reqwest::Method::DELETE,
    }
}

fn headers_of(call: &Call) -> Result<HeaderMap, Setback> {
    let wrong = || Setback::OurRequest(Said::code("bad-header"));
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        headers.append(name, HeaderValue::from_str(value).map_err(|_| wrong())?);
    }
    let credentials = match &call.auth {
        None | Some(Auth::InUrl) => None,
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
    if matches!(call.method, Method::Post | Method::Put | Method::Patch)
        && matches!(call.body, CallBody::None)
    {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(headers)
}
