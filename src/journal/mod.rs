//! What is remembered across runs: a SQLite database, written by one thread.
//!
//! [`Journal`] is the handle that the engine's tasks share. Its methods lie beside what they are
//! about: runs, scans, the backlog, row updates, deletions and dry runs.

mod backlog;
mod deletion;
mod dry_run;
mod handle;
#[cfg(test)]
mod power_cuts;
mod row;
mod row_update;
mod runs;
mod scan;
mod store;

pub(crate) use backlog::dirs::{DirWork, PendingDir};
pub(crate) use backlog::partial::{Begin, Begun};
pub(crate) use backlog::pending::{FileKey, Pending, Replaced, Sizes, Stretch, Work};
pub(crate) use deletion::announced::{Deletion, EndedDeletions};
pub(crate) use deletion::extras::{Extra, ExtraKey, Protection, SeenDir};
pub use dry_run::copy::KnownSink;
pub(crate) use dry_run::copy::copy;
pub(crate) use dry_run::planned::{ConflictingEntry, PlannedWork};
pub(crate) use dry_run::steps::{Step, StepKey};
pub(crate) use handle::{Journal, JournalThread};
pub(crate) use row::kept::Kept;
pub(crate) use row_update::{RowState, RowUpdate};
pub(crate) use runs::decision::{Decision, RunRequest};
pub(crate) use runs::run::{Backlog, RunEnd, RunStart};
pub(crate) use scan::finish::{Compares, Found, ScanOptions};
pub(crate) use scan::listing::{Listed, Role};
pub(crate) use scan::names::ImpossibleKey;
pub(crate) use scan::spelling::Respelling;
pub(crate) use store::open::{Roots, check_file};
