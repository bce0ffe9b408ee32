//! Completing a batch, with the rotation before it.

use std::sync::Arc;

use super::AuditLog;
use crate::audit::batch::{Batch, Rotation};
use crate::audit::rotation;
use crate::error::Result;
use crate::event::Warning;
use crate::private_file;

impl AuditLog {
    /// Appends the missing part of a batch, whose append may have been interrupted at any step.
    pub(crate) fn complete_batch(&mut self, batch: &Batch) -> Result<()> {
        match &batch.rotation {
            None => self.complete(batch.length, &batch.lines),
            Some(rotation) if self.rotate(batch.length, rotation)? => self.complete(0, &batch.lines),
            Some(rotation) => self.complete(batch.length, &[&rotation.closing[..], &batch.lines].concat()),
        }
    }

    /// Gives the log, of which `length` bytes were written before, its number and its last line, as far as that has not
    /// happened yet; opens the next one. Returns false if it goes on in the same file: renaming failed, or it has
    /// failed before.
    fn rotate(&mut self, length: u64, Rotation { closed, closing }: &Rotation) -> Result<bool> {
        if self.was_moved()? {
            self.open_again()?;
        }
        let closed = &self.real.with_file_name(closed);
        // The name was free when the batch was committed.
        let is_renamed = std::fs::metadata(closed).is_ok_and(|found| found.len() >= length);
        if !is_renamed {
            // It is another log; or renaming failed, and it has been appended to.
            if self.length()? != length {
                return Ok(false);
            }
            if let Err(error) = rotation::rename_new(&self.real, closed) {
                self.keeps_name = true;
                self.warnings.push(Warning::LogNotRotated { log: self.path.clone(), error: Arc::new(error) });
                return Ok(false);
            }
            failpoint!("log-renamed");
        }
        closed.parent().into_iter().for_each(private_file::sync_folder);
        let mut old = Self::open(closed)?;
        old.complete(length, closing)?;
        old.sync()?;
        self.warnings.append(&mut old.warnings);
        failpoint!("log-closed");
        self.open_again()?;
        failpoint!("log-begun");
        Ok(true)
    }
}
