//! Lists one folder: page by page, rows durable before the page's token; and, where deltas cannot be trusted, the whole of it.

use std::collections::BTreeMap;

use crate::base::event::EventKind;
use crate::base::fact::{CopyRow, Fact, FolderRow};
use crate::base::id::ItemId;
use crate::base::item::{ItemKey, SourceHeader};
use crate::base::limits::{
    EMPTY_PAGES_MAX, LEDGER_PAGE, RESYNCS_MAX, SOURCE_EXPORT_IDS, SOURCE_FIND_PAGE,
    SOURCE_SYNC_PAGE,
};
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::Count;
use crate::engine::cx::{Break, JobCx, replayed};
use crate::flow::copy::CopyState;
use crate::flow::pass::{Known, Listed, PageFacts, all_left, read_page};
use crate::plan::rules;
use crate::port::source::Change;

/// Reads what changed in `folder` since its last token, to the end.
///
/// A refused token is dropped and everything is listed again; departures of the meantime are in no such listing, so the whole folder is
/// compared then.
pub async fn sweep(cx: &JobCx, folder: &mut FolderRow) -> Result<(), Break> {
    let mut listed_now = Count::ZERO;
    let fresh = folder.sync.is_none();
    let (mut resyncs, mut empty) = (0, 0);
    loop {
        let page = cx
            .ask_source(|| {
                let token = folder.sync.as_ref();
                cx.run
                    .ports
                    .source
                    .changes(&cx.job.source, &folder.source, token, SOURCE_SYNC_PAGE)
            })
            .await;
        let page = match page {
            Ok(page) => page,
            // Listing again from the start finds every row there already; nothing is lost or doubled by it.
            Err(Break::StateInvalid) if folder.sync.is_some() && resyncs < RESYNCS_MAX => {
                resyncs += 1;
                folder.sync = None;
                folder.swept = false;
                // Durable, so that a crash on the way does not forget that the folder must be compared.
                cx.append(&[Fact::Folder(folder.clone())]).await?;
                continue;
            }
            Err(broken) => return Err(broken),
        };
        // A page that brings nothing and does not move on would be asked for without end.
        let stuck = !page.complete && page.changes.is_empty();
        empty = if stuck { empty + 1 } else { 0 };
        if empty > EMPTY_PAGES_MAX {
            let why = Setback::Misread(MisreadCause::Incomplete, Said::default());
            return Err(Break::Exhausted(why));
        }
        let listed: Vec<Listed> = page
            .changes
            .into_iter()
            .map(|change| as_listed(cx, change))
            .collect();
        listed_now += Count::new(listed.len() as u64);
        let known = known(cx, folder, &listed).await?;
        let read = read_page(folder.no, &listed, known);
        let whole = page.complete;
        let seen_before = folder.swept;
        folder.sync = Some(page.token);
        folder.swept |= whole;
        // Last in the same append: the token is never ahead of the rows it stands for.
        store(cx, folder, read).await?;
        if whole {
            let rows = cx.sums(folder.no).await?.source();
            let first_and_whole = fresh && rows <= listed_now;
            if !seen_before && !first_and_whole {
                compare(cx, folder).await?;
            }
            return Ok(());
        }
        if cx.run.control.draining() {
            return Err(Break::Draining);
        }
    }
}

/// Makes what a page taught durable together with the folder's row, and tells.
async fn store(cx: &JobCx, folder: &FolderRow, read: PageFacts) -> Result<(), Break> {
    let mut facts = read.facts;
    facts.push(Fact::Folder(folder.clone()));
    cx.append(&facts).await?;
    cx.tell(EventKind::PageStored {
        folder: folder.no,
        new: read.new,
        bytes: read.new_bytes,
    });
    (0..read.skipped.get()).for_each(|_| cx.tell(EventKind::CopySkipped));
    (0..read.gone.get()).for_each(|_| cx.tell(EventKind::CopyGone));
    Ok(())
}

/// Enumerates a folder in full by a plain listing and sets it against the ledger: what no delta showed is found, changed or gone.
///
/// Memory: 16 bytes per item of the folder. A listing by offsets can miss what moves under it, so absence is asked about item by item before it
/// counts.
pub async fn compare(cx: &JobCx, folder: &FolderRow) -> Result<(), Break> {
    let mut seen: Vec<ItemKey> = Vec::new();
    let mut missed = Count::ZERO;
    let mut offset = Count::ZERO;
    loop {
        let page = cx
            .ask_source(|| {
                cx.run
                    .ports
                    .source
                    .page(&cx.job.source, &folder.source, offset, SOURCE_FIND_PAGE)
            })
            .await?;
        let last = page.last || page.items.is_empty();
        offset += Count::new(page.items.len() as u64);
        let listed: Vec<Listed> = page
            .items
            .into_iter()
            .map(|header| there(cx, header, false))
            .collect();
        seen.extend(listed.iter().map(key_of));
        let known = known(cx, folder, &listed).await?;
        let read = read_page(folder.no, &listed, known);
        missed += read.new + read.changed;
        store(cx, folder, read).await?;
        if last {
            break;
        }
        if cx.run.control.draining() {
            return Err(Break::Draining);
        }
    }
    seen.sort_unstable();
    missed += absent(cx, folder, &seen).await?;
    cx.tell(EventKind::FolderCompared { missed });
    Ok(())
}

/// Marks rows that no listing showed and that are proved to be gone. Returns how many.
async fn absent(cx: &JobCx, folder: &FolderRow, seen: &[ItemKey]) -> Result<Count, Break> {
    let mut gone = Count::ZERO;
    let mut after = None;
    loop {
        let rows = cx.page(folder.no, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(gone);
        };
        after = Some(last.key);
        let unseen: Vec<Known> = rows
            .into_iter()
            .filter(|(row, state)| {
                state.bucket().is_some() && seen.binary_search(&row.key).is_err()
            })
            .map(as_known)
            .collect();
        for some in unseen.chunks(SOURCE_EXPORT_IDS) {
            let ids: Vec<ItemId> = some.iter().map(|row| row.header.id.clone()).collect();
            let there = cx
                .ask_source(|| cx.run.ports.source.present(&cx.job.source, &ids))
                .await?;
            let left: Vec<Known> = some
                .iter()
                .zip(there)
                .filter(|(_, there)| !there)
                .map(|(row, _)| row.clone())
                .collect();
            gone += Count::new(left.len() as u64);
            store(cx, folder, all_left(folder.no, left)).await?;
        }
    }
}

/// Everything in a folder that went from the source has left with it. Costs a read per row, once.
pub async fn folder_left(cx: &JobCx, folder: &FolderRow) -> Result<(), Break> {
    let mut after = None;
    loop {
        let rows = cx.page(folder.no, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        after = Some(last.key);
        let left: Vec<Known> = rows
            .into_iter()
            .filter(|(_, state)| state.bucket().is_some())
            .map(as_known)
            .collect();
        store(cx, folder, all_left(folder.no, left)).await?;
    }
}

fn there(cx: &JobCx, header: SourceHeader, edited: bool) -> Listed {
    let skip = rules::skip(&header, &cx.run.spec.select);
    Listed::There {
        header,
        edited,
        skip,
    }
}

fn as_listed(cx: &JobCx, change: Change) -> Listed {
    match change {
        Change::Created(header) => there(cx, header, false),
        Change::Updated(header) => there(cx, header, true),
        Change::Deleted(id) => Listed::Left(ItemKey::of(&id)),
        Change::Read { id, read, version } => Listed::Flagged(ItemKey::of(&id), read, version),
    }
}

fn key_of(listed: &Listed) -> ItemKey {
    match listed {
        Listed::There { header, .. } => ItemKey::of(&header.id),
        Listed::Left(key) | Listed::Flagged(key, ..) => *key,
    }
}

/// The rows a page touches.
async fn known(
    cx: &JobCx,
    folder: &FolderRow,
    listed: &[Listed],
) -> Result<BTreeMap<ItemKey, Known>, Break> {
    let keys: Vec<ItemKey> = listed.iter().map(key_of).collect();
    debug_assert!(keys.len() as u64 <= LEDGER_PAGE.get());
    let rows = cx
        .run
        .ports
        .ledger
        .copies_of(cx.job.job, folder.no, &keys)
        .await?;
    let rows = replayed(rows)?.into_iter();
    Ok(rows.map(|row| (row.0.key, as_known(row))).collect())
}

fn as_known((row, state): (CopyRow, CopyState)) -> Known {
    Known {
        state,
        header: row.header,
    }
}
