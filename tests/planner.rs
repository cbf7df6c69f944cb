//! The planner from outside: what every plan must keep, the sample inventories, and the road from an inventory to a rehearsal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::civil::{Date, date};
use mailferry::base::id::MailboxId;
use mailferry::base::losses;
use mailferry::base::quantity::{Bytes, Count};
use mailferry::base::route::{ReminderRule, RouteRule};
use mailferry::plan::document::{
    ActionGate, AuthMethod, Credential, Plan, Proof, SelectPlan, Service, SourceAuth, SourceEnd,
    TargetEnd,
};
use mailferry::plan::draft::Draft;
use mailferry::plan::explain;
use mailferry::plan::inventory::{
    Build, FolderRights, Forward, Grant, GrantKind, Group, GroupNo, Hold, Inventory, MailboxNo,
    MailboxRecord, Party, Place, Private, Proxy, ProxyKind, Reader, RecipientKind, Server, Size,
    Stated, StoreSize,
};
use mailferry::plan::lint::{Severity, lint};
use mailferry::plan::nights::Stage;
use mailferry::plan::reach::ReachPlan;
use mailferry::plan::schedule::Schedule;
use mailferry::plan::wishes::{Wishes, parse_window};
use mailferry::report::plan_html;
use proptest::prelude::*;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn stated<T>(value: T) -> Stated<T> {
    Stated {
        value,
        place: Place::default(),
    }
}

fn store(items: u64, bytes: u64) -> Stated<StoreSize> {
    stated(StoreSize {
        items: Some(Count::new(items)),
        bytes: Some(Size {
            bytes: Bytes::new(bytes),
            approximate: false,
        }),
        ..StoreSize::default()
    })
}

fn mailbox(address: &str, items: u64, bytes: u64) -> MailboxRecord {
    MailboxRecord {
        address: Some(MailboxId::new(address)),
        kind: Some(RecipientKind::UserMailbox),
        primary: Some(store(items, bytes)),
        ..MailboxRecord::default()
    }
}

fn grant(owner: u32, trustee: u32, kind: GrantKind) -> Grant {
    Grant {
        place: Place::default(),
        mailbox: MailboxNo(owner),
        trustee: Party::Mailbox(MailboxNo(trustee)),
        kind,
        deny: false,
    }
}

fn nights_from(start: Date) -> Wishes {
    Wishes {
        start: Some(start),
        schedule: Some(Schedule {
            time_zone: "Europe/Guernsey".into(),
            windows: vec![parse_window("mon-fri 20:00-06:00").expect("a window")],
        }),
        ..Wishes::default()
    }
}

fn read(directory: &str) -> Inventory {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join(directory))
        .expect("the samples are checked in")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "csv"))
        .collect();
    files.sort();
    let mut reader = Reader::new();
    for path in files {
        let mut file = File::open(&path).expect("readable");
        let name = path
            .strip_prefix(root())
            .expect("inside")
            .display()
            .to_string();
        reader.read(&name, &mut file).expect("readable");
    }
    reader.finish()
}

fn document(draft: &Draft, wishes: &Wishes) -> Plan {
    Plan {
        name: "sample".into(),
        realm: mailferry::base::spec::Realm::Live,
        source: SourceEnd {
            autodiscover: None,
            found_url: String::new(),
            ews_url: "https://mail.clinic.example/EWS/Exchange.asmx".into(),
            auth: SourceAuth {
                method: AuthMethod::Basic,
                username: "CLINIC\\svc".into(),
                proof: Proof::PasswordEnv("MAILFERRY_SOURCE_PASSWORD".into()),
            },
            impersonate: true,
            reach: ReachPlan::default(),
        },
        target: TargetEnd {
            tenant: "clinic.onmicrosoft.example".into(),
            client_id: "app".into(),
            credential: Credential::SecretEnv("MAILFERRY_CLIENT_SECRET".into()),
            service: Service::Global,
            route: RouteRule::Stream,
            import_api: None,
            reminders: ReminderRule::AsSource,
            reach: ReachPlan::default(),
        },
        limits: wishes.limits.clone(),
        schedule: wishes.schedule.clone(),
        actions: ActionGate::default(),
        select: SelectPlan::default(),
        screening: None,
        waves: draft.to_waves(),
    }
}

/// File text and page of an inventory.
fn papers(inventory: &Inventory, wishes: &Wishes) -> (Plan, String, String) {
    let draft = Draft::new(inventory, wishes);
    let findings = lint(inventory, wishes, &draft);
    let plan = document(&draft, wishes);
    let text = plan.render_explained(&explain::comments(&draft, inventory, &findings));
    let page = plan_html::page(&plan, &draft, inventory, &findings);
    (plan, text, page)
}

/// What every draft keeps, computed without the planner's own arithmetic.
fn keeps_its_word(inventory: &Inventory, wishes: &Wishes, draft: &Draft) {
    // Every mailbox is in exactly one wave, or stays by a named rule.
    let mut seen = BTreeMap::new();
    for wave in &draft.waves {
        for place in &wave.members {
            *seen
                .entry(draft.estate.movers[*place as usize].record)
                .or_insert(0) += 1;
        }
    }
    for excluded in &draft.estate.excluded {
        assert!(!excluded.rule.is_empty());
        *seen.entry(excluded.record).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), inventory.mailboxes.len());
    assert!(seen.values().all(|times| *times == 1));
    waves_keep_their_limits(wishes, draft);
    nights_hold_what_is_in_them(draft);
    cuts_are_between_waves(draft);
}

fn waves_keep_their_limits(wishes: &Wishes, draft: &Draft) {
    let mut nights = BTreeSet::new();
    for wave in &draft.waves {
        assert!(wave.members.len() <= wishes.wave_mailboxes as usize);
        let mut carried = (0, 0);
        for place in &wave.members {
            let mover = &draft.estate.movers[*place as usize];
            let part = if draft.times[*place as usize].ahead {
                5
            } else {
                100
            };
            let share = |n: u64| {
                if part == 100 {
                    n
                } else {
                    n.div_ceil(100) * part
                }
            };
            carried.0 += share(mover.load.bytes.get());
            carried.1 += share(mover.load.items.get());
        }
        assert!(
            wishes
                .wave_bytes
                .is_none_or(|limit| carried.0 <= limit.get())
        );
        assert!(
            wishes
                .wave_items
                .is_none_or(|limit| carried.1 <= limit.get())
        );
        let pilots = wave
            .members
            .iter()
            .any(|place| draft.estate.movers[*place as usize].pilot);
        let vips = wave
            .members
            .iter()
            .any(|place| draft.estate.movers[*place as usize].vip);
        assert!(!(pilots && vips));
        let Some(night) = wave.night else { continue };
        assert!(nights.insert(night), "one wave a night");
        for place in &wave.members {
            let mover = &draft.estate.movers[*place as usize];
            assert!(
                mover
                    .not_before
                    .is_none_or(|day| day <= draft.nights[night].date)
            );
        }
    }
    let last_pilot = draft
        .waves
        .iter()
        .filter(|wave| wave.name.starts_with("pilot"))
        .filter_map(|wave| wave.night)
        .max();
    let first_other = draft
        .waves
        .iter()
        .filter(|wave| !wave.name.starts_with("pilot"))
        .filter_map(|wave| wave.night)
        .min();
    if let (Some(pilot), Some(other)) = (last_pilot, first_other) {
        assert!(pilot < other, "pilots go first");
    }
}

fn nights_hold_what_is_in_them(draft: &Draft) {
    let mut busy: BTreeMap<(usize, u32), Vec<(u64, u64)>> = BTreeMap::new();
    for wave in &draft.waves {
        let Some(night) = wave.night else { continue };
        for bar in &wave.bars {
            let length = draft.nights[bar.night].length().get() / 1_000;
            assert!(
                bar.from + bar.secs <= length,
                "nothing runs over the end of its night"
            );
            assert_eq!(bar.night < night, bar.stage == Stage::Ahead);
            busy.entry((bar.night, bar.lane))
                .or_default()
                .push((bar.from, bar.from + bar.secs));
            assert!(bar.lane < draft.bounds.lanes);
        }
        // What is copied ahead is copied whole.
        for place in wave
            .members
            .iter()
            .filter(|place| draft.times[**place as usize].ahead)
        {
            let own = wave
                .bars
                .iter()
                .filter(|bar| bar.mover == *place && bar.stage == Stage::Ahead);
            assert_eq!(
                own.map(|bar| bar.secs).sum::<u64>(),
                draft.times[*place as usize].slow
            );
        }
    }
    for spans in busy.values_mut() {
        spans.sort_unstable();
        assert!(
            spans.windows(2).all(|pair| pair[0].1 <= pair[1].0),
            "one mailbox a lane at a time"
        );
    }
}

fn cuts_are_between_waves(draft: &Draft) {
    // A right is cut exactly when its two mailboxes do not change over together.
    let wave_of = |record: MailboxNo| {
        draft.waves.iter().position(|wave| {
            wave.members
                .iter()
                .any(|place| draft.estate.movers[*place as usize].record == record)
        })
    };
    for cut in &draft.cuts {
        assert_ne!(wave_of(cut.owner), wave_of(cut.trustee));
        assert_eq!(
            (wave_of(cut.owner), wave_of(cut.trustee)),
            (cut.owner_wave, cut.trustee_wave)
        );
    }
}

prop_compose! {
    fn any_inventory()(
        boxes in proptest::collection::vec((0u64..400_000, 0u64..60_000_000_000, 0u8..20), 1..40),
        rights in proptest::collection::vec((0u32..40, 0u32..40, 0u8..4), 0..80),
        members in proptest::collection::vec(0u32..40, 0..8),
    ) -> Inventory {
        let count = u32::try_from(boxes.len()).expect("few");
        let mailboxes = boxes.iter().enumerate().map(|(n, (items, bytes, kind))| {
            let mut record = mailbox(&format!("m{n:02}@x.example"), *items, *bytes);
            match kind {
                0 => record.kind = Some(RecipientKind::ArbitrationMailbox),
                1 => record.address = None,
                2 => record.kind = Some(RecipientKind::SharedMailbox),
                3 => record.primary = None,
                4 => record.address = Some(MailboxId::new("twice@x.example")),
                5 => record.address = Some(MailboxId::new("no address")),
                6 => record.kind = None,
                _ => {}
            }
            record
        });
        let grants = rights.iter().filter(|(owner, trustee, _)| *owner < count && *trustee < count).map(|(owner, trustee, kind)| {
            let kind = match kind {
                0 => GrantKind::FullAccess,
                1 => GrantKind::SendAs,
                2 => GrantKind::SendOnBehalf,
                _ => GrantKind::Folder { folder: Private::new("/Calendar"), rights: FolderRights::Editor },
            };
            let mut grant = grant(*owner, *trustee, kind);
            if *trustee % 11 == 0 {
                grant.trustee = Party::Group(GroupNo(0));
            }
            grant
        });
        let group = Group {
            members: members.iter().filter(|no| **no < count).map(|no| stated(Party::Mailbox(MailboxNo(*no)))).collect(),
            members_known: true,
            ..Group::default()
        };
        Inventory {
            mailboxes: mailboxes.collect(),
            grants: grants.collect(),
            groups: vec![group],
            ..Inventory::default()
        }
    }
}

prop_compose! {
    fn any_wishes()(
        size in 1u32..20,
        bytes in proptest::option::of(1u64..80_000_000_000),
        items in proptest::option::of(1u64..500_000),
        at_once in 1u32..30,
        named in proptest::collection::vec(0u8..40, 0..5),
        day in 0i32..700,
        daily in any::<bool>(),
    ) -> Wishes {
        let address = |n: &u8| format!("m{n:02}@x.example");
        let start = date(2026, 1, 1).saturating_add(jiff::Span::new().days(day));
        let mut wishes = nights_from(start);
        if daily {
            wishes.schedule = Some(Schedule { time_zone: "Europe/Guernsey".into(), windows: vec![parse_window("daily 19:00-07:00").expect("a window")] });
        }
        wishes.wave_mailboxes = size;
        wishes.wave_bytes = bytes.map(Bytes::new);
        wishes.wave_items = items.map(Count::new);
        wishes.limits.mailboxes_at_once = at_once;
        wishes.pilots = named.iter().take(2).map(address).collect();
        wishes.vips = named.iter().skip(2).take(2).map(address).collect();
        wishes.exclude = named.iter().skip(4).map(address).collect();
        wishes.not_before = named.iter().skip(1).take(2).map(|n| (address(n), start.saturating_add(jiff::Span::new().days(30)))).collect();
        wishes.blackout = BTreeSet::from([start.saturating_add(jiff::Span::new().days(1))]);
        wishes
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn every_draft_keeps_its_word(inventory in any_inventory(), wishes in any_wishes()) {
        let draft = Draft::new(&inventory, &wishes);
        keeps_its_word(&inventory, &wishes, &draft);
    }

    #[test]
    fn the_same_input_gives_the_same_bytes_and_a_plan_that_reads_back(inventory in any_inventory(), wishes in any_wishes()) {
        let (plan, text, page) = papers(&inventory, &wishes);
        prop_assert_eq!(papers(&inventory, &wishes), (plan.clone(), text.clone(), page));
        if plan.waves.is_empty() {
            return Ok(());
        }
        let again = Plan::parse(&text).expect("what the planner writes can be read");
        prop_assert_eq!(again.hash(), plan.hash(), "comments do not count");
        prop_assert_eq!(again.render(), plan.render());
    }
}

#[test]
fn the_clinic_is_planned_as_recorded() {
    let inventory = read("plans/clinic");
    assert_eq!(inventory.refused, []);
    let mut wishes = nights_from(date(2026, 12, 1));
    wishes.wave_mailboxes = 6;
    wishes.pilots = BTreeSet::from(["a.harris@clinic.example".to_owned()]);
    let draft = Draft::new(&inventory, &wishes);
    keeps_its_word(&inventory, &wishes, &draft);
    let (_, text, _) = papers(&inventory, &wishes);
    insta::with_settings!({snapshot_path => "data/snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("plan_clinic", text);
    });
}

#[test]
fn a_plan_without_streams_says_on_its_page_what_is_lost() {
    let inventory = read("plans/clinic");
    let wishes = nights_from(date(2026, 12, 1));
    let draft = Draft::new(&inventory, &wishes);
    let mut plan = document(&draft, &wishes);
    let page = |plan: &Plan| plan_html::page(plan, &draft, &inventory, &[]);
    let told = |page: &str, what: &str| page.contains(what);
    let lost = losses::of(losses::Family::Message)[0].what;
    plan.target.route = RouteRule::Auto;
    let auto = page(&plan);
    assert!(told(&auto, "route auto: ") && told(&auto, "mailferry losses") && !told(&auto, lost));
    plan.target.route = RouteRule::Typed;
    let typed = page(&plan);
    assert!(told(&typed, "route typed: no streams") && told(&typed, lost));
    plan.target.route = RouteRule::Stream;
    let stream = page(&plan);
    assert!(told(&stream, "route stream: ") && !told(&stream, "mailferry losses"));
}

#[test]
fn the_hospital_fits_its_nights_and_names_what_it_cuts() {
    let inventory = read("plans/hospital");
    assert_eq!(inventory.refused, []);
    assert_eq!(inventory.mailboxes.len(), 400);
    let wishes = nights_from(date(2026, 12, 1));
    let draft = Draft::new(&inventory, &wishes);
    keeps_its_word(&inventory, &wishes, &draft);
    assert!(draft.waves.iter().all(|wave| wave.night.is_some()));
    // Departments stay whole: what is cut are ties between them.
    let cut: u64 = draft.cuts.len() as u64;
    let all = draft.estate.links.len() as u64;
    assert!(cut > 0 && cut * 10 < all, "{cut} of {all} rights are cut");
}

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn the_hospital_is_what_its_script_writes() {
    let scratch = tempfile::tempdir().expect("a directory");
    let made = Command::new("python3")
        .arg(root().join("scripts/make_inventory.py"))
        .arg(scratch.path())
        .output();
    let Ok(made) = made else {
        println!("skipped: python3 is not here");
        return;
    };
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    for entry in std::fs::read_dir(scratch.path()).expect("readable") {
        let path = entry.expect("readable").path();
        let kept = root()
            .join("plans/hospital")
            .join(path.file_name().expect("a file"));
        assert!(
            std::fs::read(&path).expect("readable") == std::fs::read(&kept).expect("checked in"),
            "{}",
            kept.display()
        );
    }
}

#[test]
fn the_page_needs_no_network_and_shows_no_markup_of_others() {
    let mut inventory = read("plans/clinic");
    inventory.servers[0].name = "<script>alert(1)</script>".into();
    let wishes = nights_from(date(2026, 12, 1));
    let (_, _, page) = papers(&inventory, &wishes);
    for foreign in ["<script", "http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    for part in [
        "prefers-color-scheme:dark",
        "size:A4",
        "Nights",
        "Who works with whom",
        "Sizes",
        "Findings",
        "&lt;script",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    assert_eq!(
        page.matches("<table").count(),
        page.matches("</table>").count()
    );
}

#[test]
fn measured_rates_replace_the_assumptions() {
    let inventory = read("plans/clinic");
    let mut wishes = nights_from(date(2026, 12, 1));
    let before = Draft::new(&inventory, &wishes);
    let summary = r#"{"schema":"mailferry.summary/1","mailboxes":1,"items":{"confirmed":9000},"bytes":{"sent":400000000},"seconds":3600}"#;
    wishes.measured =
        Some(mailferry::plan::forecast::Measured::parse(summary, 20).expect("a summary"));
    let after = Draft::new(&inventory, &wishes);
    assert!(after.secs().0 > before.secs().0);
    assert!(
        after
            .assumptions
            .iter()
            .any(|line| line.contains("measured"))
    );
    keeps_its_word(&inventory, &wishes, &after);
}

/// An inventory with everything that can be found in one.
fn troubled() -> Inventory {
    let mut mailboxes = vec![
        mailbox("a@clinic.example", 10, 60 << 30),
        mailbox("b@clinic.example", 10, 120 << 30),
    ];
    let proxy = |text: &str| Proxy {
        kind: ProxyKind::Smtp,
        primary: false,
        address: Private::new(text),
    };
    let mut local = mailbox("c@clinic.local", 10, 10);
    local.proxies = vec![proxy("shared@clinic.example"), proxy("old@clinic.local")];
    local.legacy_dn = Some(Private::new("/o=x"));
    let mut held = mailbox("d@clinic.example", 10, 10);
    held.proxies = vec![proxy("SHARED@clinic.example")];
    held.holds = vec![stated(Hold::Litigation)];
    held.forwards = vec![stated(Forward {
        to: Party::Outside(MailboxId::new("x@elsewhere.example")),
        keeps_copy: Some(false),
    })];
    held.largest_item = Some(stated(Size {
        bytes: Bytes::new(200_000_000),
        approximate: false,
    }));
    held.has_archive = Some(true);
    let mut folders = mailbox("e@clinic.example", 10, 10);
    folders.kind = Some(RecipientKind::PublicFolderMailbox);
    let mut linked = mailbox("f@clinic.example", 10, 10);
    linked.kind = Some(RecipientKind::LinkedMailbox);
    linked.largest_item = Some(stated(Size {
        bytes: Bytes::new(50_000_000),
        approximate: false,
    }));
    let mut room = mailbox("g@clinic.example", 10, 10);
    room.kind = Some(RecipientKind::RoomMailbox);
    room.primary = None;
    let mut lost = mailbox("no address", 1, 1);
    lost.kind = Some(RecipientKind::UserMailbox);
    mailboxes.extend([local, held, folders, linked, room, lost]);
    let orphan = Grant {
        trustee: Party::OrphanSid(Private::new("S-1-5-21-1-2-3-4")),
        ..grant(0, 0, GrantKind::FullAccess)
    };
    let unlisted = Grant {
        trustee: Party::Group(GroupNo(0)),
        ..grant(0, 0, GrantKind::SendAs)
    };
    Inventory {
        mailboxes,
        grants: vec![orphan, unlisted, grant(0, 1, GrantKind::FullAccess)],
        groups: vec![Group::default()],
        servers: vec![Server {
            place: Place::default(),
            name: "EX".into(),
            edition: None,
            role: None,
            admin_version: None,
            exsetup: Some(stated(Build {
                major: 15,
                minor: 1,
                build: 2507,
                revision: 6,
            })),
        }],
        ..Inventory::default()
    }
}

#[test]
fn every_check_finds_what_it_is_for() {
    let inventory = troubled();
    let mut wishes = nights_from(date(2026, 12, 1));
    wishes.wave_mailboxes = 1;
    wishes.accepted_domains = BTreeSet::from(["other.example".to_owned()]);
    wishes.pilots = BTreeSet::from(["nobody@clinic.example".to_owned()]);
    let draft = Draft::new(&inventory, &wishes);
    let findings = lint(&inventory, &wishes, &draft);
    assert!(findings.is_sorted());
    let mut table = BTreeSet::new();
    for finding in &findings {
        assert!(!finding.evidence.is_empty() && !finding.remedy.is_empty());
        let about = finding.mailbox.as_ref().map_or("-", MailboxId::reveal);
        table.insert(format!(
            "{} {} {about}",
            finding.severity.word(),
            finding.check
        ));
    }
    let table: Vec<String> = table.into_iter().collect();
    insta::assert_snapshot!(table.join("\n"), @r"
    error address.domain_not_accepted a@clinic.example
    error address.domain_not_accepted b@clinic.example
    error address.domain_not_accepted d@clinic.example
    error address.domain_not_accepted f@clinic.example
    error address.domain_not_accepted g@clinic.example
    error address.duplicate c@clinic.local
    error address.duplicate d@clinic.example
    error address.unroutable c@clinic.local
    error address.unroutable no address
    error hold.active d@clinic.example
    error item.too_large d@clinic.example
    error size.target_quota b@clinic.example
    error wishes.unknown_mailbox nobody@clinic.example
    note night.ahead a@clinic.example
    note night.ahead b@clinic.example
    note room.policies -
    note size.unknown g@clinic.example
    note x500.census -
    warning address.proxy_lost c@clinic.local
    warning address.proxy_lost d@clinic.example
    warning archive.other_tool d@clinic.example
    warning forward.outside d@clinic.example
    warning grant.orphan_sid a@clinic.example
    warning group.members_unknown -
    warning item.over_tenant_limit f@clinic.example
    warning server.unpatched -
    warning size.target_quota a@clinic.example
    warning type.linked f@clinic.example
    warning type.other_tool e@clinic.example
    warning wave.cut -
    warning x500.unknown -
    ");
    assert!(
        findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    );
}

#[test]
fn a_small_inventory_becomes_a_plan_that_a_rehearsal_carries_out() {
    let scratch = tempfile::tempdir().expect("a directory");
    let plan = scratch.path().join("plan.toml");
    let page = scratch.path().join("plan.html");
    let mailferry = |args: &[&Path]| {
        let out = Command::new(env!("CARGO_BIN_EXE_mailferry"))
            .args(args)
            .current_dir(root())
            .output();
        let out = out.expect("the program starts");
        let code = out.status.code();
        (
            code,
            String::from_utf8_lossy(&out.stdout).into_owned(),
            String::from_utf8_lossy(&out.stderr).into_owned(),
        )
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("plans/clinic"))
        .expect("the samples are checked in")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    let mut args: Vec<&Path> = vec![Path::new("plan")];
    args.extend(files.iter().map(PathBuf::as_path));
    args.extend([
        Path::new("--json"),
        Path::new("--out"),
        &plan,
        Path::new("--html"),
        &page,
    ]);
    let (code, said, complained) = mailferry(&args);
    assert_eq!(code, Some(0), "{complained}");
    let summary: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(summary["schema"], "mailferry.plan-summary/1");
    let (code, ..) = mailferry(&[Path::new("plan"), Path::new("--check"), &plan]);
    assert_eq!(code, Some(3), "what was not given is refused before a run");
    let rehearse = ["rehearse", "--items", "8", "--json", "--plan"].map(Path::new);
    let (code, said, complained) = mailferry(&[&rehearse[..], &[&plan]].concat());
    assert_eq!(code, Some(0), "{complained}");
    let done: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(done["mailboxes"], 12);
    assert_eq!(
        done["items"]["source"],
        done["items"]["confirmed"].as_u64().expect("a number")
            + done["items"]["skipped"].as_u64().expect("a number")
    );
    assert_eq!(done["lab"]["missing"], 0);
    assert!(page.exists());
}
