//! How content crosses a seam: a rewindable body that is complete before anybody intends to send it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes as Chunk;
use futures_util::stream::BoxStream;

use crate::base::outcome::Setback;
use crate::base::quantity::Bytes;

/// The pieces of a body, in order, each of at most `limits::BODY_PIECE` bytes.
pub type BodyStream = BoxStream<'static, Result<Chunk, Setback>>;

/// A complete item stream that can be read any number of times from byte 0.
///
/// Dropping the last handle frees its room in memory or on disk.
pub trait Rewind: fmt::Debug + Send + Sync {
    /// Its length. Constant.
    fn len(&self) -> Bytes;

    /// True when it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == Bytes::ZERO
    }

    /// Opens it at byte 0. May be called again; each stream stands on its own. Pieces are multiples of three bytes long, except the
    /// last, so that base64 can be made piece by piece.
    fn open(&self) -> BodyStream;
}

/// A shared handle to a body.
pub type Body = Arc<dyn Rewind>;
