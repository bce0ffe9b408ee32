//! Finds the backend of a location, and its settings.
//!
//! A program registers its backends; users name trees by paths or URLs:
//!
//! ```
//! # use towpath_backend::registry::{Location, Registry, ConfigSources};
//! let registry = Registry::new();
//! let location = Location::parse("s3://bucket/prefix".as_ref()).expect("a URL");
//! // Nothing is registered, and the error says so.
//! assert!(registry.find(&location, &ConfigSources::environment()).is_err());
//! ```
//!
//! Options come from the URL (`?endpoint=…`), from a configuration file, and from the
//! service's usual environment variables, in this order. Secrets are never taken from a
//! URL, and never shown.

mod location;
mod option;
mod reread;
mod secret;

use std::fmt;
use std::path::Path;

use async_trait::async_trait;

pub use location::{InvalidLocation, Location, Url};
pub use option::{ConfigSources, OptionKind, OptionSpec, Settings};
pub use secret::Secret;

use crate::{Capabilities, Identity, Sink, Source};

/// A kind of storage that opens the trees of its schemes.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Its name: `s3`.
    fn name(&self) -> &'static str;

    /// A short description.
    fn about(&self) -> &'static str;

    /// The schemes of its URLs, in lower case.
    fn schemes(&self) -> &'static [&'static str];

    /// Whether it opens local paths.
    fn opens_paths(&self) -> bool {
        false
    }

    /// The options it accepts.
    fn options(&self) -> &'static [OptionSpec] {
        &[]
    }

    /// What its trees can keep, at best.
    fn capabilities(&self) -> Capabilities;

    /// Checks the location and settings before anything is opened: for example, rejects a host that a
    /// program would parse as an option.
    ///
    /// # Errors
    /// [`OpenError::Usage`] if they cannot name a tree.
    fn check(&self, location: &Location, settings: &Settings) -> Result<(), OpenError> {
        let _ = (location, settings);
        Ok(())
    }

    /// Opens a tree to read from.
    ///
    /// # Errors
    /// If it does not exist or cannot be read.
    async fn open_source(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Source>, OpenError>;

    /// Opens a tree to write into.
    ///
    /// # Errors
    /// If it is missing and cannot be created, or cannot be written.
    async fn open_sink(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Sink>, OpenError>;

    /// Opens a tree for a dry run: nothing is created or probed. A tree that is missing and could be created is an
    /// empty one.
    ///
    /// # Errors
    /// As [`Self::open_sink`].
    async fn inspect_sink(&self, location: &Location, settings: &Settings) -> Result<Box<dyn Sink>, OpenError> {
        self.open_sink(location, settings).await
    }
}

/// Why a tree cannot be opened, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The location or an option is wrong, such as an unknown scheme; the user must correct it.
    Usage(String),
    /// The storage cannot be opened; the same location may work later.
    Storage(String),
    /// The storage does not answer at the moment: opening it may succeed in seconds.
    Unavailable(String),
}

impl OpenError {
    /// The storage cannot be opened because of `problem`.
    pub fn storage(problem: impl fmt::Display) -> Self {
        Self::Storage(problem.to_string())
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(problem) | Self::Storage(problem) | Self::Unavailable(problem)) = self;
        f.write_str(problem)
    }
}

impl std::error::Error for OpenError {}

/// The registered backends.
#[derive(Default)]
pub struct Registry {
    backends: Vec<Box<dyn Backend>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.backends.iter().map(|backend| backend.name())).finish()
    }
}

/// A backend with the location and settings to open.
pub struct Found<'a> {
    backend: &'a dyn Backend,
    location: &'a Location,
    settings: Settings,
}

impl fmt::Debug for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.backend.name(), self.location)
    }
}

impl Registry {
    /// A registry without backends.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a backend.
    ///
    /// # Errors
    /// If a registered backend has one of its schemes, or if both open paths.
    pub fn register(&mut self, backend: impl Backend + 'static) -> Result<(), OpenError> {
        for other in &self.backends {
            let shared = backend.schemes().iter().find(|scheme| other.schemes().contains(scheme));
            let what = match shared {
                Some(scheme) => format!("URLs {scheme}://"),
                None if backend.opens_paths() && other.opens_paths() => "paths".to_owned(),
                None => continue,
            };
            let problem = format!("{what} belong to the backend {} already, not to {}", other.name(), backend.name());
            return Err(OpenError::Usage(problem));
        }
        self.backends.push(Box::new(backend));
        Ok(())
    }

    /// The backends, in the order in which they were registered.
    pub fn backends(&self) -> impl Iterator<Item = &dyn Backend> {
        self.backends.iter().map(|backend| &**backend)
    }

    /// Finds the backend of a location and its settings. Nothing is opened yet.
    ///
    /// # Errors
    /// [`OpenError::Usage`] if no backend matches, or if the location or a setting is wrong.
    pub fn find<'a>(&'a self, location: &'a Location, sources: &ConfigSources) -> Result<Found<'a>, OpenError> {
        let Location::Url(url) = location else {
            let backend = self.backends().find(|backend| backend.opens_paths());
            let backend = backend.ok_or_else(|| OpenError::Usage("there is no backend for paths".to_owned()))?;
            return Ok(Found { backend, location, settings: Settings::default() });
        };
        let backend = self.backends().find(|backend| backend.schemes().contains(&url.scheme()));
        let backend = backend.ok_or_else(|| OpenError::Usage(self.unknown(url.scheme())))?;
        let settings = Settings::find(backend.options(), url, sources)
            .map_err(|problem| OpenError::Usage(format!("{location}: {problem}")))?;
        backend.check(location, &settings)?;
        Ok(Found { backend, location, settings })
    }

    fn unknown(&self, scheme: &str) -> String {
        let known = self.backends().flat_map(Backend::schemes).map(|scheme| format!("{scheme}://"));
        let paths = self.backends().any(Backend::opens_paths).then(|| "paths".to_owned());
        let known: Vec<_> = paths.into_iter().chain(known).collect();
        format!("no backend opens {scheme}:// URLs; supported: {}", known.join(", "))
    }
}

impl Found<'_> {
    /// The settings passed to the backend.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sets an option of the kind [`OptionKind::Path`] that comes from the program itself.
    ///
    /// # Errors
    /// [`OpenError::Usage`] if the backend has no such option.
    pub fn with_path(mut self, name: &str, path: &Path) -> Result<Self, OpenError> {
        let spec = self.backend.options().iter().find(|spec| spec.name == name && spec.kind == OptionKind::Path);
        let Some(spec) = spec else {
            let problem = format!("{}: the backend {} has no option {name}", self.location, self.backend.name());
            return Err(OpenError::Usage(problem));
        };
        self.settings.set_path(spec.name, path);
        Ok(self)
    }

    /// Limits what a newly created root grants its group and others.
    #[must_use]
    pub fn with_root_permissions(mut self, permissions: Option<u32>) -> Self {
        self.settings.set_root_permissions(permissions);
        self
    }

    /// Sets what an earlier run recorded about the sink ([`Settings::recorded`]).
    #[must_use]
    pub fn with_recorded(mut self, recorded: Option<(Identity, Capabilities)>) -> Self {
        self.settings.set_recorded(recorded);
        self
    }

    /// Opens the tree to read from.
    ///
    /// # Errors
    /// As [`Backend::open_source`].
    pub async fn source(&self) -> Result<Box<dyn Source>, OpenError> {
        self.backend.open_source(self.location, &self.settings).await
    }

    /// Opens the tree to write into.
    ///
    /// # Errors
    /// As [`Backend::open_sink`].
    pub async fn sink(&self) -> Result<Box<dyn Sink>, OpenError> {
        self.backend.open_sink(self.location, &self.settings).await
    }

    /// Opens the tree to see what would be written.
    ///
    /// # Errors
    /// As [`Backend::inspect_sink`].
    pub async fn inspect(&self) -> Result<Box<dyn Sink>, OpenError> {
        self.backend.inspect_sink(self.location, &self.settings).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shelf {
        schemes: &'static [&'static str],
        paths: bool,
    }

    #[async_trait]
    impl Backend for Shelf {
        fn name(&self) -> &'static str {
            "shelf"
        }

        fn about(&self) -> &'static str {
            "a shelf"
        }

        fn schemes(&self) -> &'static [&'static str] {
            self.schemes
        }

        fn opens_paths(&self) -> bool {
            self.paths
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities::PLAIN
        }

        fn check(&self, location: &Location, _: &Settings) -> Result<(), OpenError> {
            match location {
                Location::Url(url) if url.authority().starts_with('-') => Err(OpenError::Usage("an option".to_owned())),
                _ => Ok(()),
            }
        }

        async fn open_source(&self, location: &Location, _: &Settings) -> Result<Box<dyn Source>, OpenError> {
            Err(OpenError::storage(format!("{location} is empty")))
        }

        async fn open_sink(&self, location: &Location, _: &Settings) -> Result<Box<dyn Sink>, OpenError> {
            Err(OpenError::storage(format!("{location} is full")))
        }
    }

    fn at(text: &str) -> Location {
        Location::parse(text.as_ref()).unwrap()
    }

    #[tokio::test]
    async fn a_scheme_finds_its_backend_and_a_path_the_one_for_paths() {
        let mut registry = Registry::new();
        registry.register(Shelf { schemes: &["shelf", "rack"], paths: false }).unwrap();
        let sources = ConfigSources::none();
        assert!(registry.find(&at("/mnt"), &sources).is_err());
        registry.register(Shelf { schemes: &["file"], paths: true }).unwrap();
        assert!(registry.find(&at("/mnt"), &sources).is_ok());
        let rack = at("rack://a/b");
        let found = registry.find(&rack, &sources).unwrap();
        assert_eq!(found.source().await.err(), Some(OpenError::Storage("rack://a/b is empty".to_owned())));
        assert_eq!(found.sink().await.err(), Some(OpenError::Storage("rack://a/b is full".to_owned())));
        let rejected = registry.find(&at("rack://%2da/b"), &sources).map(drop);
        assert_eq!(rejected, Err(OpenError::Usage("an option".to_owned())), "before anything is opened");
    }

    #[test]
    fn an_unknown_scheme_lists_the_known_ones() {
        let mut registry = Registry::new();
        registry.register(Shelf { schemes: &["shelf", "rack"], paths: true }).unwrap();
        let problem = registry.find(&at("self://x"), &ConfigSources::none()).unwrap_err().to_string();
        assert!(problem.contains("self://") && problem.ends_with("paths, shelf://, rack://"), "{problem}");
    }

    #[test]
    fn two_backends_do_not_share_a_scheme() {
        let mut registry = Registry::new();
        registry.register(Shelf { schemes: &["shelf"], paths: true }).unwrap();
        for (schemes, paths) in [(&["rack", "shelf"][..], false), (&["rack"][..], true)] {
            assert!(registry.register(Shelf { schemes, paths }).is_err());
        }
        assert!(registry.register(Shelf { schemes: &["rack"], paths: false }).is_ok());
        assert_eq!(registry.backends().count(), 2);
    }
}
