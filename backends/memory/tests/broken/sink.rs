//! A sink with a bug.

use std::sync::atomic::Ordering;

use towpath_backend::{
    Attributes, Bytes, Error, ErrorKind, FileWriter, Kind, Metadata, ReadOptions, RelPath, Result, Sink, Source as _,
    Times, Timestamp, Tree as _, WriteOptions, async_trait,
};

use crate::bug::Bug;
use crate::listing::entries;
use crate::tree::{Broken, broken, seconds};
use crate::writer::BrokenWriter;

const LONG_AGO: Times = Times { modified: Timestamp::from_ns(0), accessed: None };

impl Broken {
    /// Applies bugs of creating an entry; returns the path that is used instead of `path`.
    async fn before_creating(&self, path: &RelPath) -> Result<RelPath> {
        if self.memory.is_blocked() {
            return Err(broken(path));
        }
        match self.bug {
            Some(Bug::CutsNames) => {
                let name = path.name().unwrap_or_default();
                return Ok(path.parent().unwrap().join(&name[..name.len().min(255)]).unwrap());
            }
            Some(Bug::RejectsDeepPaths) if path.components().count() > 50 => return Err(broken(path)),
            Some(Bug::NamesCannotBeReused) if self.memory.paths().contains(path) => return Err(broken(path)),
            Some(Bug::ReadersKeepWritersOut) if self.memory.readers.load(Ordering::Relaxed) > 0 => {
                return Err(broken(path));
            }
            Some(Bug::CreatesMissingDirectories) => {
                if let Some(parent) = path.parent() {
                    let _there_already = self.inner.create_dir(&parent, None).await;
                }
            }
            Some(Bug::ReplacesDirectories) => {
                let _no_directory = self.inner.remove_dir(path).await;
            }
            _ => {}
        }
        Ok(path.clone())
    }

    /// The content of a file; empty if there is none.
    async fn content(&self, path: &RelPath) -> Vec<u8> {
        self.inner
            .read_whole(path, usize::MAX, Vec::new(), &ReadOptions::default())
            .await
            .map_or(Vec::new(), |whole| whole.data)
    }

    /// The other names in the root of the file at `path`.
    async fn other_names(&self, path: &RelPath) -> Vec<RelPath> {
        let Ok(shown) = self.inner.metadata(path).await else { return Vec::new() };
        let listed = entries(&self.inner, &RelPath::root()).await.unwrap();
        let names = listed.into_iter().filter(|entry| entry.metadata.id == shown.id);
        names.map(|entry| RelPath::new(entry.name).unwrap()).filter(|other| other != path).collect()
    }
}

/// Whether a call failed with this kind of error.
fn failed_as<T>(result: &Result<T>, kind: ErrorKind) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == kind)
}

#[async_trait]
impl Sink for Broken {
    async fn create(&self, path: &RelPath, metadata: &Metadata, options: &WriteOptions) -> Result<Box<dyn FileWriter>> {
        let at = self.before_creating(path).await?;
        let old = if self.has(Bug::NothingWrittenKeepsTheOld) { self.content(&at).await } else { Vec::new() };
        let permissions = metadata.permissions.filter(|_| !self.has(Bug::FilesAreOpenToAll));
        match self.inner.create(&at, &Metadata { permissions, ..*metadata }, options).await {
            Err(error) if self.has(Bug::FilesAreMissingDirectories) && error.kind() == ErrorKind::NotADirectory => {
                Err(Error::new(ErrorKind::NotFound, "create", path, "there is no such directory"))
            }
            created => Ok(Box::new(BrokenWriter::new(self, &at, created?, old, options.pacing.clone()))),
        }
    }

    async fn write_whole(
        &self,
        path: &RelPath,
        data: Bytes,
        metadata: &Metadata,
        options: &WriteOptions,
    ) -> Result<Metadata> {
        let at = self.before_creating(path).await?;
        let (mut metadata, mut data) = (*metadata, data);
        let given = metadata.modified;
        match self.bug {
            Some(Bug::FilesAreOpenToAll) => metadata.permissions = None,
            Some(Bug::KeepsSecondsOnly) => metadata.modified = seconds(given),
            Some(Bug::ReportsTimesItDidNotKeep) => metadata.modified = given.max(Timestamp::from_ns(0)),
            Some(Bug::KeepsTheOldEnd) => {
                let old = self.content(&at).await;
                if old.len() > data.len() {
                    data = [&data[..], &old[data.len()..]].concat().into();
                    metadata.size_bytes = data.len() as u64;
                }
            }
            Some(Bug::WritesUnderAllNames) => {
                for other in self.other_names(&at).await {
                    self.inner.write_whole(&other, data.clone(), &metadata, options).await?;
                }
            }
            Some(Bug::FlushTouches | Bug::FlushNeedsSomething) => self.memory.paths().push(at.clone()),
            _ => {}
        }
        let kept = self.inner.write_whole(&at, data, &metadata, options).await?;
        if self.has(Bug::ReportsTimesItDidNotKeep) {
            return Ok(Metadata { modified: given, ..kept });
        }
        Ok(kept)
    }

    async fn create_dir(&self, path: &RelPath, permissions: Option<u32>) -> Result<()> {
        let at = if self.has(Bug::ReplacesDirectories) { path.clone() } else { self.before_creating(path).await? };
        let permissions = permissions.filter(|_| !self.has(Bug::DirectoriesAreOpenToAll));
        let created = self.inner.create_dir(&at, permissions).await;
        if self.has(Bug::CreatesDirectoriesTwice) && failed_as(&created, ErrorKind::AlreadyExists) {
            return Ok(());
        }
        if self.has(Bug::LosesConcurrentChanges) {
            self.memory.paths().push(at);
        }
        created
    }

    async fn create_symlink(&self, path: &RelPath, target: &[u8]) -> Result<()> {
        let created = self.inner.create_symlink(path, target).await;
        if self.has(Bug::LinksReplaceLinks) && failed_as(&created, ErrorKind::AlreadyExists) {
            self.inner.remove_file(path).await?;
            return self.inner.create_symlink(path, target).await;
        }
        created
    }

    async fn create_hard_link(&self, existing: &RelPath, path: &RelPath) -> Result<()> {
        if self.has(Bug::HardLinksAreCopies) {
            let metadata = self.inner.metadata(existing).await?;
            let data = self.content(existing).await;
            return self
                .inner
                .write_whole(path, data.into(), &metadata, &WriteOptions::default())
                .await
                .map(drop_metadata);
        }
        let created = self.inner.create_hard_link(existing, path).await;
        if self.has(Bug::HardLinksReplace) && failed_as(&created, ErrorKind::AlreadyExists) {
            self.inner.remove_file(path).await?;
            return self.inner.create_hard_link(existing, path).await;
        }
        created
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        match self.bug {
            Some(Bug::RenamingReplacesNothing) if self.inner.metadata(to).await.is_ok() => return Err(broken(to)),
            Some(Bug::RenamesAsPosix) if self.other_names(from).await.contains(to) => return Ok(()),
            Some(Bug::RenamingReplacesDirectories) => {
                let _no_directory = self.inner.remove_dir(to).await;
            }
            _ => {}
        }
        self.inner.rename(from, to).await?;
        if self.has(Bug::RenamingTouches) {
            self.inner.set_times(to, &LONG_AGO).await?;
        }
        Ok(())
    }

    async fn set_times(&self, path: &RelPath, times: &Times) -> Result<()> {
        let kind = self.inner.metadata(path).await.map(|metadata| metadata.kind);
        match (self.bug, kind) {
            (Some(Bug::DirectoriesKeepTheirTime), Ok(Kind::Dir)) => Ok(()),
            (Some(Bug::FilesKeepTheirTime), Ok(Kind::File)) => Ok(()),
            (Some(Bug::MissingHasTimes), Err(_)) => Ok(()),
            _ => self.inner.set_times(path, times).await,
        }
    }

    async fn set_attributes(&self, path: &RelPath, attributes: &Attributes) -> Result<Vec<Error>> {
        match self.bug {
            Some(Bug::AttributesAreDropped) => Ok(Vec::new()),
            Some(Bug::MissingHasAttributes) if self.inner.metadata(path).await.is_err() => Ok(Vec::new()),
            Some(Bug::SetuidForAnyOwner) => {
                let permissions_of = self.inner.metadata(path).await?.owner;
                self.inner.set_attributes(path, &Attributes { permissions_of, ..attributes.clone() }).await
            }
            Some(Bug::AttributesFollowLinks) => {
                let at = self.target(path).await.unwrap_or_else(|| path.clone());
                self.inner.set_attributes(&at, attributes).await
            }
            _ => self.inner.set_attributes(path, attributes).await,
        }
    }

    async fn remove_file(&self, path: &RelPath) -> Result<()> {
        match self.bug {
            Some(Bug::RemovesBehindLinks) => {
                if let Some(target) = self.target(path).await {
                    for entry in entries(&self.inner, &target).await? {
                        self.inner.remove_file(&target.join(entry.name).unwrap()).await?;
                    }
                }
            }
            Some(Bug::NamesCannotBeReused | Bug::BringsBackWhatWasRemoved) => self.memory.paths().push(path.clone()),
            _ => {}
        }
        let removed = self.inner.remove_file(path).await;
        match self.bug {
            Some(Bug::RemovesWhateverItIs) if failed_as(&removed, ErrorKind::IsADirectory) => {
                self.inner.remove_dir(path).await
            }
            Some(Bug::RemovesWhatIsMissing) if failed_as(&removed, ErrorKind::NotFound) => Ok(()),
            _ => removed,
        }
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        if self.has(Bug::RemovesTheRoot) && path.is_root() {
            return Ok(());
        }
        let removed = self.inner.remove_dir(path).await;
        if self.has(Bug::RemovesFullDirectories) && failed_as(&removed, ErrorKind::NotEmpty) {
            for entry in entries(&self.inner, path).await? {
                self.inner.remove_file(&path.join(entry.name).unwrap()).await?;
            }
            return self.inner.remove_dir(path).await;
        }
        removed
    }

    async fn discard(&self, path: &RelPath) -> Result<()> {
        if self.has(Bug::DiscardsNothing) { Ok(()) } else { self.inner.discard(path).await }
    }

    async fn flush(&self) -> Result<()> {
        let written = self.memory.paths().clone();
        if self.has(Bug::FlushNeedsSomething) && written.is_empty() {
            return Err(broken(&RelPath::root()));
        }
        if self.has(Bug::FlushTouches) {
            for path in &written {
                self.inner.set_times(path, &LONG_AGO).await?;
            }
        }
        self.inner.flush().await
    }
}

/// For calls that return nothing.
fn drop_metadata(_: Metadata) {}
