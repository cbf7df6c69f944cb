//! The typed route's target on Graph: items made by their classes in the Mail, Calendar and Contacts APIs (reference/graph.md section 2).
//!
//! Those APIs ask for a user where the import asks for a mailbox, so that only mailboxes that were resolved before are known here.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::base::id::{TargetFolderId, TargetItemId, TargetMailboxId};
use crate::base::item::{Placed, Stamp};
use crate::base::losses::Family;
use crate::base::mailbox::TargetFolder;
use crate::base::outcome::{Refusal, RefusalWhy, Said, Setback};
use crate::base::quantity::Count;
use crate::base::secret::SafeUrl;
use crate::base::typed::{TypedEvent, TypedItem};
use crate::graph::caller::{Caller, json_call, json_post};
use crate::graph::target::GraphTarget;
use crate::graph::typed_bench::{discard, find, listed, sweep, sweep_unfinished};
use crate::graph::typed_parcel::measure;
use crate::graph::{typed_contact, typed_event, typed_message, typed_read, typed_reminder};
use crate::port::body::{Body, BodyStream};
use crate::port::target::Target;
use crate::port::typed::TypedTarget;
use crate::transport::{Call, CallBody, CallKind, Method};
use crate::wire::graph::classify::Asked;
use crate::wire::graph::json;
use crate::wire::graph::mail_folder::MarkedMessage;
use crate::wire::graph::path::Resource;
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::provenance::Mark;
use crate::wire::graph::shelf::Shelf;
use crate::wire::parcel::ParcelReport;

/// One call of the seam: in which mailbox, whose it is, and whether its first request was made, the one that callers count for themselves.
pub(super) struct Site<'a> {
    pub(super) mailbox: &'a TargetMailboxId,
    pub(super) user: String,
    /// Whether this cloud has mailbox import, whose delete says where things go.
    pub(super) has_import: bool,
    begun: AtomicBool,
}

impl<'a> Site<'a> {
    pub(super) const fn new(mailbox: &'a TargetMailboxId, user: String, has_import: bool) -> Self {
        Self {
            mailbox,
            user,
            has_import,
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

/// Whether the service has items of this family there: each of its three APIs knows folders of its own kind alone (reference/graph.md 2.1, 2.4, 2.5).
fn belongs(item: &TypedItem, place: &Shelf) -> bool {
    let family = match item {
        TypedItem::Message(_) => Family::Message,
        TypedItem::Event(_) => Family::Event,
        TypedItem::Contact(_) => Family::Contact,
    };
    family == place.family()
}

/// The making of one item.
pub(super) struct Making<'a> {
    pub(super) target: &'a GraphTarget,
    pub(super) site: &'a Site<'a>,
    pub(super) mark: Mark,
    pub(super) report: &'a ParcelReport,
    pub(super) parcel: &'a Body,
}

impl Making<'_> {
    /// A call that makes or moves an item, and says where it is.
    pub(super) async fn placed(&self, part: OfUser, request: Vec<u8>) -> Result<Placed, Setback> {
        let caller = &self.target.caller;
        let url = self.site.url(caller, part, "");
        let call = json_post(url, CallBody::bytes(request)).kind(CallKind::Create);
        self.site.count(caller);
        let (status, body) = caller.whole(Asked::Compose, call).await?;
        json::read::<MarkedMessage>(status, &body)?.placed(status)
    }

    /// Takes an item away that was begun here and cannot be completed, so that a refusal leaves nothing. Where that fails, nobody knows what is there.
    pub(super) async fn undo(&self, place: &Shelf, id: &str, setback: Setback) -> Setback {
        let Setback::ItemRefused(refusal) = setback else {
            return setback;
        };
        match discard(self.target, self.site, place, id).await {
            Ok(()) => Setback::ItemRefused(refusal),
            Err(_) => Setback::GatewayGaveUp(refusal.said),
        }
    }
}

/// Changes fields of an item that we made.
pub(super) async fn patch(
    caller: &Caller,
    site: &Site<'_>,
    part: OfUser,
    body: Vec<u8>,
) -> Result<Placed, Setback> {
    let url = site.url(caller, part, "");
    let call = json_call(Method::Patch, url, CallBody::bytes(body)).kind(CallKind::Create);
    site.count(caller);
    let (status, body) = caller.whole(Asked::Amend, call).await?;
    json::read::<MarkedMessage>(status, &body)?.placed(status)
}

/// Deletes what we made; what is gone already is deleted.
pub(super) async fn remove(caller: &Caller, site: &Site<'_>, part: OfUser) -> Result<(), Setback> {
    let url = site.url(caller, part, "");
    site.count(caller);
    let call = Call::new(Method::Delete, SafeUrl::new(url));
    match caller.send(Asked::Delete, call).await {
        Ok(_) | Err(Setback::Gone) => Ok(()),
        Err(setback) => Err(setback),
    }
}

/// Says that the copy is not the version that the caller means.
pub(super) fn changed_since() -> Setback {
    unfit(RefusalWhy::TargetRefused, "changed-since-created")
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

impl GraphTarget {
    /// An event as it is made here.
    fn as_made(&self, event: &TypedEvent) -> TypedEvent {
        let own = event.clone();
        if self.holds_reminders {
            own.holding_reminders()
        } else {
            own
        }
    }
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
        let site = self.site(mailbox)?;
        let report = measure(parcel.open()).await?;
        let place = Shelf::of(&folder.id, &folder.class);
        if !belongs(&report.item, &place) {
            return Err(unfit(RefusalWhy::NoTypedForm, "not-in-such-a-folder"));
        }
        let making = Making {
            target: self,
            site: &site,
            mark: Mark::new(stamp.clone(), mailbox),
            report: &report,
            parcel,
        };
        match &report.item {
            TypedItem::Message(own) => making.message(place.own(), own).await,
            TypedItem::Event(own) => making.event(&place, &self.as_made(own)).await,
            TypedItem::Contact(own) => typed_contact::compose(&making, &place, own).await,
        }
    }

    async fn amend(
        &self,
        mailbox: &TargetMailboxId,
        _folder: &TargetFolder,
        stamp: &Stamp,
        placed: &Placed,
        parcel: &Body,
    ) -> Result<Placed, Setback> {
        let site = self.site(mailbox)?;
        let report = measure(parcel.open()).await?;
        let mark = Mark::new(stamp.clone(), mailbox);
        match &report.item {
            TypedItem::Message(newer) => {
                let newer = (&**newer, &mark);
                typed_message::amend(&self.caller, &site, placed, newer, &report).await
            }
            TypedItem::Event(newer) => {
                let newer = self.as_made(newer);
                typed_event::amend(&self.caller, &site, placed, &newer, &mark).await
            }
            TypedItem::Contact(newer) => {
                let newer = (&**newer, &mark);
                typed_contact::amend(&self.caller, &site, placed, newer, (&report, parcel)).await
            }
        }
    }

    async fn held_back(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
    ) -> Result<Vec<TargetItemId>, Setback> {
        let place = Shelf::of(&folder.id, &folder.class);
        if place.family() != Family::Event {
            return Ok(Vec::new());
        }
        let site = self.site(mailbox)?;
        typed_reminder::held_back(&self.caller, &site, &place).await
    }

    async fn remind(
        &self,
        mailbox: &TargetMailboxId,
        _folder: &TargetFolder,
        item: &TargetItemId,
    ) -> Result<Option<(Placed, Placed)>, Setback> {
        let site = self.site(mailbox)?;
        typed_reminder::remind(&self.caller, &site, item.as_str()).await
    }

    async fn read(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        item: &TargetItemId,
    ) -> Result<BodyStream, Setback> {
        let site = self.site(mailbox)?;
        // Which API has an item is the folder's matter: each shows its own.
        match Shelf::of(&folder.id, &folder.class).family() {
            Family::Event => typed_event::read(&self.caller, &site, item.as_str()).await,
            Family::Contact => typed_contact::read(&self.caller, &site, item.as_str()).await,
            Family::Message => {
                let shown = typed_read::message(&self.caller, &site, item.as_str()).await?;
                typed_read::parcel(&self.caller, &site, shown).await
            }
        }
    }

    async fn tidy(
        &self,
        mailbox: &TargetMailboxId,
        folders: &[TargetFolder],
    ) -> Result<Count, Setback> {
        let site = self.site(mailbox)?;
        self.benches.forget(mailbox);
        let caller = &self.caller;
        let mut swept = Count::ZERO;
        for folder in folders {
            let place = Shelf::of(&folder.id, &folder.class);
            // What is not whole is never in a folder for mail.
            if place.family() != Family::Message {
                swept += sweep_unfinished(self, &site, &place).await?;
            }
        }
        let Some(folder) = find(caller, &site).await? else {
            return Ok(swept);
        };
        swept += sweep(self, &site, &folder, None).await?;
        if self.has_import() {
            caller.made(mailbox, 3);
            self.remove_folder(mailbox, &TargetFolderId::new(folder))
                .await?;
        } else if listed(caller, &site, &folder).await?.is_empty() {
            remove(caller, &site, OfUser::MailFolder { folder }).await?;
        }
        Ok(swept)
    }

    fn made_besides(&self, mailbox: &TargetMailboxId) -> Count {
        self.caller.take_made(mailbox)
    }
}
