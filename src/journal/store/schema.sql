-- Version 7. Names and paths are TEXT where they are valid UTF-8, else BLOB.
-- Times of files are INTEGER nanoseconds since 1970, or the same as TEXT in decimal
-- digits where they exceed 64 bits (before 1677, after 2262).

-- The two trees of this database. prefix: the root and a trailing slash.
CREATE TABLE IF NOT EXISTS tree(
    side INTEGER PRIMARY KEY,               -- 0 source, 1 sink
    root ANY NOT NULL,
    prefix ANY NOT NULL,
    identity TEXT,                          -- of the last complete scan
    probe TEXT                              -- the probed capabilities of the sink, for dry runs
) STRICT;

-- One row for each run; finished is NULL after an unclean shutdown.
CREATE TABLE IF NOT EXISTS run(
    id INTEGER PRIMARY KEY,
    started INTEGER NOT NULL,
    finished INTEGER,
    outcome TEXT,
    transferring INTEGER NOT NULL DEFAULT 0, -- 1 while files are in flight
    user INTEGER,                           -- the effective user: others may be allowed to set other attributes
    version TEXT,                           -- of the program; this and all below: NULL in a run of schema 4 or earlier
    pid INTEGER,
    log ANY,                                -- the path of the audit log
    scanned INTEGER,                        -- 1: it began to scan
    sent_files INTEGER,                     -- these count the log's lines
    sent_bytes INTEGER,
    deleted_files INTEGER,                  -- from the sink
    deleted_dirs INTEGER,
    failed_files INTEGER,
    failed_bytes INTEGER,
    pending_files INTEGER,                  -- files with status 0, and their bytes; NULL: a scan is not complete
    pending_bytes INTEGER,
    updated INTEGER,                        -- when these counts were last written
    stopped_by TEXT,                        -- such as 'signal SIGTERM'
    error TEXT,                             -- why it failed, or which guard prevented deletions
    options TEXT,                           -- the options in force, as a JSON object; NULL before schema 7
    max_log_bytes INTEGER,                  -- at which the log is closed and another begun; NULL: never
    command TEXT                            -- how it was started, as JSON; NULL: unknown
) STRICT;

-- What failed in each run, by kind and side, with the first example of each.
CREATE TABLE IF NOT EXISTS run_error(
    run INTEGER NOT NULL REFERENCES run(id),
    side INTEGER NOT NULL,                  -- 0 source, 1 sink, 2 neither
    kind TEXT NOT NULL,                     -- such as 'permission-denied'
    count INTEGER NOT NULL,
    path ANY NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (run, side, kind)
) STRICT, WITHOUT ROWID;

-- The files of each run that took the longest, fifty at most; none that took less than a second.
CREATE TABLE IF NOT EXISTS slow_file(
    run INTEGER NOT NULL REFERENCES run(id),
    path ANY NOT NULL,
    size INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,           -- from the start of its lane to the end of its last write
    PRIMARY KEY (run, path)
) STRICT, WITHOUT ROWID;

-- How fast files were sent: a row for each minute of the last day, and for each hour of 14 weeks.
CREATE TABLE IF NOT EXISTS sample(
    start INTEGER PRIMARY KEY,
    duration_ms INTEGER NOT NULL,           -- pauses included
    paused_ms INTEGER NOT NULL,
    files INTEGER NOT NULL,                 -- that left the backlog
    bytes INTEGER NOT NULL,                 -- written, and holes skipped, without files with long holes
    limit_bytes_per_s INTEGER,              -- in force; NULL: none, or an adaptive one
    written_bytes INTEGER,                  -- to the sink, holes excluded; this and all below: NULL if unknown
    peak_bytes_per_s INTEGER,               -- written in the second with the most
    source_requests INTEGER,                -- small requests that were timed: what other users of the storage felt
    source_median_us INTEGER,               -- their round trips; of an hour: the mean of its minutes by requests
    source_p95_us INTEGER,                  -- of an hour: the highest of its minutes
    sink_requests INTEGER,
    sink_median_us INTEGER,
    sink_p95_us INTEGER
) STRICT;

-- One row for each scan; finished is NULL for an incomplete scan, which has no backlog.
CREATE TABLE IF NOT EXISTS scan(
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run(id),
    started INTEGER NOT NULL,
    finished INTEGER,
    source_files INTEGER NOT NULL DEFAULT 0,
    source_dirs INTEGER NOT NULL DEFAULT 0,
    source_bytes INTEGER NOT NULL DEFAULT 0,
    sink_files INTEGER NOT NULL DEFAULT 0,
    sink_dirs INTEGER NOT NULL DEFAULT 0,
    sink_bytes INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,     -- entries of a kind that is not copied
    unreadable INTEGER NOT NULL DEFAULT 0,  -- unused: see the table unreadable
    found_files INTEGER,                    -- pending when it was complete; NULL: unknown
    found_bytes INTEGER,
    settings TEXT NOT NULL DEFAULT ''       -- filters and options that select the files to migrate
) STRICT;

CREATE TABLE IF NOT EXISTS dir(
    id INTEGER PRIMARY KEY,
    path ANY NOT NULL UNIQUE,               -- relative; '' is the root
    source_scan INTEGER,                    -- the last scan that saw it in the source
    sink_scan INTEGER,
    missing INTEGER NOT NULL DEFAULT 0,     -- 0: no; 1: to be created at the sink; 2: creation failed in this run
    parent INTEGER,                         -- NULL: the root, or unknown
    real ANY,                               -- where it is read, if it is reached through a symlink
    inode INTEGER,                          -- of the source; NULL: unknown
    foreign_device INTEGER,                 -- its mount, or its device; 0: that of the source's root
    born ANY,                               -- its btime, if the source reports it
    modified ANY,                           -- of the source; NULL: unknown
    accessed ANY,
    permissions INTEGER,
    user INTEGER,
    grp INTEGER,
    sink_modified ANY,
    sink_permissions INTEGER,
    sink_user INTEGER,
    sink_grp INTEGER,
    sink_foreign_device INTEGER,            -- like foreign_device, of the sink's directory
    settle INTEGER NOT NULL DEFAULT 0,      -- 0: no; 1: to be finalized; 2: finalizing failed in this run
    problem TEXT,                           -- why the sink cannot hold it
    kept_modified ANY,                      -- kept_*: the sink's value where it did not keep the source's
    kept_permissions INTEGER,
    kept_user INTEGER,
    kept_grp INTEGER,
    xattrs ANY,                             -- digest of the source's extended attributes; see file.xattrs
    sink_xattrs ANY,                        -- digest of the sink's; see sink_entry.xattrs
    kept_xattrs ANY,
    error TEXT,                             -- why creating or finalizing it last failed
    error_code TEXT,                        -- of that, or of the problem: a stable code, such as 'EACCES'
    error_side INTEGER                      -- 0 source, 1 sink, 2 neither
) STRICT;
CREATE INDEX IF NOT EXISTS dir_missing ON dir(id) WHERE missing = 1;
CREATE INDEX IF NOT EXISTS dir_settle ON dir(id) WHERE settle = 1;
CREATE INDEX IF NOT EXISTS dir_parent ON dir(parent);

-- The files and symlinks of the source: pending (status 0, the backlog) or in sync (1).
CREATE TABLE IF NOT EXISTS file(
    dir INTEGER NOT NULL,
    name ANY NOT NULL,
    size INTEGER NOT NULL,
    modified ANY NOT NULL,
    accessed ANY,
    changed ANY,
    created ANY,
    permissions INTEGER,
    hash TEXT,
    algorithm TEXT,
    status INTEGER NOT NULL,
    turn INTEGER NOT NULL DEFAULT 0,        -- the attempt of this run that sends it; from 2147483644 on: see Attempt
    suspect INTEGER NOT NULL DEFAULT 0,     -- 1: unverified, in flight at an unclean shutdown
    scan INTEGER NOT NULL,                  -- the last scan that saw it
    kind INTEGER NOT NULL DEFAULT 0,        -- 0 file, 1 symlink
    work INTEGER NOT NULL DEFAULT 0,        -- if pending: 0 content, 1 another name of a file, 2 attributes alone,
                                            -- 3 nothing: the sink cannot hold it
    problem TEXT,                           -- why the sink cannot hold it
    real ANY,                               -- where it is read, if it is reached through a symlink
    user INTEGER,
    grp INTEGER,
    device INTEGER,                         -- identity of a file with several names
    inode INTEGER,
    failed INTEGER,                         -- the side that failed in this run
    kept_size INTEGER,                      -- bytes sent, if the source states another size
    begun INTEGER NOT NULL DEFAULT 0,       -- the sink may have an unfinished copy: 1 created by this run,
                                            -- 2 over an older file, 3 begun before the scan
    error TEXT,                             -- if pending: why it last failed
    kept_modified ANY,                      -- kept_*: the sink's value where it did not keep the source's
    kept_permissions INTEGER,
    kept_user INTEGER,
    kept_grp INTEGER,
    listed_kind INTEGER,                    -- of the scan, if it changed since then; -1: not listed by the scan, as its
                                            -- directory could not be read
    listed_size INTEGER,
    target ANY,                             -- of a symlink, as last read or sent; NULL: unknown
    kept_target ANY,
    xattrs ANY,                             -- digest of the extended attributes, X'' if there are none; NULL: unknown
    kept_xattrs ANY,
    error_code TEXT,                        -- of the error or the problem: a stable code, such as 'EACCES'
    error_side INTEGER,                     -- of the error or the problem: 0 source, 1 sink, 2 neither
    synced_run INTEGER,                     -- the run that sent it; NULL: found in sync, or sent by an earlier version
    verify_pass INTEGER,                    -- the last pass that checked it since it was sent
    verify_class INTEGER,                   -- 0 matches, 1 unproven, 2 changed at the source, 3 differs, 4 missing,
                                            -- 5 unreadable; NULL: not checked since it was sent
    verified INTEGER,                       -- when it was checked
    verify_detail TEXT,                     -- what was found, if it does not match
    PRIMARY KEY (dir, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS file_pending ON file(work, turn, dir, name, size) WHERE status = 0;
CREATE INDEX IF NOT EXISTS file_names ON file(device, inode, status, work, turn, dir, name) WHERE device IS NOT NULL;
CREATE INDEX IF NOT EXISTS file_begun ON file(dir) WHERE begun <> 0;
CREATE INDEX IF NOT EXISTS file_failed ON file(dir) WHERE failed IS NOT NULL;
CREATE INDEX IF NOT EXISTS file_error ON file(error_code, error_side, dir, name, size)
    WHERE status = 0 AND error_code IS NOT NULL;

CREATE INDEX IF NOT EXISTS file_not_verified ON file(dir, name, verify_class) WHERE verify_class >= 2;

-- Passes of `towpath verify` over the files in sync; finished is NULL for one that can be resumed.
CREATE TABLE IF NOT EXISTS verify_pass(
    id INTEGER PRIMARY KEY,
    started INTEGER NOT NULL,
    finished INTEGER,
    selection TEXT NOT NULL,                -- 'unverified', 'all', 'since run 7', 'sample 1%'
    hash_both INTEGER NOT NULL,
    seed TEXT NOT NULL,                     -- of the sample
    highest_draw INTEGER,                   -- of the sample: the same 64 bits as a signed number; NULL: not known yet
    updated INTEGER NOT NULL,
    read_bytes INTEGER NOT NULL DEFAULT 0,  -- from the sink
    cached_files INTEGER NOT NULL DEFAULT 0, -- whose content may be from a cache of this machine
    selected_files INTEGER,                 -- NULL: not counted yet
    selected_bytes INTEGER,
    synced_files INTEGER,                   -- all files in sync at the end of the pass, or else at its last start
    synced_bytes INTEGER,
    pending_files INTEGER,
    pending_bytes INTEGER
) STRICT;

-- The results of each pass by class (see file.verify_class).
CREATE TABLE IF NOT EXISTS verify_count(
    pass INTEGER NOT NULL REFERENCES verify_pass(id),
    class INTEGER NOT NULL,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (pass, class)
) STRICT, WITHOUT ROWID;

-- The last results of all files in sync, whatever pass they are from, when a pass ended or was stopped.
CREATE TABLE IF NOT EXISTS verify_coverage(
    pass INTEGER NOT NULL REFERENCES verify_pass(id),
    class INTEGER NOT NULL,                 -- -1: not checked since they were sent
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (pass, class)
) STRICT, WITHOUT ROWID;

-- Names of the source that are not copied: of another kind, or left out for their size or time. Those that
-- a rule excludes are in scan_count.
CREATE TABLE IF NOT EXISTS source_other(
    dir INTEGER NOT NULL,
    name ANY NOT NULL,
    kind INTEGER,                           -- 0 file, 1 symlink, 2 other, 3 directory; NULL as below; -1: not listed
    size INTEGER,
    reason INTEGER,                         -- see NotCopied; NULL: recorded by an earlier version
    PRIMARY KEY (dir, name)
) STRICT, WITHOUT ROWID;

-- What the walkers of the source received in the last complete scan, counted before anything decides about a name, and
-- what they left out without a row.
CREATE TABLE IF NOT EXISTS scan_count(
    scan INTEGER NOT NULL REFERENCES scan(id),
    what TEXT NOT NULL,                     -- 'listed', 'listed-twice', 'resolved' from its kind, 'resolved-to' its
                                            -- kind, 'not-entered', or why it was left out (NotCopied)
    detail TEXT NOT NULL,                   -- the rule that excludes it
    kind INTEGER NOT NULL,                  -- as source_other.kind
    names INTEGER NOT NULL,
    bytes TEXT NOT NULL,                    -- in decimal digits: a sum may exceed 63 bits
    example ANY,                            -- the path of the first
    PRIMARY KEY (scan, what, detail, kind)
) STRICT, WITHOUT ROWID;

-- What the last scan found at the sink, except directories.
CREATE TABLE IF NOT EXISTS sink_entry(
    dir INTEGER NOT NULL,
    name ANY NOT NULL,
    kind INTEGER NOT NULL,                  -- 0 file, 1 symlink, 2 other
    size INTEGER NOT NULL,
    modified ANY NOT NULL,
    permissions INTEGER,
    user INTEGER,
    grp INTEGER,
    device INTEGER,                         -- of a file with several names
    inode INTEGER,
    target ANY,                             -- of a symlink; 0: it could not be read; NULL: the sink has none
    xattrs ANY,                             -- as file.xattrs; 0: could not be read; NULL: not compared
    PRIMARY KEY (dir, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS sink_names ON sink_entry(device, inode) WHERE device IS NOT NULL;

-- Partial files of an earlier run at the sink, to be removed.
CREATE TABLE IF NOT EXISTS leftover(
    path ANY PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Files of the sink that were being overwritten in place when they vanished from the source: they have
-- neither the old nor the new content. Kept until the sink's file is replaced or removed.
CREATE TABLE IF NOT EXISTS incomplete(
    path ANY PRIMARY KEY,
    size INTEGER,                           -- at the sink; NULL: not listed
    modified ANY
) STRICT, WITHOUT ROWID;

-- Files that a scan did not see, since they were excluded or gone, and whose size and
-- mtime at the sink prove nothing: they are sent again when a scan sees them again.
CREATE TABLE IF NOT EXISTS unverified(
    dir ANY NOT NULL,                       -- relative path
    name ANY NOT NULL,
    PRIMARY KEY (dir, name)
) STRICT, WITHOUT ROWID;

-- Names that the sink spells differently from the source and
-- does not distinguish: to be renamed.
CREATE TABLE IF NOT EXISTS respelling(
    path ANY PRIMARY KEY,                   -- as the source spells it
    name ANY NOT NULL                       -- the last name, as the sink spells it
) STRICT, WITHOUT ROWID;

-- Directories with unknown content. side 0 and 1: the scan could not read them in the source
-- or at the sink; 2: the sink does not distinguish their names from others of the source; 3 and 4: a
-- file system was mounted there in the source or at the sink and no longer is.
CREATE TABLE IF NOT EXISTS unreadable(
    side INTEGER NOT NULL,
    path ANY NOT NULL,
    is_entry INTEGER NOT NULL DEFAULT 0,    -- 1: a name in a directory that was listed; it may be a directory
    cause TEXT,                             -- the stable code of the error, such as 'EACCES'
    error TEXT,
    PRIMARY KEY (side, path)
) STRICT, WITHOUT ROWID;

-- Exceptions: entries that are accepted as they are although they are not in sync, with everything
-- below a directory.
CREATE TABLE IF NOT EXISTS accepted(
    id INTEGER PRIMARY KEY,
    path ANY NOT NULL,                      -- relative
    reason TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    user TEXT NOT NULL,                     -- who recorded it
    code TEXT,                              -- why the entry was not in sync then
    ended INTEGER,                          -- NULL: in force
    end_reason TEXT                         -- 'settled': in sync, or gone from the source; 'removed': by somebody
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS accepted_path ON accepted(path) WHERE ended IS NULL;

-- Directories below which nothing may be deleted at the sink.
CREATE TABLE IF NOT EXISTS protected(
    path ANY PRIMARY KEY,
    asked INTEGER NOT NULL                  -- 1: by an option; 0: to be safe
) STRICT, WITHOUT ROWID;

-- Directories still to be walked that exceed the walkers' memory.
CREATE TABLE IF NOT EXISTS walk_queue(
    id INTEGER PRIMARY KEY,
    side INTEGER NOT NULL,
    path ANY NOT NULL,
    real ANY
) STRICT;
CREATE INDEX IF NOT EXISTS walk_queue_side ON walk_queue(side, id);

-- Announced deletions: after an unclean shutdown the next run checks which were done.
CREATE TABLE IF NOT EXISTS deletion(
    path ANY PRIMARY KEY,                   -- relative
    size INTEGER,                           -- NULL: a directory
    modified ANY
) STRICT, WITHOUT ROWID;

-- Lines of the audit log that belong to the last transaction: if appending them was
-- interrupted, the next run completes them.
CREATE TABLE IF NOT EXISTS outbox(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    log_length INTEGER NOT NULL,
    lines BLOB NOT NULL,
    closed_log ANY,                         -- the name that the log gets before these lines; NULL: it goes on
    closing BLOB                            -- its last line
) STRICT;

-- Logs that were closed because they were full. Numbers are never used again.
CREATE TABLE IF NOT EXISTS closed_log(
    log ANY NOT NULL,                       -- the canonical path, to which a dot and the number were added
    number INTEGER NOT NULL,
    closed INTEGER NOT NULL,                -- when
    PRIMARY KEY (log, number)
) STRICT, WITHOUT ROWID;

-- The end of the audit log's chain; without a row, its lines are not linked.
CREATE TABLE IF NOT EXISTS chain(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last TEXT                               -- the hash of the last line; NULL: there is none yet
) STRICT;

-- Whether files pending at the last complete scan may have been in flight at an unclean shutdown.
CREATE TABLE IF NOT EXISTS distrust(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO distrust VALUES (1, 0);

-- The view for other programs: full paths, status in words. Times beyond 64 bits of nanoseconds
-- are clamped; modified_seconds has the exact second.
CREATE VIEW IF NOT EXISTS files(source_path, dest_path, created, changed, modified, permissions, hash, size, status, algorithm, error,
    modified_seconds) AS
SELECT
    CASE WHEN typeof(source.root) = 'blob' OR raw THEN CAST(source.prefix || path AS BLOB) ELSE source.prefix || path END,
    CASE WHEN typeof(sink.root) = 'blob' OR raw THEN CAST(sink.prefix || path AS BLOB) ELSE sink.prefix || path END,
    CAST(created AS INTEGER), CAST(changed AS INTEGER), CAST(modified AS INTEGER), permissions, hash,
    coalesce(kept_size, size),
    CASE status WHEN 0 THEN 'pending' ELSE 'synced' END,
    algorithm,
    CASE status WHEN 0 THEN coalesce(problem, error) END,
    CASE typeof(modified)
        WHEN 'text' THEN CAST(substr(modified, 1, length(modified) - 9) AS INTEGER)
            - (modified LIKE '-%' AND substr(modified, -9) <> '000000000')
        ELSE modified / 1000000000 - (modified < 0 AND modified % 1000000000 <> 0)
    END
FROM (
    SELECT
        file.*,
        CASE dir.path WHEN '' THEN file.name ELSE dir.path || '/' || file.name END AS path,
        typeof(dir.path) = 'blob' OR typeof(file.name) = 'blob' AS raw
    FROM file JOIN dir ON dir.id = file.dir
), tree AS source, tree AS sink
WHERE source.side = 0 AND sink.side = 1;
