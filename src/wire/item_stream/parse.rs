//! The push parser: container records outside, FastTransfer elements inside (reference/fts.md sections 1 and 2). Any chunking of the
//! input gives the same events. It holds a few bytes of the element at hand, never a value.

use super::tags::{self, Layout};
use crate::base::limits;

/// Which property begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// By its id, below 0x8000.
    Tag(u16),
    /// By property set and number.
    Number { set: [u8; 16], number: u32 },
    /// By property set and name, in UTF-16LE without terminator.
    Name { set: [u8; 16], name: Vec<u8> },
}

/// The reader must give up on the elements: what follows cannot be framed.
#[derive(Debug)]
pub(super) struct Lost;

/// Takes the events of a stream.
pub(super) trait Visit {
    /// A marker without value.
    fn marker(&mut self, marker: u32) -> Result<(), Lost>;
    /// A property or meta-property begins. Multi-valued ones have any number of values, none included.
    fn begin(&mut self, id: u16, which: Which, kind: u16) -> Result<(), Lost>;
    /// One value of this many bytes begins.
    fn value(&mut self, length: u32);
    /// Its next bytes.
    fn bytes(&mut self, bytes: &[u8]);
    /// The property ends.
    fn end(&mut self) -> Result<(), Lost>;
}

/// Where the element parser stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Tag,
    NameHead,
    Number,
    Name,
    Several,
    Length,
    Value,
    Lost,
}

/// The element parser.
#[derive(Debug)]
pub(super) struct Elements {
    at: At,
    /// Bytes of the fixed-size piece at hand.
    held: Vec<u8>,
    id: u16,
    kind: u16,
    set: [u8; 16],
    /// Values of this property still to come, the one at hand included.
    values_left: u32,
    /// Bytes of the value at hand still to come.
    bytes_left: u32,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}

impl Elements {
    const fn new() -> Self {
        Self {
            at: At::Tag,
            held: Vec::new(),
            id: 0,
            kind: 0,
            set: [0; 16],
            values_left: 0,
            bytes_left: 0,
        }
    }

    fn feed(&mut self, mut input: &[u8], visit: &mut impl Visit) {
        while !input.is_empty() && self.at != At::Lost {
            let step = match self.at {
                At::Value => {
                    self.pass(&mut input, visit);
                    Ok(())
                }
                At::Name => self.name(&mut input, visit),
                _ => self.collect(&mut input, visit),
            };
            let settled = step.and_then(|()| self.settle(visit));
            if settled.is_err() {
                self.at = At::Lost;
            }
        }
    }

    fn pass(&mut self, input: &mut &[u8], visit: &mut impl Visit) {
        let take = usize::try_from(self.bytes_left)
            .unwrap_or(usize::MAX)
            .min(input.len());
        let (now, rest) = input.split_at(take);
        visit.bytes(now);
        self.bytes_left -= u32::try_from(take).unwrap_or(self.bytes_left);
        *input = rest;
    }

    /// Reads the UTF-16 name of a named property up to its terminator.
    fn name(&mut self, input: &mut &[u8], visit: &mut impl Visit) -> Result<(), Lost> {
        let (byte, rest) = input.split_first().ok_or(Lost)?;
        self.held.push(*byte);
        *input = rest;
        if self.held.len().is_multiple_of(2) && self.held.ends_with(&[0, 0]) {
            let mut name = std::mem::take(&mut self.held);
            name.truncate(name.len() - 2);
            let which = Which::Name {
                set: self.set,
                name,
            };
            return self.begin(which, visit);
        }
        if self.held.len() > limits::STREAM_NAME_MAX {
            return Err(Lost);
        }
        Ok(())
    }

    /// Collects a piece of fixed size and acts on it when it is complete.
    fn collect(&mut self, input: &mut &[u8], visit: &mut impl Visit) -> Result<(), Lost> {
        let need = if self.at == At::NameHead { 17 } else { 4 };
        let take = (need - self.held.len()).min(input.len());
        self.held.extend_from_slice(&input[..take]);
        *input = &input[take..];
        if self.held.len() < need {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        let number = u32_at(&held, 0);
        match self.at {
            At::Tag => self.tag(number, visit),
            At::NameHead => {
                self.set.copy_from_slice(&held[..16]);
                self.at = match held[16] {
                    0 => At::Number,
                    1 => At::Name,
                    _ => return Err(Lost),
                };
                Ok(())
            }
            At::Number => {
                let set = self.set;
                self.begin(Which::Number { set, number }, visit)
            }
            At::Several => {
                self.values_left = number;
                self.next_value(visit)
            }
            At::Length => {
                self.bytes_left = number;
                visit.value(number);
                self.at = At::Value;
                Ok(())
            }
            At::Name | At::Value | At::Lost => Err(Lost),
        }
    }

    fn tag(&mut self, word: u32, visit: &mut impl Visit) -> Result<(), Lost> {
        let [k0, k1, i0, i1] = word.to_le_bytes();
        self.kind = u16::from_le_bytes([k0, k1]);
        self.id = u16::from_le_bytes([i0, i1]);
        let marker_or_meta = (0x4000..=0x40FF).contains(&self.id) && self.kind == tags::T_I32;
        if marker_or_meta && !matches!(word, tags::META_DEL_PROP | tags::META_EC_WARNING) {
            return visit.marker(word);
        }
        if self.id >= tags::NAMED_FROM {
            self.at = At::NameHead;
            return Ok(());
        }
        self.begin(Which::Tag(self.id), visit)
    }

    /// The property is known: what its type says comes next.
    fn begin(&mut self, which: Which, visit: &mut impl Visit) -> Result<(), Lost> {
        let (_, several) = tags::layout(self.kind).ok_or(Lost)?;
        visit.begin(self.id, which, self.kind)?;
        if several {
            self.at = At::Several;
            return Ok(());
        }
        self.values_left = 1;
        self.next_value(visit)
    }

    /// Goes to the first (or next) value, or to the end of the property.
    fn next_value(&mut self, visit: &mut impl Visit) -> Result<(), Lost> {
        if self.values_left == 0 {
            self.at = At::Tag;
            return visit.end();
        }
        match tags::layout(self.kind).ok_or(Lost)?.0 {
            Layout::Fixed(n) => {
                self.bytes_left = u32::from(n);
                visit.value(u32::from(n));
                self.at = At::Value;
            }
            Layout::Sized => self.at = At::Length,
        }
        Ok(())
    }

    /// Ends values whose bytes are all there, also those of no bytes.
    fn settle(&mut self, visit: &mut impl Visit) -> Result<(), Lost> {
        if self.at == At::Value && self.bytes_left == 0 {
            self.values_left -= 1;
            return self.next_value(visit);
        }
        Ok(())
    }

    fn between(&self) -> bool {
        self.at == At::Tag && self.held.is_empty()
    }
}

/// What the container said about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Framing {
    /// Records are complete, in a known order, and begin with the configuration.
    pub(super) sound: bool,
    /// The elements inside are complete and were all framed.
    pub(super) complete: bool,
    /// Records of a kind nobody told us of, and the element that could not be framed.
    pub(super) strange: u64,
}

/// The container parser, with the element parser inside.
#[derive(Debug)]
pub(super) struct Container {
    head: Vec<u8>,
    op: u32,
    left: u32,
    records: u64,
    strange: u64,
    sound: bool,
    elements: Elements,
}

impl Container {
    pub(super) const fn new() -> Self {
        Self {
            head: Vec::new(),
            op: 0,
            left: 0,
            records: 0,
            strange: 0,
            sound: true,
            elements: Elements::new(),
        }
    }

    pub(super) fn feed(&mut self, mut input: &[u8], visit: &mut impl Visit) {
        while !input.is_empty() {
            if self.left == 0 {
                let take = (8 - self.head.len()).min(input.len());
                self.head.extend_from_slice(&input[..take]);
                input = &input[take..];
                if self.head.len() == 8 {
                    self.record();
                }
                continue;
            }
            let take = usize::try_from(self.left)
                .unwrap_or(usize::MAX)
                .min(input.len());
            let (now, rest) = input.split_at(take);
            if self.op == tags::OP_TRANSFER_BUFFER && self.sound {
                self.elements.feed(now, visit);
            }
            self.left -= u32::try_from(take).unwrap_or(self.left);
            input = rest;
        }
    }

    fn record(&mut self) {
        self.op = u32_at(&self.head, 0);
        self.left = u32_at(&self.head, 4);
        self.head.clear();
        let first = self.records == 0;
        self.records += 1;
        let fits = match self.op {
            tags::OP_CONFIG => first && self.left == 8,
            tags::OP_INTERFACE => !first && self.left == 24,
            tags::OP_PARTNER_VERSION | tags::OP_TRANSFER_BUFFER => !first,
            _ => {
                self.strange += 1;
                !first
            }
        };
        self.sound &= fits;
    }

    pub(super) fn framing(&self) -> Framing {
        let sound = self.sound && self.records > 1 && self.left == 0 && self.head.is_empty();
        Framing {
            sound,
            complete: sound && self.strange == 0 && self.elements.between(),
            strange: self.strange + u64::from(self.elements.at == At::Lost),
        }
    }
}
