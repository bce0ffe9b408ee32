//! A copy of the database for a dry run, which uses the same records as a real run and changes nothing.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, params};
use towpath_backend::{Capabilities, Identity};

use crate::error::{DatabaseError, Result};
use crate::event::Side;
use crate::journal::dry_run::probe;
use crate::journal::handle::Journal;
use crate::journal::store::failure;
use crate::journal::store::open::{Roots, open_beside_others};
use crate::journal::store::value::Name;

/// What a database records of its sink.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RecordedSink {
    /// Its identity at the last complete scan.
    pub identity: Option<Identity>,
    /// The capabilities that the last run with write access found.
    pub capabilities: Option<Capabilities>,
}

impl Journal {
    /// Records the capabilities that a run found at its sink, for dry runs.
    pub(crate) async fn record_capabilities(&self, capabilities: Capabilities) -> Result<()> {
        self.call(move |db| {
            let sql = "UPDATE tree SET probe = ?2 WHERE side = ?1";
            db.execute(sql, params![Side::Sink, probe::to_text(&capabilities)]).map(drop)
        })
        .await
    }
}

/// Copies a consistent snapshot of the database of these trees from `from` to the new file `to`, even while a
/// run is writing to it. `None`: the database does not exist yet.
pub(crate) fn copy(from: &Path, to: &Path, roots: &Roots) -> Result<Option<RecordedSink>> {
    let Some(connection) = open_beside_others(from, roots)? else { return Ok(None) };
    let failed = |error: rusqlite::Error| {
        failure::at(from, DatabaseError::NotCopied { copy: to.to_owned(), error: Arc::new(error) })
    };
    connection.execute("VACUUM INTO ?1", [Name(to.as_os_str().as_bytes())]).map_err(failed)?;
    drop(connection);
    recorded_sink(to).map(Some).map_err(failed)
}

/// Reads what the copy records of its sink, and clears what belongs to the log, since the dry run has another one.
fn recorded_sink(copy: &Path) -> rusqlite::Result<RecordedSink> {
    let connection = Connection::open(copy)?;
    connection.execute("DELETE FROM outbox", [])?;
    if connection.prepare("SELECT last FROM chain").is_ok() {
        connection.execute("DELETE FROM chain", [])?;
    }
    let has_probe = connection.prepare("SELECT probe FROM tree").is_ok();
    let sql =
        format!("SELECT identity, {} AS probe FROM tree WHERE side = ?1", if has_probe { "probe" } else { "NULL" });
    connection.query_row(&sql, [Side::Sink], |row| {
        Ok(RecordedSink {
            identity: row.get::<_, Option<String>>("identity")?.map(Identity::new),
            capabilities: row.get::<_, Option<String>>("probe")?.and_then(|text| probe::from_text(&text)),
        })
    })
}
