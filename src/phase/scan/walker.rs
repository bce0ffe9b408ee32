//! A walker: takes directories of one side and streams their listings into the database.

use std::sync::Arc;

use tokio_stream::StreamExt as _;
use towpath_backend::probe::Maker;
use towpath_backend::{Entry, Kind, Metadata, RelPath, Tree};

use super::follow::{Followed, follow, holds};
use super::queue::{DirQueue, WalkDir};
use super::unreadable::{Unknown, is_unknown};
use super::walk::Walk;
use crate::error::{Error, Result, SkipReason, TreeFailure};
use crate::event::{Counts, Event, Side};
use crate::filter::is_reserved;
use crate::journal::{Listed, Role};
use crate::options::{Links, Specials};
use crate::partial::TemporaryFile;
use crate::reporter::Record;

/// What one walker could not take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Missed {
    pub(super) skipped: u64,
}

/// Walks until the queue is done, or the scan is stopped.
pub(super) async fn run(walk: Arc<Walk>) -> Result<Missed> {
    let mut missed = Missed::default();
    let result = walk.work(&mut missed).await;
    if result.is_err() {
        walk.stop.cancel();
    }
    result.map(|()| missed)
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
        let mut pages = match self.tree().read_dir(dir.read_path(), &self.session.paces.list_options()).await {
            Ok(pages) => pages,
            Err(error) => return self.unreadable(dir, error).await,
        };
        loop {
            let page = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                page = pages.next() => page,
            };
            match page {
                None => return Ok(()),
                Some(Ok(page)) => {
                    let entries = page.len() as u64;
                    self.take(dir, page, missed).await?;
                    self.pace_listed(entries).await;
                }
                Some(Err(error)) => return self.unreadable(dir, error).await,
            }
        }
    }

    /// Waits until the bandwidth limit has room for what listing so many entries took on the link.
    async fn pace_listed(&self, entries: u64) {
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
            let Ok(path) = dir.path.join(&entry.name) else {
                let failure = TreeFailure::InvalidName(entry.name.escape_ascii().to_string());
                return Err(Error::Tree { side: self.side, root: self.tree().root().to_vec(), failure });
            };
            let Some(listed) = self.decide(dir, &path, entry, missed).await? else { continue };
            if matches!(listed.role, Role::Migrated | Role::ReadAt(_)) {
                match listed.metadata.kind {
                    Kind::Dir => {
                        counts.dirs += 1;
                        if self.is_entered(&listed.metadata) {
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
        let pending = self.session.journal.add_page(self.side, dir.path.clone(), kept).await?;
        if self.counts {
            self.session.progress.add_counts(self.side, counts);
        }
        self.session.progress.set_pending(pending);
        self.queue.push(dirs).await
    }

    /// What becomes of a name; `None` if it is treated as missing.
    async fn decide(&self, dir: &WalkDir, path: &RelPath, entry: Entry, missed: &mut Missed) -> Result<Option<Listed>> {
        if self.session.reserved_paths[self.side].contains(path) {
            return Ok(None);
        }
        if dir.path.is_root() && self.is_reserved(path, &entry) {
            self.report_reserved(path).await;
            return Ok(None);
        }
        let Entry { name, mut metadata } = entry;
        if is_unknown(&metadata) {
            match self.stat_unknown(dir, path, metadata).await? {
                Unknown::Found(found) => metadata = found,
                Unknown::Gone => return Ok(None),
                Unknown::Unreadable => return Ok(Some(Listed { name, metadata, role: self.role_of_unreadable() })),
            }
        }
        let mut role = match (self.session.partial_names.temporary_file(&name), self.side) {
            (Some(TemporaryFile::Own), Side::Sink) => Role::Leftover,
            (Some(TemporaryFile::Probe(maker)), Side::Sink) if is_abandoned(maker, &metadata) => Role::Leftover,
            (Some(TemporaryFile::Probe(_)), _) | (Some(TemporaryFile::Others), Side::Sink) => return Ok(None),
            (Some(TemporaryFile::Own | TemporaryFile::Others), Side::Source) => {
                self.skip(path, SkipReason::PartialFile, missed).await?;
                return Ok(Some(Listed { name, metadata, role: Role::NotCopied }));
            }
            (None, _) if self.is_excluded(path, metadata.kind) => return Ok(None),
            (None, _) => Role::Migrated,
        };
        if self.side == Side::Source && role == Role::Migrated {
            if let Some(real) = &dir.real {
                role = real.join(&name).map_or(Role::NotCopied, Role::ReadAt);
            }
            if metadata.kind == Kind::Symlink {
                role = self.decide_link(dir, path, &mut metadata, role, missed).await?;
                // Only now is it known whether a directory comes in the link's place.
                if role != Role::NotCopied && self.is_excluded(path, metadata.kind) {
                    return Ok(None);
                }
            }
            if role != Role::NotCopied
                && let Some(reason) = self.filter.leaves_out(&metadata)
            {
                tracing::debug!(%path, reason, "left out");
                role = Role::NotCopied;
            }
            if role != Role::NotCopied
                && let Some(reason) = self.reason_to_skip(path, metadata.kind)
            {
                if self.session.options.specials == Specials::Skip && is_special(&metadata) {
                    self.session.progress.add_special_file();
                    self.report_skipped(path, reason, true).await?;
                } else {
                    self.skip(path, reason, missed).await?;
                }
                role = Role::NotCopied;
            }
            if matches!(role, Role::ReadAt(_)) {
                // A file of its own in the link's place.
                metadata.names = 1;
            }
        }
        Ok(Some(Listed { name, metadata, role }))
    }

    /// What becomes of a link of the source. If it is followed, `metadata` are those of what it leads to.
    async fn decide_link(
        &self,
        dir: &WalkDir,
        path: &RelPath,
        metadata: &mut Metadata,
        role: Role,
        missed: &mut Missed,
    ) -> Result<Role> {
        match self.session.options.links {
            Links::Copy => return Ok(role),
            Links::Skip => return Ok(Role::NotCopied),
            Links::Follow => {}
        }
        let link = if let Role::ReadAt(real) = &role { real } else { path };
        let reason = match self.follow(dir, link).await {
            Ok(Followed::To(real, found)) => {
                *metadata = found;
                return Ok(Role::ReadAt(real));
            }
            Ok(Followed::Nowhere(reason)) => SkipReason::LinkNotFollowed(reason),
            Err(error) => SkipReason::LinkUnresolved(Arc::new(error)),
        };
        self.skip(path, reason, missed).await?;
        Ok(Role::NotCopied)
    }

    async fn follow(&self, dir: &WalkDir, link: &RelPath) -> towpath_backend::Result<Followed> {
        let followed = follow(&*self.session.source, link).await?;
        if let Followed::To(real, metadata) = &followed
            && metadata.kind == Kind::Dir
            && holds(&*self.session.source, real, &dir.path).await?
        {
            return Ok(Followed::Nowhere("a symbolic link to a directory that holds it is not followed"));
        }
        Ok(followed)
    }

    /// Whether the file system reserves a directory, and no rule includes it.
    /// It is ignored on both sides: neither sent nor deleted.
    fn is_reserved(&self, path: &RelPath, entry: &Entry) -> bool {
        entry.metadata.kind == Kind::Dir && is_reserved(&entry.name) && !self.filter.includes(path, true)
    }

    async fn report_reserved(&self, path: &RelPath) {
        // Nobody asks for what the destination reserves.
        if self.side == Side::Source && !self.is_excluded(path, Kind::Dir) {
            let message = format!(
                "{} is left out: the file system keeps it for itself; --include {} takes it in",
                String::from_utf8_lossy(&path.under(self.session.source.root())),
                String::from_utf8_lossy(&[b"'/", path.as_bytes(), b"'"].concat()),
            );
            self.session.reporter.warn(message).await;
        }
    }

    /// What the filter excludes is ignored on both sides, so that nothing happens to it.
    fn is_excluded(&self, path: &RelPath, kind: Kind) -> bool {
        let excludes = |is_dir| self.filter.excludes(path, is_dir);
        let is_excluded = match kind {
            Kind::Dir => excludes(true),
            // Whatever a link leads to.
            Kind::Symlink if self.side == Side::Source && self.session.options.links == Links::Follow => {
                excludes(false) && excludes(true)
            }
            _ => excludes(false),
        };
        // Even then the filter was asked: it counts which patterns matched.
        is_excluded && !(self.side == Side::Sink && self.session.options.delete_excluded)
    }

    /// Whether a directory is on the file system that the walk stays on. If that is unknown, it is.
    fn is_entered(&self, dir: &Metadata) -> bool {
        match (self.only_device, dir.id) {
            (Some(only), Some(id)) => id.device == only,
            _ => true,
        }
    }

    fn reason_to_skip(&self, path: &RelPath, kind: Kind) -> Option<SkipReason> {
        if self.session.reserved_paths[self.side.other()].contains(path) {
            return Some(SkipReason::ReservedPath);
        }
        match kind {
            Kind::File | Kind::Dir => None,
            Kind::Symlink if !self.session.source.capabilities().symlinks => Some(SkipReason::LinkNotRead),
            Kind::Symlink if self.session.sink.capabilities().symlinks => None,
            Kind::Symlink => Some(SkipReason::LinkNotSupported),
            Kind::Other => Some(SkipReason::Special(kind)),
        }
    }

    async fn skip(&self, path: &RelPath, reason: SkipReason, missed: &mut Missed) -> Result<()> {
        missed.skipped += 1;
        self.report_skipped(path, reason, false).await
    }

    async fn report_skipped(&self, path: &RelPath, reason: SkipReason, accepted: bool) -> Result<()> {
        let paths = self.session.paths(path);
        self.session.reporter.report([Record::new(Event::Skipped { paths, reason, accepted })]).await
    }
}

/// Whether something is known to be a FIFO, socket or device. A backend that reports permissions knows
/// its type; what has a size may hold content.
fn is_special(metadata: &Metadata) -> bool {
    metadata.kind == Kind::Other && metadata.permissions.is_some() && metadata.size_bytes == 0
}

/// Whether the process that made a probe is gone. Where that cannot be checked, an old probe counts as abandoned.
fn is_abandoned(maker: Maker, metadata: &Metadata) -> bool {
    use rustix::process::{Pid, test_kill_process};
    let process = match maker {
        Maker::Here(process) => i32::try_from(process).ok().and_then(Pid::from_raw),
        Maker::Elsewhere => None,
    };
    let is_dead = process.is_some_and(|process| test_kill_process(process) == Err(rustix::io::Errno::SRCH));
    is_dead || is_old(metadata)
}

/// Whether something changed so long ago that no process is working on it.
fn is_old(metadata: &Metadata) -> bool {
    const OLD_NS: i128 = 3_600_000_000_000;
    let now_ns = jiff::Timestamp::now().as_nanosecond();
    // The mtime is what a probe sets at will.
    metadata.changed.is_some_and(|changed| now_ns - changed.total_ns() > OLD_NS)
}
