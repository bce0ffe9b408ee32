-- Version 4. Names and paths are TEXT where they are valid UTF-8, else BLOB.
-- Times of files are INTEGER nanoseconds since 1970, or the same as TEXT in decimal
-- digits where 64 bits do not hold them (before 1677, after 2262).

-- The two trees this database belongs to. prefix: the root and a closing slash.
CREATE TABLE IF NOT EXISTS tree(
    side INTEGER PRIMARY KEY,               -- 0 source, 1 sink
    root ANY NOT NULL,
    prefix ANY NOT NULL,
    identity TEXT,                          -- of the last complete scan
    probe TEXT                              -- what a probe of the sink found, for dry runs
) STRICT;

-- One row for each run; finished is NULL after an unclean shutdown.
CREATE TABLE IF NOT EXISTS run(
    id INTEGER PRIMARY KEY,
    started INTEGER NOT NULL,
    finished INTEGER,
    outcome TEXT,
    transferring INTEGER NOT NULL DEFAULT 0, -- 1 while files are in flight
    user INTEGER                            -- the effective user: others may be allowed other attributes
) STRICT;

-- One row for each scan; finished is NULL for an incomplete one, which is no backlog.
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
    skipped INTEGER NOT NULL DEFAULT 0,     -- names of a kind that is not copied
    unreadable INTEGER NOT NULL DEFAULT 0,  -- not used: see the table unreadable
    settings TEXT NOT NULL DEFAULT ''       -- filters and options that determine which files are migrated
) STRICT;

CREATE TABLE IF NOT EXISTS dir(
    id INTEGER PRIMARY KEY,
    path ANY NOT NULL UNIQUE,               -- relative; '' is the root
    source_scan INTEGER,                    -- the last scan that saw it there
    sink_scan INTEGER,
    missing INTEGER NOT NULL DEFAULT 0,     -- 0: no; 1: to be created at the sink; 2: that failed in this run
    parent INTEGER,                         -- NULL: the root, or not known
    real ANY,                               -- where it is read, if links lead elsewhere
    inode INTEGER,                          -- the source's; NULL: not known
    foreign_device INTEGER,                 -- its device, if that is not the one of the source's root; else 0
    born ANY,                               -- its btime, where the source reports one
    modified ANY,                           -- the source's; NULL: not known
    accessed ANY,
    permissions INTEGER,
    user INTEGER,
    grp INTEGER,
    sink_modified ANY,
    sink_permissions INTEGER,
    sink_user INTEGER,
    sink_grp INTEGER,
    sink_foreign_device INTEGER,            -- as foreign_device, of the sink's directory
    settle INTEGER NOT NULL DEFAULT 0,      -- 0: no; 1: to be finalized; 2: that failed in this run
    problem TEXT,                           -- why the sink cannot hold it
    kept_modified ANY,                      -- what the sink has instead, if it did not keep the source's
    kept_permissions INTEGER,
    kept_user INTEGER,
    kept_grp INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS dir_missing ON dir(id) WHERE missing = 1;
CREATE INDEX IF NOT EXISTS dir_settle ON dir(id) WHERE settle = 1;
CREATE INDEX IF NOT EXISTS dir_parent ON dir(parent);

-- The files and links of the source: the backlog (status 0) and what is in sync (1).
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
    turn INTEGER NOT NULL DEFAULT 0,        -- the attempt of this run that sends it; from 2147483644 on: not in one (see Attempt)
    suspect INTEGER NOT NULL DEFAULT 0,     -- 1: was in flight at an unclean shutdown
    scan INTEGER NOT NULL,                  -- the last scan that saw it
    kind INTEGER NOT NULL DEFAULT 0,        -- 0 file, 1 link
    work INTEGER NOT NULL DEFAULT 0,        -- if pending: 0 content, 1 another name of a file, 2 attributes alone,
                                            -- 3 nothing, since the sink cannot hold it
    problem TEXT,                           -- why not
    real ANY,                               -- where it is read, if a link leads elsewhere
    user INTEGER,
    grp INTEGER,
    device INTEGER,                         -- of a file with several names: which file it is
    inode INTEGER,
    failed INTEGER,                         -- the side that failed in this run
    kept_size INTEGER,                      -- bytes that were read and sent, if the source states another size
    begun INTEGER NOT NULL DEFAULT 0,       -- an unfinished copy may be at the sink: 1 made by this run, 2 over an older one, 3 before the scan
    error TEXT,                             -- if pending: why it failed when it was last given up
    kept_modified ANY,                      -- what the sink has instead, if it did not keep the source's
    kept_permissions INTEGER,
    kept_user INTEGER,
    kept_grp INTEGER,
    PRIMARY KEY (dir, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS file_pending ON file(work, turn, dir, name, size) WHERE status = 0;
CREATE INDEX IF NOT EXISTS file_names ON file(device, inode, status, work, turn, dir, name) WHERE device IS NOT NULL;
CREATE INDEX IF NOT EXISTS file_begun ON file(dir) WHERE begun <> 0;
CREATE INDEX IF NOT EXISTS file_failed ON file(dir) WHERE failed IS NOT NULL;

-- Names of the source that are not copied: of another kind, or left out by a filter.
CREATE TABLE IF NOT EXISTS source_other(
    dir INTEGER NOT NULL,
    name ANY NOT NULL,
    PRIMARY KEY (dir, name)
) STRICT, WITHOUT ROWID;

-- What the last scan found at the sink, directories apart.
CREATE TABLE IF NOT EXISTS sink_entry(
    dir INTEGER NOT NULL,
    name ANY NOT NULL,
    kind INTEGER NOT NULL,                  -- 0 file, 1 link, 2 other
    size INTEGER NOT NULL,
    modified ANY NOT NULL,
    permissions INTEGER,
    user INTEGER,
    grp INTEGER,
    device INTEGER,                         -- of a file with several names
    inode INTEGER,
    PRIMARY KEY (dir, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS sink_names ON sink_entry(device, inode) WHERE device IS NOT NULL;

-- Unfinished files of an earlier run at the sink, to be removed.
CREATE TABLE IF NOT EXISTS leftover(
    path ANY PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Files of the sink that were to be replaced in place when the source lost them:
-- neither the old nor the new content. Kept until the sink's file is another one.
CREATE TABLE IF NOT EXISTS incomplete(
    path ANY PRIMARY KEY,
    size INTEGER,                           -- as the sink has it; NULL: not listed
    modified ANY
) STRICT, WITHOUT ROWID;

-- Files that a scan did not see, as they were excluded or gone, and of which size and
-- mtime at the sink prove nothing: when they are seen again they are sent again.
CREATE TABLE IF NOT EXISTS unverified(
    dir ANY NOT NULL,                       -- relative path
    name ANY NOT NULL,
    PRIMARY KEY (dir, name)
) STRICT, WITHOUT ROWID;

-- Names of the sink that are spelled in another way than the source spells them,
-- where the sink takes both for one: to be renamed.
CREATE TABLE IF NOT EXISTS respelling(
    path ANY PRIMARY KEY,                   -- as the source spells it
    name ANY NOT NULL                       -- the last name, as the sink spells it
) STRICT, WITHOUT ROWID;

-- Directories that the scan could not read; directories of the sink (side 2) that
-- it takes for others of the source; and directories of the source (side 3) and of
-- the sink (side 4) on which a file system was mounted that is not mounted now.
CREATE TABLE IF NOT EXISTS unreadable(
    side INTEGER NOT NULL,
    path ANY NOT NULL,
    PRIMARY KEY (side, path)
) STRICT, WITHOUT ROWID;

-- Directories below which nothing may be deleted at the sink.
CREATE TABLE IF NOT EXISTS protected(
    path ANY PRIMARY KEY,
    asked INTEGER NOT NULL                  -- 1: by an option; 0: to be safe
) STRICT, WITHOUT ROWID;

-- Directories still to be walked that do not fit the walkers' memory.
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

-- Lines of the audit log that belong to the last transaction: were they cut
-- off on their way into the log, the next run completes them.
CREATE TABLE IF NOT EXISTS outbox(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    log_length INTEGER NOT NULL,
    lines BLOB NOT NULL
) STRICT;

-- Whether files pending at the last complete scan may have been in flight at an unclean shutdown.
CREATE TABLE IF NOT EXISTS distrust(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO distrust VALUES (1, 0);

-- What others read. Full paths; status in words. Times that 64 bits of nanoseconds do
-- not hold are the nearest that these hold; modified_seconds has the exact second.
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
