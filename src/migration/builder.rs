//! Collects and checks what a migration needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use towpath_backend::{Sink, Source};

use super::control::{self, Control};
use super::facade::Migration;
use super::stopper::Stopper;
use crate::error::{Result, UsageError};
use crate::event_stream::{Emitter, EventStream};
use crate::nowhere::Nowhere;
use crate::observer::ScanObserver;
use crate::options::{Extent, Options, WriteMode};
use crate::pace::{Paces, Steps};
use crate::per_side::PerSide;
use crate::progress::Progress;

/// Collects what a migration needs.
///
/// ```
/// # fn example(source: impl towpath::Source + 'static, sink: impl towpath::Sink + 'static) -> towpath::Result<()> {
/// use towpath::{Migration, Options};
///
/// let (migration, events) = Migration::builder()
///     .source(source)
///     .sink(sink)
///     .database("backlog.db")
///     .audit_log("audit.jsonl")
///     .options(Options::default().lanes(8))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Builder {
    source: Option<Arc<dyn Source>>,
    sink: Option<Arc<dyn Sink>>,
    database: Option<PathBuf>,
    audit_log: Option<PathBuf>,
    excluded_paths: Vec<PathBuf>,
    observer: Option<Arc<dyn ScanObserver>>,
    options: Options,
    command: Option<String>,
    cancellation: CancellationToken,
}

impl Migration {
    /// Starts a builder.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// The tree to read from.
    #[must_use]
    pub fn source(mut self, source: impl Source + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The tree to write to. A `Box<dyn Sink>` chosen at run time is a `Sink`, too.
    #[must_use]
    pub fn sink(mut self, sink: impl Sink + 'static) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// Files of this machine that are excluded from the migration even if they are inside one of the
    /// trees. The database and the log of this migration always are.
    #[must_use]
    pub fn excluded_paths(mut self, files: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        self.excluded_paths.extend(files.into_iter().map(|file| file.as_ref().to_owned()));
        self
    }

    /// The SQLite database that stores the backlog; created if missing. It must be on a local disk.
    #[must_use]
    pub fn database(mut self, path: impl AsRef<Path>) -> Self {
        self.database = Some(path.as_ref().to_owned());
        self
    }

    /// The log to which one line of JSON is appended for each file, with its result.
    #[must_use]
    pub fn audit_log(mut self, path: impl AsRef<Path>) -> Self {
        self.audit_log = Some(path.as_ref().to_owned());
        self
    }

    /// Who sees what the scan lists in the source.
    #[must_use]
    pub fn observer(mut self, observer: impl ScanObserver + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The options.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// How the run is started, as a text that is recorded with it ([`crate::RecordedRun::command`]).
    #[must_use]
    pub fn command(mut self, command: impl Into<Option<String>>) -> Self {
        self.command = command.into();
        self
    }

    /// A token that stops the migration when it is cancelled.
    #[must_use]
    pub fn cancellation(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }

    /// Creates the migration and the stream of its events. Does no I/O. The channel of the events is bounded: a slow
    /// reader makes the engine wait. Read the events in a separate task, or drop the stream if you do not need it.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if something is missing, out of bounds or contradictory.
    pub fn build(self) -> Result<(Migration, EventStream)> {
        self.options.check()?;
        let source = self.source.ok_or(UsageError::NoSource)?;
        let nowhere = || (self.options.extent == Extent::Listing).then(|| Arc::new(Nowhere) as Arc<dyn Sink>);
        let sink = self.sink.or_else(nowhere).ok_or(UsageError::NoSink)?;
        let database = self.database.ok_or(UsageError::NoDatabase)?;
        let audit_log = self.audit_log.ok_or(UsageError::NoAuditLog)?;
        if self.options.write_mode == WriteMode::Atomic && !sink.capabilities().renames {
            return Err(UsageError::NoAtomicRename.into());
        }
        if self.options.mirror.is_some_and(|mirror| mirror.discard) && !sink.can_discard() {
            return Err(UsageError::NoTrash.into());
        }
        let mut options = self.options;
        options.reserved_paths.extend(sink.reserved_paths());
        let hints = PerSide { source: source.hints(), sink: sink.hints() };
        let over_network = hints.source.over_network || hints.sink.over_network;
        let paces = Paces::new(&options, over_network, Steps::between(hints));
        let (emitter, events) = Emitter::with_stream(self.cancellation.clone());
        let (unrecorded, steered) = mpsc::channel(control::UNRECORDED);
        let (progress, finish) = (Progress::default(), CancellationToken::new());
        let stopper = Stopper::new(self.cancellation.clone(), Arc::default());
        let control = Control::new(Arc::clone(&paces), progress.clone(), stopper.clone(), finish.clone(), unrecorded);
        let migration = Migration {
            paces,
            source,
            sink,
            database,
            audit_log,
            excluded_paths: self.excluded_paths,
            observer: self.observer,
            options,
            command: self.command,
            cancellation: self.cancellation,
            stopper,
            finish,
            control,
            steered,
            emitter,
            progress,
        };
        Ok((migration, events))
    }
}
