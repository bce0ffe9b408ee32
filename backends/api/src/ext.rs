//! What can be done with any tree by the calls it has: for examples, tests and small tools.
//!
//! The traits are implemented for every tree and by nobody else, so that methods can be added.

mod walk;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::walk::{Found, Walk};
use crate::{
    Error, ErrorKind, Kind, Metadata, ReadOptions, RelPath, Result, Sink, Source, Timestamp, Tree, WriteOptions,
};

/// What can be done with any [`Tree`].
#[async_trait]
pub trait TreeExt: Tree {
    /// Whether something has this name; a link that leads nowhere has it too.
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

    /// All that lies below a directory, as a stream: a directory first, then what is in it.
    /// Links are found and not followed.
    ///
    /// What cannot be listed is an error in the stream, which then goes on with
    /// the rest. In memory are a page of each directory along the current path; deep
    /// trees hold as many listings open ([`Walk::max_depth`] bounds them).
    fn walk(&self, dir: &RelPath) -> Walk<'_, Self> {
        Walk::new(self, dir)
    }
}

impl<T: Tree + ?Sized> TreeExt for T {}

/// What can be done with any [`Source`].
#[async_trait]
pub trait SourceExt: Source {
    /// The content of a file of at most `limit_bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if it is longer; else as [`Source::read_whole`].
    async fn read_to_vec(&self, path: &RelPath, limit_bytes: usize) -> Result<Vec<u8>> {
        let whole = self.read_whole(path, limit_bytes, Vec::new(), &ReadOptions::default()).await?;
        if whole.metadata.size_bytes > limit_bytes as u64 {
            let cause = format!("{} bytes, and no more than {limit_bytes} are wanted", whole.metadata.size_bytes);
            return Err(Error::new(ErrorKind::TooLarge, "read", path, cause));
        }
        Ok(whole.data)
    }
}

impl<T: Source + ?Sized> SourceExt for T {}

/// What can be done with any [`Sink`].
#[async_trait]
pub trait SinkExt: Sink {
    /// Writes a file with this content and time; returns its metadata as the storage has them.
    ///
    /// # Errors
    /// As [`Sink::write_whole`].
    async fn write(&self, path: &RelPath, content: &[u8], modified: Timestamp) -> Result<Metadata> {
        let metadata = Metadata::new(Kind::File, content.len() as u64, modified);
        self.write_whole(path, Bytes::copy_from_slice(content), &metadata, &WriteOptions::default()).await
    }

    /// Makes a directory, and those above it that are missing. One that is there stays as it is.
    ///
    /// # Errors
    /// [`ErrorKind::NotADirectory`] if something else has one of the names; else as [`Sink::create_dir`].
    async fn create_dir_all(&self, path: &RelPath) -> Result<()> {
        // From below: mostly only the last ones are missing.
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
                // Someone else was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => is_directory(self, dir).await?,
                made => made?,
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
