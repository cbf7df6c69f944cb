//! The balance: every source item in exactly one named bucket, per folder and mailbox. Computed from ledger rows alone, so that the same
//! ledger gives the same balance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::books::FolderSums;
use crate::base::fact::{Bucket, FolderFate, FolderRow, JobPhase, LeaveRule, SkipRule};
use crate::base::id::{JobId, MailboxId};
use crate::base::item::{ItemClass, ItemKey};
use crate::base::mailbox::FolderPath;
use crate::base::quantity::{Bytes, Count};
use crate::base::route::Route;

/// All mailboxes of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// In plan order.
    pub mailboxes: Vec<MailboxBalance>,
}

/// One mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxBalance {
    /// Its place in the plan.
    pub job: JobId,
    /// From.
    pub source: MailboxId,
    /// To.
    pub target: MailboxId,
    /// Where it stands.
    pub phase: JobPhase,
    /// Its folders, by path.
    pub folders: Vec<FolderBalance>,
    /// Items that are neither confirmed nor simply waiting, each with its reason.
    pub exceptions: Vec<Exception>,
    /// Copies of ours on the target whose items left the source, each with why it is still there. They are in no bucket: the source holds
    /// nothing they could be compared with.
    #[serde(default)]
    pub leftovers: Vec<Leftover>,
    /// Items on the target that travelled by the typed route, by class. Only a balance that was taken row by row knows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub typed: BTreeMap<ItemClass, Count>,
}

/// One folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderBalance {
    /// Its path; the top of the tree is empty.
    pub path: FolderPath,
    /// Why it stays, where it does.
    pub left_out: Option<LeaveRule>,
    /// Items it holds: listed ones, and those the hierarchy promises where it was not listed to the end.
    pub source: Count,
    /// How they divide. Empty for a folder that stays.
    pub buckets: BTreeMap<Bucket, Count>,
    /// Listed bytes of its items, as the source counts them.
    pub bytes: Bytes,
    /// Bytes of the streams that arrived.
    pub carried: Bytes,
    /// Of `bytes`, those of items that are not carried yet or in doubt.
    #[serde(default)]
    pub left: Bytes,
    /// Items the hierarchy promises that no listing has shown yet; their bytes are in no number here.
    #[serde(default)]
    pub unlisted: Count,
    /// Of the withheld items, those that a person confirmed: nothing waits for a decision about them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub confirmed_withheld: Count,
    /// How its copies on the target travelled.
    #[serde(default, skip_serializing_if = "Routes::is_empty")]
    pub routes: Routes,
}

/// Copies on the target, of items that are on the source, by how they travelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// As streams, byte for byte.
    pub stream: Count,
    /// By their class.
    pub typed: Count,
}

impl Routes {
    /// Counts one copy.
    pub fn count(&mut self, route: Route) {
        *match route {
            Route::Stream => &mut self.stream,
            Route::Typed => &mut self.typed,
        } += Count::new(1);
    }

    fn add(&mut self, other: Self) {
        self.stream += other.stream;
        self.typed += other.typed;
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl std::iter::Sum for Routes {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, own| {
            sum.add(own);
            sum
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(count: &Count) -> bool {
    *count == Count::ZERO
}

/// One item a person may have to look at. Names no content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// In which folder.
    pub folder: FolderPath,
    /// Which item.
    pub item: ItemKey,
    /// Its class.
    pub class: ItemClass,
    /// In which bucket.
    pub bucket: Bucket,
    /// By which rule it stays, where it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<SkipRule>,
    /// Why, in words.
    pub why: String,
}

/// A copy on the target whose item left the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// In which folder its item was.
    pub folder: FolderPath,
    /// Which item.
    pub item: ItemKey,
    /// Its class.
    pub class: ItemClass,
    /// Why it is still there, in words.
    pub why: String,
}

/// Sums over folders or mailboxes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Items of the source in carried folders.
    pub source: Count,
    /// Per bucket.
    pub buckets: BTreeMap<Bucket, Count>,
    /// Listed bytes.
    pub bytes: Bytes,
    /// Stream bytes that arrived.
    pub carried: Bytes,
    /// Items in folders that stay.
    pub left_out: Count,
    /// Listed bytes of items that are not carried yet or in doubt.
    pub left: Bytes,
    /// Items that no listing has shown yet.
    pub unlisted: Count,
    /// Withheld items that a person confirmed.
    pub confirmed_withheld: Count,
    /// How the copies on the target travelled.
    pub routes: Routes,
}

impl Totals {
    /// Items in a bucket.
    pub fn of(&self, bucket: Bucket) -> Count {
        self.buckets.get(&bucket).copied().unwrap_or_default()
    }

    /// Withheld items that nobody has decided about.
    pub fn undecided(&self) -> Count {
        self.of(Bucket::Quarantined)
            .saturating_sub(self.confirmed_withheld)
    }

    /// Source items that are in no bucket. Must be zero.
    pub fn unexplained(&self) -> Count {
        self.source
            .saturating_sub(self.buckets.values().copied().sum())
    }

    fn add(&mut self, folder: &FolderBalance) {
        if folder.left_out.is_some() {
            self.left_out += folder.source;
            return;
        }
        self.source += folder.source;
        self.bytes += folder.bytes;
        self.carried += folder.carried;
        self.left += folder.left;
        self.unlisted += folder.unlisted;
        self.confirmed_withheld += folder.confirmed_withheld;
        self.routes.add(folder.routes);
        for (bucket, n) in &folder.buckets {
            *self.buckets.entry(*bucket).or_default() += *n;
        }
    }
}

impl FolderBalance {
    /// An empty balance for a folder of the ledger.
    pub fn begin(row: &FolderRow) -> Self {
        let left_out = match row.fate {
            FolderFate::Carry => None,
            FolderFate::LeftOut(rule) => Some(rule),
        };
        Self {
            path: row.path.clone(),
            left_out,
            // A search folder holds nothing: what it shows lives, and is counted, elsewhere.
            source: match left_out {
                None | Some(LeaveRule::SearchFolder) => Count::ZERO,
                Some(_) => row.items,
            },
            buckets: BTreeMap::new(),
            bytes: Bytes::ZERO,
            carried: Bytes::ZERO,
            left: Bytes::ZERO,
            unlisted: Count::ZERO,
            confirmed_withheld: Count::ZERO,
            routes: Routes::default(),
        }
    }

    /// Counts one item.
    pub fn count(&mut self, bucket: Bucket, listed: Bytes, carried: Bytes) {
        self.source += Count::new(1);
        *self.buckets.entry(bucket).or_default() += Count::new(1);
        self.bytes += listed;
        if matches!(bucket, Bucket::Remaining | Bucket::InDoubt) {
            self.left += listed;
        }
        self.carried += carried;
    }

    /// Counts all items of a folder at once.
    pub fn take_in(&mut self, sums: &FolderSums) {
        self.source += sums.source();
        for bucket in Bucket::ALL {
            let n = sums.of(bucket);
            if n > Count::ZERO {
                *self.buckets.entry(bucket).or_default() += n;
            }
        }
        self.bytes += sums.bytes();
        self.left += sums.bytes_of(Bucket::Remaining) + sums.bytes_of(Bucket::InDoubt);
        self.carried += sums.carried();
        self.routes.add(Routes {
            stream: sums.by(Route::Stream),
            typed: sums.by(Route::Typed),
        });
    }

    /// Adds what the hierarchy promises and no listing has shown yet.
    pub fn finish(&mut self, row: &FolderRow) {
        let unlisted = row.items.saturating_sub(self.source);
        if self.left_out.is_none() && !row.swept && unlisted > Count::ZERO {
            self.source += unlisted;
            self.unlisted = unlisted;
            *self.buckets.entry(Bucket::Remaining).or_default() += unlisted;
        }
    }
}

impl MailboxBalance {
    /// Sums over its folders.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.folders.iter().for_each(|folder| totals.add(folder));
        totals
    }
}

impl Balance {
    /// Sums over everything.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.mailboxes
            .iter()
            .flat_map(|m| &m.folders)
            .for_each(|folder| totals.add(folder));
        totals
    }

    /// True when nothing waits for a person or for another run.
    pub fn settled(&self) -> bool {
        let totals = self.totals();
        let open = [
            Bucket::Refused,
            Bucket::Parked,
            Bucket::InDoubt,
            Bucket::Remaining,
            Bucket::ChangedSince,
        ];
        totals.undecided() == Count::ZERO
            && open.iter().all(|bucket| totals.of(*bucket) == Count::ZERO)
            && self.mailboxes.iter().all(|m| m.phase.is_settled())
    }
}

/// Stands between what was found in an item and who confirmed that it stays withheld.
pub const KEPT_WITHHELD_BY: &str = "; kept withheld by ";

/// The reason of a skip, for lists.
pub fn skip_words(rule: SkipRule) -> String {
    format!("left by rule: {}", rule.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{FolderId, FolderNo};
    use crate::base::mailbox::FolderKind;
    use proptest::prelude::*;

    fn row(items: u64, swept: bool) -> FolderRow {
        FolderRow {
            no: FolderNo(1),
            source: FolderId::new("f"),
            parent: None,
            name: "Inbox".into(),
            path: FolderPath::of(["Inbox"]),
            class: "IPF.Note".into(),
            role: None,
            kind: FolderKind::Generic,
            items: Count::new(items),
            fate: FolderFate::Carry,
            target: None,
            sync: None,
            swept,
            made: false,
            named: None,
            before: Count::ZERO,
            gone: false,
        }
    }

    #[test]
    fn what_was_not_listed_yet_is_remaining_and_not_forgotten() {
        let row = row(10, false);
        let mut folder = FolderBalance::begin(&row);
        folder.count(Bucket::Confirmed, Bytes::new(1), Bytes::new(2));
        folder.finish(&row);
        assert_eq!(folder.buckets[&Bucket::Remaining], Count::new(9));
    }

    proptest! {
        #[test]
        fn the_buckets_always_add_up_to_the_source(counts in proptest::collection::vec(0usize..8, 0..50), promised in 0u64..100) {
            let buckets = [Bucket::Confirmed, Bucket::Skipped, Bucket::Quarantined, Bucket::Refused,
                Bucket::Parked, Bucket::InDoubt, Bucket::Remaining, Bucket::ChangedSince];
            let row = row(promised, false);
            let mut folder = FolderBalance::begin(&row);
            for at in counts {
                folder.count(buckets[at], Bytes::ZERO, Bytes::ZERO);
            }
            folder.finish(&row);
            let mut totals = Totals::default();
            totals.add(&folder);
            prop_assert_eq!(totals.unexplained(), Count::ZERO);
            prop_assert!(totals.source.get() >= promised);
        }
    }
}
