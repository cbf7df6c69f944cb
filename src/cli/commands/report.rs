//! `mailferry report`: the sign-off report, as HTML and JSON, into the state directory.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::args::Common;
use crate::cli::decisions::Decisions;
use crate::cli::error::CommandError;
use crate::cli::evidence_args::ReportArgs;
use crate::cli::exit::Exit;
use crate::cli::packs;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::ui::Ui;
use crate::cli::wiring;
use crate::engine::balance;
use crate::evidence::balance::Balance;
use crate::report::document::Report;
use crate::report::html;
use crate::report::narrator::replace;
use crate::store::embedded::Opening;

/// The directory of reports inside a state directory.
pub const REPORTS_DIR: &str = "reports";

/// The last result of `verify` there.
pub const VERIFY_FILE: &str = "verify.json";

/// Runs the command.
pub fn run(args: &ReportArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = plans::open(&args.plan.plan, common)?;
    let ledger = wiring::ledger(&open, Opening::Existing)?;
    let runtime = wiring::runtime()?;
    let balance = runtime.block_on(balance::take(&ledger))?;
    let written = write(&open, &balance)?;
    let decisions = Decisions::open(&open)?;
    let pack = runtime.block_on(packs::pack(
        &open,
        &ledger,
        &balance,
        &decisions,
        args.reveal,
    ))?;
    if ui.json {
        let report = json!({
            "schema": "mailferry.report-files/1",
            "html": written.html.display().to_string(),
            "json": written.json.display().to_string(),
            "verdict": written.verdict,
            "pack": pack.dir.display().to_string(),
            "pack_sha256": pack.digest,
            "merkle_root": pack.root,
            "manifest_lines": pack.leaves,
        });
        ui.data(&report.to_string());
    } else {
        ui.data(&format!(
            "{}\n{}\n{}\n{}\n",
            written.verdict,
            written.html.display(),
            written.json.display(),
            pack.dir.display()
        ));
    }
    Ok(Exit::Done)
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The HTML report.
    pub html: PathBuf,
    /// The same as JSON.
    pub json: PathBuf,
    /// Its verdict.
    pub verdict: String,
}

/// Writes both forms of the report.
pub fn write(open: &OpenPlan, balance: &Balance) -> Result<Written, CommandError> {
    let dir = directory(open)?;
    let verification = std::fs::read_to_string(dir.join(VERIFY_FILE))
        .ok()
        .and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let report = Report {
        name: &open.plan.name,
        plan: &open.header.plan,
        realm: open.plan.realm,
        limits: &open.plan.limits,
        balance,
        verification: verification.as_ref(),
    };
    let written = Written {
        html: dir.join("report.html"),
        json: dir.join("report.json"),
        verdict: report.verdict(),
    };
    let pretty = format!("{:#}\n", report.to_json());
    let put = |path: &PathBuf, bytes: &[u8]| {
        replace(path, bytes).map_err(|error| CommandError::file(path, &error))
    };
    put(&written.html, html::render(&report).as_bytes())?;
    put(&written.json, pretty.as_bytes())?;
    Ok(written)
}

/// The directory of reports, made where it is missing.
pub fn directory(open: &OpenPlan) -> Result<PathBuf, CommandError> {
    let dir = open.state.join(REPORTS_DIR);
    if !dir.is_dir() {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt as _;
            builder.mode(0o700);
        }
        builder
            .create(&dir)
            .map_err(|error| CommandError::file(&dir, &error))?;
    }
    Ok(dir)
}
