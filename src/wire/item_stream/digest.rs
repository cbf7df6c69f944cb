//! The canonical digest and the identity of an item (reference/fts.md section 4).
//!
//! The digest: each property is hashed with its canonical name, type and value; each recipient, attachment and embedded message is hashed as
//! the sorted set of what it holds. Sorting makes order meaningless; what the store assigns is left out; named properties count by set and
//! name or number, since their ids are local to a mailbox.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::parse::{Lost, Visit, Which};
use super::tags;
use crate::base::item::Digest;
use crate::base::limits;
use crate::base::outline::{Outline, Part, PartKind, PropertyName, PropertyPrint};
use crate::base::quantity::Count;
use crate::wire::appointment::{APPOINTMENT_SET, is_wanted};

/// What an object is, which decides what may be inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Message,
    Recipient,
    Attachment,
    Embedded,
}

/// An object that is not closed yet: the hashes of what it holds.
#[derive(Debug)]
struct Frame {
    kind: Kind,
    entries: Vec<[u8; 32]>,
}

/// Identity values, collected from the top message.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) search_key: Option<Vec<u8>>,
    pub(super) message_id: Option<String>,
    pub(super) class: Option<String>,
    pub(super) submitted: Option<u64>,
    pub(super) flags: Option<u32>,
    pub(super) recipients: Count,
    pub(super) attachments: Count,
    pub(super) embedded: Count,
}

/// A property that is not ended yet.
#[derive(Debug)]
struct Open {
    id: u16,
    kind: u16,
    /// PidTagMessageFlags, of which only some bits count.
    flags: bool,
    /// Absent for what does not count.
    hash: Option<Sha256>,
    /// The value, where it is small and says who the item is.
    kept: Option<Vec<u8>>,
    /// Unicode text: the last two bytes, which may be the terminator.
    tail: Option<Vec<u8>>,
    /// Its name, where an outline is wanted.
    name: Option<PropertyName>,
    /// Its number, where it says when an appointment takes place.
    date: Option<u32>,
}

/// Hashes what passes, and keeps the identity.
#[derive(Debug)]
pub(super) struct Digester {
    frames: Vec<Frame>,
    open: Option<Open>,
    held: usize,
    pub(super) lost: bool,
    pub(super) seen: Seen,
    /// One outline per frame, where they are wanted.
    outlines: Option<Vec<Outline>>,
    /// The dates of an appointment, where they are wanted, by number.
    calendar: Option<BTreeMap<u32, Vec<u8>>>,
}

impl Digester {
    /// A digester that keeps the hashes of single properties, too.
    pub(super) fn with_outline() -> Self {
        Self {
            outlines: Some(vec![Outline::default()]),
            ..Self::new()
        }
    }

    /// A digester that keeps what says when an appointment takes place, too.
    pub(super) fn with_calendar() -> Self {
        Self {
            calendar: Some(BTreeMap::new()),
            ..Self::new()
        }
    }

    /// The properties that say when an appointment takes place.
    pub(super) fn calendar(&mut self) -> Option<BTreeMap<u32, Vec<u8>>> {
        self.calendar.take()
    }

    /// The outline of the whole. Call it after [`Self::close_top`] gave a digest.
    pub(super) fn outline(&mut self) -> Option<Outline> {
        self.outlines.as_mut()?.pop()
    }

    pub(super) fn new() -> Self {
        let top = Frame {
            kind: Kind::Message,
            entries: Vec::new(),
        };
        Self {
            frames: vec![top],
            open: None,
            held: 0,
            lost: false,
            seen: Seen::default(),
            outlines: None,
            calendar: None,
        }
    }

    /// The digest of the whole, when everything that began has ended.
    pub(super) fn close_top(&mut self) -> Option<Digest> {
        let top = self.frames.pop()?;
        let whole = self.frames.is_empty() && !top.entries.is_empty();
        whole.then(|| Digest(digest(top)))
    }

    fn enter(&mut self, kind: Kind, inside: &[Kind]) -> Result<(), Lost> {
        let own = self.frames.last().ok_or(Lost)?.kind;
        if !inside.contains(&own) || self.frames.len() > 2 * limits::EMBED_DEPTH_MAX {
            return Err(Lost);
        }
        self.frames.push(Frame {
            kind,
            entries: Vec::new(),
        });
        if let Some(outlines) = &mut self.outlines {
            outlines.push(Outline::default());
        }
        Ok(())
    }

    fn leave(&mut self, kind: Kind) -> Result<(), Lost> {
        let frame = self.frames.pop().ok_or(Lost)?;
        if frame.kind != kind || self.frames.is_empty() {
            return Err(Lost);
        }
        self.held -= frame.entries.len();
        let mut hash = Sha256::new();
        hash.update([2, kind as u8]);
        hash.update(digest(frame));
        let hash: [u8; 32] = hash.finalize().into();
        self.note_part(kind, hash);
        self.enlist(hash)
    }

    fn note_part(&mut self, kind: Kind, hash: [u8; 32]) {
        let Some(outlines) = &mut self.outlines else {
            return;
        };
        let kind = match kind {
            Kind::Recipient => PartKind::Recipient,
            Kind::Attachment => PartKind::Attachment,
            Kind::Embedded => PartKind::Embedded,
            Kind::Message => return,
        };
        if let Some(outline) = outlines.pop()
            && let Some(outer) = outlines.last_mut()
        {
            outer.parts.push(Part {
                kind,
                hash,
                outline,
            });
        }
    }

    fn note_property(&mut self, name: Option<PropertyName>, hash: [u8; 32]) {
        let outline = self.outlines.as_mut().and_then(|all| all.last_mut());
        if let (Some(outline), Some(name)) = (outline, name) {
            outline.properties.push(PropertyPrint { name, hash });
        }
    }

    fn enlist(&mut self, entry: [u8; 32]) -> Result<(), Lost> {
        if self.held >= limits::STREAM_ENTRIES_MAX {
            return Err(Lost);
        }
        self.held += 1;
        self.frames.last_mut().ok_or(Lost)?.entries.push(entry);
        Ok(())
    }

    fn act(&mut self, marker: u32) -> Result<(), Lost> {
        const MESSAGES: &[Kind] = &[Kind::Message, Kind::Embedded];
        let top = self.frames.len() == 1;
        match marker {
            tags::START_MESSAGE | tags::START_FAI | tags::END_MESSAGE if top => Ok(()),
            tags::START_RECIP => {
                self.seen.recipients += Count::new(u64::from(top));
                self.enter(Kind::Recipient, MESSAGES)
            }
            tags::END_RECIP => self.leave(Kind::Recipient),
            tags::NEW_ATTACH => {
                self.seen.attachments += Count::new(u64::from(top));
                self.enter(Kind::Attachment, MESSAGES)
            }
            tags::END_ATTACH => self.leave(Kind::Attachment),
            tags::START_EMBED => {
                self.seen.embedded += Count::new(1);
                self.enter(Kind::Embedded, &[Kind::Attachment])
            }
            tags::END_EMBED => self.leave(Kind::Embedded),
            _ => Err(Lost),
        }
    }
}

/// The hash of an object: what it holds, sorted.
fn digest(mut frame: Frame) -> [u8; 32] {
    frame.entries.sort_unstable();
    let mut hash = Sha256::new();
    for entry in &frame.entries {
        hash.update(entry);
    }
    hash.finalize().into()
}

/// The beginning of a property's hash: its canonical name and type.
fn named(which: &Which, kind: u16) -> Sha256 {
    let mut hash = Sha256::new();
    match which {
        Which::Tag(id) => {
            hash.update([1, 0]);
            hash.update(id.to_le_bytes());
        }
        Which::Number { set, number } => {
            hash.update([1, 1]);
            hash.update(set);
            hash.update(number.to_le_bytes());
        }
        Which::Name { set, name } => {
            hash.update([1, 2]);
            hash.update(set);
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
        }
    }
    hash.update(tags::canonical_type(kind).to_le_bytes());
    hash
}

fn name_of(which: &Which) -> PropertyName {
    match which {
        Which::Tag(id) => PropertyName::Tag(*id),
        Which::Number { set, number } => PropertyName::Number {
            set: *set,
            number: *number,
        },
        Which::Name { set, name } => {
            let units: Vec<u16> = name
                .chunks_exact(2)
                .map(|two| u16::from_le_bytes([two[0], two[1]]))
                .collect();
            PropertyName::Named {
                set: *set,
                name: String::from_utf16_lossy(&units),
            }
        }
    }
}

impl Visit for Digester {
    fn marker(&mut self, marker: u32) -> Result<(), Lost> {
        let done = self.act(marker);
        if done.is_err() {
            self.lost = true;
        }
        done
    }

    fn begin(&mut self, id: u16, which: Which, kind: u16) -> Result<(), Lost> {
        let plain = matches!(which, Which::Tag(_));
        let meta = plain && (0x4000..=0x40FF).contains(&id);
        let counts = !(meta || plain && tags::assigned_by_store(id));
        let identity = matches!(
            id,
            tags::SEARCH_KEY
                | tags::INTERNET_MESSAGE_ID
                | tags::MESSAGE_CLASS
                | tags::CLIENT_SUBMIT_TIME
        );
        let flags = plain && id == tags::MESSAGE_FLAGS && kind == tags::T_I32;
        let keep = flags || plain && identity && self.frames.len() == 1;
        let date = match which {
            Which::Number { set, number }
                if self.calendar.is_some()
                    && self.frames.len() == 1
                    && set == APPOINTMENT_SET
                    && is_wanted(number) =>
            {
                Some(number)
            }
            Which::Tag(_) | Which::Number { .. } | Which::Name { .. } => None,
        };
        let text = tags::canonical_type(kind) == tags::T_UNICODE;
        let name = (counts && self.outlines.is_some()).then(|| name_of(&which));
        self.open = Some(Open {
            id,
            kind,
            flags,
            hash: counts.then(|| named(&which, kind)),
            kept: (keep || date.is_some()).then(Vec::new),
            tail: text.then(Vec::new),
            name,
            date,
        });
        Ok(())
    }

    fn value(&mut self, length: u32) {
        let Some(open) = &mut self.open else { return };
        let several = open.kind & tags::CODE_PAGE == 0 && open.kind & tags::MULTI != 0;
        if let Some(hash) = open.hash.as_mut().filter(|_| several) {
            hash.update(length.to_le_bytes());
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let Some(open) = &mut self.open else { return };
        if let Some(kept) = &mut open.kept {
            kept.extend_from_slice(bytes);
            let most = if open.date.is_some() {
                limits::RECURRENCE_MAX
            } else {
                limits::STREAM_IDENTITY_MAX
            };
            if kept.len() > most {
                open.kept = None;
            }
        }
        if open.flags {
            return;
        }
        let Some(hash) = &mut open.hash else { return };
        let Some(tail) = &mut open.tail else {
            hash.update(bytes);
            return;
        };
        // The last two bytes wait: a terminator does not count.
        let ready = (tail.len() + bytes.len()).saturating_sub(2);
        let from_tail = ready.min(tail.len());
        hash.update(&tail[..from_tail]);
        tail.drain(..from_tail);
        let from_bytes = ready - from_tail;
        hash.update(&bytes[..from_bytes]);
        tail.extend_from_slice(&bytes[from_bytes..]);
    }

    fn end(&mut self) -> Result<(), Lost> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let flags = open.kept.as_deref().and_then(fixed_u32);
        if let Some(mut hash) = open.hash.take() {
            if open.flags {
                hash.update((flags.unwrap_or(0) & tags::FLAGS_THAT_COUNT).to_le_bytes());
            }
            if let Some(tail) = open.tail.take().filter(|tail| *tail != [0, 0]) {
                hash.update(tail);
            }
            let entry: [u8; 32] = hash.finalize().into();
            self.note_property(open.name.take(), entry);
            if self.enlist(entry).is_err() {
                self.lost = true;
                return Err(Lost);
            }
        }
        if let (Some(number), Some(calendar)) = (open.date, &mut self.calendar) {
            // Too long is not the same as absent: an empty value is never read as dates.
            calendar.insert(number, open.kept.take().unwrap_or_default());
        }
        if let Some(kept) = open.kept.filter(|_| self.frames.len() == 1) {
            self.seen.keep(open.id, open.kind, kept);
        }
        Ok(())
    }
}

fn fixed_u32(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_le_bytes)
}

/// Text of a string property, terminator removed; 8-bit text is read as UTF-8 with replacement.
fn text_of(kind: u16, bytes: &[u8]) -> Option<String> {
    let text = match kind {
        tags::T_UNICODE | tags::T_UNICODE_CP => {
            let units: Vec<u16> = bytes
                .chunks_exact(2)
                .map(|two| u16::from_le_bytes([two[0], two[1]]))
                .collect();
            String::from_utf16_lossy(&units)
        }
        tags::T_STRING8 => String::from_utf8_lossy(bytes).into_owned(),
        kind if kind & tags::CODE_PAGE != 0 => String::from_utf8_lossy(bytes).into_owned(),
        _ => return None,
    };
    Some(text.trim_end_matches('\0').to_owned())
}

impl Seen {
    fn keep(&mut self, id: u16, kind: u16, value: Vec<u8>) {
        match (id, kind) {
            (tags::SEARCH_KEY, tags::T_BINARY) => self.search_key = Some(value),
            (tags::INTERNET_MESSAGE_ID, kind) => {
                self.message_id = text_of(kind, &value).filter(|text| !text.is_empty());
            }
            (tags::MESSAGE_CLASS, kind) => self.class = text_of(kind, &value),
            (tags::CLIENT_SUBMIT_TIME, tags::T_TIME) => {
                self.submitted = value.try_into().ok().map(u64::from_le_bytes);
            }
            (tags::MESSAGE_FLAGS, tags::T_I32) => self.flags = fixed_u32(&value),
            _ => {}
        }
    }
}
