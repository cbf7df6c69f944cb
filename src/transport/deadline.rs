//! Ends of patience. The one place of the transport that asks for time to pass, so that a paused clock pauses all of it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;

use crate::base::quantity::Span;

/// A moment some time from now. Ready when it has come.
pub(super) struct Deadline(Pin<Box<tokio::time::Sleep>>);

/// The moment came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passed;

impl Deadline {
    /// In `span` from now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the bound on one network call; nothing is decided by it but that call's end"
    )]
    pub(super) fn after(span: Span) -> Self {
        Self(Box::pin(tokio::time::sleep(span.to_std())))
    }

    /// Waits for `work`, at most until the deadline. May be asked again for the next piece of work.
    pub(super) async fn guard<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Passed> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = &mut self.0 => Err(Passed),
        }
    }

    /// True when it has come.
    pub(super) fn passed(&mut self) -> bool {
        self.0.as_mut().now_or_never().is_some()
    }
}

impl Future for Deadline {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deadline")
    }
}
