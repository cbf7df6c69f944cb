//! What is learnt of an item while its stream passes.

use super::digest::Digester;
use super::parse::Container;
use crate::base::item::{Digest, ItemClass, SearchKey, Stamp};
use crate::base::outline::Outline;
use crate::base::quantity::{Bytes, Count};
use crate::wire::appointment::Dates;
use crate::wire::recurrence::NotExpanded;

/// What a stream says about its item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemReport {
    /// Length of the stream.
    pub bytes: Bytes,
    /// True when the container's records are complete and in order, whatever is inside them.
    pub sound: bool,
    /// True when every element was read to the end: the digest speaks for the whole item.
    pub whole: bool,
    /// PidTagSearchKey.
    pub search_key: Option<SearchKey>,
    /// PidTagInternetMessageId.
    pub message_id: Option<String>,
    /// PidTagMessageClass.
    pub class: Option<ItemClass>,
    /// PidTagClientSubmitTime as FILETIME.
    pub submitted: Option<u64>,
    /// PidTagMessageFlags.
    pub flags: Option<u32>,
    /// Recipients of the message itself.
    pub recipients: Count,
    /// Attachments of the message itself.
    pub attachments: Count,
    /// Embedded messages at any depth.
    pub embedded: Count,
    /// Records and elements the reader does not know.
    pub unknown: Count,
    /// The canonical digest; only of items read whole.
    pub digest: Option<Digest>,
}

impl ItemReport {
    /// The stamp its copy bears.
    pub fn stamp(&self) -> Stamp {
        let class = self.class.clone().unwrap_or_default();
        Stamp::of(
            self.search_key.as_ref(),
            self.message_id.as_deref(),
            &class,
            self.submitted,
        )
    }
}

/// A report, and what else a reader was asked to learn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readout {
    /// The report.
    pub report: ItemReport,
    /// Of items read whole by a reader [`ItemReader::with_outline`].
    pub outline: Option<Outline>,
    /// Of appointments read whole by a reader [`ItemReader::with_calendar`].
    pub dates: Option<Result<Dates, NotExpanded>>,
}

/// Reads a stream as it passes. Never fails: what it cannot read makes the item unread. Memory: `limits::STREAM_ENTRIES_MAX` hashes.
#[derive(Debug)]
pub struct ItemReader {
    container: Container,
    digester: Digester,
    bytes: Bytes,
}

impl Default for ItemReader {
    fn default() -> Self {
        Self::new()
    }
}

impl ItemReader {
    /// A reader before the first byte.
    pub fn new() -> Self {
        Self {
            container: Container::new(),
            digester: Digester::new(),
            bytes: Bytes::ZERO,
        }
    }

    /// A reader that can say which property differs: it keeps a hash and a name of each.
    pub fn with_outline() -> Self {
        Self {
            digester: Digester::with_outline(),
            ..Self::new()
        }
    }

    /// Takes the next bytes, in any portions.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes += Bytes::new(bytes.len() as u64);
        self.container.feed(bytes, &mut self.digester);
    }

    /// A reader that can say when an appointment takes place.
    pub fn with_calendar() -> Self {
        Self {
            digester: Digester::with_calendar(),
            ..Self::new()
        }
    }

    /// Ends the stream.
    pub fn finish(self) -> ItemReport {
        self.finish_with_more().report
    }

    /// Ends the stream, with what the reader was asked to learn besides.
    pub fn finish_with_more(self) -> Readout {
        let framing = self.container.framing();
        let mut digester = self.digester;
        let digest = (framing.complete && !digester.lost)
            .then(|| digester.close_top())
            .flatten();
        let outline = digest.and_then(|_| digester.outline());
        let appointment = |class: &Option<String>| {
            let class = class.clone().map(ItemClass::new);
            class.is_some_and(|class| class.is_a("IPM.Appointment"))
        };
        let kept = digester.calendar();
        let dates = kept
            .filter(|_| digest.is_some() && appointment(&digester.seen.class))
            .map(|kept| Dates::of(&kept));
        let seen = digester.seen;
        let report = ItemReport {
            bytes: self.bytes,
            sound: framing.sound,
            whole: digest.is_some(),
            search_key: SearchKey::new(seen.search_key.unwrap_or_default()),
            message_id: seen.message_id,
            class: seen.class.map(ItemClass::new),
            submitted: seen.submitted,
            flags: seen.flags,
            recipients: seen.recipients,
            attachments: seen.attachments,
            embedded: seen.embedded,
            unknown: Count::new(framing.strange),
            digest,
        };
        Readout {
            report,
            outline,
            dates,
        }
    }
}

/// The report of a stream that is there as a whole.
pub fn digest_of(stream: &[u8]) -> ItemReport {
    let mut reader = ItemReader::new();
    reader.feed(stream);
    reader.finish()
}
