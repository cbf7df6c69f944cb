//! The register of remedial actions: what is required, by what, who does it until when, the evidence, and who verified it, not being the owner.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::finding;
use super::sheet::{Fault, Sheet};

/// How an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Nobody began.
    Open,
    /// Somebody works on it.
    InProgress,
    /// The owner says it is done.
    DoneUnverified,
    /// Somebody else saw the evidence.
    Verified,
    /// It does not apply; the note says why.
    NotApplicable,
}

impl Status {
    const ALL: [Self; 5] = [
        Self::Open,
        Self::InProgress,
        Self::DoneUnverified,
        Self::Verified,
        Self::NotApplicable,
    ];

    /// The word of it, in files and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InProgress => "in progress",
            Self::DoneUnverified => "done-unverified",
            Self::Verified => "verified",
            Self::NotApplicable => "not applicable",
        }
    }

    /// True when nothing is left to do.
    pub const fn settled(self) -> bool {
        matches!(self, Self::Verified | Self::NotApplicable)
    }
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its id, unique in the register.
    pub id: String,
    /// What is required.
    pub requirement: String,
    /// By what: `order`, `finding`, `law`, or another word.
    pub basis: String,
    /// What is to be done.
    pub action: String,
    /// Who does it.
    pub owner: String,
    /// Until when.
    pub due: Option<Date>,
    /// How it stands.
    pub status: Status,
    /// The file that shows it was done, relative to the register.
    pub evidence: String,
    /// SHA-256 of that file, lower-case hexadecimal.
    pub evidence_sha256: String,
    /// Who saw the evidence.
    pub verified_by: String,
    /// When it was settled.
    pub closed: Option<Date>,
    /// Anything else.
    pub note: String,
    /// Its line in the file; 0 where it was seeded.
    pub line: u64,
}

impl Action {
    /// Days until it is due; negative where that is past; `None` where it is settled or has no day.
    pub fn days_left(&self, today: Date) -> Option<i32> {
        let due = self.due.filter(|_| !self.status.settled())?;
        today.until(due).ok().map(|span| span.get_days())
    }

    /// An action that a finding asks for; nobody owns it yet.
    pub fn seeded(key: &[&str], requirement: String, action: String) -> Self {
        Self {
            id: finding::id("A", key),
            requirement,
            basis: "finding".to_owned(),
            action,
            owner: String::new(),
            due: None,
            status: Status::Open,
            evidence: String::new(),
            evidence_sha256: String::new(),
            verified_by: String::new(),
            closed: None,
            note: String::new(),
            line: 0,
        }
    }
}

const COLUMNS: [&str; 12] = [
    "id",
    "requirement",
    "basis",
    "action",
    "owner",
    "due",
    "status",
    "evidence",
    "evidence_sha256",
    "verified_by",
    "closed",
    "note",
];

/// Reads a register and checks every row by itself.
pub fn parse(sheet: &Sheet) -> Result<Vec<Action>, Fault> {
    sheet.require(&["id", "requirement", "action", "owner", "due", "status"])?;
    let mut out: Vec<Action> = Vec::new();
    let mut ids = BTreeSet::new();
    for row in sheet.rows() {
        let text = |name: &str| unguarded(row.get(&[name])).to_owned();
        let word = row.must("status")?.to_lowercase();
        let status = Status::ALL
            .into_iter()
            .find(|status| status.word() == word)
            .ok_or_else(|| {
                Fault::at(row.line, "`status` is none of open, in progress, done-unverified, verified, not applicable")
            })?;
        let action = Action {
            id: unguarded(row.must("id")?).to_owned(),
            requirement: unguarded(row.must("requirement")?).to_owned(),
            basis: text("basis"),
            action: text("action"),
            owner: text("owner"),
            due: row.maybe_day("due")?,
            status,
            evidence: text("evidence"),
            evidence_sha256: text("evidencesha256").to_lowercase(),
            verified_by: text("verifiedby"),
            closed: row.maybe_day("closed")?,
            note: text("note"),
            line: row.line,
        };
        if !ids.insert(action.id.clone()) {
            return Err(Fault::at(row.line, "this `id` stands twice"));
        }
        check(&action)?;
        out.push(action);
    }
    Ok(out)
}

/// What a status needs beside it.
fn check(action: &Action) -> Result<(), Fault> {
    let fault = |reason: &str| Err(Fault::at(action.line, reason));
    match action.status {
        Status::Verified if action.evidence.is_empty() => {
            fault("`verified` needs `evidence`: the file that shows it")
        }
        Status::Verified if action.verified_by.is_empty() => {
            fault("`verified` needs `verified_by`")
        }
        Status::Verified if action.verified_by.eq_ignore_ascii_case(&action.owner) => {
            fault("`verified_by` is the owner; somebody else has to look")
        }
        Status::NotApplicable if action.note.is_empty() => {
            fault("`not applicable` needs a `note` that says why")
        }
        _ => Ok(()),
    }
}

/// The register with what the findings ask for besides. Rows that are there stay as people wrote them.
pub fn with_seeds(mut register: Vec<Action>, seeds: Vec<Action>) -> Vec<Action> {
    let known: BTreeSet<String> = register.iter().map(|action| action.id.clone()).collect();
    let mut fresh = BTreeSet::new();
    register.extend(
        seeds
            .into_iter()
            .filter(|seed| !known.contains(&seed.id) && fresh.insert(seed.id.clone())),
    );
    register
}

/// Writes a register that [`parse`] reads again.
pub fn write(register: &[Action]) -> String {
    // A row that began with `#` would be read as a comment.
    let mut writer = csv::WriterBuilder::new()
        .comment(Some(b'#'))
        .from_writer(Vec::new());
    let mut put = |cells: [&str; 12]| {
        let guarded: Vec<String> = cells.iter().map(|cell| guard(cell)).collect();
        writer
            .write_record(&guarded)
            .expect("memory takes any record");
    };
    put(COLUMNS);
    for one in register {
        let day = |day: Option<Date>| day.map_or(String::new(), |day| day.to_string());
        put([
            &one.id,
            &one.requirement,
            &one.basis,
            &one.action,
            &one.owner,
            &day(one.due),
            one.status.word(),
            &one.evidence,
            &one.evidence_sha256,
            &one.verified_by,
            &day(one.closed),
            &one.note,
        ]);
    }
    let bytes = writer.into_inner().expect("memory is flushed");
    String::from_utf8(bytes).expect("the cells are UTF-8")
}

/// Spreadsheets run cells that begin with one of the first four; the fifth is the mark that stops them, and marks itself.
const FORMULA: [char; 5] = ['=', '+', '-', '@', '\''];

fn guard(cell: &str) -> String {
    if cell.starts_with(FORMULA) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA) => rest,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn read(text: &str) -> Result<Vec<Action>, Fault> {
        parse(&Sheet::parse(text)?)
    }

    #[test]
    fn a_register_survives_writing_and_reading_and_keeps_what_people_wrote() {
        let mut one = Action::seeded(&["k"], "=do, \"this\"".to_owned(), "line\nbreak".to_owned());
        one.owner = "A. Harris".to_owned();
        one.due = Some(date(2026, 12, 20));
        let text = write(std::slice::from_ref(&one));
        assert!(text.contains("\"'=do, \"\"this\"\"\""));
        let mut back = read(&text).expect("our own");
        back[0].line = 0;
        assert_eq!(back, [one.clone()]);
        assert_eq!(one.days_left(date(2026, 11, 26)), Some(24));
        assert_eq!(one.days_left(date(2026, 12, 26)), Some(-6));
        let seed = Action::seeded(&["k"], "other".to_owned(), String::new());
        assert_eq!(with_seeds(vec![one.clone()], vec![seed]), [one]);
    }

    #[test]
    fn a_status_without_what_it_needs_is_refused_with_its_line() {
        let head = "id,requirement,action,owner,due,status,evidence,verified_by,note\n";
        for (row, part) in [
            ("1,r,a,Ann,,verified,,Bob,", "needs `evidence`"),
            ("1,r,a,Ann,,verified,e.pdf,,", "needs `verified_by`"),
            ("1,r,a,Ann,,verified,e.pdf,ann,", "is the owner"),
            ("1,r,a,Ann,,not applicable,,,", "says why"),
            ("1,r,a,Ann,soon,open,,,", "no date"),
            ("1,r,a,Ann,,done,,,", "none of open"),
            (",r,a,Ann,,open,,,", "`id` is empty"),
        ] {
            let fault = read(&format!("{head}{row}\n")).expect_err(row);
            assert_eq!(fault.line, 2, "{row}");
            assert!(fault.reason.contains(part), "{row}: {fault}");
        }
        let twice = read(&format!("{head}1,r,a,A,,open,,,\n1,r,a,A,,open,,,\n"));
        assert_eq!(twice.expect_err("twice").line, 3);
    }
}
