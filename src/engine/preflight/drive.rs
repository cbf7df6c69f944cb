//! The order of a preflight: servers, sign-in on both sides, mailboxes side by side, canaries.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::base::canary::CanaryRun;
use crate::base::dice::Dice;
use crate::base::event::Side;
use crate::base::limits;
use crate::base::outcome::{HaltCause, Setback, StopCause};
use crate::base::probe::{Greeting, HuntSight, Server, ServerSight};
use crate::base::quantity::Span;
use crate::base::route::RouteRule;
use crate::base::spec::{JobSpec, RunLimits, Selection};
use crate::engine::preflight::ask::Asker;
use crate::engine::preflight::canary;
use crate::engine::preflight::mailbox::{Looked, look};
use crate::engine::room::Spool;
use crate::port::clock::Clock;
use crate::port::probe::{CanaryLog, SourceProbe, TargetProbe};
use crate::port::source::Source;
use crate::port::target::Target;
use crate::port::typed::TypedPorts;
use crate::preflight::observed::{MailboxSeen, Observed};

/// The seams of a preflight.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Where items come from.
    pub source: Arc<dyn Source>,
    /// The questions beside.
    pub source_probe: Arc<dyn SourceProbe>,
    /// Where they go.
    pub target: Arc<dyn Target>,
    /// The questions beside.
    pub target_probe: Arc<dyn TargetProbe>,
    /// Both ends of the typed route.
    pub typed: TypedPorts,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// What a preflight is asked to do.
#[derive(Debug)]
pub struct Order {
    /// The mailboxes to look at.
    pub jobs: Vec<JobSpec>,
    /// What is carried.
    pub select: Selection,
    /// The bounds of a run.
    pub limits: RunLimits,
    /// By which route items are to travel; without streams canaries are made by their class, and no session is asked for.
    pub route: RouteRule,
    /// How the search for the EWS URL ended, where the plan asks for one; without a URL the source is not asked.
    pub hunt: Option<HuntSight>,
    /// Under which name canaries go.
    pub run: CanaryRun,
    /// Where their steps are written down; without it none is sent, and the text says why.
    pub log: Result<Arc<dyn CanaryLog>, String>,
    /// Where bodies that find no memory go.
    pub spool_dir: PathBuf,
    /// Jitter.
    pub dice: Dice,
}

/// What every question is asked with.
pub(super) struct Desk<'a> {
    pub(super) ports: &'a Ports,
    pub(super) order: &'a Order,
    pub(super) asker: &'a Asker,
    pub(super) spool: Arc<Spool>,
}

impl Desk<'_> {
    /// How long the target may take to show what is new.
    pub(super) const fn settle(&self) -> Span {
        self.order.limits.settle
    }
}

/// Asks everything.
pub async fn observe(ports: &Ports, order: &Order) -> Observed {
    let asker = Asker::new(
        Arc::clone(&ports.clock),
        Arc::clone(&ports.target),
        order.dice.split("preflight"),
    );
    let desk = Desk {
        ports,
        order,
        asker: &asker,
        spool: Spool::new(
            order.limits.spool_total,
            order.limits.spool_memory,
            order.spool_dir.clone(),
        ),
    };
    let mut seen = Observed::default();
    let there = matches!(order.hunt, None | Some(HuntSight::Found { .. }));
    let at_source = async {
        if there {
            Some(ports.source_probe.look(asker.clock()).await)
        } else {
            None
        }
    };
    let (source, targets) = tokio::join!(at_source, ports.target_probe.look());
    seen.hunt.clone_from(&order.hunt);
    let mut open = (
        source.as_ref().is_some_and(ServerSight::is_open),
        targets.iter().all(|(_, sight)| sight.is_open()),
    );
    seen.servers
        .extend(source.map(|sight| (Server::Source, sight)));
    seen.servers.extend(targets);
    let mut pairs: Vec<MailboxSeen> = (order.jobs.iter())
        .map(|job| MailboxSeen::unseen(job.source.clone(), job.target.clone()))
        .collect();
    if open.0
        && let Some(first) = pairs.first_mut()
    {
        let greeting = asker
            .ask(Side::Source, None, || {
                ports.source_probe.greet(&first.source)
            })
            .await;
        open.0 = lets_others_in(&greeting);
        first.greeting = Some(greeting);
    }
    if open.1 {
        let token = asker
            .ask(Side::Target, None, || ports.target_probe.sign_in())
            .await;
        open.1 = token.is_ok();
        seen.token = Some(token);
    }
    let at_once = usize::try_from(order.limits.mailboxes_at_once).unwrap_or(1);
    let looks = pairs.into_iter().map(|pair| look(&desk, pair, open));
    let looked: Vec<Looked> = stream::iter(looks)
        .buffered(at_once.clamp(1, limits::LOOKS_AT_ONCE))
        .collect()
        .await;
    seen.canaries = match &order.log {
        Ok(log) => canary::fly(&desk, log.as_ref(), &looked).await,
        Err(why) => crate::preflight::observed::CanariesSeen {
            not_tried: Some(why.clone()),
            ..Default::default()
        },
    };
    seen.mailboxes = looked.into_iter().map(|one| one.seen).collect();
    seen.source_calls = asker.calls(Side::Source);
    seen.target_calls = asker.calls(Side::Target);
    seen.at = ports.clock.moment();
    seen
}

/// Whether the answer about the first mailbox leaves a point in asking about others. A refused sign-in is never repeated: it counts towards the
/// lock-out of the account.
fn lets_others_in(greeting: &Result<Greeting, Setback>) -> bool {
    match greeting {
        Ok(_) => true,
        Err(Setback::MailboxClosed(
            HaltCause::NoSourceMailbox
            | HaltCause::ImpersonationDenied
            | HaltCause::SourceDenied
            | HaltCause::Moving,
            _,
        )) => true,
        Err(Setback::SideClosed(
            StopCause::SourceCredentials
            | StopCause::NoImpersonation
            | StopCause::WrongSourceAddress
            | StopCause::ClientRefused,
            _,
        )) => false,
        Err(_) => false,
    }
}
