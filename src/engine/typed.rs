//! The typed route as the drivers use it: which items take it, and both sides of an item read and compared.

use std::sync::PoisonError;

use async_trait::async_trait;
use futures_util::StreamExt as _;

use crate::base::books::FolderSums;
use crate::base::fact::{CopyRow, FolderRow};
use crate::base::id::{FolderNo, ItemId, TargetFolderId, TargetItemId};
use crate::base::item::{Digest, ItemClass};
use crate::base::losses;
use crate::base::mailbox::TargetFolder;
use crate::base::outcome::{HaltCause, MisreadCause, Refusal, RefusalWhy, Said, Setback};
use crate::base::quantity::Count;
use crate::base::route::{Route, RouteRule};
use crate::engine::cx::{Break, Ferry, JobCx};
use crate::flow::route::route_of;
use crate::port::source::ExportSink;
use crate::port::typed::TypedPorts;
use crate::verify::typed::{Canon, TypedJudged, judge};
use crate::wire::parcel::{NotAParcel, ParcelMeter, ParcelReport};

/// Whether items of this class have a form on the typed route.
fn has_form(class: &ItemClass) -> bool {
    losses::family_of(class.as_str()).is_some()
}

/// The route of a row: the one it is on, or for one that was never sent the one that is chosen now.
pub fn choose(cx: &JobCx, row: &CopyRow, sent_before: bool) -> Route {
    let on = route_of(row);
    if sent_before || on == Route::Typed || cx.run.ports.typed.is_none() {
        return on;
    }
    let class = &row.header.class;
    let book = cx.run.routes();
    book.choose(cx.run.spec.route, class, has_form(class))
}

/// Whether an item whose stream was refused goes on by its class.
pub fn goes_on(cx: &JobCx, class: &ItemClass, refusal: &Refusal) -> bool {
    let rule = match cx.run.ports.typed {
        Some(_) => cx.run.spec.route,
        None => RouteRule::Stream,
    };
    rule.falls_back(has_form(class), refusal.why)
}

/// Both ends of the route, for an item that is on it.
pub fn ports(cx: &JobCx) -> Result<&TypedPorts, Setback> {
    cx.run.ports.typed.as_ref().ok_or_else(|| {
        Setback::ItemRefused(Refusal {
            why: RefusalWhy::NoTypedForm,
            said: Said::code("typed-route-not-there"),
        })
    })
}

/// The counterpart of a folder, as the typed route is told of it.
pub fn counterpart(folder: &FolderRow, to: &TargetFolderId) -> TargetFolder {
    TargetFolder {
        id: to.clone(),
        parent: None,
        name: folder.named.clone().unwrap_or_else(|| folder.name.clone()),
        class: folder.class.clone(),
        role: folder.role,
        items: folder.items,
    }
}

/// A parcel that does not read is damaged on its way: it is asked for again.
pub fn damaged(_: NotAParcel) -> Setback {
    Setback::Misread(MisreadCause::Malformed, Said::code("parcel"))
}

/// Reads the parcel of one source item, and keeps what it says.
pub async fn from_source(cx: &JobCx, item: &ItemId) -> Result<ParcelReport, Break> {
    let typed = ports(cx).map_err(refused)?;
    cx.ask_source(|| async {
        let mut sink = Measure::default();
        let ids = std::slice::from_ref(item);
        let results = typed.source.read(&cx.job.source, ids, &mut sink).await?;
        results
            .into_iter()
            .next()
            .unwrap_or(Err(Setback::Truncated))?;
        sink.meter.finish().map_err(damaged)
    })
    .await
}

/// Reads one copy back as the service shows it.
pub async fn from_target(
    ferry: Ferry<'_>,
    folder: &TargetFolder,
    item: &TargetItemId,
) -> Result<ParcelReport, Break> {
    let typed = ports(ferry.cx).map_err(refused)?;
    let read = || async {
        let mut meter = ParcelMeter::new();
        let mut pieces = typed.target.read(ferry.to, folder, item).await?;
        while let Some(piece) = pieces.next().await {
            meter.feed(&piece?).map_err(damaged)?;
        }
        meter.finish().map_err(damaged)
    };
    let out = ferry.cx.ask_target(Some(ferry.to), read).await;
    ferry.cx.charge(ferry.to);
    out
}

fn refused(setback: Setback) -> Break {
    match setback {
        Setback::ItemRefused(refusal) => Break::Refused(refusal),
        other => Break::Exhausted(other),
    }
}

/// Says what the differences of a source item and its copy amount to.
pub fn compare(source: &ParcelReport, target: &ParcelReport) -> TypedJudged {
    judge(
        &Canon::of(&source.item, &source.attachments),
        &Canon::of(&target.item, &target.attachments),
    )
}

/// The digest of the source item, where the copy is a copy of it as it is now; `None` where it is not, or where that cannot be shown.
pub async fn same_as_source(
    ferry: Ferry<'_>,
    folder: &TargetFolder,
    source: &ItemId,
    copy: &TargetItemId,
) -> Result<Option<Digest>, Break> {
    let target = from_target(ferry, folder, copy).await?;
    let source = match from_source(ferry.cx, source).await {
        Ok(source) => source,
        Err(Break::Gone | Break::Refused(_)) => return Ok(None),
        Err(broken) => return Err(broken),
    };
    Ok(match compare(&source, &target) {
        TypedJudged::Same | TypedJudged::ByRoute(_) => Some(source.digest),
        TypedJudged::Differs(_) => None,
    })
}

/// Notes that something is made by its class for this folder, and may not become whole.
pub fn composes(cx: &JobCx, folder: FolderNo) {
    let mut composed = cx.composed.lock().unwrap_or_else(PoisonError::into_inner);
    composed.insert(folder);
}

/// Clears away what composes that did not end left behind, once nothing is being composed in this mailbox: what is hidden, and what lies in the
/// counterparts of these folders, since no folder can hide events and contacts that are not whole; their items may have left the source since, or
/// spent their attempts. What cannot be cleared now is cleared by a later pass that composes, and at the latest by the one that finishes, which asks
/// about every folder for which something may ever have been composed; it is no reason to call the mailbox unfinished.
pub async fn tidy<'f>(
    cx: &JobCx,
    folders: impl Iterator<Item = &'f FolderRow>,
    finish: bool,
) -> Result<(), Break> {
    let mut used = {
        let mut composed = cx.composed.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *composed)
    };
    if finish && cx.run.ports.typed.is_some() {
        // A process that was killed took along what it knew.
        let always = cx.run.spec.route == RouteRule::Typed;
        let sums = cx.run.ports.ledger.sums(cx.job.job).await?;
        let ever = |own: &FolderSums| always || own.by(Route::Typed) > Count::ZERO;
        used.extend(sums.iter().filter(|(_, own)| ever(own)).map(|(no, _)| *no));
    }
    let Some(typed) = cx.run.ports.typed.as_ref().filter(|_| !used.is_empty()) else {
        return Ok(());
    };
    let to = cx.to().await?;
    // Only those for which something was made: an application that makes mail alone may not be let into calendars.
    let open: Vec<TargetFolder> = folders
        .filter(|row| used.contains(&row.no))
        .filter_map(|row| Some(counterpart(row, row.target.as_ref()?)))
        .filter(|folder| is_open(&folder.class))
        .collect();
    let tidied = cx.ask_target(Some(to), || typed.target.tidy(to, &open));
    let tidied = tidied.await;
    cx.charge(to);
    match tidied {
        Ok(_) | Err(Break::Exhausted(_) | Break::Refused(_) | Break::Gone | Break::FolderGone) => {
            Ok(())
        }
        // Neither a filter that a service does not know nor a folder that is shut is a reason to stop a mailbox whose items are there.
        Err(Break::Halt(HaltCause::OurRequest | HaltCause::TargetDenied)) => Ok(()),
        Err(broken) => Err(broken),
    }
}

/// Whether items lie openly in folders of this class before they are whole: events and contacts do, one call of each folder. Others are not asked about.
fn is_open(class: &str) -> bool {
    let class = ItemClass::new(class);
    class.is_a("IPF.Appointment") || class.is_a("IPF.Contact")
}

/// Takes one parcel and keeps nothing of it but what it says.
#[derive(Default)]
struct Measure {
    meter: ParcelMeter,
}

#[async_trait]
impl ExportSink for Measure {
    async fn begin(&mut self, _: usize) -> Result<(), Setback> {
        self.meter = ParcelMeter::new();
        Ok(())
    }

    async fn piece(&mut self, bytes: &[u8]) -> Result<(), Setback> {
        self.meter.feed(bytes).map_err(damaged)
    }
}
