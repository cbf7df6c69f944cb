//! The words of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::base::quantity::{Bytes, Span, parse_bytes};
use crate::cli::assess_args::AssessArgs;
use crate::cli::decision_args::{LedgerArgs, QuarantineArgs, ResolveArgs, RetryArgs};
use crate::cli::evidence_args::{CutoverArgs, EvidenceArgs, ReportArgs, SignArgs, WaiveArgs};
use crate::cli::lab_help::lab_help;
use crate::cli::losses_args::LossesArgs;
pub use crate::cli::plan_args::PlanArgs;
use crate::cli::preflight_args::PreflightArgs;
use crate::cli::ui::Color;
use crate::lab::wrong::Wrong;
use crate::plan::document::parse_span;

/// Moves mailboxes from an on-premises Exchange 2016 to Microsoft 365 and proves that nothing was lost.
#[derive(Debug, Parser)]
#[command(
    name = "mailferry",
    version,
    max_term_width = 100,
    propagate_version = true,
    after_help = "Examples:
  mailferry rehearse                    the whole journey against a built-in lab; needs nothing
  mailferry plan --check plan.toml      is this plan right?
  mailferry preflight plan.toml         is everything right before the first run?
  mailferry run plan.toml               copy; start it again at any time, it goes on where it was
  mailferry verify plan.toml            list both sides again and set them against each other
  mailferry report plan.toml            the sign-off report and the evidence pack
  mailferry cutover plan.toml ...       the gate, and behind it the runbook

Exit codes: 0 done, 1 internal error, 2 wrong usage, 3 input refused, 4 no access,
5 items need a decision, 6 stopped with work left, 7 something unexplained,
8 a gate before cutover is open, 9 another run holds the state directory."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Flags every command takes.
    #[command(flatten)]
    pub common: Common,
}

/// Flags every command takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// Print JSON on stdout
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,

    /// Keep the state in DIR (default: `state` beside the plan)
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Say more
    #[arg(
        short,
        long,
        global = true,
        help_heading = "Everywhere",
        conflicts_with = "quiet"
    )]
    pub verbose: bool,

    /// Say errors only
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    pub quiet: bool,

    /// Colour the output
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_enum,
        default_value_t,
        value_name = "WHEN"
    )]
    pub color: Color,
}

/// The verbs.
#[expect(clippy::large_enum_variant, reason = "one value a process")]
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Rehearses the whole journey against a built-in lab; needs nothing
    Rehearse(RehearseArgs),
    /// Runs the lab, an Exchange 2016 and a Microsoft 365 on loopback, until Ctrl-C
    Lab(LabArgs),
    /// Makes a plan out of an inventory or a list of mailboxes, checks one, or compares two
    Plan(PlanArgs),
    /// Reads and checks an inventory, prints what it understood and what it refused
    Inventory(InventoryArgs),
    /// Looks at builds, leads of compromise, unread detections and the register of actions
    Assess(AssessArgs),
    /// Says what items lose that are carried by their class, and which classes are not
    Losses(LossesArgs),
    /// Reaches both sides, proves rights and tries the route with a canary; changes nothing that stays
    Preflight(PreflightArgs),
    /// Copies; resumes; safe to start again at any time
    Run(RunArgs),
    /// Shows where every mailbox stands, why it waits, until when
    #[command(after_help = "Examples:
  mailferry status plan.toml
  mailferry status plan.toml --json

While a run works, this shows what the run wrote about itself at most two seconds ago.")]
    Status(PlanFile),
    /// Lists both sides again and sets them against each other
    Verify(VerifyArgs),
    /// Puts refused items back to be carried, after the cause was mended
    Retry(RetryArgs),
    /// Lists items that wait for a person, shows one, records decisions
    Resolve(ResolveArgs),
    /// Lists what screening withheld, shows one item, records decisions
    Quarantine(QuarantineArgs),
    /// Checks, exports or compacts the ledger of a plan
    Ledger(LedgerArgs),
    /// Writes the sign-off report (HTML and JSON) and the evidence pack into the state directory
    Report(ReportArgs),
    /// Asks for exceptions, lists them, takes them back
    Waive(WaiveArgs),
    /// Signs the evidence pack or a waiver with an SSH key
    Sign(SignArgs),
    /// Checks an evidence pack offline
    Evidence(EvidenceArgs),
    /// Refuses, naming every open gate, or prints the runbook of the cutover
    Cutover(CutoverArgs),
}

/// The world a lab holds.
#[derive(Clone, Debug, Args)]
pub struct WorldArgs {
    /// Mailboxes (default: 12)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub mailboxes: Option<u32>,

    /// Items per mailbox that a right migration carries
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=10_000_000))]
    pub items: u64,

    /// Of the items that a plan or an inventory counts, make one in N (default: as many as make --items on average)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub one_in: Option<u64>,

    /// Decides everything that is drawn
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,

    /// Fill mail from the RFC 822 files under DIR; may be given again
    #[arg(long, value_name = "DIR")]
    pub eml: Vec<PathBuf>,

    /// How strictly the target counts
    #[arg(long, value_enum, default_value_t, value_name = "RULES")]
    pub limits: LabLimits,

    /// How often calls fail
    #[arg(long, value_enum, default_value_t, value_name = "WEATHER")]
    pub weather: LabWeather,

    /// How long each call takes, in milliseconds
    #[arg(long, default_value_t = 0, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub latency: u64,

    /// How long a new item on the target stays out of listings, in milliseconds
    #[arg(long, default_value_t = 250, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub lag: u64,

    /// Items per mailbox that the source cannot hand out
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub corrupt: u32,

    /// Items per mailbox that the target refuses
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub refused: u32,

    /// Hide what screening must find in seven items of the first mailbox, each in another disguise (needs --items 80 or more)
    #[arg(long, conflicts_with = "item_size")]
    pub infected: bool,

    /// Plain items of SIZE ("10 KB") instead of all variety; the target keeps digests only
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub item_size: Option<Bytes>,

    /// Items of --item-size have their bytes in an attachment
    #[arg(long, requires = "item_size")]
    pub attached: bool,

    /// Write every request and reply of both sides into DIR
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
}

/// How strictly the lab's target counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LabLimits {
    /// Not at all
    Off,
    /// As published
    #[default]
    Published,
    /// The published rules over a window of 2 s
    Small,
}

/// How often the lab's calls fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LabWeather {
    /// Never by themselves
    #[default]
    Calm,
    /// About one in thirty
    Busy,
    /// About one in six
    Storm,
}

/// `mailferry lab`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry lab --dir /tmp/lab
  mailferry lab --dir /tmp/lab --mailboxes 3 --items 50 --weather storm --limits small
  mailferry run /tmp/lab/plan.toml        (in another terminal; the plan finds its secrets beside it)

The lab is ready when DIR/lab.json is there. With --help: how to set its weather by name.", after_long_help = lab_help())]
pub struct LabArgs {
    /// Write lab.json, plan.toml, inventory.csv and secrets.env into DIR
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,

    /// The world
    #[command(flatten)]
    pub world: WorldArgs,

    /// Make mailboxes in the shape of this inventory (files of `mailferry inventory`); may be given again
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub inventory: Vec<PathBuf>,

    /// Port of the EWS face (0: any)
    #[arg(long, default_value_t = 0, value_name = "P")]
    pub ews_port: u16,

    /// Port of the Graph face (0: any)
    #[arg(long, default_value_t = 0, value_name = "P")]
    pub graph_port: u16,

    /// Speak TLS on both faces, with a certificate of an authority of its own (its certificate: DIR/ca.pem)
    #[arg(long)]
    pub tls: bool,

    /// How people may sign in to Exchange
    #[arg(long, value_enum, default_value_t, value_name = "METHODS")]
    pub ews_auth: LabAuth,

    /// Extended Protection of the EWS directory: what NTLM must say about the TLS channel
    #[arg(long, value_enum, default_value_t, value_name = "RULE")]
    pub extended_protection: LabProtection,

    /// Register this certificate (PEM or DER) for the application, beside its secret
    #[arg(long, value_name = "FILE")]
    pub app_certificate: Option<PathBuf>,

    /// Set up one thing wrongly, for `mailferry preflight` to name; may be given again (names: --help)
    #[arg(long, value_name = "NAME", value_parser = wrong)]
    pub misconfigured: Vec<Wrong>,

    /// Leave lab.json and secrets.env behind at the end
    #[arg(long)]
    pub keep: bool,

    /// Put one of each lead of compromise that EWS can show into the first mailbox, for `mailferry assess`
    #[arg(long)]
    pub leads: bool,
}

/// Sign-in methods of the lab's Exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LabAuth {
    /// Basic and NTLM
    #[default]
    Any,
    /// Basic only
    Basic,
    /// NTLM only
    Ntlm,
}

/// Extended Protection of the lab's Exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LabProtection {
    /// Bindings are not looked at
    None,
    /// A binding that is there must be right
    #[default]
    Allow,
    /// There must be one
    Require,
}

/// `mailferry rehearse`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry rehearse
  mailferry rehearse --mailboxes 3 --items 50 --weather storm
  mailferry rehearse --plan plan.toml --keep --dir /tmp/rehearsal

Runs lab, preflight, run, verify and report in one process, then asks the lab what is really where.")]
pub struct RehearseArgs {
    /// The world
    #[command(flatten)]
    pub world: WorldArgs,

    /// Rehearse the shape of PLAN: its addresses, its limits and its selection
    #[arg(long, value_name = "PLAN")]
    pub plan: Option<PathBuf>,

    /// Work in DIR and keep it (default: a temporary directory, of which only the report is kept)
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// Keep the whole directory: lab, plan, state
    #[arg(long)]
    pub keep: bool,

    /// What verification compares
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    pub level: VerifyLevel,
}

/// The plan a command works on.
#[derive(Clone, Debug, Args)]
pub struct PlanFile {
    /// The plan file
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
}

/// Where secrets are.
#[derive(Clone, Debug, Args)]
pub struct SecretsFile {
    /// Read secrets the environment does not hold from FILE (lines NAME=value, owner-only)
    #[arg(long, value_name = "FILE")]
    pub secrets: Option<PathBuf>,
}

/// `mailferry inventory`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry inventory export/*.csv
  mailferry inventory mailboxes.csv statistics.xml --json

Reads what scripts/Export-MailboxInventory.ps1 writes, Export-Csv and Export-Clixml output of the
usual cmdlets, and lists of addresses (Microsoft batches, MigrationWiz, `source,target`). Nothing is
guessed: what cannot be read is named with its place and the command that exports it right.")]
pub struct InventoryArgs {
    /// Exported files, in any order (CSV, CLIXML)
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// `mailferry run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  MAILFERRY_SOURCE_PASSWORD=... MAILFERRY_CLIENT_SECRET=... mailferry run plan.toml
  mailferry run plan.toml --stop-after '2 h'
  mailferry run plan.toml --scheduled           night after night, until it is done
  mailferry run plan.toml --final           (the last pass before cutover)
  mailferry run plan.toml --json | tail -1

Ctrl-C or SIGTERM finishes what is on its way and stops; a second one stops at once. Either way nothing is lost and nothing
is sent twice: run the command again to go on. Work ends before a window of the plan does: nothing begins that may not be
finished and recorded by its end. With work left (exit 6), the summary says what is left and how long it takes.")]
pub struct RunArgs {
    /// The plan file
    #[command(flatten)]
    pub plan: PlanFile,

    /// Where secrets are
    #[command(flatten)]
    pub secrets: SecretsFile,

    /// Begin nothing new after SPAN ("90 s", "30 min", "2 h")
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub stop_after: Option<Span>,

    /// Begin nothing new after HH:MM in the time zone of the plan's schedule (UTC without one)
    #[arg(long, value_name = "HH:MM", value_parser = time_of_day)]
    pub until: Option<u16>,

    /// Enumerate every folder in full besides following what changed: the last pass before cutover
    #[arg(long = "final")]
    pub last: bool,

    /// Take copies off the target however many items left the source at once (asked for when more than a tenth of a mailbox did)
    #[arg(long)]
    pub allow_deletes: bool,

    /// Wait for the plan's windows and days, and work night after night until everything is done
    #[arg(long, conflicts_with_all = ["stop_after", "until"])]
    pub scheduled: bool,
    /// Who runs: kept in the log of decisions; this person may grant no waiver of the plan
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

fn wrong(text: &str) -> Result<Wrong, String> {
    Wrong::named(text).ok_or_else(|| {
        let names: Vec<&str> = Wrong::ALL.iter().map(|wrong| wrong.word()).collect();
        format!("write one of {}", names.join(", "))
    })
}

fn span(text: &str) -> Result<Span, String> {
    parse_span(text)
        .ok_or_else(|| "write a number and ms, s, min or h, as in \"30 min\"".to_owned())
}

fn size(text: &str) -> Result<Bytes, String> {
    parse_bytes(text)
        .ok_or_else(|| "write a number and B, KB, MB or GB, as in \"10 KB\"".to_owned())
}

fn time_of_day(text: &str) -> Result<u16, String> {
    crate::plan::schedule::parse_time(text)
        .ok_or_else(|| "write a time of day, as in \"06:00\"".to_owned())
}

/// What is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum VerifyLevel {
    /// Numbers of items per folder
    Counts,
    /// Every item, by folder, class and search key
    #[default]
    Identity,
    /// Every item as with identity, and its content, read again from both sides
    Content,
}

impl VerifyLevel {
    /// Its word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Identity => "identity",
            Self::Content => "content",
        }
    }
}

/// `mailferry verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry verify plan.toml
  mailferry verify plan.toml --level counts --json
  mailferry verify plan.toml --level content
  mailferry verify plan.toml --sample 5% --seed 7
  mailferry verify plan.toml --slice 3/14

Levels, each with what the one before it compares:
  counts    numbers of items per folder: finds what is missing or too many, not which
  identity  every item by folder, class and search key: finds which item; an edit or a read flag it does not see
  content   every item exported again from both sides: finds what was edited or marked, and names the property, never its value

A slice is one of n equal parts: --slice 1/14 to --slice 14/14, one a night, compare every item once. What slices covered is kept beside the
reports, and no longer counts for a folder that changed.

Exit codes: 0 all there; 5 explained, but something waits for a decision; 6 work is left; 7 something is missing, different or too
many, and nothing explains it.
Grades: perfect, good (explained differences only), investigate (somebody must look), poor (something is missing or different).")]
pub struct VerifyArgs {
    /// The plan file
    #[command(flatten)]
    pub plan: PlanFile,

    /// Where secrets are
    #[command(flatten)]
    pub secrets: SecretsFile,

    /// What is compared (default: identity; content with --sample or --slice)
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub level: Option<VerifyLevel>,

    /// Compare the content of about N% of the items, drawn by --seed
    #[arg(long, value_name = "N%", value_parser = percent, conflicts_with = "slice")]
    pub sample: Option<u32>,

    /// Decides which items are drawn (default: another one each time; it is stated with the result)
    #[arg(long, value_name = "S", requires = "sample")]
    pub seed: Option<u64>,

    /// Compare the content of the Nth of T equal parts of the items
    #[arg(long, value_name = "N/T", value_parser = slice)]
    pub slice: Option<(u32, u32)>,
}

fn percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse();
    number
        .ok()
        .filter(|n| (1..=100).contains(n))
        .ok_or_else(|| "write a whole number of per cent from 1% to 100%".to_owned())
}

fn slice(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('/');
    let parts = parts.and_then(|(n, t)| Some((n.trim().parse().ok()?, t.trim().parse().ok()?)));
    parts
        .filter(|(n, t)| (1..=1_000).contains(t) && (1..=*t).contains(n))
        .ok_or_else(|| "write which part of how many, as in 3/14; at most 1000 parts".to_owned())
}
