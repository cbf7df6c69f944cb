//! From a host to an open line: name, connection, tunnel through a proxy, TLS. Addresses of both families race, the second a moment later.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::{Host, Url};

use crate::base::limits;
use crate::base::quantity::Span;
use crate::transport::client::TransportError;
use crate::transport::deadline::Deadline;
#[cfg(feature = "legacy-tls")]
use crate::transport::legacy::Legacy;
use crate::transport::reach::{Backend, Proxy, Reach, has_legacy_tls};
use crate::transport::tls::{Modern, TlsFacts};
use crate::transport::trouble::ConnectTrouble;

/// A line that bytes travel on.
pub(super) trait Line: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Line for T {}

/// Makes lines.
pub(super) struct Dialer {
    reach: Reach,
    modern: Modern,
    #[cfg(feature = "legacy-tls")]
    legacy: Legacy,
    timeout: Span,
    /// True once the modern backend shared no suite with this destination and the legacy one took over.
    fell_back: AtomicBool,
}

impl Dialer {
    pub(super) const fn reach(&self) -> &Reach {
        &self.reach
    }
}

/// The server's half of an open line.
pub(super) struct Open {
    pub(super) line: Box<dyn Line>,
    pub(super) facts: Option<Arc<TlsFacts>>,
}

impl Dialer {
    pub(super) fn new(reach: Reach, timeout: Span) -> Result<Self, TransportError> {
        Ok(Self {
            modern: Modern::new(&reach.trust).map_err(|_| TransportError::Setup)?,
            #[cfg(feature = "legacy-tls")]
            legacy: Legacy::new(&reach.trust).map_err(|_| TransportError::Setup)?,
            reach,
            timeout,
            fell_back: AtomicBool::new(false),
        })
    }

    /// Opens a line to the host of `url`.
    pub(super) async fn dial(&self, url: &Url) -> Result<Open, ConnectTrouble> {
        let mut deadline = Deadline::after(self.timeout);
        if url.scheme() != "https" {
            let stream = self.reached(url, &mut deadline).await?;
            return Ok(Open {
                line: Box::new(stream),
                facts: None,
            });
        }
        match self.reach.trust.backend {
            Backend::Legacy => return self.legacy_tls(url, &mut deadline).await,
            Backend::Auto if self.fell_back.load(Relaxed) => {
                return self.legacy_tls(url, &mut deadline).await;
            }
            Backend::Auto | Backend::Modern => {}
        }
        let stream = self.reached(url, &mut deadline).await?;
        let host = host_text(url);
        let shaken = deadline.guard(self.modern.connect(&host, stream)).await;
        match shaken.unwrap_or(Err(ConnectTrouble::SilentInHandshake)) {
            Ok((line, facts)) => Ok(Open {
                line: Box::new(line),
                facts: Some(Arc::new(facts)),
            }),
            Err(ConnectTrouble::NoSharedSuite | ConnectTrouble::ClosedInHandshake)
                if has_legacy_tls() && self.reach.trust.backend == Backend::Auto =>
            {
                let open = self.legacy_tls(url, &mut deadline).await?;
                self.fell_back.store(true, Relaxed);
                Ok(open)
            }
            Err(trouble) => Err(trouble),
        }
    }

    #[cfg(feature = "legacy-tls")]
    async fn legacy_tls(&self, url: &Url, deadline: &mut Deadline) -> Result<Open, ConnectTrouble> {
        let stream = self.reached(url, deadline).await?;
        let host = host_text(url);
        let shaken = deadline.guard(self.legacy.connect(&host, stream)).await;
        let (line, facts) = shaken.unwrap_or(Err(ConnectTrouble::SilentInHandshake))?;
        Ok(Open {
            line: Box::new(line),
            facts: Some(Arc::new(facts)),
        })
    }

    #[cfg(not(feature = "legacy-tls"))]
    #[expect(
        clippy::unused_async,
        reason = "the same call as where the backend is built in"
    )]
    async fn legacy_tls(&self, _: &Url, _: &mut Deadline) -> Result<Open, ConnectTrouble> {
        debug_assert!(!has_legacy_tls() && self.reach.trust.backend != Backend::Modern);
        Err(ConnectTrouble::NoLegacyTls)
    }

    /// A connection to the host of `url`, through the proxy where there is one and the traffic is encrypted.
    async fn reached(
        &self,
        url: &Url,
        deadline: &mut Deadline,
    ) -> Result<TcpStream, ConnectTrouble> {
        let port = url.port_or_known_default().unwrap_or(443);
        let proxy = (self.reach.proxy.as_ref()).filter(|_| url.scheme() == "https");
        let work = async {
            match proxy {
                None => self.connect(&host_text(url), port, false).await,
                Some(proxy) => {
                    let mut stream = self.connect(&proxy.host, proxy.port, true).await?;
                    tunnel(&mut stream, proxy, url, port).await?;
                    Ok(stream)
                }
            }
        };
        let done = deadline.guard(work).await;
        done.unwrap_or(Err(ConnectTrouble::NoAnswer {
            proxy: proxy.is_some(),
            silent: true,
        }))
    }

    async fn connect(
        &self,
        host: &str,
        port: u16,
        proxy: bool,
    ) -> Result<TcpStream, ConnectTrouble> {
        let addresses = self.addresses(host, port).await;
        if addresses.is_empty() {
            return Err(ConnectTrouble::Name { proxy });
        }
        let stream = race(addresses).await;
        let stream = stream.map_err(|error| ConnectTrouble::NoAnswer {
            proxy,
            silent: error.kind() == io::ErrorKind::TimedOut,
        })?;
        let _ = stream.set_nodelay(true);
        let alive = TcpKeepalive::new().with_time(limits::TCP_KEEPALIVE.to_std());
        let _ = SockRef::from(&stream).set_tcp_keepalive(&alive);
        Ok(stream)
    }

    /// The plan's address for a name, or the system's. `localhost` never leaves this machine.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> VecDeque<SocketAddr> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return [SocketAddr::new(ip, port)].into();
        }
        let small = host.to_ascii_lowercase();
        let own = self.reach.resolve.iter().filter(|(name, _)| *name == small);
        let own: VecDeque<SocketAddr> = own.map(|(_, ip)| SocketAddr::new(*ip, port)).collect();
        if !own.is_empty() {
            return own;
        }
        let Ok(found) = tokio::net::lookup_host((host, port)).await else {
            return VecDeque::new();
        };
        found
            .filter(|addr| small != "localhost" || addr.ip().is_loopback())
            .collect()
    }
}

/// Connects to the first address that answers. The next one begins when one fails, or a moment after the one before (RFC 8305).
async fn race(mut addresses: VecDeque<SocketAddr>) -> io::Result<TcpStream> {
    let mut running = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    loop {
        if let Some(address) = addresses.pop_front() {
            running.push(TcpStream::connect(address));
        }
        let mut moment = Deadline::after(limits::CONNECT_STAGGER);
        let patience = !addresses.is_empty();
        let done = if patience {
            moment.guard(running.next()).await
        } else {
            Ok(running.next().await)
        };
        match done {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => last = error,
            Ok(None) if addresses.is_empty() => return Err(last),
            Ok(None) | Err(_) => {}
        }
    }
}

/// The host of a URL, without brackets.
pub(super) fn host_text(url: &Url) -> String {
    match url.host() {
        Some(Host::Ipv6(ip)) => ip.to_string(),
        Some(Host::Ipv4(ip)) => ip.to_string(),
        Some(Host::Domain(name)) => name.to_owned(),
        None => String::new(),
    }
}

/// The largest head of a proxy's answer.
const TUNNEL_HEAD_MAX: usize = 16_384;

/// Has the proxy open a tunnel (RFC 9110 section 9.3.6).
async fn tunnel(
    stream: &mut TcpStream,
    proxy: &Proxy,
    url: &Url,
    port: u16,
) -> Result<(), ConnectTrouble> {
    use base64::Engine as _;
    let host = url.host_str().unwrap_or_default();
    let mut ask = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some((user, pass)) = &proxy.login {
        let pair = zeroize::Zeroizing::new(format!("{user}:{}", pass.expose()));
        let text = base64::engine::general_purpose::STANDARD.encode(pair.as_bytes());
        ask.push_str("Proxy-Authorization: Basic ");
        ask.push_str(&text);
        ask.push_str("\r\n");
    }
    ask.push_str("\r\n");
    let ask = zeroize::Zeroizing::new(ask);
    let broken = |_| ConnectTrouble::NoProxy;
    stream.write_all(ask.as_bytes()).await.map_err(broken)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= TUNNEL_HEAD_MAX {
            return Err(ConnectTrouble::NoProxy);
        }
        // One byte at a time: what follows the head is not ours to take.
        head.push(stream.read_u8().await.map_err(broken)?);
    }
    answer_of_proxy(&head)
}

/// What a proxy's head says.
fn answer_of_proxy(head: &[u8]) -> Result<(), ConnectTrouble> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| {
        let (version, rest) = line.split_once(' ')?;
        let status = rest.get(..3)?.parse::<u16>().ok()?;
        version.starts_with("HTTP/1.").then_some(status)
    });
    match status {
        None => Err(ConnectTrouble::NoProxy),
        Some(200..=299) => Ok(()),
        Some(status) => {
            let asks = lines.filter_map(|line| {
                let (name, value) = line.split_once(':')?;
                let scheme = value.trim().split(' ').next()?;
                let known = name.eq_ignore_ascii_case("proxy-authenticate");
                let word = scheme
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-');
                (known && word && scheme.len() <= 20).then(|| scheme.to_owned())
            });
            Err(ConnectTrouble::ProxyRefused {
                status,
                offered: asks.take(5).collect(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_opens_refuses_or_is_none() {
        assert_eq!(
            answer_of_proxy(b"HTTP/1.1 200 Connection established\r\n\r\n"),
            Ok(())
        );
        let head = b"HTTP/1.0 407 x\r\nProxy-Authenticate: NTLM\r\nproxy-authenticate: Basic realm=\"a\"\r\n\r\n";
        assert_eq!(
            answer_of_proxy(head),
            Err(ConnectTrouble::ProxyRefused {
                status: 407,
                offered: vec!["NTLM".to_owned(), "Basic".to_owned()],
            })
        );
        for odd in [
            &b"\r\n\r\n"[..],
            b"HTTP/2 200\r\n\r\n",
            b"220 smtp ready\r\n\r\n",
            b"HTTP/1.1 \xff\xff\xff\r\n\r\n",
        ] {
            assert_eq!(answer_of_proxy(odd), Err(ConnectTrouble::NoProxy));
        }
    }
}
