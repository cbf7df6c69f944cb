//! The source port on EWS.

use std::sync::Arc;

use async_trait::async_trait;

use crate::base::id::{FolderId, ItemId, MailboxId, SyncToken};
use crate::base::item::Version;
use crate::base::limits;
use crate::base::mailbox::{FolderRole, SourceFolder};
use crate::base::outcome::{HaltCause, MisreadCause, Said, Setback};
use crate::base::quantity::Count;
use crate::base::secret::SafeUrl;
use crate::exchange::client::{self, Client};
use crate::exchange::sign_in::SignIn;
use crate::exchange::survey::Survey;
use crate::exchange::trouble::SourceTrouble;
use crate::port::clock::Clock;
use crate::port::source::{Change, Changes, ExportSink, HierarchyNews, Source, SourcePage};
use crate::transport::{CallKind, Http, HttpOptions, TlsFacts, TransportError};
use crate::wire::ews::classify::Place;
use crate::wire::ews::export_items::ExportItems;
use crate::wire::ews::export_splitter::{ExportSplitter, Split};
use crate::wire::ews::find_folder::FindFolder;
use crate::wire::ews::find_item::FindItem;
use crate::wire::ews::get_folder::GetFolder;
use crate::wire::ews::get_item::GetItem;
use crate::wire::ews::item::ItemEntry;
use crate::wire::ews::reply::Message;
use crate::wire::ews::request::Call;
use crate::wire::ews::shape::{FolderRef, Shape};
use crate::wire::ews::sync_folder_hierarchy::SyncFolderHierarchy;
use crate::wire::ews::sync_folder_items::{ItemChange, SyncFolderItems};
use crate::wire::soap::ServerVersion;

/// The mailbox's own root, above the user's tree.
const ROOT: &str = "root";

/// An Exchange server read by EWS.
#[derive(Clone, Debug)]
pub struct ExchangeSource {
    pub(super) client: Client,
}

impl ExchangeSource {
    /// The server behind `url` for one identity, by a client of its own. Reaches nobody.
    pub fn connect(
        options: HttpOptions,
        url: SafeUrl,
        sign_in: SignIn,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, TransportError> {
        let http = sign_in.way(options, clock)?;
        Ok(Self {
            client: Client::new(http, url, sign_in).with_clock(Arc::clone(clock)),
        })
    }

    /// What stood in the way last, in detail.
    pub fn trouble(&self) -> Option<SourceTrouble> {
        self.client.trouble()
    }

    /// The TLS channel made last.
    pub fn tls(&self) -> Option<Arc<TlsFacts>> {
        self.client.http().tls()
    }

    /// The server behind `url` (`https://host/EWS/Exchange.asmx`), by a client that signs in with each request. Reaches nobody.
    pub fn new(http: Http, url: SafeUrl, sign_in: SignIn) -> Self {
        Self {
            client: Client::new(http, url, sign_in),
        }
    }

    /// Asks for the root of the user's tree: proves address, sign-in and impersonation at once. Returns the server's build, where it
    /// says so.
    pub async fn probe(&self, mailbox: &MailboxId) -> Result<Option<ServerVersion>, Setback> {
        let call = Call::GetFolder(GetFolder {
            shape: Shape::default(),
            folders: vec![named("msgfolderroot")],
        });
        let reply = (self.client)
            .ask::<GetFolder>(mailbox, &call, Place::Folder)
            .await?;
        let version = reply.version.clone();
        reply.single(Place::Folder).map(|_| version)
    }

    /// Asks for every folder that has a distinguished id, in one call with holes, and for the mailbox's root.
    async fn ask_distinguished(
        &self,
        mailbox: &MailboxId,
        survey: &mut Survey,
    ) -> Result<(), Setback> {
        let roles: Vec<(FolderRole, &str)> = (FolderRole::ALL.iter())
            .filter_map(|role| Some((*role, role.ews_id()?)))
            .collect();
        let mut folders: Vec<FolderRef> = roles.iter().map(|(_, id)| named(id)).collect();
        folders.push(named(ROOT));
        let asked = folders.len();
        let call = Call::GetFolder(GetFolder {
            shape: Shape::folders_with_special_ids(),
            folders,
        });
        let reply = (self.client)
            .ask::<GetFolder>(mailbox, &call, Place::Folder)
            .await?;
        if reply.messages.len() != asked {
            return Err(incomplete());
        }
        let roles = roles.into_iter().map(|(role, _)| Some(role));
        for (role, message) in roles.chain([None]).zip(reply.messages) {
            if role != Some(FolderRole::Top) && is_hole(&message) {
                continue;
            }
            let folder = message.into_result(Place::Folder)?;
            match role {
                Some(role) => survey.distinguished(role, folder),
                None => survey.root(&folder),
            }
        }
        Ok(())
    }

    /// Lists everything below a folder, page by page.
    async fn list_below(
        &self,
        mailbox: &MailboxId,
        parent: &str,
        survey: &mut Survey,
    ) -> Result<(), Setback> {
        let mut offset = 0;
        loop {
            let call = Call::FindFolder(FindFolder {
                traversal: "Deep".to_owned(),
                shape: Shape::folders(),
                at_most: Some(limits::SOURCE_FOLDER_PAGE.get()),
                offset,
                restriction: None,
                parents: vec![named(parent)],
            });
            let reply = (self.client)
                .ask::<FindFolder>(mailbox, &call, Place::Folder)
                .await?;
            let page = reply.single(Place::Folder)?;
            // The server may give fewer than asked; only what came moves the offset.
            let received = page.folders.len() as u64;
            offset += received;
            page.folders.into_iter().for_each(|f| survey.listed(f));
            if page.end.last {
                return Ok(());
            }
            if received == 0 {
                return Err(incomplete());
            }
        }
    }
}

#[async_trait]
impl Source for ExchangeSource {
    async fn folders(&self, mailbox: &MailboxId) -> Result<Vec<SourceFolder>, Setback> {
        let mut survey = Survey::default();
        self.ask_distinguished(mailbox, &mut survey).await?;
        self.list_below(mailbox, "msgfolderroot", &mut survey)
            .await?;
        // What lies outside the user's tree stays behind; it is listed so that the balance can name it. Some servers keep it to themselves.
        match self.list_below(mailbox, ROOT, &mut survey).await {
            Err(
                Setback::FolderGone
                | Setback::MailboxClosed(HaltCause::SourceDenied, _)
                | Setback::OurRequest(_),
            )
            | Ok(()) => {}
            Err(other) => return Err(other),
        }
        Ok(survey.finish())
    }

    async fn hierarchy(
        &self,
        mailbox: &MailboxId,
        token: Option<&SyncToken>,
    ) -> Result<HierarchyNews, Setback> {
        let mut state = token.cloned();
        let mut changed = token.is_none();
        loop {
            let call = Call::SyncFolderHierarchy(SyncFolderHierarchy {
                shape: Shape::default(),
                root: Some(named("msgfolderroot")),
                state: state.clone(),
            });
            let reply = (self.client)
                .ask::<SyncFolderHierarchy>(mailbox, &call, Place::Folder)
                .await?;
            let page = reply.single(Place::Folder)?;
            changed |= !page.changes.is_empty();
            // A page that leads nowhere would be asked for without end.
            if !page.last && state.as_ref() == Some(&page.state) {
                return Err(incomplete());
            }
            if page.last {
                return Ok(HierarchyNews {
                    changed,
                    token: page.state,
                });
            }
            state = Some(page.state);
        }
    }

    async fn present(&self, mailbox: &MailboxId, items: &[ItemId]) -> Result<Vec<bool>, Setback> {
        let mut there = Vec::with_capacity(items.len());
        for ids in items.chunks(limits::SOURCE_EXPORT_IDS) {
            let call = Call::GetItem(GetItem {
                shape: Shape::default(),
                items: ids.to_vec(),
            });
            let reply = (self.client)
                .ask::<GetItem>(mailbox, &call, Place::Item)
                .await?;
            if reply.messages.len() != ids.len() {
                return Err(incomplete());
            }
            for message in reply.messages {
                there.push(match message.into_result(Place::Item) {
                    // One that cannot be read is there all the same.
                    Ok(_) | Err(Setback::ItemRefused(_)) => true,
                    Err(Setback::Gone) => false,
                    Err(other) => return Err(other),
                });
            }
        }
        Ok(there)
    }

    async fn changes(
        &self,
        mailbox: &MailboxId,
        folder: &FolderId,
        token: Option<&SyncToken>,
        at_most: Count,
    ) -> Result<Changes, Setback> {
        let call = Call::SyncFolderItems(SyncFolderItems {
            shape: Shape::items(),
            folder: FolderRef::Id(folder.clone()),
            state: token.cloned(),
            ignore: Vec::new(),
            at_most: at_most.get().clamp(1, limits::SOURCE_SYNC_PAGE.get()),
            associated: false,
        });
        let reply = (self.client)
            .ask::<SyncFolderItems>(mailbox, &call, Place::Folder)
            .await?;
        let page = reply.single(Place::Folder)?;
        Ok(Changes {
            changes: page.changes.into_iter().map(change).collect(),
            token: page.state,
            complete: page.last,
        })
    }

    async fn page(
        &self,
        mailbox: &MailboxId,
        folder: &FolderId,
        offset: Count,
        at_most: Count,
    ) -> Result<SourcePage, Setback> {
        let call = Call::FindItem(FindItem {
            traversal: "Shallow".to_owned(),
            shape: Shape::items(),
            at_most: Some(at_most.get().clamp(1, limits::SOURCE_FIND_PAGE.get())),
            offset: offset.get(),
            restriction: None,
            largest_first: false,
            parents: vec![FolderRef::Id(folder.clone())],
        });
        let reply = (self.client)
            .ask::<FindItem>(mailbox, &call, Place::Folder)
            .await?;
        let page = reply.single(Place::Folder)?;
        // An empty page that is not the last would be asked for without end.
        if page.items.is_empty() && !page.end.last {
            return Err(incomplete());
        }
        Ok(SourcePage {
            items: page.items.into_iter().map(ItemEntry::into_header).collect(),
            total: Count::new(page.end.total),
            last: page.end.last,
        })
    }

    async fn export(
        &self,
        mailbox: &MailboxId,
        items: &[ItemId],
        sink: &mut dyn ExportSink,
    ) -> Result<Vec<Result<(), Setback>>, Setback> {
        // The schema admits no empty list.
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let call = Call::ExportItems(ExportItems {
            items: items.to_vec(),
        });
        let mut answer = self.client.send(mailbox, &call, CallKind::Transfer).await?;
        let (status, hints) = (answer.status(), client::hints(&answer));
        let mut splitter = ExportSplitter::new();
        while let Some(chunk) = answer.chunk().await? {
            for part in splitter.push(&chunk) {
                match part {
                    Split::Begin(index) if index < items.len() => sink.begin(index).await?,
                    // More messages than ids: nothing of this reply will count.
                    Split::Begin(_) => return Err(incomplete()),
                    Split::Piece(bytes) => {
                        for piece in bytes.chunks(limits::BODY_PIECE) {
                            sink.piece(piece).await?;
                        }
                    }
                }
            }
        }
        let outcome = splitter.finish(status, hints, items)?;
        Ok(outcome.into_iter().map(|item| item.map(|_| ())).collect())
    }
}

fn named(id: &str) -> FolderRef {
    FolderRef::Distinguished(id.to_owned())
}

pub(super) fn incomplete() -> Setback {
    Setback::Misread(MisreadCause::Incomplete, Said::default())
}

/// True for a distinguished folder that was never made in this mailbox, in any of the codes seen for it (reference/ews.md section 1,
/// GetFolder). Trouble of the server is no hole.
fn is_hole<P>(message: &Message<P>) -> bool {
    let Message::Refused(refused) = message else {
        return false;
    };
    matches!(
        refused.code.as_str(),
        "ErrorFolderNotFound"
            | "ErrorItemNotFound"
            | "ErrorAccessDenied"
            | "ErrorInvalidOperation"
            | "ErrorRecoverableItemsAccessDenied"
    )
}

fn change(change: ItemChange) -> Change {
    match change {
        ItemChange::Created(item) => Change::Created(item.into_header()),
        ItemChange::Updated(item) => Change::Updated(item.into_header()),
        ItemChange::Deleted(id) => Change::Deleted(id),
        ItemChange::Read {
            id,
            change_key,
            read,
        } => Change::Read {
            id,
            read,
            version: change_key.as_deref().map(Version::of),
        },
    }
}
