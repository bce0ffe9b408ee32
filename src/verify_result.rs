//! What a verification finds of a file.

use std::fmt;
use std::sync::Arc;

use towpath_backend::{Error as BackendError, Kind, Timestamp};

use crate::checksum::{Algorithm, FileHash};
use crate::json;
use crate::side::Side;

/// The classes of a verification's results: each file that was checked is in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum VerifyClass {
    /// The copy is the file that was recorded.
    Matches,
    /// The copy has the recorded size and mtime, but no checksum was recorded: its content is unproven.
    Unproven,
    /// The copy is the file that was recorded; the source has changed since.
    ChangedAtSource,
    /// The copy is another one than was recorded.
    Differs,
    /// There is no copy.
    Missing,
    /// The copy cannot be read.
    Unreadable,
}

impl VerifyClass {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Matches, Self::Unproven, Self::ChangedAtSource, Self::Differs, Self::Missing, Self::Unreadable];

    /// The name in JSON, and in texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Matches => "matches",
            Self::Unproven => "unproven",
            Self::ChangedAtSource => "changed-at-source",
            Self::Differs => "differs",
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether the copy is not what was recorded, or cannot be shown to be.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Differs | Self::Missing | Self::Unreadable)
    }

    /// Whether the content was compared with a checksum, or could not be although there is one.
    pub fn is_proof(self) -> bool {
        self != Self::Unproven
    }

    /// The status of its lines in the audit log.
    pub(crate) fn status(self) -> &'static str {
        match self {
            Self::Matches => "verified",
            _ => self.name(),
        }
    }
}

impl fmt::Display for VerifyClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a verification finds of a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum VerifyResult {
    /// The copy is the file that was recorded.
    Matches,
    /// No checksum was recorded.
    Unproven,
    /// The copy is the file that was recorded; the source is another one.
    ChangedAtSource(SourceChange),
    /// The copy is another one than was recorded.
    Differs(Difference),
    /// There is no copy.
    Missing,
    /// It cannot be read.
    Unreadable {
        /// The tree that cannot be read.
        side: Side,
        /// Why not.
        error: Arc<BackendError>,
    },
}

impl VerifyResult {
    /// Its class.
    pub fn class(&self) -> VerifyClass {
        match self {
            Self::Matches => VerifyClass::Matches,
            Self::Unproven => VerifyClass::Unproven,
            Self::ChangedAtSource(_) => VerifyClass::ChangedAtSource,
            Self::Differs(_) => VerifyClass::Differs,
            Self::Missing => VerifyClass::Missing,
            Self::Unreadable { .. } => VerifyClass::Unreadable,
        }
    }

    /// What was found, in words; `None` if the class says all.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Matches | Self::Missing => None,
            Self::Unproven => Some("no checksum was recorded".to_owned()),
            Self::ChangedAtSource(change) => Some(change.to_string()),
            Self::Differs(difference) => Some(difference.to_string()),
            Self::Unreadable { side, error } => Some(format!("{side}: {error}")),
        }
    }
}

/// How a copy differs from what was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// It is an entry of another kind.
    Kind {
        /// What was recorded.
        recorded: Kind,
        /// What it is.
        found: Kind,
    },
    /// Its size differs.
    Size {
        /// What was recorded.
        recorded: u64,
        /// What it is; if the file states another size than it has, the latter.
        found: u64,
    },
    /// It has the same size and another content.
    Content {
        /// The algorithm of both checksums.
        algorithm: Algorithm,
        /// What was recorded, or computed from the source.
        recorded: FileHash,
        /// What it is.
        found: FileHash,
    },
    /// It has the recorded content and another mtime.
    Modified {
        /// What was recorded.
        recorded: Timestamp,
        /// What it is.
        found: Timestamp,
    },
    /// It differed when it was last checked; its size and mtime do not, and there is no checksum to compare with.
    Earlier,
    /// It is a symbolic link to another target.
    Target {
        /// What was recorded, or read from the source, as raw bytes.
        recorded: Vec<u8>,
        /// What it is.
        found: Vec<u8>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { recorded, found } => write!(f, "it is a {found}, not a {recorded}"),
            Self::Size { recorded, found } => write!(f, "it has {found} bytes, not {recorded}"),
            Self::Content { algorithm, recorded, found } => {
                write!(f, "its content differs: {algorithm} is {found}, not {recorded}")
            }
            Self::Modified { recorded, found } => {
                let (recorded, found) = (json::time(*recorded), json::time(*found));
                write!(f, "its content matches, but its mtime is {found}, not {recorded}")
            }
            Self::Earlier => f.write_str(
                "it differed when it was last checked, and there is no checksum to compare with: --hash-both reads both \
                 copies",
            ),
            Self::Target { recorded, found } => {
                let (recorded, found) = (String::from_utf8_lossy(recorded), String::from_utf8_lossy(found));
                write!(f, "it is a link to {found}, not to {recorded}")
            }
        }
    }
}

/// How the source changed since the file was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceChange {
    /// It no longer has the file.
    Gone,
    /// The file has another size, mtime or kind.
    Changed,
}

impl fmt::Display for SourceChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the source no longer has it",
            Self::Changed => "it has changed at the source since it was recorded",
        })
    }
}
