//! Reading: ranges of objects, each in a request of its own.

use opendal::{Buffer, Operator};
use towpath_backend::{
    Error, ErrorKind, FileReader, Kind, Metadata, ReadOptions, RelPath, Result, Source, WholeFile, async_trait,
};

use crate::error;
use crate::handle::OpendalTree;

#[async_trait]
impl Source for OpendalTree {
    async fn open(&self, path: &RelPath, _: &ReadOptions) -> Result<Box<dyn FileReader>> {
        let metadata = self.file("open", path).await?;
        let key = self.keys().file("open", path)?;
        Ok(Box::new(Reader { tree: self.clone(), path: path.clone(), key, size_bytes: metadata.size_bytes }))
    }

    async fn read_whole(
        &self,
        path: &RelPath,
        limit_bytes: usize,
        mut buffer: Vec<u8>,
        _: &ReadOptions,
    ) -> Result<WholeFile> {
        if self.has_directories() {
            // Some servers answer with a page that lists it.
            self.file("read", path).await?;
        }
        // The content first: metadata that are read after it show whether it changed.
        let key = self.keys().file("read", path)?;
        match read(&self.operator, &key, 0, limit_bytes as u64).await {
            Ok(data) => append(&mut buffer, data, limit_bytes),
            Err(problem) => {
                let error = error::of("read", path, &problem);
                // It may be a directory.
                return Err(self.file("read", path).await.err().unwrap_or(error));
            }
        }
        Ok(WholeFile::new(buffer, self.file("read", path).await?))
    }
}

impl OpendalTree {
    /// The file of this name; a directory is none.
    async fn file(&self, operation: &'static str, path: &RelPath) -> Result<Metadata> {
        let is_directory = || Error::new(ErrorKind::IsADirectory, operation, path, "is a directory");
        if path.is_root() {
            return Err(is_directory());
        }
        match self.stat_file(operation, path).await {
            Ok(metadata) if metadata.kind == Kind::Dir => Err(is_directory()),
            Ok(metadata) if metadata.kind != Kind::File => {
                let cause = format!("a {} is not read", metadata.kind);
                Err(Error::new(ErrorKind::Unsupported, operation, path, cause))
            }
            Err(error) if error.kind() == ErrorKind::NotFound && self.is_directory(operation, path).await? => {
                Err(is_directory())
            }
            result => result,
        }
    }
}

struct Reader {
    tree: OpendalTree,
    path: RelPath,
    key: String,
    /// Its length when it was opened: a server rejects a range beyond the end.
    size_bytes: u64,
}

#[async_trait]
impl FileReader for Reader {
    async fn metadata(&mut self) -> Result<Metadata> {
        let metadata = self.tree.file("stat", &self.path).await?;
        self.size_bytes = metadata.size_bytes;
        Ok(metadata)
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let end = self.size_bytes.min(offset.saturating_add(length_bytes as u64));
        if offset < end {
            let data = read(&self.tree.operator, &self.key, offset, end - offset).await;
            append(&mut buffer, data.map_err(|problem| error::of("read", &self.path, &problem))?, length_bytes);
        }
        Ok(buffer)
    }
}

/// A range of an object; empty beyond its end.
async fn read(operator: &Operator, key: &str, offset: u64, length_bytes: u64) -> opendal::Result<Buffer> {
    if length_bytes == 0 {
        return Ok(Buffer::new());
    }
    let range = (offset..offset + length_bytes).into();
    let options = opendal::options::ReadOptions { range, ..Default::default() };
    match operator.read_options(key, options).await {
        Err(error) if error.kind() == opendal::ErrorKind::RangeNotSatisfied => Ok(Buffer::new()),
        result => result,
    }
}

fn append(buffer: &mut Vec<u8>, data: Buffer, limit_bytes: usize) {
    let before = buffer.len();
    for chunk in data {
        buffer.extend_from_slice(&chunk);
    }
    buffer.truncate(before.saturating_add(limit_bytes));
}
