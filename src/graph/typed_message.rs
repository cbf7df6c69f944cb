//! Messages made and changed. What one request holds is made where it belongs; the rest is made in the hidden folder, completed there, and moved.
//!
//! Until the move nothing shows in the folder. An attempt that is put off (throttled, signed out, not reached) is gone on with where it stood as long
//! as this process lives; any other is begun anew, after what it left was removed.

use crate::base::item::Placed;
use crate::base::limits::UNSEEN_MAX;
use crate::base::outcome::{RefusalWhy, Said, Setback, UnreachedCause};
use crate::base::quantity::Bytes;
use crate::base::typed::{TypedAttachment, TypedItem, TypedMessage};
use crate::graph::caller::Caller;
use crate::graph::target::before_create;
use crate::graph::typed::{Making, Site, beyond_amending, changed_since, patch, unfit};
use crate::graph::typed_bench::{Begun, Work, sweep};
use crate::graph::typed_parcel::{Reel, measure};
use crate::graph::typed_read::{message, parcel as read_back};
use crate::graph::typed_upload::{Far, Freight};
use crate::wire::graph::mail_folder::move_body;
use crate::wire::graph::path_user::{Holder, OfUser};
use crate::wire::graph::provenance::{self, Mark};
use crate::wire::graph::typed_amend::Amendment;
use crate::wire::graph::typed_attachment::{Way, in_one_call, ways};
use crate::wire::graph::typed_message::{NewMessage, Unfit};
use crate::wire::parcel::ParcelReport;

/// How the parts of a message travel.
struct Load<'a> {
    new: NewMessage,
    files: Vec<(&'a TypedAttachment, Bytes)>,
    ways: Vec<Way>,
}

impl<'a> Load<'a> {
    fn of(message: &'a TypedMessage, mark: &Mark, report: &ParcelReport) -> Result<Self, Setback> {
        let new = NewMessage::of(message, mark).map_err(|why| match why {
            Unfit::Class => unfit(RefusalWhy::NoTypedForm, "class-not-carried"),
            Unfit::Undated => unfit(RefusalWhy::NoTypedForm, "no-date"),
            Unfit::TooLarge => unfit(RefusalWhy::TooLarge, "text-too-large"),
        })?;
        let lengths = report.attachments.iter().map(|(len, _)| *len);
        let files: Vec<_> = message.common.attachments.iter().zip(lengths).collect();
        let ways = ways(new.bare_len(), &files);
        if ways.contains(&Way::TooLarge) {
            return Err(unfit(RefusalWhy::TooLarge, "attachment-too-large"));
        }
        Ok(Self { new, files, ways })
    }

    fn inside(&self) -> usize {
        self.ways.iter().filter(|way| **way == Way::Inside).count()
    }

    /// The creating request, with what travels inside.
    async fn request(&self, reel: &mut Reel) -> Result<Vec<u8>, Setback> {
        let mut inside = Vec::new();
        for (at, (own, len)) in self.files.iter().enumerate() {
            if self.ways[at] == Way::Inside {
                inside.push((*own, reel.read(at, 0, len.get()).await?));
            }
        }
        let inside = inside.iter().map(|(own, bytes)| (*own, bytes.as_slice()));
        Ok(self.new.body(inside))
    }
}

impl Making<'_> {
    /// Makes the message in `folder`.
    pub(super) async fn message(
        &self,
        folder: &str,
        message: &TypedMessage,
    ) -> Result<Placed, Setback> {
        let load = Load::of(message, &self.mark, self.report)?;
        let mut reel = Reel::new(self.parcel);
        if in_one_call(&load.ways) {
            let request = load.request(&mut reel).await?;
            return self.create(folder, request).await;
        }
        let mark = provenance::text(&self.mark);
        let caller = &self.target.caller;
        let bench = self.target.benches.of(self.site.mailbox);
        let hidden = bench
            .folder(caller, self.site)
            .await
            .map_err(before_create)?;
        let work = bench.work(&mark);
        let done = {
            let mut work = work.lock().await;
            self.make(&mut work, &hidden, &mark, folder, &load, &mut reel)
                .await
        };
        match &done {
            Ok(_) => bench.done(&mark),
            Err(HiddenGone(true, _)) => bench.forget_folder().await,
            Err(_) => {}
        }
        done.map_err(|HiddenGone(_, setback)| setback)
    }

    /// Makes it in the hidden folder, or goes on with what was begun there, and moves it.
    async fn make(
        &self,
        work: &mut Work,
        hidden: &str,
        mark: &str,
        folder: &str,
        load: &Load<'_>,
        reel: &mut Reel,
    ) -> Result<Placed, HiddenGone> {
        let begun = work.begun.take();
        let mut begun = match begun.filter(|own| own.digest == self.report.digest) {
            Some(begun) => begun,
            None => self.begin(work, hidden, mark, load, reel).await?,
        };
        let ended = match self.attach(&mut begun, load, reel).await {
            Ok(()) => self.relocate(&begun.item, folder).await,
            Err(setback) => Err(setback),
        };
        let setback = match ended {
            Ok(placed) => {
                work.left = false;
                return Ok(placed);
            }
            Err(setback) => setback,
        };
        if is_put_off(&setback) {
            work.begun = Some(begun);
        }
        Err(setback.into())
    }

    async fn begin(
        &self,
        work: &mut Work,
        hidden: &str,
        mark: &str,
        load: &Load<'_>,
        reel: &mut Reel,
    ) -> Result<Begun, HiddenGone> {
        if work.left {
            let swept = sweep(self.target, self.site, hidden, Some(mark)).await;
            swept.map_err(|setback| hidden_gone(before_create(setback)))?;
        }
        let request = load.request(reel).await?;
        // From here on until the end, whatever ends it.
        work.left = true;
        let made = self.create(hidden, request).await.map_err(hidden_gone)?;
        Ok(Begun {
            digest: self.report.digest,
            item: made.item.as_str().to_owned(),
            next: 0,
            has: load.inside(),
            unseen: 0,
            upload: None,
        })
    }

    async fn create(&self, folder: &str, request: Vec<u8>) -> Result<Placed, Setback> {
        let part = OfUser::Messages {
            folder: folder.to_owned(),
        };
        self.placed(part, request).await
    }

    async fn relocate(&self, item: &str, folder: &str) -> Result<Placed, Setback> {
        let part = OfUser::Move {
            message: item.to_owned(),
        };
        self.placed(part, move_body(folder)).await
    }

    /// Adds what did not travel inside.
    async fn attach(
        &self,
        begun: &mut Begun,
        load: &Load<'_>,
        reel: &mut Reel,
    ) -> Result<(), Setback> {
        while let Some(way) = load.ways.get(begun.next) {
            if *way != Way::Inside {
                if let Err(setback) = self.one(begun, *way, load, reel).await {
                    return Err(unseen(begun, setback));
                }
                begun.has += 1;
            }
            (begun.unseen, begun.upload) = (0, None);
            begun.next += 1;
        }
        Ok(())
    }

    async fn one(
        &self,
        begun: &mut Begun,
        way: Way,
        load: &Load<'_>,
        reel: &mut Reel,
    ) -> Result<(), Setback> {
        let (own, len) = load.files[begun.next];
        let of = Holder::Message(begun.item.clone());
        let freight = Freight {
            of: &of,
            has: begun.has,
            at: begun.next,
            own,
        };
        let far = Far {
            caller: &self.target.caller,
            bare: &self.target.import,
            site: self.site,
        };
        far.carry(&mut begun.upload, &freight, way, len, reel).await
    }
}

/// Whether the hidden folder is gone, and what came back.
struct HiddenGone(bool, Setback);

impl From<Setback> for HiddenGone {
    fn from(setback: Setback) -> Self {
        Self(false, setback)
    }
}

/// A setback of a call on the hidden folder. That it is gone says nothing of the folder the item is for, and the next attempt makes it anew.
fn hidden_gone(setback: Setback) -> HiddenGone {
    match setback {
        Setback::FolderGone => HiddenGone(true, Setback::Unreached(UnreachedCause::Connect)),
        other => HiddenGone(false, other),
    }
}

/// True where the far side did nothing and the same call may go again: what was begun stands.
pub(super) const fn is_put_off(setback: &Setback) -> bool {
    matches!(
        setback,
        Setback::Throttled { .. }
            | Setback::Unreached(_)
            | Setback::Expired(_)
            | Setback::FolderGone
            | Setback::MailboxClosed(..)
            | Setback::SideClosed(..)
    )
}

/// An item that was made just now may be out of sight, but not for ever; and that it is not there says nothing about the source.
pub(super) fn unseen(begun: &mut Begun, setback: Setback) -> Setback {
    match setback {
        Setback::Throttled { said, .. }
            if said.status == Some(404) && begun.unseen >= UNSEEN_MAX =>
        {
            Setback::GatewayGaveUp(said)
        }
        Setback::Throttled { ref said, .. } if said.status == Some(404) => {
            begun.unseen += 1;
            setback
        }
        Setback::Gone => Setback::GatewayGaveUp(Said::status(404)),
        other => other,
    }
}

/// Brings a copy to the state of a newer parcel, as far as the service lets it be changed.
pub(super) async fn amend(
    caller: &std::sync::Arc<Caller>,
    site: &Site<'_>,
    placed: &Placed,
    (newer, mark): (&TypedMessage, &Mark),
    report: &ParcelReport,
) -> Result<Placed, Setback> {
    let shown = match message(caller, site, placed.item.as_str()).await {
        Err(Setback::Gone) => return Err(changed_since()),
        other => other?,
    };
    if shown.placed(200)? != *placed {
        return Err(changed_since());
    }
    let there = measure(read_back(caller, site, shown).await?).await?;
    let TypedItem::Message(now) = &there.item else {
        return Err(beyond_amending());
    };
    let (now, then) = ((&**now, &*there.attachments), (newer, &*report.attachments));
    let amendment = Amendment::between(now, then).ok_or_else(beyond_amending)?;
    if amendment.is_empty() {
        return Ok(placed.clone());
    }
    let part = OfUser::Message {
        message: placed.item.as_str().to_owned(),
    };
    patch(caller, site, part, amendment.body(newer, mark)).await
}
