//! The words of `mailferry preflight`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{PlanFile, SecretsFile};

/// `mailferry preflight`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry preflight plan.toml
  mailferry preflight plan.toml --sample 20           the first 20 mailboxes of the plan
  mailferry preflight plan.toml --target-inventory exo-mailboxes.csv
  mailferry preflight plan.toml --json | jq '.checks[] | select(.state == \"fail\")'

Reaches both sides, signs in, asks about every mailbox of the plan, and sends canaries: one real item of each class it finds goes from its
mailbox into a hidden folder in its own mailbox on the target, is read back, compared and deleted. Nothing is sent to anybody, the source is not
written to, and nothing stays; behind a crash the next preflight cleans up. A sign-in that is refused is tried once, since each try counts towards
the lock-out of the account.

A class of items whose streams the target refuses goes by its class, where route in [target] is \"auto\" and it has a form: mailferry losses says what
that loses. Its canary then goes by its class too, and with route = \"typed\" every canary does: the rights for that are proved by these calls.

With autodiscover = \"DOMAIN\" in place of ews_url it asks https://DOMAIN, https://autodiscover.DOMAIN, then the redirect of
http://autodiscover.DOMAIN. Active Directory and the DNS record _autodiscover._tcp.DOMAIN are not looked up: where only that record
leads there, type the host that nslookup -type=SRV _autodiscover._tcp.DOMAIN names: autodiscover = \"https://HOST\".

--target-inventory is an export of the target's mailboxes, for what the service does not tell (quota and message size); in Exchange Online PowerShell:
  Get-Mailbox -ResultSize Unlimited | Select-Object PrimarySmtpAddress, RecipientTypeDetails, ProhibitSendReceiveQuota,
      MaxReceiveSize | Export-Csv exo-mailboxes.csv -NoTypeInformation -Encoding utf8

Exit codes: 0 nothing stands in the way (warnings may); 4 something does: each has its remedy; 3 the plan was refused.")]
pub struct PreflightArgs {
    /// The plan file
    #[command(flatten)]
    pub plan: PlanFile,

    /// Where secrets are
    #[command(flatten)]
    pub secrets: SecretsFile,

    /// Look at the first N mailboxes of the plan only (default: all)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub sample: Option<u32>,

    /// An export of the target's mailboxes; may be given again
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub target_inventory: Vec<PathBuf>,

    /// Send no canaries: the verdict on the route stays not proven
    #[arg(long)]
    pub no_canary: bool,
}
