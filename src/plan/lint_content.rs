//! Checks of what is in the mailboxes: sizes against quotas, large items, holds, archives, crowded folders, idle mailboxes, devices.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::base::limits;
use crate::base::quantity::{Bytes, Count};
use crate::plan::inventory::{Hold, MailboxRecord, RecipientKind};
use crate::plan::lint::{Desk, Finding, Severity, both};

pub(super) fn check(desk: &mut Desk<'_>) {
    let newest = newest_logon(desk);
    let mut found = Vec::new();
    let mut left = Bytes::ZERO;
    for (source, record) in desk.moving() {
        let mut note = |severity, check, evidence: String, remedy| {
            found.push(Finding {
                severity,
                check,
                mailbox: Some(source.clone()),
                evidence,
                remedy,
            });
        };
        size(record, &mut note);
        items(record, desk.wishes.tenant_item_max, &mut note);
        holds(record, &mut note);
        stores(record, newest, &mut note);
        left += dumpster(record);
    }
    for finding in found {
        desk.say(
            finding.severity,
            finding.check,
            finding.mailbox.as_ref(),
            finding.evidence,
            finding.remedy,
        );
    }
    if left > Bytes::ZERO {
        desk.say(
            Severity::Note,
            "dumpster.stays",
            None,
            format!("{left} in Recoverable Items"),
            "deleted items that users can still recover stay behind; keep the source until nobody asks for them",
        );
    }
    let devices = &desk.inventory.devices;
    let owners: BTreeSet<u32> = devices.iter().map(|device| device.mailbox.0).collect();
    if !devices.is_empty() {
        let evidence = format!(
            "{} phones and tablets of {} mailboxes",
            Count::new(devices.len() as u64),
            Count::new(owners.len() as u64)
        );
        desk.say(
            Severity::Note,
            "devices.enrol",
            None,
            evidence,
            "partnerships do not move: each account is removed and added again on its device",
        );
    }
}

type Say<'a> = dyn FnMut(Severity, &'static str, String, &'static str) + 'a;

fn dumpster(record: &MailboxRecord) -> Bytes {
    let store = record.primary.as_ref().map(|store| store.value);
    store
        .and_then(|store| store.dumpster_bytes)
        .map_or(Bytes::ZERO, |size| size.bytes)
}

fn size(record: &MailboxRecord, say: &mut Say<'_>) {
    let store = record.primary.as_ref().map(|store| store.value);
    let primary = store.and_then(|store| store.bytes).map(|size| size.bytes);
    let held = both(primary, None);
    if held > limits::TARGET_QUOTA_LARGE {
        say(
            Severity::Error,
            "size.target_quota",
            format!("{held}, more than the 100 GB of the largest mailbox"),
            "move old mail to an archive before its wave, or select less (older_than)",
        );
    } else if held > limits::TARGET_QUOTA_COMMON {
        let shared = record.kind == Some(RecipientKind::SharedMailbox);
        let remedy = if shared {
            "a shared mailbox over 50 GB needs a licence of its own"
        } else {
            "give it the licence of 100 GB before its wave"
        };
        say(
            Severity::Warning,
            "size.target_quota",
            format!("{held}, more than the 50 GB of the common licence"),
            remedy,
        );
    }
}

fn items(record: &MailboxRecord, tenant: Bytes, say: &mut Say<'_>) {
    let Some(largest) = record.largest_item.map(|size| size.value.bytes) else {
        return;
    };
    if largest > limits::ITEM_MAX {
        say(
            Severity::Error,
            "item.too_large",
            format!(
                "its largest item has {largest}; no tenant takes more than {}",
                limits::ITEM_MAX
            ),
            "save what is in it elsewhere: it will be refused and listed",
        );
    } else if largest > tenant {
        say(
            Severity::Warning,
            "item.over_tenant_limit",
            format!("its largest item has {largest}; the tenant takes {tenant}"),
            "raise MaxReceiveSize and MaxSendSize of the target mailboxes (up to 150 MB) before the wave, and name it with --tenant-item-max",
        );
    }
}

fn holds(record: &MailboxRecord, say: &mut Say<'_>) {
    for hold in &record.holds {
        let name = match &hold.value {
            Hold::Litigation => "Litigation Hold",
            Hold::InPlace(_) => "an In-Place Hold",
            Hold::Retention => "Retention Hold",
            Hold::Other(_) => "another hold",
        };
        let severity = match &hold.value {
            Hold::Retention => Severity::Warning,
            _ => Severity::Error,
        };
        say(
            severity,
            "hold.active",
            format!(
                "{name}; {} in Recoverable Items stay behind",
                dumpster(record)
            ),
            "set the hold on the target before its first item arrives, and keep or export the source's Recoverable Items before anything is deleted",
        );
    }
}

fn stores(record: &MailboxRecord, newest: Option<Date>, say: &mut Say<'_>) {
    let archive = record.archive.as_ref().map(|store| store.value);
    let held = archive
        .and_then(|store| store.bytes)
        .map_or(Bytes::ZERO, |size| size.bytes);
    if record.has_archive == Some(true) || held > Bytes::ZERO {
        say(
            Severity::Warning,
            "archive.other_tool",
            format!("has an archive ({held}), which is not carried"),
            "move the archive with a tool made for it, or bring it back into the mailbox first",
        );
    }
    let primary = record.primary.as_ref().map(|store| store.value);
    if primary.and_then(|store| store.quarantined) == Some(true) {
        say(
            Severity::Error,
            "mailbox.quarantined",
            "Exchange has quarantined it".to_owned(),
            "repair it first (New-MailboxRepairRequest); nothing can be read out of it until then",
        );
    }
    for folder in record
        .folders
        .iter()
        .flat_map(|folders| &folders.value.crowded)
    {
        say(
            Severity::Warning,
            "folder.crowded",
            format!("a folder with {} items", folder.items),
            "listing it is slow on both sides; ask the owner to divide it, or plan more time",
        );
    }
    let logon = primary
        .and_then(|store| store.last_logon)
        .map(|when| when.day);
    if let (Some(logon), Some(newest)) = (logon, newest) {
        let days = newest.since(logon).map_or(0, |span| span.get_days());
        if days > limits::IDLE_DAYS {
            say(
                Severity::Note,
                "mailbox.idle",
                format!("nobody logged on for {days} days before the inventory"),
                "ask whether it is still needed; what does not move needs no licence",
            );
        }
    }
}

/// The newest logon of any mailbox stands for the day of the export.
fn newest_logon(desk: &Desk<'_>) -> Option<Date> {
    let stores = desk
        .inventory
        .mailboxes
        .iter()
        .filter_map(|record| record.primary.as_ref());
    stores
        .filter_map(|store| store.value.last_logon)
        .map(|when| when.day)
        .max()
}
