//! The figures at one moment.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;
use towpath::{Bandwidth, Side, database_files};

use super::about::About;
use super::catalog as of;
use super::exposition::{Figures, Value};
use super::moment::{Counted, Moment};
use crate::status::model::State;

/// The states that a run can have.
const STATES: [State; 8] = [
    State::Scanning,
    State::Transferring,
    State::Mirroring,
    State::Finalizing,
    State::Paused,
    State::Finished,
    State::Stopped,
    State::Failed,
];

/// The figures of this moment. A figure that is unknown is absent.
pub(super) fn gather(moment: &Moment<'_>) -> Figures {
    let mut figures = Figures::with_label("migration", moment.about.migration.clone());
    add_run(moment, &mut figures);
    add_recorded(moment, &mut figures);
    add_amounts(moment, &mut figures);
    add_speed(moment, &mut figures);
    add_times(moment, &mut figures);
    add_database(moment, &mut figures);
    figures
}

fn add_run(moment: &Moment<'_>, figures: &mut Figures) {
    let About { checksum, source_kind, destination_kind, .. } = moment.about;
    figures.add_with(&of::RUN, [env!("CARGO_PKG_VERSION"), checksum, source_kind, destination_kind], 1_u64);
    let state = moment.ended.map_or(moment.status.state, |ended| ended.state);
    for of_all in STATES {
        figures.add_with(&of::STATE, [of_all.name()], of_all == state);
    }
    if let Some(started) = moment.status.started {
        figures.add(&of::RUN_START, seconds_of(started));
    }
    if let Some(ended) = moment.ended {
        figures.add(&of::RUN_END, seconds_of(ended.at));
        figures.add(&of::EXIT_STATUS, u64::from(ended.exit_status));
    }
    figures.add(&of::COLLECTED, seconds_of(moment.now));
}

/// What continues over runs. Absent until it is known: from 0 it would seem to rise by all that earlier runs did.
fn add_recorded(moment: &Moment<'_>, figures: &mut Figures) {
    let Counted { retried, skipped, vanished, .. } = moment.counted;
    for (outcome, files) in [("retried", retried), ("skipped", skipped), ("vanished", vanished)] {
        figures.add_with(&of::FILES, [outcome], *files);
    }
    let Some(recorded) = &moment.snapshot.recorded else { return };
    for (outcome, totals) in [("synced", recorded.sent), ("failed", recorded.failed)] {
        figures.add_with(&of::FILES, [outcome], totals.files);
        figures.add_with(&of::BYTES, [outcome], totals.bytes);
    }
    for failures in &recorded.failures {
        let side = failures.side.map_or("none", side_name);
        figures.add_with(&of::ERRORS, [&failures.kind, side], failures.count);
    }
    figures.add_with(&of::DELETED, ["file"], recorded.deleted_files);
    figures.add_with(&of::DELETED, ["directory"], recorded.deleted_dirs);
    if let Some(committed) = recorded.committed {
        figures.add(&of::COMMIT, committed.total_ns() as f64 / 1e9);
    }
}

fn add_amounts(moment: &Moment<'_>, figures: &mut Figures) {
    let Moment { snapshot, status, .. } = moment;
    figures.add(&of::READ, snapshot.read_bytes);
    figures.add(&of::WRITTEN, snapshot.written_bytes);
    figures.add(&of::BACKLOG_FILES, snapshot.pending.files);
    figures.add(&of::BACKLOG_BYTES, snapshot.pending.bytes);
    if let Some(files) = status.files.synced {
        figures.add(&of::IN_SYNC_FILES, files.0);
    }
    if let Some(bytes) = status.bytes.synced {
        figures.add(&of::IN_SYNC_BYTES, bytes.0);
    }
    figures.add(&of::IN_FLIGHT, snapshot.current.len() as u64);
    for (side, counts) in [(Side::Source, snapshot.source), (Side::Sink, snapshot.sink)] {
        figures.add_with(&of::SCAN, [side_name(side), "file"], counts.files);
        figures.add_with(&of::SCAN, [side_name(side), "directory"], counts.dirs);
    }
}

fn add_speed(moment: &Moment<'_>, figures: &mut Figures) {
    let Moment { snapshot, status, .. } = moment;
    if let Some(rate) = status.rate_bytes_per_s.now {
        figures.add(&of::RATE, rate);
    }
    let adaptive = snapshot.adaptive_limit;
    figures.add(&of::LIMITED, snapshot.bandwidth != Bandwidth::Unlimited);
    if let Some(limit) = snapshot.limit_bytes_per_s() {
        figures.add(&of::LIMIT, limit);
    }
    if let Some(adaptive) = adaptive {
        figures.add(&of::LINK_DELAY, adaptive.delay.as_secs_f64());
        figures.add(&of::LINK_BASE, adaptive.base_round_trip.as_secs_f64());
    }
    for (cause, time) in moment.lane_time {
        figures.add_with(&of::LANE_TIME, [cause.name()], time.as_secs_f64());
    }
    if let Some(fill) = snapshot.queue_fill {
        figures.add(&of::QUEUE, fill);
    }
}

fn add_times(moment: &Moment<'_>, figures: &mut Figures) {
    let Moment { snapshot, status, about, .. } = moment;
    for (percentile, eta) in [("p50", status.eta.p50), ("p90", status.eta.p90)] {
        if let Some(eta) = eta {
            figures.add_with(&of::ETA, [percentile], seconds_of(eta));
        }
    }
    if let Some(deadline) = about.deadline {
        figures.add(&of::DEADLINE, seconds_of(deadline));
    }
    figures.add(&of::PROGRESS, seconds_of(moment.last_progress));
    figures.add(&of::STALLED, status.stalled.is_some() && moment.ended.is_none());
    figures.add(&of::PAUSED, snapshot.paused && moment.ended.is_none());
}

/// Both are absent where the file system does not answer with them.
fn add_database(moment: &Moment<'_>, figures: &mut Figures) {
    let database = &moment.about.database;
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
    if database.exists() {
        // A path without links is listed twice.
        let files: BTreeSet<_> = database_files(database).into_iter().collect();
        figures.add(&of::DATABASE, files.iter().map(size).sum::<u64>());
    }
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Ok(space) = rustix::fs::statvfs(folder.unwrap_or_else(|| ".".as_ref())) {
        figures.add(&of::DATABASE_FREE, space.f_bavail.saturating_mul(space.f_frsize));
    }
}

fn seconds_of(time: Timestamp) -> Value {
    Value::Real(time.as_nanosecond() as f64 / 1e9)
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Sink => "destination",
    }
}
