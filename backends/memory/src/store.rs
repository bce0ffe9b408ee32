//! The nodes of a tree, and the paths to them.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use towpath_backend::{Error, ErrorKind, FileId, Kind, Metadata, Owner, RelPath, Timestamp, Xattr};

use crate::content::Content;
use crate::entries::Entries;

/// The node of the root.
pub(crate) const ROOT: u64 = 1;

/// Why an operation failed, without operation and path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Problem(pub(crate) ErrorKind, pub(crate) &'static str);

impl Problem {
    /// The error of `operation` on `path`.
    pub(crate) fn at(self, operation: &'static str, path: &RelPath) -> Error {
        Error::new(self.0, operation, path, self.1)
    }
}

pub(crate) const MISSING: Problem = Problem(ErrorKind::NotFound, "there is no such file or directory");
pub(crate) const TAKEN: Problem = Problem(ErrorKind::AlreadyExists, "the name is taken");
pub(crate) const DIRECTORY: Problem = Problem(ErrorKind::IsADirectory, "is a directory");
const NO_DIRECTORY: Problem = Problem(ErrorKind::NotADirectory, "is not a directory");
const LINK: Problem = Problem(ErrorKind::Escapes, "leads through a symbolic link");

/// What a node is.
#[derive(Debug)]
pub(crate) enum Body {
    File(Content),
    Dir(Entries),
    Link(Vec<u8>),
}

/// A file, directory or link, independent of its names.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) body: Body,
    pub(crate) modified: Timestamp,
    pub(crate) accessed: Timestamp,
    pub(crate) changed: Timestamp,
    pub(crate) created: Timestamp,
    pub(crate) permissions: u32,
    pub(crate) owner: Option<Owner>,
    pub(crate) xattrs: Vec<Xattr>,
    /// How many directory entries lead to it.
    names: u64,
    /// The number of handles, which keep it even without a name.
    open: u64,
}

impl Node {
    pub(crate) fn new(body: Body, permissions: u32) -> Self {
        let now = now();
        let (owner, xattrs) = (None, Vec::new());
        Self {
            body,
            modified: now,
            accessed: now,
            changed: now,
            created: now,
            permissions,
            owner,
            xattrs,
            names: 0,
            open: 0,
        }
    }

    /// How many directory entries lead to it.
    pub(crate) fn names(&self) -> u64 {
        self.names
    }

    fn kind(&self) -> Kind {
        match self.body {
            Body::File(_) => Kind::File,
            Body::Dir(_) => Kind::Dir,
            Body::Link(_) => Kind::Symlink,
        }
    }
}

/// All nodes of a tree.
#[derive(Debug)]
pub(crate) struct Store {
    nodes: HashMap<u64, Node>,
    last: u64,
    /// The device number of this tree's files.
    device: u64,
    /// Whether names that differ only in case are the same.
    folds_case: bool,
}

impl Store {
    /// An empty root.
    pub(crate) fn new(device: u64, folds_case: bool) -> Self {
        let mut root = Node::new(Body::Dir(Entries::new(folds_case)), 0o755);
        root.names = 1;
        Self { nodes: HashMap::from([(ROOT, root)]), last: ROOT, device, folds_case }
    }

    /// An empty directory.
    pub(crate) fn empty_dir(&self) -> Body {
        Body::Dir(Entries::new(self.folds_case))
    }

    pub(crate) fn node(&self, id: u64) -> Result<&Node, Problem> {
        self.nodes.get(&id).ok_or(MISSING)
    }

    pub(crate) fn node_mut(&mut self, id: u64) -> Result<&mut Node, Problem> {
        self.nodes.get_mut(&id).ok_or(MISSING)
    }

    /// The metadata of a node.
    pub(crate) fn metadata(&self, id: u64) -> Result<Metadata, Problem> {
        let node = self.node(id)?;
        let size_bytes = match &node.body {
            Body::File(content) => content.size_bytes(),
            Body::Dir(_) => 0,
            Body::Link(target) => target.len() as u64,
        };
        Ok(Metadata {
            accessed: Some(node.accessed),
            changed: Some(node.changed),
            created: Some(node.created),
            permissions: Some(node.permissions),
            owner: node.owner,
            id: Some(FileId { device: self.device, inode: id }),
            names: node.names,
            ..Metadata::new(node.kind(), size_bytes, node.modified)
        })
    }

    /// The entries of a directory.
    pub(crate) fn entries(&self, dir: u64) -> Result<&Entries, Problem> {
        match &self.node(dir)?.body {
            Body::Dir(entries) => Ok(entries),
            Body::File(_) => Err(NO_DIRECTORY),
            Body::Link(_) => Err(LINK),
        }
    }

    /// The node at `path`, without following links.
    pub(crate) fn find(&self, path: &RelPath) -> Result<u64, Problem> {
        path.components().try_fold(ROOT, |dir, name| self.entries(dir)?.get(name).ok_or(MISSING))
    }

    /// The directory that holds `path`, if `path` is not the root.
    pub(crate) fn parent(&self, path: &RelPath) -> Result<u64, Problem> {
        let dir = self.find(&path.parent().ok_or(Problem(ErrorKind::Other, "is the root of the tree"))?)?;
        self.entries(dir).map(|_| dir)
    }

    /// Adds the free name `name` in `dir` for the node `id`.
    pub(crate) fn link(&mut self, dir: u64, name: &[u8], id: u64) -> Result<(), Problem> {
        self.change_entries(dir)?.insert(name, id);
        let node = self.node_mut(id)?;
        node.names += 1;
        node.changed = now();
        Ok(())
    }

    /// Adds a node with the free name `name` in `dir`.
    pub(crate) fn add(&mut self, dir: u64, name: &[u8], node: Node) -> Result<u64, Problem> {
        self.last += 1;
        let id = self.last;
        self.nodes.insert(id, node);
        self.link(dir, name, id).map(|()| id)
    }

    /// Removes a name, and its node if that has no other name and no handle.
    pub(crate) fn unlink(&mut self, dir: u64, name: &[u8]) -> Result<(), Problem> {
        let id = self.change_entries(dir)?.remove(name).ok_or(MISSING)?;
        let node = self.node_mut(id)?;
        node.names -= 1;
        node.changed = now();
        self.forget_if_unused(id);
        Ok(())
    }

    /// Changes the spelling of a name in a directory.
    pub(crate) fn respell(&mut self, dir: u64, name: &[u8]) -> Result<(), Problem> {
        let entries = self.change_entries(dir)?;
        let id = entries.remove(name).ok_or(MISSING)?;
        entries.insert(name, id);
        Ok(())
    }

    /// Keeps a node for a handle.
    pub(crate) fn open(&mut self, id: u64) -> Result<(), Problem> {
        self.node_mut(id)?.open += 1;
        Ok(())
    }

    /// Releases a node that [`Self::open`] kept.
    pub(crate) fn close(&mut self, id: u64) {
        if let Ok(node) = self.node_mut(id) {
            node.open -= 1;
        }
        self.forget_if_unused(id);
    }

    fn forget_if_unused(&mut self, id: u64) {
        if self.nodes.get(&id).is_some_and(|node| node.names == 0 && node.open == 0) {
            self.nodes.remove(&id);
        }
    }

    /// The entries of a directory that is about to change.
    fn change_entries(&mut self, dir: u64) -> Result<&mut Entries, Problem> {
        let node = self.node_mut(dir)?;
        (node.modified, node.changed) = (now(), now());
        match &mut node.body {
            Body::Dir(entries) => Ok(entries),
            Body::File(_) | Body::Link(_) => Err(NO_DIRECTORY),
        }
    }
}

/// The current time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_parts(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}
