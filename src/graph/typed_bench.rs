//! Where items are made that need several calls: a hidden folder of ours in each mailbox, what is under way in it, and what earlier attempts left
//! there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::id::{TargetFolderId, TargetItemId, TargetMailboxId};
use crate::base::item::Digest;
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::quantity::Count;
use crate::base::secret::SafeUrl;
use crate::graph::caller::{Caller, json_post};
use crate::graph::pages::Pages;
use crate::graph::target::{GraphTarget, item_resource};
use crate::graph::typed::Site;
use crate::graph::typed_upload::Uploading;
use crate::transport::{Call, CallBody, Method};
use crate::wire::graph::classify::{Asked, is_folder_conflict};
use crate::wire::graph::mail_folder::{
    MailFolder, MailFolderPage, MarkedMessage, MarkedPage, folders_query, make_body, marks_query,
    unfinished_query,
};
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::provenance::Home;
use crate::wire::graph::query::{Disposal, ListQuery, Sought};
use crate::wire::graph::shelf::Shelf;
use crate::wire::graph::{json, provenance};

/// The benches of all mailboxes.
#[derive(Debug, Default)]
pub(super) struct Benches(Mutex<BTreeMap<TargetMailboxId, Arc<Bench>>>);

/// What is under way in one mailbox.
#[derive(Debug, Default)]
pub(super) struct Bench {
    /// The hidden folder, once it is known.
    folder: tokio::sync::Mutex<Option<String>>,
    /// By mark.
    works: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Work>>>>,
}

/// The making of one item. Items of the same mark take turns, since each clears away what bears its mark.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// True when the folder may hold something of this mark that nobody works on.
    pub(super) left: bool,
    /// What an attempt that was put off has done so far.
    pub(super) begun: Option<Begun>,
}

/// A message in the hidden folder, not yet whole.
#[derive(Debug)]
pub(super) struct Begun {
    /// Of which parcel.
    pub(super) digest: Digest,
    /// Its id.
    pub(super) item: String,
    /// The next attachment.
    pub(super) next: usize,
    /// Attachments it has.
    pub(super) has: usize,
    /// Times in a row that the service did not see it.
    pub(super) unseen: u32,
    /// The upload of the next attachment.
    pub(super) upload: Option<Uploading>,
}

impl Benches {
    /// The bench of a mailbox.
    pub(super) fn of(&self, mailbox: &TargetMailboxId) -> Arc<Bench> {
        Arc::clone(lock(&self.0).entry(mailbox.clone()).or_default())
    }

    /// Forgets what is known of a mailbox.
    pub(super) fn forget(&self, mailbox: &TargetMailboxId) {
        lock(&self.0).remove(mailbox);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bench {
    /// The making of the item with this mark.
    pub(super) fn work(&self, mark: &str) -> Arc<tokio::sync::Mutex<Work>> {
        Arc::clone(lock(&self.works).entry(mark.to_owned()).or_default())
    }

    /// The item with this mark is whole; unless another of the same mark waits, nothing more need be known.
    pub(super) fn done(&self, mark: &str) {
        let mut works = lock(&self.works);
        // One is the caller's.
        if works
            .get(mark)
            .is_some_and(|own| Arc::strong_count(own) <= 2)
        {
            works.remove(mark);
        }
    }

    /// The hidden folder, found or made. What lies in one that was there is noted as left over.
    pub(super) async fn folder(&self, caller: &Caller, site: &Site<'_>) -> Result<String, Setback> {
        let mut held = self.folder.lock().await;
        if let Some(id) = &*held {
            return Ok(id.clone());
        }
        let found = match find(caller, site).await? {
            Some(id) => Some(id),
            None => match make(caller, site).await? {
                Some(id) => {
                    *held = Some(id.clone());
                    return Ok(id);
                }
                // Somebody was quicker.
                None => find(caller, site).await?,
            },
        };
        let id = found.ok_or_else(|| Setback::OurRequest(Said::new(409, "ErrorFolderExists")))?;
        for own in listed(caller, site, &id).await? {
            if let Some(mark) = own.mark() {
                self.work(mark).lock().await.left = true;
            }
        }
        *held = Some(id.clone());
        Ok(id)
    }

    /// The hidden folder is not there any more.
    pub(super) async fn forget_folder(&self) {
        *self.folder.lock().await = None;
    }
}

/// The hidden folder, where it exists.
pub(super) async fn find(caller: &Caller, site: &Site<'_>) -> Result<Option<String>, Setback> {
    let first = site.url(caller, OfUser::MailFolders, &folders_query());
    let mut pages = Pages::from(Asked::Folders, first);
    while let Some((status, page)) = pages.next::<MailFolderPage>(caller, site).await? {
        if let Some(own) = page.value.into_iter().find(MailFolder::is_ours) {
            return id_of(own.id, status).map(Some);
        }
    }
    Ok(None)
}

/// Makes it; `None` when it is there already.
async fn make(caller: &Caller, site: &Site<'_>) -> Result<Option<String>, Setback> {
    let url = site.url(caller, OfUser::MailFolders, "");
    let call = json_post(url, CallBody::bytes(make_body()));
    site.count(caller);
    match caller.whole(Asked::MakeFolder, call).await {
        Ok((status, body)) => {
            let made: MailFolder = json::read(status, &body)?;
            id_of(made.id, status).map(Some)
        }
        Err(Setback::OurRequest(said)) if is_folder_conflict(&said) => Ok(None),
        Err(setback) => Err(setback),
    }
}

fn id_of(id: Option<String>, status: u16) -> Result<String, Setback> {
    let missing = || Setback::Misread(MisreadCause::Incomplete, Said::status(status));
    id.filter(|id| !id.is_empty()).ok_or_else(missing)
}

/// What lies in the hidden folder.
pub(super) async fn listed(
    caller: &Caller,
    site: &Site<'_>,
    folder: &str,
) -> Result<Vec<MarkedMessage>, Setback> {
    let part = OfUser::Messages {
        folder: folder.to_owned(),
    };
    marked(caller, site, site.url(caller, part, &marks_query())).await
}

/// The items of a listing with our marks.
pub(super) async fn marked(
    caller: &Caller,
    site: &Site<'_>,
    first: String,
) -> Result<Vec<MarkedMessage>, Setback> {
    let mut pages = Pages::from(Asked::Folders, first);
    let mut all = Vec::new();
    while let Some((_, page)) = pages.next::<MarkedPage>(caller, site).await? {
        all.extend(page.value);
    }
    Ok(all)
}

/// Removes from the hidden folder what bears our mark: this one, or any. Returns how many.
pub(super) async fn sweep(
    target: &GraphTarget,
    site: &Site<'_>,
    folder: &str,
    mark: Option<&str>,
) -> Result<Count, Setback> {
    let mut swept = 0;
    let shelf = Shelf::Mail(folder.to_owned());
    for own in listed(&target.caller, site, folder).await? {
        let ours = own
            .mark()
            .is_some_and(|own| mark.is_none_or(|mark| own == mark));
        let Some(id) = own.id.filter(|_| ours) else {
            continue;
        };
        discard(target, site, &shelf, &id).await?;
        swept += 1;
    }
    Ok(Count::new(swept))
}

/// Removes from a calendar or contact folder what bears our mark of the unfinished for this mailbox. Returns how many. What the filter lets through
/// and does not bear that mark stays: the mark that is there decides, not who says so. A folder that is gone holds nothing.
pub(super) async fn sweep_unfinished(
    target: &GraphTarget,
    site: &Site<'_>,
    folder: &Shelf,
) -> Result<Count, Setback> {
    let (caller, home) = (&target.caller, Home::of(site.mailbox));
    let first = site.url(caller, folder.items(), &unfinished_query(&home));
    let found = match marked(caller, site, first).await {
        Err(Setback::FolderGone) => return Ok(Count::ZERO),
        other => other?,
    };
    let mut swept = 0;
    for own in found {
        let ours = own.is_unfinished(&home);
        if let Some(id) = own.id.filter(|_| ours) {
            discard(target, site, folder, &id).await?;
            swept += 1;
        }
    }
    Ok(Count::new(swept))
}

/// Removes from a folder what an earlier attempt at the item of this mark left there unfinished. Returns the ids of what was removed.
pub(super) async fn clear(
    target: &GraphTarget,
    site: &Site<'_>,
    folder: &Shelf,
    mark: &str,
) -> Result<Vec<String>, Setback> {
    let query = ListQuery {
        select: vec!["id".to_owned(), "changeKey".to_owned()],
        bearing: Some((provenance::UNFINISHED, Sought::Is(mark.to_owned()))),
        ..ListQuery::default()
    };
    let caller = &target.caller;
    site.count(caller);
    let url = site.url(caller, folder.items(), &query.encode());
    // One page: what it leaves out is removed by the next attempt, or shows to whoever looks for the unfinished.
    let (status, body) = caller.get(Asked::Folders, url).await?;
    let page: MarkedPage = json::read(status, &body)?;
    let mut cleared = Vec::new();
    for id in page.value.into_iter().filter_map(|own| own.id) {
        discard(target, site, folder, &id).await?;
        cleared.push(id);
    }
    Ok(cleared)
}

/// Takes away what is of no use to anybody. Where a hold forbids that it goes for good, it goes where holds keep things.
pub(super) async fn discard(
    target: &GraphTarget,
    site: &Site<'_>,
    folder: &Shelf,
    id: &str,
) -> Result<(), Setback> {
    let caller = &target.caller;
    if !site.has_import {
        return target.away.discard(caller, site, folder.family(), id).await;
    }
    let item = TargetItemId::new(id);
    match delete(caller, site, folder.own(), &item, Disposal::Hard).await {
        Err(Setback::ItemRefused(_)) => {
            delete(caller, site, folder.own(), &item, Disposal::Soft).await
        }
        other => other,
    }
}

async fn delete(
    caller: &Caller,
    site: &Site<'_>,
    folder: &str,
    item: &TargetItemId,
    how: Disposal,
) -> Result<(), Setback> {
    let resource = item_resource(site.mailbox, &TargetFolderId::new(folder), item);
    let url = caller.url(&resource, how.encode());
    site.count(caller);
    let call = Call::new(Method::Delete, SafeUrl::new(url));
    match caller.send(Asked::Delete, call).await {
        Ok(_) | Err(Setback::Gone) => Ok(()),
        Err(setback) => Err(setback),
    }
}
