//! The questions of a preflight, straight on the world.

use async_trait::async_trait;

use super::direct::{DirectSource, DirectTarget, answer};
use super::direct_target::target_folder;
use super::fault::CallKind;
use super::world::{FolderRow, Now, Refused, World};
use crate::base::id::{FolderId, MailboxId, TargetFolderId, TargetMailboxId};
use crate::base::item::Placed;
use crate::base::mailbox::TargetFolder;
use crate::base::outcome::Setback;
use crate::base::probe::{
    Absent, Greeting, LargestItem, Server, ServerSight, TokenSight, UserSight,
};
use crate::base::quantity::Count;
use crate::base::secret::Private;
use crate::port::clock::Clock;
use crate::port::probe::{SourceProbe, TargetProbe};
use crate::port::source::Source;

/// Items asked for at once.
const PAGE: Count = Count::new(100);

/// A server that is there, in clear text on this machine.
fn there() -> ServerSight {
    ServerSight {
        addresses: Some(1),
        connected: Some(true),
        ..ServerSight::of("lab".to_owned(), false, true)
    }
}

#[async_trait]
impl SourceProbe for DirectSource {
    async fn look(&self, _: &dyn Clock) -> ServerSight {
        there()
    }

    async fn greet(&self, mailbox: &MailboxId) -> Result<Greeting, Setback> {
        let act = |world: &mut World, _: Now| {
            world.source_folders(mailbox.reveal())?;
            Ok((Greeting { build: None }, answer(1)))
        };
        Ok(self.read(mailbox, CallKind::Read, act).await?.0)
    }

    async fn archive(&self, mailbox: &MailboxId) -> Result<bool, Setback> {
        self.greet(mailbox).await.map(|_| false)
    }

    async fn largest(
        &self,
        mailbox: &MailboxId,
        folders: &[FolderId],
    ) -> Result<Option<LargestItem>, Setback> {
        let (mut largest, most): (Option<LargestItem>, _) = (None, PAGE);
        for folder in folders {
            let mut from = Count::ZERO;
            loop {
                let page = self.page(mailbox, folder, from, most).await?;
                if page.items.is_empty() {
                    break;
                }
                from += Count::new(page.items.len() as u64);
                for own in page.items {
                    if largest.as_ref().is_none_or(|known| known.size < own.size) {
                        largest = Some(LargestItem {
                            id: own.id,
                            class: own.class,
                            size: own.size,
                        });
                    }
                }
            }
        }
        Ok(largest)
    }
}

#[async_trait]
impl TargetProbe for DirectTarget {
    async fn look(&self) -> Vec<(Server, ServerSight)> {
        vec![(Server::Login, there()), (Server::Graph, there())]
    }

    async fn sign_in(&self) -> Result<TokenSight, Setback> {
        let roles = super::direct::lock(&self.desk.world).roles();
        Ok(TokenSight {
            roles: Some(roles.into_iter().map(str::to_owned).collect()),
            tenant: None,
        })
    }

    async fn user(&self, user: &MailboxId) -> Result<UserSight, Setback> {
        let act = |world: &mut World, _: Now| Ok((world.resolve(user.reveal())?, answer(1)));
        self.call(user.reveal(), CallKind::Read, 0, act).await?;
        Ok(UserSight {
            licences_known: false,
            addresses: vec![Private::new(user.reveal().to_lowercase())],
            ..UserSight::default()
        })
    }

    async fn absent(&self, _: &MailboxId) -> Absent {
        Absent::Never
    }

    async fn open_session(&self, mailbox: &TargetMailboxId) -> Result<(), Setback> {
        self.session(mailbox).await.map(drop)
    }

    async fn hidden_folder(
        &self,
        mailbox: &TargetMailboxId,
        name: &str,
        class: &str,
    ) -> Result<TargetFolder, Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, now: Now| {
            let top = world.target_folder(now, id, "msgfolderroot")?.id;
            let rows = world.target_folders(now, id)?;
            let same = |r: &FolderRow| r.parent.as_deref() == Some(top.as_str()) && r.name == name;
            let row = match rows.into_iter().find(same) {
                Some(row) => row,
                None => world.create_folder(now, id, &top, name, class)?,
            };
            world.hide_folder(id, &row.id)?;
            Ok((row, answer(1)))
        };
        let (row, _) = self.call(id, CallKind::MakeFolder, 200, act).await?;
        Ok(target_folder(row))
    }

    async fn purge(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
    ) -> Result<(), Setback> {
        let id = mailbox.as_str();
        let act = |world: &mut World, _: Now| {
            match world.target_item(id, placed.item.as_str()) {
                Ok(row) if row.change_key != placed.change_key.as_str() => {
                    return Err(Refused::WrongVersion);
                }
                Ok(row) if row.folder != folder.as_str() => {}
                Ok(row) => world.delete_target_item(id, folder.as_str(), &row.id)?,
                Err(Refused::NoItem) => {}
                Err(other) => return Err(other),
            }
            Ok(((), answer(0)))
        };
        self.call(id, CallKind::Delete, 0, act).await.map(drop)
    }
}
