//! The rules of a file system for names, tested by creating some.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, mkdirat, openat, statx, unlinkat};
use rustix::io::Errno;
use towpath_backend::{ByteSet, NameRules};

use crate::root::Root;
use crate::stat::{NO_FOLLOW, STATX};
use crate::static_capabilities::CONTROLS;

/// One test for the many file systems that accept any bytes: bytes that are often rejected, letters that fold, and an
/// end that is often trimmed.
const HARD: &str = "Aa\u{e9}:*?\"<>|\\\u{1}\n!#$%&'()+,;=@[]^`{}~ .";
/// The same name where case does not matter, and where accents may be composed or not.
const HARD_OTHER_CASE: &str = "aA\u{e9}:*?\"<>|\\\u{1}\n!#$%&'()+,;=@[]^`{}~ .";
const HARD_DECOMPOSED: &str = "Aae\u{301}:*?\"<>|\\\u{1}\n!#$%&'()+,;=@[]^`{}~ .";
const NOT_UTF8: &[u8] = b"b\xff\xfe";

/// Rejected by FAT, Windows and many servers, but not always all of them.
const OFTEN_REJECTED: &[u8] = b":*?\"<>|\\";
/// Rejected almost nowhere.
const SELDOM_REJECTED: &[u8] = b"!#$%&'()+,;=@[]^`{}~";

/// A directory in which names are created.
trait Folder {
    /// Creates an empty file.
    fn create(&mut self, name: &[u8]) -> Result<(), Errno>;
    /// Whether an entry with this name is found.
    fn finds(&mut self, name: &[u8]) -> bool;
    /// All names, as listed.
    fn list(&mut self) -> io::Result<Vec<Vec<u8>>>;
}

/// The rules of the file system that `root` lies on.
///
/// Uses a new directory: it has the rules of the root (where folding is set per directory, a new one inherits it), and
/// few entries to list.
pub(super) fn rules(root: &Root, name: &OsStr) -> io::Result<NameRules> {
    let mut folder = RealFolder::new(root, name)?;
    let rules = rules_of(&mut folder)?;
    folder.clean()?;
    Ok(rules)
}

fn rules_of(folder: &mut impl Folder) -> io::Result<NameRules> {
    let hard_created = creates(folder, HARD.as_bytes())?;
    let bytes_created = creates(folder, NOT_UTF8)?;
    let listed = folder.list()?;
    let is_listed = |name: &[u8]| listed.iter().any(|listed| listed == name);
    let mut rules = NameRules { utf8_only: !bytes_created || !is_listed(NOT_UTF8), ..NameRules::BYTES };
    if hard_created && is_listed(HARD.as_bytes()) {
        rules.folds_case = folder.finds(HARD_OTHER_CASE.as_bytes());
        rules.folds_unicode = folder.finds(HARD_DECOMPOSED.as_bytes());
        return Ok(rules);
    }
    one_by_one(folder, rules)
}

/// Determines the rules if the hard name is rejected or changed.
fn one_by_one(folder: &mut impl Folder, mut rules: NameRules) -> io::Result<NameRules> {
    let with = |bytes: &[u8]| [b"c", bytes, b"d"].concat();
    let single: Vec<_> = OFTEN_REJECTED.iter().chain(SELDOM_REJECTED).copied().collect();
    let (dot, space, case, accent) = (b"dot.", b"space ", b"Case", "e\u{e9}".as_bytes());
    let often: Vec<_> = OFTEN_REJECTED.iter().map(|byte| with(&[*byte])).collect();
    let (control, seldom) = (with(&CONTROLS[..1]), with(SELDOM_REJECTED));
    for name in often.iter().map(Vec::as_slice).chain([&control[..], &seldom, dot, space, case, accent]) {
        creates(folder, name)?;
    }
    rules.folds_case = folder.finds(b"cASE");
    rules.folds_unicode = folder.finds("ee\u{301}".as_bytes());
    let mut listed = folder.list()?;
    // First all of them together, and one by one only if that fails.
    if !listed.contains(&seldom) {
        for byte in SELDOM_REJECTED {
            creates(folder, &with(&[*byte]))?;
        }
        listed = folder.list()?;
    }
    // A name that is listed in another form, or became part of another file (a colon on NTFS), counts as rejected too:
    // it would not be read back as it was.
    let is_kept = |name: &[u8]| listed.iter().any(|listed| listed == name);
    let all_seldom = is_kept(&seldom);
    for byte in single {
        let is_taken = is_kept(&with(&[byte])) || all_seldom && SELDOM_REJECTED.contains(&byte);
        if !is_taken {
            rules.rejected = rules.rejected.union(ByteSet::of(&[byte]));
        }
    }
    if !is_kept(&control) {
        rules.rejected = rules.rejected.union(ByteSet::of(&CONTROLS));
    }
    rules.trims_end = !is_kept(dot) || !is_kept(space);
    Ok(rules)
}

/// Creates a name; false if the file system does not accept it.
fn creates(folder: &mut impl Folder, name: &[u8]) -> io::Result<bool> {
    match folder.create(name) {
        Ok(()) => Ok(true),
        // Not related to the name.
        Err(
            error @ (Errno::NOSPC
            | Errno::DQUOT
            | Errno::ROFS
            | Errno::STALE
            | Errno::NOTCONN
            | Errno::TIMEDOUT
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH),
        ) => Err(error.into()),
        // Servers report this in many ways: EINVAL, EILSEQ, ENOENT, EACCES, EIO, …
        Err(_) => Ok(false),
    }
}

/// A directory of the tree, which is removed with everything in it.
struct RealFolder<'a> {
    root: &'a Root,
    name: &'a OsStr,
    /// `None` once it was removed.
    dir: Option<OwnedFd>,
    created: Vec<Vec<u8>>,
}

impl<'a> RealFolder<'a> {
    fn new(root: &'a Root, name: &'a OsStr) -> io::Result<Self> {
        mkdirat(root.resolver.root(), name, Mode::RWXU)?;
        let mut folder = Self { root, name, dir: None, created: Vec::new() };
        match folder.open() {
            Ok(dir) => folder.dir = Some(dir),
            Err(error) => {
                let _best_effort = unlinkat(root.resolver.root(), name, AtFlags::REMOVEDIR);
                return Err(error.into());
            }
        }
        Ok(folder)
    }

    fn open(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(self.root.resolver.root(), self.name, flags, Mode::empty())
    }

    fn dir(&self) -> Result<&OwnedFd, Errno> {
        self.dir.as_ref().ok_or(Errno::BADF)
    }

    fn clean(&mut self) -> io::Result<()> {
        let Some(dir) = self.dir.take() else { return Ok(()) };
        for name in self.created.drain(..) {
            // It may be gone already, with another name for the same file.
            let _what_stays_shows_below = unlinkat(&dir, OsStr::from_bytes(&name), AtFlags::empty());
        }
        // Some servers do not remove open directories.
        drop(dir);
        let remove = || unlinkat(self.root.resolver.root(), self.name, AtFlags::REMOVEDIR);
        match remove() {
            // Some names are listed in another form than they were created.
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                let dir = self.open()?;
                for name in list(&dir)? {
                    unlinkat(&dir, OsStr::from_bytes(&name), AtFlags::empty())?;
                }
                drop(dir);
                Ok(remove()?)
            }
            result => Ok(result?),
        }
    }
}

impl Drop for RealFolder<'_> {
    fn drop(&mut self) {
        let _best_effort = self.clean();
    }
}

impl Folder for RealFolder<'_> {
    fn create(&mut self, name: &[u8]) -> Result<(), Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        openat(self.dir()?, OsStr::from_bytes(name), flags, Mode::RUSR | Mode::WUSR)?;
        self.created.push(name.to_vec());
        Ok(())
    }

    fn finds(&mut self, name: &[u8]) -> bool {
        self.dir().and_then(|dir| statx(dir, OsStr::from_bytes(name), NO_FOLLOW, STATX)).is_ok()
    }

    fn list(&mut self) -> io::Result<Vec<Vec<u8>>> {
        list(self.dir()?)
    }
}

/// The names in a small directory.
fn list(dir: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if !matches!(&name[..], b"." | b"..") {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system with these rules.
    struct Pretended {
        rules: NameRules,
        /// Replaces characters that it cannot hold by `_` instead of rejecting them.
        replaces: bool,
        names: Vec<Vec<u8>>,
    }

    impl Pretended {
        fn key(&self, name: &[u8]) -> Vec<u8> {
            let mut key = name.to_vec();
            if self.rules.folds_case {
                key.make_ascii_lowercase();
            }
            match String::from_utf8(key) {
                Ok(text) if self.rules.folds_unicode => text.replace("e\u{301}", "\u{e9}").into_bytes(),
                Ok(text) => text.into_bytes(),
                Err(error) => error.into_bytes(),
            }
        }

        fn replaced(&self, name: &[u8]) -> Vec<u8> {
            let bad = |byte: &u8| self.rules.rejected.contains(*byte) || self.rules.utf8_only && *byte > 0xf7;
            let mut name: Vec<_> = name.iter().map(|byte| if bad(byte) { b'_' } else { *byte }).collect();
            while self.rules.trims_end && matches!(name.last(), Some(b'.' | b' ')) {
                name.pop();
            }
            name
        }
    }

    impl Folder for Pretended {
        fn create(&mut self, name: &[u8]) -> Result<(), Errno> {
            if self.rules.problem(name).is_some() && !self.replaces {
                return Err(Errno::INVAL);
            }
            if self.finds(name) {
                return Err(Errno::EXIST);
            }
            self.names.push(self.replaced(name));
            Ok(())
        }

        fn finds(&mut self, name: &[u8]) -> bool {
            let key = self.key(&self.replaced(name));
            self.names.iter().any(|name| self.key(name) == key)
        }

        fn list(&mut self) -> io::Result<Vec<Vec<u8>>> {
            Ok(self.names.clone())
        }
    }

    #[test]
    fn every_rule_is_found_whether_names_are_rejected_or_replaced() {
        let sets = [&b""[..], b":", b":*?\"<>|\\", b"\\", b"+,;=[]", &CONTROLS].map(ByteSet::of);
        for n in 0..sets.len() * 16 {
            let bit = |bit: usize| (n / sets.len()) & bit != 0;
            let rules = NameRules {
                folds_case: bit(1),
                folds_unicode: bit(2),
                trims_end: bit(4),
                utf8_only: bit(8),
                rejects_outer_space: false,
                rejected: sets[n % sets.len()],
            };
            for replaces in [false, true] {
                let mut folder = Pretended { rules, replaces, names: Vec::new() };
                assert_eq!(rules_of(&mut folder).unwrap(), rules, "replaces: {replaces}");
            }
        }
    }

    #[test]
    fn plain_file_systems_get_few_requests() {
        let mut folder = Pretended { rules: NameRules::BYTES, replaces: false, names: Vec::new() };
        assert_eq!(rules_of(&mut folder).unwrap(), NameRules::BYTES);
        assert_eq!(folder.names.len(), 2);
    }

    #[test]
    fn a_full_disk_is_an_error() {
        struct Full;
        impl Folder for Full {
            fn create(&mut self, _: &[u8]) -> Result<(), Errno> {
                Err(Errno::NOSPC)
            }
            fn finds(&mut self, _: &[u8]) -> bool {
                false
            }
            fn list(&mut self) -> io::Result<Vec<Vec<u8>>> {
                Ok(Vec::new())
            }
        }
        assert_eq!(rules_of(&mut Full).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn nothing_is_left_behind_even_if_the_probe_is_aborted() {
        let tree = tempfile::tempdir().unwrap();
        let root = Root::open(tree.path()).unwrap();
        let mut folder = RealFolder::new(&root, OsStr::new("probe")).unwrap();
        folder.create(b"created").unwrap();
        std::fs::write(tree.path().join("probe/listed otherwise"), "").unwrap();
        drop(folder);
        assert_eq!(std::fs::read_dir(tree.path()).unwrap().count(), 0);
        assert_eq!(rules(&root, OsStr::new("probe")).unwrap(), NameRules::BYTES);
        assert_eq!(std::fs::read_dir(tree.path()).unwrap().count(), 0);
    }
}
