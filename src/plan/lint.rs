//! What should be known before anything runs: every check that files can answer (reference/inventory.md section 7, reference/cutover.md),
//! each with severity, evidence and remedy.

use std::collections::BTreeSet;

use crate::base::id::MailboxId;
use crate::base::quantity::{Bytes, Count};
use crate::plan::draft::Draft;
use crate::plan::estate::Use;
use crate::plan::inventory::{Inventory, MailboxRecord, ProxyKind, RecipientKind};
use crate::plan::wishes::Wishes;
use crate::plan::{lint_address, lint_content, lint_rights};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The move of this mailbox will fail or lose something.
    Error,
    /// Somebody must decide or act.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// The check's name; stable.
    pub check: &'static str,
    /// About which mailbox, where it is about one.
    pub mailbox: Option<MailboxId>,
    /// What was seen.
    pub evidence: String,
    /// What to do about it.
    pub remedy: &'static str,
}

/// What the checks look at, and what they found.
pub(super) struct Desk<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) wishes: &'a Wishes,
    pub(super) draft: &'a Draft,
    /// The domains of all mailboxes' primary addresses, lower case.
    pub(super) own_domains: BTreeSet<String>,
    findings: Vec<Finding>,
}

impl Desk<'_> {
    pub(super) fn say(
        &mut self,
        severity: Severity,
        check: &'static str,
        mailbox: Option<&MailboxId>,
        evidence: impl Into<String>,
        remedy: &'static str,
    ) {
        self.findings.push(Finding {
            severity,
            check,
            mailbox: mailbox.cloned(),
            evidence: evidence.into(),
            remedy,
        });
    }

    /// The records of the mailboxes that move.
    pub(super) fn moving(&self) -> Vec<(&MailboxId, &MailboxRecord)> {
        let movers = self.draft.estate.movers.iter();
        let records =
            movers.filter_map(|mover| Some((&mover.source, self.inventory.mailbox(mover.record)?)));
        records.collect()
    }
}

/// The part after the @, in lower case.
pub(super) fn domain_of(address: &str) -> Option<String> {
    address
        .rsplit_once('@')
        .map(|(_, domain)| domain.to_lowercase())
}

/// Everything the files show, worst first.
pub fn lint(inventory: &Inventory, wishes: &Wishes, draft: &Draft) -> Vec<Finding> {
    let addresses = inventory
        .mailboxes
        .iter()
        .filter_map(|record| record.address.as_ref());
    let mut desk = Desk {
        inventory,
        wishes,
        draft,
        own_domains: addresses
            .filter_map(|address| domain_of(address.reveal()))
            .collect(),
        findings: Vec::new(),
    };
    wished(&mut desk);
    kinds(&mut desk);
    calendar(&mut desk);
    sources(&mut desk);
    lint_address::check(&mut desk);
    lint_content::check(&mut desk);
    lint_rights::check(&mut desk);
    let mut findings = desk.findings;
    findings.sort();
    findings.dedup();
    findings
}

/// Wishes that name nobody.
fn wished(desk: &mut Desk<'_>) {
    let known: BTreeSet<String> = desk
        .inventory
        .mailboxes
        .iter()
        .filter_map(|record| record.address.as_ref())
        .map(|address| address.reveal().to_lowercase())
        .collect();
    let wishes = desk.wishes;
    let named = [
        ("--pilot", wishes.pilots.iter().collect::<Vec<_>>()),
        ("--vip", wishes.vips.iter().collect()),
        ("--exclude", wishes.exclude.iter().collect()),
        ("--not-before", wishes.not_before.keys().collect()),
    ];
    for (flag, addresses) in named {
        for address in addresses {
            if !known.contains(address) {
                desk.say(
                    Severity::Error,
                    "wishes.unknown_mailbox",
                    Some(&MailboxId::new(address.as_str())),
                    format!("{flag} names a mailbox that is not in the inventory"),
                    "correct the address, or export the inventory again",
                );
            }
        }
    }
    for address in wishes.pilots.intersection(&wishes.vips) {
        desk.say(
            Severity::Warning,
            "wishes.pilot_and_vip",
            Some(&MailboxId::new(address.as_str())),
            "named as pilot and as VIP; planned as pilot",
            "name it once",
        );
    }
}

fn kinds(desk: &mut Desk<'_>) {
    for (record, rule) in desk
        .draft
        .estate
        .excluded
        .iter()
        .map(|excluded| (excluded.record, excluded.rule))
    {
        let Some(found) = desk.inventory.mailbox(record) else {
            continue;
        };
        let (severity, check, remedy) = match rule {
            "unusable address" | "no primary address" => (
                Severity::Error,
                "address.unroutable",
                "give it a usable primary SMTP address, then export again",
            ),
            "address of more than one mailbox" => (
                Severity::Error,
                "address.duplicate",
                "one target mailbox takes one source mailbox: correct the pairs or the addresses",
            ),
            "too large for a wave, even copied ahead" => (
                Severity::Error,
                "night.too_large",
                "raise the limits of a wave, or lengthen the night",
            ),
            _ if rule.contains("another tool") => (
                Severity::Warning,
                "type.other_tool",
                "move it with the tool made for it, and say so in the sign-off",
            ),
            _ => continue,
        };
        desk.say(severity, check, found.address.as_ref(), rule, remedy);
    }
    let mut out = Vec::new();
    for (source, record) in desk.moving() {
        match &record.kind {
            Some(RecipientKind::Unknown(kind)) => out.push((
                source.clone(),
                "type.unknown",
                format!("RecipientTypeDetails is {}, which no list has", plain(kind)),
                "find out what it is before its wave; it is planned as a user's mailbox",
            )),
            Some(RecipientKind::LinkedMailbox | RecipientKind::LinkedRoomMailbox) => out.push((
                source.clone(),
                "type.linked",
                "its account is in another forest".to_owned(),
                "make sure that the target user belongs to the right account",
            )),
            Some(RecipientKind::LegacyMailbox) => out.push((
                source.clone(),
                "type.legacy",
                "a mailbox of an older Exchange".to_owned(),
                "move it to the Exchange 2016 server first, or test that EWS reaches it",
            )),
            _ => {}
        }
    }
    for (source, check, evidence, remedy) in out {
        desk.say(Severity::Warning, check, Some(&source), evidence, remedy);
    }
    rooms(desk);
}

fn rooms(desk: &mut Desk<'_>) {
    let movers = desk.draft.estate.movers.iter();
    let rooms = movers
        .filter(|mover| matches!(mover.purpose, Use::Room | Use::Equipment))
        .count() as u64;
    if rooms > 0 {
        desk.say(
            Severity::Note,
            "room.policies",
            None,
            format!("{} rooms and devices", Count::new(rooms)),
            "booking policies do not move: export Get-CalendarProcessing and set them again in Exchange Online",
        );
    }
}

fn calendar(desk: &mut Desk<'_>) {
    let draft = desk.draft;
    if !draft.dated {
        desk.say(
            Severity::Note,
            "calendar.undated",
            None,
            "no --start: nights are counted, not dated",
            "give --start and --window to date them",
        );
    }
    let unplaced = draft
        .waves
        .iter()
        .filter(|wave| wave.night.is_none())
        .count();
    if unplaced > 0 {
        desk.say(
            Severity::Error,
            "calendar.full",
            None,
            format!("{} waves find no night", Count::new(unplaced as u64)),
            "give more or longer nights, more lanes (source_mailboxes_at_once), or larger waves",
        );
    }
    for (mover, times) in draft.estate.movers.iter().zip(&draft.times) {
        if times.ahead {
            desk.say(
                Severity::Note,
                "night.ahead",
                Some(&mover.source),
                format!(
                    "takes up to {} h and does not fit into one night of its wave",
                    crate::plan::forecast::tenths_of_hours(times.slow)
                ),
                "it is copied in the nights before; in its wave's night only what changed is carried",
            );
        }
        if !mover.counted {
            desk.say(
                Severity::Note,
                "size.unknown",
                Some(&mover.source),
                "no statistics: planned as empty",
                "run Get-MailboxStatistics for it; a mailbox nobody ever opened has no row",
            );
        }
    }
}

/// What the inventory itself says about its worth.
fn sources(desk: &mut Desk<'_>) {
    let (refused, warned) = (desk.inventory.refused.len(), desk.inventory.warnings.len());
    if refused > 0 {
        desk.say(
            Severity::Error,
            "inventory.refused",
            None,
            format!("{} files, rows or columns were refused; the plan does not know them", Count::new(refused as u64)),
            "run `mailferry inventory` on the same files: it names each with the command that exports it right",
        );
    }
    if warned > 0 {
        desk.say(
            Severity::Warning,
            "inventory.warnings",
            None,
            format!("{} warnings", Count::new(warned as u64)),
            "run `mailferry inventory` on the same files and read them",
        );
    }
    let dns: usize = desk
        .moving()
        .iter()
        .filter(|(_, record)| record.legacy_dn.is_some())
        .count();
    let x500: usize = desk
        .moving()
        .iter()
        .flat_map(|(_, record)| &record.proxies)
        .filter(|proxy| proxy.kind == ProxyKind::X500)
        .count();
    let missing = desk.draft.estate.movers.len().saturating_sub(dns);
    if dns + x500 > 0 {
        desk.say(
            Severity::Note,
            "x500.census",
            None,
            format!(
                "{} legacyExchangeDN and {} older X500 addresses",
                Count::new(dns as u64),
                Count::new(x500 as u64)
            ),
            "each becomes an X500 address of its target mailbox; without it replies to old mail bounce (IMCEAEX)",
        );
    }
    if missing > 0 {
        desk.say(
            Severity::Warning,
            "x500.unknown",
            None,
            format!("{} mailboxes without a LegacyExchangeDN in the inventory", Count::new(missing as u64)),
            "export LegacyExchangeDN and EmailAddresses; without X500 addresses replies to old mail bounce",
        );
    }
}

/// A word out of a file on one line, short.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// A size out of the sum of two stores.
pub(super) fn both(a: Option<Bytes>, b: Option<Bytes>) -> Bytes {
    a.unwrap_or_default() + b.unwrap_or_default()
}
