//! From what was seen of a mailbox to leads: found, not found, or not checked, with evidence, weight and remedy.

use jiff::civil::Date;

use super::catalogue::{self, KINDS, Weight};
use super::finding;
use super::timeline::Window;
use crate::base::quantity::Moment;
use crate::base::secret::Private;
use crate::base::sight::{Look, MailboxSight, RightSight, RoleSight, RuleMessage, RuleSight};

/// Mailboxes in which the same person has full access from which on it is worth a question: a team has some ten.
const MANY_MAILBOXES: u64 = 25;

/// How a lead stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Something is there that a person must look at.
    Found,
    /// Looked, and nothing of it was there.
    NotFound,
    /// Nobody looked: why.
    NotChecked(String),
}

impl Standing {
    /// The word of it in JSON.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not_found",
            Self::NotChecked(_) => "not_checked",
        }
    }
}

/// One kind of lead in one mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    /// The kind's number.
    pub id: &'static str,
    /// The id of this finding; changes with the evidence.
    pub finding: String,
    /// The mailbox; empty where it concerns the organisation.
    pub mailbox: String,
    /// How it stands.
    pub standing: Standing,
    /// How much it weighs.
    pub weight: Weight,
    /// What was seen. For the operator's own screen and files: it names rules, addresses and paths.
    pub evidence: Vec<String>,
    /// What to do.
    pub remedy: String,
}

/// Words that attackers' rules look for (MITRE T1564.008, Microsoft's alert guidance, and payment fraud).
const WORDS: [&str; 14] = [
    "invoice",
    "payment",
    "bank",
    "iban",
    "virus",
    "malware",
    "hacked",
    "hack",
    "phish",
    "suspicious",
    "password",
    "helpdesk",
    "spam",
    "fraud",
];

/// Rule messages that every mailbox may have: the junk mail rule and those of the automatic reply.
const KNOWN_PROVIDERS: [&str; 5] = [
    "JunkEmailRule",
    "MSFT:TDX OOF Rules",
    "MSFT:MR",
    "MSFT:TDX Rules",
    "ExchangeMailboxRules14",
];

/// Where a rule's mail is seldom looked for.
const HIDING: [&str; 6] = [
    "RSS Feeds",
    "Notes",
    "Junk Email",
    "Conversation History",
    "Deleted Items",
    "Archive",
];

/// Every lead of every kind in one mailbox. `windows` are those of exposure; empty where nobody knows.
pub fn mailbox(sight: &MailboxSight, windows: &[Window]) -> Vec<Lead> {
    let mut out: Vec<Lead> = KINDS
        .iter()
        .filter_map(|kind| Some((kind.id, one(kind.id, sight, windows)?)))
        .map(|(id, look)| (id, in_part(id, sight, look)))
        .map(|(id, look)| lead(id, sight.mailbox.reveal(), look))
        .collect();
    // What changed in the window makes the rest weigh more.
    let exposed = out
        .iter()
        .any(|lead| lead.id == "M20" && lead.standing == Standing::Found);
    if exposed {
        for lead in out
            .iter_mut()
            .filter(|lead| lead.id != "M20" && lead.standing == Standing::Found)
        {
            lead.weight = lead.weight.raised();
        }
    }
    out
}

/// An export of rules shows no conditions: that nothing was found in it proves nothing.
fn in_part(id: &str, sight: &MailboxSight, look: Look<Found>) -> Look<Found> {
    match look {
        Look::Seen(found)
            if found.is_empty() && sight.rules_in_part && ["M3", "M4"].contains(&id) =>
        {
            let why = "the export of rules shows neither conditions nor where mail is moved";
            Look::NotChecked(why.to_owned())
        }
        other => other,
    }
}

/// The kinds that concern the organisation as a whole: said once, not for every mailbox.
pub fn organisation(roles: &Look<Vec<RoleSight>>) -> Vec<Lead> {
    let shells = catalogue::of("M19");
    vec![
        lead("M12", "", each(roles, powerful)),
        lead(shells.id, "", Look::NotChecked(shells.how.to_owned())),
    ]
}

/// A role that opens every mailbox. Exchange itself gives one of them to a group of its own (Get-ManagementRoleAssignment of a new server).
fn powerful(role: &RoleSight) -> Option<(String, Option<Weight>)> {
    const POWERS: [&str; 2] = ["ApplicationImpersonation", "Mailbox Import Export"];
    let power = POWERS
        .iter()
        .find(|power| role.role.eq_ignore_ascii_case(power))?;
    let by_default = role.who.reveal() == "Hygiene Management" && *power == POWERS[0];
    let (weight, note) = if by_default {
        (
            Weight::Low,
            "; a new server has this one: look who is in the group",
        )
    } else {
        (Weight::High, "")
    };
    let text = format!("{power}: {} ({}){note}", role.who.reveal(), role.kind);
    Some((text, Some(weight)))
}

/// What was found of a kind, and with which weight where not the kind's own.
type Found = Vec<(String, Option<Weight>)>;

fn lead(id: &'static str, mailbox: &str, look: Look<Found>) -> Lead {
    let kind = catalogue::of(id);
    let (standing, found) = match look {
        Look::Seen(found) if found.is_empty() => (Standing::NotFound, Vec::new()),
        Look::Seen(found) => (Standing::Found, found),
        Look::NotChecked(why) => (Standing::NotChecked(why), Vec::new()),
    };
    let weights = found
        .iter()
        .map(|(_, weight)| weight.unwrap_or(kind.weight));
    let weight = weights.max().unwrap_or(kind.weight);
    let evidence: Vec<String> = found.into_iter().map(|(text, _)| text).collect();
    let mut parts = vec![mailbox];
    parts.extend(evidence.iter().map(String::as_str));
    Lead {
        id,
        finding: finding::id(id, &parts),
        mailbox: mailbox.to_owned(),
        weight,
        remedy: match &standing {
            Standing::NotChecked(_) => kind.how.to_owned(),
            Standing::Found | Standing::NotFound => kind.remedy.to_owned(),
        },
        standing,
        evidence,
    }
}

/// The look for one kind; `None` for those that concern the organisation.
fn one(id: &str, sight: &MailboxSight, windows: &[Window]) -> Option<Look<Found>> {
    let plain = |text: String| (text, None);
    Some(match id {
        "M1" => each(&sight.forwards, |f| {
            let copy = match f.keeps_copy {
                Some(false) => "; the owner gets no copy",
                _ => "",
            };
            f.outside
                .then(|| plain(format!("forwarded to {}{copy}", f.to.reveal())))
        }),
        "M2" => each(&sight.rules, |rule| {
            let to: Vec<&str> = rule.sends_outside.iter().map(Private::reveal).collect();
            (!to.is_empty()).then(|| plain(format!("{} sends to {}", named(rule), to.join(", "))))
        }),
        "M3" => each(&sight.rules, hides),
        "M4" => each(&sight.rules, |rule| {
            let bare = rule.name.reveal().trim().trim_matches('.').chars().count() <= 1;
            let all = rule.everything == Some(true);
            (bare && all && rule.enabled).then(|| {
                let stops = if rule.stops {
                    ", no later rule is asked"
                } else {
                    ""
                };
                let first = rule
                    .priority
                    .map_or(String::new(), |p| format!(", place {p}"));
                plain(format!("{} takes all mail{first}{stops}", named(rule)))
            })
        }),
        "M5" => hidden(sight),
        "M6" => each(&sight.rule_programs, |text| {
            Some(plain(format!("names {}", text.reveal())))
        }),
        "M7" => each(&sight.forms, |form| {
            Some(plain(format!("{} in {}", form.value.reveal(), form.folder)))
        }),
        "M8" => each(&sight.home_pages, |page| {
            Some(plain(format!(
                "{} opens {}",
                page.folder,
                page.value.reveal()
            )))
        }),
        "M9" => each(&sight.reminders, |r| {
            let weight = reminder(r.value.reveal())?;
            let text = format!("{} plays {}", r.folder, r.value.reveal());
            Some((text, Some(weight)))
        }),
        "M10" => each(&sight.rights, everybody),
        "M11" => each(&sight.delegates, |d| {
            let why = match (d.stranger, d.sees_private, d.mailboxes) {
                (true, ..) => "nobody of the organisation".to_owned(),
                (false, true, _) => "sees private items".to_owned(),
                (false, false, n) if n >= MANY_MAILBOXES => {
                    format!("has the same right in {n} mailboxes")
                }
                _ => return None,
            };
            Some(plain(format!("{}: {}, {why}", d.who.reveal(), d.what)))
        }),
        _ => return further(id, sight, windows),
    })
}

/// The look for the kinds that listings and other settings show.
fn further(id: &str, sight: &MailboxSight, windows: &[Window]) -> Option<Look<Found>> {
    let plain = |text: String| (text, None);
    Some(match id {
        "M13" => each(&sight.apps, |app| {
            app.by_owner.then(|| plain(app.what.clone()))
        }),
        "M14" => each(&map(&sight.mail, |mail| mail.bursts.clone()), |burst| {
            Some(plain(format!(
                "{} messages in the hour from {}, {} in a usual one",
                burst.sent, burst.hour, burst.usual
            )))
        }),
        "M15" => each(&map(&sight.mail, |mail| mail.look_alikes.clone()), |one| {
            Some(plain(format!(
                "{} messages from {}, which looks like {}",
                one.messages, one.domain, one.like
            )))
        }),
        "M16" => each(&map(&sight.reply, |reply| reply.hosts.clone()), |host| {
            let on = matches!(&sight.reply, Look::Seen(reply) if reply.on);
            let on = if on { "on" } else { "off" };
            Some(plain(format!(
                "links to {}; the reply is {on}",
                host.reveal()
            )))
        }),
        "M17" => devices(sight, windows),
        "M18" => unmanned(sight),
        "M20" => changed(sight, windows),
        _ => return None,
    })
}

/// Rights of everybody. How much others see of a calendar is often policy.
fn everybody(right: &RightSight) -> Option<(String, Option<Weight>)> {
    const NOTHING: [&str; 4] = ["None", "AvailabilityOnly", "FreeBusyTimeOnly", ""];
    const DEFAULTS: [&str; 4] = [
        "Inbox",
        "Sent Items",
        "Deleted Items",
        "Top of Information Store",
    ];
    const POLICY: [&str; 2] = ["LimitedDetails", "FreeBusyTimeAndSubjectAndLocation"];
    let level = right.level.as_str();
    let calendar = right.folder == "Calendar";
    let policy = calendar && right.who == "Default" && POLICY.contains(&level);
    if policy || NOTHING.contains(&level) {
        return None;
    }
    let weight = if DEFAULTS.contains(&right.folder.as_str()) {
        Weight::High
    } else {
        Weight::Medium
    };
    let text = format!("{} has {level} on {}", right.who, right.folder);
    Some((text, Some(weight)))
}

fn each<T>(
    look: &Look<Vec<T>>,
    judge: impl Fn(&T) -> Option<(String, Option<Weight>)>,
) -> Look<Found> {
    match look {
        Look::Seen(list) => Look::Seen(list.iter().filter_map(judge).collect()),
        Look::NotChecked(why) => Look::NotChecked(why.clone()),
    }
}

fn map<T, U>(look: &Look<T>, part: impl Fn(&T) -> U) -> Look<U> {
    match look {
        Look::Seen(all) => Look::Seen(part(all)),
        Look::NotChecked(why) => Look::NotChecked(why.clone()),
    }
}

/// A mailbox nobody works in, with mail that it sent.
fn unmanned(sight: &MailboxSight) -> Look<Found> {
    match (&sight.unmanned, &sight.sent_items) {
        (Look::NotChecked(_), _) => {
            let why = "what kind of mailbox it is was not said: hand in Get-Mailbox";
            Look::NotChecked(why.to_owned())
        }
        (Look::Seen(None), _) | (_, Look::Seen(0)) => Look::Seen(Vec::new()),
        (_, Look::NotChecked(why)) => Look::NotChecked(why.clone()),
        (Look::Seen(Some(what)), Look::Seen(n)) => {
            let text = format!("it belongs to {what}, and {n} items lie in its Sent Items");
            Look::Seen(vec![(text, None)])
        }
    }
}

fn named(rule: &RuleSight) -> String {
    let off = if rule.enabled { "" } else { " (switched off)" };
    format!("rule \"{}\"{off}", rule.name.reveal())
}

/// Deletes, or marks as read and moves where nobody looks. With an attacker's words in its conditions it weighs most.
fn hides(rule: &RuleSight) -> Option<(String, Option<Weight>)> {
    let moved = rule.hides_in.filter(|folder| HIDING.contains(folder));
    let how = match (rule.deletes, rule.marks_read, moved) {
        (true, ..) => "deletes".to_owned(),
        (false, true, Some(folder)) => format!("marks as read and moves to {folder}"),
        _ => return None,
    };
    let mut words: Vec<&str> = rule.words.iter().map(Private::reveal).collect();
    words.retain(|word| {
        let low = word.to_lowercase();
        WORDS.iter().any(|known| low.contains(known))
    });
    let (text, weight) = if words.is_empty() {
        (format!("{} {how}", named(rule)), Weight::Medium)
    } else {
        let list = words.join(", ");
        (
            format!("{} {how}, looking for {list}", named(rule)),
            Weight::High,
        )
    };
    Some((text, Some(weight)))
}

/// Rule messages that no list of rules shows.
fn hidden(sight: &MailboxSight) -> Look<Found> {
    let messages = match &sight.rule_messages {
        Look::Seen(messages) => messages,
        Look::NotChecked(why) => return Look::NotChecked(why.clone()),
    };
    let listed: Option<Vec<&str>> = match &sight.rules {
        Look::Seen(rules) => Some(rules.iter().map(|r| r.name.reveal()).collect()),
        Look::NotChecked(_) => None,
    };
    let judge = |message: &RuleMessage| {
        let provider = message.provider.as_deref().unwrap_or("").trim();
        let name = message.name.as_ref().map_or("", |n| n.reveal());
        if KNOWN_PROVIDERS.contains(&provider) || name == "Junk E-mail Rule" {
            return None;
        }
        let changed = message
            .modified
            .map_or(String::new(), |at| format!(", changed {at}"));
        if name.is_empty() || provider.is_empty() {
            return Some((
                format!("a rule message without name or provider{changed}"),
                None,
            ));
        }
        let missing = listed.as_ref().is_some_and(|list| !list.contains(&name));
        missing.then(|| {
            (
                format!("rule message \"{name}\" is not in the list of rules{changed}"),
                None,
            )
        })
    };
    Look::Seen(messages.iter().filter_map(judge).collect())
}

/// A path on another machine; a single name is inside the house and weighs less. Local and blank paths are usual.
fn reminder(path: &str) -> Option<Weight> {
    let path = path.trim().replace('/', "\\");
    let host = path.strip_prefix("\\\\")?.split('\\').next()?;
    let host = host.split('@').next().unwrap_or(host);
    if host.is_empty() || host == "." || host == "?" {
        return None;
    }
    Some(if host.contains('.') {
        Weight::High
    } else {
        Weight::Medium
    })
}

fn devices(sight: &MailboxSight, windows: &[Window]) -> Look<Found> {
    let devices = match &sight.devices {
        Look::Seen(devices) => devices,
        Look::NotChecked(why) => return Look::NotChecked(why.clone()),
    };
    if devices.is_empty() {
        return Look::Seen(Vec::new());
    }
    if windows.is_empty() {
        return Look::NotChecked("no window of exposure is known".to_owned());
    }
    let inside = devices.iter().filter_map(|device| {
        let first = device.first.filter(|day| within(windows, *day))?;
        Some((format!("{} came first on {first}", device.what), None))
    });
    Look::Seen(inside.collect())
}

fn changed(sight: &MailboxSight, windows: &[Window]) -> Look<Found> {
    if windows.is_empty() {
        return Look::NotChecked("no window of exposure is known".to_owned());
    }
    let mut out: Found = Vec::new();
    let mut looked = false;
    if let Look::Seen(messages) = &sight.rule_messages {
        looked = true;
        let days = messages.iter().filter_map(|m| m.modified.and_then(day));
        out.extend(
            days.filter(|day| within(windows, *day))
                .map(|day| (format!("a rule was changed on {day}"), None)),
        );
    }
    if let Look::Seen(devices) = &sight.devices {
        looked = true;
        let days = devices.iter().filter_map(|d| d.first);
        out.extend(
            days.filter(|day| within(windows, *day))
                .map(|day| (format!("a device came first on {day}"), None)),
        );
    }
    if looked {
        Look::Seen(out)
    } else {
        Look::NotChecked("nothing with a date was read of this mailbox".to_owned())
    }
}

fn within(windows: &[Window], day: Date) -> bool {
    windows.iter().any(|window| window.holds(day))
}

/// The day of a moment, in UTC.
pub fn day(at: Moment) -> Option<Date> {
    let at = jiff::Timestamp::from_millisecond(at.unix_ms()).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).date())
}
