//! An open file of a storage.

use std::sync::Arc;

use opendal::options::ReaderOptions;
use towpath_backend::{
    FileReader, Freshness, Metadata, ObjectMetadata, Pacing, ReadOptions, RelPath, Result, async_trait,
};

use super::content::{changed, failed, gets_are_complete};
use super::ranges::Ranges;
use super::stream::Stream;
use super::whole::with_user_metadata;
use crate::etag::is_strong;
use crate::file_stat::Stat;
use crate::handle::OpendalTree;
use crate::http::version::Version;

/// From here on a stat after the last byte is a small part of the time that the file takes: it also notices a server that
/// writes into a file while it sends it.
const CHECKED_BYTES: u64 = 8 << 20;

/// A file that is read.
pub(crate) struct Reader {
    tree: OpendalTree,
    path: RelPath,
    key: String,
    version: Arc<Version>,
    /// What was said of it when it was opened.
    opened: Stat,
    /// Whether that was the response that the content is read from.
    is_by_get: bool,
    mode: Mode,
    has_read: bool,
    /// The limit, which may come and go while the file is read.
    pacing: Option<Pacing>,
}

enum Mode {
    /// One request for all; opened when it is wanted.
    Stream(Option<Box<Stream>>),
    /// One request for each range: under a limit, or as the server does not say how long a file is otherwise.
    Ranges(Ranges),
}

impl Reader {
    pub(crate) async fn open(tree: &OpendalTree, path: &RelPath, options: &ReadOptions) -> Result<Self> {
        let (key, version) = (tree.keys().file("open", path)?, Arc::default());
        let new = |opened, is_by_get, mode| {
            let (tree, path, key, version) = (tree.clone(), path.clone(), key.clone(), Arc::clone(&version));
            let pacing = options.pacing.clone();
            Self { tree, path, key, version, opened, is_by_get, mode, has_read: false, pacing }
        };
        // Servers with folders may say other things of a file in their listings: those are compared with each other.
        if !options.is_limited() && !tree.has_directories() && gets_are_complete(tree) {
            match by_get(tree, &key, &version).await {
                Ok((stream, theirs)) if theirs.last_modified().is_some() => {
                    return Ok(new(Stat::of(tree, theirs), true, Mode::Stream(Some(Box::new(stream)))));
                }
                Err(problem) if !version.has_no_length() => {
                    // It may be a directory.
                    return Err(tree.file("open", path).await.err().unwrap_or_else(|| failed(path, &problem)));
                }
                _ => {}
            }
        }
        let opened = tree.file("open", path).await?;
        if opened.names_a_version() {
            version.is_compared_by_stats();
        }
        let mut reader = new(opened, false, Mode::Stream(None));
        if (options.is_limited() && reader.may_be_ranged()) || version.has_no_length() {
            let ranges = Ranges::open(tree, &key, reader.condition(), &version).await;
            reader.mode = Mode::Ranges(ranges.map_err(|problem| failed(path, &problem))?);
        }
        Ok(reader)
    }

    /// Ranges of a file whose version nothing names could be of several: that one is read in one request.
    fn may_be_ranged(&self) -> bool {
        self.opened.names_a_version() || self.tree.outgoing().is_none()
    }

    fn size_bytes(&self) -> u64 {
        self.opened.metadata.size_bytes
    }

    /// What the server is to compare before it sends something.
    fn condition(&self) -> ReaderOptions {
        let (can, theirs) = (self.tree.can(), &self.opened.theirs);
        if let Some(version) = self.opened.version().filter(|_| can.read_with_if_version_match) {
            return ReaderOptions { if_version_match: Some(version.to_owned()), ..ReaderOptions::default() };
        }
        let etag = theirs.etag().filter(|etag| can.read_with_if_match && is_strong(etag));
        ReaderOptions { if_match: etag.map(str::to_owned), ..ReaderOptions::default() }
    }

    /// Changes to ranges once there is a limit, and back to one request once there is none.
    async fn follow_limit(&mut self) -> opendal::Result<()> {
        let is_limited = self.pacing.as_ref().is_some_and(Pacing::is_limited);
        match &self.mode {
            Mode::Stream(_) if is_limited && self.may_be_ranged() && !self.version.ignores_ranges() => {
                let condition = self.condition();
                self.mode = Mode::Ranges(Ranges::open(&self.tree, &self.key, condition, &self.version).await?);
            }
            Mode::Ranges(ranges) if !is_limited && !ranges.are_ahead() && !self.version.has_no_length() => {
                self.mode = Mode::Stream(None);
            }
            _ => {}
        }
        Ok(())
    }

    async fn read(&mut self, offset: u64, length_bytes: usize, buffer: &mut Vec<u8>) -> opendal::Result<()> {
        self.follow_limit().await?;
        let condition = self.condition();
        match &mut self.mode {
            Mode::Ranges(ranges) => ranges.read(offset, length_bytes, buffer).await,
            Mode::Stream(stream) => {
                let mut open = match stream.take().filter(|stream| stream.is_at(offset)) {
                    Some(stream) => stream,
                    None => Box::new(Stream::open(&self.tree, &self.key, offset, condition, &self.version).await?),
                };
                open.read(length_bytes, buffer).await?;
                *stream = Some(open);
                Ok(())
            }
        }
    }

    /// Changes to the other mode of reading if the server does not have this one; whether it did.
    async fn change_mode(&mut self) -> opendal::Result<bool> {
        match self.mode {
            Mode::Ranges(_) if self.version.ignores_ranges() => self.mode = Mode::Stream(None),
            Mode::Stream(_) if self.version.has_no_length() => {
                let condition = self.condition();
                self.mode = Mode::Ranges(Ranges::open(&self.tree, &self.key, condition, &self.version).await?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A stream of all, and what its response says.
async fn by_get(tree: &OpendalTree, key: &str, version: &Arc<Version>) -> opendal::Result<(Stream, opendal::Metadata)> {
    let mut stream = Stream::open(tree, key, 0, ReaderOptions::default(), version).await?;
    let theirs = stream.metadata().await?;
    Ok((stream, with_user_metadata(theirs, version)))
}

#[async_trait]
impl FileReader for Reader {
    async fn metadata(&mut self) -> Result<Metadata> {
        // Of one version without another question: see `content::is_of_one_version`. What was asked for again, because the
        // connection broke off, was compared with it.
        let is_one_response = self.is_by_get && self.size_bytes() < CHECKED_BYTES;
        if !self.has_read || is_one_response {
            return Ok(self.opened.metadata);
        }
        let now = self.tree.file("stat", &self.path).await?;
        if now.is_other_than(&self.opened) { Err(changed(&self.path)) } else { Ok(now.metadata) }
    }

    fn object(&self) -> Option<Arc<ObjectMetadata>> {
        self.tree.object_of(&self.opened.theirs)
    }

    /// Responses of the server are not cached.
    fn freshness(&self) -> Freshness {
        Freshness::Storage
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let end = self.size_bytes().min(offset.saturating_add(length_bytes as u64));
        if offset >= end {
            return Ok(buffer);
        }
        self.has_read = true;
        let (before, length) = (buffer.len(), usize::try_from(end - offset).unwrap_or(usize::MAX));
        let mut result = self.read(offset, length, &mut buffer).await;
        if result.is_err() && self.change_mode().await.unwrap_or(false) {
            buffer.truncate(before);
            result = self.read(offset, length, &mut buffer).await;
        }
        match result {
            Ok(()) => Ok(buffer),
            // The connection broke off, and the rest is not sent alone.
            Err(problem) if self.version.ignores_ranges() => Err(failed(&self.path, &problem).with_temporary(true)),
            Err(problem) => Err(failed(&self.path, &problem)),
        }
    }

    async fn prefetch(&mut self, offset: u64, length_bytes: u64) {
        let length = length_bytes.min(self.size_bytes().saturating_sub(offset));
        let is_limited = self.pacing.as_ref().is_some_and(Pacing::is_limited);
        if let Mode::Ranges(ranges) = &mut self.mode
            && (is_limited || self.version.has_no_length())
        {
            ranges.request(offset, length);
        }
    }
}
