//! The words of `report`, `waive`, `sign`, `evidence` and `cutover`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::args::{PlanFile, SecretsFile};
use crate::evidence::checks::Check;
use crate::evidence::waiver::Subject;

/// `mailferry report`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry report plan.toml                names in clear, for the house: report.html, .json, -*.csv
  mailferry report plan.toml --external     pseudonyms, for anybody: report-external.html, ...
  mailferry report plan.toml --reveal       the evidence pack in clear, for the house only
  mailferry report plan.toml --json

The report goes into state/reports, the evidence pack into state/evidence. In it and in an external report, mailboxes, folders and items bear pseudonyms under a key that stays in
state/evidence.key; in an external report people do, too, and reasons in their own words are left out. Everything is computed from the ledger,
the decisions and the last verification: the same ones give the same bytes.")]
pub struct ReportArgs {
    /// The plan file
    #[command(flatten)]
    pub plan: PlanFile,

    /// Write the report with pseudonyms, for readers outside the house
    #[arg(long)]
    pub external: bool,

    /// Write the evidence pack with names in clear
    #[arg(long, conflicts_with = "external")]
    pub reveal: bool,

    /// Whose key is whose (default: `allowed_signers` beside the plan)
    #[arg(long, value_name = "FILE")]
    pub allowed_signers: Option<PathBuf>,
}

/// `mailferry waive`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry waive plan.toml list
  mailferry waive plan.toml create --bucket refused --class IPM.Note.SMIME --until 2027-01-31 \\
      --name 'A. Harris' --reason 'corrupt at the source since 2014, seen with the owner'
  mailferry waive plan.toml create --bucket parked --item 5f3a... --until 2027-01-31 --name 'A. Harris' --reason '...'
  mailferry waive plan.toml show W0001
  mailferry waive plan.toml revoke W0001 --name 'A. Harris'

A waiver counts once the one who asks and a second person have signed it (mailferry sign), with two names and two keys as the allowed_signers
file has them. Names and reasons go into the evidence pack as they are written: name no patient.")]
pub struct WaiveArgs {
    /// The plan file
    #[command(flatten)]
    pub plan: PlanFile,

    /// Whose key is whose (default: `allowed_signers` beside the plan)
    #[arg(long, global = true, value_name = "FILE")]
    pub allowed_signers: Option<PathBuf>,

    /// What to do
    #[command(subcommand)]
    pub action: WaiveAction,
}

/// What to do about waivers.
#[derive(Debug, Subcommand)]
pub enum WaiveAction {
    /// Asks for an exception
    Create(WaiveCreate),
    /// Lists waivers and whether they count
    List,
    /// Shows one
    Show {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Takes one back
    Revoke {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
        /// Who takes it back
        #[arg(long, value_name = "NAME")]
        name: String,
    },
}

/// `mailferry waive PLAN create`.
#[derive(Debug, Args)]
pub struct WaiveCreate {
    /// Items in this bucket; `extra` is what the target of one mailbox holds beyond the source
    #[arg(long, value_enum, value_name = "BUCKET")]
    pub bucket: BucketWord,

    /// Only this item, by its key; may be given again
    #[arg(long, value_name = "KEY")]
    pub item: Vec<String>,

    /// Only items of this class and its sub-classes
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,

    /// Only items of this source mailbox
    #[arg(long, value_name = "ADDRESS")]
    pub mailbox: Option<String>,

    /// No more items than N (default: those that are open now)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub at_most: Option<u64>,

    /// The last day it counts (UTC), as 2027-01-31
    #[arg(long, value_name = "DAY")]
    pub until: String,

    /// Who asks
    #[arg(long, value_name = "NAME")]
    pub name: String,

    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// What can be waived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BucketWord {
    /// One side says it cannot be carried
    Refused,
    /// Waits for a person
    Parked,
    /// Withheld by screening
    Quarantined,
    /// Changed at the source after it was carried
    ChangedSince,
    /// Left behind or accepted by one person (`mailferry resolve`)
    Decided,
    /// On the target, of unknown origin
    Extra,
}

impl From<BucketWord> for Subject {
    fn from(word: BucketWord) -> Self {
        match word {
            BucketWord::Refused => Self::Refused,
            BucketWord::Parked => Self::Parked,
            BucketWord::Quarantined => Self::Quarantined,
            BucketWord::ChangedSince => Self::ChangedSince,
            BucketWord::Decided => Self::Decided,
            BucketWord::Extra => Self::Extra,
        }
    }
}

/// `mailferry sign`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry sign plan.toml --name 'A. Harris' --key ~/.ssh/id_ed25519                    the evidence pack
  mailferry sign plan.toml --name 'B. Okafor' --key ~/.ssh/id_ed25519 --waiver W0001     a waiver
  MAILFERRY_KEY_PASSPHRASE=... mailferry sign plan.toml --name 'A. Harris' --key key      an encrypted key

A key in an SSH agent (SSH_AUTH_SOCK) signs when its public half is named; so do keys on hardware tokens and RSA keys:
  mailferry sign plan.toml --name 'A. Harris' --key ~/.ssh/id_ed25519_sk.pub
Where no agent is at hand, OpenSSH signs and its signature is handed over:
  ssh-keygen -Y sign -n mailferry-pack -f KEY state/evidence/PACK/pack.json
  mailferry sign plan.toml --name 'A. Harris' --signature state/evidence/PACK/pack.json.sig
For a waiver the namespace is mailferry-waiver-request for the one who asks, mailferry-waiver-approval for the one who grants,
and the document is state/waivers/ID.json.

Private keys: Ed25519 and ECDSA P-256 in OpenSSH's format. Checked: those, their hardware-backed forms, and RSA.")]
pub struct SignArgs {
    /// The plan file
    #[command(flatten)]
    pub plan: PlanFile,

    /// Where the passphrase MAILFERRY_KEY_PASSPHRASE is, when not in the environment
    #[command(flatten)]
    pub secrets: SecretsFile,

    /// Who signs
    #[arg(long, value_name = "NAME")]
    pub name: String,

    /// Sign with this private key; with a public key, the SSH agent signs
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "signature",
        conflicts_with = "signature"
    )]
    pub key: Option<PathBuf>,

    /// Take over a signature that was made with ssh-keygen
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,

    /// Sign this waiver instead of the evidence pack
    #[arg(long, value_name = "ID", conflicts_with = "reveal")]
    pub waiver: Option<String>,

    /// Sign the pack with names in clear
    #[arg(long)]
    pub reveal: bool,

    /// Whose key is whose (default: `allowed_signers` beside the plan)
    #[arg(long, value_name = "FILE")]
    pub allowed_signers: Option<PathBuf>,
}

/// `mailferry evidence`.
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// What to do
    #[command(subcommand)]
    pub action: EvidenceAction,
}

/// What to do with a pack.
#[derive(Debug, Subcommand)]
pub enum EvidenceAction {
    /// Checks a pack offline; needs no mailbox and no plan
    Verify(EvidenceVerify),
}

/// `mailferry evidence verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry evidence verify state/evidence/external-1f3c5a...
  mailferry evidence verify PACK --allowed-signers signers --signed-by 'B. Okafor'
  mailferry evidence verify PACK --item 5f3a... --pseudonym-key state/evidence.key --json

Exit code 0: everything checks. 7: something does not, each thing is named. 3: no pack, or it cannot be read.
scripts/verify_pack.py checks the same in Python, for those who would rather not trust this program.")]
pub struct EvidenceVerify {
    /// The pack
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Prove that this item is in the manifest, by its name there
    #[arg(long, value_name = "KEY")]
    pub item: Option<String>,

    /// Take --item as the key the house knows it by, and turn it into the pack's pseudonym with this file
    #[arg(long, value_name = "FILE", requires = "item")]
    pub pseudonym_key: Option<PathBuf>,

    /// Whose key is whose; somebody on it must have signed
    #[arg(long, value_name = "FILE")]
    pub allowed_signers: Option<PathBuf>,

    /// This person must have signed; may be given again
    #[arg(long, value_name = "NAME", requires = "allowed_signers")]
    pub signed_by: Vec<String>,
}

/// `mailferry cutover`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry cutover plan.toml --name 'A. Harris'
  mailferry cutover plan.toml --name 'A. Harris' --inventory export/*.csv --target-inventory exo-mailboxes.csv
  mailferry cutover plan.toml --name 'A. Harris' --confirm licences --confirm addresses --confirm legacy-names

--inventory takes the exports the plan was made from, --target-inventory an export of the target:
  Get-Mailbox -ResultSize Unlimited | Select-Object Name,PrimarySmtpAddress,EmailAddresses,RecipientTypeDetails,ExchangeGuid,LegacyExchangeDN,
      SKUAssigned | Export-Csv exo-mailboxes.csv -NoTypeInformation -Encoding utf8

What the gate was given nothing to look at (licences, addresses, legacy names, who operated the runs) keeps it open. Whoever looked themselves says
so with --confirm; the name goes into the log of decisions. A critical finding counts where the source was assessed.
A plan with `[cutover] actions = 'not_overdue'` (or 'settled') asks for the register of remedial actions too (`assess --actions`).

Exit code 8: a gate is open; every open gate is named with what closes it. When none is, the runbook for this plan is printed and who asked for it
is kept in the log of decisions. Nothing is changed on either side.")]
pub struct CutoverArgs {
    /// The plan file
    #[command(flatten)]
    pub plan: PlanFile,

    /// Who runs the cutover
    #[arg(long, value_name = "NAME")]
    pub name: String,

    /// The inventory of the source: addresses and legacy names that must exist on the target
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "target_inventory")]
    pub inventory: Vec<PathBuf>,

    /// An export of the target's mailboxes
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "inventory")]
    pub target_inventory: Vec<PathBuf>,

    /// Say by name that you looked at what was not checked here; may be given again
    #[arg(long, value_enum, value_name = "CHECK")]
    pub confirm: Vec<CheckWord>,

    /// Whose key is whose (default: `allowed_signers` beside the plan)
    #[arg(long, value_name = "FILE")]
    pub allowed_signers: Option<PathBuf>,
}

/// What a person can say they looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckWord {
    /// Every user mailbox of the target has a licence
    Licences,
    /// Every address of the source is on the target
    Addresses,
    /// Every legacyExchangeDN of the source is an X500 address of the target
    LegacyNames,
    /// Nobody who operated a run granted a waiver
    Operators,
}

impl From<CheckWord> for Check {
    fn from(word: CheckWord) -> Self {
        match word {
            CheckWord::Licences => Self::Licences,
            CheckWord::Addresses => Self::Addresses,
            CheckWord::LegacyNames => Self::LegacyNames,
            CheckWord::Operators => Self::Operators,
        }
    }
}
