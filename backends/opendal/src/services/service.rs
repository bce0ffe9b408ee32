//! One service of OpenDAL as a backend: opens its trees, and explains why one cannot be opened.

use towpath_backend::registry::{Backend, Location, OpenError, OptionSpec, Settings, Url};
use towpath_backend::{Capabilities, Error, ErrorKind, Sink, Source, Tree as _, async_trait};

use super::check::{self, url};
use crate::error::Cause;
use crate::handle::OpendalTree;

/// A service that OpenDAL reaches.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) schemes: &'static [&'static str],
    pub(super) options: &'static [OptionSpec],
    /// The options that hold credentials.
    pub(super) credentials: &'static [&'static str],
    /// Those of them that are read again during a run if they are in the configuration file.
    pub(super) read_again: &'static [&'static str],
    pub(super) capabilities: Capabilities,
    pub(super) build: fn(&Url, &Settings) -> Result<OpendalTree, OpenError>,
}

#[async_trait]
impl Backend for Service {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn schemes(&self) -> &'static [&'static str] {
        self.schemes
    }

    fn options(&self) -> &'static [OptionSpec] {
        self.options
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn check(&self, location: &Location, settings: &Settings) -> Result<(), OpenError> {
        self.tree(location, settings).map(drop)
    }

    /// Something must be there to be read.
    async fn open_source(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Source>, OpenError> {
        let (url, tree) = (url(location)?, self.tree(location, settings)?);
        match tree.is_there().await {
            Ok(true) => Ok(Box::new(tree)),
            Ok(false) => Err(OpenError::Storage(format!("{url}: not found; check the name"))),
            Err(error) => Err(self.failed(url, &error)),
        }
    }

    /// The bucket or the server must be there; a prefix or a folder need not.
    async fn open_sink(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Sink>, OpenError> {
        let (url, tree) = (url(location)?, self.tree(location, settings)?);
        tree.create_root().await.map_err(|error| self.failed(url, &error))?;
        tree.identity().await.map_err(|error| self.failed(url, &error))?;
        Ok(Box::new(tree))
    }

    async fn inspect_sink(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Sink>, OpenError> {
        let (url, tree) = (url(location)?, self.tree(location, settings)?);
        match tree.identity().await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.failed(url, &error)),
            _ => Ok(Box::new(tree)),
        }
    }
}

impl Service {
    /// Why a tree cannot be opened, and the options that decide it.
    pub(super) fn failed(&self, url: &Url, error: &Error) -> OpenError {
        let cause = Cause::of(error);
        let set_by = |names| check::options_named(self.options, names);
        let hint = match (cause, error.kind()) {
            (_, ErrorKind::Credentials | ErrorKind::PermissionDenied) | (Some(Cause::NoCredentials), _) => {
                set_by(self.credentials)
            }
            (Some(Cause::NotResolved), _) | (_, ErrorKind::Unavailable) => set_by(&["endpoint"]),
            (Some(Cause::Server(text)), _) if text.contains("region") => set_by(&["region"]),
            _ => String::new(),
        };
        let text = error.to_string();
        let text = if text.contains(&hint) { format!("{url}: {text}") } else { format!("{url}: {text}{hint}") };
        // A name that cannot be resolved is more often mistyped.
        let is_settled = error.kind() == ErrorKind::Credentials || matches!(cause, Some(Cause::NotResolved));
        match error.is_temporary() && !is_settled {
            true => OpenError::Unavailable(text),
            false => OpenError::Storage(text),
        }
    }

    /// The tree at a URL, as source and sink, without checking that it exists.
    ///
    /// # Errors
    /// If the URL or the settings name none.
    pub fn tree(&self, location: &Location, settings: &Settings) -> Result<OpendalTree, OpenError> {
        let tree = (self.build)(url(location)?, settings)?;
        let mut named = check::options_named(self.options, self.credentials);
        if !self.read_again.is_empty() {
            named += "; a run reads them again only in the configuration file: ";
            named += &self.read_again.join(", ");
        }
        Ok(tree.with_credentials_named(named))
    }
}
