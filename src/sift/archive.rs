//! Archives that are opened here: zip (and what is one: documents, Java archives) and gzip. Every limit is checked before memory is taken.

use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;
use memchr::memmem;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::base::limits::{
    SIFT_NAME_MAX, SIFT_PARTS_MAX, SIFT_RATIO_FROM, SIFT_RATIO_MAX, SIFT_UNPACKED_MAX,
};
use crate::base::screening::Unscanned;

/// One member of an archive.
#[derive(Debug)]
pub(super) enum Member {
    /// Its name and its bytes.
    Open(String, Vec<u8>),
    /// Encrypted: only its name is known.
    Closed(String),
}

/// The members of a zip, in order.
pub(super) struct Zip<'d> {
    archive: ZipArchive<Cursor<&'d [u8]>>,
    next: usize,
}

impl<'d> Zip<'d> {
    pub(super) fn open(data: &'d [u8]) -> Result<Self, Unscanned> {
        // The list of members is read whole, some 300 bytes for each of its 46: it must not be long before it is read.
        let members = memmem::find_iter(data, b"PK\x01\x02");
        let most = usize::try_from(SIFT_PARTS_MAX).unwrap_or(usize::MAX);
        if members.take(most + 1).count() > most {
            return Err(Unscanned::TooMany);
        }
        let archive = ZipArchive::new(Cursor::new(data)).map_err(|_| Unscanned::Damaged)?;
        Ok(Self { archive, next: 0 })
    }

    /// The next member of at most `room` bytes; `Err(None)` where it is larger than that and might fit elsewhere.
    pub(super) fn next(&mut self, room: u64) -> Option<Result<Member, Option<Unscanned>>> {
        let at = self.next;
        (at < self.archive.len()).then(|| {
            self.next += 1;
            self.member(at, room)
        })
    }

    fn member(&mut self, at: usize, room: u64) -> Result<Member, Option<Unscanned>> {
        let (name, packed, closed) = {
            let raw = self.archive.by_index_raw(at).map_err(|e| Some(fault(&e)))?;
            (
                short(&String::from_utf8_lossy(raw.name_raw())),
                raw.compressed_size(),
                raw.encrypted(),
            )
        };
        if closed {
            return Ok(Member::Closed(name));
        }
        let file = self.archive.by_index(at).map_err(|e| Some(fault(&e)))?;
        let data = unpack(file, packed, room)?;
        Ok(Member::Open(name, data))
    }
}

fn fault(error: &ZipError) -> Unscanned {
    match error {
        ZipError::UnsupportedArchive(_) => Unscanned::Method,
        _ => Unscanned::Damaged,
    }
}

fn short(name: &str) -> String {
    let skip = name.chars().count().saturating_sub(SIFT_NAME_MAX);
    name.chars().skip(skip).collect()
}

/// What a gzip unpacks to.
pub(super) fn gunzip(data: &[u8], room: u64) -> Result<Vec<u8>, Option<Unscanned>> {
    unpack(MultiGzDecoder::new(data), data.len() as u64, room)
}

/// Reads to the end, as long as it is no bomb.
fn unpack(mut from: impl Read, packed: u64, room: u64) -> Result<Vec<u8>, Option<Unscanned>> {
    let by_ratio = packed.saturating_mul(SIFT_RATIO_MAX).max(SIFT_RATIO_FROM);
    let most = by_ratio.min(SIFT_UNPACKED_MAX);
    let mut out = Vec::new();
    let mut piece = vec![0; 32 * 1024];
    loop {
        let n = match from.read(&mut piece) {
            Ok(0) => return Ok(out),
            Ok(n) => n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(Some(Unscanned::Damaged)),
        };
        let grown = out.len() as u64 + n as u64;
        if grown > most {
            let bomb = most == by_ratio;
            return Err(Some(if bomb {
                Unscanned::Expands
            } else {
                Unscanned::TooLarge
            }));
        }
        if grown > room {
            return Err(None);
        }
        out.extend_from_slice(&piece[..n]);
    }
}
