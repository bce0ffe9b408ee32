//! Why a run would take a step.

use std::fmt;

/// Why a run would do something to a file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanReason {
    /// The sink does not have it.
    Missing,
    /// The sink has an entry of another kind.
    KindDiffers,
    /// The sink has another size.
    SizeDiffers,
    /// The sink has another mtime.
    MtimeDiffers,
    /// The mtimes differ by less than a second.
    MtimeFractionDiffers,
    /// It is a symlink, and the sink's has another target.
    TargetDiffers,
    /// It is a symlink, and its target or that of the sink's could not be read.
    TargetUnknown,
    /// It was in flight at an unclean shutdown.
    UncleanShutdown,
    /// It is another name of a file that is at the sink or is sent.
    HardLink,
    /// Permissions or owner differ.
    AttributesDiffer,
    /// Extended attributes differ, or could not be read.
    XattrsDiffer,
    /// The sink cannot hold it, and why.
    NotPossible(String),
    /// A FIFO, socket or device of the sink has its name.
    SpecialFileConflicts,
    /// A non-empty directory of the sink has its name.
    FullDirConflicts,
    /// A directory of the sink has its name.
    DirConflicts,
    /// The source does not have it.
    NotInSource,
    /// An entry of the source needs its name.
    ConflictsWithSource,
    /// A file of the source replaces it.
    ReplacedByFile,
    /// The sink spells its name differently.
    SpelledAtSink(Vec<u8>),
}

impl fmt::Display for PlanReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::KindDiffers => "of another kind",
            Self::SizeDiffers => "size differs",
            Self::MtimeDiffers => "mtime differs",
            Self::MtimeFractionDiffers => "mtime differs by a fraction of a second",
            Self::TargetDiffers => "target differs",
            Self::TargetUnknown => "target could not be read",
            Self::UncleanShutdown => "in flight at an unclean shutdown",
            Self::HardLink => "another name of a file",
            Self::AttributesDiffer => "permissions or owner differ",
            Self::XattrsDiffer => "extended attributes differ",
            Self::NotPossible(problem) => problem,
            Self::SpecialFileConflicts => "a special file (FIFO, socket or device) has its name: remove it",
            Self::FullDirConflicts => "a non-empty directory has its name",
            Self::DirConflicts => "a directory has its name",
            Self::NotInSource => "not in the source",
            Self::ConflictsWithSource => "it conflicts with an entry of the source",
            Self::ReplacedByFile => "a file of the source replaces it",
            Self::SpelledAtSink(name) => {
                return write!(f, "the destination spells it {:?}", String::from_utf8_lossy(name));
            }
        })
    }
}
