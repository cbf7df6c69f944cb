//! Items of ours taken away where there is no mailbox import, and so no delete that says where things go.
//!
//! A plain delete may put an item among the user's deleted ones, for all that is documented. There our mark would make a copy, or half of one, look like
//! a copy that belongs there; so the mark goes first.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::losses::Family;
use crate::base::outcome::{RefusalWhy, Said, Setback};
use crate::base::secret::SafeUrl;
use crate::graph::caller::{Caller, json_call, json_post};
use crate::graph::typed::{Site, remove};
use crate::transport::{Call, CallBody, Method};
use crate::wire::graph::classify::Asked;
use crate::wire::graph::json;
use crate::wire::graph::mail_folder::{MarkedMessage, move_body};
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::provenance;
use crate::wire::graph::shelf::item_of;

/// Where a soft delete puts a message; the Mail API knows the folder by this name (reference/graph.md 2.6).
const DUMPSTER: &str = "recoverableitemsdeletions";

/// Where a user's own delete puts it.
const DELETED: &str = "deleteditems";

/// What was learnt of ways that a cloud does not have.
#[derive(Debug, Default)]
pub(super) struct Ways {
    no_permanent: AtomicBool,
    no_dumpster: AtomicBool,
}

impl Ways {
    /// Takes away what is of no use to anybody: for good where the cloud has a way for that, and else out of its user's sight.
    pub(super) async fn discard(
        &self,
        caller: &Caller,
        site: &Site<'_>,
        family: Family,
        id: &str,
    ) -> Result<(), Setback> {
        if !self.no_permanent.load(Ordering::Relaxed) {
            let part = OfUser::PermanentDelete {
                family,
                item: id.to_owned(),
            };
            let call = Call::new(Method::Post, SafeUrl::new(site.url(caller, part, "")));
            site.count(caller);
            match caller.send(Asked::Delete, call).await {
                Ok(_) | Err(Setback::Gone) => return Ok(()),
                Err(Setback::OurRequest(_)) => self.no_permanent.store(true, Ordering::Relaxed),
                // Held content may not go for good.
                Err(Setback::ItemRefused(_)) => {}
                Err(setback) => return Err(setback),
            }
        }
        if family == Family::Message {
            if self.to_dumpster(caller, site, id).await?
                || !unmark(caller, site, family, id).await?
            {
                return Ok(());
            }
            // What is deleted among the deleted ones is out of sight. A move tells its new id, a delete does not.
            let there = moved(caller, site, id, DELETED).await?;
            let id = there.as_deref().unwrap_or(id);
            return remove(caller, site, item_of(family, id)).await;
        }
        self.put_away(caller, site, family, id).await
    }

    /// Takes an item away so that its user can get it back: a message into the folder of recoverable items, anything else where a delete puts it.
    pub(super) async fn put_away(
        &self,
        caller: &Caller,
        site: &Site<'_>,
        family: Family,
        id: &str,
    ) -> Result<(), Setback> {
        let away = family == Family::Message && self.to_dumpster(caller, site, id).await?;
        if away || !unmark(caller, site, family, id).await? {
            return Ok(());
        }
        remove(caller, site, item_of(family, id)).await
    }

    /// Moves a message among the recoverable items; false where this cloud does not let it, or where the message or that folder is not there.
    async fn to_dumpster(
        &self,
        caller: &Caller,
        site: &Site<'_>,
        id: &str,
    ) -> Result<bool, Setback> {
        if self.no_dumpster.load(Ordering::Relaxed) {
            return Ok(false);
        }
        match moved(caller, site, id, DUMPSTER).await {
            Ok(there) => Ok(there.is_some()),
            Err(Setback::OurRequest(_)) => {
                self.no_dumpster.store(true, Ordering::Relaxed);
                Ok(false)
            }
            Err(Setback::ItemRefused(_)) => Ok(false),
            Err(setback) => Err(setback),
        }
    }
}

/// Moves a message, and returns its new id; `None` where the message or the folder is not there, which look the same.
async fn moved(
    caller: &Caller,
    site: &Site<'_>,
    id: &str,
    to: &str,
) -> Result<Option<String>, Setback> {
    let part = OfUser::Move {
        message: id.to_owned(),
    };
    let body = CallBody::bytes(move_body(to));
    site.count(caller);
    let call = json_post(site.url(caller, part, ""), body);
    match caller.whole(Asked::Delete, call).await {
        Ok((status, body)) => {
            let placed = json::read::<MarkedMessage>(status, &body)?.placed(status)?;
            Ok(Some(placed.item.as_str().to_owned()))
        }
        Err(Setback::Gone) => Ok(None),
        Err(setback) => Err(setback),
    }
}

/// Takes our mark off an item; false for one that is gone.
async fn unmark(
    caller: &Caller,
    site: &Site<'_>,
    family: Family,
    id: &str,
) -> Result<bool, Setback> {
    let url = site.url(caller, item_of(family, id), "");
    let body = CallBody::bytes(provenance::removed_body());
    site.count(caller);
    let call = json_call(Method::Patch, url, body);
    match caller.send(Asked::Delete, call).await {
        Ok(_) => Ok(true),
        Err(Setback::Gone) => Ok(false),
        Err(setback) => Err(setback),
    }
}

/// Streams have no way here.
pub(super) fn no_streams() -> Setback {
    crate::graph::typed::unfit(RefusalWhy::TargetRefused, "no-mailbox-import")
}

/// A folder id that is none of this tree's.
pub(super) fn unknown_folder() -> Setback {
    Setback::OurRequest(Said::code("folder-of-another-tree"))
}
