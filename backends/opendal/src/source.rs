//! The tree as a source.

use towpath_backend::{
    Error, ErrorKind, FileReader, Kind, Metadata, ReadOptions, RelPath, Result, Source, WholeFile, async_trait,
};

use crate::handle::OpendalTree;
use crate::read::version::opaque;
use crate::read::{self, Reader};

#[async_trait]
impl Source for OpendalTree {
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
        check_is_below_root("open", path)?;
        Ok(Box::new(Reader::open(self, path, options).await?))
    }

    async fn read_whole(
        &self,
        path: &RelPath,
        limit_bytes: usize,
        buffer: Vec<u8>,
        _: &ReadOptions,
    ) -> Result<WholeFile> {
        check_is_below_root("read", path)?;
        read::read_whole(self, path, limit_bytes, buffer).await
    }
}

fn is_directory(operation: &'static str, path: &RelPath) -> Error {
    Error::new(ErrorKind::IsADirectory, operation, path, "is a directory")
}

fn check_is_below_root(operation: &'static str, path: &RelPath) -> Result<()> {
    if path.is_root() { Err(is_directory(operation, path)) } else { Ok(()) }
}

/// What a server says of a file, as ours and as theirs.
#[derive(Clone, Debug)]
pub(crate) struct Stat {
    pub(crate) metadata: Metadata,
    pub(crate) theirs: opendal::Metadata,
}

impl Stat {
    pub(crate) fn of(tree: &OpendalTree, theirs: opendal::Metadata) -> Self {
        Self { metadata: tree.metadata_of(&theirs), theirs }
    }

    /// The version, where one that is overwritten gets another name.
    pub(crate) fn version(&self) -> Option<&str> {
        // What a bucket without versions calls all of them.
        self.theirs.version().filter(|version| *version != "null")
    }

    /// Whether both name their versions, and the same one.
    pub(crate) fn has_version_of(&self, other: &Self) -> bool {
        self.version().is_some() && self.version() == other.version()
    }

    /// Whether both name their versions, and different ones.
    pub(crate) fn has_other_version_than(&self, other: &Self) -> bool {
        self.version().zip(other.version()).is_some_and(|(one, other)| one != other)
    }

    /// Whether the file was overwritten between two answers to the same question.
    pub(crate) fn is_other_than(&self, other: &Self) -> bool {
        if self.has_version_of(other) {
            return false;
        }
        let etags = self.theirs.etag().zip(other.theirs.etag());
        self.has_other_version_than(other)
            || etags.is_some_and(|(one, other)| opaque(one) != opaque(other))
            || self.metadata.changed != other.metadata.changed
    }
}

impl OpendalTree {
    /// The file of this name; a directory is none.
    pub(crate) async fn file(&self, operation: &'static str, path: &RelPath) -> Result<Stat> {
        if path.is_root() {
            return Err(is_directory(operation, path));
        }
        match self.stat_object(operation, path).await {
            Ok(stat) if stat.metadata.kind == Kind::Dir => Err(is_directory(operation, path)),
            Ok(stat) if stat.metadata.kind != Kind::File => {
                let cause = format!("a {} is not read", stat.metadata.kind);
                Err(Error::new(ErrorKind::Unsupported, operation, path, cause))
            }
            Err(error) if error.kind() == ErrorKind::NotFound && self.is_directory(operation, path).await? => {
                Err(is_directory(operation, path))
            }
            result => result,
        }
    }
}
