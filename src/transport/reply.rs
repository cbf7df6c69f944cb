//! What came back: status, headers, and a body read piece by piece.

use std::fmt;

use bytes::Bytes as Chunk;
use tokio::sync::OwnedSemaphorePermit;

use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::Bytes;
use crate::transport::fault;

/// A reply whose body is still on its way. Holds its connection's place until it is dropped.
pub struct Reply {
    status: u16,
    inner: reqwest::Response,
    _place: OwnedSemaphorePermit,
}

impl Reply {
    pub(super) fn new(inner: reqwest::Response, place: OwnedSemaphorePermit) -> Self {
        Self {
            status: inner.status().as_u16(),
            inner,
            _place: place,
        }
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
        self.inner.headers().get(name)?.to_str().ok()
    }

    /// Every header of that name that is ASCII (`WWW-Authenticate` comes several times).
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let all = self.inner.headers().get_all(name);
        all.iter().filter_map(|value| value.to_str().ok())
    }

    /// The next bytes of the body; `None` at its honest end. [`MisreadCause::CutOff`] where it ended early.
    pub async fn chunk(&mut self) -> Result<Option<Chunk>, Setback> {
        let next = self.inner.chunk().await;
        next.map_err(|error| fault::inside_reply(&error, self.status))
    }

    /// The whole body, refused as [`MisreadCause::TooLarge`] above `max`.
    pub async fn read_all(mut self, max: Bytes) -> Result<Vec<u8>, Setback> {
        let too_large = Setback::Misread(MisreadCause::TooLarge, Said::status(self.status));
        let announced = self.inner.content_length().unwrap_or(0);
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

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({})", self.status)
    }
}
