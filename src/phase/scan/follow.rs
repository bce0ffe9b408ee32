//! Follows a symbolic link of the source, step by step and never outside the tree.

use towpath_backend::{ErrorKind, Kind, Metadata, RelPath, Result, Source};

use crate::error::LinkProblem;

/// The number of links that the kernel follows in one path.
const MAX_LINKS: u32 = 40;

/// The result of following a link.
#[derive(Debug, PartialEq)]
pub(crate) enum Followed {
    /// It leads to this path, which has no links in it, with this metadata.
    To(RelPath, Metadata),
    /// It cannot be followed, for this reason.
    Nowhere(LinkProblem),
}

/// Follows the link at `link`, a path without links before its last name.
pub(crate) async fn follow(source: &dyn Source, link: &RelPath) -> Result<Followed> {
    let mut at = link.parent().unwrap_or_else(RelPath::root);
    let mut names = Vec::new();
    if !enter(source.root(), &source.read_link(link).await?, &mut at, &mut names) {
        return Ok(Followed::Nowhere(LinkProblem::LeadsOutside));
    }
    let mut links = 1;
    let mut metadata = source.metadata(&at).await?;
    while let Some(name) = names.pop() {
        let next = match &name[..] {
            b"." | b"" => continue,
            b".." => match at.parent() {
                Some(parent) => parent,
                None => return Ok(Followed::Nowhere(LinkProblem::LeadsOutside)),
            },
            name => match at.join(name) {
                Ok(next) => next,
                Err(_) => return Ok(Followed::Nowhere(LinkProblem::Dangling)),
            },
        };
        metadata = match source.metadata(&next).await {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Followed::Nowhere(LinkProblem::Dangling));
            }
            Err(error) => return Err(error),
        };
        if metadata.kind != Kind::Symlink {
            at = next;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Ok(Followed::Nowhere(LinkProblem::Loops));
        }
        if !enter(source.root(), &source.read_link(&next).await?, &mut at, &mut names) {
            return Ok(Followed::Nowhere(LinkProblem::LeadsOutside));
        }
        metadata = source.metadata(&at).await?;
    }
    Ok(Followed::To(at, metadata))
}

/// Whether copying the directory `target` in place of a link inside `dir` would
/// copy `dir` into itself. `dir` is a path as it is walked, through links.
pub(crate) async fn holds(source: &dyn Source, target: &RelPath, dir: &RelPath) -> Result<bool> {
    let mut real = RelPath::root();
    let mut names = dir.components();
    loop {
        if is_within(&real, target) {
            return Ok(true);
        }
        let Some(name) = names.next() else { return Ok(false) };
        // Components of a path are valid names.
        let Ok(next) = real.join(name) else { return Ok(true) };
        real = match source.metadata(&next).await?.kind {
            Kind::Symlink => match follow(source, &next).await? {
                Followed::To(path, _) => path,
                Followed::Nowhere(_) => return Ok(true),
            },
            _ => next,
        };
    }
}

fn is_within(path: &RelPath, dir: &RelPath) -> bool {
    let rest = path.as_bytes().strip_prefix(dir.as_bytes());
    dir.is_root() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Pushes the components of a link's target onto `names`, the last one first; `false` if the target is an absolute path
/// outside the tree at `root`.
fn enter(root: &[u8], target: &[u8], at: &mut RelPath, names: &mut Vec<Vec<u8>>) -> bool {
    let mut inside = target;
    if target.starts_with(b"/") {
        let root = root.strip_suffix(b"/").unwrap_or(root);
        match target.strip_prefix(root) {
            Some(rest) if rest.is_empty() || rest.starts_with(b"/") => inside = rest,
            _ => return false,
        }
        *at = RelPath::root();
    }
    names.extend(inside.split(|&b| b == b'/').rev().map(<[u8]>::to_vec));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use towpath_local::LocalSource;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    #[tokio::test]
    async fn links_are_followed_only_inside_the_tree() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("tree");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "x").unwrap();
        fs::write(folder.path().join("secret"), "x").unwrap();
        for (name, target, expected) in [
            ("a/one", "b/file".to_owned(), Ok("a/b/file")),
            ("a/two", "../a/./one".to_owned(), Ok("a/b/file")),
            ("a/dir", "b/".to_owned(), Ok("a/b")),
            ("a/through", "dir/file".to_owned(), Ok("a/b/file")),
            ("absolute", root.join("a/b").display().to_string(), Ok("a/b")),
            ("a/self", "..".to_owned(), Ok("")),
            ("outside", "../secret".to_owned(), Err(LinkProblem::LeadsOutside)),
            ("a/far", "../../secret".to_owned(), Err(LinkProblem::LeadsOutside)),
            ("passwd", "/etc/passwd".to_owned(), Err(LinkProblem::LeadsOutside)),
            ("near", format!("{}-other", root.display()), Err(LinkProblem::LeadsOutside)),
            ("dangling", "missing/file".to_owned(), Err(LinkProblem::Dangling)),
            ("a/through-file", "b/file/more".to_owned(), Err(LinkProblem::Dangling)),
            ("round", "round".to_owned(), Err(LinkProblem::Loops)),
        ] {
            symlink(&target, root.join(name)).unwrap();
            let source = LocalSource::open(&root).unwrap();
            match (follow(&source, &path(name)).await.unwrap(), expected) {
                (Followed::To(at, metadata), Ok(expected)) => {
                    assert_eq!(at, path(expected), "{name}");
                    assert_ne!(metadata.kind, Kind::Symlink, "{name}");
                }
                (Followed::Nowhere(reason), Err(expected)) => assert_eq!(reason, expected, "{name}"),
                (followed, _) => panic!("{name}: {followed:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_directory_is_not_copied_into_itself() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::create_dir_all(folder.path().join("c")).unwrap();
        symlink("../a", folder.path().join("c/to-a")).unwrap();
        let source = LocalSource::open(folder.path()).unwrap();
        for (target, dir, expected) in [
            ("", "a", true),
            ("a", "a/b", true),
            ("a", "a", true),
            ("a/b", "a", false),
            ("c", "a/b", false),
            // Through the link, a/b is inside a, and all of it inside c.
            ("a", "c/to-a/b", true),
            ("c", "c/to-a/b", true),
            ("a/b", "c/to-a", false),
        ] {
            assert_eq!(holds(&source, &path(target), &path(dir)).await.unwrap(), expected, "{target} in {dir}");
        }
    }
}
