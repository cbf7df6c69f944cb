//! The planner: an inventory and wishes in, waves with nights, cuts and forecasts out. The same input gives the same draft.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};

use crate::base::limits;
use crate::base::quantity::{Bytes, Span};
use crate::plan::calendar::{Night, nights, usual_night};
use crate::plan::capacity::{Bounds, Demand, makespan};
use crate::plan::document::{Pair, Wave};
use crate::plan::estate::{Estate, Mover};
use crate::plan::forecast::{Binding, Load, Pace, Paces};
use crate::plan::graph::Graph;
use crate::plan::inventory::{FolderRights, GrantKind, GroupNo, Inventory, MailboxNo};
use crate::plan::nights::{Bar, Board, Placed, Stage, Work};
use crate::plan::schedule::Schedule;
use crate::plan::together::groups;
use crate::plan::waves::{Class, Pack, pack};
use crate::plan::wishes::Wishes;

/// How long one mailbox takes, all of it, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// At least.
    pub fast: u64,
    /// At most; the nights are filled with this.
    pub slow: u64,
    /// The limit that decides the slow end.
    pub why: Binding,
    /// True when it does not fit into one night and is copied ahead.
    pub ahead: bool,
}

/// One wave of the draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveDraft {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub class: Class,
    /// Its mailboxes, as places among the movers, longest first.
    pub members: Vec<u32>,
    /// The latest day one of its mailboxes waits for.
    pub waits_for: Option<Date>,
    /// The night in which it changes over, as an index; `None` where the calendar has none.
    pub night: Option<usize>,
    /// Its mailboxes in their nights.
    pub bars: Vec<Bar>,
    /// Seconds of work, at least and at most.
    pub secs: (u64, u64),
}

/// A right whose two mailboxes do not change over together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// In which mailbox.
    pub owner: MailboxNo,
    /// Who has it.
    pub trustee: MailboxNo,
    /// An index into the inventory's grants.
    pub grant: u32,
    /// By way of which group.
    pub group: Option<GroupNo>,
    /// The owner's wave, as an index; `None`: it stays.
    pub owner_wave: Option<usize>,
    /// The trustee's wave, alike.
    pub trustee_wave: Option<usize>,
}

/// Everything the planner decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What moves, what stays, who works with whom.
    pub estate: Estate,
    /// How long each mover takes, in order.
    pub times: Vec<Times>,
    /// The waves, in order of their nights.
    pub waves: Vec<WaveDraft>,
    /// The nights, from the first one that may be used to the last one that is.
    pub nights: Vec<Night>,
    /// False where nobody said when to start: nights are counted then, and their dates mean nothing.
    pub dated: bool,
    /// The zone the nights are meant in.
    pub time_zone: String,
    /// The rights between waves.
    pub cuts: Vec<Cut>,
    /// The limits of a wave.
    pub bounds: Bounds,
    /// What the forecast rests on.
    pub assumptions: Vec<String>,
}

impl Draft {
    /// Plans.
    pub fn new(inventory: &Inventory, wishes: &Wishes) -> Self {
        let mut estate = Estate::new(inventory, wishes);
        let paces = speeds(wishes);
        let schedule = schedule(wishes);
        let bounds = bounds(wishes, &schedule, paces.slow);
        let unfit = unfit(&estate.movers, &paces, &bounds);
        estate.exclude(&unfit, "too large for a wave, even copied ahead");
        let times: Vec<Times> = estate
            .movers
            .iter()
            .map(|mover| times(mover, &paces, &bounds))
            .collect();
        let works: Vec<Work> = estate
            .movers
            .iter()
            .zip(&times)
            .map(|(mover, times)| work(mover, *times, &paces.slow))
            .collect();
        let demands: Vec<Demand> = estate
            .movers
            .iter()
            .zip(&works)
            .map(|(mover, work)| demand(mover, *work))
            .collect();
        let graph = graph(&estate);
        let together = groups(&graph, &demands, &bounds);
        let days: Vec<Option<Date>> = estate.movers.iter().map(|mover| mover.not_before).collect();
        let packed = pack(together, &demands, &days, &bounds);
        let start = wishes.start.unwrap_or(date(2001, 1, 1));
        let mut calendar = nights(&schedule, start, &wishes.blackout, limits::NIGHTS_MAX);
        let placed = Board::new(&calendar, &works, bounds.lanes, paces.slow).place(&packed);
        let last = placed.iter().filter_map(|placed| placed.night).max();
        calendar.truncate(last.map_or(0, |last| last + 1));
        let waves = waves(packed, placed, &estate.movers, &paces, bounds.lanes);
        let cuts = cuts(&estate, &waves, inventory);
        Self {
            times,
            waves,
            nights: calendar,
            dated: wishes.start.is_some(),
            time_zone: schedule.time_zone,
            cuts,
            bounds,
            assumptions: paces.assumptions(),
            estate,
        }
    }

    /// The waves as a plan file has them.
    pub fn to_waves(&self) -> Vec<Wave> {
        self.waves.iter().map(|wave| self.to_wave(wave)).collect()
    }

    fn to_wave(&self, wave: &WaveDraft) -> Wave {
        let night = wave
            .night
            .filter(|_| self.dated)
            .map(|night| self.nights[night].date);
        let mut ahead: BTreeMap<u32, usize> = BTreeMap::new();
        for bar in wave
            .bars
            .iter()
            .filter(|bar| bar.stage == Stage::Ahead && self.dated)
        {
            let first = ahead.entry(bar.mover).or_insert(bar.night);
            *first = bar.night.min(*first);
        }
        let pairs = wave.members.iter().map(|place| {
            let mover = &self.estate.movers[*place as usize];
            let early = ahead
                .get(place)
                .map(|night| self.nights[*night].date.to_string());
            Pair {
                not_before: early,
                items: mover.counted.then_some(mover.load.items),
                bytes: mover.counted.then_some(mover.load.bytes),
                ..Pair::new(mover.source.clone(), mover.target.clone())
            }
        });
        Wave {
            name: wave.name.clone(),
            not_before: night.or(wave.waits_for).map(|day| day.to_string()),
            mailboxes: pairs.collect(),
        }
    }

    /// How people call a night.
    pub fn night_name(&self, night: usize) -> String {
        match self.nights.get(night) {
            Some(found) if self.dated => found.date.to_string(),
            _ => format!("night {}", night + 1),
        }
    }

    /// Seconds of work of the whole plan, at least and at most, one wave after the other.
    pub fn secs(&self) -> (u64, u64) {
        let all = self.waves.iter().map(|wave| wave.secs);
        all.fold((0, 0), |sum, secs| (sum.0 + secs.0, sum.1 + secs.1))
    }
}

fn speeds(wishes: &Wishes) -> Paces {
    let paces = Paces::published(&wishes.limits, wishes.source_per_hour);
    wishes.measured.map_or(paces, |rates| paces.measured(rates))
}

fn schedule(wishes: &Wishes) -> Schedule {
    let always = Schedule {
        time_zone: "UTC".to_owned(),
        windows: Vec::new(),
    };
    let mut schedule = wishes.schedule.clone().unwrap_or(always);
    if wishes.start.is_none() {
        // Nights that are only counted know no season.
        "UTC".clone_into(&mut schedule.time_zone);
    }
    schedule
}

fn bounds(wishes: &Wishes, schedule: &Schedule, pace: Pace) -> Bounds {
    let connections = wishes.limits.source_connections / limits::SOURCE_CALLS_IN_FLIGHT_PER_MAILBOX;
    Bounds {
        mailboxes: wishes.wave_mailboxes.max(1),
        bytes: wishes.wave_bytes,
        items: wishes.wave_items,
        night: usual_night(schedule),
        lanes: wishes
            .limits
            .mailboxes_at_once
            .min(connections.max(1))
            .max(1),
        pace,
    }
}

/// Whether a load fits into the night of a wave of its own.
fn alone(mover: &Mover, load: Load, paces: &Paces, bounds: &Bounds) -> bool {
    let (secs, _) = paces.slow.time(load);
    let own = Demand {
        bytes: load.bytes.get(),
        items: load.items.get(),
        secs,
        pilot: mover.pilot,
        vip: mover.vip,
    };
    bounds.fit(crate::plan::capacity::Sum::of(&own), || vec![secs])
}

fn delta(load: Load) -> Load {
    load.percent(limits::FORECAST_DELTA_PERCENT)
}

fn unfit(movers: &[Mover], paces: &Paces, bounds: &Bounds) -> BTreeSet<u32> {
    let fits = |mover: &Mover| {
        let rest = delta(mover.load);
        alone(mover, mover.load, paces, bounds) || alone(mover, rest, paces, bounds)
    };
    let unfit = (0..).zip(movers).filter(|(_, mover)| !fits(mover));
    unfit.map(|(place, _)| place).collect()
}

fn times(mover: &Mover, paces: &Paces, bounds: &Bounds) -> Times {
    let (slow, why) = paces.slow.time(mover.load);
    Times {
        fast: paces.fast.time(mover.load).0,
        slow,
        why,
        ahead: !alone(mover, mover.load, paces, bounds),
    }
}

fn work(mover: &Mover, times: Times, slow: &Pace) -> Work {
    if !times.ahead {
        return Work {
            secs: times.slow,
            bytes: mover.load.bytes.get(),
            ahead: 0,
        };
    }
    let rest = delta(mover.load);
    Work {
        secs: slow.time(rest).0,
        bytes: rest.bytes.get(),
        ahead: times.slow,
    }
}

fn demand(mover: &Mover, work: Work) -> Demand {
    let rest = if work.ahead > 0 {
        delta(mover.load)
    } else {
        mover.load
    };
    Demand {
        bytes: work.bytes,
        items: rest.items.get(),
        secs: work.secs,
        pilot: mover.pilot,
        vip: mover.vip,
    }
}

fn graph(estate: &Estate) -> Graph {
    let nodes = u32::try_from(estate.movers.len()).unwrap_or(u32::MAX);
    let edges = estate.links.iter().filter_map(|link| {
        Some((
            estate.place(link.owner)?,
            estate.place(link.trustee)?,
            link.weight,
        ))
    });
    Graph::new(nodes, edges)
}

fn waves(
    packed: Vec<Pack>,
    placed: Vec<Placed>,
    movers: &[Mover],
    paces: &Paces,
    lanes: u32,
) -> Vec<WaveDraft> {
    let mut both: Vec<(Pack, Placed)> = packed.into_iter().zip(placed).collect();
    both.sort_by_key(|(_, placed)| placed.night.unwrap_or(usize::MAX));
    let many = |class| both.iter().filter(|(pack, _)| pack.class == class).count();
    let totals = BTreeMap::from([
        (Class::Pilot, many(Class::Pilot)),
        (Class::Usual, many(Class::Usual)),
        (Class::Vip, many(Class::Vip)),
    ]);
    let mut numbers: BTreeMap<Class, usize> = BTreeMap::new();
    let mut out = Vec::with_capacity(both.len());
    for (pack, placed) in both {
        let number = numbers.entry(pack.class).or_default();
        *number += 1;
        let total = totals.get(&pack.class).copied().unwrap_or(1);
        let word = match pack.class {
            Class::Pilot => "pilot",
            Class::Usual => "wave",
            Class::Vip => "vip",
        };
        let width = total.to_string().len();
        let name = if total == 1 && pack.class != Class::Usual {
            word.to_owned()
        } else {
            format!("{word}-{number:0width$}")
        };
        let end = |pace: &Pace| {
            let loads = pack
                .members
                .iter()
                .map(|place| movers[*place as usize].load);
            let secs: Vec<u64> = loads.clone().map(|load| pace.time(load).0).collect();
            let bytes: Bytes = loads.map(|load| load.bytes).sum();
            makespan(&secs, lanes).max(pace.source_time(bytes))
        };
        out.push(WaveDraft {
            name,
            class: pack.class,
            secs: (end(&paces.fast), end(&paces.slow)),
            members: pack.members,
            waits_for: pack.not_before,
            night: placed.night,
            bars: placed.bars,
        });
    }
    out
}

/// The rights between waves, and between what moves and what stays. What stays because it is no mailbox of a person is not missed.
fn cuts(estate: &Estate, waves: &[WaveDraft], inventory: &Inventory) -> Vec<Cut> {
    let mut wave_of = vec![None; estate.movers.len()];
    for (at, wave) in waves.iter().enumerate() {
        for place in &wave.members {
            wave_of[*place as usize] = Some(at);
        }
    }
    let wave = |record| {
        estate
            .place(record)
            .and_then(|place| wave_of[place as usize])
    };
    let system = |record: MailboxNo| {
        let kind = inventory
            .mailbox(record)
            .and_then(|record| record.kind.as_ref());
        kind.is_some_and(|kind| super::estate::rule_of_kind(kind) == Some("system mailbox"))
    };
    let split = estate.links.iter().filter_map(|link| {
        let (owner, trustee) = (wave(link.owner), wave(link.trustee));
        let stays = owner.is_none() || trustee.is_none();
        let silent = stays && (system(link.owner) || system(link.trustee));
        (owner != trustee && !silent).then_some(Cut {
            owner: link.owner,
            trustee: link.trustee,
            grant: link.grant,
            group: link.group,
            owner_wave: owner,
            trustee_wave: trustee,
        })
    });
    let mut cuts: Vec<Cut> = split.collect();
    cuts.sort();
    cuts
}

/// The word of a right, as Exchange prints it.
pub fn grant_word(kind: &GrantKind) -> &'static str {
    match kind {
        GrantKind::FullAccess => "FullAccess",
        GrantKind::SendAs => "SendAs",
        GrantKind::SendOnBehalf => "SendOnBehalf",
        GrantKind::Folder { .. } => "FolderPermission",
    }
}

/// What the trustee notices while a right is cut.
pub fn notice(kind: &GrantKind) -> &'static str {
    match kind {
        GrantKind::FullAccess => {
            "the mailbox disappears from the trustee's Outlook and cannot be opened until both have moved and the right is given again"
        }
        GrantKind::SendAs => {
            "mail in the owner's name is refused until both have moved and the right is given again"
        }
        GrantKind::SendOnBehalf => {
            "mail on behalf of the owner is refused until both have moved and the right is given again"
        }
        GrantKind::Folder {
            rights:
                FolderRights::Reviewer | FolderRights::Custom(_) | FolderRights::NonEditingAuthor,
            ..
        } => "the shared folder cannot be read until both have moved and the right is given again",
        GrantKind::Folder { .. } => {
            "the shared folder can be neither read nor changed until both have moved and the right is given again"
        }
    }
}

/// The length of a usual night, for people.
pub fn night_words(night: Span) -> String {
    crate::plan::forecast::tenths_of_hours(night.get() / 1_000) + " h"
}
