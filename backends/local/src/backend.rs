//! Mounted paths, as a backend for the registry.

use towpath_backend::registry::{Backend, Location, OpenError, OptionKind, OptionSpec, Settings};
use towpath_backend::{Capabilities, Sink, Source, Tree as _, async_trait};

use crate::missing::MissingSink;
use crate::sink::LocalSink;
use crate::source::LocalSource;

const TRASH: &str = "trash";
const OPTIONS: &[OptionSpec] = &[OptionSpec {
    name: TRASH,
    kind: OptionKind::Path,
    about: "directory that deleted files are moved to (--trash)",
    environment: &[],
}];

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

    fn options(&self) -> &'static [OptionSpec] {
        OPTIONS
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

    async fn open_sink(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Sink>, OpenError> {
        let path = location.path().ok_or_else(|| OpenError::Usage(format!("{location} is no path")))?;
        let sink = LocalSink::open_bounded(path, settings.root_permissions()).map_err(OpenError::storage)?;
        Ok(Box::new(with_trash(sink, settings)?))
    }

    async fn inspect_sink(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Sink>, OpenError> {
        let path = location.path().ok_or_else(|| OpenError::Usage(format!("{location} is no path")))?;
        let Some(mut sink) = LocalSink::inspect(path).map_err(OpenError::storage)? else {
            return Ok(Box::new(MissingSink::new(path, settings.path(TRASH).is_some()).map_err(OpenError::storage)?));
        };
        if let Some((identity, capabilities)) = settings.recorded()
            && sink.identity().await.is_ok_and(|now| now.is_recorded_as(identity.as_str()))
        {
            sink = sink.with_capabilities(*capabilities);
        }
        Ok(Box::new(with_trash(sink, settings)?))
    }
}

/// The sink with the place for what is discarded, if there is to be one.
fn with_trash(sink: LocalSink, settings: &Settings) -> Result<LocalSink, OpenError> {
    let Some(trash) = settings.path(TRASH) else { return Ok(sink) };
    sink.with_trash(trash).map_err(|error| OpenError::storage(format!("trash {error}")))
}
