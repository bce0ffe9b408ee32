//! The tree as a sink.

use towpath_backend::{
    Attributes, Error, ErrorKind, FileWriter, Metadata, NameRules, RelPath, Result, Sink, Times, Tree as _,
    WriteOptions, async_trait,
};

use crate::content::Content;
use crate::handle::Handle;
use crate::store::{Body, DIRECTORY, MISSING, Node, Problem, Store, TAKEN, now};
use crate::tree::MemoryTree;
use crate::writer::MemoryWriter;

/// The longest name, as in most file systems.
const NAME_BYTES: usize = 255;
/// New entries are readable for everyone, as in most file systems, unless permissions are given.
const FILE_PERMISSIONS: u32 = 0o644;
const DIR_PERMISSIONS: u32 = 0o755;
const UNBOUND: u32 = 0o777;

/// The directory for a new entry, and its name there.
fn place<'a>(store: &Store, rules: NameRules, path: &'a RelPath) -> std::result::Result<(u64, &'a [u8]), Problem> {
    let dir = store.parent(path)?;
    let name = path.name().unwrap_or_default();
    if name.len() > NAME_BYTES {
        return Err(Problem(ErrorKind::InvalidName, "the name is longer than 255 bytes"));
    }
    if rules.problem(name).is_some() {
        return Err(Problem(ErrorKind::InvalidName, "this tree does not accept such a name"));
    }
    Ok((dir, name))
}

/// The same, for a name that must not exist yet.
fn free_place<'a>(store: &Store, rules: NameRules, path: &'a RelPath) -> std::result::Result<(u64, &'a [u8]), Problem> {
    if path.is_root() {
        return Err(TAKEN);
    }
    let (dir, name) = place(store, rules, path)?;
    if store.entries(dir)?.get(name).is_some() { Err(TAKEN) } else { Ok((dir, name)) }
}

/// The file to write at `path`: created, truncated, or recreated if it has other names.
fn open_file(store: &mut Store, rules: NameRules, path: &RelPath, bound: u32) -> std::result::Result<u64, Problem> {
    if path.is_root() {
        return Err(DIRECTORY);
    }
    let (dir, name) = place(store, rules, path)?;
    let mut permissions = FILE_PERMISSIONS & (0o600 | bound);
    if let Some(id) = store.entries(dir)?.get(name) {
        let node = store.node_mut(id)?;
        let names = node.names();
        match &mut node.body {
            Body::Dir(_) => return Err(DIRECTORY),
            Body::Link(_) => return Err(Problem(ErrorKind::Escapes, "is a symbolic link")),
            Body::File(content) if names == 1 => {
                *content = Content::default();
                node.permissions &= 0o700 | bound & 0o077;
                (node.modified, node.changed) = (now(), now());
                return Ok(id);
            }
            Body::File(_) => permissions &= 0o600 | node.permissions,
        }
        store.unlink(dir, name)?;
    }
    store.add(dir, name, Node::new(Body::File(Content::default()), permissions))
}

/// Removes the name `path` of a file or link.
fn remove(store: &mut Store, path: &RelPath) -> std::result::Result<(), Problem> {
    let id = store.find(path)?;
    if matches!(store.node(id)?.body, Body::Dir(_)) {
        return Err(DIRECTORY);
    }
    store.unlink(store.parent(path)?, path.name().unwrap_or_default())
}

impl MemoryTree {
    fn unsupported(operation: &'static str, path: &RelPath) -> Error {
        Problem(ErrorKind::Unsupported, "not supported by this tree").at(operation, path)
    }
}

#[async_trait]
impl Sink for MemoryTree {
    async fn create(&self, path: &RelPath, metadata: &Metadata, _: &WriteOptions) -> Result<Box<dyn FileWriter>> {
        let (rules, bound) = (self.capabilities().names, metadata.permissions.unwrap_or(UNBOUND));
        let id = self.with("create", path, |store| open_file(store, rules, path, bound))?;
        Ok(Box::new(MemoryWriter::new(Handle::open(self.shared(), id, "create", path)?)))
    }

    async fn create_dir(&self, path: &RelPath, permissions: Option<u32>) -> Result<()> {
        let (rules, bound) = (self.capabilities().names, permissions.unwrap_or(UNBOUND));
        self.with("create directory", path, |store| {
            let (dir, name) = free_place(store, rules, path)?;
            let permissions = DIR_PERMISSIONS & (0o700 | bound);
            store.add(dir, name, Node::new(store.empty_dir(), permissions)).map(drop)
        })
    }

    async fn create_symlink(&self, path: &RelPath, target: &[u8]) -> Result<()> {
        let capabilities = self.capabilities();
        if !capabilities.symlinks {
            return Err(Self::unsupported("create link", path));
        }
        self.with("create link", path, |store| {
            let (dir, name) = free_place(store, capabilities.names, path)?;
            let kept = |byte: &u8| match byte {
                b'/' if !self.shared().keeps().slashes_in_targets => b'\\',
                other => *other,
            };
            let target = target.iter().map(kept).collect();
            store.add(dir, name, Node::new(Body::Link(target), 0o777)).map(drop)
        })
    }

    async fn create_hard_link(&self, existing: &RelPath, path: &RelPath) -> Result<()> {
        let capabilities = self.capabilities();
        if !capabilities.hard_links {
            return Err(Self::unsupported("link", path));
        }
        self.with("link", path, |store| {
            let id = store.find(existing)?;
            if matches!(store.node(id)?.body, Body::Dir(_)) {
                return Err(DIRECTORY);
            }
            let (dir, name) = free_place(store, capabilities.names, path)?;
            store.link(dir, name, id)
        })
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        let capabilities = self.capabilities();
        if !capabilities.renames {
            return Err(Self::unsupported("rename", to));
        }
        self.with("rename", to, |store| {
            let id = store.find(from)?;
            if to.is_root() || matches!(store.node(id)?.body, Body::Dir(_)) {
                return Err(DIRECTORY);
            }
            let (dir, name) = place(store, capabilities.names, to)?;
            if from == to {
                return Ok(());
            }
            if store.entries(dir)?.get(name).is_some() {
                remove(store, to)?;
            }
            store.link(dir, name, id)?;
            remove(store, from)
        })
    }

    async fn respell(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        self.with("rename", to, |store| {
            let (dir, name) = place(store, self.capabilities().names, to)?;
            if from.parent() != to.parent() || store.find(from)? != store.find(to)? {
                return Err(TAKEN);
            }
            store.respell(dir, name)
        })
    }

    async fn set_times(&self, path: &RelPath, times: &Times) -> Result<()> {
        if !self.capabilities().sets_mtime {
            return Err(Self::unsupported("set times", path));
        }
        self.with("set times", path, |store| {
            let id = store.find(path)?;
            let node = store.node_mut(id)?;
            node.modified = self.shared().round(times.modified);
            node.accessed = times.accessed.unwrap_or(node.accessed);
            node.changed = now();
            Ok(())
        })
    }

    async fn set_attributes(&self, path: &RelPath, attributes: &Attributes) -> Result<Vec<Error>> {
        self.with("set attributes", path, |store| {
            let id = store.find(path)?;
            let node = store.node_mut(id)?;
            let owner = attributes.owner.or(node.owner);
            let permissions = attributes.permissions_for(owner);
            if self.shared().keeps().attributes {
                node.owner = owner;
                node.permissions = permissions.unwrap_or(node.permissions);
            }
            node.xattrs
                .retain(|old| !attributes.removes_others && attributes.xattrs.iter().all(|new| new.name != old.name));
            if self.shared().keeps().xattrs {
                node.xattrs.extend(attributes.xattrs.iter().cloned());
            }
            if !attributes.is_empty() {
                node.changed = now();
            }
            Ok(permissions != attributes.permissions)
        })
        .map(|is_reduced| {
            let cause = "setuid or setgid is dropped: the file belongs to another user or group than at the source";
            let error = || Error::new(ErrorKind::Unsupported, "set permissions", path, cause);
            is_reduced.then(error).into_iter().collect()
        })
    }

    async fn remove_file(&self, path: &RelPath) -> Result<()> {
        self.with("remove", path, |store| remove(store, path))
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        self.with("remove directory", path, |store| {
            let id = store.find(path)?;
            let dir = store.parent(path)?;
            if !store.entries(id)?.is_empty() {
                return Err(Problem(ErrorKind::NotEmpty, "the directory is not empty"));
            }
            store.unlink(dir, path.name().ok_or(MISSING)?)
        })
    }

    async fn flush(&self) -> Result<()> {
        Ok(())
    }
}
