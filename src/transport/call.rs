//! What a caller hands to the transport: one request, with its secrets marked as such.

use std::fmt;

use bytes::Bytes as Chunk;

use crate::base::quantity::Bytes;
use crate::base::secret::{SafeUrl, Secret};
use crate::port::body::BodyStream;

/// The request methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PATCH.
    Patch,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
}

/// How long an answer may take, and whether a repetition could do harm. The transport repeats nothing of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// An ordinary question: `limits::CALL_TIMEOUT`.
    Ask,
    /// Large bytes in one direction, reading only: `limits::TRANSFER_TIMEOUT`.
    Transfer,
    /// Makes something that must not be made twice: `limits::TRANSFER_TIMEOUT`.
    Create,
}

/// What proves who we are. Its presence forbids clear text to anything but this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Basic`.
    Basic {
        /// Account name.
        user: String,
        /// Password.
        pass: Secret,
    },
    /// `Authorization: Bearer`.
    Bearer(Secret),
    /// By the connection: the client has a [`crate::transport::Prover`]. The body must be in memory, since it may have to go again after a
    /// refused leg.
    ByConnection,
    /// No header: the URL itself is the credential (`importUrl`, reference/graph.md 1.6).
    InUrl,
}

/// The body of a request.
pub enum CallBody {
    /// None; a POST carries `Content-Length: 0`.
    None,
    /// Held in memory.
    Bytes(Chunk),
    /// Streamed. Exactly `len` bytes come, or the request fails with [`crate::base::outcome::Setback::Local`].
    Stream {
        /// The exact length, sent as `Content-Length`.
        len: Bytes,
        /// The pieces.
        stream: BodyStream,
    },
}

impl CallBody {
    /// A body from bytes that are already there.
    pub fn bytes(bytes: impl Into<Chunk>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// Its length.
    pub fn len(&self) -> Bytes {
        match self {
            Self::None => Bytes::ZERO,
            Self::Bytes(bytes) => Bytes::new(bytes.len() as u64),
            Self::Stream { len, .. } => *len,
        }
    }

    /// True when nothing is sent.
    pub fn is_empty(&self) -> bool {
        self.len() == Bytes::ZERO
    }
}

impl fmt::Debug for CallBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "body of {}", self.len())
    }
}

/// One request.
pub struct Call {
    /// Method.
    pub method: Method,
    /// Where to.
    pub url: SafeUrl,
    /// Headers beside Authorization, Content-Length, Host and User-Agent.
    pub headers: Vec<(&'static str, String)>,
    /// Credentials.
    pub auth: Option<Auth>,
    /// Body.
    pub body: CallBody,
    /// Kind.
    pub kind: CallKind,
}

impl Call {
    /// A question without body.
    pub fn new(method: Method, url: SafeUrl) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            auth: None,
            body: CallBody::None,
            kind: CallKind::Ask,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets the credentials.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: CallBody) -> Self {
        self.body = body;
        self
    }

    /// Sets the kind.
    #[must_use]
    pub fn kind(mut self, kind: CallKind) -> Self {
        self.kind = kind;
        self
    }
}

impl fmt::Debug for Call {
    /// Method, URL without query, body length. No header: they name mailboxes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}, {:?}", self.method, self.url, self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_call_shows_no_secret_and_no_header() {
        let call = Call::new(
            Method::Post,
            SafeUrl::new("https://h.example/importItem?authtoken=ey"),
        )
        .header("X-AnchorMailbox", "someone@clinic.example")
        .auth(Auth::Bearer(Secret::new("tok")))
        .body(CallBody::bytes("patient"));
        assert_eq!(
            format!("{call:?}"),
            "Post https://h.example/importItem?…, body of 7 B"
        );
        assert_eq!(format!("{:?}", call.auth), "Some(Bearer([secret]))");
    }
}
