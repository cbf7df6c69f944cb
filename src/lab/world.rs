//! The world: an Exchange 2016 and a Microsoft 365 as one pure model. Time is a parameter, randomness is seeded, and every rule of the
//! services that matters to a migration lives here once; the faces only translate.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base64::Engine as _;

use super::fault::{CallKind, Fault, Weather};
use super::mishap::Troubles;
pub use super::world_calls::{Busy, InvalidRequest, Limit, Ticket};
use super::world_calls::{Calls, SMALL_HOLD};
pub use super::world_content::{Content, Ident, Load, filetime_of, moment_of, plain_ident};
use super::world_events::Beside;
pub use super::world_folders::{HierarchyChange, HierarchyChanges};
pub use super::world_source::{Export, NewFolder, RenIds};
use super::world_store::{Folder, Item, Store};
pub use super::world_sync::{Find, SyncChange, SyncPage};
pub use super::world_target::{ImportOrder, Session, TargetItems};
use super::world_typed::UploadSlot;
use crate::base::dice::Dice;
use crate::base::event::Side;
use crate::base::id::MailboxId;
use crate::base::item::{ItemClass, SearchKey};
use crate::base::mailbox::{FolderKind, FolderRole};
use crate::base::quantity::{Bytes, Count, Moment, Span, Tick};

/// A point in time, on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Orders and paces.
    pub tick: Tick,
    /// For records.
    pub moment: Moment,
}

/// How strictly the target counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limits {
    /// Not at all.
    Off,
    /// As published (reference/graph.md section 4).
    #[default]
    Published,
    /// The same rules with a window of 2 s, for rehearsals in real time.
    Small,
}

/// What kind of world this is.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// Decides ids, tokens and weather.
    pub seed: u64,
    /// How strictly the target counts.
    pub limits: Limits,
    /// How often the wire fails.
    pub weather: Weather,
    /// How long a new target item stays out of listings.
    pub lag: Span,
    /// How long an access token lives.
    pub token_life: Span,
    /// How long an import session lives.
    pub session_life: Span,
    /// The target keeps digests instead of streams: for large benches. Exports of the target are refused then.
    pub discard_content: bool,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            limits: Limits::Published,
            weather: Weather::Calm,
            lag: Span::ZERO,
            token_life: Span::from_secs(3_599),
            session_life: Span::from_secs(3_600),
            discard_content: false,
        }
    }
}

/// Why the world says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No such mailbox.
    NoMailbox,
    /// No such folder.
    NoFolder,
    /// No such item.
    NoItem,
    /// The id exists in another spelling: somebody changed its case.
    WrongCase,
    /// A search folder holds no items to synchronise.
    SearchFolder,
    /// The sync state is not one of ours, or of another folder.
    BadState,
    /// The item cannot be read.
    Corrupt,
    /// A folder of exactly this name is there.
    FolderExists,
    /// No such import session.
    NoSession,
    /// The import session or token has ended.
    Expired,
    /// The stream's container is broken, or it ends in the truncation marker.
    MalformedStream,
    /// This stream is refused for what it is.
    ImportRefused,
    /// The item is not the version the caller means.
    WrongVersion,
    /// The mailbox is full.
    QuotaFull,
    /// The item is larger than the mailbox takes.
    TooLarge,
    /// The content was thrown away (`discard_content`).
    Discarded,
    /// A default folder can be neither renamed nor deleted.
    Protected,
    /// An item whose export kills the call.
    Poisoned,
    /// An import that ends in an error without a word, and makes nothing.
    Failing,
}

/// A folder as either face shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRow {
    /// Its id.
    pub id: String,
    /// Its version mark.
    pub change_key: String,
    /// Its parent; `None` for folders right under the mailbox's own root, such as the root of the user's tree.
    pub parent: Option<String>,
    /// Display name.
    pub name: String,
    /// Folder class.
    pub class: String,
    /// What it is for.
    pub role: Option<FolderRole>,
    /// Generic or search.
    pub kind: FolderKind,
    /// PidTagAttributeHidden.
    pub hidden: bool,
    /// PidTagEntryId.
    pub entry_id: Vec<u8>,
    /// Visible normal items.
    pub items: Count,
    /// Their bytes.
    pub size: Bytes,
    /// Direct children.
    pub children: Count,
}

/// An item as either face shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRow {
    /// Its id.
    pub id: String,
    /// Its version mark.
    pub change_key: String,
    /// In which folder.
    pub folder: String,
    /// Its class.
    pub class: ItemClass,
    /// PidTagSearchKey.
    pub search_key: Option<SearchKey>,
    /// PidTagInternetMessageId.
    pub message_id: Option<String>,
    /// PidTagClientSubmitTime as FILETIME.
    pub submitted: Option<u64>,
    /// PidTagMessageFlags.
    pub flags: u32,
    /// Whether it is read.
    pub read: bool,
    /// When it was received, where it says so. The target's listings show no such time.
    pub received: Option<Moment>,
    /// When it was put into this store.
    pub created: Moment,
    /// When it last changed.
    pub modified: Moment,
    /// Its size as the store counts it.
    pub size: Bytes,
    /// PidTagInternetArticleNumber: rises with each item of a folder.
    pub article: u64,
}

/// The world. Faces share it behind one lock and hold that lock only for single calls.
#[derive(Debug)]
pub struct World {
    pub(super) options: WorldOptions,
    /// By lower-case address.
    pub(super) source: BTreeMap<String, Store>,
    /// By mailbox id (`MBX:...`).
    pub(super) target: BTreeMap<String, Store>,
    pub(super) pairs: Vec<(MailboxId, MailboxId)>,
    pub(super) seq: u64,
    pub(super) dice: Dice,
    pub(super) sky: Dice,
    pub(super) script: VecDeque<(CallKind, Option<Fault>)>,
    pub(super) tokens: BTreeMap<String, Tick>,
    pub(super) sessions: BTreeMap<String, (String, Tick)>,
    /// What the APIs of events and contacts keep beside their items, by item.
    pub(super) beside: BTreeMap<String, Beside>,
    /// Transactions that made an event, with their mailbox.
    pub(super) transactions: BTreeSet<String>,
    /// Upload sessions by the secret in their URL.
    pub(super) uploads: BTreeMap<String, UploadSlot>,
    /// How many items made by their fields will be out of sight of the next call, and those that are.
    pub(super) unseen: (u32, BTreeSet<String>),
    pub(super) refused_keys: BTreeSet<SearchKey>,
    pub(super) calls: Calls,
    pub(super) troubles: Troubles,
    /// The last item id given out: the next one may be its twin in another case.
    pub(super) last_item: Option<(String, String)>,
    /// Settings of source mailboxes that are not the usual ones, by lower-case address.
    pub(super) settings: BTreeMap<String, super::leads::Settings>,
    /// Source items in which something bad is hidden.
    pub(super) infected: u32,
    /// What Autodiscover says.
    pub(super) ews_url: String,
    /// What was set up wrongly.
    pub(super) wrong: BTreeSet<super::wrong::Wrong>,
    /// Whether the mailbox import's listings know properties by name. No document shows one there.
    pub(super) knows_names: bool,
}

impl World {
    /// An empty world.
    pub fn new(options: WorldOptions) -> Self {
        let dice = Dice::new(options.seed);
        Self {
            sky: dice.split("weather"),
            dice: dice.split("ids"),
            script: VecDeque::new(),
            calls: Calls::new(options.limits),
            options,
            source: BTreeMap::new(),
            settings: BTreeMap::new(),
            infected: 0,
            wrong: BTreeSet::new(),
            knows_names: true,
            ews_url: String::new(),
            target: BTreeMap::new(),
            pairs: Vec::new(),
            seq: 0,
            tokens: BTreeMap::new(),
            sessions: BTreeMap::new(),
            beside: BTreeMap::new(),
            transactions: BTreeSet::new(),
            uploads: BTreeMap::new(),
            unseen: (0, BTreeSet::new()),
            refused_keys: BTreeSet::new(),
            troubles: Troubles::default(),
            last_item: None,
        }
    }

    /// The mailbox pairs, source and target address, in the order they were made.
    pub fn pairs(&self) -> &[(MailboxId, MailboxId)] {
        &self.pairs
    }

    /// The options it was made with, weather as it is now.
    pub const fn options(&self) -> &WorldOptions {
        &self.options
    }

    /// Changes the weather.
    pub const fn set_weather(&mut self, weather: Weather) {
        self.options.weather = weather;
    }

    /// What happens to this call. Ask once per call, after [`World::begin`] admitted it: a mishap that waits for such a call happens now.
    pub fn fault(&mut self, now: Now, side: Side, mailbox: &str, kind: CallKind) -> Option<Fault> {
        let trouble = self.trouble(now, side, mailbox, kind);
        let drawn = self.options.weather.draw(&mut self.sky, kind);
        let scripted = self.script.iter().position(|(own, _)| *own == kind);
        let fault = match scripted.and_then(|at| self.script.remove(at)) {
            Some((_, fault)) => fault,
            None => drawn.map(|fault| self.in_small(fault)),
        };
        let fault = trouble.or(fault)?.on(side, kind)?;
        if matches!(fault, Fault::Claims | Fault::ClaimsForbidden) {
            self.demand_claims(now);
        }
        Some(fault)
    }

    /// Small worlds are held for as long as their limits hold.
    fn in_small(&self, fault: Fault) -> Fault {
        if self.options.limits != Limits::Small {
            return fault;
        }
        match fault {
            Fault::Busy(Some(_)) => Fault::Busy(Some(SMALL_HOLD)),
            Fault::IncomingBytes(Some(_)) => Fault::IncomingBytes(Some(SMALL_HOLD)),
            Fault::BusyFault(_) => Fault::BusyFault(SMALL_HOLD),
            Fault::BusyEntry(_) => Fault::BusyEntry(SMALL_HOLD),
            Fault::BusyEntries(_) => Fault::BusyEntries(SMALL_HOLD),
            Fault::Slow(_) => Fault::Slow(SMALL_HOLD),
            other => other,
        }
    }

    /// Decides what happens to coming calls, before the weather does: each entry serves the next call of its kind, in order. `None` lets that
    /// call pass.
    pub fn script(&mut self, faults: impl IntoIterator<Item = (CallKind, Option<Fault>)>) {
        self.script.extend(faults);
    }

    /// True when no decision about coming calls is left.
    pub fn fault_is_spent(&self) -> bool {
        self.script.is_empty()
    }

    /// Admits a call and counts it, or refuses it as too fast. `mailbox` is an address or a target mailbox id; empty for calls that
    /// concern none. `bytes_in` is the request's body; `upload` says that it counts as upload (POST, PUT, PATCH). An admitted
    /// call is in flight until [`World::end`].
    pub fn begin(
        &mut self,
        now: Now,
        side: Side,
        mailbox: &str,
        bytes_in: Bytes,
        upload: bool,
    ) -> Result<Ticket, Busy> {
        let name = self.stat_name(side, mailbox);
        self.calls.begin(now, side, &name, bytes_in, upload)
    }

    /// Ends a call: `bytes_out` is the body of the answer.
    pub fn end(&mut self, ticket: Ticket, bytes_out: Bytes) {
        self.calls.end(ticket, bytes_out);
    }

    /// Notes a request that breaks a published rule. `why` is for people and carries no content.
    pub fn note_invalid(&mut self, now: Now, side: Side, why: &str) {
        self.calls.note_invalid(now, side, why);
    }

    /// Notes an attempt to change the source. Must never happen.
    pub const fn note_source_write(&mut self) {
        self.calls.source_writes += 1;
    }

    /// Notes an attempt to send something to somebody. Must never happen.
    pub const fn note_invitation(&mut self) {
        self.calls.invitations += 1;
    }

    /// Notes a call to mailbox import in a cloud that has none.
    pub const fn note_no_import(&mut self) {
        self.calls.import_asked_in_vain += 1;
    }

    /// The counts of the contract's `control_url/stats`.
    pub fn stats(&self) -> serde_json::Value {
        self.calls.stats()
    }

    /// Requests that broke a rule, oldest first (the last 1,000).
    pub fn invalid_log(&self) -> impl Iterator<Item = &InvalidRequest> {
        self.calls.invalid_log()
    }

    /// Issues an access token: the text and how long it lives. While claims are demanded, one asked for without them is refused everywhere.
    pub fn issue_token(&mut self, now: Now, claims: Option<&str>) -> (String, Span) {
        let signature = self.id_text(48, true);
        let says = serde_json::json!({
            "tid": format!("lab-tenant-{}", self.options.seed),
            "roles": self.roles(),
        });
        let text = crate::wire::graph::jwt::unsigned(&says, signature.trim_end_matches('='));
        let life = self.options.token_life;
        let end = if self.meets_claims(claims) {
            now.tick + life
        } else {
            now.tick
        };
        self.tokens.insert(text.clone(), end);
        (text, life)
    }

    /// True for a token that was issued and has not ended.
    pub fn token_ok(&self, now: Now, token: &str) -> bool {
        self.tokens.get(token).is_some_and(|end| now.tick < *end)
    }

    fn stat_name(&self, side: Side, mailbox: &str) -> String {
        match side {
            Side::Target => self
                .target
                .get(mailbox)
                .map_or_else(|| mailbox.to_ascii_lowercase(), |s| s.address.clone()),
            Side::Source => mailbox.to_ascii_lowercase(),
        }
    }

    pub(super) const fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// A new opaque text of `bytes` random bytes: standard base64, or the URL-safe kind.
    pub(super) fn id_text(&mut self, bytes: usize, url_safe: bool) -> String {
        let mut raw = Vec::with_capacity(bytes + 8);
        while raw.len() < bytes {
            raw.extend(self.dice.next().to_le_bytes());
        }
        raw.truncate(bytes);
        if url_safe {
            base64::engine::general_purpose::URL_SAFE.encode(raw)
        } else {
            base64::engine::general_purpose::STANDARD.encode(raw)
        }
    }
}

pub(super) fn item_row(id: &str, item: &Item) -> ItemRow {
    ItemRow {
        id: id.to_owned(),
        change_key: item.change_key.clone(),
        folder: item.folder.clone(),
        class: item.ident.class.clone(),
        search_key: item.ident.search_key.clone(),
        message_id: item.ident.message_id.clone(),
        submitted: item.ident.submitted,
        flags: item.ident.flags,
        read: item.ident.read(),
        received: item.received,
        created: item.created,
        modified: item.modified,
        size: item.size,
        article: item.born,
    }
}

pub(super) fn folder_row(store: &Store, folder: &Folder, tick: Tick) -> FolderRow {
    let load = store.load(folder, tick);
    FolderRow {
        id: folder.id.clone(),
        change_key: folder.change_key.clone(),
        parent: folder.parent.clone(),
        name: folder.name.clone(),
        class: folder.class.clone(),
        role: folder.role,
        kind: folder.kind,
        hidden: folder.hidden,
        entry_id: folder.entry_id.clone(),
        items: load.items,
        size: load.size,
        children: Count::new(store.children(&folder.id)),
    }
}
