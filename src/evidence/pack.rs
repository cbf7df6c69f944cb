//! An evidence pack on paper: its documents, and the sums a second party recomputes from them. Reading files is the business of `report`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::balance::FolderBalance;
use super::manifest::ItemLine;
use crate::base::fact::{Bucket, LeaveRule};
use crate::base::quantity::Count;

/// The schema of `pack.json`.
pub const SCHEMA: &str = "mailferry.pack/1";

/// The schema of `balance.json`.
pub const BALANCE_SCHEMA: &str = "mailferry.pack-balance/1";

/// The document that names every other file.
pub const PACK_FILE: &str = "pack.json";

/// Its digest, in the form `sha256sum -c` reads.
pub const DIGEST_FILE: &str = "pack.sha256";

/// One line an item.
pub const MANIFEST_FILE: &str = "manifest.jsonl";

/// The log of decisions and facts.
pub const LOG_FILE: &str = "log.jsonl";

/// The sums.
pub const BALANCE_FILE: &str = "balance.json";

/// What is neither confirmed nor simply waiting.
pub const EXCEPTIONS_FILE: &str = "exceptions.json";

/// Signatures over `pack.json`.
pub const SIGNATURES_DIR: &str = "signatures";

/// Waivers with the signatures over them.
pub const WAIVERS_DIR: &str = "waivers";

/// `pack.json` larger than this is none: 1,000 waivers with two signatures each are 3,000 files of 140 bytes.
pub const PACK_MAX: usize = 4_000_000;

/// `pack.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// [`SCHEMA`].
    pub schema: String,
    /// `external` (pseudonyms) or `internal` (in clear).
    pub edition: String,
    /// Of which plan.
    pub plan: PlanNote,
    /// Made by which program.
    pub tool: ToolNote,
    /// Every file but this one, its digest and the signatures; by path.
    pub files: Vec<FileNote>,
    /// The manifest's Merkle tree.
    pub manifest: TreeNote,
    /// The end of the log.
    pub log: LogNote,
}

/// The plan a pack is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanNote {
    /// Its content hash.
    pub hash: String,
    /// `live` or `rehearsal`.
    pub realm: String,
}

/// The program that made a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolNote {
    /// Its version.
    pub version: String,
    /// SHA-256 of its executable file; `None` where the system does not let it be read.
    pub sha256: Option<String>,
}

/// One file of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileNote {
    /// Its path inside the pack, with `/`.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// The manifest's tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeNote {
    /// Lines.
    pub leaves: u64,
    /// The Merkle root.
    pub root: String,
}

/// The log's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogNote {
    /// Lines.
    pub entries: u64,
    /// SHA-256 of the last one.
    pub head: String,
}

/// Why a text is not `pack.json`.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PackFault {
    /// Not the document.
    #[error("pack.json is no document of the schema mailferry.pack/1")]
    Unreadable,
    /// Readable, and not as it is written.
    #[error("pack.json is not in the form it is written in")]
    Edited,
    /// A path that leads elsewhere, comes twice or is out of order.
    #[error("pack.json names files that no pack has")]
    Paths,
}

impl Pack {
    /// The bytes of `pack.json`.
    pub fn render(&self) -> String {
        pretty(self)
    }

    /// Reads `pack.json`, which has one spelling.
    pub fn parse(text: &str) -> Result<Self, PackFault> {
        if text.len() > PACK_MAX {
            return Err(PackFault::Unreadable);
        }
        let pack: Self = serde_json::from_str(text).map_err(|_| PackFault::Unreadable)?;
        if pack.schema != SCHEMA {
            return Err(PackFault::Unreadable);
        }
        let ordered = pack.files.windows(2).all(|two| two[0].path < two[1].path);
        if !ordered || !pack.files.iter().all(|file| is_inside(&file.path)) {
            return Err(PackFault::Paths);
        }
        if pack.render() != text {
            return Err(PackFault::Edited);
        }
        Ok(pack)
    }
}

/// JSON for files: indented, ended.
pub fn pretty<T: Serialize>(value: &T) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("plain data");
    text.push('\n');
    text
}

/// True for a path of plain names below the pack that is none of the files which stand outside the list.
fn is_inside(path: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    path.len() <= 200
        && path.split('/').count() <= 2
        && path.split('/').all(plain)
        && path != PACK_FILE
        && path != DIGEST_FILE
        && !path.starts_with("signatures/")
}

/// Items per bucket.
pub type Buckets = BTreeMap<Bucket, u64>;

/// `balance.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalanceDocument {
    /// [`BALANCE_SCHEMA`].
    pub schema: String,
    /// Over all mailboxes.
    pub total: Sums,
    /// In plan order.
    pub mailboxes: Vec<MailboxSums>,
}

/// Sums over folders that are carried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// Items of the source.
    pub source: u64,
    /// Items that no listing has shown yet; they count as remaining.
    pub unlisted: u64,
    /// Items in folders that stay by rule.
    pub left_out: u64,
    /// Listed items per bucket.
    pub buckets: Buckets,
}

/// One mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailboxSums {
    /// Its place in the plan.
    pub job: String,
    /// From.
    pub source: String,
    /// To.
    pub target: String,
    /// Where it stands.
    pub phase: String,
    /// Over its folders.
    pub sums: Sums,
    /// By number.
    pub folders: Vec<FolderSums>,
}

/// One folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderSums {
    /// Its number in the mailbox.
    pub folder: u32,
    /// Its path.
    pub path: String,
    /// The rule by which it stays.
    pub left_out: Option<String>,
    /// Items of the source.
    pub source: u64,
    /// Items that no listing has shown yet.
    pub unlisted: u64,
    /// Listed items per bucket.
    pub buckets: Buckets,
    /// Listed bytes.
    pub bytes: u64,
    /// Stream bytes that arrived.
    pub carried: u64,
}

impl FolderSums {
    /// The sums of a folder whose rows were counted. What no listing showed stands by itself here, not among the remaining items.
    pub fn of(folder: u32, path: String, counted: &FolderBalance) -> Self {
        let unlisted = counted.unlisted;
        let mut buckets: Buckets = counted.buckets.iter().map(|(b, n)| (*b, n.get())).collect();
        if unlisted > Count::ZERO
            && let Some(remaining) = buckets.get_mut(&Bucket::Remaining)
        {
            *remaining = remaining.saturating_sub(unlisted.get());
        }
        buckets.retain(|_, n| *n > 0);
        Self {
            folder,
            path,
            left_out: counted.left_out.map(LeaveRule::name).map(str::to_owned),
            source: counted.source.get(),
            unlisted: unlisted.get(),
            buckets,
            bytes: counted.bytes.get(),
            carried: counted.carried.get(),
        }
    }
}

impl Sums {
    /// Takes a folder in.
    pub fn add(&mut self, folder: &FolderSums) {
        if folder.left_out.is_some() {
            self.left_out = self.left_out.saturating_add(folder.source);
            return;
        }
        self.source = self.source.saturating_add(folder.source);
        self.unlisted = self.unlisted.saturating_add(folder.unlisted);
        for (bucket, n) in &folder.buckets {
            let sum = self.buckets.entry(*bucket).or_default();
            *sum = sum.saturating_add(*n);
        }
    }

    /// Takes a mailbox in.
    pub fn join(&mut self, other: &Self) {
        self.source = self.source.saturating_add(other.source);
        self.unlisted = self.unlisted.saturating_add(other.unlisted);
        self.left_out = self.left_out.saturating_add(other.left_out);
        for (bucket, n) in &other.buckets {
            let sum = self.buckets.entry(*bucket).or_default();
            *sum = sum.saturating_add(*n);
        }
    }

    /// Items in the buckets and the unlisted ones: what the source's count must be.
    fn explained(&self) -> u64 {
        sum(&self.buckets).saturating_add(self.unlisted)
    }
}

fn sum(buckets: &Buckets) -> u64 {
    buckets.values().fold(0, |a, b| a.saturating_add(*b))
}

/// What the lines of a manifest add up to, folder by folder. Memory: one entry a folder.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    folders: BTreeMap<(String, u32), Added>,
    last: Option<(String, u32, String)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Added {
    buckets: Buckets,
    bytes: u64,
    carried: u64,
}

impl Tally {
    /// Takes a line in. `Err` where lines are out of order, which a line that stands twice is too.
    pub fn add(&mut self, line: &ItemLine) -> Result<(), &'static str> {
        let place = line.place();
        let last = self
            .last
            .as_ref()
            .map(|(job, folder, item)| (job.as_str(), *folder, item.as_str()));
        let rises = last.is_none_or(|last| last < place);
        self.last = Some((place.0.to_owned(), place.1, place.2.to_owned()));
        let added = self
            .folders
            .entry((line.job.clone(), line.folder))
            .or_default();
        *added.buckets.entry(line.bucket).or_default() += 1;
        added.bytes = added.bytes.saturating_add(line.size);
        added.carried = added.carried.saturating_add(line.carried);
        if rises {
            Ok(())
        } else {
            Err("stands twice or out of order")
        }
    }

    /// Everything in which the balance differs from the manifest, or from itself.
    pub fn against(mut self, balance: &BalanceDocument) -> Vec<String> {
        let mut out = Vec::new();
        let mut total = Sums::default();
        if balance.schema != BALANCE_SCHEMA {
            out.push(format!("{BALANCE_FILE}: another schema"));
        }
        for mailbox in &balance.mailboxes {
            let mut sums = Sums::default();
            for folder in &mailbox.folders {
                let place = format!("{BALANCE_FILE}: {}, folder {}", mailbox.job, folder.folder);
                let added = self
                    .folders
                    .remove(&(mailbox.job.clone(), folder.folder))
                    .unwrap_or_default();
                let own = (&folder.buckets, folder.bytes, folder.carried);
                if (&added.buckets, added.bytes, added.carried) != own {
                    out.push(format!("{place}: the manifest adds up to something else"));
                }
                sums.add(folder);
            }
            if sums != mailbox.sums || sums.explained() != sums.source {
                out.push(format!(
                    "{BALANCE_FILE}: {}: the folders do not add up",
                    mailbox.job
                ));
            }
            total.join(&sums);
        }
        if total != balance.total {
            out.push(format!("{BALANCE_FILE}: the mailboxes do not add up"));
        }
        for (job, folder) in self.folders.keys() {
            out.push(format!(
                "{MANIFEST_FILE}: {job}, folder {folder}: not in the balance"
            ));
        }
        out
    }
}

/// One line of `exceptions.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExceptionNote {
    /// Which mailbox.
    pub job: String,
    /// Which folder.
    pub folder: String,
    /// Which item.
    pub item: String,
    /// Its class.
    pub class: String,
    /// In which bucket.
    pub bucket: Bucket,
    /// Why, in words.
    pub why: String,
}

/// Buckets whose every item is an exception with a reason.
const REASONED: [Bucket; 6] = [
    Bucket::Skipped,
    Bucket::Quarantined,
    Bucket::Refused,
    Bucket::Parked,
    Bucket::InDoubt,
    Bucket::ChangedSince,
];

/// Says where the list of exceptions is shorter or longer than the balance counts.
pub fn exceptions_against(list: &[ExceptionNote], balance: &BalanceDocument) -> Vec<String> {
    let mut listed: BTreeMap<(&str, Bucket), u64> = BTreeMap::new();
    for note in list {
        *listed.entry((&note.job, note.bucket)).or_default() += 1;
    }
    let mut counted: BTreeMap<(&str, Bucket), u64> = BTreeMap::new();
    for mailbox in &balance.mailboxes {
        for (bucket, n) in mailbox.folders.iter().flat_map(|folder| &folder.buckets) {
            if REASONED.contains(bucket) {
                let sum = counted.entry((&mailbox.job, *bucket)).or_default();
                *sum = sum.saturating_add(*n);
            }
        }
    }
    if listed == counted {
        Vec::new()
    } else {
        vec![format!(
            "{EXCEPTIONS_FILE}: not the items the balance counts"
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(item: &str, bucket: Bucket) -> ItemLine {
        ItemLine {
            job: "m0000".into(),
            folder: 3,
            item: item.into(),
            class: "IPM.Note".into(),
            bucket,
            size: 10,
            carried: 7,
            stamp: "s".into(),
            digest: None,
            target: None,
        }
    }

    fn balance() -> BalanceDocument {
        let folder = FolderSums {
            folder: 3,
            path: "f".into(),
            left_out: None,
            source: 3,
            unlisted: 1,
            buckets: Buckets::from([(Bucket::Confirmed, 1), (Bucket::Refused, 1)]),
            bytes: 20,
            carried: 14,
        };
        let mut sums = Sums::default();
        sums.add(&folder);
        BalanceDocument {
            schema: BALANCE_SCHEMA.into(),
            total: sums.clone(),
            mailboxes: vec![MailboxSums {
                job: "m0000".into(),
                source: "a".into(),
                target: "b".into(),
                phase: "caught_up".into(),
                sums,
                folders: vec![folder],
            }],
        }
    }

    fn tally(lines: &[ItemLine]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.add(line).unwrap();
        }
        tally
    }

    #[test]
    fn a_balance_follows_from_its_manifest_or_is_named() {
        let lines = [line("a", Bucket::Confirmed), line("b", Bucket::Refused)];
        assert_eq!(tally(&lines).against(&balance()), Vec::<String>::new());
        assert_eq!(tally(&lines[..1]).against(&balance()).len(), 1);
        let swapped = [line("a", Bucket::Confirmed), line("b", Bucket::Skipped)];
        assert_eq!(tally(&swapped).against(&balance()).len(), 1);
        let mut wrong = balance();
        wrong.total.source += 1;
        assert_eq!(tally(&lines).against(&wrong).len(), 1);
        let mut wrong = balance();
        wrong.mailboxes[0].folders[0].unlisted = 0;
        assert_eq!(
            tally(&lines).against(&wrong).len(),
            2,
            "{:?}",
            tally(&lines).against(&wrong)
        );
        let mut stranger = line("c", Bucket::Confirmed);
        stranger.folder = 4;
        let more = [lines[0].clone(), lines[1].clone(), stranger];
        assert_eq!(tally(&more).against(&balance()).len(), 1);
    }

    #[test]
    fn an_item_stands_in_a_manifest_once() {
        let mut tally = Tally::default();
        tally.add(&line("b", Bucket::Confirmed)).unwrap();
        assert!(tally.clone().add(&line("b", Bucket::Confirmed)).is_err());
        assert!(tally.add(&line("a", Bucket::Confirmed)).is_err());
    }

    #[test]
    fn paths_that_lead_out_of_a_pack_are_refused() {
        for path in [
            "../x",
            "/x",
            "a/../x",
            "a/b/c",
            ".x",
            "",
            "a//b",
            "signatures/x.sig",
            "pack.json",
            "a\\b",
        ] {
            assert!(!is_inside(path), "{path}");
        }
        for path in ["balance.json", "waivers/W0001.json"] {
            assert!(is_inside(path), "{path}");
        }
    }
}
