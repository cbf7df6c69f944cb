//! Lists one folder: page by page, rows durable before the page's token.

use std::collections::BTreeMap;

use crate::base::event::EventKind;
use crate::base::fact::{Fact, FolderRow};
use crate::base::item::{ItemKey, SourceHeader};
use crate::base::limits::{EMPTY_PAGES_MAX, RESYNCS_MAX, SOURCE_SYNC_PAGE};
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::engine::cx::{Break, JobCx, replayed};
use crate::flow::copy::CopyState;
use crate::flow::pass::{Listed, read_page};
use crate::plan::rules;
use crate::port::source::Change;

/// Reads what changed in `folder` since its last token, to the end.
pub async fn sweep(cx: &JobCx, folder: &mut FolderRow) -> Result<(), Break> {
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
        let known = known(cx, folder, &listed).await?;
        let read = read_page(folder.no, &listed, known);
        folder.sync = Some(page.token);
        folder.swept |= page.complete;
        let mut facts = read.facts;
        // Last in the same append: the token is never ahead of the rows it stands for.
        facts.push(Fact::Folder(folder.clone()));
        cx.append(&facts).await?;
        cx.tell(EventKind::PageStored {
            folder: folder.no,
            new: read.new,
            bytes: read.new_bytes,
        });
        (0..read.skipped.get()).for_each(|_| cx.tell(EventKind::CopySkipped));
        (0..read.gone.get()).for_each(|_| cx.tell(EventKind::CopyGone));
        if page.complete {
            return Ok(());
        }
        if cx.run.control.draining() {
            return Err(Break::Draining);
        }
    }
}

fn as_listed(cx: &JobCx, change: Change) -> Listed {
    let there = |header: SourceHeader, edited| {
        let skip = rules::skip(&header, &cx.run.spec.select);
        Listed::There {
            header,
            edited,
            skip,
        }
    };
    match change {
        Change::Created(header) => there(header, false),
        Change::Updated(header) => there(header, true),
        Change::Deleted(id) => Listed::Left(ItemKey::of(&id)),
        Change::Read(id, _) => Listed::Flagged(ItemKey::of(&id)),
    }
}

/// The states of the rows a page touches.
async fn known(
    cx: &JobCx,
    folder: &FolderRow,
    listed: &[Listed],
) -> Result<BTreeMap<ItemKey, CopyState>, Break> {
    let keys: Vec<ItemKey> = listed
        .iter()
        .map(|listed| match listed {
            Listed::There { header, .. } => ItemKey::of(&header.id),
            Listed::Left(key) | Listed::Flagged(key) => *key,
        })
        .collect();
    let rows = cx
        .run
        .ports
        .ledger
        .copies_of(cx.job.job, folder.no, &keys)
        .await?;
    Ok(replayed(rows)?
        .into_iter()
        .map(|(row, state)| (row.key, state))
        .collect())
}
