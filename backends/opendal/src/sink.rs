//! Writing: small objects in one request, large ones as multipart uploads.

use opendal::Buffer;
use towpath_backend::{
    Bytes, Error, ErrorKind, FileWriter, Kind, Metadata, ReadOptions, RelPath, Result, Sink, Times, WriteOptions,
    async_trait,
};

use crate::error;
use crate::handle::OpendalTree;
use crate::stat::is_a_directory;
use crate::verify::Sent;
use crate::writer::Writer;

#[async_trait]
impl Sink for OpendalTree {
    async fn create(&self, path: &RelPath, metadata: &Metadata, options: &WriteOptions) -> Result<Box<dyn FileWriter>> {
        self.pace(options.pacing.as_ref());
        self.check_place("create", path).await?;
        Ok(Box::new(Writer::new(
            self.clone(),
            path.clone(),
            self.keys().file("create", path)?,
            metadata,
            options.object.clone(),
        )))
    }

    async fn write_whole(
        &self,
        path: &RelPath,
        data: Bytes,
        metadata: &Metadata,
        options: &WriteOptions,
    ) -> Result<Metadata> {
        self.pace(options.pacing.as_ref());
        let key = self.keys().file("write", path)?;
        if data.len() as u64 != metadata.size_bytes {
            return Err(Error::new(ErrorKind::Other, "write", path, "is not as long as it should be"));
        }
        self.check_place("write", path).await?;
        let content = Buffer::from(data);
        let answer = self
            .operator
            .write_options(
                &key,
                content.clone(),
                self.write_options(&key, metadata.modified, options.object.as_deref()),
            )
            .await;
        let (key, size_bytes, content) = (key.as_str(), metadata.size_bytes, Some(content));
        self.verify(&Sent { operation: "write", path, key, size_bytes, content }, answer).await?;
        Ok(self.written(metadata.size_bytes, metadata.modified))
    }

    async fn create_dir(&self, path: &RelPath, _permissions: Option<u32>) -> Result<()> {
        const OPERATION: &str = "create directory";
        let key = self.keys().directory(OPERATION, path)?;
        if path.is_root() || self.there(OPERATION, path).await?.is_some() {
            return Err(Error::new(ErrorKind::AlreadyExists, OPERATION, path, "the name is taken"));
        }
        self.check_parent(OPERATION, path).await?;
        if !self.has_directories() {
            return self.create_marker(path, &key).await;
        }
        self.operator.create_dir(&key).await.map_err(|problem| error::of(OPERATION, path, &problem))
    }

    async fn set_times(&self, path: &RelPath, _times: &Times) -> Result<()> {
        let cause = "the mtime of an object is that which it was written with";
        Err(Error::new(ErrorKind::Unsupported, "set times", path, cause))
    }

    async fn remove_file(&self, path: &RelPath) -> Result<()> {
        const OPERATION: &str = "remove";
        match self.there(OPERATION, path).await? {
            Some(Kind::Dir) => Err(is_a_directory(OPERATION, path)),
            // To remove a missing object is no error for a store, but one here.
            None => Err(Error::new(ErrorKind::NotFound, OPERATION, path, "there is no such object")),
            Some(_) => {
                let removed = self.operator.delete(&self.keys().file(OPERATION, path)?).await;
                removed.map_err(|problem| error::of(OPERATION, path, &problem))
            }
        }
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        const OPERATION: &str = "remove directory";
        if path.is_root() {
            return Err(Error::new(ErrorKind::Other, OPERATION, path, "is the root"));
        }
        match self.there(OPERATION, path).await? {
            None => return Err(Error::new(ErrorKind::NotFound, OPERATION, path, "there is no such directory")),
            Some(Kind::Dir) => {}
            Some(_) => return Err(Error::new(ErrorKind::NotADirectory, OPERATION, path, "is an object")),
        }
        // WebDAV and HDFS would remove a directory with all of its content.
        let mut pages = towpath_backend::Tree::read_dir(self, path, &ReadOptions::default()).await?;
        if let Some(page) = tokio_stream::StreamExt::next(&mut pages).await
            && !page?.is_empty()
        {
            return Err(Error::new(ErrorKind::NotEmpty, OPERATION, path, "is not empty"));
        }
        let removed = self.operator.delete(&self.keys().directory(OPERATION, path)?).await;
        removed.map_err(|problem| error::of(OPERATION, path, &problem))
    }

    async fn flush(&self) -> Result<()> {
        // A server confirms an object only when it has stored it.
        Ok(())
    }
}

impl OpendalTree {
    /// What has this name, if anything has.
    async fn there(&self, operation: &'static str, path: &RelPath) -> Result<Option<Kind>> {
        match self.stat_file(operation, path).await {
            Ok(metadata) => return Ok(Some(metadata.kind)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(self.is_directory(operation, path).await?.then_some(Kind::Dir))
    }

    /// Where there are directories, a file is not written in place of one, nor without its own.
    /// Elsewhere keys are independent of each other, and no request is sent.
    async fn check_place(&self, operation: &'static str, path: &RelPath) -> Result<()> {
        if path.is_root() {
            return Err(is_a_directory(operation, path));
        }
        if !self.has_directories() {
            return Ok(());
        }
        self.check_parent(operation, path).await?;
        match self.there(operation, path).await? {
            Some(Kind::Dir) => Err(is_a_directory(operation, path)),
            _ => Ok(()),
        }
    }

    /// A missing directory would be created silently.
    async fn check_parent(&self, operation: &'static str, path: &RelPath) -> Result<()> {
        let (mut above, mut missing) = (path.parent(), false);
        while let Some(dir) = above.filter(|dir| self.has_directories() && !dir.is_root()) {
            match self.there(operation, &dir).await.map_err(|error| error.with_path(path))? {
                Some(Kind::Dir) => break,
                Some(_) => {
                    let cause = "a file is in the middle of the path";
                    return Err(Error::new(ErrorKind::NotADirectory, operation, path, cause));
                }
                None => missing = true,
            }
            above = dir.parent();
        }
        if missing {
            return Err(Error::new(ErrorKind::NotFound, operation, path, "its directory is missing"));
        }
        Ok(())
    }
}
