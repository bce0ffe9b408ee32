//! What is said of a run that does not change while it runs. No path: metrics go to where others read them.

use std::path::PathBuf;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use towpath_backend::registry::Location;

use crate::args::SyncArguments;

/// Hexadecimal digits that tell migrations apart.
const DIGITS: usize = 12;

/// What is said of a run that does not change while it runs.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// Tells migrations apart: the same trees have the same one in every run.
    pub(crate) migration: String,
    pub(crate) checksum: String,
    /// `local`, `s3`, …
    pub(crate) source_kind: String,
    pub(crate) destination_kind: String,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) database: PathBuf,
}

impl About {
    /// Of a run with these arguments, between trees with these roots.
    pub(crate) fn new(arguments: &SyncArguments, source: &[u8], dest: &[u8], database: PathBuf) -> Self {
        Self {
            migration: migration(source, dest),
            checksum: arguments.checksum.to_string(),
            source_kind: kind(arguments.source.location().ok()),
            destination_kind: kind(arguments.dest.location().ok()),
            deadline: arguments.deadline,
            database,
        }
    }
}

/// A digest of both roots.
fn migration(source: &[u8], dest: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(source);
    // No path contains this byte.
    hasher.update([0]);
    hasher.update(dest);
    let mut digits = hex::encode(hasher.finalize());
    digits.truncate(DIGITS);
    digits
}

fn kind(location: Option<&Location>) -> String {
    match location {
        Some(Location::Url(url)) => url.scheme().to_owned(),
        _ => "local".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_told_apart_by_both_trees_without_their_names() {
        let first = migration(b"/old", b"/new");
        assert_eq!((first.len(), &first), (DIGITS, &migration(b"/old", b"/new")));
        assert!(first != migration(b"/new", b"/old") && first != migration(b"/old/", b"new"));
    }

    #[test]
    fn the_kind_of_a_tree_is_a_scheme() {
        let kind_of = |text: &str| kind(Location::parse(text.as_ref()).ok().as_ref());
        assert_eq!(["/mnt/a", "s3://bucket/key"].map(kind_of), ["local", "s3"]);
    }
}
