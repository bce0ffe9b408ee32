//! The database file: opening it, its one connection and transactions, and how values are stored.

pub(super) mod cause_columns;
pub(super) mod current_scan;
pub(super) mod db;
pub(in crate::journal) mod failure;
pub(super) mod lock_holder;
mod name_functions;
pub(super) mod name_kind;
pub(super) mod open;
pub(super) mod open_beside;
mod open_files;
pub(super) mod outbox;
mod run_counts;
pub(super) mod slowest;
pub(super) mod sums;
mod upgrade;
pub(super) mod value;
mod writer_lock;
