//! The state that outlives a run: a SQLite database, written by one thread.
//!
//! [`Journal`] is the handle that the engine's tasks share. Its methods are grouped by
//! topic: runs, scans, the backlog, row updates, deletions and dry runs.

mod accepted;
mod backlog;
mod deletion;
mod dry_run;
mod handle;
mod overview;
mod rates;
mod row;
mod row_update;
mod runs;
mod scan;
mod store;
#[cfg(test)]
mod tests;
mod verification;

pub(crate) use accepted::NewException;
pub(crate) use backlog::dirs::{DirWork, PendingDir};
pub(crate) use backlog::impossible::ImpossibleKey;
pub(crate) use backlog::pending::{Pending, Replaced, RowRange, Sizes};
pub(crate) use backlog::summary::Backlog;
pub(crate) use backlog::unfinished::{Begin, Begun};
pub(crate) use deletion::announced::{Deletion, EndedDeletions};
pub(crate) use deletion::extras::{Extra, ExtraKey};
pub(crate) use deletion::protection::Protection;
pub(crate) use deletion::seen_dir::SeenDir;
pub use dry_run::copy::RecordedSink;
pub(crate) use dry_run::copy::copy;
pub(crate) use dry_run::planned::{ConflictingEntry, PlannedWork};
pub(crate) use dry_run::steps::{Step, StepKey};
pub(crate) use handle::{Beside, Journal, JournalThread};
pub use overview::{
    AcceptedEnd, AcceptedEntries, AcceptedEntry, Account, Amount, ByKind, ErrorGroup, ErrorSummary, Exception,
    ExceptionList, FailedKind, NameClass, NotMatching, Overview, Passes, ReasonCount, Reconciliation, RecordedBacklog,
    RecordedError, RecordedErrors, RecordedFailures, RecordedFile, RecordedFiles, RecordedOutcome, RecordedPass,
    RecordedRun, RecordedScan, RecordedVerification, SizeRange, SlowestFile, VerifyOverview,
};
pub(crate) use rates::read_samples;
pub(crate) use row::cause::Cause;
pub(crate) use row::detail::{Detail, Details, Sent};
pub(crate) use row::file::{FileKey, Work};
pub(crate) use row::kept::Kept;
pub use row::not_copied::NotCopied;
pub(crate) use row::unknown::UnreadableCause;
pub(crate) use row_update::{RowState, RowUpdate};
pub(crate) use runs::decision::{Decision, RunRequest};
pub(crate) use runs::run::{EndedRun, RunEnd, RunStart};
pub(crate) use scan::census::Census;
pub(crate) use scan::finish::Found;
pub(crate) use scan::listing::{Listed, Role};
pub(crate) use scan::spelling::Respelling;
pub(crate) use scan::start::ScanOptions;
pub(crate) use store::current_scan::Compares;
pub use store::name_kind::NameKind;
pub(crate) use store::open::{Roots, check_file};
pub(crate) use store::outbox::ClosedLogs;
pub(crate) use store::slowest::SlowFile;
pub(crate) use verification::outcome::Checked;
pub(crate) use verification::pass::Pass;
pub(crate) use verification::window::{Picker, Verifiable, WindowSums};
