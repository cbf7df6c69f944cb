//! Canaries: one real item of each class goes there, is read back, compared, and deleted with its hidden folder.
//!
//! Each item goes into the target mailbox of its own source mailbox and into no other. Every step is in the log before its call leaves, so that
//! the next preflight cleans up behind a crash. Import stores items; it sends nothing to anybody.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::canary::{CanaryLine, CanaryStep};
use crate::base::event::Side;
use crate::base::id::{MailboxId, TargetFolderId, TargetMailboxId};
use crate::base::item::{Digest, ItemClass, Placed, SourceHeader};
use crate::base::limits;
use crate::base::outcome::{DoubtCause, Said, Setback, Verdict};
use crate::base::probe::{CanaryEnd, CanaryTrial, Cleanup, LargestItem};
use crate::base::quantity::{Bytes, Count};
use crate::base::route::RouteRule;
use crate::engine::preflight::ask::{Next, Patience};
use crate::engine::preflight::content::{self, Exported};
use crate::engine::preflight::drive::Desk;
use crate::engine::preflight::leftover;
use crate::engine::preflight::mailbox::Looked;
use crate::flow::judge::{Repeat, judge};
use crate::plan::rules;
use crate::port::probe::{CanaryLog, CanaryLogError};
use crate::preflight::canary::{
    Choice, ITEMS_SEARCHED, MAILBOXES_SEARCHED, folders_to_search, leftovers,
};
use crate::preflight::observed::CanariesSeen;

/// Cleans up behind earlier preflights, and sends this one's canaries.
pub(super) async fn fly(desk: &Desk<'_>, log: &dyn CanaryLog, looked: &[Looked]) -> CanariesSeen {
    let mut seen = CanariesSeen::default();
    if let Err(why) = try_all(desk, log, looked, &mut seen).await {
        seen.not_tried = Some(why.to_string());
    }
    seen
}

async fn try_all(
    desk: &Desk<'_>,
    log: &dyn CanaryLog,
    looked: &[Looked],
    seen: &mut CanariesSeen,
) -> Result<(), CanaryLogError> {
    let open: Vec<&Looked> = looked
        .iter()
        .filter(|one| one.is_open(desk.order.route))
        .collect();
    for left in leftovers(&log.lines()?) {
        // Only where this preflight found the mailbox open: elsewhere the calls would fail for reasons that are findings already.
        if open
            .iter()
            .any(|one| one.target.as_ref() == Some(&left.target))
        {
            let mailbox = left.mailbox.clone();
            let end = leftover::clean(desk, log, left).await?;
            seen.cleanup.push((mailbox, end));
        }
    }
    if open.is_empty() {
        seen.not_tried = Some("no mailbox is open on both sides; see above".to_owned());
        return Ok(());
    }
    if desk.order.route == RouteRule::Typed {
        seen.found = classes_of(desk, &open).await;
        seen.not_tried = Some("the plan sends no streams".to_owned());
        return Ok(());
    }
    let largest = largest_of(&open, desk.order.select.max_item_size);
    let mut known: BTreeSet<ItemClass> = BTreeSet::new();
    for (at, one) in open.iter().enumerate() {
        let own = largest.filter(|(of, _)| *of == at).map(|(_, item)| item);
        let mut choice = Choice::beside(known.clone());
        if at < MAILBOXES_SEARCHED {
            search(desk, one, &mut choice).await;
        }
        known.extend(choice.classes().cloned());
        let candidates = choice.into_candidates();
        if candidates.is_empty() && own.is_none() {
            continue;
        }
        let (Some(target), source) = (&one.target, &one.seen.source) else {
            continue;
        };
        let mut flight = Flight {
            desk,
            log,
            source,
            address: &one.seen.target,
            target,
            folder: TargetFolderId::new(""),
            placed: BTreeMap::new(),
            doubtful: 0,
            next: 0,
        };
        flight.fly(candidates, own, seen).await?;
    }
    Ok(())
}

/// The classes that are there, as far as canaries would look.
async fn classes_of(desk: &Desk<'_>, open: &[&Looked]) -> Vec<ItemClass> {
    let mut known: BTreeSet<ItemClass> = BTreeSet::new();
    for one in open.iter().take(MAILBOXES_SEARCHED) {
        let mut choice = Choice::beside(known.clone());
        search(desk, one, &mut choice).await;
        known.extend(choice.classes().cloned());
    }
    known.into_iter().collect()
}

/// The largest item of all that the plan carries, and in which mailbox it is.
fn largest_of<'a>(open: &[&'a Looked], most: Bytes) -> Option<(usize, &'a LargestItem)> {
    let all = open.iter().enumerate().filter_map(|(at, one)| {
        let item = one.seen.largest.as_ref()?.as_ref().ok()?.as_ref()?;
        (item.size <= most).then_some((at, item))
    });
    all.max_by_key(|(at, item)| (item.size, std::cmp::Reverse(*at)))
}

/// Looks for items of classes that are not known yet. A folder that cannot be listed brings none.
async fn search(desk: &Desk<'_>, one: &Looked, choice: &mut Choice) {
    let source = &desk.ports.source;
    let folders: Vec<(String, u64)> = (one.carried.iter())
        .map(|folder| (folder.class.to_ascii_lowercase(), folder.items.get()))
        .collect();
    for at in folders_to_search(&folders) {
        let folder = &one.carried[at].id;
        let page = desk
            .asker
            .ask(Side::Source, None, || {
                source.page(
                    &one.seen.source,
                    folder,
                    Count::ZERO,
                    Count::new(ITEMS_SEARCHED),
                )
            })
            .await;
        if let Ok(page) = page {
            let mut items = page.items;
            items.retain(|item| rules::skip(item, &desk.order.select).is_none());
            choice.offer(items, desk.order.select.max_item_size);
        }
    }
}

/// The canaries of one mailbox.
struct Flight<'a> {
    desk: &'a Desk<'a>,
    log: &'a dyn CanaryLog,
    source: &'a MailboxId,
    address: &'a MailboxId,
    target: &'a TargetMailboxId,
    folder: TargetFolderId,
    /// What is there and recorded as ours.
    placed: BTreeMap<u32, Placed>,
    /// Items nobody knows about.
    doubtful: u32,
    next: u32,
}

impl Flight<'_> {
    fn note(&self, step: CanaryStep) -> Result<(), CanaryLogError> {
        self.log.append(&CanaryLine {
            run: self.desk.order.run.clone(),
            mailbox: self.address.clone(),
            step,
        })
    }

    async fn fly(
        &mut self,
        candidates: Vec<(ItemClass, Vec<SourceHeader>)>,
        largest: Option<&LargestItem>,
        seen: &mut CanariesSeen,
    ) -> Result<(), CanaryLogError> {
        let probe = &self.desk.ports.target_probe;
        let name = self.desk.order.run.folder_name();
        self.note(CanaryStep::FolderIntended {
            mailbox: self.target.clone(),
        })?;
        let made = self
            .desk
            .asker
            .ask(Side::Target, Some(self.target), || {
                probe.hidden_folder(self.target, &name)
            })
            .await;
        match made {
            Ok(folder) => {
                self.folder = folder.id;
                seen.folder_made = Some(Ok(()));
            }
            Err(why) => {
                seen.not_tried = Some(format!("no folder could be made for it: {why}"));
                seen.folder_made.get_or_insert(Err(why));
                return Ok(());
            }
        }
        self.note(CanaryStep::FolderMade {
            folder: self.folder.clone(),
        })?;
        for (class, items) in candidates {
            for item in items {
                let trial = self.carry(&item, &class, false).await?;
                let settled = matches!(
                    trial.end,
                    CanaryEnd::Same | CanaryEnd::Differs | CanaryEnd::NotComparable
                );
                seen.trials.push(trial);
                if settled {
                    break;
                }
            }
        }
        if let Some(item) = largest {
            let header = SourceHeader {
                id: item.id.clone(),
                stamp: crate::base::item::Stamp::Fallback([0; 16]),
                class: item.class.clone(),
                size: item.size,
                read: None,
                received: None,
                version: None,
            };
            let trial = self.carry(&header, &item.class, true).await?;
            seen.trials.push(trial);
        }
        let end = self.land(seen).await?;
        seen.cleanup.push((self.address.clone(), end));
        Ok(())
    }

    /// Carries one item there and back.
    async fn carry(
        &mut self,
        item: &SourceHeader,
        class: &ItemClass,
        largest: bool,
    ) -> Result<CanaryTrial, CanaryLogError> {
        let trial = |end| CanaryTrial {
            class: class.as_str().to_owned(),
            size: item.size,
            largest,
            end,
        };
        let ports = self.desk.ports;
        let exported = self
            .desk
            .asker
            .ask(Side::Source, None, || {
                content::from_source(
                    ports.source.as_ref(),
                    &self.desk.spool,
                    self.source,
                    &item.id,
                    item.size,
                )
            })
            .await;
        let exported = match exported {
            Ok(exported) => exported,
            Err(why) => return Ok(trial(CanaryEnd::NotExported(why))),
        };
        let no = self.next;
        self.next += 1;
        self.note(CanaryStep::ItemIntended {
            no,
            digest: exported.digest,
        })?;
        let placed = match self.send(&exported).await {
            Ok(placed) => placed,
            Err(CanaryEnd::Doubtful(why)) => {
                self.doubtful += 1;
                return Ok(trial(CanaryEnd::Doubtful(why)));
            }
            Err(end) => {
                self.note(CanaryStep::ItemGone { no })?;
                return Ok(trial(end));
            }
        };
        self.note(CanaryStep::ItemPlaced {
            no,
            placed: placed.clone(),
        })?;
        self.placed.insert(no, placed.clone());
        Ok(trial(self.compare(&placed, exported.digest).await))
    }

    /// Sends an item until it is known what became of it. A create that may have arrived is never sent again before the folder was looked at.
    async fn send(&self, exported: &Exported) -> Result<Placed, CanaryEnd> {
        let target = &self.desk.ports.target;
        let mut patience = Patience::default();
        for _ in 0..limits::CANARY_ATTEMPTS_MAX {
            self.desk.asker.count(Side::Target);
            let why = match target
                .create(self.target, &self.folder, &exported.body)
                .await
            {
                Ok(placed) => return Ok(placed),
                Err(why) => why,
            };
            if let Verdict::Doubt(cause) = judge(Repeat::Once, &why) {
                match self.look(exported.digest, cause).await? {
                    Some(placed) => return Ok(placed),
                    None => continue,
                }
            }
            let next = self
                .desk
                .asker
                .heed(
                    Side::Target,
                    Some(self.target),
                    &mut patience,
                    Repeat::Once,
                    &why,
                )
                .await;
            match next {
                Next::Again => {}
                Next::Enough => return Err(CanaryEnd::Refused(why)),
            }
        }
        let said = Said::code("too-many-attempts");
        Err(CanaryEnd::Refused(Setback::GatewayGaveUp(said)))
    }

    /// Settles a doubt: the folder is ours alone, so what is in it and not recorded came from the create whose answer nobody heard. Absence counts
    /// after the settle time, and more than once.
    async fn look(
        &self,
        digest: Option<Digest>,
        cause: DoubtCause,
    ) -> Result<Option<Placed>, CanaryEnd> {
        let doubtful = |why: Setback| CanaryEnd::Doubtful(why);
        for _ in 0..limits::EMPTY_LOOKS_MIN {
            self.desk.asker.pause(self.desk.settle()).await;
            let known: BTreeSet<&Placed> = self.placed.values().collect();
            let there = leftover::list(self.desk, self.target, &self.folder)
                .await
                .map_err(doubtful)?;
            let strange: Vec<Placed> = there
                .into_iter()
                .filter(|placed| !known.contains(placed))
                .collect();
            match &strange[..] {
                [] => {}
                [one] if self.doubtful == 0 => {
                    let ours = leftover::is_ours(self.desk, self.target, one, digest).await;
                    return if ours.map_err(doubtful)? {
                        Ok(Some(one.clone()))
                    } else {
                        Err(doubtful(Setback::Lost(cause)))
                    };
                }
                _ => return Err(doubtful(Setback::Lost(cause))),
            }
        }
        Ok(None)
    }

    /// Reads an item back and sets it against what was sent, by the digest the verifier uses.
    async fn compare(&self, placed: &Placed, sent: Option<Digest>) -> CanaryEnd {
        let back = leftover::read_back(self.desk, self.target, &placed.item).await;
        match (back, sent) {
            (Err(why), _) => CanaryEnd::NotReadBack(why),
            (Ok(Some(back)), Some(sent)) if back == sent => CanaryEnd::Same,
            (Ok(Some(_)), Some(_)) => CanaryEnd::Differs,
            (Ok(_), _) => CanaryEnd::NotComparable,
        }
    }

    /// Deletes what is recorded as ours, and the folder behind it.
    async fn land(&mut self, seen: &mut CanariesSeen) -> Result<Cleanup, CanaryLogError> {
        let probe = &self.desk.ports.target_probe;
        let mut last = None;
        for (no, placed) in std::mem::take(&mut self.placed) {
            let gone = self
                .desk
                .asker
                .ask(Side::Target, Some(self.target), || {
                    probe.purge(self.target, &self.folder, &placed)
                })
                .await;
            match gone {
                Ok(()) => {
                    self.note(CanaryStep::ItemGone { no })?;
                    seen.purged = Some(Ok(()));
                }
                Err(why) => {
                    self.placed.insert(no, placed);
                    last = Some(why.to_string());
                    seen.purged.get_or_insert(Err(why));
                }
            }
        }
        if !self.placed.is_empty() {
            return Ok(Cleanup::Left {
                items: Count::new(self.placed.len() as u64 + u64::from(self.doubtful)),
                why: last.unwrap_or_default(),
            });
        }
        match leftover::drop_folder(self.desk, self.target, &self.folder).await {
            Ok(()) => {
                self.note(CanaryStep::FolderGone)?;
                Ok(Cleanup::Clean)
            }
            // What nobody knows about may be in it.
            Err(why) => Ok(Cleanup::Left {
                items: Count::new(u64::from(self.doubtful)),
                why,
            }),
        }
    }
}
