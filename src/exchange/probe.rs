//! The questions of a preflight to the on-premises Exchange. Reads only.

use async_trait::async_trait;

use crate::base::build::Build;
use crate::base::id::{FolderId, MailboxId};
use crate::base::outcome::{Code, Setback};
use crate::base::probe::{AnswerSight, Greeting, LargestItem, ServerSight};
use crate::exchange::source::{ExchangeSource, incomplete};
use crate::port::clock::Clock;
use crate::port::probe::SourceProbe;
use crate::transport::{Call as HttpCall, Method, look};
use crate::wire::ews::classify::Place;
use crate::wire::ews::find_item::FindItem;
use crate::wire::ews::get_folder::GetFolder;
use crate::wire::ews::request::Call;
use crate::wire::ews::shape::{FolderRef, Shape};
use crate::wire::graph::retry_after::http_date;

/// Folders asked about in one call: each answer holds one item.
const FOLDERS_AT_ONCE: usize = 100;

/// The root of the user's tree in the archive.
const ARCHIVE: &str = "archivemsgfolderroot";

#[async_trait]
impl SourceProbe for ExchangeSource {
    async fn look(&self, clock: &dyn Clock) -> ServerSight {
        let (http, url) = self.client.door();
        let mut sight = look(http, url).await;
        if sight.is_open() {
            sight.answer = Some(self.knock(clock).await);
        }
        sight
    }

    async fn greet(&self, mailbox: &MailboxId) -> Result<Greeting, Setback> {
        let version = self.probe(mailbox).await?;
        Ok(Greeting {
            build: version.map(|v| Build {
                major: v.major,
                minor: v.minor,
                build: v.build,
                revision: v.revision,
            }),
        })
    }

    async fn archive(&self, mailbox: &MailboxId) -> Result<bool, Setback> {
        let call = Call::GetFolder(GetFolder {
            shape: Shape::default(),
            folders: vec![FolderRef::Distinguished(ARCHIVE.to_owned())],
        });
        let reply = (self.client)
            .ask::<GetFolder>(mailbox, &call, Place::Folder)
            .await?;
        match reply.single(Place::Folder) {
            Ok(_) => Ok(true),
            // No archive, in the codes seen for it (reference/ews.md section 1).
            Err(Setback::FolderGone | Setback::Gone) => Ok(false),
            Err(Setback::OurRequest(said))
                if said.code.as_ref().map(Code::as_str)
                    == Some("ErrorArchiveMailboxNotEnabled") =>
            {
                Ok(false)
            }
            Err(other) => Err(other),
        }
    }

    async fn largest(
        &self,
        mailbox: &MailboxId,
        folders: &[FolderId],
    ) -> Result<Option<LargestItem>, Setback> {
        let mut largest: Option<LargestItem> = None;
        for some in folders.chunks(FOLDERS_AT_ONCE) {
            let call = Call::FindItem(FindItem {
                traversal: "Shallow".to_owned(),
                shape: Shape::items(),
                at_most: Some(1),
                offset: 0,
                restriction: None,
                largest_first: true,
                parents: some.iter().cloned().map(FolderRef::Id).collect(),
            });
            let reply = (self.client)
                .ask::<FindItem>(mailbox, &call, Place::Folder)
                .await?;
            if reply.messages.len() != some.len() {
                return Err(incomplete());
            }
            for message in reply.messages {
                let page = match message.into_result(Place::Folder) {
                    Ok(page) => page,
                    // Gone since it was listed.
                    Err(Setback::FolderGone) => continue,
                    Err(other) => return Err(other),
                };
                for item in page.items {
                    let item = item.into_header();
                    if largest.as_ref().is_none_or(|own| own.size < item.size) {
                        largest = Some(LargestItem {
                            id: item.id,
                            class: item.class,
                            size: item.size,
                        });
                    }
                }
            }
        }
        Ok(largest)
    }
}

impl ExchangeSource {
    /// Asks without credentials: an Exchange answers 401 and says which methods it takes (reference/ews.md section 2).
    async fn knock(&self, clock: &dyn Clock) -> Result<AnswerSight, Setback> {
        let (http, url) = self.client.door();
        let reply = http.send(HttpCall::new(Method::Get, url.clone())).await?;
        // `Basic realm="..."`: the word before the blank.
        let method = |text: &str| {
            let word = text.split_ascii_whitespace().next()?;
            Code::new(word).map(|word| word.as_str().to_owned())
        };
        let mut methods: Vec<String> = Vec::new();
        for word in reply.headers("www-authenticate").filter_map(method) {
            if !methods.contains(&word) {
                methods.push(word);
            }
        }
        Ok(AnswerSight {
            status: reply.status(),
            methods,
            date: reply.header("date").and_then(http_date),
            at: clock.moment(),
            code: None,
        })
    }
}
