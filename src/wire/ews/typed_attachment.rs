//! What an attachment of EWS is called in a parcel: files as they are, embedded items as files of their kind.

use crate::base::quantity::Bytes;
use crate::base::typed::TypedAttachment;
use crate::wire::xml::{Element, Ns, Writer};

/// Name of the attachment that holds a signed or encrypted message as it was sent, byte for byte.
pub const SIGNED: &str = "signed-message.eml";

/// What an embedded item becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A message, and whatever else is written as MIME.
    Message,
    /// An appointment.
    Event,
    /// A person.
    Contact,
}

impl Kind {
    /// By the element's name in GetAttachment's answer (t:ItemAttachmentType). `None` for what no server writes as MIME (reference/ews.md
    /// section 1, GetItem).
    pub fn of_element(name: &str) -> Option<Self> {
        match name {
            "Item"
            | "Message"
            | "MeetingMessage"
            | "MeetingRequest"
            | "MeetingResponse"
            | "MeetingCancellation"
            | "PostItem" => Some(Self::Message),
            "CalendarItem" => Some(Self::Event),
            "Contact" => Some(Self::Contact),
            _ => None,
        }
    }

    /// What the file of an embedded item was made of.
    pub fn of_file(own: &TypedAttachment) -> Option<Self> {
        let kinds = [Self::Message, Self::Event, Self::Contact];
        let same = |kind: &Self| own.embedded && own.content_type == kind.content_type();
        kinds.into_iter().find(same)
    }

    /// The element's name.
    pub const fn element(self) -> &'static str {
        match self {
            Self::Message => "t:Message",
            Self::Event => "t:CalendarItem",
            Self::Contact => "t:Contact",
        }
    }

    /// The end of its file names.
    pub const fn end(self) -> &'static str {
        match self {
            Self::Message => ".eml",
            Self::Event => ".ics",
            Self::Contact => ".vcf",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Message => "message/rfc822",
            Self::Event => "text/calendar",
            Self::Contact => "text/vcard",
        }
    }

    /// The file that an embedded item becomes. What the source calls it gets the end of its kind; its other words stay.
    pub fn file(self, own: TypedAttachment) -> TypedAttachment {
        let ends = own.name.to_ascii_lowercase().ends_with(self.end());
        let end = if ends { "" } else { self.end() };
        let stem = if own.name.is_empty() { "unnamed" } else { "" };
        TypedAttachment {
            name: format!("{}{stem}{end}", own.name),
            content_type: self.content_type().to_owned(),
            embedded: true,
            ..own
        }
    }
}

/// The signed original of a message, as an attachment.
pub fn signed() -> TypedAttachment {
    TypedAttachment {
        name: SIGNED.to_owned(),
        content_type: Kind::Message.content_type().to_owned(),
        ..TypedAttachment::default()
    }
}

/// True for classes whose signature or encryption covers the MIME form: the properties alone do not keep it.
pub fn is_signed(class: &str) -> bool {
    let class = class.to_ascii_lowercase();
    class == "ipm.note.smime" || class.starts_with("ipm.note.smime.")
}

/// A Content-ID without its angle brackets.
pub fn bare_content_id(text: &str) -> String {
    let text = text.trim();
    let inner = text.strip_prefix('<').and_then(|t| t.strip_suffix('>'));
    inner.unwrap_or(text).to_owned()
}

/// What an attachment is at the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A file.
    File,
    /// An item of its own.
    Item,
    /// A link or whatever newer servers have: nothing that could be read.
    Other,
}

/// Names are content.
impl std::fmt::Debug for AttachmentRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AttachmentRef({:?}, {})", self.what, self.size)
    }
}

/// An attachment as an item lists it.
#[derive(Clone, PartialEq, Eq)]
pub struct AttachmentRef {
    /// By which it is asked for.
    pub id: String,
    /// What it is.
    pub what: What,
    /// Its words. Of an item they are not yet those of its file.
    pub own: TypedAttachment,
    /// What the server counts for it, which is more than its bytes; zero where it does not say.
    pub size: Bytes,
    /// True for the picture of a contact.
    pub photo: bool,
}

impl AttachmentRef {
    /// Reads a child of `t:Attachments`.
    pub fn read(e: &Element) -> Option<Self> {
        let text = |name| e.t(name).map(|own| own.text.clone()).unwrap_or_default();
        let says = |name| e.t(name).and_then(Element::boolean) == Some(true);
        Some(Self {
            id: e
                .t("AttachmentId")
                .filter(|_| e.ns == Ns::Types)?
                .attr("Id")?
                .to_owned(),
            what: match e.name.as_str() {
                "FileAttachment" => What::File,
                "ItemAttachment" => What::Item,
                _ => What::Other,
            },
            own: TypedAttachment {
                name: text("Name"),
                content_type: text("ContentType"),
                content_id: bare_content_id(&text("ContentId")),
                inline: says("IsInline"),
                embedded: false,
            },
            size: Bytes::new(e.t("Size").and_then(Element::number).unwrap_or(0)),
            photo: says("IsContactPhoto"),
        })
    }

    /// Begins the element and writes what a listing shows of it; the bytes may follow, then one `close`.
    pub fn open(&self, w: &mut Writer) {
        let element = match self.what {
            What::File => "t:FileAttachment",
            What::Item => "t:ItemAttachment",
            What::Other => "t:ReferenceAttachment",
        };
        w.open(element, &[]);
        w.empty("t:AttachmentId", &[("Id", &self.id)]);
        w.leaf("t:Name", &self.own.name);
        for (name, text) in [
            ("t:ContentType", &self.own.content_type),
            ("t:ContentId", &self.own.content_id),
        ] {
            if !text.is_empty() {
                w.leaf(name, text);
            }
        }
        w.leaf("t:Size", &self.size.get().to_string());
        w.leaf("t:IsInline", if self.own.inline { "true" } else { "false" });
        if self.what == What::File {
            w.leaf(
                "t:IsContactPhoto",
                if self.photo { "true" } else { "false" },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_items_become_files_with_an_end_of_their_kind() {
        let named = |name: &str| TypedAttachment {
            name: name.to_owned(),
            content_id: "a@b".to_owned(),
            ..TypedAttachment::default()
        };
        for (kind, name, want) in [
            (Kind::Message, "Offer", "Offer.eml"),
            (Kind::Message, "Offer.EML", "Offer.EML"),
            (Kind::Event, "Lunch", "Lunch.ics"),
            (Kind::Contact, "", "unnamed.vcf"),
        ] {
            let file = kind.file(named(name));
            assert_eq!((file.name.as_str(), file.embedded), (want, true));
            assert_eq!(file.content_id, "a@b");
            assert_eq!(Kind::of_file(&file), Some(kind));
            let element = kind.element().trim_start_matches("t:");
            assert_eq!(Kind::of_element(element), Some(kind));
        }
        assert_eq!(Kind::of_element("Task"), None);
    }

    #[test]
    fn signed_classes_end_at_a_dot() {
        assert!(is_signed("IPM.Note.SMIME.MultipartSigned") && is_signed("ipm.note.smime"));
        assert!(!is_signed("IPM.Note.SMIMEX") && !is_signed("IPM.Note"));
    }

    #[test]
    fn content_ids_lose_only_a_pair_of_brackets() {
        assert_eq!(bare_content_id(" <a@b> "), "a@b");
        assert_eq!(bare_content_id("<a@b"), "<a@b");
    }
}
