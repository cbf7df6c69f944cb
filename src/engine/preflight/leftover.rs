//! Cleaning up: what an earlier preflight left, and the steps both share. Only what is recorded by id and version is deleted. An item whose answer
//! nobody heard is recorded first, once its content is proved to be what was sent; anything else stays and is reported.

use crate::base::canary::{CanaryLine, CanaryStep};
use crate::base::event::Side;
use crate::base::id::{TargetFolderId, TargetItemId, TargetMailboxId};
use crate::base::item::{Digest, Placed};
use crate::base::limits;
use crate::base::outcome::{MisreadCause, Said, Setback};
use crate::base::probe::Cleanup;
use crate::base::quantity::Count;
use crate::engine::preflight::content;
use crate::engine::preflight::drive::Desk;
use crate::port::probe::{CanaryLog, CanaryLogError};
use crate::preflight::canary::Leftover;

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

/// Reads an item back. Right after its import it may not be visible yet.
pub(super) async fn read_back(
    desk: &Desk<'_>,
    mailbox: &TargetMailboxId,
    item: &TargetItemId,
) -> Result<Option<Digest>, Setback> {
    let mut looks = 0;
    loop {
        let back = desk
            .asker
            .ask(Side::Target, Some(mailbox), || {
                content::from_target(desk.ports.target.as_ref(), mailbox, item)
            })
            .await;
        match back {
            Err(Setback::Gone) if looks < limits::EMPTY_LOOKS_MIN => {
                looks += 1;
                desk.asker.pause(desk.settle()).await;
            }
            other => return other,
        }
    }
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
    let note = |step: CanaryStep, left: &Leftover| {
        log.append(&CanaryLine {
            run: left.run.clone(),
            mailbox: left.mailbox.clone(),
            step,
        })
    };
    let folder = match find(desk, &left).await {
        Ok(Some(folder)) => folder,
        Ok(None) => {
            note(CanaryStep::FolderGone, &left)?;
            return Ok(Cleanup::Clean);
        }
        Err(why) => return Ok(still(&left, &why.to_string())),
    };
    let adopted = match adopt(desk, &left, &folder).await {
        Ok(adopted) => adopted,
        Err(why) => return Ok(still(&left, &why.to_string())),
    };
    for (no, placed) in adopted {
        note(
            CanaryStep::ItemPlaced {
                no,
                placed: placed.clone(),
            },
            &left,
        )?;
        left.doubtful.remove(&no);
        left.placed.insert(no, placed);
    }
    let probe = &desk.ports.target_probe;
    for (no, placed) in left.placed.clone() {
        let gone = desk
            .asker
            .ask(Side::Target, Some(&left.target), || {
                probe.purge(&left.target, &folder, &placed)
            })
            .await;
        match gone {
            Ok(()) => {
                note(CanaryStep::ItemGone { no }, &left)?;
                left.placed.remove(&no);
            }
            Err(why) => return Ok(still(&left, &why.to_string())),
        }
    }
    match drop_folder(desk, &left.target, &folder).await {
        Ok(()) => {
            note(CanaryStep::FolderGone, &left)?;
            Ok(Cleanup::Clean)
        }
        Err(why) => Ok(still(&left, &why)),
    }
}

fn still(left: &Leftover, why: &str) -> Cleanup {
    Cleanup::Left {
        items: Count::new((left.placed.len() + left.doubtful.len()) as u64),
        why: why.to_owned(),
    }
}

/// The folder of an earlier run: by its recorded id, else by its name, which no other run has.
async fn find(desk: &Desk<'_>, left: &Leftover) -> Result<Option<TargetFolderId>, Setback> {
    let target = &desk.ports.target;
    let all = desk
        .asker
        .ask(Side::Target, Some(&left.target), || {
            target.folders(&left.target)
        })
        .await?;
    let name = left.run.folder_name();
    let ours = all.into_iter().find(|folder| match &left.folder {
        Some(id) => folder.id == *id,
        None => folder.name == name,
    });
    Ok(ours.map(|folder| folder.id))
}

/// Items of the folder that are not recorded, and whose content is that of an item whose answer nobody heard.
async fn adopt(
    desk: &Desk<'_>,
    left: &Leftover,
    folder: &TargetFolderId,
) -> Result<Vec<(u32, Placed)>, Setback> {
    let mut waiting = left.doubtful.clone();
    let mut out = Vec::new();
    if waiting.is_empty() {
        return Ok(out);
    }
    let known: Vec<&Placed> = left.placed.values().collect();
    for placed in list(desk, &left.target, folder).await? {
        if known.contains(&&placed) {
            continue;
        }
        let back = read_back(desk, &left.target, &placed.item).await?;
        let sent = waiting
            .iter()
            .find(|(_, digest)| back.is_some() && **digest == back);
        if let Some(no) = sent.map(|(no, _)| *no) {
            waiting.remove(&no);
            out.push((no, placed));
        }
    }
    Ok(out)
}
