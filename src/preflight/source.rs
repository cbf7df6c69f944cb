//! Judges the on-premises side: sign-in, build, pace, and each mailbox.

use crate::base::outcome::{Code, HaltCause, Said, Setback, StopCause};
use crate::base::probe::{Greeting, HuntSight, Server};
use crate::preflight::cause::Cause;
use crate::preflight::check::Check;
use crate::preflight::facts::{Facts, host};
use crate::preflight::finding::Finding;
use crate::preflight::observed::{BuildWord, CallsSeen, Known, MailboxSeen, Observed};
use crate::preflight::servers::trouble;

/// The whole side, without its server's name, connection, TLS and clock.
pub fn side(observed: &Observed, known: &Known, facts: &Facts) -> Vec<Finding> {
    let place = host(&facts.ews_url);
    let mut out: Vec<Finding> = observed
        .hunt
        .iter()
        .map(|hunt| found(hunt, facts))
        .collect();
    out.extend([
        sign_in(observed, facts, place),
        build(known.build.as_ref(), facts, place),
    ]);
    let held = observed
        .mailboxes
        .iter()
        .filter_map(|m| m.greeting.as_ref()?.as_ref().err())
        .find(|why| matches!(why, Setback::Throttled { .. }));
    let calls = observed.source_calls;
    out.push(throttling(Server::Source, held, calls, place, facts));
    out
}

/// How the search for the EWS URL ended.
fn found(hunt: &HuntSight, facts: &Facts) -> Finding {
    let (check, it) = (Check::SourceAutodiscover, facts.autodiscover.as_str());
    match hunt {
        HuntSight::Found { ews_url, said_by } => Finding::ok(
            check,
            it,
            format!("{ews_url}, says {said_by}; write ews_url into the plan to be sure of it"),
        ),
        HuntSight::Elsewhere { host, said_by } => Finding::of(
            Cause::AutodiscoverElsewhere,
            check,
            it,
            format!(
                "{said_by} leads to {host}, which the plan does not allow; nothing was sent there"
            ),
            facts,
        ),
        HuntSight::Nowhere(tried) => {
            let list: Vec<String> = tried
                .iter()
                .map(|(url, what)| format!("{url}: {what}"))
                .collect();
            let detail = format!(
                "no place knows it ({}); the service connection point of Active Directory and the DNS record _autodiscover._tcp were not looked up",
                list.join("; ")
            );
            Finding::of(Cause::AutodiscoverFailed, check, it, detail, facts)
        }
    }
}

/// How a side took our questions.
pub fn throttling(
    server: Server,
    held: Option<&Setback>,
    calls: CallsSeen,
    place: &str,
    facts: &Facts,
) -> Finding {
    let check = if server.is_source() {
        Check::SourceThrottling
    } else {
        Check::TargetThrottling
    };
    if let Some(why) = held {
        let detail = format!("{why}; {} calls were made", calls.asked);
        return Finding::of(Cause::Throttled(server), check, place, detail, facts);
    }
    match calls {
        CallsSeen { asked: 0, .. } => Finding::not_checked(check, place, "nothing was asked"),
        CallsSeen {
            throttled: 0,
            asked,
        } => Finding::ok(check, place, format!("{asked} calls, none told to wait")),
        CallsSeen { throttled, asked } => {
            let detail =
                format!("{throttled} of {asked} calls were told to wait, and then answered");
            Finding::of(Cause::SlowedDown(server), check, place, detail, facts)
        }
    }
}

/// What the server says about the account, by the first answer that says anything.
fn sign_in(observed: &Observed, facts: &Facts, place: &str) -> Finding {
    let check = Check::SourceSignIn;
    let mut answers = observed
        .mailboxes
        .iter()
        .filter_map(|m| m.greeting.as_ref());
    let Some(first) = answers.next() else {
        return Finding::not_checked(check, place, "the server was not reached; see above");
    };
    let methods = offered(observed);
    let list = if methods.is_empty() {
        "no method".to_owned()
    } else {
        methods.join(", ")
    };
    let of = |cause, detail: String| Finding::of(cause, check, place, detail, facts);
    match first {
        Err(Setback::SideClosed(StopCause::SourceCredentials, said)) => {
            if let Some(code) = &said.code {
                return of(Cause::AccountState, format!("the server says {code}"));
            }
            if !methods.is_empty() && !offers(&methods, &facts.method) {
                let detail = format!("it offers {list}, the plan says {}", facts.method);
                return of(Cause::MethodNotOffered, detail);
            }
            of(
                Cause::SourceCredentials,
                format!(
                    "{said}: the password is wrong, or the account is locked, disabled or its password has ended; the server offers {list}"
                ),
            )
        }
        Err(Setback::SideClosed(StopCause::WrongSourceAddress, said)) => of(
            Cause::WrongEwsUrl,
            format!("{said}: the URL does not lead to EWS"),
        ),
        Err(Setback::SideClosed(StopCause::ClientRefused, said)) => {
            of(Cause::ClientRefused, format!("{said}"))
        }
        // Whoever is told that it is too fast was let in.
        Err(why) if !matches!(why, Setback::Throttled { .. }) => match trouble(Server::Source, why)
        {
            Some(cause) => of(cause, why.to_string()),
            None => accepted(check, place, facts, &list),
        },
        Ok(_) | Err(_) => accepted(check, place, facts, &list),
    }
}

fn accepted(check: Check, place: &str, facts: &Facts, list: &str) -> Finding {
    let detail = format!(
        "{} accepted by {}, which offers {list}; the account needs no mailbox of its own",
        facts.account, facts.method
    );
    Finding::ok(check, place, detail)
}

fn offered(observed: &Observed) -> Vec<String> {
    let source = observed.servers.iter().find(|(at, _)| at.is_source());
    match source.and_then(|(_, sight)| sight.answer.as_ref()) {
        Some(Ok(answer)) => answer.methods.clone(),
        _ => Vec::new(),
    }
}

/// Whether the methods a server names cover the plan's word.
fn offers(methods: &[String], word: &str) -> bool {
    let names: &[&str] = match word {
        "basic" => &["Basic"],
        "ntlm" => &["NTLM", "Negotiate"],
        "negotiate" | "kerberos" => &["Negotiate"],
        "oauth" => &["Bearer"],
        _ => return true,
    };
    let is_one = |method: &String| names.iter().any(|name| name.eq_ignore_ascii_case(method));
    methods.iter().any(is_one)
}

fn build(word: Option<&BuildWord>, facts: &Facts, place: &str) -> Finding {
    let check = Check::SourceBuild;
    let Some(word) = word else {
        return Finding::not_checked(check, place, "the server did not say its build");
    };
    let name = word.name.as_deref().unwrap_or("not in the table");
    let shown = format!("{} ({name})", word.build);
    let of = |cause, detail: String| Finding::of(cause, check, place, detail, facts);
    let number = (word.build.major, word.build.minor);
    if number < (15, 1) {
        return of(
            Cause::BuildOld,
            format!("{shown} is older than Exchange 2016"),
        );
    }
    if number > (15, 1) {
        return of(
            Cause::OtherVersion,
            format!("{shown} is newer than Exchange 2016"),
        );
    }
    if word.later_cus > 0 {
        return of(
            Cause::BuildOld,
            format!(
                "{shown}; {} cumulative updates are out since, and no security update is made for it; {} vulnerabilities known to be used stand open",
                word.later_cus, word.exploited
            ),
        );
    }
    match (word.missing, &word.unsupported_since) {
        (Some(n), _) if n > 0 => of(
            Cause::UpdatesMissing,
            format!(
                "{shown} lacks {n} security updates; {} vulnerabilities known to be used stand open",
                word.exploited
            ),
        ),
        (missing, Some(day)) => of(
            Cause::Unsupported,
            format!(
                "{shown} is out of support since {day}{}",
                if missing.is_none() {
                    "; EWS does not show its security update"
                } else {
                    ""
                }
            ),
        ),
        (Some(_), None) => Finding::ok(check, place, shown),
        (None, None) => Finding::not_checked(
            check,
            place,
            format!("{shown}; EWS does not show its security update"),
        ),
    }
}

/// What holds for all mailboxes that were asked, so that one finding is told from a hundred.
struct Whole {
    denied_all: bool,
    closed_all: bool,
    asked: usize,
}

/// Each mailbox.
pub fn mailboxes(observed: &Observed, known: &Known, facts: &Facts) -> Vec<Finding> {
    let all = &observed.mailboxes;
    let answers = || all.iter().filter_map(|m| m.greeting.as_ref());
    let every = |cause: HaltCause| {
        answers().next().is_some()
            && answers().all(|a| matches!(a, Err(Setback::MailboxClosed(why, _)) if *why == cause))
    };
    let whole = Whole {
        denied_all: every(HaltCause::ImpersonationDenied),
        closed_all: every(HaltCause::SourceDenied),
        asked: answers().count(),
    };
    let mut out = Vec::new();
    for seen in all {
        out.push(mailbox(seen, &whole, facts));
        out.push(folders(seen, facts));
        out.push(archive(seen, facts));
        out.push(largest(seen, known, facts));
    }
    out
}

fn mailbox(seen: &MailboxSeen, whole: &Whole, facts: &Facts) -> Finding {
    let (check, it) = (Check::SourceMailbox, seen.source.reveal());
    let Some(answer) = &seen.greeting else {
        return Finding::not_checked(
            check,
            it,
            "the server was not reached, or did not let us in",
        );
    };
    let of = |cause, detail: String| Finding::of(cause, check, it, detail, facts);
    match answer {
        Ok(Greeting { .. }) => Finding::ok(check, it, "there, and the account may act for it"),
        Err(Setback::SideClosed(StopCause::NoImpersonation, said)) => {
            of(Cause::NoImpersonation, format!("{said}"))
        }
        Err(Setback::MailboxClosed(HaltCause::ImpersonationDenied, said)) if whole.denied_all => {
            of(
                Cause::NoImpersonation,
                format!(
                    "{said}, for each of the {} mailboxes that were asked",
                    whole.asked
                ),
            )
        }
        Err(Setback::MailboxClosed(HaltCause::ImpersonationDenied, said)) => of(
            Cause::ImpersonationScope,
            format!("{said}, while other mailboxes may be acted for"),
        ),
        Err(Setback::MailboxClosed(HaltCause::NoSourceMailbox, said)) => {
            of(no_mailbox(said), format!("{said}"))
        }
        Err(Setback::MailboxClosed(HaltCause::SourceDenied, said)) if whole.closed_all => of(
            Cause::EwsBlocked,
            format!(
                "{said}, for each of the {} mailboxes that were asked",
                whole.asked
            ),
        ),
        Err(Setback::MailboxClosed(HaltCause::SourceDenied, said)) => of(
            Cause::EwsDisabled,
            format!("{said}, while other mailboxes are open"),
        ),
        Err(Setback::MailboxClosed(HaltCause::Moving, said)) => {
            of(Cause::Moving, format!("{said}"))
        }
        Err(Setback::SideClosed(..)) => {
            Finding::not_checked(check, it, "the server did not let us in")
        }
        Err(why) => of(
            trouble(Server::Source, why).unwrap_or(Cause::SourceTrouble),
            why.to_string(),
        ),
    }
}

fn no_mailbox(said: &Said) -> Cause {
    match said.code.as_ref().map(Code::as_str) {
        Some("ErrorNonPrimarySmtpAddress") => Cause::NotPrimaryAddress,
        _ => Cause::NoSourceMailbox,
    }
}

fn folders(seen: &MailboxSeen, facts: &Facts) -> Finding {
    let (check, it) = (Check::SourceFolders, seen.source.reveal());
    match &seen.folders {
        None => Finding::not_checked(check, it, "the mailbox was not opened"),
        Some(Ok(sum)) => Finding::ok(
            check,
            it,
            format!(
                "{} folders, {} items, {}",
                sum.folders, sum.items, sum.bytes
            ),
        ),
        Some(Err(why)) => Finding::of(
            trouble(Server::Source, why).unwrap_or(Cause::SourceTrouble),
            check,
            it,
            why.to_string(),
            facts,
        ),
    }
}

fn archive(seen: &MailboxSeen, facts: &Facts) -> Finding {
    let (check, it) = (Check::SourceArchive, seen.source.reveal());
    match &seen.archive {
        None => Finding::not_checked(check, it, "the mailbox was not opened"),
        Some(Ok(false)) => Finding::ok(check, it, "no archive on this server"),
        Some(Ok(true)) => {
            let detail = "it has an archive, and archives are not carried";
            Finding::of(Cause::HasArchive, check, it, detail, facts)
        }
        Some(Err(why)) => Finding::not_checked(check, it, why.to_string()),
    }
}

fn largest(seen: &MailboxSeen, known: &Known, facts: &Facts) -> Finding {
    let (check, it) = (Check::SourceLargest, seen.source.reveal());
    match &seen.largest {
        None => Finding::not_checked(check, it, "its folders were not listed"),
        Some(Err(why)) => Finding::not_checked(check, it, why.to_string()),
        Some(Ok(None)) => Finding::ok(check, it, "it holds no items"),
        Some(Ok(Some(item))) if item.size > known.item_max => {
            let detail = format!(
                "{}; items above {} stay by the plan",
                item.size, known.item_max
            );
            Finding::of(Cause::LargestStays, check, it, detail, facts)
        }
        Some(Ok(Some(item))) => Finding::ok(check, it, format!("{}", item.size)),
    }
}
