//! The canaries of one mailbox and one route: their hidden folder, each item there and back, and the landing.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::canary::{CanaryLine, CanaryRun, CanaryStep};
use crate::base::event::Side;
use crate::base::id::{MailboxId, TargetFolderId, TargetMailboxId};
use crate::base::item::{ItemClass, Placed, SourceHeader, Stamp};
use crate::base::limits;
use crate::base::losses::Family;
use crate::base::mailbox::{MAIL_FOLDER_CLASS, TargetFolder};
use crate::base::outcome::{DoubtCause, HaltCause, Said, Setback, Verdict};
use crate::base::probe::{CanaryEnd, CanaryTrial, Cleanup, LargestItem};
use crate::base::quantity::Count;
use crate::base::route::Route;
use crate::engine::preflight::ask::{Next, Patience};
use crate::engine::preflight::compare::compare;
use crate::engine::preflight::content::{self, Exported};
use crate::engine::preflight::drive::Desk;
use crate::engine::preflight::leftover;
use crate::flow::judge::{Repeat, judge};
use crate::port::probe::{CanaryLog, CanaryLogError};
use crate::preflight::canary::{folder_class, is_settled, mark};
use crate::preflight::observed::CanariesSeen;
use crate::preflight::rights::denial;

/// From where to where.
pub(super) struct Base<'a> {
    pub(super) desk: &'a Desk<'a>,
    pub(super) log: &'a dyn CanaryLog,
    pub(super) source: &'a MailboxId,
    pub(super) address: &'a MailboxId,
    pub(super) target: &'a TargetMailboxId,
}

/// The canaries of one mailbox and one route.
pub(super) struct Flight<'a> {
    base: &'a Base<'a>,
    desk: &'a Desk<'a>,
    target: &'a TargetMailboxId,
    /// The family that is made by its class; `None` for streams.
    family: Option<Family>,
    run: CanaryRun,
    folder: TargetFolder,
    /// What is there and recorded as ours.
    placed: BTreeMap<u32, Placed>,
    /// Items nobody knows about.
    doubtful: u32,
    /// True where a compose did not end well, and may have left something.
    untidy: bool,
    next: u32,
}

/// One item under way.
pub(super) struct Item<'a> {
    pub(super) exported: &'a Exported,
    /// The mark it bears, where it is made by its class.
    pub(super) mark: Option<&'a Stamp>,
}

/// Whether a compose that ended so may have left something: a refusal of the item leaves nothing by its contract, and who may not work there made nothing.
const fn may_leave(end: &CanaryEnd) -> bool {
    let CanaryEnd::Refused(why) = end else {
        return true;
    };
    !matches!(
        why,
        Setback::ItemRefused(_)
            | Setback::MailboxClosed(HaltCause::TargetDenied, _)
            | Setback::SideClosed(..)
    )
}

impl<'a> Flight<'a> {
    pub(super) fn new(base: &'a Base<'a>, family: Option<Family>) -> Self {
        let run = &base.desk.order.run;
        Self {
            base,
            desk: base.desk,
            target: base.target,
            family,
            run: family.map_or_else(|| run.clone(), |family| run.of(family)),
            folder: TargetFolder {
                id: TargetFolderId::new(""),
                parent: None,
                name: String::new(),
                class: family.map_or(MAIL_FOLDER_CLASS, folder_class).to_owned(),
                role: None,
                items: Count::ZERO,
            },
            placed: BTreeMap::new(),
            doubtful: 0,
            untidy: false,
            next: 0,
        }
    }

    const fn route(&self) -> Route {
        match self.family {
            Some(_) => Route::Typed,
            None => Route::Stream,
        }
    }

    fn note(&self, step: CanaryStep) -> Result<(), CanaryLogError> {
        self.base.log.append(&CanaryLine {
            run: self.run.clone(),
            mailbox: self.base.address.clone(),
            step,
        })
    }

    /// Tries items of each class until one is taken, and the largest item.
    pub(super) async fn fly(
        &mut self,
        candidates: &[(ItemClass, Vec<SourceHeader>)],
        largest: Option<&LargestItem>,
        seen: &mut CanariesSeen,
    ) -> Result<(), CanaryLogError> {
        if !self.take_off(seen).await? {
            return Ok(());
        }
        'all: for (class, items) in candidates {
            for item in items {
                let trial = self.carry(item, class, false).await?;
                let (settled, shut) = (is_settled(&trial.end), self.is_shut(&trial.end));
                seen.trials.push(trial);
                if shut {
                    break 'all;
                }
                if settled {
                    break;
                }
            }
        }
        if let Some(item) = largest {
            let header = SourceHeader {
                id: item.id.clone(),
                stamp: Stamp::Fallback([0; 16]),
                class: item.class.clone(),
                size: item.size,
                read: None,
                received: None,
                version: None,
            };
            let trial = self.carry(&header, &item.class, true).await?;
            seen.trials.push(trial);
        }
        self.end(seen).await
    }

    /// Whether nothing of the family can be made here, for want of a right that all of it needs.
    const fn is_shut(&self, end: &CanaryEnd) -> bool {
        match end {
            CanaryEnd::Refused(why) => self.family.is_some() && denial(why).is_some(),
            _ => false,
        }
    }

    /// Makes the folder. False where there is none to work in.
    async fn take_off(&mut self, seen: &mut CanariesSeen) -> Result<bool, CanaryLogError> {
        let probe = &self.desk.ports.target_probe;
        let name = self.run.folder_name();
        self.note(CanaryStep::FolderIntended {
            mailbox: self.target.clone(),
        })?;
        let made = self
            .desk
            .asker
            .ask(Side::Target, Some(self.target), || {
                probe.hidden_folder(self.target, &name, &self.folder.class)
            })
            .await;
        match made {
            Ok(folder) => {
                // The class is the one that was asked for, whatever the answer leaves out.
                self.folder.id = folder.id;
                self.folder.name = folder.name;
                seen.folder_made = Some(Ok(()));
            }
            Err(why) => {
                seen.not_tried = Some(format!("no folder could be made for it: {why}"));
                seen.folder_made.get_or_insert(Err(why));
                return Ok(false);
            }
        }
        self.note(CanaryStep::FolderMade {
            folder: self.folder.id.clone(),
        })?;
        if self.family.is_none() {
            return Ok(true);
        }
        // An open session proves for streams that items can be listed and so cleared away; here nothing did.
        match leftover::list(self.desk, self.target, &self.folder.id).await {
            Ok(_) => {
                seen.listed = Some(Ok(()));
                Ok(true)
            }
            Err(why) => {
                let text = format!("items of a folder cannot be listed, so none is made: {why}");
                seen.not_tried = Some(text);
                seen.listed.get_or_insert(Err(why));
                self.end(seen).await?;
                Ok(false)
            }
        }
    }

    /// Carries one item there and back.
    async fn carry(
        &mut self,
        item: &SourceHeader,
        class: &ItemClass,
        largest: bool,
    ) -> Result<CanaryTrial, CanaryLogError> {
        let route = self.route();
        let trial = |end| CanaryTrial {
            class: class.as_str().to_owned(),
            size: item.size,
            largest,
            route,
            end,
        };
        let from = (self.base.source, &item.id);
        let exported = self
            .desk
            .asker
            .ask(Side::Source, None, || {
                content::from_source(self.desk.ports, &self.desk.spool, from, item.size, route)
            })
            .await;
        let exported = match exported {
            Ok(exported) => exported,
            Err(why) => return Ok(trial(CanaryEnd::NotExported(why))),
        };
        let no = self.next;
        self.next += 1;
        let mark = self.family.map(|_| mark(&self.run, self.base.address, no));
        self.note(CanaryStep::ItemIntended {
            no,
            digest: exported.digest(),
            mark: mark.clone(),
        })?;
        let item = Item {
            exported: &exported,
            mark: mark.as_ref(),
        };
        let placed = match self.send(&item).await {
            Ok(placed) => placed,
            Err(CanaryEnd::Doubtful(why)) => {
                self.doubtful += 1;
                self.untidy = self.family.is_some();
                return Ok(trial(CanaryEnd::Doubtful(why)));
            }
            Err(end) => {
                if self.family.is_some() && may_leave(&end) {
                    // On record as doubtful until the landing cleared away what it may have left.
                    self.untidy = true;
                } else {
                    self.note(CanaryStep::ItemGone { no })?;
                }
                return Ok(trial(end));
            }
        };
        self.note(CanaryStep::ItemPlaced {
            no,
            placed: placed.clone(),
        })?;
        self.placed.insert(no, placed.clone());
        let read = (self.desk, self.target, &self.folder);
        Ok(trial(compare(read, &placed, &item).await))
    }

    async fn create(&self, item: &Item<'_>) -> Result<Placed, Setback> {
        let (ports, body) = (self.desk.ports, &item.exported.body);
        match item.mark {
            None => {
                let created = ports.target.create(self.target, &self.folder.id, body);
                created.await
            }
            Some(mark) => {
                let target = &ports.typed.target;
                let composed = target.compose(self.target, &self.folder, mark, body);
                composed.await
            }
        }
    }

    /// Sends an item until it is known what became of it. A create that may have arrived is never sent again before the folder was looked at.
    async fn send(&self, item: &Item<'_>) -> Result<Placed, CanaryEnd> {
        let mut patience = Patience::default();
        for _ in 0..limits::CANARY_ATTEMPTS_MAX {
            self.desk.asker.count(Side::Target);
            let why = match self.create(item).await {
                Ok(placed) => return Ok(placed),
                Err(why) => why,
            };
            if let Verdict::Doubt(cause) = judge(Repeat::Once, &why) {
                match self.look(item, cause).await? {
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
    async fn look(&self, item: &Item<'_>, cause: DoubtCause) -> Result<Option<Placed>, CanaryEnd> {
        let doubtful = |why: Setback| CanaryEnd::Doubtful(why);
        for _ in 0..limits::EMPTY_LOOKS_MIN {
            self.desk.asker.pause(self.desk.settle()).await;
            let known: BTreeSet<&Placed> = self.placed.values().collect();
            let there = leftover::list(self.desk, self.target, &self.folder.id)
                .await
                .map_err(doubtful)?;
            let strange: Vec<Placed> = there
                .into_iter()
                .filter(|placed| !known.contains(placed))
                .collect();
            if let Some(mark) = item.mark {
                if let Some(own) = self.marked(strange, mark).await.map_err(doubtful)? {
                    return Ok(Some(own));
                }
                continue;
            }
            match &strange[..] {
                [] => {}
                [one] if self.doubtful == 0 => {
                    let digest = item.exported.digest();
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

    /// The one of these that bears this mark. What bears none is not whole: the next compose of the same mark clears it away, and so does the landing.
    async fn marked(&self, strange: Vec<Placed>, mark: &Stamp) -> Result<Option<Placed>, Setback> {
        for placed in strange {
            if leftover::bears(self.desk, self.target, &self.folder, &placed, mark).await? {
                return Ok(Some(placed));
            }
        }
        Ok(None)
    }

    async fn end(&mut self, seen: &mut CanariesSeen) -> Result<(), CanaryLogError> {
        let end = self.land(seen).await?;
        seen.cleanup.push((self.base.address.clone(), end));
        Ok(())
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
                    probe.purge(self.target, &self.folder.id, &placed)
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
        if self.untidy
            && let Err(why) = leftover::tidy(self.desk, self.target, &self.folder).await
        {
            let (items, why) = (Count::new(u64::from(self.doubtful)), why.to_string());
            return Ok(Cleanup::Left { items, why });
        }
        match leftover::drop_folder(self.desk, self.target, &self.folder.id).await {
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
