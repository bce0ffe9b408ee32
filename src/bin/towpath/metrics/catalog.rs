//! All metrics: the only place that names them. `docs/metrics.md` has a table of them, which a test makes.

use super::exposition::{Kind, Metric};

macro_rules! metrics {
    ($($name:ident: $kind:ident $stem:literal $(in $unit:literal)? [$($label:literal),*] $help:literal;)+) => {
        $(pub(super) static $name: Metric = Metric {
            kind: Kind::$kind,
            stem: $stem,
            unit: metrics!(@unit $($unit)?),
            labels: &[$($label),*],
            help: $help,
        };)+
        /// All metrics, in the order of the documentation.
        #[cfg(test)]
        pub(super) static ALL: &[&Metric] = &[$(&$name),+];
    };
    (@unit) => { None };
    (@unit $unit:literal) => { Some($unit) };
}

metrics! {
    RUN: Info "run" ["version", "checksum", "source_kind", "destination_kind"]
        "The run: Towpath's version, its checksum, and what source and destination are, local or the scheme of a URL";
    RUN_START: Gauge "run_start_timestamp" in "seconds" [] "When the run began, in Unix time";
    STATE: Gauge "state" ["state"]
        "What the run is doing, or how it ended: 1 for that state and 0 for the others";
    RUN_END: Gauge "run_end_timestamp" in "seconds" [] "When the run ended, in Unix time; absent before";
    EXIT_STATUS: Gauge "run_exit_status" []
        "The exit status of the run that ended: 0 if all files are in sync; absent before";
    COLLECTED: Gauge "collected_timestamp" in "seconds" [] "When these figures were taken, in Unix time";

    FILES: Counter "files" ["outcome"]
        "Files by outcome: synced and failed over all runs of the migration, retried, skipped and vanished in this run";
    BYTES: Counter "file" in "bytes" ["outcome"] "Sizes of the files that were synced or failed, over all runs of the migration";
    ERRORS: Counter "errors" ["kind", "side"]
        "Files that failed and entries that could not be read, over all runs of the migration";
    DELETED: Counter "deleted_entries" ["type"]
        "Entries deleted from the destination, or moved to its trash, over all runs of the migration";
    READ: Counter "read" in "bytes" [] "Bytes read from the source by this run";
    WRITTEN: Counter "written" in "bytes" [] "Bytes written to the destination by this run, files in flight included";

    BACKLOG_FILES: Gauge "backlog_files" [] "Files that are still to be sent: those found so far while scanning";
    BACKLOG_BYTES: Gauge "backlog" in "bytes" [] "Sizes of the files that are still to be sent";
    IN_SYNC_FILES: Gauge "in_sync_files" [] "Files of the source that are in sync; absent while scanning";
    IN_SYNC_BYTES: Gauge "in_sync" in "bytes" [] "Sizes of the files that are in sync; absent while scanning";
    IN_FLIGHT: Gauge "in_flight_files" [] "Files that are being sent right now";
    SCAN: Gauge "scan_entries" ["side", "type"] "Entries that the scan has found so far, or found";

    RATE: Gauge "rate" in "bytes_per_second" [] "Mean rate of writing over the last minute";
    LIMITED: Gauge "limited" [] "Whether a bandwidth limit is in force: 1 or 0";
    LIMIT: Gauge "limit" in "bytes_per_second" [] "The bandwidth limit in force; absent without one";
    LINK_DELAY: Gauge "link_delay" in "seconds" []
        "How much longer small requests take now than the shortest ones; with --bwlimit auto only";
    LINK_BASE: Gauge "link_base_round_trip" in "seconds" []
        "How long the shortest small requests take; with --bwlimit auto only";
    LANE_TIME: Counter "lane_time" in "seconds" ["cause"]
        "Time that this run has spent on sending files, by what limited it";
    QUEUE: Gauge "queue_fill" in "ratio" []
        "Full part of the queue between reading and writing: near 1 the destination is slower, near 0 the source";

    ETA: Gauge "eta_timestamp" in "seconds" ["percentile"]
        "When the backlog will be sent, in Unix time: p50 half of the time before, p90 nine times in ten; absent if unknown";
    DEADLINE: Gauge "deadline_timestamp" in "seconds" [] "The --deadline, in Unix time; absent without one";
    PROGRESS: Gauge "last_progress_timestamp" in "seconds" []
        "When something last moved, in Unix time: bytes, files, found entries; a pause counts as moving";
    COMMIT: Gauge "last_commit_timestamp" in "seconds" [] "When the run last committed to its database, in Unix time";
    STALLED: Gauge "stalled" [] "Whether nothing has moved for 30 seconds while scanning or sending: 1 or 0";
    PAUSED: Gauge "paused" [] "Whether the run is paused, by a request or by the timetable: 1 or 0";

    DATABASE: Gauge "database" in "bytes" [] "Size of the database with its write-ahead log";
    DATABASE_FREE: Gauge "database_free" in "bytes" [] "Free space where the database is";
}
