//! Sign-in and TLS by the real binary against the lab: NTLM with a required channel binding, pins, site authorities, certificate assertions, and
//! that no secret of a whole run is left anywhere.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a test; helpers are not seen as such by the lint"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};

use base64::Engine as _;

use mailferry::base::quantity::{Moment, Span};
use mailferry::engine::clock::TokioClock;
use mailferry::lab::direct::{SharedWorld, lock};
use mailferry::lab::fault::{CallKind, Fault};
use mailferry::lab::populate::{Population, fill};
use mailferry::lab::server::{LabConfig, RunningLab, start};
use mailferry::lab::world::{Limits, World, WorldOptions};

use crate::process::{Lab, mailferry};

fn data(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/certificates");
    dir.join(name).display().to_string()
}

/// A plan of the lab with lines added to its sections and texts replaced.
fn plan_with(
    lab: &Lab,
    name: &str,
    source: &str,
    target: &str,
    changes: &[(&str, &str)],
) -> PathBuf {
    let mut text = std::fs::read_to_string(lab.plan()).unwrap();
    text = text.replacen("[source]\n", &format!("[source]\n{source}\n"), 1);
    text = text.replacen("[target]\n", &format!("[target]\n{target}\n"), 1);
    for (old, new) in changes {
        assert!(text.contains(old), "{old}\n{text}");
        text = text.replacen(old, new, 1);
    }
    let path = lab.dir.path().join(format!("{name}.toml"));
    std::fs::write(&path, text).unwrap();
    path
}

/// Runs a command on a plan with a state directory of its own.
fn on(lab: &Lab, verb: &str, plan: &Path, more: &[&str]) -> Output {
    let state = plan.with_extension("state");
    let secrets = lab.dir.path().join("secrets.env");
    let mut command = mailferry(verb, plan, more);
    command.arg("--state").arg(state);
    if matches!(verb, "run" | "verify") {
        command.arg("--secrets").arg(secrets);
    }
    command.output().unwrap()
}

fn words(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

const CA: &str = "tls = { ca = \"ca.pem\" }";

#[test]
fn ntlm_is_accepted_where_a_channel_binding_is_required() {
    let lab = Lab::start(&[
        "--tls",
        "--mailboxes",
        "2",
        "--items",
        "20",
        "--ews-auth",
        "ntlm",
        "--extended-protection",
        "require",
    ]);
    let plan = plan_with(&lab, "ntlm", CA, CA, &[]);
    assert!(
        std::fs::read_to_string(&plan)
            .unwrap()
            .contains("method = \"ntlm\"")
    );
    let out = on(&lab, "run", &plan, &[]);
    assert_eq!(out.status.code(), Some(0), "{}", words(&out));
    lab.assert_same_on_both_sides();
    lab.assert_clean_hands();
}

#[test]
fn a_refused_sign_in_says_what_is_offered_and_what_to_look_at() {
    let lab = Lab::start(&["--mailboxes", "1", "--items", "0", "--ews-auth", "ntlm"]);
    let basic = plan_with(&lab, "basic", "", "", &[("\"ntlm\"", "\"basic\"")]);
    let out = on(&lab, "run", &basic, &[]);
    let said = words(&out);
    assert_eq!(out.status.code(), Some(4), "{said}");
    assert!(
        said.contains("it offers Negotiate, NTLM, tried was Basic"),
        "{said}"
    );
    assert!(
        said.contains("method = \"negotiate\"") && said.contains("Set-WebServicesVirtualDirectory"),
        "{said}"
    );
    let negotiate = plan_with(&lab, "negotiate", "", "", &[("\"ntlm\"", "\"negotiate\"")]);
    let out = on(&lab, "run", &negotiate, &[]);
    assert_eq!(out.status.code(), Some(0), "{}", words(&out));
    let wrong = plan_with(
        &lab,
        "wrong",
        "",
        "",
        &[("LAB\\svc-migrate", "LAB\\somebody")],
    );
    let out = on(&lab, "run", &wrong, &[]);
    let said = words(&out);
    assert_eq!(out.status.code(), Some(4), "{said}");
    assert!(
        said.contains("tried was NTLM; likely: the password"),
        "{said}"
    );
}

#[test]
fn a_pinned_certificate_is_accepted_and_another_named_with_its_fingerprint() {
    let lab = Lab::start(&["--tls", "--mailboxes", "1", "--items", "5"]);
    let wrong = "ab".repeat(32);
    let pin = |digits: &str| format!("tls = {{ pin = \"{digits}\" }}");
    let plan = plan_with(&lab, "wrong", &pin(&wrong), CA, &[]);
    let out = on(&lab, "run", &plan, &[]);
    let said = words(&out);
    assert_eq!(out.status.code(), Some(4), "{said}");
    assert!(said.contains("is not the pinned one"), "{said}");
    assert_eq!(lab.get("control_url", "/stats")["total"]["requests"], 0);
    let shown = said.split("SHA-256 is ").nth(1).unwrap();
    let shown: String = shown
        .chars()
        .take_while(|c| c.is_ascii_hexdigit() || *c == ':')
        .collect();
    assert_eq!(shown.len(), 95, "{said}");
    let plan = plan_with(&lab, "right", &pin(&shown), CA, &[]);
    let out = on(&lab, "run", &plan, &[]);
    assert_eq!(out.status.code(), Some(0), "{}", words(&out));
}

#[test]
fn another_address_for_a_name_and_a_certificate_of_another_name() {
    let lab = Lab::start(&["--tls", "--mailboxes", "1", "--items", "0"]);
    let moved = |host: &str| format!("{CA}\nresolve = [\"{host}=127.0.0.1\"]");
    let url = lab.facts["ews_url"].as_str().unwrap();
    let other = url.replace("127.0.0.1", "localhost");
    let plan = plan_with(&lab, "local", &moved("localhost"), CA, &[(url, &other)]);
    let out = on(&lab, "run", &plan, &[]);
    assert_eq!(out.status.code(), Some(0), "{}", words(&out));
}

#[test]
fn the_application_signs_in_by_certificate_in_each_form_and_another_is_refused() {
    let certificate = data("app.pem");
    let lab = Lab::start(&[
        "--mailboxes",
        "1",
        "--items",
        "5",
        "--app-certificate",
        &certificate,
    ]);
    let secret = "{ secret_env = \"MAILFERRY_LAB_CLIENT_SECRET\" }";
    let with = |name: &str, value: String| plan_with(&lab, name, "", "", &[(secret, &value)]);
    let env = lab.dir.path().join("secrets.env");
    let known = std::fs::read_to_string(&env).unwrap();
    std::fs::write(
        &env,
        known + "APP_PASSWORD=test-password\nBAD_PASSWORD=nonsense-words\n",
    )
    .unwrap();
    for (name, word, code, says) in [
        ("app.pem", None, 0, ""),
        ("app-encrypted.pem", Some("APP_PASSWORD"), 0, ""),
        ("app.pfx", Some("APP_PASSWORD"), 0, ""),
        ("app-legacy.pfx", Some("APP_PASSWORD"), 0, ""),
        (
            "app.pfx",
            Some("BAD_PASSWORD"),
            3,
            "the password does not open it",
        ),
        ("app-encrypted.pem", None, 3, "encrypted and no password"),
        (
            "crossed.pem",
            None,
            3,
            "does not belong to its first certificate",
        ),
        ("other.pem", None, 4, "does not accept"),
    ] {
        let word = word.map_or_else(String::new, |word| format!(", password_env = \"{word}\""));
        let value = format!("{{ certificate = \"{}\"{word} }}", data(name));
        let plan = with(&name.replace('.', "-"), value);
        let out = on(&lab, "run", &plan, &[]);
        let said = words(&out);
        assert_eq!(out.status.code(), Some(code), "{name}: {said}");
        assert!(said.contains(says), "{name}: {said}");
        assert!(
            !said.contains("test-password") && !said.contains("nonsense-words"),
            "{said}"
        );
    }
    lab.assert_clean_hands();
}

/// What goes wrong on the way: everything whose words may hold an address, a token or a key, at every kind of call, three calls apart. Not what a client
/// rightly waits a minute or two for in real time: a throttle of the source that names no wait, and an answer that never comes.
fn troubles() -> Vec<(CallKind, Option<Fault>)> {
    let busy = Span::new(100);
    let anywhere = [
        Fault::Busy(Some(busy)),
        Fault::BusyFault(busy),
        Fault::GatewayBefore,
        Fault::GatewayAfter,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::CutBody,
    ];
    let own = |kind| match kind {
        CallKind::Read => &[Fault::Unauthorized, Fault::Claims, Fault::Unavailable][..],
        CallKind::Export => &[Fault::Truncated, Fault::ServerError],
        CallKind::Sync => &[Fault::StateRefused],
        _ => &[Fault::Unauthorized, Fault::ServerError],
    };
    let mut out = Vec::new();
    for kind in [
        CallKind::Read,
        CallKind::Export,
        CallKind::Sync,
        CallKind::Import,
    ] {
        for fault in anywhere.iter().chain(own(kind)) {
            out.extend([Some(*fault), None, None].map(|then| (kind, then)));
        }
    }
    for kind in [CallKind::Token, CallKind::OpenSession] {
        for fault in [Fault::GatewayAfter, Fault::CutBody] {
            out.extend([(kind, Some(fault)), (kind, None)]);
        }
    }
    out
}

/// A lab in this process, whose secrets can be asked for, with mailboxes in it.
async fn open_lab(dir: &Path) -> (RunningLab, SharedWorld) {
    let mut world = World::new(WorldOptions {
        // Waits are short in a small world, and this one is played in real time.
        limits: Limits::Small,
        ..WorldOptions::default()
    });
    let population = Population {
        mailboxes: 2,
        items: 20,
        ..Population::default()
    };
    fill(&mut world, &population).unwrap();
    world.script(troubles());
    let world: SharedWorld = Arc::new(Mutex::new(world));
    let clock = TokioClock::starting_at(Moment::from_unix_ms(1_793_577_600_000));
    let config = LabConfig {
        dir: dir.to_owned(),
        ews_port: 0,
        graph_port: 0,
        latency: Span::ZERO,
        record: None,
        tls: false,
    };
    let lab = start(config, Arc::clone(&world), Arc::new(clock))
        .await
        .unwrap();
    (lab, world)
}

/// Every secret that was in use: passwords as they are and as they travel, tokens, keys of import URLs.
fn secrets_of(lab: &RunningLab, world: &SharedWorld) -> BTreeSet<String> {
    let info = &lab.info;
    let pair = format!("{}:{}", info.ews_username, info.ews_password);
    let mut all = BTreeSet::from([
        info.ews_password.clone(),
        info.client_secret.clone(),
        base64::engine::general_purpose::STANDARD.encode(pair),
    ]);
    let world = lock(world);
    all.extend(world.given_out().map(str::to_owned));
    all
}

fn files_below(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, out);
        } else {
            out.push(path);
        }
    }
}

/// Everything the commands of a journey print, at every verbosity, and the state directories they leave.
fn journey(dir: &Path) -> (String, Vec<PathBuf>) {
    let text = std::fs::read_to_string(dir.join("plan.toml")).unwrap();
    let plan = |name: &str, old: &str, new: &str| {
        assert!(text.contains(old), "{old}");
        let path = dir.join(format!("{name}.toml"));
        std::fs::write(&path, text.replacen(old, new, 1)).unwrap();
        path
    };
    let whole = plan("whole", "rehearsal", "rehearsal");
    let lost = plan("lost", "EWS/Exchange.asmx", "EWS/Other.asmx");
    let denied = plan("denied", "LAB\\svc-migrate", "LAB\\nobody");
    let ntlm = plan("ntlm", "\"basic\"", "\"ntlm\"");
    let mut said = String::new();
    let mut states = BTreeSet::new();
    for (verb, plan, more, code) in [
        ("run", &lost, &["-v"][..], Some(4)),
        ("run", &denied, &["-v"], Some(4)),
        ("run", &whole, &["-v", "--stop-after", "200 ms"], None),
        ("run", &whole, &["-v", "--json"], None),
        ("run", &whole, &["-q"], None),
        ("status", &whole, &["-v"], None),
        ("status", &whole, &["--json"], None),
        ("verify", &whole, &["-v", "--level", "content"], None),
        ("verify", &whole, &["--json"], None),
        ("report", &whole, &["-v"], None),
        ("report", &whole, &["--json"], None),
        ("run", &ntlm, &["-v", "--json"], None),
    ] {
        let state = plan.with_extension("state");
        let mut command = mailferry(verb, plan, more);
        command.arg("--state").arg(&state);
        let out = command.output().unwrap();
        let words = words(&out);
        assert!(
            code.is_none_or(|code| out.status.code() == Some(code)),
            "{verb}: {words}"
        );
        assert!(
            ![Some(1), Some(2)].contains(&out.status.code()),
            "{verb}: {words}"
        );
        said.push_str(&words);
        if state.is_dir() {
            states.insert(state);
        }
    }
    (said, states.into_iter().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_whole_journey_is_left_in_any_output_or_file() {
    let dir = tempfile::tempdir().unwrap();
    let (lab, world) = open_lab(dir.path()).await;
    let at = dir.path().to_owned();
    let (said, states) = tokio::task::spawn_blocking(move || journey(&at))
        .await
        .unwrap();
    let left = lock(&world).fault_is_spent();
    assert!(left, "not everything that was to go wrong did");
    let secrets = secrets_of(&lab, &world);
    // Two runs and more, each with a token, and a session for each mailbox.
    assert!(
        secrets.len() >= 8,
        "too few secrets to prove anything: {}",
        secrets.len()
    );
    assert!(secrets.iter().all(|secret| secret.len() >= 8));
    let mut files = Vec::new();
    for state in &states {
        files_below(state, &mut files);
    }
    assert!(files.len() > 5, "{files:?}");
    let held: Vec<(PathBuf, Vec<u8>)> = files
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    for secret in &secrets {
        assert!(
            !said.contains(secret.as_str()),
            "a secret of {} bytes was printed",
            secret.len()
        );
        for (path, bytes) in &held {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(
                !found,
                "{} holds a secret of {} bytes",
                path.display(),
                secret.len()
            );
        }
    }
    lab.stop().await;
}

/// A proxy that opens tunnels for whoever logs in as `u` with `p-p-p-p-p`, and remembers where to.
fn proxy() -> (u16, Arc<Mutex<Vec<String>>>) {
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpListener, TcpStream};
    fn pump(mut from: TcpStream, mut to: TcpStream) {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    }
    fn serve(mut client: TcpStream, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
        let (mut head, mut byte) = (Vec::new(), [0; 1]);
        while !head.ends_with(b"\r\n\r\n") {
            client.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let place = head.split(' ').nth(1).unwrap().to_owned();
        let login = base64::engine::general_purpose::STANDARD.encode("u:p-p-p-p-p");
        if !head.contains(&format!("Proxy-Authorization: Basic {login}\r\n")) {
            return client.write_all(
                b"HTTP/1.1 407 Log in\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
            );
        }
        let far = TcpStream::connect(&place)?;
        seen.lock().unwrap().push(place);
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        let (there, back) = (client.try_clone()?, far.try_clone()?);
        std::thread::spawn(move || pump(there, far));
        pump(back, client);
        Ok(())
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let own = Arc::clone(&seen);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let seen = Arc::clone(&own);
            std::thread::spawn(move || serve(client, &seen));
        }
    });
    (port, seen)
}

#[test]
fn a_proxy_opens_the_way_for_whoever_logs_in_and_its_refusal_is_named() {
    let lab = Lab::start(&["--tls", "--mailboxes", "1", "--items", "5"]);
    let (port, seen) = proxy();
    let bare = format!("{CA}\nproxy = {{ url = \"http://127.0.0.1:{port}\" }}");
    let plan = plan_with(&lab, "bare", &bare, CA, &[]);
    let out = on(&lab, "run", &plan, &[]);
    let said = words(&out);
    assert_eq!(out.status.code(), Some(4), "{said}");
    assert!(
        said.contains("the proxy asks for a login (it offers Basic)"),
        "{said}"
    );
    assert!(
        said.contains("username and password_env into `proxy`"),
        "{said}"
    );
    assert!(seen.lock().unwrap().is_empty());
    let env = lab.dir.path().join("secrets.env");
    let known = std::fs::read_to_string(&env).unwrap();
    std::fs::write(&env, known + "PROXY_PASSWORD=p-p-p-p-p\n").unwrap();
    let login = format!(
        "{CA}\nproxy = {{ url = \"http://127.0.0.1:{port}\", username = \"u\", password_env = \"PROXY_PASSWORD\" }}"
    );
    let plan = plan_with(&lab, "login", &login, CA, &[]);
    let out = on(&lab, "run", &plan, &[]);
    assert_eq!(out.status.code(), Some(0), "{}", words(&out));
    let ews = lab.facts["ews_url"].as_str().unwrap();
    let seen = seen.lock().unwrap();
    assert!(
        !seen.is_empty() && seen.iter().all(|place| ews.contains(place.as_str())),
        "{seen:?}"
    );
}
