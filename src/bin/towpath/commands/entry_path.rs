//! Paths of entries as users give them: relative to the roots of the trees, or full.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// The relative path that is meant by a path inside one of these trees, or relative to their roots.
///
/// # Errors
/// One line: a full path that is in none of the trees, or a path that leads upwards.
pub(super) fn relative(given: &OsStr, roots: [&[u8]; 2]) -> Result<Vec<u8>, String> {
    if let Some(path) = roots.iter().find_map(|root| below(given.as_bytes(), root)) {
        return normal(path);
    }
    if !given.as_bytes().starts_with(b"/") {
        return normal(given.as_bytes());
    }
    // The roots are recorded without symbolic links.
    let real = real_parent(Path::new(given));
    let found = real.as_ref().and_then(|real| roots.iter().find_map(|root| below(real.as_os_str().as_bytes(), root)));
    found.map_or_else(|| Err(outside(given, roots)), normal)
}

/// Whether a full path is inside one of these trees.
pub(super) fn is_inside(given: &OsStr, roots: [&[u8]; 2]) -> bool {
    given.as_bytes().starts_with(b"/") && relative(given, roots).is_ok()
}

fn outside(given: &OsStr, roots: [&[u8]; 2]) -> String {
    let [source, dest] = roots.map(String::from_utf8_lossy);
    format!("{} is neither in {source} nor in {dest}", given.display())
}

/// The rest of a path below a root.
fn below<'a>(path: &'a [u8], root: &[u8]) -> Option<&'a [u8]> {
    let rest = path.strip_prefix(root)?;
    if rest.is_empty() || root.ends_with(b"/") {
        return Some(rest);
    }
    rest.strip_prefix(b"/")
}

/// The path with the symbolic links of its folder resolved: an entry that is a link is meant itself.
fn real_parent(path: &Path) -> Option<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => Some(fs::canonicalize(folder).ok()?.join(name)),
        _ => fs::canonicalize(path).ok(),
    }
}

/// A relative path without empty components and single dots.
fn normal(path: &[u8]) -> Result<Vec<u8>, String> {
    let mut names = Vec::new();
    for component in Path::new(OsStr::from_bytes(path)).components() {
        match component {
            Component::Normal(name) => names.push(name.as_bytes()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            Component::ParentDir => {
                return Err(format!("{} leads upwards: give it without `..`", String::from_utf8_lossy(path)));
            }
        }
    }
    Ok(names.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_or_full_on_either_side() {
        let roots = [&b"/mnt/old"[..], b"sftp://host/new"];
        let of = |given: &[u8]| relative(OsStr::from_bytes(given), roots);
        for (given, path) in [
            (&b"a/b"[..], &b"a/b"[..]),
            (b"./a//b/", b"a/b"),
            (b"/mnt/old/a/b", b"a/b"),
            (b"/mnt/old", b""),
            (b"/mnt/old/", b""),
            (b".", b""),
            (b"sftp://host/new/a\xff", b"a\xff"),
        ] {
            assert_eq!(of(given).unwrap(), path, "{}", given.escape_ascii());
        }
        for given in [&b"/mnt/older/a"[..], b"/elsewhere", b"a/../b", b".."] {
            assert!(of(given).is_err(), "{}", given.escape_ascii());
        }
    }

    #[test]
    fn a_root_is_found_through_a_symbolic_link() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        fs::create_dir(real.join("tree")).unwrap();
        std::os::unix::fs::symlink("tree", real.join("link")).unwrap();
        let root = real.join("tree");
        let given = real.join("link/file");
        let found = relative(given.as_os_str(), [root.as_os_str().as_bytes(), b"/other"]);
        assert_eq!(found.unwrap(), b"file");
    }
}
