//! Turns on the reminders that were held back until the cutover, when everything else of a mailbox is done.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::fact::{CopyFact, Fact, FolderFate, FolderRow};
use crate::base::id::TargetItemId;
use crate::base::item::{ItemClass, ItemKey, Placed};
use crate::base::mailbox::TargetFolder;
use crate::base::quantity::Count;
use crate::base::route::{ReminderRule, Route};
use crate::engine::cx::{Break, Ferry, JobCx};
use crate::engine::typed::counterpart;
use crate::engine::witness::{Patience, settle_time};
use crate::flow::copy::CopyState;
use crate::port::typed::TypedTarget;

/// Turns them on in every calendar that holds copies made by their class. Asks the target what waits, so that a pass that was stopped in the middle is
/// simply begun again. Costs nothing where the plan holds none back.
pub async fn turn_on(cx: &JobCx) -> Result<(), Break> {
    let (ReminderRule::AfterCutover, Some(typed)) = (cx.run.spec.reminders, &cx.run.ports.typed)
    else {
        return Ok(());
    };
    let mut calendars = Vec::new();
    for folder in cx.run.ports.ledger.folders(cx.job.job).await? {
        let events = ItemClass::new(folder.class.as_str()).is_a("IPF.Appointment");
        if events
            && folder.fate == FolderFate::Carry
            && cx.sums(folder.no).await?.by(Route::Typed) > Count::ZERO
        {
            calendars.push(folder);
        }
    }
    if calendars.is_empty() {
        return Ok(());
    }
    let ferry = Ferry {
        cx,
        to: cx.to().await?,
    };
    // What this pass made, or the one that ended a moment ago, may not be listed yet, and what is not listed now would wait for ever.
    settle_time(ferry, &mut Patience::default()).await?;
    for folder in &calendars {
        if let Some(to) = &folder.target {
            calendar(
                ferry,
                typed.target.as_ref(),
                folder,
                &counterpart(folder, to),
            )
            .await?;
        }
    }
    Ok(())
}

async fn calendar(
    ferry: Ferry<'_>,
    target: &dyn TypedTarget,
    folder: &FolderRow,
    there: &TargetFolder,
) -> Result<(), Break> {
    let Ferry { cx, to } = ferry;
    let held = cx
        .ask_target(Some(to), || target.held_back(to, there))
        .await?;
    cx.charge(to);
    if held.is_empty() {
        return Ok(());
    }
    let rows = confirmed(cx, folder, &held.iter().collect()).await?;
    for item in &held {
        if cx.run.control.draining() {
            return Err(Break::Draining);
        }
        let asked = cx.ask_target(Some(to), || target.remind(to, there, item));
        let changed = asked.await;
        cx.charge(to);
        let (before, after) = match changed {
            Ok(Some(changed)) => changed,
            // One that the service does not let us change still waits, and verification names it.
            Ok(None) | Err(Break::Gone | Break::Refused(_)) => continue,
            Err(broken) => return Err(broken),
        };
        // The version that we know is still the one that we made, so that a later change by its user is told from ours. Where that cannot be shown the
        // copy counts as changed by somebody else, which is the safe side.
        if let Some((key, known)) = rows.get(item)
            && *known == before
        {
            let fact = Fact::Copy {
                folder: folder.no,
                key: *key,
                fact: CopyFact::Relearned(after),
            };
            cx.append(&[fact]).await?;
        }
    }
    Ok(())
}

/// What the ledger knows of these copies in a folder, by where they are.
async fn confirmed(
    cx: &JobCx,
    folder: &FolderRow,
    wanted: &BTreeSet<&TargetItemId>,
) -> Result<BTreeMap<TargetItemId, (ItemKey, Placed)>, Break> {
    let mut known = BTreeMap::new();
    let mut after = None;
    loop {
        let rows = cx.page(folder.no, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(known);
        };
        after = Some(last.key);
        for (row, state) in rows {
            if let CopyState::Confirmed { placed, .. } = state
                && wanted.contains(&placed.item)
            {
                known.insert(placed.item.clone(), (row.key, placed));
            }
        }
    }
}
