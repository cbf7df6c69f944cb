//! `mailferry verify`: lists both sides again and sets them against each other, with the ledger as third witness.

use std::cell::Cell;
use std::sync::Arc;

use futures_util::StreamExt as _;

use crate::base::event::Event;
use crate::base::fact::Bucket;
use crate::base::quantity::{Count, Moment};
use crate::base::spec::JobSpec;
use crate::cli::args::{Common, VerifyArgs, VerifyLevel};
use crate::cli::commands::report::{VERIFY_FILE, directory};
use crate::cli::contact::first_contact;
use crate::cli::error::{CommandError, setback, side_closed};
use crate::cli::exit::Exit;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::secrets::Secrets;
use crate::cli::signals::{Signals, watch};
use crate::cli::slices::{self, Covered};
use crate::cli::ui::Ui;
use crate::cli::wiring::{self, Sides};
use crate::engine::audit::{Level, MailboxAudit, Order, audit};
use crate::engine::control::{Control, control};
use crate::engine::cx::{Break, RunCx};
use crate::engine::pacer::Pacer;
use crate::engine::run::enlist;
use crate::engine::spool::Spool;
use crate::evidence::grade::{Grade, worst};
use crate::port::sink::EventSink;
use crate::report::narrator::replace;
use crate::report::words;
use crate::store::embedded::{EmbeddedLedger, Opening};
use crate::verify::march::Scope;

/// What is compared, and of which items.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// What.
    pub level: VerifyLevel,
    /// At level content, of which items.
    pub scope: Scope,
}

impl Wish {
    /// The wish of these arguments. A sample without a seed draws one, which is stated with the result.
    fn of(args: &VerifyArgs) -> Result<Self, CommandError> {
        let scope = match (args.sample, args.slice) {
            (None, None) => Scope::All,
            (Some(percent), _) => Scope::Sample {
                percent,
                seed: args.seed.unwrap_or_else(|| {
                    let mut dice = wiring::dice(wiring::clock().as_ref());
                    dice.below(1_000_000_000)
                }),
            },
            (None, Some((nth, of))) => Scope::Slice { nth, of },
        };
        let level = match args.level {
            None if scope != Scope::All => VerifyLevel::Content,
            level => level.unwrap_or_default(),
        };
        if level != VerifyLevel::Content && scope != Scope::All {
            return Err(CommandError::new(
                Exit::Usage,
                "--sample and --slice choose whose content is compared; this level compares none",
            )
            .hint("use --level content"));
        }
        Ok(Self { level, scope })
    }
}

/// Runs the command.
pub fn run(args: &VerifyArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let wish = Wish::of(args)?;
    let open = plans::open(&args.plan.plan, common)?;
    let secrets = Secrets::open(args.secrets.secrets.as_deref(), &open.path, open.plan.realm)?;
    let runtime = wiring::runtime()?;
    let verified = runtime.block_on(async {
        let sides = wiring::sides(&open.plan, &secrets)?;
        first_contact(&open, &sides, ui).await?;
        let ledger = Arc::new(wiring::ledger(&open, Opening::Existing)?);
        verify(&open, &sides, ledger, wish, ui).await
    })?;
    runtime.shutdown_background();
    verified.print(ui);
    Ok(verified.exit)
}

/// What verification found out.
#[derive(Debug)]
pub struct Verified {
    pub(in crate::cli) plan: std::path::PathBuf,
    pub(in crate::cli) wish: Wish,
    pub(in crate::cli) at: Moment,
    pub(in crate::cli) mailboxes: Vec<(JobSpec, Outcome)>,
    /// Per mailbox, whose content is covered by this and earlier verifications together.
    pub(in crate::cli) covered: Vec<Covered>,
    /// The exit code.
    pub exit: Exit,
}

/// What became of one mailbox.
#[derive(Debug)]
pub(in crate::cli) enum Outcome {
    /// Compared.
    Audited(Box<MailboxAudit>),
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
    wish: Wish,
    ui: Ui,
) -> Result<Verified, CommandError> {
    let (handle, control) = control();
    let (mut signals, asked) = (Signals::listen(), Cell::new(None));
    let clock = Arc::clone(&sides.clock);
    let watch = watch(handle, clock, None, &mut signals, &asked, ui);
    let cx = context(open, sides, ledger, control);
    let level = match wish.level {
        VerifyLevel::Counts => Level::Counts,
        VerifyLevel::Identity => Level::Identity,
        VerifyLevel::Content => Level::Content,
    };
    let order = Order::new(level, wish.scope);
    let dice = wiring::dice(sides.clock.as_ref());
    let at_once = usize::try_from(open.plan.limits.mailboxes_at_once.max(1)).unwrap_or(1);
    let work = async {
        futures_util::stream::iter(open.plan.jobs())
            .map(|job| {
                let (cx, dice, order) = (&cx, &dice, &order);
                async move {
                    let outcome = one(cx, &job, dice, order).await;
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
    let dir = directory(open)?;
    let at = sides.clock.moment();
    let covered = slices::remember(&dir, wish, at, &mailboxes)?;
    let mut verified = Verified {
        plan: open.path.clone(),
        wish,
        at,
        exit: judge(&mailboxes),
        mailboxes,
        covered,
    };
    if verified.differed_before() > Count::ZERO {
        verified.exit = Exit::Unexplained;
    }
    let path = dir.join(VERIFY_FILE);
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
        ports: sides.ports(ledger, Arc::new(Silent)),
        spec: Arc::new(open.plan.to_spec()),
        control,
        book: Arc::default(),
    }
}

/// One mailbox. An error ends the command; a mailbox that cannot be read does not.
async fn one(
    cx: &RunCx,
    job: &JobSpec,
    dice: &crate::base::dice::Dice,
    order: &Order,
) -> Result<Outcome, CommandError> {
    if cx.ports.ledger.folders(job.job).await?.is_empty() {
        return Ok(Outcome::NotBegun);
    }
    let job_cx = enlist(cx, job, dice).await?;
    match audit(&job_cx, order).await {
        Ok(found) => Ok(Outcome::Audited(Box::new(found))),
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
    pub fn grade(&self) -> Grade {
        let earlier = (self.differed_before() > Count::ZERO).then_some(Some(Grade::Poor));
        let now = self.mailboxes.iter().map(|(_, outcome)| match outcome {
            Outcome::Audited(found) => Some(found.grade),
            Outcome::NotBegun | Outcome::NotRead(_) => None,
        });
        worst(now.chain(earlier))
    }

    /// Items that earlier slices found different: a later slice that finds nothing does not acquit them.
    pub(in crate::cli) fn differed_before(&self) -> Count {
        self.covered.iter().map(|covered| covered.differing).sum()
    }

    /// Sums over what could be read.
    pub(in crate::cli) fn sum(&self, of: impl Fn(&MailboxAudit) -> Count) -> Count {
        self.audits().map(of).sum()
    }

    /// The mailboxes that could be read.
    pub(in crate::cli) fn audits(&self) -> impl Iterator<Item = &MailboxAudit> {
        self.mailboxes
            .iter()
            .filter_map(|(_, outcome)| match outcome {
                Outcome::Audited(found) => Some(found.as_ref()),
                Outcome::NotBegun | Outcome::NotRead(_) => None,
            })
    }

    fn print(&self, ui: Ui) {
        if ui.json {
            ui.data(&self.to_json().to_string());
        } else {
            ui.data(&self.to_text());
        }
    }
}
