//! One server: what says which build it is, which updates it lacks, which vulnerabilities are open and for how long.

use jiff::civil::Date;

use super::cves::{CveRow, Exploited};
use super::rule::{Known, State, judge};
use super::sheet::{Fault, Sheet};
use super::table::{PAID_UPDATES_ENDED, SUPPORT_ENDED, Table};
use crate::base::build::Build;

/// Who says which build a server is, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The operator, as a dotted number.
    ByHand,
    /// The file version of ExSetup.exe: shows security updates.
    ExSetup,
    /// HealthChecker's report of a server it could reach: reads ExSetup.exe.
    HealthChecker,
    /// ServerVersionInfo in an answer of EWS. Follows security updates on the servers we know of; where it shows the number of the cumulative
    /// update itself it proves no more than that.
    Ews,
    /// AdminDisplayVersion: the cumulative update only.
    AdminDisplay,
    /// HealthChecker's report of a server it could not reach: AdminDisplayVersion.
    HealthCheckerOffline,
}

impl Origin {
    /// The word of it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ByHand => "the operator",
            Self::ExSetup => "ExSetup.exe",
            Self::HealthChecker => "HealthChecker",
            Self::Ews => "EWS ServerVersionInfo",
            Self::AdminDisplay => "AdminDisplayVersion",
            Self::HealthCheckerOffline => "HealthChecker, server offline",
        }
    }

    /// What a number of this origin says about the build.
    pub fn known(self, table: &Table, build: Build) -> Known {
        match self {
            Self::ByHand | Self::ExSetup | Self::HealthChecker => Known::exact(table, build),
            Self::Ews => match table.cumulative(build) {
                Some(row) if row.build == build => Known::CumulativeOnly(build),
                _ => Known::exact(table, build),
            },
            Self::AdminDisplay | Self::HealthCheckerOffline => Known::cumulative(table, build),
        }
    }
}

/// Somebody's word about a server's build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The server's name.
    pub server: String,
    /// Who says so.
    pub origin: Origin,
    /// What it says; `None` where the number could not be read.
    pub build: Option<Build>,
}

impl Sighting {
    /// A build the operator states. The form of AdminDisplayVersion, `Version 15.1 (Build 2507.6)`, says the cumulative update only.
    pub fn by_hand(server: &str, text: &str) -> Option<Self> {
        let origin = if text.contains('(') {
            Origin::AdminDisplay
        } else {
            Origin::ByHand
        };
        Some(Self {
            server: server.to_owned(),
            origin,
            build: Some(Build::parse(text)?),
        })
    }
}

/// An update that was installed: one line of an update log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// On which server.
    pub server: String,
    /// Which build it had from then on.
    pub build: Build,
    /// Since when.
    pub on: Date,
}

/// Reads an update log: `server,build,installed`.
pub fn parse_installed(sheet: &Sheet) -> Result<Vec<Installed>, Fault> {
    sheet.require(&["server", "build", "installed"])?;
    let mut out = Vec::new();
    for row in sheet.rows() {
        out.push(Installed {
            server: row.must("server")?.to_owned(),
            build: Build::parse(row.must("build")?)
                .ok_or_else(|| Fault::at(row.line, "`build` is no build like 15.1.2507.61"))?,
            on: row.day("installed")?,
        });
    }
    out.sort_by(|a, b| (&a.server, a.on, a.build).cmp(&(&b.server, b.on, b.build)));
    Ok(out)
}

/// An update that is out and not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// E.g. `CU23 Oct25SU`.
    pub name: String,
    /// Its build.
    pub build: Build,
    /// The day it came out.
    pub date: Date,
    /// Microsoft's word for the worst it mends; `None` where it names no CVE of the table.
    pub severity: Option<String>,
    /// Its article.
    pub kb: String,
}

/// A vulnerability on one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its number.
    pub cve: String,
    /// What the build says.
    pub state: State,
    /// Known to be used by attackers.
    pub exploited: Exploited,
    /// Microsoft's word.
    pub severity: String,
    /// The name people know it by.
    pub alias: String,
    /// The update that mends it.
    pub fixed_in: String,
    /// When the server stood open from, at the latest.
    pub since: Date,
    /// Since when it could have been patched.
    pub patchable_since: Date,
    /// Until when; `None` where it still is, or where no update log says.
    pub until: Option<Date>,
    /// Days it stood open; `None` where the end is not known.
    pub days: Option<u32>,
    /// What else must be done besides the update.
    pub extra_action: String,
}

/// A server and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// What is known of its build.
    pub known: Known,
    /// By whom; `None` where nobody says a readable number.
    pub origin: Option<Origin>,
    /// Everybody's word.
    pub sightings: Vec<Sighting>,
    /// E.g. `CU23`; `None` where the table does not know the number.
    pub cu: Option<String>,
    /// E.g. `CU23 Oct25SU`, where the security update is known.
    pub update: Option<String>,
    /// Security updates of its own cumulative update that it lacks; `None` where the security update is not known.
    pub missing: Option<Vec<Missing>>,
    /// Cumulative updates that came after its own.
    pub later_cus: Vec<String>,
    /// The day the last update for its cumulative update came out; none came later.
    pub last_update_for_cu: Option<Date>,
    /// Since when Microsoft does not support it; `None` where that day has not come.
    pub unsupported_since: Option<Date>,
    /// Since when even paid updates have ended.
    pub paid_updates_ended: Option<Date>,
    /// Every vulnerability of the table: known exploited first.
    pub cves: Vec<Verdict>,
    /// Its builds over time, where an update log was given.
    pub history: Vec<Installed>,
}

impl Server {
    /// How many vulnerabilities are in this state.
    pub fn count(&self, state: State) -> usize {
        self.cves.iter().filter(|v| v.state == state).count()
    }

    /// Vulnerabilities in this state that attackers are known to use.
    pub fn exploited(&self, state: State) -> impl Iterator<Item = &Verdict> {
        self.cves
            .iter()
            .filter(move |v| v.state == state && v.exploited == Exploited::Yes)
    }
}

/// Puts every server together out of what everybody says.
pub fn assess(
    table: &Table,
    sightings: &[Sighting],
    installed: &[Installed],
    today: Date,
) -> Vec<Server> {
    let mut names: Vec<&str> = sightings.iter().map(|s| s.server.as_str()).collect();
    names.sort_unstable_by_key(|name| name.to_lowercase());
    names.dedup_by(|a, b| same(a, b));
    names
        .into_iter()
        .map(|name| {
            let own = sightings.iter().filter(|s| same(&s.server, name));
            let log = installed.iter().filter(|i| same(&i.server, name));
            one(
                table,
                name,
                own.cloned().collect(),
                log.cloned().collect(),
                today,
            )
        })
        .collect()
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

fn one(
    table: &Table,
    name: &str,
    mut sightings: Vec<Sighting>,
    history: Vec<Installed>,
    today: Date,
) -> Server {
    sightings.sort_by_key(|s| s.origin);
    let best = sightings.iter().find(|s| s.build.is_some());
    let known = best.map_or(Known::Nothing, |s| {
        s.build
            .map_or(Known::Nothing, |build| s.origin.known(table, build))
    });
    let origin = best.map(|s| s.origin);
    let cu = match known {
        Known::Exact(build) | Known::CumulativeOnly(build) => table.cumulative(build),
        Known::NotInTable(_) | Known::Nothing => None,
    };
    let exact = match known {
        Known::Exact(build) => Some(build),
        _ => None,
    };
    Server {
        name: name.to_owned(),
        known,
        origin,
        cu: cu.map(|row| row.cu().to_owned()),
        update: exact
            .and_then(|build| table.row(build))
            .map(|row| row.name.clone()),
        missing: exact.map(|build| missing(table, build, today)),
        later_cus: cu.map_or_else(Vec::new, |own| {
            let later = table.builds.iter().filter(|row| {
                row.build > own.build
                    && row.date <= today
                    && table.cumulative(row.build) == Some(*row)
            });
            later.map(|row| row.name.clone()).collect()
        }),
        last_update_for_cu: cu.and_then(|row| {
            let out = table.of_cu(row.build).map(|row| row.date);
            out.filter(|day| *day <= today).max()
        }),
        unsupported_since: (today > SUPPORT_ENDED).then_some(SUPPORT_ENDED),
        paid_updates_ended: (today > PAID_UPDATES_ENDED).then_some(PAID_UPDATES_ENDED),
        cves: table
            .cves
            .iter()
            .map(|cve| verdict(cve, known, &history, today))
            .collect(),
        sightings,
        history,
    }
}

fn missing(table: &Table, build: Build, today: Date) -> Vec<Missing> {
    table
        .missing(build, today)
        .map(|row| Missing {
            name: row.name.clone(),
            build: row.build,
            date: row.date,
            severity: table.severity(row).map(str::to_owned),
            kb: row.kb.clone(),
        })
        .collect()
}

fn verdict(cve: &CveRow, known: Known, history: &[Installed], today: Date) -> Verdict {
    let state = judge(cve, known);
    let since = cve.open_since();
    let until = match state {
        State::Fixed | State::ActionUnknown => history
            .iter()
            .find(|entry| super::rule::is_fixed(cve, entry.build))
            .map(|entry| entry.on),
        State::Vulnerable | State::Unknown => None,
    };
    let end = match state {
        State::Vulnerable => Some(today),
        _ => until,
    };
    Verdict {
        cve: cve.cve.clone(),
        state,
        exploited: cve.exploited,
        severity: cve.severity.clone(),
        alias: cve.alias.clone(),
        fixed_in: cve.fixed_in.clone(),
        since,
        patchable_since: cve.fix_date,
        until,
        days: end.map(|end| days_between(since, end)),
        extra_action: cve.extra_action.clone(),
    }
}

/// Whole days from one day to another; none where the second comes first.
pub fn days_between(from: Date, to: Date) -> u32 {
    let days = from.until(to).map_or(0, |span| span.get_days());
    u32::try_from(days).unwrap_or(0)
}
