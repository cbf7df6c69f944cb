//! A copy follows its source item: updates that need a look, and copies of items that left the source.
//!
//! Nothing is changed or removed here but what the ledger says we made, in the version and with the content that we gave it. Whatever differs is
//! somebody else's by now; it is listed and left alone.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;

use crate::base::books::Due;
use crate::base::event::EventKind;
use crate::base::fact::{Bucket, CopyFact, CopyRow, Estrangement, Fact, FolderRow};
use crate::base::id::TargetFolderId;
use crate::base::item::{Digest, Placed, Stamp};
use crate::base::limits::{DELETES_FREE, DELETES_PERCENT_MAX, INTENT_GROUP, UNSETTLED_STAMPS_MAX};
use crate::base::outcome::{HaltCause, Setback};
use crate::base::quantity::Count;
use crate::base::route::Route;
use crate::engine::cx::{Break, Ferry, JobCx};
use crate::engine::typed;
use crate::flow::copy::CopyState;
use crate::flow::route::route_of;
use crate::wire::item_stream::ItemReader;

/// Looks after every update of a folder whose outcome nobody knows. Returns how many there were.
pub async fn check(ferry: Ferry<'_>, folder: &FolderRow) -> Result<Count, Break> {
    let Some(to) = &folder.target else {
        return Ok(Count::ZERO);
    };
    let cx = ferry.cx;
    let mut looked = Count::ZERO;
    let mut after = None;
    loop {
        let rows = cx.due(folder.no, Due::Check, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(looked);
        };
        after = Some(last.key);
        for some in rows.chunks(INTENT_GROUP) {
            let mut facts = Vec::with_capacity(some.len());
            let mut events = Vec::new();
            for (row, state) in some {
                let CopyState::Updating { new, .. } = state else {
                    continue;
                };
                let (fact, event) = match look_at(ferry, folder, to, row, state).await? {
                    Seen::AsKnown => (CopyFact::NotUpdated, None),
                    Seen::Ours(now, content) if Some(content) == new.digest => {
                        let bytes = new.stream;
                        (
                            CopyFact::Updated(now),
                            Some(EventKind::CopyUpdated { bytes }),
                        )
                    }
                    Seen::Ours(now, _) => (CopyFact::Relearned(now), None),
                    Seen::Theirs(why) => (CopyFact::Estranged(why), Some(EventKind::CopyEstranged)),
                };
                facts.push(fact_of(folder, row, fact));
                events.extend(event);
            }
            looked += Count::new(facts.len() as u64);
            cx.append(&facts).await?;
            for event in events {
                cx.tell(event);
            }
        }
    }
}

fn fact_of(folder: &FolderRow, row: &CopyRow, fact: CopyFact) -> Fact {
    Fact::Copy {
        folder: folder.no,
        key: row.key,
        fact,
    }
}

/// What a look at one copy shows.
enum Seen {
    /// The very version we know.
    AsKnown,
    /// Another version, with this content of ours.
    Ours(Placed, Digest),
    /// Not there, or with a content that is none of ours.
    Theirs(Estrangement),
}

async fn look_at(
    ferry: Ferry<'_>,
    folder: &FolderRow,
    to: &TargetFolderId,
    row: &CopyRow,
    state: &CopyState,
) -> Result<Seen, Break> {
    let Ferry { cx, to: mailbox } = ferry;
    let Some((placed, ours)) = state.ours() else {
        return Ok(Seen::Theirs(Estrangement::Edited));
    };
    let target = &cx.run.ports.target;
    let ask = || target.version(mailbox, to, &placed.item);
    let now = match cx.ask_target(Some(mailbox), ask).await {
        Ok(now) if now.change_key == placed.change_key => return Ok(Seen::AsKnown),
        Ok(now) => now,
        Err(Break::Gone) => return Ok(Seen::Theirs(Estrangement::Missing)),
        Err(broken) => return Err(broken),
    };
    let read = match route_of(row) {
        Route::Stream => {
            let read = || read_back(ferry, &placed.item);
            cx.ask_target(Some(mailbox), read).await
        }
        Route::Typed => {
            let folder = typed::counterpart(folder, to);
            typed::same_as_source(ferry, &folder, &row.header.id, &placed.item).await
        }
    };
    let content = match read {
        Ok(content) => content,
        Err(Break::Gone) => return Ok(Seen::Theirs(Estrangement::Missing)),
        Err(Break::Refused(_)) => None,
        Err(broken) => return Err(broken),
    };
    Ok(match content.filter(|content| ours.contains(content)) {
        Some(content) => Seen::Ours(now, content),
        None => Seen::Theirs(Estrangement::Edited),
    })
}

/// The canonical digest of one target item, read back as a stream; `None` where it cannot be read whole.
async fn read_back(
    ferry: Ferry<'_>,
    item: &crate::base::id::TargetItemId,
) -> Result<Option<Digest>, Setback> {
    let mut stream = ferry.cx.run.ports.target.export(ferry.to, item).await?;
    let mut reader = ItemReader::new();
    while let Some(piece) = stream.next().await {
        reader.feed(&piece?);
    }
    Ok(reader.finish().digest)
}

/// Takes copies off the target whose source items left, after everything else of the pass is settled: what was moved is there twice for a while,
/// and never not at all.
///
/// Held back as a whole where too much left at once; held back item by item where another item with the same mark has no settled copy.
pub async fn retract(ferry: Ferry<'_>, folders: &[FolderRow]) -> Result<(), Break> {
    let cx = ferry.cx;
    let (mut due, mut placed) = (Count::ZERO, Count::ZERO);
    for sums in cx.run.ports.ledger.sums(cx.job.job).await?.values() {
        due += sums.due(Due::Retract);
        placed += sums.placed();
    }
    if due == Count::ZERO {
        return Ok(());
    }
    if !cx.run.spec.allow_deletes && too_many(due, placed) {
        cx.tell(EventKind::DeletesHeldBack { copies: due });
        return Ok(());
    }
    let Some(unsettled) = unsettled(cx, folders).await? else {
        cx.tell(EventKind::DeletesHeldBack { copies: due });
        return Ok(());
    };
    for folder in folders {
        if let Some(to) = &folder.target {
            retract_in(ferry, folder, to, &unsettled).await?;
        }
    }
    Ok(())
}

/// More than anybody cleans up in an evening, and more than a share of the mailbox.
fn too_many(due: Count, placed: Count) -> bool {
    due > DELETES_FREE
        && due.get().saturating_mul(100) > placed.get().saturating_mul(DELETES_PERCENT_MAX)
}

/// The marks of items on the source that have no settled copy; `None` when there are too many to keep in mind.
async fn unsettled(cx: &JobCx, folders: &[FolderRow]) -> Result<Option<BTreeSet<Stamp>>, Break> {
    let mut stamps = BTreeSet::new();
    for folder in folders {
        for due in [Due::Create, Due::InFlight, Due::Doubt, Due::Attention] {
            let mut after = None;
            loop {
                let rows = cx.due(folder.no, due, after).await?;
                let Some((last, _)) = rows.last() else { break };
                after = Some(last.key);
                let on_source = rows.into_iter().filter(|(_, state)| {
                    let bucket = state.bucket();
                    bucket.is_some() && bucket != Some(Bucket::ChangedSince)
                });
                stamps.extend(on_source.map(|(row, _)| row.header.stamp));
                if stamps.len() > UNSETTLED_STAMPS_MAX {
                    return Ok(None);
                }
            }
        }
    }
    Ok(Some(stamps))
}

async fn retract_in(
    ferry: Ferry<'_>,
    folder: &FolderRow,
    to: &TargetFolderId,
    unsettled: &BTreeSet<Stamp>,
) -> Result<(), Break> {
    let cx = ferry.cx;
    let mut after = None;
    loop {
        let rows = cx.due(folder.no, Due::Retract, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        after = Some(last.key);
        for (row, state) in rows {
            if cx.run.control.draining() {
                return Err(Break::Draining);
            }
            if !unsettled.contains(&row.header.stamp) {
                retract_one(ferry, folder, to, &row, state).await?;
            }
        }
    }
}

async fn retract_one(
    ferry: Ferry<'_>,
    folder: &FolderRow,
    to: &TargetFolderId,
    row: &CopyRow,
    mut state: CopyState,
) -> Result<(), Break> {
    let Ferry { cx, to: mailbox } = ferry;
    // Once as we know it, once more where only its version mark had changed.
    for _ in 0..2 {
        let CopyState::Departed {
            placed, kept: None, ..
        } = &state
        else {
            return Ok(());
        };
        let placed = placed.clone();
        let target = &cx.run.ports.target;
        let ask = || target.retract(mailbox, to, &placed);
        let fact = match cx.ask_target(Some(mailbox), ask).await {
            Ok(()) => CopyFact::Retracted,
            Err(Break::Gone | Break::FolderGone) => CopyFact::Retracted,
            Err(Break::Refused(_) | Break::Halt(HaltCause::OurRequest)) => {
                match look_at(ferry, folder, to, row, &state).await? {
                    Seen::AsKnown => CopyFact::Estranged(Estrangement::Held),
                    Seen::Ours(now, _) => CopyFact::Relearned(now),
                    Seen::Theirs(why) => CopyFact::Estranged(why),
                }
            }
            Err(broken) => return Err(broken),
        };
        let event = match &fact {
            CopyFact::Retracted => Some(EventKind::CopyRetracted),
            CopyFact::Estranged(_) => Some(EventKind::CopyEstranged),
            _ => None,
        };
        cx.append(&[fact_of(folder, row, fact.clone())]).await?;
        if let Some(event) = event {
            cx.tell(event);
        }
        state = state.apply(&fact).map_err(|_| {
            Break::Ledger(crate::port::ledger::LedgerError::Contradiction(cx.job.job))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_that_loses_much_at_once_is_left_as_it_is() {
        let many = |due, placed| too_many(Count::new(due), Count::new(placed));
        assert!(!many(100, 100), "an evening's cleaning");
        assert!(!many(1_000, 10_000), "a tenth");
        assert!(many(1_001, 10_000));
        assert!(many(101, 101));
    }
}
