//! The known vulnerabilities of Exchange 2016, as a table that has a date.

use jiff::civil::Date;

use super::builds::words;
use super::sheet::{Fault, Sheet};
use crate::base::build::Build;

/// Whether attackers are known to use a vulnerability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exploited {
    /// Known to be used.
    Yes,
    /// No source was read that says.
    Unknown,
    /// Not known to be used when the table was made.
    No,
}

impl Exploited {
    /// The word of it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Unknown => "unknown",
            Self::No => "no",
        }
    }
}

/// One vulnerability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CveRow {
    /// Its number.
    pub cve: String,
    /// The first fixed build of each cumulative update that got one.
    pub first_fixed: Vec<Build>,
    /// Microsoft's word, not the class of the score.
    pub severity: String,
    /// The base score as text; `unknown` where none was read.
    pub cvss: String,
    /// Known to be used.
    pub exploited: Exploited,
    /// The name people know it by, e.g. `ProxyShell`; empty for most.
    pub alias: String,
    /// The update that fixed it, e.g. `Apr21SU`.
    pub fixed_in: String,
    /// When the fix came out: from here on it could have been patched.
    pub fix_date: Date,
    /// When it became public.
    pub disclosed: Date,
    /// When CISA listed it as exploited; the first day of the month where only the month is known.
    pub listed_exploited: Option<Date>,
    /// What it allows.
    pub impact: String,
    /// What must be done besides the update; empty where the update is enough.
    pub extra_action: String,
}

impl CveRow {
    /// The first day a server without the fix stood open: the earlier of publication, fix and listing.
    pub fn open_since(&self) -> Date {
        let first = self.disclosed.min(self.fix_date);
        self.listed_exploited.map_or(first, |day| day.min(first))
    }
}

/// Reads the table of vulnerabilities: known exploited first, then by day.
pub fn parse(sheet: &Sheet) -> Result<Vec<CveRow>, Fault> {
    sheet.require(&[
        "cve",
        "first_fixed_builds",
        "severity",
        "exploited_in_wild",
        "fix_date",
        "disclosed_date",
        "extra_action",
    ])?;
    let mut out = Vec::new();
    for row in sheet.rows() {
        let mut first_fixed = Vec::new();
        for word in words(row.must("first_fixed_builds")?) {
            let number = word
                .split_once('=')
                .map_or(word.as_str(), |(_, build)| build);
            let build = Build::parse(number).ok_or_else(|| {
                Fault::at(row.line, "`first_fixed_builds` is not CU23=15.1.2507.6;...")
            })?;
            first_fixed.push(build);
        }
        let exploited = match row.must("exploited_in_wild")? {
            "yes" => Exploited::Yes,
            "no" => Exploited::No,
            "unknown" => Exploited::Unknown,
            _ => {
                let reason = "`exploited_in_wild` is none of yes, no, unknown";
                return Err(Fault::at(row.line, reason));
            }
        };
        let listed = row.get(&["kevdate"]);
        let listed_exploited = if listed.is_empty() {
            None
        } else {
            let day = listed.parse().or_else(|_| format!("{listed}-01").parse());
            Some(day.map_err(|_| Fault::at(row.line, "`kev_date` is no date"))?)
        };
        out.push(CveRow {
            cve: row.must("cve")?.to_owned(),
            first_fixed,
            severity: row.must("severity")?.to_owned(),
            cvss: row.get(&["cvss"]).to_owned(),
            exploited,
            alias: row.get(&["alias"]).replace(';', ", "),
            fixed_in: row.get(&["fixedin"]).to_owned(),
            fix_date: row.day("fix_date")?,
            disclosed: row.day("disclosed_date")?,
            listed_exploited,
            impact: row.get(&["impact"]).to_owned(),
            extra_action: row.get(&["extraaction"]).to_owned(),
        });
    }
    if out.is_empty() {
        return Err(Fault::at(1, "no vulnerability in the table"));
    }
    out.sort_by(|a, b| {
        (a.exploited, a.open_since(), &a.cve).cmp(&(b.exploited, b.open_since(), &b.cve))
    });
    Ok(out)
}
