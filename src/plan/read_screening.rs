//! The part of a plan that says how items are looked into on their way.

use crate::base::screen_rules::{Mode, Rule, RuleBook};
use crate::base::screening::ClamdAddress;
use crate::plan::document::ScreenPlan;
use crate::plan::read::one_of;
use crate::plan::strict::{Reader, Section};

/// Lists of one plan.
const LISTS_MAX: usize = 100;

/// `[screening]`, where it is there. Without it nothing is looked into.
pub(super) fn read_screening<'r, 'a>(
    reader: &'r Reader<'a>,
    top: &Section<'r, 'a>,
) -> Option<ScreenPlan> {
    let known = ["rules", "sha256_lists", "clamd", "quarantine_recipient"];
    let section = top.section("screening", &known)?;
    let mut plan = ScreenPlan {
        rules: rules(reader, &section),
        ..ScreenPlan::default()
    };
    for list in section.texts("sha256_lists").unwrap_or_default() {
        if list.value.trim().is_empty() || plan.sha256_lists.len() >= LISTS_MAX {
            let message = format!("`sha256_lists` names up to {LISTS_MAX} files");
            reader.refuse(list.span.as_ref(), message);
            continue;
        }
        plan.sha256_lists.push(list.value);
    }
    if let Some(address) = section.text("clamd") {
        plan.clamd = ClamdAddress::parse(&address.value);
        if plan.clamd.is_none() {
            reader.refuse(
                address.span.as_ref(),
                "`clamd` is \"unix:/path\" or \"tcp:127.0.0.1:3310\": it neither asks who one is nor encrypts, so it must be on this machine",
            );
        }
    }
    if let Some(key) = section.text("quarantine_recipient") {
        let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if key.value.starts_with("age1") && key.value.bytes().all(lower) {
            plan.quarantine_recipient = Some(key.value);
        } else {
            reader.refuse(
                key.span.as_ref(),
                "`quarantine_recipient` is the public key of an age recipient (age1...), as age-keygen prints it",
            );
        }
    }
    if plan.rules.is_off() && plan.sha256_lists.is_empty() && plan.clamd.is_none() {
        reader.refuse(
            section.span(),
            "[screening] looks into nothing: every rule is off, and there is neither `clamd` nor `sha256_lists`",
        );
    }
    Some(plan)
}

/// One word for all rules, or a table with a word for some.
fn rules<'r, 'a>(reader: &'r Reader<'a>, section: &Section<'r, 'a>) -> RuleBook {
    let usual = RuleBook::default();
    let Some(item) = section.item("rules") else {
        return usual;
    };
    if item.is_str() {
        let word = section.text("rules");
        let mode = word.and_then(|word| one_of(reader, "rules", &word, &Mode::ALL));
        return mode.map_or(usual, RuleBook::all);
    }
    let names = Rule::ALL.map(Rule::name);
    let Some(table) = section.section("rules", &names) else {
        return usual;
    };
    let mut book = usual;
    for rule in Rule::ALL {
        let word = table.text(rule.name());
        let mode = word.and_then(|word| one_of(reader, rule.name(), &word, &Mode::ALL));
        if let Some(mode) = mode {
            book.set(rule, mode);
        }
    }
    book
}
