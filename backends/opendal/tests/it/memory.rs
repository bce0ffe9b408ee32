//! The suite of all backends, on OpenDAL's own storage in memory.

use opendal::Operator;
use opendal::services::Memory;
use towpath_backend::conformance::Fixture;
use towpath_backend::{Sink, Source};
use towpath_opendal::OpendalTree;

struct Fresh(OpendalTree);

impl Fresh {
    fn new(name: &str) -> Self {
        let operator = Operator::new(Memory::default()).unwrap();
        Self(OpendalTree::new(operator, name))
    }
}

impl Fixture for Fresh {
    fn sink(&self) -> &dyn Sink {
        &self.0
    }

    fn source(&self) -> &dyn Source {
        &self.0
    }

    fn other(&self) -> Option<Box<dyn Fixture>> {
        Some(Box::new(Self::new("memory:other")))
    }
}

towpath_backend::conformance!(Fresh::new("memory:tree"));
