//! Our mark on what the typed route made: a named text property that says from which source item it comes.
//!
//! A typed create gives an item a new search key, and nothing documents that one could be set, so the mark carries the stamp itself. A text can be
//! filtered and expanded (reference/graph.md 2.7). It does not contain the plan: a second plan recognises what the first one made.

use std::fmt::Write as _;

use crate::base::item::{SearchKey, Stamp, unhex};
use crate::base::limits::STREAM_IDENTITY_MAX;
use crate::wire::graph::property::{self, NamedId, Property};

/// The property set of everything we name.
pub const SET: u128 = 0x4d9a_1c5e_7f0b_4c52_9b1e_6d61_696c_6672;

/// The mark of a whole item.
pub const SOURCE: NamedId = NamedId::text(SET, "mailferry-source");

/// The mark of an item that is still being made, where no hidden folder can hide it.
pub const UNFINISHED: NamedId = NamedId::text(SET, "mailferry-unfinished");

/// The mark's value: `k:` and the search key, or `f:` and the fallback, in lower-case hexadecimal.
pub fn text(stamp: &Stamp) -> String {
    let (kind, bytes) = match stamp {
        Stamp::Key(key) => ("k:", key.as_bytes()),
        Stamp::Fallback(hash) => ("f:", hash.as_slice()),
    };
    bytes.iter().fold(kind.to_owned(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Reads a mark's value. `None` for what is none of ours.
pub fn read(text: &str) -> Option<Stamp> {
    let (kind, digits) = text.split_once(':')?;
    if digits.len() > 2 * STREAM_IDENTITY_MAX {
        return None;
    }
    let bytes = unhex(digits)?;
    match kind {
        "k" => SearchKey::new(bytes).map(Stamp::Key),
        "f" => bytes.try_into().ok().map(Stamp::Fallback),
        _ => None,
    }
}

/// The mark as a create carries it.
pub fn mark(stamp: &Stamp) -> Property {
    Property::named(&SOURCE, text(stamp))
}

/// The mark of an item that is not yet whole.
pub fn unfinished(stamp: &Stamp) -> Property {
    Property::named(&UNFINISHED, text(stamp))
}

/// The stamp that a whole item's mark tells.
pub fn of(properties: &[Property]) -> Option<Stamp> {
    property::named_value_of(properties, &SOURCE).and_then(read)
}

/// The stamp of an item that was not finished.
pub fn unfinished_of(properties: &[Property]) -> Option<Stamp> {
    property::named_value_of(properties, &UNFINISHED).and_then(read)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_mark_is_spelt_as_agreed() {
        assert_eq!(
            SOURCE.to_string(),
            "String {4d9a1c5e-7f0b-4c52-9b1e-6d61696c6672} Name mailferry-source"
        );
        let key = Stamp::Key(SearchKey::new([0x0f, 0xa0]).unwrap());
        assert_eq!(text(&key), "k:0fa0");
        assert_eq!(
            text(&Stamp::Fallback([1; 16])),
            format!("f:{}", "01".repeat(16))
        );
        for none in [
            "", "k:", "k:0", "k:0FA0", "f:00", "x:00", "k", "k:0g", "0fa0",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(
            read(&format!("k:{}", "00".repeat(STREAM_IDENTITY_MAX + 1))),
            None
        );
    }

    #[test]
    fn whole_and_unfinished_items_are_told_apart() {
        let stamp = Stamp::Fallback([9; 16]);
        let whole = [mark(&stamp)];
        assert_eq!(
            (of(&whole), unfinished_of(&whole)),
            (Some(stamp.clone()), None)
        );
        let begun = [unfinished(&stamp)];
        assert_eq!((of(&begun), unfinished_of(&begun)), (None, Some(stamp)));
    }

    proptest! {
        #[test]
        fn a_stamp_comes_back_from_its_mark(key in proptest::collection::vec(any::<u8>(), 1..64), hash: [u8; 16]) {
            for stamp in [Stamp::Key(SearchKey::new(key).unwrap()), Stamp::Fallback(hash)] {
                prop_assert_eq!(of(&[mark(&stamp)]), Some(stamp));
            }
        }

        #[test]
        fn any_text_is_taken(text in ".*") {
            let _ = read(&text);
        }
    }
}
