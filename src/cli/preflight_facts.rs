//! What a preflight knows before it asks: the plan's names, the build table's word, an export of the target, this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::civil::Date;

use crate::base::id::MailboxId;
use crate::base::probe::StateTrouble;
use crate::base::quantity::{Bytes, Count};
use crate::base::spec::Realm;
use crate::cli::commands::inventory;
use crate::cli::error::CommandError;
use crate::cli::plans::OpenPlan;
use crate::plan::document::{Credential, Plan, Proof};
use crate::plan::inventory::{Ceiling, Inventory};
use crate::posture::rule::State;
use crate::posture::server::{self, Origin, Sighting};
use crate::posture::table::Table;
use crate::preflight::facts::Facts;
use crate::preflight::observed::{BuildWord, Ceilings, Known, Observed};
use crate::store::canaries;

/// Bytes of ledger per item: a row of 300 to 400 bytes, its index, and what sled keeps beside (measured: 1.7 GB for 5,000,000 rows).
const LEDGER_PER_ITEM: u64 = 400;

/// Items of a mailbox the plan does not count.
const ITEMS_UNCOUNTED: u64 = 20_000;

/// The names remedies speak of.
pub(super) fn facts(open: &OpenPlan) -> Facts {
    let Plan { source, target, .. } = &open.plan;
    Facts {
        plan: open.path.display().to_string(),
        state: open.state.display().to_string(),
        ews_url: source.url().to_owned(),
        autodiscover: source
            .autodiscover
            .as_ref()
            .map_or_else(String::new, |search| search.at.clone()),
        account: source.auth.username.clone(),
        method: source.auth.method.word().to_owned(),
        password_env: match &source.auth.proof {
            Proof::PasswordEnv(name) | Proof::TokenEnv(name) => name.clone(),
            Proof::Keytab(_) | Proof::TicketCache(_) => String::new(),
        },
        tenant: target.tenant.clone(),
        client_id: target.client_id.clone(),
        secret_env: match &target.credential {
            Credential::SecretEnv(name) => name.clone(),
            Credential::Certificate(_) => String::new(),
        },
        login_url: target.service.login_url().to_owned(),
        graph_url: target.service.graph_url().to_owned(),
        route: target.route,
        no_import: !target.has_import(),
    }
}

/// What is known of the plan, the target and this machine.
pub(super) fn known(
    open: &OpenPlan,
    files: &[PathBuf],
    trouble: Option<StateTrouble>,
) -> Result<Known, CommandError> {
    let plan = &open.plan;
    let jobs = plan.jobs();
    let ceilings = if files.is_empty() {
        BTreeMap::new()
    } else {
        ceilings(&inventory::read(files)?)
    };
    let items: u64 = jobs
        .iter()
        .map(|job| job.items.map_or(ITEMS_UNCOUNTED, Count::get))
        .sum();
    let spec = plan.to_spec();
    let ledger = Bytes::new(items.saturating_mul(LEDGER_PER_ITEM));
    Ok(Known {
        build: None,
        ceilings,
        planned: u32::try_from(jobs.len()).unwrap_or(u32::MAX),
        item_max: spec.select.max_item_size,
        rehearsal: plan.realm == Realm::Rehearsal,
        twice: twice(plan),
        state: crate::base::probe::StateSight {
            trouble,
            free: canaries::free_on(&open.state),
        },
        room_wanted: ledger + spec.limits.spool_total,
    })
}

/// Addresses that stand twice on one side.
fn twice(plan: &Plan) -> Vec<MailboxId> {
    let mut out = BTreeSet::new();
    let jobs = plan.jobs();
    for side in [
        jobs.iter().map(|job| &job.source).collect::<Vec<_>>(),
        jobs.iter().map(|job| &job.target).collect(),
    ] {
        let mut seen = BTreeSet::new();
        for address in side {
            if !seen.insert(address.reveal().to_lowercase()) {
                out.insert(address.clone());
            }
        }
    }
    out.into_iter().collect()
}

fn ceilings(inventory: &Inventory) -> BTreeMap<String, Ceilings> {
    let at = |ceiling: Option<Ceiling>| match ceiling {
        Some(Ceiling::At(size)) => Some(size.bytes),
        Some(Ceiling::Unlimited) | None => None,
    };
    let mut out = BTreeMap::new();
    for record in &inventory.mailboxes {
        let Some(address) = &record.address else {
            continue;
        };
        out.insert(
            address.reveal().to_lowercase(),
            Ceilings {
                quota: at(record.quotas.mailbox),
                receive: at(record.quotas.receive),
            },
        );
    }
    out
}

/// What the build table says of the server that answered.
pub(super) fn build(observed: &Observed, today: Date) -> Option<BuildWord> {
    let build = observed.mailboxes.iter().find_map(|mailbox| {
        let greeting = mailbox.greeting.as_ref()?.as_ref().ok()?;
        greeting.build
    })?;
    let table = Table::built_in();
    let sighting = Sighting {
        server: "source".to_owned(),
        origin: Origin::Ews,
        build: Some(build),
    };
    let found = server::assess(&table, &[sighting], &[], today);
    let server = found.first()?;
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Some(BuildWord {
        build,
        name: server.update.clone().or_else(|| server.cu.clone()),
        later_cus: count(server.later_cus.len()),
        missing: server.missing.as_ref().map(|all| count(all.len())),
        exploited: count(server.exploited(State::Vulnerable).count()),
        unsupported_since: server.unsupported_since.map(|day| day.to_string()),
    })
}
