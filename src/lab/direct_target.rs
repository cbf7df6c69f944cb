//! The Target port straight on the world.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes as Chunk;
use futures_util::{StreamExt as _, stream};

use super::direct::{Call, Desk, SharedWorld, answer, setback_of};
use super::direct_typed_acts::Acts;
use super::fault::{CallKind, Fault};
use super::world::{FolderRow, ImportOrder, ItemRow, Now, Refused, World};
use crate::base::event::Side;
use crate::base::id::{ChangeKey, MailboxId, TargetFolderId, TargetItemId, TargetMailboxId};
use crate::base::item::{Placed, Stamp, TargetHeader};
use crate::base::limits;
use crate::base::mailbox::{FolderOrder, FolderRole, TargetFolder};
use crate::base::outcome::{Said, Scope, Setback};
use crate::base::quantity::{Bytes, Count, Span};
use crate::base::route::Route;
use crate::port::body::{Body, BodyStream};
use crate::port::clock::Clock;
use crate::port::target::{Cursor, Target, TargetPage};
use crate::wire::graph::provenance::{self, Home, Mark};

/// The target, straight on the world.
#[derive(Debug)]
pub struct DirectTarget {
    pub(super) desk: Desk,
    sessions: Mutex<BTreeMap<TargetMailboxId, String>>,
    /// Sessions opened by the way, by mailbox, since somebody asked.
    besides: Mutex<BTreeMap<TargetMailboxId, u64>>,
    /// Whether events are made with their reminders off until the cutover.
    pub(super) holds_reminders: bool,
    /// How items are composed, where that is not one act.
    pub(super) acts: Option<Acts>,
}

impl DirectTarget {
    /// A target on this world; each call takes `latency` of this clock.
    pub fn new(world: SharedWorld, clock: Arc<dyn Clock>, latency: Span) -> Self {
        Self {
            desk: Desk {
                world,
                clock,
                latency,
            },
            sessions: Mutex::default(),
            besides: Mutex::default(),
            holds_reminders: false,
            acts: None,
        }
    }

    /// The same, for a plan that holds reminders back until the cutover.
    #[must_use]
    pub const fn holding_reminders(mut self) -> Self {
        self.holds_reminders = true;
        self
    }

    pub(super) async fn call<T: Send>(
        &self,
        mailbox: &str,
        kind: CallKind,
        upload: u64,
        act: impl FnOnce(&mut World, Now) -> Result<(T, Bytes), Refused> + Send,
    ) -> Result<(T, Option<Fault>), Setback> {
        let call = Call {
            side: Side::Target,
            mailbox,
            kind,
            upload,
        };
        self.desk.call(call, act).await
    }

    fn open_sessions(&self) -> MutexGuard<'_, BTreeMap<TargetMailboxId, String>> {
        lock_map(&self.sessions)
    }

    async fn import(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        replaces: Option<&Placed>,
        body: &Body,
    ) -> Result<Placed, Setback> {
        let session = self.session(mailbox).await?;
        let mut bytes = Vec::new();
        let mut pieces = body.open();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece?);
        }
        let upload = bytes.len() as u64 / 3 * 4 + 600;
        let act = |world: &mut World, now| {
            let order = ImportOrder {
                folder: folder.as_str(),
                update: replaces.map(|old| (old.item.as_str(), old.change_key.as_str())),
                stream: bytes,
            };
            Ok((world.import(now, &session, order)?, answer(1)))
        };
        let id = mailbox.as_str();
        let (row, _) = self.call(id, CallKind::Import, upload, act).await?;
        Ok(placed(&row))
    }

    pub(super) async fn session(&self, mailbox: &TargetMailboxId) -> Result<String, Setback> {
        if let Some(token) = self.open_sessions().get(mailbox) {
            return Ok(token.clone());
        }
        let id = mailbox.as_str();
        *lock_map(&self.besides).entry(mailbox.clone()).or_default() += 1;
        let act = |world: &mut World, now| Ok((world.open_session(now, id)?, answer(1)));
        let (session, _) = self.call(id, CallKind::OpenSession, 0, act).await?;
        let token = session.token;
        self.open_sessions().insert(mailbox.clone(), token.clone());
        Ok(token)
    }
}

fn lock_map<T>(
    map: &Mutex<BTreeMap<TargetMailboxId, T>>,
) -> MutexGuard<'_, BTreeMap<TargetMailboxId, T>> {
    map.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(super) fn target_folder(row: FolderRow) -> TargetFolder {
    TargetFolder {
        id: TargetFolderId::new(row.id),
        parent: row.parent.map(TargetFolderId::new),
        name: row.name,
        class: row.class,
        role: row.role,
        items: row.items,
    }
}

pub(super) fn placed(row: &ItemRow) -> Placed {
    Placed {
        item: TargetItemId::new(row.id.clone()),
        change_key: ChangeKey::new(row.change_key.clone()),
    }
}

fn target_header(row: ItemRow) -> TargetHeader {
    TargetHeader {
        placed: placed(&row),
        fallback: Stamp::fallback(row.message_id.as_deref(), &row.class, row.submitted),
        key: row.search_key,
        class: row.class,
        size: row.size,
        created: Some(row.created),
        route: Route::Stream,
    }
}

/// Whose copy an item is: our mark says it before its search key does, which is the store's own where it was made by its fields.
fn marked(header: TargetHeader, mark: Option<Mark>) -> TargetHeader {
    match mark.map(|mark| mark.stamp) {
        None => header,
        Some(Stamp::Key(key)) => TargetHeader {
            key: Some(key),
            route: Route::Typed,
            ..header
        },
        Some(fallback @ Stamp::Fallback(_)) => TargetHeader {
            key: None,
            fallback,
            route: Route::Typed,
            ..header
        },
    }
}

/// The folders of the user's tree, its root first.
fn within_tree(rows: Vec<FolderRow>) -> Vec<FolderRow> {
    let mut known = std::collections::BTreeSet::new();
    let mut out = Vec::with_capacity(rows.len());
    for row in rows {
        let top = row.role == Some(FolderRole::Top);
        if top || row.parent.as_ref().is_some_and(|p| known.contains(p)) {
            known.insert(row.id.clone());
            out.push(row);
        }
    }
    out
}

#[async_trait]
impl Target for DirectTarget {
    async fn resolve(&self, user: &MailboxId) -> Result<TargetMailboxId, Setback> {
        let act = |world: &mut World, _| Ok((world.resolve(user.reveal())?, answer(1)));
        let call = self.call(user.reveal(), CallKind::Read, 0, act).await;
        // Before the mailbox is known, a throttle is the application's.
        let (id, _) = call.map_err(|setback| match setback {
            Setback::Throttled { wait, said, .. } => Setback::Throttled {
                scope: Scope::TargetApp,
                wait,
                said,
            },
            other => other,
        })?;
        Ok(TargetMailboxId::new(id))
    }

    async fn folders(&self, mailbox: &TargetMailboxId) -> Result<Vec<TargetFolder>, Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, now| {
            let rows = within_tree(world.target_folders(now, id)?);
            let bytes = answer(rows.len());
            Ok((rows, bytes))
        };
        let (rows, _) = self.call(id, CallKind::Read, 0, act).await?;
        Ok(rows.into_iter().map(target_folder).collect())
    }

    async fn ensure_folder(
        &self,
        mailbox: &TargetMailboxId,
        order: &FolderOrder,
    ) -> Result<TargetFolder, Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, now: Now| {
            let rows = world.target_folders(now, id)?;
            let parent = order.parent.as_str();
            let same = |r: &FolderRow| r.parent.as_deref() == Some(parent) && r.name == order.name;
            let row = match rows.into_iter().find(same) {
                Some(row) => row,
                None => world.create_folder(now, id, parent, &order.name, &order.class)?,
            };
            Ok((row, answer(1)))
        };
        let (row, _) = self.call(id, CallKind::MakeFolder, 200, act).await?;
        Ok(target_folder(row))
    }

    async fn create(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        body: &Body,
    ) -> Result<Placed, Setback> {
        self.import(mailbox, folder, None, body).await
    }

    async fn update(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
        body: &Body,
    ) -> Result<Placed, Setback> {
        self.import(mailbox, folder, Some(placed), body).await
    }

    async fn version(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        item: &TargetItemId,
    ) -> Result<Placed, Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, _| {
            let row = world.target_item(id, item.as_str())?;
            if row.folder == folder.as_str() {
                Ok((placed(&row), answer(1)))
            } else {
                Err(Refused::NoItem)
            }
        };
        Ok(self.call(id, CallKind::Read, 0, act).await?.0)
    }

    async fn rename_folder(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        name: &str,
    ) -> Result<(), Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, _| {
            world.rename_target_folder(id, folder.as_str(), name)?;
            Ok(((), answer(1)))
        };
        self.call(id, CallKind::MakeFolder, 200, act)
            .await
            .map(drop)
    }

    async fn remove_folder(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
    ) -> Result<bool, Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, now| {
            let row = match world.target_folder(now, id, folder.as_str()) {
                Err(Refused::NoFolder) => return Ok((true, answer(0))),
                other => other?,
            };
            let empty = row.items == Count::ZERO && row.children == Count::ZERO;
            if empty {
                world.delete_target_folder(id, folder.as_str())?;
            }
            Ok((empty, answer(0)))
        };
        Ok(self.call(id, CallKind::Delete, 0, act).await?.0)
    }

    async fn page(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        from: Option<&Cursor>,
    ) -> Result<TargetPage, Setback> {
        let from = match from {
            None => None,
            Some(cursor) => Some(
                cursor
                    .as_str()
                    .parse()
                    .map_err(|_| Setback::OurRequest(Said::status(400)))?,
            ),
        };
        let id = mailbox.as_str();
        let act = |world: &mut World, now| {
            let at_most = limits::TARGET_PAGE.get();
            let page = world.target_items(now, id, folder.as_str(), from, at_most)?;
            let bytes = answer(page.items.len());
            let home = Home::of(mailbox);
            let items = page.items.into_iter().map(|row| {
                let mark = world.named_of(id, &row.id, &provenance::SOURCE);
                let mark = mark.as_deref().and_then(provenance::read);
                let begun = world.named_of(id, &row.id, &provenance::UNFINISHED);
                let begun = begun.as_deref().and_then(provenance::read).is_some();
                let mut header = target_header(row);
                if begun {
                    header.key = None;
                    header.fallback = Stamp::of_nothing(header.placed.item.as_str());
                }
                marked(header, mark.filter(|mark| mark.home == home))
            });
            Ok(((items.collect(), page.next), bytes))
        };
        let ((items, next), _) = self.call(id, CallKind::Read, 0, act).await?;
        Ok(TargetPage {
            items,
            next: next.map(|at: u64| Cursor::new(at.to_string())),
        })
    }

    async fn export(
        &self,
        mailbox: &TargetMailboxId,
        item: &TargetItemId,
    ) -> Result<BodyStream, Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, _| {
            let (_, stream) = world.target_export(id, item.as_str())?;
            let bytes = answer(1) + Bytes::new(stream.len() as u64 / 3 * 4);
            Ok((stream, bytes))
        };
        let (bytes, fault) = self.call(id, CallKind::Export, 0, act).await?;
        let stream = Chunk::from(bytes);
        let keep = if fault.is_some() {
            stream.len() / 2
        } else {
            stream.len()
        };
        let mut pieces: Vec<Result<Chunk, Setback>> = (0..keep)
            .step_by(limits::BODY_PIECE)
            .map(|at| Ok(stream.slice(at..keep.min(at + limits::BODY_PIECE))))
            .collect();
        pieces.extend(fault.map(|fault| Err(setback_of(Side::Target, CallKind::Export, fault))));
        Ok(stream::iter(pieces).boxed())
    }

    async fn retract(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
    ) -> Result<(), Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, now| {
            match world.target_item(id, placed.item.as_str()) {
                Ok(row) if row.change_key != placed.change_key.as_str() => {
                    return Err(Refused::WrongVersion);
                }
                Ok(row) if row.folder != folder.as_str() => {}
                Ok(row) => world.soft_delete_target_item(now, id, folder.as_str(), &row.id)?,
                Err(Refused::NoItem) => {}
                Err(other) => return Err(other),
            }
            Ok(((), answer(0)))
        };
        self.call(id, CallKind::Delete, 0, act).await.map(drop)
    }

    fn made_besides(&self, mailbox: &TargetMailboxId) -> Count {
        let made = lock_map(&self.besides).remove(mailbox);
        Count::new(made.unwrap_or(0))
    }

    fn renew(&self, mailbox: &TargetMailboxId) {
        self.open_sessions().remove(mailbox);
    }
}
