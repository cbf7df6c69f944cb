//! Builds and vulnerabilities together: the table that is built in, or one from files.

use jiff::civil::{Date, date};

use super::builds::{self, BuildRow, Release};
use super::cves::{self, CveRow};
use super::sheet::{Fault, Sheet};
use crate::base::build::Build;

/// The end of support of Exchange Server 2016, all cumulative updates (Microsoft's lifecycle page).
pub const SUPPORT_ENDED: Date = date(2025, 10, 14);

/// The end of the paid updates after it (ESU, period 2); no later period was announced.
pub const PAID_UPDATES_ENDED: Date = date(2026, 10, 31);

/// Both tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// By number.
    pub builds: Vec<BuildRow>,
    /// Known exploited first.
    pub cves: Vec<CveRow>,
    /// What the older of the two files says it is as of; the newest release in it where it says nothing.
    pub date: Date,
}

/// Which of the two files is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableFault {
    /// The builds.
    Builds(Fault),
    /// The vulnerabilities.
    Cves(Fault),
}

impl Table {
    /// The builds that came with this program, as text.
    pub const BUILDS: &str = include_str!("data/exchange2016-builds.csv");

    /// The vulnerabilities that came with this program, as text.
    pub const CVES: &str = include_str!("data/exchange2016-cves.csv");

    /// The table that came with this program.
    pub fn built_in() -> Self {
        Self::parse(Self::BUILDS, Self::CVES).expect("a test reads the built-in table")
    }

    /// Reads both files.
    pub fn parse(builds: &str, cves: &str) -> Result<Self, TableFault> {
        let build_sheet = Sheet::parse(builds).map_err(TableFault::Builds)?;
        let rows = builds::parse(&build_sheet).map_err(TableFault::Builds)?;
        let cve_sheet = Sheet::parse(cves).map_err(TableFault::Cves)?;
        let listed = cves::parse(&cve_sheet).map_err(TableFault::Cves)?;
        let newest = rows.iter().map(|row| row.date).max().unwrap_or_default();
        let stated = [build_sheet.as_of, cve_sheet.as_of];
        Ok(Self {
            date: stated.into_iter().flatten().min().unwrap_or(newest),
            builds: rows,
            cves: listed,
        })
    }

    /// The row of a build.
    pub fn row(&self, build: Build) -> Option<&BuildRow> {
        self.builds.iter().find(|row| row.build == build)
    }

    /// The cumulative update a build belongs to, by the third part of its number.
    pub fn cumulative(&self, build: Build) -> Option<&BuildRow> {
        self.builds.iter().find(|row| {
            same_cu(row.build, build) && matches!(row.release, Release::Cumulative | Release::Rtm)
        })
    }

    /// All releases of the cumulative update of `build`.
    pub fn of_cu(&self, build: Build) -> impl Iterator<Item = &BuildRow> {
        self.builds
            .iter()
            .filter(move |row| same_cu(row.build, build))
    }

    /// Security updates of the build's own cumulative update that were out on a day and are not in it.
    pub fn missing(&self, build: Build, on: Date) -> impl Iterator<Item = &BuildRow> {
        self.of_cu(build).filter(move |row| {
            row.release == Release::Security && row.date <= on && row.build > build
        })
    }

    /// The highest severity among the vulnerabilities an update fixes: Microsoft's word. `None` where it names none.
    pub fn severity(&self, row: &BuildRow) -> Option<&str> {
        const ORDER: [&str; 4] = ["Critical", "Important", "Moderate", "Low"];
        let rank = |word: &str| ORDER.iter().position(|w| *w == word).unwrap_or(ORDER.len());
        let named = row.cves.iter();
        named
            .filter_map(|cve| self.cves.iter().find(|known| known.cve == *cve))
            .map(|known| known.severity.as_str())
            .min_by_key(|word| rank(word))
    }
}

/// True when two builds are of one cumulative update.
pub fn same_cu(a: Build, b: Build) -> bool {
    (a.major, a.minor, a.build) == (b.major, b.minor, b.build)
}
