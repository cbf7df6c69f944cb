//! Where every mailbox stands: the ledger's balance, and, while a run goes, what its counters add to it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::base::fact::{Bucket, JobPhase};
use crate::base::id::{JobId, MailboxId};
use crate::base::quantity::{Bytes, Count, Moment, Span};
use crate::base::spec::JobSpec;
use crate::evidence::balance::{Balance, Routes, Totals};
use crate::flow::tally::{JobTally, Tally};
use crate::report::summary::{routes_json, routes_sentence};
use crate::report::{table, words};

/// The schema of `status --json` and of the snapshot a run leaves for it.
pub const SCHEMA: &str = "mailferry.status/1";

/// Where the column of copies by class stands, behind what is confirmed.
const BY_CLASS_AT: usize = 4;

/// One mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its place in the plan.
    pub job: JobId,
    /// From which mailbox.
    pub source: MailboxId,
    /// Into which mailbox.
    pub target: MailboxId,
    /// Where it stands.
    pub phase: JobPhase,
    /// Items of the source.
    pub items: Count,
    /// How they divide.
    pub buckets: BTreeMap<Bucket, Count>,
    /// Listed bytes of the source.
    pub bytes: Bytes,
    /// Stream bytes that arrived.
    pub carried: Bytes,
    /// How the copies on the target travelled; `None` while a run works on it, as its counters do not tell.
    pub routes: Option<Routes>,
    /// Items per hour of this run.
    pub rate: Option<Count>,
    /// Whom it waits for, until when.
    pub waiting: Option<(&'static str, Moment)>,
    /// How long it will take at this rate.
    pub eta: Option<Span>,
    /// The last setback, in words without content.
    pub last_error: Option<String>,
}

/// All mailboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// When this was true.
    pub at: Moment,
    /// True while a run works on it.
    pub running: bool,
    /// Until when nothing is worked on, where a run waits for a window or a wave.
    pub resting: Option<Moment>,
    /// The mailboxes, in plan order.
    pub mailboxes: Vec<Standing>,
}

impl Progress {
    /// What the ledger says.
    pub fn of(balance: &Balance, at: Moment) -> Self {
        let mailboxes = balance
            .mailboxes
            .iter()
            .map(|mailbox| {
                let Totals {
                    source,
                    buckets,
                    bytes,
                    carried,
                    routes,
                    ..
                } = mailbox.totals();
                Standing {
                    job: mailbox.job,
                    source: mailbox.source.clone(),
                    target: mailbox.target.clone(),
                    phase: mailbox.phase,
                    items: source,
                    buckets,
                    bytes,
                    carried,
                    routes: Some(routes),
                    rate: None,
                    waiting: None,
                    eta: None,
                    last_error: match mailbox.phase {
                        JobPhase::Halted(cause) => Some(words::halt(cause).to_owned()),
                        _ => None,
                    },
                }
            })
            .collect();
        Self {
            at,
            running: false,
            resting: None,
            mailboxes,
        }
    }

    /// Adds the mailboxes of a plan that the ledger does not know yet.
    #[must_use]
    pub fn with_jobs(mut self, jobs: &[JobSpec]) -> Self {
        for job in jobs {
            if self.mailboxes.iter().all(|known| known.job != job.job) {
                self.mailboxes.push(Standing {
                    job: job.job,
                    source: job.source.clone(),
                    target: job.target.clone(),
                    phase: JobPhase::Waiting,
                    items: Count::ZERO,
                    buckets: BTreeMap::new(),
                    bytes: Bytes::ZERO,
                    carried: Bytes::ZERO,
                    routes: Some(Routes::default()),
                    rate: None,
                    waiting: None,
                    eta: None,
                    last_error: None,
                });
            }
        }
        self.mailboxes.sort_by_key(|mailbox| mailbox.job);
        self
    }

    /// What the counters of a run add to where it began.
    #[must_use]
    pub fn with(&self, tally: &Tally, now: Moment) -> Self {
        let mut out = self.clone();
        out.at = now;
        out.running = !tally.ended;
        out.resting = tally.resting;
        let began = tally.began.unwrap_or(now);
        let since = u64::try_from(now.unix_ms().saturating_sub(began.unix_ms())).unwrap_or(0);
        for standing in &mut out.mailboxes {
            if let Some(job) = tally.jobs.get(&standing.job) {
                standing.add(job, now, Span::new(since));
            }
        }
        out
    }

    /// As `status --json` prints it.
    pub fn to_json(&self) -> Value {
        let mailboxes: Vec<Value> = self.mailboxes.iter().map(Standing::to_json).collect();
        json!({
            "schema": SCHEMA,
            "at": self.at.to_string(),
            "running": self.running,
            "waiting_for": self.resting.map(|until| json!({"what": words::WINDOW, "until": until.to_string()})),
            "routes": self.routes().map(routes_json),
            "mailboxes": mailboxes,
        })
    }

    /// As `status` prints it.
    pub fn to_text(&self) -> String {
        let all = self.routes().unwrap_or_default();
        let by_class = all.typed > Count::ZERO;
        let row = |standing: &Standing| standing.row(by_class);
        let rows: Vec<Vec<String>> = self.mailboxes.iter().map(row).collect();
        let mut headers = vec![
            "mailbox",
            "phase",
            "items",
            "confirmed",
            "open",
            "to do",
            "carried",
            "per hour",
            "note",
        ];
        if by_class {
            headers.insert(BY_CLASS_AT, "by class");
        }
        table::render(&headers, 2, &rows) + &routes_sentence(all)
    }

    /// How the copies of all mailboxes travelled; `None` while a run works on one of them.
    fn routes(&self) -> Option<Routes> {
        let own = self.mailboxes.iter().map(|standing| standing.routes);
        own.sum()
    }
}

impl Standing {
    fn of(&self, bucket: Bucket) -> Count {
        self.buckets.get(&bucket).copied().unwrap_or_default()
    }

    fn add(&mut self, tally: &JobTally, now: Moment, since: Span) {
        let mut put = |bucket, n: Count| *self.buckets.entry(bucket).or_default() += n;
        put(
            Bucket::Confirmed,
            tally.confirmed + tally.adopted + tally.found,
        );
        put(Bucket::Skipped, tally.skipped);
        put(Bucket::Quarantined, tally.withheld);
        put(Bucket::Refused, tally.refused);
        put(Bucket::Parked, tally.parked);
        let doubts = self.of(Bucket::InDoubt) + tally.doubted;
        self.buckets
            .insert(Bucket::InDoubt, doubts.saturating_sub(tally.settled));
        self.items = self.items.max(tally.promised);
        let settled: Count = words::BUCKETS
            .into_iter()
            .filter(|bucket| *bucket != Bucket::Remaining)
            .map(|bucket| self.of(bucket))
            .sum();
        let left = self.items.saturating_sub(settled + tally.gone);
        self.buckets.insert(Bucket::Remaining, left);
        self.carried += tally.carried;
        self.routes = None;
        if tally.phase != JobPhase::Waiting {
            self.phase = tally.phase;
        } else if self.phase == JobPhase::Waiting {
            self.phase = JobPhase::Seeding;
        }
        self.waiting = tally
            .held
            .map(|(scope, wait, at)| (words::scope(scope), at.after(wait)))
            .filter(|(_, until)| *until > now);
        let done = (tally.confirmed + tally.adopted).get();
        if done > 0 && since > Span::ZERO {
            let per_hour = u128::from(done) * 3_600_000 / u128::from(since.get());
            self.rate = u64::try_from(per_hour).ok().map(Count::new);
            let eta = u128::from(left.get()) * u128::from(since.get()) / u128::from(done);
            self.eta = u64::try_from(eta).ok().map(Span::new);
        }
        if let Some(cause) = tally.halted {
            self.last_error = Some(words::halt(cause).to_owned());
        } else if let Some(setback) = &tally.last_setback {
            self.last_error = Some(setback.to_string());
        }
    }

    fn to_json(&self) -> Value {
        let mut items = Map::new();
        items.insert("source".into(), self.items.get().into());
        for bucket in words::BUCKETS {
            let n = self.of(bucket).get();
            items.insert(words::bucket_key(bucket).into(), n.into());
        }
        json!({
            "job": self.job.to_string(),
            "mailbox": self.source.reveal(),
            "target": self.target.reveal(),
            "phase": words::phase_key(self.phase),
            "items": items,
            "bytes": {"source": self.bytes.get(), "carried": self.carried.get()},
            "routes": self.routes.map(routes_json),
            "rate": self.rate.map(|rate| json!({"items_per_hour": rate.get()})),
            "waiting_for": self.waiting.map(|(what, until)| json!({"what": what, "until": until.to_string()})),
            "eta": self.eta.map(|eta| json!({"seconds": eta.get() / 1000})),
            "last_error": self.last_error,
        })
    }

    fn row(&self, by_class: bool) -> Vec<String> {
        let open = [
            Bucket::Quarantined,
            Bucket::Refused,
            Bucket::Parked,
            Bucket::ChangedSince,
        ];
        let open: Count = open.into_iter().map(|bucket| self.of(bucket)).sum();
        let to_do = self.of(Bucket::Remaining) + self.of(Bucket::InDoubt);
        let note = match (&self.waiting, &self.last_error) {
            (Some((what, until)), _) => format!("  waits for {what} until {until}"),
            (None, Some(error)) => format!("  {error}"),
            (None, None) => String::new(),
        };
        let mut cells = vec![
            self.source.reveal().to_owned(),
            words::phase(self.phase).to_owned(),
            self.items.to_string(),
            self.of(Bucket::Confirmed).to_string(),
            open.to_string(),
            to_do.to_string(),
            self.carried.to_string(),
            self.rate.map_or_else(String::new, |rate| rate.to_string()),
            note,
        ];
        if by_class {
            let typed = self.routes.unwrap_or_default().typed;
            cells.insert(BY_CLASS_AT, typed.to_string());
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::event::{Event, EventKind};
    use crate::base::id::RunId;
    use crate::base::outcome::Scope;
    use crate::report::sample;

    #[test]
    fn what_went_by_its_class_is_a_column_where_anything_did() {
        let mut balance = sample::balance();
        let at = Moment::from_unix_ms(0);
        assert!(!Progress::of(&balance, at).to_text().contains("class"));
        let routes = Routes {
            stream: Count::new(1_188),
            typed: Count::new(12),
        };
        balance.mailboxes[0].folders[0].routes = routes;
        let progress = Progress::of(&balance, at);
        insta::assert_snapshot!(progress.to_text(), @"
        mailbox                  phase      items  confirmed  by class  open  to do  carried  per hour                          note
        a.harris@clinic.example  halted     1,242      1,200        12     2     40  11.2 MB              the target mailbox is full
        b.ozanne@clinic.example  caught up      7          5         0     0      0  63.0 KB
        Of the copies on Microsoft 365, 12 went by their class and 1,188 as streams.
        ");
        let json = progress.to_json();
        assert_eq!(json["routes"], json!({"stream": 1_188, "typed": 12}));
        assert_eq!(json["mailboxes"][0]["routes"], json["routes"]);
        assert_eq!(json["mailboxes"][1]["routes"]["typed"], 0);
        // Counters of a run do not tell: nothing is said that may be behind.
        let mut tally = Tally::default();
        tally.jobs.entry(JobId(0)).or_default();
        let json = progress.with(&tally, at).to_json();
        assert_eq!(json["routes"], Value::Null);
        assert_eq!(json["mailboxes"][0]["routes"], Value::Null);
        assert_eq!(json["mailboxes"][1]["routes"]["typed"], 0);
    }

    #[test]
    fn counters_of_a_run_are_added_to_where_it_began() {
        let began = Progress::of(&sample::balance(), Moment::from_unix_ms(0));
        let mut tally = Tally::default();
        let mut tell = |ms, job, kind| {
            tally.apply(&Event {
                at: Moment::from_unix_ms(ms),
                run: RunId::new("r"),
                job,
                kind,
            });
        };
        tell(
            0,
            None,
            EventKind::RunStarted {
                jobs: Count::new(2),
            },
        );
        for _ in 0..10 {
            let bytes = Bytes::new(100);
            tell(500, Some(JobId(0)), EventKind::CopyConfirmed { bytes });
        }
        // Three doubts: one is left, one was there, and one was not; of an earlier process the ledger knows already.
        for kind in [
            EventKind::Doubted,
            EventKind::Doubted,
            EventKind::Doubted,
            EventKind::DoubtKept,
            EventKind::DoubtSettled { there: true },
            EventKind::DoubtSettled { there: false },
        ] {
            tell(600, Some(JobId(0)), kind);
        }
        tell(
            700,
            Some(JobId(0)),
            EventKind::Held {
                scope: Scope::TargetMailbox,
                wait: Span::from_secs(60),
            },
        );
        let now = began.with(&tally, Moment::from_unix_ms(36_000));
        let first = &now.mailboxes[0];
        let unknown = JobSpec {
            job: JobId(2),
            source: MailboxId::new("c@clinic.example"),
            target: MailboxId::new("c@clinic.example"),
            turn: 0,
            items: None,
            bytes: None,
        };
        let more = now.clone().with_jobs(&[unknown]);
        assert_eq!(more.mailboxes.len(), 3);
        assert_eq!(more.clone().with_jobs(&[]), more);
        assert_eq!(more.mailboxes[2].phase, JobPhase::Waiting);
        assert!(now.running);
        assert_eq!(first.of(Bucket::Confirmed), Count::new(1_211));
        assert_eq!(first.of(Bucket::InDoubt), Count::new(1));
        assert_eq!(first.of(Bucket::Remaining), Count::new(28));
        assert_eq!(first.rate, Some(Count::new(1_000)));
        assert_eq!(first.eta, Some(Span::new(28 * 3_600)));
        let until = Moment::from_unix_ms(60_700);
        assert_eq!(first.waiting, Some(("the target mailbox", until)));
        let later = began.with(&tally, Moment::from_unix_ms(60_700));
        assert_eq!(later.mailboxes[0].waiting, None);
        let json = now.to_json();
        assert_eq!(json["mailboxes"][0]["items"]["confirmed"], 1_211);
        assert_eq!(
            json["mailboxes"][0]["waiting_for"]["until"],
            "1970-01-01T00:01:00Z"
        );
        assert_eq!(json["mailboxes"][1]["eta"], Value::Null);
    }
}
