//! Rights on the target: proved by calls, never by the token alone. With RBAC for Applications a token may lack a role and the right stands; it
//! may name a role that a policy takes back (reference/graph.md 7.3 and 7.4).

use crate::base::outcome::{HaltCause, Said, Setback, StopCause};
use crate::preflight::cause::{Cause, Right};
use crate::preflight::check::Check;
use crate::preflight::facts::Facts;
use crate::preflight::finding::Finding;
use crate::preflight::observed::Observed;

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

/// How a right stands, by every call that needs it.
pub fn standing(observed: &Observed, right: Right) -> Standing {
    let words: Vec<Word> = match right {
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
        Right::Items => observed
            .mailboxes
            .iter()
            .map(|m| word(m.session.as_ref()))
            .collect(),
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

/// Each right, and what is held beyond them.
pub fn report(observed: &Observed, facts: &Facts) -> Vec<Finding> {
    let held = match &observed.token {
        Some(Ok(token)) => token.roles.clone(),
        _ => None,
    };
    let mut out: Vec<Finding> = Right::ALL
        .into_iter()
        .map(|right| one(observed, right, held.as_deref(), facts))
        .collect();
    out.extend(least(held.as_deref(), facts));
    out
}

fn one(observed: &Observed, right: Right, held: Option<&[String]>, facts: &Facts) -> Finding {
    let (check, role) = (Check::TargetRights, right.role());
    let in_token = held.map(|held| held.iter().any(|own| own == role));
    let token = match in_token {
        Some(true) => "the token names it",
        Some(false) => "the token does not name it, so Exchange's own roles give it",
        None => "the token cannot be read",
    };
    let of = |cause, detail: String| Finding::of(cause, check, role, detail, facts);
    match standing(observed, right) {
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
        Standing::Denied(said) => of(
            Cause::ConsentMissing(right),
            match in_token {
                Some(true) => {
                    format!("{said}, although the token names it: a policy takes it back")
                }
                Some(false) => format!("{said}; the token does not name it"),
                None => format!("{said}"),
            },
        ),
        Standing::Unavailable(said) if right == Right::Items => of(
            Cause::ImportUnavailable,
            format!("{said}: this service has no mailbox import"),
        ),
        Standing::Unavailable(said) => of(Cause::WrongTargetUrl, format!("{said}")),
        Standing::Unknown => {
            Finding::not_checked(check, role, "no call that needs it got so far; see above")
        }
    }
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
    let needed = |role: &String| Right::ALL.iter().any(|right| right.role() == role);
    let beyond: Vec<&String> = held.iter().filter(|role| !needed(role)).collect();
    if beyond.is_empty() {
        let detail = match held.len() {
            0 => "the token names no role; what Exchange's own roles give beside is not shown"
                .to_owned(),
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
