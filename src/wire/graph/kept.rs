//! What an item of the service has no field for: a text of ours in named properties, divided where one would be too long.
//!
//! The text has its length in front, so that pieces of an earlier and longer text do no harm.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::limits::{KEPT_PIECES, KEPT_UNITS_MAX};
use crate::wire::graph::json;
use crate::wire::graph::property::{self, NamedId, Property};
use crate::wire::graph::provenance::SET;

/// The properties of one kept text.
pub(super) type Pieces = [NamedId; KEPT_PIECES];

/// The properties with these names.
pub(super) const fn pieces(names: [&'static str; KEPT_PIECES]) -> Pieces {
    let [a, b, c, d, e, f, g, h] = names;
    [
        NamedId::text(SET, a),
        NamedId::text(SET, b),
        NamedId::text(SET, c),
        NamedId::text(SET, d),
        NamedId::text(SET, e),
        NamedId::text(SET, f),
        NamedId::text(SET, g),
        NamedId::text(SET, h),
    ]
}

/// The properties that keep `value`. `None` where they cannot hold it.
pub(super) fn write<T: Serialize>(ids: &Pieces, value: &T) -> Option<Vec<Property>> {
    let text = String::from_utf8(json::write(value)).ok()?;
    let mut pieces = vec![format!("{}:", text.len())];
    let mut units = pieces[0].len();
    for letter in text.chars() {
        if units + letter.len_utf16() > KEPT_UNITS_MAX {
            pieces.push(String::new());
            units = 0;
        }
        units += letter.len_utf16();
        if let Some(last) = pieces.last_mut() {
            last.push(letter);
        }
    }
    let named = |(id, piece)| Property::named(id, piece);
    (pieces.len() <= ids.len()).then(|| ids.iter().zip(pieces).map(named).collect())
}

/// What the properties keep. `None` where they keep nothing, or what is none of ours.
pub(super) fn read<T: DeserializeOwned>(ids: &Pieces, properties: &[Property]) -> Option<T> {
    let first = property::named_value_of(properties, ids.first()?)?;
    let (len, begin) = first.split_once(':')?;
    let len = len.parse().ok()?;
    let mut text = begin.to_owned();
    for id in &ids[1..] {
        if text.len() >= len {
            break;
        }
        text.push_str(property::named_value_of(properties, id)?);
    }
    serde_json::from_str(text.get(..len)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDS: Pieces = pieces(["a", "b", "c", "d", "e", "f", "g", "h"]);

    #[test]
    fn a_long_text_is_divided_and_an_endless_one_is_not_kept() {
        let text = "𝄞\"x".repeat(15_000);
        let kept = write(&IDS, &text).unwrap();
        assert!(kept.len() == 5, "{}", kept.len());
        for own in &kept {
            let units = own.value.as_ref().unwrap().encode_utf16().count();
            assert!(units <= KEPT_UNITS_MAX);
        }
        assert_eq!(read::<String>(&IDS, &kept).unwrap(), text);
        // A piece that is missing is seen; one too many is not read.
        assert_eq!(read::<String>(&IDS, &kept[..4]), None);
        let mut shorter = write(&IDS, &"x".to_owned()).unwrap();
        shorter.extend(kept[1..].iter().cloned());
        assert_eq!(read::<String>(&IDS, &shorter).as_deref(), Some("x"));
        assert_eq!(write(&IDS, &"x".repeat(KEPT_UNITS_MAX * KEPT_PIECES)), None);
    }

    proptest! {
        #[test]
        fn a_text_is_kept(text in ".{0,80}") {
            let kept = write(&IDS, &text).unwrap();
            prop_assert_eq!(read::<String>(&IDS, &kept), Some(text));
        }

        #[test]
        fn any_property_is_taken(text in ".*", n in 0_usize..300) {
            for text in [text.clone(), format!("{n}:{text}")] {
                let _ = read::<String>(&IDS, &[Property::named(&IDS[0], text)]);
            }
        }
    }
}
