//! Our mark on what the typed route made: a named text property that says from which source item it comes.
//!
//! A typed create gives an item a new search key, and nothing documents that one could be set, so the mark carries the stamp itself. A text can be
//! filtered and expanded (reference/graph.md 2.7). It does not contain the plan: a second plan recognises what the first one made. It does contain
//! the mailbox it was made for: an item that was moved back to an Exchange server takes its mark along, and in another mailbox that mark says
//! nothing about whose copy an item is.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::base::id::TargetMailboxId;
use crate::base::item::{SearchKey, Stamp, unhex};
use crate::base::limits::STREAM_IDENTITY_MAX;
use crate::wire::graph::property::{self, NamedId, Property};

/// The property set of everything we name.
pub const SET: u128 = 0x4d9a_1c5e_7f0b_4c52_9b1e_6d61_696c_6672;

/// The mark of a whole item.
pub const SOURCE: NamedId = NamedId::text(SET, "mailferry-source");

/// The mark of an item that is still being made, where no hidden folder can hide it.
pub const UNFINISHED: NamedId = NamedId::text(SET, "mailferry-unfinished");

/// Which mailbox a mark is good for: the first 8 bytes of SHA-256 over its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home([u8; 8]);

impl Home {
    /// That of a mailbox.
    pub fn of(mailbox: &TargetMailboxId) -> Self {
        let digest = Sha256::digest(mailbox.as_str().as_bytes());
        let mut out = [0; 8];
        out.copy_from_slice(&digest[..8]);
        Self(out)
    }
}

/// Of which source item something is the copy, and in which mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The item.
    pub stamp: Stamp,
    /// The mailbox.
    pub home: Home,
}

impl Mark {
    /// The mark of a copy in a mailbox.
    pub fn new(stamp: Stamp, mailbox: &TargetMailboxId) -> Self {
        Self {
            stamp,
            home: Home::of(mailbox),
        }
    }
}

/// The mark's value: `k:` and the search key, or `f:` and the fallback, then `@` and the mailbox, in lower-case hexadecimal.
pub fn text(mark: &Mark) -> String {
    let (kind, bytes) = match &mark.stamp {
        Stamp::Key(key) => ("k:", key.as_bytes()),
        Stamp::Fallback(hash) => ("f:", hash.as_slice()),
    };
    let mut out = kind.to_owned();
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out.push_str(&home_text(&mark.home));
    out
}

/// How every mark of a mailbox ends.
pub fn home_text(home: &Home) -> String {
    let mut out = "@".to_owned();
    for byte in home.0 {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// Reads a mark's value. `None` for what is none of ours.
pub fn read(text: &str) -> Option<Mark> {
    let (kind, rest) = text.split_once(':')?;
    let (digits, home) = rest.split_once('@')?;
    if digits.len() > 2 * STREAM_IDENTITY_MAX {
        return None;
    }
    let bytes = unhex(digits)?;
    let stamp = match kind {
        "k" => SearchKey::new(bytes).map(Stamp::Key),
        "f" => bytes.try_into().ok().map(Stamp::Fallback),
        _ => None,
    };
    Some(Mark {
        stamp: stamp?,
        home: Home(unhex(home)?.try_into().ok()?),
    })
}

/// The mark as a create carries it.
pub fn mark(mark: &Mark) -> Property {
    Property::named(&SOURCE, text(mark))
}

/// The mark of an item that is not yet whole.
pub fn unfinished(mark: &Mark) -> Property {
    Property::named(&UNFINISHED, text(mark))
}

/// What a whole item's mark tells.
pub fn of(properties: &[Property]) -> Option<Mark> {
    property::named_value_of(properties, &SOURCE).and_then(read)
}

/// What the mark of an item tells that was not finished.
pub fn unfinished_of(properties: &[Property]) -> Option<Mark> {
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
        let home = Home::of(&TargetMailboxId::new("MBX:1@2"));
        let mark = |stamp| Mark { stamp, home };
        let key = Stamp::Key(SearchKey::new([0x0f, 0xa0]).unwrap());
        assert_eq!(text(&mark(key)), "k:0fa0@41928d6fc0c33ec7");
        assert_eq!(
            text(&mark(Stamp::Fallback([1; 16]))),
            format!("f:{}@41928d6fc0c33ec7", "01".repeat(16))
        );
        for none in [
            "",
            "k:",
            "k:0",
            "k:0FA0",
            "f:00",
            "x:00",
            "k",
            "k:0g",
            "0fa0",
            "k:0fa0",
            "k:0fa0@",
            "k:0fa0@00",
            "k:@41928d6fc0c33ec7",
            "f:00@41928d6fc0c33ec7",
            "k:0fa0@41928D6FC0C33EC7",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(
            read(&format!(
                "k:{}@41928d6fc0c33ec7",
                "00".repeat(STREAM_IDENTITY_MAX + 1)
            )),
            None
        );
    }

    #[test]
    fn whole_and_unfinished_items_are_told_apart() {
        let own = Mark::new(Stamp::Fallback([9; 16]), &TargetMailboxId::new("MBX:1@2"));
        let whole = [mark(&own)];
        assert_eq!(
            (of(&whole), unfinished_of(&whole)),
            (Some(own.clone()), None)
        );
        let begun = [unfinished(&own)];
        assert_eq!((of(&begun), unfinished_of(&begun)), (None, Some(own)));
    }

    proptest! {
        #[test]
        fn a_mark_comes_back(key in proptest::collection::vec(any::<u8>(), 1..64), hash: [u8; 16], mailbox in ".*") {
            for stamp in [Stamp::Key(SearchKey::new(key).unwrap()), Stamp::Fallback(hash)] {
                let own = Mark::new(stamp, &TargetMailboxId::new(mailbox.clone()));
                prop_assert_eq!(of(&[mark(&own)]), Some(own));
            }
        }

        #[test]
        fn any_text_is_taken(text in ".*") {
            let _ = read(&text);
        }
    }
}
