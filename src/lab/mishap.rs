//! Mishaps: what goes wrong and stays so for a while, or for good: a mailbox on its way to another database, a poisoned item, a folder its
//! user deletes. They befall the world at once, or when the n-th call of a kind comes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::control::folder_of;
use super::fault::{CallKind, Fault};
use super::world::{Now, Refused, World};
use super::world_store::Store;
use crate::base::event::Side;
use crate::base::item::SearchKey;
use crate::base::quantity::{Bytes, Moment, Span, Tick};

/// What may befall the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mishap {
    /// The source mailbox is being moved for `ms` (15 minutes where left out): ErrorMailboxMoveInProgress, then well again.
    Moving,
    /// Items whose export kills the whole call with a 500, each time.
    PoisonedItem,
    /// Items whose export is refused as corrupt, each time.
    CorruptItem,
    /// Items whose import is refused with 500 and ErrorCorruptData, each time.
    RefusedItem,
    /// Items whose import ends in a 500 that says nothing, each time, and nothing is made.
    FailingItem,
    /// The source's user deletes items for good.
    ItemsDeleted,
    /// The source's user deletes the folder with all inside.
    SourceFolderDeleted,
    /// The target's user deletes the folder with all inside.
    TargetFolderDeleted,
    /// The target mailbox is full: it takes `bytes` more, or nothing.
    QuotaFull,
    /// New items of the target stay out of listings for `ms`.
    Lag,
    /// The civil clock of the services steps by `ms`, which may be negative.
    ClockStep,
    /// Every access token given out so far has ended.
    TokensEnded,
    /// Every import session opened so far has ended.
    SessionsEnded,
    /// The next `count` messages made by their fields are not found by the first call that adds something to them.
    Unseen,
}

impl Mishap {
    /// Every mishap.
    pub const ALL: [Self; 14] = [
        Self::Moving,
        Self::PoisonedItem,
        Self::CorruptItem,
        Self::RefusedItem,
        Self::FailingItem,
        Self::ItemsDeleted,
        Self::SourceFolderDeleted,
        Self::TargetFolderDeleted,
        Self::QuotaFull,
        Self::Lag,
        Self::ClockStep,
        Self::TokensEnded,
        Self::SessionsEnded,
        Self::Unseen,
    ];
}

/// One order of the control page: `{"mishap","mailbox","folder","count","ms","bytes","at":{"call","after"}}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MishapOrder {
    /// What.
    pub mishap: Mishap,
    /// To which mailbox, by address; of no meaning to clocks, tokens and sessions.
    #[serde(default)]
    pub mailbox: String,
    /// In which folder, by its path as the truth shows it; the Inbox where it is left out.
    #[serde(default)]
    pub folder: Option<String>,
    /// How many items; one where it is left out.
    #[serde(default = "one")]
    pub count: usize,
    /// Passed over before the first of them, in order of arrival.
    #[serde(default)]
    pub skip: usize,
    /// Milliseconds.
    #[serde(default)]
    pub ms: Option<i64>,
    /// Bytes.
    #[serde(default)]
    pub bytes: u64,
    /// When; at once where it is left out.
    #[serde(default)]
    pub at: Option<Occasion>,
}

impl MishapOrder {
    /// A mishap of this mailbox, at once, in the Inbox, to its first item.
    pub fn new(mishap: Mishap, mailbox: &str) -> Self {
        Self {
            mishap,
            mailbox: mailbox.to_owned(),
            folder: None,
            count: 1,
            skip: 0,
            ms: None,
            bytes: 0,
            at: None,
        }
    }
}

const fn one() -> usize {
    1
}

/// The call before which a mishap happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Occasion {
    /// A call of this kind.
    pub call: CallKind,
    /// That comes after so many others of it.
    #[serde(default)]
    pub after: u32,
}

/// What is wrong with the world, and what is still to come.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// Source mailboxes in small letters, and until when they are moved.
    moving: BTreeMap<String, Tick>,
    /// Items whose export kills the call.
    poisoned: BTreeSet<String>,
    /// Search keys of items whose import fails without a word.
    failing: BTreeSet<SearchKey>,
    /// What the civil clock is off by.
    step_ms: i64,
    /// The claims that a token must be asked for with.
    claims: Option<String>,
    to_come: Vec<MishapOrder>,
    /// The next listing gives fewer than asked.
    short: bool,
}

/// How long a mailbox is moved where nobody says (reference/ews.md section 4).
const MOVE: i64 = 900_000;

/// What a challenge demands: a token that is not older than it.
const CLAIMS: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1795000000"}}}"#;

impl World {
    /// Lets a mishap happen, now or at its occasion.
    pub fn befall(&mut self, now: Now, order: MishapOrder) -> Result<(), Refused> {
        if order.at.is_some() {
            self.troubles.to_come.push(order);
            return Ok(());
        }
        let ms = order.ms;
        let span = |default: i64| Span::new(u64::try_from(ms.unwrap_or(default)).unwrap_or(0));
        match order.mishap {
            Mishap::Moving => {
                self.source_store(&order.mailbox)?;
                let mailbox = order.mailbox.to_ascii_lowercase();
                self.troubles.moving.insert(mailbox, now.tick + span(MOVE));
            }
            Mishap::PoisonedItem => {
                let items = self.items_of(&order)?;
                self.troubles.poisoned.extend(items);
            }
            Mishap::CorruptItem => {
                for id in self.items_of(&order)? {
                    self.mark_corrupt(&order.mailbox, &id)?;
                }
            }
            Mishap::RefusedItem => {
                for id in self.items_of(&order)? {
                    self.mark_import_refused(&order.mailbox, &id)?;
                }
            }
            Mishap::FailingItem => {
                for id in self.items_of(&order)? {
                    let key = self.source_item(&order.mailbox, &id)?.search_key;
                    self.troubles.failing.insert(key.ok_or(Refused::NoItem)?);
                }
            }
            Mishap::ItemsDeleted => {
                for id in self.items_of(&order)? {
                    self.delete_source_item(&order.mailbox, &id)?;
                }
            }
            Mishap::SourceFolderDeleted => {
                let store = self.source_store_mut(&order.mailbox)?;
                let folder = folder_of(store, order.folder.as_deref())?;
                drop_folder(store, &folder);
            }
            Mishap::TargetFolderDeleted => {
                let mailbox = self.resolve(&order.mailbox)?;
                let store = self.target_store_mut(&mailbox)?;
                let folder = folder_of(store, order.folder.as_deref())?;
                drop_folder(store, &folder);
            }
            Mishap::QuotaFull => {
                let mailbox = self.resolve(&order.mailbox)?;
                let used = self.target_store(&mailbox)?.used;
                self.set_quota(&mailbox, used + Bytes::new(order.bytes))?;
            }
            Mishap::Lag => self.options.lag = span(0),
            Mishap::ClockStep => self.troubles.step_ms += ms.unwrap_or(0),
            Mishap::Unseen => self.unseen.0 = u32::try_from(order.count).unwrap_or(u32::MAX),
            Mishap::TokensEnded => self.end_tokens(now),
            Mishap::SessionsEnded => {
                for (_, end) in self.sessions.values_mut() {
                    *end = now.tick;
                }
            }
        }
        Ok(())
    }

    /// What befalls the world before this call, and what that means for the call itself.
    pub(super) fn trouble(
        &mut self,
        now: Now,
        side: Side,
        mailbox: &str,
        kind: CallKind,
    ) -> Option<Fault> {
        let mut due = Vec::new();
        self.troubles
            .to_come
            .retain_mut(|order| match &mut order.at {
                Some(at) if at.call != kind => true,
                Some(Occasion { after: 0, .. }) | None => {
                    due.push(order.clone());
                    false
                }
                Some(at) => {
                    at.after -= 1;
                    true
                }
            });
        for order in due {
            // What cannot happen any more (an item gone already) does not.
            let _ = self.befall(now, MishapOrder { at: None, ..order });
        }
        let until = self.troubles.moving.get(&mailbox.to_ascii_lowercase());
        let moving = side == Side::Source && until.is_some_and(|until| now.tick < *until);
        moving.then_some(Fault::Moving)
    }

    fn items_of(&self, order: &MishapOrder) -> Result<Vec<String>, Refused> {
        let store = self.source_store(&order.mailbox)?;
        let folder = folder_of(store, order.folder.as_deref())?;
        let own = store.folders.get(&folder).into_iter();
        let items = own.flat_map(|folder| folder.items.values());
        Ok(items.skip(order.skip).take(order.count).cloned().collect())
    }

    /// The civil time as the services have it.
    pub fn shown(&self, now: Now) -> Now {
        let ms = now.moment.unix_ms().saturating_add(self.troubles.step_ms);
        Now {
            moment: Moment::from_unix_ms(ms),
            ..now
        }
    }

    /// True for an item that kills the call it is exported in.
    pub(super) fn is_poisoned(&self, item: &str) -> bool {
        self.troubles.poisoned.contains(item)
    }

    /// True for the search key of an item whose import fails without a word.
    pub(super) fn fails_to_import(&self, key: &SearchKey) -> bool {
        self.troubles.failing.contains(key)
    }

    /// Lets the listings inside `act` give fewer than asked.
    pub(super) fn with_short_pages<T>(
        &mut self,
        short: bool,
        act: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.troubles.short = short;
        let done = act(self);
        self.troubles.short = false;
        done
    }

    /// How many a listing gives of what was asked for.
    pub(super) const fn given(&self, at_most: u64) -> u64 {
        if self.troubles.short {
            short_of(at_most)
        } else {
            at_most
        }
    }

    /// Refuses every token given out so far until one was asked for with the claims of the challenge.
    pub(super) fn demand_claims(&mut self, now: Now) {
        self.end_tokens(now);
        self.troubles.claims = Some(CLAIMS.to_owned());
    }

    /// The claims that are demanded.
    pub(super) fn claims(&self) -> Option<&str> {
        self.troubles.claims.as_deref()
    }

    /// True when a token asked for with these claims will be taken. The demand is met then.
    pub(super) fn meets_claims(&mut self, claims: Option<&str>) -> bool {
        let met = self.troubles.claims.is_none() || self.troubles.claims.as_deref() == claims;
        if met {
            self.troubles.claims = None;
        }
        met
    }

    /// Steps the civil clock of the services.
    pub(super) const fn step_clock(&mut self, ms: i64) {
        self.troubles.step_ms = self.troubles.step_ms.saturating_add(ms);
    }

    fn end_tokens(&mut self, now: Now) {
        for end in self.tokens.values_mut() {
            *end = (*end).min(now.tick);
        }
    }
}

/// How many a short page gives of what was asked for.
pub(super) const fn short_of(at_most: u64) -> u64 {
    if at_most > 3 { at_most / 3 } else { 1 }
}

/// Takes a folder out, with all inside.
fn drop_folder(store: &mut Store, folder: &str) {
    let mut doomed = vec![folder.to_owned()];
    for id in &store.order {
        let parent = store.folders.get(id).and_then(|f| f.parent.as_deref());
        if parent.is_some_and(|parent| doomed.iter().any(|own| own == parent)) {
            doomed.push(id.clone());
        }
    }
    let items: Vec<String> = store
        .items
        .iter()
        .filter(|(_, item)| doomed.contains(&item.folder))
        .map(|(id, _)| id.clone())
        .collect();
    for id in items {
        if let Some(item) = store.items.remove(&id) {
            store.used = store.used.saturating_sub(item.size);
            store.taken.insert(id);
        }
    }
    store.unread.take();
    store.order.retain(|id| !doomed.contains(id));
    for id in &doomed {
        store.folders.remove(id);
    }
}
