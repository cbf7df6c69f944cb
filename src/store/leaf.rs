//! A leaf: rows of neighbouring items of one folder in one value of the store.
//!
//! Unpacked it is row after row: the item's key (16 bytes), what is due (one byte, 255 for nothing), the length (four bytes, little-endian) and
//! the row as `codec` writes it. Packed it is the version of the format and an LZ4 block behind its length: the rows of a folder have most of
//! their ids in common.

use crate::base::books::Due;
use crate::base::item::ItemKey;
use crate::base::limits::{LEDGER_LEAF, LEDGER_LEAF_MAX};
use crate::store::codec::{CodecError, FORMAT};

const NOTHING_DUE: u8 = u8::MAX;

/// Bytes in front of each row.
const HEAD: usize = 16 + 1 + 4;

/// One row in a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot<'a> {
    /// Whose row it is.
    pub(super) key: ItemKey,
    /// What is to be done about it.
    pub(super) due: Option<Due>,
    /// The row, encoded.
    pub(super) row: &'a [u8],
}

/// An unpacked leaf: its rows ascend by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Leaf {
    flat: Vec<u8>,
}

impl Leaf {
    /// Unpacks a leaf and checks its layout, so that what reads it later cannot fail. The rows themselves are not read.
    pub(super) fn unpack(bytes: &[u8]) -> Result<Self, CodecError> {
        let packed = match bytes.split_first() {
            Some((&FORMAT, packed)) => packed,
            Some((&found, _)) if found > FORMAT => return Err(CodecError::Newer { found }),
            Some(_) | None => return Err(CodecError::Damaged),
        };
        let (size, block) =
            lz4_flex::block::uncompressed_size(packed).map_err(|_| CodecError::Damaged)?;
        // A length is a promise to reserve that much.
        if size > LEDGER_LEAF_MAX {
            return Err(CodecError::Damaged);
        }
        let flat = lz4_flex::block::decompress(block, size).map_err(|_| CodecError::Damaged)?;
        let (mut rest, mut last) = (flat.as_slice(), None);
        while !rest.is_empty() {
            let (slot, behind) = Slot::read(rest).ok_or(CodecError::Damaged)?;
            if last.is_some_and(|last| last >= slot.key) {
                return Err(CodecError::Damaged);
            }
            (last, rest) = (Some(slot.key), behind);
        }
        Ok(Self { flat })
    }

    pub(super) fn pack(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend(lz4_flex::block::compress_prepend_size(&self.flat));
        bytes
    }

    /// The rows, in key order.
    pub(super) fn slots(&self) -> Slots<'_> {
        Slots(&self.flat)
    }

    /// The row of one item.
    pub(super) fn get(&self, key: ItemKey) -> Option<Slot<'_>> {
        self.slots()
            .take_while(|slot| slot.key <= key)
            .find(|slot| slot.key == key)
    }

    /// The key of its first row.
    pub(super) fn first(&self) -> Option<ItemKey> {
        self.slots().next().map(|slot| slot.key)
    }

    /// True when some row has this to be done.
    pub(super) fn has(&self, due: Due) -> bool {
        self.slots().any(|slot| slot.due == Some(due))
    }

    /// Adds a row behind the others; its key must be the greatest.
    pub(super) fn push(&mut self, slot: Slot<'_>) {
        debug_assert!(self.slots().last().is_none_or(|last| last.key < slot.key));
        self.flat.extend(slot.key.0);
        self.flat
            .push(slot.due.map_or(NOTHING_DUE, |due| due as u8));
        // A row is far below 4 GB: its facts are counted.
        let length = u32::try_from(slot.row.len()).unwrap_or(u32::MAX);
        self.flat.extend(length.to_le_bytes());
        self.flat.extend(slot.row);
    }

    /// The leaf with rows put in or replaced, which ascend by key, cut into leaves of about the same length where it grew too long.
    pub(super) fn with(&self, rows: &[Slot<'_>]) -> Vec<Self> {
        let mut all: Vec<Slot<'_>> = Vec::new();
        let mut new = rows.iter().copied().peekable();
        for old in self.slots() {
            while let Some(slot) = new.next_if(|slot| slot.key < old.key) {
                all.push(slot);
            }
            all.push(new.next_if(|slot| slot.key == old.key).unwrap_or(old));
        }
        all.extend(new);
        let total: usize = all.iter().map(|slot| HEAD + slot.row.len()).sum();
        let fair = total / (total / LEDGER_LEAF + 1) + 1;
        let mut leaves = vec![Self::default()];
        for slot in all {
            let filled = leaves.last().is_some_and(|leaf| leaf.flat.len() >= fair);
            if filled {
                leaves.push(Self::default());
            }
            if let Some(leaf) = leaves.last_mut() {
                leaf.push(slot);
            }
        }
        leaves
    }
}

impl<'a> Slot<'a> {
    fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        let key = ItemKey(head[..16].try_into().ok()?);
        let due = match head[16] {
            NOTHING_DUE => None,
            due => Some(*Due::ALL.get(usize::from(due))?),
        };
        let length = u32::from_le_bytes(head[17..].try_into().ok()?);
        let (row, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        Some((Self { key, due, row }, rest))
    }
}

/// The rows of a leaf.
#[derive(Clone, Debug)]
pub(super) struct Slots<'a>(&'a [u8]);

impl<'a> Iterator for Slots<'a> {
    type Item = Slot<'a>;

    fn next(&mut self) -> Option<Slot<'a>> {
        let (slot, rest) = Slot::read(self.0)?;
        self.0 = rest;
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Rows = BTreeMap<[u8; 16], (Option<Due>, Vec<u8>)>;

    fn rows() -> impl Strategy<Value = Rows> {
        let due = (0usize..8).prop_map(|n| Due::ALL.get(n).copied());
        let row = proptest::collection::vec(any::<u8>(), 0..900);
        proptest::collection::btree_map(any::<[u8; 16]>(), (due, row), 0..90)
    }

    fn slots(rows: &Rows) -> Vec<Slot<'_>> {
        rows.iter()
            .map(|(key, (due, row))| Slot {
                key: ItemKey(*key),
                due: *due,
                row,
            })
            .collect()
    }

    proptest! {
        #[test]
        fn what_is_put_in_is_what_is_there(first in rows(), then in rows()) {
            let leaves = Leaf::default().with(&slots(&first));
            let mut all = first.clone();
            // Put into the leaf it belongs to, as the ledger does.
            let mut after = Vec::new();
            for (n, leaf) in leaves.iter().enumerate() {
                let from = leaf.first().unwrap_or(ItemKey([0; 16]));
                let until = leaves.get(n + 1).and_then(Leaf::first);
                let own: Vec<Slot<'_>> = slots(&then)
                    .into_iter()
                    .filter(|slot| (n == 0 || slot.key >= from) && until.is_none_or(|until| slot.key < until))
                    .collect();
                after.extend(leaf.with(&own));
            }
            all.extend(then.clone());
            let read: Vec<Leaf> = after.iter().map(|leaf| Leaf::unpack(&leaf.pack()).unwrap()).collect();
            prop_assert_eq!(&read, &after);
            let flat: Vec<Slot<'_>> = read.iter().flat_map(Leaf::slots).collect();
            prop_assert_eq!(flat, slots(&all));
            for leaf in &read {
                prop_assert!(leaf.flat.len() <= LEDGER_LEAF + HEAD + 900, "{}", leaf.flat.len());
                for slot in leaf.slots() {
                    prop_assert_eq!(leaf.get(slot.key), Some(slot));
                    prop_assert!(slot.due.is_none_or(|due| leaf.has(due)));
                }
            }
        }

        #[test]
        fn any_bytes_unpack_or_are_refused_without_a_panic(bytes: Vec<u8>) {
            let _ = Leaf::unpack(&[&[FORMAT][..], &bytes].concat());
            let block = lz4_flex::block::compress_prepend_size(&bytes);
            let _ = Leaf::unpack(&[&[FORMAT][..], &block].concat());
        }
    }

    #[test]
    fn the_bytes_of_a_leaf_stay_what_they_are() {
        let mut leaf = Leaf::default();
        for (n, due) in [(1, Some(Due::Doubt)), (2, None)] {
            leaf.push(Slot {
                key: ItemKey([n; 16]),
                due,
                row: b"row",
            });
        }
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(String::new(), |out, b| format!("{out}{b:02x}"))
        };
        insta::assert_snapshot!(hex(&leaf.flat), @"010101010101010101010101010101010203000000726f7702020202020202020202020202020202ff03000000726f77");
        assert_eq!(Leaf::unpack(&leaf.pack()), Ok(leaf));
    }

    #[test]
    fn a_leaf_that_is_torn_disordered_or_promises_too_much_is_damage() {
        let slot = |n: u8| Slot {
            key: ItemKey([n; 16]),
            due: Some(Due::Create),
            row: &[7; 40],
        };
        let whole = Leaf::default().with(&[slot(1), slot(2)]).remove(0);
        let packed = whole.pack();
        for end in 0..packed.len() {
            assert_eq!(Leaf::unpack(&packed[..end]), Err(CodecError::Damaged));
        }
        let twice = Leaf {
            flat: [&whole.flat[..], &whole.flat].concat(),
        };
        assert_eq!(Leaf::unpack(&twice.pack()), Err(CodecError::Damaged));
        let mut huge = packed.clone();
        huge[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Leaf::unpack(&huge), Err(CodecError::Damaged));
        let mut newer = packed;
        newer[0] = FORMAT + 1;
        let found = FORMAT + 1;
        assert_eq!(Leaf::unpack(&newer), Err(CodecError::Newer { found }));
    }
}
