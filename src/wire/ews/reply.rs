//! The shape all replies share: a list of response messages, one per id asked for, each a success or a refusal of its own.
//!
//! A message's class is read before anything else in it: an error may carry an empty SyncState and "includes the last item" beside it
//! (reference/ews.md section 1, SyncFolderItems).

use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::Span;
use crate::wire::ews::classify::{self, Place};
use crate::wire::soap::{self, Body, Fault, ServerVersion};
use crate::wire::xml::{Element, Ns, Writer};

/// What the server said instead of a result, without its texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// True for `ResponseClass="Warning"`.
    pub warning: bool,
    /// The response code.
    pub code: String,
    /// InnerErrorResponseCode of a wrapped error.
    pub inner: Option<String>,
    /// BackOffMilliseconds.
    pub back_off: Option<Span>,
}

impl Refused {
    /// An error with this code.
    pub fn error(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            ..Self::default()
        }
    }
}

/// One response message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<P> {
    /// It did what was asked.
    Done(P),
    /// It did not.
    Refused(Refused),
    /// It claims success, but what must be there is missing.
    Incomplete,
}

impl<P> Message<P> {
    /// The result, or what stands in its way.
    pub fn into_result(self, place: Place) -> Result<P, Setback> {
        match self {
            Self::Done(payload) => Ok(payload),
            Self::Refused(refused) => Err(classify::refused(&refused, place)),
            Self::Incomplete => Err(Setback::Misread(MisreadCause::Incomplete, Said::default())),
        }
    }
}

/// A reply that was read to its closing Envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<P> {
    /// In the order of the ids asked for.
    pub messages: Vec<Message<P>>,
    /// The server's build.
    pub version: Option<ServerVersion>,
    /// Forbidden characters that were replaced.
    pub replaced: u64,
}

impl<P> Reply<P> {
    /// The only message of a call about one thing.
    pub fn single(mut self, place: Place) -> Result<P, Setback> {
        match (self.messages.pop(), self.messages.is_empty()) {
            (Some(message), true) => message.into_result(place),
            _ => Err(Setback::Misread(MisreadCause::Incomplete, Said::default())),
        }
    }
}

/// Why a reply holds no response messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoReply {
    /// A fault.
    Fault(Fault),
    /// It was not understood.
    Misread(MisreadCause),
}

/// What is special about an operation's response messages.
pub trait Operation {
    /// E.g. `GetFolder`.
    const NAME: &'static str;
    /// `m:{NAME}Response`.
    const RESPONSE: &'static str;
    /// `m:{NAME}ResponseMessage`.
    const MESSAGE: &'static str;
    /// True where the response element itself is the one message, with no list around it.
    const FLAT: bool = false;
    /// True where class and code stand in a `ResponseMessage` of their own, with the payload beside it.
    const BESIDE: bool = false;
    /// What a successful message carries.
    type Payload;

    /// Reads the payload of a successful message.
    fn read_payload(message: &Element) -> Option<Self::Payload>;
    /// Writes it.
    fn write_payload(payload: &Self::Payload, w: &mut Writer);
    /// Writes the empty payload that Exchange puts into an error message.
    fn write_nothing(w: &mut Writer);
}

/// Reads the reply to an operation, tolerantly.
pub fn read<O: Operation>(bytes: &[u8]) -> Result<Reply<O::Payload>, NoReply> {
    let envelope = soap::read_reply(bytes).map_err(NoReply::Misread)?;
    let response = match envelope.body {
        Body::Fault(fault) => return Err(NoReply::Fault(fault)),
        Body::Payload(response) => response,
    };
    if O::FLAT {
        return Ok(Reply {
            messages: vec![message::<O>(&response)],
            version: envelope.version,
            replaced: envelope.replaced,
        });
    }
    let list = response
        .m("ResponseMessages")
        .filter(|_| response.is(Ns::Messages, local(O::RESPONSE)))
        .ok_or(NoReply::Misread(MisreadCause::Incomplete))?;
    // Every child keeps its place, known or not: the place of a message says which id it answers.
    let messages = list.children.iter().map(message::<O>).collect();
    Ok(Reply {
        messages,
        version: envelope.version,
        replaced: envelope.replaced,
    })
}

fn local(name: &'static str) -> &'static str {
    name.strip_prefix("m:").unwrap_or(name)
}

fn message<O: Operation>(e: &Element) -> Message<O::Payload> {
    if !e.is(Ns::Messages, local(O::MESSAGE)) {
        return Message::Incomplete;
    }
    let Some(head) = (if O::BESIDE {
        e.m("ResponseMessage")
    } else {
        Some(e)
    }) else {
        return Message::Incomplete;
    };
    let code = head.m("ResponseCode").map_or("", |c| c.text.trim());
    let warning = match head.attr("ResponseClass") {
        Some("Success") if code.is_empty() || code == "NoError" => {
            return O::read_payload(e).map_or(Message::Incomplete, Message::Done);
        }
        Some("Warning") => true,
        Some("Success" | "Error") => false,
        _ => return Message::Incomplete,
    };
    let xml = head.children.iter().find(|c| c.name == "MessageXml");
    Message::Refused(Refused {
        warning,
        code: code.to_owned(),
        inner: xml
            .and_then(|x| soap::named_value(x, "InnerErrorResponseCode"))
            .map(str::to_owned),
        back_off: xml.and_then(soap::back_off),
    })
}

/// Writes a whole reply.
pub fn write<O: Operation>(version: &ServerVersion, messages: &[Message<O::Payload>]) -> String {
    let mut w = open::<O>(version);
    for message in messages {
        match message {
            Message::Done(payload) => {
                begin_success::<O>(&mut w);
                O::write_payload(payload, &mut w);
                w.close();
            }
            Message::Refused(refused) => write_refused::<O>(refused, &mut w),
            Message::Incomplete => {
                begin_success::<O>(&mut w);
                O::write_nothing(&mut w);
                w.close();
            }
        }
    }
    w.finish()
}

/// Begins a reply, up to and including `m:ResponseMessages`.
pub fn open<O: Operation>(version: &ServerVersion) -> Writer {
    let mut w = soap::open_reply(version);
    if !O::FLAT {
        w.open(O::RESPONSE, &[]);
        w.open("m:ResponseMessages", &[]);
    }
    w
}

/// Begins a successful message; its payload follows, then one `close`.
pub fn begin_success<O: Operation>(w: &mut Writer) {
    open_head::<O>("Success", w);
    w.leaf("m:ResponseCode", "NoError");
    if O::BESIDE {
        w.close();
    }
}

fn open_head<O: Operation>(class: &str, w: &mut Writer) {
    let class = [("ResponseClass", class)];
    if O::BESIDE {
        w.open(O::MESSAGE, &[]);
        w.open("m:ResponseMessage", &class);
    } else {
        w.open(O::MESSAGE, &class);
    }
}

/// Writes a message that refuses, with the empty payload Exchange adds.
pub fn write_refused<O: Operation>(refused: &Refused, w: &mut Writer) {
    let class = if refused.warning { "Warning" } else { "Error" };
    open_head::<O>(class, w);
    w.leaf("m:MessageText", "The request was not carried out.");
    w.leaf("m:ResponseCode", &refused.code);
    w.leaf("m:DescriptiveLinkKey", "0");
    if refused.back_off.is_some() || refused.inner.is_some() {
        w.open("m:MessageXml", &[]);
        if let Some(wait) = refused.back_off {
            let wait = wait.get().to_string();
            w.leaf_with("t:Value", &[("Name", "BackOffMilliseconds")], &wait);
        }
        if let Some(inner) = &refused.inner {
            w.leaf_with("t:Value", &[("Name", "InnerErrorResponseCode")], inner);
        }
        w.close();
    }
    if O::BESIDE {
        w.close();
    }
    O::write_nothing(w);
    w.close();
}

/// The page attributes of `m:RootFolder`, shared by FindFolder and FindItem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageEnd {
    /// Where the next page begins, as the server says. Callers count what they received instead (reference/ews.md section 1).
    pub next_offset: Option<u64>,
    /// Things in the whole view.
    pub total: u64,
    /// True when this is the last page.
    pub last: bool,
}

impl PageEnd {
    /// Reads the attributes. A view without end would never be left, so `IncludesLastItemInRange` must be there.
    pub fn read(root: &Element) -> Option<Self> {
        let number = |name: &str| root.attr(name).and_then(|v| v.parse().ok());
        Some(Self {
            next_offset: number("IndexedPagingOffset"),
            total: number("TotalItemsInView")?,
            last: match root.attr("IncludesLastItemInRange")? {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => return None,
            },
        })
    }

    /// Begins `m:RootFolder`.
    pub fn open(&self, w: &mut Writer) {
        let total = self.total.to_string();
        let last = if self.last { "true" } else { "false" };
        let next = self.next_offset.map(|n| n.to_string());
        let mut attrs = Vec::new();
        if let Some(next) = &next {
            attrs.push(("IndexedPagingOffset", next.as_str()));
        }
        attrs.push(("TotalItemsInView", &total));
        attrs.push(("IncludesLastItemInRange", last));
        w.open("m:RootFolder", &attrs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::ItemId;
    use crate::wire::ews::get_item::GetItem;
    use crate::wire::ews::item::ItemEntry;

    const VERSION: ServerVersion = ServerVersion {
        major: 15,
        minor: 1,
        build: 2507,
        revision: 6,
    };

    #[test]
    fn a_half_successful_batch_keeps_every_place() {
        let stopped = Refused {
            warning: true,
            ..Refused::error("ErrorBatchProcessingStopped")
        };
        let busy = Refused {
            back_off: Some(Span::new(297_749)),
            ..Refused::error("ErrorServerBusy")
        };
        let wrapped = Refused {
            inner: Some("ErrorItemCorrupt".to_owned()),
            ..Refused::error("ErrorInternalServerError")
        };
        let messages = vec![
            Message::Done(ItemEntry::bare(ItemId::new("a"))),
            Message::Refused(wrapped),
            Message::Refused(busy),
            Message::Refused(stopped.clone()),
            Message::Refused(stopped),
        ];
        let text = write::<GetItem>(&VERSION, &messages);
        // Real servers put what is inside MessageXml, and MessageXml itself, into either namespace.
        let other = text
            .replace("<m:MessageXml>", "<t:MessageXml>")
            .replace("</m:MessageXml>", "</t:MessageXml>")
            .replace("t:Value", "m:Value");
        assert_ne!(text, other);
        for text in [text, other] {
            let reply = read::<GetItem>(text.as_bytes()).expect("a reply");
            assert_eq!(reply.messages, messages);
        }
    }

    #[test]
    fn a_message_of_unknown_name_or_class_is_incomplete_and_keeps_its_place() {
        let messages = vec![
            Message::Done(ItemEntry::bare(ItemId::new("a"))),
            Message::Done(ItemEntry::bare(ItemId::new("b"))),
        ];
        let text = write::<GetItem>(&VERSION, &messages);
        for (from, to) in [
            ("ResponseClass=\"Success\"", "ResponseClass=\"Maybe\""),
            ("m:GetItemResponseMessage", "m:OtherResponseMessage"),
        ] {
            let text = text.replace(from, to);
            let reply = read::<GetItem>(text.as_bytes()).expect("a reply");
            assert_eq!(
                reply.messages,
                vec![Message::Incomplete, Message::Incomplete]
            );
        }
        let fewer = text.replace("m:GetItemResponse ", "m:FindItemResponse ");
        assert!(
            read::<GetItem>(
                fewer
                    .replace("m:GetItemResponse>", "m:FindItemResponse>")
                    .as_bytes()
            )
            .is_err()
        );
    }

    #[test]
    fn a_claimed_success_with_an_error_code_is_an_error() {
        let messages = vec![Message::Done(ItemEntry::bare(ItemId::new("a")))];
        let text = write::<GetItem>(&VERSION, &messages).replace("NoError", "ErrorItemNotFound");
        let reply = read::<GetItem>(text.as_bytes()).expect("a reply");
        assert_eq!(reply.single(Place::Item), Err(Setback::Gone));
    }
}
