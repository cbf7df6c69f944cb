//! The words of `mailferry assess`.

use std::path::PathBuf;

use clap::Args;
use jiff::civil::Date;

use crate::cli::args::SecretsFile;
use crate::posture::server::Sighting;
use crate::posture::timeline::Window;

/// `mailferry assess`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry assess --server EX1=15.1.2507.61
  mailferry assess inventory/*.csv --health HealthChecker-VulnerabilityReport-20261126.json
  mailferry assess inventory/*.csv --plan plan.toml --detections defender.csv --updates updates.csv
  mailferry assess --plan plan.toml --window 2021-04-13..2021-12-01 --exposure
  mailferry assess --plan plan.toml --acknowledge D-1a2b3c4d --by 'A. Harris' --note 'removed 2021, host rebuilt'
  mailferry assess inventory/*.csv --actions register.csv --write-actions register.csv

Reads only: the source is asked by EWS for settings (rules, folders, rights, delegates, where the automatic reply links to), never for mail, and never written to.
--server takes a dotted build as ExSetup.exe shows it; 'Version 15.1 (Build 2507.6)', as Exchange displays it, names the cumulative update only
and leaves the security update unknown. --updates is a log `server,build,installed`: with it, windows of exposure have an end. The words are
found, not found and not checked: a lead is something to look at, and nothing here says that a mailbox is clean.

With --plan or --state the result is kept in the state directory, where `cutover` looks for critical findings nobody decided about.

Exit codes: 0 nothing critical is open; 3 a file was refused; 4 the source cannot be reached; 5 findings wait for a decision.")]
pub struct AssessArgs {
    /// Inventory files, as `mailferry inventory` reads them
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Read the plan's mailboxes by EWS too, and keep the result in its state directory
    #[arg(long, value_name = "PLAN")]
    pub plan: Option<PathBuf>,

    /// Where secrets are
    #[command(flatten)]
    pub secrets: SecretsFile,

    /// A server and its build; may be given again
    #[arg(long, value_name = "NAME=BUILD", value_parser = server)]
    pub server: Vec<Sighting>,

    /// A vulnerability report of HealthChecker (JSON); may be given again
    #[arg(long, value_name = "FILE")]
    pub health: Vec<PathBuf>,

    /// When updates were installed: server,build,installed
    #[arg(long, value_name = "FILE")]
    pub updates: Option<PathBuf>,

    /// What antivirus found (CSV or JSON); may be given again
    #[arg(long, value_name = "FILE")]
    pub detections: Vec<PathBuf>,

    /// A window of exposure that is known otherwise
    #[arg(long, value_name = "FROM..TO", value_parser = window)]
    pub window: Option<Window>,

    /// Count what lay open in the window, mailbox by mailbox (reads listings of every folder)
    #[arg(long, requires = "plan", requires = "window")]
    pub exposure: bool,

    /// List Inbox, Junk Email and Sent Items for bursts of sent mail and senders that look like known ones (a call for each 1,000 items)
    #[arg(long, requires = "plan")]
    pub mail: bool,

    /// The table of builds to use instead of the built-in one
    #[arg(long, value_name = "FILE")]
    pub builds: Option<PathBuf>,

    /// The table of vulnerabilities to use instead of the built-in one
    #[arg(long, value_name = "FILE")]
    pub cves: Option<PathBuf>,

    /// The register of remedial actions (CSV)
    #[arg(long, value_name = "FILE")]
    pub actions: Option<PathBuf>,

    /// Write the register with what the findings ask for
    #[arg(long, value_name = "FILE")]
    pub write_actions: Option<PathBuf>,

    /// Judge as of this day (default: today)
    #[arg(long, value_name = "DATE")]
    pub on: Option<Date>,

    /// Record that a person looked at a finding; may be given again
    #[arg(long, value_name = "ID", requires = "by", requires = "note")]
    pub acknowledge: Vec<String>,

    /// Who looked
    #[arg(long, value_name = "NAME", requires = "acknowledge")]
    pub by: Option<String>,

    /// What they say about it
    #[arg(long, value_name = "TEXT", requires = "acknowledge")]
    pub note: Option<String>,
}

fn server(text: &str) -> Result<Sighting, String> {
    let wrong = || "write NAME=BUILD, as in EX1=15.1.2507.61".to_owned();
    let (name, build) = text.split_once('=').ok_or_else(wrong)?;
    if name.trim().is_empty() {
        return Err(wrong());
    }
    Sighting::by_hand(name.trim(), build).ok_or_else(wrong)
}

fn window(text: &str) -> Result<Window, String> {
    Window::parse(text).ok_or_else(|| {
        "write two days, the first one first, as in 2021-04-13..2021-12-01".to_owned()
    })
}
