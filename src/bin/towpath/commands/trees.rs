//! Opens trees with the backends of this build.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use towpath_backend::registry::{ConfigSources, Found, Location, OpenError, Registry};
use towpath_backend::{Capabilities, Identity};
use towpath_local::Local;

use crate::config;
use crate::console::{format, output};
use crate::exit::{COULD_NOT_RUN, ExitError, USAGE_ERROR};
use towpath::{Sink, Source};

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
const PAUSE: Duration = Duration::from_secs(1);

/// Opens the trees of a run.
pub(crate) struct Trees {
    registry: Registry,
    around: ConfigSources,
    /// Why the default configuration file is not used.
    pub(crate) note: Option<String>,
}

impl Trees {
    /// Reads the options of the configuration file (the default one if none is given) and of the environment.
    pub(crate) fn new(configuration: Option<&Path>) -> Result<Self, ExitError> {
        let mut around = ConfigSources::environment();
        let note = config::read(configuration, &mut around).map_err(|problem| ExitError(USAGE_ERROR, problem))?;
        Ok(Self { registry: registry().map_err(exit_error)?, around, note })
    }

    /// Checks that a backend can open the location with the known options.
    pub(crate) fn check(&self, location: &Location) -> Result<(), ExitError> {
        self.registry.find(location, &self.around).map(drop).map_err(exit_error)
    }

    pub(crate) async fn source(&self, location: &Location) -> Result<Box<dyn Source>, ExitError> {
        let found = self.registry.find(location, &self.around).map_err(exit_error)?;
        patiently("source", async || found.source().await).await
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

    fn find<'a>(&'a self, location: &'a Location, trash: Option<&Path>) -> Result<Found<'a>, ExitError> {
        let found = self.registry.find(location, &self.around).map_err(exit_error)?;
        match trash {
            Some(trash) => found.with_path("trash", trash).map_err(exit_error),
            None => Ok(found),
        }
    }
}

/// Opens a tree. A storage that does not answer is waited for, for half a minute.
async fn patiently<T>(side: &str, open: impl AsyncFn() -> Result<T, OpenError>) -> Result<T, ExitError> {
    let (began, mut is_reported) = (Instant::now(), false);
    loop {
        match open().await {
            Err(OpenError::Unavailable(problem)) if began.elapsed() < AWAY_PATIENCE => {
                if !std::mem::replace(&mut is_reported, true) {
                    let problem = format::escape(problem.as_bytes());
                    output::note(&format!("{side} {problem}; trying again for {} s", AWAY_PATIENCE.as_secs()));
                }
                sleep(PAUSE).await;
            }
            result => return result.map_err(|error| named(side, error)),
        }
    }
}

fn exit_error(error: OpenError) -> ExitError {
    let status = if matches!(error, OpenError::Usage(_)) { USAGE_ERROR } else { COULD_NOT_RUN };
    ExitError(status, error.to_string())
}

fn named(side: &str, error: OpenError) -> ExitError {
    let ExitError(status, problem) = exit_error(error);
    ExitError(status, format!("{side} {problem}"))
}
