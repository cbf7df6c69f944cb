//! `mailferry lab`: an Exchange 2016 and a Microsoft 365 on loopback, in the foreground.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::base::quantity::{Bytes, Count, Span};
use crate::cli::args::{LabArgs, LabAuth, LabLimits, LabProtection, LabWeather, WorldArgs};
use crate::cli::commands::inventory;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::signals::Signals;
use crate::cli::ui::Ui;
use crate::cli::wiring;
use crate::lab::direct::{SharedWorld, lock};
use crate::lab::eml;
use crate::lab::ews_sign_in::SignInRules;
use crate::lab::fault::Weather;
use crate::lab::populate::{Population, fill};
use crate::lab::populate_inventory::{self, Model};
use crate::lab::server::{LabConfig, LabError, LabSignIn, RunningLab, start_with};
use crate::lab::world::{Limits, World, WorldOptions};
use crate::port::clock::Clock;
use crate::transport::certificates;
use crate::wire::ntlm::Protection;

/// Mailboxes where nobody says how many.
const MAILBOXES: u32 = 12;

/// Items a mailbox must have for all disguises to find room in its Inbox.
const INFECTED_ITEMS_MIN: u64 = 80;

/// The file that says a lab is ready.
pub const READY_FILE: &str = "lab.json";

/// The lab's secrets.
const SECRETS_FILE: &str = "secrets.env";

/// Runs the command.
pub fn run(args: &LabArgs, ui: Ui) -> Result<Exit, CommandError> {
    let models = if args.inventory.is_empty() {
        Vec::new()
    } else {
        populate_inventory::of_inventory(&inventory::read(&args.inventory)?)
    };
    let world = build(&args.world, &models, ui)?;
    if args.leads {
        seed(&world)?;
    }
    lock(&world).misconfigure(&args.misconfigured);
    let config = LabConfig {
        dir: args.dir.clone(),
        ews_port: args.ews_port,
        graph_port: args.graph_port,
        latency: Span::new(args.world.latency),
        record: args.world.record.clone(),
        tls: args.tls,
    };
    let sign_in = sign_in(args)?;
    let runtime = wiring::runtime()?;
    runtime.block_on(async {
        let lab = open_with(config, sign_in, world, wiring::clock()).await?;
        if ui.json {
            let info = serde_json::to_string(&lab.info).map_err(|error| {
                CommandError::new(Exit::Internal, format!("lab.json: {error}"))
            })?;
            ui.data(&info);
        } else {
            let trust = lab.info.ca.as_ref().map_or_else(String::new, |ca| {
                format!("SSL_CERT_FILE={} ", args.dir.join(ca).display())
            });
            ui.say(&format!(
                "the lab is open: Exchange at {}, Microsoft 365 at {}\nnext: {trust}mailferry run {}    (Ctrl-C ends the lab)",
                lab.info.ews_url,
                lab.info.graph_url,
                args.dir.join(&lab.info.plan).display()
            ));
        }
        Signals::listen().next().await;
        ui.say("the lab closes");
        lab.stop().await;
        if !args.keep {
            // A password that opens nothing any more, and a file that says ready.
            for name in [READY_FILE, SECRETS_FILE] {
                let _ = std::fs::remove_file(args.dir.join(name));
            }
        }
        Ok(Exit::Done)
    })
}

/// Puts leads into the first mailbox.
fn seed(world: &SharedWorld) -> Result<(), CommandError> {
    let mut world = lock(world);
    let first = world.pairs().first().map(|(source, _)| source.clone());
    let Some(first) = first else {
        return Ok(());
    };
    world.seed_leads(first.reveal()).map_err(|refused| {
        let message = format!("the lab's own world refused the leads ({refused:?})");
        CommandError::new(Exit::Internal, message)
    })
}

/// Makes the world the flags ask for, with mailboxes in this shape where there are any.
pub fn build(args: &WorldArgs, models: &[Model], ui: Ui) -> Result<SharedWorld, CommandError> {
    let mut mail = Vec::new();
    for dir in &args.eml {
        let mut read = eml::read_tree(dir).map_err(|error| CommandError::file(dir, &error))?;
        if read.is_empty() {
            let message = format!("{}: no .eml file under it", dir.display());
            return Err(CommandError::new(Exit::Refused, message));
        }
        mail.append(&mut read);
    }
    let mut world = World::new(WorldOptions {
        seed: args.seed,
        limits: match args.limits {
            LabLimits::Off => Limits::Off,
            LabLimits::Published => Limits::Published,
            LabLimits::Small => Limits::Small,
        },
        weather: match args.weather {
            LabWeather::Calm => Weather::Calm,
            LabWeather::Busy => Weather::Busy,
            LabWeather::Storm => Weather::Storm,
        },
        lag: Span::new(args.lag),
        discard_content: args.item_size.is_some(),
        ..WorldOptions::default()
    });
    if args.infected && args.items < INFECTED_ITEMS_MIN {
        let message = format!("--infected needs --items {INFECTED_ITEMS_MIN} or more");
        return Err(CommandError::new(Exit::Usage, message));
    }
    let population = Population {
        infected: args.infected,
        mailboxes: args.mailboxes.unwrap_or(MAILBOXES),
        counts: populate_inventory::counts(models, args.one_in, args.items),
        pairs: models
            .iter()
            .map(|model| (model.source.clone(), model.target.clone()))
            .collect(),
        items: args.items,
        seed: args.seed,
        mail,
        corrupt: args.corrupt,
        import_refused: args.refused,
        bench: args.item_size.map(Bytes::get),
        attached: args.attached,
        ..Population::default()
    };
    ui.detail(&format!(
        "making mailboxes of {} items, seed {}",
        Count::new(population.items),
        population.seed
    ));
    fill(&mut world, &population).map_err(|refused| {
        let message = format!("the lab's own world refused an item ({refused:?})");
        CommandError::new(Exit::Internal, message)
    })?;
    Ok(Arc::new(Mutex::new(world)))
}

/// How people and the application sign in.
fn sign_in(args: &LabArgs) -> Result<LabSignIn, CommandError> {
    let certificate = match &args.app_certificate {
        None => None,
        Some(path) => {
            let bytes = std::fs::read(path).map_err(|error| CommandError::file(path, &error))?;
            let first = certificates(&bytes).into_iter().next();
            Some(first.ok_or_else(|| {
                let message = format!("{}: no certificate in it", path.display());
                CommandError::new(Exit::Refused, message).hint("give a PEM or DER file")
            })?)
        }
    };
    Ok(LabSignIn {
        rules: SignInRules::of(
            args.ews_auth != LabAuth::Ntlm,
            args.ews_auth != LabAuth::Basic,
            match args.extended_protection {
                LabProtection::None => Protection::None,
                LabProtection::Allow => Protection::Allow,
                LabProtection::Require => Protection::Require,
            },
        ),
        certificate,
    })
}

/// Opens the lab's doors with the ordinary sign-in.
pub async fn open(
    config: LabConfig,
    world: SharedWorld,
    clock: Arc<dyn Clock>,
) -> Result<RunningLab, CommandError> {
    open_with(config, LabSignIn::default(), world, clock).await
}

/// Opens the lab's doors.
async fn open_with(
    config: LabConfig,
    sign_in: LabSignIn,
    world: SharedWorld,
    clock: Arc<dyn Clock>,
) -> Result<RunningLab, CommandError> {
    let dir: PathBuf = config.dir.clone();
    start_with(config, sign_in, world, clock)
        .await
        .map_err(|error| match error {
            LabError::Directory(error) => CommandError::file(&dir, &error),
            LabError::Port(..) => CommandError::new(Exit::Refused, error.to_string())
                .hint("name another port, or 0 for any"),
            LabError::Certificate(_) => CommandError::new(Exit::Internal, error.to_string()),
        })
}
