//! What an attachment of EWS is called in a parcel: files as they are, embedded items as files of their kind.

use crate::base::typed::TypedAttachment;

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

    /// The element's name.
    pub const fn element(self) -> &'static str {
        match self {
            Self::Message => "t:Message",
            Self::Event => "t:CalendarItem",
            Self::Contact => "t:Contact",
        }
    }

    const fn end(self) -> &'static str {
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
