//! What the lab's Exchange answers to a call that was let in: the world's words put into EWS's. Pure; HTTP is `ews_http`'s business.

use super::direct::EMPTY_STATE_WAIT;
use super::ews_looks::is_look;
use super::ews_other;
use super::ews_typed::Part;
use super::fault::{Entry, Fault};
use super::world::{FolderRow, HierarchyChange, ItemRow, Refused as No, SyncChange, World};
use super::wrong::Wrong;
use crate::base::id::{FolderId, ItemId, SyncToken};
use crate::base::mailbox::{FolderKind, FolderRole};
use crate::base::quantity::{Bytes, Count, Moment, Span};
use crate::wire::ews::find_folder::{FindFolder, FolderPage};
use crate::wire::ews::find_item::{FindItem, ItemPage};
use crate::wire::ews::folder::{FolderElement, FolderEntry};
use crate::wire::ews::get_folder::GetFolder;
use crate::wire::ews::get_item::GetItem;
use crate::wire::ews::item::ItemEntry;
use crate::wire::ews::reply::{self, Message, Operation, PageEnd, Refused};
use crate::wire::ews::request::Call;
use crate::wire::ews::shape::{BaseShape, FolderRef, Shape};
use crate::wire::ews::sync_folder_hierarchy::{FolderChange, HierarchyPage, SyncFolderHierarchy};
use crate::wire::ews::sync_folder_items::{ChangePage, ItemChange, SyncFolderItems};
use crate::wire::soap::ServerVersion;

/// Exchange 2016 CU23 with an update.
pub(super) const VERSION: ServerVersion = ServerVersion {
    major: 15,
    minor: 1,
    build: 2507,
    revision: 6,
};

/// Exchange 2016 CU8 of December 2017, without any update.
const OLD_VERSION: ServerVersion = ServerVersion {
    major: 15,
    minor: 1,
    build: 1415,
    revision: 2,
};

/// The server's cap on FindItem and FindFolder (EWSFindCountLimit).
pub(super) const FIND_MAX: u64 = 1_000;

/// Properties that a listing cannot give (reference/ews.md section 1, FindItem and SyncFolderItems). FindItem refuses a call that asks for one;
/// SyncFolderItems answers without it (exchangelib issue 1370: its default asks for all of them and real servers answer).
const NOT_IN_LISTINGS: [&str; 6] = [
    "item:Body",
    "item:UniqueBody",
    "item:NormalizedBody",
    "item:TextBody",
    "item:Attachments",
    "item:MimeContent",
];

/// What is answered.
pub(super) enum Answer {
    /// A whole reply.
    Whole(String),
    /// An export, streamed item by item.
    Export(Vec<ItemId>),
    /// Text and data, streamed.
    Parts(Vec<Part>),
    /// A fault, by code.
    Fault(&'static str),
    /// No answer of EWS at all: the application fell over.
    Crash,
}

/// A mailbox as one call sees it.
pub(super) struct Desk<'a> {
    pub(super) world: &'a World,
    pub(super) mailbox: &'a str,
    /// What the weather does to single messages.
    pub(super) fault: Option<Fault>,
    /// Broken rules, for the log.
    pub(super) broken: Vec<String>,
}

/// What a refusal of the world is called in EWS.
pub(super) const fn code_of(no: No) -> &'static str {
    match no {
        No::NoMailbox => "ErrorNonExistentMailbox",
        No::NoFolder => "ErrorFolderNotFound",
        No::NoItem => "ErrorItemNotFound",
        No::WrongCase => "ErrorInvalidIdMalformed",
        No::SearchFolder => "ErrorInvalidFolderTypeForOperation",
        No::BadState => "ErrorInvalidSyncStateData",
        No::Corrupt | No::Discarded => "ErrorItemCorrupt",
        No::FolderExists
        | No::Protected
        | No::NoSession
        | No::Expired
        | No::MalformedStream
        | No::ImportRefused
        | No::WrongVersion
        | No::QuotaFull
        | No::TooLarge
        | No::Poisoned
        | No::Failing => "ErrorInternalServerError",
    }
}

impl Desk<'_> {
    /// Answers a call.
    pub(super) fn answer(&mut self, call: &Call) -> Answer {
        match call {
            Call::GetFolder(call) if is_look(&call.shape) => self.look_at_folders(call),
            Call::FindItem(call) if is_look(&call.shape) => self.look_for_items(call),
            Call::GetItem(call) if is_look(&call.shape) => self.look_at_items(call),
            Call::GetItem(call) if call.shape.mime => self.mimes(call),
            Call::GetItem(call) if call.shape.is_typed() => self.typed_items(call),
            Call::GetAttachment(call) => self.attachments(call),
            Call::GetInboxRules(call) => self.inbox_rules(call),
            Call::GetDelegate(call) => self.delegates(call),
            Call::GetUserOofSettings(call) => self.automatic_reply(call),
            Call::GetFolder(call) => self.get_folder(call),
            Call::FindFolder(call) => self.find_folder(call),
            Call::SyncFolderHierarchy(call) => self.sync_hierarchy(call),
            Call::SyncFolderItems(call) => self.sync_items(call),
            Call::FindItem(call) => self.find_item(call),
            Call::GetItem(call) => self.get_item(call),
            Call::ExportItems(call) => {
                if call.items.len() > 100 {
                    self.broken
                        .push("ExportItems asks for more than 100 items".to_owned());
                }
                if call
                    .items
                    .iter()
                    .any(|id| self.world.is_poisoned(id.as_str()))
                {
                    return Answer::Crash;
                }
                Answer::Export(call.items.clone())
            }
        }
    }

    /// Notes what a refusal says about the caller's manners.
    pub(super) fn refuse(&mut self, no: No) -> Refused {
        match no {
            No::WrongCase => self
                .broken
                .push("an id in another case than it was given".to_owned()),
            No::SearchFolder => self
                .broken
                .push("a search folder is synchronised".to_owned()),
            _ => {}
        }
        Refused::error(code_of(no))
    }

    /// The build the server states.
    fn version(&self) -> ServerVersion {
        if self.world.is_wrong(Wrong::ServerOld) {
            OLD_VERSION
        } else {
            VERSION
        }
    }

    pub(super) fn messages<O: Operation>(
        &mut self,
        results: Vec<Result<O::Payload, No>>,
    ) -> Answer {
        let twist = self.fault;
        let message = |result: Result<O::Payload, No>| match (twist, result) {
            (Some(Fault::Busy(wait) | Fault::IncomingBytes(wait)), _) => {
                Message::Refused(busy(wait))
            }
            // The class says error; beside it stand an empty state and "includes the last item".
            (Some(Fault::EmptyState), _) => Message::Refused(busy(Some(EMPTY_STATE_WAIT))),
            (Some(Fault::HollowPage), _) => Message::Incomplete,
            (Some(Fault::StateRefused), _) => {
                Message::Refused(Refused::error("ErrorInvalidSyncStateData"))
            }
            (_, Ok(payload)) => Message::Done(payload),
            (_, Err(no)) => Message::Refused(self.refuse(no)),
        };
        let messages: Vec<_> = results.into_iter().map(message).collect();
        Answer::Whole(reply::write::<O>(&self.version(), &messages))
    }

    fn get_folder(&mut self, call: &GetFolder) -> Answer {
        let found = call
            .folders
            .iter()
            .map(|folder| self.entry(folder).map(|e| e.shaped(&call.shape)))
            .collect();
        self.messages::<GetFolder>(found)
    }

    fn find_folder(&mut self, call: &FindFolder) -> Answer {
        if call.at_most.is_none() && call.traversal == "Deep" {
            self.broken
                .push("a deep FindFolder without page view".to_owned());
        }
        let pages = call
            .parents
            .iter()
            .map(|parent| self.folder_page(parent, call))
            .collect();
        self.messages::<FindFolder>(pages)
    }

    fn folder_page(&self, parent: &FolderRef, call: &FindFolder) -> Result<FolderPage, No> {
        let below = match call.traversal.as_str() {
            "SoftDeleted" => Vec::new(),
            traversal => self.below(parent, traversal == "Deep")?,
        };
        let wanted = |row: &FolderRow| {
            let test = call.restriction.as_ref();
            test.is_none_or(|test| test.holds(&row.name, &row.class))
        };
        let below = below.into_iter().filter(wanted).collect();
        let at_most = self.world.given(call.at_most.unwrap_or(FIND_MAX));
        let (rows, end) = page(below, call.offset, Some(at_most));
        let entries = rows.into_iter().map(|row| self.entry_of(row));
        Ok(FolderPage {
            folders: entries.map(|e| e.shaped(&call.shape)).collect(),
            end,
        })
    }

    /// The folders below one, children before parents: the order of a deep view is not promised, so nobody shall rely on it.
    fn below(&self, parent: &FolderRef, deep: bool) -> Result<Vec<FolderRow>, No> {
        let start = self.id_of(parent)?;
        let root = self.world.source_root(self.mailbox)?;
        let mut inside = vec![start];
        let mut found = Vec::new();
        for row in self.world.source_folders(self.mailbox)? {
            let own = row.parent.as_deref().unwrap_or(root);
            if inside.iter().any(|id| id == own) {
                if deep {
                    inside.push(row.id.clone());
                }
                found.push(row);
            }
        }
        found.reverse();
        Ok(found)
    }

    fn sync_hierarchy(&mut self, call: &SyncFolderHierarchy) -> Answer {
        if call.state.is_none() {
            self.fault = self.fault.filter(|fault| *fault != Fault::StateRefused);
        }
        let result = self.hierarchy(call);
        self.messages::<SyncFolderHierarchy>(vec![result])
    }

    fn hierarchy(&self, call: &SyncFolderHierarchy) -> Result<HierarchyPage, No> {
        let whole = FolderRef::Distinguished("msgfolderroot".to_owned());
        if call.root.as_ref().is_some_and(|root| *root != whole) {
            // Another scope has states of its own; this Exchange keeps none.
            return Err(No::NoFolder);
        }
        let state = call.state.as_ref().map(SyncToken::as_str);
        let news = self.world.sync_hierarchy(self.mailbox, state)?;
        let entry = |row: Box<FolderRow>| self.entry_of(*row).shaped(&call.shape);
        let changes = news.changes.into_iter().map(|change| match change {
            HierarchyChange::Create(row) => FolderChange::Created(entry(row)),
            HierarchyChange::Update(row) => FolderChange::Updated(entry(row)),
            HierarchyChange::Delete(id) => FolderChange::Deleted(FolderId::new(id)),
        });
        Ok(HierarchyPage {
            state: SyncToken::new(news.state),
            last: true,
            changes: changes.collect(),
        })
    }

    fn sync_items(&mut self, call: &SyncFolderItems) -> Answer {
        if asks_for_content(&call.shape) {
            // Answered all the same, and noted: whoever is thrifty does not ask for what never comes.
            self.broken
                .push("a synchronisation asks for content it will not get".to_owned());
        }
        if call.state.is_none() {
            // There is no state to refuse.
            self.fault = self.fault.filter(|fault| *fault != Fault::StateRefused);
        }
        let state = call.state.as_ref().map(SyncToken::as_str);
        let page = self
            .id_of(&call.folder)
            .and_then(|id| self.world.sync(self.mailbox, &id, state, call.at_most));
        let page = page.map(|page| ChangePage {
            state: SyncToken::new(page.state),
            last: page.last,
            changes: page
                .changes
                .into_iter()
                .map(|c| item_change(c, &call.shape))
                .filter(|c| !call.ignore.contains(id_of_change(c)))
                .collect(),
        });
        self.messages::<SyncFolderItems>(vec![page])
    }

    fn find_item(&mut self, call: &FindItem) -> Answer {
        if asks_for_content(&call.shape) {
            self.broken.push("a listing asks for content".to_owned());
            return Answer::Fault("ErrorInvalidPropertyForOperation");
        }
        let pages = call
            .parents
            .iter()
            .map(|parent| self.item_page(parent, call))
            .collect();
        self.messages::<FindItem>(pages)
    }

    fn item_page(&self, parent: &FolderRef, call: &FindItem) -> Result<ItemPage, No> {
        let id = self.id_of(parent)?;
        if call.traversal != "Shallow" {
            let (items, end) = page(Vec::new(), call.offset, call.at_most);
            return Ok(ItemPage { items, end });
        }
        let at_most = call.at_most.unwrap_or(FIND_MAX).min(FIND_MAX);
        let found = if call.largest_first {
            self.world.find_largest(self.mailbox, &id, at_most)?
        } else {
            self.world.find(self.mailbox, &id, call.offset, at_most)?
        };
        Ok(ItemPage {
            items: (found.items.into_iter())
                .map(|row| item_entry(row).shaped(&call.shape))
                .collect(),
            end: PageEnd {
                next_offset: Some(found.next),
                total: found.total,
                last: found.last,
            },
        })
    }

    fn get_item(&mut self, call: &GetItem) -> Answer {
        if call.items.is_empty() {
            return Answer::Fault("ErrorInvalidRequest");
        }
        let found = call
            .items
            .iter()
            .map(|id| self.world.source_item(self.mailbox, id.as_str()))
            .map(|row| row.map(|row| item_entry(row).shaped(&call.shape)))
            .collect();
        self.messages::<GetItem>(found)
    }

    pub(super) fn id_of(&self, folder: &FolderRef) -> Result<String, No> {
        match folder {
            FolderRef::Id(id) if id.as_str() == self.world.source_root(self.mailbox)? => {
                Ok(id.as_str().to_owned())
            }
            FolderRef::Id(id) => Ok(self.world.source_folder(self.mailbox, id.as_str())?.id),
            FolderRef::Distinguished(name) if name == "root" => {
                Ok(self.world.source_root(self.mailbox)?.to_owned())
            }
            FolderRef::Distinguished(name) => {
                let roles = FolderRole::ALL.iter();
                let role = roles.copied().find(|r| r.ews_id() == Some(name.as_str()));
                let role = role.ok_or(No::NoFolder)?;
                Ok(self.world.source_folder_with_role(self.mailbox, role)?.id)
            }
        }
    }

    fn entry(&self, folder: &FolderRef) -> Result<FolderEntry, No> {
        let id = self.id_of(folder)?;
        if id != self.world.source_root(self.mailbox)? {
            return Ok(self.entry_of(self.world.source_folder(self.mailbox, &id)?));
        }
        let mut root = FolderEntry {
            name: Some(String::new()),
            total: Some(Count::ZERO),
            folder_type: Some(0),
            ..FolderEntry::bare(FolderId::new(id))
        };
        self.add_special_ids(&mut root);
        Ok(root)
    }

    fn entry_of(&self, row: FolderRow) -> FolderEntry {
        let root = self.world.source_root(self.mailbox).unwrap_or_default();
        let inbox = row.role == Some(FolderRole::Inbox);
        let mut entry = FolderEntry {
            more: ews_other::of_folder(&row),
            element: FolderElement::for_class(&row.class, row.kind),
            parent: Some(FolderId::new(row.parent.as_deref().unwrap_or(root))),
            class: (!row.class.is_empty()).then_some(row.class),
            name: Some(row.name),
            total: Some(row.items),
            children: Some(row.children),
            folder_type: Some(match row.kind {
                FolderKind::Generic => 1,
                FolderKind::Search => 2,
            }),
            hidden: Some(row.hidden),
            size: Some(row.size),
            entry_id: Some(row.entry_id),
            ..FolderEntry::bare(FolderId::new(row.id))
        };
        if inbox {
            self.add_special_ids(&mut entry);
        }
        entry
    }

    fn add_special_ids(&self, entry: &mut FolderEntry) {
        if let Ok(ids) = self.world.ren_ids(self.mailbox) {
            entry.ren = ids.plain;
            entry.ren_ex = Some(ids.extended);
        }
    }
}

/// True for a shape that names content: bodies, attachments, MIME.
fn asks_for_content(shape: &Shape) -> bool {
    let named = |field: &&str| shape.base == BaseShape::IdOnly && shape.wants(field);
    shape.mime || NOT_IN_LISTINGS.iter().any(named)
}

/// What an entry of a batch is told.
pub(super) fn told(entry: Entry) -> Refused {
    match entry {
        Entry::Busy(wait) => busy(Some(wait)),
        Entry::Failed => Refused::error("ErrorInternalServerError"),
        Entry::TooSlow => Refused::error("ErrorTimeoutExpired"),
        Entry::NotTried => Refused {
            warning: true,
            ..Refused::error("ErrorBatchProcessingStopped")
        },
    }
}

/// ErrorServerBusy for one message.
pub(super) fn busy(wait: Option<Span>) -> Refused {
    Refused {
        back_off: wait,
        ..Refused::error("ErrorServerBusy")
    }
}

/// Cuts a page out of a list.
pub(super) fn page<T>(all: Vec<T>, offset: u64, at_most: Option<u64>) -> (Vec<T>, PageEnd) {
    let total = all.len() as u64;
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    let take = at_most.unwrap_or(FIND_MAX).min(FIND_MAX);
    let take = usize::try_from(take).unwrap_or(usize::MAX);
    let rows: Vec<T> = all.into_iter().skip(skip).take(take).collect();
    let next = offset.saturating_add(rows.len() as u64);
    let end = PageEnd {
        next_offset: Some(next.min(total)),
        total,
        last: next >= total,
    };
    (rows, end)
}

fn item_entry(row: ItemRow) -> ItemEntry {
    ItemEntry {
        more: ews_other::of_item(&row),
        change_key: Some(row.change_key),
        class: Some(row.class),
        size: Some(Bytes::new(row.size.get())),
        received: row.received.map(|at| Moment::from_unix_ms(at.unix_ms())),
        read: Some(row.read),
        message_id: row.message_id.clone(),
        message_id_tag: row.message_id,
        search_key: row.search_key,
        submitted: row.submitted,
        ..ItemEntry::bare(ItemId::new(row.id))
    }
}

fn item_change(change: SyncChange, shape: &Shape) -> ItemChange {
    match change {
        SyncChange::Create(row) => ItemChange::Created(item_entry(*row).shaped(shape)),
        SyncChange::Update(row) => ItemChange::Updated(item_entry(*row).shaped(shape)),
        SyncChange::Delete(id) => ItemChange::Deleted(ItemId::new(id)),
        SyncChange::ReadFlag {
            id,
            change_key,
            read,
        } => ItemChange::Read {
            id: ItemId::new(id),
            change_key: Some(change_key),
            read,
        },
    }
}

fn id_of_change(change: &ItemChange) -> &ItemId {
    match change {
        ItemChange::Created(item) | ItemChange::Updated(item) => &item.id,
        ItemChange::Deleted(id) | ItemChange::Read { id, .. } => id,
    }
}
