//! The gate before cutover: a pure function of the evidence. It opens nothing and closes nothing; it says what is open and what closes it.

use serde::Serialize;

use super::balance::Balance;
use super::checks::{Check, Look, look};
use super::verdict::{MailboxVerdict, Verdict};
use super::waiver::{SignedWaiver, Standing, Waiver, cover, extras_allowed};
use crate::base::fact::{Bucket, JobPhase};
use crate::base::id::{JobId, PlanHash};
use crate::base::outcome::HaltCause;
use crate::base::quantity::Count;

/// One mailbox of the plan.
#[derive(Clone, Debug)]
pub struct Mailbox {
    /// Its place in the plan.
    pub job: JobId,
    /// How it is called in messages.
    pub label: String,
}

/// What a comparison of two directories brought for one mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryNote {
    /// The mailbox.
    pub label: String,
    /// True when the target's export has no mailbox of that address.
    pub no_target: bool,
    /// True when the target's export says that its user has no licence.
    pub unlicensed: bool,
    /// True when its user needs a licence and the target's export does not say whether there is one.
    pub licence_unknown: bool,
    /// Addresses of the source that the target lacks.
    pub addresses: Vec<String>,
    /// Legacy distinguished names that the target lacks as X500 addresses.
    pub x500: Vec<String>,
}

/// A finding of the assessment that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its id.
    pub id: String,
    /// What closes it.
    pub remedy: String,
}

/// Everything the gate looks at.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// The plan's hash.
    pub plan: &'a PlanHash,
    /// The plan file, for the commands that close gates.
    pub plan_file: &'a str,
    /// Its mailboxes.
    pub mailboxes: &'a [Mailbox],
    /// What the ledger says.
    pub balance: &'a Balance,
    /// The last verification.
    pub verdict: Option<&'a Verdict>,
    /// Every waiver with its standing.
    pub waivers: &'a [(SignedWaiver, Standing)],
    /// The two directories compared; `None` where no exports were given.
    pub directory: Option<&'a [DirectoryNote]>,
    /// Critical findings that are open; `None` where nothing was assessed.
    pub posture: Option<&'a [Finding]>,
    /// Actions of the register that are in the way; `None` where the plan does not ask.
    pub actions: Option<&'a [Finding]>,
    /// Runs of the plan that were started without the name of who operates them.
    pub runs_without_name: Count,
    /// Who asks.
    pub name: &'a str,
    /// What they say they looked at themselves.
    pub confirmed: &'a [Check],
}

/// An open gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// Its name, stable.
    pub gate: &'static str,
    /// About what: a mailbox, a waiver, a finding; empty for the plan.
    pub subject: String,
    /// What is open.
    pub detail: String,
    /// What closes it.
    pub closes: String,
}

/// Items that are explained and keep no gate open: those that only the target holds, those whose content could not be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Noted {
    /// The mailbox.
    pub mailbox: String,
    /// Why, in the verifier's word.
    pub reason: String,
    /// How many.
    pub items: Count,
}

/// What the gate says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ruling {
    /// Open gates. Empty: the way is free.
    pub open: Vec<Gate>,
    /// What was looked at, what a person says they looked at, and what nobody looked at.
    pub checks: Vec<Look>,
    /// What is explained and keeps no gate open.
    pub noted: Vec<Noted>,
}

/// Judges.
pub fn judge(evidence: &Evidence<'_>) -> Ruling {
    let mut out = Ruling::default();
    mailboxes(evidence, &mut out);
    verdict(evidence, &mut out);
    items(evidence, &mut out);
    directory(evidence, &mut out);
    posture(evidence, &mut out);
    let (looks, gates) = look(evidence);
    out.checks = looks;
    out.open.extend(gates);
    out
}

impl Ruling {
    fn say(&mut self, gate: &'static str, subject: &str, detail: String, closes: String) {
        self.open.push(Gate {
            gate,
            subject: subject.to_owned(),
            detail,
            closes,
        });
    }
}

/// Every mailbox of the plan was begun, is caught up, and nothing in it waits for another run.
fn mailboxes(evidence: &Evidence<'_>, out: &mut Ruling) {
    let run = format!("mailferry run {}", evidence.plan_file);
    if evidence.mailboxes.is_empty() {
        out.say(
            "mailbox.unfinished",
            "",
            "the plan has no mailbox".into(),
            "a plan with mailboxes".into(),
        );
    }
    for mailbox in evidence.mailboxes {
        let found = evidence
            .balance
            .mailboxes
            .iter()
            .find(|own| own.job == mailbox.job);
        let Some(found) = found else {
            out.say(
                "mailbox.unfinished",
                &mailbox.label,
                "no run has begun it".into(),
                run.clone(),
            );
            continue;
        };
        match found.phase {
            JobPhase::CaughtUp | JobPhase::Finished => {}
            JobPhase::Waiting | JobPhase::Seeding | JobPhase::CatchingUp | JobPhase::Finishing => {
                out.say(
                    "mailbox.unfinished",
                    &mailbox.label,
                    "its copy is not finished".into(),
                    run.clone(),
                );
            }
            JobPhase::Halted(HaltCause::NoTargetMailbox) => out.say(
                "target.licence",
                &mailbox.label,
                "the target has no such mailbox".into(),
                format!("assign a licence with an Exchange plan, wait for the mailbox, then {run}"),
            ),
            JobPhase::Halted(_) => out.say(
                "mailbox.failed",
                &mailbox.label,
                "it is halted".into(),
                format!(
                    "mailferry status {} says why and what helps; then {run}",
                    evidence.plan_file
                ),
            ),
        }
        let totals = found.totals();
        for (bucket, what) in [
            (Bucket::Remaining, "items are not carried yet"),
            (Bucket::InDoubt, "items may or may not be on the target"),
        ] {
            if totals.of(bucket) > Count::ZERO {
                let detail = format!("{} {what}", totals.of(bucket));
                out.say("mailbox.unfinished", &mailbox.label, detail, run.clone());
            }
        }
        if totals.unexplained() > Count::ZERO {
            let detail = format!("{} source items are in no bucket", totals.unexplained());
            out.say(
                "items.unexplained",
                &mailbox.label,
                detail,
                "please report this: the ledger contradicts itself".into(),
            );
        }
    }
}

/// Both sides were compared, item by item, after the last run, and nothing is unexplained.
fn verdict(evidence: &Evidence<'_>, out: &mut Ruling) {
    let verify = format!("mailferry verify {}", evidence.plan_file);
    let Some(verdict) = evidence.verdict else {
        out.say(
            "verdict.missing",
            "",
            "the two sides were never compared".into(),
            verify,
        );
        return;
    };
    whole(evidence, verdict, &verify, out);
    let counting = counting(evidence);
    for mailbox in evidence.mailboxes {
        let job = mailbox.job.to_string();
        let own = verdict.mailboxes.iter().find(|own| own.job == job);
        match own.map(|own| (own, own.not_verified.as_ref())) {
            None => {
                let detail = "it was not compared".to_owned();
                out.say("verdict.missing", &mailbox.label, detail, verify.clone());
            }
            Some((_, Some(why))) => {
                let detail = format!("it was not compared: {why}");
                out.say("verdict.missing", &mailbox.label, detail, verify.clone());
            }
            Some((own, None)) => compared(evidence, mailbox, own, &counting, out),
        }
    }
}

/// What the comparison says about itself.
fn whole(evidence: &Evidence<'_>, verdict: &Verdict, verify: &str, out: &mut Ruling) {
    let other_plan = verdict
        .plan
        .as_ref()
        .is_some_and(|plan| plan != evidence.plan.as_str());
    for (stale, why) in [
        (other_plan, "the last comparison was of another plan"),
        (
            verdict.stale,
            "the source changed after the last comparison",
        ),
    ] {
        if stale {
            out.say("verdict.stale", "", why.to_owned(), verify.to_owned());
        }
    }
    if !matches!(verdict.level.as_str(), "identity" | "content") {
        let detail = format!("the last comparison was at level {:?} only", verdict.level);
        let closes = format!("{verify} --level identity");
        out.say("verdict.level", "", detail, closes);
    }
}

/// What the comparison says about one mailbox.
fn compared(
    evidence: &Evidence<'_>,
    mailbox: &Mailbox,
    own: &MailboxVerdict,
    counting: &[&Waiver],
    out: &mut Ruling,
) {
    let verify = format!("mailferry verify {}", evidence.plan_file);
    let label = &mailbox.label;
    let moved = own.unexplained == Count::ZERO && moved_on(evidence, mailbox.job, own.confirmed);
    if !own.stale_folders.is_empty() {
        let detail = format!("no longer so for {}", list(&own.stale_folders));
        out.say("verdict.stale", label, detail, verify.clone());
    } else if own.stale || moved {
        let detail = "its ledger or its source moved on after the comparison".to_owned();
        out.say("verdict.stale", label, detail, verify.clone());
    }
    for (reason, items) in &own.noted {
        out.noted.push(Noted {
            mailbox: label.clone(),
            reason: reason.clone(),
            items: *items,
        });
    }
    // What differs is among what is unexplained, except what only earlier slices found.
    let n = own.unexplained.saturating_sub(own.differing);
    if n > Count::ZERO {
        let detail = format!("{n} source items are missing without explanation");
        let closes =
            format!("find out why each is missing ({verify} lists them); no waiver covers them");
        out.say("items.unexplained", label, detail, closes);
    }
    if own.differing > Count::ZERO {
        let n = own.differing;
        let detail = format!("{n} items differ in content without a documented reason");
        let closes = format!("look at each; {verify} lists them");
        out.say("items.unexplained", label, detail, closes);
    }
    let allowed = extras_allowed(counting, mailbox.job);
    if own.extra > allowed {
        let n = own.extra;
        let detail = format!("{n} items of unknown origin are on the target, {allowed} are waived");
        let closes = format!(
            "look at each; then mailferry waive {} create --bucket extra --mailbox {label} ...",
            evidence.plan_file
        );
        out.say("items.extra", label, detail, closes);
    }
}

/// True when the ledger no longer confirms as many items as the comparison found.
fn moved_on(evidence: &Evidence<'_>, job: JobId, confirmed: Count) -> bool {
    let own = evidence.balance.mailboxes.iter().find(|own| own.job == job);
    own.is_some_and(|own| own.totals().of(Bucket::Confirmed) != confirmed)
}

fn counting<'a>(evidence: &'a Evidence<'_>) -> Vec<&'a Waiver> {
    evidence
        .waivers
        .iter()
        .filter(|(_, standing)| *standing == Standing::Counts)
        .map(|(signed, _)| &signed.waiver)
        .collect()
}

/// Every open item is covered by a waiver that counts. A waiver that does not count is named, whether it is needed or not, since somebody meant
/// it to count.
fn items(evidence: &Evidence<'_>, out: &mut Ruling) {
    for (signed, standing) in evidence.waivers {
        let closes = match standing {
            Standing::Counts | Standing::Revoked => continue,
            Standing::NotRequested => format!(
                "mailferry sign {} --waiver {} --name {:?} --key FILE",
                evidence.plan_file, signed.waiver.id, signed.waiver.requested_by
            ),
            Standing::NotApproved | Standing::SameName | Standing::SameKey => format!(
                "a second person: mailferry sign {} --waiver {} --name NAME --key FILE",
                evidence.plan_file, signed.waiver.id
            ),
            Standing::Expired | Standing::OtherPlan => format!(
                "mailferry waive {} revoke {}, and a new waiver where one is still needed",
                evidence.plan_file, signed.waiver.id
            ),
        };
        let gate = if *standing == Standing::Expired {
            "waiver.expired"
        } else {
            "waiver.unsigned"
        };
        out.say(gate, &signed.waiver.id, standing.words().to_owned(), closes);
    }
    let exceptions = evidence.balance.mailboxes.iter().flat_map(|mailbox| {
        mailbox
            .exceptions
            .iter()
            .map(|exception| (mailbox.job, exception))
    });
    let found = cover(&counting(evidence), exceptions);
    if found.open > Count::ZERO {
        let examples: Vec<String> = found
            .examples
            .iter()
            .map(|(job, item, _)| format!("{job}/{item}"))
            .collect();
        let detail = format!(
            "{} open items no waiver covers, such as {}",
            found.open,
            examples.join(", ")
        );
        let closes = format!(
            "mailferry report {0} lists them; settle them, or mailferry waive {0} create ...",
            evidence.plan_file
        );
        out.say("items.open", "", detail, closes);
    }
}

/// The first few, and how many more.
fn list(names: &[String]) -> String {
    let more = names.len().saturating_sub(3);
    let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 {
        format!("{shown} and {more} more")
    } else {
        shown
    }
}

fn directory(evidence: &Evidence<'_>, out: &mut Ruling) {
    let notes = evidence.directory.unwrap_or_default();
    for note in notes {
        if note.no_target {
            out.say(
                "target.licence",
                &note.label,
                "the target's export has no mailbox of its address".into(),
                "assign a licence with an Exchange plan, wait for the mailbox, and export the target again".into(),
            );
        }
        if note.unlicensed {
            out.say(
                "target.licence",
                &note.label,
                "the target's export says that its user has no licence".into(),
                "assign a licence with an Exchange plan, and export the target again".into(),
            );
        }
        if !note.addresses.is_empty() {
            out.say(
                "target.addresses",
                &note.label,
                format!("the target lacks {}", list(&note.addresses)),
                "add the addresses to the target mailbox, and export the target again".into(),
            );
        }
        if !note.x500.is_empty() {
            out.say(
                "target.x500",
                &note.label,
                format!("the target lacks X500 addresses of {} legacy names: replies to old mail would bounce", note.x500.len()),
                format!("Set-Mailbox ... -EmailAddresses @{{Add='X500:{}'}}, and export the target again", note.x500[0]),
            );
        }
    }
}

fn posture(evidence: &Evidence<'_>, out: &mut Ruling) {
    let findings = evidence.posture.unwrap_or_default();
    for finding in findings {
        out.say(
            "posture.critical",
            &finding.id,
            "a critical finding is open".into(),
            finding.remedy.clone(),
        );
    }
    for action in evidence.actions.unwrap_or_default() {
        out.say(
            "actions.open",
            &action.id,
            "the plan asks for the register of actions, and this is not settled".into(),
            action.remedy.clone(),
        );
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
