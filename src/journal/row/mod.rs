//! The meaning of columns, and updates that several jobs share.

pub(super) mod cause;
pub(super) mod detail;
pub(super) mod dir;
pub(super) mod file;
pub(super) mod kept;
pub(super) mod not_copied;
mod tree;
pub(super) mod unknown;
