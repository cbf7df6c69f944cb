//! Verifies a mailbox: lists both sides anew, sets them against each other, and asks the ledger about every difference.
//!
//! The source is listed by FindItem, not by the sync states the copy used; the target by its item lists. The ledger is the third witness: it
//! explains a missing item, it never vouches for a present one.

use std::collections::BTreeMap;

use crate::base::fact::{Bucket, FolderFate, FolderRow};
use crate::base::id::{TargetFolderId, TargetItemId};
use crate::base::item::{ItemKey, SourceHeader, TargetHeader};
use crate::base::limits::SOURCE_FIND_PAGE;
use crate::base::mailbox::FolderPath;
use crate::base::quantity::Count;
use crate::engine::cx::{Break, Ferry, JobCx};
use crate::engine::worker::resolve;
use crate::evidence::grade::{Grade, Marks, grade};
use crate::flow::copy::CopyState;
use crate::verify::compare::compare;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Numbers of items per folder.
    Counts,
    /// Every item, as a multiset of folder, class and search key.
    Identity,
}

/// What verification found out about one mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxAudit {
    /// Source items, as just listed.
    pub source: Count,
    /// Target items, as just listed.
    pub target: Count,
    /// Source items that are on the target.
    pub confirmed: Count,
    /// Source items that are not, each in a named bucket.
    pub explained: BTreeMap<Bucket, Count>,
    /// Source items that are not, for no known reason.
    pub unexplained: Count,
    /// Target items of unknown origin.
    pub extra: Count,
    /// The differences that need somebody.
    pub findings: Vec<Finding>,
    /// The grade by the published rules.
    pub grade: Grade,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In which folder.
    pub folder: FolderPath,
    /// Which source item, at level identity.
    pub item: Option<ItemKey>,
    /// Which target item, at level identity.
    pub target: Option<TargetItemId>,
    /// What is wrong, in words.
    pub what: &'static str,
    /// How many items it concerns.
    pub count: Count,
}

const ONE: Count = Count::new(1);

/// Verifies one mailbox.
///
/// A target takes its time to show new items. Where something seems missing, it is given that time and everything is listed once more;
/// the second result stands.
pub async fn audit(cx: &JobCx, level: Level) -> Result<MailboxAudit, Break> {
    let first = audit_once(cx, level).await?;
    if first.unexplained == Count::ZERO {
        return Ok(first);
    }
    cx.wait(cx.run.spec.limits.settle).await?;
    audit_once(cx, level).await
}

async fn audit_once(cx: &JobCx, level: Level) -> Result<MailboxAudit, Break> {
    let to = resolve(cx).await?;
    let ferry = Ferry { cx, to: &to };
    let mut found = Found::default();
    let shown = cx
        .ask_target(Some(&to), || cx.run.ports.target.folders(&to))
        .await?;
    let shown: BTreeMap<TargetFolderId, Count> = shown
        .into_iter()
        .map(|folder| (folder.id, folder.items))
        .collect();
    for row in cx.run.ports.ledger.folders(cx.job.job).await? {
        if row.fate != FolderFate::Carry {
            continue;
        }
        let books = books(cx, &row).await?;
        match level {
            Level::Counts => counts(ferry, &row, &books, &shown, &mut found).await?,
            Level::Identity => identity(ferry, &row, &books, &mut found).await?,
        }
    }
    Ok(found.conclude())
}

#[derive(Debug, Default)]
struct Found {
    source: Count,
    target: Count,
    confirmed: Count,
    explained: BTreeMap<Bucket, Count>,
    unexplained: Count,
    extra: Count,
    findings: Vec<Finding>,
}

impl Found {
    fn explain(&mut self, bucket: Bucket, n: Count) {
        if n > Count::ZERO {
            *self.explained.entry(bucket).or_default() += n;
        }
    }

    fn conclude(self) -> MailboxAudit {
        let by_rule = self
            .explained
            .get(&Bucket::Skipped)
            .copied()
            .unwrap_or_default();
        let all: Count = self.explained.values().copied().sum();
        let marks = Marks {
            by_rule,
            open: all.saturating_sub(by_rule),
            unexplained: self.unexplained,
            extra: self.extra,
        };
        MailboxAudit {
            source: self.source,
            target: self.target,
            confirmed: self.confirmed,
            explained: self.explained,
            unexplained: self.unexplained,
            extra: self.extra,
            findings: self.findings,
            grade: grade(marks),
        }
    }
}

/// What the ledger says about a folder.
#[derive(Debug, Default)]
struct Books {
    buckets: BTreeMap<ItemKey, Bucket>,
    /// Copies of items that left the source, or of older versions.
    stale: BTreeMap<TargetItemId, ItemKey>,
}

async fn books(cx: &JobCx, row: &FolderRow) -> Result<Books, Break> {
    let mut books = Books::default();
    let mut after = None;
    loop {
        let rows = cx.page(row.no, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(books);
        };
        after = Some(last.key);
        for (copy, state) in &rows {
            if let Some(bucket) = state.bucket() {
                books.buckets.insert(copy.key, bucket);
            }
            if let CopyState::Departed { placed, .. } | CopyState::ChangedSince { placed, .. } =
                state
            {
                books.stale.insert(placed.item.clone(), copy.key);
            }
        }
    }
}

/// Level counts: numbers only. What the ledger knows to be missing is taken off before the two sides are compared.
async fn counts(
    ferry: Ferry<'_>,
    row: &FolderRow,
    books: &Books,
    shown: &BTreeMap<TargetFolderId, Count>,
    found: &mut Found,
) -> Result<(), Break> {
    let cx = ferry.cx;
    let page = cx
        .ask_source(|| {
            cx.run
                .ports
                .source
                .page(&cx.job.source, &row.source, Count::ZERO, ONE)
        })
        .await?;
    let (source, target) = (page.total, counterpart(row, shown));
    found.source += source;
    found.target += target;
    let mut missing = Count::ZERO;
    for bucket in books.buckets.values().filter(|bucket| !on_target(**bucket)) {
        found.explain(*bucket, ONE);
        missing += ONE;
    }
    // Listed by nobody yet: arrived after the last run.
    let unlisted = source.saturating_sub(Count::new(books.buckets.len() as u64));
    found.explain(Bucket::Remaining, unlisted);
    let changed = books
        .buckets
        .values()
        .filter(|b| **b == Bucket::ChangedSince)
        .count() as u64;
    found.explain(Bucket::ChangedSince, Count::new(changed));
    let due = source.saturating_sub(missing).saturating_sub(unlisted);
    let departed = Count::new((books.stale.len() as u64).saturating_sub(changed));
    let there = target.saturating_sub(departed);
    found.confirmed += due.min(there).saturating_sub(Count::new(changed));
    let (lost, extra) = (due.saturating_sub(there), there.saturating_sub(due));
    found.unexplained += lost;
    found.extra += extra;
    note(found, row, lost, "missing on the target");
    note(found, row, extra, "on the target, of unknown origin");
    Ok(())
}

fn counterpart(row: &FolderRow, shown: &BTreeMap<TargetFolderId, Count>) -> Count {
    row.target
        .as_ref()
        .and_then(|id| shown.get(id))
        .copied()
        .unwrap_or_default()
}

const fn on_target(bucket: Bucket) -> bool {
    matches!(bucket, Bucket::Confirmed | Bucket::ChangedSince)
}

fn note(found: &mut Found, row: &FolderRow, count: Count, what: &'static str) {
    if count > Count::ZERO {
        let folder = row.path.clone();
        found.findings.push(Finding {
            folder,
            item: None,
            target: None,
            what,
            count,
        });
    }
}

/// Level identity: every item of both sides.
async fn identity(
    ferry: Ferry<'_>,
    row: &FolderRow,
    books: &Books,
    found: &mut Found,
) -> Result<(), Break> {
    let source = list_source(ferry.cx, row).await?;
    let target = match &row.target {
        Some(to) => list_target(ferry, to).await?,
        None => Vec::new(),
    };
    found.source += Count::new(source.len() as u64);
    found.target += Count::new(target.len() as u64);
    let compared = compare(&source, &target);
    let key = |at: &usize| ItemKey::of(&source[*at].id);
    for (at, _) in &compared.matched {
        match books.buckets.get(&key(at)) {
            Some(Bucket::ChangedSince) => found.explain(Bucket::ChangedSince, ONE),
            _ => found.confirmed += ONE,
        }
    }
    for at in &compared.source_only {
        match books.buckets.get(&key(at)) {
            None => found.explain(Bucket::Remaining, ONE),
            Some(bucket) if !on_target(*bucket) => found.explain(*bucket, ONE),
            Some(_) => {
                found.unexplained += ONE;
                found.findings.push(Finding {
                    folder: row.path.clone(),
                    item: Some(key(at)),
                    target: None,
                    what: "missing on the target",
                    count: ONE,
                });
            }
        }
    }
    for at in &compared.target_only {
        let item = &target[*at].placed.item;
        if !books.stale.contains_key(item) {
            found.extra += ONE;
            found.findings.push(Finding {
                folder: row.path.clone(),
                item: None,
                target: Some(item.clone()),
                what: "on the target, of unknown origin",
                count: ONE,
            });
        }
    }
    Ok(())
}

async fn list_source(cx: &JobCx, row: &FolderRow) -> Result<Vec<SourceHeader>, Break> {
    let mut items: Vec<SourceHeader> = Vec::new();
    loop {
        let offset = Count::new(items.len() as u64);
        let page = cx
            .ask_source(|| {
                cx.run
                    .ports
                    .source
                    .page(&cx.job.source, &row.source, offset, SOURCE_FIND_PAGE)
            })
            .await;
        let page = match page {
            // The whole folder left the source since it was carried: nothing is listed, and its copies are extra.
            Err(Break::FolderGone) => return Ok(items),
            other => other?,
        };
        let empty = page.items.is_empty();
        items.extend(page.items);
        // Only the server's word ends a listing, except that a page without items cannot be advanced past.
        if page.last || empty {
            return Ok(items);
        }
    }
}

async fn list_target(ferry: Ferry<'_>, to: &TargetFolderId) -> Result<Vec<TargetHeader>, Break> {
    let mut items = Vec::new();
    let mut next = None;
    loop {
        let page = ferry
            .cx
            .ask_target(Some(ferry.to), || {
                ferry.cx.run.ports.target.page(ferry.to, to, next.as_ref())
            })
            .await;
        let page = match page {
            // The counterpart is gone: everything in it is missing.
            Err(Break::FolderGone) => return Ok(items),
            other => other?,
        };
        items.extend(page.items);
        next = page.next;
        if next.is_none() {
            return Ok(items);
        }
    }
}
