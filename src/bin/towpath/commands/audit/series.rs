//! Finds the logs before and after a log, in its folder: by hashes, else by the names in their first and last lines.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::log_end::{Log, split_number};

/// The most files of a folder whose first line is read.
const MAX_FILES: usize = 100_000;
/// What compressed logs end with.
const COMPRESSED: [&str; 4] = ["gz", "xz", "zst", "bz2"];

/// A log to check, and what its place among the others shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) path: PathBuf,
    /// The name of the log before, if that is missing.
    pub(super) missing: Option<Missing>,
    /// Another name than it was closed with: it was renamed, or exchanged with another log.
    pub(super) closed_as: Option<OsString>,
    /// The log after the last one.
    pub(super) missing_after: Option<Missing>,
}

impl Placed {
    /// A log of which no others are looked for.
    pub(super) fn alone(log: &Path) -> Self {
        Self { path: log.to_owned(), missing: None, closed_as: None, missing_after: None }
    }
}

/// A log that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) name: OsString,
    /// A file that may be that log, compressed.
    pub(super) compressed: Option<OsString>,
}

/// The logs of the series of `log`, the oldest first.
pub(super) fn around(log: &Path) -> io::Result<Vec<Placed>> {
    // A log that is a link is rotated where the link points.
    let real = if log.is_symlink() { log.canonicalize()? } else { log.to_owned() };
    let Some(start) = Log::read(&real)? else { return Ok(vec![Placed::alone(log)]) };
    let names = names_beside(&real);
    let series = Series { log: name_of_series(&start), others: others(&real, &names), names };
    Ok(series.around(start))
}

/// The names in the folder of a log; none if it cannot be listed.
fn names_beside(log: &Path) -> Vec<OsString> {
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().take(MAX_FILES).flatten();
    entries.map(|entry| entry.file_name()).collect()
}

/// The name that the log of the series has while it is written.
fn name_of_series(start: &Log) -> OsString {
    let named = start.previous_log.as_deref().or(start.closed_as.as_deref());
    named.or(Some(&start.name)).and_then(split_number).map_or(&*start.name, |(log, _)| log).to_owned()
}

/// All other logs beside `log`.
fn others(log: &Path, names: &[OsString]) -> Vec<Log> {
    let paths = names.iter().map(|name| log.with_file_name(name)).filter(|path| path != log);
    let is_file = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    paths.filter(is_file).filter_map(|path| Log::read(&path).ok().flatten()).collect()
}

struct Series {
    log: OsString,
    others: Vec<Log>,
    /// All names of the folder.
    names: Vec<OsString>,
}

impl Series {
    fn around(&self, start: Log) -> Vec<Placed> {
        let mut logs = vec![start];
        while let Some(before) = logs.first().and_then(|log| self.before(log)).filter(|log| !logs.contains(log)) {
            logs.insert(0, before.clone());
        }
        while let Some(after) = logs.last().and_then(|log| self.after(log)).filter(|log| !logs.contains(log)) {
            logs.push(after.clone());
        }
        let missing =
            logs.iter().enumerate().map(|(at, log)| self.missing_before(at.checked_sub(1).map(|at| &logs[at]), log));
        let missing: Vec<_> = missing.collect();
        let next = logs.last().and_then(|log| log.next_log.clone());
        let placed = |(log, missing): (Log, Option<Missing>)| Placed {
            closed_as: log.closed_as.clone().filter(|name| *name != log.name),
            path: log.path,
            missing,
            missing_after: None,
        };
        let mut placed: Vec<_> = logs.into_iter().zip(missing).map(placed).collect();
        if let Some(last) = placed.last_mut() {
            // It was closed, so another one was begun.
            last.missing_after = next.map(|name| self.missing(name));
        }
        placed
    }

    /// The log before `log`; if it is missing, the last one before that.
    fn before(&self, log: &Log) -> Option<&Log> {
        let by_hash = |other: &&Log| log.previous.as_ref() == Some(&other.end);
        let by_name = |other: &&Log| log.previous_log.as_deref() == Some(other.own_name());
        let named = |other: &&Log| log.previous_log.as_deref() == Some(&other.name);
        let earlier = |other: &&Log| {
            let is_closed = log.previous_log.is_some() || other.closed_as.is_some();
            log.previous.is_some() && is_closed && self.number(other).is_some_and(|number| number < self.place(log))
        };
        let both = |other: &&Log| by_name(other) && named(other);
        self.find(both)
            .or_else(|| self.find(by_hash))
            .or_else(|| self.find(by_name))
            .or_else(|| self.find(named))
            .or_else(|| self.others.iter().filter(earlier).max_by_key(|other| self.number(other)))
    }

    /// The log after `log`; if it is missing, the first one after that.
    fn after(&self, log: &Log) -> Option<&Log> {
        let by_hash = |other: &&Log| other.previous.as_ref() == Some(&log.end);
        let by_name = |other: &&Log| other.previous_log.as_deref() == Some(log.own_name());
        let later = |other: &&Log| {
            let is_later = self.is_in_series(other) && self.place(other) > self.place(log);
            is_later && other.previous.is_some() && (other.previous_log.is_some() || log.closed_as.is_some())
        };
        let both = |other: &&Log| by_name(other) && other.own_name() == other.name;
        self.find(both)
            .or_else(|| self.find(by_hash))
            .or_else(|| self.find(by_name))
            .or_else(|| self.others.iter().filter(later).min_by_key(|other| self.place(other)))
    }

    /// The log for which this holds: if there are several, such as copies, the one with the right name.
    fn find(&self, holds: impl Fn(&&Log) -> bool) -> Option<&Log> {
        let found = || self.others.iter().filter(&holds);
        found().find(|log| log.own_name() == log.name && self.is_in_series(log)).or_else(|| found().next())
    }

    fn is_in_series(&self, log: &Log) -> bool {
        log.own_name() == self.log || self.number(log).is_some()
    }

    /// The number with which the log was closed.
    fn number(&self, log: &Log) -> Option<u64> {
        split_number(log.own_name()).filter(|(name, _)| *name == self.log).map(|(_, number)| number)
    }

    /// The log that is written to comes after all others.
    fn place(&self, log: &Log) -> u64 {
        self.number(log).unwrap_or(u64::MAX)
    }

    /// The log that is missing between these.
    fn missing_before(&self, before: Option<&Log>, log: &Log) -> Option<Missing> {
        let follows = |before: &Log| {
            log.previous.as_ref() == Some(&before.end) || log.previous_log.as_deref() == Some(before.own_name())
        };
        let is_there = before.is_some_and(|before| {
            let has_name = before.closed_as.is_none() && log.previous_log.as_deref() == Some(&before.name);
            follows(before) || has_name || log.previous_log.is_none()
        });
        log.previous_log.clone().filter(|_| !is_there).map(|name| self.missing(name))
    }

    fn missing(&self, name: OsString) -> Missing {
        let compressed = COMPRESSED.into_iter().map(|suffix| {
            let mut compressed = name.clone();
            compressed.push(".");
            compressed.push(suffix);
            compressed
        });
        let compressed = compressed.into_iter().find(|name| self.names.contains(name));
        Missing { name, compressed }
    }
}

/// The compressed files among these names that may be logs of the series of `log`.
pub(super) fn compressed_beside(log: &Path) -> Vec<OsString> {
    let Some(name) = log.file_name() else { return Vec::new() };
    let name = split_number(name).map_or(name, |(log, _)| log);
    let is_compressed = |found: &OsStr| {
        let suffix = found.as_bytes().strip_prefix(name.as_bytes());
        suffix.is_some_and(|suffix| COMPRESSED.iter().any(|end| suffix.ends_with(format!(".{end}").as_bytes())))
    };
    let mut names: Vec<_> = names_beside(log).into_iter().filter(|name| is_compressed(name)).collect();
    names.sort_unstable();
    names
}
