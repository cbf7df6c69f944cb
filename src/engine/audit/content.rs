//! Level content: the digest of the source's export against the digest of the target's, item by item, in batches.
//!
//! Items that share a mark (true copies) are compared as a multiset of digests. Where no partner has the same digest, both are exported once more
//! and looked into; the ledger's record of what was carried says which side changed.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};

use super::drive::{SourcePages, TargetPages};
use super::export::{Export, Taken, Want, from_source, from_target};
use super::result::ONE;
use super::typed;
use super::{ContentTally, Finding, FolderAudit};
use crate::base::fact::{Bucket, FolderRow, SkipRule};
use crate::base::id::{ItemId, TargetItemId};
use crate::base::item::{Digest, ItemKey, SourceHeader};
use crate::base::limits::{
    CONTENT_BATCH, CONTENT_EXPLAINED_MAX, SOURCE_CALLS_IN_FLIGHT_PER_MAILBOX, SOURCE_EXPORT_BYTES,
    SOURCE_EXPORT_IDS,
};
use crate::base::quantity::{Bytes, Count};
use crate::engine::cx::{Break, Ferry, replayed};
use crate::flow::copy::CopyState;
use crate::verify::content::{Changed, Judged, judge};
use crate::verify::march::{Mark, Scope, TargetKey};
use crate::verify::reason::Reason;
use crate::wire::appointment::Dates;

/// Two items that identity calls the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) mark: Mark,
    pub(super) key: ItemKey,
    pub(super) handle: TargetKey,
}

/// One side of an item, exported.
struct Seen<I> {
    id: I,
    export: Export,
}

impl<I> Seen<I> {
    const fn digest(&self) -> Option<Digest> {
        match &self.export {
            Export::Taken(taken) => taken.digest,
            Export::Gone | Export::Withheld => None,
        }
    }
}

/// What two exports say about when an appointment takes place; nothing for other items.
fn dates(
    source: &Seen<ItemId>,
    target: &Seen<TargetItemId>,
    tally: &mut ContentTally,
) -> Option<(Count, Count)> {
    let (Export::Taken(source), Export::Taken(target)) = (&source.export, &target.export) else {
        return None;
    };
    let (left, right) = (source.dates?, target.dates?);
    tally.appointments += ONE;
    let (Ok(left), Ok(right)) = (left, right) else {
        tally.not_expanded += ONE;
        return None;
    };
    let count = |dates: Dates| Count::new(u64::from(dates.count));
    tally.occurrences += count(left);
    (left != right).then(|| (count(left), count(right)))
}

type SourceSide = BTreeMap<ItemKey, Seen<ItemId>>;
type TargetSide = BTreeMap<TargetKey, Seen<TargetItemId>>;

/// Compares the content of these pairs, as far as the scope goes.
pub(super) async fn content(
    ferry: Ferry<'_>,
    row: &FolderRow,
    scope: Scope,
    mut pairs: Vec<Pair>,
    out: &mut FolderAudit,
) -> Result<(), Break> {
    out.content.due = Count::new(pairs.len() as u64);
    pairs.retain(|pair| scope.takes(pair.mark));
    let by_class = typed::part(ferry, row, &mut pairs).await?;
    typed::content(ferry, row, &by_class, out).await?;
    pairs.sort_unstable_by_key(|pair| (pair.mark, pair.key));
    let mut explained = 0;
    let mut rest = pairs.as_slice();
    while !rest.is_empty() {
        let (batch, others) = rest.split_at(batch_end(rest));
        rest = others;
        let (mut left, mut right) = future::try_join(
            source_side(ferry, row, batch),
            target_side(ferry, row, batch),
        )
        .await?;
        for group in batch.chunk_by(|a, b| a.mark == b.mark) {
            let odd = even(group, &mut left, &mut right, row, out);
            for (key, source, target) in odd {
                let close = explained < CONTENT_EXPLAINED_MAX;
                explained += 1;
                look_closer(Odd { ferry, row, key }, &source, &target, close, out).await?;
            }
        }
    }
    Ok(())
}

/// Where a batch ends: items that share a mark stay together.
fn batch_end(pairs: &[Pair]) -> usize {
    let Some(last) = pairs.get(CONTENT_BATCH - 1) else {
        return pairs.len();
    };
    let more = pairs[CONTENT_BATCH..].iter();
    CONTENT_BATCH + more.take_while(|pair| pair.mark == last.mark).count()
}

/// Exports the source items of a batch.
async fn source_side(
    ferry: Ferry<'_>,
    row: &FolderRow,
    batch: &[Pair],
) -> Result<SourceSide, Break> {
    let mut wanted: Vec<ItemKey> = batch.iter().map(|pair| pair.key).collect();
    wanted.sort_unstable();
    let mut out = SourceSide::new();
    let mut pages = SourcePages::new(ferry.cx, row);
    while let Some(page) = pages.next().await? {
        let items = page.items.into_iter();
        let here: Vec<SourceHeader> = items
            .filter(|header| wanted.binary_search(&ItemKey::of(&header.id)).is_ok())
            .collect();
        let groups: Vec<Vec<ItemId>> = groups(here);
        let mut exported = stream::iter(groups)
            .map(|ids| async move {
                let exports = from_source(ferry.cx, &ids, Want::Digest).await?;
                Ok::<_, Break>((ids, exports))
            })
            .buffer_unordered(SOURCE_CALLS_IN_FLIGHT_PER_MAILBOX as usize);
        while let Some((ids, exports)) = exported.try_next().await? {
            let seen = ids.into_iter().zip(exports);
            out.extend(seen.map(|(id, export)| (ItemKey::of(&id), Seen { id, export })));
        }
    }
    Ok(out)
}

/// As many as share one export; a large item goes alone.
fn groups(items: Vec<SourceHeader>) -> Vec<Vec<ItemId>> {
    let mut out: Vec<Vec<ItemId>> = Vec::new();
    let mut bytes = Bytes::ZERO;
    for header in items {
        match out.last_mut() {
            Some(group)
                if group.len() < SOURCE_EXPORT_IDS
                    && bytes + header.size <= SOURCE_EXPORT_BYTES =>
            {
                bytes += header.size;
                group.push(header.id);
            }
            _ => {
                bytes = header.size;
                out.push(vec![header.id]);
            }
        }
    }
    out
}

/// Exports the target items of a batch.
async fn target_side(
    ferry: Ferry<'_>,
    row: &FolderRow,
    batch: &[Pair],
) -> Result<TargetSide, Break> {
    let mut wanted: Vec<TargetKey> = batch.iter().map(|pair| pair.handle).collect();
    wanted.sort_unstable();
    let at_once = ferry.cx.run.spec.limits.target_calls_in_flight.max(1) as usize;
    let mut out = TargetSide::new();
    let mut pages = TargetPages::new(ferry, row);
    while let Some(page) = pages.next().await? {
        let ids = page.items.into_iter().map(|header| header.placed.item);
        let here = ids.filter_map(|id| {
            let handle = TargetKey::of(&id);
            wanted
                .binary_search(&handle)
                .is_ok()
                .then_some((handle, id))
        });
        let here: Vec<_> = here.collect();
        let mut exported = stream::iter(here)
            .map(|(handle, id)| async move {
                let export = from_target(ferry, &id, Want::Digest).await?;
                Ok::<_, Break>((handle, Seen { id, export }))
            })
            .buffer_unordered(at_once);
        while let Some((handle, seen)) = exported.try_next().await? {
            out.insert(handle, seen);
        }
    }
    Ok(out)
}

/// Counts what is the same in a group of one mark, and what cannot be compared; returns the rest, paired.
fn even(
    group: &[Pair],
    left: &mut SourceSide,
    right: &mut TargetSide,
    row: &FolderRow,
    out: &mut FolderAudit,
) -> Vec<(ItemKey, Seen<ItemId>, Seen<TargetItemId>)> {
    let mut both = Vec::new();
    for pair in group {
        match (left.remove(&pair.key), right.remove(&pair.handle)) {
            (Some(source), Some(target)) => match (&source.export, &target.export) {
                (Export::Taken(_), Export::Taken(_)) => both.push((pair.key, source, target)),
                (Export::Gone, _) | (_, Export::Gone) => out.content.vanished += ONE,
                (Export::Withheld, _) | (_, Export::Withheld) => {
                    out.content.not_comparable += ONE;
                    out.find(Finding {
                        item: Some(pair.key),
                        target: Some(target.id),
                        ..Finding::new(&row.path, Reason::NotRead)
                    });
                }
            },
            _ => out.content.vanished += ONE,
        }
    }
    out.content.compared += Count::new(both.len() as u64);
    let equal = |source: &Seen<ItemId>, target: &Seen<TargetItemId>| {
        source.digest().is_some() && source.digest() == target.digest()
    };
    let (same, rest): (Vec<_>, Vec<_>) = both
        .into_iter()
        .partition(|(_, source, target)| equal(source, target));
    out.content.same += Count::new(same.len() as u64);
    for (_, source, target) in &same {
        dates(source, target, &mut out.content);
    }
    // Copies may be paired crosswise: any free partner with the same digest will do.
    let (mut sources, mut targets): (Vec<_>, Vec<_>) = rest
        .into_iter()
        .map(|(key, source, target)| ((key, source), target))
        .unzip();
    sources.retain(|(_, source)| {
        let partner = targets.iter().position(|target| equal(source, target));
        if let Some(at) = partner {
            dates(source, &targets.remove(at), &mut out.content);
            out.content.same += ONE;
        }
        partner.is_none()
    });
    sources
        .into_iter()
        .zip(targets)
        .map(|((key, source), target)| (key, source, target))
        .collect()
}

/// One item whose digests are not the same.
#[derive(Clone, Copy)]
struct Odd<'a> {
    ferry: Ferry<'a>,
    row: &'a FolderRow,
    key: ItemKey,
}

/// Judges an odd item, by a second export of both sides where `close`.
async fn look_closer(
    odd: Odd<'_>,
    source: &Seen<ItemId>,
    target: &Seen<TargetItemId>,
    close: bool,
    out: &mut FolderAudit,
) -> Result<(), Break> {
    let carried = match record(odd).await? {
        Record::Carried(carried) => carried,
        Record::Accepted => {
            out.unconfirm();
            out.content.accepted += ONE;
            out.explain(Bucket::Skipped, ONE);
            out.find(Finding {
                item: Some(odd.key),
                target: Some(target.id.clone()),
                ..Finding::new(&odd.row.path, Reason::Accepted)
            });
            return Ok(());
        }
    };
    let judged = if close {
        let (left, right) = future::try_join(
            from_source(
                odd.ferry.cx,
                std::slice::from_ref(&source.id),
                Want::Reading,
            ),
            from_target(odd.ferry, &target.id, Want::Reading),
        )
        .await?;
        let left = left.into_iter().next().and_then(reading);
        let (Some(left), Some(right)) = (left, reading(right)) else {
            // It was handed out a moment ago.
            out.content.vanished += ONE;
            out.content.compared = out.content.compared.saturating_sub(ONE);
            return Ok(());
        };
        judge(&left, &right, carried)
    } else {
        from_afar(source.digest(), target.digest(), carried)
    };
    let dates = dates(source, target, &mut out.content);
    conclude(odd, target, (judged, dates), out);
    Ok(())
}

fn reading(export: Export) -> Option<crate::verify::content::Reading> {
    match export {
        Export::Taken(taken) => {
            let Taken { reading, .. } = *taken;
            reading
        }
        Export::Gone | Export::Withheld => None,
    }
}

/// What digests alone say.
fn from_afar(source: Option<Digest>, target: Option<Digest>, carried: Option<Digest>) -> Judged {
    if source.is_none() || target.is_none() {
        return Judged::NotComparable;
    }
    let changed = match carried {
        None => Changed::Unknown,
        Some(_) if carried == target => Changed::Source,
        Some(_) if carried == source => Changed::Target,
        Some(_) => Changed::Both,
    };
    Judged::Differs {
        changed,
        differences: Vec::new(),
    }
}

fn conclude(
    odd: Odd<'_>,
    target: &Seen<TargetItemId>,
    (judged, dates): (Judged, Option<(Count, Count)>),
    out: &mut FolderAudit,
) {
    let (reason, differences) = match judged {
        Judged::Same => {
            out.content.same += ONE;
            return;
        }
        Judged::ByRoute(differences) => {
            out.content.by_route += ONE;
            (Reason::ByRoute, differences)
        }
        Judged::NotComparable => {
            out.content.not_comparable += ONE;
            (Reason::NotComparable, Vec::new())
        }
        Judged::Differs {
            changed,
            differences,
        } => {
            out.unconfirm();
            if changed == Changed::Source {
                out.content.changed_at_source += ONE;
                out.explain(Bucket::ChangedSince, ONE);
            } else {
                out.content.differing += ONE;
            }
            (Reason::of_change(changed), differences)
        }
    };
    out.find(Finding {
        item: Some(odd.key),
        target: Some(target.id.clone()),
        differences,
        dates,
        ..Finding::new(&odd.row.path, reason)
    });
}

/// What the ledger says about an item whose content differs.
enum Record {
    /// The digest of what was carried, where there is one.
    Carried(Option<Digest>),
    /// A person decided that what the target holds is right.
    Accepted,
}

async fn record(odd: Odd<'_>) -> Result<Record, Break> {
    let Odd { ferry, row, key } = odd;
    let ledger = &ferry.cx.run.ports.ledger;
    let found = ledger.copy(ferry.cx.job.job, row.no, key).await?;
    let state = replayed(found.into_iter().collect())?.pop();
    Ok(match state.map(|(_, state)| state) {
        Some(CopyState::Decided {
            rule: SkipRule::Accepted,
            ..
        }) => Record::Accepted,
        Some(CopyState::Confirmed {
            sent: Some(sent), ..
        }) => Record::Carried(sent.digest),
        _ => Record::Carried(None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::item::{ItemClass, Stamp};

    #[test]
    fn items_of_one_mark_are_never_parted() {
        let pair = |n: usize| {
            let mut mark = [0; 16];
            mark[..8].copy_from_slice(&(n as u64).to_be_bytes());
            Pair {
                mark: Mark(mark),
                key: ItemKey([0; 16]),
                handle: TargetKey([0; 16]),
            }
        };
        let mut pairs: Vec<Pair> = (0..CONTENT_BATCH - 1).map(pair).collect();
        assert_eq!(batch_end(&pairs), CONTENT_BATCH - 1);
        pairs.extend(std::iter::repeat_n(pair(CONTENT_BATCH), 5));
        pairs.push(pair(CONTENT_BATCH + 1));
        assert_eq!(batch_end(&pairs), CONTENT_BATCH + 4);
    }

    #[test]
    fn exports_are_grouped_by_number_and_size() {
        let header = |size| {
            let class = ItemClass::new("IPM.Note");
            SourceHeader {
                id: ItemId::new("s"),
                stamp: Stamp::fallback(None, &class, None),
                class,
                size: Bytes::new(size),
                read: None,
                received: None,
                version: None,
            }
        };
        let mut items: Vec<_> = (0..70).map(|_| header(1_000)).collect();
        items.push(header(90_000_000));
        items.push(header(10));
        let sizes: Vec<usize> = groups(items).iter().map(Vec::len).collect();
        assert_eq!(sizes, [32, 32, 6, 1, 1]);
    }
}
