//! Both sides of a tree with one bug, or none.

use towpath_backend::conformance::Fixture;
use towpath_backend::{Sink, Source};
use towpath_memory::MemoryTree;

use crate::bug::Bug;
use crate::tree::{Broken, Side};

pub(crate) struct Pair {
    bug: Option<Bug>,
    sink: Broken,
    source: Broken,
}

impl Pair {
    pub(crate) fn new(bug: Option<Bug>) -> Self {
        let sink = Broken::new(MemoryTree::new("broken"), bug);
        let source = Broken { side: Side::Source, ..sink.clone() };
        Self { bug, sink, source }
    }
}

impl Fixture for Pair {
    fn sink(&self) -> &dyn Sink {
        &self.sink
    }

    fn source(&self) -> &dyn Source {
        &self.source
    }

    fn other(&self) -> Option<Box<dyn Fixture>> {
        Some(Box::new(Self::new(self.bug)))
    }
}
