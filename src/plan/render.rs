//! The canonical form of a plan: every value written out, in a fixed order, with the quoting TOML prefers.

use std::fmt::Write as _;

use toml_edit::Value;

use crate::base::quantity::{Bytes, Span};
use crate::base::route::{ReminderRule, RouteRule};
use crate::base::screen_rules::Rule;
use crate::base::spec::{Realm, RunLimits, Selection};
use crate::plan::document::{
    ActionGate, Credential, Pair, Plan, Proof, SCHEMA, ScreenPlan, SelectPlan, Service, SourceEnd,
    TargetEnd,
};
use crate::plan::reach::render_reach;
use crate::plan::schedule::{DAYS, Schedule, render_time};

/// A string as TOML writes it.
pub(super) fn text(value: &str) -> String {
    Value::from(value).to_string()
}

/// A list of strings on one line.
fn texts<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let inner: Vec<String> = values.map(text).collect();
    format!("[{}]", inner.join(", "))
}

fn size(bytes: Bytes) -> String {
    let n = bytes.get();
    if n > 0 && n.is_multiple_of(1_000_000) {
        text(&format!("{} MB", n / 1_000_000))
    } else {
        text(&format!("{n} B"))
    }
}

fn span(span: Span) -> String {
    let ms = span.get();
    if ms > 0 && ms.is_multiple_of(1_000) {
        text(&format!("{} s", ms / 1_000))
    } else {
        text(&format!("{ms} ms"))
    }
}

/// Writes `key = value` lines; a string grows, so nothing can fail.
struct Lines(String);

impl Lines {
    fn put(&mut self, key: &str, value: impl std::fmt::Display) {
        writeln!(self.0, "{key} = {value}").expect("a string grows");
    }

    /// A comment ends where its line ends: nothing in it may end the line.
    fn comments(&mut self, lines: &[String]) {
        for line in lines {
            let line: String = line
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            writeln!(self.0, "{}", format!("# {line}").trim_end()).expect("a string grows");
        }
    }

    fn head(&mut self, head: &str) {
        writeln!(self.0, "\n{head}").expect("a string grows");
    }
}

pub(super) fn plan(plan: &Plan) -> String {
    explained(plan, &Comments::default())
}

/// What a plan file says besides its values. It does not count for the hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comments {
    /// Lines at the top.
    pub head: Vec<String>,
    /// Lines before each wave, in order of the waves.
    pub waves: Vec<Vec<String>>,
}

/// The canonical form with comments.
pub(super) fn explained(plan: &Plan, comments: &Comments) -> String {
    let mut out = Lines(String::new());
    out.comments(&comments.head);
    out.put("schema", text(SCHEMA));
    out.put("name", text(&plan.name));
    out.put(
        "realm",
        text(match plan.realm {
            Realm::Live => "live",
            Realm::Rehearsal => "rehearsal",
        }),
    );
    source(&mut out, &plan.source, &plan.limits);
    target(&mut out, &plan.target);
    limits(&mut out, &plan.limits);
    if let Some(schedule) = &plan.schedule {
        windows(&mut out, schedule);
    }
    let actions = match plan.actions {
        ActionGate::Shown => None,
        ActionGate::NotOverdue => Some("not_overdue"),
        ActionGate::Settled => Some("settled"),
    };
    if let Some(actions) = actions {
        out.head("[cutover]");
        out.put("actions", text(actions));
    }
    select(&mut out, &plan.select);
    if let Some(plan) = &plan.screening {
        screening(&mut out, plan);
    }
    for (at, wave) in plan.waves.iter().enumerate() {
        match comments.waves.get(at).filter(|lines| !lines.is_empty()) {
            Some(lines) => {
                out.0.push('\n');
                out.comments(lines);
                out.0.push_str("[[wave]]\n");
            }
            None => out.head("[[wave]]"),
        }
        out.put("name", text(&wave.name));
        if let Some(day) = &wave.not_before {
            out.put("not_before", text(day));
        }
        let mut rows = String::from("[\n");
        for pair in &wave.mailboxes {
            writeln!(rows, "  {},", row(pair)).expect("a string grows");
        }
        rows.push(']');
        out.put("mailboxes", rows);
    }
    out.0
}

fn row(pair: &Pair) -> String {
    let (from, to) = (text(pair.source.reveal()), text(pair.target.reveal()));
    let mut row = format!("{{ source = {from}, target = {to}");
    if let Some(day) = &pair.not_before {
        write!(row, ", not_before = {}", text(day)).expect("a string grows");
    }
    if let Some(items) = pair.items {
        write!(row, ", items = {}", items.get()).expect("a string grows");
    }
    if let Some(bytes) = pair.bytes {
        write!(row, ", bytes = {}", bytes.get()).expect("a string grows");
    }
    row.push_str(" }");
    row
}

fn source(out: &mut Lines, end: &SourceEnd, limits: &RunLimits) {
    out.head("[source]");
    if !end.ews_url.is_empty() {
        out.put("ews_url", text(&end.ews_url));
    }
    if let Some(search) = &end.autodiscover {
        out.put("autodiscover", text(&search.at));
        if !search.hosts.is_empty() {
            let hosts: Vec<String> = search.hosts.iter().map(|host| text(host)).collect();
            out.put("autodiscover_hosts", format!("[{}]", hosts.join(", ")));
        }
    }
    let auth = &end.auth;
    let mut row = format!("{{ method = {}", text(auth.method.word()));
    if !auth.username.is_empty() {
        write!(row, ", username = {}", text(&auth.username)).expect("a string grows");
    }
    let (key, value) = match &auth.proof {
        Proof::PasswordEnv(name) => ("password_env", name),
        Proof::TokenEnv(name) => ("token_env", name),
        Proof::Keytab(path) => ("keytab", path),
        Proof::TicketCache(name) => ("ticket_cache", name),
    };
    write!(row, ", {key} = {} }}", text(value)).expect("a string grows");
    out.put("auth", row);
    out.put("impersonate", end.impersonate);
    out.put("max_connections", limits.source_connections);
    render_reach(&end.reach, &mut |key, value| out.put(key, value));
}

fn target(out: &mut Lines, end: &TargetEnd) {
    out.head("[target]");
    out.put("tenant", text(&end.tenant));
    out.put("client_id", text(&end.client_id));
    let credential = match &end.credential {
        Credential::SecretEnv(name) => format!("{{ secret_env = {} }}", text(name)),
        Credential::Certificate(file) => match &file.password_env {
            None => format!("{{ certificate = {} }}", text(&file.path)),
            Some(name) => {
                let (path, name) = (text(&file.path), text(name));
                format!("{{ certificate = {path}, password_env = {name} }}")
            }
        },
    };
    out.put("credential", credential);
    match &end.service {
        Service::Global => out.put("cloud", text("global")),
        Service::National(cloud) => out.put("cloud", text(cloud.word())),
        Service::At {
            login_url,
            graph_url,
        } => {
            out.put("login_url", text(login_url));
            out.put("graph_url", text(graph_url));
        }
    }
    // A plan without the key means `stream` and is written without it, so that plans made before there was a choice keep their hash.
    if end.route != RouteRule::default() {
        out.put("route", text(end.route.word()));
    }
    if let Some(said) = end.import_api {
        out.put("import_api", said);
    }
    if end.reminders != ReminderRule::default() {
        out.put("reminders", text(end.reminders.word()));
    }
    render_reach(&end.reach, &mut |key, value| out.put(key, value));
}

fn limits(out: &mut Lines, limits: &RunLimits) {
    let unlimited = || text("unlimited");
    out.head("[limits]");
    out.put(
        "target_calls_in_flight_per_mailbox",
        limits.target_calls_in_flight,
    );
    out.put(
        "target_requests_per_10_min",
        limits
            .target_requests_per_window
            .map_or_else(unlimited, |count| count.get().to_string()),
    );
    out.put(
        "target_upload_per_5_min",
        limits.target_upload_per_window.map_or_else(unlimited, size),
    );
    out.put("source_mailboxes_at_once", limits.mailboxes_at_once);
    if let Some(day) = &limits.source_by_day {
        out.put("source_connections_by_day", day.connections);
        out.put("working_hours", window_row(&day.days, day.from, day.to));
    }
    out.put("memory", size(limits.spool_total));
    out.put("spool_memory", size(limits.spool_memory));
    out.put("visibility_settle", span(limits.settle));
}

fn window_row(days: &[u8], from: u16, to: u16) -> String {
    let days = days.iter().map(|day| DAYS[usize::from(*day) % 7]);
    let (from, to) = (text(&render_time(from)), text(&render_time(to)));
    format!("{{ days = {}, from = {from}, to = {to} }}", texts(days))
}

fn windows(out: &mut Lines, schedule: &Schedule) {
    out.head("[schedule]");
    out.put("time_zone", text(&schedule.time_zone));
    let mut rows = String::from("[\n");
    for window in &schedule.windows {
        let row = window_row(&window.days, window.from, window.to);
        writeln!(rows, "  {row},").expect("a string grows");
    }
    rows.push(']');
    out.put("windows", rows);
}

fn select(out: &mut Lines, select: &SelectPlan) {
    out.head("[select]");
    let folders = select.exclude_folders.iter().map(String::as_str);
    out.put("exclude_folders", texts(folders));
    let day = select.older_than.as_deref().unwrap_or("never");
    out.put("older_than", text(day));
    let largest = select
        .max_item_size
        .unwrap_or(Selection::default().max_item_size);
    out.put("max_item_size", size(largest));
}

/// Every rule is written out: what follows from a hit must not change with this program's defaults.
fn screening(out: &mut Lines, plan: &ScreenPlan) {
    out.head("[screening]");
    let rules: Vec<String> = Rule::ALL
        .iter()
        .map(|rule| format!("{} = {}", rule.name(), text(plan.rules.mode(*rule).word())))
        .collect();
    out.put("rules", format!("{{ {} }}", rules.join(", ")));
    out.put(
        "sha256_lists",
        texts(plan.sha256_lists.iter().map(String::as_str)),
    );
    if let Some(address) = &plan.clamd {
        out.put("clamd", text(&address.to_string()));
    }
    if let Some(recipient) = &plan.quarantine_recipient {
        out.put("quarantine_recipient", text(recipient));
    }
}
