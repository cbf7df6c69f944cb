//! What an Autodiscover service says, in either form.

use crate::base::outcome::Code;
use crate::wire::xml::{self, Element, Manner};

/// A reply is some KB; anything larger is none.
pub const REPLY_MAX: usize = 1_000_000;

/// Longest URL or address that is taken out of a reply.
const TEXT_MAX: usize = 2_000;

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The EWS URL. The external one, where both are there.
    Ews(String),
    /// Ask about this address instead.
    RedirectAddress(String),
    /// Ask there instead.
    RedirectUrl(String),
    /// It knows no EWS for this mailbox, or not the mailbox, in a word of its own.
    Refused(Option<Code>),
    /// It is no Autodiscover reply.
    Unreadable,
}

/// Reads a document, tolerantly. The published samples disagree about namespaces, so only local names count.
pub(super) fn document(bytes: &[u8]) -> Option<Element> {
    if bytes.len() > REPLY_MAX {
        return None;
    }
    Some(xml::read(bytes, Manner::Tolerant).ok()?.root)
}

/// The first child of that local name.
pub(super) fn child<'a>(element: &'a Element, name: &str) -> Option<&'a Element> {
    element.children.iter().find(|own| own.name == name)
}

/// The child at the end of a path.
pub(super) fn at<'a>(element: &'a Element, path: &[&str]) -> Option<&'a Element> {
    path.iter().try_fold(element, |own, name| child(own, name))
}

/// Its text, where it has some of honest length.
pub(super) fn text(element: Option<&Element>) -> Option<String> {
    let text = element?.text.trim();
    (!text.is_empty() && text.len() <= TEXT_MAX).then(|| text.to_owned())
}
