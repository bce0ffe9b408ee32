//! Mocks of the traits (mockall).
//!
//! [`Source::read_whole`] and [`Sink::write_whole`] are not mocked: they keep their default implementation, which calls
//! `open` and `create`, so that expectations on readers and writers hold for files of any size.
//! [`FileReader::next_data`] and [`FileReader::freshness`] are not mocked either: mocked files have no holes, and do not
//! report where their content comes from.

// mockall writes the mocks' methods; the traits document them.
#![allow(missing_docs)]

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    Attributes, Capabilities, EntryStream, Error, FileReader, FileWriter, Identity, Metadata, ReadOptions, RelPath,
    Result, Sink, Source, Times, Tree, WriteOptions, Xattr,
};

mockall::mock! {
    /// A mocked [`crate::Source`].
    pub Source {}

    #[async_trait]
    impl Tree for Source {
        fn root(&self) -> &[u8];
        fn capabilities(&self) -> Capabilities;
        fn locate(&self, local: &Path) -> Option<RelPath>;
        async fn identity(&self) -> Result<Identity>;
        async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream>;
        async fn metadata(&self, path: &RelPath) -> Result<Metadata>;
        async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>>;
        async fn xattrs(&self, path: &RelPath) -> Result<Vec<Xattr>>;
    }

    #[async_trait]
    impl Source for Source {
        async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>>;
    }
}

mockall::mock! {
    /// A mocked [`crate::Sink`].
    pub Sink {}

    #[async_trait]
    impl Tree for Sink {
        fn root(&self) -> &[u8];
        fn capabilities(&self) -> Capabilities;
        fn locate(&self, local: &Path) -> Option<RelPath>;
        async fn identity(&self) -> Result<Identity>;
        async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream>;
        async fn metadata(&self, path: &RelPath) -> Result<Metadata>;
        async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>>;
        async fn xattrs(&self, path: &RelPath) -> Result<Vec<Xattr>>;
    }

    #[async_trait]
    impl Sink for Sink {
        async fn create(&self, path: &RelPath, metadata: &Metadata, options: &WriteOptions) -> Result<Box<dyn FileWriter>>;
        async fn create_dir(&self, path: &RelPath, permissions: Option<u32>) -> Result<()>;
        async fn create_symlink(&self, path: &RelPath, target: &[u8]) -> Result<()>;
        async fn create_hard_link(&self, existing: &RelPath, path: &RelPath) -> Result<()>;
        async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()>;
        async fn respell(&self, from: &RelPath, to: &RelPath) -> Result<()>;
        async fn set_times(&self, path: &RelPath, times: &Times) -> Result<()>;
        async fn set_attributes(&self, path: &RelPath, attributes: &Attributes) -> Result<Vec<Error>>;
        async fn remove_file(&self, path: &RelPath) -> Result<()>;
        async fn remove_dir(&self, path: &RelPath) -> Result<()>;
        async fn discard(&self, path: &RelPath) -> Result<()>;
        async fn flush(&self) -> Result<()>;
    }
}

mockall::mock! {
    /// A mocked [`crate::FileReader`].
    pub FileReader {}

    #[async_trait]
    impl FileReader for FileReader {
        async fn metadata(&mut self) -> Result<Metadata>;
        async fn read_at(&mut self, offset: u64, length_bytes: usize, buffer: Vec<u8>) -> Result<Vec<u8>>;
    }
}

mockall::mock! {
    /// A mocked [`crate::FileWriter`].
    pub FileWriter {}

    #[async_trait]
    impl FileWriter for FileWriter {
        async fn write_at(&mut self, offset: u64, data: Bytes) -> Result<()>;
        async fn finish(self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata>;
    }
}
