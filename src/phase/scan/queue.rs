//! Directories that are still to be walked: the latest first, bounded in memory.

use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;
use towpath_backend::RelPath;

use crate::error::Result;
use crate::event::Side;
use crate::journal::Journal;
use crate::lock::locked;

/// A directory to be walked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WalkDir {
    pub(super) path: RelPath,
    /// Where it is read, if it is reached through a link.
    pub(super) real: Option<RelPath>,
}

impl WalkDir {
    /// A directory that is read at its own path.
    pub(super) fn at(path: RelPath) -> Self {
        Self { path, real: None }
    }

    /// Where it is read.
    pub(super) fn read_path(&self) -> &RelPath {
        self.real.as_ref().unwrap_or(&self.path)
    }

    /// Its size in memory.
    fn bytes(&self) -> usize {
        let real = self.real.as_ref().map_or(0, |real| real.as_bytes().len());
        ENTRY_BYTES + self.path.as_bytes().len() + real
    }
}

/// One side's queue, shared by its walkers.
///
/// The latest directory is walked first, which keeps the queue about as long as the tree is deep. A directory with ten
/// million directories would not fit: those that exceed the bound are stored in the database.
pub(super) struct DirQueue {
    side: Side,
    journal: Journal,
    max_bytes: usize,
    inner: Mutex<Inner>,
    /// Held while directories are moved to or from the database, until they are counted. If they were taken back before
    /// they were counted, the count would never return to zero, and walkers would wait indefinitely.
    spilling: tokio::sync::Mutex<()>,
    changed: Notify,
}

#[derive(Default)]
struct Inner {
    dirs: Vec<WalkDir>,
    bytes: usize,
    /// Directories in the database.
    spilled: usize,
    /// Directories taken and not done.
    in_flight: usize,
    /// A walker is taking directories back from the database.
    refilling: bool,
}

/// The memory for a directory besides its name.
const ENTRY_BYTES: usize = 64;
/// Directories taken back from the database at once.
const REFILL_DIRS: usize = 1024;

impl DirQueue {
    pub(super) fn new(side: Side, journal: Journal, max_bytes: usize) -> Self {
        Self {
            side,
            journal,
            max_bytes,
            inner: Mutex::default(),
            spilling: tokio::sync::Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        locked(&self.inner)
    }

    /// Adds directories, in the database if there is no room.
    pub(super) async fn push(&self, dirs: Vec<WalkDir>) -> Result<()> {
        let mut overflow = Vec::new();
        {
            let mut inner = self.lock();
            for dir in dirs {
                let bytes = dir.bytes();
                if inner.bytes + bytes <= self.max_bytes {
                    inner.bytes += bytes;
                    inner.dirs.push(dir);
                } else {
                    overflow.push((dir.path, dir.real));
                }
            }
        }
        if !overflow.is_empty() {
            let count = overflow.len();
            let _counted = self.spilling.lock().await;
            self.journal.push_walk_queue(self.side, overflow).await?;
            self.lock().spilled += count;
        }
        self.changed.notify_waiters();
        Ok(())
    }

    /// Takes a directory, waiting for one; `None` once all are done. Each taken
    /// directory must be [`Self::done`].
    pub(super) async fn pop(&self) -> Result<Option<WalkDir>> {
        loop {
            // Registered before the check, so that no change in between is missed.
            let changed = self.changed.notified();
            match self.try_pop() {
                Popped::Dir(dir) => return Ok(Some(dir)),
                Popped::AllDone => return Ok(None),
                Popped::Refill => self.refill().await?,
                Popped::Wait => changed.await,
            }
        }
    }

    fn try_pop(&self) -> Popped {
        let mut inner = self.lock();
        if let Some(dir) = inner.dirs.pop() {
            inner.bytes = inner.bytes.saturating_sub(dir.bytes());
            inner.in_flight += 1;
            Popped::Dir(dir)
        } else if inner.refilling {
            Popped::Wait
        } else if inner.spilled > 0 {
            inner.refilling = true;
            Popped::Refill
        } else if inner.in_flight > 0 {
            Popped::Wait
        } else {
            Popped::AllDone
        }
    }

    async fn refill(&self) -> Result<()> {
        let _counted = self.spilling.lock().await;
        let dirs = self.journal.pop_walk_queue(self.side, REFILL_DIRS).await;
        let mut inner = self.lock();
        inner.refilling = false;
        for (path, real) in dirs? {
            let dir = WalkDir { path, real };
            inner.spilled = inner.spilled.saturating_sub(1);
            inner.bytes += dir.bytes();
            inner.dirs.push(dir);
        }
        drop(inner);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Marks a taken directory as walked, after its own directories were pushed.
    pub(super) fn done(&self) {
        self.lock().in_flight -= 1;
        self.changed.notify_waiters();
    }
}

enum Popped {
    Dir(WalkDir),
    Refill,
    Wait,
    AllDone,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::AuditLog;
    use crate::journal::Roots;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    fn queue(folder: &std::path::Path, max_bytes: usize) -> DirQueue {
        let roots = Roots { source: b"/old".to_vec(), sink: b"/new".to_vec() };
        let log = AuditLog::open(&folder.join("log")).unwrap();
        let (journal, _thread) =
            Journal::open(folder.join("db"), &roots, log, Default::default(), Default::default()).unwrap();
        DirQueue::new(Side::Source, journal, max_bytes)
    }

    fn dirs(names: impl Iterator<Item = String>) -> Vec<WalkDir> {
        let real = RelPath::new("elsewhere").unwrap();
        names.map(|name| WalkDir { path: RelPath::new(name).unwrap(), real: Some(real.clone()) }).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn directories_beyond_the_memory_are_taken_back_from_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue(folder.path(), 1000);
        queue.push(dirs((0..5000).map(|n| n.to_string()))).await.unwrap();
        assert!(queue.lock().bytes <= 1000 && queue.lock().spilled > 4900);
        let mut seen = BTreeSet::new();
        while let Some(dir) = queue.pop().await.unwrap() {
            assert!(seen.insert(dir.path.to_string()), "{dir:?} twice");
            assert_eq!(dir.read_path().as_bytes(), b"elsewhere");
            queue.done();
        }
        assert_eq!(seen.len(), 5000);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn walkers_wait_for_new_directories_and_end_together() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Arc::new(queue(folder.path(), 300));
        queue.push(vec![WalkDir::at(RelPath::root())]).await.unwrap();
        let walkers: Vec<_> = (0..6)
            .map(|_| {
                let queue = Arc::clone(&queue);
                tokio::spawn(async move {
                    let mut walked = 0;
                    while let Some(dir) = queue.pop().await.unwrap() {
                        walked += 1;
                        // A tree of four levels with six directories in each.
                        if dir.path.components().count() < 4 {
                            let inner = (0..6).map(|n| WalkDir::at(dir.path.join(n.to_string()).unwrap())).collect();
                            tokio::task::yield_now().await;
                            queue.push(inner).await.unwrap();
                        }
                        queue.done();
                    }
                    walked
                })
            })
            .collect();
        let mut walked = 0;
        for walker in walkers {
            walked += walker.await.unwrap();
        }
        assert_eq!(walked, 1 + 6 + 36 + 216 + 1296);
    }
}
