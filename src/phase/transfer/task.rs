//! One file that a lane transfers, and the possible results.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use towpath_backend::{Error, ErrorKind, Kind, Metadata, RelPath};

use crate::blocks::SMALL_BYTES;
use crate::checksum::FileHash;
use crate::compare::is_unchanged;
use crate::conflict::Conflict;
use crate::event::Side;
use crate::journal::{FileKey, Kept, Pending, Replaced, Sent, Work};
use crate::progress::{FileProgress, Progress};
use crate::session::ends_run;

/// A file to be sent.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) key: FileKey,
    pub(crate) path: RelPath,
    /// Where it is read: another path of the source if it is reached through a link.
    pub(crate) read_path: RelPath,
    /// The metadata in the backlog.
    pub(crate) metadata: Metadata,
    /// The checksum recorded for this content, with its algorithm's name.
    pub(crate) recorded: Option<(String, String)>,
    pub(crate) job: Job,
    /// The entry that the scan saw at its path in the sink.
    pub(crate) replaces: Replaced,
    /// The size of the content that was sent before, if the source states another size.
    pub(crate) kept_size_bytes: Option<u64>,
    /// The attributes that the sink did not keep before.
    pub(crate) kept: Kept,
    /// Whether the lane for files with long holes transfers it.
    pub(crate) has_long_holes: bool,
    /// The counters that reader, hash stage and writer update.
    pub(crate) progress: FileProgress,
    /// Cancelled if the writer fails: the rest need not be read.
    pub(crate) given_up: CancellationToken,
}

/// The work for a file.
#[derive(Debug)]
pub(crate) enum Job {
    /// Send a file's content, or a link's target.
    Content,
    /// Create it as another name of this file, which is in sync.
    Name(RelPath),
    /// Apply its attributes, and nothing else.
    Attributes,
}

impl Task {
    /// The task for a row of the backlog.
    pub(crate) fn new(work: Work, pending: Pending, progress: &Progress) -> Self {
        Self::of_lane(work, pending, progress, false)
    }

    /// The task for a row of a file with long holes.
    pub(crate) fn with_long_holes(pending: Pending, progress: &Progress) -> Self {
        Self::of_lane(Work::Content, pending, progress, true)
    }

    fn of_lane(work: Work, pending: Pending, progress: &Progress, has_long_holes: bool) -> Self {
        let Pending { key, path, read_path, metadata, recorded, name_of, replaces, kept_size_bytes, kept } = pending;
        let job = match (work, name_of) {
            (Work::Name, Some(name_of)) => Job::Name(name_of),
            (Work::Attributes, _) => Job::Attributes,
            _ => Job::Content,
        };
        let progress = progress.of_file(&path, metadata.size_bytes, has_long_holes);
        let given_up = CancellationToken::new();
        Self {
            key,
            path,
            read_path,
            metadata,
            recorded,
            job,
            replaces,
            kept_size_bytes,
            kept,
            has_long_holes,
            progress,
            given_up,
        }
    }

    /// Whether its requests take longer than its content.
    pub(crate) fn is_small(&self) -> bool {
        self.metadata.size_bytes <= SMALL_BYTES as u64 || !matches!(self.job, Job::Content)
    }

    /// Ends the transfer if the file changed since the backlog was created.
    pub(crate) fn check(&self, now: &Metadata) -> Result<(), TransferResult> {
        if !matches!(now.kind, Kind::File | Kind::Symlink) {
            return Err(TransferResult::Vanished);
        }
        if !is_unchanged(&self.metadata, now) {
            let mut now = *now;
            if self.read_path != self.path {
                // The target of a followed link is copied as a separate file.
                now.names = 1;
            }
            return Err(TransferResult::Changed { now: Box::new(now) });
        }
        Ok(())
    }

    /// Like [`Self::check`], and also checks that the whole file was read.
    pub(crate) fn check_whole(&self, now: &Metadata, read_bytes: u64) -> Result<(), TransferResult> {
        self.check(now)?;
        if read_bytes != now.size_bytes {
            // Shorter than the source states: this is not the file's content.
            let error = Error::new(
                ErrorKind::Other,
                "read",
                &self.path,
                format!("ended after {read_bytes} of {} bytes", now.size_bytes),
            );
            return Err(TransferResult::source_failed(error.with_temporary(true)));
        }
        Ok(())
    }
}

/// How the transfer of a file ended: what the writer reports to the committer.
#[derive(Debug)]
pub(crate) enum TransferResult {
    /// The sink has the whole content, but it is not durable yet.
    Written(Box<Written>),
    /// It changed since the backlog was created, and has this metadata now.
    Changed { now: Box<Metadata> },
    /// It is no longer another name of the file that the sink has.
    OtherFile,
    /// The sink cannot create it as another name (hard link): it is sent as a separate file.
    NoSuchName(Arc<Error>),
    /// A non-empty directory is at its path in the sink.
    Blocked(Arc<Error>),
    /// It has long holes: another lane sends it.
    LongHoles,
    /// The source no longer has it.
    Vanished,
    /// The source or the sink failed.
    Failed(Failure),
    /// The run is stopping.
    Stopped,
}

/// The copy at the sink.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The checksum of the content, if the options request one.
    pub(crate) hash: Option<FileHash>,
    /// What was sent beside content and metadata.
    pub(crate) sent: Sent,
    /// Attributes that the sink did not accept or keep.
    pub(crate) not_accepted: Vec<Arc<Error>>,
    /// The values that it has instead.
    pub(crate) kept: Kept,
    /// The size of the content that was sent, if the source states another size.
    pub(crate) unstated_size_bytes: Option<u64>,
    /// Bytes that were written.
    pub(crate) written_bytes: u64,
    /// Bytes of holes, which were not written.
    pub(crate) hole_bytes: u64,
}

/// An error, and the side that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) side: Side,
    pub(crate) error: Arc<Error>,
}

impl TransferResult {
    /// Whether it ends the run: the sink takes nothing more from anyone.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self, Self::Failed(failure) if failure.side == Side::Sink && ends_run(&failure.error))
    }

    /// The sink failed.
    pub(crate) fn sink_failed(error: Error) -> Self {
        Self::Failed(Failure { side: Side::Sink, error: Arc::new(error) })
    }

    /// The source failed.
    pub(crate) fn source_failed(error: Error) -> Self {
        Self::Failed(Failure { side: Side::Source, error: Arc::new(error) })
    }
}

impl From<Conflict> for TransferResult {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::FullDir(error) => Self::Blocked(Arc::new(error)),
            Conflict::Error(error) => Self::sink_failed(error),
        }
    }
}

/// A file and the result of its transfer.
#[derive(Debug)]
pub(crate) struct FinishedTask {
    pub(crate) task: Arc<Task>,
    pub(crate) result: TransferResult,
    /// The time since the lane began it.
    pub(crate) took: Duration,
}
