//! Rows of format 1, as ledgers in the field may still hold them. Read only, and only to be written anew as format 2.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::fact::{CopyFact, CopyRow, FolderFate, FolderRow, JobPhase, JobRow};
use crate::base::id::{FolderId, FolderNo, ItemId, JobId, MailboxId, SyncToken, TargetFolderId};
use crate::base::item::{ItemClass, ItemKey, SourceHeader, Stamp};
use crate::base::mailbox::{FolderKind, FolderPath, FolderRole};
use crate::base::quantity::{Bytes, Count, Moment};
use crate::store::codec::CodecError;

/// The version these rows bear.
pub const FORMAT_1: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    id: ItemId,
    stamp: Stamp,
    class: ItemClass,
    size: Bytes,
    read: Option<bool>,
    received: Option<Moment>,
}

#[derive(Serialize, Deserialize)]
struct Copy {
    folder: FolderNo,
    key: ItemKey,
    header: Header,
    facts: Vec<CopyFact>,
}

#[derive(Serialize, Deserialize)]
struct Folder {
    no: FolderNo,
    source: FolderId,
    parent: Option<FolderNo>,
    name: String,
    path: FolderPath,
    class: String,
    role: Option<FolderRole>,
    kind: FolderKind,
    items: Count,
    fate: FolderFate,
    target: Option<TargetFolderId>,
    sync: Option<SyncToken>,
    swept: bool,
}

#[derive(Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the row as it was")]
struct Job {
    job: JobId,
    source: MailboxId,
    target: MailboxId,
    phase: JobPhase,
    epoch: u64,
    since: Moment,
}

/// A copy row of format 1.
pub fn copy(bytes: &[u8]) -> Result<CopyRow, CodecError> {
    let old: Copy = read(bytes)?;
    Ok(CopyRow {
        folder: old.folder,
        key: old.key,
        header: SourceHeader {
            id: old.header.id,
            stamp: old.header.stamp,
            class: old.header.class,
            size: old.header.size,
            read: old.header.read,
            received: old.header.received,
            version: None,
        },
        facts: old.facts,
    })
}

/// A folder row of format 1. Who made its counterpart was not written down then, so it counts as not ours.
pub fn folder(bytes: &[u8]) -> Result<FolderRow, CodecError> {
    let old: Folder = read(bytes)?;
    Ok(FolderRow {
        no: old.no,
        source: old.source,
        parent: old.parent,
        name: old.name,
        path: old.path,
        class: old.class,
        role: old.role,
        kind: old.kind,
        items: old.items,
        fate: old.fate,
        target: old.target,
        sync: old.sync,
        swept: old.swept,
        made: false,
        named: None,
        before: Count::ZERO,
        gone: false,
    })
}

/// A job row of format 1.
pub fn job(bytes: &[u8]) -> Result<JobRow, CodecError> {
    let old: Job = read(bytes)?;
    Ok(JobRow {
        job: old.job,
        source: old.source,
        target: old.target,
        phase: old.phase,
        epoch: old.epoch,
        since: old.since,
        hierarchy: None,
    })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    match bytes.split_first() {
        Some((&FORMAT_1, body)) => match postcard::take_from_bytes(body) {
            Ok((row, [])) => Ok(row),
            Ok(_) | Err(_) => Err(CodecError::Damaged),
        },
        Some(_) | None => Err(CodecError::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fact::SkipRule;
    use crate::base::outcome::HaltCause;

    // The bytes that version 0.1 wrote, every kind of fact and the last variant of every enum among them.
    const COPY: &str = "0103c25edb1f5b227227eb64a039607a6ce50441414d6b00030102030849504d2e4e6f7465f0a204010101091100010707070707070707070707070707070707070707070707070707070707070707ac020000010102543102435102030301900301104572726f724974656d436f7272757074040004010402040301f603000404000502543102435106070802543102435109020a0b";
    const FOLDER: &str = "0103014601000b4c61622f726573756c747312496e626f782f4c61625c2f726573756c7473084950462e4e6f7465011d010c010901014701015301";
    const JOB: &str = "01010b6140782e6578616d706c650b6240792e6578616d706c650308ac0202";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal"))
            .collect()
    }

    #[test]
    fn rows_of_version_1_are_read_as_they_were_meant() {
        let row = copy(&bytes(COPY)).expect("reads");
        assert_eq!(row.header.id.as_str(), "AAMk");
        assert_eq!(row.header.version, None);
        assert_eq!(row.facts.len(), 17);
        assert_eq!(row.facts[14], CopyFact::Skipped(SkipRule::TooOld));
        assert_eq!(row.facts[16], CopyFact::ChangedSince);
        let row = folder(&bytes(FOLDER)).expect("reads");
        assert_eq!((row.items, row.made), (Count::new(12), false));
        let row = job(&bytes(JOB)).expect("reads");
        assert_eq!(row.phase, JobPhase::Halted(HaltCause::OurRequest));
        assert_eq!(row.epoch, 300);
    }

    #[test]
    fn torn_rows_and_rows_of_another_version_are_damage() {
        let whole = bytes(COPY);
        for end in 0..whole.len() {
            assert!(copy(&whole[..end]).is_err(), "cut at {end}");
        }
        let mut newer = whole;
        newer[0] = 2;
        assert!(copy(&newer).is_err());
    }
}
