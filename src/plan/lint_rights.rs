//! Checks of rights, groups and servers: orphans, names nobody has, groups too large to move together, missing updates.

use std::collections::BTreeMap;

use crate::base::limits;
use crate::base::quantity::Count;
use crate::plan::inventory::{Build, Party};
use crate::plan::lint::{Desk, Severity, plain};

/// The last public update of Exchange 2016, October 2025 (reference/cutover.md section 0).
const LAST_PUBLIC: Build = Build {
    major: 15,
    minor: 1,
    build: 2507,
    revision: 61,
};

pub(super) fn check(desk: &mut Desk<'_>) {
    orphans(desk);
    groups(desk);
    cuts(desk);
    servers(desk);
}

fn orphans(desk: &mut Desk<'_>) {
    let mut sids: BTreeMap<u32, u64> = BTreeMap::new();
    let (mut unknown, mut ambiguous, mut denied) = (0_u64, 0_u64, 0_u64);
    for grant in &desk.inventory.grants {
        match &grant.trustee {
            Party::OrphanSid(_) => *sids.entry(grant.mailbox.0).or_default() += 1,
            Party::Unknown(_) => unknown += 1,
            Party::Ambiguous(_) => ambiguous += 1,
            _ => {}
        }
        denied += u64::from(grant.deny);
    }
    let mut found = Vec::new();
    for (mailbox, count) in sids {
        let record = desk
            .inventory
            .mailbox(crate::plan::inventory::MailboxNo(mailbox));
        if let Some(address) = record.and_then(|record| record.address.clone()) {
            found.push((address, count));
        }
    }
    for (address, count) in found {
        desk.say(
            Severity::Warning,
            "grant.orphan_sid",
            Some(&address),
            format!("{count} rights of accounts that no longer exist"),
            "not given again on the target; find out whose they were",
        );
    }
    for (count, check, what, remedy) in [
        (
            unknown,
            "grant.unknown_trustee",
            "rights name nobody of this inventory",
            "export the recipients they name (service accounts, groups), so that they can be planned and given again",
        ),
        (
            ambiguous,
            "grant.ambiguous_trustee",
            "rights name somebody by a name that several have",
            "export the rights with the collector script, which writes unambiguous names",
        ),
        (
            denied,
            "grant.deny",
            "entries take rights away (Deny)",
            "Exchange Online keeps no Deny entries from here; look at what they prevented",
        ),
    ] {
        if count > 0 {
            desk.say(
                Severity::Warning,
                check,
                None,
                format!("{} {what}", Count::new(count)),
                remedy,
            );
        }
    }
}

fn groups(desk: &mut Desk<'_>) {
    let draft = desk.draft;
    for (group, members) in &draft.estate.large_groups {
        let address = desk
            .inventory
            .group(*group)
            .and_then(|group| group.address.clone());
        desk.say(
            Severity::Note,
            "group.too_large",
            address.as_ref(),
            format!("a group of {members} mailboxes holds rights; it cannot move together (limit {})", limits::GROUP_TOGETHER_MAX),
            "its members lose these rights while they and the mailbox are on different sides; give the right to the group again on the target",
        );
    }
    for group in &draft.estate.closed_groups {
        let address = desk
            .inventory
            .group(*group)
            .and_then(|group| group.address.clone());
        desk.say(
            Severity::Warning,
            "group.members_unknown",
            address.as_ref(),
            "a group holds rights, and no file lists all of its members",
            "export its members (Get-DistributionGroupMember); until then the plan does not know who works there",
        );
    }
    if draft.estate.links_left_out {
        desk.say(
            Severity::Warning,
            "group.rights_left_out",
            None,
            format!("more than {} rights by way of groups", Count::new(limits::GROUP_LINKS_MAX as u64)),
            "the rest does not keep mailboxes together; look at groups that hold rights in very many mailboxes",
        );
    }
}

fn cuts(desk: &mut Desk<'_>) {
    let between = desk
        .draft
        .cuts
        .iter()
        .filter(|cut| cut.owner_wave.is_some() && cut.trustee_wave.is_some())
        .count();
    let stay = desk.draft.cuts.len() - between;
    for (count, what) in [
        (between, "rights reach from one wave into another"),
        (stay, "rights reach to mailboxes that stay"),
    ] {
        if count > 0 {
            desk.say(
                Severity::Warning,
                "wave.cut",
                None,
                format!("{} {what}", Count::new(count as u64)),
                "tell the people named in the plan's cuts; larger waves cut less",
            );
        }
    }
}

fn servers(desk: &mut Desk<'_>) {
    if desk.inventory.servers.is_empty() {
        desk.say(
            Severity::Note,
            "server.unknown",
            None,
            "the inventory names no server",
            "export the servers with the collector script: an unpatched source is a finding of its own",
        );
    }
    let mut found = Vec::new();
    for server in &desk.inventory.servers {
        let name = plain(&server.name);
        match (&server.exsetup, &server.admin_version) {
            (Some(exsetup), _) if exsetup.value < LAST_PUBLIC => found.push((
                Severity::Warning,
                "server.unpatched",
                format!("{name} runs {}, older than {LAST_PUBLIC} (October 2025)", exsetup.value),
                "patch it to the highest build there is; Exchange Online throttles and then blocks hybrid mail from older ones",
            )),
            (Some(_), _) => {}
            (None, Some(admin)) => found.push((
                Severity::Warning,
                "server.patch_unknown",
                format!("{name} says {}, which shows the cumulative update only", admin.value),
                "read the file version of ExSetup.exe; it shows the security update",
            )),
            (None, None) => found.push((
                Severity::Warning,
                "server.patch_unknown",
                format!("{name}: no build in the inventory"),
                "read the file version of ExSetup.exe; it shows the security update",
            )),
        }
    }
    for (severity, check, evidence, remedy) in found {
        desk.say(severity, check, None, evidence, remedy);
    }
}
