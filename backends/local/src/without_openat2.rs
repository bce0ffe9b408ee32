//! The conformance suite, as on a kernel without openat2.

use towpath_backend::conformance::Fixture;
use towpath_backend::{Sink, Source};

use crate::resolve::{Resolver, Strategy};
use crate::root::Root;
use crate::{LocalSink, LocalSource};

struct Tree {
    _folder: tempfile::TempDir,
    source: LocalSource,
    sink: LocalSink,
}

impl Tree {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = || Root::with(folder.path(), |fd| Resolver::with(fd, Strategy::ByComponents)).unwrap();
        let (source, sink) = (LocalSource::of(root()), LocalSink::of(root()).unwrap());
        Self { _folder: folder, source, sink }
    }
}

impl Fixture for Tree {
    fn sink(&self) -> &dyn Sink {
        &self.sink
    }

    fn source(&self) -> &dyn Source {
        &self.source
    }
}

towpath_backend::conformance!(Tree::new());
