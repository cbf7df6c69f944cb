//! What people decided about a plan: the chained log, the waivers with their signatures, and the key of pseudonyms, in the state directory.
//!
//! Whoever opens this holds the ledger's lock already, so that two processes never append to one log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::base::fact::Decision;
use crate::base::id::{PlanHash, RunId};
use crate::base::quantity::{Count, Moment};
use crate::cli::commands::report::{REPORTS_DIR, VERIFY_FILE};
use crate::cli::commands::waive::named;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::plans::OpenPlan;
use crate::evidence::chain::{self, Chain, Entry, Kind, Saying};
use crate::evidence::manifest::PseudonymKey;
use crate::evidence::pack::WAIVERS_DIR;
use crate::evidence::runs::Figures;
use crate::evidence::signers::Signers;
use crate::evidence::sshsig::{self, APPROVAL, REQUEST};
use crate::evidence::verdict::Verdict;
use crate::evidence::waiver::{SignedWaiver, Standing, Voice, Waiver};
use crate::report::narrator::{JOURNAL_FILE, replace};

/// The log in a state directory.
const DECISIONS_FILE: &str = "decisions.jsonl";

/// The key of pseudonyms in a state directory.
pub const KEY_FILE: &str = "evidence.key";

/// The list of signers beside a plan.
const SIGNERS_FILE: &str = "allowed_signers";

/// A log larger than this is none: ten thousand runs with 1 KB each are 10 MB.
const LOG_MAX: u64 = 100_000_000;

/// The decisions of a plan.
#[derive(Debug)]
pub struct Decisions {
    state: PathBuf,
    plan: PlanHash,
    chain: Chain,
    entries: Vec<Entry>,
    text: String,
}

impl Decisions {
    /// Reads the log and takes in what runs and verifications have left since.
    pub fn open(open: &OpenPlan) -> Result<Self, CommandError> {
        let path = open.state.join(DECISIONS_FILE);
        let text = read_text(&path, LOG_MAX)?.unwrap_or_default();
        let (chain, entries) = chain::read(&text).map_err(|broken| {
            CommandError::new(Exit::Refused, format!("{}: {broken}", path.display()))
                .hint("restore the file from a copy; an evidence pack holds one as log.jsonl")
        })?;
        let mut out = Self {
            state: open.state.clone(),
            plan: open.header.plan.clone(),
            chain,
            entries,
            text,
        };
        out.observe_runs()?;
        out.observe_verification()?;
        Ok(out)
    }

    /// Appends to the log, durable when this returns.
    pub fn append(&mut self, saying: Saying) -> Result<(), CommandError> {
        let path = self.state.join(DECISIONS_FILE);
        let mut chain = self.chain;
        let mut line = chain.append(saying);
        if line.len() > chain::LINE_MAX {
            return Err(
                CommandError::new(Exit::Refused, "too long for the log of decisions")
                    .hint("say it shorter"),
            );
        }
        line.push('\n');
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        owner_only(&mut options);
        let failed = |error: &std::io::Error| CommandError::file(&path, error);
        let mut file = options.open(&path).map_err(|error| failed(&error))?;
        let whole = file.metadata().map_err(|error| failed(&error))?.len();
        let kept = file
            .write_all(line.as_bytes())
            .and_then(|()| file.sync_all());
        if let Err(error) = kept {
            // Half a line would break the chain for good.
            let _ = file.set_len(whole);
            return Err(failed(&error));
        }
        let mut check = self.chain;
        if let Ok(entry) = check.follow(line.trim_end_matches('\n')) {
            self.entries.push(entry);
        }
        self.chain = chain;
        self.text.push_str(&line);
        Ok(())
    }

    /// Keeps who begins a run.
    pub fn operated_by(&mut self, name: &str, now: Moment) -> Result<(), CommandError> {
        self.append(Saying {
            at: now.to_string(),
            kind: Kind::Run,
            who: Some(named(name)?),
            facts: BTreeMap::from([
                ("event".into(), json!("operator")),
                ("process".into(), json!(std::process::id())),
            ]),
        })
    }

    /// Keeps what a run did.
    pub fn ran(&mut self, run: &RunId, figures: &Figures, now: Moment) -> Result<(), CommandError> {
        self.append(Saying {
            at: now.to_string(),
            kind: Kind::Run,
            who: None,
            facts: figures.facts(run.as_str()),
        })
    }

    /// Every entry of the log.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Runs that began without a word of who operates them. A run's name ends with its process.
    pub fn runs_without_name(&self) -> Count {
        let word = |entry: &Entry, key: &str| {
            let value = entry.facts.get(key).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let runs = || self.entries.iter().filter(|entry| entry.kind == Kind::Run);
        let named: BTreeSet<String> = runs()
            .filter(|entry| entry.who.is_some())
            .filter_map(|entry| entry.facts.get("process").and_then(Value::as_u64))
            .map(|process| format!("-{process}"))
            .collect();
        let begun: BTreeSet<String> = runs()
            .filter(|entry| word(entry, "event") == "run_started")
            .map(|entry| word(entry, "run"))
            .collect();
        let strangers = begun.iter().filter(|run| {
            let process = run.rfind('-').map_or("", |at| &run[at..]);
            !named.contains(process)
        });
        Count::new(strangers.count() as u64)
    }

    /// The log as far as it belongs into a pack: without the signatures over packs at its end, so that signing a pack does not make another
    /// one out of it.
    pub fn for_pack(&self) -> &str {
        let tail = self
            .entries
            .iter()
            .rev()
            .take_while(|entry| entry.kind == Kind::PackSigned)
            .count();
        let keep = self.entries.len() - tail;
        let end: usize = self
            .text
            .split_inclusive('\n')
            .take(keep)
            .map(str::len)
            .sum();
        &self.text[..end]
    }

    /// Keeps what a person decided about items that waited for one.
    pub fn resolved(
        &mut self,
        decision: &Decision,
        what: &str,
        items: Count,
    ) -> Result<(), CommandError> {
        self.append(Saying {
            at: decision.at.to_string(),
            kind: Kind::Resolved,
            who: Some(decision.by.clone()),
            facts: BTreeMap::from([
                ("what".into(), json!(what)),
                ("items".into(), json!(items.get())),
                ("reason".into(), json!(decision.why)),
            ]),
        })
    }

    /// What runs wrote into the journal about their beginning and their end.
    fn observe_runs(&mut self) -> Result<(), CommandError> {
        let path = self.state.join(JOURNAL_FILE);
        let Ok(file) = File::open(&path) else {
            return Ok(());
        };
        let of = |facts: &BTreeMap<String, Value>| {
            let word = |key: &str| {
                facts
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            (word("run"), word("event"))
        };
        let mut known: BTreeSet<(String, String)> = self
            .entries
            .iter()
            .filter(|entry| entry.kind == Kind::Run)
            .map(|entry| of(&entry.facts))
            .collect();
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(|error| CommandError::file(&path, &error))?;
            let has = |word: &[u8]| line.windows(word.len()).any(|part| part == word);
            if !has(b"\"run_started\"") && !has(b"\"run_ended\"") {
                continue;
            }
            // A line cut by a crash says nothing.
            let Ok(event) = serde_json::from_slice::<Value>(&line) else {
                continue;
            };
            let facts: BTreeMap<String, Value> = ["run", "event", "jobs"]
                .iter()
                .filter(|key| !event[**key].is_null())
                .map(|key| ((*key).to_owned(), event[*key].clone()))
                .collect();
            if known.insert(of(&facts)) {
                self.append(Saying {
                    at: event["at"].as_str().unwrap_or_default().to_owned(),
                    kind: Kind::Run,
                    who: None,
                    facts,
                })?;
            }
        }
        Ok(())
    }

    /// The last result of `verify`, by its digest.
    fn observe_verification(&mut self) -> Result<(), CommandError> {
        let path = self.state.join(REPORTS_DIR).join(VERIFY_FILE);
        let Some(text) = read_text(&path, LOG_MAX)? else {
            return Ok(());
        };
        let digest = sshsig::sha256(text.as_bytes());
        let last = self
            .entries
            .iter()
            .rev()
            .find(|entry| entry.kind == Kind::Verification);
        if last.is_some_and(|last| last.facts.get("sha256") == Some(&json!(digest))) {
            return Ok(());
        }
        let Some(verdict) = parse_verdict(&text) else {
            return Ok(());
        };
        let unexplained: u64 = verdict
            .mailboxes
            .iter()
            .map(|own| own.unexplained.get())
            .sum();
        self.append(Saying {
            at: verdict.at.unwrap_or_default(),
            kind: Kind::Verification,
            who: None,
            facts: BTreeMap::from([
                ("sha256".into(), json!(digest)),
                ("grade".into(), json!(verdict.grade)),
                ("level".into(), json!(verdict.level)),
                ("unexplained".into(), json!(unexplained)),
            ]),
        })
    }

    /// The directory of waivers.
    pub fn waivers_dir(&self) -> PathBuf {
        self.state.join(WAIVERS_DIR)
    }

    /// The waiver of that id with its bytes.
    pub fn waiver(&self, id: &str) -> Result<(Waiver, String), CommandError> {
        let plain = id.len() <= 10 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        let path = self.waivers_dir().join(format!("{id}.json"));
        let missing = || {
            CommandError::new(Exit::Refused, "no waiver of that id")
                .hint("mailferry waive PLAN list")
        };
        if !plain {
            return Err(missing());
        }
        let text = read_text(&path, 1_000_000)?.ok_or_else(missing)?;
        let waiver = Waiver::parse(&text).map_err(|fault| {
            CommandError::new(Exit::Refused, format!("{}: {fault}", path.display()))
        })?;
        Ok((waiver, text))
    }

    /// Every waiver's id, in order.
    pub fn waiver_ids(&self) -> Result<Vec<String>, CommandError> {
        let dir = self.waivers_dir();
        let Ok(entries) = std::fs::read_dir(&dir) else {
            return Ok(Vec::new());
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry
                .map_err(|error| CommandError::file(&dir, &error))?
                .file_name();
            if let Some(id) = name.to_string_lossy().strip_suffix(".json") {
                ids.push(id.to_owned());
            }
        }
        ids.sort_by_key(|id| (id.len(), id.clone()));
        Ok(ids)
    }

    /// Every file of waivers, as it goes into a pack.
    pub fn waiver_files(&self) -> Result<Vec<(String, Vec<u8>)>, CommandError> {
        let mut out = Vec::new();
        for id in self.waiver_ids()? {
            let (_, text) = self.waiver(&id)?;
            out.push((format!("{id}.json"), text.into_bytes()));
            for role in [Role::Request, Role::Approval] {
                let path = self.signature_path(&id, role);
                if let Some(text) = read_text(&path, sshsig::FILE_MAX as u64)? {
                    out.push((format!("{id}.{}.sig", role.word()), text.into_bytes()));
                }
            }
        }
        Ok(out)
    }

    /// Where the signature of a role is kept.
    pub fn signature_path(&self, id: &str, role: Role) -> PathBuf {
        self.waivers_dir().join(format!("{id}.{}.sig", role.word()))
    }

    /// Every waiver with those who signed it and whether it counts at `now`.
    pub fn waivers(
        &self,
        signers: &Signers,
        now: Moment,
    ) -> Result<Vec<(SignedWaiver, Standing)>, CommandError> {
        let revoked: BTreeSet<&str> = self
            .entries
            .iter()
            .filter(|entry| entry.kind == Kind::WaiverRevoked)
            .filter_map(|entry| entry.facts.get("waiver").and_then(Value::as_str))
            .collect();
        let operators: BTreeSet<String> = self
            .entries
            .iter()
            .filter(|entry| entry.kind == Kind::Run)
            .filter_map(|entry| entry.who.clone())
            .collect();
        let today = today(now);
        let mut out = Vec::new();
        for id in self.waiver_ids()? {
            let (waiver, text) = self.waiver(&id)?;
            let voice = |role: Role| -> Result<Option<Voice>, CommandError> {
                let armour = read_text(&self.signature_path(&id, role), sshsig::FILE_MAX as u64)?;
                let signed = armour.and_then(|armour| {
                    sshsig::verify(text.as_bytes(), armour.as_bytes(), role.namespace()).ok()
                });
                Ok(signed.map(|signed| Voice {
                    names: signers
                        .names(signed.key(), role.namespace(), now)
                        .into_iter()
                        .map(str::to_owned)
                        .collect(),
                    key: signed.fingerprint(),
                }))
            };
            let signed = SignedWaiver {
                request: voice(Role::Request)?,
                approval: voice(Role::Approval)?,
                revoked: revoked.contains(id.as_str()),
                waiver,
            };
            let standing = signed.standing(&self.plan, &today, &operators);
            out.push((signed, standing));
        }
        Ok(out)
    }

    /// The key of pseudonyms, made on first use.
    pub fn pseudonym_key(&self) -> Result<PseudonymKey, CommandError> {
        pseudonym_key(&self.state)
    }
}

/// The key of pseudonyms of a state directory, made where there is none.
pub fn pseudonym_key(state: &Path) -> Result<PseudonymKey, CommandError> {
    let path = state.join(KEY_FILE);
    if let Some(text) = read_text(&path, 1_000)? {
        return PseudonymKey::parse(&text).ok_or_else(|| damaged_key(&path));
    }
    let mut bytes = [0; 32];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .map_err(|_| CommandError::new(Exit::Internal, "the system gives no random numbers"))?;
    let key = PseudonymKey::new(bytes);
    replace(&path, key.render().as_bytes()).map_err(|error| CommandError::file(&path, &error))?;
    Ok(key)
}

/// What is wrong with a key file.
pub fn damaged_key(path: &Path) -> CommandError {
    CommandError::new(
        Exit::Refused,
        format!("{}: no key of pseudonyms", path.display()),
    )
    .hint("restore the file: with another key, no earlier pack can be read any more")
}

/// In which role a waiver is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// As the one who asks.
    Request,
    /// As the one who grants.
    Approval,
}

impl Role {
    /// Its word in file names.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Approval => "approval",
        }
    }

    /// What its signature is made for.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Request => REQUEST,
            Self::Approval => APPROVAL,
        }
    }
}

/// Today in UTC, as waivers write days.
pub fn today(now: Moment) -> String {
    now.to_string().chars().take(10).collect()
}

/// Reads a result of `verify`.
pub fn parse_verdict(text: &str) -> Option<Verdict> {
    serde_json::from_str(text)
        .ok()
        .as_ref()
        .and_then(Verdict::read)
}

/// The list of signers: the one named, or the one beside the plan, or an empty one.
pub fn signers(named: Option<&Path>, plan: &Path) -> Result<Signers, CommandError> {
    let beside = plan.with_file_name(SIGNERS_FILE);
    let path = match named {
        Some(path) => path.to_owned(),
        None if beside.is_file() => beside,
        None => return Ok(Signers::default()),
    };
    read_signers(&path)
}

/// Reads a list of signers.
pub fn read_signers(path: &Path) -> Result<Signers, CommandError> {
    let text = std::fs::read_to_string(path).map_err(|error| CommandError::file(path, &error))?;
    Signers::parse(&text, &jiff::tz::TimeZone::system()).map_err(|fault| {
        CommandError::new(
            Exit::Refused,
            format!("{}:{}: {}", path.display(), fault.line, fault.why),
        )
        .hint("write it as ssh-keygen(1) describes under ALLOWED SIGNERS")
    })
}

/// A file's text, where it is there.
pub fn read_text(path: &Path, at_most: u64) -> Result<Option<String>, CommandError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CommandError::file(path, &error)),
    };
    let mut text = String::new();
    file.take(at_most + 1)
        .read_to_string(&mut text)
        .map_err(|error| CommandError::file(path, &error))?;
    if text.len() as u64 > at_most {
        return Err(CommandError::new(
            Exit::Refused,
            format!("{}: larger than it can be", path.display()),
        ));
    }
    Ok(Some(text))
}

fn owner_only(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = options;
}
