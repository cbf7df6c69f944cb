//! Why the plan is as it is, in sentences: the comments of a plan file.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::base::losses::{self, Family, WITHOUT_IMPORT};
use crate::base::quantity::{Bytes, Count};
use crate::base::route::{ReminderRule, RouteRule};
use crate::plan::calendar::Night;
use crate::plan::document::Comments;
use crate::plan::draft::{Cut, Draft, WaveDraft, grant_word, night_words, notice};
use crate::plan::estate::Use;
use crate::plan::forecast::tenths_of_hours;
use crate::plan::inventory::{Inventory, MailboxNo};
use crate::plan::lint::{Finding, Severity};
use crate::plan::nights::Stage;
use crate::plan::schedule::zone_of;

/// Cuts named with one wave; the rest is counted.
const CUTS_SHOWN: usize = 12;

/// Mailboxes that stay, named at the top; the rest is counted.
const EXCLUDED_SHOWN: usize = 20;

/// How the plan's items travel, in one line, and below it what that loses, one line for each family of items, and for folders where there is no mailbox
/// import.
pub fn route_lines(rule: RouteRule, has_import: bool) -> (String, Vec<String>) {
    let (line, families) = match rule {
        RouteRule::Auto => (
            "items go as streams; mail, appointments and contacts whose streams are refused go by their class and lose some of their fields (`mailferry losses`)",
            &Family::ALL[..0],
        ),
        RouteRule::Stream => (
            "items go as streams, which keep everything; what is refused is listed as refused",
            &Family::ALL[..0],
        ),
        RouteRule::Typed => (
            "no streams: mail, appointments and contacts go by their class and lose what is named here, and nothing else is carried (`mailferry losses` has all of it)",
            &Family::ALL[..],
        ),
    };
    let lines = families.iter().map(|family| losses::brief(*family));
    let mut lines: Vec<String> = lines.collect();
    if !has_import {
        let folders = WITHOUT_IMPORT.iter().map(|own| own.what);
        let folders: Vec<&str> = folders.collect();
        lines.push(format!(
            "folders, without mailbox import: {}",
            folders.join("; ")
        ));
    }
    (format!("route {rule}: {line}"), lines)
}

/// What is said of reminders, where the plan says something of them.
pub fn reminder_line(route: RouteRule, reminders: ReminderRule) -> Option<String> {
    let said = match (reminders, route) {
        (ReminderRule::AsSource, _) => return None,
        (ReminderRule::AfterCutover, RouteRule::Stream) => {
            "warning: it has no effect, for items go as streams, which are never edited; their events remind as at the source"
        }
        (ReminderRule::AfterCutover, RouteRule::Auto) => {
            "events that go by their class do not remind before `run --final`; those that go as streams remind as at the source"
        }
        (ReminderRule::AfterCutover, RouteRule::Typed) => {
            "events do not remind before `run --final`"
        }
    };
    Some(format!("reminders {}: {said}", reminders.word()))
}

/// The comments of a plan file made from this draft.
pub fn comments(draft: &Draft, inventory: &Inventory, findings: &[Finding]) -> Comments {
    let mut of_wave: BTreeMap<usize, Vec<&Cut>> = BTreeMap::new();
    for cut in &draft.cuts {
        let waves: BTreeSet<usize> = [cut.owner_wave, cut.trustee_wave]
            .into_iter()
            .flatten()
            .collect();
        for wave in waves {
            of_wave.entry(wave).or_default().push(cut);
        }
    }
    let none = Vec::new();
    let waves = draft.waves.iter().enumerate().map(|(at, wave)| {
        let cuts = of_wave.get(&at).unwrap_or(&none);
        wave_lines(draft, inventory, wave, cuts)
    });
    Comments {
        head: head(draft, inventory, findings),
        waves: waves.collect(),
    }
}

fn head(draft: &Draft, inventory: &Inventory, findings: &[Finding]) -> Vec<String> {
    let bytes: Bytes = draft
        .estate
        .movers
        .iter()
        .map(|mover| mover.load.bytes)
        .sum();
    let items: Count = draft
        .estate
        .movers
        .iter()
        .map(|mover| mover.load.items)
        .sum();
    let (low, high) = draft.secs();
    let mut out = vec![
        format!(
            "{} in {}: {bytes}, {items} items, {} to {} h of work",
            many(draft.estate.movers.len(), "mailbox", "mailboxes"),
            many(draft.waves.len(), "wave", "waves"),
            tenths_of_hours(low),
            tenths_of_hours(high)
        ),
        last_night(draft),
        format!(
            "a wave holds up to {} mailboxes, a usual night {}, {} mailboxes side by side",
            draft.bounds.mailboxes,
            night_words(draft.bounds.night),
            draft.bounds.lanes
        ),
    ];
    out.extend(
        draft
            .assumptions
            .iter()
            .map(|line| format!("assumed: {line}")),
    );
    let count = |severity| {
        findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    out.push(format!(
        "findings: {}, {}, {}; cut rights: {}",
        many(count(Severity::Error), "error", "errors"),
        many(count(Severity::Warning), "warning", "warnings"),
        many(count(Severity::Note), "note", "notes"),
        Count::new(draft.cuts.len() as u64)
    ));
    for excluded in draft.estate.excluded.iter().take(EXCLUDED_SHOWN) {
        out.push(format!(
            "stays: {} ({})",
            name(inventory, excluded.record),
            excluded.rule
        ));
    }
    if let Some(more) = draft
        .estate
        .excluded
        .len()
        .checked_sub(EXCLUDED_SHOWN)
        .filter(|more| *more > 0)
    {
        out.push(format!("stay: {} more", Count::new(more as u64)));
    }
    out
}

/// When the last night ends.
pub fn last_night(draft: &Draft) -> String {
    let last = draft
        .waves
        .iter()
        .filter_map(|wave| Some((wave.night?, wave)))
        .max_by_key(|(night, _)| *night);
    match last {
        Some((night, wave)) => match draft.nights.get(night) {
            Some(found) if draft.dated => format!(
                "the last night, {}, is that of {}",
                span(found, &draft.time_zone),
                wave.name
            ),
            _ => format!(
                "the last night is number {} ({}); give --start to date it",
                night + 1,
                wave.name
            ),
        },
        None => "no wave has a night".to_owned(),
    }
}

/// A night with its real begin and end, as clocks on the wall show them.
pub fn span(night: &Night, time_zone: &str) -> String {
    let hours = tenths_of_hours(night.length().get() / 1_000);
    let zone = zone_of(time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let local = |moment: crate::base::quantity::Moment| {
        let at = Timestamp::from_millisecond(moment.unix_ms()).ok()?;
        Some(at.to_zoned(zone.clone()).strftime("%H:%M %:z").to_string())
    };
    let day = night.date.strftime("%a");
    format!(
        "{} {day} {} to {} ({hours} h)",
        night.date,
        local(night.begin).unwrap_or_default(),
        local(night.end).unwrap_or_default()
    )
}

fn wave_lines(
    draft: &Draft,
    inventory: &Inventory,
    wave: &WaveDraft,
    cuts: &[&Cut],
) -> Vec<String> {
    let mut out = vec![contents(draft, wave), when(draft, wave)];
    let longest = wave.members.iter().max_by_key(|place| {
        let slow = draft.times[**place as usize].slow;
        (slow, std::cmp::Reverse(**place))
    });
    if let Some(longest) = longest {
        let (mover, times) = (
            &draft.estate.movers[*longest as usize],
            draft.times[*longest as usize],
        );
        out.push(format!(
            "longest: {} takes {} to {} h ({})",
            mover.source.reveal(),
            tenths_of_hours(times.fast),
            tenths_of_hours(times.slow),
            times.why
        ));
    }
    let ahead: BTreeSet<u32> = wave
        .bars
        .iter()
        .filter(|bar| bar.stage == Stage::Ahead)
        .map(|bar| bar.mover)
        .collect();
    for place in ahead {
        let own = wave
            .bars
            .iter()
            .filter(|bar| bar.mover == place && bar.stage == Stage::Ahead);
        let nights: Vec<String> = own.map(|bar| draft.night_name(bar.night)).collect();
        out.push(format!(
            "copied ahead: {} in {} from {}; the wave's night carries what changed",
            draft.estate.movers[place as usize].source.reveal(),
            many(nights.len(), "night", "nights"),
            nights.first().map_or("", String::as_str)
        ));
    }
    for cut in cuts.iter().take(CUTS_SHOWN) {
        out.push(format!("cut: {}", cut_words(draft, inventory, cut)));
    }
    if let Some(more) = cuts.len().checked_sub(CUTS_SHOWN).filter(|more| *more > 0) {
        out.push(format!(
            "cut: {} more, all in `mailferry plan --json`",
            Count::new(more as u64)
        ));
    }
    out
}

fn contents(draft: &Draft, wave: &WaveDraft) -> String {
    let movers = wave
        .members
        .iter()
        .map(|place| &draft.estate.movers[*place as usize]);
    let mut kinds: BTreeMap<Use, u64> = BTreeMap::new();
    let (mut bytes, mut items) = (Bytes::ZERO, Count::ZERO);
    for mover in movers {
        *kinds.entry(mover.purpose).or_default() += 1;
        bytes += mover.load.bytes;
        items += mover.load.items;
    }
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(purpose, count)| format!("{} {}", Count::new(*count), purpose.word()))
        .collect();
    format!(
        "{}: {} ({}), {bytes}, {items} items",
        wave.name,
        many(wave.members.len(), "mailbox", "mailboxes"),
        kinds.join(", ")
    )
}

/// A number with its noun.
pub fn many(count: usize, one: &str, more: &str) -> String {
    let noun = if count == 1 { one } else { more };
    format!("{} {noun}", Count::new(count as u64))
}

fn when(draft: &Draft, wave: &WaveDraft) -> String {
    let (low, high) = wave.secs;
    let work = format!(
        "{} to {} h of work",
        tenths_of_hours(low),
        tenths_of_hours(high)
    );
    match wave
        .night
        .and_then(|night| Some((night, draft.nights.get(night)?)))
    {
        Some((_, night)) if draft.dated => {
            format!("night: {}; {work}", span(night, &draft.time_zone))
        }
        Some((at, _)) => format!("night: number {}; {work}", at + 1),
        None => format!("night: none has room; {work}"),
    }
}

/// One cut right, with both people and what they notice.
pub fn cut_words(draft: &Draft, inventory: &Inventory, cut: &Cut) -> String {
    let wave = |wave: Option<usize>| match wave.and_then(|at| draft.waves.get(at)) {
        Some(wave) => wave.name.as_str(),
        None => "stays",
    };
    format!(
        "{} of {} ({}) in {} ({}): {}",
        cut_grant(inventory, cut),
        name(inventory, cut.trustee),
        wave(cut.trustee_wave),
        name(inventory, cut.owner),
        wave(cut.owner_wave),
        cut_notice(inventory, cut)
    )
}

/// The right that is cut, with the group it comes from.
pub fn cut_grant(inventory: &Inventory, cut: &Cut) -> String {
    let grant = usize::try_from(cut.grant)
        .ok()
        .and_then(|at| inventory.grants.get(at));
    let word = grant.map_or("right", |grant| grant_word(&grant.kind));
    match cut.group {
        Some(group) => {
            let group = inventory.group(group);
            let name = group
                .and_then(|group| group.address.as_ref())
                .map_or("a group", |address| address.reveal());
            format!("{word} by way of {name}")
        }
        None => word.to_owned(),
    }
}

/// What is noticed while it is cut.
pub fn cut_notice(inventory: &Inventory, cut: &Cut) -> &'static str {
    let grant = usize::try_from(cut.grant)
        .ok()
        .and_then(|at| inventory.grants.get(at));
    grant.map_or("the right is missing", |grant| notice(&grant.kind))
}

/// A mailbox as its engineer knows it.
pub fn name(inventory: &Inventory, mailbox: MailboxNo) -> &str {
    let record = inventory.mailbox(mailbox);
    record
        .and_then(|record| record.address.as_ref())
        .map_or("(no address)", |address| address.reveal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_effect_is_called_so() {
        let of = |route| reminder_line(route, ReminderRule::AfterCutover).unwrap_or_default();
        assert!(of(RouteRule::Stream).contains("no effect"));
        for route in [RouteRule::Auto, RouteRule::Typed] {
            assert!(of(route).contains("run --final") && !of(route).contains("warning"));
        }
        for route in RouteRule::ALL {
            assert_eq!(reminder_line(route, ReminderRule::AsSource), None);
        }
    }
}
