//! An open file for writing.

use towpath_backend::{Bytes, ErrorKind, FileWriter, Metadata, Result, Times, async_trait};

use crate::handle::Handle;
use crate::store::{Body, DIRECTORY, Problem, now};

/// Writes directly into the tree. What was written stays when it is dropped.
#[derive(Debug)]
pub(crate) struct MemoryWriter(Handle);

impl MemoryWriter {
    pub(crate) fn new(handle: Handle) -> Self {
        Self(handle)
    }
}

#[async_trait]
impl FileWriter for MemoryWriter {
    async fn write_at(&mut self, offset: u64, data: Bytes) -> Result<()> {
        let holes = self.0.tree.capabilities.holes;
        self.0.with("write", |store, id| {
            let node = store.node_mut(id)?;
            let Body::File(content) = &mut node.body else { return Err(DIRECTORY) };
            if !holes && offset > content.size_bytes() {
                return Err(Problem(ErrorKind::Unsupported, "would leave a gap, and this tree has no holes"));
            }
            content.write(offset, &data);
            (node.modified, node.changed) = (now(), now());
            Ok(())
        })
    }

    async fn finish(self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata> {
        let capabilities = self.0.tree.capabilities;
        self.0.with("close", |store, id| {
            let node = store.node_mut(id)?;
            let Body::File(content) = &mut node.body else { return Err(DIRECTORY) };
            if content.size_bytes() > size_bytes {
                return Err(Problem(ErrorKind::Other, "more was written than the size of the file"));
            }
            if content.size_bytes() < size_bytes && !capabilities.holes {
                return Err(Problem(ErrorKind::Other, "less was written than the size of the file"));
            }
            content.extend_to(size_bytes);
            if capabilities.sets_mtime {
                node.modified = self.0.tree.round(times.modified);
                node.accessed = times.accessed.unwrap_or(node.accessed);
            }
            node.changed = now();
            store.metadata(id)
        })
    }
}
