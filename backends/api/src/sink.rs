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
    /// Opens a file for writing from its start. Creates or truncates it, without following links. `options` apply as
    /// long as it is open.
    ///
    /// `metadata` are those of the source. They are only a hint (size), except for the permissions: if given, the file
    /// grants its group and others nothing beyond them, from before its first byte on, whether it is new or not. A new
    /// file gets no execute permission; an existing one keeps permissions that are tighter.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] if its directory is missing; otherwise if it
    /// cannot be created or written.
    async fn create(&self, path: &RelPath, metadata: &Metadata, options: &WriteOptions) -> Result<Box<dyn FileWriter>>;

    /// Writes a whole small file in one call, for backends that can do so with fewer round trips than [`Sink::create`]
    /// and its writer; returns its final metadata as the storage reports them. The file is as long as `data`, whatever
    /// size `metadata` has.
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

    /// Creates a directory. If `permissions` are given, it grants its owner everything, and its group and others
    /// nothing beyond them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::AlreadyExists`] if the name is taken, [`crate::ErrorKind::NotFound`] if its parent directory
    /// is missing, [`crate::ErrorKind::Unsupported`] where directories are virtual and an empty one is not kept.
    async fn create_dir(&self, path: &RelPath, permissions: Option<u32>) -> Result<()>;

    /// Creates a symbolic link with these bytes as its target.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] where the storage does not support them ([`crate::Capabilities::symlinks`]).
    async fn create_symlink(&self, path: &RelPath, target: &[u8]) -> Result<()> {
        let _ = target;
        Err(unsupported("create link", path, "this storage has no symbolic links"))
    }

    /// Creates `path` as another name of the file `existing` (a hard link).
    ///
    /// # Errors
    /// [`crate::ErrorKind::AlreadyExists`] if the name is taken, [`crate::ErrorKind::Unsupported`] where the storage
    /// has no hard links ([`crate::Capabilities::hard_links`]).
    async fn create_hard_link(&self, existing: &RelPath, path: &RelPath) -> Result<()> {
        let _ = existing;
        Err(unsupported("link", path, "this storage has no hard links"))
    }

    /// Renames the file or link `from` to `to` in one step, and replaces a file or link there. If both are names of one
    /// file, `from` is removed.
    ///
    /// # Errors
    /// [`crate::ErrorKind::IsADirectory`] or [`crate::ErrorKind::AlreadyExists`] if `to` is a directory,
    /// [`crate::ErrorKind::Unsupported`] where the storage cannot do so ([`crate::Capabilities::renames`]).
    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        let _ = from;
        Err(unsupported("rename", to, "this storage cannot rename in one step"))
    }

    /// Changes the spelling of a name from `from` to `to`, in the same directory: both are the same name to the storage
    /// ([`crate::NameRules::folds`]). Nothing is replaced.
    ///
    /// # Errors
    /// [`crate::ErrorKind::AlreadyExists`] if they name two different entries, [`crate::ErrorKind::Unsupported`] where
    /// the storage cannot do so.
    async fn respell(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        let _ = from;
        Err(unsupported("rename", to, "this storage cannot change how a name is spelled"))
    }

    /// Sets the times of a file, directory or link (of the link itself). A time that the storage cannot hold becomes
    /// the nearest one that it can; the engine reads back what was kept.
    ///
    /// # Errors
    /// If they cannot be set.
    async fn set_times(&self, path: &RelPath, times: &Times) -> Result<()>;

    /// Applies permissions, owner and extended attributes to a file, directory or
    /// link (of the link itself, where links have them); returns an error
    /// for each attribute that was not accepted.
    ///
    /// # Errors
    /// If `path` cannot be accessed.
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
    /// [`crate::ErrorKind::NotEmpty`] if it is not empty.
    async fn remove_dir(&self, path: &RelPath) -> Result<()>;

    /// Paths in this tree that belong to the sink itself, such as its trash: a migration neither lists nor writes nor
    /// removes anything at or below them.
    fn reserved_paths(&self) -> Vec<RelPath> {
        Vec::new()
    }

    /// Whether there is a trash.
    fn can_discard(&self) -> bool {
        false
    }

    /// Moves a file or a link out of the tree into the trash, where it keeps its path. Anything discarded under that
    /// path before is kept.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] without a trash ([`Self::can_discard`]).
    async fn discard(&self, path: &RelPath) -> Result<()> {
        Err(unsupported("discard", path, "this storage has no trash"))
    }

    /// Returns once everything that was finished before the call survives a power cut.
    ///
    /// # Errors
    /// If that failed: nothing since the last flush counts as durable.
    async fn flush(&self) -> Result<()>;
}

fn unsupported(operation: &'static str, path: &RelPath, cause: &str) -> Error {
    Error::new(ErrorKind::Unsupported, operation, path, cause)
}

/// An open file of a sink. If it is dropped before [`FileWriter::finish`], what was written so far remains.
#[async_trait]
pub trait FileWriter: Send {
    /// Writes all of `data` at `offset`. Calls come in order, and without gaps unless the sink keeps holes
    /// ([`crate::Capabilities::holes`]): then a gap is a hole.
    ///
    /// Returns once the bytes are in flight to the storage (write-back started), possibly before they arrive.
    ///
    /// # Errors
    /// If writing fails, possibly for bytes of an earlier call.
    async fn write_at(&mut self, offset: u64, data: Bytes) -> Result<()>;

    /// Sends what is left, extends the file to `size_bytes` (with a hole, if need be), sets the times, closes it, and
    /// returns its metadata as the storage reports them.
    ///
    /// # Errors
    /// Any write error that shows only now (NFS and SMB report a full disk at the close), or if the times cannot be
    /// set.
    async fn finish(self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata>;
}
