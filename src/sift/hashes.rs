//! Lists of SHA-256 values of files that are known to be bad.

use sha2::{Digest as _, Sha256};

use crate::base::limits::HASH_LIST_MAX;

/// What is wrong with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashFault {
    /// In which line, from 1.
    pub line: u64,
    /// What is wrong there.
    pub why: &'static str,
}

/// All lists of a plan together.
#[derive(Clone, Debug, Default)]
pub struct HashLists {
    /// Sorted.
    known: Vec<[u8; 32]>,
    digest: [u8; 8],
}

impl HashLists {
    /// Adds a list: a hash in 64 hexadecimal digits a line, whatever follows it after a blank is a label; `#` begins a comment. Lists that
    /// `sha256sum` writes are such lists.
    pub fn add(&mut self, text: &str) -> Result<(), HashFault> {
        for (no, line) in (1..).zip(text.lines()) {
            let line = line.trim_start_matches('\u{feff}').trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fault = |why| HashFault { line: no, why };
            let word = line.split([' ', '\t', ',', ';']).next().unwrap_or(line);
            let hash = read(word).ok_or_else(|| fault("not a SHA-256 in 64 hexadecimal digits"))?;
            if self.known.len() >= HASH_LIST_MAX {
                return Err(fault("more hashes than are held"));
            }
            self.known.push(hash);
        }
        self.known.sort_unstable();
        self.known.dedup();
        let mut digest = Sha256::new();
        self.known.iter().for_each(|hash| digest.update(hash));
        self.digest.copy_from_slice(&digest.finalize()[..8]);
        Ok(())
    }

    /// How many hashes there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The first bytes of SHA-256 over all of them.
    pub const fn digest(&self) -> [u8; 8] {
        self.digest
    }

    /// True when this file is known to be bad.
    pub fn holds(&self, hash: &[u8; 32]) -> bool {
        self.known.binary_search(hash).is_ok()
    }
}

fn read(word: &str) -> Option<[u8; 32]> {
    let digits = word.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, two) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let value = |digit: u8| char::from(digit).to_digit(16);
        let both = value(two[0])? * 16 + value(two[1])?;
        *byte = u8::try_from(both).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_with_labels_and_refused_by_line() {
        let (a, b) = ("aB".repeat(32), "00".repeat(32));
        let mut lists = HashLists::default();
        let text = format!("\u{feff}# known\n\n{a}  invoice.exe\r\n{b},label\n{a}\n");
        lists.add(&text).unwrap();
        assert_eq!(lists.len(), 2);
        assert!(lists.holds(&[0xAB; 32]) && lists.holds(&[0; 32]) && !lists.holds(&[1; 32]));
        let before = lists.digest();
        lists.add(&"01".repeat(32)).unwrap();
        assert_ne!(lists.digest(), before);
        let wrong = lists.add(&format!("{a}\nd41d8cd98f00b204e9800998ecf8427e\n"));
        assert_eq!(wrong.unwrap_err().line, 2);
    }
}
