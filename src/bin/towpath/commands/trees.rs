//! Opens trees with the backends of this build.

use std::path::Path;
use std::time::Duration;

use towpath_backend::registry::{ConfigSources, Found, Location, OpenError, Registry};
use towpath_backend::{Capabilities, Identity, Metadata, RelPath};
use towpath_local::Local;

use crate::config::ConfigFile;
use crate::console::output;
use crate::exit::{COULD_NOT_RUN, ExitError, USAGE_ERROR};
use crate::format;
use towpath::{CancellationToken, Patience, Sink, Source};

/// All backends of this build.
pub(crate) fn registry() -> Result<Registry, OpenError> {
    let mut registry = Registry::new();
    registry.register(Local)?;
    #[cfg(feature = "opendal")]
    towpath_opendal::services::register(&mut registry)?;
    Ok(registry)
}

/// How long a storage that does not answer is waited for.
const AWAY_PATIENCE: Duration = Duration::from_secs(30);

/// Opens the trees of a run.
pub(crate) struct Trees {
    registry: Registry,
    around: ConfigSources,
    /// Why the default configuration file is not used.
    pub(crate) note: Option<String>,
}

impl Trees {
    /// Takes the options of the configuration file and of the environment.
    pub(crate) fn new(file: &ConfigFile) -> Result<Self, ExitError> {
        let mut around = ConfigSources::environment();
        file.add_to(&mut around);
        // Credentials may be replaced during a run.
        if let Some(path) = file.path.clone() {
            around.reread_by(move || {
                let mut again = ConfigSources::environment();
                ConfigFile::read(Some(&path))?.add_to(&mut again);
                Ok(again)
            });
        }
        Ok(Self { registry: registry().map_err(exit_error)?, around, note: file.note() })
    }

    /// Checks that a backend can open the location with the known options.
    pub(crate) fn check(&self, location: &Location) -> Result<(), ExitError> {
        self.registry.find(location, &self.around).map(drop).map_err(exit_error)
    }

    pub(crate) async fn source(&self, location: &Location) -> Result<Box<dyn Source>, ExitError> {
        self.source_at(location, "source").await
    }

    /// Opens a tree for reading; errors name it by `side`.
    pub(crate) async fn source_at(&self, location: &Location, side: &str) -> Result<Box<dyn Source>, ExitError> {
        let found = self.registry.find(location, &self.around).map_err(exit_error)?;
        patiently(side, async || found.source().await).await
    }

    /// Opens a destination. A created root has no more than `root_permissions`.
    pub(crate) async fn sink(
        &self,
        location: &Location,
        root_permissions: Option<u32>,
        trash: Option<&Path>,
    ) -> Result<Box<dyn Sink>, ExitError> {
        let found = self.find(location, trash)?;
        let found = found.with_root_permissions(root_permissions);
        patiently("destination", async || found.sink().await).await
    }

    /// Opens a destination for a dry run, with what the last run recorded of it.
    pub(crate) async fn inspect(
        &self,
        location: &Location,
        recorded: Option<(Identity, Capabilities)>,
        trash: Option<&Path>,
    ) -> Result<Box<dyn Sink>, ExitError> {
        let found = self.find(location, trash)?.with_recorded(recorded);
        patiently("destination", async || found.inspect().await).await
    }

    /// The backend of a location, with its options.
    pub(super) fn find<'a>(&'a self, location: &'a Location, trash: Option<&Path>) -> Result<Found<'a>, ExitError> {
        let found = self.registry.find(location, &self.around).map_err(exit_error)?;
        match trash {
            Some(trash) => found.with_path("trash", trash).map_err(exit_error),
            None => Ok(found),
        }
    }
}

/// What the root of the source is.
pub(crate) async fn root_of(source: &dyn Source) -> Result<Metadata, ExitError> {
    let read = async || {
        source.metadata(&RelPath::root()).await.map_err(|error| {
            let text = format!("{}: {error}", String::from_utf8_lossy(source.root()));
            if error.is_temporary() { OpenError::Unavailable(text) } else { OpenError::Storage(text) }
        })
    };
    patiently("source", read).await
}

/// Opens a tree. A storage that does not answer is waited for, for half a minute.
async fn patiently<T>(side: &str, open: impl AsyncFn() -> Result<T, OpenError>) -> Result<T, ExitError> {
    // Nothing has begun: a signal ends the process.
    let (mut patience, mut is_reported, stop) = (Patience::new(AWAY_PATIENCE), false, CancellationToken::new());
    loop {
        let problem = match open().await {
            Err(OpenError::Unavailable(problem)) => problem,
            result => return result.map_err(|error| named(side, error)),
        };
        if !std::mem::replace(&mut is_reported, true) {
            let problem = format::escape(problem.as_bytes());
            output::note(&format!("{side} {problem}; trying again for {} s", AWAY_PATIENCE.as_secs()));
        }
        if !patience.pause(&stop).await {
            return Err(named(side, OpenError::Unavailable(problem)));
        }
    }
}

pub(super) fn exit_error(error: OpenError) -> ExitError {
    let status = if matches!(error, OpenError::Usage(_)) { USAGE_ERROR } else { COULD_NOT_RUN };
    ExitError(status, error.to_string())
}

fn named(side: &str, error: OpenError) -> ExitError {
    let ExitError(status, problem) = exit_error(error);
    ExitError(status, format!("{side} {problem}"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    fn unavailable() -> OpenError {
        OpenError::Unavailable("s3://bucket: open .: connection refused".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_storage_that_comes_back_is_opened() {
        let (attempts, began) = (Cell::new(0), Instant::now());
        let opened = patiently("source", async || {
            attempts.set(attempts.get() + 1);
            if began.elapsed() < Duration::from_secs(20) { Err(unavailable()) } else { Ok(attempts.get()) }
        });
        assert_eq!(opened.await.ok(), Some(8));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_stays_away_ends_the_program_after_half_a_minute() {
        let began = Instant::now();
        let opened = patiently("destination", async || Err::<(), _>(unavailable())).await;
        let ExitError(status, problem) = opened.unwrap_err();
        assert_eq!((status, problem.as_str()), (1, "destination s3://bucket: open .: connection refused"));
        assert_eq!(began.elapsed(), AWAY_PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn other_errors_end_it_at_once() {
        for (error, expected) in [
            (OpenError::Storage("it: not found".to_owned()), COULD_NOT_RUN),
            (OpenError::Usage("it: no bucket".to_owned()), USAGE_ERROR),
        ] {
            let (began, error) = (Instant::now(), Cell::new(Some(error)));
            let opened = patiently("source", async || Err::<(), _>(error.take().unwrap())).await;
            assert_eq!((opened.unwrap_err().0, began.elapsed()), (expected, Duration::ZERO));
        }
    }
}
