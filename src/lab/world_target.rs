//! The target side: Microsoft 365 mailboxes, written through import sessions (reference/graph.md section 1).

use std::collections::BTreeMap;

use super::world::{FolderRow, ItemRow, Now, Refused, World, folder_row, item_row};
use super::world_content::{Content, Ident};
use super::world_rewrite::restored;
use super::world_source::find_folder;
use super::world_store::{Folder, Item, Store};
use super::world_typed::is_marked;
use super::wrong::{MESSAGE_MAX, Wrong};
use crate::base::id::MailboxId;
use crate::base::mailbox::{FolderKind, FolderRole};
use crate::base::quantity::{Bytes, Count, Moment};
use crate::wire::item_stream::{ItemReport, decode, digest_of};

/// What the target's store counts on top of a stream: sizes differ between the sides.
pub(super) const SIZE_ON_TOP: Bytes = Bytes::new(1_024);

/// The literal at the end of a failed export (reference/fts.md section 1).
pub(super) const TRUNCATED: &[u8] = b"=== Truncated Data ===";

/// One page of a target listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetItems {
    /// The items, oldest arrival first.
    pub items: Vec<ItemRow>,
    /// Where the next page begins; `None` on the last page. Opaque to callers.
    pub next: Option<u64>,
}

/// An import session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The secret in its URL.
    pub token: String,
    /// When it ends.
    pub expires: Moment,
}

/// One import.
#[derive(Clone, Debug)]
pub struct ImportOrder<'a> {
    /// Into which folder, by id.
    pub folder: &'a str,
    /// Mode update: the item and the version it must have. Mode create: nothing.
    pub update: Option<(&'a str, &'a str)>,
    /// The decoded stream.
    pub stream: Vec<u8>,
}

impl World {
    /// Every token and session key that was given out, for whoever looks for them where they must not be.
    pub fn given_out(&self) -> impl Iterator<Item = &str> {
        let all = self.tokens.keys().chain(self.sessions.keys());
        let all = all.chain(self.uploads.keys());
        all.map(String::as_str)
    }

    /// Makes a fresh target mailbox with its default folders, named as `names` has them or else in English, and returns its id.
    pub fn add_target_mailbox(
        &mut self,
        address: &MailboxId,
        names: &BTreeMap<FolderRole, &str>,
    ) -> String {
        const DEFAULTS: [(FolderRole, &str); 12] = [
            (FolderRole::Inbox, "IPF.Note"),
            (FolderRole::Drafts, "IPF.Note"),
            (FolderRole::SentItems, "IPF.Note"),
            (FolderRole::DeletedItems, "IPF.Note"),
            (FolderRole::JunkEmail, "IPF.Note"),
            (FolderRole::Outbox, "IPF.Note"),
            (FolderRole::Calendar, "IPF.Appointment"),
            (FolderRole::Contacts, "IPF.Contact"),
            (FolderRole::Tasks, "IPF.Task"),
            (FolderRole::Notes, "IPF.StickyNote"),
            (FolderRole::Journal, "IPF.Journal"),
            (FolderRole::ConversationHistory, "IPF.Note"),
        ];
        let number = |n: u64| format!("{:08x}", n & 0xFFFF_FFFF);
        let id = format!("MBX:{}@a7809c93", number(self.dice.next()));
        let root = self.target_id();
        let mut store = Store::new(address.reveal().to_ascii_lowercase(), root);
        let top = self.target_folder_of(None, "Top of Information Store", "IPF.Note");
        let top_id = top.id.clone();
        store.add_folder(Folder {
            role: Some(FolderRole::Top),
            ..top
        });
        for (role, class) in DEFAULTS {
            let name = names.get(&role).copied().unwrap_or(role.english());
            let folder = self.target_folder_of(Some(top_id.clone()), name, class);
            store.add_folder(Folder {
                role: Some(role),
                ..folder
            });
        }
        let beside = self.target_folder_of(None, "Deletions", "IPF.Note");
        store.add_folder(Folder {
            role: Some(FolderRole::RecoverableDeletions),
            stays: Some("recoverable items"),
            ..beside
        });
        self.target.insert(id.clone(), store);
        id
    }

    /// Says that the content of one source mailbox belongs into one target mailbox.
    pub fn pair(&mut self, source: &MailboxId, target: &MailboxId) {
        self.pairs.push((source.clone(), target.clone()));
    }

    /// Limits what a target mailbox may hold.
    pub fn set_quota(&mut self, mailbox: &str, quota: Bytes) -> Result<(), Refused> {
        self.target_store_mut(mailbox)?.quota = Some(quota);
        Ok(())
    }

    /// The mailbox id of a user, by address without regard to case.
    pub fn resolve(&self, user: &str) -> Result<String, Refused> {
        let user = user.to_ascii_lowercase();
        let mut all = self.target.iter();
        all.find(|(_, store)| store.address == user)
            .map(|(id, _)| id.clone())
            .ok_or(Refused::NoMailbox)
    }

    /// The id of the mailbox's own root.
    pub fn target_root(&self, mailbox: &str) -> Result<&str, Refused> {
        Ok(&self.target_store(mailbox)?.root)
    }

    /// All folders, parents before children, those beside the user's tree too.
    pub fn target_folders(&self, now: Now, mailbox: &str) -> Result<Vec<FolderRow>, Refused> {
        let store = self.target_store(mailbox)?;
        let rows = store.order.iter().filter_map(|id| store.folders.get(id));
        Ok(rows.map(|f| folder_row(store, f, now.tick)).collect())
    }

    /// One folder by id, or by well-known name without regard to case.
    pub fn target_folder(&self, now: Now, mailbox: &str, id: &str) -> Result<FolderRow, Refused> {
        let store = self.target_store(mailbox)?;
        Ok(folder_row(store, lookup(store, id)?, now.tick))
    }

    /// Makes a folder. Exactly the same name under the same parent is a conflict; names that differ in case are not.
    pub fn create_folder(
        &mut self,
        now: Now,
        mailbox: &str,
        parent: &str,
        name: &str,
        class: &str,
    ) -> Result<FolderRow, Refused> {
        let store = self.target_store(mailbox)?;
        let parent = lookup(store, parent)?.id.clone();
        if store.child(&parent, name).is_some() {
            return Err(Refused::FolderExists);
        }
        let folder = self.target_folder_of(Some(parent), name, class);
        let id = folder.id.clone();
        self.target_store_mut(mailbox)?.add_folder(folder);
        self.target_folder(now, mailbox, &id)
    }

    /// What the mailbox of a user may hold, where that is limited.
    pub fn quota_of(&self, user: &str) -> Option<Bytes> {
        let id = self.resolve(user).ok()?;
        self.target_store(&id).ok()?.quota
    }

    /// Hides a folder from its user.
    pub fn hide_folder(&mut self, mailbox: &str, folder: &str) -> Result<(), Refused> {
        let store = self.target_store_mut(mailbox)?;
        let folder = store.folders.get_mut(folder).ok_or(Refused::NoFolder)?;
        folder.hidden = true;
        Ok(())
    }

    /// One page of a folder's visible items. `from` is the `next` of the page before.
    pub fn target_items(
        &self,
        now: Now,
        mailbox: &str,
        folder: &str,
        from: Option<u64>,
        at_most: u64,
    ) -> Result<TargetItems, Refused> {
        let store = self.target_store(mailbox)?;
        let own = lookup(store, folder)?;
        let take = self.given(at_most.clamp(1, 999));
        let take = usize::try_from(take).expect("at most 999");
        let mut visible = own
            .items
            .range(from.unwrap_or(0)..)
            .filter_map(|(born, id)| Some((born, id, store.items.get(id)?)))
            .filter(|(_, _, item)| item.visible_from <= now.tick);
        let items = visible
            .by_ref()
            .take(take)
            .map(|(_, id, item)| item_row(id, item))
            .collect();
        Ok(TargetItems {
            items,
            next: visible.next().map(|(born, _, _)| *born),
        })
    }

    /// One item by id, compared byte for byte.
    pub fn target_item(&self, mailbox: &str, id: &str) -> Result<ItemRow, Refused> {
        let store = self.target_store(mailbox)?;
        let item = store.items.get(id).ok_or_else(|| store.missing(id))?;
        Ok(item_row(id, item))
    }

    /// Opens an import session on a mailbox.
    pub fn open_session(&mut self, now: Now, mailbox: &str) -> Result<Session, Refused> {
        self.target_store(mailbox)?;
        let token = self.id_text(96, true);
        let life = self.options.session_life;
        self.sessions
            .insert(token.clone(), (mailbox.to_owned(), now.tick + life));
        Ok(Session {
            token,
            expires: now.moment.after(life),
        })
    }

    /// The mailbox a session works on; [`Refused::Expired`] when it has ended.
    pub fn session_mailbox(&self, now: Now, token: &str) -> Result<&str, Refused> {
        let (mailbox, end) = self.sessions.get(token).ok_or(Refused::NoSession)?;
        if now.tick < *end {
            Ok(mailbox)
        } else {
            Err(Refused::Expired)
        }
    }

    /// Imports one item through a session (reference/graph.md 1.6). Returns the item as it lies there now.
    pub fn import(
        &mut self,
        now: Now,
        session: &str,
        order: ImportOrder<'_>,
    ) -> Result<ItemRow, Refused> {
        let mailbox = self.session_mailbox(now, session)?.to_owned();
        let store = self.target_store(&mailbox)?;
        let folder = find_folder(store, order.folder)?.id.clone();
        if let Some((id, version)) = order.update {
            let old = store.items.get(id).ok_or(Refused::NoItem)?;
            if old.change_key != version || old.folder != folder {
                return Err(Refused::WrongVersion);
            }
        }
        let report = digest_of(&order.stream);
        let broken = !report.whole && report.unknown == Count::ZERO;
        if !report.sound || broken || order.stream.ends_with(TRUNCATED) {
            return Err(Refused::MalformedStream);
        }
        if report
            .search_key
            .as_ref()
            .is_some_and(|key| self.refused_keys.contains(key))
        {
            return Err(Refused::ImportRefused);
        }
        if report
            .search_key
            .as_ref()
            .is_some_and(|key| self.fails_to_import(key))
        {
            return Err(Refused::Failing);
        }
        if self.is_wrong(Wrong::StreamsRefused) {
            return Err(Refused::ImportRefused);
        }
        if self.is_wrong(Wrong::ClassRefused)
            && report
                .class
                .as_ref()
                .is_some_and(|class| class.is_a("IPM.Task"))
        {
            return Err(Refused::ImportRefused);
        }
        if self.is_wrong(Wrong::MessageSize) && report.bytes.get() > MESSAGE_MAX {
            return Err(Refused::TooLarge);
        }
        let size = report.bytes + SIZE_ON_TOP;
        let full = store.quota.is_some_and(|quota| store.used + size > quota);
        if full {
            return Err(Refused::QuotaFull);
        }
        let content = if self.options.discard_content {
            Content::Discarded {
                bytes: report.bytes,
                digest: report.digest,
            }
        } else {
            Content::Stream(order.stream.into())
        };
        let item = self.arrival(now, folder, &report, content);
        let id = match order.update {
            Some((id, _)) => {
                let seq = self.next_seq();
                self.target_store_mut(&mailbox)?.take(id, seq);
                id.to_owned()
            }
            None => self.target_id(),
        };
        let row = item_row(&id, &item);
        self.target_store_mut(&mailbox)?.put(id, item);
        Ok(row)
    }

    /// A new item of the target, as this report describes it.
    pub(super) fn arrival(
        &mut self,
        now: Now,
        folder: String,
        report: &ItemReport,
        content: Content,
    ) -> Item {
        let marked = matches!(&content, Content::Stream(stream) if is_marked(stream));
        Item {
            marked,
            folder,
            born: self.next_seq(),
            change_key: self.change_key(),
            ident: Ident::of(report),
            size: report.bytes + SIZE_ON_TOP,
            received: None,
            created: now.moment,
            modified: now.moment,
            visible_from: now.tick + self.options.lag,
            content,
            corrupt: false,
            import_refused: false,
            infected: None,
        }
    }

    /// Exports one item. What the store assigns differs from what was imported; the content does not.
    pub fn target_export(&self, mailbox: &str, id: &str) -> Result<(ItemRow, Vec<u8>), Refused> {
        let store = self.target_store(mailbox)?;
        let item = store.items.get(id).ok_or_else(|| store.missing(id))?;
        let stream = item.content.stream().ok_or(Refused::Discarded)?;
        let again =
            decode(&stream).map_or_else(|| stream.to_vec(), |message| restored(message, item));
        Ok((item_row(id, item), again))
    }

    /// Deletes an item for good. An item that is not there is [`Refused::NoItem`].
    pub fn delete_target_item(
        &mut self,
        mailbox: &str,
        folder: &str,
        id: &str,
    ) -> Result<(), Refused> {
        let store = self.target_store(mailbox)?;
        let folder = lookup(store, folder)?.id.clone();
        let there = store.items.get(id).ok_or(Refused::NoItem)?;
        if there.folder != folder {
            return Err(Refused::NoItem);
        }
        let seq = self.next_seq();
        self.target_store_mut(mailbox)?.take(id, seq);
        Ok(())
    }

    pub(super) fn target_store(&self, mailbox: &str) -> Result<&Store, Refused> {
        self.target.get(mailbox).ok_or(Refused::NoMailbox)
    }

    pub(super) fn target_store_mut(&mut self, mailbox: &str) -> Result<&mut Store, Refused> {
        self.target.get_mut(mailbox).ok_or(Refused::NoMailbox)
    }

    pub(super) fn target_id(&mut self) -> String {
        format!("AAMkAGQ0{}", self.id_text(60, true))
    }

    fn target_folder_of(&mut self, parent: Option<String>, name: &str, class: &str) -> Folder {
        Folder {
            id: self.target_id(),
            change_key: self.change_key(),
            parent,
            name: name.to_owned(),
            class: class.to_owned(),
            role: None,
            kind: FolderKind::Generic,
            hidden: false,
            stays: None,
            entry_id: self.id_text(34, true).into_bytes(),
            items: BTreeMap::new(),
            log: Vec::new(),
            counted: std::cell::Cell::new(None),
        }
    }
}

/// The folder of an id or of a well-known name.
fn lookup<'a>(store: &'a Store, id: &str) -> Result<&'a Folder, Refused> {
    let known = |folder: &&Folder| {
        let name = folder.role.and_then(FolderRole::graph_name);
        name.is_some_and(|name| name.eq_ignore_ascii_case(id))
    };
    store
        .folders
        .get(id)
        .or_else(|| store.folders.values().find(known))
        .ok_or(Refused::NoFolder)
}
