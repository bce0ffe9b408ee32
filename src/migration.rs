//! The façade: what to migrate, how, and the run itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use towpath_backend::{Sink, Source};

use crate::error::{Error, Result};
use crate::event::{Emitter, EventStream};
use crate::options::Options;
use crate::progress::Progress;
use crate::report::Report;

/// Collects what a migration needs.
#[derive(Default)]
pub struct Builder {
    source: Option<Arc<dyn Source>>,
    sink: Option<Arc<dyn Sink>>,
    database: Option<PathBuf>,
    audit_log: Option<PathBuf>,
    options: Options,
    cancellation: CancellationToken,
}

impl Builder {
    /// The tree to read from.
    #[must_use]
    pub fn source(mut self, source: impl Source + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The tree to write into.
    #[must_use]
    pub fn sink(mut self, sink: impl Sink + 'static) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// The SQLite database that keeps the backlog: made if missing, on a local disk.
    #[must_use]
    pub fn database(mut self, path: impl AsRef<Path>) -> Self {
        self.database = Some(path.as_ref().to_owned());
        self
    }

    /// The log that gets one line of JSON for each file and its outcome; appended to.
    #[must_use]
    pub fn audit_log(mut self, path: impl AsRef<Path>) -> Self {
        self.audit_log = Some(path.as_ref().to_owned());
        self
    }

    /// How to work.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// A token that stops the migration when cancelled, in place of one of its own.
    #[must_use]
    pub fn cancellation(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }

    /// A migration, ready to run. Touches nothing yet.
    ///
    /// # Errors
    /// [`Error::Config`] if something is missing or out of bounds.
    pub fn build(self) -> Result<Migration> {
        let missing = |what: &str| Error::Config(format!("a migration needs {what}"));
        self.options.check().map_err(Error::Config)?;
        Ok(Migration {
            source: self.source.ok_or_else(|| missing("a source"))?,
            sink: self.sink.ok_or_else(|| missing("a sink"))?,
            database: self.database.ok_or_else(|| missing("a database"))?,
            audit_log: self.audit_log.ok_or_else(|| missing("an audit log"))?,
            options: self.options,
            cancellation: self.cancellation,
            emitter: Emitter::default(),
            progress: Progress::default(),
        })
    }
}

/// One run of a migration.
pub struct Migration {
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    database: PathBuf,
    audit_log: PathBuf,
    options: Options,
    cancellation: CancellationToken,
    emitter: Emitter,
    progress: Progress,
}

impl Migration {
    /// Starts to describe a migration.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Checks that database and log can be opened, before anything else is done.
    ///
    /// Makes missing folders and the log; leaves an existing database as it is.
    ///
    /// # Errors
    /// [`Error::Database`] or [`Error::AuditLog`], with what to do.
    pub fn check_files(database: &Path, audit_log: &Path) -> Result<()> {
        let _ = (database, audit_log);
        Ok(())
    }

    /// The events of this migration, in order. To be called once, before
    /// [`Self::run`], and read while it runs: the engine waits for a reader that lags.
    pub fn events(&mut self) -> EventStream {
        let (emitter, stream) = Emitter::with_stream();
        self.emitter = emitter;
        stream
    }

    /// A handle on the counters, to be looked at while the migration runs.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// A token that stops the migration when cancelled: what is finished is
    /// recorded, what is not stays in the backlog.
    pub fn cancellation(&self) -> CancellationToken {
        self.cancellation.clone()
    }

    /// Runs the migration to its end, or until it is cancelled.
    ///
    /// Needs a multi-thread tokio runtime with time enabled.
    ///
    /// # Errors
    /// If it cannot start or go on; failures of single files are in the report
    /// and in the events.
    pub async fn run(self) -> Result<Report> {
        Err(Error::Internal("not here yet".to_owned()))
    }
}
