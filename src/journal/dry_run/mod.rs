//! What a dry run reads and keeps.

pub(super) mod copy;
pub(super) mod planned;
mod probe;
pub(super) mod steps;
