//! Properties of an item as values: text, numbers, dates, addresses. What XML cannot carry is replaced here as a server's answer would show it.

use super::world::moment_of;
use crate::base::quantity::Moment;
use crate::base::typed::Person;
use crate::wire::ews::item::some_moment;
use crate::wire::item_stream::{Name, Prop, Value, tags};
use crate::wire::xml::admissible;

/// Where a property is looked for: by tag, or by number or name of a set.
#[derive(Clone, Copy)]
pub(super) enum At {
    /// By tag.
    Tag(u16),
    /// By set and number.
    Number([u8; 16], u32),
    /// By set and name.
    Named([u8; 16], &'static str),
}

impl At {
    fn is(self, name: &Name) -> bool {
        match (self, name) {
            (Self::Tag(id), Name::Tag(own)) => id == *own,
            (Self::Number(set, number), Name::Number { set: s, number: n }) => {
                set == *s && number == *n
            }
            (Self::Named(set, text), Name::Named { set: s, name }) => {
                set == *s && utf16(name) == text
            }
            _ => false,
        }
    }
}

/// Properties of one object.
#[derive(Clone, Copy)]
pub(super) struct Props<'a>(pub(super) &'a [Prop]);

impl<'a> Props<'a> {
    fn find(self, at: At) -> Option<&'a Prop> {
        self.0.iter().find(|prop| at.is(&prop.name))
    }

    /// The raw single value.
    pub(super) fn bytes(self, at: At) -> Option<&'a [u8]> {
        self.find(at)?.value.one()
    }

    /// A text; `None` when there is none, never empty.
    pub(super) fn some_text(self, at: At) -> Option<String> {
        let prop = self.find(at)?;
        let text = text_of(prop.kind, prop.value.one()?);
        (!text.is_empty()).then_some(text)
    }

    /// A text, or the empty one.
    pub(super) fn text(self, at: At) -> String {
        self.some_text(at).unwrap_or_default()
    }

    /// Several texts.
    pub(super) fn texts(self, at: At) -> Vec<String> {
        let Some(prop) = self.find(at) else {
            return Vec::new();
        };
        match &prop.value {
            Value::Many(values) => values.iter().map(|v| text_of(prop.kind, v)).collect(),
            Value::One(value) => vec![text_of(prop.kind, value)],
        }
    }

    /// A number of up to four bytes.
    pub(super) fn number(self, at: At) -> Option<u32> {
        let bytes = self.bytes(at)?;
        (bytes.len() <= 4).then(|| {
            bytes
                .iter()
                .rev()
                .fold(0, |sum, b| sum << 8 | u32::from(*b))
        })
    }

    /// A date, to the second. The two that mean none are none (reference/ews.md section 6).
    pub(super) fn time(self, at: At) -> Option<Moment> {
        let filetime = u64::from_le_bytes(self.bytes(at)?.try_into().ok()?);
        let at = moment_of(filetime).unix_ms().div_euclid(1_000) * 1_000;
        some_moment(Moment::from_unix_ms(at))
    }

    /// Somebody: name, SMTP address, and the address to fall back on.
    pub(super) fn person(self, name: At, smtp: At, address: At) -> Option<Person> {
        let own = Person {
            name: self.text(name),
            address: self.some_text(smtp).unwrap_or_else(|| self.text(address)),
        };
        (own != Person::default()).then_some(own)
    }
}

fn text_of(kind: u16, value: &[u8]) -> String {
    let text = match kind & !tags::MULTI {
        tags::T_STRING8 => String::from_utf8_lossy(value).into_owned(),
        _ => utf16(value),
    };
    clean(text.trim_end_matches('\0'))
}

/// As a server's answer in XML shows a text.
pub(super) fn clean(text: &str) -> String {
    admissible(text).0.into_owned()
}

fn utf16(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|two| u16::from_le_bytes([two[0], two[1]]));
    String::from_utf16_lossy(&units.collect::<Vec<u16>>())
}

/// Provider of one-off entry ids ([MS-OXCDATA] 2.2.5.1).
const ONE_OFF: [u8; 16] = [
    0x81, 0x2B, 0x1F, 0xA4, 0xBE, 0xA3, 0x10, 0x19, 0x9D, 0x6E, 0x00, 0xDD, 0x01, 0x0F, 0x54, 0x02,
];

/// PidTagReplyRecipientEntries (0x004F): a FlatEntryList of one-off entry ids ([MS-OXCDATA] 2.3.3 and 2.2.5.1).
pub(super) fn entries_of(people: &[Person]) -> Vec<u8> {
    let mut list = Vec::new();
    for person in people {
        let mut entry = vec![0; 4];
        entry.extend(ONE_OFF);
        // Version, and flags: Unicode, no rich text.
        entry.extend([0, 0, 0x01, 0x90]);
        for text in [&person.name, "SMTP", &person.address] {
            entry.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
            entry.extend([0, 0]);
        }
        list.extend(long(entry.len()));
        list.extend_from_slice(&entry);
        list.resize(list.len().next_multiple_of(4), 0);
    }
    let mut out = long(people.len()).to_vec();
    out.extend(long(list.len()));
    out.extend(list);
    out
}

fn long(n: usize) -> [u8; 4] {
    u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes()
}

/// Who stands in a FlatEntryList. Entries of another kind are left out.
pub(super) fn people_of(list: &[u8]) -> Vec<Person> {
    let mut rest = list.get(8..).unwrap_or_default();
    let mut out = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some(entry) = after.get(..length) else {
            break;
        };
        if entry.get(4..20) == Some(&ONE_OFF[..]) {
            let units = entry.get(24..).unwrap_or_default().chunks_exact(2);
            let units: Vec<u16> = units.map(|t| u16::from_le_bytes([t[0], t[1]])).collect();
            let mut texts = units.split(|unit| *unit == 0);
            let mut next = || clean(&String::from_utf16_lossy(texts.next().unwrap_or_default()));
            let (name, _, address) = (next(), next(), next());
            out.push(Person { name, address });
        }
        rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_entries_is_read_back_and_nonsense_is_nobody() {
        let people: Vec<Person> = ["", "Ann", "Bär 😀"]
            .iter()
            .map(|name| Person {
                name: (*name).to_owned(),
                address: format!("{}@clinic.example", name.len()),
            })
            .collect();
        let list = entries_of(&people);
        assert_eq!(people_of(&list), people);
        for cut in 0..list.len() {
            assert!(people_of(&list[..cut]).len() <= 3);
        }
        assert!(people_of(&[0xFF; 40]).is_empty());
    }

    #[test]
    fn dates_that_mean_none_are_none_and_others_end_at_the_second() {
        let day = 864_000_000_000_u64;
        let times = |filetime| Props(&[Prop::time(1, filetime)]).time(At::Tag(1));
        assert_eq!(times(0), None);
        // 4501-01-01 ([MS-OXOTASK], PidLidTaskDueDate).
        assert_eq!(times(0x0CB3_4557_A3DD_4000), None);
        let at = times(150_000 * day + 15_000_000).unwrap();
        assert_eq!(at.unix_ms() % 1_000, 0);
    }
}
