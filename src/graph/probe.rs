//! The questions of a preflight to Microsoft 365, and a canary's hidden folder.

use async_trait::async_trait;

use crate::base::id::{MailboxId, TargetFolderId, TargetMailboxId};
use crate::base::item::Placed;
use crate::base::limits;
use crate::base::mailbox::TargetFolder;
use crate::base::outcome::{Code, Setback};
use crate::base::probe::{Absent, AnswerSight, Server, ServerSight, TokenSight, UserSight};
use crate::base::secret::SafeUrl;
use crate::graph::caller::{Caller, json_post};
use crate::graph::folders;
use crate::graph::target::GraphTarget;
use crate::port::clock::Clock;
use crate::port::probe::TargetProbe;
use crate::transport::{Call, CallBody, Http, Method, look};
use crate::wire::graph::classify::Asked;
use crate::wire::graph::folders::{MailboxFolder, NewFolder};
use crate::wire::graph::path::Resource;
use crate::wire::graph::query::Disposal;
use crate::wire::graph::retry_after::http_date;
use crate::wire::graph::{json, jwt, token, user};

#[async_trait]
impl TargetProbe for GraphTarget {
    async fn look(&self) -> Vec<(Server, ServerSight)> {
        let caller = &self.caller;
        let clock = caller.clock.as_ref();
        let discovery = caller.tokens.discovery_url();
        let root = format!("{}/v1.0/", caller.base());
        let (login, graph) = tokio::join!(
            one(&caller.http, clock, discovery),
            one(&caller.http, clock, root),
        );
        vec![(Server::Login, login), (Server::Graph, graph)]
    }

    async fn sign_in(&self) -> Result<TokenSight, Setback> {
        let token = self.caller.tokens.get().await?;
        Ok(jwt::read(token.expose()))
    }

    async fn user(&self, user: &MailboxId) -> Result<UserSight, Setback> {
        let resource = Resource::User {
            user: user.reveal().to_owned(),
        };
        let url = self.caller.url(&resource, &user::query());
        let (status, body) = self.caller.get(Asked::Settings, url).await?;
        user::read(status, &body)
    }

    async fn absent(&self, user: &MailboxId) -> Absent {
        let query = user::deleted_query(user.reveal());
        let url = self.caller.url(&Resource::DeletedUsers, &query);
        let call = Call::new(Method::Get, SafeUrl::new(url)).header("consistencylevel", "eventual");
        let found = match self.caller.whole(Asked::Settings, call).await {
            Ok((status, body)) => user::any(status, &body),
            Err(why) => Err(why),
        };
        match found {
            Ok(true) => Absent::Deleted,
            Ok(false) => Absent::Never,
            Err(_) => Absent::NotChecked,
        }
    }

    async fn open_session(&self, mailbox: &TargetMailboxId) -> Result<(), Setback> {
        self.sessions.get(&self.caller, mailbox).await.map(|_| ())
    }

    async fn hidden_folder(
        &self,
        mailbox: &TargetMailboxId,
        name: &str,
        class: &str,
    ) -> Result<TargetFolder, Setback> {
        hidden(&self.caller, mailbox, name, class).await
    }

    async fn purge(
        &self,
        mailbox: &TargetMailboxId,
        folder: &TargetFolderId,
        placed: &Placed,
    ) -> Result<(), Setback> {
        let hard = self.delete_unchanged(mailbox, folder, placed, Disposal::Hard);
        match hard.await {
            // Content under a hold is not deleted for good (reference/graph.md 1.5); its user's recoverable items keep it then.
            Err(Setback::ItemRefused(refusal)) if refusal.said.status == Some(403) => {
                self.delete_unchanged(mailbox, folder, placed, Disposal::Soft)
                    .await
            }
            other => other,
        }
    }
}

async fn hidden(
    caller: &Caller,
    mailbox: &TargetMailboxId,
    name: &str,
    class: &str,
) -> Result<TargetFolder, Setback> {
    let top = TargetFolderId::new("msgfolderroot");
    let named = |all: Vec<(TargetFolder, bool)>| {
        let mut folders = all.into_iter().map(|(folder, _)| folder);
        folders.find(|folder| folder.name == name)
    };
    if let Some(there) = named(folders::children(caller, mailbox, &top).await?) {
        return Ok(there);
    }
    let resource = Resource::ChildFolders {
        mailbox: mailbox.as_str().to_owned(),
        folder: top.as_str().to_owned(),
    };
    let body = json::write(&NewFolder {
        display_name: name.to_owned(),
        class: class.to_owned(),
        extended: vec![NewFolder::hidden()],
    });
    let call = json_post(caller.url(&resource, ""), CallBody::bytes(body));
    let (status, body) = caller.whole(Asked::MakeFolder, call).await?;
    MailboxFolder::read(status, &body)
}

/// One server: its name, connection and TLS, and where those stand, its answer to a request without credentials.
async fn one(http: &Http, clock: &dyn Clock, url: String) -> ServerSight {
    let url = SafeUrl::new(url);
    let mut sight = look(http, &url).await;
    if sight.is_open() {
        sight.answer = Some(answer(http, clock, url).await);
    }
    sight
}

async fn answer(http: &Http, clock: &dyn Clock, url: SafeUrl) -> Result<AnswerSight, Setback> {
    let call = Call::new(Method::Get, url).header("accept", "application/json");
    let reply = http.send(call).await?;
    let at = clock.moment();
    let status = reply.status();
    let date = reply.header("date").and_then(http_date);
    let body = reply.read_all(limits::ERROR_BODY_MAX).await;
    // Only an error has a word; and a body that does not end is its own trouble, not that of clock and connection.
    let code = match (status, body) {
        (400..=499, Ok(body)) => match token::refusal(status, &body) {
            Setback::SideClosed(_, said) => said.code.as_ref().map(Code::as_str).map(str::to_owned),
            _ => None,
        },
        _ => None,
    };
    Ok(AnswerSight {
        status,
        methods: Vec::new(),
        date,
        at,
        code,
    })
}
