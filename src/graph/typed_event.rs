//! Events made, read and changed. What one request holds is made at once; a series with exceptions, and whatever has attachments, bears the mark of
//! the unfinished until its last request, since no folder can hide it meanwhile.
//!
//! No request here names an attendee, so that nobody is ever written to (reference/graph.md 2.4).

use std::sync::Arc;

use crate::base::item::Placed;
use crate::base::outcome::{RefusalWhy, Said, Setback};
use crate::base::quantity::{Bytes, Moment};
use crate::base::typed::{TypedAttachment, TypedEvent, TypedItem};
use crate::graph::caller::Caller;
use crate::graph::pages::Pages;
use crate::graph::target::before_create;
use crate::graph::typed::{Making, Site, beyond_amending, changed_since, patch, remove, unfit};
use crate::graph::typed_bench::{Begun, Work, clear};
use crate::graph::typed_message::{is_put_off, unseen};
use crate::graph::typed_parcel::Reel;
use crate::graph::typed_read::{attachments, files_of, parcel_of};
use crate::graph::typed_upload::{Far, Freight};
use crate::port::body::BodyStream;
use crate::wire::graph::classify::Asked;
use crate::wire::graph::json;
use crate::wire::graph::path_user::{Holder, OfUser};
use crate::wire::graph::provenance::{self, Mark};
use crate::wire::graph::shelf::Shelf;
use crate::wire::graph::typed_event::{
    Act, FileOfInstance, InstancePage, NewEvent, ShownEvent, ShownSeries, Step, Unfit, exceptions,
    files_of_instance, instances_query, pick,
};

/// Why it cannot be carried, in our words.
pub(super) fn not_fit(why: Unfit) -> Setback {
    match why {
        Unfit::Class => unfit(RefusalWhy::NoTypedForm, "class-not-carried"),
        Unfit::TooLarge => unfit(RefusalWhy::TooLarge, "text-too-large"),
        Unfit::Time => unfit(RefusalWhy::NoTypedForm, "no-such-time"),
        Unfit::Zone => unfit(RefusalWhy::NoTypedForm, "unknown-time-zone"),
        Unfit::Pattern => unfit(RefusalWhy::NoTypedForm, "unknown-pattern"),
    }
}

impl Making<'_> {
    /// Makes the event in a calendar.
    pub(super) async fn event(
        &self,
        calendar: &Shelf,
        event: &TypedEvent,
    ) -> Result<Placed, Setback> {
        let files = &self.report.attachments;
        let new = NewEvent::of(event, &self.mark, files).map_err(not_fit)?;
        if new.in_one_call() {
            return self.create_event(calendar, &new).await;
        }
        let mark = provenance::text(&self.mark);
        let bench = self.target.benches.of(self.site.mailbox);
        // True copies bear one mark: in another calendar such a copy is another's work.
        let key = format!("event {mark} {}", calendar.own());
        let work = bench.work(&key);
        let done = {
            let mut work = work.lock().await;
            self.complete(&mut work, calendar, &mark, event, &new).await
        };
        if done.is_ok() {
            bench.done(&key);
        }
        done
    }

    async fn complete(
        &self,
        work: &mut Work,
        calendar: &Shelf,
        mark: &str,
        event: &TypedEvent,
        new: &NewEvent,
    ) -> Result<Placed, Setback> {
        let begun = work.begun.take();
        let mut begun = match begun.filter(|own| own.digest == self.report.digest) {
            Some(begun) => begun,
            None => self.begin_event(calendar, mark, new).await?,
        };
        let item = TypedItem::Event(Box::new(event.clone()));
        let files = item.attachments();
        let mut reel = Reel::new(self.parcel);
        let mut placed = None;
        while let Some(step) = new.steps().get(begun.next) {
            match self.step(&mut begun, step, &files, &mut reel).await {
                Ok(told) => placed = told,
                Err(setback) => {
                    let setback = unseen(&mut begun, setback);
                    if is_put_off(&setback) {
                        work.begun = Some(begun);
                        return Err(setback);
                    }
                    return Err(self.undo(calendar, &begun.item, setback).await);
                }
            }
            (begun.unseen, begun.upload) = (0, None);
            begun.next += 1;
        }
        placed.ok_or_else(|| Setback::OurRequest(Said::code("event-without-end")))
    }

    /// Removes what an earlier attempt left, and makes the event, unfinished.
    async fn begin_event(
        &self,
        calendar: &Shelf,
        mark: &str,
        new: &NewEvent,
    ) -> Result<Begun, Setback> {
        let cleared = clear(self.target, self.site, calendar, mark);
        cleared.await.map_err(before_create)?;
        let made = self.create_event(calendar, new).await?;
        Ok(Begun {
            digest: self.report.digest,
            item: made.item.as_str().to_owned(),
            next: 0,
            has: 0,
            unseen: 0,
            upload: None,
        })
    }

    async fn create_event(&self, calendar: &Shelf, new: &NewEvent) -> Result<Placed, Setback> {
        self.placed(calendar.items(), new.body().to_vec()).await
    }

    /// One step; the last one tells where the event is.
    async fn step(
        &self,
        begun: &mut Begun,
        step: &Step,
        files: &[&TypedAttachment],
        reel: &mut Reel,
    ) -> Result<Option<Placed>, Setback> {
        match step {
            Step::Attach { at, way } => {
                let of = Holder::Event(begun.item.clone());
                let freight = Freight {
                    of: &of,
                    has: begun.has,
                    at: *at,
                    own: files.get(*at).ok_or_else(lost)?,
                };
                let far = self.far();
                far.carry(&mut begun.upload, &freight, *way, self.len(*at), reel)
                    .await?;
                begun.has += 1;
                Ok(None)
            }
            Step::Instance { original, act } => {
                self.instance(&begun.item, *original, act, files, reel)
                    .await?;
                Ok(None)
            }
            Step::Finish(body) => self.patch_event(&begun.item, body.clone()).await.map(Some),
        }
    }

    fn far(&self) -> Far<'_> {
        Far {
            caller: &self.target.caller,
            bare: &self.target.import,
            site: self.site,
        }
    }

    fn len(&self, at: usize) -> Bytes {
        let own = self.report.attachments.get(at);
        own.map_or(Bytes::ZERO, |(len, _)| *len)
    }

    async fn patch_event(&self, event: &str, body: Vec<u8>) -> Result<Placed, Setback> {
        let event = event.to_owned();
        let part = OfUser::Event { event };
        patch(&self.target.caller, self.site, part, body).await
    }

    /// Brings one instance to what it is at the source.
    async fn instance(
        &self,
        series: &str,
        original: Moment,
        act: &Act,
        files: &[&TypedAttachment],
        reel: &mut Reel,
    ) -> Result<(), Setback> {
        let found = self.find(series, original).await?;
        match (act, found) {
            // One that is not there is deleted.
            (Act::Remove, None) => Ok(()),
            (Act::Remove, Some(id)) => {
                remove(&self.target.caller, self.site, OfUser::Event { event: id }).await
            }
            (Act::Change { .. }, None) => Err(unfit(RefusalWhy::NoTypedForm, "no-such-occurrence")),
            (Act::Change { body, files: own }, Some(id)) => {
                let changed = self.patch_event(&id, body.clone()).await?;
                let of = Holder::Event(changed.item.as_str().to_owned());
                self.files(&of, own, files, reel).await
            }
        }
    }

    async fn files(
        &self,
        of: &Holder,
        own: &[FileOfInstance],
        files: &[&TypedAttachment],
        reel: &mut Reel,
    ) -> Result<(), Setback> {
        let shown = attachments(&self.target.caller, self.site, of).await?;
        let wanted: Option<Vec<(FileOfInstance, &TypedAttachment)>> = own
            .iter()
            .map(|file| Some((*file, *files.get(file.at)?)))
            .collect();
        let wanted = wanted.ok_or_else(lost)?;
        let differ = files_of_instance(&wanted, &shown);
        let mut has = shown.len() - differ.remove.len().min(shown.len());
        for attachment in differ.remove {
            let of = of.clone();
            let part = OfUser::Attachment { of, attachment };
            remove(&self.target.caller, self.site, part).await?;
        }
        for at in differ.add {
            let (file, own) = wanted[at];
            let freight = Freight {
                of,
                has,
                at: file.at,
                own,
            };
            let far = self.far();
            far.carry(&mut None, &freight, file.way, self.len(file.at), reel)
                .await?;
            has += 1;
        }
        Ok(())
    }

    async fn find(&self, series: &str, original: Moment) -> Result<Option<String>, Setback> {
        let caller = &self.target.caller;
        let part = OfUser::Instances {
            event: series.to_owned(),
        };
        let query = instances_query(original);
        let mut pages = Pages::from(Asked::Attach, self.site.url(caller, part, &query));
        while let Some((_, page)) = pages.next::<InstancePage>(caller, self.site).await? {
            if let Some(own) = pick(original, &page.value) {
                return Ok(own.id.clone());
            }
        }
        Ok(None)
    }
}

/// A plan that does not fit its parcel.
fn lost() -> Setback {
    Setback::OurRequest(Said::code("plan-without-parcel"))
}

pub(super) async fn shown(
    caller: &Caller,
    site: &Site<'_>,
    event: &str,
    query: &str,
) -> Result<(u16, Vec<u8>), Setback> {
    let part = OfUser::Event {
        event: event.to_owned(),
    };
    let url = site.url(caller, part, query);
    site.count(caller);
    caller.get(Asked::Export, url).await
}

pub(super) async fn one(
    caller: &Caller,
    site: &Site<'_>,
    event: &str,
) -> Result<ShownEvent, Setback> {
    let (status, body) = shown(caller, site, event, &ShownEvent::query()).await?;
    let own = ShownEvent::read(status, &body)?;
    own.placed(status)?;
    Ok(own)
}

/// The parcel of an event, a series with all its exceptions.
pub(super) async fn read(
    caller: &Arc<Caller>,
    site: &Site<'_>,
    id: &str,
) -> Result<BodyStream, Setback> {
    let master = one(caller, site, id).await?;
    let mut own = master.typed();
    let mut urls = Vec::new();
    let (files, mut more) = files_of(caller, site, &Holder::Event(id.to_owned())).await?;
    own.common.attachments = files;
    urls.append(&mut more);
    if master.kind.as_deref() == Some("seriesMaster") {
        let (status, body) = shown(caller, site, id, &ShownSeries::query()).await?;
        let named: ShownSeries = json::read(status, &body)?;
        let mut changed = Vec::new();
        for exception in &named.exception_occurrences {
            if let Some(id) = &exception.id {
                changed.push(one(caller, site, id).await?);
            }
        }
        own.exceptions = exceptions(&own, &named, &changed);
        for exception in &mut own.exceptions {
            let Some(instead) = &mut exception.instead else {
                continue;
            };
            let same = |own: &&ShownEvent| own.original() == Some(exception.original);
            let id = changed.iter().find(same).and_then(|own| own.id.clone());
            let of = Holder::Event(id.ok_or_else(lost)?);
            let (files, mut more) = files_of(caller, site, &of).await?;
            instead.common.attachments = files;
            urls.append(&mut more);
        }
    }
    Ok(parcel_of(
        caller,
        site,
        &TypedItem::Event(Box::new(own)),
        urls,
    ))
}

/// Brings a copy to the state of a newer parcel, where one request does.
pub(super) async fn amend(
    caller: &Caller,
    site: &Site<'_>,
    placed: &Placed,
    newer: &TypedEvent,
    mark: &Mark,
) -> Result<Placed, Setback> {
    let now = match one(caller, site, placed.item.as_str()).await {
        Err(Setback::Gone) => return Err(changed_since()),
        other => other?,
    };
    if now.placed(200)? != *placed {
        return Err(changed_since());
    }
    let alone = now.kind.as_deref() != Some("seriesMaster") && now.has_attachments != Some(true);
    let body = NewEvent::amendment(newer, mark).map_err(not_fit)?;
    let body = body.filter(|_| alone);
    let body = body.ok_or_else(beyond_amending)?;
    let event = placed.item.as_str().to_owned();
    patch(caller, site, OfUser::Event { event }, body).await
}
