//! What the database says of a migration, read beside a run or without one, and without changing any file.

pub(in crate::journal) mod accepted;
mod account;
mod connection;
mod error_groups;
pub(in crate::journal) mod errors;
mod files;
mod model;
mod passes;
mod queries;
mod read;
mod verification;

pub use accepted::{AcceptedEnd, AcceptedEntries, AcceptedEntry};
pub use account::{
    Account, Amount, ByKind, Exception, ExceptionList, NameClass, ReasonCount, Reconciliation, SizeRange, SlowestFile,
};
pub use error_groups::{ErrorGroup, ErrorSummary};
pub use errors::{FailedKind, RecordedError, RecordedErrors};
pub use files::{RecordedFile, RecordedFiles};
pub use model::{Overview, RecordedBacklog, RecordedFailures, RecordedOutcome, RecordedRun};
pub use passes::{Passes, RecordedPass, RecordedScan};
pub use verification::{NotMatching, RecordedVerification, VerifyOverview};
