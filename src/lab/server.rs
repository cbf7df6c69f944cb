//! The lab as a server: both faces on loopback, its papers in a directory, and an orderly end.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::direct::{SharedWorld, lock};
use super::ews_http::{self, EwsOptions};
use super::ews_sign_in::SignInRules;
use super::face::{Door, Face, Scissors};
use super::graph_http::{self, LabApp};
use super::papers::{self, LabAccount, LabInfo};
use super::record::{FaceName, Recorder, record};
use super::tls::{Authority, Flaw, Identity};
use super::world::World;
use super::wrong::Wrong;
use crate::base::quantity::Span;
use crate::base::secret::Secret;
use crate::port::clock::Clock;

/// Where a lab lives.
#[derive(Clone, Debug)]
pub struct LabConfig {
    /// For its papers.
    pub dir: PathBuf,
    /// Port of the EWS face; 0 takes a free one.
    pub ews_port: u16,
    /// Port of the Graph face; 0 takes a free one.
    pub graph_port: u16,
    /// How long each call takes.
    pub latency: Span,
    /// Where every request and reply is recorded.
    pub record: Option<PathBuf>,
    /// Both faces speak TLS, with a certificate of an authority made for this lab.
    pub tls: bool,
}

/// Why a lab does not start.
#[derive(Debug, Error)]
pub enum LabError {
    /// The directory, or a file in it, cannot be written.
    #[error("the lab's directory cannot be written: {0}")]
    Directory(#[source] std::io::Error),
    /// The port is taken, or loopback is not there.
    #[error("port {0} on 127.0.0.1 cannot be opened: {1}")]
    Port(u16, #[source] std::io::Error),
    /// No certificate could be made.
    #[error("no certificate can be made: {0}")]
    Certificate(#[source] std::io::Error),
}

/// A lab that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct RunningLab {
    /// What lab.json says.
    pub info: LabInfo,
    /// Its world.
    pub world: SharedWorld,
    end: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    clock: Arc<dyn Clock>,
}

/// How long calls in flight may take to end.
const GRACE: Span = Span::from_secs(2);

impl RunningLab {
    /// Ends the lab: no new calls; those in flight have a moment.
    pub async fn stop(mut self) {
        let _ = self.end.send(true);
        let tasks = std::mem::take(&mut self.tasks);
        let deadline = self.clock.tick() + GRACE;
        for mut task in tasks {
            tokio::select! {
                _ = &mut task => {}
                () = self.clock.sleep_until(deadline) => task.abort(),
            }
        }
    }
}

impl Drop for RunningLab {
    fn drop(&mut self) {
        let _ = self.end.send(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// How people and applications sign in to a lab.
#[derive(Clone, Debug, Default)]
pub struct LabSignIn {
    /// At Exchange.
    pub rules: SignInRules,
    /// The application's certificate, in DER, where one is registered beside its secret.
    pub certificate: Option<Vec<u8>>,
}

/// Starts a lab of this world with the ordinary sign-in. It is ready when this returns, and lab.json is there.
pub async fn start(
    config: LabConfig,
    world: SharedWorld,
    clock: Arc<dyn Clock>,
) -> Result<RunningLab, LabError> {
    start_with(config, LabSignIn::default(), world, clock).await
}

/// Starts a lab of this world. It is ready when this returns, and lab.json is there.
pub async fn start_with(
    config: LabConfig,
    sign_in: LabSignIn,
    world: SharedWorld,
    clock: Arc<dyn Clock>,
) -> Result<RunningLab, LabError> {
    make_dir(&config.dir).map_err(LabError::Directory)?;
    let recorder = config.record.as_deref().map(Recorder::new).transpose();
    let recorder = recorder.map_err(LabError::Directory)?.map(Arc::new);
    let identities_of = config.tls.then(|| certificates(&lock(&world))).transpose();
    let (of_source, identity) = identities_of
        .map_err(LabError::Certificate)?
        .unwrap_or_default();
    // The certificate is signed with SHA-256, so that is its hash as an end point (RFC 5929 section 4.1).
    let end_point = of_source
        .as_ref()
        .map(|own| Sha256::digest(&own.certificate).to_vec());
    let (ews_door, ews_port) = open(config.ews_port, of_source).await?;
    let (graph_door, graph_port) = open(config.graph_port, identity.clone()).await?;
    let (account, mut app) = identities(&lock(&world));
    app.certificate = sign_in.certificate;
    let mut rules = sign_in.rules;
    rules.end_point = end_point;
    let (info, texts) = {
        let mut world = lock(&world);
        let info = LabInfo::of(&world, (ews_port, graph_port), config.tls, &account, &app);
        world.ews_url.clone_from(&info.ews_url);
        let texts = papers::texts(&world, &info, &rules);
        (info, texts)
    };
    let face = Face {
        world: Arc::clone(&world),
        clock: Arc::clone(&clock),
        latency: config.latency,
    };
    let options = EwsOptions {
        user: account.username,
        pass: Secret::new(account.password),
        denied: BTreeSet::new(),
    };
    let ews = ews_http::router_with(face.clone(), options, rules);
    let graph = graph_http::router(face, app, info.graph_url.clone());
    let (end, ended) = watch::channel(false);
    let tasks = vec![
        serve(
            ews_door,
            recorded(ews, recorder.clone(), FaceName::Ews),
            ended.clone(),
        ),
        serve(
            graph_door,
            recorded(graph, recorder, FaceName::Graph),
            ended,
        ),
    ];
    let lab = RunningLab {
        info,
        world,
        end,
        tasks,
        clock,
    };
    let authority = identity
        .as_ref()
        .map(|identity| identity.authority.as_str());
    papers::write(&config.dir, &texts, &lab.info, authority)
        .await
        .map_err(LabError::Directory)?;
    Ok(lab)
}

/// The certificates of the source and of the target; the source's may be wrong in one of the ways there are.
fn certificates(world: &World) -> std::io::Result<(Option<Identity>, Option<Identity>)> {
    let authority = Authority::make()?;
    let source = if world.is_wrong(Wrong::CertificateUnknownIssuer) {
        Authority::make()?.identity(None)?
    } else if world.is_wrong(Wrong::CertificateExpired) {
        authority.identity(Some(Flaw::Expired))?
    } else if world.is_wrong(Wrong::CertificateWrongName) {
        authority.identity(Some(Flaw::WrongName))?
    } else {
        authority.identity(None)?
    };
    Ok((Some(source), Some(authority.identity(None)?)))
}

fn make_dir(dir: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(dir)
}

async fn open(port: u16, identity: Option<Identity>) -> Result<(Door, u16), LabError> {
    let door = Door::open(port).await;
    let door = door.map_err(|error| LabError::Port(port, error))?;
    let door = door.with(identity);
    let own = door.port().map_err(|error| LabError::Port(port, error))?;
    Ok((door, own))
}

fn recorded(router: Router, recorder: Option<Arc<Recorder>>, face: FaceName) -> Router {
    match recorder {
        Some(recorder) => router.layer(from_fn_with_state((recorder, face), record)),
        None => router,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the lab's two servers run beside whoever starts it; RunningLab holds and ends them"
)]
fn serve(door: Door, router: Router, mut ended: watch::Receiver<bool>) -> JoinHandle<()> {
    let service = router.into_make_service_with_connect_info::<Scissors>();
    tokio::spawn(async move {
        let end = async move {
            // An error means that the lab was dropped, which is an end too.
            let _ = ended.wait_for(|end| *end).await;
        };
        // Serving on an open listener gives up only when told to.
        let _ = axum::serve(door, service).with_graceful_shutdown(end).await;
    })
}

/// Account and application of this lab, out of the world's seed: two labs of one seed are the same, and nothing of them is worth hiding.
fn identities(from: &World) -> (LabAccount, LabApp) {
    let mut dice = from.dice.split("identities");
    let mut hex = || format!("{:016x}", dice.next());
    let account = LabAccount {
        username: "LAB\\svc-migrate".to_owned(),
        password: hex(),
    };
    let app = LabApp {
        tenant_id: guid(&hex(), &hex()),
        client_id: guid(&hex(), &hex()),
        client_secret: hex() + &hex(),
        certificate: None,
    };
    (account, app)
}

/// Thirty-two hexadecimal digits in the form of a random GUID.
fn guid(a: &str, b: &str) -> String {
    let (head, tail) = (&a[..8], &b[4..]);
    format!("{head}-{}-4{}-8{}-{tail}", &a[8..12], &a[13..], &b[1..4])
}
