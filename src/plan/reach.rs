//! How a side is reached, as a plan writes it: `tls`, `proxy` and `resolve` of `[source]` and `[target]`. Names of files are relative to the plan.

use crate::plan::read::{one_of, variable};
use crate::plan::render::text;
use crate::plan::strict::{At, Reader, Section};

/// What is special about the way to a side; nothing where the plan says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReachPlan {
    /// A file with authorities of the site, trusted beside the system's (PEM or DER).
    pub ca: Option<String>,
    /// SHA-256 of the only certificate accepted, in 64 small hexadecimal digits.
    pub pin: Option<String>,
    /// Our certificate for servers that ask for one, PEM or PFX, and the variable with its password.
    pub certificate: Option<CertificateFile>,
    /// Which TLS speaks.
    pub backend: TlsBackend,
    /// A proxy.
    pub proxy: Option<ProxyPlan>,
    /// `host=address`, in place of what the system says.
    pub resolve: Vec<(String, String)>,
}

/// A certificate with its key in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFile {
    /// PEM or PFX, relative to the plan.
    pub path: String,
    /// The environment variable with its password, where it has one.
    pub password_env: Option<String>,
}

/// Which implementation of TLS speaks to the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsBackend {
    /// The modern one, and the legacy one where nothing is shared with it.
    #[default]
    Auto,
    /// The modern one.
    Modern,
    /// The system's library, with CBC suites.
    Legacy,
}

const BACKENDS: [(&str, TlsBackend); 3] = [
    ("auto", TlsBackend::Auto),
    ("modern", TlsBackend::Modern),
    ("legacy", TlsBackend::Legacy),
];

/// An HTTP proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyPlan {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User name and the environment variable with the password, for a proxy that asks.
    pub login: Option<(String, String)>,
}

/// The keys of a side that belong here.
pub(super) const KEYS: [&str; 3] = ["tls", "proxy", "resolve"];

/// Reads them.
pub(super) fn read_reach(reader: &Reader<'_>, side: &Section<'_, '_>) -> ReachPlan {
    let mut reach = ReachPlan::default();
    let known = ["ca", "pin", "certificate", "password_env", "backend"];
    if let Some(tls) = side.section("tls", &known) {
        reach.ca = filled(&tls, "ca");
        reach.pin = tls.text("pin").and_then(|text| pin(reader, &text));
        let password =
            (tls.text("password_env")).and_then(|name| variable(reader, "password_env", name));
        reach.certificate = filled(&tls, "certificate").map(|path| CertificateFile {
            path,
            password_env: password,
        });
        if let Some(word) = tls.text("backend") {
            reach.backend = one_of(reader, "backend", &word, &BACKENDS).unwrap_or_default();
        }
    }
    if let Some(proxy) = side.section("proxy", &["url", "username", "password_env"]) {
        reach.proxy = read_proxy(reader, &proxy);
    }
    for row in side.texts("resolve").unwrap_or_default() {
        reach.resolve.extend(host_and_address(reader, &row));
    }
    reach
}

fn filled(section: &Section<'_, '_>, key: &str) -> Option<String> {
    section
        .has(key)
        .then(|| section.required(key))?
        .map(|text| text.value)
}

fn pin(reader: &Reader<'_>, text: &At<String>) -> Option<String> {
    let digits: String = text.value.chars().filter(|c| *c != ':').collect();
    let ok = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !ok {
        reader.refuse(
            text.span.as_ref(),
            "`pin` is the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons",
        );
    }
    ok.then(|| digits.to_ascii_lowercase())
}

fn read_proxy(reader: &Reader<'_>, section: &Section<'_, '_>) -> Option<ProxyPlan> {
    let url = section.required("url")?;
    let place = url
        .value
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'));
    let place = place.filter(|rest| !rest.contains(['/', '@', '?', '#']));
    let split = place.and_then(|rest| rest.rsplit_once(':'));
    let split = split.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    let Some((host, port)) = split.filter(|(host, _)| !host.is_empty()) else {
        reader.refuse(
            url.span.as_ref(),
            "`url` of a proxy is http://HOST:PORT, without a user name (write `username` and `password_env`)",
        );
        return None;
    };
    let login = if let (false, false) = (section.has("username"), section.has("password_env")) {
        None
    } else {
        let user = section.required("username")?.value;
        let name = section.required("password_env")?;
        Some((user, variable(reader, "password_env", name)?))
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some(ProxyPlan {
        host: host.to_owned(),
        port,
        login,
    })
}

fn host_and_address(reader: &Reader<'_>, row: &At<String>) -> Option<(String, String)> {
    let split = row.value.split_once('=');
    let split = split.map(|(host, to)| (host.trim(), to.trim()));
    let split = split.map(|(host, to)| (host, to.trim_start_matches('[').trim_end_matches(']')));
    let fits = |to: &str| to.parse::<core::net::IpAddr>().is_ok();
    let whole = split.filter(|(host, to)| !host.is_empty() && fits(to));
    if whole.is_none() {
        reader.refuse(
            row.span.as_ref(),
            "`resolve` holds \"host=address\", such as \"mail.clinic.example=10.0.0.5\"",
        );
    }
    whole.map(|(host, to)| (host.to_ascii_lowercase(), to.to_owned()))
}

/// The lines of a side; none for what is as usual.
pub(super) fn render_reach(reach: &ReachPlan, put: &mut dyn FnMut(&str, String)) {
    let mut tls = Vec::new();
    let mut one = |key: &str, value: &str| tls.push(format!("{key} = {}", text(value)));
    if let Some(ca) = &reach.ca {
        one("ca", ca);
    }
    if let Some(pin) = &reach.pin {
        one("pin", pin);
    }
    if let Some(own) = &reach.certificate {
        one("certificate", &own.path);
        if let Some(name) = &own.password_env {
            one("password_env", name);
        }
    }
    if reach.backend != TlsBackend::Auto {
        let found = BACKENDS
            .iter()
            .find(|(_, backend)| *backend == reach.backend);
        one("backend", found.map_or("auto", |(word, _)| word));
    }
    if !tls.is_empty() {
        put("tls", format!("{{ {} }}", tls.join(", ")));
    }
    if let Some(proxy) = &reach.proxy {
        let host = if proxy.host.contains(':') {
            format!("[{}]", proxy.host)
        } else {
            proxy.host.clone()
        };
        let url = text(&format!("http://{host}:{}", proxy.port));
        let login = proxy
            .login
            .as_ref()
            .map_or_else(String::new, |(user, name)| {
                let (user, name) = (text(user), text(name));
                format!(", username = {user}, password_env = {name}")
            });
        put("proxy", format!("{{ url = {url}{login} }}"));
    }
    if !reach.resolve.is_empty() {
        let rows = reach.resolve.iter();
        let rows: Vec<String> = rows
            .map(|(host, to)| text(&format!("{host}={to}")))
            .collect();
        put("resolve", format!("[{}]", rows.join(", ")));
    }
}
