//! What the database says of verifications.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, Row};
use towpath_backend::Timestamp;

use super::connection;
use crate::error::Result;
use crate::event::Totals;
use crate::journal::store::value::{bytes, limit, number, optional_number};
use crate::verify_result::VerifyClass;

/// The first version of the schema with verifications.
const WITH_VERIFICATION: i32 = 7;

/// What the database says of verifications ([`crate::Verification`]).
///
/// It is read as [`crate::Overview::read`] does, in milliseconds.
///
/// ```no_run
/// # fn example() -> towpath::Result<()> {
/// use towpath::{VerifyClass, VerifyOverview};
///
/// if let Some(verified) = VerifyOverview::read("backlog.db", 1, 100)? {
///     if let Some(last) = verified.passes.first() {
///         println!("{:?}: {:?}", last.selection, last.classes.get(&VerifyClass::Matches));
///     }
///     for file in &verified.not_matching {
///         println!("{} {}", file.class, String::from_utf8_lossy(&file.path));
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VerifyOverview {
    /// The last passes, the newest first.
    pub passes: Vec<RecordedVerification>,
    /// Files in sync that last did not match, by directory and name.
    pub not_matching: Vec<NotMatching>,
    /// Whether there are more of them.
    pub has_more: bool,
}

/// A pass of a verification, as the database records it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedVerification {
    /// Its number.
    pub number: i64,
    /// When it began.
    pub started: Timestamp,
    /// When it was complete. `None`: it goes on, or was interrupted.
    pub finished: Option<Timestamp>,
    /// When it last wrote a result.
    pub updated: Timestamp,
    /// Which files it checks: `unverified`, `all`, `since run 7`, `sample 1%` or `sample 1000`.
    pub selection: String,
    /// Whether both copies of files without a recorded checksum were read.
    pub hash_both: bool,
    /// The seed of the sample.
    pub seed: String,
    /// Bytes read from the sink.
    pub read_bytes: u64,
    /// Files whose copy may have been read from a cache of this machine.
    pub cached_files: u64,
    /// The files that it checks. `None`: it did not count them.
    pub selected: Option<Totals>,
    /// The files in sync.
    pub synced: Option<Totals>,
    /// The files that are not.
    pub pending: Option<Totals>,
    /// What it found, by class.
    pub classes: BTreeMap<VerifyClass, Totals>,
    /// When it ended, or else when it last began: the last results of all files in sync, of earlier passes too.
    /// `None`: not checked since they were sent.
    pub coverage: BTreeMap<Option<VerifyClass>, Totals>,
}

impl RecordedVerification {
    /// Whether it checks a random sample.
    pub fn is_sample(&self) -> bool {
        self.selection.starts_with("sample ")
    }
}

/// A file whose last check did not find what was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotMatching {
    /// The path below the roots of both trees, as raw bytes.
    pub path: Vec<u8>,
    /// What was found.
    pub class: VerifyClass,
    /// The same in words; `None` if the class says all.
    pub detail: Option<String>,
    /// When it was checked.
    pub checked: Timestamp,
    /// The size that the copy should have.
    pub size_bytes: u64,
}

impl VerifyOverview {
    /// Reads the last `passes` passes, and up to `files` files that do not match. `None`: there is no database yet.
    /// Blocks.
    ///
    /// # Errors
    /// [`crate::Error::Database`] if it cannot be read, with what to do.
    pub fn read(database: impl AsRef<Path>, passes: usize, files: usize) -> Result<Option<Self>> {
        let read = connection::read(database.as_ref(), |connection| overview(connection, passes, files))?;
        Ok(read.map(|(overview, _)| overview))
    }
}

pub(super) fn overview(connection: &Connection, passes: usize, files: usize) -> rusqlite::Result<VerifyOverview> {
    let schema: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if schema < WITH_VERIFICATION {
        return Ok(VerifyOverview::default());
    }
    let sql = "SELECT dir.path AS dir_path, file.name AS name, verify_class, verify_detail, verified,
             coalesce(kept_size, size) AS copy_size
         FROM file INDEXED BY file_not_verified CROSS JOIN dir ON dir.id = file.dir
         WHERE verify_class >= 2 AND status = 1
         ORDER BY file.dir, file.name LIMIT ?1";
    let rows = limit(files.saturating_add(1));
    let mut query = connection.prepare(sql)?;
    let mut not_matching = query.query_map([rows], not_matching)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let has_more = not_matching.len() > files;
    not_matching.truncate(files);
    let mut found = connection
        .prepare("SELECT * FROM verify_pass ORDER BY id DESC LIMIT ?1")?
        .query_map([limit(passes)], pass)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for pass in &mut found {
        let mut classes = connection.prepare("SELECT class, files, bytes FROM verify_count WHERE pass = ?1")?;
        let counts = classes.query_map([pass.number], |row| Ok((row.get("class")?, totals(row)?)))?;
        pass.classes = counts.collect::<rusqlite::Result<_>>()?;
        let mut coverage = connection
            .prepare("SELECT nullif(class, -1) AS class, files, bytes FROM verify_coverage WHERE pass = ?1")?;
        let counts = coverage.query_map([pass.number], |row| Ok((row.get("class")?, totals(row)?)))?;
        pass.coverage = counts.collect::<rusqlite::Result<_>>()?;
    }
    Ok(VerifyOverview { passes: found, not_matching, has_more })
}

fn totals(row: &Row<'_>) -> rusqlite::Result<Totals> {
    Ok(Totals::new(number(row, "files")?, number(row, "bytes")?.into()))
}

fn pass(row: &Row<'_>) -> rusqlite::Result<RecordedVerification> {
    let optional = |files: &str, bytes: &str| -> rusqlite::Result<Option<Totals>> {
        let both = optional_number(row, files)?.zip(optional_number(row, bytes)?);
        Ok(both.map(|(files, bytes)| Totals::new(files, bytes.into())))
    };
    Ok(RecordedVerification {
        number: row.get("id")?,
        started: Timestamp::from_ns(row.get("started")?),
        finished: row.get::<_, Option<i64>>("finished")?.map(Timestamp::from_ns),
        updated: Timestamp::from_ns(row.get("updated")?),
        selection: row.get("selection")?,
        hash_both: row.get("hash_both")?,
        seed: row.get("seed")?,
        read_bytes: number(row, "read_bytes")?,
        cached_files: number(row, "cached_files")?,
        selected: optional("selected_files", "selected_bytes")?,
        synced: optional("synced_files", "synced_bytes")?,
        pending: optional("pending_files", "pending_bytes")?,
        classes: BTreeMap::new(),
        coverage: BTreeMap::new(),
    })
}

fn not_matching(row: &Row<'_>) -> rusqlite::Result<NotMatching> {
    let (dir, name) = (bytes(row, "dir_path")?, bytes(row, "name")?);
    Ok(NotMatching {
        path: if dir.is_empty() { name } else { [&dir[..], b"/", &name].concat() },
        class: row.get("verify_class")?,
        detail: row.get("verify_detail")?,
        checked: Timestamp::from_ns(row.get::<_, Option<i64>>("verified")?.unwrap_or(0)),
        size_bytes: number(row, "copy_size")?,
    })
}
