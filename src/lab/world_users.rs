//! What the users of the source do to their mailboxes while the migration runs.

use super::world::{Now, Refused, World};
use super::world_source::find_folder;
use super::world_store::Deed;
use crate::wire::item_stream::{Message, Prop, tags};

impl World {
    /// Deletes an item, as its user would.
    pub fn delete_source_item(&mut self, mailbox: &str, id: &str) -> Result<(), Refused> {
        let seq = self.next_seq();
        let store = self.source_store_mut(mailbox)?;
        store.take(id, seq).map(drop).ok_or(Refused::NoItem)
    }

    /// Moves an item, as its user would: it gets a new id. Returns it.
    pub fn move_source_item(
        &mut self,
        mailbox: &str,
        id: &str,
        folder: &str,
    ) -> Result<String, Refused> {
        find_folder(self.source_store(mailbox)?, folder)?;
        let (left, born) = (self.next_seq(), self.next_seq());
        let new = self.item_id(mailbox);
        let store = self.source_store_mut(mailbox)?;
        let mut item = store.take(id, left).ok_or(Refused::NoItem)?;
        folder.clone_into(&mut item.folder);
        item.born = born;
        store.put(new.clone(), item);
        Ok(new)
    }

    /// Sets the read flag, as its user would.
    pub fn mark_source_read(
        &mut self,
        now: Now,
        mailbox: &str,
        id: &str,
        read: bool,
    ) -> Result<(), Refused> {
        let bit = if read { tags::FLAG_READ } else { 0 };
        self.rewrite_source(now, mailbox, id, Deed::Read, |message, flags| {
            let flags = flags & !tags::FLAG_READ | bit;
            message.set(Prop::i32(tags::MESSAGE_FLAGS, flags));
        })
    }

    /// Changes an item's subject, as its user would.
    pub fn edit_source_item(&mut self, now: Now, mailbox: &str, id: &str) -> Result<(), Refused> {
        let mark = self.next_seq();
        self.rewrite_source(now, mailbox, id, Deed::Updated, |message, _| {
            message.set(Prop::text(tags::SUBJECT, &format!("Edited {mark}")));
        })
    }

    fn rewrite_source(
        &mut self,
        now: Now,
        mailbox: &str,
        id: &str,
        deed: Deed,
        edit: impl FnOnce(&mut Message, u32),
    ) -> Result<(), Refused> {
        let (seq, change_key) = (self.next_seq(), self.change_key());
        let item = self.source_item_mut(mailbox, id)?;
        item.rewrite(now.moment, edit)?;
        item.change_key = change_key;
        self.source_store_mut(mailbox)?.touched(id, deed, seq);
        Ok(())
    }
}
