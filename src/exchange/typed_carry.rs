//! What hangs on an item of the typed route, and its parcel on its way: attachments by GetAttachment, bytes handed on as they come.
//!
//! An embedded item's kind is known only from its own reply, and the head of a parcel names every file; so embedded items are asked for before the
//! head is written. Small ones are kept from that call, larger ones read again.

use crate::base::id::ItemId;
use crate::base::limits;
use crate::base::losses::Family;
use crate::base::outcome::Setback;
use crate::base::quantity::{Bytes, Moment};
use crate::base::typed::{Occurrence, TypedAttachment, TypedEvent, TypedItem};
use crate::exchange::client;
use crate::exchange::source::incomplete;
use crate::exchange::typed::{Reading, refused};
use crate::port::source::ExportSink;
use crate::transport::CallKind;
use crate::wire::ews::export_splitter::Split;
use crate::wire::ews::get_attachment::{Attached, AttachmentSplitter, GetAttachment, MimeSplitter};
use crate::wire::ews::get_item::GetItem;
use crate::wire::ews::request::Call;
use crate::wire::ews::shape::Shape;
use crate::wire::ews::typed_attachment::{AttachmentRef, Kind, What, is_signed, signed};
use crate::wire::ews::typed_event::as_exception;
use crate::wire::ews::typed_item::Shown;
use crate::wire::parcel;

impl Reading<'_> {
    /// Hands one item on as a parcel.
    pub(super) async fn carry(
        &self,
        index: usize,
        shown: Shown,
        sink: &mut dyn ExportSink,
    ) -> Result<(), Setback> {
        let Some(family) = shown.family() else {
            return Err(refused("ClassNotCarried"));
        };
        let id = shown.id;
        let mut item = shown.item;
        let mut room = limits::TYPED_HELD_MAX;
        let mut files = Vec::new();
        let photo = shown.attachments.iter().position(|own| own.photo);
        let mut named = self.files(shown.attachments, &mut room, &mut files).await?;
        let with_original = family == Family::Message && is_signed(&item.common().class);
        if with_original {
            named.push(signed());
        }
        match &mut item {
            TypedItem::Message(own) => own.common.attachments = named,
            TypedItem::Event(own) => {
                own.common.attachments = named;
                self.series(own, shown.occurrences, &mut room, &mut files)
                    .await?;
            }
            TypedItem::Contact(own) => {
                own.common.attachments = named;
                own.photo = photo.and_then(|at| u32::try_from(at).ok());
            }
        }
        let head = parcel::head(&item);
        drop(item);
        if head.len() > limits::PARCEL_HEAD_MAX {
            return Err(refused("TextTooLarge"));
        }
        sink.begin(index).await?;
        give(&head, sink).await?;
        for group in groups(files) {
            match group {
                Group::Held(bytes) => {
                    give(&parcel::attachment(), sink).await?;
                    for piece in bytes.chunks(limits::BODY_PIECE) {
                        give(&parcel::piece(piece), sink).await?;
                    }
                }
                Group::Asked(ids) => self.stream(ids, sink).await?,
            }
        }
        if with_original {
            give(&parcel::attachment(), sink).await?;
            self.original(id, sink).await?;
        }
        give(&parcel::end(), sink).await
    }

    /// Fills in the occurrences of a series that differ, in order of their original begins.
    async fn series(
        &self,
        event: &mut TypedEvent,
        differ: Vec<(ItemId, Moment)>,
        room: &mut usize,
        files: &mut Vec<File>,
    ) -> Result<(), Setback> {
        // A time that does not say when is no appointment.
        if event.start.local.is_empty() {
            return Err(incomplete());
        }
        let mut hanging = Vec::new();
        for batch in differ.chunks(limits::TYPED_BATCH) {
            let ids: Vec<ItemId> = batch.iter().map(|(id, _)| id.clone()).collect();
            let shown = self.ask_once(&ids, Shape::typed(Family::Event)).await?;
            for (shown, (_, original)) in shown.into_iter().zip(batch) {
                let shown = shown?;
                let TypedItem::Event(own) = shown.item else {
                    return Err(incomplete());
                };
                if own.start.local.is_empty() {
                    return Err(incomplete());
                }
                let own = as_exception(*own, &event.common.class);
                hanging.push((*original, shown.attachments));
                event.exceptions.push(Occurrence {
                    original: *original,
                    instead: Some(Box::new(own)),
                });
            }
        }
        event.exceptions.sort_by_key(|own| own.original);
        for exception in &mut event.exceptions {
            let Some(own) = &mut exception.instead else {
                continue;
            };
            let place = hanging.iter().position(|(at, _)| *at == exception.original);
            let hangs = place
                .map(|at| hanging.swap_remove(at).1)
                .unwrap_or_default();
            own.common.attachments = self.files(hangs, room, files).await?;
        }
        Ok(())
    }

    /// What the head says of each attachment; how each is read goes to `files`.
    async fn files(
        &self,
        attachments: Vec<AttachmentRef>,
        room: &mut usize,
        files: &mut Vec<File>,
    ) -> Result<Vec<TypedAttachment>, Setback> {
        let mut named = Vec::with_capacity(attachments.len());
        for own in attachments {
            let mut held = None;
            let size = own.size;
            match own.what {
                What::File => named.push(own.own),
                What::Other => return Err(refused("AttachmentNotAFile")),
                What::Item => {
                    let (kind, bytes) = self.embedded(&own.id, *room).await?;
                    named.push(kind.file(own.own));
                    *room -= bytes.as_ref().map_or(0, Vec::len);
                    held = bytes;
                }
            }
            let id = own.id;
            files.push(File { id, size, held });
        }
        Ok(named)
    }

    /// What an embedded item is, and its bytes, where they find room.
    async fn embedded(&self, id: &str, room: usize) -> Result<(Kind, Option<Vec<u8>>), Setback> {
        let mut held = Some(Vec::new());
        let mut keep = |bytes: &[u8]| match &mut held {
            Some(own) if own.len() + bytes.len() <= room => own.extend_from_slice(bytes),
            own => *own = None,
        };
        let call = Call::GetAttachment(GetAttachment {
            mime: true,
            ids: vec![id.to_owned()],
        });
        let mut answer = (self.client)
            .send(self.mailbox, &call, CallKind::Transfer)
            .await?;
        let (status, hints) = (answer.status(), client::hints(&answer));
        let mut splitter = AttachmentSplitter::new();
        while let Some(chunk) = answer.chunk().await? {
            for part in splitter.push(&chunk) {
                if let Split::Piece(bytes) = part {
                    keep(&bytes);
                }
            }
        }
        let only = splitter.finish(status, hints, 1)?.pop();
        match only.ok_or_else(incomplete)?? {
            (Attached::Item(kind), _) => Ok((kind, held)),
            (Attached::File, _) => Err(incomplete()),
        }
    }

    /// Hands attachments on, in order, as their bytes come.
    async fn stream(&self, ids: Vec<String>, sink: &mut dyn ExportSink) -> Result<(), Setback> {
        let asked = ids.len();
        let call = Call::GetAttachment(GetAttachment { mime: true, ids });
        let mut answer = (self.client)
            .send(self.mailbox, &call, CallKind::Transfer)
            .await?;
        let (status, hints) = (answer.status(), client::hints(&answer));
        let mut splitter = AttachmentSplitter::new();
        while let Some(chunk) = answer.chunk().await? {
            for part in splitter.push(&chunk) {
                match part {
                    Split::Begin(index) if index < asked => {
                        give(&parcel::attachment(), sink).await?;
                    }
                    // More messages than ids: nothing of this reply will count.
                    Split::Begin(_) => return Err(incomplete()),
                    Split::Piece(bytes) => give_bytes(&bytes, sink).await?,
                }
            }
        }
        // One that did not come spoils the item: its place in the parcel is taken by the next, and the entry says so.
        let results = splitter.finish(status, hints, asked)?;
        results.into_iter().try_for_each(|own| own.map(|_| ()))
    }

    /// Hands on the MIME form of an item.
    async fn original(&self, id: ItemId, sink: &mut dyn ExportSink) -> Result<(), Setback> {
        let call = Call::GetItem(GetItem {
            shape: Shape::mime(),
            items: vec![id],
        });
        let mut answer = (self.client)
            .send(self.mailbox, &call, CallKind::Transfer)
            .await?;
        let (status, hints) = (answer.status(), client::hints(&answer));
        let mut splitter = MimeSplitter::new();
        while let Some(chunk) = answer.chunk().await? {
            for part in splitter.push(&chunk) {
                match part {
                    Split::Begin(0) => {}
                    Split::Begin(_) => return Err(incomplete()),
                    Split::Piece(bytes) => give_bytes(&bytes, sink).await?,
                }
            }
        }
        splitter.finish(status, hints).map(|_| ())
    }
}

/// How an attachment is read.
struct File {
    id: String,
    size: Bytes,
    held: Option<Vec<u8>>,
}

/// Attachments that are handed on together.
enum Group {
    /// One whose bytes are here.
    Held(Vec<u8>),
    /// Those asked for in one call.
    Asked(Vec<String>),
}

/// Small attachments share a call; the order stays.
fn groups(files: Vec<File>) -> Vec<Group> {
    let mut out = Vec::new();
    let mut sum = Bytes::ZERO;
    for file in files {
        if let Some(bytes) = file.held {
            out.push(Group::Held(bytes));
            continue;
        }
        match out.last_mut() {
            Some(Group::Asked(ids))
                if ids.len() < limits::TYPED_TOGETHER_IDS
                    && sum + file.size <= limits::TYPED_TOGETHER =>
            {
                ids.push(file.id);
                sum += file.size;
            }
            _ => {
                sum = file.size;
                out.push(Group::Asked(vec![file.id]));
            }
        }
    }
    out
}

async fn give(record: &[u8], sink: &mut dyn ExportSink) -> Result<(), Setback> {
    for piece in record.chunks(limits::BODY_PIECE) {
        sink.piece(piece).await?;
    }
    Ok(())
}

async fn give_bytes(bytes: &[u8], sink: &mut dyn ExportSink) -> Result<(), Setback> {
    for piece in bytes.chunks(limits::BODY_PIECE) {
        give(&parcel::piece(piece), sink).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(id: u8, size: u64, held: bool) -> File {
        File {
            id: id.to_string(),
            size: Bytes::new(size),
            held: held.then(|| vec![id]),
        }
    }

    #[test]
    fn small_attachments_share_a_call_and_keep_their_order() {
        let max = limits::TYPED_TOGETHER.get();
        let files = vec![
            file(1, max - 1, false),
            file(2, 1, false),
            file(3, 1, false),
            file(4, 0, true),
            file(5, max * 9, false),
            file(6, 1, false),
        ];
        let shown: Vec<String> = groups(files)
            .into_iter()
            .map(|group| match group {
                Group::Held(bytes) => format!("held {}", bytes[0]),
                Group::Asked(ids) => ids.join("+"),
            })
            .collect();
        assert_eq!(shown, ["1+2", "3", "held 4", "5", "6"]);
        let many = (0..50).map(|n| file(n, 0, false)).collect();
        assert!(groups(many).len() == 50_usize.div_ceil(limits::TYPED_TOGETHER_IDS));
    }
}
