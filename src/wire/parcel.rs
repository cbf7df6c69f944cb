//! A typed item on its way: head and attachments in one stream, so that it is spooled, measured and digested like an item stream.
//!
//! ```text
//! magic | 1 len head-part ... | (2 0 | 3 len bytes ...) per attachment | 9 0
//! ```
//!
//! A record is a tag byte, a length of four bytes (little-endian) and so many bytes. The head is a [`TypedItem`] as JSON; attachments follow in the
//! order of [`TypedItem::attachments`]. The form is ours and lives no longer than a spool: nothing of it is stored, nothing outside reads it.

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::base::item::{Digest, ItemClass, SearchKey, Stamp, unhex};
use crate::base::limits::PARCEL_HEAD_MAX;
use crate::base::quantity::Bytes;
use crate::base::typed::TypedItem;
use crate::wire::graph::property;

/// How every parcel begins. No item stream begins so: those begin with a property tag (reference/fts.md).
pub const MAGIC: &[u8] = b"mailferry parcel 1\n";

const HEAD: u8 = 1;
const ATTACHMENT: u8 = 2;
const PIECE: u8 = 3;
const END: u8 = 9;

/// Whether these first bytes begin a parcel.
pub fn is_parcel(first: &[u8]) -> bool {
    first.starts_with(MAGIC)
}

/// The head of a parcel, ready to be written.
pub fn head(item: &TypedItem) -> Vec<u8> {
    let json = serde_json::to_vec(item).unwrap_or_default();
    let mut out = MAGIC.to_vec();
    for part in json.chunks(u32::MAX as usize) {
        record(&mut out, HEAD, part);
    }
    out
}

/// Begins the next attachment.
pub fn attachment() -> Vec<u8> {
    let mut out = Vec::new();
    record(&mut out, ATTACHMENT, &[]);
    out
}

/// Bytes of the attachment that began last.
pub fn piece(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 5);
    for part in bytes.chunks(u32::MAX as usize) {
        record(&mut out, PIECE, part);
    }
    out
}

/// Ends the parcel.
pub fn end() -> Vec<u8> {
    let mut out = Vec::new();
    record(&mut out, END, &[]);
    out
}

fn record(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// A whole parcel, for small items and tests.
pub fn encode(item: &TypedItem, attachments: &[Vec<u8>]) -> Vec<u8> {
    let mut out = head(item);
    for bytes in attachments {
        out.extend(attachment());
        out.extend(piece(bytes));
    }
    out.extend(end());
    out
}

/// A parcel that is not one. Ours was damaged on this machine, or is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAParcel {
    /// It does not begin as one.
    #[error("it does not begin as a parcel")]
    Magic,
    /// A record that cannot stand where it stands.
    #[error("a record that cannot stand there")]
    Order,
    /// The head is larger than any honest item's.
    #[error("the head is too large")]
    TooLarge,
    /// The head is not an item.
    #[error("the head is not an item")]
    Head,
    /// As many attachments were named as did not come, or the other way round.
    #[error("the attachments are not those that the head names")]
    Attachments,
    /// It ends before its end.
    #[error("it ends before its end")]
    CutOff,
}

/// What a parcel brings, in this order: the head once, then each attachment and its bytes.
#[derive(Clone, PartialEq, Eq)]
pub enum Brought<'a> {
    /// The item.
    Head(Box<TypedItem>),
    /// The next attachment begins.
    Attachment,
    /// Bytes of it.
    Piece(&'a [u8]),
}

/// Reads a parcel that comes in pieces of any length.
#[derive(Default)]
pub struct ParcelReader {
    magic: usize,
    head: Vec<u8>,
    /// How many attachments the head names, once it is read.
    named: Option<usize>,
    begun: usize,
    record: Option<(u8, usize)>,
    prefix: Vec<u8>,
    ended: bool,
}

impl ParcelReader {
    /// A reader at the first byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and tells what they bring.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        tell: &mut dyn FnMut(Brought<'_>),
    ) -> Result<(), NotAParcel> {
        while self.magic < MAGIC.len() && !bytes.is_empty() {
            if bytes[0] != MAGIC[self.magic] {
                return Err(NotAParcel::Magic);
            }
            self.magic += 1;
            bytes = &bytes[1..];
        }
        while !bytes.is_empty() {
            if self.ended {
                return Err(NotAParcel::Order);
            }
            let Some((tag, left)) = self.record else {
                let take = bytes.len().min(5 - self.prefix.len());
                self.prefix.extend_from_slice(&bytes[..take]);
                bytes = &bytes[take..];
                if self.prefix.len() == 5 {
                    self.begin(tell)?;
                }
                continue;
            };
            let (now, rest) = bytes.split_at(bytes.len().min(left));
            bytes = rest;
            if tag == HEAD {
                if self.head.len() + now.len() > PARCEL_HEAD_MAX {
                    return Err(NotAParcel::TooLarge);
                }
                self.head.extend_from_slice(now);
            } else {
                tell(Brought::Piece(now));
            }
            self.record = (left > now.len()).then_some((tag, left - now.len()));
        }
        Ok(())
    }

    /// A record's prefix is there.
    fn begin(&mut self, tell: &mut dyn FnMut(Brought<'_>)) -> Result<(), NotAParcel> {
        let tag = self.prefix[0];
        let len = self.prefix[1..].iter().rev();
        let len = len.fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        self.prefix.clear();
        if tag != HEAD && self.named.is_none() {
            let item: TypedItem =
                serde_json::from_slice(&self.head).map_err(|_| NotAParcel::Head)?;
            self.head = Vec::new();
            self.named = Some(item.attachments().len());
            tell(Brought::Head(Box::new(item)));
        }
        match tag {
            HEAD if self.named.is_none() => {}
            ATTACHMENT if len == 0 => {
                self.begun += 1;
                if Some(self.begun) > self.named {
                    return Err(NotAParcel::Attachments);
                }
                tell(Brought::Attachment);
            }
            PIECE if self.begun > 0 => {}
            END if len == 0 => {
                if Some(self.begun) != self.named {
                    return Err(NotAParcel::Attachments);
                }
                self.ended = true;
            }
            _ => return Err(NotAParcel::Order),
        }
        self.record = (len > 0).then_some((tag, len));
        Ok(())
    }

    /// After the last byte.
    pub const fn finish(&self) -> Result<(), NotAParcel> {
        if self.ended {
            Ok(())
        } else {
            Err(NotAParcel::CutOff)
        }
    }
}

/// What a parcel says about its item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParcelReport {
    /// The item.
    pub item: TypedItem,
    /// Length of each attachment and SHA-256 of its bytes.
    pub attachments: Vec<(Bytes, [u8; 32])>,
    /// Over the head without the source's own dates of making and changing, and all attachments.
    pub digest: Digest,
}

/// Learns a [`ParcelReport`] while a parcel passes.
#[derive(Default)]
pub struct ParcelMeter {
    reader: ParcelReader,
    item: Option<TypedItem>,
    attachments: Vec<(u64, Sha256)>,
}

impl ParcelMeter {
    /// A meter at the first byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), NotAParcel> {
        let (item, attachments) = (&mut self.item, &mut self.attachments);
        self.reader.feed(bytes, &mut |brought| match brought {
            Brought::Head(head) => *item = Some(*head),
            Brought::Attachment => attachments.push((0, Sha256::new())),
            Brought::Piece(bytes) => {
                if let Some((len, hash)) = attachments.last_mut() {
                    *len += bytes.len() as u64;
                    hash.update(bytes);
                }
            }
        })
    }

    /// After the last byte.
    pub fn finish(self) -> Result<ParcelReport, NotAParcel> {
        self.reader.finish()?;
        let item = self.item.ok_or(NotAParcel::CutOff)?;
        let attachments: Vec<(Bytes, [u8; 32])> = self
            .attachments
            .into_iter()
            .map(|(len, hash)| (Bytes::new(len), hash.finalize().into()))
            .collect();
        let mut all = Sha256::new();
        all.update(serde_json::to_vec(&undated(item.clone())).unwrap_or_default());
        for (len, hash) in &attachments {
            all.update(len.get().to_le_bytes());
            all.update(hash);
        }
        Ok(ParcelReport {
            digest: Digest(all.finalize().into()),
            item,
            attachments,
        })
    }
}

/// Without what the store counts for itself: the change of a flag on a folder's index is no other content.
fn undated(mut item: TypedItem) -> TypedItem {
    let common = match &mut item {
        TypedItem::Message(own) => &mut own.common,
        TypedItem::Event(own) => &mut own.common,
        TypedItem::Contact(own) => &mut own.common,
    };
    (common.created, common.modified) = (None, None);
    item
}

/// The stamp its copy bears: the same as that of the item's stream, so that both routes recognise each other's work.
pub fn stamp_of(item: &TypedItem) -> Stamp {
    let common = item.common();
    let key = unhex(&common.search_key).and_then(SearchKey::new);
    let (message_id, submitted) = match item {
        TypedItem::Message(own) => (
            Some(own.message_id.as_str()).filter(|id| !id.is_empty()),
            own.submitted,
        ),
        _ => (None, None),
    };
    let class = ItemClass::new(&common.class);
    Stamp::of(
        key.as_ref(),
        message_id,
        &class,
        submitted.and_then(property::filetime_of),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::quantity::Moment;
    use crate::base::typed::{TypedAttachment, TypedMessage};

    fn item(attachments: usize) -> TypedItem {
        let mut message = TypedMessage {
            message_id: "<a@b>".to_owned(),
            ..TypedMessage::default()
        };
        message.common.class = "IPM.Note".to_owned();
        message.common.search_key = "00ff10".to_owned();
        message.common.attachments = vec![TypedAttachment::default(); attachments];
        TypedItem::Message(Box::new(message))
    }

    fn measured(bytes: &[u8], step: usize) -> Result<ParcelReport, NotAParcel> {
        let mut meter = ParcelMeter::new();
        for part in bytes.chunks(step) {
            meter.feed(part)?;
        }
        meter.finish()
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked_however_it_is_cut(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..4),
            step in 1_usize..64,
        ) {
            let item = item(parts.len());
            let bytes = encode(&item, &parts);
            let report = measured(&bytes, step).unwrap();
            prop_assert_eq!(&report.item, &item);
            let lens: Vec<u64> = report.attachments.iter().map(|(len, _)| len.get()).collect();
            prop_assert_eq!(lens, parts.iter().map(|p| p.len() as u64).collect::<Vec<_>>());
            for cut in 0..bytes.len() {
                prop_assert!(measured(&bytes[..cut], step).is_err());
            }
        }

        #[test]
        fn no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..400), after in any::<bool>()) {
            let mut all = if after { MAGIC.to_vec() } else { Vec::new() };
            all.extend(bytes);
            let _ = measured(&all, 7);
        }
    }

    #[test]
    fn the_digest_is_of_the_content_and_not_of_the_stores_dates() {
        let bytes = vec![b"one".to_vec()];
        let mut dated = item(1);
        if let TypedItem::Message(own) = &mut dated {
            own.common.modified = Some(Moment::from_unix_ms(5));
        }
        let plain = measured(&encode(&item(1), &bytes), 9).unwrap();
        assert_eq!(
            measured(&encode(&dated, &bytes), 9).unwrap().digest,
            plain.digest
        );
        let other = measured(&encode(&item(1), &[b"two".to_vec()]), 9).unwrap();
        assert_ne!(other.digest, plain.digest);
    }

    #[test]
    fn its_stamp_is_that_of_the_stream() {
        assert_eq!(
            stamp_of(&item(0)),
            Stamp::Key(SearchKey::new([0, 0xff, 0x10]).unwrap())
        );
    }
}
