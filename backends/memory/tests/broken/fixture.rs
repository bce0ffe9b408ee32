//! Both sides of a tree with one bug, or none.

use towpath_backend::conformance::{Fixture, SourceFixture, sample};
use towpath_backend::{Kind, Metadata, Sink, Source, Tree as _, WriteOptions, async_trait};
use towpath_memory::MemoryTree;

use crate::bug::Bug;
use crate::tree::{Broken, Side};

pub(crate) struct Pair {
    sink: Broken,
    source: Broken,
}

impl Pair {
    pub(crate) fn new(bug: Option<Bug>) -> Self {
        Self::of(Broken::new(MemoryTree::new("broken"), bug))
    }

    fn of(sink: Broken) -> Self {
        let source = Broken { side: Side::Source, ..sink.clone() };
        Self { sink, source }
    }
}

#[async_trait]
impl Fixture for Pair {
    fn sink(&self) -> &dyn Sink {
        &self.sink
    }

    fn source(&self) -> &dyn Source {
        &self.source
    }

    fn other(&self) -> Option<Box<dyn Fixture>> {
        Some(Box::new(Self::new(self.sink.bug)))
    }

    async fn reopen(&self) -> Option<Box<dyn Fixture>> {
        Some(Box::new(Self::of(self.sink.reopened().await)))
    }
}

/// A source with one bug, or none, that holds the sample.
pub(crate) struct Filled(Broken);

impl Filled {
    pub(crate) async fn new(bug: Option<Bug>) -> Self {
        let tree = MemoryTree::new("broken");
        for made in sample(&tree.capabilities()) {
            let metadata = Metadata::new(made.kind, made.content.len() as u64, made.modified);
            match made.kind {
                Kind::Dir => tree.create_dir(&made.path, None).await.unwrap(),
                Kind::Symlink => tree.create_symlink(&made.path, &made.content).await.unwrap(),
                _ => drop(
                    tree.write_whole(&made.path, made.content.into(), &metadata, &WriteOptions::default())
                        .await
                        .unwrap(),
                ),
            }
        }
        Self(Broken { side: Side::Source, ..Broken::new(tree, bug) })
    }
}

#[async_trait]
impl SourceFixture for Filled {
    fn source(&self) -> &dyn Source {
        &self.0
    }

    async fn reopen(&self) -> Option<Box<dyn SourceFixture>> {
        Some(Box::new(Self(self.0.reopened().await)))
    }
}
