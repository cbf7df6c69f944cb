//! XML out: a writer that cannot forget to escape or to close.

use std::fmt::Write as _;

use crate::wire::xml::is_xml_char;

/// Writes elements into a string. Text and attribute values are escaped; characters XML forbids become U+FFFD, since a server refuses
/// the whole request for one of them (reference/ews.md section 6).
#[derive(Debug, Default)]
pub struct Writer {
    out: String,
    open: Vec<&'static str>,
}

impl Writer {
    /// A writer that begins with the XML declaration.
    pub fn document() -> Self {
        Self {
            out: "<?xml version=\"1.0\" encoding=\"utf-8\"?>".to_owned(),
            open: Vec::new(),
        }
    }

    /// Begins an element, e.g. `m:GetFolder`.
    pub fn open(&mut self, name: &'static str, attrs: &[(&str, &str)]) {
        self.tag(name, attrs);
        self.out.push('>');
        self.open.push(name);
    }

    /// Ends the element that began last.
    pub fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            let _ = write!(self.out, "</{name}>");
        }
    }

    /// An element without content.
    pub fn empty(&mut self, name: &'static str, attrs: &[(&str, &str)]) {
        self.tag(name, attrs);
        self.out.push_str("/>");
    }

    /// An element with text.
    pub fn leaf(&mut self, name: &'static str, text: &str) {
        self.leaf_with(name, &[], text);
    }

    /// An element with attributes and text.
    pub fn leaf_with(&mut self, name: &'static str, attrs: &[(&str, &str)], text: &str) {
        self.open(name, attrs);
        self.text(text);
        self.close();
    }

    /// Text inside the open element.
    pub fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '\r' => self.out.push_str("&#xD;"),
                c if is_xml_char(c) => self.out.push(c),
                _ => self.out.push('\u{FFFD}'),
            }
        }
    }

    /// The text so far; a later call gives what came since. For replies that leave piece by piece.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// Closes what is open and returns the text.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }

    fn tag(&mut self, name: &str, attrs: &[(&str, &str)]) {
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attrs {
            self.out.push(' ');
            self.out.push_str(key);
            self.out.push_str("=\"");
            for c in value.chars() {
                match c {
                    '&' => self.out.push_str("&amp;"),
                    '<' => self.out.push_str("&lt;"),
                    '"' => self.out.push_str("&quot;"),
                    '\t' => self.out.push_str("&#x9;"),
                    '\n' => self.out.push_str("&#xA;"),
                    '\r' => self.out.push_str("&#xD;"),
                    c if is_xml_char(c) => self.out.push(c),
                    _ => self.out.push('\u{FFFD}'),
                }
            }
            self.out.push('"');
        }
    }
}
