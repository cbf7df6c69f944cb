//! The last verdict of `verify`, read back, and which folders it no longer covers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::base::id::{FolderNo, JobId};
use crate::base::mailbox::FolderPath;
use crate::base::quantity::Count;
use crate::base::spec::JobSpec;
use crate::cli::commands::report::{REPORTS_DIR, VERIFY_FILE};
use crate::cli::plans::OpenPlan;
use crate::engine::marks::marks;
use crate::port::ledger::{Ledger, LedgerError};
use crate::verify::fresh::{FolderMark, Stale, stale};

/// Folders that a terminal names.
const FOLDERS_SHOWN: usize = 5;

/// A verdict, with what it covers.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Its grade.
    pub grade: String,
    /// Its level.
    pub level: String,
    /// When it was given.
    pub at: String,
    /// By job.
    covered: BTreeMap<String, Vec<FolderMark>>,
}

/// The folders of each mailbox that a verdict does not cover. Mailboxes it covers whole are left out.
pub type StaleFolders = Vec<(JobSpec, Vec<Stale>)>;

impl Verdict {
    /// The last one of this plan, where there is one that can be read. What an older program wrote names no watermarks and covers nothing.
    pub fn last(open: &OpenPlan) -> Option<Self> {
        let path = open.state.join(REPORTS_DIR).join(VERIFY_FILE);
        let found: Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
        Some(Self::of(&found))
    }

    fn of(found: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mailboxes = found["mailboxes"].as_array().into_iter().flatten();
        let covered = mailboxes.map(|mailbox| {
            let folders = mailbox["folders"].as_array().into_iter().flatten();
            (
                text(&mailbox["job"]),
                folders.filter_map(mark).collect::<Vec<_>>(),
            )
        });
        Self {
            grade: text(&found["grade"]),
            level: text(&found["level"]),
            at: text(&found["at"]),
            covered: covered.collect(),
        }
    }

    /// What it no longer covers, now that the ledger stands where it stands.
    pub async fn stale(
        &self,
        ledger: &dyn Ledger,
        jobs: &[JobSpec],
    ) -> Result<StaleFolders, LedgerError> {
        let mut out = Vec::new();
        for job in jobs {
            let covered = self.covered(job.job);
            let folders = stale(covered, &marks(ledger, job.job, covered).await?);
            if !folders.is_empty() {
                out.push((job.clone(), folders));
            }
        }
        Ok(out)
    }

    fn covered(&self, job: JobId) -> &[FolderMark] {
        self.covered
            .get(&job.to_string())
            .map_or(&[], Vec::as_slice)
    }

    /// For `status --json`.
    pub fn to_json(&self, stale: &StaleFolders) -> Value {
        let stale: Vec<Value> = stale
            .iter()
            .flat_map(|(job, folders)| folders.iter().map(move |folder| (job, folder)))
            .map(|(job, folder)| {
                json!({
                    "mailbox": job.source.reveal(),
                    "folder": folder.path.as_str(),
                    "why": folder.why.words(),
                })
            })
            .collect();
        json!({"grade": self.grade, "level": self.level, "at": self.at, "stale": stale})
    }

    /// For `status`: one line, or some more where it no longer holds everywhere.
    pub fn to_text(&self, stale: &StaleFolders) -> String {
        use std::fmt::Write as _;
        let mut out = format!(
            "verified {}: grade {} at level {}",
            self.at, self.grade, self.level
        );
        let all: Vec<(&JobSpec, &Stale)> = stale
            .iter()
            .flat_map(|(job, folders)| folders.iter().map(move |folder| (job, folder)))
            .collect();
        if all.is_empty() {
            out.push_str("; nothing is known to have changed since\n");
            return out;
        }
        writeln!(out, "; no longer so for {} folders:", all.len()).expect("a string grows");
        for (job, folder) in all.iter().take(FOLDERS_SHOWN) {
            let path = crate::report::table::plain(folder.path.as_str());
            writeln!(
                out,
                "  {} {path}: {}",
                job.source.reveal(),
                folder.why.words()
            )
            .expect("a string grows");
        }
        let more = all.len().saturating_sub(FOLDERS_SHOWN);
        if more > 0 {
            writeln!(out, "  and {more} more; --json lists them").expect("a string grows");
        }
        out
    }
}

fn mark(folder: &Value) -> Option<FolderMark> {
    let watermark = &folder["watermark"];
    let count = |key: &str| watermark[key].as_u64().map(Count::new);
    Some(FolderMark {
        folder: FolderNo(u32::try_from(folder["number"].as_u64()?).ok()?),
        path: FolderPath::escaped(folder["folder"].as_str()?),
        rows: count("rows")?,
        facts: count("facts")?,
        quick: watermark["mark"].as_str().and_then(unhex),
    })
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    let mut out = [0; 16];
    let pairs = text.as_bytes().chunks_exact(2);
    if text.len() != 32 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_read_back_and_damage_covers_nothing() {
        let found = json!({"grade": "perfect", "level": "content", "at": "x", "mailboxes": [
            {"job": "1", "folders": [
                {"folder": "Inbox", "number": 3, "watermark": {"rows": 5, "facts": 9, "mark": "00ff".repeat(8)}},
                {"folder": "Old", "number": 4, "watermark": {"rows": "five"}},
            ]},
            {"job": "2", "not_verified": "not begun"},
        ]});
        let verdict = Verdict::of(&found);
        let marks = &verdict.covered["1"];
        assert_eq!(marks.len(), 1);
        assert_eq!(
            (marks[0].rows, marks[0].facts),
            (Count::new(5), Count::new(9))
        );
        assert_eq!(marks[0].quick.map(|m| (m[0], m[1])), Some((0, 255)));
        assert!(verdict.covered["2"].is_empty());
        assert!(Verdict::of(&json!([])).covered.is_empty());
        assert_eq!(unhex("ü"), None);
    }
}
