//! Level content for items that travelled by their class: both sides are read as parcels and compared in canonical form, one by one. What the service
//! is known to write in another way is an effect of the route; everything else is a finding.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::content::Pair;
use super::result::ONE;
use super::{Finding, FolderAudit};
use crate::base::fact::{Bucket, FolderRow, SkipRule};
use crate::base::id::{ItemId, TargetItemId};
use crate::base::item::{Digest, ItemKey};
use crate::base::route::Route;
use crate::engine::cx::{Break, Ferry, replayed};
use crate::engine::typed::{compare, counterpart, from_source, from_target};
use crate::flow::copy::CopyState;
use crate::flow::route::route_of;
use crate::verify::content::{Changed, Difference, What};
use crate::verify::reason::Reason;
use crate::verify::typed::{TypedDifference, TypedJudged};

/// The items of a folder that travelled by their class.
async fn keys(ferry: Ferry<'_>, row: &FolderRow) -> Result<BTreeSet<ItemKey>, Break> {
    let mut out = BTreeSet::new();
    let mut after = None;
    loop {
        let rows = ferry.cx.page(row.no, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(out);
        };
        after = Some(last.key);
        let typed = rows.iter().filter(|(row, _)| route_of(row) == Route::Typed);
        out.extend(typed.map(|(row, _)| row.key));
    }
}

/// What is known of one item before its sides are read.
struct Copy {
    key: ItemKey,
    source: ItemId,
    target: TargetItemId,
    /// The digest of the parcel that it was made from.
    carried: Option<Digest>,
    accepted: bool,
}

/// How one item compares.
enum Compared {
    /// One side has it no longer.
    Vanished,
    /// One side does not hand it out.
    Withheld(Copy),
    /// Both were read; the digest is the source item's.
    Judged(Copy, TypedJudged, Digest),
}

/// Compares the content of these pairs.
pub(super) async fn content(
    ferry: Ferry<'_>,
    row: &FolderRow,
    pairs: &[Pair],
    out: &mut FolderAudit,
) -> Result<(), Break> {
    let at_once = ferry.cx.run.spec.limits.target_calls_in_flight.max(1) as usize;
    let mut compared = stream::iter(pairs)
        .map(|pair| one(ferry, row, pair.key))
        .buffer_unordered(at_once);
    while let Some(compared) = compared.try_next().await? {
        conclude(row, compared, out);
    }
    Ok(())
}

async fn one(ferry: Ferry<'_>, row: &FolderRow, key: ItemKey) -> Result<Compared, Break> {
    let cx = ferry.cx;
    if cx.run.control.draining() {
        return Err(Break::Draining);
    }
    let (Some(copy), Some(to)) = (copy(ferry, row, key).await?, &row.target) else {
        return Ok(Compared::Vanished);
    };
    let folder = counterpart(row, to);
    let sides = futures_util::future::try_join(
        from_source(cx, &copy.source),
        from_target(ferry, &folder, &copy.target),
    );
    match sides.await {
        Ok((source, target)) => {
            let judged = compare(&source, &target);
            Ok(Compared::Judged(copy, judged, source.digest))
        }
        Err(Break::Gone) => Ok(Compared::Vanished),
        Err(Break::Refused(_) | Break::Exhausted(_)) => Ok(Compared::Withheld(copy)),
        Err(broken) => Err(broken),
    }
}

/// The copy as the ledger knows it; nothing where it knows none.
async fn copy(ferry: Ferry<'_>, row: &FolderRow, key: ItemKey) -> Result<Option<Copy>, Break> {
    let ledger = &ferry.cx.run.ports.ledger;
    let found = ledger.copy(ferry.cx.job.job, row.no, key).await?;
    let Some((row, state)) = replayed(found.into_iter().collect())?.pop() else {
        return Ok(None);
    };
    let (accepted, carried) = match &state {
        CopyState::Confirmed { sent, .. } => (false, sent.and_then(|sent| sent.digest)),
        CopyState::Decided { rule, .. } => (*rule == SkipRule::Accepted, None),
        _ => (false, None),
    };
    Ok(state.placed().map(|placed| Copy {
        key,
        source: row.header.id.clone(),
        target: placed.item.clone(),
        carried,
        accepted,
    }))
}

fn conclude(row: &FolderRow, compared: Compared, out: &mut FolderAudit) {
    let finding = |copy: Copy, reason| Finding {
        item: Some(copy.key),
        target: Some(copy.target),
        ..Finding::new(&row.path, reason)
    };
    let (copy, judged, now) = match compared {
        Compared::Vanished => {
            out.content.vanished += ONE;
            return;
        }
        Compared::Withheld(copy) => {
            out.content.not_comparable += ONE;
            out.find(finding(copy, Reason::NotRead));
            return;
        }
        Compared::Judged(copy, judged, now) => (copy, judged, now),
    };
    out.content.compared += ONE;
    let (reason, differences) = match judged {
        TypedJudged::Same => {
            out.content.same += ONE;
            return;
        }
        TypedJudged::ByRoute(differences) => {
            out.content.by_route += ONE;
            (Reason::ByRoute, differences)
        }
        TypedJudged::Differs(_) if copy.accepted => {
            out.unconfirm();
            out.content.accepted += ONE;
            out.explain(Bucket::Skipped, ONE);
            (Reason::Accepted, Vec::new())
        }
        TypedJudged::Differs(differences) => {
            out.unconfirm();
            // What was carried is known by the digest of the source's parcel; the target's has none to compare with.
            let changed = match copy.carried {
                Some(carried) if carried == now => Changed::Target,
                Some(_) => Changed::Source,
                None => Changed::Unknown,
            };
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
        differences: differences.into_iter().map(difference).collect(),
        ..finding(copy, reason)
    });
}

fn difference(own: TypedDifference) -> Difference {
    Difference {
        place: Vec::new(),
        what: What::Field(own.field),
        how: own.how,
        effect: own.effect,
    }
}

/// Parts pairs of items that travelled by their class from the others.
pub(super) async fn part(
    ferry: Ferry<'_>,
    row: &FolderRow,
    pairs: &mut Vec<Pair>,
) -> Result<Vec<Pair>, Break> {
    if pairs.is_empty() || ferry.cx.run.ports.typed.is_none() {
        return Ok(Vec::new());
    }
    let typed = keys(ferry, row).await?;
    if typed.is_empty() {
        return Ok(Vec::new());
    }
    let (by_class, streams) = pairs.drain(..).partition(|pair| typed.contains(&pair.key));
    *pairs = streams;
    Ok(by_class)
}
