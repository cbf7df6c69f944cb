//! Special folders without an EWS name, found by entry id: PidTagAdditionalRenEntryIds (0x36D8) and its extension (0x36D9) on root and
//! inbox (reference/ews.md section 5). Language plays no part.

use std::collections::BTreeMap;

use crate::base::mailbox::FolderRole;

/// What the values of 0x36D8 mean, by index. Index 4 is Junk Email, which has a distinguished id.
const BY_INDEX: [FolderRole; 4] = [
    FolderRole::Conflicts,
    FolderRole::SyncIssues,
    FolderRole::LocalFailures,
    FolderRole::ServerFailures,
];

/// Entry ids of special folders, and what each is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecialFolders {
    by_entry_id: BTreeMap<Vec<u8>, FolderRole>,
}

impl SpecialFolders {
    /// Takes in the two properties of one folder. Damaged parts are passed over: this is a cross-check, not the listing.
    pub fn learn(&mut self, ren: &[Vec<u8>], ren_ex: Option<&[u8]>) {
        for (id, role) in ren.iter().zip(BY_INDEX) {
            self.note(id, role);
        }
        for (kind, id) in ren_ex.map(blocks).unwrap_or_default() {
            let role = match kind {
                0x8001 => FolderRole::RssFeeds,
                0x8004 => FolderRole::ToDoSearch,
                0x8006 => FolderRole::ConversationActions,
                0x8008 => FolderRole::SuggestedContacts,
                0x800A => FolderRole::ImContactList,
                0x800B => FolderRole::QuickContacts,
                _ => continue,
            };
            self.note(id, role);
        }
    }

    fn note(&mut self, id: &[u8], role: FolderRole) {
        if !id.is_empty() {
            self.by_entry_id.entry(id.to_vec()).or_insert(role);
        }
    }

    /// What the folder with this entry id is for.
    pub fn role(&self, entry_id: &[u8]) -> Option<FolderRole> {
        self.by_entry_id.get(entry_id).copied()
    }
}

/// The entry ids in 0x36D9: blocks of {u16 id, u16 size}, each with elements of {u16 kind, u16 size}; kind 1 is an entry id. Block id 0
/// ends the list.
fn blocks(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while let Some((block, mut inside, rest)) = head(bytes) {
        bytes = rest;
        if block == 0 {
            break;
        }
        while let Some((kind, value, rest)) = head(inside) {
            inside = rest;
            if kind == 1 {
                found.push((block, value));
            }
        }
    }
    found
}

/// A u16 word, a u16 length, as many bytes, and what follows.
fn head(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let [a, b, c, d, rest @ ..] = bytes else {
        return None;
    };
    let length = usize::from(u16::from_le_bytes([*c, *d]));
    let (inside, rest) = rest.split_at_checked(length)?;
    Some((u16::from_le_bytes([*a, *b]), inside, rest))
}

/// Writes 0x36D9 with one entry id per block.
pub fn write_ren_ex(entries: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let word = |n: usize| u16::try_from(n).unwrap_or(u16::MAX).to_le_bytes();
    for (block, id) in entries {
        out.extend(block.to_le_bytes());
        out.extend(word(id.len() + 4));
        out.extend(1u16.to_le_bytes());
        out.extend(word(id.len()));
        out.extend(*id);
    }
    out.extend([0, 0, 0, 0]);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn special_folders_are_found_by_entry_id() {
        let ren_ex = write_ren_ex(&[(0x8001, b"rss"), (0x8002, b"track"), (0x8006, b"conv")]);
        let mut special = SpecialFolders::default();
        special.learn(
            &[b"conf".to_vec(), b"sync".to_vec(), Vec::new()],
            Some(&ren_ex),
        );
        assert_eq!(special.role(b"sync"), Some(FolderRole::SyncIssues));
        assert_eq!(special.role(b"conf"), Some(FolderRole::Conflicts));
        assert_eq!(special.role(b"rss"), Some(FolderRole::RssFeeds));
        assert_eq!(special.role(b"conv"), Some(FolderRole::ConversationActions));
        assert_eq!(special.role(b"track"), None);
        assert_eq!(special.role(b""), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            SpecialFolders::default().learn(std::slice::from_ref(&bytes), Some(&bytes));
        }
    }
}
