//! The waves of a plan and their mailbox pairs, each mailbox named once.

use std::collections::BTreeMap;

use crate::base::id::MailboxId;
use crate::base::quantity::{Bytes, Count};
use crate::plan::address::fault_of_address;
use crate::plan::document::{Pair, Wave};
use crate::plan::schedule::parse_date;
use crate::plan::strict::{At, Reader, Section};

pub(super) fn read_waves<'r, 'a>(reader: &'r Reader<'a>, top: &Section<'r, 'a>) -> Vec<Wave> {
    let mut waves = Vec::new();
    let mut seen = Seen::default();
    let known = ["name", "not_before", "mailboxes"];
    if !top.has("wave") {
        top.missing("wave");
    }
    for wave in top.sections("wave", &known).unwrap_or_default() {
        let name = wave.required("name");
        let not_before = day(reader, &wave);
        if !wave.has("mailboxes") {
            wave.missing("mailboxes");
        }
        let mut mailboxes = Vec::new();
        let keys = ["source", "target", "not_before", "items", "bytes"];
        let pairs = wave.sections("mailboxes", &keys);
        for pair in pairs.unwrap_or_default() {
            let source = address(reader, &pair, "source");
            let target = address(reader, &pair, "target");
            if let (Some(source), Some(target)) = (source, target) {
                seen.check(reader, &source, &target);
                let most = i64::MAX.unsigned_abs();
                let number = |key: &str| pair.number(key, 0, most, "of a mailbox");
                mailboxes.push(Pair {
                    not_before: day(reader, &pair),
                    items: number("items").map(Count::new),
                    bytes: number("bytes").map(Bytes::new),
                    ..Pair::new(MailboxId::new(source.value), MailboxId::new(target.value))
                });
            }
        }
        if let Some(name) = name {
            waves.push(Wave {
                name: name.value,
                not_before,
                mailboxes,
            });
        }
    }
    if top.has("wave") && waves.iter().all(|wave| wave.mailboxes.is_empty()) {
        reader.refuse(None, "the plan names no mailbox");
    }
    waves
}

/// The day of `not_before`, where the key is there.
fn day<'r, 'a>(reader: &'r Reader<'a>, section: &Section<'r, 'a>) -> Option<String> {
    let day = section.text("not_before")?;
    if parse_date(&day.value).is_none() {
        reader.refuse(
            day.span.as_ref(),
            "`not_before` must be a day such as \"2026-12-01\"",
        );
    }
    Some(day.value)
}

fn address<'r, 'a>(
    reader: &'r Reader<'a>,
    pair: &Section<'r, 'a>,
    key: &str,
) -> Option<At<String>> {
    let text = pair.required(key)?;
    if let Some(reason) = fault_of_address(&text.value) {
        reader.refuse(text.span.as_ref(), format!("`{key}`: {reason}"));
        return None;
    }
    Some(text)
}

/// Which addresses were named before, and where. Two sources into one target would mix two people's mail.
#[derive(Default)]
struct Seen {
    sources: BTreeMap<String, usize>,
    targets: BTreeMap<String, usize>,
}

impl Seen {
    fn check(&mut self, reader: &Reader<'_>, source: &At<String>, target: &At<String>) {
        let sides = [
            (&mut self.sources, source, "source"),
            (&mut self.targets, target, "target"),
        ];
        for (seen, address, side) in sides {
            let count = seen.entry(address.value.to_lowercase()).or_default();
            *count += 1;
            if *count > 1 {
                reader.refuse(
                    address.span.as_ref(),
                    format!("this {side} mailbox is named before in this plan"),
                );
            }
        }
    }
}
