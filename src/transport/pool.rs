//! The connections of one client: made, kept while idle, taken again. One identity's connections are nobody else's, since the pool is the client's own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use url::Url;

use crate::base::limits;
use crate::transport::body::OutBody;
use crate::transport::deadline::Deadline;
use crate::transport::dial::Open;
use crate::transport::tls::TlsFacts;

/// One connection.
pub(super) struct Connection {
    pub(super) sender: SendRequest<OutBody>,
    pub(super) facts: Option<Arc<TlsFacts>>,
    /// True when the far side knows who speaks on it.
    pub(super) proven: bool,
    /// True when it has carried a call already: it may have died while it was idle.
    pub(super) used: bool,
    home: String,
}

/// The idle connections of a client, by scheme, host and port.
#[derive(Default)]
pub(super) struct Pool(Mutex<BTreeMap<String, Vec<(Connection, Deadline)>>>);

impl Pool {
    /// An idle connection that is still open; the one used last.
    pub(super) fn take(&self, url: &Url) -> Option<Connection> {
        let mut all = self.lock();
        let idle = all.get_mut(&home(url))?;
        while let Some((connection, mut end)) = idle.pop() {
            if !end.passed() && connection.sender.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose call is over.
    pub(super) fn keep(&self, mut connection: Connection) {
        if connection.sender.is_closed() {
            return;
        }
        connection.used = true;
        let mut all = self.lock();
        let idle = all.entry(connection.home.clone()).or_default();
        idle.retain_mut(|(other, end)| !end.passed() && !other.sender.is_closed());
        idle.push((connection, Deadline::after(limits::POOL_IDLE)));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<(Connection, Deadline)>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn home(url: &Url) -> String {
    url.origin().ascii_serialization()
}

impl Connection {
    /// Begins HTTP/1.1 on an open line. A head larger than [`limits::REPLY_HEAD_MAX`] is refused while it is read.
    #[expect(
        clippy::disallowed_methods,
        reason = "the task moves the bytes of one connection and ends with it"
    )]
    pub(super) async fn begin(url: &Url, open: Open) -> Result<Self, hyper::Error> {
        let (sender, work) = Builder::new()
            .max_headers(limits::REPLY_HEADERS_MAX)
            .max_header_size(limits::REPLY_HEAD_MAX)
            .handshake(TokioIo::new(open.line))
            .await?;
        tokio::spawn(async move {
            // What went wrong is told to whoever waits for the reply.
            let _ = work.await;
        });
        Ok(Self {
            sender,
            facts: open.facts,
            proven: false,
            used: false,
            home: home(url),
        })
    }
}
