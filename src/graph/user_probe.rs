//! The questions of a preflight where there is no mailbox import, and a canary's hidden folder: one for mail, the only kind that can be hidden there.

use async_trait::async_trait;

use crate::base::id::{MailboxId, TargetFolderId, TargetMailboxId};
use crate::base::item::Placed;
use crate::base::losses::Family;
use crate::base::mailbox::TargetFolder;
use crate::base::outcome::{RefusalWhy, Setback};
use crate::base::probe::{Absent, Server, ServerSight, TokenSight, UserSight};
use crate::graph::away::no_streams;
use crate::graph::caller::json_post;
use crate::graph::shelf_walk::listed;
use crate::graph::typed::unfit;
use crate::graph::user_target::{UserTarget, place};
use crate::port::probe::TargetProbe;
use crate::transport::CallBody;
use crate::wire::graph::classify::Asked;
use crate::wire::graph::json;
use crate::wire::graph::mail_folder::hidden_body;
use crate::wire::graph::path_user::OfUser;
use crate::wire::graph::shelf::{ROOT, Shelf, ShelfFolder, kept_in};

#[async_trait]
impl TargetProbe for UserTarget {
    async fn look(&self) -> Vec<(Server, ServerSight)> {
        self.graph.look().await
    }

    async fn sign_in(&self) -> Result<TokenSight, Setback> {
        TargetProbe::sign_in(self.graph.as_ref()).await
    }

    async fn user(&self, user: &MailboxId) -> Result<UserSight, Setback> {
        self.graph.user(user).await
    }

    async fn absent(&self, user: &MailboxId) -> Absent {
        self.graph.absent(user).await
    }

    async fn open_session(&self, _: &TargetMailboxId) -> Result<(), Setback> {
        Err(no_streams())
    }

    async fn hidden_folder(
        &self,
        mailbox: &TargetMailboxId,
        name: &str,
        class: &str,
    ) -> Result<TargetFolder, Setback> {
        if kept_in(class) != Family::Message {
            return Err(unfit(RefusalWhy::TargetRefused, "no-such-hidden-folder"));
        }
        let site = self.graph.site(mailbox)?;
        let (caller, root) = (&self.graph.caller, Shelf::Mail(ROOT.to_owned()));
        let (status, all) = listed(caller, &site, Family::Message, OfUser::MailFolders).await?;
        let named = |own: &ShelfFolder| own.display_name.as_deref() == Some(name);
        if let Some(there) = all.into_iter().find(named) {
            return there.into_target(status, Family::Message, Some(&root));
        }
        let body = CallBody::bytes(hidden_body(name));
        let call = json_post(site.url(caller, OfUser::MailFolders, ""), body);
        site.count(caller);
        let (status, body) = caller.whole(Asked::MakeFolder, call).await?;
        let made: ShelfFolder = json::read(status, &body)?;
        made.into_target(status, Family::Message, Some(&root))
    }

    async fn purge(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
    ) -> Result<(), Setback> {
        let Some(site) = self.as_known(mailbox, folder, placed).await? else {
            return Ok(());
        };
        let family = place(folder)?.family();
        let away = &self.graph.away;
        away.discard(&self.graph.caller, &site, family, placed.item.as_str())
            .await
    }
}
