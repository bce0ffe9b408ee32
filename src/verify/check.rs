//! Checks one file: its copy against the record, and whether the source still is what was recorded.

use std::sync::{Arc, OnceLock};

use towpath_backend::{CacheReason, Error as BackendError, Freshness, Kind, Metadata, RelPath, Source};

use super::content::{Content, ContentReader, ReadEnd};
use super::guards::is_absence;
use super::session::VerifySession;
use crate::checksum::{Algorithm, Checksum};
use crate::event::Side;
use crate::journal::Verifiable;
use crate::progress::FileProgress;
use crate::verify_result::{Difference, SourceChange, VerifyClass, VerifyResult};

/// A file that was checked.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) row: Verifiable,
    pub(super) result: VerifyResult,
    /// The checksum of the copy, if it was read.
    pub(super) found: Option<Checksum>,
    /// The checksum of both copies, if none was recorded.
    pub(super) new_checksum: Option<Checksum>,
    /// Why the copy may have been read from a cache of this machine, if it may.
    pub(super) cached: Option<CacheReason>,
}

/// The check ended before its last step: with a result, or because it is stopped.
enum End {
    Result(VerifyResult, Option<Checksum>),
    Stopped,
}

impl End {
    fn differs(difference: Difference) -> Self {
        Self::Result(VerifyResult::Differs(difference), None)
    }
}

type Step<T> = Result<T, End>;

/// Checks a file; `None` if the verification is stopped.
pub(super) async fn check(session: &VerifySession, row: Verifiable, progress: &FileProgress) -> Option<Verdict> {
    let check = Check { session, row: &row, progress, cached: OnceLock::new() };
    let (result, found, new_checksum) = match check.run().await {
        Ok((result, found, new)) => (result, found, new),
        Err(End::Result(result, found)) => (result, found, None),
        Err(End::Stopped) => return None,
    };
    let cached = check.cached.into_inner();
    Some(Verdict { row, result, found, new_checksum, cached })
}

struct Check<'a> {
    session: &'a VerifySession,
    row: &'a Verifiable,
    progress: &'a FileProgress,
    cached: OnceLock<CacheReason>,
}

impl Check<'_> {
    async fn run(&self) -> Step<(VerifyResult, Option<Checksum>, Option<Checksum>)> {
        if self.row.kind == Kind::Symlink {
            return Ok((self.link().await?, None, None));
        }
        let source = self.session.source.as_deref().filter(|_| self.session.options.hash_both);
        match (&self.row.checksum, source) {
            (Some(recorded), _) => {
                let found = self.copy(recorded.algorithm).await?;
                self.compare(recorded, &found)?;
                Ok((self.source_change().await?, Some(found), None))
            }
            (None, Some(source)) => {
                let found = self.copy(self.session.options.checksum).await?;
                let original = self.original(source, found.algorithm).await?;
                self.compare(&original, &found)?;
                Ok((VerifyResult::Matches, Some(found.clone()), Some(found)))
            }
            (None, None) => {
                let now = self.stat().await?;
                self.check_size(&now, now.size_bytes)?;
                self.check_modified(&now)?;
                if self.row.last_class == Some(VerifyClass::Differs) {
                    return Err(End::differs(Difference::Earlier));
                }
                Ok((VerifyResult::Unproven, None, None))
            }
        }
    }

    /// Reads the copy. It has the recorded size and mtime, unless only the latter differs and the content does not.
    async fn copy(&self, algorithm: Algorithm) -> Step<Checksum> {
        let Self { session, row, progress, .. } = *self;
        let reader = ContentReader { session, tree: &*session.sink, side: Side::Sink, algorithm, progress };
        let content = match reader.read(&row.path, row.copy_bytes()).await {
            Ok(content) => content,
            Err(ReadEnd::Stopped) => return Err(End::Stopped),
            Err(ReadEnd::Failed(error)) => return Err(self.not_read(error).await),
        };
        match content {
            Content::Whole { metadata, hash, freshness } => {
                if let Freshness::MaybeCached(reason) = freshness {
                    self.cached.get_or_init(|| reason);
                }
                let found = Checksum { algorithm, hash };
                if let Some(recorded) = &row.checksum {
                    self.compare(recorded, &found)?;
                }
                self.check_modified(&metadata)?;
                Ok(found)
            }
            Content::OtherSize { metadata, found_bytes } => {
                self.check_size(&metadata, found_bytes)?;
                // It states the recorded size and has another one.
                Err(End::differs(Difference::Size { recorded: row.copy_bytes(), found: found_bytes }))
            }
        }
    }

    /// Reads the source's file, which must be the one that was recorded.
    async fn original(&self, source: &dyn Source, algorithm: Algorithm) -> Step<Checksum> {
        let Self { session, row, progress, .. } = *self;
        let reader = ContentReader { session, tree: source, side: Side::Source, algorithm, progress };
        let changed = |change| Err(End::Result(VerifyResult::ChangedAtSource(change), None));
        match reader.read(&row.read_path, row.copy_bytes()).await {
            Ok(Content::Whole { metadata, hash, .. }) if self.is_as_recorded(&metadata) => {
                Ok(Checksum { algorithm, hash })
            }
            Ok(_) => changed(SourceChange::Changed),
            Err(ReadEnd::Stopped) => Err(End::Stopped),
            Err(ReadEnd::Failed(error)) if is_absence(error.kind()) => changed(SourceChange::Gone),
            Err(ReadEnd::Failed(error)) => Err(unreadable(Side::Source, error)),
        }
    }

    fn compare(&self, recorded: &Checksum, found: &Checksum) -> Step<()> {
        if recorded.hash == found.hash {
            return Ok(());
        }
        let (recorded, hash) = (recorded.hash.clone(), found.hash.clone());
        let difference = Difference::Content { algorithm: found.algorithm, recorded, found: hash };
        Err(End::Result(VerifyResult::Differs(difference), Some(found.clone())))
    }

    /// Checks a link's target.
    async fn link(&self) -> Step<VerifyResult> {
        let Self { session, row, .. } = *self;
        self.unless_stopped(session.paces.pass_file()).await?;
        let found = match self.unless_stopped(session.sink.read_link(&row.path)).await? {
            Ok(target) => target,
            Err(error) => return Err(self.not_read(error).await),
        };
        if let Some(recorded) = row.copy_target.clone().filter(|recorded| *recorded != found) {
            return Err(End::differs(Difference::Target { recorded, found }));
        }
        match (&session.source, &row.copy_target) {
            (None, Some(_)) => Ok(VerifyResult::Matches),
            (None, None) => Ok(VerifyResult::Unproven),
            (Some(source), recorded) => self.compare_link(&**source, recorded.is_some(), found).await,
        }
    }

    /// Compares a link with that of the source. An earlier version recorded no target: then it must be the source's.
    async fn compare_link(&self, source: &dyn Source, is_recorded: bool, found: Vec<u8>) -> Step<VerifyResult> {
        match self.source_change().await? {
            VerifyResult::Matches => {}
            changed => return Ok(changed),
        }
        match self.unless_stopped(source.read_link(&self.row.read_path)).await? {
            Ok(now) if is_recorded && self.row.target.as_ref() != Some(&now) => {
                Ok(VerifyResult::ChangedAtSource(SourceChange::Changed))
            }
            Ok(now) if is_recorded || now == found => Ok(VerifyResult::Matches),
            Ok(recorded) => Err(End::differs(Difference::Target { recorded, found })),
            Err(_) if is_recorded => Ok(VerifyResult::Matches),
            Err(error) => Err(unreadable(Side::Source, error)),
        }
    }

    /// Whether the source still is what was recorded. If it cannot be read, the copy still is.
    async fn source_change(&self) -> Step<VerifyResult> {
        let Some(source) = &self.session.source else { return Ok(VerifyResult::Matches) };
        Ok(match self.unless_stopped(source.metadata(&self.row.read_path)).await? {
            Ok(now) if self.is_as_recorded(&now) => VerifyResult::Matches,
            Ok(_) => VerifyResult::ChangedAtSource(SourceChange::Changed),
            Err(error) if is_absence(error.kind()) => VerifyResult::ChangedAtSource(SourceChange::Gone),
            Err(_) => VerifyResult::Matches,
        })
    }

    fn is_as_recorded(&self, now: &Metadata) -> bool {
        let row = self.row;
        now.kind == row.kind && now.size_bytes == row.size_bytes && now.modified == row.modified
    }

    async fn stat(&self) -> Step<Metadata> {
        let path: &RelPath = &self.row.path;
        self.unless_stopped(self.session.paces.pass_file()).await?;
        match self.unless_stopped(self.session.sink.metadata(path)).await? {
            Ok(now) => Ok(now),
            Err(error) if is_absence(error.kind()) => Err(End::Result(VerifyResult::Missing, None)),
            Err(error) => Err(unreadable(Side::Sink, error)),
        }
    }

    /// Why the copy could not be read: reading fails with various errors if it is of another kind.
    async fn not_read(&self, error: BackendError) -> End {
        let now = match self.stat().await {
            Ok(now) => now,
            Err(end) => return end,
        };
        match self.check_kind(&now) {
            Ok(()) => unreadable(Side::Sink, error),
            Err(end) => end,
        }
    }

    fn check_kind(&self, now: &Metadata) -> Step<()> {
        let (recorded, found) = (self.row.kind, now.kind);
        if recorded == found { Ok(()) } else { Err(End::differs(Difference::Kind { recorded, found })) }
    }

    fn check_size(&self, now: &Metadata, found: u64) -> Step<()> {
        self.check_kind(now)?;
        let recorded = self.row.copy_bytes();
        if recorded == found { Ok(()) } else { Err(End::differs(Difference::Size { recorded, found })) }
    }

    fn check_modified(&self, now: &Metadata) -> Step<()> {
        let (recorded, found) = (self.row.copy_modified(), now.modified);
        match self.session.tolerance_ns {
            Some(tolerance_ns) if recorded.distance_ns(found) > tolerance_ns => {
                Err(End::differs(Difference::Modified { recorded, found }))
            }
            _ => Ok(()),
        }
    }

    async fn unless_stopped<T>(&self, future: impl Future<Output = T>) -> Step<T> {
        tokio::select! {
            biased;
            () = self.session.stop.cancelled() => Err(End::Stopped),
            value = future => Ok(value),
        }
    }
}

fn unreadable(side: Side, error: BackendError) -> End {
    End::Result(VerifyResult::Unreadable { side, error: Arc::new(error) }, None)
}
