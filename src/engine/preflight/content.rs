//! Content on its way through a canary: out of the source into a spooled body, with what it says of itself, and back out of the target.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt as _;

use crate::base::id::{ItemId, MailboxId, TargetItemId, TargetMailboxId};
use crate::base::item::Digest;
use crate::base::mailbox::TargetFolder;
use crate::base::outcome::{Said, Setback};
use crate::base::quantity::Bytes;
use crate::base::route::Route;
use crate::engine::preflight::drive::Ports;
use crate::engine::room::{Booking, Spool};
use crate::engine::spool::{Spill, Spooling};
use crate::engine::typed::damaged;
use crate::port::body::Body;
use crate::port::source::ExportSink;
use crate::port::target::Target;
use crate::port::typed::TypedTarget;
use crate::wire::item_stream::ItemReader;
use crate::wire::parcel::{ParcelMeter, ParcelReport};

/// One item of the source, complete.
pub(super) struct Exported {
    pub(super) body: Body,
    pub(super) told: Told,
    /// Its room, until it is dropped.
    _booking: Booking,
}

/// What the content says of itself.
pub(super) enum Told {
    /// A stream; its digest, where the reader knows all of it.
    Stream(Option<Digest>),
    /// A parcel.
    Parcel(Box<ParcelReport>),
}

impl Exported {
    /// The digest of a stream.
    pub(super) const fn digest(&self) -> Option<Digest> {
        match self.told {
            Told::Stream(digest) => digest,
            Told::Parcel(_) => None,
        }
    }
}

/// What reads along.
enum Gauge {
    Stream(Box<ItemReader>),
    Parcel(Box<ParcelMeter>),
}

impl Gauge {
    fn of(route: Route) -> Self {
        match route {
            Route::Stream => Self::Stream(Box::default()),
            Route::Typed => Self::Parcel(Box::default()),
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Setback> {
        match self {
            Self::Stream(reader) => {
                reader.feed(bytes);
                Ok(())
            }
            Self::Parcel(meter) => meter.feed(bytes).map_err(damaged),
        }
    }

    fn finish(self) -> Result<Told, Setback> {
        match self {
            Self::Stream(reader) => Ok(Told::Stream(reader.finish().digest)),
            Self::Parcel(meter) => {
                let report = meter.finish().map_err(damaged)?;
                Ok(Told::Parcel(Box::new(report)))
            }
        }
    }
}

struct Sink {
    open: Option<(Spooling, Gauge)>,
    route: Route,
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
        let spooling = Spooling::begin(room, Spill::default());
        self.open = Some((spooling, Gauge::of(self.route)));
        Ok(())
    }

    async fn piece(&mut self, bytes: &[u8]) -> Result<(), Setback> {
        if let Some((spooling, gauge)) = &mut self.open {
            gauge.feed(bytes)?;
            spooling.write(bytes).await?;
        }
        Ok(())
    }
}

/// Takes one item out of the source by this route.
pub(super) async fn from_source(
    ports: &Ports,
    spool: &Arc<Spool>,
    (mailbox, item): (&MailboxId, &ItemId),
    size: Bytes,
    route: Route,
) -> Result<Exported, Setback> {
    let booking = spool.reserve(size).await;
    let mut sink = Sink {
        open: None,
        route,
        booking,
        size,
    };
    let items = std::slice::from_ref(item);
    let results = match route {
        Route::Stream => ports.source.export(mailbox, items, &mut sink).await?,
        Route::Typed => ports.typed.source.read(mailbox, items, &mut sink).await?,
    };
    match results.into_iter().next() {
        Some(Ok(())) => {}
        Some(Err(why)) => return Err(why),
        None => return Err(Setback::Truncated),
    }
    let Some((spooling, gauge)) = sink.open.filter(|(spooling, _)| !spooling.is_empty()) else {
        // Success without a byte is not an item.
        return Err(Setback::Truncated);
    };
    Ok(Exported {
        told: gauge.finish()?,
        body: spooling.finish().await?,
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

/// Reads one item of the target back by its class.
pub(super) async fn parcel_from_target(
    target: &dyn TypedTarget,
    mailbox: &TargetMailboxId,
    folder: &TargetFolder,
    item: &TargetItemId,
) -> Result<ParcelReport, Setback> {
    let mut meter = ParcelMeter::new();
    let mut pieces = target.read(mailbox, folder, item).await?;
    while let Some(piece) = pieces.next().await {
        meter.feed(&piece?).map_err(damaged)?;
    }
    meter.finish().map_err(damaged)
}
