//! Decides how a listed name is handled.

use std::sync::Arc;

use towpath_backend::probe::Creator;
use towpath_backend::{Entry, Kind, Metadata, RelPath};

use super::follow::{Followed, follow, holds};
use super::queue::WalkDir;
use super::unreadable::{Unknown, is_unknown};
use super::walk::Walk;
use crate::error::{LinkProblem, Result, SkipReason};
use crate::event::{Event, Side, Warning};
use crate::filter::is_reserved;
use crate::journal::{Census, Detail, Details, Listed, NotCopied, Role};
use crate::options::{Links, Specials};
use crate::partial::TemporaryFile;
use crate::reporter::Record;

/// What one walker received and left out.
#[derive(Debug, Default)]
pub(super) struct Missed {
    /// Entries that were reported as skipped.
    pub(super) skipped: u64,
    /// The names of the source.
    pub(super) census: Census,
}

impl Walk {
    /// How a name is handled; `None` if it is treated as missing.
    pub(super) async fn decide(
        &self,
        dir: &WalkDir,
        path: &RelPath,
        entry: Entry,
        missed: &mut Missed,
    ) -> Result<Option<Listed>> {
        if self.session.reserved_paths[self.side].contains(path) {
            missed.census.add_not_copied(path, &entry.metadata, NotCopied::OwnFile);
            return Ok(None);
        }
        if dir.path.is_root() && self.is_reserved(path, &entry) {
            self.report_reserved(path).await;
            missed.census.add_not_copied(path, &entry.metadata, NotCopied::ReservedDirectory);
            return Ok(None);
        }
        let Entry { name, mut metadata, target, .. } = entry;
        if is_unknown(&metadata) {
            match self.stat_unknown(dir, path, metadata).await? {
                Unknown::Found(found) => {
                    missed.census.add_resolved(&metadata, &found);
                    metadata = found;
                }
                Unknown::Gone => {
                    missed.census.add_not_copied(path, &metadata, NotCopied::Gone);
                    return Ok(None);
                }
                Unknown::Unreadable => return Ok(Some(Listed::new(name, metadata, self.role_of_unreadable()))),
            }
        }
        let role = match (self.session.partial_names.temporary_file(&name), self.side) {
            (Some(TemporaryFile::Own), Side::Sink) => Role::Leftover,
            (Some(TemporaryFile::Probe(creator)), Side::Sink) if is_abandoned(creator, &metadata) => Role::Leftover,
            (Some(TemporaryFile::Probe(_)), _) | (Some(TemporaryFile::Others), Side::Sink) => {
                missed.census.add_not_copied(path, &metadata, NotCopied::OwnFile);
                return Ok(None);
            }
            (Some(TemporaryFile::Own | TemporaryFile::Others), Side::Source) => {
                self.skip(path, SkipReason::PartialFile, missed).await?
            }
            (None, _) if self.is_excluded(path, &metadata, missed) => return Ok(None),
            (None, Side::Sink) => Role::Migrated,
            (None, Side::Source) => match self.decide_in_source(dir, path, &mut metadata, missed).await? {
                Some(role) => role,
                None => return Ok(None),
            },
        };
        let target = target.filter(|_| metadata.kind == Kind::Symlink).map_or(Detail::None, Detail::Read);
        let details = Details { target, ..Details::default() };
        Ok(Some(Listed { name, metadata, role, details }))
    }

    /// How a name of the source is handled that no rule excludes; `None` if it is treated as missing. If it is a link
    /// that is followed, `metadata` become those of its target.
    async fn decide_in_source(
        &self,
        dir: &WalkDir,
        path: &RelPath,
        metadata: &mut Metadata,
        missed: &mut Missed,
    ) -> Result<Option<Role>> {
        let mut role = match (&dir.real, path.name()) {
            (Some(real), Some(name)) => real.join(name).map_or(Role::NotCopied(NotCopied::Unreadable), Role::ReadAt),
            _ => Role::Migrated,
        };
        if metadata.kind == Kind::Symlink {
            role = self.decide_link(dir, path, metadata, role, missed).await?;
            // Only now is it known whether a directory replaces the link.
            if !matches!(role, Role::NotCopied(_)) && self.is_excluded(path, metadata, missed) {
                return Ok(None);
            }
        }
        if matches!(role, Role::NotCopied(_)) {
            return Ok(Some(role));
        }
        if let Some(reason) = self.filter.leaves_out(metadata) {
            tracing::debug!(%path, %reason, "left out");
            return Ok(Some(Role::NotCopied(reason.into())));
        }
        if let Some(reason) = self.reason_to_skip(path, metadata.kind) {
            if self.session.options.specials == Specials::Skip && is_special(metadata) {
                self.session.progress.add_special_file();
                let role = Role::NotCopied(NotCopied::from(&reason));
                self.report_skipped(path, reason, true).await?;
                return Ok(Some(role));
            }
            return self.skip(path, reason, missed).await.map(Some);
        }
        if matches!(role, Role::ReadAt(_)) {
            // The target is copied as a separate file.
            metadata.names = 1;
        }
        Ok(Some(role))
    }

    /// How a link of the source is handled. If it is followed, `metadata` become those of its target.
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
            Links::Skip => return Ok(Role::NotCopied(NotCopied::LinksSkipped)),
            Links::Follow => {}
        }
        let link = if let Role::ReadAt(real) = &role { real } else { path };
        let reason = match self.follow(dir, link).await {
            Ok(Followed::To(real, found)) => {
                missed.census.add_resolved(metadata, &found);
                *metadata = found;
                return Ok(Role::ReadAt(real));
            }
            Ok(Followed::Nowhere(reason)) => SkipReason::LinkNotFollowed(reason),
            Err(error) => SkipReason::LinkUnresolved(Arc::new(error)),
        };
        self.skip(path, reason, missed).await
    }

    async fn follow(&self, dir: &WalkDir, link: &RelPath) -> towpath_backend::Result<Followed> {
        let followed = follow(&*self.session.source, link).await?;
        if let Followed::To(real, metadata) = &followed
            && metadata.kind == Kind::Dir
            && holds(&*self.session.source, real, &dir.path).await?
        {
            return Ok(Followed::Nowhere(LinkProblem::HoldsItself));
        }
        Ok(followed)
    }

    /// Whether the file system reserves a directory, and no rule includes it.
    /// Such a directory is ignored on both sides: neither sent nor deleted.
    fn is_reserved(&self, path: &RelPath, entry: &Entry) -> bool {
        entry.metadata.kind == Kind::Dir && is_reserved(&entry.name) && !self.filter.includes(path, true)
    }

    async fn report_reserved(&self, path: &RelPath) {
        // Reserved directories of the destination are not reported.
        if self.side == Side::Source && self.excluding_rule(path, Kind::Dir).is_none() {
            let pattern = [b"/", path.as_bytes()].concat();
            let path = path.under(self.session.source.root());
            self.session.reporter.warn(Warning::ReservedDirectory { path, pattern }).await;
        }
    }

    /// Whether the filter excludes an entry, which is then ignored on both sides.
    fn is_excluded(&self, path: &RelPath, metadata: &Metadata, missed: &mut Missed) -> bool {
        let Some(rule) = self.excluding_rule(path, metadata.kind) else { return false };
        missed.census.add_excluded(path, metadata, rule);
        true
    }

    /// The rule that excludes an entry, by its index.
    fn excluding_rule(&self, path: &RelPath, kind: Kind) -> Option<usize> {
        let excluding = |is_dir| self.filter.excluding_rule(path, is_dir);
        let rule = match kind {
            Kind::Dir => excluding(true),
            // A link is excluded by its name, whatever its target.
            Kind::Symlink if self.side == Side::Source && self.session.options.links == Links::Follow => {
                excluding(false).and_then(|_| excluding(true))
            }
            _ => excluding(false),
        };
        // The filter is applied in any case, because it records which patterns matched.
        rule.filter(|_| !(self.side == Side::Sink && self.session.options.delete_excluded))
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

    async fn skip(&self, path: &RelPath, reason: SkipReason, missed: &mut Missed) -> Result<Role> {
        missed.skipped += 1;
        let role = Role::NotCopied(NotCopied::from(&reason));
        self.report_skipped(path, reason, false).await?;
        Ok(role)
    }

    async fn report_skipped(&self, path: &RelPath, reason: SkipReason, accepted: bool) -> Result<()> {
        let paths = self.session.paths(path);
        self.session.reporter.report([Record::new(Event::Skipped { paths, reason, accepted })]).await
    }
}

/// Whether an entry is certainly a FIFO, socket or device. A backend that reports permissions knows the type; an entry
/// with a size may have content.
fn is_special(metadata: &Metadata) -> bool {
    metadata.kind == Kind::Other && metadata.permissions.is_some() && metadata.size_bytes == 0
}

/// Whether the process that created a probe has ended. If that cannot be checked, an old probe counts as abandoned.
fn is_abandoned(creator: Creator, metadata: &Metadata) -> bool {
    use rustix::process::{Pid, test_kill_process};
    let process = match creator {
        Creator::Here(process) => i32::try_from(process).ok().and_then(Pid::from_raw),
        Creator::Elsewhere => None,
    };
    let is_dead = process.is_some_and(|process| test_kill_process(process) == Err(rustix::io::Errno::SRCH));
    is_dead || is_old(metadata)
}

/// Whether an entry changed so long ago that no process is working on it.
fn is_old(metadata: &Metadata) -> bool {
    const OLD_NS: i128 = 3_600_000_000_000;
    let now_ns = jiff::Timestamp::now().as_nanosecond();
    // The ctime, because probes set arbitrary mtimes.
    metadata.changed.is_some_and(|changed| now_ns - changed.total_ns() > OLD_NS)
}
