//! What differs between two plans, in the words of people: who comes, who goes, who changes waves, what else was changed.

use std::collections::BTreeMap;

use crate::base::id::MailboxId;
use crate::plan::document::{Pair, Plan};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A value of the head (source, target, limits, schedule, selection, name, realm), by the key that differs; both sides as written.
    Value {
        /// The key with its table, such as `limits.memory`.
        key: String,
        /// What the old plan says; `None`: nothing.
        old: Option<String>,
        /// What the new plan says.
        new: Option<String>,
    },
    /// A wave of the new plan only.
    WaveAdded(String),
    /// A wave of the old plan only.
    WaveRemoved(String),
    /// A wave begins on another day.
    WaveDay {
        /// Which wave.
        wave: String,
        /// The old day.
        old: Option<String>,
        /// The new day.
        new: Option<String>,
    },
    /// A mailbox of the new plan only, with its wave.
    Added(MailboxId, String),
    /// A mailbox of the old plan only, with its wave.
    Removed(MailboxId, String),
    /// A mailbox goes in another wave: old, new.
    Moved(MailboxId, String, String),
    /// A mailbox goes to another target, or its size or first day changed.
    Row(MailboxId, &'static str),
}

/// All differences in a fixed order; none for plans with the same hash.
pub fn diff(old: &Plan, new: &Plan) -> Vec<Change> {
    let mut out = values(old, new);
    waves(old, new, &mut out);
    mailboxes(old, new, &mut out);
    out
}

/// The lines of the canonical head, by key.
fn head(plan: &Plan) -> BTreeMap<String, String> {
    let bare = Plan {
        waves: Vec::new(),
        ..plan.clone()
    };
    let text = bare.render();
    let mut out = BTreeMap::new();
    let (mut table, mut key) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            name.clone_into(&mut table);
        } else if let Some((name, value)) =
            line.split_once(" = ").filter(|_| !line.starts_with(' '))
        {
            key = if table.is_empty() {
                name.to_owned()
            } else {
                format!("{table}.{name}")
            };
            out.insert(key.clone(), value.to_owned());
        } else if let Some(value) = out.get_mut(&key).filter(|_| !line.is_empty()) {
            // A list on several lines.
            value.push_str(line.trim());
        }
    }
    out
}

fn values(old: &Plan, new: &Plan) -> Vec<Change> {
    let (before, mut after) = (head(old), head(new));
    let mut out = Vec::new();
    for (key, old) in before {
        let new = after.remove(&key);
        if new.as_ref() != Some(&old) {
            let old = Some(old);
            out.push(Change::Value { key, old, new });
        }
    }
    let added = after.into_iter().map(|(key, new)| Change::Value {
        key,
        old: None,
        new: Some(new),
    });
    out.extend(added);
    out
}

fn waves(old: &Plan, new: &Plan, out: &mut Vec<Change>) {
    let days = |plan: &Plan| -> BTreeMap<String, Option<String>> {
        plan.waves
            .iter()
            .map(|wave| (wave.name.clone(), wave.not_before.clone()))
            .collect()
    };
    let (before, after) = (days(old), days(new));
    for (wave, day) in &before {
        match after.get(wave) {
            None => out.push(Change::WaveRemoved(wave.clone())),
            Some(new) if new != day => out.push(Change::WaveDay {
                wave: wave.clone(),
                old: day.clone(),
                new: new.clone(),
            }),
            Some(_) => {}
        }
    }
    let added = after.into_keys().filter(|wave| !before.contains_key(wave));
    out.extend(added.map(Change::WaveAdded));
}

fn mailboxes(old: &Plan, new: &Plan, out: &mut Vec<Change>) {
    let rows = |plan: &Plan| -> BTreeMap<String, (String, Pair)> {
        let all = plan
            .waves
            .iter()
            .flat_map(|wave| wave.mailboxes.iter().map(move |pair| (wave, pair)));
        all.map(|(wave, pair)| {
            (
                pair.source.reveal().to_lowercase(),
                (wave.name.clone(), pair.clone()),
            )
        })
        .collect()
    };
    let (before, mut after) = (rows(old), rows(new));
    for (key, (wave, pair)) in before {
        let Some((new_wave, new_pair)) = after.remove(&key) else {
            out.push(Change::Removed(pair.source, wave));
            continue;
        };
        if wave != new_wave {
            out.push(Change::Moved(pair.source.clone(), wave, new_wave));
        }
        let what = if pair.target != new_pair.target {
            "another target"
        } else if pair.not_before != new_pair.not_before {
            "another first day"
        } else if (pair.items, pair.bytes) != (new_pair.items, new_pair.bytes) {
            "another size"
        } else if pair.source != new_pair.source {
            "another spelling"
        } else {
            continue;
        };
        out.push(Change::Row(pair.source, what));
    }
    out.extend(
        after
            .into_values()
            .map(|(wave, pair)| Change::Added(pair.source, wave)),
    );
}

impl Change {
    /// The difference on one line, for the operator's own terminal.
    pub fn words(&self) -> String {
        let or_none =
            |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        match self {
            Self::Value { key, old, new } => {
                format!("~ {key}: {} -> {}", or_none(old), or_none(new))
            }
            Self::WaveAdded(wave) => format!("+ wave {wave}"),
            Self::WaveRemoved(wave) => format!("- wave {wave}"),
            Self::WaveDay { wave, old, new } => {
                format!(
                    "~ wave {wave}: not before {} -> {}",
                    or_none(old),
                    or_none(new)
                )
            }
            Self::Added(mailbox, wave) => format!("+ {} in {wave}", mailbox.reveal()),
            Self::Removed(mailbox, wave) => format!("- {} from {wave}", mailbox.reveal()),
            Self::Moved(mailbox, from, to) => format!("~ {}: {from} -> {to}", mailbox.reveal()),
            Self::Row(mailbox, what) => format!("~ {}: {what}", mailbox.reveal()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../plans/clinic.toml");

    #[test]
    fn a_plan_does_not_differ_from_itself_and_every_change_is_named() {
        let old = Plan::parse(SAMPLE).expect("the sample is right");
        assert_eq!(diff(&old, &old), []);
        let mut new = old.clone();
        new.limits.mailboxes_at_once = 7;
        new.schedule = None;
        new.waves[0].not_before = None;
        let moved = new.waves[0].mailboxes.remove(0);
        new.waves[0].mailboxes.push(Pair::new(
            MailboxId::new("z@clinic.example"),
            MailboxId::new("z@clinic.example"),
        ));
        let mut second = new.waves[0].clone();
        second.name = "later".into();
        second.mailboxes = vec![Pair {
            target: MailboxId::new("other@clinic.example"),
            ..moved
        }];
        new.waves.push(second);
        let words: Vec<String> = diff(&old, &new).iter().map(Change::words).collect();
        insta::assert_snapshot!(words.join("\n"), @r#"
        ~ limits.source_mailboxes_at_once: 20 -> 7
        ~ schedule.time_zone: "Europe/Guernsey" -> nothing
        ~ schedule.windows: [{ days = ["mon", "tue", "wed", "thu", "fri"], from = "20:00", to = "06:00" },{ days = ["sat", "sun"], from = "00:00", to = "24:00" },] -> nothing
        ~ wave pilot: not before 2026-12-01 -> nothing
        + wave later
        ~ a.harris@clinic.example: pilot -> later
        ~ a.harris@clinic.example: another target
        + z@clinic.example in pilot
        "#);
    }
}
