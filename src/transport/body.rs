//! Streamed request bodies of exact length. A body that fails or ends early leaves its reason where the client finds it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes as Chunk;
use futures_util::StreamExt;
use http_body::{Body, Frame, SizeHint};
use thiserror::Error;

use crate::base::outcome::{LocalCause, Setback};
use crate::base::quantity::Bytes;
use crate::port::body::BodyStream;

/// Where a failing body leaves its reason: an error that travels through the client library loses its type.
pub(super) type FailureSlot = Arc<Mutex<Option<Setback>>>;

/// Takes the reason out, where there is one.
pub(super) fn take_failure(slot: &FailureSlot) -> Option<Setback> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The body could not be read to its end on this machine.
#[derive(Debug, Error)]
#[error("the body could not be read to its end")]
pub(super) struct BodyFailed;

/// Any body of ours.
pub(super) enum OutBody {
    /// In memory; none where it is empty.
    Whole(Option<Chunk>),
    /// Streamed.
    Exact(ExactBody),
}

impl OutBody {
    pub(super) fn whole(bytes: Chunk) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for OutBody {
    type Data = Chunk;
    type Error = BodyFailed;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, BodyFailed>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Exact(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Exact(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Exact(body) => body.size_hint(),
        }
    }
}

/// A stream with its length. The lock makes it `Sync` as the client library wants; it is never contended.
pub(super) struct ExactBody {
    stream: Mutex<BodyStream>,
    left: u64,
    slot: FailureSlot,
}

impl ExactBody {
    pub(super) fn new(len: Bytes, stream: BodyStream, slot: FailureSlot) -> Self {
        Self {
            stream: Mutex::new(stream),
            left: len.get(),
            slot,
        }
    }

    fn fail(&mut self, why: Setback) -> Poll<Option<Result<Frame<Chunk>, BodyFailed>>> {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        Poll::Ready(Some(Err(BodyFailed)))
    }
}

impl Body for ExactBody {
    type Data = Chunk;
    type Error = BodyFailed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, BodyFailed>>> {
        let next = {
            let stream = self.stream.get_mut();
            stream
                .unwrap_or_else(PoisonError::into_inner)
                .poll_next_unpin(cx)
        };
        match next {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(chunk))) => {
                let len = chunk.len() as u64;
                if len > self.left {
                    return self.fail(Setback::Local(LocalCause::Spool));
                }
                self.left -= len;
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
            Poll::Ready(Some(Err(why))) => self.fail(why),
            Poll::Ready(None) if self.left > 0 => self.fail(Setback::Local(LocalCause::Spool)),
            Poll::Ready(None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
