//! What looking into an item on its way brought. Names of attachments are no part of it: they go into the quarantine record alone.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::item::{Digest, Version};
use crate::base::quantity::Moment;
use crate::base::screen_rules::Mode;

/// SHA-256 of an attachment or of a member of an archive, as it lies there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContentHash(pub [u8; 32]);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The name of a rule or of a signature: letters, digits and `_ . : - ( ) /`, at most 120 of them, so that nothing of a mail can ride along.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(String);

impl Mark {
    /// Keeps what of `text` may be repeated.
    pub fn new(text: &str) -> Self {
        let plain = |c: &char| c.is_ascii_alphanumeric() || "_.:-()/".contains(*c);
        Self(text.chars().filter(plain).take(120).collect())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who looked: enough to say later what could have been found at the time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenedBy {
    /// The version of the static rules; `None` where all of them are off.
    pub rules: Option<u16>,
    /// The first bytes of SHA-256 over the lists of hashes; `None` without lists.
    pub lists: Option<[u8; 8]>,
    /// The engine with the version of its signatures, as it calls itself; `None` without one.
    pub engine: Option<Mark>,
    /// When its signatures were made, where it says so.
    pub signatures: Option<Moment>,
}

impl fmt::Display for ScreenedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.rules.map(|version| format!("rules {version}")));
        parts.extend(self.lists.map(|digest| {
            let digest = u64::from_be_bytes(digest);
            format!("hash lists {digest:016x}")
        }));
        parts.extend(self.engine.as_ref().map(ToString::to_string));
        parts.extend(self.signatures.map(|at| format!("signatures of {at}")));
        if parts.is_empty() {
            return f.write_str("nobody");
        }
        f.write_str(&parts.join(", "))
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hit {
    /// The rule or signature.
    pub mark: Mark,
    /// In which attachment, or member of an archive.
    pub content: ContentHash,
}

/// One thing that was found, with the names that lead to it. `Debug` shows no name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The rule or signature.
    pub mark: Mark,
    /// What follows.
    pub mode: Mode,
    /// SHA-256 of the file it was found in.
    pub content: ContentHash,
    /// Its length.
    pub size: u64,
    /// Its name, after those of the archives around it.
    pub names: Vec<String>,
    /// The content type of the attachment.
    pub mime: Option<String>,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Found({} in {}, {:?})",
            self.mark, self.content, self.mode
        )
    }
}

/// Why an item could not be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unscanned {
    /// The reader does not know the item's stream to its end.
    Unread,
    /// An attachment, or a member of an archive, is larger than is looked into.
    TooLarge,
    /// Messages or archives lie deeper inside each other than is followed.
    TooDeep,
    /// More parts than are followed.
    TooMany,
    /// An archive unpacks to far more than it is, or all of them to more than is looked into.
    Expands,
    /// An archive cannot be read.
    Damaged,
    /// An archive is packed by a method that is not read.
    Method,
    /// The engine looks into nothing as large.
    EngineLimit,
    /// The engine answered with an error.
    EngineError,
    /// The engine did not answer, or failed its self-test.
    NoEngine,
}

impl Unscanned {
    /// The reason in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unread => "its stream could not be read to its end",
            Self::TooLarge => "a part is larger than is looked into",
            Self::TooDeep => "its parts lie deeper inside each other than is followed",
            Self::TooMany => "it has more parts than are followed",
            Self::Expands => "an archive unpacks to more than is looked into",
            Self::Damaged => "an archive in it cannot be read",
            Self::Method => "an archive in it is packed by a method that is not read",
            Self::EngineLimit => "the engine looks into nothing as large",
            Self::EngineError => "the engine answered with an error",
            Self::NoEngine => "the engine did not answer",
        }
    }
}

/// The three answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// All of it was looked into, and nothing was found.
    NothingFound,
    /// Something was found: the first hits, at most [`crate::base::limits::SCREEN_HITS_KEPT`].
    Found(Vec<Hit>),
    /// It could not be looked into, or not into all of it.
    NotScanned(Unscanned),
}

/// What follows from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Effect {
    /// It is carried.
    Passes,
    /// It is withheld until a person decides.
    Withheld,
    /// It waits: the next run looks again.
    Waits,
}

/// One item, looked into once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screening {
    /// Who looked.
    pub by: ScreenedBy,
    /// What came of it.
    pub answer: Answer,
    /// What follows.
    pub effect: Effect,
    /// How many parts were looked into: bodies, attachments, members of archives.
    pub parts: u32,
    /// What exactly was looked into, so that a decision about it counts for nothing else.
    pub bound: Binding,
}

/// The content a decision is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Canonical digest of the stream, where it could be read whole.
    pub content: Option<Digest>,
    /// The item's version at the source, where it is known. Counts only where there is no digest.
    pub version: Option<Version>,
}

impl Binding {
    /// True when `other` is surely the same content.
    pub fn holds(&self, other: &Self) -> bool {
        match (self.content, other.content) {
            (Some(own), Some(other)) => own == other,
            (None, None) => {
                let known = self.version.filter(|own| *own != Version::UNKNOWN);
                known.is_some() && known == other.version
            }
            _ => false,
        }
    }
}

/// What a person decided about a withheld or waiting item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Judgement {
    /// The next run carries exactly this content.
    Release,
    /// It stays withheld.
    Confirm,
}

/// Where a clamd listens. It neither asks who one is nor encrypts, so it must be on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClamdAddress {
    /// A socket in the file system.
    Unix(String),
    /// A port of the loopback interface.
    Tcp {
        /// `127.0.0.1`, `::1` or another address of 127/8.
        host: String,
        /// The port.
        port: u16,
    },
}

impl ClamdAddress {
    /// Reads `unix:/run/clamav/clamd.ctl` or `tcp:127.0.0.1:3310`; nothing that would leave this machine.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            let plain = path.starts_with('/') && !path.contains('\0');
            return plain.then(|| Self::Unix(path.to_owned()));
        }
        let (host, port) = text.strip_prefix("tcp:")?.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let octets: Vec<&str> = host.split('.').collect();
        let four = octets.len() == 4 && octets.iter().all(|part| part.parse::<u8>().is_ok());
        let loopback = host == "::1" || (four && octets[0] == "127");
        let port = port.parse().ok().filter(|port| *port > 0)?;
        loopback.then(|| Self::Tcp {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for ClamdAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{path}"),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp:{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_counts_for_the_content_it_was_made_about_alone() {
        let of = |content: Option<u8>, version: Option<u8>| Binding {
            content: content.map(|n| Digest([n; 32])),
            version: version.map(|n| Version([n; 8])),
        };
        assert!(of(Some(1), Some(1)).holds(&of(Some(1), Some(2))));
        assert!(!of(Some(1), Some(1)).holds(&of(Some(2), Some(1))));
        assert!(!of(Some(1), Some(1)).holds(&of(None, Some(1))));
        assert!(of(None, Some(1)).holds(&of(None, Some(1))));
        assert!(!of(None, Some(1)).holds(&of(None, Some(2))));
        assert!(!of(None, None).holds(&of(None, None)), "nothing is known");
        assert!(!of(None, Some(0)).holds(&of(None, Some(0))), "nobody told");
    }

    #[test]
    fn an_engine_is_on_this_machine() {
        for good in [
            "unix:/run/clamav/clamd.ctl",
            "tcp:127.0.0.1:3310",
            "tcp:[::1]:3310",
            "tcp:127.1.2.3:1",
        ] {
            let address = ClamdAddress::parse(good).expect(good);
            assert_eq!(address.to_string(), good);
        }
        for bad in [
            "unix:clamd.ctl",
            "tcp:10.0.0.1:3310",
            "tcp:clamd.clinic.example:3310",
            "tcp:127.0.0.1:0",
            "tcp:127.0.0.1",
            "tcp:127.evil.example.com:3310",
            "127.0.0.1:3310",
            "",
        ] {
            assert_eq!(ClamdAddress::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_mark_repeats_nothing_of_a_mail() {
        let mark = Mark::new("Win.Test <a.harris@clinic.example> \u{202e}\n'x'");
        assert_eq!(mark.as_str(), "Win.Testa.harrisclinic.examplex");
        assert_eq!(Mark::new(&"a".repeat(500)).as_str().len(), 120);
    }
}
