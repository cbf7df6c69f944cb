//! The folders of a mailbox, put together from what several calls said: parents first, roles without names. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::FolderId;
use crate::base::item::ItemClass;
use crate::base::mailbox::{FolderRole, SourceFolder};
use crate::wire::ews::folder::FolderEntry;
use crate::wire::ews::ren::SpecialFolders;

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// In the order of first sight.
    folders: Vec<FolderEntry>,
    seen: BTreeSet<FolderId>,
    roles: BTreeMap<FolderId, FolderRole>,
    special: SpecialFolders,
}

impl Survey {
    /// Takes in the mailbox's own root, which is no folder of the product but may know special folders.
    pub(super) fn root(&mut self, root: &FolderEntry) {
        self.special.learn(&root.ren, root.ren_ex.as_deref());
    }

    /// Takes in a folder that was asked for by its distinguished id.
    pub(super) fn distinguished(&mut self, role: FolderRole, folder: FolderEntry) {
        self.special.learn(&folder.ren, folder.ren_ex.as_deref());
        // Two names for one folder: the first in the table of roles stands.
        self.roles.entry(folder.id.clone()).or_insert(role);
        self.listed(folder);
    }

    /// Takes in a folder of a listing.
    pub(super) fn listed(&mut self, folder: FolderEntry) {
        if self.seen.insert(folder.id.clone()) {
            self.folders.push(folder);
        }
    }

    /// All folders, the root of the user's tree first, parents before children. A folder whose parent nobody showed is a root beside it.
    pub(super) fn finish(mut self) -> Vec<SourceFolder> {
        self.name_special_folders();
        let position: BTreeMap<FolderId, usize> = (self.folders.iter().enumerate())
            .map(|(at, folder)| (folder.id.clone(), at))
            .collect();
        let parents: Vec<Option<usize>> = (self.folders.iter())
            .map(|folder| {
                let top = self.roles.get(&folder.id) == Some(&FolderRole::Top);
                let parent = folder.parent.as_ref().filter(|_| !top)?;
                position.get(parent).copied()
            })
            .collect();
        let is_top = |at: &usize| self.roles.get(&self.folders[*at].id) == Some(&FolderRole::Top);
        let order = parents_first(&parents, is_top);
        let mut slots: Vec<Option<FolderEntry>> = self.folders.into_iter().map(Some).collect();
        let ids: Vec<FolderId> = slots.iter().flatten().map(|f| f.id.clone()).collect();
        let roles = self.roles;
        order
            .into_iter()
            .filter_map(|(at, parent)| {
                let folder = slots[at].take()?;
                let role = roles.get(&folder.id).copied();
                Some(folder.into_source(parent.map(|p| ids[p].clone()), role))
            })
            .collect()
    }

    /// Roles that EWS has no name for, by entry id; quick steps by class. Each role goes to one folder.
    fn name_special_folders(&mut self) {
        let mut given: BTreeSet<FolderRole> = self.roles.values().copied().collect();
        for folder in &self.folders {
            if self.roles.contains_key(&folder.id) {
                continue;
            }
            let by_id = (folder.entry_id.as_deref()).and_then(|id| self.special.role(id));
            let class = ItemClass::new(folder.class.clone().unwrap_or_default());
            // The class of both settings folders; conversation actions are known by entry id.
            let quick = class.is_a("IPF.Configuration");
            let role = by_id.or(quick.then_some(FolderRole::QuickSteps));
            if let Some(role) = role.filter(|role| given.insert(*role)) {
                self.roles.insert(folder.id.clone(), role);
            }
        }
    }
}

/// Positions with their parents, parents first, the top and what is below it before everything else. A circle, which no honest server
/// shows, is opened at its first member.
fn parents_first(
    parents: &[Option<usize>],
    is_top: impl Fn(&usize) -> bool,
) -> Vec<(usize, Option<usize>)> {
    let mut children: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for (at, parent) in parents.iter().enumerate() {
        children.entry(*parent).or_default().push(at);
    }
    let mut starts: Vec<usize> = (0..parents.len()).filter(is_top).collect();
    starts.extend(children.get(&None).into_iter().flatten());
    starts.extend(0..parents.len());
    let mut order = Vec::with_capacity(parents.len());
    let mut placed = vec![false; parents.len()];
    let mut waiting = Vec::new();
    for start in starts {
        waiting.push((start, None));
        while let Some((at, parent)) = waiting.pop() {
            if std::mem::replace(&mut placed[at], true) {
                continue;
            }
            order.push((at, parent));
            let below = children.get(&Some(at)).into_iter().flatten().rev();
            waiting.extend(below.map(|child| (*child, Some(at))));
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::ews::ren::write_ren_ex;

    fn entry(id: &str, parent: &str) -> FolderEntry {
        FolderEntry {
            parent: (!parent.is_empty()).then(|| FolderId::new(parent)),
            name: Some(id.to_owned()),
            entry_id: Some(id.as_bytes().to_vec()),
            ..FolderEntry::bare(FolderId::new(id))
        }
    }

    #[test]
    fn folders_come_parents_first_with_roles_that_no_name_decides() {
        let mut survey = Survey::default();
        survey.root(&FolderEntry {
            ren: vec![b"conf".to_vec(), b"sync".to_vec()],
            ren_ex: Some(write_ren_ex(&[(0x8001, b"feeds")])),
            ..entry("mailbox", "")
        });
        survey.listed(entry("deep", "mid"));
        survey.listed(entry("mid", "top"));
        survey.distinguished(FolderRole::Top, entry("top", "mailbox"));
        survey.distinguished(FolderRole::Inbox, entry("in", "top"));
        survey.distinguished(FolderRole::Outbox, entry("in", "top"));
        for id in ["conf", "sync", "feeds", "deep"] {
            survey.listed(entry(id, "top"));
        }
        survey.listed(entry("dump", "mailbox"));
        survey.listed(FolderEntry {
            class: Some("IPF.Configuration".to_owned()),
            ..entry("quick", "top")
        });
        let folders = survey.finish();
        let seen: Vec<_> = folders
            .iter()
            .map(|f| {
                (
                    f.id.as_str(),
                    f.parent.as_ref().map(FolderId::as_str),
                    f.role,
                )
            })
            .collect();
        let top = Some("top");
        assert_eq!(
            seen,
            [
                ("top", None, Some(FolderRole::Top)),
                ("mid", top, None),
                ("deep", Some("mid"), None),
                ("in", top, Some(FolderRole::Inbox)),
                ("conf", top, Some(FolderRole::Conflicts)),
                ("sync", top, Some(FolderRole::SyncIssues)),
                ("feeds", top, Some(FolderRole::RssFeeds)),
                ("quick", top, Some(FolderRole::QuickSteps)),
                ("dump", None, None),
            ]
        );
    }

    proptest! {
        #[test]
        fn whatever_the_parents_every_folder_comes_once_and_after_its_parent(
            parents in proptest::collection::vec(0usize..12, 0..12)
        ) {
            let mut survey = Survey::default();
            for (n, parent) in parents.iter().enumerate() {
                survey.listed(entry(&n.to_string(), &parent.to_string()));
            }
            let folders = survey.finish();
            prop_assert_eq!(folders.len(), parents.len());
            let mut seen = BTreeSet::new();
            for folder in folders {
                prop_assert!(folder.parent.is_none_or(|p| seen.contains(&p)));
                prop_assert!(seen.insert(folder.id));
            }
        }
    }
}
