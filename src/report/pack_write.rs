//! Writes an evidence pack: the same ledger, decisions and program give the same bytes. No clock is asked, no machine named.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::base::fact::{Bucket, FolderFate, FolderRow, JobRow};
use crate::base::quantity::Count;
use crate::base::spec::Realm;
use crate::evidence::balance::{Balance, MailboxBalance};
use crate::evidence::manifest::Names;
use crate::evidence::merkle::{Tree, hex};
use crate::evidence::pack::{
    BALANCE_FILE, BALANCE_SCHEMA, BalanceDocument, DIGEST_FILE, EXCEPTIONS_FILE, ExceptionNote,
    LOG_FILE, LogNote, MANIFEST_FILE, MailboxSums, PACK_FILE, Pack, PlanNote, SCHEMA,
    SIGNATURES_DIR, Sums, ToolNote, TreeNote, WAIVERS_DIR, pretty,
};
use crate::evidence::{chain, rules, sshsig, verdict};
use crate::plan::document::Plan;
use crate::port::ledger::{Ledger, LedgerError};
use crate::report::pack_dir::{PackDir, make_dir};
use crate::report::pack_manifest::{ManifestWriter, listed};
use crate::report::words;

/// Why no pack was written.
#[derive(Debug, Error)]
pub enum PackError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file cannot be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The log of decisions is damaged.
    #[error(transparent)]
    Log(#[from] chain::Broken),
    /// Two readings of one ledger differ.
    #[error("two readings of the ledger do not agree on {0}")]
    Disagree(String),
}

/// What a pack is made of.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The ledger.
    pub ledger: &'a dyn Ledger,
    /// The balance taken from it.
    pub balance: &'a Balance,
    /// The last result of `verify`.
    pub verification: Option<&'a Value>,
    /// The log of decisions, as far as it belongs into the pack.
    pub log: &'a str,
    /// Files of waivers and the signatures over them, by name.
    pub waivers: &'a [(String, Vec<u8>)],
    /// How things are called.
    pub names: &'a Names,
    /// The program.
    pub tool: ToolNote,
}

/// A pack on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenPack {
    /// Its directory.
    pub dir: PathBuf,
    /// SHA-256 of its `pack.json`.
    pub digest: String,
    /// Lines of its manifest.
    pub leaves: u64,
    /// Their Merkle root.
    pub root: String,
}

/// Writes a pack below `home`. A pack of the same bytes that is there already stays, with the signatures it has.
pub async fn write(home: &Path, sources: &Sources<'_>) -> Result<WrittenPack, PackError> {
    make_dir(home)?;
    let part = home.join("unfinished");
    let mut dir = PackDir::begin(&part)?;
    let jobs = sources.ledger.jobs().await?;
    dir.put("rules.txt", rules::text().as_bytes())?;
    dir.put("scope.json", scope(sources, &jobs).as_bytes())?;
    let tree = items(&mut dir, sources, &jobs).await?;
    let exceptions = pretty(&exceptions(sources));
    dir.put(EXCEPTIONS_FILE, exceptions.as_bytes())?;
    if let Some(found) = sources.verification {
        let text = pretty(&verdict::publish(found, sources.names));
        dir.put("verification.json", text.as_bytes())?;
    }
    if !sources.waivers.is_empty() {
        dir.directory(WAIVERS_DIR)?;
        for (name, bytes) in sources.waivers {
            dir.put(&format!("{WAIVERS_DIR}/{name}"), bytes)?;
        }
    }
    let (log, _) = chain::read(sources.log)?;
    dir.put(LOG_FILE, sources.log.as_bytes())?;
    let pack = Pack {
        schema: SCHEMA.to_owned(),
        edition: sources.names.edition().to_owned(),
        plan: PlanNote {
            hash: sources.plan.hash().as_str().to_owned(),
            realm: realm(sources.plan.realm).to_owned(),
        },
        tool: sources.tool.clone(),
        files: dir.files(),
        manifest: tree.clone(),
        log: LogNote {
            entries: log.entries(),
            head: log.head(),
        },
    };
    let text = pack.render();
    let digest = sshsig::sha256(text.as_bytes());
    dir.put(PACK_FILE, text.as_bytes())?;
    dir.put(DIGEST_FILE, digest_line(&digest).as_bytes())?;
    dir.directory(SIGNATURES_DIR)?;
    let name = format!("{}-{}", pack.edition, &digest[..16]);
    let dir = home.join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&part)?;
    } else {
        std::fs::rename(&part, &dir)?;
    }
    Ok(WrittenPack {
        dir,
        digest,
        leaves: tree.leaves,
        root: tree.root,
    })
}

/// The content of the digest file, as `sha256sum` writes it.
pub fn digest_line(digest: &str) -> String {
    format!("{digest}  {PACK_FILE}\n")
}

const fn realm(realm: Realm) -> &'static str {
    match realm {
        Realm::Live => "live",
        Realm::Rehearsal => "rehearsal",
    }
}

/// Manifest, baseline and balance: what comes out of the rows, in one reading.
async fn items(
    dir: &mut PackDir,
    sources: &Sources<'_>,
    jobs: &[JobRow],
) -> Result<TreeNote, PackError> {
    let mut writer = ManifestWriter {
        ledger: sources.ledger,
        names: sources.names,
        file: dir.open(MANIFEST_FILE)?,
        tree: Tree::default(),
        dir: dir.path().to_owned(),
    };
    let mut balance = BalanceDocument {
        schema: BALANCE_SCHEMA.to_owned(),
        total: Sums::default(),
        mailboxes: Vec::new(),
    };
    let mut baseline = Vec::new();
    for job in jobs {
        let mut mailbox = MailboxSums {
            job: job.job.to_string(),
            source: sources.names.mailbox(&job.source),
            target: sources.names.mailbox(&job.target),
            phase: words::phase_key(job.phase).to_owned(),
            sums: Sums::default(),
            folders: Vec::new(),
        };
        let mut folders = Vec::new();
        for row in sources.ledger.folders(job.job).await? {
            let sums = writer.folder(job, &row).await?;
            // A folder that went, with nothing left that is on the source.
            if row.gone && listed(&sums) == Count::ZERO {
                continue;
            }
            folders.push(baseline_folder(&row, &sums.path, listed(&sums).get()));
            mailbox.sums.add(&sums);
            mailbox.folders.push(sums);
        }
        baseline.push(json!({"job": mailbox.job, "folders": folders}));
        agree(sources.balance, &mailbox)?;
        balance.total.join(&mailbox.sums);
        balance.mailboxes.push(mailbox);
    }
    let ManifestWriter { file, tree, .. } = writer;
    dir.close(MANIFEST_FILE, file)?;
    let baseline = json!({"schema": "mailferry.pack-baseline/1", "mailboxes": baseline});
    dir.put("baseline.json", pretty(&baseline).as_bytes())?;
    dir.put(BALANCE_FILE, pretty(&balance).as_bytes())?;
    let leaves = tree.leaves();
    let root = hex(&tree.finish().0);
    Ok(TreeNote { leaves, root })
}

/// The balance of the report and the sums of the pack are two readings of one ledger. Where they differ, neither goes out.
fn agree(balance: &Balance, mailbox: &MailboxSums) -> Result<(), PackError> {
    let found = balance
        .mailboxes
        .iter()
        .find(|other| other.job.to_string() == mailbox.job)
        .map(MailboxBalance::totals);
    let same = found.is_some_and(|totals| {
        totals.source.get() == mailbox.sums.source
            && totals.left_out.get() == mailbox.sums.left_out
            && totals.buckets.iter().all(|(bucket, n)| {
                let own = mailbox
                    .sums
                    .buckets
                    .get(bucket)
                    .copied()
                    .unwrap_or_default();
                let unlisted = match bucket {
                    Bucket::Remaining => mailbox.sums.unlisted,
                    _ => 0,
                };
                own + unlisted == n.get()
            })
    });
    if same {
        Ok(())
    } else {
        Err(PackError::Disagree(mailbox.job.clone()))
    }
}

/// What the hierarchy of the source said, against what its listings showed.
fn baseline_folder(row: &FolderRow, path: &str, listed: u64) -> Value {
    json!({
        "folder": row.no.0,
        "path": path,
        "class": row.class,
        "role": row.role.map(crate::base::mailbox::FolderRole::english),
        "left_out": match row.fate {
            FolderFate::Carry => None,
            FolderFate::LeftOut(rule) => Some(rule.name()),
        },
        "items_by_hierarchy": row.items.get(),
        "items_listed": listed,
        "listed_to_the_end": row.swept,
    })
}

fn scope(sources: &Sources<'_>, jobs: &[JobRow]) -> String {
    #[derive(Serialize)]
    struct Mailbox {
        job: String,
        wave: usize,
        source: String,
        target: String,
        disposition: &'static str,
    }
    let plan = sources.plan;
    let waves = plan.waves.iter().enumerate();
    let pairs = waves.flat_map(|(at, wave)| wave.mailboxes.iter().map(move |pair| (at + 1, pair)));
    let mailboxes: Vec<Mailbox> = plan
        .jobs()
        .iter()
        .zip(pairs)
        .map(|(job, (wave, pair))| Mailbox {
            job: job.job.to_string(),
            wave,
            source: sources.names.mailbox(&pair.source),
            target: sources.names.mailbox(&pair.target),
            disposition: jobs
                .iter()
                .find(|row| row.job == job.job)
                .map_or("not begun", |row| words::phase(row.phase)),
        })
        .collect();
    let select = plan.select.to_selection();
    let internal = matches!(sources.names, Names::Revealed);
    pretty(&json!({
        "schema": "mailferry.pack-scope/1",
        "plan": plan.hash().as_str(),
        "plan_name": internal.then_some(&plan.name),
        "realm": realm(plan.realm),
        "waves": plan.waves.len(),
        "mailboxes": mailboxes,
        "select": {
            "exclude_folders": plan.select.exclude_folders.len(),
            "exclude_folders_named": internal.then_some(&plan.select.exclude_folders),
            "older_than": plan.select.older_than,
            "max_item_bytes": select.max_item_size.get(),
        },
    }))
}

fn exceptions(sources: &Sources<'_>) -> Vec<ExceptionNote> {
    let mut out = Vec::new();
    for mailbox in &sources.balance.mailboxes {
        let names = sources.names;
        let mut own: Vec<ExceptionNote> = mailbox
            .exceptions
            .iter()
            // What waits to be looked into is not carried yet, as others are not; a pack lists what will not be.
            .filter(|exception| exception.bucket != Bucket::Remaining)
            .map(|exception| ExceptionNote {
                job: mailbox.job.to_string(),
                folder: names.folder(&mailbox.source, exception.folder.as_str()),
                item: names.item(&exception.item.to_string()),
                class: exception.class.as_str().to_owned(),
                bucket: exception.bucket,
                why: exception.why.clone(),
            })
            .collect();
        own.sort_by(|a, b| (&a.folder, &a.item).cmp(&(&b.folder, &b.item)));
        out.extend(own);
    }
    out
}
