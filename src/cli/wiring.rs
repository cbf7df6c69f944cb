//! Builds the running system out of a plan: adapters, ledger, clock. Read it to know what talks to what.

use std::sync::Arc;

use crate::base::dice::Dice;
use crate::base::id::RunId;
use crate::base::limits::HASH_LIST_BYTES;
use crate::base::quantity::Moment;
use crate::base::secret::SafeUrl;
use crate::base::spec::RunLimits;
use crate::cli::decisions::read_text;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::OpenPlan;
use crate::cli::secrets::Secrets;
use crate::engine::clock::TokioClock;
use crate::exchange::{ExchangeSource, SignIn};
use crate::graph::{Credential as GraphCredential, GraphOptions, GraphTarget};
use crate::plan::document::{AuthMethod, Credential, Plan};
use crate::port::clock::Clock;
use crate::port::screen::Screener;
use crate::screen::quarantine::QuarantineDir;
use crate::screen::{Clamd, ItemScreener, ScreenOptions};
use crate::sift::HashLists;
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
    /// What looks into items on their way.
    pub screener: Option<Arc<dyn Screener>>,
}

impl Sides {
    /// The same, with what looks into items on their way, where the plan wants it.
    pub fn screened(mut self, open: &OpenPlan) -> Result<Self, CommandError> {
        self.screener = screener(open, Arc::clone(&self.clock))?;
        Ok(self)
    }
}

/// Builds both sides of a plan. Reaches nobody.
pub fn sides(plan: &Plan, secrets: &Secrets) -> Result<Sides, CommandError> {
    let clock = clock();
    Ok(Sides {
        source: Arc::new(source(plan, secrets)?),
        target: Arc::new(target(plan, secrets, Arc::clone(&clock))?),
        clock,
        screener: None,
    })
}

/// The clock of this process. The system's time is read once; from then on only its own ticks count.
pub fn clock() -> Arc<dyn Clock> {
    let now = jiff::Timestamp::now().as_millisecond();
    Arc::new(TokioClock::starting_at(Moment::from_unix_ms(now)))
}

/// Builds the source alone. Reaches nobody.
pub fn source(plan: &Plan, secrets: &Secrets) -> Result<ExchangeSource, CommandError> {
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
    let sign_in = SignIn::Basic {
        user: auth.username.clone(),
        pass: secrets.get(&auth.password_env, "the password of the source")?,
    };
    let options = HttpOptions::with_connections(plan.limits.source_connections);
    let http = Http::new(options).map_err(|e| transport(&e))?;
    let url = SafeUrl::new(plan.source.ews_url.clone());
    Ok(ExchangeSource::new(http, url, sign_in))
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

/// Builds what looks into items on their way, where the plan wants it. Reads the lists of hashes; reaches nobody.
fn screener(
    open: &OpenPlan,
    clock: Arc<dyn Clock>,
) -> Result<Option<Arc<dyn Screener>>, CommandError> {
    let Some(plan) = &open.plan.screening else {
        return Ok(None);
    };
    let mut lists = HashLists::default();
    for name in &plan.sha256_lists {
        let path = open.path.with_file_name(name);
        let text = read_text(&path, HASH_LIST_BYTES)?.ok_or_else(|| {
            CommandError::new(
                Exit::Refused,
                format!("{}: there is no such file", path.display()),
            )
            .hint("correct `sha256_lists` in [screening]: paths are relative to the plan")
        })?;
        lists.add(&text).map_err(|fault| {
            let place = format!("{}:{}: {}", path.display(), fault.line, fault.why);
            CommandError::new(Exit::Refused, place)
                .hint("one SHA-256 a line, as sha256sum writes it; # begins a comment")
        })?;
    }
    let recipient = plan.quarantine_recipient.as_deref();
    let quarantine = QuarantineDir::new(&open.state, recipient).map_err(|error| {
        let place = format!("{}: `quarantine_recipient`: {error}", open.path.display());
        CommandError::new(Exit::Refused, place).hint("age-keygen prints one")
    })?;
    let engine = plan.clamd.clone();
    let options = ScreenOptions {
        book: plan.rules.clone(),
        lists,
        engine: engine.map(|address| Clamd::new(address, Arc::clone(&clock))),
        quarantine,
    };
    Ok(Some(Arc::new(ItemScreener::new(options, clock))))
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
