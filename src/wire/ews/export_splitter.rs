//! Reads an ExportItems reply of any size with bounded memory: the content of `m:Data` leaves decoded as it arrives; everything else is
//! kept as a small skeleton that the ordinary reader judges at the end.
//!
//! An item counts only when the closing Envelope was read, its message says success, and its data decoded whole and not empty.

use std::ops::Range;

use crate::base::id::ItemId;
use crate::base::limits;
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::Bytes;
use crate::wire::base64::{Base64Error, Decoder};
use crate::wire::ews::classify::{self, Hints, Place};
use crate::wire::ews::export_items::{ExportItems, Exported};
use crate::wire::ews::reply::{self, Message, NoReply};

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
type DataEnd = Result<Bytes, Base64Error>;

/// The splitter. Feed it the body of the answer, then ask it to finish.
#[derive(Debug)]
pub struct ExportSplitter {
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

/// Envelope, Body, ExportItemsResponse, ResponseMessages, the message, its Data.
const DATA_PATH: [&[u8]; 4] = [
    b"Envelope",
    b"Body",
    b"ExportItemsResponse",
    b"ResponseMessages",
];

impl Default for ExportSplitter {
    fn default() -> Self {
        Self::new()
    }
}

impl ExportSplitter {
    /// A splitter at the beginning of a reply.
    pub fn new() -> Self {
        Self {
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
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Split> {
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
        self.keep(&rest[..length.unwrap_or(rest.len())]);
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

    /// Comments, instructions and CDATA marks inside data leave no trace.
    fn drop_markup(&mut self) {
        if self.open.is_some() {
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
        if closing {
            self.leave(out);
        } else {
            self.enter(name, out);
            if empty {
                self.leave(out);
            }
        }
    }

    fn enter(&mut self, name: Vec<u8>, out: &mut Vec<Split>) {
        if self.open.is_some() {
            // An element inside data: whatever this is, it is not Base64.
            self.decode(&[0], out);
            self.deeper += 1;
            return;
        }
        if self.deeper > 0 || self.path.len() > DATA_PATH.len() + 1 {
            self.deeper += 1;
            return;
        }
        self.path.push(name);
        let in_list = self.path.len() > DATA_PATH.len()
            && self.path.iter().zip(DATA_PATH).all(|(a, b)| a == b);
        if !in_list {
            return;
        }
        match self.path.get(DATA_PATH.len() + 1) {
            None => self.messages += 1,
            Some(name) if name == b"Data" => {
                let index = self.messages - 1;
                if self.ends.last().is_none_or(|(last, _)| *last != index) {
                    out.push(Split::Begin(index));
                }
                self.open = Some(Decoder::new());
            }
            Some(_) => {}
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

    /// Ends the reply: one entry per id asked for, in their order; or why none of them counts. `status` and `hints` are the answer's.
    pub fn finish(
        self,
        status: u16,
        hints: Hints,
        asked: &[ItemId],
    ) -> Result<Vec<Result<Bytes, Setback>>, Setback> {
        let fail = |why: &NoReply| Err(classify::no_reply(status, hints, why, Place::Batch));
        if self.too_large {
            return fail(&NoReply::Misread(MisreadCause::TooLarge));
        }
        let reply = match reply::read::<ExportItems>(&self.skeleton) {
            Ok(reply) if status == 200 => reply,
            Ok(_) => return fail(&NoReply::Misread(MisreadCause::Incomplete)),
            Err(why) => return fail(&why),
        };
        if reply.messages.len() != asked.len() || swapped(&reply.messages, asked) {
            return fail(&NoReply::Misread(MisreadCause::Incomplete));
        }
        // An outage that shows on one item is the call's: it is asked again with patience, and no item is blamed.
        let outage = |m: &Message<Exported>| match m {
            Message::Refused(refused) if classify::is_outage(refused) => {
                Some(classify::refused(refused, Place::Batch))
            }
            Message::Refused(_) | Message::Done(_) | Message::Incomplete => None,
        };
        if let Some(setback) = reply.messages.iter().find_map(outage) {
            return Err(setback);
        }
        let ends = self.ends;
        let judge = |(index, message): (usize, Message<Exported>)| {
            message.into_result(Place::Item)?;
            let end = ends.iter().find(|(at, _)| *at == index).map(|(_, e)| *e);
            let misread = |why| Err(Setback::Misread(why, Said::default()));
            match end {
                Some(Ok(length)) if length > Bytes::ZERO => Ok(length),
                Some(Err(Base64Error::Truncated)) => Err(Setback::Truncated),
                Some(Err(_)) => misread(MisreadCause::Malformed),
                Some(Ok(_)) | None => misread(MisreadCause::Incomplete),
            }
        };
        Ok(reply.messages.into_iter().enumerate().map(judge).collect())
    }
}

/// True when a message names an item that was asked for at another place: then no place can be trusted.
fn swapped(messages: &[Message<Exported>], asked: &[ItemId]) -> bool {
    messages
        .iter()
        .zip(asked)
        .any(|(message, own)| match message {
            Message::Done(Exported { id: Some(id), .. }) => id != own && asked.contains(id),
            Message::Done(_) | Message::Refused(_) | Message::Incomplete => false,
        })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::outcome::StopCause;
    use crate::wire::base64;
    use crate::wire::ews::export_items::ExportReplyWriter;
    use crate::wire::ews::reply::Refused;
    use crate::wire::soap::{self, Fault, ServerVersion};

    const VERSION: ServerVersion = ServerVersion {
        major: 15,
        minor: 1,
        build: 2507,
        revision: 6,
    };

    type Outcome = Result<Vec<Result<Bytes, Setback>>, Setback>;

    /// What a sink would have kept per message, and the verdict.
    fn split(reply: &[u8], cut: usize, asked: usize) -> (Vec<Vec<u8>>, Outcome) {
        let mut splitter = ExportSplitter::new();
        let mut kept: Vec<Vec<u8>> = vec![Vec::new(); asked];
        let mut open = 0;
        for chunk in reply.chunks(cut.max(1)) {
            let pieces = splitter.push(chunk);
            let given: usize = pieces
                .iter()
                .map(|p| {
                    if let Split::Piece(bytes) = p {
                        bytes.len()
                    } else {
                        0
                    }
                })
                .sum();
            assert!(given <= chunk.len() + 3, "never more than came in");
            for piece in pieces {
                match piece {
                    Split::Begin(index) => open = index,
                    Split::Piece(bytes) => {
                        if let Some(kept) = kept.get_mut(open) {
                            kept.extend(bytes);
                        }
                    }
                }
            }
        }
        let ids: Vec<ItemId> = (0..asked).map(|n| ItemId::new(format!("id{n}"))).collect();
        (kept, splitter.finish(200, Hints::default(), &ids))
    }

    fn reply_of(messages: &[Result<&str, &str>]) -> String {
        let mut w = ExportReplyWriter::new(&VERSION);
        let mut text = String::new();
        for (n, message) in messages.iter().enumerate() {
            match message {
                Ok(data) => {
                    text += &w.begin_item(&ItemId::new(format!("id{n}")));
                    text += data;
                    text += &w.end_item();
                }
                Err(code) => text += &w.refuse(&Refused::error(code)),
            }
        }
        text + &w.finish()
    }

    fn misread(why: MisreadCause) -> Setback {
        Setback::Misread(why, Said::default())
    }

    #[test]
    fn each_message_is_judged_by_itself() {
        let reply = reply_of(&[
            Ok("QUJD"),
            Err("ErrorItemNotFound"),
            Ok(" Q<!-- > c -->U\r\n<![CDATA[I]]>&#xD;&#61;<?p x?>"),
            Ok("QUJD=== Truncated Data ==="),
            Ok("QUI"),
            Ok(""),
            Ok("<x>QUJD</x>"),
            Ok("QUJD&amp;"),
            Ok("QUJD<![CDATA[]>]]>"),
        ]);
        for cut in 1..reply.len() {
            let (kept, outcome) = split(reply.as_bytes(), cut, 9);
            let want = vec![
                Ok(Bytes::new(3)),
                Err(Setback::Gone),
                Ok(Bytes::new(2)),
                Err(Setback::Truncated),
                Err(misread(MisreadCause::Malformed)),
                Err(misread(MisreadCause::Incomplete)),
                Err(misread(MisreadCause::Malformed)),
                Err(misread(MisreadCause::Malformed)),
                Err(misread(MisreadCause::Malformed)),
            ];
            assert_eq!(outcome, Ok(want), "cut {cut}");
            assert_eq!(
                (kept[0].as_slice(), kept[2].as_slice()),
                (&b"ABC"[..], &b"AB"[..])
            );
        }
    }

    #[test]
    fn no_item_of_a_cut_off_reply_counts() {
        let reply = reply_of(&[Ok("QUJD"), Ok("QUJD")]);
        for end in 0..reply.len() {
            let (_, outcome) = split(&reply.as_bytes()[..end], 7, 2);
            let said = Said::status(200);
            assert_eq!(
                outcome,
                Err(Setback::Misread(MisreadCause::CutOff, said)),
                "{end}"
            );
        }
    }

    #[test]
    fn faults_pages_and_wrong_counts_fail_the_call() {
        let fault = Fault {
            code: "ErrorImpersonationDenied".to_owned(),
            ..Fault::default()
        };
        let fault = soap::write_fault(&fault, "no");
        let mut splitter = ExportSplitter::new();
        assert_eq!(splitter.push(fault.as_bytes()), vec![]);
        assert_eq!(
            splitter.finish(500, Hints::default(), &[ItemId::new("a")]),
            Err(Setback::SideClosed(
                StopCause::NoImpersonation,
                Said::new(500, "ErrorImpersonationDenied")
            ))
        );
        let page = b"<!DOCTYPE html><html><body>Sign in</body></html>";
        assert!(matches!(split(page, 5, 1).1, Err(Setback::SideClosed(..))));
        let short = reply_of(&[Ok("QUJD")]);
        let incomplete = Setback::Misread(MisreadCause::Incomplete, Said::status(200));
        assert_eq!(split(short.as_bytes(), 9, 2).1, Err(incomplete.clone()));
        let swapped = reply_of(&[Ok("QUJD"), Ok("QUJD")])
            .replace("\"id0\"", "\"idx\"")
            .replace("\"id1\"", "\"id0\"");
        assert_eq!(split(swapped.as_bytes(), 9, 2).1, Err(incomplete));
    }

    #[test]
    fn an_outage_that_shows_on_one_item_fails_the_call_and_blames_nobody() {
        let store = "ErrorMailboxStoreUnavailable";
        let reply = reply_of(&[Ok("QUJD"), Err(store), Err("ErrorBatchProcessingStopped")]);
        let unwell = Setback::Unwell(Said::code(store));
        assert_eq!(split(reply.as_bytes(), 9, 3).1, Err(unwell));
        let reply = reply_of(&[
            Err("ErrorTimeoutExpired"),
            Err("ErrorBatchProcessingStopped"),
        ]);
        let want = vec![
            Err(Setback::Unwell(Said::code("ErrorTimeoutExpired"))),
            Err(Setback::NotTried(Said::code("ErrorBatchProcessingStopped"))),
        ];
        assert_eq!(split(reply.as_bytes(), 9, 2).1, Ok(want));
    }

    #[test]
    fn the_skeleton_is_bounded_and_data_of_any_size_is_not() {
        let data = "QUJD".repeat(1_000_000);
        let reply = reply_of(&[Ok(&data)]);
        assert_eq!(
            split(reply.as_bytes(), 65_536, 1).1,
            Ok(vec![Ok(Bytes::new(3_000_000))])
        );
        let reply = reply_of(&[Err(&"E".repeat(limits::EXPORT_SKELETON_MAX))]);
        let too_large = Setback::Misread(MisreadCause::TooLarge, Said::status(200));
        assert_eq!(split(reply.as_bytes(), 65_536, 1).1, Err(too_large));
    }

    #[test]
    fn data_outside_the_message_namespace_does_not_count() {
        let reply = reply_of(&[Ok("QUJD")]).replace("m:Data", "t:Data");
        let (_, outcome) = split(reply.as_bytes(), 3, 1);
        assert_eq!(outcome, Ok(vec![Err(misread(MisreadCause::Incomplete))]));
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_result(
            items in proptest::collection::vec(
                proptest::option::of(proptest::collection::vec(any::<u8>(), 1..60)), 1..6),
            cut in 1usize..90,
            wrap in 1usize..70,
        ) {
            let texts: Vec<Option<String>> = items.iter().map(|item| {
                let text = base64::encode(item.as_ref()?);
                let lines: Vec<String> = text.as_bytes().chunks(wrap)
                    .map(|line| String::from_utf8_lossy(line).into_owned()).collect();
                Some(lines.join("&#xD;\n "))
            }).collect();
            let messages: Vec<Result<&str, &str>> = texts.iter()
                .map(|t| t.as_deref().ok_or("ErrorItemNotFound")).collect();
            let reply = reply_of(&messages);
            let (kept, outcome) = split(reply.as_bytes(), cut, items.len());
            prop_assert_eq!(&split(reply.as_bytes(), reply.len(), items.len()), &(kept.clone(), outcome.clone()));
            for (n, result) in outcome.expect("a whole reply").into_iter().enumerate() {
                if let Some(bytes) = &items[n] {
                    prop_assert_eq!(result, Ok(Bytes::new(bytes.len() as u64)));
                    prop_assert_eq!(&kept[n], bytes);
                } else {
                    prop_assert_eq!(result, Err(Setback::Gone));
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic_and_no_chunking_matters(
            text in "(</?(s:)?(Envelope|Body|ExportItemsResponse|ResponseMessages|ExportItemsResponseMessage|Data)( a='>')?/?>|<!--|-->|<!\\[CDATA\\[|\\]\\]>|[QUJD=&;#x<>!?\\]]){0,40}",
            cut in 1usize..20,
        ) {
            let whole = split(text.as_bytes(), text.len(), 2);
            prop_assert_eq!(split(text.as_bytes(), cut, 2), whole);
        }
    }
}
