//! Tests of [`super::document`].

use super::*;
use crate::base::limits;
use crate::base::screen_rules::{Mode, Rule};

/// The sample of the documentation, with comments, in no particular order.
const SAMPLE: &str = include_str!("../../plans/clinic.toml");

fn problems(text: &str) -> String {
    match Plan::parse(text) {
        Ok(_) => "nothing".to_owned(),
        Err(problems) => problems
            .iter()
            .map(|problem| problem.in_file("p.toml"))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

fn with(old: &str, new: &str) -> String {
    assert!(SAMPLE.contains(old), "{old}");
    SAMPLE.replacen(old, new, 1)
}

#[test]
fn the_sample_is_read_whole() {
    let plan = Plan::parse(SAMPLE).expect("the sample is right");
    assert_eq!(plan.name, "clinic-wave-1");
    assert_eq!(plan.realm, Realm::Live);
    assert_eq!(plan.source.auth.method, AuthMethod::Basic);
    assert_eq!(
        plan.target.credential,
        Credential::SecretEnv("MAILFERRY_CLIENT_SECRET".into())
    );
    assert_eq!(
        plan.target.service.graph_url(),
        "https://graph.microsoft.com"
    );
    assert_eq!(
        plan.limits.target_upload_per_window,
        Some(Bytes::new(148_000_000))
    );
    assert_eq!(plan.limits.settle, Span::from_secs(30));
    assert_eq!(plan.jobs().len(), 2);
    assert_eq!(plan.to_spec().select.max_item_size, limits::ITEM_MAX);
}

#[test]
fn the_canonical_form_reads_back_as_the_same_plan_and_stays() {
    let plan = Plan::parse(SAMPLE).expect("the sample is right");
    let rendered = plan.render();
    let again = Plan::parse(&rendered).expect("the canonical form is a plan");
    assert_eq!(again, plan);
    assert_eq!(again.render(), rendered);
    insta::assert_snapshot!(rendered, @r#"
    schema = "mailferry.plan/1"
    name = "clinic-wave-1"
    realm = "live"

    [source]
    ews_url = "https://mail.clinic.example/EWS/Exchange.asmx"
    auth = { method = "basic", username = 'CLINIC\svc-migrate', password_env = "MAILFERRY_SOURCE_PASSWORD" }
    impersonate = true
    max_connections = 20

    [target]
    tenant = "clinic.onmicrosoft.example"
    client_id = "00000000-0000-0000-0000-000000000000"
    credential = { secret_env = "MAILFERRY_CLIENT_SECRET" }
    cloud = "global"

    [limits]
    target_calls_in_flight_per_mailbox = 4
    target_requests_per_10_min = 9900
    target_upload_per_5_min = "148 MB"
    source_mailboxes_at_once = 20
    source_connections_by_day = 6
    working_hours = { days = ["mon", "tue", "wed", "thu", "fri"], from = "07:00", to = "19:00" }
    memory = "512 MB"
    spool_memory = "64 MB"
    visibility_settle = "30 s"

    [schedule]
    time_zone = "Europe/Guernsey"
    windows = [
      { days = ["mon", "tue", "wed", "thu", "fri"], from = "20:00", to = "06:00" },
      { days = ["sat", "sun"], from = "00:00", to = "24:00" },
    ]

    [select]
    exclude_folders = ["Junk Email"]
    older_than = "never"
    max_item_size = "150 MB"

    [[wave]]
    name = "pilot"
    not_before = "2026-12-01"
    mailboxes = [
      { source = "a.harris@clinic.example", target = "a.harris@clinic.example" },
      { source = "b.ozanne@clinic.example", target = "b.ozanne@clinic.example" },
    ]
    "#);
}

#[test]
fn blanks_comments_and_key_order_do_not_count_and_values_do() {
    let plan = Plan::parse(SAMPLE).expect("the sample is right");
    let reordered = with(
        "name = \"clinic-wave-1\"",
        "# a comment\n  name   =   'clinic-wave-1'",
    );
    assert_eq!(Plan::parse(&reordered).expect("right").hash(), plan.hash());
    assert_eq!(
        Plan::parse(&plan.render()).expect("right").hash(),
        plan.hash()
    );
    for (old, new) in [
        ("clinic-wave-1", "clinic-wave-2"),
        ("b.ozanne@clinic.example\" }", "b.other@clinic.example\" }"),
        ("\"live\"", "\"rehearsal\""),
        ("148 MB", "139 MB"),
        ("by_day = 6", "by_day = 5"),
        ("\"19:00\"", "\"18:30\""),
    ] {
        let text = with(old, new);
        match Plan::parse(&text) {
            Ok(other) => assert_ne!(other.hash(), plan.hash(), "{new}"),
            // A rehearsal with addresses of the world is refused, which is as good.
            Err(_) => assert_eq!(new, "\"rehearsal\""),
        }
    }
}

#[test]
fn every_problem_is_named_with_its_place() {
    let text = r#"
schema = "mailferry.plan/1"
name = "x"
realm = "life"
colour = "red"

[source]
ews_ulr = "https://mail.clinic.example/EWS/Exchange.asmx"
auth = { method = "digest", username = 7, password = "hunter2" }
impersonate = "yes"

[target]
tenant = ""
client_id = "00000000-0000-0000-0000-000000000000"
credential = { secret_env = "A", certificate = "b.pem" }
cloud = "gcc-high"

[limits]
target_calls_in_flight_per_mailbox = 40
target_upload_per_5_min = "1 TB"
visibility_settle = "1 s"

[schedule]
time_zone = "Europe/Guernesey"
windows = [{ days = ["mon", "tues"], from = "20:00", to = "25:00" }, 5]

[select]
older_than = "5 years"
max_item_size = "1 GB"

[[wave]]
name = "pilot"
not_before = "2026-12-32"
mailboxes = [
  { source = "a.harris@clinic.example", target = "a.harris" },
  { source = "A.Harris@clinic.example", target = "c@clinic.example" },
]
"#;
    insta::assert_snapshot!(problems(text), @r#"
    p.toml:4:9: `realm` must be one of live, rehearsal; did you mean "live"?
    p.toml:5:1: unknown key `colour`; known are schema, name, realm, source, target, limits, schedule, cutover, select, screening, wave
    p.toml:7:1: `ews_url` is missing in [source]
    p.toml:8:1: unknown key `ews_ulr` in [source]; did you mean `ews_url`?
    p.toml:9:8: `password_env` is missing in [source.auth]
    p.toml:9:19: `method` must be one of basic, ntlm, negotiate, oauth
    p.toml:9:40: `username` must be a string, not an integer
    p.toml:9:43: unknown key `password` in [source.auth]; did you mean `password_env`?
    p.toml:10:15: `impersonate` must be true or false, not a string
    p.toml:13:10: `tenant` is empty
    p.toml:15:14: `credential` holds either `secret_env` or `certificate`
    p.toml:16:9: `cloud` must be one of global, us-gov, us-dod, china
    p.toml:19:38: `target_calls_in_flight_per_mailbox` is 40; it may be 1 to 4 (the published limit)
    p.toml:20:27: `target_upload_per_5_min` must be a size such as "148 MB"
    p.toml:21:21: `visibility_settle` may be 30.0 s to 1 h 00 min: a shorter wait would create twice what shows late
    p.toml:24:13: `time_zone` is no IANA time zone such as "Europe/Guernsey"
    p.toml:25:29: `days` must be one of mon, tue, wed, thu, fri, sat, sun; did you mean "tue"?
    p.toml:25:59: `to` must be a time from "00:00" to "24:00"
    p.toml:25:70: `windows` must hold tables, not an integer
    p.toml:28:14: `older_than` must be "never" or a day such as "2015-01-01"
    p.toml:29:17: `max_item_size` may be 1 B to 150.0 MB (the largest message a tenant can take)
    p.toml:33:14: `not_before` must be a day such as "2026-12-01"
    p.toml:35:50: `target`: the address has no @
    "#);
}

#[test]
fn ways_sign_ins_and_clouds_read_back_as_they_were_written() {
    let pin = "AB:".repeat(31) + "cd";
    let tls = format!(
        "impersonate = true\ntls = {{ ca = \"site.pem\", pin = \"{pin}\", certificate = \"own.pfx\", password_env = \"P\", \
         backend = \"legacy\" }}\nproxy = {{ url = \"http://[2001:db8::1]:3128\", username = \"u\", password_env = \"Q\" }}\n\
         resolve = [\"Mail.clinic.example=10.0.0.5\", \"x.example=[2001:db8::2]\"]"
    );
    let auth = "method = \"basic\", username = \"CLINIC\\\\svc-migrate\", password_env = \"MAILFERRY_SOURCE_PASSWORD\"";
    let secret = "secret_env = \"MAILFERRY_CLIENT_SECRET\"";
    for (old, new) in [
        ("impersonate = true", tls.as_str()),
        (
            auth,
            "method = \"negotiate\", username = \"svc@CLINIC.EXAMPLE\", keytab = \"svc.keytab\"",
        ),
        (
            auth,
            "method = \"negotiate\", ticket_cache = \"FILE:/tmp/krb5cc\"",
        ),
        (
            auth,
            "method = \"ntlm\", username = \"a\", password_env = \"P\"",
        ),
        (auth, "method = \"oauth\", token_env = \"T\""),
        (secret, "certificate = \"app.pfx\", password_env = \"P\""),
        (secret, "certificate = \"app.pem\""),
        (
            "cloud = \"global\"",
            "cloud = \"china\"\nresolve = [\"a=::1\"]",
        ),
    ] {
        let text = with(old, new);
        let plan = Plan::parse(&text).unwrap_or_else(|_| panic!("{new}\n{}", problems(&text)));
        let rendered = plan.render();
        let again = Plan::parse(&rendered).unwrap_or_else(|_| panic!("{}", problems(&rendered)));
        assert_eq!(again, plan, "{rendered}");
        assert_ne!(plan.hash(), Plan::parse(SAMPLE).expect("right").hash());
    }
    insta::assert_snapshot!(
        [
            with("impersonate = true", "tls = { pin = \"ab\", backend = \"old\", cafile = \"x\" }"),
            with("impersonate = true", "proxy = { url = \"http://u:hunter2@p:1\" }"),
            with("impersonate = true", "proxy = { url = \"http://p:1\", username = \"u\" }"),
            with("impersonate = true", "resolve = [\"mail.clinic.example\"]"),
            with(auth, "method = \"oauth\", username = \"u\", password_env = \"P\""),
            with(auth, "method = \"ntlm\", username = \"u\", keytab = \"k\""),
            with(auth, "method = \"negotiate\", keytab = \"k\", password_env = \"P\""),
        ]
        .map(|text| problems(&text))
        .join("\n"),
        @r#"
    p.toml:10:15: `pin` is the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons
    p.toml:10:31: `backend` must be one of auto, modern, legacy
    p.toml:10:38: unknown key `cafile` in [source.tls]; known are ca, pin, certificate, password_env, backend
    p.toml:10:17: `url` of a proxy is http://HOST:PORT, without a user name (write `username` and `password_env`)
    p.toml:10:9: `password_env` is missing in [source.proxy]
    p.toml:10:12: `resolve` holds "host=address", such as "mail.clinic.example=10.0.0.5"
    p.toml:9:8: `token_env` is missing in [source.auth]
    p.toml:9:59: `password_env` does not go with method "oauth" and `token_env`
    p.toml:9:8: `password_env` is missing in [source.auth]
    p.toml:9:52: `keytab` does not go with method "ntlm" and `password_env`
    p.toml:9:8: `username` is missing in [source.auth]
    p.toml:9:61: `password_env` does not go with method "negotiate" and `keytab`
    "#);
}

#[test]
fn no_problem_repeats_a_secret_or_an_address() {
    for text in [
        "password = \"hunter2",
        "[source]\nauth = { password = hunter2 }",
        "[[wave]]\nname = 'x'\nmailboxes = [{ source = 'hunter2@x', target = 'hunter2@y' }]",
    ] {
        let said = problems(text);
        assert!(!said.contains("hunter2"), "{said}");
        assert_ne!(said, "nothing");
    }
}

#[test]
fn the_day_may_spare_the_source_where_it_is_known_whose_day_it_is() {
    let plan = Plan::parse(SAMPLE).expect("the sample is right");
    let day = plan.limits.source_by_day.expect("the sample has one");
    assert_eq!((day.connections, day.from, day.to), (6, 420, 1140));
    assert_eq!(day.time_zone, "Europe/Guernsey");
    let bare = with("working_hours = {", "# {");
    let plan = Plan::parse(&bare).expect("hours have a default");
    assert_eq!(plan.limits.source_by_day, Some(day));
    insta::assert_snapshot!(
        [
            with("by_day = 6", "by_day = 21"),
            with("source_connections_by_day = 6", ""),
            with("source_connections_by_day", "source_connections_by_dya"),
            with("from = \"07:00\"", "form = \"07:00\""),
            REHEARSAL.replace("LIMIT", "\"1 MB\"\nsource_connections_by_day = 2"),
        ]
        .map(|text| problems(&text))
        .join("\n"),
        @r"
    p.toml:23:29: `source_connections_by_day` is 21; it may be 1 to 20 (the source's max_connections)
    p.toml:24:17: `working_hours` says when `source_connections_by_day` holds, which is missing
    p.toml:23:1: unknown key `source_connections_by_dya` in [limits]; did you mean `source_connections_by_day`?
    p.toml:24:17: `working_hours` says when `source_connections_by_day` holds, which is missing
    p.toml:24:17: `from` is missing in [limits.working_hours]
    p.toml:24:63: unknown key `form` in [limits.working_hours]; did you mean `from`?
    p.toml:14:1: `source_connections_by_day` needs to know whose day: write [schedule] with `time_zone`
    "
    );
}

#[test]
fn limits_are_lowered_freely_and_raised_only_in_rehearsals() {
    let raised = with("148 MB", "151 MB");
    assert!(problems(&raised).contains("published limit"), "{raised}");
    assert!(problems(&with("\"148 MB\"", "\"unlimited\"")).contains("rehearsal"));
    let rehearsal = REHEARSAL.replace("LIMIT", "\"unlimited\"");
    let plan = Plan::parse(&rehearsal).map_err(|p| format!("{p:?}"));
    let plan = plan.expect("a rehearsal may lift limits");
    assert_eq!(plan.limits.target_upload_per_window, None);
    assert_eq!(plan.limits.settle, Span::new(200));
    let again = Plan::parse(&plan.render()).expect("canonical");
    assert_eq!(again, plan);
    let lowered = REHEARSAL.replace("LIMIT", "\"1 MB\"");
    let plan = Plan::parse(&lowered).expect("lowering is free");
    assert_eq!(
        plan.limits.target_upload_per_window,
        Some(Bytes::new(1_000_000))
    );
    assert_eq!(
        plan.limits.target_requests_per_window,
        Some(Count::new(9_900))
    );
}

const REHEARSAL: &str = r#"
schema = "mailferry.plan/1"
name = "lab"
realm = "rehearsal"
[source]
ews_url = "http://127.0.0.1:41001/EWS/Exchange.asmx"
auth = { method = "basic", username = "LAB\\svc", password_env = "P" }
[target]
tenant = "lab.example"
client_id = "c"
credential = { secret_env = "S" }
login_url = "http://127.0.0.1:41002"
graph_url = "http://127.0.0.1:41002/"
[limits]
target_upload_per_5_min = LIMIT
visibility_settle = "200 ms"
[[wave]]
name = "all"
mailboxes = [{ source = "a@x.example", target = "a@x.example" }]
"#;

#[test]
fn a_rehearsal_stays_on_this_machine_and_a_live_plan_is_encrypted() {
    let far = REHEARSAL
        .replace("LIMIT", "\"1 MB\"")
        .replace("127.0.0.1:41001", "mail.clinic.example");
    assert!(problems(&far).contains("loopback"), "{}", problems(&far));
    let clear = with("https://mail", "http://mail");
    assert!(problems(&clear).contains("https"));
}

#[test]
fn a_wave_waits_for_its_day() {
    let plan = Plan::parse(SAMPLE).expect("the sample is right");
    let day = |text| parse_date(text).expect("a date");
    assert_eq!(plan.not_due(day("2026-11-30")).len(), 2);
    assert_eq!(plan.not_due(day("2026-12-01")), []);
}

#[test]
fn spans_read_as_people_write_them() {
    for (text, want) in [
        ("30 s", Some(30_000)),
        ("200ms", Some(200)),
        ("5 min", Some(300_000)),
        ("1 h", Some(3_600_000)),
        ("30", None),
        ("s", None),
        ("-1 s", None),
        ("99999999999999999999 h", None),
    ] {
        assert_eq!(parse_span(text), want.map(Span::new), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,200}") {
        let _ = Plan::parse(&text);
    }

    #[test]
    fn a_damaged_sample_is_read_or_refused_without_a_panic(at in 0..SAMPLE.len(), with in "\\PC{0,3}") {
        let mut text = SAMPLE.to_owned();
        if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
            text.replace_range(at..=at, &with);
        }
        if let Err(problems) = Plan::parse(&text) {
            assert!(!problems.is_empty());
        }
    }
}

#[test]
fn screening_is_read_strictly_and_counts_for_the_hash_only_where_it_is_there() {
    let without = Plan::parse(SAMPLE).expect("the sample is right");
    assert_eq!(without.screening, None);
    assert!(!without.render().contains("screening"));
    let head = "[[wave]]";
    let full = with(
        head,
        "[screening]\nrules = { office-macro = \"quarantine\", script = \"off\" }\nsha256_lists = [\"bad.sha256\"]\n\
         clamd = \"unix:/run/clamav/clamd.ctl\"\nquarantine_recipient = \"age1abc\"\n\n[[wave]]",
    );
    let plan = Plan::parse(&full).expect("right");
    assert_ne!(plan.hash(), without.hash());
    assert_eq!(Plan::parse(&plan.render()).expect("right"), plan);
    let rules = &plan.screening.as_ref().expect("there").rules;
    assert_eq!(rules.mode(Rule::OfficeMacro), Mode::Quarantine);
    assert_eq!(rules.mode(Rule::Script), Mode::Off);
    assert_eq!(rules.mode(Rule::Executable), Mode::Quarantine, "as usual");
    for (section, problem) in [
        ("rules = \"of\"", "did you mean \"off\"?"),
        ("rules = { scripts = \"off\" }", "did you mean `script`?"),
        ("clamd = \"tcp:10.0.0.5:3310\"", "must be on this machine"),
        (
            "quarantine_recipient = \"AGE-SECRET-KEY-1\"",
            "public key of an age recipient",
        ),
        ("rules = \"off\"", "looks into nothing"),
    ] {
        let text = with(head, &format!("[screening]\n{section}\n\n[[wave]]"));
        let found = problems(&text);
        assert!(found.contains(problem), "{section}: {found}");
        assert!(!found.contains("SECRET"), "{found}");
    }
}

#[test]
fn reminders_are_read_strictly_and_count_for_the_hash_only_where_they_wait() {
    let usual = Plan::parse(SAMPLE).expect("the sample is right");
    assert!(!usual.render().contains("reminders"));
    let told = |word: &str| with("[target]\n", &format!("[target]\nreminders = \"{word}\"\n"));
    for rule in ReminderRule::ALL {
        let plan = Plan::parse(&told(rule.word())).expect("right");
        assert_eq!(plan.to_spec().reminders, rule);
        assert_eq!(Plan::parse(&plan.render()).expect("right"), plan);
        assert_eq!(plan.hash() == usual.hash(), rule == ReminderRule::AsSource);
    }
    let found = problems(&told("after_cut"));
    assert!(found.contains("after_cutover"), "{found}");
}

#[test]
fn the_route_is_read_strictly_and_counts_for_the_hash_only_where_it_is_not_the_usual_one() {
    let usual = Plan::parse(SAMPLE).expect("the sample is right");
    assert_eq!(usual.to_spec().route, RouteRule::Stream);
    assert!(!usual.render().contains("route"));
    let routed = |word: &str| with("[target]\n", &format!("[target]\nroute = \"{word}\"\n"));
    for rule in RouteRule::ALL {
        let plan = Plan::parse(&routed(rule.word())).expect("right");
        assert_eq!(plan.to_spec().route, rule);
        assert_eq!(Plan::parse(&plan.render()).expect("right"), plan);
        assert_eq!(plan.hash() == usual.hash(), rule == RouteRule::Stream);
    }
    let found = problems(&routed("type"));
    assert!(found.contains("did you mean \"typed\"?"), "{found}");
}

#[test]
fn a_cloud_without_mailbox_import_takes_items_by_their_class_or_not_at_all() {
    let target = |lines: &str| with("[target]\n", &format!("[target]\n{lines}\n"));
    let national = |lines: &str| {
        with("cloud = \"global\"", "cloud = \"us-gov\"").replacen(
            "[target]\n",
            &format!("[target]\n{lines}\n"),
            1,
        )
    };
    for (text, has_import) in [
        (target("route = \"typed\""), true),
        (target("route = \"typed\"\nimport_api = false"), false),
        (target("import_api = true"), true),
        (national(""), true),
        (national("route = \"typed\""), false),
        (national("route = \"typed\"\nimport_api = true"), true),
    ] {
        let plan = Plan::parse(&text).expect("right");
        assert_eq!(plan.target.has_import(), has_import, "{text}");
        assert_eq!(plan.to_spec().select.no_import, !has_import, "{text}");
        assert_eq!(Plan::parse(&plan.render()).expect("right"), plan);
    }
    for odd in ["import_api = false", "route = \"auto\"\nimport_api = false"] {
        let found = problems(&target(odd));
        assert!(
            found.contains("`import_api = false` needs `route = \"typed\"`"),
            "{found}"
        );
    }
}
