//! A file that is written as a multipart upload, with parts of a size that suits it.

use std::sync::Arc;

use opendal::Buffer;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use towpath_backend::{
    Bytes, Error, ErrorKind, FileWriter, Metadata, ObjectMetadata, RelPath, Result, Times, Timestamp, async_trait,
};

use crate::error;
use crate::handle::{MOST_AT_ONCE_BYTES, OpendalTree};
use crate::multipart::InFlight;
use crate::verify::Sent;

/// The largest file that is gathered where all of it travels in one request, and a stream may.
const GATHERED_BYTES: u64 = 8 << 20;

/// Gathers a multipart part, and sends it. A file smaller than a part is one request at its end.
pub(crate) struct Writer {
    tree: OpendalTree,
    path: RelPath,
    key: String,
    part_bytes: usize,
    /// The mtime that the parts were begun with.
    modified: Timestamp,
    object: Option<Arc<ObjectMetadata>>,
    /// What was written and not sent.
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    position: u64,
    size_bytes: u64,
    /// The multipart upload, once a part was sent.
    parts: Option<opendal::Writer>,
    in_flight: InFlight,
    stream: Option<Stream>,
}

/// A request in flight while the file is read.
struct Stream {
    length_bytes: u64,
    pieces: mpsc::Sender<Bytes>,
    request: JoinHandle<opendal::Result<()>>,
}

impl Writer {
    pub(crate) fn new(
        tree: OpendalTree,
        path: RelPath,
        key: String,
        metadata: &Metadata,
        object: Option<Arc<ObjectMetadata>>,
    ) -> Self {
        let part_bytes = tree.part_bytes(metadata.size_bytes);
        let stream = Stream::begin(&tree, &key, metadata, object.as_deref());
        Self {
            tree,
            path,
            key,
            part_bytes,
            modified: metadata.modified,
            object,
            gathered: Vec::new(),
            gathered_bytes: 0,
            position: 0,
            size_bytes: metadata.size_bytes,
            parts: None,
            in_flight: InFlight::least(),
            stream,
        }
    }

    /// Hands a piece of a stream on.
    async fn stream(&mut self, piece: Bytes) -> Result<()> {
        let Some(stream) = &self.stream else { return Ok(()) };
        self.position += piece.len() as u64;
        if self.position > stream.length_bytes {
            return Err(self.error("write", "the file became longer while it was written").with_temporary(true));
        }
        if stream.pieces.send(Bytes::copy_from_slice(&piece)).await.is_ok() {
            return Ok(());
        }
        Err(match self.end_stream("write").await {
            Ok(()) => self.error("write", "the server answered before it had all"),
            Err(error) => error,
        })
    }

    /// Waits for the answer.
    async fn end_stream(&mut self, operation: &'static str) -> Result<()> {
        let Some(Stream { pieces, request, .. }) = self.stream.take() else { return Ok(()) };
        drop(pieces);
        let answer = request.await.map_err(|panicked| self.error(operation, panicked.to_string()))?;
        answer.map_err(|problem| {
            let error = error::of(operation, &self.path, &problem);
            // The client cannot send it again; another attempt reads the file again.
            let again = problem.kind() == opendal::ErrorKind::Unexpected;
            if again { error.with_temporary(true) } else { error }
        })
    }

    fn error(&self, operation: &'static str, cause: impl Into<String>) -> Error {
        Error::new(ErrorKind::Other, operation, &self.path, cause.into())
    }

    /// Sends the buffer as a multipart part. A failure of an earlier part may be reported now.
    async fn send(&mut self) -> Result<()> {
        if !self.tree.takes_parts() {
            let cause =
                format!("this service takes files of at most {} MiB, each in one request", MOST_AT_ONCE_BYTES >> 20);
            return Err(Error::new(ErrorKind::TooLarge, "write", &self.path, cause));
        }
        let part = self.take_gathered();
        let options = self.options(self.modified);
        let sent = match &mut self.parts {
            Some(parts) => parts.write(part).await,
            none => {
                self.in_flight = self.tree.parts_in_flight(self.part_bytes, self.size_bytes);
                let options = opendal::options::WriteOptions { concurrent: self.in_flight.parts, ..options };
                match self.tree.operator.writer_options(&self.key, options).await {
                    Ok(parts) => none.insert(parts).write(part).await,
                    Err(problem) => Err(problem),
                }
            }
        };
        sent.map_err(|problem| error::of("write", &self.path, &problem))
    }

    fn options(&self, modified: Timestamp) -> opendal::options::WriteOptions {
        self.tree.write_options(&self.key, modified, self.object.as_deref())
    }

    fn sent(&self, size_bytes: u64, content: Option<Buffer>) -> Sent<'_> {
        Sent { operation: "close", path: &self.path, key: &self.key, size_bytes, content }
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
        if self.stream.is_some() {
            return self.stream(data).await;
        }
        while !data.is_empty() {
            // A part is sent when more comes: the last one is for the end.
            if self.gathered_bytes == self.part_bytes {
                self.send().await?;
            }
            let piece = data.split_to(data.len().min(self.part_bytes - self.gathered_bytes));
            self.position += piece.len() as u64;
            self.gathered_bytes += piece.len();
            // A copy: the engine reuses the block that it belongs to.
            self.gathered.push(Bytes::copy_from_slice(&piece));
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata> {
        if self.position != size_bytes {
            let cause = format!("{} bytes were written of a file of {size_bytes}", self.position);
            return Err(self.error("close", cause));
        }
        if let Some(stream) = &self.stream {
            let whole = stream.length_bytes == size_bytes;
            self.end_stream("close").await?;
            self.tree.verify_length(&self.sent(size_bytes, None)).await?;
            return match (whole, self.tree.keeps_mtime() && times.modified != self.modified) {
                (true, false) => Ok(self.tree.written(size_bytes, times.modified)),
                _ => Err(self.error("close", "the file changed while it was written").with_temporary(true)),
            };
        }
        let last = self.take_gathered();
        let (answer, content) = match &mut self.parts {
            None => {
                let options = self.options(times.modified);
                (self.tree.operator.write_options(&self.key, last.clone(), options).await, Some(last))
            }
            Some(_) if self.tree.keeps_mtime() && times.modified != self.modified => {
                return Err(self.error("close", "its mtime changed while it was written"));
            }
            Some(parts) => match parts.write(last).await {
                Ok(()) => (parts.close().await, None),
                Err(problem) => (Err(problem), None),
            },
        };
        self.tree.verify(&self.sent(size_bytes, content), answer).await?;
        self.parts = None;
        Ok(self.tree.written(size_bytes, times.modified))
    }
}

impl Stream {
    /// Begins the request for a file that is too large for memory, if the service has no multipart uploads.
    fn begin(tree: &OpendalTree, key: &str, metadata: &Metadata, object: Option<&ObjectMetadata>) -> Option<Self> {
        let length_bytes = metadata.size_bytes;
        let streams = &tree.outgoing()?.streams;
        if tree.takes_parts() || length_bytes <= GATHERED_BYTES {
            return None;
        }
        let (offer, pieces) = streams.offer(length_bytes);
        let options = tree.write_options(key, metadata.modified, object);
        let (operator, key) = (tree.operator.clone(), key.to_owned());
        let request = tokio::spawn(async move {
            operator.write_options(&key, offer.stand_in(), options).await?;
            match offer.was_taken() {
                true => Ok(()),
                false => Err(opendal::Error::new(opendal::ErrorKind::Unsupported, "this client sends no streams")),
            }
        });
        Some(Self { length_bytes, pieces, request })
    }
}

/// The parts of an unfinished multipart upload take up space at the service until it is aborted.
impl Drop for Writer {
    fn drop(&mut self) {
        if let (Some(mut parts), Ok(runtime)) = (self.parts.take(), Handle::try_current()) {
            runtime.spawn(async move {
                let _best_effort = parts.abort().await;
            });
        }
    }
}
