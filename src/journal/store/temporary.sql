-- Tables of one run, for files with several names (hard links).

-- For each set of names, the name that the others are compared with, and its file at the sink.
CREATE TEMP TABLE carrier(
    device INTEGER, inode INTEGER, size INTEGER, modified ANY,
    dir INTEGER NOT NULL, name ANY NOT NULL, sink_device INTEGER, sink_inode INTEGER,
    PRIMARY KEY (device, inode, size, modified)
) STRICT, WITHOUT ROWID;

-- Files of the sink whose names belong to different files in the source.
CREATE TEMP TABLE merged(
    device INTEGER, inode INTEGER, PRIMARY KEY (device, inode)
) STRICT, WITHOUT ROWID;

-- Sets whose carrier may have failed.
CREATE TEMP TABLE orphan(
    device INTEGER, inode INTEGER, PRIMARY KEY (device, inode)
) STRICT, WITHOUT ROWID;
