//! The rate samples in the database.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row, params};
use towpath_backend::Timestamp;

use crate::error::{Error, Result};
use crate::journal::handle::Journal;
use crate::journal::store::db::Db;
use crate::journal::store::failure::{self, of_sqlite};
use crate::journal::store::value::{number, optional_number, signed};
use crate::progress::{RateSample, RoundTrips, thin};

/// With or without the columns of schema 7.
pub(in crate::journal) const ALL: &str = "SELECT * FROM sample ORDER BY start";

impl Journal {
    /// All samples that are kept at `now`, after the others have been removed.
    pub(crate) async fn thin_samples(&self, now: Timestamp) -> Result<Vec<RateSample>> {
        self.call(move |db| db.thin_samples(now)).await
    }

    /// Adds a sample. It is committed with the next transaction, and costs no sync of its own.
    pub(crate) async fn add_sample(&self, sample: RateSample) -> Result<()> {
        self.call(move |db| db.add_sample(&sample)).await
    }
}

impl Db {
    pub(in crate::journal) fn add_sample(&self, sample: &RateSample) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO sample(start, duration_ms, paused_ms, files, bytes, limit_bytes_per_s, written_bytes,
                 peak_bytes_per_s, source_requests, source_median_us, source_p95_us, sink_requests, sink_median_us,
                 sink_p95_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                stored_start(sample),
                milliseconds(sample.duration),
                milliseconds(sample.paused),
                signed(sample.files),
                signed(sample.bytes),
                sample.limit_bytes_per_s.map(signed),
                sample.written_bytes.map(signed),
                sample.peak_bytes_per_s.map(signed),
                sample.source_round_trips.map(|taken| signed(taken.requests)),
                sample.source_round_trips.map(|taken| microseconds(taken.median)),
                sample.source_round_trips.map(|taken| microseconds(taken.p95)),
                sample.sink_round_trips.map(|taken| signed(taken.requests)),
                sample.sink_round_trips.map(|taken| microseconds(taken.median)),
                sample.sink_round_trips.map(|taken| microseconds(taken.p95)),
            ],
        )
        .map(drop)
    }

    pub(in crate::journal) fn thin_samples(&self, now: Timestamp) -> Result<Vec<RateSample>> {
        let stored = self.rows(ALL, [], sample)?;
        let kept = thin(&stored, now.seconds());
        let is_kept = |one: &&RateSample| kept.binary_search_by_key(&one.start, |kept| kept.start).is_ok();
        for gone in stored.iter().filter(|one| !is_kept(one)) {
            self.execute("DELETE FROM sample WHERE start = ?1", [stored_start(gone)])?;
        }
        let stored_at = |start| stored.binary_search_by_key(&start, |stored| stored.start).ok();
        let is_stored = |one: &&RateSample| stored_at(one.start).is_some_and(|at| stored[at] == **one);
        for changed in kept.iter().filter(|one| !is_stored(one)) {
            self.add_sample(changed)?;
        }
        Ok(kept)
    }
}

/// The samples of a database, which is only read. A database that does not exist, or of an earlier version, has none.
pub(crate) fn read_samples(path: &Path) -> Result<Vec<RateSample>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let read = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        samples(&connection)
    };
    read().map_err(|error: rusqlite::Error| -> Error { failure::at(path, of_sqlite(error)) })
}

/// All samples; a database of an earlier version has none.
pub(in crate::journal) fn samples(connection: &Connection) -> rusqlite::Result<Vec<RateSample>> {
    let has_samples = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'sample'";
    if !connection.prepare(has_samples)?.exists([])? {
        return Ok(Vec::new());
    }
    connection.prepare(ALL)?.query_map([], sample)?.collect()
}

pub(in crate::journal) fn sample(row: &Row<'_>) -> rusqlite::Result<RateSample> {
    let duration = |column| number(row, column).map(Duration::from_millis);
    let mut sample = RateSample::new(Timestamp::from_ns(row.get("start")?), duration("duration_ms")?);
    sample.paused = duration("paused_ms")?;
    sample.files = number(row, "files")?;
    sample.bytes = number(row, "bytes")?;
    let limit: Option<i64> = row.get("limit_bytes_per_s")?;
    sample.limit_bytes_per_s = limit.and_then(|limit| u64::try_from(limit).ok());
    if row.as_ref().column_index("written_bytes").is_ok() {
        sample.written_bytes = optional_number(row, "written_bytes")?;
        sample.peak_bytes_per_s = optional_number(row, "peak_bytes_per_s")?;
        sample.source_round_trips = round_trips(row, ["source_requests", "source_median_us", "source_p95_us"])?;
        sample.sink_round_trips = round_trips(row, ["sink_requests", "sink_median_us", "sink_p95_us"])?;
    }
    Ok(sample)
}

fn round_trips(row: &Row<'_>, columns: [&str; 3]) -> rusqlite::Result<Option<RoundTrips>> {
    let [requests, median, p95] = columns;
    let time = |column| Ok::<_, rusqlite::Error>(optional_number(row, column)?.map(Duration::from_micros));
    let Some(requests) = optional_number(row, requests)? else { return Ok(None) };
    Ok(time(median)?.zip(time(p95)?).map(|(median, p95)| RoundTrips::new(requests, median, p95)))
}

/// Nanoseconds since 1970.
fn stored_start(sample: &RateSample) -> i64 {
    i64::try_from(sample.start.total_ns()).unwrap_or(i64::MAX)
}

fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
