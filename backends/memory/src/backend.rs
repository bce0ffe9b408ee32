//! A backend for the registry: trees in memory, by name.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use towpath_backend::registry::{Backend, Location, OpenError, Settings};
use towpath_backend::{Capabilities, Sink, Source, Tree as _, async_trait};

use crate::tree::MemoryTree;

/// Opens `mem://name`: one tree for each name. A tree is empty at first, and exists as long as this backend.
#[derive(Debug, Default)]
pub struct Memory {
    trees: Mutex<HashMap<String, MemoryTree>>,
}

impl Memory {
    /// The tree with this name, to fill or inspect it.
    pub fn tree(&self, name: &str) -> MemoryTree {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        trees.entry(name.to_owned()).or_insert_with(|| MemoryTree::new(name)).clone()
    }

    fn find(&self, location: &Location) -> Result<MemoryTree, OpenError> {
        match location {
            Location::Url(url) if url.path().is_empty() => Ok(self.tree(url.authority())),
            _ => Err(OpenError::Usage(format!("{location} is not a tree in memory; use mem://NAME"))),
        }
    }
}

#[async_trait]
impl Backend for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn about(&self) -> &'static str {
        "trees in this program's memory"
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["mem"]
    }

    fn capabilities(&self) -> Capabilities {
        MemoryTree::new("").capabilities()
    }

    async fn open_source(&self, location: &Location, _: &Settings) -> Result<Box<dyn Source>, OpenError> {
        Ok(Box::new(self.find(location)?))
    }

    async fn open_sink(&self, location: &Location, _: &Settings) -> Result<Box<dyn Sink>, OpenError> {
        Ok(Box::new(self.find(location)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath_backend::ext::{SinkExt as _, SourceExt as _};
    use towpath_backend::registry::{ConfigSources, Registry};
    use towpath_backend::{RelPath, Timestamp};

    #[tokio::test]
    async fn one_name_is_one_tree() {
        let mut registry = Registry::new();
        registry.register(Memory::default()).unwrap();
        let sources = ConfigSources::none();
        let at = |name: &str| Location::parse(name.as_ref()).unwrap();
        let (one, other, path) = (at("mem://one"), at("mem://other"), RelPath::new("file").unwrap());
        let sink = registry.find(&one, &sources).unwrap().sink().await.unwrap();
        sink.write(&path, b"content", Timestamp::from_ns(0)).await.unwrap();
        let source = registry.find(&one, &sources).unwrap().source().await.unwrap();
        assert_eq!(source.read_to_vec(&path, 100).await.unwrap(), b"content");
        let source = registry.find(&other, &sources).unwrap().source().await.unwrap();
        assert!(source.read_to_vec(&path, 100).await.is_err());
        let below = at("mem://one/below");
        assert!(matches!(registry.find(&below, &sources).unwrap().sink().await, Err(OpenError::Usage(_))));
    }
}
