//! The tree as a source.

use towpath_backend::{ErrorKind, FileReader, Freshness, ReadOptions, RelPath, Result, Source, WholeFile, async_trait};

use crate::handle::Handle;
use crate::reader::MemoryReader;
use crate::store::{Body, DIRECTORY, Problem, Store};
use crate::tree::MemoryTree;

/// The file at `path`.
fn find_file(store: &Store, path: &RelPath) -> std::result::Result<u64, Problem> {
    let id = store.find(path)?;
    match store.node(id)?.body {
        Body::File(_) => Ok(id),
        Body::Dir(_) => Err(DIRECTORY),
        Body::Link(_) => Err(Problem(ErrorKind::Escapes, "is a symbolic link")),
    }
}

#[async_trait]
impl Source for MemoryTree {
    async fn open(&self, path: &RelPath, _: &ReadOptions) -> Result<Box<dyn FileReader>> {
        let id = self.with("open", path, |store| find_file(store, path))?;
        Ok(Box::new(MemoryReader::new(Handle::open(self.shared(), id, "open", path)?)))
    }

    async fn read_whole(
        &self,
        path: &RelPath,
        limit_bytes: usize,
        mut buffer: Vec<u8>,
        _: &ReadOptions,
    ) -> Result<WholeFile> {
        self.with("read", path, |store| {
            let id = find_file(store, path)?;
            let mut may_have_holes = false;
            if let Body::File(content) = &store.node(id)?.body {
                content.read(0, limit_bytes, &mut buffer);
                may_have_holes = content.has_holes();
            }
            let whole = WholeFile::new(buffer, store.metadata(id)?).with_holes(may_have_holes);
            Ok(whole.with_freshness(Freshness::Storage))
        })
    }
}
