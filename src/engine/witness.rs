//! The wait before a look at the target whose emptiness shall count.
//!
//! How long a target takes to show a new item is documented nowhere. So the settle time is a least time, and the target itself is the witness
//! that it was long enough: as long as a folder shows fewer items than the target has acknowledged in it, it shows an old picture, in
//! which a missing item proves nothing. Items that the target's user took away since look the same; therefore the wait has an end.

use crate::base::books::FolderSums;
use crate::base::fact::FolderFate;
use crate::base::limits::WITNESS_WAITS_MAX;
use crate::base::quantity::Count;
use crate::engine::cx::{Break, Ferry};

/// What is left of the longer waits that one mailbox may cost in one go.
#[derive(Debug)]
pub struct Patience(u32);

impl Default for Patience {
    fn default() -> Self {
        Self(WITNESS_WAITS_MAX)
    }
}

/// Waits for the settle time, and on while the target shows less than it acknowledged and there is patience left.
pub async fn settle_time(ferry: Ferry<'_>, patience: &mut Patience) -> Result<(), Break> {
    let settle = ferry.cx.run.spec.limits.settle;
    ferry.cx.wait(settle).await?;
    while patience.0 > 0 && shows_less(ferry).await? {
        patience.0 -= 1;
        ferry.cx.wait(settle).await?;
    }
    Ok(())
}

/// True when some folder shows fewer items than the ledger knows in it.
async fn shows_less(ferry: Ferry<'_>) -> Result<bool, Break> {
    let Ferry { cx, to } = ferry;
    let ledger = &cx.run.ports.ledger;
    let sums = ledger.sums(cx.job.job).await?;
    let rows = ledger.folders(cx.job.job).await?;
    let shown = cx
        .ask_target(Some(to), || cx.run.ports.target.folders(to))
        .await?;
    let carried = rows.iter().filter(|row| row.fate == FolderFate::Carry);
    Ok(carried.into_iter().any(|row| {
        let placed = sums.get(&row.no).map_or(Count::ZERO, FolderSums::placed);
        let there = shown.iter().find(|f| row.target.as_ref() == Some(&f.id));
        // A folder that is not there at all was deleted: no wait brings it back.
        there.is_some_and(|folder| folder.items < placed)
    }))
}
