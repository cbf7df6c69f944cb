//! Everything that is asked about one mailbox pair. The two sides are asked side by side; a question whose answer the one before made pointless is
//! not asked.

use std::collections::BTreeMap;

use crate::base::event::Side;
use crate::base::fact::{FolderFate, LeaveRule};
use crate::base::id::{FolderId, MailboxId, TargetMailboxId};
use crate::base::mailbox::{FolderPath, FolderRole, SourceFolder};
use crate::base::outcome::{HaltCause, Setback};
use crate::base::route::RouteRule;
use crate::base::spec::Selection;
use crate::engine::preflight::drive::Desk;
use crate::plan::rules;
use crate::preflight::observed::{MailboxSeen, SourceSum};

/// A mailbox pair as far as it was looked at.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) seen: MailboxSeen,
    /// Folders of the source that are carried.
    pub(super) carried: Vec<SourceFolder>,
    /// Folders that stay because the target's cloud cannot make such: what is in them is named all the same.
    pub(super) kindless: Vec<SourceFolder>,
    /// The target, where it was found.
    pub(super) target: Option<TargetMailboxId>,
}

impl Looked {
    /// True where items can travel by the plan's route: both sides are open.
    pub(super) fn is_open(&self, rule: RouteRule) -> bool {
        let session = rule == RouteRule::Typed || matches!(self.seen.session, Some(Ok(())));
        matches!(self.seen.folders, Some(Ok(_)))
            && matches!(self.seen.target_folders, Some(Ok(_)))
            && session
            && self.target.is_some()
    }
}

/// Asks about one pair, on the sides that are open.
pub(super) async fn look(desk: &Desk<'_>, seen: MailboxSeen, sides: (bool, bool)) -> Looked {
    let (source, target) = (seen.source.clone(), seen.target.clone());
    let mut of_source = Looked {
        seen: seen.clone(),
        carried: Vec::new(),
        kindless: Vec::new(),
        target: None,
    };
    let mut of_target = Looked {
        seen,
        carried: Vec::new(),
        kindless: Vec::new(),
        target: None,
    };
    let ask_source = async {
        if sides.0 {
            look_at_source(desk, &source, &mut of_source).await;
        }
    };
    let ask_target = async {
        if sides.1 {
            look_at_target(desk, &target, &mut of_target).await;
        }
    };
    tokio::join!(ask_source, ask_target);
    of_source.target = of_target.target;
    of_source.seen.user = of_target.seen.user;
    of_source.seen.absent = of_target.seen.absent;
    of_source.seen.resolved = of_target.seen.resolved;
    of_source.seen.target_folders = of_target.seen.target_folders;
    of_source.seen.session = of_target.seen.session;
    of_source
}

async fn look_at_source(desk: &Desk<'_>, mailbox: &MailboxId, looked: &mut Looked) {
    let ports = desk.ports;
    if looked.seen.greeting.is_none() {
        let greeting = desk
            .asker
            .ask(Side::Source, None, || ports.source_probe.greet(mailbox));
        looked.seen.greeting = Some(greeting.await);
    }
    if !matches!(looked.seen.greeting, Some(Ok(_))) {
        return;
    }
    let folders = desk
        .asker
        .ask(Side::Source, None, || ports.source.folders(mailbox))
        .await;
    looked.seen.folders = Some(match folders {
        Ok(all) => {
            (looked.carried, looked.kindless) = carried(all, &desk.order.select);
            Ok(sum(&looked.carried))
        }
        Err(why) => Err(why),
    });
    let archive = desk
        .asker
        .ask(Side::Source, None, || ports.source_probe.archive(mailbox));
    looked.seen.archive = Some(archive.await);
    let filled: Vec<FolderId> = looked
        .carried
        .iter()
        .filter(|folder| folder.items.get() > 0)
        .map(|folder| folder.id.clone())
        .collect();
    if matches!(looked.seen.folders, Some(Ok(_))) {
        let largest = desk.asker.ask(Side::Source, None, || {
            ports.source_probe.largest(mailbox, &filled)
        });
        looked.seen.largest = Some(largest.await);
    }
}

/// The folders that the plan carries, and those that it cannot for want of such folders.
fn carried(all: Vec<SourceFolder>, select: &Selection) -> (Vec<SourceFolder>, Vec<SourceFolder>) {
    let mut known: BTreeMap<FolderId, (FolderPath, FolderFate)> = BTreeMap::new();
    let (mut out, mut kindless) = (Vec::new(), Vec::new());
    for folder in all {
        let parent = folder.parent.as_ref().and_then(|id| known.get(id));
        let name = folder
            .role
            .map_or(folder.name.as_str(), |role| role.english());
        let path = match (folder.role, parent) {
            (Some(FolderRole::Top), _) => FolderPath::default(),
            (_, Some((path, _))) => path.child(name),
            (_, None) => FolderPath::of([name]),
        };
        let fate = rules::fate(&folder, &path, parent.map(|(_, fate)| *fate), select);
        known.insert(folder.id.clone(), (path, fate));
        match fate {
            FolderFate::Carry => out.push(folder),
            FolderFate::LeftOut(LeaveRule::NoSuchFolders) => kindless.push(folder),
            FolderFate::LeftOut(_) => {}
        }
    }
    (out, kindless)
}

fn sum(folders: &[SourceFolder]) -> SourceSum {
    let mut sum = SourceSum::default();
    for folder in folders {
        sum.folders += 1;
        sum.items += folder.items;
        sum.bytes += folder.size;
    }
    sum
}

async fn look_at_target(desk: &Desk<'_>, user: &MailboxId, looked: &mut Looked) {
    let ports = desk.ports;
    let resolved = desk
        .asker
        .ask(Side::Target, None, || ports.target.resolve(user))
        .await;
    let sight = desk
        .asker
        .ask(Side::Target, None, || ports.target_probe.user(user))
        .await;
    if is_absent(&sight) {
        desk.asker.count(Side::Target);
        looked.seen.absent = Some(ports.target_probe.absent(user).await);
    }
    looked.seen.user = Some(sight);
    let mailbox = match resolved {
        Ok(mailbox) => {
            looked.seen.resolved = Some(Ok(()));
            mailbox
        }
        Err(why) => {
            looked.seen.resolved = Some(Err(why));
            return;
        }
    };
    let at = Some(&mailbox);
    let folders = desk
        .asker
        .ask(Side::Target, at, || ports.target.folders(&mailbox))
        .await;
    looked.seen.target_folders = Some(match folders {
        Ok(all) => {
            let own = all.iter().filter(|folder| !folder.is_passing());
            Ok(u32::try_from(own.count()).unwrap_or(u32::MAX))
        }
        Err(why) => Err(why),
    });
    if desk.order.route != RouteRule::Typed {
        let session = desk.asker.ask(Side::Target, at, || {
            ports.target_probe.open_session(&mailbox)
        });
        looked.seen.session = Some(session.await);
    }
    looked.target = Some(mailbox);
}

const fn is_absent<T>(sight: &Result<T, Setback>) -> bool {
    matches!(
        sight,
        Err(Setback::MailboxClosed(HaltCause::NoTargetMailbox, _))
    )
}
