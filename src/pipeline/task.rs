//! One file's way through a lane, and what can become of it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use towpath_backend::{Error, ErrorKind, Metadata, RelPath};

use crate::checksum::FileHash;
use crate::state::{FileKey, Pending};

/// A file to be sent.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) key: FileKey,
    pub(crate) path: RelPath,
    /// As the backlog has them.
    pub(crate) metadata: Metadata,
    /// The checksum recorded for this content, with its algorithm's name.
    pub(crate) recorded: Option<(String, String)>,
    /// Cancelled by the writer that failed: the rest need not be read.
    pub(crate) given_up: CancellationToken,
}

impl Task {
    /// The task that a row of the backlog asks for.
    pub(crate) fn new(pending: Pending) -> Self {
        let Pending { key, path, metadata, recorded } = pending;
        Self { key, path, metadata, recorded, given_up: CancellationToken::new() }
    }
}

/// How a file's way through the lane ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The sink has it all, as it said at the close; it is not yet durable. The
    /// checksum is of what was read, if one was asked for.
    Written { hash: Option<FileHash> },
    /// It changed since the backlog was made: these are its metadata now.
    Changed { now: Metadata },
    /// The source does not have it any more.
    Vanished,
    /// The source or the sink failed.
    Failed(Failure),
    /// The run was told to stop.
    Stopped,
}

/// What failed, and on which side.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) side: crate::event::Side,
    pub(crate) error: Error,
}

impl Failure {
    pub(crate) fn source(error: Error) -> Self {
        Self { side: crate::event::Side::Source, error }
    }

    pub(crate) fn sink(error: Error) -> Self {
        Self { side: crate::event::Side::Sink, error }
    }

    /// Whether every other file would fail alike: no use to go on.
    pub(crate) fn concerns_all(&self) -> bool {
        self.side == crate::event::Side::Sink && matches!(self.error.kind(), ErrorKind::NoSpace | ErrorKind::ReadOnly)
    }
}

/// A file and how its way ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) task: Arc<Task>,
    pub(crate) ending: Ending,
}

/// Whether a file is still the one that the backlog knows.
pub(crate) fn is_unchanged(before: &Metadata, now: &Metadata) -> bool {
    before.kind == now.kind && before.size_bytes == now.size_bytes && before.modified == now.modified
}
