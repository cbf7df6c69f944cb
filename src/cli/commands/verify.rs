//! `mailferry verify`: lists both sides again and sets them against each other, with the ledger as third witness.

use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;

use futures_util::StreamExt as _;
use serde_json::{Map, Value, json};

use crate::base::event::Event;
use crate::base::fact::Bucket;
use crate::base::quantity::Count;
use crate::base::spec::JobSpec;
use crate::cli::args::{Common, VerifyArgs, VerifyLevel};
use crate::cli::commands::report::{VERIFY_FILE, directory};
use crate::cli::contact::first_contact;
use crate::cli::error::{CommandError, setback, side_closed};
use crate::cli::exit::Exit;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::secrets::Secrets;
use crate::cli::signals::{Signals, watch};
use crate::cli::ui::Ui;
use crate::cli::wiring::{self, Sides};
use crate::engine::audit::{Level, MailboxAudit, audit};
use crate::engine::control::{Control, control};
use crate::engine::cx::{Break, RunCx};
use crate::engine::pacer::Pacer;
use crate::engine::ports::Ports;
use crate::engine::run::enlist;
use crate::engine::spool::Spool;
use crate::evidence::grade::{GRADE_RULES, Grade};
use crate::port::sink::EventSink;
use crate::report::narrator::replace;
use crate::report::{table, words};
use crate::store::embedded::{EmbeddedLedger, Opening};

/// The schema of `verify --json`.
const SCHEMA: &str = "mailferry.verify/1";

/// How many findings a terminal shows.
const FINDINGS_SHOWN: usize = 20;

/// Runs the command.
pub fn run(args: &VerifyArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = plans::open(&args.plan.plan, common)?;
    let secrets = Secrets::open(args.secrets.secrets.as_deref(), &open.path, open.plan.realm)?;
    let runtime = wiring::runtime()?;
    let verified = runtime.block_on(async {
        let sides = wiring::sides(&open.plan, &secrets)?;
        first_contact(&open, &sides, ui).await?;
        let ledger = Arc::new(wiring::ledger(&open, Opening::Existing)?);
        verify(&open, &sides, ledger, args.level, ui).await
    })?;
    runtime.shutdown_background();
    verified.print(ui);
    Ok(verified.exit)
}

/// What verification found out.
#[derive(Debug)]
pub struct Verified {
    plan: std::path::PathBuf,
    level: VerifyLevel,
    mailboxes: Vec<(JobSpec, Outcome)>,
    /// The exit code.
    pub exit: Exit,
}

/// What became of one mailbox.
#[derive(Debug)]
enum Outcome {
    /// Compared.
    Audited(MailboxAudit),
    /// No run has begun it.
    NotBegun,
    /// It could not be read.
    NotRead(CommandError),
}

/// A listener for drivers whose calls nobody watches.
#[derive(Debug)]
struct Silent;

impl EventSink for Silent {
    fn emit(&self, _event: &Event) {}
}

/// Verifies every mailbox of the plan and keeps the result for the report.
pub async fn verify(
    open: &OpenPlan,
    sides: &Sides,
    ledger: Arc<EmbeddedLedger>,
    level: VerifyLevel,
    ui: Ui,
) -> Result<Verified, CommandError> {
    let (handle, control) = control();
    let (mut signals, asked) = (Signals::listen(), Cell::new(None));
    let clock = Arc::clone(&sides.clock);
    let watch = watch(handle, clock, None, &mut signals, &asked, ui);
    let cx = context(open, sides, ledger, control);
    let dice = wiring::dice(sides.clock.as_ref());
    let at_once = usize::try_from(open.plan.limits.mailboxes_at_once.max(1)).unwrap_or(1);
    let work = async {
        futures_util::stream::iter(open.plan.jobs())
            .map(|job| {
                let (cx, dice) = (&cx, &dice);
                async move {
                    let outcome = one(cx, &job, dice, level).await;
                    (job, outcome)
                }
            })
            .buffered(at_once)
            .collect::<Vec<_>>()
            .await
    };
    let mailboxes = tokio::select! {
        biased;
        done = work => done,
        never = watch => match never {},
    };
    let mailboxes = mailboxes
        .into_iter()
        .map(|(job, outcome)| outcome.map(|outcome| (job, outcome)))
        .collect::<Result<Vec<_>, CommandError>>()?;
    let exit = judge(&mailboxes);
    let verified = Verified {
        plan: open.path.clone(),
        level,
        mailboxes,
        exit,
    };
    let path = directory(open)?.join(VERIFY_FILE);
    let text = format!("{:#}\n", verified.to_json());
    replace(&path, text.as_bytes()).map_err(|error| CommandError::file(&path, &error))?;
    Ok(verified)
}

fn context(open: &OpenPlan, sides: &Sides, ledger: Arc<EmbeddedLedger>, control: Control) -> RunCx {
    let limits = &open.plan.limits;
    let clock = Arc::clone(&sides.clock);
    RunCx {
        server: Pacer::source_server(limits, Arc::clone(&clock)),
        app: Pacer::target_app(Arc::clone(&clock)),
        spool: Spool::new(limits.spool_total, limits.spool_memory, open.state.clone()),
        run: wiring::run_id(clock.as_ref()),
        ports: Ports {
            source: sides.source.clone(),
            target: sides.target.clone(),
            ledger,
            clock,
            events: Arc::new(Silent),
        },
        spec: Arc::new(open.plan.to_spec()),
        control,
    }
}

/// One mailbox. An error ends the command; a mailbox that cannot be read does not.
async fn one(
    cx: &RunCx,
    job: &JobSpec,
    dice: &crate::base::dice::Dice,
    level: VerifyLevel,
) -> Result<Outcome, CommandError> {
    if cx.ports.ledger.folders(job.job).await?.is_empty() {
        return Ok(Outcome::NotBegun);
    }
    let job_cx = enlist(cx, job, dice).await?;
    let level = match level {
        VerifyLevel::Counts => Level::Counts,
        VerifyLevel::Identity => Level::Identity,
    };
    match audit(&job_cx, level).await {
        Ok(found) => Ok(Outcome::Audited(found)),
        Err(Break::Draining) => Err(CommandError::new(
            Exit::Stopped,
            "verification was stopped; nothing is said about the mailboxes it did not reach",
        )),
        Err(Break::Ledger(error)) => Err(error.into()),
        Err(Break::Stop(cause)) => Err(side_closed(cause)),
        Err(other) => Ok(Outcome::NotRead(not_read(other))),
    }
}

fn not_read(why: Break) -> CommandError {
    match why {
        Break::Halt(cause) => {
            CommandError::new(Exit::Unreached, words::halt(cause)).hint(words::halt_remedy(cause))
        }
        Break::Exhausted(last) => setback("too many setbacks in a row", &last),
        Break::Local(_) => CommandError::new(Exit::Stopped, "this machine failed"),
        Break::FolderGone | Break::Gone | Break::StateInvalid | Break::Refused(_) => {
            CommandError::new(
                Exit::Unreached,
                "the mailbox changed while it was read; verify again",
            )
        }
        // The caller handled these.
        Break::Draining | Break::Stop(_) | Break::Ledger(_) => {
            CommandError::new(Exit::Internal, "verification ended without a result")
        }
    }
}

/// Something unexplained outweighs everything; then what could not be read; then work left; then decisions.
fn judge(mailboxes: &[(JobSpec, Outcome)]) -> Exit {
    let mut exit = Exit::Done;
    let rank = |exit: Exit| match exit {
        Exit::Unexplained => 5,
        Exit::Internal => 4,
        Exit::Unreached => 3,
        Exit::Stopped => 2,
        Exit::Decision => 1,
        _ => 0,
    };
    for (_, outcome) in mailboxes {
        let own = match outcome {
            Outcome::NotBegun => Exit::Stopped,
            Outcome::NotRead(error) => error.exit,
            Outcome::Audited(found) => judge_one(found),
        };
        if rank(own) > rank(exit) {
            exit = own;
        }
    }
    exit
}

fn judge_one(found: &MailboxAudit) -> Exit {
    let open = |bucket| {
        found
            .explained
            .get(&bucket)
            .is_some_and(|n| *n > Count::ZERO)
    };
    if found.unexplained > Count::ZERO || found.extra > Count::ZERO {
        Exit::Unexplained
    } else if open(Bucket::Remaining) || open(Bucket::InDoubt) {
        Exit::Stopped
    } else if found.grade > Grade::Good {
        Exit::Decision
    } else {
        Exit::Done
    }
}

impl Verified {
    /// The worst grade of all mailboxes.
    fn grade(&self) -> Grade {
        self.mailboxes
            .iter()
            .map(|(_, outcome)| match outcome {
                Outcome::Audited(found) => found.grade,
                Outcome::NotBegun | Outcome::NotRead(_) => Grade::Investigate,
            })
            .max()
            .unwrap_or(Grade::Investigate)
    }

    fn sum(&self, of: impl Fn(&MailboxAudit) -> Count) -> Count {
        self.mailboxes
            .iter()
            .filter_map(|(_, outcome)| match outcome {
                Outcome::Audited(found) => Some(of(found)),
                Outcome::NotBegun | Outcome::NotRead(_) => None,
            })
            .sum()
    }

    /// As `verify --json` prints it: contract section 4.
    pub fn to_json(&self) -> Value {
        let mailboxes: Vec<Value> = self
            .mailboxes
            .iter()
            .map(|(job, outcome)| mailbox_json(job, outcome))
            .collect();
        json!({
            "schema": SCHEMA,
            "grade": self.grade().to_string(),
            "grade_rules": GRADE_RULES,
            "level": self.level.word(),
            "mailboxes": mailboxes,
            "unexplained": self.sum(|found| found.unexplained).get(),
            "extra_on_target": self.sum(|found| found.extra).get(),
            "exit": self.exit.code(),
        })
    }

    fn print(&self, ui: Ui) {
        if ui.json {
            ui.data(&self.to_json().to_string());
        } else {
            ui.data(&self.to_text());
        }
    }

    /// The result in one sentence.
    pub fn headline(&self) -> String {
        format!(
            "Grade {} at level {}: {} of {} source items are on the target, {} missing without explanation, {} on the target of unknown \
             origin.",
            self.grade(),
            self.level.word(),
            self.sum(|found| found.confirmed),
            self.sum(|found| found.source),
            self.sum(|found| found.unexplained),
            self.sum(|found| found.extra),
        )
    }

    /// As `verify` prints it.
    pub fn to_text(&self) -> String {
        let mut out = format!("{}\n\n", self.headline());
        let rows: Vec<Vec<String>> = self.mailboxes.iter().map(row).collect();
        out.push_str(&table::render(
            &[
                "mailbox",
                "grade",
                "source",
                "target",
                "confirmed",
                "explained",
                "unexplained",
                "extra",
                "note",
            ],
            2,
            &rows,
        ));
        out.push_str(&self.findings());
        let plan = self.plan.display();
        let next = match self.exit {
            Exit::Done => format!("mailferry report {plan}"),
            Exit::Stopped => format!("mailferry run {plan}, then verify again"),
            Exit::Decision => {
                format!("mailferry resolve {plan} list    (every open item with its reason)")
            }
            _ => {
                "look at each finding above; a run does not repair what it did not make".to_owned()
            }
        };
        write!(out, "\nnext: {next}\n").expect("a string grows");
        out
    }

    fn findings(&self) -> String {
        let mut rows = Vec::new();
        for (job, outcome) in &self.mailboxes {
            let Outcome::Audited(found) = outcome else {
                continue;
            };
            for finding in &found.findings {
                let item = match (&finding.item, &finding.target) {
                    (Some(item), _) => item.to_string(),
                    (None, Some(target)) => target.to_string(),
                    (None, None) => String::new(),
                };
                rows.push(vec![
                    job.source.reveal().to_owned(),
                    finding.folder.to_string(),
                    item,
                    finding.what.to_owned(),
                    finding.count.to_string(),
                ]);
            }
        }
        if rows.is_empty() {
            return String::new();
        }
        let more = rows.len().saturating_sub(FINDINGS_SHOWN);
        rows.truncate(FINDINGS_SHOWN);
        let mut out = format!(
            "\n{}",
            table::render(&["mailbox", "folder", "item", "what", "items"], 4, &rows)
        );
        if more > 0 {
            writeln!(out, "and {more} more; --json lists all").expect("a string grows");
        }
        out
    }
}

fn row((job, outcome): &(JobSpec, Outcome)) -> Vec<String> {
    let mut cells = vec![job.source.reveal().to_owned()];
    match outcome {
        Outcome::Audited(found) => {
            let explained: Count = found.explained.values().copied().sum();
            cells.push(found.grade.to_string());
            cells.extend(
                [
                    found.source,
                    found.target,
                    found.confirmed,
                    explained,
                    found.unexplained,
                    found.extra,
                ]
                .map(|n| n.to_string()),
            );
        }
        Outcome::NotBegun => {
            cells.resize(8, String::new());
            cells.push("  not begun".to_owned());
        }
        Outcome::NotRead(error) => {
            cells.resize(8, String::new());
            cells.push(format!("  not verified: {}", error.message));
        }
    }
    cells
}

fn mailbox_json(job: &JobSpec, outcome: &Outcome) -> Value {
    let mut out = Map::new();
    out.insert("job".into(), job.job.to_string().into());
    out.insert("mailbox".into(), job.source.reveal().into());
    match outcome {
        Outcome::Audited(found) => {
            let explained: Count = found.explained.values().copied().sum();
            let by: Map<String, Value> = found
                .explained
                .iter()
                .map(|(bucket, n)| (words::bucket_key(*bucket).to_owned(), n.get().into()))
                .collect();
            let findings: Vec<Value> = found
                .findings
                .iter()
                .map(|finding| {
                    json!({
                        "folder": finding.folder.as_str(),
                        "item": finding.item.map(|item| item.to_string()),
                        "target": finding.target.as_ref().map(ToString::to_string),
                        "what": finding.what,
                        "items": finding.count.get(),
                    })
                })
                .collect();
            for (key, value) in [
                ("source", found.source.get()),
                ("target", found.target.get()),
                ("confirmed", found.confirmed.get()),
                ("explained", explained.get()),
                ("unexplained", found.unexplained.get()),
                ("extra_on_target", found.extra.get()),
            ] {
                out.insert(key.into(), value.into());
            }
            out.insert("grade".into(), found.grade.to_string().into());
            out.insert("explained_by".into(), by.into());
            out.insert("findings".into(), findings.into());
        }
        Outcome::NotBegun => {
            out.insert("grade".into(), Grade::Investigate.to_string().into());
            out.insert("not_verified".into(), "not begun".into());
        }
        Outcome::NotRead(error) => {
            out.insert("grade".into(), Grade::Investigate.to_string().into());
            out.insert("not_verified".into(), error.message.clone().into());
        }
    }
    Value::Object(out)
}
