//! Checks requests against the content models of `models` (reference/ews.md section 0: wrong order, an unknown element or a wrong
//! namespace is ErrorSchemaValidation with line and position).

use thiserror::Error;

use crate::wire::ews::models::{self, ANY};
use crate::wire::xml::{Element, Ns};

/// A place in a request that breaks the schema.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}, position {column}: {what}")]
pub struct Violation {
    /// Line, from 1.
    pub line: u64,
    /// Position in the line, from 1.
    pub column: u64,
    /// What is wrong, in names of elements and attributes; no values.
    pub what: String,
    /// Byte offset.
    pub(super) at: usize,
}

impl Violation {
    fn new(e: &Element, what: String) -> Self {
        Self {
            line: 0,
            column: 0,
            what,
            at: e.at,
        }
    }

    /// The same with line and position counted in the request's bytes.
    pub(super) fn placed(mut self, bytes: &[u8]) -> Self {
        let before = bytes.get(..self.at).unwrap_or(bytes);
        let line_start = before
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |n| n + 1);
        self.line = before.split(|b| *b == b'\n').count() as u64;
        self.column = (before.len() - line_start) as u64 + 1;
        self
    }
}

/// A simple type.
pub(super) enum Simple {
    Text,
    Bool,
    Int(i64, i64),
    One(&'static [&'static str]),
    /// Words in one string, separated by blanks.
    Word(&'static str),
    Field,
    PropertyTag,
}

/// The content of an element.
pub(super) enum Content {
    Empty,
    Text(Simple),
    /// Steps in order.
    Steps(&'static [Step]),
    /// Anything: we look no further.
    Any,
}

/// One step of a sequence: any of these elements, so many times.
pub(super) struct Step {
    pub(super) ns: Ns,
    pub(super) one_of: &'static [(&'static str, &'static Model)],
    pub(super) least: usize,
    pub(super) most: usize,
}

/// An attribute: name, whether it is required, type.
pub(super) type Attr = (&'static str, bool, Simple);

/// What an element may hold.
pub struct Model {
    pub(super) attrs: &'static [Attr],
    pub(super) content: Content,
}

/// Checks a SOAP header. Its parts come in any order; each at most once, or it is ErrorDuplicateSOAPHeader.
pub fn check_header(header: &Element) -> Result<(), Violation> {
    let mut seen: Vec<&str> = Vec::new();
    for part in &header.children {
        let model = match (part.ns, part.name.as_str()) {
            (Ns::Types, "RequestServerVersion") => &models::VERSION,
            (Ns::Types, "ExchangeImpersonation") => &models::IMPERSONATION,
            (
                Ns::Types,
                "MailboxCulture" | "TimeZoneContext" | "DateTimePrecision" | "ManagementRole",
            ) => &ANY,
            // Headers of other namespaces (WS-Addressing) concern nobody here.
            (Ns::Other | Ns::None, _) => continue,
            _ => return Err(Violation::new(part, unexpected(part, header))),
        };
        if seen.contains(&part.name.as_str()) {
            return Err(Violation::new(
                part,
                format!("'{}' stands twice", part.name),
            ));
        }
        seen.push(&part.name);
        check(part, model)?;
    }
    Ok(())
}

/// Checks an element against its model.
pub fn check(e: &Element, model: &Model) -> Result<(), Violation> {
    if matches!(model.content, Content::Any) {
        return Ok(());
    }
    check_attrs(e, model.attrs)?;
    match &model.content {
        Content::Any => Ok(()),
        Content::Text(simple) => {
            if let Some(child) = e.children.first() {
                return Err(Violation::new(child, unexpected(child, e)));
            }
            let what = || format!("the value of '{}' is not valid", e.name);
            admits(simple, e.text.trim())
                .then_some(())
                .ok_or_else(|| Violation::new(e, what()))
        }
        Content::Empty => steps(e, &[]),
        Content::Steps(list) => steps(e, list),
    }
}

fn check_attrs(e: &Element, attrs: &[Attr]) -> Result<(), Violation> {
    for (name, value) in &e.attrs {
        if name.starts_with("xsi:") || name.starts_with("xml:") {
            continue;
        }
        match attrs.iter().find(|(known, ..)| known == name) {
            Some((_, _, simple)) if admits(simple, value.trim()) => {}
            Some(_) => {
                let what = format!(
                    "the value of attribute '{name}' of '{}' is not valid",
                    e.name
                );
                return Err(Violation::new(e, what));
            }
            None => {
                let what = format!("'{}' has no attribute '{name}'", e.name);
                return Err(Violation::new(e, what));
            }
        }
    }
    let missing = |(name, required, _): &&Attr| *required && e.attr(name).is_none();
    match attrs.iter().find(missing) {
        Some((name, ..)) => Err(Violation::new(
            e,
            format!("the required attribute '{name}' of '{}' is missing", e.name),
        )),
        None => Ok(()),
    }
}

fn steps(e: &Element, list: &[Step]) -> Result<(), Violation> {
    if !e.text.trim().is_empty() {
        return Err(Violation::new(
            e,
            format!("'{}' must not contain text", e.name),
        ));
    }
    let mut rest = e.children.as_slice();
    for step in list {
        let mut count = 0;
        while count < step.most
            && let [next, after @ ..] = rest
            && next.ns == step.ns
            && let Some((_, model)) = step.one_of.iter().find(|(name, _)| *name == next.name)
        {
            check(next, model)?;
            rest = after;
            count += 1;
        }
        if count < step.least {
            let wanted = step.one_of.first().map_or("", |(name, _)| *name);
            let what = format!("'{}' lacks '{wanted}' here", e.name);
            return Err(Violation::new(rest.first().unwrap_or(e), what));
        }
    }
    match rest.first() {
        Some(extra) => Err(Violation::new(extra, unexpected(extra, e))),
        None => Ok(()),
    }
}

fn unexpected(child: &Element, parent: &Element) -> String {
    format!(
        "'{}' does not belong here in '{}', or not in this namespace",
        child.name, parent.name
    )
}

fn admits(simple: &Simple, value: &str) -> bool {
    match simple {
        Simple::Text => true,
        Simple::Bool => matches!(value, "true" | "false" | "1" | "0"),
        Simple::Int(low, high) => value
            .parse()
            .is_ok_and(|n: i64| (*low..=*high).contains(&n)),
        Simple::One(words) => words.contains(&value),
        Simple::Word(words) => words.split_ascii_whitespace().any(|w| w == value),
        Simple::Field => models::known_field(value),
        Simple::PropertyTag => {
            match value
                .strip_prefix("0x")
                .or_else(|| value.strip_prefix("0X"))
            {
                Some(hex) => {
                    (1..=4).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit())
                }
                None => value.parse::<u16>().is_ok(),
            }
        }
    }
}
