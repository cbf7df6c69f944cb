//! `mailferry report`: the sign-off report, as HTML, JSON and CSV, into the state directory, and the evidence pack beside it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::base::quantity::{Count, Moment};
use crate::cli::args::Common;
use crate::cli::commands::assess::ASSESS_FILE;
use crate::cli::decisions::{Decisions, signers};
use crate::cli::error::CommandError;
use crate::cli::evidence_args::ReportArgs;
use crate::cli::exit::Exit;
use crate::cli::packs;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::ui::Ui;
use crate::cli::verdict::Verdict;
use crate::cli::wiring;
use crate::engine::balance;
use crate::evidence::balance::Balance;
use crate::evidence::chain::{Entry, Kind};
use crate::evidence::manifest::Names;
use crate::evidence::signers::Signers;
use crate::port::ledger::Ledger;
use crate::posture::section;
use crate::report::narrator::replace;
use crate::report::pack_write::WrittenPack;
use crate::report::signoff::make::{Sources, StaleFolder, make, records};
use crate::report::signoff::paper::{Edition, PackPart, Paper, PosturePart};
use crate::report::signoff::{csv, json as report_json, render};
use crate::store::embedded::Opening;

/// The directory of reports inside a state directory.
pub const REPORTS_DIR: &str = "reports";

/// The last result of `verify` there.
pub const VERIFY_FILE: &str = "verify.json";

/// Runs the command.
pub fn run(args: &ReportArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = plans::open(&args.plan.plan, common)?;
    let signers = signers(args.allowed_signers.as_deref(), &open.path)?;
    let ledger = wiring::ledger(&open, Opening::Existing)?;
    let runtime = wiring::runtime()?;
    let edition = if args.external {
        Edition::External
    } else {
        Edition::Internal
    };
    let written = runtime.block_on(async {
        let balance = balance::take(&ledger).await?;
        let decisions = Decisions::open(&open)?;
        let pack = packs::pack(&open, &ledger, &balance, &decisions, args.reveal).await?;
        write(
            &open, &ledger, &balance, &decisions, &signers, pack, edition,
        )
        .await
    })?;
    if ui.json {
        ui.data(&written.to_json().to_string());
    } else {
        ui.data(&written.to_text(&open.path));
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
    /// Its tables as CSV.
    pub csv: Vec<PathBuf>,
    /// What it says.
    pub paper: Paper,
    /// The pack written with it.
    pub pack: WrittenPack,
}

impl Written {
    fn to_json(&self) -> Value {
        let path = |path: &Path| path.display().to_string();
        json!({
            "schema": "mailferry.report-files/1",
            "edition": self.paper.edition.word(),
            "html": path(&self.html),
            "json": path(&self.json),
            "csv": self.csv.iter().map(|own| path(own)).collect::<Vec<_>>(),
            "verdict": self.paper.verdict(),
            "open": self.paper.open(),
            "pack": path(&self.pack.dir),
            "pack_sha256": self.pack.digest,
            "merkle_root": self.pack.root,
            "manifest_lines": self.pack.leaves,
        })
    }

    /// Files first, then what they say, what is open, and what to type next: the last lines are the ones a person sees.
    fn to_text(&self, plan: &Path) -> String {
        let files = [&self.html, &self.json]
            .into_iter()
            .chain(&self.csv)
            .chain([&self.pack.dir])
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join("\n");
        format!(
            "{files}\n\n{}\n{}\nThe pack has {} and the digest {}.\n\nnext: {}\n",
            self.paper.verdict(),
            self.paper.open(),
            match self.pack.leaves {
                1 => "1 line".to_owned(),
                n => format!("{} lines", Count::new(n)),
            },
            self.pack.digest,
            self.paper.next(&plan.display().to_string())
        )
    }
}

/// Writes every form of the report.
pub async fn write(
    open: &OpenPlan,
    ledger: &dyn Ledger,
    balance: &Balance,
    decisions: &Decisions,
    signers: &Signers,
    pack: WrittenPack,
    edition: Edition,
) -> Result<Written, CommandError> {
    let dir = directory(open)?;
    let verification = packs::verification(open)?;
    let jobs = open.plan.jobs();
    let stale = match Verdict::last(open) {
        Some(verdict) => verdict.stale(ledger, &jobs).await?,
        None => Vec::new(),
    };
    let stale: Vec<StaleFolder<'_>> = stale
        .iter()
        .flat_map(|(job, folders)| folders.iter().map(move |folder| (job, folder)))
        .map(|(job, folder)| StaleFolder {
            mailbox: &job.source,
            path: folder.path.as_str(),
            why: folder.why.words(),
        })
        .collect();
    let entries = decisions.entries();
    // Not today: the same records make the same report.
    let until = records(entries, verification.as_ref());
    let waivers = decisions.waivers(signers, moment(until.as_deref()))?;
    let names = match edition {
        Edition::Internal => Names::Revealed,
        Edition::External => Names::Pseudonyms(decisions.pseudonym_key()?),
    };
    let mut paper = make(&Sources {
        name: &open.plan.name,
        plan: &open.header.plan,
        realm: open.plan.realm,
        limits: &open.plan.limits,
        balance,
        verification: verification.as_ref(),
        stale: &stale,
        entries,
        waivers: &waivers,
        pack: Some(pack_part(&pack, entries)),
        names: &names,
    });
    paper.posture = posture(&open.state, edition)?;
    let stem = match edition {
        Edition::Internal => "report",
        Edition::External => "report-external",
    };
    let put = |name: String, bytes: &[u8]| {
        let path = dir.join(name);
        replace(&path, bytes).map_err(|error| CommandError::file(&path, &error))?;
        Ok::<PathBuf, CommandError>(path)
    };
    let html = put(format!("{stem}.html"), render(&paper).as_bytes())?;
    let pretty = format!("{:#}\n", report_json::to_json(&paper));
    let json = put(format!("{stem}.json"), pretty.as_bytes())?;
    let tables = csv::TABLES.into_iter().zip(csv::tables(&paper));
    let mut csv = tables
        .map(|(table, text)| put(format!("{stem}-{table}.csv"), text.as_bytes()))
        .collect::<Result<Vec<_>, _>>()?;
    let by_class = format!("{stem}-{}.csv", csv::BY_CLASS);
    match csv::by_class(&paper) {
        Some(text) => csv.push(put(by_class, text.as_bytes())?),
        // An earlier report may have had one.
        None => drop(std::fs::remove_file(dir.join(by_class))),
    }
    Ok(Written {
        html,
        json,
        csv,
        paper,
        pack,
    })
}

/// The pack, with how many signed this very one.
fn pack_part(pack: &WrittenPack, entries: &[Entry]) -> PackPart {
    let signed = |entry: &&Entry| {
        entry.kind == Kind::PackSigned
            && entry.facts.get("pack").and_then(Value::as_str) == Some(pack.digest.as_str())
    };
    let name = pack.dir.file_name().unwrap_or_default();
    PackPart {
        name: name.to_string_lossy().into_owned(),
        digest: pack.digest.clone(),
        root: pack.root.clone(),
        lines: pack.leaves,
        signatures: entries.iter().filter(signed).count() as u64,
    }
}

fn moment(text: Option<&str>) -> Moment {
    let at = text.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    Moment::from_unix_ms(at.map_or(0, jiff::Timestamp::as_millisecond))
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

/// The section about the source, where it was assessed. An external report names nobody of the register.
fn posture(state: &Path, edition: Edition) -> Result<Option<PosturePart>, CommandError> {
    let path = state.join(ASSESS_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read(&path).map_err(|error| CommandError::file(&path, &error))?;
    let document = serde_json::from_slice(&text).map_err(|_| {
        CommandError::new(Exit::Refused, format!("{}: not JSON", path.display()))
            .hint("run `mailferry assess` again")
    })?;
    let people = match edition {
        Edition::Internal => section::People::Named,
        Edition::External => section::People::LeftOut,
    };
    Ok(Some(PosturePart {
        html: section::html(&document, people),
        facts: section::json(&document),
    }))
}
