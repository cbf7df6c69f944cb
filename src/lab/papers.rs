//! The papers of a running lab: inventory, plan, secrets, and lab.json, whose appearance says that everything is ready
//! (design/contract.md section 3).

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ews_sign_in::SignInRules;
use super::graph_http::LabApp;
use super::infected::hash_list;
use super::world::{Limits, World};
use super::wrong::{MESSAGE_MAX, Wrong};
use crate::base::quantity::{Bytes, Count, Span};
use crate::base::route::{ReminderRule, RouteRule};
use crate::base::spec::{Realm, RunLimits};
use crate::plan::document::{
    ActionGate, AuthMethod, Credential, Pair, Plan, Proof, ScreenPlan, SelectPlan, Service,
    SourceAuth, SourceEnd, TargetEnd, Wave,
};
use crate::plan::reach::ReachPlan;

/// The account that may impersonate every source mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabAccount {
    /// `LAB\svc-migrate`.
    pub username: String,
    /// Its password.
    pub password: String,
}

/// lab.json.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabInfo {
    /// `mailferry.lab/1`.
    pub schema: String,
    /// The lab's process.
    pub pid: u32,
    /// The EWS endpoint.
    pub ews_url: String,
    /// Who signs in there.
    pub ews_username: String,
    /// With which password.
    pub ews_password: String,
    /// Base URL of Graph.
    pub graph_url: String,
    /// Base URL of the sign-in service.
    pub login_url: String,
    /// Tenant.
    pub tenant_id: String,
    /// Application.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// What each side really holds.
    pub truth_url: String,
    /// Counts and levers.
    pub control_url: String,
    /// The mailbox pairs.
    pub mailboxes: Vec<LabPair>,
    /// Name of the inventory file.
    pub inventory: String,
    /// Name of the plan file.
    pub plan: String,
    /// Name of the file with what Exchange Online says of the target mailboxes.
    pub target_inventory: String,
    /// Name of the file with the certificate of the lab's authority, where the lab speaks TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

/// One mailbox pair of lab.json.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabPair {
    /// From which mailbox.
    pub source: String,
    /// Into which.
    pub target: String,
}

/// The names under which the plan asks for its secrets. Not those of live plans: a live secret in the environment must not reach a lab.
const PASSWORD_ENV: &str = "MAILFERRY_LAB_SOURCE_PASSWORD";
const SECRET_ENV: &str = "MAILFERRY_LAB_CLIENT_SECRET";

/// The list of the lab's own specimens, where some are hidden in its mail.
const HASH_LIST: &str = "known-bad.sha256";

/// How long beyond its lag the plan gives the world to show a new item.
const SETTLE_MARGIN: Span = Span::new(200);

impl LabInfo {
    /// What lab.json says of a lab on these ports.
    pub(super) fn of(
        world: &World,
        ports: (u16, u16),
        tls: bool,
        account: &LabAccount,
        app: &LabApp,
    ) -> Self {
        let scheme = if tls { "https" } else { "http" };
        let graph = format!("{scheme}://127.0.0.1:{}", ports.1);
        let pairs = world.pairs().iter();
        Self {
            schema: "mailferry.lab/1".to_owned(),
            pid: std::process::id(),
            ews_url: format!("{scheme}://127.0.0.1:{}/EWS/Exchange.asmx", ports.0),
            ews_username: account.username.clone(),
            ews_password: account.password.clone(),
            login_url: graph.clone(),
            tenant_id: app.tenant_id.clone(),
            client_id: app.client_id.clone(),
            client_secret: app.client_secret.clone(),
            truth_url: format!("{graph}/lab/truth"),
            control_url: format!("{graph}/lab/control"),
            graph_url: graph,
            mailboxes: pairs
                .map(|(source, target)| LabPair {
                    source: source.reveal().to_owned(),
                    target: target.reveal().to_owned(),
                })
                .collect(),
            inventory: "inventory.csv".to_owned(),
            plan: "plan.toml".to_owned(),
            target_inventory: "target.csv".to_owned(),
            ca: tls.then(|| "ca.pem".to_owned()),
        }
    }

    /// The plan that moves the lab's mailboxes.
    pub fn to_plan(&self, world: &World) -> Plan {
        let options = world.options();
        let published = RunLimits::default();
        let unlimited = options.limits == Limits::Off;
        let pairs = world
            .pairs()
            .iter()
            .map(|(source, target)| Pair::new(source.clone(), target.clone()));
        Plan {
            name: "rehearsal".to_owned(),
            realm: Realm::Rehearsal,
            source: SourceEnd {
                ews_url: self.ews_url.clone(),
                autodiscover: None,
                found_url: String::new(),
                auth: SourceAuth {
                    method: AuthMethod::Basic,
                    username: self.ews_username.clone(),
                    proof: Proof::PasswordEnv(PASSWORD_ENV.to_owned()),
                },
                impersonate: true,
                reach: ReachPlan::default(),
            },
            target: TargetEnd {
                tenant: self.tenant_id.clone(),
                client_id: self.client_id.clone(),
                credential: Credential::SecretEnv(SECRET_ENV.to_owned()),
                service: Service::At {
                    login_url: self.login_url.clone(),
                    graph_url: self.graph_url.clone(),
                },
                route: RouteRule::Stream,
                import_api: None,
                reminders: ReminderRule::AsSource,
                reach: ReachPlan::default(),
            },
            limits: RunLimits {
                target_requests_per_window: published
                    .target_requests_per_window
                    .filter(|_| !unlimited),
                target_upload_per_window: published.target_upload_per_window.filter(|_| !unlimited),
                settle: Span::new(options.lag.get() + SETTLE_MARGIN.get()),
                ..published
            },
            schedule: None,
            actions: ActionGate::default(),
            select: SelectPlan::default(),
            screening: (world.infected() > 0).then(|| ScreenPlan {
                sha256_lists: vec![HASH_LIST.to_owned()],
                ..ScreenPlan::default()
            }),
            waves: vec![Wave {
                name: "pilot".to_owned(),
                not_before: None,
                mailboxes: pairs.collect(),
            }],
        }
    }

    fn secrets(&self) -> String {
        format!(
            "{PASSWORD_ENV}={}\n{SECRET_ENV}={}\n",
            self.ews_password, self.client_secret
        )
    }
}

/// The mailboxes as `Get-MailboxStatistics | Export-Csv` shows them, each with its pair.
fn inventory(world: &World) -> String {
    let mut out = String::from("source,target,ItemCount,TotalItemSize\n");
    for (source, target) in world.pairs() {
        let rows = world.source_folders(source.reveal()).unwrap_or_default();
        let items: Count = rows.iter().map(|row| row.items).sum();
        let size: Bytes = rows.iter().map(|row| row.size).sum();
        let _ = writeln!(
            out,
            "{},{},{},\"{}\"",
            source.reveal(),
            target.reveal(),
            items.get(),
            as_exchange_prints(size)
        );
    }
    out
}

/// A size as Exchange prints it: four digits in binary units, then the exact bytes (reference/inventory.md section 3).
fn as_exchange_prints(size: Bytes) -> String {
    let mut unit: u64 = 1;
    let mut name = "B";
    for next in ["KB", "MB", "GB", "TB"] {
        if size.get() / unit < 1024 {
            break;
        }
        (unit, name) = (unit * 1024, next);
    }
    let scale: u128 = match size.get() / unit {
        0..10 => 1000,
        10..100 => 100,
        100..1000 => 10,
        _ => 1,
    };
    let unit = u128::from(unit);
    let rounded = (u128::from(size.get()) * scale + unit / 2) / unit;
    let (whole, rest) = (rounded / scale, 1000 / scale * (rounded % scale));
    let rest = format!("{rest:03}");
    let rest = rest.trim_end_matches('0');
    let dot = if rest.is_empty() { "" } else { "." };
    let exact = Count::new(size.get());
    format!("{whole}{dot}{rest} {name} ({exact} bytes)")
}

/// Writes everything, lab.json last and in one move.
pub(super) async fn write(
    dir: &Path,
    texts: &Texts,
    info: &LabInfo,
    authority: Option<&str>,
) -> std::io::Result<()> {
    if let (Some(name), Some(authority)) = (&info.ca, authority) {
        owner_only(&dir.join(name), authority.as_bytes()).await?;
    }
    if let Some(list) = &texts.hashes {
        owner_only(&dir.join(HASH_LIST), list.as_bytes()).await?;
    }
    owner_only(&dir.join(&info.inventory), texts.inventory.as_bytes()).await?;
    owner_only(&dir.join(&info.target_inventory), texts.target.as_bytes()).await?;
    owner_only(&dir.join(&info.plan), texts.plan.as_bytes()).await?;
    owner_only(&dir.join("secrets.env"), info.secrets().as_bytes()).await?;
    let json = serde_json::to_vec_pretty(info).expect("plain strings always serialise");
    let half = dir.join("lab.json.part");
    owner_only(&half, &json).await?;
    tokio::fs::rename(half, dir.join("lab.json")).await
}

/// The target's mailboxes as `Get-Mailbox | Export-Csv` shows them in Exchange Online.
fn target_inventory(world: &World) -> String {
    let size = |bytes: u64| as_exchange_prints(Bytes::new(bytes));
    let mut out = String::from(
        "PrimarySmtpAddress,RecipientTypeDetails,ProhibitSendReceiveQuota,MaxReceiveSize\n",
    );
    let receive = if world.is_wrong(Wrong::MessageSize) {
        MESSAGE_MAX
    } else {
        RECEIVE_DEFAULT
    };
    for (_, target) in world.pairs() {
        let quota = world
            .quota_of(target.reveal())
            .map_or(QUOTA_DEFAULT, Bytes::get);
        let _ = writeln!(
            out,
            "{},UserMailbox,\"{}\",\"{}\"",
            target.reveal(),
            size(quota),
            size(receive)
        );
    }
    out
}

/// What a mailbox of Exchange Online holds where nobody says otherwise: 100 GB.
const QUOTA_DEFAULT: u64 = 100 << 30;

/// The message size of Exchange Online where nobody says otherwise.
const RECEIVE_DEFAULT: u64 = 150 << 20;

/// The papers as texts.
pub(super) struct Texts {
    inventory: String,
    plan: String,
    target: String,
    hashes: Option<String>,
}

/// The papers, taken while the world is locked.
pub(super) fn texts(world: &World, info: &LabInfo, rules: &SignInRules) -> Texts {
    let mut plan = info.to_plan(world);
    if !rules.basic {
        plan.source.auth.method = AuthMethod::Ntlm;
    }
    Texts {
        inventory: inventory(world),
        plan: plan.render(),
        target: target_inventory(world),
        hashes: (world.infected() > 0).then(hash_list),
    }
}

async fn owner_only(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path).await?;
    file.write_all(bytes).await?;
    file.sync_all().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::inventory::parse_size;

    #[test]
    fn sizes_print_as_exchange_does_and_read_back_exactly() {
        for (bytes, want) in [
            (0, "0 B (0 bytes)"),
            (262_144, "256 KB (262,144 bytes)"),
            (236_732_045, "225.8 MB (236,732,045 bytes)"),
            (1_325_400_064, "1.234 GB (1,325,400,064 bytes)"),
            (53_150_220_288, "49.5 GB (53,150,220,288 bytes)"),
        ] {
            assert_eq!(as_exchange_prints(Bytes::new(bytes)), want);
            let size = parse_size(want).expect("a size");
            assert!(!size.disagrees, "{want}");
        }
    }
}
