//! Upgrades the schema of an older version to the current one.

use rusqlite::Connection;

/// From version 1 to 2. The old records of the sink and of directories do not suffice:
/// `settings` that match no options make the next run scan.
const FROM_1: &str = "
    ALTER TABLE scan ADD COLUMN settings TEXT NOT NULL DEFAULT 'version 1';
    ALTER TABLE dir ADD COLUMN parent INTEGER;
    ALTER TABLE dir ADD COLUMN real ANY;
    ALTER TABLE dir ADD COLUMN inode INTEGER;
    ALTER TABLE dir ADD COLUMN foreign_device INTEGER;
    ALTER TABLE dir ADD COLUMN born INTEGER;
    ALTER TABLE dir ADD COLUMN modified INTEGER;
    ALTER TABLE dir ADD COLUMN accessed INTEGER;
    ALTER TABLE dir ADD COLUMN permissions INTEGER;
    ALTER TABLE dir ADD COLUMN user INTEGER;
    ALTER TABLE dir ADD COLUMN grp INTEGER;
    ALTER TABLE dir ADD COLUMN sink_modified INTEGER;
    ALTER TABLE dir ADD COLUMN sink_permissions INTEGER;
    ALTER TABLE dir ADD COLUMN sink_user INTEGER;
    ALTER TABLE dir ADD COLUMN sink_grp INTEGER;
    ALTER TABLE dir ADD COLUMN settle INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE dir ADD COLUMN problem TEXT;
    ALTER TABLE file ADD COLUMN problem TEXT;
    UPDATE tree SET identity = NULL;
    DROP VIEW files;
    DROP INDEX file_pending;
    ALTER TABLE file ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE file ADD COLUMN work INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE file ADD COLUMN real ANY;
    ALTER TABLE file ADD COLUMN user INTEGER;
    ALTER TABLE file ADD COLUMN grp INTEGER;
    ALTER TABLE file ADD COLUMN device INTEGER;
    ALTER TABLE file ADD COLUMN inode INTEGER;
    ALTER TABLE file ADD COLUMN failed INTEGER;
    DROP TABLE sink_entry;
    DROP TABLE walk_queue;
";

/// From version 2 to 3. The backlog stays valid, but does not record which pending files may have an unfinished copy.
const FROM_2: &str = "
    ALTER TABLE dir ADD COLUMN sink_foreign_device INTEGER;
    ALTER TABLE file ADD COLUMN kept_size INTEGER;
    ALTER TABLE file ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;
    UPDATE file SET begun = 2 WHERE status = 0;
    ALTER TABLE file ADD COLUMN error TEXT;
    DROP INDEX IF EXISTS file_names;
    DROP VIEW IF EXISTS files;
";

/// Times beyond 64 bits of nanoseconds are TEXT, so the columns accept any type. Stored values
/// do not change, so only the schema's text is edited (<https://sqlite.org/lang_altertable.html#otheralter>).
const ANY_TIMES: &str = "
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(replace(replace(replace(replace(sql, 'modified INTEGER', 'modified ANY'),
        'accessed INTEGER', 'accessed ANY'), 'changed INTEGER', 'changed ANY'), 'created INTEGER', 'created ANY'),
        'born INTEGER', 'born ANY')
    WHERE type = 'table' AND name IN ('dir', 'file', 'sink_entry', 'deletion', 'incomplete');
    PRAGMA writable_schema = RESET;
";

/// From version 3 to 4.
const FROM_3: &str = "
    ALTER TABLE tree ADD COLUMN probe TEXT;
    ALTER TABLE run ADD COLUMN user INTEGER;
    ALTER TABLE dir ADD COLUMN kept_modified ANY;
    ALTER TABLE dir ADD COLUMN kept_permissions INTEGER;
    ALTER TABLE dir ADD COLUMN kept_user INTEGER;
    ALTER TABLE dir ADD COLUMN kept_grp INTEGER;
    ALTER TABLE file ADD COLUMN kept_modified ANY;
    ALTER TABLE file ADD COLUMN kept_permissions INTEGER;
    ALTER TABLE file ADD COLUMN kept_user INTEGER;
    ALTER TABLE file ADD COLUMN kept_grp INTEGER;
    DROP VIEW IF EXISTS files;
";

/// From version 4 to 5. What earlier runs did is unknown, apart from their scans.
const FROM_4: &str = "
    ALTER TABLE run ADD COLUMN version TEXT;
    ALTER TABLE run ADD COLUMN pid INTEGER;
    ALTER TABLE run ADD COLUMN log ANY;
    ALTER TABLE run ADD COLUMN scanned INTEGER;
    ALTER TABLE run ADD COLUMN sent_files INTEGER;
    ALTER TABLE run ADD COLUMN sent_bytes INTEGER;
    ALTER TABLE run ADD COLUMN deleted_files INTEGER;
    ALTER TABLE run ADD COLUMN deleted_dirs INTEGER;
    ALTER TABLE run ADD COLUMN failed_files INTEGER;
    ALTER TABLE run ADD COLUMN failed_bytes INTEGER;
    ALTER TABLE run ADD COLUMN pending_files INTEGER;
    ALTER TABLE run ADD COLUMN pending_bytes INTEGER;
    ALTER TABLE run ADD COLUMN updated INTEGER;
    ALTER TABLE run ADD COLUMN stopped_by TEXT;
    ALTER TABLE run ADD COLUMN error TEXT;
    UPDATE run SET scanned = id IN (SELECT run FROM scan);
";

/// From version 6 to 7: each entry adds the columns of one feature.
const FROM_6: &[&str] = &[REASONS, SAMPLES, ROTATION, COMPARED, ERROR_CODES, FOUND, VERIFICATION];

/// Why names of the source are not copied. The oldest versions had no such table.
const REASONS: &str = "
    CREATE TABLE IF NOT EXISTS source_other(
        dir INTEGER NOT NULL, name ANY NOT NULL, PRIMARY KEY (dir, name)) STRICT, WITHOUT ROWID;
    ALTER TABLE source_other ADD COLUMN kind INTEGER;
    ALTER TABLE source_other ADD COLUMN size INTEGER;
    ALTER TABLE source_other ADD COLUMN reason INTEGER;
    ALTER TABLE file ADD COLUMN listed_kind INTEGER;
    ALTER TABLE file ADD COLUMN listed_size INTEGER;
";

/// What others felt, and the options of runs. The oldest versions had no samples.
const SAMPLES: &str = "
    CREATE TABLE IF NOT EXISTS sample(
        start INTEGER PRIMARY KEY, duration_ms INTEGER NOT NULL, paused_ms INTEGER NOT NULL, files INTEGER NOT NULL,
        bytes INTEGER NOT NULL, limit_bytes_per_s INTEGER) STRICT;
    ALTER TABLE sample ADD COLUMN written_bytes INTEGER;
    ALTER TABLE sample ADD COLUMN peak_bytes_per_s INTEGER;
    ALTER TABLE sample ADD COLUMN source_requests INTEGER;
    ALTER TABLE sample ADD COLUMN source_median_us INTEGER;
    ALTER TABLE sample ADD COLUMN source_p95_us INTEGER;
    ALTER TABLE sample ADD COLUMN sink_requests INTEGER;
    ALTER TABLE sample ADD COLUMN sink_median_us INTEGER;
    ALTER TABLE sample ADD COLUMN sink_p95_us INTEGER;
    ALTER TABLE run ADD COLUMN options TEXT;
";

/// When the log is closed.
const ROTATION: &str = "
    ALTER TABLE outbox ADD COLUMN closed_log ANY;
    ALTER TABLE outbox ADD COLUMN closing BLOB;
    ALTER TABLE run ADD COLUMN max_log_bytes INTEGER;
";

/// Targets of symlinks and digests of extended attributes. A database of version 1 has no table of the sink's entries.
const COMPARED: &str = "
    ALTER TABLE dir ADD COLUMN xattrs ANY;
    ALTER TABLE dir ADD COLUMN sink_xattrs ANY;
    ALTER TABLE dir ADD COLUMN kept_xattrs ANY;
    ALTER TABLE file ADD COLUMN target ANY;
    ALTER TABLE file ADD COLUMN kept_target ANY;
    ALTER TABLE file ADD COLUMN xattrs ANY;
    ALTER TABLE file ADD COLUMN kept_xattrs ANY;
    CREATE TABLE IF NOT EXISTS sink_entry(
        dir INTEGER NOT NULL, name ANY NOT NULL, kind INTEGER NOT NULL, size INTEGER NOT NULL, modified ANY NOT NULL,
        permissions INTEGER, user INTEGER, grp INTEGER, device INTEGER, inode INTEGER, PRIMARY KEY (dir, name)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE sink_entry ADD COLUMN target ANY;
    ALTER TABLE sink_entry ADD COLUMN xattrs ANY;
";

/// The codes of failures. Those of earlier versions are unknown.
const ERROR_CODES: &str = "
    ALTER TABLE run ADD COLUMN command TEXT;
    ALTER TABLE dir ADD COLUMN error TEXT;
    ALTER TABLE dir ADD COLUMN error_code TEXT;
    ALTER TABLE dir ADD COLUMN error_side INTEGER;
    ALTER TABLE file ADD COLUMN error_code TEXT;
    ALTER TABLE file ADD COLUMN error_side INTEGER;
    ALTER TABLE unreadable ADD COLUMN is_entry INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE unreadable ADD COLUMN cause TEXT;
    ALTER TABLE unreadable ADD COLUMN error TEXT;
    UPDATE file SET error_code = 'unknown', error_side = coalesce(failed, 2)
    WHERE status = 0 AND coalesce(problem, error) IS NOT NULL;
    UPDATE dir SET error_code = 'unknown', error_side = 1 WHERE missing = 2 OR settle = 2 OR problem IS NOT NULL;
";

/// What scans found, for forecasts of the next.
const FOUND: &str = "
    ALTER TABLE scan ADD COLUMN found_files INTEGER;
    ALTER TABLE scan ADD COLUMN found_bytes INTEGER;
";

/// Results of verifications.
const VERIFICATION: &str = "
    ALTER TABLE file ADD COLUMN synced_run INTEGER;
    ALTER TABLE file ADD COLUMN verify_pass INTEGER;
    ALTER TABLE file ADD COLUMN verify_class INTEGER;
    ALTER TABLE file ADD COLUMN verified INTEGER;
    ALTER TABLE file ADD COLUMN verify_detail TEXT;
";

/// Upgrades a database of `version` to version `to`, that of `schema`, in one transaction.
pub(in crate::journal) fn upgrade(
    connection: &Connection,
    version: i32,
    schema: &str,
    to: i32,
) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    if version < 2 {
        connection.execute_batch(FROM_1)?;
    }
    if version < 3 {
        connection.execute_batch(FROM_2)?;
    }
    if version < 4 {
        connection.execute_batch(FROM_3)?;
        connection.execute_batch(ANY_TIMES)?;
    }
    if version < 5 {
        connection.execute_batch(FROM_4)?;
    }
    // From version 5 to 6, the schema has a new table.
    if version < 7 {
        FROM_6.iter().try_for_each(|step| connection.execute_batch(step))?;
    }
    connection.execute_batch(schema)?;
    connection.pragma_update(None, "user_version", to)?;
    connection.execute_batch("COMMIT")
}
