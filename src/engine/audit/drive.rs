//! Verifies a mailbox: lists both sides anew, sets them against each other, and asks the ledger about every difference.
//!
//! The source is listed by FindItem, not by the sync states the copy used; the target by its item lists; at level content both are exported
//! anew. The ledger is the third witness: it explains a difference, it never vouches for a present item.
//!
//! Memory: 64 bytes per item of a folder that both sides hold, about 150 per item that only one of them holds, bounded for all mailboxes
//! together by [`Order::room`]; at level content also `limits::CONTENT_BATCH` ids and digests per mailbox.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{FolderAudit, MailboxAudit, folders, identity};
use crate::base::fact::{FolderFate, FolderRow};
use crate::base::id::{TargetFolderId, TargetMailboxId};
use crate::base::limits::{AUDIT_ROOM_ITEMS, AUDIT_ROOM_UNIT, SOURCE_FIND_PAGE};
use crate::base::quantity::Count;
use crate::engine::cx::{Break, Ferry, JobCx};
use crate::engine::marks::quick;
use crate::engine::worker::resolve;
use crate::port::source::SourcePage;
use crate::port::target::TargetPage;
use crate::verify::march::Scope;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Numbers of items per folder.
    Counts,
    /// Every item, as a multiset of folder, class and search key.
    Identity,
    /// The content of items, too.
    Content,
}

/// What a verification is asked to do.
#[derive(Clone, Debug)]
pub struct Order {
    /// What is compared.
    pub level: Level,
    /// At level content, of which items.
    pub scope: Scope,
    /// Room for listings, shared by all mailboxes that are verified at the same time.
    pub room: Arc<Semaphore>,
}

impl Order {
    /// An order with the room of `limits::AUDIT_ROOM_ITEMS`.
    pub fn new(level: Level, scope: Scope) -> Self {
        let units = AUDIT_ROOM_ITEMS / AUDIT_ROOM_UNIT;
        Self {
            level,
            scope,
            room: Arc::new(Semaphore::new(units as usize)),
        }
    }
}

/// Verifies one mailbox.
///
/// A target takes its time to show new items. Where something seems missing, it is given that time once and the folder is listed again;
/// the second result stands.
pub async fn audit(cx: &JobCx, order: &Order) -> Result<MailboxAudit, Break> {
    let to = resolve(cx).await?;
    let ferry = Ferry { cx, to: &to };
    let rows = cx.run.ports.ledger.folders(cx.job.job).await?;
    let mut out = MailboxAudit::default();
    folders::unknown(ferry, &rows, &mut out).await?;
    let (listed, mut shown) = folders::shown(ferry).await?;
    folders::strangers(&listed, &rows, &mut out);
    let sums = cx.run.ports.ledger.sums(cx.job.job).await?;
    let mut waited = false;
    for row in rows.iter().filter(|row| row.fate == FolderFate::Carry) {
        let mut found = folder(ferry, order, row, &shown).await?;
        if found.missing() && !waited {
            waited = true;
            cx.wait(cx.run.spec.limits.settle).await?;
            (_, shown) = folders::shown(ferry).await?;
            found = folder(ferry, order, row, &shown).await?;
        }
        found.mark.quick = Some(quick(row, sums.get(&row.no)));
        out.take(found);
    }
    out.conclude();
    Ok(out)
}

async fn folder(
    ferry: Ferry<'_>,
    order: &Order,
    row: &FolderRow,
    shown: &BTreeMap<TargetFolderId, Count>,
) -> Result<FolderAudit, Break> {
    match order.level {
        Level::Counts => folders::counts(ferry, row, shown).await,
        Level::Identity | Level::Content => identity::identity(ferry, order, row, shown).await,
    }
}

/// Reads the source's listing of a folder, page by page.
pub(super) struct SourcePages<'a> {
    cx: &'a JobCx,
    row: &'a FolderRow,
    read: Count,
    done: bool,
}

impl<'a> SourcePages<'a> {
    pub(super) const fn new(cx: &'a JobCx, row: &'a FolderRow) -> Self {
        Self {
            cx,
            row,
            read: Count::ZERO,
            done: false,
        }
    }

    /// The next page; nothing at the end, and where the whole folder left the source since it was carried.
    pub(super) async fn next(&mut self) -> Result<Option<SourcePage>, Break> {
        if self.done {
            return Ok(None);
        }
        let (cx, row, offset) = (self.cx, self.row, self.read);
        let page = cx
            .ask_source(|| {
                cx.run
                    .ports
                    .source
                    .page(&cx.job.source, &row.source, offset, SOURCE_FIND_PAGE)
            })
            .await;
        let page = match page {
            Err(Break::FolderGone) => {
                self.done = true;
                return Ok(None);
            }
            other => other?,
        };
        self.read += Count::new(page.items.len() as u64);
        // Only the server's word ends a listing, except that a page without items cannot be advanced past.
        self.done = page.last || page.items.is_empty();
        Ok(Some(page))
    }
}

/// Reads the target's listing of a folder, page by page.
pub(super) struct TargetPages<'a> {
    ferry: Ferry<'a>,
    folder: Option<&'a TargetFolderId>,
    next: Option<crate::port::target::Cursor>,
}

impl<'a> TargetPages<'a> {
    pub(super) const fn new(ferry: Ferry<'a>, row: &'a FolderRow) -> Self {
        Self {
            ferry,
            folder: row.target.as_ref(),
            next: None,
        }
    }

    /// The next page; nothing at the end, and where the counterpart is gone: then everything in it is missing.
    pub(super) async fn next(&mut self) -> Result<Option<TargetPage>, Break> {
        let Some(folder) = self.folder else {
            return Ok(None);
        };
        let Ferry { cx, to } = self.ferry;
        let from = self.next.take();
        let page = cx
            .ask_target(Some::<&TargetMailboxId>(to), || {
                cx.run.ports.target.page(to, folder, from.as_ref())
            })
            .await;
        let page = match page {
            Err(Break::FolderGone) => {
                self.folder = None;
                return Ok(None);
            }
            other => other?,
        };
        self.next.clone_from(&page.next);
        if self.next.is_none() {
            self.folder = None;
        }
        Ok(Some(page))
    }
}
