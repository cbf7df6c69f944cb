//! Contacts made, read and changed. A picture is a call of its own; until it is there the contact bears the mark of the unfinished.

use std::sync::Arc;

use crate::base::item::Placed;
use crate::base::limits;
use crate::base::outcome::Setback;
use crate::base::secret::SafeUrl;
use crate::base::typed::{TypedContact, TypedItem};
use crate::graph::caller::Caller;
use crate::graph::target::before_create;
use crate::graph::typed::{Making, Site, beyond_amending, changed_since, patch};
use crate::graph::typed_bench::{Begun, Work, clear};
use crate::graph::typed_event::not_fit;
use crate::graph::typed_message::{is_put_off, unseen};
use crate::graph::typed_parcel::Reel;
use crate::graph::typed_read::whole;
use crate::port::body::{Body, BodyStream};
use crate::transport::{Call, CallBody, CallKind, Method};
use crate::wire::graph::classify::Asked;
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::provenance::{self, Mark};
use crate::wire::graph::shelf::Shelf;
use crate::wire::graph::typed_contact::{NewContact, ShownContact};
use crate::wire::parcel::ParcelReport;

/// Makes the contact in a folder.
pub(super) async fn compose(
    making: &Making<'_>,
    folder: &Shelf,
    contact: &TypedContact,
) -> Result<Placed, Setback> {
    let files = &making.report.attachments;
    let new = NewContact::of(contact, &making.mark, files).map_err(not_fit)?;
    let Some((at, kind)) = new.photo() else {
        return making.placed(folder.items(), new.body().to_vec()).await;
    };
    let mark = provenance::text(&making.mark);
    let bench = making.target.benches.of(making.site.mailbox);
    // True copies bear one mark: in another folder such a copy is another's work.
    let key = format!("contact {mark} {}", folder.own());
    let work = bench.work(&key);
    let done = {
        let mut work = work.lock().await;
        make(making, &mut work, folder, &mark, &new, (at, kind)).await
    };
    if done.is_ok() {
        bench.done(&key);
    }
    done
}

/// Makes a contact with a picture, or goes on with one that was put off: a listing may not show it yet to whoever would begin anew.
async fn make(
    making: &Making<'_>,
    work: &mut Work,
    folder: &Shelf,
    mark: &str,
    new: &NewContact,
    picture: (usize, &str),
) -> Result<Placed, Setback> {
    let begun = work.begun.take();
    let mut begun = match begun.filter(|own| own.digest == making.report.digest) {
        Some(begun) => begun,
        None => begin(making, folder, mark, new).await?,
    };
    match complete(making, &mut begun, new, picture).await {
        Ok(placed) => Ok(placed),
        Err(setback) => {
            let setback = unseen(&mut begun, setback);
            if is_put_off(&setback) {
                work.begun = Some(begun);
                return Err(setback);
            }
            Err(making.undo(folder, &begun.item, setback).await)
        }
    }
}

/// Removes what an earlier attempt left, and makes the contact, unfinished.
async fn begin(
    making: &Making<'_>,
    folder: &Shelf,
    mark: &str,
    new: &NewContact,
) -> Result<Begun, Setback> {
    let cleared = clear(making.target, making.site, folder, mark).await;
    cleared.map_err(before_create)?;
    let made = making.placed(folder.items(), new.body().to_vec()).await?;
    Ok(Begun {
        digest: making.report.digest,
        item: made.item.as_str().to_owned(),
        next: 0,
        has: 0,
        unseen: 0,
        upload: None,
    })
}

/// Sets the picture, unless that is done, and then the mark of a whole contact.
async fn complete(
    making: &Making<'_>,
    begun: &mut Begun,
    new: &NewContact,
    (at, kind): (usize, &str),
) -> Result<Placed, Setback> {
    let (caller, site) = (&making.target.caller, making.site);
    let contact = begun.item.clone();
    if begun.next == 0 {
        let len = making.report.attachments.get(at);
        let len = len.map_or(0, |own| own.0.get());
        let bytes = Reel::new(making.parcel).read(at, 0, len).await?;
        photo(caller, site, &contact, kind, bytes).await?;
        (begun.next, begun.unseen) = (1, 0);
    }
    let finish = new.finish().unwrap_or_default().to_vec();
    patch(caller, site, OfUser::Contact { contact }, finish).await
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
    let id = placed.item.as_str();
    let now = match one(caller, site, id).await {
        Err(Setback::Gone) => return Err(changed_since()),
        other => other?,
    };
    if now.placed(200)? != *placed {
        return Err(changed_since());
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
    let contact = id.to_owned();
    patch(caller, site, OfUser::Contact { contact }, body).await
}
