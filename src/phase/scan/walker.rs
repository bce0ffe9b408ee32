//! A walker: takes directories of one side and streams their listings into the database.

use std::sync::Arc;

use tokio_stream::StreamExt as _;
use towpath_backend::{Entry, Kind, Metadata};

use super::decide::Missed;
use super::queue::{DirQueue, WalkDir};
use super::unreadable::unreadable_metadata;
use super::walk::Walk;
use crate::error::{Error, Result, TreeFailure};
use crate::event::{Counts, Side};
use crate::journal::{Listed, Role};
use crate::observer::{ScanObserver, SeenEntry};
use crate::options::Extent;

/// Walks until the queue is done, or the scan is stopped.
pub(super) async fn run(walk: Arc<Walk>) -> Result<(Side, Missed)> {
    let mut missed = Missed::default();
    let result = walk.work(&mut missed).await;
    if result.is_err() {
        walk.stop.cancel();
    }
    result.map(|()| (walk.side, missed))
}

/// Marks a directory as walked when it is dropped, even if the walk panics: the other walkers wait for it.
struct Done<'a>(&'a DirQueue);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.done();
    }
}

impl Walk {
    async fn work(&self, missed: &mut Missed) -> Result<()> {
        loop {
            let dir = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                dir = self.queue.pop() => dir?,
            };
            let Some(dir) = dir else { return Ok(()) };
            tracing::debug!(side = %self.side, dir = %dir.path, "walk");
            let _done = Done(&self.queue);
            self.walk_dir(&dir, missed).await?;
        }
    }

    async fn walk_dir(&self, dir: &WalkDir, missed: &mut Missed) -> Result<()> {
        let _permit = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(()),
            permit = self.session.paces.permit_to_list() => permit,
        };
        let list = || self.session.operations().in_tree(self.side, "list", Some(dir.read_path()));
        let listing = list();
        let mut pages = match self.tree().read_dir(dir.read_path(), &self.session.paces.list_options()).await {
            Ok(pages) => pages,
            Err(error) => return self.unreadable(dir, error).await,
        };
        drop(listing);
        loop {
            let listing = list();
            let page = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                page = pages.next() => page,
            };
            drop(listing);
            match page {
                None => {
                    self.observer().inspect(|observer| observer.dir_ended(&dir.path));
                    return Ok(());
                }
                Some(Ok(page)) => {
                    let entries = page.len() as u64;
                    self.take(dir, page, missed).await?;
                    self.pace_listed(entries).await;
                }
                Some(Err(error)) => return self.unreadable(dir, error).await,
            }
        }
    }

    /// Waits until the bandwidth limit has room for the listing of this many entries.
    pub(super) async fn pace_listed(&self, entries: u64) {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = self.session.paces.pass_listed(entries) => {}
        }
    }

    /// Records a page, and queues its directories.
    async fn take(&self, dir: &WalkDir, page: Vec<Entry>, missed: &mut Missed) -> Result<()> {
        let mut counts = Counts::default();
        let mut dirs = Vec::new();
        let mut kept = Vec::with_capacity(page.len());
        for entry in page {
            let listed = entry.error.as_ref().map_or(entry.metadata, |_| unreadable_metadata());
            missed.census.add_listed(&listed);
            if let Some(error) = entry.error {
                kept.extend(self.unreadable_entry(dir, entry.name, error, &mut missed.census).await?);
                continue;
            }
            let Ok(path) = dir.path.join(&entry.name) else {
                let failure = TreeFailure::InvalidName(entry.name.escape_ascii().to_string());
                return Err(Error::Tree { side: self.side, root: self.tree().root().to_vec(), failure });
            };
            let Some(listed) = self.decide(dir, &path, entry, missed).await? else { continue };
            if matches!(listed.role, Role::Migrated | Role::ReadAt(_)) {
                match listed.metadata.kind {
                    Kind::Dir => {
                        counts.dirs += 1;
                        if !self.is_entered(&listed.metadata) {
                            missed.census.add_not_entered(&path);
                        } else {
                            let real = if let Role::ReadAt(real) = &listed.role { Some(real.clone()) } else { None };
                            dirs.push(WalkDir { path, real });
                        }
                    }
                    Kind::File | Kind::Symlink => {
                        counts.files += 1;
                        counts.bytes += u128::from(listed.metadata.size_bytes);
                    }
                    Kind::Other => {}
                }
            }
            kept.push(listed);
        }
        if let Some(observer) = self.observer() {
            let seen: Vec<_> = kept.iter().map(seen).collect();
            observer.listed(&dir.path, &seen);
        }
        if self.counts {
            self.session.progress.add_counts(self.side, counts);
        }
        if self.session.options.extent != Extent::Listing {
            self.read_details(dir, &mut kept).await?;
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let pending = self.session.journal.add_page(self.side, dir.path.clone(), kept).await?;
            self.session.progress.set_pending(pending);
        }
        self.queue.push(dirs).await
    }

    /// Who sees what this side lists.
    fn observer(&self) -> Option<&dyn ScanObserver> {
        self.session.observer.as_deref().filter(|_| self.side == Side::Source)
    }

    /// Whether a directory is on the file system that the walk stays on. If that is unknown, `true`.
    fn is_entered(&self, dir: &Metadata) -> bool {
        match (self.only_device, dir.id) {
            (Some(only), Some(id)) => id.device == only,
            _ => true,
        }
    }
}

fn seen(listed: &Listed) -> SeenEntry<'_> {
    let not_copied = if let Role::NotCopied(reason) = listed.role { Some(reason) } else { None };
    SeenEntry::new(&listed.name, &listed.metadata, not_copied)
}
