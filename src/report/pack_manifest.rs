//! Writes the manifest out of the ledger: every row once, sorted, with the Merkle tree and the sums growing alongside.

use std::io::Write as _;
use std::path::PathBuf;

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
use crate::report::sorted_lines::SortedLines;

/// A manifest in the making.
#[derive(Debug)]
pub(super) struct ManifestWriter<'a> {
    pub(super) ledger: &'a dyn Ledger,
    pub(super) names: &'a Names,
    pub(super) file: Hashed,
    pub(super) tree: Tree,
    /// Where lines lie that memory may not hold.
    pub(super) dir: PathBuf,
}

impl ManifestWriter<'_> {
    /// Writes the lines of one folder and returns its sums.
    ///
    /// Lines are sorted by what stands in them, since an order that follows the ledger would say something about what a pseudonym hides. Within a
    /// folder they differ first in the item, so sorting them as text sorts them by item.
    pub(super) async fn folder(
        &mut self,
        job: &JobRow,
        row: &FolderRow,
    ) -> Result<FolderSums, PackError> {
        let mut counted = FolderBalance::begin(row);
        let mut lines = SortedLines::new(&self.dir, MANIFEST_SORTED_AT_ONCE);
        let mut after = None;
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
                counted.count(line.bucket, copy.header.size, Bytes::new(line.carried));
                lines.push(line.render())?;
            }
        }
        let (file, tree) = (&mut self.file, &mut self.tree);
        lines.drain(|line| {
            tree.push(line.as_bytes(), false);
            file.write_all(line.as_bytes())?;
            file.write_all(b"\n")
        })?;
        counted.finish(row);
        let path = self.names.folder(&job.source, row.path.as_str());
        Ok(FolderSums::of(row.no.0, path, &counted))
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

/// Items a listing showed, for cross-checks.
pub(super) fn listed(sums: &FolderSums) -> Count {
    Count::new(sums.buckets.values().sum())
}
