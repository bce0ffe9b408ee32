//! Boxes, shared pointers and references to a tree, which are trees themselves.

// A method that is not forwarded would use the trait's default instead of the tree's own.
#![warn(clippy::missing_trait_methods)]

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    Attributes, Capabilities, EntryStream, Error, FileReader, FileWriter, Hints, Identity, Metadata, ReadOptions,
    RelPath, Result, Sink, Source, Times, Tree, WaitObserver, WholeFile, WriteOptions, Xattr,
};

macro_rules! forward {
    ($($pointer:ty),*) => {
        $(
            #[async_trait]
            impl<T: Tree + ?Sized> Tree for $pointer {
                fn root(&self) -> &[u8] {
                    (**self).root()
                }

                fn capabilities(&self) -> Capabilities {
                    (**self).capabilities()
                }

                fn hints(&self) -> Hints {
                    (**self).hints()
                }

                fn locate(&self, local: &Path) -> Option<RelPath> {
                    (**self).locate(local)
                }

                fn observe_waits(&self, observer: Arc<dyn WaitObserver>) {
                    (**self).observe_waits(observer);
                }

                fn stop_waiting(&self) {
                    (**self).stop_waiting();
                }

                async fn identity(&self) -> Result<Identity> {
                    (**self).identity().await
                }

                async fn round_trip(&self) -> Result<()> {
                    (**self).round_trip().await
                }

                async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
                    (**self).read_dir(dir, options).await
                }

                async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
                    (**self).metadata(path).await
                }

                async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
                    (**self).read_link(path).await
                }

                async fn xattrs(&self, path: &RelPath) -> Result<Vec<Xattr>> {
                    (**self).xattrs(path).await
                }
            }

            #[async_trait]
            impl<T: Source + ?Sized> Source for $pointer {
                async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
                    (**self).open(path, options).await
                }

                async fn read_whole(&self, path: &RelPath, limit_bytes: usize, buffer: Vec<u8>, options: &ReadOptions) -> Result<WholeFile> {
                    (**self).read_whole(path, limit_bytes, buffer, options).await
                }
            }

            #[async_trait]
            impl<T: Sink + ?Sized> Sink for $pointer {
                async fn create(&self, path: &RelPath, metadata: &Metadata, options: &WriteOptions) -> Result<Box<dyn FileWriter>> {
                    (**self).create(path, metadata, options).await
                }

                async fn write_whole(&self, path: &RelPath, data: Bytes, metadata: &Metadata, options: &WriteOptions) -> Result<Metadata> {
                    (**self).write_whole(path, data, metadata, options).await
                }

                async fn create_dir(&self, path: &RelPath, permissions: Option<u32>) -> Result<()> {
                    (**self).create_dir(path, permissions).await
                }

                async fn create_symlink(&self, path: &RelPath, target: &[u8]) -> Result<()> {
                    (**self).create_symlink(path, target).await
                }

                async fn create_hard_link(&self, existing: &RelPath, path: &RelPath) -> Result<()> {
                    (**self).create_hard_link(existing, path).await
                }

                async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
                    (**self).rename(from, to).await
                }

                async fn respell(&self, from: &RelPath, to: &RelPath) -> Result<()> {
                    (**self).respell(from, to).await
                }

                async fn set_times(&self, path: &RelPath, times: &Times) -> Result<()> {
                    (**self).set_times(path, times).await
                }

                async fn set_attributes(&self, path: &RelPath, attributes: &Attributes) -> Result<Vec<Error>> {
                    (**self).set_attributes(path, attributes).await
                }

                async fn remove_file(&self, path: &RelPath) -> Result<()> {
                    (**self).remove_file(path).await
                }

                async fn remove_dir(&self, path: &RelPath) -> Result<()> {
                    (**self).remove_dir(path).await
                }

                fn reserved_paths(&self) -> Vec<RelPath> {
                    (**self).reserved_paths()
                }

                fn can_discard(&self) -> bool {
                    (**self).can_discard()
                }

                async fn discard(&self, path: &RelPath) -> Result<()> {
                    (**self).discard(path).await
                }

                async fn flush(&self) -> Result<()> {
                    (**self).flush().await
                }
            }
        )*
    };
}

forward!(Box<T>, Arc<T>, &T);
