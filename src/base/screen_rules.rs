//! The static rules: their names, what they mean, and what follows from a hit unless the plan says otherwise.

use serde::{Deserialize, Serialize};

/// Changes with every change of what the rules find, so that the ledger says by which rules an item was looked into.
pub const RULES_VERSION: u16 = 1;

/// What follows from a hit of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The rule is not asked.
    Off,
    /// The item is carried, and the hit is in its record.
    Report,
    /// The item is withheld.
    Quarantine,
}

impl Mode {
    /// Every mode with its word in a plan.
    pub const ALL: [(&'static str, Self); 3] = [
        ("off", Self::Off),
        ("report", Self::Report),
        ("quarantine", Self::Quarantine),
    ];

    /// The word in a plan.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Report => "report",
            Self::Quarantine => "quarantine",
        }
    }
}

/// One static rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The harmless file by which antivirus engines are tested.
    TestFile,
    /// A file whose SHA-256 is in a list of the plan.
    ListedHash,
    /// A program by its content, whatever it is called.
    Executable,
    /// A script or shortcut that Windows runs on a double click.
    Script,
    /// A name that hides what the file is: two extensions, a turned writing direction, blanks before the extension.
    DoubleExtension,
    /// Content of another kind than the name says.
    Disguised,
    /// A type of Microsoft's list of dangerous attachments.
    DangerousType,
    /// A document with macros.
    OfficeMacro,
    /// HTML that builds a file out of its own script.
    HtmlSmuggling,
    /// Source of a web shell.
    WebShell,
    /// An archive, or a document, that opens only with a password.
    EncryptedArchive,
    /// An archive of a kind these rules cannot open.
    UnreadableArchive,
}

impl Rule {
    /// All of them, in order.
    pub const ALL: [Self; 12] = [
        Self::TestFile,
        Self::ListedHash,
        Self::Executable,
        Self::Script,
        Self::DoubleExtension,
        Self::Disguised,
        Self::DangerousType,
        Self::OfficeMacro,
        Self::HtmlSmuggling,
        Self::WebShell,
        Self::EncryptedArchive,
        Self::UnreadableArchive,
    ];

    /// Its name in plans, records and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TestFile => "test-file",
            Self::ListedHash => "listed-hash",
            Self::Executable => "executable",
            Self::Script => "script",
            Self::DoubleExtension => "double-extension",
            Self::Disguised => "disguised",
            Self::DangerousType => "dangerous-type",
            Self::OfficeMacro => "office-macro",
            Self::HtmlSmuggling => "html-smuggling",
            Self::WebShell => "web-shell",
            Self::EncryptedArchive => "encrypted-archive",
            Self::UnreadableArchive => "unreadable-archive",
        }
    }

    /// What follows from a hit where the plan does not say. What honest mail of twenty years is full of is reported; the rest is withheld.
    pub const fn usual(self) -> Mode {
        match self {
            Self::DangerousType | Self::OfficeMacro | Self::UnreadableArchive => Mode::Report,
            _ => Mode::Quarantine,
        }
    }
}

/// What follows from a hit of each rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleBook([Mode; Rule::ALL.len()]);

impl Default for RuleBook {
    fn default() -> Self {
        Self(Rule::ALL.map(Rule::usual))
    }
}

impl RuleBook {
    /// The same for all of them.
    pub const fn all(mode: Mode) -> Self {
        Self([mode; Rule::ALL.len()])
    }

    /// What follows from a hit of this one.
    pub const fn mode(&self, rule: Rule) -> Mode {
        self.0[rule as usize]
    }

    /// Sets one.
    pub const fn set(&mut self, rule: Rule, mode: Mode) {
        self.0[rule as usize] = mode;
    }

    /// True when no rule is asked.
    pub fn is_off(&self) -> bool {
        self.0.iter().all(|mode| *mode == Mode::Off)
    }
}
