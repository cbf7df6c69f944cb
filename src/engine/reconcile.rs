//! Settles doubt by looking at the target, folder by folder.
//!
//! One look lists a folder once and answers for all its open rows. Memory: the open rows of a folder (a crash leaves at most a few groups of
//! them) and the target items that bear their stamps.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::books::Due;
use crate::base::event::EventKind;
use crate::base::fact::{CopyFact, CopyRow, Fact, FolderRow};
use crate::base::id::{TargetFolderId, TargetItemId};
use crate::base::item::{ItemKey, SearchKey, Stamp, TargetHeader};
use crate::base::limits::ADOPT_BATCH;
use crate::base::route::Route;
use crate::engine::cx::{Break, Ferry, JobCx};
use crate::flow::copy::CopyState;
use crate::flow::doubt::{Explained, Open, settle, settles};
use crate::flow::route::route_of;
use crate::port::target::TargetPage;

/// Which rows a look is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Doubts only; a missing item may not yet count as missing.
    Early,
    /// Doubts only; the target had time to show everything.
    Late,
    /// Doubts and items never sent: the target holds more than this ledger explains.
    Adopt,
}

/// Looks once at the counterpart of `folder` and records what follows. Returns the doubts that are left.
pub async fn look(ferry: Ferry<'_>, folder: &FolderRow, look: Look) -> Result<usize, Break> {
    let Some(to) = &folder.target else {
        return Ok(0);
    };
    let mut left = 0;
    let mut after = None;
    loop {
        let (open, last) = open_rows(ferry.cx, folder, look, after).await?;
        if !open.is_empty() {
            left += look_at(ferry, folder, to, &open, look).await?;
        }
        match last {
            Some(key) => after = Some(key),
            None => return Ok(left),
        }
    }
}

/// Open rows after `after`, at most about `ADOPT_BATCH` of them; and where to go on, if there is more. Doubts and items never sent are two
/// sequences of the index; the doubts come whole, in front.
async fn open_rows(
    cx: &JobCx,
    folder: &FolderRow,
    look: Look,
    mut after: Option<ItemKey>,
) -> Result<(Vec<Open>, Option<ItemKey>), Break> {
    let mut open = Vec::new();
    if after.is_none() || look != Look::Adopt {
        let (doubts, more) = batch(cx, folder, look, Due::Doubt, after).await?;
        if look != Look::Adopt {
            return Ok((doubts, more));
        }
        open = doubts;
        after = None;
    }
    let (wanted, more) = batch(cx, folder, look, Due::Create, after).await?;
    open.extend(wanted);
    Ok((open, more))
}

async fn batch(
    cx: &JobCx,
    folder: &FolderRow,
    look: Look,
    due: Due,
    mut after: Option<ItemKey>,
) -> Result<(Vec<Open>, Option<ItemKey>), Break> {
    let marked = cx.run.spec.select.no_import;
    let mut open = Vec::new();
    loop {
        let rows = cx.due(folder.no, due, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok((open, None));
        };
        after = Some(last.key);
        open.extend(
            rows.iter()
                .filter_map(|(row, state)| as_open(row, state, look, marked)),
        );
        if open.len() >= ADOPT_BATCH {
            return Ok((open, after));
        }
    }
}

/// `marked`: every copy of ours bears our mark there, since nothing can be made as a stream.
fn as_open(row: &CopyRow, state: &CopyState, look: Look, marked: bool) -> Option<Open> {
    let (attempts, in_doubt, looks) = match state {
        CopyState::InDoubt {
            attempts,
            empty_looks,
            ..
        } => (*attempts, true, *empty_looks),
        CopyState::Wanted { attempts, .. } if look == Look::Adopt => (*attempts, false, 0),
        _ => return None,
    };
    Some(Open {
        key: row.key,
        stamp: row.header.stamp.clone(),
        attempts,
        in_doubt,
        looks,
        by_class: marked || (in_doubt && route_of(row) == Route::Typed),
    })
}

async fn look_at(
    ferry: Ferry<'_>,
    folder: &FolderRow,
    to: &TargetFolderId,
    open: &[Open],
    look: Look,
) -> Result<usize, Break> {
    let stamps: BTreeSet<&Stamp> = open.iter().map(|row| &row.stamp).collect();
    let shown = shown(ferry, to, &stamps).await?;
    let explained = explained(ferry.cx, folder, &shown).await?;
    let found = settle(open, &shown, &explained, look == Look::Late);
    let doubts = open.iter().filter(|row| row.in_doubt).count();
    let mut facts: Vec<Fact> = Vec::with_capacity(found.len());
    for (key, fact) in &found {
        let mut add = |fact| {
            facts.push(Fact::Copy {
                folder: folder.no,
                key: *key,
                fact,
            });
        };
        // Whoever looks after a copy must know how it was made.
        if let CopyFact::Adopted(placed) = fact
            && shown
                .iter()
                .any(|own| own.placed == *placed && own.route == Route::Typed)
        {
            add(CopyFact::Rerouted(None));
        }
        add(fact.clone());
    }
    ferry.cx.append(&facts).await?;
    let mut settled = 0;
    let rows: BTreeMap<ItemKey, &Open> = open.iter().map(|row| (row.key, row)).collect();
    for (key, fact) in &found {
        if let Some(there) = rows.get(key).and_then(|row| settles(row, fact)) {
            ferry.cx.tell(EventKind::DoubtSettled { there });
        }
        match fact {
            CopyFact::Adopted(_) => ferry.cx.tell(EventKind::CopyAdopted),
            CopyFact::SeenOnce(_) => settled += 1,
            CopyFact::SeenTwice => {
                settled += 1;
                ferry.cx.tell(EventKind::CopyParked);
            }
            // One empty look does not settle a doubt; whether this one did is read from the ledger next time.
            _ => {}
        }
    }
    Ok(doubts - settled)
}

/// What the target folder shows that bears one of `stamps`.
async fn shown(
    ferry: Ferry<'_>,
    to: &TargetFolderId,
    stamps: &BTreeSet<&Stamp>,
) -> Result<Vec<TargetHeader>, Break> {
    let mut shown = Vec::new();
    let mut next = None;
    loop {
        let page: TargetPage = ferry
            .cx
            .ask_target(Some(ferry.to), || {
                ferry.cx.run.ports.target.page(ferry.to, to, next.as_ref())
            })
            .await?;
        shown.extend(page.items.into_iter().filter(|header| {
            let by_key = header.key.clone().map(Stamp::Key);
            by_key.is_some_and(|key| stamps.contains(&key)) || stamps.contains(&header.fallback)
        }));
        next = page.next;
        if next.is_none() {
            return Ok(shown);
        }
    }
}

/// What the rows of the folder account for among the items shown. Every row is asked, not only those with the marks in question: an item may bear
/// a mark by its fallback that another row knows by its key.
async fn explained(
    cx: &JobCx,
    folder: &FolderRow,
    shown: &[TargetHeader],
) -> Result<Explained, Break> {
    let items: BTreeSet<&TargetItemId> = shown.iter().map(|header| &header.placed.item).collect();
    let keys: BTreeSet<&SearchKey> = shown
        .iter()
        .filter_map(|header| header.key.as_ref())
        .collect();
    let mut explained = Explained::default();
    let mut after = None;
    loop {
        let rows = cx.page(folder.no, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(explained);
        };
        after = Some(last.key);
        for (row, state) in &rows {
            if let Stamp::Key(key) = &row.header.stamp
                && keys.contains(key)
            {
                explained.keys.insert(key.clone());
            }
            if let Some(placed) = state.placed()
                && items.contains(&placed.item)
            {
                explained.items.insert(placed.item.clone());
            }
        }
    }
}
