//! What content verification covered so far: which slices of which folder, each with the watermark it holds for. Kept beside the reports.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::quantity::{Count, Moment};
use crate::base::spec::JobSpec;
use crate::cli::args::VerifyLevel;
use crate::cli::commands::verify::{Outcome, Wish};
use crate::cli::error::CommandError;
use crate::engine::audit::{FolderAudit, MailboxAudit};
use crate::report::narrator::replace;
use crate::verify::march::Scope;

/// The file.
const SLICES_FILE: &str = "slices.json";

/// Its schema.
const SCHEMA: &str = "mailferry.slices/1";

/// How much of a mailbox's content is covered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Covered {
    /// Items whose content was compared and did not change since, as far as the ledger knows.
    pub(super) items: Count,
    /// Slices that cover every folder.
    pub(super) slices: Vec<u32>,
    /// Items that other slices found different, and nothing explained it.
    pub(super) differing: Count,
}

/// The whole file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Book {
    schema: String,
    /// How many slices make the whole. Another number begins anew.
    of: u32,
    /// By job, then by folder number.
    jobs: BTreeMap<String, BTreeMap<String, Folder>>,
}

/// One folder: what its slices cover, as of this watermark.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Folder {
    rows: u64,
    facts: u64,
    slices: BTreeMap<u32, Slice>,
}

/// One slice of one folder.
#[derive(Debug, Serialize, Deserialize)]
struct Slice {
    compared: u64,
    differing: u64,
    at: i64,
}

/// Notes what a verification compared, and says what is covered in all. Only slices are remembered: a sample may cover an item twice and
/// another never, and a whole verification covers itself.
pub(super) fn remember(
    dir: &Path,
    wish: Wish,
    at: Moment,
    mailboxes: &[(JobSpec, Outcome)],
) -> Result<Vec<Covered>, CommandError> {
    let Scope::Slice { nth, of } = wish.scope else {
        let covered = mailboxes.iter().map(|(_, outcome)| match outcome {
            Outcome::Audited(found) if wish.level == VerifyLevel::Content => Covered {
                items: found.content.compared,
                ..Covered::default()
            },
            Outcome::Audited(_) | Outcome::NotBegun | Outcome::NotRead(_) => Covered::default(),
        });
        return Ok(covered.collect());
    };
    let path = dir.join(SLICES_FILE);
    // A file nobody can read covers nothing: the slices are compared again.
    let mut book = std::fs::read_to_string(&path)
        .ok()
        .and_then(|text| serde_json::from_str::<Book>(&text).ok())
        .filter(|book| book.schema == SCHEMA && book.of == of)
        .unwrap_or_default();
    (book.schema, book.of) = (SCHEMA.to_owned(), of);
    let mut covered = Vec::with_capacity(mailboxes.len());
    for (job, outcome) in mailboxes {
        covered.push(match outcome {
            Outcome::Audited(found) => {
                let own = book.jobs.entry(job.job.to_string()).or_default();
                note(own, nth, at, found)
            }
            Outcome::NotBegun | Outcome::NotRead(_) => Covered::default(),
        });
    }
    let text = serde_json::to_string_pretty(&book).unwrap_or_default();
    replace(&path, format!("{text}\n").as_bytes())
        .map_err(|error| CommandError::file(&path, &error))?;
    Ok(covered)
}

fn note(
    book: &mut BTreeMap<String, Folder>,
    nth: u32,
    at: Moment,
    found: &MailboxAudit,
) -> Covered {
    let mut covered = Covered::default();
    let mut complete: BTreeMap<u32, usize> = BTreeMap::new();
    for audit in &found.folders {
        let folder = book.entry(audit.mark.folder.0.to_string()).or_default();
        let (rows, facts) = (audit.mark.rows.get(), audit.mark.facts.get());
        if (folder.rows, folder.facts) != (rows, facts) {
            *folder = Folder {
                rows,
                facts,
                slices: BTreeMap::new(),
            };
        }
        folder.slices.insert(nth, slice(audit, at));
        for (other, slice) in &folder.slices {
            if *other != nth {
                covered.differing += Count::new(slice.differing);
            }
            covered.items += Count::new(slice.compared);
            *complete.entry(*other).or_default() += 1;
        }
    }
    let folders = found.folders.len();
    covered.slices = complete
        .into_iter()
        .filter(|(_, in_folders)| *in_folders == folders)
        .map(|(nth, _)| nth)
        .collect();
    covered
}

fn slice(audit: &FolderAudit, at: Moment) -> Slice {
    Slice {
        compared: audit.content.compared.get(),
        differing: audit.content.differing.get(),
        at: at.unix_ms(),
    }
}
