//! Exports items of either side for the verifier. Streams pass through a reader and are gone; never is an item whole in memory.

use async_trait::async_trait;
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};

use crate::base::id::{ItemId, TargetItemId};
use crate::base::item::Digest;
use crate::base::outcome::{Said, Setback, Verdict};
use crate::engine::cx::{Break, Ferry, JobCx};
use crate::flow::judge::{Repeat, judge};
use crate::port::source::ExportSink;
use crate::verify::content::Reading;
use crate::wire::appointment::Dates;
use crate::wire::item_stream::{ItemReader, Readout};
use crate::wire::recurrence::NotExpanded;

/// Times an item that failed in a group is asked for alone.
const ALONE_MAX: u32 = 3;

/// What is to be learnt of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// Its digest.
    Digest,
    /// Everything a comparison needs.
    Reading,
}

/// What was learnt.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The canonical digest, where the item could be read whole.
    pub(super) digest: Option<Digest>,
    /// All of it, where that was wanted.
    pub(super) reading: Option<Reading>,
    /// When it takes place, for an appointment.
    pub(super) dates: Option<Result<Dates, NotExpanded>>,
}

/// How the export of one item ended.
#[derive(Clone, Debug)]
pub(super) enum Export {
    /// It came.
    Taken(Box<Taken>),
    /// It is no longer there.
    Gone,
    /// That side does not hand it out.
    Withheld,
}

struct Reader {
    item: ItemReader,
    bytes: Option<Sha256>,
    any: bool,
}

impl Reader {
    fn new(want: Want) -> Self {
        let deep = want == Want::Reading;
        Self {
            item: if deep {
                ItemReader::with_outline()
            } else {
                ItemReader::with_calendar()
            },
            bytes: deep.then(Sha256::new),
            any: false,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.any |= !bytes.is_empty();
        self.item.feed(bytes);
        if let Some(hash) = &mut self.bytes {
            hash.update(bytes);
        }
    }

    /// Nothing where not a byte came: success without a byte is not an item.
    fn finish(self) -> Option<Taken> {
        let Readout {
            report,
            outline,
            dates,
        } = self.item.finish_with_more();
        let reading = self.bytes.map(|hash| Reading {
            bytes: hash.finalize().into(),
            outline,
            digest: report.digest,
        });
        self.any.then_some(Taken {
            digest: report.digest,
            reading,
            dates,
        })
    }
}

/// Where exported bytes of the source go.
struct Sink {
    want: Want,
    open: Option<(usize, Reader)>,
    done: Vec<Option<Taken>>,
}

impl Sink {
    fn close(&mut self) {
        if let Some((index, reader)) = self.open.take()
            && let Some(place) = self.done.get_mut(index)
        {
            *place = reader.finish();
        }
    }
}

#[async_trait]
impl ExportSink for Sink {
    async fn begin(&mut self, index: usize) -> Result<(), Setback> {
        self.close();
        if index >= self.done.len() {
            return Err(Setback::OurRequest(Said::code("UnexpectedExportEntry")));
        }
        self.open = Some((index, Reader::new(self.want)));
        Ok(())
    }

    async fn piece(&mut self, bytes: &[u8]) -> Result<(), Setback> {
        if let Some((_, reader)) = &mut self.open {
            reader.feed(bytes);
        }
        Ok(())
    }
}

async fn call(
    cx: &JobCx,
    ids: &[ItemId],
    want: Want,
) -> Result<Vec<Result<Taken, Setback>>, Break> {
    cx.ask_source(|| async {
        let mut sink = Sink {
            want,
            open: None,
            done: ids.iter().map(|_| None).collect(),
        };
        let results = cx
            .run
            .ports
            .source
            .export(&cx.job.source, ids, &mut sink)
            .await?;
        sink.close();
        let taken = sink.done.into_iter().zip(results);
        Ok(taken
            .map(|(taken, result)| result.and_then(|()| taken.ok_or(Setback::Truncated)))
            .collect())
    })
    .await
}

/// Exports items of the source, in one call as far as it goes; what fails there is asked for alone.
pub(super) async fn from_source(
    cx: &JobCx,
    ids: &[ItemId],
    want: Want,
) -> Result<Vec<Export>, Break> {
    if cx.run.control.draining() {
        return Err(Break::Draining);
    }
    let first = match call(cx, ids, want).await {
        Ok(results) => results,
        Err(Break::Exhausted(_) | Break::Refused(_) | Break::Gone) if ids.len() > 1 => {
            ids.iter().map(|_| Err(Setback::Truncated)).collect()
        }
        Err(Break::Exhausted(_) | Break::Refused(_)) => return Ok(vec![Export::Withheld]),
        Err(Break::Gone) => return Ok(vec![Export::Gone]),
        Err(broken) => return Err(broken),
    };
    let mut out = Vec::with_capacity(ids.len());
    for (id, result) in ids.iter().zip(first) {
        out.push(match result {
            Ok(taken) => Export::Taken(Box::new(taken)),
            Err(setback) => alone(cx, id, want, setback).await?,
        });
    }
    Ok(out)
}

async fn alone(cx: &JobCx, id: &ItemId, want: Want, first: Setback) -> Result<Export, Break> {
    let mut setback = first;
    let mut attempt = 1;
    loop {
        match judge(Repeat::Freely, &setback) {
            Verdict::Again | Verdict::Doubt(_) | Verdict::Renew if attempt > ALONE_MAX => {
                return Ok(Export::Withheld);
            }
            Verdict::Again | Verdict::Doubt(_) | Verdict::Renew => {
                cx.wait(cx.backoff(attempt)).await?;
                attempt += 1;
            }
            Verdict::Hold { scope, at_least } => cx.hold(scope, at_least, 1),
            Verdict::Refuse(_) => return Ok(Export::Withheld),
            Verdict::Forget => return Ok(Export::Gone),
            Verdict::Resurvey => return Err(Break::FolderGone),
            Verdict::Resync => return Err(Break::StateInvalid),
            Verdict::Halt(why) | Verdict::Pause(why) => return Err(Break::Halt(why)),
            Verdict::Stop(why) => return Err(Break::Stop(why)),
            Verdict::Drain(why) => return Err(Break::Local(why)),
        }
        setback = match call(cx, std::slice::from_ref(id), want).await {
            Ok(results) => match results.into_iter().next() {
                Some(Ok(taken)) => return Ok(Export::Taken(Box::new(taken))),
                Some(Err(setback)) => setback,
                None => Setback::Truncated,
            },
            Err(Break::Exhausted(_) | Break::Refused(_)) => return Ok(Export::Withheld),
            Err(Break::Gone) => return Ok(Export::Gone),
            Err(broken) => return Err(broken),
        };
    }
}

/// Exports one item of the target.
pub(super) async fn from_target(
    ferry: Ferry<'_>,
    id: &TargetItemId,
    want: Want,
) -> Result<Export, Break> {
    let Ferry { cx, to } = ferry;
    if cx.run.control.draining() {
        return Err(Break::Draining);
    }
    let taken = cx
        .ask_target(Some(to), || async {
            let mut reader = Reader::new(want);
            let mut pieces = cx.run.ports.target.export(to, id).await?;
            while let Some(piece) = pieces.next().await {
                reader.feed(&piece?);
            }
            reader.finish().ok_or(Setback::Truncated)
        })
        .await;
    match taken {
        Ok(taken) => Ok(Export::Taken(Box::new(taken))),
        Err(Break::Exhausted(_) | Break::Refused(_)) => Ok(Export::Withheld),
        Err(Break::Gone) => Ok(Export::Gone),
        Err(broken) => Err(broken),
    }
}
