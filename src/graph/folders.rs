//! Folders of a mailbox: one, those inside another, and new ones.

use std::collections::BTreeSet;

use crate::base::id::{TargetFolderId, TargetMailboxId};
use crate::base::limits;
use crate::base::mailbox::{FolderOrder, MAIL_FOLDER_CLASS, TargetFolder};
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::secret::SafeUrl;
use crate::graph::caller::{Caller, json_post};
use crate::transport::{Call, CallBody, Method};
use crate::wire::graph::classify::{Asked, is_folder_conflict};
use crate::wire::graph::folders::{FolderPage, MailboxFolder, NewFolder, NewName};
use crate::wire::graph::json;
use crate::wire::graph::path::Resource;
use crate::wire::graph::query::ListQuery;

/// Returns the folder of that name under that parent, or makes it.
pub(super) async fn ensure(
    caller: &Caller,
    mailbox: &TargetMailboxId,
    order: &FolderOrder,
) -> Result<TargetFolder, Setback> {
    if let Some(folder) = named(caller, mailbox, order).await? {
        return Ok(folder);
    }
    caller.made(mailbox, 1);
    if let Some(folder) = make(caller, mailbox, order).await? {
        return Ok(folder);
    }
    // Somebody was quicker, or a folder the listing calls differently has that name.
    caller.made(mailbox, 1);
    named(caller, mailbox, order)
        .await?
        .ok_or_else(|| Setback::OurRequest(Said::new(409, "ErrorFolderExists")))
}

/// The folder of exactly that name, byte for byte.
async fn named(
    caller: &Caller,
    mailbox: &TargetMailboxId,
    order: &FolderOrder,
) -> Result<Option<TargetFolder>, Setback> {
    let all = children(caller, mailbox, &order.parent).await?;
    let found = all.into_iter().map(|(folder, _)| folder);
    let mut found = found.filter(|folder| folder.name == order.name);
    Ok(found.next().map(|folder| TargetFolder {
        parent: Some(order.parent.clone()),
        ..folder
    }))
}

/// Makes a folder; `None` when that name is taken.
async fn make(
    caller: &Caller,
    mailbox: &TargetMailboxId,
    order: &FolderOrder,
) -> Result<Option<TargetFolder>, Setback> {
    let resource = Resource::ChildFolders {
        mailbox: mailbox.as_str().to_owned(),
        folder: order.parent.as_str().to_owned(),
    };
    // The service takes no class outside this family (reference/graph.md 1.4).
    let class = if order.class.starts_with("IPF") {
        order.class.clone()
    } else {
        MAIL_FOLDER_CLASS.to_owned()
    };
    let body = json::write(&NewFolder {
        display_name: order.name.clone(),
        class,
        extended: Vec::new(),
    });
    let call = json_post(caller.url(&resource, ""), CallBody::bytes(body));
    match caller.whole(Asked::MakeFolder, call).await {
        Ok((status, body)) => {
            let folder = MailboxFolder::read(status, &body)?;
            Ok(Some(TargetFolder {
                parent: Some(order.parent.clone()),
                ..folder
            }))
        }
        Err(Setback::OurRequest(said)) if is_folder_conflict(&said) => Ok(None),
        Err(setback) => Err(setback),
    }
}

/// The folders directly under `parent`, each with whether it has folders inside.
pub(super) async fn children(
    caller: &Caller,
    mailbox: &TargetMailboxId,
    parent: &TargetFolderId,
) -> Result<Vec<(TargetFolder, bool)>, Setback> {
    let resource = Resource::ChildFolders {
        mailbox: mailbox.as_str().to_owned(),
        folder: parent.as_str().to_owned(),
    };
    let query = ListQuery::folders(limits::TARGET_PAGE).encode();
    let mut next = Some(caller.url(&resource, &query));
    let mut all = Vec::new();
    let mut followed = BTreeSet::new();
    while let Some(url) = next {
        if all.len() > limits::TARGET_FOLDERS_MAX || !followed.insert(url.clone()) {
            return Err(endless());
        }
        // Every page but the first.
        caller.made(mailbox, u64::from(followed.len() > 1));
        let (status, body) = caller.get(Asked::Folders, url).await?;
        let page: FolderPage = json::read(status, &body)?;
        for folder in page.value {
            // Without a count nobody knows, so we look.
            let inside = folder.child_folder_count != Some(0);
            all.push((folder.into_target(status)?, inside));
        }
        if let Some(link) = &page.next_link {
            caller.own_link(link)?;
        }
        next = page.next_link;
    }
    Ok(all)
}

/// One folder by id or well-known name.
pub(super) async fn one(
    caller: &Caller,
    mailbox: &TargetMailboxId,
    folder: &str,
) -> Result<TargetFolder, Setback> {
    let resource = Resource::Folder {
        mailbox: mailbox.as_str().to_owned(),
        folder: folder.to_owned(),
    };
    let url = caller.url(&resource, &ListQuery::folder().encode());
    let (status, body) = caller.get(Asked::Folders, url).await?;
    MailboxFolder::read(status, &body)
}

/// Gives a folder another name.
pub(super) async fn rename(
    caller: &Caller,
    mailbox: &TargetMailboxId,
    folder: &TargetFolderId,
    name: &str,
) -> Result<(), Setback> {
    let body = json::write(&NewName {
        display_name: name.to_owned(),
    });
    let url = caller.url(&folder_resource(mailbox, folder), "");
    let call = Call::new(Method::Patch, SafeUrl::new(url))
        .header("content-type", "application/json")
        .body(CallBody::bytes(body));
    caller.whole(Asked::Folders, call).await.map(drop)
}

/// True when the service counts neither items nor folders in it. Without a count nobody knows, so it is not empty.
pub(super) async fn is_empty(
    caller: &Caller,
    mailbox: &TargetMailboxId,
    folder: &TargetFolderId,
) -> Result<bool, Setback> {
    let url = caller.url(
        &folder_resource(mailbox, folder),
        &ListQuery::folder().encode(),
    );
    let (status, body) = caller.get(Asked::Folders, url).await?;
    let read: MailboxFolder = json::read(status, &body)?;
    Ok(read.child_folder_count == Some(0) && read.total_item_count == Some(0))
}

/// Deletes a folder.
pub(super) async fn remove(
    caller: &Caller,
    mailbox: &TargetMailboxId,
    folder: &TargetFolderId,
) -> Result<(), Setback> {
    let url = caller.url(&folder_resource(mailbox, folder), "");
    let call = Call::new(Method::Delete, SafeUrl::new(url));
    caller.send(Asked::Folders, call).await.map(drop)
}

fn folder_resource(mailbox: &TargetMailboxId, folder: &TargetFolderId) -> Resource {
    Resource::Folder {
        mailbox: mailbox.as_str().to_owned(),
        folder: folder.as_str().to_owned(),
    }
}

/// A listing that does not end.
pub(super) fn endless() -> Setback {
    Setback::Misread(MisreadCause::TooLarge, Said::code("endless-listing"))
}
