-- Version 1. Names and paths are TEXT where they are valid UTF-8, else BLOB;
-- times are nanoseconds since 1970.

-- The two trees this database belongs to. prefix: the root and a closing slash.
CREATE TABLE tree(
    side INTEGER PRIMARY KEY,               -- 0 source, 1 sink
    root ANY NOT NULL,
    prefix ANY NOT NULL,
    identity TEXT                           -- of the last complete scan
) STRICT;

-- One row for each run; finished is NULL for one that was cut off.
CREATE TABLE run(
    id INTEGER PRIMARY KEY,
    started INTEGER NOT NULL,
    finished INTEGER,
    outcome TEXT,
    transferring INTEGER NOT NULL DEFAULT 0 -- 1 while files are under way
) STRICT;

-- One row for each scan; finished is NULL for one that is no backlog.
CREATE TABLE scan(
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
    unreadable INTEGER NOT NULL DEFAULT 0   -- directories of the source
) STRICT;

CREATE TABLE dir(
    id INTEGER PRIMARY KEY,
    path ANY NOT NULL UNIQUE,               -- relative; '' is the root
    source_scan INTEGER,                    -- the last scan that saw it there
    sink_scan INTEGER,
    missing INTEGER NOT NULL DEFAULT 0      -- 1: to be made at the sink
) STRICT;
CREATE INDEX dir_missing ON dir(id) WHERE missing = 1;

-- The files of the source: the backlog (status 0) and what is in sync (1).
CREATE TABLE file(
    dir INTEGER NOT NULL,
    name ANY NOT NULL,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    accessed INTEGER,
    changed INTEGER,
    created INTEGER,
    permissions INTEGER,
    hash TEXT,
    algorithm TEXT,
    status INTEGER NOT NULL,
    turn INTEGER NOT NULL DEFAULT 0,        -- the pass of this run that sends it
    suspect INTEGER NOT NULL DEFAULT 0,     -- 1: was under way when a run was cut off
    scan INTEGER NOT NULL,                  -- the last scan that saw it
    PRIMARY KEY (dir, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX file_pending ON file(turn, dir, name, size) WHERE status = 0;

-- What the scan under way has found at the sink, directories apart.
CREATE TABLE sink_entry(
    dir INTEGER NOT NULL,
    name ANY NOT NULL,
    kind INTEGER NOT NULL,                  -- 0 file, 1 link, 2 other
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    PRIMARY KEY (dir, name)
) STRICT, WITHOUT ROWID;

-- Directories that the scan under way could not read.
CREATE TABLE unreadable(
    side INTEGER NOT NULL,
    path ANY NOT NULL,
    PRIMARY KEY (side, path)
) STRICT, WITHOUT ROWID;

-- Directories still to be walked that do not fit the walkers' memory.
CREATE TABLE walk_queue(
    id INTEGER PRIMARY KEY,
    side INTEGER NOT NULL,
    path ANY NOT NULL
) STRICT;
CREATE INDEX walk_queue_side ON walk_queue(side, id);

-- Lines of the audit log that belong to the last transaction: were they cut
-- off on their way into the log, the next run completes them.
CREATE TABLE outbox(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    log_length INTEGER NOT NULL,
    lines BLOB NOT NULL
) STRICT;

-- Whether files pending at the last complete scan may have been cut off.
CREATE TABLE distrust(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO distrust VALUES (1, 0);

-- What others read. Full paths; status in words.
CREATE VIEW files(source_path, dest_path, created, changed, modified, permissions, hash, size, status, algorithm) AS
SELECT
    CASE WHEN typeof(source.root) = 'blob' OR raw THEN CAST(source.prefix || path AS BLOB) ELSE source.prefix || path END,
    CASE WHEN typeof(sink.root) = 'blob' OR raw THEN CAST(sink.prefix || path AS BLOB) ELSE sink.prefix || path END,
    created, changed, modified, permissions, hash, size,
    CASE status WHEN 0 THEN 'pending' ELSE 'synced' END,
    algorithm
FROM (
    SELECT
        file.*,
        CASE dir.path WHEN '' THEN file.name ELSE dir.path || '/' || file.name END AS path,
        typeof(dir.path) = 'blob' OR typeof(file.name) = 'blob' AS raw
    FROM file JOIN dir ON dir.id = file.dir
), tree AS source, tree AS sink
WHERE source.side = 0 AND sink.side = 1;
