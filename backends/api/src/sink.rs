//! Where a migration writes to.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Metadata, RelPath, Result, Times, Tree};

/// A tree that files are written into.
#[async_trait]
pub trait Sink: Tree {
    /// Opens the file for writing from its start, making it or cutting it to nothing,
    /// following no link. `metadata` are the source's, as a hint (size) and nothing more.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] if its directory is missing; otherwise if it
    /// cannot be made or written.
    async fn create(&self, path: &RelPath, metadata: &Metadata) -> Result<Box<dyn FileWriter>>;

    /// Writes a whole small file in one call, for backends that can do so with
    /// fewer round trips than [`Sink::create`] and its writer; tells its metadata
    /// as the storage has them at the end.
    ///
    /// # Errors
    /// As [`Sink::create`], [`FileWriter::write_at`] and [`FileWriter::finish`].
    async fn write_whole(&self, path: &RelPath, data: Bytes, metadata: &Metadata) -> Result<Metadata> {
        let mut writer = self.create(path, metadata).await?;
        if !data.is_empty() {
            writer.write_at(0, data).await?;
        }
        writer.finish(&metadata.times()).await
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// [`crate::ErrorKind::AlreadyExists`] if the name is taken,
    /// [`crate::ErrorKind::NotFound`] if its own directory is missing.
    async fn create_dir(&self, path: &RelPath) -> Result<()>;

    /// Makes a symbolic link with these bytes as its target.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] where the storage has none.
    async fn create_symlink(&self, path: &RelPath, target: &[u8]) -> Result<()>;

    /// Sets the times of a file, directory or link (of the link itself).
    ///
    /// # Errors
    /// If they cannot be set.
    async fn set_times(&self, path: &RelPath, times: &Times) -> Result<()>;

    /// Removes a file or a link.
    ///
    /// # Errors
    /// [`crate::ErrorKind::IsADirectory`] if it is a directory.
    async fn remove_file(&self, path: &RelPath) -> Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotEmpty`] if it holds anything.
    async fn remove_dir(&self, path: &RelPath) -> Result<()>;

    /// Returns once all that was finished before the call survives a power cut.
    ///
    /// # Errors
    /// If the storage could not keep it: nothing since the last flush counts as kept.
    async fn flush(&self) -> Result<()>;
}

/// A file of a sink being written. Dropped before [`FileWriter::finish`], it
/// leaves what was written so far.
#[async_trait]
pub trait FileWriter: Send {
    /// Writes all of `data` at `offset`. Calls come in order and without gaps.
    ///
    /// Returns once the bytes are on their way to the storage (write-back
    /// started), not necessarily there.
    ///
    /// # Errors
    /// If writing fails, possibly for bytes of an earlier call.
    async fn write_at(&mut self, offset: u64, data: Bytes) -> Result<()>;

    /// Sends what is left, sets the times, closes, and tells the file's metadata
    /// as the storage has them.
    ///
    /// # Errors
    /// Any error of writing that shows only now (NFS and SMB report a full disk at
    /// the close), or if the times cannot be set.
    async fn finish(self: Box<Self>, times: &Times) -> Result<Metadata>;
}
