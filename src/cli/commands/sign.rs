//! `mailferry sign`: a person's signature over the evidence pack or over a waiver, by an SSH key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::base::quantity::Moment;
use crate::cli::agent;
use crate::cli::args::Common;
use crate::cli::commands::waive::named;
use crate::cli::decisions::{Decisions, Role, read_text, signers};
use crate::cli::error::CommandError;
use crate::cli::evidence_args::SignArgs;
use crate::cli::exit::Exit;
use crate::cli::packs;
use crate::cli::plans::{self, OpenPlan};
use crate::cli::secrets::Secrets;
use crate::cli::ui::Ui;
use crate::cli::wiring;
use crate::engine::balance;
use crate::evidence::chain::{Kind, Saying};
use crate::evidence::pack::{PACK_FILE, SIGNATURES_DIR};
use crate::evidence::signers::Signers;
use crate::evidence::sshsig::{self, ReadKey, SignatureFault, Signed, SigningKey};
use crate::evidence::waiver::same_name;
use crate::report::narrator::replace;
use crate::report::pack_check::{Wanted, check};
use crate::store::embedded::{EmbeddedLedger, Opening};

/// The environment variable of the passphrase of a key.
const PASSPHRASE_ENV: &str = "MAILFERRY_KEY_PASSPHRASE";

/// Runs the command.
pub fn run(args: &SignArgs, common: &Common, ui: Ui) -> Result<Exit, CommandError> {
    let open = plans::open(&args.plan.plan, common)?;
    let name = named(&args.name)?;
    let ledger = wiring::ledger(&open, Opening::Existing)?;
    let runtime = wiring::runtime()?;
    let now = runtime.block_on(async { wiring::clock().moment() });
    let mut decisions = Decisions::open(&open)?;
    let known = signers(args.allowed_signers.as_deref(), &open.path)?;
    let signing = Signing {
        args,
        open: &open,
        name: &name,
        known: &known,
        now,
    };
    let made = match &args.waiver {
        Some(id) => signing.waiver(id, &mut decisions)?,
        None => runtime.block_on(signing.pack(&ledger, &mut decisions))?,
    };
    if ui.json {
        ui.data(&json!({
            "schema": "mailferry.signature/1", "over": made.over.display().to_string(), "signature": made.file.display().to_string(),
            "key": made.key, "role": made.role, "known_as": made.names,
        }).to_string());
    } else {
        ui.data(&format!("{}\n", made.file.display()));
    }
    if made.names.is_empty() {
        ui.say(&format!(
            "the key {} is in no allowed_signers file for this purpose: the signature counts once the customer puts it there under {name:?}",
            made.key
        ));
    }
    Ok(Exit::Done)
}

/// What was signed.
struct Made {
    over: PathBuf,
    file: PathBuf,
    key: String,
    role: &'static str,
    names: Vec<String>,
}

struct Signing<'a> {
    args: &'a SignArgs,
    open: &'a OpenPlan,
    name: &'a str,
    known: &'a Signers,
    now: Moment,
}

fn refuse(why: impl Into<String>) -> CommandError {
    CommandError::new(Exit::Refused, why)
}

impl Signing<'_> {
    /// Writes the pack as it stands now, checks it, signs it. A pack that is there already gets one more signature.
    async fn pack(
        &self,
        ledger: &EmbeddedLedger,
        decisions: &mut Decisions,
    ) -> Result<Made, CommandError> {
        let balance = balance::take(ledger).await?;
        let written = packs::pack(self.open, ledger, &balance, decisions, self.args.reveal).await?;
        let checked = check(
            &written.dir,
            &Wanted {
                now: self.now,
                ..Wanted::default()
            },
        );
        let good = checked.is_ok_and(|checked| checked.problems.is_empty());
        if !good {
            return Err(CommandError::new(
                Exit::Unexplained,
                format!("{} was changed after it was written", written.dir.display()),
            )
            .hint("mailferry evidence verify names what; move the directory away and sign again"));
        }
        let over = written.dir.join(PACK_FILE);
        let document = read_text(&over, u64::MAX - 1)?.unwrap_or_default();
        let (armour, signed) = self.sign(document.as_bytes(), sshsig::PACK)?;
        let names = self.names(&signed, sshsig::PACK)?;
        let file = written.dir.join(SIGNATURES_DIR).join(signed.file_name());
        put(&file, &armour)?;
        decisions.append(Saying {
            at: self.now.to_string(),
            kind: Kind::PackSigned,
            who: Some(self.name.to_owned()),
            facts: BTreeMap::from([
                ("pack".into(), json!(written.digest)),
                ("key".into(), json!(signed.fingerprint())),
            ]),
        })?;
        Ok(Made {
            over,
            file,
            key: signed.fingerprint(),
            role: "pack",
            names,
        })
    }

    /// Signs a waiver: who asks for it signs as such, everybody else as the one who grants it.
    fn waiver(&self, id: &str, decisions: &mut Decisions) -> Result<Made, CommandError> {
        let (waiver, text) = decisions.waiver(id)?;
        let role = if same_name(&waiver.requested_by, self.name) {
            Role::Request
        } else {
            Role::Approval
        };
        let (armour, signed) = self.sign(text.as_bytes(), role.namespace())?;
        let names = self.names(&signed, role.namespace())?;
        let other = match role {
            Role::Request => Role::Approval,
            Role::Approval => Role::Request,
        };
        if let Some(armour) = read_text(
            &decisions.signature_path(id, other),
            sshsig::FILE_MAX as u64,
        )? && let Ok(first) =
            sshsig::verify(text.as_bytes(), armour.as_bytes(), other.namespace())
            && first.key() == signed.key()
        {
            return Err(
                refuse("this key has signed the waiver in the other role already")
                    .hint("a waiver needs two people with two keys"),
            );
        }
        if role == Role::Approval
            && names
                .iter()
                .any(|name| same_name(name, &waiver.requested_by))
        {
            return Err(refuse("the key belongs to the one who asks for the waiver")
                .hint("somebody else grants it, with their own key"));
        }
        let file = decisions.signature_path(id, role);
        put(&file, &armour)?;
        decisions.append(Saying {
            at: self.now.to_string(),
            kind: Kind::WaiverSigned,
            who: Some(self.name.to_owned()),
            facts: BTreeMap::from([
                ("waiver".into(), json!(id)),
                ("sha256".into(), json!(sshsig::sha256(text.as_bytes()))),
                ("role".into(), Value::from(role.word())),
                ("key".into(), json!(signed.fingerprint())),
            ]),
        })?;
        Ok(Made {
            over: decisions.waivers_dir().join(format!("{id}.json")),
            file,
            key: signed.fingerprint(),
            role: role.word(),
            names,
        })
    }

    /// Who the list says the key belongs to. Where it knows the key under other names only, the name given is wrong.
    fn names(&self, signed: &Signed, namespace: &str) -> Result<Vec<String>, CommandError> {
        let names: Vec<String> = self
            .known
            .names(signed.key(), namespace, self.now)
            .into_iter()
            .map(str::to_owned)
            .collect();
        if names.is_empty() || names.iter().any(|own| same_name(own, self.name)) {
            return Ok(names);
        }
        Err(refuse(format!(
            "the list of signers knows this key as {}",
            names.join(", ")
        ))
        .hint("give --name as it stands there"))
    }

    /// The signature, made or taken over, and checked either way.
    fn sign(
        &self,
        document: &[u8],
        namespace: &'static str,
    ) -> Result<(String, Signed), CommandError> {
        let armour = match (&self.args.signature, &self.args.key) {
            (Some(path), _) => {
                let text = read_text(path, sshsig::FILE_MAX as u64)?;
                text.ok_or_else(|| missing(path))?
            }
            (None, Some(path)) => self.sign_with(path, document, namespace)?,
            (None, None) => {
                return Err(CommandError::new(
                    Exit::Usage,
                    "neither --key nor --signature",
                ));
            }
        };
        let path = self
            .args
            .signature
            .as_deref()
            .or(self.args.key.as_deref())
            .unwrap_or(Path::new(""));
        let signed = sshsig::verify(document, armour.as_bytes(), namespace)
            .map_err(|fault| explain(path, &fault))?;
        Ok((armour, signed))
    }

    /// Signs with the key in this file; where it is a public key, the agent signs, as with `ssh-keygen -Y sign`.
    fn sign_with(
        &self,
        path: &Path,
        document: &[u8],
        namespace: &'static str,
    ) -> Result<String, CommandError> {
        let text = read_text(path, 64_000)?.ok_or_else(|| missing(path))?;
        let text = zeroize::Zeroizing::new(text);
        if !text.trim_start().starts_with("-----BEGIN ") {
            return agent::sign(path, &text, document, namespace);
        }
        self.key(path, &text)?
            .sign(document, namespace)
            .map_err(|fault| explain(path, &fault))
    }

    fn key(&self, path: &Path, text: &str) -> Result<SigningKey, CommandError> {
        match sshsig::read_key(text.as_bytes()).map_err(|fault| explain(path, &fault))? {
            ReadKey::Ready(key) => Ok(key),
            ReadKey::Locked(key) => {
                let secrets = Secrets::open(
                    self.args.secrets.secrets.as_deref(),
                    &self.open.path,
                    self.open.plan.realm,
                )?;
                let phrase = secrets.get(PASSPHRASE_ENV, "the passphrase of the key")?;
                key.open(phrase.expose())
                    .map_err(|fault| explain(path, &fault))
            }
        }
    }
}

/// What is wrong with a key or a signature, and what to do about it.
fn explain(path: &Path, fault: &SignatureFault) -> CommandError {
    let hint = match fault {
        SignatureFault::Unsupported(_) => {
            "ssh-add the key and name its .pub file, or sign with ssh-keygen -Y sign and hand that over with --signature; see --help"
        }
        SignatureFault::Namespace { .. } => "sign again with the namespace named in --help",
        SignatureFault::Wrong => "the document changed after it was signed: sign it as it is now",
        SignatureFault::NoKey => "name a private key in OpenSSH's format",
        SignatureFault::Passphrase => "correct MAILFERRY_KEY_PASSPHRASE",
        SignatureFault::Unreadable => "name the file that ssh-keygen -Y sign wrote",
    };
    refuse(format!("{}: {fault}", path.display())).hint(hint)
}

fn missing(path: &Path) -> CommandError {
    refuse(format!("{}: no such file", path.display())).hint("check the path")
}

fn put(path: &Path, text: &str) -> Result<(), CommandError> {
    replace(path, text.as_bytes()).map_err(|error| CommandError::file(path, &error))
}
