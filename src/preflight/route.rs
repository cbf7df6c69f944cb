//! The way between the sides, class by class: what the canaries prove, and what they do not.

use std::collections::BTreeMap;

use crate::base::item::ItemClass;
use crate::base::losses::class_fate;
use crate::base::outcome::{Code, HaltCause, Refusal, RefusalWhy, Setback};
use crate::base::probe::{CanaryEnd, CanaryTrial, Cleanup};
use crate::base::route::Route;
use crate::preflight::canary::goes_by_class;
use crate::preflight::cause::Cause;
use crate::preflight::check::Check;
use crate::preflight::facts::Facts;
use crate::preflight::finding::Finding;
use crate::preflight::observed::CanariesSeen;
use crate::preflight::rights::denial;
use crate::preflight::route_typed::{self, listed};

/// Findings per class, of the largest item and of the cleaning up.
pub fn findings(seen: &CanariesSeen, facts: &Facts) -> Vec<Finding> {
    let mut out: BTreeMap<String, Finding> = BTreeMap::new();
    for (name, trials) in classes(&seen.trials) {
        let (by_class, streams): (Vec<&CanaryTrial>, Vec<&CanaryTrial>) = trials
            .into_iter()
            .partition(|trial| trial.route == Route::Typed);
        let finding = if by_class.is_empty() {
            class(&name, &streams, facts)
        } else {
            route_typed::class(&name, &by_class, &streams, facts)
        };
        out.insert(name, finding);
    }
    let why = seen.not_tried.as_deref();
    for class in &seen.found {
        let tried = out
            .keys()
            .any(|own| own.eq_ignore_ascii_case(class.as_str()));
        if !tried {
            out.insert(class.as_str().to_owned(), untried(class, why, facts));
        }
    }
    let mut out: Vec<Finding> = out.into_values().collect();
    if out.is_empty() {
        let why = why.unwrap_or("no item was found");
        out.push(Finding::not_checked(Check::RouteClass, "every class", why));
    }
    // Where its stream was refused and it went by its class, that is the last word.
    match seen.trials.iter().rev().find(|trial| trial.largest) {
        Some(trial) => out.push(largest(trial, facts)),
        None => out.push(Finding::not_checked(
            Check::RouteLargest,
            "largest item",
            "no largest item was carried",
        )),
    }
    out.extend(cleanup(seen, facts));
    out
}

/// The trials of each class, by its name; the largest item's are apart.
fn classes(trials: &[CanaryTrial]) -> BTreeMap<String, Vec<&CanaryTrial>> {
    let mut out: BTreeMap<String, Vec<&CanaryTrial>> = BTreeMap::new();
    for trial in trials.iter().filter(|trial| !trial.largest) {
        let same = out
            .keys()
            .find(|own| own.eq_ignore_ascii_case(&trial.class))
            .cloned();
        let key = same.unwrap_or_else(|| trial.class.clone());
        out.entry(key).or_default().push(trial);
    }
    out
}

/// A class of a plan that wants no streams, of which no item was made.
fn untried(class: &ItemClass, why: Option<&str>, facts: &Facts) -> Finding {
    let (check, name) = (Check::RouteClass, class.as_str());
    let fate = class_fate(name);
    match fate.family {
        Some(family) => {
            let words = family.words();
            let detail = format!("carried by its class as {words}, as the plan says");
            let detail = match why {
                Some(why) => format!("{detail}; none was tried: {why}"),
                None => detail,
            };
            Finding::of(Cause::CarriedByClass, check, name, detail, facts)
        }
        None => Finding::of(
            Cause::NoTypedForm,
            check,
            name,
            format!("{}: no program can create them by their class", fate.what),
            facts,
        ),
    }
}

/// A class of which no item was made by its class.
fn class(name: &str, trials: &[&CanaryTrial], facts: &Facts) -> Finding {
    let check = Check::RouteClass;
    let of = |cause, detail: String| Finding::of(cause, check, name, detail, facts);
    let first = |pick: fn(&CanaryEnd) -> bool| trials.iter().find(|t| pick(&t.end));
    let refused = first(|end| matches!(end, CanaryEnd::Refused(_)));
    if let Some(trial) = first(|end| matches!(end, CanaryEnd::Differs)) {
        return of(
            Cause::ClassDiffers,
            format!("an item of {} came back with another content", trial.size),
        );
    }
    if let Some(trial) = first(|end| matches!(end, CanaryEnd::Same)) {
        let detail = format!(
            "an item of {} went there and came back the same",
            trial.size
        );
        return match refused.map(|trial| &trial.end) {
            Some(CanaryEnd::Refused(why)) => of(
                Cause::ItemsRefused,
                format!("{detail}; another was refused before ({why})"),
            ),
            _ => Finding::ok(check, name, detail),
        };
    }
    if first(|end| matches!(end, CanaryEnd::NotComparable)).is_some() {
        return of(
            Cause::NotComparable,
            "taken and read back; its content holds what the reader does not know, so it cannot be compared".to_owned(),
        );
    }
    let why = trials.iter().rev().find_map(|trial| match &trial.end {
        CanaryEnd::Refused(why) => Some((Cause::ClassRefused, why)),
        CanaryEnd::Doubtful(why) | CanaryEnd::NotReadBack(why) => {
            Some((Cause::CanaryDoubtful, why))
        }
        CanaryEnd::NotExported(why) => Some((Cause::NotExported, why)),
        _ => None,
    });
    match why {
        Some((Cause::ClassRefused, why)) if goes_by_class(name, why, facts.route) => of(
            Cause::CarriedByClass,
            format!(
                "{} tried; {why}; such items are carried by their class",
                trials.len()
            ),
        ),
        Some((cause, why)) => of(cause, format!("{} tried; {why}", trials.len())),
        None => Finding::not_checked(check, name, "nothing was tried"),
    }
}

fn largest(trial: &CanaryTrial, facts: &Facts) -> Finding {
    let check = Check::RouteLargest;
    let of = |cause, detail: String| Finding::of(cause, check, "largest item", detail, facts);
    let size = trial.size;
    let by_class = trial.route == Route::Typed;
    match &trial.end {
        CanaryEnd::Same | CanaryEnd::NotComparable | CanaryEnd::ByRoute(_) => {
            let how = if by_class { " by its class" } else { "" };
            Finding::ok(check, "largest item", format!("{size}, taken{how}"))
        }
        CanaryEnd::Differs => of(Cause::ClassDiffers, format!("{size}, came back different")),
        CanaryEnd::DiffersIn(fields) => of(
            Cause::ClassDiffers,
            format!("{size}, came back with other {}", listed(fields)),
        ),
        // Said once, where the right is.
        CanaryEnd::Refused(why) if by_class && denial(why).is_some() => Finding::not_checked(
            check,
            "largest item",
            format!("{size}, not made: {why}; see target.rights"),
        ),
        CanaryEnd::Refused(why) if is_too_large(why) => {
            of(Cause::ItemSizeSmall, format!("{size}, refused: {why}"))
        }
        CanaryEnd::Refused(Setback::MailboxClosed(HaltCause::QuotaFull, said)) => {
            of(Cause::QuotaSmall, format!("{size}, refused: {said}"))
        }
        CanaryEnd::Refused(why) => of(Cause::ItemsRefused, format!("{size}, refused: {why}")),
        CanaryEnd::NotExported(why) => of(Cause::NotExported, format!("{size}: {why}")),
        CanaryEnd::Doubtful(why) | CanaryEnd::NotReadBack(why) => {
            of(Cause::CanaryDoubtful, format!("{size}: {why}"))
        }
    }
}

fn is_too_large(why: &Setback) -> bool {
    match why {
        Setback::ItemRefused(Refusal { why, said }) => {
            *why == RefusalWhy::TooLarge
                || said.code.as_ref().map(Code::as_str) == Some("ErrorMessageSizeExceeded")
        }
        _ => false,
    }
}

fn cleanup(seen: &CanariesSeen, facts: &Facts) -> Vec<Finding> {
    let check = Check::RouteCleanup;
    let left = seen.cleanup.iter().filter_map(|(mailbox, end)| match end {
        Cleanup::Clean => None,
        Cleanup::Left { items, why } => Some(Finding::of(
            Cause::CanaryLeft,
            check,
            mailbox.reveal(),
            format!("{items} items and a hidden folder of ours are left: {why}"),
            facts,
        )),
    });
    let left: Vec<Finding> = left.collect();
    if left.is_empty() && !seen.cleanup.is_empty() {
        return vec![Finding::ok(
            check,
            format!("{} mailboxes", seen.cleanup.len()),
            "everything the canaries made is deleted again",
        )];
    }
    left
}
