//! What came back: status, headers, and a body read piece by piece.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes as Chunk;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use tokio::sync::OwnedSemaphorePermit;

use crate::base::outcome::{DoubtCause, MisreadCause, Said, Setback};
use crate::base::quantity::Bytes;
use crate::transport::deadline::{Deadline, Passed};
use crate::transport::pool::{Connection, Pool};
use crate::transport::proof::ProofFault;
use crate::transport::tls::TlsFacts;

/// A reply whose body is still on its way. Holds its connection, and its place among the calls in flight, until it is read or dropped.
pub struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Incoming,
    connection: Option<Connection>,
    facts: Option<Arc<TlsFacts>>,
    pool: Arc<Pool>,
    deadline: Deadline,
    proof: Proven,
    _place: OwnedSemaphorePermit,
}

/// How the connection of a reply was proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    /// Legs of a proof that this call needed.
    pub legs: u8,
    /// Why the proof did not go on.
    pub fault: Option<ProofFault>,
}

/// What a reply holds on to.
pub(super) struct Held {
    pub(super) pool: Arc<Pool>,
    pub(super) deadline: Deadline,
    pub(super) place: OwnedSemaphorePermit,
}

impl Reply {
    pub(super) fn new(
        response: hyper::Response<Incoming>,
        connection: Connection,
        proof: Proven,
        held: Held,
    ) -> Self {
        let (parts, body) = response.into_parts();
        let mut reply = Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            facts: connection.facts.clone(),
            connection: Some(connection),
            pool: held.pool,
            deadline: held.deadline,
            proof,
            _place: held.place,
        };
        if reply.body.is_end_stream() {
            reply.give_back();
        }
        reply
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// True for 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of that name, where it is there and is ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Every header of that name that is ASCII (`WWW-Authenticate` comes several times).
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let all = self.headers.get_all(name);
        all.iter().filter_map(|value| value.to_str().ok())
    }

    /// The TLS channel it came on.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.facts.as_deref()
    }

    /// How its connection was proven.
    pub fn proof(&self) -> Proven {
        self.proof
    }

    /// The next bytes of the body; `None` at its honest end. [`MisreadCause::CutOff`] where it ended early.
    pub async fn chunk(&mut self) -> Result<Option<Chunk>, Setback> {
        loop {
            match self.deadline.guard(self.body.frame()).await {
                Err(Passed) => {
                    self.connection = None;
                    return Err(Setback::Lost(DoubtCause::TimedOut));
                }
                Ok(None) => {
                    self.give_back();
                    return Ok(None);
                }
                Ok(Some(Err(_))) => {
                    self.connection = None;
                    let said = Said::status(self.status);
                    return Err(Setback::Misread(MisreadCause::CutOff, said));
                }
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        // The call is over with its last byte, not when somebody asks for more.
                        if self.body.is_end_stream() {
                            self.give_back();
                        }
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The connection is free for another call. Its place is free only when whoever reads the reply is done with it.
    fn give_back(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.keep(connection);
        }
    }

    /// The whole body, refused as [`MisreadCause::TooLarge`] above `max`.
    pub async fn read_all(mut self, max: Bytes) -> Result<Vec<u8>, Setback> {
        let too_large = Setback::Misread(MisreadCause::TooLarge, Said::status(self.status));
        let announced = self.headers.get(CONTENT_LENGTH);
        let announced = announced.and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        let announced = announced.unwrap_or(0);
        if announced > max.get() {
            return Err(too_large);
        }
        let room = usize::try_from(announced).unwrap_or(0);
        let mut all = Vec::with_capacity(room);
        while let Some(chunk) = self.chunk().await? {
            if (all.len() + chunk.len()) as u64 > max.get() {
                return Err(too_large);
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }
}

/// Reads a body to its end and throws it away, so that its connection can carry the next leg of a proof. False where it does not end in time, or is
/// larger than `max`.
pub(super) async fn drain(mut body: Incoming, deadline: &mut Deadline, max: Bytes) -> bool {
    let mut left = max.get();
    loop {
        match deadline.guard(body.frame()).await {
            Ok(None) => return true,
            Ok(Some(Ok(frame))) => {
                let len = frame.into_data().map_or(0, |data| data.len() as u64);
                match left.checked_sub(len) {
                    Some(less) => left = less,
                    None => return false,
                }
            }
            Ok(Some(Err(_))) | Err(Passed) => return false,
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({})", self.status)
    }
}
