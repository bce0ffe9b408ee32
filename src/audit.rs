//! The audit log: one line of JSON for the result of each file, and for the start and end of each run.

mod batch;
mod chain;
mod line;
mod log_file;
mod object;
mod rotation;
mod run_line;

pub(crate) use batch::{Batch, Rotation};
pub(crate) use chain::Chain;
pub use chain::{ChainBreak, ChainCheck};
pub(crate) use line::{ExceptionLine, Failure, Line};
pub(crate) use log_file::AuditLog;
pub(crate) use rotation::{NamingLines, closed_log_number, closed_path, free_number};
pub(crate) use run_line::RunLine;
