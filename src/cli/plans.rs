//! Plan files and their state directories.

use std::path::{Path, PathBuf};

use crate::cli::args::Common;
use crate::cli::error::CommandError;
use crate::cli::found;
use crate::plan::document::Plan;
use crate::store::codec::Header;

/// A plan as it was read, with where its state is kept.
#[derive(Debug)]
pub struct OpenPlan {
    /// The plan.
    pub plan: Plan,
    /// Its file.
    pub path: PathBuf,
    /// Its state directory.
    pub state: PathBuf,
    /// What its ledger is marked with.
    pub header: Header,
    /// True where the plan leaves the EWS URL to Autodiscover.
    pub searched: bool,
}

/// Reads a plan file, or says everything that is wrong with it.
pub fn read(path: &Path) -> Result<Plan, CommandError> {
    let bytes = std::fs::read(path).map_err(|error| CommandError::file(path, &error))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        CommandError::new(
            crate::cli::exit::Exit::Refused,
            format!("{}: the file is not UTF-8", path.display()),
        )
    })?;
    Plan::parse(&text).map_err(|problems| {
        CommandError::problems(&path.display().to_string(), &problems).hint(format!(
            "correct the file; `mailferry plan --check {}` checks it",
            path.display()
        ))
    })
}

/// Reads a plan file and finds its state directory.
pub fn open(path: &Path, common: &Common) -> Result<OpenPlan, CommandError> {
    let plan = read(path)?;
    let state = common
        .state
        .clone()
        .unwrap_or_else(|| path.with_file_name("state"));
    let header = Header {
        plan: plan.hash(),
        realm: plan.realm,
    };
    let mut plan = plan;
    let searched = plan.source.ews_url.is_empty();
    if searched {
        // What a preflight found; it is no part of the plan, and of its hash neither.
        plan.source.found_url = found::read(&state, &plan).unwrap_or_default();
    }
    Ok(OpenPlan {
        plan,
        path: path.to_owned(),
        state,
        header,
        searched,
    })
}
