//! Reading an overview.

use std::path::Path;

use super::model::Overview;
use super::{connection, queries};
use crate::error::Result;
use crate::journal::store::lock_holder::lock_holder;

impl Overview {
    /// Reads the database of a migration with at most the `runs` newest runs. `None`: there is no database yet.
    ///
    /// Another process may run the migration meanwhile: it is neither blocked nor slowed down, and no file is changed
    /// or created, even after a run that was killed. Do not call it in the process of a run, whose locks on the
    /// database it would release. Blocks.
    ///
    /// # Errors
    /// [`crate::Error::Database`] if it cannot be read, with what to do.
    pub fn read(database: impl AsRef<Path>, runs: usize) -> Result<Option<Self>> {
        let read = connection::read(database.as_ref(), |connection| queries::overview(connection, runs))?;
        Ok(read.map(|(overview, file)| {
            let recorded = overview.runs.first().and_then(|run| run.pid);
            Self { process: lock_holder(&file, recorded), ..overview }
        }))
    }
}
