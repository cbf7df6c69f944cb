//! XML in: a small owned tree for documents that fit in memory. `xml_writer` is the way out.
//!
//! Exchange writes characters that XML forbids, mostly as references (`&#x1F;`), sometimes raw (reference/ews.md section 6). The tolerant
//! reader puts U+FFFD in their place and counts them; the strict one, which the lab uses on requests, refuses them.
//! What EWS means by the elements is the business of `wire::soap` and `wire::ews`.

use std::borrow::Cow;

use quick_xml::NsReader;
use quick_xml::errors::IllFormedError;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use thiserror::Error;

use crate::base::limits;
pub use crate::wire::xml_writer::Writer;

/// The envelope of SOAP 1.1.
pub const NS_SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// Operations and response messages.
pub const NS_MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
/// Everything below them.
pub const NS_TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
/// Details of faults.
pub const NS_ERRORS: &str = "http://schemas.microsoft.com/exchange/services/2006/errors";

/// The namespaces EWS uses. Prefixes are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ns {
    /// [`NS_SOAP`].
    Soap,
    /// [`NS_MESSAGES`].
    Messages,
    /// [`NS_TYPES`].
    Types,
    /// [`NS_ERRORS`].
    Errors,
    /// No namespace.
    None,
    /// Any other.
    Other,
}

impl Ns {
    fn of(uri: &[u8], manner: Manner) -> Self {
        let soap_typo = b"https://schemas.xmlsoap.org/soap/envelope/";
        match uri {
            u if u == NS_SOAP.as_bytes() => Self::Soap,
            u if u == NS_MESSAGES.as_bytes() => Self::Messages,
            u if u == NS_TYPES.as_bytes() => Self::Types,
            u if u == NS_ERRORS.as_bytes() => Self::Errors,
            // Half of the published samples carry this misspelling; reading it harms nobody.
            u if u == soap_typo && manner == Manner::Tolerant => Self::Soap,
            b"" => Self::None,
            _ => Self::Other,
        }
    }
}

/// How to treat what XML forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Replace and count: for replies of a real server.
    Tolerant,
    /// Refuse: for requests to the lab.
    Strict,
}

/// Why bytes are not a document.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum XmlError {
    /// The bytes end before the root element does.
    #[error("the document ends before its closing element")]
    CutOff,
    /// It is a web page.
    #[error("a web page, not XML")]
    Html,
    /// It is not well-formed at this byte.
    #[error("not well-formed at byte {0}")]
    Malformed(usize),
    /// It holds a character, at this byte, that XML forbids. Only when read strictly.
    #[error("a forbidden character at byte {0}")]
    Forbidden(usize),
    /// It nests deeper, or has more elements, than any honest document.
    #[error("too deep or too many elements")]
    TooLarge,
}

/// One element. Text is kept where there are no child elements, all pieces joined, blanks untouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its namespace.
    pub ns: Ns,
    /// Its local name.
    pub name: String,
    /// Attributes without namespace declarations; prefixed ones keep their prefix.
    pub attrs: Vec<(String, String)>,
    /// Child elements in order.
    pub children: Vec<Element>,
    /// Its text.
    pub text: String,
    /// Byte offset of its start tag.
    pub at: usize,
}

impl Element {
    /// True for this namespace and local name.
    pub fn is(&self, ns: Ns, name: &str) -> bool {
        self.ns == ns && self.name == name
    }

    /// The first child of this name.
    pub fn child(&self, ns: Ns, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.is(ns, name))
    }

    /// The first child of this name in the types namespace.
    pub fn t(&self, name: &str) -> Option<&Self> {
        self.child(Ns::Types, name)
    }

    /// The first child of this name in the messages namespace.
    pub fn m(&self, name: &str) -> Option<&Self> {
        self.child(Ns::Messages, name)
    }

    /// The value of an attribute.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attrs
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The text as a boolean of XML Schema.
    pub fn boolean(&self) -> Option<bool> {
        match self.text.trim() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    /// The text as a whole number; `None` when it is none or negative.
    pub fn number(&self) -> Option<u64> {
        self.text.trim().parse().ok()
    }
}

/// A document that was read to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its root element.
    pub root: Element,
    /// Characters and broken byte sequences that were replaced by U+FFFD.
    pub replaced: u64,
}

/// True for characters that XML 1.0 admits.
pub fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// The text with U+FFFD in place of each character that XML forbids, and how many there were.
pub fn admissible(text: &str) -> (Cow<'_, str>, u64) {
    let bad = text.chars().filter(|c| !is_xml_char(*c)).count() as u64;
    if bad == 0 {
        return (Cow::Borrowed(text), 0);
    }
    let clean = text
        .chars()
        .map(|c| if is_xml_char(c) { c } else { '\u{FFFD}' })
        .collect();
    (Cow::Owned(clean), bad)
}

/// Reads a whole document.
pub fn read(bytes: &[u8], manner: Manner) -> Result<Document, XmlError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if looks_like_html(bytes) {
        return Err(XmlError::Html);
    }
    let (text, replaced) = decode(bytes, manner)?;
    TreeReader::new(&text, manner, replaced).read()
}

fn looks_like_html(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    let begins = |word: &[u8]| {
        start
            .get(..word.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    begins(b"<!doctype html") || begins(b"<html")
}

fn decode(bytes: &[u8], manner: Manner) -> Result<(Cow<'_, str>, u64), XmlError> {
    if manner == Manner::Strict {
        let text = std::str::from_utf8(bytes).map_err(|e| XmlError::Malformed(e.valid_up_to()))?;
        return match text.char_indices().find(|(_, c)| !is_xml_char(*c)) {
            Some((at, _)) => Err(XmlError::Forbidden(at)),
            None => Ok((Cow::Borrowed(text), 0)),
        };
    }
    let broken = bytes.utf8_chunks().filter(|c| !c.invalid().is_empty());
    let broken = broken.count() as u64;
    Ok(match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => {
            let (text, bad) = admissible(text);
            (text, bad)
        }
        Cow::Owned(text) => {
            let (clean, bad) = admissible(&text);
            (Cow::Owned(clean.into_owned()), bad + broken)
        }
    })
}

/// Longest reference in an attribute; what is longer is a stray ampersand.
const REFERENCE_MAX: usize = 16;

/// Builds the tree with an explicit stack: outside bytes never decide how deep we recurse.
struct TreeReader<'a> {
    text: &'a str,
    reader: NsReader<&'a [u8]>,
    manner: Manner,
    replaced: u64,
    stack: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl<'a> TreeReader<'a> {
    fn new(text: &'a str, manner: Manner, replaced: u64) -> Self {
        let mut reader = NsReader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.allow_dangling_amp = manner == Manner::Tolerant;
        Self {
            text,
            reader,
            manner,
            replaced,
            stack: Vec::new(),
            root: None,
            elements: 0,
        }
    }

    fn at(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn read(mut self) -> Result<Document, XmlError> {
        loop {
            let before = self.at();
            let (ns, event) = match self.reader.read_resolved_event() {
                Ok((ResolveResult::Bound(ns), event)) => {
                    (Ns::of(ns.into_inner(), self.manner), event)
                }
                Ok((ResolveResult::Unbound, event)) => (Ns::None, event),
                Ok((ResolveResult::Unknown(_), event)) => (Ns::Other, event),
                Err(error) => return Err(self.failure(&error)),
            };
            match event {
                Event::Start(tag) => self.start(ns, &tag, before)?,
                Event::End(_) => self.end(),
                // Expanded by the reader; never seen.
                Event::Empty(_) => return Err(XmlError::Malformed(before)),
                Event::Text(text) => self.characters(&String::from_utf8_lossy(&text), before)?,
                Event::CData(text) => self.characters(&String::from_utf8_lossy(&text), before)?,
                Event::GeneralRef(name) => {
                    let c = self.reference(&String::from_utf8_lossy(&name), before)?;
                    self.push_char(c, before)?;
                }
                Event::DocType(_) if self.manner == Manner::Strict => {
                    return Err(XmlError::Malformed(before));
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
                Event::Eof => return self.finish(before),
            }
        }
    }

    /// An error of the tokenizer at the end of the bytes means that they were cut off.
    fn failure(&self, error: &quick_xml::Error) -> XmlError {
        match error {
            quick_xml::Error::Syntax(_)
            | quick_xml::Error::IllFormed(IllFormedError::MissingEndTag(_)) => XmlError::CutOff,
            _ => XmlError::Malformed(self.at()),
        }
    }

    fn finish(self, at: usize) -> Result<Document, XmlError> {
        match (self.root, self.stack.is_empty()) {
            (Some(root), true) => Ok(Document {
                root,
                replaced: self.replaced,
            }),
            (None, true) if !self.text.trim().is_empty() && !self.text.contains('<') => {
                Err(XmlError::Malformed(at))
            }
            _ => Err(XmlError::CutOff),
        }
    }

    fn start(&mut self, ns: Ns, tag: &BytesStart<'_>, at: usize) -> Result<(), XmlError> {
        self.elements += 1;
        if self.stack.len() >= limits::XML_DEPTH_MAX || self.elements > limits::XML_ELEMENTS_MAX {
            return Err(XmlError::TooLarge);
        }
        if self.root.is_some() {
            return Err(XmlError::Malformed(at));
        }
        let name = String::from_utf8_lossy(tag.local_name().into_inner()).into_owned();
        let mut attrs = Vec::new();
        for (count, attr) in tag.attributes().enumerate() {
            let attr = attr.map_err(|_| XmlError::Malformed(at))?;
            // Each name is compared with all before it: without a bound, one tag could cost hours.
            if count >= limits::XML_ATTRIBUTES_MAX {
                return Err(XmlError::TooLarge);
            }
            let key = String::from_utf8_lossy(attr.key.into_inner());
            if key == "xmlns" || key.starts_with("xmlns:") {
                continue;
            }
            let value = self.unescape(&String::from_utf8_lossy(&attr.value), at)?;
            attrs.push((key.into_owned(), value));
        }
        self.stack.push(Element {
            ns,
            name,
            attrs,
            children: Vec::new(),
            text: String::new(),
            at,
        });
        Ok(())
    }

    fn end(&mut self) {
        let Some(mut done) = self.stack.pop() else {
            return;
        };
        // Text beside child elements is layout; the strict reader keeps it so that the schema can refuse anything else.
        if !done.children.is_empty() && self.manner == Manner::Tolerant {
            done.text = String::new();
        }
        match self.stack.last_mut() {
            Some(parent) => parent.children.push(done),
            None => self.root = Some(done),
        }
    }

    fn characters(&mut self, text: &str, at: usize) -> Result<(), XmlError> {
        match self.stack.last_mut() {
            Some(open) if text.contains('\r') => {
                // XML 1.0 section 2.11: line ends reach us as LF; a CR that matters comes as a reference.
                open.text
                    .push_str(&text.replace("\r\n", "\n").replace('\r', "\n"));
                Ok(())
            }
            Some(open) => {
                open.text.push_str(text);
                Ok(())
            }
            None if text.trim().is_empty() => Ok(()),
            None => Err(XmlError::Malformed(at)),
        }
    }

    fn push_char(&mut self, c: char, at: usize) -> Result<(), XmlError> {
        match self.stack.last_mut() {
            Some(open) => {
                open.text.push(c);
                Ok(())
            }
            None => Err(XmlError::Malformed(at)),
        }
    }

    /// The character a reference stands for; `name` is what is between `&` and `;`.
    fn reference(&mut self, name: &str, at: usize) -> Result<char, XmlError> {
        let Some(number) = name.strip_prefix('#') else {
            return match name {
                "amp" => Ok('&'),
                "lt" => Ok('<'),
                "gt" => Ok('>'),
                "quot" => Ok('"'),
                "apos" => Ok('\''),
                _ => self.forbidden(at),
            };
        };
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        match code.ok().and_then(char::from_u32) {
            Some(c) if is_xml_char(c) => Ok(c),
            _ => self.forbidden(at),
        }
    }

    fn forbidden(&mut self, at: usize) -> Result<char, XmlError> {
        match self.manner {
            Manner::Strict => Err(XmlError::Forbidden(at)),
            Manner::Tolerant => {
                self.replaced += 1;
                Ok('\u{FFFD}')
            }
        }
    }

    /// Attribute values: references resolved, white space normalised to blanks (XML 1.0 section 3.3.3).
    fn unescape(&mut self, raw: &str, at: usize) -> Result<String, XmlError> {
        let mut out = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(amp) = rest.find('&') {
            blanks(&rest[..amp], &mut out);
            rest = &rest[amp + 1..];
            let near = rest.bytes().take(REFERENCE_MAX).position(|b| b == b';');
            match near {
                Some(end) => {
                    let c = self.reference(&rest[..end], at)?;
                    out.push(c);
                    rest = &rest[end + 1..];
                }
                None => out.push(self.forbidden(at)?),
            }
        }
        blanks(rest, &mut out);
        Ok(out)
    }
}

fn blanks(text: &str, out: &mut String) {
    out.extend(text.chars().map(|c| match c {
        '\t' | '\n' | '\r' => ' ',
        other => other,
    }));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(text: &str) -> Element {
        let mut w = Writer::document();
        w.open("a", &[("k", text)]);
        w.leaf("b", text);
        read(w.finish().as_bytes(), Manner::Strict)
            .expect("what we write can be read")
            .root
    }

    #[test]
    fn forbidden_references_and_bytes_are_replaced_and_counted() {
        let doc = read(
            b"<a k='x&#x0;'>&#x1F;\x0B&#xFFFF;&nbsp;\xFFok</a>",
            Manner::Tolerant,
        )
        .expect("tolerated");
        assert_eq!(doc.root.text, "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}ok");
        assert_eq!(doc.root.attr("k"), Some("x\u{FFFD}"));
        assert_eq!(doc.replaced, 6);
        for bad in [
            "<a>&#x0;</a>",
            "<a>\u{B}</a>",
            "<a k='&#31;'/>",
            "<a>&b;</a>",
        ] {
            assert!(matches!(
                read(bad.as_bytes(), Manner::Strict),
                Err(XmlError::Forbidden(_))
            ));
        }
    }

    #[test]
    fn every_proper_prefix_of_a_document_is_cut_off() {
        let whole = "<?xml version=\"1.0\"?><s:a xmlns:s='u'><!-- c --><b k=\"v\">t&amp;<![CDATA[x]]></b></s:a>";
        for end in 0..whole.len() {
            let outcome = read(&whole.as_bytes()[..end], Manner::Tolerant);
            assert_eq!(outcome, Err(XmlError::CutOff), "{}", &whole[..end]);
        }
        assert!(read(whole.as_bytes(), Manner::Tolerant).is_ok());
    }

    #[test]
    fn what_is_no_document_is_named() {
        let cases: [(&str, XmlError); 7] = [
            ("<!DOCTYPE html><html></html>", XmlError::Html),
            ("  <HTML><body>", XmlError::Html),
            ("{\"error\":1}", XmlError::Malformed(0)),
            ("<a></b>", XmlError::Malformed(7)),
            ("<a/><b/>", XmlError::Malformed(4)),
            ("<a/>x", XmlError::Malformed(4)),
            ("<a k='1' k='2'/>", XmlError::Malformed(0)),
        ];
        for (text, want) in cases {
            assert_eq!(read(text.as_bytes(), Manner::Tolerant), Err(want), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "<a>".repeat(100_000);
        assert_eq!(
            read(deep.as_bytes(), Manner::Tolerant),
            Err(XmlError::TooLarge)
        );
    }

    #[test]
    fn neither_attributes_nor_stray_ampersands_cost_more_than_their_length() {
        let many: String =
            (0..100_000).fold("<a".to_owned(), |text, n| text + &format!(" a{n}=''"));
        assert_eq!(
            read(format!("{many}/>").as_bytes(), Manner::Tolerant),
            Err(XmlError::TooLarge)
        );
        let stray = format!("<a k='{}'/>", "&".repeat(1_000_000));
        let doc = read(stray.as_bytes(), Manner::Tolerant).expect("tolerated");
        assert_eq!(doc.replaced, 1_000_000);
    }

    #[test]
    fn pieces_of_text_are_joined_and_blanks_kept() {
        let doc = read(b"<a> x&#xD;\r\n<![CDATA[<y>]]>&gt; </a>", Manner::Tolerant).expect("fine");
        assert_eq!(doc.root.text, " x\r\n<y>> ");
    }

    proptest! {
        #[test]
        fn any_text_survives_writing_and_reading_except_what_xml_forbids(
            text in proptest::collection::vec(any::<char>(), 0..40)
        ) {
            let text: String = text.into_iter().collect();
            let root = round_trip(&text);
            let want = admissible(&text).0.into_owned();
            prop_assert_eq!(root.children[0].text.as_str(), want.as_str());
            prop_assert_eq!(root.attr("k"), Some(want.as_str()));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, Manner::Tolerant);
            let _ = read(&bytes, Manner::Strict);
        }

        #[test]
        fn no_markup_makes_the_reader_panic(text in "[<>&;#x0-9a-c'\"=/! \\[\\]?-]{0,60}") {
            let _ = read(text.as_bytes(), Manner::Tolerant);
            let _ = read(text.as_bytes(), Manner::Strict);
        }
    }
}
