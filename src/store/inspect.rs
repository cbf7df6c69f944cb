//! A ledger looked at as it lies: opened alone and for its own plan, and no row of it is migrated, begun or changed.

use std::path::{Path, PathBuf};

use crate::store::codec::{FORMAT, Header};
use crate::store::compact;
use crate::store::embedded::{
    LEDGER_DIR, MARKER_FILE, OpenError, Opening, judge, lock, prepare, unusable_at,
};
use crate::store::lock::StateLock;
use crate::store::shelf::Shelf;

pub use crate::store::check::{Checked, Damage};
pub use crate::store::compact::Compacted;

/// A ledger under inspection. Nobody else works on it meanwhile.
#[derive(Debug)]
pub struct Inspection {
    pub(super) shelf: Shelf,
    pub(super) state: PathBuf,
    pub(super) header: Header,
    // Last: given back when everything else is closed.
    pub(super) lock: StateLock,
}

impl Inspection {
    /// Opens the ledger of `state`, which must be there, bear this build's format and belong to the plan. Blocks on the disk.
    pub fn open(state: &Path, belongs: &Header) -> Result<Self, OpenError> {
        prepare(state, Opening::Existing)?;
        let lock = lock(state)?;
        if !state.join(MARKER_FILE).exists() {
            return Err(OpenError::Missing(state.to_owned()));
        }
        compact::tidy(state)?;
        let corrupt = |why: &str| OpenError::Corrupt {
            dir: state.to_owned(),
            why: why.to_owned(),
        };
        if !state.join(LEDGER_DIR).is_dir() {
            return Err(corrupt("its files are gone"));
        }
        let shelf = Shelf::open_at(state, LEDGER_DIR)?;
        let header = shelf
            .header()
            .map_err(|error| unusable_at(state, &error))?
            .ok_or_else(|| corrupt("its header is gone"))?;
        let found = judge(&header, state, belongs)?;
        if found != FORMAT {
            return Err(OpenError::Older {
                dir: state.to_owned(),
                found,
            });
        }
        Ok(Self {
            shelf,
            state: state.to_owned(),
            header: belongs.clone(),
            lock,
        })
    }
}
