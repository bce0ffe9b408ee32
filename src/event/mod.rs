//! What a migration tells while it runs. The engine never prints: it emits these.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;

use crate::checksum::Checksum;

/// One of the two trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Read from.
    Source,
    /// Written into.
    Sink,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Source, Self::Sink];

    /// The other side.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Source => Self::Sink,
            Self::Sink => Self::Source,
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Sink => "destination",
        })
    }
}

/// A number of files and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files.
    pub files: u64,
    /// Bytes of their content: sparse files alone can add up to more than 64 bits hold.
    pub bytes: u128,
}

/// What a scan found on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Regular files and symbolic links.
    pub files: u64,
    /// Directories, the root not among them.
    pub dirs: u64,
    /// Bytes of the files' content; wide for the same reason as [`Totals::bytes`].
    pub bytes: u128,
}

/// Why a run scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanReason {
    /// The database is new.
    FirstRun,
    /// The last run left nothing to do.
    BacklogEmpty,
    /// The backlog of an interrupted run was sent first, and a scan afterwards was asked for
    /// ([`crate::AfterBacklog::Scan`]).
    AfterBacklog,
    /// The last scan did not come to its end.
    Interrupted,
    /// The last scan could not read some directories, and a run has ended since.
    Incomplete,
    /// The last run came to its end. The files that failed in it were tried first.
    AfterFailed,
    /// The last scan was made with other filters, or other options that decide what is migrated.
    OtherSettings,
    /// It was asked for.
    Requested,
}

impl ScanReason {
    /// The word for it in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstRun => "first-run",
            Self::BacklogEmpty => "backlog-empty",
            Self::AfterBacklog => "after-backlog",
            Self::Interrupted => "scan-interrupted",
            Self::Incomplete => "unreadable-directories",
            Self::AfterFailed => "after-failed-files",
            Self::OtherSettings => "other-options",
            Self::Requested => "requested",
        }
    }
}

/// How the run ended that left a backlog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BacklogOrigin {
    /// It was interrupted: stopped, killed, or ended by an error.
    Interrupted,
    /// It came to its end. The backlog holds only the files that failed.
    Failed,
}

impl BacklogOrigin {
    /// The word for it in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::Failed => "failed-files",
        }
    }
}

/// The two full paths of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePaths {
    /// In the source, bytes as they are.
    pub source: Vec<u8>,
    /// In the sink, bytes as they are.
    pub dest: Vec<u8>,
}

/// What a run would do to a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send its content, or a link's target.
    Send,
    /// Make it another name of a file.
    Link,
    /// Apply permissions or owner, and nothing else.
    SetAttributes,
    /// Nothing: it cannot be had at the sink.
    Fail,
    /// Make a directory.
    MakeDir,
    /// Delete a file or link from the sink.
    Delete,
    /// Remove an emptied directory from the sink.
    DeleteDir,
    /// Spell a name of the sink as the source does.
    Rename,
}

impl Action {
    /// The word for it in texts and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Link => "link",
            Self::SetAttributes => "attributes",
            Self::Fail => "fail",
            Self::MakeDir => "mkdir",
            Self::Delete => "delete",
            Self::DeleteDir => "rmdir",
            Self::Rename => "rename",
        }
    }
}

/// Something happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Both trees are being walked.
    ScanStarted {
        /// Why.
        reason: ScanReason,
    },
    /// A directory could not be read; what lies below stays as it was recorded.
    Unreadable {
        /// Whose directory.
        side: Side,
        /// Its full path.
        path: Vec<u8>,
        /// Why not.
        error: String,
    },
    /// Something in the source is not copied.
    Skipped {
        /// Where it is, and where it would go.
        paths: FilePaths,
        /// Why.
        reason: String,
        /// Whether the trees are in sync without it: a special file ([`crate::Specials::Skip`]).
        accepted: bool,
    },
    /// Both trees have been walked, and the backlog is complete.
    ScanFinished {
        /// What the source holds.
        source: Counts,
        /// What the sink holds.
        sink: Counts,
        /// What is to be sent.
        pending: Totals,
    },
    /// All pending files that the sink has under the same name and size differ from it by less than a second in
    /// their mtime: a tool that keeps whole seconds made these copies.
    WholeSecondsAtSink {
        /// How many there are.
        files: u64,
    },
    /// A rule of the filter matched nothing in a scan that came to its end. What lies below an
    /// excluded directory is not scanned.
    PatternUnmatched {
        /// The pattern.
        pattern: Vec<u8>,
        /// Where it is from ([`crate::Rule::origin`]); may be empty.
        origin: String,
    },
    /// Names of files that have several become files of their own.
    HardLinksCopied {
        /// Those whose file has another name already, and the bytes that this costs.
        names: Totals,
    },
    /// The backlog of an earlier run is sent, without a scan before.
    Resuming {
        /// What is to be sent.
        pending: Totals,
        /// How that run ended.
        origin: BacklogOrigin,
        /// Whether this run scans afterwards.
        then_scan: bool,
    },
    /// A pass over the backlog begins: the first sends everything, later ones
    /// try again what changed or failed for a while.
    PassStarted {
        /// 1, 2, …
        pass: u32,
        /// Files still pending.
        pending: Totals,
    },
    /// A file is at the sink, durable and recorded.
    Synced {
        /// The file.
        paths: FilePaths,
        /// Its size.
        size_bytes: u64,
        /// The checksum of its content, if one was asked for.
        checksum: Option<Checksum>,
        /// The file, by its full path in the sink, that it was made another name of:
        /// nothing was sent.
        hard_link_to: Option<Vec<u8>>,
    },
    /// Permissions or owner of a file in sync were applied.
    Settled {
        /// The file.
        paths: FilePaths,
    },
    /// The sink did not take an attribute of a file or directory that is in sync otherwise.
    Refused {
        /// The file.
        paths: FilePaths,
        /// Which attribute, and why.
        error: String,
    },
    /// A name at the sink, which folds case or accents, was spelled as the source spells it.
    Renamed {
        /// The name as it is spelled now.
        paths: FilePaths,
        /// Its full path in the sink as it was spelled before.
        from: Vec<u8>,
    },
    /// Something at the sink was deleted, or moved where deleted things go.
    Deleted {
        /// Where it was.
        paths: FilePaths,
        /// Its size; `None` for a directory.
        size_bytes: Option<u64>,
    },
    /// Something at the sink that the source does not have was left, to be safe.
    Protected {
        /// Where it is.
        paths: FilePaths,
        /// Why.
        reason: String,
    },
    /// A file will be tried again in this run: in a later pass, or after the scan.
    WillRetry {
        /// The file.
        paths: FilePaths,
        /// What happened.
        reason: String,
    },
    /// A file was not transferred in this run; it stays in the backlog.
    Failed {
        /// The file.
        paths: FilePaths,
        /// Why.
        error: String,
    },
    /// The copy of a file at the sink is neither the old nor the new one: it was begun in place
    /// ([`crate::WriteMode::InPlace`]) and could not be finished.
    Incomplete {
        /// The file.
        paths: FilePaths,
        /// Why it could not be finished, and what to do.
        error: String,
    },
    /// A file has long holes, whose zeros take long to hash. It waits for the lane for such files, which sends them
    /// one at a time, the smallest first.
    LongHoles {
        /// The file.
        paths: FilePaths,
    },
    /// A file of the backlog no longer exists in the source.
    Vanished {
        /// The file.
        paths: FilePaths,
    },
    /// A dry run: a real one would do this.
    Planned {
        /// What.
        action: Action,
        /// To what.
        paths: FilePaths,
        /// Its size; `None` for a directory.
        size_bytes: Option<u64>,
        /// Why.
        reason: String,
    },
    /// The sink does not keep empty directories: those of the source are not there. Told once.
    EmptyDirsNotKept {
        /// How many.
        dirs: u64,
        /// Why not.
        reason: String,
    },
    /// Something a user should know that stops nothing.
    Warning {
        /// What.
        message: String,
    },
}

/// The events of one migration, in order.
///
/// The channel behind it is bounded: while it is held and not read, the engine waits.
#[derive(Debug)]
pub struct EventStream(mpsc::Receiver<Event>);

impl Stream for EventStream {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(context)
    }
}

impl EventStream {
    /// The next event; `None` once the migration has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

/// Where the engine sends its events. Without a listener they go nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Emitter {
    events: mpsc::Sender<Event>,
    stop: CancellationToken,
}

impl Emitter {
    /// Events that may wait to be read before the engine waits.
    const CAPACITY: usize = 1024;

    /// An emitter and the stream that hears it.
    /// Once `stop` is cancelled, a listener that does not listen is not waited for.
    pub(crate) fn with_stream(stop: CancellationToken) -> (Self, EventStream) {
        let (events, receiver) = mpsc::channel(Self::CAPACITY);
        (Self { events, stop }, EventStream(receiver))
    }

    /// Sends `event`, waiting for room; a listener that went away is no error.
    pub(crate) async fn emit(&self, event: Event) {
        tokio::select! {
            biased;
            _gone = self.events.send(event) => {}
            () = self.stop.cancelled() => {}
        }
    }
}
