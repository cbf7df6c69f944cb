//! The first contact: reaches both sides and signs in before anything is begun, so that a wrong address or password is said within seconds and
//! not mailbox by mailbox.

use std::future::Future;

use crate::base::limits::ATTEMPTS_MAX;
use crate::base::outcome::{Setback, UnreachedCause};
use crate::base::secret::SafeUrl;
use crate::cli::error::{CommandError, side_closed};
use crate::cli::exit::Exit;
use crate::cli::plans::OpenPlan;
use crate::cli::troubles;
use crate::cli::ui::Ui;
use crate::cli::wiring::Sides;

/// Why there was no contact.
#[derive(Clone, Debug)]
pub struct NoContact {
    /// What to say.
    pub error: CommandError,
    /// True when nobody needs to act: the other side may be back in a while.
    pub may_pass: bool,
}

impl From<NoContact> for CommandError {
    fn from(no: NoContact) -> Self {
        no.error
    }
}

impl NoContact {
    /// With what the adapter knows beyond the setback, where that is about the same thing.
    fn detailed(mut self, setback: &Setback, known: Option<CommandError>) -> Self {
        let about = matches!(setback, Setback::Unreached(_) | Setback::SideClosed(..));
        if let Some(known) = known.filter(|_| about) {
            self.error = known;
        }
        self
    }
}

/// Why the target was not reached.
fn target_trouble(sides: &Sides, key: &str, url: &str) -> Option<CommandError> {
    let url = SafeUrl::new(url);
    let trouble = sides.target.trouble()?;
    Some(troubles::connect("target", key, &trouble, &url))
}

/// Reaches and signs in to both sides. What concerns a single mailbox is left to the engine.
pub async fn first_contact(open: &OpenPlan, sides: &Sides, ui: Ui) -> Result<(), NoContact> {
    let Some(first) = open.plan.jobs().into_iter().next() else {
        return Ok(());
    };
    let source = once_more(|| sides.source.probe(&first.source)).await;
    if let Err(setback) = &source {
        let url = open.plan.source.url();
        let known = sides.source.trouble();
        let known = known.map(|why| troubles::source(&why, &SafeUrl::new(url)));
        judge("source", "ews_url", url, setback).map_err(|no| no.detailed(setback, known))?;
    }
    let service = &open.plan.target.service;
    if let Err(setback) = once_more(|| sides.target.sign_in()).await {
        let known = target_trouble(sides, "login_url", service.login_url());
        judge("target", "login_url", service.login_url(), &setback)
            .map_err(|no| no.detailed(&setback, known))?;
    }
    if let Err(setback) = once_more(|| sides.tree.resolve(&first.target)).await {
        let known = target_trouble(sides, "graph_url", service.graph_url());
        judge("target", "graph_url", service.graph_url(), &setback)
            .map_err(|no| no.detailed(&setback, known))?;
    }
    ui.detail("both sides are reached and signed in to");
    if let Ok(Some(version)) = source {
        ui.detail(&format!("the source says it is {version:?}"));
    }
    Ok(())
}

/// Whether a setback of the first contact ends the command.
fn judge(side: &str, key: &str, url: &str, setback: &Setback) -> Result<(), NoContact> {
    let no = |error, may_pass| Err(NoContact { error, may_pass });
    let url = SafeUrl::new(url);
    match setback {
        Setback::SideClosed(cause, _) => no(side_closed(*cause), false),
        Setback::Unreached(cause) => no(
            CommandError::new(
                Exit::Unreached,
                format!("the {side} at {url} cannot be reached: {setback}"),
            )
            .hint(match cause {
                UnreachedCause::Name => format!(
                    "check the host in `{key}` of the plan, and name resolution on this machine"
                ),
                UnreachedCause::Connect => {
                    format!("check host and port in `{key}` of the plan, firewall and proxy")
                }
                UnreachedCause::Tls => {
                    "check the certificate of the server, and that this machine trusts its issuer"
                        .to_owned()
                }
                UnreachedCause::NotSecure => format!("write https:// in `{key}` of the plan"),
            }),
            matches!(cause, UnreachedCause::Name | UnreachedCause::Connect),
        ),
        Setback::Misread(_, _)
        | Setback::Lost(_)
        | Setback::GatewayGaveUp(_)
        | Setback::Unwell(_) => no(
            CommandError::new(
                Exit::Unreached,
                format!("the {side} at {url} does not answer as it should: {setback}"),
            )
            .hint(format!(
                "check `{key}` of the plan and the health of that server, then run again"
            )),
            true,
        ),
        // Reached and signed in; the rest is about one mailbox, or about the pace.
        _ => Ok(()),
    }
}

/// Asks up to five times: the first answer may be lost.
async fn once_more<T, F>(ask: impl Fn() -> F) -> Result<T, Setback>
where
    F: Future<Output = Result<T, Setback>>,
{
    for _ in 1..ATTEMPTS_MAX {
        match ask().await {
            Err(
                Setback::Lost(_)
                | Setback::GatewayGaveUp(_)
                | Setback::Unwell(_)
                | Setback::Expired(_)
                | Setback::Misread(_, _),
            ) => {}
            other => return other,
        }
    }
    ask().await
}
