//! `mailferry inventory`: reads what Exchange exported, says what it understood and what it refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::base::quantity::Count;
use crate::cli::args::InventoryArgs;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::plan::inventory::{
    FileKind, GrantKind, Inventory, MailboxRecord, Note, OrphanKind, Reader,
};

/// The schema of `inventory --json`.
const SCHEMA: &str = "mailferry.inventory/1";

/// Notes of one kind that are printed for people; JSON has all.
const SHOWN: usize = 50;

/// Runs the command.
pub fn run(args: &InventoryArgs, ui: Ui) -> Result<Exit, CommandError> {
    let inventory = read(&args.files)?;
    if ui.json {
        ui.data(&to_json(&inventory).to_string());
    } else {
        ui.data(&to_text(&inventory));
    }
    Ok(if inventory.refused.is_empty() {
        Exit::Done
    } else {
        Exit::Refused
    })
}

/// Reads files in the order given. A file that cannot be opened ends the command; what is wrong inside one does not.
pub fn read(files: &[PathBuf]) -> Result<Inventory, CommandError> {
    let mut reader = Reader::new();
    for path in files {
        let mut file = File::open(path).map_err(|error| CommandError::file(path, &error))?;
        reader
            .read(&path.display().to_string(), &mut file)
            .map_err(|error| CommandError::file(path, &error))?;
    }
    Ok(reader.finish())
}

/// The word of a kind in JSON and text.
const fn word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Mailboxes => "mailboxes",
        FileKind::Statistics => "statistics",
        FileKind::FolderStatistics => "folder-statistics",
        FileKind::FullAccess => "full-access",
        FileKind::SendAs => "send-as",
        FileKind::SendOnBehalf => "send-on-behalf",
        FileKind::FolderPermissions => "folder-permissions",
        FileKind::InboxRules => "inbox-rules",
        FileKind::Forwarding => "forwarding",
        FileKind::Holds => "holds",
        FileKind::MobileDevices => "mobile-devices",
        FileKind::Apps => "apps",
        FileKind::RoleAssignments => "role-assignments",
        FileKind::Servers => "servers",
        FileKind::Groups => "groups",
        FileKind::GroupMembers => "group-members",
        FileKind::MailboxList => "mailbox-list",
        FileKind::Unknown => "unknown",
    }
}

const fn orphan(kind: OrphanKind) -> &'static str {
    match kind {
        OrphanKind::Statistics => "statistics without a mailbox",
        OrphanKind::Disconnected => "disconnected mailboxes in the statistics",
        OrphanKind::NoStatistics => {
            "mailboxes without statistics (nobody ever opened them, or rows are missing)"
        }
        OrphanKind::Folders => "folder statistics without a mailbox",
        OrphanKind::GrantMailbox => "rights in mailboxes that no file has",
        OrphanKind::GrantSid => "rights of accounts that no longer exist",
        OrphanKind::Forward => "forwards of mailboxes that no file has",
        OrphanKind::Rule => "rules of mailboxes that no file has",
        OrphanKind::Device => "devices of mailboxes that no file has",
        OrphanKind::App => "add-ins of mailboxes that no file has",
        OrphanKind::Hold => "holds on mailboxes that no file has",
        OrphanKind::Listed => "listed mailboxes that no file has",
        OrphanKind::Members => "members of groups that no file has",
    }
}

fn kind_of(mailbox: &MailboxRecord) -> String {
    match &mailbox.kind {
        Some(kind) => format!("{kind:?}"),
        None => "type not exported".to_owned(),
    }
}

fn orphans(inventory: &Inventory) -> BTreeMap<OrphanKind, u64> {
    let mut out = BTreeMap::new();
    for row in &inventory.orphans {
        *out.entry(row.kind).or_default() += 1;
    }
    out
}

fn to_json(inventory: &Inventory) -> Value {
    let files: Vec<Value> = inventory
        .files
        .iter()
        .map(|file| {
            let passed_over: BTreeMap<&str, u64> = file
                .passed_over
                .iter()
                .map(|(rule, count)| (*rule, count.get()))
                .collect();
            json!({
                "path": file.path,
                "encoding": file.encoding,
                "delimiter": file.delimiter.map(String::from),
                "rows": file.rows.get(),
                "kind": word(file.kind),
                "provenance": file.provenance,
                "ignored_columns": file.ignored,
                "passed_over": passed_over,
            })
        })
        .collect();
    let notes = |notes: &[Note]| -> Vec<Value> {
        notes
            .iter()
            .map(|note| {
                json!({
                    "file": inventory.file(note.place),
                    "line": note.place.line,
                    "column": note.column,
                    "reason": note.reason,
                    "remedy": note.remedy,
                })
            })
            .collect()
    };
    let loose: Vec<Value> = inventory
        .orphans
        .iter()
        .map(|row| {
            json!({
                "file": inventory.file(row.place),
                "line": row.place.line,
                "kind": orphan(row.kind),
                "name": row.key.reveal(),
            })
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "mailboxes": inventory.mailboxes.len(),
        "items": inventory.items().get(),
        "bytes": inventory.bytes().get(),
        "servers": inventory.servers.len(),
        "grants": inventory.grants.len(),
        "groups": inventory.groups.len(),
        "rules": inventory.rules.len(),
        "devices": inventory.devices.len(),
        "orphans": inventory.orphans.len(),
        "orphan_rows": loose,
        "files": files,
        "refused": notes(&inventory.refused),
        "warnings": notes(&inventory.warnings),
    })
}

fn count(n: usize) -> Count {
    Count::new(n as u64)
}

fn to_text(inventory: &Inventory) -> String {
    let mut out = String::new();
    let line = |out: &mut String, text: String| writeln!(out, "{text}").expect("a string grows");
    for file in &inventory.files {
        let rows = file.rows;
        let mut text = format!(
            "{}: {}, {rows} rows, {}",
            file.path,
            word(file.kind),
            file.encoding
        );
        for (rule, left) in &file.passed_over {
            write!(text, "; {left} passed over ({rule})").expect("a string grows");
        }
        line(&mut out, text);
    }
    line(
        &mut out,
        format!(
            "understood {} mailboxes with {} items and {}, {} grants, {} groups, {} rules, {} devices, {} servers",
            count(inventory.mailboxes.len()),
            inventory.items(),
            inventory.bytes(),
            count(inventory.grants.len()),
            count(inventory.groups.len()),
            count(inventory.rules.len()),
            count(inventory.devices.len()),
            count(inventory.servers.len()),
        ),
    );
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for mailbox in &inventory.mailboxes {
        *kinds.entry(kind_of(mailbox)).or_default() += 1;
    }
    for (kind, n) in kinds {
        line(&mut out, format!("  {:>8} {kind}", count(n)));
    }
    line(&mut out, rights(inventory));
    for (kind, n) in orphans(inventory) {
        line(&mut out, format!("orphans: {n} {}", orphan(kind)));
    }
    for (word, notes) in [
        ("refused", &inventory.refused),
        ("warning", &inventory.warnings),
    ] {
        for note in notes.iter().take(SHOWN) {
            let file = inventory.file(note.place).unwrap_or_default();
            let (row, column) = (note.place.line, note.column);
            line(
                &mut out,
                format!("{word}: {file}:{row}:{column}: {}", note.reason),
            );
            line(&mut out, format!("  remedy: {}", note.remedy));
        }
        if notes.len() > SHOWN {
            line(
                &mut out,
                format!("{word}: {} more; --json has all", notes.len() - SHOWN),
            );
        }
    }
    let next = if inventory.refused.is_empty() {
        "next: mailferry plan FILE..."
    } else {
        "next: correct what was refused, then run this again"
    };
    line(&mut out, next.to_owned());
    out
}

/// Grants by kind in one line.
fn rights(inventory: &Inventory) -> String {
    let mut n = [0_u64; 4];
    for grant in &inventory.grants {
        let at = match grant.kind {
            GrantKind::FullAccess => 0,
            GrantKind::SendAs => 1,
            GrantKind::SendOnBehalf => 2,
            GrantKind::Folder { .. } => 3,
        };
        n[at] += 1;
    }
    let [full, send_as, behalf, folder] = n.map(Count::new);
    format!(
        "rights: {full} full access, {send_as} send as, {behalf} send on behalf, {folder} in folders"
    )
}
