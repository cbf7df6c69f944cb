//! What the ledger says about the differences of a folder: one pass over its rows, in memory only what was asked about.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::fact::{Bucket, FolderRow};
use crate::base::item::ItemKey;
use crate::base::quantity::Count;
use crate::engine::cx::{Break, JobCx};
use crate::flow::copy::CopyState;
use crate::verify::fresh::FolderMark;
use crate::verify::march::{Marched, Mark, SourceList, TargetKey};

/// What is asked about.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Source items.
    keys: BTreeSet<ItemKey>,
    /// Target items.
    handles: BTreeSet<TargetKey>,
    /// Marks.
    marks: BTreeSet<Mark>,
}

impl Asked {
    /// Everything a march could not settle by itself.
    pub(super) fn about(marched: &Marched) -> Self {
        let mut out = Self::default();
        for (mark, group) in &marched.groups {
            out.marks.insert(*mark);
            out.keys.extend(&group.source);
            out.handles.extend(&group.target);
        }
        out.handles.extend(&marched.plain);
        out
    }
}

/// What the ledger answered.
#[derive(Debug)]
pub(super) struct Told {
    /// How far it knows the folder.
    pub(super) mark: FolderMark,
    /// Items per bucket, over the whole folder.
    pub(super) sums: BTreeMap<Bucket, Count>,
    /// Copies whose originals left the source.
    pub(super) departed: Count,
    /// Buckets of the items asked about.
    pub(super) buckets: BTreeMap<ItemKey, Bucket>,
    /// Copies of items that share a mark asked about.
    pub(super) placed: BTreeMap<ItemKey, TargetKey>,
    /// Whose copy a target item asked about is: its mark and key.
    pub(super) owners: BTreeMap<TargetKey, (Mark, ItemKey)>,
    /// Marks asked about that a row bears.
    pub(super) marks: BTreeSet<Mark>,
    /// Items that are known to have changed since they were carried, and are in the listing.
    pub(super) changed: BTreeSet<ItemKey>,
    /// True where something was carried into the folder.
    pub(super) carried: bool,
}

/// Asks the ledger about a folder.
pub(super) async fn ask(
    cx: &JobCx,
    row: &FolderRow,
    source: &SourceList,
    asked: &Asked,
) -> Result<Told, Break> {
    let mut told = Told {
        mark: FolderMark::begin(row),
        sums: BTreeMap::new(),
        departed: Count::ZERO,
        buckets: BTreeMap::new(),
        placed: BTreeMap::new(),
        owners: BTreeMap::new(),
        marks: BTreeSet::new(),
        changed: BTreeSet::new(),
        carried: false,
    };
    let mut after = None;
    loop {
        let rows = cx.page(row.no, after).await?;
        let Some((last, _)) = rows.last() else {
            return Ok(told);
        };
        after = Some(last.key);
        for (copy, state) in &rows {
            told.mark.count(copy.facts.len());
            told.note(&copy.header, copy.key, state, source, asked);
        }
    }
}

impl Told {
    fn note(
        &mut self,
        header: &crate::base::item::SourceHeader,
        key: ItemKey,
        state: &CopyState,
        source: &SourceList,
        asked: &Asked,
    ) {
        // A withheld newer version leaves the older copy on the target: compared, it is an item that changed since.
        let bucket = match state {
            CopyState::Withheld { copy: Some(_), .. } => Some(Bucket::ChangedSince),
            _ => state.bucket(),
        };
        if let Some(bucket) = bucket {
            *self.sums.entry(bucket).or_default() += Count::new(1);
            if asked.keys.contains(&key) {
                self.buckets.insert(key, bucket);
            }
        }
        let changed =
            bucket == Some(Bucket::ChangedSince) || matches!(state, CopyState::Updating { .. });
        let quiet = asked.marks.is_empty() && asked.handles.is_empty();
        let placed = state.placed();
        self.carried |= placed.is_some();
        self.departed += Count::new(u64::from(matches!(state, CopyState::Departed { .. })));
        if quiet && !changed {
            return;
        }
        let mark = Mark::of_stamp(&header.class, &header.stamp);
        if changed && source.holds(mark, key) {
            self.changed.insert(key);
        }
        if asked.marks.contains(&mark) {
            self.marks.insert(mark);
        }
        if let Some(placed) = placed.filter(|_| !quiet) {
            let handle = TargetKey::of(&placed.item);
            if asked.handles.contains(&handle) {
                self.owners.insert(handle, (mark, key));
            }
            if asked.marks.contains(&mark) {
                self.placed.insert(key, handle);
            }
        }
    }
}
