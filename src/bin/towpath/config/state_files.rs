//! The default paths of database and log, which are named after the pair of trees.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use towpath_backend::registry::Location;

use towpath::canonical_path;
use towpath::private_file;

const SAY_WHERE: &str = "give --database and --log-file";

/// Database and log of the migration from `source` to `sink`, where they are not given. The same pair has the same
/// files, from any folder and through any link.
pub(crate) struct StateFiles {
    pub(crate) database: PathBuf,
    pub(crate) log: PathBuf,
}

/// Chooses both files.
pub(crate) fn state_files(
    source: &Location,
    sink: &Location,
    database: Option<&Path>,
    log: Option<&Path>,
) -> Result<StateFiles, String> {
    if let (Some(database), Some(log)) = (database, log) {
        return Ok(StateFiles { database: database.to_owned(), log: log.to_owned() });
    }
    let folder = state_folder()?;
    private_file::create_folder(&folder).and_then(|()| check_writable(&folder)).map_err(|error| {
        let shown = folder.display();
        format!("cannot write to the default state folder {shown}: {error}; {SAY_WHERE}")
    })?;
    let name = pair_of(source, sink);
    let file = |given: Option<&Path>, suffix: &str| {
        given.map_or_else(|| folder.join(format!("{name}.{suffix}")), Path::to_owned)
    };
    Ok(StateFiles { database: file(database, "db"), log: file(log, "log") })
}

/// The database of the migration from `source` to `sink`, where none is given: that of `TOWPATH_DATABASE`, as for
/// `towpath sync`, or the default one. Creates nothing.
///
/// # Errors
/// One line: the environment names no state folder.
pub(crate) fn default_database(source: &Location, sink: &Location) -> Result<PathBuf, String> {
    default_database_of(&canonical_of(source), &canonical_of(sink))
}

/// The same, for the canonical names of both trees. Does not touch them.
pub(crate) fn default_database_of(source: &Path, sink: &Path) -> Result<PathBuf, String> {
    if let Some(database) = super::variable("TOWPATH_DATABASE") {
        return Ok(database);
    }
    Ok(default_folder()?.join(format!("{}.db", pair_name(source, sink))))
}

/// The folder of the databases that are not given. Creates nothing.
///
/// # Errors
/// One line: the environment names no state folder.
pub(crate) fn default_folder() -> Result<PathBuf, String> {
    state_folder().map_err(|_| "neither XDG_STATE_HOME nor HOME is an absolute path: give --database".to_owned())
}

fn state_folder() -> Result<PathBuf, String> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    state_folder_in(variable("XDG_STATE_HOME"), variable("HOME"))
}

/// Checks that database and log, and the files that SQLite creates, can be written in this folder.
fn check_writable(folder: &Path) -> io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    Ok(accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?)
}

/// The XDG base directory specification: relative paths are ignored.
fn state_folder_in(xdg_state_home: Option<OsString>, home: Option<OsString>) -> Result<PathBuf, String> {
    let absolute = |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute(xdg_state_home).or_else(|| absolute(home).map(|home| home.join(".local/state")));
    base.map(|base| base.join("towpath"))
        .ok_or_else(|| format!("neither XDG_STATE_HOME nor HOME is an absolute path: {SAY_WHERE}"))
}

/// The canonical name of a location: a canonical path, or a URL without options.
pub(crate) fn canonical_of(location: &Location) -> PathBuf {
    match location {
        Location::Path(path) => canonical_path(path),
        Location::Url(url) => PathBuf::from(url.to_string()),
    }
}

/// The name of a pair of trees.
pub(crate) fn pair_of(source: &Location, sink: &Location) -> String {
    pair_name(&canonical_of(source), &canonical_of(sink))
}

/// A readable start, and a digest that differs for every pair.
fn pair_name(source: &Path, sink: &Path) -> String {
    let mut hasher = Sha256::new();
    hasher.update(source.as_os_str().as_bytes());
    // No path contains this byte, so that different pairs have different digests.
    hasher.update([0]);
    hasher.update(sink.as_os_str().as_bytes());
    let digest = hasher.finalize();
    format!("{}-to-{}-{}", readable(source), readable(sink), hex::encode(&digest[..6]))
}

/// The last component, in characters that need no quoting in any shell.
fn readable(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(24).collect();
    if plain.is_empty() { "root".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_the_same_name_through_links_and_relative_paths() {
        let folder = tempfile::tempdir().unwrap();
        let (old, link) = (folder.path().join("old"), folder.path().join("link"));
        std::fs::create_dir(&old).unwrap();
        std::os::unix::fs::symlink(&old, &link).unwrap();
        let new = folder.path().join("new");
        let before = pair_name(&canonical_path(&old), &canonical_path(&new));
        std::fs::create_dir(&new).unwrap();
        assert_eq!(before, pair_name(&canonical_path(&link), &canonical_path(&folder.path().join("old/../new"))));
        assert!(before.starts_with("old-to-new-"), "{before}");
    }

    #[test]
    fn a_url_is_named_without_its_options() {
        let of = |text: &str| canonical_of(&Location::parse(text.as_ref()).unwrap());
        assert_eq!(of("s3://bucket/a/?region=x"), PathBuf::from("s3://bucket/a"));
        assert!(pair_name(&of("s3://bucket/a"), &of("/b")).starts_with("a-to-b-"));
    }

    #[test]
    fn pairs_differ_by_either_side_and_by_direction() {
        let name = |a: &str, b: &str| pair_name(Path::new(a), Path::new(b));
        let names = [name("/a/x", "/b/x"), name("/b/x", "/a/x"), name("/a/x", "/c/x"), name("/c/x", "/b/x")];
        for (i, one) in names.iter().enumerate() {
            assert!(!names[i + 1..].contains(one), "{names:?}");
        }
    }

    #[test]
    fn the_folder_follows_the_specification() {
        let folder = |xdg: Option<&str>, home: Option<&str>| state_folder_in(xdg.map(Into::into), home.map(Into::into));
        assert_eq!(folder(Some("/x"), Some("/h")), Ok("/x/towpath".into()));
        assert_eq!(folder(Some("relative"), Some("/h")), Ok("/h/.local/state/towpath".into()));
        assert_eq!(folder(None, Some("/h")), Ok("/h/.local/state/towpath".into()));
        assert!(folder(None, Some("relative")).is_err());
        assert!(folder(None, None).unwrap_err().contains("--database"));
    }
}
