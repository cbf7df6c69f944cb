//! Sets an inventory of the source against an export of the target: addresses, legacy names, and whether there is a mailbox at all.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::gate::DirectoryNote;
use crate::plan::document::Plan;
use crate::plan::inventory::{Inventory, MailboxRecord, ProxyKind, RecipientKind};
use crate::report::runbook::Move;

/// The mailboxes of a plan with every address their source has; `None` stands for a source the inventory does not know.
pub fn moves(plan: &Plan, source: &Inventory) -> Vec<(Move, bool)> {
    let known = by_address(source);
    pairs(plan)
        .map(|(from, to)| {
            let record = known.get(&from.to_lowercase());
            let proxies = record
                .map(|record| needed(record, &from))
                .unwrap_or_default();
            let one = Move {
                source: from,
                target: to,
                proxies,
            };
            (one, record.is_some())
        })
        .collect()
}

/// The mailboxes of a plan, of which only the addresses are known.
pub fn bare(plan: &Plan) -> Vec<Move> {
    pairs(plan)
        .map(|(source, target)| Move {
            source,
            target,
            proxies: Vec::new(),
        })
        .collect()
}

fn pairs(plan: &Plan) -> impl Iterator<Item = (String, String)> {
    plan.jobs().into_iter().map(|job| {
        (
            job.source.reveal().to_owned(),
            job.target.reveal().to_owned(),
        )
    })
}

/// What the target lacks, mailbox by mailbox.
pub fn compare(moves: &[(Move, bool)], target: &Inventory) -> Vec<DirectoryNote> {
    let there = by_address(target);
    let mut out = Vec::new();
    for (one, known) in moves {
        let mut note = DirectoryNote {
            label: one.source.clone(),
            ..DirectoryNote::default()
        };
        match there.get(&one.target.to_lowercase()) {
            None => note.no_target = true,
            Some(record) => {
                match licence(record) {
                    Some(true) => {}
                    Some(false) => note.unlicensed = true,
                    None => note.licence_unknown = true,
                }
                let has = entries(record);
                for proxy in one
                    .proxies
                    .iter()
                    .filter(|proxy| !has.contains(&proxy.to_lowercase()))
                {
                    match proxy.split_once(':') {
                        Some(("X500", name)) => note.x500.push(name.to_owned()),
                        Some((_, address)) => note.addresses.push(address.to_owned()),
                        None => {}
                    }
                }
            }
        }
        if !known {
            note.addresses
                .push("what its source has: the inventory does not know that mailbox".to_owned());
        }
        let quiet = DirectoryNote {
            label: note.label.clone(),
            ..DirectoryNote::default()
        };
        if note != quiet {
            out.push(note);
        }
    }
    out
}

/// Whether a target mailbox has the licence it needs. Shared mailboxes, rooms and equipment need none up to 50 GB, which the plan's checks
/// look at; of everything else only SKUAssigned tells.
fn licence(record: &MailboxRecord) -> Option<bool> {
    match record.kind {
        Some(
            RecipientKind::SharedMailbox
            | RecipientKind::RoomMailbox
            | RecipientKind::EquipmentMailbox
            | RecipientKind::SchedulingMailbox,
        ) => Some(true),
        _ => record.licensed,
    }
}

/// Mailboxes by every SMTP address they have, in lower case.
fn by_address(inventory: &Inventory) -> BTreeMap<String, &MailboxRecord> {
    let mut out = BTreeMap::new();
    for record in &inventory.mailboxes {
        let smtp = record
            .proxies
            .iter()
            .filter(|proxy| proxy.kind == ProxyKind::Smtp)
            .map(|proxy| proxy.address.reveal());
        let own = record
            .address
            .iter()
            .map(crate::base::id::MailboxId::reveal);
        for address in own.chain(smtp) {
            out.entry(address.to_lowercase()).or_insert(record);
        }
    }
    out
}

/// What must be on the target: SMTP addresses and X500 names, the legacy name first, since it is what old mail replies to.
fn needed(record: &MailboxRecord, primary: &str) -> Vec<String> {
    let mut out: Vec<String> = record
        .legacy_dn
        .iter()
        .map(|name| format!("X500:{}", name.reveal()))
        .collect();
    out.push(format!("smtp:{primary}"));
    for proxy in &record.proxies {
        match proxy.kind {
            ProxyKind::Smtp => out.push(format!("smtp:{}", proxy.address.reveal())),
            ProxyKind::X500 => out.push(format!("X500:{}", proxy.address.reveal())),
            ProxyKind::Sip | ProxyKind::Eum | ProxyKind::X400 | ProxyKind::Other(_) => {}
        }
    }
    let mut seen = BTreeSet::new();
    out.retain(|proxy| seen.insert(proxy.to_lowercase()));
    out
}

/// What a target mailbox has, in lower case. Its own legacy name counts: mail addressed to it arrives.
fn entries(record: &MailboxRecord) -> BTreeSet<String> {
    needed(
        record,
        record
            .address
            .as_ref()
            .map_or("", |address| address.reveal()),
    )
    .into_iter()
    .map(|proxy| proxy.to_lowercase())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::inventory::Reader;

    fn inventory(text: &str) -> Inventory {
        let mut reader = Reader::new();
        reader.read("m.csv", &mut text.as_bytes()).unwrap();
        let found = reader.finish();
        assert!(found.refused.is_empty(), "{:?}", found.refused);
        found
    }

    const HEAD: &str = "PrimarySmtpAddress,EmailAddresses,LegacyExchangeDN,RecipientTypeDetails,ExchangeGuid,SKUAssigned\n";

    #[test]
    fn what_the_target_lacks_is_named_and_case_does_not_count() {
        let text = include_str!("../../plans/clinic.toml");
        let plan = Plan::parse(text).unwrap();
        let (from, to) = pairs(&plan).next().unwrap();
        let source = inventory(&format!(
            "{HEAD}{from},SMTP:{from};smtp:old@clinic.example;X500:/o=Older/cn=a,/o=Clinic/cn=a,UserMailbox,11111111-1111-1111-1111-111111111111,True\n"
        ));
        let moves: Vec<(Move, bool)> = moves(&plan, &source).into_iter().take(1).collect();
        assert!(moves[0].1);
        let good = inventory(&format!(
            "{HEAD}{to},SMTP:{to};smtp:{from};smtp:OLD@clinic.example;x500:/O=older/cn=A;X500:/o=clinic/cn=a,/o=Exo/cn=b,UserMailbox,22222222-1111-1111-1111-111111111111,True\n"
        ));
        assert_eq!(compare(&moves, &good), Vec::new());
        let poor = inventory(&format!(
            "{HEAD}{to},SMTP:{to},/o=Exo/cn=b,UserMailbox,22222222-1111-1111-1111-111111111111,True\n"
        ));
        let notes = compare(&moves, &poor);
        assert_eq!(notes[0].x500, ["/o=Clinic/cn=a", "/o=Older/cn=a"]);
        assert!(
            notes[0]
                .addresses
                .contains(&"old@clinic.example".to_owned()),
            "{notes:?}"
        );
        let none = inventory(&format!(
            "{HEAD}else@x.example,SMTP:else@x.example,/o=Exo/cn=b,UserMailbox,22222222-1111-1111-1111-111111111111,True\n"
        ));
        assert!(compare(&moves, &none)[0].no_target);
    }

    #[test]
    fn a_licence_is_known_only_where_the_export_says_it_or_none_is_needed() {
        let one = |kind: &str, licence: &str| {
            let found = inventory(&format!(
                "{HEAD}a@x.example,SMTP:a@x.example,/o=Exo/cn=b,{kind},22222222-1111-1111-1111-111111111111,{licence}\n"
            ));
            super::licence(&found.mailboxes[0])
        };
        assert_eq!(one("UserMailbox", "True"), Some(true));
        assert_eq!(one("UserMailbox", "False"), Some(false));
        assert_eq!(one("UserMailbox", ""), None);
        assert_eq!(one("SharedMailbox", "False"), Some(true));
    }
}
