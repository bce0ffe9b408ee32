//! The log file: appends whole lines, repairs an incomplete last line, rotates, and reopens after it was moved.

mod batches;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::Batch;
use super::rotation;
use crate::error::{AuditLogError, Error, Result};
use crate::event::Warning;
use crate::private_file::{self, Access, PrivateFile};

/// The log, open for appending.
#[derive(Debug)]
pub(crate) struct AuditLog {
    file: File,
    path: PathBuf,
    /// The canonical path.
    real: PathBuf,
    warnings: Vec<Warning>,
    /// What could not be appended.
    unfinished: Option<Batch>,
    /// Length known to be on disk; `None`: unknown.
    durable_bytes: Option<u64>,
    /// It could not be renamed.
    keeps_name: bool,
}

impl AuditLog {
    /// Opens the log; creates it and its folder if missing.
    ///
    /// # Errors
    /// [`Error::AuditLog`] if it cannot be written, or if [`private_file`] rejects it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut opened = open(path)?;
        opened.tighten();
        let PrivateFile { file, path: real, warnings, .. } = opened;
        let path = path.to_owned();
        Ok(Self { file, path, real, warnings, unfinished: None, durable_bytes: None, keeps_name: false })
    }

    /// Checks that [`Self::open`] can succeed: creates a missing log, does not change an existing one.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn check(path: &Path) -> Result<()> {
        open(path).map(drop)
    }

    /// Its path, as it was given.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its canonical path.
    pub(crate) fn real_path(&self) -> &Path {
        &self.real
    }

    /// Checks that it can be renamed.
    ///
    /// # Errors
    /// [`Error::AuditLog`], with what to do.
    pub(crate) fn check_rotation(&self) -> Result<()> {
        let problem = rotation::why_not_renamed(&self.real, &self.file);
        problem.map_or(Ok(()), |problem| {
            Err(Error::AuditLog { path: self.path.clone(), error: AuditLogError::CannotRotate(problem) })
        })
    }

    /// Whether nothing is known that prevents a rotation.
    pub(crate) fn can_rotate(&self) -> bool {
        !self.keeps_name
    }

    /// Returns the warnings collected since the last call.
    pub(crate) fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::AuditLog { path: self.path.clone(), error: AuditLogError::CannotWrite(Arc::new(error)) }
    }

    fn length(&self) -> Result<u64> {
        self.file.metadata().map(|metadata| metadata.len()).map_err(|error| self.failed(error))
    }

    #[cfg(test)]
    pub(crate) fn durable_bytes(&self) -> Option<u64> {
        self.durable_bytes
    }

    /// Appends a batch. If that fails, [`Self::complete_and_sync`] completes it. If the log was moved since, the lines
    /// are written to the start of a new one: the old one may already be compressed.
    pub(crate) fn append(&mut self, mut batch: Batch) -> Result<()> {
        self.try_append(&mut batch).inspect_err(|_| self.unfinished = Some(batch))
    }

    fn try_append(&mut self, batch: &mut Batch) -> Result<()> {
        if batch.rotation.is_some() {
            return self.complete_batch(batch);
        }
        if self.was_moved()? {
            batch.length = self.reopen()?;
        }
        self.write(&batch.lines)
    }

    /// Another process has completed what this one could not append.
    pub(crate) fn forget_unfinished(&mut self) {
        self.unfinished = None;
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        (&self.file).write_all(bytes).map_err(|error| self.failed(error))
    }

    /// Completes a failed append, syncs the log, and reopens it if it was rotated.
    /// Returns the length at which the next lines are appended.
    pub(crate) fn complete_and_sync(&mut self) -> Result<u64> {
        if let Some(batch) = self.unfinished.take()
            && let Err(error) = self.complete_batch(&batch)
        {
            self.unfinished = Some(batch);
            return Err(error);
        }
        let length = self.sync()?;
        if self.was_moved()? { self.reopen() } else { Ok(length) }
    }

    /// Opens the file that is at the path now, or creates it; returns its length.
    fn reopen(&mut self) -> Result<u64> {
        self.open_again()?;
        self.end_line()?;
        self.sync()
    }

    /// Opens the file that is at the path now, or creates it.
    fn open_again(&mut self) -> Result<()> {
        let mut opened = Self::open(&self.path)?;
        opened.warnings.splice(..0, self.take_warnings());
        *self = Self { keeps_name: self.keeps_name, ..opened };
        Ok(())
    }

    fn sync(&mut self) -> Result<u64> {
        let length = self.length()?;
        if self.durable_bytes != Some(length) {
            self.file.sync_data().map_err(|error| self.failed(error))?;
            self.durable_bytes = Some(length);
        }
        Ok(length)
    }

    /// Whether the path has another file, or none: the log was rotated.
    fn was_moved(&self) -> Result<bool> {
        let mine = self.file.metadata().map_err(|error| self.failed(error))?;
        match std::fs::metadata(&self.path) {
            Ok(there) => Ok((there.dev(), there.ino()) != (mine.dev(), mine.ino())),
            Err(error) => Ok(error.kind() == std::io::ErrorKind::NotFound),
        }
    }

    /// Appends the missing part of `lines`, whose append at `length` may have been interrupted. A log that was replaced
    /// since gets all of them. Removes what a power cut left in their place (zeros, part of a line), but keeps lines
    /// that others wrote.
    pub(crate) fn complete(&mut self, length: u64, lines: &[u8]) -> Result<()> {
        // The bytes found may be in the page cache only.
        self.durable_bytes = None;
        let end = self.length()?;
        let mut there = Vec::new();
        (&self.file).seek(SeekFrom::Start(length)).map_err(|error| self.failed(error))?;
        (&self.file).take(lines.len() as u64).read_to_end(&mut there).map_err(|error| self.failed(error))?;
        let same = there.iter().zip(lines).take_while(|(there, line)| there == line).count();
        if same == lines.len() {
            return Ok(());
        }
        let is_last = end.checked_sub(length) == Some(there.len() as u64);
        if is_last && !has_lines_of_others(&there, lines) && self.truncate(length, same, there.len()) {
            if same == 0 {
                self.end_line()?;
            }
            return self.write(&lines[same..]);
        }
        self.end_line()?;
        let missing = self.missing(length, lines)?;
        self.write(&missing)
    }

    /// Like [`Self::complete`], for lines that another process committed: if it rotated the log, or the log was rotated
    /// since, they are in the file that is open here or in the new one.
    pub(crate) fn complete_of_another(&mut self, batch: &Batch) -> Result<()> {
        if batch.rotation.is_none() && self.was_moved()? {
            let is_complete = self.has(batch.length, &batch.lines)?;
            self.sync()?;
            self.reopen()?;
            if is_complete {
                return Ok(());
            }
        }
        self.complete_batch(batch)
    }

    /// Whether the file that is open has these lines at `length`.
    fn has(&self, length: u64, lines: &[u8]) -> Result<bool> {
        let mut there = vec![0; lines.len()];
        match self.file.read_exact_at(&mut there, length) {
            Ok(()) => Ok(there == lines),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Truncates the log, whose last `there` bytes begin at `length`, after the first `same` of these;
    /// returns whether nothing follows them now.
    fn truncate(&mut self, length: u64, same: usize, there: usize) -> bool {
        if same == there {
            return true;
        }
        // An append-only file (`chattr +a`) cannot be truncated.
        if self.file.set_len(length + same as u64).is_err() {
            return false;
        }
        let damaged_bytes = (there - same) as u64;
        self.warnings.push(Warning::LogRepaired { log: self.path.clone(), damaged_bytes });
        true
    }

    /// The `lines` that the log does not contain after its first `length` bytes.
    fn missing(&self, length: u64, lines: &[u8]) -> Result<Vec<u8>> {
        let mut there = HashSet::new();
        let ours: HashSet<_> = lines.split_inclusive(|&byte| byte == b'\n').collect();
        let mut log = BufReader::new(&self.file);
        // A shorter log is a new one: the lines may be at its start.
        let from = if length > self.length()? { 0 } else { length };
        log.seek(SeekFrom::Start(from)).map_err(|error| self.failed(error))?;
        let mut line = Vec::new();
        while log.read_until(b'\n', &mut line).map_err(|error| self.failed(error))? > 0 {
            if let Some(&ours) = ours.get(&line[..]) {
                there.insert(ours);
            }
            line.clear();
        }
        let missing = lines.split_inclusive(|&byte| byte == b'\n').filter(|line| !there.contains(line));
        Ok(missing.collect::<Vec<_>>().concat())
    }

    /// Terminates a incomplete last line, so that no other line is joined to it.
    pub(crate) fn end_line(&mut self) -> Result<()> {
        let Some(last) = self.length()?.checked_sub(1) else { return Ok(()) };
        let mut byte = [0];
        let read = (&self.file).seek(SeekFrom::Start(last)).and_then(|_| (&self.file).read(&mut byte));
        if read.map_err(|error| self.failed(error))? == 0 || byte == *b"\n" {
            return Ok(());
        }
        self.write(b"\n")?;
        self.warnings.push(Warning::LogLineIncomplete { log: self.path.clone() });
        Ok(())
    }
}

fn open(path: &Path) -> Result<PrivateFile> {
    private_file::open(path, Access::Append)
        .map_err(|error| Error::AuditLog { path: path.to_owned(), error: AuditLogError::CannotOpen(Arc::new(error)) })
}

/// Whether `there` contains complete text lines that are not in `ours`.
fn has_lines_of_others(there: &[u8], ours: &[u8]) -> bool {
    let ours: HashSet<_> = ours.split_inclusive(|&byte| byte == b'\n').collect();
    let is_text = |line: &[u8]| std::str::from_utf8(line).is_ok_and(|line| !line.trim_end().contains(char::is_control));
    there
        .split_inclusive(|&byte| byte == b'\n')
        .any(|line| line.ends_with(b"\n") && !ours.contains(line) && is_text(line))
}

#[cfg(test)]
mod tests;
