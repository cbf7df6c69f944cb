//! Extended properties: their ids as text, and the values we read (reference/graph.md 1.5 and 2.7).

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

/// 100-nanosecond steps between 1601 and 1970.
const FILETIME_OF_UNIX: i128 = 116_444_736_000_000_000;

/// Reads a SystemTime value as FILETIME. `None` for what is no time after 1601.
pub fn filetime(text: &str) -> Option<u64> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_nanosecond().div_euclid(100) + FILETIME_OF_UNIX).ok()
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
            let _ = (filetime_text(time), filetime(&text), moment(&text), PropertyId::parse(&text));
        }
    }
}
