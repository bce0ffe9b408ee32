//! Locks for single directories, in bounded memory.

use std::hash::{BuildHasher as _, RandomState};

use tokio::sync::{Mutex, MutexGuard};
use towpath_backend::RelPath;

/// The number of locks. Directories may share a lock, which only makes one wait for the other.
const LOCKS: usize = 64;

/// One lock for each directory that holds a conflicting entry.
#[derive(Debug)]
pub(crate) struct DirLocks {
    locks: [Mutex<()>; LOCKS],
    hasher: RandomState,
}

impl Default for DirLocks {
    fn default() -> Self {
        Self { locks: std::array::from_fn(|_| Mutex::new(())), hasher: RandomState::new() }
    }
}

impl DirLocks {
    /// Locks the directory that holds `path`. A task must not hold two locks at a time.
    pub(crate) async fn lock_parent_of(&self, path: &RelPath) -> MutexGuard<'_, ()> {
        let parent = path.parent().unwrap_or_else(RelPath::root);
        let index = self.hasher.hash_one(parent.as_bytes()) % LOCKS as u64;
        self.locks[index as usize].lock().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_entries_of_the_same_directory_wait_for_each_other() {
        let locks = DirLocks::default();
        let path = |text: String| RelPath::new(text).unwrap();
        let _held = locks.lock_parent_of(&path("dir/a".to_owned())).await;
        let is_free = async |text: String| {
            let path = path(text);
            is_ready(locks.lock_parent_of(&path)).await
        };
        assert!(!is_free("dir/b".to_owned()).await);
        let mut free = 0;
        for n in 0..100 {
            free += u32::from(is_free(format!("other{n}/b")).await);
        }
        assert!(free > 50, "{free} of 100 directories are free");
    }

    /// Whether a future is ready at once.
    async fn is_ready<F: Future>(future: F) -> bool {
        tokio::select! {
            biased;
            _ready = future => true,
            () = std::future::ready(()) => false,
        }
    }
}
