//! From the text of a plan file to a plan, or to everything that is wrong with it.

use toml_edit::{Document, TableLike};

use crate::base::limits;
use crate::base::route::{ReminderRule, RouteRule};
use crate::base::spec::{Realm, RunLimits};
use crate::plan::address::read_url;
use crate::plan::document::{
    ActionGate, AuthMethod, Autodiscover, Cloud, Credential, Plan, Proof, SCHEMA, Service,
    SourceAuth, SourceEnd, TargetEnd,
};
use crate::plan::problem::{Problem, nearest};
use crate::plan::reach::{self, CertificateFile, read_reach};
use crate::plan::read_bounds::{place_hours, read_limits, read_schedule, read_select};
use crate::plan::read_screening::read_screening;
use crate::plan::read_waves::read_waves;
use crate::plan::strict::{At, Reader, Section};

/// A plan larger than this is not one: 100,000 mailboxes take about 10 MB.
const PLAN_MAX: usize = 32_000_000;

const TOP_KEYS: &[&str] = &[
    "schema",
    "name",
    "realm",
    "source",
    "target",
    "limits",
    "schedule",
    "cutover",
    "select",
    "screening",
    "wave",
];

pub(super) fn plan(text: &str) -> Result<Plan, Vec<Problem>> {
    if text.len() > PLAN_MAX {
        return Err(vec![Problem::at(
            text,
            0,
            "the file is too large for a plan",
        )]);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = Document::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        // Only the message: the full text of the error quotes the line, which may hold a secret.
        let message = error.message().lines().next().unwrap_or("not readable");
        let word: String = message.chars().take(120).collect();
        vec![Problem::at(text, offset, format!("not TOML: {word}"))]
    })?;
    let reader = Reader::new(text);
    let plan = top(&reader, document.as_table());
    let problems = reader.into_problems();
    match plan {
        Some(plan) if problems.is_empty() => Ok(plan),
        _ => Err(problems),
    }
}

fn top(reader: &Reader<'_>, table: &dyn TableLike) -> Option<Plan> {
    let top = Section::new(reader, Some(table), None, "", TOP_KEYS);
    if let Some(schema) = top.required("schema")
        && schema.value != SCHEMA
    {
        let wanted = format!("this program reads schema `{SCHEMA}` only");
        reader.refuse(schema.span.as_ref(), wanted);
    }
    let name = top.required("name");
    let realm = top.required("realm").and_then(|realm| {
        let words = [("live", Realm::Live), ("rehearsal", Realm::Rehearsal)];
        one_of(reader, "realm", &realm, &words)
    });
    // Where the realm is unreadable the rest is judged by the stricter rules.
    let rules = realm.unwrap_or(Realm::Live);
    let mut bounds = RunLimits::default();
    let source = read_source(reader, &top, rules, &mut bounds);
    let target = read_target(reader, &top, rules);
    read_limits(reader, &top, rules, &mut bounds);
    let schedule = read_schedule(reader, &top);
    place_hours(reader, &top, schedule.as_ref(), &mut bounds);
    let actions = read_cutover(reader, &top);
    let select = read_select(reader, &top, &bounds);
    let screening = read_screening(reader, &top);
    let waves = read_waves(reader, &top);
    Some(Plan {
        name: name?.value,
        realm: realm?,
        source: source?,
        target: target?,
        limits: bounds,
        schedule,
        actions,
        select,
        screening,
        waves,
    })
}

fn read_cutover<'r, 'a>(reader: &'r Reader<'a>, top: &Section<'r, 'a>) -> ActionGate {
    let words = [
        ("shown", ActionGate::Shown),
        ("not_overdue", ActionGate::NotOverdue),
        ("settled", ActionGate::Settled),
    ];
    let section = top.section("cutover", &["actions"]);
    let word = section.and_then(|section| section.text("actions"));
    word.and_then(|word| one_of(reader, "actions", &word, &words))
        .unwrap_or_default()
}

/// The meaning of a word out of a fixed list.
pub(super) fn one_of<T: Copy>(
    reader: &Reader<'_>,
    key: &str,
    word: &At<String>,
    words: &[(&str, T)],
) -> Option<T> {
    let found = words.iter().find(|(known, _)| *known == word.value);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(known, _)| *known).collect();
        let hint = nearest(&word.value, &known)
            .map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
        let known = known.join(", ");
        reader.refuse(
            word.span.as_ref(),
            format!("`{key}` must be one of {known}{hint}"),
        );
    }
    found.map(|(_, meaning)| *meaning)
}

/// A service URL that fits the realm: rehearsals stay on this machine, live plans are encrypted unless they stay on it.
fn url(reader: &Reader<'_>, key: &str, url: At<String>, realm: Realm) -> Option<String> {
    let reason = match (read_url(&url.value), realm) {
        (Err(reason), _) => reason.to_owned(),
        (Ok(facts), Realm::Rehearsal) if !facts.loopback => {
            format!("`{key}` leaves this machine; a rehearsal stays on loopback (127.0.0.1)")
        }
        (Ok(facts), Realm::Live) if !facts.secure && !facts.loopback => {
            format!("`{key}` must be https, since credentials travel in it")
        }
        (Ok(_), _) => return Some(url.value),
    };
    reader.refuse(url.span.as_ref(), reason);
    None
}

fn read_source<'r, 'a>(
    reader: &'r Reader<'a>,
    top: &Section<'r, 'a>,
    realm: Realm,
    bounds: &mut RunLimits,
) -> Option<SourceEnd> {
    let known = [
        "ews_url",
        "autodiscover",
        "autodiscover_hosts",
        "auth",
        "impersonate",
        "max_connections",
        reach::KEYS[0],
        reach::KEYS[1],
        reach::KEYS[2],
    ];
    if !top.has("source") {
        top.missing("source");
        return None;
    }
    let section = top.section("source", &known)?;
    let search = autodiscover(reader, &section, realm);
    // A search takes the place of the URL; where both are given the URL wins.
    let ews_url = if section.has("autodiscover") && !section.has("ews_url") {
        Some(String::new())
    } else {
        section
            .required("ews_url")
            .and_then(|text| url(reader, "ews_url", text, realm))
    };
    let most = u64::from(limits::SOURCE_CONNECTIONS_MAX);
    let why = "one client should not hold more of a server's connections";
    if let Some(n) = section.number("max_connections", 1, most, why) {
        bounds.source_connections = narrow(n);
    }
    let impersonate = section.truth("impersonate").unwrap_or(true);
    if !section.has("auth") {
        section.missing("auth");
        return None;
    }
    let auth = read_auth(reader, &section);
    let reach = read_reach(reader, &section);
    Some(SourceEnd {
        ews_url: ews_url?,
        autodiscover: search,
        found_url: String::new(),
        auth: auth?,
        impersonate,
        reach,
    })
}

/// Who signs in to the source, and with what. Each method has its own proof.
fn read_auth<'r, 'a>(reader: &'r Reader<'a>, source: &Section<'r, 'a>) -> Option<SourceAuth> {
    let known = [
        "method",
        "username",
        "password_env",
        "token_env",
        "keytab",
        "ticket_cache",
    ];
    let auth = source.section("auth", &known)?;
    let words = AuthMethod::ALL.map(|(method, word)| (word, method));
    let method = auth
        .required("method")
        .and_then(|word| one_of(reader, "method", &word, &words));
    let ticket =
        method == Some(AuthMethod::Negotiate) && (auth.has("keytab") || auth.has("ticket_cache"));
    let kept: &[&str] = match method {
        Some(AuthMethod::OAuth) => &["token_env"],
        _ if ticket && auth.has("keytab") => &["keytab"],
        _ if ticket => &["ticket_cache"],
        _ => &["password_env"],
    };
    for key in known.iter().skip(2).filter(|key| !kept.contains(key)) {
        if method.is_some() && auth.has(key) {
            let place = auth.item(key).and_then(toml_edit::Item::span);
            let method = method.map_or("", AuthMethod::word);
            reader.refuse(
                place.as_ref(),
                format!(
                    "`{key}` does not go with method \"{method}\" and `{}`",
                    kept[0]
                ),
            );
        }
    }
    let env = |key: &str| {
        let name = auth.required(key)?;
        variable(reader, key, name)
    };
    let path = |key: &str| auth.required(key).map(|text| text.value);
    let needs_name = !matches!(kept[0], "token_env" | "ticket_cache");
    let username = if needs_name || auth.has("username") {
        auth.required("username").map(|text| text.value)
    } else {
        Some(String::new())
    };
    let proof = match kept[0] {
        "token_env" => env("token_env").map(Proof::TokenEnv),
        "keytab" => path("keytab").map(Proof::Keytab),
        "ticket_cache" => path("ticket_cache").map(Proof::TicketCache),
        _ => env("password_env").map(Proof::PasswordEnv),
    };
    Some(SourceAuth {
        method: method?,
        username: username?,
        proof: proof?,
    })
}

/// Where the EWS URL is searched for: a mail domain, or the https URL of one service.
fn autodiscover(
    reader: &Reader<'_>,
    section: &Section<'_, '_>,
    realm: Realm,
) -> Option<Autodiscover> {
    let hosts = section.texts("autodiscover_hosts").unwrap_or_default();
    for host in hosts.iter().filter(|host| !is_host(&host.value)) {
        let reason = "`autodiscover_hosts` holds host names, such as mail.clinic.example";
        reader.refuse(host.span.as_ref(), reason);
    }
    let at = section.text("autodiscover")?;
    let span = at.span.clone();
    let at = if at.value.contains("://") {
        url(reader, "autodiscover", at, realm)?
    } else if !is_host(&at.value) || realm == Realm::Rehearsal {
        let reason = "`autodiscover` is a mail domain, such as clinic.example, or the URL of one service; a rehearsal takes a URL on this machine only";
        reader.refuse(span.as_ref(), reason);
        return None;
    } else {
        at.value
    };
    let hosts = hosts.into_iter().map(|host| host.value).collect();
    Some(Autodiscover { at, hosts })
}

/// A DNS name.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// The name of an environment variable. A secret written in its place is refused without being repeated.
pub(super) fn variable(reader: &Reader<'_>, key: &str, name: At<String>) -> Option<String> {
    let ok = name
        .value
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.value.starts_with(|c: char| c.is_ascii_digit());
    if !ok {
        reader.refuse(
            name.span.as_ref(),
            format!("`{key}` names an environment variable (letters, digits, _); it never holds the secret itself"),
        );
    }
    ok.then_some(name.value)
}

fn read_target<'r, 'a>(
    reader: &'r Reader<'a>,
    top: &Section<'r, 'a>,
    realm: Realm,
) -> Option<TargetEnd> {
    let known = [
        "tenant",
        "client_id",
        "credential",
        "cloud",
        "login_url",
        "graph_url",
        "route",
        "import_api",
        "reminders",
        reach::KEYS[0],
        reach::KEYS[1],
        reach::KEYS[2],
    ];
    if !top.has("target") {
        top.missing("target");
        return None;
    }
    let section = top.section("target", &known)?;
    let tenant = section.required("tenant");
    let client_id = section.required("client_id");
    let service = read_service(reader, &section, realm);
    if !section.has("credential") {
        section.missing("credential");
        return None;
    }
    let keys = ["secret_env", "certificate", "password_env"];
    let credential = section.section("credential", &keys)?;
    let credential = match (credential.has("secret_env"), credential.has("certificate")) {
        (true, false) => credential
            .required("secret_env")
            .and_then(|name| variable(reader, "secret_env", name))
            .map(Credential::SecretEnv),
        (false, true) => credential.required("certificate").map(|path| {
            let name = credential.text("password_env");
            Credential::Certificate(CertificateFile {
                path: path.value,
                password_env: name.and_then(|name| variable(reader, "password_env", name)),
            })
        }),
        _ => {
            reader.refuse(
                credential.span(),
                "`credential` holds either `secret_env` or `certificate`",
            );
            None
        }
    };
    Some(TargetEnd {
        tenant: tenant?.value,
        client_id: client_id?.value,
        credential: credential?,
        service: service?,
        route: read_route(reader, &section),
        import_api: read_import_api(reader, &section),
        reminders: read_reminders(reader, &section),
        reach: read_reach(reader, &section),
    })
}

fn read_route<'r, 'a>(reader: &'r Reader<'a>, section: &Section<'r, 'a>) -> RouteRule {
    let words = RouteRule::ALL.map(|rule| (rule.word(), rule));
    let word = section.text("route");
    word.and_then(|word| one_of(reader, "route", &word, &words))
        .unwrap_or_default()
}

/// `import_api = false`: a cloud without mailbox import. It takes items by their class and nothing else.
fn read_import_api<'r, 'a>(reader: &'r Reader<'a>, section: &Section<'r, 'a>) -> Option<bool> {
    let said = section.truth("import_api")?;
    let typed = section
        .text("route")
        .is_some_and(|word| word.value == RouteRule::Typed.word());
    if !said && !typed {
        reader.refuse(
            section.span(),
            "`import_api = false` needs `route = \"typed\"`: without mailbox import items go by their class, or not at all",
        );
    }
    Some(said)
}

fn read_reminders<'r, 'a>(reader: &'r Reader<'a>, section: &Section<'r, 'a>) -> ReminderRule {
    let words = ReminderRule::ALL.map(|rule| (rule.word(), rule));
    let word = section.text("reminders");
    word.and_then(|word| one_of(reader, "reminders", &word, &words))
        .unwrap_or_default()
}

fn read_service<'r, 'a>(
    reader: &'r Reader<'a>,
    section: &Section<'r, 'a>,
    realm: Realm,
) -> Option<Service> {
    let own = section.has("login_url") || section.has("graph_url");
    match section.text("cloud") {
        Some(cloud) if own => {
            reader.refuse(
                cloud.span.as_ref(),
                "`cloud` and `login_url`/`graph_url` exclude each other",
            );
            None
        }
        Some(cloud) if cloud.value != "global" => {
            let words = [("global", None)].into_iter();
            let words = words.chain(Cloud::ALL.map(|(word, cloud)| (word, Some(cloud))));
            let words: Vec<(&str, Option<Cloud>)> = words.collect();
            let found = one_of(reader, "cloud", &cloud, &words)?;
            Some(found.map_or(Service::Global, Service::National))
        }
        _ if own => {
            let login = section.required("login_url");
            let graph = section.required("graph_url");
            let login = login.and_then(|text| url(reader, "login_url", text, realm));
            let graph = graph.and_then(|text| url(reader, "graph_url", text, realm));
            Some(Service::At {
                login_url: login?,
                graph_url: graph?,
            })
        }
        _ if realm == Realm::Rehearsal => {
            reader.refuse(
                section.span(),
                "a rehearsal needs the lab's `login_url` and `graph_url`",
            );
            None
        }
        _ => Some(Service::Global),
    }
}

pub(super) fn narrow(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
