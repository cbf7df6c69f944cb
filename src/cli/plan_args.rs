//! The words of `mailferry plan`, and what they wish for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::civil::Date;

use crate::base::quantity::{Bytes, Count, parse_bytes};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::plan::forecast::Measured;
use crate::plan::schedule::{Schedule, Window, zone_of};
use crate::plan::wishes::{Wishes, parse_window};

/// `mailferry plan`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailferry plan inventory/*.csv --html plan.html --out plan.toml \\
      --start 2026-12-01 --time-zone Europe/Guernsey --window 'mon-fri 20:00-06:00' --pilot a.harris@clinic.example \\
      --ews-url https://mail.clinic.example/EWS/Exchange.asmx --username 'CLINIC\\svc-migrate' \\
      --tenant clinic.onmicrosoft.com --client-id 1f3c...
  mailferry plan mailboxes.csv                   a list of addresses is an inventory too, only a small one
  mailferry plan --check plan.toml
  mailferry plan --diff old.toml new.toml
  mailferry plan inventory/*.csv --rates summary.json       forecast with the rates of a run (`run --json`)

Files are what scripts/Export-MailboxInventory.ps1 writes, or plain Export-Csv and Export-Clixml output. Mailboxes that work
together move together; what a limit forces apart is named. ADDRESS may be @FILE, a file with one address a line.
Passwords and secrets are named by environment variable, never written into the plan.")]
pub struct PlanArgs {
    /// The inventory: CSV and CLIXML files, or a list of mailboxes
    #[arg(value_name = "FILE", required_unless_present_any = ["check", "diff"], conflicts_with_all = ["check", "diff"])]
    pub files: Vec<PathBuf>,

    /// Check PLAN and print its hash
    #[arg(long, value_name = "PLAN", conflicts_with = "diff")]
    pub check: Option<PathBuf>,

    /// Say what differs between two plans
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"])]
    pub diff: Vec<PathBuf>,

    /// Write the plan to FILE instead of stdout
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["check", "diff"])]
    pub out: Option<PathBuf>,

    /// Write a page with the calendar, the rights, the sizes and the findings to FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check", "diff"])]
    pub html: Option<PathBuf>,

    /// The plan's name
    #[arg(long, default_value = "migration", value_name = "NAME")]
    pub name: String,

    /// The EWS endpoint of the source
    #[arg(long, value_name = "URL")]
    pub ews_url: Option<String>,

    /// The service account on the source
    #[arg(long, value_name = "USER")]
    pub username: Option<String>,

    /// How it signs in: basic, ntlm, negotiate or oauth
    #[arg(long, value_name = "METHOD", default_value = "basic")]
    pub auth: String,

    /// The environment variable with its password, or with its token
    #[arg(long, value_name = "NAME", default_value = "MAILFERRY_SOURCE_PASSWORD")]
    pub password_env: String,

    /// The Microsoft 365 tenant
    #[arg(long, value_name = "DOMAIN")]
    pub tenant: Option<String>,

    /// The application that writes
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,

    /// The environment variable with its secret
    #[arg(long, value_name = "NAME", default_value = "MAILFERRY_CLIENT_SECRET")]
    pub secret_env: String,

    /// Its certificate with key, PEM or PFX, in place of a secret; relative to the plan
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<String>,

    /// The environment variable with the certificate's password
    #[arg(long, value_name = "NAME", requires = "certificate")]
    pub certificate_password_env: Option<String>,

    /// Plan although parts of the inventory were refused; the findings say so
    #[arg(long)]
    pub despite_refusals: bool,

    /// Limits and wishes.
    #[command(flatten)]
    pub wish: WishArgs,
}

/// Limits and wishes of a plan.
#[derive(Debug, Args)]
#[command(next_help_heading = "Waves and nights")]
pub struct WishArgs {
    /// The first day on which anything begins; without it nights are counted, not dated
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub start: Option<Date>,

    /// The zone the windows are meant in, such as Europe/Guernsey
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,

    /// When to work: 'mon-fri 20:00-06:00'; may be given again (default: always)
    #[arg(long, value_name = "WINDOW", value_parser = window)]
    pub window: Vec<Window>,

    /// A day, or FROM..TO, on which no night begins; may be given again
    #[arg(long, value_name = "DATE", value_parser = days)]
    pub blackout: Vec<(Date, Date)>,

    /// Goes first; may be given again
    #[arg(long, value_name = "ADDRESS")]
    pub pilot: Vec<String>,

    /// Goes once the way is proven, never with a pilot; may be given again
    #[arg(long, value_name = "ADDRESS")]
    pub vip: Vec<String>,

    /// Stays; may be given again
    #[arg(long, value_name = "ADDRESS")]
    pub exclude: Vec<String>,

    /// Does not go before a day; may be given again
    #[arg(long, value_name = "ADDRESS=DATE", value_parser = day_of)]
    pub not_before: Vec<(String, Date)>,

    /// Mailboxes per wave at most
    #[arg(long, value_name = "N", default_value_t = crate::base::limits::WAVE_MAILBOXES, value_parser = clap::value_parser!(u32).range(1..))]
    pub wave_size: u32,

    /// Bytes per wave's night at most ("300 GB")
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub wave_bytes: Option<Bytes>,

    /// Items per wave's night at most
    #[arg(long, value_name = "N")]
    pub wave_items: Option<u64>,

    /// Mailboxes worked on side by side
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(crate::base::limits::MAILBOXES_AT_ONCE_MAX)))]
    pub at_once: Option<u32>,

    /// What the whole source gives per hour ("20 GB")
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub source_rate: Option<Bytes>,

    /// Forecast with measured rates: the summary of a run, or rates (JSON)
    #[arg(long, value_name = "FILE")]
    pub rates: Option<PathBuf>,

    /// A domain the tenant accepts; may be given again
    #[arg(long, value_name = "DOMAIN")]
    pub accepted_domain: Vec<String>,

    /// The largest message the tenant takes ("35 MB")
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub tenant_item_max: Option<Bytes>,
}

fn date(text: &str) -> Result<Date, String> {
    let wanted = || "write a day, as in 2026-12-01".to_owned();
    let date: Date = text.parse().map_err(|_| wanted())?;
    if date.to_string() == text {
        Ok(date)
    } else {
        Err(wanted())
    }
}

fn days(text: &str) -> Result<(Date, Date), String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let (from, to) = (date(from)?, date(to)?);
    if to < from {
        return Err("the range ends before it begins".to_owned());
    }
    Ok((from, to))
}

fn day_of(text: &str) -> Result<(String, Date), String> {
    let (address, day) = text
        .rsplit_once('=')
        .ok_or_else(|| "write ADDRESS=DATE, as in a.harris@clinic.example=2026-12-01".to_owned())?;
    Ok((address.trim().to_lowercase(), date(day)?))
}

fn window(text: &str) -> Result<Window, String> {
    parse_window(text).ok_or_else(|| "write days and times, as in 'mon-fri 20:00-06:00'".to_owned())
}

fn size(text: &str) -> Result<Bytes, String> {
    parse_bytes(text).ok_or_else(|| "write a size, as in '300 GB'".to_owned())
}

/// Days of a blackout that are looked at; longer ranges are a mistake.
const BLACKOUT_DAYS_MAX: usize = 3_660;

impl WishArgs {
    /// The wishes, with the files read that they name.
    pub fn read(&self) -> Result<Wishes, CommandError> {
        let mut wishes = Wishes {
            start: self.start,
            schedule: self.schedule()?,
            pilots: addresses(&self.pilot)?,
            vips: addresses(&self.vip)?,
            exclude: addresses(&self.exclude)?,
            not_before: self.not_before.iter().cloned().collect::<BTreeMap<_, _>>(),
            wave_mailboxes: self.wave_size,
            wave_bytes: self.wave_bytes,
            wave_items: self.wave_items.map(Count::new),
            source_per_hour: self.source_rate,
            accepted_domains: self
                .accepted_domain
                .iter()
                .map(|domain| domain.to_lowercase())
                .collect(),
            ..Wishes::default()
        };
        for (from, to) in &self.blackout {
            let all = std::iter::successors(Some(*from), |day| day.tomorrow().ok());
            let range = all.take_while(|day| day <= to).take(BLACKOUT_DAYS_MAX);
            wishes.blackout.extend(range);
        }
        if let Some(n) = self.at_once {
            wishes.limits.mailboxes_at_once = n;
        }
        if let Some(size) = self.tenant_item_max {
            wishes.tenant_item_max = size;
        }
        if let Some(path) = &self.rates {
            let text = read_text(path)?;
            let rates = Measured::parse(&text, wishes.limits.mailboxes_at_once).map_err(|why| {
                CommandError::new(Exit::Refused, format!("{}: {why}", path.display()))
                    .hint("name the last line of `mailferry run PLAN --json`, in a file")
            })?;
            wishes.measured = Some(rates);
        }
        let dated = !wishes.not_before.is_empty() || !wishes.blackout.is_empty();
        if dated && wishes.start.is_none() {
            return Err(CommandError::new(
                Exit::Usage,
                "--not-before and --blackout name days, and there is no --start",
            ));
        }
        Ok(wishes)
    }

    fn schedule(&self) -> Result<Option<Schedule>, CommandError> {
        let Some(zone) = &self.time_zone else {
            if self.window.is_empty() {
                return Ok(None);
            }
            return Err(CommandError::new(Exit::Usage, "--window needs --time-zone")
                .hint("add --time-zone Europe/Guernsey, or where the mailboxes' people are"));
        };
        if zone_of(zone).is_none() {
            return Err(CommandError::new(
                Exit::Usage,
                "--time-zone is no IANA time zone such as Europe/Guernsey",
            ));
        }
        Ok(Some(Schedule {
            time_zone: zone.clone(),
            windows: self.window.clone(),
        }))
    }
}

/// Addresses in lower case; `@FILE` stands for the lines of a file.
fn addresses(given: &[String]) -> Result<BTreeSet<String>, CommandError> {
    let mut out = BTreeSet::new();
    for word in given {
        if let Some(path) = word.strip_prefix('@') {
            let text = read_text(Path::new(path))?;
            let lines = text
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            out.extend(lines.map(str::to_lowercase));
        } else {
            out.insert(word.trim().to_lowercase());
        }
    }
    Ok(out)
}

fn read_text(path: &Path) -> Result<String, CommandError> {
    let bytes = std::fs::read(path).map_err(|error| CommandError::file(path, &error))?;
    String::from_utf8(bytes)
        .map(|text| text.trim_start_matches('\u{feff}').to_owned())
        .map_err(|_| {
            CommandError::new(
                Exit::Refused,
                format!("{}: the file is not UTF-8", path.display()),
            )
        })
}
