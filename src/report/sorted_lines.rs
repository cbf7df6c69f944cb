//! Sorts more lines than memory may hold: sorted runs in files without a name, merged at the end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Result, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// Lines that come out in order, however many went in. Memory: `at_once` lines, and a buffer for each run of as many. The files lie in the
/// directory given and are gone when this is, whatever ends the process.
#[derive(Debug)]
pub(super) struct SortedLines {
    dir: PathBuf,
    at_once: usize,
    lines: Vec<String>,
    runs: Vec<File>,
}

impl SortedLines {
    /// Begins; keeps no more than `at_once` lines in memory.
    pub(super) fn new(dir: &Path, at_once: usize) -> Self {
        Self {
            dir: dir.to_owned(),
            at_once: at_once.max(1),
            lines: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Takes a line, which contains no line end.
    pub(super) fn push(&mut self, line: String) -> Result<()> {
        debug_assert!(!line.contains('\n'));
        self.lines.push(line);
        if self.lines.len() < self.at_once {
            return Ok(());
        }
        self.lines.sort_unstable();
        let mut file = BufWriter::new(tempfile::tempfile_in(&self.dir)?);
        for line in self.lines.drain(..) {
            file.write_all(line.as_bytes())?;
            file.write_all(b"\n")?;
        }
        let mut file = file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.runs.push(file);
        Ok(())
    }

    /// Hands out every line, in order.
    pub(super) fn drain(mut self, mut each: impl FnMut(&str) -> Result<()>) -> Result<()> {
        self.lines.sort_unstable();
        let mut last = self.lines.into_iter();
        let mut runs: Vec<_> = self
            .runs
            .into_iter()
            .map(|file| BufReader::new(file).lines())
            .collect();
        let of = runs.len();
        // The run in memory comes after those in files.
        let mut next = |at: usize| match runs.get_mut(at) {
            Some(run) => run.next().transpose(),
            None => Ok(last.next()),
        };
        let mut heap = BinaryHeap::new();
        for at in 0..=of {
            if let Some(line) = next(at)? {
                heap.push(Reverse((line, at)));
            }
        }
        while let Some(Reverse((line, at))) = heap.pop() {
            each(&line)?;
            if let Some(line) = next(at)? {
                heap.push(Reverse((line, at)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_comes_out_is_what_went_in_sorted(
            lines in proptest::collection::vec("[a-z]{0,3}", 0..60), at_once in 1usize..20,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut sorted = SortedLines::new(dir.path(), at_once);
            for line in &lines {
                sorted.push(line.clone()).unwrap();
            }
            let mut out = Vec::new();
            sorted.drain(|line| { out.push(line.to_owned()); Ok(()) }).unwrap();
            let mut want = lines;
            want.sort_unstable();
            prop_assert_eq!(out, want);
            prop_assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }
}
