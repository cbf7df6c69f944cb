//! One clamd, over a unix socket or a port of the loopback interface (reference/iocs.md section 4). It is asked to scan and for its version,
//! never for anything that changes it.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::base::limits::{CLAMD_CHUNK, CLAMD_REPLY_MAX, CLAMD_STREAM_MAX, CLAMD_TIMEOUT};
use crate::base::quantity::Moment;
use crate::base::screening::{ClamdAddress, Mark, Unscanned};
use crate::port::clock::Clock;

/// What it said about some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing found.
    Nothing,
    /// A signature matched.
    Found(Mark),
    /// It says that the bytes are encrypted.
    Encrypted(Mark),
    /// It did not look, or not into all of it.
    NotScanned(Unscanned),
}

/// It gave no answer that can be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("clamd did not answer")]
pub struct Silent;

/// What it calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Engine and signatures.
    pub name: Mark,
    /// When the signatures were made, where it says so.
    pub signatures: Option<Moment>,
}

/// A clamd. Each question is a connection of its own.
#[derive(Clone, Debug)]
pub struct Clamd {
    address: ClamdAddress,
    clock: Arc<dyn Clock>,
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

impl Clamd {
    /// The clamd at this address. Reaches nobody.
    pub fn new(address: ClamdAddress, clock: Arc<dyn Clock>) -> Self {
        Self { address, clock }
    }

    /// What it is.
    pub async fn version(&self) -> Result<Version, Silent> {
        let talk = async {
            let mut wire = self.connect().await?;
            wire.write_all(b"zVERSION\0").await.map_err(|_| Silent)?;
            reply(&mut wire).await
        };
        let text = self.in_time(talk).await?;
        read_version(&text).ok_or(Silent)
    }

    /// Has these bytes looked into.
    pub async fn scan(&self, data: &[u8]) -> Result<Said, Silent> {
        if data.len() as u64 > CLAMD_STREAM_MAX {
            return Ok(Said::NotScanned(Unscanned::EngineLimit));
        }
        let mut wire = self.in_time(self.connect()).await?;
        let sent = self.send(&mut wire, data).await;
        // It may answer and hang up while bytes are still on their way: the answer counts, not the broken pipe.
        let text = self.in_time(reply(&mut wire)).await;
        match (sent, text) {
            (_, Ok(text)) => read_reply(&text).ok_or(Silent),
            (Ok(()) | Err(Silent), Err(Silent)) => Err(Silent),
        }
    }

    async fn send(&self, wire: &mut Box<dyn Wire>, data: &[u8]) -> Result<(), Silent> {
        let write = async |wire: &mut Box<dyn Wire>, bytes: &[u8]| {
            wire.write_all(bytes).await.map_err(|_| Silent)
        };
        self.in_time(write(wire, b"zINSTREAM\0")).await?;
        for chunk in data.chunks(CLAMD_CHUNK) {
            let length = u32::try_from(chunk.len()).unwrap_or(0).to_be_bytes();
            self.in_time(write(wire, &length)).await?;
            self.in_time(write(wire, chunk)).await?;
        }
        self.in_time(write(wire, &[0; 4])).await?;
        self.in_time(async { wire.flush().await.map_err(|_| Silent) })
            .await
    }

    async fn connect(&self) -> Result<Box<dyn Wire>, Silent> {
        match &self.address {
            #[cfg(unix)]
            ClamdAddress::Unix(path) => {
                let path = PathBuf::from(path);
                let stream = tokio::net::UnixStream::connect(path).await;
                Ok(Box::new(stream.map_err(|_| Silent)?))
            }
            #[cfg(not(unix))]
            ClamdAddress::Unix(_) => Err(Silent),
            ClamdAddress::Tcp { host, port } => {
                let stream = tokio::net::TcpStream::connect((host.as_str(), *port)).await;
                let stream = stream.map_err(|_| Silent)?;
                let _ = stream.set_nodelay(true);
                Ok(Box::new(stream))
            }
        }
    }

    /// Waits no longer than [`CLAMD_TIMEOUT`].
    async fn in_time<T>(&self, talk: impl Future<Output = Result<T, Silent>>) -> Result<T, Silent> {
        let until = self.clock.tick() + CLAMD_TIMEOUT;
        tokio::select! {
            biased;
            out = talk => out,
            () = self.clock.sleep_until(until) => Err(Silent),
        }
    }
}

/// Reads up to the NUL that ends a reply, or to the end of the connection.
async fn reply(wire: &mut Box<dyn Wire>) -> Result<String, Silent> {
    let mut held = Vec::new();
    let mut piece = [0; 512];
    loop {
        // A connection that is reset behind the answer has brought the answer.
        let n = wire.read(&mut piece).await.unwrap_or(0);
        held.extend_from_slice(&piece[..n]);
        let end = held.iter().position(|byte| *byte == 0);
        if let Some(end) = end {
            held.truncate(end);
        }
        if end.is_some() || n == 0 {
            break;
        }
        if held.len() > CLAMD_REPLY_MAX {
            return Err(Silent);
        }
    }
    let text = String::from_utf8_lossy(&held).trim().to_owned();
    if text.is_empty() {
        Err(Silent)
    } else {
        Ok(text)
    }
}

/// What a reply to INSTREAM means; nothing for a reply that is none of those it gives.
pub fn read_reply(text: &str) -> Option<Said> {
    let said = text.strip_prefix("stream:").map_or(text, str::trim);
    if said == "OK" && text.starts_with("stream:") {
        return Some(Said::Nothing);
    }
    if let Some(name) = said.strip_suffix(" FOUND") {
        let mark = Mark::new(name.trim());
        return Some(if name.starts_with("Heuristics.Limits.Exceeded") {
            Said::NotScanned(Unscanned::EngineLimit)
        } else if name.starts_with("Heuristics.Encrypted") {
            Said::Encrypted(mark)
        } else {
            Said::Found(mark)
        });
    }
    if said.starts_with("INSTREAM size limit exceeded") {
        return Some(Said::NotScanned(Unscanned::EngineLimit));
    }
    // Busy, shutting down or talking something else: it said nothing about these bytes.
    let deaf = said.starts_with("UNKNOWN COMMAND") || said.starts_with("COMMAND READ TIMED OUT");
    (said.ends_with("ERROR") && !deaf).then_some(Said::NotScanned(Unscanned::EngineError))
}

/// Reads `ClamAV 1.4.3/27500/Thu Nov 26 09:30:00 2026`; the date is missing where only local signatures are loaded.
pub fn read_version(text: &str) -> Option<Version> {
    let text = text.strip_prefix("ClamAV ")?;
    let mut parts = text.splitn(3, '/');
    let engine = parts.next()?.trim();
    let number = parts.next().map(str::trim);
    let date = parts.next().map(str::trim);
    let name = number.map_or_else(
        || format!("ClamAV-{engine}"),
        |number| format!("ClamAV-{engine}/{number}"),
    );
    let signatures = date.and_then(|date| {
        let at = jiff::civil::DateTime::strptime("%a %b %e %H:%M:%S %Y", date).ok()?;
        let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Moment::from_unix_ms(at.timestamp().as_millisecond()))
    });
    Some(Version {
        name: Mark::new(&name),
        signatures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn replies_mean_what_the_manual_says_and_nothing_else_is_clean() {
        let found = |name: &str| Some(Said::Found(Mark::new(name)));
        let not = |why| Some(Said::NotScanned(why));
        for (text, want) in [
            ("stream: OK", Some(Said::Nothing)),
            ("stream: Eicar-Signature FOUND", found("Eicar-Signature")),
            (
                "stream: Win.Test(44d8:68) FOUND",
                found("Win.Test(44d8:68)"),
            ),
            (
                "stream: Heuristics.Limits.Exceeded.MaxScanSize FOUND",
                not(Unscanned::EngineLimit),
            ),
            (
                "stream: Heuristics.Encrypted.Zip FOUND",
                Some(Said::Encrypted(Mark::new("Heuristics.Encrypted.Zip"))),
            ),
            (
                "INSTREAM size limit exceeded. ERROR",
                not(Unscanned::EngineLimit),
            ),
            (
                "stream: Can't allocate memory ERROR",
                not(Unscanned::EngineError),
            ),
            ("UNKNOWN COMMAND", None),
            ("COMMAND READ TIMED OUT ERROR", None),
            ("OK", None),
            ("", None),
            ("stream: FOUND OK", None),
        ] {
            assert_eq!(read_reply(text), want, "{text}");
        }
    }

    #[test]
    fn versions_say_engine_signatures_and_day() {
        let version = read_version("ClamAV 1.4.3/27500/Thu Nov 26 09:30:00 2026").unwrap();
        assert_eq!(version.name.as_str(), "ClamAV-1.4.3/27500");
        assert_eq!(
            version.signatures.unwrap().to_string(),
            "2026-11-26T09:30:00Z"
        );
        let version = read_version("ClamAV 0.103.8").unwrap();
        assert_eq!(
            (version.name.as_str(), version.signatures),
            ("ClamAV-0.103.8", None)
        );
        assert_eq!(read_version("nginx"), None);
    }

    proptest! {
        #[test]
        fn no_reply_panics_and_only_one_is_clean(text: String) {
            let clean = read_reply(&text) == Some(Said::Nothing);
            prop_assert!(!clean || text.starts_with("stream:"));
            let _ = read_version(&text);
        }
    }
}
