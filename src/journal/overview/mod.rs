//! What the database says of a migration, read beside a run or without one, and without changing any file.

mod account;
mod connection;
mod files;
mod model;
mod queries;
mod read;

pub use account::{
    Account, Amount, ByKind, Exception, ExceptionList, NameClass, ReasonCount, Reconciliation, SizeRange,
};
pub use files::{RecordedFile, RecordedFiles};
pub use model::{Overview, RecordedBacklog, RecordedFailures, RecordedOutcome, RecordedRun};
