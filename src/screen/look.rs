//! The screener of a run: parts out of the stream, static rules and hash lists, then the engine; one answer.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, Semaphore};

use super::clamd::{Clamd, Said};
use super::quarantine::QuarantineDir;
use crate::base::limits::{
    CLAMD_AT_ONCE, SCREEN_MEMORY, SCREENS_AT_ONCE, SELF_TEST_EVERY, SELF_TEST_ITEMS,
    SIFT_INLINE_MAX, SIFT_LIGHT_MAX, SIGNATURES_STALE,
};
use crate::base::outcome::Setback;
use crate::base::quantity::{Moment, Tick};
use crate::base::screen_rules::{Mode, RULES_VERSION, Rule, RuleBook};
use crate::base::screening::{Answer, ContentHash, Effect, Found, Mark, ScreenedBy, Unscanned};
use crate::base::typed::{TypedAttachment, TypedBody};
use crate::port::body::Body;
use crate::port::clock::Clock;
use crate::port::screen::{Looked, Proof, Record, ScreenFault, Screener};
use crate::sift::{HashLists, Piece, Sifted, Sifter, Stop, fold, test_file};
use crate::wire::item_stream::{Part, PartReader, Place};
use crate::wire::parcel::{self, Brought, ParcelReader};

/// What a screener is made of.
#[derive(Debug)]
pub struct ScreenOptions {
    /// What follows from a hit of each static rule.
    pub book: RuleBook,
    /// The lists of hashes.
    pub lists: HashLists,
    /// The engine, where there is one. Where there is, nothing passes without its answer.
    pub engine: Option<Clamd>,
    /// Where withheld items are kept.
    pub quarantine: QuarantineDir,
}

/// Looks into items.
#[derive(Debug)]
pub struct ItemScreener {
    book: Arc<RuleBook>,
    lists: Arc<HashLists>,
    engine: Option<Clamd>,
    quarantine: QuarantineDir,
    clock: Arc<dyn Clock>,
    /// Items that are sifted at once.
    gate: Semaphore,
    /// KiB of streams that are held at once.
    memory: Semaphore,
    /// Questions to the engine at once.
    lines: Semaphore,
    /// Held by the one item that unpacks to much.
    heavy: Mutex<()>,
    proven: Mutex<Option<Proven>>,
}

/// The last proof, and what it has been used for.
#[derive(Clone, Debug)]
struct Proven {
    proof: Proof,
    at: Tick,
    items: u64,
}

/// KiB, rounded up.
fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

/// A text in which no engine finds anything.
const HARMLESS: &[u8] = b"mailferry asks whether an ordinary text is left alone.\n";

impl ItemScreener {
    /// A screener. Reaches nobody.
    pub fn new(options: ScreenOptions, clock: Arc<dyn Clock>) -> Self {
        let permits = |n: u32| Semaphore::new(usize::try_from(n).unwrap_or(1));
        Self {
            book: Arc::new(options.book),
            lists: Arc::new(options.lists),
            engine: options.engine,
            quarantine: options.quarantine,
            clock,
            gate: Semaphore::new(SCREENS_AT_ONCE),
            memory: permits(kib(SCREEN_MEMORY)),
            lines: Semaphore::new(CLAMD_AT_ONCE),
            heavy: Mutex::new(()),
            proven: Mutex::new(None),
        }
    }

    /// Who looks, as far as it is known without asking.
    fn by(&self) -> ScreenedBy {
        ScreenedBy {
            rules: (!self.book.is_off()).then_some(RULES_VERSION),
            lists: (!self.lists.is_empty()).then(|| self.lists.digest()),
            engine: None,
            signatures: None,
        }
    }

    async fn ask(&self) -> Result<Proof, ScreenFault> {
        let mut by = self.by();
        let Some(engine) = &self.engine else {
            return Ok(Proof { by, stale: false });
        };
        let silent = |_| ScreenFault::NoEngine;
        let version = engine.version().await.map_err(silent)?;
        let found = engine.scan(&test_file()).await.map_err(silent)?;
        let nothing = engine.scan(HARMLESS).await.map_err(silent)?;
        if !matches!(found, Said::Found(_)) || nothing != Said::Nothing {
            return Err(ScreenFault::NoEngine);
        }
        let now = self.clock.moment();
        let stale = version.signatures.is_some_and(|made| is_stale(made, now));
        by.engine = Some(version.name);
        by.signatures = version.signatures;
        Ok(Proof { by, stale })
    }

    /// The proof that counts now: the last one, or a new one where that is used up.
    async fn proof(&self) -> Result<Proof, ScreenFault> {
        let mut proven = self.proven.lock().await;
        let now = self.clock.tick();
        if let Some(last) = proven.as_mut() {
            let fresh = now < last.at + SELF_TEST_EVERY && last.items < SELF_TEST_ITEMS;
            if fresh || self.engine.is_none() {
                last.items += 1;
                return Ok(last.proof.clone());
            }
        }
        *proven = None;
        let proof = self.ask().await?;
        *proven = Some(Proven {
            proof: proof.clone(),
            at: now,
            items: 1,
        });
        Ok(proof)
    }

    /// Looks into the parts, with the rules and lists.
    async fn sift(&self, item: Item) -> (Item, Sifted) {
        let _turn = self.gate.acquire().await;
        let (item, light) = self.sift_once(item, Some(SIFT_LIGHT_MAX)).await;
        if let Some(sifted) = light {
            return (item, sifted);
        }
        let _alone = self.heavy.lock().await;
        let (item, sifted) = self.sift_once(item, None).await;
        // Alone it has all the room there is, so it ends with an answer.
        let sifted = sifted.unwrap_or_else(|| Sifted {
            unscanned: Some(Unscanned::Expands),
            ..Sifted::default()
        });
        (item, sifted)
    }

    async fn sift_once(&self, item: Item, light: Option<u64>) -> (Item, Option<Sifted>) {
        let (book, lists) = (Arc::clone(&self.book), Arc::clone(&self.lists));
        if item.bytes() <= SIFT_INLINE_MAX && light.is_some() {
            let sifted = sift(&item, &book, &lists, Some(SIFT_INLINE_MAX * 8));
            if sifted.is_some() {
                return (item, sifted);
            }
        }
        let work = move || {
            let sifted = sift(&item, &book, &lists, light);
            (item, sifted)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            // A panic in there is a bug, and its item is not scanned.
            Err(_) => (
                Item::default(),
                Some(Sifted {
                    unscanned: Some(Unscanned::Damaged),
                    ..Sifted::default()
                }),
            ),
        }
    }

    /// Has everything looked into by the engine that it can be given.
    async fn engine(
        &self,
        engine: &Clamd,
        item: &Item,
        sifted: &mut Sifted,
    ) -> Result<(), ScreenFault> {
        let parts = item.parts.iter().map(|part| {
            let names = vec![part.name.clone().unwrap_or_else(|| "(no name)".to_owned())];
            (part.data.as_slice(), names, part.mime.clone())
        });
        let blocks = std::mem::take(&mut sifted.blocks);
        let blocks = blocks
            .iter()
            .map(|data| (data.as_slice(), vec!["(encoded block)".to_owned()], None));
        for (data, names, mime) in parts.chain(blocks) {
            if data.is_empty() {
                continue;
            }
            let said = {
                let _line = self.lines.acquire().await;
                engine.scan(data).await.map_err(|_| ScreenFault::NoEngine)?
            };
            let (mark, mode) = match said {
                Said::Nothing => continue,
                Said::NotScanned(why) => {
                    sifted.unscanned = sifted.unscanned.or(Some(why));
                    continue;
                }
                Said::Found(mark) => (mark, Mode::Quarantine),
                Said::Encrypted(mark) => (mark, self.book.mode(Rule::EncryptedArchive)),
            };
            if mode != Mode::Off {
                sifted.found.push(found(mark, mode, data, names, mime));
            }
        }
        Ok(())
    }
}

fn found(mark: Mark, mode: Mode, data: &[u8], names: Vec<String>, mime: Option<String>) -> Found {
    Found {
        mark,
        mode,
        content: ContentHash(Sha256::digest(data).into()),
        size: data.len() as u64,
        names,
        mime,
    }
}

fn is_stale(made: Moment, now: Moment) -> bool {
    now.unix_ms() > made.after(SIGNATURES_STALE).unix_ms()
}

/// The parts of one item.
#[derive(Debug, Default)]
struct Item {
    parts: Vec<Part>,
    whole: bool,
}

impl Item {
    fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.data.len() as u64).sum()
    }

    async fn read(body: &Body) -> Result<Self, Setback> {
        let mut reader = PartReader::new();
        let mut parts = Vec::new();
        let mut pieces = body.open();
        let mut first = true;
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            // Pieces are long; only the last may be short.
            if std::mem::take(&mut first) && parcel::is_parcel(&piece) {
                return Self::read_parcel(body).await;
            }
            reader.feed(&piece);
            parts.extend(std::iter::from_fn(|| reader.take()));
        }
        let whole = reader.finish();
        Ok(Self { parts, whole })
    }

    /// The parts of a parcel of the typed route. An item inside an item is a file there, and looked into as one.
    async fn read_parcel(body: &Body) -> Result<Self, Setback> {
        let mut reader = ParcelReader::new();
        let (mut parts, mut waiting) = (Vec::new(), VecDeque::new());
        let mut pieces = body.open();
        let mut whole = true;
        while let (true, Some(piece)) = (whole, pieces.next().await) {
            let read = reader.feed(&piece?, &mut |brought| match brought {
                Brought::Head(item) => {
                    parts.extend(item.texts().into_iter().map(text_part));
                    waiting.extend(item.attachments().into_iter().map(file_part));
                }
                Brought::Attachment => parts.extend(waiting.pop_front()),
                Brought::Piece(bytes) => {
                    if let Some(part) = parts.last_mut() {
                        part.data.extend_from_slice(bytes);
                    }
                }
            });
            whole = read.is_ok();
        }
        Ok(Self {
            parts,
            whole: whole && reader.finish().is_ok(),
        })
    }
}

fn text_part(text: &TypedBody) -> Part {
    Part {
        place: if text.html { Place::Html } else { Place::Text },
        depth: 0,
        name: None,
        mime: None,
        data: text.content.as_bytes().to_vec(),
    }
}

fn file_part(file: &TypedAttachment) -> Part {
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Part {
        place: Place::Attachment,
        depth: 0,
        name: some(&file.name),
        mime: some(&file.content_type),
        data: Vec::new(),
    }
}

/// All parts through the rules; nothing where it wants to be alone.
fn sift(item: &Item, book: &RuleBook, lists: &HashLists, light: Option<u64>) -> Option<Sifted> {
    let mut sifter = Sifter::new(book, lists, light);
    for part in &item.parts {
        let piece = Piece {
            name: part.name.as_deref(),
            mime: part.mime.as_deref(),
            data: &part.data,
            body: part.place != Place::Attachment,
            depth: part.depth,
        };
        if sifter.part(piece) == Err(Stop::Heavy) {
            return None;
        }
    }
    Some(sifter.finish())
}

#[async_trait]
impl Screener for ItemScreener {
    async fn prove(&self) -> Result<Proof, ScreenFault> {
        *self.proven.lock().await = None;
        self.proof().await
    }

    async fn look(&self, body: &Body) -> Result<Looked, ScreenFault> {
        let proof = self.proof().await?;
        let size = body.len().get();
        if size > SCREEN_MEMORY {
            return Ok(Looked {
                by: proof.by,
                answer: Answer::NotScanned(Unscanned::TooLarge),
                effect: Effect::Waits,
                parts: 0,
                found: Vec::new(),
            });
        }
        let _memory = self.memory.acquire_many(kib(size)).await;
        let item = Item::read(body).await.map_err(ScreenFault::Spool)?;
        let unread = (!item.whole).then_some(Unscanned::Unread);
        let (item, mut sifted) = self.sift(item).await;
        if let Some(engine) = &self.engine {
            let asked = self.engine(engine, &item, &mut sifted).await;
            if asked.is_err() {
                // What it said before it fell silent is proof of nothing.
                *self.proven.lock().await = None;
            }
            asked?;
        }
        let (answer, effect) = fold(&sifted.found, unread.or(sifted.unscanned));
        Ok(Looked {
            by: proof.by,
            answer,
            effect,
            parts: sifted.parts,
            found: sifted.found,
        })
    }

    async fn keep(&self, record: &Record, body: &Body) -> Result<(), Setback> {
        self.quarantine.keep(record, body).await
    }
}
