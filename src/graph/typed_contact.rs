//! Contacts made, read and changed. A picture is a call of its own; until it is there the contact bears the mark of the unfinished.

use std::sync::Arc;

use crate::base::id::TargetFolderId;
use crate::base::item::Placed;
use crate::base::limits;
use crate::base::outcome::{RefusalWhy, Setback};
use crate::base::secret::SafeUrl;
use crate::base::typed::{TypedContact, TypedItem};
use crate::graph::caller::{Caller, json_call, json_post};
use crate::graph::target::{GraphTarget, before_create};
use crate::graph::typed::{Site, beyond_amending, unfit};
use crate::graph::typed_bench::clear;
use crate::graph::typed_event::not_fit;
use crate::graph::typed_parcel::Reel;
use crate::graph::typed_read::whole;
use crate::port::body::{Body, BodyStream};
use crate::transport::{Call, CallBody, CallKind, Method};
use crate::wire::graph::classify::Asked;
use crate::wire::graph::json;
use crate::wire::graph::mail_folder::MarkedMessage;
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::provenance::{self, Mark};
use crate::wire::graph::typed_contact::{NewContact, ShownContact};
use crate::wire::parcel::ParcelReport;

/// The making of one contact.
pub(super) struct Making<'a> {
    pub(super) target: &'a GraphTarget,
    pub(super) site: &'a Site<'a>,
    pub(super) mark: Mark,
    pub(super) report: &'a ParcelReport,
    pub(super) parcel: &'a Body,
}

impl Making<'_> {
    /// Makes the contact in a folder.
    pub(super) async fn compose(
        &self,
        folder: &TargetFolderId,
        contact: &TypedContact,
    ) -> Result<Placed, Setback> {
        let caller = &self.target.caller;
        let new = NewContact::of(contact, &self.mark, &self.report.attachments).map_err(not_fit)?;
        let part = || OfUser::Contacts {
            folder: folder.as_str().to_owned(),
        };
        let Some((at, kind)) = new.photo() else {
            return self.create(part(), &new).await;
        };
        let mark = provenance::text(&self.mark);
        let bench = self.target.benches.of(self.site.mailbox);
        let key = format!("contact {mark}");
        let work = bench.work(&key);
        let placed = {
            let _alone = work.lock().await;
            let cleared = clear(caller, self.site, folder, part(), &mark).await;
            cleared.map_err(before_create)?;
            let made = self.create(part(), &new).await?;
            let len = self.report.attachments.get(at).map_or(0, |own| own.0.get());
            let bytes = Reel::new(self.parcel).read(at, 0, len).await?;
            photo(caller, self.site, made.item.as_str(), kind, bytes).await?;
            let finish = new.finish().unwrap_or_default().to_vec();
            patch(caller, self.site, made.item.as_str(), finish).await?
        };
        bench.done(&key);
        Ok(placed)
    }

    async fn create(&self, part: OfUser, new: &NewContact) -> Result<Placed, Setback> {
        let caller = &self.target.caller;
        let url = self.site.url(caller, part, "");
        let call = json_post(url, CallBody::bytes(new.body().to_vec())).kind(CallKind::Create);
        self.site.count(caller);
        let (status, body) = caller.whole(Asked::Compose, call).await?;
        json::read::<MarkedMessage>(status, &body)?.placed(status)
    }
}

/// Sets the picture. That the contact is not there says nothing of the source.
async fn photo(
    caller: &Caller,
    site: &Site<'_>,
    contact: &str,
    kind: &str,
    bytes: Vec<u8>,
) -> Result<(), Setback> {
    let part = OfUser::Photo {
        contact: contact.to_owned(),
    };
    let url = SafeUrl::new(site.url(caller, part, ""));
    let call = Call::new(Method::Put, url)
        .header("content-type", kind)
        .body(CallBody::bytes(bytes))
        .kind(CallKind::Transfer);
    site.count(caller);
    caller.send(Asked::Attach, call).await.map(drop)
}

async fn patch(
    caller: &Caller,
    site: &Site<'_>,
    contact: &str,
    body: Vec<u8>,
) -> Result<Placed, Setback> {
    let part = OfUser::Contact {
        contact: contact.to_owned(),
    };
    let url = site.url(caller, part, "");
    let call = json_call(Method::Patch, url, CallBody::bytes(body)).kind(CallKind::Create);
    site.count(caller);
    let (status, body) = caller.whole(Asked::Amend, call).await?;
    json::read::<MarkedMessage>(status, &body)?.placed(status)
}

async fn one(caller: &Caller, site: &Site<'_>, contact: &str) -> Result<ShownContact, Setback> {
    let part = OfUser::Contact {
        contact: contact.to_owned(),
    };
    let url = site.url(caller, part, &ShownContact::query());
    site.count(caller);
    let (status, body) = caller.get(Asked::Export, url).await?;
    let shown = ShownContact::read(status, &body)?;
    shown.placed(status)?;
    Ok(shown)
}

/// The picture, where there is one.
async fn picture(
    caller: &Caller,
    site: &Site<'_>,
    contact: &str,
) -> Result<Option<Vec<u8>>, Setback> {
    let part = OfUser::Photo {
        contact: contact.to_owned(),
    };
    let call = Call::new(Method::Get, SafeUrl::new(site.url(caller, part, "")));
    site.count(caller);
    match caller.send(Asked::Export, call).await {
        Ok(reply) => reply.read_all(limits::REPLY_MAX).await.map(Some),
        Err(Setback::Gone) => Ok(None),
        Err(setback) => Err(setback),
    }
}

/// The parcel of a contact.
pub(super) async fn read(
    caller: &Arc<Caller>,
    site: &Site<'_>,
    id: &str,
) -> Result<BodyStream, Setback> {
    let shown = one(caller, site, id).await?;
    let photo = picture(caller, site, id).await?;
    let own = shown.typed(photo.is_some());
    let files: Vec<Vec<u8>> = photo.into_iter().collect();
    Ok(whole(&TypedItem::Contact(Box::new(own)), &files))
}

/// Brings a copy to the state of a newer parcel. A picture is set anew; none can be taken away.
pub(super) async fn amend(
    caller: &Caller,
    site: &Site<'_>,
    placed: &Placed,
    newer: (&TypedContact, &Mark),
    (report, parcel): (&ParcelReport, &Body),
) -> Result<Placed, Setback> {
    let refused = |code| unfit(RefusalWhy::TargetRefused, code);
    let id = placed.item.as_str();
    let now = match one(caller, site, id).await {
        Err(Setback::Gone) => return Err(refused("changed-since-created")),
        other => other?,
    };
    if now.placed(200)? != *placed {
        return Err(refused("changed-since-created"));
    }
    let (contact, mark) = newer;
    let older = now.typed(false);
    let body = NewContact::amendment(contact, &older, mark).map_err(not_fit)?;
    let body = body.ok_or_else(beyond_amending)?;
    let new = NewContact::of(contact, mark, &report.attachments).map_err(not_fit)?;
    let there = picture(caller, site, id).await?;
    match (new.photo(), there) {
        (None, None) => {}
        (None, Some(_)) => return Err(beyond_amending()),
        (Some((at, kind)), there) => {
            let len = report.attachments.get(at).map_or(0, |own| own.0.get());
            let bytes = Reel::new(parcel).read(at, 0, len).await?;
            if there.as_ref() != Some(&bytes) {
                photo(caller, site, id, kind, bytes).await?;
            }
        }
    }
    patch(caller, site, id, body).await
}
