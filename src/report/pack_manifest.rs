//! Writes the manifest out of the ledger: every row once, sorted, with the Merkle tree and the sums growing alongside.

use std::io::Write as _;

use crate::base::fact::{CopyRow, FolderRow, JobRow};
use crate::base::item::Stamp;
use crate::base::limits::{LEDGER_PAGE, MANIFEST_SORTED_AT_ONCE};
use crate::base::quantity::{Bytes, Count};
use crate::evidence::balance::FolderBalance;
use crate::evidence::manifest::{ItemLine, Names};
use crate::evidence::merkle::Tree;
use crate::evidence::pack::FolderSums;
use crate::flow::copy::{CopyState, replay};
use crate::port::ledger::{Ledger, LedgerError};
use crate::report::pack_dir::Hashed;
use crate::report::pack_write::PackError;

/// A manifest in the making.
#[derive(Debug)]
pub(super) struct ManifestWriter<'a> {
    pub(super) ledger: &'a dyn Ledger,
    pub(super) names: &'a Names,
    pub(super) file: Hashed,
    pub(super) tree: Tree,
}

impl ManifestWriter<'_> {
    /// Writes the lines of one folder and returns its sums.
    ///
    /// Lines are sorted by what stands in them, since an order that follows the ledger would say something about what a pseudonym hides.
    /// A folder too large to be sorted in memory is read in several passes, each of which keeps the items of one range.
    pub(super) async fn folder(
        &mut self,
        job: &JobRow,
        row: &FolderRow,
    ) -> Result<FolderSums, PackError> {
        let mut counted = FolderBalance::begin(row);
        let rows = self.pass(job, row, None, Some(&mut counted)).await?;
        match rows {
            Pass::Fits(lines) => self.put(lines)?,
            Pass::TooMany(n) => {
                // Items are spread evenly over their names, so half as many as fit are aimed at.
                let ranges = (n * 2).div_ceil(MANIFEST_SORTED_AT_ONCE) as u64;
                for at in 0..ranges {
                    let range = Range { at, of: ranges };
                    match self.pass(job, row, Some(range), None).await? {
                        Pass::Fits(lines) => self.put(lines)?,
                        Pass::TooMany(_) => return Err(PackError::Uneven),
                    }
                }
            }
        }
        counted.finish(row);
        let path = self.names.folder(&job.source, row.path.as_str());
        Ok(FolderSums::of(row.no.0, path, &counted))
    }

    fn put(&mut self, mut lines: Vec<ItemLine>) -> Result<(), PackError> {
        lines.sort_by(|a, b| a.item.cmp(&b.item));
        for line in lines {
            let text = line.render();
            self.tree.push(text.as_bytes(), false);
            self.file.write_all(text.as_bytes())?;
            self.file.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Reads the folder once and keeps the lines of a range, or says how many there are when they are too many.
    async fn pass(
        &self,
        job: &JobRow,
        row: &FolderRow,
        range: Option<Range>,
        mut counted: Option<&mut FolderBalance>,
    ) -> Result<Pass, PackError> {
        let mut lines = Vec::new();
        let (mut kept, mut after) = (0, None);
        loop {
            let page = self
                .ledger
                .copies(job.job, row.no, after, LEDGER_PAGE)
                .await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key);
            for copy in &page {
                let Some(line) = self.line(job, copy)? else {
                    continue;
                };
                if let Some(counted) = &mut counted {
                    counted.count(line.bucket, copy.header.size, Bytes::new(line.carried));
                }
                if range.is_some_and(|range| !range.holds(&line.item)) {
                    continue;
                }
                kept += 1;
                if kept <= MANIFEST_SORTED_AT_ONCE {
                    lines.push(line);
                } else {
                    lines = Vec::new();
                }
            }
        }
        Ok(if kept <= MANIFEST_SORTED_AT_ONCE {
            Pass::Fits(lines)
        } else {
            Pass::TooMany(kept)
        })
    }

    fn line(&self, job: &JobRow, copy: &CopyRow) -> Result<Option<ItemLine>, PackError> {
        let state = replay(copy).map_err(|error| LedgerError::Unusable(error.to_string()))?;
        let Some(bucket) = state.bucket() else {
            return Ok(None);
        };
        let sent = match &state {
            CopyState::Confirmed { sent, .. } => *sent,
            _ => None,
        };
        let header = &copy.header;
        Ok(Some(ItemLine {
            job: job.job.to_string(),
            folder: copy.folder.0,
            item: self.names.item(&copy.key.to_string()),
            class: header.class.as_str().to_owned(),
            bucket,
            size: header.size.get(),
            carried: sent.map_or(0, |sent| sent.stream.get()),
            stamp: self.names.stamp(&stamp(&header.stamp)),
            digest: sent
                .and_then(|sent| sent.digest)
                .map(|digest| self.names.digest(&digest.to_string())),
            target: state
                .placed()
                .map(|placed| self.names.target(placed.item.as_str())),
        }))
    }
}

fn stamp(stamp: &Stamp) -> String {
    match stamp {
        Stamp::Key(key) => format!("key:{key}"),
        Stamp::Fallback(bytes) => {
            format!("fallback:{}", crate::evidence::merkle::hex(bytes))
        }
    }
}

/// What a pass found.
enum Pass {
    /// The lines.
    Fits(Vec<ItemLine>),
    /// More than are sorted at once.
    TooMany(usize),
}

/// One of equal parts of all names, by their first 16 hexadecimal digits.
#[derive(Clone, Copy)]
struct Range {
    at: u64,
    of: u64,
}

impl Range {
    fn holds(self, item: &str) -> bool {
        let head = item
            .get(..16)
            .and_then(|head| u64::from_str_radix(head, 16).ok())
            .unwrap_or_default();
        let place = (u128::from(head) * u128::from(self.of)) >> 64;
        place == u128::from(self.at)
    }
}

/// Items a listing showed, for cross-checks.
pub(super) fn listed(sums: &FolderSums) -> Count {
    Count::new(sums.buckets.values().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_every_name_once_and_in_order() {
        let names: Vec<String> = (0..4096u64)
            .map(|n| {
                format!(
                    "{:016x}0000000000000000",
                    n.wrapping_mul(0x9E37_79B9_7F4A_7C15)
                )
            })
            .chain(["0".repeat(32), "f".repeat(32)])
            .collect();
        for of in [1, 2, 3, 7] {
            let mut last = 0;
            let mut sorted = names.clone();
            sorted.sort();
            for name in &sorted {
                let holders: Vec<u64> = (0..of)
                    .filter(|at| Range { at: *at, of }.holds(name))
                    .collect();
                assert_eq!(holders.len(), 1, "{name} of {of}");
                assert!(holders[0] >= last);
                last = holders[0];
            }
        }
    }
}
