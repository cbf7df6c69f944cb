//! Inventories from outside: every pitfall of an export has a small file in `plans/awkward` and is named with its place; the clinic reads
//! whole; the collector reads only.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test; helpers are not seen as such by the lint, and what it measures or skips is said"
)]

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

use mailferry::plan::inventory::{
    FolderRights, Grant, GrantKind, Hold, Inventory, MailboxNo, Note, OrphanKind, Party, Reader,
    RecipientKind, RuleAction,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &str) -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> = std::fs::read_dir(root().join(dir))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            !name.starts_with('.') && name != "README.md"
        })
        .collect();
    out.sort();
    out
}

fn read(paths: &[PathBuf]) -> Inventory {
    let mut reader = Reader::new();
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        reader
            .read(name, &mut std::fs::File::open(path).unwrap())
            .unwrap();
    }
    reader.finish()
}

fn awkward(names: &[&str]) -> Inventory {
    let paths: Vec<PathBuf> = names
        .iter()
        .map(|name| root().join("plans/awkward").join(name))
        .collect();
    read(&paths)
}

fn texts(names: &[(&str, &str)]) -> Inventory {
    let mut reader = Reader::new();
    for (name, text) in names {
        reader.read(name, &mut text.as_bytes()).unwrap();
    }
    reader.finish()
}

fn show(inventory: &Inventory) -> String {
    let mut out = String::new();
    for file in &inventory.files {
        let delimiter = match file.delimiter {
            Some('\t') => "tab".to_owned(),
            Some(c) => c.to_string(),
            None => "none".to_owned(),
        };
        write!(
            out,
            "{} | {:?} | {} | delimiter {delimiter} | {} rows",
            file.path, file.kind, file.encoding, file.rows
        )
        .unwrap();
        for (rule, n) in &file.passed_over {
            write!(out, " | {n} passed over: {rule}").unwrap();
        }
        out.push('\n');
    }
    let list = |out: &mut String, word: &str, notes: &[Note]| {
        for note in notes {
            let (line, column, reason) = (note.place.line, note.column, &note.reason);
            writeln!(out, "  {word} {line}:{column} {reason}").unwrap();
        }
    };
    list(&mut out, "refused", &inventory.refused);
    list(&mut out, "warning", &inventory.warnings);
    out
}

#[test]
fn every_pitfall_is_named_with_its_place() {
    let mut out = String::new();
    for path in files("plans/awkward") {
        let inventory = read(&[path]);
        out += &show(&inventory);
        for note in inventory.refused.iter().chain(&inventory.warnings) {
            assert!(note.remedy.len() > 10, "{note:?}");
            let text = format!("{} {}", note.reason, note.remedy).to_lowercase();
            for private in [
                "@clinic",
                "harris",
                "ozanne",
                "clinic",
                "smith",
                "not-a-real-one",
            ] {
                assert!(!text.contains(private), "{note:?} repeats a cell");
            }
        }
    }
    insta::with_settings!({snapshot_path => "data/snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("inventory_awkward", out);
    });
}

/// The pitfalls of reference/inventory.md sections 2 to 4 and the words that name them.
#[test]
fn no_pitfall_of_the_table_is_without_a_file() {
    for (file, refused, words) in [
        ("ascii.csv", false, "question mark"),
        ("code-page.csv", false, "windows-1252"),
        ("utf16-no-mark.csv", false, "UTF-16 without its mark"),
        ("appended.csv", true, "NUL"),
        ("two-encodings.csv", true, "two encodings"),
        ("type-names.csv", true, "data was lost at export"),
        ("cut-sizes.csv", true, "data was lost at export"),
        ("cut-list.csv", true, "data was lost at export"),
        ("localized-sizes.csv", true, "two ways"),
        ("localized-sizes.csv", true, "negative"),
        ("localized-sizes.csv", false, "disagree"),
        ("localized-sizes.csv", false, "only a rounded number"),
        ("open-dates.csv", false, "day or the month comes first"),
        ("mixed-dates.csv", false, "in one file"),
        ("thousand-rows.csv", false, "exactly 1,000 rows"),
        ("passwords.csv", true, "passwords"),
        ("format-list.txt", true, "Format-List"),
        ("format-table.txt", true, "Format-Table"),
        ("open-quote.csv", true, "never closes"),
        ("short-rows.csv", true, "as many fields"),
        ("short-rows.csv", true, "closing quote"),
        ("short-rows.csv", true, "no GUID"),
        ("broken-list.csv", true, "has no @"),
        ("broken-list.csv", true, "in a list already"),
        ("broken-list.csv", true, "same target"),
        ("no-header.csv", true, "header is of no export"),
        (
            "folder-rights-without-mailbox.csv",
            true,
            "no column says which mailbox",
        ),
        ("cloud-rights.csv", true, "Microsoft 365"),
        ("workbook.csv", true, "Excel"),
        ("empty.csv", true, "empty"),
        ("cut-clixml.xml", true, "ends before its last element"),
    ] {
        let inventory = awkward(&[file]);
        let notes = if refused {
            &inventory.refused
        } else {
            &inventory.warnings
        };
        assert!(
            notes.iter().any(|note| note.reason.contains(words)),
            "{file}: {words}: {}",
            show(&inventory)
        );
    }
    // What is only unusual is read without a word beyond the missing sizes.
    for file in [
        "utf16.csv",
        "excel-semicolon.csv",
        "excel-tab.csv",
        "mailboxes-clixml.xml",
        "inbox-rules-lines.csv",
        "migrationwiz.csv",
        "microsoft-batch.csv",
    ] {
        let inventory = awkward(&[file]);
        let said: Vec<&Note> = inventory
            .refused
            .iter()
            .chain(&inventory.warnings)
            .collect();
        assert!(
            said.iter().all(|note| note.reason.contains("how large")),
            "{file}: {said:?}"
        );
    }
}

#[test]
fn values_survive_encodings_lists_and_clixml() {
    for file in ["utf16.csv", "code-page.csv"] {
        let inventory = awkward(&[file]);
        let name = inventory.mailboxes[0].display_name.as_ref().unwrap();
        assert_eq!(name.reveal(), "Müller, Jörg", "{file}");
    }
    let inventory = awkward(&["mailboxes-clixml.xml"]);
    let mailbox = &inventory.mailboxes[1];
    assert_eq!(
        mailbox.display_name.as_ref().unwrap().reveal(),
        "Müller & Sohn, Jörg"
    );
    assert_eq!(mailbox.proxies.len(), 2);
    assert_eq!(
        mailbox.proxies[1].address.reveal(),
        "/o=Old/cn=Recipients/cn=x1"
    );
    assert_eq!(mailbox.kind, Some(RecipientKind::UserMailbox));
    let created = mailbox.created.unwrap().moment.unwrap();
    assert_eq!(created.to_string(), "2019-03-04T09:30:00Z");
    let inventory = awkward(&["excel-tab.csv"]);
    assert_eq!(
        inventory.mailboxes[0].kind,
        Some(RecipientKind::Unknown("HoloMailbox".into()))
    );
    let inventory = awkward(&["migrationwiz.csv"]);
    let mailbox = &inventory.mailboxes[0];
    assert!(mailbox.listed_only);
    let target = mailbox.target.as_ref().unwrap();
    assert_eq!(target.value.reveal(), "anna.harris@clinic.example");
}

#[test]
fn sides_that_do_not_meet_are_orphans_and_shared_names_mean_nobody() {
    let inventory = awkward(&[
        "orphans-mailboxes.csv",
        "orphans-statistics.csv",
        "orphans-full-access.csv",
    ]);
    assert_eq!(inventory.refused, []);
    let kinds = |kind| {
        let rows = inventory.orphans.iter().filter(|row| row.kind == kind);
        rows.map(|row| (row.place.file, row.place.line))
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(OrphanKind::Statistics), [(1, 3)]);
    assert_eq!(kinds(OrphanKind::Disconnected), [(1, 4)]);
    assert_eq!(kinds(OrphanKind::NoStatistics), [(0, 3), (0, 4)]);
    assert_eq!(kinds(OrphanKind::GrantMailbox), [(2, 2), (2, 8)]);
    assert_eq!(kinds(OrphanKind::GrantSid), [(2, 4)]);
    assert_eq!(inventory.orphans.len(), 7);
    let trustees: Vec<&Party> = inventory
        .grants
        .iter()
        .map(|grant| &grant.trustee)
        .collect();
    assert!(
        matches!(
            trustees[..],
            [Party::OrphanSid(_), Party::Ambiguous(_), Party::Unknown(_)]
        ),
        "{trustees:?}"
    );
    let said: Vec<&str> = inventory
        .warnings
        .iter()
        .map(|note| note.reason.as_str())
        .collect();
    for words in [
        "found by alias or display name",
        "two recipients carry",
        "two mailboxes carry",
        "nobody's",
    ] {
        assert!(
            said.iter().any(|reason| reason.contains(words)),
            "{words}: {said:?}"
        );
    }
    assert_eq!(inventory.items().get(), 10);
    assert_eq!(inventory.bytes().get(), 1_024);
}

/// Grants as `mailbox kind trustee`, by the first part of addresses.
fn told(inventory: &Inventory, grant: &Grant) -> String {
    let name = |no: MailboxNo| {
        let address = inventory.mailbox(no).unwrap().address.as_ref().unwrap();
        address.reveal().split('@').next().unwrap().to_owned()
    };
    let trustee = match &grant.trustee {
        Party::Mailbox(no) => name(*no),
        Party::Group(no) => {
            let group = inventory.group(*no).unwrap();
            group.account.as_ref().unwrap().reveal().to_owned()
        }
        Party::OrphanSid(_) => "orphan".to_owned(),
        other => format!("{other:?}"),
    };
    let kind = match &grant.kind {
        GrantKind::Folder { folder, rights } => format!("{} {rights:?}", folder.reveal()),
        kind => format!("{kind:?}"),
    };
    format!("{} {kind} {trustee}", name(grant.mailbox))
}

#[test]
fn the_clinic_reads_whole() {
    let inventory = read(&files("plans/clinic"));
    assert_eq!(inventory.refused, []);
    assert_eq!(inventory.warnings, []);
    assert_eq!(inventory.mailboxes.len(), 12);
    assert_eq!(inventory.items().get(), 621_945);
    assert_eq!(inventory.bytes().get(), 115_211_331_593);
    let told: Vec<String> = inventory
        .grants
        .iter()
        .filter(|grant| grant.trustee != Party::Everybody)
        .map(|grant| told(&inventory, grant))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    a.harris SendOnBehalf d.martel
    a.harris SendOnBehalf e.torode
    a.harris /Calendar Editor e.torode
    a.harris /Calendar Reviewer d.martel
    b.ozanne /Calendar Reviewer a.harris
    c.lemoine /Calendar LimitedDetails b.ozanne
    equipment.ultrasound FullAccess c.lemoine
    g.duquemin FullAccess f.brehaut
    g.duquemin SendOnBehalf f.brehaut
    g.duquemin /Inbox PublishingEditor f.brehaut
    h.langlois FullAccess orphan
    reception FullAccess d.martel
    reception FullAccess e.torode
    reception FullAccess gs-frontdesk
    reception SendAs gs-frontdesk
    referrals FullAccess a.harris
    referrals FullAccess gs-referrals
    referrals SendAs a.harris
    referrals SendAs b.ozanne
    room.consulting1 /Calendar Editor reception
    room.consulting1 /Calendar Author gs-frontdesk
    ");
    let doctor = &inventory.mailboxes[7];
    assert_eq!(
        doctor.address.as_ref().unwrap().reveal(),
        "g.duquemin@clinic.example"
    );
    assert_eq!(doctor.holds[0].value, Hold::Litigation);
    let folders = &doctor.folders.as_ref().unwrap().value;
    assert_eq!((folders.count.get(), folders.items.get()), (6, 154_330));
    assert_eq!(folders.crowded.len(), 1);
    assert_eq!(folders.crowded[0].path.reveal(), "/Inbox");
    assert!(doctor.archive.is_some() && doctor.has_archive == Some(true));
    let away = &inventory.mailboxes[8];
    let forward = &away.forwards[0].value;
    assert_eq!(
        (&forward.to, forward.keeps_copy),
        (&Party::Mailbox(MailboxNo(1)), Some(true))
    );
    let rules = &inventory.rules;
    assert_eq!(rules.len(), 3);
    assert!(matches!(
        &rules[0].targets[..],
        [(RuleAction::Forward, Party::Mailbox(_))]
    ));
    assert!(matches!(
        &rules[1].targets[..],
        [(RuleAction::Redirect, Party::Outside(_))]
    ));
    assert!(rules[2].deletes && rules[2].enabled == Some(false));
    assert!(inventory.groups.iter().all(|group| group.members_known));
    let nested = inventory.groups[0].members.iter();
    assert_eq!(
        nested
            .filter(|m| matches!(m.value, Party::Group(_)))
            .count(),
        2
    );
    let server = &inventory.servers[0];
    assert_eq!(
        server.admin_version.unwrap().value.to_string(),
        "15.1.2507.6"
    );
    assert_eq!(server.exsetup.unwrap().value.to_string(), "15.1.2507.37");
    assert_eq!(inventory.devices.len(), 4);
}

#[test]
fn the_order_of_files_changes_nothing_but_their_numbers() {
    let mut paths = files("plans/clinic");
    let there = read(&paths);
    paths.reverse();
    let back = read(&paths);
    let people = |inventory: &Inventory| -> Vec<String> {
        inventory
            .grants
            .iter()
            .map(|grant| told(inventory, grant))
            .collect()
    };
    assert_eq!(people(&there), people(&back));
    assert_eq!(there.items(), back.items());
    assert_eq!(read(&paths), back, "the same files give the same inventory");
}

#[test]
fn printing_an_inventory_for_machines_masks_people() {
    let inventory = read(&files("plans/clinic"));
    let text = format!("{inventory:?}").to_lowercase();
    for private in [
        "clinic.example",
        "harris",
        "duquemin",
        "newsletters",
        "aharris",
        "lab results",
    ] {
        assert!(!text.contains(private), "{private}");
    }
}

#[test]
fn plain_cmdlet_output_joins_without_the_collector() {
    let inventory = texts(&[
        (
            "mailboxes.csv",
            "#TYPE Microsoft.Exchange.Data.Directory.Management.Mailbox\n\
             \"Identity\",\"SamAccountName\",\"PrimarySmtpAddress\",\"ExchangeGuid\",\"LegacyExchangeDN\",\"RecipientTypeDetails\",\"ResetPasswordOnNextLogon\",\"ForwardingSmtpAddress\"\n\
             \"clinic.local/Users/Anna Harris\",\"aharris\",\"a.harris@clinic.example\",\"d5a0bd9b-4e95-49b5-9736-14fde1eec1e3\",\"/o=Clinic/cn=aharris\",\"UserMailbox\",\"False\",\"smtp:anna@outside.example\"\n\
             \"clinic.local/Users/Reception\",\"reception\",\"reception@clinic.example\",\"d5a0bd9b-4e95-49b5-9736-14fde1eec1e4\",\"/o=Clinic/cn=reception\",\"SharedMailbox\",\"False\",\"\"\n",
        ),
        (
            "full.csv",
            "\"Identity\",\"User\",\"AccessRights\",\"IsInherited\",\"Deny\"\n\
             \"clinic.local/Users/Reception\",\"CLINIC\\aharris\",\"{FullAccess}\",\"False\",\"True\"\n\
             \"clinic.local/Users/Reception\",\"CLINIC\\aharris\",\"{ReadPermission}\",\"False\",\"False\"\n",
        ),
        (
            "sendas.csv",
            "\"Identity\",\"User\",\"IsInherited\",\"Deny\",\"ExtendedRights\"\n\
             \"clinic.local/Users/Reception\",\"CLINIC\\aharris\",\"False\",\"False\",\"{Send-As}\"\n",
        ),
        (
            "folders.csv",
            "\"Identity\",\"FolderPath\",\"FolderType\",\"ItemsInFolder\",\"FolderSize\"\n\
             \"clinic.local/Users/Anna Harris\\Inbox\",\"/Inbox\",\"Inbox\",\"100001\",\"1 MB (1,048,576 bytes)\"\n\
             \"clinic.local/Users/Anna Harris\\Inbox\\Sub\",\"/Inbox/Sub\",\"User Created\",\"5\",\"1 KB (1,024 bytes)\"\n",
        ),
        (
            "devices.csv",
            "\"Identity\",\"DeviceId\",\"LastSuccessSync\"\n\
             \"clinic.local/Users/Anna Harris/ExchangeActiveSyncDevices/iPhone\u{a7}ABC\",\"ABC\",\"11/21/2025 4:12:09 PM\"\n",
        ),
        (
            "statistics.csv",
            "\"DisplayName\",\"ItemCount\",\"TotalItemSize\",\"MailboxGuid\"\n\
             \"Harris\",\"48211\",\"1.234 GB (1,325,400,064 bytes)\",\"d5a0bd9b-4e95-49b5-9736-14fde1eec1e3\"\n\
             \"Reception\",\"10\",\"1 KB (1,024 bytes)\",\"d5a0bd9b-4e95-49b5-9736-14fde1eec1e4\"\n",
        ),
    ]);
    assert_eq!(
        (&inventory.refused, &inventory.warnings),
        (&vec![], &vec![])
    );
    assert_eq!(inventory.orphans, []);
    assert_eq!(inventory.items().get(), 48_221);
    let anna = &inventory.mailboxes[0];
    assert_eq!(anna.folders.as_ref().unwrap().value.crowded.len(), 1);
    assert!(matches!(anna.forwards[0].value.to, Party::Outside(_)));
    assert_eq!(inventory.devices[0].mailbox, MailboxNo(0));
    assert_eq!(
        inventory.devices[0].last_sync.unwrap().day.to_string(),
        "2025-11-21"
    );
    let told: Vec<(String, bool)> = inventory
        .grants
        .iter()
        .map(|grant| (told(&inventory, grant), grant.deny))
        .collect();
    assert_eq!(
        told,
        [
            ("reception SendAs a.harris".to_owned(), false),
            ("reception FullAccess a.harris".to_owned(), true)
        ]
    );
    assert_eq!(inventory.files[1].passed_over.len(), 1);
}

#[test]
fn a_guid_counts_before_an_address_and_a_stranger_is_never_taken_for_a_namesake() {
    let inventory = texts(&[
        (
            "mailboxes.csv",
            "ExchangeGuid,PrimarySmtpAddress,DisplayName\n\
             d5a0bd9b-4e95-49b5-9736-000000000001,a@x.example,Same\n\
             d5a0bd9b-4e95-49b5-9736-000000000002,b@x.example,Other\n",
        ),
        (
            "folders.csv",
            "ExchangeGuid,PrimarySmtpAddress,FolderName,User,AccessRights,Identity\n\
             d5a0bd9b-4e95-49b5-9736-000000000001,b@x.example,Calendar,b@x.example,Editor,Other\n\
             d5a0bd9b-4e95-49b5-9736-000000000003,,Calendar,b@x.example,Editor,Same\n",
        ),
    ]);
    let told: Vec<String> = inventory
        .grants
        .iter()
        .map(|grant| told(&inventory, grant))
        .collect();
    assert_eq!(told, ["a Calendar Editor b"]);
    assert_eq!(
        inventory.grants[0].kind,
        GrantKind::Folder {
            folder: mailferry::plan::inventory::Private::new("Calendar"),
            rights: FolderRights::Editor
        }
    );
    let orphans: Vec<_> = inventory.orphans.iter().map(|row| row.kind).collect();
    assert_eq!(orphans, [OrphanKind::GrantMailbox]);
    let reasons: Vec<&str> = inventory
        .warnings
        .iter()
        .map(|note| note.reason.as_str())
        .collect();
    assert!(
        reasons
            .iter()
            .any(|reason| reason.contains("those of two mailboxes")),
        "{reasons:?}"
    );
    let stale = texts(&[
        (
            "mailboxes.csv",
            "ExchangeGuid,PrimarySmtpAddress,DisplayName\n\
             d5a0bd9b-4e95-49b5-9736-000000000001,a@x.example,Same\n",
        ),
        (
            "statistics.csv",
            "MailboxGuid,PrimarySmtpAddress,ItemCount\n\
             d5a0bd9b-4e95-49b5-9736-0000000000aa,a@x.example,7\n",
        ),
    ]);
    assert_eq!(
        stale.items().get(),
        0,
        "an earlier mailbox of the address is another mailbox"
    );
    assert_eq!(stale.orphans[0].kind, OrphanKind::Statistics);
}

#[test]
fn a_list_alone_is_an_inventory_and_what_stands_beside_it_joins() {
    let list = "source,target,ItemCount,TotalItemSize\n\
        a@x.example,a@y.example,109,\"1.454 MB (1,524,428 bytes)\"\n\
        b@x.example,b@y.example,7,\"1 KB (1,024 bytes)\"\n";
    let inventory = texts(&[
        (
            "grants.csv",
            "PrimarySmtpAddress,User,AccessRights,IsInherited,Deny\na@x.example,b@x.example,FullAccess,False,False\n",
        ),
        ("list.csv", list),
    ]);
    assert_eq!(
        (&inventory.refused, &inventory.warnings),
        (&vec![], &vec![])
    );
    assert_eq!(
        (inventory.items().get(), inventory.bytes().get()),
        (116, 1_525_452)
    );
    assert_eq!(inventory.grants[0].trustee, Party::Mailbox(MailboxNo(1)));
    let target = inventory.mailboxes[0].target.as_ref().unwrap();
    assert_eq!(target.value.reveal(), "a@y.example");
    // Beside an inventory, a list chooses.
    let inventory = texts(&[
        ("list.csv", "EmailAddress\nb@x.example\nc@x.example\n"),
        (
            "mailboxes.csv",
            "PrimarySmtpAddress,DisplayName\na@x.example,A\nb@x.example,B\n",
        ),
    ]);
    let listed: Vec<bool> = inventory
        .mailboxes
        .iter()
        .map(|m| m.listed.is_some())
        .collect();
    assert_eq!(listed, [false, true]);
    assert_eq!(inventory.orphans[0].kind, OrphanKind::Listed);
}

fn command(files: &[PathBuf], flags: &[&str]) -> (i32, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mailferry"))
        .arg("inventory")
        .args(flags)
        .args(files)
        .env_clear()
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn the_command_keeps_the_contract_and_its_exit_codes() {
    let (code, text) = command(&files("plans/clinic"), &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 0);
    assert_eq!(json["schema"], "mailferry.inventory/1");
    for (field, want) in [
        ("mailboxes", 12_u64),
        ("items", 621_945),
        ("bytes", 115_211_331_593),
        ("servers", 1),
        ("grants", 31),
        ("orphans", 1),
    ] {
        assert_eq!(json[field], want, "{field}");
    }
    let file = &json["files"][0];
    assert!(file["path"].as_str().unwrap().ends_with("apps.csv"));
    assert_eq!(file["encoding"], "UTF-8 with BOM");
    assert_eq!(
        (&file["delimiter"], &file["rows"]),
        (&",".into(), &2.into())
    );
    assert_eq!(file["kind"], "apps");
    let list = root().join("plans/awkward/broken-list.csv");
    let (code, text) = command(std::slice::from_ref(&list), &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 3);
    let refused = &json["refused"][0];
    assert!(
        refused["file"]
            .as_str()
            .unwrap()
            .ends_with("broken-list.csv")
    );
    assert_eq!(
        (&refused["line"], &refused["column"]),
        (&3.into(), &1.into())
    );
    assert!(!refused["remedy"].as_str().unwrap().is_empty());
    let (code, text) = command(&[list], &[]);
    assert_eq!(code, 3);
    assert!(
        text.contains("broken-list.csv:3:1: source: the address has no @"),
        "{text}"
    );
    assert_eq!(command(&[root().join("plans/nothing.csv")], &[]).0, 3);
    assert_eq!(command(&[], &[]).0, 2);
}

proptest::proptest! {
    /// Any bytes, as CSV and as CLIXML: answered, and the same in whatever order of files.
    #[test]
    fn any_bytes_are_answered(
        head in "(ExchangeGuid,PrimarySmtpAddress,DisplayName,EmailAddresses,TotalItemSize|MailboxGuid,ItemCount,TotalItemSize,LastLogonTime|Identity,User,AccessRights|<Objs><Obj RefId=\"1\"><MS>|EmailAddress|)\n",
        body in "([a-c@.x,;\"\n]|System\\.Object\\[\\]|a@x\\.example|\\{a, b|S-1-5-21-1|<S N=\"User\">|</S>|\\PC){0,60}",
        tail in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..20),
    ) {
        let bytes = [head.as_bytes(), body.as_bytes(), &tail].concat();
        let mut reader = Reader::new();
        for name in ["a", "b"] {
            reader.read(name, &mut bytes.as_slice()).expect("memory is readable");
        }
        let inventory = reader.finish();
        proptest::prop_assert_eq!(inventory.files.len(), 2);
        for note in inventory.refused.iter().chain(&inventory.warnings) {
            proptest::prop_assert!(note.place.line >= 1 && note.column >= 1);
            proptest::prop_assert!(!note.reason.contains("a@x"), "{}", note.reason);
        }
    }
}

/// A reader that makes its bytes up: `pattern`, again and again.
struct Endless<'a> {
    pattern: &'a [u8],
    left: usize,
    at: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = out.len().min(self.left);
        for byte in &mut out[..n] {
            *byte = self.pattern[self.at % self.pattern.len()];
            self.at += 1;
        }
        self.left -= n;
        Ok(n)
    }
}

const RUBBISH: &[(&str, &[u8], &[u8])] = &[
    ("zeros", b"", b"\0"),
    ("quotes", b"", b"\""),
    ("commas", b"", b","),
    ("lines", b"", b"\n"),
    ("tabs and lines", b"EmailAddress\n", b"\t\n"),
    ("one cell", b"EmailAddress\n", b"x"),
    (
        "short rows",
        b"ExchangeGuid,PrimarySmtpAddress,DisplayName\n",
        b"a,b\n",
    ),
    (
        "bad rows",
        b"ExchangeGuid,PrimarySmtpAddress,DisplayName\n",
        b"a,b,System.Object[]\n",
    ),
    (
        "bad sizes",
        b"MailboxGuid,TotalItemSize,LastLogonTime\n",
        b"x,1.2 GB (1,2,1/2/3\n",
    ),
    (
        "bad lists",
        b"PrimarySmtpAddress,EmailAddresses,InPlaceHolds\n",
        b"a@x.example,smtp:smtp:smtp: \\|\\|{,{a...\n",
    ),
    ("open tags", b"<Objs>", b"<Obj RefId=\"1\">"),
    (
        "objects",
        b"<Objs>",
        b"<Obj RefId=\"1\"><MS><S N=\"DeviceId\">x</S><Ref N=\"y\" RefId=\"1\"/></MS></Obj>",
    ),
    ("entities", b"<Objs><Obj><MS><S N=\"a\">", b"&amp;_x000A_"),
    ("UTF-16", b"\xFF\xFE", b"\x3D\xD8"),
    ("high bytes", b"EmailAddress\n", b"\xFC\xE4"),
    ("#TYPE", b"#TYPE", b"#TYPE\n"),
];

fn rubbish(head: &[u8], pattern: &[u8], len: usize) -> Inventory {
    let mut body = Endless {
        pattern,
        left: len,
        at: 0,
    };
    let mut reader = Reader::new();
    reader.read("r", &mut head.chain(&mut body)).unwrap();
    reader.finish()
}

#[test]
fn rubbish_is_refused_or_named_and_never_kept() {
    for (name, head, pattern) in RUBBISH {
        let inventory = rubbish(head, pattern, 400_000);
        let notes = inventory.refused.len() + inventory.warnings.len();
        assert!(notes > 0 || !inventory.orphans.is_empty(), "{name}");
        assert!(notes < 200, "{name}: {notes} notes");
        assert!(inventory.mailboxes.len() <= 1, "{name}");
    }
}

/// Run it by hand: `cargo test --test all inventory::hundred -- --ignored --nocapture`.
#[test]
#[ignore = "reads 1.6 GB of rubbish and prints how long that takes"]
fn a_hundred_megabytes_of_rubbish_take_a_time_in_proportion() {
    for (name, head, pattern) in RUBBISH {
        let took = |len| {
            #[expect(clippy::disallowed_methods, reason = "this test measures")]
            let began = std::time::Instant::now();
            rubbish(head, pattern, len);
            began.elapsed().as_secs_f64()
        };
        let (small, large) = (took(10_000_000), took(100_000_000));
        println!("{name:>16}: 10 MB {small:.2} s, 100 MB {large:.2} s");
        // Ten times the bytes; twenty times the time leaves room for a busy machine, a hundred would be quadratic.
        assert!(large < 20.0 * small + 1.0, "{name}");
    }
}

/// Run it by hand with --release: `cargo test --release --test all inventory::fifty -- --ignored --nocapture`.
#[test]
#[ignore = "prints how long a large site takes"]
fn fifty_thousand_mailboxes_and_half_a_million_grants() {
    let mut mailboxes = String::from(
        "\"ExchangeGuid\",\"PrimarySmtpAddress\",\"SamAccountName\",\"DisplayName\",\"LegacyExchangeDN\",\"EmailAddresses\",\"RecipientTypeDetails\"\r\n",
    );
    let mut statistics =
        String::from("\"ExchangeGuid\",\"Store\",\"ItemCount\",\"TotalItemSize\"\r\n");
    let mut grants = String::from(
        "\"ExchangeGuid\",\"PrimarySmtpAddress\",\"User\",\"AccessRights\",\"IsInherited\",\"Deny\"\r\n",
    );
    for n in 0..50_000 {
        let guid = format!("d5a0bd9b-4e95-49b5-9736-{n:012x}");
        write!(
            mailboxes,
            "\"{guid}\",\"user{n:05}@hospital.example\",\"user{n:05}\",\"Person {n:05}\",\"/o=Hospital/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=user{n:05}\",\"SMTP:user{n:05}@hospital.example|smtp:u{n:05}@hospital.local\",\"UserMailbox\"\r\n"
        )
        .unwrap();
        write!(
            statistics,
            "\"{guid}\",\"Primary\",\"{n}\",\"1.234 GB (1,325,400,064 bytes)\"\r\n"
        )
        .unwrap();
        for k in 1..=10 {
            let other = (n * 7 + k * 13) % 50_000;
            write!(
                grants,
                "\"{guid}\",\"user{n:05}@hospital.example\",\"HOSPITAL\\user{other:05}\",\"FullAccess\",\"False\",\"False\"\r\n"
            )
            .unwrap();
        }
    }
    #[expect(clippy::disallowed_methods, reason = "this test measures")]
    let began = std::time::Instant::now();
    let inventory = texts(&[("m", &mailboxes), ("s", &statistics), ("g", &grants)]);
    println!("{:.2} s", began.elapsed().as_secs_f64());
    assert_eq!(
        (inventory.mailboxes.len(), inventory.grants.len()),
        (50_000, 500_000)
    );
    assert_eq!((inventory.refused.len(), inventory.orphans.len()), (0, 0));
}
