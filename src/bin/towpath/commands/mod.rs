//! The subcommands, and their shared parts: opening the trees, watching a run, checking the arguments.

pub(crate) mod accept;
pub(crate) mod assess;
pub(crate) mod audit;
pub(crate) mod backends;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod ctl;
pub(crate) mod doctor;
mod dry_run;
mod entry_path;
pub(crate) mod errors;
pub(crate) mod man;
pub(crate) mod manifest;
mod only_run;
pub(crate) mod passes;
mod patterns;
mod remote;
pub(crate) mod report;
pub(crate) mod retry;
mod run_database;
mod screen;
pub(crate) mod status;
pub(crate) mod sync;
pub(crate) mod timetable;
mod trees;
pub(crate) mod verify;
mod watch;
