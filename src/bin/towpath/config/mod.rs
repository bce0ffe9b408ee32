//! The configuration file: options of backends, by scheme or by URL.
//!
//! ```toml
//! [s3]
//! endpoint = "https://s3.example.org"
//!
//! ["s3://archive"]
//! region = "eu-central-1"
//! ```

pub(crate) mod state_files;

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use towpath::private_file;
use towpath_backend::registry::ConfigSources;

/// Adds the options of a file. Returns a note if the default file cannot be opened.
///
/// The default file may be missing or unreadable: `HOME` may be another user's (sudo, cron, su). A file given with
/// `--config` must be readable.
///
/// # Errors
/// One line with the problem, its place and what to do. It contains no value, which may be secret.
pub(crate) fn read(given: Option<&Path>, sources: &mut ConfigSources) -> Result<Option<String>, String> {
    if let Some(path) = given {
        let file = open(path).map_err(|error| unreadable(path, &error))?;
        return add_file(file, path, sources).map(|()| None);
    }
    default_path().map_or(Ok(None), |path| read_default(&path, sources))
}

fn read_default(path: &Path, sources: &mut ConfigSources) -> Result<Option<String>, String> {
    match open(path) {
        Ok(file) => add_file(file, path, sources).map(|()| None),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => {
            Ok(Some(format!("{}; continuing without it; use --config for another file", unreadable(path, &error))))
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("cannot read the configuration file {}: {error}", path.display())
}

fn add_file(mut file: File, path: &Path, sources: &mut ConfigSources) -> Result<(), String> {
    check_private(&file, path)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => format!("the configuration file {} is not UTF-8 text", path.display()),
        _ => unreadable(path, &error),
    })?;
    add(&text, path, sources)
}

/// Opens a file that belongs to this user or root: its content decides where data is sent and with which keys.
fn open(path: &Path) -> io::Result<File> {
    // Descriptors inherited from a shell, as with `--config <(…)`, cannot be resolved by path.
    if ["/dev/fd", "/proc/self/fd", "/dev/stdin"].iter().any(|opened| path.starts_with(opened)) {
        return File::open(path);
    }
    private_file::open_to_read(path)
}

/// The XDG base directory specification: relative paths are ignored.
fn default_path() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(base.join("towpath/config.toml"))
}

fn add(text: &str, path: &Path, sources: &mut ConfigSources) -> Result<(), String> {
    let place = |offset: usize| {
        let line = text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1;
        format!("{}, line {line}", path.display())
    };
    // The parser's full message shows the line, which may contain a secret.
    let sections = DeTable::parse(text)
        .map_err(|error| format!("{}: {}", place(error.span().map_or(0, |span| span.start)), error.message()))?;
    for (section, values) in sections.get_ref() {
        let (name, at) = (section.get_ref(), place(section.span().start));
        let DeValue::Table(values) = values.get_ref() else {
            return Err(format!("{at}: `{name}` is outside of any section, such as [s3] or [\"s3://bucket\"]"));
        };
        for (key, value) in values {
            let at = place(key.span().start);
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Boolean(flag) => flag.to_string(),
                DeValue::Integer(number) => number.to_string(),
                _ => return Err(format!("{at}: `{}` is not a string, a number or a boolean", key.get_ref())),
            };
            sources.add(name, key.get_ref(), text, at);
        }
    }
    Ok(())
}

/// Checks that only its owner can read a file that may hold secrets.
fn check_private(file: &File, path: &Path) -> Result<(), String> {
    let shown = path.display();
    let mode = file.metadata().map_err(|error| format!("cannot stat {shown}: {error}"))?.mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!("others may read the configuration file {shown}, which may hold secrets: chmod 600 {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        add(text, Path::new("/etc/x.toml"), &mut ConfigSources::none()).unwrap_err()
    }

    #[test]
    fn errors_have_the_line_and_no_value() {
        let broken = problem("[s3]\nsecret = \"hunter2\nregion = 7\n");
        assert!(broken.starts_with("/etc/x.toml, line 2: ") && !broken.contains("hunter2"), "{broken}");
        let outside = problem("\nendpoint = \"x\"\n");
        assert!(outside.starts_with("/etc/x.toml, line 2: `endpoint` is outside of any section"), "{outside}");
        let odd = problem("[s3]\n\nsecret = [\"hunter2\"]\n");
        assert!(odd.contains("line 3: `secret`") && !odd.contains("hunter2"), "{odd}");
    }

    #[test]
    fn strings_numbers_and_booleans_are_accepted() {
        let mut sources = ConfigSources::none();
        add("[s3]\na = \"x\"\nb = true\n[\"s3://b/c\"]\nd = 7\n", Path::new("x"), &mut sources).unwrap();
        let shown = format!("{sources:?}");
        assert!(shown.contains("\"s3://b/c\"") && shown.contains("x, line 5"), "{shown}");
    }

    #[test]
    fn a_given_file_that_is_missing_or_readable_by_others_is_an_error() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let read = || read(Some(&path), &mut ConfigSources::none());
        assert!(read().unwrap_err().contains("cannot read"));
        std::fs::write(&path, "[s3]\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read().unwrap_err().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read(), Ok(None));
    }

    #[test]
    fn a_default_file_that_cannot_be_opened_is_a_note() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let read = |path: &Path| read_default(path, &mut ConfigSources::none());
        for missing in [folder.path().join("towpath/config.toml"), file.join("towpath/config.toml")] {
            assert_eq!(read(&missing), Ok(None));
        }
        let looped = folder.path().join("loop");
        std::os::unix::fs::symlink(&looped, &looped).unwrap();
        let note = read(&looped).unwrap().unwrap();
        assert!(note.contains("/loop: ") && note.contains("--config"), "{note}");
    }
}
