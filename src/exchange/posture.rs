//! Looking at settings by EWS: rules as listed and as stored, forms, home pages, reminder files, rights of everybody, delegates. Reads only.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::base::id::{ItemId, MailboxId};
use crate::base::limits;
use crate::base::outcome::Setback;
use crate::base::secret::Private;
use crate::base::sight::{
    DelegateSight, Lies, Look, MailboxSight, ReplySight, RightSight, RuleSight, ValueSight,
};
use crate::exchange::posture_words::{
    Names, begins, delegate, domain_of, forms, is_class, names_in, reply, rule_messages,
    rule_sight, settings,
};
use crate::exchange::source::{ExchangeSource, incomplete};
use crate::port::posture::{ItemCounter, PostureSource};
use crate::port::source::Source as _;
use crate::wire::ews::classify::Place;
use crate::wire::ews::find_item::FindItem;
use crate::wire::ews::get_delegate::GetDelegate;
use crate::wire::ews::get_folder::GetFolder;
use crate::wire::ews::get_inbox_rules::GetInboxRules;
use crate::wire::ews::get_item::GetItem;
use crate::wire::ews::get_user_oof_settings::GetUserOofSettings;
use crate::wire::ews::look::{ItemLook, LookAtFolders, LookAtItems, LookForItems};
use crate::wire::ews::request::Call;
use crate::wire::ews::restriction::Restriction;
use crate::wire::ews::shape::{FolderRef, Shape};

/// Folders asked about in one call: a reply has one message each, some kilobytes at most.
const FOLDERS_AT_ONCE: usize = 50;

/// Items shown of one kind and mailbox; more would say nothing more.
const SHOWN: usize = 100;

/// Where Outlook keeps client rules, and the class of rules whose actions are a blob.
const BLOB_CLASSES: [&str; 2] = ["IPM.RuleOrganizer", "IPM.ExtendedRule.Message"];

/// Families of message classes that products are known for.
const KNOWN_CLASSES: [&str; 12] = [
    "IPM.Note.SMIME",
    "IPM.Note.Microsoft",
    "IPM.Note.Rules",
    "IPM.Note.Secure",
    "IPM.Note.StorageQuotaWarning",
    "IPM.Note.Mobile",
    "IPM.Note.NotSupportedICal",
    "IPM.Note.P772",
    "IPM.Note.Receipt",
    "IPM.Note.EnterpriseVault",
    "IPM.Note.Voltage",
    "IPM.Note.rpmsg",
];

/// A look that one refusal ends without ending the others.
fn look<T>(result: Result<T, Setback>) -> Result<Look<T>, Setback> {
    match result {
        Ok(seen) => Ok(Look::Seen(seen)),
        Err(
            why @ (Setback::OurRequest(_)
            | Setback::FolderGone
            | Setback::Gone
            | Setback::ItemRefused(_)),
        ) => Ok(Look::NotChecked(format!(
            "the server did not show it: {why}"
        ))),
        Err(other) => Err(other),
    }
}

#[async_trait]
impl PostureSource for ExchangeSource {
    async fn sight(
        &self,
        mailbox: &MailboxId,
        own: &BTreeSet<String>,
    ) -> Result<MailboxSight, Setback> {
        let folders = Names::of(self.folders(mailbox).await?);
        let mut sight = MailboxSight::of(Private::new(mailbox.reveal()));
        sight.rules = look(self.rules(mailbox, &folders, own).await)?;
        match look(self.associated(mailbox).await)? {
            Look::Seen(hidden) => {
                sight.rule_programs = look(self.programs(mailbox, &hidden).await)?;
                sight.rule_messages = Look::Seen(rule_messages(&hidden));
                sight.forms = match look(self.odd_classes(mailbox, &folders).await)? {
                    Look::Seen(mut odd) => {
                        odd.extend(forms(&hidden));
                        Look::Seen(odd)
                    }
                    Look::NotChecked(why) => Look::NotChecked(why),
                };
            }
            Look::NotChecked(why) => {
                sight.rule_messages = Look::NotChecked(why.clone());
                sight.rule_programs = Look::NotChecked(why.clone());
                sight.forms = Look::NotChecked(why);
            }
        }
        sight.reminders = look(self.reminder_files(mailbox, &folders).await)?;
        match look(self.folder_settings(mailbox, &folders).await)? {
            Look::Seen((pages, rights)) => {
                sight.home_pages = Look::Seen(pages);
                sight.rights = Look::Seen(rights);
            }
            Look::NotChecked(why) => {
                sight.home_pages = Look::NotChecked(why.clone());
                sight.rights = Look::NotChecked(why);
            }
        }
        sight.delegates = look(self.delegates(mailbox, own).await)?;
        sight.reply = look(self.automatic_reply(mailbox, own).await)?;
        sight.sent_items = match folders.sent {
            Some(items) => Look::Seen(items),
            None => Look::NotChecked("the mailbox has no Sent Items".to_owned()),
        };
        Ok(sight)
    }

    async fn count_items(
        &self,
        mailbox: &MailboxId,
        everywhere: bool,
        counter: &mut dyn ItemCounter,
    ) -> Result<(), Setback> {
        let folders = Names::of(self.folders(mailbox).await?);
        let asked = folders.mail.iter();
        for folder in asked.filter(|f| everywhere || folders.lies(f) != Lies::Elsewhere) {
            let lies = folders.lies(folder);
            let mut offset = 0;
            loop {
                let call = find(
                    "Shallow",
                    Shape::correspondence(),
                    offset,
                    None,
                    vec![folder.clone()],
                );
                let reply = self
                    .client
                    .ask::<LookForItems>(mailbox, &call, Place::Folder)
                    .await?;
                let page = reply.single(Place::Folder)?;
                offset += page.items.len() as u64;
                let (last, empty) = (page.end.last, page.items.is_empty());
                for item in page.items {
                    let domain = item.from.as_deref().and_then(domain_of);
                    counter.item(item.at, domain, lies);
                }
                if last {
                    break;
                }
                if empty {
                    return Err(incomplete());
                }
            }
        }
        Ok(())
    }
}

impl ExchangeSource {
    async fn rules(
        &self,
        mailbox: &MailboxId,
        folders: &Names,
        own: &BTreeSet<String>,
    ) -> Result<Vec<RuleSight>, Setback> {
        let call = Call::GetInboxRules(GetInboxRules {
            mailbox: mailbox.clone(),
        });
        let reply = self
            .client
            .ask::<GetInboxRules>(mailbox, &call, Place::Folder)
            .await?;
        let rules = reply.single(Place::Folder)?;
        Ok(rules
            .into_iter()
            .map(|rule| rule_sight(rule, folders, own))
            .collect())
    }

    /// The Inbox's associated table, whole.
    async fn associated(&self, mailbox: &MailboxId) -> Result<Vec<ItemLook>, Setback> {
        let inbox = vec![FolderRef::Distinguished("inbox".to_owned())];
        let mut out = Vec::new();
        loop {
            let call = find(
                "Associated",
                Shape::associated(),
                out.len() as u64,
                None,
                inbox.clone(),
            );
            let reply = self
                .client
                .ask::<LookForItems>(mailbox, &call, Place::Folder)
                .await?;
            let page = reply.single(Place::Folder)?;
            let (last, empty) = (page.end.last, page.items.is_empty());
            out.extend(page.items);
            if last {
                return Ok(out);
            }
            if empty {
                return Err(incomplete());
            }
        }
    }

    /// What client rules start or name.
    async fn programs(
        &self,
        mailbox: &MailboxId,
        hidden: &[ItemLook],
    ) -> Result<Vec<Private>, Setback> {
        let ids: Vec<ItemId> = hidden
            .iter()
            .filter(|item| is_class(item, &BLOB_CLASSES))
            .map(|item| item.id.clone())
            .take(SHOWN)
            .collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let call = Call::GetItem(GetItem {
            shape: Shape::rule_blobs(),
            items: ids,
        });
        let reply = self
            .client
            .ask::<LookAtItems>(mailbox, &call, Place::Item)
            .await?;
        let mut out = BTreeSet::new();
        for message in reply.messages {
            let item = message.into_result(Place::Item)?;
            out.extend(item.blobs.iter().flat_map(|blob| names_in(blob)));
        }
        Ok(out.into_iter().take(SHOWN).map(Private::new).collect())
    }

    /// Items below `IPM.Note` whose class no product is known for.
    async fn odd_classes(
        &self,
        mailbox: &MailboxId,
        folders: &Names,
    ) -> Result<Vec<ValueSight>, Setback> {
        let wanted = Restriction::ClassBegins("IPM.Note.".to_owned());
        let found = self
            .sweep(mailbox, folders, Shape::classes(), wanted)
            .await?;
        let mut classes: BTreeSet<(String, String)> = BTreeSet::new();
        for (folder, item) in found {
            let class = item.class.unwrap_or_default();
            if !KNOWN_CLASSES.iter().any(|known| begins(&class, known)) {
                classes.insert((folder, class));
            }
        }
        let value = |(folder, class): (String, String)| ValueSight {
            folder,
            value: Private::new(class),
        };
        Ok(classes.into_iter().take(SHOWN).map(value).collect())
    }

    async fn reminder_files(
        &self,
        mailbox: &MailboxId,
        folders: &Names,
    ) -> Result<Vec<ValueSight>, Setback> {
        let found = self
            .sweep(
                mailbox,
                folders,
                Shape::reminders(),
                Restriction::HasReminderFile,
            )
            .await?;
        let value = |(folder, item): (String, ItemLook)| {
            let value = Private::new(item.reminder.filter(|path| !path.trim().is_empty())?);
            Some(ValueSight { folder, value })
        };
        Ok(found.into_iter().filter_map(value).take(SHOWN).collect())
    }

    /// Items of a restriction in every folder of the user's tree: the first page of each folder, and the next where there is one.
    async fn sweep(
        &self,
        mailbox: &MailboxId,
        folders: &Names,
        shape: Shape,
        wanted: Restriction,
    ) -> Result<Vec<(String, ItemLook)>, Setback> {
        let mut out = Vec::new();
        let mut waiting: Vec<(u64, FolderRef)> = folders
            .mail
            .iter()
            .map(|folder| (0, folder.clone()))
            .collect();
        while !waiting.is_empty() {
            // Folders of one call begin at the same place.
            let offset = waiting[0].0;
            let same = waiting.iter().take_while(|(at, _)| *at == offset).count();
            let now: Vec<(u64, FolderRef)> = waiting.drain(..same.min(FOLDERS_AT_ONCE)).collect();
            let parents: Vec<FolderRef> = now.iter().map(|(_, folder)| folder.clone()).collect();
            let call = find(
                "Shallow",
                shape.clone(),
                offset,
                Some(wanted.clone()),
                parents,
            );
            let reply = self
                .client
                .ask::<LookForItems>(mailbox, &call, Place::Folder)
                .await?;
            if reply.messages.len() != now.len() {
                return Err(incomplete());
            }
            for ((_, folder), message) in now.into_iter().zip(reply.messages) {
                let page = match message.into_result(Place::Folder) {
                    Ok(page) => page,
                    // It went since the folders were listed.
                    Err(Setback::FolderGone) => continue,
                    Err(other) => return Err(other),
                };
                let received = page.items.len() as u64;
                let name = folders.name(&folder);
                out.extend(page.items.into_iter().map(|item| (name.clone(), item)));
                match (page.end.last, received) {
                    (true, _) => {}
                    (false, 0) => return Err(incomplete()),
                    (false, n) => waiting.push((offset + n, folder)),
                }
            }
        }
        Ok(out)
    }

    async fn folder_settings(
        &self,
        mailbox: &MailboxId,
        folders: &Names,
    ) -> Result<(Vec<ValueSight>, Vec<RightSight>), Setback> {
        let (mut pages, mut rights) = (Vec::new(), Vec::new());
        for asked in folders.mail.chunks(FOLDERS_AT_ONCE) {
            let call = Call::GetFolder(GetFolder {
                shape: Shape::folder_settings(),
                folders: asked.to_vec(),
            });
            let reply = self
                .client
                .ask::<LookAtFolders>(mailbox, &call, Place::Folder)
                .await?;
            if reply.messages.len() != asked.len() {
                return Err(incomplete());
            }
            for message in reply.messages {
                match message.into_result(Place::Folder) {
                    Ok(seen) => settings(&seen, folders, &mut pages, &mut rights),
                    Err(Setback::FolderGone) => {}
                    Err(other) => return Err(other),
                }
            }
        }
        Ok((pages, rights))
    }

    async fn automatic_reply(
        &self,
        mailbox: &MailboxId,
        own: &BTreeSet<String>,
    ) -> Result<ReplySight, Setback> {
        let call = Call::GetUserOofSettings(GetUserOofSettings {
            mailbox: mailbox.clone(),
        });
        let answer = self
            .client
            .ask::<GetUserOofSettings>(mailbox, &call, Place::Folder)
            .await?;
        Ok(reply(&answer.single(Place::Folder)?, own))
    }

    async fn delegates(
        &self,
        mailbox: &MailboxId,
        own: &BTreeSet<String>,
    ) -> Result<Vec<DelegateSight>, Setback> {
        let call = Call::GetDelegate(GetDelegate {
            mailbox: mailbox.clone(),
        });
        let reply = self
            .client
            .ask::<GetDelegate>(mailbox, &call, Place::Folder)
            .await?;
        let list = reply.single(Place::Folder)?;
        Ok(list.into_iter().map(|one| delegate(one, own)).collect())
    }
}

fn find(
    traversal: &str,
    shape: Shape,
    offset: u64,
    restriction: Option<Restriction>,
    parents: Vec<FolderRef>,
) -> Call {
    Call::FindItem(FindItem {
        traversal: traversal.to_owned(),
        shape,
        at_most: Some(limits::SOURCE_FIND_PAGE.get()),
        offset,
        restriction,
        largest_first: false,
        parents,
    })
}
