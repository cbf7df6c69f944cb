//! The published rule: what a build says about a vulnerability, and what it does not.
//!
//! Let B be the server's build. If B is at least the highest of the first fixed builds, it is fixed. Else, where the list has an entry for B's own
//! cumulative update and B is at least that, it is fixed. Else it is vulnerable. Where more than the update is needed, the build alone proves
//! nothing (Microsoft's HealthChecker; src/posture/data/README.md).

use super::cves::CveRow;
use super::table::{Table, same_cu};
use crate::base::build::Build;

/// What a build says about a vulnerability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The update is not installed.
    Vulnerable,
    /// The update is installed; whether what else must be done was done, nobody knows.
    ActionUnknown,
    /// What is known of the build does not decide it.
    Unknown,
    /// The update is installed.
    Fixed,
}

impl State {
    /// The word of it in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Vulnerable => "vulnerable",
            Self::ActionUnknown => "action_unknown",
            Self::Unknown => "unknown",
            Self::Fixed => "fixed",
        }
    }
}

/// How much is known of a server's build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The build with its security update, and it is in the table.
    Exact(Build),
    /// The cumulative update only: the build is this one or any later of the same cumulative update.
    CumulativeOnly(Build),
    /// A number that the table does not have: newer than the table, or private. Nothing is guessed from it.
    NotInTable(Build),
    /// Nothing.
    Nothing,
}

impl Known {
    /// An exact build, as far as the table has it.
    pub fn exact(table: &Table, build: Build) -> Self {
        if table.row(build).is_some() {
            Self::Exact(build)
        } else {
            Self::NotInTable(build)
        }
    }

    /// A build of which only the cumulative update counts.
    pub fn cumulative(table: &Table, build: Build) -> Self {
        table
            .cumulative(build)
            .map_or(Self::NotInTable(build), |row| {
                Self::CumulativeOnly(row.build)
            })
    }

    /// The number, as far as there is one.
    pub const fn build(self) -> Option<Build> {
        match self {
            Self::Exact(build) | Self::CumulativeOnly(build) | Self::NotInTable(build) => {
                Some(build)
            }
            Self::Nothing => None,
        }
    }
}

/// True when the rule calls the build fixed.
pub fn is_fixed(cve: &CveRow, build: Build) -> bool {
    let highest = cve.first_fixed.iter().max();
    let own = cve.first_fixed.iter().find(|first| same_cu(**first, build));
    highest.is_some_and(|first| build >= *first) || own.is_some_and(|first| build >= *first)
}

/// What is known about a vulnerability on a server.
pub fn judge(cve: &CveRow, known: Known) -> State {
    let fixed = if cve.extra_action.is_empty() {
        State::Fixed
    } else {
        State::ActionUnknown
    };
    match known {
        Known::Exact(build) if is_fixed(cve, build) => fixed,
        Known::Exact(_) => State::Vulnerable,
        // Both ends of what it may be: where they agree, the cumulative update decides.
        Known::CumulativeOnly(build) => {
            let last = Build {
                revision: u32::MAX,
                ..build
            };
            match (is_fixed(cve, build), is_fixed(cve, last)) {
                (true, _) => fixed,
                (false, false) => State::Vulnerable,
                (false, true) => State::Unknown,
            }
        }
        Known::NotInTable(_) | Known::Nothing => State::Unknown,
    }
}
