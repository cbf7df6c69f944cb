//! Evidence packs of a plan: gathers what one is made of, and writes it into the state directory.

use std::path::PathBuf;

use serde_json::Value;

use crate::cli::commands::report::{REPORTS_DIR, VERIFY_FILE};
use crate::cli::decisions::{Decisions, read_text};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::OpenPlan;
use crate::evidence::balance::Balance;
use crate::evidence::manifest::Names;
use crate::evidence::merkle::hex;
use crate::evidence::pack::ToolNote;
use crate::port::ledger::Ledger;
use crate::report::pack_write::{PackError, Sources, WrittenPack, write};

/// The directory of packs inside a state directory.
pub const EVIDENCE_DIR: &str = "evidence";

/// A verification larger than this is none: a million findings of 250 bytes.
const VERIFY_MAX: u64 = 250_000_000;

/// Writes the pack of an edition.
pub async fn pack(
    open: &OpenPlan,
    ledger: &dyn Ledger,
    balance: &Balance,
    decisions: &Decisions,
    reveal: bool,
) -> Result<WrittenPack, CommandError> {
    let names = if reveal {
        Names::Revealed
    } else {
        Names::Pseudonyms(decisions.pseudonym_key()?)
    };
    let verification = verification(open)?;
    let waivers = decisions.waiver_files()?;
    let home = open.state.join(EVIDENCE_DIR);
    let sources = Sources {
        plan: &open.plan,
        ledger,
        balance,
        verification: verification.as_ref(),
        log: decisions.for_pack(),
        waivers: &waivers,
        names: &names,
        tool: ToolNote {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: own_digest(),
        },
    };
    write(&home, &sources).await.map_err(|error| match error {
        PackError::Ledger(error) => error.into(),
        PackError::Io(error) => CommandError::file(&home, &error),
        other @ (PackError::Log(_) | PackError::Disagree(_)) => {
            CommandError::new(Exit::Internal, other.to_string()).hint("please report this")
        }
    })
}

/// The last result of `verify`, where there is one.
pub fn verification(open: &OpenPlan) -> Result<Option<Value>, CommandError> {
    let path: PathBuf = open.state.join(REPORTS_DIR).join(VERIFY_FILE);
    let text = read_text(&path, VERIFY_MAX)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// SHA-256 of the running program's file.
fn own_digest() -> Option<String> {
    use sha2::{Digest as _, Sha256};
    let mut file = std::fs::File::open(std::env::current_exe().ok()?).ok()?;
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut hash).ok()?;
    Some(hex(&hash.finalize()))
}
