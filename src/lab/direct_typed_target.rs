//! The typed route's target straight on the world. What Graph needs several calls for is one here, so that faults of it are those of a create, unless
//! somebody wants it otherwise (`direct_typed_acts`).

use async_trait::async_trait;
use bytes::Bytes as Chunk;
use futures_util::{StreamExt as _, stream};

use super::direct::{Call, answer};
use super::direct_target::{DirectTarget, placed};
use super::fault::CallKind;
use super::typed_make::{make, named_text, set_named};
use super::typed_render::render;
use super::world::{ItemRow, Now, Refused, World};
use super::world_events::Beside;
use crate::base::event::Side;
use crate::base::id::{TargetItemId, TargetMailboxId};
use crate::base::item::{Placed, Stamp};
use crate::base::limits;
use crate::base::losses::family_of;
use crate::base::mailbox::TargetFolder;
use crate::base::outcome::{Refusal, RefusalWhy, Said, Setback};
use crate::base::quantity::{Bytes, Count};
use crate::base::typed::{TypedItem, TypedMessage};
use crate::port::body::{Body, BodyStream};
use crate::port::target::Target;
use crate::port::typed::TypedTarget;
use crate::wire::graph::property::NamedId;
use crate::wire::graph::provenance::{self, Home, Mark, SOURCE, UNFINISHED};
use crate::wire::graph::typed_amend::Amendment;
use crate::wire::graph::typed_attachment::UNNAMED;
use crate::wire::item_stream::{Message, Name, tags};
use crate::wire::parcel::{Brought, ParcelMeter, ParcelReader, ParcelReport, encode};

/// A parcel in memory.
pub(super) type Whole = (TypedItem, Vec<Vec<u8>>);

async fn whole(parcel: &Body) -> Result<Whole, Setback> {
    let wrong = || Setback::OurRequest(Said::code("not-a-parcel"));
    let (mut reader, mut item, mut files) = (ParcelReader::new(), None, Vec::<Vec<u8>>::new());
    let mut pieces = parcel.open();
    while let Some(piece) = pieces.next().await {
        let tell = &mut |brought: Brought<'_>| match brought {
            Brought::Head(head) => item = Some(*head),
            Brought::Attachment => files.push(Vec::new()),
            Brought::Piece(bytes) => {
                if let Some(file) = files.last_mut() {
                    file.extend_from_slice(bytes);
                }
            }
        };
        reader.feed(&piece?, tell).map_err(|_| wrong())?;
    }
    reader.finish().map_err(|_| wrong())?;
    Ok((item.ok_or_else(wrong)?, files))
}

pub(super) fn refused(why: RefusalWhy, code: &str) -> Setback {
    Setback::ItemRefused(Refusal {
        why,
        said: Said::code(code),
    })
}

/// Refuses what the route does not carry, before anything is made.
fn fit((item, files): &Whole) -> Result<(), Setback> {
    if family_of(&item.common().class).is_none() {
        return Err(refused(RefusalWhy::NoTypedForm, "class-not-carried"));
    }
    let most = limits::ATTACHMENT_MAX.get();
    if files.iter().any(|file| file.len() as u64 > most) {
        return Err(refused(RefusalWhy::TooLarge, "attachment-too-large"));
    }
    Ok(())
}

/// The tree of a copy, as the route brings it about: dates stand for each other, and what has no name gets one.
fn tree_of(own: &Whole, mark: &str) -> Message {
    tree_under(own, &SOURCE, mark)
}

/// The same with the mark under another name.
pub(super) fn tree_under((item, files): &Whole, named: &NamedId, mark: &str) -> Message {
    let mut item = item.clone();
    let common = match &mut item {
        TypedItem::Message(own) => {
            dates(own);
            &mut own.common
        }
        TypedItem::Event(own) => &mut own.common,
        TypedItem::Contact(own) => &mut own.common,
    };
    (common.created, common.modified) = (None, None);
    common.search_key = String::new();
    for own in &mut common.attachments {
        if own.name.is_empty() {
            UNNAMED.clone_into(&mut own.name);
        }
    }
    let mut out = make(&item, files);
    set_named(&mut out, named.set, &named.name, mark);
    out
}

fn dates(own: &mut TypedMessage) {
    if own.draft() {
        return;
    }
    let made = own.common.created.or(own.common.modified);
    let (submitted, delivered) = (own.submitted, own.delivered);
    own.submitted = submitted.or(delivered).or(made);
    own.delivered = delivered.or(submitted).or(made);
}

/// Events and contacts are kept as they were given.
pub(super) fn keep(world: &mut World, id: &str, (item, files): &Whole) {
    if !matches!(item, TypedItem::Message(_)) {
        let beside = Beside::Whole(Box::new(item.clone()), files.clone());
        world.beside.insert(id.to_owned(), beside);
    }
}

/// What lies there, however it is kept: with the key that its mark names, as the route reads it.
fn there(world: &World, id: &str, message: &Message) -> Option<Whole> {
    let (mut item, files) = match world.beside.get(id) {
        Some(Beside::Whole(item, files)) => (*item.clone(), files.clone()),
        _ => render(message)?,
    };
    let mark = named_text(message, SOURCE.set, &SOURCE.name);
    let key = match mark
        .as_deref()
        .and_then(provenance::read)
        .map(|mark| mark.stamp)
    {
        Some(Stamp::Key(key)) => key.to_string(),
        Some(Stamp::Fallback(_)) | None => String::new(),
    };
    match &mut item {
        TypedItem::Message(own) => own.common.search_key = key,
        TypedItem::Event(own) => own.common.search_key = key,
        TypedItem::Contact(own) => own.common.search_key = key,
    }
    Some((item, files))
}

pub(super) fn measured((item, files): &Whole) -> Option<ParcelReport> {
    let mut meter = ParcelMeter::new();
    meter.feed(&encode(item, files)).ok()?;
    meter.finish().ok()
}

/// Whether the route can bring what is there to what is newer; nothing to do is no change.
fn amendable(now: &Whole, then: &Whole) -> Option<bool> {
    let (now_told, then_told) = (measured(now)?, measured(then)?);
    let differs = now_told.digest != then_told.digest;
    match (&now.0, &then.0) {
        (TypedItem::Message(own), TypedItem::Message(newer)) => {
            let (now, then) = (&*now_told.attachments, &*then_told.attachments);
            let amendment = Amendment::between((own, now), (newer, then))?;
            Some(!amendment.is_empty())
        }
        (TypedItem::Event(own), TypedItem::Event(newer)) => {
            let plain = |item: &Whole| item.0.attachments().is_empty();
            let alone = own.recurrence.is_none() && newer.recurrence.is_none();
            (alone && plain(now) && plain(then)).then_some(differs)
        }
        (TypedItem::Contact(_), TypedItem::Contact(_)) => Some(differs),
        _ => None,
    }
}

/// Where items lie openly before they are whole: calendars and contact folders.
fn is_open(folder: &TargetFolder) -> bool {
    let kinds = ["IPF.Appointment", "IPF.Contact"];
    kinds.iter().any(|kind| folder.class.starts_with(kind))
}

fn is_held(world: &World, id: &str) -> bool {
    let beside = world.beside.get(id);
    matches!(beside, Some(Beside::Whole(own, _)) if matches!(&**own, TypedItem::Event(event) if event.reminder_held))
}

impl DirectTarget {
    /// An item as it is made here.
    fn as_made(&self, (item, files): Whole) -> Whole {
        let item = match item {
            TypedItem::Event(own) if self.holds_reminders => {
                TypedItem::Event(Box::new(own.holding_reminders()))
            }
            other => other,
        };
        (item, files)
    }

    pub(super) async fn typed<T: Send>(
        &self,
        mailbox: &TargetMailboxId,
        kind: CallKind,
        upload: u64,
        act: impl FnOnce(&mut World, Now) -> Result<(T, Bytes), Refused> + Send,
    ) -> Result<T, Setback> {
        let call = Call {
            side: Side::Target,
            mailbox: mailbox.as_str(),
            kind,
            upload,
        };
        Ok(self.desk.call(call, act).await?.0)
    }
}

#[async_trait]
impl TypedTarget for DirectTarget {
    async fn compose(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
        stamp: &Stamp,
        parcel: &Body,
    ) -> Result<Placed, Setback> {
        let own = self.as_made(whole(parcel).await?);
        fit(&own)?;
        let mark = provenance::text(&Mark::new(stamp.clone(), mailbox));
        if let Some(acts) = self.acts_for(&own, &mark) {
            let place = (mailbox, folder.id.as_str());
            return self.compose_in_acts(acts, place, &mark, &own).await;
        }
        let id = mailbox.as_str();
        let act = |world: &mut World, now| {
            let row = world.make_typed(now, id, folder.id.as_str(), tree_of(&own, &mark))?;
            keep(world, &row.id, &own);
            Ok((placed(&row), answer(1)))
        };
        let upload = parcel.len().get() / 3 * 4 + 600;
        self.typed(mailbox, CallKind::Import, upload, act).await
    }

    async fn amend(
        &self,
        mailbox: &TargetMailboxId,
        _folder: &TargetFolder,
        _stamp: &Stamp,
        old: &Placed,
        parcel: &Body,
    ) -> Result<Placed, Setback> {
        let own = self.as_made(whole(parcel).await?);
        let id = mailbox.as_str();
        let act = |world: &mut World, now| {
            let (row, tree) = match world.typed_tree(id, old.item.as_str()) {
                Err(Refused::NoItem) => return Err(Refused::WrongVersion),
                other => other?,
            };
            let there = there(world, &row.id, &tree).filter(|_| placed(&row) == *old);
            let there = there.ok_or(Refused::WrongVersion)?;
            let row = match amendable(&there, &own) {
                None => return Ok((None, answer(1))),
                Some(false) => row,
                Some(true) => {
                    let mark = named_text(&tree, SOURCE.set, &SOURCE.name);
                    let newer = tree_of(&own, &mark.unwrap_or_default());
                    keep(world, old.item.as_str(), &own);
                    world.change_typed(now, id, old.item.as_str(), |message| {
                        let kept = std::mem::take(&mut message.props);
                        *message = Message {
                            attachments: std::mem::take(&mut message.attachments),
                            ..newer
                        };
                        // What the store gave it stays.
                        for tag in [tags::SEARCH_KEY, tags::INTERNET_MESSAGE_ID, 0x0071] {
                            let own = kept.iter().find(|own| own.name == Name::Tag(tag));
                            if let Some(own) = own.filter(|_| message.get(tag).is_none()) {
                                message.set(own.clone());
                            }
                        }
                    })?
                }
            };
            Ok((Some(placed(&row)), answer(1)))
        };
        let done = self.typed(mailbox, CallKind::Import, 600, act).await?;
        done.ok_or_else(|| refused(RefusalWhy::NoTypedForm, "beyond-amending"))
    }

    async fn held_back(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolder,
    ) -> Result<Vec<TargetItemId>, Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, now| {
            let (mut all, mut from) = (Vec::new(), None);
            loop {
                let page = world.target_items(now, id, folder.id.as_str(), from, 999)?;
                let waits = |row: &&ItemRow| is_held(world, &row.id);
                let waiting = page.items.iter().filter(waits);
                all.extend(waiting.map(|row| TargetItemId::new(row.id.clone())));
                from = page.next;
                if from.is_none() {
                    let rows = all.len();
                    return Ok((all, answer(rows)));
                }
            }
        };
        self.typed(mailbox, CallKind::Read, 0, act).await
    }

    async fn remind(
        &self,
        mailbox: &TargetMailboxId,
        _folder: &TargetFolder,
        item: &TargetItemId,
    ) -> Result<Option<(Placed, Placed)>, Setback> {
        let id = mailbox.as_str();
        let home = Home::of(mailbox);
        let act = |world: &mut World, now| {
            let (row, tree) = match world.typed_tree(id, item.as_str()) {
                Err(Refused::NoItem) => return Ok((None, answer(0))),
                other => other?,
            };
            let mark = named_text(&tree, SOURCE.set, &SOURCE.name);
            let mark = mark.as_deref().and_then(provenance::read);
            let ours = mark.is_some_and(|mark| mark.home == home);
            if !ours || !is_held(world, &row.id) {
                return Ok((None, answer(0)));
            }
            if let Some(Beside::Whole(own, _)) = world.beside.get_mut(&row.id)
                && let TypedItem::Event(event) = &mut **own
            {
                event.reminder_held = false;
                for own in &mut event.exceptions {
                    if let Some(instead) = &mut own.instead {
                        instead.reminder_held = false;
                    }
                }
            }
            let before = placed(&row);
            let after = world.change_typed(now, id, item.as_str(), |_| {})?;
            Ok((Some((before, placed(&after))), answer(1)))
        };
        self.typed(mailbox, CallKind::Import, 600, act).await
    }

    async fn read(
        &self,
        mailbox: &TargetMailboxId,
        _folder: &TargetFolder,
        item: &TargetItemId,
    ) -> Result<BodyStream, Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, _| {
            let (_, tree) = world.typed_tree(id, item.as_str())?;
            let (item, files) = there(world, item.as_str(), &tree).ok_or(Refused::NoItem)?;
            let bytes = encode(&item, &files);
            let length = answer(1) + Bytes::new(bytes.len() as u64);
            Ok((bytes, length))
        };
        let bytes = Chunk::from(self.typed(mailbox, CallKind::Read, 0, act).await?);
        let pieces: Vec<Result<Chunk, Setback>> = (0..bytes.len())
            .step_by(limits::BODY_PIECE)
            .map(|at| Ok(bytes.slice(at..bytes.len().min(at + limits::BODY_PIECE))))
            .collect();
        Ok(stream::iter(pieces).boxed())
    }

    async fn tidy(
        &self,
        mailbox: &TargetMailboxId,
        folders: &[TargetFolder],
    ) -> Result<Count, Setback> {
        let (id, home) = (mailbox.as_str(), Home::of(mailbox));
        let act = |world: &mut World, now: Now| {
            world.target_root(id)?;
            let mut swept = 0;
            for folder in folders.iter().filter(|own| is_open(own)) {
                let (mut from, mut more) = (None, true);
                while more {
                    let page = match world.target_items(now, id, folder.id.as_str(), from, 999) {
                        Err(Refused::NoFolder) => break,
                        other => other?,
                    };
                    (from, more) = (page.next, page.next.is_some());
                    for row in page.items {
                        let mark = world.named_of(id, &row.id, &UNFINISHED);
                        let mark = mark.as_deref().and_then(provenance::read);
                        if mark.is_some_and(|mark| mark.home == home) {
                            world.delete_target_item(id, &row.folder, &row.id)?;
                            swept += 1;
                        }
                    }
                }
            }
            Ok((Count::new(swept), answer(0)))
        };
        let open = self.typed(mailbox, CallKind::Delete, 0, act).await?;
        Ok(open + self.tidy_hidden(mailbox).await?)
    }

    fn made_besides(&self, mailbox: &TargetMailboxId) -> Count {
        Target::made_besides(self, mailbox)
    }
}
