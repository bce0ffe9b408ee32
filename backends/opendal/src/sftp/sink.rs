//! Writing and removing: never through a link, nor in place of one.

use towpath_backend::{
    Bytes, Error, ErrorKind, FileWriter, Kind, Metadata, ReadOptions, RelPath, Result, Sink, Times, Tree as _,
    WriteOptions, async_trait,
};

use super::failure::Failure;
use super::file_handle::Handle;
use super::handle::SftpTree;
use super::wire::{LSETSTAT, POSIX_RENAME, Request, open, request, status};
use super::writer::Writer;

#[async_trait]
impl Sink for SftpTree {
    async fn create(&self, path: &RelPath, metadata: &Metadata, options: &WriteOptions) -> Result<Box<dyn FileWriter>> {
        let handle = self.open_file_for_writing("create", path, metadata).await?;
        Ok(Box::new(Writer::new(self.clone(), path.clone(), handle, options.pacing.clone())))
    }

    async fn write_whole(
        &self,
        path: &RelPath,
        data: Bytes,
        metadata: &Metadata,
        _: &WriteOptions,
    ) -> Result<Metadata> {
        const OPERATION: &str = "write";
        if data.len() as u64 != metadata.size_bytes {
            return Err(Error::new(ErrorKind::Other, OPERATION, path, "is not as long as it should be"));
        }
        let handle = self.open_file_for_writing(OPERATION, path, metadata).await?;
        let mut writer = Writer::new(self.clone(), path.clone(), handle, None);
        writer.append(&data).await?;
        writer.close(&metadata.times()).await
    }

    async fn create_dir(&self, path: &RelPath, permissions: Option<u32>) -> Result<()> {
        const OPERATION: &str = "create directory";
        let checked = self.check(OPERATION, path).await?;
        if checked.found.is_some() {
            return Err(Error::new(ErrorKind::AlreadyExists, OPERATION, path, "the name is taken"));
        }
        let permissions = permissions.map(|source| 0o777 & (0o700 | source));
        match checked.connection.send(checked.about(request::MKDIR).permissions(permissions)).await.done().await {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.creation_error(OPERATION, path, &failure).await),
        }
    }

    async fn create_symlink(&self, path: &RelPath, target: &[u8]) -> Result<()> {
        const OPERATION: &str = "create link";
        let checked = self.check(OPERATION, path).await?;
        if !self.capabilities().symlinks {
            let cause = "links are not kept here (`?links=true` keeps them on servers with OpenSSH's extensions)";
            return Err(unsupported(OPERATION, path, cause));
        }
        if checked.found.is_some() {
            return Err(Error::new(ErrorKind::AlreadyExists, OPERATION, path, "the name is taken"));
        }
        // OpenSSH takes the target first, unlike the draft, and so do all servers with its extensions.
        let request = Request::about(request::SYMLINK, target).string(&checked.at);
        match checked.connection.send(request).await.done().await {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.creation_error(OPERATION, path, &failure).await),
        }
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        const OPERATION: &str = "rename";
        let (checked, found) = self.check_there(OPERATION, from).await.map_err(|error| error.with_path(to))?;
        let place = self.check(OPERATION, to).await?;
        if !self.abilities().renames {
            return Err(unsupported(OPERATION, to, "this server cannot replace a file in one step"));
        }
        if found.kind() == Kind::Dir || place.kind() == Some(Kind::Dir) {
            return Err(Error::new(ErrorKind::IsADirectory, OPERATION, to, "a directory is not moved or replaced"));
        }
        let request = Request::extended(POSIX_RENAME).string(&checked.at).string(&place.at);
        checked.connection.send(request).await.done().await.map_err(|failure| failure.error(OPERATION, to))
    }

    async fn set_times(&self, path: &RelPath, times: &Times) -> Result<()> {
        const OPERATION: &str = "set times";
        let (checked, found) = self.check_there(OPERATION, path).await?;
        if !self.shared.keeps.mtimes {
            return Err(unsupported(OPERATION, path, "mtimes are not kept here (`mtimes=false`)"));
        }
        let modified = Self::seconds(times.modified);
        let accessed = times.accessed.and_then(|time| u32::try_from(time.seconds()).ok()).unwrap_or(found.accessed_s);
        let request = match self.abilities().links && !path.is_root() {
            // It does not follow a link, whatever was put there since the check.
            true => Request::extended(LSETSTAT).string(&checked.at),
            false if found.kind() == Kind::Symlink => {
                return Err(unsupported(OPERATION, path, "this server cannot set the times of links"));
            }
            false => checked.about(request::SETSTAT),
        };
        let set = checked.connection.send(request.times(accessed, modified)).await.done().await;
        set.map_err(|failure| match failure.is_unsupported() {
            true => unsupported(OPERATION, path, "this server cannot set these times"),
            false => failure.error(OPERATION, path),
        })
    }

    async fn remove_file(&self, path: &RelPath) -> Result<()> {
        const OPERATION: &str = "remove";
        let (checked, found) = self.check_there(OPERATION, path).await?;
        if found.kind() == Kind::Dir {
            return Err(Error::new(ErrorKind::IsADirectory, OPERATION, path, "is a directory"));
        }
        // Removes a link itself.
        let removed = checked.connection.send(checked.about(request::REMOVE)).await.done().await;
        removed.map_err(|failure| failure.error(OPERATION, path))
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        const OPERATION: &str = "remove directory";
        if path.is_root() {
            return Err(Error::new(ErrorKind::Other, OPERATION, path, "is the root"));
        }
        let (checked, found) = self.check_there(OPERATION, path).await?;
        if found.kind() != Kind::Dir {
            return Err(Error::new(ErrorKind::NotADirectory, OPERATION, path, "is not a directory"));
        }
        match checked.connection.send(checked.about(request::RMDIR)).await.done().await {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.removal_error(OPERATION, path, &failure).await),
        }
    }

    async fn flush(&self) -> Result<()> {
        // The protocol has no such request for all files: each is forced to the disk before it is closed, where the
        // server has `fsync@openssh.com`. For directories and renames it has none.
        Ok(())
    }
}

impl SftpTree {
    /// Opens a file for writing: a new one, or one that is there and is cut to nothing.
    async fn open_file_for_writing(
        &self,
        operation: &'static str,
        path: &RelPath,
        metadata: &Metadata,
    ) -> Result<Handle> {
        let checked = self.check(operation, path).await?;
        let (kind, cause) = match checked.kind() {
            None => (None, ""),
            Some(Kind::File) => (None, ""),
            Some(Kind::Dir) => (Some(ErrorKind::IsADirectory), "is a directory"),
            Some(Kind::Symlink) => {
                (Some(ErrorKind::Escapes), "is a symbolic link on the server, and nothing is written through it")
            }
            Some(Kind::Other) => (Some(ErrorKind::AlreadyExists), "a special file has the name"),
        };
        if let Some(kind) = kind {
            return Err(Error::new(kind, operation, path, cause));
        }
        let how = match checked.found {
            Some(_) => open::WRITE | open::TRUNCATE,
            // Fails if a link was put there since the check.
            None => open::WRITE | open::CREATE | open::EXCLUSIVE,
        };
        // An existing file keeps its own; a new one permits no more than its source.
        let permissions = metadata.permissions.filter(|_| checked.found.is_none());
        let permissions = permissions.map(|source| 0o666 & (0o600 | source));
        let request = checked.about(request::OPEN).u32(how).permissions(permissions);
        match Handle::open(&checked.connection, request).await {
            Ok(handle) => Ok(handle),
            Err(failure) if checked.found.is_none() => Err(self.creation_error(operation, path, &failure).await),
            Err(failure) => Err(failure.error(operation, path)),
        }
    }

    /// Why a directory was not removed: servers report only "Failure" if it is not empty.
    async fn removal_error(&self, operation: &'static str, path: &RelPath, failure: &Failure) -> Error {
        if failure.code() == Some(status::FAILURE)
            && let Ok(mut pages) = self.read_dir(path, &ReadOptions::default()).await
            && let Some(Ok(page)) = tokio_stream::StreamExt::next(&mut pages).await
            && !page.is_empty()
        {
            return Error::new(ErrorKind::NotEmpty, operation, path, "is not empty");
        }
        failure.error(operation, path)
    }
}

fn unsupported(operation: &'static str, path: &RelPath, cause: &str) -> Error {
    Error::new(ErrorKind::Unsupported, operation, path, cause)
}
