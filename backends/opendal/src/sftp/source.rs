//! Reading: regular files only, in chunks that are requested before the earlier ones have arrived.

use std::collections::VecDeque;

use towpath_backend::{
    Error, ErrorKind, FileReader, Freshness, Kind, Metadata, ReadOptions, RelPath, Result, Source, WholeFile,
    async_trait,
};

use super::failure::Failure;
use super::file_handle::Handle;
use super::handle::SftpTree;
use super::pending::Pending;
use super::wire::{Attributes, CHUNK_BYTES, WINDOW_BYTES, open, request};

#[async_trait]
impl Source for SftpTree {
    async fn open(&self, path: &RelPath, _: &ReadOptions) -> Result<Box<dyn FileReader>> {
        let (handle, _) = self.open_file("open", path).await?;
        Ok(Box::new(Reader { handle, path: path.clone() }))
    }

    async fn read_whole(
        &self,
        path: &RelPath,
        limit_bytes: usize,
        mut buffer: Vec<u8>,
        _: &ReadOptions,
    ) -> Result<WholeFile> {
        const OPERATION: &str = "read";
        let (handle, found) = self.open_file(OPERATION, path).await?;
        let failed = |failure: &Failure| failure.error(OPERATION, path);
        let (before, limit) = (buffer.len(), limit_bytes as u64);
        let mut size_bytes = found.size_bytes;
        loop {
            let read = (buffer.len() - before) as u64;
            let range = Range::request(&handle, read, size_bytes.min(limit)).await;
            // Some files hold more than their size states.
            let beyond = match size_bytes < limit {
                true => Some(self::read(&handle, size_bytes, 1).await),
                false => None,
            };
            // After the reads: it shows the file as it was when they were done.
            let state = handle.send(request::FSTAT, |request| request).await;
            range.append_to(&mut buffer).await.map_err(|failure| failed(&failure))?;
            if let Some(beyond) = beyond {
                let byte = beyond.data().await.map_err(|failure| failed(&failure))?;
                if (buffer.len() - before) as u64 == size_bytes {
                    buffer.extend(byte.first());
                }
            }
            let state = file(OPERATION, path, state.attributes().await.map_err(|failure| failed(&failure))?)?;
            let now = (buffer.len() - before) as u64;
            size_bytes = state.size_bytes;
            // All of it, or no more than before: otherwise it grew while it was read.
            if now >= size_bytes.min(limit) || now == read {
                return Ok(WholeFile::new(buffer, state.metadata()).with_freshness(Freshness::Storage));
            }
        }
    }
}

impl SftpTree {
    /// Opens a regular file: a FIFO would hold the server up, and a link lead elsewhere.
    async fn open_file(&self, operation: &'static str, path: &RelPath) -> Result<(Handle, Attributes)> {
        let (checked, found) = self.check_there(operation, path).await?;
        let found = file(operation, path, found)?;
        let request = checked.about(request::OPEN).u32(open::READ).no_attributes();
        let handle =
            Handle::open(&checked.connection, request).await.map_err(|failure| failure.error(operation, path))?;
        Ok((handle, found))
    }
}

/// That something is a regular file.
fn file(operation: &'static str, path: &RelPath, found: Attributes) -> Result<Attributes> {
    let (kind, cause) = match found.kind() {
        Kind::File => return Ok(found),
        Kind::Dir => (ErrorKind::IsADirectory, "is a directory".to_owned()),
        Kind::Symlink => {
            (ErrorKind::Escapes, "is a symbolic link on the server, and links are not followed".to_owned())
        }
        kind @ Kind::Other => (ErrorKind::Unsupported, format!("a {kind} is not read")),
    };
    Err(Error::new(kind, operation, path, cause))
}

/// A range of a file that is being read.
struct Range<'a> {
    handle: &'a Handle,
    /// Requests in flight: offset, length, answer.
    in_flight: VecDeque<(u64, usize, Pending)>,
    /// The offset of the next request, and the end.
    next: u64,
    end: u64,
}

impl<'a> Range<'a> {
    /// Requests as much as may be in flight.
    async fn request(handle: &'a Handle, start: u64, end: u64) -> Self {
        let mut range = Self { handle, in_flight: VecDeque::new(), next: start, end };
        range.request_ahead().await;
        range
    }

    async fn request_ahead(&mut self) {
        while self.next < self.end && self.in_flight.len() as u64 * (CHUNK_BYTES as u64) < WINDOW_BYTES {
            let length = CHUNK_BYTES.min(usize::try_from(self.end - self.next).unwrap_or(CHUNK_BYTES));
            self.in_flight.push_back((self.next, length, read(self.handle, self.next, length).await));
            self.next += length as u64;
        }
    }

    /// Appends what there is of it; the file may end before.
    async fn append_to(mut self, buffer: &mut Vec<u8>) -> std::result::Result<(), Failure> {
        while let Some((mut offset, mut length, mut answer)) = self.in_flight.pop_front() {
            loop {
                let data = answer.data().await?;
                if data.is_empty() {
                    return Ok(());
                }
                // A server that sends more than was requested must not shift what follows.
                let data = &data[..data.len().min(length)];
                buffer.extend_from_slice(data);
                (offset, length) = (offset + data.len() as u64, length - data.len());
                if length == 0 {
                    break;
                }
                // Some servers send less than was requested.
                answer = read(self.handle, offset, length).await;
            }
            self.request_ahead().await;
        }
        Ok(())
    }
}

async fn read(handle: &Handle, offset: u64, length: usize) -> Pending {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    handle.send(request::READ, |request| request.u64(offset).u32(length)).await
}

struct Reader {
    handle: Handle,
    path: RelPath,
}

#[async_trait]
impl FileReader for Reader {
    async fn metadata(&mut self) -> Result<Metadata> {
        let found = self.handle.send(request::FSTAT, |request| request).await.attributes().await;
        let found = found.map_err(|failure| failure.error("check", &self.path))?;
        Ok(found.metadata())
    }

    /// Responses of the server are not cached.
    fn freshness(&self) -> Freshness {
        Freshness::Storage
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let range = Range::request(&self.handle, offset, offset.saturating_add(length_bytes as u64)).await;
        range.append_to(&mut buffer).await.map_err(|failure| failure.error("read", &self.path))?;
        Ok(buffer)
    }
}
