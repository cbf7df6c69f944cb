//! GetAttachment, and the MIME form of an item by GetItem. The bytes may be as large as an item: the reply is read by a splitter and written piece by
//! piece.

use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::Bytes;
use crate::wire::ews::classify::{Hints, Place};
use crate::wire::ews::reply::{self, Message, Operation, Refused};
use crate::wire::ews::splitter::{self, DataEnd, Rule, Split, Splitter};
use crate::wire::ews::typed_attachment::{AttachmentRef, Kind};
use crate::wire::soap::ServerVersion;
use crate::wire::xml::{Element, Ns, Writer};

/// The request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetAttachment {
    /// True when embedded items are wanted in MIME form.
    pub mime: bool,
    /// Which attachments.
    pub ids: Vec<String>,
}

impl GetAttachment {
    /// Writes the body element.
    pub fn write(&self, w: &mut Writer) {
        w.open("m:GetAttachment", &[]);
        if self.mime {
            w.open("m:AttachmentShape", &[]);
            w.leaf("t:IncludeMimeContent", "true");
            w.close();
        }
        w.open("m:AttachmentIds", &[]);
        for id in &self.ids {
            w.empty("t:AttachmentId", &[("Id", id)]);
        }
        w.close();
        w.close();
    }

    /// Reads a body element that passed the schema.
    pub fn read(e: &Element) -> Self {
        let shape = e.m("AttachmentShape");
        let ids = e.m("AttachmentIds").map(|ids| ids.children.as_slice());
        Self {
            mime: shape
                .and_then(|shape| shape.t("IncludeMimeContent"))
                .and_then(Element::boolean)
                == Some(true),
            ids: (ids.unwrap_or_default().iter())
                .filter_map(|id| id.attr("Id").map(str::to_owned))
                .collect(),
        }
    }
}

/// What came for one id and how many bytes, or what stands in the way.
pub type Came = Result<(Attached, Bytes), Setback>;

/// What came: a file, or an item of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// A file.
    File,
    /// An item in MIME form.
    Item(Kind),
}

impl Operation for GetAttachment {
    const NAME: &'static str = "GetAttachment";
    const RESPONSE: &'static str = "m:GetAttachmentResponse";
    const MESSAGE: &'static str = "m:GetAttachmentResponseMessage";
    type Payload = Attached;

    fn read_payload(message: &Element) -> Option<Attached> {
        let own = message.m("Attachments")?.children.first()?;
        if own.is(Ns::Types, "FileAttachment") {
            return own.t("Content").map(|_| Attached::File);
        }
        let item = own.children.iter().find(|c| c.t("MimeContent").is_some())?;
        Kind::of_element(&item.name).map(Attached::Item)
    }

    fn write_payload(_: &Attached, _: &mut Writer) {}

    fn write_nothing(w: &mut Writer) {
        w.empty("m:Attachments", &[]);
    }
}

static ATTACHMENT: Rule = Rule {
    response: "GetAttachmentResponse",
    depth: 5,
    holds: |path| match path {
        [_, list, own, data] => {
            list == b"Attachments" && own == b"FileAttachment" && data == b"Content"
        }
        [_, list, own, _, data] => {
            list == b"Attachments" && own == b"ItemAttachment" && data == b"MimeContent"
        }
        _ => false,
    },
    // The properties of an embedded item come with it, text and all; we take its MIME form.
    mutes: |path| path.len() >= 4 && path[2] == b"ItemAttachment",
};

/// Reads the reply to GetAttachment.
#[derive(Debug)]
pub struct AttachmentSplitter(Splitter);

impl Default for AttachmentSplitter {
    fn default() -> Self {
        Self::new()
    }
}

impl AttachmentSplitter {
    /// A splitter at the beginning of a reply.
    pub fn new() -> Self {
        Self(Splitter::new(&ATTACHMENT))
    }

    /// Takes the next chunk. What it gives is never longer than the chunk.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Split> {
        self.0.push(chunk)
    }

    /// Ends the reply: what came for each id asked for, and how many bytes; or why none of it counts. `status` and `hints` are the answer's.
    pub fn finish(self, status: u16, hints: Hints, asked: usize) -> Result<Vec<Came>, Setback> {
        let messages = self.0.finish::<GetAttachment>(status, hints, asked)?;
        if let Some(setback) = splitter::outage(&messages) {
            return Err(setback);
        }
        let judge = |(message, end): (Message<Attached>, Option<DataEnd>)| {
            let what = message.into_result(Place::Item)?;
            let length = splitter::length(end)?;
            // A file may be empty; no item in MIME form is.
            if what != Attached::File && length == Bytes::ZERO {
                return Err(Setback::Misread(MisreadCause::Incomplete, Said::default()));
            }
            Ok((what, length))
        };
        Ok(messages.into_iter().map(judge).collect())
    }
}

/// GetItem, answered with the MIME form. The request is [`GetItem`](super::get_item::GetItem) with
/// [`Shape::mime`](super::shape::Shape::mime).
#[derive(Clone, Copy, Debug)]
pub struct GetMime;

impl Operation for GetMime {
    const NAME: &'static str = "GetItem";
    const RESPONSE: &'static str = "m:GetItemResponse";
    const MESSAGE: &'static str = "m:GetItemResponseMessage";
    type Payload = ();

    fn read_payload(message: &Element) -> Option<()> {
        let item = message.m("Items")?.children.first()?;
        item.t("MimeContent").map(|_| ())
    }

    fn write_payload((): &(), _: &mut Writer) {}

    fn write_nothing(w: &mut Writer) {
        w.empty("m:Items", &[]);
    }
}

static MIME: Rule = Rule {
    response: "GetItemResponse",
    depth: 4,
    holds: |path| path.len() == 4 && path[1] == b"Items" && path[3] == b"MimeContent",
    mutes: |_| false,
};

/// Reads the reply to GetItem about the MIME form of one item.
#[derive(Debug)]
pub struct MimeSplitter(Splitter);

impl Default for MimeSplitter {
    fn default() -> Self {
        Self::new()
    }
}

impl MimeSplitter {
    /// A splitter at the beginning of a reply.
    pub fn new() -> Self {
        Self(Splitter::new(&MIME))
    }

    /// Takes the next chunk. What it gives is never longer than the chunk.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Split> {
        self.0.push(chunk)
    }

    /// Ends the reply: how many bytes came, or why they do not count.
    pub fn finish(self, status: u16, hints: Hints) -> Result<Bytes, Setback> {
        let mut messages = self.0.finish::<GetMime>(status, hints, 1)?;
        let incomplete = Setback::Misread(MisreadCause::Incomplete, Said::default());
        let Some((message, end)) = messages.pop() else {
            return Err(incomplete);
        };
        message.into_result(Place::Item)?;
        let length = splitter::length(end)?;
        Some(length)
            .filter(|length| *length > Bytes::ZERO)
            .ok_or(incomplete)
    }
}

/// Writes a reply of GetAttachment, or one of GetItem with MIME forms, piece by piece: Base64 follows each `begin`, then `end`.
#[derive(Debug)]
pub struct DataReplyWriter {
    w: Writer,
    attachments: bool,
}

impl DataReplyWriter {
    /// Begins a reply of GetAttachment.
    pub fn attachments(version: &ServerVersion) -> Self {
        Self {
            w: reply::open::<GetAttachment>(version),
            attachments: true,
        }
    }

    /// Begins a reply of GetItem.
    pub fn mimes(version: &ServerVersion) -> Self {
        Self {
            w: reply::open::<GetMime>(version),
            attachments: false,
        }
    }

    /// Begins an attachment's bytes and returns the text so far. `kind` is that of an embedded item.
    pub fn begin(&mut self, own: &AttachmentRef, kind: Option<Kind>) -> String {
        reply::begin_success::<GetAttachment>(&mut self.w);
        self.w.open("m:Attachments", &[]);
        own.open(&mut self.w);
        if let Some(kind) = kind {
            self.w.open(kind.element(), &[]);
            self.w.open("t:MimeContent", &[("CharacterSet", "UTF-8")]);
        } else {
            self.w.open("t:Content", &[]);
        }
        self.w.take()
    }

    /// Begins an item's MIME form.
    pub fn begin_mime(&mut self) -> String {
        reply::begin_success::<GetMime>(&mut self.w);
        self.w.open("m:Items", &[]);
        self.w.open("t:Message", &[]);
        self.w.open("t:MimeContent", &[("CharacterSet", "UTF-8")]);
        self.w.take()
    }

    /// Ends what began last. After an embedded item's MIME form its `subject` follows, as one of its properties.
    pub fn end(&mut self, subject: Option<&str>) -> String {
        self.w.close();
        if let Some(subject) = subject {
            self.w.leaf("t:Subject", subject);
            self.w.close();
        }
        // The attachment and its list, or the item and its list; and the message around them.
        for _ in 0..3 {
            self.w.close();
        }
        self.w.take()
    }

    /// A message for what is not given.
    pub fn refuse(&mut self, refused: &Refused) -> String {
        if self.attachments {
            reply::write_refused::<GetAttachment>(refused, &mut self.w);
        } else {
            reply::write_refused::<GetMime>(refused, &mut self.w);
        }
        self.w.take()
    }

    /// Ends the reply.
    pub fn finish(self) -> String {
        self.w.finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::limits;
    use crate::base::typed::TypedAttachment;
    use crate::wire::base64;
    use crate::wire::ews::typed_attachment::What;

    const VERSION: ServerVersion = ServerVersion {
        major: 15,
        minor: 1,
        build: 2507,
        revision: 6,
    };

    type Outcome = Result<Vec<Came>, Setback>;
    type Given<'a> = Result<(Option<Kind>, &'a [u8]), &'a str>;

    fn own(what: What) -> AttachmentRef {
        AttachmentRef {
            id: "a+b/c=".to_owned(),
            what,
            own: TypedAttachment {
                name: "a<b>\u{1}".to_owned(),
                ..TypedAttachment::default()
            },
            size: Bytes::new(9),
            photo: false,
        }
    }

    /// A reply with these messages: bytes of a file, or of an item, or a code.
    fn reply_of(messages: &[Given<'_>]) -> String {
        let mut w = DataReplyWriter::attachments(&VERSION);
        let mut text = String::new();
        for message in messages {
            match message {
                Ok((kind, bytes)) => {
                    let what = kind.map_or(What::File, |_| What::Item);
                    text += &w.begin(&own(what), *kind);
                    text += &base64::encode(bytes);
                    text += &w.end(kind.map(|_| "a subject"));
                }
                Err(code) => text += &w.refuse(&Refused::error(code)),
            }
        }
        text + &w.finish()
    }

    fn split(reply: &[u8], cut: usize, asked: usize) -> (Vec<Vec<u8>>, Outcome) {
        let mut splitter = AttachmentSplitter::new();
        let mut kept: Vec<Vec<u8>> = vec![Vec::new(); asked];
        let mut open = 0;
        for chunk in reply.chunks(cut.max(1)) {
            for part in splitter.push(chunk) {
                match part {
                    Split::Begin(index) => open = index,
                    Split::Piece(bytes) => kept[open].extend(bytes),
                }
            }
        }
        (kept, splitter.finish(200, Hints::default(), asked))
    }

    #[test]
    fn files_items_and_refusals_keep_their_places() {
        let reply = reply_of(&[
            Ok((None, b"ABC")),
            Err("ErrorItemNotFound"),
            Ok((Some(Kind::Event), b"BEGIN")),
            Ok((None, b"")),
            Ok((Some(Kind::Message), b"")),
        ]);
        for cut in 1..reply.len() {
            let (kept, outcome) = split(reply.as_bytes(), cut, 5);
            assert_eq!(
                (kept[0].as_slice(), kept[2].as_slice()),
                (&b"ABC"[..], &b"BEGIN"[..])
            );
            let incomplete = Setback::Misread(MisreadCause::Incomplete, Said::default());
            let want = vec![
                Ok((Attached::File, Bytes::new(3))),
                Err(Setback::Gone),
                Ok((Attached::Item(Kind::Event), Bytes::new(5))),
                Ok((Attached::File, Bytes::ZERO)),
                Err(incomplete),
            ];
            assert_eq!(outcome, Ok(want), "cut {cut}");
        }
    }

    #[test]
    fn no_attachment_of_a_cut_off_reply_counts_and_a_missing_content_is_no_empty_file() {
        let reply = reply_of(&[Ok((None, b"ABC"))]);
        for end in 0..reply.len() {
            assert!(split(&reply.as_bytes()[..end], 7, 1).1.is_err(), "{end}");
        }
        let without = reply_of(&[Ok((None, b""))]).replace("<t:Content></t:Content>", "");
        let incomplete = Setback::Misread(MisreadCause::Incomplete, Said::default());
        assert_eq!(split(without.as_bytes(), 9, 1).1, Ok(vec![Err(incomplete)]));
        let of_the_store = reply_of(&[Ok((None, b"A")), Err("ErrorMailboxStoreUnavailable")]);
        assert!(split(of_the_store.as_bytes(), 9, 2).1.is_err());
    }

    #[test]
    fn what_else_an_embedded_item_says_takes_no_memory() {
        let more = format!(
            "<t:Body BodyType=\"HTML\">{}</t:Body><t:Attachments><t:FileAttachment><t:Content>QUJD</t:Content></t:FileAttachment>\
             </t:Attachments><t:Subject>",
            "x&lt;".repeat(limits::EXPORT_SKELETON_MAX)
        );
        let reply = reply_of(&[Ok((Some(Kind::Message), b"ABC"))]).replace("<t:Subject>", &more);
        let (kept, outcome) = split(reply.as_bytes(), 65_536, 1);
        assert_eq!(
            outcome,
            Ok(vec![Ok((Attached::Item(Kind::Message), Bytes::new(3)))])
        );
        assert_eq!(kept[0], b"ABC");
    }

    #[test]
    fn a_mime_form_is_read_and_an_empty_one_is_none() {
        for (bytes, whole) in [(&b"From: a"[..], true), (b"", false)] {
            let mut w = DataReplyWriter::mimes(&VERSION);
            let text = w.begin_mime() + &base64::encode(bytes) + &w.end(None);
            let text = text + &w.finish();
            let mut splitter = MimeSplitter::new();
            let mut kept = Vec::new();
            for part in text.as_bytes().chunks(5).flat_map(|c| splitter.push(c)) {
                if let Split::Piece(piece) = part {
                    kept.extend(piece);
                }
            }
            assert_eq!(kept, bytes);
            assert_eq!(splitter.finish(200, Hints::default()).is_ok(), whole);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_no_chunking_matters(
            text in "(</?(s:)?(Envelope|Body|GetAttachmentResponse|ResponseMessages|GetAttachmentResponseMessage|Attachments|FileAttachment|ItemAttachment|Message|Content|MimeContent)( a='>')?/?>|<!--|-->|<!\\[CDATA\\[|\\]\\]>|[QUJD=&;#x<>!?\\]]){0,40}",
            cut in 1usize..20,
        ) {
            let run = |cut: usize| {
                let mut splitter = AttachmentSplitter::new();
                let mut got: Vec<(usize, Vec<u8>)> = Vec::new();
                for part in text.as_bytes().chunks(cut).flat_map(|c| splitter.push(c)) {
                    match part {
                        Split::Begin(index) => got.push((index, Vec::new())),
                        Split::Piece(bytes) => got.last_mut().expect("begun").1.extend(bytes),
                    }
                }
                (got, splitter.finish(200, Hints::default(), 2))
            };
            prop_assert_eq!(run(cut), run(text.len().max(1)));
        }
    }
}
