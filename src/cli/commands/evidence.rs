//! `mailferry evidence verify`: checks a pack offline and proves that one item is in it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::decisions::{damaged_key, read_signers, read_text};
use crate::cli::error::CommandError;
use crate::cli::evidence_args::{EvidenceAction, EvidenceArgs, EvidenceVerify};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::cli::wiring;
use crate::evidence::manifest::{Names, PseudonymKey};
use crate::evidence::merkle::hex;
use crate::report::pack_check::{CheckError, Checked, SignatureNote, Wanted, check};

/// The schema of `evidence verify --json`.
const SCHEMA: &str = "mailferry.evidence/1";

/// Runs the command.
pub fn run(args: &EvidenceArgs, ui: Ui) -> Result<Exit, CommandError> {
    let EvidenceAction::Verify(args) = &args.action;
    let signers = args
        .allowed_signers
        .as_deref()
        .map(read_signers)
        .transpose()?;
    let item = item(args)?;
    let runtime = wiring::runtime()?;
    let now = {
        let _inside = runtime.enter();
        wiring::clock().moment()
    };
    let wanted = Wanted {
        signers: signers.as_ref(),
        signed_by: &args.signed_by,
        item: item.as_deref(),
        now,
    };
    let found = check(&args.dir, &wanted).map_err(|error| match error {
        CheckError::NoPack => {
            CommandError::new(Exit::Refused, format!("{}: {error}", args.dir.display()))
                .hint("name a directory below state/evidence")
        }
        CheckError::Io(error) => CommandError::file(&args.dir, &error),
    })?;
    if ui.json {
        ui.data(&to_json(&found, signers.is_some()).to_string());
    } else {
        ui.data(&to_text(&found, signers.is_some()));
    }
    Ok(if found.problems.is_empty() {
        Exit::Done
    } else {
        Exit::Unexplained
    })
}

/// The item asked for, as the manifest names it.
fn item(args: &EvidenceVerify) -> Result<Option<String>, CommandError> {
    let Some(path) = &args.pseudonym_key else {
        return Ok(args.item.clone());
    };
    let text = read_text(path, 1_000)?.unwrap_or_default();
    let key = PseudonymKey::parse(&text).ok_or_else(|| damaged_key(path))?;
    let names = Names::Pseudonyms(key);
    Ok(args.item.as_deref().map(|item| names.item(item)))
}

fn headline(found: &Checked, known: bool) -> String {
    let n = found.problems.len();
    if n > 0 {
        return format!("Not good: {n} things do not check.");
    }
    let signed = match (found.signatures.len(), known) {
        (0, _) => "It is not signed: whoever can write all of it could have made it.".to_owned(),
        (n, false) => {
            format!("{n} signatures fit; whose keys they are was not checked (--allowed-signers).")
        }
        (_, true) => {
            let names: Vec<String> = found
                .signatures
                .iter()
                .map(|one| one.names.join(" = "))
                .collect();
            format!("Signed by {}.", names.join(", "))
        }
    };
    let leaves = found.pack.as_ref().map_or(0, |pack| pack.manifest.leaves);
    format!(
        "Good: every file is as it was written, {leaves} manifest lines add up to the balance. {signed}"
    )
}

fn to_text(found: &Checked, known: bool) -> String {
    let mut out = format!("{}\n", headline(found, known));
    for problem in &found.problems {
        writeln!(out, "  {problem}").expect("a string grows");
    }
    if let Some(pack) = &found.pack {
        let balance = found.balance.as_ref();
        let source = balance.map_or(0, |balance| balance.total.source);
        write!(
            out,
            "\nplan      {}\nedition   {}\npack.json {}\nroot      {} over {} lines\nlog       {} entries, head {}\nitems     {source} of the source",
            pack.plan.hash, pack.edition, found.digest, pack.manifest.root, pack.manifest.leaves, pack.log.entries, pack.log.head,
        )
        .expect("a string grows");
        for (bucket, n) in balance.iter().flat_map(|balance| &balance.total.buckets) {
            write!(out, ", {n} {}", crate::report::words::bucket(*bucket)).expect("a string grows");
        }
        out.push('\n');
    }
    for one in found.signatures.iter().chain(&found.waivers) {
        let names = if one.names.is_empty() {
            "key not on the list".to_owned()
        } else {
            one.names.join(", ")
        };
        writeln!(out, "signature over {}: {} ({names})", one.over, one.key)
            .expect("a string grows");
    }
    if let Some(proof) = &found.proof {
        write!(
            out,
            "\nitem      line {} of the manifest\n{}\n",
            proof.index + 1,
            proof.line
        )
        .expect("a string grows");
        for step in &proof.path {
            let side = if step.left { "left " } else { "right" };
            writeln!(out, "  {side} {}", hex(&step.hash)).expect("a string grows");
        }
    }
    out
}

fn to_json(found: &Checked, known: bool) -> Value {
    let notes = |list: &[SignatureNote]| -> Vec<Value> {
        list.iter()
            .map(|one| json!({"over": one.over, "key": one.key, "names": one.names}))
            .collect()
    };
    let proof = found.proof.as_ref().map(|proof| {
        let path: Vec<Value> = proof
            .path
            .iter()
            .map(|step| json!({"side": if step.left { "left" } else { "right" }, "sha256": hex(&step.hash)}))
            .collect();
        json!({"line": proof.line, "index": proof.index, "path": path})
    });
    json!({
        "schema": SCHEMA,
        "good": found.problems.is_empty(),
        "problems": found.problems,
        "pack_sha256": found.digest,
        "pack": found.pack,
        "total": found.balance.as_ref().map(|balance| &balance.total),
        "signers_known": known,
        "signatures": notes(&found.signatures),
        "waiver_signatures": notes(&found.waivers),
        "proof": proof,
    })
}
