//! The target seam on Graph: mailbox, folders, items by import session, read back by export (reference/graph.md section 1).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::base::id::{MailboxId, TargetFolderId, TargetItemId, TargetMailboxId};
use crate::base::item::Placed;
use crate::base::limits;
use crate::base::mailbox::{FolderOrder, TargetFolder};
use crate::base::outcome::{Refusal, RefusalWhy, Said, Setback, UnreachedCause};
use crate::base::quantity::Count;
use crate::base::secret::SafeUrl;
use crate::graph::away::Ways;
use crate::graph::caller::{Caller, classify_reply, json_post};
use crate::graph::content::{export_stream, import_body};
use crate::graph::folders;
use crate::graph::sessions::Sessions;
use crate::graph::tokens::{Credential, Tokens};
use crate::graph::typed::Site;
use crate::graph::typed_bench::Benches;
use crate::graph::walk::Walks;
use crate::port::body::{Body, BodyStream};
use crate::port::clock::Clock;
use crate::port::target::{Cursor, Target, TargetPage};
use crate::transport::{
    Auth, Call, CallBody, CallKind, ConnectTrouble, Http, HttpOptions, Method, Reach, TlsFacts,
    TransportError,
};
use crate::wire::graph::classify::Asked;
use crate::wire::graph::export::ExportRequest;
use crate::wire::graph::import::ImportReply;
use crate::wire::graph::items::{ItemPage, MailboxItem};
use crate::wire::graph::json;
use crate::wire::graph::path::Resource;
use crate::wire::graph::provenance::Home;
use crate::wire::graph::query::{Disposal, ListQuery};
use crate::wire::graph::settings::ExchangeSettings;

/// Where the target is and who we are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphOptions {
    /// `https://login.microsoftonline.com`, or a lab's.
    pub login_url: String,
    /// `https://graph.microsoft.com`, or a lab's.
    pub graph_url: String,
    /// Tenant id or domain.
    pub tenant: String,
    /// Application id.
    pub client_id: String,
    /// What proves it.
    pub credential: Credential,
    /// Calls in flight to Graph, and as many to the import URLs.
    pub max_connections: u32,
}

/// Whether listings of items show our mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marks {
    /// Nobody asked yet.
    Unknown,
    /// They did once, or must.
    Shown,
    /// The service refuses to be asked for it, and nothing was ever created that bears it.
    Refused,
}

/// A Microsoft 365 tenant as a target.
#[derive(Debug)]
pub struct GraphTarget {
    pub(super) caller: Arc<Caller>,
    pub(super) sessions: Sessions,
    walks: Walks,
    /// What is known of listings with our mark.
    marks: Mutex<Marks>,
    /// For URLs that are their own credential.
    pub(super) import: Http,
    /// Whose each mailbox is: the Mail API asks for users.
    users: Mutex<BTreeMap<TargetMailboxId, String>>,
    pub(super) benches: Benches,
    pub(super) away: Ways,
    /// Whether this cloud has mailbox import.
    has_import: bool,
    /// Whether events are made with their reminders off until the cutover.
    pub(super) holds_reminders: bool,
}

impl GraphTarget {
    /// Deletes an item that nobody worked on since it was made; one that is gone already is deleted.
    pub(super) async fn delete_unchanged(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
        how: Disposal,
    ) -> Result<(), Setback> {
        match self.version(mailbox, folder, &placed.item).await {
            Ok(now) if now == *placed => {}
            // Somebody worked on it since, so it is no longer only ours.
            Ok(_) => {
                return Err(Setback::ItemRefused(Refusal {
                    why: RefusalWhy::TargetRefused,
                    said: Said::code("changed-since-created"),
                }));
            }
            Err(Setback::Gone) => return Ok(()),
            Err(setback) => return Err(setback),
        }
        let resource = item_resource(mailbox, folder, &placed.item);
        let url = self.caller.url(&resource, how.encode());
        let call = Call::new(Method::Delete, SafeUrl::new(url));
        self.caller.made(mailbox, 1);
        match self.caller.send(Asked::Delete, call).await {
            Ok(_) | Err(Setback::Gone) => Ok(()),
            Err(setback) => Err(setback),
        }
    }

    /// Sets up the clients. Reaches nobody.
    pub fn new(options: GraphOptions, clock: Arc<dyn Clock>) -> Result<Self, TransportError> {
        Self::by(options, &Reach::default(), clock)
    }

    /// The same, by a way of the site's own.
    pub fn by(
        options: GraphOptions,
        reach: &Reach,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TransportError> {
        let http = |most| Http::new(HttpOptions::with_connections(most).by(reach.clone()));
        let base = options.graph_url.trim_end_matches('/').to_owned();
        let tokens = Tokens::new(
            http(1)?,
            Arc::clone(&clock),
            options.login_url.trim_end_matches('/'),
            &base,
            &options.tenant,
            &options.client_id,
            options.credential,
        );
        Ok(Self {
            caller: Arc::new(Caller::new(
                http(options.max_connections)?,
                tokens,
                clock,
                base,
            )),
            sessions: Sessions::default(),
            walks: Walks::default(),
            marks: Mutex::new(Marks::Unknown),
            import: http(options.max_connections)?,
            users: Mutex::default(),
            benches: Benches::default(),
            away: Ways::default(),
            has_import: true,
            holds_reminders: false,
        })
    }

    /// Why the last connection that failed was not made.
    pub fn trouble(&self) -> Option<ConnectTrouble> {
        let all = [self.caller.tokens.http(), &self.caller.http, &self.import];
        all.into_iter().find_map(Http::trouble)
    }

    /// The TLS channel to Graph made last.
    pub fn tls(&self) -> Option<Arc<TlsFacts>> {
        self.caller.http.tls()
    }

    /// Fetches a token, to see whether we can sign in. Nothing else is asked.
    pub async fn sign_in(&self) -> Result<(), Setback> {
        self.caller.tokens.get().await.map(|_| ())
    }

    /// Whose mailbox it is. Only what was resolved before is known.
    pub(super) fn user_of(&self, mailbox: &TargetMailboxId) -> Result<String, Setback> {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = || Setback::OurRequest(Said::code("mailbox-not-resolved"));
        users.get(mailbox).cloned().ok_or_else(unknown)
    }

    /// Whether this cloud has mailbox import.
    pub(super) const fn has_import(&self) -> bool {
        self.has_import
    }

    /// Remembers whose a mailbox is.
    pub(super) fn remember(&self, mailbox: &TargetMailboxId, user: &str) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.insert(mailbox.clone(), user.to_owned());
    }

    /// A call of the typed route on a mailbox.
    pub(super) fn site<'a>(&self, mailbox: &'a TargetMailboxId) -> Result<Site<'a>, Setback> {
        Ok(Site::new(mailbox, self.user_of(mailbox)?, self.has_import))
    }

    /// For a cloud without mailbox import: nothing asks for it any more. Folders are then those of [`UserTarget`](crate::graph::UserTarget).
    #[must_use]
    pub fn without_import(mut self) -> Self {
        self.has_import = false;
        self
    }

    /// For a plan by which items are created by their classes: what was created so is found again by our mark alone, so that no listing goes without
    /// it. A service that refuses it then stops the mailbox, before anything is sent a second time.
    #[must_use]
    pub fn with_marks(self) -> Self {
        self.learn(Marks::Shown);
        self
    }

    /// For a plan that holds reminders back until the cutover.
    #[must_use]
    pub const fn holding_reminders(mut self) -> Self {
        self.holds_reminders = true;
        self
    }

    fn learn(&self, what: Marks) {
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// The first page of a folder's items, and its address. No document shows a property by name in this listing (reference/graph.md 1.5 names tags only):
    /// a service that never listed our mark and refuses it is asked without it, so that streams do not depend on it.
    async fn first_page(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
    ) -> Result<(String, (u16, Vec<u8>)), Setback> {
        let resource = Resource::Items {
            mailbox: mailbox.as_str().to_owned(),
            folder: folder.as_str().to_owned(),
        };
        let url = |query: ListQuery| self.caller.url(&resource, &query.encode());
        let query = ListQuery::items(limits::TARGET_PAGE);
        let bare = url(query.clone().unmarked());
        let marked = url(query);
        let known = *self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if known != Marks::Refused {
            match self.caller.get(Asked::Items, marked.clone()).await {
                Err(Setback::OurRequest(_)) if known == Marks::Unknown => {
                    self.caller.made(mailbox, 1);
                }
                reply => {
                    let reply = reply?;
                    self.learn(Marks::Shown);
                    return Ok((marked, reply));
                }
            }
        }
        let reply = self.caller.get(Asked::Items, bare.clone()).await?;
        self.learn(Marks::Refused);
        Ok((bare, reply))
    }

    async fn import(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        replaces: Option<&Placed>,
        body: &Body,
    ) -> Result<Placed, Setback> {
        let url = self.sessions.get(&self.caller, mailbox).await;
        let url = url.map_err(before_create)?;
        let call = Call::new(Method::Post, url)
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .auth(Auth::InUrl)
            .body(import_body(folder, replaces, body)?)
            .kind(CallKind::Create);
        let reply = self.import.send(call).await?;
        if !reply.is_success() {
            let now = self.caller.clock.moment();
            return Err(classify_reply(Asked::Import, reply, now).await);
        }
        let status = reply.status();
        let body = reply.read_all(limits::ERROR_BODY_MAX).await?;
        ImportReply::read(status, &body)
    }
}

pub(super) fn item_resource(
    mailbox: &TargetMailboxId,
    folder: &TargetFolderId,
    item: &TargetItemId,
) -> Resource {
    Resource::Item {
        mailbox: mailbox.as_str().to_owned(),
        folder: folder.as_str().to_owned(),
        item: item.as_str().to_owned(),
    }
}

/// A setback on the way to a create. Whatever became of that earlier call, nothing of the item left this machine.
pub(super) fn before_create(setback: Setback) -> Setback {
    match setback {
        Setback::Lost(_)
        | Setback::GatewayGaveUp(_)
        | Setback::Unwell(_)
        | Setback::Misread(..) => Setback::Unreached(UnreachedCause::Connect),
        other => other,
    }
}

#[async_trait]
impl Target for GraphTarget {
    async fn resolve(&self, user: &MailboxId) -> Result<TargetMailboxId, Setback> {
        let resource = Resource::Settings {
            user: user.reveal().to_owned(),
        };
        let url = self.caller.url(&resource, "");
        let (status, body) = self.caller.get(Asked::Settings, url).await?;
        let mailbox = ExchangeSettings::read(status, &body)?;
        self.remember(&mailbox, user.reveal());
        Ok(mailbox)
    }

    async fn folders(&self, mailbox: &TargetMailboxId) -> Result<Vec<TargetFolder>, Setback> {
        self.walks.tree(&self.caller, mailbox).await
    }

    async fn ensure_folder(
        &self,
        mailbox: &TargetMailboxId,
        order: &FolderOrder,
    ) -> Result<TargetFolder, Setback> {
        folders::ensure(&self.caller, mailbox, order).await
    }

    async fn create(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        body: &Body,
    ) -> Result<Placed, Setback> {
        self.import(mailbox, folder, None, body).await
    }

    async fn update(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
        body: &Body,
    ) -> Result<Placed, Setback> {
        self.import(mailbox, folder, Some(placed), body).await
    }

    async fn version(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        item: &TargetItemId,
    ) -> Result<Placed, Setback> {
        let url = self.caller.url(
            &item_resource(mailbox, folder, item),
            &ListQuery::version().encode(),
        );
        let (status, body) = self.caller.get(Asked::Delete, url).await?;
        json::read::<MailboxItem>(status, &body)?.placed(status)
    }

    async fn rename_folder(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        name: &str,
    ) -> Result<(), Setback> {
        folders::rename(&self.caller, mailbox, folder, name).await
    }

    async fn remove_folder(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
    ) -> Result<bool, Setback> {
        match folders::is_empty(&self.caller, mailbox, folder).await {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(Setback::FolderGone | Setback::Gone) => return Ok(true),
            Err(setback) => return Err(setback),
        }
        // The counts lag; the listing is asked as well.
        if !self.page(mailbox, folder, None).await?.items.is_empty() {
            return Ok(false);
        }
        match folders::remove(&self.caller, mailbox, folder).await {
            Ok(()) | Err(Setback::FolderGone | Setback::Gone) => Ok(true),
            Err(setback) => Err(setback),
        }
    }

    async fn page(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        from: Option<&Cursor>,
    ) -> Result<TargetPage, Setback> {
        let (url, (status, body)) = if let Some(cursor) = from {
            self.caller.own_link(cursor.as_str())?;
            let url = cursor.as_str().to_owned();
            (url.clone(), self.caller.get(Asked::Items, url).await?)
        } else {
            self.first_page(mailbox, folder).await?
        };
        let page: ItemPage = json::read(status, &body)?;
        // A page that leads to itself would never end.
        if page.next_link.as_deref() == Some(url.as_str()) {
            return Err(folders::endless());
        }
        let home = Home::of(mailbox);
        let headers = (page.value.into_iter()).map(|item| item.into_header(status, home));
        Ok(TargetPage {
            items: headers.collect::<Result<_, _>>()?,
            next: page.next_link.map(Cursor::new),
        })
    }

    async fn export(
        &self,
        mailbox: &TargetMailboxId,
        item: &TargetItemId,
    ) -> Result<BodyStream, Setback> {
        let resource = Resource::Export {
            mailbox: mailbox.as_str().to_owned(),
        };
        let body = json::write(&ExportRequest {
            item_ids: vec![item.as_str().to_owned()],
        });
        let url = self.caller.url(&resource, "");
        let call = json_post(url, CallBody::bytes(body)).kind(CallKind::Transfer);
        let reply = self.caller.send(Asked::Export, call).await?;
        Ok(export_stream(reply, item.clone()))
    }

    async fn retract(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
    ) -> Result<(), Setback> {
        self.delete_unchanged(mailbox, folder, placed, Disposal::Soft)
            .await
    }

    fn made_besides(&self, mailbox: &TargetMailboxId) -> Count {
        self.caller.take_made(mailbox)
    }

    fn renew(&self, mailbox: &TargetMailboxId) {
        // A refused token was forgotten where it was refused; a good one serves all mailboxes.
        self.sessions.forget(mailbox);
    }
}
