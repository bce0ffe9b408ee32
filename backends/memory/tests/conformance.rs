//! Trees in memory pass the conformance suite, with all and with few capabilities.

#![allow(missing_docs)]

use towpath_backend::conformance::Fixture;
use towpath_backend::{Sink, Source, async_trait};
use towpath_memory::MemoryTree;

struct Memory(MemoryTree);

#[async_trait]
impl Fixture for Memory {
    fn sink(&self) -> &dyn Sink {
        &self.0
    }

    fn source(&self) -> &dyn Source {
        &self.0
    }

    fn other(&self) -> Option<Box<dyn Fixture>> {
        Some(Box::new(Self(MemoryTree::new("other"))))
    }

    /// In one process, a clone is a reopened tree.
    async fn reopen(&self) -> Option<Box<dyn Fixture>> {
        Some(Box::new(Self(self.0.clone())))
    }
}

mod all {
    towpath_backend::conformance!(super::Memory(super::MemoryTree::new("all")));
}

mod plain {
    use towpath_backend::Capabilities;
    towpath_backend::conformance!(super::Memory(super::MemoryTree::with_capabilities("plain", Capabilities::PLAIN)));
}

mod coarse {
    use towpath_backend::{ByteSet, Capabilities, NameRules};
    const COARSE: Capabilities = Capabilities {
        mtime_precision_ns: 2_000_000_000,
        renames: true,
        names: NameRules { utf8_only: true, rejected: ByteSet::of(b":*?\"<>|\\"), ..NameRules::BYTES },
        ..Capabilities::PLAIN
    };
    towpath_backend::conformance!(super::Memory(super::MemoryTree::with_capabilities("coarse", COARSE)));
}

#[tokio::test]
async fn the_suite_passes_in_one_call() {
    let failed = towpath_backend::conformance::check(async |case| Memory(MemoryTree::new(case))).await;
    assert_eq!(failed, []);
}
