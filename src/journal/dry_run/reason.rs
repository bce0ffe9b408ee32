//! Why a run would work on a file, decided from its row and the sink's entry; and how reasons are stored.

use rusqlite::Row;
use rusqlite::types::FromSqlError;

use crate::event::PlanReason;
use crate::journal::row::file::{EntryKind, StoredWork};
use crate::journal::store::value::{number, optional_number, optional_time, stored_as_integer, time};

/// The columns that [`of_row`] reads, of `file` and of the entry `there` of the sink.
pub(super) const COLUMNS: &str = "file.work AS work, file.problem AS problem, file.kind AS kind, file.size AS size,
     file.kept_size AS kept_size, file.modified AS modified, file.kept_modified AS kept_modified,
     there.kind AS sink_kind, there.size AS sink_size, there.modified AS sink_modified,
     CASE
         WHEN file.kind = 1 AND (file.target IS NULL OR typeof(there.target) = 'integer') THEN 2
         WHEN file.kind = 1 AND there.target IS NOT NULL THEN there.target IS NOT coalesce(file.kept_target, file.target)
     END AS target_differs,
     there.xattrs IS NOT NULL AND there.xattrs IS NOT coalesce(file.kept_xattrs, file.xattrs) AS xattrs_differ";

/// The column `target_differs`; NULL: it is no link, or the sink does not show the targets of its links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Targets {
    Same,
    Differ,
    /// One of them could not be read.
    Unknown,
}

stored_as_integer!(Targets {
    Targets::Same = 0,
    Targets::Differ = 1,
    Targets::Unknown = 2,
});

/// Times that are closer than this differ by a fraction of a second.
const SECOND_NS: u64 = 1_000_000_000;

/// Why a run would work on the file of a row. `tolerance_ns` is the difference up to which mtimes are equal;
/// `None`: the sink keeps none.
pub(super) fn of_row(row: &Row<'_>, tolerance_ns: Option<u64>) -> rusqlite::Result<PlanReason> {
    match row.get("work")? {
        StoredWork::Impossible => {
            let problem = row.get::<_, Option<String>>("problem")?;
            return Ok(PlanReason::NotPossible(problem.unwrap_or_default()));
        }
        StoredWork::Attributes if row.get("xattrs_differ")? => return Ok(PlanReason::XattrsDiffer),
        StoredWork::Attributes => return Ok(PlanReason::AttributesDiffer),
        StoredWork::Name => return Ok(PlanReason::HardLink),
        StoredWork::Content => {}
    }
    let Some(sink_kind) = row.get::<_, Option<EntryKind>>("sink_kind")? else { return Ok(PlanReason::Missing) };
    if sink_kind != row.get::<_, EntryKind>("kind")? {
        return Ok(PlanReason::KindDiffers);
    }
    let targets = row.get::<_, Option<Targets>>("target_differs")?;
    match targets {
        Some(Targets::Differ) => return Ok(PlanReason::TargetDiffers),
        Some(Targets::Unknown) => return Ok(PlanReason::TargetUnknown),
        Some(Targets::Same) | None => {}
    }
    let expected_bytes = optional_number(row, "kept_size")?.map_or_else(|| number(row, "size"), Ok)?;
    if targets.is_none() && number(row, "sink_size")? != expected_bytes {
        return Ok(PlanReason::SizeDiffers);
    }
    let (modified, sink_modified) = (time(row, "modified")?, time(row, "sink_modified")?);
    let differs = |distance_ns| tolerance_ns.is_some_and(|tolerance_ns| distance_ns > tolerance_ns);
    let distance_ns = sink_modified.distance_ns(modified);
    if distance_ns < SECOND_NS && differs(distance_ns) {
        return Ok(PlanReason::MtimeFractionDiffers);
    }
    let expected = optional_time(row, "kept_modified")?.unwrap_or(modified);
    Ok(if differs(sink_modified.distance_ns(expected)) {
        PlanReason::MtimeDiffers
    } else {
        PlanReason::UncleanShutdown
    })
}

/// The reasons without detail; their stored numbers are their positions.
const PLAIN: [PlanReason; 17] = [
    PlanReason::Missing,
    PlanReason::KindDiffers,
    PlanReason::SizeDiffers,
    PlanReason::MtimeDiffers,
    PlanReason::MtimeFractionDiffers,
    PlanReason::UncleanShutdown,
    PlanReason::HardLink,
    PlanReason::AttributesDiffer,
    PlanReason::SpecialFileConflicts,
    PlanReason::FullDirConflicts,
    PlanReason::DirConflicts,
    PlanReason::NotInSource,
    PlanReason::ConflictsWithSource,
    PlanReason::ReplacedByFile,
    PlanReason::TargetDiffers,
    PlanReason::TargetUnknown,
    PlanReason::XattrsDiffer,
];
const NOT_POSSIBLE: i64 = 100;
const SPELLED_AT_SINK: i64 = 101;

/// A reason as a number with its detail, for the table of steps.
pub(super) fn stored(reason: &PlanReason) -> (i64, Option<&[u8]>) {
    match reason {
        PlanReason::NotPossible(problem) => (NOT_POSSIBLE, Some(problem.as_bytes())),
        PlanReason::SpelledAtSink(name) => (SPELLED_AT_SINK, Some(name)),
        plain => (PLAIN.iter().position(|other| other == plain).map_or(-1, |at| at as i64), None),
    }
}

/// The reason of a step, from the columns `reason` and `detail`.
pub(super) fn from_stored(row: &Row<'_>) -> rusqlite::Result<PlanReason> {
    let detail = || row.get::<_, Vec<u8>>("detail");
    Ok(match row.get("reason")? {
        NOT_POSSIBLE => PlanReason::NotPossible(String::from_utf8_lossy(&detail()?).into_owned()),
        SPELLED_AT_SINK => PlanReason::SpelledAtSink(detail()?),
        number => {
            let plain = usize::try_from(number).ok().and_then(|at| PLAIN.get(at));
            plain.cloned().ok_or(FromSqlError::OutOfRange(number))?
        }
    })
}
