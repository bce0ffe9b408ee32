//! The local backend passes the suite of all backends.

use towpath_backend::conformance::Fixture;
use towpath_backend::{Sink, Source};
use towpath_local::{LocalSink, LocalSource};

struct Tree {
    _folder: tempfile::TempDir,
    source: LocalSource,
    sink: LocalSink,
}

impl Tree {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = LocalSource::open(folder.path()).unwrap();
        let sink = LocalSink::open(folder.path()).unwrap();
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

    fn other(&self) -> Option<Box<dyn Fixture>> {
        Some(Box::new(Self::new()))
    }
}

towpath_backend::conformance!(Tree::new());
