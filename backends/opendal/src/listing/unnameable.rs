//! Keys that no path can express: they are reported by their key, one by one.

use opendal::options::ListOptions;
use opendal::{Lister, Operator};
use tokio_stream::StreamExt as _;
use towpath_backend::{Entry, Error, ErrorKind, RelPath};

use crate::raw_keys::{CONTENT, EMPTY, real_key};

/// Whether a name in a listing of an object store cannot be the name of a file or directory.
pub(super) fn is_unnameable(name: &str) -> bool {
    matches!(name, EMPTY | CONTENT | "." | "..")
}

/// The entry of a key, as [`crate::raw_keys`] shows it.
pub(super) fn entry(shown_key: &str) -> Entry {
    let key = real_key(shown_key);
    let reason = if shown_key.ends_with(CONTENT) {
        "it is the marker of a directory, and has content"
    } else {
        "it has a part that is empty, `.` or `..`"
    };
    let cause = format!("the key {key:?} cannot be a path: {reason}");
    Entry::unreadable(key.clone(), Error::new(ErrorKind::InvalidName, "list", &similar_path(&key), cause))
}

/// The path that another program may have chosen for a key.
fn similar_path(key: &str) -> RelPath {
    let mut parts = Vec::new();
    for part in key.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    RelPath::new(parts.join("/")).unwrap_or_else(|_| RelPath::root())
}

/// The keys below a prefix that no path can express.
pub(super) struct Below {
    lister: Lister,
    prefix: String,
}

impl Below {
    /// Begins to list the keys that begin with `prefix`, which lies in the directory `dir` (both with a slash at the
    /// end).
    pub(super) async fn open(operator: &Operator, dir: &str, prefix: String) -> opendal::Result<Self> {
        // OpenDAL cannot be asked for the prefix itself, which it would normalize. Keys come sorted.
        let can_start = operator.info().capability().list_with_start_after;
        let before = can_start.then(|| start_before(&real_key(&prefix)));
        let options = ListOptions { recursive: true, start_after: before, ..ListOptions::default() };
        Ok(Self { lister: operator.lister_options(dir, options).await?, prefix })
    }

    /// The next keys, up to `most`; none at the end.
    pub(super) async fn next_keys(&mut self, most: usize) -> opendal::Result<Vec<String>> {
        let mut keys = Vec::new();
        while keys.len() < most {
            let Some(found) = self.lister.next().await else { break };
            let found = found?;
            if found.path().starts_with(&self.prefix) {
                keys.push(found.path().to_owned());
            } else if real_key(found.path()) > real_key(&self.prefix) {
                break;
            }
        }
        Ok(keys)
    }
}

/// A key that sorts before all keys with this prefix, and after most others that do.
fn start_before(prefix: &str) -> String {
    // The character before the slash.
    prefix.strip_suffix('/').map_or_else(String::new, |key| format!("{key}.~"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_reported_with_the_path_that_may_stand_for_it() {
        for (shown, key, path) in [
            ("a/\u{f8f0}/b", "a//b", "a/b"),
            ("\u{f8f0}/lead", "/lead", "lead"),
            ("./dot", "./dot", "dot"),
            ("x/./y", "x/./y", "x/y"),
            ("../up", "../up", "up"),
            ("x/../y", "x/../y", "y"),
            ("dir/\u{f8f1}", "dir/", "dir"),
            ("\u{f8f0}/", "/", ""),
        ] {
            let error = entry(shown).error.unwrap();
            assert_eq!(error.path(), &RelPath::new(path).unwrap(), "{key}");
            assert!(error.to_string().contains(&format!("the key {key:?}")), "{error}");
        }
    }

    #[test]
    fn the_listing_of_a_prefix_starts_right_before_it() {
        for (prefix, key) in [("a//", "a//b"), ("/", "/lead"), ("x/./", "x/./y")] {
            assert!(start_before(prefix).as_str() < key, "{prefix}");
        }
        assert!(start_before("a//").as_str() > "a/-");
    }
}
