//! Both sides of a tree with one bug or none.

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
        for entry in sample(&tree.capabilities()) {
            let metadata = Metadata::new(entry.kind, entry.content.len() as u64, entry.modified);
            match entry.kind {
                Kind::Dir => tree.create_dir(&entry.path, None).await.unwrap(),
                Kind::Symlink => tree.create_symlink(&entry.path, &entry.content).await.unwrap(),
                _ => drop(
                    tree.write_whole(&entry.path, entry.content.into(), &metadata, &WriteOptions::default())
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
