//! The parts of an item that can hurt somebody, out of its stream: attachments at any depth with their names, and the bodies.

use std::collections::VecDeque;

use super::parse::{Container, Lost, Visit, Which};
use super::tags;
use crate::base::limits;

/// PidTagAttachDataBinary or PidTagAttachDataObject.
const DATA: u16 = 0x3701;
/// PidTagAttachFilename.
const SHORT_NAME: u16 = 0x3704;
/// PidTagAttachLongFilename.
const LONG_NAME: u16 = 0x3707;
/// PidTagAttachMimeTag.
const MIME: u16 = 0x370E;
/// PidTagHtml.
const HTML: u16 = 0x1013;

/// Where a part was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An attachment.
    Attachment,
    /// The plain text of a message.
    Text,
    /// The HTML of a message.
    Html,
}

/// One part of an item.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it was.
    pub place: Place,
    /// How many messages lie around the one it is in; 0 for the item itself.
    pub depth: u8,
    /// Its file name, the long one where there is one.
    pub name: Option<String>,
    /// Its content type as the sender gave it.
    pub mime: Option<String>,
    /// Its bytes; of a text in UTF-8.
    pub data: Vec<u8>,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (place, depth, len) = (self.place, self.depth, self.data.len());
        write!(f, "Part({place:?}, depth {depth}, {len} bytes)")
    }
}

/// Reads the parts of a stream as it passes. Never fails: [`PartReader::finish`] says whether the stream was read to its end. Memory: the bytes of
/// parts that were not taken yet, never more than were fed.
#[derive(Debug)]
pub struct PartReader {
    container: Container,
    keeper: Keeper,
}

impl Default for PartReader {
    fn default() -> Self {
        Self::new()
    }
}

impl PartReader {
    /// A reader before the first byte.
    pub fn new() -> Self {
        Self {
            container: Container::new(),
            keeper: Keeper::default(),
        }
    }

    /// Takes the next bytes, in any portions.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.container.feed(bytes, &mut self.keeper);
    }

    /// The next part that is complete.
    pub fn take(&mut self) -> Option<Part> {
        self.keeper.ready.pop_front()
    }

    /// Ends the stream: true when every element of it was read.
    pub fn finish(&self) -> bool {
        self.container.framing().complete && !self.keeper.lost && self.keeper.inside.is_empty()
    }
}

/// An attachment that is being read.
#[derive(Debug, Default)]
struct Open {
    long: Option<String>,
    short: Option<String>,
    mime: Option<String>,
    data: Vec<Vec<u8>>,
}

#[derive(Debug)]
enum Inside {
    Recipient,
    Attachment(Open),
    Embedded,
}

/// What the value at hand is kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Data,
    Long,
    Short,
    Mime,
    Text,
    Html,
}

#[derive(Debug, Default)]
struct Keeper {
    inside: Vec<Inside>,
    field: Option<(Field, u16)>,
    held: Vec<u8>,
    ready: VecDeque<Part>,
    lost: bool,
}

impl Keeper {
    fn depth(&self) -> u8 {
        let embedded = |inside: &&Inside| matches!(inside, Inside::Embedded);
        let n = self.inside.iter().filter(embedded).count();
        u8::try_from(n).unwrap_or(u8::MAX)
    }

    fn step(&mut self, marker: u32) -> Option<()> {
        let in_message = matches!(self.inside.last(), None | Some(Inside::Embedded));
        match (marker, self.inside.last()) {
            (tags::START_MESSAGE | tags::START_FAI | tags::END_MESSAGE, None) => {}
            (tags::START_RECIP, _) if in_message => self.inside.push(Inside::Recipient),
            (tags::NEW_ATTACH, _) if in_message => {
                self.inside.push(Inside::Attachment(Open::default()));
            }
            (tags::START_EMBED, Some(Inside::Attachment(_))) => {
                let deep = usize::from(self.depth()) >= limits::EMBED_DEPTH_MAX;
                (!deep).then(|| self.inside.push(Inside::Embedded))?;
            }
            (tags::END_RECIP, Some(Inside::Recipient))
            | (tags::END_EMBED, Some(Inside::Embedded)) => drop(self.inside.pop()),
            (tags::END_ATTACH, Some(Inside::Attachment(_))) => {
                let depth = self.depth();
                if let Some(Inside::Attachment(open)) = self.inside.pop() {
                    self.close(open, depth);
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// An attachment without bytes (a message, a link) is a part too: its name may say enough.
    fn close(&mut self, open: Open, depth: u8) {
        let name = open.long.or(open.short);
        let mut data = open.data;
        if data.is_empty() && name.is_some() {
            data.push(Vec::new());
        }
        for data in data {
            self.ready.push_back(Part {
                place: Place::Attachment,
                depth,
                name: name.clone(),
                mime: open.mime.clone(),
                data,
            });
        }
    }

    fn keep(&mut self, field: Field, kind: u16) {
        let held = std::mem::take(&mut self.held);
        let place = match field {
            Field::Text => Some(Place::Text),
            Field::Html => Some(Place::Html),
            _ => None,
        };
        if let Some(place) = place {
            let data = match place {
                Place::Text => text(&held, kind).into_bytes(),
                _ => held,
            };
            let depth = self.depth();
            self.ready.push_back(Part {
                place,
                depth,
                name: None,
                mime: None,
                data,
            });
            return;
        }
        let Some(Inside::Attachment(open)) = self.inside.last_mut() else {
            return;
        };
        match field {
            Field::Data => open.data.push(held),
            Field::Long => open.long = Some(text(&held, kind)),
            Field::Short => open.short = Some(text(&held, kind)),
            Field::Mime => open.mime = Some(text(&held, kind)),
            Field::Text | Field::Html => {}
        }
    }
}

/// Text of any of the wire's kinds, without its terminator.
fn text(bytes: &[u8], kind: u16) -> String {
    let wide = matches!(kind & !tags::MULTI, tags::T_UNICODE) || kind == tags::T_UNICODE_CP;
    let mut text = if wide {
        from_wide(bytes)
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    };
    text.truncate(text.trim_end_matches('\0').len());
    text
}

/// UTF-16 as text. Most of it is ASCII, which is copied as it stands; no half of a pair looks like ASCII.
fn from_wide(bytes: &[u8]) -> String {
    const fn is_plain(two: &[u8]) -> bool {
        two[1] == 0 && two[0] < 0x80
    }
    let mut out = String::with_capacity(bytes.len() / 2);
    let mut rest = bytes;
    while rest.len() >= 2 {
        let plain = rest.chunks_exact(2).take_while(|two| is_plain(two)).count();
        let (ascii, more) = rest.split_at(plain * 2);
        let ascii: Vec<u8> = ascii.iter().step_by(2).copied().collect();
        out.push_str(std::str::from_utf8(&ascii).unwrap_or_default());
        let other = more
            .chunks_exact(2)
            .take_while(|two| !is_plain(two))
            .count();
        let (other, more) = more.split_at(other * 2);
        let units = other.chunks_exact(2);
        let units = units.map(|two| u16::from_le_bytes([two[0], two[1]]));
        out.extend(
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)),
        );
        rest = more;
    }
    out
}

impl Visit for Keeper {
    fn marker(&mut self, marker: u32) -> Result<(), Lost> {
        self.step(marker).ok_or_else(|| {
            self.lost = true;
            Lost
        })
    }

    fn begin(&mut self, _id: u16, which: Which, kind: u16) -> Result<(), Lost> {
        let Which::Tag(tag) = which else {
            self.field = None;
            return Ok(());
        };
        let field = match (self.inside.last(), tag) {
            (Some(Inside::Attachment(_)), DATA) => Some(Field::Data),
            (Some(Inside::Attachment(_)), LONG_NAME) => Some(Field::Long),
            (Some(Inside::Attachment(_)), SHORT_NAME) => Some(Field::Short),
            (Some(Inside::Attachment(_)), MIME) => Some(Field::Mime),
            (None | Some(Inside::Embedded), tags::BODY) => Some(Field::Text),
            (None | Some(Inside::Embedded), HTML) => Some(Field::Html),
            _ => None,
        };
        self.field = field.map(|field| (field, kind));
        Ok(())
    }

    fn value(&mut self, length: u32) {
        // Of several values each counts for itself.
        if let Some((field, kind)) = self.field
            && !self.held.is_empty()
        {
            self.keep(field, kind);
        }
        self.held.clear();
        if matches!(self.field, Some((Field::Data, _))) {
            // A length is a promise: no more is reserved at once than a body's piece.
            let most = usize::try_from(length).unwrap_or(usize::MAX);
            self.held.reserve(most.min(limits::BODY_PIECE));
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let Some((field, _)) = self.field else {
            return;
        };
        self.held.extend_from_slice(bytes);
        let named = matches!(field, Field::Long | Field::Short | Field::Mime);
        let most = limits::SIFT_NAME_MAX * 2;
        if named && self.held.len() > 2 * most {
            // The end of a name says what it is.
            let cut = (self.held.len() - most) & !1;
            self.held.drain(..cut);
        }
    }

    fn end(&mut self) -> Result<(), Lost> {
        if let Some((field, kind)) = self.field.take() {
            self.keep(field, kind);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::item_stream::{Attachment, Message, Prop, encode};
    use proptest::prelude::*;

    fn read(stream: &[u8], step: usize) -> (Vec<Part>, bool) {
        let mut reader = PartReader::new();
        let mut parts = Vec::new();
        for piece in stream.chunks(step.max(1)) {
            reader.feed(piece);
            parts.extend(std::iter::from_fn(|| reader.take()));
        }
        (parts, reader.finish())
    }

    fn file(name: &str, data: &[u8]) -> Attachment {
        Attachment {
            // The bytes before the names: their order is not ours to choose.
            props: vec![
                Prop::binary(DATA, data),
                Prop::text(SHORT_NAME, "SHORT~1.TXT"),
                Prop::text(LONG_NAME, name),
                Prop::text(MIME, "text/plain"),
            ],
            embedded: None,
        }
    }

    fn sample() -> Message {
        let inner = Message {
            props: vec![Prop::binary(HTML, b"<b>in</b>".as_slice())],
            attachments: vec![file("deep.bin", &[7; 70_000])],
            ..Message::default()
        };
        Message {
            props: vec![
                Prop::text(tags::BODY, "grüße"),
                Prop::binary(0x3701, b"not an attachment".as_slice()),
            ],
            recipients: vec![vec![Prop::text(LONG_NAME, "no.txt")]],
            attachments: vec![
                file("bericht.txt", b"hello"),
                Attachment {
                    props: vec![Prop::i32(0x3705, 5)],
                    embedded: Some(Box::new(inner)),
                },
            ],
        }
    }

    #[test]
    fn every_part_is_found_with_its_name_in_any_portions() {
        let stream = encode(&sample());
        for step in [1, 7, 4_096, stream.len()] {
            let (parts, whole) = read(&stream, step);
            assert!(whole);
            let told: Vec<_> = parts
                .iter()
                .map(|part| {
                    (
                        part.place,
                        part.depth,
                        part.name.as_deref(),
                        part.data.len(),
                    )
                })
                .collect();
            assert_eq!(
                told,
                [
                    (Place::Text, 0, None, "grüße".len()),
                    (Place::Attachment, 0, Some("bericht.txt"), 5),
                    (Place::Html, 1, None, 9),
                    (Place::Attachment, 1, Some("deep.bin"), 70_000),
                ]
            );
            assert_eq!(parts[0].data, "grüße".as_bytes());
        }
    }

    #[test]
    fn a_stream_that_ends_early_is_not_read_whole() {
        let stream = encode(&sample());
        for end in [stream.len() - 1, stream.len() / 2, 10, 0] {
            assert!(!read(&stream[..end], 100).1, "cut at {end}");
        }
    }

    #[test]
    fn the_end_of_an_endless_name_is_kept() {
        let name = format!("{}.exe", "a".repeat(40_000));
        let message = Message {
            attachments: vec![file(&name, b"x")],
            ..Message::default()
        };
        let (parts, whole) = read(&encode(&message), 1_000);
        assert!(whole);
        let kept = parts[0].name.as_deref().unwrap();
        assert!(
            kept.ends_with("a.exe") && kept.len() < 3_000,
            "{}",
            kept.len()
        );
    }

    proptest! {
        #[test]
        fn wide_text_reads_as_the_standard_library_reads_it(
            units in proptest::collection::vec(prop_oneof![0u16..0x80, 0x7Eu16..0x83, any::<u16>(), 0xD800u16..0xE000], 0..60),
        ) {
            let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            prop_assert_eq!(from_wide(&bytes), String::from_utf16_lossy(&units));
        }

        #[test]
        fn no_stream_panics_and_nothing_is_kept_that_was_not_fed(
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
            step in 1usize..5_000,
        ) {
            let mut stream = encode(&sample());
            for (at, value) in flips {
                let at = at.index(stream.len());
                stream[at] = value;
            }
            let (parts, _) = read(&stream, step);
            let kept: usize = parts.iter().map(|part| part.data.len()).sum();
            // A text may grow from UTF-16 to UTF-8, by half at most.
            prop_assert!(kept <= stream.len() * 3 / 2);
        }
    }
}
