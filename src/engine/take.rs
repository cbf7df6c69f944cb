//! Takes items out of the source: one call, each item's bytes spooled whole and read along on the way.

use std::sync::Arc;

use async_trait::async_trait;

use crate::base::id::ItemId;
use crate::base::item::Digest;
use crate::base::outcome::{Said, Setback};
use crate::base::quantity::Bytes;
use crate::base::route::Route;
use crate::engine::cx::{Break, JobCx};
use crate::engine::room::{Booking, Room};
use crate::engine::spool::{Spill, Spooling};
use crate::engine::typed;
use crate::port::body::Body;
use crate::port::source::ExportSink;
use crate::wire::item_stream::ItemReader;
use crate::wire::parcel::ParcelMeter;

/// One exported item.
#[derive(Debug)]
pub struct Spooled {
    /// Its whole stream, or its parcel.
    pub body: Body,
    /// Its digest, where it could be read whole.
    pub digest: Option<Digest>,
}

/// Takes these items, each of about so many bytes, in one call. One result for each, in order.
pub async fn take(
    cx: &JobCx,
    room: &Booking,
    route: Route,
    asked: Vec<(ItemId, Bytes)>,
) -> Result<Vec<Result<Spooled, Setback>>, Break> {
    let ids: Vec<ItemId> = asked.iter().map(|(id, _)| id.clone()).collect();
    let (source, mailbox) = (Arc::clone(&cx.run.ports.source), &cx.job.source);
    let whole = asked.iter().map(|(_, size)| *size).sum();
    cx.ask_source_for(whole, || async {
        let mut sink = Sink {
            rooms: asked
                .iter()
                .map(|(_, size)| Some(room.lend(*size)))
                .collect(),
            spill: Spill::default(),
            writing: asked.iter().map(|_| None).collect(),
            at: 0,
            route,
        };
        let results = match route {
            Route::Stream => source.export(mailbox, &ids, &mut sink).await?,
            Route::Typed => {
                let source = &typed::ports(cx)?.source;
                source.read(mailbox, &ids, &mut sink).await?
            }
        };
        sink.finish(results).await
    })
    .await
}

/// Where exported bytes go: spool and reader at once.
struct Sink {
    rooms: Vec<Option<Room>>,
    spill: Spill,
    writing: Vec<Option<(Spooling, Reader)>>,
    at: usize,
    route: Route,
}

/// What reads along.
enum Reader {
    Stream(Box<ItemReader>),
    Parcel(Box<ParcelMeter>),
}

impl Reader {
    fn of(route: Route) -> Self {
        match route {
            Route::Stream => Self::Stream(Box::default()),
            Route::Typed => Self::Parcel(Box::default()),
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Setback> {
        match self {
            Self::Stream(reader) => reader.feed(bytes),
            Self::Parcel(meter) => meter.feed(bytes).map_err(typed::damaged)?,
        }
        Ok(())
    }

    /// The digest, where it could be read whole. A parcel is ours: one that does not read is damaged.
    fn finish(self) -> Result<Option<Digest>, Setback> {
        match self {
            Self::Stream(reader) => Ok(reader.finish().digest),
            Self::Parcel(meter) => {
                let report = meter.finish().map_err(typed::damaged)?;
                Ok(Some(report.digest))
            }
        }
    }
}

#[async_trait]
impl ExportSink for Sink {
    async fn begin(&mut self, index: usize) -> Result<(), Setback> {
        let Some(room) = self.rooms.get_mut(index).and_then(Option::take) else {
            return Err(Setback::OurRequest(Said::code("UnexpectedExportEntry")));
        };
        self.at = index;
        let spooling = Spooling::begin(room, self.spill.clone());
        self.writing[index] = Some((spooling, Reader::of(self.route)));
        Ok(())
    }

    async fn piece(&mut self, bytes: &[u8]) -> Result<(), Setback> {
        if let Some(Some((spooling, reader))) = self.writing.get_mut(self.at) {
            reader.feed(bytes)?;
            spooling.write(bytes).await?;
        }
        Ok(())
    }
}

impl Sink {
    async fn finish(
        self,
        results: Vec<Result<(), Setback>>,
    ) -> Result<Vec<Result<Spooled, Setback>>, Setback> {
        let mut out = Vec::with_capacity(results.len());
        for (writing, result) in self.writing.into_iter().zip(results) {
            out.push(match (result, writing) {
                (Err(setback), _) => Err(setback),
                // Success without a byte is not an item.
                (Ok(()), None) => Err(Setback::Truncated),
                (Ok(()), Some((spooling, _))) if spooling.is_empty() => Err(Setback::Truncated),
                (Ok(()), Some((spooling, reader))) => {
                    let body = spooling.finish().await?;
                    reader.finish().map(|digest| Spooled { body, digest })
                }
            });
        }
        Ok(out)
    }
}
