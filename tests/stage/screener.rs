//! A screener whose verdicts follow from an item's content, and whose moods follow from dice: it finds, fails and recovers.

#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "each test file uses its own part of the stage"
)]

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::StreamExt as _;

use mailferry::base::dice::Dice;
use mailferry::base::fact::Bucket;
use mailferry::base::id::JobId;
use mailferry::base::item::ItemKey;
use mailferry::base::outcome::Setback;
use mailferry::base::quantity::Count;
use mailferry::base::screening::{Answer, ContentHash, Effect, Hit, Mark, ScreenedBy, Unscanned};
use mailferry::flow::copy::{CopyState, replay};
use mailferry::flow::screened::last_screening;
use mailferry::port::body::Body;
use mailferry::port::ledger::Ledger;
use mailferry::port::screen::{Looked, Proof, Record, ScreenFault, Screener};
use mailferry::wire::item_stream::ItemReader;

use super::{Knobs, SharedWorld, address, truths};

/// Of 256 contents, how many are bad, and how many cannot be looked into while the weather is bad.
const BAD: u8 = 50;
const HARD: u8 = 80;

#[derive(Debug)]
pub struct MoodyScreener {
    dice: Mutex<Dice>,
    stormy: AtomicBool,
    pub looks: AtomicU64,
    pub silences: AtomicU64,
    kept: Mutex<BTreeSet<ItemKey>>,
    bad: Mutex<BTreeSet<String>>,
}

impl MoodyScreener {
    pub fn new(seed: u64, stormy: bool) -> Self {
        Self {
            dice: Mutex::new(Dice::new(seed).split("screener")),
            stormy: AtomicBool::new(stormy),
            looks: AtomicU64::new(0),
            silences: AtomicU64::new(0),
            kept: Mutex::default(),
            bad: Mutex::default(),
        }
    }

    pub fn calm(&self) {
        self.stormy.store(false, Ordering::SeqCst);
    }

    fn silent(&self) -> bool {
        let stormy = self.stormy.load(Ordering::SeqCst);
        let silent = stormy && self.dice.lock().unwrap().chance(1, 4);
        self.silences.fetch_add(u64::from(silent), Ordering::SeqCst);
        silent
    }

    /// What every journey must end with: each item of the source is on the target once or withheld and kept, and nothing bad is on the target.
    pub async fn assert_outcome(
        &self,
        world: &SharedWorld,
        ledger: &dyn Ledger,
        knobs: &Knobs,
        what: &str,
    ) -> Count {
        let balance = mailferry::engine::balance::take(ledger).await.unwrap();
        let totals = balance.totals();
        let quick = mailferry::engine::balance::sums(ledger).await.unwrap();
        assert_eq!(
            quick.totals(),
            totals,
            "{what}: the sums say something else"
        );
        let (confirmed, withheld) = (totals.of(Bucket::Confirmed), totals.of(Bucket::Quarantined));
        assert_eq!(confirmed + withheld, totals.source, "{what}: {totals:?}");
        assert_eq!(totals.undecided(), withheld, "{what}");
        let mut there = 0;
        for n in 0..knobs.mailboxes {
            let (source, target) = truths(world, &address(n));
            for ((folder, digest), times) in &target {
                let bad = self.bad.lock().unwrap().contains(digest.trim_matches('"'));
                assert!(!bad, "{what}: something bad is in {folder}");
                let own = source.get(&(folder.clone(), digest.clone()));
                assert!(
                    own.is_some_and(|own| own >= times),
                    "{what}: too many in {folder}"
                );
                there += u64::from(*times);
            }
            self.assert_rows(ledger, JobId(n), what).await;
        }
        assert_eq!(confirmed, Count::new(there), "{what}");
        withheld
    }

    async fn assert_rows(&self, ledger: &dyn Ledger, job: JobId, what: &str) {
        for folder in ledger.folders(job).await.unwrap() {
            let rows = ledger.copies(job, folder.no, None, Count::new(100_000));
            for row in rows.await.unwrap() {
                let look = last_screening(&row);
                match replay(&row).unwrap() {
                    CopyState::Withheld { .. } => {
                        assert!(self.kept.lock().unwrap().contains(&row.key), "{what}");
                    }
                    CopyState::Confirmed { sent: Some(_), .. } => {
                        let passed = look.is_some_and(|look| look.effect == Effect::Passes);
                        assert!(passed, "{what}: carried without a look: {:?}", row.facts);
                    }
                    CopyState::Confirmed { .. } | CopyState::Skipped(_) | CopyState::Gone => {}
                    state => panic!("{what}: {state:?}"),
                }
            }
        }
    }
}

#[async_trait]
impl Screener for MoodyScreener {
    async fn prove(&self) -> Result<Proof, ScreenFault> {
        if self.silent() {
            return Err(ScreenFault::NoEngine);
        }
        Ok(Proof {
            by: ScreenedBy::default(),
            stale: false,
        })
    }

    async fn look(&self, body: &Body) -> Result<Looked, ScreenFault> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        let mut reader = ItemReader::new();
        let mut pieces = body.open();
        while let Some(piece) = pieces.next().await {
            reader.feed(&piece.map_err(ScreenFault::Spool)?);
        }
        if self.silent() {
            return Err(ScreenFault::NoEngine);
        }
        let digest = reader
            .finish()
            .digest
            .expect("the lab writes whole streams");
        let first = digest.0[0];
        let hard = first < HARD && self.stormy.load(Ordering::SeqCst);
        let (answer, effect) = if first < BAD {
            self.bad.lock().unwrap().insert(digest.to_string());
            let hit = Hit {
                mark: Mark::new("bad"),
                content: ContentHash(digest.0),
            };
            (Answer::Found(vec![hit]), Effect::Withheld)
        } else if hard {
            (Answer::NotScanned(Unscanned::TooDeep), Effect::Waits)
        } else {
            (Answer::NothingFound, Effect::Passes)
        };
        Ok(Looked {
            by: ScreenedBy::default(),
            answer,
            effect,
            parts: 1,
            found: Vec::new(),
        })
    }

    async fn keep(&self, record: &Record, _body: &Body) -> Result<(), Setback> {
        self.kept.lock().unwrap().insert(record.item);
        Ok(())
    }
}
