//! Paths relative to a tree's root, as bytes.

use std::fmt;
use std::sync::Arc;

/// A path relative to a tree's root: bytes, with components separated by `/`.
///
/// The empty path is the root itself. A path never starts or ends with `/`,
/// has no empty, `.` or `..` component and no NUL byte, so that it cannot name
/// anything outside the tree by itself. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Arc<[u8]>);

/// Why some bytes are not a [`RelPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidPath;

impl fmt::Display for InvalidPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a path inside a tree (absolute, or with an empty, `.` or `..` component, or a NUL byte)")
    }
}

impl std::error::Error for InvalidPath {}

impl RelPath {
    /// The root of the tree.
    pub fn root() -> Self {
        Self(Arc::from(&b""[..]))
    }

    /// Parses `bytes` as a path.
    ///
    /// # Errors
    /// [`InvalidPath`] if a component is empty, `.` or `..`, or a byte is NUL.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, InvalidPath> {
        let bytes = bytes.as_ref();
        if bytes.is_empty() || bytes.split(|&b| b == b'/').all(is_name) {
            Ok(Self(Arc::from(bytes)))
        } else {
            Err(InvalidPath)
        }
    }

    /// The path of `name` inside this directory.
    ///
    /// # Errors
    /// [`InvalidPath`] if `name` is not a single component.
    pub fn join(&self, name: impl AsRef<[u8]>) -> Result<Self, InvalidPath> {
        let name = name.as_ref();
        if !is_name(name) || name.contains(&b'/') {
            return Err(InvalidPath);
        }
        if self.is_root() {
            return Ok(Self(Arc::from(name)));
        }
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.len());
        bytes.extend_from_slice(&self.0);
        bytes.push(b'/');
        bytes.extend_from_slice(name);
        Ok(Self(Arc::from(bytes)))
    }

    /// The path of `below` in this tree, where `below` is relative to this directory.
    #[must_use]
    pub fn append(&self, below: &Self) -> Self {
        if self.is_root() {
            return below.clone();
        }
        Self(Arc::from(below.under(&self.0)))
    }

    /// The path relative to `dir`, if this is `dir` or lies below it: the inverse of [`Self::append`].
    pub fn below(&self, dir: &Self) -> Option<Self> {
        if dir.is_root() {
            return Some(self.clone());
        }
        match self.0.strip_prefix(&*dir.0)? {
            [] => Some(Self::root()),
            [b'/', rest @ ..] => Some(Self(Arc::from(rest))),
            _ => None,
        }
    }

    /// Whether this is the root itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The directory that contains this path; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.iter().rposition(|&b| b == b'/') {
            Some(slash) => Self(Arc::from(&self.0[..slash])),
            None => Self::root(),
        })
    }

    /// The last component; `None` for the root.
    pub fn name(&self) -> Option<&[u8]> {
        self.components().last()
    }

    /// The components, from the root downwards.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/').filter(|name| !name.is_empty())
    }

    /// The full path of this path in the tree at `root`, as users see it.
    pub fn under(&self, root: &[u8]) -> Vec<u8> {
        if self.is_root() {
            return root.to_vec();
        }
        let mut full = Vec::with_capacity(root.len() + 1 + self.0.len());
        full.extend_from_slice(root);
        if !root.ends_with(b"/") {
            full.push(b'/');
        }
        full.extend_from_slice(&self.0);
        full
    }
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name != b"." && name != b".." && !name.contains(&0)
}

impl AsRef<[u8]> for RelPath {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// For messages: bytes that are not UTF-8 are replaced, and the root is `.`.
impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() { f.write_str(".") } else { f.write_str(&String::from_utf8_lossy(&self.0)) }
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelPath(\"{}\")", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_that_could_leave_the_tree_are_rejected() {
        for bad in ["/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\0b"] {
            assert_eq!(RelPath::new(bad), Err(InvalidPath), "{bad:?}");
        }
        for bad in ["", "a/b", ".", "..", "a\0"] {
            assert_eq!(RelPath::root().join(bad), Err(InvalidPath), "{bad:?}");
        }
    }

    #[test]
    fn names_that_only_look_special_are_names() {
        for good in ["...", ".a", "a..", "-rf", " ", "\n", "a\\b"] {
            assert_eq!(RelPath::new(good).map(|p| p.as_bytes().to_vec()), Ok(good.as_bytes().to_vec()));
        }
    }

    #[test]
    fn parent_of_a_top_name_is_the_root_and_the_root_has_none() -> Result<(), InvalidPath> {
        assert_eq!(RelPath::new("a/b")?.parent(), Some(RelPath::new("a")?));
        assert_eq!(RelPath::new("a")?.parent(), Some(RelPath::root()));
        assert_eq!(RelPath::root().parent(), None);
        Ok(())
    }

    #[test]
    fn below_is_the_inverse_of_append() -> Result<(), InvalidPath> {
        let paths = ["", "a", "a/b", "ab"].map(RelPath::new);
        for dir in paths.clone() {
            for below in paths.clone() {
                let (dir, below) = (dir.clone()?, below?);
                let whole = dir.append(&below);
                assert_eq!(whole.below(&dir), Some(below.clone()));
                assert_eq!(RelPath::new(whole.as_bytes()), Ok(whole.clone()));
            }
        }
        assert_eq!(RelPath::new("ab")?.below(&RelPath::new("a")?), None);
        assert_eq!(RelPath::new("a")?.below(&RelPath::new("a/b")?), None);
        Ok(())
    }

    #[test]
    fn full_paths_have_one_slash_between() -> Result<(), InvalidPath> {
        let path = RelPath::new("a/b")?;
        assert_eq!(path.under(b"/mnt/new"), b"/mnt/new/a/b");
        assert_eq!(path.under(b"/"), b"/a/b");
        assert_eq!(RelPath::root().under(b"/mnt"), b"/mnt");
        Ok(())
    }

    proptest! {
        #[test]
        fn joining_then_splitting_gives_the_names_back(names in prop::collection::vec("[^/\0]{1,20}", 0..6)) {
            let names: Vec<_> = names.into_iter().filter(|n| n != "." && n != "..").collect();
            let mut path = RelPath::root();
            for name in &names {
                path = path.join(name)?;
            }
            let back: Vec<_> = path.components().map(<[u8]>::to_vec).collect();
            prop_assert_eq!(back, names.iter().map(|n| n.clone().into_bytes()).collect::<Vec<_>>());
            prop_assert_eq!(RelPath::new(path.as_bytes())?, path.clone());
            prop_assert_eq!(path.name().map(<[u8]>::to_vec), names.last().map(|n| n.clone().into_bytes()));
        }

        #[test]
        fn any_bytes_are_kept_or_rejected(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(path) = RelPath::new(&bytes) {
                prop_assert_eq!(path.as_bytes(), &bytes[..]);
            }
        }
    }
}
