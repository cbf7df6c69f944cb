//! Import sessions: one per mailbox, used for every item and folder of it until shortly before it ends (reference/graph.md 1.6).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::id::TargetMailboxId;
use crate::base::limits;
use crate::base::outcome::{Said, Setback, StopCause};
use crate::base::quantity::{Span, Tick};
use crate::base::secret::SafeUrl;
use crate::graph::caller::{Caller, json_post, origin};
use crate::graph::lease::renew_at;
use crate::transport::{CallBody, is_loopback};
use crate::wire::graph::classify::Asked;
use crate::wire::graph::import::ImportSession;
use crate::wire::graph::path::Resource;
use crate::wire::graph::retry_after::http_date;

#[derive(Debug, Default)]
struct Slot {
    held: Mutex<Option<(SafeUrl, Tick)>>,
    /// One fetch at a time; the others wait for its result.
    fetching: tokio::sync::Mutex<()>,
}

impl Slot {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(SafeUrl, Tick)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn good(&self, now: Tick) -> Option<SafeUrl> {
        let held = self.lock();
        let (url, until) = held.as_ref()?;
        (now < *until).then(|| url.clone())
    }
}

/// The sessions of all mailboxes.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    slots: Mutex<BTreeMap<TargetMailboxId, Arc<Slot>>>,
}

impl Sessions {
    /// A session URL that is good for now.
    pub(super) async fn get(
        &self,
        caller: &Caller,
        mailbox: &TargetMailboxId,
    ) -> Result<SafeUrl, Setback> {
        let slot = self.slot(mailbox);
        if let Some(url) = slot.good(caller.clock.tick()) {
            return Ok(url);
        }
        let _alone = slot.fetching.lock().await;
        if let Some(url) = slot.good(caller.clock.tick()) {
            return Ok(url);
        }
        let asked_at = caller.clock.tick();
        let (url, life) = open(caller, mailbox).await?;
        let until = renew_at(asked_at, life, limits::IMPORT_SESSION_MARGIN);
        *slot.lock() = Some((url.clone(), until));
        Ok(url)
    }

    /// Forgets the session of a mailbox.
    pub(super) fn forget(&self, mailbox: &TargetMailboxId) {
        *self.slot(mailbox).lock() = None;
    }

    fn slot(&self, mailbox: &TargetMailboxId) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(mailbox.clone()).or_default())
    }
}

async fn open(caller: &Caller, mailbox: &TargetMailboxId) -> Result<(SafeUrl, Span), Setback> {
    let resource = Resource::ImportSession {
        mailbox: mailbox.as_str().to_owned(),
    };
    let call = json_post(caller.url(&resource, ""), CallBody::None);
    caller.made(mailbox, 1);
    let reply = caller.send(Asked::Session, call).await?;
    let status = reply.status();
    // Measured against the service's own clock where it tells it, so that ours need not be right.
    let now = reply.header("date").and_then(http_date);
    let now = now.unwrap_or_else(|| caller.clock.moment());
    let body = reply.read_all(limits::ERROR_BODY_MAX).await?;
    let (url, ends) = ImportSession::read(status, &body)?;
    admit(caller, &url, "import-url-not-https")?;
    let life = ends.unix_ms().saturating_sub(now.unix_ms());
    Ok((url, Span::new(u64::try_from(life).unwrap_or(0))))
}

/// Refuses a pre-authenticated URL on which content would travel in clear; `why` is the code word. A rehearsal on loopback may.
pub(super) fn admit(caller: &Caller, url: &SafeUrl, why: &str) -> Result<(), Setback> {
    let secure = origin(url.expose()).is_some_and(|origin| origin.starts_with("https://"));
    let rehearsing = is_loopback(url) && is_loopback(&SafeUrl::new(caller.base()));
    if secure || rehearsing {
        return Ok(());
    }
    let said = Said::code(why);
    Err(Setback::SideClosed(StopCause::WrongTargetAddress, said))
}
