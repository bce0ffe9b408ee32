//! Small files: content and metadata in one request.

use std::sync::Arc;

use opendal::options::ReaderOptions;
use towpath_backend::{Freshness, RelPath, Result, WholeFile};

use super::content::{changed, failed, gets_are_complete, is_of_one_version, take};
use super::stream::Stream;
use crate::file_stat::Stat;
use crate::handle::OpendalTree;
use crate::http::version::Version;

/// Reads a file of at most `limit_bytes`; of a longer one the beginning.
pub(crate) async fn read_whole(
    tree: &OpendalTree,
    path: &RelPath,
    limit_bytes: usize,
    buffer: Vec<u8>,
) -> Result<WholeFile> {
    let key = tree.keys().file("read", path)?;
    if limit_bytes == 0 {
        return Ok(whole_file(tree, buffer, &tree.file("read", path).await?));
    }
    let whole = Whole { tree, path, key: &key, version: Arc::default() };
    if tree.operator.info().scheme() == "gcs" {
        // Its GET says neither the mtime nor all of the time: the stat that does is sent along.
        let (got, stat) = tokio::join!(whole.get(limit_bytes, buffer), tree.file("read", path));
        let (got, stat) = (got?, stat?);
        let is_same = got.stat.as_ref().is_some_and(|by_get| by_get.has_version_of(&stat));
        let stat = if is_same { stat } else { whole.stat_after(&got).await? };
        return Ok(whole_file(tree, got.data, &stat));
    }
    let got = match whole.get(limit_bytes, buffer).await {
        Ok(got) => got,
        // It may be a directory.
        Err(error) => return Err(tree.file("read", path).await.err().unwrap_or(error)),
    };
    let stat = match &got.stat {
        Some(by_get)
            if by_get.theirs.last_modified().is_some()
                && gets_are_complete(tree)
                && is_of_one_version(tree, by_get) =>
        {
            by_get.clone()
        }
        _ => whole.stat_after(&got).await?,
    };
    Ok(whole_file(tree, got.data, &stat))
}

fn whole_file(tree: &OpendalTree, data: Vec<u8>, stat: &Stat) -> WholeFile {
    let whole = WholeFile::new(data, stat.metadata).with_object(tree.object_of(&stat.theirs));
    whole.with_freshness(Freshness::Storage)
}

/// One small file that is read.
struct Whole<'a> {
    tree: &'a OpendalTree,
    path: &'a RelPath,
    key: &'a str,
    version: Arc<Version>,
}

/// The content of a file, and what the response says of it.
struct Got {
    data: Vec<u8>,
    stat: Option<Stat>,
}

impl Whole<'_> {
    async fn get(&self, limit_bytes: usize, mut buffer: Vec<u8>) -> Result<Got> {
        let before = buffer.len();
        match self.stream(limit_bytes, &mut buffer).await {
            Ok(stat) => Ok(Got { data: buffer, stat }),
            Err(_) if self.version.has_no_length() => {
                buffer.truncate(before);
                self.part(limit_bytes, &mut buffer).await?;
                Ok(Got { data: buffer, stat: None })
            }
            Err(problem) => Err(failed(self.path, &problem)),
        }
    }

    async fn stream(&self, limit_bytes: usize, buffer: &mut Vec<u8>) -> opendal::Result<Option<Stat>> {
        let mut stream = Stream::open(self.tree, self.key, 0, ReaderOptions::default(), &self.version).await?;
        let theirs = match stream.metadata().await {
            Ok(theirs) => Some(with_user_metadata(theirs, &self.version)),
            // Not over HTTP.
            Err(problem) if problem.kind() == opendal::ErrorKind::Unsupported => None,
            Err(problem) => return Err(problem),
        };
        stream.read(limit_bytes, buffer).await?;
        if theirs.as_ref().is_none_or(|theirs| theirs.content_length() <= limit_bytes as u64) {
            stream.finish().await?;
        }
        Ok(theirs.map(|theirs| Stat::of(self.tree, theirs)))
    }

    /// The content in a range of the length that a stat says: the server says none where it sends all.
    async fn part(&self, limit_bytes: usize, buffer: &mut Vec<u8>) -> Result<()> {
        let stat = self.tree.file("read", self.path).await?;
        let end = stat.metadata.size_bytes.min(limit_bytes as u64);
        if end == 0 {
            return Ok(());
        }
        let range = (0..end).into();
        let options = opendal::options::ReadOptions { range, ..Default::default() };
        let reading = self.tree.operator.read_options(self.key, options);
        let mut data = self.version.check_all(reading).await.map_err(|problem| failed(self.path, &problem))?;
        take(&mut data, limit_bytes, buffer);
        Ok(())
    }

    /// What a stat says after the content was read: it was that, or it changed.
    async fn stat_after(&self, got: &Got) -> Result<Stat> {
        let stat = self.tree.file("read", self.path).await?;
        if let Some(by_get) = &got.stat {
            if by_get.has_other_version_than(&stat) {
                return Err(changed(self.path));
            }
            self.tree.answers().note(&by_get.metadata, &stat.metadata);
        }
        Ok(stat)
    }
}

/// What a response says, with the user metadata that OpenDAL leaves out.
pub(super) fn with_user_metadata(theirs: opendal::Metadata, version: &Version) -> opendal::Metadata {
    let found = version.user_metadata();
    if theirs.user_metadata().is_some() || found.is_empty() {
        return theirs;
    }
    let mut builder = theirs.into_builder();
    builder.user_metadata(found);
    builder.build()
}
