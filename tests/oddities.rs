//! What stands between us and Exchange: proofs on one socket, redirects, login pages, stripped and endless headers, silence. Nothing of ours goes
//! to a host that was not named.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use mailferry::base::id::MailboxId;
use mailferry::base::outcome::{DoubtCause, MisreadCause, Setback, StopCause, UnreachedCause};
use mailferry::base::quantity::Span;
use mailferry::base::secret::{SafeUrl, Secret};
use mailferry::exchange::{ExchangeSource, SignIn, SourceTrouble};
use mailferry::lab::face::Door;
use mailferry::lab::tls::Identity;
use mailferry::port::clock::Clock;
use mailferry::transport::{ConnectTrouble, HttpOptions, Reach, Trust, fingerprint};
use mailferry::wire::ews::elsewhere::Elsewhere;
use mailferry::wire::ntlm::{Acceptor, FileTime, Names, Protection};
use mailferry::wire::sign_in::Cause;

use crate::loopback::HandClock;

const PASSWORD: &str = "hunter2-hunter2";

/// One request off the wire: its head in small letters, its `Authorization` as it came, and its body's length.
struct Seen {
    head: String,
    authorization: Option<String>,
    body: usize,
}

async fn read_request(socket: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 16_384];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let text = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let field = |name: &str| {
                let mut lines = text.lines().filter_map(|line| line.split_once(": "));
                lines
                    .find(|(own, _)| own.eq_ignore_ascii_case(name))
                    .map(|(_, v)| v.to_owned())
            };
            let body: usize = field("content-length").map_or(0, |n| n.parse().unwrap());
            if bytes.len() >= end + 4 + body {
                return Some(Seen {
                    authorization: field("authorization"),
                    head: text.to_lowercase(),
                    body,
                });
            }
        }
        let n = socket.read(&mut buffer).await.unwrap_or(0);
        if n == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..n]);
    }
}

async fn listen() -> (TcpListener, SafeUrl) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/EWS/Exchange.asmx",
        listener.local_addr().unwrap()
    );
    (listener, SafeUrl::new(url))
}

fn source(url: &SafeUrl, user: &str, ntlm: bool) -> ExchangeSource {
    patient(url, user, ntlm, Span::from_secs(60))
}

/// A source that waits so long for an answer.
fn patient(url: &SafeUrl, user: &str, ntlm: bool, patience: Span) -> ExchangeSource {
    let clock: Arc<dyn Clock> = Arc::new(HandClock::default());
    let (user, pass) = (user.to_owned(), Secret::new(PASSWORD));
    let sign_in = if ntlm {
        SignIn::Ntlm { user, pass }
    } else {
        SignIn::Basic { user, pass }
    };
    let options = HttpOptions {
        call_timeout: patience,
        ..HttpOptions::with_connections(2)
    };
    ExchangeSource::connect(options, url.clone(), sign_in, &clock).unwrap()
}

async fn probe(source: &ExchangeSource) -> Setback {
    source
        .probe(&MailboxId::new("a.harris@clinic.example"))
        .await
        .unwrap_err()
}

/// Answers one request with these bytes and closes.
async fn answer_once(listener: &TcpListener, answer: &[u8]) -> Seen {
    let (mut socket, _) = listener.accept().await.unwrap();
    let seen = read_request(&mut socket).await.unwrap();
    let _ = socket.write_all(answer).await;
    seen
}

fn reply(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A reply that is read and refused: what the mailbox does not exist means is said in an envelope.
fn envelope() -> Vec<u8> {
    let fault = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>s:Client</faultcode>\
        <faultstring>x</faultstring><detail><e:ResponseCode xmlns:e=\"http://schemas.microsoft.com/exchange/services/2006/errors\">\
        ErrorNonExistentMailbox</e:ResponseCode></detail></s:Fault></s:Body></s:Envelope>";
    reply(
        "500 Internal Server Error",
        "Content-Type: text/xml; charset=utf-8\r\n",
        fault,
    )
}

/// Serves NTLM on one socket: both legs, then whatever comes. Returns what it saw.
async fn serve_ntlm(socket: &mut TcpStream, account: &str, calls: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut begun: Option<Acceptor> = None;
    let mut known = false;
    while seen.len() < calls + 1 {
        let request = read_request(socket).await.unwrap();
        let token = request
            .authorization
            .as_deref()
            .and_then(|v| v.strip_prefix("NTLM "));
        let token = token.map(|token| STANDARD.decode(token).unwrap());
        let answer = match (&token, begun.take()) {
            (None, _) => {
                assert!(known, "a call on a connection that nobody proved");
                envelope()
            }
            (Some(first), None) => {
                let names = Names {
                    domain: "LAB".into(),
                    computer: "EX".into(),
                };
                let one = Acceptor::begin(first, &names, [7; 8], FileTime(1)).unwrap();
                let text = STANDARD.encode(one.challenge());
                begun = Some(one);
                reply(
                    "401 Unauthorized",
                    &format!("WWW-Authenticate: NTLM {text}\r\n"),
                    "denied",
                )
            }
            (Some(last), Some(one)) => {
                let judged = one.judge(
                    last,
                    account,
                    &Secret::new(PASSWORD),
                    None,
                    Protection::None,
                );
                known = judged.is_ok();
                if known {
                    envelope()
                } else {
                    reply("401 Unauthorized", "WWW-Authenticate: NTLM\r\n", "")
                }
            }
        };
        socket.write_all(&answer).await.unwrap();
        seen.push(request);
    }
    seen
}

#[tokio::test]
async fn a_proof_travels_on_one_socket_and_the_body_only_with_its_last_leg() {
    let (listener, url) = listen().await;
    let source = source(&url, "LAB\\svc", true);
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        serve_ntlm(&mut socket, "LAB\\svc", 2).await
    };
    let client = async {
        for _ in 0..2 {
            assert!(matches!(probe(&source).await, Setback::MailboxClosed(..)));
        }
    };
    let (seen, ()) = tokio::join!(server, client);
    let told: Vec<(bool, bool)> = seen
        .iter()
        .map(|s| (s.authorization.is_some(), s.body > 0))
        .collect();
    // First leg empty, last leg with the call, second call without any header: the socket is known.
    assert_eq!(told, [(true, false), (true, true), (false, true)]);
    assert!(
        seen[0].head.contains("content-length: 0"),
        "{}",
        seen[0].head
    );
}

#[tokio::test]
async fn two_identities_never_share_a_socket() {
    let (listener, url) = listen().await;
    let (one, two) = (
        source(&url, "LAB\\one", true),
        source(&url, "LAB\\two", true),
    );
    let server = async {
        let (mut first, _) = listener.accept().await.unwrap();
        serve_ntlm(&mut first, "LAB\\one", 1).await;
        // The first socket stays open and idle, and is not used by the other identity.
        let (mut second, _) = listener.accept().await.unwrap();
        serve_ntlm(&mut second, "LAB\\two", 1).await;
    };
    let client = async {
        assert!(matches!(probe(&one).await, Setback::MailboxClosed(..)));
        assert!(matches!(probe(&two).await, Setback::MailboxClosed(..)));
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_proxy_that_closes_between_the_legs_is_named() {
    let (listener, url) = listen().await;
    let source = source(&url, "LAB\\svc", true);
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let first = read_request(&mut socket).await.unwrap();
        let token = first.authorization.unwrap();
        let token = STANDARD
            .decode(token.strip_prefix("NTLM ").unwrap())
            .unwrap();
        let names = Names {
            domain: "LAB".into(),
            computer: "EX".into(),
        };
        let one = Acceptor::begin(&token, &names, [7; 8], FileTime(1)).unwrap();
        let headers = format!(
            "WWW-Authenticate: NTLM {}\r\nConnection: close\r\n",
            STANDARD.encode(one.challenge())
        );
        socket
            .write_all(&reply("401 Unauthorized", &headers, ""))
            .await
            .unwrap();
    };
    let ((), refused) = tokio::join!(server, probe(&source));
    assert!(matches!(
        refused,
        Setback::SideClosed(StopCause::SourceCredentials, _)
    ));
    let Some(SourceTrouble::SignIn(trouble)) = source.trouble() else {
        panic!("{:?}", source.trouble());
    };
    assert_eq!(trouble.causes, [Cause::NotKept]);
}

#[tokio::test]
async fn a_wrong_password_and_a_method_switched_off_are_told_apart() {
    let (listener, url) = listen().await;
    let wrong = source(&url, "LAB\\svc", true);
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        serve_ntlm(&mut socket, "LAB\\somebody", 1).await;
    };
    let ((), _) = tokio::join!(server, probe(&wrong));
    let Some(SourceTrouble::SignIn(trouble)) = wrong.trouble() else {
        panic!("{:?}", wrong.trouble());
    };
    assert_eq!(trouble.causes[0], Cause::Password);
    for (headers, ntlm, want) in [
        (
            "WWW-Authenticate: Basic realm=\"x\"\r\n",
            true,
            "NotOffered(Ntlm)",
        ),
        (
            "WWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n",
            false,
            "NotOffered(Basic)",
        ),
        ("", false, "NothingOffered"),
        ("", true, "NothingOffered"),
    ] {
        let source = source(&url, "LAB\\svc", ntlm);
        let answer = reply("401 Unauthorized", headers, "");
        let (_, refused) = tokio::join!(answer_once(&listener, &answer), probe(&source));
        assert!(matches!(
            refused,
            Setback::SideClosed(StopCause::SourceCredentials, _)
        ));
        let Some(SourceTrouble::SignIn(trouble)) = source.trouble() else {
            panic!("{:?}", source.trouble());
        };
        assert_eq!(format!("{:?}", trouble.causes[0]), want);
        let shown = trouble.to_string() + &trouble.causes[0].remedy(&trouble.offered);
        assert!(
            !shown.contains(PASSWORD) && !shown.contains("svc"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn redirects_and_pages_are_named_and_nothing_goes_where_they_point() {
    let (listener, url) = listen().await;
    let (elsewhere, other) = listen().await;
    let to = |place: &str| reply("302 Found", &format!("Location: {place}\r\n"), "");
    let form =
        "<html><form action=\"https://sts.example/\"><input type=\"password\"></form></html>";
    let html = "Content-Type: text/html\r\n";
    let cases = [
        (to(other.expose()), "To"),
        (to(&url.expose().replace("http://", "https://")), "ToTls"),
        (to("/owa/auth/logon.aspx?url=x&token=hunter2"), "ToLogin"),
        (reply("302 Found", "", ""), "Nowhere"),
        (reply("200 OK", html, form), "LoginPage"),
        (
            reply("200 OK", html, "<!DOCTYPE html><html>It works</html>"),
            "Page",
        ),
        (reply("404 Not Found", html, "<html></html>"), "NotFound"),
    ];
    for (answer, want) in cases {
        let source = source(&url, "LAB\\svc", false);
        let (_, refused) = tokio::join!(answer_once(&listener, &answer), probe(&source));
        assert!(
            matches!(
                refused,
                Setback::SideClosed(StopCause::WrongSourceAddress, _)
            ),
            "{want}: {refused}"
        );
        let Some(SourceTrouble::Elsewhere(found)) = source.trouble() else {
            panic!("{want}: {:?}", source.trouble());
        };
        assert!(format!("{found:?}").starts_with(want), "{want}: {found:?}");
        assert!(!format!("{found}{}", found.remedy()).contains("hunter2"));
    }
    let error_page = source(&url, "LAB\\svc", false);
    let answer = to("/ews/genericerrorpage.htm?x");
    let (_, refused) = tokio::join!(answer_once(&listener, &answer), probe(&error_page));
    assert!(matches!(refused, Setback::Unwell(_)), "{refused}");
    assert_eq!(
        error_page.trouble(),
        Some(SourceTrouble::Elsewhere(Elsewhere::ToErrorPage))
    );
    let visit = tokio::time::timeout(Span::new(50).to_std(), elsewhere.accept()).await;
    assert!(visit.is_err(), "somebody followed a redirect");
}

#[tokio::test]
async fn endless_headers_odd_types_and_silence_end_with_a_name() {
    let (listener, url) = listen().await;
    let mut endless = b"HTTP/1.1 200 OK\r\nX-Filler: ".to_vec();
    endless.resize(600_000, b'a');
    let mut many = b"HTTP/1.1 200 OK\r\n".to_vec();
    for n in 0..2_000 {
        many.extend(format!("X-{n}: y\r\n").into_bytes());
    }
    many.extend(b"Content-Length: 0\r\n\r\n");
    for (answer, want) in [
        (endless, MisreadCause::TooLarge),
        (many, MisreadCause::TooLarge),
        (
            b"220 mail ready ESMTP\r\n".to_vec(),
            MisreadCause::Malformed,
        ),
    ] {
        let source = source(&url, "LAB\\svc", false);
        let (_, refused) = tokio::join!(answer_once(&listener, &answer), probe(&source));
        assert!(
            matches!(refused, Setback::Misread(why, _) if why == want),
            "{want:?}: {refused}"
        );
    }
    let json = reply(
        "200 OK",
        "Content-Type: application/json\r\n",
        "{\"error\":1}",
    );
    let odd = source(&url, "LAB\\svc", false);
    let (_, refused) = tokio::join!(answer_once(&listener, &json), probe(&odd));
    assert!(matches!(refused, Setback::Misread(..)), "{refused}");
    let kind = Elsewhere::Type("application/json".to_owned());
    assert_eq!(odd.trouble(), Some(SourceTrouble::Elsewhere(kind)));
    // A byte now and then, and never an end.
    let slow = patient(&url, "LAB\\svc", false, Span::new(300));
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await.unwrap();
        for byte in b"HTTP/1.1 200 OK\r\nContent-Le" {
            socket.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        // Kept open until the client gives up.
        let _ = socket.read(&mut [0; 1]).await;
    };
    let ((), refused) = tokio::join!(server, probe(&slow));
    assert_eq!(refused, Setback::Lost(DoubtCause::TimedOut));
}

/// A server behind a certificate of its own, on this port.
async fn tls_server(port: u16, identity: Identity) -> (u16, tokio::task::JoinHandle<()>) {
    let door = Door::open(port).await.unwrap().with(Some(identity));
    let port = door.port().unwrap();
    let answer = || async { axum::http::StatusCode::UNAUTHORIZED };
    let router = axum::Router::new().fallback(answer);
    #[expect(
        clippy::disallowed_methods,
        reason = "the test's server dies with its runtime"
    )]
    let task = tokio::spawn(async move {
        let _ = axum::serve(door, router).await;
    });
    (port, task)
}

#[tokio::test]
async fn a_certificate_that_changes_in_mid_run_is_noticed_and_nothing_is_sent_to_it() {
    let (first, second) = (Identity::make().unwrap(), Identity::make().unwrap());
    let reach = Reach {
        trust: Trust {
            pin: Some(fingerprint(&first.certificate)),
            ..Trust::default()
        },
        ..Reach::default()
    };
    let (port, task) = tls_server(0, first.clone()).await;
    let url = SafeUrl::new(format!("https://127.0.0.1:{port}/EWS/Exchange.asmx"));
    let clock: Arc<dyn Clock> = Arc::new(HandClock::default());
    let sign_in = SignIn::Basic {
        user: "LAB\\svc".to_owned(),
        pass: Secret::new(PASSWORD),
    };
    let options = HttpOptions::with_connections(1).by(reach);
    let source = ExchangeSource::connect(options, url, sign_in, &clock).unwrap();
    assert!(matches!(probe(&source).await, Setback::SideClosed(..)));
    let facts = source.tls().unwrap();
    assert_eq!(facts.certificate, first.certificate);
    assert!(facts.version.is_some() && facts.suite.is_some());
    task.abort();
    let _ = task.await;
    // The old connection died with its server; the next one meets the new certificate.
    let (_, _task) = tls_server(port, second.clone()).await;
    let mut last = probe(&source).await;
    for _ in 0..3 {
        if last == Setback::Unreached(UnreachedCause::Tls) {
            break;
        }
        last = probe(&source).await;
    }
    assert_eq!(last, Setback::Unreached(UnreachedCause::Tls));
    let shown = fingerprint(&second.certificate);
    let want = ConnectTrouble::NotPinned { shown };
    assert_eq!(source.trouble(), Some(SourceTrouble::Connect(want)));
}
