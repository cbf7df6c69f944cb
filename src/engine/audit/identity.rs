//! Level identity: every item of both sides of a folder, marched in 32 bytes each, and the ledger asked about what does not pair.

use std::collections::{BTreeMap, BTreeSet};

use super::age::ages;
use super::content::{Pair, content};
use super::drive::{SourcePages, TargetPages};
use super::result::ONE;
use super::witness::{Asked, Told, ask};
use super::{Finding, FolderAudit, Level, Order};
use crate::base::fact::{Bucket, FolderRow};
use crate::base::id::TargetFolderId;
use crate::base::item::ItemKey;
use crate::base::limits::{AUDIT_ROOM_ITEMS, AUDIT_ROOM_UNIT};
use crate::base::quantity::Count;
use crate::engine::cx::{Break, Ferry};
use crate::verify::march::{Mark, SourceList, TargetKey, TargetList, march, settle};
use crate::verify::reason::{Extra, Reason};

/// Verifies one folder item by item.
pub(super) async fn identity(
    ferry: Ferry<'_>,
    order: &Order,
    row: &FolderRow,
    shown: &BTreeMap<TargetFolderId, Count>,
) -> Result<FolderAudit, Break> {
    let expected = row.target.as_ref().and_then(|id| shown.get(id));
    let expected = row.items + expected.copied().unwrap_or_default();
    let units = u32::try_from(expected.get() / u64::from(AUDIT_ROOM_UNIT) + 1)
        .unwrap_or(u32::MAX)
        .min(AUDIT_ROOM_ITEMS / AUDIT_ROOM_UNIT);
    // The semaphore lives as long as the order: it is never closed.
    let _room = order.room.acquire_many(units).await.ok();
    let source = list_source(ferry, row).await?;
    let target = list_target(ferry, row, &source).await?;
    let mut out = FolderAudit::begin(row, ferry.cx.run.ports.clock.moment());
    out.source = Count::new(source.len() as u64);
    out.target = Count::new(target.len() as u64);
    let deep = order.level == Level::Content;
    let mut pairs: Vec<Pair> = Vec::new();
    let marched = march(&source, &target, |mark, key, handle| {
        if deep {
            pairs.push(Pair { mark, key, handle });
        }
    });
    out.confirmed = Count::new(marched.matched);
    let told = ask(ferry.cx, row, &source, &Asked::about(&marched)).await?;
    out.mark = told.mark.clone();
    let mut surplus: Vec<(Option<Mark>, TargetKey)> =
        marched.plain.iter().map(|handle| (None, *handle)).collect();
    for (mark, group) in &marched.groups {
        let settled = settle(group, &told.placed);
        out.confirmed += Count::new(settled.pairs.len() as u64);
        if deep {
            let settled = settled.pairs.iter();
            pairs.extend(settled.map(|(key, handle)| Pair {
                mark: *mark,
                key: *key,
                handle: *handle,
            }));
        }
        for key in settled.source_only {
            alone_on_source(&mut out, row, &told, key);
        }
        surplus.extend(
            settled
                .target_only
                .iter()
                .map(|handle| (Some(*mark), *handle)),
        );
    }
    changed_since(&mut out, &told);
    alone_on_target(ferry, row, &mut out, (&told, &source), &surplus).await?;
    drop((source, target));
    if deep {
        pairs.retain(|pair| !told.changed.contains(&pair.key));
        content(ferry, row, order.scope, pairs, &mut out).await?;
    }
    Ok(out)
}

async fn list_source(ferry: Ferry<'_>, row: &FolderRow) -> Result<SourceList, Break> {
    let mut pages = SourcePages::new(ferry.cx, row);
    let mut list: Option<SourceList> = None;
    while let Some(page) = pages.next().await? {
        let room = usize::try_from(page.total.get()).unwrap_or(0);
        let list = list.get_or_insert_with(|| SourceList::with_room(bounded(room)));
        page.items.iter().for_each(|header| list.push(header));
    }
    let mut list = list.unwrap_or_default();
    list.close();
    Ok(list)
}

/// A number from the far side reserves no more than the room allows.
fn bounded(room: usize) -> usize {
    room.min(AUDIT_ROOM_ITEMS as usize)
}

async fn list_target(
    ferry: Ferry<'_>,
    row: &FolderRow,
    source: &SourceList,
) -> Result<TargetList, Break> {
    let mut list = TargetList::with_room(bounded(source.len()), source);
    let mut pages = TargetPages::new(ferry, row);
    while let Some(page) = pages.next().await? {
        page.items.iter().for_each(|header| list.push(header));
    }
    list.close();
    Ok(list)
}

/// A source item without partner: the ledger's bucket explains it, or nothing does.
fn alone_on_source(out: &mut FolderAudit, row: &FolderRow, told: &Told, key: ItemKey) {
    match told.buckets.get(&key) {
        // Listed by no run yet.
        None => out.explain(Bucket::Remaining, ONE),
        Some(Bucket::Confirmed | Bucket::ChangedSince) => out.find(Finding {
            item: Some(key),
            ..Finding::new(&row.path, Reason::Missing)
        }),
        Some(bucket) => out.explain(*bucket, ONE),
    }
}

/// Items whose older version is on the target. Those that are missing altogether were found already.
fn changed_since(out: &mut FolderAudit, told: &Told) {
    let missing: BTreeSet<ItemKey> = out
        .findings
        .iter()
        .filter(|finding| finding.reason == Reason::Missing)
        .filter_map(|finding| finding.item)
        .collect();
    let there = told.changed.iter().filter(|key| !missing.contains(key));
    let there = Count::new(there.count() as u64);
    out.explain(Bucket::ChangedSince, there);
    out.confirmed = out.confirmed.saturating_sub(there);
}

/// Target items without partner: whose are they, and since when?
async fn alone_on_target(
    ferry: Ferry<'_>,
    row: &FolderRow,
    out: &mut FolderAudit,
    (told, source): (&Told, &SourceList),
    surplus: &[(Option<Mark>, TargetKey)],
) -> Result<(), Break> {
    let handles: BTreeSet<TargetKey> = surplus.iter().map(|(_, handle)| *handle).collect();
    let ages = ages(ferry, row, &handles).await?;
    for (mark, handle) in surplus {
        let owner = told.owners.get(handle);
        let extra = Extra {
            owner_listed: owner.map(|(mark, key)| source.holds(*mark, *key)),
            mark_known: mark.is_some_and(|mark| told.marks.contains(&mark)),
            carried_here: told.carried,
            older_than_ours: ages.older_than_ours(*handle),
        };
        let (stranger, reason) = (ages.items.get(handle), extra.reason());
        if stranger.is_some_and(|own| own.is_meeting) && reason.may_be_sent() {
            out.meetings += ONE;
        }
        out.find(Finding {
            item: owner.map(|(_, key)| *key),
            target: stranger.map(|own| own.id.clone()),
            ..Finding::new(&row.path, reason)
        });
    }
    Ok(())
}
