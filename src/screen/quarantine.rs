//! The quarantine of a state directory: what is known of each withheld item, and, where the plan names a recipient, its stream encrypted in the age
//! format. Names of attachments stand here and nowhere else; the directory is its owner's alone.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::base::item::ItemKey;
use crate::base::outcome::{LocalCause, Setback};
use crate::base::screening::{Answer, Found};
use crate::port::body::Body;
use crate::port::screen::Record;

/// The schema of a record.
const SCHEMA: &str = "mailferry.quarantine/1";

/// A record larger than this is none: 100 hits with names of 8 levels and 512 characters each are 2 MB.
const RECORD_MAX: u64 = 8_000_000;

/// The recipient of a plan is none.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not the public key of an age recipient (age1...)")]
pub struct NoRecipient;

/// Where withheld items are kept.
#[derive(Clone)]
pub struct QuarantineDir {
    dir: PathBuf,
    recipient: Option<age::x25519::Recipient>,
}

impl std::fmt::Debug for QuarantineDir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let encrypts = self.recipient.is_some();
        write!(
            f,
            "QuarantineDir({}, encrypts: {encrypts})",
            self.dir.display()
        )
    }
}

/// One withheld item, as it is written for whoever decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The layout.
    pub schema: String,
    /// The item's key.
    pub item: String,
    /// Its mailbox pair.
    pub job: String,
    /// Its mailbox.
    pub mailbox: String,
    /// Its folder.
    pub folder: String,
    /// Its class.
    pub class: String,
    /// Its size as the source lists it.
    pub size: u64,
    /// When it was received.
    pub received: Option<String>,
    /// When it was withheld.
    pub at: String,
    /// Who looked.
    pub by: String,
    /// Why it was not scanned, where something of it was not.
    pub not_scanned: Option<String>,
    /// What was found, with names.
    pub found: Vec<Found>,
    /// Canonical digest of what was looked into.
    pub sha256: Option<String>,
    /// The file with the encrypted stream, where one is kept.
    pub stream: Option<String>,
}

impl QuarantineDir {
    /// The quarantine in a state directory. Makes nothing yet.
    pub fn new(state: &Path, recipient: Option<&str>) -> Result<Self, NoRecipient> {
        let recipient = recipient.map(str::parse::<age::x25519::Recipient>);
        Ok(Self {
            dir: directory(state),
            recipient: recipient.transpose().map_err(|_| NoRecipient)?,
        })
    }

    /// Keeps an item, durable when this returns.
    pub(super) async fn keep(&self, record: &Record, body: &Body) -> Result<(), Setback> {
        make(&self.dir).map_err(|error| local(&error))?;
        let stream = match &self.recipient {
            Some(recipient) => Some(self.encrypt(recipient, record.item, body).await?),
            None => None,
        };
        let looked = &record.looked;
        let kept = Kept {
            schema: SCHEMA.to_owned(),
            item: record.item.to_string(),
            job: record.job.to_string(),
            mailbox: record.mailbox.reveal().to_owned(),
            folder: record.folder.to_string(),
            class: record.class.to_string(),
            size: record.size.get(),
            received: record.received.map(|at| at.to_string()),
            at: record.at.to_string(),
            by: looked.by.to_string(),
            not_scanned: match &looked.answer {
                Answer::NotScanned(why) => Some(why.name().to_owned()),
                Answer::NothingFound | Answer::Found(_) => None,
            },
            found: looked.found.clone(),
            sha256: record.bound.content.map(|digest| digest.to_string()),
            stream,
        };
        let text = serde_json::to_vec_pretty(&kept).map_err(|_| broken())?;
        let mut file = self.begin().map_err(|error| local(&error))?;
        let written = file.write_all(&text).and_then(|()| file.flush());
        written.map_err(|error| local(&error))?;
        self.put(file, &format!("{}.json", record.item))
            .map_err(|error| local(&error))
    }

    /// Encrypts the stream as it comes, never the whole of it in memory. Returns the file's name.
    async fn encrypt(
        &self,
        recipient: &age::x25519::Recipient,
        item: ItemKey,
        body: &Body,
    ) -> Result<String, Setback> {
        let recipients = std::iter::once(recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(|_| broken())?;
        let file = self.begin().map_err(|error| local(&error))?;
        let mut out = encryptor.wrap_output(file).map_err(|error| local(&error))?;
        let mut pieces = body.open();
        while let Some(piece) = pieces.next().await {
            out.write_all(&piece?).map_err(|error| local(&error))?;
        }
        let file = out.finish().map_err(|error| local(&error))?;
        let name = format!("{item}.age");
        self.put(file, &name).map_err(|error| local(&error))?;
        Ok(name)
    }

    /// A file of its owner's alone, without its name yet.
    fn begin(&self) -> std::io::Result<tempfile::NamedTempFile> {
        tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(&self.dir)
    }

    fn put(&self, file: tempfile::NamedTempFile, name: &str) -> std::io::Result<()> {
        file.as_file().sync_all()?;
        file.persist(self.dir.join(name))
            .map_err(|error| error.error)?;
        #[cfg(unix)]
        std::fs::File::open(&self.dir)?.sync_all()?;
        Ok(())
    }
}

/// The quarantine's place in a state directory.
pub fn directory(state: &Path) -> PathBuf {
    state.join("quarantine")
}

/// What was kept of an item, where something was.
pub fn read(state: &Path, item: ItemKey) -> std::io::Result<Option<Kept>> {
    let path = directory(state).join(format!("{item}.json"));
    let size = match std::fs::metadata(&path) {
        Ok(about) => about.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if size > RECORD_MAX {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let kept: Kept = serde_json::from_slice(&std::fs::read(&path)?)
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::InvalidData))?;
    Ok((kept.schema == SCHEMA).then_some(kept))
}

fn make(dir: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(dir)
}

fn broken() -> Setback {
    Setback::Local(LocalCause::Quarantine)
}

fn local(error: &std::io::Error) -> Setback {
    Setback::Local(match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => LocalCause::DiskFull,
        _ => LocalCause::Quarantine,
    })
}
