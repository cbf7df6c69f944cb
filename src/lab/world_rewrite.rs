//! Items taken apart and put together again: by users who edit, and by a store that writes a stream in its own way.

use super::world::Refused;
use super::world_content::{Content, Ident, filetime_of, moment_of};
use super::world_store::Item;
use crate::base::quantity::{Bytes, Moment};
use crate::wire::item_stream::{Message, Name, Prop, decode, digest_of, encode, tags};

/// When a message says it was delivered.
pub(super) fn delivered(message: &Message) -> Option<Moment> {
    let raw = message.get(tags::MESSAGE_DELIVERY_TIME)?.try_into().ok()?;
    Some(moment_of(u64::from_le_bytes(raw)))
}

/// The stream as another server would write it: its own change key, times, size and property ids; text in its other spelling.
pub(super) fn restored(mut message: Message, item: &Item) -> Vec<u8> {
    message.set(Prop::binary(tags::CHANGE_KEY, item.change_key.as_bytes()));
    message.set(Prop::time(tags::CREATION_TIME, filetime_of(item.created)));
    message.set(Prop::time(
        tags::LAST_MODIFICATION_TIME,
        filetime_of(item.modified),
    ));
    let size = u32::try_from(item.size.get()).unwrap_or(u32::MAX);
    message.set(Prop::i32(tags::MESSAGE_SIZE, size));
    for prop in &mut message.props {
        if !matches!(prop.name, Name::Tag(_)) {
            prop.id = prop.id.wrapping_add(0x0155) | tags::NAMED_FROM;
        } else if prop.kind == tags::T_UNICODE {
            prop.kind = tags::T_UNICODE_CP;
        }
    }
    encode(&message)
}

impl Item {
    /// Changes the content, and with it identity, size and digest.
    pub(super) fn rewrite(
        &mut self,
        at: Moment,
        edit: impl FnOnce(&mut Message, u32),
    ) -> Result<(), Refused> {
        let stream = self.content.stream().ok_or(Refused::Discarded)?;
        let mut message = decode(&stream).ok_or(Refused::Corrupt)?;
        edit(&mut message, self.ident.flags);
        let stream = encode(&message);
        self.ident = Ident::of(&digest_of(&stream));
        self.size = Bytes::new(stream.len() as u64 + 412);
        self.modified = at;
        self.content = Content::Stream(stream.into());
        Ok(())
    }
}
