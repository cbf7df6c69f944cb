//! Cleaning up: what an earlier preflight left, and the steps both share. Only what is recorded by id and version is deleted. An item whose answer
//! nobody heard is recorded first, once its content, or the mark it was given, is proved to be what was sent; what bears our mark of the unfinished
//! goes with it; anything else stays and is reported.

use std::collections::BTreeMap;
use std::future::Future;

use crate::base::canary::{CanaryLine, CanaryStep};
use crate::base::event::Side;
use crate::base::id::{TargetFolderId, TargetItemId, TargetMailboxId};
use crate::base::item::{Digest, Placed, Stamp};
use crate::base::limits;
use crate::base::mailbox::{MAIL_FOLDER_CLASS, TargetFolder};
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::probe::Cleanup;
use crate::base::quantity::Count;
use crate::engine::preflight::content;
use crate::engine::preflight::drive::Desk;
use crate::port::probe::{CanaryLog, CanaryLogError};
use crate::preflight::canary::{Leftover, Sent};
use crate::preflight::rights::denial;
use crate::wire::parcel::{ParcelReport, stamp_of};

/// Every item of a canaries' folder.
pub(super) async fn list(
    desk: &Desk<'_>,
    mailbox: &TargetMailboxId,
    folder: &TargetFolderId,
) -> Result<Vec<Placed>, Setback> {
    let target = &desk.ports.target;
    let (mut out, mut from) = (Vec::new(), None);
    for _ in 0..limits::CANARY_PAGES_MAX {
        let page = desk
            .asker
            .ask(Side::Target, Some(mailbox), || {
                target.page(mailbox, folder, from.as_ref())
            })
            .await?;
        out.extend(page.items.into_iter().map(|item| item.placed));
        from = page.next;
        if from.is_none() {
            return Ok(out);
        }
    }
    Err(Setback::Misread(MisreadCause::TooLarge, Said::default()))
}

/// Asks for an item of ours. Right after it was made it may not be visible yet.
async fn patiently<T, F>(
    desk: &Desk<'_>,
    mailbox: &TargetMailboxId,
    read: impl Fn() -> F,
) -> Result<T, Setback>
where
    F: Future<Output = Result<T, Setback>>,
{
    let mut looks = 0;
    loop {
        let back = desk.asker.ask(Side::Target, Some(mailbox), &read).await;
        match back {
            Err(Setback::Gone) if looks < limits::EMPTY_LOOKS_MIN => {
                looks += 1;
                desk.asker.pause(desk.settle()).await;
            }
            other => return other,
        }
    }
}

/// Reads an item back as a stream.
pub(super) async fn read_back(
    desk: &Desk<'_>,
    mailbox: &TargetMailboxId,
    item: &TargetItemId,
) -> Result<Option<Digest>, Setback> {
    let target = desk.ports.target.as_ref();
    let read = || content::from_target(target, mailbox, item);
    patiently(desk, mailbox, read).await
}

/// Reads an item back by its class.
pub(super) async fn read_parcel(
    desk: &Desk<'_>,
    mailbox: &TargetMailboxId,
    folder: &TargetFolder,
    item: &TargetItemId,
) -> Result<ParcelReport, Setback> {
    let target = desk.ports.typed.target.as_ref();
    let read = || content::parcel_from_target(target, mailbox, folder, item);
    patiently(desk, mailbox, read).await
}

/// Whether an item in a folder of ours is what was sent. What cannot be compared is not ours to delete.
pub(super) async fn is_ours(
    desk: &Desk<'_>,
    mailbox: &TargetMailboxId,
    placed: &Placed,
    sent: Option<Digest>,
) -> Result<bool, Setback> {
    let back = read_back(desk, mailbox, &placed.item).await?;
    Ok(back.is_some() && back == sent)
}

/// Whether an item in a folder of ours is one that was made by its class with this mark, and whole: it does not bear that mark before.
pub(super) async fn bears(
    desk: &Desk<'_>,
    mailbox: &TargetMailboxId,
    folder: &TargetFolder,
    placed: &Placed,
    mark: &Stamp,
) -> Result<bool, Setback> {
    match read_parcel(desk, mailbox, folder, &placed.item).await {
        Ok(back) => Ok(stamp_of(&back.item) == *mark),
        // Gone since it was listed, or of no class that can be read: nothing of ours.
        Err(Setback::Gone | Setback::ItemRefused(_)) => Ok(false),
        Err(why) => Err(why),
    }
}

/// Removes what composes that did not end left in this folder of ours, and in the hidden one where messages are made.
pub(super) async fn tidy(
    desk: &Desk<'_>,
    mailbox: &TargetMailboxId,
    folder: &TargetFolder,
) -> Result<Count, Setback> {
    let target = &desk.ports.typed.target;
    let folders = std::slice::from_ref(folder);
    let tidied = desk.asker.ask(Side::Target, Some(mailbox), || {
        target.tidy(mailbox, folders)
    });
    match tidied.await {
        // Who may not work on mail made no message, and whether anything else is left shows when the folder is dropped.
        Err(why) if denial(&why).is_some() && folder.class != MAIL_FOLDER_CLASS => Ok(Count::ZERO),
        other => other,
    }
}

/// Removes a folder of ours that holds nothing any more. A deletion may stay visible for a while.
pub(super) async fn drop_folder(
    desk: &Desk<'_>,
    mailbox: &TargetMailboxId,
    folder: &TargetFolderId,
) -> Result<(), String> {
    let target = &desk.ports.target;
    for look in 0..=limits::EMPTY_LOOKS_MIN {
        if look > 0 {
            desk.asker.pause(desk.settle()).await;
        }
        let gone = desk
            .asker
            .ask(Side::Target, Some(mailbox), || {
                target.remove_folder(mailbox, folder)
            })
            .await;
        match gone {
            Ok(true) | Err(Setback::FolderGone | Setback::Gone) => return Ok(()),
            Ok(false) => {}
            Err(why) => return Err(why.to_string()),
        }
    }
    Err("the folder is not empty".to_owned())
}

/// Cleans up behind an earlier preflight.
pub(super) async fn clean(
    desk: &Desk<'_>,
    log: &dyn CanaryLog,
    mut left: Leftover,
) -> Result<Cleanup, CanaryLogError> {
    let folder = match find(desk, &left).await {
        Ok(Some(folder)) => folder,
        Ok(None) => {
            note(log, &left, CanaryStep::FolderGone)?;
            return Ok(Cleanup::Clean);
        }
        Err(why) => return Ok(still(&left, &why.to_string())),
    };
    let mut again = !left.doubtful.is_empty();
    loop {
        if let Err(why) = empty(desk, log, &mut left, &folder).await? {
            return Ok(still(&left, &why.to_string()));
        }
        match drop_folder(desk, &left.target, &folder.id).await {
            Ok(()) => {
                note(log, &left, CanaryStep::FolderGone)?;
                return Ok(Cleanup::Clean);
            }
            // What was made just before the crash may have been out of sight, and be there now.
            Err(_) if again => again = false,
            Err(why) => return Ok(still(&left, &why)),
        }
    }
}

fn note(log: &dyn CanaryLog, left: &Leftover, step: CanaryStep) -> Result<(), CanaryLogError> {
    log.append(&CanaryLine {
        run: left.run.clone(),
        mailbox: left.mailbox.clone(),
        step,
    })
}

/// Deletes what is recorded as ours, what is proved to be, and what is not whole.
async fn empty(
    desk: &Desk<'_>,
    log: &dyn CanaryLog,
    left: &mut Leftover,
    folder: &TargetFolder,
) -> Result<Result<(), Setback>, CanaryLogError> {
    let adopted = match adopt(desk, left, folder).await {
        Ok(adopted) => adopted,
        Err(why) => return Ok(Err(why)),
    };
    let untidy = left.doubtful.values().any(|sent| sent.mark.is_some());
    for (no, placed) in adopted {
        let step = CanaryStep::ItemPlaced {
            no,
            placed: placed.clone(),
        };
        note(log, left, step)?;
        left.doubtful.remove(&no);
        left.placed.insert(no, placed);
    }
    let probe = &desk.ports.target_probe;
    for (no, placed) in left.placed.clone() {
        let gone = desk
            .asker
            .ask(Side::Target, Some(&left.target), || {
                probe.purge(&left.target, &folder.id, &placed)
            })
            .await;
        if let Err(why) = gone {
            return Ok(Err(why));
        }
        note(log, left, CanaryStep::ItemGone { no })?;
        left.placed.remove(&no);
    }
    if untidy && let Err(why) = tidy(desk, &left.target, folder).await {
        return Ok(Err(why));
    }
    Ok(Ok(()))
}

fn still(left: &Leftover, why: &str) -> Cleanup {
    Cleanup::Left {
        items: Count::new((left.placed.len() + left.doubtful.len()) as u64),
        why: why.to_owned(),
    }
}

/// The folder of an earlier run: by its recorded id, else by its name, which no other run has.
async fn find(desk: &Desk<'_>, left: &Leftover) -> Result<Option<TargetFolder>, Setback> {
    let target = &desk.ports.target;
    let all = desk
        .asker
        .ask(Side::Target, Some(&left.target), || {
            target.folders(&left.target)
        })
        .await?;
    let name = left.run.folder_name();
    Ok(all.into_iter().find(|folder| match &left.folder {
        Some(id) => folder.id == *id,
        None => folder.name == name,
    }))
}

/// Items of the folder that are not recorded, and whose content or mark is that of an item whose answer nobody heard.
async fn adopt(
    desk: &Desk<'_>,
    left: &Leftover,
    folder: &TargetFolder,
) -> Result<Vec<(u32, Placed)>, Setback> {
    let mut waiting = left.doubtful.clone();
    let mut out = Vec::new();
    if waiting.is_empty() {
        return Ok(out);
    }
    let known: Vec<&Placed> = left.placed.values().collect();
    for placed in list(desk, &left.target, &folder.id).await? {
        if known.contains(&&placed) {
            continue;
        }
        if let Some(no) = sent_as(desk, left, folder, &placed, &waiting).await? {
            waiting.remove(&no);
            out.push((no, placed));
        }
    }
    Ok(out)
}

/// As which of the items that may be there an item was sent. The items of one folder all travelled by one route.
async fn sent_as(
    desk: &Desk<'_>,
    left: &Leftover,
    folder: &TargetFolder,
    placed: &Placed,
    waiting: &BTreeMap<u32, Sent>,
) -> Result<Option<u32>, Setback> {
    if waiting.values().any(|sent| sent.mark.is_some()) {
        let back = match read_parcel(desk, &left.target, folder, &placed.item).await {
            Ok(back) => stamp_of(&back.item),
            Err(Setback::Gone | Setback::ItemRefused(_)) => return Ok(None),
            Err(why) => return Err(why),
        };
        let own = waiting
            .iter()
            .find(|(_, sent)| sent.mark == Some(back.clone()));
        return Ok(own.map(|(no, _)| *no));
    }
    let back = read_back(desk, &left.target, &placed.item).await?;
    let own = waiting
        .iter()
        .find(|(_, sent)| back.is_some() && sent.digest == back);
    Ok(own.map(|(no, _)| *no))
}
