//! A typed create in several acts, as the real service needs them, for whoever stops the process or loses an answer between two of them.
//!
//! A message is begun in the hidden folder under its mark, gets its attachments one by one, and is moved. An event or a contact is begun in its own
//! folder under the mark of the unfinished, which the last act replaces. Whatever an earlier attempt of the same mark left is taken away first.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::direct::answer;
use super::direct_target::{DirectTarget, placed};
use super::direct_typed_target::{Whole, keep, measured, tree_under};
use super::fault::CallKind;
use super::typed_make::set_named;
use super::world::{FolderRow, ItemRow, Now, Refused, World};
use crate::base::id::TargetMailboxId;
use crate::base::item::{Digest, Placed};
use crate::base::mailbox::{FolderRole, MAIL_FOLDER_CLASS, UNFINISHED_FOLDER};
use crate::base::outcome::{Said, Setback, UnreachedCause};
use crate::base::quantity::Count;
use crate::base::typed::{TypedAttachment, TypedItem};
use crate::wire::graph::property::NamedId;
use crate::wire::graph::provenance::{SOURCE, UNFINISHED};
use crate::wire::graph::typed_attachment::UNNAMED;

/// What comes between two acts.
#[async_trait]
pub trait Between: fmt::Debug + Send + Sync {
    /// One act took effect, and the next has not begun.
    async fn acts(&self);
}

/// How items are composed in several acts.
#[derive(Debug)]
pub(super) struct Acts {
    between: Arc<dyn Between>,
    /// By mailbox and mark. Items of the same mark take turns, since each takes away what bears its mark.
    works: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Option<Begun>>>>>,
}

/// What an attempt that was put off has done so far.
#[derive(Debug)]
struct Begun {
    /// Of which parcel.
    digest: Option<Digest>,
    id: String,
    /// The next attachment.
    next: usize,
}

/// A mailbox, and a folder in it.
type Spot<'a> = (&'a TargetMailboxId, &'a str);

impl Acts {
    fn work(
        &self,
        mailbox: &TargetMailboxId,
        mark: &str,
    ) -> Arc<tokio::sync::Mutex<Option<Begun>>> {
        let mut works = self.works.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{} {mark}", mailbox.as_str());
        Arc::clone(works.entry(key).or_default())
    }
}

/// A setback on the way to a create: nothing of the item left.
fn before_create(setback: Setback) -> Setback {
    match setback {
        Setback::Lost(_)
        | Setback::GatewayGaveUp(_)
        | Setback::Unwell(_)
        | Setback::Misread(..) => Setback::Unreached(UnreachedCause::Connect),
        other => other,
    }
}

/// That the hidden folder is gone says nothing of the item's own.
fn in_hidden(setback: Setback) -> Setback {
    match setback {
        Setback::FolderGone => Setback::Unreached(UnreachedCause::Connect),
        other => other,
    }
}

/// True where nothing happened, and what was begun can be gone on with.
const fn is_put_off(setback: &Setback) -> bool {
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

/// Where it is made until it is whole, and under which name its mark stands there.
const fn begins_under(item: &TypedItem) -> NamedId {
    match item {
        TypedItem::Message(_) => SOURCE,
        TypedItem::Event(_) | TypedItem::Contact(_) => UNFINISHED,
    }
}

/// An item without what comes later.
fn bare((item, _): &Whole) -> Whole {
    let mut item = item.clone();
    match &mut item {
        TypedItem::Message(own) => own.common.attachments.clear(),
        TypedItem::Event(own) => {
            own.common.attachments.clear();
            own.exceptions.clear();
        }
        TypedItem::Contact(own) => own.common.attachments.clear(),
    }
    (item, Vec::new())
}

fn find_hidden(world: &World, now: Now, mailbox: &str) -> Result<Option<FolderRow>, Refused> {
    let rows = world.target_folders(now, mailbox)?;
    let ours = |row: &FolderRow| row.role.is_none() && row.name == UNFINISHED_FOLDER;
    Ok(rows.into_iter().find(ours))
}

/// What of a folder shows a text of ours under a name that is as asked.
fn bearing(
    world: &World,
    now: Now,
    (mailbox, folder): (&str, &str),
    named: &NamedId,
    is: impl Fn(&str) -> bool,
) -> Result<Vec<ItemRow>, Refused> {
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let page = world.target_items(now, mailbox, folder, from, 999)?;
        let bears = |row: &ItemRow| world.named_of(mailbox, &row.id, named);
        all.extend(
            page.items
                .into_iter()
                .filter(|row| bears(row).is_some_and(|text| is(&text))),
        );
        from = page.next;
        if from.is_none() {
            return Ok(all);
        }
    }
}

impl DirectTarget {
    /// The same, where what has attachments, and of the rest every second item, is composed in several acts; `between` is told between them.
    #[must_use]
    pub fn in_steps(mut self, between: Arc<dyn Between>) -> Self {
        self.acts = Some(Acts {
            between,
            works: Mutex::default(),
        });
        self
    }

    /// The acts in which this item is to be composed; `None` where it is one.
    pub(super) fn acts_for(&self, own: &Whole, mark: &str) -> Option<&Acts> {
        let chosen = mark.bytes().fold(0, u8::wrapping_add).is_multiple_of(2);
        let chosen = chosen || !own.0.attachments().is_empty();
        self.acts.as_ref().filter(|_| chosen)
    }

    /// Composes one item in several acts.
    pub(super) async fn compose_in_acts(
        &self,
        acts: &Acts,
        (mailbox, folder): Spot<'_>,
        mark: &str,
        own: &Whole,
    ) -> Result<Placed, Setback> {
        let is_message = matches!(own.0, TypedItem::Message(_));
        let work = acts.work(mailbox, mark);
        let mut work = work.lock().await;
        let hidden = if is_message {
            Some(self.hidden(mailbox).await.map_err(before_create)?)
        } else {
            None
        };
        let digest = measured(own).map(|told| told.digest);
        let there = work.take();
        let there = there.filter(|begun| digest.is_some() && begun.digest == digest);
        let spot = (mailbox, hidden.as_deref().unwrap_or(folder));
        let mut begun = match there {
            Some(begun) => begun,
            None => self.begin(acts, spot, mark, own).await?,
        };
        let setback = match self
            .complete(acts, (mailbox, folder), mark, own, &mut begun)
            .await
        {
            Ok(placed) => return Ok(placed),
            // That it is not there says nothing of the source.
            Err(Setback::Gone) => Setback::GatewayGaveUp(Said::status(404)),
            Err(setback) => setback,
        };
        match setback {
            Setback::ItemRefused(refusal) if !is_message => {
                match self.discard(mailbox, &begun.id).await {
                    Ok(()) => Err(Setback::ItemRefused(refusal)),
                    Err(_) => Err(Setback::GatewayGaveUp(refusal.said)),
                }
            }
            setback => {
                *work = is_put_off(&setback).then_some(begun);
                Err(setback)
            }
        }
    }

    /// Takes away what an earlier attempt left, and makes the item, out of sight and without what comes later.
    async fn begin(
        &self,
        acts: &Acts,
        (mailbox, place): Spot<'_>,
        mark: &str,
        own: &Whole,
    ) -> Result<Begun, Setback> {
        acts.between.acts().await;
        let named = begins_under(&own.0);
        let cleared = self.clear((mailbox, place), &named, |text| text == mark);
        cleared.await.map_err(before_create)?;
        acts.between.acts().await;
        let bare = bare(own);
        let act = |world: &mut World, now| {
            let tree = tree_under(&bare, &named, mark);
            let row = world.make_typed(now, mailbox.as_str(), place, tree)?;
            keep(world, &row.id, &bare);
            Ok((row.id, answer(1)))
        };
        let made = self.typed(mailbox, CallKind::Import, 600, act).await;
        Ok(Begun {
            digest: measured(own).map(|told| told.digest),
            id: match own.0 {
                TypedItem::Message(_) => made.map_err(in_hidden)?,
                _ => made?,
            },
            next: 0,
        })
    }

    /// Adds the attachments, and then lets the item be seen.
    async fn complete(
        &self,
        acts: &Acts,
        (mailbox, folder): Spot<'_>,
        mark: &str,
        own: &Whole,
        begun: &mut Begun,
    ) -> Result<Placed, Setback> {
        let all = own.0.common().attachments.iter().zip(&own.1);
        for (file, bytes) in all.skip(begun.next) {
            acts.between.acts().await;
            self.attach((mailbox, &begun.id), file, bytes).await?;
            begun.next += 1;
        }
        acts.between.acts().await;
        let (mailbox_id, id) = (mailbox.as_str(), begun.id.as_str());
        let act = |world: &mut World, now| {
            let row = if matches!(own.0, TypedItem::Message(_)) {
                world.move_typed(now, mailbox_id, id, folder)?
            } else {
                let row = world.change_typed(now, mailbox_id, id, |message| {
                    set_named(message, SOURCE.set, &SOURCE.name, mark);
                    set_named(message, UNFINISHED.set, &UNFINISHED.name, "");
                })?;
                keep(world, id, own);
                row
            };
            Ok((placed(&row), answer(1)))
        };
        self.typed(mailbox, CallKind::Import, 600, act).await
    }

    async fn attach(
        &self,
        (mailbox, id): Spot<'_>,
        file: &TypedAttachment,
        bytes: &[u8],
    ) -> Result<(), Setback> {
        let mut file = file.clone();
        if file.name.is_empty() {
            UNNAMED.clone_into(&mut file.name);
        }
        let upload = bytes.len() as u64 / 3 * 4 + 600;
        let act = |world: &mut World, now| {
            world.attach_typed(now, mailbox.as_str(), id, &file, bytes.to_vec())?;
            Ok(((), answer(1)))
        };
        self.typed(mailbox, CallKind::Import, upload, act).await
    }

    /// The hidden folder, found or made.
    async fn hidden(&self, mailbox: &TargetMailboxId) -> Result<String, Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, now| {
            if let Some(row) = find_hidden(world, now, id)? {
                return Ok((row.id, answer(1)));
            }
            let rows = world.target_folders(now, id)?;
            let top = rows
                .into_iter()
                .find(|row| row.role == Some(FolderRole::Top));
            let top = top.ok_or(Refused::NoFolder)?.id;
            let row = world.create_folder(now, id, &top, UNFINISHED_FOLDER, MAIL_FOLDER_CLASS)?;
            world.hide_folder(id, &row.id)?;
            Ok((row.id, answer(1)))
        };
        self.typed(mailbox, CallKind::MakeFolder, 200, act).await
    }

    /// Takes away what a folder shows that bears such a text under that name. Returns how many.
    async fn clear(
        &self,
        (mailbox, place): Spot<'_>,
        named: &NamedId,
        is: impl Fn(&str) -> bool + Send,
    ) -> Result<u64, Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, now| {
            let left = bearing(world, now, (id, place), named, is)?;
            for row in &left {
                world.delete_target_item(id, &row.folder, &row.id)?;
            }
            Ok((left.len() as u64, answer(0)))
        };
        self.typed(mailbox, CallKind::Delete, 0, act).await
    }

    async fn discard(&self, mailbox: &TargetMailboxId, item: &str) -> Result<(), Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, _| {
            let row = world.target_item(id, item)?;
            world.delete_target_item(id, &row.folder, &row.id)?;
            Ok(((), answer(0)))
        };
        match self.typed(mailbox, CallKind::Delete, 0, act).await {
            Err(Setback::Gone) => Ok(()),
            other => other,
        }
    }

    /// Empties the hidden folder, and takes it away when nothing is in it. Without acts there is none.
    pub(super) async fn tidy_hidden(&self, mailbox: &TargetMailboxId) -> Result<Count, Setback> {
        let Some(acts) = &self.acts else {
            return Ok(Count::ZERO);
        };
        let id = mailbox.as_str();
        let find = |world: &mut World, now| Ok((find_hidden(world, now, id)?, answer(1)));
        let Some(hidden) = self.typed(mailbox, CallKind::Read, 0, find).await? else {
            return Ok(Count::ZERO);
        };
        acts.between.acts().await;
        let spot = (mailbox, hidden.id.as_str());
        let swept = self.clear(spot, &SOURCE, |_| true).await?;
        acts.between.acts().await;
        let remove = |world: &mut World, now| {
            let left = world.target_folder(now, id, &hidden.id)?;
            if left.items == Count::ZERO {
                world.delete_target_folder(id, &hidden.id)?;
            }
            Ok(((), answer(0)))
        };
        self.typed(mailbox, CallKind::Delete, 0, remove).await?;
        acts.between.acts().await;
        Ok(Count::new(swept))
    }
}
