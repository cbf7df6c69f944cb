//! The Source port straight on the world.

use std::sync::Arc;

use async_trait::async_trait;

use super::direct::{Call, Desk, SharedWorld, answer, refusal_of, setback_of, setback_of_entry};
use super::fault::{CallKind, Fault};
use super::world::{FolderRow, ItemRow, Now, Refused, SyncChange, World};
use crate::base::event::Side;
use crate::base::id::{FolderId, ItemId, MailboxId, SyncToken};
use crate::base::item::{SourceHeader, Stamp, Version};
use crate::base::limits;
use crate::base::mailbox::{FolderRole, SourceFolder};
use crate::base::outcome::Setback;
use crate::base::quantity::{Bytes, Count, Span};
use crate::port::clock::Clock;
use crate::port::source::{Change, Changes, ExportSink, HierarchyNews, Source, SourcePage};

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

    pub(super) async fn read<T: Send>(
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
        version: Some(Version::of(&row.change_key)),
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

    async fn hierarchy(
        &self,
        mailbox: &MailboxId,
        token: Option<&SyncToken>,
    ) -> Result<HierarchyNews, Setback> {
        let act = |world: &mut World, _| {
            let state = token.map(SyncToken::as_str);
            let news = world.sync_hierarchy(mailbox.reveal(), state)?;
            let bytes = answer(news.changes.len());
            Ok((news, bytes))
        };
        let kind = token.map_or(CallKind::Read, |_| CallKind::Sync);
        let (news, _) = self.read(mailbox, kind, act).await?;
        Ok(HierarchyNews {
            changed: token.is_none() || !news.changes.is_empty(),
            token: SyncToken::new(news.state),
        })
    }

    async fn present(&self, mailbox: &MailboxId, items: &[ItemId]) -> Result<Vec<bool>, Setback> {
        let act = |world: &mut World, _| {
            let there = |id: &ItemId| match world.source_item(mailbox.reveal(), id.as_str()) {
                Ok(_) => Ok(true),
                Err(Refused::NoItem) => Ok(false),
                Err(other) => Err(other),
            };
            let all = items.iter().map(there).collect::<Result<Vec<_>, _>>()?;
            let bytes = answer(all.len());
            Ok((all, bytes))
        };
        Ok(self.read(mailbox, CallKind::Read, act).await?.0)
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
        // Without a state there is none to refuse.
        let kind = token.map_or(CallKind::Read, |_| CallKind::Sync);
        let (page, _) = self.read(mailbox, kind, act).await?;
        let changes = page.changes.into_iter().map(|change| match change {
            SyncChange::Create(row) => Change::Created(source_header(*row)),
            SyncChange::Update(row) => Change::Updated(source_header(*row)),
            SyncChange::Delete(id) => Change::Deleted(ItemId::new(id)),
            SyncChange::ReadFlag {
                id,
                change_key,
                read,
            } => Change::Read {
                id: ItemId::new(id),
                read,
                version: Some(Version::of(&change_key)),
            },
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
            if all.iter().any(|e| matches!(e, Err(Refused::Poisoned))) {
                return Err(Refused::Poisoned);
            }
            let sent = all.iter().flatten().map(|e| e.stream.len() as u64 / 3 * 4);
            let bytes = answer(0) + Bytes::new(sent.sum());
            Ok((all, bytes))
        };
        let (all, fault) = self.read(mailbox, CallKind::Export, act).await?;
        let mut results = Vec::with_capacity(all.len());
        let of = all.len();
        let last = of.saturating_sub(1);
        // What befalls single entries leaves the bytes of the others alone.
        let entry = |index| fault.and_then(|fault| fault.entry(index, of));
        let cuts = fault.filter(|f| matches!(f, Fault::CutBody | Fault::Truncated));
        for (index, exported) in all.into_iter().enumerate() {
            if let Some(entry) = entry(index) {
                results.push(Err(setback_of_entry(entry)));
                continue;
            }
            let exported = match exported {
                Ok(exported) => exported,
                Err(refused) => {
                    results.push(Err(refusal_of(Side::Source, refused)));
                    continue;
                }
            };
            let hurt = cuts.is_some() && index == last;
            let keep = if hurt {
                exported.stream.len() / 2
            } else {
                exported.stream.len()
            };
            sink.begin(index).await?;
            for piece in exported.stream[..keep].chunks(limits::BODY_PIECE) {
                sink.piece(piece).await?;
            }
            match cuts.filter(|_| hurt) {
                Some(fault @ Fault::CutBody) => {
                    return Err(setback_of(Side::Source, CallKind::Export, fault));
                }
                Some(_) => results.push(Err(Setback::Truncated)),
                None => results.push(Ok(())),
            }
        }
        Ok(results)
    }
}
