//! The queries and temporary tables of a dry run.

pub(super) mod copy;
pub(super) mod planned;
pub(super) mod probe;
mod reason;
pub(super) mod steps;
