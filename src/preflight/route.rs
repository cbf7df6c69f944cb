//! The verdict on the way between the sides: what the canaries prove, class by class, and what they do not.

use std::collections::BTreeMap;

use crate::base::outcome::{Code, HaltCause, Refusal, RefusalWhy, Setback};
use crate::base::probe::{CanaryEnd, CanaryTrial, Cleanup};
use crate::preflight::cause::Cause;
use crate::preflight::check::Check;
use crate::preflight::facts::Facts;
use crate::preflight::finding::{Finding, State};
use crate::preflight::observed::CanariesSeen;

/// Whether streams of this source are taken by this tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FastTransfer {
    /// At least one class went there and came back the same; the classes say which.
    Works,
    /// Nothing was taken.
    Refused,
    /// Nothing was tried, or nothing told.
    NotProven,
}

impl FastTransfer {
    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Refused => "refused",
            Self::NotProven => "not_proven",
        }
    }
}

/// The verdict of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whether it works.
    pub fast_transfer: FastTransfer,
    /// In one sentence.
    pub detail: String,
    /// Each class with the state of its check.
    pub classes: Vec<(String, State)>,
}

/// Findings per class, of the largest item and of the cleaning up.
pub fn findings(seen: &CanariesSeen, facts: &Facts) -> Vec<Finding> {
    let mut out = Vec::new();
    let by_class = classes(&seen.trials);
    if by_class.is_empty() {
        let why = seen.not_tried.as_deref().unwrap_or("no item was found");
        out.push(Finding::not_checked(Check::RouteClass, "every class", why));
    }
    out.extend(
        by_class
            .iter()
            .map(|(name, trials)| class(name, trials, facts)),
    );
    match seen.trials.iter().find(|trial| trial.largest) {
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

/// The trials of each class, by its name in lower case; the largest item's among them.
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
        Some((cause, why)) => of(cause, format!("{} tried; {why}", trials.len())),
        None => Finding::not_checked(check, name, "nothing was tried"),
    }
}

fn largest(trial: &CanaryTrial, facts: &Facts) -> Finding {
    let check = Check::RouteLargest;
    let of = |cause, detail: String| Finding::of(cause, check, "largest item", detail, facts);
    let size = trial.size;
    match &trial.end {
        CanaryEnd::Same | CanaryEnd::NotComparable => {
            Finding::ok(check, "largest item", format!("{size}, taken"))
        }
        CanaryEnd::Differs => of(Cause::ClassDiffers, format!("{size}, came back different")),
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

/// A class with the state of its check and its diagnosis.
type Judged = (String, State, Option<Cause>);

/// Which of them are meant.
type Pick = fn(&Judged) -> bool;

/// The verdict.
pub fn verdict(findings: &[Finding], seen: &CanariesSeen) -> Route {
    let classes: Vec<Judged> = findings
        .iter()
        .filter(|f| f.check == Check::RouteClass && f.state != State::NotChecked)
        .map(|f| (f.subject.clone(), f.state, f.cause))
        .collect();
    let names = |pick: Pick| -> Vec<&str> {
        let picked = classes.iter().filter(|one| pick(one));
        picked.map(|(name, _, _)| name.as_str()).collect()
    };
    let works =
        names(|(_, state, cause)| *state == State::Ok || *cause == Some(Cause::ItemsRefused));
    let bad = names(|(_, state, _)| *state == State::Fail);
    let open =
        names(|(_, state, cause)| *state == State::Warn && *cause != Some(Cause::ItemsRefused));
    let list = |names: &[&str]| names.join(", ");
    let (fast_transfer, detail) = match (works.is_empty(), bad.is_empty(), open.is_empty()) {
        (true, true, true) => (
            FastTransfer::NotProven,
            seen.not_tried
                .clone()
                .unwrap_or_else(|| "no item was found to try it with".to_owned()),
        ),
        (true, true, false) => (
            FastTransfer::NotProven,
            format!("nothing could be decided for {}", list(&open)),
        ),
        (true, false, _) => (
            FastTransfer::Refused,
            format!("no class was taken; refused or changed: {}", list(&bad)),
        ),
        (false, true, true) => (
            FastTransfer::Works,
            format!("works for every class that was found: {}", list(&works)),
        ),
        (false, _, _) => {
            let mut text = format!("works for {}", list(&works));
            if !bad.is_empty() {
                text = format!("{text}; refused or changed: {}", list(&bad));
            }
            if !open.is_empty() {
                text = format!("{text}; not proven for {}", list(&open));
            }
            (FastTransfer::Works, text)
        }
    };
    Route {
        fast_transfer,
        detail,
        classes: classes
            .into_iter()
            .map(|(name, state, _)| (name, state))
            .collect(),
    }
}
