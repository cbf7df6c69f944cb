//! Items of the target made by their fields: what the Mail, Calendar and Contacts APIs do to a mailbox (reference/graph.md section 2). They get a
//! search key of the store's own, new ids when they move, and their attachments one by one.

use std::collections::BTreeMap;

use serde_json::json;

use super::fault::Weather;
use super::graph_mailbox::object;
use super::typed_make::{attach, named_text, set_named};
use super::world::{ItemRow, Now, Refused, World, item_row};
use super::world_content::Content;
use super::world_events::{Beside, instance_of};
use super::world_source::find_folder;
use super::world_store::{Deed, Item};
use super::world_target::SIZE_ON_TOP;
use super::wrong::{MESSAGE_MAX, Wrong};
use crate::base::quantity::{Bytes, Tick};
use crate::base::typed::TypedAttachment;
use crate::wire::graph::property::NamedId;
use crate::wire::graph::provenance;
use crate::wire::item_stream::{Message, Prop, decode, digest_of, encode, tags};

/// An upload session: what it is for, and what came.
#[derive(Clone, Debug)]
pub(super) struct UploadSlot {
    /// Target mailbox id.
    pub(super) mailbox: String,
    /// Of which item.
    pub(super) item: String,
    own: TypedAttachment,
    total: u64,
    got: Vec<u8>,
    end: Tick,
}

/// What a session says to bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Uploaded {
    /// From here on bytes are missing.
    Missing(u64),
    /// The attachment was made.
    Made,
    /// It expects other bytes.
    Disorder,
    /// No such session.
    Gone,
}

/// Where the service draws the line of 3 MB is not documented; a lab draws it on either side, by its seed.
const SESSION_MIN: [u64; 2] = [3_000_000, 3 << 20];

/// The largest request, above which there is 413 and no word: 4 MB in the same reading, with room for the frame around an attachment just below the line.
const REQUEST_MAX: [usize; 2] = [4_000_000, (4 << 20) + 4_096];

/// How far an item is searched for names of ours. They stand before the attachments, and behind a longer text nobody looks for them.
const NAMES_WITHIN: usize = 4_000_000;

/// True for a stream with a name of ours in it, and seldom for another. Most have none, and are not taken apart for it each time they are listed. The
/// records of a stream may cut a name in two, but not both of its halves.
pub(super) fn is_marked(stream: &[u8]) -> bool {
    let start = &stream[..stream.len().min(NAMES_WITHIN)];
    ["mailf", "erry-"].into_iter().any(|half| {
        let half: Vec<u8> = half.encode_utf16().flat_map(u16::to_le_bytes).collect();
        start.windows(half.len()).any(|part| part == half)
    })
}

/// How long an upload session lives.
const SESSION_LIFE: crate::base::quantity::Span = crate::base::quantity::Span::from_secs(3_600);

impl World {
    /// Makes an item of this tree in a folder, by id or well-known name.
    pub(super) fn make_typed(
        &mut self,
        now: Now,
        mailbox: &str,
        folder: &str,
        mut message: Message,
    ) -> Result<ItemRow, Refused> {
        let folder = self.target_folder(now, mailbox, folder)?.id;
        let key = self.dice_bytes(16);
        message.set(Prop::binary(tags::SEARCH_KEY, key));
        let stream = encode(&message);
        self.has_room(mailbox, Bytes::ZERO, Bytes::new(stream.len() as u64))?;
        let report = digest_of(&stream);
        let item = self.arrival(now, folder, &report, Content::Stream(stream.into()));
        let id = self.target_id();
        let row = item_row(&id, &item);
        self.target_store_mut(mailbox)?.put(id, item);
        Ok(row)
    }

    /// Leaves an event (or a contact) in a folder that says of itself that it is not whole, as a program leaves it that was ended in between; `mark` is
    /// what stands there.
    pub fn leave_unfinished(
        &mut self,
        now: Now,
        mailbox: &str,
        folder: &str,
        mark: &str,
    ) -> Result<String, Refused> {
        let named = provenance::UNFINISHED;
        let marks = json!([{"id": named.to_string(), "value": mark}]);
        let of_people =
            (self.target_folder(now, mailbox, folder)?.class).starts_with("IPF.Contact");
        let (class, fields) = if of_people {
            let fields = json!({"displayName": "begun", "singleValueExtendedProperties": marks});
            ("IPM.Contact", fields)
        } else {
            let at = |hour: u8| json!({"dateTime": format!("2020-01-01T{hour:02}:00:00"), "timeZone": "UTC"});
            let fields = json!({"subject": "begun", "start": at(9), "end": at(10),
                "singleValueExtendedProperties": marks});
            ("IPM.Appointment", fields)
        };
        let mut message = Message::default();
        message.set(Prop::text(tags::MESSAGE_CLASS, class));
        set_named(&mut message, named.set, &named.name, mark);
        let row = self.make_typed(now, mailbox, folder, message)?;
        let fields = object(fields);
        let beside = if of_people {
            Beside::Contact(fields, None)
        } else {
            Beside::Event(fields, BTreeMap::new())
        };
        self.beside.insert(row.id.clone(), beside);
        Ok(row.id)
    }

    /// Bytes nobody else has.
    pub(super) fn dice_bytes(&mut self, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(len + 8);
        while out.len() < len {
            out.extend(self.dice.next().to_le_bytes());
        }
        out.truncate(len);
        out
    }

    fn has_room(&self, mailbox: &str, old: Bytes, new: Bytes) -> Result<(), Refused> {
        if self.is_wrong(Wrong::MessageSize) && new.get() > MESSAGE_MAX {
            return Err(Refused::TooLarge);
        }
        let store = self.target_store(mailbox)?;
        let used = store.used.saturating_sub(old) + new + SIZE_ON_TOP;
        match store.quota {
            Some(quota) if used > quota => Err(Refused::QuotaFull),
            _ => Ok(()),
        }
    }

    /// An item and its tree.
    pub(super) fn typed_tree(
        &self,
        mailbox: &str,
        id: &str,
    ) -> Result<(ItemRow, Message), Refused> {
        let store = self.target_store(mailbox)?;
        let item = store.items.get(id).ok_or_else(|| store.missing(id))?;
        let stream = item.content.stream().ok_or(Refused::Discarded)?;
        let message = decode(&stream).ok_or(Refused::Corrupt)?;
        Ok((item_row(id, item), message))
    }

    /// Changes an item where it lies. It is another version then.
    pub(super) fn change_typed(
        &mut self,
        now: Now,
        mailbox: &str,
        id: &str,
        edit: impl FnOnce(&mut Message),
    ) -> Result<ItemRow, Refused> {
        let (seq, change_key) = (self.next_seq(), self.change_key());
        let store = self.target_store_mut(mailbox)?;
        let missing = store.missing(id);
        let item = store.items.get_mut(id).ok_or(missing)?;
        let before = item.size;
        item.rewrite(now.moment, |message, _| edit(message))?;
        item.change_key = change_key;
        item.marked = item.content.stream().is_some_and(|own| is_marked(&own));
        let (row, after) = (item_row(id, item), item.size);
        store.used = store.used.saturating_sub(before) + after;
        store.touched(id, Deed::Updated, seq);
        Ok(row)
    }

    /// Puts an attachment behind the others of an item.
    pub(super) fn attach_typed(
        &mut self,
        now: Now,
        mailbox: &str,
        id: &str,
        own: &TypedAttachment,
        bytes: Vec<u8>,
    ) -> Result<ItemRow, Refused> {
        if let Some(instance) = instance_of(id) {
            return self.change_instance(now, mailbox, instance, |instance, fresh| {
                instance.files.push((fresh, own.clone(), bytes));
            });
        }
        let row = self.target_item(mailbox, id)?;
        let new = row.size + Bytes::new(bytes.len() as u64);
        self.has_room(mailbox, row.size, new)?;
        self.change_typed(now, mailbox, id, |message| attach(message, own, bytes))
    }

    /// Moves an item to another folder, under a new id.
    pub(super) fn move_typed(
        &mut self,
        now: Now,
        mailbox: &str,
        id: &str,
        folder: &str,
    ) -> Result<ItemRow, Refused> {
        let folder = self.target_folder(now, mailbox, folder)?.id;
        self.target_item(mailbox, id)?;
        let (left, born, new, change_key) = (
            self.next_seq(),
            self.next_seq(),
            self.target_id(),
            self.change_key(),
        );
        let visible_from = now.tick + self.options.lag;
        let store = self.target_store_mut(mailbox)?;
        find_folder(store, &folder)?;
        let old = store.take(id, left).ok_or(Refused::NoItem)?;
        let item = Item {
            folder,
            born,
            change_key,
            visible_from,
            modified: now.moment,
            ..old
        };
        let row = item_row(&new, &item);
        store.put(new, item);
        Ok(row)
    }

    /// Lets the mailbox import's listings refuse whoever asks for a property by name.
    pub const fn forget_names(&mut self) {
        self.knows_names = false;
    }

    /// The value of a named text property of an item, for names of ours: of others' this lab does not keep account.
    pub(super) fn named_of(&self, mailbox: &str, id: &str, named: &NamedId) -> Option<String> {
        let item = self.target_store(mailbox).ok()?.items.get(id)?;
        match &item.content {
            Content::Stream(stream) if item.marked => {
                named_text(&decode(stream)?, named.set, &named.name)
            }
            _ => None,
        }
    }

    /// Which reading of a megabyte holds here.
    fn reading(&self) -> usize {
        usize::from(self.options.seed % 2 == 1)
    }

    /// The largest request that is taken.
    pub(super) fn request_max(&self) -> usize {
        REQUEST_MAX[self.reading()]
    }

    /// Opens an upload session for an attachment of so many bytes; `None` where that is too small for one.
    pub(super) fn open_upload(
        &mut self,
        now: Now,
        mailbox: &str,
        item: &str,
        own: TypedAttachment,
        total: u64,
    ) -> Result<Option<String>, Refused> {
        let series = instance_of(item).map(|(series, _)| series);
        let row = self.target_item(mailbox, series.unwrap_or(item))?;
        if total < SESSION_MIN[self.reading()] {
            return Ok(None);
        }
        self.has_room(mailbox, row.size, row.size + Bytes::new(total))?;
        let token = self.id_text(48, true);
        let slot = UploadSlot {
            mailbox: mailbox.to_owned(),
            item: item.to_owned(),
            own,
            total,
            got: Vec::new(),
            end: now.tick + SESSION_LIFE,
        };
        self.uploads.insert(token.clone(), slot);
        Ok(Some(token))
    }

    /// The session of this token, while it lives.
    pub(super) fn upload_slot(&self, now: Now, token: &str) -> Option<&UploadSlot> {
        self.uploads.get(token).filter(|own| now.tick < own.end)
    }

    /// What a session misses.
    pub(super) fn ask_upload(&self, now: Now, token: &str) -> Uploaded {
        let slot = self.upload_slot(now, token);
        slot.map_or(
            Uploaded::Gone,
            |own| Uploaded::Missing(own.got.len() as u64),
        )
    }

    /// Bytes from `from` on, of `total`. The last ones make the attachment, and end the session.
    pub(super) fn put_upload(
        &mut self,
        now: Now,
        token: &str,
        from: u64,
        total: u64,
        bytes: &[u8],
    ) -> Result<Uploaded, Refused> {
        let Some(slot) = self.uploads.get_mut(token).filter(|own| now.tick < own.end) else {
            return Ok(Uploaded::Gone);
        };
        let fits = from == slot.got.len() as u64
            && total == slot.total
            && from + bytes.len() as u64 <= total;
        if !fits {
            // Some services forget then what came; a lab does by its seed.
            if self.options.seed.is_multiple_of(3) {
                self.uploads.remove(token);
            }
            return Ok(Uploaded::Disorder);
        }
        slot.got.extend_from_slice(bytes);
        if (slot.got.len() as u64) < total {
            return Ok(Uploaded::Missing(slot.got.len() as u64));
        }
        let Some(slot) = self.uploads.remove(token) else {
            return Ok(Uploaded::Gone);
        };
        self.attach_typed(now, &slot.mailbox, &slot.item, &slot.own, slot.got)?;
        Ok(Uploaded::Made)
    }

    /// Lets the item that was made just now stay out of sight of the next call on it, as often as was ordered.
    pub(super) fn hide_for_a_while(&mut self, item: &str) {
        let stormy = self.options.weather != Weather::Calm && self.sky.chance(1, 8);
        if self.unseen.0 > 0 || stormy {
            self.unseen.0 = self.unseen.0.saturating_sub(1);
            self.unseen.1.insert(item.to_owned());
        }
    }

    /// True once for an item that is out of sight.
    pub(super) fn is_unseen(&mut self, item: &str) -> bool {
        self.unseen.1.remove(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_wherever_the_records_cut_it() {
        for more in 0..80 {
            let mut message = Message::default();
            let body = "x".repeat(crate::base::limits::STREAM_PIECE / 2 - 60 + more);
            message.set(Prop::text(tags::BODY, &body));
            assert!(!is_marked(&encode(&message)));
            set_named(&mut message, 7, "mailferry-source", "k:00");
            assert!(is_marked(&encode(&message)), "{more}");
        }
    }
}
