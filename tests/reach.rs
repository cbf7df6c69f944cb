//! Sites with ways of their own: IPv6, and a source that wants to see a certificate of ours (reference/ews.md section 2).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mailferry::base::outcome::{Setback, UnreachedCause};
use mailferry::base::quantity::Bytes;
use mailferry::base::secret::SafeUrl;
use mailferry::transport::{
    Backend, Call, ConnectTrouble, Http, HttpOptions, Identity, Method, Reach, Trust,
    has_legacy_tls,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// An authority of a site.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn make() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate for these names, and its key.
    fn sign(&self, names: &[&str], used: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![used];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    /// Our certificate with its key, as a file holds them.
    fn identity(&self) -> Identity {
        let (own, key) = self.sign(&["svc-migrate"], ExtendedKeyUsagePurpose::ClientAuth);
        let pem = format!("{}{}", own.pem(), key.serialize_pem());
        Identity::read(pem.as_bytes(), None).unwrap()
    }

    /// What a server of this authority shows, and whom it lets in: everybody, or those of `clients`.
    fn acceptor(
        &self,
        names: &[&str],
        version: &'static SupportedProtocolVersion,
        clients: Option<&Self>,
    ) -> TlsAcceptor {
        let (own, key) = self.sign(names, ExtendedKeyUsagePurpose::ServerAuth);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap();
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.der()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let config = config.with_single_cert(vec![own.der().clone()], key);
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }
}

/// Answers requests on one line with their Host header until it ends, and counts them.
async fn answer(mut line: impl AsyncRead + AsyncWrite + Unpin, served: &AtomicU32) {
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        while let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&seen[..end]).to_ascii_lowercase();
            let host = head.lines().find_map(|line| line.strip_prefix("host: "));
            let host = host.unwrap_or_default().to_owned();
            seen.drain(..end + 4);
            served.fetch_add(1, Ordering::SeqCst);
            let reply = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{host}",
                host.len()
            );
            if line.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
        }
        match line.read(&mut buffer).await {
            Ok(n) if n > 0 => seen.extend_from_slice(&buffer[..n]),
            _ => return,
        }
    }
}

/// Serves on an address; gives the port, and how many requests were read.
#[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
async fn serve(
    ip: IpAddr,
    acceptor: Option<TlsAcceptor>,
) -> std::io::Result<(u16, Arc<AtomicU32>)> {
    let listener = TcpListener::bind((ip, 0)).await?;
    let port = listener.local_addr()?.port();
    let served: Arc<AtomicU32> = Arc::default();
    let count = Arc::clone(&served);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                match acceptor {
                    None => answer(stream, &count).await,
                    Some(acceptor) => {
                        if let Ok(line) = acceptor.accept(stream).await {
                            answer(line, &count).await;
                        }
                    }
                }
            });
        }
    });
    Ok((port, served))
}

fn client(trust: Trust, resolve: &[(&str, IpAddr)]) -> Http {
    let resolve = resolve.iter().map(|(name, ip)| ((*name).to_owned(), *ip));
    let reach = Reach {
        trust,
        proxy: None,
        resolve: resolve.collect(),
    };
    Http::new(HttpOptions::with_connections(1).by(reach)).unwrap()
}

async fn get(http: &Http, url: String) -> Result<String, Setback> {
    let reply = http.send(Call::new(Method::Get, SafeUrl::new(url))).await?;
    assert_eq!(reply.status(), 200);
    let body = reply.read_all(Bytes::new(1_000)).await?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// The backends this build has.
fn backends() -> Vec<Backend> {
    let legacy = has_legacy_tls().then_some(Backend::Legacy);
    [Backend::Modern].into_iter().chain(legacy).collect()
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
async fn a_server_is_reached_over_ipv6_by_address_and_by_name() {
    let here = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let Ok((port, _)) = serve(here, None).await else {
        eprintln!("skipped: this machine has no IPv6");
        return;
    };
    let http = client(Trust::default(), &[]);
    let host = format!("[::1]:{port}");
    assert_eq!(get(&http, format!("http://{host}/")).await.unwrap(), host);
    let authority = Authority::make();
    let name = "mail.clinic.example";
    let acceptor = authority.acceptor(&["::1", name], &rustls::version::TLS13, None);
    let (port, served) = serve(here, Some(acceptor)).await.unwrap();
    for backend in backends() {
        let trust = Trust {
            roots: vec![authority.der().to_vec()],
            backend,
            ..Trust::default()
        };
        // Nobody listens on the IPv4 address: the other family is tried.
        let dead = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let http = client(trust, &[(name, dead), (name, here)]);
        for host in [format!("[::1]:{port}"), format!("{name}:{port}")] {
            let said = get(&http, format!("https://{host}/")).await;
            assert_eq!(said, Ok(host), "{backend:?}");
        }
    }
    assert_eq!(served.load(Ordering::SeqCst) as usize, 2 * backends().len());
}

#[tokio::test]
async fn a_server_that_demands_a_certificate_gets_ours_and_refuses_none_and_a_strangers() {
    let (site, stranger) = (Authority::make(), Authority::make());
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let acceptor = site.acceptor(&["127.0.0.1"], version, Some(&site));
        let (port, served) = serve(here, Some(acceptor)).await.unwrap();
        let url = format!("https://127.0.0.1:{port}/EWS/Exchange.asmx");
        for backend in backends() {
            let with = |identity| {
                let trust = Trust {
                    roots: vec![site.der().to_vec()],
                    identity,
                    backend,
                    ..Trust::default()
                };
                client(trust, &[])
            };
            let before = served.load(Ordering::SeqCst);
            for identity in [None, Some(stranger.identity())] {
                let http = with(identity);
                let said = get(&http, url.clone()).await;
                let what = format!("{version:?} {backend:?}");
                assert_eq!(said, Err(Setback::Unreached(UnreachedCause::Tls)), "{what}");
                let trouble = http.trouble();
                assert_eq!(trouble, Some(ConnectTrouble::WantsOurCertificate), "{what}");
            }
            assert_eq!(served.load(Ordering::SeqCst), before);
            let said = get(&with(Some(site.identity())), url.clone()).await;
            assert_eq!(
                said,
                Ok(format!("127.0.0.1:{port}")),
                "{version:?} {backend:?}"
            );
            assert_eq!(served.load(Ordering::SeqCst), before + 1);
        }
    }
}
