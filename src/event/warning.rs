//! Problems that do not stop a run.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use towpath_backend::WaitReason;

use crate::checksum::{Algorithm, FileHash};
use crate::side::Side;

/// A problem that does not stop a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Warning {
    /// Other users could write to a file of the migration; that permission was removed.
    ModeTightened {
        /// The file.
        path: PathBuf,
        /// The permission bits that it had.
        was_mode: u32,
        /// The permission bits that it has now.
        mode: u32,
    },
    /// Other users can write to a file of the migration, and its mode could not be changed.
    WritableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Why `chmod` failed.
        error: Arc<io::Error>,
    },
    /// Every user can replace files in a folder that holds a file of the migration.
    FolderOpenToAll {
        /// The folder.
        folder: PathBuf,
    },
    /// The last line of the audit log was incomplete; it was terminated with a newline.
    LogLineIncomplete {
        /// The log.
        log: PathBuf,
    },
    /// Damaged bytes at the end of the audit log were replaced by the lines that belong there.
    LogRepaired {
        /// The log.
        log: PathBuf,
        /// The number of damaged bytes.
        damaged_bytes: u64,
    },
    /// The audit log could not be renamed when it was full: it goes on in the same file.
    LogNotRotated {
        /// The log.
        log: PathBuf,
        /// Why renaming failed.
        error: Arc<io::Error>,
    },
    /// Requests of a tree wait: the run goes on by itself once the cause is gone.
    Waiting {
        /// Which tree.
        side: Side,
        /// Its root.
        root: Vec<u8>,
        /// What is waited for.
        reason: WaitReason,
        /// What the storage answered.
        cause: String,
    },
    /// Requests of a tree that waited succeed again.
    Resumed {
        /// Which tree.
        side: Side,
        /// Its root.
        root: Vec<u8>,
    },
    /// A verification does not check the source.
    SourceNotCompared {
        /// Its root.
        root: Vec<u8>,
        /// Why not.
        cause: String,
    },
    /// The sink does not keep mtimes.
    MtimesNotKept {
        /// The root of the sink.
        sink_root: Vec<u8>,
    },
    /// A directory of the source is excluded, since its name is reserved by file systems.
    ReservedDirectory {
        /// Its full path.
        path: Vec<u8>,
        /// The pattern for `--include` that includes it.
        pattern: Vec<u8>,
    },
    /// Extras on other file systems that are mounted inside the sink stay.
    ExtrasOnOtherFileSystems {
        /// How many files.
        files: u64,
    },
    /// The content of a file changed while its size and mtime did not.
    ContentChangedSilently {
        /// Its full path in the source.
        path: Vec<u8>,
        /// The algorithm of both checksums.
        algorithm: Algorithm,
        /// The recorded checksum.
        recorded: FileHash,
        /// The checksum of what was sent now.
        found: FileHash,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ModeTightened { path, was_mode, mode } => {
                let path = path.display();
                write!(f, "other users could write to {path} (mode {was_mode:04o}): its mode is now {mode:04o}")
            }
            Self::WritableByOthers { path, mode, error } => {
                write!(f, "other users can write to {} (mode {mode:04o}), and chmod failed: {error}", path.display())
            }
            Self::FolderOpenToAll { folder } => {
                let folder = folder.display();
                write!(f, "every user can replace files in the folder {folder}: `chmod o-w {folder}`")
            }
            Self::LogLineIncomplete { log } => write!(
                f,
                "log file {}: its last line is incomplete (power cut or full disk?); it was terminated with a newline",
                log.display()
            ),
            Self::LogRepaired { log, damaged_bytes } => write!(
                f,
                "log file {}: {damaged_bytes} damaged bytes at its end (power cut?) were replaced",
                log.display()
            ),
            Self::LogNotRotated { log, error } => {
                write!(f, "log file {} cannot be rotated ({error}): it goes on in the same file", log.display())
            }
            Self::Waiting { side, root, reason, cause } => {
                let root = String::from_utf8_lossy(root);
                match reason {
                    WaitReason::Throttled => write!(f, "the {side} {root} asks for fewer requests; waiting: {cause}"),
                    WaitReason::Credentials => {
                        write!(f, "the {side} {root}: the credentials have expired; waiting for new ones: {cause}")
                    }
                    _ => write!(f, "the {side} {root} does not answer; waiting for it: {cause}"),
                }
            }
            Self::Resumed { side, root } => {
                write!(f, "the {side} {} answers again; the run goes on", String::from_utf8_lossy(root))
            }
            Self::SourceNotCompared { root, cause } => write!(
                f,
                "the source {} is not checked, so that what has changed there since is not found: {cause}",
                String::from_utf8_lossy(root)
            ),
            Self::MtimesNotKept { sink_root } => write!(
                f,
                "the destination {} does not keep mtimes: new files have the time at which they were written, and \
                 only sizes are compared: a file that changed without changing its size is not sent again",
                String::from_utf8_lossy(sink_root)
            ),
            Self::ReservedDirectory { path, pattern } => write!(
                f,
                "{} is excluded: its name is reserved by the file system; --include '{}' includes it",
                String::from_utf8_lossy(path),
                String::from_utf8_lossy(pattern)
            ),
            Self::ExtrasOnOtherFileSystems { files } => write!(
                f,
                "{files} files on other file systems mounted inside the destination are not in the source, and stay; \
                 --delete-other-file-systems deletes them too"
            ),
            Self::ContentChangedSilently { path, algorithm, recorded, found } => write!(
                f,
                "{}: its content changed while its size and mtime did not ({algorithm} was {recorded}, is {found}); \
                 the new content was sent",
                String::from_utf8_lossy(path)
            ),
        }
    }
}
