//! The typed route's target on Graph: items made by their classes in the Mail, Calendar and Contacts APIs (reference/graph.md section 2).
//!
//! Those APIs ask for a user where the import asks for a mailbox, so that only mailboxes that were resolved before are known here.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::base::id::{TargetFolderId, TargetItemId, TargetMailboxId};
use crate::base::item::{Placed, Stamp};
use crate::base::mailbox::TargetFolder;
use crate::base::outcome::{Refusal, RefusalWhy, Said, Setback};
use crate::base::quantity::Count;
use crate::base::typed::TypedItem;
use crate::graph::caller::Caller;
use crate::graph::target::GraphTarget;
use crate::graph::typed_bench::{find, sweep};
use crate::graph::typed_parcel::measure;
use crate::graph::{typed_contact, typed_event, typed_message, typed_read};
use crate::port::body::{Body, BodyStream};
use crate::port::target::Target;
use crate::port::typed::TypedTarget;
use crate::wire::graph::path::Resource;
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::provenance::Mark;
use crate::wire::parcel::stamp_of;

/// One call of the seam: in which mailbox, whose it is, and whether its first request was made, the one that callers count for themselves.
pub(super) struct Site<'a> {
    pub(super) mailbox: &'a TargetMailboxId,
    pub(super) user: String,
    begun: AtomicBool,
}

impl<'a> Site<'a> {
    pub(super) const fn new(mailbox: &'a TargetMailboxId, user: String) -> Self {
        Self {
            mailbox,
            user,
            begun: AtomicBool::new(false),
        }
    }

    /// The address of a resource of this user.
    pub(super) fn url(&self, caller: &Caller, part: OfUser, query: &str) -> String {
        let user = self.user.clone();
        caller.url(&Resource::Of { user, part }, query)
    }

    /// Notes that a request is made now.
    pub(super) fn count(&self, caller: &Caller) {
        if self.begun.swap(true, Ordering::Relaxed) {
            caller.made(self.mailbox, 1);
        }
    }
}

/// A change that the service does not let a copy take. Nothing happened.
pub(super) fn beyond_amending() -> Setback {
    unfit(RefusalWhy::NoTypedForm, "beyond-amending")
}

/// A refusal of our own, before anything was sent.
pub(super) fn unfit(why: RefusalWhy, code: &str) -> Setback {
    Setback::ItemRefused(Refusal {
        why,
        said: Said::code(code),
    })
}

#[async_trait]
impl TypedTarget for GraphTarget {
    async fn compose(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        stamp: &Stamp,
        parcel: &Body,
    ) -> Result<Placed, Setback> {
        let site = Site::new(mailbox, self.user_of(mailbox)?);
        let report = measure(parcel.open()).await?;
        match &report.item {
            TypedItem::Message(own) => {
                let making = typed_message::Making {
                    target: self,
                    site: &site,
                    mark: Mark::new(stamp.clone(), mailbox),
                    report: &report,
                    parcel,
                };
                making.compose(&folder.id, own).await
            }
            TypedItem::Event(own) => {
                let making = typed_event::Making {
                    target: self,
                    site: &site,
                    mark: Mark::new(stamp.clone(), mailbox),
                    report: &report,
                    parcel,
                };
                making.compose(&folder.id, own).await
            }
            TypedItem::Contact(own) => {
                let making = typed_contact::Making {
                    target: self,
                    site: &site,
                    mark: Mark::new(stamp.clone(), mailbox),
                    report: &report,
                    parcel,
                };
                making.compose(&folder.id, own).await
            }
        }
    }

    async fn amend(
        &self,
        mailbox: &TargetMailboxId,
        _folder: &TargetFolder,
        placed: &Placed,
        parcel: &Body,
    ) -> Result<Placed, Setback> {
        let site = Site::new(mailbox, self.user_of(mailbox)?);
        let report = measure(parcel.open()).await?;
        let mark = Mark::new(stamp_of(&report.item), mailbox);
        match &report.item {
            TypedItem::Message(newer) => {
                typed_message::amend(&self.caller, &site, placed, newer, &report).await
            }
            TypedItem::Event(newer) => {
                typed_event::amend(&self.caller, &site, placed, newer, &mark).await
            }
            TypedItem::Contact(newer) => {
                let newer = (&**newer, &mark);
                typed_contact::amend(&self.caller, &site, placed, newer, (&report, parcel)).await
            }
        }
    }

    async fn read(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        item: &TargetItemId,
    ) -> Result<BodyStream, Setback> {
        let site = Site::new(mailbox, self.user_of(mailbox)?);
        // Which API has an item is the folder's matter: each shows its own.
        if folder.class.starts_with("IPF.Appointment") {
            return typed_event::read(&self.caller, &site, item.as_str()).await;
        }
        if folder.class.starts_with("IPF.Contact") {
            return typed_contact::read(&self.caller, &site, item.as_str()).await;
        }
        let shown = typed_read::message(&self.caller, &site, item.as_str()).await?;
        typed_read::parcel(&self.caller, &site, shown).await
    }

    async fn tidy(&self, mailbox: &TargetMailboxId) -> Result<Count, Setback> {
        let site = Site::new(mailbox, self.user_of(mailbox)?);
        self.benches.forget(mailbox);
        let caller = &self.caller;
        let Some(folder) = find(caller, &site).await? else {
            return Ok(Count::ZERO);
        };
        let swept = sweep(caller, &site, &folder, None).await?;
        caller.made(mailbox, 3);
        self.remove_folder(mailbox, &TargetFolderId::new(folder))
            .await?;
        Ok(swept)
    }

    fn made_besides(&self, mailbox: &TargetMailboxId) -> Count {
        self.caller.take_made(mailbox)
    }
}
