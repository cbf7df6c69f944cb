//! What the lab's Exchange answers to those who read items as their classes know them: properties, attachments, MIME forms.

use std::io;

use axum::body::Body;
use bytes::Bytes as Chunk;
use futures_util::stream;

use super::ews_answers::{Answer, Desk, VERSION, busy, told};
use super::face::{Flight, Scissors};
use super::fault::Fault;
use super::typed_render::{any, mime};
use super::world::Refused as No;
use crate::base::id::ItemId;
use crate::base::limits;
use crate::base::quantity::Bytes;
use crate::base::typed::{TypedAttachment, TypedItem};
use crate::wire::base64;
use crate::wire::ews::get_attachment::{DataReplyWriter, GetAttachment};
use crate::wire::ews::get_item::GetItem;
use crate::wire::ews::reply::Refused;
use crate::wire::ews::typed_attachment::{AttachmentRef, Kind, What};
use crate::wire::ews::typed_item::{GetTyped, Shown};
use crate::wire::item_stream::Message;

/// The literal end of data that the server gave up on.
const TRUNCATION_MARK: &str = "=== Truncated Data ===";

/// An attachment that is given: its words, kind and subject of an embedded item, its bytes.
type Given = (AttachmentRef, Option<Kind>, Option<String>, Vec<u8>);

/// A piece of a reply.
pub(super) enum Part {
    /// Text as it is.
    Text(String),
    /// Bytes that go out in Base64.
    Data(Vec<u8>),
}

impl Desk<'_> {
    fn tree(&self, id: &str) -> Result<Message, No> {
        let export = self.world.source_export(self.mailbox, id)?;
        export.tree().ok_or(No::Corrupt)
    }

    fn poisoned<'i>(&self, mut ids: impl Iterator<Item = &'i str>) -> bool {
        ids.any(|id| self.world.is_poisoned(id))
    }

    /// GetItem for what the class knows.
    pub(super) fn typed_items(&mut self, call: &GetItem) -> Answer {
        if call.items.len() > 20 {
            self.broken
                .push("GetItem asks for the properties of more than 20 items".to_owned());
        }
        if self.poisoned(call.items.iter().map(ItemId::as_str)) {
            return Answer::Crash;
        }
        let show = |id: &ItemId| {
            let shown = match occurrence_of(id.as_str()) {
                Some((series, n)) => {
                    let tree = self.tree(&series)?;
                    shown_occurrence(id, &series, &tree, n).ok_or(No::NoItem)?
                }
                None => shown(id, &self.tree(id.as_str())?),
            };
            Ok(shown.shaped(&call.shape))
        };
        let found = call.items.iter().map(show).collect();
        self.messages::<GetTyped>(found)
    }

    /// GetItem for MIME forms.
    pub(super) fn mimes(&mut self, call: &GetItem) -> Answer {
        if call.items.len() > 5 {
            self.broken
                .push("GetItem asks for the MIME form of more than 5 items".to_owned());
        }
        if self.poisoned(call.items.iter().map(ItemId::as_str)) {
            return Answer::Crash;
        }
        let mut w = DataReplyWriter::mimes(&VERSION);
        let mut parts = Vec::new();
        for (index, id) in call.items.iter().enumerate() {
            match self.befallen(index, call.items.len()) {
                Some(why) => parts.push(Part::Text(w.refuse(&why))),
                None => match self.tree(id.as_str()) {
                    Ok(tree) => parts.extend([
                        Part::Text(w.begin_mime()),
                        Part::Data(mime(&tree)),
                        Part::Text(w.end(None)),
                    ]),
                    Err(no) => parts.push(Part::Text(w.refuse(&self.refuse(no)))),
                },
            }
        }
        parts.push(Part::Text(w.finish()));
        Answer::Parts(parts)
    }

    /// GetAttachment.
    pub(super) fn attachments(&mut self, call: &GetAttachment) -> Answer {
        let ids: Vec<Option<(String, usize)>> = call.ids.iter().map(|id| place_of(id)).collect();
        if self.poisoned(ids.iter().flatten().map(|(item, _)| item.as_str())) {
            return Answer::Crash;
        }
        let mut w = DataReplyWriter::attachments(&VERSION);
        let mut parts = Vec::new();
        for (index, place) in ids.iter().enumerate() {
            match self.befallen(index, ids.len()) {
                Some(why) => parts.push(Part::Text(w.refuse(&why))),
                None => match self.attached(place.as_ref(), call.mime) {
                    Ok((own, kind, subject, bytes)) => parts.extend([
                        Part::Text(w.begin(&own, kind)),
                        Part::Data(bytes),
                        Part::Text(w.end(subject.as_deref())),
                    ]),
                    Err(no) => parts.push(Part::Text(w.refuse(&self.refuse(no)))),
                },
            }
        }
        parts.push(Part::Text(w.finish()));
        Answer::Parts(parts)
    }

    /// One attachment, the kind and subject of an embedded item, and its bytes.
    fn attached(&mut self, place: Option<&(String, usize)>, mime: bool) -> Result<Given, No> {
        let (item, index) = place.ok_or(No::NoItem)?;
        let (typed, mut files) = any(&self.tree(item)?);
        let listed = typed.attachments();
        let own = listed.get(*index).ok_or(No::NoItem)?;
        let bytes = files.swap_remove(*index);
        let kind = Kind::of_file(own);
        if kind.is_some() && !mime {
            self.broken
                .push("an embedded item is asked for without its MIME form".to_owned());
        }
        let own = listed_as(item, *index, own, bytes.len(), false);
        let subject = kind.map(|_| own.own.name.clone());
        Ok((own, kind, subject, bytes))
    }

    /// What the weather does to one message.
    fn befallen(&self, index: usize, of: usize) -> Option<Refused> {
        match self.fault? {
            Fault::Busy(wait) | Fault::IncomingBytes(wait) => Some(busy(wait)),
            fault => fault.entry(index, of).map(told),
        }
    }
}

/// An item with its attachments as they are listed, and its occurrences that differ.
fn shown(id: &ItemId, tree: &Message) -> Shown {
    let (item, files) = any(tree);
    let photo = match &item {
        TypedItem::Contact(own) => own.photo,
        _ => None,
    };
    let listed = item.common().attachments.iter().zip(&files).enumerate();
    let attachments = listed.map(|(index, (own, bytes))| {
        let photo = u32::try_from(index).ok() == photo;
        listed_as(id.as_str(), index, own, bytes.len(), photo)
    });
    let attachments = attachments.collect();
    let occurrences = match &item {
        TypedItem::Event(own) => {
            let differ = own.exceptions.iter().filter(|own| own.instead.is_some());
            let id =
                |n: usize| base64::encode(format!("{} occurrence {n}", id.as_str()).as_bytes());
            let all = differ.enumerate();
            all.map(|(n, own)| (ItemId::new(id(n)), own.original))
                .collect()
        }
        _ => Vec::new(),
    };
    Shown {
        id: id.clone(),
        item,
        attachments,
        occurrences,
    }
}

/// The `n`th occurrence that differs, as an item of its own.
fn shown_occurrence(id: &ItemId, series: &str, tree: &Message, n: usize) -> Option<Shown> {
    let (item, files) = any(tree);
    let TypedItem::Event(event) = item else {
        return None;
    };
    let mut place = event.common.attachments.len();
    let mut differ = event.exceptions.into_iter().filter_map(|own| own.instead);
    for _ in 0..n {
        place += differ.next()?.common.attachments.len();
    }
    let mut own = differ.next()?;
    "IPM.Appointment.Occurrence".clone_into(&mut own.common.class);
    let listed = own.common.attachments.iter().enumerate();
    let attachments = listed.map(|(index, own)| {
        let bytes = files.get(place + index).map_or(0, Vec::len);
        listed_as(series, place + index, own, bytes, false)
    });
    Some(Shown {
        id: id.clone(),
        attachments: attachments.collect(),
        item: TypedItem::Event(own),
        occurrences: Vec::new(),
    })
}

/// An attachment as an item lists it.
fn listed_as(
    item: &str,
    index: usize,
    own: &TypedAttachment,
    bytes: usize,
    photo: bool,
) -> AttachmentRef {
    let what = if own.embedded { What::Item } else { What::File };
    let mut own = own.clone();
    if let Some(kind) = Kind::of_file(&own) {
        // The item's own name; what its file is called is for those who make one.
        let stem = own.name.strip_suffix(kind.end());
        own.name = stem.map_or_else(|| own.name.clone(), str::to_owned);
        own.content_type = String::new();
        own.embedded = false;
    }
    AttachmentRef {
        id: base64::encode(format!("{item} {index}").as_bytes()),
        what,
        own,
        // The store counts a little more than the bytes.
        size: Bytes::new(bytes as u64 + 130),
        photo,
    }
}

/// Which occurrence of which series an id names.
fn occurrence_of(id: &str) -> Option<(String, usize)> {
    let text = String::from_utf8(base64::decode(id).ok()?).ok()?;
    let (series, n) = text.split_once(" occurrence ")?;
    Some((series.to_owned(), n.parse().ok()?))
}

/// Which attachment of which item an id names.
fn place_of(id: &str) -> Option<(String, usize)> {
    let text = String::from_utf8(base64::decode(id).ok()?).ok()?;
    let (item, index) = text.split_once(' ')?;
    Some((item.to_owned(), index.parse().ok()?))
}

/// A reply on its way: Base64 is made piece by piece, and the weather spoils the last data of the call.
pub(super) fn body(
    parts: Vec<Part>,
    fault: Option<Fault>,
    flight: Flight,
    scissors: Scissors,
) -> Body {
    let last = parts.iter().rposition(|part| matches!(part, Part::Data(_)));
    let mut pieces = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        match part {
            Part::Text(text) => pieces.push(Piece::Text(text)),
            Part::Data(bytes) => {
                let spoilt = fault.filter(|_| Some(index) == last);
                let keep = match spoilt {
                    Some(Fault::CutBody | Fault::Truncated) => bytes.len() / 2,
                    _ => bytes.len(),
                };
                let data = Chunk::from(bytes).slice(..keep);
                let at = (0..keep).step_by(limits::BODY_PIECE);
                let to = |at: usize| keep.min(at + limits::BODY_PIECE);
                pieces.extend(at.map(|at| Piece::Data(data.slice(at..to(at)))));
                match spoilt {
                    Some(Fault::CutBody) => pieces.push(Piece::Cut),
                    Some(Fault::Truncated) => pieces.push(Piece::Text(TRUNCATION_MARK.to_owned())),
                    _ => {}
                }
            }
        }
    }
    let sending = (pieces.into_iter(), flight, scissors, 0_u64);
    Body::from_stream(stream::unfold(Some(sending), |sending| async {
        let (mut pieces, flight, scissors, sent) = sending?;
        let text = match pieces.next() {
            Some(Piece::Text(text)) => text,
            Some(Piece::Data(data)) => base64::encode(&data),
            Some(Piece::Cut) => {
                scissors.cut();
                let reset = io::Error::from(io::ErrorKind::ConnectionReset);
                return Some((Err(reset), None));
            }
            None => {
                flight.end(Bytes::new(sent));
                return None;
            }
        };
        let sent = sent + text.len() as u64;
        Some((
            Ok(Chunk::from(text)),
            Some((pieces, flight, scissors, sent)),
        ))
    }))
}

/// A piece of a reply as it goes out.
enum Piece {
    Text(String),
    Data(Chunk),
    /// Here the connection breaks.
    Cut,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_attachments_name_their_place_and_others_none() {
        let id = base64::encode(b"AAMk+/= 12");
        assert_eq!(place_of(&id), Some(("AAMk+/=".to_owned(), 12)));
        for other in [
            "",
            "AAMk",
            "%",
            &base64::encode(b"AAMk"),
            &base64::encode(b"a x"),
        ] {
            assert_eq!(place_of(other), None, "{other}");
        }
    }
}
