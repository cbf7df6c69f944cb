//! What the lab's Exchange answers to looks at settings.

use super::ews_answers::{Answer, Desk, FIND_MAX, page};
use super::leads::{by_id, usual_rights};
use super::world::{ItemRow, Refused as No};
use crate::base::id::{FolderId, ItemId, MailboxId};
use crate::wire::ews::find_item::FindItem;
use crate::wire::ews::folder::FolderElement;
use crate::wire::ews::get_delegate::GetDelegate;
use crate::wire::ews::get_folder::GetFolder;
use crate::wire::ews::get_inbox_rules::GetInboxRules;
use crate::wire::ews::get_item::GetItem;
use crate::wire::ews::get_user_oof_settings::GetUserOofSettings;
use crate::wire::ews::look::{
    FolderLook, ItemLook, LookAtFolders, LookAtItems, LookForItems, LookPage,
};
use crate::wire::ews::restriction::Restriction;
use crate::wire::ews::shape::{FolderRef, Path, Shape, Tag};

impl Desk<'_> {
    pub(super) fn inbox_rules(&mut self, call: &GetInboxRules) -> Answer {
        let rules = self.of_whom(&call.mailbox).map(|()| {
            let rules = self.world.settings(self.mailbox).rules;
            rules
                .into_iter()
                .map(|rule| by_id(self.world, self.mailbox, rule))
                .collect()
        });
        self.messages::<GetInboxRules>(vec![rules])
    }

    pub(super) fn delegates(&mut self, call: &GetDelegate) -> Answer {
        let found = self
            .of_whom(&call.mailbox)
            .map(|()| self.world.settings(self.mailbox).delegates);
        self.messages::<GetDelegate>(vec![found])
    }

    pub(super) fn automatic_reply(&mut self, call: &GetUserOofSettings) -> Answer {
        let found = self
            .of_whom(&call.mailbox)
            .map(|()| self.world.settings(self.mailbox).reply);
        self.messages::<GetUserOofSettings>(vec![found])
    }

    /// A service account acts for one mailbox at a time: asking about another one is an error of ours.
    fn of_whom(&self, named: &MailboxId) -> Result<(), No> {
        let own = named.reveal().eq_ignore_ascii_case(self.mailbox);
        own.then_some(()).ok_or(No::NoMailbox)
    }

    pub(super) fn look_at_folders(&mut self, call: &GetFolder) -> Answer {
        let settings = self.world.settings(self.mailbox);
        let found = call.folders.iter().map(|folder| {
            let id = self.id_of(folder)?;
            let row = self.world.source_folder(self.mailbox, &id)?;
            let calendar =
                FolderElement::for_class(&row.class, row.kind) == FolderElement::Calendar;
            let own = settings.rights.get(&id).cloned();
            Ok(FolderLook {
                calendar,
                web_view: settings.home_pages.get(&id).cloned(),
                everybody: Some(own.unwrap_or_else(|| usual_rights(calendar))),
                id: FolderId::new(id),
            })
        });
        let found = found.collect();
        self.messages::<LookAtFolders>(found)
    }

    pub(super) fn look_for_items(&mut self, call: &FindItem) -> Answer {
        let pages = call
            .parents
            .iter()
            .map(|parent| self.looks_in(parent, call));
        let pages = pages.collect();
        self.messages::<LookForItems>(pages)
    }

    fn looks_in(&self, parent: &FolderRef, call: &FindItem) -> Result<LookPage, No> {
        let id = self.id_of(parent)?;
        let settings = self.world.settings(self.mailbox);
        let found: Vec<ItemLook> = if call.traversal == "Associated" {
            let inbox = self.id_of(&FolderRef::Distinguished("inbox".to_owned()))?;
            let hidden = settings.associated.into_iter().filter(|_| id == inbox);
            // A listing cuts long values; the lab leaves them out.
            hidden
                .map(|item| ItemLook {
                    blobs: Vec::new(),
                    ..item
                })
                .collect()
        } else {
            let rows = self.rows(&id)?.into_iter();
            let wanted = |row: &ItemRow| match &call.restriction {
                None => true,
                Some(Restriction::HasReminderFile) => settings.reminders.contains_key(&row.id),
                Some(Restriction::ClassBegins(start)) => {
                    let class = row.class.as_str();
                    class
                        .get(..start.len())
                        .is_some_and(|head| head.eq_ignore_ascii_case(start))
                }
                Some(Restriction::Other) => false,
            };
            let reminder = |row: &ItemRow| settings.reminders.get(&row.id).cloned();
            rows.filter(wanted)
                .map(|row| {
                    let mut look = seen(&row, reminder(&row), &call.shape);
                    if look.from.is_some()
                        && let Some(sender) = settings.senders.get(&row.id)
                    {
                        look.from = Some(sender.clone());
                    }
                    if look.at.is_some()
                        && let Some(at) = settings.times.get(&row.id)
                    {
                        look.at = Some(*at);
                    }
                    look
                })
                .collect()
        };
        let (items, end) = page(found, call.offset, call.at_most);
        Ok(LookPage { items, end })
    }

    /// Every item of a folder.
    fn rows(&self, folder: &str) -> Result<Vec<ItemRow>, No> {
        let mut out = Vec::new();
        loop {
            let found = self
                .world
                .find(self.mailbox, folder, out.len() as u64, FIND_MAX)?;
            let (last, empty) = (found.last, found.items.is_empty());
            out.extend(found.items);
            if last || empty {
                return Ok(out);
            }
        }
    }

    pub(super) fn look_at_items(&mut self, call: &GetItem) -> Answer {
        let hidden = self.world.settings(self.mailbox).associated;
        let found = call.items.iter().map(|id| {
            let item = hidden.iter().find(|item| item.id == *id).cloned();
            item.ok_or(No::NoItem)
        });
        let found = found.collect();
        self.messages::<LookAtItems>(found)
    }
}

fn seen(row: &ItemRow, reminder: Option<String>, shape: &Shape) -> ItemLook {
    // The lab's mail has no sender of its own; the domain of its message id stands for one.
    let domain = row.message_id.as_deref().and_then(|id| id.rsplit_once('@'));
    let from = domain.map(|(_, rest)| format!("sender@{}", rest.trim_end_matches('>')));
    ItemLook {
        class: Some(row.class.as_str().to_owned()).filter(|_| shape.wants("item:ItemClass")),
        at: row
            .received
            .filter(|_| shape.wants("item:DateTimeReceived")),
        from: from.filter(|_| shape.wants("message:From")),
        reminder: reminder.filter(|_| shape.more.contains(&Path::ReminderFile)),
        ..ItemLook::bare(ItemId::new(row.id.clone()))
    }
}

/// True for calls whose shape asks for settings.
pub(super) fn is_look(shape: &Shape) -> bool {
    shape.is_look() || shape.wants_tag(Tag::WEB_VIEW)
}
