//! Convenience methods for any tree, for examples, tests and small tools.
//!
//! The traits are implemented for every tree, and cannot be implemented otherwise, so that methods can be added.

mod walk;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::walk::{Found, Walk};
use crate::{
    Error, ErrorKind, Kind, Metadata, ReadOptions, RelPath, Result, Sink, Source, Timestamp, Tree, WriteOptions,
};

/// Methods for any [`Tree`].
#[async_trait]
pub trait TreeExt: Tree {
    /// Whether an entry with this name exists; a dangling link counts.
    ///
    /// # Errors
    /// If it could not be checked.
    async fn exists(&self, path: &RelPath) -> Result<bool> {
        match self.metadata(path).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Everything below a directory, as a stream: each directory comes before its contents. Links are returned, not
    /// followed.
    ///
    /// A directory that cannot be listed is an error in the stream, which then continues with the rest. Memory holds
    /// one page of each directory along the current path; deep trees keep that many listings open ([`Walk::max_depth`]
    /// bounds them).
    fn walk(&self, dir: &RelPath) -> Walk<'_, Self> {
        Walk::new(self, dir)
    }
}

impl<T: Tree + ?Sized> TreeExt for T {}

/// Methods for any [`Source`].
#[async_trait]
pub trait SourceExt: Source {
    /// The content of a file of at most `limit_bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if it is longer; otherwise as [`Source::read_whole`].
    async fn read_to_vec(&self, path: &RelPath, limit_bytes: usize) -> Result<Vec<u8>> {
        let whole = self.read_whole(path, limit_bytes, Vec::new(), &ReadOptions::default()).await?;
        if whole.metadata.size_bytes > limit_bytes as u64 {
            let cause =
                format!("the file has {} bytes, more than the limit of {limit_bytes}", whole.metadata.size_bytes);
            return Err(Error::new(ErrorKind::TooLarge, "read", path, cause));
        }
        Ok(whole.data)
    }
}

impl<T: Source + ?Sized> SourceExt for T {}

/// Methods for any [`Sink`].
#[async_trait]
pub trait SinkExt: Sink {
    /// Writes a file with this content and time; returns its metadata as the storage reports them.
    ///
    /// # Errors
    /// As [`Sink::write_whole`].
    async fn write(&self, path: &RelPath, content: &[u8], modified: Timestamp) -> Result<Metadata> {
        let metadata = Metadata::new(Kind::File, content.len() as u64, modified);
        self.write_whole(path, Bytes::copy_from_slice(content), &metadata, &WriteOptions::default()).await
    }

    /// Creates a directory and its missing parents. An existing directory is left as it is.
    ///
    /// # Errors
    /// [`ErrorKind::NotADirectory`] if one of the names is something else; otherwise as [`Sink::create_dir`].
    async fn create_dir_all(&self, path: &RelPath) -> Result<()> {
        // Bottom up: usually only the last ones are missing.
        let mut missing = Vec::new();
        let mut next = Some(path.clone());
        while let Some(dir) = next {
            match self.create_dir(&dir, None).await {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    is_directory(self, &dir).await?;
                    break;
                }
                Err(error) if error.kind() == ErrorKind::NotFound && !dir.is_root() => {
                    next = dir.parent();
                    missing.push(dir);
                }
                Err(error) => return Err(error),
            }
        }
        for dir in missing.iter().rev() {
            match self.create_dir(dir, None).await {
                // Another task created it in the meantime.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => is_directory(self, dir).await?,
                created => created?,
            }
        }
        Ok(())
    }
}

impl<T: Sink + ?Sized> SinkExt for T {}

/// An error if something other than a directory has the name.
async fn is_directory<T: Tree + ?Sized>(tree: &T, path: &RelPath) -> Result<()> {
    match tree.metadata(path).await?.kind {
        Kind::Dir => Ok(()),
        other => {
            let cause = format!("there is a {other} of this name");
            Err(Error::new(ErrorKind::NotADirectory, "create directory", path, cause))
        }
    }
}
