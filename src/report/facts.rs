//! What happened to an item, in words. No content; who decided and why is said, for those who look into a ledger.

use crate::base::fact::{CopyFact, Decision, Resolution};
use crate::base::screening::{Answer, Effect, Judgement, Screening};

/// One fact in one line.
pub fn words(fact: &CopyFact) -> String {
    match fact {
        CopyFact::Intended { stream, .. } => format!("a create of {stream} was about to be sent"),
        CopyFact::Acknowledged(_) => "Microsoft 365 answered that it made the copy".to_owned(),
        CopyFact::NothingSent => "nothing of it was sent".to_owned(),
        CopyFact::Refused(refusal) => format!("refused: {:?}, {}", refusal.why, refusal.said),
        CopyFact::Lost(cause) => format!("no usable answer came ({cause:?})"),
        CopyFact::SeenOnce(_) => "looked: the copy is there".to_owned(),
        CopyFact::NotSeen => "looked, late enough: no copy is there".to_owned(),
        CopyFact::SeenTwice => "looked: more copies are there than were sent".to_owned(),
        CopyFact::Adopted(_) => "found there before it was ever sent".to_owned(),
        CopyFact::Skipped(rule) => format!("left by rule: {}", rule.name()),
        CopyFact::Gone => "left the source".to_owned(),
        CopyFact::ChangedSince => "changed at the source".to_owned(),
        CopyFact::UpdateIntended { stream, .. } => {
            format!("an update of {stream} was about to be sent")
        }
        CopyFact::Updated(_) => "Microsoft 365 took the newer version".to_owned(),
        CopyFact::NotUpdated => "looked: the copy is still the older version".to_owned(),
        CopyFact::SameContent => "exported anew: the content is the same".to_owned(),
        CopyFact::Relearned(_) => {
            "looked: the copy is one of ours with another version mark".to_owned()
        }
        CopyFact::Estranged(how) => format!("looked: {}", how.name()),
        CopyFact::Retracted => "its copy was taken off Microsoft 365".to_owned(),
        CopyFact::Retried(decision) => said("to be tried again", decision),
        CopyFact::Resolved(wish, decision) => said(resolution(*wish), decision),
        CopyFact::Screened(screening) => screened(screening),
        CopyFact::Judged(judgement, _, decision) => said(judgement_words(*judgement), decision),
        CopyFact::Rerouted(None) => "carried by its class, without trying its stream".to_owned(),
        CopyFact::Rerouted(Some(refusal)) => format!(
            "its stream was refused ({:?}, {}): carried by its class",
            refusal.why, refusal.said
        ),
    }
}

/// A look in words.
fn screened(screening: &Screening) -> String {
    let what = match (&screening.answer, screening.effect) {
        (Answer::NothingFound, _) => "nothing found".to_owned(),
        (Answer::Found(hits), effect) => {
            let marks: Vec<&str> = hits.iter().map(|hit| hit.mark.as_str()).collect();
            let then = match effect {
                Effect::Passes => "carried all the same",
                Effect::Withheld | Effect::Waits => "withheld",
            };
            format!("found {}; {then}", marks.join(", "))
        }
        (Answer::NotScanned(why), Effect::Passes) => {
            format!(
                "not scanned ({}); carried, since a person released it",
                why.name()
            )
        }
        (Answer::NotScanned(why), _) => format!("not scanned ({}); it waits", why.name()),
    };
    let (parts, by) = (screening.parts, &screening.by);
    format!("looked into: {what}. {parts} parts, by {by}")
}

/// A decision about a withheld item in words.
pub const fn judgement_words(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Release => "release it: carry exactly what was looked into",
        Judgement::Confirm => "keep it withheld",
    }
}

/// A decision in words.
pub const fn resolution(wish: Resolution) -> &'static str {
    match wish {
        Resolution::Again => "look once more, and carry it where it is not there",
        Resolution::Accept => "accept what the target holds",
        Resolution::Leave => "leave it behind",
    }
}

fn said(what: &str, decision: &Decision) -> String {
    let Decision { by, why, at } = decision;
    format!("decided by {by} at {at}: {what} ({why})")
}
