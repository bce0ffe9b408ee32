//! A file that is read from its beginning to its end, in one request.

use std::sync::Arc;

use opendal::options::ReaderOptions;
use opendal::{Buffer, BufferStream, Metadata, Result};
use tokio_stream::StreamExt as _;

use super::content::take;
use crate::handle::OpendalTree;
use crate::http::version::Version;

/// The content of a file from some offset on.
///
/// A connection that breaks off is replaced by the operator's layers, which ask for the rest; [`Version`] sees to it that
/// this is the rest of the same file.
pub(super) struct Stream {
    content: BufferStream,
    /// Where the next byte lies that was not taken.
    offset: u64,
    /// What came and was not taken.
    left: Buffer,
    version: Arc<Version>,
}

impl Stream {
    /// Nothing is requested before something is wanted.
    pub(super) async fn open(
        tree: &OpendalTree,
        key: &str,
        offset: u64,
        condition: ReaderOptions,
        version: &Arc<Version>,
    ) -> Result<Self> {
        let reader = tree.operator.reader_options(key, condition).await?;
        let content = reader.into_stream(offset..).await?;
        Ok(Self { content, offset, left: Buffer::new(), version: Arc::clone(version) })
    }

    /// What the response says of the file.
    pub(super) async fn metadata(&mut self) -> Result<Metadata> {
        self.version.check_all(self.content.metadata()).await
    }

    pub(super) fn is_at(&self, offset: u64) -> bool {
        self.offset == offset
    }

    /// Appends up to `length_bytes`; fewer where the content ends.
    ///
    /// Dropped before it is done, the stream is behind what was taken.
    pub(super) async fn read(&mut self, length_bytes: usize, buffer: &mut Vec<u8>) -> Result<()> {
        let end = buffer.len().saturating_add(length_bytes);
        while buffer.len() < end {
            if self.left.is_empty() {
                match self.version.check_all(self.content.next()).await {
                    None => break,
                    Some(piece) => self.left = piece?,
                }
            }
            let before = buffer.len();
            take(&mut self.left, end - before, buffer);
            self.offset += (buffer.len() - before) as u64;
        }
        Ok(())
    }

    /// Waits for the end of the content, so that the connection is free for others.
    pub(super) async fn finish(&mut self) -> Result<()> {
        while self.left.is_empty() {
            match self.version.check_all(self.content.next()).await {
                None => break,
                Some(piece) => self.left = piece?,
            }
        }
        Ok(())
    }
}
