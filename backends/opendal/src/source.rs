//! The tree as a source.

use towpath_backend::{FileReader, ReadOptions, RelPath, Result, Source, WholeFile, async_trait};

use crate::handle::OpendalTree;
use crate::read::{self, Reader};
use crate::stat::is_a_directory;

#[async_trait]
impl Source for OpendalTree {
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
        check_is_below_root("open", path)?;
        Ok(Box::new(Reader::open(self, path, options).await?))
    }

    async fn read_whole(
        &self,
        path: &RelPath,
        limit_bytes: usize,
        buffer: Vec<u8>,
        _: &ReadOptions,
    ) -> Result<WholeFile> {
        check_is_below_root("read", path)?;
        read::read_whole(self, path, limit_bytes, buffer).await
    }
}

fn check_is_below_root(operation: &'static str, path: &RelPath) -> Result<()> {
    if path.is_root() { Err(is_a_directory(operation, path)) } else { Ok(()) }
}
