//! Looking at the mailboxes of a plan by EWS, one after the other: settings first, and counts for the ledger of exposure where they are asked for.

use std::collections::BTreeSet;
use std::future::Future;

use crate::base::build::Build;
use crate::base::id::MailboxId;
use crate::base::limits::{READ_ATTEMPTS_MAX, SOURCE_HOLD_DEFAULT};
use crate::base::outcome::{Setback, Verdict};
use crate::base::quantity::Moment;
use crate::base::secret::Private;
use crate::base::sight::{Lies, Look, MailboxSight};
use crate::cli::assess_args::AssessArgs;
use crate::cli::assess_facts::domains;
use crate::cli::error::{CommandError, setback};
use crate::cli::plans::OpenPlan;
use crate::cli::secrets::Secrets;
use crate::cli::ui::Ui;
use crate::cli::{decisions, wiring};
use crate::evidence::manifest::Names;
use crate::flow::judge::{Repeat, judge};
use crate::port::clock::Clock;
use crate::port::posture::{ItemCounter, PostureSource};
use crate::posture::exposure::{self, Entry, ItemSight, Tally};
use crate::posture::mail::MailTally;
use crate::posture::server::{Origin, Sighting};
use crate::posture::timeline::Window;

/// What EWS showed.
pub(super) struct Seen {
    /// The build the server states.
    pub server: Option<Sighting>,
    /// The mailboxes of the plan.
    pub mailboxes: Vec<MailboxSight>,
    /// The ledger of exposure, where it was asked for.
    pub exposure: Option<Vec<Entry>>,
}

/// Looks. A mailbox that cannot be looked at is "not checked" with its reason; a server that cannot be reached ends the command.
pub(super) fn look(
    args: &AssessArgs,
    open: &OpenPlan,
    known: &[MailboxSight],
    ui: Ui,
) -> Result<Seen, CommandError> {
    let secrets = Secrets::open(args.secrets.secrets.as_deref(), &open.path, open.plan.realm)?;
    let source = wiring::source(&open.plan, &secrets)?;
    let jobs = open.plan.jobs();
    let addresses: Vec<MailboxId> = jobs.iter().map(|job| job.source.clone()).collect();
    let inventory = known.iter().map(|sight| sight.mailbox.reveal());
    let own = domains(inventory.chain(addresses.iter().map(MailboxId::reveal)));
    let window = args.window.as_ref().filter(|_| args.exposure);
    let names = match window {
        Some(_) => Some(Names::Pseudonyms(decisions::pseudonym_key(&open.state)?)),
        None => None,
    };
    let clock = wiring::clock();
    let runtime = wiring::runtime()?;
    runtime.block_on(async {
        let mut seen = Seen {
            server: None,
            mailboxes: Vec::new(),
            exposure: window.map(|_| Vec::new()),
        };
        if let Some(first) = addresses.first() {
            let version = again(clock.as_ref(), || source.probe(first)).await;
            let version = version.or_else(|why| if is_local(&why) { Ok(None) } else { Err(why) });
            let version = version.map_err(|why| setback("the source", &why))?;
            seen.server = version.map(|v| Sighting {
                server: host(open.plan.source.url()),
                origin: Origin::Ews,
                build: Some(Build {
                    major: v.major,
                    minor: v.minor,
                    build: v.build,
                    revision: v.revision,
                }),
            });
        }
        for address in &addresses {
            ui.detail(&format!("looking at {address}"));
            let mut sight = mailbox(&source, clock.as_ref(), address, &own).await?;
            let asked = Asked {
                window,
                mail: args.mail,
            };
            let counted = if asked.anything() {
                Some(count(&source, clock.as_ref(), address, asked).await?)
            } else {
                None
            };
            if let Some(counted) = counted.as_ref().filter(|_| args.mail) {
                sight.mail = match counted.mail.sight(&own) {
                    Ok(mail) => Look::Seen(mail),
                    Err(why) => Look::NotChecked(why),
                };
            }
            if let (Some(counted), Some(window), Some(names), Some(entries)) =
                (counted, window, &names, &mut seen.exposure)
            {
                let name = names.mailbox(address);
                entries.push(exposure::entry(name, counted.tally, &sight, window));
            }
            seen.mailboxes.push(sight);
        }
        Ok(seen)
    })
}

async fn mailbox(
    source: &dyn PostureSource,
    clock: &dyn Clock,
    address: &MailboxId,
    own: &BTreeSet<String>,
) -> Result<MailboxSight, CommandError> {
    match again(clock, || source.sight(address, own)).await {
        Ok(sight) => Ok(sight),
        Err(why) if is_local(&why) => Ok(MailboxSight::unseen(
            Private::new(address.reveal()),
            &format!("the mailbox could not be read: {why}"),
        )),
        Err(why) => Err(setback("the source", &why)),
    }
}

/// True for what concerns one mailbox only, or stays unreadable however often it is asked.
fn is_local(why: &Setback) -> bool {
    matches!(
        why,
        Setback::MailboxClosed(..)
            | Setback::FolderGone
            | Setback::Gone
            | Setback::OurRequest(_)
            | Setback::Misread(..)
    )
}

/// What listings are read for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    /// The window to count what lay open in.
    window: Option<&'a Window>,
    /// Bursts and look-alikes.
    mail: bool,
}

impl Asked<'_> {
    const fn anything(self) -> bool {
        self.window.is_some() || self.mail
    }
}

struct Counter<'a> {
    tally: Tally,
    mail: MailTally,
    asked: Asked<'a>,
}

impl ItemCounter for Counter<'_> {
    fn item(&mut self, at: Option<Moment>, domain: Option<String>, lies: Lies) {
        if self.asked.mail {
            self.mail.take(lies, at, domain.as_deref());
        }
        if let Some(window) = self.asked.window {
            self.tally.take(&ItemSight { at, domain }, window);
        }
    }
}

async fn count<'a>(
    source: &dyn PostureSource,
    clock: &dyn Clock,
    address: &MailboxId,
    asked: Asked<'a>,
) -> Result<Counter<'a>, CommandError> {
    let counted = again(clock, || async {
        let mut counter = Counter {
            tally: Tally::default(),
            mail: MailTally::default(),
            asked,
        };
        let everywhere = asked.window.is_some();
        source
            .count_items(address, everywhere, &mut counter)
            .await?;
        Ok(counter)
    });
    counted
        .await
        .map_err(|why| setback(&format!("counting the items of {address}"), &why))
}

/// Times the server may ask for patience about one mailbox: at its usual 5 to 60 s they are minutes, not hours.
const HOLDS_MAX: u32 = 60;

/// Asks as the retry policy says: what the server wants waited for is waited for, what may pass is asked again. A look is many calls, so that a
/// throttle among them does not count as a failed attempt.
async fn again<T, F>(clock: &dyn Clock, ask: impl Fn() -> F) -> Result<T, Setback>
where
    F: Future<Output = Result<T, Setback>>,
{
    let (mut attempts, mut holds) = (0, 0);
    loop {
        let why = match ask().await {
            Ok(value) => return Ok(value),
            Err(why) => why,
        };
        match judge(Repeat::Freely, &why) {
            Verdict::Again | Verdict::Renew | Verdict::Resurvey if attempts < READ_ATTEMPTS_MAX => {
                attempts += 1;
            }
            Verdict::Hold { at_least, .. } if holds < HOLDS_MAX => {
                holds += 1;
                let wait = at_least.unwrap_or(SOURCE_HOLD_DEFAULT);
                clock.sleep_until(clock.tick() + wait).await;
            }
            _ => return Err(why),
        }
    }
}

fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', ':']).next().unwrap_or(rest);
    format!("EWS at {host}")
}
