//! Builds the running system out of a plan: adapters, ledger, clock. Read it to know what talks to what.

use std::sync::Arc;

use crate::base::dice::Dice;
use crate::base::id::RunId;
use crate::base::limits::HASH_LIST_BYTES;
use crate::base::quantity::Moment;
use crate::base::route::{ReminderRule, RouteRule};
use crate::base::secret::SafeUrl;
use crate::base::spec::RunLimits;
use crate::cli::decisions::read_text;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::OpenPlan;
use crate::cli::reach::{identity, reach};
use crate::cli::secrets::{Secrets, kerberos_setting};
use crate::engine::clock::TokioClock;
use crate::engine::ports::Ports;
use crate::exchange::{ExchangeSource, KerberosFrom, SignIn, has_kerberos};
use crate::graph::{Credential as GraphCredential, GraphOptions, GraphTarget, UserTarget};
use crate::plan::document::{AuthMethod, Credential, Plan, Proof, SourceAuth};
use crate::port::clock::Clock;
use crate::port::ledger::Ledger;
use crate::port::probe::TargetProbe;
use crate::port::screen::Screener;
use crate::port::sink::EventSink;
use crate::port::target::Target;
use crate::port::typed::TypedPorts;
use crate::screen::quarantine::QuarantineDir;
use crate::screen::{Clamd, ItemScreener, ScreenOptions};
use crate::sift::HashLists;
use crate::store::embedded::{EmbeddedLedger, Opening};
use crate::transport::{Http, HttpOptions, IdentityFault, TransportError};

/// Both sides and the clock they share.
#[derive(Debug)]
pub struct Sides {
    /// The on-premises Exchange.
    pub source: Arc<ExchangeSource>,
    /// Microsoft 365.
    pub target: Arc<GraphTarget>,
    /// The same, by the API that the cloud has folders and listings by.
    pub tree: Arc<dyn Target>,
    /// And what a preflight asks of it.
    pub probe: Arc<dyn TargetProbe>,
    /// The clock of the process.
    pub clock: Arc<dyn Clock>,
    /// What looks into items on their way.
    pub screener: Option<Arc<dyn Screener>>,
}

impl Sides {
    /// Both ends of the typed route: the same two, by their other calls.
    pub fn typed(&self) -> TypedPorts {
        TypedPorts {
            source: self.source.clone(),
            target: self.target.clone(),
        }
    }

    /// The seams as the engine is handed them.
    pub fn ports(&self, ledger: Arc<dyn Ledger>, events: Arc<dyn EventSink>) -> Ports {
        Ports {
            source: self.source.clone(),
            target: Arc::clone(&self.tree),
            ledger,
            clock: Arc::clone(&self.clock),
            events,
            screener: self.screener.clone(),
            typed: Some(self.typed()),
        }
    }

    /// The same, with what looks into items on their way, where the plan wants it.
    pub fn screened(mut self, open: &OpenPlan) -> Result<Self, CommandError> {
        self.screener = screener(open, Arc::clone(&self.clock))?;
        Ok(self)
    }
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
    let source = Arc::new(source_as_far(plan, secrets, &clock)?);
    let target = target(plan, secrets, Arc::clone(&clock))?;
    let (target, tree, probe): (_, Arc<dyn Target>, Arc<dyn TargetProbe>) =
        if plan.target.has_import() {
            let target = Arc::new(target);
            (target.clone(), target.clone(), target)
        } else {
            let target = Arc::new(target.without_import());
            let by_users = Arc::new(UserTarget::of(target.clone()));
            (target, by_users.clone(), by_users)
        };
    Ok(Sides {
        source,
        target,
        tree,
        probe,
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
    known_url(plan)?;
    source_as_far(plan, secrets, &clock())
}

fn source_as_far(
    plan: &Plan,
    secrets: &Secrets,
    clock: &Arc<dyn Clock>,
) -> Result<ExchangeSource, CommandError> {
    let way = source_way(plan, secrets)?;
    let sign_in = source_sign_in(plan, secrets)?;
    let url = SafeUrl::new(plan.source.url());
    ExchangeSource::connect(way, url, sign_in, clock).map_err(|e| transport(&e))
}

fn source_way(plan: &Plan, secrets: &Secrets) -> Result<HttpOptions, CommandError> {
    let options = HttpOptions::with_connections(plan.limits.source_connections);
    Ok(options.by(reach(&plan.source.reach, secrets)?))
}

/// The way to the source, for whoever asks before its URL is known.
pub fn source_http(plan: &Plan, secrets: &Secrets) -> Result<Http, CommandError> {
    let way = source_way(plan, secrets)?;
    let sign_in = source_sign_in(plan, secrets)?;
    sign_in.way(way, &clock()).map_err(|e| transport(&e))
}

/// How the source is signed in to.
pub fn source_sign_in(plan: &Plan, secrets: &Secrets) -> Result<SignIn, CommandError> {
    if !plan.source.impersonate {
        return Err(CommandError::new(
            Exit::Refused,
            "this version reads mailboxes by impersonation only, the plan says impersonate = false",
        )
        .hint("give the account the role ApplicationImpersonation and write impersonate = true"));
    }
    sign_in(&plan.source.auth, secrets)
}

/// How the source account signs in.
fn sign_in(auth: &SourceAuth, secrets: &Secrets) -> Result<SignIn, CommandError> {
    let user = auth.username.clone();
    let name = Some(user.clone()).filter(|user| !user.is_empty());
    match &auth.proof {
        Proof::Keytab(path) => {
            let path = secrets.beside(path).display().to_string();
            kerberos(name, "KRB5_CLIENT_KTNAME", &path)
        }
        Proof::TicketCache(cache) => kerberos(name, "KRB5CCNAME", cache),
        Proof::TokenEnv(env) => Ok(SignIn::Bearer(secrets.get(env, "the token of the source")?)),
        Proof::PasswordEnv(env) => {
            let pass = secrets.get(env, "the password of the source")?;
            Ok(match auth.method {
                AuthMethod::Ntlm => SignIn::Ntlm { user, pass },
                AuthMethod::Negotiate => SignIn::Negotiate { user, pass },
                AuthMethod::OAuth => SignIn::Bearer(pass),
                AuthMethod::Basic => SignIn::Basic { user, pass },
            })
        }
    }
}

/// Kerberos with tickets from where the plan says. The system's library takes that from the environment and from nowhere else, and a process cannot
/// safely change its own; so the two are compared.
fn kerberos(
    principal: Option<String>,
    variable: &str,
    wanted: &str,
) -> Result<SignIn, CommandError> {
    if !has_kerberos() {
        let message = "the plan signs in to Exchange by Kerberos, and this build has none";
        return Err(CommandError::new(Exit::Refused, message)
            .hint("build with --features kerberos, or write method = \"ntlm\" with password_env"));
    }
    let set = kerberos_setting(variable);
    let bare = |text: &str| text.trim_start_matches("FILE:").to_owned();
    if set.as_deref().map(bare) != Some(bare(wanted)) {
        let message = format!("the plan names {wanted} for Kerberos, and {variable} does not");
        return Err(
            CommandError::new(Exit::Unreached, message).hint(format!("export {variable}={wanted}"))
        );
    }
    Ok(SignIn::Kerberos(KerberosFrom { principal }))
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
        Credential::Certificate(file) => {
            let own = identity(file, secrets)?;
            if !own.can_sign() {
                let message = format!("{}: {}", file.path, IdentityFault::NotRsa);
                return Err(CommandError::new(Exit::Refused, message)
                    .hint("register a certificate with an RSA key for the application"));
            }
            GraphCredential::Certificate(own)
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
    let way = reach(&plan.target.reach, secrets)?;
    let target = GraphTarget::by(options, &way, clock).map_err(|e| transport(&e))?;
    let target = match plan.target.reminders {
        ReminderRule::AsSource => target,
        ReminderRule::AfterCutover => target.holding_reminders(),
    };
    Ok(match plan.target.route {
        RouteRule::Stream => target,
        RouteRule::Auto | RouteRule::Typed => target.with_marks(),
    })
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
        .hint("check the system's certificate store and the files that `tls` names in the plan")
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
