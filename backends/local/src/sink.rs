//! A mounted tree to write into.

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, mkdirat, symlinkat, syncfs, unlinkat, utimensat};
use rustix::io::Errno;
use towpath_backend::{
    Attributes, Bytes, Capabilities, Error, ErrorKind, FileWriter, Metadata, RelPath, Result, Sink, Times,
    WriteOptions, async_trait,
};

use crate::attributes;
use crate::blocking::blocking;
use crate::create_root;
use crate::links;
use crate::resolve::{Dir, Resolver};
use crate::root::{OpenError, Root};
use crate::trash::{self, Trash};
use crate::tree::LocalTree;
use crate::writer::{self, LocalWriter};
use crate::{probe, static_capabilities};

/// A mounted tree to write into.
pub type LocalSink = LocalTree<Writing>;

/// The side of a [`LocalSink`].
#[derive(Debug)]
pub struct Writing {
    /// Whether it was opened to be inspected: nothing may be written.
    inspected: bool,
    trash: Option<Trash>,
}

impl LocalTree<Writing> {
    /// Opens the directory at `path` and tests what it keeps (times and their resolution, links, names) with a few
    /// hidden files, which are removed again. A missing directory is created if its parent exists.
    ///
    /// # Errors
    /// If it cannot be created, read or written.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        Self::open_bounded(path, None)
    }

    /// The same. If the directory is created and `permissions` are given, such as those of the source's root, it grants
    /// its group and others nothing beyond them.
    ///
    /// # Errors
    /// As [`LocalSink::open`].
    pub fn open_bounded(path: &Path, permissions: Option<u32>) -> std::result::Result<Self, OpenError> {
        Self::check(path)?;
        let (root, _) =
            create_root::open_or_create(path, DirBuilder::new().mode(dir_mode(permissions)), Resolver::new)?;
        Self::of(root).map_err(|error| OpenError::new(path, format!("cannot be written: {error}")))
    }

    pub(crate) fn of(root: Root) -> io::Result<Self> {
        let capabilities = probed(&root)?;
        Ok(Self { root: Arc::new(root), capabilities, side: Writing { inspected: false, trash: None } })
    }

    /// Opens the directory at `path` to be inspected, and writes nothing: its capabilities are those known for its type
    /// of file system. `None` if it does not exist yet and could be created.
    ///
    /// # Errors
    /// As [`LocalSink::check`], or if it cannot be read.
    pub fn inspect(path: &Path) -> std::result::Result<Option<Self>, OpenError> {
        Self::check(path)?;
        let root = match Root::with(path, Resolver::new) {
            Err(error) if create_root::is_gone(&error) => return Ok(None),
            opened => opened.map_err(|error| OpenError::io(path, "be read", &error))?,
        };
        let capabilities = static_capabilities::capabilities(&root);
        Ok(Some(Self { root: Arc::new(root), capabilities, side: Writing { inspected: true, trash: None } }))
    }

    /// The same sink, with capabilities that another one has tested.
    #[must_use]
    pub fn with_capabilities(self, capabilities: Capabilities) -> Self {
        Self { capabilities, ..self }
    }

    /// With a trash ([`Sink::discard`]): the directory `dir` on the same file system, which is created if it is missing
    /// and its parent exists. A tree that is only inspected does not create it, but reports where it would be.
    ///
    /// # Errors
    /// If it cannot be created or read, lies on another file system (files cannot be renamed into it), or is or
    /// contains the tree itself.
    pub fn with_trash(mut self, dir: &Path) -> std::result::Result<Self, OpenError> {
        self.side.trash = Some(Trash::at(dir, &self.root, !self.side.inspected)?);
        Ok(self)
    }

    /// The path of the trash in this tree, if it lies in it. It is not part of the tree's content.
    pub fn trash_inside(&self) -> Option<RelPath> {
        self.side.trash.as_ref().and_then(Trash::inside)
    }

    /// Checks that `path` is a directory, or that one could be created there, and changes nothing.
    ///
    /// # Errors
    /// If it is something else, or its parent does not exist.
    pub fn check(path: &Path) -> std::result::Result<(), OpenError> {
        create_root::check(path)
    }
}

/// Tests what the tree keeps, even if the root is not writable for its owner.
fn probed(root: &Root) -> io::Result<Capabilities> {
    let name = RelPath::new(towpath_backend::probe::name("")).map_err(io::Error::other)?;
    root.with_write_access(&[&name], || probe::capabilities(root))
}

/// The mode of a new directory before the umask: its group and others get no more than `permissions`, if given.
fn dir_mode(permissions: Option<u32>) -> u32 {
    permissions.map_or(0o777, |bits| bits & 0o077 | 0o700)
}

impl LocalTree<Writing> {
    /// Runs `change` on the directory that holds `path` and its name there.
    async fn change(
        &self,
        operation: &'static str,
        path: &RelPath,
        change: impl Fn(&Dir<'_>, &OsStr) -> io::Result<()> + Send + 'static,
    ) -> Result<()> {
        let at = path.clone();
        let work = move |root: &Root| {
            let (dir, name) = root.resolver.parent(&at)?;
            change(&dir, name)
        };
        self.change_at(operation, path, vec![path.clone()], work).await
    }

    /// Runs `change`, which needs write access to the directories of the entries at `paths`.
    async fn change_at<T: Send + 'static>(
        &self,
        operation: &'static str,
        path: &RelPath,
        paths: Vec<RelPath>,
        change: impl Fn(&Root) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let root = Arc::clone(&self.root);
        let work = move || {
            let paths: Vec<_> = paths.iter().collect();
            root.with_write_access(&paths, || change(&root))
        };
        blocking(operation, path, work).await
    }
}

#[async_trait]
impl Sink for LocalTree<Writing> {
    async fn create(&self, path: &RelPath, metadata: &Metadata, options: &WriteOptions) -> Result<Box<dyn FileWriter>> {
        let (at, permissions) = (path.clone(), metadata.permissions);
        let create = move |root: &Root| writer::create(root, &at, permissions);
        let file = self.change_at("create", path, vec![path.clone()], create).await?;
        let (root, sets_mtime) = (Arc::clone(&self.root), self.capabilities.sets_mtime);
        Ok(Box::new(LocalWriter::new(file, path.clone(), root, sets_mtime, options.pacing.clone())))
    }

    /// Create, write, set times, stat, close: one hop and five system calls.
    async fn write_whole(
        &self,
        path: &RelPath,
        data: Bytes,
        metadata: &Metadata,
        _: &WriteOptions,
    ) -> Result<Metadata> {
        let (root, at) = (Arc::clone(&self.root), path.clone());
        let times = self.capabilities.sets_mtime.then(|| metadata.times());
        let permissions = metadata.permissions;
        let write = move || {
            root.with_write_access(&[&at], || writer::write_whole(&root, &at, &data, permissions, times.as_ref()))
        };
        self.root.run_short("write", path, write).await
    }

    async fn create_dir(&self, path: &RelPath, permissions: Option<u32>) -> Result<()> {
        if path.is_root() {
            return Err(Error::from_io("create directory", path, Errno::EXIST.into()));
        }
        let mode = Mode::from_raw_mode(dir_mode(permissions));
        let create = move |dir: &Dir<'_>, name: &OsStr| {
            mkdirat(dir, name, mode).map_err(|error| writer::invalid_name(error.into()))
        };
        self.change("create directory", path, create).await
    }

    async fn create_symlink(&self, path: &RelPath, target: &[u8]) -> Result<()> {
        if !self.capabilities.symlinks {
            let cause = "the file system has no symbolic links";
            return Err(Error::new(ErrorKind::Unsupported, "create link", path, cause));
        }
        let target = OsStr::from_bytes(target).to_owned();
        self.change("create link", path, move |dir, name| Ok(symlinkat(&target, dir, name)?)).await
    }

    async fn create_hard_link(&self, existing: &RelPath, path: &RelPath) -> Result<()> {
        if !self.capabilities.hard_links {
            let cause = "the file system has no hard links";
            return Err(Error::new(ErrorKind::Unsupported, "link", path, cause));
        }
        let paths = vec![existing.clone(), path.clone()];
        let (existing, at) = (existing.clone(), path.clone());
        self.change_at("link", path, paths, move |root| links::hard_link(root, &existing, &at)).await
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        if !self.capabilities.renames {
            let cause = "the file system cannot rename in one step";
            return Err(Error::new(ErrorKind::Unsupported, "rename", to, cause));
        }
        let (old, new) = (from.clone(), to.clone());
        let names_fold = self.capabilities.names.folds();
        let rename = move |root: &Root| links::rename(root, &old, &new, names_fold);
        self.change_at("rename", to, vec![from.clone(), to.clone()], rename).await
    }

    async fn respell(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        let (old, new) = (from.clone(), to.clone());
        self.change_at("rename", to, vec![to.clone()], move |root| links::respell(root, &old, &new)).await
    }

    async fn set_times(&self, path: &RelPath, times: &Times) -> Result<()> {
        let times = writer::timestamps(times);
        if path.is_root() {
            let root = Arc::clone(&self.root);
            return blocking("set times", path, move || Ok(rustix::fs::futimens(root.resolver.root(), &times)?)).await;
        }
        self.change("set times", path, move |dir, name| Ok(utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?))
            .await
    }

    async fn set_attributes(&self, path: &RelPath, attributes: &Attributes) -> Result<Vec<Error>> {
        if attributes.is_empty() {
            return Ok(Vec::new());
        }
        let (at, attributes) = (path.clone(), attributes.clone());
        let set = move |root: &Root| attributes::set(root, &at, &attributes);
        self.change_at("set attributes", path, vec![path.clone()], set).await
    }

    async fn remove_file(&self, path: &RelPath) -> Result<()> {
        self.change("remove", path, |dir, name| Ok(unlinkat(dir, name, AtFlags::empty())?)).await
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        self.change("remove directory", path, |dir, name| Ok(unlinkat(dir, name, AtFlags::REMOVEDIR)?)).await
    }

    fn reserved_paths(&self) -> Vec<RelPath> {
        self.side.trash.as_ref().and_then(Trash::inside).into_iter().collect()
    }

    fn can_discard(&self) -> bool {
        self.side.trash.is_some()
    }

    async fn discard(&self, path: &RelPath) -> Result<()> {
        let Some(place) = self.side.trash.as_ref().and_then(Trash::root) else {
            let cause = "there is no trash";
            return Err(Error::new(ErrorKind::Unsupported, "discard", path, cause));
        };
        if self.trash_inside().is_some_and(|inside| trash::holds(&inside, path)) {
            return Err(Error::new(ErrorKind::Unsupported, "discard", path, "is in the trash already"));
        }
        let at = path.clone();
        self.change_at("discard", path, vec![path.clone()], move |root| trash::discard(root, &place, &at)).await
    }

    async fn flush(&self) -> Result<()> {
        let root = Arc::clone(&self.root);
        blocking("flush", &RelPath::root(), move || Ok(syncfs(root.resolver.root())?)).await
    }
}
