//! Where a migration writes to.

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::metadata::{Attributes, Metadata, Times};
use crate::pacing::WriteOptions;
use crate::path::RelPath;
use crate::tree::Tree;

/// A tree that files are written into.
#[async_trait]
pub trait Sink: Tree {
    /// Opens the file for writing from its start, creating or truncating it,
    /// following no link. `metadata` are the source's, as a hint (size), but for the
    /// permissions: if they are given, the file grants its group and others nothing beyond
    /// them, before its first byte and whether it is new or not. A new file gets no right to
    /// be executed; one that is there keeps what it grants less. `options` hold for as long as the file is open.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] if its directory is missing; otherwise if it
    /// cannot be created or written.
    async fn create(&self, path: &RelPath, metadata: &Metadata, options: &WriteOptions) -> Result<Box<dyn FileWriter>>;

    /// Writes a whole small file in one call, for backends that can do so with
    /// fewer round trips than [`Sink::create`] and its writer; returns its metadata
    /// as the storage has them at the end. The file is as long as `data`, whatever size `metadata` state.
    ///
    /// # Errors
    /// As [`Sink::create`], [`FileWriter::write_at`] and [`FileWriter::finish`].
    async fn write_whole(
        &self,
        path: &RelPath,
        data: Bytes,
        metadata: &Metadata,
        options: &WriteOptions,
    ) -> Result<Metadata> {
        let mut writer = self.create(path, metadata, options).await?;
        let size_bytes = data.len() as u64;
        if !data.is_empty() {
            writer.write_at(0, data).await?;
        }
        writer.finish(size_bytes, &metadata.times()).await
    }

    /// Creates a directory. If `permissions` are given, it grants its group and others nothing
    /// beyond them, and its owner everything.
    ///
    /// # Errors
    /// [`crate::ErrorKind::AlreadyExists`] if the name is taken,
    /// [`crate::ErrorKind::NotFound`] if its own directory is missing,
    /// [`crate::ErrorKind::Unsupported`] where directories are there by what is in them and an empty one is not kept.
    async fn create_dir(&self, path: &RelPath, permissions: Option<u32>) -> Result<()>;

    /// Creates a symbolic link with these bytes as its target.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] where the storage does not support them ([`crate::Capabilities::symlinks`]).
    async fn create_symlink(&self, path: &RelPath, target: &[u8]) -> Result<()> {
        let _ = target;
        Err(unsupported("create link", path, "this storage has no symbolic links"))
    }

    /// Makes `path` another name of the file `existing` (a hard link).
    ///
    /// # Errors
    /// [`crate::ErrorKind::AlreadyExists`] if the name is taken,
    /// [`crate::ErrorKind::Unsupported`] where files have one name only
    /// ([`crate::Capabilities::hard_links`]).
    async fn create_hard_link(&self, existing: &RelPath, path: &RelPath) -> Result<()> {
        let _ = existing;
        Err(unsupported("link", path, "files have one name only in this storage"))
    }

    /// Gives the file or link `from` the name `to` in one step; a file or link
    /// that had the name is gone. If both are names of one file, `from` goes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::IsADirectory`] or [`crate::ErrorKind::AlreadyExists`] if a
    /// directory has the name, [`crate::ErrorKind::Unsupported`] where the storage
    /// cannot do so ([`crate::Capabilities::renames`]).
    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        let _ = from;
        Err(unsupported("rename", to, "this storage cannot rename in one step"))
    }

    /// Spells the name of a file, link or directory as `to`, in the same directory: `from` and `to`
    /// are the same name to the storage ([`crate::NameRules::folds`]). Nothing is replaced.
    ///
    /// # Errors
    /// [`crate::ErrorKind::AlreadyExists`] if they are names of two things,
    /// [`crate::ErrorKind::Unsupported`] where the storage cannot do so.
    async fn respell(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        let _ = from;
        Err(unsupported("rename", to, "this storage cannot change how a name is spelled"))
    }

    /// Sets the times of a file, directory or link (of the link itself). A time that the storage
    /// cannot hold becomes the nearest that it can: the engine reads back what was kept.
    ///
    /// # Errors
    /// If they cannot be set.
    async fn set_times(&self, path: &RelPath, times: &Times) -> Result<()>;

    /// Applies permissions, owner and extended attributes to a file, directory or
    /// link (of the link itself, where links have them); returns an error
    /// for each attribute that was not accepted.
    ///
    /// # Errors
    /// If `path` cannot be reached at all.
    async fn set_attributes(&self, path: &RelPath, attributes: &Attributes) -> Result<Vec<Error>> {
        Ok(if attributes.is_empty() {
            Vec::new()
        } else {
            vec![unsupported("set attributes", path, "not supported by this storage")]
        })
    }

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

    /// Paths of this tree that belong to the sink itself, such as the place for what is discarded: a migration neither
    /// lists nor writes nor removes anything at or below them.
    fn reserved_paths(&self) -> Vec<RelPath> {
        Vec::new()
    }

    /// Whether there is a place for what is discarded.
    fn can_discard(&self) -> bool {
        false
    }

    /// Moves a file or a link out of the tree, into the place for what is
    /// discarded, under the same path there. What was discarded under that path
    /// before stays.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] without such a place ([`Self::can_discard`]).
    async fn discard(&self, path: &RelPath) -> Result<()> {
        Err(unsupported("discard", path, "there is no place for what is discarded"))
    }

    /// Returns once all that was finished before the call survives a power cut.
    ///
    /// # Errors
    /// If the storage could not keep it: nothing since the last flush counts as kept.
    async fn flush(&self) -> Result<()>;
}

fn unsupported(operation: &'static str, path: &RelPath, cause: &str) -> Error {
    Error::new(ErrorKind::Unsupported, operation, path, cause)
}

/// A file of a sink being written. Dropped before [`FileWriter::finish`], it
/// leaves what was written so far.
#[async_trait]
pub trait FileWriter: Send {
    /// Writes all of `data` at `offset`. Calls come in order, and without gaps
    /// unless the sink keeps holes ([`crate::Capabilities::holes`]): then a gap is one.
    ///
    /// Returns once the bytes are in flight to the storage (write-back
    /// started), not necessarily there.
    ///
    /// # Errors
    /// If writing fails, possibly for bytes of an earlier call.
    async fn write_at(&mut self, offset: u64, data: Bytes) -> Result<()>;

    /// Sends what is left, makes the file `size_bytes` long (a hole may be at its
    /// end), sets the times, closes, and returns the file's metadata as the storage
    /// has them.
    ///
    /// # Errors
    /// Any error of writing that shows only now (NFS and SMB report a full disk at
    /// the close), or if the times cannot be set.
    async fn finish(self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata>;
}
