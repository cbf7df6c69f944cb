//! What the gate can look at only where somebody gives it something to look at, and what became of each look.
//!
//! A look that nobody made possible is never taken for a good one: it keeps the gate open until it is made, or until a person says by name that
//! they looked themselves. What was looked at and found wanting no word of a person closes.

use serde::Serialize;

use super::gate::{Evidence, Gate};
use super::waiver::Standing;
use crate::base::quantity::Count;

/// One look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Every user mailbox of the target has a licence.
    Licences,
    /// Every address of the source is on the target.
    Addresses,
    /// Every legacy distinguished name of the source is an X500 address of the target.
    LegacyNames,
    /// Nobody who operated a run granted a waiver.
    Operators,
    /// No critical finding of an assessment is open.
    Posture,
}

impl Check {
    /// Every look.
    pub const ALL: [Self; 5] = [
        Self::Licences,
        Self::Addresses,
        Self::LegacyNames,
        Self::Operators,
        Self::Posture,
    ];

    /// Its word on the command line and in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Licences => "licences",
            Self::Addresses => "addresses",
            Self::LegacyNames => "legacy-names",
            Self::Operators => "operators",
            Self::Posture => "posture",
        }
    }

    /// What it asks.
    pub const fn question(self) -> &'static str {
        match self {
            Self::Licences => "every user mailbox of the target has a licence",
            Self::Addresses => "every address of the source is on the target",
            Self::LegacyNames => {
                "every legacyExchangeDN of the source is an X500 address of the target"
            }
            Self::Operators => "nobody who operated a run granted a waiver",
            Self::Posture => "no critical finding about the source is open",
        }
    }

    /// The gate that stays open while nobody looked. None for the posture, which counts where it was assessed.
    const fn gate(self) -> Option<&'static str> {
        match self {
            Self::Licences => Some("licences.not_checked"),
            Self::Addresses => Some("addresses.not_checked"),
            Self::LegacyNames => Some("legacy_names.not_checked"),
            Self::Operators => Some("operators.not_checked"),
            Self::Posture => None,
        }
    }
}

/// How a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Looked {
    /// It was made here; what it found wanting is an open gate of its own.
    Checked,
    /// A person says that they looked.
    Confirmed,
    /// Nobody looked.
    NotChecked,
}

impl Looked {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Checked => "checked",
            Self::Confirmed => "confirmed",
            Self::NotChecked => "not checked",
        }
    }
}

/// What became of one look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Look {
    /// Which.
    pub check: Check,
    /// How it ended.
    pub state: Looked,
    /// By what it was made, or why it was not.
    pub detail: String,
    /// What makes it possible; empty where it was made.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// Who confirms it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Makes every look that the evidence allows. An open gate for each that nobody made or confirmed and that cutover may not do without.
pub(super) fn look(evidence: &Evidence<'_>) -> (Vec<Look>, Vec<Gate>) {
    let mut gates = Vec::new();
    let looks = Check::ALL.into_iter().map(|check| {
        let mut look = match possible(check, evidence) {
            Ok(detail) => Look {
                check,
                state: Looked::Checked,
                detail,
                remedy: String::new(),
                by: None,
            },
            Err((detail, remedy)) => Look {
                check,
                state: Looked::NotChecked,
                detail,
                remedy,
                by: None,
            },
        };
        if look.state == Looked::NotChecked && evidence.confirmed.contains(&check) {
            look.state = Looked::Confirmed;
            look.by = Some(evidence.name.to_owned());
        }
        if look.state == Looked::NotChecked
            && let Some(gate) = check.gate()
        {
            gates.push(Gate {
                gate,
                subject: String::new(),
                detail: format!("whether {} is not known: {}", check.question(), look.detail),
                closes: format!(
                    "{}; or look yourself and add --confirm {}",
                    look.remedy,
                    check.word()
                ),
            });
        }
        look
    });
    (looks.collect(), gates)
}

/// By what the look is made, or why it cannot be made and what would help.
fn possible(check: Check, evidence: &Evidence<'_>) -> Result<String, (String, String)> {
    match check {
        Check::Licences => licences(evidence),
        Check::Addresses | Check::LegacyNames => match evidence.directory {
            Some(_) => Ok("the two inventories were compared".to_owned()),
            None => Err(no_inventories()),
        },
        Check::Operators => operators(evidence),
        Check::Posture => match evidence.posture {
            Some(_) => Ok("by the last assessment".to_owned()),
            None => Err((
                "no assessment lies in the state directory".to_owned(),
                "mailferry assess".to_owned(),
            )),
        },
    }
}

fn no_inventories() -> (String, String) {
    (
        "no inventories were given".to_owned(),
        "give --inventory and --target-inventory".to_owned(),
    )
}

fn licences(evidence: &Evidence<'_>) -> Result<String, (String, String)> {
    let Some(notes) = evidence.directory else {
        return Err(no_inventories());
    };
    let unknown = notes.iter().filter(|note| note.licence_unknown).count();
    if unknown == 0 {
        return Ok("SKUAssigned in the target's export".to_owned());
    }
    Err((
        format!(
            "the target's export does not say it of {} mailboxes",
            Count::new(unknown as u64)
        ),
        "export the target with the property SKUAssigned".to_owned(),
    ))
}

/// Only where a waiver counts does it matter who granted it.
fn operators(evidence: &Evidence<'_>) -> Result<String, (String, String)> {
    let counts = |standing: &Standing| *standing == Standing::Counts;
    if !evidence.waivers.iter().any(|(_, own)| counts(own)) {
        return Ok("no waiver is needed or counts".to_owned());
    }
    match evidence.runs_without_name {
        Count::ZERO => Ok(
            "every run says who operated it, and a waiver they granted does not count".to_owned(),
        ),
        n => Err((
            format!("{n} runs do not say who operated them"),
            "start runs with --name".to_owned(),
        )),
    }
}
