//! Rights on the target: proved by calls, never by the token alone. With RBAC for Applications a token may lack a role and the right stands; it
//! may name a role that a policy takes back (reference/graph.md 7.3 and 7.4).

use crate::base::losses::{Family, family_of};
use crate::base::outcome::{HaltCause, Said, Setback, StopCause};
use crate::base::probe::CanaryEnd;
use crate::base::route::{Route, RouteRule};
use crate::preflight::cause::{Cause, Right};
use crate::preflight::check::Check;
use crate::preflight::facts::Facts;
use crate::preflight::finding::Finding;
use crate::preflight::observed::Observed;

/// Why nothing is asked of the import where the plan wants no streams.
pub(super) const NO_STREAMS: &str = "the plan carries items by their class and sends no streams";

/// How a right stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// So many calls that need it succeeded.
    Proved(u32),
    /// Every call that needs it was refused, and this is what the first was told.
    Denied(Said),
    /// The service does not have what was asked.
    Unavailable(Said),
    /// Nothing that needs it was asked, or nothing told.
    Unknown,
}

impl Standing {
    /// True where nobody has it for any mailbox.
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Denied(_) | Self::Unavailable(_))
    }
}

/// How one answer speaks about a right.
enum Word {
    Granted,
    Denied(Said),
    Absent(Said),
    Silent,
}

fn word<T>(asked: Option<&Result<T, Setback>>) -> Word {
    match asked {
        None => Word::Silent,
        Some(Ok(_)) => Word::Granted,
        Some(Err(why)) => match why {
            Setback::MailboxClosed(HaltCause::TargetDenied, said)
            | Setback::SideClosed(StopCause::NoRights, said) => Word::Denied(said.clone()),
            Setback::OurRequest(said) | Setback::GatewayGaveUp(said)
                if matches!(said.status, Some(400 | 404 | 405 | 501)) =>
            {
                Word::Absent(said.clone())
            }
            _ => Word::Silent,
        },
    }
}

/// What the canaries that were made by their class say of a right. Only words about rights count: that an item was refused, or a folder not found,
/// says nothing of them.
fn composed(observed: &Observed, right: Right) -> Vec<Word> {
    let own = observed.canaries.trials.iter().filter(|trial| {
        let needs = family_of(&trial.class).map(Right::of);
        trial.route == Route::Typed && needs == Some(right)
    });
    let said = own.map(|trial| match &trial.end {
        CanaryEnd::Same
        | CanaryEnd::ByRoute(_)
        | CanaryEnd::Differs
        | CanaryEnd::DiffersIn(_)
        | CanaryEnd::NotComparable => Word::Granted,
        CanaryEnd::Refused(why) | CanaryEnd::Doubtful(why) | CanaryEnd::NotReadBack(why) => {
            match denial(why) {
                Some(said) => Word::Denied(said.clone()),
                None => Word::Silent,
            }
        }
        CanaryEnd::NotExported(_) => Word::Silent,
    });
    said.collect()
}

/// What was said where a call was refused for want of a right.
pub const fn denial(why: &Setback) -> Option<&Said> {
    match why {
        Setback::MailboxClosed(HaltCause::TargetDenied, said)
        | Setback::SideClosed(StopCause::NoRights, said) => Some(said),
        _ => None,
    }
}

/// How a right stands, by every call that needs it.
pub fn standing(observed: &Observed, right: Right, facts: &Facts) -> Standing {
    let words: Vec<Word> = match right {
        // Mailboxes are found by the Mail API there, which proves another right.
        Right::Users if facts.no_import => observed
            .mailboxes
            .iter()
            .map(|m| word(m.user.as_ref()))
            .collect(),
        Right::Folders | Right::Items if facts.no_import => Vec::new(),
        Right::Users => observed
            .mailboxes
            .iter()
            .map(|m| word(m.resolved.as_ref()))
            .collect(),
        Right::Folders => {
            let listed = observed
                .mailboxes
                .iter()
                .map(|m| word(m.target_folders.as_ref()));
            listed.collect()
        }
        Right::Items => {
            let opened = observed.mailboxes.iter().map(|m| word(m.session.as_ref()));
            // A listing proves less than what is needed; that even it was refused proves enough.
            let listed = word(observed.canaries.listed.as_ref());
            let denied = Some(listed).filter(|own| matches!(own, Word::Denied(_)));
            opened.chain(denied).collect()
        }
        Right::Mail | Right::Calendars | Right::Contacts => composed(observed, right),
    };
    let granted = words.iter().filter(|w| matches!(w, Word::Granted)).count();
    if granted > 0 {
        return Standing::Proved(u32::try_from(granted).unwrap_or(u32::MAX));
    }
    // Listing folders may be granted while making one is not; a canary that could make none says so.
    let mut absent = None;
    for word in words {
        match word {
            Word::Denied(said) => return Standing::Denied(said),
            Word::Absent(said) => absent = absent.or(Some(said)),
            Word::Granted | Word::Silent => {}
        }
    }
    absent.map_or(Standing::Unknown, Standing::Unavailable)
}

/// Each right, and what is held beyond them. `families`: those that go by the typed route.
pub fn report(observed: &Observed, families: &[Family], facts: &Facts) -> Vec<Finding> {
    let held = match &observed.token {
        Some(Ok(token)) => token.roles.clone(),
        _ => None,
    };
    let mut out: Vec<Finding> = always(facts)
        .iter()
        .map(|right| one(observed, *right, held.as_deref(), facts))
        .collect();
    let typed = by_class_needed(families, facts);
    out.extend(
        typed
            .into_iter()
            .map(|right| by_class(observed, right, held.as_deref(), facts)),
    );
    out.extend(least(held.as_deref(), facts));
    out
}

fn one(observed: &Observed, right: Right, held: Option<&[String]>, facts: &Facts) -> Finding {
    let (check, role) = (Check::TargetRights, right.role());
    let in_token = held.map(|held| held.iter().any(|own| own == role));
    let token = token_words(in_token);
    let of = |cause, detail: String| Finding::of(cause, check, role, detail, facts);
    match standing(observed, right, facts) {
        Standing::Proved(_) if right == Right::Folders && made_denied(observed) => of(
            Cause::ConsentMissing(right),
            "folders can be listed and not made: MailboxFolder.Read.All is not enough".to_owned(),
        ),
        Standing::Proved(calls) => Finding::ok(
            check,
            role,
            format!("proved for {calls} mailboxes; {token}"),
        ),
        Standing::Denied(said) if right == Right::Items && in_token == Some(true) => of(
            Cause::ImportForbidden,
            format!("{said}, although the token names it"),
        ),
        Standing::Denied(said) => of(Cause::ConsentMissing(right), denied_words(&said, in_token)),
        Standing::Unavailable(said)
            if right == Right::Items || (right == Right::Users && answers_otherwise(observed)) =>
        {
            of(
                Cause::ImportUnavailable,
                format!("{said}: this service has no mailbox import"),
            )
        }
        Standing::Unavailable(said) => of(Cause::WrongTargetUrl, format!("{said}")),
        Standing::Unknown if right == Right::Items && facts.route == RouteRule::Typed => {
            Finding::not_checked(check, role, NO_STREAMS)
        }
        Standing::Unknown => {
            Finding::not_checked(check, role, "no call that needs it got so far; see above")
        }
    }
}

/// What the token says of a right that calls proved.
const fn token_words(in_token: Option<bool>) -> &'static str {
    match in_token {
        Some(true) => "the token names it",
        Some(false) => "the token does not name it, so Exchange's own roles give it",
        None => "the token cannot be read",
    }
}

/// What was said to calls that need a right, beside what the token says.
fn denied_words(said: &Said, in_token: Option<bool>) -> String {
    match in_token {
        Some(true) => format!("{said}, although the token names it: a policy takes it back"),
        Some(false) => format!("{said}; the token does not name it"),
        None => format!("{said}"),
    }
}

/// A right of the typed route: what a canary proved goes before what the token says. Where none was made, the token is all there is to go by; an
/// application whose other rights come from Exchange's own roles may have this one from there too.
fn by_class(observed: &Observed, right: Right, held: Option<&[String]>, facts: &Facts) -> Finding {
    let (check, role) = (Check::TargetRights, right.role());
    let in_token = held.map(|held| held.iter().any(|own| own == role));
    match standing(observed, right, facts) {
        Standing::Proved(items) => {
            let token = token_words(in_token);
            let detail = format!("proved by making items by their class, {items} of them; {token}");
            return Finding::ok(check, role, detail);
        }
        Standing::Denied(said) => {
            let cause = Cause::ConsentMissing(right);
            return Finding::of(cause, check, role, denied_words(&said, in_token), facts);
        }
        Standing::Unavailable(_) | Standing::Unknown => {}
    }
    let Some(held) = held else {
        let why = "the token cannot be read, and no call has proved it";
        return Finding::not_checked(check, role, why);
    };
    let named = |right: Right| held.iter().any(|own| own == right.role());
    if named(right) {
        return Finding::ok(check, role, "the token names it; no call has proved it");
    }
    let elsewhere = always(facts)
        .iter()
        .any(|&own| !named(own) && matches!(standing(observed, own, facts), Standing::Proved(_)));
    let detail = if elsewhere {
        "the token does not name it; Exchange's own roles may give it, as they give others"
    } else {
        "the token does not name it, and items that go by their class need it"
    };
    let cause = match facts.route {
        RouteRule::Typed if !elsewhere => Cause::ConsentMissing(right),
        _ => Cause::TypedRightMissing(right),
    };
    Finding::of(cause, check, role, detail, facts)
}

/// Those that this plan asks for whatever its mailboxes hold. Without mailbox import its own rights are of no use.
pub(super) const fn always(facts: &Facts) -> &'static [Right] {
    if facts.no_import {
        &[Right::Users]
    } else {
        &Right::ALWAYS
    }
}

/// Those of the typed route that are asked for: of the families that go by it, and of all of them where folders come from those APIs too.
pub(super) fn by_class_needed(families: &[Family], facts: &Facts) -> Vec<Right> {
    if facts.no_import {
        Right::TYPED.to_vec()
    } else {
        families.iter().map(|family| Right::of(*family)).collect()
    }
}

/// Whether a role is one that this plan has a use for. Those of the typed route serve where a stream is refused.
pub(super) fn is_of_use(role: &str, facts: &Facts) -> bool {
    let is = |right: &Right| right.role() == role;
    always(facts).iter().any(is)
        || (facts.route != RouteRule::Stream && Right::TYPED.iter().any(is))
}

/// Whether the directory answers where mailboxes are not found: then Graph is there, and what is missing is mailbox import, with which that question came.
fn answers_otherwise(observed: &Observed) -> bool {
    let seen = observed.mailboxes.iter();
    seen.into_iter().any(|own| matches!(own.user, Some(Ok(_))))
}

fn made_denied(observed: &Observed) -> bool {
    matches!(
        word(observed.canaries.folder_made.as_ref()),
        Word::Denied(_)
    )
}

/// Roles that give less than one that is needed, and so come with it.
const WITHIN: [&str; 5] = [
    "User.ReadBasic.All",
    "MailboxFolder.Read.All",
    "MailboxItem.Read.All",
    "MailboxItem.Export.All",
    "MailboxItem.Import.All",
];

fn least(held: Option<&[String]>, facts: &Facts) -> Vec<Finding> {
    let check = Check::TargetLeast;
    let Some(held) = held else {
        return vec![Finding::not_checked(
            check,
            &facts.client_id,
            "the token cannot be read, so nobody knows what else it allows",
        )];
    };
    let beyond = held.iter().filter(|role| !is_of_use(role, facts));
    let beyond: Vec<&String> = beyond.collect();
    if beyond.is_empty() {
        let detail = match held.len() {
            0 => "the token names no role; what Exchange's own roles give beside is not shown"
                .to_owned(),
            n if held
                .iter()
                .any(|role| Right::TYPED.iter().any(|own| own.role() == role.as_str())) =>
            {
                format!(
                    "{n} rights held, all of them needed, some only where items go by their class"
                )
            }
            n => format!("{n} rights held, all of them needed"),
        };
        return vec![Finding::ok(check, &facts.client_id, detail)];
    }
    beyond
        .into_iter()
        .map(|role| {
            let detail = if WITHIN.contains(&role.as_str()) {
                "held, and contained in a right that is needed"
            } else {
                "held, and no call of mailferry needs it"
            };
            Finding::of(Cause::RoleNotNeeded, check, role, detail, facts)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::MailboxId;
    use crate::base::probe::TokenSight;
    use crate::preflight::finding::State;
    use crate::preflight::observed::MailboxSeen;

    fn seen(roles: &[&str]) -> Observed {
        let mailbox = MailboxId::new("a@x.example");
        let mut seen = MailboxSeen::unseen(mailbox.clone(), mailbox);
        seen.resolved = Some(Ok(()));
        Observed {
            token: Some(Ok(TokenSight {
                roles: Some(roles.iter().map(|role| (*role).to_owned()).collect()),
                ..TokenSight::default()
            })),
            mailboxes: vec![seen],
            ..Observed::default()
        }
    }

    fn facts(route: RouteRule) -> Facts {
        Facts {
            route,
            ..Facts::default()
        }
    }

    #[test]
    fn a_right_of_the_typed_route_fails_where_nothing_else_can_give_it() {
        let of = |roles: &[&str], rule| {
            let all = report(&seen(roles), &[Family::Event], &facts(rule));
            let own = all.into_iter().find(|f| f.subject == "Calendars.ReadWrite");
            let own = own.expect("a finding");
            (own.state, own.cause)
        };
        let right = Right::Calendars;
        let users = "User.Read.All";
        assert_eq!(
            of(&[users, "Mail.ReadWrite"], RouteRule::Typed),
            (State::Fail, Some(Cause::ConsentMissing(right)))
        );
        assert_eq!(
            of(&[users], RouteRule::Auto),
            (State::Warn, Some(Cause::TypedRightMissing(right)))
        );
        // A right that stands without its role shows that Exchange's own roles give some.
        assert_eq!(
            of(&[], RouteRule::Typed),
            (State::Warn, Some(Cause::TypedRightMissing(right)))
        );
        assert_eq!(of(&[right.role()], RouteRule::Typed), (State::Ok, None));
    }

    #[test]
    fn a_right_of_the_typed_route_is_judged_by_what_a_canary_was_told_before_the_token() {
        use crate::base::probe::CanaryTrial;
        use crate::base::quantity::Bytes;
        let said = Said::new(403, "ErrorAccessDenied");
        let denied = CanaryEnd::Refused(Setback::MailboxClosed(HaltCause::TargetDenied, said));
        let of = |roles: &[&str], end: &CanaryEnd, rule| {
            let mut seen = seen(roles);
            seen.canaries.trials.push(CanaryTrial {
                class: "IPM.Appointment".to_owned(),
                size: Bytes::new(1),
                largest: false,
                route: Route::Typed,
                end: end.clone(),
            });
            let all = report(&seen, &[Family::Event], &facts(rule));
            let own = all.into_iter().find(|f| f.subject == "Calendars.ReadWrite");
            let own = own.expect("a finding");
            (own.state, own.cause, own.detail)
        };
        let right = Right::Calendars;
        // The token names nothing of it, and the calls work: Exchange's own roles give it.
        let (state, cause, detail) = of(&["User.Read.All"], &CanaryEnd::Same, RouteRule::Typed);
        assert_eq!((state, cause), (State::Ok, None));
        assert!(detail.contains("Exchange's own roles give it"), "{detail}");
        // And the other way round: the token names it, and a policy takes it back.
        for rule in [RouteRule::Typed, RouteRule::Auto] {
            let (state, cause, _) = of(&[right.role()], &denied, rule);
            assert_eq!(
                (state, cause),
                (State::Fail, Some(Cause::ConsentMissing(right)))
            );
        }
        // What says nothing of rights proves none.
        let gone = CanaryEnd::Refused(Setback::FolderGone);
        let (state, _, detail) = of(&[right.role()], &gone, RouteRule::Typed);
        assert_eq!(state, State::Ok);
        assert!(detail.contains("no call has proved it"), "{detail}");
    }

    #[test]
    fn roles_of_the_typed_route_are_beyond_need_only_where_the_plan_wants_streams_alone() {
        let beyond = |rule| {
            let all = report(&seen(&["Contacts.ReadWrite"]), &[], &facts(rule));
            all.iter().any(|f| f.cause == Some(Cause::RoleNotNeeded))
        };
        let got = RouteRule::ALL.map(beyond);
        assert_eq!(got, [false, true, false]);
    }
}
