//! Owners without write access. The tests create their trees, so that they own them, also as root.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use super::*;
use crate::resolve::Resolver;

struct Tree {
    folder: tempfile::TempDir,
    root: Root,
}

impl Tree {
    /// A tree with `dir/sub/file`, all with these permissions.
    fn new(dir: u32, sub: u32, file: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("dir/sub")).unwrap();
        fs::write(folder.path().join("dir/sub/file"), "old").unwrap();
        let root = Root::with(folder.path(), Resolver::new).unwrap();
        let tree = Self { folder, root };
        for (path, bits) in [("dir/sub/file", file), ("dir/sub", sub), ("dir", dir)] {
            tree.set(path, bits);
        }
        tree
    }

    fn set(&self, path: &str, bits: u32) {
        fs::set_permissions(self.folder.path().join(path), fs::Permissions::from_mode(bits)).unwrap();
    }

    fn modes(&self) -> [u32; 3] {
        ["dir", "dir/sub", "dir/sub/file"].map(|path| mode(&self.folder.path().join(path)))
    }

    fn pin(&self, path: &str) -> OwnedFd {
        self.root.resolver.pin(&at(path)).unwrap()
    }

    fn lifted(&self) -> usize {
        self.root.write_access.count()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.set("dir", 0o700);
        self.set("dir/sub", 0o700);
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn at(path: &str) -> RelPath {
    RelPath::new(path).unwrap()
}

fn denied() -> io::Error {
    Errno::ACCESS.into()
}

/// Runs an operation that is denied at first and then returns the current permissions.
fn meets(tree: &Tree, path: &str) -> io::Result<[u32; 3]> {
    let tries = Cell::new(0);
    tree.root.with_write_access(&[&at(path)], || {
        tries.set(tries.get() + 1);
        if tries.get() == 1 { Err(denied()) } else { Ok(tree.modes()) }
    })
}

#[test]
fn the_directory_is_writable_only_for_its_owner_and_only_temporarily() {
    let tree = Tree::new(0o555, 0o550, 0o444);
    assert_eq!(meets(&tree, "dir/sub/file").unwrap(), [0o555, 0o750, 0o444], "the one above needs no more");
    assert_eq!((tree.modes(), tree.lifted()), ([0o555, 0o550, 0o444], 0));

    let tree = Tree::new(0o444, 0o000, 0o444);
    // Without `x` only root can stat the file.
    let tries = Cell::new(0);
    let seen = tree.root.with_write_access(&[&at("dir/sub/file")], || {
        tries.set(tries.get() + 1);
        if tries.get() == 1 { Err(denied()) } else { Ok(tree.modes()) }
    });
    assert_eq!(seen.unwrap(), [0o744, 0o700, 0o444]);
    assert_eq!(mode(&tree.folder.path().join("dir")), 0o444);
}

#[test]
fn permissions_are_restored_if_the_operation_fails() {
    let tree = Tree::new(0o755, 0o1555, 0o444);
    let error = tree.root.with_write_access(&[&at("dir/sub/file")], || Err::<(), _>(denied())).unwrap_err();
    assert!(is_denied(&error), "{error}");
    assert_eq!((tree.modes(), tree.lifted()), ([0o755, 0o1555, 0o444], 0));
}

#[test]
fn other_errors_and_writable_directories_change_nothing() {
    let tree = Tree::new(0o755, 0o555, 0o444);
    let tries = Cell::new(0);
    let work = |error: Errno| {
        tries.set(tries.get() + 1);
        Err::<(), io::Error>(error.into())
    };
    tree.root.with_write_access(&[&at("dir/sub/file")], || work(Errno::PERM)).unwrap_err();
    tree.root.with_write_access(&[&at("dir/sub")], || work(Errno::ACCESS)).unwrap_err();
    tree.root.with_write_access(&[&at("missing/file")], || work(Errno::ACCESS)).unwrap_err();
    assert_eq!((tries.get(), tree.modes()), (3, [0o755, 0o555, 0o444]));
}

#[test]
fn the_last_of_several_operations_restores() {
    let tree = Tree::new(0o755, 0o555, 0o444);
    let (access, handle) = (&tree.root.write_access, tree.pin("dir/sub"));
    let first = access.lift(&handle, CHANGE).unwrap().unwrap();
    let second = access.lift(&handle, CHANGE).unwrap().unwrap();
    first.release().unwrap();
    assert_eq!((tree.modes()[1], tree.lifted()), (0o755, 1));
    second.release().unwrap();
    assert_eq!((tree.modes()[1], tree.lifted()), (0o555, 0));
}

#[test]
fn permissions_set_during_the_operation_are_restored() {
    let tree = Tree::new(0o755, 0o555, 0o444);
    let (access, handle) = (&tree.root.write_access, tree.pin("dir/sub"));
    let hold = access.lift(&handle, CHANGE).unwrap().unwrap();
    let now = metadata_of_open(&handle).unwrap();
    assert!(access.is_lifted(now.id));
    access.set_permissions(&handle, &now, 0o500).unwrap();
    assert_eq!(tree.modes()[1], 0o700, "the operation goes on");
    hold.release().unwrap();
    assert_eq!(tree.modes()[1], 0o500);
}

#[test]
fn many_lanes_share_a_directory() {
    let tree = Tree::new(0o755, 0o555, 0o444);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(meets(&tree, "dir/sub/file").unwrap()[1], 0o755);
                }
            });
        }
    });
    assert_eq!((tree.modes()[1], tree.lifted()), (0o555, 0));
}

#[test]
fn a_file_is_its_own_again_once_it_is_open() {
    let tree = Tree::new(0o755, 0o755, 0o4444);
    let tries = Cell::new(0);
    let met = tree.root.open_with_write_access(&at("dir/sub/file"), || {
        tries.set(tries.get() + 1);
        if tries.get() == 1 { Err(denied()) } else { Ok(tree.modes()[2]) }
    });
    assert_eq!((met.unwrap(), tree.modes()[2], tree.lifted()), (0o4644, 0o4444, 0));
}

#[test]
fn links_are_not_touched() {
    let tree = Tree::new(0o755, 0o755, 0o444);
    symlink("file", tree.folder.path().join("dir/sub/link")).unwrap();
    assert!(tree.root.write_access.lift(&tree.pin("dir/sub/link"), FILE_BITS).unwrap().is_none());
    assert_eq!(tree.modes()[2], 0o444);
}
