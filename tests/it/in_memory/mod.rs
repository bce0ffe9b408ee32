//! The engine between trees in memory, with injected failures and actions at chosen moments.

mod absence;
mod account;
mod assessed;
mod backlog;
mod bench;
mod control;
mod damaged;
mod errors;
mod hanging;
mod hard_links;
mod kept;
mod limited_by;
mod lost_times;
mod planned;
mod recorded;
mod run_lines;
mod scan_model;
mod spelling;
mod state_files;
mod targets;
mod unfinished;
mod unstated_size;
mod unverified;
mod verify;
mod xattrs;
