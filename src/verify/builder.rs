//! Collects and checks what a verification needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use towpath_backend::{Hints, Source};

use super::facade::Verification;
use super::options::VerifyOptions;
use super::progress::VerifyProgress;
use crate::error::{Result, UsageError};
use crate::event_stream::{Emitter, EventStream};
use crate::migration::{Control, Stopper};
use crate::pace::{Paces, Steps};
use crate::per_side::PerSide;

/// Collects what a verification needs.
///
/// ```
/// # fn example(source: impl towpath::Source + 'static, sink: impl towpath::Source + 'static) -> towpath::Result<()> {
/// use towpath::{Verification, VerifyOptions};
///
/// let (verification, events) = Verification::builder()
///     .source(source)
///     .sink(sink)
///     .database("backlog.db")
///     .options(VerifyOptions::default().lanes(8))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct VerifyBuilder {
    source: Option<Arc<dyn Source>>,
    sink: Option<Arc<dyn Source>>,
    database: Option<PathBuf>,
    options: VerifyOptions,
    cancellation: CancellationToken,
}

impl Verification {
    /// Starts a builder.
    pub fn builder() -> VerifyBuilder {
        VerifyBuilder::default()
    }
}

impl VerifyBuilder {
    /// The source of the migration. Without it, what changed there since is not found.
    #[must_use]
    pub fn source(mut self, source: impl Source + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The sink of the migration, opened as a tree that is only read.
    #[must_use]
    pub fn sink(mut self, sink: impl Source + 'static) -> Self {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// The database of the migration. It also names the audit log, to which one line of JSON is appended for each file,
    /// with its result: that of the last run. A run may go on meanwhile.
    #[must_use]
    pub fn database(mut self, path: impl AsRef<Path>) -> Self {
        self.database = Some(path.as_ref().to_owned());
        self
    }

    /// The options.
    #[must_use]
    pub fn options(mut self, options: VerifyOptions) -> Self {
        self.options = options;
        self
    }

    /// A token that stops the verification when it is cancelled.
    #[must_use]
    pub fn cancellation(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }

    /// Creates the verification and the stream of its events, as [`crate::Builder::build`] does. Does no I/O.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if something is missing, out of bounds or contradictory.
    pub fn build(self) -> Result<(Verification, EventStream)> {
        self.options.check()?;
        let sink = self.sink.ok_or(UsageError::NoSink)?;
        if self.options.hash_both && self.source.is_none() {
            return Err(UsageError::BothWithoutSource.into());
        }
        let hints = sink.hints();
        let source_hints = self.source.as_ref().map(|source| source.hints());
        let over_network = hints.over_network || source_hints.is_some_and(|hints| hints.over_network);
        // What is read, from either tree, passes the limit for reading.
        let steps = Steps::between(PerSide { source: hints, sink: Hints::DEFAULT });
        let paces = Paces::new(&self.options.as_migration(), over_network, steps);
        let (emitter, events) = Emitter::with_stream(self.cancellation.clone());
        let progress = VerifyProgress::default();
        let stopper = Stopper::new(self.cancellation.clone(), Arc::default());
        // How it is steered is not recorded.
        let (unrecorded, finish) = (mpsc::channel(1).0, CancellationToken::new());
        let engine = progress.engine().clone();
        let control = Control::new(Arc::clone(&paces), engine, stopper.clone(), finish, unrecorded);
        let verification = Verification {
            source: self.source,
            sink,
            database: self.database.ok_or(UsageError::NoDatabase)?,
            options: self.options,
            cancellation: self.cancellation,
            stopper,
            control,
            emitter,
            progress,
            paces,
        };
        Ok((verification, events))
    }
}
