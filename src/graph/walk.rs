//! The folder tree of a mailbox, listed level by level. A large tree takes many calls; what a call in the middle fails on, the next
//! attempt goes on from, so that a bad hour does not begin the listing anew each time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::base::id::{TargetFolderId, TargetMailboxId};
use crate::base::limits;
use crate::base::mailbox::{FolderRole, TargetFolder};
use crate::base::outcome::Setback;
use crate::base::quantity::Tick;
use crate::graph::caller::Caller;
use crate::graph::folders::{children, endless, one};

/// A listing under way.
#[derive(Debug)]
struct Walk {
    began: Tick,
    /// Found so far, parents before children.
    tree: Vec<TargetFolder>,
    seen: BTreeSet<TargetFolderId>,
    /// Folders whose children are still to be listed.
    waiting: VecDeque<TargetFolderId>,
    /// Roles still to be asked for by name; `None` until the tree is whole.
    unnamed: Option<Vec<FolderRole>>,
}

/// Listings that were broken off, by mailbox.
#[derive(Debug, Default)]
pub(super) struct Walks(Mutex<BTreeMap<TargetMailboxId, Walk>>);

impl Walks {
    /// All folders under the root of the user's tree, the root first with role `Top`, parents before children.
    pub(super) async fn tree(
        &self,
        caller: &Caller,
        mailbox: &TargetMailboxId,
    ) -> Result<Vec<TargetFolder>, Setback> {
        let now = caller.clock.tick();
        let fresh = |walk: &Walk| now - walk.began < limits::TARGET_LISTING_RESUME;
        let mut walk = match self.lock().remove(mailbox).filter(fresh) {
            Some(walk) => walk,
            None => Walk {
                began: now,
                tree: Vec::new(),
                seen: BTreeSet::new(),
                waiting: VecDeque::new(),
                unnamed: None,
            },
        };
        match walk.go_on(caller, mailbox).await {
            Ok(()) => Ok(walk.tree),
            Err(setback) => {
                if is_passing(&setback) {
                    self.lock().insert(mailbox.clone(), walk);
                }
                Err(setback)
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<TargetMailboxId, Walk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True where the next attempt may find what this one did not. Anything else says that what was listed is not true any more.
pub(super) const fn is_passing(setback: &Setback) -> bool {
    matches!(
        setback,
        Setback::Throttled { .. }
            | Setback::Unreached(_)
            | Setback::Lost(_)
            | Setback::GatewayGaveUp(_)
            | Setback::Unwell(_)
            | Setback::Expired(_)
            | Setback::Misread(..)
    )
}

impl Walk {
    async fn go_on(&mut self, caller: &Caller, mailbox: &TargetMailboxId) -> Result<(), Setback> {
        let mut first = true;
        let mut step = || caller.made(mailbox, u64::from(!std::mem::take(&mut first)));
        if self.tree.is_empty() {
            step();
            let mut root = one(caller, mailbox, "msgfolderroot").await?;
            root.role = Some(FolderRole::Top);
            root.parent = None;
            self.seen.insert(root.id.clone());
            self.waiting.push_back(root.id.clone());
            self.tree.push(root);
        }
        while let Some(parent) = self.waiting.front().cloned() {
            step();
            let inside = children(caller, mailbox, &parent).await?;
            self.waiting.pop_front();
            for (folder, has_more) in inside {
                self.add(&parent, folder, has_more)?;
            }
        }
        self.name_roles(caller, mailbox).await
    }

    fn add(
        &mut self,
        parent: &TargetFolderId,
        mut folder: TargetFolder,
        has_more: bool,
    ) -> Result<(), Setback> {
        if !self.seen.insert(folder.id.clone()) {
            return Ok(());
        }
        if self.tree.len() >= limits::TARGET_FOLDERS_MAX {
            return Err(endless());
        }
        // What this listing says of its children is the truth, whatever the folder says of its parent.
        folder.parent = Some(parent.clone());
        if has_more {
            self.waiting.push_back(folder.id.clone());
        }
        self.tree.push(folder);
        Ok(())
    }

    /// Where the listing names no role at all, asks for each well-known folder by name: a service older than August 2026 does not say
    /// the names in its listing (reference/graph.md 1.4).
    async fn name_roles(
        &mut self,
        caller: &Caller,
        mailbox: &TargetMailboxId,
    ) -> Result<(), Setback> {
        let silent = || self.tree.iter().skip(1).all(|folder| folder.role.is_none());
        let mut left = match self.unnamed.take() {
            Some(left) => left,
            None if silent() => FolderRole::ALL.iter().copied().skip(1).collect(),
            None => return Ok(()),
        };
        while let Some(role) = left.last().copied() {
            if let Some(name) = role.graph_name() {
                caller.made(mailbox, 1);
                match one(caller, mailbox, name).await {
                    Ok(found) => self.give_role(&found.id, role),
                    // Not every mailbox has every one, and not every name is known.
                    Err(Setback::FolderGone | Setback::OurRequest(_)) => {}
                    Err(setback) => {
                        self.unnamed = Some(left);
                        return Err(setback);
                    }
                }
            }
            left.pop();
        }
        Ok(())
    }

    fn give_role(&mut self, id: &TargetFolderId, role: FolderRole) {
        for folder in self.tree.iter_mut().skip(1).filter(|f| f.id == *id) {
            folder.role = Some(role);
        }
    }
}
