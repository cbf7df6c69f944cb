//! The target seam where there is no mailbox import, as in national clouds (reference/graph.md 1.1): folders and items by the Mail, Calendar and
//! Contacts APIs alone. Streams have no way here; items go by their class ([`TypedTarget`](crate::port::typed::TypedTarget) on [`GraphTarget`]).

use std::sync::Arc;

use async_trait::async_trait;

use crate::base::id::{MailboxId, TargetFolderId, TargetItemId, TargetMailboxId};
use crate::base::item::Placed;
use crate::base::limits;
use crate::base::losses::Family;
use crate::base::mailbox::{FolderOrder, TargetFolder};
use crate::base::outcome::{Said, Setback};
use crate::base::quantity::Count;
use crate::graph::away::{no_streams, unknown_folder};
use crate::graph::caller::{json_call, json_post};
use crate::graph::folders::endless;
use crate::graph::shelf_walk::{ShelfWalks, count, is_beside, listed, one};
use crate::graph::target::GraphTarget;
use crate::graph::typed::{Site, changed_since, remove};
use crate::port::body::{Body, BodyStream};
use crate::port::target::{Cursor, Target, TargetPage};
use crate::transport::{CallBody, Method};
use crate::wire::graph::classify::{Asked, is_folder_conflict};
use crate::wire::graph::items::{ItemPage, MailboxItem};
use crate::wire::graph::json;
use crate::wire::graph::provenance::{self, Home};
use crate::wire::graph::query::ListQuery;
use crate::wire::graph::shelf::{
    ROOT, Shelf, ShelfFolder, item_of, kept_in, name_body, own_calendars,
};

/// A tenant of a cloud without mailbox import.
#[derive(Debug)]
pub struct UserTarget {
    pub(super) graph: Arc<GraphTarget>,
    walks: ShelfWalks,
}

impl UserTarget {
    /// The same tenant by its other APIs.
    pub fn of(graph: Arc<GraphTarget>) -> Self {
        Self {
            graph,
            walks: ShelfWalks::default(),
        }
    }

    /// The folder of that name in a list, byte for byte.
    async fn named(
        &self,
        site: &Site<'_>,
        order: &FolderOrder,
    ) -> Result<Option<TargetFolder>, Setback> {
        let under = place(&order.parent)?;
        let family = kept_in(&order.class);
        let (place, list) = under.place_of(&order.class);
        let (status, mut all) = listed(&self.graph.caller, site, family, list).await?;
        if family == Family::Event {
            all = own_calendars(all);
        }
        let other = |own: &ShelfFolder| own.is_search() || is_beside(site, family, own);
        for folder in all.into_iter().filter(|own| !other(own)) {
            let folder = folder.into_target(status, family, Some(&place))?;
            if folder.name == order.name {
                return Ok(Some(folder));
            }
        }
        Ok(None)
    }

    /// Makes a folder; `None` when that name is taken.
    async fn make(
        &self,
        site: &Site<'_>,
        order: &FolderOrder,
    ) -> Result<Option<TargetFolder>, Setback> {
        let caller = &self.graph.caller;
        let family = kept_in(&order.class);
        let (place, list) = place(&order.parent)?.place_of(&order.class);
        let body = CallBody::bytes(name_body(family, &order.name));
        site.count(caller);
        let call = json_post(site.url(caller, list, ""), body);
        match caller.whole(Asked::MakeFolder, call).await {
            Ok((status, body)) => {
                let made: ShelfFolder = json::read(status, &body)?;
                made.into_target(status, family, Some(&place)).map(Some)
            }
            Err(Setback::OurRequest(said)) if is_folder_conflict(&said) => Ok(None),
            Err(setback) => Err(setback),
        }
    }

    /// An item's id, version and mark.
    async fn shown(
        &self,
        site: &Site<'_>,
        folder: &TargetFolderId,
        item: &TargetItemId,
    ) -> Result<(u16, MailboxItem), Setback> {
        // An item that is moved gets another id, so that one which answers is where it was (reference/graph.md section 5).
        let part = item_of(place(folder)?.family(), item.as_str());
        let query = ListQuery {
            named: vec![provenance::SOURCE],
            ..ListQuery::version()
        };
        let caller = &self.graph.caller;
        let url = site.url(caller, part, &query.encode());
        site.count(caller);
        let (status, body) = caller.get(Asked::Delete, url).await?;
        Ok((status, json::read(status, &body)?))
    }

    /// A call on an item that is still the version we know; `None` where it is gone. Somebody who worked on it since made it more than ours: refused.
    /// One whose mark we took off is on its way already, and another version for that.
    pub(super) async fn as_known<'a>(
        &self,
        mailbox: &'a TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
    ) -> Result<Option<Site<'a>>, Setback> {
        let site = self.graph.site(mailbox)?;
        let (status, now) = match self.shown(&site, folder, &placed.item).await {
            Err(Setback::Gone) => return Ok(None),
            other => other?,
        };
        let begun = provenance::is_removed(&now.single_value_extended_properties);
        if !begun && now.placed(status)? != *placed {
            return Err(changed_since());
        }
        Ok(Some(site))
    }

    async fn is_empty(&self, site: &Site<'_>, place: &Shelf) -> Result<bool, Setback> {
        let caller = &self.graph.caller;
        if let Shelf::Mail(id) = place {
            let (_, own) = one(caller, site, Family::Message, id).await?;
            // Without a count nobody knows, so it is not empty.
            if (own.child_folder_count, own.total_item_count) != (Some(0), Some(0)) {
                return Ok(false);
            }
        } else if let Shelf::Contacts(_) = place {
            let (_, list) = place.place_of("IPF.Contact");
            if !listed(caller, site, Family::Contact, list)
                .await?
                .1
                .is_empty()
            {
                return Ok(false);
            }
        }
        // Counts lag; the list is asked as well.
        Ok(count(caller, site, &place.items()).await? == Count::ZERO)
    }
}

/// The folder of an id of this tree.
pub(super) fn place(id: &TargetFolderId) -> Result<Shelf, Setback> {
    Shelf::parse(id).ok_or_else(unknown_folder)
}

#[async_trait]
impl Target for UserTarget {
    /// The mailbox is known by its root folder, whose id no other mailbox has and nothing changes (reference/graph.md section 5).
    async fn resolve(&self, user: &MailboxId) -> Result<TargetMailboxId, Setback> {
        let unknown = TargetMailboxId::new("");
        let site = Site::new(&unknown, user.reveal().to_owned(), false);
        let caller = &self.graph.caller;
        let url = site.url(
            caller,
            Shelf::Mail(ROOT.to_owned())
                .folder()
                .ok_or_else(unknown_folder)?,
            &ListQuery::selecting(&["id"]).encode(),
        );
        let (status, body) = caller.get(Asked::Settings, url).await?;
        let root: ShelfFolder = json::read(status, &body)?;
        let mailbox = TargetMailboxId::new(root.own_id(status)?);
        self.graph.remember(&mailbox, user.reveal());
        Ok(mailbox)
    }

    async fn folders(&self, mailbox: &TargetMailboxId) -> Result<Vec<TargetFolder>, Setback> {
        let site = self.graph.site(mailbox)?;
        self.walks.tree(&self.graph.caller, &site).await
    }

    fn place_of(&self, parent: &TargetFolderId, class: &str) -> TargetFolderId {
        match Shelf::parse(parent) {
            Some(place) => place.place_of(class).0.id(),
            None => parent.clone(),
        }
    }

    async fn ensure_folder(
        &self,
        mailbox: &TargetMailboxId,
        order: &FolderOrder,
    ) -> Result<TargetFolder, Setback> {
        let site = self.graph.site(mailbox)?;
        if let Some(folder) = self.named(&site, order).await? {
            return Ok(folder);
        }
        if let Some(folder) = self.make(&site, order).await? {
            return Ok(folder);
        }
        // Somebody was quicker, or a folder of another kind has that name.
        let taken = || Setback::OurRequest(Said::new(409, "ErrorFolderExists"));
        self.named(&site, order).await?.ok_or_else(taken)
    }

    async fn create(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
        _: &Body,
    ) -> Result<Placed, Setback> {
        Err(no_streams())
    }

    async fn update(
        &self,
        _: &TargetMailboxId,
        _: &TargetFolderId,
        _: &Placed,
        _: &Body,
    ) -> Result<Placed, Setback> {
        Err(no_streams())
    }

    async fn version(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        item: &TargetItemId,
    ) -> Result<Placed, Setback> {
        let site = self.graph.site(mailbox)?;
        let (status, own) = self.shown(&site, folder, item).await?;
        own.placed(status)
    }

    async fn rename_folder(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        name: &str,
    ) -> Result<(), Setback> {
        let site = self.graph.site(mailbox)?;
        let place = place(folder)?;
        let part = place.folder().ok_or_else(unknown_folder)?;
        let body = CallBody::bytes(name_body(place.family(), name));
        let caller = &self.graph.caller;
        let call = json_call(Method::Patch, site.url(caller, part, ""), body);
        site.count(caller);
        caller.whole(Asked::Folders, call).await.map(drop)
    }

    async fn remove_folder(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
    ) -> Result<bool, Setback> {
        let site = self.graph.site(mailbox)?;
        let place = place(folder)?;
        let part = place.folder().ok_or_else(unknown_folder)?;
        match self.is_empty(&site, &place).await {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(Setback::FolderGone | Setback::Gone) => return Ok(true),
            Err(setback) => return Err(setback),
        }
        remove(&self.graph.caller, &site, part).await.map(|()| true)
    }

    async fn page(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        from: Option<&Cursor>,
    ) -> Result<TargetPage, Setback> {
        let site = self.graph.site(mailbox)?;
        let place = place(folder)?;
        let caller = &self.graph.caller;
        let url = if let Some(cursor) = from {
            caller.own_link(cursor.as_str())?;
            cursor.as_str().to_owned()
        } else {
            let query = ListQuery::fields_of_items(limits::TARGET_PAGE);
            site.url(caller, place.items(), &query.encode())
        };
        site.count(caller);
        let (status, body) = caller.get(Asked::Items, url.clone()).await?;
        let page: ItemPage = json::read(status, &body)?;
        // A page that leads to itself would never end.
        if page.next_link.as_deref() == Some(url.as_str()) {
            return Err(endless());
        }
        let (home, family) = (Home::of(mailbox), place.family());
        // What we took away is gone, wherever this cloud keeps it for its user.
        let is_there =
            |item: &MailboxItem| !provenance::is_removed(&item.single_value_extended_properties);
        let items = page.value.into_iter().filter(is_there);
        let headers = items.map(|item| item.with_fields(family).into_header(status, home));
        Ok(TargetPage {
            items: headers.collect::<Result<_, _>>()?,
            next: page.next_link.map(Cursor::new),
        })
    }

    async fn export(&self, _: &TargetMailboxId, _: &TargetItemId) -> Result<BodyStream, Setback> {
        Err(no_streams())
    }

    async fn retract(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
    ) -> Result<(), Setback> {
        let Some(site) = self.as_known(mailbox, folder, placed).await? else {
            return Ok(());
        };
        let family = place(folder)?.family();
        let away = &self.graph.away;
        away.put_away(&self.graph.caller, &site, family, placed.item.as_str())
            .await
    }

    fn made_besides(&self, mailbox: &TargetMailboxId) -> Count {
        self.graph.caller.take_made(mailbox)
    }

    fn renew(&self, _: &TargetMailboxId) {
        // A refused token was forgotten where it was refused; there are no sessions here.
    }
}
