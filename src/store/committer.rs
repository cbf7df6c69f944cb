//! The one thread that writes the embedded ledger. It takes whatever waits, folds it into one atomic batch, flushes once, answers all.
//!
//! Sled flushes by itself only every 500 ms, which would break "an intent is durable before the first byte leaves"; a flush for each append
//! would make twenty mailboxes wait for each other. One flush for all that wait costs each of them one flush.

use tokio::sync::{mpsc, oneshot};

use crate::base::fact::{Fact, JobRow};
use crate::base::id::JobId;
use crate::base::limits;
use crate::port::ledger::{Lease, LedgerError};
use crate::store::codec;
use crate::store::fold::{self, Changed, Layered};
use crate::store::shelf::Shelf;

/// Where an answer goes. Nobody may be waiting any more; the order is carried out all the same.
pub(super) type Answer<T> = oneshot::Sender<Result<T, LedgerError>>;

/// One thing to write.
#[derive(Debug)]
pub(super) enum Order {
    Register(Vec<JobRow>, Answer<()>),
    Claim(JobId, Answer<Lease>),
    Append {
        job: JobId,
        epoch: u64,
        facts: Vec<Fact>,
        answer: Answer<()>,
    },
}

/// What is answered once the batch is durable.
enum Promise {
    Done(Answer<()>),
    Claimed(Answer<Lease>, Lease),
}

impl Promise {
    fn keep(self) {
        match self {
            Self::Done(answer) => drop(answer.send(Ok(()))),
            Self::Claimed(answer, lease) => drop(answer.send(Ok(lease))),
        }
    }

    fn break_with(self, error: LedgerError) {
        match self {
            Self::Done(answer) => drop(answer.send(Err(error))),
            Self::Claimed(answer, _) => drop(answer.send(Err(error))),
        }
    }
}

/// Carries out orders until the last sender is gone.
pub(super) fn run(shelf: &Shelf, mut orders: mpsc::Receiver<Order>) {
    let mut broken: Option<LedgerError> = None;
    while let Some(first) = orders.blocking_recv() {
        let mut waiting = vec![first];
        while waiting.len() < limits::APPEND_QUEUE {
            match orders.try_recv() {
                Ok(order) => waiting.push(order),
                Err(_) => break,
            }
        }
        if let Some(error) = &broken {
            // After a failed write nobody knows what the disk holds; a later success would promise what it cannot keep.
            for order in waiting {
                refuse(order, again(error));
            }
            continue;
        }
        let (changed, promises) = fold_all(shelf, waiting);
        match write(shelf, &changed) {
            Ok(()) => {
                promises.into_iter().for_each(Promise::keep);
                // What was promised is on disk already; only what comes next may fail with it.
                broken = shelf.refresh().err();
            }
            Err(error) => {
                for promise in promises {
                    promise.break_with(again(&error));
                }
                broken = Some(error);
            }
        }
    }
}

/// Folds orders one after the other; each sees what the earlier ones changed. What is refused is answered at once.
fn fold_all(shelf: &Shelf, orders: Vec<Order>) -> (Changed, Vec<Promise>) {
    let mut changed = Changed::default();
    let mut promises = Vec::with_capacity(orders.len());
    for order in orders {
        let rows = Layered {
            below: shelf,
            above: &changed,
        };
        let result = match order {
            Order::Register(jobs, answer) => match fold::register(&rows, &jobs) {
                Ok(own) => Ok((own, Promise::Done(answer))),
                Err(error) => Err((Promise::Done(answer), error)),
            },
            Order::Claim(job, answer) => match fold::claim(&rows, job) {
                Ok((lease, own)) => Ok((own, Promise::Claimed(answer, lease))),
                Err(error) => {
                    drop(answer.send(Err(error)));
                    continue;
                }
            },
            Order::Append {
                job,
                epoch,
                facts,
                answer,
            } => match fold::append(&rows, job, epoch, &facts) {
                Ok(own) => Ok((own, Promise::Done(answer))),
                Err(error) => Err((Promise::Done(answer), error)),
            },
        };
        match result {
            Ok((own, promise)) => {
                changed.absorb(own);
                promises.push(promise);
            }
            Err((promise, error)) => promise.break_with(error),
        }
    }
    (changed, promises)
}

/// One atomic batch, one flush.
fn write(shelf: &Shelf, changed: &Changed) -> Result<(), LedgerError> {
    let mut batch = sled::Batch::default();
    for (job, row) in &changed.jobs {
        batch.insert(&codec::job_key(*job), codec::encode(row));
    }
    for ((job, folder), row) in &changed.folders {
        batch.insert(&codec::folder_key(*job, *folder), codec::encode(row));
    }
    shelf.file(&changed.copies, &mut batch)?;
    for ((job, folder), sums) in &changed.sums {
        batch.insert(&codec::sums_key(*job, *folder), codec::encode(sums));
    }
    shelf.apply(batch)
}

fn refuse(order: Order, error: LedgerError) {
    match order {
        Order::Register(_, answer) | Order::Append { answer, .. } => drop(answer.send(Err(error))),
        Order::Claim(_, answer) => drop(answer.send(Err(error))),
    }
}

/// The same error for the next one who waits.
fn again(error: &LedgerError) -> LedgerError {
    match error {
        LedgerError::DiskFull => LedgerError::DiskFull,
        LedgerError::Fenced(job) => LedgerError::Fenced(*job),
        LedgerError::UnknownJob(job) => LedgerError::UnknownJob(*job),
        LedgerError::UnknownItem(job) => LedgerError::UnknownItem(*job),
        LedgerError::Contradiction(job) => LedgerError::Contradiction(*job),
        LedgerError::Unusable(why) => LedgerError::Unusable(why.clone()),
    }
}
