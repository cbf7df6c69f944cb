//! Takes Base64 out of a reply of any size as it arrives, with bounded memory. What is not data is kept as a small skeleton that the ordinary
//! reader judges at the end.
//!
//! Data counts only when the closing Envelope was read, its message says success, and it decoded whole.

use std::ops::Range;

use crate::base::limits;
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::Bytes;
use crate::wire::base64::{Base64Error, Decoder};
use crate::wire::ews::classify::{self, Hints, Place};
use crate::wire::ews::reply::{self, Message, NoReply, Operation};

/// Where in a reply the data is. Paths are local names from the response message down.
#[derive(Debug)]
pub(super) struct Rule {
    /// Local name of the response, e.g. `ExportItemsResponse`.
    pub(super) response: &'static str,
    /// Length of the longest path that matters.
    pub(super) depth: usize,
    /// True for the path of an element that is data.
    pub(super) holds: fn(&[Vec<u8>]) -> bool,
    /// True for a path inside which nothing but data is kept.
    pub(super) mutes: fn(&[Vec<u8>]) -> bool,
}

/// Longest reference inside data, e.g. `#x0000D`.
const REFERENCE_MAX: usize = 12;

/// What came out of a chunk of the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// The data of this message begins.
    Begin(usize),
    /// Decoded bytes of the message that began last.
    Piece(Vec<u8>),
}

/// Where the scanner stands inside the XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    /// After `<`, until it is clear what begins.
    Markup,
    /// Inside a tag; the quote that is open, if any.
    Tag(Option<u8>),
    /// Inside `<?...?>`.
    Instruction,
    Comment,
    CData,
    /// `<!DOCTYPE` and the like.
    Declaration,
}

/// How the data of one message ended.
pub(super) type DataEnd = Result<Bytes, Base64Error>;

/// A message, and how its data ended where there was any.
pub(super) type Judged<P> = (Message<P>, Option<DataEnd>);

/// The splitter. Feed it the body of the answer, then ask it to finish.
#[derive(Debug)]
pub(super) struct Splitter {
    rule: &'static Rule,
    state: State,
    /// The part of the reply that is no data.
    skeleton: Vec<u8>,
    /// Where in the skeleton the markup being read begins.
    markup: usize,
    /// Local names of open elements, down to the depth that matters.
    path: Vec<Vec<u8>>,
    /// Open elements below that depth.
    deeper: usize,
    /// Messages that began so far.
    messages: usize,
    /// The data being read.
    open: Option<Decoder>,
    /// A reference inside data, as far as it came.
    reference: Option<Vec<u8>>,
    /// Per message, how its data ended; at most one each.
    ends: Vec<(usize, DataEnd)>,
    too_large: bool,
}

/// Envelope, Body, the response, ResponseMessages.
const LIST_DEPTH: usize = 4;

impl Splitter {
    /// A splitter at the beginning of a reply.
    pub(super) fn new(rule: &'static Rule) -> Self {
        Self {
            rule,
            state: State::Text,
            skeleton: Vec::new(),
            markup: 0,
            path: Vec::new(),
            deeper: 0,
            messages: 0,
            open: None,
            reference: None,
            ends: Vec::new(),
            too_large: false,
        }
    }

    /// Takes the next chunk. What it gives is never longer than the chunk.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Vec<Split> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < chunk.len() && !self.too_large {
            let in_data = self.open.is_some();
            at = match self.state {
                State::Text if in_data => self.data_text(chunk, at, &mut out),
                State::CData if in_data => self.data_cdata(chunk, at, &mut out),
                State::Text => self.plain_text(chunk, at),
                _ => self.in_markup(chunk[at], at, &mut out),
            };
        }
        out
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.skeleton.len() + bytes.len() > limits::EXPORT_SKELETON_MAX {
            self.too_large = true;
        } else {
            self.skeleton.extend_from_slice(bytes);
        }
    }

    fn plain_text(&mut self, chunk: &[u8], at: usize) -> usize {
        let rest = &chunk[at..];
        let length = rest.iter().position(|b| *b == b'<');
        if !self.muted() {
            self.keep(&rest[..length.unwrap_or(rest.len())]);
        }
        match length {
            Some(length) => {
                self.begin_markup();
                at + length + 1
            }
            None => chunk.len(),
        }
    }

    fn begin_markup(&mut self) {
        self.markup = self.skeleton.len();
        self.keep(b"<");
        self.state = State::Markup;
    }

    /// Text of a data element: references are resolved, everything else goes to the decoder.
    fn data_text(&mut self, chunk: &[u8], at: usize, out: &mut Vec<Split>) -> usize {
        if let Some(mut name) = self.reference.take() {
            let byte = chunk[at];
            if byte == b';' {
                self.decode(&[referenced(&name)], out);
                return at + 1;
            }
            if byte != b'<' && name.len() < REFERENCE_MAX {
                name.push(byte);
                self.reference = Some(name);
                return at + 1;
            }
            // A reference that does not end is no Base64.
            self.decode(&[0], out);
        }
        let rest = &chunk[at..];
        let special = memchr::memchr2(b'<', b'&', rest);
        self.decode(&rest[..special.unwrap_or(rest.len())], out);
        match special {
            Some(length) if rest[length] == b'&' => {
                self.reference = Some(Vec::new());
                at + length + 1
            }
            Some(length) => {
                self.begin_markup();
                at + length + 1
            }
            None => chunk.len(),
        }
    }

    /// A CDATA section inside data. Its text goes to the decoder; `]]>` ends it.
    fn data_cdata(&mut self, chunk: &[u8], at: usize, out: &mut Vec<Split>) -> usize {
        let rest = &chunk[at..];
        match rest.iter().position(|b| matches!(b, b']' | b'>')) {
            Some(0) if rest[0] == b'>' => {
                if self.skeleton.ends_with(b"]]") {
                    self.drop_markup();
                } else {
                    self.decode(b">", out);
                    self.skeleton.truncate(self.markup);
                }
                at + 1
            }
            Some(0) => {
                // Brackets are never Base64, so only the end of the section may hold them.
                self.keep(b"]");
                at + 1
            }
            end => {
                let end = end.unwrap_or(rest.len());
                if self.skeleton.ends_with(b"]") {
                    self.decode(&[0], out);
                    self.skeleton.truncate(self.markup);
                }
                self.decode(&rest[..end], out);
                at + end
            }
        }
    }

    fn decode(&mut self, text: &[u8], out: &mut Vec<Split>) {
        if let Some(decoder) = &mut self.open {
            let mut bytes = Vec::new();
            decoder.push(text, &mut bytes);
            give(bytes, out);
        }
    }

    /// Names of open elements from the response message down; empty outside the list of messages.
    fn inside(&self) -> &[Vec<u8>] {
        let list = ["Envelope", "Body", self.rule.response, "ResponseMessages"];
        let in_list = self.path.len() > LIST_DEPTH
            && self.path.iter().zip(list).all(|(a, b)| a == b.as_bytes());
        self.path
            .get(LIST_DEPTH..)
            .filter(|_| in_list)
            .unwrap_or_default()
    }

    fn muted(&self) -> bool {
        let inside = self.inside();
        !inside.is_empty() && (self.rule.mutes)(inside)
    }

    /// Comments, instructions and CDATA marks inside data leave no trace.
    fn drop_markup(&mut self) {
        if self.open.is_some() || self.muted() {
            self.skeleton.truncate(self.markup);
        }
        self.state = State::Text;
    }

    fn in_markup(&mut self, byte: u8, at: usize, out: &mut Vec<Split>) -> usize {
        if self.state == State::Markup && !matches!(byte, b'!' | b'?') && self.markup_len() == 1 {
            self.state = State::Tag(None);
        }
        self.keep(&[byte]);
        if self.too_large {
            return at + 1;
        }
        let so_far = self.skeleton.get(self.markup..).unwrap_or_default();
        match self.state {
            State::Markup => self.what_begins(),
            State::Tag(None) if byte == b'>' => self.end_tag(out),
            State::Tag(None) if matches!(byte, b'"' | b'\'') => self.state = State::Tag(Some(byte)),
            State::Tag(Some(quote)) if byte == quote => self.state = State::Tag(None),
            State::Instruction if so_far.ends_with(b"?>") => self.drop_markup(),
            State::Comment if so_far.len() >= 7 && so_far.ends_with(b"-->") => self.drop_markup(),
            State::CData if so_far.ends_with(b"]]>") => self.drop_markup(),
            State::Declaration if byte == b'>' => self.drop_markup(),
            _ => {}
        }
        self.forget_long_comments();
        at + 1
    }

    fn markup_len(&self) -> usize {
        self.skeleton.len() - self.markup
    }

    /// A comment inside data may be as long as it likes: only its mark and its last bytes are needed.
    fn forget_long_comments(&mut self) {
        let held = matches!(self.state, State::Comment | State::Instruction);
        if held && self.open.is_some() && self.markup_len() > 64 {
            let tail = self.skeleton.len() - 4;
            self.skeleton.drain(self.markup + 8..tail);
        }
    }

    fn what_begins(&mut self) {
        let so_far = self.skeleton.get(self.markup..).unwrap_or_default();
        self.state = match so_far {
            b"<?" => State::Instruction,
            b"<!--" => State::Comment,
            b"<![CDATA[" => State::CData,
            _ if b"<!--".starts_with(so_far) || b"<![CDATA[".starts_with(so_far) => State::Markup,
            _ if so_far.ends_with(b">") => State::Text,
            _ => State::Declaration,
        };
        if self.state == State::CData && self.open.is_some() {
            // Inside data only the section's text matters.
            self.skeleton.truncate(self.markup);
        }
    }

    fn end_tag(&mut self, out: &mut Vec<Split>) {
        self.state = State::Text;
        let tag = self.skeleton.get(self.markup..).unwrap_or_default();
        let closing = tag.get(1) == Some(&b'/');
        let empty = tag.len() > 2 && tag[tag.len() - 2] == b'/';
        let name = tag[local_name(tag)].to_vec();
        let muted_before = self.muted();
        let mut data = self.open.is_some();
        if closing {
            self.leave(out);
        } else {
            self.enter(name, out);
            data |= self.open.is_some();
            if empty {
                self.leave(out);
            }
        }
        if muted_before && self.muted() && !data {
            self.skeleton.truncate(self.markup);
        }
    }

    fn enter(&mut self, name: Vec<u8>, out: &mut Vec<Split>) {
        if self.open.is_some() {
            // An element inside data: whatever this is, it is not Base64.
            self.decode(&[0], out);
            self.deeper += 1;
            return;
        }
        if self.deeper > 0 || self.path.len() >= LIST_DEPTH + self.rule.depth {
            self.deeper += 1;
            return;
        }
        self.path.push(name);
        let inside = self.inside();
        if inside.len() == 1 {
            self.messages += 1;
        } else if !inside.is_empty() && (self.rule.holds)(inside) {
            let index = self.messages - 1;
            if self.ends.last().is_none_or(|(last, _)| *last != index) {
                out.push(Split::Begin(index));
            }
            self.open = Some(Decoder::new());
        }
    }

    fn leave(&mut self, out: &mut Vec<Split>) {
        if self.deeper > 0 {
            self.deeper -= 1;
            return;
        }
        if self.reference.take().is_some() {
            self.decode(&[0], out);
        }
        if let Some(decoder) = self.open.take() {
            let mut bytes = Vec::new();
            let end = decoder.finish(&mut bytes);
            give(bytes, out);
            let index = self.messages - 1;
            match self.ends.last_mut() {
                // Two data elements in one message: neither is believed.
                Some((last, known)) if *last == index => *known = Err(Base64Error::Character),
                _ => self.ends.push((index, end)),
            }
        }
        self.path.pop();
    }

    /// Ends the reply: one message per thing asked for, in their order, and how its data ended; or why none of them counts. `status` and
    /// `hints` are the answer's.
    pub(super) fn finish<O: Operation>(
        self,
        status: u16,
        hints: Hints,
        asked: usize,
    ) -> Result<Vec<Judged<O::Payload>>, Setback> {
        let fail = |why: &NoReply| Err(classify::no_reply(status, hints, why, Place::Batch));
        if self.too_large {
            return fail(&NoReply::Misread(MisreadCause::TooLarge));
        }
        let reply = match reply::read::<O>(&self.skeleton) {
            Ok(reply) if status == 200 && reply.messages.len() == asked => reply,
            Ok(_) => return fail(&NoReply::Misread(MisreadCause::Incomplete)),
            Err(why) => return fail(&why),
        };
        let ends = self.ends;
        let with_end = |(index, message)| {
            let end = ends.iter().find(|(at, _)| *at == index);
            (message, end.map(|(_, end)| *end))
        };
        Ok(reply
            .messages
            .into_iter()
            .enumerate()
            .map(with_end)
            .collect())
    }
}

/// The setback of the whole call where one message speaks of the whole mailbox or store: it is asked again with patience, and nobody is blamed.
pub(super) fn outage<P>(messages: &[Judged<P>]) -> Option<Setback> {
    messages.iter().find_map(|(message, _)| match message {
        Message::Refused(refused) if classify::is_outage(refused) => {
            Some(classify::refused(refused, Place::Batch))
        }
        Message::Refused(_) | Message::Done(_) | Message::Incomplete => None,
    })
}

/// How much data came, or why it does not count.
pub(super) fn length(end: Option<DataEnd>) -> Result<Bytes, Setback> {
    let misread = |why| Err(Setback::Misread(why, Said::default()));
    match end {
        Some(Ok(length)) => Ok(length),
        Some(Err(Base64Error::Truncated)) => Err(Setback::Truncated),
        Some(Err(_)) => misread(MisreadCause::Malformed),
        None => misread(MisreadCause::Incomplete),
    }
}

fn give(bytes: Vec<u8>, out: &mut Vec<Split>) {
    match out.last_mut() {
        _ if bytes.is_empty() => {}
        Some(Split::Piece(last)) => last.extend(bytes),
        _ => out.push(Split::Piece(bytes)),
    }
}

/// Where in a tag its local name is.
fn local_name(tag: &[u8]) -> Range<usize> {
    let start = if tag.get(1) == Some(&b'/') { 2 } else { 1 };
    let stop = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'/' | b'>');
    let rest = tag.get(start..).unwrap_or_default();
    let end = start + rest.iter().position(stop).unwrap_or(rest.len());
    let colon = tag[start..end].iter().rposition(|b| *b == b':');
    start + colon.map_or(0, |c| c + 1)..end
}

/// The byte a reference stands for inside Base64; zero, which is no Base64, for anything else.
fn referenced(name: &[u8]) -> u8 {
    let text = std::str::from_utf8(name).unwrap_or_default();
    let code = match text.strip_prefix("#x").or_else(|| text.strip_prefix("#X")) {
        Some(hex) => u8::from_str_radix(hex, 16).ok(),
        None => text.strip_prefix('#').and_then(|n| n.parse().ok()),
    };
    code.filter(u8::is_ascii).unwrap_or(0)
}
