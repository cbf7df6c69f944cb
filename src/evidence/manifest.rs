//! The item manifest: one line an item, and the pseudonyms under which it goes out of the house.
//!
//! A pseudonym is HMAC-SHA-256 under a key that stays with the customer, over the kind of thing and the thing. Whoever has the key can say which
//! item a line is about; whoever has not cannot find out by guessing, as they could with a plain hash of an address or a digest.

use std::fmt;

use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroize;

use super::merkle::hex;
use crate::base::fact::Bucket;
use crate::base::id::MailboxId;

/// The key of pseudonyms: 32 bytes from the system's generator. Never printed.
#[derive(Clone)]
pub struct PseudonymKey([u8; 32]);

impl PseudonymKey {
    /// Takes the bytes in.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the key file: 64 hexadecimal digits and a line end.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim_end();
        if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The key file.
    pub fn render(&self) -> String {
        format!("{}\n", hex(&self.0))
    }
}

impl Drop for PseudonymKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// How things are called in a pack.
#[derive(Clone, Debug)]
pub enum Names {
    /// By pseudonym: for anybody.
    Pseudonyms(PseudonymKey),
    /// As they are: stays in the house.
    Revealed,
}

impl Names {
    /// The edition's word in `pack.json`.
    pub const fn edition(&self) -> &'static str {
        match self {
            Self::Pseudonyms(_) => "external",
            Self::Revealed => "internal",
        }
    }

    /// A mailbox. Addresses are compared without regard to case.
    pub fn mailbox(&self, mailbox: &MailboxId) -> String {
        match self {
            Self::Revealed => mailbox.reveal().to_owned(),
            Self::Pseudonyms(key) => of(key, "mailbox", &[&mailbox.reveal().to_lowercase()]),
        }
    }

    /// A folder path. The same path in two mailboxes has two pseudonyms.
    pub fn folder(&self, mailbox: &MailboxId, path: &str) -> String {
        match self {
            Self::Revealed => path.to_owned(),
            Self::Pseudonyms(key) => of(key, "folder", &[&mailbox.reveal().to_lowercase(), path]),
        }
    }

    /// An item of the source, by its key.
    pub fn item(&self, key: &str) -> String {
        self.plain("item", key)
    }

    /// An item of the target, by its id.
    pub fn target(&self, id: &str) -> String {
        self.plain("target", id)
    }

    /// A content digest.
    pub fn digest(&self, digest: &str) -> String {
        self.plain("digest", digest)
    }

    /// A person who decided or signed something.
    pub fn person(&self, name: &str) -> String {
        self.plain("person", name)
    }

    /// A mark by which items are compared.
    pub fn stamp(&self, stamp: &str) -> String {
        self.plain("stamp", stamp)
    }

    fn plain(&self, kind: &str, text: &str) -> String {
        match self {
            Self::Revealed => text.to_owned(),
            Self::Pseudonyms(key) => of(key, kind, &[text]),
        }
    }
}

/// The first 16 bytes of the HMAC over the kind and the parts, each with its length before it.
fn of(key: &PseudonymKey, kind: &str, parts: &[&str]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes keys of any length");
    for part in std::iter::once(&kind).chain(parts) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    hex(&mac.finalize().into_bytes()[..16])
}

/// One line of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemLine {
    /// Which mailbox, `m0000`.
    pub job: String,
    /// Which folder, by its number in the mailbox.
    pub folder: u32,
    /// Which item.
    pub item: String,
    /// Its class.
    pub class: String,
    /// In which bucket of the balance.
    pub bucket: Bucket,
    /// Bytes, as the source lists them.
    pub size: u64,
    /// Bytes of the stream that arrived.
    pub carried: u64,
    /// The mark both sides were compared by.
    pub stamp: String,
    /// Digest of the content that was sent, where it could be read whole.
    pub digest: Option<String>,
    /// Where it is on the target.
    pub target: Option<String>,
}

impl ItemLine {
    /// The line without its line end.
    pub fn render(&self) -> String {
        serde_json::to_string(self).expect("a line is plain data")
    }

    /// Its place in the manifest: lines are in strictly rising order, so that no item stands there twice.
    pub fn place(&self) -> (&str, u32, &str) {
        (&self.job, self.folder, &self.item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_depends_on_key_kind_and_every_part() {
        let key = |n| Names::Pseudonyms(PseudonymKey::new([n; 32]));
        let (a, b) = (MailboxId::new("a@x.example"), MailboxId::new("b@x.example"));
        let all = [
            key(1).mailbox(&a),
            key(1).mailbox(&b),
            key(2).mailbox(&a),
            key(1).folder(&a, "Inbox"),
            key(1).folder(&b, "Inbox"),
            key(1).item("a@x.example"),
            key(1).target("a@x.example"),
        ];
        let different: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert!(all.iter().all(|name| super::super::waiver::is_key(name)));
        let shouted = MailboxId::new("A@X.example");
        assert_eq!(key(1).mailbox(&a), key(1).mailbox(&shouted));
        assert_eq!(Names::Revealed.folder(&a, "Inbox"), "Inbox");
    }

    #[test]
    fn the_key_file_reads_back_and_prints_nothing() {
        let key = PseudonymKey::parse(&PseudonymKey::new([0xAB; 32]).render()).unwrap();
        assert_eq!(key.0, [0xAB; 32]);
        assert_eq!(format!("{key:?}"), "[secret]");
        assert!(PseudonymKey::parse("ab").is_none());
        assert!(PseudonymKey::parse(&"é".repeat(32)).is_none());
    }
}
