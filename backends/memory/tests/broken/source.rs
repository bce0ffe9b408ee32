//! A source with a bug.

use std::sync::atomic::Ordering;

use towpath_backend::{
    Error, ErrorKind, FileReader, Freshness, Metadata, ReadOptions, RelPath, Result, Sink as _, Source, Times,
    Timestamp, WholeFile, async_trait,
};

use crate::bug::Bug;
use crate::reader::{BrokenReader, Nothing};
use crate::tree::{Broken, broken};

#[async_trait]
impl Source for Broken {
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
        if self.memory.is_blocked() {
            return Err(broken(path));
        }
        if self.has(Bug::ReadingTouches) {
            let times = Times { modified: Timestamp::from_ns(0), accessed: None };
            self.inner.set_times(path, &times).await?;
        }
        match (self.bug, self.inner.open(path, options).await) {
            (Some(Bug::MissingIsJustAnError), Err(error)) => {
                Err(Error::new(ErrorKind::Other, "open", path, error.to_string()))
            }
            (Some(Bug::DirectoriesReadAsEmptyFiles), Err(error)) if error.kind() == ErrorKind::IsADirectory => {
                Ok(Box::new(Nothing))
            }
            (Some(Bug::FollowsLinks), Err(error)) => match self.target(path).await {
                Some(target) => self.inner.open(&target, options).await,
                None => Err(error),
            },
            (_, opened) => {
                let number = self.memory.calls.fetch_add(1, Ordering::Relaxed);
                Ok(Box::new(BrokenReader::new(self, path, options, opened?, number)))
            }
        }
    }

    async fn read_whole(
        &self,
        path: &RelPath,
        limit_bytes: usize,
        buffer: Vec<u8>,
        options: &ReadOptions,
    ) -> Result<WholeFile> {
        let limit = if self.has(Bug::WholeFilesHaveNoLimit) { usize::MAX } else { limit_bytes };
        let whole = self.inner.read_whole(path, limit, buffer, options).await?;
        if self.has(Bug::WholeFilesHaveNoSize) {
            return Ok(WholeFile::new(whole.data, Metadata { size_bytes: 0, ..whole.metadata }));
        }
        if self.has(Bug::WholeFilesHideTheCache) {
            return Ok(whole.with_freshness(Freshness::default()));
        }
        Ok(whole)
    }
}
