//! What happened to an item, in words. No content; who decided and why is said, for those who look into a ledger.

use crate::base::fact::{CopyFact, Decision, Resolution};

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
