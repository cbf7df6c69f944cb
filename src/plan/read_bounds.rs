//! The bounds of a plan: limits, schedule, selection. Lowering a limit is free; raising one above what is published is refused.

use crate::base::limits;
use crate::base::quantity::{Bytes, Count, Span, parse_bytes};
use crate::base::spec::{Realm, RunLimits, SourceByDay};
use crate::plan::document::{SelectPlan, parse_span};
use crate::plan::read::{narrow, one_of};
use crate::plan::schedule::{DAYS, Schedule, Window, parse_date, parse_time, zone_of};
use crate::plan::strict::{Reader, Section};

const WINDOW_KEYS: [&str; 3] = ["days", "from", "to"];

pub(super) fn read_limits<'r, 'a>(
    reader: &'r Reader<'a>,
    top: &Section<'r, 'a>,
    realm: Realm,
    bounds: &mut RunLimits,
) {
    let known = [
        "target_calls_in_flight_per_mailbox",
        "target_requests_per_10_min",
        "target_upload_per_5_min",
        "source_mailboxes_at_once",
        "source_connections_by_day",
        "working_hours",
        "memory",
        "spool_memory",
        "visibility_settle",
    ];
    let Some(section) = top.section("limits", &known) else {
        return;
    };
    let calls = u64::from(limits::GRAPH_CALLS_IN_FLIGHT_PER_MAILBOX);
    let published = "the published limit";
    if let Some(n) = section.number("target_calls_in_flight_per_mailbox", 1, calls, published) {
        bounds.target_calls_in_flight = narrow(n);
    }
    let requests = "target_requests_per_10_min";
    if is_unlimited(reader, &section, requests, realm) {
        bounds.target_requests_per_window = None;
    } else if let Some(n) = section.number(
        requests,
        1,
        limits::GRAPH_REQUESTS_PER_WINDOW.get(),
        published,
    ) {
        bounds.target_requests_per_window = Some(Count::new(n));
    }
    let upload = "target_upload_per_5_min";
    if is_unlimited(reader, &section, upload, realm) {
        bounds.target_upload_per_window = None;
    } else {
        let most = (limits::GRAPH_UPLOAD_PER_WINDOW, published);
        let least = Bytes::new(1);
        if let Some(size) = read_size(reader, &section, upload, least, most) {
            bounds.target_upload_per_window = Some(size);
        }
    }
    let most = u64::from(limits::MAILBOXES_AT_ONCE_MAX);
    if let Some(n) = section.number("source_mailboxes_at_once", 1, most, "memory and sockets") {
        bounds.mailboxes_at_once = narrow(n);
    }
    bounds.source_by_day = read_by_day(reader, &section, bounds.source_connections);
    // Without room for one item of the largest kind a run could stand still for ever.
    let least = limits::ITEM_MAX;
    let most = (limits::SPOOL_TOTAL_MAX, "of one machine");
    if let Some(size) = read_size(reader, &section, "memory", least, most) {
        bounds.spool_total = size;
        bounds.spool_memory = bounds.spool_memory.min(size);
    }
    let most = (bounds.spool_total, "the whole of `memory`");
    let least = limits::SPOOL_IN_MEMORY;
    if let Some(size) = read_size(reader, &section, "spool_memory", least, most) {
        bounds.spool_memory = size;
    }
    if let Some(settle) = read_settle(reader, &section, realm) {
        bounds.settle = settle;
    }
}

/// The cap on the source while its users work. The zone is the schedule's, and filled in when that is read.
fn read_by_day<'r, 'a>(
    reader: &'r Reader<'a>,
    section: &Section<'r, 'a>,
    most: u32,
) -> Option<SourceByDay> {
    let (cap, hours) = ("source_connections_by_day", "working_hours");
    if let Some(item) = section.item(hours)
        && !section.has(cap)
    {
        let wanted = format!("`{hours}` says when `{cap}` holds, which is missing");
        reader.refuse(item.span().as_ref(), wanted);
    }
    let connections = section.number(cap, 1, u64::from(most), "the source's max_connections")?;
    let day = SourceByDay {
        connections: narrow(connections),
        time_zone: String::new(),
        days: vec![0, 1, 2, 3, 4],
        from: limits::WORKING_HOURS.0,
        to: limits::WORKING_HOURS.1,
    };
    let Some(hours) = section.section(hours, &WINDOW_KEYS) else {
        return Some(day);
    };
    let Window { days, from, to } = read_window(reader, &hours)?;
    Some(SourceByDay {
        days,
        from,
        to,
        ..day
    })
}

/// Gives the working hours their zone.
pub(super) fn place_hours<'r, 'a>(
    reader: &'r Reader<'a>,
    top: &Section<'r, 'a>,
    schedule: Option<&Schedule>,
    bounds: &mut RunLimits,
) {
    let Some(day) = &mut bounds.source_by_day else {
        return;
    };
    if let Some(schedule) = schedule {
        day.time_zone.clone_from(&schedule.time_zone);
    } else if !top.has("schedule") {
        let limits = top.item("limits").and_then(toml_edit::Item::span);
        let wanted = "`source_connections_by_day` needs to know whose day: write [schedule] with `time_zone`";
        reader.refuse(limits.as_ref(), wanted);
    }
}

/// True when the key says `"unlimited"`, which is refused outside rehearsals.
fn is_unlimited<'r, 'a>(
    reader: &'r Reader<'a>,
    section: &Section<'r, 'a>,
    key: &str,
    realm: Realm,
) -> bool {
    let Some(item) = section.item(key) else {
        return false;
    };
    if item.as_str() != Some("unlimited") {
        return false;
    }
    if realm == Realm::Live {
        reader.refuse(
            item.span().as_ref(),
            format!("`{key}` may be \"unlimited\" in a rehearsal only"),
        );
    }
    true
}

fn read_size<'r, 'a>(
    reader: &'r Reader<'a>,
    section: &Section<'r, 'a>,
    key: &str,
    least: Bytes,
    (most, why): (Bytes, &str),
) -> Option<Bytes> {
    let text = section.text(key)?;
    let Some(size) = parse_bytes(&text.value) else {
        reader.refuse(
            text.span.as_ref(),
            format!("`{key}` must be a size such as \"148 MB\""),
        );
        return None;
    };
    if size < least || size > most {
        reader.refuse(
            text.span.as_ref(),
            format!("`{key}` may be {least} to {most} ({why})"),
        );
        return None;
    }
    Some(size)
}

fn read_settle<'r, 'a>(
    reader: &'r Reader<'a>,
    section: &Section<'r, 'a>,
    realm: Realm,
) -> Option<Span> {
    let text = section.text("visibility_settle")?;
    let Some(span) = parse_span(&text.value) else {
        reader.refuse(
            text.span.as_ref(),
            "`visibility_settle` must be a time such as \"30 s\"",
        );
        return None;
    };
    // A shorter wait makes a late item look like a missing one, and a missing one is sent again.
    let least = match realm {
        Realm::Live => limits::VISIBILITY_SETTLE,
        Realm::Rehearsal => Span::ZERO,
    };
    if span < least || span > limits::HOLD_MAX {
        reader.refuse(
            text.span.as_ref(),
            format!(
                "`visibility_settle` may be {least} to {}: a shorter wait would create twice what shows late",
                limits::HOLD_MAX
            ),
        );
        return None;
    }
    Some(span)
}

pub(super) fn read_schedule<'r, 'a>(
    reader: &'r Reader<'a>,
    top: &Section<'r, 'a>,
) -> Option<Schedule> {
    let section = top.section("schedule", &["time_zone", "windows"])?;
    let time_zone = section.required("time_zone");
    if let Some(zone) = &time_zone
        && zone_of(&zone.value).is_none()
    {
        reader.refuse(
            zone.span.as_ref(),
            "`time_zone` is no IANA time zone such as \"Europe/Guernsey\"",
        );
    }
    let mut windows = Vec::new();
    for window in section
        .sections("windows", &WINDOW_KEYS)
        .unwrap_or_default()
    {
        if let Some(window) = read_window(reader, &window) {
            windows.push(window);
        }
    }
    Some(Schedule {
        time_zone: time_zone?.value,
        windows,
    })
}

fn read_window<'r, 'a>(reader: &'r Reader<'a>, window: &Section<'r, 'a>) -> Option<Window> {
    let mut days = Vec::new();
    if !window.has("days") {
        window.missing("days");
    }
    for day in window.texts("days").unwrap_or_default() {
        let words: Vec<(&str, u8)> = DAYS.iter().copied().zip(0..).collect();
        if let Some(day) = one_of(reader, "days", &day, &words) {
            days.push(day);
        }
    }
    days.sort_unstable();
    days.dedup();
    let time = |key: &str| {
        let text = window.required(key)?;
        let time = parse_time(&text.value);
        if time.is_none() {
            reader.refuse(
                text.span.as_ref(),
                format!("`{key}` must be a time from \"00:00\" to \"24:00\""),
            );
        }
        time
    };
    let (from, to) = (time("from"), time("to"));
    Some(Window {
        days,
        from: from?,
        to: to?,
    })
}

pub(super) fn read_select<'r, 'a>(
    reader: &'r Reader<'a>,
    top: &Section<'r, 'a>,
    bounds: &RunLimits,
) -> SelectPlan {
    let known = ["exclude_folders", "older_than", "max_item_size"];
    let mut select = SelectPlan::default();
    let Some(section) = top.section("select", &known) else {
        select.max_item_size = Some(limits::ITEM_MAX.min(bounds.spool_total));
        return select;
    };
    for folder in section.texts("exclude_folders").unwrap_or_default() {
        if folder.value.trim().is_empty() {
            reader.refuse(
                folder.span.as_ref(),
                "`exclude_folders` holds an empty name",
            );
        }
        select.exclude_folders.push(folder.value);
    }
    if let Some(day) = section.text("older_than")
        && day.value != "never"
    {
        if parse_date(&day.value).is_none() {
            reader.refuse(
                day.span.as_ref(),
                "`older_than` must be \"never\" or a day such as \"2015-01-01\"",
            );
        }
        select.older_than = Some(day.value);
    }
    let most = (limits::ITEM_MAX, "the largest message a tenant can take");
    let least = Bytes::new(1);
    let size = read_size(reader, &section, "max_item_size", least, most);
    select.max_item_size = Some(size.unwrap_or(limits::ITEM_MAX));
    select
}
