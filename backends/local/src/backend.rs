//! Mounted paths, as a backend for the registry.

use towpath_backend::registry::{Backend, Location, OpenError, Settings};
use towpath_backend::{Capabilities, Sink, Source, async_trait};

use crate::{LocalSink, LocalSource};

/// Opens paths of this machine. A URL `file:///path` is the path.
#[derive(Clone, Copy, Debug)]
pub struct Local;

#[async_trait]
impl Backend for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn about(&self) -> &'static str {
        "mounted paths: NFS, SMB, disks"
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["file"]
    }

    fn opens_paths(&self) -> bool {
        true
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            symlinks: true,
            hard_links: true,
            renames: true,
            holes: true,
            probes: true,
            ..Capabilities::PLAIN
        }
    }

    async fn open_source(&self, location: &Location, _: &Settings) -> Result<Box<dyn Source>, OpenError> {
        let path = location.path().ok_or_else(|| OpenError::Usage(format!("{location} is no path")))?;
        Ok(Box::new(LocalSource::open(path).map_err(OpenError::storage)?))
    }

    async fn open_sink(&self, location: &Location, _: &Settings) -> Result<Box<dyn Sink>, OpenError> {
        let path = location.path().ok_or_else(|| OpenError::Usage(format!("{location} is no path")))?;
        Ok(Box::new(LocalSink::open(path).map_err(OpenError::storage)?))
    }

    async fn inspect_sink(&self, location: &Location, _: &Settings) -> Result<Box<dyn Sink>, OpenError> {
        let path = location.path().ok_or_else(|| OpenError::Usage(format!("{location} is no path")))?;
        let inspected = LocalSink::inspect(path).map_err(OpenError::storage)?;
        let sink = inspected.ok_or_else(|| OpenError::storage(format!("{location} does not exist")))?;
        Ok(Box::new(sink))
    }
}
