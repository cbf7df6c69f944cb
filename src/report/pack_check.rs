//! Checks an evidence pack offline: every file, the log, the manifest's tree, the sums, the signatures. Needs the directory and nothing else.
//!
//! Memory: a line of the manifest, the sums per folder, and the documents that list exceptions and files. Reads a pack as something an
//! adversary may have written: no link is followed, no path leaves the directory, every document has a bound.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::base::quantity::Moment;
use crate::evidence::chain;
use crate::evidence::manifest::ItemLine;
use crate::evidence::merkle::{Step, Tree, hex};
use crate::evidence::pack::{
    BALANCE_FILE, BalanceDocument, DIGEST_FILE, EXCEPTIONS_FILE, ExceptionNote, FileNote, LOG_FILE,
    MANIFEST_FILE, PACK_FILE, PACK_MAX, Pack, SIGNATURES_DIR, Tally, WAIVERS_DIR,
    exceptions_against,
};
use crate::evidence::signers::Signers;
use crate::evidence::sshsig::{self, APPROVAL, REQUEST, Signed};
use crate::evidence::waiver::Waiver;
use crate::report::pack_write::digest_line;

/// A line of a manifest longer than this is none: a class has at most 255 characters, a target id some hundred.
const LINE_MAX: usize = 16_384;

/// Documents that are read whole: a million exceptions of 250 bytes.
const DOCUMENT_MAX: u64 = 250_000_000;

/// Files of a pack, signatures included.
const FILES_MAX: usize = 20_000;

/// Problems that are told; a pack that was replaced has as many as it has lines.
const PROBLEMS_MAX: usize = 100;

/// Why a directory cannot be checked at all.
#[derive(Debug, Error)]
pub enum CheckError {
    /// It is no pack.
    #[error("no evidence pack: it has no {PACK_FILE}")]
    NoPack,
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Who must have signed, and which item is to be proven.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    /// Whose keys count.
    pub signers: Option<&'a Signers>,
    /// People who must have signed the pack.
    pub signed_by: &'a [String],
    /// An item, as the manifest names it.
    pub item: Option<&'a str>,
    /// The time for which keys are valid.
    pub now: Moment,
}

/// A signature that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureNote {
    /// Over which file.
    pub over: String,
    /// The key's fingerprint.
    pub key: String,
    /// Whose key it is, where the list of signers says so.
    pub names: Vec<String>,
}

/// An item with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Its line, as it was hashed.
    pub line: String,
    /// Its place, from 0.
    pub index: u64,
    /// From the leaf to the root.
    pub path: Vec<Step>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Checked {
    /// The document, where it could be read.
    pub pack: Option<Pack>,
    /// SHA-256 of `pack.json`.
    pub digest: String,
    /// Everything that does not check. Empty for a good pack.
    pub problems: Vec<String>,
    /// Signatures over the pack that fit.
    pub signatures: Vec<SignatureNote>,
    /// Signatures over waivers that fit.
    pub waivers: Vec<SignatureNote>,
    /// The item asked for.
    pub proof: Option<Proof>,
    /// The balance, where it could be read.
    pub balance: Option<BalanceDocument>,
}

impl Checked {
    fn bad(&mut self, what: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(what.into());
        }
    }
}

/// Checks everything there is to check.
pub fn check(dir: &Path, wanted: &Wanted<'_>) -> Result<Checked, CheckError> {
    let mut out = Checked::default();
    let found = list(dir, &mut out)?;
    if !found.contains(PACK_FILE) {
        return Err(CheckError::NoPack);
    }
    let Some(text) = whole(dir, PACK_FILE, PACK_MAX as u64, &mut out)? else {
        return Ok(out);
    };
    out.digest = sshsig::sha256(&text);
    let digest = if found.contains(DIGEST_FILE) {
        whole(dir, DIGEST_FILE, 1_000, &mut out)?
    } else {
        None
    };
    if digest.as_deref() != Some(digest_line(&out.digest).as_bytes()) {
        out.bad(format!("{DIGEST_FILE}: not the digest of {PACK_FILE}"));
    }
    signatures(dir, &text, &found, wanted, &mut out)?;
    let pack = String::from_utf8(text).ok().map(|text| Pack::parse(&text));
    match pack {
        None => out.bad(format!("{PACK_FILE}: not UTF-8")),
        Some(Err(fault)) => out.bad(fault.to_string()),
        Some(Ok(pack)) => {
            files(dir, &pack, &found, &mut out)?;
            contents(dir, &pack, wanted, &mut out)?;
            out.pack = Some(pack);
        }
    }
    Ok(out)
}

/// Every file in the directory and the directories in it; what is neither is a problem.
fn list(dir: &Path, out: &mut Checked) -> std::io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![(dir.to_owned(), String::new())];
    while let Some((dir, prefix)) = waiting.pop() {
        for entry in std::fs::read_dir(&dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let path = format!("{prefix}{}", name.to_string_lossy());
            // Does not follow links.
            let kind = entry.file_type()?;
            if kind.is_file() {
                found.insert(path);
            } else if kind.is_dir()
                && prefix.is_empty()
                && matches!(&*path, SIGNATURES_DIR | WAIVERS_DIR)
            {
                waiting.push((entry.path(), format!("{path}/")));
            } else {
                out.bad(format!("{}: no file of a pack", shown(&path)));
            }
            if found.len() > FILES_MAX {
                out.bad("more files than a pack has");
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// A file's name on one line.
fn shown(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).take(120).collect()
}

fn whole(
    dir: &Path,
    path: &str,
    at_most: u64,
    out: &mut Checked,
) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(dir.join(path))?
        .take(at_most + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > at_most {
        out.bad(format!("{path}: larger than it can be"));
        return Ok(None);
    }
    Ok(Some(bytes))
}

/// The files that are there against those that are listed.
fn files(
    dir: &Path,
    pack: &Pack,
    found: &BTreeSet<String>,
    out: &mut Checked,
) -> std::io::Result<()> {
    let listed: BTreeMap<&str, &FileNote> = pack
        .files
        .iter()
        .map(|file| (file.path.as_str(), file))
        .collect();
    for path in found {
        let outside =
            matches!(path.as_str(), PACK_FILE | DIGEST_FILE) || path.starts_with("signatures/");
        if !outside && !listed.contains_key(path.as_str()) {
            out.bad(format!("{}: not listed in {PACK_FILE}", shown(path)));
        }
    }
    for file in &pack.files {
        if !found.contains(&file.path) {
            out.bad(format!("{}: missing", file.path));
            continue;
        }
        let (bytes, digest) = hash(&dir.join(&file.path))?;
        if bytes != file.bytes || digest != file.sha256 {
            out.bad(format!("{}: changed", file.path));
        }
    }
    for path in [
        MANIFEST_FILE,
        LOG_FILE,
        BALANCE_FILE,
        EXCEPTIONS_FILE,
        "rules.txt",
        "scope.json",
        "baseline.json",
    ] {
        if !listed.contains_key(path) {
            out.bad(format!("{PACK_FILE}: does not list {path}"));
        }
    }
    Ok(())
}

fn hash(path: &Path) -> std::io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let bytes = std::io::copy(&mut file, &mut hash)?;
    Ok((bytes, hex(&hash.finalize())))
}

/// What stands in the files, against each other. A file that is missing was named before.
fn contents(
    dir: &Path,
    pack: &Pack,
    wanted: &Wanted<'_>,
    out: &mut Checked,
) -> std::io::Result<()> {
    let text = |path: &str, out: &mut Checked| -> std::io::Result<Option<String>> {
        if !dir.join(path).is_file() {
            return Ok(None);
        }
        let bytes = whole(dir, path, DOCUMENT_MAX, out)?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        if text.is_none() {
            out.bad(format!("{path}: not readable"));
        }
        Ok(text)
    };
    if let Some(log) = text(LOG_FILE, out)? {
        match chain::read(&log) {
            Err(broken) => out.bad(format!("{LOG_FILE}: {broken}")),
            Ok((chain, _))
                if chain.entries() != pack.log.entries || chain.head() != pack.log.head =>
            {
                out.bad(format!("{LOG_FILE}: does not end where {PACK_FILE} says"));
            }
            Ok(_) => {}
        }
    }
    let mut read = BTreeMap::new();
    for path in [BALANCE_FILE, EXCEPTIONS_FILE] {
        if let Some(text) = text(path, out)? {
            read.insert(path, text);
        }
    }
    let balance = document::<BalanceDocument>(&read, BALANCE_FILE, out);
    let exceptions = document::<Vec<ExceptionNote>>(&read, EXCEPTIONS_FILE, out);
    let tally = manifest(dir, pack, wanted, out)?;
    if let (Some(balance), Some(tally)) = (&balance, tally) {
        for problem in tally.against(balance) {
            out.bad(problem);
        }
    }
    if let (Some(balance), Some(exceptions)) = (&balance, &exceptions) {
        for problem in exceptions_against(exceptions, balance) {
            out.bad(problem);
        }
    }
    out.balance = balance;
    waivers(dir, pack, wanted, out)
}

fn document<T: serde::de::DeserializeOwned>(
    read: &BTreeMap<&str, String>,
    path: &str,
    out: &mut Checked,
) -> Option<T> {
    let parsed = serde_json::from_str::<T>(read.get(path)?);
    if parsed.is_err() {
        out.bad(format!("{path}: not the document it should be"));
    }
    parsed.ok()
}

/// The manifest, line by line: order, sums, root, and the item asked for.
fn manifest(
    dir: &Path,
    pack: &Pack,
    wanted: &Wanted<'_>,
    out: &mut Checked,
) -> std::io::Result<Option<Tally>> {
    let path = dir.join(MANIFEST_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let mut lines = Lines::over(File::open(path)?);
    let (mut tree, mut tally, mut sound) = (Tree::default(), Tally::default(), true);
    let mut proven: Option<(String, u64)> = None;
    while let Some(line) = lines.next()? {
        let number = tree.leaves() + 1;
        let Some(item) = std::str::from_utf8(line)
            .ok()
            .and_then(|text| serde_json::from_str::<ItemLine>(text).ok())
        else {
            out.bad(format!("{MANIFEST_FILE}: line {number}: no item"));
            sound = false;
            break;
        };
        if let Err(why) = tally.add(&item) {
            out.bad(format!("{MANIFEST_FILE}: line {number}: {why}"));
        }
        let wanted = proven.is_none() && wanted.item == Some(&*item.item);
        if wanted {
            proven = Some((String::from_utf8_lossy(line).into_owned(), number - 1));
        }
        tree.push(line, wanted);
    }
    if !lines.ended {
        out.bad(format!("{MANIFEST_FILE}: its last line is not ended"));
    }
    let leaves = tree.leaves();
    let (root, path) = tree.finish();
    if leaves != pack.manifest.leaves || hex(&root) != pack.manifest.root {
        out.bad(format!(
            "{MANIFEST_FILE}: another Merkle root than {PACK_FILE} names"
        ));
    } else if let Some((line, index)) = proven {
        out.proof = Some(Proof { line, index, path });
    }
    if wanted.item.is_some() && out.proof.is_none() {
        out.bad("the item asked for is not in the manifest");
    }
    Ok(sound.then_some(tally))
}

/// Lines of bounded length.
struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
    /// False when the last line lacked its end.
    ended: bool,
}

impl Lines {
    fn over(file: File) -> Self {
        Self {
            file: BufReader::new(file),
            line: Vec::new(),
            ended: true,
        }
    }

    fn next(&mut self) -> std::io::Result<Option<&[u8]>> {
        self.line.clear();
        let n = (&mut self.file)
            .take(LINE_MAX as u64)
            .read_until(b'\n', &mut self.line)?;
        if n == 0 {
            return Ok(None);
        }
        self.ended = self.line.pop_if(|last| *last == b'\n').is_some();
        Ok(Some(&self.line))
    }
}

/// Every file of the directory of signatures must be one, over this very `pack.json`, under the name of its key.
fn signatures(
    dir: &Path,
    pack: &[u8],
    found: &BTreeSet<String>,
    wanted: &Wanted<'_>,
    out: &mut Checked,
) -> std::io::Result<()> {
    for path in found.iter().filter(|path| path.starts_with("signatures/")) {
        let Some(armour) = whole(dir, path, sshsig::FILE_MAX as u64, out)? else {
            continue;
        };
        match sshsig::verify(pack, &armour, sshsig::PACK) {
            Ok(signed) if *path == format!("{SIGNATURES_DIR}/{}", signed.file_name()) => {
                let names = names(&signed, sshsig::PACK, wanted);
                if wanted.signers.is_some() && names.is_empty() {
                    out.bad(format!(
                        "{path}: a key that the list of signers does not let sign packs"
                    ));
                }
                out.signatures.push(SignatureNote {
                    over: PACK_FILE.to_owned(),
                    key: signed.fingerprint(),
                    names,
                });
            }
            Ok(_) => out.bad(format!(
                "{}: does not bear the name of its key",
                shown(path)
            )),
            Err(fault) => out.bad(format!("{}: {fault}", shown(path))),
        }
    }
    if wanted.signers.is_some() && out.signatures.iter().all(|one| one.names.is_empty()) {
        out.bad("nobody on the list of signers has signed the pack");
    }
    for name in wanted.signed_by {
        let signed = out
            .signatures
            .iter()
            .any(|one| one.names.iter().any(|own| own == name));
        if !signed {
            out.bad(format!("{} has not signed the pack", shown(name)));
        }
    }
    Ok(())
}

fn names(signed: &Signed, namespace: &str, wanted: &Wanted<'_>) -> Vec<String> {
    let names = wanted
        .signers
        .map(|signers| signers.names(signed.key(), namespace, wanted.now));
    names.into_iter().flatten().map(str::to_owned).collect()
}

/// Waivers are documents of their one form, and the signatures beside them fit.
fn waivers(dir: &Path, pack: &Pack, wanted: &Wanted<'_>, out: &mut Checked) -> std::io::Result<()> {
    let there =
        |name: &str| pack.files.iter().any(|file| file.path == name) && dir.join(name).is_file();
    for file in &pack.files {
        let Some(id) = file
            .path
            .strip_prefix("waivers/")
            .and_then(|name| name.strip_suffix(".json"))
        else {
            continue;
        };
        if !there(&file.path) {
            continue;
        }
        let Some(bytes) = whole(dir, &file.path, DOCUMENT_MAX, out)? else {
            continue;
        };
        let parsed = std::str::from_utf8(&bytes).ok().map(Waiver::parse);
        if !matches!(&parsed, Some(Ok(waiver)) if waiver.id == id) {
            out.bad(format!("{}: no waiver of that name", file.path));
            continue;
        }
        for (role, namespace) in [("request", REQUEST), ("approval", APPROVAL)] {
            let path = format!("{WAIVERS_DIR}/{id}.{role}.sig");
            if !there(&path) {
                continue;
            }
            let Some(armour) = whole(dir, &path, sshsig::FILE_MAX as u64, out)? else {
                continue;
            };
            match sshsig::verify(&bytes, &armour, namespace) {
                Ok(signed) => out.waivers.push(SignatureNote {
                    over: format!("{id} ({role})"),
                    key: signed.fingerprint(),
                    names: names(&signed, namespace, wanted),
                }),
                Err(fault) => out.bad(format!("{path}: {fault}")),
            }
        }
    }
    Ok(())
}
