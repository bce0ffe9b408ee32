//! A file that is written in parts of a size that fits it.

use opendal::Buffer;
use towpath_backend::{Bytes, Error, ErrorKind, FileWriter, Metadata, RelPath, Result, Times, Timestamp, async_trait};

use crate::error;
use crate::tree::{MOST_AT_ONCE_BYTES, OpendalTree};

/// Parts of one object that are on their way at the same time.
const PARTS_AT_ONCE: usize = 2;

/// Gathers a part, and sends it. A file of less than one part is one request at its end.
pub(crate) struct Writer {
    tree: OpendalTree,
    path: RelPath,
    key: String,
    part_bytes: usize,
    /// The mtime that the parts were begun with.
    modified: Timestamp,
    /// What was written and not sent.
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    position: u64,
    parts: Option<opendal::Writer>,
}

impl Writer {
    pub(crate) fn new(tree: OpendalTree, path: RelPath, key: String, metadata: &Metadata) -> Self {
        let part_bytes = tree.part_bytes(metadata.size_bytes);
        let (gathered, modified) = (Vec::new(), metadata.modified);
        Self { tree, path, key, part_bytes, modified, gathered, gathered_bytes: 0, position: 0, parts: None }
    }

    fn error(&self, operation: &'static str, cause: impl Into<String>) -> Error {
        Error::new(ErrorKind::Other, operation, &self.path, cause.into())
    }

    /// Sends what was gathered as a part.
    async fn send(&mut self) -> Result<()> {
        let tree = &self.tree;
        if !tree.can().write_can_multi {
            let cause =
                format!("this service takes files of at most {} MiB, each in one request", MOST_AT_ONCE_BYTES >> 20);
            return Err(Error::new(ErrorKind::TooLarge, "write", &self.path, cause));
        }
        let problem = |problem: &opendal::Error| error::of("write", &self.path, problem);
        if self.parts.is_none() {
            let options =
                opendal::options::WriteOptions { concurrent: PARTS_AT_ONCE, ..tree.write_options(self.modified) };
            let parts = tree.operator.writer_options(&self.key, options).await;
            self.parts = Some(parts.map_err(|error| problem(&error))?);
        }
        let part = self.take_gathered();
        let Some(parts) = &mut self.parts else { return Ok(()) };
        parts.write(part).await.map_err(|error| error::of("write", &self.path, &error))
    }

    fn take_gathered(&mut self) -> Buffer {
        self.gathered_bytes = 0;
        Buffer::from(std::mem::take(&mut self.gathered))
    }
}

#[async_trait]
impl FileWriter for Writer {
    async fn write_at(&mut self, offset: u64, mut data: Bytes) -> Result<()> {
        if offset != self.position {
            return Err(self.error("write", "leaves a gap, and there are no holes in this storage"));
        }
        while !data.is_empty() {
            // A part is sent when more comes: the last one is for the end.
            if self.gathered_bytes == self.part_bytes {
                self.send().await?;
            }
            let piece = data.split_to(data.len().min(self.part_bytes - self.gathered_bytes));
            self.position += piece.len() as u64;
            self.gathered_bytes += piece.len();
            // A copy: the block that it is a part of is wanted back.
            self.gathered.push(Bytes::copy_from_slice(&piece));
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata> {
        if self.position != size_bytes {
            let cause = format!("{} bytes were written of a file of {size_bytes}", self.position);
            return Err(self.error("close", cause));
        }
        let last = self.take_gathered();
        let closed = match self.parts.take() {
            None => {
                let options = self.tree.write_options(times.modified);
                self.tree.operator.write_options(&self.key, last, options).await.map(drop)
            }
            Some(mut parts) => {
                if self.tree.keeps_mtime() && times.modified != self.modified {
                    self.parts = Some(parts);
                    return Err(self.error("close", "its mtime is another than when it was begun"));
                }
                let result = async {
                    parts.write(last).await?;
                    parts.close().await.map(drop)
                }
                .await;
                if result.is_err() {
                    self.parts = Some(parts);
                }
                result
            }
        };
        closed.map_err(|problem| error::of("close", &self.path, &problem))?;
        Ok(self.tree.written(size_bytes, times.modified))
    }
}

/// Parts of an object that never becomes one cost room until they are given up.
impl Drop for Writer {
    fn drop(&mut self) {
        if let (Some(mut parts), Ok(runtime)) = (self.parts.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                let _best_effort = parts.abort().await;
            });
        }
    }
}
