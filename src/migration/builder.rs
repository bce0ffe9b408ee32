//! What a migration needs, collected and checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use towpath_backend::{Sink, Source};

use super::Migration;
use crate::error::{Error, Result};
use crate::event::Emitter;
use crate::options::{Options, WriteMode};
use crate::pace::Paces;
use crate::progress::Progress;

/// Collects what a migration needs.
#[derive(Default)]
pub struct Builder {
    source: Option<Arc<dyn Source>>,
    sink: Option<Arc<dyn Sink>>,
    database: Option<PathBuf>,
    audit_log: Option<PathBuf>,
    left_alone: Vec<PathBuf>,
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

    /// The same, for a sink that was chosen at run time.
    #[must_use]
    pub fn boxed_sink(mut self, sink: Box<dyn Sink>) -> Self {
        self.sink = Some(Arc::from(sink));
        self
    }

    /// Files of this machine that are no part of either tree, should they lie
    /// inside one, as the database and the log of this migration are none.
    #[must_use]
    pub fn leave_alone(mut self, files: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        self.left_alone.extend(files.into_iter().map(|file| file.as_ref().to_owned()));
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
        let source = self.source.ok_or_else(|| missing("a source"))?;
        let sink = self.sink.ok_or_else(|| missing("a sink"))?;
        if self.options.write_mode == WriteMode::Atomic && !sink.capabilities().renames {
            let problem = "the destination cannot rename in one step, so files cannot be replaced atomically";
            return Err(Error::Config(problem.to_owned()));
        }
        let mut options = self.options;
        options.sink_apart.extend(sink.reserved_paths());
        let over_network = source.hints().over_network || sink.hints().over_network;
        let paces = Paces::new(&options, over_network);
        Ok(Migration {
            paces,
            source,
            sink,
            database: self.database.ok_or_else(|| missing("a database"))?,
            audit_log: self.audit_log.ok_or_else(|| missing("an audit log"))?,
            left_alone: self.left_alone,
            options,
            cancellation: self.cancellation,
            stop_reason: Arc::default(),
            emitter: Emitter::default(),
            progress: Progress::default(),
        })
    }
}
