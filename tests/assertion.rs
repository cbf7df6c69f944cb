//! The lab's judgement of a client assertion, sentence by sentence: who is refused, and by which number (reference/graph.md 7.2).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use mailferry::base::quantity::Span;
use mailferry::lab::direct::{SharedWorld, lock};
use mailferry::lab::server::{LabConfig, LabSignIn, RunningLab, start_with};
use mailferry::lab::world::World;
use mailferry::port::clock::Clock;
use mailferry::transport::{Auth, Call, CallBody, Http, HttpOptions, Identity, Method};
use mailferry::wire::graph::assertion::{Claims, LIFE, signed};

use crate::loopback::{HandClock, quiet, user};

/// A lab whose application has a certificate, and somebody who holds its key.
struct Tenant {
    lab: RunningLab,
    own: Identity,
    clock: Arc<HandClock>,
    _dir: tempfile::TempDir,
}

fn identity(name: &str) -> Identity {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/certificates");
    Identity::read(&std::fs::read(dir.join(name)).unwrap(), None).unwrap()
}

impl Tenant {
    async fn open() -> Self {
        let mut world = World::new(quiet());
        world.add_source_mailbox(&user());
        world.add_target_mailbox(&user(), &BTreeMap::new());
        world.pair(&user(), &user());
        let world: SharedWorld = Arc::new(Mutex::new(world));
        let dir = tempfile::tempdir().unwrap();
        let config = LabConfig {
            dir: dir.path().join("lab"),
            ews_port: 0,
            graph_port: 0,
            latency: Span::ZERO,
            record: None,
            tls: false,
        };
        let own = identity("app.pem");
        let sign_in = LabSignIn {
            certificate: Some(own.certificate().to_vec()),
            ..LabSignIn::default()
        };
        let clock = HandClock::patient();
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let lab = start_with(config, sign_in, world, shared).await.unwrap();
        Self {
            lab,
            own,
            clock,
            _dir: dir,
        }
    }

    fn endpoint(&self) -> String {
        let info = &self.lab.info;
        format!("{}/{}/oauth2/v2.0/token", info.login_url, info.tenant_id)
    }

    /// Good claims with this random id.
    fn claims(&self, id: u8) -> Claims {
        let app = &self.lab.info.client_id;
        Claims::new(&self.endpoint(), app, [id; 16], self.clock.moment())
    }

    fn sign(&self, claims: &Claims) -> String {
        let unsigned = claims.unsigned(self.own.certificate());
        let signature = self.own.sign_ps256(unsigned.as_bytes()).unwrap();
        signed(&unsigned, &signature)
    }

    /// Asks for a token: `None` for one given, else the number of the refusal.
    async fn refusal(&self, assertion: &str) -> Option<u64> {
        let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let scope = format!("{}/.default", self.lab.info.graph_url);
        let scope = scope.replace(':', "%3A").replace('/', "%2F");
        let form = format!(
            "grant_type=client_credentials&client_id={}&scope={scope}&client_assertion_type={kind}&client_assertion={assertion}",
            self.lab.info.client_id
        );
        let url = mailferry::base::secret::SafeUrl::new(self.endpoint());
        let call = Call::new(Method::Post, url)
            .header("content-type", "application/x-www-form-urlencoded")
            .auth(Auth::InUrl)
            .body(CallBody::bytes(form));
        let http = Http::new(HttpOptions::with_connections(1)).unwrap();
        let reply = http.send(call).await.unwrap();
        let status = reply.status();
        let body = reply
            .read_all(mailferry::base::quantity::Bytes::new(100_000))
            .await
            .unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        match status {
            200 => {
                assert!(body["access_token"].is_string());
                None
            }
            401 => body["error_codes"][0].as_u64(),
            other => panic!("{other}: {body}"),
        }
    }

    fn notes(&self) -> Vec<String> {
        let world = lock(&self.lab.world);
        world.invalid_log().map(|entry| entry.why.clone()).collect()
    }
}

/// Changes one thing about good claims.
type Spoil = fn(&mut Claims);

#[tokio::test]
async fn an_assertion_is_taken_once_and_only_as_it_should_be() {
    let tenant = Tenant::open().await;
    let good = tenant.sign(&tenant.claims(0));
    assert_eq!(tenant.refusal(&good).await, None);
    assert_eq!(tenant.notes(), Vec::<String>::new());
    // The same id again, be it the same assertion or one made anew.
    assert_eq!(tenant.refusal(&good).await, Some(700_027));
    let twin = tenant.sign(&tenant.claims(0));
    assert_eq!(tenant.refusal(&twin).await, Some(700_027));
    let said = tenant.notes();
    assert_eq!(said.len(), 2);
    assert!(
        said.iter()
            .all(|why| why.contains("the id was used before"))
    );
    let spoilt: [(u64, Spoil); 9] = [
        (700_023, |claims| claims.aud.push('/')),
        (700_023, |claims| {
            claims.aud = claims.aud.replace("/token", "/authorize");
        }),
        (700_023, |claims| {
            claims.aud = "https://login.microsoftonline.com/common".to_owned();
        }),
        (700_021, |claims| claims.iss.push('0')),
        (700_021, |claims| claims.sub.push('0')),
        // Past its end by more than clocks may differ, not begun yet by more, and a span that is none.
        (700_024, |claims| {
            claims.nbf -= LIFE + 301;
            claims.exp -= LIFE + 301;
        }),
        (700_024, |claims| claims.nbf += 301),
        (700_024, |claims| claims.exp = claims.nbf),
        (700_027, |claims| claims.jti.clear()),
    ];
    for (index, (number, spoil)) in spoilt.into_iter().enumerate() {
        let mut claims = tenant.claims(u8::try_from(index + 1).unwrap());
        spoil(&mut claims);
        let refusal = tenant.refusal(&tenant.sign(&claims)).await;
        assert_eq!(refusal, Some(number), "case {index}");
    }
    // Within what clocks may differ it is taken.
    let mut early = tenant.claims(100);
    early.nbf += 299;
    assert_eq!(tenant.refusal(&tenant.sign(&early)).await, None);
}

#[tokio::test]
async fn an_assertion_that_lay_about_too_long_is_refused() {
    let tenant = Tenant::open().await;
    let kept = tenant.sign(&tenant.claims(1));
    let late = tenant.sign(&tenant.claims(2));
    let life = Span::from_secs(u64::try_from(LIFE).unwrap());
    tenant.clock.advance(life + Span::from_secs(299));
    assert_eq!(tenant.refusal(&kept).await, None);
    tenant.clock.advance(Span::from_secs(1));
    assert_eq!(tenant.refusal(&late).await, Some(700_024));
}

#[tokio::test]
async fn an_assertion_of_another_key_or_with_a_changed_word_is_refused() {
    let tenant = Tenant::open().await;
    let claims = tenant.claims(1);
    let other = identity("other.pem");
    // Another certificate; ours in the header with another's signature; a signature of other claims.
    let unsigned = claims.unsigned(other.certificate());
    let foreign = signed(&unsigned, &other.sign_ps256(unsigned.as_bytes()).unwrap());
    let unsigned = claims.unsigned(tenant.own.certificate());
    let borrowed = signed(&unsigned, &other.sign_ps256(unsigned.as_bytes()).unwrap());
    let mine = tenant.own.sign_ps256(unsigned.as_bytes()).unwrap();
    let changed = tenant.claims(2).unsigned(tenant.own.certificate());
    for assertion in [foreign, borrowed, signed(&changed, &mine)] {
        assert_eq!(tenant.refusal(&assertion).await, Some(700_027));
    }
    assert_eq!(tenant.refusal(&signed(&unsigned, &mine)).await, None);
}
