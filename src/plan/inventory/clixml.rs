//! Objects out of CLIXML, what `Export-Clixml` writes: one at a time, each property with its line and column.
//!
//! Nested objects become what they print (`ToString`), lists become lists. References to earlier objects are followed; their texts are kept
//! under a bound. Elements nobody asks for are passed over.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use quick_xml::events::{BytesStart, Event};

use super::columns::Header;
use super::decode::{Decoder, Position};
use super::sheet::Record;
use crate::base::limits::{
    CLIXML_REFERENCE_BYTES_MAX, CLIXML_REFERENCES_MAX, INVENTORY_CELL_MAX, INVENTORY_COLUMNS_MAX,
    XML_DEPTH_MAX,
};

/// Why the document stops being objects.
#[derive(Debug)]
pub(super) enum ClixmlFault {
    /// Reading failed.
    Io(io::Error),
    /// Not well-formed from here.
    Malformed(Position),
    /// The end is missing.
    CutOff(Position),
    /// Deeper or larger than any honest one.
    TooLarge(Position),
}

/// A decoder that knows where it is, and stops before one event fills the memory.
#[derive(Debug)]
struct Lined<'d, 'r> {
    decoder: &'d mut Decoder<'r>,
    here: Position,
    since: usize,
}

/// Bytes of one event: a cell, escaped at worst six-fold (`&quot;`).
const EVENT_MAX: usize = INVENTORY_CELL_MAX * 6;

impl Read for Lined<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(out)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Lined<'_, '_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > EVENT_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.decoder.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        let text = self.decoder.text().as_bytes();
        let n = n.min(text.len());
        self.here.over(&text[..n]);
        self.since += n;
        self.decoder.consume(n);
    }
}

/// What an element says: what it prints, or what it lists.
#[derive(Clone, Debug, Default)]
struct Flat {
    text: String,
    list: Option<Vec<String>>,
}

/// A property of an object.
struct Property {
    name: String,
    value: Flat,
    at: Position,
}

/// A document that is read object by object.
pub(super) struct Clixml<'d, 'r> {
    xml: quick_xml::Reader<Lined<'d, 'r>>,
    buffer: Vec<u8>,
    began: bool,
    /// Elements around the next object: `Objs`, and a list that holds the objects.
    around: usize,
    type_name: Option<String>,
    known: BTreeMap<u64, Flat>,
    known_bytes: usize,
    /// True when an object was referred to that is not kept.
    lost_reference: bool,
    after_text: bool,
}

impl std::fmt::Debug for Clixml<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clixml").finish_non_exhaustive()
    }
}

/// An event without its bytes.
enum Step {
    Open(Tag),
    Close,
    Text(String),
    End,
}

struct Tag {
    name: Vec<u8>,
    prop: Option<String>,
    reference: Option<u64>,
    empty: bool,
}

type Answer<T> = Result<T, ClixmlFault>;

impl<'d, 'r> Clixml<'d, 'r> {
    /// A reader at the document's beginning.
    pub(super) fn new(decoder: &'d mut Decoder<'r>) -> Self {
        let lined = Lined {
            decoder,
            here: Position::START,
            since: 0,
        };
        Self {
            xml: quick_xml::Reader::from_reader(lined),
            buffer: Vec::new(),
            began: false,
            around: 0,
            type_name: None,
            known: BTreeMap::new(),
            known_bytes: 0,
            lost_reference: false,
            after_text: false,
        }
    }

    /// The type of the first object.
    pub(super) fn type_name(&self) -> Option<&str> {
        self.type_name.as_deref()
    }

    /// The decoder, for its encoding and what it found odd.
    pub(super) fn decoder(&self) -> &Decoder<'r> {
        self.xml.get_ref().decoder
    }

    /// True when a value was left out because it refers to an object that is not kept.
    pub(super) fn lost_reference(&self) -> bool {
        self.lost_reference
    }

    /// Where the next event begins.
    fn here(&self) -> Position {
        let mut here = self.xml.get_ref().here;
        // After a text the parser has taken the `<` of what follows, too.
        if self.after_text {
            here.column = here.column.saturating_sub(1).max(1);
        }
        here
    }

    /// Reads the next object into `record`; its properties find their columns in `header`, which grows. False at the end.
    pub(super) fn next(&mut self, header: &mut Header, record: &mut Record) -> Answer<bool> {
        record.clear();
        loop {
            let at = self.here();
            match self.step()? {
                Step::Open(tag) if !self.began => {
                    if tag.name != b"Objs" {
                        return Err(ClixmlFault::Malformed(at));
                    }
                    self.began = true;
                    self.around = usize::from(!tag.empty);
                }
                Step::Open(tag) if tag.name == b"Obj" && !tag.empty => {
                    let mut properties = Vec::new();
                    if self.object(&tag, 1, Some(&mut properties))?.is_none() {
                        // The objects are inside a list.
                        self.around += 2;
                        continue;
                    }
                    if fill(header, record, properties, at) {
                        return Ok(true);
                    }
                    return Err(ClixmlFault::TooLarge(at));
                }
                Step::Open(tag) => {
                    if !tag.empty {
                        self.skip(1)?;
                    }
                }
                Step::Close => self.around = self.around.saturating_sub(1),
                Step::Text(_) => {}
                Step::End if self.began && self.around == 0 => return Ok(false),
                Step::End => return Err(ClixmlFault::CutOff(at)),
            }
        }
    }

    fn step(&mut self) -> Answer<Step> {
        loop {
            self.buffer.clear();
            self.xml.get_mut().since = 0;
            let at = self.here();
            let event = match self.xml.read_event_into(&mut self.buffer) {
                Ok(event) => event,
                Err(quick_xml::Error::Io(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
                    return Err(ClixmlFault::TooLarge(at));
                }
                Err(quick_xml::Error::Io(error)) => {
                    return Err(ClixmlFault::Io(io::Error::new(
                        error.kind(),
                        error.to_string(),
                    )));
                }
                Err(quick_xml::Error::Syntax(_)) => return Err(ClixmlFault::CutOff(at)),
                Err(_) => return Err(ClixmlFault::Malformed(at)),
            };
            let malformed = || ClixmlFault::Malformed(at);
            self.after_text = matches!(event, Event::Text(_));
            return Ok(match event {
                Event::Start(start) => Step::Open(tag(&start, false).ok_or_else(malformed)?),
                Event::Empty(start) => Step::Open(tag(&start, true).ok_or_else(malformed)?),
                Event::End(_) => Step::Close,
                Event::Text(text) => {
                    Step::Text(text.decode().map_err(|_| malformed())?.into_owned())
                }
                Event::CData(data) => {
                    Step::Text(data.decode().map_err(|_| malformed())?.into_owned())
                }
                Event::GeneralRef(entity) => {
                    let name = entity.decode().map_err(|_| malformed())?;
                    let text = match entity.resolve_char_ref() {
                        Ok(Some(c)) => c.to_string(),
                        Ok(None) => quick_xml::escape::resolve_predefined_entity(&name)
                            .ok_or_else(malformed)?
                            .to_owned(),
                        Err(_) => return Err(malformed()),
                    };
                    Step::Text(text)
                }
                Event::Eof => Step::End,
                Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => continue,
            });
        }
    }

    /// Passes over the rest of an element.
    fn skip(&mut self, depth: usize) -> Answer<()> {
        let mut open = 1_usize;
        while open > 0 {
            match self.step()? {
                Step::Open(tag) if !tag.empty => open += 1,
                Step::Close => open -= 1,
                Step::End => return Err(ClixmlFault::CutOff(self.here())),
                Step::Open(_) | Step::Text(_) => {}
            }
            if depth + open > XML_DEPTH_MAX {
                return Err(ClixmlFault::TooLarge(self.here()));
            }
        }
        Ok(())
    }

    /// The text of an element without children.
    fn leaf(&mut self, depth: usize) -> Answer<String> {
        let mut out = String::new();
        loop {
            match self.step()? {
                Step::Text(text) => {
                    if out.len() + text.len() > EVENT_MAX {
                        return Err(ClixmlFault::TooLarge(self.here()));
                    }
                    out.push_str(&text);
                }
                Step::Close => return Ok(unescape(&out)),
                Step::Open(tag) => {
                    if !tag.empty {
                        self.skip(depth + 1)?;
                    }
                }
                Step::End => return Err(ClixmlFault::CutOff(self.here())),
            }
        }
    }

    /// Any value: primitive, object, reference, nothing.
    fn value(&mut self, tag: &Tag, depth: usize) -> Answer<Flat> {
        if depth > XML_DEPTH_MAX {
            return Err(ClixmlFault::TooLarge(self.here()));
        }
        match tag.name.as_slice() {
            b"Ref" => {
                if !tag.empty {
                    self.skip(depth)?;
                }
                let known = tag.reference.and_then(|id| self.known.get(&id));
                self.lost_reference |= known.is_none();
                Ok(known.cloned().unwrap_or_default())
            }
            b"Obj" if !tag.empty => Ok(self.object(tag, depth, None)?.unwrap_or_default()),
            _ if tag.empty => Ok(Flat::default()),
            _ => Ok(Flat {
                text: self.leaf(depth)?,
                list: None,
            }),
        }
    }

    /// The inside of an `Obj`. `None`: it is a list at the top, its objects come next.
    fn object(
        &mut self,
        tag: &Tag,
        depth: usize,
        mut top: Option<&mut Vec<Property>>,
    ) -> Answer<Option<Flat>> {
        let mut flat = Flat::default();
        let mut printed = false;
        loop {
            match self.step()? {
                Step::Open(child) => match child.name.as_slice() {
                    b"TN" if !child.empty => self.type_names(depth + 1)?,
                    b"ToString" if !child.empty => {
                        flat.text = self.leaf(depth + 1)?;
                        printed = true;
                    }
                    b"LST" | b"IE" | b"QUE" | b"STK" => match &top {
                        Some(properties) if properties.is_empty() && !child.empty => {
                            return Ok(None);
                        }
                        _ => flat.list = Some(self.list(&child, depth + 1)?),
                    },
                    b"MS" | b"Props" if !child.empty => match &mut top {
                        Some(properties) => self.properties(properties, depth + 1)?,
                        None => self.skip(depth + 1)?,
                    },
                    b"TNRef" | b"DCT" => {
                        if !child.empty {
                            self.skip(depth + 1)?;
                        }
                    }
                    _ => {
                        let value = self.value(&child, depth + 1)?;
                        if !printed {
                            flat.text = value.text;
                        }
                    }
                },
                Step::Text(_) => {}
                Step::Close => break,
                Step::End => return Err(ClixmlFault::CutOff(self.here())),
            }
        }
        self.remember(tag.reference, &flat);
        Ok(Some(flat))
    }

    fn remember(&mut self, id: Option<u64>, flat: &Flat) {
        let Some(id) = id else { return };
        let list: usize = flat.list.iter().flatten().map(|s| s.len() + 24).sum();
        let bytes = flat.text.len() + list;
        let room = self.known.len() < CLIXML_REFERENCES_MAX
            && self.known_bytes + bytes <= CLIXML_REFERENCE_BYTES_MAX;
        if room {
            self.known_bytes += bytes;
            self.known.insert(id, flat.clone());
        }
    }

    fn type_names(&mut self, depth: usize) -> Answer<()> {
        loop {
            match self.step()? {
                Step::Open(child) if child.empty => {}
                Step::Open(_) => {
                    let name = self.leaf(depth + 1)?;
                    self.type_name
                        .get_or_insert(name.chars().take(200).collect());
                }
                Step::Close => return Ok(()),
                Step::Text(_) => {}
                Step::End => return Err(ClixmlFault::CutOff(self.here())),
            }
        }
    }

    fn list(&mut self, tag: &Tag, depth: usize) -> Answer<Vec<String>> {
        let mut out = Vec::new();
        let mut bytes = 0;
        if tag.empty {
            return Ok(out);
        }
        loop {
            match self.step()? {
                Step::Open(child) => {
                    let value = self.value(&child, depth + 1)?;
                    bytes += value.text.len() + 24;
                    if bytes > EVENT_MAX {
                        return Err(ClixmlFault::TooLarge(self.here()));
                    }
                    if !value.text.is_empty() {
                        out.push(value.text);
                    }
                }
                Step::Text(_) => {}
                Step::Close => return Ok(out),
                Step::End => return Err(ClixmlFault::CutOff(self.here())),
            }
        }
    }

    fn properties(&mut self, out: &mut Vec<Property>, depth: usize) -> Answer<()> {
        loop {
            let at = self.here();
            match self.step()? {
                Step::Open(mut child) => {
                    let name = child.prop.take();
                    let value = self.value(&child, depth + 1)?;
                    if let Some(name) = name {
                        if out.len() >= INVENTORY_COLUMNS_MAX {
                            return Err(ClixmlFault::TooLarge(at));
                        }
                        out.push(Property { name, value, at });
                    }
                }
                Step::Text(_) => {}
                Step::Close => return Ok(()),
                Step::End => return Err(ClixmlFault::CutOff(self.here())),
            }
        }
    }
}

fn tag(start: &BytesStart<'_>, empty: bool) -> Option<Tag> {
    let mut out = Tag {
        name: start.local_name().as_ref().to_vec(),
        prop: None,
        reference: None,
        empty,
    };
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        match attribute.key.as_ref() {
            b"N" => out.prop = Some(unescape(&attribute.unescape_value().ok()?)),
            b"RefId" => out.reference = attribute.unescape_value().ok()?.parse().ok(),
            _ => {}
        }
    }
    Some(out)
}

/// Puts properties into their columns; false where there are too many columns.
fn fill(header: &mut Header, record: &mut Record, properties: Vec<Property>, at: Position) -> bool {
    let mut placed: BTreeMap<usize, Property> = BTreeMap::new();
    for property in properties {
        let field = match header.find(&property.name) {
            Some(field) => field,
            None if header.len() < INVENTORY_COLUMNS_MAX => {
                header.push(&property.name);
                header.len() - 1
            }
            None => return false,
        };
        // `Props` come first, `MS` may repeat a name: the first counts.
        placed.entry(field).or_insert(property);
    }
    for field in 0..header.len() {
        match placed.remove(&field) {
            Some(Property { value, at, .. }) => match value.list {
                Some(list) => record.push_list(list, at),
                None => record.push(&value.text, at),
            },
            None => record.push("", at),
        }
    }
    true
}

/// Resolves `_x000A_`, the way CLIXML writes what XML has no character for.
fn unescape(text: &str) -> String {
    if !text.contains("_x") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut units: Vec<u16> = Vec::new();
    let mut rest = text;
    loop {
        let unit = rest.strip_prefix("_x").and_then(|tail| {
            let hex = tail.get(..4)?;
            let plain = hex.bytes().all(|b| b.is_ascii_hexdigit());
            let after = tail[4..].strip_prefix('_')?;
            plain.then(|| Some((u16::from_str_radix(hex, 16).ok()?, after)))?
        });
        if let Some((unit, after)) = unit {
            units.push(unit);
            rest = after;
            continue;
        }
        out.push_str(&String::from_utf16_lossy(&units));
        units.clear();
        let Some(c) = rest.chars().next() else {
            return out;
        };
        // To the next underscore in one step.
        let step = rest[c.len_utf8()..]
            .find('_')
            .map_or(rest.len(), |at| at + c.len_utf8());
        out.push_str(&rest[..step]);
        rest = &rest[step..];
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn read(text: &str) -> Answer<Vec<String>> {
        let mut input = text.as_bytes();
        let mut decoder = Decoder::new(&mut input).expect("readable");
        let mut clixml = Clixml::new(&mut decoder);
        let (mut header, mut record) = (Header::default(), Record::default());
        let mut out = Vec::new();
        while clixml.next(&mut header, &mut record)? {
            let mut line = String::new();
            for field in 0..record.len() {
                let at = record.at(field);
                let value = match record.list(field) {
                    Some(list) => format!("{list:?}"),
                    None => record.text(field).to_owned(),
                };
                write!(
                    line,
                    "{}={value}@{}:{} ",
                    header.name(field),
                    at.line,
                    at.column
                )
                .expect("a string grows");
            }
            out.push(line.trim_end().to_owned());
        }
        if let Some(name) = clixml.type_name() {
            out.push(name.to_owned());
        }
        Ok(out)
    }

    const HEAD: &str =
        "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">\n";

    #[test]
    fn objects_become_rows_with_lists_and_printed_values() {
        let text = format!(
            "<?xml version=\"1.0\"?>\n{HEAD}\
             <Obj RefId=\"0\"><TN RefId=\"0\"><T>Deserialized.Mailbox</T><T>System.Object</T></TN>\n\
             <ToString>Anna</ToString><Props>\n  <S N=\"DisplayName\">M&#xFC;ller &amp; Co_x000A_x _x005F_</S>\n\
             \x20 <Obj N=\"EmailAddresses\" RefId=\"1\"><TNRef RefId=\"0\" /><LST><S>SMTP:a@x.example</S><Obj RefId=\"5\"><ToString>smtp:b@x.example</ToString></Obj></LST></Obj>\n\
             \x20 <Nil N=\"Alias\" /><Obj N=\"TotalItemSize\" RefId=\"2\"><ToString>1 KB (1,024 bytes)</ToString><Props><I64 N=\"Value\">7</I64></Props></Obj>\n\
             </Props></Obj>\n\
             <Obj RefId=\"3\"><MS><S N=\"Alias\">b</S><Ref N=\"TotalItemSize\" RefId=\"2\" /></MS></Obj>\n</Objs>"
        );
        insta::assert_debug_snapshot!(read(&text).expect("readable"), @r#"
        [
            "DisplayName=Müller & Co\nx _@5:3 EmailAddresses=[\"SMTP:a@x.example\", \"smtp:b@x.example\"]@6:3 Alias=@7:3 TotalItemSize=1 KB (1,024 bytes)@7:20",
            "DisplayName=@9:1 EmailAddresses=@9:1 Alias=b@9:20 TotalItemSize=1 KB (1,024 bytes)@9:38",
            "Deserialized.Mailbox",
        ]
        "#);
    }

    #[test]
    fn a_list_at_the_top_is_its_objects() {
        let text = format!(
            "{HEAD}<Obj RefId=\"0\"><LST><Obj RefId=\"1\"><MS><S N=\"Alias\">a</S></MS></Obj>\
             <Obj RefId=\"2\"><MS><S N=\"Alias\">b</S></MS></Obj></LST></Obj></Objs>"
        );
        assert_eq!(
            read(&text).expect("readable"),
            ["Alias=a@2:40", "Alias=b@2:88"]
        );
    }

    #[test]
    fn documents_that_end_early_or_nest_too_deep_are_faults() {
        for (text, want) in [
            (HEAD.to_owned(), "CutOff"),
            (format!("{HEAD}<Obj><MS><S N=\"a\">x"), "CutOff"),
            (
                format!("{HEAD}<Obj><MS><S N=\"a\">x</MS></Obj></Objs>"),
                "Malformed",
            ),
            (
                format!("{HEAD}<Obj><MS><S N=\"a\">&nope;</S></MS></Obj></Objs>"),
                "Malformed",
            ),
            ("<html></html>".to_owned(), "Malformed"),
            (
                format!("{HEAD}<Obj><MS>{}", "<Obj N=\"x\"><LST>".repeat(200)),
                "TooLarge",
            ),
            (
                format!(
                    "{HEAD}<Obj><MS><S N=\"a\">{}",
                    "x".repeat(EVENT_MAX + 100_000)
                ),
                "TooLarge",
            ),
        ] {
            let fault = format!("{:?}", read(&text).expect_err("a fault"));
            assert!(
                fault.starts_with(want),
                "{fault} {}",
                &text[..text.len().min(300)]
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_document_is_answered(text in "(<Objs>|<Obj RefId=\"1\">|<LST>|</LST>|<MS>|<S N=\"a\">|x|</S>|<Ref N=\"b\" RefId=\"1\"/>|</MS>|</Obj>|</Objs>|&amp;|_x00|\\PC){0,40}") {
            let _ = read(&text);
        }
    }
}
