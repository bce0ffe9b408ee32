//! Rotation: the numbers of closed logs, the lines that name the logs before and after, and renaming.
//!
//! The log always has the name that was given. A closed log has that name and a number, which ascends forever and is
//! never used again: neither its name nor its content changes.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, IFlags, RenameFlags, accessat, ioctl_getflags, renameat_with};
use rustix::io::Errno;
use serde_json::Value;

use super::run_line::RunLine;
use crate::event::FilePaths;
use crate::json;

/// Larger numbers in the names of files are dates of other programs.
const MAX_FOREIGN_NUMBER: u64 = 999_999;

/// The path of the log `log` once it is closed with this number.
pub(crate) fn closed_path(log: &Path, number: u64) -> PathBuf {
    let mut path = log.as_os_str().to_owned();
    path.push(format!(".{number}"));
    PathBuf::from(path)
}

/// The number in what follows the name of the log in that of a closed one.
pub(crate) fn closed_log_number(suffix: &[u8]) -> Option<u64> {
    parse_number(suffix.strip_prefix(b".")?)
}

fn parse_number(digits: &[u8]) -> Option<u64> {
    let is_number = digits.iter().all(u8::is_ascii_digit) && digits.first().is_some_and(|&first| first != b'0');
    is_number.then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
}

/// The next number of a closed log: at least `least`, and higher than those of all files beside `log`, compressed ones
/// included.
pub(crate) fn free_number(log: &Path, least: u64) -> u64 {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name()) else { return least };
    let numbers = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let highest = numbers.filter_map(|entry| number_beside(name, &entry.file_name())).max();
    let mut number = highest.map_or(least, |highest| least.max(highest + 1));
    // The folder may not be readable.
    while std::fs::symlink_metadata(closed_path(log, number)).is_ok() {
        number += 1;
    }
    number
}

/// The number of `found`, such as `log.12` or `log.12.gz`.
fn number_beside(log: &OsStr, found: &OsStr) -> Option<u64> {
    let suffix = found.as_bytes().strip_prefix(log.as_bytes())?.strip_prefix(b".")?;
    let digits = suffix.split(|&byte| byte == b'.').next()?;
    parse_number(digits).filter(|&number| number <= MAX_FOREIGN_NUMBER)
}

/// The lines that name logs.
#[derive(Debug)]
pub(crate) struct NamingLines<'a> {
    /// The roots of both trees, which every line names.
    pub(crate) roots: &'a FilePaths,
    /// The log.
    pub(crate) log: &'a Path,
}

impl NamingLines<'_> {
    /// The last line of the log that is closed with this number.
    pub(crate) fn closing(&self, number: u64) -> Vec<u8> {
        self.line(RunLine::now("log-closed", self.roots.clone()), &[("log", number), ("next_log", number + 1)])
    }

    /// The first line of the log after the one with this number.
    pub(crate) fn first(&self, number: u64) -> Vec<u8> {
        self.line(RunLine::now("log-begun", self.roots.clone()), &[("previous_log", number)])
    }

    /// The most bytes of a closing line, without its link.
    pub(crate) fn closing_bytes(&self) -> u64 {
        let line = RunLine::at(jiff::Timestamp::MAX, "log-closed", self.roots.clone());
        self.line(line, &[("log", u64::MAX), ("next_log", u64::MAX)]).len() as u64
    }

    fn line(&self, mut line: RunLine, logs: &[(&str, u64)]) -> Vec<u8> {
        for (key, number) in logs {
            let path = closed_path(self.log, *number);
            let name = path.file_name().unwrap_or(OsStr::new(""));
            json::put_path(key, name.as_bytes(), |key, value: Value| line.put(key, value));
        }
        let mut text = Vec::new();
        line.write(&mut text);
        text
    }
}

/// Renames without replacing anything.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // NFS and others do not support it. Nobody else uses the name: it was free a moment ago.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match std::fs::symlink_metadata(to) {
            Ok(_) => Err(Errno::EXIST.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::rename(from, to),
            Err(error) => Err(error),
        },
        renamed => Ok(renamed?),
    }
}

/// Why the log cannot be renamed, as far as that shows before.
pub(super) fn why_not_renamed(log: &Path, file: &File) -> Option<String> {
    let folder = log.parent()?;
    let shown = folder.display();
    if is_fixed(file) {
        return Some("it is append-only or immutable, so it cannot get a number: use `chattr -a -i`".to_owned());
    }
    if File::open(folder).is_ok_and(|folder| is_fixed(&folder)) {
        return Some(format!("its folder {shown} is append-only or immutable: use `chattr -a -i`"));
    }
    match accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        Err(error @ (Errno::ACCESS | Errno::ROFS | Errno::PERM)) => {
            Some(format!("its folder {shown} is not writable ({})", io::Error::from(error)))
        }
        _ => None,
    }
}

fn is_fixed(file: impl AsFd) -> bool {
    ioctl_getflags(file).is_ok_and(|flags| flags.intersects(IFlags::APPEND | IFlags::IMMUTABLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_higher_than_those_of_all_files_beside() {
        for (found, least, number) in [
            (&[][..], 1, 1),
            (&["log", "log.1"][..], 1, 2),
            (&["log.1", "log.3"][..], 1, 4),
            // Those before were moved away.
            (&[][..], 7, 7),
            (&["log.12.gz", "log.2"][..], 1, 13),
            // No numbers of a log.
            (&["log.20261128", "log.0", "log.x", "log.01", "log-9", "other.9", "log.+9", "log."][..], 1, 1),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for name in found {
                std::fs::write(folder.path().join(name), "").unwrap();
            }
            assert_eq!(free_number(&folder.path().join("log"), least), number, "{found:?}");
        }
    }

    #[test]
    fn a_number_of_a_date_is_not_used_again() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("log.1000000"), "").unwrap();
        assert_eq!(free_number(&folder.path().join("log"), 1_000_000), 1_000_001);
    }

    #[test]
    fn a_rename_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("log"), "1").unwrap();
        std::fs::write(at("log.1"), "2").unwrap();
        assert_eq!(rename_new(&at("log"), &at("log.1")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        rename_new(&at("log"), &at("log.2")).unwrap();
        assert_eq!(
            (std::fs::read(at("log.1")).unwrap(), std::fs::read(at("log.2")).unwrap()),
            (b"2".into(), b"1".into())
        );
    }

    #[test]
    fn the_room_for_the_last_line_suffices() {
        let roots = FilePaths { source: b"/old/\xff\"".to_vec(), dest: b"/new".to_vec() };
        for log in ["/var/log/m", "/var/log/\u{1f600}\"\n"] {
            let naming = NamingLines { roots: &roots, log: Path::new(log) };
            for number in [1, 999, u64::from(u32::MAX)] {
                assert!(naming.closing(number).len() as u64 <= naming.closing_bytes());
            }
        }
    }
}
