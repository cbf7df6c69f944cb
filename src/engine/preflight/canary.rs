//! Canaries: one real item of each class goes there, is read back, compared, and deleted with its hidden folder. Which route it takes is the plan's
//! word: as a stream, by its class, or by its class where its stream is refused.
//!
//! Each item goes into the target mailbox of its own source mailbox and into no other. Every step is in the log before its call leaves, so that
//! the next preflight cleans up behind a crash. Import stores items, and what is made by its class names nobody; neither sends anything.

use std::collections::BTreeSet;

use crate::base::event::Side;
use crate::base::item::{ItemClass, SourceHeader};
use crate::base::losses::{Family, family_of};
use crate::base::probe::{CanaryEnd, CanaryTrial, LargestItem};
use crate::base::quantity::{Bytes, Count};
use crate::base::route::RouteRule;
use crate::engine::preflight::drive::Desk;
use crate::engine::preflight::flight::{Base, Flight};
use crate::engine::preflight::leftover;
use crate::engine::preflight::mailbox::Looked;
use crate::plan::rules;
use crate::port::probe::{CanaryLog, CanaryLogError};
use crate::preflight::canary::{
    Choice, ITEMS_SEARCHED, MAILBOXES_SEARCHED, falls_back, folders_to_search, goes_by_class,
    leftovers,
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
    let rule = desk.order.route;
    let largest = largest_of(&open, desk.order.select.max_item_size);
    let mut known: BTreeSet<ItemClass> = BTreeSet::new();
    for (at, one) in open.iter().enumerate() {
        let own = largest.filter(|(of, _)| *of == at).map(|(_, item)| item);
        let mut choice = Choice::beside(known.clone());
        if at < MAILBOXES_SEARCHED {
            search(desk, one, &mut choice).await;
        }
        known.extend(choice.classes().cloned());
        let Some(target) = &one.target else {
            continue;
        };
        let base = Base {
            desk,
            log,
            source: &one.seen.source,
            address: &one.seen.target,
            target,
        };
        let cargo = Cargo {
            items: choice.into_candidates(),
            largest: own,
        };
        match rule {
            RouteRule::Stream => fly_streams(&base, &cargo, seen).await?,
            RouteRule::Auto => {
                let before = seen.trials.len();
                fly_streams(&base, &cargo, seen).await?;
                let fell = cargo.fallen(&seen.trials[before..], rule);
                fly_by_class(&base, &fell, seen).await?;
            }
            RouteRule::Typed => {
                let classes = cargo.items.iter().map(|(class, _)| class.clone());
                seen.found.extend(classes);
                fly_by_class(&base, &cargo, seen).await?;
            }
        }
    }
    Ok(())
}

/// What is to be tried in one mailbox.
struct Cargo<'a> {
    /// Items of each class, the one to try first in front.
    items: Vec<(ItemClass, Vec<SourceHeader>)>,
    largest: Option<&'a LargestItem>,
}

impl Cargo<'_> {
    /// What goes on by its class after these trials of streams.
    fn fallen(&self, trials: &[CanaryTrial], rule: RouteRule) -> Self {
        let items = self.items.iter();
        let items = items.filter(|(class, _)| falls_back(class, trials, rule));
        let refused = trials.iter().any(|trial| match &trial.end {
            CanaryEnd::Refused(why) => trial.largest && goes_by_class(&trial.class, why, rule),
            _ => false,
        });
        Self {
            items: items.cloned().collect(),
            largest: self.largest.filter(|_| refused),
        }
    }

    /// What of it is of this family.
    fn of(&self, family: Family) -> Self {
        let is = |class: &ItemClass| family_of(class.as_str()) == Some(family);
        let items = self.items.iter().filter(|(class, _)| is(class));
        Self {
            items: items.cloned().collect(),
            largest: self.largest.filter(|item| is(&item.class)),
        }
    }

    fn is_empty(&self) -> bool {
        self.items.is_empty() && self.largest.is_none()
    }
}

/// Why no canary goes into a calendar or contact folder.
const IN_SIGHT: &str =
    "without mailbox import no calendar or contact folder can be hidden from its user";

async fn fly_streams(
    base: &Base<'_>,
    cargo: &Cargo<'_>,
    seen: &mut CanariesSeen,
) -> Result<(), CanaryLogError> {
    if cargo.is_empty() {
        return Ok(());
    }
    let mut flight = Flight::new(base, None);
    flight.fly(&cargo.items, cargo.largest, seen).await
}

/// Each family has a folder of its own: the service keeps its items in folders of their kind.
async fn fly_by_class(
    base: &Base<'_>,
    cargo: &Cargo<'_>,
    seen: &mut CanariesSeen,
) -> Result<(), CanaryLogError> {
    for family in Family::ALL {
        let own = cargo.of(family);
        // Without mailbox import no calendar and no contact folder can be hidden, and nothing is tried where its user would see it.
        if base.desk.order.select.no_import && family != Family::Message {
            if !own.is_empty() {
                seen.not_tried = Some(IN_SIGHT.to_owned());
            }
            continue;
        }
        if !own.is_empty() {
            let mut flight = Flight::new(base, Some(family));
            flight.fly(&own.items, own.largest, seen).await?;
        }
    }
    Ok(())
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
    let all: Vec<_> = one.carried.iter().chain(&one.kindless).collect();
    let folders: Vec<(String, u64)> = (all.iter())
        .map(|folder| (folder.class.to_ascii_lowercase(), folder.items.get()))
        .collect();
    for at in folders_to_search(&folders) {
        let folder = &all[at].id;
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
