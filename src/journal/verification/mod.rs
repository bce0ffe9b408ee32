//! Verification: passes over the files in sync, and the result of each file.

pub(super) mod class;
pub(super) mod outcome;
pub(super) mod pass;
pub(super) mod window;
