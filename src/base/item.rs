//! What identifies an item, and what is compared.
//!
//! PidTagSearchKey survives the import and is the mark we look for on the target (reference/graph.md 1.6, fts.md 3). It is **not
//! unique**: a copied item keeps its key. Whoever matches items matches multisets.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::base::id::{ChangeKey, ItemId, TargetItemId};
use crate::base::quantity::{Bytes, Moment};
use crate::base::route::Route;

/// The key of one source item in the ledger: the first 16 bytes of SHA-256 over its EWS id. Two items of one folder never share
/// it, even when one is a copy of the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemKey(pub [u8; 16]);

impl ItemKey {
    /// The key of the item with this id.
    pub fn of(id: &ItemId) -> Self {
        Self(first16(&Sha256::digest(id.as_str().as_bytes())))
    }
}

fn first16(digest: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    out.copy_from_slice(&digest[..16]);
    out
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

/// Reads lower-case hexadecimal digits in pairs; `None` for anything else.
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs
        .map(|two| Some(nibble(two[0])? << 4 | nibble(two[1])?))
        .collect()
}

impl std::str::FromStr for ItemKey {
    type Err = ();

    /// Reads what `Display` writes: 32 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(());
        }
        let n = u128::from_str_radix(text, 16).map_err(|_| ())?;
        Ok(Self(n.to_be_bytes()))
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// PidTagSearchKey (0x300B), usually 16 bytes. Printed as lower-case hexadecimal; it says nothing about content.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SearchKey(Vec<u8>);

impl SearchKey {
    /// Wraps the key. Empty bytes are no key.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// The bytes as the store has them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for SearchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for SearchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The mark by which we recognise on the target what came from one source item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stamp {
    /// The item's search key.
    Key(SearchKey),
    /// For items without a search key: a hash of message id, class and submit time. Size is left out, since it changes on import.
    Fallback([u8; 16]),
}

impl Stamp {
    /// The stamp of an item with these properties. `submitted` is the FILETIME of PidTagClientSubmitTime, where set.
    pub fn of(
        key: Option<&SearchKey>,
        message_id: Option<&str>,
        class: &ItemClass,
        submitted: Option<u64>,
    ) -> Self {
        key.map_or_else(
            || Self::fallback(message_id, class, submitted),
            |k| Self::Key(k.clone()),
        )
    }

    /// A stamp that no item of a source bears, for one of the target that is a copy of nothing.
    pub fn of_nothing(id: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"a copy of nothing\0");
        hash.update(id.as_bytes());
        Self::Fallback(first16(&hash.finalize()))
    }

    /// The stamp that ignores the search key.
    pub fn fallback(message_id: Option<&str>, class: &ItemClass, submitted: Option<u64>) -> Self {
        let mut hash = Sha256::new();
        hash.update(message_id.unwrap_or("").as_bytes());
        hash.update([0]);
        hash.update(class.as_str().to_ascii_lowercase().as_bytes());
        hash.update([0]);
        // Whole seconds: Graph shows times without fractions.
        hash.update((submitted.unwrap_or(0) / 10_000_000).to_le_bytes());
        Self::Fallback(first16(&hash.finalize()))
    }
}

/// The message class of an item, e.g. `IPM.Note`. Compared without regard to ASCII case, as the store does.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemClass(String);

impl ItemClass {
    /// Wraps a class as the server gives it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for the class itself and its sub-classes (`IPM.Note` covers `IPM.Note.SMIME`, not `IPM.NoteX`).
    pub fn is_a(&self, family: &str) -> bool {
        let (own, family) = (self.0.as_bytes(), family.as_bytes());
        own.len() >= family.len()
            && own[..family.len()].eq_ignore_ascii_case(family)
            && (own.len() == family.len() || own[family.len()] == b'.')
    }
}

impl PartialEq for ItemClass {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ItemClass {}

impl PartialOrd for ItemClass {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ItemClass {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let lower = |c: &Self| c.0.to_ascii_lowercase();
        lower(self).cmp(&lower(other))
    }
}

impl fmt::Display for ItemClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The canonical content digest of an item stream (reference/fts.md section 4): same content, same value, on both sides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One source item as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceHeader {
    /// Its EWS id at the time of listing.
    pub id: ItemId,
    /// The mark its copy will bear.
    pub stamp: Stamp,
    /// Its message class.
    pub class: ItemClass,
    /// Its size as the store counts it; the stream differs.
    pub size: Bytes,
    /// Whether it is read, where the listing says so.
    pub read: Option<bool>,
    /// When it was received, where the listing says so.
    pub received: Option<Moment>,
    /// Its version, where the listing says so.
    pub version: Option<Version>,
}

/// The version of a source item: the first 8 bytes of SHA-256 over its EWS ChangeKey, which changes with every modification
/// (reference/ews.md section 6). Compared for equality only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub [u8; 8]);

impl Version {
    /// Stands for a version that nobody told; the same as no other.
    pub const UNKNOWN: Self = Self([0; 8]);

    /// The version this change key stands for.
    pub fn of(change_key: &str) -> Self {
        let digest = Sha256::digest(change_key.as_bytes());
        let mut out = [0; 8];
        out.copy_from_slice(&digest[..8]);
        Self(out)
    }
}

/// One target item as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetHeader {
    /// Where it is.
    pub placed: Placed,
    /// Its search key, where it has one.
    pub key: Option<SearchKey>,
    /// The fallback stamp from its message id, class and submit time.
    pub fallback: Stamp,
    /// Its message class.
    pub class: ItemClass,
    /// Its size as Graph reports it.
    pub size: Bytes,
    /// When the target's store took it in, by its own clock, where the listing says so. An import sets it anew.
    pub created: Option<Moment>,
    /// By which route it was made: by the typed one where it bears our mark for this mailbox.
    pub route: Route,
}

impl TargetHeader {
    /// True when this item bears `stamp`.
    pub fn bears(&self, stamp: &Stamp) -> bool {
        match stamp {
            Stamp::Key(key) => self.key.as_ref() == Some(key),
            Stamp::Fallback(_) => self.fallback == *stamp,
        }
    }
}

/// An item on the target: its id and the version we know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Placed {
    /// The id Graph gave it.
    pub item: TargetItemId,
    /// Its version at that time.
    pub change_key: ChangeKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_match_by_family_with_a_dot_boundary() {
        let class = ItemClass::new("IPM.Note.SMIME");
        assert!(class.is_a("ipm.note"));
        assert!(class.is_a("IPM.Note.SMIME"));
        assert!(!class.is_a("IPM.Note.SM"));
        assert!(!ItemClass::new("IPM.NoteX").is_a("IPM.Note"));
        assert_eq!(ItemClass::new("ipm.note"), ItemClass::new("IPM.Note"));
    }

    #[test]
    fn ids_that_differ_only_in_case_are_different_items() {
        assert_ne!(
            ItemKey::of(&ItemId::new("AAMkAD")),
            ItemKey::of(&ItemId::new("aamkad"))
        );
    }
}
