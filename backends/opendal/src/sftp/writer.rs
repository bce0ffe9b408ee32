//! A file that is being written: chunks leave before the earlier ones are confirmed.

use std::collections::VecDeque;

use towpath_backend::{
    Bytes, Error, ErrorKind, FileWriter, Kind, Metadata, Pacing, RelPath, Result, Times, async_trait,
};

use super::check::lstat;
use super::failure::Failure;
use super::file_handle::Handle;
use super::handle::SftpTree;
use super::pending::Pending;
use super::wire::{CHUNK_BYTES, WINDOW_BYTES, request};

pub(super) struct Writer {
    tree: SftpTree,
    path: RelPath,
    handle: Handle,
    position: u64,
    /// Chunks that are not confirmed yet, and their lengths.
    in_flight: VecDeque<(u64, Pending)>,
    in_flight_bytes: u64,
    pacing: Option<Pacing>,
}

impl Writer {
    pub(super) fn new(tree: SftpTree, path: RelPath, handle: Handle, pacing: Option<Pacing>) -> Self {
        let in_flight = VecDeque::new();
        Self { tree, path, handle, position: 0, in_flight, in_flight_bytes: 0, pacing }
    }

    /// Sends bytes that follow the last ones.
    pub(super) async fn append(&mut self, data: &[u8]) -> Result<()> {
        let window_bytes =
            self.pacing.as_ref().map_or(WINDOW_BYTES, |pacing| pacing.in_flight_bytes().min(WINDOW_BYTES));
        for chunk in data.chunks(CHUNK_BYTES) {
            let position = self.position;
            let sent = self.handle.send(request::WRITE, |request| request.u64(position).string(chunk)).await;
            self.in_flight.push_back((chunk.len() as u64, sent));
            self.position += chunk.len() as u64;
            self.in_flight_bytes += chunk.len() as u64;
            self.confirm_down_to(window_bytes).await?;
        }
        Ok(())
    }

    /// Waits until no more than so many bytes are in flight.
    async fn confirm_down_to(&mut self, bytes: u64) -> Result<()> {
        while self.in_flight_bytes > bytes
            && let Some((length, sent)) = self.in_flight.pop_front()
        {
            sent.done().await.map_err(|failure| failure.error("write", &self.path))?;
            self.in_flight_bytes -= length;
        }
        Ok(())
    }

    /// Sets the times, forces the file to the server's disk, closes, and returns what the server has then.
    pub(super) async fn close(mut self, times: &Times) -> Result<Metadata> {
        const OPERATION: &str = "close";
        let set = match self.tree.shared.keeps.mtimes {
            false => None,
            true => {
                let modified = SftpTree::seconds(times.modified);
                let accessed = times.accessed.and_then(|time| u32::try_from(time.seconds()).ok()).unwrap_or(modified);
                // Behind the content, which would change them.
                Some(self.handle.send(request::FSETSTAT, |request| request.times(accessed, modified)).await)
            }
        };
        // Behind both: a file counts as finished when a power cut at the server does not undo it.
        let synced = if self.tree.shared.keeps.synced { self.handle.sync().await } else { None };
        self.confirm_down_to(0).await?;
        let failed = |failure: Failure| failure.error(OPERATION, &self.path);
        if let Some(set) = set {
            set.done().await.map_err(failed)?;
        }
        if let Some(synced) = synced {
            match synced.done().await {
                Err(failure) if !failure.is_unsupported() => return Err(failure.error("sync", &self.path)),
                _ => {}
            }
        }
        let connection = std::sync::Arc::clone(self.handle.connection());
        let closed = self.handle.close();
        let stat = connection.send(lstat(&self.tree.at(&self.path))).await;
        closed.done().await.map_err(failed)?;
        let found = stat.attributes().await.map_err(failed)?;
        match found.kind() {
            Kind::File => Ok(found.metadata()),
            kind => {
                let cause = format!("a {kind} is in the file's place now");
                Err(Error::new(ErrorKind::Other, OPERATION, &self.path, cause))
            }
        }
    }

    fn error(&self, operation: &'static str, cause: impl Into<String>) -> Error {
        Error::new(ErrorKind::Other, operation, &self.path, cause.into())
    }
}

#[async_trait]
impl FileWriter for Writer {
    async fn write_at(&mut self, offset: u64, data: Bytes) -> Result<()> {
        if offset != self.position {
            return Err(self.error("write", "leaves a gap, and holes are not kept here"));
        }
        self.append(&data).await
    }

    async fn finish(self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata> {
        if self.position != size_bytes {
            let cause = format!("{} bytes were written of a file of {size_bytes}", self.position);
            return Err(self.error("close", cause));
        }
        (*self).close(times).await
    }
}
