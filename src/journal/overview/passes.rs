//! What each run found, sent and deleted, to see how passes shrink.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row};
use towpath_backend::Timestamp;

use super::model::RecordedRun;
use super::{connection, queries};
use crate::error::Result;
use crate::event::{Counts, Totals};
use crate::journal::rates;
use crate::journal::store::value::optional_number;
use crate::progress::RateSample;

/// The first version of the schema that records what a scan found.
const WITH_FOUND: i32 = 7;
/// The first version of the schema with samples.
const WITH_SAMPLES: i32 = 5;

/// The runs of a migration, and what is needed to forecast the next ([`Self::forecast`](crate::Passes::forecast)).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Passes {
    /// The root of the source, as raw bytes.
    pub source: Vec<u8>,
    /// The root of the sink, as raw bytes.
    pub sink: Vec<u8>,
    /// The last runs, the oldest first.
    pub passes: Vec<RecordedPass>,
    /// How fast files were sent.
    pub samples: Vec<RateSample>,
}

/// A run, with its scan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedPass {
    /// The run.
    pub run: RecordedRun,
    /// Its scan; `None`: it resumed an earlier backlog.
    pub scan: Option<RecordedScan>,
    /// The lowest and the highest fixed limit under which it sent files. `None`: none, an adaptive one, or it sent
    /// nothing for a second.
    pub limits_bytes_per_s: Option<RangeInclusive<u64>>,
}

/// A scan, as the database records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedScan {
    /// When it began.
    pub started: Timestamp,
    /// When it was complete; `None`: it was not.
    pub finished: Option<Timestamp>,
    /// What the source contained.
    pub source: Counts,
    /// What was to be sent then. `None`: an earlier version recorded it, or it is not complete.
    pub found: Option<Totals>,
}

impl RecordedScan {
    /// How long it took; `None`: it is not complete.
    pub fn duration(&self) -> Option<Duration> {
        between(self.started, self.finished?)
    }
}

impl RecordedPass {
    /// How long the run took; `None`: it still runs, or it was killed.
    pub fn duration(&self) -> Option<Duration> {
        between(self.run.started, self.run.finished?)
    }
}

fn between(from: Timestamp, to: Timestamp) -> Option<Duration> {
    u64::try_from(to.total_ns() - from.total_ns()).ok().map(Duration::from_nanos)
}

impl Passes {
    /// Reads the database of a migration with at most the `runs` newest runs, as [`crate::Overview::read`] does. `None`:
    /// there is no database yet.
    ///
    /// # Errors
    /// [`crate::Error::Database`] if it cannot be read, with what to do.
    pub fn read(database: impl AsRef<Path>, runs: usize) -> Result<Option<Self>> {
        let read = connection::read(database.as_ref(), |connection| passes(connection, runs))?;
        Ok(read.map(|(passes, _)| passes))
    }
}

fn passes(connection: &Connection, runs: usize) -> rusqlite::Result<Passes> {
    let schema = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let overview = queries::overview(connection, 0)?;
    let samples = match schema {
        WITH_SAMPLES.. => {
            connection.prepare(rates::ALL)?.query_map([], rates::sample)?.collect::<rusqlite::Result<Vec<_>>>()?
        }
        _ => Vec::new(),
    };
    let mut runs = queries::last_runs(connection, schema, runs)?;
    runs.reverse();
    let pass = |run: RecordedRun| {
        let scan = scan_of(connection, schema, run.number)?;
        let limits_bytes_per_s = limits(&samples, &run);
        Ok(RecordedPass { run, scan, limits_bytes_per_s })
    };
    let passes = runs.into_iter().map(pass).collect::<rusqlite::Result<_>>()?;
    Ok(Passes { source: overview.source, sink: overview.sink, passes, samples })
}

/// The last scan of a run.
fn scan_of(connection: &Connection, schema: i32, run: i64) -> rusqlite::Result<Option<RecordedScan>> {
    let found =
        if schema < WITH_FOUND { "NULL AS found_files, NULL AS found_bytes" } else { "found_files, found_bytes" };
    let sql = format!(
        "SELECT started, finished, source_files, source_dirs, source_bytes, sink_files, sink_dirs, sink_bytes, {found}
         FROM scan WHERE run = ?1 ORDER BY id DESC LIMIT 1"
    );
    let read = |row: &Row<'_>| {
        let found = optional_number(row, "found_files")?.zip(optional_number(row, "found_bytes")?);
        Ok(RecordedScan {
            started: Timestamp::from_ns(row.get("started")?),
            finished: row.get::<_, Option<i64>>("finished")?.map(Timestamp::from_ns),
            source: queries::both_counts(row)?.0,
            found: found.map(|(files, bytes)| Totals::new(files, bytes.into())),
        })
    };
    connection.query_row(&sql, [run], read).optional()
}

/// The limits in force while a run sent files.
fn limits(samples: &[RateSample], run: &RecordedRun) -> Option<RangeInclusive<u64>> {
    let during = samples.iter().filter(|sample| {
        sample.start >= run.started && run.finished.or(run.updated).is_none_or(|end| sample.start <= end)
    });
    let mut limits = during.filter_map(|sample| sample.limit_bytes_per_s);
    let first = limits.next()?;
    Some(limits.fold(first..=first, |range, limit| (*range.start()).min(limit)..=(*range.end()).max(limit)))
}
