//! Were target items there before ours? The target's own clock says so: an import sets the time an item was taken in anew (reference/graph.md
//! 1.6), so whatever is older than every item of ours in a folder was there before we carried anything into it. No clock of ours takes part.

use std::collections::{BTreeMap, BTreeSet};

use super::drive::TargetPages;
use crate::base::fact::FolderRow;
use crate::base::id::TargetItemId;
use crate::base::quantity::Moment;
use crate::engine::cx::{Break, Ferry};
use crate::flow::copy::CopyState;
use crate::verify::march::TargetKey;

/// An item of the target that has no partner.
#[derive(Clone, Debug)]
pub(super) struct Stranger {
    /// Its id.
    pub(super) id: TargetItemId,
    /// When the target took it in, where it says so.
    created: Option<Moment>,
    /// True for a meeting request, response or cancellation ([MS-OXOCAL] section 2.2.6: IPM.Schedule.Meeting and its sub-classes).
    pub(super) is_meeting: bool,
}

/// What a second look at the target says about some of its items.
#[derive(Debug, Default)]
pub(super) struct Ages {
    /// What they are.
    pub(super) items: BTreeMap<TargetKey, Stranger>,
    /// The oldest time of an item that this plan made in the folder.
    first: Option<Moment>,
}

impl Ages {
    /// True: older than everything of ours. Nothing where the target tells no times, or shows nothing of ours.
    pub(super) fn older_than_ours(&self, handle: TargetKey) -> Option<bool> {
        let created = self.items.get(&handle)?.created;
        Some(created? < self.first?)
    }
}

/// Looks at the target's listing again, for these items and for ours.
pub(super) async fn ages(
    ferry: Ferry<'_>,
    row: &FolderRow,
    handles: &BTreeSet<TargetKey>,
) -> Result<Ages, Break> {
    let mut out = Ages::default();
    if handles.is_empty() {
        return Ok(out);
    }
    let ours = made_by_us(ferry, row).await?;
    let mut pages = TargetPages::new(ferry, row);
    while let Some(page) = pages.next().await? {
        for header in page.items {
            let handle = TargetKey::of(&header.placed.item);
            if ours.binary_search(&handle).is_ok() {
                out.first = match (out.first, header.created) {
                    (Some(first), Some(created)) => Some(first.min(created)),
                    (first, created) => first.or(created),
                };
            }
            if handles.contains(&handle) {
                let stranger = Stranger {
                    id: header.placed.item,
                    created: header.created,
                    is_meeting: header.class.is_a("IPM.Schedule.Meeting"),
                };
                out.items.insert(handle, stranger);
            }
        }
    }
    Ok(out)
}

/// The copies that this plan sent; what it found and adopted is older. 16 bytes each.
async fn made_by_us(ferry: Ferry<'_>, row: &FolderRow) -> Result<Vec<TargetKey>, Break> {
    let mut ours = Vec::new();
    let mut after = None;
    loop {
        let rows = ferry.cx.page(row.no, after).await?;
        let Some((last, _)) = rows.last() else {
            ours.sort_unstable();
            return Ok(ours);
        };
        after = Some(last.key);
        for (_, state) in &rows {
            if let CopyState::Confirmed {
                placed,
                sent: Some(_),
            } = state
            {
                ours.push(TargetKey::of(&placed.item));
            }
        }
    }
}
