//! `mailferry preflight`: both sides reached, rights proved, limits probed, the route tried with a canary, before anything is moved.

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::canary::CanaryRun;
use crate::base::probe::HuntSight;
use crate::cli::args::Common;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::preflight_args::PreflightArgs;
use crate::cli::secrets::Secrets;
use crate::cli::ui::Ui;
use crate::cli::wiring::{self, Sides};
use crate::cli::{found, preflight_facts, preflight_view};
use crate::engine::preflight::{Order, Ports, observe};
use crate::exchange::autodiscover;
use crate::plan::document::Plan;
use crate::port::probe::CanaryLog;
use crate::preflight::canary::leftovers;
use crate::preflight::report::{Report, report};
use crate::store::canaries::FileCanaryLog;

/// What is asked for beside the plan.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The first so many mailboxes; `None` for all.
    pub sample: Option<u32>,
    /// Exports of the target.
    pub target_inventory: Vec<PathBuf>,
    /// No canaries.
    pub no_canary: bool,
    /// How the search for the EWS URL ended, where the plan asks for one.
    pub hunt: Option<HuntSight>,
}

/// Searches for the EWS URL where the plan leaves it to Autodiscover, anew each time: what was found before may have moved.
async fn hunt(plan: &mut Plan, secrets: &Secrets) -> Result<Option<HuntSight>, CommandError> {
    let Some(search) = plan.source.autodiscover.clone() else {
        return Ok(None);
    };
    let Some(first) = plan.jobs().into_iter().next() else {
        return Ok(None);
    };
    let http = wiring::source_http(plan, secrets)?;
    let sign_in = wiring::source_sign_in(plan, secrets)?;
    let sight = autodiscover::find(&http, &sign_in, &first.source, &search.at, &search.hosts).await;
    plan.source.found_url = match &sight {
        HuntSight::Found { ews_url, .. } => ews_url.clone(),
        HuntSight::Elsewhere { .. } | HuntSight::Nowhere(_) => String::new(),
    };
    Ok(Some(sight))
}

/// Runs the command.
pub fn run(args: &PreflightArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let mut open = plans::open(&args.plan.plan, common)?;
    let secrets = Secrets::open(args.secrets.secrets.as_deref(), &open.path, open.plan.realm)?;
    let mut wish = Wish {
        sample: args.sample,
        target_inventory: args.target_inventory.clone(),
        no_canary: args.no_canary,
        hunt: None,
    };
    let planned = open.plan.jobs().len();
    let looked = args.sample.map_or(planned, |n| planned.min(n as usize));
    ui.say(&format!(
        "looking at {looked} of {planned} mailboxes on both sides"
    ));
    let runtime = wiring::runtime()?;
    let found: Result<Report, CommandError> = runtime.block_on(async {
        // A URL in the plan wins.
        if open.searched {
            wish.hunt = hunt(&mut open.plan, &secrets).await?;
        }
        let sides = wiring::sides_as_far(&open.plan, &secrets)?;
        let found = preflight(&open, &sides, &wish).await?;
        if let (Some(HuntSight::Found { ews_url, .. }), Some(search)) =
            (&wish.hunt, &open.plan.source.autodiscover)
        {
            found::keep(&open.state, search, ews_url)?;
        }
        Ok(found)
    });
    runtime.shutdown_background();
    let found = found?;
    if ui.json {
        ui.data(&found.to_json().to_string());
    } else {
        ui.data(&preflight_view::text(&found));
    }
    let fails = found.count(crate::preflight::finding::State::Fail);
    let next = match fails {
        0 => format!("mailferry run {}", open.path.display()),
        _ => "mend what failed, the topmost first, and run the preflight again".to_owned(),
    };
    ui.say(&format!("next: {next}"));
    Ok(match fails {
        0 => Exit::Done,
        _ => Exit::Unreached,
    })
}

/// Looks at everything and judges it.
pub async fn preflight(
    open: &OpenPlan,
    sides: &Sides,
    wish: &Wish,
) -> Result<Report, CommandError> {
    let (log, trouble) = match FileCanaryLog::open(&open.state, &open.header) {
        Ok(log) => (Some(Arc::new(log)), None),
        Err(trouble) => (None, Some(trouble)),
    };
    let mut known = preflight_facts::known(open, &wish.target_inventory, trouble)?;
    let ports = Ports {
        source: Arc::clone(&sides.source) as _,
        source_probe: Arc::clone(&sides.source) as _,
        target: Arc::clone(&sides.tree),
        target_probe: Arc::clone(&sides.probe),
        typed: sides.typed(),
        clock: Arc::clone(&sides.clock),
    };
    let spec = open.plan.to_spec();
    let mut jobs = spec.jobs;
    if let Some(sample) = wish.sample {
        jobs.truncate(usize::try_from(sample).unwrap_or(usize::MAX));
    }
    let order = Order {
        jobs,
        select: spec.select,
        limits: spec.limits,
        route: spec.route,
        hunt: wish.hunt.clone(),
        run: CanaryRun(wiring::run_id(sides.clock.as_ref()).as_str().to_owned()),
        log: match (&log, wish.no_canary) {
            (_, true) => Err("canaries were not wanted (--no-canary)".to_owned()),
            (Some(log), false) => Ok(Arc::clone(log) as Arc<dyn CanaryLog>),
            (None, false) => {
                Err("the state directory cannot be used; see state.directory".to_owned())
            }
        },
        spool_dir: open.state.clone(),
        dice: wiring::dice(sides.clock.as_ref()),
    };
    let observed = observe(&ports, &order).await;
    drop(order);
    let today = jiff::Timestamp::from_millisecond(observed.at.unix_ms())
        .unwrap_or_default()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    known.build = preflight_facts::build(&observed, today);
    if let Some(log) = log {
        let clean = log.lines().is_ok_and(|lines| leftovers(&lines).is_empty());
        if let Some(log) = Arc::into_inner(log).filter(|_| clean) {
            log.remove();
        }
    }
    Ok(report(&observed, &known, &preflight_facts::facts(open)))
}
