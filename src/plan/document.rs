//! The plan: an immutable document with a content hash. Parsed strictly, rendered in one canonical form.
//!
//! The hash is SHA-256 over the canonical form, so that blanks, comments and key order do not count and every value does, also those the
//! file leaves to the defaults of this program.

use sha2::{Digest as _, Sha256};

use crate::base::id::{JobId, MailboxId, PlanHash};
use crate::base::quantity::{Bytes, Count, Moment, Span};
use crate::base::route::{ReminderRule, RouteRule};
use crate::base::screen_rules::RuleBook;
use crate::base::screening::ClamdAddress;
use crate::base::spec::{JobSpec, PassKind, Realm, RunLimits, RunSpec, Selection};
use crate::plan::problem::Problem;
use crate::plan::reach::{CertificateFile, ReachPlan};
use crate::plan::schedule::{Schedule, parse_date};
use crate::plan::{read, render};

pub use crate::plan::render::Comments;

/// What the first line of every plan says.
pub const SCHEMA: &str = "mailferry.plan/1";

/// A plan file's contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The plan's name, for people.
    pub name: String,
    /// Whether it touches real mailboxes.
    pub realm: Realm,
    /// Where mail is read.
    pub source: SourceEnd,
    /// Where mail is written.
    pub target: TargetEnd,
    /// The bounds of a run.
    pub limits: RunLimits,
    /// When to work.
    pub schedule: Option<Schedule>,
    /// What the cutover asks of the register of actions.
    pub actions: ActionGate,
    /// What is carried.
    pub select: SelectPlan,
    /// How items are looked into on their way; `None` carries them as they are.
    pub screening: Option<ScreenPlan>,
    /// The mailboxes, in waves.
    pub waves: Vec<Wave>,
}

/// What the cutover asks of the register of remedial actions, beside showing it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ActionGate {
    /// Nothing.
    #[default]
    Shown,
    /// That no action is past its day.
    NotOverdue,
    /// That every action was verified by another person, or does not apply.
    Settled,
}

/// How items are looked into on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScreenPlan {
    /// What follows from a hit of each static rule.
    pub rules: RuleBook,
    /// Files with SHA-256 values of files that are known to be bad, relative to the plan.
    pub sha256_lists: Vec<String>,
    /// The engine, where there is one.
    pub clamd: Option<ClamdAddress>,
    /// The public key for which withheld items are kept encrypted (`age1...`); `None` keeps none.
    pub quarantine_recipient: Option<String>,
}

/// The on-premises side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceEnd {
    /// The EWS endpoint; empty where the plan leaves it to Autodiscover.
    pub ews_url: String,
    /// Where Autodiscover is asked for it. A URL in the plan wins.
    pub autodiscover: Option<Autodiscover>,
    /// What Autodiscover found; no part of the file, and of the hash neither.
    pub found_url: String,
    /// How to sign in.
    pub auth: SourceAuth,
    /// Whether the account impersonates the mailboxes (the `ExchangeImpersonation` header).
    pub impersonate: bool,
    /// What is special about the way there.
    pub reach: ReachPlan,
}

impl SourceEnd {
    /// The EWS endpoint: the plan's, else the one that was found, else empty.
    pub fn url(&self) -> &str {
        if self.ews_url.is_empty() {
            &self.found_url
        } else {
            &self.ews_url
        }
    }
}

/// Where the EWS endpoint is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autodiscover {
    /// The mail domain, or the URL of one Autodiscover service (`https://host`).
    pub at: String,
    /// Hosts outside that domain that may be sent credentials.
    pub hosts: Vec<String>,
}

/// How to sign in to Exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceAuth {
    /// By which method.
    pub method: AuthMethod,
    /// As whom; may be empty where the proof says it.
    pub username: String,
    /// With what.
    pub proof: Proof,
}

/// What proves the source account. Secrets are named, never held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The environment variable that holds the password.
    PasswordEnv(String),
    /// The environment variable that holds a token (method oauth).
    TokenEnv(String),
    /// A Kerberos key table, relative to the plan (method negotiate).
    Keytab(String),
    /// A Kerberos ticket cache, as krb5 names it (method negotiate).
    TicketCache(String),
}

/// Sign-in methods of the on-premises side (reference/ews.md section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// User name and password in every request, over TLS.
    Basic,
    /// NTLM.
    Ntlm,
    /// Kerberos or NTLM, as agreed.
    Negotiate,
    /// A bearer token.
    OAuth,
}

impl AuthMethod {
    /// Every method with its word in a plan.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Basic, "basic"),
        (Self::Ntlm, "ntlm"),
        (Self::Negotiate, "negotiate"),
        (Self::OAuth, "oauth"),
    ];

    /// The word in a plan.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(method, _)| *method == self);
        found.map_or("basic", |(_, word)| word)
    }
}

/// The Microsoft 365 side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetEnd {
    /// The tenant, by domain or id.
    pub tenant: String,
    /// The application that writes.
    pub client_id: String,
    /// How the application signs in.
    pub credential: Credential,
    /// Where the services are.
    pub service: Service,
    /// By which route items travel.
    pub route: RouteRule,
    /// Whether the cloud has mailbox import, where the plan says so; see [`TargetEnd::has_import`].
    pub import_api: Option<bool>,
    /// When events that travel by their class begin to remind.
    pub reminders: ReminderRule,
    /// What is special about the way there.
    pub reach: ReachPlan,
}

impl TargetEnd {
    /// Whether mailbox import is asked for at all. Without a word in the plan it is, but where a national cloud is to take items by their class: those
    /// clouds have none (reference/graph.md 1.1), and a plan that wants streams there finds out by its preflight.
    pub const fn has_import(&self) -> bool {
        match self.import_api {
            Some(said) => said,
            None => {
                !(matches!(self.service, Service::National(_))
                    && matches!(self.route, RouteRule::Typed))
            }
        }
    }
}

/// How the application signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A client secret out of this environment variable.
    SecretEnv(String),
    /// A certificate with its key, PEM or PFX. Preferred: nothing that could be replayed leaves this machine.
    Certificate(CertificateFile),
}

/// Where the services of the target are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// The worldwide cloud.
    Global,
    /// A national cloud. The published pages list mailbox import for the worldwide cloud only (reference/graph.md 1.1).
    National(Cloud),
    /// Elsewhere: a lab.
    At {
        /// Base URL of the sign-in service.
        login_url: String,
        /// Base URL of Graph.
        graph_url: String,
    },
}

/// National clouds (reference/graph.md 7.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// US Government, GCC High.
    UsGov,
    /// US Department of Defense.
    UsDod,
    /// China, operated by 21Vianet.
    China,
}

impl Cloud {
    /// Every cloud with its word in a plan.
    pub const ALL: [(&'static str, Self); 3] = [
        ("us-gov", Self::UsGov),
        ("us-dod", Self::UsDod),
        ("china", Self::China),
    ];

    /// The word in a plan.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, cloud)| *cloud == self);
        found.map_or("us-gov", |(word, _)| word)
    }
}

impl Service {
    /// Base URL of the sign-in service, without a slash at the end.
    pub fn login_url(&self) -> &str {
        match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::National(Cloud::UsGov | Cloud::UsDod) => "https://login.microsoftonline.us",
            Self::National(Cloud::China) => "https://login.chinacloudapi.cn",
            Self::At { login_url, .. } => login_url.trim_end_matches('/'),
        }
    }

    /// Base URL of Graph, without a slash at the end.
    pub fn graph_url(&self) -> &str {
        match self {
            Self::Global => "https://graph.microsoft.com",
            Self::National(Cloud::UsGov) => "https://graph.microsoft.us",
            Self::National(Cloud::UsDod) => "https://dod-graph.microsoft.us",
            Self::National(Cloud::China) => "https://microsoftgraph.chinacloudapi.cn",
            Self::At { graph_url, .. } => graph_url.trim_end_matches('/'),
        }
    }
}

/// What is carried, as the plan writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectPlan {
    /// Folders that stay, by role or path.
    pub exclude_folders: Vec<String>,
    /// The first day whose items are carried, as `2015-01-01` (UTC); `None` carries all.
    pub older_than: Option<String>,
    /// Items larger than this stay; `None` is the published limit.
    pub max_item_size: Option<Bytes>,
}

impl SelectPlan {
    /// The selection a run works with.
    pub fn to_selection(&self) -> Selection {
        let default = Selection::default();
        Selection {
            exclude_folders: self.exclude_folders.clone(),
            older_than: self.older_than.as_deref().and_then(parse_date),
            max_item_size: self.max_item_size.unwrap_or(default.max_item_size),
            ..default
        }
    }
}

/// Mailboxes that are moved together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wave {
    /// Its name.
    pub name: String,
    /// The day it may begin, as `2026-12-01` in the schedule's zone.
    pub not_before: Option<String>,
    /// Its mailboxes.
    pub mailboxes: Vec<Pair>,
}

/// From which mailbox into which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The source mailbox.
    pub source: MailboxId,
    /// The target mailbox.
    pub target: MailboxId,
    /// The day it may begin, where that is earlier than its wave's: a mailbox that does not fit one night is copied ahead.
    pub not_before: Option<String>,
    /// Items the inventory counted in it, for forecasts and rehearsals. A run never relies on it.
    pub items: Option<Count>,
    /// Bytes the inventory counted in it, alike.
    pub bytes: Option<Bytes>,
}

impl Pair {
    /// A pair of which only the addresses are known.
    pub fn new(source: MailboxId, target: MailboxId) -> Self {
        Self {
            source,
            target,
            not_before: None,
            items: None,
            bytes: None,
        }
    }
}

impl Plan {
    /// Reads a plan file, or says everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        read::plan(text)
    }

    /// The canonical form: every value written out, keys in a fixed order. Parsing it gives the same plan.
    pub fn render(&self) -> String {
        render::plan(self)
    }

    /// The canonical form with comments, which do not count for the hash.
    pub fn render_explained(&self, comments: &Comments) -> String {
        render::explained(self, comments)
    }

    /// The content hash: SHA-256 of the canonical form, in lower-case hexadecimal.
    pub fn hash(&self) -> PlanHash {
        use std::fmt::Write as _;
        let digest = Sha256::digest(self.render().as_bytes());
        let mut hex = String::with_capacity(64);
        for byte in digest {
            write!(hex, "{byte:02x}").expect("a string grows");
        }
        PlanHash::new(hex)
    }

    /// The mailbox pairs of all waves as jobs, numbered in file order.
    pub fn jobs(&self) -> Vec<JobSpec> {
        let turns = self.turns();
        let pairs = self.waves.iter().zip(turns);
        let pairs = pairs.flat_map(|(wave, turn)| wave.mailboxes.iter().map(move |p| (p, turn)));
        (0..)
            .zip(pairs)
            .map(|(no, (pair, turn))| JobSpec {
                job: JobId(no),
                source: pair.source.clone(),
                target: pair.target.clone(),
                turn,
                items: pair.items,
                bytes: pair.bytes,
            })
            .collect()
    }

    /// For each wave its place in the order in which waves fall due: those with a day by their day, then those without one; in file order
    /// where nothing else decides. A mailbox that is copied ahead is due with its wave, not on the day its copying may begin.
    fn turns(&self) -> Vec<u32> {
        let mut order: Vec<usize> = (0..self.waves.len()).collect();
        order.sort_by_key(|at| {
            let day = self.waves[*at].not_before.as_deref();
            (day.is_none(), day, *at)
        });
        let mut turns = vec![0; order.len()];
        for (turn, at) in (0..).zip(order) {
            turns[at] = turn;
        }
        turns
    }

    /// What the inventory counted in all mailboxes of a job that the plan has numbers for.
    pub fn counted(&self) -> Vec<(JobId, Option<Count>, Option<Bytes>)> {
        let pairs = self.waves.iter().flat_map(|wave| &wave.mailboxes);
        let jobs = (0..).zip(pairs);
        jobs.map(|(no, pair)| (JobId(no), pair.items, pair.bytes))
            .collect()
    }

    /// What a run of this plan is asked to do.
    pub fn to_spec(&self) -> RunSpec {
        RunSpec {
            jobs: self.jobs(),
            limits: self.limits.clone(),
            select: Selection {
                no_import: !self.target.has_import(),
                ..self.select.to_selection()
            },
            pass: PassKind::Follow,
            allow_deletes: false,
            route: self.target.route,
            reminders: self.target.reminders,
        }
    }

    /// Jobs of waves that may not begin yet at `now`, with the wave's name and day.
    pub fn not_due(&self, now: Moment) -> Vec<(JobId, &str, &str)> {
        let zone = self
            .schedule
            .as_ref()
            .and_then(|schedule| crate::plan::schedule::zone_of(&schedule.time_zone))
            .unwrap_or(jiff::tz::TimeZone::UTC);
        let today = jiff::Timestamp::from_millisecond(now.unix_ms())
            .map(|at| at.to_zoned(zone).date().to_string())
            .unwrap_or_default();
        let mut out = Vec::new();
        let mut no = 0;
        for wave in &self.waves {
            for pair in &wave.mailboxes {
                let day = pair.not_before.as_deref().or(wave.not_before.as_deref());
                // Dates of this form sort as text.
                if let Some(day) = day.filter(|day| *day > &*today) {
                    out.push((JobId(no), wave.name.as_str(), day));
                }
                no += 1;
            }
        }
        out
    }
}

/// Reads a length of time as plans write it: `200 ms`, `30 s`, `5 min`, `1 h`.
pub fn parse_span(text: &str) -> Option<Span> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..split].parse().ok()?;
    let unit = match text[split..].trim() {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(unit).map(Span::new)
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
