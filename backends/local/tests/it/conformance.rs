//! The local backend passes the conformance suite.

use std::sync::Arc;
use towpath_backend::conformance::Fixture;

use towpath_backend::{Sink, Source, async_trait};
use towpath_local::{LocalSink, LocalSource};

struct Tree {
    folder: Arc<tempfile::TempDir>,
    source: LocalSource,
    sink: LocalSink,
}

impl Tree {
    fn new() -> Self {
        Self::of(Arc::new(tempfile::tempdir().unwrap()))
    }

    fn of(folder: Arc<tempfile::TempDir>) -> Self {
        let source = LocalSource::open(folder.path()).unwrap();
        let sink = LocalSink::open(folder.path()).unwrap();
        Self { folder, source, sink }
    }
}

#[async_trait]
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

    async fn reopen(&self) -> Option<Box<dyn Fixture>> {
        Some(Box::new(Self::of(Arc::clone(&self.folder))))
    }
}

towpath_backend::conformance!(Tree::new());
