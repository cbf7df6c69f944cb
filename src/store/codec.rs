//! Rows to bytes and back. Every value begins with the version of its format; keys are big-endian, so that key order is page order.
//!
//! The rule for changes: a new layout of a row gets a new version number, this reader keeps reading the old ones, and a version it does not
//! know is refused, never guessed at. The tests below pin the bytes of version 2; `codec_v1`
//! reads those of version 1.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::base::books::Due;
use crate::base::id::{FolderNo, JobId, PlanHash};
use crate::base::item::ItemKey;
use crate::base::spec::Realm;
use crate::store::codec_v1::FORMAT_1;

/// The version this build writes.
pub const FORMAT: u8 = 2;

/// What stands in front of everything else in a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Of which plan the ledger is.
    pub plan: PlanHash,
    /// Of which realm.
    pub realm: Realm,
}

/// Bytes that are no row of this ledger.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CodecError {
    /// Written by a newer program.
    #[error("format {found} is newer than {FORMAT}, the newest this program reads")]
    Newer {
        /// The version found.
        found: u8,
    },
    /// Not readable as what it should be.
    #[error("a row does not read back")]
    Damaged,
}

/// A row as bytes: version, then postcard.
pub fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    // Writing postcard into a growing vector fails only for types without a known length; rows have none of those.
    postcard::to_extend(row, vec![FORMAT]).expect("rows are plain data")
}

/// A row from bytes. Left-over bytes are damage.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    match bytes.split_first() {
        Some((&FORMAT, body)) => match postcard::take_from_bytes(body) {
            Ok((row, [])) => Ok(row),
            Ok(_) | Err(_) => Err(CodecError::Damaged),
        },
        Some((&found, _)) if found > FORMAT => Err(CodecError::Newer { found }),
        Some(_) | None => Err(CodecError::Damaged),
    }
}

/// The header of a ledger, of this format or of format 1, and which it is.
pub fn decode_header(bytes: &[u8]) -> Result<(u8, Header), CodecError> {
    match bytes.split_first() {
        // It was the same in format 1.
        Some((&version @ (FORMAT_1 | FORMAT), body)) => match postcard::take_from_bytes(body) {
            Ok((header, [])) => Ok((version, header)),
            Ok(_) | Err(_) => Err(CodecError::Damaged),
        },
        Some((&found, _)) if found > FORMAT => Err(CodecError::Newer { found }),
        Some(_) | None => Err(CodecError::Damaged),
    }
}

/// The key of the header.
pub const HEADER_KEY: &[u8] = b"h";

const JOB: u8 = b'j';
const FOLDER: u8 = b'f';
const COPY: u8 = b'c';
const DUE: u8 = b'u';
const SUMS: u8 = b'n';

/// The prefix of all job rows.
pub const JOBS: &[u8] = &[JOB];

/// The prefix of all folder rows.
pub const FOLDERS: &[u8] = &[FOLDER];

/// The prefix of all leaves of copy rows.
pub const COPIES: &[u8] = &[COPY];

/// The key of a job row.
pub fn job_key(job: JobId) -> [u8; 5] {
    let mut key = [JOB; 5];
    key[1..].copy_from_slice(&job.0.to_be_bytes());
    key
}

/// The prefix of a job's folder rows.
pub fn folders_of(job: JobId) -> [u8; 5] {
    let mut key = [FOLDER; 5];
    key[1..].copy_from_slice(&job.0.to_be_bytes());
    key
}

/// The key of a folder row.
pub fn folder_key(job: JobId, folder: FolderNo) -> [u8; 9] {
    let mut key = [FOLDER; 9];
    key[1..5].copy_from_slice(&job.0.to_be_bytes());
    key[5..].copy_from_slice(&folder.0.to_be_bytes());
    key
}

/// The key of a leaf of copy rows, by the first item it may hold.
pub fn copy_key(job: JobId, folder: FolderNo, item: ItemKey) -> [u8; 25] {
    let mut key = [COPY; 25];
    key[1..5].copy_from_slice(&job.0.to_be_bytes());
    key[5..9].copy_from_slice(&folder.0.to_be_bytes());
    key[9..].copy_from_slice(&item.0);
    key
}

/// The job a folder, copy, index or sums key belongs to.
pub fn job_of(key: &[u8]) -> Option<JobId> {
    Some(JobId(u32::from_be_bytes(key.get(1..5)?.try_into().ok()?)))
}

/// The folder a copy, index or sums key belongs to.
pub fn folder_of(key: &[u8]) -> Option<FolderNo> {
    Some(FolderNo(u32::from_be_bytes(
        key.get(5..9)?.try_into().ok()?,
    )))
}

/// The item a leaf begins with.
pub fn copy_item(key: &[u8]) -> Option<ItemKey> {
    Some(ItemKey(key.get(9..25)?.try_into().ok()?))
}

/// The key of an index entry: leaves of a folder by what is to be done in them. Its value is empty.
pub fn due_key(job: JobId, folder: FolderNo, due: Due, item: ItemKey) -> [u8; 26] {
    let mut key = [DUE; 26];
    key[1..5].copy_from_slice(&job.0.to_be_bytes());
    key[5..9].copy_from_slice(&folder.0.to_be_bytes());
    key[9] = due as u8;
    key[10..].copy_from_slice(&item.0);
    key
}

/// The item that the leaf of an index key begins with.
pub fn due_item(key: &[u8]) -> Option<ItemKey> {
    Some(ItemKey(key.get(10..26)?.try_into().ok()?))
}

/// The prefix of all sums.
pub const ALL_SUMS: &[u8] = &[SUMS];

/// The prefix of a job's sums.
pub fn sums_of(job: JobId) -> [u8; 5] {
    let mut key = [SUMS; 5];
    key[1..].copy_from_slice(&job.0.to_be_bytes());
    key
}

/// The key of a folder's sums.
pub fn sums_key(job: JobId, folder: FolderNo) -> [u8; 9] {
    let mut key = [SUMS; 9];
    key[1..5].copy_from_slice(&job.0.to_be_bytes());
    key[5..].copy_from_slice(&folder.0.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fact::{
        CopyFact, CopyRow, Decision, Estrangement, FolderFate, FolderRow, JobPhase, JobRow,
        LeaveRule, Resolution, SkipRule,
    };
    use crate::base::id::{
        ChangeKey, FolderId, ItemId, MailboxId, SyncToken, TargetFolderId, TargetItemId,
    };
    use crate::base::item::{Digest, ItemClass, Placed, SearchKey, SourceHeader, Stamp, Version};
    use crate::base::mailbox::{FolderKind, FolderPath, FolderRole};
    use crate::base::outcome::{DoubtCause, MisreadCause, Refusal, RefusalWhy, Said};
    use crate::base::quantity::{Bytes, Count, Moment};
    use crate::base::screening::{
        Answer, Binding, ContentHash, Effect, Hit, Judgement, Mark, ScreenedBy, Screening,
        Unscanned,
    };
    use proptest::prelude::*;

    fn copy_row() -> CopyRow {
        let id = ItemId::new("AAMk");
        let placed = Placed {
            item: TargetItemId::new("T1"),
            change_key: ChangeKey::new("CQ"),
        };
        let other = placed.clone();
        let decision = Decision {
            by: "a".into(),
            why: "b".into(),
            at: Moment::from_unix_ms(7),
        };
        let judged = decision.clone();
        let bound = Binding {
            content: Some(Digest([5; 32])),
            version: Some(Version([4; 8])),
        };
        CopyRow {
            folder: FolderNo(3),
            key: ItemKey::of(&id),
            header: SourceHeader {
                id,
                stamp: Stamp::Key(SearchKey::new([1, 2, 3]).expect("not empty")),
                class: ItemClass::new("IPM.Note"),
                size: Bytes::new(70_000),
                read: Some(true),
                received: Some(Moment::from_unix_ms(-5)),
                version: Some(Version([9; 8])),
            },
            facts: vec![
                CopyFact::Intended {
                    digest: Some(Digest([7; 32])),
                    stream: Bytes::new(300),
                },
                CopyFact::Intended {
                    digest: None,
                    stream: Bytes::new(1),
                },
                CopyFact::Acknowledged(placed.clone()),
                CopyFact::NothingSent,
                CopyFact::Refused(Refusal {
                    why: RefusalWhy::TargetRefused,
                    said: Said::new(400, "ErrorItemCorrupt"),
                }),
                CopyFact::Lost(DoubtCause::Crash),
                CopyFact::Lost(DoubtCause::TimedOut),
                CopyFact::Lost(DoubtCause::Reset),
                CopyFact::Lost(DoubtCause::Answered(Said::status(502))),
                CopyFact::Lost(DoubtCause::Unreadable(MisreadCause::CutOff)),
                CopyFact::SeenOnce(placed.clone()),
                CopyFact::NotSeen,
                CopyFact::SeenTwice,
                CopyFact::Adopted(placed),
                CopyFact::Skipped(SkipRule::TooOld),
                CopyFact::Gone,
                CopyFact::ChangedSince,
                CopyFact::UpdateIntended {
                    digest: None,
                    stream: Bytes::new(2),
                },
                CopyFact::Updated(other.clone()),
                CopyFact::NotUpdated,
                CopyFact::SameContent,
                CopyFact::Relearned(other),
                CopyFact::Estranged(Estrangement::Missing),
                CopyFact::Retracted,
                CopyFact::Retried(decision.clone()),
                CopyFact::Resolved(Resolution::Leave, decision),
                CopyFact::Skipped(SkipRule::LeftBehind),
                CopyFact::Lost(DoubtCause::Asked),
                CopyFact::Screened(Screening {
                    by: ScreenedBy {
                        rules: Some(1),
                        lists: Some([8; 8]),
                        engine: Some(Mark::new("E")),
                        signatures: Some(Moment::from_unix_ms(9)),
                    },
                    answer: Answer::Found(vec![Hit {
                        mark: Mark::new("M"),
                        content: ContentHash([6; 32]),
                    }]),
                    effect: Effect::Withheld,
                    parts: 300,
                    bound,
                }),
                CopyFact::Screened(Screening {
                    by: ScreenedBy::default(),
                    answer: Answer::NotScanned(Unscanned::NoEngine),
                    effect: Effect::Waits,
                    parts: 0,
                    bound: Binding::default(),
                }),
                CopyFact::Judged(Judgement::Confirm, bound, judged),
            ],
        }
    }

    fn folder_row() -> FolderRow {
        FolderRow {
            no: FolderNo(3),
            source: FolderId::new("F"),
            parent: Some(FolderNo(0)),
            name: "Lab/results".into(),
            path: FolderPath::of(["Inbox", "Lab/results"]),
            class: "IPF.Note".into(),
            role: Some(FolderRole::ToDoSearch),
            kind: FolderKind::Search,
            items: Count::new(12),
            fate: FolderFate::LeftOut(LeaveRule::NoSuchFolders),
            target: Some(TargetFolderId::new("G")),
            sync: Some(SyncToken::new("S")),
            swept: true,
            made: true,
            named: Some("N".into()),
            before: Count::new(4),
            gone: true,
        }
    }

    fn job_row() -> JobRow {
        JobRow {
            job: JobId(1),
            source: MailboxId::new("a@x.example"),
            target: MailboxId::new("b@y.example"),
            phase: JobPhase::Finished,
            epoch: 300,
            since: Moment::from_unix_ms(1),
            hierarchy: Some(SyncToken::new("H")),
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes
            .iter()
            .fold(String::new(), |out, byte| format!("{out}{byte:02x}"))
    }

    /// Every kind of fact and the last variant of every enum: a variant added in the middle, a field moved or a type widened changes
    /// these bytes, and would make ledgers in the field read as something else.
    #[test]
    fn ledgers_written_by_version_2_keep_their_bytes() {
        insta::assert_snapshot!(hex(&encode(&copy_row())), @"0203c25edb1f5b227227eb64a039607a6ce50441414d6b00030102030849504d2e4e6f7465f0a204010101090109090909090909091f00010707070707070707070707070707070707070707070707070707070707070707ac020000010102543102435102030301900301104572726f724974656d436f7272757074040004010402040301f603000404000502543102435106070802543102435109020a0b0c00020d0254310243510e0f1002543102435111011213016101620e1402016101620e0904040515010101080808080808080801014501120101014d060606060606060606060606060606060606060606060606060606060606060601ac0201050505050505050505050505050505050505050505050505050505050505050501040404040404040415000000000209020000001601010505050505050505050505050505050505050505050505050505050505050505010404040404040404016101620e");
        insta::assert_snapshot!(hex(&encode(&folder_row())), @"0203014601000b4c61622f726573756c747312496e626f782f4c61625c2f726573756c7473084950462e4e6f7465011d010c010a010147010153010101014e0401");
        insta::assert_snapshot!(hex(&encode(&job_row())), @"02010b6140782e6578616d706c650b6240792e6578616d706c6506ac0202010148");
        let header = Header {
            plan: PlanHash::new("abc"),
            realm: Realm::Rehearsal,
        };
        insta::assert_snapshot!(hex(&encode(&header)), @"020361626301");
    }

    #[test]
    fn rows_read_back_as_they_were() {
        assert_eq!(decode(&encode(&copy_row())), Ok(copy_row()));
        assert_eq!(decode(&encode(&folder_row())), Ok(folder_row()));
        assert_eq!(decode(&encode(&job_row())), Ok(job_row()));
    }

    #[test]
    fn each_version_is_read_or_refused_by_name() {
        let mut bytes = encode(&job_row());
        for version in 0..=u8::MAX {
            bytes[0] = version;
            let want = match version {
                0 | FORMAT_1 => Err(CodecError::Damaged),
                FORMAT => Ok(job_row()),
                found => Err(CodecError::Newer { found }),
            };
            assert_eq!(decode::<JobRow>(&bytes), want, "version {version}");
        }
    }

    #[test]
    fn a_torn_or_padded_row_is_damage() {
        let whole = encode(&copy_row());
        for end in 0..whole.len() {
            assert_eq!(
                decode::<CopyRow>(&whole[..end]),
                Err(CodecError::Damaged),
                "cut at {end}"
            );
        }
        let mut padded = whole;
        padded.push(0);
        assert_eq!(decode::<CopyRow>(&padded), Err(CodecError::Damaged));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_refused_without_a_panic(bytes: Vec<u8>) {
            let mut bytes = bytes;
            bytes.insert(0, FORMAT);
            let _ = decode::<CopyRow>(&bytes);
            let _ = decode::<FolderRow>(&bytes);
            let _ = decode::<JobRow>(&bytes);
            let _ = decode::<Header>(&bytes);
        }

        #[test]
        fn key_order_is_row_order(a: (u32, u32, [u8; 16]), b: (u32, u32, [u8; 16])) {
            let key = |(job, folder, item): (u32, u32, [u8; 16])| {
                copy_key(JobId(job), FolderNo(folder), ItemKey(item))
            };
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
        }
    }
}
