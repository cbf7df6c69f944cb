//! The only `tokio::spawn`: tasks are named, joined, and their panics become values.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;

use tokio::task::{Id, JoinSet};

/// A set of tasks that end with a value of one kind.
#[derive(Debug)]
pub struct Tasks<K, T> {
    set: JoinSet<T>,
    names: BTreeMap<Id, K>,
}

/// How a task ended.
#[derive(Debug)]
pub enum Ended<T> {
    /// With its value.
    With(T),
    /// By a bug: it panicked. The panic's text went to the panic hook.
    Panicked,
}

impl<K: Debug + Copy, T: Send + 'static> Tasks<K, T> {
    /// No tasks.
    pub fn new() -> Self {
        Self {
            set: JoinSet::new(),
            names: BTreeMap::new(),
        }
    }

    /// Starts a task under a name.
    pub fn start(&mut self, name: K, task: impl Future<Output = T> + Send + 'static) {
        let handle = self.set.spawn(task);
        self.names.insert(handle.id(), name);
    }

    /// The next task to end; `None` when none is left.
    pub async fn next(&mut self) -> Option<(K, Ended<T>)> {
        loop {
            let (id, ended) = match self.set.join_next_with_id().await? {
                Ok((id, value)) => (id, Ended::With(value)),
                Err(error) => (error.id(), Ended::Panicked),
            };
            // A task that is not in the map was never started here; there is none.
            if let Some(name) = self.names.remove(&id) {
                return Some((name, ended));
            }
        }
    }

    /// How many are running.
    pub fn running(&self) -> usize {
        self.set.len()
    }
}

impl<K: Debug + Copy, T: Send + 'static> Default for Tasks<K, T> {
    fn default() -> Self {
        Self::new()
    }
}
