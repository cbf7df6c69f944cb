//! The transport against a server of plain bytes on loopback: what is sent, what is never sent twice, and what each failure is called.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes as Chunk;
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use mailferry::base::outcome::{
    DoubtCause, LocalCause, MisreadCause, Said, Setback, UnreachedCause,
};
use mailferry::base::quantity::{Bytes, Span};
use mailferry::base::secret::{SafeUrl, Secret};
use mailferry::transport::{Auth, Call, CallBody, CallKind, Http, HttpOptions, Method};

fn http() -> Http {
    Http::new(HttpOptions::with_connections(4)).unwrap()
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/path?authtoken=x", listener.local_addr().unwrap());
    (listener, url)
}

/// Reads one request: its head, and as many body bytes as it announces.
async fn read_request(socket: &mut TcpStream) -> (String, Vec<u8>) {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8(seen[..end].to_vec())
                .unwrap()
                .to_lowercase();
            let announced = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |n| n.parse::<usize>().unwrap());
            if seen.len() >= end + 4 + announced {
                return (head, seen[end + 4..].to_vec());
            }
        }
        let n = socket.read(&mut buffer).await.unwrap();
        if n == 0 {
            return (String::from_utf8_lossy(&seen).to_lowercase(), Vec::new());
        }
        seen.extend_from_slice(&buffer[..n]);
    }
}

fn pieces(parts: &'static [&'static [u8]], len: u64) -> CallBody {
    let stream = stream::iter(parts.iter().map(|p| Ok(Chunk::from_static(p)))).boxed();
    CallBody::Stream {
        len: Bytes::new(len),
        stream,
    }
}

fn post(url: &str) -> Call {
    Call::new(Method::Post, SafeUrl::new(url)).kind(CallKind::Create)
}

#[tokio::test]
async fn a_streamed_body_carries_its_exact_length_and_the_credentials() {
    let (listener, url) = listen().await;
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let request = read_request(&mut socket).await;
        socket
            .write_all(b"HTTP/1.1 201 Created\r\nX-Request: 7\r\nContent-Length: 2\r\n\r\nok")
            .await
            .unwrap();
        request
    };
    let call = post(&url)
        .header("content-type", "application/json")
        .auth(Auth::Bearer(Secret::new("tok")))
        .body(pieces(&[b"ab", b"cde"], 5));
    let http = http();
    let ((head, body), reply) = tokio::join!(server, http.send(call));
    let reply = reply.unwrap();
    assert_eq!(reply.status(), 201);
    assert_eq!(reply.header("x-request"), Some("7"));
    assert_eq!(reply.read_all(Bytes::new(2)).await.unwrap(), b"ok");
    assert_eq!(body, b"abcde");
    assert!(
        head.starts_with("post /path?authtoken=x http/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains("\r\ncontent-length: 5"), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert!(head.contains("\r\nauthorization: bearer tok"), "{head}");
    assert!(head.contains("\r\nuser-agent: mailferry/"), "{head}");
}

#[tokio::test]
async fn no_credentials_are_added_to_a_pre_authenticated_url() {
    let (listener, url) = listen().await;
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let request = read_request(&mut socket).await;
        socket
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
        request.0
    };
    let http = http();
    let (head, reply) = tokio::join!(server, http.send(post(&url).auth(Auth::InUrl)));
    assert!(reply.unwrap().is_success());
    assert!(!head.contains("authorization"), "{head}");
    assert!(head.contains("\r\ncontent-length: 0"), "{head}");
}

#[tokio::test]
async fn a_request_whose_answer_never_came_is_never_sent_again() {
    let (listener, url) = listen().await;
    // The first connection answers one request and breaks off on the second; whoever comes again would be a second sending.
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        socket
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
        let (head, body) = read_request(&mut socket).await;
        assert!(head.starts_with("post "), "{head}");
        assert_eq!(body, b"precious");
        drop(socket);
    };
    let http = http();
    let client = async {
        let first = http.send(post(&url)).await.unwrap();
        first.read_all(Bytes::new(0)).await.unwrap();
        http.send(post(&url).body(CallBody::bytes(&b"precious"[..])))
            .await
    };
    let ((), reply) = tokio::join!(server, client);
    assert_eq!(reply.unwrap_err(), Setback::Lost(DoubtCause::Reset));
    let again = tokio::time::timeout(Span::new(50).to_std(), listener.accept()).await;
    assert!(again.is_err(), "the request was sent a second time");
}

#[tokio::test]
async fn redirects_are_handed_back_and_not_followed() {
    let (listener, url) = listen().await;
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_request(&mut socket).await;
        socket
            .write_all(b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
    };
    let http = http();
    let call = Call::new(Method::Get, SafeUrl::new(url));
    let ((), reply) = tokio::join!(server, http.send(call));
    let reply = reply.unwrap();
    assert_eq!(
        (reply.status(), reply.header("location")),
        (302, Some("/login"))
    );
}

#[tokio::test]
async fn a_reply_that_ends_early_is_cut_off_and_one_too_large_is_refused() {
    let (listener, url) = listen().await;
    let server = async {
        for reply in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nninebytes",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nninebytes\r\n0\r\n\r\n",
        ] {
            let (mut socket, _) = listener.accept().await.unwrap();
            read_request(&mut socket).await;
            socket.write_all(reply).await.unwrap();
        }
    };
    let client = async {
        for want in [
            MisreadCause::CutOff,
            MisreadCause::CutOff,
            MisreadCause::TooLarge,
            MisreadCause::TooLarge,
        ] {
            // A client of its own each time, so that every call makes a connection.
            let call = Call::new(Method::Get, SafeUrl::new(url.clone()));
            let reply = http().send(call).await.unwrap();
            let max = if want == MisreadCause::CutOff { 100 } else { 8 };
            assert_eq!(
                reply.read_all(Bytes::new(max)).await,
                Err(Setback::Misread(want, Said::status(200)))
            );
        }
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_silent_server_is_lost_and_an_absent_one_unreached() {
    let (listener, url) = listen().await;
    let options = HttpOptions {
        call_timeout: Span::new(50),
        ..HttpOptions::with_connections(1)
    };
    let patient = Http::new(options).unwrap();
    let ask = |url: &str| Call::new(Method::Get, SafeUrl::new(url));
    let silent = patient.send(ask(&url)).await.unwrap_err();
    assert_eq!(silent, Setback::Lost(DoubtCause::TimedOut));
    drop(listener);
    assert_eq!(
        http().send(ask(&url)).await.unwrap_err(),
        Setback::Unreached(UnreachedCause::Connect)
    );
    assert_eq!(
        http()
            .send(ask("https://nobody.invalid/"))
            .await
            .unwrap_err(),
        Setback::Unreached(UnreachedCause::Name)
    );
    let clear = ask("http://far.example/").auth(Auth::InUrl);
    assert_eq!(
        http().send(clear).await.unwrap_err(),
        Setback::Unreached(UnreachedCause::NotSecure)
    );
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_told_apart() {
    let (listener, url) = listen().await;
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let _ = socket.read(&mut buffer).await;
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    };
    let url = url.replace("http://", "https://");
    let http = http();
    let ((), reply) = tokio::join!(server, http.send(Call::new(Method::Get, SafeUrl::new(url))));
    assert_eq!(reply.unwrap_err(), Setback::Unreached(UnreachedCause::Tls));
}

#[tokio::test]
async fn a_body_that_breaks_off_here_is_our_failure_and_not_a_doubt() {
    let (listener, url) = listen().await;
    let broken = stream::iter([
        Ok(Chunk::from_static(b"ab")),
        Err(Setback::Local(LocalCause::DiskFull)),
    ]);
    let broken = CallBody::Stream {
        len: Bytes::new(5),
        stream: broken.boxed(),
    };
    for (body, want) in [
        (broken, LocalCause::DiskFull),
        (pieces(&[b"abc"], 5), LocalCause::Spool),
        (pieces(&[b"abc", b"def"], 5), LocalCause::Spool),
    ] {
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (_, body) = read_request(&mut socket).await;
            assert!(body.is_empty(), "the request must never become complete");
        };
        let http = http();
        let ((), reply) = tokio::join!(server, http.send(post(&url).body(body)));
        assert_eq!(reply.unwrap_err(), Setback::Local(want));
    }
}

#[tokio::test]
async fn headers_that_cannot_be_sent_are_our_mistake() {
    for (name, value) in [("x y", "v"), ("x-ok", "a\nb")] {
        let call = Call::new(Method::Get, SafeUrl::new("http://127.0.0.1:1/")).header(name, value);
        assert!(matches!(
            http().send(call).await,
            Err(Setback::OurRequest(_))
        ));
    }
}
