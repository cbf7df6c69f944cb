//! The released builds of Exchange 2016, as a table that has a date.

use jiff::civil::Date;

use super::sheet::{Fault, Sheet};
use crate::base::build::Build;

/// What kind of release a build is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// The first release.
    Rtm,
    /// A cumulative update: a whole new product, the third part of the number.
    Cumulative,
    /// A security update on top of one.
    Security,
    /// A hotfix on top of one.
    Hotfix,
}

/// One released build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRow {
    /// The number.
    pub build: Build,
    /// E.g. `CU23 Oct25SU`.
    pub name: String,
    /// What kind.
    pub release: Release,
    /// The day it came out.
    pub date: Date,
    /// Its article; empty where not known.
    pub kb: String,
    /// The CVEs it names.
    pub cves: Vec<String>,
}

impl BuildRow {
    /// The name of its cumulative update, e.g. `CU23`.
    pub fn cu(&self) -> &str {
        self.name.split(' ').next().unwrap_or(&self.name)
    }
}

/// Reads the table of builds, sorted by number.
pub fn parse(sheet: &Sheet) -> Result<Vec<BuildRow>, Fault> {
    sheet.require(&["build_short", "name", "kind", "release_date", "kb", "cves"])?;
    let mut out = Vec::new();
    for row in sheet.rows() {
        let build = Build::parse(row.must("build_short")?)
            .ok_or_else(|| Fault::at(row.line, "`build_short` is no build like 15.1.2507.6"))?;
        let release = match row.must("kind")? {
            "RTM" => Release::Rtm,
            "CU" => Release::Cumulative,
            "SU" => Release::Security,
            "HU" => Release::Hotfix,
            _ => return Err(Fault::at(row.line, "`kind` is none of RTM, CU, SU, HU")),
        };
        out.push(BuildRow {
            build,
            name: row.must("name")?.to_owned(),
            release,
            date: row.day("release_date")?,
            kb: row.get(&["kb"]).to_owned(),
            cves: words(row.get(&["cves"])),
        });
    }
    if out.is_empty() {
        return Err(Fault::at(1, "no build in the table"));
    }
    out.sort_by_key(|row| row.build);
    if let Some(pair) = out.windows(2).find(|pair| pair[0].build == pair[1].build) {
        let reason = format!("build {} stands twice", pair[0].build);
        return Err(Fault::at(1, reason));
    }
    Ok(out)
}

/// The parts of a cell of several values.
pub(super) fn words(cell: &str) -> Vec<String> {
    cell.split(';')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}
