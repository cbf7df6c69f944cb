//! Canaries, decided: which items go, and what an earlier preflight left behind.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use crate::base::canary::{CanaryLine, CanaryRun, CanaryStep};
use crate::base::id::{MailboxId, TargetFolderId, TargetMailboxId};
use crate::base::item::{Digest, ItemClass, Placed, SearchKey, SourceHeader, Stamp};
use crate::base::losses::{Family, family_of};
use crate::base::outcome::Setback;
use crate::base::probe::{CanaryEnd, CanaryTrial};
use crate::base::quantity::Bytes;
use crate::base::route::RouteRule;

/// Items of one class that are tried until one is taken.
pub const TRIES_PER_CLASS: usize = 3;

/// Classes in one preflight. Real mailboxes hold some twenty; a mailbox with a class for every item must not become a migration.
pub const CLASSES_MAX: usize = 60;

/// Mailboxes whose folders are looked into for classes that are still missing.
pub const MAILBOXES_SEARCHED: usize = 5;

/// Folders of one mailbox that are looked into, the fullest of each class first.
pub const FOLDERS_SEARCHED: usize = 40;

/// Items of one folder that are looked at.
pub const ITEMS_SEARCHED: u64 = 100;

/// Items to try, by class.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    wanted: BTreeMap<ItemClass, Vec<SourceHeader>>,
    known: BTreeSet<ItemClass>,
}

impl Choice {
    /// A choice of classes that are not among `known`: those another mailbox tries already.
    pub fn beside(known: BTreeSet<ItemClass>) -> Self {
        Self {
            wanted: BTreeMap::new(),
            known,
        }
    }

    /// Takes a listing in: of each class the smallest items, so that a canary costs little.
    pub fn offer(&mut self, items: Vec<SourceHeader>, item_max: Bytes) {
        for item in items {
            if self.known.contains(&item.class) || item.size > item_max {
                continue;
            }
            let classes = self.wanted.len() + self.known.len();
            if classes >= CLASSES_MAX && !self.wanted.contains_key(&item.class) {
                continue;
            }
            let own = self.wanted.entry(item.class.clone()).or_default();
            let at = own.partition_point(|other| other.size <= item.size);
            own.insert(at, item);
            own.truncate(TRIES_PER_CLASS);
        }
    }

    /// The classes that were found.
    pub fn classes(&self) -> impl Iterator<Item = &ItemClass> {
        self.wanted.keys()
    }

    /// Each class with its items, the one to try first in front.
    pub fn into_candidates(self) -> Vec<(ItemClass, Vec<SourceHeader>)> {
        self.wanted.into_iter().collect()
    }
}

/// Which folders to look into: of each folder class those with most items first, taken in turn, so that one class of folders cannot crowd the
/// others out. Each folder is its class and its number of items; the answer is positions.
pub fn folders_to_search(folders: &[(String, u64)]) -> Vec<usize> {
    let mut by_class: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, (class, items)) in folders.iter().enumerate() {
        if *items > 0 {
            by_class.entry(class).or_default().push(at);
        }
    }
    for all in by_class.values_mut() {
        all.sort_by_key(|at| std::cmp::Reverse(folders[*at].1));
    }
    let mut out = Vec::new();
    let most = by_class.values().map(Vec::len).max().unwrap_or(0);
    for round in 0..most {
        for all in by_class.values() {
            out.extend(all.get(round).copied());
        }
    }
    out.truncate(FOLDERS_SEARCHED);
    out
}

/// The class of the folder in which items of a family are made by their class (reference/graph.md 1.4).
pub const fn folder_class(family: Family) -> &'static str {
    match family {
        Family::Message => "IPF.Note",
        Family::Event => "IPF.Appointment",
        Family::Contact => "IPF.Contact",
    }
}

/// The mark of a canary that is made by its class: the hash of its run, its mailbox and its number, where the mark of a copy has the search key of its
/// source item. No source item has this key, so that a canary which could not be deleted, and which somebody even moved out of its hidden folder,
/// is a stranger to every run: it is never taken for the copy of anything, and what it was made from is copied all the same.
pub fn mark(run: &CanaryRun, mailbox: &MailboxId, no: u32) -> Stamp {
    let text = format!("mailferry canary\0{run}\0{}\0{no}", mailbox.reveal());
    let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    SearchKey::new(short).map_or(Stamp::Fallback(short), Stamp::Key)
}

/// Whether a run carries items by their class whose streams are refused so. What is refused for another reason than the stream is not.
pub fn goes_by_class(class: &str, why: &Setback, rule: RouteRule) -> bool {
    match why {
        Setback::ItemRefused(refusal) => rule.falls_back(family_of(class).is_some(), refusal.why),
        _ => false,
    }
}

/// Whether items of this class go on by their class after these trials of their streams: one was refused as a run falls back from, and none taken.
pub fn falls_back(class: &ItemClass, trials: &[CanaryTrial], rule: RouteRule) -> bool {
    let own = || {
        let all = trials.iter().filter(|trial| !trial.largest);
        all.filter(|trial| trial.class.eq_ignore_ascii_case(class.as_str()))
    };
    let fell = |trial: &CanaryTrial| match &trial.end {
        CanaryEnd::Refused(why) => goes_by_class(class.as_str(), why, rule),
        _ => false,
    };
    own().any(fell) && !own().any(|trial| is_settled(&trial.end))
}

/// Whether an item was taken, whatever came back: another of its class need not be tried.
pub const fn is_settled(end: &CanaryEnd) -> bool {
    match end {
        CanaryEnd::Same
        | CanaryEnd::ByRoute(_)
        | CanaryEnd::Differs
        | CanaryEnd::DiffersIn(_)
        | CanaryEnd::NotComparable => true,
        CanaryEnd::NotExported(_)
        | CanaryEnd::Refused(_)
        | CanaryEnd::Doubtful(_)
        | CanaryEnd::NotReadBack(_) => false,
    }
}

/// What was sent and may be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The digest of a stream, where the reader knows all of it.
    pub digest: Option<Digest>,
    /// The mark of what is made by its class.
    pub mark: Option<Stamp>,
}

/// What a run of canaries left behind in a mailbox, by the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Which run.
    pub run: CanaryRun,
    /// In which mailbox, by the target's address.
    pub mailbox: MailboxId,
    /// The mailbox, as the target names it.
    pub target: TargetMailboxId,
    /// Its folder, where its id was recorded; without one the folder may exist under the run's name.
    pub folder: Option<TargetFolderId>,
    /// Items that are recorded as ours, by number.
    pub placed: BTreeMap<u32, Placed>,
    /// Items that may be there.
    pub doubtful: BTreeMap<u32, Sent>,
}

/// What is left by the log: everything that was begun and not ended.
pub fn leftovers(lines: &[CanaryLine]) -> Vec<Leftover> {
    let mut open: BTreeMap<(CanaryRun, MailboxId), Leftover> = BTreeMap::new();
    for line in lines {
        let key = (line.run.clone(), line.mailbox.clone());
        match &line.step {
            CanaryStep::FolderIntended { mailbox } => {
                open.entry(key).or_insert_with(|| Leftover {
                    run: line.run.clone(),
                    mailbox: line.mailbox.clone(),
                    target: mailbox.clone(),
                    folder: None,
                    placed: BTreeMap::new(),
                    doubtful: BTreeMap::new(),
                });
            }
            CanaryStep::FolderGone => {
                open.remove(&key);
            }
            step => {
                if let Some(own) = open.get_mut(&key) {
                    own.take(step);
                }
            }
        }
    }
    open.into_values().collect()
}

impl Leftover {
    fn take(&mut self, step: &CanaryStep) {
        match step {
            CanaryStep::FolderMade { folder } => self.folder = Some(folder.clone()),
            CanaryStep::ItemIntended { no, digest, mark } => {
                let (digest, mark) = (*digest, mark.clone());
                self.doubtful.insert(*no, Sent { digest, mark });
            }
            CanaryStep::ItemPlaced { no, placed } => {
                self.doubtful.remove(no);
                self.placed.insert(*no, placed.clone());
            }
            CanaryStep::ItemGone { no } => {
                self.doubtful.remove(no);
                self.placed.remove(no);
            }
            CanaryStep::FolderIntended { .. } | CanaryStep::FolderGone => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{ChangeKey, ItemId, TargetItemId};
    use crate::base::item::Stamp;

    fn header(id: &str, class: &str, size: u64) -> SourceHeader {
        SourceHeader {
            id: ItemId::new(id),
            stamp: Stamp::Fallback([0; 16]),
            class: ItemClass::new(class),
            size: Bytes::new(size),
            read: None,
            received: None,
            version: None,
        }
    }

    #[test]
    fn of_each_class_the_smallest_go_and_what_is_known_or_too_large_stays() {
        let known = [ItemClass::new("IPM.Task")].into();
        let mut choice = Choice::beside(known);
        choice.offer(
            vec![
                header("a", "IPM.Note", 30),
                header("b", "ipm.note", 10),
                header("c", "IPM.Note", 20),
                header("d", "IPM.Note", 40),
                header("e", "IPM.Task", 1),
                header("f", "IPM.Contact", 99),
            ],
            Bytes::new(50),
        );
        let all = choice.into_candidates();
        assert_eq!(all.len(), 1);
        let ids: Vec<&str> = all[0].1.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids, ["b", "c", "a"]);
    }

    #[test]
    fn folders_of_every_class_are_looked_into_in_turn() {
        let of = |class: &str, n| (class.to_owned(), n);
        let mut folders = vec![of("IPF.Task", 1), of("IPF.Contact", 0)];
        folders.extend((0..100).map(|n| of("IPF.Note", n)));
        let order = folders_to_search(&folders);
        assert_eq!(order.len(), FOLDERS_SEARCHED);
        assert!(
            order[..2].contains(&0) && order[..2].contains(&101),
            "{order:?}"
        );
        assert!(!order.contains(&1));
    }

    #[test]
    fn only_a_class_that_was_refused_and_never_taken_goes_on_by_its_class() {
        use crate::base::outcome::{Refusal, RefusalWhy, Said};
        use crate::base::route::Route;
        let refused = |why| {
            let said = Said::default();
            CanaryEnd::Refused(Setback::ItemRefused(Refusal { why, said }))
        };
        let of = |class: &str, ends: &[CanaryEnd], rule| {
            let trials: Vec<CanaryTrial> = ends
                .iter()
                .map(|end| CanaryTrial {
                    class: class.to_uppercase(),
                    size: Bytes::new(1),
                    largest: false,
                    route: Route::Stream,
                    end: end.clone(),
                })
                .collect();
            falls_back(&ItemClass::new(class), &trials, rule)
        };
        let no = refused(RefusalWhy::TargetRefused);
        let (auto, stream) = (RouteRule::Auto, RouteRule::Stream);
        assert!(of("IPM.Note", std::slice::from_ref(&no), auto));
        assert!(!of("IPM.Note", std::slice::from_ref(&no), stream));
        assert!(!of("IPM.Task", std::slice::from_ref(&no), auto));
        assert!(!of("IPM.Note", &[no.clone(), CanaryEnd::Same], auto));
        assert!(!of("IPM.Note", &[refused(RefusalWhy::SourceDenied)], auto));
        let lost = CanaryEnd::Doubtful(Setback::Truncated);
        assert!(of("IPM.Note", &[lost.clone(), no], auto));
        assert!(!of("IPM.Note", &[lost], auto));
    }

    #[test]
    fn no_two_canaries_share_a_mark() {
        let (one, two) = (CanaryRun("r".to_owned()), CanaryRun("r 1".to_owned()));
        let (a, b) = (MailboxId::new("a@c.example"), MailboxId::new("b@c.example"));
        let all: BTreeSet<Stamp> = [
            mark(&one, &a, 0),
            mark(&one, &a, 1),
            mark(&one, &b, 0),
            mark(&two, &a, 0),
            mark(&one.of(Family::Event), &a, 0),
        ]
        .into();
        assert_eq!(all.len(), 5);
        assert!(all.iter().all(|own| matches!(own, Stamp::Key(_))));
    }

    #[test]
    fn what_was_begun_and_not_ended_is_left() {
        let run = CanaryRun("r".to_owned());
        let line = |mailbox: &str, step| CanaryLine {
            run: run.clone(),
            mailbox: MailboxId::new(mailbox),
            step,
        };
        let intended = || CanaryStep::FolderIntended {
            mailbox: TargetMailboxId::new("MBX:1"),
        };
        let placed = Placed {
            item: TargetItemId::new("i"),
            change_key: ChangeKey::new("c"),
        };
        let lines = [
            line("a", intended()),
            line(
                "a",
                CanaryStep::FolderMade {
                    folder: TargetFolderId::new("f"),
                },
            ),
            line(
                "a",
                CanaryStep::ItemIntended {
                    no: 0,
                    digest: None,
                    mark: None,
                },
            ),
            line(
                "a",
                CanaryStep::ItemPlaced {
                    no: 0,
                    placed: placed.clone(),
                },
            ),
            line(
                "a",
                CanaryStep::ItemIntended {
                    no: 1,
                    digest: Some(Digest([7; 32])),
                    mark: None,
                },
            ),
            line("b", intended()),
            line("b", CanaryStep::FolderGone),
            line("c", intended()),
        ];
        let left = leftovers(&lines);
        assert_eq!(left.len(), 2);
        assert_eq!(left[0].placed, [(0, placed)].into());
        let sent = Sent {
            digest: Some(Digest([7; 32])),
            mark: None,
        };
        assert_eq!(left[0].doubtful, [(1, sent)].into());
        assert_eq!(left[1].folder, None);
        for cut in 0..lines.len() {
            // A log that breaks off anywhere never forgets a folder that may be there.
            let begun = lines[..cut].iter().any(|l| l.mailbox.reveal() == "a");
            let left = leftovers(&lines[..cut]);
            assert_eq!(left.iter().any(|l| l.mailbox.reveal() == "a"), begun);
        }
    }
}
