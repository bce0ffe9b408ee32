//! The suite of all backends, on OpenDAL's own storage in memory.

use opendal::Operator;
use opendal::services::Memory;
use towpath_backend::conformance::Fixture;
use towpath_backend::{Sink, Source, async_trait};
use towpath_opendal::OpendalTree;

struct Fresh {
    operator: Operator,
    name: &'static str,
    sink: OpendalTree,
    source: OpendalTree,
}

impl Fresh {
    fn new(name: &'static str) -> Self {
        Self::of(Operator::new(Memory::default()).unwrap(), name)
    }

    fn of(operator: Operator, name: &'static str) -> Self {
        let open = || OpendalTree::new(operator.clone(), name);
        Self { sink: open(), source: open(), operator, name }
    }
}

#[async_trait]
impl Fixture for Fresh {
    fn sink(&self) -> &dyn Sink {
        &self.sink
    }

    fn source(&self) -> &dyn Source {
        &self.source
    }

    async fn reopen(&self) -> Option<Box<dyn Fixture>> {
        Some(Box::new(Self::of(self.operator.clone(), self.name)))
    }

    fn other(&self) -> Option<Box<dyn Fixture>> {
        Some(Box::new(Self::new("memory:other")))
    }
}

towpath_backend::conformance!(Fresh::new("memory:tree"));
