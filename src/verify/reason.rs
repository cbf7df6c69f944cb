//! What the verifier says about a difference, and whether that explains it.

use crate::verify::content::Changed;

/// Why an item of one side is not simply the same item on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A source item has no partner, and no record says why.
    Missing,
    /// The content on the target is no longer what was carried.
    ChangedOnTarget,
    /// Neither side is what was carried.
    ChangedOnBoth,
    /// The content differs, and what was carried is not on record.
    Differs,
    /// More copies on the target than at the source.
    Twice,
    /// Ours, but under another class or search key.
    Altered,
    /// On the target, and nobody can say whose or since when.
    Unknown,
    /// The stream could not be read whole, and the bytes differ.
    NotComparable,
    /// One side did not hand the item out.
    NotRead,
    /// Carried; its original left the source folder since.
    LeftSource,
    /// Older than everything this plan carried into the folder.
    ThereBefore,
    /// Younger, and not made by this plan.
    MadeSince,
    /// In a folder into which this plan carried nothing.
    NotOurs,
    /// The source item changed since it was carried.
    ChangedAtSource,
    /// A person accepted what the target has.
    Accepted,
    /// The source folder appeared since the last run.
    NewFolder,
    /// The same but for documented effects of the route.
    ByRoute,
}

impl Reason {
    /// Every reason, worst first.
    pub const ALL: [Self; 17] = [
        Self::Missing,
        Self::ChangedOnTarget,
        Self::ChangedOnBoth,
        Self::Differs,
        Self::Twice,
        Self::Altered,
        Self::Unknown,
        Self::NotComparable,
        Self::NotRead,
        Self::LeftSource,
        Self::ThereBefore,
        Self::MadeSince,
        Self::NotOurs,
        Self::ChangedAtSource,
        Self::Accepted,
        Self::NewFolder,
        Self::ByRoute,
    ];

    /// The word for other programs.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::ChangedOnTarget => "changed_on_target",
            Self::ChangedOnBoth => "changed_on_both",
            Self::Differs => "differs",
            Self::Twice => "there_twice",
            Self::Altered => "altered",
            Self::Unknown => "unknown_origin",
            Self::NotComparable => "not_comparable",
            Self::NotRead => "not_read",
            Self::LeftSource => "left_source",
            Self::ThereBefore => "there_before",
            Self::MadeSince => "made_since",
            Self::NotOurs => "not_ours",
            Self::ChangedAtSource => "changed_at_source",
            Self::Accepted => "accepted",
            Self::NewFolder => "new_folder",
            Self::ByRoute => "effect_of_route",
        }
    }

    /// The reason in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Missing => "missing on the target",
            Self::ChangedOnTarget => "changed on the target since it was carried",
            Self::ChangedOnBoth => "changed on both sides since it was carried",
            Self::Differs => "differs, and what was carried is not on record",
            Self::Twice => {
                "on the target more often than at the source (same class and search key)"
            }
            Self::Altered => "carried by this plan, but its class or search key is another one now",
            Self::Unknown => "on the target, of unknown origin",
            Self::NotComparable => "not comparable: it cannot be read whole, and the bytes differ",
            Self::NotRead => "not compared: one side did not hand it out",
            Self::LeftSource => "carried; the original left the source folder since",
            Self::ThereBefore => "on the target before anything was carried into this folder",
            Self::MadeSince => "made on the target since, not by this plan",
            Self::NotOurs => "in a folder of the target into which nothing was carried",
            Self::ChangedAtSource => "changed at the source since it was carried",
            Self::Accepted => "accepted by a person as the target has it",
            Self::NewFolder => "in a folder that appeared at the source since the last run",
            Self::ByRoute => "the same but for documented effects of the route",
        }
    }

    /// False for what nothing explains: it ends the command with exit code 7.
    pub const fn explained(self) -> bool {
        match self {
            Self::Missing
            | Self::ChangedOnTarget
            | Self::ChangedOnBoth
            | Self::Differs
            | Self::Twice
            | Self::Altered
            | Self::Unknown => false,
            Self::NotComparable
            | Self::NotRead
            | Self::LeftSource
            | Self::ThereBefore
            | Self::MadeSince
            | Self::NotOurs
            | Self::ChangedAtSource
            | Self::Accepted
            | Self::NewFolder
            | Self::ByRoute => true,
        }
    }

    /// True for target items that came to be since and not by this plan's hand: one that was sent would be among them.
    pub const fn may_be_sent(self) -> bool {
        matches!(
            self,
            Self::Twice | Self::Unknown | Self::MadeSince | Self::NotOurs
        )
    }

    /// The reason of a content difference.
    pub const fn of_change(changed: Changed) -> Self {
        match changed {
            Changed::Target => Self::ChangedOnTarget,
            Changed::Source => Self::ChangedAtSource,
            Changed::Both => Self::ChangedOnBoth,
            Changed::Unknown => Self::Differs,
        }
    }
}

/// What is known about a target item without partner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// The ledger knows it as the copy of an item: true where that item is still in the source's listing.
    pub owner_listed: Option<bool>,
    /// The ledger knows items of the same class and search key.
    pub mark_known: bool,
    /// The plan carried something into its folder.
    pub carried_here: bool,
    /// It is older than everything of ours in the folder; absent where the target tells no times.
    pub older_than_ours: Option<bool>,
}

impl Extra {
    /// Why it is there.
    ///
    /// That something is not of this plan's making is proved by the ledger: nothing is created without a row that bears its mark.
    pub const fn reason(self) -> Reason {
        match self {
            Self {
                owner_listed: Some(false),
                ..
            } => Reason::LeftSource,
            Self {
                owner_listed: Some(true),
                ..
            } => Reason::Altered,
            Self {
                older_than_ours: Some(true),
                ..
            } => Reason::ThereBefore,
            Self {
                mark_known: true, ..
            } => Reason::Twice,
            Self {
                carried_here: false,
                ..
            } => Reason::NotOurs,
            Self {
                older_than_ours: Some(false),
                ..
            } => Reason::MadeSince,
            Self {
                older_than_ours: None,
                ..
            } => Reason::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_words_of_its_own() {
        let keys: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.key()).collect();
        let words: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.words()).collect();
        assert_eq!((keys.len(), words.len()), (17, 17));
        assert!(Reason::ALL.is_sorted());
    }

    #[test]
    fn what_a_row_could_have_made_is_never_explained_away() {
        let mut seen = BTreeSet::new();
        for owner_listed in [None, Some(true), Some(false)] {
            for older_than_ours in [None, Some(true), Some(false)] {
                for (mark_known, carried_here) in
                    [(false, false), (false, true), (true, false), (true, true)]
                {
                    let extra = Extra {
                        owner_listed,
                        mark_known,
                        carried_here,
                        older_than_ours,
                    };
                    let reason = extra.reason();
                    seen.insert(reason);
                    if mark_known && owner_listed.is_none() && older_than_ours != Some(true) {
                        assert_eq!(reason, Reason::Twice, "{extra:?}");
                    }
                }
            }
        }
        assert_eq!(seen.len(), 7);
    }
}
