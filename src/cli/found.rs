//! The EWS URL that Autodiscover found, kept in the state directory, so that a night's run does not depend on the search.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::error::CommandError;
use crate::plan::document::{Autodiscover, Plan};
use crate::report::narrator::replace;

/// Its file in the state directory.
const FOUND_FILE: &str = "autodiscover.json";

/// Largest file that is read.
const FILE_MAX: u64 = 10_000;

/// What was found for this plan's search, where something was.
pub(super) fn read(state: &Path, plan: &Plan) -> Option<String> {
    let search = plan.source.autodiscover.as_ref()?;
    let path = state.join(FOUND_FILE);
    if std::fs::metadata(&path).ok()?.len() > FILE_MAX {
        return None;
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let url = kept["ews_url"].as_str()?;
    (kept["autodiscover"] == marks(search)).then(|| url.to_owned())
}

/// Keeps what was found. The state directory is there.
pub(super) fn keep(state: &Path, search: &Autodiscover, ews_url: &str) -> Result<(), CommandError> {
    let path = state.join(FOUND_FILE);
    let kept = json!({"autodiscover": marks(search), "ews_url": ews_url});
    replace(&path, kept.to_string().as_bytes()).map_err(|error| CommandError::file(&path, &error))
}

/// What a search depends on.
fn marks(search: &Autodiscover) -> Value {
    json!([search.at, search.hosts])
}
