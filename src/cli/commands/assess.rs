//! `mailferry assess`: the posture of the source, leads of compromise, detections nobody acknowledged, the register of actions.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use crate::base::sight::{Look, MailboxSight, RoleSight};
use crate::cli::args::Common;
use crate::cli::assess_args::AssessArgs;
use crate::cli::assess_ews::{self, Seen};
use crate::cli::commands::inventory;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::ui::Ui;
use crate::cli::{assess_facts, assess_view};
use crate::posture::assessment::{self, Assessment};
use crate::posture::detections::{self, Detection};
use crate::posture::finding::{self, Decision};
use crate::posture::leads::{self, Lead};
use crate::posture::register::{self, Action, Status};
use crate::posture::server::{self, Installed, Sighting};
use crate::posture::sheet::{self, Fault, Sheet};
use crate::posture::table::{Table, TableFault};
use crate::posture::{health, timeline};
use crate::report::narrator::replace;

/// The result, in the state directory.
pub const ASSESS_FILE: &str = "assess.json";

/// The decisions of people about findings, in the state directory; only ever appended to.
pub const DECISIONS_FILE: &str = "assess-decisions.jsonl";

/// Runs the command.
pub fn run(args: &AssessArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = match &args.plan {
        Some(plan) => Some(plans::open(plan, common)?),
        None => None,
    };
    let state = match (&open, &common.state) {
        (Some(open), _) => Some(open.state.clone()),
        (None, state) => state.clone(),
    };
    if !args.acknowledge.is_empty() {
        return acknowledge(args, state.as_deref(), ui);
    }
    if nothing_given(args) {
        return Err(CommandError::new(Exit::Usage, "nothing to assess was given")
            .hint("name inventory files, --plan, --server NAME=BUILD, --health or --detections; `mailferry assess --help` has examples"));
    }
    if let Some(dir) = &state {
        make_dir(dir).map_err(|error| CommandError::file(dir, &error))?;
    }
    let now = jiff::Timestamp::now();
    let today = args
        .on
        .unwrap_or_else(|| now.to_zoned(jiff::tz::TimeZone::UTC).date());
    let found = assess(args, open.as_ref(), state.as_deref(), today, now, ui)?;
    if let Some(path) = &args.write_actions {
        let text = register::write(&found.actions);
        replace(path, text.as_bytes()).map_err(|error| CommandError::file(path, &error))?;
    }
    let document = found.to_json();
    if let Some(dir) = &state {
        keep(dir, &document)?;
    }
    if ui.json {
        ui.data(&document.to_string());
    } else {
        ui.data(&assess_view::text(&found));
    }
    Ok(match found.open_critical() {
        0 => Exit::Done,
        _ => Exit::Decision,
    })
}

fn nothing_given(args: &AssessArgs) -> bool {
    args.files.is_empty()
        && args.plan.is_none()
        && args.server.is_empty()
        && args.health.is_empty()
        && args.detections.is_empty()
        && args.actions.is_none()
}

fn assess(
    args: &AssessArgs,
    open: Option<&OpenPlan>,
    state: Option<&Path>,
    today: Date,
    now: jiff::Timestamp,
    ui: Ui,
) -> Result<Assessment, CommandError> {
    let table = table(args)?;
    let decisions = decisions(state)?;
    let installed = installed(args.updates.as_deref())?;
    let mut register = register(args.actions.as_deref())?;
    let mut detections = all_detections(&args.detections)?;
    let mut sightings: Vec<Sighting> = args.server.clone();
    let mut health_words = Vec::new();
    for path in &args.health {
        for one in health::parse(&bytes(path)?).map_err(|fault| refused(path, &fault))? {
            let name = one.sighting.server.clone();
            health_words.extend(one.others.into_iter().map(|text| (name.clone(), text)));
            sightings.push(one.sighting);
        }
    }
    let (mut sights, roles) = from_inventory(&args.files, &mut sightings)?;
    let mut counted = None;
    if let Some(open) = open {
        let seen = assess_ews::look(args, open, &sights, ui)?;
        let Seen {
            server,
            mailboxes,
            exposure,
        } = seen;
        sightings.extend(server);
        sights = joined(sights, mailboxes);
        counted = exposure;
    }
    let servers = server::assess(&table, &sightings, &installed, today);
    let mut windows = timeline::windows(&servers, today);
    windows.extend(args.window.clone());
    let mut all: Vec<Lead> = sights
        .iter()
        .flat_map(|sight| leads::mailbox(sight, &windows))
        .collect();
    all.extend(leads::organisation(&roles));
    detections::weigh(&mut detections, &windows, &decisions);
    register = register::with_seeds(register, assessment::seeds(&servers, &all, &detections));
    Ok(Assessment {
        today,
        at: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        table_date: table.date,
        servers,
        health: health_words,
        windows,
        leads: with_decisions(all, &decisions),
        detections,
        actions: register,
        exposure: args.window.clone().zip(counted),
        mailboxes: sights.len(),
    })
}

fn with_decisions(
    leads: Vec<Lead>,
    decisions: &BTreeMap<String, Decision>,
) -> Vec<(Lead, Option<Decision>)> {
    leads
        .into_iter()
        .map(|lead| {
            let decision = decisions.get(&lead.finding).cloned();
            (lead, decision)
        })
        .collect()
}

/// Inventory and EWS, mailbox by mailbox.
fn joined(inventory: Vec<MailboxSight>, ews: Vec<MailboxSight>) -> Vec<MailboxSight> {
    let key = |sight: &MailboxSight| sight.mailbox.reveal().to_lowercase();
    let mut out: BTreeMap<String, MailboxSight> =
        inventory.into_iter().map(|s| (key(&s), s)).collect();
    for sight in ews {
        let own = out
            .remove(&key(&sight))
            .unwrap_or_else(|| MailboxSight::of(sight.mailbox.clone()));
        out.insert(key(&sight), own.with(sight));
    }
    out.into_values().collect()
}

fn from_inventory(
    files: &[PathBuf],
    sightings: &mut Vec<Sighting>,
) -> Result<(Vec<MailboxSight>, Look<Vec<RoleSight>>), CommandError> {
    if files.is_empty() {
        return Ok((Vec::new(), Look::default()));
    }
    let inventory = inventory::read(files)?;
    if !inventory.refused.is_empty() {
        let lines: Vec<String> = inventory
            .refused
            .iter()
            .take(50)
            .map(|note| {
                let file = inventory.file(note.place).unwrap_or_default();
                format!(
                    "{file}:{}:{}: {}",
                    note.place.line, note.column, note.reason
                )
            })
            .collect();
        return Err(CommandError::new(Exit::Refused, lines.join("\n"))
            .hint("correct what was refused; `mailferry inventory FILE...` says how"));
    }
    sightings.extend(assess_facts::sightings(&inventory));
    let sights = assess_facts::sights(&inventory);
    Ok((sights, assess_facts::roles(&inventory)))
}

fn table(args: &AssessArgs) -> Result<Table, CommandError> {
    if args.builds.is_none() && args.cves.is_none() {
        return Ok(Table::built_in());
    }
    let text = |path: &Option<PathBuf>, built_in: &str| match path {
        Some(path) => text(path),
        None => Ok(built_in.to_owned()),
    };
    let builds = text(&args.builds, Table::BUILDS)?;
    let cves = text(&args.cves, Table::CVES)?;
    let named =
        |path: &Option<PathBuf>| path.clone().unwrap_or_else(|| "the built-in table".into());
    Table::parse(&builds, &cves).map_err(|fault| match fault {
        TableFault::Builds(fault) => refused(&named(&args.builds), &fault),
        TableFault::Cves(fault) => refused(&named(&args.cves), &fault),
    })
}

fn installed(path: Option<&Path>) -> Result<Vec<Installed>, CommandError> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let sheet = Sheet::parse(&text(path)?).map_err(|fault| refused(path, &fault))?;
    server::parse_installed(&sheet).map_err(|fault| refused(path, &fault))
}

fn all_detections(paths: &[PathBuf]) -> Result<Vec<Detection>, CommandError> {
    let mut out = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        let read = detections::parse(&name, &bytes(path)?);
        out.extend(read.map_err(|fault| refused(path, &fault))?);
    }
    Ok(out)
}

/// Reads the register, and holds every piece of evidence against the digest that is written beside it.
fn register(path: Option<&Path>) -> Result<Vec<Action>, CommandError> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let sheet = Sheet::parse(&text(path)?).map_err(|fault| refused(path, &fault))?;
    let mut actions = register::parse(&sheet).map_err(|fault| refused(path, &fault))?;
    for action in actions.iter_mut().filter(|a| !a.evidence.is_empty()) {
        let file = path.with_file_name(&action.evidence);
        let digest = match digest(&file) {
            Ok(digest) => digest,
            Err(_) if action.status != Status::Verified => continue,
            Err(_) => {
                let reason = "the file in `evidence` cannot be read";
                return Err(refused(path, &Fault::at(action.line, reason)));
            }
        };
        if action.evidence_sha256.is_empty() {
            action.evidence_sha256 = digest;
        } else if action.evidence_sha256 != digest {
            let reason = "the file in `evidence` is not the one whose SHA-256 stands beside it";
            return Err(refused(path, &Fault::at(action.line, reason)));
        }
    }
    Ok(actions)
}

fn digest(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut hash)?;
    Ok(format!("{:x}", hash.finalize()))
}

fn bytes(path: &Path) -> Result<Vec<u8>, CommandError> {
    let failed = |error: std::io::Error| CommandError::file(path, &error);
    let mut out = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(sheet::FILE_MAX + 1)
        .read_to_end(&mut out)
        .map_err(failed)?;
    if out.len() as u64 > sheet::FILE_MAX {
        return Err(refused(
            path,
            &Fault::at(1, "the file is larger than 64 MB"),
        ));
    }
    Ok(out)
}

fn text(path: &Path) -> Result<String, CommandError> {
    sheet::decode(&bytes(path)?).map_err(|fault| refused(path, &fault))
}

fn refused(path: &Path, fault: &Fault) -> CommandError {
    CommandError::new(Exit::Refused, format!("{}:{fault}", path.display()))
        .hint("correct the file; `mailferry assess --help` says what each one holds")
}

fn decisions(state: Option<&Path>) -> Result<BTreeMap<String, Decision>, CommandError> {
    let Some(path) = state.map(|dir| dir.join(DECISIONS_FILE)) else {
        return Ok(BTreeMap::new());
    };
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    finding::parse_decisions(&text(&path)?).map_err(|fault| refused(&path, &fault))
}

/// Keeps the result, owner-only: it names mailboxes and what was found in them.
fn keep(dir: &Path, document: &serde_json::Value) -> Result<(), CommandError> {
    let path = dir.join(ASSESS_FILE);
    replace(&path, document.to_string().as_bytes())
        .map_err(|error| CommandError::file(&path, &error))
}

fn make_dir(dir: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(dir)
}

/// Records that a person looked at findings of the last assessment.
fn acknowledge(args: &AssessArgs, state: Option<&Path>, ui: Ui) -> Result<Exit, CommandError> {
    let Some(dir) = state else {
        return Err(
            CommandError::new(Exit::Usage, "decisions are kept in a state directory")
                .hint("name it with --state DIR, or the plan with --plan PLAN"),
        );
    };
    let (by, note) = (
        args.by.as_deref().unwrap_or(""),
        args.note.as_deref().unwrap_or(""),
    );
    if by.trim().is_empty() || note.trim().is_empty() {
        return Err(
            CommandError::new(Exit::Usage, "a decision needs a name and a note")
                .hint("write --by NAME --note TEXT"),
        );
    }
    let path = dir.join(ASSESS_FILE);
    let mut document: serde_json::Value = serde_json::from_slice(&bytes(&path)?).map_err(|e| {
        refused(
            &path,
            &Fault::at(e.line() as u64, "not JSON; run the assessment again"),
        )
    })?;
    let at = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let mut lines = String::new();
    for id in &args.acknowledge {
        let decision = Decision {
            id: id.clone(),
            by: by.to_owned(),
            note: note.to_owned(),
            at: at.clone(),
        };
        if !assessment::accept(&mut document, &decision) {
            return Err(CommandError::new(
                Exit::Refused,
                format!("the last assessment has no finding {id}"),
            )
            .hint("take the id from `mailferry assess`; it changes when the evidence does"));
        }
        let line = serde_json::to_string(&decision)
            .map_err(|e| CommandError::new(Exit::Internal, e.to_string()))?;
        lines.push_str(&line);
        lines.push('\n');
    }
    // The decision first: it is the truth, the document only shows it.
    let log = dir.join(DECISIONS_FILE);
    append(&log, lines.as_bytes()).map_err(|error| CommandError::file(&log, &error))?;
    keep(dir, &document)?;
    let left = document["open_critical"].as_u64().unwrap_or(0);
    if ui.json {
        ui.data(&serde_json::json!({"schema": "mailferry.acknowledged/1", "acknowledged": args.acknowledge, "open_critical": left}).to_string());
    } else {
        ui.data(&format!(
            "recorded for {} findings; {left} critical ones are open",
            args.acknowledge.len()
        ));
    }
    Ok(Exit::Done)
}

fn append(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
