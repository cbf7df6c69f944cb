//! Checks of addresses: unroutable, duplicate, of domains the tenant does not accept; forwards and rules that lead outside.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::MailboxId;
use crate::base::quantity::Count;
use crate::plan::inventory::{MailboxNo, Party, ProxyKind};
use crate::plan::lint::{Desk, Severity, domain_of};

/// Endings that no public mail server accepts mail for.
const PRIVATE_ENDINGS: &[&str] = &[
    ".local",
    ".lan",
    ".internal",
    ".intern",
    ".corp",
    ".private",
    ".localdomain",
    ".home.arpa",
    ".localhost",
    ".invalid",
    ".test",
];

/// Domains named in the census; a tenant seldom has more.
const DOMAINS_SHOWN: usize = 12;

pub(super) fn check(desk: &mut Desk<'_>) {
    domains(desk);
    duplicates(desk);
    forwards(desk);
}

fn is_private(domain: &str) -> bool {
    PRIVATE_ENDINGS
        .iter()
        .any(|ending| domain.ends_with(ending))
}

fn domains(desk: &mut Desk<'_>) {
    let accepted = &desk.wishes.accepted_domains;
    let mut census: BTreeMap<String, u64> = BTreeMap::new();
    let mut found = Vec::new();
    for mover in &desk.draft.estate.movers {
        let Some(domain) = domain_of(mover.target.reveal()) else {
            continue;
        };
        if is_private(&domain) {
            found.push((
                Severity::Error,
                "address.unroutable",
                mover.source.clone(),
                format!("the target address ends in {domain}, which no mail can reach"),
                "give the target an address of a verified domain (a source,target list)",
            ));
        } else if !accepted.is_empty() && !accepted.contains(&domain) {
            found.push((
                Severity::Error,
                "address.domain_not_accepted",
                mover.source.clone(),
                format!("the tenant does not accept {domain}"),
                "verify the domain in the tenant, or give the target another address",
            ));
        }
        *census.entry(domain).or_default() += 1;
        let Some(record) = desk.inventory.mailbox(mover.record) else {
            continue;
        };
        let mut lost = BTreeSet::new();
        for proxy in record
            .proxies
            .iter()
            .filter(|proxy| proxy.kind == ProxyKind::Smtp)
        {
            let Some(domain) = domain_of(proxy.address.reveal()) else {
                continue;
            };
            if is_private(&domain) || !accepted.is_empty() && !accepted.contains(&domain) {
                lost.insert(domain);
            } else if !proxy.primary {
                *census.entry(domain).or_default() += 1;
            }
        }
        if !lost.is_empty() {
            found.push((
                Severity::Warning,
                "address.proxy_lost",
                mover.source.clone(),
                format!("secondary addresses in {}", lost.into_iter().collect::<Vec<_>>().join(", ")),
                "these addresses cannot exist in the tenant; mail to them will bounce after the change of MX",
            ));
        }
    }
    for (severity, check, mailbox, evidence, remedy) in found {
        desk.say(severity, check, Some(&mailbox), evidence, remedy);
    }
    if accepted.is_empty() && !census.is_empty() {
        let mut named: Vec<String> = census
            .iter()
            .take(DOMAINS_SHOWN)
            .map(|(domain, count)| format!("{domain} ({})", Count::new(*count)))
            .collect();
        if census.len() > DOMAINS_SHOWN {
            named.push(format!("and {} more", census.len() - DOMAINS_SHOWN));
        }
        desk.say(
            Severity::Note,
            "address.domains",
            None,
            format!("addresses in {}", named.join(", ")),
            "verify each in the tenant; name them with --accepted-domain to have every address checked",
        );
    }
}

/// Addresses that more than one mailbox carries.
fn duplicates(desk: &mut Desk<'_>) {
    let mut holders: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for (no, record) in (0_u32..).zip(&desk.inventory.mailboxes) {
        let primary = record.address.iter().map(MailboxId::reveal);
        let smtp = record
            .proxies
            .iter()
            .filter(|proxy| proxy.kind == ProxyKind::Smtp);
        for address in primary.chain(smtp.map(|proxy| proxy.address.reveal())) {
            holders
                .entry(address.to_lowercase())
                .or_default()
                .insert(no);
        }
    }
    let mut found = Vec::new();
    for who in holders.values().filter(|who| who.len() > 1) {
        for no in who {
            let record = desk.inventory.mailbox(MailboxNo(*no));
            if let Some(address) = record.and_then(|record| record.address.clone()) {
                found.push((address, who.len() - 1));
            }
        }
    }
    for (address, others) in found {
        desk.say(
            Severity::Error,
            "address.duplicate",
            Some(&address),
            format!("one of its addresses belongs to {others} other mailboxes as well"),
            "an address may exist once in a tenant: decide whose it is",
        );
    }
}

/// Forwards of mailboxes and Inbox rules that lead outside the organisation.
fn forwards(desk: &mut Desk<'_>) {
    let outside = |party: &Party| match party {
        Party::Outside(address) => {
            domain_of(address.reveal()).is_some_and(|domain| !desk.own_domains.contains(&domain))
        }
        _ => false,
    };
    let mut found = Vec::new();
    for (source, record) in desk.moving() {
        for forward in record
            .forwards
            .iter()
            .filter(|forward| outside(&forward.value.to))
        {
            let copy = match forward.value.keeps_copy {
                Some(false) => "keeps no copy",
                Some(true) => "keeps a copy",
                None => "the export does not say whether it keeps a copy",
            };
            found.push((
                "forward.outside",
                source.clone(),
                format!("all mail is forwarded outside; {copy}"),
            ));
        }
    }
    for rule in desk
        .inventory
        .rules
        .iter()
        .filter(|rule| rule.enabled != Some(false))
    {
        let leads_out = rule.targets.iter().any(|(_, party)| outside(party));
        let owner = desk
            .inventory
            .mailbox(rule.mailbox)
            .and_then(|record| record.address.clone());
        if let Some(owner) =
            owner.filter(|_| leads_out && desk.draft.estate.place(rule.mailbox).is_some())
        {
            let deletes = if rule.deletes { " and deletes it" } else { "" };
            let place = desk.inventory.file(rule.place).unwrap_or("the rules");
            let evidence = format!(
                "an Inbox rule sends mail outside{deletes} ({place}, line {})",
                rule.place.line
            );
            found.push(("rule.outside", owner, evidence));
        }
    }
    for (check, mailbox, evidence) in found {
        desk.say(
            Severity::Warning,
            check,
            Some(&mailbox),
            evidence,
            "ask the owner whether it is theirs: attackers set such forwards; approve it before it is made again on the target",
        );
    }
}
