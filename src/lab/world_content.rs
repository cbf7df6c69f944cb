//! What an item is made of: a stream held in memory, a recipe that makes one when asked, or only its digest.

use std::sync::Arc;

use super::populate_items::file;
use crate::base::dice::Dice;
use crate::base::item::{Digest, ItemClass, SearchKey};
use crate::base::quantity::{Bytes, Count, Moment};
use crate::wire::item_stream::{ItemReport, Message, Prop, Value, digest_of, encode, tags};

/// FILETIME of the Unix epoch, in 100 ns.
const EPOCH: u64 = 116_444_736_000_000_000;

/// The moment a FILETIME stands for.
pub fn moment_of(filetime: u64) -> Moment {
    let ms = i128::from(filetime / 10_000) - i128::from(EPOCH / 10_000);
    Moment::from_unix_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// The FILETIME of a moment; 0 before 1601.
pub fn filetime_of(moment: Moment) -> u64 {
    let ticks = i128::from(moment.unix_ms()) * 10_000 + i128::from(EPOCH);
    u64::try_from(ticks).unwrap_or(0)
}

/// The content of an item.
#[derive(Clone, Debug)]
pub enum Content {
    /// The stream itself.
    Stream(Arc<[u8]>),
    /// A plain message made from a seed whenever somebody asks.
    Plain {
        /// Decides everything about it.
        seed: u64,
        /// Length of its body.
        body: u64,
    },
    /// The same with its bytes in an attachment.
    Attached {
        /// Decides everything about it.
        seed: u64,
        /// Length of its attachment.
        data: u64,
    },
    /// The stream was counted and thrown away.
    Discarded {
        /// Its length.
        bytes: Bytes,
        /// Its canonical digest, where it could be read whole.
        digest: Option<Digest>,
    },
}

impl Content {
    /// The stream, unless it was thrown away.
    pub fn stream(&self) -> Option<Arc<[u8]>> {
        match self {
            Self::Stream(bytes) => Some(Arc::clone(bytes)),
            Self::Plain { seed, body } => Some(encode(&plain(*seed, *body)).into()),
            Self::Attached { seed, data } => Some(encode(&attached(*seed, *data)).into()),
            Self::Discarded { .. } => None,
        }
    }

    /// The canonical digest.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::Discarded { digest, .. } => *digest,
            other => digest_of(&other.stream()?).digest,
        }
    }
}

/// Who an item is, as a listing shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ident {
    /// PidTagMessageClass.
    pub class: ItemClass,
    /// PidTagSearchKey.
    pub search_key: Option<SearchKey>,
    /// PidTagInternetMessageId.
    pub message_id: Option<String>,
    /// PidTagClientSubmitTime.
    pub submitted: Option<u64>,
    /// PidTagMessageFlags.
    pub flags: u32,
}

impl Ident {
    /// What a stream says about its item.
    pub fn of(report: &ItemReport) -> Self {
        Self {
            class: report
                .class
                .clone()
                .unwrap_or_else(|| ItemClass::new("IPM.Note")),
            search_key: report.search_key.clone(),
            message_id: report.message_id.clone(),
            submitted: report.submitted,
            flags: report.flags.unwrap_or(0),
        }
    }

    /// Whether the read bit is set.
    pub const fn read(&self) -> bool {
        self.flags & tags::FLAG_READ != 0
    }
}

/// Sixteen bytes that differ for each seed.
fn key_of(seed: u64) -> [u8; 16] {
    let mut dice = Dice::new(seed);
    let mut key = [0; 16];
    key[..8].copy_from_slice(&dice.next().to_le_bytes());
    key[8..].copy_from_slice(&dice.next().to_le_bytes());
    key
}

/// The identity of the plain message of `seed`, without making it.
pub fn plain_ident(seed: u64) -> Ident {
    Ident {
        class: ItemClass::new("IPM.Note"),
        search_key: SearchKey::new(key_of(seed)),
        message_id: Some(format!("<{seed:016x}@clinic.example>")),
        submitted: Some(132_000_000_000_000_000 + (seed & 0xFFFF_FFFF) * 100_000_000),
        flags: if seed.is_multiple_of(3) {
            0
        } else {
            tags::FLAG_READ
        },
    }
}

/// The plain message of `seed` with a binary body of that length.
fn plain(seed: u64, body: u64) -> Message {
    let ident = plain_ident(seed);
    let mut dice = Dice::new(seed).split("body");
    let wanted = usize::try_from(body).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(wanted + 8);
    while bytes.len() < wanted {
        bytes.extend(dice.next().to_le_bytes());
    }
    bytes.truncate(wanted);
    let submitted = ident.submitted.unwrap_or(0);
    Message {
        props: vec![
            Prop::text(tags::MESSAGE_CLASS, ident.class.as_str()),
            Prop::text(tags::SUBJECT, "Bench message"),
            Prop::time(tags::CLIENT_SUBMIT_TIME, submitted),
            Prop::time(tags::MESSAGE_DELIVERY_TIME, submitted),
            Prop::i32(tags::MESSAGE_FLAGS, ident.flags),
            Prop::text(
                tags::INTERNET_MESSAGE_ID,
                ident.message_id.as_deref().unwrap_or(""),
            ),
            Prop::binary(tags::SEARCH_KEY, key_of(seed)),
            Prop::binary(0x1013, bytes),
        ],
        ..Message::default()
    }
}

/// The plain message of `seed` with its bytes in an attachment.
fn attached(seed: u64, data: u64) -> Message {
    let mut message = plain(seed, data);
    let bytes = message.props.pop().and_then(|body| match body.value {
        Value::One(bytes) => Some(bytes),
        Value::Many(_) => None,
    });
    let file = file("measurement.dat", bytes.unwrap_or_default());
    message.attachments.push(file);
    message
}

/// How many items a folder holds, and how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Items.
    pub items: Count,
    /// Bytes.
    pub size: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_of_a_recipe_is_that_of_the_message_it_makes() {
        for seed in [0, 1, 2, u64::MAX] {
            let stream = Content::Plain { seed, body: 9_000 }.stream().unwrap();
            assert_eq!(Ident::of(&digest_of(&stream)), plain_ident(seed));
            assert!((9_000..10_000).contains(&stream.len()));
        }
    }

    #[test]
    fn filetimes_and_moments_agree() {
        let moment = Moment::from_unix_ms(1_700_000_000_123);
        assert_eq!(moment_of(filetime_of(moment)), moment);
        assert_eq!(filetime_of(Moment::from_unix_ms(0)), EPOCH);
    }
}
