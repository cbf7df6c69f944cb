//! Folders as wholes: those the ledger does not know on either side, and level counts.

use std::collections::{BTreeMap, BTreeSet};

use super::result::ONE;
use super::witness::{Asked, ask};
use super::{Finding, FolderAudit, MailboxAudit};
use crate::base::fact::{Bucket, FolderFate, FolderRow};
use crate::base::id::{FolderId, TargetFolderId};
use crate::base::mailbox::{FolderPath, FolderRole, TargetFolder};
use crate::base::quantity::Count;
use crate::engine::cx::{Break, Ferry};
use crate::plan::rules;
use crate::verify::march::SourceList;
use crate::verify::reason::Reason;

/// Source folders that no run has seen and that the plan carries: their items remain to be carried.
pub(super) async fn unknown(
    ferry: Ferry<'_>,
    rows: &[FolderRow],
    out: &mut MailboxAudit,
) -> Result<(), Break> {
    let cx = ferry.cx;
    let listed = cx
        .ask_source(|| cx.run.ports.source.folders(&cx.job.source))
        .await?;
    let known: BTreeMap<&FolderId, &FolderRow> =
        rows.iter().map(|row| (&row.source, row)).collect();
    let mut seen: BTreeMap<&FolderId, (FolderPath, FolderFate)> = BTreeMap::new();
    for folder in &listed {
        if let Some(row) = known.get(&folder.id) {
            seen.insert(&folder.id, (row.path.clone(), row.fate));
            continue;
        }
        let parent = folder.parent.as_ref().and_then(|id| seen.get(id));
        let name = folder
            .role
            .map_or(folder.name.as_str(), |role| role.english());
        let path = match (folder.role, parent) {
            (Some(FolderRole::Top), _) => FolderPath::default(),
            (_, Some((path, _))) => path.child(name),
            (_, None) => FolderPath::of([name]),
        };
        let fate = rules::fate(
            folder,
            &path,
            parent.map(|(_, fate)| *fate),
            &cx.run.spec.select,
        );
        if fate == FolderFate::Carry && folder.items > Count::ZERO {
            out.source += folder.items;
            *out.explained.entry(Bucket::Remaining).or_default() += folder.items;
            out.find(Finding {
                count: folder.items,
                ..Finding::new(&path, Reason::NewFolder)
            });
        }
        seen.insert(&folder.id, (path, fate));
    }
    Ok(())
}

/// What the target's folders show.
pub(super) type Shown = BTreeMap<TargetFolderId, Count>;

/// Lists the target's folders.
pub(super) async fn shown(ferry: Ferry<'_>) -> Result<(Vec<TargetFolder>, Shown), Break> {
    let Ferry { cx, to } = ferry;
    let folders = cx
        .ask_target(Some(to), || cx.run.ports.target.folders(to))
        .await?;
    let shown = folders.iter().map(|f| (f.id.clone(), f.items)).collect();
    Ok((folders, shown))
}

/// Items in folders of the target that are nobody's counterpart are not of this plan's making.
pub(super) fn strangers(folders: &[TargetFolder], rows: &[FolderRow], out: &mut MailboxAudit) {
    let ours: BTreeSet<&TargetFolderId> =
        rows.iter().filter_map(|row| row.target.as_ref()).collect();
    let mut paths: BTreeMap<&TargetFolderId, FolderPath> = BTreeMap::new();
    for folder in folders {
        let path = path_of(folder, &paths);
        if !ours.contains(&folder.id) && folder.items > Count::ZERO && !folder.is_passing() {
            out.target += folder.items;
            out.find(Finding {
                count: folder.items,
                ..Finding::new(&path, Reason::NotOurs)
            });
        }
        paths.insert(&folder.id, path);
    }
}

fn path_of(folder: &TargetFolder, paths: &BTreeMap<&TargetFolderId, FolderPath>) -> FolderPath {
    let name = folder
        .role
        .map_or(folder.name.as_str(), |role| role.english());
    if folder.role == Some(FolderRole::Top) {
        return FolderPath::default();
    }
    folder
        .parent
        .as_ref()
        .and_then(|id| paths.get(id))
        .map_or_else(|| FolderPath::of([name]), |path| path.child(name))
}

/// Level counts: numbers only. What the ledger knows to be missing is taken off before the two sides are compared.
pub(super) async fn counts(
    ferry: Ferry<'_>,
    row: &FolderRow,
    shown: &BTreeMap<TargetFolderId, Count>,
) -> Result<FolderAudit, Break> {
    let cx = ferry.cx;
    let mut out = FolderAudit::begin(row, cx.run.ports.clock.moment());
    let told = ask(cx, row, &SourceList::default(), &Asked::default()).await?;
    out.mark = told.mark;
    let page = cx
        .ask_source(|| {
            cx.run
                .ports
                .source
                .page(&cx.job.source, &row.source, Count::ZERO, ONE)
        })
        .await;
    out.source = match page {
        Ok(page) => page.total,
        Err(Break::FolderGone) => Count::ZERO,
        Err(broken) => return Err(broken),
    };
    out.target = row
        .target
        .as_ref()
        .and_then(|id| shown.get(id))
        .copied()
        .unwrap_or_default();
    let of = |bucket| told.sums.get(&bucket).copied().unwrap_or_default();
    let mut missing = Count::ZERO;
    for (bucket, n) in &told.sums {
        if !matches!(bucket, Bucket::Confirmed | Bucket::ChangedSince) {
            out.explain(*bucket, *n);
            missing += *n;
        }
    }
    let listed: Count = told.sums.values().copied().sum();
    // Listed by nobody yet: arrived after the last run.
    let unlisted = out.source.saturating_sub(listed);
    out.explain(Bucket::Remaining, unlisted);
    let changed = of(Bucket::ChangedSince);
    out.explain(Bucket::ChangedSince, changed);
    let due = out.source.saturating_sub(missing).saturating_sub(unlisted);
    // What the ledger knows to be there without an original, and what the source lost since, is no surprise.
    let left = told.departed + listed.saturating_sub(out.source);
    let lost = due.saturating_sub(out.target);
    let surplus = out.target.saturating_sub(due);
    out.confirmed = due.min(out.target).saturating_sub(changed);
    let left = surplus.min(left);
    for (reason, count) in [
        (Reason::Missing, lost),
        (Reason::LeftSource, left),
        (Reason::Unknown, surplus.saturating_sub(left)),
    ] {
        if count > Count::ZERO {
            out.find(Finding {
                count,
                ..Finding::new(&row.path, reason)
            });
        }
    }
    Ok(out)
}
