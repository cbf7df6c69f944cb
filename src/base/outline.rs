//! The outline of an item: which properties it has, and a hash of each value, never a value. Two outlines say which property differs.

use std::fmt;

/// How a property is called, whatever its id in one mailbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PropertyName {
    /// By its id, below 0x8000.
    Tag(u16),
    /// By property set and number.
    Number {
        /// The property set, as it lies on the wire.
        set: [u8; 16],
        /// The number.
        number: u32,
    },
    /// By property set and name.
    Named {
        /// The property set, as it lies on the wire.
        set: [u8; 16],
        /// The name.
        name: String,
    },
}

/// What may lie inside an item, besides properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKind {
    /// A recipient.
    Recipient,
    /// An attachment.
    Attachment,
    /// The message inside an attachment.
    Embedded,
}

/// One property: its name and the hash over name, type and value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PropertyPrint {
    /// Its name.
    pub name: PropertyName,
    /// The hash that also enters the canonical digest.
    pub hash: [u8; 32],
}

/// A recipient, an attachment or an embedded message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// The hash over everything it holds.
    pub hash: [u8; 32],
    /// What it holds.
    pub outline: Outline,
}

/// An item, or a part of one. What the store assigns is left out, as in the canonical digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Its own properties, in the order of the stream.
    pub properties: Vec<PropertyPrint>,
    /// Its parts, in the order of the stream.
    pub parts: Vec<Part>,
}

/// The GUID of a property set in its usual spelling.
struct Set<'a>(&'a [u8; 16]);

impl fmt::Display for Set<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = self.0;
        let first = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        let second = u16::from_le_bytes([b[4], b[5]]);
        let third = u16::from_le_bytes([b[6], b[7]]);
        write!(
            f,
            "{{{first:08X}-{second:04X}-{third:04X}-{:02X}{:02X}-",
            b[8], b[9]
        )?;
        b[10..]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02X}"))?;
        f.write_str("}")
    }
}

impl fmt::Display for PropertyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(id) => write!(f, "0x{id:04X}"),
            Self::Number { set, number } => write!(f, "{} 0x{number:04X}", Set(set)),
            Self::Named { set, name } => write!(f, "{} \"{}\"", Set(set), name.escape_debug()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_as_the_documents_spell_them() {
        let mut set = [0; 16];
        set[..4].copy_from_slice(&0x0006_2002_u32.to_le_bytes());
        set[8..].copy_from_slice(&[0xC0, 0, 0, 0, 0, 0, 0, 0x46]);
        let start = PropertyName::Number {
            set,
            number: 0x820D,
        };
        assert_eq!(
            start.to_string(),
            "{00062002-0000-0000-C000-000000000046} 0x820D"
        );
        assert_eq!(PropertyName::Tag(0x37).to_string(), "0x0037");
    }
}
