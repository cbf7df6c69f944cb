//! Builds the running system out of a plan: adapters, ledger, clock. Read it to know what talks to what.

use std::sync::Arc;

use crate::base::dice::Dice;
use crate::base::id::RunId;
use crate::base::quantity::Moment;
use crate::base::secret::SafeUrl;
use crate::base::spec::RunLimits;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::OpenPlan;
use crate::cli::secrets::Secrets;
use crate::engine::clock::TokioClock;
use crate::exchange::{ExchangeSource, SignIn};
use crate::graph::{Credential as GraphCredential, GraphOptions, GraphTarget};
use crate::plan::document::{AuthMethod, Credential, Plan};
use crate::port::clock::Clock;
use crate::store::embedded::{EmbeddedLedger, Opening};
use crate::transport::{Http, HttpOptions, TransportError};

/// Both sides and the clock they share.
#[derive(Debug)]
pub struct Sides {
    /// The on-premises Exchange.
    pub source: Arc<ExchangeSource>,
    /// Microsoft 365.
    pub target: Arc<GraphTarget>,
    /// The clock of the process.
    pub clock: Arc<dyn Clock>,
}

/// Builds both sides of a plan. Reaches nobody.
pub fn sides(plan: &Plan, secrets: &Secrets) -> Result<Sides, CommandError> {
    known_url(plan)?;
    sides_as_far(plan, secrets)
}

/// Refuses a plan whose EWS URL nobody has found yet.
fn known_url(plan: &Plan) -> Result<(), CommandError> {
    if plan.source.url().is_empty() {
        return Err(CommandError::new(
            Exit::Refused,
            "the plan leaves the EWS URL to Autodiscover, and it was not searched for yet",
        )
        .hint("`mailferry preflight PLAN` searches for it and keeps what it finds in the state directory"));
    }
    Ok(())
}

/// The same, where the search may have found no URL: the source is then not to be asked.
pub fn sides_as_far(plan: &Plan, secrets: &Secrets) -> Result<Sides, CommandError> {
    let clock = clock();
    Ok(Sides {
        source: Arc::new(source_as_far(plan, secrets)?),
        target: Arc::new(target(plan, secrets, Arc::clone(&clock))?),
        clock,
    })
}

/// The clock of this process. The system's time is read once; from then on only its own ticks count.
pub fn clock() -> Arc<dyn Clock> {
    let now = jiff::Timestamp::now().as_millisecond();
    Arc::new(TokioClock::starting_at(Moment::from_unix_ms(now)))
}

/// Builds the source alone. Reaches nobody.
pub fn source(plan: &Plan, secrets: &Secrets) -> Result<ExchangeSource, CommandError> {
    known_url(plan)?;
    source_as_far(plan, secrets)
}

fn source_as_far(plan: &Plan, secrets: &Secrets) -> Result<ExchangeSource, CommandError> {
    let sign_in = source_sign_in(plan, secrets)?;
    let http = source_http(plan)?;
    let url = SafeUrl::new(plan.source.url());
    Ok(ExchangeSource::new(http, url, sign_in))
}

/// The way to the source.
pub fn source_http(plan: &Plan) -> Result<Http, CommandError> {
    let options = HttpOptions::with_connections(plan.limits.source_connections);
    Http::new(options).map_err(|e| transport(&e))
}

/// How the source is signed in to.
pub fn source_sign_in(plan: &Plan, secrets: &Secrets) -> Result<SignIn, CommandError> {
    let auth = &plan.source.auth;
    if auth.method != AuthMethod::Basic {
        return Err(CommandError::new(
            Exit::Refused,
            format!(
                "this version signs in to Exchange by basic authentication only, the plan says {}",
                auth.method.word()
            ),
        )
        .hint("write method = \"basic\" and allow it on the EWS directory, over TLS"));
    }
    if !plan.source.impersonate {
        return Err(CommandError::new(
            Exit::Refused,
            "this version reads mailboxes by impersonation only, the plan says impersonate = false",
        )
        .hint("give the account the role ApplicationImpersonation and write impersonate = true"));
    }
    Ok(SignIn::Basic {
        user: auth.username.clone(),
        pass: secrets.get(&auth.password_env, "the password of the source")?,
    })
}

fn target(
    plan: &Plan,
    secrets: &Secrets,
    clock: Arc<dyn Clock>,
) -> Result<GraphTarget, CommandError> {
    let credential = match &plan.target.credential {
        Credential::SecretEnv(name) => {
            GraphCredential::Secret(secrets.get(name, "the application's secret")?)
        }
        Credential::Certificate(_) => {
            return Err(CommandError::new(
                Exit::Refused,
                "this version signs in to Microsoft 365 by client secret only, the plan names a certificate",
            )
            .hint("write credential = { secret_env = \"NAME\" }"));
        }
    };
    let options = GraphOptions {
        login_url: plan.target.service.login_url().to_owned(),
        graph_url: plan.target.service.graph_url().to_owned(),
        tenant: plan.target.tenant.clone(),
        client_id: plan.target.client_id.clone(),
        credential,
        max_connections: target_connections(&plan.limits),
    };
    GraphTarget::new(options, clock).map_err(|e| transport(&e))
}

/// As many as all mailboxes at once may use.
fn target_connections(limits: &RunLimits) -> u32 {
    limits
        .mailboxes_at_once
        .saturating_mul(limits.target_calls_in_flight)
        .max(1)
}

fn transport(error: &TransportError) -> CommandError {
    CommandError::new(Exit::Unreached, error.to_string())
        .hint("check the system's certificate store")
}

/// Opens the plan's ledger, alone.
pub fn ledger(open: &OpenPlan, opening: Opening) -> Result<EmbeddedLedger, CommandError> {
    Ok(EmbeddedLedger::open(&open.state, &open.header, opening)?)
}

/// A name for this process's work: the moment it began, and its process number against two beginning at once.
pub fn run_id(clock: &dyn Clock) -> RunId {
    RunId::new(format!("{}-{}", clock.moment(), std::process::id()))
}

/// The dice of a run. Jitter needs to differ between processes, nothing more.
pub fn dice(clock: &dyn Clock) -> Dice {
    let seed = clock.moment().unix_ms().unsigned_abs() ^ (u64::from(std::process::id()) << 40);
    Dice::new(seed)
}

/// The runtime a command runs on.
pub fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            CommandError::new(Exit::Internal, format!("no threads to work on: {error}"))
        })
}
