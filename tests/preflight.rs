//! `mailferry preflight` by the real binary against the lab: a plain lab passes, every misconfiguration is diagnosed by name with a command, and
//! canaries leave nothing behind.

#![expect(
    clippy::unwrap_used,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::path::Path;
use std::process::Output;

use mailferry::lab::wrong::Wrong;
use serde_json::{Value, json};

use crate::process::{Lab, mailferry, run_to_the_end};

fn open(more: &[&str]) -> Lab {
    let mut args = vec!["--mailboxes", "2", "--items", "25"];
    args.extend(more);
    Lab::start(&args)
}

fn preflight(lab: &Lab, more: &[&str]) -> (Output, Value) {
    let mut args = vec!["--json"];
    args.extend(more);
    let mut command = mailferry("preflight", &lab.plan(), &args);
    if lab.facts["ca"].is_string() {
        command.env("SSL_CERT_FILE", lab.ca());
    }
    let out = command.output().unwrap();
    let report = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| {
        panic!("no JSON: {}", String::from_utf8_lossy(&out.stderr));
    });
    (out, report)
}

fn checks<'a>(report: &'a Value, state: &str) -> Vec<&'a Value> {
    let all = report["checks"].as_array().unwrap();
    all.iter().filter(|check| check["state"] == state).collect()
}

/// What is wrong, which check says so, under which name, and what its remedy tells to type.
const SEEDED: &[(Wrong, &str, &str, &str)] = &[
    (
        Wrong::WrongPassword,
        "source.sign_in",
        "source_credentials_refused",
        "export MAILFERRY_LAB_SOURCE_PASSWORD=",
    ),
    (
        Wrong::AccountLocked,
        "source.sign_in",
        "source_credentials_refused",
        "`Unlock-ADAccount 'svc-migrate'`",
    ),
    (
        Wrong::PasswordExpired,
        "source.sign_in",
        "account_state",
        "`Set-ADAccountPassword 'svc-migrate'`",
    ),
    (
        Wrong::EwsOtherAuth,
        "source.sign_in",
        "method_not_offered",
        "Set-WebServicesVirtualDirectory -BasicAuthentication $true",
    ),
    (
        Wrong::WrongEwsUrl,
        "source.sign_in",
        "wrong_ews_url",
        "`Get-WebServicesVirtualDirectory",
    ),
    (
        Wrong::AutodiscoverElsewhere,
        "source.autodiscover",
        "autodiscover_untrusted_redirect",
        "autodiscover_hosts = [",
    ),
    (
        Wrong::EwsBlocked,
        "source.mailbox",
        "ews_blocked",
        "`Set-OrganizationConfig -EwsEnabled $true`",
    ),
    (
        Wrong::EwsDisabled,
        "source.mailbox",
        "ews_disabled_for_mailbox",
        "`Set-CASMailbox 'b.okafor@clinic.example' -EwsEnabled $true`",
    ),
    (
        Wrong::NoImpersonation,
        "source.mailbox",
        "no_impersonation_role",
        "`New-ManagementRoleAssignment -Name mailferry -Role ApplicationImpersonation -User 'svc-migrate'`",
    ),
    (
        Wrong::ImpersonationScope,
        "source.mailbox",
        "impersonation_scope",
        "`Set-ManagementScope",
    ),
    (
        Wrong::SourceMissing,
        "source.mailbox",
        "no_source_mailbox",
        "`Get-Recipient 'b.okafor@clinic.example'",
    ),
    (
        Wrong::ServerOld,
        "source.build",
        "server_build_old",
        "`mailferry assess --plan ",
    ),
    (
        Wrong::SourceThrottled,
        "source.throttling",
        "throttled",
        "`New-ThrottlingPolicy",
    ),
    (
        Wrong::CertificateExpired,
        "source.tls",
        "certificate_expired",
        "`Enable-ExchangeCertificate",
    ),
    (
        Wrong::CertificateWrongName,
        "source.tls",
        "certificate_wrong_name",
        "`openssl s_client",
    ),
    (
        Wrong::CertificateUnknownIssuer,
        "source.tls",
        "certificate_unknown_issuer",
        "`SSL_CERT_FILE=ca.pem mailferry preflight",
    ),
    (
        Wrong::ClockSkew,
        "source.clock",
        "clock_skew",
        "`w32tm /resync`",
    ),
    (
        Wrong::ClockSkew,
        "target.clock",
        "clock_skew",
        "`timedatectl status`",
    ),
    (
        Wrong::WrongSecret,
        "target.sign_in",
        "client_secret_wrong",
        "`export MAILFERRY_LAB_CLIENT_SECRET=",
    ),
    (
        Wrong::ExpiredSecret,
        "target.sign_in",
        "client_secret_expired",
        "`az ad app credential list",
    ),
    (
        Wrong::WrongApplication,
        "target.sign_in",
        "application_unknown",
        "`az ad sp show",
    ),
    (
        Wrong::WrongTenant,
        "target.sign_in",
        "tenant_unknown",
        "`az account show",
    ),
    (
        Wrong::NoConsentUsers,
        "target.rights",
        "consent_missing",
        "grant User.Read.All",
    ),
    (
        Wrong::NoConsentFolders,
        "target.rights",
        "consent_missing",
        "grant MailboxFolder.ReadWrite.All",
    ),
    (
        Wrong::NoConsentItems,
        "target.rights",
        "consent_missing",
        "`New-ManagementRoleAssignment -App",
    ),
    (
        Wrong::NoConsentTyped,
        "target.rights",
        "consent_missing",
        "grant Mail.ReadWrite",
    ),
    (
        Wrong::TargetScope,
        "target.folders",
        "target_scope",
        "`Test-ServicePrincipalAuthorization",
    ),
    (
        Wrong::TargetMissing,
        "target.mailbox",
        "target_missing",
        "`Get-MgUser -UserId 'b.okafor@clinic.example'`",
    ),
    (
        Wrong::TargetDeleted,
        "target.mailbox",
        "target_soft_deleted",
        "`Restore-MgDirectoryDeletedItem",
    ),
    (
        Wrong::TargetUnlicensed,
        "target.mailbox",
        "target_unlicensed",
        "`Set-MgUserLicense",
    ),
    (
        Wrong::TargetOnPremises,
        "target.mailbox",
        "target_on_premises_only",
        "`Get-MailUser",
    ),
    (
        Wrong::QuotaSmall,
        "target.quota",
        "quota_too_small",
        "`Set-Mailbox 'b.okafor@clinic.example' -ProhibitSendReceiveQuota",
    ),
    (
        Wrong::MessageSize,
        "target.item_size",
        "message_size_limit",
        "-MaxReceiveSize 150MB",
    ),
    (
        Wrong::MessageSize,
        "route.largest_item",
        "message_size_limit",
        "-MaxReceiveSize 150MB",
    ),
    (
        Wrong::ImportUnavailable,
        "target.rights",
        "import_api_unavailable",
        "createImportSession`",
    ),
    (
        Wrong::NoImportApi,
        "target.rights",
        "import_api_unavailable",
        "import_api = false",
    ),
    (
        Wrong::ImportNotImplemented,
        "target.rights",
        "import_api_unavailable",
        "write route = \"typed\" and import_api = false into [target]",
    ),
    (
        Wrong::ImportForbidden,
        "target.rights",
        "import_api_forbidden",
        "`Test-ServicePrincipalAuthorization",
    ),
    (
        Wrong::ClassRefused,
        "route.class",
        "class_refused",
        "`mailferry waive",
    ),
    (
        Wrong::StreamsRefused,
        "route.class",
        "class_refused",
        "`mailferry waive",
    ),
    (
        Wrong::TargetThrottled,
        "target.throttling",
        "throttled",
        "`mailferry preflight",
    ),
];

/// Those that warn: everything works.
const WARNED: &[(Wrong, &str, &str, &str)] = &[(
    Wrong::RoleTooMuch,
    "target.least_privilege",
    "role_not_needed",
    "`az ad app permission delete",
)];

const TLS: [Wrong; 4] = [
    Wrong::AutodiscoverElsewhere,
    Wrong::CertificateExpired,
    Wrong::CertificateWrongName,
    Wrong::CertificateUnknownIssuer,
];

fn diagnose(rows: &[(Wrong, &str, &str, &str)], state: &str) {
    for (wrong, check, cause, command) in rows {
        let mut args = vec!["--misconfigured", wrong.word()];
        if TLS.contains(wrong) {
            args.push("--tls");
        }
        let lab = match wrong {
            // A task is not in every small mailbox.
            Wrong::ClassRefused | Wrong::StreamsRefused => {
                let more = ["--mailboxes", "2", "--items", "60"];
                Lab::start(&[&more[..], &args[..]].concat())
            }
            _ => open(&args),
        };
        if *wrong == Wrong::AutodiscoverElsewhere {
            leave_to_autodiscover(&lab);
        }
        if *wrong == Wrong::NoConsentTyped {
            take_route(&lab, "typed");
        }
        let export = lab.dir.path().join("target.csv");
        let export = export.to_str().unwrap();
        let (out, report) = preflight(&lab, &["--target-inventory", export]);
        let found = checks(&report, state);
        let own = found
            .iter()
            .find(|own| own["check"] == *check && own["cause"] == *cause)
            .unwrap_or_else(|| panic!("{}: {check} {cause} is not among {found:#?}", wrong.word()));
        let remedy = own["remedy"].as_str().unwrap();
        assert!(remedy.contains(command), "{}: {remedy}", wrong.word());
        let code = if state == "fail" { 4 } else { 0 };
        assert_eq!(out.status.code(), Some(code), "{}", wrong.word());
        let counts = lab.get_trusting("control_url", "/stats");
        assert_eq!(counts["source_writes"], 0);
        assert_eq!(counts["invitations"], 0);
        assert_eq!(counts["invalid"], 0, "{}: {counts}", wrong.word());
        // Whatever was tried, nothing stays.
        let truth = lab.get_trusting("truth_url", "");
        for (mailbox, held) in truth["target"].as_object().unwrap() {
            for folder in held["folders"].as_array().unwrap() {
                assert!(folder["items"].as_array().unwrap().is_empty(), "{mailbox}");
                assert!(!folder["path"].as_str().unwrap().contains("mailferry"));
            }
        }
        let text = String::from_utf8_lossy(&out.stderr).into_owned() + &report.to_string();
        for secret in ["ews_password", "client_secret"] {
            let secret = lab.facts[secret].as_str().unwrap();
            assert!(
                !text.contains(secret),
                "{}: a secret is shown",
                wrong.word()
            );
        }
    }
}

/// Takes the EWS URL out of the lab's plan and names the lab's own Autodiscover instead.
fn leave_to_autodiscover(lab: &Lab) {
    let url = lab.facts["ews_url"].as_str().unwrap();
    let base = url.strip_suffix("/EWS/Exchange.asmx").unwrap();
    let text = std::fs::read_to_string(lab.plan()).unwrap();
    let with = format!("autodiscover = \"{base}\"");
    let changed = text.replace(&format!("ews_url = \"{url}\""), &with);
    assert_ne!(changed, text);
    std::fs::write(lab.plan(), changed).unwrap();
}

/// Writes a route into the lab's plan in the place of any other.
fn take_route(lab: &Lab, route: &str) {
    let text = std::fs::read_to_string(lab.plan()).unwrap();
    let rest = text.lines().filter(|line| !line.starts_with("route = "));
    let rest: Vec<&str> = rest.collect();
    let line = format!("[target]\nroute = \"{route}\"");
    let changed = rest.join("\n").replace("[target]", &line);
    assert_ne!(changed, text);
    std::fs::write(lab.plan(), changed).unwrap();
}

#[test]
fn autodiscover_finds_the_url_and_a_run_uses_what_was_found() {
    let lab = open(&["--tls"]);
    leave_to_autodiscover(&lab);
    let run = || {
        let mut run = mailferry("run", &lab.plan(), &["--json"]);
        run.env("SSL_CERT_FILE", lab.ca()).output().unwrap()
    };
    let early = run();
    let text = String::from_utf8_lossy(&early.stderr).into_owned();
    assert_eq!(early.status.code(), Some(3), "{text}");
    assert!(text.contains("`mailferry preflight PLAN`"), "{text}");
    let (out, report) = preflight(&lab, &[]);
    assert_eq!(out.status.code(), Some(0), "{:#?}", checks(&report, "fail"));
    let found = checks(&report, "ok");
    let found = found
        .iter()
        .find(|own| own["check"] == "source.autodiscover");
    let detail = found.unwrap()["detail"].as_str().unwrap();
    assert!(
        detail.starts_with(lab.facts["ews_url"].as_str().unwrap()),
        "{detail}"
    );
    let late = run();
    let text = String::from_utf8_lossy(&late.stderr);
    assert_eq!(late.status.code(), Some(0), "{text}");
    lab.assert_same_on_both_sides();
    lab.assert_clean_hands();
}

fn seeded(from: usize, to: usize) -> &'static [(Wrong, &'static str, &'static str, &'static str)] {
    &SEEDED[from..to.min(SEEDED.len())]
}

#[test]
fn every_misconfiguration_has_a_diagnosis() {
    for wrong in Wrong::ALL {
        let all = SEEDED.iter().chain(WARNED);
        assert!(
            all.clone().any(|(own, ..)| own == wrong),
            "{}",
            wrong.word()
        );
    }
}

#[test]
fn misconfigured_accounts_are_diagnosed_by_name() {
    diagnose(seeded(0, 10), "fail");
}

#[test]
fn misconfigured_sources_are_diagnosed_by_name() {
    diagnose(seeded(10, 18), "fail");
}

#[test]
fn misconfigured_applications_are_diagnosed_by_name() {
    diagnose(seeded(18, 26), "fail");
}

#[test]
fn misconfigured_targets_are_diagnosed_by_name() {
    diagnose(seeded(26, SEEDED.len()), "fail");
    diagnose(WARNED, "warn");
}

#[test]
fn a_plain_lab_passes_and_nothing_stays() {
    let lab = open(&[]);
    let (_, before) = lab.truth();
    let (out, report) = preflight(&lab, &[]);
    assert_eq!(checks(&report, "fail"), Vec::<&Value>::new());
    assert_eq!(out.status.code(), Some(0));
    assert_eq!(report["schema"], "mailferry.preflight/1");
    assert_eq!(report["mailboxes"], json!({"looked_at": 2, "planned": 2}));
    assert_eq!(
        report["route"]["fast_transfer"], "works",
        "{}",
        report["route"]
    );
    let classes = report["route"]["classes"].as_array().unwrap();
    assert!(classes.len() >= 5, "{classes:?}");
    assert!(
        classes.iter().all(|class| class["state"] == "ok"),
        "{classes:?}"
    );
    for right in report["rights"].as_array().unwrap() {
        // Those of the typed route are not needed where the plan wants streams only.
        let typed = ["Mail.", "Calendars.", "Contacts."];
        let typed = typed
            .iter()
            .any(|own| right["role"].as_str().unwrap().starts_with(own));
        assert_eq!(
            (&right["held"], &right["used"], &right["needed"]),
            (&json!(true), &json!(!typed), &json!(!typed)),
            "{right}"
        );
    }
    let (_, after) = lab.truth();
    assert_eq!(before, after);
    assert!(!lab.dir.path().join("state/canary.jsonl").exists());
    lab.assert_clean_hands();
    // The run behind it takes nothing of the canaries for its own work.
    run_to_the_end(&lab.plan());
    lab.assert_same_on_both_sides();
    let (out, report) = preflight(&lab, &["--sample", "1"]);
    assert_eq!(out.status.code(), Some(0), "{report}");
    assert_eq!(report["mailboxes"], json!({"looked_at": 1, "planned": 2}));
    lab.assert_same_on_both_sides();
    lab.assert_clean_hands();
}

fn class<'a>(report: &'a Value, name: &str) -> &'a Value {
    let classes = report["route"]["classes"].as_array().unwrap();
    let own = classes.iter().find(|own| own["class"] == name);
    own.unwrap_or_else(|| panic!("{name} is not among {classes:#?}"))
}

fn detail_of<'a>(report: &'a Value, check: &str, subject: &str) -> &'a str {
    let all = report["checks"].as_array().unwrap().iter();
    let mut own = all.filter(|own| own["check"] == check && own["subject"] == subject);
    own.next().unwrap()["detail"].as_str().unwrap()
}

/// Each right of the typed route was proved by a call.
fn assert_rights_proved(report: &Value) {
    for role in [
        "Mail.ReadWrite",
        "Calendars.ReadWrite",
        "Contacts.ReadWrite",
    ] {
        let rows = report["rights"].as_array().unwrap();
        let own = rows.iter().find(|own| own["role"] == role).unwrap();
        assert_eq!((&own["used"], &own["needed"]), (&json!(true), &json!(true)));
        let detail = detail_of(report, "target.rights", role);
        assert!(detail.starts_with("proved by "), "{detail}");
    }
}

fn causes<'a>(report: &'a Value, state: &str) -> Vec<&'a str> {
    let of = checks(report, state);
    of.iter().filter_map(|own| own["cause"].as_str()).collect()
}

#[test]
fn a_tenant_that_takes_no_streams_is_judged_by_what_the_plan_says_of_routes() {
    let world = ["--mailboxes", "2", "--items", "60"];
    let lab = Lab::start(&[&world[..], &["--misconfigured", "streams_refused"]].concat());
    take_route(&lab, "auto");
    let (_, auto) = preflight(&lab, &[]);
    assert_eq!(auto["route"]["rule"], "auto");
    assert_eq!(auto["route"]["fast_transfer"], "refused");
    let mail = class(&auto, "IPM.Note");
    assert_eq!(
        (&mail["way"], &mail["state"]),
        (&json!("typed"), &json!("warn"))
    );
    assert!(mail["losses"].as_array().unwrap().len() > 5, "{mail}");
    let detail = detail_of(&auto, "route.class", "IPM.Note");
    assert!(
        detail.contains("was made by its class as mail and came back the same"),
        "{detail}"
    );
    assert_rights_proved(&auto);
    let task = class(&auto, "IPM.Task");
    assert_eq!(
        (&task["way"], &task["state"]),
        (&json!("none"), &json!("fail"))
    );
    assert!(causes(&auto, "warn").contains(&"carried_by_class"));
    assert!(!causes(&auto, "warn").contains(&"role_not_needed"));
    let held = checks(&auto, "ok");
    assert!(
        held.iter().any(|own| own["subject"] == "Mail.ReadWrite"),
        "{held:#?}"
    );

    take_route(&lab, "stream");
    let state = lab.dir.path().join("state-stream");
    let (_, stream) = preflight(&lab, &["--state", state.to_str().unwrap()]);
    assert_eq!(stream["route"]["rule"], "stream");
    assert_eq!(class(&stream, "IPM.Note")["way"], "none");
    assert!(!causes(&stream, "warn").contains(&"carried_by_class"));
    assert!(causes(&stream, "warn").contains(&"role_not_needed"));
    lab.assert_clean_hands();
}

#[test]
fn a_plan_without_streams_needs_no_import_and_names_what_has_no_form() {
    let world = ["--mailboxes", "2", "--items", "60"];
    let lab = Lab::start(&[&world[..], &["--misconfigured", "import_unavailable"]].concat());
    take_route(&lab, "typed");
    let (out, typed) = preflight(&lab, &[]);
    assert_eq!(out.status.code(), Some(4));
    let fails = causes(&typed, "fail");
    assert!(
        fails.iter().all(|own| *own == "no_typed_form") && !fails.is_empty(),
        "{fails:?}"
    );
    assert_eq!(typed["route"]["rule"], "typed");
    assert_eq!(typed["route"]["fast_transfer"], "not_proven");
    assert_eq!(class(&typed, "IPM.Task")["way"], "none");
    for name in ["IPM.Note", "IPM.Appointment", "IPM.Contact"] {
        let own = class(&typed, name);
        assert_eq!(
            (&own["way"], &own["state"]),
            (&json!("typed"), &json!("ok"))
        );
        assert!(own["losses"].is_array());
        let detail = detail_of(&typed, "route.class", name);
        assert!(detail.contains("came back the same"), "{detail}");
    }
    let largest = detail_of(&typed, "route.largest_item", "largest item");
    assert!(largest.ends_with("taken by its class"), "{largest}");
    assert_rights_proved(&typed);
    assert_eq!(canary_folders(&lab), 0);
    assert!(!lab.dir.path().join("state/canary.jsonl").exists());
    let (_, target) = lab.truth();
    assert!(target.is_empty(), "{target:?}");
    let out = mailferry("preflight", &lab.plan(), &[]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    for want in [
        "Route typed: streams are not tried, as the plan says; carried by class: ",
        "What items lose that are carried by their class: mailferry losses.\n",
        "export the folder of tasks",
        "export the folder of notes",
        "Mail.ReadWrite",
    ] {
        assert!(text.contains(want), "{want} is not in\n{text}");
    }
    lab.assert_clean_hands();
}

/// A cloud without mailbox import: nothing asks for it, mail is proved by a hidden canary, what could only be tried in its user's sight is not, and what
/// lies in folders that stay is named.
#[test]
fn a_cloud_without_mailbox_import_is_judged_by_the_apis_it_has() {
    for seed in ["1", "2"] {
        let world = ["--mailboxes", "2", "--items", "60", "--seed", seed];
        let lab = Lab::start(&[&world[..], &["--misconfigured", "no_import_api"]].concat());
        take_route(&lab, "typed\"\nimport_api = \"false");
        let text = std::fs::read_to_string(lab.plan()).unwrap();
        std::fs::write(lab.plan(), text.replace("\"false\"", "false")).unwrap();
        let (out, report) = preflight(&lab, &[]);
        assert_eq!(out.status.code(), Some(4));
        let fails = causes(&report, "fail");
        assert!(
            fails.iter().all(|own| *own == "no_typed_form") && !fails.is_empty(),
            "{fails:?}"
        );
        let detail = detail_of(&report, "route.class", "IPM.Note");
        assert!(detail.contains("came back the same"), "{detail}");
        for name in ["IPM.Appointment", "IPM.Contact"] {
            let detail = detail_of(&report, "route.class", name);
            assert!(detail.contains("can be hidden from its user"), "{detail}");
        }
        for name in ["IPM.Task", "IPM.StickyNote"] {
            assert_eq!(class(&report, name)["way"], "none", "{name}");
        }
        let rights = report["rights"].as_array().unwrap();
        let roles: Vec<&str> = rights
            .iter()
            .filter_map(|own| own["role"].as_str())
            .collect();
        let want = [
            "User.Read.All",
            "Mail.ReadWrite",
            "Calendars.ReadWrite",
            "Contacts.ReadWrite",
        ];
        assert_eq!(roles, want);
        assert_eq!(rights[1]["used"], true, "{rights:?}");
        assert_eq!(canary_folders(&lab), 0);
        let (_, target) = lab.truth();
        assert!(target.is_empty(), "{target:?}");
        let stats = lab.get("control_url", "/stats");
        assert_eq!(stats["import_asked_in_vain"], 0, "{stats}");
        lab.assert_clean_hands();
    }
}

#[test]
fn the_table_groups_mailboxes_and_says_what_to_type() {
    let lab = open(&["--misconfigured", "target_unlicensed"]);
    let out = mailferry("preflight", &lab.plan(), &[]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(4));
    for want in [
        "Exchange on premises\n",
        "fail        target.mailbox          1 of 2: ",
        "b.okafor@clinic.example",
        "1. fail target.mailbox (target_unlicensed), b.okafor@clinic.example\n",
        "FastTransfer works: works for every class that was found: ",
        "2 mailboxes looked at.",
        "MailboxItem.ImportExport.All",
    ] {
        assert!(text.contains(want), "{want} is not in\n{text}");
    }
}

#[test]
fn bad_weather_changes_no_verdict_and_leaves_nothing() {
    let lab = open(&["--weather", "storm", "--limits", "small", "--seed", "5"]);
    let (out, report) = preflight(&lab, &[]);
    assert_eq!(out.status.code(), Some(0), "{:#?}", checks(&report, "fail"));
    assert_eq!(
        report["route"]["fast_transfer"], "works",
        "{}",
        report["route"]
    );
    let (_, target) = lab.truth();
    assert!(target.is_empty(), "{target:?}");
    lab.assert_clean_hands();
}

/// What is in the target's mailboxes, our folders among it.
fn canary_folders(lab: &Lab) -> usize {
    let truth = lab.get("truth_url", "");
    let mut out = 0;
    for held in truth["target"].as_object().unwrap().values() {
        for list in ["folders", "left_out"] {
            let folders = held[list].as_array().into_iter().flatten();
            out += folders
                .filter(|folder| {
                    folder["path"]
                        .as_str()
                        .unwrap_or("")
                        .contains("mailferry preflight")
                })
                .count();
        }
    }
    out
}

#[test]
fn a_preflight_that_was_killed_is_cleaned_up_behind_and_run_and_verify_look_past_it() {
    let lab = open(&["--latency", "40"]);
    kill_in_flight(&lab);
    assert!(
        canary_folders(&lab) > 0,
        "the kill came too early to prove anything"
    );
    // A run and its verification neither take canaries for copies nor count them.
    run_to_the_end(&lab.plan());
    let out = mailferry("verify", &lab.plan(), &["--json"])
        .output()
        .unwrap();
    let verified: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(0), "{verified}");
    let (out, report) = preflight(&lab, &[]);
    assert_eq!(out.status.code(), Some(0), "{:#?}", checks(&report, "fail"));
    assert_eq!(canary_folders(&lab), 0);
    lab.assert_same_on_both_sides();
    lab.assert_clean_hands();
}

/// Starts a preflight and kills it once its folder holds something.
fn kill_in_flight(lab: &Lab) {
    kill_after(lab, 2);
}

/// The same once so many items were placed.
fn kill_after(lab: &Lab, items: usize) {
    let mut child = mailferry("preflight", &lab.plan(), &["--json"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let log = lab.dir.path().join("state/canary.jsonl");
    let placed = |log: &Path| {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        text.matches("item_placed").count() >= items
    };
    crate::process::wait_for("a canary in flight", || placed(&log));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_not_recorded_as_ours_is_not_deleted() {
    let lab = open(&["--latency", "40"]);
    kill_in_flight(&lab);
    // Somebody touches what lies there: another version is no longer only ours.
    let log = lab.dir.path().join("state/canary.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    let forged = text.replacen("\"change_key\":\"", "\"change_key\":\"x", 1);
    assert_ne!(text, forged);
    std::fs::write(&log, forged).unwrap();
    let (out, report) = preflight(&lab, &[]);
    assert_eq!(out.status.code(), Some(0), "{:#?}", checks(&report, "fail"));
    let left = checks(&report, "warn");
    assert!(
        left.iter().any(|own| own["cause"] == "canary_left"),
        "{left:#?}"
    );
    assert_eq!(canary_folders(&lab), 1);
    assert!(log.exists(), "what is left stays on record");
}

#[test]
fn a_preflight_by_class_that_was_killed_is_cleaned_up_behind() {
    let lab = Lab::start(&["--mailboxes", "2", "--items", "60", "--latency", "40"]);
    take_route(&lab, "typed");
    let (mut there, mut log) = (0, String::new());
    // Once among messages, and once among what comes behind them.
    for items in [2, 5] {
        kill_after(&lab, items);
        there += canary_folders(&lab);
        let path = lab.dir.path().join("state/canary.jsonl");
        log = std::fs::read_to_string(path).unwrap();
        assert!(log.contains("\"mark\""), "{log}");
    }
    assert!(there > 0, "the kills came too early to prove anything");
    assert!(log.contains(" mail\""), "{log}");
    let (_, report) = preflight(&lab, &[]);
    assert!(
        !causes(&report, "warn").contains(&"canary_left"),
        "{report}"
    );
    assert_eq!(canary_folders(&lab), 0);
    let (_, target) = lab.truth();
    assert!(target.is_empty(), "{target:?}");
    lab.assert_clean_hands();
}

#[test]
fn without_consent_for_the_typed_route_each_right_is_told_once_and_nothing_is_left() {
    let world = ["--mailboxes", "2", "--items", "60"];
    for (route, wrong) in [("typed", ""), ("auto", "streams_refused")] {
        let mut args = world.to_vec();
        args.extend(["--misconfigured", "no_consent_typed"]);
        if !wrong.is_empty() {
            args.extend(["--misconfigured", wrong]);
        }
        let lab = Lab::start(&args);
        take_route(&lab, route);
        let (out, report) = preflight(&lab, &[]);
        assert_eq!(out.status.code(), Some(4));
        let fails = checks(&report, "fail");
        for role in [
            "Mail.ReadWrite",
            "Calendars.ReadWrite",
            "Contacts.ReadWrite",
        ] {
            let own = fails.iter().find(|own| own["subject"] == role);
            assert_eq!(own.unwrap()["cause"], "consent_missing", "{route}");
            let detail = detail_of(&report, "target.rights", role);
            assert!(detail.starts_with("HTTP 403"), "{detail}");
        }
        assert!(!causes(&report, "fail").contains(&"typed_class_refused"));
        assert!(!causes(&report, "warn").contains(&"canary_left"));
        assert_eq!(class(&report, "IPM.Note")["way"], "typed");
        assert_eq!(canary_folders(&lab), 0);
        lab.assert_clean_hands();
    }
}
