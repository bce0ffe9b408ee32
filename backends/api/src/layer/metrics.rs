//! Counts the calls to a tree and their results.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::hook::{Hook, Outcome};
use super::hooked::Hooked;
use super::operation::{Call, Operation};
use crate::Result;

/// A tree whose calls are counted.
pub type Metrics<T> = Hooked<T, Meter>;

impl<T> Metrics<T> {
    /// Counts the calls of `inner`.
    pub fn new(inner: T) -> Self {
        Self::counted_by(inner, Arc::default())
    }

    /// Counts the calls of `inner` in a meter that other trees may share.
    pub fn counted_by(inner: T, meter: Arc<Meter>) -> Self {
        Self::around(inner, meter)
    }

    /// What was counted so far.
    pub fn snapshot(&self) -> Snapshot {
        self.hook().snapshot()
    }
}

/// Counters of one operation.
#[derive(Debug, Default)]
struct Counters {
    calls: AtomicU64,
    errors: AtomicU64,
    bytes: AtomicU64,
    entries: AtomicU64,
    nanoseconds: AtomicU64,
}

/// The hook of [`Metrics`]: counters that can be read at any time.
#[derive(Debug)]
pub struct Meter(Vec<Counters>);

impl Default for Meter {
    fn default() -> Self {
        Self(Operation::ALL.iter().map(|_| Counters::default()).collect())
    }
}

impl Meter {
    /// The counts so far. Calls that end at the same time may be counted in part.
    pub fn snapshot(&self) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = |counters: &Counters| Counts {
            calls: read(&counters.calls),
            errors: read(&counters.errors),
            bytes: read(&counters.bytes),
            entries: read(&counters.entries),
            took: Duration::from_nanos(read(&counters.nanoseconds)),
        };
        Snapshot(self.0.iter().map(counts).collect())
    }
}

#[async_trait]
impl Hook for Meter {
    fn reject(&self, _: &Call<'_>) -> Result<()> {
        Ok(())
    }

    async fn wait(&self, _: &Call<'_>) {}

    fn done(&self, call: &Call<'_>, outcome: &Outcome<'_>) {
        let Some(counters) = self.0.get(call.operation as usize) else { return };
        let add = |counter: &AtomicU64, count: u64| counter.fetch_add(count, Ordering::Relaxed);
        add(&counters.calls, 1);
        add(&counters.errors, u64::from(outcome.error.is_some()));
        add(&counters.bytes, outcome.bytes);
        add(&counters.entries, outcome.entries);
        add(&counters.nanoseconds, u64::try_from(outcome.took.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// The counts of one operation, or of all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Finished calls, successful or not.
    pub calls: u64,
    /// Those of them that failed.
    pub errors: u64,
    /// Bytes of content that were read or written.
    pub bytes: u64,
    /// Entries that were listed.
    pub entries: u64,
    /// The total time of all calls; concurrent calls are added up.
    pub took: Duration,
}

/// All counters at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot(Vec<Counts>);

impl Snapshot {
    /// The counts of one operation.
    pub fn of(&self, operation: Operation) -> Counts {
        self.0.get(operation as usize).copied().unwrap_or_default()
    }

    /// The operations that were called at least once.
    pub fn iter(&self) -> impl Iterator<Item = (Operation, Counts)> {
        Operation::ALL.iter().map(|operation| (*operation, self.of(*operation))).filter(|(_, counts)| counts.calls > 0)
    }

    /// All operations together.
    pub fn total(&self) -> Counts {
        self.0.iter().fold(Counts::default(), |sum, counts| Counts {
            calls: sum.calls + counts.calls,
            errors: sum.errors + counts.errors,
            bytes: sum.bytes + counts.bytes,
            entries: sum.entries + counts.entries,
            took: sum.took + counts.took,
        })
    }
}
