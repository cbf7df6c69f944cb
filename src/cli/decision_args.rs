//! The words of the commands by which people look into a ledger and decide.

use clap::{Args, Subcommand};

use crate::base::outcome::RefusalWhy;
use crate::cli::args::PlanFile;

/// `mailferry ledger`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry ledger check plan.toml
  mailferry ledger export plan.toml > ledger.jsonl
  mailferry ledger compact plan.toml")]
pub struct LedgerArgs {
    /// What to do
    #[command(subcommand)]
    pub verb: LedgerVerb,
}

/// What is done with a ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerVerb {
    /// Reads every row, computes sums and index anew and compares
    #[command(after_help = "Examples:
  mailferry ledger check plan.toml
  mailferry ledger check plan.toml --json

Changes nothing. Exit code 3 and the places, where something is damaged.")]
    Check(PlanFile),
    /// Writes every row as a line of JSON to stdout
    #[command(after_help = "Examples:
  mailferry ledger export plan.toml > ledger.jsonl
  mailferry ledger export plan.toml --reveal | grep '\"bucket\":\"refused\"'

Items are named by the key of their source id. Addresses are masked; folder names, and who decided why, are left out.")]
    Export(ExportArgs),
    /// Writes the ledger anew, compares it with the old one row by row and puts it in its place
    #[command(after_help = "Examples:
  mailferry ledger compact plan.toml

Needs room for a second ledger meanwhile. Killed at any moment, it leaves one good ledger.")]
    Compact(PlanFile),
}

/// `mailferry ledger export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The plan file
    #[command(flatten)]
    pub plan: PlanFile,

    /// Show addresses, folder names, and who decided why
    #[arg(long)]
    pub reveal: bool,
}

/// Why items were refused, for choosing some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum RetryClass {
    /// All items that were refused
    Refused,
    /// The source could not read the item
    SourceCorrupt,
    /// The source may not or would not hand it out
    SourceDenied,
    /// The target said that it is too large
    TooLarge,
    /// The target did not take the stream
    TargetRefused,
    /// The typed route has no form for the item's class
    NoTypedForm,
    /// Carried items whose newer version was refused, or could not be sent as often as it was tried
    Update,
}

impl RetryClass {
    /// The refusals it stands for; nothing for [`RetryClass::Update`].
    pub const fn refusals(self) -> &'static [RefusalWhy] {
        match self {
            Self::Refused => &[
                RefusalWhy::SourceCorrupt,
                RefusalWhy::SourceDenied,
                RefusalWhy::TooLarge,
                RefusalWhy::TargetRefused,
                RefusalWhy::NoTypedForm,
            ],
            Self::SourceCorrupt => &[RefusalWhy::SourceCorrupt],
            Self::SourceDenied => &[RefusalWhy::SourceDenied],
            Self::TooLarge => &[RefusalWhy::TooLarge],
            Self::TargetRefused => &[RefusalWhy::TargetRefused],
            Self::NoTypedForm => &[RefusalWhy::NoTypedForm],
            Self::Update => &[],
        }
    }
}

/// `mailferry retry`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry retry plan.toml
  mailferry retry plan.toml --class too-large --reason 'message limit of the tenant raised to 150 MB'
  mailferry retry plan.toml --mailbox a.harris@clinic.example
  mailferry run plan.toml                       (carries what was put back)

Puts refused items back to be carried, after the cause was mended; nothing else. Parked items are decided about with
`mailferry resolve`.")]
pub struct RetryArgs {
    /// The plan file
    #[command(flatten)]
    pub plan: PlanFile,

    /// Only items refused for this; may be given again
    #[arg(long, value_enum, value_name = "CLASS")]
    pub class: Vec<RetryClass>,

    /// Only items of this mailbox: its source or target address, or its number (m0003)
    #[arg(long, value_name = "MAILBOX")]
    pub mailbox: Option<String>,

    /// Only the item with this key; may be given again
    #[arg(long, value_name = "KEY")]
    pub item: Vec<String>,

    /// Who decides, for the ledger
    #[arg(long, value_name = "NAME", default_value = "not named")]
    pub name: String,

    /// Why, for the ledger
    #[arg(long, value_name = "TEXT", default_value = "not given")]
    pub reason: String,
}

/// `mailferry resolve`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry resolve plan.toml list
  mailferry resolve plan.toml show 702347cedb740bb34a34425515854709
  mailferry resolve plan.toml again 702347cedb740bb34a34425515854709 --name 'A. Harris' --reason 'second copy removed by hand'
  mailferry resolve plan.toml leave 7e5ef90cb934e38b98c3a019abdf41b5 --name 'A. Harris' --reason 'test message of 2009'

Name and reason are kept in the ledger and shown in the report.")]
pub struct ResolveArgs {
    /// The plan file
    #[command(flatten)]
    pub plan: PlanFile,

    /// What to do
    #[command(subcommand)]
    pub verb: ResolveVerb,
}

/// What is done about items that wait for a person.
#[derive(Debug, Subcommand)]
pub enum ResolveVerb {
    /// Lists every item that waits for a person, with its reason and the decisions it admits
    #[command(after_help = "Examples:\n  mailferry resolve plan.toml list --json")]
    List,
    /// Shows one item and everything that happened to it
    #[command(
        after_help = "Examples:\n  mailferry resolve plan.toml show 702347cedb740bb34a34425515854709"
    )]
    Show {
        /// The item's key, as the report and `list` show it
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Have the next run look at the target once more, and carry the item where it is not there
    #[command(
        after_help = "Examples:\n  mailferry resolve plan.toml again KEY --name 'A. Harris' --reason 'second copy removed by hand'"
    )]
    Again(DecideArgs),
    /// Accept what the target holds as it is
    #[command(
        after_help = "Examples:\n  mailferry resolve plan.toml accept KEY --name 'A. Harris' --reason 'the user edited the copy'"
    )]
    Accept(DecideArgs),
    /// Leave the item behind
    #[command(
        after_help = "Examples:\n  mailferry resolve plan.toml leave KEY --name 'A. Harris' --reason 'test message of 2009'"
    )]
    Leave(DecideArgs),
}

/// A decision.
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The items' keys
    #[arg(value_name = "KEY", required = true)]
    pub keys: Vec<String>,

    /// Who decides
    #[arg(long, value_name = "NAME")]
    pub name: String,

    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// `mailferry quarantine`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry quarantine plan.toml list
  mailferry quarantine plan.toml show 702347cedb740bb34a34425515854709
  mailferry quarantine plan.toml release 702347cedb740bb34a34425515854709 --by 'A. Harris' --reason 'our own macro, checked by IT'
  mailferry quarantine plan.toml confirm 7e5ef90cb934e38b98c3a019abdf41b5 --by 'A. Harris' --reason 'known malware'

[screening] in the plan says what is looked for. Name and reason are kept in the ledger and shown in the report.")]
pub struct QuarantineArgs {
    /// The plan file
    #[command(flatten)]
    pub plan: PlanFile,

    /// What to do
    #[command(subcommand)]
    pub verb: QuarantineVerb,
}

/// What is done about items that screening withheld.
#[derive(Debug, Subcommand)]
pub enum QuarantineVerb {
    /// Lists what is withheld, and what waits because it could not be looked into
    #[command(after_help = "Examples:\n  mailferry quarantine plan.toml list --json")]
    List,
    /// Shows one item: what was found in which file, by whom, and what happened since
    #[command(
        after_help = "Examples:\n  mailferry quarantine plan.toml show 702347cedb740bb34a34425515854709"
    )]
    Show {
        /// The item's key, as the report and `list` show it
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Have the next run carry exactly what was looked into; a version that changed since is looked into again
    #[command(
        after_help = "Examples:\n  mailferry quarantine plan.toml release KEY --by 'A. Harris' --reason 'our own macro, checked by IT'"
    )]
    Release(JudgeArgs),
    /// Keep it withheld for good
    #[command(
        after_help = "Examples:\n  mailferry quarantine plan.toml confirm KEY --by 'A. Harris' --reason 'known malware'"
    )]
    Confirm(JudgeArgs),
}

/// A decision about withheld items.
#[derive(Debug, Args)]
pub struct JudgeArgs {
    /// The items' keys
    #[arg(value_name = "KEY", required = true)]
    pub keys: Vec<String>,

    /// Who decides
    #[arg(long, alias = "name", value_name = "NAME")]
    pub by: String,

    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}
