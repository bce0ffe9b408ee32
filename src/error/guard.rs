//! Why a guard stopped a run, with the figures that it decided on.

use std::sync::Arc;

use thiserror::Error;
use towpath_backend::{Error as BackendError, TreeDifference};

use super::text::text;
use crate::side::Side;

/// Why a guard stopped a run: continuing could destroy data.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum GuardRefusal {
    /// A tree is not the one that earlier runs scanned.
    #[error(
        "the {side} {} is not the tree that was scanned: {difference}. Is it mounted? Nothing was done. Only if it was \
         replaced by another one on purpose, run once with --accept-new-tree",
        text(root)
    )]
    OtherTree {
        /// Which tree.
        side: Side,
        /// Its root.
        root: Vec<u8>,
        /// How its identity differs from the recorded one.
        difference: TreeDifference,
    },
    /// The sink is not the tree that files were recorded in.
    #[error(
        "the destination {} is not the tree that was recorded: {difference}. Is it mounted? Nothing was verified. Only \
         if it was replaced by another one on purpose, run `towpath sync` once with --accept-new-tree",
        text(root)
    )]
    NotTheCopy {
        /// Its root.
        root: Vec<u8>,
        /// How its identity differs from the recorded one.
        difference: TreeDifference,
    },
    /// None of the recorded files is at the sink.
    #[error(
        "none of {probed} files that should be at the destination {} is there: is the right tree mounted, and is it \
         complete? Nothing was verified",
        text(root)
    )]
    NothingThere {
        /// Its root.
        root: Vec<u8>,
        /// How many files were looked for, in directories at random.
        probed: usize,
    },
    /// A tree was replaced by another one during the run.
    #[error(
        "the {side} {} is no longer the tree that was scanned (unmounted, or another one mounted over it?); its \
         present content was ignored",
        text(root)
    )]
    TreeReplaced {
        /// Which tree.
        side: Side,
        /// Its root.
        root: Vec<u8>,
    },
    /// A tree was replaced by another one during the scan.
    #[error("the {side} {} was replaced by another tree during the scan (unmounted?): {cause}", text(root))]
    TreeReplacedInScan {
        /// Which tree.
        side: Side,
        /// Its root.
        root: Vec<u8>,
        /// The error that made the scan check the tree.
        #[source]
        cause: Arc<BackendError>,
    },
    /// A file system that was mounted inside the sink is no longer mounted.
    #[error(
        "the file system that was mounted at {} is not mounted, or its mount point is gone: nothing is sent there. \
         Mount it again; only if it is gone permanently, run once with --accept-new-tree",
        text(mount_point)
    )]
    LostMount {
        /// The full path of the mount point.
        mount_point: Vec<u8>,
    },
    /// The database belongs to the migration of another pair of trees.
    #[error(
        "database {database} belongs to the migration {} -> {}, not to {} -> {}; give another --database",
        text(recorded_source),
        text(recorded_sink),
        text(source_root),
        text(sink_root)
    )]
    OtherMigration {
        /// The database.
        database: String,
        /// The root of the source that it was created for.
        recorded_source: Vec<u8>,
        /// The root of the sink that it was created for.
        recorded_sink: Vec<u8>,
        /// The root of the source of this migration.
        source_root: Vec<u8>,
        /// The root of the sink of this migration.
        sink_root: Vec<u8>,
    },
    /// The source is empty, so that a mirror would empty the sink.
    #[error(
        "the source {} contains no files, and the destination {} has {extra_files} files that would be deleted: \
         nothing was deleted. Is the source mounted? An empty source is never mirrored; if it is meant to be empty, \
         empty the destination by hand",
        text(source_root),
        text(sink_root)
    )]
    EmptySource {
        /// The root of the source.
        source_root: Vec<u8>,
        /// The root of the sink.
        sink_root: Vec<u8>,
        /// Files at the sink that would be deleted.
        extra_files: u64,
    },
    /// The source was emptied after the scan.
    #[error(
        "the source {} is empty, and was not when it was scanned: nothing was deleted. Is it mounted?",
        text(source_root)
    )]
    SourceEmptied {
        /// The root of the source.
        source_root: Vec<u8>,
    },
    /// More extras were found than may be deleted.
    #[error(
        "the destination {} has {sink_files} files; {extra_files} files and {extra_dirs} directories of it are not in \
         the source, and no more than {max_delete} may be deleted: nothing was deleted. List them with --dry-run, then \
         allow them with --max-delete {}", text(sink_root), extra_files.max(extra_dirs)
    )]
    TooManyExtras {
        /// The root of the sink.
        sink_root: Vec<u8>,
        /// Files at the sink.
        sink_files: u64,
        /// Files at the sink that the source does not have.
        extra_files: u64,
        /// Directories at the sink that the source does not have.
        extra_dirs: u64,
        /// The most files, or directories, that may be deleted.
        max_delete: u64,
    },
    /// A directory that would be deleted contains everything that the source contains.
    #[error(
        "{} would be deleted and contains everything that the source {} contains: if it is the source itself, give \
         another destination; if it is an old copy, delete it by hand. Nothing was deleted",
        text(dir),
        text(source_root)
    )]
    DeletesSource {
        /// The full path of the directory.
        dir: Vec<u8>,
        /// The root of the source.
        source_root: Vec<u8>,
    },
}
