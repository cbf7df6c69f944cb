//! Source and Target straight on the world, without a wire: for simulations under paused time. The same rules, limits, weather and counts as
//! the two faces; each call takes `latency` of the clock it was given, half before it takes effect and half after.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes as Chunk;
use futures_util::{StreamExt as _, stream};

use super::fault::{CallKind, Fault};
use super::world::{
    Busy, FolderRow, ImportOrder, ItemRow, Now, Refused, SyncChange, Ticket, World,
};
use crate::base::event::Side;
use crate::base::id::{
    ChangeKey, FolderId, ItemId, MailboxId, SyncToken, TargetFolderId, TargetItemId,
    TargetMailboxId,
};
use crate::base::item::{Placed, SourceHeader, Stamp, TargetHeader};
use crate::base::limits;
use crate::base::mailbox::{FolderOrder, FolderRole, SourceFolder, TargetFolder};
use crate::base::outcome::{
    DoubtCause, HaltCause, MisreadCause, Refusal, RefusalWhy, Said, Scope, Setback,
};
use crate::base::quantity::{Bytes, Count, Span};
use crate::port::body::{Body, BodyStream};
use crate::port::clock::Clock;
use crate::port::source::{Change, Changes, ExportSink, Source, SourcePage};
use crate::port::target::{Cursor, Target, TargetPage};

/// The world as faces share it. Lock it for single calls, never across an await.
pub type SharedWorld = Arc<Mutex<World>>;

/// Locks the world. A panic of another holder leaves it usable: the world has no invariant that spans calls.
pub fn lock(world: &SharedWorld) -> MutexGuard<'_, World> {
    world
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What both sides share: the world, the clock, how long a call takes.
#[derive(Clone, Debug)]
struct Desk {
    world: SharedWorld,
    clock: Arc<dyn Clock>,
    latency: Span,
}

/// A call in flight; ends when dropped, also when its future is cancelled.
struct InFlight<'a> {
    world: &'a SharedWorld,
    ticket: Option<Ticket>,
    bytes_out: Bytes,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            lock(self.world).end(ticket, self.bytes_out);
        }
    }
}

/// Whom a call concerns, and what it is.
#[derive(Clone, Copy)]
struct Call<'a> {
    side: Side,
    mailbox: &'a str,
    kind: CallKind,
    /// Body of the request; more than nothing means an upload.
    upload: u64,
}

impl Desk {
    fn now(&self) -> Now {
        Now {
            tick: self.clock.tick(),
            moment: self.clock.moment(),
        }
    }

    async fn pass(&self, span: Span) {
        if span > Span::ZERO {
            self.clock.sleep_until(self.clock.tick() + span).await;
        }
    }

    /// Makes one call. `act` is what it does to the world, and how long its answer is. The second result is a fault that leaves the
    /// answer usable in part (exports).
    async fn call<T: Send>(
        &self,
        call: Call<'_>,
        act: impl FnOnce(&mut World, Now) -> Result<(T, Bytes), Refused> + Send,
    ) -> Result<(T, Option<Fault>), Setback> {
        let (mut flight, fault) = {
            let mut world = lock(&self.world);
            let asked = Bytes::new(call.upload.max(600));
            let ticket = world
                .begin(self.now(), call.side, call.mailbox, asked, call.upload > 0)
                .map_err(|busy| too_fast(call.side, busy))?;
            let flight = InFlight {
                world: &self.world,
                ticket: Some(ticket),
                bytes_out: Bytes::ZERO,
            };
            (flight, world.fault(call.kind))
        };
        let half = Span::new(self.latency.get() / 2);
        self.pass(half).await;
        if let Some(fault) = fault.filter(|fault| !fault.acts()) {
            self.pass(half).await;
            return Err(setback_of(call.side, fault));
        }
        let done = act(&mut lock(&self.world), self.now());
        self.pass(half).await;
        let partly = matches!(fault, Some(Fault::CutBody | Fault::Truncated));
        if let Some(fault) = fault.filter(|_| !(partly && call.kind == CallKind::Export)) {
            return Err(setback_of(call.side, fault));
        }
        let (value, bytes) = done.map_err(|refused| refusal_of(call.side, refused))?;
        flight.bytes_out = bytes;
        Ok((value, fault))
    }
}

/// What a fault looks like to a client.
fn setback_of(side: Side, fault: Fault) -> Setback {
    match fault {
        Fault::Busy(wait) => Setback::Throttled {
            scope: scope_of(side),
            wait,
            said: busy_word(side),
        },
        Fault::Unavailable => Setback::Unwell(Said::status(503)),
        Fault::Unauthorized => Setback::Expired(Said::status(401)),
        Fault::GatewayBefore | Fault::GatewayAfter => Setback::GatewayGaveUp(Said::status(504)),
        Fault::ResetBefore | Fault::ResetAfter => Setback::Lost(DoubtCause::Reset),
        Fault::SilenceAfter => Setback::Lost(DoubtCause::TimedOut),
        Fault::CutBody => Setback::Misread(MisreadCause::CutOff, Said::status(200)),
        Fault::Truncated => Setback::Truncated,
        Fault::StateRefused => Setback::StateInvalid,
    }
}

const fn scope_of(side: Side) -> Scope {
    match side {
        Side::Source => Scope::SourceMailbox,
        Side::Target => Scope::TargetMailbox,
    }
}

fn busy_word(side: Side) -> Said {
    match side {
        Side::Source => Said::code("ErrorServerBusy"),
        Side::Target => Said::new(429, "ApplicationThrottled"),
    }
}

fn too_fast(side: Side, busy: Busy) -> Setback {
    Setback::Throttled {
        scope: scope_of(side),
        wait: Some(busy.wait),
        said: busy_word(side),
    }
}

/// What a refusal of the world looks like to a client.
fn refusal_of(side: Side, refused: Refused) -> Setback {
    let item = |why, said| Setback::ItemRefused(Refusal { why, said });
    match refused {
        Refused::NoMailbox => {
            let why = match side {
                Side::Source => HaltCause::NoSourceMailbox,
                Side::Target => HaltCause::NoTargetMailbox,
            };
            Setback::MailboxClosed(why, Said::code("ErrorNonExistentMailbox"))
        }
        Refused::NoFolder => Setback::FolderGone,
        Refused::NoItem => Setback::Gone,
        Refused::WrongCase => Setback::OurRequest(Said::code("ErrorInvalidIdMalformed")),
        Refused::SearchFolder => {
            Setback::OurRequest(Said::code("ErrorInvalidFolderTypeForOperation"))
        }
        Refused::BadState => Setback::StateInvalid,
        Refused::Corrupt => item(RefusalWhy::SourceCorrupt, Said::code("ErrorItemCorrupt")),
        Refused::FolderExists => Setback::OurRequest(Said::new(409, "ErrorFolderExists")),
        Refused::NoSession | Refused::Expired => Setback::Expired(Said::status(401)),
        Refused::MalformedStream | Refused::ImportRefused => item(
            RefusalWhy::TargetRefused,
            Said::new(400, "ErrorCorruptData"),
        ),
        Refused::WrongVersion => item(
            RefusalWhy::TargetRefused,
            Said::new(412, "ErrorIrresolvableConflict"),
        ),
        Refused::QuotaFull => {
            Setback::MailboxClosed(HaltCause::QuotaFull, Said::new(507, "ErrorQuotaExceeded"))
        }
        Refused::Discarded => item(RefusalWhy::TargetRefused, Said::code("LabDiscarded")),
    }
}

/// Length of an answer with this many rows.
const fn answer(rows: usize) -> Bytes {
    Bytes::new(400 + rows as u64 * 600)
}

/// The source, straight on the world.
#[derive(Clone, Debug)]
pub struct DirectSource {
    desk: Desk,
}

impl DirectSource {
    /// A source on this world; each call takes `latency` of this clock.
    pub fn new(world: SharedWorld, clock: Arc<dyn Clock>, latency: Span) -> Self {
        Self {
            desk: Desk {
                world,
                clock,
                latency,
            },
        }
    }

    async fn read<T: Send>(
        &self,
        mailbox: &MailboxId,
        kind: CallKind,
        act: impl FnOnce(&mut World, Now) -> Result<(T, Bytes), Refused> + Send,
    ) -> Result<(T, Option<Fault>), Setback> {
        let call = Call {
            side: Side::Source,
            mailbox: mailbox.reveal(),
            kind,
            upload: 0,
        };
        self.desk.call(call, act).await
    }
}

fn source_folder(row: FolderRow) -> SourceFolder {
    SourceFolder {
        id: FolderId::new(row.id),
        parent: row.parent.map(FolderId::new),
        name: row.name,
        class: row.class,
        role: row.role,
        kind: row.kind,
        hidden: row.hidden,
        items: row.items,
        size: row.size,
    }
}

fn source_header(row: ItemRow) -> SourceHeader {
    let key = row.search_key.as_ref();
    SourceHeader {
        stamp: Stamp::of(key, row.message_id.as_deref(), &row.class, row.submitted),
        id: ItemId::new(row.id),
        class: row.class,
        size: row.size,
        read: Some(row.read),
        received: row.received,
    }
}

#[async_trait]
impl Source for DirectSource {
    async fn folders(&self, mailbox: &MailboxId) -> Result<Vec<SourceFolder>, Setback> {
        let act = |world: &mut World, _| {
            let rows = world.source_folders(mailbox.reveal())?;
            let bytes = answer(rows.len());
            Ok((rows, bytes))
        };
        let (mut rows, _) = self.read(mailbox, CallKind::Read, act).await?;
        rows.sort_by_key(|row| row.role != Some(FolderRole::Top));
        Ok(rows.into_iter().map(source_folder).collect())
    }

    async fn changes(
        &self,
        mailbox: &MailboxId,
        folder: &FolderId,
        token: Option<&SyncToken>,
        at_most: Count,
    ) -> Result<Changes, Setback> {
        let act = |world: &mut World, _| {
            let state = token.map(SyncToken::as_str);
            let page = world.sync(mailbox.reveal(), folder.as_str(), state, at_most.get())?;
            let bytes = answer(page.changes.len());
            Ok((page, bytes))
        };
        let (page, _) = self.read(mailbox, CallKind::Sync, act).await?;
        let changes = page.changes.into_iter().map(|change| match change {
            SyncChange::Create(row) => Change::Created(source_header(*row)),
            SyncChange::Update(row) => Change::Updated(source_header(*row)),
            SyncChange::Delete(id) => Change::Deleted(ItemId::new(id)),
            SyncChange::ReadFlag(id, read) => Change::Read(ItemId::new(id), read),
        });
        Ok(Changes {
            changes: changes.collect(),
            token: SyncToken::new(page.state),
            complete: page.last,
        })
    }

    async fn page(
        &self,
        mailbox: &MailboxId,
        folder: &FolderId,
        offset: Count,
        at_most: Count,
    ) -> Result<SourcePage, Setback> {
        let act = |world: &mut World, _| {
            let found = world.find(
                mailbox.reveal(),
                folder.as_str(),
                offset.get(),
                at_most.get(),
            )?;
            let bytes = answer(found.items.len());
            Ok((found, bytes))
        };
        let (found, _) = self.read(mailbox, CallKind::Read, act).await?;
        Ok(SourcePage {
            items: found.items.into_iter().map(source_header).collect(),
            total: Count::new(found.total),
            last: found.last,
        })
    }

    async fn export(
        &self,
        mailbox: &MailboxId,
        items: &[ItemId],
        sink: &mut dyn ExportSink,
    ) -> Result<Vec<Result<(), Setback>>, Setback> {
        let act = |world: &mut World, _| {
            let each = |id: &ItemId| world.source_export(mailbox.reveal(), id.as_str());
            let all: Vec<_> = items.iter().map(each).collect();
            let sent = all.iter().flatten().map(|e| e.stream.len() as u64 / 3 * 4);
            let bytes = answer(0) + Bytes::new(sent.sum());
            Ok((all, bytes))
        };
        let (all, fault) = self.read(mailbox, CallKind::Export, act).await?;
        let mut results = Vec::with_capacity(all.len());
        let last = all.len().saturating_sub(1);
        for (index, exported) in all.into_iter().enumerate() {
            let exported = match exported {
                Ok(exported) => exported,
                Err(refused) => {
                    results.push(Err(refusal_of(Side::Source, refused)));
                    continue;
                }
            };
            let hurt = fault.is_some() && index == last;
            let keep = if hurt {
                exported.stream.len() / 2
            } else {
                exported.stream.len()
            };
            sink.begin(index).await?;
            for piece in exported.stream[..keep].chunks(limits::BODY_PIECE) {
                sink.piece(piece).await?;
            }
            match fault.filter(|_| hurt) {
                Some(fault @ Fault::CutBody) => return Err(setback_of(Side::Source, fault)),
                Some(_) => results.push(Err(Setback::Truncated)),
                None => results.push(Ok(())),
            }
        }
        Ok(results)
    }
}

/// The target, straight on the world.
#[derive(Debug)]
pub struct DirectTarget {
    desk: Desk,
    sessions: Mutex<BTreeMap<TargetMailboxId, String>>,
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
        }
    }

    async fn call<T: Send>(
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
        self.sessions
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn session(&self, mailbox: &TargetMailboxId) -> Result<String, Setback> {
        if let Some(token) = self.open_sessions().get(mailbox) {
            return Ok(token.clone());
        }
        let id = mailbox.as_str();
        let act = |world: &mut World, now| Ok((world.open_session(now, id)?, answer(1)));
        let (session, _) = self.call(id, CallKind::OpenSession, 0, act).await?;
        let token = session.token;
        self.open_sessions().insert(mailbox.clone(), token.clone());
        Ok(token)
    }
}

fn target_folder(row: FolderRow) -> TargetFolder {
    TargetFolder {
        id: TargetFolderId::new(row.id),
        parent: row.parent.map(TargetFolderId::new),
        name: row.name,
        class: row.class,
        role: row.role,
        items: row.items,
    }
}

fn placed(row: &ItemRow) -> Placed {
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
        let call = self.call(user.reveal(), CallKind::Read, 0, act).await?;
        Ok(TargetMailboxId::new(call.0))
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
                update: None,
                stream: bytes,
            };
            Ok((world.import(now, &session, order)?, answer(1)))
        };
        let id = mailbox.as_str();
        let (row, _) = self.call(id, CallKind::Import, upload, act).await?;
        Ok(placed(&row))
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
            Ok((page, bytes))
        };
        let (page, _) = self.call(id, CallKind::Read, 0, act).await?;
        Ok(TargetPage {
            items: page.items.into_iter().map(target_header).collect(),
            next: page.next.map(|at| Cursor::new(at.to_string())),
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
        pieces.extend(fault.map(|fault| Err(setback_of(Side::Target, fault))));
        Ok(stream::iter(pieces).boxed())
    }

    async fn retract(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
    ) -> Result<(), Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, _| {
            match world.target_item(id, placed.item.as_str()) {
                Ok(row) if row.change_key != placed.change_key.as_str() => {
                    return Err(Refused::WrongVersion);
                }
                Ok(row) => world.delete_target_item(id, folder.as_str(), &row.id)?,
                Err(Refused::NoItem) => {}
                Err(other) => return Err(other),
            }
            Ok(((), answer(0)))
        };
        self.call(id, CallKind::Delete, 0, act).await.map(drop)
    }

    fn renew(&self, mailbox: &TargetMailboxId) {
        self.open_sessions().remove(mailbox);
    }
}
