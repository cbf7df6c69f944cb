//! Extended properties: their ids as text, and the values we read (reference/graph.md 1.5 and 2.7).

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::quantity::Moment;

/// Type of an extended property's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PropertyType {
    /// Base64.
    Binary,
    /// Text.
    String,
    /// UTC time.
    SystemTime,
    /// 32-bit number.
    Integer,
    /// 64-bit number.
    Long,
    /// `true` or `false`.
    Boolean,
}

impl PropertyType {
    const ALL: [Self; 6] = [
        Self::Binary,
        Self::String,
        Self::SystemTime,
        Self::Integer,
        Self::Long,
        Self::Boolean,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Binary => "Binary",
            Self::String => "String",
            Self::SystemTime => "SystemTime",
            Self::Integer => "Integer",
            Self::Long => "Long",
            Self::Boolean => "Boolean",
        }
    }
}

/// A tagged property: type and number. Graph gives ids back without leading zeros (`String 0x37`), so ids are compared as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PropertyId {
    /// Type.
    pub kind: PropertyType,
    /// Property id, 0x0001 to 0x7FFF.
    pub tag: u16,
}

impl PropertyId {
    /// PidTagSearchKey: the mark that survives an import.
    pub const SEARCH_KEY: Self = Self::new(PropertyType::Binary, 0x300B);
    /// PidTagInternetMessageId.
    pub const MESSAGE_ID: Self = Self::new(PropertyType::String, 0x1035);
    /// PidTagAttributeHidden, of folders.
    pub const HIDDEN: Self = Self::new(PropertyType::Boolean, 0x10F4);
    /// PidTagClientSubmitTime.
    pub const SUBMITTED: Self = Self::new(PropertyType::SystemTime, 0x0039);
    /// PidTagMessageDeliveryTime.
    pub const DELIVERED: Self = Self::new(PropertyType::SystemTime, 0x0E06);
    /// PidTagMessageFlags.
    pub const FLAGS: Self = Self::new(PropertyType::Integer, 0x0E07);
    /// PidTagTransportMessageHeaders.
    pub const HEADERS: Self = Self::new(PropertyType::String, 0x007D);
    /// PidTagInReplyToId.
    pub const IN_REPLY_TO: Self = Self::new(PropertyType::String, 0x1042);
    /// PidTagInternetReferences.
    pub const REFERENCES: Self = Self::new(PropertyType::String, 0x1039);
    /// PidTagMessageSize.
    pub const SIZE: Self = Self::new(PropertyType::Integer, 0x0E08);
    /// PidTagMessageClass.
    pub const CLASS: Self = Self::new(PropertyType::String, 0x001A);
    /// PidTagSensitivity, which a message or contact of Graph does not show as a field.
    pub const SENSITIVITY: Self = Self::new(PropertyType::Integer, 0x0036);
    /// PidTagImportance, which a contact of Graph does not show as a field.
    pub const IMPORTANCE: Self = Self::new(PropertyType::Integer, 0x0017);
    /// PidTagWeddingAnniversary.
    pub const ANNIVERSARY: Self = Self::new(PropertyType::SystemTime, 0x3A41);

    /// A property.
    pub const fn new(kind: PropertyType, tag: u16) -> Self {
        Self { kind, tag }
    }

    /// Reads `Binary 0x300B` in any case of letters and with any number of leading zeros.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, number) = text.trim().split_once(' ')?;
        let kind = PropertyType::ALL
            .into_iter()
            .find(|kind| kind.word().eq_ignore_ascii_case(word))?;
        let number = number.trim_start();
        let digits = number
            .strip_prefix("0x")
            .or_else(|| number.strip_prefix("0X"))?;
        let all_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        let tag = u16::from_str_radix(digits, 16).ok().filter(|_| all_hex)?;
        Some(Self { kind, tag })
    }

    /// The id as Graph writes it in replies: without leading zeros.
    pub fn as_replied(self) -> String {
        format!("{} 0x{:X}", self.kind.word(), self.tag)
    }
}

impl fmt::Display for PropertyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} 0x{:04X}", self.kind.word(), self.tag)
    }
}

/// A named property with a text for its name: type, property set and name. Graph compares the set as a number and the name letter by letter
/// (reference/graph.md 2.7).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedId {
    /// Type.
    pub kind: PropertyType,
    /// The GUID of the set.
    pub set: u128,
    /// The name; without apostrophes, which our filters would have to double.
    pub name: Cow<'static, str>,
}

impl NamedId {
    /// A property of text.
    pub const fn text(set: u128, name: &'static str) -> Self {
        Self {
            kind: PropertyType::String,
            set,
            name: Cow::Borrowed(name),
        }
    }

    /// Reads `String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Name mailferry-source`. The braces may be missing.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, rest) = text.trim().split_once(' ')?;
        let kind = PropertyType::ALL
            .into_iter()
            .find(|kind| kind.word().eq_ignore_ascii_case(word))?;
        let (set, rest) = rest.trim_start().split_once(' ')?;
        let (by, name) = rest.trim_start().split_once(' ')?;
        let name = name.trim_start();
        let honest = by.eq_ignore_ascii_case("name") && !name.is_empty() && !name.contains('\'');
        honest.then_some(Self {
            kind,
            set: guid(set)?,
            name: Cow::Owned(name.to_owned()),
        })
    }
}

/// Reads a GUID of 8-4-4-4-12 digits, in braces or without.
fn guid(text: &str) -> Option<u128> {
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    let inner = inner.unwrap_or(text);
    let shape: Vec<usize> = inner.split('-').map(str::len).collect();
    let digits: String = inner.split('-').collect();
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    (shape == [8, 4, 4, 4, 12] && hex)
        .then(|| u128::from_str_radix(&digits, 16).ok())
        .flatten()
}

impl fmt::Display for NamedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.set);
        let cut = |from, to| &hex[from..to];
        write!(
            f,
            "{} {{{}-{}-{}-{}-{}}} Name {}",
            self.kind.word(),
            cut(0, 8),
            cut(8, 12),
            cut(12, 16),
            cut(16, 20),
            cut(20, 32),
            self.name
        )
    }
}

/// One property as JSON carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// Id text.
    pub id: String,
    /// Value text.
    #[serde(default)]
    pub value: Option<String>,
}

/// The value of `id` among `properties`.
pub fn value_of(properties: &[Property], id: PropertyId) -> Option<&str> {
    properties
        .iter()
        .find(|p| PropertyId::parse(&p.id) == Some(id))?
        .value
        .as_deref()
}

/// The value of the named property `id` among `properties`.
pub fn named_value_of<'a>(properties: &'a [Property], id: &NamedId) -> Option<&'a str> {
    properties
        .iter()
        .find(|p| NamedId::parse(&p.id).as_ref() == Some(id))?
        .value
        .as_deref()
}

impl Property {
    /// A tagged property with its value.
    pub fn tagged(id: PropertyId, value: impl Into<String>) -> Self {
        Self {
            id: id.to_string(),
            value: Some(value.into()),
        }
    }

    /// A named property with its value.
    pub fn named(id: &NamedId, value: impl Into<String>) -> Self {
        Self {
            id: id.to_string(),
            value: Some(value.into()),
        }
    }
}

/// 100-nanosecond steps between 1601 and 1970.
const FILETIME_OF_UNIX: i128 = 116_444_736_000_000_000;

/// Reads a SystemTime value as FILETIME. `None` for what is no time after 1601.
pub fn filetime(text: &str) -> Option<u64> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_nanosecond().div_euclid(100) + FILETIME_OF_UNIX).ok()
}

/// FILETIME of a moment; `None` before 1601.
pub fn filetime_of(moment: Moment) -> Option<u64> {
    u64::try_from(i128::from(moment.unix_ms()) * 10_000 + FILETIME_OF_UNIX).ok()
}

/// Writes a FILETIME as Graph shows it: UTC, whole seconds. `None` beyond the year 9999.
pub fn filetime_text(filetime: u64) -> Option<String> {
    let seconds = (i128::from(filetime) - FILETIME_OF_UNIX).div_euclid(10_000_000);
    let at = jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(at.to_string())
}

/// Reads a DateTimeOffset of Graph.
pub fn moment(text: &str) -> Option<Moment> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Moment::from_unix_ms(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_compared_as_numbers() {
        for text in ["SystemTime 0x39", "SystemTime 0x0039", "systemtime 0X39"] {
            assert_eq!(PropertyId::parse(text), Some(PropertyId::SUBMITTED));
        }
        assert_eq!(PropertyId::SUBMITTED.as_replied(), "SystemTime 0x39");
        assert_eq!(PropertyId::SUBMITTED.to_string(), "SystemTime 0x0039");
        for text in [
            "",
            "String",
            "String 37",
            "String 0x",
            "String 0x10000",
            "Blob 0x1",
            "String 0x+1",
        ] {
            assert_eq!(PropertyId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn named_ids_are_compared_by_set_and_name() {
        let text = "String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Name mailferry-source";
        let id = NamedId::parse(text).unwrap();
        assert_eq!(id.to_string(), text);
        for same in [
            "string {4D9A1C5E-7F0B-4C52-9B1E-6D61696C6672} name mailferry-source",
            "String 4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672 Name mailferry-source",
        ] {
            assert_eq!(NamedId::parse(same).as_ref(), Some(&id), "{same}");
        }
        for other in [
            "",
            "String",
            "String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Name Mailferry-source",
            "Integer {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Name mailferry-source",
            "String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Id 0x8012",
            "String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c667} Name mailferry-source",
            "String {4d9a1c5e7f0b4c529b1e6d61696c6672} Name mailferry-source",
            "String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Name ",
            "String 0x1035",
        ] {
            assert_ne!(NamedId::parse(other).as_ref(), Some(&id), "{other}");
        }
    }

    #[test]
    fn times_convert_to_filetime_and_back_in_seconds() {
        assert_eq!(
            filetime("1970-01-01T00:00:00Z"),
            Some(116_444_736_000_000_000)
        );
        assert_eq!(filetime("1601-01-01T00:00:00Z"), Some(0));
        assert_eq!(filetime("1600-12-31T23:59:59Z"), None);
        assert_eq!(filetime("yesterday"), None);
        assert_eq!(
            filetime("2026-11-23T10:00:00.5+02:00"),
            Some(filetime("2026-11-23T08:00:00Z").unwrap() + 5_000_000)
        );
    }

    proptest! {
        #[test]
        fn a_filetime_survives_to_the_second(time in 0u64..2_500_000_000_000_000_000) {
            let text = filetime_text(time).unwrap();
            prop_assert_eq!(filetime(&text), Some(time / 10_000_000 * 10_000_000));
        }

        #[test]
        fn any_filetime_and_any_text_is_taken(time: u64, text in ".*") {
            let _ = (filetime_text(time), filetime(&text), moment(&text), PropertyId::parse(&text), NamedId::parse(&text));
        }
    }
}
