//! Content on its way through a canary: out of the source into a spooled body with its digest, and back out of the target.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt as _;

use crate::base::id::{ItemId, MailboxId, TargetItemId, TargetMailboxId};
use crate::base::item::Digest;
use crate::base::outcome::{Said, Setback};
use crate::base::quantity::Bytes;
use crate::engine::room::{Booking, Spool};
use crate::engine::spool::{Spill, Spooling};
use crate::port::body::Body;
use crate::port::source::{ExportSink, Source};
use crate::port::target::Target;
use crate::wire::item_stream::ItemReader;

/// One exported item, complete.
pub(super) struct Exported {
    pub(super) body: Body,
    /// Where the reader knows all of it.
    pub(super) digest: Option<Digest>,
    /// Its room, until it is dropped.
    _booking: Booking,
}

struct Sink {
    open: Option<(Spooling, ItemReader)>,
    booking: Booking,
    size: Bytes,
}

#[async_trait]
impl ExportSink for Sink {
    async fn begin(&mut self, index: usize) -> Result<(), Setback> {
        if index != 0 || self.open.is_some() {
            return Err(Setback::OurRequest(Said::code("UnexpectedExportEntry")));
        }
        let room = self.booking.lend(self.size);
        self.open = Some((Spooling::begin(room, Spill::default()), ItemReader::new()));
        Ok(())
    }

    async fn piece(&mut self, bytes: &[u8]) -> Result<(), Setback> {
        if let Some((spooling, reader)) = &mut self.open {
            reader.feed(bytes);
            spooling.write(bytes).await?;
        }
        Ok(())
    }
}

/// Exports one item of the source.
pub(super) async fn from_source(
    source: &dyn Source,
    spool: &Arc<Spool>,
    mailbox: &MailboxId,
    item: &ItemId,
    size: Bytes,
) -> Result<Exported, Setback> {
    let booking = spool.reserve(size).await;
    let mut sink = Sink {
        open: None,
        booking,
        size,
    };
    let results = source
        .export(mailbox, std::slice::from_ref(item), &mut sink)
        .await?;
    match results.into_iter().next() {
        Some(Ok(())) => {}
        Some(Err(why)) => return Err(why),
        None => return Err(Setback::Truncated),
    }
    let Some((spooling, reader)) = sink.open.filter(|(spooling, _)| !spooling.is_empty()) else {
        // Success without a byte is not an item.
        return Err(Setback::Truncated);
    };
    Ok(Exported {
        body: spooling.finish().await?,
        digest: reader.finish().digest,
        _booking: sink.booking,
    })
}

/// Reads one item of the target back, and returns its digest where the reader knows all of it.
pub(super) async fn from_target(
    target: &dyn Target,
    mailbox: &TargetMailboxId,
    item: &TargetItemId,
) -> Result<Option<Digest>, Setback> {
    let mut pieces = target.export(mailbox, item).await?;
    let (mut reader, mut any) = (ItemReader::new(), false);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        any |= !piece.is_empty();
        reader.feed(&piece);
    }
    if any {
        Ok(reader.finish().digest)
    } else {
        Err(Setback::Truncated)
    }
}
