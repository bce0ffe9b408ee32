//! The audit log: one line of JSON for the result of each file, and for the start and end of each run.

mod chain;
mod line;
mod log_file;
mod object;
mod run_line;

pub(crate) use chain::Chain;
pub use chain::{ChainBreak, ChainCheck};
pub(crate) use line::{Failure, Line};
pub(crate) use log_file::AuditLog;
pub(crate) use run_line::RunLine;
